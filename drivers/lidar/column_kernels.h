/* SPDX-License-Identifier: Apache-2.0 */
/* column_kernels.h - the kernels by name, each in a file that is compiled for its CPU features, and
 * what they all begin with.
 *
 * Life, owner, threads, errors: as column_kernel.h says.
 */
#ifndef SL_DRIVERS_LIDAR_COLUMN_KERNELS_H
#define SL_DRIVERS_LIDAR_COLUMN_KERNELS_H

#include "drivers/lidar/block_kernels.h" /* LIDAR_NAN_BITS */
#include "drivers/lidar/column_kernel.h"

#define LIDAR_METRES_PER_MM 1e-3

/* M and o of a column: p = (r - n) M (a, b, c) + o. */
struct lidar_column_turn {
    double m[3][3];
    double o[3];
};

static inline struct lidar_column_turn lidar_column_turn(const struct lidar_column *column,
                                                         const struct lidar_column_job *job)
{
    struct lidar_column_turn turn;
    for (unsigned i = 0; i < 3; i++) {
        const double *t = column->to_frame + 4 * i;
        turn.m[i][0] = t[0] * job->cosine + t[1] * job->sine;
        turn.m[i][1] = t[1] * job->cosine - t[0] * job->sine;
        turn.m[i][2] = t[2];
        turn.o[i] = (turn.m[i][0] * column->origin_x_m + turn.m[i][2] * column->origin_z_m) + t[3];
    }
    return turn;
}

#if defined(__x86_64__)
extern const struct lidar_column_kernel lidar_column_kernel_avx512;
extern const struct lidar_column_kernel lidar_column_kernel_avx2;
extern const struct lidar_column_kernel lidar_column_kernel_sse2;
#elif defined(__aarch64__)
extern const struct lidar_column_kernel lidar_column_kernel_neon;
#endif
extern const struct lidar_column_kernel lidar_column_kernel_scalar;

#endif
