/* SPDX-License-Identifier: Apache-2.0 */
/* block_kernel_avx512.c - 16 points at a time, whole lines made in registers and streamed.
 *
 * A half's x, y, z and intensity are four registers of 16 floats. Transposed inside their 128-bit
 * lanes they become four registers of four points each. In register q, lane l stands what was at
 * position 4l+q; so if position 4l+q holds the half's point 4q+l, the four registers hold the
 * points in their order, and no step between lanes is needed. That is this kernel's order.
 *
 * A point is 11 words of 16 bits: 8 of xyz and intensity, 1 of ring, 2 of time. Each line of 32
 * words takes words from at most two registers of points, and words of the times; rings are
 * constant.
 *
 * This file is compiled with -mavx512f -mavx512bw -mpopcnt; nothing of it runs elsewhere.
 */
#if defined(__x86_64__)

#include <immintrin.h>
#include <string.h>

#include "drivers/lidar/block_kernels.h"
#include "drivers/lidar/point_filter_avx512.h"

/* One function in the end: values stay in registers. */
#define INLINE static inline __attribute__((always_inline))

#define POINT_WORDS (LIDAR_POINT_BYTES / 2)
#define RING_WORD   (LIDAR_POINT_RING / 2)
#define HALF_WORDS  (LIDAR_HALF_BYTES / 2)

static unsigned place_of(unsigned position)
{
    unsigned half = position / LIDAR_HALF_POINTS, in_half = position % LIDAR_HALF_POINTS;
    return half * LIDAR_HALF_POINTS + in_half % 4 * 4 + in_half / 4;
}

/* The registers of points that line L takes its words from: those of its first and last word. */
INLINE unsigned first_register(unsigned line)
{
    return line * LIDAR_LINE_WORDS / POINT_WORDS / 4;
}

static void prepare(struct lidar_block *block)
{
    for (unsigned word = 0; word < HALF_WORDS; word++) {
        unsigned line = word / LIDAR_LINE_WORDS, at = word % LIDAR_LINE_WORDS;
        unsigned point = word / POINT_WORDS, part = word % POINT_WORDS;
        uint32_t bit = UINT32_C(1) << at;
        if (part < RING_WORD) {
            unsigned from = point / 4 - first_register(line); /* 0 or 1 */
            block->line_point[line][at] =
                (uint16_t)(from * LIDAR_LINE_WORDS + point % 4 * RING_WORD + part);
            block->line_point_mask[line] |= bit;
        } else if (part == RING_WORD) {
            for (unsigned half = 0; half < 2; half++)
                block->line_ring[half][line][at] = block->ring[half * LIDAR_HALF_POINTS + point];
        } else {
            unsigned position = point % 4 * 4 + point / 4; /* place_of is its own inverse */
            block->line_time[line][at] = (uint16_t)(position * 2 + part - RING_WORD - 1);
            block->line_time_mask[line] |= bit;
        }
    }
}

struct constants {
    __m512i spread, shuffle;
    __m512i raw_min, raw_span;
    __m512 unit;
};

INLINE struct constants load_constants(const struct lidar_block *block)
{
    return (struct constants){
        /* 12 bytes of four elements into each lane, then each element into a word of 32 bits */
        .spread = _mm512_setr_epi32(0, 1, 2, 0, 3, 4, 5, 0, 6, 7, 8, 0, 9, 10, 11, 0),
        .shuffle = _mm512_broadcast_i32x4(
            _mm_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1)),
        .raw_min = _mm512_set1_epi32((int)block->raw_min),
        .raw_span = _mm512_set1_epi32((int)block->raw_span),
        .unit = _mm512_set1_ps(block->unit_m),
    };
}

/* 16 elements from wherever they are, in the kernel's order. */
INLINE __m512i gather_elements(const struct lidar_block *block, const uint8_t *wire,
                               const uint32_t *offset)
{
    __m512i pattern =
        _mm512_broadcast_i32x4(_mm_load_si128((const __m128i *)(const void *)block->pattern));
    __m512i bytes = _mm512_i32gather_epi32(_mm512_load_si512(offset), wire, 1);
    return _mm512_shuffle_epi8(bytes, pattern);
}

/* 16 elements, distance in the low half of each, intensity above it. */
INLINE __m512i load_elements(const struct constants *k, const uint8_t *wire)
{
    const __mmask16 twelve = 0x0FFF;
    __m512i bytes = _mm512_maskz_loadu_epi32(twelve, wire);
    return _mm512_shuffle_epi8(_mm512_permutexvar_epi32(k->spread, bytes), k->shuffle);
}

INLINE __m512 transform_row(const float *m, __m512 x, __m512 y, __m512 z)
{
    __m512 sum = _mm512_add_ps(_mm512_mul_ps(_mm512_set1_ps(m[0]), x),
                               _mm512_mul_ps(_mm512_set1_ps(m[1]), y));
    sum = _mm512_add_ps(sum, _mm512_mul_ps(_mm512_set1_ps(m[2]), z));
    return _mm512_add_ps(sum, _mm512_set1_ps(m[3]));
}

struct half {
    __m512 x, y, z, intensity, time;
};

/* Four registers of four points each, in order. */
INLINE void transpose(const struct half *h, __m512i ret_points[4])
{
    __m512i xy_low = _mm512_castps_si512(_mm512_unpacklo_ps(h->x, h->y));
    __m512i xy_high = _mm512_castps_si512(_mm512_unpackhi_ps(h->x, h->y));
    __m512i zi_low = _mm512_castps_si512(_mm512_unpacklo_ps(h->z, h->intensity));
    __m512i zi_high = _mm512_castps_si512(_mm512_unpackhi_ps(h->z, h->intensity));
    ret_points[0] = _mm512_unpacklo_epi64(xy_low, zi_low);
    ret_points[1] = _mm512_unpackhi_epi64(xy_low, zi_low);
    ret_points[2] = _mm512_unpacklo_epi64(xy_high, zi_high);
    ret_points[3] = _mm512_unpackhi_epi64(xy_high, zi_high);
}

INLINE void stream_line(uint8_t *to, __m512i line, bool is_line)
{
    if (is_line) {
        _mm512_stream_si512((__m512i *)(void *)to, line);
    } else {
        _mm256_stream_si256((__m256i *)(void *)to, _mm512_castsi512_si256(line));
        _mm256_stream_si256((__m256i *)(void *)(to + 32), _mm512_extracti64x4_epi64(line, 1));
    }
}

INLINE __m512i make_line(const struct lidar_block *block, unsigned which_half, unsigned line,
                         __m512i first, __m512i second, __m512i time)
{
    __m512i words = _mm512_load_si512(block->line_point[line]);
    __m512i made =
        _mm512_maskz_permutex2var_epi16(block->line_point_mask[line], first, words, second);
    made = _mm512_mask_permutexvar_epi16(made, block->line_time_mask[line],
                                         _mm512_load_si512(block->line_time[line]), time);
    return _mm512_or_si512(made, _mm512_load_si512(block->line_ring[which_half][line]));
}

INLINE void store_lines(const struct lidar_block *block, unsigned which_half, const __m512i p[4],
                        __m512i time, uint8_t *to, bool is_line)
{
    stream_line(to, make_line(block, which_half, 0, p[0], p[1], time), is_line);
    stream_line(to + 64, make_line(block, which_half, 1, p[0], p[1], time), is_line);
    stream_line(to + 128, make_line(block, which_half, 2, p[1], p[2], time), is_line);
    stream_line(to + 192, make_line(block, which_half, 3, p[2], p[3], time), is_line);
    stream_line(to + 256, make_line(block, which_half, 4, p[2], p[3], time), is_line);
}

INLINE void store_half(const struct lidar_block *block, unsigned which_half, const struct half *h,
                       uint8_t *to)
{
    __m512i p[4], time = _mm512_castps_si512(h->time);
    transpose(h, p);
    if (((uintptr_t)to & 63) == 0)
        store_lines(block, which_half, p, time, to, true);
    else
        store_lines(block, which_half, p, time, to, false);
    /* Behind the branch, once: clang 14 merges equal streamed stores of two branches into one that
     * is not streamed any more, and half a line written so costs more than all the rest. */
    __m512i last = make_line(block, which_half, 5, p[3], p[3], time);
    _mm256_stream_si256((__m256i *)(void *)(to + 5 * 64), _mm512_castsi512_si256(last));
}

/* A group's elements of all returns that have been loaded already. */
struct loaded {
    __m512i wire[2], equal[LIDAR_RETURNS_MAX - 1][2];
};

/* Those that are wanted, wherever they are in range. */
INLINE __mmask16 kept_points(const struct lidar_block *block, const struct lidar_block_job *job,
                             unsigned which_half, __m512 x, __m512 y, __m512 z)
{
    __m512i rings = _mm512_load_si512(block->kept + which_half * LIDAR_HALF_POINTS);
    unsigned kept = _mm512_test_epi32_mask(rings, rings);
    if (job->is_left_out[which_half])
        return 0;
    return (__mmask16)(kept & lidar_filter_keeps_16(&block->filter, x, y, z));
}

INLINE void decode_half(const struct lidar_block *block, const struct lidar_block_rate *rate,
                        struct lidar_block_job *job, unsigned which_half, const struct constants *k,
                        const struct loaded *v, bool is_gathered, bool has_extrinsics,
                        bool is_filtered)
{
    unsigned from = which_half * LIDAR_HALF_POINTS;
    const uint32_t *offset = block->offset[job->is_dual] + from;
    __m512i order = _mm512_load_si512(block->element + from);
    __m512i element = is_gathered ? gather_elements(block, job->wire, offset)
                                  : _mm512_permutex2var_epi32(v->wire[0], order, v->wire[1]);
    __m512i raw = _mm512_and_si512(element, _mm512_set1_epi32(0xFFFF));
    __mmask16 valid = _mm512_cmple_epu32_mask(_mm512_sub_epi32(raw, k->raw_min), k->raw_span);
    unsigned every = is_filtered ? _mm512_test_epi32_mask(raw, raw) : 0;
    for (unsigned n = 0; n < LIDAR_RETURNS_MAX - 1 && job->equal[n]; n++) {
        __m512i other = is_gathered
                            ? gather_elements(block, job->equal[n], offset)
                            : _mm512_permutex2var_epi32(v->equal[n][0], order, v->equal[n][1]);
        valid = _mm512_mask_cmpneq_epi32_mask(valid, element, other);
        if (is_filtered)
            every = _mm512_mask_cmpneq_epi32_mask((__mmask16)every, element, other);
    }

    __m512 a = _mm512_load_ps(rate->a + from), b = _mm512_load_ps(rate->b + from);
    __m512 cosine = _mm512_set1_ps(job->cosine), sine = _mm512_set1_ps(job->sine);
    __m512 minus_sine = _mm512_set1_ps(-job->sine);
    __m512 r = _mm512_mul_ps(_mm512_cvtepi32_ps(raw), k->unit);
    __m512 x = _mm512_mul_ps(r, _mm512_sub_ps(_mm512_mul_ps(a, cosine), _mm512_mul_ps(b, sine)));
    __m512 y =
        _mm512_mul_ps(r, _mm512_sub_ps(_mm512_mul_ps(a, minus_sine), _mm512_mul_ps(b, cosine)));
    __m512 z = _mm512_add_ps(_mm512_mul_ps(r, _mm512_load_ps(rate->c + from)),
                             _mm512_load_ps(block->v + from));
    if (has_extrinsics) {
        __m512 x0 = x, y0 = y, z0 = z;
        x = transform_row(block->extrinsics, x0, y0, z0);
        y = transform_row(block->extrinsics + 4, x0, y0, z0);
        z = transform_row(block->extrinsics + 8, x0, y0, z0);
    }
    if (is_filtered)
        valid = (__mmask16)(valid & kept_points(block, job, which_half, x, y, z));
    job->valid[which_half] = (uint8_t)__builtin_popcount(valid);
    if (is_filtered)
        job->filtered[which_half] = (uint8_t)__builtin_popcount(every & ~(unsigned)valid);
    __m512 nan = _mm512_castsi512_ps(_mm512_set1_epi32((int)LIDAR_NAN_BITS));
    struct half h = {
        .x = _mm512_mask_blend_ps(valid, nan, x),
        .y = _mm512_mask_blend_ps(valid, nan, y),
        .z = _mm512_mask_blend_ps(valid, nan, z),
        .intensity = _mm512_maskz_cvtepi32_ps(valid, _mm512_srli_epi32(element, 16)),
        .time = _mm512_add_ps(_mm512_set1_ps(job->time_s[which_half]),
                              _mm512_load_ps(block->time_s[job->order] + from)),
    };
    store_half(block, which_half, &h, job->to[which_half]);
}

INLINE struct loaded load_group(const struct constants *k, const struct lidar_block_job *job)
{
    const uint8_t second = LIDAR_BLOCK_WIRE_BYTES / 2;
    struct loaded v;
    v.wire[0] = load_elements(k, job->wire);
    v.wire[1] = load_elements(k, job->wire + second);
    for (unsigned n = 0; n < LIDAR_RETURNS_MAX - 1; n++) {
        v.equal[n][0] = v.wire[0];
        v.equal[n][1] = v.wire[1];
        if (job->equal[n]) {
            v.equal[n][0] = load_elements(k, job->equal[n]);
            v.equal[n][1] = load_elements(k, job->equal[n] + second);
        }
    }
    return v;
}

INLINE void decode_jobs(const struct lidar_block *block, const struct lidar_block_rate *rate,
                        struct lidar_block_job *jobs, unsigned count, bool is_gathered,
                        bool has_extrinsics, bool is_filtered)
{
    const struct constants k = load_constants(block);
    for (struct lidar_block_job *job = jobs; job < jobs + count; job++) {
        const struct loaded v = is_gathered ? (struct loaded){0} : load_group(&k, job);
        if (job->to[0])
            decode_half(block, rate, job, 0, &k, &v, is_gathered, has_extrinsics, is_filtered);
        if (job->to[1])
            decode_half(block, rate, job, 1, &k, &v, is_gathered, has_extrinsics, is_filtered);
    }
}

static void decode(struct lidar_block *block, const struct lidar_block_rate *rate,
                   struct lidar_block_job *jobs, unsigned count)
{
    if (block->is_filtered)
        decode_jobs(block, rate, jobs, count, block->is_gathered, block->has_extrinsics, true);
    else if (block->is_gathered)
        decode_jobs(block, rate, jobs, count, true, block->has_extrinsics, false);
    else if (block->has_extrinsics)
        decode_jobs(block, rate, jobs, count, false, true, false);
    else
        decode_jobs(block, rate, jobs, count, false, false, false);
}

const struct lidar_block_kernel lidar_block_kernel_avx512 = {
    .simd = LIDAR_SIMD_AVX512,
    .place = place_of,
    .prepare = prepare,
    .decode = decode,
};

#else
typedef int lidar_block_kernel_avx512_is_for_x86;
#endif
