/* SPDX-License-Identifier: Apache-2.0 */
/* column_kernel.h - from the pixels of one column to finished points, at their final place.
 *
 * A column is one measurement of all beams: a pixel of some words of 32 bits for each, the range
 * and the intensity of each return somewhere in them as bit fields. Its points are those of
 * block_kernel.h, 22 bytes each, one column of each return in one piece, streamed past the caches.
 *
 * Formula (Ouster's Firmware User Manual, "Lidar Range to XYZ"): with the column's angle te, beam
 * angles ph (up) and ta (left of the column's), (bx, bz) where the beams begin and n how far that
 * is from the axis,
 *
 *      p = T ( (r - n) (cos(te + ta) cos(ph), sin(te + ta) cos(ph), sin(ph))
 *              + (bx cos(te), bx sin(te), bz) )
 *
 * Since te enters by a rotation about z alone, three numbers a beam and two a column say all:
 * with M = T Rz(te), and o = M (bx, 0, bz) + t,
 *
 *      p = (r - n) M (cos(ta) cos(ph), sin(ta) cos(ph), sin(ph)) + o
 *
 * The last column of M is T's, so its part of each sum is known beforehand. Where T is upright, as
 * the sensor's own is, nothing else is in z and nothing of it in x and y.
 *
 * A few kilobytes that stay in the first-level cache, where a table of directions and offsets for
 * each pixel of a turn has 3 to 6 MB. T may be any rotation with an offset, so the frame of the
 * points costs nothing.
 *
 * All kernels do the same operations in double precision, in the same order, and round once at the
 * end: they give the same bits, and each coordinate is the nearest float or its neighbour.
 *
 * Life:    lidar_column_init fills a lidar_column in the caller's memory; nothing to free.
 * Owner:   the caller; `to` is written, never read.
 * Threads: one at a time for a lidar_column (it holds scratch memory).
 * Errors:  none. sl_stream_fence() is the caller's, before the points are shown to anybody.
 */
#ifndef SL_DRIVERS_LIDAR_COLUMN_KERNEL_H
#define SL_DRIVERS_LIDAR_COLUMN_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "drivers/lidar/block_kernel.h"

#define LIDAR_COLUMN_ROWS_MAX  128
#define LIDAR_COLUMN_WORDS_MAX 5  /* of a pixel */
#define LIDAR_GROUP_POINTS     16 /* rows are a multiple of it */
#define LIDAR_GROUP_BYTES      (LIDAR_GROUP_POINTS * LIDAR_POINT_BYTES)
#define LIDAR_GROUPS_MAX       (LIDAR_COLUMN_ROWS_MAX / LIDAR_GROUP_POINTS)
#define LIDAR_GROUP_LINES      6  /* of 64 bytes, the last one half full */
#define LIDAR_COLUMN_ALIGNMENT 32 /* of `to` */

/* A field of a pixel: word `word` >> shift & mask << scale. */
struct lidar_column_bits {
    uint8_t word, shift, scale;
    uint32_t mask;
};

struct lidar_column_config {
    unsigned rows;        /* beams; a multiple of LIDAR_GROUP_POINTS */
    unsigned pixel_words; /* at most LIDAR_COLUMN_WORDS_MAX */
    unsigned returns;
    struct lidar_column_bits range[LIDAR_RETURNS_MAX];     /* mm, below 2^24 */
    struct lidar_column_bits intensity[LIDAR_RETURNS_MAX]; /* below 2^24 */
    const double *altitude_deg, *azimuth_deg;              /* ph, -ta: a beam each */
    double origin_x_m, origin_z_m;                         /* bx, bz */
    double to_frame[12];            /* T: rows of the 3 x 4 matrix from the lidar's axes, metres */
    float range_min_m, range_max_m; /* as lidar_block_options, and the next three */
    bool has_extrinsics; /* that T has taken in; only windows of directions still need them */
    float extrinsics[12];
    struct lidar_filter_options filter;
};

/* One column to decode. */
struct lidar_column_job {
    const uint8_t *pixels;               /* rows * pixel_words * 4 bytes, nothing is read beyond */
    double cosine, sine;                 /* of te */
    float time_s;                        /* after the header's stamp */
    bool is_left_out;                    /* the column is not kept; asked only where is_filtered */
    uint8_t *to[LIDAR_RETURNS_MAX];      /* LIDAR_COLUMN_ALIGNMENT; NULL = not wanted */
    uint8_t valid[LIDAR_RETURNS_MAX];    /* out: points that are no holes, where it was wanted */
    uint8_t filtered[LIDAR_RETURNS_MAX]; /* out, where is_filtered: holes for that alone */
};

struct lidar_column;

struct lidar_column_kernel {
    enum lidar_simd simd;
    /* The row in its group of 16 that stands at this position of the kernel's order; NULL = the
     * same. */
    unsigned (*place)(unsigned position);
    void (*prepare)(struct lidar_column *column); /* of the kernel's own tables; may be NULL */
    void (*decode)(struct lidar_column *column, struct lidar_column_job *jobs, unsigned count);
};

/* Everything that a kernel needs beside the packet. Arrays are in the kernel's order. */
struct lidar_column {
    const struct lidar_column_kernel *kernel;
    unsigned rows, pixel_words, returns;
    struct lidar_column_bits range[LIDAR_RETURNS_MAX], intensity[LIDAR_RETURNS_MAX];
    uint32_t raw_min, raw_span; /* valid ranges are raw_min ... raw_min + raw_span, in mm */
    _Alignas(64) double a[LIDAR_COLUMN_ROWS_MAX]; /* cos(ta) cos(ph) */
    _Alignas(64) double b[LIDAR_COLUMN_ROWS_MAX]; /* sin(ta) cos(ph) */
    /* T (0, 0, sin(ph)), a row for each coordinate: what does not turn with the column. */
    _Alignas(64) double k[3][LIDAR_COLUMN_ROWS_MAX];
    bool is_upright; /* T leaves z its direction: k is all of z, and no part of x and y */
    double origin_x_m, origin_z_m, origin_m; /* bx, bz, n */
    double to_frame[12];
    bool is_filtered; /* there are points that come back and are not wanted */
    struct lidar_filter filter;
    _Alignas(64) uint32_t kept[LIDAR_COLUMN_ROWS_MAX]; /* its ring is: all bits set, or none */

    /* A column whose points are all holes, but for the times. */
    _Alignas(64) uint8_t hole[LIDAR_COLUMN_ROWS_MAX * LIDAR_POINT_BYTES];

    /* Scratch of the kernels that go through the first-level cache: rings are filled in. */
    _Alignas(64) uint8_t staging[LIDAR_COLUMN_ROWS_MAX * LIDAR_POINT_BYTES];

    /* Tables of the kernel that arranges whole cache lines in registers: where words of 16 bits
     * come from. */
    _Alignas(64) uint32_t line_pixel[LIDAR_COLUMN_WORDS_MAX][LIDAR_GROUP_POINTS];
    uint16_t line_pixel_mask[LIDAR_COLUMN_WORDS_MAX][3];
    _Alignas(64) uint16_t line_point[LIDAR_GROUP_LINES][LIDAR_LINE_WORDS];
    _Alignas(64) uint16_t line_time[LIDAR_GROUP_LINES][LIDAR_LINE_WORDS];
    _Alignas(64) uint16_t line_ring[LIDAR_GROUPS_MAX][LIDAR_GROUP_LINES][LIDAR_LINE_WORDS];
    uint32_t line_point_mask[LIDAR_GROUP_LINES];
    uint32_t line_time_mask[LIDAR_GROUP_LINES];
};

/* Best first, ended by NULL; the last one runs everywhere. */
extern const struct lidar_column_kernel *const lidar_column_kernels[];

/* The best one that needs no more than `simd`, which this processor has. */
const struct lidar_column_kernel *lidar_column_kernel_for(enum lidar_simd simd);

/* `kernel` NULL = the best. */
void lidar_column_init(struct lidar_column *column, const struct lidar_column_kernel *kernel,
                       const struct lidar_column_config *config);

static inline void lidar_column_decode(struct lidar_column *column, struct lidar_column_job *jobs,
                                       unsigned count)
{
    column->kernel->decode(column, jobs, count);
}

/* Write a column of holes, `time_s` after the header's stamp. */
void lidar_column_hole(struct lidar_column *column, uint8_t *to, float time_s);

#endif
