/* SPDX-License-Identifier: Apache-2.0 */
/* clock_fit.h - a sensor's clock on the host's: a straight line under the arrival times.
 *
 * A packet is never early, but it may be late by anything. So of host minus sensor time, the line
 * that tells offset and drift lies below all differences and as near to them as it can be: among
 * all lines that no difference is below, the one whose sum of distances is smallest. That is the
 * edge of their lower convex hull over the mean of their times. Late packets do not move it,
 * however many and however late they are.
 *
 * It is fitted anew each second, over the smallest difference of each of the last seconds. Before
 * there are enough of them it is level, at the smallest difference so far. Where a difference is
 * more than a second away from it, one of the two clocks was set, and it begins anew.
 *
 * Life:    starts as zeros.
 * Owner:   the caller.
 * Threads: one at a time. No clock is read inside.
 * Errors:  none.
 */
#ifndef SL_DRIVERS_LIDAR_CLOCK_FIT_H
#define SL_DRIVERS_LIDAR_CLOCK_FIT_H

#include <stdbool.h>
#include <stdint.h>

#define LIDAR_FIT_WINDOWS 32 /* of a second */

struct lidar_fit_point {
    int64_t sensor_ns, offset_ns;
};

struct lidar_clock_fit {
    bool has_line;
    struct lidar_fit_point base; /* on the line */
    double slope;
    struct lidar_fit_point lowest; /* of the second that goes on ... */
    int64_t window_ns;             /* ... and when it began */
    unsigned count;                /* of the seconds that are kept, oldest first */
    struct lidar_fit_point kept[LIDAR_FIT_WINDOWS];
};

/* Something that was complete at `sensor_ns` arrived at `host_ns`. */
void lidar_clock_fit_add(struct lidar_clock_fit *fit, int64_t sensor_ns, int64_t host_ns);

/* Host's time at `sensor_ns`. False if nothing was added yet. */
bool lidar_clock_fit_at(const struct lidar_clock_fit *fit, int64_t sensor_ns, int64_t *ret_host_ns);

#endif
