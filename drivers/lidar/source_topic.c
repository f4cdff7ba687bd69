/* SPDX-License-Identifier: Apache-2.0 */
/* source_topic.c - see source_topic.h. */
#include "drivers/lidar/source_topic.h"

#include "core/base/error.h"
#include "core/frame/raw_packets.h"
#include "core/shm/domain.h"
#include "core/shm/subscriber.h"
#include "drivers/lidar/source_ops.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define MESSAGE_BYTES_MAX (64u << 20) /* a turn's packets are a few MB */

struct topic_source {
    struct lidar_source base;
    struct sl_subscriber *subscriber[LIDAR_TOPICS_MAX];
    unsigned count, turn;
    int fd; /* epoll's, over all of them */
    bool has_begun;

    uint8_t *body; /* the message whose packets are being given, copied out */
    size_t room_bytes;
    char type[SL_TYPE_MAX];
    uint64_t stamp_ns; /* the message's; 0 = not of this host's clock */
    struct sl_raw_packets packets;
    bool has_packets;
};

static struct topic_source *topic_of(const struct lidar_source *source)
{
    return (struct topic_source *)source;
}

static int make_room(struct topic_source *source, size_t size)
{
    if (size <= source->room_bytes)
        return 0;
    uint8_t *body = realloc(source->body, size);
    if (!body)
        return sl_error(-ENOMEM, "no memory for a message of %zu bytes", size);
    source->body = body;
    source->room_bytes = size;
    return 0;
}

/* It is counted; of the first one it is told why. */
static void reject(struct topic_source *source)
{
    if (source->base.stats.messages_rejected++ == 0)
        snprintf(source->base.warning, sizeof source->base.warning,
                 "a message of raw packets was left out: %s", sl_error_text());
}

/* Its type is somebody else's word, too. */
static int begin_message(struct topic_source *source, const char *type,
                         const struct sl_frame *frame)
{
    snprintf(source->type, sizeof source->type, "%s", type);
    if (!sl_raw_packets_is_type(source->type) && sl_topic_check("/t", source->type) < 0)
        return sl_error(-EPROTONOSUPPORT, "a publisher's type has characters that no type has");
    source->base.stats.messages_lost += frame->lost_before;
    source->stamp_ns = frame->clock == SL_CLOCK_HOST ? frame->stamp_ns : 0;
    if (frame->body_length > MESSAGE_BYTES_MAX) {
        sl_error(-EMSGSIZE, "it has %zu bytes, more than %u", frame->body_length,
                 MESSAGE_BYTES_MAX);
        reject(source);
        return 0;
    }
    int err = make_room(source, frame->body_length);
    if (err < 0)
        return err;
    size_t size = sl_frame_copy(frame, 0, source->body, frame->body_length);
    if (sl_frame_check(frame) < 0) {
        source->base.stats.messages_lost++;
        return 0;
    }
    err = sl_raw_packets_begin(source->type, source->body, size, &source->packets);
    source->has_packets = err == 0;
    if (err != -EBADMSG)
        return err;
    reject(source);
    return 0;
}

/* The next message of one topic: 1 there was one, 0 none. */
static int take(struct topic_source *source, unsigned index)
{
    struct sl_frame frame;
    int err = sl_subscriber_take(source->subscriber[index], &frame);
    if (err < 0)
        return err == -EAGAIN ? 0 : err;
    source->has_begun = true;
    err = begin_message(source, sl_subscriber_taken_type(source->subscriber[index]), &frame);
    sl_frame_release(&frame);
    return err < 0 ? err : 1;
}

/* Nothing is there. Will there be? */
static int look_for_end(struct topic_source *source)
{
    unsigned publishers = 0;
    for (unsigned i = 0; i < source->count; i++) {
        struct sl_subscriber_status status;
        sl_subscriber_status(source->subscriber[i], &status);
        publishers += status.publishers;
        if (status.publishers == 0 && status.refusal[0])
            return sl_error(-EPERM, "%s", status.refusal);
    }
    source->has_begun |= publishers > 0;
    if (!source->has_begun || publishers > 0)
        return 0;
    const struct lidar_source_stats *stats = &source->base.stats;
    return stats->datagrams == 0 && stats->messages_rejected > 0
               ? sl_error(-EBADMSG, "%s", source->base.warning)
               : -ENODATA;
}

/* 1: packets are at hand. */
static int take_any(struct topic_source *source)
{
    for (unsigned idle = 0; idle < source->count && !source->has_packets;) {
        int got = take(source, source->turn);
        if (got < 0)
            return got;
        idle = got ? 0 : idle + 1;
        source->turn = (source->turn + 1) % source->count;
    }
    return source->has_packets ? 1 : look_for_end(source);
}

static unsigned give(struct topic_source *source, struct sl_datagram *batch, unsigned max)
{
    struct sl_raw_packet packet;
    unsigned count = 0;
    int got = 0;
    while (count < max && (got = sl_raw_packets_next(&source->packets, &packet)) > 0)
        batch[count++] = (struct sl_datagram){
            .bytes = packet.bytes,
            .size_bytes = packet.size,
            .time_ns = packet.stamp_ns > 0 ? (uint64_t)packet.stamp_ns : source->stamp_ns,
        };
    if (got < 0)
        reject(source);
    source->has_packets = count == max;
    return count;
}

/* Datagrams of one message only: its bytes make room for the next one's. */
static int receive(struct lidar_source *base, struct sl_datagram *batch, unsigned max)
{
    struct topic_source *source = topic_of(base);
    for (;;) {
        int got = take_any(source);
        if (got <= 0)
            return got;
        unsigned count = give(source, batch, max);
        if (count > 0)
            return (int)count;
    }
}

static int fd(const struct lidar_source *base)
{
    return topic_of(base)->fd;
}

static void close_source(struct lidar_source *base)
{
    struct topic_source *source = topic_of(base);
    if (source->fd >= 0)
        close(source->fd);
    free(source->body);
    free(source);
}

static const struct lidar_source_ops topic_ops = {
    .kind = "topic",
    .is_replay = true,
    .receive = receive,
    .fd = fd,
    .close = close_source,
};

static int watch_all(struct topic_source *source)
{
    source->fd = epoll_create1(EPOLL_CLOEXEC);
    int err = source->fd < 0 ? -errno : 0;
    for (unsigned i = 0; i < source->count && err == 0; i++) {
        struct epoll_event event = {.events = EPOLLIN};
        int one = sl_subscriber_fd(source->subscriber[i]);
        if (one < 0)
            return one;
        err = epoll_ctl(source->fd, EPOLL_CTL_ADD, one, &event) < 0 ? -errno : 0;
    }
    return err < 0 ? sl_error(err, "waiting for raw packets: %s", strerror(-err)) : 0;
}

int lidar_source_open_topic(struct sl_subscriber *const *subscribers, unsigned count,
                            struct lidar_source **ret_source)
{
    if (count == 0 || count > LIDAR_TOPICS_MAX)
        return sl_error(-EINVAL, "%u topics of raw packets; there can be 1 to %d", count,
                        LIDAR_TOPICS_MAX);
    struct topic_source *source = calloc(1, sizeof *source);
    if (!source)
        return sl_error(-ENOMEM, "no memory for a source of raw packets");
    source->base.ops = &topic_ops;
    source->count = count;
    memcpy(source->subscriber, subscribers, count * sizeof *subscribers);
    int err = watch_all(source);
    if (err < 0) {
        close_source(&source->base);
        return err;
    }
    *ret_source = &source->base;
    return 0;
}
