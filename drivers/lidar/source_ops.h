/* SPDX-License-Identifier: Apache-2.0 */
/* source_ops.h - what stands behind source.h: included by the sources only.
 *
 * Owner:   a source is the first member of its own struct; `close` frees the whole of it.
 * Threads: as source.h.
 */
#ifndef SL_DRIVERS_LIDAR_SOURCE_OPS_H
#define SL_DRIVERS_LIDAR_SOURCE_OPS_H

#include "core/capture/datagrams.h"
#include "drivers/lidar/source.h"

#define LIDAR_SOURCE_WARNING_MAX 512

struct lidar_source_ops {
    const char *kind;
    bool is_replay; /* though it has a descriptor, its stamps may be of long ago */
    int (*receive)(struct lidar_source *source, struct sl_datagram *batch, unsigned max);
    int (*fd)(const struct lidar_source *source);    /* NULL = none */
    uint64_t (*due_ns)(struct lidar_source *source); /* NULL = never */
    bool (*progress)(const struct lidar_source *source,
                     struct lidar_source_progress *ret_progress); /* NULL = nothing to tell */
    void (*refresh)(
        const struct lidar_source *source,
        struct lidar_source_stats *stats); /* what is counted elsewhere; NULL = nothing */
    void (*close)(struct lidar_source *source);
};

struct lidar_source {
    const struct lidar_source_ops *ops;
    struct lidar_source_stats stats; /* datagrams and bytes are counted by lidar_source_receive */
    char warning[LIDAR_SOURCE_WARNING_MAX];
};

/* What a decoder of frames counted, as the statistics name it. */
void lidar_source_count_frames(const struct sl_datagram_counters *counters,
                               struct lidar_source_stats *stats);

/* A rate and the two clocks that it ties together: the recorded (or simulated) one and the
 * monotonic one that somebody waits on. */
struct lidar_pace {
    double rate; /* 0 = nothing is waited for */
    uint64_t (*now_ns)(void);
    bool started;
    uint64_t start_ns;  /* monotonic time of `origin_ns` */
    uint64_t origin_ns; /* on the recorded clock */
};

/* Monotonic time at which recorded time `at_ns` is due; the first call ties the clocks. */
uint64_t lidar_pace_due_ns(struct lidar_pace *pace, uint64_t at_ns);

/* Has it come? */
bool lidar_pace_reached(struct lidar_pace *pace, uint64_t at_ns);

#endif
