/* SPDX-License-Identifier: Apache-2.0 */
/* test_flow.c - the flow driven by hand: when a frame is taken for one of which no more comes. */
#include "tests/lidar/driving.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "drivers/lidar/assembly.h"
#include "drivers/lidar/flow.h"
#include "drivers/lidar/velodyne.h"
#include "tests/emulated.h"
#include "tests/lidar/frames.h"

#define FRAME_ID    "lidar"
#define PACKETS     3     /* at once */
#define PATIENCE_MS 60000 /* a bound for a broken test, never waited for in a good one */

static struct fake_sensor sensor;
static struct lidar_source *source;
static struct sl_publisher *publisher;
static struct lidar_flow flow;
static int fd = -1;

static int setup(void **state)
{
    const struct lidar_udp_config udp = {.address = "127.0.0.1", .port_count = 1};
    size_t cloud_bytes = lidar_frame_bytes_max(velodyne_model_find("VLP-16"), LIDAR_RETURNS_MAX);
    const struct sl_publisher_options points = {
        .topic = "/test/points",
        .type = SL_TYPE_POINTCLOUD2,
        .slot_size = lidar_publish_points_slot_bytes(FRAME_ID, cloud_bytes),
        .slot_count = 8,
        .loans = LIDAR_FRAMES_OPEN_MAX,
    };
    int err = driving_setup(state);
    if (err == 0)
        err = lidar_source_open_udp(&udp, &source);
    if (err == 0)
        err = sl_publisher_open(&points, &publisher);
    const struct lidar_flow_config config = {
        .source = source, .publish = {.points = publisher, .frame_id = FRAME_ID}};
    if (err == 0)
        err = lidar_flow_open(&flow, &config);
    if (err < 0)
        print_error("%s\n", sl_error_text());
    sensor = fake_vlp16();
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return fd < 0 ? -1 : err;
}

static int teardown(void **state)
{
    close(fd);
    lidar_flow_close(&flow);
    sl_publisher_close(publisher);
    lidar_source_close(source);
    return driving_teardown(state);
}

static void await_packets(void)
{
    struct pollfd wait = {.fd = lidar_source_fd(source), .events = POLLIN};
    assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
}

static void send_packets(unsigned first)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(lidar_source_udp_port(source, 0)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    uint8_t bytes[FAKE_PACKET_BYTES];
    for (unsigned n = first; n < first + PACKETS; n++) {
        fake_packet(&sensor, n, bytes);
        assert_int_equal(sendto(fd, bytes, sizeof bytes, 0, (struct sockaddr *)&to, sizeof to),
                         sizeof bytes);
    }
    await_packets();
}

/* On a busy machine the kernel's own thread may bring them, one after the other. */
static void receive_packets(void)
{
    for (int got = 0; got < PACKETS;) {
        await_packets();
        got += lidar_flow_step(&flow);
        assert_in_range(got, 1, PACKETS);
    }
    assert_int_equal(lidar_flow_step(&flow), 0);
}

static uint64_t overdue(void)
{
    return lidar_decoder_counts(flow.decoder)->count[LIDAR_FRAMES_OVERDUE];
}

static void sleep_too_long(void)
{
    usleep(LIDAR_OVERDUE_NS / 1000 + 20000);
}

static void frame_is_overdue_only_by_what_was_asked_for(void **state)
{
    uint64_t before_ns;
    unsigned n = 0;
    (void)state;
    do {
        before_ns = sl_clock_realtime_ns();
        send_packets(n);
        receive_packets();
        n += PACKETS;
    } while (flow.emptied_ns - before_ns >= LIDAR_OVERDUE_NS); /* we had to wait ourselves */
    send_packets(n); /* and before these are asked for, another process has the processor */
    sleep_too_long();
    lidar_flow_deadline(&flow);
    assert_int_equal(overdue(), 0);
    receive_packets();
    sleep_too_long();
    assert_int_equal(lidar_flow_step(&flow), 0);
    lidar_flow_deadline(&flow);
    assert_int_equal(overdue(), 1);
}

int main(void)
{
    if (SLUICE_EMULATED) {
        puts("SKIP: not under qemu-user: SO_TIMESTAMPNS, SO_RXQ_OVFL");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(frame_is_overdue_only_by_what_was_asked_for, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
