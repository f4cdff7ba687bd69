/* SPDX-License-Identifier: Apache-2.0 */
/* dds_frame_id.c - messages of strangers, whose frame_id is to be another one.
 *
 * Input: one byte that selects a type, and the body. What is put together must be such a message
 * again, of which the name is given back without a trace. */
#include "core/base/error.h"
#include "nodes/dds_bridge/frame_id.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

static const char *const types[] = {"sensor_msgs/msg/PointCloud2", "sensor_msgs/msg/Imu",
                                    "sensor_msgs/msg/NavSatFix", "sensor_msgs/msg/CameraInfo",
                                    "nav_msgs/msg/Odometry"};

static void expect(bool is_true)
{
    if (!is_true)
        abort();
}

static void check(const struct frame_layout *layout, const uint8_t *body, size_t size)
{
    struct frame_head head, same, again;
    sl_error_clear();
    if (frame_head_make(layout, "robot1/*", body, size, &head) < 0) {
        expect(sl_error_text()[0]);
        return;
    }
    expect(head.replaces <= size && head.size_bytes <= head.replaces + FRAME_GROWTH);
    expect((head.size_bytes - head.replaces) % 4 == 0);
    expect(frame_head_make(layout, "*", head.bytes, head.size_bytes, &same) == 0);
    expect(same.replaces == head.size_bytes && same.size_bytes == head.size_bytes);
    expect(frame_head_make(layout, "*", same.bytes, same.size_bytes, &again) == 0);
    expect(memcmp(same.bytes, again.bytes, same.size_bytes) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    if (size_bytes == 0)
        return 0;
    const char *type = types[bytes[0] % (sizeof types / sizeof *types)];
    size_t size = size_bytes - 1 < FRAME_HEAD_MAX ? size_bytes - 1 : FRAME_HEAD_MAX;
    uint8_t *body = malloc(size + 1); /* a step too far is seen */
    expect(body != NULL);
    memcpy(body, bytes + 1, size);
    check(frame_layout_of(type), body, size);
    free(body);
    return 0;
}
