/* SPDX-License-Identifier: Apache-2.0 */
/* test_livox.c - packets made byte by byte from the protocol's description, through the decoder:
 * frames by time, losses by number and time, clocks, the IMU, and what is wrong with packets.
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
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/error.h"
#include "drivers/lidar/livox_frames.h"
#include "tests/lidar/frames.h"

#define POINTS     96
#define BYTES      (36 + POINTS * 14)
#define STEP_NS    UINT64_C(480000) /* 200,000 points a second */
#define MS         UINT64_C(1000000)
#define S          (1000 * MS)
#define START_NS   (UINT64_C(1709208007) * S + 60 * MS) /* 60 ms into a period */
#define HOST_NS    (UINT64_C(1709208007) * S + 60 * MS) /* of the first point */
#define DELAY_NS   (300 * UINT64_C(1000))
#define A_FRAME    208 /* packets, or one more: 100 ms / 480 us = 208.3 */
#define ROOM_BYTES ((size_t)300 * POINTS * 22)
#define G          9.80665

static struct frames frames;
static struct lidar_decoder *decoder;
static struct lidar_livox_config livox;
static struct lidar_decoder_config config;

static void start_as(const char *model, uint64_t period_ns)
{
    struct lidar_frame_sink sink = frames_sink(&frames);
    livox.model = livox_model_find(model);
    livox.period_ns = period_ns;
    config.livox = livox;
    frames_init(&frames, ROOM_BYTES);
    assert_int_equal(lidar_decoder_create(&config, &sink, &decoder), 0);
}

static void start(void)
{
    start_as("mid-360", 100 * MS);
}

static void stop(void)
{
    lidar_decoder_destroy(decoder);
    frames_finish(&frames);
    memset(&livox, 0, sizeof livox);
    memset(&config, 0, sizeof config);
}

static uint64_t count_of(enum lidar_count which)
{
    return lidar_decoder_counts(decoder)->count[which];
}

/* As the table of polynomial 0x04C11DB7 without a table, bit by bit, most significant first. */
static uint32_t crc_of(const uint8_t *bytes, size_t size)
{
    uint32_t crc = UINT32_MAX, reversed = 0;
    for (size_t i = 0; i < size * 8; i++) {
        uint32_t bit = bytes[i / 8] >> i % 8 & 1;
        crc = crc << 1 ^ ((crc >> 31 ^ bit) ? 0x04C11DB7u : 0);
    }
    for (unsigned i = 0; i < 32; i++)
        reversed |= (crc >> i & 1) << (31 - i);
    return ~reversed;
}

struct made {
    uint64_t stamp_ns;
    uint16_t number;
    uint8_t clock, data;
};

static struct made packet_at(unsigned n)
{
    return (struct made){START_NS + n * STEP_NS, (uint16_t)n, 2, 1};
}

/* Point i of the packet is at (i + 1, stamp's ms, -2) in mm. Returns its size. */
static uint32_t make(const struct made *m, uint8_t *bytes)
{
    static const unsigned stride[] = {24, 14, 8, 10};
    unsigned points = m->data == 0 ? 1 : POINTS;
    uint32_t size = 36 + points * stride[m->data];
    memset(bytes, 0, size);
    sl_put_le16(bytes + 1, (uint16_t)size);
    sl_put_le16(bytes + 3, 4800);
    sl_put_le16(bytes + 5, (uint16_t)points);
    sl_put_le16(bytes + 7, m->number);
    bytes[10] = m->data;
    bytes[11] = m->clock;
    sl_put_le64(bytes + 28, m->stamp_ns);
    for (unsigned i = 0; i < points; i++) {
        uint8_t *at = bytes + 36 + i * stride[m->data];
        if (m->data != 1)
            continue;
        sl_put_le32(at, i + 1);
        sl_put_le32(at + 4, (uint32_t)(m->stamp_ns / MS % 1000));
        sl_put_le32(at + 8, (uint32_t)-2);
        at[12] = (uint8_t)i;
        at[13] = (uint8_t)(i % 4);
    }
    sl_put_le32(bytes + 24, crc_of(bytes + 28, size - 28));
    return size;
}

static void push_bytes(const uint8_t *bytes, uint32_t size, uint64_t host_ns)
{
    const struct sl_datagram datagram = {.bytes = bytes, .size_bytes = size, .time_ns = host_ns};
    assert_int_equal(lidar_decoder_push(decoder, &datagram), 0);
}

static void push(const struct made *m)
{
    uint8_t bytes[BYTES];
    uint32_t size = make(m, bytes);
    push_bytes(bytes, size, HOST_NS + (m->stamp_ns - START_NS) + STEP_NS + DELAY_NS);
}

static void push_range(unsigned from, unsigned to)
{
    for (unsigned n = from; n < to; n++) {
        struct made m = packet_at(n);
        push(&m);
    }
}

static void end(void)
{
    assert_int_equal(lidar_decoder_flush(decoder), 0);
}

/* Every point's time is that of its packet and its part of 480 us. */
static void check_rows(const struct kept_frame *frame, unsigned first_packet)
{
    uint64_t period_ns = START_NS / (100 * MS) * (100 * MS);
    while (START_NS + first_packet * STEP_NS >= period_ns + 100 * MS)
        period_ns += 100 * MS;
    for (unsigned row = 0; row < frame->info.height; row++) {
        uint64_t stamp_ns = START_NS + (first_packet + row) * STEP_NS;
        for (unsigned i = 0; i < POINTS; i++) {
            struct point p = frame_point(frame, row, i);
            double time_s = (double)(stamp_ns - period_ns) * 1e-9 + i * 5e-6;
            assert_int_equal(p.ring, i % 4);
            assert_true(fabs((double)p.x - (i + 1) * 1e-3) < 1e-6);
            assert_true(fabs((double)p.y - (double)(stamp_ns / MS % 1000) * 1e-3) < 1e-6);
            assert_true(p.intensity == (float)i);
            assert_true(fabs((double)p.time - time_s) < 1e-8);
        }
    }
    assert_true(frame->info.sensor_ns == (int64_t)period_ns);
}

static void frames_are_cut_at_whole_periods_of_the_clock(void **state)
{
    (void)state;
    start();
    push_range(0, 600);
    end();
    /* 40 ms to the first cut are packets 0 to 83, then 208 and 208 or 209 */
    static const unsigned first[] = {0, 84, 292, 500};
    static const unsigned rows[] = {84, 208, 208, 100};
    assert_int_equal(frames.closed, 4);
    for (unsigned i = 0; i < 4; i++) {
        const struct lidar_frame_info *info = &frames.kept[i].info;
        assert_int_equal(info->width, POINTS);
        assert_int_equal(info->height, rows[i]);
        assert_int_equal(info->missing, 0);
        assert_int_equal(info->valid, rows[i] * POINTS);
        assert_int_equal(info->partial, i == 0   ? LIDAR_PARTIAL_START
                                        : i == 3 ? LIDAR_PARTIAL_END
                                                 : 0);
        assert_int_equal(info->clock, LIDAR_CLOCK_GPS);
        assert_true(info->stamp_ns == UINT64_C(1709208007) * S + i * 100 * MS);
        check_rows(&frames.kept[i], first[i]);
    }
    assert_int_equal(count_of(LIDAR_GAP), 0);
    assert_string_equal(lidar_decoder_product(decoder), "Mid-360");
    assert_string_equal(lidar_decoder_vendor(decoder), "Livox");
    stop();
}

static void what_is_lost_is_counted_by_number(void **state)
{
    (void)state;
    start();
    push_range(0, 100);
    push_range(103, 290);
    push_range(295, 520);
    end();
    assert_int_equal(count_of(LIDAR_GAP), 8);
    assert_int_equal(frames.closed, 4);
    assert_int_equal(frames.kept[1].info.missing, 3 + 2);
    assert_int_equal(frames.kept[1].info.height, 208 - 3 - 2);
    assert_int_equal(frames.kept[2].info.missing, 3); /* after the cut at 292 */
    stop();
}

/* Some firmware begins its count again with each frame of its own. */
static void what_is_lost_where_numbers_begin_again_is_counted_by_time(void **state)
{
    (void)state;
    start();
    for (unsigned n = 0; n < 400; n++) {
        struct made m = packet_at(n);
        m.number = (uint16_t)(n % 50);
        if (n < 148 || n > 152)
            push(&m);
    }
    end();
    assert_int_equal(count_of(LIDAR_GAP), 5);
    stop();
}

static void what_was_overtaken_finds_its_frame_and_copies_are_left_out(void **state)
{
    (void)state;
    start();
    push_range(0, 290);
    push_range(291, 294); /* over the cut at 292 */
    assert_int_equal(frames.closed, 1);
    push_range(290, 291);
    assert_int_equal(frames.closed, 2); /* that was all that was missing */
    push_range(292, 293);
    push_range(294, 296);
    assert_int_equal(count_of(LIDAR_REORDERED), 1);
    assert_int_equal(count_of(LIDAR_DUPLICATE), 1);
    assert_int_equal(frames.kept[1].info.height, 208);
    assert_int_equal(frames.kept[1].info.missing, 0);
    push_range(100, 101); /* a long time ago */
    assert_int_equal(count_of(LIDAR_RESTART_BACK), 1);
    stop();
}

static void frame_that_waits_in_vain_is_handed_on(void **state)
{
    (void)state;
    start();
    push_range(0, 290);
    push_range(291, 293);
    assert_int_equal(frames.closed, 1);
    uint64_t now_ns = HOST_NS + 292 * STEP_NS + STEP_NS + DELAY_NS;
    assert_true(lidar_decoder_due_ns(decoder) == now_ns + 10 * MS);
    lidar_decoder_deadline(decoder, now_ns + 9 * MS);
    assert_int_equal(frames.closed, 1);
    lidar_decoder_deadline(decoder, now_ns + 10 * MS);
    assert_int_equal(frames.closed, 2);
    assert_int_equal(frames.kept[1].info.missing, 1);
    push_range(290, 291);
    assert_int_equal(count_of(LIDAR_LATE), 1);
    lidar_decoder_deadline(decoder, now_ns + 200 * MS);
    assert_int_equal(frames.closed, 3);
    assert_int_equal(frames.kept[2].info.partial, LIDAR_PARTIAL_END | LIDAR_PARTIAL_OVERDUE);
    push_range(293, 294);
    end();
    assert_int_equal(frames.kept[3].info.partial, LIDAR_PARTIAL_START | LIDAR_PARTIAL_END);
    stop();
}

static void clock_that_is_set_begins_anew(void **state)
{
    (void)state;
    start();
    push_range(0, 90);
    struct made m = {5 * S, 90, 0, 1};
    push(&m); /* another clock */
    assert_int_equal(count_of(LIDAR_RESTART_MODE), 1);
    m.stamp_ns += 3 * S;
    push(&m);
    assert_int_equal(count_of(LIDAR_RESTART_AHEAD), 1);
    m.stamp_ns -= 1 * S;
    push(&m);
    assert_int_equal(count_of(LIDAR_RESTART_BACK), 1);
    end();
    assert_int_equal(frames.closed, 5);
    stop();
}

/* Since it was switched on: the host's arrival times say when that was. */
static void free_running_clock_is_tied_to_the_hosts(void **state)
{
    (void)state;
    uint8_t bytes[BYTES];
    start();
    for (unsigned n = 0; n < 300; n++) {
        struct made m = {50 * S + n * STEP_NS, (uint16_t)n, 0, 1};
        push_bytes(bytes, make(&m, bytes), HOST_NS + (n + 1) * STEP_NS + DELAY_NS + n % 7 * 1000);
    }
    end();
    assert_int_equal(frames.kept[1].info.clock, LIDAR_CLOCK_FREE_RUNNING);
    assert_true(frames.kept[1].info.stamp_ns == HOST_NS + 100 * MS + DELAY_NS);
    stop();
}

static void ptp_is_ahead_of_utc_as_configured(void **state)
{
    (void)state;
    config.ptp_ahead_ns = 37 * (int64_t)S;
    start();
    struct made m = packet_at(100);
    m.clock = 1;
    push(&m);
    end();
    assert_int_equal(frames.kept[0].info.clock, LIDAR_CLOCK_PTP);
    assert_true(frames.kept[0].info.stamp_ns == (UINT64_C(1709208007) - 37) * S + 100 * MS);
    stop();
}

static void other_kinds_of_lists_and_lengths_share_a_frame(void **state)
{
    (void)state;
    uint8_t bytes[BYTES];
    start();
    struct made m = packet_at(0);
    push(&m);
    m = packet_at(1);
    m.data = 2;
    make(&m, bytes);
    sl_put_le16(bytes + 36, 700);
    push_bytes(bytes, 36 + POINTS * 8, 0);
    m = packet_at(2);
    m.data = 3;
    make(&m, bytes);
    sl_put_le32(bytes + 36, 8000);
    push_bytes(bytes, 36 + POINTS * 10, 0);
    m = packet_at(3);
    make(&m, bytes);
    sl_put_le16(bytes + 1, 36 + 14 * 10);
    sl_put_le16(bytes + 5, 10);
    push_bytes(bytes, 36 + 14 * 10, 0);
    end();
    const struct kept_frame *frame = &frames.kept[0];
    assert_int_equal(frame->info.height, 4);
    assert_int_equal(frame->info.valid, POINTS + 1 + 1 + 10);
    assert_true(fabs((double)frame_point(frame, 1, 0).x - 7) < 1e-5);
    assert_true(fabs((double)frame_point(frame, 2, 0).z - 8) < 1e-5);
    struct point last = frame_point(frame, 3, 9), none = frame_point(frame, 3, 10);
    assert_true(last.intensity == 9);
    assert_true(point_is_hole(&none));
    stop();
}

static void points_of_little_confidence_are_left_out(void **state)
{
    (void)state;
    livox.unwanted_tags = 0x2A; /* made tags are 0 to 3: of 2 and 3 the higher bit */
    start();
    push_range(0, 1);
    end();
    assert_int_equal(frames.kept[0].info.valid, POINTS / 2);
    stop();
}

static void frame_that_is_full_ends_and_another_begins(void **state)
{
    (void)state;
    start();
    frames.capacity_bytes = (size_t)50 * POINTS * 22;
    push_range(84, 200);
    end();
    assert_int_equal(count_of(LIDAR_FRAMES_OVERFLOW), 2);
    assert_int_equal(frames.closed, 3);
    assert_int_equal(frames.kept[1].info.height, 50);
    assert_int_equal(frames.kept[2].info.height, 16);
    assert_int_equal(count_of(LIDAR_GAP), 0);
    stop();
}

static void frames_without_room_are_counted(void **state)
{
    (void)state;
    start();
    frames.refuse = 1;
    push_range(0, 300);
    end();
    assert_int_equal(count_of(LIDAR_FRAMES_DROPPED), 1);
    assert_int_equal(frames.closed, 2);
    stop();
}

/* The IMU. */

static struct lidar_imu samples[4];
static unsigned sample_count;

static void take(void *context, const struct lidar_imu *imu)
{
    (void)context;
    assert_true(sample_count < 4);
    samples[sample_count++] = *imu;
}

static void put_float(uint8_t *to, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    sl_put_le32(to, bits);
}

static uint32_t make_imu(uint8_t *bytes)
{
    const struct made m = {START_NS, 7, 2, 0};
    uint32_t size = make(&m, bytes);
    for (unsigned i = 0; i < 3; i++) {
        put_float(bytes + 36 + 4 * i, 0.1f * (float)(i + 1));
        put_float(bytes + 48 + 4 * i, 0.25f * (float)(i + 1));
    }
    sl_put_le32(bytes + 24, crc_of(bytes + 28, size - 28));
    return size;
}

static void imu_is_given_in_si_units_and_in_the_frame_of_the_points(void **state)
{
    (void)state;
    uint8_t bytes[BYTES];
    uint32_t size = make_imu(bytes);
    for (unsigned turned = 0; turned < 2; turned++) {
        sample_count = 0;
        livox.imu = (struct lidar_imu_sink){.take = take};
        config.frames.block.has_extrinsics = turned; /* a quarter to the left */
        const float left[12] = {0, -1, 0, 5, 1, 0, 0, 5, 0, 0, 1, 5};
        memcpy(config.frames.block.extrinsics, left, sizeof left);
        start();
        push_bytes(bytes, size, HOST_NS);
        assert_int_equal(sample_count, 1);
        assert_int_equal(count_of(LIDAR_IMU), 1);
        assert_int_equal(count_of(LIDAR_PACKETS), 0);
        assert_int_equal(samples[0].clock, LIDAR_CLOCK_GPS);
        assert_true(samples[0].stamp_ns == START_NS);
        assert_true(samples[0].host_ns == HOST_NS);
        assert_true(fabs(samples[0].acceleration[turned] - 0.25 * G) < 1e-6);
        assert_true(fabs(samples[0].acceleration[!turned] - (turned ? -0.5 : 0.5) * G) < 1e-6);
        assert_true(fabs(samples[0].acceleration[2] - 0.75 * G) < 1e-6);
        assert_true(fabs(samples[0].rate[turned] - 0.1) < 1e-6);
        assert_true(fabs(samples[0].rate[2] - 0.3) < 1e-6);
        stop();
    }
}

/* 452,000 points a second of six lasers in turn: 96 take 212.4 us, and 20 ms have 94.2 packets. */
static void hap_has_six_lasers_and_a_pace_of_its_own(void **state)
{
    (void)state;
    const uint64_t step_ns = 212400;
    start_as("hap", 20 * MS);
    for (unsigned n = 0; n < 120; n++) {
        uint8_t bytes[BYTES];
        struct made m = packet_at(n);
        m.stamp_ns = START_NS + n * step_ns;
        make(&m, bytes);
        sl_put_le16(bytes + 3, (uint16_t)(step_ns / 100));
        push_bytes(bytes, BYTES, HOST_NS + (n + 1) * step_ns + DELAY_NS);
    }
    end();
    assert_int_equal(count_of(LIDAR_PACKETS), 120);
    assert_int_equal(count_of(LIDAR_GAP), 0);
    assert_int_equal(frames.closed, 2);
    assert_int_equal(frames.kept[0].info.height, 95);
    assert_int_equal(frames.kept[1].info.height, 25);
    for (unsigned n = 0; n < 120; n++) {
        for (unsigned i = 0; i < POINTS; i++) {
            struct point p = frame_point(&frames.kept[n / 95], n % 95, i);
            double time_s = (double)(n * step_ns) * 1e-9 + i * 2.2125e-6 - n / 95 * 20e-3;
            assert_int_equal(p.ring, i % 6);
            assert_true(fabs((double)p.x - (i + 1) * 1e-3) < 1e-6);
            assert_true(fabs((double)p.time - time_s) < 1e-8);
        }
    }
    stop();
}

/* What is wrong. */

static enum lidar_count parse_changed(uint8_t data, unsigned at, uint8_t byte, int longer)
{
    uint8_t bytes[BYTES + 8] = {0};
    struct livox_packet packet = {.number = 4711};
    const struct made m = {START_NS, 7, 2, data};
    uint32_t size = make(&m, bytes);
    bytes[at] = byte;
    enum lidar_count verdict = livox_packet_parse(bytes, (size_t)((int)size + longer), &packet);
    assert_int_equal(packet.number, verdict == LIDAR_PACKETS || verdict == LIDAR_IMU ? 7 : 4711);
    return verdict;
}

static void what_is_wrong_with_a_packet_is_told(void **state)
{
    (void)state;
    assert_int_equal(parse_changed(1, 9, 3, 0), LIDAR_PACKETS);
    assert_int_equal(parse_changed(0, 9, 3, 0), LIDAR_IMU);
    assert_int_equal(parse_changed(1, 0, 1, 0), LIDAR_BAD_FLAG);
    assert_int_equal(parse_changed(1, 11, 3, 0), LIDAR_BAD_FLAG);
    assert_int_equal(parse_changed(1, 10, 4, 0), LIDAR_OTHER_MODEL);
    assert_int_equal(parse_changed(1, 9, 0, -1), LIDAR_BAD_SHORT);
    assert_int_equal(parse_changed(1, 9, 0, 1), LIDAR_BAD_LONG);
    assert_int_equal(parse_changed(1, 9, 0, 35 - BYTES), LIDAR_BAD_SHORT);
    assert_int_equal(parse_changed(1, 5, 95, 0), LIDAR_BAD_LONG);
    assert_int_equal(parse_changed(1, 5, 97, 0), LIDAR_BAD_SHORT);
    assert_int_equal(parse_changed(1, 5, 0, 0), LIDAR_BAD_SHORT);
    assert_int_equal(parse_changed(1, 6, 2, 0), LIDAR_BAD_LONG); /* 608 points */
    assert_int_equal(parse_changed(1, 35, 0x80, 0), LIDAR_BAD_FLAG);
    assert_int_equal(parse_changed(2, 10, 1, 0), LIDAR_BAD_SHORT); /* other points than it says */
}

static void imu_whose_numbers_are_none_is_left_out(void **state)
{
    (void)state;
    uint8_t bytes[BYTES];
    struct livox_packet packet;
    uint32_t size = make_imu(bytes);
    put_float(bytes + 56, INFINITY);
    assert_int_equal(livox_packet_parse(bytes, size, &packet), LIDAR_BAD_TELEMETRY);
}

static void checksums_are_checked_if_asked_for_and_there(void **state)
{
    (void)state;
    uint8_t bytes[BYTES];
    struct livox_crc crc;
    livox_crc_init(&crc);
    assert_true(livox_crc32(&crc, (const uint8_t *)"123456789", 9) == 0xCBF43926);
    for (unsigned checks = 0; checks < 2; checks++) {
        livox.checks_crc = checks;
        start();
        struct made m = packet_at(0);
        make(&m, bytes);
        push_bytes(bytes, BYTES, 0);
        m = packet_at(1);
        make(&m, bytes);
        bytes[40]++;
        push_bytes(bytes, BYTES, 0);
        m = packet_at(2);
        make(&m, bytes);
        sl_put_le32(bytes + 24, 0); /* firmware that has none */
        push_bytes(bytes, BYTES, 0);
        assert_int_equal(count_of(LIDAR_BAD_CRC), checks);
        assert_int_equal(count_of(LIDAR_PACKETS), 3 - checks);
        stop();
    }
}

static void slots_have_room_for_a_period(void **state)
{
    (void)state;
    assert_true(livox_frame_bytes_max(livox_model_find("mid360"), 100 * MS) >= 20100 * 22);
    assert_true(livox_frame_bytes_max(livox_model_find("HAP"), 100 * MS) >= 45300 * 22);
    assert_true(livox_frame_bytes_max(livox_model_find("HAP"), 1 * MS) >= 3 * 96 * 22);
    assert_null(livox_model_find("mid-70"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_are_cut_at_whole_periods_of_the_clock),
        cmocka_unit_test(what_is_lost_is_counted_by_number),
        cmocka_unit_test(what_is_lost_where_numbers_begin_again_is_counted_by_time),
        cmocka_unit_test(what_was_overtaken_finds_its_frame_and_copies_are_left_out),
        cmocka_unit_test(frame_that_waits_in_vain_is_handed_on),
        cmocka_unit_test(clock_that_is_set_begins_anew),
        cmocka_unit_test(free_running_clock_is_tied_to_the_hosts),
        cmocka_unit_test(ptp_is_ahead_of_utc_as_configured),
        cmocka_unit_test(other_kinds_of_lists_and_lengths_share_a_frame),
        cmocka_unit_test(points_of_little_confidence_are_left_out),
        cmocka_unit_test(frame_that_is_full_ends_and_another_begins),
        cmocka_unit_test(frames_without_room_are_counted),
        cmocka_unit_test(imu_is_given_in_si_units_and_in_the_frame_of_the_points),
        cmocka_unit_test(hap_has_six_lasers_and_a_pace_of_its_own),
        cmocka_unit_test(what_is_wrong_with_a_packet_is_told),
        cmocka_unit_test(imu_whose_numbers_are_none_is_left_out),
        cmocka_unit_test(checksums_are_checked_if_asked_for_and_there),
        cmocka_unit_test(slots_have_room_for_a_period),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
