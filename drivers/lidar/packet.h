/* SPDX-License-Identifier: Apache-2.0 */
/* packet.h - one packet of a block sensor, checked and taken apart, on its way to the frames.
 *
 * Life:    filled by a vendor's parser, used up by lidar_assembly_push.
 * Owner:   `wire` points into the datagram.
 * Threads: one at a time.
 * Errors:  none; what is in here was checked.
 */
#ifndef SL_DRIVERS_LIDAR_PACKET_H
#define SL_DRIVERS_LIDAR_PACKET_H

#include <stdint.h>

#include "drivers/lidar/model.h"

struct lidar_packet {
    const struct lidar_model *model;
    int64_t time_ns;     /* of the first firing, on the sensor's unwrapped time line */
    uint64_t host_ns;    /* arrival; 0 = not known */
    uint32_t stamp_us;   /* as it stands in the packet */
    uint8_t returns;     /* 1 to LIDAR_RETURNS_MAX */
    uint8_t group_count; /* blocks that differ in azimuth */
    uint16_t azimuth[LIDAR_BLOCKS_MAX]; /* of a group, 0.01 degrees, below 36000 */
    /* Where the model has several orders of firing: the group's. */
    uint8_t order[LIDAR_BLOCKS_MAX];
    /* Where it has a mirror: where that is; `azimuth` is then how far it is in its course. */
    uint32_t mirror[LIDAR_BLOCKS_MAX];
    /* A group's elements, of the first return and of the others. */
    const uint8_t *wire[LIDAR_RETURNS_MAX][LIDAR_BLOCKS_MAX];
};

#endif
