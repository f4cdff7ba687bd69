/* SPDX-License-Identifier: Apache-2.0 */
/* velodyne_scan.h - velodyne_msgs/msg/VelodyneScan: raw packets, written as they arrive.
 *
 *   | 00 01 00 00 | stamp, frame_id, count | packet 0      | packet 1      | ... | last packet |
 *   |<---------- prefix, 0 mod 4 --------->|<--- 1216 ---->|<--- 1216 ---->|     |<-- 1214 --->|
 *   packet: sec i32, nanosec u32, 1206 bytes, and 2 of padding before the next one's sec
 *
 * Packets are written one after the other behind room for the prefix, whose size depends on
 * frame_id alone; the prefix is written at the end, when their number and the stamp are known.
 *
 * Life, owner, threads, errors: see message.h.
 */
#ifndef SL_FRAME_VELODYNE_SCAN_H
#define SL_FRAME_VELODYNE_SCAN_H

#include "core/frame/message.h"

#define SL_VELODYNE_PACKET_SIZE 1206 /* a data packet's UDP payload */
/* stamp and packet; what the last one takes */
#define SL_VELODYNE_PACKET_CDR_SIZE (8 + SL_VELODYNE_PACKET_SIZE)
/* from packet to packet */
#define SL_VELODYNE_PACKET_STRIDE 1216

struct sl_velodyne_scan {
    int64_t stamp_ns;
    struct sl_text frame_id;
    uint32_t packet_count;
    const uint8_t *packets; /* the first one's stamp; not looked at by the writers */
    bool big_endian;        /* of the body; for sl_velodyne_scan_packet */
};

struct sl_velodyne_packet {
    int64_t stamp_ns;
    const uint8_t *bytes; /* SL_VELODYNE_PACKET_SIZE of them */
};

int sl_velodyne_scan_read(const void *body, size_t size, struct sl_velodyne_scan *ret_scan);

/* The packet of an index below packet_count. */
struct sl_velodyne_packet sl_velodyne_scan_packet(const struct sl_velodyne_scan *scan,
                                                  uint32_t index);

/* Bytes before the first packet, a multiple of 4. */
size_t sl_velodyne_scan_prefix_size(const struct sl_velodyne_scan *scan);

/* Write the prefix, exactly sl_velodyne_scan_prefix_size bytes, at `to`. Returns 0, -ENOSPC,
 * -ERANGE, or -EOVERFLOW if the body would have 4 GiB or more. */
int sl_velodyne_scan_write_prefix(const struct sl_velodyne_scan *scan, void *to, size_t room);

/* Write a packet with its stamp and the padding after it: SL_VELODYNE_PACKET_STRIDE bytes, which
 * must be there. Returns 0 or -ERANGE. */
int sl_velodyne_packet_write(const struct sl_velodyne_packet *packet, void *to);

/* The finished body; the padding after the last packet is the slot's. */
size_t sl_velodyne_scan_body_size(const struct sl_velodyne_scan *scan);

#endif
