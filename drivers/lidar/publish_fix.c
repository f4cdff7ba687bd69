/* SPDX-License-Identifier: Apache-2.0 */
/* publish_fix.c - positions become messages. */
#include "drivers/lidar/publish_fix.h"

#include "core/frame/imu.h"
#include "drivers/lidar/publish.h"

#define MESSAGE_BYTES_MAX 1024

/* How far it may be off is not known: what a receiver tells of that is in other sentences. */
static struct sl_navsatfix make_message(const char *frame_id)
{
    return (struct sl_navsatfix){
        .frame_id = sl_text(frame_id),
        .service = SL_NAVSAT_GPS,
        .position_covariance_type = SL_NAVSAT_COVARIANCE_UNKNOWN,
    };
}

size_t lidar_publish_fix_bytes(const char *frame_id)
{
    uint8_t body[MESSAGE_BYTES_MAX];
    size_t size = 0;
    struct sl_navsatfix message = make_message(frame_id);
    return sl_navsatfix_write(&message, body, sizeof body, &size) < 0 ? SIZE_MAX : size;
}

void lidar_publish_fix_init(struct lidar_publish_fix *publish, struct sl_publisher *publisher,
                            const char *frame_id)
{
    *publish = (struct lidar_publish_fix){.publisher = publisher, .frame_id = frame_id};
}

static void take(void *context, const struct lidar_fix *fix)
{
    struct lidar_publish_fix *p = context;
    struct sl_navsatfix message = make_message(p->frame_id);
    uint8_t body[MESSAGE_BYTES_MAX];
    size_t size = 0;
    message.stamp_ns = (int64_t)fix->stamp_ns;
    message.status = (int8_t)fix->fix;
    message.latitude = fix->latitude_deg;
    message.longitude = fix->longitude_deg;
    message.altitude = fix->altitude_m;
    const struct sl_message about = {.stamp_ns = fix->stamp_ns,
                                     .clock = lidar_publish_clock_of(fix->clock, fix->host_ns)};
    int err = sl_navsatfix_write(&message, body, sizeof body, &size);
    if (err == 0)
        err = sl_publisher_publish_inline(p->publisher, body, size, &about);
    if (err < 0)
        p->dropped++;
    else
        p->published++;
}

struct lidar_fix_sink lidar_publish_fix_sink(struct lidar_publish_fix *publish)
{
    return (struct lidar_fix_sink){.context = publish, .take = publish->publisher ? take : NULL};
}
