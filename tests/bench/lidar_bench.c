/* SPDX-License-Identifier: Apache-2.0 */
/* lidar_bench.c - decoding a synthetic stream of a sensor into a memfd, and filling the same memfd.
 */
#include "tests/bench/lidar_bench.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/uncached/stream.h"
#include "drivers/lidar/decoder.h"
#include "drivers/lidar/hesai.h"
#include "drivers/lidar/livox_frames.h"
#include "drivers/lidar/ouster_frames.h"
#include "drivers/lidar/robosense.h"

#define REGION_BYTES  (UINT64_C(64) << 20)
#define TURNS_DEFAULT 400
#define TURN_NS       100000000u
#define POINTS_A_RUN  (TURNS_DEFAULT * 75 * 384) /* of a VLP-16; of others as many */
#define HOUR_US       UINT64_C(3600000000)
#define US_PER_S      1000000
#define MISSES_ONE_IN 8 /* shots without a return */

#define OUSTER_BEAMS     128
#define OUSTER_COLUMNS   16 /* in a packet */
#define OUSTER_TURN      1024
#define OUSTER_PACKETS   (OUSTER_TURN / OUSTER_COLUMNS)
#define OUSTER_COLUMN_NS 97656
#define OUSTER_MAX       (64 + OUSTER_COLUMNS * (12 + OUSTER_BEAMS * 16)) /* bytes of a packet */
#define LIVOX_HEADER     36
#define LIVOX_POINTS     96 /* in a packet */
#define LIVOX_POINT      14 /* bytes */
#define LIVOX_PACKET_NS  480000u
#define PACKETS_BYTES    (OUSTER_PACKETS * OUSTER_MAX) /* of a turn: the most of all sensors */

/* Where things are in a block sensor's packets; how many of them the model's table says. */
struct block_sensor {
    const char *model;
    uint16_t packet_bytes, tail_at;
    uint8_t blocks_at, azimuth_at, elements_at; /* in the packet; in a block */
    uint8_t mode_at, microseconds_at;           /* in the tail */
    uint8_t date_at;                            /* 0 = microseconds are those of the hour */
    uint8_t header[42];                         /* blocks_at bytes */
};

static const struct block_sensor block_sensors[] = {
    {"vlp-16", 1206, 1200, 0, 2, 4, 4, 0, 0, {0}},
    {"hdl-32e", 1206, 1200, 0, 2, 4, 4, 0, 0, {0}},
    {"puck-hi-res", 1206, 1200, 0, 2, 4, 4, 0, 0, {0}},
    {"vlp-32a", 1206, 1200, 0, 2, 4, 4, 0, 0, {0}},
    {"vlp-32b", 1206, 1200, 0, 2, 4, 4, 0, 0, {0}},
    {"vlp-32c", 1206, 1200, 0, 2, 4, 4, 0, 0, {0}},
    {"vls-128", 1206, 1200, 0, 2, 4, 4, 0, 0, {0}},
    {"pandar40p", 1262, 1240, 0, 2, 4, 14, 10, 16, {0}},
    {"pandar64", 1194, 1172, 8, 0, 2, 14, 10, 16, {0xEE, 0xFF, 64, 6, 0, 4}},
    {"qt64", 1072, 1044, 12, 0, 2, 16, 12, 18, {0xEE, 0xFF, 3, 1, 0, 0, 64, 4, 0, 4, 1}},
    {"xt16", 568, 540, 12, 0, 2, 10, 19, 13, {0xEE, 0xFF, 6, 1, 0, 0, 16, 8, 0, 4, 1}},
    {"xt32", 1080, 1052, 12, 0, 2, 10, 19, 13, {0xEE, 0xFF, 6, 1, 0, 0, 32, 8, 0, 4, 1}},
    {"helios",
     1248,
     1242,
     42,
     2,
     4,
     0,
     0,
     20,
     {0x55, 0xAA, 0x05, 0x5A, [17] = 1, [30] = 6}}, /* stamps are in the header */
    {"helios-16p", 1248, 1242, 42, 2, 4, 0, 0, 20, {0x55, 0xAA, 0x05, 0x5A, [17] = 1, [30] = 7}},
    {"qt128", 1074, 1044, 12, 0, 2, 12, 21, 15, {0xEE, 0xFF, 3, 2, 0, 0, 128, 2, 0, 4, 1}},
    {"pandar128", 818, 788, 12, 0, 2, 12, 21, 15, {0xEE, 0xFF, 1, 4, 0, 0, 128, 2, 0, 4, 1}},
    {"ot128", 818, 788, 12, 0, 2, 12, 21, 15, {0xEE, 0xFF, 1, 4, 0, 0, 128, 2, 0, 4, 1}},
    {"xt32m2x", 820, 792, 12, 0, 2, 10, 19, 13, {0xEE, 0xFF, 6, 1, 0, 0, 32, 6, 0, 5, 1}},
};
#define BLOCK_SENSORS (sizeof block_sensors / sizeof *block_sensors)

const char *const sl_bench_lidar_models[] = {
    "puck-hi-res", "hdl-32e", "vlp-32a",    "vlp-32b", "vlp-32c", "vls-128", "pandar40p",
    "pandar64",    "qt64",    "xt16",       "xt32",    "xt32m2x", "qt128",   "pandar128",
    "ot128",       "helios",  "helios-16p", "hap",     "mid-360", NULL};

struct bench {
    uint8_t *region;
    size_t slot_bytes;
    unsigned slot_count, next_slot;
    uint64_t written_bytes;
    struct lidar_decoder *decoder;
    unsigned returns, packets_a_turn, points_a_packet, packet_bytes;
    uint64_t packet_count; /* sent so far */
    void (*stamp)(struct bench *bench, uint8_t *packet);
    const struct block_sensor *sensor; /* NULL = an Ouster */
    const struct lidar_model *model;
    const struct livox_model *livox;
    uint64_t packet_ns;
    struct ouster_metadata metadata;
    uint8_t packets[PACKETS_BYTES];
};

/* xorshift: the same stream in every run */
static uint32_t random_next(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static uint8_t *packet_at(struct bench *b, unsigned index)
{
    return b->packets + (size_t)index * b->packet_bytes;
}

/* Seconds and microseconds, in the header. */
static void stamp_robosense_packet(struct bench *b, uint8_t *packet)
{
    uint64_t stamp_us = b->packet_count * b->packet_ns / 1000;
    sl_put_be32(packet + b->sensor->date_at + 2, (uint32_t)(stamp_us / US_PER_S));
    sl_put_be32(packet + b->sensor->date_at + 6, (uint32_t)(stamp_us % US_PER_S));
}

static void stamp_block_packet(struct bench *b, uint8_t *packet)
{
    const struct block_sensor *sensor = b->sensor;
    uint8_t *tail = packet + sensor->tail_at;
    uint64_t stamp_us = b->packet_count * b->packet_ns / 1000;
    if (sensor->date_at == 0) {
        sl_put_le32(tail + sensor->microseconds_at, (uint32_t)(stamp_us % HOUR_US));
        return;
    }
    sl_put_be32(tail + sensor->date_at + 2, (uint32_t)(stamp_us / US_PER_S)); /* no year: seconds */
    sl_put_le32(tail + sensor->microseconds_at, (uint32_t)(stamp_us % US_PER_S));
}

/* Banks of 32 lasers are told apart by it, where a column has several blocks. */
static void put_flag(const struct bench *b, uint8_t *at, unsigned block)
{
    static const uint16_t flags[] = {0xEEFF, 0xDDFF, 0xCCFF, 0xBBFF};
    if (b->sensor->azimuth_at > 0)
        sl_put_le16(at, flags[block / b->returns % b->model->blocks_per_column]);
}

static void put_le16(void *to, uint16_t value)
{
    sl_put_le16(to, value);
}

static void put_be16(void *to, uint16_t value)
{
    sl_put_be16(to, value);
}

static void make_block(const struct bench *b, uint8_t *at, unsigned azimuth, uint32_t *random)
{
    const struct lidar_model *model = b->model;
    unsigned element = model->element_bytes;
    void (*put)(void *, uint16_t) = model->is_big_endian ? put_be16 : put_le16;
    put(at + b->sensor->azimuth_at, (uint16_t)azimuth);
    for (unsigned e = b->sensor->elements_at; e + element <= model->block_bytes; e += element) {
        uint32_t value = random_next(random);
        bool is_miss = value % MISSES_ONE_IN == 0;
        put(at + e, is_miss ? 0 : (uint16_t)(500 + value % 49000));
        at[e + 2] = (uint8_t)(value >> 24);
    }
}

static void make_block_packets(struct bench *b)
{
    const struct block_sensor *sensor = b->sensor;
    const struct lidar_model *model = b->model;
    uint32_t random = 1;
    unsigned columns = lidar_model_columns(model, b->returns);
    unsigned groups = model->blocks / model->blocks_per_column / b->returns;
    b->packet_ns = (uint64_t)columns * model->column_period_ns;
    b->packets_a_turn =
        TURN_NS / ((unsigned)b->packet_ns * b->returns) * b->returns; /* an even number */
    b->points_a_packet = columns * model->lasers * b->returns;
    b->packet_bytes = sensor->packet_bytes;
    b->stamp = model->is_big_endian ? stamp_robosense_packet : stamp_block_packet;
    b->slot_bytes = (size_t)b->packets_a_turn * b->points_a_packet / 8 * 9 * LIDAR_POINT_BYTES;
    for (unsigned i = 0; i < b->packets_a_turn; i++) {
        uint8_t *packet = packet_at(b, i);
        memcpy(packet, sensor->header, sensor->blocks_at);
        for (unsigned block = 0; block < model->blocks; block++) {
            uint8_t *at = packet + sensor->blocks_at + (size_t)block * model->block_bytes;
            unsigned group = i * groups + block / b->returns / model->blocks_per_column;
            put_flag(b, at, block);
            make_block(b, at, group * LIDAR_AZIMUTH_UNITS / (b->packets_a_turn * groups), &random);
        }
        packet[sensor->tail_at + sensor->mode_at] = b->returns == 2 ? 0x39 : 0x37;
        if (sensor->date_at == 0)
            packet[1205] = model->product_id;
    }
}

static void stamp_ouster_packet(struct bench *b, uint8_t *packet)
{
    const struct ouster_format *f = &b->metadata.format;
    uint64_t column = b->packet_count * OUSTER_COLUMNS;
    sl_put_le16(packet + 2, (uint16_t)(b->packet_count / OUSTER_PACKETS));
    for (unsigned i = 0; i < OUSTER_COLUMNS; i++, column++)
        sl_put_le64(packet + f->header_bytes + (size_t)i * f->column_bytes,
                    column * OUSTER_COLUMN_NS);
}

static void describe_ouster(struct bench *b)
{
    struct ouster_metadata *m = &b->metadata;
    static const double half_turn[16] = {-1, 0, 0, 0, 0, -1, 0, 0, 0, 0, 1, 36.18, 0, 0, 0, 1};
    const char *profile =
        b->returns == 2 ? "RNG19_RFL8_SIG16_NIR16_DUAL" : "RNG19_RFL8_SIG16_NIR16";
    (void)ouster_format_init(&m->format, ouster_profile_find(profile), false, OUSTER_BEAMS,
                             OUSTER_COLUMNS, OUSTER_TURN);
    (void)ouster_imu_format_init(&m->imu, true, 1);
    m->window_last = OUSTER_TURN - 1;
    m->turns_hz = 10;
    m->beam_to_lidar[3] = 27.67;
    memcpy(m->lidar_to_sensor, half_turn, sizeof half_turn);
    memcpy(m->imu_to_sensor, half_turn, sizeof half_turn);
    for (unsigned i = 0; i < OUSTER_BEAMS; i++) {
        m->altitude_deg[i] = 45 - 0.7 * i;
        m->azimuth_deg[i] = 4 - 2.5 * (i % 4);
    }
}

static void make_ouster_packets(struct bench *b)
{
    uint32_t random = 1;
    describe_ouster(b);
    const struct ouster_format *f = &b->metadata.format;
    b->packets_a_turn = OUSTER_PACKETS;
    b->points_a_packet = OUSTER_COLUMNS * OUSTER_BEAMS * b->returns;
    b->packet_bytes = f->packet_bytes;
    b->stamp = stamp_ouster_packet;
    b->slot_bytes = ouster_frame_bytes(&b->metadata);
    for (unsigned i = 0; i < OUSTER_PACKETS; i++) {
        uint8_t *packet = packet_at(b, i);
        packet[0] = 1;
        for (unsigned column = 0; column < OUSTER_COLUMNS; column++) {
            uint8_t *at = packet + f->header_bytes + (size_t)column * f->column_bytes;
            sl_put_le16(at + 8, (uint16_t)(i * OUSTER_COLUMNS + column));
            sl_put_le16(at + 10, 1);
            for (unsigned word = 0; word < f->profile->pixel_bytes / 4u * OUSTER_BEAMS; word++) {
                uint32_t value = random_next(&random);
                sl_put_le32(at + 12 + 4 * word,
                            value % MISSES_ONE_IN ? value : value & ~UINT32_C(0x7FFFF));
            }
        }
    }
}

static void stamp_livox_packet(struct bench *b, uint8_t *packet)
{
    sl_put_le16(packet + 7, (uint16_t)b->packet_count);
    sl_put_le64(packet + 28, SL_NS_PER_S + b->packet_count * LIVOX_PACKET_NS);
}

static void make_livox_packets(struct bench *b)
{
    uint32_t random = 1;
    b->packets_a_turn = TURN_NS / LIVOX_PACKET_NS;
    b->points_a_packet = LIVOX_POINTS;
    b->packet_bytes = LIVOX_HEADER + LIVOX_POINTS * LIVOX_POINT;
    b->stamp = stamp_livox_packet;
    b->slot_bytes = livox_frame_bytes_max(b->livox, TURN_NS);
    for (unsigned i = 0; i < b->packets_a_turn; i++) {
        uint8_t *packet = packet_at(b, i);
        sl_put_le16(packet + 1, (uint16_t)b->packet_bytes);
        sl_put_le16(packet + 3, LIVOX_PACKET_NS / 100);
        sl_put_le16(packet + 5, LIVOX_POINTS);
        packet[10] = 1; /* x, y, z in mm */
        for (unsigned point = 0; point < LIVOX_POINTS; point++) {
            uint8_t *at = packet + LIVOX_HEADER + point * LIVOX_POINT;
            bool is_miss = random_next(&random) % MISSES_ONE_IN == 0;
            for (unsigned axis = 0; axis < 3; axis++)
                sl_put_le32(at + 4 * axis, is_miss ? 0 : random_next(&random) % 60000 - 30000);
            at[12] = (uint8_t)random;
        }
    }
}

static int open_slot(void *context, struct lidar_frame_room *ret_room)
{
    struct bench *b = context;
    ret_room->data = b->region + (size_t)b->next_slot * b->slot_bytes;
    ret_room->capacity_bytes = b->slot_bytes;
    ret_room->handle = NULL;
    b->next_slot = (b->next_slot + 1) % b->slot_count;
    return 0;
}

static void close_slot(void *context, void *handle, const struct lidar_frame_info *info)
{
    struct bench *b = context;
    (void)handle;
    b->written_bytes += info->size_bytes;
}

static void discard_slot(void *context, void *handle)
{
    (void)context;
    (void)handle;
}

static int push_turn(struct bench *b)
{
    for (unsigned i = 0; i < b->packets_a_turn; i++) {
        uint8_t *packet = packet_at(b, i);
        struct sl_datagram datagram = {.bytes = packet, .size_bytes = b->packet_bytes};
        b->stamp(b, packet);
        b->packet_count++;
        int err = lidar_decoder_push(b->decoder, &datagram);
        if (err < 0)
            return err;
    }
    return 0;
}

/* Seconds for so many turns. */
static int time_decode(struct bench *b, unsigned turns, double *ret_s)
{
    uint64_t start_ns = sl_clock_monotonic_ns();
    for (unsigned i = 0; i < turns; i++) {
        int err = push_turn(b);
        if (err < 0)
            return err;
    }
    *ret_s = (double)(sl_clock_monotonic_ns() - start_ns) / (double)SL_NS_PER_S;
    return 0;
}

static double time_fill(struct bench *b, uint64_t bytes)
{
    uint64_t start_ns = sl_clock_monotonic_ns();
    for (uint64_t left = bytes; left > 0;) {
        uint64_t size = left < b->slot_bytes ? left : b->slot_bytes;
        sl_stream_fill(b->region + (size_t)b->next_slot * b->slot_bytes, 0x5A, size);
        sl_stream_fence();
        b->next_slot = (b->next_slot + 1) % b->slot_count;
        left -= size;
    }
    return (double)(sl_clock_monotonic_ns() - start_ns) / (double)SL_NS_PER_S;
}

static int compare_numbers(const void *one, const void *other)
{
    double a = *(const double *)one, b = *(const double *)other;
    return (a > b) - (a < b);
}

static double median(double *numbers, unsigned count)
{
    qsort(numbers, count, sizeof *numbers, compare_numbers);
    return numbers[count / 2];
}

static int measure(struct bench *b, unsigned turns, struct sl_bench_lidar_result *result)
{
    double points_rate[SL_BENCH_LIDAR_PAIRS], decode_rate[SL_BENCH_LIDAR_PAIRS];
    double fill_rate[SL_BENCH_LIDAR_PAIRS], ratio[SL_BENCH_LIDAR_PAIRS], seconds = 0;
    uint64_t points = (uint64_t)turns * b->packets_a_turn * b->points_a_packet;
    int err = time_decode(b, turns / 4 + 1, &seconds); /* warm up */
    for (unsigned i = 0; err == 0 && i < SL_BENCH_LIDAR_PAIRS; i++) {
        b->written_bytes = 0;
        err = time_decode(b, turns, &seconds);
        if (err < 0)
            break;
        points_rate[i] = (double)points / seconds;
        decode_rate[i] = points_rate[i] * LIDAR_POINT_BYTES;
        fill_rate[i] = (double)b->written_bytes / time_fill(b, b->written_bytes);
        ratio[i] = decode_rate[i] / fill_rate[i];
    }
    if (err < 0)
        return err;
    const uint64_t *count = lidar_decoder_counts(b->decoder)->count;
    if (count[LIDAR_FRAMES] == 0 || count[LIDAR_FRAMES_PARTIAL] > 0 || count[LIDAR_GAP] > 0 ||
        count[LIDAR_BAD_ROTATION] > 0)
        return sl_error(-EPROTO, "lidar bench: its own packets were not decoded without loss");
    *result = (struct sl_bench_lidar_result){
        .stream = sl_stream_variant(),
        .pairs = SL_BENCH_LIDAR_PAIRS,
        .region_bytes = REGION_BYTES,
        .points = points,
        .decode_points_per_s = median(points_rate, SL_BENCH_LIDAR_PAIRS),
        .decode_bytes_per_s = median(decode_rate, SL_BENCH_LIDAR_PAIRS),
        .fill_bytes_per_s = median(fill_rate, SL_BENCH_LIDAR_PAIRS),
        .decode_fill_rate_ratio = median(ratio, SL_BENCH_LIDAR_PAIRS),
    };
    return 0;
}

/* As many points in each measurement, whatever the sensor. */
static unsigned default_turns(const struct bench *b)
{
    return POINTS_A_RUN / (b->packets_a_turn * b->points_a_packet);
}

static int find_sensor(struct bench *b, const char *name)
{
    for (unsigned i = 0; i < BLOCK_SENSORS; i++) {
        if (strcmp(block_sensors[i].model, name) == 0)
            b->sensor = &block_sensors[i];
    }
    b->model = velodyne_model_find(name);
    if (!b->model)
        b->model = hesai_model_find(name);
    if (!b->model)
        b->model = robosense_model_find(name);
    return b->sensor && b->model ? 0 : sl_error(-EINVAL, "lidar bench: no sensor \"%s\"", name);
}

static int map_region(struct bench *b)
{
    int fd = memfd_create("sluice-bench-lidar", MFD_CLOEXEC);
    if (fd < 0)
        return sl_error(-errno, "lidar bench: memfd: %m");
    if (ftruncate(fd, (off_t)REGION_BYTES) < 0) {
        int err = sl_error(-errno, "lidar bench: memfd of %llu bytes: %m",
                           (unsigned long long)REGION_BYTES);
        close(fd);
        return err;
    }
    void *map = mmap(NULL, REGION_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    int err = map == MAP_FAILED ? sl_error(-errno, "lidar bench: mapping the memfd: %m") : 0;
    close(fd);
    if (err == 0)
        b->region = map;
    return err;
}

int sl_bench_lidar_decode_with(const struct sl_bench_lidar_options *options,
                               struct sl_bench_lidar_result *ret_result)
{
    static const struct sl_bench_lidar_options defaults;
    static const float turned[12] = {0, -1, 0, 1, 1, 0, 0, 2, 0, 0, 1, 3};
    struct lidar_decoder_config config = {.frames.stamp = LIDAR_STAMP_SENSOR};
    if (!options)
        options = &defaults;
    config.simd = options->simd;
    config.frames.block.has_extrinsics = options->has_extrinsics != 0;
    memcpy(config.frames.block.extrinsics, turned, sizeof turned);

    struct bench *b = calloc(1, sizeof *b);
    if (!b)
        return sl_error(-ENOMEM, "lidar bench: no memory");
    int err = 0;
    b->returns = options->returns == 2 && !options->model ? 2 : 1;
    if (options->is_ouster) {
        make_ouster_packets(b);
        config.ouster.metadata = &b->metadata;
    } else if (options->model && livox_model_find(options->model)) {
        b->livox = livox_model_find(options->model);
        make_livox_packets(b);
        config.livox.model = b->livox;
        config.livox.period_ns = TURN_NS;
    } else {
        err = find_sensor(b, options->model ? options->model : "vlp-16");
        if (err == 0)
            make_block_packets(b);
        config.model = b->model;
    }
    if (err < 0) {
        free(b);
        return err;
    }
    b->slot_bytes = (b->slot_bytes + 4095) / 4096 * 4096;
    b->slot_count = (unsigned)(REGION_BYTES / b->slot_bytes);
    struct lidar_frame_sink sink = {b, open_slot, close_slot, discard_slot, NULL};
    err = map_region(b);
    if (err == 0)
        err = lidar_decoder_create(&config, &sink, &b->decoder);
    if (err == 0)
        err = measure(b, options->turns ? options->turns : default_turns(b), ret_result);
    if (err == 0)
        ret_result->simd = options->simd == LIDAR_SIMD_AUTO ? lidar_simd_best() : options->simd;
    lidar_decoder_destroy(b->decoder);
    if (b->region)
        munmap(b->region, REGION_BYTES);
    free(b);
    return err;
}
