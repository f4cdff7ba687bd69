/* SPDX-License-Identifier: Apache-2.0 */
/* hesai_128.c - the sensors of 128 lasers through the decoder: packets whose flags tell their size,
 * settings that change, a mirror; and the AT128's correction file.
 *
 * Input: kind u8, then for kind % 4 = 3 a correction file that is right but for
 *      changes of | place u16 | byte |, and one byte shorter or longer where kind / 4 says so
 * else records
 *      what u8 | value u16 | ...
 *      what % 4 = 0  the next packet of a made-up sensor; what / 4: flags and operational state
 *               1    that packet with the byte at `value` changed to the next one
 *               2    the stamp moves by value * 64 us, signed; the azimuth's step is the next byte;
 *                    what / 4: the time that a deadline is asked for, in ms
 *               3    a datagram of value % 1400 bytes out of the input, as it stands
 */
#include "drivers/lidar/decoder.h"
#include "drivers/lidar/hesai.h"
#include "tests/fuzz/lidar.h"
#include <math.h>

#define RECORDS_MAX 2048
#define PACKET_MAX  1400
#define LASERS      128
#define ROOM_BYTES  ((size_t)100 * LASERS * 22)
#define FIELDS      3
#define FILE_BYTES  (16 + 8 * FIELDS + 8 * LASERS + 2 * LASERS * LIDAR_MIRROR_STEPS + 32)

/* Where the parts of a packet are, apart from the parser. */
static const struct made {
    const char *name;
    uint8_t major, minor, flags;
    unsigned azimuth_bytes, element, tail_bytes, mode_at, date_at, microseconds_at;
    double period_us;
} made[] = {
    {"qt128", 3, 2, 0x0D, 2, 4, 26, 12, 15, 21, 111.11},
    {"pandar128", 1, 4, 0x07, 2, 3, 26, 12, 15, 21, 27.778},
    {"at128", 4, 3, 0x01, 3, 4, 32, 24, 26, 20, 41.666},
    {"ot128", 1, 4, 0x07, 2, 3, 26, 12, 15, 21, 27.778},
};

struct stream {
    struct input in;
    const struct made *made;
    uint8_t mode;
    double stamp_us, azimuth, step;
    struct velodyne_calibration calibration;
    struct lidar_decoder *decoder;
    struct rooms rooms;
};

static uint8_t file[FILE_BYTES + 1];

static void make_file(void)
{
    memset(file, 0, sizeof file);
    memcpy(file, (const uint8_t[]){0xEE, 0xFF, 1, 5, LASERS, FIELDS, FIELDS}, 7);
    file[15] = 1;
    for (unsigned i = 0; i < FIELDS; i++) {
        sl_put_le32(file + 16 + 4 * i, (28 + 120 * i) * 25600);
        sl_put_le32(file + 16 + 4 * (FIELDS + i), (88 + 120 * i) * 25600);
    }
    uint8_t *angles = file + 16 + 8 * FIELDS;
    for (unsigned i = 0; i < 2 * LASERS; i++)
        sl_put_le32(angles + 4 * i, (64 - i % LASERS) * 5120);
    for (unsigned i = 0; i < 2 * LASERS * LIDAR_MIRROR_STEPS; i++)
        angles[8 * LASERS + i] = (uint8_t)(i % 19);
}

static void push(struct stream *s, const uint8_t *bytes, size_t size)
{
    uint8_t *copy = exact_copy(bytes, size);
    struct sl_datagram datagram = {.bytes = copy,
                                   .size_bytes = size,
                                   .time_ns = UINT64_C(1700000000000000000) +
                                              (uint64_t)(s->stamp_us * 1e3)};
    lidar_decoder_push(s->decoder, &datagram);
    free(copy);
}

static void push_made(struct stream *s, unsigned settings, bool is_changed, unsigned place)
{
    const struct made *m = s->made;
    uint8_t bytes[PACKET_MAX];
    unsigned returns = s->mode >= 0x39 ? 2 : 1, columns = 2 / returns;
    uint8_t flags = (uint8_t)(m->flags ^ (settings & 0x1F));
    unsigned element = m->element + (m->major == 1 && flags & 0x10);
    unsigned block = m->azimuth_bytes + LASERS * element;
    memset(bytes, 0x11, sizeof bytes);
    memcpy(bytes, (const uint8_t[]){0xEE, 0xFF, m->major, m->minor, 0, 0, LASERS, 2, 0, 4, 1}, 11);
    bytes[11] = flags;
    for (unsigned i = 0; i < 2; i++) {
        uint32_t azimuth = (uint32_t)(s->azimuth + s->step * (i / returns)) % 36000;
        sl_put_le16(bytes + 12 + i * block, (uint16_t)azimuth);
    }
    uint8_t *tail = bytes + 12 + 2 * block + 4 + (m->major != 4 && flags & 4 ? 17 : 0);
    if (m->major == 1)
        tail[11] = settings & 0x20 ? 2 : 0;
    tail[m->mode_at] = s->mode;
    tail[m->date_at] = 0;
    sl_put_le32(tail + m->microseconds_at, (uint32_t)s->stamp_us);
    size_t size = (size_t)(tail - bytes) + m->tail_bytes + 4 + (flags & 1 ? 4 : 0) +
                  (m->major != 4 && flags & 2 ? 22 : 0) + (flags & 8 ? 32 : 0);
    if (is_changed)
        bytes[place % size] = (uint8_t)take(&s->in);
    push(s, bytes, size);
    s->azimuth = fmod(s->azimuth + s->step * columns, 36000);
    s->stamp_us = fmod(s->stamp_us + m->period_us * columns, 1e6);
}

static void record(struct stream *s)
{
    unsigned what = take(&s->in), value = take_two(&s->in);
    switch (what % 4) {
    case 2:
        s->stamp_us += (double)(int16_t)value * 64;
        while (s->stamp_us < 0)
            s->stamp_us += 1e6;
        s->step = take(&s->in);
        lidar_decoder_deadline(s->decoder, UINT64_C(1700000000000000000) +
                                               (uint64_t)(s->stamp_us * 1e3) +
                                               what / 4 * UINT64_C(1000000));
        break;
    case 3: {
        size_t size;
        const uint8_t *bytes = take_bytes(&s->in, value % PACKET_MAX, &size);
        push(s, bytes, size);
        break;
    }
    default:
        push_made(s, what / 4, what % 4 == 1, value);
    }
}

static void check_mirror(const struct lidar_mirror *mirror, const struct lidar_model *model)
{
    static struct lidar_block block;
    const struct lidar_block_options options = {0};
    lidar_block_init(&block, NULL, model, &options, 1);
    for (uint32_t place = 0; place < LIDAR_MIRROR_UNITS; place += 99991) {
        uint16_t course = 0;
        float cosine = 0, sine = 0;
        if (!lidar_mirror_course(mirror, place, &course))
            continue;
        CHECK(course < LIDAR_AZIMUTH_UNITS);
        lidar_mirror_turn(mirror, place, &cosine, &sine);
        CHECK(fabsf(cosine * cosine + sine * sine - 1) < 1e-5f);
        const struct lidar_block_rate *rate = lidar_mirror_rate(mirror, place, &block);
        for (unsigned i = 0; i < LIDAR_BLOCK_ELEMENTS; i++) {
            float length =
                rate->a[i] * rate->a[i] + rate->b[i] * rate->b[i] + rate->c[i] * rate->c[i];
            CHECK(fabsf(length - 1) < 1e-5f);
        }
    }
}

static void read_changed(const uint8_t *bytes, size_t size, unsigned kind)
{
    static struct lidar_mirror mirror;
    struct lidar_model model;
    size_t file_bytes = FILE_BYTES - (kind & 0x40 ? 1 : 0) + (kind & 0x80 ? 1 : 0);
    make_file();
    for (; size >= 3; size -= 3, bytes += 3)
        file[sl_get_le16(bytes) % file_bytes] = bytes[2];
    uint8_t *copy = malloc(file_bytes);
    CHECK(copy);
    memcpy(copy, file, file_bytes);
    if (hesai_mirror_read(hesai_model_find("at128"), copy, file_bytes, &mirror, &model) == 0)
        check_mirror(&mirror, &model);
    free(copy);
}

static void open_decoder(struct stream *s, enum lidar_simd simd)
{
    const struct lidar_frame_sink sink = rooms_sink(&s->rooms);
    struct lidar_decoder_config config = {.model = hesai_model_find(s->made->name), .simd = simd};
    if (s->made->major == 4) {
        make_file();
        CHECK(hesai_mirror_read(config.model, file, FILE_BYTES, &s->calibration.mirror,
                                &s->calibration.model) == 0);
        config.calibration = &s->calibration;
    }
    CHECK(lidar_decoder_create(&config, &sink, &s->decoder) == 0);
}

static uint64_t decode(const uint8_t *bytes, size_t size_bytes, enum lidar_simd simd)
{
    if (size_bytes == 0)
        return 0;
    unsigned kind = bytes[0];
    if (kind % 4 == 3) {
        read_changed(bytes + 1, size_bytes - 1, kind);
        return 0;
    }
    struct stream *s = calloc(1, sizeof *s);
    CHECK(s);
    s->in = (struct input){bytes + 1, bytes + size_bytes};
    s->made = &made[kind % 4 + (kind % 4 == 1 && kind & 0x10 ? 2 : 0)];
    s->mode = kind & 4 ? 0x39 : 0x37;
    s->step = s->made->major == 4 ? 5 : s->made->major == 3 ? 40 : 10;
    s->azimuth = 3000;
    s->rooms = (struct rooms){.bytes = ROOM_BYTES, .check = check_rings};
    rooms_make(&s->rooms);
    open_decoder(s, simd);
    for (unsigned i = 0; i < RECORDS_MAX && s->in.at < s->in.end; i++)
        record(s);
    if (kind & 0x80)
        lidar_decoder_flush(s->decoder);
    lidar_decoder_destroy(s->decoder);
    uint64_t sum = s->rooms.sum;
    rooms_end(&s->rooms);
    free(s);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    compare_kernels(decode, bytes, size_bytes);
    return 0;
}
