/* SPDX-License-Identifier: Apache-2.0 */
/* simd.c - what this processor has. */
#include "drivers/lidar/simd.h"

#include <errno.h>
#include <stdio.h>

#include "core/base/error.h"

const char *const lidar_simd_names[] = {
    [LIDAR_SIMD_AUTO] = "auto", [LIDAR_SIMD_SCALAR] = "scalar", [LIDAR_SIMD_SSE2] = "sse2",
    [LIDAR_SIMD_AVX2] = "avx2", [LIDAR_SIMD_AVX512] = "avx512", [LIDAR_SIMD_NEON] = "neon",
    [LIDAR_SIMDS] = NULL,
};

bool lidar_simd_is_supported(enum lidar_simd simd)
{
    switch (simd) {
    case LIDAR_SIMD_AUTO:
    case LIDAR_SIMD_SCALAR:
        return true;
#if defined(__x86_64__)
    case LIDAR_SIMD_SSE2:
        return true; /* of every x86-64 */
    case LIDAR_SIMD_AVX2:
        return __builtin_cpu_supports("avx2");
    case LIDAR_SIMD_AVX512:
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("popcnt");
#elif defined(__aarch64__)
    case LIDAR_SIMD_NEON:
        return true; /* of every aarch64 that Linux runs on */
#endif
    default:
        return false;
    }
}

enum lidar_simd lidar_simd_best(void)
{
    enum lidar_simd best = LIDAR_SIMDS - 1;
    while (!lidar_simd_is_supported(best))
        best--;
    return best;
}

bool lidar_simd_allows(enum lidar_simd wanted, enum lidar_simd kernel)
{
    return (wanted == LIDAR_SIMD_AUTO || kernel <= wanted) && lidar_simd_is_supported(kernel);
}

void lidar_simd_list(char ret_list[LIDAR_SIMD_LIST_MAX])
{
    size_t used = 0;
    for (enum lidar_simd simd = LIDAR_SIMDS - 1; simd > LIDAR_SIMD_AUTO; simd--) {
        if (lidar_simd_is_supported(simd))
            used += (size_t)snprintf(ret_list + used, LIDAR_SIMD_LIST_MAX - used, "%s%s",
                                     used > 0 ? ", " : "", lidar_simd_names[simd]);
    }
}

int lidar_simd_check(enum lidar_simd wanted)
{
    char list[LIDAR_SIMD_LIST_MAX];
    if (lidar_simd_is_supported(wanted))
        return 0;
    lidar_simd_list(list);
    return sl_error(-ENOTSUP, "%s: this processor has it not; it has %s", lidar_simd_names[wanted],
                    list);
}
