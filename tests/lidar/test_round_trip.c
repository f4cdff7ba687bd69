/* SPDX-License-Identifier: Apache-2.0 */
/* Simulated sensor and decoder against each other: they share no table, so what comes out of both
 * has to lie on the scene's surfaces, to within what the packets round away. */
#include "core/base/bytes.h"
#include "core/base/error.h"
#include "drivers/lidar/decoder.h"
#include "drivers/lidar/sim/sim.h"
#include "drivers/lidar/sim/vlp16.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/emulated.h"

#define START_NS   UINT64_C(1700003599700000000) /* 0.3 s before an hour is full */
#define ROOMS      3
#define ROOM_BYTES (4u << 20)

/* A distance is rounded to 2 mm, so it is off by 1 mm at most. An azimuth is rounded to 0.01
 * degrees, so it is off by 0.005; the rate of rotation comes from two such azimuths that are a
 * packet apart (11 blocks' time, with two returns 5) and is needed for at most 0.82 of a block's
 * time. The Hi-Res' vertical offsets are rounded to 0.1 mm. Floats add 2 um. */
#define RANGE_M             0.001
#define AZIMUTH_DEG(blocks) (0.005 + 0.01 * 0.82 / (blocks) + 0.00005)
#define OFFSET_M            0.00005
#define FLOAT_M             0.000002
#define STAMP_S             0.000001 /* packets tell whole microseconds */

struct round_trip {
    struct lidar_sim_config sim;
    uint64_t start_ns;
    void *rooms[ROOMS];
    bool is_lent[ROOMS];
    unsigned frames, whole;
    uint64_t points, first_points, second_points;
    uint64_t missing;
    double worst_m, worst_deg;
};

static int open_room(void *context, struct lidar_frame_room *ret_room)
{
    struct round_trip *trip = context;
    for (size_t i = 0; i < ROOMS; i++)
        if (!trip->is_lent[i]) {
            trip->is_lent[i] = true;
            *ret_room = (struct lidar_frame_room){
                .data = trip->rooms[i], .capacity_bytes = ROOM_BYTES, .handle = &trip->is_lent[i]};
            return 0;
        }
    fail_msg("more than %d frames open", ROOMS);
    return -1;
}

static float read_float(const uint8_t *at)
{
    float value;
    memcpy(&value, at, sizeof value);
    return value;
}

/* By how much a point's direction differs from the sensor's head at the time it tells. */
static double off_turn_deg(const struct round_trip *trip, double x, double y, double time_s)
{
    double told = atan2(-y, x) / (2 * M_PI);
    double way = trip->sim.is_counterclockwise ? -1 : 1;
    double turn = way * time_s * trip->sim.rotation_hz + trip->sim.start_azimuth_deg / 360;
    double off = told - turn;
    return 360 * fabs(off - round(off));
}

static void check_point(struct round_trip *trip, const uint8_t *at, double time_s)
{
    const double x = read_float(at + LIDAR_POINT_X), y = read_float(at + LIDAR_POINT_Y),
                 z = read_float(at + LIDAR_POINT_Z);
    double off_m = lidar_scene_distance_to_surface(&trip->sim.scene,
                                                   (struct lidar_scene_vector){x, y, z}, time_s);
    double azimuth_deg = AZIMUTH_DEG(trip->sim.return_mode == LIDAR_SIM_DUAL ? 5 : 11);
    double across_m = hypot(x, y) * azimuth_deg * M_PI / 180;
    double allowed_m = hypot(RANGE_M, across_m) + OFFSET_M + FLOAT_M;
    double off_deg = off_turn_deg(trip, x, y, time_s);
    /* A microsecond is 0.0072 degrees at 20 Hz. */
    double allowed_deg = azimuth_deg + 360 * trip->sim.rotation_hz * STAMP_S;
    if (off_m > allowed_m || off_deg > allowed_deg)
        fail_msg("point %g %g %g at %.6f s: %.2f mm off (allowed %.2f), %.4f degrees (%.4f)", x, y,
                 z, time_s, 1000 * off_m, 1000 * allowed_m, off_deg, allowed_deg);
    trip->worst_m = fmax(trip->worst_m, off_m / allowed_m);
    trip->worst_deg = fmax(trip->worst_deg, off_deg / allowed_deg);
}

static void close_room(void *context, void *handle, const struct lidar_frame_info *info)
{
    struct round_trip *trip = context;
    bool *lent = handle;
    const uint8_t *data = trip->rooms[lent - trip->is_lent];
    assert_int_equal(info->width, 16);
    assert_int_equal(info->clock, LIDAR_CLOCK_GPS);
    assert_true(info->stamp_ns >= trip->start_ns - 1000);
    const double stamp_s = (double)(int64_t)(info->stamp_ns - trip->start_ns) * 1e-9;
    uint32_t valid = 0;
    for (uint32_t row = 0; row < info->height; row++)
        for (uint32_t ring = 0; ring < 16; ring++) {
            const uint8_t *at = data + ((size_t)row * 16 + ring) * LIDAR_POINT_BYTES;
            assert_int_equal(sl_get_le16(at + LIDAR_POINT_RING), ring);
            if (isnan(read_float(at + LIDAR_POINT_X)))
                continue;
            valid++;
            bool second = info->returns == 2 && row >= info->height / 2;
            *(second ? &trip->second_points : &trip->first_points) += 1;
            float time_s = read_float(at + LIDAR_POINT_TIME);
            assert_true(time_s >= 0);
            check_point(trip, at, stamp_s + (double)time_s);
        }
    assert_int_equal(valid, info->valid);
    trip->points += valid;
    trip->missing += info->missing;
    trip->frames++;
    if (info->partial == 0) {
        trip->whole++;
        double columns = 1e9 / trip->sim.rotation_hz / 55296;
        assert_true(fabs(info->columns - columns) <= 1);
    }
    *lent = false;
}

static void discard_room(void *context, void *handle)
{
    (void)context;
    *(bool *)handle = false;
}

/* What the packets tell, as a receiver could count it. */
struct told {
    uint64_t first, second; /* returns; the second where it differs */
    uint64_t inside, lost;  /* packets from the first to the last that came, and missing of them */
    uint64_t twice;
    uint64_t counts[LIDAR_COUNTS];
};

static void count_readings(struct told *told, const uint8_t *bytes)
{
    const bool dual = bytes[1204] == 0x39;
    for (unsigned block = 0; block < 12; block += dual ? 2 : 1)
        for (unsigned i = 0; i < 32; i++) {
            const uint8_t *one = bytes + 100 * block + 4 + 3 * i, *two = one + 100;
            told->first += sl_get_le16(one) != 0;
            told->second += dual && sl_get_le16(two) != 0 && memcmp(one, two, 3) != 0;
        }
}

static void run(struct round_trip *trip, struct told *told)
{
    const struct lidar_frame_sink sink = {
        .context = trip, .open = open_room, .close = close_room, .discard = discard_room};
    const struct lidar_decoder_config config = {.frames.cut_angle_deg = 90};
    struct lidar_decoder *decoder = NULL;
    struct lidar_sim *sim = NULL;
    for (int i = 0; i < ROOMS; i++)
        assert_non_null(trip->rooms[i] = aligned_alloc(4096, ROOM_BYTES));
    assert_int_equal(lidar_decoder_create(&config, &sink, &decoder), 0);
    assert_int_equal(lidar_sim_create(&trip->sim, &sim), 0);

    const uint64_t length_ns = lidar_sim_packet_ns(trip->sim.return_mode);
    uint8_t *known = calloc(trip->sim.data_packets_max, 1);
    uint64_t first = UINT64_MAX, last = 0, distinct = 0;
    struct lidar_sim_packet packet;
    while (lidar_sim_next(sim, &packet)) {
        const struct sl_datagram datagram = {
            .bytes = packet.bytes,
            .size_bytes = packet.size_bytes,
            .time_ns = trip->start_ns + packet.due_ns,
            .destination = {.family = 4, .port = packet.telemetry ? 8308 : 2368},
        };
        if (lidar_decoder_push(decoder, &datagram) < 0)
            fail_msg("%s", sl_error_text());
        if (packet.telemetry)
            continue;
        uint64_t index = packet.first_ns / length_ns;
        if (known[index]++) {
            told->twice++;
            continue;
        }
        distinct++;
        first = index < first ? index : first;
        last = index > last ? index : last;
        count_readings(told, packet.bytes);
    }
    assert_int_equal(lidar_decoder_flush(decoder), 0);
    told->inside = last - first + 1;
    told->lost = told->inside - distinct;
    memcpy(told->counts, lidar_decoder_counts(decoder)->count, sizeof told->counts);
    lidar_decoder_destroy(decoder);
    lidar_sim_destroy(sim);
    free(known);
    for (int i = 0; i < ROOMS; i++) {
        assert_false(trip->is_lent[i]);
        free(trip->rooms[i]);
    }
}

static void setup(struct round_trip *trip, enum lidar_sim_model model,
                  enum lidar_sim_return return_mode, double hz, double seconds)
{
    *trip = (struct round_trip){.start_ns = START_NS};
    lidar_sim_config_default(&trip->sim);
    trip->sim.model = model;
    trip->sim.return_mode = return_mode;
    trip->sim.rotation_hz = hz;
    trip->sim.start_azimuth_deg = 123.4;
    trip->sim.start_utc_ns = START_NS;
    trip->sim.data_packets_max =
        (uint64_t)(seconds * 1e9) / lidar_sim_packet_ns(trip->sim.return_mode);
}

static void every_point_lies_on_a_surface(enum lidar_sim_model model, enum lidar_sim_return mode,
                                          bool is_counterclockwise)
{
    const double rates[] = {5, 10, 20, 9.87};
    const double seconds = SLUICE_EMULATED ? 0.37 : 1.1;
    for (unsigned r = SLUICE_EMULATED ? 3 : 0; r < sizeof rates / sizeof *rates; r++) {
        struct round_trip trip;
        struct told told = {0};
        setup(&trip, model, mode, rates[r], seconds);
        trip.sim.is_counterclockwise = is_counterclockwise;
        if (is_counterclockwise) /* as far before the cut at 90 degrees */
            trip.sim.start_azimuth_deg = 180 - trip.sim.start_azimuth_deg;
        run(&trip, &told);
        assert_int_equal(trip.first_points, told.first);
        assert_int_equal(trip.second_points, told.second);
        assert_int_equal(told.counts[LIDAR_PACKETS], trip.sim.data_packets_max);
        assert_int_equal(told.counts[LIDAR_GAP], 0);
        assert_int_equal(trip.missing, 0);
        assert_int_equal(trip.frames - trip.whole, 2); /* the first and the last */
        assert_int_equal(trip.frames, (unsigned)(seconds * rates[r]) + 1);
        if (mode == LIDAR_SIM_DUAL)
            assert_true(trip.second_points > 1000);
        print_message("%4.4g Hz: %u frames, %llu points, nearest to its bound %.0f%% and %.0f%%\n",
                      rates[r], trip.frames, (unsigned long long)trip.points, 100 * trip.worst_m,
                      100 * trip.worst_deg);
    }
}

static void vlp16_strongest_lies_on_the_surfaces(void **state)
{
    (void)state;
    every_point_lies_on_a_surface(LIDAR_SIM_VLP16, LIDAR_SIM_STRONGEST, false);
}

static void vlp16_last_lies_on_the_surfaces(void **state)
{
    (void)state;
    every_point_lies_on_a_surface(LIDAR_SIM_VLP16, LIDAR_SIM_LAST, false);
}

static void vlp16_dual_lies_on_the_surfaces(void **state)
{
    (void)state;
    every_point_lies_on_a_surface(LIDAR_SIM_VLP16, LIDAR_SIM_DUAL, false);
}

static void hires_single_lies_on_the_surfaces(void **state)
{
    (void)state;
    every_point_lies_on_a_surface(LIDAR_SIM_HIRES, LIDAR_SIM_STRONGEST, false);
}

static void hires_dual_lies_on_the_surfaces(void **state)
{
    (void)state;
    every_point_lies_on_a_surface(LIDAR_SIM_HIRES, LIDAR_SIM_DUAL, false);
}

static void counterclockwise_single_lies_on_the_surfaces(void **state)
{
    (void)state;
    every_point_lies_on_a_surface(LIDAR_SIM_VLP16, LIDAR_SIM_STRONGEST, true);
}

static void counterclockwise_dual_lies_on_the_surfaces(void **state)
{
    (void)state;
    every_point_lies_on_a_surface(LIDAR_SIM_HIRES, LIDAR_SIM_DUAL, true);
}

static void loss_disorder_and_duplicates_are_counted_and_hurt_nothing_else(void **state)
{
    (void)state;
    const enum lidar_sim_return modes[] = {LIDAR_SIM_STRONGEST, LIDAR_SIM_DUAL};
    for (unsigned m = 0; m < 4; m++) {
        struct round_trip trip;
        struct told told = {0};
        setup(&trip, LIDAR_SIM_VLP16, modes[m % 2], 10, SLUICE_EMULATED ? 2 : 4);
        trip.sim.is_counterclockwise = m >= 2;
        trip.sim.faults =
            (struct lidar_sim_faults){.loss = 0.02, .reorder = 0.02, .duplicate = 0.02};
        trip.sim.seed = 11 + m;
        run(&trip, &told);
        assert_int_equal(trip.first_points, told.first);
        assert_int_equal(trip.second_points, told.second);
        assert_true(told.lost > 20);
        assert_int_equal(told.counts[LIDAR_GAP] - told.counts[LIDAR_REORDERED], told.lost);
        assert_int_equal(told.counts[LIDAR_DUPLICATE], told.twice);
        assert_int_equal(told.counts[LIDAR_LATE], 0);
    }
}

static void early_firmware_with_another_models_byte_is_read(void **state)
{
    (void)state;
    struct round_trip trip;
    struct told told = {0};
    setup(&trip, LIDAR_SIM_VLP16, LIDAR_SIM_STRONGEST, 10, 0.5);
    trip.sim.model_byte = 0x21; /* HDL-32E's */
    run(&trip, &told);
    assert_int_equal(trip.points, told.first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vlp16_strongest_lies_on_the_surfaces),
        cmocka_unit_test(vlp16_last_lies_on_the_surfaces),
        cmocka_unit_test(vlp16_dual_lies_on_the_surfaces),
        cmocka_unit_test(hires_single_lies_on_the_surfaces),
        cmocka_unit_test(hires_dual_lies_on_the_surfaces),
        cmocka_unit_test(counterclockwise_single_lies_on_the_surfaces),
        cmocka_unit_test(counterclockwise_dual_lies_on_the_surfaces),
        cmocka_unit_test(loss_disorder_and_duplicates_are_counted_and_hurt_nothing_else),
        cmocka_unit_test(early_firmware_with_another_models_byte_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
