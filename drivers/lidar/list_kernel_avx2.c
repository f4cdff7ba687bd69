/* SPDX-License-Identifier: Apache-2.0 */
/* list_kernel_avx2.c - 8 points at a time, put at their place in the staging, whose rings are
 * filled in.
 *
 * A point on the wire is brought to four words (x, y, z, and reflectivity and tag); eight of them,
 * transposed, are a register each of x, y, z and the rest. What is left over at the end of the list
 * goes through a small copy, so that nothing is read beyond it. Polar lists are the plain kernel's:
 * they live by their tables.
 *
 * This file is compiled with -mavx2 -mpopcnt; nothing of it runs elsewhere.
 */
#if defined(__x86_64__)

#include <immintrin.h>
#include <string.h>

#include "drivers/lidar/list_kernels.h"
#include "drivers/lidar/point_filter_avx2.h"

/* One function in the end: values stay in registers. */
#define INLINE static inline __attribute__((always_inline))

#define LANES       8
#define STRIDE_MAX  14
#define LOAD_BYTES  16 /* of a point, whatever its stride */
#define SPARE_BYTES (LANES * STRIDE_MAX + LOAD_BYTES)
#define TAG_SHIFT   8
#define BYTE_MASK   0xFF

struct eight {
    __m256i x, y, z, rest;
};

/* Words x, y, z and one whose lowest bytes are reflectivity and tag. */
INLINE __m128i load_point(const uint8_t *at, enum lidar_list_type type)
{
    if (type == LIDAR_LIST_MM)
        return _mm_loadu_si128((const __m128i *)(const void *)at);
    return _mm_cvtepi16_epi32(_mm_loadl_epi64((const __m128i *)(const void *)at));
}

INLINE __m256i load_two(const uint8_t *at, size_t stride, enum lidar_list_type type)
{
    return _mm256_set_m128i(load_point(at + 4 * stride, type), load_point(at, type));
}

INLINE struct eight load_eight(const uint8_t *at, enum lidar_list_type type)
{
    size_t stride = lidar_list_stride[type];
    __m256i a = load_two(at, stride, type), b = load_two(at + stride, stride, type);
    __m256i c = load_two(at + 2 * stride, stride, type),
            d = load_two(at + 3 * stride, stride, type);
    __m256i xy_ab = _mm256_unpacklo_epi32(a, b), xy_cd = _mm256_unpacklo_epi32(c, d);
    __m256i zr_ab = _mm256_unpackhi_epi32(a, b), zr_cd = _mm256_unpackhi_epi32(c, d);
    return (struct eight){
        .x = _mm256_unpacklo_epi64(xy_ab, xy_cd),
        .y = _mm256_unpackhi_epi64(xy_ab, xy_cd),
        .z = _mm256_unpacklo_epi64(zr_ab, zr_cd),
        .rest = _mm256_unpackhi_epi64(zr_ab, zr_cd),
    };
}

/* *ret_some = those that came back. */
INLINE __m256 find_valid(const struct lidar_list *list, __m256 x, __m256 y, __m256 z, __m256i rest,
                         __m256 *ret_some)
{
    __m256 r2 =
        _mm256_add_ps(_mm256_add_ps(_mm256_mul_ps(x, x), _mm256_mul_ps(y, y)), _mm256_mul_ps(z, z));
    __m256i unwanted = _mm256_and_si256(rest, _mm256_set1_epi32(list->unwanted_tags << TAG_SHIFT));
    __m256 is_wanted = _mm256_castsi256_ps(_mm256_cmpeq_epi32(unwanted, _mm256_setzero_si256()));
    __m256 is_far = _mm256_cmp_ps(r2, _mm256_set1_ps(list->range_min2), _CMP_GE_OQ);
    __m256 is_near = _mm256_cmp_ps(r2, _mm256_set1_ps(list->range_max2), _CMP_LE_OQ);
    __m256 is_some = _mm256_cmp_ps(r2, _mm256_setzero_ps(), _CMP_GT_OQ);
    *ret_some = is_some;
    return _mm256_and_ps(_mm256_and_ps(is_some, is_wanted), _mm256_and_ps(is_far, is_near));
}

INLINE __m256 row_of(const float m[4], __m256 x, __m256 y, __m256 z)
{
    __m256 sum = _mm256_add_ps(_mm256_mul_ps(_mm256_set1_ps(m[0]), x),
                               _mm256_mul_ps(_mm256_set1_ps(m[1]), y));
    sum = _mm256_add_ps(sum, _mm256_mul_ps(_mm256_set1_ps(m[2]), z));
    return _mm256_add_ps(sum, _mm256_set1_ps(m[3]));
}

INLINE void store_points(uint8_t *to, __m256 x, __m256 y, __m256 z, __m256 intensity)
{
    __m256 xy_low = _mm256_unpacklo_ps(x, y), xy_high = _mm256_unpackhi_ps(x, y);
    __m256 zi_low = _mm256_unpacklo_ps(z, intensity), zi_high = _mm256_unpackhi_ps(z, intensity);
    const __m256 points[4] = {
        _mm256_shuffle_ps(xy_low, zi_low, 0x44),
        _mm256_shuffle_ps(xy_low, zi_low, 0xEE),
        _mm256_shuffle_ps(xy_high, zi_high, 0x44),
        _mm256_shuffle_ps(xy_high, zi_high, 0xEE),
    };
    for (unsigned i = 0; i < 4; i++, to += LIDAR_POINT_BYTES) {
        _mm_storeu_ps((float *)(void *)to, _mm256_castps256_ps128(points[i]));
        _mm_storeu_ps((float *)(void *)(to + (size_t)4 * LIDAR_POINT_BYTES),
                      _mm256_extractf128_ps(points[i], 1));
    }
}

INLINE void store_times(uint8_t *to, double time_s, double step_s, unsigned first)
{
    float times[LANES];
    __m256d at = _mm256_setr_pd(first, first + 1, first + 2, first + 3);
    for (unsigned half = 0; half < 2; half++) {
        __m256d s =
            _mm256_add_pd(_mm256_set1_pd(time_s), _mm256_mul_pd(at, _mm256_set1_pd(step_s)));
        _mm_storeu_ps(times + (size_t)4 * half, _mm256_cvtpd_ps(s));
        at = _mm256_add_pd(at, _mm256_set1_pd(4));
    }
    for (unsigned i = 0; i < LANES; i++)
        memcpy(to + i * LIDAR_POINT_BYTES + LIDAR_POINT_TIME, &times[i], sizeof times[i]);
}

/* Those that are wanted, wherever they are in range. */
INLINE __m256 kept_points(const struct lidar_list *list, unsigned first, __m256 x, __m256 y,
                          __m256 z)
{
    __m256i rings = _mm256_load_si256((const __m256i *)(const void *)(list->kept + first));
    return _mm256_and_ps(_mm256_castsi256_ps(rings), lidar_filter_keeps_8(&list->filter, x, y, z));
}

INLINE unsigned count_lanes(__m256 mask)
{
    return (unsigned)__builtin_popcount((unsigned)_mm256_movemask_ps(mask));
}

INLINE void decode_eight(struct lidar_list *list, struct lidar_list_job *job, const uint8_t *at,
                         enum lidar_list_type type, unsigned first, bool is_filtered)
{
    const float *m = list->extrinsics;
    const __m256 nan = _mm256_castsi256_ps(_mm256_set1_epi32((int)LIDAR_NAN_BITS));
    const __m256 unit =
        _mm256_set1_ps(type == LIDAR_LIST_MM ? LIDAR_LIST_UNIT_MM : LIDAR_LIST_UNIT_CM);
    struct eight raw = load_eight(at, type);
    __m256 x = _mm256_mul_ps(_mm256_cvtepi32_ps(raw.x), unit);
    __m256 y = _mm256_mul_ps(_mm256_cvtepi32_ps(raw.y), unit);
    __m256 z = _mm256_mul_ps(_mm256_cvtepi32_ps(raw.z), unit);
    __m256 is_some, valid = find_valid(list, x, y, z, raw.rest, &is_some);
    if (list->has_extrinsics) {
        __m256 moved_x = row_of(m, x, y, z), moved_y = row_of(m + 4, x, y, z);
        z = row_of(m + 8, x, y, z);
        x = moved_x;
        y = moved_y;
    }
    if (is_filtered) {
        valid = _mm256_and_ps(valid, kept_points(list, first, x, y, z));
        job->filtered += count_lanes(_mm256_andnot_ps(valid, is_some));
    }
    __m256 intensity = _mm256_and_ps(
        valid, _mm256_cvtepi32_ps(_mm256_and_si256(raw.rest, _mm256_set1_epi32(BYTE_MASK))));
    uint8_t *to = list->staging + (size_t)first * LIDAR_POINT_BYTES;
    store_points(to, _mm256_blendv_ps(nan, x, valid), _mm256_blendv_ps(nan, y, valid),
                 _mm256_blendv_ps(nan, z, valid), intensity);
    store_times(to, job->time_s, job->step_s, first);
    job->valid += count_lanes(valid);
}

INLINE void decode_list(struct lidar_list *list, struct lidar_list_job *job,
                        enum lidar_list_type type, bool is_filtered)
{
    size_t stride = lidar_list_stride[type];
    for (unsigned first = 0; first < job->count; first += LANES) {
        const uint8_t *at = job->points + first * stride;
        uint8_t spare[SPARE_BYTES];
        unsigned left = job->count - first;
        if (left * stride < (LANES - 1) * stride + LOAD_BYTES) {
            memset(spare, 0, sizeof spare);
            memcpy(spare, at, (left < LANES ? left : LANES) * stride);
            at = spare; /* points that are not there are at the origin: holes */
        }
        decode_eight(list, job, at, type, first, is_filtered);
    }
}

static void decode(struct lidar_list *list, struct lidar_list_job *job)
{
    if (job->type == LIDAR_LIST_MM)
        decode_list(list, job, LIDAR_LIST_MM, list->is_filtered);
    else if (job->type == LIDAR_LIST_CM)
        decode_list(list, job, LIDAR_LIST_CM, list->is_filtered);
    else
        lidar_list_kernel_plain.decode(list, job);
}

static bool is_supported(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("popcnt");
}

const struct lidar_list_kernel lidar_list_kernel_avx2 = {
    .name = "avx2",
    .is_supported = is_supported,
    .decode = decode,
};

#else
typedef int lidar_list_kernel_avx2_is_for_x86;
#endif
