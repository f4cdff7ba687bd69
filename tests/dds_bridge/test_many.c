/* SPDX-License-Identifier: Apache-2.0 */
/* test_many.c - the program `dds_bridge` and more topics than it has places for: those that are one
 * too many are told of and harm no other, and those that cannot cross take no place. */
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/frame/message.h"
#include "tests/dds_bridge/content.h"
#include "tests/dds_bridge/side.h"
#include "tests/tools/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IMU &sensor_msgs_msg_dds__Imu__desc

enum {
    PLACES = 32, /* of a bridge, each way */
    ODD = 40,    /* more than places, and with all of these more than counters */
};

/* The log ---------------------------------------------------------------------------------------*/

/* What it says goes to the test's file "log". */
static struct child bridge(const char *rule)
{
    int log = open(harness_path("log"), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
    int own = dup(STDERR_FILENO);
    assert_true(log >= 0 && own >= 0);
    dup2(log, STDERR_FILENO);
    struct child child = start("dds_bridge", rule, side_domain_option(), NULL);
    dup2(own, STDERR_FILENO);
    close(own);
    close(log);
    return child;
}

/* Lines that have the text. */
static unsigned told(const char *text)
{
    char line[1024];
    unsigned count = 0;
    FILE *log = fopen(harness_path("log"), "re");
    assert_non_null(log);
    while (fgets(line, sizeof line, log))
        count += strstr(line, text) != NULL;
    fclose(log);
    return count;
}

static void await_told(const char *text, unsigned count)
{
    uint64_t until_ns = sl_clock_monotonic_ns() + (uint64_t)SIDE_PATIENCE_NS;
    while (told(text) < count) {
        if (sl_clock_monotonic_ns() > until_ns)
            fail_msg("'%s' is told %u times, not %u", text, told(text), count);
        poll(NULL, 0, 20);
    }
}

/* Topics ----------------------------------------------------------------------------------------*/

/* "/t7"; for DDS with "rt" before it. */
static const char *name_of(const char *before, unsigned i)
{
    static char name[64];
    snprintf(name, sizeof name, "%s%u", before, i);
    return name;
}

static struct sl_publisher *open_publisher(const char *topic)
{
    struct sl_publisher *publisher;
    const struct sl_publisher_options options = {
        .topic = topic, .type = SL_TYPE_IMU, .subscribers = 1, .inline_max = 448};
    if (sl_publisher_open(&options, &publisher) < 0)
        fail_msg("%s", sl_error_text());
    return publisher;
}

static struct sl_subscriber *open_subscriber(const char *topic)
{
    struct sl_subscriber *subscriber;
    const struct sl_subscriber_options options = {.topic = topic};
    if (sl_subscriber_open(&options, &subscriber) < 0)
        fail_msg("%s", sl_error_text());
    return subscriber;
}

static uint32_t take(struct sl_subscriber *subscriber)
{
    struct sl_frame frame;
    while (sl_subscriber_take(subscriber, &frame) == -EAGAIN)
        assert_int_equal(sl_subscriber_wait(subscriber, SIDE_PATIENCE_NS), 0);
    uint32_t number = check_imu_frame(&frame);
    sl_frame_release(&frame);
    return number;
}

/* What the bus publishes arrives in DDS, at the latest when the bridge has heard of the reader:
 * that may be later than the reader hears of the bridge. */
static void goes_out(struct sl_publisher *publisher, dds_entity_t reader, uint32_t number)
{
    uint64_t until_ns = sl_clock_monotonic_ns() + (uint64_t)SIDE_PATIENCE_NS;
    side_await_writers(reader, 1);
    for (int64_t got = -1; got != number;) {
        if (sl_clock_monotonic_ns() > until_ns)
            fail_msg("message %u does not go out", number);
        assert_int_equal(publish_imu(publisher, number, 0), 0);
        do
            got = side_take(reader, check_imu, DDS_MSECS(100));
        while (got >= 0 && got != number); /* one that was published before, twice */
    }
}

static void comes_in(dds_entity_t writer, struct sl_subscriber *subscriber, uint32_t number)
{
    side_await_readers(writer, 1);
    write_imu(writer, number);
    assert_int_equal(take(subscriber), number);
}

/* One too many ----------------------------------------------------------------------------------*/

static void one_more_than_goes_out_is_told_and_harms_none(void **state)
{
    (void)state;
    static const char complaint[] = " and later ones do not go out: a bridge has at most 32 topics";
    struct sl_publisher *publisher[PLACES + 1];
    dds_entity_t reader[PLACES + 1];
    unsigned left_out = 0;
    for (unsigned i = 0; i <= PLACES; i++) {
        publisher[i] = open_publisher(name_of("/t", i));
        reader[i] = side_reader(name_of("rt/t", i), IMU, (struct side_qos){0});
    }
    struct child child = bridge("--out=.* reliable");
    await_told(complaint, 1);
    for (unsigned i = 0; i <= PLACES; i++) {
        char opened[32];
        snprintf(opened, sizeof opened, "/t%u -> DDS", i);
        if (told(opened) > 0)
            goes_out(publisher[i], reader[i], i);
        else
            left_out++;
    }
    assert_int_equal(left_out, 1);
    /* what is on the bus was looked at twice since, as counters are shown before each look */
    for (uint32_t i = 1; i < 3; i++) {
        goes_out(publisher[0], reader[0], i);
        side_await_counter("/t0 -> DDS rt/t0", "sent", 1 + i);
    }
    assert_int_equal(stop(&child, SIGTERM), 0);
    assert_int_equal(told(complaint), 1);
    for (unsigned i = 0; i <= PLACES; i++)
        sl_publisher_close(publisher[i]);
}

static void one_more_than_comes_in_is_told_and_harms_none(void **state)
{
    (void)state;
    static const char complaint[] =
        " and later ones do not come in: a bridge has at most 32 topics";
    struct sl_subscriber *subscriber[PLACES + 1];
    dds_entity_t writer[PLACES + 1];
    unsigned left_out = 0;
    for (unsigned i = 0; i <= PLACES; i++) {
        subscriber[i] = open_subscriber(name_of("/t", i));
        writer[i] = side_writer(name_of("rt/t", i), IMU, (struct side_qos){0});
    }
    struct child child = bridge("--in=.*");
    await_told(complaint, 1);
    for (unsigned i = 0; i <= PLACES; i++) {
        char opened[32];
        snprintf(opened, sizeof opened, " -> /t%u (", i);
        if (told(opened) > 0)
            comes_in(writer[i], subscriber[i], i);
        else
            left_out++;
    }
    assert_int_equal(left_out, 1);
    assert_int_equal(stop(&child, SIGTERM), 0);
    assert_int_equal(told(complaint), 1);
    for (unsigned i = 0; i <= PLACES; i++)
        sl_subscriber_close(subscriber[i]);
}

/* What cannot cross -----------------------------------------------------------------------------*/

/* All places are left for others, and each is told of once. */
static void all_others_go_out(void)
{
    struct sl_publisher *publisher[PLACES];
    dds_entity_t reader[PLACES];
    dds_entity_t odd = side_reader("rt/odd0", IMU, (struct side_qos){0});
    struct child child = bridge("--out=.* reliable");
    await_told(" does not go out: ", ODD);
    for (unsigned i = 0; i < PLACES; i++) {
        publisher[i] = open_publisher(name_of("/t", i));
        reader[i] = side_reader(name_of("rt/t", i), IMU, (struct side_qos){0});
    }
    for (unsigned i = 0; i < PLACES; i++)
        goes_out(publisher[i], reader[i], i);
    side_await_writers(odd, 0); /* what is told of writers comes in order: of this one first */
    assert_int_equal(told(" does not go out: "), ODD);
    assert_int_equal(stop(&child, SIGTERM), 0);
    for (unsigned i = 0; i < PLACES; i++)
        sl_publisher_close(publisher[i]);
}

static void names_that_dds_does_not_have_take_no_place(void **state)
{
    (void)state;
    struct sl_publisher *odd[ODD];
    for (unsigned i = 0; i < ODD; i++)
        odd[i] = open_publisher(name_of("/odd-", i));
    all_others_go_out();
    for (unsigned i = 0; i < ODD; i++)
        sl_publisher_close(odd[i]);
}

/* That a publisher has all the subscribers that it allows is known when the writer in DDS is open.
 */
static void topics_that_nobody_may_join_take_no_place(void **state)
{
    (void)state;
    struct sl_publisher *odd[ODD];
    struct sl_subscriber *other[ODD];
    for (unsigned i = 0; i < ODD; i++) {
        odd[i] = open_publisher(name_of("/odd", i));
        other[i] = open_subscriber(name_of("/odd", i));
    }
    all_others_go_out();
    for (unsigned i = 0; i < ODD; i++) {
        sl_subscriber_close(other[i]);
        sl_publisher_close(odd[i]);
    }
}

static void types_that_ros_does_not_have_take_no_place(void **state)
{
    (void)state;
    const dds_topic_descriptor_t *imu = IMU;
    const dds_topic_descriptor_t odd = {.m_size = imu->m_size,
                                        .m_align = imu->m_align,
                                        .m_flagset = imu->m_flagset & ~DDS_TOPIC_XTYPES_METADATA,
                                        .m_typename = "odd::Imu-1",
                                        .m_nops = imu->m_nops,
                                        .m_ops = imu->m_ops,
                                        .m_meta = imu->m_meta};
    for (unsigned i = 0; i < ODD; i++)
        side_writer(name_of("rt/odd", i), &odd, (struct side_qos){0});
    struct child child = bridge("--in=.*");
    await_told(" does not come in: ", ODD);
    for (unsigned i = 0; i < PLACES; i++) {
        struct sl_subscriber *subscriber = open_subscriber(name_of("/t", i));
        comes_in(side_writer(name_of("rt/t", i), IMU, (struct side_qos){0}), subscriber, i);
        sl_subscriber_close(subscriber);
    }
    assert_int_equal(told(" does not come in: "), ODD);
    assert_int_equal(stop(&child, SIGTERM), 0);
}

/* It is told of once, tried again, and goes out when somebody has left. */
static void topic_that_nobody_may_join_goes_out_when_there_is_room(void **state)
{
    (void)state;
    struct sl_publisher *publisher = open_publisher("/full");
    struct sl_subscriber *other = open_subscriber("/full");
    dds_entity_t reader = side_reader("rt/full", IMU, (struct side_qos){0});
    struct child child = bridge("--out=/full reliable");
    await_told("/full does not go out: ", 1);
    sl_subscriber_close(other);
    await_told("/full -> DDS rt/full", 1);
    goes_out(publisher, reader, 1);
    assert_int_equal(told("/full does not go out: "), 1);
    assert_int_equal(stop(&child, SIGTERM), 0);
    sl_publisher_close(publisher);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, side_setup, side_teardown)
    const struct CMUnitTest tests[] = {
        CASE(one_more_than_goes_out_is_told_and_harms_none),
        CASE(one_more_than_comes_in_is_told_and_harms_none),
        CASE(names_that_dds_does_not_have_take_no_place),
        CASE(topics_that_nobody_may_join_take_no_place),
        CASE(types_that_ros_does_not_have_take_no_place),
        CASE(topic_that_nobody_may_join_goes_out_when_there_is_room),
    };
    cmocka_set_test_filter(getenv("SLUICE_TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
