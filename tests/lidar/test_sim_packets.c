/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated sensor's bytes at places that were worked out by hand. */
#include "core/base/bytes.h"
#include "core/base/error.h"
#include "drivers/lidar/sim/sim.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* An empty cube whose walls are 10 m away. */
static void config_cube(struct lidar_sim_config *config)
{
    lidar_sim_config_default(config);
    config->scene = (struct lidar_scene){.room_min = {-10, -10, -10}, .room_max = {10, 10, 10}};
    config->telemetry_every = 0;
    config->start_utc_ns = UINT64_C(1700000000000000000); /* 2023-11-14 22:13:20 UTC */
}

static struct lidar_sim *make(const struct lidar_sim_config *config)
{
    struct lidar_sim *sim = NULL;
    assert_int_equal(lidar_sim_create(config, &sim), 0);
    return sim;
}

static void first_packet(const struct lidar_sim_config *config, struct lidar_sim_packet *packet)
{
    struct lidar_sim *sim = make(config);
    assert_int_equal(lidar_sim_next(sim, packet), 1);
    lidar_sim_destroy(sim);
}

static uint16_t distance(const struct lidar_sim_packet *packet, unsigned block, unsigned reading)
{
    return sl_get_le16(packet->bytes + 100 * block + 4 + 3 * reading);
}

static uint8_t intensity(const struct lidar_sim_packet *packet, unsigned block, unsigned reading)
{
    return packet->bytes[100 * block + 6 + 3 * reading];
}

static uint16_t azimuth(const struct lidar_sim_packet *packet, unsigned block)
{
    return sl_get_le16(packet->bytes + 100 * block + 2);
}

static void bytes_of_a_wall_straight_ahead(void **state)
{
    (void)state;
    struct lidar_sim_config config;
    struct lidar_sim_packet packet;
    config_cube(&config);
    first_packet(&config, &packet);
    assert_int_equal(packet.size_bytes, 1206);
    assert_false(packet.telemetry);
    for (unsigned block = 0; block < 12; block++) {
        assert_int_equal(packet.bytes[100 * block], 0xFF);
        assert_int_equal(packet.bytes[100 * block + 1], 0xEE);
    }
    /* 10 Hz: 0.0036 degrees a microsecond; a block is 110.592 us: 0.398 degrees. */
    assert_int_equal(azimuth(&packet, 0), 0);
    assert_int_equal(azimuth(&packet, 1), 40);
    assert_int_equal(azimuth(&packet, 2), 80);
    assert_int_equal(azimuth(&packet, 11), 438);
    /* Laser 0 looks 15 degrees down: 10 m / cos 15 = 10.35276 m = 5176.4 units of 2 mm. */
    assert_int_equal(packet.bytes[4], 0x38);
    assert_int_equal(packet.bytes[5], 0x14);
    /* Laser 1 one degree up, 2.304 us later: 10.00152 m = 5000.8 units. */
    assert_int_equal(distance(&packet, 0, 1), 5001);
    /* Laser 15 fifteen degrees up, in the second firing of the last block: 4.703 degrees to the
     * right: 10 / (cos 15 cos 4.703) = 10.38775 m = 5193.9 units. */
    assert_int_equal(distance(&packet, 11, 31), 5194);
    assert_int_equal(packet.bytes[1204], 0x37);
    assert_int_equal(packet.bytes[1205], 0x22);
}

static void head_turns_clockwise(void **state)
{
    (void)state;
    struct lidar_sim_config config;
    struct lidar_sim_packet packet;
    config_cube(&config);
    config.scene.room_min.y = -3; /* the right wall, y is left */
    config.start_azimuth_deg = 90;
    first_packet(&config, &packet);
    assert_int_equal(azimuth(&packet, 0), 9000);
    assert_int_equal(distance(&packet, 0, 1), 1500); /* 3.00046 m */
    config.start_azimuth_deg = 359.9;
    first_packet(&config, &packet);
    assert_int_equal(azimuth(&packet, 0), 35990);
    assert_int_equal(azimuth(&packet, 1), 30); /* 360.298 */
}

static void azimuth_that_rounds_to_a_full_turn_is_zero(void **state)
{
    (void)state;
    struct lidar_sim_config config;
    struct lidar_sim_packet packet;
    config_cube(&config);
    config.start_azimuth_deg = 359.996;
    first_packet(&config, &packet);
    assert_int_equal(azimuth(&packet, 0), 0);
}

static void stamps_step_by_1327_and_1328_as_in_captures(void **state)
{
    (void)state;
    struct lidar_sim_config config;
    config_cube(&config);
    struct lidar_sim *sim = make(&config);
    uint32_t stamps[21];
    struct lidar_sim_packet packet;
    for (unsigned i = 0; i < 21; i++) {
        assert_int_equal(lidar_sim_next(sim, &packet), 1);
        stamps[i] = sl_get_le32(packet.bytes + 1200);
        assert_int_equal(packet.first_ns, UINT64_C(1327104) * i);
        assert_int_equal(packet.due_ns, UINT64_C(1327104) * (i + 1));
    }
    /* 22:13:20 is 800 s into the hour. */
    assert_int_equal(stamps[0], 800000000);
    for (unsigned i = 1; i < 21; i++) /* the 0.104 us add up to one in ten steps */
        assert_int_equal(stamps[i] - stamps[i - 1], i == 10 || i == 20 ? 1328 : 1327);
    lidar_sim_destroy(sim);
}

static void stamps_begin_again_at_the_hour(void **state)
{
    (void)state;
    struct lidar_sim_config config;
    config_cube(&config);
    config.gps = false;
    config.free_running_start_us = 3600000000u - 2000;
    struct lidar_sim *sim = make(&config);
    struct lidar_sim_packet packet;
    const uint32_t expected[] = {3599998000u, 3599999327u, 654};
    for (unsigned i = 0; i < 3; i++) {
        lidar_sim_next(sim, &packet);
        assert_int_equal(sl_get_le32(packet.bytes + 1200), expected[i]);
    }
    lidar_sim_destroy(sim);
}

/* A curtain 5 m ahead that sends 40 of 255 back, and the wall behind it 5 m further. */
static void config_curtain(struct lidar_sim_config *config, uint8_t reflectivity)
{
    config_cube(config);
    config->scene.box_count = 1;
    config->scene.boxes[0] = (struct lidar_scene_box){
        .centre = {5.1, 0, 0}, .half = {0.1, 1, 5}, .opacity = 0.5, .reflectivity = reflectivity};
}

static void dual_blocks_pair_last_and_strongest(void **state)
{
    (void)state;
    struct lidar_sim_config config;
    struct lidar_sim_packet packet;
    for (int bright = 0; bright < 2; bright++) { /* curtain darker, then brighter than the wall */
        config_curtain(&config, bright ? 250 : 26);
        config.return_mode = LIDAR_SIM_DUAL;
        first_packet(&config, &packet);
        assert_int_equal(packet.bytes[1204], 0x39);
        for (unsigned pair = 0; pair < 6; pair++)
            assert_int_equal(azimuth(&packet, 2 * pair), azimuth(&packet, 2 * pair + 1));
        assert_int_equal(azimuth(&packet, 2), 40); /* 6 azimuths a packet, the same step */
        assert_int_equal(azimuth(&packet, 10), 199);
        assert_int_equal(packet.due_ns, 663552);
        /* Even: the last. Odd: the strongest, or the second where that is the last: the curtain. */
        assert_int_equal(distance(&packet, 0, 1), 5001);
        assert_int_equal(distance(&packet, 1, 1), 2500);
        if (bright)
            assert_true(intensity(&packet, 1, 1) > intensity(&packet, 0, 1));
        else
            assert_true(intensity(&packet, 1, 1) < intensity(&packet, 0, 1));
    }
    config.start_azimuth_deg = 180; /* nothing but the wall there */
    first_packet(&config, &packet);
    assert_memory_equal(packet.bytes, packet.bytes + 100, 100);
}

static void single_return_is_the_strongest_or_the_last(void **state)
{
    (void)state;
    struct lidar_sim_config config;
    struct lidar_sim_packet packet;
    config_curtain(&config, 250);
    first_packet(&config, &packet);
    assert_int_equal(distance(&packet, 0, 1), 2500);
    config.return_mode = LIDAR_SIM_LAST;
    first_packet(&config, &packet);
    assert_int_equal(packet.bytes[1204], 0x38);
    assert_int_equal(distance(&packet, 0, 1), 5001);
    config_curtain(&config, 26);
    first_packet(&config, &packet);
    assert_int_equal(distance(&packet, 0, 1), 5001);
}

static void hires_has_its_own_angles_and_model_byte(void **state)
{
    (void)state;
    struct lidar_sim_config config;
    struct lidar_sim_packet packet;
    config_cube(&config);
    config.model = LIDAR_SIM_HIRES;
    first_packet(&config, &packet);
    assert_int_equal(packet.bytes[1205], 0x24);
    assert_int_equal(distance(&packet, 0, 0), 5077); /* 10 / cos 10 = 10.15427 m */
    config.model_byte = 0x21;                        /* what a VLP-16 of 2014 says */
    first_packet(&config, &packet);
    assert_int_equal(packet.bytes[1205], 0x21);
}

static void beams_may_leave_from_the_lens(void **state)
{
    (void)state;
    struct lidar_sim_config config;
    struct lidar_sim_packet packet;
    config_cube(&config);
    config.scene.room_min.z = -2; /* floor */
    first_packet(&config, &packet);
    assert_int_equal(distance(&packet, 0, 0), 3864); /* 2 / sin 15 = 7.72741 m */
    config.lens = LIDAR_SIM_LENS_OFFSET; /* 11.23 mm higher: 2.01123 / sin 15 = 7.77080 m */
    first_packet(&config, &packet);
    assert_int_equal(distance(&packet, 0, 0), 3885);
    config.model = LIDAR_SIM_HIRES; /* 7.39 mm higher of its own: 2.00739 / sin 10 = 11.56018 m */
    config.lens = LIDAR_SIM_LENS_OF_MODEL;
    config.scene.room_max.x = 20;
    first_packet(&config, &packet);
    assert_int_equal(distance(&packet, 0, 0), 5780);
    config.lens = LIDAR_SIM_LENS_MIDDLE; /* 2 / sin 10 = 11.51754 m */
    first_packet(&config, &packet);
    assert_int_equal(distance(&packet, 0, 0), 5759);
}

static void beyond_the_range_there_is_no_return(void **state)
{
    (void)state;
    struct lidar_sim_config config;
    struct lidar_sim_packet packet;
    config_cube(&config);
    config.range_max_m = 10.1;
    first_packet(&config, &packet);
    assert_int_equal(distance(&packet, 0, 0), 0);
    assert_int_equal(intensity(&packet, 0, 0), 0);
    assert_int_equal(distance(&packet, 0, 1), 5001);
}

static void telemetry_tells_time_and_pulse(void **state)
{
    (void)state;
    struct lidar_sim_config config;
    struct lidar_sim_packet packet;
    config_cube(&config);
    config.telemetry_every = 5;
    struct lidar_sim *sim = make(&config);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(lidar_sim_next(sim, &packet), 1);
        assert_false(packet.telemetry);
    }
    assert_int_equal(lidar_sim_next(sim, &packet), 1);
    lidar_sim_destroy(sim);
    assert_true(packet.telemetry);
    assert_int_equal(packet.size_bytes, 512);
    assert_int_equal(packet.due_ns, UINT64_C(5) * 1327104);
    assert_int_equal(sl_get_le32(packet.bytes + 198), 800000000 + 6635);
    assert_int_equal(packet.bytes[202], 2);
    const char *text = (const char *)packet.bytes + 206;
    assert_memory_equal(text, "$GPRMC,221320,A,", 16);
    assert_non_null(strstr(text, ",141123,"));
    /* The checksum is the exclusive or of what stands between $ and *. */
    unsigned sum = 0, told = 0;
    const char *c = text + 1;
    for (; *c && *c != '*'; c++)
        sum ^= (unsigned char)*c;
    assert_int_equal(sscanf(c, "*%2X\r\n", &told), 1);
    assert_int_equal(told, sum);
    assert_memory_equal(c + 3, "\r\n\0", 3);
}

static void telemetry_without_gps_is_silent_about_time(void **state)
{
    (void)state;
    struct lidar_sim_config config;
    struct lidar_sim_packet packet;
    config_cube(&config);
    config.telemetry_every = 1;
    config.gps = false;
    struct lidar_sim *sim = make(&config);
    lidar_sim_next(sim, &packet);
    lidar_sim_next(sim, &packet);
    assert_true(packet.telemetry);
    assert_int_equal(packet.bytes[202], 0);
    assert_int_equal(packet.bytes[206], 0);
    assert_int_equal(sl_get_le32(packet.bytes + 198), 1327);
    lidar_sim_destroy(sim);
}

static void config_out_of_range_is_refused(void **state)
{
    (void)state;
    struct lidar_sim_config good, bad;
    struct lidar_sim *sim = NULL;
    config_cube(&good);
    bad = good;
    bad.rotation_hz = 30;
    assert_int_equal(lidar_sim_create(&bad, &sim), -EINVAL);
    assert_non_null(strstr(sl_error_text(), "30"));
    bad = good;
    bad.return_mode = (enum lidar_sim_return)0x36;
    assert_int_equal(lidar_sim_create(&bad, &sim), -EINVAL);
    assert_non_null(strstr(sl_error_text(), "0x36"));
    bad = good;
    bad.faults.loss = 1.5;
    assert_int_equal(lidar_sim_create(&bad, &sim), -EINVAL);
    bad = good;
    bad.scene.box_count = LIDAR_SCENE_BOXES_MAX + 1;
    assert_int_equal(lidar_sim_create(&bad, &sim), -EINVAL);
    assert_null(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_of_a_wall_straight_ahead),
        cmocka_unit_test(head_turns_clockwise),
        cmocka_unit_test(azimuth_that_rounds_to_a_full_turn_is_zero),
        cmocka_unit_test(stamps_step_by_1327_and_1328_as_in_captures),
        cmocka_unit_test(stamps_begin_again_at_the_hour),
        cmocka_unit_test(dual_blocks_pair_last_and_strongest),
        cmocka_unit_test(single_return_is_the_strongest_or_the_last),
        cmocka_unit_test(hires_has_its_own_angles_and_model_byte),
        cmocka_unit_test(beams_may_leave_from_the_lens),
        cmocka_unit_test(beyond_the_range_there_is_no_return),
        cmocka_unit_test(telemetry_tells_time_and_pulse),
        cmocka_unit_test(telemetry_without_gps_is_silent_about_time),
        cmocka_unit_test(config_out_of_range_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
