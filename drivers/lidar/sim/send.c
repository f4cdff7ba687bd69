/* SPDX-License-Identifier: Apache-2.0 */
/* send.c - the simulated sensor's packets into a socket, each at its time. */
#include "drivers/lidar/sim/send.h"

#include "core/base/clock.h"
#include "core/base/error.h"
#include "drivers/lidar/source_address.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MULTICAST_HOPS 1 /* as far as a sensor's own packets go */

struct sender {
    int fd;
    struct sockaddr_storage data, telemetry;
};

static int set(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value);
}

static int set_route(const struct sender *sender, const char *interface)
{
    const bool six = sender->data.ss_family == AF_INET6;
    int index = interface && interface[0] ? lidar_interface_index(interface) : 0;
    if (index < 0)
        return index;
    int err = set(sender->fd, SOL_SOCKET, SO_BROADCAST, 1);
    if (six) {
        err |= set(sender->fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, MULTICAST_HOPS);
        if (index)
            err |= set(sender->fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, index);
    } else {
        err |= set(sender->fd, IPPROTO_IP, IP_MULTICAST_TTL, MULTICAST_HOPS);
        struct ip_mreqn request = {.imr_ifindex = index};
        if (index)
            err |= setsockopt(sender->fd, IPPROTO_IP, IP_MULTICAST_IF, &request, sizeof request);
    }
    return err ? sl_error(-errno, "options of the sending socket: %s", strerror(errno)) : 0;
}

static int open_sender(struct sender *sender, const struct lidar_sim_send_config *config)
{
    int err = lidar_address_parse_with_port("destination", config->to,
                                            lidar_sim_data_port(config->sim.model), &sender->data);
    if (err < 0)
        return err;
    sender->telemetry = sender->data;
    lidar_address_set_port(&sender->telemetry, config->telemetry_port
                                                   ? config->telemetry_port
                                                   : lidar_sim_telemetry_port(config->sim.model));
    sender->fd = socket(sender->data.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (sender->fd < 0)
        return sl_error(-errno, "UDP socket: %s", strerror(errno));
    return set_route(sender, config->interface);
}

static bool stopped(const atomic_int *stop)
{
    return stop && atomic_load_explicit(stop, memory_order_relaxed) != 0;
}

/* Returns 0 when the time has come, 1 if `stop` was set meanwhile. */
static int wait_until(uint64_t due_ns, const atomic_int *stop)
{
    const struct timespec due = {.tv_sec = (time_t)(due_ns / SL_NS_PER_S),
                                 .tv_nsec = (long)(due_ns % SL_NS_PER_S)};
    do {
        if (stopped(stop))
            return 1;
    } while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) == EINTR);
    return stopped(stop);
}

static int send_one(const struct sender *sender, const struct lidar_sim_packet *packet,
                    struct lidar_sim_send_result *result)
{
    const struct sockaddr_storage *to = packet->telemetry ? &sender->telemetry : &sender->data;
    for (;;) {
        ssize_t sent = sendto(sender->fd, packet->bytes, packet->size_bytes, MSG_NOSIGNAL,
                              (const struct sockaddr *)to, lidar_address_size(to));
        if (sent >= 0) {
            result->sent++;
            result->sent_bytes += (uint64_t)sent;
            return 0;
        }
        if (errno == EINTR || errno == ECONNREFUSED)
            continue; /* an answer to an earlier packet: nobody listened then */
        if (errno == ENOBUFS || errno == EAGAIN) {
            result->refused++;
            return 0;
        }
        int err = errno;
        char text[LIDAR_ADDRESS_TEXT_MAX];
        return sl_error(-err, "sending to %s: %s", lidar_address_text(to, text), strerror(err));
    }
}

static int send_all(const struct sender *sender, const struct lidar_sim_send_config *config,
                    struct lidar_sim *sim, struct lidar_sim_send_result *result)
{
    const uint64_t start_ns = sl_clock_monotonic_ns();
    struct lidar_sim_packet packet;
    while (lidar_sim_next(sim, &packet)) {
        if (config->duration_ns && packet.due_ns > config->duration_ns)
            break;
        uint64_t due_ns = start_ns + (uint64_t)((double)packet.due_ns / config->rate);
        if (wait_until(due_ns, config->stop))
            break;
        int err = send_one(sender, &packet, result);
        if (err < 0)
            return err;
        uint64_t late_ns = sl_clock_monotonic_ns() - due_ns;
        if (late_ns > result->late_max_ns)
            result->late_max_ns = late_ns;
        result->elapsed_ns = packet.due_ns;
    }
    return 0;
}

int lidar_sim_send(const struct lidar_sim_send_config *config,
                   struct lidar_sim_send_result *ret_result)
{
    struct lidar_sim_send_result result = {0};
    struct sender sender = {.fd = -1};
    struct lidar_sim *sim = NULL;
    int err =
        config->rate > 0
            ? 0
            : sl_error(-EINVAL, "rate %g; give 1 for real time, 2 for twice as fast", config->rate);
    if (err == 0)
        err = lidar_sim_create(&config->sim, &sim);
    if (err == 0)
        err = open_sender(&sender, config);
    if (err == 0) {
        err = send_all(&sender, config, sim, &result);
        lidar_sim_counts(sim, &result.counts);
    }
    lidar_sim_destroy(sim);
    if (sender.fd >= 0)
        close(sender.fd);
    if (ret_result)
        *ret_result = result;
    return err;
}
