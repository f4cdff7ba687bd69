/* SPDX-License-Identifier: Apache-2.0 */
/* test_block_kernel.c - every kernel against the scalar one, bit by bit, and against the formulas.
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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/uncached/stream.h"
#include "drivers/lidar/block_kernels.h"
#include "drivers/lidar/hesai.h"
#include "drivers/lidar/velodyne.h"
#include "tests/lidar/filtering.h"

#define ROUNDS        2000
#define FILTER_ROUNDS 300

static struct lidar_block one, other;
#define GROUP_BYTES 1200 /* as many as any group's elements need */
static uint8_t wire[LIDAR_RETURNS_MAX][LIDAR_BLOCKS_MAX][GROUP_BYTES + 4];
static _Alignas(64) uint8_t out[2][LIDAR_BLOCKS_MAX * LIDAR_BLOCK_BYTES + 64];
static uint32_t state = 2463534242u;

/* One column of 32 lasers a block, in no order and with azimuth offsets: no sensor, but kernels
 * must not know of the VLP-16 alone. */
static const struct lidar_model wide = {
    .name = "wide",
    .lasers = 32,
    .columns_per_block = 1,
    .blocks_per_column = 1,
    .blocks = 12,
    .block_bytes = 100,
    .element_bytes = 3,
    .range_unit_m = 0.004f,
    .column_period_ns = 55296,
    .firing_step_ns = 2304,
    .lasers_per_firing = 2,
    .rotation_min_hz = 5,
    .rotation_max_hz = 20,
    .vertical_deg = {-25, -1, -2, -15, -11, 0,  -3, -8, -7, 9,  -4, -6, -5, 13, 6,  -9,
                     -10, 16, 10, 3,   33,  31, 22, 27, 30, 17, 46, 23, 20, 15, 14, 1},
    .azimuth_offset_deg = {-1.4f, 4.2f, -1.4f, 1.4f, 0, 4.2f, -4.2f, 1.4f, 1.4f, -4.2f, 2, 2, 2},
    .vertical_offset_mm = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18},
};

/* 64 lasers in one block, of four bytes and big endian: no sensor either. */
static struct lidar_model strange;

static void make_strange(void)
{
    strange = (struct lidar_model){
        .name = "strange",
        .lasers = 64,
        .columns_per_block = 1,
        .blocks_per_column = 1,
        .blocks = 6,
        .block_bytes = 260,
        .element_bytes = 4,
        .is_big_endian = true,
        .range_unit_m = 0.005f,
        .column_period_ns = 55560,
        .firing_step_ns = 500,
        .lasers_per_firing = 1,
        .rotation_min_hz = 5,
        .rotation_max_hz = 20,
    };
    static float firing_us[LIDAR_FIRINGS_MAX * 64];
    for (unsigned i = 0; i < LIDAR_FIRINGS_MAX * 64; i++)
        firing_us[i] = (float)(i * 29 % 53);
    strange.firing_us = firing_us;
    strange.firing_orders = LIDAR_FIRINGS_MAX;
    for (unsigned i = 0; i < 64; i++) {
        strange.vertical_deg[i] = (float)(i * 37 % 64) - 32;
        strange.azimuth_offset_deg[i] = (float)(i % 5);
    }
}

static uint32_t random_next(void)
{
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

static float random_unit(void)
{
    return (float)(random_next() >> 8) / 16777216.0f;
}

static double random_double(void)
{
    return (double)random_unit();
}

static void fill_wire(void)
{
    for (unsigned i = 0; i < LIDAR_RETURNS_MAX; i++) {
        for (unsigned block = 0; block < LIDAR_BLOCKS_MAX; block++) {
            for (unsigned at = 0; at < GROUP_BYTES; at += 4)
                sl_put_le32(&wire[i][block][at], random_next());
            for (unsigned at = 0; at < GROUP_BYTES; at += 3) {
                uint32_t kind = random_next() % 8;
                if (kind == 0)
                    memset(&wire[i][block][at], 0, 2);
                if (kind == 1)
                    memcpy(&wire[1 + random_next() % 2][block][at], &wire[0][block][at], 3);
            }
        }
    }
}

/* Some halves unwanted, some places on a whole line and some not. */
static unsigned fill_jobs(struct lidar_block_job *jobs, uint8_t *to)
{
    unsigned count = 1 + random_next() % LIDAR_BLOCKS_MAX;
    to += random_next() % 2 * LIDAR_HALF_ALIGNMENT;
    for (unsigned i = 0; i < count; i++) {
        float angle = random_unit() * 6.2831853f;
        jobs[i] = (struct lidar_block_job){
            .wire = wire[0][i],
            .is_dual = random_next() % 2,
            .cosine = cosf(angle),
            .sine = sinf(angle),
            .time_s = {random_unit(), random_unit()},
            .is_left_out = {random_next() % 4 == 0, random_next() % 4 == 0},
        };
        for (unsigned n = 0, count_equal = random_next() % LIDAR_RETURNS_MAX; n < count_equal; n++)
            jobs[i].equal[n] = wire[1 + n][i];
        for (unsigned half = 0; half < 2; half++)
            jobs[i].to[half] =
                random_next() % 4 == 0 ? NULL : to + (2 * i + half) * LIDAR_HALF_BYTES;
    }
    return count;
}

static void run_jobs(struct lidar_block *block, const struct lidar_block_job *jobs, unsigned count,
                     const uint8_t *base, uint8_t *to, uint32_t advance,
                     struct lidar_block_job *ret_done)
{
    memcpy(ret_done, jobs, count * sizeof *jobs);
    for (unsigned i = 0; i < count; i++) {
        for (unsigned half = 0; half < 2; half++) {
            if (jobs[i].to[half])
                ret_done[i].to[half] = to + (jobs[i].to[half] - base);
        }
    }
    lidar_block_decode(block, lidar_block_rate(block, advance, 11), ret_done, count);
    sl_stream_fence();
}

static void random_options(struct lidar_block_options *options)
{
    memset(options, 0, sizeof *options);
    if (random_next() % 2)
        options->range_min_m = random_unit() * 20;
    if (random_next() % 2)
        options->range_max_m = options->range_min_m + random_unit() * 120;
    options->has_extrinsics = random_next() % 2;
    for (unsigned i = 0; i < 12; i++)
        options->extrinsics[i] = random_unit() * 4 - 2;
    if (random_next() % 2)
        options->filter = random_filter(random_double);
}

/* The same two with lasers that were measured one by one, some of them near the sensor too. */
static struct lidar_model wide_beams, strange_beams;

static void make_beams(void)
{
    static struct lidar_beam beams[LIDAR_LASERS_MAX];
    for (unsigned i = 0; i < LIDAR_LASERS_MAX; i++) {
        beams[i] = (struct lidar_beam){
            .distance_m = random_unit() * 2 - 0.5f,
            .has_near = random_next() % 2,
            .distance_x_m = random_unit() * 2,
            .distance_y_m = random_unit() * 2,
            .sideways_m = random_unit() * 0.1f - 0.05f,
            .focal_distance_m = random_unit() * 30,
            .focal_slope = random_unit() * 3,
            .intensity_min = random_next() % 2 ? random_unit() * 60 : 0,
            .intensity_max = random_next() % 2 ? 180 + random_unit() * 60 : 255,
        };
    }
    make_strange();
    wide_beams = wide;
    strange_beams = strange;
    wide_beams.beams = strange_beams.beams = beams;
    strange_beams.firing_orders = 0;
    strange_beams.firing_us = NULL;
    strange_beams.vertical_deg[5] = 90; /* cos(el) is next to nothing */
}

static void all_kernels_give_the_same_bits(void **unused)
{
    (void)unused;
    unsigned kernels = 0;
    make_beams();
    for (const struct lidar_block_kernel *const *kernel = lidar_block_kernels; *kernel; kernel++) {
        if (!lidar_simd_is_supported((*kernel)->simd))
            continue;
        kernels++;
        for (unsigned round = 0; round < ROUNDS; round++) {
            struct lidar_block_options options;
            struct lidar_block_job jobs[LIDAR_BLOCKS_MAX], done[2][LIDAR_BLOCKS_MAX];
            const struct lidar_model *const models[] = {velodyne_models[0],
                                                        velodyne_models[2],
                                                        velodyne_models[7],
                                                        &wide,
                                                        &strange,
                                                        hesai_model_find("xt16"),
                                                        hesai_model_find("pandar128"),
                                                        hesai_model_find("pandar40p"),
                                                        &wide_beams,
                                                        &strange_beams};
            const struct lidar_model *model = models[random_next() % 10];
            uint32_t advance = 100 + random_next() % 900;
            if (round % 64 == 0) {
                random_options(&options);
                unsigned index = random_next() % lidar_block_count(model);
                lidar_block_init(&one, *kernel, model, &options, index);
                lidar_block_init(&other, &lidar_block_kernel_scalar, model, &options, index);
            }
            fill_wire();
            memset(out, 0x77, sizeof out);
            unsigned count = fill_jobs(jobs, out[0]);
            for (unsigned i = 0; one.model == models[7] && round % 2 && i < 2 * count; i++)
                if (jobs[i / 2].to[i % 2]) /* a row that begins between two places */
                    jobs[i / 2].to[i % 2] += LIDAR_HALF_ALIGNMENT / 2;
            for (unsigned i = 0; one.points <= LIDAR_HALF_POINTS && i < count; i++)
                jobs[i].to[1] = NULL;
            for (unsigned i = 0; one.model->lasers >= 32 && i < count; i++) {
                jobs[i].time_s[1] = jobs[i].time_s[0]; /* two halves of one column */
                jobs[i].is_left_out[1] = jobs[i].is_left_out[0];
            }
            for (unsigned i = 0; i < count; i++)
                jobs[i].order = (uint8_t)(random_next() % lidar_model_orders(one.model));
            run_jobs(&one, jobs, count, out[0], out[0], advance, done[0]);
            run_jobs(&other, jobs, count, out[0], out[1], advance, done[1]);
            assert_memory_equal(out[0], out[1], sizeof out[0]);
            for (unsigned i = 0; i < count; i++) {
                for (unsigned half = 0; half < 2; half++) {
                    if (!jobs[i].to[half])
                        continue;
                    assert_int_equal(done[0][i].valid[half], done[1][i].valid[half]);
                    if (one.is_filtered)
                        assert_int_equal(done[0][i].filtered[half], done[1][i].filtered[half]);
                }
            }
        }
    }
    assert_true(kernels >= 1);
}

struct got {
    float x, y, z, intensity, time;
    uint16_t ring;
};

static struct got got_point(const uint8_t *at)
{
    struct got got;
    memcpy(&got.x, at, 4);
    memcpy(&got.y, at + 4, 4);
    memcpy(&got.z, at + 8, 4);
    memcpy(&got.intensity, at + 12, 4);
    memcpy(&got.ring, at + 16, 2);
    memcpy(&got.time, at + 18, 4);
    return got;
}

/* One block at azimuth 30 degrees, at 10 turns a second, with every element at 20 m. */
static void decode_one(const struct lidar_block_options *options, unsigned model)
{
    static uint8_t elements[LIDAR_BLOCK_WIRE_BYTES + 1]; /* kernels may read it */
    for (unsigned i = 0; i < LIDAR_BLOCK_ELEMENTS; i++) {
        sl_put_le16(elements + 3 * i, 10000);
        elements[3 * i + 2] = (uint8_t)(7 * i);
    }
    struct lidar_block_job job = {
        .wire = elements,
        .cosine = (float)cos(30 * M_PI / 180),
        .sine = (float)sin(30 * M_PI / 180),
        .time_s = {0.5f, 0.5f + 55.296e-6f},
        .to = {out[0], out[0] + LIDAR_HALF_BYTES},
    };
    lidar_block_init(&one, NULL, velodyne_models[model], options, 0);
    /* 438 units in 11 blocks of 110.592 us */
    lidar_block_decode(&one, lidar_block_rate(&one, 438, 11), &job, 1);
    sl_stream_fence();
}

static void points_lie_where_the_manual_says(void **unused)
{
    (void)unused;
    struct lidar_block_options options = {0};
    decode_one(&options, 0);
    double rate_deg_per_us = 4.38 / (11 * 110.592);
    for (unsigned ring = 0; ring < 16; ring++) {
        /* rings 0 ... 7 are the even lasers from -15 degrees up, 8 ... 15 the odd ones from 1 up */
        unsigned laser = ring < 8 ? 2 * ring : 2 * (ring - 8) + 1;
        double vertical = (-15.0 + 2 * ring) * M_PI / 180;
        for (unsigned column = 0; column < 2; column++) {
            double since_us = 55.296 * column + 2.304 * laser;
            double azimuth = (30 + rate_deg_per_us * since_us) * M_PI / 180;
            struct got p = got_point(out[0] + column * 352 + ring * 22);
            assert_true(fabs((double)p.x - 20 * cos(vertical) * cos(azimuth)) < 1e-5);
            assert_true(fabs((double)p.y + 20 * cos(vertical) * sin(azimuth)) < 1e-5);
            assert_true(fabs((double)p.z - 20 * sin(vertical)) < 1e-5);
            assert_int_equal(p.ring, ring);
            assert_true(p.intensity == (float)(uint8_t)(7 * (column * 16 + laser)));
            assert_true(fabs((double)p.time - 0.5 - since_us * 1e-6) < 6e-8);
        }
    }
}

static void hi_res_has_its_own_angles_and_origins(void **unused)
{
    (void)unused;
    struct lidar_block_options options = {0};
    decode_one(&options, 2);
    struct got low = got_point(out[0]), high = got_point(out[0] + 15 * 22);
    assert_true(fabs((double)low.z - (20 * sin(-10 * M_PI / 180) + 0.0074)) < 1e-5);
    assert_true(fabs((double)high.z - (20 * sin(10 * M_PI / 180) - 0.0074)) < 1e-5);
}

static void extrinsics_move_the_points(void **unused)
{
    (void)unused;
    struct lidar_block_options options = {0};
    decode_one(&options, 0);
    struct got before[32];
    for (unsigned i = 0; i < 32; i++)
        before[i] = got_point(out[0] + i * 22);
    /* a quarter turn to the left, then 1, 2, 3 */
    static const float matrix[12] = {0, -1, 0, 1, 1, 0, 0, 2, 0, 0, 1, 3};
    options.has_extrinsics = true;
    memcpy(options.extrinsics, matrix, sizeof matrix);
    decode_one(&options, 0);
    for (unsigned i = 0; i < 32; i++) {
        struct got p = got_point(out[0] + i * 22);
        assert_true(fabsf(p.x - (1 - before[i].y)) < 1e-5f);
        assert_true(fabsf(p.y - (2 + before[i].x)) < 1e-5f);
        assert_true(fabsf(p.z - (3 + before[i].z)) < 1e-5f);
        assert_true(p.intensity == before[i].intensity && p.ring == before[i].ring);
    }
}

static void ranges_outside_the_limits_are_holes(void **unused)
{
    (void)unused;
    static const struct {
        float min, max;
        bool is_hole;
    } cases[] = {
        {0, 0, false},       {20, 20, false},     {20.002f, 0, true}, {0, 19.998f, true},
        {19.998f, 0, false}, {0, 20.002f, false}, {200, 0, true},     {20.0005f, 0, true},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct lidar_block_options options = {.range_min_m = cases[i].min,
                                              .range_max_m = cases[i].max};
        decode_one(&options, 0);
        for (unsigned at = 0; at < 32; at++) {
            struct got p = got_point(out[0] + at * 22);
            assert_int_equal(isnan(p.x) != 0, cases[i].is_hole);
            assert_int_equal(isnan(p.y) != 0, cases[i].is_hole);
            assert_int_equal(isnan(p.z) != 0, cases[i].is_hole);
            assert_int_equal(p.ring, at % 16);
            assert_true(p.time >= 0.5f);
            if (cases[i].is_hole)
                assert_true(p.intensity == 0);
        }
    }
}

static void hole_column_keeps_ring_and_time(void **unused)
{
    (void)unused;
    struct lidar_block_options options = {0};
    lidar_block_init(&one, NULL, velodyne_models[0], &options, 0);
    lidar_block_hole(&one, out[0], 0.25f);
    sl_stream_fence();
    for (unsigned ring = 0; ring < 16; ring++) {
        unsigned laser = ring < 8 ? 2 * ring : 2 * (ring - 8) + 1;
        struct got p = got_point(out[0] + ring * 22);
        assert_true(isnan(p.x) && isnan(p.y) && isnan(p.z) && p.intensity == 0);
        assert_int_equal(p.ring, ring);
        assert_true(fabs((double)p.time - 0.25 - 2.304e-6 * laser) < 6e-8);
    }
}

/* A turn to the left by 40 degrees, and an offset. */
static void set_mounting(struct lidar_block_options *options)
{
    const double angle = 40 * M_PI / 180;
    const float matrix[12] = {(float)cos(angle),
                              (float)-sin(angle),
                              0,
                              3,
                              (float)sin(angle),
                              (float)cos(angle),
                              0,
                              -2,
                              0,
                              0,
                              1,
                              1.5f};
    options->has_extrinsics = true;
    memcpy(options->extrinsics, matrix, sizeof matrix);
}

/* The same jobs without a filter and with it: each point that is not wanted is a hole with its ring
 * and time, all others are the same. */
static void compare_filtered(const struct lidar_block_kernel *kernel,
                             const struct lidar_model *model)
{
    struct lidar_block_options open = {0}, options = {0};
    struct lidar_block_job jobs[LIDAR_BLOCKS_MAX], done[2][LIDAR_BLOCKS_MAX];
    options.filter = random_filter(random_double);
    if (random_next() % 2) {
        set_mounting(&options);
        set_mounting(&open);
    }
    unsigned index = random_next() % lidar_block_count(model);
    lidar_block_init(&one, kernel, model, &open, index);
    lidar_block_init(&other, kernel, model, &options, index);
    fill_wire();
    memset(out, 0x77, sizeof out);
    unsigned count = fill_jobs(jobs, out[0]);
    for (unsigned i = 0; model->lasers >= 32 && i < count; i++)
        jobs[i].is_left_out[1] = jobs[i].is_left_out[0];
    for (unsigned i = 0; i < count; i++)
        jobs[i].order = (uint8_t)(random_next() % lidar_model_orders(model));
    run_jobs(&one, jobs, count, out[0], out[0], 438, done[0]);
    run_jobs(&other, jobs, count, out[0], out[1], 438, done[1]);
    for (unsigned i = 0; i < 2 * count; i++) {
        unsigned half = i % 2, valid = 0, filtered = 0;
        if (!jobs[i / 2].to[half])
            continue;
        for (unsigned at = 0; at < LIDAR_HALF_POINTS; at++) {
            const uint8_t *to = jobs[i / 2].to[half] + at * LIDAR_POINT_BYTES;
            struct got before = got_point(to), p = got_point(out[1] + (to - out[0]));
            double frame[3] = {(double)before.x, (double)before.y, (double)before.z};
            double sensor[3] = {frame[0], frame[1], frame[2]};
            if (options.has_extrinsics) {
                double x = frame[0] - 3, y = frame[1] + 2, angle = 40 * M_PI / 180;
                sensor[0] = cos(angle) * x + sin(angle) * y;
                sensor[1] = cos(angle) * y - sin(angle) * x;
            }
            int expected = filter_expected(&options.filter, before.ring, sensor, frame);
            if (other.is_filtered && jobs[i / 2].is_left_out[half])
                expected = 0;
            if (expected < 0)
                expected = !isnan(p.x);
            if (isnan(before.x) || expected == 1)
                assert_memory_equal(to, out[1] + (to - out[0]), LIDAR_POINT_BYTES);
            else
                assert_true(isnan(p.x) && isnan(p.y) && isnan(p.z) && p.intensity == 0 &&
                            p.ring == before.ring && p.time == before.time);
            valid += !isnan(p.x);
            filtered += isnan(p.x) && !isnan(before.x);
        }
        assert_int_equal(done[1][i / 2].valid[half], valid);
        if (other.is_filtered)
            assert_int_equal(done[1][i / 2].filtered[half], filtered);
        else
            assert_int_equal(filtered, 0);
    }
}

static void what_is_not_wanted_is_never_a_point(void **unused)
{
    (void)unused;
    make_strange();
    struct lidar_beam beams[LIDAR_LASERS_MAX] = {0};
    struct lidar_model measured = wide, odd = strange;
    measured.beams = odd.beams = beams;
    odd.firing_orders = 0;
    odd.firing_us = NULL;
    const struct lidar_model *const models[] = {
        velodyne_models[0], &wide, &strange, &measured, &odd, hesai_model_find("pandar128")};
    for (const struct lidar_block_kernel *const *kernel = lidar_block_kernels; *kernel; kernel++) {
        for (unsigned round = 0; lidar_simd_is_supported((*kernel)->simd) && round < FILTER_ROUNDS;
             round++)
            compare_filtered(*kernel, models[round % 6]);
    }
}

static void limits_of_range_are_counted_as_filtered(void **unused)
{
    (void)unused;
    static uint8_t elements[LIDAR_BLOCK_WIRE_BYTES + 1]; /* kernels may read it */
    struct lidar_block_options options = {.range_min_m = 10, .range_max_m = 15};
    for (unsigned i = 0; i < LIDAR_BLOCK_ELEMENTS; i++) /* 0, 2, 4 ... 62 m */
        sl_put_le16(elements + 3 * i, (uint16_t)(1000 * i));
    for (const struct lidar_block_kernel *const *kernel = lidar_block_kernels; *kernel; kernel++) {
        struct lidar_block_job job = {
            .wire = elements, .cosine = 1, .to = {out[0], out[0] + LIDAR_HALF_BYTES}};
        if (!lidar_simd_is_supported((*kernel)->simd))
            continue;
        lidar_block_init(&one, *kernel, velodyne_models[0], &options, 0);
        lidar_block_decode(&one, lidar_block_rate(&one, 438, 11), &job, 1);
        assert_int_equal(job.valid[0], 3); /* 10, 12, 14 */
        assert_int_equal(job.filtered[0], 12);
        assert_int_equal(job.valid[1], 0);
        assert_int_equal(job.filtered[1], 16);
    }
}

static void filters_that_hold_nothing_are_refused(void **unused)
{
    (void)unused;
    struct lidar_filter_options filter = {0};
    assert_int_equal(lidar_filter_check(&filter, 16), 0);
    filter.window_count = 1;
    assert_int_equal(lidar_filter_check(&filter, 16), -EINVAL); /* 0 to 0 */
    filter.windows[0] = (struct lidar_window){-200, 0};
    assert_int_equal(lidar_filter_check(&filter, 16), -EINVAL);
    filter.windows[0] = (struct lidar_window){170, -170};
    assert_int_equal(lidar_filter_check(&filter, 16), 0);
    filter.has_rings = true;
    assert_int_equal(lidar_filter_check(&filter, 16), -EINVAL);
    filter.rings[0] = 1u << 16;
    assert_int_equal(lidar_filter_check(&filter, 16), -EINVAL);
    assert_int_equal(lidar_filter_check(&filter, 0), 0);
    assert_int_equal(lidar_filter_check(&filter, 17), 0);
    filter.has_box = true;
    assert_int_equal(lidar_filter_check(&filter, 17), -EINVAL);
    for (unsigned i = 0; i < 3; i++)
        filter.box_max_m[i] = 1;
    assert_int_equal(lidar_filter_check(&filter, 17), 0);
}

/* The others are passed over in silence, here and in the tests of columns and lists. */
static void this_processor_has_every_instruction_set(void **unused)
{
    (void)unused;
    char has[LIDAR_SIMD_LIST_MAX];
    lidar_simd_list(has);
#if defined(__x86_64__)
    bool has_all = lidar_simd_is_supported(LIDAR_SIMD_AVX512);
#else
    bool has_all = true;
#endif
    if (has_all)
        return;
    printf("SKIP: kernels were tried with %s only, which is what this processor has\n", has);
    skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(this_processor_has_every_instruction_set),
        cmocka_unit_test(all_kernels_give_the_same_bits),
        cmocka_unit_test(points_lie_where_the_manual_says),
        cmocka_unit_test(hi_res_has_its_own_angles_and_origins),
        cmocka_unit_test(extrinsics_move_the_points),
        cmocka_unit_test(ranges_outside_the_limits_are_holes),
        cmocka_unit_test(hole_column_keeps_ring_and_time),
        cmocka_unit_test(what_is_not_wanted_is_never_a_point),
        cmocka_unit_test(limits_of_range_are_counted_as_filtered),
        cmocka_unit_test(filters_that_hold_nothing_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
