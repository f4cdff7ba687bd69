/* SPDX-License-Identifier: Apache-2.0 */
/* lidar_bench.h - how fast packets become points in a pool's memory, beside how fast it can be
 * filled.
 *
 * Both are measured in the same run, in turns, by one thread, on the same pages of a memfd that is
 * larger than the caches; the input (a turn of packets) stays in the caches. Decoding is the whole
 * way of a packet: check, time, cut, row, points; nothing is left out but the source and the
 * publishing.
 *
 * Life:    none.
 * Owner:   the caller's result.
 * Threads: one at a time.
 * Errors:  -errno with sl_error_text(); nothing is printed.
 */
#ifndef SL_BENCH_LIDAR_BENCH_H
#define SL_BENCH_LIDAR_BENCH_H

#include <stdint.h>

#include "drivers/lidar/simd.h"

#define SL_BENCH_LIDAR_PAIRS 9 /* of decoding and filling; figures are medians over them */

struct sl_bench_lidar_options {
    enum lidar_simd simd; /* that kernels may need at most */
    const char *model;    /* of sl_bench_lidar_models, with one return; NULL = a VLP-16 */
    unsigned returns;     /* 1 or 2; 0 = 1 */
    unsigned turns;       /* of the sensor in each measurement; 0 = 400 */
    int has_extrinsics;   /* points moved into another frame in the same pass */
    int is_ouster;        /* of 128 beams and 1024 columns, with one profile a number of returns;
                             otherwise what `model` says */
};

/* Sensors beside the VLP-16 and Ousters, as options spell them, ended by NULL. */
extern const char *const sl_bench_lidar_models[];

struct sl_bench_lidar_result {
    enum lidar_simd simd; /* that it was allowed to need */
    const char *stream;   /* variant that filled */
    unsigned pairs;
    uint64_t region_bytes; /* that is written over and over */
    uint64_t points;       /* in each measurement, valid or not */
    double decode_points_per_s;
    double decode_bytes_per_s;
    double fill_bytes_per_s;
    double decode_fill_rate_ratio; /* bytes decoded to bytes filled per second, of each pair */
};

/* `options` NULL = the defaults. -EINVAL: no such model; -ENOTSUP: this processor has it not. */
int sl_bench_lidar_decode_with(const struct sl_bench_lidar_options *options,
                               struct sl_bench_lidar_result *ret_result);

#endif
