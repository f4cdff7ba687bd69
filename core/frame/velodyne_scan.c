/* SPDX-License-Identifier: Apache-2.0 */
#include "core/frame/velodyne_scan.h"

#include "core/base/error.h"

#include <assert.h>
#include <errno.h>

static_assert(SL_VELODYNE_PACKET_STRIDE % 4 == 0 &&
                  SL_VELODYNE_PACKET_STRIDE - SL_VELODYNE_PACKET_CDR_SIZE < 4,
              "a packet's stamp stands at a multiple of 4");

static size_t packets_size(uint32_t count)
{
    if (count == 0)
        return 0;
    return (size_t)(count - 1) * SL_VELODYNE_PACKET_STRIDE + SL_VELODYNE_PACKET_CDR_SIZE;
}

int sl_velodyne_scan_read(const void *body, size_t size, struct sl_velodyne_scan *ret_scan)
{
    struct sl_cdr_reader r;
    int err = sl_cdr_read(body, size, &r);
    if (err < 0)
        return err;
    struct sl_velodyne_scan scan = {.big_endian = r.big_endian};
    sl_header_read(&r, &scan.stamp_ns, &scan.frame_id);
    scan.packet_count = sl_cdr_count(&r, SL_VELODYNE_PACKET_CDR_SIZE);
    scan.packets = sl_reader_take(&r.bytes, packets_size(scan.packet_count));
    err = sl_message_read_result(&r, SL_TYPE_VELODYNE_SCAN);
    if (err < 0)
        return err;
    *ret_scan = scan;
    return 0;
}

struct sl_velodyne_packet sl_velodyne_scan_packet(const struct sl_velodyne_scan *scan,
                                                  uint32_t index)
{
    const uint8_t *at = scan->packets + (size_t)index * SL_VELODYNE_PACKET_STRIDE;
    uint32_t sec = scan->big_endian ? sl_get_be32(at) : sl_get_le32(at);
    uint32_t nanosec = scan->big_endian ? sl_get_be32(at + 4) : sl_get_le32(at + 4);
    return (struct sl_velodyne_packet){sl_stamp_join((int32_t)sec, nanosec), at + 8};
}

size_t sl_velodyne_scan_prefix_size(const struct sl_velodyne_scan *scan)
{
    return sl_cdr_aligned(sl_header_end(scan->frame_id), 4) + 4;
}

int sl_velodyne_scan_write_prefix(const struct sl_velodyne_scan *scan, void *to, size_t room)
{
    if (sl_velodyne_scan_body_size(scan) > UINT32_MAX)
        return sl_error(-EOVERFLOW, SL_TYPE_VELODYNE_SCAN ": a body of 4 GiB or more");
    struct sl_cdr_writer w = sl_cdr_write(to, room);
    int err = sl_header_write(&w, scan->stamp_ns, scan->frame_id);
    if (err < 0)
        return err;
    sl_cdr_put_u32(&w, scan->packet_count);
    return sl_message_write_result(&w, SL_TYPE_VELODYNE_SCAN);
}

int sl_velodyne_packet_write(const struct sl_velodyne_packet *packet, void *to)
{
    int32_t sec = 0;
    uint32_t nanosec = 0;
    int err = sl_stamp_split(packet->stamp_ns, &sec, &nanosec);
    if (err < 0)
        return err;
    uint8_t *at = to;
    sl_put_le32(at, (uint32_t)sec);
    sl_put_le32(at + 4, nanosec);
    memcpy(at + 8, packet->bytes, SL_VELODYNE_PACKET_SIZE);
    memset(at + SL_VELODYNE_PACKET_CDR_SIZE, 0,
           SL_VELODYNE_PACKET_STRIDE - SL_VELODYNE_PACKET_CDR_SIZE);
    return 0;
}

size_t sl_velodyne_scan_body_size(const struct sl_velodyne_scan *scan)
{
    return sl_velodyne_scan_prefix_size(scan) + packets_size(scan->packet_count);
}
