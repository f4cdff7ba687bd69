/* SPDX-License-Identifier: Apache-2.0 */
/* point_lanes.h - finished points from registers to their places in a staging area, whose rings are
 * filled in: 16 bytes of xyz and intensity, 4 of time.
 *
 * Life, owner, threads, errors: as lanes.h says.
 */
#ifndef SL_DRIVERS_LIDAR_POINT_LANES_H
#define SL_DRIVERS_LIDAR_POINT_LANES_H

#include "drivers/lidar/block_kernels.h" /* LIDAR_NAN_BITS */
#include "drivers/lidar/lanes.h"

struct lidar_points_lanes {
    lanes_f x, y, z, intensity, time;
};

LANES_INLINE void lidar_point_store(uint8_t *point, lanes_part xyz_intensity, const float *time_s)
{
    memcpy(point + LIDAR_POINT_X, &xyz_intensity, sizeof xyz_intensity);
    memcpy(point + LIDAR_POINT_TIME, time_s, sizeof *time_s);
}

/* Points of one row of the transposed: `q`, and 4 + `q` where there is a second part. */
LANES_INLINE void lidar_points_store_row(uint8_t *staging, const uint8_t *place, unsigned q,
                                         lanes_f row, const float *time_s)
{
    lidar_point_store(staging + place[q] * LIDAR_POINT_BYTES, lanes_part_of(row, 0), time_s + q);
    if (LANES == 8)
        lidar_point_store(staging + place[4 + q] * LIDAR_POINT_BYTES, lanes_part_of(row, 1),
                          time_s + 4 + q);
}

/* `place`: of each lane's point, counted in points. Written out row by row: gcc 12 makes a loop
 * through memory of a loop over registers. */
LANES_INLINE void lidar_points_store(uint8_t *staging, const uint8_t *place,
                                     const struct lidar_points_lanes *p)
{
    lanes_f row[4] = {p->x, p->y, p->z, p->intensity};
    _Alignas(32) float time_s[LANES];
    lanes_transpose(row);
    *(lanes_f *)(void *)time_s = p->time;
    lidar_points_store_row(staging, place, 0, row[0], time_s);
    lidar_points_store_row(staging, place, 1, row[1], time_s);
    lidar_points_store_row(staging, place, 2, row[2], time_s);
    lidar_points_store_row(staging, place, 3, row[3], time_s);
}

/* Where each lane's point has the place of its lane. */
static const uint8_t lidar_points_in_order[] = {0, 1, 2, 3, 4, 5, 6, 7};

/* By the rows of a 3 x 4 matrix. */
LANES_INLINE void lidar_points_transform(struct lidar_points_lanes *p, const float m[12])
{
    lanes_f x = p->x, y = p->y, z = p->z;
    p->x = ((m[0] * x + m[1] * y) + m[2] * z) + m[3];
    p->y = ((m[4] * x + m[5] * y) + m[6] * z) + m[7];
    p->z = ((m[8] * x + m[9] * y) + m[10] * z) + m[11];
}

/* No point of those that are not `valid`. */
LANES_INLINE void lidar_points_make_holes(struct lidar_points_lanes *p, lanes_i valid)
{
    const lanes_f hole = (lanes_f)lanes_all_u(LIDAR_NAN_BITS);
    p->x = lanes_choose(valid, p->x, hole);
    p->y = lanes_choose(valid, p->y, hole);
    p->z = lanes_choose(valid, p->z, hole);
    p->intensity = (lanes_f)(valid & (lanes_i)p->intensity);
}

#endif
