/* SPDX-License-Identifier: Apache-2.0 */
/* frames.c - see frames.h. */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "tests/lidar/frames.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"

#define GUARD 0xC7

static int open_room(void *context, struct lidar_frame_room *ret_room)
{
    struct frames *frames = context;
    if (frames->refuse > 0) {
        frames->refuse--;
        return -EAGAIN;
    }
    size_t size = (frames->capacity_bytes + KEPT_GUARD + 63) / 64 * 64;
    uint8_t *data = aligned_alloc(64, size);
    assert_non_null(data);
    memset(data, GUARD, size);
    frames->opened++;
    *ret_room = (struct lidar_frame_room){data, frames->capacity_bytes, data};
    return 0;
}

static void close_room(void *context, void *handle, const struct lidar_frame_info *info)
{
    struct frames *frames = context;
    assert_true(frames->closed < KEPT_FRAMES_MAX);
    assert_true(info->size_bytes <= frames->capacity_bytes);
    assert_int_equal(info->size_bytes, (size_t)info->width * info->height * LIDAR_POINT_BYTES);
    const uint8_t *end = (const uint8_t *)handle + info->size_bytes;
    for (unsigned i = 0; i < KEPT_GUARD; i++)
        assert_int_equal(end[i], GUARD);
    frames->kept[frames->closed++] = (struct kept_frame){true, handle, *info};
}

static void discard_room(void *context, void *handle)
{
    struct frames *frames = context;
    frames->discarded++;
    free(handle);
}

void frames_init(struct frames *frames, size_t capacity_bytes)
{
    *frames = (struct frames){.capacity_bytes = capacity_bytes};
}

void frames_finish(struct frames *frames)
{
    for (unsigned i = 0; i < frames->closed; i++)
        free(frames->kept[i].data);
    assert_int_equal(frames->opened, frames->closed + frames->discarded);
}

struct lidar_frame_sink frames_sink(struct frames *frames)
{
    return (struct lidar_frame_sink){frames, open_room, close_room, discard_room, NULL};
}

struct point frame_point(const struct kept_frame *frame, unsigned row, unsigned ring)
{
    assert_true(row < frame->info.height && ring < frame->info.width);
    const uint8_t *at = frame->data + ((size_t)row * frame->info.width + ring) * LIDAR_POINT_BYTES;
    struct point point;
    memcpy(&point.x, at, 4);
    memcpy(&point.y, at + 4, 4);
    memcpy(&point.z, at + 8, 4);
    memcpy(&point.intensity, at + 12, 4);
    memcpy(&point.ring, at + 16, 2);
    memcpy(&point.time, at + 18, 4);
    return point;
}

bool point_is_hole(const struct point *point)
{
    assert_true(isnan(point->x) == isnan(point->y) && isnan(point->x) == isnan(point->z));
    return isnan(point->x);
}

struct fake_sensor fake_vlp16(void)
{
    return (struct fake_sensor){
        .turn_hz = 10,
        .azimuth_deg = 350,
        .start_us = 1e6,
        .product_id = 0x22,
        .mode = 0x37,
        .host_start_ns = UINT64_C(1700000000000000000),
        .raw = 5000,
        .intensity = 100,
    };
}

uint64_t fake_packet(const struct fake_sensor *sensor, unsigned n,
                     uint8_t ret_bytes[FAKE_PACKET_BYTES])
{
    bool is_dual = sensor->mode == 0x39;
    double packet_us = is_dual ? 663.552 : 1327.104;
    double since_us = n * packet_us;
    for (unsigned block = 0; block < 12; block++) {
        uint8_t *at = ret_bytes + block * 100;
        double block_us = since_us + 110.592 * (is_dual ? block / 2 : block);
        double azimuth = sensor->azimuth_deg + block_us * 1e-6 * sensor->turn_hz * 360;
        long units = lround(fmod(azimuth, 360) * 100) % 36000;
        sl_put_le16(at, 0xEEFF);
        sl_put_le16(at + 2, (uint16_t)(units < 0 ? units + 36000 : units));
        for (unsigned i = 0; i < 32; i++) {
            sl_put_le16(at + 4 + 3 * i, sensor->raw);
            at[6 + 3 * i] = sensor->intensity;
        }
    }
    sl_put_le32(ret_bytes + 1200, (uint32_t)fmod(sensor->start_us + since_us, 3600e6));
    ret_bytes[1204] = sensor->mode;
    ret_bytes[1205] = sensor->product_id;
    return sensor->host_start_ns + (uint64_t)((since_us + packet_us) * 1e3);
}

int fake_push(const struct fake_sensor *sensor, unsigned n, struct lidar_decoder *decoder)
{
    uint8_t bytes[FAKE_PACKET_BYTES];
    uint64_t time_ns = fake_packet(sensor, n, bytes);
    struct sl_datagram datagram = {.bytes = bytes, .size_bytes = sizeof bytes, .time_ns = time_ns};
    return lidar_decoder_push(decoder, &datagram);
}
