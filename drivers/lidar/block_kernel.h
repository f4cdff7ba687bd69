/* SPDX-License-Identifier: Apache-2.0 */
/* block_kernel.h - from distances and intensities on the wire to finished points, at their place.
 *
 * A lidar_block makes 32 points, two halves of 16, out of a group (model.h): the two columns of a
 * sensor of 16 lasers, the one of 32, or a quarter of the one of 128. An element of the wire is a
 * distance u16, an intensity u8, and maybe a byte that is not used. The points are 704 bytes, each
 * half of 352 goes to a place of its own, streamed past the caches. Points stand in the order of
 * their rings, wherever on the wire their elements are.
 *
 *      point:  x f32 | y f32 | z f32 | intensity f32 | ring u16 | time f32       22 bytes
 *              0       4       8       12              16         18
 *
 * Formula (VLP-16 User Manual 63-9243, section 9.2, in the axes of REP-103: x forward, y left, z
 * up): the manual's azimuth a' of an element is the block's azimuth a plus a small angle d that its
 * firing time and its laser's offset give. With A = cos(el) cos(d), B = cos(el) sin(d), C =
 * sin(el):
 *
 *      x =  r cos(el) cos(a + d) = r (A cos(a) - B sin(a))
 *      y = -r cos(el) sin(a + d) = r (A (-sin(a)) - B cos(a))
 *      z =  r C + V
 *
 * All kernels do the same single-precision operations in the same order and give the same bits.
 *
 * Life:    lidar_block_init fills a lidar_block in the caller's memory; nothing to free.
 * Owner:   the caller; `to` is written, never read.
 * Threads: one at a time for a lidar_block (it holds scratch memory).
 * Errors:  none. sl_stream_fence() is the caller's, before the points are shown to anybody.
 */
#ifndef SL_DRIVERS_LIDAR_BLOCK_KERNEL_H
#define SL_DRIVERS_LIDAR_BLOCK_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "drivers/lidar/model.h"
#include "drivers/lidar/point_filter.h"
#include "drivers/lidar/simd.h"

#define LIDAR_POINT_BYTES     22
#define LIDAR_POINT_X         0
#define LIDAR_POINT_Y         4
#define LIDAR_POINT_Z         8
#define LIDAR_POINT_INTENSITY 12
#define LIDAR_POINT_RING      16
#define LIDAR_POINT_TIME      18

#define LIDAR_BLOCK_ELEMENTS   32
#define LIDAR_ELEMENT_BYTES    3
#define LIDAR_BLOCK_WIRE_BYTES (LIDAR_BLOCK_ELEMENTS * LIDAR_ELEMENT_BYTES)
#define LIDAR_BLOCKS_A_GROUP   (LIDAR_LASERS_MAX / LIDAR_BLOCK_ELEMENTS)
#define LIDAR_HALF_POINTS      16
#define LIDAR_HALF_BYTES       (LIDAR_HALF_POINTS * LIDAR_POINT_BYTES)
#define LIDAR_BLOCK_BYTES      (2 * LIDAR_HALF_BYTES)
#define LIDAR_RAGGED_POINTS    8 /* a short block has a multiple of it, or is the scalar kernel's */
/* Of `to`; a multiple of it as the halves follow one another. Half of it where lasers make no whole
 * halves. */
#define LIDAR_HALF_ALIGNMENT 32

/* What a person may ask for beyond the packet. */
struct lidar_block_options {
    float range_min_m; /* points nearer are holes; 0 = no limit */
    float range_max_m; /* points farther are holes; 0 = no limit */
    bool has_extrinsics;
    float extrinsics[12]; /* rows of the 3 x 4 matrix that takes points to another frame */
    struct lidar_filter_options filter;
};

/* A, B and C of the elements, for one rate of rotation, or one place of a mirror; in the kernel's
 * order. */
struct lidar_block_rate {
    _Alignas(64) float a[LIDAR_BLOCK_ELEMENTS];
    _Alignas(64) float b[LIDAR_BLOCK_ELEMENTS];
    _Alignas(64) float c[LIDAR_BLOCK_ELEMENTS];
};

/* One block to decode. */
struct lidar_block_job {
    /* The group's first element. Kernels may read a byte beyond the last one. */
    const uint8_t *wire;
    /* Where one of these holds the same element, a hole is written; NULL = nowhere, from there on
     */
    const uint8_t *equal[LIDAR_RETURNS_MAX - 1];
    bool is_dual;        /* the group's blocks alternate with those of another return */
    uint8_t order;       /* in which the lasers fired; see lidar_model */
    float cosine, sine;  /* of the block's azimuth */
    float time_s[2];     /* of each half's first firing, after the header's stamp */
    bool is_left_out[2]; /* each half's column is not kept; asked only where is_filtered */
    uint8_t *to[2];      /* places of the halves, LIDAR_HALF_ALIGNMENT; NULL = not wanted */
    uint8_t valid[2];    /* out: points that are no holes, of the halves that were wanted */
    uint8_t filtered[2]; /* out, where is_filtered: points that are holes for that alone */
};

struct lidar_block;

struct lidar_block_kernel {
    enum lidar_simd simd;
    /* Halves at odd multiples of 16 bytes, LIDAR_RAGGED_POINTS of a block, and, but for the scalar
     * one, models with beams. */
    bool takes_all;
    /* The place of point `position` of the kernel's order in the output; NULL = order of the wire,
     * or of the output where elements are gathered. */
    unsigned (*place)(unsigned position);
    void (*prepare)(struct lidar_block *block); /* of the kernel's own tables; may be NULL */
    void (*decode)(struct lidar_block *block, const struct lidar_block_rate *rate,
                   struct lidar_block_job *jobs, unsigned count);
};

/* 22 bytes are 11 words of 16 bits; a half is 176, five and a half registers of 32. */
#define LIDAR_LINE_WORDS 32
#define LIDAR_HALF_LINES 6

#define LIDAR_RATES 16 /* rates of rotation that are kept, a power of two */

/* Of a model with beams, in the kernel's order: what beam_kernel.c's formulas take of each. */
struct lidar_block_beams {
    _Alignas(64) float distance_m[LIDAR_BLOCK_ELEMENTS];
    _Alignas(64) float distance_x_m[LIDAR_BLOCK_ELEMENTS], distance_y_m[LIDAR_BLOCK_ELEMENTS];
    _Alignas(64) uint32_t has_near[LIDAR_BLOCK_ELEMENTS]; /* all bits set, or none */
    _Alignas(64) float sideways_m[LIDAR_BLOCK_ELEMENTS];
    _Alignas(64) float focus2[LIDAR_BLOCK_ELEMENTS], slope[LIDAR_BLOCK_ELEMENTS];
    _Alignas(64) float intensity_min[LIDAR_BLOCK_ELEMENTS], intensity_max[LIDAR_BLOCK_ELEMENTS];
};

/* Everything that a kernel needs beside the packet. Arrays are in the kernel's order. */
struct lidar_block {
    const struct lidar_block_kernel *kernel;
    const struct lidar_model *model;
    unsigned first;   /* place of its first point in the group's output: a multiple of 32 */
    unsigned points;  /* that it makes: 32, or fewer at the end of a group */
    bool is_gathered; /* its elements are not simply 32 in a row of 3 bytes each */
    _Alignas(64) float v[LIDAR_BLOCK_ELEMENTS];
    /* after the half's first firing, by order */
    _Alignas(64) float time_s[LIDAR_FIRINGS_MAX][LIDAR_BLOCK_ELEMENTS];
    _Alignas(64) uint32_t element[LIDAR_BLOCK_ELEMENTS];   /* place on the wire, in the group */
    _Alignas(64) uint32_t offset[2][LIDAR_BLOCK_ELEMENTS]; /* in bytes; where is_dual the second */
    uint8_t place[LIDAR_BLOCK_ELEMENTS];                   /* place in the output */
    /* It is in the second half: all bits set, or none. */
    _Alignas(64) uint32_t in_second_half[LIDAR_BLOCK_ELEMENTS];
    uint16_t ring[LIDAR_BLOCK_ELEMENTS];    /* by place */
    double firing_ns[LIDAR_BLOCK_ELEMENTS]; /* after the block's first firing */
    /* Four elements of 4 bytes, as they were gathered, to distance and intensity; see is_gathered.
     */
    _Alignas(16) uint8_t pattern[16];
    float unit_m;
    uint32_t raw_min, raw_span; /* valid distances are raw_min ... raw_min + raw_span */
    bool has_extrinsics;
    float extrinsics[12];
    bool is_filtered; /* there are points that come back and are not wanted */
    struct lidar_filter filter;
    _Alignas(64) uint32_t kept[LIDAR_BLOCK_ELEMENTS]; /* its ring is: all bits set, or none */
    struct lidar_block_beams beams;

    /* A half whose points are all holes, but for the times. */
    _Alignas(64) uint8_t hole[LIDAR_BLOCK_BYTES];

    /* Scratch of the kernels that go through the first-level cache: rings are filled in. */
    _Alignas(64) uint8_t staging[LIDAR_BLOCKS_MAX][LIDAR_BLOCK_BYTES];

    /* Tables of the kernel that arranges whole cache lines in registers. */
    _Alignas(64) uint16_t line_point[LIDAR_HALF_LINES][LIDAR_LINE_WORDS];
    _Alignas(64) uint16_t line_time[LIDAR_HALF_LINES][LIDAR_LINE_WORDS];
    _Alignas(64) uint16_t line_ring[2][LIDAR_HALF_LINES][LIDAR_LINE_WORDS];
    uint32_t line_point_mask[LIDAR_HALF_LINES];
    uint32_t line_time_mask[LIDAR_HALF_LINES];

    int32_t turned[LIDAR_BLOCK_ELEMENTS], raised[LIDAR_BLOCK_ELEMENTS]; /* see mirror.c */
    uint32_t rate_key[LIDAR_RATES];
    struct lidar_block_rate rate[LIDAR_RATES];
};

/* Best first, ended by NULL; the last one runs everywhere. */
extern const struct lidar_block_kernel *const lidar_block_kernels[];

/* The best one that needs no more than `simd`, which this processor has. */
const struct lidar_block_kernel *lidar_block_kernel_for(enum lidar_simd simd);

/* Blocks that make a group's points. */
static inline unsigned lidar_block_count(const struct lidar_model *model)
{
    return (lidar_model_elements(model) + LIDAR_BLOCK_ELEMENTS - 1) / LIDAR_BLOCK_ELEMENTS;
}

/* Block `index` of a group. `kernel` NULL = the best. */
void lidar_block_init(struct lidar_block *block, const struct lidar_block_kernel *kernel,
                      const struct lidar_model *model, const struct lidar_block_options *options,
                      unsigned index);

/* A and B for a rotation of `advance` 0.01 degrees (below 0: counterclockwise) in `steps` groups'
 * time, fewer than 64. Kept, because a steady motor gives the same few values again and again.
 * Valid until LIDAR_RATES other calls. */
const struct lidar_block_rate *lidar_block_rate(struct lidar_block *block, int32_t advance,
                                                uint32_t steps);

static inline void lidar_block_decode(struct lidar_block *block,
                                      const struct lidar_block_rate *rate,
                                      struct lidar_block_job *jobs, unsigned count)
{
    block->kernel->decode(block, rate, jobs, count);
}

/* Write a column's points of this block as holes, `time_s` after the header's stamp. */
void lidar_block_hole(struct lidar_block *block, uint8_t *to, float time_s);

#endif
