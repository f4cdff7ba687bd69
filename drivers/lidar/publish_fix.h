/* SPDX-License-Identifier: Apache-2.0 */
/* publish_fix.h - the positions of a lidar's GPS receiver as sensor_msgs/msg/NavSatFix, inline:
 * without a slot.
 *
 * Life:    lidar_publish_fix_init -> the decoder's calls
 * Owner:   the caller's memory; the publisher stays the caller's.
 * Threads: the publishing one.
 * Errors:  none are returned; what could not be published is counted.
 */
#ifndef SL_DRIVERS_LIDAR_PUBLISH_FIX_H
#define SL_DRIVERS_LIDAR_PUBLISH_FIX_H

#include "core/shm/sluice.h"
#include "drivers/lidar/decoder.h"

struct lidar_publish_fix {
    struct sl_publisher *publisher;
    const char *frame_id;
    uint64_t published, dropped;
};

/* Bytes of a message with this frame id: what the topic's inline_max must hold. */
size_t lidar_publish_fix_bytes(const char *frame_id);

void lidar_publish_fix_init(struct lidar_publish_fix *publish, struct sl_publisher *publisher,
                            const char *frame_id);
struct lidar_fix_sink lidar_publish_fix_sink(struct lidar_publish_fix *publish);

#endif
