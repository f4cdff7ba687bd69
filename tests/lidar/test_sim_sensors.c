/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of the simulated OS1-64 and XT32 at places that were worked out by hand. */
#include "core/base/bytes.h"
#include "core/base/error.h"
#include "drivers/lidar/sim/sim.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define START_NS UINT64_C(1700000000123456789) /* 2023-11-14 22:13:20 UTC */

/* An empty cube whose walls are 10 m away. */
static void config_cube(enum lidar_sim_model model, struct lidar_sim_config *config)
{
    lidar_sim_config_of(model, config);
    config->scene = (struct lidar_scene){.room_min = {-10, -10, -10}, .room_max = {10, 10, 10}};
    config->telemetry_every = 0;
    config->start_utc_ns = START_NS;
}

/* And a curtain 5 m ahead, that half of the light goes through. */
static void add_curtain(struct lidar_sim_config *config)
{
    config->scene.boxes[config->scene.box_count++] = (struct lidar_scene_box){
        .centre = {5.01, 0, 0}, .half = {0.01, 5, 5}, .opacity = 0.5, .reflectivity = 200};
}

static void packet_of(const struct lidar_sim_config *config, unsigned number,
                      struct lidar_sim_packet *packet)
{
    struct lidar_sim *sim = NULL;
    assert_int_equal(lidar_sim_create(config, &sim), 0);
    for (unsigned i = 0; i <= number; i++)
        assert_int_equal(lidar_sim_next(sim, packet), 1);
    lidar_sim_destroy(sim);
}

static void legacy_packet_of_an_os1(void **state)
{
    (void)state;
    struct lidar_sim_config config;
    struct lidar_sim_packet packet;
    config_cube(LIDAR_SIM_OS1_64, &config);
    packet_of(&config, 0, &packet);
    const unsigned column_bytes = 16 + 64 * 12 + 4;
    assert_int_equal(packet.size_bytes, 16 * column_bytes);
    assert_int_equal(packet.size_bytes, 12608);
    /* Ahead is half a turn after measurement 0; PTP is 37 s ahead of UTC. */
    assert_int_equal(sl_get_le64(packet.bytes), START_NS + UINT64_C(37000000000));
    assert_int_equal(sl_get_le16(packet.bytes + 8), 512);
    assert_int_equal(sl_get_le16(packet.bytes + 10), 0);
    assert_int_equal(sl_get_le32(packet.bytes + 12), 45056); /* half of 90112 */
    assert_int_equal(sl_get_le32(packet.bytes + column_bytes - 4), 0xFFFFFFFF);
    /* Columns are 97.65625 us apart. */
    assert_int_equal(sl_get_le64(packet.bytes + 15 * column_bytes),
                     START_NS + UINT64_C(37000000000) + 1464844);
    assert_int_equal(sl_get_le16(packet.bytes + 15 * column_bytes + 8), 527);
    /* Beam 0 looks 22.5 degrees up and 4.218 to the right, from 15.806 mm off the axis:
     * 9.984194 / (cos 22.5 cos 4.218) + 0.015806 = 10.85197 m. Beam 31: 0.357 degrees up. */
    assert_int_equal(sl_get_le32(packet.bytes + 16), 10852);
    assert_int_equal(sl_get_le32(packet.bytes + 16 + 31 * 12), 10027);
    /* 256 columns later, to the right, where the wall is as far; then the next turn begins. */
    packet_of(&config, 16, &packet);
    assert_int_equal(sl_get_le16(packet.bytes + 8), 768);
    assert_int_equal(sl_get_le32(packet.bytes + 16 + 31 * 12), 10027);
    packet_of(&config, 32, &packet);
    assert_int_equal(sl_get_le16(packet.bytes + 8), 0);
    assert_int_equal(sl_get_le16(packet.bytes + 10), 1);
    assert_int_equal(packet.first_ns, 50000000);
    assert_int_equal(packet.due_ns, 50000000 + 1562500);
}

static void os1_looks_to_the_right_after_a_quarter_turn(void **state)
{
    (void)state;
    struct lidar_sim_config config;
    struct lidar_sim_packet packet;
    config_cube(LIDAR_SIM_OS1_64, &config);
    config.scene.room_min.y = -3; /* the right wall, y is left */
    config.start_azimuth_deg = 90;
    packet_of(&config, 0, &packet);
    assert_int_equal(sl_get_le16(packet.bytes + 8), 768);
    /* (3 - 0.015806) / (cos 0.357 cos 4.218) + 0.015806 = 3.00816 m */
    assert_int_equal(sl_get_le32(packet.bytes + 16 + 31 * 12), 3008);
}

/* Bit by bit, as the standard has it. */
static uint64_t slow_crc(const uint8_t *bytes, size_t size)
{
    uint64_t crc = UINT64_MAX;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ UINT64_C(0xC96C5795D7870F42) : crc >> 1;
    }
    return ~crc;
}

static void dual_packet_of_an_os1(void **state)
{
    (void)state;
    struct lidar_sim_config config;
    struct lidar_sim_packet packet;
    config_cube(LIDAR_SIM_OS1_64, &config);
    add_curtain(&config);
    config.return_mode = LIDAR_SIM_DUAL;
    packet_of(&config, 32, &packet);
    assert_int_equal(packet.size_bytes, 16640);
    assert_int_equal(sl_get_le16(packet.bytes), 1);
    assert_int_equal(sl_get_le16(packet.bytes + 2), 1);
    assert_int_equal(sl_get_le32(packet.bytes + 4) & 0xFFFFFF, 0x515100);
    assert_int_equal(sl_get_le32(packet.bytes + 7), UINT64_C(122300000064) & UINT32_MAX);
    assert_int_equal(packet.bytes[11], UINT64_C(122300000064) >> 32);
    assert_int_equal(sl_get_le64(packet.bytes + 16632), slow_crc(packet.bytes, 16632));
    packet_of(&config, 0, &packet);
    const uint8_t *pixel = packet.bytes + 32 + 12 + 31 * 16;
    /* The curtain: (5 - 0.015806) / (cos 0.357 cos 4.218) + 0.015806 = 5.01363 m; it sends back
     * half of 200 less its stripes' 24, more than the half that the wall gets. */
    assert_int_equal(sl_get_le32(pixel) & 0x7FFFF, 5014);
    assert_true(pixel[3] == 100 || pixel[3] == 88);
    assert_int_equal(sl_get_le32(pixel + 4) & 0x7FFFF, 10027);
    assert_true(pixel[7] == 22 || pixel[7] == 48);
    /* Backwards there is one return. */
    packet_of(&config, 32, &packet);
    assert_int_equal(sl_get_le32(packet.bytes + 32 + 12 + 31 * 16 + 4), 0);
    assert_int_equal(sl_get_le16(packet.bytes + 32 + 10), 1);
}

static void imu_of_an_os1_weighs_itself(void **state)
{
    (void)state;
    struct lidar_sim_config config;
    struct lidar_sim_packet packet;
    config_cube(LIDAR_SIM_OS1_64, &config);
    config.telemetry_every = 1;
    config.gps = false;
    packet_of(&config, 1, &packet);
    assert_true(packet.telemetry);
    assert_int_equal(packet.size_bytes, 48);
    assert_int_equal(sl_get_le64(packet.bytes), 1562500);
    assert_int_equal(sl_get_le64(packet.bytes + 16), 1562500);
    assert_int_equal(sl_get_le32(packet.bytes + 32), 0x3F800000); /* 1 g, upwards */
    assert_int_equal(sl_get_le32(packet.bytes + 24), 0);
}

static void packet_of_an_xt32(void **state)
{
    (void)state;
    struct lidar_sim_config config;
    struct lidar_sim_packet packet;
    config_cube(LIDAR_SIM_XT32, &config);
    packet_of(&config, 0, &packet);
    static const uint8_t header[12] = {0xEE, 0xFF, 6, 1, 0, 0, 32, 8, 0, 4, 1, 1};
    assert_int_equal(packet.size_bytes, 1080);
    assert_memory_equal(packet.bytes, header, sizeof header);
    /* 50 us a column: 0.18 degrees. */
    assert_int_equal(sl_get_le16(packet.bytes + 12), 0);
    assert_int_equal(sl_get_le16(packet.bytes + 12 + 130), 18);
    assert_int_equal(sl_get_le16(packet.bytes + 12 + 7 * 130), 126);
    /* Channel 1 looks 15 degrees up, 16 level, 32 16 degrees down; units of 4 mm. */
    assert_int_equal(sl_get_le16(packet.bytes + 14), 2588);
    assert_int_equal(sl_get_le16(packet.bytes + 14 + 15 * 4), 2500);
    assert_int_equal(sl_get_le16(packet.bytes + 14 + 31 * 4), 2601);
    const uint8_t *tail = packet.bytes + 1052;
    assert_int_equal(tail[10], 0x37);
    assert_int_equal(sl_get_le16(tail + 11), 600);
    static const uint8_t date[6] = {123, 11, 14, 22, 13, 20};
    assert_memory_equal(tail + 13, date, 6);
    assert_int_equal(sl_get_le32(tail + 19), 123456 + 350); /* of the last column */
    assert_int_equal(tail[23], 0x42);
    assert_int_equal(sl_get_le32(tail + 24), 0);
    packet_of(&config, 7, &packet);
    assert_int_equal(sl_get_le32(packet.bytes + 1052 + 24), 7);
    assert_int_equal(packet.first_ns, 7 * 400000);
}

static void xt32_pairs_last_and_strongest(void **state)
{
    (void)state;
    struct lidar_sim_config config;
    struct lidar_sim_packet packet;
    config_cube(LIDAR_SIM_XT32, &config);
    add_curtain(&config);
    config.return_mode = LIDAR_SIM_DUAL;
    packet_of(&config, 0, &packet);
    assert_int_equal(packet.bytes[8], 1); /* the first block is the last return */
    assert_int_equal(packet.bytes[10], 2);
    assert_int_equal(packet.bytes[1052 + 10], 0x39);
    assert_int_equal(sl_get_le16(packet.bytes + 12), sl_get_le16(packet.bytes + 12 + 130));
    assert_int_equal(sl_get_le16(packet.bytes + 12 + 2 * 130), 18);
    assert_int_equal(sl_get_le16(packet.bytes + 14 + 15 * 4), 2500);
    assert_int_equal(sl_get_le16(packet.bytes + 14 + 130 + 15 * 4), 1250);
    assert_int_equal(sl_get_le32(packet.bytes + 1052 + 19), 123456 + 150); /* 4 columns */
    config.scene.box_count = 0; /* one return alone is both */
    packet_of(&config, 0, &packet);
    assert_memory_equal(packet.bytes + 14, packet.bytes + 14 + 130, 128);
}

static void xt32_that_nobody_set_counts_from_a_date_of_its_own(void **state)
{
    (void)state;
    struct lidar_sim_config config;
    struct lidar_sim_packet packet;
    config_cube(LIDAR_SIM_XT32, &config);
    config.faults.wrap_s = 0.002; /* 5 packets */
    static const uint8_t before[6] = {99, 12, 31, 23, 59, 59}, after[6] = {100, 1, 1, 0, 0, 0};
    packet_of(&config, 0, &packet);
    assert_memory_equal(packet.bytes + 1052 + 13, before, 6);
    assert_int_equal(sl_get_le32(packet.bytes + 1052 + 19), 998350);
    assert_int_equal(sl_get_le32(packet.bytes + 1052 + 24), UINT32_MAX - 4);
    packet_of(&config, 5, &packet);
    assert_memory_equal(packet.bytes + 1052 + 13, after, 6);
    assert_int_equal(sl_get_le32(packet.bytes + 1052 + 19), 350);
    assert_int_equal(sl_get_le32(packet.bytes + 1052 + 24), 0);
}

static void refused(const struct lidar_sim_config *config, const char *why)
{
    struct lidar_sim *sim = NULL;
    assert_int_equal(lidar_sim_create(config, &sim), -EINVAL);
    assert_null(sim);
    assert_non_null(strstr(sl_error_text(), why));
}

static void what_a_sensor_cannot_do_is_refused(void **state)
{
    (void)state;
    struct lidar_sim_config config;
    config_cube(LIDAR_SIM_OS1_64, &config);
    config.rotation_hz = 12;
    refused(&config, "10 or 20");
    config_cube(LIDAR_SIM_OS1_64, &config);
    config.return_mode = LIDAR_SIM_LAST;
    refused(&config, "strongest");
    config_cube(LIDAR_SIM_XT32, &config);
    config.faults.loss = 1.5;
    refused(&config, "loss=1.5");
    config.model = LIDAR_SIM_MODELS;
    refused(&config, "not known");
}

static void only_an_os1_has_metadata(void **state)
{
    (void)state;
    struct lidar_sim_config config;
    char *text = NULL;
    config_cube(LIDAR_SIM_XT32, &config);
    assert_int_equal(lidar_sim_metadata(&config, &text), 0);
    assert_null(text);
    config_cube(LIDAR_SIM_OS1_64, &config);
    config.gps = false;
    assert_int_equal(lidar_sim_metadata(&config, &text), 0);
    assert_non_null(strstr(text, "\"LEGACY\""));
    assert_non_null(strstr(text, "TIME_FROM_INTERNAL_OSC"));
    free(text);
    config.rotation_hz = 11;
    assert_int_equal(lidar_sim_metadata(&config, &text), -EINVAL);
}

static void faults_are_read_from_a_list(void **state)
{
    (void)state;
    struct lidar_sim_faults faults;
    assert_int_equal(lidar_sim_faults_parse("loss=0.25,jump=-0.5,at=2,burst=3", &faults), 0);
    assert_true(faults.loss == 0.25 && faults.jump_s == -0.5 && faults.at_s == 2);
    assert_true(faults.burst == 3 && faults.reorder == 0);
    assert_int_equal(lidar_sim_faults_parse("", &faults), 0);
    assert_true(faults.loss == 0 && faults.at_s == 1);
    static const struct {
        const char *text, *says;
    } bad[] = {{"loss", "NAME=NUMBER"},   {"loss=", "no number"},    {"loss=1x", "no number"},
               {"loss=2", "0 to 1"},      {"loss=nan", "0 to 1"},    {"los=0.1", "duplicate"},
               {",", "NAME=NUMBER"},      {"loss=0,", "last comma"}, {"loss=0,,burst=1", "NAME"},
               {"speed=11", "-10 to 10"}, {"wrap=3600", "0 to 3599"}};
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(lidar_sim_faults_parse(bad[i].text, &faults), -EINVAL);
        if (!strstr(sl_error_text(), bad[i].says))
            fail_msg("\"%s\": %s", bad[i].text, sl_error_text());
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(legacy_packet_of_an_os1),
        cmocka_unit_test(os1_looks_to_the_right_after_a_quarter_turn),
        cmocka_unit_test(dual_packet_of_an_os1),
        cmocka_unit_test(imu_of_an_os1_weighs_itself),
        cmocka_unit_test(packet_of_an_xt32),
        cmocka_unit_test(xt32_pairs_last_and_strongest),
        cmocka_unit_test(xt32_that_nobody_set_counts_from_a_date_of_its_own),
        cmocka_unit_test(what_a_sensor_cannot_do_is_refused),
        cmocka_unit_test(only_an_os1_has_metadata),
        cmocka_unit_test(faults_are_read_from_a_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
