/* SPDX-License-Identifier: Apache-2.0 */
/* column_kernel_avx2.c - 4 points at a time, put in order in the first-level cache, then streamed.
 *
 * Points are stored at their place in a staging area whose rings are filled in already: 16 bytes of
 * xyz and intensity, 4 of time. A whole column is staged before its first byte is streamed, so that
 * no load waits for a store of another width to be done.
 *
 * This file is compiled with -mavx2 -mpopcnt; nothing of it runs elsewhere.
 */
#if defined(__x86_64__)

#include <immintrin.h>
#include <string.h>

#include "drivers/lidar/column_kernels.h"
#include "drivers/lidar/point_filter_avx2.h"

/* One function in the end: values stay in registers. */
#define INLINE static inline __attribute__((always_inline))

#define LANES 4

INLINE int load_word(const uint8_t *at)
{
    int word;
    memcpy(&word, at, sizeof word);
    return word;
}

/* Where a field is, in registers. */
struct pick {
    size_t offset; /* bytes into the pixel */
    __m128i mask, shift, scale;
};

INLINE struct pick load_pick(struct lidar_column_bits bits)
{
    return (struct pick){
        .offset = 4u * bits.word,
        .mask = _mm_set1_epi32((int)bits.mask),
        .shift = _mm_cvtsi32_si128(bits.shift),
        .scale = _mm_cvtsi32_si128(bits.scale),
    };
}

INLINE __m128i pick_bits(const uint8_t *pixel, size_t stride, const struct pick *pick)
{
    const uint8_t *at = pixel + pick->offset;
    __m128i words = _mm_setr_epi32(load_word(at), load_word(at + stride),
                                   load_word(at + 2 * stride), load_word(at + 3 * stride));
    words = _mm_and_si128(_mm_srl_epi32(words, pick->shift), pick->mask);
    return _mm_sll_epi32(words, pick->scale);
}

/* What is the same for all rows of a column's return. */
struct constants {
    struct pick range, intensity;
    __m128i raw_min, raw_span;
    __m256d origin;
    __m256d m[3][2], o[3];
    size_t stride; /* bytes of a pixel */
    float time_s;
};

INLINE struct constants load_constants(const struct lidar_column *column,
                                       const struct lidar_column_turn *turn, unsigned which,
                                       float time_s)
{
    return (struct constants){
        .range = load_pick(column->range[which]),
        .intensity = load_pick(column->intensity[which]),
        .raw_min = _mm_set1_epi32((int)column->raw_min),
        .raw_span = _mm_set1_epi32((int)column->raw_span),
        .origin = _mm256_set1_pd(column->origin_m),
        .m = {{_mm256_set1_pd(turn->m[0][0]), _mm256_set1_pd(turn->m[0][1])},
              {_mm256_set1_pd(turn->m[1][0]), _mm256_set1_pd(turn->m[1][1])},
              {_mm256_set1_pd(turn->m[2][0]), _mm256_set1_pd(turn->m[2][1])}},
        .o = {_mm256_set1_pd(turn->o[0]), _mm256_set1_pd(turn->o[1]), _mm256_set1_pd(turn->o[2])},
        .stride = column->pixel_words * 4u,
        .time_s = time_s,
    };
}

/* Of 4 beams, as coordinate `axis` has it. */
INLINE __m256d direction(const struct lidar_column *column, const struct constants *k,
                         unsigned axis, unsigned row, bool is_upright)
{
    if (is_upright && axis == 2)
        return _mm256_load_pd(column->k[axis] + row);
    __m256d sum = _mm256_add_pd(_mm256_mul_pd(k->m[axis][0], _mm256_load_pd(column->a + row)),
                                _mm256_mul_pd(k->m[axis][1], _mm256_load_pd(column->b + row)));
    return is_upright ? sum : _mm256_add_pd(sum, _mm256_load_pd(column->k[axis] + row));
}

INLINE __m128 coordinate(__m256d r, __m256d direction, __m256d offset)
{
    return _mm256_cvtpd_ps(_mm256_add_pd(_mm256_mul_pd(r, direction), offset));
}

INLINE __m128 or_nan(__m128 value, __m128 valid)
{
    __m128 nan = _mm_castsi128_ps(_mm_set1_epi32((int)LIDAR_NAN_BITS));
    return _mm_blendv_ps(nan, value, valid);
}

/* Those that are wanted, wherever they are in range. */
INLINE __m128 kept_points(const struct lidar_column *column, const struct lidar_column_job *job,
                          unsigned row, __m128 x, __m128 y, __m128 z)
{
    __m128i rings = _mm_load_si128((const __m128i *)(const void *)(column->kept + row));
    if (job->is_left_out)
        return _mm_setzero_ps();
    __m256 kept = lidar_filter_keeps_8(&column->filter, _mm256_castps128_ps256(x),
                                       _mm256_castps128_ps256(y), _mm256_castps128_ps256(z));
    return _mm_and_ps(_mm_castsi128_ps(rings), _mm256_castps256_ps128(kept));
}

INLINE void store_point(uint8_t *point, __m128 xyz_intensity, float time_s)
{
    _mm_storeu_ps((float *)(void *)(point + LIDAR_POINT_X), xyz_intensity);
    memcpy(point + LIDAR_POINT_TIME, &time_s, sizeof time_s);
}

INLINE unsigned count_lanes(__m128 mask)
{
    return (unsigned)__builtin_popcount((unsigned)_mm_movemask_ps(mask));
}

/* Returns how many points they are; *filtered grows by those that are none for the filter alone. */
INLINE unsigned decode_four(const struct lidar_column *column, const struct constants *k,
                            const struct lidar_column_job *job, const uint8_t *pixel, unsigned row,
                            uint8_t *to, bool is_upright, bool is_filtered, unsigned *filtered)
{
    __m128i raw = pick_bits(pixel, k->stride, &k->range);
    __m128i above = _mm_sub_epi32(raw, k->raw_min);
    __m128 valid =
        _mm_castsi128_ps(_mm_cmpeq_epi32(_mm_max_epu32(above, k->raw_span), k->raw_span));
    __m256d r = _mm256_sub_pd(
        _mm256_mul_pd(_mm256_cvtepi32_pd(raw), _mm256_set1_pd(LIDAR_METRES_PER_MM)), k->origin);
    __m128 x = coordinate(r, direction(column, k, 0, row, is_upright), k->o[0]);
    __m128 y = coordinate(r, direction(column, k, 1, row, is_upright), k->o[1]);
    __m128 z = coordinate(r, direction(column, k, 2, row, is_upright), k->o[2]);
    if (is_filtered) {
        __m128 none = _mm_castsi128_ps(_mm_cmpeq_epi32(raw, _mm_setzero_si128()));
        valid = _mm_and_ps(valid, kept_points(column, job, row, x, y, z));
        *filtered += LANES - count_lanes(_mm_or_ps(valid, none));
    }
    x = or_nan(x, valid);
    y = or_nan(y, valid);
    z = or_nan(z, valid);
    __m128 intensity =
        _mm_and_ps(valid, _mm_cvtepi32_ps(pick_bits(pixel, k->stride, &k->intensity)));
    _MM_TRANSPOSE4_PS(x, y, z, intensity);
    store_point(to, x, k->time_s);
    store_point(to + LIDAR_POINT_BYTES, y, k->time_s);
    store_point(to + 2 * LIDAR_POINT_BYTES, z, k->time_s);
    store_point(to + 3 * LIDAR_POINT_BYTES, intensity, k->time_s);
    return count_lanes(valid);
}

INLINE void decode_return(struct lidar_column *column, const struct lidar_column_turn *turn,
                          struct lidar_column_job *job, unsigned which, bool is_upright,
                          bool is_filtered)
{
    const struct constants k = load_constants(column, turn, which, job->time_s);
    unsigned valid = 0, filtered = 0;
    for (unsigned row = 0; row < column->rows; row += LANES)
        valid += decode_four(column, &k, job, job->pixels + row * k.stride, row,
                             column->staging + row * LIDAR_POINT_BYTES, is_upright, is_filtered,
                             &filtered);
    job->valid[which] = (uint8_t)valid;
    job->filtered[which] = (uint8_t)filtered;
    for (unsigned at = 0; at < column->rows * LIDAR_POINT_BYTES; at += 32)
        _mm256_stream_si256(
            (__m256i *)(void *)(job->to[which] + at),
            _mm256_load_si256((const __m256i *)(const void *)(column->staging + at)));
}

INLINE void decode_jobs(struct lidar_column *column, struct lidar_column_job *jobs, unsigned count,
                        bool is_upright, bool is_filtered)
{
    for (struct lidar_column_job *job = jobs; job < jobs + count; job++) {
        const struct lidar_column_turn turn = lidar_column_turn(column, job);
        for (unsigned which = 0; which < column->returns; which++) {
            if (job->to[which])
                decode_return(column, &turn, job, which, is_upright, is_filtered);
        }
    }
}

static void decode(struct lidar_column *column, struct lidar_column_job *jobs, unsigned count)
{
    if (column->is_filtered)
        decode_jobs(column, jobs, count, column->is_upright, true);
    else if (column->is_upright)
        decode_jobs(column, jobs, count, true, false);
    else
        decode_jobs(column, jobs, count, false, false);
}

static bool is_supported(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("popcnt");
}

const struct lidar_column_kernel lidar_column_kernel_avx2 = {
    .name = "avx2",
    .is_supported = is_supported,
    .decode = decode,
};

#else
typedef int lidar_column_kernel_avx2_is_for_x86;
#endif
