/* SPDX-License-Identifier: Apache-2.0 */
/* hesai_way.h - the way of a Hesai's packet in the tests: check, parse, clock, frames.
 *
 * Life, owner: globals of the test program that includes it, once; zeroed for each stream.
 * Threads: one.
 * Errors:  the counter of what is wrong.
 */
#ifndef SL_TESTS_LIDAR_HESAI_WAY_H
#define SL_TESTS_LIDAR_HESAI_WAY_H

#include <string.h>

#include "drivers/lidar/hesai.h"
#include "tests/lidar/frames.h"

struct way {
    const struct lidar_model *told;
    struct lidar_model
        model; /* with the sensor's own angles; without a name: as the packets tell */
    struct lidar_frame_sink sink;
    struct lidar_clock clock;
    struct lidar_counts counts;
    struct lidar_assembly assembly;
    unsigned packets;
    int64_t first_utc_ns;
};

static _Alignas(64) struct way way;

static inline void way_begin(struct frames *frames, const uint8_t *bytes, size_t size_bytes)
{
    static const struct lidar_assembly_options options;
    way.first_utc_ns = hesai_data_time(bytes, size_bytes).utc_ns;
    way.sink = frames_sink(frames);
    if (!way.model.name)
        way.model = *way.told;
    way.model = hesai_model_adapt(&way.model, hesai_data_variant(bytes, size_bytes));
    lidar_assembly_init(&way.assembly, &way.model, &options, &way.sink, &way.clock, &way.counts,
                        NULL);
}

static inline enum lidar_count way_push(struct frames *frames, const uint8_t *bytes,
                                        size_t size_bytes, uint64_t host_ns)
{
    struct lidar_packet packet;
    enum lidar_count verdict = hesai_data_check(bytes, size_bytes, &way.told);
    if (verdict != LIDAR_PACKETS)
        return verdict;
    if (way.packets++ == 0)
        way_begin(frames, bytes, size_bytes);
    verdict = hesai_data_parse(&way.model, bytes, size_bytes, &packet);
    if (verdict != LIDAR_PACKETS)
        return verdict;
    packet.host_ns = host_ns;
    enum lidar_clock_step step =
        lidar_clock_data(&way.clock, packet.stamp_us, host_ns, 0, &packet.time_ns);
    packet.time_ns += lidar_model_first_ns(&way.model, packet.group_count);
    lidar_assembly_push(&way.assembly, &packet, step);
    return LIDAR_PACKETS;
}

#endif
