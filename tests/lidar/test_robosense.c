/* SPDX-License-Identifier: Apache-2.0 */
/* test_robosense.c - packets made byte by byte from the manuals, all lasers of one and of two
 * returns; the angles that a sensor tells of itself; what is wrong with packets.
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
#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"
#include "drivers/lidar/robosense.h"
#include "tests/lidar/frames.h"
#include "tests/lidar/robosense_made.h"

#define RADIANS    (3.14159265358979323846 / 180)
#define ROOM_BYTES ((size_t)4200 * 2 * 32 * 22)

static struct frames frames;
static struct lidar_decoder *decoder;

static int64_t host_behind_s; /* the sensor's clock */

static void start_with(const struct sensor *s, struct lidar_decoder_config config)
{
    struct lidar_frame_sink sink = frames_sink(&frames);
    config.model = robosense_model_find(s->name);
    assert_non_null(config.model);
    frames_init(&frames, ROOM_BYTES);
    assert_int_equal(lidar_decoder_create(&config, &sink, &decoder), 0);
}

static void start(const struct sensor *s)
{
    start_with(s, (struct lidar_decoder_config){0});
}

static void stop(void)
{
    lidar_decoder_destroy(decoder);
    frames_finish(&frames);
}

static uint64_t count_of(enum lidar_count which)
{
    return lidar_decoder_counts(decoder)->count[which];
}

static void push_bytes(const uint8_t *bytes, uint32_t size, uint64_t host_ns)
{
    const struct sl_datagram datagram = {.bytes = bytes, .size_bytes = size, .time_ns = host_ns};
    assert_int_equal(lidar_decoder_push(decoder, &datagram), 0);
}

static void push_packets(const struct sensor *s, unsigned from, unsigned to)
{
    uint8_t packet[BYTES];
    for (unsigned n = from; n < to; n++) {
        make_packet(s, n, packet);
        double us = (n + 1) * columns_in_packet(s) * s->period_us + 200;
        int64_t start_ns = (START_UTC_S - host_behind_s) * INT64_C(1000000000);
        push_bytes(packet, BYTES, (uint64_t)start_ns + (uint64_t)(us * 1000));
    }
}

static unsigned ring_of(const struct sensor *s, unsigned laser)
{
    unsigned rank = 0;
    for (unsigned i = 0; i < s->lasers; i++)
        rank += s->vertical_deg[i] < s->vertical_deg[laser];
    return rank;
}

static void check_point(const struct sensor *s, const struct point *p, unsigned column,
                        unsigned laser, unsigned which)
{
    double r = raw_of(column, laser, which) * s->unit_m, v = s->vertical_deg[laser] * RADIANS;
    double h = (azimuth_deg(s, column) + turned_deg(s, s->firing_us[laser])) * RADIANS;
    double aside = h + s->azimuth_deg[laser] * RADIANS;
    double x = r * cos(v) * cos(aside) + s->lens_m * cos(h);
    double y = -r * cos(v) * sin(aside) - s->lens_m * sin(h);
    assert_true(p->intensity == (float)(laser + 1));
    assert_true(fabs((double)p->x - x) < 1.5e-3);
    assert_true(fabs((double)p->y - y) < 1.5e-3);
    assert_true(fabs((double)p->z - r * sin(v)) < 1e-4);
}

static void check_turn(const struct sensor *s, const struct kept_frame *frame, unsigned turn)
{
    const struct lidar_frame_info *info = &frame->info;
    unsigned first = 0;
    double cut = 360.0 * (s->way > 0 ? turn : TURNS_BACK - turn);
    while (s->way * azimuth_deg(s, first) < s->way * cut)
        first++;
    assert_int_equal(info->partial, 0);
    assert_int_equal(info->missing, 0);
    assert_int_equal(info->width, s->lasers);
    assert_int_equal(info->returns, s->returns);
    assert_int_equal(info->valid, info->columns * s->returns * s->lasers);
    assert_int_equal(info->clock, LIDAR_CLOCK_GPS);
    for (unsigned row = 0; row < info->columns; row++) {
        for (unsigned i = 0; i < s->lasers * s->returns; i++) {
            unsigned laser = i % s->lasers, which = i / s->lasers;
            struct point p = frame_point(frame, row + which * info->height / 2, ring_of(s, laser));
            check_point(s, &p, first + row, laser, which);
            double us =
                (double)(info->stamp_ns % UINT64_C(1000000000)) / 1e3 + (double)p.time * 1e6;
            assert_true(fabs(us - (first + row) * s->period_us - s->firing_us[laser]) < 1.6);
        }
    }
}

static void rays_lie_where_the_manuals_say(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof sensors / sizeof sensors[0]; i++) {
        const struct sensor *s = &sensors[i];
        start(s);
        push_packets(s, 0, packets_in(s, 1.3));
        assert_int_equal(lidar_decoder_flush(decoder), 0);
        assert_string_equal(lidar_decoder_product(decoder), s->name);
        assert_int_equal(count_of(LIDAR_PACKETS), packets_in(s, 1.3));
        assert_int_equal(count_of(LIDAR_GAP), 0);
        assert_int_equal(count_of(LIDAR_RESTART_MODE), 0);
        assert_int_equal(count_of(LIDAR_BAD_ROTATION), 0);
        assert_int_equal(frames.closed, 3);
        check_turn(s, &frames.kept[1], 1);
        assert_true(frames.kept[1].info.stamp_ns / UINT64_C(1000000000) == START_UTC_S);
        stop();
    }
}

/* Losses do not make two returns one. */
static void returns_of_16_lasers_are_told_though_packets_are_lost(void **state)
{
    (void)state;
    for (unsigned i = 1; i <= 7; i += 6) {
        const struct sensor *s = &sensors[i];
        start(s);
        for (unsigned n = 0; n < packets_in(s, 1.3); n += 1 + n % 3)
            push_packets(s, n, n + 1);
        assert_int_equal(lidar_decoder_flush(decoder), 0);
        assert_int_equal(count_of(LIDAR_RESTART_MODE), 0);
        assert_true(count_of(LIDAR_GAP) > 10);
        assert_int_equal(frames.kept[1].info.returns, 2);
        stop();
    }
}

/* It was set to two since. */
static void returns_of_16_lasers_are_told_though_the_sensor_said_otherwise(void **state)
{
    (void)state;
    uint8_t info[BYTES];
    start(&sensors[5]);
    make_info(&sensors[4], info);
    push_bytes(info, BYTES, 0);
    push_packets(&sensors[5], 0, packets_in(&sensors[5], 1.3));
    assert_int_equal(lidar_decoder_flush(decoder), 0);
    assert_int_equal(count_of(LIDAR_RESTART_MODE), 0);
    assert_int_equal(frames.closed, 3);
    assert_int_equal(frames.kept[0].info.returns, 2);
    stop();
}

static void one_packet_alone_has_one_return(void **state)
{
    (void)state;
    start(&sensors[4]);
    push_packets(&sensors[4], 0, 1);
    assert_int_equal(frames.opened, 0);
    assert_int_equal(lidar_decoder_flush(decoder), 0);
    assert_int_equal(frames.closed, 1);
    assert_int_equal(frames.kept[0].info.valid, 24 * 16);
    stop();
}

/* The sensor's own angles replace the type's, in the middle of a turn, which ends there. */
static void sensors_tell_their_own_angles(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof sensors / sizeof sensors[0]; i++) {
        struct sensor own = sensors[i];
        uint8_t info[BYTES];
        for (unsigned laser = 0; laser < own.lasers; laser++) {
            own.vertical_deg[laser] *= 0.97;
            if (own.type != 0)
                own.azimuth_deg[laser] = laser % 2 ? 4.55 : -3.02;
        }
        start(&own);
        push_packets(&own, 0, packets_in(&own, 0.5));
        make_info(&own, info);
        for (unsigned laser = 0; laser < own.lasers; laser++) /* as it rounds them */
            own.vertical_deg[laser] =
                round(own.vertical_deg[laser] * (own.type ? 1e2 : 1e4)) / (own.type ? 1e2 : 1e4);
        push_bytes(info, BYTES, 0);
        push_packets(&own, packets_in(&own, 0.5), packets_in(&own, 2.3));
        push_bytes(info, BYTES, 0); /* once more: nothing happens */
        assert_int_equal(lidar_decoder_flush(decoder), 0);
        assert_int_equal(count_of(LIDAR_TELEMETRY), 2);
        assert_int_equal(count_of(LIDAR_FRAMES_PARTIAL), 4);
        assert_int_equal(frames.closed, 5);
        check_turn(&own, &frames.kept[3], 2);
        assert_null(lidar_decoder_note(decoder, LIDAR_NOTE_ANGLES));
        stop();
    }
}

/* A file outdoes them. */
static void angles_of_a_file_stay(void **state)
{
    (void)state;
    struct sensor own = sensors[2];
    struct velodyne_calibration *file = calloc(1, sizeof *file);
    uint8_t info[BYTES];
    assert_non_null(file);
    file->model = *robosense_model_find(own.name);
    for (unsigned laser = 0; laser < own.lasers; laser++) {
        own.vertical_deg[laser] *= 0.9;
        own.azimuth_deg[laser] = 1.5;
        file->model.vertical_deg[laser] = (float)own.vertical_deg[laser];
        file->model.azimuth_offset_deg[laser] = -1.5f;
    }
    const struct lidar_decoder_config config = {.model = robosense_model_find(own.name),
                                                .calibration = file};
    struct lidar_frame_sink sink = frames_sink(&frames);
    frames_init(&frames, ROOM_BYTES);
    assert_int_equal(lidar_decoder_create(&config, &sink, &decoder), 0);
    make_info(&sensors[2], info);
    push_bytes(info, BYTES, 0);
    push_packets(&own, 0, packets_in(&own, 1.3));
    push_bytes(info, BYTES, 0);
    assert_int_equal(lidar_decoder_flush(decoder), 0);
    assert_int_equal(frames.closed, 3);
    check_turn(&own, &frames.kept[1], 1);
    stop();
    free(file);
}

/* Not calibrated: the bytes are all zero, or all set. */
static void angles_that_are_none_are_not_taken(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        const struct sensor *s = &sensors[i / 2 * 2 % 6];
        uint8_t info[BYTES];
        struct robosense_info said;
        make_info(s, info);
        memset(info + (s->type ? 468 : 1165), i % 2 ? 0xFF : 0, 48);
        memset(info + 516, i % 2 ? 0xFF : 0, 48);
        assert_int_equal(robosense_info_parse(robosense_model_find(s->name), info, BYTES, &said),
                         LIDAR_TELEMETRY);
        assert_false(said.has_angles);
        assert_int_equal(said.returns, 1);
        assert_int_equal(said.rpm, 600);
    }
}

static void angles_of_the_type_are_told_after_a_while(void **state)
{
    (void)state;
    const struct sensor *s = &sensors[2];
    start(s);
    push_packets(s, 0, packets_in(s, 29));
    assert_null(lidar_decoder_note(decoder, LIDAR_NOTE_ANGLES));
    push_packets(s, packets_in(s, 29), packets_in(s, 31));
    assert_non_null(strstr(lidar_decoder_note(decoder, LIDAR_NOTE_ANGLES), "DIFOP"));
    stop();
}

static void clock_that_counts_tai_is_told_until_it_is_taken_off(void **state)
{
    (void)state;
    const struct sensor *s = &sensors[2];
    const struct lidar_decoder_config ptp = {.is_ptp = true, .ptp_ahead_ns = INT64_C(37000000000)};
    host_behind_s = 37;
    start(s);
    push_packets(s, 0, packets_in(s, 29));
    assert_null(lidar_decoder_note(decoder, LIDAR_NOTE_CLOCK));
    push_packets(s, packets_in(s, 29), packets_in(s, 31));
    assert_non_null(strstr(lidar_decoder_note(decoder, LIDAR_NOTE_CLOCK), "--ptp-ahead"));
    assert_int_equal(frames.kept[1].info.clock, LIDAR_CLOCK_GPS);
    stop();
    start_with(s, ptp);
    push_packets(s, 0, packets_in(s, 31));
    assert_null(lidar_decoder_note(decoder, LIDAR_NOTE_CLOCK));
    assert_int_equal(frames.kept[1].info.clock, LIDAR_CLOCK_PTP);
    assert_true(frames.kept[1].info.stamp_ns / UINT64_C(1000000000) == START_UTC_S - 37);
    stop();
    host_behind_s = 0;
}

static enum lidar_count check_changed(const struct sensor *s, unsigned at, uint8_t byte,
                                      size_t size)
{
    uint8_t packet[BYTES + 1] = {0};
    const struct lidar_model *told = NULL;
    make_packet(s, 0, packet);
    packet[at] = byte;
    enum lidar_count verdict = robosense_data_check(packet, size, &told);
    assert_true((verdict == LIDAR_PACKETS) == (told != NULL));
    return verdict;
}

static void what_is_wrong_with_a_packet_is_told(void **state)
{
    (void)state;
    const struct sensor *rs16 = &sensors[0], *helios = &sensors[2];
    assert_int_equal(check_changed(rs16, 1247, 0, BYTES), LIDAR_PACKETS);
    assert_int_equal(check_changed(rs16, 1247, 0, 0), LIDAR_BAD_SHORT);
    assert_int_equal(check_changed(rs16, 1247, 0, BYTES - 1), LIDAR_BAD_SHORT);
    assert_int_equal(check_changed(rs16, 1247, 0, BYTES + 1), LIDAR_BAD_LONG);
    assert_int_equal(check_changed(rs16, 7, 0, BYTES), LIDAR_BAD_FLAG);
    assert_int_equal(check_changed(helios, 3, 0, BYTES), LIDAR_BAD_FLAG);
    assert_int_equal(check_changed(helios, 30, 9, BYTES), LIDAR_OTHER_MODEL);
    assert_int_equal(check_changed(helios, 31, 2, BYTES), LIDAR_OTHER_MODEL);
    assert_int_equal(check_changed(helios, 42 + 1100, 0, BYTES), LIDAR_BAD_FLAG);
    assert_int_equal(check_changed(helios, 44 + 1100, 0xFF, BYTES), LIDAR_BAD_AZIMUTH);
}

static void another_model_is_refused_by_name(void **state)
{
    (void)state;
    uint8_t packet[BYTES];
    struct sl_datagram datagram = {.bytes = packet, .size_bytes = BYTES};
    start(&sensors[2]);
    make_packet(&sensors[4], 0, packet);
    assert_int_equal(lidar_decoder_push(decoder, &datagram), -EPROTO);
    assert_non_null(strstr(sl_error_text(), "RS-Helios-5515"));
    assert_non_null(strstr(sl_error_text(), "RS-Helios-16P"));
    assert_int_equal(lidar_decoder_push(decoder, &datagram), -EPROTO);
    stop();
}

static void kind_that_is_not_known_is_told(void **state)
{
    (void)state;
    uint8_t packet[BYTES];
    start(&sensors[2]);
    make_packet(&sensors[2], 0, packet);
    push_bytes(packet, BYTES, 0);
    assert_null(lidar_decoder_note(decoder, LIDAR_NOTE_MODEL));
    for (uint8_t type = 9; type < 11; type++) {
        packet[30] = type;
        packet[31] = 2;
        push_bytes(packet, BYTES, 0);
        const char *note = lidar_decoder_note(decoder, LIDAR_NOTE_MODEL);
        assert_true(note && strstr(note, "RS-Helios-5515") && strstr(note, "type 9, kind 2"));
    }
    assert_int_equal(count_of(LIDAR_OTHER_MODEL), 2);
    stop();
}

/* The Helios says whether it counts in 0.25 or in 0.5 cm. */
static void unit_is_what_the_packet_says(void **state)
{
    (void)state;
    uint8_t packet[BYTES];
    start(&sensors[2]);
    make_packet(&sensors[2], 0, packet);
    packet[17] = 0;
    push_bytes(packet, BYTES, 0);
    assert_int_equal(lidar_decoder_flush(decoder), 0);
    struct point p = frame_point(&frames.kept[0], 0, 31);
    assert_true(fabs((double)p.z - RAW * 0.005 * sin(15 * RADIANS)) < 1e-5);
    stop();
}

static void dates_are_read(void **state)
{
    (void)state;
    static const struct {
        uint8_t time[10];
        bool has_date;
        int64_t utc_us; /* as Python's datetime says */
    } cases[] = {
        {{0, 1, 1, 0, 0, 0, 0, 0, 0, 0}, true, INT64_C(946684800000000)},
        {{0, 3, 1, 0, 0, 0, 0, 0, 0, 1}, true, INT64_C(951868800000001)},
        {{24, 2, 29, 12, 0, 7, 3, 231, 3, 231}, true, INT64_C(1709208007999999)},
        {{100, 3, 1, 0, 0, 0, 0, 0, 0, 0},
         true,
         INT64_C(4107542400000000)}, /* 2100: no leap year */
        {{255, 12, 31, 23, 59, 59, 0, 0, 0, 0}, true, INT64_C(9025257599000000)},
        {{24, 13, 1, 0, 1, 2, 0, 0, 0, 0}, false, 62000000},
    };
    uint8_t packet[BYTES];
    const struct lidar_model *rs16 = robosense_model_find("RS16");
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        make_packet(&sensors[0], 0, packet);
        memcpy(packet + 20, cases[i].time, 10);
        struct robosense_time time = robosense_data_time(rs16, packet);
        assert_int_equal(time.has_date, cases[i].has_date);
        assert_true(time.utc_ns == cases[i].utc_us * 1000);
        assert_int_equal(time.stamp_us, cases[i].utc_us % INT64_C(3600000000));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rays_lie_where_the_manuals_say),
        cmocka_unit_test(returns_of_16_lasers_are_told_though_packets_are_lost),
        cmocka_unit_test(returns_of_16_lasers_are_told_though_the_sensor_said_otherwise),
        cmocka_unit_test(one_packet_alone_has_one_return),
        cmocka_unit_test(sensors_tell_their_own_angles),
        cmocka_unit_test(angles_of_a_file_stay),
        cmocka_unit_test(angles_that_are_none_are_not_taken),
        cmocka_unit_test(angles_of_the_type_are_told_after_a_while),
        cmocka_unit_test(clock_that_counts_tai_is_told_until_it_is_taken_off),
        cmocka_unit_test(what_is_wrong_with_a_packet_is_told),
        cmocka_unit_test(another_model_is_refused_by_name),
        cmocka_unit_test(kind_that_is_not_known_is_told),
        cmocka_unit_test(unit_is_what_the_packet_says),
        cmocka_unit_test(dates_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
