/* SPDX-License-Identifier: Apache-2.0 */
/* test_column_kernel.c - every kernel against the scalar one, bit by bit, and against the formula
 * of the manual in double precision.
 */
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
#include "core/uncached/stream.h"
#include "drivers/lidar/column_kernels.h"
#include "tests/emulated.h"
#include "tests/lidar/filtering.h"

#define ROUNDS       (SLUICE_EMULATED ? 200 : 1000)
#define COLUMNS      4
#define COLUMN_BYTES (LIDAR_COLUMN_ROWS_MAX * LIDAR_POINT_BYTES)
#define PI           3.14159265358979323846

static struct lidar_column one, other;
static double altitude[LIDAR_COLUMN_ROWS_MAX], azimuth[LIDAR_COLUMN_ROWS_MAX];
static _Alignas(64) uint8_t out[2][COLUMNS * 2 * COLUMN_BYTES + 64];
static uint32_t state = 2463534242u;

static uint32_t random_next(void)
{
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

static double random_unit(void)
{
    return (random_next() >> 8) / 16777216.0;
}

static struct lidar_column_bits random_bits(unsigned words)
{
    unsigned width = 1 + random_next() % 20, scale = random_next() % 4;
    return (struct lidar_column_bits){
        .word = (uint8_t)(random_next() % words),
        .shift = (uint8_t)(random_next() % (33 - width)),
        .scale = (uint8_t)scale,
        .mask = (1u << width) - 1,
    };
}

static const double identity[12] = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0};

static struct lidar_column_config random_config(void)
{
    struct lidar_column_config config = {
        .rows = LIDAR_GROUP_POINTS * (1 + random_next() % LIDAR_GROUPS_MAX),
        .pixel_words = 1 + random_next() % LIDAR_COLUMN_WORDS_MAX,
        .returns = 1 + random_next() % 2,
        .altitude_deg = altitude,
        .azimuth_deg = azimuth,
        .origin_x_m = random_unit() * 0.03,
        .origin_z_m = random_next() % 2 ? random_unit() * 0.03 : 0,
    };
    for (unsigned i = 0; i < config.returns; i++) {
        config.range[i] = random_bits(config.pixel_words);
        config.intensity[i] = random_bits(config.pixel_words);
    }
    for (unsigned i = 0; i < LIDAR_COLUMN_ROWS_MAX; i++) {
        altitude[i] = random_unit() * 90 - 45;
        azimuth[i] = random_unit() * 24 - 12;
    }
    for (unsigned i = 0; i < 12; i++)
        config.to_frame[i] = random_unit() * 4 - 2;
    if (random_next() % 2) { /* upright, as a sensor's own transform is; zeros keep their signs */
        config.to_frame[2] = config.to_frame[6] = config.to_frame[8] = config.to_frame[9] = 0;
        altitude[3] = 0;
        if (random_next() % 2)
            config.origin_z_m = config.to_frame[11] = 0;
    }
    if (random_next() % 2)
        config.range_min_m = (float)random_unit() * 20;
    if (random_next() % 2)
        config.range_max_m = config.range_min_m + (float)random_unit() * 120;
    config.has_extrinsics = random_next() % 2;
    for (unsigned i = 0; i < 12; i++)
        config.extrinsics[i] = (float)random_unit() * 4 - 2;
    if (random_next() % 2)
        config.filter = random_filter(random_unit);
    return config;
}

/* Exactly as large as they are, so that a byte too many is seen. */
static uint8_t *random_pixels(const struct lidar_column_config *config)
{
    size_t size = (size_t)config->rows * config->pixel_words * 4;
    uint8_t *pixels = malloc(size);
    assert_non_null(pixels);
    for (size_t i = 0; i < size; i++)
        pixels[i] = random_next() % 8 ? (uint8_t)(random_next() >> 8) : 0;
    return pixels;
}

static void run_jobs(struct lidar_column *column, const struct lidar_column_job *jobs,
                     unsigned count, uint8_t *to, struct lidar_column_job *ret_done)
{
    memcpy(ret_done, jobs, count * sizeof *jobs);
    for (unsigned i = 0; i < count; i++) {
        for (unsigned which = 0; which < 2; which++) {
            if (jobs[i].to[which])
                ret_done[i].to[which] = to + (jobs[i].to[which] - out[0]);
        }
    }
    lidar_column_decode(column, ret_done, count);
    sl_stream_fence();
}

static void compare_round(const struct lidar_column_config *config)
{
    struct lidar_column_job jobs[COLUMNS] = {0}, done[2][COLUMNS];
    unsigned count = 1 + random_next() % COLUMNS;
    uint8_t *to = out[0] + random_next() % 2 * LIDAR_COLUMN_ALIGNMENT;
    uint8_t *pixels[COLUMNS];
    for (unsigned i = 0; i < count; i++) {
        double te = random_unit() * 2 * PI;
        pixels[i] = random_pixels(config);
        jobs[i] = (struct lidar_column_job){.pixels = pixels[i],
                                            .cosine = cos(te),
                                            .sine = sin(te),
                                            .time_s = (float)random_unit(),
                                            .is_left_out = random_next() % 4 == 0};
        for (unsigned which = 0; which < config->returns; which++) {
            if (random_next() % 4)
                jobs[i].to[which] = to + (2 * i + which) * COLUMN_BYTES;
        }
    }
    memset(out, 0x77, sizeof out);
    run_jobs(&one, jobs, count, out[0], done[0]);
    run_jobs(&other, jobs, count, out[1], done[1]);
    assert_memory_equal(out[0], out[1], sizeof out[0]);
    for (unsigned i = 0; i < count; i++) {
        for (unsigned which = 0; which < 2; which++) {
            if (!jobs[i].to[which])
                continue;
            assert_int_equal(done[0][i].valid[which], done[1][i].valid[which]);
            if (one.is_filtered)
                assert_int_equal(done[0][i].filtered[which], done[1][i].filtered[which]);
        }
        free(pixels[i]);
    }
}

static void all_kernels_give_the_same_bits(void **unused)
{
    (void)unused;
    for (const struct lidar_column_kernel *const *kernel = lidar_column_kernels; *kernel;
         kernel++) {
        if (!lidar_simd_is_supported((*kernel)->simd))
            continue;
        struct lidar_column_config config = {0};
        for (unsigned round = 0; round < ROUNDS; round++) {
            if (round % 16 == 0) {
                config = random_config();
                lidar_column_init(&one, *kernel, &config);
                lidar_column_init(&other, &lidar_column_kernel_scalar, &config);
            }
            compare_round(&config);
        }
    }
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

/* An OS-0's numbers: range in the low 19 bits of word 0, reflectivity in the top 8. */
static struct lidar_column_config plain_config(unsigned rows)
{
    struct lidar_column_config config = {
        .rows = rows,
        .pixel_words = 1,
        .returns = 1,
        .range = {{.mask = 0x7FFFF}},
        .intensity = {{.shift = 24, .mask = 0xFF}},
        .altitude_deg = altitude,
        .azimuth_deg = azimuth,
        .origin_x_m = 0.02767,
    };
    memcpy(config.to_frame, identity, sizeof identity);
    for (unsigned i = 0; i < LIDAR_COLUMN_ROWS_MAX; i++) {
        altitude[i] = 45 - 0.7 * i;
        azimuth[i] = 4 - 2.5 * (i % 4);
    }
    return config;
}

/* Within 1e-6 m of what the formula says; beyond 16 m a float cannot be nearer than half of its
 * own step. */
static bool is_near(float got, double expected)
{
    float step = nextafterf(fabsf((float)expected), INFINITY) - fabsf((float)expected);
    return fabs((double)got - expected) <= fmax(1e-6, 0.501 * (double)step);
}

/* Written as the manual has it, in millimetres, with the angles added. */
static void points_lie_where_the_manual_says(void **unused)
{
    (void)unused;
    const unsigned columns = 1024;
    static uint8_t pixels[LIDAR_COLUMN_ROWS_MAX * 4];
    for (unsigned variant = 0; variant < 2; variant++) {
        struct lidar_column_config config = plain_config(128);
        /* the dome's beams begin beside their plane, too; the sensor's frame is turned and higher
         */
        config.origin_z_m = variant ? 0.008 : 0;
        config.to_frame[0] = config.to_frame[5] = -1;
        config.to_frame[11] = 0.03618;
        lidar_column_init(&one, NULL, &config);
        for (unsigned m = 0; m < columns; m += 7) {
            double te = 2 * PI * (1 - (double)m / columns);
            for (unsigned row = 0; row < 128; row++)
                sl_put_le32(pixels + 4 * row, (1 + (row * 4099 + m * 31) % 300000) | row << 24);
            struct lidar_column_job job = {.pixels = pixels,
                                           .cosine = cos(te),
                                           .sine = sin(te),
                                           .time_s = 0.25f,
                                           .to = {out[0]}};
            lidar_column_decode(&one, &job, 1);
            sl_stream_fence();
            assert_int_equal(job.valid[0], 128);
            for (unsigned row = 0; row < 128; row++) {
                double r = 1 + (row * 4099 + m * 31) % 300000;
                double ph = altitude[row] * PI / 180, ta = -azimuth[row] * PI / 180;
                double bx = 27.67, bz = variant ? 8 : 0, n = sqrt(bx * bx + bz * bz);
                double x = (r - n) * cos(te + ta) * cos(ph) + bx * cos(te);
                double y = (r - n) * sin(te + ta) * cos(ph) + bx * sin(te);
                double z = (r - n) * sin(ph) + bz;
                struct got p = got_point(out[0] + row * 22);
                assert_true(is_near(p.x, -x * 0.001));
                assert_true(is_near(p.y, -y * 0.001));
                assert_true(is_near(p.z, (z + 36.18) * 0.001));
                assert_int_equal(p.ring, row);
                assert_true(p.intensity == (float)row && p.time == 0.25f);
            }
        }
    }
}

static void second_returns_have_their_own_fields_and_places(void **unused)
{
    (void)unused;
    static uint8_t pixels[16 * 16];
    struct lidar_column_config config = plain_config(16);
    config.pixel_words = 4;
    config.returns = 2;
    config.range[1] = (struct lidar_column_bits){.word = 1, .mask = 0x7FFFF};
    config.intensity[1] = (struct lidar_column_bits){.word = 2, .shift = 16, .mask = 0xFFFF};
    memset(pixels, 0xEE, sizeof pixels);
    for (unsigned row = 0; row < 16; row++) {
        sl_put_le32(pixels + row * 16, 5000 | 9u << 24);
        sl_put_le32(pixels + row * 16 + 4, row % 2 ? 0 : 7000);
        sl_put_le32(pixels + row * 16 + 8, (1000 + row) << 16);
    }
    lidar_column_init(&one, NULL, &config);
    struct lidar_column_job job = {.pixels = pixels, .cosine = 1, .to = {out[0], out[1]}};
    lidar_column_decode(&one, &job, 1);
    sl_stream_fence();
    assert_int_equal(job.valid[0], 16);
    assert_int_equal(job.valid[1], 8);
    for (unsigned row = 0; row < 16; row++) {
        struct got first = got_point(out[0] + row * 22), second = got_point(out[1] + row * 22);
        double ph = altitude[row] * PI / 180;
        assert_true(is_near(first.z, (5 - 0.02767) * sin(ph)));
        assert_true(first.intensity == 9 && second.ring == row);
        if (row % 2)
            assert_true(isnan(second.x) && isnan(second.y) && isnan(second.z) &&
                        second.intensity == 0);
        else
            assert_true(is_near(second.z, (7 - 0.02767) * sin(ph)) &&
                        second.intensity == (float)(1000 + row));
    }
}

static void ranges_outside_the_limits_are_holes(void **unused)
{
    (void)unused;
    static const struct {
        float min, max;
        uint32_t raw;
        bool is_hole;
    } cases[] = {
        {0, 0, 0, true},
        {0, 0, 1, false},
        {20, 20, 20000, false},
        {20.001f, 0, 20000, true},
        {0, 19.999f, 20000, true},
        {19.999f, 0, 20000, false},
        {0, 20.001f, 20000, false},
        {600, 0, 524287, true},
        {20.0005f, 0, 20000, true},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        static uint8_t pixels[16 * 4];
        struct lidar_column_config config = plain_config(16);
        config.range_min_m = cases[i].min;
        config.range_max_m = cases[i].max;
        lidar_column_init(&one, NULL, &config);
        for (unsigned row = 0; row < 16; row++)
            sl_put_le32(pixels + 4 * row, cases[i].raw | 7u << 24);
        struct lidar_column_job job = {
            .pixels = pixels, .cosine = 1, .time_s = 0.5f, .to = {out[0]}};
        lidar_column_decode(&one, &job, 1);
        sl_stream_fence();
        assert_int_equal(job.valid[0], cases[i].is_hole ? 0 : 16);
        for (unsigned row = 0; row < 16; row++) {
            struct got p = got_point(out[0] + row * 22);
            assert_int_equal(isnan(p.x) != 0, cases[i].is_hole);
            assert_int_equal(isnan(p.y) != 0, cases[i].is_hole);
            assert_int_equal(isnan(p.z) != 0, cases[i].is_hole);
            assert_true(p.ring == row && p.time == 0.5f);
            assert_true(p.intensity == (cases[i].is_hole ? 0 : 7));
        }
    }
}

static void a_hole_column_keeps_ring_and_time(void **unused)
{
    (void)unused;
    struct lidar_column_config config = plain_config(64);
    lidar_column_init(&one, NULL, &config);
    memset(out, 0x77, sizeof out);
    lidar_column_hole(&one, out[0], 0.125f);
    sl_stream_fence();
    for (unsigned row = 0; row < 64; row++) {
        struct got p = got_point(out[0] + row * 22);
        assert_true(isnan(p.x) && isnan(p.y) && isnan(p.z) && p.intensity == 0);
        assert_true(p.ring == row && p.time == 0.125f);
    }
    assert_int_equal(out[0][64 * 22], 0x77);
}

/* One column without a filter and with it. The sensor stands 3 m ahead and looks to the left. */
static void compare_filtered(const struct lidar_column_kernel *kernel)
{
    static const float quarter_turn[12] = {0, -1, 0, 3, 1, 0, 0, 0, 0, 0, 1, 1};
    static uint8_t pixels[128 * 4];
    struct lidar_column_config config = plain_config(128);
    bool is_mounted = random_next() % 2;
    double te = random_unit() * 2 * PI;
    for (unsigned i = 0; is_mounted && i < 12; i++)
        config.to_frame[i] = (double)quarter_turn[i];
    for (unsigned row = 0; row < 128; row++)
        sl_put_le32(pixels + 4 * row, random_next() % 8 ? random_next() % 50000 | row << 24 : 0);
    struct lidar_column_job jobs[2] = {
        {.pixels = pixels, .cosine = cos(te), .sine = sin(te), .time_s = 0.25f, .to = {out[0]}}};
    jobs[0].is_left_out = random_next() % 4 == 0;
    jobs[1] = jobs[0];
    jobs[1].to[0] = out[1];
    lidar_column_init(&one, kernel, &config);
    config.filter = random_filter(random_unit);
    config.has_extrinsics = is_mounted;
    memcpy(config.extrinsics, quarter_turn, sizeof quarter_turn);
    lidar_column_init(&other, kernel, &config);
    lidar_column_decode(&one, &jobs[0], 1);
    lidar_column_decode(&other, &jobs[1], 1);
    unsigned valid = 0, filtered = 0;
    for (unsigned row = 0; row < 128; row++) {
        struct got before = got_point(out[0] + row * 22), p = got_point(out[1] + row * 22);
        double frame[3] = {(double)before.x, (double)before.y, (double)before.z};
        double seen[3] = {is_mounted ? frame[1] : frame[0], is_mounted ? 3 - frame[0] : frame[1]};
        int expected = filter_expected(&config.filter, row, seen, frame);
        if (other.is_filtered && jobs[0].is_left_out)
            expected = 0;
        if (expected < 0)
            expected = !isnan(p.x);
        if (isnan(before.x) || expected == 1)
            assert_memory_equal(out[0] + row * 22, out[1] + row * 22, 22);
        else
            assert_true(isnan(p.x) && isnan(p.y) && isnan(p.z) && p.intensity == 0 &&
                        p.ring == row && p.time == 0.25f);
        valid += !isnan(p.x);
        filtered += isnan(p.x) && !isnan(before.x);
    }
    assert_int_equal(jobs[1].valid[0], valid);
    assert_int_equal(other.is_filtered ? jobs[1].filtered[0] : 0, filtered);
}

static void what_is_not_wanted_is_never_a_point(void **unused)
{
    (void)unused;
    for (const struct lidar_column_kernel *const *kernel = lidar_column_kernels; *kernel;
         kernel++) {
        for (unsigned round = 0; lidar_simd_is_supported((*kernel)->simd) && round < ROUNDS;
             round++)
            compare_filtered(*kernel);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_kernels_give_the_same_bits),
        cmocka_unit_test(points_lie_where_the_manual_says),
        cmocka_unit_test(second_returns_have_their_own_fields_and_places),
        cmocka_unit_test(ranges_outside_the_limits_are_holes),
        cmocka_unit_test(a_hole_column_keeps_ring_and_time),
        cmocka_unit_test(what_is_not_wanted_is_never_a_point),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
