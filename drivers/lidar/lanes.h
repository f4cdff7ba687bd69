/* SPDX-License-Identifier: Apache-2.0 */
/* lanes.h - several numbers side by side in a register: what kernels are written over that are
 * compiled once for each instruction set.
 *
 * There are 8 lanes in files compiled for AVX2 (SLUICE_LANES_AVX2 says so, from CMakeLists.txt), 4
 * with SSE2 or NEON, and no LANES at all elsewhere. The words are vectors as gcc and clang have
 * them ("Vector Extensions" of gcc's manual): operators mean what they mean of a single number, in
 * each lane, and a comparison gives all bits or none. Here is what C has no operator for. Nothing
 * rounds otherwise than a single number would, so kernels that do the same operations in the same
 * order give the same bits.
 *
 * A part is 128 bits of a word: four of its lanes.
 *
 * Life:    values.
 * Owner:   the caller.
 * Threads: any.
 * Errors:  none.
 */
#ifndef SL_DRIVERS_LIDAR_LANES_H
#define SL_DRIVERS_LIDAR_LANES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(SLUICE_LANES_AVX2)
#include <immintrin.h>
#define LANES             8
#define LANES_SIMD        LIDAR_SIMD_AVX2
#define LANES_NAMED(name) name##_avx2
#elif defined(__SSE2__)
#include <emmintrin.h>
#define LANES             4
#define LANES_SIMD        LIDAR_SIMD_SSE2
#define LANES_NAMED(name) name##_sse2
#elif defined(__aarch64__)
#include <arm_neon.h>
#define LANES             4
#define LANES_SIMD        LIDAR_SIMD_NEON
#define LANES_NAMED(name) name##_neon
#endif

#if defined(LANES)

/* One function in the end: values stay in registers. */
#define LANES_INLINE static inline __attribute__((always_inline))

#define LANES_HALF (LANES / 2) /* doubles in a register */

typedef float lanes_f __attribute__((vector_size(4 * LANES)));
typedef int32_t lanes_i __attribute__((vector_size(4 * LANES)));
typedef uint32_t lanes_u __attribute__((vector_size(4 * LANES)));
typedef double lanes_half_d __attribute__((vector_size(4 * LANES)));
typedef float lanes_part __attribute__((vector_size(16)));

/* Double precision takes two registers. */
struct lanes_d {
    lanes_half_d low, high;
};

/* ---- Loading ----------------------------------------------------------------------------------*/

/* From where a whole word may stand: aligned to its size. */
LANES_INLINE lanes_f lanes_load_f(const float *from)
{
    return *(const lanes_f *)(const void *)from;
}

LANES_INLINE lanes_u lanes_load_u(const uint32_t *from)
{
    return *(const lanes_u *)(const void *)from;
}

LANES_INLINE lanes_half_d lanes_half_load_d(const double *from)
{
    return *(const lanes_half_d *)(const void *)from;
}

LANES_INLINE lanes_u lanes_all_u(uint32_t value)
{
    return (lanes_u){0} + value;
}

LANES_INLINE uint32_t lanes_word_at(const uint8_t *from)
{
    uint32_t word;
    memcpy(&word, from, sizeof word);
    return word;
}

/* Words of 4 bytes, `step` bytes apart. */
LANES_INLINE lanes_u lanes_load_every(const uint8_t *from, size_t step)
{
    return (lanes_u)
    {
        lanes_word_at(from), lanes_word_at(from + step), lanes_word_at(from + 2 * step),
            lanes_word_at(from + 3 * step),
#if LANES == 8
            lanes_word_at(from + 4 * step), lanes_word_at(from + 5 * step),
            lanes_word_at(from + 6 * step), lanes_word_at(from + 7 * step),
#endif
    };
}

/* Words of 4 bytes from wherever they are, in bytes after `from`. */
LANES_INLINE lanes_u lanes_gather(const uint8_t *from, const uint32_t *offset)
{
    return (lanes_u)
    {
        lanes_word_at(from + offset[0]), lanes_word_at(from + offset[1]),
            lanes_word_at(from + offset[2]), lanes_word_at(from + offset[3]),
#if LANES == 8
            lanes_word_at(from + offset[4]), lanes_word_at(from + offset[5]),
            lanes_word_at(from + offset[6]), lanes_word_at(from + offset[7]),
#endif
    };
}

/* Three bytes behind one another for each word, whose highest becomes 0. May read a byte beyond. */
LANES_INLINE lanes_u lanes_load_threes(const uint8_t *from)
{
#if LANES == 8
    __m128i low = _mm_loadu_si128((const __m128i *)(const void *)from);
    __m128i high = _mm_loadu_si128((const __m128i *)(const void *)(from + 8));
    const __m256i shuffle =
        _mm256_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1, 4, 5, 6, -1, 7, 8, 9,
                         -1, 10, 11, 12, -1, 13, 14, 15, -1);
    return (lanes_u)_mm256_shuffle_epi8(_mm256_set_m128i(high, low), shuffle);
#else
    return lanes_load_every(from, 3) & 0xFFFFFF;
#endif
}

/* ---- From one kind to another
 * ------------------------------------------------------------------*/

LANES_INLINE lanes_f lanes_to_f(lanes_i v)
{
    return __builtin_convertvector(v, lanes_f);
}

LANES_INLINE struct lanes_d lanes_to_d(lanes_i whole)
{
#if LANES == 8
    __m256i v = (__m256i)whole;
    return (struct lanes_d){(lanes_half_d)_mm256_cvtepi32_pd(_mm256_castsi256_si128(v)),
                            (lanes_half_d)_mm256_cvtepi32_pd(_mm256_extracti128_si256(v, 1))};
#elif defined(__SSE2__)
    __m128i v = (__m128i)whole;
    return (struct lanes_d){(lanes_half_d)_mm_cvtepi32_pd(v),
                            (lanes_half_d)_mm_cvtepi32_pd(_mm_shuffle_epi32(v, 0xEE))};
#else
    int32x4_t v = (int32x4_t)whole;
    return (struct lanes_d){(lanes_half_d)vcvtq_f64_s64(vmovl_s32(vget_low_s32(v))),
                            (lanes_half_d)vcvtq_f64_s64(vmovl_high_s32(v))};
#endif
}

/* The nearest float of each. */
LANES_INLINE lanes_f lanes_from_d(struct lanes_d d)
{
#if LANES == 8
    return (lanes_f)_mm256_set_m128(_mm256_cvtpd_ps((__m256d)d.high),
                                    _mm256_cvtpd_ps((__m256d)d.low));
#elif defined(__SSE2__)
    return (lanes_f)_mm_movelh_ps(_mm_cvtpd_ps((__m128d)d.low), _mm_cvtpd_ps((__m128d)d.high));
#else
    return (lanes_f)vcvt_high_f32_f64(vcvt_f32_f64((float64x2_t)d.low), (float64x2_t)d.high);
#endif
}

/* 0, 1, ...: half of the lanes' numbers. */
LANES_INLINE lanes_half_d lanes_half_numbers(void)
{
#if LANES == 8
    return (lanes_half_d){0, 1, 2, 3};
#else
    return (lanes_half_d){0, 1};
#endif
}

/* ---- Choosing, counting
 * ------------------------------------------------------------------------*/

/* Lanes of `yes` where all bits of `which` are set, of `no` where none is. */
LANES_INLINE lanes_f lanes_choose(lanes_i which, lanes_f yes, lanes_f no)
{
#if LANES == 8
    return (lanes_f)_mm256_blendv_ps((__m256)no, (__m256)yes, (__m256)which);
#elif defined(__aarch64__)
    return (lanes_f)vbslq_f32((uint32x4_t)which, (float32x4_t)yes, (float32x4_t)no);
#else
    return (lanes_f)((which & (lanes_i)yes) | (~which & (lanes_i)no));
#endif
}

LANES_INLINE lanes_f lanes_abs(lanes_f v)
{
    return (lanes_f)((lanes_i)v & 0x7FFFFFFF);
}

LANES_INLINE lanes_f lanes_sqrt(lanes_f v)
{
#if LANES == 8
    return (lanes_f)_mm256_sqrt_ps((__m256)v);
#elif defined(__SSE2__)
    return (lanes_f)_mm_sqrt_ps((__m128)v);
#else
    return (lanes_f)vsqrtq_f32((float32x4_t)v);
#endif
}

/* The lanes' sum. A mask's lanes are -1 or 0, so subtracting masks counts. */
LANES_INLINE unsigned lanes_sum(lanes_i v)
{
#if LANES == 8
    v += __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3);
    v += __builtin_shufflevector(v, v, 2, 3, 0, 1, 6, 7, 4, 5);
    v += __builtin_shufflevector(v, v, 1, 0, 3, 2, 5, 4, 7, 6);
#else
    v += __builtin_shufflevector(v, v, 2, 3, 0, 1);
    v += __builtin_shufflevector(v, v, 1, 0, 3, 2);
#endif
    return (unsigned)v[0];
}

/* ---- Points
 * ------------------------------------------------------------------------------------*/

/* In each part, rows become columns: x, y, z and intensity become points q and 4 + q, and back. */
LANES_INLINE void lanes_transpose(lanes_f row[4])
{
#if LANES == 8
#define LOW(a, b)       __builtin_shufflevector(a, b, 0, 8, 1, 9, 4, 12, 5, 13)
#define HIGH(a, b)      __builtin_shufflevector(a, b, 2, 10, 3, 11, 6, 14, 7, 15)
#define LOW_PAIR(a, b)  __builtin_shufflevector(a, b, 0, 1, 8, 9, 4, 5, 12, 13)
#define HIGH_PAIR(a, b) __builtin_shufflevector(a, b, 2, 3, 10, 11, 6, 7, 14, 15)
#else
#define LOW(a, b)       __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define HIGH(a, b)      __builtin_shufflevector(a, b, 2, 6, 3, 7)
#define LOW_PAIR(a, b)  __builtin_shufflevector(a, b, 0, 1, 4, 5)
#define HIGH_PAIR(a, b) __builtin_shufflevector(a, b, 2, 3, 6, 7)
#endif
    lanes_f low = LOW(row[0], row[1]), high = HIGH(row[0], row[1]);
    lanes_f other_low = LOW(row[2], row[3]), other_high = HIGH(row[2], row[3]);
    row[0] = LOW_PAIR(low, other_low);
    row[1] = HIGH_PAIR(low, other_low);
    row[2] = LOW_PAIR(high, other_high);
    row[3] = HIGH_PAIR(high, other_high);
#undef LOW
#undef HIGH
#undef LOW_PAIR
#undef HIGH_PAIR
}

LANES_INLINE lanes_part lanes_part_of(lanes_f v, unsigned part)
{
#if LANES == 8
    return part == 0 ? (lanes_part)_mm256_castps256_ps128((__m256)v)
                     : (lanes_part)_mm256_extractf128_ps((__m256)v, 1);
#else
    (void)part;
    return v;
#endif
}

/* `second` is not asked for where there is but one. */
LANES_INLINE lanes_f lanes_join(lanes_part first, lanes_part second)
{
#if LANES == 8
    return (lanes_f)_mm256_set_m128((__m128)second, (__m128)first);
#else
    (void)second;
    return first;
#endif
}

/* ---- Storing
 * -----------------------------------------------------------------------------------*/

/* Past the caches. A multiple of 16 bytes, from a multiple of 64 to one of 16. */
LANES_INLINE void lanes_stream(uint8_t *to, const uint8_t *from, size_t size_bytes)
{
    size_t at = 0;
#if LANES == 8
    if (((uintptr_t)to & 31) == 0) {
        for (; at + 32 <= size_bytes; at += 32)
            _mm256_stream_si256((__m256i *)(void *)(to + at),
                                _mm256_load_si256((const __m256i *)(const void *)(from + at)));
    }
#endif
#if defined(__SSE2__)
    for (; at < size_bytes; at += 16)
        _mm_stream_ps((float *)(void *)(to + at),
                      _mm_load_ps((const float *)(const void *)(from + at)));
#else
    for (; at + 32 <= size_bytes; at += 32)
        __asm__ volatile("ldp q0, q1, [%1]\n\tstnp q0, q1, [%0]"
                         :
                         : "r"(to + at), "r"(from + at)
                         : "v0", "v1", "memory");
    if (at < size_bytes)
        __asm__ volatile("ldp d0, d1, [%1]\n\tstnp d0, d1, [%0]"
                         :
                         : "r"(to + at), "r"(from + at)
                         : "v0", "v1", "memory");
#endif
}

#endif
#endif
