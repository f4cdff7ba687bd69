/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/lidar/source_xdp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/capture/link.h"
#include "core/capture/xdp.h"
#include "drivers/lidar/source_frames.h"
#include "drivers/lidar/source_ops.h"

#define PREFIX_BYTES 16u /* encapsulation, no dimensions, no offset, the length */
#define HEADER_BYTES 42u /* of Ethernet, IPv4 and UDP: with these the datagram is aligned */
#define ALIGNMENT    16u
#define FRAMES_MAX   256u /* looked at in one call */
#define GIVEN_MIN    64u
#define GIVEN_MAX    8192u /* as many stand published: a ring has an entry for each of both twice */

/* A datagram of the last batch. */
struct given {
    uint32_t slot, offset, size_bytes;
    uint64_t time_ns;
};

struct xdp_source {
    struct lidar_source base;
    struct lidar_frames frames;
    struct sl_publisher *packets;
    struct sl_xdp *xdp;
    uint8_t *memory; /* of slot 0 */
    uint32_t slot_count;
    struct sl_loan *loan; /* of each slot that is ours or the kernel's */
    uint32_t missing;     /* slots that the kernel could have and does not */
    struct given given[LIDAR_SOURCE_BATCH_MAX];
    unsigned given_count;
};

static struct xdp_source *xdp(const struct lidar_source *source)
{
    return (struct xdp_source *)source;
}

/* Let the kernel have another slot. False if none is free, or it has enough. */
static bool give_another(struct xdp_source *source)
{
    struct sl_loan loan;
    if (sl_publisher_loan(source->packets, &loan) < 0)
        return false;
    if (loan.slot >= source->slot_count || !sl_xdp_give(source->xdp, loan.slot)) {
        sl_publisher_discard(source->packets, &loan);
        return false;
    }
    source->loan[loan.slot] = loan;
    return true;
}

/* The prefix before the datagram, over its headers. */
static void publish(struct xdp_source *source, const struct given *given)
{
    uint8_t *prefix =
        source->memory + (size_t)given->slot * SL_XDP_SLOT_BYTES + given->offset - PREFIX_BYTES;
    memcpy(prefix, (const uint8_t[12]){0, 1}, 12);
    sl_put_le32(prefix + 12, given->size_bytes);
    const struct sl_message message = {
        .stamp_ns = given->time_ns,
        .clock = SL_CLOCK_HOST,
        .body_offset = given->offset - PREFIX_BYTES,
        .body_length = PREFIX_BYTES + given->size_bytes,
        .data_offset = given->offset,
        .data_length = given->size_bytes,
    };
    (void)sl_publisher_publish(source->packets, &source->loan[given->slot], &message);
    source->missing++;
}

/* The last batch is done with: show it, and have its slots replaced. */
static void settle(struct xdp_source *source)
{
    for (unsigned i = 0; i < source->given_count; i++)
        publish(source, &source->given[i]);
    source->given_count = 0;
    while (source->missing > 0 && give_another(source))
        source->missing--;
    sl_xdp_flush(source->xdp);
}

/* True if the frame was, or completed, a datagram. */
static bool take(struct xdp_source *source, const struct sl_xdp_frame *frame, uint64_t now_ns,
                 struct sl_datagram *ret_datagram)
{
    const uint8_t *slot = source->memory + (size_t)frame->slot * SL_XDP_SLOT_BYTES;
    const struct sl_capture_record record = {
        .bytes = slot + frame->offset,
        .captured_bytes = frame->size_bytes,
        .original_bytes = frame->size_bytes,
        .link_type = SL_LINK_ETHERNET,
        .time_ns = now_ns,
    };
    bool is_taken = lidar_frames_take(&source->frames, &record, &source->base.stats, ret_datagram);
    if (!is_taken || (ret_datagram->flags & SL_DATAGRAM_REASSEMBLED)) {
        (void)sl_xdp_give(source->xdp, frame->slot); /* nothing is needed of it any more */
    } else {
        source->given[source->given_count++] = (struct given){
            .slot = frame->slot,
            .offset = (uint32_t)(ret_datagram->bytes - slot),
            .size_bytes = ret_datagram->size_bytes,
            .time_ns = now_ns,
        };
    }
    ret_datagram->flags &= ~SL_DATAGRAM_KERNEL_TIME;
    return is_taken;
}

static int receive(struct lidar_source *base, struct sl_datagram *batch, unsigned max)
{
    struct xdp_source *source = xdp(base);
    struct sl_xdp_frame frame;
    unsigned count = 0;
    int got = 1;
    settle(source);
    uint64_t now_ns = sl_clock_realtime_ns();
    for (unsigned looked = 0; count < max && looked < FRAMES_MAX; looked++) {
        got = sl_xdp_next(source->xdp, &frame);
        if (got <= 0)
            break;
        if (frame.slot >= source->slot_count || !take(source, &frame, now_ns, &batch[count]))
            continue;
        if (batch[count++].flags & SL_DATAGRAM_REASSEMBLED)
            break;
    }
    return count > 0 || got == 1 ? (int)count : got;
}

static int fd(const struct lidar_source *base)
{
    return sl_xdp_fd(xdp(base)->xdp);
}

static void refresh(const struct lidar_source *base, struct lidar_source_stats *stats)
{
    struct sl_xdp_stats kernel;
    sl_xdp_stats(xdp(base)->xdp, &kernel);
    stats->kernel_drops = kernel.drops;
    stats->slots_wanting = kernel.slots_wanting;
    lidar_frames_stats(&xdp(base)->frames, stats);
}

/* The kernel writes no slot any more before they are the publisher's again. */
static void close_source(struct lidar_source *base)
{
    struct xdp_source *source = xdp(base);
    if (source->xdp)
        settle(source);
    sl_xdp_close(source->xdp);
    for (uint32_t i = 0; source->loan && i < source->slot_count; i++)
        if (source->loan[i].data)
            sl_publisher_discard(source->packets, &source->loan[i]);
    lidar_frames_close(&source->frames);
    free(source->loan);
    free(source);
}

static const struct lidar_source_ops xdp_ops = {
    .kind = "xdp",
    .receive = receive,
    .fd = fd,
    .refresh = refresh,
    .close = close_source,
};

static uint32_t given_max(uint64_t buffer_bytes)
{
    uint32_t count = GIVEN_MIN;
    while (count < GIVEN_MAX && 2 * (uint64_t)count * SL_XDP_SLOT_BYTES <= buffer_bytes)
        count *= 2;
    return count;
}

void lidar_xdp_topic(uint64_t buffer_bytes, struct sl_publisher_options *topic)
{
    uint32_t given = given_max(buffer_bytes);
    uint32_t readers = topic->subscribers * topic->quota;
    topic->type = LIDAR_XDP_TYPE;
    topic->slot_size = SL_XDP_SLOT_BYTES;
    topic->loans = given + 1;
    topic->slot_count = given + (readers > given / 2 ? 2 * readers : given);
}

/* Where the pool lies, and what its slots are. */
static int find_memory(struct xdp_source *source)
{
    struct sl_publisher_status status;
    struct sl_loan loan;
    int err = sl_publisher_status(source->packets, &status);
    if (err == 0)
        err = sl_publisher_loan(source->packets, &loan);
    if (err < 0)
        return err;
    source->memory = (uint8_t *)loan.data - (size_t)loan.slot * SL_XDP_SLOT_BYTES;
    source->slot_count = status.slots;
    bool is_right = loan.data_size == SL_XDP_SLOT_BYTES;
    sl_publisher_discard(source->packets, &loan);
    if (!is_right)
        return sl_error(-EINVAL,
                        "XDP: slots of the packets must have %u bytes; leave out "
                        "--slot-size",
                        SL_XDP_SLOT_BYTES);
    source->loan = calloc(source->slot_count, sizeof *source->loan);
    return source->loan ? 0 : sl_error(-ENOMEM, "no memory for %u loans", source->slot_count);
}

static int open_xdp(struct xdp_source *source, const struct lidar_interface_config *config)
{
    struct sl_xdp_options options = {
        .interface = config->interface,
        .datagram_bytes = config->datagram_bytes,
        .port_count = config->port_count,
        .memory = source->memory,
        .slot_count = source->slot_count,
        .given_max = given_max(config->buffer_bytes),
        .shift = ALIGNMENT - HEADER_BYTES % ALIGNMENT,
    };
    memcpy(options.ports, config->ports, sizeof config->ports);
    if (source->frames.has_sender)
        options.sender = source->frames.sender;
    return sl_xdp_open(&options, &source->xdp);
}

/* All packets of a sensor come by one queue: what that one has is what counts. */
static void tell_buffer(struct xdp_source *source, const struct lidar_interface_config *config,
                        uint32_t given)
{
    unsigned queues = sl_xdp_queues(source->xdp);
    uint32_t bytes = given / queues * SL_XDP_SLOT_BYTES;
    source->base.stats.receive_buffer_bytes = bytes;
    if (bytes >= config->buffer_bytes)
        return;
    int used = snprintf(source->base.warning, sizeof source->base.warning,
                        "XDP on %s: slots for %u kB a receive queue where %u kB were asked for",
                        config->interface, bytes / 1024, config->buffer_bytes / 1024);
    if (queues > 1)
        snprintf(source->base.warning + used, sizeof source->base.warning - (size_t)used,
                 ", as there are %u, and a sensor's packets come by one; ethtool -L %s combined 1 "
                 "leaves one that has all",
                 queues, config->interface);
}

static int open_all(struct xdp_source *source, const struct lidar_interface_config *config)
{
    int err = lidar_frames_open(&source->frames, config);
    if (err == 0)
        err = find_memory(source);
    if (err == 0)
        err = open_xdp(source, config);
    if (err < 0)
        return err;
    uint32_t given = 0;
    while (give_another(source))
        given++;
    sl_xdp_flush(source->xdp);
    tell_buffer(source, config, given);
    return 0;
}

int lidar_source_open_xdp(const struct lidar_interface_config *config, struct sl_publisher *packets,
                          struct lidar_source **ret_source)
{
    struct xdp_source *source = calloc(1, sizeof *source);
    if (!source)
        return sl_error(-ENOMEM, "no memory for an XDP source");
    source->base.ops = &xdp_ops;
    source->packets = packets;
    int err = open_all(source, config);
    if (err < 0) {
        close_source(&source->base);
        return err;
    }
    *ret_source = &source->base;
    return 0;
}

const char *lidar_source_xdp_mode(const struct lidar_source *source)
{
    return source->ops == &xdp_ops ? sl_xdp_mode(xdp(source)->xdp) : "";
}
