/* SPDX-License-Identifier: Apache-2.0 */
/* point_filter.c - half spaces out of angles, and the question of one point. */
#include "drivers/lidar/point_filter.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "core/base/error.h"

#define HALF_TURN_DEG      180.0
#define RADIANS_PER_DEGREE (3.14159265358979323846 / HALF_TURN_DEG)

/* The half plane to the left of the direction (x, y), in the frame of the points. */
static struct lidar_half_space left_of(double x, double y, const float m[12])
{
    static const float identity[12] = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0};
    double n[3], w = 0;
    if (!m)
        m = identity;
    for (unsigned i = 0; i < 3; i++) {
        n[i] = (double)m[4 * i] * -y + (double)m[4 * i + 1] * x;
        w -= n[i] * (double)m[4 * i + 3];
    }
    return (struct lidar_half_space){(float)n[0], (float)n[1], (float)n[2], (float)w};
}

void lidar_filter_init(struct lidar_filter *filter, const struct lidar_filter_options *options,
                       const float extrinsics[12])
{
    memset(filter, 0, sizeof *filter);
    filter->window_count = options->window_count;
    for (unsigned i = 0; i < options->window_count; i++) {
        double from_deg = (double)options->windows[i].from_deg;
        double to_deg = (double)options->windows[i].to_deg;
        double from = from_deg * RADIANS_PER_DEGREE, to = to_deg * RADIANS_PER_DEGREE;
        double width_deg = to_deg >= from_deg ? to_deg - from_deg : to_deg - from_deg + 360;
        filter->windows[i].from = left_of(cos(from), sin(from), extrinsics);
        filter->windows[i].to = left_of(-cos(to), -sin(to), extrinsics);
        filter->windows[i].is_wide = width_deg > HALF_TURN_DEG;
    }
    filter->has_box = options->has_box;
    memcpy(filter->box_min, options->box_min_m, sizeof filter->box_min);
    memcpy(filter->box_max, options->box_max_m, sizeof filter->box_max);
    filter->is_active = options->window_count > 0 || options->has_box || options->has_rings ||
                        options->every_nth > 1;
}

static int check_windows(const struct lidar_filter_options *options)
{
    if (options->window_count > LIDAR_WINDOWS_MAX)
        return sl_error(-EINVAL, "field of view: %u windows; at most %d", options->window_count,
                        LIDAR_WINDOWS_MAX);
    for (unsigned i = 0; i < options->window_count; i++) {
        double from = (double)options->windows[i].from_deg;
        double to = (double)options->windows[i].to_deg;
        if (!(fabs(from) <= HALF_TURN_DEG && fabs(to) <= HALF_TURN_DEG))
            return sl_error(-EINVAL, "field of view %g to %g: must be -180 to 180 degrees", from,
                            to);
        if (from == to || (from == HALF_TURN_DEG && to == -HALF_TURN_DEG))
            return sl_error(-EINVAL, "field of view %g to %g: holds no point", from, to);
    }
    return 0;
}

static int check_box(const struct lidar_filter_options *options)
{
    for (unsigned i = 0; options->has_box && i < 3; i++) {
        double low = (double)options->box_min_m[i], high = (double)options->box_max_m[i];
        if (!(low < high))
            return sl_error(-EINVAL, "box: %c from %g to %g m holds no point", "xyz"[i], low, high);
    }
    return 0;
}

static int check_rings(const struct lidar_filter_options *options, unsigned rings)
{
    unsigned highest = 0, count = 0;
    for (unsigned ring = 0; options->has_rings && ring < LIDAR_FILTER_RINGS; ring++) {
        if (lidar_filter_has_ring(options, ring)) {
            highest = ring;
            count++;
        }
    }
    if (options->has_rings && count == 0)
        return sl_error(-EINVAL, "rings: none is left");
    if (rings > 0 && highest >= rings)
        return sl_error(-EINVAL, "ring %u: the sensor has rings 0 to %u", highest, rings - 1);
    return 0;
}

int lidar_filter_check(const struct lidar_filter_options *options, unsigned rings)
{
    int err = check_windows(options);
    if (err == 0)
        err = check_box(options);
    if (err == 0)
        err = check_rings(options, rings);
    if (err == 0 && options->every_nth > LIDAR_EVERY_NTH_MAX)
        err = sl_error(-EINVAL, "every %uth column: at most every %dth", options->every_nth,
                       LIDAR_EVERY_NTH_MAX);
    return err;
}

static bool is_in(const struct lidar_half_space *h, float x, float y, float z)
{
    return ((x * h->x + y * h->y) + z * h->z) + h->w >= 0;
}

bool lidar_filter_keeps(const struct lidar_filter *filter, float x, float y, float z)
{
    const float *low = filter->box_min, *high = filter->box_max;
    bool is_kept = filter->window_count == 0;
    for (unsigned i = 0; i < filter->window_count; i++) {
        bool from = is_in(&filter->windows[i].from, x, y, z);
        bool to = is_in(&filter->windows[i].to, x, y, z);
        is_kept |= filter->windows[i].is_wide ? from || to : from && to;
    }
    if (filter->has_box && x >= low[0] && x <= high[0] && y >= low[1] && y <= high[1] &&
        z >= low[2] && z <= high[2])
        is_kept = false;
    return is_kept;
}
