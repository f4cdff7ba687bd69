/* SPDX-License-Identifier: Apache-2.0 */
/* velodyne.c - a stream of datagrams, well-formed or not, through the whole lidar decoder.
 *
 * Input: 4 bytes of configuration, then records
 *      kind u8 | value u16 | ...
 *      kind % 8 = 0..2  the next packet of a made-up sensor, whose stamp goes on by a packet
 *                 3     that packet with one byte changed: place = value, and the next byte is the
 * value 4     the stamp moves by value * 64 us, signed 5     the azimuth moves by value, the
 * rotation's rate by the next byte 6     a datagram of value % 2048 bytes out of the input, as it
 * stands 7     time passes: deadline; or the stream ends (value odd) So deep states are a few bytes
 * away, and any bytes may still come.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "drivers/lidar/block_kernel.h"
#include "drivers/lidar/decoder.h"

#define RECORDS_MAX 4096
#define ROOMS       2
#define ID_OF_128   0xA1
#define CUT_OF_128  255 /* this cut asks for a sensor of 128 lasers */
#define CHECK(what)  \
    do {             \
        if (!(what)) \
            abort(); \
    } while (0)

struct memory {
    size_t capacity_bytes;
    unsigned refuse_one_in, opens;
    bool in_use[ROOMS];
    uint8_t *data[ROOMS];
    uint64_t frames;
};

static int open_room(void *context, struct lidar_frame_room *ret_room)
{
    struct memory *memory = context;
    if (memory->refuse_one_in > 0 && ++memory->opens % memory->refuse_one_in == 0)
        return -1;
    for (unsigned i = 0; i < ROOMS; i++) {
        if (memory->in_use[i])
            continue;
        memory->in_use[i] = true;
        *ret_room =
            (struct lidar_frame_room){memory->data[i], memory->capacity_bytes, &memory->in_use[i]};
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
    struct memory *memory = context;
    unsigned index = (unsigned)((bool *)handle - memory->in_use);
    CHECK(info->size_bytes <= memory->capacity_bytes);
    CHECK(info->width == 16 || info->width == 32 || info->width == 128);
    CHECK(info->size_bytes == (size_t)info->height * info->width * 22);
    CHECK(info->columns >= 1 && info->missing < info->columns);
    CHECK(info->valid <= info->columns * info->width * info->returns);
    for (size_t i = 0; i < (size_t)info->height * info->width; i++) {
        uint16_t ring = sl_get_le16(memory->data[index] + i * 22 + 16);
        float time;
        memcpy(&time, memory->data[index] + i * 22 + 18, sizeof time);
        CHECK(ring == i % info->width && time >= 0 && time < 10);
    }
    memory->frames++;
    discard_room(context, handle);
}

static void take_fix(void *context, const struct lidar_fix *fix)
{
    CHECK(context);
    CHECK(fix->fix >= NMEA_NO_FIX && fix->fix <= NMEA_FIX_BY_GROUND);
    if (fix->fix != NMEA_NO_FIX)
        CHECK(fix->latitude_deg >= -90 && fix->latitude_deg <= 90 && fix->longitude_deg >= -180 &&
              fix->longitude_deg <= 180);
}

/* Not only the best one of this CPU. */
static const char *kernel_of(size_t size_bytes)
{
    const struct lidar_block_kernel *kernel;
    bool takes_second = size_bytes % 2 == 1;
    return takes_second && lidar_block_kernel_find("avx2", &kernel) == 0 ? "avx2" : NULL;
}

static void take_progress(void *context, void *handle, const struct lidar_frame_progress *progress)
{
    struct memory *memory = context;
    size_t last = (size_t)(progress->returns - 1) * progress->rows + progress->columns;
    CHECK(*(bool *)handle);
    CHECK(progress->returns >= 1 && progress->columns >= 1 && progress->columns <= progress->rows);
    CHECK(last * progress->width * 22 <= memory->capacity_bytes);
}

struct stream {
    const uint8_t *at, *end;
    struct lidar_decoder *decoder;
    double stamp_us, azimuth, units_per_block;
    uint64_t host_ns;
    uint8_t mode, id;
};

static unsigned take(struct stream *s)
{
    return s->at < s->end ? *s->at++ : 0;
}

static void push(struct stream *s, const uint8_t *bytes, uint32_t size)
{
    /* exactly as large as it is, so that a byte too many is seen */
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        return;
    if (size > 0)
        memcpy(copy, bytes, size);
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
        bytes[place % VELODYNE_DATA_BYTES] = (uint8_t)take(s);
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
    unsigned kind = take(s), value = take(s);
    value |= take(s) << 8;
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
        s->units_per_block = take(s);
        break;
    case 6: {
        uint32_t size = value % 2048;
        if (size > (size_t)(s->end - s->at))
            size = (uint32_t)(s->end - s->at);
        push(s, s->at, size);
        s->at += size;
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

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    static const uint8_t modes[] = {0x37, 0x38, 0x39, 0x37};
    static const uint8_t ids[] = {0x22, 0x24, 0x21, 0x28};
    struct memory memory = {0};
    struct stream s = {.at = bytes,
                       .end = bytes + size_bytes,
                       .stamp_us = 3599990000.0,
                       .units_per_block = 40,
                       .host_ns = UINT64_C(1700000000000000000)};
    struct lidar_decoder_config config = {0};
    unsigned flags = take(&s);
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
    config.kernel = flags & 0x80 ? "plain" : kernel_of(size_bytes);
    config.fix = (struct lidar_fix_sink){.context = &memory, .take = take_fix};
    config.frames.cut_angle_deg = take(&s);
    if (config.frames.cut_angle_deg == CUT_OF_128)
        s.id = ID_OF_128;
    memory.capacity_bytes = (size_t)(1 + take(&s) * 2) * 16 * 22;
    memory.refuse_one_in = take(&s);
    for (unsigned i = 0; i < ROOMS; i++) {
        /* the end of the room is the end of the allocation, so that a sanitizer guards it */
        memory.data[i] = aligned_alloc(32, memory.capacity_bytes);
        CHECK(memory.data[i]);
    }
    struct lidar_frame_sink sink = {&memory, open_room, close_room, discard_room, take_progress};
    CHECK(lidar_decoder_create(&config, &sink, &s.decoder) == 0);
    for (unsigned i = 0; i < RECORDS_MAX && s.at < s.end; i++)
        record(&s);
    lidar_decoder_destroy(s.decoder);
    for (unsigned i = 0; i < ROOMS; i++) {
        CHECK(!memory.in_use[i]);
        free(memory.data[i]);
    }
    return 0;
}
