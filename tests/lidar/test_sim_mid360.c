/* SPDX-License-Identifier: Apache-2.0 */
/* test_sim_mid360.c - the simulated Mid-360: its bytes at places that were worked out by hand, and
 * its points, decoded, against the scene.
 */
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
#include "drivers/lidar/livox.h"
#include "drivers/lidar/sim/sim.h"
#include "tests/lidar/frames.h"

#define START_NS   UINT64_C(1700000000123456789)
#define MS         UINT64_C(1000000)
#define ROOM_BYTES ((size_t)260 * 96 * 22)
#define DEGREES    (180 / 3.14159265358979323846)

static struct frames frames;
static struct lidar_decoder *decoder;
static unsigned imu_count;
static enum lidar_clock_kind clock_kind = LIDAR_CLOCK_GPS; /* of the IMU's stamps */

static void config_of(struct lidar_sim_config *config)
{
    lidar_sim_config_of(LIDAR_SIM_MID360, config);
    config->start_utc_ns = START_NS;
}

static void packet_of(const struct lidar_sim_config *config, unsigned number,
                      struct lidar_sim_packet *packet)
{
    struct lidar_sim *sim = NULL;
    assert_int_equal(lidar_sim_create(config, &sim), 0);
    for (unsigned i = 0; i <= number; i++)
        assert_int_equal(lidar_sim_next(sim, packet), 1);
    lidar_sim_destroy(sim);
}

static void packet_is_as_the_protocol_says(void **state)
{
    (void)state;
    struct lidar_sim_config config;
    struct lidar_sim_packet packet;
    config_of(&config);
    config.telemetry_every = 0;
    /* An empty cube whose walls are 10 m away. */
    config.scene = (struct lidar_scene){.room_min = {-10, -10, -10}, .room_max = {10, 10, 10}};
    packet_of(&config, 3, &packet);
    assert_int_equal(packet.size_bytes, 36 + 96 * 14);
    assert_int_equal(packet.bytes[0], 0);
    assert_int_equal(sl_get_le16(packet.bytes + 1), 1380);
    assert_int_equal(sl_get_le16(packet.bytes + 3), 4800);
    assert_int_equal(sl_get_le16(packet.bytes + 5), 96);
    assert_int_equal(sl_get_le16(packet.bytes + 7), 3);
    assert_int_equal(packet.bytes[10], 1);
    assert_int_equal(packet.bytes[11], 2);
    assert_true(sl_get_le64(packet.bytes + 28) == START_NS + 3 * 480000);
    /* Laser 0 at first looks straight ahead, 22.5 degrees up, where the middle of its field is:
     * 10 tan(22.5) = 4.142 m. */
    packet_of(&config, 0, &packet);
    assert_int_equal(sl_get_le32(packet.bytes + 36), 10000);
    assert_int_equal(sl_get_le32(packet.bytes + 40), 0);
    assert_int_equal(sl_get_le32(packet.bytes + 44), 4142);
    /* Laser 1 looks to the right, and up as far as it can: 52 degrees and the ceiling: 7.813 m. */
    assert_true(abs((int32_t)sl_get_le32(packet.bytes + 54) + 7813) <= 2);
    assert_int_equal(sl_get_le32(packet.bytes + 58), 10000);
}

static void clock_that_nobody_set_says_so(void **state)
{
    (void)state;
    struct lidar_sim_config config;
    struct lidar_sim_packet packet;
    config_of(&config);
    config.gps = false;
    packet_of(&config, 2, &packet);
    assert_int_equal(packet.bytes[11], 0);
    assert_true(sl_get_le64(packet.bytes + 28) == 2 * 480000);
}

static void two_returns_are_refused(void **state)
{
    (void)state;
    struct lidar_sim_config config;
    struct lidar_sim *sim = NULL;
    config_of(&config);
    config.return_mode = LIDAR_SIM_DUAL;
    assert_int_equal(lidar_sim_create(&config, &sim), -EINVAL);
    assert_non_null(strstr(sl_error_text(), "Mid-360"));
}

/* Through the decoder. */

static void take_imu(void *context, const struct lidar_imu *imu)
{
    (void)context;
    assert_true(fabs(imu->acceleration[2] - 9.80665) < 1e-6);
    assert_true(imu->acceleration[0] == 0 && imu->rate[2] == 0);
    assert_int_equal(imu->clock, clock_kind);
    imu_count++;
}

static void run(const struct lidar_sim_config *sim_config, struct lidar_sim_counts *ret_counts)
{
    const struct lidar_decoder_config config = {
        .livox = {.model = livox_model_find("mid-360"),
                  .period_ns = 100 * MS,
                  .checks_crc = true,
                  .imu = {.take = take_imu}},
    };
    struct lidar_frame_sink sink = frames_sink(&frames);
    struct lidar_sim_packet packet;
    struct lidar_sim *sim = NULL;
    imu_count = 0;
    frames_init(&frames, ROOM_BYTES);
    assert_int_equal(lidar_decoder_create(&config, &sink, &decoder), 0);
    assert_int_equal(lidar_sim_create(sim_config, &sim), 0);
    while (lidar_sim_next(sim, &packet) > 0) {
        const struct sl_datagram datagram = {.bytes = packet.bytes,
                                             .size_bytes = packet.size_bytes,
                                             .time_ns = START_NS + packet.due_ns};
        assert_int_equal(lidar_decoder_push(decoder, &datagram), 0);
    }
    assert_int_equal(lidar_decoder_flush(decoder), 0);
    lidar_sim_counts(sim, ret_counts);
    lidar_sim_destroy(sim);
}

static void stop(void)
{
    lidar_decoder_destroy(decoder);
    frames_finish(&frames);
}

static uint64_t count_of(enum lidar_count which)
{
    return lidar_decoder_counts(decoder)->count[which];
}

/* Millimetres of rounding along three axes. */
static void points_lie_on_what_there_is(void **state)
{
    (void)state;
    struct lidar_sim_config config;
    struct lidar_sim_counts counts;
    config_of(&config);
    config.data_packets_max = 600;
    run(&config, &counts);
    double lowest = 90, highest = -90;
    assert_int_equal(frames.closed, 4);
    assert_int_equal(imu_count, 60);
    for (unsigned i = 0; i < frames.closed; i++) {
        const struct lidar_frame_info *info = &frames.kept[i].info;
        assert_int_equal(info->valid, info->height * 96);
        assert_int_equal(info->clock, LIDAR_CLOCK_GPS);
        assert_int_equal(info->stamp_ns % (100 * MS), 0);
        for (unsigned at = 0; at < info->height * 96; at += 5) {
            struct point p = frame_point(&frames.kept[i], at / 96, at % 96);
            double time_s = (double)(int64_t)(info->stamp_ns - START_NS) * 1e-9 + (double)p.time;
            const struct lidar_scene_vector v = {(double)p.x, (double)p.y, (double)p.z};
            double elevation = atan2(v.z, hypot(v.x, v.y)) * DEGREES;
            assert_true(lidar_scene_distance_to_surface(&config.scene, v, time_s) < 1.5e-3);
            assert_int_equal(p.ring, at % 96 % 4);
            lowest = fmin(lowest, elevation);
            highest = fmax(highest, elevation);
        }
    }
    assert_true(lowest > -7.2 && lowest < -6.5);
    assert_true(highest < 52.2 && highest > 51.5);
    stop();
}

static void faults_are_found_by_the_decoder(void **state)
{
    (void)state;
    struct lidar_sim_config config;
    struct lidar_sim_counts counts;
    config_of(&config);
    config.data_packets_max = 2000;
    config.faults.loss = 0.02;
    config.faults.reorder = 0.02;
    config.faults.duplicate = 0.02;
    config.faults.corrupt = 0.02;
    run(&config, &counts);
    uint64_t gap = count_of(LIDAR_GAP), found = count_of(LIDAR_REORDERED);
    assert_true(counts.lost > 10 && counts.reordered > 10 && counts.duplicated > 10);
    assert_true(found > 0 && found <= counts.reordered);
    assert_true(count_of(LIDAR_DUPLICATE) > 0);
    assert_int_equal(count_of(LIDAR_RESTART_BACK) + count_of(LIDAR_RESTART_AHEAD), 0);
    /* What is damaged is left out by its checksum, unless it is in the header before that. */
    assert_true(count_of(LIDAR_BAD_CRC) > 0);
    assert_true(gap - found >= counts.lost);
    assert_true(gap - found <= counts.lost + counts.corrupted + 1);
    stop();
}

/* 1042 packets, 0.5 s; what goes wrong does so after 0.25 s, or 521. */
static void run_with(const char *faults, struct lidar_sim_counts *ret_counts)
{
    struct lidar_sim_config config;
    config_of(&config);
    config.data_packets_max = 1042;
    config.gps = false;
    config.free_running_start_us = 60000000;
    assert_int_equal(lidar_sim_faults_parse(faults, &config.faults), 0);
    clock_kind = LIDAR_CLOCK_FREE_RUNNING;
    run(&config, ret_counts);
    clock_kind = LIDAR_CLOCK_GPS;
    assert_int_equal(count_of(LIDAR_PACKETS), ret_counts->data);
}

static unsigned rows_of_all(void)
{
    unsigned rows = 0;
    for (unsigned i = 0; i < frames.closed; i++)
        rows += frames.kept[i].info.height;
    return rows;
}

static void faults_of_its_clock_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *faults;
        unsigned back, ahead;
    } cases[] = {{"drift=100", 0, 0},
                 {"wrap=0.25", 0, 0},
                 {"jump=-5,at=0.25", 1, 0},
                 {"jump=5,at=0.25", 0, 1},
                 {"restart=0.5,at=0.25", 1, 0}};
    struct lidar_sim_counts counts;
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        run_with(cases[i].faults, &counts);
        assert_int_equal(count_of(LIDAR_RESTART_BACK), cases[i].back);
        assert_int_equal(count_of(LIDAR_RESTART_AHEAD), cases[i].ahead);
        assert_int_equal(count_of(LIDAR_GAP), 0); /* its packets are numbered */
        assert_int_equal(count_of(LIDAR_DUPLICATE) + count_of(LIDAR_REORDERED), 0);
        assert_int_equal(rows_of_all(), counts.data);
        stop();
    }
    /* The same stamp again is a copy; after some in a row, a clock that was set back, by nothing.
     */
    run_with("stuck=0.03,at=0.25", &counts);
    uint64_t back = count_of(LIDAR_RESTART_BACK), copies = count_of(LIDAR_DUPLICATE);
    assert_true(back > 0 && copies + back >= 60 && copies + back <= 64); /* 62.5 packets long */
    assert_int_equal(rows_of_all(), counts.data - copies);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packet_is_as_the_protocol_says),
        cmocka_unit_test(clock_that_nobody_set_says_so),
        cmocka_unit_test(two_returns_are_refused),
        cmocka_unit_test(points_lie_on_what_there_is),
        cmocka_unit_test(faults_are_found_by_the_decoder),
        cmocka_unit_test(faults_of_its_clock_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
