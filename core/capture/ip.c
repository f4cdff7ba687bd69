/* SPDX-License-Identifier: Apache-2.0 */
/* ip.c - all fields big endian.
 *
 *   IPv4  0 version 4 bits, header words 4 bits   2 total length u16   4 id u16
 *         6 flags 3 bits (bit 13: more), offset / 8 13 bits   9 protocol   12 source   16 dest.
 *   IPv6  0 version 4 bits   4 payload length u16   6 next header   8 source   24 destination
 *         extension: 0 next header   1 length / 8 - 1 (authentication: / 4 - 2)
 *         fragment:  0 next header   2 offset, 3 bits of which the last is "more"   4 id u32
 *   UDP   0 source port   2 destination port   4 length with this header   6 checksum
 */
#include "core/capture/ip.h"

#include <string.h>

#include "core/base/bytes.h"

#define IPV4_HEADER_BYTES  20
#define IPV6_HEADER_BYTES  40
#define UDP_HEADER_BYTES   8
#define FRAGMENT_MORE_V4   0x2000
#define FRAGMENT_OFFSET_V4 0x1fff
#define FRAGMENT_MORE_V6   0x1
#define FRAGMENT_OFFSET_V6 0xfff8

#define PROTOCOL_HOP_BY_HOP     0
#define PROTOCOL_UDP            17
#define PROTOCOL_ROUTING        43
#define PROTOCOL_FRAGMENT       44
#define PROTOCOL_AUTHENTICATION 51
#define PROTOCOL_DESTINATION    60
#define PROTOCOL_MOBILITY       135
#define PROTOCOL_HIP            139
#define PROTOCOL_SHIM6          140
#define EXTENSIONS_MAX          16

static enum sl_packet_verdict open_ipv4(const uint8_t *b, uint32_t size, struct sl_ip_packet *p)
{
    if (size < IPV4_HEADER_BYTES)
        return SL_PACKET_TRUNCATED;
    uint32_t header = (b[0] & 15u) * 4;
    uint32_t total = sl_get_be16(b + 2);
    if (total == 0) /* left to the network card to fill in (segmentation offload) */
        total = size;
    if (header < IPV4_HEADER_BYTES || total < header)
        return SL_PACKET_MALFORMED;
    if (size < header)
        return SL_PACKET_TRUNCATED;
    uint16_t fragment = sl_get_be16(b + 6);
    p->family = 4;
    p->protocol = b[9];
    p->id = sl_get_be16(b + 4);
    p->more = fragment & FRAGMENT_MORE_V4;
    p->fragment_offset = (fragment & FRAGMENT_OFFSET_V4) * 8u;
    p->fragment = p->more || p->fragment_offset;
    memcpy(p->source, b + 12, 4);
    memcpy(p->destination, b + 16, 4);
    p->bytes = b + header;
    p->length_bytes = total - header;
    p->size_bytes = (size < total ? size : total) - header; /* without Ethernet's padding */
    return SL_PACKET_OK;
}

static bool is_extension(uint8_t protocol)
{
    static const uint8_t extensions[] = {
        PROTOCOL_HOP_BY_HOP, PROTOCOL_ROUTING, PROTOCOL_AUTHENTICATION, PROTOCOL_DESTINATION,
        PROTOCOL_MOBILITY,   PROTOCOL_HIP,     PROTOCOL_SHIM6,
    };
    return memchr(extensions, protocol, sizeof extensions) != NULL;
}

/* Take `count` bytes off the packet's front. */
static enum sl_packet_verdict take_off(struct sl_ip_packet *p, uint32_t count)
{
    if (count > p->length_bytes)
        return SL_PACKET_MALFORMED;
    if (count > p->size_bytes)
        return SL_PACKET_TRUNCATED;
    p->bytes += count;
    p->size_bytes -= count;
    p->length_bytes -= count;
    return SL_PACKET_OK;
}

static enum sl_packet_verdict check_there(const struct sl_ip_packet *p, uint32_t count)
{
    if (count > p->length_bytes)
        return SL_PACKET_MALFORMED;
    return count > p->size_bytes ? SL_PACKET_TRUNCATED : SL_PACKET_OK;
}

enum sl_packet_verdict sl_ip_skip_extensions(struct sl_ip_packet *p)
{
    if (p->family != 6)
        return SL_PACKET_OK;
    for (unsigned count = 0; is_extension(p->protocol); count++) {
        enum sl_packet_verdict verdict = check_there(p, 8);
        if (verdict != SL_PACKET_OK)
            return verdict;
        if (count == EXTENSIONS_MAX)
            return SL_PACKET_MALFORMED;
        uint32_t length = p->protocol == PROTOCOL_AUTHENTICATION ? (p->bytes[1] + 2u) * 4
                                                                 : (p->bytes[1] + 1u) * 8;
        p->protocol = p->bytes[0];
        verdict = take_off(p, length);
        if (verdict != SL_PACKET_OK)
            return verdict;
    }
    return SL_PACKET_OK;
}

static enum sl_packet_verdict open_ipv6_fragment(struct sl_ip_packet *p)
{
    enum sl_packet_verdict verdict = check_there(p, 8);
    if (verdict != SL_PACKET_OK)
        return verdict;
    uint16_t fragment = sl_get_be16(p->bytes + 2);
    p->protocol = p->bytes[0];
    p->more = fragment & FRAGMENT_MORE_V6;
    p->fragment_offset = fragment & FRAGMENT_OFFSET_V6;
    p->fragment = p->more || p->fragment_offset; /* neither: an atomic fragment, RFC 6946 */
    p->id = sl_get_be32(p->bytes + 4);
    verdict = take_off(p, 8);
    /* What follows in a true fragment belongs to the whole and is walked over there. */
    return verdict == SL_PACKET_OK && !p->fragment ? sl_ip_skip_extensions(p) : verdict;
}

static enum sl_packet_verdict open_ipv6(const uint8_t *b, uint32_t size, struct sl_ip_packet *p)
{
    if (size < IPV6_HEADER_BYTES)
        return SL_PACKET_TRUNCATED;
    uint32_t length = sl_get_be16(b + 4);
    uint32_t there = size - IPV6_HEADER_BYTES;
    if (length == 0) /* a jumbogram, or left to the network card */
        length = there;
    p->family = 6;
    p->protocol = b[6];
    memcpy(p->source, b + 8, 16);
    memcpy(p->destination, b + 24, 16);
    p->bytes = b + IPV6_HEADER_BYTES;
    p->length_bytes = length;
    p->size_bytes = there < length ? there : length;
    enum sl_packet_verdict verdict = sl_ip_skip_extensions(p);
    if (verdict == SL_PACKET_OK && p->protocol == PROTOCOL_FRAGMENT)
        verdict = open_ipv6_fragment(p);
    return verdict;
}

enum sl_packet_verdict sl_ip_open(const uint8_t *bytes, uint32_t size_bytes,
                                  struct sl_ip_packet *ret_packet)
{
    struct sl_ip_packet packet = {0};
    enum sl_packet_verdict verdict;
    if (size_bytes == 0)
        return SL_PACKET_TRUNCATED;
    switch (bytes[0] >> 4) {
    case 4:
        verdict = open_ipv4(bytes, size_bytes, &packet);
        break;
    case 6:
        verdict = open_ipv6(bytes, size_bytes, &packet);
        break;
    default:
        return SL_PACKET_MALFORMED;
    }
    if (verdict == SL_PACKET_OK)
        *ret_packet = packet;
    return verdict;
}

static struct sl_endpoint endpoint(const struct sl_ip_packet *packet, const uint8_t *address,
                                   uint16_t port)
{
    struct sl_endpoint result = {.port = port, .family = packet->family};
    memcpy(result.address, address, sizeof result.address);
    return result;
}

enum sl_packet_verdict sl_udp_open(const struct sl_ip_packet *packet,
                                   struct sl_datagram *ret_datagram)
{
    if (packet->protocol != PROTOCOL_UDP)
        return SL_PACKET_NOT_UDP;
    enum sl_packet_verdict verdict = check_there(packet, UDP_HEADER_BYTES);
    if (verdict != SL_PACKET_OK)
        return verdict;
    uint32_t length = sl_get_be16(packet->bytes + 4);
    if (length == 0) /* more than its 16 bits can tell */
        length = packet->length_bytes;
    if (length < UDP_HEADER_BYTES || length > packet->length_bytes ||
        length - UDP_HEADER_BYTES > SL_DATAGRAM_MAX_BYTES)
        return SL_PACKET_MALFORMED;
    uint32_t there = length < packet->size_bytes ? length : packet->size_bytes;
    *ret_datagram = (struct sl_datagram){
        .bytes = packet->bytes + UDP_HEADER_BYTES,
        .size_bytes = there - UDP_HEADER_BYTES,
        .flags = there < length ? SL_DATAGRAM_TRUNCATED : 0,
        .source = endpoint(packet, packet->source, sl_get_be16(packet->bytes)),
        .destination = endpoint(packet, packet->destination, sl_get_be16(packet->bytes + 2)),
    };
    return SL_PACKET_OK;
}
