/* SPDX-License-Identifier: Apache-2.0 */
/* mirror.h - a sensor whose lasers look into a turning mirror of several facets: the AT128.
 *
 * Each facet sweeps the lasers over the same field of view, and such a sweep is a frame. How far
 * the mirror is, in 1/25600 degrees of its turn, is in the packets; the sensor's file says where
 * each facet's field begins and ends. Within it the lasers see something from 15 to 75 degrees on,
 * as rays turn twice as fast as the mirror and the view is 120 degrees wide; between the sweeps
 * nothing is measured.
 *
 *      mirror   begin[0] .. 15 ==== 75 .. end[0] = begin[1] .. 15 ==== 75 .. end[1] = begin[2] ...
 *      course   0 ...... 4500 === 22500 ........ 0 ....... 4500 === 22500 ........ 0
 *
 * A frame's assembly wants a turn per frame. That is the course: it goes `fields` times as fast as
 * the mirror, so that it comes round once a sweep, and is 0 where a field begins.
 *
 * AT128 User Manual, appendix "Angle correction file", and Hesai's own software: with m the
 * mirror's place and e, d the laser's angles out of the file, each with a small correction that the
 * file gives every 2 degrees of the mirror's turn, rounded to 0.01 degrees,
 *
 *      azimuth   = 2 (m - begin) - d + correction        elevation = e + correction
 *
 * The azimuth is clockwise from above; 90 degrees, the middle of the view, is ahead (x).
 *
 * Life:    a struct lidar_mirror is filled by whoever read it (hesai_mirror_read).
 * Owner:   the caller.
 * Threads: any; all is constant.
 * Errors:  none here.
 */
#ifndef SL_DRIVERS_LIDAR_MIRROR_H
#define SL_DRIVERS_LIDAR_MIRROR_H

#include <stdbool.h>
#include <stdint.h>

#include "drivers/lidar/block_kernel.h"
#include "drivers/lidar/model.h"

#define LIDAR_MIRROR_FIELDS_MAX 8
#define LIDAR_MIRROR_UNITS      (LIDAR_AZIMUTH_UNITS * 256) /* a turn of the mirror */
#define LIDAR_MIRROR_STEPS      180                         /* of 2 degrees */
/* A sweep's last column is 76.25 degrees behind its field's begin, within 2 (Hesai's own software).
 */
#define LIDAR_MIRROR_SWEPT 7425 /* 0.01 degrees of the mirror */

struct lidar_mirror {
    uint8_t fields;
    uint32_t begin[LIDAR_MIRROR_FIELDS_MAX]; /* below LIDAR_MIRROR_UNITS */
    uint32_t end[LIDAR_MIRROR_FIELDS_MAX];   /* above `begin`, so it may lie beyond the turn */
    /* Added, 0.01 degrees, by laser and step. */
    int8_t azimuth[LIDAR_LASERS_MAX][LIDAR_MIRROR_STEPS];
    int8_t elevation[LIDAR_LASERS_MAX][LIDAR_MIRROR_STEPS];
};

/* The course of a place, 0.01 degrees, below 36000. False: it is in no field. */
bool lidar_mirror_course(const struct lidar_mirror *mirror, uint32_t place, uint16_t *ret_course);

/* cos and sin of where a ray looks whose laser has no angle of its own. */
void lidar_mirror_turn(const struct lidar_mirror *mirror, uint32_t place, float *ret_cosine,
                       float *ret_sine);

/* A, B and C of a block's elements at that place; they are right until the next call for this
 * block. */
const struct lidar_block_rate *lidar_mirror_rate(const struct lidar_mirror *mirror, uint32_t place,
                                                 struct lidar_block *block);

#endif
