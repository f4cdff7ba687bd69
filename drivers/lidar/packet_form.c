/* SPDX-License-Identifier: Apache-2.0 */
/* packet_form.c - see packet_form.h. */
#include "drivers/lidar/packet_form.h"

#include "core/frame/nebula_packets.h"
#include "core/frame/velodyne_scan.h"

size_t lidar_packet_form_prefix_size(struct sl_text frame_id)
{
    return sl_velodyne_scan_prefix_size(&(struct sl_velodyne_scan){.frame_id = frame_id});
}

static size_t velodyne_size(size_t bytes)
{
    (void)bytes;
    return SL_VELODYNE_PACKET_CDR_SIZE;
}

static size_t velodyne_stride(size_t bytes)
{
    (void)bytes;
    return SL_VELODYNE_PACKET_STRIDE;
}

static int velodyne_write(const struct sl_datagram *packet, void *to)
{
    const struct sl_velodyne_packet raw = {(int64_t)packet->time_ns, packet->bytes};
    return sl_velodyne_packet_write(&raw, to);
}

static int velodyne_prefix(int64_t stamp_ns, struct sl_text frame_id, uint32_t count, size_t size,
                           void *to, size_t room)
{
    (void)size;
    const struct sl_velodyne_scan scan = {
        .stamp_ns = stamp_ns, .frame_id = frame_id, .packet_count = count};
    return sl_velodyne_scan_write_prefix(&scan, to, room);
}

const struct lidar_packet_form lidar_packet_form_velodyne = {
    .type = SL_TYPE_VELODYNE_SCAN,
    .size = velodyne_size,
    .stride = velodyne_stride,
    .write = velodyne_write,
    .write_prefix = velodyne_prefix,
};

static int nebula_write(const struct sl_datagram *packet, void *to)
{
    const struct sl_nebula_packet raw = {(int64_t)packet->time_ns, packet->bytes,
                                         (uint32_t)packet->size_bytes};
    return sl_nebula_packet_write(&raw, to);
}

static int nebula_prefix(int64_t stamp_ns, struct sl_text frame_id, uint32_t count, size_t size,
                         void *to, size_t room)
{
    const struct sl_nebula_packets packets = {
        .stamp_ns = stamp_ns, .frame_id = frame_id, .packet_count = count, .packets_size = size};
    return sl_nebula_packets_write_prefix(&packets, to, room);
}

const struct lidar_packet_form lidar_packet_form_nebula = {
    .type = SL_TYPE_NEBULA_PACKETS,
    .size = sl_nebula_packet_cdr_size,
    .stride = sl_nebula_packet_stride,
    .write = nebula_write,
    .write_prefix = nebula_prefix,
};
