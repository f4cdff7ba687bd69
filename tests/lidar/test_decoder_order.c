/* SPDX-License-Identifier: Apache-2.0 */
/* test_decoder_order.c - losses, order, jumps of time and of rotation, deadlines. */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/error.h"
#include "tests/lidar/decoding.h"

/* Loss and order. */

static void lost_packets_leave_holes_at_their_place(void **state)
{
    (void)state;
    struct fake_sensor sensor = fake_vlp16();
    make_reference(&sensor);
    start(&frames);
    for (unsigned n = 0; n < PACKETS_2_TURNS; n++) {
        if (n < 20 || n > 22)
            push(&sensor, n);
    }
    end();
    assert_int_equal(count_of(LIDAR_GAP), 3);
    assert_int_equal(frames.closed, reference.closed);
    const struct kept_frame *got = &frames.kept[1], *whole = &reference.kept[1];
    assert_int_equal(got->info.height, whole->info.height);
    assert_int_equal(got->info.missing, 72);
    assert_int_equal(got->info.valid, whole->info.valid - 72 * 16);
    assert_int_equal(got->info.partial, 0);
    unsigned first = 20 * 24 - reference.kept[0].info.columns;
    for (unsigned row = 0; row < got->info.height; row++) {
        for (unsigned ring = 0; ring < 16; ring++) {
            struct point a = frame_point(got, row, ring), b = frame_point(whole, row, ring);
            bool is_lost = row >= first && row < first + 72;
            assert_int_equal(point_is_hole(&a), is_lost);
            assert_int_equal(a.ring, ring);
            assert_true(fabsf(a.time - b.time) < 1.1e-6f);
            if (is_lost)
                assert_true(a.intensity == 0);
            else
                assert_memory_equal(&a, &b, offsetof(struct point, ring));
        }
    }
    drop(&frames);
    frames_finish(&reference);
}

static void cut_inside_a_loss_keeps_both_turns(void **state)
{
    (void)state;
    struct fake_sensor sensor = fake_vlp16();
    make_reference(&sensor);
    /* the cut between frames 1 and 2 lies in this packet */
    unsigned at = (reference.kept[0].info.columns + reference.kept[1].info.columns) / 24;
    for (unsigned lost = 1; lost <= 20; lost++) {
        start(&frames);
        for (unsigned n = 0; n < PACKETS_2_TURNS; n++) {
            if (n < at || n >= at + lost)
                push(&sensor, n);
        }
        end();
        assert_int_equal(frames.closed, reference.closed);
        assert_int_equal(count_of(LIDAR_GAP), lost);
        assert_int_equal(frames.kept[1].info.missing + frames.kept[2].info.missing, lost * 24);
        for (unsigned k = 1; k <= 2; k++) {
            const struct lidar_frame_info *a = &frames.kept[k].info, *b = &reference.kept[k].info;
            assert_true(abs((int)a->columns - (int)b->columns) <= 1);
            assert_int_equal(a->partial, b->partial);
            assert_true(llabs(a->sensor_ns - b->sensor_ns) <= 60000);
        }
        drop(&frames);
    }
    frames_finish(&reference);
}

static void overtaken_packets_find_their_place(void **state)
{
    (void)state;
    struct fake_sensor sensor = fake_vlp16();
    make_reference(&sensor);
    unsigned cut = (reference.kept[0].info.columns + reference.kept[1].info.columns) / 24;
    for (unsigned delay = 1; delay <= 4; delay++) {
        for (unsigned moved = cut - 3; moved <= cut + 3; moved++) {
            start(&frames);
            for (unsigned n = 0; n < PACKETS_2_TURNS; n++) {
                if (n != moved)
                    push(&sensor, n);
                if (n == moved + delay)
                    push(&sensor, moved);
            }
            end();
            assert_int_equal(count_of(LIDAR_REORDERED), 1);
            assert_int_equal(count_of(LIDAR_GAP), 1);
            assert_int_equal(count_of(LIDAR_LATE), 0);
            same_frames(&frames, 1.1e-6f);
            drop(&frames);
        }
    }
    frames_finish(&reference);
}

static void packets_that_come_too_late_are_counted(void **state)
{
    (void)state;
    struct fake_sensor sensor = fake_vlp16();
    start(&frames);
    for (unsigned n = 0; n < 90; n++) {
        if (n != 70) /* wholly of the first whole turn */
            push(&sensor, n);
        if (n == 70 + 14)
            push(&sensor, 70);
    }
    assert_int_equal(count_of(LIDAR_LATE), 1);
    assert_int_equal(frames.closed, 2);
    assert_int_equal(frames.kept[1].info.missing, 24);
    end();
    drop(&frames);
}

static void packets_that_come_twice_are_left_out(void **state)
{
    (void)state;
    struct fake_sensor sensor = fake_vlp16();
    make_reference(&sensor);
    start(&frames);
    for (unsigned n = 0; n < PACKETS_2_TURNS; n++) {
        push(&sensor, n);
        push(&sensor, n);
        if (n % 3 == 2)
            push(&sensor, n - 1);
    }
    end();
    /* copies of a frame that is done already are late */
    assert_int_equal(count_of(LIDAR_DUPLICATE) + count_of(LIDAR_LATE),
                     PACKETS_2_TURNS + PACKETS_2_TURNS / 3);
    assert_true(count_of(LIDAR_LATE) <= 4);
    assert_int_equal(count_of(LIDAR_REORDERED), 0);
    same_frames(&frames, 0);
    drop(&frames);
    frames_finish(&reference);
}

static void whole_frame_is_closed_by_the_packet_that_cuts_it(void **state)
{
    (void)state;
    struct fake_sensor sensor = fake_vlp16();
    start(&frames);
    push_range(&sensor, 0, 2);
    assert_int_equal(frames.closed, 0);
    push(&sensor, 2);
    assert_int_equal(frames.closed, 1);
    end();
    drop(&frames);
}

/* Time. */

static void stream_over_the_hour_gives_the_same_frames(void **state)
{
    (void)state;
    struct fake_sensor sensor = fake_vlp16();
    make_reference(&sensor);
    sensor.start_us = 3600e6 - 100000;
    start(&frames);
    push_range(&sensor, 0, PACKETS_2_TURNS);
    end();
    same_frames(&frames, 0);
    for (unsigned i = 1; i < frames.closed; i++) {
        int64_t step = frames.kept[i].info.sensor_ns - frames.kept[i - 1].info.sensor_ns;
        assert_true(step > 0 && step < 110000000);
        assert_true(frames.kept[i].info.stamp_ns > frames.kept[i - 1].info.stamp_ns);
    }
    drop(&frames);
    frames_finish(&reference);
}

static void stamps_beyond_the_hour_are_unwrapped(void **state)
{
    (void)state;
    struct fake_sensor sensor = fake_vlp16();
    make_reference(&sensor);
    start(&frames);
    for (unsigned n = 0; n < PACKETS_2_TURNS; n++) {
        uint8_t bytes[FAKE_PACKET_BYTES];
        sensor.start_us = 3600e6 - 100000;
        fake_packet(&sensor, n, bytes);
        /* the counter is set to zero only 60 ms after the hour */
        if (sl_get_le32(bytes + 1200) < 60000)
            sl_put_le32(bytes + 1200, sl_get_le32(bytes + 1200) + 3600000000u);
        push_bytes(bytes, sizeof bytes);
    }
    end();
    same_frames(&frames, 0);
    drop(&frames);
    frames_finish(&reference);
}

static void counter_that_jumps_back_begins_anew(void **state)
{
    (void)state;
    struct fake_sensor sensor = fake_vlp16();
    start(&frames);
    push_range(&sensor, 0, 60);
    sensor.start_us -= 500000;
    push_range(&sensor, 60, 140);
    end();
    assert_int_equal(count_of(LIDAR_RESTART_BACK), 1);
    assert_int_equal(frames.closed, 4);
    assert_int_equal(frames.kept[1].info.partial, LIDAR_PARTIAL_END);
    assert_int_equal(frames.kept[1].info.columns, 60 * 24 - 51);
    assert_int_equal(frames.kept[2].info.partial, LIDAR_PARTIAL_START);
    assert_int_equal(frames.kept[2].info.missing, 0);
    drop(&frames);
}

static void gap_of_a_turn_or_more_begins_anew(void **state)
{
    (void)state;
    struct fake_sensor sensor = fake_vlp16();
    start(&frames);
    push_range(&sensor, 0, 60);
    push_range(&sensor, 60 + 76, 60 + 76 + 20);
    end();
    assert_int_equal(count_of(LIDAR_RESTART_AHEAD), 1);
    assert_int_equal(count_of(LIDAR_GAP), 76);
    assert_int_equal(frames.kept[1].info.partial, LIDAR_PARTIAL_END);
    assert_int_equal(frames.kept[1].info.missing, 0);
    assert_int_equal(frames.kept[2].info.partial & LIDAR_PARTIAL_START, LIDAR_PARTIAL_START);
    drop(&frames);
}

static void silence_closes_the_frame_at_its_deadline(void **state)
{
    (void)state;
    struct fake_sensor sensor = fake_vlp16();
    uint8_t bytes[FAKE_PACKET_BYTES];
    uint64_t last_ns = fake_packet(&sensor, 29, bytes);
    start(&frames);
    assert_true(lidar_decoder_due_ns(decoder) == UINT64_MAX);
    push_range(&sensor, 0, 30);
    uint64_t due_ns = lidar_decoder_due_ns(decoder);
    assert_true(due_ns == last_ns + LIDAR_OVERDUE_NS);
    lidar_decoder_deadline(decoder, due_ns - 1);
    assert_int_equal(frames.closed, 1);
    lidar_decoder_deadline(decoder, due_ns);
    assert_int_equal(frames.closed, 2);
    assert_int_equal(frames.kept[1].info.partial, LIDAR_PARTIAL_END | LIDAR_PARTIAL_OVERDUE);
    assert_int_equal(count_of(LIDAR_FRAMES_OVERDUE), 1);
    assert_true(lidar_decoder_due_ns(decoder) == UINT64_MAX);
    end();
    drop(&frames);
}

/* Of five turns a second, a quarter is sent, and nothing for 150 ms. */
static void part_of_a_slow_turn_is_waited_for(void **state)
{
    (void)state;
    struct fake_sensor sensor = fake_vlp16();
    uint8_t bytes[FAKE_PACKET_BYTES];
    sensor.turn_hz = 5;
    start(&frames);
    for (unsigned n = 0; n < 1000; n++) {
        double turned_deg = n * 24 * COLUMN_DEG / 2;
        double azimuth_deg = fmod(sensor.azimuth_deg + turned_deg, 360);
        if (azimuth_deg < 90 || azimuth_deg > 180)
            continue;
        lidar_decoder_deadline(decoder, fake_packet(&sensor, n, bytes) - 1);
        push(&sensor, n);
    }
    end();
    assert_int_equal(count_of(LIDAR_FRAMES_OVERDUE), 0);
    assert_true(frames.closed >= 6);
    for (unsigned i = 1; i + 1 < frames.closed; i++)
        assert_int_equal(frames.kept[i].info.partial, 0);
    drop(&frames);
}

static void cut_frame_with_a_gap_waits_for_its_deadline_only(void **state)
{
    (void)state;
    struct fake_sensor sensor = fake_vlp16();
    uint8_t bytes[FAKE_PACKET_BYTES];
    start(&frames);
    for (unsigned n = 0; n < 79; n++) {
        if (n != 70)
            push(&sensor, n);
    }
    assert_int_equal(frames.closed, 1); /* the second one is cut in packet 77 and waits */
    uint64_t due_ns = lidar_decoder_due_ns(decoder);
    assert_true(due_ns == fake_packet(&sensor, 77, bytes) + LIDAR_LATE_WAIT_NS);
    lidar_decoder_deadline(decoder, due_ns);
    assert_int_equal(frames.closed, 2);
    assert_int_equal(frames.kept[1].info.partial, 0);
    assert_int_equal(frames.kept[1].info.missing, 24);
    end();
    drop(&frames);
}

/* Rotation. */

static void stopped_and_unbelievable_rotation_ends_the_frame(void **state)
{
    (void)state;
    static const double speeds[] = {0, 0.5, -0.5, 45, -45};
    for (unsigned i = 0; i < sizeof speeds / sizeof speeds[0]; i++) {
        struct fake_sensor sensor = fake_vlp16(), odd = sensor;
        odd.turn_hz = speeds[i];
        odd.azimuth_deg = 3600 + 100;
        start(&frames);
        push_range(&sensor, 0, 60);
        push_range(&odd, 60, 80);
        assert_int_equal(frames.closed, 2);
        assert_int_equal(frames.kept[1].info.partial, LIDAR_PARTIAL_END);
        assert_int_equal(frames.kept[1].info.columns, 60 * 24 - 51);
        push_range(&sensor, 80, 100);
        end();
        assert_int_equal(count_of(LIDAR_BAD_ROTATION), 20);
        assert_int_equal(frames.closed, 3);
        drop(&frames);
    }
}

/* From packet 60 to 90 it turns the other way; no motor does it from one packet to the next one. */
static void check_reversed(double azimuth_deg)
{
    struct fake_sensor sensor = fake_vlp16(), reversed = sensor;
    reversed.turn_hz = -10;
    reversed.azimuth_deg = azimuth_deg;
    start(&frames);
    push_range(&sensor, 0, 60);
    push_range(&reversed, 60, 75);
    assert_int_equal(frames.closed, 2);
    assert_int_equal(frames.kept[1].info.partial, LIDAR_PARTIAL_END);
    assert_int_equal(frames.kept[1].info.columns, 60 * 24 - 51);
    push_range(&reversed, 75, 90);
    push_range(&sensor, 90, 100);
    end();
    assert_int_equal(count_of(LIDAR_BAD_ROTATION), 0);
    assert_int_equal(count_of(LIDAR_RESTART_ROTATION), 2);
    assert_int_equal(count_of(LIDAR_GAP), 0);
    unsigned columns = 0;
    for (unsigned k = 0; k < frames.closed; k++) {
        columns += frames.kept[k].info.columns;
        assert_int_equal(frames.kept[k].info.missing, 0);
    }
    assert_int_equal(columns, 100 * 24);
    assert_int_equal(frames.kept[2].info.partial & LIDAR_PARTIAL_START, LIDAR_PARTIAL_START);
    struct point first = frame_point(&frames.kept[2], 0, 0);
    double degrees = azimuth_deg - 60 * 24 * COLUMN_DEG;
    double got = atan2(-(double)first.y, (double)first.x) * 180 / 3.14159265358979323846;
    assert_true(fabs(remainder(got - degrees, 360)) < 0.01);
    drop(&frames);
}

static void reversed_rotation_ends_the_frame_and_begins_one_that_goes_back(void **state)
{
    (void)state;
    check_reversed(3600 + 100);
    check_reversed(3600 - fake_vlp16().azimuth_deg); /* as far in its course, the other way */
}

static void azimuth_off_course_begins_anew(void **state)
{
    (void)state;
    struct fake_sensor sensor = fake_vlp16();
    start(&frames);
    push_range(&sensor, 0, 40);
    sensor.azimuth_deg += 40;
    push_range(&sensor, 40, 60);
    end();
    assert_int_equal(count_of(LIDAR_RESTART_ROTATION), 1);
    assert_int_equal(frames.closed, 3);
    assert_int_equal(frames.kept[1].info.partial, LIDAR_PARTIAL_END);
    drop(&frames);
}

/* A sensor that is told to send 90 ... 270 degrees only: its packets go on behind the blind half.
 * `way`: 1, or -1 if it turns counterclockwise. */
static void check_limited_field_of_view(int way)
{
    struct fake_sensor sensor = fake_vlp16();
    uint8_t bytes[FAKE_PACKET_BYTES] = {0};
    unsigned block = 0, blocks = 0;
    double azimuth = 90, time_us = 1e6;
    start(&frames);
    for (unsigned i = 0; i < 4000; i++) {
        if (azimuth >= 270) { /* the other half of the turn, in whole columns */
            azimuth += 904 * COLUMN_DEG - 360;
            time_us += 904 * COLUMN_US;
        }
        if (block == 0) {
            fake_packet(&sensor, 0, bytes);
            sl_put_le32(bytes + 1200, (uint32_t)time_us);
        }
        sl_put_le16(bytes + block * 100 + 2,
                    (uint16_t)(lround((way * azimuth + 360) * 100) % 36000));
        azimuth += 2 * COLUMN_DEG;
        time_us += 2 * COLUMN_US;
        blocks++;
        if (++block == 12) {
            push_bytes(bytes, sizeof bytes);
            block = 0;
        }
    }
    end();
    assert_int_equal(count_of(LIDAR_BAD_ROTATION), 0);
    assert_int_equal(count_of(LIDAR_RESTART_ROTATION) + count_of(LIDAR_RESTART_AHEAD), 0);
    assert_true(frames.closed >= 9);
    for (unsigned k = 1; k + 1 < frames.closed; k++) {
        const struct kept_frame *frame = &frames.kept[k];
        assert_int_equal(frame->info.partial, 0);
        assert_true(abs((int)frame->info.columns - 1808) <= 2);
        assert_true(abs((int)frame->info.missing - 904) <= 4);
        for (unsigned row = 0; row < frame->info.height; row += 7) {
            struct point p = frame_point(frame, row, 0);
            double degrees = row * COLUMN_DEG; /* the cut is at 0 */
            if (fabs(degrees - 90) > 1 && fabs(degrees - 270) > 1)
                assert_int_equal(point_is_hole(&p), degrees < 90 || degrees > 270);
            if (!point_is_hole(&p)) {
                double got = atan2(-(double)p.y, (double)p.x) * 180 / 3.14159265358979323846;
                assert_true(fabs(remainder(got - way * degrees, 360)) < 0.5);
            }
        }
    }
    drop(&frames);
}

static void limited_field_of_view_leaves_a_blind_part(void **state)
{
    (void)state;
    check_limited_field_of_view(1);
    check_limited_field_of_view(-1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lost_packets_leave_holes_at_their_place),
        cmocka_unit_test(cut_inside_a_loss_keeps_both_turns),
        cmocka_unit_test(overtaken_packets_find_their_place),
        cmocka_unit_test(packets_that_come_too_late_are_counted),
        cmocka_unit_test(packets_that_come_twice_are_left_out),
        cmocka_unit_test(whole_frame_is_closed_by_the_packet_that_cuts_it),
        cmocka_unit_test(stream_over_the_hour_gives_the_same_frames),
        cmocka_unit_test(stamps_beyond_the_hour_are_unwrapped),
        cmocka_unit_test(counter_that_jumps_back_begins_anew),
        cmocka_unit_test(gap_of_a_turn_or_more_begins_anew),
        cmocka_unit_test(silence_closes_the_frame_at_its_deadline),
        cmocka_unit_test(part_of_a_slow_turn_is_waited_for),
        cmocka_unit_test(cut_frame_with_a_gap_waits_for_its_deadline_only),
        cmocka_unit_test(stopped_and_unbelievable_rotation_ends_the_frame),
        cmocka_unit_test(reversed_rotation_ends_the_frame_and_begins_one_that_goes_back),
        cmocka_unit_test(azimuth_off_course_begins_anew),
        cmocka_unit_test(limited_field_of_view_leaves_a_blind_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
