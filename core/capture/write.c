/* SPDX-License-Identifier: Apache-2.0 */
/* write.c - the formats' diagrams stand in pcap.c, pcapng.c, link.c and ip.c. */
#include "core/capture/write.h"

#include <errno.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/capture/link.h"

#define UDP_HEADER_BYTES    8
#define IPV4_HEADER_BYTES   20
#define IPV6_HEADER_BYTES   40
#define IPV6_FRAGMENT_BYTES 8
#define PROTOCOL_UDP        17
#define PROTOCOL_FRAGMENT   44
#define HOP_LIMIT           64
#define FRAGMENT_UNIT       8
#define TYPE_IPV4           0x0800
#define TYPE_IPV6           0x86dd
#define TYPE_TAG_OUTER      0x88a8
#define TYPE_TAG            0x8100

/* ---- output ---- */

static int put(struct sl_capture_writer *w, const void *bytes, size_t size_bytes)
{
    if (w->bytes) {
        sl_writer_bytes(w->bytes, bytes, size_bytes);
        return w->bytes->failed ? sl_error(-ENOSPC, "capture is longer than the room for it") : 0;
    }
    if (size_bytes == 0 || fwrite(bytes, 1, size_bytes, w->stream) == size_bytes)
        return 0;
    int err = errno ? errno : EIO;
    return sl_error(err, "capture cannot be written: %s", strerror(err));
}

static void put_u16(const struct sl_capture_writer *w, uint8_t *to, uint16_t value)
{
    if (w->options.big_endian)
        sl_put_be16(to, value);
    else
        sl_put_le16(to, value);
}

static void put_u32(const struct sl_capture_writer *w, uint8_t *to, uint32_t value)
{
    if (w->options.big_endian)
        sl_put_be32(to, value);
    else
        sl_put_le32(to, value);
}

/* ---- file and record headers ---- */

static uint32_t snap_length(const struct sl_capture_writer *w)
{
    return w->options.snap_bytes ? w->options.snap_bytes : SL_CAPTURE_RECORD_MAX_BYTES;
}

static int put_pcap_header(struct sl_capture_writer *w)
{
    uint8_t header[24] = {0};
    put_u32(w, header, w->options.microseconds ? 0xa1b2c3d4u : 0xa1b23c4du);
    put_u16(w, header + 4, 2);
    put_u16(w, header + 6, 4);
    put_u32(w, header + 16, snap_length(w));
    put_u32(w, header + 20, w->options.link_type);
    return put(w, header, sizeof header);
}

static int put_pcapng_header(struct sl_capture_writer *w)
{
    uint8_t header[28 + 32] = {0};
    put_u32(w, header, 0x0a0d0d0au);
    put_u32(w, header + 4, 28);
    put_u32(w, header + 8, 0x1a2b3c4du);
    put_u16(w, header + 12, 1);
    memset(header + 16, 0xff, 8); /* the section's length is not told */
    put_u32(w, header + 24, 28);

    uint8_t *interface = header + 28;
    put_u32(w, interface, 1);
    put_u32(w, interface + 4, 32);
    put_u16(w, interface + 8, (uint16_t)w->options.link_type);
    put_u32(w, interface + 12, snap_length(w));
    put_u16(w, interface + 16, 9); /* if_tsresol */
    put_u16(w, interface + 18, 1);
    interface[20] = w->options.microseconds ? 6 : 9; /* then 3 of padding, 4 of opt_endofopt */
    put_u32(w, interface + 28, 32);
    return put(w, header, sizeof header);
}

static int check_options(const struct sl_capture_write_options *options)
{
    if (!sl_link_is_known(options->link_type))
        return sl_error(-EINVAL, "capture: link type %u cannot be written", options->link_type);
    if (options->mtu_bytes && options->mtu_bytes < SL_CAPTURE_WRITE_MTU_MIN)
        return sl_error(-EINVAL, "capture: an MTU of %u is too small (at least %d)",
                        options->mtu_bytes, SL_CAPTURE_WRITE_MTU_MIN);
    if (options->tag_count > SL_CAPTURE_WRITE_TAGS_MAX ||
        (options->tag_count && options->link_type != SL_LINK_ETHERNET))
        return sl_error(-EINVAL, "capture: VLAN tags are for Ethernet, at most %d",
                        SL_CAPTURE_WRITE_TAGS_MAX);
    return 0;
}

int sl_capture_write_begin(struct sl_capture_writer *writer,
                           const struct sl_capture_write_options *options, struct sl_writer *bytes,
                           FILE *stream)
{
    int err = check_options(options);
    if (err)
        return err;
    writer->options = *options;
    writer->bytes = bytes;
    writer->stream = stream;
    writer->next_id = 1;
    return options->format == SL_CAPTURE_PCAPNG ? put_pcapng_header(writer)
                                                : put_pcap_header(writer);
}

int sl_capture_write_section(struct sl_capture_writer *writer,
                             const struct sl_capture_write_options *options)
{
    int err = check_options(options);
    if (err)
        return err;
    if (writer->options.format != SL_CAPTURE_PCAPNG || options->format != SL_CAPTURE_PCAPNG)
        return sl_error(-EINVAL, "capture: only pcapng has sections");
    writer->options = *options;
    return put_pcapng_header(writer);
}

static int put_pcap_record(struct sl_capture_writer *w, uint64_t time_ns, const uint8_t *bytes,
                           uint32_t captured, uint32_t original)
{
    uint8_t header[16];
    uint64_t fraction_ns = time_ns % SL_NS_PER_S;
    put_u32(w, header, (uint32_t)(time_ns / SL_NS_PER_S));
    put_u32(w, header + 4,
            (uint32_t)(w->options.microseconds ? fraction_ns / SL_NS_PER_US : fraction_ns));
    put_u32(w, header + 8, captured);
    put_u32(w, header + 12, original);
    int err = put(w, header, sizeof header);
    return err ? err : put(w, bytes, captured);
}

static int put_pcapng_record(struct sl_capture_writer *w, uint64_t time_ns, const uint8_t *bytes,
                             uint32_t captured, uint32_t original)
{
    uint8_t header[28] = {0};
    uint8_t tail[3 + 4] = {0};
    uint32_t padding = (4 - captured % 4) % 4;
    uint32_t length = (uint32_t)sizeof header + captured + padding + 4;
    uint64_t ticks = w->options.microseconds ? time_ns / SL_NS_PER_US : time_ns;
    put_u32(w, header, 6);
    put_u32(w, header + 4, length);
    put_u32(w, header + 12, (uint32_t)(ticks >> 32));
    put_u32(w, header + 16, (uint32_t)ticks);
    put_u32(w, header + 20, captured);
    put_u32(w, header + 24, original);
    put_u32(w, tail + padding, length);
    int err = put(w, header, sizeof header);
    if (!err)
        err = put(w, bytes, captured);
    return err ? err : put(w, tail, padding + 4);
}

int sl_capture_write_record(struct sl_capture_writer *writer, uint64_t time_ns,
                            const uint8_t *bytes, uint32_t size_bytes)
{
    uint32_t snap = writer->options.snap_bytes;
    uint32_t captured = snap && snap < size_bytes ? snap : size_bytes;
    if (captured > SL_CAPTURE_RECORD_MAX_BYTES)
        return sl_error(-EMSGSIZE, "capture: a record of %u bytes is too long", captured);
    return writer->options.format == SL_CAPTURE_PCAPNG
               ? put_pcapng_record(writer, time_ns, bytes, captured, size_bytes)
               : put_pcap_record(writer, time_ns, bytes, captured, size_bytes);
}

/* ---- frames ---- */

/* The internet checksum's sum, RFC 1071; `sum` goes on from an earlier, even part. */
static uint32_t add_words(uint32_t sum, const uint8_t *bytes, size_t size_bytes)
{
    for (size_t i = 0; i + 1 < size_bytes; i += 2)
        sum += sl_get_be16(bytes + i);
    if (size_bytes % 2)
        sum += (uint32_t)bytes[size_bytes - 1] << 8;
    return (sum & 0xffff) + (sum >> 16);
}

static uint16_t fold(uint32_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

static uint32_t address_bytes(const struct sl_datagram *d)
{
    return d->source.family == 6 ? 16 : 4;
}

static int check_datagram(const struct sl_capture_writer *w, const struct sl_datagram *d)
{
    uint8_t family = d->source.family;
    uint32_t link = w->options.link_type;
    if ((family != 4 && family != 6) || d->destination.family != family)
        return sl_error(-EINVAL,
                        "capture: a datagram's endpoints are of families %u and %u; both must be "
                        "4 or both 6",
                        family, d->destination.family);
    if ((link == SL_LINK_IPV4 && family != 4) || (link == SL_LINK_IPV6 && family != 6))
        return sl_error(-EINVAL, "capture: link type %u carries no IPv%u", link, family);
    uint32_t ip_header = family == 4 ? IPV4_HEADER_BYTES : 0; /* IPv6's does not count */
    if (d->size_bytes > SL_DATAGRAM_MAX_BYTES - UDP_HEADER_BYTES - ip_header)
        return sl_error(-EMSGSIZE, "capture: a datagram of %u bytes does not fit into IP",
                        d->size_bytes);
    return 0;
}

/* The datagram with its UDP header, in w->transport. */
static void build_udp(struct sl_capture_writer *w, const struct sl_datagram *d)
{
    uint32_t length = UDP_HEADER_BYTES + d->size_bytes;
    uint8_t *udp = w->transport;
    sl_put_be16(udp, d->source.port);
    sl_put_be16(udp + 2, d->destination.port);
    sl_put_be16(udp + 4, (uint16_t)length);
    sl_put_be16(udp + 6, 0);
    if (d->size_bytes > 0)
        memcpy(udp + UDP_HEADER_BYTES, d->bytes, d->size_bytes);
    uint32_t sum = add_words(PROTOCOL_UDP + length, d->source.address, address_bytes(d));
    sum = add_words(sum, d->destination.address, address_bytes(d));
    uint16_t checksum = fold(add_words(sum, udp, length));
    sl_put_be16(udp + 6, checksum ? checksum : 0xffff); /* 0 would mean "none" */
}

/* What a fragment may carry; 0 = the datagram goes in one piece. */
static uint32_t piece_bytes(const struct sl_capture_writer *w, const struct sl_datagram *d)
{
    uint32_t mtu = w->options.mtu_bytes;
    uint32_t header = d->source.family == 4 ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES;
    if (mtu == 0 || header + UDP_HEADER_BYTES + d->size_bytes <= mtu)
        return 0;
    if (d->source.family == 6)
        header += IPV6_FRAGMENT_BYTES;
    return (mtu - header) / FRAGMENT_UNIT * FRAGMENT_UNIT;
}

int sl_capture_write_count(const struct sl_capture_writer *writer,
                           const struct sl_datagram *datagram)
{
    uint32_t piece = piece_bytes(writer, datagram);
    uint32_t length = UDP_HEADER_BYTES + datagram->size_bytes;
    return piece ? (int)((length + piece - 1) / piece) : 1;
}

static void put_ethernet(const struct sl_capture_writer *w, struct sl_writer *out, uint16_t type)
{
    /* Locally administered addresses: nobody's. */
    static const uint8_t destination[] = {0x02, 0, 0, 0, 0, 2};
    static const uint8_t source[] = {0x02, 0, 0, 0, 0, 1};
    uint8_t word[2];
    sl_writer_bytes(out, destination, sizeof destination);
    sl_writer_bytes(out, source, sizeof source);
    for (unsigned i = 0; i < w->options.tag_count; i++) {
        bool innermost = i + 1 == w->options.tag_count;
        sl_put_be16(word, innermost ? TYPE_TAG : TYPE_TAG_OUTER);
        sl_writer_bytes(out, word, sizeof word);
        sl_put_be16(word, w->options.tags[i]);
        sl_writer_bytes(out, word, sizeof word);
    }
    sl_put_be16(word, type);
    sl_writer_bytes(out, word, sizeof word);
}

static void put_link(const struct sl_capture_writer *w, struct sl_writer *out, uint8_t family)
{
    uint16_t type = family == 4 ? TYPE_IPV4 : TYPE_IPV6;
    uint32_t address_family = family == 4 ? 2 : 30;
    uint8_t header[20] = {0};
    switch (w->options.link_type) {
    case SL_LINK_ETHERNET:
        put_ethernet(w, out, type);
        break;
    case SL_LINK_SLL:
        header[3] = 1; /* hardware: Ethernet */
        sl_put_be16(header + 14, type);
        sl_writer_bytes(out, header, 16);
        break;
    case SL_LINK_SLL2:
        sl_put_be16(header, type);
        header[9] = 1; /* hardware: Ethernet */
        sl_writer_bytes(out, header, 20);
        break;
    case SL_LINK_NULL:
        put_u32(w, header, address_family);
        sl_writer_bytes(out, header, 4);
        break;
    case SL_LINK_LOOP:
        sl_put_be32(header, address_family);
        sl_writer_bytes(out, header, 4);
        break;
    default: /* raw IP has no header */
        break;
    }
}

struct piece {
    uint32_t offset;
    uint32_t size;
    uint32_t id;
    bool fragment;
    bool more;
};

static void put_ipv4(struct sl_writer *out, const struct sl_datagram *d, const struct piece *p)
{
    uint8_t header[IPV4_HEADER_BYTES] = {0x45};
    sl_put_be16(header + 2, (uint16_t)(sizeof header + p->size));
    sl_put_be16(header + 4, (uint16_t)p->id);
    sl_put_be16(header + 6, (uint16_t)((p->more ? 0x2000u : 0) | p->offset / FRAGMENT_UNIT));
    header[8] = HOP_LIMIT;
    header[9] = PROTOCOL_UDP;
    memcpy(header + 12, d->source.address, 4);
    memcpy(header + 16, d->destination.address, 4);
    sl_put_be16(header + 10, fold(add_words(0, header, sizeof header)));
    sl_writer_bytes(out, header, sizeof header);
}

static void put_ipv6(struct sl_writer *out, const struct sl_datagram *d, const struct piece *p)
{
    uint8_t header[IPV6_HEADER_BYTES + IPV6_FRAGMENT_BYTES] = {0x60};
    uint32_t extra = p->fragment ? IPV6_FRAGMENT_BYTES : 0;
    sl_put_be16(header + 4, (uint16_t)(extra + p->size));
    header[6] = p->fragment ? PROTOCOL_FRAGMENT : PROTOCOL_UDP;
    header[7] = HOP_LIMIT;
    memcpy(header + 8, d->source.address, 16);
    memcpy(header + 24, d->destination.address, 16);
    header[40] = PROTOCOL_UDP;
    sl_put_be16(header + 42, (uint16_t)(p->offset | p->more));
    sl_put_be32(header + 44, p->id);
    sl_writer_bytes(out, header, IPV6_HEADER_BYTES + extra);
}

/* The index-th frame of the datagram that lies in w->transport. Returns its length. */
static uint32_t build_frame(struct sl_capture_writer *w, const struct sl_datagram *d, int index,
                            uint32_t id)
{
    uint32_t step = piece_bytes(w, d);
    uint32_t length = UDP_HEADER_BYTES + d->size_bytes;
    struct piece piece = {.id = id, .fragment = step != 0, .offset = (uint32_t)index * step};
    piece.size = step && length - piece.offset > step ? step : length - piece.offset;
    piece.more = piece.offset + piece.size < length;
    struct sl_writer out = sl_writer(w->frame, sizeof w->frame);
    put_link(w, &out, d->source.family);
    if (d->source.family == 4)
        put_ipv4(&out, d, &piece);
    else
        put_ipv6(&out, d, &piece);
    sl_writer_bytes(&out, w->transport + piece.offset, piece.size);
    return (uint32_t)sl_writer_offset(&out);
}

int sl_capture_write_frame(struct sl_capture_writer *writer, const struct sl_datagram *datagram,
                           int index, uint32_t id, const uint8_t **ret_bytes,
                           uint32_t *ret_size_bytes)
{
    int err = check_datagram(writer, datagram);
    if (err)
        return err;
    if (index < 0 || index >= sl_capture_write_count(writer, datagram))
        return sl_error(-EINVAL, "capture: a datagram has no frame %d", index);
    build_udp(writer, datagram);
    *ret_size_bytes = build_frame(writer, datagram, index, id);
    *ret_bytes = writer->frame;
    return 0;
}

int sl_capture_write_datagram(struct sl_capture_writer *writer, const struct sl_datagram *datagram)
{
    int err = check_datagram(writer, datagram);
    if (err)
        return err;
    uint32_t id = writer->next_id++;
    int count = sl_capture_write_count(writer, datagram);
    build_udp(writer, datagram);
    for (int i = 0; i < count && !err; i++) {
        uint32_t size_bytes = build_frame(writer, datagram, i, id);
        err = sl_capture_write_record(writer, datagram->time_ns, writer->frame, size_bytes);
    }
    return err;
}
