/* SPDX-License-Identifier: Apache-2.0 */
/* publish_imu.h - a lidar's IMU as sensor_msgs/msg/Imu, inline: without a slot.
 *
 * Life:    lidar_publish_imu_init -> the decoder's calls
 * Owner:   the caller's memory; the publisher stays the caller's.
 * Threads: the publishing one.
 * Errors:  none are returned; what could not be published is counted.
 */
#ifndef SL_DRIVERS_LIDAR_PUBLISH_IMU_H
#define SL_DRIVERS_LIDAR_PUBLISH_IMU_H

#include "core/shm/sluice.h"
#include "drivers/lidar/decoder.h"

struct lidar_publish_imu {
    struct sl_publisher *publisher;
    const char *frame_id;
    uint64_t published, dropped;
};

/* Bytes of a message with this frame id: what the topic's inline_max must hold. */
size_t lidar_publish_imu_bytes(const char *frame_id);

void lidar_publish_imu_init(struct lidar_publish_imu *publish, struct sl_publisher *publisher,
                            const char *frame_id);
struct lidar_imu_sink lidar_publish_imu_sink(struct lidar_publish_imu *publish);

#endif
