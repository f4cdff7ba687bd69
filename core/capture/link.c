/* SPDX-License-Identifier: Apache-2.0 */
/* link.c - link-layer headers, all fields big endian unless said otherwise.
 *
 *   Ethernet  0 destination 6   6 source 6   12 type u16 (below 1536: a length, then LLC)
 *   tag       0 priority and number u16   2 type u16 of what follows
 *   LLC/SNAP  0 aa aa 03 00 00 00   6 type u16
 *   SLL       0 packet type, hardware type, address length u16, address 8   14 type u16
 *   SLL2      0 type u16   2 -   4 interface u32, hardware type u16, ...   20 the packet
 *   NULL      0 address family u32 of either byte order
 */
#include "core/capture/link.h"

#include <string.h>

#include "core/base/bytes.h"

#define TYPE_IPV4      0x0800
#define TYPE_IPV6      0x86dd
#define TYPE_LENGTH    0x0600 /* below it is a length */
#define TAGS_MAX       8      /* a stack of more is no traffic but an attack on our patience */
#define FAMILY_INET    2      /* everywhere */
#define FAMILY_IS_BYTE 0xff

static const struct link {
    uint32_t type;
    const char *name;
} links[] = {
    {SL_LINK_NULL, "BSD loopback"}, {SL_LINK_ETHERNET, "Ethernet"},
    {SL_LINK_RAW_BSD, "raw IP"},    {SL_LINK_RAW_OPENBSD, "raw IP"},
    {SL_LINK_RAW, "raw IP"},        {SL_LINK_LOOP, "OpenBSD loopback"},
    {SL_LINK_SLL, "Linux cooked"},  {SL_LINK_IPV4, "raw IPv4"},
    {SL_LINK_IPV6, "raw IPv6"},     {SL_LINK_SLL2, "Linux cooked v2"},
};

const char *sl_link_name(uint32_t link_type)
{
    for (size_t i = 0; i < sizeof links / sizeof links[0]; i++)
        if (links[i].type == link_type)
            return links[i].name;
    return NULL;
}

bool sl_link_is_known(uint32_t link_type)
{
    return sl_link_name(link_type) != NULL;
}

static bool is_tag(uint16_t type)
{
    return type == 0x8100 || type == 0x88a8 || type == 0x9100 || type == 0x9200;
}

/* Walk over VLAN tags and LLC/SNAP from a type field's value to IP. */
static enum sl_packet_verdict open_type(struct sl_reader *r, uint16_t type)
{
    static const uint8_t snap[] = {0xaa, 0xaa, 0x03, 0, 0, 0};
    for (unsigned tags = 0; is_tag(type); tags++) {
        if (tags == TAGS_MAX)
            return SL_PACKET_MALFORMED;
        sl_reader_skip(r, 2);
        type = sl_reader_be16(r);
    }
    if (type < TYPE_LENGTH && !r->failed) {
        const uint8_t *header = sl_reader_take(r, sizeof snap);
        if (!header || memcmp(header, snap, sizeof snap) != 0)
            return SL_PACKET_NOT_IP;
        type = sl_reader_be16(r);
    }
    if (r->failed)
        return SL_PACKET_TRUNCATED;
    return type == TYPE_IPV4 || type == TYPE_IPV6 ? SL_PACKET_OK : SL_PACKET_NOT_IP;
}

static enum sl_packet_verdict open_family(struct sl_reader *r)
{
    uint32_t family = sl_reader_le32(r);
    if (r->failed)
        return SL_PACKET_TRUNCATED;
    if (family > FAMILY_IS_BYTE)
        family = __builtin_bswap32(family);
    /* IPv6 is 10 on Linux and 23, 24, 26, 28 or 30 elsewhere. */
    static const uint8_t families[] = {FAMILY_INET, 10, 23, 24, 26, 28, 30};
    return family <= FAMILY_IS_BYTE && memchr(families, (int)family, sizeof families)
               ? SL_PACKET_OK
               : SL_PACKET_NOT_IP;
}

static enum sl_packet_verdict open_link(struct sl_reader *r, uint32_t link_type)
{
    uint16_t type;
    switch (link_type) {
    case SL_LINK_ETHERNET:
        sl_reader_skip(r, 12);
        return open_type(r, sl_reader_be16(r));
    case SL_LINK_SLL:
        sl_reader_skip(r, 14);
        return open_type(r, sl_reader_be16(r));
    case SL_LINK_SLL2:
        type = sl_reader_be16(r);
        sl_reader_skip(r, 18);
        return open_type(r, type);
    case SL_LINK_NULL:
    case SL_LINK_LOOP:
        return open_family(r);
    case SL_LINK_RAW:
    case SL_LINK_RAW_BSD:
    case SL_LINK_RAW_OPENBSD:
    case SL_LINK_IPV4:
    case SL_LINK_IPV6:
        return SL_PACKET_OK;
    default:
        return SL_PACKET_UNKNOWN_LINK;
    }
}

enum sl_packet_verdict sl_link_open(const struct sl_capture_record *record,
                                    const uint8_t **ret_bytes, uint32_t *ret_size_bytes)
{
    struct sl_reader r = sl_reader(record->bytes, record->captured_bytes);
    enum sl_packet_verdict verdict = open_link(&r, record->link_type);
    if (verdict != SL_PACKET_OK)
        return verdict;
    if (sl_reader_left(&r) == 0)
        return SL_PACKET_TRUNCATED;
    *ret_bytes = r.at;
    *ret_size_bytes = (uint32_t)sl_reader_left(&r);
    return SL_PACKET_OK;
}
