/* SPDX-License-Identifier: Apache-2.0 */
#include "core/frame/nebula_packets.h"

#include "core/base/error.h"

#include <errno.h>

#define PACKET_SIZE_MIN 12

static uint32_t u32_at(const struct sl_nebula_packets *packets, const uint8_t *at)
{
    return packets->big_endian ? sl_get_be32(at) : sl_get_le32(at);
}

int sl_nebula_packets_read(const void *body, size_t size, struct sl_nebula_packets *ret_packets)
{
    struct sl_cdr_reader r;
    int err = sl_cdr_read(body, size, &r);
    if (err < 0)
        return err;
    struct sl_nebula_packets packets = {.big_endian = r.big_endian};
    sl_header_read(&r, &packets.stamp_ns, &packets.frame_id);
    packets.packet_count = sl_cdr_count(&r, PACKET_SIZE_MIN);
    packets.packets = sl_reader_take(&r.bytes, 0);
    for (uint32_t i = 0; i < packets.packet_count; i++) {
        sl_stamp_read(&r);
        uint32_t bytes = sl_cdr_count(&r, 1);
        const uint8_t *data = sl_reader_take(&r.bytes, bytes);
        if (data)
            packets.packets_size = (size_t)(data + bytes - packets.packets);
    }
    err = sl_message_read_result(&r, SL_TYPE_NEBULA_PACKETS);
    if (err < 0)
        return err;
    *ret_packets = packets;
    return 0;
}

struct sl_nebula_packet sl_nebula_packets_next(const struct sl_nebula_packets *packets, size_t *at)
{
    struct sl_nebula_packet packet = {0};
    size_t left = *at <= packets->packets_size ? packets->packets_size - *at : 0;
    if (left < PACKET_SIZE_MIN)
        return packet;
    const uint8_t *from = packets->packets + *at;
    left -= PACKET_SIZE_MIN;
    packet.stamp_ns = sl_stamp_join((int32_t)u32_at(packets, from), u32_at(packets, from + 4));
    packet.size = u32_at(packets, from + 8);
    if (packet.size > left)
        packet.size = (uint32_t)left;
    packet.bytes = from + PACKET_SIZE_MIN;
    *at += sl_nebula_packet_stride(packet.size);
    return packet;
}

size_t sl_nebula_packets_prefix_size(const struct sl_nebula_packets *packets)
{
    return sl_cdr_aligned(sl_header_end(packets->frame_id), 4) + 4;
}

int sl_nebula_packets_write_prefix(const struct sl_nebula_packets *packets, void *to, size_t room)
{
    if (sl_nebula_packets_body_size(packets) > UINT32_MAX)
        return sl_error(-EOVERFLOW, SL_TYPE_NEBULA_PACKETS ": a body of 4 GiB or more");
    struct sl_cdr_writer w = sl_cdr_write(to, room);
    int err = sl_header_write(&w, packets->stamp_ns, packets->frame_id);
    if (err < 0)
        return err;
    sl_cdr_put_u32(&w, packets->packet_count);
    return sl_message_write_result(&w, SL_TYPE_NEBULA_PACKETS);
}

int sl_nebula_packet_write(const struct sl_nebula_packet *packet, void *to)
{
    int32_t sec = 0;
    uint32_t nanosec = 0;
    int err = sl_stamp_split(packet->stamp_ns, &sec, &nanosec);
    if (err < 0)
        return err;
    uint8_t *at = to;
    size_t size = sl_nebula_packet_cdr_size(packet->size);
    sl_put_le32(at, (uint32_t)sec);
    sl_put_le32(at + 4, nanosec);
    sl_put_le32(at + 8, packet->size);
    memcpy(at + PACKET_SIZE_MIN, packet->bytes, packet->size);
    memset(at + size, 0, sl_nebula_packet_stride(packet->size) - size);
    return 0;
}

size_t sl_nebula_packets_body_size(const struct sl_nebula_packets *packets)
{
    return sl_nebula_packets_prefix_size(packets) + packets->packets_size;
}
