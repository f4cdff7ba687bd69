/* SPDX-License-Identifier: Apache-2.0 */
/* publish_imu.c - samples become messages. */
#include "drivers/lidar/publish_imu.h"

#include <string.h>

#include "core/frame/imu.h"
#include "drivers/lidar/publish.h"

#define MESSAGE_BYTES_MAX 1024

/* No orientation; how far the rest may be off is not known. */
static struct sl_imu make_message(const char *frame_id)
{
    return (struct sl_imu){
        .frame_id = sl_text(frame_id),
        .orientation = {0, 0, 0, 1},
        .orientation_covariance = {-1},
    };
}

size_t lidar_publish_imu_bytes(const char *frame_id)
{
    uint8_t body[MESSAGE_BYTES_MAX];
    size_t size = 0;
    struct sl_imu message = make_message(frame_id);
    return sl_imu_write(&message, body, sizeof body, &size) < 0 ? SIZE_MAX : size;
}

void lidar_publish_imu_init(struct lidar_publish_imu *publish, struct sl_publisher *publisher,
                            const char *frame_id)
{
    *publish = (struct lidar_publish_imu){.publisher = publisher, .frame_id = frame_id};
}

static void take(void *context, const struct lidar_imu *imu)
{
    struct lidar_publish_imu *p = context;
    struct sl_imu message = make_message(p->frame_id);
    uint8_t body[MESSAGE_BYTES_MAX];
    size_t size = 0;
    message.stamp_ns = (int64_t)imu->stamp_ns;
    memcpy(message.angular_velocity, imu->rate, sizeof message.angular_velocity);
    memcpy(message.linear_acceleration, imu->acceleration, sizeof message.linear_acceleration);
    const struct sl_message about = {.stamp_ns = imu->stamp_ns,
                                     .clock = lidar_publish_clock_of(imu->clock, imu->host_ns)};
    int err = sl_imu_write(&message, body, sizeof body, &size);
    if (err == 0)
        err = sl_publisher_publish_inline(p->publisher, body, size, &about);
    if (err < 0)
        p->dropped++;
    else
        p->published++;
}

struct lidar_imu_sink lidar_publish_imu_sink(struct lidar_publish_imu *publish)
{
    return (struct lidar_imu_sink){.context = publish, .take = publish->publisher ? take : NULL};
}
