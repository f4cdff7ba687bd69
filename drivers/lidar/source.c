/* SPDX-License-Identifier: Apache-2.0 */
/* source.c - the calls of source.h, and the pace that capture and simulation share. */
#include "drivers/lidar/source.h"

#include "core/base/clock.h"
#include "drivers/lidar/source_ops.h"

static void count_one(struct lidar_source_stats *stats, const struct sl_datagram *datagram)
{
    stats->bytes += datagram->size_bytes;
    if (datagram->flags & SL_DATAGRAM_CARD_TIME)
        stats->stamped_by_card++;
    else if (datagram->flags & SL_DATAGRAM_KERNEL_TIME)
        stats->stamped_by_kernel++;
}

int lidar_source_receive(struct lidar_source *source, struct sl_datagram *batch, unsigned max)
{
    if (max > LIDAR_SOURCE_BATCH_MAX)
        max = LIDAR_SOURCE_BATCH_MAX;
    if (max == 0)
        return 0;
    int count = source->ops->receive(source, batch, max);
    if (count > 0) {
        source->stats.datagrams += (uint64_t)count;
        for (int i = 0; i < count; i++)
            count_one(&source->stats, &batch[i]);
    }
    return count;
}

int lidar_source_fd(const struct lidar_source *source)
{
    return source->ops->fd ? source->ops->fd(source) : -1;
}

bool lidar_source_is_live(const struct lidar_source *source)
{
    return lidar_source_fd(source) >= 0 && !source->ops->is_replay;
}

uint64_t lidar_source_due_ns(struct lidar_source *source)
{
    return source->ops->due_ns ? source->ops->due_ns(source) : LIDAR_SOURCE_DUE_NEVER;
}

void lidar_source_stats(const struct lidar_source *source, struct lidar_source_stats *ret_stats)
{
    *ret_stats = source->stats;
    if (source->ops->refresh)
        source->ops->refresh(source, ret_stats);
}

bool lidar_source_progress(const struct lidar_source *source,
                           struct lidar_source_progress *ret_progress)
{
    return source->ops->progress && source->ops->progress(source, ret_progress);
}

const char *lidar_source_warning(const struct lidar_source *source)
{
    return source->warning[0] ? source->warning : NULL;
}

const char *lidar_source_kind(const struct lidar_source *source)
{
    return source->ops->kind;
}

void lidar_source_close(struct lidar_source *source)
{
    if (source)
        source->ops->close(source);
}

void lidar_source_count_frames(const struct sl_datagram_counters *counters,
                               struct lidar_source_stats *stats)
{
    const struct sl_reassembly_counters *fragments = &counters->reassembly;
    stats->fragments_incomplete = fragments->timeouts + fragments->evicted;
    stats->fragments_rejected = fragments->overlaps + fragments->duplicates + fragments->late +
                                fragments->too_long + fragments->malformed + fragments->truncated;
    stats->frames_rejected = counters->unknown_link + counters->truncated + counters->malformed;
}

static uint64_t now(const struct lidar_pace *pace)
{
    return pace->now_ns ? pace->now_ns() : sl_clock_monotonic_ns();
}

uint64_t lidar_pace_due_ns(struct lidar_pace *pace, uint64_t at_ns)
{
    if (pace->rate <= 0)
        return LIDAR_SOURCE_DUE_NOW;
    if (!pace->started) {
        pace->started = true;
        pace->start_ns = now(pace);
        pace->origin_ns = at_ns;
    }
    if (at_ns <= pace->origin_ns)
        return pace->start_ns;
    return pace->start_ns + (uint64_t)((double)(at_ns - pace->origin_ns) / pace->rate);
}

bool lidar_pace_reached(struct lidar_pace *pace, uint64_t at_ns)
{
    return pace->rate <= 0 || lidar_pace_due_ns(pace, at_ns) <= now(pace);
}
