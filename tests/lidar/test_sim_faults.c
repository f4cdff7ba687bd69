/* SPDX-License-Identifier: Apache-2.0 */
/* Every simulated sensor and the decoder against each other: what the packets tell lies on the
 * scene's surfaces, every fault is counted as what it is, and no frame has a point that is not the
 * scene's. */
#include "core/base/bytes.h"
#include "core/base/error.h"
#include "drivers/lidar/decoder.h"
#include "drivers/lidar/hesai.h"
#include "drivers/lidar/ouster_metadata.h"
#include "drivers/lidar/sim/sim.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/emulated.h"

#define START_NS    UINT64_C(1700003599700000000) /* 0.3 s before an hour is full */
#define ROOMS       3
#define ROOM_BYTES  (8u << 20)
#define PACKETS_MAX 8192u

/* Sensors as they are simulated, and the ways that they turn. */
static const struct kind {
    const char *name;
    enum lidar_sim_model model;
    enum lidar_sim_return mode;
    unsigned packets_per_s;
    unsigned columns; /* of a packet, each of one return's points */
    unsigned rings;
    /* How far a point may be from the surface: half a unit of range, and of azimuth at 13 m. */
    double allowed_m;
    bool is_counterclockwise;
} kinds[] = {
    {"vlp-16", LIDAR_SIM_VLP16, LIDAR_SIM_STRONGEST, 754, 24, 16, 0.0025, false},
    {"vlp-16 dual", LIDAR_SIM_VLP16, LIDAR_SIM_DUAL, 1507, 12, 16, 0.0025, false},
    {"os1-64", LIDAR_SIM_OS1_64, LIDAR_SIM_STRONGEST, 640, 16, 64, 0.00051, false},
    {"os1-64 dual", LIDAR_SIM_OS1_64, LIDAR_SIM_DUAL, 640, 16, 64, 0.00051, false},
    {"xt32", LIDAR_SIM_XT32, LIDAR_SIM_STRONGEST, 2500, 8, 32, 0.0025, false},
    {"xt32 dual", LIDAR_SIM_XT32, LIDAR_SIM_DUAL, 5000, 4, 32, 0.0025, false},
    {"vlp-16 back", LIDAR_SIM_VLP16, LIDAR_SIM_STRONGEST, 754, 24, 16, 0.0025, true},
    {"xt32 dual back", LIDAR_SIM_XT32, LIDAR_SIM_DUAL, 5000, 4, 32, 0.0025, true},
};
#define KINDS (sizeof kinds / sizeof *kinds)

struct world {
    const struct kind *kind;
    struct lidar_sim_config sim;
    struct ouster_metadata metadata;
    bool checks_crc, is_moving;
    double allowed_m;
    void *rooms[ROOMS];
    bool is_lent[ROOMS];

    /* What came out. */
    uint64_t counts[LIDAR_COUNTS];
    struct lidar_sim_counts done;
    unsigned frames, whole;
    uint64_t points, missing; /* missing columns of whole frames */
    uint64_t last_stamp_ns;
    bool is_unsorted; /* a frame's stamp was before the one before it */
    double worst_m;

    /* What a receiver of the packets knows. */
    uint64_t given, distinct, lost, twice, late;
    uint64_t told; /* returns in distinct packets that were right */
    uint64_t damaged[LIDAR_COUNTS];
};

static int open_room(void *context, struct lidar_frame_room *ret_room)
{
    struct world *w = context;
    for (size_t i = 0; i < ROOMS; i++)
        if (!w->is_lent[i]) {
            w->is_lent[i] = true;
            *ret_room = (struct lidar_frame_room){
                .data = w->rooms[i], .capacity_bytes = ROOM_BYTES, .handle = &w->is_lent[i]};
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

static void check_point(struct world *w, const uint8_t *at, double stamp_s)
{
    const struct lidar_scene_vector point = {read_float(at + LIDAR_POINT_X),
                                             read_float(at + LIDAR_POINT_Y),
                                             read_float(at + LIDAR_POINT_Z)};
    double time_s = w->is_moving ? stamp_s + (double)read_float(at + LIDAR_POINT_TIME) : 0;
    double off_m = lidar_scene_distance_to_surface(&w->sim.scene, point, time_s);
    if (!(off_m <= w->allowed_m))
        fail_msg("%s: point %g %g %g at %.6f s is %.2f mm off", w->kind->name, point.x, point.y,
                 point.z, time_s, 1000 * off_m);
    w->worst_m = fmax(w->worst_m, off_m);
}

static void close_room(void *context, void *handle, const struct lidar_frame_info *info)
{
    struct world *w = context;
    bool *lent = handle;
    const uint8_t *data = w->rooms[lent - w->is_lent];
    const double stamp_s = (double)(int64_t)(info->stamp_ns - START_NS) * 1e-9;
    uint32_t valid = 0;
    assert_int_equal(info->width, w->kind->rings);
    for (uint32_t i = 0; i < info->width * info->height; i++) {
        const uint8_t *at = data + (size_t)i * LIDAR_POINT_BYTES;
        assert_int_equal(sl_get_le16(at + LIDAR_POINT_RING), i % info->width);
        if (isnan(read_float(at + LIDAR_POINT_X)))
            continue;
        valid++;
        if (!SLUICE_EMULATED || i % 16 == 0)
            check_point(w, at, stamp_s);
    }
    assert_int_equal(valid, info->valid);
    w->points += valid;
    w->frames++;
    w->is_unsorted |= info->stamp_ns <= w->last_stamp_ns;
    w->last_stamp_ns = info->stamp_ns;
    if (info->partial == 0) {
        w->whole++;
        w->missing += info->missing;
    }
    *lent = false;
}

static void discard_room(void *context, void *handle)
{
    (void)context;
    *(bool *)handle = false;
}

/* Returns that a packet tells, the second one where it is another one. */

static unsigned told_by_pairs(const uint8_t *first, const uint8_t *second, unsigned count,
                              unsigned element)
{
    unsigned told = 0;
    for (unsigned i = 0; i < count; i++, first += element, second += element) {
        told += sl_get_le16(first) != 0;
        told += sl_get_le16(second) != 0 && memcmp(first, second, element) != 0;
    }
    return told;
}

static unsigned told_by(const struct world *w, const uint8_t *bytes)
{
    const bool dual = w->sim.return_mode == LIDAR_SIM_DUAL;
    unsigned told = 0;
    switch (w->sim.model) {
    case LIDAR_SIM_OS1_64:
        for (unsigned column = 0; column < 16; column++) {
            const uint8_t *pixels = bytes + (dual ? 32 + column * 1036 + 12 : column * 788 + 16);
            for (unsigned i = 0; i < 64; i++) {
                const uint8_t *pixel = pixels + (size_t)i * (dual ? 16 : 12);
                told += (sl_get_le32(pixel) & 0x7FFFF) != 0;
                told += dual && (sl_get_le32(pixel + 4) & 0x7FFFF) != 0;
            }
        }
        return told;
    case LIDAR_SIM_XT32:
        for (unsigned block = 0; block < 8; block += dual ? 2 : 1) {
            const uint8_t *units = bytes + 12 + (size_t)block * 130 + 2;
            told += told_by_pairs(units, dual ? units + 130 : units, 32, 4);
        }
        return told;
    default:
        for (unsigned block = 0; block < 12; block += dual ? 2 : 1) {
            const uint8_t *readings = bytes + (size_t)block * 100 + 4;
            told += told_by_pairs(readings, dual ? readings + 100 : readings, 32, 3);
        }
        return told;
    }
}

static void look_at(struct world *w, const struct lidar_sim_packet *packet, uint64_t times[],
                    uint64_t newest_ns)
{
    w->given++;
    for (uint64_t i = w->distinct; i-- > 0 && w->distinct - i < 8;)
        if (times[i] == packet->first_ns) {
            w->twice++;
            return;
        }
    w->late += w->distinct > 0 && packet->first_ns < newest_ns;
    assert_true(w->distinct < PACKETS_MAX);
    times[w->distinct++] = packet->first_ns;
    if (!packet->corrupt)
        w->told += told_by(w, packet->bytes);
}

/* Packets without a fault that are between the first and the last one that came. */
static uint64_t between(const struct world *w, uint64_t first_ns, uint64_t last_ns)
{
    struct lidar_sim_config config = w->sim;
    struct lidar_sim *sim = NULL;
    struct lidar_sim_packet packet;
    uint64_t count = 0;
    config.faults.loss = config.faults.reorder = config.faults.duplicate = 0;
    config.telemetry_every = 0;
    config.scene.box_count = 0;
    assert_int_equal(lidar_sim_create(&config, &sim), 0);
    while (lidar_sim_next(sim, &packet))
        count += packet.first_ns >= first_ns && packet.first_ns <= last_ns;
    lidar_sim_destroy(sim);
    return count;
}

static void push_all(struct world *w, struct lidar_decoder *decoder, struct lidar_sim *sim)
{
    static uint64_t times[PACKETS_MAX];
    struct lidar_sim_packet packet;
    uint64_t first_ns = UINT64_MAX, last_ns = 0;
    while (lidar_sim_next(sim, &packet)) {
        const uint16_t port = packet.telemetry ? lidar_sim_telemetry_port(w->sim.model)
                                               : lidar_sim_data_port(w->sim.model);
        const struct sl_datagram datagram = {.bytes = packet.bytes,
                                             .size_bytes = packet.size_bytes,
                                             .time_ns = START_NS + packet.due_ns,
                                             .destination = {.family = 4, .port = port}};
        if (lidar_decoder_push(decoder, &datagram) < 0)
            fail_msg("%s: %s", w->kind->name, sl_error_text());
        if (packet.telemetry)
            continue;
        look_at(w, &packet, times, last_ns);
        first_ns = packet.first_ns < first_ns ? packet.first_ns : first_ns;
        last_ns = packet.first_ns > last_ns ? packet.first_ns : last_ns;
    }
    w->lost = between(w, first_ns, last_ns) - w->distinct;
}

static void run(struct world *w)
{
    const struct lidar_frame_sink sink = {
        .context = w, .open = open_room, .close = close_room, .discard = discard_room};
    struct lidar_decoder_config config = {.ouster.checks_crc = w->checks_crc};
    struct lidar_decoder *decoder = NULL;
    struct lidar_sim *sim = NULL;
    char *text = NULL;
    assert_int_equal(lidar_sim_metadata(&w->sim, &text), 0);
    if (text) {
        if (ouster_metadata_parse("simulated", text, strlen(text), &w->metadata) < 0)
            fail_msg("%s", sl_error_text());
        config.ouster.metadata = &w->metadata;
        config.ptp_ahead_ns = INT64_C(37000000000);
        free(text);
    }
    if (w->sim.model == LIDAR_SIM_XT32)
        config.model = hesai_model_find("xt32");
    for (int i = 0; i < ROOMS; i++)
        assert_non_null(w->rooms[i] = aligned_alloc(4096, ROOM_BYTES));
    assert_int_equal(lidar_decoder_create(&config, &sink, &decoder), 0);
    assert_int_equal(lidar_sim_create(&w->sim, &sim), 0);
    push_all(w, decoder, sim);
    assert_int_equal(lidar_decoder_flush(decoder), 0);
    lidar_sim_counts(sim, &w->done);
    memcpy(w->counts, lidar_decoder_counts(decoder)->count, sizeof w->counts);
    lidar_decoder_destroy(decoder);
    lidar_sim_destroy(sim);
    for (int i = 0; i < ROOMS; i++) {
        assert_false(w->is_lent[i]);
        free(w->rooms[i]);
    }
}

/* Nothing moves, so that a point is where it is whatever the stamps say. */
static void setup(struct world *w, const struct kind *kind, double seconds, const char *faults)
{
    *w = (struct world){.kind = kind, .allowed_m = kind->allowed_m};
    lidar_sim_config_of(kind->model, &w->sim);
    w->sim.return_mode = kind->mode;
    w->sim.is_counterclockwise = kind->is_counterclockwise;
    w->sim.start_utc_ns = START_NS;
    w->sim.start_azimuth_deg = 123.4;
    for (unsigned i = 0; i < w->sim.scene.box_count; i++)
        w->sim.scene.boxes[i].period_s = 0;
    w->sim.data_packets_max = (uint64_t)(seconds * kind->packets_per_s);
    if (lidar_sim_faults_parse(faults, &w->sim.faults) < 0)
        fail_msg("%s", sl_error_text());
}

/* Of everything that is counted, only these are not zero; the rest is what a perfect stream has. */
static void assert_counts(const struct world *w, unsigned pairs, const uint64_t expected[][2])
{
    for (unsigned i = LIDAR_BAD_SHORT; i < LIDAR_FRAMES; i++) {
        uint64_t wanted = 0;
        for (unsigned p = 0; p < pairs; p++)
            wanted += expected[p][0] == i ? expected[p][1] : 0;
        if (w->counts[i] != wanted)
            fail_msg("%s: %s is %llu, not %llu", w->kind->name, lidar_count_names[i],
                     (unsigned long long)w->counts[i], (unsigned long long)wanted);
    }
}
#define ASSERT_COUNTS(w, ...)                                              \
    do {                                                                   \
        const uint64_t expected_[][2] = {__VA_ARGS__};                     \
        assert_counts(w, sizeof expected_ / sizeof *expected_, expected_); \
    } while (0)

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SLOW 1
#else
#define IS_SLOW SLUICE_EMULATED
#endif
static const double seconds = IS_SLOW ? 0.5 : 1.2;

static void points_lie_on_moving_surfaces_at_their_times(void **state)
{
    (void)state;
    for (const struct kind *kind = kinds; kind < kinds + KINDS; kind++) {
        struct world w;
        setup(&w, kind, seconds, "");
        lidar_scene_default(&w.sim.scene);
        w.is_moving = true;
        /* A box makes 2 m/s: 0.12 mm while the channels of a Hesai's column fire, 0.05 mm while an
         * azimuth's rounding lasts. */
        w.allowed_m += 0.0002;
        run(&w);
        ASSERT_COUNTS(&w, {LIDAR_GAP, 0});
        assert_int_equal(w.counts[LIDAR_PACKETS], w.given);
        assert_int_equal(w.points, w.told);
        assert_int_equal(w.missing, 0);
        assert_int_equal(w.frames - w.whole, 2); /* the first and the last */
        assert_false(w.is_unsorted);
        print_message("%-14s %u frames, %llu points, worst %.2f mm\n", kind->name, w.frames,
                      (unsigned long long)w.points, 1000 * w.worst_m);
    }
}

static void faults_of_the_way_are_counted_and_hurt_nothing_else(void **state)
{
    (void)state;
    static const char *const faults[] = {"loss=0.02,reorder=0.02,duplicate=0.02",
                                         "loss=0.01,burst=5", "reorder=0.3,duplicate=0.3"};
    for (const struct kind *kind = kinds; kind < kinds + KINDS; kind++)
        for (unsigned i = 0; i < sizeof faults / sizeof *faults; i++) {
            struct world w;
            setup(&w, kind, seconds, faults[i]);
            w.sim.seed = 11 + i;
            run(&w);
            assert_true(w.lost > 0 || i == 2);
            ASSERT_COUNTS(&w, {LIDAR_GAP, w.lost + w.late}, {LIDAR_REORDERED, w.late},
                          {LIDAR_DUPLICATE, w.twice});
            assert_int_equal(w.counts[LIDAR_PACKETS], w.given);
            assert_int_equal(w.points, w.told);
            assert_int_equal(w.twice, w.done.duplicated);
            assert_true(w.missing <= w.lost * kind->columns);
            assert_false(w.is_unsorted);
        }
}

static void damaged_packets_of_an_os1_are_told_by_their_checksum(void **state)
{
    (void)state;
    struct world w;
    setup(&w, &kinds[3], seconds, "corrupt=0.3");
    w.checks_crc = true;
    run(&w);
    assert_true(w.done.corrupted > 50);
    /* A byte of 16640 is seldom the type's or the serial number's. */
    uint64_t bad = w.counts[LIDAR_BAD_CRC] + w.counts[LIDAR_BAD_FLAG] + w.counts[LIDAR_OTHER_MODEL];
    assert_int_equal(bad, w.done.corrupted);
    assert_int_equal(w.counts[LIDAR_PACKETS], w.given - bad);
    assert_int_equal(w.points, w.told);
}

/* Without a checksum a damaged distance is a distance: only what cannot be is left out. */
static void damaged_packets_are_counted_once_each(void **state)
{
    (void)state;
    for (const struct kind *kind = kinds; kind < kinds + KINDS; kind++) {
        struct world w;
        setup(&w, kind, seconds, "corrupt=0.2");
        w.allowed_m = 1e9;
        run(&w);
        uint64_t counted = w.counts[LIDAR_PACKETS];
        for (unsigned i = LIDAR_BAD_SHORT; i <= LIDAR_BAD_RETURN_MODE; i++)
            counted += w.counts[i];
        counted += w.counts[LIDAR_OTHER_MODEL];
        assert_int_equal(counted, w.given);
        assert_true(w.frames > 0);
    }
}

static void clock_that_is_set_begins_anew_once(void **state)
{
    (void)state;
    for (const struct kind *kind = kinds; kind < kinds + KINDS; kind++)
        for (int back = 0; back < 2; back++) {
            struct world w;
            setup(&w, kind, seconds, back ? "jump=-5,at=0.25" : "jump=5,at=0.25");
            w.sim.gps = false;
            w.sim.free_running_start_us = 60000000;
            run(&w);
            bool is_block = kind->model != LIDAR_SIM_OS1_64;
            /* 5 s, as packets. An Ouster's are numbered, it knows that none is missing. */
            uint64_t gap = back || !is_block ? 0 : w.counts[LIDAR_GAP];
            if (gap > 0)
                assert_true(fabs((double)gap - 5.0 * kind->packets_per_s) < 0.001 * (double)gap);
            ASSERT_COUNTS(&w, {LIDAR_GAP, gap}, {LIDAR_RESTART_BACK, back ? 1u : 0u},
                          {LIDAR_RESTART_AHEAD, back ? 0u : 1u});
            assert_int_equal(w.points, w.told);
        }
}

static void clock_that_runs_fast_is_no_fault(void **state)
{
    (void)state;
    for (const struct kind *kind = kinds; kind < kinds + KINDS; kind++) {
        struct world w;
        setup(&w, kind, seconds, "drift=100");
        w.sim.gps = false;
        run(&w);
        ASSERT_COUNTS(&w, {LIDAR_GAP, 0});
        assert_int_equal(w.points, w.told);
        assert_int_equal(w.missing, 0);
    }
}

static void counters_that_wrap_go_on(void **state)
{
    (void)state;
    for (const struct kind *kind = kinds; kind < kinds + KINDS; kind++) {
        struct world w;
        setup(&w, kind, seconds, "wrap=0.25");
        w.sim.gps = false;
        run(&w);
        ASSERT_COUNTS(&w, {LIDAR_GAP, 0});
        assert_int_equal(w.points, w.told);
        assert_int_equal(w.missing, 0);
        assert_int_equal(w.frames - w.whole, 2);
        assert_false(w.is_unsorted);
    }
}

static void sensor_that_starts_again_is_known(void **state)
{
    (void)state;
    for (const struct kind *kind = kinds; kind < kinds + KINDS; kind++) {
        struct world w;
        setup(&w, kind, seconds, "restart=0.5,at=0.35");
        w.sim.gps = false;
        w.sim.free_running_start_us = 60000000;
        run(&w);
        bool is_told = kind == &kinds[3]; /* its packets have a number of the start */
        ASSERT_COUNTS(&w, {LIDAR_RESTART_BACK, is_told ? 0u : 1u},
                      {LIDAR_RESTART_SENSOR, is_told ? 1u : 0u});
        assert_int_equal(w.points, w.told);
        assert_int_equal(w.frames - w.whole, 4); /* an end and a beginning more */
    }
}

static void other_speed_is_followed(void **state)
{
    (void)state;
    for (const struct kind *kind = kinds; kind < kinds + KINDS; kind++) {
        struct world w;
        setup(&w, kind, seconds, "speed=0.5,at=0.35");
        w.sim.rotation_hz = 20;
        run(&w);
        ASSERT_COUNTS(&w, {LIDAR_GAP, 0});
        assert_int_equal(w.points, w.told);
        assert_int_equal(w.missing, 0);
        /* With two returns a block sensor's rows are fixed before the turn: one that takes longer
         * ends early, and another frame has the rest. Both say so. */
        uint64_t cut = w.counts[LIDAR_FRAMES_OVERFLOW];
        bool is_fixed = kind->mode == LIDAR_SIM_DUAL && kind->model != LIDAR_SIM_OS1_64;
        assert_true(is_fixed || cut == 0);
        assert_int_equal(w.frames - w.whole, 2 + 2 * cut);
    }
}

/* Within half a second it stands still and then goes the other way. Of turns slower than one a
 * second nothing is made; those are a twentieth of that time, told from azimuths that are rounded.
 */
static void sensor_that_comes_to_turn_back_is_followed(void **state)
{
    (void)state;
    for (const struct kind *kind = kinds; kind < kinds + KINDS; kind++) {
        struct world w;
        if (kind->model == LIDAR_SIM_OS1_64)
            continue; /* its columns are numbered; it has no other way */
        setup(&w, kind, 1.2, "speed=-1,at=0.25");
        w.sim.rotation_hz = 20;
        run(&w);
        uint64_t bad = w.counts[LIDAR_BAD_ROTATION], cut = w.counts[LIDAR_FRAMES_OVERFLOW];
        uint64_t slow = (uint64_t)(0.025 * kind->packets_per_s);
        assert_in_range(bad, slow - slow / 8 - 2, slow + slow / 4 + 2);
        ASSERT_COUNTS(&w, {LIDAR_BAD_ROTATION, bad});
        assert_int_equal(w.counts[LIDAR_PACKETS], w.given);
        assert_true(w.points < w.told);
        assert_true((double)(w.told - w.points) < 1.2 * (double)(bad * w.told) / (double)w.given);
        assert_int_equal(w.missing, 0);
        assert_false(w.is_unsorted);
        /* The first, the last, the one that it stops in and the one that it goes back with; and
         * with two returns those whose rows were fixed too early (other_speed_is_followed). */
        assert_in_range(w.frames - w.whole, 4 + cut, 4 + 2 * cut);
        assert_true(w.whole >= 12);
        print_message("%-14s %u frames, %llu packets too slow\n", kind->name, w.frames,
                      (unsigned long long)bad);
    }
}

/* Stamps that stand still are those of copies, so the packets are taken for copies; after so many
 * in a row for a clock that was set back, by nothing. Then the clock leaps. */
static void stamps_that_stand_still_are_copies(void **state)
{
    (void)state;
    for (const struct kind *kind = kinds; kind < kinds + KINDS; kind++) {
        struct world w;
        setup(&w, kind, seconds, "stuck=0.03,at=0.25");
        w.sim.gps = false;
        w.sim.free_running_start_us = 60000000;
        run(&w);
        if (kind->model == LIDAR_SIM_OS1_64) {
            /* They are numbered: nothing is missing. */
            ASSERT_COUNTS(&w, {LIDAR_GAP, 0});
            assert_int_equal(w.points, w.told);
            continue;
        }
        uint64_t back = w.counts[LIDAR_RESTART_BACK], copies = w.counts[LIDAR_DUPLICATE];
        uint64_t gap = w.counts[LIDAR_GAP], course = w.counts[LIDAR_RESTART_ROTATION];
        const double packets = 0.03 * kind->packets_per_s;
        assert_true(fabs((double)(copies + back) - (packets - 1)) < 1.5);
        assert_int_equal(back, (copies + back) / (LIDAR_LATE_RUN_MAX + 1));
        assert_true(fabs((double)gap - packets) < 1.5); /* what the leap leaves out */
        assert_in_range(course, 1, 2); /* the head is not where it would be by the stamps */
        ASSERT_COUNTS(&w, {LIDAR_RESTART_BACK, back}, {LIDAR_DUPLICATE, copies}, {LIDAR_GAP, gap},
                      {LIDAR_RESTART_ROTATION, course});
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(points_lie_on_moving_surfaces_at_their_times),
        cmocka_unit_test(faults_of_the_way_are_counted_and_hurt_nothing_else),
        cmocka_unit_test(damaged_packets_of_an_os1_are_told_by_their_checksum),
        cmocka_unit_test(damaged_packets_are_counted_once_each),
        cmocka_unit_test(clock_that_is_set_begins_anew_once),
        cmocka_unit_test(clock_that_runs_fast_is_no_fault),
        cmocka_unit_test(counters_that_wrap_go_on),
        cmocka_unit_test(sensor_that_starts_again_is_known),
        cmocka_unit_test(sensor_that_comes_to_turn_back_is_followed),
        cmocka_unit_test(other_speed_is_followed),
        cmocka_unit_test(stamps_that_stand_still_are_copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
