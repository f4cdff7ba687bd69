/* SPDX-License-Identifier: Apache-2.0 */
/* The UDP source with real sockets over loopback, and its sentences about what cannot work. */
#include "core/base/clock.h"
#include "core/base/error.h"
#include "drivers/lidar/sim/send.h"
#include "drivers/lidar/source.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_MS 60000 /* a bound for a broken test, never waited for in a good one */

static struct lidar_source *open_config(const struct lidar_udp_config *config)
{
    struct lidar_source *source = NULL;
    int err = lidar_source_open_udp(config, &source);
    if (err < 0)
        print_error("%s\n", sl_error_text());
    assert_int_equal(err, 0);
    return source;
}

static struct lidar_source *open_loopback(void)
{
    const struct lidar_udp_config config = {.address = "127.0.0.1", .port_count = 1};
    return open_config(&config);
}

static int sender_socket(int family)
{
    int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    return fd;
}

static void send_to(int fd, const char *address, uint16_t port, const void *bytes, size_t size)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    assert_int_equal(inet_pton(AF_INET, address, &to.sin_addr), 1);
    assert_int_equal(sendto(fd, bytes, size, 0, (struct sockaddr *)&to, sizeof to), size);
}

static bool readable(const struct lidar_source *source, int timeout_ms)
{
    struct pollfd wait = {.fd = lidar_source_fd(source), .events = POLLIN};
    return poll(&wait, 1, timeout_ms) == 1;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_in name;
    socklen_t size = sizeof name;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &size), 0);
    return ntohs(name.sin_port);
}

/* Until all that was sent has arrived, or was dropped: on a busy machine the kernel's own thread
 * may bring it, later. What one processor sends over loopback comes in order, so the last comes
 * last. */
static void await_delivery(void)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int last = sender_socket(AF_INET);
    assert_int_equal(bind(last, (struct sockaddr *)&any, sizeof any), 0);
    send_to(last, "127.0.0.1", port_of(last), "", 0);
    assert_int_equal(poll(&(struct pollfd){.fd = last, .events = POLLIN}, 1, PATIENCE_MS), 1);
    close(last);
}

static int stay_on_one_processor(void **state)
{
    (void)state;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((unsigned)sched_getcpu(), &one);
    return sched_setaffinity(0, sizeof one, &one);
}

/* The kernel switches its stamps on a little after it was asked to. Returns how many it took. */
static unsigned await_stamps(struct lidar_source *source, int sender)
{
    struct sl_datagram datagram = {0};
    unsigned sent = 0;
    uint64_t until_ns = sl_clock_monotonic_ns() + PATIENCE_MS * (uint64_t)SL_NS_PER_MS;
    while (!(datagram.flags & SL_DATAGRAM_KERNEL_TIME)) {
        assert_true(sl_clock_monotonic_ns() < until_ns);
        send_to(sender, "127.0.0.1", lidar_source_udp_port(source, 0), "", 0);
        sent++;
        assert_true(readable(source, PATIENCE_MS));
        assert_int_equal(lidar_source_receive(source, &datagram, 1), 1);
        assert_true(datagram.time_ns > 0);
    }
    return sent;
}

static void datagrams_arrive_in_order_with_stamps_and_addresses(void **state)
{
    (void)state;
    struct lidar_source *source = open_loopback();
    int sender = sender_socket(AF_INET);
    struct sl_datagram batch[LIDAR_SOURCE_BATCH_MAX];
    assert_string_equal(lidar_source_kind(source), "udp");
    assert_int_equal(lidar_source_receive(source, batch, 32), 0);
    assert_false(readable(source, 0));
    assert_true(lidar_source_due_ns(source) == LIDAR_SOURCE_DUE_NEVER);

    const uint16_t port = lidar_source_udp_port(source, 0);
    const unsigned first = await_stamps(source, sender);
    const uint64_t before = sl_clock_realtime_ns();
    uint8_t bytes[1206] = {0};
    for (uint8_t i = 0; i < 40; i++) {
        bytes[0] = i;
        send_to(sender, "127.0.0.1", port, bytes, i < 39 ? sizeof bytes : 0);
    }
    await_delivery();
    uint64_t stamp = before;
    uint8_t next = 0;
    unsigned stamped = 0;
    while (next < 40) {
        int count = lidar_source_receive(source, batch, 100);
        assert_int_equal(count, next == 0 ? 32 : 8);
        for (int i = 0; i < count; i++, next++) {
            assert_int_equal(batch[i].size_bytes, next < 39 ? 1206 : 0);
            if (batch[i].size_bytes > 0)
                assert_int_equal(batch[i].bytes[0], next);
            assert_true(batch[i].time_ns >= stamp);
            stamp = batch[i].time_ns;
            stamped += (batch[i].flags & SL_DATAGRAM_KERNEL_TIME) != 0;
            assert_int_equal(batch[i].source.family, 4);
            assert_int_equal(batch[i].source.port, port_of(sender));
            assert_memory_equal(batch[i].source.address, "\x7f\0\0\1\0\0", 6);
            assert_int_equal(batch[i].destination.port, port);
            assert_memory_equal(batch[i].destination.address, "\x7f\0\0\1\0\0", 6);
        }
    }
    assert_true(stamp <= sl_clock_realtime_ns());
    assert_int_equal(stamped, 40);
    assert_int_equal(lidar_source_receive(source, batch, 32), 0);
    struct lidar_source_stats stats;
    lidar_source_stats(source, &stats);
    assert_int_equal(stats.datagrams, first + 40);
    assert_int_equal(stats.bytes, 39 * 1206);
    assert_int_equal(stats.stamped_by_kernel, stamped + 1);
    assert_int_equal(stats.stamped_by_card, 0); /* the loopback has none */
    assert_int_equal(stats.kernel_drops + stats.truncated + stats.foreign, 0);
    close(sender);
    lidar_source_close(source);
}

static void stamp_of_a_card_is_taken_where_its_clock_is_the_systems(void **state)
{
    (void)state;
    const uint64_t now = 1700000000 * (uint64_t)SL_NS_PER_S, ms = SL_NS_PER_MS;
    assert_true(lidar_udp_choose_stamp(now, now - 20000) == now - 20000);
    assert_true(lidar_udp_choose_stamp(now, now - 9 * ms) == now - 9 * ms);
    assert_true(lidar_udp_choose_stamp(now, now - 11 * ms) == now);        /* nobody keeps it */
    assert_true(lidar_udp_choose_stamp(now, now + 1) == now);              /* it cannot be later */
    assert_true(lidar_udp_choose_stamp(now, now + 37 * 1000 * ms) == now); /* TAI */
    assert_true(lidar_udp_choose_stamp(now, 0) == now);                    /* it gives none */
}

static void data_and_telemetry_ports_stand_behind_one_descriptor(void **state)
{
    (void)state;
    const struct lidar_udp_config config = {.address = "127.0.0.1", .port_count = 2};
    struct lidar_source *source = open_config(&config);
    int sender = sender_socket(AF_INET);
    struct sl_datagram batch[4];
    uint16_t ports[2] = {lidar_source_udp_port(source, 0), lidar_source_udp_port(source, 1)};
    assert_int_not_equal(ports[0], ports[1]);
    assert_int_equal(lidar_source_udp_port(source, 2), 0);
    for (int which = 1; which >= 0; which--) {
        send_to(sender, "127.0.0.1", ports[which], "x", 1);
        assert_true(readable(source, PATIENCE_MS));
        assert_int_equal(lidar_source_receive(source, batch, 4), 1);
        assert_int_equal(batch[0].destination.port, ports[which]);
        assert_false(readable(source, 0));
    }
    /* Neither port starves while the other is full. */
    for (int i = 0; i < 20; i++)
        send_to(sender, "127.0.0.1", ports[0], "d", 1);
    send_to(sender, "127.0.0.1", ports[1], "t", 1);
    await_delivery();
    unsigned calls = 0;
    for (bool found = false; !found; calls++) {
        int count = lidar_source_receive(source, batch, 4);
        assert_true(count > 0);
        for (int i = 0; i < count; i++)
            found |= batch[i].bytes[0] == 't';
    }
    assert_true(calls <= 2);
    close(sender);
    lidar_source_close(source);
}

static void overflow_is_counted_by_the_kernel_and_told(void **state)
{
    (void)state;
    const struct lidar_udp_config config = {
        .address = "127.0.0.1", .port_count = 1, .receive_buffer_bytes = 1};
    struct lidar_source *source = open_config(&config);
    int sender = sender_socket(AF_INET);
    uint16_t port = lidar_source_udp_port(source, 0);
    uint8_t bytes[1206] = {0};
    for (int i = 0; i < 200; i++)
        send_to(sender, "127.0.0.1", port, bytes, sizeof bytes);
    await_delivery();
    struct sl_datagram batch[LIDAR_SOURCE_BATCH_MAX];
    unsigned received = 0;
    int count;
    while ((count = lidar_source_receive(source, batch, 32)) > 0)
        received += (unsigned)count;
    assert_true(received > 0 && received < 200);
    send_to(sender, "127.0.0.1", port, bytes, sizeof bytes); /* it carries the count */
    assert_true(readable(source, PATIENCE_MS));
    assert_int_equal(lidar_source_receive(source, batch, 32), 1);
    struct lidar_source_stats stats;
    lidar_source_stats(source, &stats);
    assert_int_equal(stats.kernel_drops, 200 - received);
    close(sender);
    lidar_source_close(source);
}

static void buffer_that_was_granted_is_reported(void **state)
{
    (void)state;
    struct lidar_udp_config config = {.address = "127.0.0.1", .port_count = 2};
    struct lidar_source *source = open_config(&config);
    struct lidar_source_stats stats;
    lidar_source_stats(source, &stats);
    assert_true(stats.receive_buffer_bytes > 0);
    const char *warning = lidar_source_warning(source);
    if (stats.receive_buffer_bytes >= LIDAR_UDP_RECEIVE_BUFFER_BYTES) {
        assert_null(warning); /* privileged */
    } else {
        assert_non_null(warning);
        assert_non_null(strstr(warning, "sysctl -w net.core.rmem_max=33554432"));
    }
    lidar_source_close(source);

    config.receive_buffer_bytes = INT32_MAX; /* more than any kernel gives */
    source = open_config(&config);
    assert_non_null(strstr(lidar_source_warning(source), "net.core.rmem_max=2147483647"));
    lidar_source_close(source);
}

static void too_long_a_datagram_is_cut_and_counted(void **state)
{
    (void)state;
    const struct lidar_udp_config config = {
        .address = "127.0.0.1", .port_count = 1, .datagram_bytes = 1000};
    struct lidar_source *source = open_config(&config);
    int sender = sender_socket(AF_INET);
    uint8_t bytes[1206] = {0};
    send_to(sender, "127.0.0.1", lidar_source_udp_port(source, 0), bytes, 1206);
    send_to(sender, "127.0.0.1", lidar_source_udp_port(source, 0), bytes, 1000);
    await_delivery();
    struct sl_datagram batch[4];
    assert_int_equal(lidar_source_receive(source, batch, 4), 2);
    assert_int_equal(batch[0].size_bytes, 1000);
    assert_true(batch[0].flags & SL_DATAGRAM_TRUNCATED);
    assert_int_equal(batch[1].size_bytes, 1000);
    assert_false(batch[1].flags & SL_DATAGRAM_TRUNCATED);
    struct lidar_source_stats stats;
    lidar_source_stats(source, &stats);
    assert_int_equal(stats.truncated, 1);
    close(sender);
    lidar_source_close(source);
}

static void another_sender_is_left_out(void **state)
{
    (void)state;
    const struct lidar_udp_config config = {
        .address = "0.0.0.0", .port_count = 1, .sender = "127.0.0.2"};
    struct lidar_source *source = open_config(&config);
    int wanted = sender_socket(AF_INET), other = sender_socket(AF_INET);
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000002)};
    assert_int_equal(bind(wanted, (struct sockaddr *)&from, sizeof from), 0);
    uint16_t port = lidar_source_udp_port(source, 0);
    send_to(other, "127.0.0.1", port, "o", 1);
    send_to(wanted, "127.0.0.1", port, "w", 1);
    send_to(other, "127.0.0.1", port, "o", 1);
    await_delivery();
    struct sl_datagram batch[4];
    assert_int_equal(lidar_source_receive(source, batch, 4), 1);
    assert_int_equal(batch[0].bytes[0], 'w');
    /* Bound to any address, and yet told which one it was sent to. */
    assert_memory_equal(batch[0].destination.address, "\x7f\0\0\1", 4);
    struct lidar_source_stats stats;
    lidar_source_stats(source, &stats);
    assert_int_equal(stats.foreign, 2);
    assert_int_equal(stats.datagrams, 1);
    close(wanted);
    close(other);
    lidar_source_close(source);
}

static void multicast_group_is_joined_and_may_be_shared(void **state)
{
    (void)state;
    struct lidar_udp_config config = {.group = "239.255.83.76", .interface = "lo", .port_count = 1};
    struct lidar_source *first = open_config(&config);
    uint16_t port = lidar_source_udp_port(first, 0);
    config.ports[0] = port;
    struct lidar_source *second = open_config(&config);
    int sender = sender_socket(AF_INET);
    struct ip_mreqn by = {.imr_ifindex = (int)if_nametoindex("lo")};
    assert_int_equal(setsockopt(sender, IPPROTO_IP, IP_MULTICAST_IF, &by, sizeof by), 0);
    send_to(sender, "239.255.83.76", port, "m", 1);
    struct sl_datagram batch[4];
    assert_true(readable(first, PATIENCE_MS) && readable(second, PATIENCE_MS));
    assert_int_equal(lidar_source_receive(first, batch, 4), 1);
    assert_memory_equal(batch[0].destination.address, "\xef\xff\x53\x4c", 4);
    assert_int_equal(lidar_source_receive(second, batch, 4), 1);
    /* What is sent to another group, or to the machine itself, is not theirs. */
    send_to(sender, "239.255.83.77", port, "n", 1);
    send_to(sender, "127.0.0.1", port, "u", 1);
    send_to(sender, "239.255.83.76", port, "m", 1);
    await_delivery();
    assert_int_equal(lidar_source_receive(first, batch, 4), 1);
    assert_int_equal(batch[0].bytes[0], 'm');
    close(sender);
    lidar_source_close(first);
    lidar_source_close(second);
}

static bool has_ipv6(void)
{
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in6 name = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    bool has = fd >= 0 && bind(fd, (struct sockaddr *)&name, sizeof name) == 0;
    if (fd >= 0)
        close(fd);
    return has;
}

static void ipv6_datagrams_arrive(void **state)
{
    (void)state;
    const struct lidar_udp_config config = {.address = "::1", .port_count = 1};
    if (!has_ipv6()) { /* then the kernel's own refusal must come through in words */
        struct lidar_source *none = NULL;
        assert_true(lidar_source_open_udp(&config, &none) < 0);
        return;
    }
    struct lidar_source *source = open_config(&config);
    int sender = sender_socket(AF_INET6);
    struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    to.sin6_port = htons(lidar_source_udp_port(source, 0));
    assert_int_equal(sendto(sender, "6", 1, 0, (struct sockaddr *)&to, sizeof to), 1);
    assert_true(readable(source, PATIENCE_MS));
    struct sl_datagram batch[4];
    assert_int_equal(lidar_source_receive(source, batch, 4), 1);
    assert_int_equal(batch[0].source.family, 6);
    assert_int_equal(batch[0].destination.family, 6);
    assert_int_equal(batch[0].destination.address[15], 1);
    lidar_source_close(source);
    close(sender);
}

/* An interface that is up, does multicast (loopback has no route for it) and has IPv6; "" = none.
 */
static void find_multicast_interface(char name[IF_NAMESIZE])
{
    struct ifaddrs *all = NULL;
    name[0] = '\0';
    assert_int_equal(getifaddrs(&all), 0);
    for (struct ifaddrs *i = all; i; i = i->ifa_next)
        if (i->ifa_addr && i->ifa_addr->sa_family == AF_INET6 && (i->ifa_flags & IFF_UP) &&
            (i->ifa_flags & IFF_MULTICAST))
            snprintf(name, IF_NAMESIZE, "%s", i->ifa_name);
    freeifaddrs(all);
}

static void ipv6_group_is_joined(void **state)
{
    (void)state;
    char interface[IF_NAMESIZE];
    find_multicast_interface(interface);
    if (!interface[0]) {
        print_message("no interface with IPv6 multicast here\n");
        return;
    }
    /* Scope 1 never leaves the machine. */
    const struct lidar_udp_config config = {
        .group = "ff01::5356", .interface = interface, .port_count = 1};
    struct lidar_source *source = open_config(&config);
    uint16_t port = lidar_source_udp_port(source, 0);
    int sender = sender_socket(AF_INET6);
    struct sockaddr_in6 to = {.sin6_family = AF_INET6,
                              .sin6_port = htons(port),
                              .sin6_scope_id = if_nametoindex(interface)};
    assert_int_equal(inet_pton(AF_INET6, "ff01::5356", &to.sin6_addr), 1);
    assert_int_equal(sendto(sender, "g", 1, 0, (struct sockaddr *)&to, sizeof to), 1);
    assert_true(readable(source, PATIENCE_MS));
    struct sl_datagram batch[4];
    assert_int_equal(lidar_source_receive(source, batch, 4), 1);
    assert_int_equal(batch[0].destination.address[0], 0xff);
    assert_int_equal(batch[0].destination.address[15], 0x56);
    lidar_source_close(source);
    close(sender);
}

static void expect_failure(const struct lidar_udp_config *config, int expected, const char *a,
                           const char *b)
{
    struct lidar_source *source = NULL;
    assert_int_equal(lidar_source_open_udp(config, &source), expected);
    assert_null(source);
    if (!strstr(sl_error_text(), a) || !strstr(sl_error_text(), b))
        fail_msg("\"%s\" does not say \"%s\" and \"%s\"", sl_error_text(), a, b);
}

static void port_in_use_names_port_and_holder(void **state)
{
    (void)state;
    struct lidar_source *source = open_loopback();
    uint16_t port = lidar_source_udp_port(source, 0);
    const struct lidar_udp_config config = {
        .address = "127.0.0.1", .ports = {port}, .port_count = 1};
    char says[32], holder[32];
    snprintf(says, sizeof says, "UDP port %u", port);
    snprintf(holder, sizeof holder, "(pid %d)", (int)getpid());
    expect_failure(&config, -EADDRINUSE, says, holder);
    lidar_source_close(source);
    /* And it is free again at once. */
    source = open_config(&config);
    lidar_source_close(source);
}

static void failures_say_what_there_is_instead(void **state)
{
    (void)state;
    struct lidar_udp_config config = {.interface = "absent0", .port_count = 1};
    expect_failure(&config, -ENODEV, "\"absent0\" is not there", "lo");
    config =
        (struct lidar_udp_config){.group = "239.1.1.1", .interface = "absent0", .port_count = 1};
    expect_failure(&config, -ENODEV, "\"absent0\" is not there", "lo");
    config = (struct lidar_udp_config){.address = "203.0.113.9", .port_count = 1};
    expect_failure(&config, -EADDRNOTAVAIL, "203.0.113.9 is not on this machine", "127.0.0.1 (lo)");
    config = (struct lidar_udp_config){.address = "lidar.local", .port_count = 1};
    expect_failure(&config, -EINVAL, "bind address \"lidar.local\"", "192.168.1.77");
    config = (struct lidar_udp_config){.address = "239.1.1.1", .port_count = 1};
    expect_failure(&config, -EINVAL, "239.1.1.1", "group");
    config = (struct lidar_udp_config){.group = "192.168.1.1", .port_count = 1};
    expect_failure(&config, -EINVAL, "192.168.1.1 is no multicast group", "224.0.0.0");
    config = (struct lidar_udp_config){.sender = "nobody", .port_count = 1};
    expect_failure(&config, -EINVAL, "sender address", "nobody");
    config = (struct lidar_udp_config){.sender = "::1", .port_count = 1};
    expect_failure(&config, -EINVAL, "::1", "IP version");
    config = (struct lidar_udp_config){.port_count = 0};
    expect_failure(&config, -EINVAL, "0 UDP ports", "1 to 8");
}

/* ---- sluice sim lidar's part: lidar_sim_send to such a source ---- */

static void sent_packets_are_the_simulations_own(void **state)
{
    (void)state;
    const struct lidar_udp_config receiver = {.address = "127.0.0.1", .port_count = 2};
    struct lidar_source *source = open_config(&receiver);
    char to[32];
    snprintf(to, sizeof to, "127.0.0.1:%u", lidar_source_udp_port(source, 0));
    struct lidar_sim_send_config config = {
        .to = to, .telemetry_port = lidar_source_udp_port(source, 1), .rate = 20};
    lidar_sim_config_default(&config.sim);
    config.sim.start_utc_ns = UINT64_C(1700000000000000000);
    config.sim.data_packets_max = 50;
    struct lidar_sim_send_result result;
    const uint64_t before = sl_clock_monotonic_ns();
    assert_int_equal(lidar_sim_send(&config, &result), 0);
    /* The last packet is due after 50 x 1.327104 ms / 20. */
    assert_true(sl_clock_monotonic_ns() - before >= 50 * UINT64_C(1327104) / 20);
    assert_int_equal(result.sent, 60);
    assert_int_equal(result.sent_bytes, 50 * 1206 + 10 * 512);
    assert_int_equal(result.elapsed_ns, 50 * UINT64_C(1327104));

    struct lidar_sim *sim = NULL;
    assert_int_equal(lidar_sim_create(&config.sim, &sim), 0);
    struct sl_datagram batch[LIDAR_SOURCE_BATCH_MAX];
    unsigned compared[2] = {0, 0};
    uint8_t expected[2][60][1206];
    struct lidar_sim_packet packet;
    while (lidar_sim_next(sim, &packet))
        memcpy(expected[packet.telemetry][compared[packet.telemetry]++], packet.bytes,
               packet.size_bytes);
    lidar_sim_destroy(sim);
    compared[0] = compared[1] = 0;
    await_delivery();
    int count;
    while ((count = lidar_source_receive(source, batch, 32)) > 0)
        for (int i = 0; i < count; i++) {
            bool telemetry = batch[i].destination.port == lidar_source_udp_port(source, 1);
            assert_int_equal(batch[i].size_bytes, telemetry ? 512 : 1206);
            assert_memory_equal(batch[i].bytes, expected[telemetry][compared[telemetry]++],
                                batch[i].size_bytes);
        }
    assert_int_equal(compared[0], 50);
    assert_int_equal(compared[1], 10);
    lidar_source_close(source);
}

static void sending_ends_by_duration_and_by_stop(void **state)
{
    (void)state;
    struct lidar_sim_send_config config = {.to = "127.0.0.1:9", .rate = 50};
    lidar_sim_config_default(&config.sim);
    config.sim.telemetry_every = 0;
    config.duration_ns = 13271040; /* ten packets */
    struct lidar_sim_send_result result;
    assert_int_equal(lidar_sim_send(&config, &result), 0);
    assert_int_equal(result.sent, 10);
    atomic_int stop = 1;
    config.stop = &stop;
    assert_int_equal(lidar_sim_send(&config, &result), 0);
    assert_int_equal(result.sent, 0);
}

static void sending_says_what_is_wrong_with_its_destination(void **state)
{
    (void)state;
    struct lidar_sim_send_config config = {.to = "somewhere:2368", .rate = 1};
    lidar_sim_config_default(&config.sim);
    assert_int_equal(lidar_sim_send(&config, NULL), -EINVAL);
    assert_non_null(strstr(sl_error_text(), "somewhere"));
    config.to = "127.0.0.1:99999";
    assert_int_equal(lidar_sim_send(&config, NULL), -EINVAL);
    assert_non_null(strstr(sl_error_text(), "1 to 65535"));
    config.to = "[::1";
    assert_int_equal(lidar_sim_send(&config, NULL), -EINVAL);
    config.to = "239.1.1.1:2368";
    config.interface = "absent0";
    assert_int_equal(lidar_sim_send(&config, NULL), -ENODEV);
    config = (struct lidar_sim_send_config){.to = "127.0.0.1", .rate = 0};
    assert_int_equal(lidar_sim_send(&config, NULL), -EINVAL);
    assert_non_null(strstr(sl_error_text(), "rate"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(datagrams_arrive_in_order_with_stamps_and_addresses),
        cmocka_unit_test(stamp_of_a_card_is_taken_where_its_clock_is_the_systems),
        cmocka_unit_test(data_and_telemetry_ports_stand_behind_one_descriptor),
        cmocka_unit_test(overflow_is_counted_by_the_kernel_and_told),
        cmocka_unit_test(buffer_that_was_granted_is_reported),
        cmocka_unit_test(too_long_a_datagram_is_cut_and_counted),
        cmocka_unit_test(another_sender_is_left_out),
        cmocka_unit_test(multicast_group_is_joined_and_may_be_shared),
        cmocka_unit_test(ipv6_datagrams_arrive),
        cmocka_unit_test(ipv6_group_is_joined),
        cmocka_unit_test(port_in_use_names_port_and_holder),
        cmocka_unit_test(failures_say_what_there_is_instead),
        cmocka_unit_test(sent_packets_are_the_simulations_own),
        cmocka_unit_test(sending_ends_by_duration_and_by_stop),
        cmocka_unit_test(sending_says_what_is_wrong_with_its_destination),
    };
    return cmocka_run_group_tests(tests, stay_on_one_processor, NULL);
}
