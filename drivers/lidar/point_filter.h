/* SPDX-License-Identifier: Apache-2.0 */
/* point_filter.h - which points are wanted, decided in the pass that makes them.
 *
 * Kernels ask about a point once it stands in the frame of the points, before it is written: what
 * is not kept becomes a hole as if nothing had come back. So one question serves all of them, and
 * each asks it of as many points at once as its registers hold:
 *
 * - a window of directions, seen from the sensor, is what lies between two half planes through its
 *   axis. In the frame of the points these are n . p + w >= 0, with n turned by the rows of the
 *   extrinsics and w = -n . t: four multiplications and no angle of the point.
 * - the box of the vehicle is axis-aligned in that frame: six comparisons.
 * - rings are known by where an element stands, columns by their place in the frame; neither needs
 *   the point.
 *
 * All kernels do the same single-precision operations in the same order: they keep the same points.
 *
 * Life:    lidar_filter_init fills a value; nothing to free.
 * Owner:   the caller.
 * Threads: any.
 * Errors:  lidar_filter_check: -EINVAL with sl_error_text().
 */
#ifndef SL_DRIVERS_LIDAR_POINT_FILTER_H
#define SL_DRIVERS_LIDAR_POINT_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#define LIDAR_WINDOWS_MAX   8
#define LIDAR_FILTER_RINGS  128
#define LIDAR_EVERY_NTH_MAX 1024

/* Directions from `from_deg` to the left until `to_deg`, as atan2(y, x) of the sensor's own points:
 * 0 is ahead, 90 is left. -180 ... 180; from > to goes over the back. */
struct lidar_window {
    float from_deg, to_deg;
};

/* What a person may ask for. Zeros keep every point. */
struct lidar_filter_options {
    unsigned window_count; /* points in one of them are kept; 0 = wherever they are */
    struct lidar_window windows[LIDAR_WINDOWS_MAX];
    bool has_box; /* points in there, borders included, are not kept; frame of the points */
    float box_min_m[3], box_max_m[3];
    bool has_rings; /* only those whose bit is set are kept */
    uint64_t rings[LIDAR_FILTER_RINGS / 64];
    unsigned every_nth; /* column is kept; 0 and 1 = all */
};

/* Points with x px + y py + z pz + w >= 0. */
struct lidar_half_space {
    float x, y, z, w;
};

struct lidar_filter {
    bool is_active; /* there is something to ask of a point, its ring or its column */
    unsigned window_count;
    struct {
        struct lidar_half_space from, to;
        bool is_wide; /* more than half a turn: in one of the two, not in both */
    } windows[LIDAR_WINDOWS_MAX];
    bool has_box;
    float box_min[3], box_max[3];
};

/* `extrinsics`: rows of the 3 x 4 matrix from the sensor's axes to the frame of the points; NULL =
 * they are the same. */
void lidar_filter_init(struct lidar_filter *filter, const struct lidar_filter_options *options,
                       const float extrinsics[12]);

/* Do the options make sense? `rings` = how many the sensor has, 0 = not known yet. */
int lidar_filter_check(const struct lidar_filter_options *options, unsigned rings);

static inline bool lidar_filter_has_ring(const struct lidar_filter_options *options, unsigned ring)
{
    return !options->has_rings || (options->rings[ring / 64] >> ring % 64 & 1);
}

/* Is the column at this place of a frame one that is left out? */
static inline bool lidar_filter_skips(const struct lidar_filter_options *options, unsigned row)
{
    return options->every_nth > 1 && row % options->every_nth != 0;
}

/* Is the point, in the frame of the points, in a window and not in the box? */
bool lidar_filter_keeps(const struct lidar_filter *filter, float x, float y, float z);

#endif
