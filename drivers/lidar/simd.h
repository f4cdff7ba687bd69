/* SPDX-License-Identifier: Apache-2.0 */
/* simd.h - the instruction sets that kernels are written for, and which of them are used.
 *
 * By itself every kernel is the best that this processor has. Whoever asks for less gets, of each
 * kernel, the best one that needs no more: there is no list kernel for AVX-512, so with that lists
 * are AVX2's. All give the same bits.
 *
 * Life:    values.
 * Owner:   none.
 * Threads: any.
 * Errors:  lidar_simd_check: -ENOTSUP with sl_error_text().
 */
#ifndef SL_DRIVERS_LIDAR_SIMD_H
#define SL_DRIVERS_LIDAR_SIMD_H

#include <stdbool.h>
#include <stddef.h>

/* In the order of preference, on each architecture. */
enum lidar_simd {
    LIDAR_SIMD_AUTO, /* the best that there is */
    LIDAR_SIMD_SCALAR,
    LIDAR_SIMD_SSE2,
    LIDAR_SIMD_AVX2,
    LIDAR_SIMD_AVX512,
    LIDAR_SIMD_NEON,
    LIDAR_SIMDS,
};

/* For people and options: "auto", "scalar", "sse2" ..., ended by NULL. */
extern const char *const lidar_simd_names[];

/* Has this processor got it, and is it of this architecture? */
bool lidar_simd_is_supported(enum lidar_simd simd);

enum lidar_simd lidar_simd_best(void);

/* May a kernel that is written for `kernel` run where somebody asked for `wanted`? */
bool lidar_simd_allows(enum lidar_simd wanted, enum lidar_simd kernel);

/* "avx512, avx2, sse2, scalar": what this processor has, best first. */
#define LIDAR_SIMD_LIST_MAX 64
void lidar_simd_list(char ret_list[LIDAR_SIMD_LIST_MAX]);

/* -ENOTSUP: this processor has it not; the text says what it has. */
int lidar_simd_check(enum lidar_simd wanted);

#endif
