/* SPDX-License-Identifier: Apache-2.0 */
/* test_list_kernel.c - every kernel against the scalar one, bit by bit, and that one against
 * the formulas.
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
#include <sys/mman.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "core/uncached/stream.h"
#include "drivers/lidar/list_kernels.h"
#include "tests/lidar/filtering.h"

#define ROUNDS        20000
#define FILTER_ROUNDS 600
#define RADIANS       (3.14159265358979323846 / 180)
#define ROW_BYTES     (LIDAR_LIST_POINTS_MAX * 22)

static struct lidar_list one, other;
static _Alignas(64) uint8_t out[2][ROW_BYTES + 64];
static uint32_t state = 2463534242u;

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

/* Mostly within 60 m, some at the origin, some anything. */
static void fill_points(uint8_t *points, enum lidar_list_type type, unsigned count)
{
    for (unsigned i = 0; i < count; i++, points += lidar_list_stride[type]) {
        unsigned kind = random_next() % 8;
        for (unsigned at = 0; at < lidar_list_stride[type]; at++)
            points[at] = (uint8_t)(random_next() >> 7);
        unsigned coordinates = type == LIDAR_LIST_POLAR ? 1 : 3;
        for (unsigned axis = 0; kind < 6 && axis < coordinates; axis++) {
            int32_t value = (int32_t)(random_next() % 120000) - 60000;
            if (type == LIDAR_LIST_CM)
                sl_put_le16(points + 2 * axis, (uint16_t)(value / 10));
            else
                sl_put_le32(points + 4 * axis,
                            (uint32_t)(type == LIDAR_LIST_MM ? value : abs(value)));
        }
        if (kind == 6)
            memset(points, 0, type == LIDAR_LIST_CM ? 6 : 12 - 8 * (type == LIDAR_LIST_POLAR));
    }
}

static struct lidar_block_options random_options(void)
{
    struct lidar_block_options options = {0};
    if (random_next() % 2)
        options.range_min_m = random_unit() * 20;
    if (random_next() % 2)
        options.range_max_m = options.range_min_m + random_unit() * 60;
    options.has_extrinsics = random_next() % 2;
    for (unsigned i = 0; i < 12; i++)
        options.extrinsics[i] = random_unit() * 4 - 2;
    if (random_next() % 2)
        options.filter = random_filter(random_double);
    return options;
}

/* Memory behind which there is none. */
static uint8_t *wall;

static void build_wall(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *pages =
        mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(pages, MAP_FAILED);
    wall = pages + page;
    assert_int_equal(mprotect(wall, page, PROT_NONE), 0);
}

/* Nothing is read beyond the list. */
static void compare(enum lidar_list_type type, unsigned count, unsigned width)
{
    uint8_t *points = wall - (size_t)count * lidar_list_stride[type];
    fill_points(points, type, count);
    struct lidar_list_job jobs[2];
    jobs[0] = (struct lidar_list_job){
        .points = points,
        .type = type,
        .count = count,
        .time_s = (double)random_unit(),
        .step_s = (double)random_unit() * 1e-5,
    };
    jobs[1] = jobs[0];
    memset(out, 0x77, sizeof out);
    lidar_list_decode(&one, &jobs[0], out[0], width);
    lidar_list_decode(&other, &jobs[1], out[1], width);
    sl_stream_fence();
    assert_memory_equal(out[0], out[1], sizeof out[0]);
    assert_int_equal(out[0][(size_t)width * 22], 0x77);
    assert_int_equal(jobs[0].valid, jobs[1].valid);
    assert_int_equal(jobs[0].filtered, jobs[1].filtered);
}

static void all_kernels_give_the_same_bits(void **unused)
{
    (void)unused;
    build_wall();
    for (const struct lidar_list_kernel *const *kernel = lidar_list_kernels; *kernel; kernel++) {
        if (!lidar_simd_is_supported((*kernel)->simd))
            continue;
        for (unsigned round = 0; round < ROUNDS; round++) {
            if (round % 64 == 0) {
                struct lidar_block_options options = random_options();
                uint8_t tags = (uint8_t)(random_next() % 4 ? random_next() & 0x3F : 0);
                unsigned lines = 1 + random_next() % 6;
                lidar_list_init(&one, *kernel, &options, tags, lines);
                lidar_list_init(&other, &lidar_list_kernel_scalar, &options, tags, lines);
            }
            unsigned count = random_next() % 3 ? 96 : random_next() % (LIDAR_LIST_POINTS_MAX + 1);
            unsigned width = count + random_next() % (LIDAR_LIST_POINTS_MAX - count + 1);
            compare((enum lidar_list_type)(random_next() % LIDAR_LIST_TYPES), count, width);
        }
    }
}

static float get_float(const uint8_t *at)
{
    float value;
    memcpy(&value, at, sizeof value);
    return value;
}

static void check_point(const uint8_t *point, double x, double y, double z)
{
    assert_true(fabs((double)get_float(point) - x) < 1e-5);
    assert_true(fabs((double)get_float(point + 4) - y) < 1e-5);
    assert_true(fabs((double)get_float(point + 8) - z) < 1e-5);
}

static struct lidar_list_job job_of(const uint8_t *points, enum lidar_list_type type,
                                    unsigned count)
{
    return (struct lidar_list_job){
        .points = points, .type = type, .count = count, .time_s = 0.25, .step_s = 5e-6};
}

static void points_are_where_the_formulas_say(void **unused)
{
    (void)unused;
    static uint8_t mm[2 * 14], cm[2 * 8], polar[3 * 10];
    const struct lidar_block_options options = {0};
    sl_put_le32(mm, (uint32_t)-1234);
    sl_put_le32(mm + 4, 56789);
    sl_put_le32(mm + 8, (uint32_t)-3);
    mm[12] = 200;
    mm[13] = 0xFF; /* whatever the tag says, if nobody asks */
    sl_put_le16(cm, (uint16_t)-1234);
    sl_put_le16(cm + 2, 5678);
    sl_put_le16(cm + 4, (uint16_t)-9);
    cm[6] = 201;
    sl_put_le32(polar, 12345);
    sl_put_le16(polar + 4, 6001);
    sl_put_le16(polar + 6, 31002);
    polar[8] = 202;
    sl_put_le32(polar + 10, 12345);
    sl_put_le16(polar + 14, 18001); /* no angle */
    sl_put_le32(polar + 20, 12345);
    sl_put_le16(polar + 26, 36001);
    for (const struct lidar_list_kernel *const *kernel = lidar_list_kernels; *kernel; kernel++) {
        if (!lidar_simd_is_supported((*kernel)->simd))
            continue;
        lidar_list_init(&one, *kernel, &options, 0, 4);
        struct lidar_list_job job = job_of(mm, LIDAR_LIST_MM, 2);
        lidar_list_decode(&one, &job, out[0], 6);
        check_point(out[0], -1.234, 56.789, -0.003);
        assert_true(get_float(out[0] + 12) == 200);
        assert_int_equal(job.valid, 1);
        for (unsigned i = 0; i < 6; i++) {
            assert_int_equal(isnan(get_float(out[0] + 22 * i)), i > 0);
            assert_int_equal(sl_get_le16(out[0] + 22 * i + 16), i % 4);
            assert_true(fabs((double)get_float(out[0] + 22 * i + 18) - 0.25 - i * 5e-6) < 2e-8);
        }
        job = job_of(cm, LIDAR_LIST_CM, 2);
        lidar_list_decode(&one, &job, out[0], 2);
        check_point(out[0], -12.34, 56.78, -0.09);
        assert_true(get_float(out[0] + 12) == 201);
        job = job_of(polar, LIDAR_LIST_POLAR, 3);
        lidar_list_decode(&one, &job, out[0], 3);
        double theta = 60.01 * RADIANS, phi = 310.02 * RADIANS;
        check_point(out[0], 12.345 * sin(theta) * cos(phi), 12.345 * sin(theta) * sin(phi),
                    12.345 * cos(theta));
        assert_true(get_float(out[0] + 12) == 202);
        assert_int_equal(job.valid, 1);
    }
}

/* 3, 4, 12: 13 m away. */
static unsigned valid_of(const struct lidar_list_kernel *kernel, float min_m, float max_m,
                         uint8_t unwanted, uint8_t tag)
{
    uint8_t points[14] = {0};
    const struct lidar_block_options options = {.range_min_m = min_m, .range_max_m = max_m};
    sl_put_le32(points, 3000);
    sl_put_le32(points + 4, 4000);
    sl_put_le32(points + 8, 12000);
    points[13] = tag;
    lidar_list_init(&one, kernel, &options, unwanted, 4);
    struct lidar_list_job job = job_of(points, LIDAR_LIST_MM, 1);
    lidar_list_decode(&one, &job, out[0], 1);
    assert_int_equal(job.valid + job.filtered, 1);
    return job.valid;
}

static void points_out_of_range_or_with_unwanted_tags_are_holes(void **unused)
{
    (void)unused;
    for (const struct lidar_list_kernel *const *kernel = lidar_list_kernels; *kernel; kernel++) {
        if (!lidar_simd_is_supported((*kernel)->simd))
            continue;
        assert_int_equal(valid_of(*kernel, 0, 0, 0, 0xFF), 1);
        assert_int_equal(valid_of(*kernel, 12.99f, 13.01f, 0, 0), 1);
        assert_int_equal(valid_of(*kernel, 13.01f, 0, 0, 0), 0);
        assert_int_equal(valid_of(*kernel, 0, 12.99f, 0, 0), 0);
        assert_int_equal(valid_of(*kernel, 0, 0, 0x2A, 0x15), 1);
        assert_int_equal(valid_of(*kernel, 0, 0, 0x2A, 0x20), 0);
        assert_int_equal(valid_of(*kernel, 0, 0, 0x3F, 0x10), 0);
    }
}

/* 1 m, exactly. */
static void limits_are_within(void **unused)
{
    (void)unused;
    uint8_t points[8] = {100};
    for (const struct lidar_list_kernel *const *kernel = lidar_list_kernels; *kernel; kernel++) {
        const struct lidar_block_options options = {.range_min_m = 1, .range_max_m = 1};
        if (!lidar_simd_is_supported((*kernel)->simd))
            continue;
        lidar_list_init(&one, *kernel, &options, 0, 4);
        struct lidar_list_job job = job_of(points, LIDAR_LIST_CM, 1);
        lidar_list_decode(&one, &job, out[0], 1);
        assert_int_equal(job.valid, 1);
    }
}

/* The same list without a filter and with it, the sensor 3 m ahead, looking to the left: what is
 * not wanted is a hole with its ring and time, all others are the same. */
static void compare_filtered(const struct lidar_list_kernel *kernel, enum lidar_list_type type)
{
    static const float quarter_turn[12] = {0, -1, 0, 3, 1, 0, 0, 0, 0, 0, 1, 1};
    static uint8_t points[96 * 14];
    struct lidar_block_options options = {.has_extrinsics = random_next() % 2};
    memcpy(options.extrinsics, quarter_turn, sizeof quarter_turn);
    lidar_list_init(&one, kernel, &options, 0, 6);
    options.filter = random_filter(random_double);
    lidar_list_init(&other, kernel, &options, 0, 6);
    fill_points(points, type, 96);
    struct lidar_list_job jobs[2] = {job_of(points, type, 96), job_of(points, type, 96)};
    lidar_list_decode(&one, &jobs[0], out[0], 96);
    lidar_list_decode(&other, &jobs[1], out[1], 96);
    sl_stream_fence();
    unsigned valid = 0, filtered = 0;
    for (unsigned i = 0; i < 96; i++) {
        const uint8_t *before = out[0] + 22 * i, *p = out[1] + 22 * i;
        double frame[3] = {(double)get_float(before), (double)get_float(before + 4),
                           (double)get_float(before + 8)};
        double seen[3] = {options.has_extrinsics ? frame[1] : frame[0],
                          options.has_extrinsics ? 3 - frame[0] : frame[1]};
        int expected = filter_expected(&options.filter, i % 6, seen, frame);
        if (expected < 0)
            expected = !isnan(get_float(p));
        if (isnan(frame[0]) || expected == 1)
            assert_memory_equal(before, p, 22);
        else
            assert_true(isnan(get_float(p)) && isnan(get_float(p + 4)) && isnan(get_float(p + 8)) &&
                        get_float(p + 12) == 0 && memcmp(before + 16, p + 16, 6) == 0);
        valid += !isnan(get_float(p));
        filtered += isnan(get_float(p)) && !isnan(frame[0]);
    }
    assert_int_equal(jobs[0].filtered, 0);
    assert_int_equal(jobs[1].valid, valid);
    assert_int_equal(jobs[1].filtered, filtered);
}

static void what_is_not_wanted_is_never_a_point(void **unused)
{
    (void)unused;
    for (const struct lidar_list_kernel *const *kernel = lidar_list_kernels; *kernel; kernel++) {
        for (unsigned round = 0; lidar_simd_is_supported((*kernel)->simd) && round < FILTER_ROUNDS;
             round++)
            compare_filtered(*kernel, (enum lidar_list_type)(round % LIDAR_LIST_TYPES));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_kernels_give_the_same_bits),
        cmocka_unit_test(points_are_where_the_formulas_say),
        cmocka_unit_test(points_out_of_range_or_with_unwanted_tags_are_holes),
        cmocka_unit_test(limits_are_within),
        cmocka_unit_test(what_is_not_wanted_is_never_a_point),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
