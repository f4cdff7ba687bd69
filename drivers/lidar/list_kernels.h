/* SPDX-License-Identifier: Apache-2.0 */
/* list_kernels.h - the kernels by name, each in a file that is compiled for its CPU features, and
 * what they have in common.
 *
 * Life, owner, threads, errors: as list_kernel.h says.
 */
#ifndef SL_DRIVERS_LIDAR_LIST_KERNELS_H
#define SL_DRIVERS_LIDAR_LIST_KERNELS_H

#include "drivers/lidar/block_kernels.h" /* LIDAR_NAN_BITS */
#include "drivers/lidar/list_kernel.h"

#define LIDAR_LIST_UNIT_MM 1e-3f
#define LIDAR_LIST_UNIT_CM 1e-2f

#if defined(__x86_64__)
extern const struct lidar_list_kernel lidar_list_kernel_avx2;
extern const struct lidar_list_kernel lidar_list_kernel_sse2;
#elif defined(__aarch64__)
extern const struct lidar_list_kernel lidar_list_kernel_neon;
#endif
extern const struct lidar_list_kernel lidar_list_kernel_scalar;

#endif
