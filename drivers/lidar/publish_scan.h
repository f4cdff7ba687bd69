/* SPDX-License-Identifier: Apache-2.0 */
/* publish_scan.h - one ring, or what lies in a band of heights, as sensor_msgs/msg/LaserScan.
 *
 * Made of a finished turn, in its slot: each point falls into the ray that is nearest to its
 * direction, as atan2(y, x) in the frame of the points, and of several in one ray the nearest
 * counts. A ray's range is the distance in the plane, sqrt(x^2 + y^2); infinite = nothing there
 * (REP-117), which is also what a filtered point leaves.
 *
 * Rays begin at -180 degrees and go to the left, so the same ray looks the same way in every scan;
 * turns begin at the cut, and most sensors turn to the right. So rays have no time of their own
 * (time_increment 0), scan_time is how long the turn took.
 *
 * Life:    lidar_publish_scan_init -> lidar_publish_scan_take for each frame
 * Owner:   the caller's memory, some 60 kB; the publisher stays the caller's.
 * Threads: the publishing one.
 * Errors:  none are returned; what could not be published is counted.
 */
#ifndef SL_DRIVERS_LIDAR_PUBLISH_SCAN_H
#define SL_DRIVERS_LIDAR_PUBLISH_SCAN_H

#include "core/shm/sluice.h"
#include "drivers/lidar/publish.h"

#define LIDAR_SCAN_RAYS_MAX    7200
#define LIDAR_SCAN_RANGE_MAX_M 1000.0f /* where no limit was given: no sensor sees so far */

struct lidar_scan_options {
    const char *frame_id;
    bool has_ring; /* that ring alone; else what lies in the band */
    unsigned ring;
    float band_min_m, band_max_m;   /* z in the frame of the points */
    unsigned rays;                  /* 1 ... LIDAR_SCAN_RAYS_MAX, of a whole turn */
    float range_min_m, range_max_m; /* 0 = no limit */
};

struct lidar_publish_scan {
    struct lidar_scan_options options;
    struct sl_publisher *publisher;
    struct lidar_patience patience;
    uint64_t published, dropped;
    float ranges[LIDAR_SCAN_RAYS_MAX], intensities[LIDAR_SCAN_RAYS_MAX];
};

/* Bytes of a message: what a slot must hold. */
uint64_t lidar_publish_scan_bytes(const struct lidar_scan_options *options);

void lidar_publish_scan_init(struct lidar_publish_scan *scan,
                             const struct lidar_scan_options *options,
                             struct sl_publisher *publisher, const struct lidar_patience *patience);

/* A finished turn of `info` and its points, as block_kernel.h has them. */
void lidar_publish_scan_take(void *scan, const struct lidar_frame_info *info, enum sl_clock clock,
                             const uint8_t *points);

#endif
