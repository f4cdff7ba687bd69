/* SPDX-License-Identifier: Apache-2.0 */
/* publish_transforms.h - where the sensor's own frames stand, as tf2_msgs/msg/TFMessage, once.
 *
 *      frame of the points --mounting--> NAME_sensor
 *                          \-- and an Ouster's metadata --> NAME_lidar, NAME_imu
 *
 * as ROS's drivers name them: with the node called "os" and --frame-id os_sensor, os_lidar and
 * os_imu stand in os_sensor. The mounting is that of the options (x ... yaw); none is the identity,
 * and a frame is not said to stand in itself. Other sensors have no frame but their own.
 *
 * Life:    a call.
 * Owner:   the caller's.
 * Threads: any.
 * Errors:  -EINVAL where there is nothing to say; what core/frame and the publisher return.
 */
#ifndef SL_DRIVERS_LIDAR_PUBLISH_TRANSFORMS_H
#define SL_DRIVERS_LIDAR_PUBLISH_TRANSFORMS_H

#include "core/shm/sluice.h"
#include "drivers/lidar/block_kernel.h"
#include "drivers/lidar/ouster_metadata.h"

#define LIDAR_TRANSFORMS_BYTES_MAX 2048 /* of a message: what a slot must hold */

struct lidar_transforms {
    const char *name;                           /* of the node */
    const char *frame_id;                       /* of the points */
    const struct lidar_block_options *mounting; /* only its extrinsics are looked at */
    const struct ouster_metadata *metadata;     /* NULL = no Ouster */
};

/* Can they be told? Looks at the options alone. */
int lidar_transforms_check(const struct lidar_transforms *transforms);

/* Publish them, valid from `now_ns` (CLOCK_REALTIME) on. */
int lidar_publish_transforms(const struct lidar_transforms *transforms, uint64_t now_ns,
                             struct sl_publisher *publisher);

#endif
