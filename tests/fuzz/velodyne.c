/* SPDX-License-Identifier: Apache-2.0 */
/* velodyne.c - a stream of datagrams, well-formed or not, through the whole lidar decoder.
 *
 * Input: 4 bytes of configuration, then records
 *      kind u8 | value u16 | ...
 *      kind % 8 = 0..2  the next packet of a made-up sensor, whose stamp goes on by a packet
 *                 3     that packet with the byte at `value` changed to the next one
 *                 4     the stamp moves by value * 64 us, signed
 *                 5     the azimuth moves to value, the rotation's rate to the next byte
 *                 6     a datagram of value % 2048 bytes out of the input, as it stands
 *                 7     time passes: deadline; or the stream ends (value odd)
 */
#include "drivers/lidar/decoder.h"
#include "tests/fuzz/lidar.h"

#define RECORDS_MAX 4096
#define ID_OF_128   0xA1
#define CUT_OF_128  255 /* this cut asks for a sensor of 128 lasers */

static void check_frame(const void *context, const uint8_t *data,
                        const struct lidar_frame_info *info)
{
    check_rings(context, data, info);
    CHECK(info->width == 16 || info->width == 32 || info->width == 128);
    CHECK(info->size_bytes == (size_t)info->height * info->width * LIDAR_POINT_BYTES);
    CHECK(info->columns >= 1 && info->missing < info->columns);
    for (size_t i = 0; i < (size_t)info->height * info->width; i++) {
        float time;
        memcpy(&time, data + i * LIDAR_POINT_BYTES + LIDAR_POINT_TIME, sizeof time);
        CHECK(time >= 0 && time < 10);
    }
}

static void take_fix(void *context, const struct lidar_fix *fix)
{
    CHECK(context);
    CHECK(fix->fix >= NMEA_NO_FIX && fix->fix <= NMEA_FIX_BY_GROUND);
    if (fix->fix != NMEA_NO_FIX)
        CHECK(fix->latitude_deg >= -90 && fix->latitude_deg <= 90 && fix->longitude_deg >= -180 &&
              fix->longitude_deg <= 180);
}

struct stream {
    struct input in;
    struct lidar_decoder *decoder;
    double stamp_us, azimuth, units_per_block;
    uint64_t host_ns;
    uint8_t mode, id;
};

static void push(struct stream *s, const uint8_t *bytes, uint32_t size)
{
    uint8_t *copy = exact_copy(bytes, size);
    struct sl_datagram datagram = {.bytes = copy, .size_bytes = size, .time_ns = s->host_ns};
    (void)lidar_decoder_push(s->decoder, &datagram);
    free(copy);
}

static void push_made(struct stream *s, bool is_changed, unsigned place)
{
    static const uint16_t flags[] = {0xEEFF, 0xDDFF, 0xCCFF, 0xBBFF};
    uint8_t bytes[VELODYNE_DATA_BYTES];
    unsigned returns = s->mode == 0x39 ? 2 : 1, banks = s->id == ID_OF_128 ? 4 : 1;
    memset(bytes, 0x11, sizeof bytes);
    for (unsigned block = 0; block < 12; block++) {
        double azimuth = s->azimuth + s->units_per_block * (block / (banks * returns));
        sl_put_le16(bytes + block * 100, flags[block / returns % banks]);
        sl_put_le16(bytes + block * 100 + 2, (uint16_t)((uint32_t)azimuth % 36000));
    }
    sl_put_le32(bytes + 1200, (uint32_t)(uint64_t)s->stamp_us);
    bytes[1204] = s->mode;
    bytes[1205] = s->id;
    if (is_changed)
        bytes[place % VELODYNE_DATA_BYTES] = (uint8_t)take(&s->in);
    push(s, bytes, sizeof bytes);
    double step_us = (banks == 4 ? 165.84 : 1327.104) / (banks == 4 && returns == 2 ? 3 : returns);
    s->azimuth += s->units_per_block * (12 / (banks * returns));
    while (s->azimuth >= 36000)
        s->azimuth -= 36000;
    s->stamp_us += step_us;
    if (s->stamp_us >= 3600e6)
        s->stamp_us -= 3600e6;
    s->host_ns += (uint64_t)(step_us * 1e3);
}

static void record(struct stream *s)
{
    unsigned kind = take(&s->in), value = take_two(&s->in);
    switch (kind % 8) {
    case 3:
        push_made(s, true, value);
        break;
    case 4:
        s->stamp_us += (double)(int16_t)value * 64;
        if (s->stamp_us < 0)
            s->stamp_us += 3600e6;
        break;
    case 5:
        s->azimuth = value % 36000;
        s->units_per_block = take(&s->in);
        break;
    case 6: {
        size_t size;
        const uint8_t *bytes = take_bytes(&s->in, value % 2048, &size);
        push(s, bytes, size);
        break;
    }
    case 7:
        s->host_ns += value * UINT64_C(100000);
        if (value % 2)
            (void)lidar_decoder_flush(s->decoder);
        else
            lidar_decoder_deadline(s->decoder, s->host_ns);
        CHECK(lidar_decoder_due_ns(s->decoder) > s->host_ns);
        break;
    default:
        push_made(s, false, 0);
    }
}

static uint64_t decode(const uint8_t *bytes, size_t size_bytes, enum lidar_simd simd)
{
    static const uint8_t modes[] = {0x37, 0x38, 0x39, 0x37};
    static const uint8_t ids[] = {0x22, 0x24, 0x21, 0x28};
    struct rooms rooms = {.check = check_frame};
    struct stream s = {.in = {bytes, bytes + size_bytes},
                       .stamp_us = 3599990000.0,
                       .units_per_block = 40,
                       .host_ns = UINT64_C(1700000000000000000)};
    struct lidar_decoder_config config = {0};
    unsigned flags = take(&s.in);
    s.mode = modes[flags % 4];
    s.id = ids[flags / 4 % 4];
    config.model = flags & 0x10 ? velodyne_models[0] : NULL;
    config.frames.stamp = flags & 0x20 ? LIDAR_STAMP_HOST : flags & 4 ? LIDAR_STAMP_FITTED : 0;
    if (flags & 8)
        config.frames.block.filter = (struct lidar_filter_options){
            .window_count = 1,
            .windows = {{170, 90}},
            .has_rings = true,
            .rings = {0xF0F0F0F1},
            .every_nth = 1 + flags % 3,
        };
    config.frames.block.has_extrinsics = (flags & 0x40) != 0;
    config.simd = simd;
    config.fix = (struct lidar_fix_sink){.context = &rooms, .take = take_fix};
    config.frames.cut_angle_deg = take(&s.in);
    if (config.frames.cut_angle_deg == CUT_OF_128)
        s.id = ID_OF_128;
    rooms.bytes = (size_t)(1 + take(&s.in) * 2) * 16 * 22;
    rooms.refuse_one_in = take(&s.in);
    rooms_make(&rooms);
    struct lidar_frame_sink sink = rooms_sink(&rooms);
    CHECK(lidar_decoder_create(&config, &sink, &s.decoder) == 0);
    for (unsigned i = 0; i < RECORDS_MAX && s.in.at < s.in.end; i++)
        record(&s);
    lidar_decoder_destroy(s.decoder);
    rooms_end(&rooms);
    return rooms.sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    compare_kernels(decode, bytes, size_bytes);
    return 0;
}
