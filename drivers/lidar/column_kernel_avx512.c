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

/* Where a field is, in registers. */
struct pick {
    __m512i at, mask;
    __m128i shift, scale;
    __mmask16 later, last; /* rows whose word is in the third and fourth register, in the fifth */
};

/* What is the same for all columns. */
struct constants {
    struct pick range[LIDAR_RETURNS_MAX], intensity[LIDAR_RETURNS_MAX];
    __m512i raw_min, raw_span;
    __m512 nan;
    __m512d unit, origin;
};

INLINE struct pick load_pick(const struct lidar_column *column, struct lidar_column_bits bits)
{
    return (struct pick){
        .at = _mm512_load_si512(column->line_pixel[bits.word]),
        .mask = _mm512_set1_epi32((int)bits.mask),
        .shift = _mm_cvtsi32_si128(bits.shift),
        .scale = _mm_cvtsi32_si128(bits.scale),
        .later = column->line_pixel_mask[bits.word][1],
        .last = column->line_pixel_mask[bits.word][2],
    };
}

INLINE struct constants load_constants(const struct lidar_column *column)
{
    return (struct constants){
        .range = {load_pick(column, column->range[0]), load_pick(column, column->range[1])},
        .intensity = {load_pick(column, column->intensity[0]),
                      load_pick(column, column->intensity[1])},
        .raw_min = _mm512_set1_epi32((int)column->raw_min),
        .raw_span = _mm512_set1_epi32((int)column->raw_span),
        .nan = _mm512_castsi512_ps(_mm512_set1_epi32((int)LIDAR_NAN_BITS)),
        .unit = _mm512_set1_pd(LIDAR_METRES_PER_MM),
        .origin = _mm512_set1_pd(column->origin_m),
    };
}

/* The pixels of a group: `words` registers, the rest is not used. */
struct pixels {
    __m512i first, second, third, fourth, fifth;
};

INLINE struct pixels load_pixels(const uint8_t *from, unsigned words)
{
    struct pixels p = {.first = _mm512_loadu_si512(from)};
    p.second = words > 1 ? _mm512_loadu_si512(from + 64) : p.first;
    p.third = words > 2 ? _mm512_loadu_si512(from + 128) : p.first;
    p.fourth = words > 3 ? _mm512_loadu_si512(from + 192) : p.first;
    p.fifth = words > 4 ? _mm512_loadu_si512(from + 256) : p.first;
    return p;
}

INLINE __m512i pick_bits(const struct pixels *p, unsigned words, const struct pick *pick)
{
    __m512i picked;
    if (words == 1)
        picked = _mm512_permutexvar_epi32(pick->at, p->first);
    else
        picked = _mm512_permutex2var_epi32(p->first, pick->at, p->second);
    if (words == 3)
        picked = _mm512_mask_permutexvar_epi32(picked, pick->later, pick->at, p->third);
    if (words > 3)
        picked = _mm512_mask_blend_epi32(pick->later, picked,
                                         _mm512_permutex2var_epi32(p->third, pick->at, p->fourth));
    if (words > 4)
        picked = _mm512_mask_permutexvar_epi32(picked, pick->last, pick->at, p->fifth);
    picked = _mm512_and_si512(_mm512_srl_epi32(picked, pick->shift), pick->mask);
    return _mm512_sll_epi32(picked, pick->scale);
}

/* A column's turn, in registers. */
struct turn {
    __m512d m[3][2], o[3];
};

INLINE struct turn load_turn(const struct lidar_column *column, const struct lidar_column_job *job)
{
    const struct lidar_column_turn turn = lidar_column_turn(column, job);
    return (struct turn){
        .m = {{_mm512_set1_pd(turn.m[0][0]), _mm512_set1_pd(turn.m[0][1])},
              {_mm512_set1_pd(turn.m[1][0]), _mm512_set1_pd(turn.m[1][1])},
              {_mm512_set1_pd(turn.m[2][0]), _mm512_set1_pd(turn.m[2][1])}},
        .o = {_mm512_set1_pd(turn.o[0]), _mm512_set1_pd(turn.o[1]), _mm512_set1_pd(turn.o[2])},
    };
}

/* Of 16 beams, as a coordinate has it. */
struct direction {
    __m512d low, high;
};

INLINE __m512d direction_of_half(const struct lidar_column *column, const struct turn *turn,
                                 unsigned axis, unsigned from, bool is_upright)
{
    if (is_upright && axis == 2)
        return _mm512_load_pd(column->k[axis] + from);
    __m512d sum = _mm512_add_pd(_mm512_mul_pd(turn->m[axis][0], _mm512_load_pd(column->a + from)),
                                _mm512_mul_pd(turn->m[axis][1], _mm512_load_pd(column->b + from)));
    return is_upright ? sum : _mm512_add_pd(sum, _mm512_load_pd(column->k[axis] + from));
}

INLINE struct direction direction_of(const struct lidar_column *column, const struct turn *turn,
                                     unsigned axis, unsigned from, bool is_upright)
{
    return (struct direction){direction_of_half(column, turn, axis, from, is_upright),
                              direction_of_half(column, turn, axis, from + 8, is_upright)};
}

INLINE __m512 join(__m256 low, __m256 high)
{
    return _mm512_castpd_ps(_mm512_insertf64x4(_mm512_castps_pd(_mm512_castps256_ps512(low)),
                                               _mm256_castps_pd(high), 1));
}

INLINE __m512 coordinate(const struct direction *d, const struct direction *r, __m512d offset)
{
    __m256 low = _mm512_cvtpd_ps(_mm512_add_pd(_mm512_mul_pd(r->low, d->low), offset));
    __m256 high = _mm512_cvtpd_ps(_mm512_add_pd(_mm512_mul_pd(r->high, d->high), offset));
    return join(low, high);
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

INLINE __m512d range_of(const struct constants *k, __m256i raw)
{
    return _mm512_sub_pd(_mm512_mul_pd(_mm512_cvtepi32_pd(raw), k->unit), k->origin);
}

/* What the returns of a group have in common. */
struct shared {
    struct pixels pixels;
    struct direction x, y, z;
};

/* What groups of one return add up to. */
struct counts {
    unsigned valid, filtered;
};

INLINE void decode_group(const struct lidar_column *column, const struct constants *k,
                         const struct lidar_column_job *job, const struct turn *turn,
                         const struct shared *s, unsigned words, const __m512i *times,
                         unsigned group, unsigned which, bool is_filtered, uint8_t *to,
                         struct counts *counts)
{
    __m512i raw = pick_bits(&s->pixels, words, &k->range[which]);
    __mmask16 valid = _mm512_cmple_epu32_mask(_mm512_sub_epi32(raw, k->raw_min), k->raw_span);
    const struct direction r = {range_of(k, _mm512_castsi512_si256(raw)),
                                range_of(k, _mm512_extracti64x4_epi64(raw, 1))};
    struct group g = {
        .x = coordinate(&s->x, &r, turn->o[0]),
        .y = coordinate(&s->y, &r, turn->o[1]),
        .z = coordinate(&s->z, &r, turn->o[2]),
    };
    if (is_filtered) {
        unsigned every = _mm512_test_epi32_mask(raw, raw);
        valid = (__mmask16)(valid & kept_points(column, job, group, &g));
        counts->filtered += (unsigned)__builtin_popcount(every & ~(unsigned)valid);
    }
    g.x = _mm512_mask_blend_ps(valid, k->nan, g.x);
    g.y = _mm512_mask_blend_ps(valid, k->nan, g.y);
    g.z = _mm512_mask_blend_ps(valid, k->nan, g.z);
    g.intensity =
        _mm512_maskz_cvtepi32_ps(valid, pick_bits(&s->pixels, words, &k->intensity[which]));
    store_group(column, group, &g, times, to);
    counts->valid += (unsigned)__builtin_popcount(valid);
}

INLINE void decode_column(const struct lidar_column *column, const struct constants *k,
                          struct lidar_column_job *job, unsigned words, bool is_upright,
                          bool is_filtered)
{
    const struct turn turn = load_turn(column, job);
    struct counts counts[LIDAR_RETURNS_MAX] = {0};
    uint8_t *const first = job->to[0], *const second = column->returns > 1 ? job->to[1] : NULL;
    __m512i times[LIDAR_GROUP_LINES], time = _mm512_castps_si512(_mm512_set1_ps(job->time_s));
    for (unsigned line = 0; line < LIDAR_GROUP_LINES; line++)
        times[line] = _mm512_maskz_permutexvar_epi16(
            column->line_time_mask[line], _mm512_load_si512(column->line_time[line]), time);
    for (unsigned group = 0; group * LIDAR_GROUP_POINTS < column->rows; group++) {
        unsigned from = group * LIDAR_GROUP_POINTS;
        const struct shared s = {
            .pixels = load_pixels(job->pixels + (size_t)from * words * 4, words),
            .x = direction_of(column, &turn, 0, from, is_upright),
            .y = direction_of(column, &turn, 1, from, is_upright),
            .z = direction_of(column, &turn, 2, from, is_upright),
        };
        if (first)
            decode_group(column, k, job, &turn, &s, words, times, group, 0, is_filtered,
                         first + group * LIDAR_GROUP_BYTES, &counts[0]);
        if (second)
            decode_group(column, k, job, &turn, &s, words, times, group, 1, is_filtered,
                         second + group * LIDAR_GROUP_BYTES, &counts[1]);
    }
    for (unsigned which = 0; which < column->returns; which++) {
        job->valid[which] = (uint8_t)counts[which].valid;
        job->filtered[which] = (uint8_t)counts[which].filtered;
    }
}

INLINE void decode_columns(const struct lidar_column *column, struct lidar_column_job *jobs,
                           unsigned count, unsigned words, bool is_upright, bool is_filtered)
{
    const struct constants k = load_constants(column);
    for (unsigned i = 0; i < count; i++)
        decode_column(column, &k, &jobs[i], words, is_upright, is_filtered);
}

/* One function for each number of words, so that it is a constant there. */
#define DECODE(words)                                                                            \
    static void decode_##words(const struct lidar_column *column, struct lidar_column_job *jobs, \
                               unsigned count)                                                   \
    {                                                                                            \
        if (column->is_filtered)                                                                 \
            decode_columns(column, jobs, count, words, column->is_upright, true);                \
        else if (column->is_upright)                                                             \
            decode_columns(column, jobs, count, words, true, false);                             \
        else                                                                                     \
            decode_columns(column, jobs, count, words, false, false);                            \
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

const struct lidar_column_kernel lidar_column_kernel_avx512 = {
    .simd = LIDAR_SIMD_AVX512,
    .place = place_of,
    .prepare = prepare,
    .decode = decode,
};

#else
typedef int lidar_column_kernel_avx512_is_for_x86;
#endif
