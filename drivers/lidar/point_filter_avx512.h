/* SPDX-License-Identifier: Apache-2.0 */
/* point_filter_avx512.h - lidar_filter_keeps of sixteen points; for files compiled with -mavx512f.
 *
 * Life, owner, threads, errors: as point_filter.h says.
 */
#ifndef SL_DRIVERS_LIDAR_POINT_FILTER_AVX512_H
#define SL_DRIVERS_LIDAR_POINT_FILTER_AVX512_H

#include <immintrin.h>

#include "drivers/lidar/point_filter.h"

static inline __mmask16 lidar_filter_is_in_16(const struct lidar_half_space *h, __m512 x, __m512 y,
                                              __m512 z)
{
    __m512 sum = _mm512_add_ps(_mm512_mul_ps(x, _mm512_set1_ps(h->x)),
                               _mm512_mul_ps(y, _mm512_set1_ps(h->y)));
    sum = _mm512_add_ps(sum, _mm512_mul_ps(z, _mm512_set1_ps(h->z)));
    sum = _mm512_add_ps(sum, _mm512_set1_ps(h->w));
    return _mm512_cmp_ps_mask(sum, _mm512_setzero_ps(), _CMP_GE_OQ);
}

static inline __mmask16 lidar_filter_is_between_16(__mmask16 among, __m512 value, float low,
                                                   float high)
{
    among = _mm512_mask_cmp_ps_mask(among, value, _mm512_set1_ps(low), _CMP_GE_OQ);
    return _mm512_mask_cmp_ps_mask(among, value, _mm512_set1_ps(high), _CMP_LE_OQ);
}

/* A bit a point: it is kept. */
static inline __mmask16 lidar_filter_keeps_16(const struct lidar_filter *filter, __m512 x, __m512 y,
                                              __m512 z)
{
    unsigned kept = filter->window_count == 0 ? 0xFFFF : 0;
    for (unsigned i = 0; i < filter->window_count; i++) {
        unsigned from = lidar_filter_is_in_16(&filter->windows[i].from, x, y, z);
        unsigned to = lidar_filter_is_in_16(&filter->windows[i].to, x, y, z);
        kept |= filter->windows[i].is_wide ? from | to : from & to;
    }
    if (filter->has_box) {
        const float *low = filter->box_min, *high = filter->box_max;
        __mmask16 in_box = lidar_filter_is_between_16(0xFFFF, x, low[0], high[0]);
        in_box = lidar_filter_is_between_16(in_box, y, low[1], high[1]);
        in_box = lidar_filter_is_between_16(in_box, z, low[2], high[2]);
        kept &= ~(unsigned)in_box;
    }
    return (__mmask16)kept;
}

#endif
