/* SPDX-License-Identifier: Apache-2.0 */
/* source_packet.c - datagrams of an interface's frames, by AF_PACKET: whoever else listens at the
 * port, and several programs at one port.
 *
 * Datagrams are given where the kernel put their frame. One that came in fragments lies in the
 * reassembler until its next frame, so it ends its batch. */
#include "drivers/lidar/source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"
#include "core/capture/packet_ring.h"
#include "drivers/lidar/source_frames.h"
#include "drivers/lidar/source_ops.h"

struct packet_source {
    struct lidar_source base;
    struct lidar_frames frames;
    struct sl_packet_ring *ring;
};

static struct packet_source *packet(const struct lidar_source *source)
{
    return (struct packet_source *)source;
}

static int receive(struct lidar_source *base, struct sl_datagram *batch, unsigned max)
{
    struct packet_source *source = packet(base);
    struct sl_capture_record record;
    unsigned count = 0;
    int got = 0;
    sl_packet_ring_recycle(source->ring);
    while (count < max && (got = sl_packet_ring_next(source->ring, &record)) == 1) {
        if (!lidar_frames_take(&source->frames, &record, &base->stats, &batch[count]))
            continue;
        if (batch[count++].flags & SL_DATAGRAM_REASSEMBLED)
            break;
    }
    return count > 0 || got == 1 ? (int)count : got;
}

static int fd(const struct lidar_source *base)
{
    return sl_packet_ring_fd(packet(base)->ring);
}

static void refresh(const struct lidar_source *base, struct lidar_source_stats *stats)
{
    stats->kernel_drops = sl_packet_ring_drops(packet(base)->ring);
    lidar_frames_stats(&packet(base)->frames, stats);
}

static void close_source(struct lidar_source *base)
{
    struct packet_source *source = packet(base);
    sl_packet_ring_close(source->ring);
    lidar_frames_close(&source->frames);
    free(source);
}

static const struct lidar_source_ops packet_ops = {
    .kind = "packet",
    .receive = receive,
    .fd = fd,
    .refresh = refresh,
    .close = close_source,
};

static int open_all(struct packet_source *source, const struct lidar_interface_config *config)
{
    struct sl_packet_ring_options options = {
        .interface = config->interface,
        .port_count = config->port_count,
        .buffer_bytes = config->buffer_bytes,
    };
    int err = lidar_frames_open(&source->frames, config);
    if (err < 0)
        return err;
    memcpy(options.ports, config->ports, sizeof config->ports);
    options.has_sender = source->frames.has_sender && source->frames.sender.family == 4;
    memcpy(options.sender, source->frames.sender.address, sizeof options.sender);
    err = sl_packet_ring_open(&options, &source->ring);
    if (err == 0)
        source->base.stats.receive_buffer_bytes = sl_packet_ring_buffer_bytes(source->ring);
    return err;
}

int lidar_source_open_packet(const struct lidar_interface_config *config,
                             struct lidar_source **ret_source)
{
    struct packet_source *source = calloc(1, sizeof *source);
    if (!source)
        return sl_error(-ENOMEM, "no memory for a packet source");
    source->base.ops = &packet_ops;
    int err = open_all(source, config);
    if (err < 0) {
        close_source(&source->base);
        return err;
    }
    *ret_source = &source->base;
    return 0;
}
