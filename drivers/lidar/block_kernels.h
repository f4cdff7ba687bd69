/* SPDX-License-Identifier: Apache-2.0 */
/* block_kernels.h - the kernels by name, each in a file that is compiled for its CPU features.
 *
 * Life, owner, threads, errors: as block_kernel.h says.
 */
#ifndef SL_DRIVERS_LIDAR_BLOCK_KERNELS_H
#define SL_DRIVERS_LIDAR_BLOCK_KERNELS_H

#include "drivers/lidar/block_kernel.h"

#define LIDAR_NAN_BITS 0x7FC00000u /* the one NaN that holes hold */

/* Of the formulas in beam_kernel.c. */
#define LIDAR_BEAM_FAR_M       25.04f
#define LIDAR_BEAM_NEAR_X_M    2.40f
#define LIDAR_BEAM_NEAR_Y_M    1.93f
#define LIDAR_BEAM_RAW_MAX     65535.0f
#define LIDAR_BEAM_RAW_MAX_M   131.07f
#define LIDAR_BEAM_FOCUS_SCALE 256.0f

#if defined(__x86_64__)
extern const struct lidar_block_kernel lidar_block_kernel_avx512;
extern const struct lidar_block_kernel lidar_block_kernel_avx2;
extern const struct lidar_block_kernel lidar_block_kernel_sse2;
#elif defined(__aarch64__)
extern const struct lidar_block_kernel lidar_block_kernel_neon;
#endif
extern const struct lidar_block_kernel lidar_block_kernel_scalar;
/* The scalar one for models with beams, and for no others; not one of lidar_block_kernels. */
extern const struct lidar_block_kernel lidar_block_kernel_beams;

#endif
