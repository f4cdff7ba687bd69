/* SPDX-License-Identifier: Apache-2.0 */
/* test_ouster.c - Ouster's packets and metadata, byte by byte and key by key. */
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
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/error.h"
#include "drivers/lidar/ouster_metadata.h"

/* Packets. */

static uint8_t bytes[65536];

static const struct ouster_profile *profile_of(const char *name)
{
    const struct ouster_profile *profile = ouster_profile_find(name);
    assert_non_null(profile);
    return profile;
}

static struct ouster_format format_of(const char *name, unsigned beams, unsigned columns)
{
    struct ouster_format format;
    assert_int_equal(
        ouster_format_init(&format, profile_of(name), false, beams, columns, columns * 32), 0);
    return format;
}

static void packets_have_the_lengths_of_the_manual(void **unused)
{
    (void)unused;
    static const struct {
        const char *profile;
        unsigned beams, bytes;
    } known[] = {
        {"LEGACY", 32, 6464},
        {"LEGACY", 64, 12608},
        {"LEGACY", 128, 24896},
        {"RNG19_RFL8_SIG16_NIR16", 128, 24832},
        {"RNG19_RFL8_SIG16_NIR16_DUAL", 32, 8448},
        {"RNG19_RFL8_SIG16_NIR16_DUAL", 64, 16640},
        {"RNG19_RFL8_SIG16_NIR16_DUAL", 128, 33024},
        {"RNG15_RFL8_NIR8", 128, 8448},
        {"RNG15_RFL8_NIR8_DUAL", 128, 16640},
        {"FUSA_RNG15_RFL8_NIR8_DUAL", 128, 16640},
        {"RNG19_RFL8_SIG16_NIR16_ZONE16", 128, 24832},
    };
    for (unsigned i = 0; i < sizeof known / sizeof *known; i++)
        assert_int_equal(format_of(known[i].profile, known[i].beams, 16).packet_bytes,
                         known[i].bytes);
}

/* A kernel loads the word that a field lies in. */
static void fields_lie_in_one_word_and_do_not_overlap(void **unused)
{
    (void)unused;
    for (const struct ouster_profile *p = ouster_profiles; p->name; p++) {
        uint8_t taken[20 * 8] = {0};
        assert_true(p->pixel_bytes % 4 == 0 && p->pixel_bytes <= 20);
        assert_true(p->field[OUSTER_RANGE].width > 0 && p->field[OUSTER_REFLECTIVITY].width > 0);
        assert_true((p->returns == 2) == (p->field[OUSTER_RANGE2].width > 0));
        for (unsigned i = 0; i < OUSTER_FIELDS; i++) {
            struct ouster_bits bits = p->field[i];
            assert_true(bits.offset % 32 + bits.width <= 32);
            assert_true(bits.offset + bits.width <= p->pixel_bytes * 8);
            for (unsigned at = 0; at < bits.width; at++)
                assert_int_equal(taken[bits.offset + at]++, 0);
        }
    }
}

static void pixels_of_two_returns_are_taken_apart(void **unused)
{
    (void)unused;
    /* range 0x5A5A5, flags 0x15, reflectivity 0xC3; second 0x12345, 0x0A, 0x3C; signals 0x1122
     * and 0x3344, near infrared 0x5566, window 0x77 */
    uint8_t pixel[16];
    sl_put_le32(pixel, UINT32_C(0x5A5A5) | 0x15u << 19 | 0xC3u << 24);
    sl_put_le32(pixel + 4, UINT32_C(0x12345) | 0x0Au << 19 | 0x3Cu << 24);
    sl_put_le32(pixel + 8, UINT32_C(0x33441122));
    sl_put_le32(pixel + 12, UINT32_C(0x77005566));
    const struct ouster_profile *p = profile_of("RNG19_RFL8_SIG16_NIR16_DUAL");
    static const uint32_t expected[OUSTER_FIELDS] = {0x5A5A5, 0x15, 0xC3,   0x1122, 0x12345,
                                                     0x0A,    0x3C, 0x3344, 0x5566, 0x77};
    for (unsigned i = 0; i < OUSTER_FIELDS; i++)
        assert_int_equal(ouster_pixel_field(p, pixel, i), expected[i]);
    /* the low data rate: 8 mm and 16 photons a step */
    sl_put_le32(pixel, 1000u | 1u << 15 | 200u << 16 | 9u << 24);
    p = profile_of("RNG15_RFL8_NIR8");
    assert_int_equal(ouster_pixel_field(p, pixel, OUSTER_RANGE), 8000);
    assert_int_equal(ouster_pixel_field(p, pixel, OUSTER_FLAGS), 1);
    assert_int_equal(ouster_pixel_field(p, pixel, OUSTER_REFLECTIVITY), 200);
    assert_int_equal(ouster_pixel_field(p, pixel, OUSTER_NEAR_IR), 144);
    assert_int_equal(ouster_pixel_field(p, pixel, OUSTER_SIGNAL), 0);
}

static void the_standard_header_is_read(void **unused)
{
    (void)unused;
    struct ouster_format format = format_of("RNG15_RFL8_NIR8", 16, 4);
    struct ouster_packet packet;
    static const uint8_t header[32] = {1,    0,    0x34, 0x12, 0xBC, 0x9A, 0x78, 0x05, 0x04, 0x03,
                                       0x02, 0x01, 0xA5, 0,    0,    0,    30,   20,   1,    2};
    memset(bytes, 0, sizeof bytes);
    memcpy(bytes, header, sizeof header);
    assert_int_equal(format.packet_bytes, 32 + 4 * (12 + 64) + 32);
    assert_int_equal(ouster_packet_parse(&format, bytes, format.packet_bytes, &packet),
                     LIDAR_PACKETS);
    assert_int_equal(packet.frame_id, 0x1234);
    assert_int_equal(packet.frame_id_mask, 0xFFFF);
    assert_int_equal(packet.init_id, 0x789ABC);
    assert_true(packet.serial == UINT64_C(0x0102030405));
    assert_int_equal(packet.alert, 0xA5);
    assert_int_equal(packet.thermal_countdown_s, 30);
    assert_int_equal(packet.shot_countdown_s, 20);
    assert_int_equal(packet.thermal_shutdown, 1);
    assert_int_equal(packet.shot_limiting, 2);
    bytes[0] = 2;
    assert_int_equal(ouster_packet_parse(&format, bytes, format.packet_bytes, &packet),
                     LIDAR_BAD_FLAG);
    assert_int_equal(ouster_packet_parse(&format, bytes, format.packet_bytes - 1, &packet),
                     LIDAR_BAD_SHORT);
    assert_int_equal(ouster_packet_parse(&format, bytes, format.packet_bytes + 1, &packet),
                     LIDAR_BAD_LONG);
}

static void the_safety_header_is_read(void **unused)
{
    (void)unused;
    struct ouster_format format = format_of("FUSA_RNG15_RFL8_NIR8_DUAL", 16, 4);
    struct ouster_packet packet;
    static const uint8_t header[32] = {1, 0xBC, 0x9A, 0x78, 0x44, 0x33, 0x22, 0x11, 0x81, 0,
                                       0, 0x05, 0x04, 0x03, 0x02, 0x01, 3,    4,    1,    5};
    memset(bytes, 0, sizeof bytes);
    memcpy(bytes, header, sizeof header);
    assert_int_equal(ouster_packet_parse(&format, bytes, format.packet_bytes, &packet),
                     LIDAR_PACKETS);
    assert_int_equal(packet.frame_id, 0x11223344);
    assert_true(packet.frame_id_mask == UINT32_MAX);
    assert_int_equal(packet.init_id, 0x789ABC);
    assert_true(packet.serial == UINT64_C(0x0102030405));
    assert_int_equal(packet.alert, 0x81);
    assert_int_equal(packet.shot_limiting, 5);
    /* a profile of the ordinary sensors may come with that header, too */
    assert_int_equal(ouster_format_init(&format, profile_of("RNG15_RFL8_NIR8"), true, 16, 4, 128),
                     0);
    assert_true(format.is_fusa);
}

static void columns_of_both_kinds_are_read(void **unused)
{
    (void)unused;
    struct ouster_format legacy = format_of("LEGACY", 16, 4);
    struct ouster_format other = format_of("RNG15_RFL8_NIR8", 16, 4);
    struct ouster_packet packet;
    struct ouster_column column;
    memset(bytes, 0, sizeof bytes);
    uint8_t *second = bytes + 16 + 16 * 12 + 4;
    sl_put_le16(bytes + 10, 77); /* the frame */
    sl_put_le64(second, UINT64_C(0x1122334455667788));
    sl_put_le16(second + 8, 513);
    sl_put_le32(second + 12, 90111);
    sl_put_le32(second + 16 + 16 * 12, UINT32_MAX);
    assert_int_equal(ouster_packet_parse(&legacy, bytes, legacy.packet_bytes, &packet),
                     LIDAR_PACKETS);
    assert_int_equal(packet.frame_id, 77);
    assert_false(packet.has_identity);
    ouster_packet_column(&packet, 1, &column);
    assert_true(column.stamp_ns == UINT64_C(0x1122334455667788));
    assert_int_equal(column.measurement_id, 513);
    assert_int_equal(column.encoder, 90111);
    assert_true(column.is_valid);
    assert_ptr_equal(column.pixels, second + 16);
    ouster_packet_column(&packet, 0, &column);
    assert_false(column.is_valid);

    memset(bytes, 0, sizeof bytes);
    bytes[0] = 1;
    second = bytes + 32 + 12 + 64;
    sl_put_le64(second, 5);
    sl_put_le16(second + 8, 1023);
    sl_put_le16(second + 10, 1);
    assert_int_equal(ouster_packet_parse(&other, bytes, other.packet_bytes, &packet),
                     LIDAR_PACKETS);
    ouster_packet_column(&packet, 1, &column);
    assert_true(column.stamp_ns == 5 && column.measurement_id == 1023 && column.is_valid);
    assert_ptr_equal(column.pixels, second + 12);
}

static void sizes_that_no_packet_has_are_refused(void **unused)
{
    (void)unused;
    struct ouster_format format;
    const struct ouster_profile *p = profile_of("RNG19_RFL8_SIG16_NIR16_DUAL");
    assert_int_equal(ouster_format_init(&format, p, false, 0, 16, 1024), -EINVAL);
    assert_int_equal(ouster_format_init(&format, p, false, 33, 16, 1024), -EINVAL);
    assert_int_equal(ouster_format_init(&format, p, false, 144, 16, 1024), -EINVAL);
    assert_int_equal(ouster_format_init(&format, p, false, 64, 0, 1024), -EINVAL);
    assert_int_equal(ouster_format_init(&format, p, false, 64, 16, 1000), -EINVAL);
    assert_int_equal(ouster_format_init(&format, p, false, 64, 16, 8192), -EINVAL);
    assert_int_equal(ouster_format_init(&format, p, false, 128, 32, 1024), -EINVAL);
}

static void put_float(uint8_t *to, float value)
{
    memcpy(to, &value, sizeof value);
}

static void imu_packets_of_both_kinds_are_read_in_si_units(void **unused)
{
    (void)unused;
    struct ouster_imu_format format;
    struct ouster_imu_packet imu;
    memset(bytes, 0, sizeof bytes);
    assert_int_equal(ouster_imu_format_init(&format, true, 0), 0);
    sl_put_le64(bytes + 8, 111);
    sl_put_le64(bytes + 16, 222);
    put_float(bytes + 32, 1);   /* 1 g along z */
    put_float(bytes + 36, 180); /* half a turn about x */
    assert_int_equal(ouster_imu_parse(&format, bytes, 48, &imu), LIDAR_IMU);
    assert_int_equal(imu.count, 1);
    assert_true(imu.sample[0].stamp_ns == 222);
    assert_true(fabs(imu.sample[0].acceleration[2] - 9.80665) < 1e-12);
    assert_true(fabs(imu.sample[0].rate[0] - 3.14159265358979) < 1e-12);
    put_float(bytes + 36, NAN);
    assert_int_equal(ouster_imu_parse(&format, bytes, 48, &imu), LIDAR_BAD_TELEMETRY);
    assert_int_equal(ouster_imu_parse(&format, bytes, 47, &imu), LIDAR_BAD_SHORT);

    memset(bytes, 0, sizeof bytes);
    assert_int_equal(ouster_imu_format_init(&format, false, 8), 0);
    assert_int_equal(format.packet_bytes, 452);
    bytes[0] = 2;
    bytes[7] = 9;
    for (unsigned i = 0; i < 8; i++) {
        uint8_t *sample = bytes + 132 + 36 * i;
        sl_put_le64(sample, 1000 + i);
        sl_put_le16(sample + 10, i != 3); /* one is invalid */
        put_float(sample + 12, 2.5f);
        put_float(sample + 32, -0.25f);
    }
    assert_int_equal(ouster_imu_parse(&format, bytes, 452, &imu), LIDAR_IMU);
    assert_int_equal(imu.count, 7);
    assert_true(imu.serial == 9);
    assert_true(imu.sample[3].stamp_ns == 1004);
    assert_true(imu.sample[6].acceleration[0] == 2.5 && imu.sample[6].rate[2] == -0.25);
    assert_int_equal(ouster_imu_format_init(&format, false, 0), -EINVAL);
    assert_int_equal(ouster_imu_format_init(&format, false, 65), -EINVAL);
}

/* "123456789" is the check word of every CRC; this is CRC-64/XZ. */
static void the_checksum_is_crc_64_xz(void **unused)
{
    (void)unused;
    static struct ouster_crc crc;
    ouster_crc_init(&crc);
    assert_true(ouster_crc64(&crc, (const uint8_t *)"123456789", 9) ==
                UINT64_C(0x995DC9BBDF1939FA));
    assert_false(ouster_is_intact(&crc, bytes, 7));
}

/* Metadata. */

/* As short as it may be: 16 beams of the first generation. */
#define ANGLES "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]"
#define SHORT                                                        \
    "{\"lidar_mode\": \"512x20\", \"beam_altitude_angles\": " ANGLES \
    ", \"data_format\": {\"pixels_per_column\": 16"

static int parse(const char *text, struct ouster_metadata *m)
{
    return ouster_metadata_parse("m.json", text, strlen(text), m);
}

static void what_old_firmware_leaves_out_has_its_old_value(void **unused)
{
    (void)unused;
    struct ouster_metadata m;
    if (parse(SHORT "}}", &m) < 0)
        fail_msg("%s", sl_error_text());
    assert_string_equal(m.format.profile->name, "LEGACY");
    assert_int_equal(m.format.columns, 16);
    assert_int_equal(m.format.frame_columns, 512);
    assert_int_equal(m.turns_hz, 20);
    assert_int_equal(ouster_window_columns(&m), 512);
    assert_true(m.imu.is_legacy);
    assert_int_equal(m.serial, 0);
    assert_true(m.azimuth_deg[5] == 1.055 && m.pixel_shift[4] == 9);
    assert_true(m.beam_to_lidar[3] == 12.163);
    assert_true(m.lidar_to_sensor[0] == -1 && m.lidar_to_sensor[11] == 36.18);
    assert_true(m.imu_to_sensor[7] == -11.775);
}

static void values_that_cannot_be_are_refused_by_name(void **unused)
{
    (void)unused;
    static const struct {
        const char *text, *key;
    } wrong[] = {
        {"[]", "metadata"},
        {"{}", "columns_per_frame"},
        {"{\"lidar_mode\": \"fast\"}", "lidar_mode"},
        {"{\"lidar_mode\": \"512x0\"}", "fps"},
        {"{\"lidar_mode\": \"512x10\"}", "beam_altitude_angles"},
        {"{\"lidar_mode\": \"512x10\", \"data_format\": {\"udp_profile_lidar\": \"NEW\"}}", "NEW"},
        {SHORT ", \"columns_per_packet\": 7}}", "whole packets"},
        {SHORT ", \"columns_per_packet\": \"x\"}}", "columns_per_packet"},
        {SHORT ", \"columns_per_packet\": 1e1}}", "columns_per_packet"},
        {SHORT ", \"columns_per_frame\": 99999}}", "columns_per_frame"},
        {SHORT ", \"column_window\": [0]}}", "column_window"},
        {SHORT ", \"column_window\": [0, 512]}}", "column_window"},
        {SHORT ", \"column_window\": [-1, 5]}}", "column_window"},
        {SHORT ", \"pixel_shift_by_row\": [1, 2]}}", "pixel_shift_by_row"},
        {SHORT ", \"udp_profile_imu\": \"OTHER\"}}", "udp_profile_imu"},
        {SHORT ", \"udp_profile_imu\": \"ACCEL32_GYRO32_NMEA\"}}", "imu_measurements_per_packet"},
        {SHORT "}, \"beam_azimuth_angles\": [1]}", "beam_azimuth_angles"},
        {SHORT "}, \"beam_azimuth_angles\": {\"a\": 1}}", "beam_azimuth_angles"},
        {SHORT "}, \"prod_sn\": \"none\"}", "prod_sn"},
        {SHORT "}, \"initialization_id\": 16777216}", "initialization_id"},
        {SHORT "}, \"timestamp_mode\": \"SUNDIAL\"}", "timestamp_mode"},
        {SHORT "}, \"udp_port_lidar\": 65536}", "udp_port_lidar"},
        {SHORT "}, \"lidar_origin_to_beam_origin_mm\": 1e9}", "lidar_origin_to_beam_origin_mm"},
        {SHORT "}, \"lidar_origin_to_beam_origin_mm\": nan}", "lidar_origin_to_beam_origin_mm"},
        {SHORT "}, \"lidar_to_sensor_transform\": [2,0,0,0, 0,1,0,0, 0,0,1,0, 0,0,0,1]}",
         "lidar_to_sensor_transform"},
        {SHORT "}, \"imu_to_sensor_transform\": [1,0,0,0, 0,1,0,0, 0,0,1,0, 0,0,1,1]}",
         "imu_to_sensor_transform"},
    };
    for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct ouster_metadata m;
        sl_error_clear();
        if (parse(wrong[i].text, &m) >= 0)
            fail_msg("taken: %s", wrong[i].text);
        if (!strstr(sl_error_text(), wrong[i].key) || !strstr(sl_error_text(), "m.json"))
            fail_msg("%s\n does not name %s", sl_error_text(), wrong[i].key);
    }
    struct ouster_metadata m;
    assert_int_equal(ouster_metadata_load("does-not-exist.json", &m), -ENOENT);
}

static void an_angle_for_every_pixel_is_another_kind_of_sensor(void **unused)
{
    (void)unused;
    struct ouster_metadata m;
    assert_int_equal(
        parse("{\"lidar_mode\": \"512x10\", \"beam_altitude_angles\": [[1, 2], [3]]}", &m),
        -ENOTSUP);
}

/* Counted by hand: 16 columns a turn. */
static void window_rows_are_in_the_order_of_measurement(void **unused)
{
    (void)unused;
    struct ouster_metadata m = {
        .format = {.frame_columns = 16}, .window_first = 3, .window_last = 6};
    static const int inside[17] = {-1, -1, -1, 0, 1, 2, 3, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
    static const int around[17] = {0, 1, 2, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 3, 4, 5, -1};
    assert_int_equal(ouster_window_columns(&m), 4);
    for (unsigned i = 0; i < 17; i++)
        assert_int_equal(ouster_window_row(&m, i), inside[i]);
    m.window_first = 13;
    m.window_last = 2;
    assert_int_equal(ouster_window_columns(&m), 6);
    for (unsigned i = 0; i < 17; i++)
        assert_int_equal(ouster_window_row(&m, i), around[i]);
    assert_int_equal(ouster_window_row(&m, 65535), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_have_the_lengths_of_the_manual),
        cmocka_unit_test(fields_lie_in_one_word_and_do_not_overlap),
        cmocka_unit_test(pixels_of_two_returns_are_taken_apart),
        cmocka_unit_test(the_standard_header_is_read),
        cmocka_unit_test(the_safety_header_is_read),
        cmocka_unit_test(columns_of_both_kinds_are_read),
        cmocka_unit_test(sizes_that_no_packet_has_are_refused),
        cmocka_unit_test(imu_packets_of_both_kinds_are_read_in_si_units),
        cmocka_unit_test(the_checksum_is_crc_64_xz),
        cmocka_unit_test(what_old_firmware_leaves_out_has_its_old_value),
        cmocka_unit_test(values_that_cannot_be_are_refused_by_name),
        cmocka_unit_test(an_angle_for_every_pixel_is_another_kind_of_sensor),
        cmocka_unit_test(window_rows_are_in_the_order_of_measurement),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
