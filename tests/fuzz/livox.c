/* SPDX-License-Identifier: Apache-2.0 */
/* livox.c - a stream of packets, well-formed or not, through the whole decoder.
 *
 * Input: kind u8 (kind % 2: the model; kind / 2 % 4: the clock; kind / 8 % 2: checksums matter;
 * kind / 16 % 2: slots are small; kind / 32 % 2: the second frame of three gets none; kind / 64 %
 * 2: points are filtered; kind / 128: stamps are fitted), then records what u8 | value u16 | ...
 *      what % 8 = 0, 1  the next packet of a made-up sensor
 *                 2     that packet, of another kind: value % 4, and of value / 4 % 300 points
 *                 3     that packet with the byte at `value` changed to the next one
 *                 4     the stamp moves by value * 64 us, signed
 *                 5     the number moves by value
 *                 6     a datagram of value % 2048 bytes out of the input, as it stands
 *                 7     time passes by `value` ms: deadline; or the stream ends (value odd)
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "drivers/lidar/decoder.h"
#include "drivers/lidar/livox.h"

#define RECORDS_MAX 4096
#define BYTES_MAX   4400
#define SIZE_MAX_   2048
#define ROOMS       2
#define STEP_NS     480000
#define MS          UINT64_C(1000000)
#define CHECK(what)  \
    do {             \
        if (!(what)) \
            abort(); \
    } while (0)

struct stream {
    const uint8_t *at, *end;
    uint8_t clock;
    uint64_t stamp_ns, now_ns;
    uint16_t number;
    unsigned opens, refuse_one_in;
    struct lidar_decoder *decoder;
    size_t room_bytes;
    uint8_t *room[ROOMS];
    bool in_use[ROOMS];
};

static int open_room(void *context, struct lidar_frame_room *ret_room)
{
    struct stream *s = context;
    if (s->refuse_one_in > 0 && ++s->opens % s->refuse_one_in == 0)
        return -1;
    for (unsigned i = 0; i < ROOMS; i++) {
        if (s->in_use[i])
            continue;
        s->in_use[i] = true;
        *ret_room = (struct lidar_frame_room){s->room[i], s->room_bytes, &s->in_use[i]};
        return 0;
    }
    abort(); /* never more than two */
}

static void discard_room(void *context, void *handle)
{
    (void)context;
    bool *in_use = handle;
    CHECK(*in_use);
    *in_use = false;
}

static void close_room(void *context, void *handle, const struct lidar_frame_info *info)
{
    const struct stream *s = context;
    const uint8_t *data = s->room[(bool *)handle - s->in_use];
    size_t points = (size_t)info->height * info->width;
    CHECK(info->size_bytes <= s->room_bytes && info->size_bytes == points * LIDAR_POINT_BYTES);
    CHECK(info->valid <= points && info->filtered <= points - info->valid);
    for (size_t i = 0; i < points; i++)
        CHECK(sl_get_le16(data + i * 22 + 16) < 6);
    discard_room(context, handle);
}

static void take_imu(void *context, const struct lidar_imu *imu)
{
    (void)context;
    for (unsigned i = 0; i < 3; i++)
        CHECK(imu->rate[i] - imu->rate[i] == 0 && imu->acceleration[i] - imu->acceleration[i] == 0);
}

static unsigned take(struct stream *s)
{
    return s->at < s->end ? *s->at++ : 0;
}

/* In memory that is exactly as large as it is, so that a byte too many is seen. */
static void push(struct stream *s, const uint8_t *bytes, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    CHECK(copy);
    memcpy(copy, bytes, size);
    const struct sl_datagram datagram = {
        .bytes = copy, .size_bytes = (uint32_t)size, .time_ns = s->now_ns};
    CHECK(lidar_decoder_push(s->decoder, &datagram) == 0);
    free(copy);
}

static void push_made(struct stream *s, unsigned data, unsigned points, int changed)
{
    static const unsigned stride[] = {24, 14, 8, 10};
    uint8_t bytes[BYTES_MAX];
    size_t size = 36 + (size_t)points * stride[data];
    memset(bytes, (int)s->number, sizeof bytes);
    bytes[0] = 0;
    sl_put_le16(bytes + 1, (uint16_t)size);
    sl_put_le16(bytes + 3, STEP_NS / 100);
    sl_put_le16(bytes + 5, (uint16_t)points);
    sl_put_le16(bytes + 7, s->number++);
    bytes[10] = (uint8_t)data;
    bytes[11] = s->clock;
    sl_put_le32(bytes + 24, 0);
    sl_put_le64(bytes + 28, s->stamp_ns);
    if (changed >= 0)
        bytes[(size_t)changed % size] = (uint8_t)take(s);
    push(s, bytes, size);
    s->stamp_ns += STEP_NS;
    s->now_ns += STEP_NS;
}

static void push_other(struct stream *s, unsigned value)
{
    unsigned data = value % 4, points = value / 4 % 300;
    push_made(s, data, data == 0 ? 1 : points, -1);
}

static void push_as_it_stands(struct stream *s, unsigned value)
{
    size_t size = value % SIZE_MAX_;
    if (size > (size_t)(s->end - s->at))
        size = (size_t)(s->end - s->at);
    push(s, s->at, size);
    s->at += size;
}

static void pass_time(struct stream *s, unsigned value)
{
    s->now_ns += value * MS;
    if (value % 2)
        CHECK(lidar_decoder_flush(s->decoder) == 0);
    else
        lidar_decoder_deadline(s->decoder, s->now_ns);
}

static void record(struct stream *s)
{
    unsigned what = take(s), value = take(s);
    value |= take(s) << 8;
    switch (what % 8) {
    case 2:
        push_other(s, value);
        break;
    case 3:
        push_made(s, 1, LIVOX_POINTS, (int)value);
        break;
    case 4:
        s->stamp_ns += (uint64_t)((int64_t)(int16_t)value * 64000);
        break;
    case 5:
        s->number = (uint16_t)(s->number + value);
        break;
    case 6:
        push_as_it_stands(s, value);
        break;
    case 7:
        pass_time(s, value);
        break;
    default:
        push_made(s, 1, LIVOX_POINTS, -1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    if (size_bytes == 0)
        return 0;
    unsigned kind = bytes[0];
    struct stream s = {
        .at = bytes + 1,
        .end = bytes + size_bytes,
        .clock = (uint8_t)(kind / 2 % 4),
        .stamp_ns = UINT64_C(1709208007000000000),
        .now_ns = UINT64_C(1709208007000000000),
        .refuse_one_in = kind / 32 % 2 ? 3 : 0,
        .room_bytes = (size_t)(kind / 16 % 2 ? 7 : 40) * LIVOX_POINTS * LIDAR_POINT_BYTES,
    };
    struct lidar_decoder_config config = {
        .frames.stamp = kind / 128 ? LIDAR_STAMP_FITTED : LIDAR_STAMP_SENSOR,
        .livox = {.model = livox_models[kind % 2],
                  .period_ns = 10 * MS,
                  .unwanted_tags = 0x2A,
                  .checks_crc = kind / 8 % 2,
                  .imu = {.take = take_imu}},
        .kernel = size_bytes % 3 == 1 ? "plain" : NULL, /* not only the best one of this CPU */
    };
    if (kind / 64 % 2)
        config.frames.block.filter = (struct lidar_filter_options){
            .window_count = 1,
            .windows = {{170, 90}},
            .has_box = true,
            .box_max_m = {1, 2, 3},
            .has_rings = true,
            .rings = {0x2D},
        };
    const struct lidar_frame_sink sink = {&s, open_room, close_room, discard_room, NULL};
    for (unsigned i = 0; i < ROOMS; i++) {
        s.room[i] = aligned_alloc(32, s.room_bytes);
        CHECK(s.room[i]);
    }
    CHECK(lidar_decoder_create(&config, &sink, &s.decoder) == 0);
    for (unsigned i = 0; i < RECORDS_MAX && s.at < s.end; i++)
        record(&s);
    lidar_decoder_destroy(s.decoder);
    for (unsigned i = 0; i < ROOMS; i++) {
        CHECK(!s.in_use[i]);
        free(s.room[i]);
    }
    return 0;
}
