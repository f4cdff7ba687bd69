/* SPDX-License-Identifier: Apache-2.0 */
/* test_velodyne_models.c - sensors whose packets are made here from what the manuals say, one laser
 * at a time, and the place and time of its points worked out by hand: the decoder's tables are not
 * used.
 */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/bytes.h"
#include "tests/lidar/frames.h"

#define PACKET_BYTES 1206
#define START_US     5e6
#define START_DEG    357.003
#define RAW          6000
#define RAW_SECOND   6100
#define RADIANS      (3.14159265358979323846 / 180)

struct sensor {
    uint8_t id, mode;
    unsigned banks; /* of 32 lasers */
    double period_us;
    double turn_hz; /* below 0: counterclockwise */
    unsigned laser; /* the only one that sees anything; 128 = all do */
};

static unsigned columns_a_packet(const struct sensor *s)
{
    unsigned returns = s->mode == 0x39 ? 2 : 1;
    return 12 / (s->banks * returns);
}

/* A few degrees before the first cut, either way, and above 0. */
static double azimuth_deg(const struct sensor *s, double since_us)
{
    double start = s->turn_hz > 0 ? START_DEG : 4 * 360 - START_DEG;
    return start + since_us * 1e-6 * s->turn_hz * 360;
}

static void put_block(const struct sensor *s, uint8_t *block, unsigned bank, double azimuth,
                      unsigned raw)
{
    static const uint16_t flags[] = {0xEEFF, 0xDDFF, 0xCCFF, 0xBBFF};
    sl_put_le16(block, flags[bank]);
    sl_put_le16(block + 2, (uint16_t)(lround(fmod(azimuth, 360) * 100) % 36000));
    for (unsigned i = 0; i < 32; i++) {
        bool is_seen = s->laser == 128 || s->laser == bank * 32 + i;
        sl_put_le16(block + 4 + 3 * i, is_seen ? (uint16_t)raw : 0);
        block[6 + 3 * i] = is_seen ? 77 : 0;
    }
}

static void make_packet(const struct sensor *s, unsigned n, uint8_t packet[PACKET_BYTES])
{
    unsigned returns = s->mode == 0x39 ? 2 : 1, columns = columns_a_packet(s);
    memset(packet, 0, PACKET_BYTES);
    uint8_t *block = packet;
    for (unsigned column = 0; column < columns; column++) {
        double azimuth = azimuth_deg(s, (n * columns + column) * s->period_us);
        for (unsigned bank = 0; bank < s->banks; bank++) {
            for (unsigned which = 0; which < returns; which++, block += 100)
                put_block(s, block, bank, azimuth, which == 0 ? RAW : RAW_SECOND);
        }
    }
    sl_put_le32(packet + 1200, (uint32_t)(START_US + n * columns * s->period_us));
    packet[1204] = s->mode;
    packet[1205] = s->id;
}

static void push_packet(const struct sensor *s, unsigned n, struct lidar_decoder *decoder)
{
    uint8_t packet[PACKET_BYTES];
    make_packet(s, n, packet);
    struct sl_datagram datagram = {.bytes = packet, .size_bytes = sizeof packet};
    assert_int_equal(lidar_decoder_push(decoder, &datagram), 0);
}

static unsigned packets_of(const struct sensor *s, double turns)
{
    return (unsigned)(turns * 1e6 / fabs(s->turn_hz) / (s->period_us * columns_a_packet(s)));
}

static struct lidar_decoder *decoder_of(const struct sensor *s, const char *model,
                                        struct frames *frames)
{
    struct lidar_decoder *decoder = NULL;
    struct lidar_decoder_config config = {.model = model ? velodyne_model_find(model) : NULL};
    struct lidar_frame_sink sink = frames_sink(frames);
    size_t columns = (size_t)(1.1e6 / fabs(s->turn_hz) / s->period_us);
    frames_init(frames, columns * 2 * s->banks * 32 * 22);
    assert_int_equal(lidar_decoder_create(&config, &sink, &decoder), 0);
    return decoder;
}

/* One laser, as its manual has it. */
struct ray {
    const char *model;
    struct sensor sensor;
    double unit_m;
    double vertical_deg, offset_deg, firing_us, height_m;
    int ring;
};

static void check_point(const struct ray *ray, const struct point *p, double column, double row,
                        unsigned raw)
{
    double range = raw * ray->unit_m, period_us = ray->sensor.period_us;
    double azimuth = azimuth_deg(&ray->sensor, column * period_us + ray->firing_us);
    azimuth = (azimuth - ray->offset_deg) * RADIANS;
    double vertical = ray->vertical_deg * RADIANS, tolerance = range * 0.012 * RADIANS;
    assert_int_equal(p->ring, ray->ring);
    assert_true(p->intensity == 77);
    assert_true(fabs((double)p->x - range * cos(vertical) * cos(azimuth)) < tolerance);
    assert_true(fabs((double)p->y + range * cos(vertical) * sin(azimuth)) < tolerance);
    assert_true(fabs((double)p->z - range * sin(vertical) - ray->height_m) < 1e-3);
    /* stamps are whole microseconds, and the period of a VLS-128 is measured with them */
    assert_true(fabs((double)p->time * 1e6 - row * period_us - ray->firing_us) < 2.2);
}

/* The first column that the packets say is past the cut once, or twice, in hundredths of a degree.
 */
static unsigned first_column(const struct sensor *s, int times)
{
    unsigned column = 0;
    long cut = s->turn_hz > 0 ? times * 36000 : (4 - times) * 36000;
    long way = s->turn_hz > 0 ? 1 : -1;
    while (way * lround(azimuth_deg(s, column * s->period_us) * 100) < way * cut)
        column++;
    return column;
}

/* The second frame is a whole turn: each of its rows holds this ray and nothing else. */
static void check_turn(const struct ray *ray, const struct kept_frame *frame)
{
    const struct sensor *s = &ray->sensor;
    bool is_dual = s->mode == 0x39;
    unsigned first = first_column(s, 1), last = first_column(s, 2);
    assert_int_equal(frame->info.partial, 0);
    assert_int_equal(frame->info.missing, 0);
    assert_int_equal(frame->info.columns, last - first);
    assert_int_equal(frame->info.valid, frame->info.columns * (is_dual ? 2 : 1));
    assert_int_equal(frame->info.width, s->banks * 32);
    for (unsigned row = 0; row < frame->info.columns; row++) {
        struct point p = frame_point(frame, row, (unsigned)ray->ring);
        check_point(ray, &p, first + row, row, RAW);
        if (is_dual) {
            p = frame_point(frame, frame->info.height / 2 + row, (unsigned)ray->ring);
            check_point(ray, &p, first + row, row, RAW_SECOND);
        }
    }
}

static void check_ray(const struct ray *ray)
{
    static struct frames frames;
    bool is_ambiguous = ray->sensor.id == 0x23;
    struct lidar_decoder *decoder =
        decoder_of(&ray->sensor, is_ambiguous ? ray->model : NULL, &frames);
    for (unsigned n = 0; n < packets_of(&ray->sensor, 1.3); n++)
        push_packet(&ray->sensor, n, decoder);
    assert_int_equal(lidar_decoder_flush(decoder), 0);
    assert_string_equal(lidar_decoder_model(decoder)->name, ray->model);
    assert_int_equal(lidar_decoder_counts(decoder)->count[LIDAR_BAD_ROTATION], 0);
    assert_int_equal(lidar_decoder_counts(decoder)->count[LIDAR_GAP], 0);
    /* Where a packet is one column, only the second one tells the way that the sensor turns. */
    bool is_late_told = ray->sensor.turn_hz < 0 && columns_a_packet(&ray->sensor) == 1;
    assert_int_equal(frames.closed, is_late_told ? 4 : 3);
    assert_int_equal(lidar_decoder_counts(decoder)->count[LIDAR_RESTART_ROTATION], is_late_told);
    check_turn(ray, &frames.kept[frames.closed - 2]);
    lidar_decoder_destroy(decoder);
    frames_finish(&frames);
}

/* clang-format off */
#define HDL32(mode, hz, laser)   {0x21, mode, 1, 46.08, hz, laser}
#define VLP32(id, mode, hz, laser) {id, mode, 1, 55.296, hz, laser}
#define VLS128(period, mode, hz, laser) {0xA1, mode, 4, period, hz, laser}

static void rays_lie_where_the_manuals_say(void **state)
{
    (void)state;
    static const struct ray rays[] = {
        /* lasers 0, 2, 4 ... are the lower half from below, 1, 3, 5 ... the upper one */
        {"HDL-32E", HDL32(0x37, 10, 0),   0.002, -30.67, 0, 0,      0.01717,  0},
        {"HDL-32E", HDL32(0x38, 10, 1),   0.002,  -9.33, 0, 1.152,  0.00476, 16},
        {"HDL-32E", HDL32(0x37, 20, 30),  0.002, -10.67, 0, 34.56,  0.00545, 15},
        {"HDL-32E", HDL32(0x39, 10, 31),  0.002,  10.67, 0, 35.712, -0.00545, 31},
        /* fired in pairs */
        {"VLP-32C", VLP32(0x28, 0x37, 10, 0),  0.004, -25, -1.4, 0,      0,  0},
        {"VLP-32C", VLP32(0x28, 0x37, 5, 1),   0.004,  -1,  4.2, 0,      0, 17},
        {"VLP-32C", VLP32(0x28, 0x39, 10, 29), 0.004,  15,  1.4, 32.256, 0, 31},
        {"VLP-32A", VLP32(0x23, 0x37, 10, 0),  0.004, -14.3, -1.2, 0,      0,  0},
        {"VLP-32A", VLP32(0x23, 0x38, 10, 25), 0.004,  14.3,  1.2, 27.648, 0, 31},
        {"VLP-32B", VLP32(0x23, 0x37, 10, 29), 0.004,  15,    1.4, 32.256, 0, 31},
        /* in groups of 8, with a pause after the first 8 groups; a column is 20 steps, whatever the
         * firmware makes of that */
        {"VLS-128", VLS128(55.28, 0x37, 10, 36),  0.004, -25,    0.911,  4 * 2.764,  0,   0},
        {"VLS-128", VLS128(53.3, 0x37, 10, 59),   0.004,  15,   -0.911,  7 * 2.665,  0, 127},
        {"VLS-128", VLS128(57.8, 0x38, 20, 74),   0.004, 11.75, -2.732, 10 * 2.89,   0, 126},
        {"VLS-128", VLS128(55.28, 0x37, 5, 69),   0.004, -19.582, 2.732, 9 * 2.764,  0,   1},
        /* one column a packet: the rate of rotation has to come from several */
        {"VLS-128", VLS128(55.28, 0x39, 10, 36),  0.004, -25,    0.911,  4 * 2.764,  0,   0},
        {"VLS-128", VLS128(55.28, 0x39, 5, 59),   0.004,  15,   -0.911,  7 * 2.764,  0, 127},
        {"VLS-128", VLS128(53.3, 0x39, 20, 74),   0.004, 11.75, -2.732, 10 * 2.665,  0, 126},
        /* counterclockwise */
        {"HDL-32E", HDL32(0x37, -20, 30), 0.002, -10.67, 0, 34.56,  0.00545, 15},
        {"HDL-32E", HDL32(0x39, -10, 31), 0.002,  10.67, 0, 35.712, -0.00545, 31},
        {"VLP-32C", VLP32(0x28, 0x39, -10, 29), 0.004, 15, 1.4, 32.256, 0, 31},
        {"VLS-128", VLS128(55.28, 0x37, -5, 69),  0.004, -19.582, 2.732, 9 * 2.764,  0,   1},
        {"VLS-128", VLS128(57.8, 0x38, -20, 74),  0.004, 11.75, -2.732, 10 * 2.89,   0, 126},
        {"VLS-128", VLS128(55.28, 0x39, -5, 59),  0.004,  15,   -0.911,  7 * 2.764,  0, 127},
        {"VLS-128", VLS128(55.28, 0x39, -10, 36), 0.004, -25,    0.911,  4 * 2.764,  0,   0},
        {"VLS-128", VLS128(53.3, 0x39, -20, 74),  0.004, 11.75, -2.732, 10 * 2.665,  0, 126},
    };
    for (unsigned i = 0; i < sizeof rays / sizeof rays[0]; i++)
        check_ray(&rays[i]);
}
/* clang-format on */

static void run_in_order(const struct sensor *s, const unsigned *order, unsigned count,
                         struct frames *frames, struct lidar_counts *ret_counts)
{
    struct lidar_decoder *decoder = decoder_of(s, NULL, frames);
    for (unsigned i = 0; i < count; i++)
        push_packet(s, order[i], decoder);
    assert_int_equal(lidar_decoder_flush(decoder), 0);
    *ret_counts = *lidar_decoder_counts(decoder);
    lidar_decoder_destroy(decoder);
}

/* Rate and so interpolation may differ by a hair where packets of one column came otherwise. */
static void same_points(const struct frames *one, const struct frames *other, float tolerance_m)
{
    assert_int_equal(one->closed, other->closed);
    for (unsigned i = 0; i < one->closed; i++) {
        const struct kept_frame *a = &one->kept[i], *b = &other->kept[i];
        assert_int_equal(a->info.columns, b->info.columns);
        assert_int_equal(a->info.valid, b->info.valid);
        assert_int_equal(a->info.missing, 0);
        for (unsigned at = 0; at < a->info.columns * 128; at += 7) {
            struct point p = frame_point(a, at / 128, at % 128);
            struct point q = frame_point(b, at / 128, at % 128);
            assert_true(fabsf(p.x - q.x) <= tolerance_m && fabsf(p.y - q.y) <= tolerance_m);
        }
    }
}

static void overtaken_and_doubled_packets_of_a_vls128_find_their_place(void **state)
{
    (void)state;
    static const uint8_t modes[] = {0x37, 0x39};
    static struct frames plain, mixed;
    for (unsigned m = 0; m < 4; m++) {
        struct sensor s = VLS128(55.28, modes[m % 2], m < 2 ? 20 : -20, 128);
        unsigned count = packets_of(&s, 1.2), in_order[2000], shuffled[2000], at = 0;
        assert_true(count < 1900);
        for (unsigned n = 0; n < count; n++)
            in_order[n] = n;
        for (unsigned n = 0; n < count; n++) {
            if (n > 20 && n % 50 == 0 && n + 1 < count) {
                shuffled[at++] = n + 1;
                shuffled[at++] = n++;
            } else {
                shuffled[at++] = n;
            }
            if (n % 100 == 70)
                shuffled[at++] = n;
        }
        struct lidar_counts counts;
        run_in_order(&s, in_order, count, &plain, &counts);
        assert_int_equal(counts.count[LIDAR_GAP], 0);
        run_in_order(&s, shuffled, at, &mixed, &counts);
        assert_int_equal(counts.count[LIDAR_GAP], counts.count[LIDAR_REORDERED]);
        assert_true(counts.count[LIDAR_REORDERED] > 5 && counts.count[LIDAR_DUPLICATE] > 2);
        same_points(&mixed, &plain, 0.01f);
        frames_finish(&plain);
        frames_finish(&mixed);
    }
}

static void lost_packets_of_a_vls128_leave_holes(void **state)
{
    (void)state;
    static struct frames frames;
    struct sensor s = VLS128(55.28, 0x37, 10, 128);
    struct lidar_decoder *decoder = decoder_of(&s, NULL, &frames);
    for (unsigned n = 0; n < packets_of(&s, 1.2); n++) {
        if (n < 200 || n >= 240)
            push_packet(&s, n, decoder);
    }
    assert_int_equal(lidar_decoder_flush(decoder), 0);
    assert_int_equal(lidar_decoder_counts(decoder)->count[LIDAR_GAP], 40);
    assert_int_equal(frames.closed, 3);
    assert_int_equal(frames.kept[1].info.partial, 0);
    assert_in_range(frames.kept[1].info.missing, 119, 121); /* 40 packets of 3 columns */
    assert_in_range(frames.kept[1].info.columns, 1808, 1810);
    lidar_decoder_destroy(decoder);
    frames_finish(&frames);
}

/* No motor does this from one packet to the next one; a gap in which it slowed down hides how. */
static void vls128_that_goes_back_after_a_gap_is_followed(void **state)
{
    (void)state;
    static const uint8_t modes[] = {0x37, 0x39};
    static const double speeds[][2] = {{10, -10}, {-20, 20}, {20, -5}, {-5, 20}};
    static struct frames frames;
    for (unsigned i = 0; i < 2 * sizeof speeds / sizeof speeds[0]; i++) {
        struct sensor one = VLS128(55.28, modes[i % 2], speeds[i / 2][0], 128), other = one;
        other.turn_hz = speeds[i / 2][1];
        unsigned gap = packets_of(&one, 0.6), from = gap + packets_of(&one, 0.2);
        struct lidar_decoder *decoder = decoder_of(&other, NULL, &frames);
        for (unsigned n = 0; n < gap; n++)
            push_packet(&one, n, decoder);
        for (unsigned n = from; n < from + packets_of(&other, 2.3); n++)
            push_packet(&other, n, decoder);
        assert_int_equal(lidar_decoder_flush(decoder), 0);
        assert_true(lidar_decoder_counts(decoder)->count[LIDAR_BAD_ROTATION] <= 3);
        unsigned whole = 0;
        for (unsigned k = 0; k < frames.closed; k++) {
            const struct lidar_frame_info *info = &frames.kept[k].info;
            double columns = 1e6 / fabs(other.turn_hz) / other.period_us;
            if (info->partial != 0)
                continue;
            whole++;
            assert_true(fabs(info->columns - columns) < 2);
            assert_int_equal(info->missing, 0);
        }
        /* Of 2.3 turns, their ends, and those before; and one of a column each time that only the
         * second one tells the way. */
        assert_in_range(whole, 1, 2);
        assert_in_range(frames.closed, whole + 3, whole + 7);
        lidar_decoder_destroy(decoder);
        frames_finish(&frames);
    }
}

static void damaged_packets_of_a_vls128_are_counted(void **state)
{
    (void)state;
    static struct frames frames;
    struct sensor s = VLS128(55.28, 0x37, 10, 128);
    struct lidar_decoder *decoder = decoder_of(&s, NULL, &frames);
    uint8_t packet[PACKET_BYTES];
    struct sl_datagram datagram = {.bytes = packet, .size_bytes = sizeof packet};
    for (unsigned n = 0; n < 20; n++)
        push_packet(&s, n, decoder);
    make_packet(&s, 20, packet);
    sl_put_le16(packet + 100, 0xCCFF); /* banks out of order */
    assert_int_equal(lidar_decoder_push(decoder, &datagram), 0);
    assert_int_equal(lidar_decoder_counts(decoder)->count[LIDAR_BAD_FLAG], 1);
    make_packet(&s, 20, packet);
    sl_put_le16(packet + 302, 12345); /* a bank that looks elsewhere */
    assert_int_equal(lidar_decoder_push(decoder, &datagram), 0);
    assert_int_equal(lidar_decoder_counts(decoder)->count[LIDAR_BAD_AZIMUTH], 1);
    lidar_decoder_destroy(decoder);
    frames_finish(&frames);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rays_lie_where_the_manuals_say),
        cmocka_unit_test(overtaken_and_doubled_packets_of_a_vls128_find_their_place),
        cmocka_unit_test(lost_packets_of_a_vls128_leave_holes),
        cmocka_unit_test(vls128_that_goes_back_after_a_gap_is_followed),
        cmocka_unit_test(damaged_packets_of_a_vls128_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
