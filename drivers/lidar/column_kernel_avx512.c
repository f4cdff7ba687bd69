/* SPDX-License-Identifier: Apache-2.0 */
/* column_kernel_avx512.c - 16 points at a time, whole lines made in registers and streamed.
 *
 * The pixels of 16 rows are as many registers as a pixel has words; one word of each is picked by
 * at most three permutations. x, y, z and intensity become points as in block_kernel_avx512.c: with
 * row 4q+l at position 4l+q, the transposition inside the 128-bit lanes gives the points in their
 * order. Each line then takes its words from at most two registers; rings are constant, and the
 * time is the whole column's.
 *
 * This file is compiled with -mavx512f -mavx512bw -mpopcnt; nothing of it runs elsewhere.
 */
#if defined(__x86_64__)

#include <immintrin.h>
#include <string.h>

#include "drivers/lidar/column_kernels.h"
#include "drivers/lidar/point_filter_avx512.h"

/* One function in the end: values stay in registers. */
#define INLINE static inline __attribute__((always_inline))

#define POINT_WORDS (LIDAR_POINT_BYTES / 2)
#define RING_WORD   (LIDAR_POINT_RING / 2)
#define GROUP_WORDS (LIDAR_GROUP_BYTES / 2)
#define OR_OF_THREE 0xFE /* as _mm512_ternarylogic_epi32 has it */

static unsigned place_of(unsigned position)
{
    return position % 4 * 4 + position / 4;
}

/* The registers of points that line L takes its words from: those of its first and last word. */
INLINE unsigned first_register(unsigned line)
{
    return line * LIDAR_LINE_WORDS / POINT_WORDS / 4;
}

static void prepare_pixels(struct lidar_column *column)
{
    for (unsigned word = 0; word < column->pixel_words; word++) {
        for (unsigned position = 0; position < LIDAR_GROUP_POINTS; position++) {
            unsigned at = place_of(position) * column->pixel_words + word;
            column->line_pixel[word][position] = at % 32;
            column->line_pixel_mask[word][at / 32] |= (uint16_t)(1u << position);
        }
    }
}

static void prepare(struct lidar_column *column)
{
    prepare_pixels(column);
    for (unsigned word = 0; word < GROUP_WORDS; word++) {
        unsigned line = word / LIDAR_LINE_WORDS, at = word % LIDAR_LINE_WORDS;
        unsigned point = word / POINT_WORDS, part = word % POINT_WORDS;
        uint32_t bit = UINT32_C(1) << at;
        if (part < RING_WORD) {
            unsigned from = point / 4 - first_register(line); /* 0 or 1 */
            column->line_point[line][at] =
                (uint16_t)(from * LIDAR_LINE_WORDS + point % 4 * RING_WORD + part);
            column->line_point_mask[line] |= bit;
        } else if (part == RING_WORD) {
            for (unsigned group = 0; group < LIDAR_GROUPS_MAX; group++)
                column->line_ring[group][line][at] = (uint16_t)(group * LIDAR_GROUP_POINTS + point);
        } else {
            column->line_time[line][at] = (uint16_t)(part - RING_WORD - 1);
            column->line_time_mask[line] |= bit;
        }
    }
}

/* Pixels of a group: `words` registers. */
INLINE __m512i pick_word(const struct lidar_column *column, const __m512i *pixels, unsigned words,
                         unsigned word)
{
    __m512i at = _mm512_load_si512(column->line_pixel[word]);
    if (words == 1)
        return _mm512_permutexvar_epi32(at, pixels[0]);
    __m512i picked = _mm512_permutex2var_epi32(pixels[0], at, pixels[1]);
    if (words > 2) {
        const __m512i third = pixels[2], fourth = words > 3 ? pixels[3] : third;
        picked = _mm512_mask_blend_epi32(column->line_pixel_mask[word][1], picked,
                                         _mm512_permutex2var_epi32(third, at, fourth));
    }
    if (words > 4)
        picked =
            _mm512_mask_permutexvar_epi32(picked, column->line_pixel_mask[word][2], at, pixels[4]);
    return picked;
}

INLINE __m512i pick_bits(const struct lidar_column *column, const __m512i *pixels, unsigned words,
                         struct lidar_column_bits bits)
{
    __m512i picked = pick_word(column, pixels, words, bits.word);
    picked = _mm512_and_si512(_mm512_srl_epi32(picked, _mm_cvtsi32_si128(bits.shift)),
                              _mm512_set1_epi32((int)bits.mask));
    return _mm512_sll_epi32(picked, _mm_cvtsi32_si128(bits.scale));
}

INLINE __m512d direction(const struct lidar_column *column, const double m[3], unsigned from)
{
    __m512d sum =
        _mm512_add_pd(_mm512_mul_pd(_mm512_set1_pd(m[0]), _mm512_load_pd(column->a + from)),
                      _mm512_mul_pd(_mm512_set1_pd(m[1]), _mm512_load_pd(column->b + from)));
    return _mm512_add_pd(sum,
                         _mm512_mul_pd(_mm512_set1_pd(m[2]), _mm512_load_pd(column->c + from)));
}

INLINE __m512 join(__m256 low, __m256 high)
{
    return _mm512_castpd_ps(_mm512_insertf64x4(_mm512_castps_pd(_mm512_castps256_ps512(low)),
                                               _mm256_castps_pd(high), 1));
}

INLINE __m512 coordinate(const __m512d d[2], const __m512d r[2], double o)
{
    __m512d offset = _mm512_set1_pd(o);
    __m256 low = _mm512_cvtpd_ps(_mm512_add_pd(_mm512_mul_pd(r[0], d[0]), offset));
    __m256 high = _mm512_cvtpd_ps(_mm512_add_pd(_mm512_mul_pd(r[1], d[1]), offset));
    return join(low, high);
}

INLINE __m512 or_nan(__m512 value, __mmask16 valid)
{
    __m512 nan = _mm512_castsi512_ps(_mm512_set1_epi32((int)LIDAR_NAN_BITS));
    return _mm512_mask_blend_ps(valid, nan, value);
}

struct group {
    __m512 x, y, z, intensity;
};

/* Four registers of four points each, in order. */
INLINE void transpose(const struct group *g, __m512i ret_points[4])
{
    __m512i xy_low = _mm512_castps_si512(_mm512_unpacklo_ps(g->x, g->y));
    __m512i xy_high = _mm512_castps_si512(_mm512_unpackhi_ps(g->x, g->y));
    __m512i zi_low = _mm512_castps_si512(_mm512_unpacklo_ps(g->z, g->intensity));
    __m512i zi_high = _mm512_castps_si512(_mm512_unpackhi_ps(g->z, g->intensity));
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

INLINE __m512i make_line(const struct lidar_column *column, unsigned group, unsigned line,
                         __m512i first, __m512i second, const __m512i *times)
{
    __m512i words = _mm512_load_si512(column->line_point[line]);
    __m512i made =
        _mm512_maskz_permutex2var_epi16(column->line_point_mask[line], first, words, second);
    return _mm512_ternarylogic_epi32(made, _mm512_load_si512(column->line_ring[group][line]),
                                     times[line], OR_OF_THREE);
}

INLINE void store_lines(const struct lidar_column *column, unsigned group, const __m512i p[4],
                        const __m512i *times, uint8_t *to, bool is_line)
{
    stream_line(to, make_line(column, group, 0, p[0], p[1], times), is_line);
    stream_line(to + 64, make_line(column, group, 1, p[0], p[1], times), is_line);
    stream_line(to + 128, make_line(column, group, 2, p[1], p[2], times), is_line);
    stream_line(to + 192, make_line(column, group, 3, p[2], p[3], times), is_line);
    stream_line(to + 256, make_line(column, group, 4, p[2], p[3], times), is_line);
}

INLINE void store_group(const struct lidar_column *column, unsigned group, const struct group *g,
                        const __m512i *times, uint8_t *to)
{
    __m512i p[4];
    transpose(g, p);
    if (((uintptr_t)to & 63) == 0)
        store_lines(column, group, p, times, to, true);
    else
        store_lines(column, group, p, times, to, false);
    /* Behind the branch, as block_kernel_avx512.c says. */
    __m512i last = make_line(column, group, 5, p[3], p[3], times);
    _mm256_stream_si256((__m256i *)(void *)(to + 5 * 64), _mm512_castsi512_si256(last));
}

/* Those that are wanted, wherever they are in range. */
INLINE __mmask16 kept_points(const struct lidar_column *column, const struct lidar_column_job *job,
                             unsigned group, const struct group *g)
{
    __m512i rings = _mm512_load_si512(column->kept + group * LIDAR_GROUP_POINTS);
    unsigned kept = _mm512_test_epi32_mask(rings, rings);
    if (job->is_left_out)
        return 0;
    return (__mmask16)(kept & lidar_filter_keeps_16(&column->filter, g->x, g->y, g->z));
}

/* What groups of one return add up to. */
struct counts {
    unsigned valid, filtered;
};

INLINE void decode_group(const struct lidar_column *column, const struct lidar_column_job *job,
                         const struct lidar_column_turn *turn, const __m512i *pixels,
                         unsigned words, const __m512d d[3][2], const __m512i *times,
                         unsigned group, unsigned which, bool is_filtered, struct counts *counts)
{
    __m512i raw = pick_bits(column, pixels, words, column->range[which]);
    __m512i above = _mm512_sub_epi32(raw, _mm512_set1_epi32((int)column->raw_min));
    __mmask16 valid = _mm512_cmple_epu32_mask(above, _mm512_set1_epi32((int)column->raw_span));
    const __m256i halves[2] = {_mm512_castsi512_si256(raw), _mm512_extracti64x4_epi64(raw, 1)};
    __m512d r[2];
    for (unsigned i = 0; i < 2; i++)
        r[i] = _mm512_sub_pd(
            _mm512_mul_pd(_mm512_cvtepi32_pd(halves[i]), _mm512_set1_pd(LIDAR_METRES_PER_MM)),
            _mm512_set1_pd(column->origin_m));
    struct group g = {
        .x = coordinate(d[0], r, turn->o[0]),
        .y = coordinate(d[1], r, turn->o[1]),
        .z = coordinate(d[2], r, turn->o[2]),
    };
    if (is_filtered) {
        unsigned every = _mm512_test_epi32_mask(raw, raw);
        valid = (__mmask16)(valid & kept_points(column, job, group, &g));
        counts->filtered += (unsigned)__builtin_popcount(every & ~(unsigned)valid);
    }
    g.x = or_nan(g.x, valid);
    g.y = or_nan(g.y, valid);
    g.z = or_nan(g.z, valid);
    g.intensity =
        _mm512_maskz_cvtepi32_ps(valid, pick_bits(column, pixels, words, column->intensity[which]));
    store_group(column, group, &g, times, job->to[which] + group * LIDAR_GROUP_BYTES);
    counts->valid += (unsigned)__builtin_popcount(valid);
}

INLINE void decode_column(const struct lidar_column *column, struct lidar_column_job *job,
                          unsigned words, bool is_filtered)
{
    const struct lidar_column_turn turn = lidar_column_turn(column, job);
    struct counts counts[LIDAR_RETURNS_MAX] = {0};
    __m512i times[LIDAR_GROUP_LINES], time = _mm512_castps_si512(_mm512_set1_ps(job->time_s));
    for (unsigned line = 0; line < LIDAR_GROUP_LINES; line++)
        times[line] = _mm512_maskz_permutexvar_epi16(
            column->line_time_mask[line], _mm512_load_si512(column->line_time[line]), time);
    for (unsigned group = 0; group * LIDAR_GROUP_POINTS < column->rows; group++) {
        unsigned from = group * LIDAR_GROUP_POINTS;
        __m512i pixels[LIDAR_COLUMN_WORDS_MAX];
        __m512d d[3][2];
        for (unsigned i = 0; i < words; i++)
            pixels[i] = _mm512_loadu_si512(job->pixels + (size_t)from * words * 4 + i * 64);
        for (unsigned axis = 0; axis < 3; axis++) {
            d[axis][0] = direction(column, turn.m[axis], from);
            d[axis][1] = direction(column, turn.m[axis], from + 8);
        }
        for (unsigned which = 0; which < column->returns; which++) {
            if (job->to[which])
                decode_group(column, job, &turn, pixels, words, d, times, group, which, is_filtered,
                             &counts[which]);
        }
    }
    for (unsigned which = 0; which < column->returns; which++) {
        job->valid[which] = (uint8_t)counts[which].valid;
        job->filtered[which] = (uint8_t)counts[which].filtered;
    }
}

/* One loop for each number of words, so that it is a constant there. */
#define DECODE(words)                                                                            \
    static void decode_##words(const struct lidar_column *column, struct lidar_column_job *jobs, \
                               unsigned count)                                                   \
    {                                                                                            \
        for (unsigned i = 0; i < count; i++) {                                                   \
            if (column->is_filtered)                                                             \
                decode_column(column, &jobs[i], words, true);                                    \
            else                                                                                 \
                decode_column(column, &jobs[i], words, false);                                   \
        }                                                                                        \
    }
DECODE(1)
DECODE(2)
DECODE(3)
DECODE(4)
DECODE(5)

static void decode(struct lidar_column *column, struct lidar_column_job *jobs, unsigned count)
{
    static void (*const by_words[LIDAR_COLUMN_WORDS_MAX])(const struct lidar_column *,
                                                          struct lidar_column_job *, unsigned) = {
        decode_1, decode_2, decode_3, decode_4, decode_5};
    by_words[column->pixel_words - 1](column, jobs, count);
}

static bool is_supported(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw");
}

const struct lidar_column_kernel lidar_column_kernel_avx512 = {
    .name = "avx512",
    .is_supported = is_supported,
    .place = place_of,
    .prepare = prepare,
    .decode = decode,
};

#else
typedef int lidar_column_kernel_avx512_is_for_x86;
#endif
