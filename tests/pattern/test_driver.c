/* SPDX-License-Identifier: Apache-2.0 */
/* test_driver.c - the program `pattern`, read by the program `monitor` and by ourselves. */
#include "tests/tools/harness.h"

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/yaml.h"
#include "core/frame/image.h"
#include "core/frame/pattern.h"
#include "core/shm/sluice.h"
#include "tests/emulated.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_NS (60 * (int64_t)SL_NS_PER_S)

static struct sl_subscriber *subscribe(const char *topic, enum sl_policy policy)
{
    struct sl_subscriber *subscriber = NULL;
    const struct sl_subscriber_options options = {.topic = topic, .policy = policy, .quota = 2};
    if (sl_subscriber_open(&options, &subscriber) < 0)
        fail_msg("%s", sl_error_text());
    return subscriber;
}

static struct sl_frame take(struct sl_subscriber *subscriber)
{
    struct sl_frame frame;
    int err;
    while ((err = sl_subscriber_take(subscriber, &frame)) == -EAGAIN)
        if (sl_subscriber_wait(subscriber, PATIENCE_NS) == -ETIMEDOUT)
            fail_msg("no frame came");
    if (err < 0)
        fail_msg("%s", sl_error_text());
    return frame;
}

/* Every encoding and size -----------------------------------------------------------------------*/

/* Frames of the driver with these options, every byte checked by the monitor. */
static void arrive_whole(const char *type, const char *size, const char *encoding,
                         const char *write)
{
    struct child driver = start("pattern", "--wait-for-subscribers=1", "--topic=/t", "--count=5",
                                "--block", "--fast", size, encoding, write, NULL);
    struct run r = run("monitor", "--pattern", type, "--topics=/t", "--policy=lossless",
                       "--expect-frames=5", "--within=25s", NULL);
    if (r.status != 0)
        fail_msg("%s %s %s: %s", size, encoding, write, r.err);
    assert_has(r.err, "/t: 5 frames, 5 patterns, lost 0 ");
    assert_has(r.err, "faults 0, ");
    run_free(&r);
    assert_int_equal(wait_for(driver.pid), 0);
}

static void pictures_of_every_encoding_arrive_whole(void **state)
{
    (void)state;
    for (unsigned i = SL_PATTERN_BYTES + 1; sl_pattern_encodings[i]; i++) {
        char encoding[40];
        snprintf(encoding, sizeof encoding, "--encoding=%s", sl_pattern_encodings[i]);
        arrive_whole("--type=sensor_msgs/msg/Image", "--width=321", encoding, "--write=stream");
    }
}

static void bytes_of_any_size_arrive_whole(void **state)
{
    (void)state;
    static const char *const sizes[] = {"--size=64", "--size=1001", "--size=65536", "--size=3M"};
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++)
        arrive_whole("--type=" SL_TYPE_PATTERN, sizes[i], "--encoding=bytes",
                     i % 2 ? "--write=cached" : "--write=stream");
}

/* Messages --------------------------------------------------------------------------------------*/

static void picture_is_a_whole_image_message(void **state)
{
    (void)state;
    struct sl_subscriber *subscriber = subscribe("/pattern/image", SL_KEEP_LAST);
    start("pattern", "--width=640", "--height=480", "--encoding=bgr8", "--rate=200", "--frame-id",
          "front", NULL);
    struct sl_frame frame = take(subscriber);
    struct sl_image image;
    assert_int_equal(sl_image_read(frame.body, frame.body_length, &image), 0);
    assert_true(sl_text_is(image.frame_id, "front") && sl_text_is(image.encoding, "bgr8"));
    assert_true(image.width == 640 && image.height == 480 && image.step == 640 * 3);
    assert_int_equal(image.stamp_ns, frame.stamp_ns);
    assert_int_equal(frame.clock, SL_CLOCK_HOST);
    assert_ptr_equal(image.data, frame.data);
    assert_int_equal(image.data_size, frame.data_length);
    assert_int_equal((uintptr_t)frame.data % 4096, 0);
    struct sl_pattern pattern;
    assert_int_equal(sl_pattern_read(frame.data, &pattern), 0);
    assert_int_equal(pattern.sequence, frame.seq);
    assert_int_equal(pattern.stamp_ns, frame.stamp_ns);
    sl_frame_release(&frame);
    sl_subscriber_close(subscriber);
}

/* The pattern of the first frame that a driver with this seed publishes. */
static struct sl_pattern first_of(const char *seed)
{
    struct sl_subscriber *subscriber = subscribe("/pattern/image", SL_KEEP_LAST);
    struct child driver =
        start("pattern", "--width=64", "--height=48", "--wait-for-subscribers=1", seed, NULL);
    struct sl_frame frame = take(subscriber);
    struct sl_pattern pattern;
    assert_int_equal(sl_pattern_read(frame.data, &pattern), 0);
    sl_frame_release(&frame);
    sl_subscriber_close(subscriber);
    assert_int_equal(stop(&driver, SIGTERM), 0);
    return pattern;
}

static void same_seed_gives_the_same_frames_and_none_its_own(void **state)
{
    (void)state;
    struct sl_pattern a = first_of("--seed=9"), b = first_of("--seed=9");
    assert_true(a.key == b.key && a.sequence == b.sequence);
    a = first_of("--seed=0");
    b = first_of("--seed=0");
    assert_true(a.key != b.key);
}

/* Pace ------------------------------------------------------------------------------------------*/

static void driver_ends_after_so_many_frames_none_lost_if_it_blocks(void **state)
{
    (void)state;
    struct child driver =
        start("pattern", "--size=100000", "--topic=/t", "--fast", "--block", "--count=300",
              "--wait-for-subscribers=1", "--slots=8", "--subscribers=1", NULL);
    struct run r = run("monitor", "--pattern", "--type=" SL_TYPE_PATTERN, "--topics=/t",
                       "--policy=lossless", "--expect-frames=300", "--within=50s", NULL);
    if (r.status != 0)
        fail_msg("%s", r.err);
    assert_has(r.err, "300 frames, 300 patterns, lost 0 ");
    run_free(&r);
    assert_int_equal(wait_for(driver.pid), 0);
}

static void rate_is_not_exceeded(void **state)
{
    (void)state;
    uint64_t begin_ns = sl_clock_monotonic_ns();
    struct run r = run("pattern", "--size=64", "--rate=100", "--count=21", NULL);
    assert_true(sl_clock_monotonic_ns() - begin_ns >= 200 * SL_NS_PER_MS);
    assert_int_equal(r.status, 0);
    assert_has(r.err, "21 frames of 64 bytes, written at ");
    run_free(&r);
}

static void await_refused_loan(const char *topic)
{
    uint64_t until_ns = sl_clock_monotonic_ns() + (uint64_t)PATIENCE_NS;
    double refused = 0;
    while (refused == 0) {
        struct run r = run("sluice", "topic", "info", topic, "--json", NULL);
        assert_int_equal(r.status, 0);
        struct sl_yaml *json = json_parse(r.out);
        refused = json_number(json, "publishers.0.refused_loans");
        sl_yaml_destroy(json);
        run_free(&r);
        assert_true(sl_clock_monotonic_ns() < until_ns);
    }
}

static uint64_t sequence_of(const struct sl_frame *frame)
{
    struct sl_pattern pattern;
    assert_int_equal(sl_pattern_read(frame->data, &pattern), 0);
    return pattern.sequence;
}

static void frames_without_a_slot_are_left_out_and_have_numbers(void **state)
{
    (void)state;
    struct sl_subscriber *subscriber = subscribe("/pattern/bytes", SL_KEEP_LAST);
    start("pattern", "--topic=bytes", "--size=4096", "--rate=200", "--subscribers=1", "--slots=2",
          NULL);
    struct sl_frame a = take(subscriber), b = take(subscriber);
    await_refused_loan("/pattern/bytes");
    sl_frame_release(&a);
    struct sl_frame c = take(subscriber);
    /* some may have been published and written over since */
    assert_true(c.seq > b.seq);
    assert_true(sequence_of(&c) - sequence_of(&b) > c.seq - b.seq);
    sl_frame_release(&b);
    sl_frame_release(&c);
    sl_subscriber_close(subscriber);
}

/* What cannot be --------------------------------------------------------------------------------*/

static void refused(int status, const char *text, const char *a, const char *b)
{
    struct run r = run("pattern", a, b, NULL);
    if (r.status != status)
        fail_msg("%s %s: status %d, not %d: %s", a, b ? b : "", r.status, status, r.err);
    assert_has(r.err, text);
    run_free(&r);
}

static void wrong_options_are_told(void **state)
{
    (void)state;
    refused(2, "option --encoding: 'rgb' is none of: bytes, rgb8, ", "--encoding=rgb", NULL);
    refused(2, "; did you mean rgb8?", "--encoding=rgb", NULL);
    refused(2, "option --size: 0 is out of range; give 64 to ", "--size=0", NULL);
    refused(2, "option --rate: 0 is out of range; give 0.001 to ", "--rate=0", NULL);
    refused(2, "option --width: 0 is out of range", "--width=0", NULL);
    refused(2, "option --height: 'tall' is not a whole number", "--height=tall", NULL);
    refused(1, "option --width: a pattern of 65536 x 1080 pixels, rgb8", "--width=65536", NULL);
    refused(1, "option --encoding: bytes needs --size", "--encoding=bytes", NULL);
    refused(1, "option --size: does not go with --encoding", "--size=1M", "--encoding=rgb8");
    refused(1, "option --height: does not go with --size", "--size=1M", "--height=3");
    refused(1, "option --fast: does not go with --rate", "--fast", "--rate=3");
    refused(1, "will never come", "--wait-for-subscribers=5", NULL);
}

static void pool_that_does_not_fit_is_told_before_anything_is_made(void **state)
{
    (void)state;
    refused(1, "memory", "--slots=65536", NULL);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
    const struct CMUnitTest tests[] = {
        CASE(pictures_of_every_encoding_arrive_whole),
        CASE(bytes_of_any_size_arrive_whole),
        CASE(picture_is_a_whole_image_message),
        CASE(same_seed_gives_the_same_frames_and_none_its_own),
        CASE(driver_ends_after_so_many_frames_none_lost_if_it_blocks),
        CASE(rate_is_not_exceeded),
        CASE(frames_without_a_slot_are_left_out_and_have_numbers),
        CASE(wrong_options_are_told),
        CASE(pool_that_does_not_fit_is_told_before_anything_is_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
