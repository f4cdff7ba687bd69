/* SPDX-License-Identifier: Apache-2.0 */
/* nebula_packets.h - nebula_msgs/msg/NebulaPackets: raw packets of any size, written as they
 * arrive.
 *
 *   | 00 01 00 00 | stamp, frame_id, count | packet 0 | packet 1 | ... | last packet |
 *   |<---------- prefix, 0 mod 4 --------->|
 *   packet: sec i32, nanosec u32, size u32, that many bytes, and padding to 0 mod 4 before the next
 *           one's sec
 *
 * Packets are written one after the other behind room for the prefix, whose size depends on
 * frame_id alone; the prefix is written at the end, when their number and the stamp are known.
 *
 * Life, owner, threads, errors: see message.h.
 */
#ifndef SL_FRAME_NEBULA_PACKETS_H
#define SL_FRAME_NEBULA_PACKETS_H

#include "core/frame/message.h"

struct sl_nebula_packets {
    int64_t stamp_ns;
    struct sl_text frame_id;
    uint32_t packet_count;
    size_t packets_size;    /* of all of them, without the padding after the last */
    const uint8_t *packets; /* the first one's stamp; not looked at by the writers */
    bool big_endian;        /* of the body */
};

struct sl_nebula_packet {
    int64_t stamp_ns;
    const uint8_t *bytes;
    uint32_t size;
};

/* All packets are checked to be inside of the body, once: sl_nebula_packets_next cannot fail. */
int sl_nebula_packets_read(const void *body, size_t size, struct sl_nebula_packets *ret_packets);

/* The packet at *at, which is 0 for the first one and is moved on; packet_count times. A peer that
 * still changes the body gives it other bytes, never others than the body's. */
struct sl_nebula_packet sl_nebula_packets_next(const struct sl_nebula_packets *packets, size_t *at);

/* What a packet of so many bytes takes as the last one, and from it to the next one. */
static inline size_t sl_nebula_packet_cdr_size(size_t bytes)
{
    return 12 + bytes;
}
static inline size_t sl_nebula_packet_stride(size_t bytes)
{
    return (sl_nebula_packet_cdr_size(bytes) + 3) / 4 * 4;
}

/* Bytes before the first packet, a multiple of 4. */
size_t sl_nebula_packets_prefix_size(const struct sl_nebula_packets *packets);

/* Write the prefix, exactly sl_nebula_packets_prefix_size bytes, at `to`. Returns 0, -ENOSPC,
 * -ERANGE, or -EOVERFLOW if the body would have 4 GiB or more. */
int sl_nebula_packets_write_prefix(const struct sl_nebula_packets *packets, void *to, size_t room);

/* Write a packet with its stamp and the padding after it: sl_nebula_packet_stride bytes, which must
 * be there. Returns 0 or -ERANGE. */
int sl_nebula_packet_write(const struct sl_nebula_packet *packet, void *to);

/* The finished body; the padding after the last packet is the slot's. */
size_t sl_nebula_packets_body_size(const struct sl_nebula_packets *packets);

#endif
