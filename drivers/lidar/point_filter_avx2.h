/* SPDX-License-Identifier: Apache-2.0 */
/* point_filter_avx2.h - lidar_filter_keeps of eight points; for files compiled with -mavx2.
 *
 * Life, owner, threads, errors: as point_filter.h says.
 */
#ifndef SL_DRIVERS_LIDAR_POINT_FILTER_AVX2_H
#define SL_DRIVERS_LIDAR_POINT_FILTER_AVX2_H

#include <immintrin.h>

#include "drivers/lidar/point_filter.h"

static inline __m256 lidar_filter_is_in_8(const struct lidar_half_space *h, __m256 x, __m256 y,
                                          __m256 z)
{
    __m256 sum = _mm256_add_ps(_mm256_mul_ps(x, _mm256_set1_ps(h->x)),
                               _mm256_mul_ps(y, _mm256_set1_ps(h->y)));
    sum = _mm256_add_ps(sum, _mm256_mul_ps(z, _mm256_set1_ps(h->z)));
    sum = _mm256_add_ps(sum, _mm256_set1_ps(h->w));
    return _mm256_cmp_ps(sum, _mm256_setzero_ps(), _CMP_GE_OQ);
}

static inline __m256 lidar_filter_is_between_8(__m256 value, float low, float high)
{
    return _mm256_and_ps(_mm256_cmp_ps(value, _mm256_set1_ps(low), _CMP_GE_OQ),
                         _mm256_cmp_ps(value, _mm256_set1_ps(high), _CMP_LE_OQ));
}

/* All bits of a lane set: its point is kept. */
static inline __m256 lidar_filter_keeps_8(const struct lidar_filter *filter, __m256 x, __m256 y,
                                          __m256 z)
{
    __m256 kept = _mm256_castsi256_ps(_mm256_set1_epi32(filter->window_count == 0 ? -1 : 0));
    for (unsigned i = 0; i < filter->window_count; i++) {
        __m256 from = lidar_filter_is_in_8(&filter->windows[i].from, x, y, z);
        __m256 to = lidar_filter_is_in_8(&filter->windows[i].to, x, y, z);
        kept = _mm256_or_ps(kept, filter->windows[i].is_wide ? _mm256_or_ps(from, to)
                                                             : _mm256_and_ps(from, to));
    }
    if (filter->has_box) {
        const float *low = filter->box_min, *high = filter->box_max;
        __m256 in_box = _mm256_and_ps(lidar_filter_is_between_8(x, low[0], high[0]),
                                      lidar_filter_is_between_8(y, low[1], high[1]));
        in_box = _mm256_and_ps(in_box, lidar_filter_is_between_8(z, low[2], high[2]));
        kept = _mm256_andnot_ps(in_box, kept);
    }
    return kept;
}

#endif
