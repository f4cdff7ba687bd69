/* SPDX-License-Identifier: Apache-2.0 */
/* test_driver_robosense.c - the real program on captures of a made-up Helios: where it finds what
 * the sensor tells of itself, and what it says if that never comes.
 */
#include "tests/lidar/driving.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/capture/link.h"
#include "core/capture/write.h"
#include "tests/lidar/robosense_made.h"

#define DATA_PORT 6699
#define INFO_PORT 7788
#define TURNS     31 /* over three seconds */

static char capture[128], capture_option[160];

static void write_packet(struct sl_capture_writer *writer, const uint8_t *bytes, uint16_t port,
                         double us)
{
    struct sl_datagram datagram = {
        .bytes = bytes,
        .size_bytes = BYTES,
        .time_ns = START_UTC_S * UINT64_C(1000000000) + (uint64_t)(us * 1000),
        .source = {.address = {192, 168, 1, 200}, .family = 4, .port = port},
        .destination = {.address = {192, 168, 1, 102}, .family = 4, .port = port},
    };
    assert_int_equal(sl_capture_write_datagram(writer, &datagram), 0);
}

/* What the sensor tells of itself stands in the middle of the first turn, if at all. */
static void make_capture(const struct driving *d, const struct sensor *s, bool has_info)
{
    const struct sl_capture_write_options options = {.format = SL_CAPTURE_PCAP,
                                                     .link_type = SL_LINK_ETHERNET};
    struct sl_capture_writer *writer = malloc(sizeof *writer);
    uint8_t bytes[BYTES];
    assert_non_null(writer);
    snprintf(capture, sizeof capture, "%s/helios.pcap", d->root);
    snprintf(capture_option, sizeof capture_option, "--capture=%s", capture);
    FILE *file = fopen(capture, "wbe");
    assert_non_null(file);
    assert_int_equal(sl_capture_write_begin(writer, &options, NULL, file), 0);
    for (unsigned n = 0; n < packets_in(s, TURNS); n++) {
        double us = (n + 1) * columns_in_packet(s) * s->period_us;
        make_packet(s, n, bytes);
        write_packet(writer, bytes, DATA_PORT, us);
        if (has_info && n == 75) {
            make_info(s, bytes);
            write_packet(writer, bytes, INFO_PORT, us);
        }
    }
    assert_int_equal(fclose(file), 0);
    free(writer);
}

static void never_said(const struct driver *driver, const char *text)
{
    if (strstr(driver->text, text))
        fail_msg("\"%s\" was said: %s", text, driver->text);
}

static void angles_come_by_the_second_port(void **state)
{
    struct driving *d = *state;
    struct sensor own = sensors[2];
    own.vertical_deg[0] = 14.2;
    make_capture(d, &own, true);
    DRIVE(&d->driver[0], capture_option, "--model=helios", "--rate=0");
    assert_int_equal(driver_finish(&d->driver[0]), 0);
    driver_said(&d->driver[0], "packets of a RS-Helios-5515");
    driver_said(&d->driver[0], " data and 1 telemetry packets; lost: nothing");
    never_said(&d->driver[0], "DIFOP");
    unlink(capture);
    domain_is_empty(d);
}

static void angles_that_never_come_are_told_once(void **state)
{
    struct driving *d = *state;
    make_capture(d, &sensors[2], false);
    DRIVE(&d->driver[0], capture_option, "--model=helios", "--rate=0");
    assert_int_equal(driver_finish(&d->driver[0]), 0);
    driver_said(&d->driver[0], "the sensor has not told its own angles (DIFOP)");
    driver_said(&d->driver[0], "--telemetry-port");
    const char *first = strstr(d->driver[0].text, "DIFOP");
    assert_null(strstr(first + 1, "DIFOP"));
    unlink(capture);
    domain_is_empty(d);
}

static void angles_of_a_file_are_enough(void **state)
{
    struct driving *d = *state;
    char path[128], option[160];
    make_capture(d, &sensors[4], false);
    snprintf(path, sizeof path, "%s/angles.csv", d->root);
    snprintf(option, sizeof option, "--calibration=%s", path);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    for (unsigned i = 0; i < 16; i++)
        fprintf(file, "%u,%g,%g\n", i + 1, sensors[4].vertical_deg[i], sensors[4].azimuth_deg[i]);
    fclose(file);
    DRIVE(&d->driver[0], capture_option, "--model=helios-16p", option, "--rate=0");
    assert_int_equal(driver_finish(&d->driver[0]), 0);
    driver_said(&d->driver[0], "packets of a RS-Helios-16P");
    never_said(&d->driver[0], "DIFOP");
    DRIVE(&d->driver[0], capture_option, "--model=helios", option, "--rate=0");
    assert_int_equal(driver_finish(&d->driver[0]), 1);
    driver_said(&d->driver[0], "channel 17 of the RS-Helios-5515's 32 is missing");
    unlink(path);
    unlink(capture);
    domain_is_empty(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, driving_setup, driving_teardown)
        TEST(angles_come_by_the_second_port),
        TEST(angles_that_never_come_are_told_once),
        TEST(angles_of_a_file_are_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
