/* SPDX-License-Identifier: Apache-2.0 */
/* test_driver_refusals.c - what the program says of input that is wrong, and how it ends. */
#include "tests/lidar/driving.h"

#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "core/base/error.h"
#include "drivers/lidar/sim/send.h"
#include "drivers/lidar/simd.h"

#define WRONG_OPTIONS 2
#define FAILED        1
#define LINK_TYPE_AT  20 /* in a pcap file's header */

/* Run it with these arguments and see it end so, saying this, leaving nothing. */
static void refused(struct driving *d, int status, const char *text, const char *const *args)
{
    struct driver *driver = &d->driver[0];
    driver_start(driver, args);
    int got = driver_finish(driver);
    if (got != status)
        fail_msg("status %d, not %d: %s", got, status, driver->text);
    driver_said(driver, text);
    driver_said(driver, "error: ");
    domain_is_empty(d);
}
#define REFUSED(status, text, ...) \
    refused(d, status, text, (const char *const[]){__VA_ARGS__, NULL})

static const char *path_in(const struct driving *d, const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", d->root, name);
    return path;
}

struct capture {
    enum lidar_sim_model model;
    uint16_t data_port, telemetry_port; /* 0 = the usual */
};

/* A second of the simulated sensor. */
static const char *make_capture(const struct driving *d, const struct capture *capture)
{
    const char *path = path_in(d, "sim.pcap");
    struct lidar_sim_capture_config config = {.duration_ns = 1000000000,
                                              .data_port = capture->data_port,
                                              .telemetry_port = capture->telemetry_port};
    lidar_sim_config_default(&config.sim);
    config.sim.model = capture->model;
    if (lidar_sim_capture(&config, path, NULL) < 0)
        fail_msg("%s", sl_error_text());
    return path;
}

static void unknown_model_and_contradictory_options_are_wrong_usage(void **state)
{
    struct driving *d = *state;
    REFUSED(WRONG_OPTIONS, "option --model: 'hdl-999'", "--model=hdl-999");
    REFUSED(WRONG_OPTIONS, "--port", "--port=70000");
    REFUSED(WRONG_OPTIONS, "--cut-angle", "--cut-angle=361");
    REFUSED(FAILED, "needs --capture FILE", "--source=capture");
    REFUSED(FAILED, "is not replayed with --source sim", "--source=sim", "--capture=x.pcap");
    REFUSED(FAILED, "do not wait", "--block");
    REFUSED(FAILED, "will never come", "--source=sim", "--wait-for-subscribers=9");
    REFUSED(FAILED, "xt32, but --model says vlp-16", "--source=sim", "--sim-model=xt32",
            "--model=vlp-16");
    REFUSED(FAILED, "no vls-128 is simulated", "--source=sim", "--model=vls-128");
    REFUSED(FAILED, "strongest return, or dual", "--source=sim", "--sim-model=os1-64",
            "--sim-return=last");
    REFUSED(FAILED, "it makes 10 or 20", "--source=sim", "--sim-model=os1-64", "--sim-rpm=660");
    REFUSED(FAILED, "no os1-64 turns counterclockwise", "--source=sim", "--sim-model=os1-64",
            "--sim-counterclockwise");
    REFUSED(FAILED, "no os1-64 turns counterclockwise", "--source=sim", "--sim-model=os1-64",
            "--sim-faults=speed=-1");
    REFUSED(FAILED, "option --sim-faults: fault loss=2: give 0 to 1", "--source=sim",
            "--sim-faults=loss=2");
    REFUSED(FAILED, "must be above the minimum", "--source=sim", "--min-range=5", "--max-range=4");
}

static void instruction_sets_of_another_processor_are_told_with_what_there_is(void **state)
{
    struct driving *d = *state;
    const char *absent = lidar_simd_is_supported(LIDAR_SIMD_NEON) ? "avx2" : "neon";
    char option[32], text[64];
    snprintf(option, sizeof option, "--simd=%s", absent);
    snprintf(text, sizeof text, "option --simd: %s: this processor has it not; it has ", absent);
    REFUSED(FAILED, text, "--source=sim", option);
    REFUSED(WRONG_OPTIONS, "option --simd: 'mmx'", "--simd=mmx");
}

static void at128_without_its_file_or_with_another_one_is_refused(void **state)
{
    struct driving *d = *state;
    char option[160];
    FILE *file = fopen(path_in(d, "at128.csv"), "w");
    fputs("Channel,Elevation,Azimuth\n1,12.93,2.4\n", file);
    fclose(file);
    snprintf(option, sizeof option, "--calibration=%s", path_in(d, "at128.csv"));
    REFUSED(FAILED, "correction file (.dat)", "--model=at128");
    REFUSED(FAILED, "at128.csv: correction file: does not begin", "--model=at128", option);
}

static void filters_that_make_no_sense_are_refused(void **state)
{
    struct driving *d = *state;
    REFUSED(FAILED, "option --fov: \"-60:\" at character 5", "--source=sim", "--fov=-60:");
    REFUSED(FAILED, "option --fov: \"ahead\" at character 1", "--source=sim", "--fov=ahead");
    REFUSED(FAILED, "option --fov: \"1:2 3:4\" at character 4", "--source=sim", "--fov=1:2 3:4");
    REFUSED(FAILED, "must be -180 to 180 degrees", "--source=sim", "--fov=0:270");
    REFUSED(FAILED, "holds no point", "--source=sim", "--fov=10:10");
    REFUSED(FAILED, "more than 8 ranges", "--source=sim",
            "--fov=1:2,1:2,1:2,1:2,1:2,1:2,1:2,1:2,1");
    REFUSED(FAILED, "ring 16: the sensor has rings 0 to 15", "--source=sim", "--rings=3:16");
    REFUSED(FAILED, "are no rings", "--source=sim", "--rings=5:3");
    REFUSED(FAILED, "are no rings", "--source=sim", "--rings=0.5");
    REFUSED(FAILED, "must be X:X,Y:Y,Z:Z", "--source=sim", "--exclude-box=-1:1,-1:1");
    REFUSED(FAILED, "z from 2 to -1 m", "--source=sim", "--exclude-box=-1:1,-1:1,2:-1");
    REFUSED(WRONG_OPTIONS, "--every-column", "--source=sim", "--every-column=0");
    REFUSED(FAILED, "points are not in lidar_sensor", "--source=sim", "--tf", "--z=1",
            "--frame-id=lidar_sensor");
    REFUSED(FAILED, "lidar_sensor is the name of a frame", "--source=sim", "--tf",
            "--frame-id=lidar_sensor");
    REFUSED(FAILED, "http://127.0.0.1:1/api/v1/sensor/metadata: ", "--metadata=http://127.0.0.1:1");
    REFUSED(FAILED, "one of them", "--source=sim", "--scan-ring=1", "--scan-band=0:1");
    REFUSED(FAILED, "rings 0 to 15", "--source=sim", "--scan-ring=16");
    REFUSED(FAILED, "not among those of --rings", "--source=sim", "--scan-ring=6", "--rings=0:5");
    REFUSED(FAILED, "a Livox has no columns", "--model=mid-360", "--every-column=2");
    REFUSED(FAILED, "are no rings around it", "--model=hap", "--scan-ring=0");
    REFUSED(FAILED, "ring 6: the sensor has rings 0 to 5", "--model=hap", "--rings=6");
    REFUSED(FAILED, "is for an Ouster", "--model=hap", "--images=all");
    REFUSED(FAILED, "1 to 1 m holds no point", "--source=sim", "--scan-band=1");
    REFUSED(FAILED, "has more than 1 ranges", "--source=sim", "--scan-band=0:1,2:3");
}

static void port_in_use_is_told(void **state)
{
    SKIP_EMULATED("SO_TIMESTAMPNS, SO_RXQ_OVFL");
    struct driving *d = *state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    char option[32], text[32];
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    snprintf(option, sizeof option, "--port=%u", ntohs(address.sin_port));
    snprintf(text, sizeof text, "port %u", ntohs(address.sin_port));
    REFUSED(FAILED, text, option, "--telemetry-port=0", "--bind=127.0.0.1");
    driver_said(&d->driver[0], "in use");
    close(fd);
}

static void absent_interface_and_address_are_told_with_what_there_is(void **state)
{
    SKIP_EMULATED("SO_TIMESTAMPNS, SO_RXQ_OVFL");
    struct driving *d = *state;
    REFUSED(FAILED, "network interface \"nope0\" is not there", "--port=0", "--interface=nope0");
    driver_said(&d->driver[0], "lo");
    REFUSED(FAILED, "192.0.2.77 is not on this machine", "--port=0", "--bind=192.0.2.77");
    REFUSED(FAILED, "no multicast group", "--port=0", "--multicast=10.0.0.1");
}

static void missing_capture_is_told(void **state)
{
    struct driving *d = *state;
    REFUSED(FAILED, "No such file or directory", "--capture=/nowhere/drive.pcap");
    driver_said(&d->driver[0], "/nowhere/drive.pcap");
}

static void other_file_is_told_as_no_capture(void **state)
{
    struct driving *d = *state;
    FILE *file = fopen(path_in(d, "notes.txt"), "w");
    fputs("this is no capture at all, but it is long enough to be one\n", file);
    fclose(file);
    char option[160];
    snprintf(option, sizeof option, "--capture=%s", path_in(d, "notes.txt"));
    REFUSED(FAILED, "notes.txt", option);
}

static void truncated_capture_is_used_up_to_its_end_and_told(void **state)
{
    struct driving *d = *state;
    struct stat info;
    char option[160];
    const char *path = make_capture(d, &(struct capture){0});
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(truncate(path, info.st_size / 2), 0);
    snprintf(option, sizeof option, "--capture=%s", path);
    DRIVE(&d->driver[0], option, "--rate=0");
    assert_int_equal(driver_finish(&d->driver[0]), 0);
    driver_said(&d->driver[0], "warning: ");
    driver_said(&d->driver[0], "what stands before it was used");
    driver_said(&d->driver[0], "5 frames (1 partial)");
    domain_is_empty(d);
}

static void unknown_link_type_is_told(void **state)
{
    struct driving *d = *state;
    static const uint8_t bluetooth[4] = {187, 0, 0, 0};
    char option[160];
    const char *path = make_capture(d, &(struct capture){0});
    FILE *file = fopen(path, "r+");
    fseek(file, LINK_TYPE_AT, SEEK_SET);
    fwrite(bluetooth, 1, sizeof bluetooth, file);
    fclose(file);
    snprintf(option, sizeof option, "--capture=%s", path);
    REFUSED(FAILED, "187", option, "--rate=0");
}

static void capture_without_lidar_packets_is_told_with_what_is_in_it(void **state)
{
    struct driving *d = *state;
    char option[160];
    const char *path =
        make_capture(d, &(struct capture){.data_port = 4000, .telemetry_port = 4001});
    snprintf(option, sizeof option, "--capture=%s", path);
    REFUSED(FAILED, "destination ports seen: 4000", option, "--rate=0");
    REFUSED(FAILED, "no Velodyne data packet among them", option, "--rate=0", "--port=4001");
}

static void another_sensor_than_the_configured_one_is_told(void **state)
{
    struct driving *d = *state;
    char option[160];
    const char *path = make_capture(d, &(struct capture){.model = LIDAR_SIM_HIRES});
    snprintf(option, sizeof option, "--capture=%s", path);
    REFUSED(FAILED, "the configured model is VLP-16, but the packets come from a Puck Hi-Res",
            option, "--rate=0", "--model=vlp-16");
    DRIVE(&d->driver[0], option, "--rate=0", "--model=puck-hi-res");
    assert_int_equal(driver_finish(&d->driver[0]), 0);
}

static void pool_that_does_not_fit_is_told_before_anything_is_made(void **state)
{
    struct driving *d = *state;
    REFUSED(FAILED, "memory", "--source=sim", "--slots=65536");
}

static void send_bytes(int fd, const struct sockaddr_in *to, uint8_t *bytes, size_t size)
{
    ssize_t sent = sendto(fd, bytes, size, 0, (const struct sockaddr *)to, sizeof *to);
    assert_int_equal(sent, size);
}

static void wrong_packets_are_counted_by_cause_and_nothing_else_happens(void **state)
{
    SKIP_EMULATED("SO_TIMESTAMPNS, SO_RXQ_OVFL");
    struct driving *d = *state;
    struct driver *driver = &d->driver[0];
    DRIVE(driver, "--port=0", "--telemetry-port=0", "--bind=127.0.0.1");
    driver_wait_ready(driver);
    long port = strtol(driver_wait_said(driver, "listening at 127.0.0.1 port "), NULL, 10);
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct lidar_sim_config config;
    struct lidar_sim *sim = NULL;
    struct lidar_sim_packet packet;
    lidar_sim_config_default(&config);
    config.telemetry_every = 0;
    assert_int_equal(lidar_sim_create(&config, &sim), 0);
    lidar_sim_next(sim, &packet);
    send_bytes(fd, &to, packet.bytes, 1205);
    send_bytes(fd, &to, packet.bytes, 1);
    uint8_t longer[1300] = {0xFF, 0xEE};
    send_bytes(fd, &to, longer, sizeof longer);
    packet.bytes[300] = 0;
    send_bytes(fd, &to, packet.bytes, 1206);
    for (int i = 0; i < 4; i++) { /* so that the others have arrived when it tells of these */
        lidar_sim_next(sim, &packet);
        send_bytes(fd, &to, packet.bytes, 1206);
    }
    driver_wait_said(driver, "packets of a VLP-16");
    kill(driver->pid, SIGTERM);
    assert_int_equal(driver_finish(driver), 0);
    driver_said(driver, "lost: bad_short 2, bad_long 1, bad_flag 1");
    lidar_sim_destroy(sim);
    close(fd);
    domain_is_empty(d);
}

/* The azimuths of its twelve blocks are one, as those of a sensor whose motor does not turn. */
static void stand_still(uint8_t *bytes)
{
    for (unsigned block = 0; block < 12; block++)
        sl_put_le16(bytes + block * 100 + 2, 12345);
}

static void sensor_that_does_not_turn_is_told(void **state)
{
    SKIP_EMULATED("SO_TIMESTAMPNS, SO_RXQ_OVFL");
    struct driving *d = *state;
    struct driver *driver = &d->driver[0];
    DRIVE(driver, "--port=0", "--telemetry-port=0", "--bind=127.0.0.1");
    driver_wait_ready(driver);
    long port = strtol(driver_wait_said(driver, "listening at 127.0.0.1 port "), NULL, 10);
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct lidar_sim_config config;
    struct lidar_sim *sim = NULL;
    struct lidar_sim_packet packet;
    lidar_sim_config_default(&config);
    config.telemetry_every = 0;
    assert_int_equal(lidar_sim_create(&config, &sim), 0);
    for (int i = 0; i < 40; i++) {
        lidar_sim_next(sim, &packet);
        stand_still(packet.bytes);
        send_bytes(fd, &to, packet.bytes, 1206);
    }
    driver_wait_said(driver, "does the sensor's motor turn?");
    kill(driver->pid, SIGTERM);
    driver_finish(driver);
    driver_said(driver, "no frame came of the first 5 s, as in ");
    lidar_sim_destroy(sim);
    close(fd);
    domain_is_empty(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, driving_setup, driving_teardown)
        TEST(unknown_model_and_contradictory_options_are_wrong_usage),
        TEST(instruction_sets_of_another_processor_are_told_with_what_there_is),
        TEST(at128_without_its_file_or_with_another_one_is_refused),
        TEST(filters_that_make_no_sense_are_refused),
        TEST(port_in_use_is_told),
        TEST(absent_interface_and_address_are_told_with_what_there_is),
        TEST(missing_capture_is_told),
        TEST(other_file_is_told_as_no_capture),
        TEST(truncated_capture_is_used_up_to_its_end_and_told),
        TEST(unknown_link_type_is_told),
        TEST(capture_without_lidar_packets_is_told_with_what_is_in_it),
        TEST(another_sensor_than_the_configured_one_is_told),
        TEST(pool_that_does_not_fit_is_told_before_anything_is_made),
        TEST(wrong_packets_are_counted_by_cause_and_nothing_else_happens),
        TEST(sensor_that_does_not_turn_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
