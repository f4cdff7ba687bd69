/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes/nearest/sectors.h"

#include "core/base/error.h"

#include <errno.h>
#include <math.h>

#define TURN (2 * M_PI)

static void add_point(double x, double y, double z, const struct nearest_limits *limits,
                      struct nearest_sectors *sectors)
{
    if (!isfinite(x) || !isfinite(y) || !isfinite(z))
        return;
    sectors->points++;
    double distance = hypot(x, y);
    if (z < limits->z_min_m || z > limits->z_max_m || distance < limits->range_min_m)
        return;
    double angle = atan2(y, x);
    angle += angle < 0 ? TURN : 0;
    unsigned sector = (unsigned)(angle / TURN * sectors->count);
    sector = sector < sectors->count ? sector : 0; /* -0.0 + a turn is a whole turn */
    if (distance < sectors->distance_m[sector])
        sectors->distance_m[sector] = distance;
}

int nearest_begin(struct nearest_search *search, const struct sl_pointcloud2 *cloud,
                  const struct nearest_limits *limits, struct nearest_sectors *sectors)
{
    *search = (struct nearest_search){
        .limits = limits,
        .sectors = sectors,
        .x = sl_pointcloud2_field(cloud, "x"),
        .y = sl_pointcloud2_field(cloud, "y"),
        .z = sl_pointcloud2_field(cloud, "z"),
        .point_step = cloud->point_step,
        .is_bigendian = cloud->is_bigendian,
    };
    if (!search->x || !search->y || !search->z)
        return sl_error(-EINVAL, "the cloud lacks x, y or z");
    sectors->points = 0;
    for (unsigned i = 0; i < sectors->count; i++)
        sectors->distance_m[i] = INFINITY;
    return 0;
}

void nearest_look(const struct nearest_search *s, const uint8_t *points, uint32_t count)
{
    const uint8_t *at = points;
    for (uint32_t i = 0; i < count; i++, at += s->point_step)
        add_point(sl_point_value(s->x, at, s->is_bigendian),
                  sl_point_value(s->y, at, s->is_bigendian),
                  sl_point_value(s->z, at, s->is_bigendian), s->limits, s->sectors);
}

double nearest_least(const struct nearest_sectors *sectors, unsigned *ret_sector)
{
    unsigned least = 0;
    for (unsigned i = 1; i < sectors->count; i++)
        if (sectors->distance_m[i] < sectors->distance_m[least])
            least = i;
    *ret_sector = least;
    return sectors->distance_m[least];
}
