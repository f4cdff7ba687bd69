/* SPDX-License-Identifier: Apache-2.0 */
/* test_velodyne_captures.c - real VLP-16 captures, against what other programs made of them. */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "tests/lidar/captures.h"

/* Points of each piece, straight from the packets: cut where a column's azimuth (or its block's
 * alone) comes over 0. */
struct pieces {
    bool is_by_block;
    double last;
    unsigned count, points[8];
};

static void count_pieces(void *context, const struct sl_datagram *datagram)
{
    struct pieces *p = context;
    if (datagram->size_bytes != 1206)
        return;
    unsigned first = sl_get_le16(datagram->bytes + 2), last = sl_get_le16(datagram->bytes + 1102);
    double column_step = (last + 36000 - first) % 36000 / 22.0;
    for (unsigned column = 0; column < 24; column++) {
        const uint8_t *block = datagram->bytes + column / 2 * 100;
        double azimuth = sl_get_le16(block + 2);
        if (!p->is_by_block)
            azimuth = fmod(azimuth + column % 2 * column_step, 36000);
        p->count += azimuth < p->last;
        p->last = azimuth;
        assert_true(p->count < 8);
        for (unsigned laser = 0; laser < 16; laser++)
            p->points[p->count] += sl_get_le16(block + 4 + (column % 2 * 16 + laser) * 3) != 0;
    }
}

static void vlp16_with_gps_is_cut_at_zero_at_the_exact_column(void **state)
{
    (void)state;
    /* MRPT's pieces are cut at blocks; twice here the second column of a block is over 0 already.
     */
    static const unsigned by_block[] = {14522, 18561, 18554, 18482, 3367};
    static const unsigned by_column[] = {14522, 18549, 18554, 18494, 3367};
    const char *name = "mrpt/sample_velodyne_vlp16_gps.pcap";
    struct pieces blocks = {.is_by_block = true}, columns = {.is_by_block = false};
    each_packet(name, count_pieces, &blocks);
    each_packet(name, count_pieces, &columns);
    assert_memory_equal(blocks.points, by_block, sizeof by_block);
    assert_memory_equal(columns.points, by_column, sizeof by_column);

    struct frames frames;
    struct lidar_decoder_config config = {0};
    struct run run = decode(name, &config, &frames);
    assert_string_equal(lidar_decoder_model(run.decoder)->name, "VLP-16");
    assert_int_equal(count_of(&run, LIDAR_PACKETS), 293);
    assert_int_equal(count_of(&run, LIDAR_TELEMETRY), 57);
    no_loss(&run);
    assert_int_equal(frames.closed, 5);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(frames.kept[i].info.valid, by_column[i]);
        assert_int_equal(frames.kept[i].info.missing, 0);
        assert_int_equal(frames.kept[i].info.partial != 0, i == 0 || i == 4);
    }
    finish(&run, &frames);
}

static void locked_gps_gives_utc_that_agrees_with_the_host_to_a_second(void **state)
{
    (void)state;
    struct frames frames;
    struct lidar_decoder_config config = {.frames.stamp = LIDAR_STAMP_SENSOR};
    struct run run = decode("mrpt/sample_velodyne_vlp16_gps.pcap", &config, &frames);
    const struct velodyne_telemetry *telemetry = lidar_decoder_telemetry(run.decoder);
    assert_int_equal(telemetry->pps, VELODYNE_PPS_LOCKED);
    assert_true(telemetry->sentence.has_utc);
    /* 2016-01-21 08:18:02 UTC by `date` */
    assert_true(telemetry->sentence.utc_ns == INT64_C(1453364282) * 1000000000);
    for (unsigned i = 1; i < frames.closed; i++) {
        const struct lidar_frame_info *info = &frames.kept[i].info;
        assert_int_equal(info->clock, LIDAR_CLOCK_GPS);
        int64_t apart = (int64_t)(info->stamp_ns - info->host_first_ns);
        assert_true(llabs(apart) < INT64_C(1000000000));
        /* the counter's own microseconds of the hour */
        assert_true(info->stamp_ns % UINT64_C(3600000000000) ==
                    (uint64_t)info->sensor_ns % UINT64_C(3600000000000));
    }
    finish(&run, &frames);
}

static void without_gps_stamps_follow_the_host_and_say_so(void **state)
{
    (void)state;
    struct frames frames;
    struct lidar_decoder_config config = {.frames.stamp = LIDAR_STAMP_SENSOR};
    struct run run = decode("veloview/vlp-16-test-90deg-1-50-frames.pcap", &config, &frames);
    for (unsigned i = 0; i < frames.closed; i++) {
        const struct lidar_frame_info *info = &frames.kept[i].info;
        assert_int_equal(info->clock, LIDAR_CLOCK_FREE_RUNNING);
        int64_t behind = (int64_t)(info->host_first_ns - info->stamp_ns);
        assert_in_range(behind, 0, 4 * 1000 * 1000);
        if (i > 0)
            assert_true(info->stamp_ns > frames.kept[i - 1].info.stamp_ns);
    }
    finish(&run, &frames);
}

/* VeloView's cut and azimuth: at the block where the azimuth wraps, all points of a column with the
 * column's own azimuth. Regrouped from our points: ranges and intensities are theirs, and the
 * packet's azimuths say where each column was. */
struct veloview {
    struct frames *frames;
    unsigned frame, row; /* of ours */
    double last_azimuth;
    unsigned pieces, counts[64];
    unsigned point; /* in the piece */
    double first[3], last[3];
    float first_intensity, last_intensity;
};

static void veloview_column(struct veloview *v, double azimuth_deg)
{
    static const double vertical[16] = {-15, -13, -11, -9, -7, -5, -3, -1,
                                        1,   3,   5,   7,  9,  11, 13, 15};
    /* VeloView keeps the order of firing, lasers 0, 1, 2 ..., which are rings 0, 8, 1, 9 ... */
    static const unsigned ring_of_laser[16] = {0, 8,  1, 9,  2, 10, 3, 11,
                                               4, 12, 5, 13, 6, 14, 7, 15};
    while (v->row >= v->frames->kept[v->frame].info.height) {
        v->frame++;
        v->row = 0;
    }
    for (unsigned laser = 0; laser < 16; laser++) {
        unsigned ring = ring_of_laser[laser];
        struct point p = frame_point(&v->frames->kept[v->frame], v->row, ring);
        if (point_is_hole(&p))
            continue;
        double range = sqrt((double)p.x * p.x + (double)p.y * p.y + (double)p.z * p.z);
        double a = azimuth_deg * 3.14159265358979323846 / 180;
        double el = vertical[ring] * 3.14159265358979323846 / 180;
        double at[3] = {range * cos(el) * sin(a), range * cos(el) * cos(a), range * sin(el)};
        if (v->pieces == 16 && v->point == 0) {
            memcpy(v->first, at, sizeof at);
            v->first_intensity = p.intensity;
        }
        if (v->pieces == 16) {
            memcpy(v->last, at, sizeof at);
            v->last_intensity = p.intensity;
        }
        v->point++;
        v->counts[v->pieces] = v->point;
    }
    v->row++;
}

static void veloview_packet(void *context, const struct sl_datagram *datagram)
{
    struct veloview *v = context;
    if (datagram->size_bytes != 1206)
        return;
    double azimuth[13];
    for (unsigned block = 0; block < 12; block++)
        azimuth[block] = sl_get_le16(datagram->bytes + block * 100 + 2) % 36000 / 100.0;
    for (unsigned block = 0; block < 12; block++) {
        unsigned from = block < 11 ? block : 10;
        double step = fmod(azimuth[from + 1] - azimuth[from] + 360, 360);
        if (azimuth[block] < v->last_azimuth) {
            v->pieces++;
            v->point = 0;
        }
        v->last_azimuth = azimuth[block];
        veloview_column(v, azimuth[block]);
        veloview_column(v, fmod(azimuth[block] + step / 2, 360));
    }
}

static void regrouped_by_block_azimuth_every_count_of_veloview_is_met(void **state)
{
    (void)state;
    const char *name = "veloview/vlp-16-test-90deg-1-50-frames.pcap";
    static const double first[3] = {0.0801272, 6.04037, -1.61865};
    static const double last[3] = {-0.0308793, 4.91453, 1.31687};
    struct frames frames;
    struct lidar_decoder_config config = {0};
    struct run run = decode(name, &config, &frames);
    assert_string_equal(lidar_decoder_model(run.decoder)->name, "VLP-16");
    assert_int_equal(count_of(&run, LIDAR_PACKETS), 1902);
    no_loss(&run);
    struct veloview v = {.frames = &frames};
    each_packet(name, veloview_packet, &v);
    assert_int_equal(v.pieces + 1, 52);
    assert_int_equal(v.counts[0], 5736);
    assert_int_equal(v.counts[2], 13898);
    assert_int_equal(v.counts[16], 13860);
    assert_int_equal(v.counts[51], 274);
    assert_true(v.first_intensity == 4 && v.last_intensity == 29);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(fabs(v.first[i] - first[i]) < 1e-3);
        assert_true(fabs(v.last[i] - last[i]) < 1e-3);
    }
    finish(&run, &frames);
}

static void early_firmware_is_told_by_its_stamps(void **state)
{
    (void)state;
    struct frames frames;
    struct lidar_decoder_config config = {0};
    struct run run = decode("rust-lidar-utils/velodyne_vlp16.pcap", &config, &frames);
    assert_string_equal(lidar_decoder_model(run.decoder)->name, "VLP-16");
    assert_int_equal(count_of(&run, LIDAR_PACKETS), 84);
    assert_int_equal(count_of(&run, LIDAR_TELEMETRY), 16);
    no_loss(&run);
    finish(&run, &frames);
    config.model = velodyne_model_find("vlp16");
    run = decode("rust-lidar-utils/velodyne_example.pcap", &config, &frames);
    assert_int_equal(count_of(&run, LIDAR_PACKETS), 84);
    no_loss(&run);
    finish(&run, &frames);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vlp16_with_gps_is_cut_at_zero_at_the_exact_column),
        cmocka_unit_test(locked_gps_gives_utc_that_agrees_with_the_host_to_a_second),
        cmocka_unit_test(without_gps_stamps_follow_the_host_and_say_so),
        cmocka_unit_test(regrouped_by_block_azimuth_every_count_of_veloview_is_met),
        cmocka_unit_test(early_firmware_is_told_by_its_stamps),
    };
    return captures_missing("velodyne") ? 77 : cmocka_run_group_tests(tests, NULL, NULL);
}
