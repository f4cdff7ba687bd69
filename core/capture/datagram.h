/* SPDX-License-Identifier: Apache-2.0 */
/* datagram.h - one UDP datagram, from wherever it came: socket, capture file, simulated sensor.
 *
 * Owner: the bytes belong to whoever made the datagram and stay valid until its next call.
 */
#ifndef SL_CAPTURE_DATAGRAM_H
#define SL_CAPTURE_DATAGRAM_H

#include <stdint.h>

#define SL_DATAGRAM_MAX_BYTES 65535

struct sl_endpoint {
    uint8_t address[16]; /* network order; IPv4 uses the first 4 bytes, the rest is zero */
    uint16_t port;       /* host order */
    uint8_t family;      /* 4, 6, or 0 = unknown */
};

/* flags */
#define SL_DATAGRAM_KERNEL_TIME 0x1u /* time_ns was taken by the kernel or the network card */
#define SL_DATAGRAM_REASSEMBLED 0x2u /* it came in IP fragments */
#define SL_DATAGRAM_CARD_TIME   0x8u /* and it was the card */
#define SL_DATAGRAM_TRUNCATED   0x4u /* bytes are missing at its end (snap length, small buffer) */

struct sl_datagram {
    const uint8_t *bytes;
    uint32_t size_bytes;
    uint32_t flags;
    uint64_t time_ns; /* host's CLOCK_REALTIME at arrival; 0 = not known */
    struct sl_endpoint source;
    struct sl_endpoint destination;
};

#endif
