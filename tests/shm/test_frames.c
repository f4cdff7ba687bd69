/* SPDX-License-Identifier: Apache-2.0 */
/* test_frames.c - reading what is held: scans and copies, whatever memory the frame lies in. */
#include "tests/shm/support.h"

#include "core/shm/subscriber.h"
#include "core/uncached/stream.h"

#include <stdlib.h>
#include <string.h>

#define LARGE (2 * SL_STREAM_MIN_BYTES + 1234)

struct ends {
    struct sl_publisher *publisher;
    struct sl_subscriber *subscriber;
};

static struct ends open_ends(void)
{
    struct ends e;
    e.publisher = publisher_of(
        (struct sl_publisher_options){.slot_size = LARGE, .side_size = 256, .inline_max = 448});
    e.subscriber = subscriber_of((struct sl_subscriber_options){0});
    return e;
}

static void close_ends(struct ends *e)
{
    sl_subscriber_close(e->subscriber);
    sl_publisher_close(e->publisher);
}

/* A body of that size, whose data begins behind a header. */
static void publish_with_data(struct ends *e, size_t length, uint32_t header)
{
    struct sl_loan loan;
    assert_ok(sl_publisher_loan(e->publisher, &loan));
    pattern_fill(loan.data, length, length);
    struct sl_message message = {.stamp_ns = length,
                                 .body_length = (uint32_t)length,
                                 .data_offset = header,
                                 .data_length = header ? (uint32_t)length - header : 0};
    assert_ok(sl_publisher_publish(e->publisher, &loan, &message));
}

static void check_scan(const struct sl_frame *f, const unsigned char *expected, size_t length,
                       size_t unit)
{
    struct sl_frame_scan scan;
    size_t seen = 0;
    assert_ok(sl_frame_scan_begin(f, unit, &scan));
    while (sl_frame_scan_next(&scan)) {
        assert_int_equal(scan.offset, seen);
        assert_true(seen + scan.chunk_length <= length);
        assert_memory_equal(scan.chunk, expected + seen, scan.chunk_length);
        seen += scan.chunk_length;
        assert_true(seen == length || scan.chunk_length % unit == 0);
    }
    assert_int_equal(seen, length);
    assert_false(sl_frame_scan_next(&scan));
}

/* There is no uncached memory everywhere; its instructions read any. */
static void frames_are_scanned_whole_whatever_their_memory(void **state)
{
    (void)state;
    struct ends e = open_ends();
    unsigned char *expected = malloc(LARGE);
    for (enum sl_memory_kind kind = SL_MEMORY_UNKNOWN; kind <= SL_MEMORY_UC; kind++) {
        for (size_t length = 1000; length <= LARGE; length += LARGE - 1000) {
            publish_with_data(&e, length, 72);
            struct sl_frame f;
            take(e.subscriber, &f);
            enum sl_memory_kind own = f.link->pool.kind;
            f.link->pool.kind = kind;
            pattern_fill(expected, length, length);
            check_scan(&f, expected + 72, length - 72, 1);
            check_scan(&f, expected + 72, length - 72, 22);
            check_scan(&f, expected + 72, length - 72, 5760);
            check_frame(&f); /* nothing was changed by reading it */
            f.link->pool.kind = own;
            sl_frame_release(&f);
        }
    }
    free(expected);
    close_ends(&e);
}

static void frames_are_copied_whole_and_in_parts_whatever_their_memory(void **state)
{
    (void)state;
    struct ends e = open_ends();
    unsigned char *expected = malloc(LARGE), *copy = malloc(LARGE + 64);
    for (enum sl_memory_kind kind = SL_MEMORY_UNKNOWN; kind <= SL_MEMORY_UC; kind++) {
        publish_with_data(&e, LARGE, 72);
        struct sl_frame f;
        take(e.subscriber, &f);
        enum sl_memory_kind own = f.link->pool.kind;
        f.link->pool.kind = kind;
        pattern_fill(expected, LARGE, LARGE);
        memset(copy, 0, LARGE + 64);
        assert_int_equal(sl_frame_copy(&f, 0, copy, LARGE + 64), LARGE);
        assert_memory_equal(copy, expected, LARGE);
        for (size_t offset = 0; offset < 200; offset++) {
            assert_int_equal(sl_frame_copy(&f, offset * 37, copy, 3 * offset), 3 * offset);
            assert_memory_equal(copy, expected + offset * 37, 3 * offset);
        }
        f.link->pool.kind = own;
        sl_frame_release(&f);
    }
    free(expected);
    free(copy);
    close_ends(&e);
}

static void body_is_scanned_where_no_data_is_named(void **state)
{
    (void)state;
    struct ends e = open_ends();
    unsigned char expected[1000];
    pattern_fill(expected, sizeof expected, sizeof expected);
    publish_with_data(&e, sizeof expected, 0);
    struct sl_frame f;
    take(e.subscriber, &f);
    check_scan(&f, expected, sizeof expected, 8);
    struct sl_frame_scan scan;
    assert_int_equal(sl_frame_scan_begin(&f, 0, &scan), -EINVAL);
    assert_int_equal(sl_frame_scan_begin(&f, SL_SCAN_UNIT + 1, &scan), -EINVAL);
    sl_frame_release(&f);
    pattern_fill(expected, 100, 9);
    struct sl_message inlined = {.stamp_ns = 9};
    assert_ok(sl_publisher_publish_inline(e.publisher, expected, 100, &inlined));
    take(e.subscriber, &f);
    check_scan(&f, expected, 100, 8);
    sl_frame_release(&f);
    close_ends(&e);
}

static void body_in_pieces_without_data_is_not_scanned(void **state)
{
    (void)state;
    struct ends e = open_ends();
    struct sl_loan loan;
    assert_ok(sl_publisher_loan(e.publisher, &loan));
    const struct sl_range ranges[] = {{SL_AREA_SIDE, 0, 10}, {SL_AREA_SLOT, 0, 10}};
    struct sl_message message = {.ranges = ranges, .range_count = 2};
    assert_ok(sl_publisher_publish(e.publisher, &loan, &message));
    struct sl_frame f;
    await(sl_subscriber_take(e.subscriber, &f) == 0);
    struct sl_frame_scan scan;
    assert_int_equal(sl_frame_scan_begin(&f, 1, &scan), -ENODATA);
    assert_has(sl_error_text(), "in pieces");
    sl_frame_release(&f);
    close_ends(&e);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, shm_setup, shm_teardown)
    const struct CMUnitTest tests[] = {
        TEST(frames_are_scanned_whole_whatever_their_memory),
        TEST(frames_are_copied_whole_and_in_parts_whatever_their_memory),
        TEST(body_is_scanned_where_no_data_is_named),
        TEST(body_in_pieces_without_data_is_not_scanned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
