/* SPDX-License-Identifier: Apache-2.0 */
/* packet_ring.h - the UDP frames of an interface, out of a ring that the kernel fills (AF_PACKET,
 * TPACKET_V3): no system call a packet, and no copy but the kernel's own.
 *
 * The kernel hands on a block of the ring when it is full, and after SL_PACKET_RING_RETIRE_MS what
 * there is of it: by so much a frame may come later than from a socket, and a ring of N
 * blocks (1024 of them by default) lasts for N ms at least. Frames that this machine
 * sends are left out. A VLAN tag that the card or the kernel has taken off is not seen; one that
 * stands in the frame is read by link.h.
 *
 * Life:    open -> (next ... -> recycle) ... -> close
 * Owner:   a record's bytes are the ring's, valid until recycle or close.
 * Threads: one at a time.
 */
#ifndef SL_CAPTURE_PACKET_RING_H
#define SL_CAPTURE_PACKET_RING_H

#include "core/capture/capture.h"

#define SL_PACKET_RING_PORTS_MAX 8
#define SL_PACKET_RING_BYTES     (32u << 20) /* by default */
#define SL_PACKET_RING_RETIRE_MS 1

/* Only UDP to `ports` is wanted. A filter in the kernel drops what it can tell is something else:
 * other ports, and over IPv4 other senders. Of a datagram in IP fragments only the first has ports,
 * so fragments come whatever their port is, as do frames with a VLAN tag in them. */
struct sl_packet_ring_options {
    const char *interface;
    uint16_t ports[SL_PACKET_RING_PORTS_MAX];
    unsigned port_count;
    uint8_t sender[4];     /* IPv4, network order */
    bool has_sender;       /* only datagrams from there */
    uint32_t buffer_bytes; /* 0 = SL_PACKET_RING_BYTES; rounded to whole blocks */
};

struct sl_packet_ring;

/* -ENODEV (no such interface), -EPERM (needs CAP_NET_RAW), -ENETDOWN, -ENOMEM, -EINVAL. */
int sl_packet_ring_open(const struct sl_packet_ring_options *options,
                        struct sl_packet_ring **ret_ring);
void sl_packet_ring_close(struct sl_packet_ring *ring); /* NULL is fine */

/* The next frame. Never waits: 1; 0 = none there yet; -ENODEV when the interface is gone. */
int sl_packet_ring_next(struct sl_packet_ring *ring, struct sl_capture_record *ret_record);

/* Every record so far is done with: give blocks that were read to their end back to the kernel. */
void sl_packet_ring_recycle(struct sl_packet_ring *ring);

/* For poll and epoll, level-triggered: readable when next may have something. */
int sl_packet_ring_fd(const struct sl_packet_ring *ring);

/* Frames that passed the filter and found no room, since opening. */
uint64_t sl_packet_ring_drops(struct sl_packet_ring *ring);

uint32_t sl_packet_ring_buffer_bytes(const struct sl_packet_ring *ring);

#endif
