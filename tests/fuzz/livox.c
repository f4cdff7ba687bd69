/* SPDX-License-Identifier: Apache-2.0 */
/* livox.c - a stream of packets, well-formed or not, through the whole decoder.
 *
 * Input: kind u8, then records
 *      kind % 2: the model; kind / 2 % 4: the clock; kind / 8 % 2: checksums matter; kind / 16 % 2:
 *      slots are small; kind / 32 % 2: the second frame of three gets none; kind / 64 % 2: points
 *      are filtered; kind / 128: stamps are fitted
 *      what u8 | value u16 | ...
 *      what % 8 = 0, 1  the next packet of a made-up sensor
 *                 2     that packet, of another kind: value % 4, and of value / 4 % 300 points
 *                 3     that packet with the byte at `value` changed to the next one
 *                 4     the stamp moves by value * 64 us, signed
 *                 5     the number moves by value
 *                 6     a datagram of value % 2048 bytes out of the input, as it stands
 *                 7     time passes by `value` ms: deadline; or the stream ends (value odd)
 */
#include "drivers/lidar/livox.h"
#include "drivers/lidar/decoder.h"
#include "tests/fuzz/lidar.h"

#define RECORDS_MAX 4096
#define BYTES_MAX   4400
#define SIZE_MAX_   2048
#define STEP_NS     480000
#define MS          UINT64_C(1000000)

struct stream {
    struct input in;
    uint8_t clock;
    uint64_t stamp_ns, now_ns;
    uint16_t number;
    struct lidar_decoder *decoder;
    struct rooms rooms;
};

static void check_frame(const void *context, const uint8_t *data,
                        const struct lidar_frame_info *info)
{
    (void)context;
    size_t points = (size_t)info->height * info->width;
    CHECK(info->size_bytes == points * LIDAR_POINT_BYTES);
    CHECK(info->valid <= points && info->filtered <= points - info->valid);
    for (size_t i = 0; i < points; i++)
        CHECK(sl_get_le16(data + i * LIDAR_POINT_BYTES + LIDAR_POINT_RING) < 6);
}

static void take_imu(void *context, const struct lidar_imu *imu)
{
    (void)context;
    for (unsigned i = 0; i < 3; i++)
        CHECK(imu->rate[i] - imu->rate[i] == 0 && imu->acceleration[i] - imu->acceleration[i] == 0);
}

static void push(struct stream *s, const uint8_t *bytes, size_t size)
{
    uint8_t *copy = exact_copy(bytes, size);
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
        bytes[(size_t)changed % size] = (uint8_t)take(&s->in);
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
    size_t size;
    const uint8_t *bytes = take_bytes(&s->in, value % SIZE_MAX_, &size);
    push(s, bytes, size);
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
    unsigned what = take(&s->in), value = take_two(&s->in);
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

static uint64_t decode(const uint8_t *bytes, size_t size_bytes, enum lidar_simd simd)
{
    if (size_bytes == 0)
        return 0;
    unsigned kind = bytes[0];
    struct stream s = {
        .in = {bytes + 1, bytes + size_bytes},
        .clock = (uint8_t)(kind / 2 % 4),
        .stamp_ns = UINT64_C(1709208007000000000),
        .now_ns = UINT64_C(1709208007000000000),
        .rooms = {.bytes = (size_t)(kind / 16 % 2 ? 7 : 40) * LIVOX_POINTS * LIDAR_POINT_BYTES,
                  .refuse_one_in = kind / 32 % 2 ? 3 : 0,
                  .check = check_frame},
    };
    struct lidar_decoder_config config = {
        .frames.stamp = kind / 128 ? LIDAR_STAMP_FITTED : LIDAR_STAMP_SENSOR,
        .livox = {.model = livox_models[kind % 2],
                  .period_ns = 10 * MS,
                  .unwanted_tags = 0x2A,
                  .checks_crc = kind / 8 % 2,
                  .imu = {.take = take_imu}},
        .simd = simd,
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
    const struct lidar_frame_sink sink = rooms_sink(&s.rooms);
    rooms_make(&s.rooms);
    CHECK(lidar_decoder_create(&config, &sink, &s.decoder) == 0);
    for (unsigned i = 0; i < RECORDS_MAX && s.in.at < s.in.end; i++)
        record(&s);
    lidar_decoder_destroy(s.decoder);
    rooms_end(&s.rooms);
    return s.rooms.sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    compare_kernels(decode, bytes, size_bytes);
    return 0;
}
