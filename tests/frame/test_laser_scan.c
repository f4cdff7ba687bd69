/* SPDX-License-Identifier: Apache-2.0 */
/* sensor_msgs/msg/LaserScan. */
#include "core/frame/laser_scan.h"
#include "core/frame/schema.h"
#include "core/frame/walk.h"
#include "tests/frame/exact.h"

#include <errno.h>
#include <math.h>

/* Counted by hand: angle_min -1, angle_max 1, increment 0.5, 0, 0.125 s, 0.25 m to 2 m; 3 ranges,
 * the second infinite; 1 intensity. */
static const uint8_t bytes[] = {
    0, 1, 0,    0,                                         /*  0 encapsulation */
    1, 0, 0,    0,    2,   0,   0,    0,                   /*  4 sec, nanosec */
    4, 0, 0,    0,    'l', 'a', 's',  0,                   /* 12 frame_id */
    0, 0, 0x80, 0xbf,                                      /* 20 angle_min */
    0, 0, 0x80, 0x3f,                                      /* 24 angle_max */
    0, 0, 0,    0x3f,                                      /* 28 angle_increment */
    0, 0, 0,    0,                                         /* 32 time_increment */
    0, 0, 0,    0x3e,                                      /* 36 scan_time */
    0, 0, 0x80, 0x3e,                                      /* 40 range_min */
    0, 0, 0,    0x40,                                      /* 44 range_max */
    3, 0, 0,    0,                                         /* 48 */
    0, 0, 0x80, 0x3f, 0,   0,   0x80, 0x7f, 0, 0, 0, 0x40, /* 52 1, infinity, 2 */
    1, 0, 0,    0,                                         /* 64 */
    0, 0, 0xc8, 0x42,                                      /* 68 100 */
};

static void it_is_read_and_written_by_the_rules(void **state)
{
    (void)state;
    struct sl_laser_scan scan;
    uint8_t *exact = exact_copy(bytes, sizeof bytes), written[sizeof bytes];
    size_t size = 0, used = 0;
    assert_int_equal(sl_laser_scan_read(exact, sizeof bytes, &scan), 0);
    assert_int_equal(scan.stamp_ns, 1000000002);
    assert_true(sl_text_is(scan.frame_id, "las"));
    assert_true(scan.angle_min == -1 && scan.angle_max == 1 && scan.angle_increment == 0.5f);
    assert_true(scan.time_increment == 0 && scan.scan_time == 0.125f);
    assert_true(scan.range_min == 0.25f && scan.range_max == 2);
    assert_int_equal(scan.range_count, 3);
    assert_int_equal(scan.intensity_count, 1);
    assert_true(sl_laser_scan_range(&scan, 0) == 1 && isinf(sl_laser_scan_range(&scan, 1)));
    assert_true(sl_laser_scan_range(&scan, 2) == 2 && sl_laser_scan_intensity(&scan, 0) == 100);

    const float ranges[] = {1, INFINITY, 2}, intensities[] = {100};
    assert_int_equal(sl_laser_scan_body_size(&scan), sizeof bytes);
    assert_int_equal(
        sl_laser_scan_write(&scan, ranges, intensities, written, sizeof written, &size), 0);
    assert_int_equal(size, sizeof bytes);
    assert_memory_equal(written, bytes, sizeof bytes);
    assert_int_equal(sl_message_walk(sl_schema_find(SL_TYPE_LASER_SCAN), bytes, size, NULL, &used),
                     0);
    assert_int_equal(used, size);
    for (size_t room = 0; room < sizeof bytes; room++)
        assert_int_equal(sl_laser_scan_write(&scan, ranges, intensities, written, room, &size),
                         -ENOSPC);
    scan.stamp_ns = -1;
    assert_int_equal(
        sl_laser_scan_write(&scan, ranges, intensities, written, sizeof written, &size), -ERANGE);
    free(exact);
}

static void big_endian_bodies_are_read(void **state)
{
    (void)state;
    uint8_t big[sizeof bytes];
    struct sl_laser_scan scan;
    memcpy(big, bytes, sizeof big);
    big[1] = 0;
    for (size_t at = 4; at < sizeof big; at += 4) { /* all are words but the text at 16 */
        for (size_t i = 0; at != 16 && i < 4; i++)
            big[at + i] = bytes[at + 3 - i];
    }
    assert_int_equal(sl_laser_scan_read(big, sizeof big, &scan), 0);
    assert_true(scan.angle_min == -1 && scan.range_count == 3);
    assert_true(sl_laser_scan_range(&scan, 2) == 2 && sl_laser_scan_intensity(&scan, 0) == 100);
}

static void a_body_that_is_cut_off_is_refused(void **state)
{
    (void)state;
    struct sl_laser_scan scan;
    for (size_t size = 0; size < sizeof bytes; size++) {
        uint8_t *exact = exact_copy(bytes, size);
        assert_int_equal(sl_laser_scan_read(exact, size, &scan), -EBADMSG);
        free(exact);
    }
    uint8_t *huge = exact_copy(bytes, sizeof bytes);
    memset(huge + 48, 0xFF, 4); /* ranges */
    assert_int_equal(sl_laser_scan_read(huge, sizeof bytes, &scan), -EBADMSG);
    free(huge);
}

static void its_size_is_known_for_any_frame_id(void **state)
{
    (void)state;
    static const char name[] = "abcdefghijkl";
    const float ranges[] = {1, 2};
    for (size_t length = 0; length < sizeof name; length++) {
        const struct sl_laser_scan scan = {.frame_id = {name, length}, .range_count = 2};
        uint8_t body[128];
        size_t size = 0;
        assert_int_equal(sl_laser_scan_write(&scan, ranges, NULL, body, sizeof body, &size), 0);
        assert_int_equal(sl_laser_scan_body_size(&scan), size);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_read_and_written_by_the_rules),
        cmocka_unit_test(big_endian_bodies_are_read),
        cmocka_unit_test(a_body_that_is_cut_off_is_refused),
        cmocka_unit_test(its_size_is_known_for_any_frame_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
