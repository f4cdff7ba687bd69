/* SPDX-License-Identifier: Apache-2.0 */
/* list_kernel.h - from a list of positions on the wire to finished points: sensors that compute x,
 * y and z themselves.
 *
 * A job is one packet's list. Its points are those of block_kernel.h, 22 bytes each, one row in one
 * piece, streamed past the caches; a row is 96 points or 33 cache lines as Livox's packets are.
 * Little endian, in the sensor's axes, which are those of REP-103:
 *
 *      LIDAR_LIST_MM      x i32 | y i32 | z i32 | reflectivity u8 | tag u8     14 bytes, mm
 *      LIDAR_LIST_CM      x i16 | y i16 | z i16 | reflectivity u8 | tag u8      8 bytes, cm
 *      LIDAR_LIST_POLAR   r u32 | theta u16 | phi u16 | reflectivity u8 | tag u8   10 bytes, mm and
 *                         0.01 degrees: x = r sin(theta) cos(phi), y = r sin(theta) sin(phi),
 *                         z = r cos(theta)
 *
 * A hole is a point at the origin (nothing came back), one out of range, one whose tag has a bit
 * that is not wanted, or one that the filter does not keep.
 *
 * All kernels do the same single-precision operations in the same order and give the same bits.
 *
 * Life:    lidar_list_init fills a lidar_list in the caller's memory; nothing to free.
 * Owner:   the caller; `to` is written, never read.
 * Threads: one at a time for a lidar_list (it holds scratch memory).
 * Errors:  none. sl_stream_fence() is the caller's, before the points are shown to anybody.
 */
#ifndef SL_DRIVERS_LIDAR_LIST_KERNEL_H
#define SL_DRIVERS_LIDAR_LIST_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "drivers/lidar/block_kernel.h"
#include "drivers/lidar/geometry.h"

#define LIDAR_LIST_POINTS_MAX 256 /* of a row, and of a packet */

enum lidar_list_type {
    LIDAR_LIST_MM,
    LIDAR_LIST_CM,
    LIDAR_LIST_POLAR,
    LIDAR_LIST_TYPES,
};

/* Bytes of a point on the wire. */
extern const uint8_t lidar_list_stride[LIDAR_LIST_TYPES];

/* One row to decode. */
struct lidar_list_job {
    const uint8_t *points; /* count * lidar_list_stride bytes, nothing is read beyond */
    enum lidar_list_type type;
    unsigned count;    /* of points, at most LIDAR_LIST_POINTS_MAX */
    double time_s;     /* of the first one, after the header's stamp */
    double step_s;     /* from each to the next */
    unsigned valid;    /* out: points that are no holes */
    unsigned filtered; /* out: holes though something came back, because the options say so */
};

struct lidar_list;

struct lidar_list_kernel {
    enum lidar_simd simd;
    /* Fill the staging: all of each point but its ring. */
    void (*decode)(struct lidar_list *list, struct lidar_list_job *job);
};

/* Everything that a kernel needs beside the packet. */
struct lidar_list {
    const struct lidar_list_kernel *kernel;
    float range_min2, range_max2; /* squares, in square metres */
    uint8_t unwanted_tags;        /* bits */
    bool is_filtered;             /* there are points that come back and are not wanted */
    struct lidar_filter filter;
    bool has_extrinsics;
    float extrinsics[12];
    struct lidar_turn turn;
    _Alignas(64) uint32_t kept[LIDAR_LIST_POINTS_MAX]; /* its ring is: all bits set, or none */
    /* A row; rings are filled in, point i has i % lines. */
    _Alignas(64) uint8_t staging[LIDAR_LIST_POINTS_MAX * LIDAR_POINT_BYTES];
};

/* Best first, ended by NULL; the last one runs everywhere. */
extern const struct lidar_list_kernel *const lidar_list_kernels[];

/* The best one that needs no more than `simd`, which this processor has. */
const struct lidar_list_kernel *lidar_list_kernel_for(enum lidar_simd simd);

/* `lines` are the sensor's lasers, which fire in turn. */
void lidar_list_init(struct lidar_list *list, const struct lidar_list_kernel *kernel,
                     const struct lidar_block_options *options, uint8_t unwanted_tags,
                     unsigned lines);

/* Write a row of `width` points; those that the job has not are holes. job->count <= width <=
 * LIDAR_LIST_POINTS_MAX. */
void lidar_list_decode(struct lidar_list *list, struct lidar_list_job *job, uint8_t *to,
                       unsigned width);

#endif
