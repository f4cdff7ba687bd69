/* SPDX-License-Identifier: Apache-2.0 */
/* lidar_bench.c - decoding a synthetic stream of a VLP-16 or an Ouster into a memfd, and filling
 * the same memfd. */
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
#include "drivers/lidar/ouster_frames.h"

#define REGION_BYTES    (UINT64_C(64) << 20)
#define TURNS_DEFAULT   400
#define PACKETS_A_TURN  75 /* an even number of 0.01 degrees a block: 10.05 Hz */
#define PACKET_NS       1327104
#define BLOCKS          12
#define ELEMENTS        32
#define HOUR_US         UINT64_C(3600000000)
#define POINTS_A_PACKET (BLOCKS * ELEMENTS)
#define MISSES_ONE_IN   8 /* shots without a return */

#define OUSTER_BEAMS     128
#define OUSTER_COLUMNS   16 /* in a packet */
#define OUSTER_TURN      1024
#define OUSTER_PACKETS   (OUSTER_TURN / OUSTER_COLUMNS)
#define OUSTER_COLUMN_NS 97656
#define OUSTER_MAX       (64 + OUSTER_COLUMNS * (12 + OUSTER_BEAMS * 16)) /* bytes of a packet */

struct bench {
    uint8_t *region;
    size_t slot_bytes;
    unsigned slot_count, next_slot;
    uint64_t written_bytes;
    struct lidar_decoder *decoder;
    unsigned returns, packets_a_turn, points_a_packet, packet_bytes;
    uint64_t packet_count; /* sent so far */
    void (*stamp)(struct bench *bench, uint8_t *packet);
    struct ouster_metadata metadata;
    uint8_t packets[2 * PACKETS_A_TURN][OUSTER_MAX];
};

/* xorshift: the same stream in every run */
static uint32_t random_next(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static void stamp_block_packet(struct bench *b, uint8_t *packet)
{
    uint64_t stamp_us = b->packet_count * PACKET_NS / b->returns / 1000;
    sl_put_le32(packet + 1200, (uint32_t)(stamp_us % HOUR_US));
}

static void make_block_packets(struct bench *b)
{
    uint32_t random = 1;
    b->packets_a_turn = PACKETS_A_TURN * b->returns;
    b->points_a_packet = POINTS_A_PACKET;
    b->packet_bytes = VELODYNE_DATA_BYTES;
    b->stamp = stamp_block_packet;
    b->slot_bytes = (size_t)(b->packets_a_turn * POINTS_A_PACKET / 8 * 9) * LIDAR_POINT_BYTES;
    unsigned groups = BLOCKS / b->returns;
    for (unsigned i = 0; i < b->packets_a_turn; i++) {
        uint8_t *packet = b->packets[i];
        for (unsigned block = 0; block < BLOCKS; block++) {
            uint8_t *at = packet + block * 100;
            unsigned group = i * groups + block / b->returns;
            sl_put_le16(at, 0xEEFF);
            sl_put_le16(at + 2, (uint16_t)(group * 36000 / (b->packets_a_turn * groups)));
            for (unsigned element = 0; element < ELEMENTS; element++) {
                uint32_t value = random_next(&random);
                bool is_miss = value % MISSES_ONE_IN == 0;
                sl_put_le16(at + 4 + element * 3, is_miss ? 0 : (uint16_t)(500 + value % 49000));
                at[6 + element * 3] = (uint8_t)(value >> 24);
            }
        }
        packet[1204] = b->returns == 2 ? 0x39 : 0x37;
        packet[1205] = 0x22;
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
        b->packets[i][0] = 1;
        for (unsigned column = 0; column < OUSTER_COLUMNS; column++) {
            uint8_t *at = b->packets[i] + f->header_bytes + (size_t)column * f->column_bytes;
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
        struct sl_datagram datagram = {.bytes = b->packets[i], .size_bytes = b->packet_bytes};
        b->stamp(b, b->packets[i]);
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
    if (count[LIDAR_FRAMES_PARTIAL] > 0 || count[LIDAR_GAP] > 0 || count[LIDAR_BAD_ROTATION] > 0)
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
    return TURNS_DEFAULT * PACKETS_A_TURN * POINTS_A_PACKET /
           (b->packets_a_turn * b->points_a_packet);
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
    config.kernel = options->kernel;
    config.frames.block.has_extrinsics = options->has_extrinsics != 0;
    memcpy(config.frames.block.extrinsics, turned, sizeof turned);

    struct bench *b = calloc(1, sizeof *b);
    if (!b)
        return sl_error(-ENOMEM, "lidar bench: no memory");
    b->returns = options->returns == 2 ? 2 : 1;
    if (options->is_ouster) {
        make_ouster_packets(b);
        config.ouster.metadata = &b->metadata;
    } else {
        make_block_packets(b);
    }
    b->slot_bytes = (b->slot_bytes + 4095) / 4096 * 4096;
    b->slot_count = (unsigned)(REGION_BYTES / b->slot_bytes);
    struct lidar_frame_sink sink = {b, open_slot, close_slot, discard_slot};
    int err = map_region(b);
    if (err == 0)
        err = lidar_decoder_create(&config, &sink, &b->decoder);
    if (err == 0)
        err = measure(b, options->turns ? options->turns : default_turns(b), ret_result);
    if (err == 0)
        ret_result->kernel = options->kernel      ? options->kernel
                             : options->is_ouster ? lidar_column_kernel_best()->name
                                                  : lidar_block_kernel_best()->name;
    lidar_decoder_destroy(b->decoder);
    if (b->region)
        munmap(b->region, REGION_BYTES);
    free(b);
    return err;
}

int sl_bench_lidar_decode(struct sl_bench_lidar_result *ret_result)
{
    return sl_bench_lidar_decode_with(NULL, ret_result);
}
