/* SPDX-License-Identifier: Apache-2.0 */
/* robosense.c - a stream of both kinds of packets, well-formed or not, through the whole decoder.
 *
 * Input: kind u8 (kind % 3: the model; kind / 3 % 2: with two returns), then records
 *      what u8 | value u16 | ...
 *      what % 8 = 0..2  the next packet of a made-up sensor
 *                 3     that packet with the byte at `value` changed to the next one
 *                 4     the stamp moves by value * 64 us, signed; the azimuth's step is the next
 *                       byte
 *                 5     the sensor tells of itself: mode and first angle are of `value`
 *                 6     a datagram of value % 1400 bytes out of the input, as it stands
 *                 7     time passes by `value` ms: deadline; or the stream ends (value odd)
 */
#include "drivers/lidar/robosense.h"
#include "drivers/lidar/decoder.h"
#include "tests/fuzz/lidar.h"

#define RECORDS_MAX 2048
#define BYTES       1248
#define SIZE_MAX_   1400
#define ROOM_BYTES  ((size_t)200 * 32 * 22)
#define SECOND_US   1000000

static const struct made {
    uint8_t id[8];
    uint8_t type, rings;
    unsigned single_us;
} made[] = {
    {{0x55, 0xAA, 0x05, 0x0A, 0x5A, 0xA5, 0x50, 0xA0}, 0, 16, 111},
    {{0x55, 0xAA, 0x05, 0x5A}, 6, 32, 56},
    {{0x55, 0xAA, 0x05, 0x5A}, 7, 16, 111},
};

struct stream {
    struct input in;
    const struct made *made;
    bool is_dual;
    double stamp_us, azimuth, step;
    uint64_t now_ns;
    struct lidar_decoder *decoder;
    struct rooms rooms;
};

static void push(struct stream *s, const uint8_t *bytes, size_t size)
{
    uint8_t *copy = exact_copy(bytes, size);
    const struct sl_datagram datagram = {
        .bytes = copy, .size_bytes = (uint32_t)size, .time_ns = s->now_ns};
    (void)lidar_decoder_push(s->decoder, &datagram);
    free(copy);
}

static void put_time(const struct stream *s, uint8_t *to)
{
    uint32_t us = (uint32_t)s->stamp_us % SECOND_US;
    if (s->made->type == 0) {
        memcpy(to, (const uint8_t[]){24, 2, 29, 12, 0, 7}, 6);
        sl_put_be16(to + 6, (uint16_t)(us / 1000));
        sl_put_be16(to + 8, (uint16_t)(us % 1000));
    } else {
        sl_put_be32(to + 6, us);
    }
}

static void push_made(struct stream *s, bool is_changed, unsigned place)
{
    uint8_t bytes[BYTES];
    bool is_paired = s->is_dual && s->made->rings == 32;
    unsigned groups = is_paired ? 6 : 12;
    double block_us = s->made->single_us / (s->is_dual && !is_paired ? 2.0 : 1.0);
    memset(bytes, 0x11, sizeof bytes);
    memcpy(bytes, s->made->id, sizeof s->made->id);
    bytes[30] = s->made->type;
    bytes[31] = 0;
    put_time(s, bytes + 20);
    for (unsigned i = 0; i < 12; i++) {
        uint32_t azimuth = (uint32_t)(s->azimuth + s->step * (i * groups / 12)) % 36000;
        sl_put_be16(bytes + 42 + i * 100, 0xFFEE);
        sl_put_be16(bytes + 44 + i * 100, (uint16_t)azimuth);
    }
    if (is_changed)
        bytes[place % BYTES] = (uint8_t)take(&s->in);
    push(s, bytes, BYTES);
    s->azimuth += s->step * groups;
    s->azimuth -= s->azimuth >= 36000 ? 36000 : 0;
    s->stamp_us += block_us * groups;
    s->stamp_us -= s->stamp_us >= SECOND_US ? SECOND_US : 0;
    s->now_ns += (uint64_t)(block_us * groups * 1000);
}

static void push_info(struct stream *s, unsigned value)
{
    static const uint8_t id[] = {0xA5, 0xFF, 0x00, 0x5A, 0x11, 0x11, 0x55, 0x55};
    uint8_t bytes[BYTES] = {0};
    memcpy(bytes, id, sizeof id);
    bytes[300] = (uint8_t)(value % 8);
    for (unsigned i = 0; i < 32; i++)
        sl_put_be16(bytes + 469 + 3 * i, (uint16_t)(value / 8 + 37 * i));
    for (unsigned i = 0; i < 16; i++)
        sl_put_be16(bytes + 1166 + 3 * i, (uint16_t)(value / 8 + 137 * i));
    push(s, bytes, BYTES);
}

static void move(struct stream *s, unsigned value)
{
    s->stamp_us += (double)(int16_t)value * 64;
    while (s->stamp_us < 0)
        s->stamp_us += SECOND_US;
    s->step = take(&s->in);
}

static void push_as_it_stands(struct stream *s, unsigned value)
{
    size_t size;
    const uint8_t *bytes = take_bytes(&s->in, value % SIZE_MAX_, &size);
    push(s, bytes, size);
}

static void pass_time(struct stream *s, unsigned value)
{
    s->now_ns += value * UINT64_C(1000000);
    if (value % 2)
        (void)lidar_decoder_flush(s->decoder);
    else
        lidar_decoder_deadline(s->decoder, s->now_ns);
}

static void record(struct stream *s)
{
    unsigned what = take(&s->in), value = take_two(&s->in);
    switch (what % 8) {
    case 4:
        move(s, value);
        break;
    case 5:
        push_info(s, value);
        break;
    case 6:
        push_as_it_stands(s, value);
        break;
    case 7:
        pass_time(s, value);
        break;
    default:
        push_made(s, what % 8 == 3, value);
    }
}

static uint64_t decode(const uint8_t *bytes, size_t size_bytes, enum lidar_simd simd)
{
    if (size_bytes == 0)
        return 0;
    struct stream s = {
        .in = {bytes + 1, bytes + size_bytes},
        .made = &made[bytes[0] % 3],
        .is_dual = bytes[0] / 3 % 2,
        .step = 20,
        .rooms = {.bytes = ROOM_BYTES, .check = check_rings},
        .now_ns = UINT64_C(1709208007000000000),
    };
    const struct lidar_decoder_config config = {.model = robosense_models[bytes[0] % 3],
                                                .simd = simd};
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
