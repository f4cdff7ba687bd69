/* SPDX-License-Identifier: Apache-2.0 */
/* laser_scan.h - sensor_msgs/msg/LaserScan: distances in a plane, by equal steps of angle.
 *
 * Life, owner, threads, errors: see message.h.
 */
#ifndef SL_FRAME_LASER_SCAN_H
#define SL_FRAME_LASER_SCAN_H

#include "core/frame/message.h"

struct sl_laser_scan {
    int64_t stamp_ns; /* of the first ray */
    struct sl_text frame_id;
    float angle_min, angle_max, angle_increment; /* rad about z, to the left of x */
    float time_increment, scan_time;             /* s between rays, between scans; 0 = not known */
    float range_min, range_max;                  /* m; others do not count */
    uint32_t range_count, intensity_count;       /* of the second one 0, or as many */
    /* After reading: where the numbers stand in the body, and in which byte order. */
    const uint8_t *ranges, *intensities;
    bool is_bigendian;
};

int sl_laser_scan_read(const void *body, size_t size, struct sl_laser_scan *ret_scan);

/* Ray `index` < range_count of a scan that was read: m, infinite = nothing came back. */
float sl_laser_scan_range(const struct sl_laser_scan *scan, uint32_t index);
/* Ray `index` < intensity_count. */
float sl_laser_scan_intensity(const struct sl_laser_scan *scan, uint32_t index);

/* Bytes of a body. Depends on frame_id and the counts only. */
size_t sl_laser_scan_body_size(const struct sl_laser_scan *scan);

/* Write the whole body; the numbers are those of the arrays, as many as the scan says. */
int sl_laser_scan_write(const struct sl_laser_scan *scan, const float *ranges,
                        const float *intensities, void *to, size_t room, size_t *ret_size);

#endif
