/* SPDX-License-Identifier: Apache-2.0 */
/* ip.h - IPv4, IPv6 and UDP headers of a captured packet.
 *
 * Checksums are not looked at: a capture on the sending host, or behind a card that checks them,
 * holds none. Lengths are: nothing outside the bytes given is touched or promised.
 * Sources: RFC 791 (IPv4), RFC 8200 (IPv6), RFC 2675 (jumbograms), RFC 768 (UDP).
 *
 * Pure; any thread; the bytes stay the caller's.
 */
#ifndef SL_CAPTURE_IP_H
#define SL_CAPTURE_IP_H

#include "core/capture/datagram.h"
#include "core/capture/link.h"

struct sl_ip_packet {
    const uint8_t *bytes;  /* what IP carries, from the upper protocol's first byte on */
    uint32_t size_bytes;   /* how much of it is there */
    uint32_t length_bytes; /* how much there was on the wire, never less */

    /* a fragment: where in the whole it belongs */
    bool fragment;
    bool more;                /* further fragments follow it */
    uint32_t fragment_offset; /* bytes, a multiple of 8 */
    uint32_t id;

    uint8_t family;     /* 4 or 6 */
    uint8_t protocol;   /* of `bytes`; of a whole packet, no extension header is left before it */
    uint8_t source[16]; /* network order; IPv4 uses the first 4 bytes, the rest is zero */
    uint8_t destination[16];
};

/* Read the header(s) of the IP packet at `bytes`. *ret_packet is written on SL_PACKET_OK only. */
enum sl_packet_verdict sl_ip_open(const uint8_t *bytes, uint32_t size_bytes,
                                  struct sl_ip_packet *ret_packet);

/* Walk over the IPv6 extension headers that a reassembled packet may begin with, in place. */
enum sl_packet_verdict sl_ip_skip_extensions(struct sl_ip_packet *packet);

/* Read the UDP header of a packet that is whole (no fragment, or reassembled). Writes the bytes,
 * endpoints and SL_DATAGRAM_TRUNCATED of *ret_datagram, its time and other flags are zero. */
enum sl_packet_verdict sl_udp_open(const struct sl_ip_packet *packet,
                                   struct sl_datagram *ret_datagram);

#endif
