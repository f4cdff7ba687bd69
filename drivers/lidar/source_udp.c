/* SPDX-License-Identifier: Apache-2.0 */
/* source_udp.c - datagrams from sockets, in batches, with the kernel's stamps and its own count of
 * what it had to throw away.
 *
 * Buffers are allocated when opening: LIDAR_SOURCE_BATCH_MAX datagrams, shared by the sockets,
 * since a receive fills them anew. Two or more sockets stand behind one epoll descriptor. */
#include "drivers/lidar/source.h"

#include "core/base/clock.h"
#include "core/base/error.h"
#include "drivers/lidar/source_address.h"
#include "drivers/lidar/source_ops.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUFFER_ALIGNMENT 64u
#define ROUNDS_MAX       64u /* then others have a turn, whoever floods the port */
#define CARD_AHEAD_MAX_NS                                                  \
    (10 * SL_NS_PER_MS) /* of the kernel's stamp: else it is another clock \
                         */
/* The kernel's, and the card's where somebody has switched them on (hwstamp_ctl). */
#define STAMPS                                                                                 \
    (SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_RX_HARDWARE | \
     SOF_TIMESTAMPING_RAW_HARDWARE)
#define CONTROL_BYTES                                                             \
    (CMSG_SPACE(sizeof(struct scm_timestamping)) + CMSG_SPACE(sizeof(uint32_t)) + \
     CMSG_SPACE(sizeof(struct in6_pktinfo)))

struct udp_socket {
    int fd;
    struct sockaddr_storage bound;
    uint32_t drops; /* the kernel's count, modulo 2^32 */
};

struct udp_source {
    struct lidar_source base;
    struct udp_socket sockets[LIDAR_SOURCE_PORTS_MAX];
    unsigned socket_count;
    unsigned turn; /* the socket that is asked first: none starves another */
    int epoll_fd;
    bool filters_sender;
    struct sl_endpoint sender;
    size_t stride;
    uint8_t *bytes;
    struct mmsghdr messages[LIDAR_SOURCE_BATCH_MAX];
    struct iovec ranges[LIDAR_SOURCE_BATCH_MAX];
    struct sockaddr_storage names[LIDAR_SOURCE_BATCH_MAX];
    union {
        struct cmsghdr alignment;
        char bytes[CONTROL_BYTES];
    } control[LIDAR_SOURCE_BATCH_MAX];
};

static struct udp_source *udp(const struct lidar_source *source)
{
    return (struct udp_source *)source;
}

static uint64_t to_ns(const struct timespec *time)
{
    return (uint64_t)time->tv_sec * SL_NS_PER_S + (uint64_t)time->tv_nsec;
}

uint64_t lidar_udp_choose_stamp(uint64_t kernel_ns, uint64_t card_ns)
{
    bool is_near = card_ns <= kernel_ns && kernel_ns - card_ns <= CARD_AHEAD_MAX_NS;
    return is_near ? card_ns : kernel_ns;
}

static void read_stamps(const struct scm_timestamping *stamps, struct sl_datagram *datagram)
{
    uint64_t kernel_ns = to_ns(&stamps->ts[0]), card_ns = to_ns(&stamps->ts[2]);
    datagram->time_ns = kernel_ns ? lidar_udp_choose_stamp(kernel_ns, card_ns) : 0;
    if (datagram->time_ns != 0)
        datagram->flags |= SL_DATAGRAM_KERNEL_TIME;
    if (datagram->time_ns != kernel_ns)
        datagram->flags |= SL_DATAGRAM_CARD_TIME;
}

/* What the kernel wrote beside a datagram: its stamp, where it was sent to, the drop count. */
static void read_control(struct udp_source *source, struct udp_socket *from, struct msghdr *message,
                         struct sl_datagram *datagram)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        const void *data = CMSG_DATA(c);
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPING) {
            struct scm_timestamping stamps;
            memcpy(&stamps, data, sizeof stamps);
            read_stamps(&stamps, datagram);
        } else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) {
            uint32_t drops;
            memcpy(&drops, data, sizeof drops);
            source->base.stats.kernel_drops += (uint32_t)(drops - from->drops);
            from->drops = drops;
        } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;
            memcpy(&info, data, sizeof info);
            memcpy(datagram->destination.address, &info.ipi_addr, sizeof info.ipi_addr);
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;
            memcpy(&info, data, sizeof info);
            memcpy(datagram->destination.address, &info.ipi6_addr, sizeof info.ipi6_addr);
        }
    }
    if (datagram->time_ns == 0) /* the first ones, before the kernel has switched its stamps on */
        datagram->time_ns = sl_clock_realtime_ns();
}

static bool from_wanted_sender(const struct udp_source *source, const struct sl_datagram *datagram)
{
    return !source->filters_sender || (datagram->source.family == source->sender.family &&
                                       memcmp(datagram->source.address, source->sender.address,
                                              sizeof source->sender.address) == 0);
}

/* Turn what message `index` received into a datagram; false if it is not wanted. */
static bool to_datagram(struct udp_source *source, struct udp_socket *from, unsigned index,
                        struct sl_datagram *ret_datagram)
{
    struct mmsghdr *message = &source->messages[index];
    struct sl_datagram datagram = {
        .bytes = source->ranges[index].iov_base,
        .size_bytes = message->msg_len,
        .source = lidar_address_endpoint(&source->names[index]),
        .destination = lidar_address_endpoint(&from->bound),
    };
    read_control(source, from, &message->msg_hdr, &datagram);
    if (!from_wanted_sender(source, &datagram)) {
        source->base.stats.foreign++;
        return false;
    }
    if (message->msg_hdr.msg_flags & MSG_TRUNC) {
        datagram.flags |= SL_DATAGRAM_TRUNCATED;
        source->base.stats.truncated++;
    }
    *ret_datagram = datagram;
    return true;
}

/* Fill buffers `first`.. from one socket. Returns how many were used, 0 if it is empty, -errno. */
static int receive_from(struct udp_source *source, struct udp_socket *from, unsigned first,
                        unsigned max)
{
    for (unsigned i = first; i < max; i++) {
        struct msghdr *header = &source->messages[i].msg_hdr;
        header->msg_namelen = sizeof source->names[i];
        header->msg_controllen = sizeof source->control[i];
    }
    int count;
    do
        count = recvmmsg(from->fd, source->messages + first, max - first, MSG_DONTWAIT, NULL);
    while (count < 0 && errno == EINTR);
    if (count >= 0)
        return count;
    /* What an ICMP message left on the socket concerns no datagram of ours. */
    if (errno == EAGAIN || errno == ECONNREFUSED || errno == EHOSTUNREACH || errno == ENETUNREACH)
        return 0;
    char text[LIDAR_ADDRESS_TEXT_MAX];
    return sl_error(-errno, "receiving at %s: %s", lidar_address_text(&from->bound, text),
                    strerror(errno));
}

/* A buffer's worth of each socket in turn: how many were used, and how many of these kept. */
static int receive_round(struct udp_source *source, struct sl_datagram *batch, unsigned max,
                         unsigned *ret_wanted)
{
    unsigned used = 0, wanted = 0;
    for (unsigned s = 0; s < source->socket_count && used < max; s++) {
        struct udp_socket *from = &source->sockets[(source->turn + s) % source->socket_count];
        int count = receive_from(source, from, used, max);
        if (count < 0 && wanted == 0)
            return count;
        for (int i = 0; i < count; i++)
            wanted += to_datagram(source, from, used + (unsigned)i, &batch[wanted]);
        if (count > 0)
            used += (unsigned)count;
    }
    source->turn = (source->turn + 1) % source->socket_count;
    *ret_wanted = wanted;
    return (int)used;
}

/* A round of nothing but what others sent does not mean that nothing is there. */
static int receive(struct lidar_source *base, struct sl_datagram *batch, unsigned max)
{
    unsigned wanted = 0;
    int used = 1;
    for (unsigned round = 0; wanted == 0 && used > 0 && round < ROUNDS_MAX; round++)
        used = receive_round(udp(base), batch, max, &wanted);
    return used < 0 ? used : (int)wanted;
}

static int fd(const struct lidar_source *base)
{
    return udp(base)->epoll_fd >= 0 ? udp(base)->epoll_fd : udp(base)->sockets[0].fd;
}

static void close_source(struct lidar_source *base)
{
    struct udp_source *source = udp(base);
    for (unsigned s = 0; s < LIDAR_SOURCE_PORTS_MAX; s++)
        if (source->sockets[s].fd >= 0)
            close(source->sockets[s].fd);
    if (source->epoll_fd >= 0)
        close(source->epoll_fd);
    free(source->bytes);
    free(source);
}

static const struct lidar_source_ops udp_ops = {
    .kind = "udp",
    .receive = receive,
    .fd = fd,
    .close = close_source,
};

static int set(int fd_of_socket, int level, int name, int value)
{
    return setsockopt(fd_of_socket, level, name, &value, sizeof value);
}

/* The privileged call passes net.core.rmem_max; the other is clipped by it. The kernel tells twice
 * of what it grants (socket(7)). */
static uint32_t ask_for_buffer(int fd_of_socket, uint32_t wanted_bytes)
{
    int wanted = wanted_bytes > INT32_MAX / 2 ? INT32_MAX / 2 : (int)wanted_bytes;
    if (set(fd_of_socket, SOL_SOCKET, SO_RCVBUFFORCE, wanted) < 0)
        (void)set(fd_of_socket, SOL_SOCKET, SO_RCVBUF, wanted);
    int granted = 0;
    socklen_t size = sizeof granted;
    (void)getsockopt(fd_of_socket, SOL_SOCKET, SO_RCVBUF, &granted, &size);
    return (uint32_t)granted / 2;
}

static void size_buffer(struct udp_source *source, int fd_of_socket, uint32_t wanted_bytes)
{
    uint32_t granted = ask_for_buffer(fd_of_socket, wanted_bytes);
    uint32_t *smallest = &source->base.stats.receive_buffer_bytes;
    if (*smallest == 0 || granted < *smallest)
        *smallest = granted;
    if (granted < wanted_bytes)
        snprintf(source->base.warning, sizeof source->base.warning,
                 "receive buffer is %u bytes where %u were asked for: packets are lost when this "
                 "program is held up; allow more with: sysctl -w net.core.rmem_max=%u",
                 granted, wanted_bytes, wanted_bytes);
}

static int set_options(struct udp_socket *to, bool multicast)
{
    const bool six = to->bound.ss_family == AF_INET6;
    int err =
        set(to->fd, SOL_SOCKET, SO_TIMESTAMPING, STAMPS) | set(to->fd, SOL_SOCKET, SO_RXQ_OVFL, 1);
    if (six) {
        err |= set(to->fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
        err |= set(to->fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
        (void)set(to->fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0); /* since Linux 4.20 */
    } else {
        err |= set(to->fd, IPPROTO_IP, IP_PKTINFO, 1);
        /* Else the socket also gets the groups that other programs joined. */
        err |= set(to->fd, IPPROTO_IP, IP_MULTICAST_ALL, 0);
    }
    if (multicast)
        err |= set(to->fd, SOL_SOCKET, SO_REUSEADDR, 1);
    return err ? sl_error(-errno, "UDP socket options: %s", strerror(errno)) : 0;
}

static int join(struct udp_socket *to, const char *group, const char *interface, int index)
{
    struct group_req request = {.gr_interface = (uint32_t)index};
    memcpy(&request.gr_group, &to->bound, sizeof to->bound);
    int level = to->bound.ss_family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP;
    if (setsockopt(to->fd, level, MCAST_JOIN_GROUP, &request, sizeof request) == 0)
        return 0;
    int err = errno;
    return sl_error(-err, "joining multicast group %s on %s: %s; %s", group,
                    interface ? interface : "the default interface", strerror(err),
                    err == ENODEV ? "no route leads to it: name the interface"
                                  : "does the interface do multicast?");
}

static int bind_socket(struct udp_socket *to, const char *text)
{
    if (bind(to->fd, (const struct sockaddr *)&to->bound, lidar_address_size(&to->bound)) == 0) {
        socklen_t size = sizeof to->bound; /* the port, if the kernel chose it */
        return getsockname(to->fd, (struct sockaddr *)&to->bound, &size) == 0
                   ? 0
                   : sl_error(-errno, "name of a bound UDP socket: %s", strerror(errno));
    }
    int err = errno;
    if (err == EADDRINUSE)
        return lidar_port_in_use(&to->bound);
    if (err == EADDRNOTAVAIL)
        return lidar_address_not_local(text);
    char place[LIDAR_ADDRESS_TEXT_MAX];
    lidar_address_text(&to->bound, place);
    if (err == EACCES)
        return sl_error(-EACCES,
                        "UDP port %u needs privileges; take one from 1024 on and set the "
                        "sensor to it",
                        lidar_address_port(&to->bound));
    if (err == EINVAL && to->bound.ss_family == AF_INET6)
        return sl_error(-EINVAL,
                        "binding %s: a link-local address needs its interface, such as "
                        "%s%%eth0",
                        place, text);
    return sl_error(-err, "binding %s: %s", place, strerror(err));
}

/* Open one port. `index` is the interface's, 0 = any. */
static int open_socket(struct udp_source *source, struct udp_socket *to,
                       const struct lidar_udp_config *config, int index)
{
    const bool multicast = config->group && config->group[0];
    to->fd = socket(to->bound.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (to->fd < 0)
        return sl_error(-errno, "UDP socket: %s", strerror(errno));
    size_buffer(source, to->fd,
                config->receive_buffer_bytes ? config->receive_buffer_bytes
                                             : LIDAR_UDP_RECEIVE_BUFFER_BYTES);
    int err = set_options(to, multicast);
    if (err < 0)
        return err;
    if (index && !multicast &&
        setsockopt(to->fd, SOL_SOCKET, SO_BINDTODEVICE, config->interface,
                   (socklen_t)strlen(config->interface)) < 0)
        return sl_error(-errno, "listening on interface %s alone: %s", config->interface,
                        strerror(errno));
    err = bind_socket(to, multicast ? config->group : config->address);
    if (err < 0)
        return err;
    return multicast ? join(to, config->group, config->interface, index) : 0;
}

static int watch(struct udp_source *source)
{
    if (source->socket_count < 2)
        return 0;
    source->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    int err = source->epoll_fd < 0 ? -1 : 0;
    for (unsigned s = 0; err == 0 && s < source->socket_count; s++)
        err = epoll_ctl(source->epoll_fd, EPOLL_CTL_ADD, source->sockets[s].fd,
                        &(struct epoll_event){.events = EPOLLIN});
    return err ? sl_error(-errno, "epoll over UDP sockets: %s", strerror(errno)) : 0;
}

static int make_buffers(struct udp_source *source, uint32_t datagram_bytes)
{
    if (datagram_bytes == 0)
        datagram_bytes = LIDAR_UDP_DATAGRAM_BYTES;
    if (datagram_bytes > SL_DATAGRAM_MAX_BYTES)
        datagram_bytes = SL_DATAGRAM_MAX_BYTES;
    source->stride = (datagram_bytes + BUFFER_ALIGNMENT - 1) & ~(size_t)(BUFFER_ALIGNMENT - 1);
    source->bytes = aligned_alloc(BUFFER_ALIGNMENT, source->stride * LIDAR_SOURCE_BATCH_MAX);
    if (!source->bytes)
        return sl_error(-ENOMEM, "no memory for %u datagrams of %u bytes", LIDAR_SOURCE_BATCH_MAX,
                        datagram_bytes);
    for (unsigned i = 0; i < LIDAR_SOURCE_BATCH_MAX; i++) {
        source->ranges[i] = (struct iovec){.iov_base = source->bytes + i * source->stride,
                                           .iov_len = datagram_bytes};
        source->messages[i].msg_hdr = (struct msghdr){
            .msg_name = &source->names[i],
            .msg_iov = &source->ranges[i],
            .msg_iovlen = 1,
            .msg_control = source->control[i].bytes,
        };
    }
    return 0;
}

/* Which address the sockets bind: the group's own (so that nothing else arrives), the one that was
 * given, or any. */
static int choose_address(const struct lidar_udp_config *config,
                          struct sockaddr_storage *ret_address)
{
    const bool multicast = config->group && config->group[0];
    if (!multicast) {
        const char *address = config->address && config->address[0] ? config->address : "0.0.0.0";
        int err = lidar_address_parse("bind address", address, ret_address);
        if (err == 0 && lidar_address_is_multicast(ret_address))
            return sl_error(-EINVAL, "bind address %s is a multicast group; give it as the group",
                            address);
        return err;
    }
    int err = lidar_address_parse("multicast group", config->group, ret_address);
    if (err == 0 && !lidar_address_is_multicast(ret_address))
        return sl_error(-EINVAL,
                        "%s is no multicast group; groups are 224.0.0.0 to "
                        "239.255.255.255 and ff00::/8",
                        config->group);
    return err;
}

static int open_all(struct udp_source *source, const struct lidar_udp_config *config)
{
    if (config->port_count == 0 || config->port_count > LIDAR_SOURCE_PORTS_MAX)
        return sl_error(-EINVAL, "%u UDP ports; give 1 to %u", config->port_count,
                        LIDAR_SOURCE_PORTS_MAX);
    const bool has_interface = config->interface && config->interface[0];
    int index = has_interface ? lidar_interface_index(config->interface) : 0;
    if (index < 0)
        return index;
    struct sockaddr_storage address;
    int err = choose_address(config, &address);
    if (err < 0)
        return err;
    if (address.ss_family == AF_INET6 && index && !((struct sockaddr_in6 *)&address)->sin6_scope_id)
        ((struct sockaddr_in6 *)&address)->sin6_scope_id = (uint32_t)index;
    if (config->sender && config->sender[0]) {
        struct sockaddr_storage sender;
        err = lidar_address_parse("sender address", config->sender, &sender);
        if (err < 0)
            return err;
        if (sender.ss_family != address.ss_family)
            return sl_error(-EINVAL, "sender %s is of another IP version than the address bound",
                            config->sender);
        source->sender = lidar_address_endpoint(&sender);
        source->filters_sender = true;
    }
    err = make_buffers(source, config->datagram_bytes);
    for (unsigned s = 0; err == 0 && s < config->port_count; s++) {
        source->sockets[s].bound = address;
        lidar_address_set_port(&source->sockets[s].bound, config->ports[s]);
        source->socket_count = s + 1;
        err = open_socket(source, &source->sockets[s], config, index);
    }
    return err < 0 ? err : watch(source);
}

int lidar_source_open_udp(const struct lidar_udp_config *config, struct lidar_source **ret_source)
{
    struct udp_source *source = calloc(1, sizeof *source);
    if (!source)
        return sl_error(-ENOMEM, "no memory for a UDP source");
    source->base.ops = &udp_ops;
    source->epoll_fd = -1;
    for (unsigned s = 0; s < LIDAR_SOURCE_PORTS_MAX; s++)
        source->sockets[s].fd = -1;
    int err = open_all(source, config);
    if (err < 0) {
        close_source(&source->base);
        return err;
    }
    *ret_source = &source->base;
    return 0;
}

uint16_t lidar_source_udp_port(const struct lidar_source *source, unsigned index)
{
    if (source->ops != &udp_ops || index >= udp(source)->socket_count)
        return 0;
    return lidar_address_port(&udp(source)->sockets[index].bound);
}
