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

int nearest_find(const struct sl_pointcloud2 *cloud, const struct nearest_limits *limits,
                 struct nearest_sectors *sectors)
{
    const struct sl_point_field *x = sl_pointcloud2_field(cloud, "x");
    const struct sl_point_field *y = sl_pointcloud2_field(cloud, "y");
    const struct sl_point_field *z = sl_pointcloud2_field(cloud, "z");
    if (!x || !y || !z)
        return sl_error(-EINVAL, "the cloud lacks x, y or z");
    if (!cloud->data && cloud->data_size > 0)
        return sl_error(-EINVAL, "the cloud's points lie in several pieces");
    sectors->points = 0;
    for (unsigned i = 0; i < sectors->count; i++)
        sectors->distance_m[i] = INFINITY;
    bool big = cloud->is_bigendian;
    for (uint32_t row = 0; row < cloud->height; row++) {
        const uint8_t *at = cloud->data + sl_pointcloud2_offset(cloud, row, 0);
        for (uint32_t column = 0; column < cloud->width; column++, at += cloud->point_step)
            add_point(sl_point_value(x, at, big), sl_point_value(y, at, big),
                      sl_point_value(z, at, big), limits, sectors);
    }
    return 0;
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
