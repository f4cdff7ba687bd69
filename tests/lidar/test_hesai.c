/* SPDX-License-Identifier: Apache-2.0 */
/* test_hesai.c - packets made byte by byte from the manuals, one channel at a time; what is wrong
 * with others; correction files.
 */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "core/base/bytes.h"
#include "core/base/error.h"
#include "tests/lidar/hesai_way.h"

#define RADIANS    (3.14159265358979323846 / 180)
#define START_US   7.5e6                /* since the top of the hour */
#define START_S    UINT64_C(1582981207) /* 2020-02-29 13:00:07, which this is */
#define START_DEG  358.003
#define TURNS_BACK 40 /* more than there are */
#define RAW        5000
#define SIZE_MAX_  1300
#define ROWS_MAX   8000 /* of all returns */
#define SEQUENCE   0x1
#define IMU        0x2
#define SAFETY     0x4
#define SIGNATURE  0x8
#define CONFIDENCE 0x10

/* A sensor as its manual describes it; the decoder's tables are not used. */
struct sensor {
    const char *name;
    unsigned header, azimuth_at, block, blocks, element, lasers, size;
    unsigned mode_at, date_at, microseconds_at; /* in the tail */
    double period_us, unit_m;
    double last_us; /* the stamp to the last column's time 0 */
    uint8_t mode;
    unsigned channel; /* that alone sees anything, from 1 */
    double vertical_deg, azimuth_deg, firing_us;
    int ring;
    /* Of those of 128 lasers: in which order columns fire, one after another; see the manuals. */
    uint8_t major, minor, flags;
    unsigned before_tail, loop_at, states_at, operation_at;
    uint8_t operation;
    unsigned orders;
    double other_us[3]; /* the firing in the orders from the second on */
};

/* clang-format off */
#define PANDAR40P "Pandar40P",  0, 2, 124, 10, 3, 40, 1262, 14, 16, 10, 55.56, 0.004, -28.58
#define PANDAR64  "Pandar64",   8, 0, 194,  6, 3, 64, 1198, 14, 16, 10, 55.56, 0.004, -42.58
#define XT16      "PandarXT16", 12, 0, 66,  8, 4, 16, 568, 10, 13, 19, 50, 0.004, 0
#define XT32      "PandarXT32", 12, 0, 130, 8, 4, 32, 1080, 10, 13, 19, 50, 0.004, 0
#define XT32M2X   "XT32M2X",    12, 0, 130, 6, 4, 32, 820, 10, 13, 19, 50, 0.005, 0
#define QT128(before_us) \
    "QT128", 12, 0, 514, 2, 4, 128, 1127, 12, 15, 21, 111.11, 0.004, before_us
#define QT128_TAIL 3, 2, SEQUENCE | SAFETY | SIGNATURE | 0x10, 21, 5, 0, 0, 0, 2
#define OF_128(name, block, element, size, period_us, before_us) \
    name, 12, 0, block, 2, element, 128, size, 12, 15, 21, period_us, 0.004, before_us
#define OF_128_TAIL(flags, before) 1, 4, flags, before, 0, 9, 11

static const struct sensor sensors[] = {
    {PANDAR40P, 0x37,  1,  15.21,  -1.042, -42.22, .ring = 39},
    {PANDAR40P, 0x38,  7,   2.016,  3.125, -47.46, .ring = 33},
    {PANDAR40P, 0x39, 40, -24.569, -1.042,  -3.62,  .ring = 0},
    {PANDAR64,  0x37, 64, -25.071, -1.042, -12.748, .ring = 0},
    {PANDAR64,  0x39,  1,  14.708, -1.042, -23.18, .ring = 63},
    {XT16,      0x37,  1,  15, 0,  6,        .ring = 15},
    {XT16,      0x39, 16, -15, 0, 51.36,      .ring = 0},
    {XT32,      0x3B,  2,  14, 0,  7.512,    .ring = 30},
    {XT32M2X,   0x38, 17, -1.34,   0.153966, 6,      .ring = 15},
    {XT32M2X,   0x39, 32, -20.7475, 0.143988, 49.32,  .ring = 0},
    {XT32M2X,   0x3D,  1, 19.4337, 0.175281, 6,      .ring = 31},
    /* QT128C2X manual: two loops, of which the mode flag tells the packet's first */
    {QT128(120.11), 0x38,   2, -50.924,  8.521,  0.6,     1, QT128_TAIL, {78.344}},
    {QT128(9),      0x39, 128, 52.992, -10.359, 48.12,  127, QT128_TAIL, {48.976}},
    /* Pandar128 manual, "Laser firing time of each channel": by azimuth state */
    {OF_128("Pandar128", 386, 3, 861, 27.778, 3.148), 0x37, 8, 10.776, 3.308, 0.776, 120,
     OF_128_TAIL(SEQUENCE | IMU | SAFETY, 21), 0, 4, {4.786, 0.776, 4.086}},
    {OF_128("Pandar128", 386, 3, 893, 27.778, 3.148), 0x3B, 25, 2.51, -3.336, 4.436, 103,
     OF_128_TAIL(SEQUENCE | IMU | SAFETY | SIGNATURE, 21), 0, 2, {0.776}},
    {OF_128("Pandar128", 514, 4, 1074, 55.556, 3.148), 0x39, 45, -0.355, 3.3, 36.224, 83,
     OF_128_TAIL(CONFIDENCE, 4), 2, 2, {35.524}},
    {OF_128("OT128", 386, 3, 861, 27.778, 43.346), 0x39, 26, 1.967, 1.374, 6.534, 102,
     OF_128_TAIL(SEQUENCE | IMU | SAFETY, 21), 0, 2, {6.534}},
    {OF_128("OT128", 386, 3, 861, 55.556, 43.346), 0x38, 26, 1.967, 1.374, 45.002, 102,
     OF_128_TAIL(SEQUENCE | IMU | SAFETY, 21), 2, 1, {0}},
};
/* clang-format on */

static struct frames frames;
static double turn_hz = 10; /* below 0: counterclockwise */

static unsigned returns_of(const struct sensor *s)
{
    return s->mode == 0x3D ? 3 : s->mode >= 0x39 ? 2 : 1;
}

static void put_header(const struct sensor *s, uint8_t *packet)
{
    if (s->header == 0)
        return;
    packet[0] = 0xEE;
    packet[1] = 0xFF;
    if (s->header == 8) {
        memcpy(packet + 2, (const uint8_t[]){64, 6, 0, 4}, 4);
    } else {
        memcpy(packet + 2, (const uint8_t[]){6, 1, 0, 0}, 4);
        if (s->major > 0)
            memcpy(packet + 2, (const uint8_t[]){s->major, s->minor}, 2);
        packet[11] = s->flags;
        packet[6] = (uint8_t)s->lasers;
        packet[7] = (uint8_t)s->blocks;
        packet[9] = (uint8_t)(s->unit_m * 1000 + 0.5);
    }
}

/* A few degrees before the first cut, either way, and above 0. */
static double azimuth_deg(unsigned column, const struct sensor *s)
{
    double start = turn_hz > 0 ? START_DEG : TURNS_BACK * 360 - START_DEG;
    return start + column * s->period_us * 1e-6 * 360 * turn_hz;
}

static void put_block(const struct sensor *s, uint8_t *block, double azimuth, unsigned raw)
{
    if (s->azimuth_at > 0)
        sl_put_le16(block, 0xEEFF);
    sl_put_le16(block + s->azimuth_at, (uint16_t)(lround(azimuth * 100) % 36000));
    uint8_t *element = block + s->azimuth_at + 2 + (s->channel - 1) * s->element;
    sl_put_le16(element, (uint16_t)raw);
    element[2] = 99;
}

/* Which order the packet's columns fired in. */
static void put_orders(const struct sensor *s, unsigned first_column, uint8_t *tail)
{
    unsigned returns = returns_of(s), flags = 0;
    if (s->loop_at > 0)
        tail[s->loop_at] = (uint8_t)(0xFE | (first_column + 1) % 2);
    for (unsigned block = 0; block < s->blocks && s->states_at > 0; block++)
        flags |= (first_column + block / returns) % s->orders << (2 * (7 - block));
    if (s->states_at > 0)
        sl_put_le16(tail + s->states_at, (uint16_t)flags);
    if (s->operation_at > 0)
        tail[s->operation_at] = s->operation;
}

/* Column 0 is at START_US, whatever part of the packet its stamp means. */
static void make_packet(const struct sensor *s, unsigned n, uint8_t packet[SIZE_MAX_])
{
    unsigned returns = returns_of(s), columns = s->blocks / returns;
    memset(packet, 0, SIZE_MAX_);
    put_header(s, packet);
    for (unsigned block = 0; block < s->blocks; block++)
        put_block(s, packet + s->header + block * s->block,
                  azimuth_deg(n * columns + block / returns, s), RAW + block % returns * 100);
    uint8_t *tail = packet + s->header + s->blocks * s->block + s->before_tail;
    double last_column_us = START_US + ((n + 1) * columns - 1) * s->period_us;
    uint64_t stamp_us = (uint64_t)(last_column_us - s->last_us);
    tail[s->mode_at] = s->mode;
    put_orders(s, n * columns, tail);
    memcpy(tail + s->date_at, (const uint8_t[]){120, 2, 29, 13, 0, (uint8_t)(stamp_us / 1000000)},
           6);
    sl_put_le32(tail + s->microseconds_at, (uint32_t)(stamp_us % 1000000));
}

static void check_turn(const struct sensor *s, const struct kept_frame *frame)
{
    unsigned first = 0, returns = returns_of(s);
    while (turn_hz > 0 ? lround(azimuth_deg(first, s) * 100) < 36000
                       : lround(azimuth_deg(first, s) * 100) > (TURNS_BACK - 1) * 36000)
        first++;
    double range = RAW * s->unit_m, vertical = s->vertical_deg * RADIANS;
    assert_int_equal(frame->info.partial, 0);
    assert_int_equal(frame->info.missing, 0);
    assert_int_equal(frame->info.width, s->lasers);
    assert_int_equal(frame->info.valid, frame->info.columns * returns);
    for (unsigned row = 0; row < frame->info.columns; row++) {
        struct point p = frame_point(frame, row, (unsigned)s->ring);
        double azimuth = (azimuth_deg(first + row, s) + s->azimuth_deg) * RADIANS;
        assert_true(p.intensity == 99);
        assert_true(fabs((double)p.x - range * cos(vertical) * cos(azimuth)) < 4e-3);
        assert_true(fabs((double)p.y + range * cos(vertical) * sin(azimuth)) < 4e-3);
        assert_true(fabs((double)p.z - range * sin(vertical)) < 1e-4);
    }
    /* the time of columns, and of the channel after the earliest one */
    for (unsigned row = 5; row < 9; row++) {
        struct point p = frame_point(frame, row, (unsigned)s->ring);
        unsigned order = s->orders > 0 ? (first + row) % s->orders : 0;
        double since_us = (double)(frame->info.sensor_ns % INT64_C(3600000000000)) / 1e3;
        double expected_us = START_US + (first + row) * s->period_us +
                             (order > 0 ? s->other_us[order - 1] : s->firing_us);
        assert_true(fabs(since_us + (double)p.time * 1e6 - expected_us) < 1.6);
    }
}

static void rays_lie_where_the_manuals_say(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof sensors / sizeof sensors[0]; i++) {
        const struct sensor *s = &sensors[i];
        uint8_t packet[SIZE_MAX_];
        unsigned columns = s->blocks / returns_of(s);
        memset(&way, 0, sizeof way);
        way.model = *hesai_model_find(s->name);
        frames_init(&frames, (size_t)ROWS_MAX * s->lasers * 22);
        for (unsigned n = 0; n < 1.3e5 / (columns * s->period_us); n++) {
            make_packet(s, n, packet);
            assert_int_equal(way_push(&frames, packet, s->size, 0), LIDAR_PACKETS);
        }
        lidar_assembly_flush(&way.assembly);
        assert_true(hesai_models_agree(way.told, hesai_model_find(s->name)));
        assert_true(way.first_utc_ns / 1000000000 == (int64_t)START_S);
        assert_int_equal(way.counts.count[LIDAR_GAP], 0);
        assert_int_equal(way.counts.count[LIDAR_BAD_ROTATION], 0);
        /* where a packet is one column, only the second one tells the way that the sensor turns */
        unsigned late_told = turn_hz < 0 && columns == 1;
        assert_int_equal(frames.closed, 3 + late_told);
        assert_int_equal(way.counts.count[LIDAR_RESTART_ROTATION], late_told);
        check_turn(s, &frames.kept[1 + late_told]);
        frames_finish(&frames);
    }
}

static void rays_of_sensors_that_turn_counterclockwise_lie_there_too(void **state)
{
    turn_hz = -10;
    rays_lie_where_the_manuals_say(state);
    turn_hz = 10;
}

/* Packets of two columns, and of one: nobody saw how the speed changed, so no rate is known but one
 * that is wrong. */
static void qt128_that_turns_otherwise_after_a_gap_is_followed(void **state)
{
    (void)state;
    static const double speeds[][2] = {{5, 20},  {20, 5},  {20, -20},   {-20, 20},
                                       {-5, 20}, {20, -5}, {-7.3, -7.3}};
    /* of two columns; a step that is only longer may be a blind part, for once */
    static const unsigned bad_packets[] = {1, 2, 2, 2, 2, 2, 0};
    for (unsigned i = 0; i < 2 * sizeof speeds / sizeof speeds[0]; i++) {
        const struct sensor *s = &sensors[11 + i % 2];
        uint8_t packet[SIZE_MAX_];
        unsigned columns = s->blocks / returns_of(s), n = 0, whole = 0;
        assert_string_equal(s->name, "QT128");
        memset(&way, 0, sizeof way);
        way.model = *hesai_model_find(s->name);
        frames_init(&frames, (size_t)ROWS_MAX * s->lasers * 22);
        for (unsigned part = 0; part < 2; part++, n += 40) {
            turn_hz = speeds[i / 2][part];
            for (unsigned end = n + 5000 / columns; n < end; n++) {
                make_packet(s, n, packet);
                assert_int_equal(way_push(&frames, packet, s->size, 0), LIDAR_PACKETS);
            }
        }
        lidar_assembly_flush(&way.assembly);
        uint64_t bad = way.counts.count[LIDAR_BAD_ROTATION], valid = 0;
        assert_int_equal(bad, columns > 1 ? bad_packets[i / 2] : 0);
        for (unsigned k = 0; k < frames.closed; k++)
            valid += frames.kept[k].info.valid;
        assert_int_equal(valid, (2 * 5000 - bad * columns) * returns_of(s));
        double expected = 1e6 / fabs(turn_hz) / s->period_us;
        unsigned turns = (unsigned)(5000 / expected);
        for (unsigned k = frames.closed - turns; k + 1 < frames.closed; k++) {
            const struct lidar_frame_info *info = &frames.kept[k].info;
            assert_int_equal(info->partial, 0);
            assert_int_equal(info->missing, 0);
            assert_true(fabs(info->columns - expected) < 2);
            /* two returns: as the rate says, and a 32nd */
            double rows = columns > 1 ? expected : expected * 33 / 32 + 2;
            assert_true(fabs(info->height / returns_of(s) - rows) < 0.005 * rows + 2);
            whole++;
        }
        assert_true(whole > 0);
        frames_finish(&frames);
    }
    turn_hz = 10;
}

/* Of the sensor's three returns of a shot one is another one's copy. */
static void check_copied(const struct sensor *s, unsigned from, unsigned to)
{
    uint8_t packet[SIZE_MAX_];
    memset(&way, 0, sizeof way);
    frames_init(&frames, (size_t)ROWS_MAX * s->lasers * 22);
    for (unsigned n = 0; n < 1300; n++) {
        make_packet(s, n, packet);
        for (unsigned i = 0; i < s->blocks; i += 3)
            memcpy(packet + s->header + (i + to) * s->block + 2,
                   packet + s->header + (i + from) * s->block + 2, s->block - 2);
        assert_int_equal(way_push(&frames, packet, s->size, 0), LIDAR_PACKETS);
    }
    lidar_assembly_flush(&way.assembly);
    const struct kept_frame *frame = &frames.kept[1];
    unsigned rows = frame->info.height / 3;
    assert_int_equal(frame->info.returns, 3);
    assert_int_equal(frame->info.valid, 2 * frame->info.columns);
    for (unsigned i = 0; i < 3; i++) {
        struct point p = frame_point(frame, i * rows + 5, (unsigned)s->ring);
        assert_int_equal(point_is_hole(&p), i == to);
    }
    frames_finish(&frames);
}

static void return_that_is_another_ones_copy_is_a_hole(void **state)
{
    (void)state;
    const struct sensor *triple = &sensors[10];
    assert_int_equal(triple->mode, 0x3D);
    check_copied(triple, 0, 1);
    check_copied(triple, 0, 2);
    check_copied(triple, 1, 2);
}

static int push_to(struct lidar_decoder *decoder, const struct sensor *s, unsigned n)
{
    uint8_t packet[SIZE_MAX_];
    make_packet(s, n, packet);
    struct sl_datagram datagram = {.bytes = packet, .size_bytes = s->size};
    return lidar_decoder_push(decoder, &datagram);
}

/* The two OT128 above: two returns in high resolution, one in half of it. */
static void frames_begin_anew_when_the_sensor_is_set_differently(void **state)
{
    (void)state;
    const struct sensor *fast = &sensors[16], *slow = &sensors[17];
    struct lidar_decoder_config config = {.model = hesai_model_find("ot128")};
    struct lidar_decoder *decoder = NULL;
    frames_init(&frames, (size_t)ROWS_MAX * 128 * 22);
    struct lidar_frame_sink sink = frames_sink(&frames);
    assert_int_equal(lidar_decoder_create(&config, &sink, &decoder), 0);
    for (unsigned n = 0; n < 1000; n++)
        assert_int_equal(push_to(decoder, fast, n), 0);
    for (unsigned n = 300; n < 500; n++)
        assert_int_equal(push_to(decoder, slow, n), 0);
    assert_int_equal(lidar_decoder_flush(decoder), 0);
    const struct lidar_counts *counts = lidar_decoder_counts(decoder);
    assert_int_equal(counts->count[LIDAR_PACKETS], 1200);
    assert_int_equal(counts->count[LIDAR_RESTART_MODE], 1);
    assert_int_equal(counts->count[LIDAR_BAD_ROTATION], 0);
    assert_string_equal(lidar_decoder_product(decoder), "OT128");
    const struct lidar_frame_info *last = &frames.kept[frames.closed - 1].info;
    assert_int_equal(last->returns, 1);
    assert_int_equal(last->columns, 400);
    assert_int_equal(last->missing, 0);
    lidar_decoder_destroy(decoder);
    frames_finish(&frames);
}

static void twin_is_known_by_its_name_only(void **state)
{
    (void)state;
    const struct lidar_model *pandar128 = hesai_model_find("pandar128");
    assert_true(hesai_models_agree(pandar128, hesai_model_find("ot128")));
    assert_true(hesai_models_agree(pandar128, pandar128));
    assert_false(hesai_models_agree(pandar128, hesai_model_find("qt128")));
    assert_false(hesai_models_agree(hesai_model_find("xt16"), hesai_model_find("xt32")));
}

static enum lidar_count check_changed(const struct sensor *s, unsigned at, uint8_t byte,
                                      size_t size)
{
    uint8_t packet[SIZE_MAX_];
    const struct lidar_model *told = NULL;
    make_packet(s, 0, packet);
    packet[at] = byte;
    enum lidar_count verdict = hesai_data_check(packet, size, &told);
    assert_true((verdict == LIDAR_PACKETS) == (told != NULL));
    return verdict;
}

static void what_is_wrong_with_a_packet_is_told(void **state)
{
    (void)state;
    const struct sensor *pandar40 = &sensors[0], *xt32 = &sensors[7];
    unsigned tail = 12 + 8 * 130;
    assert_int_equal(check_changed(xt32, 4, 0, 1080), LIDAR_PACKETS);
    assert_int_equal(check_changed(xt32, 4, 0, 11), LIDAR_BAD_SHORT);
    assert_int_equal(check_changed(xt32, 4, 0, 1079), LIDAR_BAD_SHORT);
    assert_int_equal(check_changed(xt32, 4, 0, 1081), LIDAR_BAD_LONG);
    assert_int_equal(check_changed(xt32, 0, 0, 1080), LIDAR_BAD_FLAG);
    assert_int_equal(check_changed(xt32, 3, 9, 1080), LIDAR_OTHER_MODEL); /* version */
    assert_int_equal(check_changed(xt32, 6, 48, 1080), LIDAR_OTHER_MODEL);
    assert_int_equal(check_changed(xt32, 9, 5, 1080), LIDAR_OTHER_MODEL); /* unit */
    assert_int_equal(check_changed(xt32, 13, 0xFF, 1080), LIDAR_BAD_AZIMUTH);
    assert_int_equal(check_changed(xt32, tail + 10, 0x3D, 1080), LIDAR_BAD_RETURN_MODE);
    assert_int_equal(check_changed(pandar40, 1260, 0, 1266), LIDAR_PACKETS); /* with a sequence */
    assert_int_equal(check_changed(pandar40, 124, 0, 1262), LIDAR_BAD_FLAG);
    const struct sensor *pandar128 = &sensors[13];
    assert_int_equal(check_changed(pandar128, 4, 0, 861), LIDAR_PACKETS);
    assert_int_equal(check_changed(pandar128, 4, 0, 860), LIDAR_BAD_SHORT);
    assert_int_equal(check_changed(pandar128, 3, 3, 861), LIDAR_OTHER_MODEL);
    assert_int_equal(check_changed(pandar128, 11, 7 | SIGNATURE, 861), LIDAR_BAD_SHORT);
    assert_int_equal(check_changed(pandar128, 11, 7 | CONFIDENCE, 861), LIDAR_BAD_SHORT);
    assert_int_equal(check_changed(pandar128, 11, 3, 861), LIDAR_BAD_LONG);
    assert_int_equal(check_changed(pandar128, 12 + 772 + 21 + 12, 0x3D, 861),
                     LIDAR_BAD_RETURN_MODE);
}

static void pair_that_looks_two_ways_is_refused(void **state)
{
    (void)state;
    uint8_t packet[SIZE_MAX_];
    const struct lidar_model *told = NULL;
    struct lidar_packet parsed;
    make_packet(&sensors[7], 0, packet);
    sl_put_le16(packet + 12 + 130, 777);
    assert_int_equal(hesai_data_check(packet, 1080, &told), LIDAR_PACKETS);
    assert_int_equal(hesai_data_parse(told, packet, 1080, &parsed), LIDAR_BAD_AZIMUTH);
}

static void dates_are_read_in_three_ways(void **state)
{
    (void)state;
    static const struct {
        uint8_t date[6];
        bool has_date;
        int64_t utc_s;
    } cases[] = {
        {{120, 6, 25, 12, 2, 9}, true, 1593086529}, /* years since 1900 */
        {{17, 9, 6, 14, 31, 22}, true, 1504708282}, /* or since 2000 */
        {{70, 1, 1, 0, 0, 0}, true, 0},
        {{200, 3, 1, 0, 0, 0}, true, 4107542400},           /* 2100 has no 29th of February */
        {{0, 0, 0x65, 0x53, 0xF1, 0x00}, true, 1700000000}, /* seconds, newer firmware */
        {{120, 13, 25, 12, 2, 9}, false, 129},
        {{120, 0, 0, 0, 2, 9}, false, 129},
    };
    uint8_t packet[SIZE_MAX_];
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        make_packet(&sensors[7], 0, packet);
        memcpy(packet + 12 + 8 * 130 + 13, cases[i].date, 6);
        sl_put_le32(packet + 12 + 8 * 130 + 19, 123456);
        struct hesai_time time = hesai_data_time(packet, 1080);
        assert_int_equal(time.has_date, cases[i].has_date);
        assert_true(time.utc_ns == cases[i].utc_s * 1000000000 + 123456000);
        assert_int_equal(time.stamp_us, cases[i].utc_s % 3600 * 1000000 + 123456);
    }
}

static void header_that_is_not_known_is_told(void **state)
{
    (void)state;
    const struct lidar_decoder_config config = {.model = hesai_model_find("xt32")};
    const uint8_t at128[12] = {0xEE, 0xFF, 4, 1, 0, 0, 128, 2, 0, 4};
    const struct sl_datagram datagram = {.bytes = at128, .size_bytes = sizeof at128};
    struct lidar_frame_sink sink = frames_sink(&frames);
    struct lidar_decoder *decoder;
    frames_init(&frames, SIZE_MAX_);
    assert_int_equal(lidar_decoder_create(&config, &sink, &decoder), 0);
    assert_null(lidar_decoder_note(decoder, LIDAR_NOTE_MODEL));
    assert_int_equal(lidar_decoder_push(decoder, &datagram), 0);
    assert_int_equal(lidar_decoder_counts(decoder)->count[LIDAR_OTHER_MODEL], 1);
    const char *note = lidar_decoder_note(decoder, LIDAR_NOTE_MODEL);
    assert_true(note && strstr(note, "PandarXT32") && strstr(note, "version 4.1, 128 lasers"));
    lidar_decoder_destroy(decoder);
    frames_finish(&frames);
}

static struct lidar_decoder *decode_tai(struct lidar_decoder_config config, unsigned packets)
{
    const struct sensor *s = &sensors[7];
    struct lidar_frame_sink sink = frames_sink(&frames);
    struct lidar_decoder *decoder;
    uint8_t packet[SIZE_MAX_];
    struct sl_datagram datagram = {.bytes = packet, .size_bytes = s->size};
    config.model = hesai_model_find(s->name);
    frames_init(&frames, (size_t)ROWS_MAX * s->lasers * 22);
    assert_int_equal(lidar_decoder_create(&config, &sink, &decoder), 0);
    for (unsigned n = 0; n < packets; n++) {
        make_packet(s, n, packet);
        datagram.time_ns = (START_S - 37) * UINT64_C(1000000000) + n * UINT64_C(200000);
        assert_int_equal(lidar_decoder_push(decoder, &datagram), 0);
    }
    return decoder;
}

static void clock_that_counts_tai_is_told_until_it_is_taken_off(void **state)
{
    (void)state;
    const struct lidar_decoder_config gps = {0};
    const struct lidar_decoder_config ptp = {.is_ptp = true, .ptp_ahead_ns = INT64_C(37000000000)};
    static const struct {
        unsigned packets;
        bool is_ptp, is_told;
    } cases[] = {{14000, false, false}, {16000, false, true}, {16000, true, false}};
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool is_ptp = cases[i].is_ptp;
        struct lidar_decoder *decoder = decode_tai(is_ptp ? ptp : gps, cases[i].packets);
        const struct lidar_frame_info *info = &frames.kept[1].info;
        const char *note = lidar_decoder_note(decoder, LIDAR_NOTE_CLOCK);
        assert_int_equal(note && strstr(note, "--ptp-ahead"), cases[i].is_told);
        assert_int_equal(info->clock, is_ptp ? LIDAR_CLOCK_PTP : LIDAR_CLOCK_GPS);
        assert_true(info->stamp_ns / 1000000000 == START_S - (is_ptp ? 37 : 0));
        lidar_decoder_destroy(decoder);
        frames_finish(&frames);
    }
}

static int read_text(const char *text, struct lidar_model *ret_model)
{
    return hesai_correction_read(hesai_model_find("xt16"), text, strlen(text), ret_model);
}

static void correction_file_replaces_the_angles(void **state)
{
    (void)state;
    char text[1000] = "Laser id,Elevation,Azimuth\r\n";
    struct lidar_model model;
    for (unsigned i = 16; i >= 1; i--)
        snprintf(text + strlen(text), 60, "%u,%g,%g\r\n", i, 8.5 - i, i / 10.0);
    assert_int_equal(read_text(text, &model), 0);
    assert_true(fabsf(model.vertical_deg[0] - 7.5f) < 1e-5f);
    assert_true(fabsf(model.vertical_deg[15] + 7.5f) < 1e-5f);
    assert_true(fabsf(model.azimuth_offset_deg[9] + 1) < 1e-5f);
    assert_int_equal(model.lasers, 16);
}

static void correction_file_that_is_wrong_is_told_by_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *told;
    } cases[] = {
        {"1,2,3\n2,x,3\n", "line 2"},
        {"Channel,Elevation,Azimuth\n1,2,3\n17,1,1\n", "line 3: the sensor has no such channel"},
        {"1,2,3\n1,2,3\n", "there before"},
        {"1,95,3\n", "-90 to 90"},
        {"1,2,nan\n", "-90 to 90"},
        {"1,2,3,4\n", "line 1"},
        {"1,2,3\n", "channel 2 of the PandarXT16's 16 is missing"},
        {"", "channel 1"},
    };
    char long_line[300];
    struct lidar_model model = {.name = "untouched"};
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(read_text(cases[i].text, &model), -EINVAL);
        if (!strstr(sl_error_text(), cases[i].told))
            fail_msg("\"%s\" is not in: %s", cases[i].told, sl_error_text());
    }
    memset(long_line, '1', sizeof long_line);
    assert_int_equal(hesai_correction_read(hesai_model_find("xt16"), long_line, 300, &model),
                     -EINVAL);
    assert_int_equal(hesai_correction_read(hesai_model_find("xt16"), "1\0,2", 4, &model), -EINVAL);
    assert_string_equal(model.name, "untouched");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rays_lie_where_the_manuals_say),
        cmocka_unit_test(rays_of_sensors_that_turn_counterclockwise_lie_there_too),
        cmocka_unit_test(qt128_that_turns_otherwise_after_a_gap_is_followed),
        cmocka_unit_test(return_that_is_another_ones_copy_is_a_hole),
        cmocka_unit_test(frames_begin_anew_when_the_sensor_is_set_differently),
        cmocka_unit_test(twin_is_known_by_its_name_only),
        cmocka_unit_test(what_is_wrong_with_a_packet_is_told),
        cmocka_unit_test(pair_that_looks_two_ways_is_refused),
        cmocka_unit_test(dates_are_read_in_three_ways),
        cmocka_unit_test(header_that_is_not_known_is_told),
        cmocka_unit_test(clock_that_counts_tai_is_told_until_it_is_taken_off),
        cmocka_unit_test(correction_file_replaces_the_angles),
        cmocka_unit_test(correction_file_that_is_wrong_is_told_by_its_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
