/* SPDX-License-Identifier: Apache-2.0 */
/* test_velodyne.c - packets checked, told apart and taken apart; telemetry; the sensor's clock. */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/error.h"
#include "tests/lidar/frames.h"

static uint8_t bytes[FAKE_PACKET_BYTES + 16];

static void good_packet(void)
{
    struct fake_sensor sensor = fake_vlp16();
    fake_packet(&sensor, 0, bytes);
}

static void good_packet_is_accepted(void **state)
{
    (void)state;
    good_packet();
    assert_int_equal(velodyne_data_check(bytes, 1206), LIDAR_PACKETS);
}

static void wrong_packets_are_told_by_reason(void **state)
{
    (void)state;
    good_packet();
    assert_int_equal(velodyne_data_check(bytes, 0), LIDAR_BAD_SHORT);
    assert_int_equal(velodyne_data_check(bytes, 1205), LIDAR_BAD_SHORT);
    assert_int_equal(velodyne_data_check(bytes, 1207), LIDAR_BAD_LONG);
    bytes[1100] = 0xFE;
    assert_int_equal(velodyne_data_check(bytes, 1206), LIDAR_BAD_FLAG);
    good_packet();
    sl_put_le16(bytes + 502, 36001);
    assert_int_equal(velodyne_data_check(bytes, 1206), LIDAR_BAD_AZIMUTH);
    good_packet();
    bytes[1204] = 0x36;
    assert_int_equal(velodyne_data_check(bytes, 1206), LIDAR_BAD_RETURN_MODE);
}

static void a_whole_turn_is_taken_for_zero(void **state)
{
    (void)state;
    struct lidar_packet packet;
    good_packet();
    sl_put_le16(bytes + 502, 36000);
    assert_int_equal(velodyne_data_check(bytes, 1206), LIDAR_PACKETS);
    assert_int_equal(velodyne_data_parse(velodyne_models[0], bytes, &packet), LIDAR_PACKETS);
    assert_int_equal(packet.azimuth[5], 0);
}

static void upper_banks_are_no_vlp16(void **state)
{
    (void)state;
    struct lidar_packet packet;
    good_packet();
    sl_put_le16(bytes + 300, 0xDDFF);
    assert_int_equal(velodyne_data_check(bytes, 1206), LIDAR_PACKETS);
    assert_int_equal(velodyne_data_parse(velodyne_models[0], bytes, &packet), LIDAR_BAD_FLAG);
}

static void two_returns_pair_the_blocks(void **state)
{
    (void)state;
    struct lidar_packet packet;
    struct fake_sensor sensor = fake_vlp16();
    sensor.mode = 0x39;
    fake_packet(&sensor, 0, bytes);
    assert_int_equal(velodyne_data_parse(velodyne_models[0], bytes, &packet), LIDAR_PACKETS);
    assert_int_equal(packet.returns, 2);
    assert_int_equal(packet.group_count, 6);
    assert_ptr_equal(packet.wire[0][1], bytes + 204);
    assert_ptr_equal(packet.wire[1][1], bytes + 304);
    sl_put_le16(bytes + 302, 1);
    assert_int_equal(velodyne_data_parse(velodyne_models[0], bytes, &packet), LIDAR_BAD_AZIMUTH);
}

/* Identify a stream of such an id, mode and stamp step. */
static int identify(uint8_t id, uint8_t mode, double step_us, const struct lidar_model **ret_model,
                    unsigned *ret_packets)
{
    struct velodyne_identify identification = {0};
    good_packet();
    bytes[1204] = mode;
    bytes[1205] = id;
    for (unsigned i = 0;; i++) {
        assert_true(i < VELODYNE_IDENTIFY_PACKETS);
        sl_put_le32(bytes + 1200, (uint32_t)(3599999000.0 + i * step_us) % 3600000000u);
        int err = velodyne_identify(&identification, bytes, ret_model);
        *ret_packets = i + 1;
        if (err != -EAGAIN)
            return err;
    }
}

static void id_and_stamps_tell_the_model(void **state)
{
    (void)state;
    static const struct {
        uint8_t id, mode;
        double step_us;
        const char *name;
        unsigned packets;
    } cases[] = {
        {0x22, 0x37, 1327.104, "VLP-16", 3}, {0x22, 0x38, 1327.104, "VLP-16", 3},
        {0x22, 0x39, 663.552, "VLP-16", 3},  {0x21, 0x37, 1327.104, "VLP-16", 3},
        {0x21, 0x39, 663.552, "VLP-16", 3},  {0x24, 0x37, 1327.104, "Puck Hi-Res", 3},
        {0x22, 0x37, 2654.208, "VLP-16", 3}, /* every second packet lost */
        {0x21, 0x37, 552.96, "HDL-32E", 3},  {0x21, 0x39, 276.48, "HDL-32E", 3},
        {0x28, 0x37, 663.552, "VLP-32C", 3}, {0x28, 0x39, 331.776, "VLP-32C", 3},
        {0x23, 0x37, 663.552, "VLP-32B", 3}, {0xA1, 0x37, 173.3, "VLS-128", 16},
        {0xA1, 0x38, 159.9, "VLS-128", 16},  {0xA1, 0x39, 55.28, "VLS-128", 16},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct lidar_model *model = NULL;
        unsigned packets = 0;
        assert_int_equal(identify(cases[i].id, cases[i].mode, cases[i].step_us, &model, &packets),
                         0);
        assert_string_equal(model->name, cases[i].name);
        assert_int_equal(packets, cases[i].packets);
    }
}

static void what_fits_no_sensor_is_named(void **state)
{
    (void)state;
    static const struct {
        uint8_t id;
        double step_us;
        const char *text;
    } cases[] = {
        {0x55, 1327.104, "0x55"},
        {0x22, 552.96, "VLP-16"},
        {0xA1, 200, "VLS-128"},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct lidar_model *model = NULL;
        unsigned packets = 0;
        assert_int_equal(identify(cases[i].id, 0x37, cases[i].step_us, &model, &packets), -EPROTO);
        assert_null(model);
        assert_non_null(strstr(sl_error_text(), cases[i].text));
    }
}

static void models_are_found_by_name_and_alias(void **state)
{
    (void)state;
    assert_string_equal(velodyne_model_find("VLP-16")->name, "VLP-16");
    assert_string_equal(velodyne_model_find("vlp16")->name, "VLP-16");
    assert_string_equal(velodyne_model_find("puck lite")->name, "Puck LITE");
    assert_string_equal(velodyne_model_find("puck-hi-res")->name, "Puck Hi-Res");
    assert_string_equal(velodyne_model_find("Alpha-Prime")->name, "VLS-128");
    assert_null(velodyne_model_find("HDL-65E"));
    assert_null(velodyne_model_find(""));
    assert_true(
        velodyne_models_agree(velodyne_model_find("puck-lite"), velodyne_model_find("puck")));
}

/* Telemetry. */

static uint8_t position[VELODYNE_TELEMETRY_BYTES];

static void make_position(uint32_t stamp_us, uint8_t pps, const char *body)
{
    uint8_t sum = 0;
    memset(position, 0, sizeof position);
    sl_put_le32(position + 198, stamp_us);
    position[202] = pps;
    for (const char *at = body; *at; at++)
        sum ^= (uint8_t)*at;
    if (*body)
        snprintf((char *)position + 206, 306, "$%s*%02X\r\n", body, sum);
}

static void rmc_gives_utc(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        int64_t utc_ms; /* by date(1) */
    } cases[] = {
        {"GPRMC,081802.00,A,3649.7478558,N,00224.4542928,W,0.034,212.5,210116,0.0,E,A",
         1453364282000},
        {"GPRMC,220243,A,3708.5809,N,12139.7813,W,028.8,158.3,111212,013.8,E,D", 1355263363000},
        {"GNRMC,235959.900,A,,,,,,,290224,,,A", 1709251199900},
        {"GPRMC,000000,A,,,,,,,010100,,", 946684800000},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct velodyne_telemetry t;
        make_position(1234567, 2, cases[i].body);
        assert_int_equal(velodyne_telemetry_parse(position, sizeof position, &t), LIDAR_TELEMETRY);
        assert_true(t.has_sentence && t.sentence.has_utc && !t.sentence.is_damaged);
        assert_int_equal(t.stamp_us, 1234567);
        assert_int_equal(t.pps, VELODYNE_PPS_LOCKED);
        assert_true(t.sentence.utc_ns == cases[i].utc_ms * 1000000);
    }
}

static void sentences_without_a_fix_or_damaged_give_no_utc(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        bool is_damaged;
    } cases[] = {
        {"GPRMC,081802.00,V,,,,,,,210116,,,N", false},
        {"GPGGA,081802.00,3649.7,N,00224.4,W,1,08,1.0,10.0,M,,,,", false},
        {"GPRMC,081802.00,A", true},
        {"GPRMC,0818,A,,,,,,,210116,,", true},
        {"GPRMC,251802,A,,,,,,,210116,,", true},
        {"GPRMC,081802,A,,,,,,,211316,,", true},
        {"GPRMC,0818x2,A,,,,,,,210116,,", true},
        {"", false},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct velodyne_telemetry t;
        make_position(1, 2, cases[i].body);
        assert_int_equal(velodyne_telemetry_parse(position, sizeof position, &t), LIDAR_TELEMETRY);
        assert_false(t.sentence.has_utc);
        assert_int_equal(t.sentence.is_damaged, cases[i].is_damaged);
        assert_int_equal(t.sentence.is_rmc, strncmp(cases[i].body, "GPRMC", 5) == 0);
        assert_int_equal(t.has_sentence, cases[i].body[0] != 0);
    }
    struct velodyne_telemetry t;
    make_position(1, 2, "GPRMC,081802.00,A,3649.7,N,00224.4,W,0.034,212.5,210116,0.0,E,A");
    position[220] ^= 1; /* the checksum is wrong now */
    assert_int_equal(velodyne_telemetry_parse(position, sizeof position, &t), LIDAR_TELEMETRY);
    assert_true(t.sentence.is_damaged && !t.sentence.has_utc);
    memset(position + 206, 'A', 306); /* no end anywhere */
    position[206] = '$';
    assert_int_equal(velodyne_telemetry_parse(position, sizeof position, &t), LIDAR_TELEMETRY);
    assert_true(t.sentence.is_damaged && !t.sentence.has_utc);
}

static void what_is_no_position_packet_is_counted(void **state)
{
    (void)state;
    struct velodyne_telemetry t;
    make_position(1, 2, "");
    assert_int_equal(velodyne_telemetry_parse(position, 511, &t), LIDAR_BAD_TELEMETRY);
    position[3] = 1;
    assert_int_equal(velodyne_telemetry_parse(position, 512, &t), LIDAR_BAD_TELEMETRY);
}

/* The clock. */

#define HOUR_NS INT64_C(3600000000000)

static void counter_goes_on_over_the_hour(void **state)
{
    (void)state;
    struct lidar_clock clock = {0};
    int64_t first = 0, second = 0, third = 0;
    assert_int_equal(lidar_clock_data(&clock, 3599999500, 0, 0, &first), LIDAR_STEP_FIRST);
    /* beyond the hour for a moment, as sensors do */
    assert_int_equal(lidar_clock_data(&clock, 3600000827, 0, 0, &second), LIDAR_STEP_NEXT);
    assert_true(second - first == 1327000);
    assert_int_equal(lidar_clock_data(&clock, 2154, 0, 0, &third), LIDAR_STEP_NEXT);
    assert_true(third - second == 1327000);
}

static void overtaken_packets_are_late_and_set_back_counters_a_jump(void **state)
{
    (void)state;
    struct lidar_clock clock = {0};
    int64_t time = 0;
    lidar_clock_data(&clock, 1000000, 0, 0, &time);
    assert_int_equal(lidar_clock_data(&clock, 998673, 0, 0, &time), LIDAR_STEP_LATE);
    assert_true(time == 998673000);
    assert_int_equal(lidar_clock_data(&clock, 1000000, 0, 0, &time), LIDAR_STEP_LATE);
    assert_int_equal(lidar_clock_data(&clock, 1001327, 0, 0, &time), LIDAR_STEP_NEXT);
    assert_int_equal(lidar_clock_data(&clock, 901327, 0, 0, &time), LIDAR_STEP_BACK);
    assert_int_equal(lidar_clock_data(&clock, 902654, 0, 0, &time), LIDAR_STEP_NEXT);
    /* set back by less than packets can be overtaken: told by their number */
    unsigned late = 0;
    uint32_t stamp = 902654 - 15000;
    while (lidar_clock_data(&clock, stamp += 10, 0, 0, &time) == LIDAR_STEP_LATE)
        late++;
    assert_int_equal(late, LIDAR_LATE_RUN_MAX);
}

static void a_lost_hour_is_told_by_the_host(void **state)
{
    (void)state;
    struct lidar_clock clock = {0};
    int64_t time = 0;
    uint64_t host = UINT64_C(1700000000000000000);
    lidar_clock_data(&clock, 1000000, host, 0, &time);
    assert_int_equal(lidar_clock_data(&clock, 1001327, host + HOUR_NS, 0, &time), LIDAR_STEP_AHEAD);
}

static void free_running_counter_is_anchored_to_the_earliest_arrival(void **state)
{
    (void)state;
    struct lidar_clock clock = {0};
    enum lidar_clock_kind kind;
    int64_t time = 0;
    const uint64_t host = UINT64_C(1700000000000000000);
    /* delays of 5, 1 and 3 ms, of packets that last 1 ms */
    lidar_clock_data(&clock, 0, host + 6000000, 1000000, &time);
    lidar_clock_data(&clock, 1327, host + 1327000 + 2000000, 1000000, &time);
    lidar_clock_data(&clock, 2654, host + 2654000 + 4000000, 1000000, &time);
    assert_true(lidar_clock_stamp_ns(&clock, LIDAR_STAMP_SENSOR, time, &kind) ==
                host + 2654000 + 1000000);
    assert_int_equal(kind, LIDAR_CLOCK_FREE_RUNNING);
    lidar_clock_stamp_ns(&clock, LIDAR_STAMP_HOST, time, &kind);
    assert_int_equal(kind, LIDAR_CLOCK_HOST);
}

static void gps_hour_is_taken_only_when_locked(void **state)
{
    (void)state;
    struct lidar_clock clock = {0};
    enum lidar_clock_kind kind;
    int64_t time = 0;
    const int64_t hour = INT64_C(1453363200) * 1000000000; /* 08:00 */
    lidar_clock_data(&clock, 5000000, UINT64_C(1700000000000000000), 0, &time);
    lidar_clock_gps(&clock, 5000100, false, hour + INT64_C(5000000000));
    lidar_clock_stamp_ns(&clock, LIDAR_STAMP_SENSOR, time, &kind);
    assert_int_equal(kind, LIDAR_CLOCK_FREE_RUNNING);
    lidar_clock_gps(&clock, 5000100, true, hour + INT64_C(5000000000));
    assert_true(lidar_clock_stamp_ns(&clock, LIDAR_STAMP_SENSOR, time, &kind) ==
                (uint64_t)(hour + INT64_C(5000000000)));
    assert_int_equal(kind, LIDAR_CLOCK_GPS);
    lidar_clock_stamp_ns(&clock, LIDAR_STAMP_HOST, time, &kind);
    assert_int_equal(kind, LIDAR_CLOCK_HOST);
}

static void sentence_of_the_last_second_belongs_to_the_hour_before(void **state)
{
    (void)state;
    struct lidar_clock clock = {0};
    enum lidar_clock_kind kind;
    int64_t time = 0;
    const int64_t hour = INT64_C(1453363200) * 1000000000;
    /* the counter is 100 ms into the hour, the sentence still says 07:59:59 */
    lidar_clock_data(&clock, 100000, 0, 0, &time);
    lidar_clock_gps(&clock, 100000, true, hour - INT64_C(1000000000));
    assert_true(lidar_clock_stamp_ns(&clock, LIDAR_STAMP_SENSOR, time, &kind) ==
                (uint64_t)(hour + 100000000));
    /* and the other way round */
    struct lidar_clock late = {0};
    lidar_clock_data(&late, 3599900000, 0, 0, &time);
    lidar_clock_gps(&late, 3599900000, true, hour);
    assert_true(lidar_clock_stamp_ns(&late, LIDAR_STAMP_SENSOR, time, &kind) ==
                (uint64_t)(hour - 100000000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_packet_is_accepted),
        cmocka_unit_test(wrong_packets_are_told_by_reason),
        cmocka_unit_test(a_whole_turn_is_taken_for_zero),
        cmocka_unit_test(upper_banks_are_no_vlp16),
        cmocka_unit_test(two_returns_pair_the_blocks),
        cmocka_unit_test(id_and_stamps_tell_the_model),
        cmocka_unit_test(what_fits_no_sensor_is_named),
        cmocka_unit_test(models_are_found_by_name_and_alias),
        cmocka_unit_test(rmc_gives_utc),
        cmocka_unit_test(sentences_without_a_fix_or_damaged_give_no_utc),
        cmocka_unit_test(what_is_no_position_packet_is_counted),
        cmocka_unit_test(counter_goes_on_over_the_hour),
        cmocka_unit_test(overtaken_packets_are_late_and_set_back_counters_a_jump),
        cmocka_unit_test(a_lost_hour_is_told_by_the_host),
        cmocka_unit_test(free_running_counter_is_anchored_to_the_earliest_arrival),
        cmocka_unit_test(gps_hour_is_taken_only_when_locked),
        cmocka_unit_test(sentence_of_the_last_second_belongs_to_the_hour_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
