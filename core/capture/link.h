/* SPDX-License-Identifier: Apache-2.0 */
/* link.h - from a captured frame to the IP packet in it.
 *
 * The numbers are those of the registry at tcpdump.org/linktypes.html.
 * Pure; any thread; the bytes stay the caller's. What is wrong with a frame is a verdict to be
 * counted, no error.
 */
#ifndef SL_CAPTURE_LINK_H
#define SL_CAPTURE_LINK_H

#include "core/capture/capture.h"

enum sl_link_type {
    SL_LINK_NULL = 0,     /* BSD loopback: address family in the capturing host's byte order */
    SL_LINK_ETHERNET = 1, /* with any stack of 802.1Q and 802.1ad tags */
    SL_LINK_RAW_BSD = 12, /* IPv4 or IPv6, three numbers for the same */
    SL_LINK_RAW_OPENBSD = 14,
    SL_LINK_RAW = 101,
    SL_LINK_LOOP = 108, /* OpenBSD loopback: address family in network order */
    SL_LINK_SLL = 113,  /* Linux "any" device */
    SL_LINK_IPV4 = 228,
    SL_LINK_IPV6 = 229,
    SL_LINK_SLL2 = 276, /* Linux "any" device, version 2 */
};

/* What became of a record on its way to a datagram. */
enum sl_packet_verdict {
    SL_PACKET_OK,
    SL_PACKET_UNKNOWN_LINK, /* a link type that is not in the list above */
    SL_PACKET_NOT_IP,       /* ARP, spanning tree, ... */
    SL_PACKET_NOT_UDP,
    SL_PACKET_TRUNCATED, /* what is needed was cut off when it was captured */
    SL_PACKET_MALFORMED, /* lengths contradict each other */
    SL_PACKET_VERDICTS,
};

bool sl_link_is_known(uint32_t link_type);

/* "Ethernet", ...; NULL for one that is not known. */
const char *sl_link_name(uint32_t link_type);

/* Find the IP packet of a record. On SL_PACKET_OK *ret_bytes and *ret_size_bytes are what follows
 * the link layer, trailing padding included; the packet's own first half-byte tells 4 from 6. */
enum sl_packet_verdict sl_link_open(const struct sl_capture_record *record,
                                    const uint8_t **ret_bytes, uint32_t *ret_size_bytes);

#endif
