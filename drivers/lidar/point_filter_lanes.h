/* SPDX-License-Identifier: Apache-2.0 */
/* point_filter_lanes.h - lidar_filter_keeps of as many points as there are lanes.
 *
 * Life, owner, threads, errors: as point_filter.h says.
 */
#ifndef SL_DRIVERS_LIDAR_POINT_FILTER_LANES_H
#define SL_DRIVERS_LIDAR_POINT_FILTER_LANES_H

#include "drivers/lidar/lanes.h"
#include "drivers/lidar/point_filter.h"

LANES_INLINE lanes_i lidar_filter_is_in_lanes(const struct lidar_half_space *h, lanes_f x,
                                              lanes_f y, lanes_f z)
{
    return ((x * h->x + y * h->y) + z * h->z) + h->w >= 0.0f;
}

/* All bits of a lane set: its point is kept. */
LANES_INLINE lanes_i lidar_filter_keeps_lanes(const struct lidar_filter *filter, lanes_f x,
                                              lanes_f y, lanes_f z)
{
    const float *low = filter->box_min, *high = filter->box_max;
    lanes_i kept = (lanes_i)lanes_all_u(filter->window_count == 0 ? UINT32_MAX : 0);
    for (unsigned i = 0; i < filter->window_count; i++) {
        lanes_i from = lidar_filter_is_in_lanes(&filter->windows[i].from, x, y, z);
        lanes_i to = lidar_filter_is_in_lanes(&filter->windows[i].to, x, y, z);
        kept |= filter->windows[i].is_wide ? from | to : from & to;
    }
    if (filter->has_box)
        kept &= ~((x >= low[0]) & (x <= high[0]) & (y >= low[1]) & (y <= high[1]) & (z >= low[2]) &
                  (z <= high[2]));
    return kept;
}

#endif
