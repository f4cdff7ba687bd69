/* SPDX-License-Identifier: Apache-2.0 */
/* test_driver_several.c - several sensors in one process: at one port, told apart by their address
 * or by their serial number; and the position of one that has a GPS receiver.
 */
#include "tests/emulated.h"
#include "tests/lidar/driving.h"

#include <arpa/inet.h>
#include <math.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/frame/imu.h"
#include "core/frame/message.h"
#include "drivers/lidar/sim/sim.h"

#define TURNS    5 /* that are begun; the last one is ended by the silence */
#define SENT_S   0.45
#define QUIET_NS SL_NS_PER_S

/* Below those that the kernel gives to who asks for any: nobody is given it meanwhile. */
static uint16_t free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    unsigned port = 20000 + (unsigned)getpid() % 10000;
    do
        address.sin_port = htons((uint16_t)++port);
    while (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 && port < 32000);
    close(fd);
    return (uint16_t)port;
}

static int sensor_socket(const char *from, uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    inet_pton(AF_INET, from, &address.sin_addr);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    address.sin_port = htons(port);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void configure(enum lidar_sim_model model, struct lidar_sim_config *config)
{
    lidar_sim_config_of(model, config);
    config->telemetry_every = 0;
}

/* Simulated sensors that send at the same time, each by its socket, for SENT_S. */
struct sensor {
    int fd;
    uint8_t change; /* of the serial number of an OS1 */
    struct lidar_sim *sim;
    struct lidar_sim_packet next;
    uint64_t sent;
};

static void make_next(struct sensor *sensor)
{
    assert_int_equal(lidar_sim_next(sensor->sim, &sensor->next), 1);
    sensor->next.bytes[7] ^= sensor->change;
}

static void begin_sensor(struct sensor *sensor, const struct lidar_sim_config *config)
{
    assert_int_equal(lidar_sim_create(config, &sensor->sim), 0);
    sensor->sent = 0;
    make_next(sensor);
}

/* Up to that time of its own. */
static void send_until(struct sensor *sensor, uint64_t until_ns)
{
    struct lidar_sim_packet *packet = &sensor->next;
    for (; packet->due_ns < until_ns; sensor->sent++) {
        assert_int_equal(send(sensor->fd, packet->bytes, packet->size_bytes, 0),
                         packet->size_bytes);
        make_next(sensor);
    }
}

static void send_all(struct sensor *sensors, unsigned count)
{
    for (unsigned step = 1; step <= SENT_S * 1000; step++)
        for (unsigned i = 0; i < count; i++)
            send_until(&sensors[i], step * SL_NS_PER_MS);
    for (unsigned i = 0; i < count; i++) {
        lidar_sim_destroy(sensors[i].sim);
        close(sensors[i].fd);
    }
}

/* All that comes of the points, until nothing has come for a while. Where this machine is held up,
 * turns may be in pieces; of what was sent, nothing may be missing. */
static void read_turns(struct sl_subscriber *points, unsigned rings)
{
    struct sl_frame frame;
    struct sl_pointcloud2 cloud;
    uint64_t returns = 0;
    unsigned frames = 0;
    uint64_t until_ns = sl_clock_monotonic_ns() + QUIET_NS;
    while (sl_clock_monotonic_ns() < until_ns) {
        if (sl_subscriber_take(points, &frame) < 0) {
            sl_subscriber_wait(points, 20 * (int64_t)SL_NS_PER_MS);
            continue;
        }
        assert_int_equal(sl_pointcloud2_read(frame.body, frame.body_length, &cloud), 0);
        assert_int_equal(cloud.width, rings);
        returns += cloud_returns(&cloud);
        frames++;
        sl_frame_release(&frame);
        until_ns = sl_clock_monotonic_ns() + QUIET_NS;
    }
    assert_true(frames >= TURNS);
    assert_true(returns > 0);
    sl_subscriber_close(points);
}

static void said(const struct driver *driver, const char *format, uint64_t number)
{
    char line[160];
    snprintf(line, sizeof line, format, (unsigned long long)number);
    driver_said(driver, line);
}

/* A VLP-16, an XT32 and a third one that nobody asked for. */
static void sensors_at_one_port_are_told_apart_by_address(void **state)
{
    SKIP_EMULATED("SO_TIMESTAMPNS, SO_RXQ_OVFL");
    static const char *const from[] = {"127.0.0.2", "127.0.0.3", "127.0.0.4"};
    static const enum lidar_sim_model models[] = {LIDAR_SIM_VLP16, LIDAR_SIM_XT32, LIDAR_SIM_VLP16};
    struct driving *d = *state;
    struct driver *driver = &d->driver[0];
    static struct sensor sensors[3];
    char port[32], also[96];
    uint16_t number = free_port();
    snprintf(port, sizeof port, "--port=%u", number);
    snprintf(also, sizeof also, "--also=rear sender=127.0.0.3 model=xt32 port=%u yaw=180", number);
    DRIVE(driver, port, "--telemetry-port=0", "--sender=127.0.0.2", "--lossless", "--tf", also);
    driver_wait_ready(driver);
    struct sl_subscriber *front = subscribe(POINTS_TOPIC, SL_LOSSLESS);
    struct sl_subscriber *rear = subscribe("/rear/points", SL_LOSSLESS);
    await_publisher(front);
    await_publisher(rear);
    for (unsigned i = 0; i < 3; i++) {
        struct lidar_sim_config config;
        configure(models[i], &config);
        sensors[i].fd = sensor_socket(from[i], number);
        begin_sensor(&sensors[i], &config);
    }
    send_all(sensors, 3);
    read_turns(front, 16);
    read_turns(rear, 32);
    kill(driver->pid, SIGTERM);
    assert_int_equal(driver_finish(driver), 0);
    driver_said(driver, "lidar: packets of a VLP-16");
    driver_said(driver, "rear: packets of a PandarXT32");
    said(driver, "from %llu data and 0 telemetry packets", sensors[0].sent);
    said(driver, "from %llu data and 0 telemetry packets", sensors[1].sent);
    said(driver, "%llu datagrams were of another sensor", sensors[2].sent);
    domain_is_empty(d);
}

/* Its metadata, in a file of the test's folder. */
static void write_metadata(const struct driving *d, const char *name,
                           const struct lidar_sim_config *config, uint8_t change, char path[128])
{
    char *text = NULL, other[32];
    assert_int_equal(lidar_sim_metadata(config, &text), 0);
    char *serial = strstr(text, "\"prod_sn\": \"");
    assert_non_null(serial);
    serial += strlen("\"prod_sn\": \"");
    size_t length = strspn(serial, "0123456789");
    snprintf(other, sizeof other, "%llu", strtoull(serial, NULL, 10) ^ change);
    assert_int_equal(strlen(other), length);
    memcpy(serial, other, length);
    snprintf(path, 128, "%s/%s", d->root, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0 && fclose(file) == 0);
    free(text);
}

/* Two OS1-64, behind one address. */
static void ousters_at_one_port_are_told_apart_by_serial_number(void **state)
{
    SKIP_EMULATED("SO_TIMESTAMPNS, SO_RXQ_OVFL");
    struct driving *d = *state;
    struct driver *driver = &d->driver[0];
    static struct sensor sensors[2] = {{.change = 0}, {.change = 1}};
    struct lidar_sim_config config;
    char first[128], second[128], port[32], metadata[160], also[256];
    uint16_t number = free_port();
    configure(LIDAR_SIM_OS1_64, &config);
    config.return_mode = LIDAR_SIM_DUAL;
    write_metadata(d, "first.json", &config, 0, first);
    write_metadata(d, "second.json", &config, 1, second);
    snprintf(port, sizeof port, "--port=%u", number);
    snprintf(metadata, sizeof metadata, "--metadata=%s", first);
    snprintf(also, sizeof also, "--also=second metadata=%s port=%u telemetry-port=0", second,
             number);
    DRIVE(driver, port, "--telemetry-port=0", metadata, "--lossless", also);
    driver_wait_ready(driver);
    struct sl_subscriber *one = subscribe(POINTS_TOPIC, SL_LOSSLESS);
    struct sl_subscriber *two = subscribe("/second/points", SL_LOSSLESS);
    await_publisher(one);
    await_publisher(two);
    for (unsigned i = 0; i < 2; i++) {
        sensors[i].fd = sensor_socket("127.0.0.2", number);
        begin_sensor(&sensors[i], &config);
    }
    send_all(sensors, 2);
    read_turns(one, 64);
    read_turns(two, 64);
    kill(driver->pid, SIGTERM);
    assert_int_equal(driver_finish(driver), 0);
    driver_said(driver, "second: packets of an OS-1-64");
    driver_said(driver, "frames_overdue"); /* the last one: no more came */
    assert_int_equal(sensors[0].sent, sensors[1].sent);
    said(driver, "from %llu data and 0 telemetry packets", sensors[0].sent);
    assert_null(strstr(driver->text, "other_model"));
    assert_null(strstr(driver->text, "of another sensor"));
    unlink(first);
    unlink(second);
    domain_is_empty(d);
}

static void what_cannot_be_told_apart_is_refused(void **state)
{
    static const struct {
        const char *args[4], *text;
    } cases[] = {
        {{"--also=b"}, "nothing tells the packets of lidar from those of b at port 2368"},
        {{"--sender=10.0.0.1", "--also=b sender=10.0.0.1"}, "nothing tells the packets"},
        {{"--also=b sender=10.0.0.2"}, "nothing tells the packets"},
        {{"--also=lidar port=5"}, "two sensors are named lidar"},
        {{"--also=a/b"}, "'a/b' is no name of a sensor"},
        {{"--also="}, "'' is no name of a sensor"},
        {{"--also=b sender=10.0.0"}, "sensor b: option --sender"},
        {{"--also=b model=vlp-31c"}, "option --also: b: option --model"},
        {{"--also=b colour=red"}, "option --also: b: no option --colour"},
        {{"--also=b --capture=x"}, "option --also: b: capture is the whole process's"},
        {{"--also=b port=0"}, "option --port: 0 is for one sensor alone"},
        {{"--source=sim", "--also=b port=5"}, "--source sim is one sensor"},
        {{"--also=b port=9 model=at128"}, "sensor b: option --calibration"},
        {{"--also=b port=1 telemetry-port=2", "--also=c port=3 telemetry-port=4",
          "--also=d port=5 telemetry-port=6", "--also=e port=7 telemetry-port=9"},
         "more than 8 UDP ports in one process"},
    };
    struct driving *d = *state;
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const *a = cases[i].args;
        DRIVE(&d->driver[0], a[0], a[1], a[2], a[3]);
        assert_int_equal(driver_finish(&d->driver[0]), 1);
        driver_said(&d->driver[0], cases[i].text);
    }
    domain_is_empty(d);
}

/* 48 degrees 7.038 minutes, 11 degrees 31 minutes: what the simulated receiver says every second.
 */
static void positions_of_the_receiver_are_a_topic(void **state)
{
    struct driving *d = *state;
    struct driver *driver = &d->driver[0];
    struct sl_frame frame;
    struct sl_navsatfix fix;
    unsigned count = 0;
    DRIVE(driver, "--source=sim", "--rate=0", "--sim-packets=2000", "--block",
          "--wait-for-subscribers=1", "--frame-id=roof");
    struct sl_subscriber *points = subscribe(POINTS_TOPIC, SL_LOSSLESS);
    struct sl_subscriber *positions = subscribe("/lidar/fix", SL_KEEP_LAST);
    await_publisher(positions);
    await_publisher(points);
    uint64_t last_ns = 0;
    while (next_frame(points, &frame))
        sl_frame_release(&frame);
    while (sl_subscriber_take(positions, &frame) == 0) {
        assert_int_equal(frame.clock, SL_CLOCK_GPS);
        assert_int_equal(sl_navsatfix_read(frame.body, frame.body_length, &fix), 0);
        assert_true(sl_text_is(fix.frame_id, "roof"));
        assert_int_equal(fix.status, SL_NAVSAT_FIX);
        assert_int_equal(fix.service, SL_NAVSAT_GPS);
        assert_true(fabs(fix.latitude - 48.1173) < 1e-9);
        assert_true(fabs(fix.longitude - (11 + 31.0 / 60)) < 1e-9);
        assert_true(isnan(fix.altitude));
        assert_int_equal(fix.stamp_ns, (int64_t)frame.stamp_ns);
        assert_int_equal(frame.stamp_ns % SL_NS_PER_S, 0);
        if (last_ns)
            assert_int_equal(frame.stamp_ns - last_ns, SL_NS_PER_S);
        last_ns = frame.stamp_ns;
        count++;
        sl_frame_release(&frame);
    }
    assert_in_range(count, 3, 4); /* 2.65 s */
    sl_subscriber_close(points);
    sl_subscriber_close(positions);
    assert_int_equal(driver_finish(driver), 0);
    DRIVE(driver, "--source=sim", "--rate=0", "--sim-packets=200", "--no-fix", "--plan");
    assert_int_equal(driver_finish(driver), 0);
    assert_null(strstr(driver->text, "NavSatFix"));
    domain_is_empty(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, driving_setup, driving_teardown)
        TEST(sensors_at_one_port_are_told_apart_by_address),
        TEST(ousters_at_one_port_are_told_apart_by_serial_number),
        TEST(what_cannot_be_told_apart_is_refused),
        TEST(positions_of_the_receiver_are_a_topic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
