/* SPDX-License-Identifier: Apache-2.0 */
/* test_source_packet.c - frames off an interface, from sockets at the other end of a cable and from
 * frames that are made here byte by byte. */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "core/base/clock.h"
#include "core/base/error.h"
#include "drivers/lidar/source.h"
#include "tests/lidar/veth.h"

#define PORT        2368
#define OTHER_PORT  8308
#define PATIENCE_MS 60000 /* a bound for a broken test, never waited for in a good one */
#define QUIET_MS    50    /* what has not come by then was left out */
#define BIG_BYTES   33024

static struct veth veth;
static struct lidar_source *source;
static uint8_t bytes[65536];

static void open_source(const char *sender, uint32_t buffer_bytes)
{
    const struct lidar_interface_config config = {.interface = VETH_HOST_INTERFACE,
                                                  .sender = sender,
                                                  .ports = {PORT, OTHER_PORT},
                                                  .port_count = 2,
                                                  .buffer_bytes = buffer_bytes};
    if (lidar_source_open_packet(&config, &source) < 0)
        fail_msg("%s", sl_error_text());
}

static int close_it(void **state)
{
    (void)state;
    lidar_source_close(source);
    source = NULL;
    return 0;
}

static void send_to(int fd, const char *address, uint16_t port, size_t size)
{
    veth_send(fd, address, port, bytes, size);
}

static bool readable(int timeout_ms)
{
    struct pollfd wait = {.fd = lidar_source_fd(source), .events = POLLIN};
    return poll(&wait, 1, timeout_ms) == 1;
}

/* The next datagrams, as many as one call gives. */
static unsigned receive_some(struct sl_datagram *batch)
{
    while (readable(PATIENCE_MS)) {
        int count = lidar_source_receive(source, batch, LIDAR_SOURCE_BATCH_MAX);
        if (count < 0)
            fail_msg("%s", sl_error_text());
        if (count > 0)
            return (unsigned)count;
    }
    fail_msg("nothing came");
    return 0;
}

/* How many come until it is quiet. */
static unsigned receive_rest(void)
{
    struct sl_datagram batch[LIDAR_SOURCE_BATCH_MAX];
    unsigned received = 0;
    while (readable(QUIET_MS)) {
        int count = lidar_source_receive(source, batch, LIDAR_SOURCE_BATCH_MAX);
        assert_true(count >= 0);
        received += (unsigned)count;
    }
    return received;
}

static struct lidar_source_stats stats(void)
{
    struct lidar_source_stats result;
    lidar_source_stats(source, &result);
    return result;
}

static void fill(size_t size, uint32_t seed)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24);
}

static void datagrams_of_the_ports_come_in_order_with_the_kernels_stamps(void **state)
{
    (void)state;
    struct sl_datagram batch[LIDAR_SOURCE_BATCH_MAX];
    open_source(NULL, 0);
    assert_string_equal(lidar_source_kind(source), "packet");
    assert_int_equal(lidar_source_receive(source, batch, 32), 0);
    assert_true(stats().receive_buffer_bytes >= 32u << 20);
    int sensor = veth_sensor_socket(&veth, AF_INET, VETH_SENSOR);
    uint64_t before_ns = sl_clock_realtime_ns(), stamp_ns = before_ns;
    for (unsigned i = 0; i < 100; i++) {
        sl_put_le32(bytes, i);
        send_to(sensor, VETH_HOST, i % 2 ? PORT : OTHER_PORT, 1206);
        send_to(sensor, VETH_HOST, PORT + 1, 1206); /* not wanted */
    }
    for (unsigned next = 0; next < 100;) {
        unsigned count = receive_some(batch);
        for (unsigned i = 0; i < count; i++, next++) {
            assert_int_equal(batch[i].size_bytes, 1206);
            assert_int_equal(sl_get_le32(batch[i].bytes), next);
            assert_int_equal(batch[i].destination.port, next % 2 ? PORT : OTHER_PORT);
            assert_memory_equal(batch[i].destination.address, "\x0a\x4d\0\1\0\0", 6);
            assert_memory_equal(batch[i].source.address, "\x0a\x4d\0\2\0\0", 6);
            assert_int_equal(batch[i].flags, SL_DATAGRAM_KERNEL_TIME);
            assert_true(batch[i].time_ns >= stamp_ns);
            stamp_ns = batch[i].time_ns;
        }
    }
    assert_true(stamp_ns <= sl_clock_realtime_ns());
    assert_int_equal(receive_rest(), 0);
    assert_int_equal(stats().datagrams, 100);
    assert_int_equal(stats().foreign, 0); /* the kernel's filter left them out */
    assert_int_equal(stats().kernel_drops, 0);
    close(sensor);
}

static void fragments_become_the_datagram_that_was_sent(void **state)
{
    (void)state;
    struct sl_datagram batch[LIDAR_SOURCE_BATCH_MAX];
    open_source(NULL, 0);
    int sensor = veth_sensor_socket(&veth, AF_INET, NULL);
    for (uint32_t i = 0; i < 50; i++) {
        fill(BIG_BYTES, i);
        send_to(sensor, VETH_HOST, PORT, BIG_BYTES);
        send_to(sensor, VETH_HOST, PORT + 1, BIG_BYTES); /* its fragments come as well */
    }
    for (uint32_t i = 0; i < 50; i++) {
        assert_int_equal(receive_some(batch), 1);
        fill(BIG_BYTES, i);
        assert_int_equal(batch[0].size_bytes, BIG_BYTES);
        assert_memory_equal(batch[0].bytes, bytes, BIG_BYTES);
        assert_int_equal(batch[0].flags, SL_DATAGRAM_KERNEL_TIME | SL_DATAGRAM_REASSEMBLED);
    }
    assert_int_equal(receive_rest(), 0);
    assert_int_equal(stats().fragments_rejected + stats().fragments_incomplete, 0);
    assert_int_equal(stats().foreign, 50);
    close(sensor);
}

static void sensors_at_one_port_are_told_apart_by_their_address(void **state)
{
    (void)state;
    static const char *const wanted[] = {"10.77.0.3", VETH_SENSOR6};
    for (unsigned i = 0; i < 2; i++) {
        struct sl_datagram batch[LIDAR_SOURCE_BATCH_MAX];
        open_source(wanted[i], 0);
        int second = veth_sensor_socket(&veth, AF_INET, "10.77.0.3"),
            third = veth_sensor_socket(&veth, AF_INET, VETH_SENSOR);
        int six = veth_sensor_socket(&veth, AF_INET6, NULL);
        struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(PORT)};
        inet_pton(AF_INET6, VETH_HOST6, &to.sin6_addr);
        for (unsigned k = 0; k < 10; k++) {
            send_to(second, VETH_HOST, PORT, 100 + i);
            send_to(third, VETH_HOST, PORT, 200);
            assert_int_equal(sendto(six, bytes, 100 + i, 0, (struct sockaddr *)&to, sizeof to),
                             100 + i);
        }
        unsigned count = receive_some(batch);
        for (unsigned k = 0; k < count; k++) {
            assert_int_equal(batch[k].size_bytes, 100 + i);
            assert_int_equal(batch[k].source.family, i ? 6 : 4);
        }
        assert_int_equal(count + receive_rest(), 10);
        close(second);
        close(third);
        close(six);
        close_it(NULL);
    }
}

static void overflow_is_counted(void **state)
{
    (void)state;
    open_source(NULL, 1); /* the smallest there is */
    uint32_t ring = stats().receive_buffer_bytes;
    assert_in_range(ring, 1, 1 << 20);
    int sensor = veth_sensor_socket(&veth, AF_INET, NULL);
    unsigned sent = 3 * ring / 1206;
    for (unsigned i = 0; i < sent; i++)
        send_to(sensor, VETH_HOST, PORT, 1206);
    unsigned received = receive_rest();
    assert_true(received > 0 && received < sent);
    assert_int_equal(stats().kernel_drops, sent - received);
    /* and it goes on */
    send_to(sensor, VETH_HOST, PORT, 1206);
    assert_int_equal(receive_rest(), 1);
    assert_int_equal(stats().kernel_drops, sent - received);
    close(sensor);
}

/* Frames by hand. */

static size_t make_frame(uint8_t *frame, const uint16_t *tags, unsigned tag_count, uint16_t port,
                         size_t size)
{
    return veth_make_frame(frame, tags, tag_count, port, bytes, size);
}

static void send_frame(const uint8_t *frame, size_t size)
{
    veth_send_frame(&veth, frame, size);
}

static void vlan_tags_and_foreign_addresses_do_not_matter(void **state)
{
    (void)state;
    static const struct {
        uint16_t tags[3];
        unsigned count;
    } stacks[] = {{{0}, 0}, {{0x8100}, 1}, {{0x88a8, 0x8100}, 2}};
    uint8_t frame[2048];
    struct sl_datagram batch[LIDAR_SOURCE_BATCH_MAX];
    open_source(NULL, 0);
    for (unsigned i = 0; i < sizeof stacks / sizeof *stacks; i++) {
        fill(700, i);
        send_frame(frame, make_frame(frame, stacks[i].tags, stacks[i].count, PORT + 1, 700));
        send_frame(frame, make_frame(frame, stacks[i].tags, stacks[i].count, PORT, 700));
        assert_int_equal(receive_some(batch), 1);
        assert_int_equal(batch[0].size_bytes, 700);
        assert_memory_equal(batch[0].bytes, bytes, 700);
        assert_memory_equal(batch[0].destination.address, "\x0a\x63\0\1\0\0", 6);
        assert_int_equal(receive_rest(), 0);
    }
}

/* Whatever comes is counted at most, and what is right is found behind it. */
static void broken_frames_do_no_harm(void **state)
{
    (void)state;
    uint8_t frame[2048];
    unsigned right = 0, received = 0;
    open_source(NULL, 0);
    srand(1);
    for (unsigned i = 0; i < 3000; i++) {
        size_t size = make_frame(frame, NULL, 0, PORT, 64);
        for (int k = rand() % 4; k > 0; k--)
            frame[12 + (unsigned)rand() % 30] = (uint8_t)rand();
        send_frame(frame, 14 + (unsigned)rand() % (size - 14));
        if (i % 100 == 0) {
            send_frame(frame, make_frame(frame, NULL, 0, OTHER_PORT, 64));
            right++;
            received += receive_rest();
        }
    }
    assert_true(received + receive_rest() >= right);
    assert_int_equal(stats().kernel_drops, 0);
}

static void what_cannot_be_opened_is_told(void **state)
{
    (void)state;
    struct lidar_interface_config config = {
        .interface = "nowhere9", .ports = {PORT}, .port_count = 1};
    assert_int_equal(lidar_source_open_packet(&config, &source), -ENODEV);
    assert_non_null(strstr(sl_error_text(), "nowhere9"));
    config.interface = VETH_HOST_INTERFACE;
    config.ports[0] = 0;
    assert_int_equal(lidar_source_open_packet(&config, &source), -EINVAL);
    config.ports[0] = PORT;
    config.sender = "somebody";
    assert_int_equal(lidar_source_open_packet(&config, &source), -EINVAL);
    assert_non_null(strstr(sl_error_text(), "somebody"));
    config.sender = NULL;
    config.group = "10.0.0.1";
    assert_int_equal(lidar_source_open_packet(&config, &source), -EINVAL);
    config.group = NULL;
    veth_shell("ip link set " VETH_HOST_INTERFACE " down");
    assert_int_equal(lidar_source_open_packet(&config, &source), -ENETDOWN);
    assert_non_null(strstr(sl_error_text(), "ip link set"));
    veth_shell("ip link set " VETH_HOST_INTERFACE " up");
}

static void multicast_group_is_joined(void **state)
{
    (void)state;
    char groups[4096] = "";
    const struct lidar_interface_config config = {
        .interface = VETH_HOST_INTERFACE, .group = "239.77.0.1", .ports = {PORT}, .port_count = 1};
    assert_int_equal(lidar_source_open_packet(&config, &source), 0);
    FILE *file = fopen("/proc/thread-self/net/igmp", "r");
    assert_non_null(file);
    groups[fread(groups, 1, sizeof groups - 1, file)] = '\0';
    fclose(file);
    assert_non_null(strstr(groups, "01004DEF"));
}

static void interface_that_goes_down_may_come_again_and_one_that_is_gone_is_told(void **state)
{
    (void)state;
    struct sl_datagram batch[LIDAR_SOURCE_BATCH_MAX];
    veth_shell("ip link add one type veth peer name two && ip link set one up");
    const struct lidar_interface_config config = {
        .interface = "one", .ports = {PORT}, .port_count = 1};
    assert_int_equal(lidar_source_open_packet(&config, &source), 0);
    veth_shell("ip link set one down");
    assert_int_equal(lidar_source_receive(source, batch, 4), 0);
    veth_shell("ip link set one up");
    assert_false(readable(0));
    veth_shell("ip link del one");
    assert_int_equal(lidar_source_receive(source, batch, 4), -ENODEV);
    assert_non_null(strstr(sl_error_text(), "gone"));
}

int main(void)
{
    char reason[256];
    if (veth_open(&veth, reason, sizeof reason) < 0) {
        printf("SKIP: %s\n", reason);
        return 77;
    }
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_teardown(name, close_it)
        TEST(datagrams_of_the_ports_come_in_order_with_the_kernels_stamps),
        TEST(fragments_become_the_datagram_that_was_sent),
        TEST(sensors_at_one_port_are_told_apart_by_their_address),
        TEST(overflow_is_counted),
        TEST(vlan_tags_and_foreign_addresses_do_not_matter),
        TEST(broken_frames_do_no_harm),
        TEST(what_cannot_be_opened_is_told),
        TEST(multicast_group_is_joined),
        TEST(interface_that_goes_down_may_come_again_and_one_that_is_gone_is_told),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    veth_close(&veth);
    return failed;
}
