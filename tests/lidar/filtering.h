/* SPDX-License-Identifier: Apache-2.0 */
/* filtering.h - filters at random, and what they keep by angles and comparisons in double
 * precision: nothing of the filter's own half planes.
 *
 * Life, owner: values.
 * Threads: one.
 * Errors:  none.
 */
#ifndef SL_TESTS_LIDAR_FILTERING_H
#define SL_TESTS_LIDAR_FILTERING_H

#include <math.h>
#include <string.h>

#include "drivers/lidar/point_filter.h"

/* `unit` gives numbers from 0 to 1, of 24 bits. */
static inline struct lidar_filter_options random_filter(double (*unit)(void))
{
    struct lidar_filter_options filter = {.window_count = (unsigned)(unit() * 4)};
    for (unsigned i = 0; i < filter.window_count; i++)
        filter.windows[i] = (struct lidar_window){.from_deg = (float)(unit() * 360 - 180),
                                                  .to_deg = (float)(unit() * 360 - 180)};
    filter.has_box = unit() < 0.5;
    for (unsigned i = 0; i < 3; i++) {
        filter.box_min_m[i] = (float)(-unit() * 40);
        filter.box_max_m[i] = (float)(unit() * 40);
    }
    filter.has_rings = unit() < 0.3;
    for (unsigned i = 0; i < 2; i++)
        filter.rings[i] =
            (uint64_t)(unit() * 0x1p64) ^ (uint64_t)(unit() * 0x1p44) ^ (uint64_t)(unit() * 0x1p24);
    filter.every_nth = unit() < 0.3 ? 2 : 0;
    return filter;
}

/* 1 = kept, 0 = not, -1 = too near a border to say. `sensor` and `frame`: the point where the
 * sensor sees it, and where it is written. */
static inline int filter_expected(const struct lidar_filter_options *filter, unsigned ring,
                                  const double sensor[3], const double frame[3])
{
    const double near_deg = 1e-2, near_m = 1e-3;
    double deg = atan2(sensor[1], sensor[0]) * 180 / 3.14159265358979323846;
    bool is_in_window = filter->window_count == 0, is_in_box = filter->has_box;
    if (filter->has_rings && !(filter->rings[ring / 64] >> ring % 64 & 1))
        return 0;
    for (unsigned i = 0; i < filter->window_count; i++) {
        double from = (double)filter->windows[i].from_deg, to = (double)filter->windows[i].to_deg;
        if (fabs(remainder(deg - from, 360)) < near_deg ||
            fabs(remainder(deg - to, 360)) < near_deg)
            return -1;
        is_in_window |= from <= to ? deg >= from && deg <= to : deg >= from || deg <= to;
    }
    if (!is_in_window)
        return 0;
    for (unsigned i = 0; filter->has_box && i < 3; i++) {
        double low = (double)filter->box_min_m[i], high = (double)filter->box_max_m[i];
        if (fabs(frame[i] - low) < near_m || fabs(frame[i] - high) < near_m)
            return -1;
        is_in_box &= frame[i] >= low && frame[i] <= high;
    }
    return !is_in_box;
}

#endif
