/* SPDX-License-Identifier: Apache-2.0 */
/* test_source_xdp.c - frames that the kernel writes into the slots of a topic, over a cable. */
#include "tests/lidar/driving.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "core/base/clock.h"
#include "core/base/error.h"
#include "drivers/lidar/source_xdp.h"
#include "tests/lidar/load_packets.h"
#include "tests/lidar/veth.h"

#define PORT         2368
#define TURNS        10 /* of a sensor in a second */
#define OTHER_PORT   8308
#define PATIENCE_MS  60000 /* a bound for a broken test, never waited for in a good one */
#define QUIET_MS     50    /* what has not come by then was left out */
#define BIG_BYTES    33024
#define BUFFER_BYTES (256 * 4096)
#define PREFIX       16 /* of UInt8MultiArray: encapsulation, dimensions, offset, length */

static struct veth veth;
static struct sl_publisher *publisher;
static struct sl_subscriber *subscriber;
static struct lidar_source *source;
static uint8_t bytes[65536];

static int try_open(const struct lidar_interface_config *config)
{
    struct sl_publisher_options topic = {.topic = "/test/packets", .subscribers = 2, .quota = 4};
    lidar_xdp_topic(config->buffer_bytes, &topic);
    if (sl_publisher_open(&topic, &publisher) < 0)
        fail_msg("%s", sl_error_text());
    return lidar_source_open_xdp(config, publisher, &source);
}

static struct lidar_interface_config usual(void)
{
    return (struct lidar_interface_config){.interface = VETH_HOST_INTERFACE,
                                           .ports = {PORT, OTHER_PORT},
                                           .port_count = 2,
                                           .buffer_bytes = BUFFER_BYTES};
}

static void open_source(const char *sender)
{
    struct lidar_interface_config config = usual();
    config.sender = sender;
    if (try_open(&config) < 0)
        fail_msg("%s", sl_error_text());
    subscriber = subscribe("/test/packets", SL_KEEP_LAST);
    await_publisher(subscriber);
}

static void close_it(void)
{
    lidar_source_close(source);
    sl_subscriber_close(subscriber);
    sl_publisher_close(publisher);
    source = NULL;
    subscriber = NULL;
    publisher = NULL;
}

static int teardown(void **state)
{
    close_it();
    return driving_teardown(state);
}

static void send_to(int fd, uint16_t port, size_t size)
{
    veth_send(fd, VETH_HOST, port, bytes, size);
}

static int sensor(const char *address)
{
    return veth_sensor_socket(&veth, AF_INET, address);
}

static bool readable(int timeout_ms)
{
    struct pollfd wait = {.fd = lidar_source_fd(source), .events = POLLIN};
    return poll(&wait, 1, timeout_ms) == 1;
}

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

static unsigned receive_rest(void)
{
    struct sl_datagram batch[LIDAR_SOURCE_BATCH_MAX];
    unsigned received = 0;
    int count;
    do {
        count = lidar_source_receive(source, batch, LIDAR_SOURCE_BATCH_MAX);
        assert_true(count >= 0);
        received += (unsigned)count;
    } while (count > 0 || readable(QUIET_MS));
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

/* The next message is a UInt8MultiArray of these bytes. */
static void check_message(size_t size, uint32_t seed, struct sl_frame *ret_frame)
{
    struct sl_frame frame;
    assert_true(next_frame(subscriber, &frame));
    assert_int_equal(frame.lost_before, 0);
    assert_int_equal(frame.body_length, PREFIX + size);
    assert_memory_equal(frame.body, "\0\1\0\0\0\0\0\0\0\0\0\0", 12);
    assert_int_equal(sl_get_le32((const uint8_t *)frame.body + 12), size);
    assert_int_equal(frame.data_length, size);
    assert_ptr_equal(frame.data, (const uint8_t *)frame.body + PREFIX);
    fill(size, seed);
    assert_memory_equal(frame.data, bytes, size);
    *ret_frame = frame;
}

static void datagrams_are_published_where_the_kernel_put_them(void **state)
{
    (void)state;
    struct sl_datagram batch[LIDAR_SOURCE_BATCH_MAX];
    struct sl_frame frame;
    open_source(NULL);
    printf("mode: %s\n", lidar_source_xdp_mode(source));
    assert_string_equal(lidar_source_kind(source), "xdp");
    assert_int_equal(stats().receive_buffer_bytes, BUFFER_BYTES / 2); /* of one of two queues */
    assert_non_null(strstr(lidar_source_warning(source), "slots for 512 kB a receive queue where "
                                                         "1024 kB were asked for, as there are 2"));
    assert_non_null(strstr(lidar_source_warning(source), "ethtool -L lidar0 combined 1"));
    int fd = sensor(NULL);
    uint64_t before_ns = sl_clock_realtime_ns();
    for (uint32_t i = 0; i < 1000; i++) {
        uintptr_t place = 0;
        fill(1206, i);
        send_to(fd, i % 2 ? PORT : OTHER_PORT, 1206);
        assert_int_equal(receive_some(batch), 1);
        assert_int_equal(batch[0].size_bytes, 1206);
        assert_memory_equal(batch[0].bytes, bytes, 1206);
        assert_int_equal(batch[0].destination.port, i % 2 ? PORT : OTHER_PORT);
        assert_memory_equal(batch[0].source.address, "\x0a\x4d\0\2\0\0", 6);
        assert_int_equal(batch[0].flags, 0); /* the stamp is ours */
        assert_in_range(batch[0].time_ns, before_ns, sl_clock_realtime_ns());
        place = (uintptr_t)batch[0].bytes % 4096;
        assert_int_equal(place % 16, 0);
        assert_int_equal(lidar_source_receive(source, batch, 1), 0); /* the batch is done with */
        check_message(1206, i, &frame);
        assert_int_equal((uintptr_t)frame.data % 4096, place);
        sl_frame_release(&frame);
    }
    assert_int_equal(stats().datagrams, 1000);
    assert_int_equal(stats().kernel_drops + stats().foreign, 0);
    close(fd);
}

/* Which queue a datagram takes is chosen by its addresses and ports. */
static void all_queues_of_the_interface_are_served(void **state)
{
    (void)state;
    unsigned sent = 0;
    open_source(NULL);
    assert_non_null(strstr(lidar_source_xdp_mode(source), "2 queues"));
    for (unsigned i = 0; i < 32; i++) {
        int fd = sensor(NULL);
        for (unsigned k = 0; k < 4 * (i + 1); k++, sent++)
            send_to(fd, PORT, 800);
        assert_int_equal(receive_rest(), 4 * (i + 1));
        close(fd);
    }
    assert_int_equal(stats().datagrams, sent);
    assert_int_equal(stats().kernel_drops, 0);
}

static void what_a_reader_holds_is_not_written_again(void **state)
{
    (void)state;
    struct sl_frame held[4];
    open_source(NULL);
    int fd = sensor(NULL);
    for (uint32_t i = 0; i < 4; i++) {
        fill(900, i);
        send_to(fd, PORT, 900);
    }
    assert_int_equal(receive_rest(), 4);
    for (uint32_t i = 0; i < 4; i++)
        check_message(900, i, &held[i]);
    for (uint32_t i = 0; i < 5000; i++) { /* ten times round all slots */
        fill(900, 1000 + i);
        send_to(fd, PORT, 900);
        if (i % 50 == 0)
            receive_rest();
    }
    receive_rest();
    assert_int_equal(stats().datagrams, 5004);
    assert_int_equal(stats().kernel_drops, 0);
    for (uint32_t i = 0; i < 4; i++) {
        fill(900, i);
        assert_memory_equal(held[i].data, bytes, 900);
        assert_int_equal(sl_frame_check(&held[i]), 0);
        sl_frame_release(&held[i]);
    }
    close(fd);
}

/* What a socket of this machine gets at a port: one datagram of this size. */
static void stack_gets(int host, size_t size)
{
    struct pollfd wait = {.fd = host, .events = POLLIN};
    assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
    assert_int_equal(recv(host, bytes, sizeof bytes, 0), size);
}

static void only_the_sensors_ports_leave_the_network_stack(void **state)
{
    (void)state;
    static const uint16_t ports[] = {PORT, PORT + 1};
    int host[2];
    for (unsigned i = 0; i < 2; i++) {
        struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(ports[i])};
        host[i] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        assert_int_equal(bind(host[i], (struct sockaddr *)&at, sizeof at), 0);
    }
    open_source(NULL);
    int fd = sensor(NULL);
    send_to(fd, PORT, 100);
    send_to(fd, PORT + 1, 200);
    assert_int_equal(receive_rest(), 1);
    stack_gets(host[1], 200);
    /* of fragments nothing says that they are the sensor's */
    send_to(fd, PORT, 5000);
    stack_gets(host[0], 5000);
    assert_int_equal(receive_rest(), 0);
    close_it();
    send_to(fd, PORT, 300); /* the program in the kernel has gone */
    stack_gets(host[0], 300);
    /* another sender is another's */
    open_source("10.77.0.3");
    send_to(fd, PORT, 400);
    stack_gets(host[0], 400);
    assert_int_equal(recv(host[0], bytes, sizeof bytes, 0), -1);
    int third = sensor("10.77.0.3");
    send_to(third, PORT, 500);
    assert_int_equal(receive_rest(), 1);
    for (unsigned i = 0; i < 2; i++)
        close(host[i]);
    close(fd);
    close(third);
}

static void fragments_of_a_known_sender_are_put_together(void **state)
{
    (void)state;
    struct sl_datagram batch[LIDAR_SOURCE_BATCH_MAX];
    struct sl_frame frame;
    open_source(VETH_SENSOR);
    int fd = sensor(VETH_SENSOR);
    for (uint32_t i = 0; i < 200; i++) {
        fill(BIG_BYTES, i);
        send_to(fd, PORT, BIG_BYTES);
        assert_int_equal(receive_some(batch), 1);
        assert_int_equal(batch[0].size_bytes, BIG_BYTES);
        assert_memory_equal(batch[0].bytes, bytes, BIG_BYTES);
        assert_int_equal(batch[0].flags, SL_DATAGRAM_REASSEMBLED);
    }
    assert_int_equal(receive_rest(), 0);
    assert_int_equal(sl_subscriber_take(subscriber, &frame), -EAGAIN); /* none is published */
    assert_int_equal(stats().kernel_drops, 0);
    close(fd);
}

static void overflow_is_counted_and_ends(void **state)
{
    (void)state;
    open_source(NULL);
    int fd = sensor(NULL);
    for (unsigned i = 0; i < 1000; i++)
        send_to(fd, PORT, 700);
    unsigned received = receive_rest();
    assert_int_equal(received, BUFFER_BYTES / 4096 / 2); /* the slots of one of the two queues */
    assert_int_equal(stats().kernel_drops, 1000 - received);
    assert_true(stats().slots_wanting > 0);
    for (unsigned i = 0; i < 100; i++)
        send_to(fd, PORT, 700);
    assert_int_equal(receive_rest(), 100);
    assert_int_equal(stats().kernel_drops, 1000 - received);
    close(fd);
}

static void tagged_frames_and_ipv6_come_and_broken_ones_do_no_harm(void **state)
{
    (void)state;
    static const uint16_t tag = 0x8100;
    uint8_t frame[2048];
    struct sl_datagram batch[LIDAR_SOURCE_BATCH_MAX];
    struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(PORT)};
    open_source(NULL);
    for (unsigned tags = 0; tags < 2; tags++) {
        fill(700, tags);
        veth_send_frame(&veth, frame, veth_make_frame(frame, &tag, tags, PORT + 1, bytes, 700));
        veth_send_frame(&veth, frame, veth_make_frame(frame, &tag, tags, PORT, bytes, 700));
        assert_int_equal(receive_some(batch), 1);
        assert_memory_equal(batch[0].bytes, bytes, 700);
    }
    int six = veth_sensor_socket(&veth, AF_INET6, NULL);
    inet_pton(AF_INET6, VETH_HOST6, &to.sin6_addr);
    assert_int_equal(sendto(six, bytes, 600, 0, (struct sockaddr *)&to, sizeof to), 600);
    assert_int_equal(receive_some(batch), 1);
    assert_int_equal(batch[0].size_bytes, 600);
    assert_int_equal(batch[0].source.family, 6);
    close(six);
    srand(1);
    for (unsigned i = 0; i < 2000; i++) {
        size_t size = veth_make_frame(frame, NULL, 0, PORT, bytes, 64);
        for (int k = rand() % 4; k > 0; k--)
            frame[12 + (unsigned)rand() % 30] = (uint8_t)rand();
        veth_send_frame(&veth, frame, 14 + (unsigned)rand() % (size - 14));
        if (i % 100 == 99)
            receive_rest();
    }
    int fd = sensor(NULL); /* all slots are still there */
    for (unsigned i = 0; i < BUFFER_BYTES / 4096 / 2; i++)
        send_to(fd, PORT, 100);
    assert_int_equal(receive_rest(), BUFFER_BYTES / 4096 / 2);
    assert_int_equal(stats().kernel_drops, 0);
    close(fd);
}

/* Else nothing but its IMU's packets would come. */
static void sensor_whose_fragments_would_not_come_is_refused(void **state)
{
    struct driving *d = *state;
    char path[96], metadata[128];
    struct lidar_interface_config config = usual();
    config.datagram_bytes = 1500 - 28;
    assert_int_equal(try_open(&config), 0);
    close_it();
    config.datagram_bytes++;
    assert_int_equal(try_open(&config), -EMSGSIZE);
    close_it();
    config.sender = VETH_SENSOR6; /* nothing picks fragments over IPv6 */
    assert_int_equal(try_open(&config), -EMSGSIZE);
    close_it();
    config.datagram_bytes = 1500 - 48;
    assert_int_equal(try_open(&config), 0);
    close_it();
    snprintf(path, sizeof path, "%s/metadata.json", d->root);
    snprintf(metadata, sizeof metadata, "--metadata=%s", path);
    assert_int_equal(load_ouster_metadata(path), 0);
    DRIVE(&d->driver[0], "--source=xdp", "--interface=" VETH_HOST_INTERFACE, metadata);
    assert_int_equal(driver_finish(&d->driver[0]), 1);
    driver_said(&d->driver[0], "packets of 33024 bytes come in IP fragments, as its MTU is 1500");
    driver_said(&d->driver[0], "give --sender, or --source packet");
    DRIVE(&d->driver[0], "--source=xdp", "--interface=" VETH_HOST_INTERFACE, metadata,
          "--sender=" VETH_SENSOR, "--subscribers=2", "--quota=2");
    driver_wait_ready(&d->driver[0]);
    unlink(path);
}

static void buffer_that_is_smaller_than_asked_for_is_told(void **state)
{
    (void)state;
    struct lidar_interface_config config = usual();
    config.interface = "one";
    veth_shell("ip link add one numrxqueues 1 numtxqueues 1 type veth peer name two");
    assert_int_equal(try_open(&config), 0);
    assert_int_equal(stats().receive_buffer_bytes, BUFFER_BYTES);
    assert_null(lidar_source_warning(source));
    close_it();
    config.buffer_bytes = 64 << 20; /* more than there may be */
    assert_int_equal(try_open(&config), 0);
    assert_int_equal(stats().receive_buffer_bytes, 32 << 20);
    assert_string_equal(lidar_source_warning(source),
                        "XDP on one: slots for 32768 kB a receive queue where 65536 kB were asked "
                        "for");
    close_it();
    veth_shell("ip link del one");
}

static void what_cannot_be_opened_is_told(void **state)
{
    (void)state;
    struct lidar_interface_config config = usual();
    config.interface = "nowhere9";
    assert_int_equal(try_open(&config), -ENODEV);
    assert_non_null(strstr(sl_error_text(), "nowhere9"));
    close_it();
    config = usual();
    veth_shell("ip link set " VETH_HOST_INTERFACE " mtu 9000");
    assert_int_equal(try_open(&config), -E2BIG);
    assert_non_null(strstr(sl_error_text(), "mtu 1500"));
    veth_shell("ip link set " VETH_HOST_INTERFACE " mtu 1500");
    close_it();
    open_source(NULL);
    struct lidar_source *first = source;
    struct sl_publisher *first_publisher = publisher;
    struct sl_subscriber *first_subscriber = subscriber;
    source = NULL;
    subscriber = NULL;
    assert_int_equal(try_open(&config), -EBUSY);
    assert_non_null(strstr(sl_error_text(), "another XDP program"));
    close_it();
    source = first;
    publisher = first_publisher;
    subscriber = first_subscriber;
}

/* The real program, once killed and once ended, with a simulated Pandar64's worth of packets; the
 * one that is ended has a second sensor too, which is silent. */
static void driver_takes_every_packet_and_leaves_nothing_behind(void **state)
{
    struct driving *d = *state;
    for (unsigned kills = 0; kills < 2; kills++) {
        struct driver *driver = &d->driver[0];
        char option[] = "--interface=" VETH_HOST_INTERFACE;
        const char *also = "--also=other model=pandar64 port=2370";
        DRIVE(driver, "--source=xdp", option, "--model=pandar64", "--subscribers=2", "--quota=2",
              kills ? "--port=2370" : "--port=2371", kills ? NULL : also);
        driver_wait_ready(driver);
        driver_wait_said(driver, kills ? "for port 2370 by XDP (2 queues, copied, program"
                                       : "other: port 2370");
        subscriber = subscribe(PACKETS_TOPIC, SL_KEEP_LAST);
        await_publisher(subscriber);
        veth_enter_sensors(&veth);
        FILE *sender = popen(LOAD_SENDER " " VETH_HOST " 2 pandar64:2370", "re");
        veth_leave(&veth);
        assert_non_null(sender);
        unsigned long sent = 0, seen = 0;
        struct sl_frame frame;
        while (sl_subscriber_wait(subscriber, (seen ? 2000 : 10000) * (int64_t)SL_NS_PER_MS) == 0)
            for (; sl_subscriber_take(subscriber, &frame) == 0; seen++) {
                assert_int_equal(frame.lost_before, 0);
                assert_int_equal(frame.data_length, 1198);
                assert_memory_equal(frame.data, "\xee\xff\x40", 3);
                sl_frame_release(&frame);
            }
        assert_int_equal(fscanf(sender, "%*s sent %lu", &sent), 1);
        assert_int_equal(pclose(sender), 0);
        assert_int_equal(seen, sent);
        sl_subscriber_close(subscriber);
        subscriber = NULL;
        kill(driver->pid, kills ? SIGKILL : SIGTERM);
        assert_int_equal(driver_finish(driver), kills ? 256 + SIGKILL : 0);
        if (!kills) {
            char summary[64];
            snprintf(summary, sizeof summary, "from %lu data", sent);
            driver_said(driver, summary);
            driver_said(driver, "lidar: 0 frames");
            driver_said(driver, "lost: nothing");
            driver_said(driver, "other: arrivals were stamped by this program");
        }
        veth_shell("! ip link show " VETH_HOST_INTERFACE " | grep -q xdp");
    }
}

/* So many packets have been published, seen by us or not. */
static void await_packets(unsigned long count)
{
    struct sl_frame frame;
    for (unsigned long published = 0; published < count;) {
        assert_int_equal(sl_subscriber_wait(subscriber, PATIENCE_MS * (int64_t)SL_NS_PER_MS), 0);
        for (; sl_subscriber_take(subscriber, &frame) == 0; sl_frame_release(&frame))
            published += 1 + frame.lost_before;
    }
}

/* Nothing lost, and every turn whole but where it began and ended. A pause of the sender's that
 * makes a turn overdue cuts it in two. */
static void check_turns(const struct driver *driver, const char *name, unsigned long sent)
{
    char text[64];
    unsigned frames, partial, overdue = 0;
    unsigned long packets;
    snprintf(text, sizeof text, "%s: ", name);
    const char *line = driver->text;
    do {
        line = strstr(line + 1, text);
        assert_non_null(line);
    } while (sscanf(line + strlen(text),
                    "%u frames (%u partial), %*u points, %*u of them returns, "
                    "from %lu data",
                    &frames, &partial, &packets) != 3);
    assert_int_equal(packets, sent);
    snprintf(text, sizeof text, "telemetry packets; lost: nothing\n");
    assert_memory_equal(strstr(line, "telemetry"), text, strlen(text));
    snprintf(text, sizeof text, "%s: besides: frames_overdue ", name);
    line = strstr(line, text);
    if (line)
        assert_int_equal(sscanf(line + strlen(text), "%u", &overdue), 1);
    assert_in_range(partial, 1, 2 + 2 * overdue);
    assert_in_range(frames - partial, TURNS - 1 - overdue, TURNS);
}

/* A second of them finds a slot whenever the driver gets a processor. */
static void four_sensors_of_a_driver_give_whole_turns(void **state)
{
    struct driving *d = *state;
    struct driver *driver = &d->driver[0];
    static const char *const names[] = {"lidar", "b", "c", "d"};
    unsigned long sent[4];
    DRIVE(driver, "--source=xdp", "--interface=" VETH_HOST_INTERFACE, "--sender=" VETH_SENSOR,
          "--also=b sender=10.77.0.3", "--also=c sender=10.77.0.4", "--also=d sender=10.77.0.5",
          "--subscribers=2", "--quota=2");
    driver_wait_ready(driver);
    subscriber = subscribe(PACKETS_TOPIC, SL_KEEP_LAST);
    await_publisher(subscriber);
    veth_enter_sensors(&veth);
    FILE *sender = popen(LOAD_SENDER " " VETH_HOST " 1 vlp-16:2368@10.77.0.2 vlp-16:2368@10.77.0.3 "
                                     "vlp-16:2368@10.77.0.4 vlp-16:2368@10.77.0.5",
                         "re");
    veth_leave(&veth);
    assert_non_null(sender);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(fscanf(sender, "%*s sent %lu ", &sent[i]), 1);
    assert_int_equal(pclose(sender), 0);
    await_packets(sent[0] + sent[1] + sent[2] + sent[3]);
    kill(driver->pid, SIGTERM);
    assert_int_equal(driver_finish(driver), 0);
    for (unsigned i = 0; i < 4; i++)
        check_turns(driver, names[i], sent[i]);
}

static void interface_that_goes_down_may_come_again_and_one_that_is_gone_is_told(void **state)
{
    struct driving *d = *state;
    struct sl_datagram batch[LIDAR_SOURCE_BATCH_MAX];
    struct lidar_interface_config config = usual();
    config.interface = "one";
    veth_shell("ip link add one type veth peer name two && ip link set one up");
    assert_int_equal(try_open(&config), 0);
    veth_shell("ip link set one down");
    assert_int_equal(lidar_source_receive(source, batch, 4), 0);
    veth_shell("ip link set one up");
    assert_int_equal(lidar_source_receive(source, batch, 4), 0);
    veth_shell("ip link del one");
    assert_int_equal(lidar_source_receive(source, batch, 4), -ENODEV);
    assert_non_null(strstr(sl_error_text(), "gone"));
    close_it();
    veth_shell("ip link add one type veth peer name two && ip link set one up");
    DRIVE(&d->driver[0], "--source=xdp", "--interface=one", "--subscribers=2", "--quota=2");
    driver_wait_ready(&d->driver[0]);
    veth_shell("ip link del one");
    assert_int_equal(driver_finish(&d->driver[0]), 1);
    driver_said(&d->driver[0], "XDP on one: the interface is gone");
}

static void options_that_do_not_fit_are_told(void **state)
{
    struct driving *d = *state;
    static const struct {
        const char *options[3], *said;
    } wrong[] = {
        {{"--source=xdp"}, "xdp needs --interface NAME"},
        {{"--source=packet"}, "packet needs --interface NAME"},
        {{"--source=xdp", "--interface=lidar0", "--port=0"}, "option --port"},
        {{"--source=xdp", "--interface=lidar0", "--packets=false"}, "option --packets"},
        {{"--source=packet", "--interface=lidar0", "--block"}, "option --block"},
    };
    for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        DRIVE(&d->driver[0], wrong[i].options[0], wrong[i].options[1], wrong[i].options[2]);
        assert_int_equal(driver_finish(&d->driver[0]), 1);
        driver_said(&d->driver[0], wrong[i].said);
    }
}

/* Where the kernel has no AF_XDP, or it may not be used: a reason. */
static bool is_there(char *ret_reason, size_t reason_size)
{
    void *state = NULL;
    struct lidar_interface_config config = usual();
    driving_setup(&state);
    int err = try_open(&config);
    snprintf(ret_reason, reason_size, "%s", sl_error_text());
    teardown(&state);
    return err != -ENOTSUP && err != -EPERM && err != -EAFNOSUPPORT;
}

int main(void)
{
    char reason[512];
    if (veth_open(&veth, reason, sizeof reason) < 0 || !is_there(reason, sizeof reason)) {
        printf("SKIP: %s\n", reason);
        return 77;
    }
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, driving_setup, teardown)
        TEST(datagrams_are_published_where_the_kernel_put_them),
        TEST(all_queues_of_the_interface_are_served),
        TEST(what_a_reader_holds_is_not_written_again),
        TEST(only_the_sensors_ports_leave_the_network_stack),
        TEST(fragments_of_a_known_sender_are_put_together),
        TEST(overflow_is_counted_and_ends),
        TEST(tagged_frames_and_ipv6_come_and_broken_ones_do_no_harm),
        TEST(sensor_whose_fragments_would_not_come_is_refused),
        TEST(buffer_that_is_smaller_than_asked_for_is_told),
        TEST(what_cannot_be_opened_is_told),
        TEST(driver_takes_every_packet_and_leaves_nothing_behind),
        TEST(four_sensors_of_a_driver_give_whole_turns),
        TEST(interface_that_goes_down_may_come_again_and_one_that_is_gone_is_told),
        TEST(options_that_do_not_fit_are_told),
    };
    cmocka_set_test_filter(getenv("SLUICE_TEST"));
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    veth_close(&veth);
    return failed;
}
