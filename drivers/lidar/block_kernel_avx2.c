/* SPDX-License-Identifier: Apache-2.0 */
/* block_kernel_avx2.c - 8 points at a time, put in order in the first-level cache, then streamed.
 *
 * Points are stored at their place in a staging area whose rings are filled in already: 16 bytes of
 * xyz and intensity, 4 of time. All blocks of a packet are staged before the first is streamed, so
 * that no load waits for a store of another width to be done.
 *
 * This file is compiled with -mavx2 -mpopcnt; nothing of it runs elsewhere.
 */
#if defined(__x86_64__)

#include <immintrin.h>
#include <string.h>

#include "drivers/lidar/block_kernels.h"
#include "drivers/lidar/point_filter_avx2.h"

/* One function in the end: values stay in registers. */
#define INLINE static inline __attribute__((always_inline))

#define LANES 8

/* 8 elements, distance in the low half of each, intensity above it. Reads 24 bytes. */
INLINE __m256i load_elements(const uint8_t *wire)
{
    __m128i low = _mm_loadu_si128((const __m128i *)(const void *)wire);
    __m128i high = _mm_loadu_si128((const __m128i *)(const void *)(wire + 8));
    const __m256i shuffle =
        _mm256_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1, 4, 5, 6, -1, 7, 8, 9,
                         -1, 10, 11, 12, -1, 13, 14, 15, -1);
    return _mm256_shuffle_epi8(_mm256_set_m128i(high, low), shuffle);
}

/* 8 elements from wherever they are, in the order of the points. */
INLINE __m256i gather_elements(const struct lidar_block *block, const uint8_t *wire,
                               const uint32_t *offset)
{
    __m256i index = _mm256_load_si256((const __m256i *)(const void *)offset);
    __m128i pattern = _mm_load_si128((const __m128i *)(const void *)block->pattern);
    __m256i bytes = _mm256_i32gather_epi32((const int *)(const void *)wire, index, 1);
    return _mm256_shuffle_epi8(bytes, _mm256_broadcastsi128_si256(pattern));
}

/* Elements `from` ... of a return, whichever way they are to be had. */
INLINE __m256i get_elements(const struct lidar_block *block, const struct lidar_block_job *job,
                            const uint8_t *wire, unsigned from)
{
    if (block->is_gathered)
        return gather_elements(block, wire, block->offset[job->is_dual] + from);
    return load_elements(wire + from * LIDAR_ELEMENT_BYTES);
}

INLINE __m256 transform_row(const float *m, __m256 x, __m256 y, __m256 z)
{
    __m256 sum = _mm256_add_ps(_mm256_mul_ps(_mm256_set1_ps(m[0]), x),
                               _mm256_mul_ps(_mm256_set1_ps(m[1]), y));
    sum = _mm256_add_ps(sum, _mm256_mul_ps(_mm256_set1_ps(m[2]), z));
    return _mm256_add_ps(sum, _mm256_set1_ps(m[3]));
}

struct eight {
    __m256 x, y, z, intensity, time;
};

/* Those within the range's limits: all bits of a lane set. */
INLINE __m256i in_range(const struct lidar_block *block, __m256i raw)
{
    __m256i above = _mm256_sub_epi32(raw, _mm256_set1_epi32((int)block->raw_min));
    __m256i span = _mm256_set1_epi32((int)block->raw_span);
    return _mm256_cmpeq_epi32(_mm256_max_epu32(above, span), span);
}

/* Those of `among` that are not what an earlier return was. */
INLINE __m256i other_than_earlier(const struct lidar_block *block,
                                  const struct lidar_block_job *job, unsigned from, __m256i element,
                                  __m256i among)
{
    for (unsigned n = 0; n < LIDAR_RETURNS_MAX - 1 && job->equal[n]; n++) {
        __m256i other = get_elements(block, job, job->equal[n], from);
        among = _mm256_andnot_si256(_mm256_cmpeq_epi32(element, other), among);
    }
    return among;
}

/* Those that are wanted, wherever they are in range. */
INLINE __m256i kept_elements(const struct lidar_block *block, const struct lidar_block_job *job,
                             unsigned from, const struct eight *e)
{
    __m256i kept = _mm256_load_si256((const __m256i *)(const void *)(block->kept + from));
    if (job->is_left_out[block->place[from] / LIDAR_HALF_POINTS])
        return _mm256_setzero_si256();
    __m256 filtered = lidar_filter_keeps_8(&block->filter, e->x, e->y, e->z);
    return _mm256_and_si256(kept, _mm256_castps_si256(filtered));
}

/* Returns a bit for each point; *ret_filtered has one for each that is none for the filter alone.
 */
INLINE unsigned decode_eight(const struct lidar_block *block, const struct lidar_block_rate *rate,
                             const struct lidar_block_job *job, unsigned from, bool has_extrinsics,
                             bool is_filtered, struct eight *ret_eight, unsigned *ret_filtered)
{
    __m256i element = get_elements(block, job, job->wire, from);
    __m256i raw = _mm256_and_si256(element, _mm256_set1_epi32(0xFFFF));
    __m256i valid = other_than_earlier(block, job, from, element, in_range(block, raw));

    __m256 a = _mm256_load_ps(rate->a + from), b = _mm256_load_ps(rate->b + from);
    __m256 cosine = _mm256_set1_ps(job->cosine), sine = _mm256_set1_ps(job->sine);
    __m256 minus_sine = _mm256_set1_ps(-job->sine);
    __m256 r = _mm256_mul_ps(_mm256_cvtepi32_ps(raw), _mm256_set1_ps(block->unit_m));
    __m256 x = _mm256_mul_ps(r, _mm256_sub_ps(_mm256_mul_ps(a, cosine), _mm256_mul_ps(b, sine)));
    __m256 y =
        _mm256_mul_ps(r, _mm256_sub_ps(_mm256_mul_ps(a, minus_sine), _mm256_mul_ps(b, cosine)));
    __m256 z = _mm256_add_ps(_mm256_mul_ps(r, _mm256_load_ps(rate->c + from)),
                             _mm256_load_ps(block->v + from));
    if (has_extrinsics) {
        __m256 x0 = x, y0 = y, z0 = z;
        x = transform_row(block->extrinsics, x0, y0, z0);
        y = transform_row(block->extrinsics + 4, x0, y0, z0);
        z = transform_row(block->extrinsics + 8, x0, y0, z0);
    }
    if (is_filtered) {
        const struct eight point = {.x = x, .y = y, .z = z};
        __m256i none = _mm256_cmpeq_epi32(raw, _mm256_setzero_si256());
        __m256i every = _mm256_xor_si256(none, _mm256_set1_epi32(-1));
        every = other_than_earlier(block, job, from, element, every);
        valid = _mm256_and_si256(valid, kept_elements(block, job, from, &point));
        *ret_filtered =
            (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_andnot_si256(valid, every)));
    }
    __m256 mask = _mm256_castsi256_ps(valid);
    /* a half lies within a model's column, or is one */
    unsigned half = block->place[from] / LIDAR_HALF_POINTS;
    __m256 time = _mm256_set1_ps(job->time_s[half]);
    __m256 nan = _mm256_castsi256_ps(_mm256_set1_epi32((int)LIDAR_NAN_BITS));
    ret_eight->x = _mm256_blendv_ps(nan, x, mask);
    ret_eight->y = _mm256_blendv_ps(nan, y, mask);
    ret_eight->z = _mm256_blendv_ps(nan, z, mask);
    ret_eight->intensity = _mm256_and_ps(mask, _mm256_cvtepi32_ps(_mm256_srli_epi32(element, 16)));
    ret_eight->time = _mm256_add_ps(time, _mm256_load_ps(block->time_s[job->order] + from));
    return (unsigned)_mm256_movemask_ps(mask);
}

INLINE void store_point(uint8_t *point, __m128 xyz_intensity, float time)
{
    _mm_storeu_ps((float *)(void *)(point + LIDAR_POINT_X), xyz_intensity);
    memcpy(point + LIDAR_POINT_TIME, &time, sizeof time);
}

INLINE void store_eight(const struct lidar_block *block, unsigned from, const struct eight *e,
                        uint8_t *staging)
{
    __m256 xy_low = _mm256_unpacklo_ps(e->x, e->y), xy_high = _mm256_unpackhi_ps(e->x, e->y);
    __m256 zi_low = _mm256_unpacklo_ps(e->z, e->intensity);
    __m256 zi_high = _mm256_unpackhi_ps(e->z, e->intensity);
    /* points q and 4 + q */
    const __m256 pair[4] = {
        _mm256_shuffle_ps(xy_low, zi_low, 0x44),
        _mm256_shuffle_ps(xy_low, zi_low, 0xEE),
        _mm256_shuffle_ps(xy_high, zi_high, 0x44),
        _mm256_shuffle_ps(xy_high, zi_high, 0xEE),
    };
    float time[LANES];
    _mm256_storeu_ps(time, e->time);
    for (unsigned q = 0; q < 4; q++) {
        store_point(staging + block->place[from + q] * LIDAR_POINT_BYTES,
                    _mm256_castps256_ps128(pair[q]), time[q]);
        store_point(staging + block->place[from + 4 + q] * LIDAR_POINT_BYTES,
                    _mm256_extractf128_ps(pair[q], 1), time[4 + q]);
    }
}

/* Rows of a model whose lasers make no whole halves begin at any multiple of 16. */
INLINE void stream_half(uint8_t *to, const uint8_t *staging)
{
    if (((uintptr_t)to & 31) != 0) {
        for (unsigned at = 0; at < LIDAR_HALF_BYTES; at += 16)
            _mm_stream_si128((__m128i *)(void *)(to + at),
                             _mm_load_si128((const __m128i *)(const void *)(staging + at)));
        return;
    }
    for (unsigned at = 0; at < LIDAR_HALF_BYTES; at += 32)
        _mm256_stream_si256((__m256i *)(void *)(to + at),
                            _mm256_load_si256((const __m256i *)(const void *)(staging + at)));
}

INLINE void count_halves(unsigned mask, unsigned upper, unsigned count[2])
{
    count[1] += (unsigned)__builtin_popcount(mask & upper);
    count[0] += (unsigned)__builtin_popcount(mask & ~upper);
}

INLINE void decode_jobs(struct lidar_block *block, const struct lidar_block_rate *rate,
                        struct lidar_block_job *jobs, unsigned count, bool has_extrinsics,
                        bool is_filtered)
{
    for (unsigned i = 0; i < count; i++) {
        unsigned valid[2] = {0, 0}, filtered[2] = {0, 0};
        for (unsigned from = 0; from < LIDAR_BLOCK_ELEMENTS; from += LANES) {
            struct eight e;
            unsigned upper = block->upper_half[from / LANES], out = 0;
            unsigned mask =
                decode_eight(block, rate, &jobs[i], from, has_extrinsics, is_filtered, &e, &out);
            store_eight(block, from, &e, block->staging[i]);
            count_halves(mask, upper, valid);
            if (is_filtered)
                count_halves(out, upper, filtered);
        }
        for (unsigned half = 0; half < 2; half++) {
            jobs[i].valid[half] = (uint8_t)valid[half];
            jobs[i].filtered[half] = (uint8_t)filtered[half];
        }
    }
    for (unsigned i = 0; i < count; i++) {
        for (unsigned half = 0; half < 2; half++) {
            if (jobs[i].to[half])
                stream_half(jobs[i].to[half], block->staging[i] + half * LIDAR_HALF_BYTES);
        }
    }
}

/* Which of eight elements in a row have their place in the second half. */
static void prepare(struct lidar_block *block)
{
    for (unsigned i = 0; i < LIDAR_BLOCK_ELEMENTS; i++) {
        if (block->place[i] >= LIDAR_HALF_POINTS)
            block->upper_half[i / LANES] |= (uint8_t)(1u << i % LANES);
    }
}

static void decode(struct lidar_block *block, const struct lidar_block_rate *rate,
                   struct lidar_block_job *jobs, unsigned count)
{
    if (block->is_filtered)
        decode_jobs(block, rate, jobs, count, block->has_extrinsics, true);
    else if (block->has_extrinsics)
        decode_jobs(block, rate, jobs, count, true, false);
    else
        decode_jobs(block, rate, jobs, count, false, false);
}

static bool is_supported(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("popcnt");
}

const struct lidar_block_kernel lidar_block_kernel_avx2 = {
    .name = "avx2",
    .is_supported = is_supported,
    .prepare = prepare,
    .decode = decode,
};

#else
typedef int lidar_block_kernel_avx2_is_for_x86;
#endif
