/* SPDX-License-Identifier: Apache-2.0 */
/* test_ouster_frames.c - turns out of packets that are lost, late, twice, of a window, of a sensor
 * that starts again. The sensor is made by hand: 16 beams, 64 columns a turn in 16 packets.
 */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "drivers/lidar/ouster_frames.h"
#include "tests/lidar/frames.h"

#define BEAMS        16
#define COLUMNS      4
#define TURN_COLUMNS 64
#define PACKETS      16
#define PACKET_BYTES (32 + COLUMNS * (12 + BEAMS * 8) + 32) /* two returns; one has less */
#define PERIOD_NS    1562500                                /* of columns, at 10 turns a second */
#define TURN_NS      100000000
#define START_NS     UINT64_C(5000000000) /* the sensor was switched on then */
#define HOST_NS      UINT64_C(1700000000000000000)
#define ROOM_BYTES   (2 * TURN_COLUMNS * BEAMS * 22)
#define RANGE_MM     8000

struct sensor {
    unsigned returns;
    uint32_t init_id, first_frame;
    uint16_t invalid; /* a bit a column of each packet */
    uint64_t start_ns;
};

static struct frames kept, reference;
static struct ouster_frames frames;
static struct lidar_counts counts;
static struct ouster_metadata metadata;
static struct sensor sensor;

static void set_up(struct frames *to, unsigned returns, unsigned first, unsigned last)
{
    static const double half_turn[16] = {-1, 0, 0, 0, 0, -1, 0, 0, 0, 0, 1, 36.18, 0, 0, 0, 1};
    const struct ouster_profile *profile =
        ouster_profile_find(returns == 2 ? "RNG15_RFL8_NIR8_DUAL" : "RNG15_RFL8_NIR8");
    memset(&metadata, 0, sizeof metadata);
    assert_int_equal(
        ouster_format_init(&metadata.format, profile, false, BEAMS, COLUMNS, TURN_COLUMNS), 0);
    metadata.turns_hz = 10;
    metadata.window_first = (uint16_t)first;
    metadata.window_last = (uint16_t)last;
    metadata.beam_to_lidar[3] = 15;
    memcpy(metadata.lidar_to_sensor, half_turn, sizeof half_turn);
    for (unsigned i = 0; i < BEAMS; i++)
        metadata.altitude_deg[i] = 15 - 2.0 * i;
    sensor = (struct sensor){
        .returns = returns, .init_id = 1000, .first_frame = 100, .start_ns = START_NS};
    frames_init(to, ROOM_BYTES);
}

static void start_with(struct frames *to, const struct ouster_frames_options *options)
{
    struct lidar_frame_sink sink = frames_sink(to);
    memset(&counts, 0, sizeof counts);
    ouster_frames_init(&frames, &metadata, options, &sink, &counts, NULL);
}

static void start(unsigned returns, unsigned first, unsigned last)
{
    static const struct ouster_frames_options options = {0};
    set_up(&kept, returns, first, last);
    start_with(&kept, &options);
}

static uint64_t count_of(enum lidar_count which)
{
    return counts.count[which];
}

/* Packet `index` of turn `turn`, byte by byte. The reflectivity tells turn, column and beam. */
static unsigned make_packet(unsigned turn, unsigned index, uint8_t bytes[PACKET_BYTES])
{
    unsigned pixel_bytes = sensor.returns * 4;
    unsigned column_bytes = 12 + BEAMS * pixel_bytes;
    memset(bytes, 0, PACKET_BYTES);
    bytes[0] = 1;
    sl_put_le16(bytes + 2, (uint16_t)(sensor.first_frame + turn));
    sl_put_le16(bytes + 4, (uint16_t)sensor.init_id);
    bytes[7] = 42;
    for (unsigned i = 0; i < COLUMNS; i++) {
        uint8_t *column = bytes + 32 + i * column_bytes;
        unsigned m = index * COLUMNS + i;
        sl_put_le64(column, sensor.start_ns + (uint64_t)turn * TURN_NS + (uint64_t)m * PERIOD_NS);
        sl_put_le16(column + 8, (uint16_t)m);
        sl_put_le16(column + 10, !(sensor.invalid >> i & 1));
        for (unsigned beam = 0; beam < BEAMS; beam++) {
            uint8_t *pixel = column + 12 + beam * pixel_bytes;
            sl_put_le16(pixel, RANGE_MM / 8);
            pixel[2] = (uint8_t)(turn * 7 + m + beam);
            if (sensor.returns == 2) {
                sl_put_le16(pixel + 4, beam % 2 ? 0 : RANGE_MM / 4);
                pixel[6] = (uint8_t)(200 + beam);
            }
        }
    }
    return 32 + COLUMNS * column_bytes + 32;
}

static uint64_t arrival_ns(unsigned turn, unsigned index)
{
    return HOST_NS + (uint64_t)turn * TURN_NS + (uint64_t)(index + 1) * COLUMNS * PERIOD_NS;
}

static enum lidar_count push(unsigned turn, unsigned index)
{
    uint8_t bytes[PACKET_BYTES];
    struct ouster_packet packet;
    unsigned size = make_packet(turn, index, bytes);
    assert_int_equal(ouster_packet_parse(&metadata.format, bytes, size, &packet), LIDAR_PACKETS);
    return ouster_frames_push(&frames, &packet, arrival_ns(turn, index));
}

static void push_range(unsigned turn, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++)
        assert_int_equal(push(turn, i), LIDAR_PACKETS);
}

static void finish(void)
{
    ouster_frames_flush(&frames);
    frames_finish(&kept);
}

static const struct lidar_frame_info *info(unsigned frame)
{
    assert_true(frame < kept.closed);
    return &kept.kept[frame].info;
}

static unsigned intensity(unsigned frame, unsigned row, unsigned ring)
{
    return (unsigned)frame_point(&kept.kept[frame], row, ring).intensity;
}

static bool is_hole(unsigned frame, unsigned row)
{
    struct point first = frame_point(&kept.kept[frame], row, 0);
    for (unsigned ring = 0; ring < BEAMS; ring++) {
        struct point p = frame_point(&kept.kept[frame], row, ring);
        assert_int_equal(point_is_hole(&p), point_is_hole(&first));
        assert_int_equal(p.ring, ring);
        if (point_is_hole(&p))
            assert_true(fabs((double)p.time - row * 0.0015625) < 1e-6);
    }
    return point_is_hole(&first);
}

static void a_frame_is_handed_on_with_its_last_packet(void **unused)
{
    (void)unused;
    start(1, 0, 63);
    push_range(0, 0, PACKETS - 1);
    assert_int_equal(kept.closed, 0);
    push(0, PACKETS - 1);
    assert_int_equal(kept.closed, 1);
    const struct lidar_frame_info *i = info(0);
    assert_int_equal(i->width, BEAMS);
    assert_int_equal(i->height, 64);
    assert_int_equal(i->returns, 1);
    assert_int_equal(i->missing, 0);
    assert_int_equal(i->partial, 0);
    assert_int_equal(i->valid, 64 * BEAMS);
    assert_true(i->sensor_ns == START_NS);
    assert_true(i->host_first_ns == arrival_ns(0, 0) && i->host_last_ns == arrival_ns(0, 15));
    for (unsigned row = 0; row < 64; row++) {
        for (unsigned ring = 0; ring < BEAMS; ring++) {
            struct point p = frame_point(&kept.kept[0], row, ring);
            assert_true(p.intensity == (float)(row + ring));
            assert_true(fabs((double)p.time - row * 0.0015625) < 1e-7);
            /* 8 m less the 15 mm of the origin, along the beam; column 0 looks back in the
             * sensor's frame, and turns to the right */
            double te = -2 * M_PI * row / 64, ph = (15 - 2.0 * ring) * M_PI / 180;
            double flat = (8 - 0.015) * cos(ph) + 0.015;
            assert_true(fabs((double)p.x + flat * cos(te)) < 1e-6);
            assert_true(fabs((double)p.y + flat * sin(te)) < 1e-6);
            assert_true(fabs((double)p.z - (7.985 * sin(ph) + 0.03618)) < 1e-6);
        }
    }
    assert_int_equal(count_of(LIDAR_GAP), 0);
    finish();
    assert_int_equal(kept.closed, 1);
}

static void second_returns_are_the_second_half(void **unused)
{
    (void)unused;
    start(2, 0, 63);
    push_range(0, 0, PACKETS);
    assert_int_equal(info(0)->height, 128);
    assert_int_equal(info(0)->returns, 2);
    assert_int_equal(info(0)->columns, 64);
    assert_int_equal(info(0)->valid, 64 * (BEAMS + BEAMS / 2));
    for (unsigned row = 0; row < 64; row++) {
        for (unsigned ring = 0; ring < BEAMS; ring++) {
            struct point second = frame_point(&kept.kept[0], 64 + row, ring);
            assert_int_equal(intensity(0, row, ring), row + ring);
            assert_int_equal(point_is_hole(&second), ring % 2);
            assert_true(second.intensity == (ring % 2 ? 0 : (float)(200 + ring)));
            double far = 16 - 0.015, ph = (15 - 2.0 * ring) * M_PI / 180;
            if (ring % 2 == 0)
                assert_true(fabs((double)second.z - (far * sin(ph) + 0.03618)) < 1e-6);
        }
    }
    finish();
}

static void packets_in_any_order_give_the_same_frame(void **unused)
{
    (void)unused;
    static const struct ouster_frames_options options = {0};
    set_up(&reference, 1, 0, 63);
    start_with(&reference, &options);
    push_range(0, 0, PACKETS);
    start(1, 0, 63);
    for (unsigned i = 0; i < PACKETS; i++)
        push(0, i * 7 % PACKETS);
    assert_int_equal(kept.closed, 1);
    assert_memory_equal(kept.kept[0].data, reference.kept[0].data, info(0)->size_bytes);
    assert_true(count_of(LIDAR_REORDERED) > 0);
    assert_true(count_of(LIDAR_GAP) == count_of(LIDAR_REORDERED));
    finish();
    frames_finish(&reference);
}

static void packets_that_come_twice_are_left_out(void **unused)
{
    (void)unused;
    start(1, 0, 63);
    for (unsigned i = 0; i < PACKETS; i++) {
        push(0, i);
        push(0, i);
    }
    assert_int_equal(count_of(LIDAR_DUPLICATE), PACKETS); /* the last one comes after the frame */
    assert_int_equal(kept.closed, 1);
    assert_int_equal(info(0)->valid, 64 * BEAMS);
    push_range(1, 0, PACKETS);
    push(1, 3);
    assert_int_equal(kept.closed, 2);
    assert_int_equal(count_of(LIDAR_DUPLICATE), PACKETS + 1);
    finish();
}

static void what_was_lost_leaves_holes(void **unused)
{
    (void)unused;
    start(1, 0, 63);
    push_range(0, 0, 5);
    push_range(0, 7, PACKETS);
    assert_int_equal(kept.closed, 0); /* they may still come */
    push_range(1, 0, LIDAR_LATE_PACKETS);
    assert_int_equal(kept.closed, 0);
    push(1, LIDAR_LATE_PACKETS);
    assert_int_equal(kept.closed, 1);
    assert_int_equal(info(0)->missing, 8);
    assert_int_equal(info(0)->partial, 0);
    assert_int_equal(info(0)->valid, 56 * BEAMS);
    for (unsigned row = 0; row < 64; row++)
        assert_int_equal(is_hole(0, row), row >= 20 && row < 28);
    assert_int_equal(count_of(LIDAR_GAP), 2);
    push(0, 5);
    assert_int_equal(count_of(LIDAR_LATE), 1);
    push_range(1, LIDAR_LATE_PACKETS + 1, PACKETS);
    assert_int_equal(kept.closed, 2);
    finish();
}

static void a_late_packet_finds_the_older_frame(void **unused)
{
    (void)unused;
    start(1, 0, 63);
    push_range(0, 0, PACKETS - 1);
    push(1, 0);
    push(1, 1);
    assert_int_equal(kept.closed, 0);
    push(0, PACKETS - 1);
    assert_int_equal(kept.closed, 1);
    assert_int_equal(info(0)->missing, 0);
    assert_int_equal(count_of(LIDAR_GAP), 1);
    push_range(1, 2, PACKETS);
    assert_int_equal(kept.closed, 2);
    assert_int_equal(info(1)->missing, 0);
    assert_true(info(1)->sensor_ns - info(0)->sensor_ns == TURN_NS);
    finish();
}

static void lost_turns_are_counted_by_their_packets(void **unused)
{
    (void)unused;
    start(1, 0, 63);
    push_range(0, 0, 4);
    push_range(3, 2, 8);
    assert_int_equal(count_of(LIDAR_GAP), 12 + 2 * PACKETS + 2);
    finish();
    assert_int_equal(count_of(LIDAR_FRAMES), 2);
}

static void a_window_has_its_columns_alone(void **unused)
{
    (void)unused;
    start(1, 6, 13); /* of packets 1, 2 and 3 */
    push_range(0, 1, 3);
    assert_int_equal(kept.closed, 0);
    push(0, 3);
    assert_int_equal(kept.closed, 1);
    assert_int_equal(info(0)->height, 8);
    assert_int_equal(info(0)->partial, 0);
    assert_int_equal(info(0)->missing, 0);
    assert_true(info(0)->sensor_ns == START_NS + 6 * PERIOD_NS);
    for (unsigned row = 0; row < 8; row++)
        assert_int_equal(intensity(0, row, 0), 6 + row);
    assert_int_equal(push(1, 9), LIDAR_OTHER_MODEL);
    assert_int_equal(count_of(LIDAR_OTHER_MODEL), 1);
    finish();
}

static void a_window_over_the_turns_end_begins_at_its_start(void **unused)
{
    (void)unused;
    start(1, 58, 1); /* columns 0, 1 and 58 ... 63: packets 0, 14 and 15 */
    push(0, 0);
    push(0, 14);
    push(0, 15);
    assert_int_equal(kept.closed, 1);
    assert_int_equal(info(0)->height, 8);
    assert_int_equal(count_of(LIDAR_GAP), 0);
    static const unsigned ids[8] = {0, 1, 58, 59, 60, 61, 62, 63};
    for (unsigned row = 0; row < 8; row++) {
        struct point p = frame_point(&kept.kept[0], row, 0);
        assert_true(p.intensity == (float)ids[row]);
        assert_true(fabs((double)p.time - ids[row] * 0.0015625) < 1e-7);
    }
    finish();
}

static void invalid_columns_are_holes_that_came(void **unused)
{
    (void)unused;
    start(1, 0, 63);
    sensor.invalid = 1u << 2;
    push_range(0, 0, PACKETS);
    assert_int_equal(kept.closed, 1);
    assert_int_equal(info(0)->missing, 0);
    assert_int_equal(info(0)->valid, 48 * BEAMS);
    for (unsigned row = 0; row < 64; row++)
        assert_int_equal(is_hole(0, row), row % 4 == 2);
    sensor.invalid = 0xF;
    push_range(1, 0, PACKETS);
    assert_int_equal(kept.closed, 2);
    assert_int_equal(info(1)->valid, 0);
    finish();
}

static void a_stream_that_begins_within_a_turn_says_so(void **unused)
{
    (void)unused;
    start(1, 0, 63);
    push_range(0, 9, PACKETS);
    push_range(1, 0, PACKETS);
    assert_int_equal(kept.closed, 2);
    assert_int_equal(info(0)->partial, LIDAR_PARTIAL_START);
    assert_int_equal(info(0)->missing, 36);
    assert_true(info(0)->sensor_ns == START_NS);
    assert_int_equal(info(1)->partial, 0);
    push_range(2, 0, 3);
    ouster_frames_flush(&frames);
    assert_int_equal(info(2)->partial, LIDAR_PARTIAL_END);
    assert_int_equal(count_of(LIDAR_FRAMES_PARTIAL), 2);
    finish();
}

static void a_sensor_that_starts_again_begins_a_frame(void **unused)
{
    (void)unused;
    start(1, 0, 63);
    push_range(0, 0, 8);
    sensor.init_id++;
    sensor.first_frame = 0;
    sensor.start_ns = 1000;
    push_range(0, 0, PACKETS);
    assert_int_equal(count_of(LIDAR_RESTART_SENSOR), 1);
    assert_int_equal(kept.closed, 2);
    assert_int_equal(info(0)->partial, LIDAR_PARTIAL_END);
    assert_int_equal(info(1)->partial, 0);
    assert_true(info(1)->sensor_ns == 1000);
    finish();
}

static void frame_ids_and_stamps_that_go_back_begin_anew(void **unused)
{
    (void)unused;
    start(1, 0, 63);
    push_range(0, 0, 8);
    sensor.first_frame = 3;
    push_range(0, 0, PACKETS);
    assert_int_equal(count_of(LIDAR_RESTART_BACK), 1);
    sensor.first_frame = 4;
    sensor.start_ns -= UINT64_C(4000000000);
    push_range(0, 0, PACKETS);
    assert_int_equal(count_of(LIDAR_RESTART_BACK), 2);
    sensor.first_frame = 5;
    sensor.start_ns += UINT64_C(1700000000000000000);
    push_range(0, 0, PACKETS);
    assert_int_equal(count_of(LIDAR_RESTART_AHEAD), 1);
    assert_int_equal(kept.closed, 4);
    for (unsigned i = 1; i < 4; i++)
        assert_int_equal(info(i)->missing, 0);
    finish();
}

static void frame_ids_go_round(void **unused)
{
    (void)unused;
    start(1, 0, 63);
    sensor.first_frame = 65534;
    for (unsigned turn = 0; turn < 4; turn++)
        push_range(turn, 0, PACKETS);
    assert_int_equal(kept.closed, 4);
    assert_int_equal(count_of(LIDAR_GAP), 0);
    assert_int_equal(count_of(LIDAR_RESTART_BACK), 0);
    finish();
}

static void an_overdue_frame_is_closed_by_the_deadline(void **unused)
{
    (void)unused;
    start(1, 0, 63);
    assert_true(ouster_frames_due_ns(&frames) == UINT64_MAX);
    push_range(0, 0, 14);
    uint64_t due_ns = ouster_frames_due_ns(&frames);
    /* two packets, one to spare, and what a network may take */
    assert_true(due_ns >= arrival_ns(0, 15) && due_ns < arrival_ns(0, 18) + 10000000);
    ouster_frames_deadline(&frames, due_ns - 1);
    assert_int_equal(kept.closed, 0);
    ouster_frames_deadline(&frames, due_ns);
    assert_int_equal(kept.closed, 1);
    assert_int_equal(info(0)->partial, LIDAR_PARTIAL_END | LIDAR_PARTIAL_OVERDUE);
    assert_int_equal(info(0)->missing, 8);
    assert_true(ouster_frames_due_ns(&frames) == UINT64_MAX);
    push(0, 14);
    assert_int_equal(count_of(LIDAR_LATE), 1);
    push_range(1, 0, PACKETS);
    assert_int_equal(kept.closed, 2);
    finish();
}

static void a_frame_with_a_gap_waits_some_milliseconds_for_it(void **unused)
{
    (void)unused;
    start(1, 0, 63);
    push_range(0, 0, 14);
    push(0, 15);
    push(1, 0);
    assert_int_equal(kept.closed, 0);
    ouster_frames_deadline(&frames, arrival_ns(1, 0) + 9999999);
    assert_int_equal(kept.closed, 0);
    ouster_frames_deadline(&frames, arrival_ns(1, 0) + 10000000);
    assert_int_equal(kept.closed, 1);
    assert_int_equal(info(0)->missing, 4);
    finish();
}

static void packets_without_a_place_are_left_out(void **unused)
{
    (void)unused;
    uint8_t bytes[PACKET_BYTES];
    struct ouster_packet packet;
    start(1, 0, 63);
    unsigned size = make_packet(0, 2, bytes), column_bytes = 12 + BEAMS * 4;
    assert_int_equal(ouster_packet_parse(&metadata.format, bytes, size, &packet), LIDAR_PACKETS);
    sl_put_le16(bytes + 32 + column_bytes + 8, 40); /* one column out of line */
    assert_int_equal(ouster_frames_push(&frames, &packet, 0), LIDAR_BAD_AZIMUTH);
    for (unsigned i = 0; i < COLUMNS; i++) /* beyond the turn */
        sl_put_le16(bytes + 32 + i * column_bytes + 8, (uint16_t)(64 + i));
    assert_int_equal(ouster_frames_push(&frames, &packet, 0), LIDAR_BAD_AZIMUTH);
    for (unsigned i = 0; i < COLUMNS; i++) /* between two packets */
        sl_put_le16(bytes + 32 + i * column_bytes + 8, (uint16_t)(9 + i));
    assert_int_equal(ouster_frames_push(&frames, &packet, 0), LIDAR_BAD_AZIMUTH);
    for (unsigned i = 0; i < COLUMNS; i++)
        sl_put_le16(bytes + 32 + i * column_bytes + 8, 65535);
    assert_int_equal(ouster_frames_push(&frames, &packet, 0), LIDAR_BAD_AZIMUTH);
    assert_int_equal(count_of(LIDAR_BAD_AZIMUTH), 4);
    finish();
    assert_int_equal(kept.opened, 0);
}

static void a_frame_without_memory_is_counted_and_the_next_one_written(void **unused)
{
    (void)unused;
    start(1, 0, 63);
    kept.refuse = 1;
    push_range(0, 0, PACKETS);
    push_range(1, 0, PACKETS);
    assert_int_equal(count_of(LIDAR_FRAMES_DROPPED), 1);
    assert_int_equal(count_of(LIDAR_FRAMES), 1);
    assert_int_equal(kept.closed, 1);
    finish();
    start(1, 0, 63);
    kept.capacity_bytes = 64 * BEAMS * 22 - 32; /* too small */
    push_range(0, 0, PACKETS);
    assert_int_equal(count_of(LIDAR_FRAMES_DROPPED), 1);
    finish();
}

static void stamps_are_utc_by_the_best_clock_there_is(void **unused)
{
    (void)unused;
    struct ouster_frames_options options = {.ptp_ahead_ns = INT64_C(37000000000)};
    const uint64_t tai_ns = UINT64_C(1700000037000000000);
    set_up(&kept, 1, 0, 63);
    start_with(&kept, &options);
    push_range(0, 0, PACKETS); /* since it was switched on: by the arrival times */
    assert_int_equal(info(0)->clock, LIDAR_CLOCK_FREE_RUNNING);
    assert_true(llabs((long long)(info(0)->stamp_ns - HOST_NS)) < 1000);
    finish();

    set_up(&kept, 1, 0, 63);
    metadata.clock = OUSTER_CLOCK_PTP;
    sensor.start_ns = tai_ns;
    start_with(&kept, &options);
    push_range(0, 0, PACKETS);
    assert_int_equal(info(0)->clock, LIDAR_CLOCK_PTP);
    assert_true(info(0)->stamp_ns == UINT64_C(1700000000000000000));
    finish();

    set_up(&kept, 1, 0, 63); /* PTP that has found no master counts from 0 */
    metadata.clock = OUSTER_CLOCK_PTP;
    start_with(&kept, &options);
    push_range(0, 0, PACKETS);
    assert_int_equal(info(0)->clock, LIDAR_CLOCK_FREE_RUNNING);
    finish();

    set_up(&kept, 1, 0, 63);
    metadata.clock = OUSTER_CLOCK_PPS;
    sensor.start_ns = tai_ns;
    options.stamp = LIDAR_STAMP_HOST;
    start_with(&kept, &options);
    push_range(0, 0, PACKETS);
    assert_int_equal(info(0)->clock, LIDAR_CLOCK_HOST);
    assert_true(llabs((long long)(info(0)->stamp_ns - HOST_NS)) < 1000);
    finish();
}

/* A frame whose first packet is 5 ms late. */
static int64_t late_stamp(enum lidar_clock_choice choice, enum lidar_clock_kind kind)
{
    const struct ouster_frames_options options = {.stamp = choice};
    uint8_t bytes[PACKET_BYTES];
    struct ouster_packet packet;
    set_up(&kept, 1, 0, 63);
    start_with(&kept, &options);
    for (unsigned i = 0; i < PACKETS; i++) {
        unsigned size = make_packet(0, i, bytes);
        assert_int_equal(ouster_packet_parse(&metadata.format, bytes, size, &packet),
                         LIDAR_PACKETS);
        ouster_frames_push(&frames, &packet, arrival_ns(0, i) + (i == 0 ? 5000000 : 0));
    }
    assert_int_equal(info(0)->clock, kind);
    int64_t stamp_ns = (int64_t)(info(0)->stamp_ns - HOST_NS);
    finish();
    return stamp_ns;
}

static void only_the_hosts_own_stamp_is_late_with_its_packet(void **unused)
{
    (void)unused;
    assert_true(llabs(late_stamp(LIDAR_STAMP_HOST, LIDAR_CLOCK_HOST) - 5000000) < 1000);
    assert_true(llabs(late_stamp(LIDAR_STAMP_FITTED, LIDAR_CLOCK_FITTED)) < 1000);
    assert_true(llabs(late_stamp(LIDAR_STAMP_SENSOR, LIDAR_CLOCK_FREE_RUNNING)) < 1000);
}

static void stamps_that_cannot_be_do_not_reach_the_points(void **unused)
{
    (void)unused;
    uint8_t bytes[PACKET_BYTES];
    struct ouster_packet packet;
    start(1, 0, 63);
    for (unsigned i = 0; i < PACKETS; i++) {
        unsigned size = make_packet(0, i, bytes);
        if (i == 5)
            sl_put_le64(bytes + 32 + 12 + BEAMS * 4, UINT64_MAX);
        assert_int_equal(ouster_packet_parse(&metadata.format, bytes, size, &packet),
                         LIDAR_PACKETS);
        ouster_frames_push(&frames, &packet, arrival_ns(0, i));
    }
    assert_int_equal(kept.closed, 1);
    for (unsigned row = 0; row < 64; row++)
        assert_true(fabs((double)frame_point(&kept.kept[0], row, 0).time - row * 0.0015625) < 1e-6);
    finish();
}

static void extrinsics_move_the_points(void **unused)
{
    (void)unused;
    /* a quarter turn to the left, then 1, 2, 3 */
    struct ouster_frames_options options = {
        .points = {.has_extrinsics = true, .extrinsics = {0, -1, 0, 1, 1, 0, 0, 2, 0, 0, 1, 3}}};
    set_up(&kept, 1, 0, 63);
    start_with(&kept, &options);
    push_range(0, 0, PACKETS);
    struct point p = frame_point(&kept.kept[0], 0, 5); /* looks back, 5 degrees up */
    double ph = 5 * M_PI / 180, x = -(7.985 * cos(ph) + 0.015);
    assert_true(fabs((double)p.x - 1) < 1e-6);
    assert_true(fabs((double)p.y - (2 + x)) < 1e-6);
    assert_true(fabs((double)p.z - (3 + 7.985 * sin(ph) + 0.03618)) < 1e-6);
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_is_handed_on_with_its_last_packet),
        cmocka_unit_test(second_returns_are_the_second_half),
        cmocka_unit_test(packets_in_any_order_give_the_same_frame),
        cmocka_unit_test(packets_that_come_twice_are_left_out),
        cmocka_unit_test(what_was_lost_leaves_holes),
        cmocka_unit_test(a_late_packet_finds_the_older_frame),
        cmocka_unit_test(lost_turns_are_counted_by_their_packets),
        cmocka_unit_test(a_window_has_its_columns_alone),
        cmocka_unit_test(a_window_over_the_turns_end_begins_at_its_start),
        cmocka_unit_test(invalid_columns_are_holes_that_came),
        cmocka_unit_test(a_stream_that_begins_within_a_turn_says_so),
        cmocka_unit_test(a_sensor_that_starts_again_begins_a_frame),
        cmocka_unit_test(frame_ids_and_stamps_that_go_back_begin_anew),
        cmocka_unit_test(frame_ids_go_round),
        cmocka_unit_test(an_overdue_frame_is_closed_by_the_deadline),
        cmocka_unit_test(a_frame_with_a_gap_waits_some_milliseconds_for_it),
        cmocka_unit_test(packets_without_a_place_are_left_out),
        cmocka_unit_test(a_frame_without_memory_is_counted_and_the_next_one_written),
        cmocka_unit_test(stamps_are_utc_by_the_best_clock_there_is),
        cmocka_unit_test(only_the_hosts_own_stamp_is_late_with_its_packet),
        cmocka_unit_test(stamps_that_cannot_be_do_not_reach_the_points),
        cmocka_unit_test(extrinsics_move_the_points),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
