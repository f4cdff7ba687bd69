/* SPDX-License-Identifier: Apache-2.0 */
/* sectors.h - how far the nearest obstacle is, in each of N directions.
 *
 *            0 | N-1        seen from above: x ahead is up, y to the left; sector 0 begins ahead
 *           ---o---         and they are counted to the left (counter-clockwise, REP 103)
 *            1 | 2
 *
 * Pure. Any thread.
 */
#ifndef SL_NODES_NEAREST_SECTORS_H
#define SL_NODES_NEAREST_SECTORS_H

#include "core/frame/pointcloud2.h"

#define NEAREST_SECTORS_MAX 32

/* What counts as an obstacle. */
struct nearest_limits {
    double range_min_m; /* horizontal; nearer is the vehicle itself */
    double z_min_m, z_max_m;
};

struct nearest_sectors {
    unsigned count;
    double distance_m[NEAREST_SECTORS_MAX]; /* horizontal; INFINITY = nothing there */
    uint64_t points;                        /* that were finite */
};

/* One look at a cloud, its points given a run after the other. */
struct nearest_search {
    const struct nearest_limits *limits;
    struct nearest_sectors *sectors;
    const struct sl_point_field *x, *y, *z;
    uint32_t point_step;
    bool is_bigendian;
};

/* `sectors->count` is given, the rest is set to nothing. All of it must outlive the search. -EINVAL
 * if the cloud lacks x, y or z. */
int nearest_begin(struct nearest_search *search, const struct sl_pointcloud2 *cloud,
                  const struct nearest_limits *limits, struct nearest_sectors *sectors);

/* `count` points that follow one another. */
void nearest_look(const struct nearest_search *search, const uint8_t *points, uint32_t count);

/* The least of all sectors, and which one it is. */
double nearest_least(const struct nearest_sectors *sectors, unsigned *ret_sector);

#endif
