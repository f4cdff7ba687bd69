/* SPDX-License-Identifier: Apache-2.0 */
/* test_decoder.c - datagrams in, frames out: points, cuts, returns, memory, and bad input. */
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

/* Points by hand. */

static void set_element(uint8_t *packet, unsigned block, unsigned firing, unsigned laser,
                        uint16_t raw, uint8_t intensity)
{
    uint8_t *at = packet + block * 100 + 4 + (firing * 16 + laser) * 3;
    sl_put_le16(at, raw);
    at[2] = intensity;
}

/* Blocks 0.4 degrees apart from 90 degrees on, so 40 units in 110.592 us; everything else is empty.
 */
static void three_packets_give_the_points_computed_by_hand(void **state)
{
    (void)state;
    static const struct {
        unsigned row, ring;
        double x, y, z, time;
        float intensity;
    } expected[] = {
        /* packet 0, block 0, firing 0, laser 0: 10 m at azimuth 90.000000, elevation -15 */
        {0, 0, 0.000000, -9.659258, -2.588190, 0.000000000, 50},
        /* packet 0, block 11, firing 1, laser 15: 60 m at azimuth 94.725000, elevation 15 */
        {23, 15, -4.773994, -57.758590, 15.529143, 0.001306368, 255},
        /* packet 1, block 5, firing 1, laser 6: 24.69 m at azimuth 97.050000, elevation -9 */
        {35, 3, -2.993030, -24.201653, -3.862367, 0.001949080, 200},
        /* packet 2, block 0, firing 0, laser 9: 0.002 m at azimuth 99.675000, elevation 9 */
        {48, 12, -0.000332, -0.001947, 0.000313, 0.002674736, 1},
        /* packet 2, block 11, firing 1, laser 7: 131.07 m at azimuth 104.258333, elevation 7 */
        {71, 11, -32.041165, -126.085521, 15.973415, 0.003941936, 0},
    };
    static const uint32_t stamps[3] = {0, 1327, 2654};
    uint8_t packets[3][FAKE_PACKET_BYTES] = {0};
    for (unsigned p = 0; p < 3; p++) {
        for (unsigned block = 0; block < 12; block++) {
            sl_put_le16(packets[p] + block * 100, 0xEEFF);
            sl_put_le16(packets[p] + block * 100 + 2, (uint16_t)(9000 + 40 * (12 * p + block)));
        }
        sl_put_le32(packets[p] + 1200, stamps[p]);
        packets[p][1204] = 0x37;
        packets[p][1205] = 0x22;
    }
    set_element(packets[0], 0, 0, 0, 5000, 50);
    set_element(packets[0], 11, 1, 15, 30000, 255);
    set_element(packets[1], 5, 1, 6, 12345, 200);
    set_element(packets[2], 0, 0, 9, 1, 1);
    set_element(packets[2], 11, 1, 7, 65535, 0);
    start(&frames);
    for (unsigned p = 0; p < 3; p++)
        push_bytes(packets[p], sizeof packets[p]);
    end();
    assert_int_equal(frames.closed, 1);
    assert_int_equal(frames.kept[0].info.width, 16);
    assert_int_equal(frames.kept[0].info.height, 72);
    assert_int_equal(frames.kept[0].info.valid, 5);
    unsigned holes = 0;
    for (unsigned row = 0; row < 72; row++) {
        for (unsigned ring = 0; ring < 16; ring++) {
            struct point p = frame_point(&frames.kept[0], row, ring);
            assert_int_equal(p.ring, ring);
            holes += point_is_hole(&p);
        }
    }
    assert_int_equal(holes, 72 * 16 - 5);
    for (unsigned i = 0; i < 5; i++) {
        struct point p = frame_point(&frames.kept[0], expected[i].row, expected[i].ring);
        assert_true(fabs((double)p.x - expected[i].x) < 2e-5);
        assert_true(fabs((double)p.y - expected[i].y) < 2e-5);
        assert_true(fabs((double)p.z - expected[i].z) < 2e-5);
        assert_true(fabs((double)p.time - expected[i].time) < 1e-9);
        assert_true(p.intensity == expected[i].intensity);
    }
    drop(&frames);
}

/* Cutting. */

static void frame_is_cut_at_the_exact_column(void **state)
{
    (void)state;
    static const double cuts[] = {0, 123.45, 359.99, 360};
    for (unsigned i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        struct fake_sensor sensor = fake_vlp16();
        struct lidar_decoder_config config = {.frames.cut_angle_deg = cuts[i]};
        start_with(&frames, &config, ROOM_BYTES);
        push_range(&sensor, 0, 2 * PACKETS_2_TURNS);
        end();
        unsigned row = 0; /* of the stream */
        double to_cut = fmod(cuts[i] - sensor.azimuth_deg + 720, 360);
        for (unsigned k = 0; k < frames.closed; k++) {
            const struct lidar_frame_info *info = &frames.kept[k].info;
            unsigned next = (unsigned)ceil((to_cut + 360 * k) / COLUMN_DEG);
            if (k + 1 == frames.closed)
                next = 2 * PACKETS_2_TURNS * 24;
            assert_int_equal(info->columns, next - row);
            assert_int_equal(info->height, next - row);
            assert_int_equal(info->missing, 0);
            assert_int_equal(info->valid, info->height * 16);
            assert_int_equal(info->partial, k == 0                   ? LIDAR_PARTIAL_START
                                            : k + 1 == frames.closed ? LIDAR_PARTIAL_END
                                                                     : 0);
            struct point p = frame_point(&frames.kept[k], 0, 0);
            assert_true(p.time >= 0 && p.time < 1e-6f);
            row = next;
        }
        assert_int_equal(frames.closed, 6);
        assert_int_equal(count_of(LIDAR_FRAMES), 6);
        assert_int_equal(count_of(LIDAR_FRAMES_PARTIAL), 2);
        drop(&frames);
    }
}

static void azimuth_and_time_of_every_point_are_its_own(void **state)
{
    (void)state;
    struct fake_sensor sensor = fake_vlp16();
    start(&frames);
    push_range(&sensor, 0, PACKETS_2_TURNS);
    end();
    const struct kept_frame *frame = &frames.kept[1];
    double first_us = ceil(10 / COLUMN_DEG) * COLUMN_US;
    for (unsigned row = 0; row < frame->info.height; row++) {
        for (unsigned ring = 0; ring < 16; ring++) {
            struct point p = frame_point(frame, row, ring);
            unsigned laser = ring < 8 ? 2 * ring : 2 * (ring - 8) + 1;
            double since_us = row * COLUMN_US + 2.304 * laser;
            double azimuth = 350 + (first_us + since_us) * 360e-5;
            double got = atan2(-(double)p.y, (double)p.x) * 180 / 3.14159265358979323846;
            /* azimuths on the wire are rounded to 0.01 degrees */
            assert_true(fabs(remainder(got - azimuth, 360)) < 0.015);
            /* stamps on the wire are whole microseconds */
            assert_true(fabs((double)p.time * 1e6 - since_us) < 1.01);
        }
    }
    drop(&frames);
}

static void every_speed_of_rotation_gives_whole_turns(void **state)
{
    (void)state;
    for (double hz = 5; hz <= 20; hz += 0.73) {
        for (unsigned mode = 0x37; mode <= 0x39; mode += 2) {
            struct fake_sensor sensor = fake_vlp16();
            struct lidar_decoder_config config = {0};
            unsigned returns = mode == 0x39 ? 2 : 1;
            sensor.turn_hz = hz;
            sensor.mode = (uint8_t)mode;
            start_with(&frames, &config, lidar_frame_bytes_max(velodyne_models[0], returns));
            push_range(&sensor, 0, (unsigned)(3 * 753.5 * returns / hz));
            end();
            assert_int_equal(frames.closed, 4);
            assert_int_equal(count_of(LIDAR_FRAMES_OVERFLOW), 0);
            assert_int_equal(count_of(LIDAR_GAP), 0);
            for (unsigned k = 1; k < 3; k++) {
                const struct lidar_frame_info *info = &frames.kept[k].info;
                assert_int_equal(info->partial, 0);
                assert_int_equal(info->missing, 0);
                assert_int_equal(info->valid, info->columns * 16);
                assert_true(fabs(info->columns - 1e6 / hz / COLUMN_US) <= 1);
            }
            drop(&frames);
        }
    }
}

static void changing_speed_loses_nothing(void **state)
{
    (void)state;
    struct fake_sensor sensor = fake_vlp16();
    double azimuth = 10;
    start(&frames);
    for (unsigned n = 0; n < 1500; n++) {
        uint8_t bytes[FAKE_PACKET_BYTES];
        sensor.turn_hz = 5 + 15.0 * n / 1500;
        sensor.azimuth_deg = azimuth - n * 1327.104e-6 * sensor.turn_hz * 360;
        sensor.azimuth_deg = fmod(sensor.azimuth_deg, 360) + 360;
        fake_packet(&sensor, n, bytes);
        azimuth = fmod(azimuth + 1327.104e-6 * sensor.turn_hz * 360, 360);
        push_bytes(bytes, sizeof bytes);
    }
    end();
    unsigned columns = 0;
    for (unsigned k = 0; k < frames.closed; k++) {
        columns += frames.kept[k].info.columns;
        assert_int_equal(frames.kept[k].info.missing, 0);
    }
    assert_int_equal(columns, 1500 * 24);
    assert_true(frames.closed >= 23 && frames.closed <= 27);
    drop(&frames);
}

/* Two returns. */

static void second_return_stands_in_the_second_half_and_equal_ones_once(void **state)
{
    (void)state;
    struct fake_sensor sensor = fake_vlp16();
    struct lidar_decoder_config config = {0};
    uint8_t bytes[FAKE_PACKET_BYTES];
    sensor.mode = 0x39;
    sensor.azimuth_deg = 0;
    start_with(&frames, &config, 2 * ROOM_BYTES);
    for (unsigned n = 0; n < 320; n++) {
        fake_packet(&sensor, n, bytes);
        for (unsigned block = 1; block < 12; block += 2) {
            for (unsigned laser = 0; laser < 8; laser++) /* rings 0, 8, 1, 9, 2, 10, 3, 11 */
                set_element(bytes, block, 0, laser, 2500, 100);
            set_element(bytes, block, 1, 0, 5000, 99); /* another intensity is another return */
            set_element(bytes, block, 1, 1, 0, 0);
        }
        push_bytes(bytes, sizeof bytes);
    }
    end();
    const struct kept_frame *frame = &frames.kept[0];
    const struct lidar_frame_info *info = &frame->info;
    assert_int_equal(info->returns, 2);
    assert_int_equal(info->partial, 0);
    assert_int_equal(info->columns, 1809);
    unsigned half = info->height / 2;
    assert_true(half >= 1809 && half <= 1809 + 1809 / 32 + 4);
    unsigned valid = 0;
    for (unsigned row = 0; row < half; row++) {
        for (unsigned ring = 0; ring < 16; ring++) {
            struct point first = frame_point(frame, row, ring);
            struct point second = frame_point(frame, half + row, ring);
            bool is_turn = row < 1809;
            bool is_second = row % 2 == 0 ? ring % 8 < 4 : ring == 0;
            assert_int_equal(point_is_hole(&first), !is_turn);
            assert_int_equal(point_is_hole(&second), !(is_turn && is_second));
            assert_int_equal(first.ring, ring);
            assert_int_equal(second.ring, ring);
            assert_true(first.time == second.time && first.time >= 0);
            if (is_turn && is_second)
                assert_true(fabsf(second.z * (row % 2 == 0 ? 2 : 1) - first.z) < 1e-5f);
            valid += is_turn + (is_turn && is_second);
        }
    }
    assert_int_equal(info->valid, valid);
    drop(&frames);
}

static void change_of_return_mode_begins_anew(void **state)
{
    (void)state;
    struct fake_sensor sensor = fake_vlp16();
    struct lidar_decoder_config config = {0};
    start_with(&frames, &config, 2 * ROOM_BYTES);
    push_range(&sensor, 0, 50);
    sensor.mode = 0x39;
    push_range(&sensor, 100, 150);
    end();
    assert_int_equal(count_of(LIDAR_RESTART_MODE), 1);
    assert_int_equal(frames.closed, 3); /* cut, changed, ended */
    assert_int_equal(frames.kept[1].info.returns, 1);
    assert_int_equal(frames.kept[1].info.partial, LIDAR_PARTIAL_END);
    assert_int_equal(frames.kept[2].info.returns, 2);
    assert_int_equal(frames.kept[2].info.partial, LIDAR_PARTIAL_START | LIDAR_PARTIAL_END);
    drop(&frames);
}

/* Memory. */

static void frame_that_does_not_fit_is_ended_and_counted(void **state)
{
    (void)state;
    struct fake_sensor sensor = fake_vlp16();
    struct lidar_decoder_config config = {0};
    const size_t rows[] = {2, 5, 1000};
    for (unsigned i = 0; i < 3; i++) {
        start_with(&frames, &config, rows[i] * 16 * 22);
        push_range(&sensor, 0, i == 2 ? 140 : 4);
        end();
        unsigned columns = 0;
        for (unsigned k = 0; k < frames.closed; k++) {
            assert_true(frames.kept[k].info.height <= rows[i]);
            columns += frames.kept[k].info.columns;
        }
        assert_int_equal(columns, (i == 2 ? 140 : 4) * 24);
        assert_true(count_of(LIDAR_FRAMES_OVERFLOW) >= 1);
        drop(&frames);
    }
}

static void frame_without_room_is_dropped_and_the_next_one_whole(void **state)
{
    (void)state;
    struct fake_sensor sensor = fake_vlp16();
    make_reference(&sensor);
    start(&frames);
    frames.refuse = 1;
    push_range(&sensor, 0, PACKETS_2_TURNS);
    end();
    assert_int_equal(count_of(LIDAR_FRAMES_DROPPED), 1);
    assert_int_equal(frames.closed, reference.closed - 1);
    assert_memory_equal(frames.kept[0].data, reference.kept[1].data,
                        frames.kept[0].info.size_bytes);
    drop(&frames);
    frames_finish(&reference);
}

/* Bad packets. */

static void bad_packets_are_counted_and_change_nothing(void **state)
{
    (void)state;
    struct fake_sensor sensor = fake_vlp16();
    uint8_t bytes[FAKE_PACKET_BYTES + 10];
    make_reference(&sensor);
    start(&frames);
    for (unsigned n = 0; n < PACKETS_2_TURNS; n++) {
        memset(bytes, 0, sizeof bytes);
        fake_packet(&sensor, n, bytes);
        push_bytes(bytes, 1205);
        push_bytes(bytes, 512); /* half a data packet is no telemetry */
        push_bytes(bytes, 0);
        push_bytes(bytes, 1216);
        bytes[300] ^= 1;
        push_bytes(bytes, 1206);
        bytes[300] ^= 1;
        sl_put_le16(bytes + 702, 40000);
        push_bytes(bytes, 1206);
        fake_packet(&sensor, n, bytes);
        bytes[1204] = 0;
        push_bytes(bytes, 1206);
        fake_packet(&sensor, n, bytes);
        bytes[1205] = 0x24;
        if (n > 10)
            push_bytes(bytes, 1206);
        push(&sensor, n);
    }
    end();
    assert_int_equal(count_of(LIDAR_BAD_SHORT), 3 * PACKETS_2_TURNS);
    assert_int_equal(count_of(LIDAR_BAD_LONG), PACKETS_2_TURNS);
    assert_int_equal(count_of(LIDAR_BAD_FLAG), PACKETS_2_TURNS);
    assert_int_equal(count_of(LIDAR_BAD_AZIMUTH), PACKETS_2_TURNS);
    assert_int_equal(count_of(LIDAR_BAD_RETURN_MODE), PACKETS_2_TURNS);
    assert_int_equal(count_of(LIDAR_OTHER_MODEL), PACKETS_2_TURNS - 11);
    assert_int_equal(count_of(LIDAR_PACKETS), PACKETS_2_TURNS);
    same_frames(&frames, 0);
    drop(&frames);
    frames_finish(&reference);
}

static void model_that_contradicts_the_packets_is_told_with_both_names(void **state)
{
    (void)state;
    struct fake_sensor sensor = fake_vlp16();
    struct lidar_decoder_config config = {.model = velodyne_model_find("puck-hi-res")};
    start_with(&frames, &config, ROOM_BYTES);
    push_range(&sensor, 0, 2);
    assert_int_equal(fake_push(&sensor, 2, decoder), -EPROTO);
    assert_non_null(strstr(sl_error_text(), "Puck Hi-Res"));
    assert_non_null(strstr(sl_error_text(), "VLP-16"));
    assert_int_equal(fake_push(&sensor, 3, decoder), -EPROTO);
    assert_int_equal(frames.opened, 0);
    drop(&frames);
}

static void puck_lite_reads_the_packets_of_a_vlp16(void **state)
{
    (void)state;
    struct fake_sensor sensor = fake_vlp16();
    struct lidar_decoder_config config = {.model = velodyne_model_find("puck lite")};
    make_reference(&sensor);
    start_with(&frames, &config, ROOM_BYTES);
    push_range(&sensor, 0, PACKETS_2_TURNS);
    end();
    assert_string_equal(lidar_decoder_model(decoder)->name, "Puck LITE");
    same_frames(&frames, 0);
    drop(&frames);
    frames_finish(&reference);
}

static void sensor_that_has_to_be_named_is_refused_by_name(void **state)
{
    (void)state;
    const struct {
        uint8_t product_id;
        size_t room_bytes;
        const char *text;
    } cases[] = {
        {0x23, 0, "VLP-32"}, /* A or B */
        {0x28, lidar_frame_bytes_max(velodyne_models[0], 1), "VLP-32C"},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fake_sensor sensor = fake_vlp16();
        struct lidar_decoder_config config = {.room_bytes = cases[i].room_bytes};
        start_with(&frames, &config, ROOM_BYTES);
        sensor.product_id = cases[i].product_id;
        int err = 0;
        for (unsigned n = 0; n < 20 && err == 0; n++)
            err = fake_push(&sensor, n, decoder);
        assert_int_equal(err, -EPROTONOSUPPORT);
        assert_non_null(strstr(sl_error_text(), cases[i].text));
        assert_int_equal(lidar_decoder_flush(decoder), -EPROTONOSUPPORT);
        drop(&frames);
    }
}

static void stream_too_short_to_tell_its_model(void **state)
{
    (void)state;
    struct fake_sensor sensor = fake_vlp16();
    start(&frames);
    push_range(&sensor, 0, 2);
    assert_int_equal(lidar_decoder_flush(decoder), -ENODATA);
    drop(&frames);
    struct lidar_decoder_config config = {.model = velodyne_model_find("vlp-16")};
    start_with(&frames, &config, ROOM_BYTES);
    push_range(&sensor, 0, 2);
    end();
    assert_int_equal(frames.closed, 1);
    assert_int_equal(frames.kept[0].info.columns, 48);
    drop(&frames);
}

static void configuration_that_makes_no_sense_is_refused(void **state)
{
    (void)state;
    struct lidar_frame_sink sink = frames_sink(&frames);
    const struct lidar_decoder_config bad[] = {
        {.frames.cut_angle_deg = -1},
        {.frames.cut_angle_deg = 361},
        {.frames.cut_angle_deg = (double)NAN},
        {.frames.block.range_min_m = -1},
        {.frames.block.range_min_m = 5, .frames.block.range_max_m = 4},
    };
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(lidar_decoder_create(&bad[i], &sink, &decoder), -EINVAL);
    lidar_decoder_destroy(NULL);
}

static void instruction_sets_that_are_absent_are_refused_with_what_there_is(void **state)
{
    (void)state;
    struct lidar_frame_sink sink = frames_sink(&frames);
    unsigned refused = 0;
    for (enum lidar_simd simd = LIDAR_SIMD_AUTO; simd < LIDAR_SIMDS; simd++) {
        const struct lidar_decoder_config config = {.simd = simd};
        int err = lidar_decoder_create(&config, &sink, &decoder);
        if (lidar_simd_is_supported(simd)) {
            assert_int_equal(err, 0);
            lidar_decoder_destroy(decoder);
            continue;
        }
        assert_int_equal(err, -ENOTSUP);
        assert_non_null(strstr(sl_error_text(), lidar_simd_names[simd]));
        assert_non_null(strstr(sl_error_text(), "scalar"));
        refused++;
    }
    assert_true(refused > 0); /* no processor has both AVX-512 and NEON */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_packets_give_the_points_computed_by_hand),
        cmocka_unit_test(frame_is_cut_at_the_exact_column),
        cmocka_unit_test(azimuth_and_time_of_every_point_are_its_own),
        cmocka_unit_test(every_speed_of_rotation_gives_whole_turns),
        cmocka_unit_test(changing_speed_loses_nothing),
        cmocka_unit_test(second_return_stands_in_the_second_half_and_equal_ones_once),
        cmocka_unit_test(change_of_return_mode_begins_anew),
        cmocka_unit_test(frame_that_does_not_fit_is_ended_and_counted),
        cmocka_unit_test(frame_without_room_is_dropped_and_the_next_one_whole),
        cmocka_unit_test(bad_packets_are_counted_and_change_nothing),
        cmocka_unit_test(model_that_contradicts_the_packets_is_told_with_both_names),
        cmocka_unit_test(puck_lite_reads_the_packets_of_a_vlp16),
        cmocka_unit_test(sensor_that_has_to_be_named_is_refused_by_name),
        cmocka_unit_test(stream_too_short_to_tell_its_model),
        cmocka_unit_test(configuration_that_makes_no_sense_is_refused),
        cmocka_unit_test(instruction_sets_that_are_absent_are_refused_with_what_there_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
