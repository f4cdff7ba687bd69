/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/lidar/clock_fit.h"

#include <math.h>
#include <string.h>

#include "core/base/clock.h"

#define WINDOW_NS    ((int64_t)SL_NS_PER_S)
#define JUMP_NS      ((int64_t)SL_NS_PER_S) /* no network delays a packet that long */
#define SLOPE_COUNT  4      /* of fewer seconds the noise is larger than the drift */
#define SLOPE_MAX    200e-6 /* no two oscillators part faster */
#define LONGEST_STEP ((int64_t)SL_NS_PER_S * 3600) /* of silence: what was kept says nothing */

static void begin(struct lidar_clock_fit *fit, struct lidar_fit_point point)
{
    memset(fit, 0, sizeof *fit);
    fit->has_line = true;
    fit->base = fit->lowest = point;
    fit->window_ns = point.sensor_ns;
}

/* Relative to the first one, so that doubles hold them. */
struct spot {
    double x, y;
};

/* Is b on or above the line from a to c? Then it is no corner of the lower hull. */
static bool is_above(struct spot a, struct spot b, struct spot c)
{
    return (b.y - a.y) * (c.x - a.x) >= (c.y - a.y) * (b.x - a.x);
}

/* Corners of the lower hull of points in the order of x. Returns how many. */
static unsigned lower_hull(const struct spot *spots, unsigned count, struct spot *ret_hull)
{
    unsigned corners = 0;
    for (unsigned i = 0; i < count; i++) {
        while (corners >= 2 && is_above(ret_hull[corners - 2], ret_hull[corners - 1], spots[i]))
            corners--;
        ret_hull[corners++] = spots[i];
    }
    return corners;
}

static void set_line(struct lidar_clock_fit *fit, struct spot from, struct spot to)
{
    double slope = (to.y - from.y) / (to.x - from.x);
    fit->base.sensor_ns = fit->kept[0].sensor_ns + (int64_t)from.x;
    fit->base.offset_ns = fit->kept[0].offset_ns + (int64_t)from.y;
    fit->slope = fmin(fmax(slope, -SLOPE_MAX), SLOPE_MAX);
}

static void fit_line(struct lidar_clock_fit *fit)
{
    struct spot spots[LIDAR_FIT_WINDOWS], hull[LIDAR_FIT_WINDOWS];
    double mean = 0;
    for (unsigned i = 0; i < fit->count; i++) {
        spots[i].x = (double)(fit->kept[i].sensor_ns - fit->kept[0].sensor_ns);
        spots[i].y = (double)(fit->kept[i].offset_ns - fit->kept[0].offset_ns);
        mean += spots[i].x / fit->count;
    }
    unsigned corners = lower_hull(spots, fit->count, hull), at = 1;
    while (at + 1 < corners && hull[at].x < mean)
        at++;
    set_line(fit, hull[at - 1], hull[at]);
}

static void keep_lowest(struct lidar_clock_fit *fit)
{
    if (fit->count == LIDAR_FIT_WINDOWS) {
        memmove(fit->kept, fit->kept + 1, sizeof fit->kept - sizeof *fit->kept);
        fit->count--;
    }
    fit->kept[fit->count++] = fit->lowest;
    if (fit->count >= SLOPE_COUNT)
        fit_line(fit);
}

static int64_t offset_at(const struct lidar_clock_fit *fit, int64_t sensor_ns)
{
    double since_ns = (double)(sensor_ns - fit->base.sensor_ns);
    return fit->base.offset_ns + (int64_t)(fit->slope * since_ns);
}

void lidar_clock_fit_add(struct lidar_clock_fit *fit, int64_t sensor_ns, int64_t host_ns)
{
    struct lidar_fit_point point = {sensor_ns, host_ns - sensor_ns};
    int64_t step_ns = sensor_ns - fit->window_ns;
    if (!fit->has_line || step_ns < -JUMP_NS || step_ns > LONGEST_STEP ||
        point.offset_ns - offset_at(fit, sensor_ns) > JUMP_NS ||
        point.offset_ns - offset_at(fit, sensor_ns) < -JUMP_NS) {
        begin(fit, point);
        return;
    }
    if (step_ns >= WINDOW_NS) {
        keep_lowest(fit);
        fit->lowest = point;
        fit->window_ns = sensor_ns;
    } else if (point.offset_ns < fit->lowest.offset_ns && sensor_ns >= fit->window_ns) {
        fit->lowest = point;
    }
    if (fit->count < SLOPE_COUNT && point.offset_ns < fit->base.offset_ns)
        fit->base = point;
}

bool lidar_clock_fit_at(const struct lidar_clock_fit *fit, int64_t sensor_ns, int64_t *ret_host_ns)
{
    if (!fit->has_line)
        return false;
    *ret_host_ns = sensor_ns + offset_at(fit, sensor_ns);
    return true;
}
