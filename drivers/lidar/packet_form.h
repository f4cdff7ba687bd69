/* SPDX-License-Identifier: Apache-2.0 */
/* packet_form.h - the message that a turn's raw packets are published as.
 *
 * Either form is a header, a count, and packets one after the other at multiples of 4 bytes.
 *
 * Life, owner: constant. Threads: any. Errors: as core/frame's writers.
 */
#ifndef SL_DRIVERS_LIDAR_PACKET_FORM_H
#define SL_DRIVERS_LIDAR_PACKET_FORM_H

#include <stddef.h>
#include <stdint.h>

#include "core/capture/datagram.h"
#include "core/frame/message.h"

#define LIDAR_PACKET_STRIDE_MAX 1536 /* larger packets are not published */

struct lidar_packet_form {
    const char *type;
    size_t (*size)(size_t bytes);   /* of a packet of so many bytes, as the last one */
    size_t (*stride)(size_t bytes); /* ... to the next one */
    int (*write)(const struct sl_datagram *packet, void *to);
    /* `size`: of all packets. */
    int (*write_prefix)(int64_t stamp_ns, struct sl_text frame_id, uint32_t count, size_t size,
                        void *to, size_t room);
};

extern const struct lidar_packet_form lidar_packet_form_velodyne; /* VelodyneScan */
extern const struct lidar_packet_form lidar_packet_form_nebula;   /* NebulaPackets */

/* Of the prefix, in either form. */
size_t lidar_packet_form_prefix_size(struct sl_text frame_id);

#endif
