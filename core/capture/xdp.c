/* SPDX-License-Identifier: Apache-2.0 */
#include "core/capture/xdp.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/ethtool.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <xdp/libxdp.h>
#include <xdp/xsk.h>

#include "core/base/clock.h"
#include "core/base/error.h"

#define MODE_MAX      96
#define BUSY_NS       (2 * SL_NS_PER_S)
#define BUSY_PAUSE_US 5000
#define TAKEN_MAX     256 /* frames that are read of a queue before the kernel is told */

/* ---- the program in the kernel ----
 *
 *      r6 the context, r7 where we are in the frame, r8 its end; r1 and r2 to compare
 */
#define PROGRAM_MAX 128
#define UDP         17
#define UDP_BYTES   8
#define IPV4_BYTES  20
#define IPV6_BYTES  40
#define FRAGMENT    0x3fff /* IPv4: has an offset, or more follow */
#define BE16(value) ((int32_t)__builtin_bswap16((uint16_t)(value)))

enum label {
    NONE,
    PASS,
    REDIRECT,
    TAG,
    TYPE,
    IPV4,
    WHOLE,
    IPV6,
    PORTS,
    LABELS
};

struct program {
    unsigned length;
    struct bpf_insn code[PROGRAM_MAX];
    enum label to[PROGRAM_MAX];
    unsigned at[LABELS];
};

static void emit(struct program *p, uint8_t code, uint8_t to, uint8_t from, int16_t offset,
                 int32_t value)
{
    p->code[p->length++] = (struct bpf_insn){
        .code = code, .dst_reg = to & 15, .src_reg = from & 15, .off = offset, .imm = value};
}

static void load(struct program *p, uint8_t size, uint8_t to, uint8_t from, int16_t offset)
{
    emit(p, BPF_LDX | BPF_MEM | size, to, from, offset, 0);
}

/* An operation with a number, or with another register. */
static void with(struct program *p, uint8_t operation, uint8_t to, int32_t value)
{
    emit(p, BPF_ALU64 | BPF_K | operation, to, 0, 0, value);
}

static void with_register(struct program *p, uint8_t operation, uint8_t to, uint8_t from)
{
    emit(p, BPF_ALU64 | BPF_X | operation, to, from, 0, 0);
}

static void jump_if(struct program *p, uint8_t condition, uint8_t which, int32_t value,
                    enum label to)
{
    p->to[p->length] = to;
    emit(p, BPF_JMP32 | BPF_K | condition, which, 0, 0, value);
}

static void jump(struct program *p, enum label to)
{
    p->to[p->length] = to;
    emit(p, BPF_JMP | BPF_JA, 0, 0, 0, 0);
}

static void place(struct program *p, enum label label)
{
    p->at[label] = p->length;
}

/* Leave the frame alone unless it has so many bytes from here. */
static void need(struct program *p, int32_t size)
{
    with_register(p, BPF_MOV, BPF_REG_1, BPF_REG_7);
    with(p, BPF_ADD, BPF_REG_1, size);
    p->to[p->length] = PASS;
    emit(p, BPF_JMP | BPF_X | BPF_JGT, BPF_REG_1, BPF_REG_8, 0, 0);
}

/* Ethernet, with one tag at most, to the IP header. */
static void find_ip(struct program *p)
{
    with_register(p, BPF_MOV, BPF_REG_6, BPF_REG_1);
    load(p, BPF_W, BPF_REG_7, BPF_REG_6, offsetof(struct xdp_md, data));
    load(p, BPF_W, BPF_REG_8, BPF_REG_6, offsetof(struct xdp_md, data_end));
    need(p, 14);
    load(p, BPF_H, BPF_REG_2, BPF_REG_7, 12);
    with(p, BPF_ADD, BPF_REG_7, 14);
    jump_if(p, BPF_JEQ, BPF_REG_2, BE16(ETH_P_8021Q), TAG);
    jump_if(p, BPF_JNE, BPF_REG_2, BE16(ETH_P_8021AD), TYPE);
    place(p, TAG);
    need(p, 4);
    load(p, BPF_H, BPF_REG_2, BPF_REG_7, 2);
    with(p, BPF_ADD, BPF_REG_7, 4);
    place(p, TYPE);
    jump_if(p, BPF_JEQ, BPF_REG_2, BE16(ETH_P_IP), IPV4);
    jump_if(p, BPF_JEQ, BPF_REG_2, BE16(ETH_P_IPV6), IPV6);
    jump(p, PASS);
}

/* The sender's address stands at `offset`, else the frame is not ours. */
static void need_sender(struct program *p, const struct sl_endpoint *sender, int16_t offset)
{
    int16_t size = sender->family == 0 ? 0 : sender->family == 4 ? 4 : 16;
    for (int16_t i = 0; i < size; i += 4) {
        int32_t word;
        memcpy(&word, sender->address + i, sizeof word);
        load(p, BPF_W, BPF_REG_1, BPF_REG_7, (int16_t)(offset + i));
        jump_if(p, BPF_JNE, BPF_REG_1, word, PASS);
    }
}

static void find_udp_behind_ipv4(struct program *p, const struct sl_endpoint *sender)
{
    place(p, IPV4);
    if (sender->family == 6) {
        jump(p, PASS);
        return;
    }
    need(p, 20);
    load(p, BPF_B, BPF_REG_1, BPF_REG_7, 9);
    jump_if(p, BPF_JNE, BPF_REG_1, UDP, PASS);
    need_sender(p, sender, 12);
    load(p, BPF_H, BPF_REG_1, BPF_REG_7, 6);
    with(p, BPF_AND, BPF_REG_1, BE16(FRAGMENT));
    jump_if(p, BPF_JEQ, BPF_REG_1, 0, WHOLE);
    jump(p, sender->family ? REDIRECT : PASS);
    place(p, WHOLE);
    load(p, BPF_B, BPF_REG_1, BPF_REG_7, 0);
    with(p, BPF_AND, BPF_REG_1, 15);
    with(p, BPF_LSH, BPF_REG_1, 2);
    jump_if(p, BPF_JLT, BPF_REG_1, 20, PASS);
    with_register(p, BPF_ADD, BPF_REG_7, BPF_REG_1);
    need(p, 8);
    jump(p, PORTS);
}

static void find_udp_behind_ipv6(struct program *p, const struct sl_endpoint *sender)
{
    place(p, IPV6);
    if (sender->family == 4) {
        jump(p, PASS);
        return;
    }
    need(p, 48);
    load(p, BPF_B, BPF_REG_1, BPF_REG_7, 6);
    jump_if(p, BPF_JNE, BPF_REG_1, UDP, PASS);
    need_sender(p, sender, 8);
    with(p, BPF_ADD, BPF_REG_7, 40);
}

static void make_program(struct program *p, const struct sl_xdp_options *options, int map_fd)
{
    memset(p, 0, sizeof *p);
    find_ip(p);
    find_udp_behind_ipv4(p, &options->sender);
    find_udp_behind_ipv6(p, &options->sender);
    place(p, PORTS);
    load(p, BPF_H, BPF_REG_2, BPF_REG_7, 2);
    for (unsigned i = 0; i < options->port_count; i++)
        jump_if(p, BPF_JEQ, BPF_REG_2, BE16(options->ports[i]), REDIRECT);
    place(p, PASS);
    with(p, BPF_MOV, BPF_REG_0, XDP_PASS);
    emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
    place(p, REDIRECT);
    emit(p, BPF_LD | BPF_DW | BPF_IMM, BPF_REG_1, BPF_PSEUDO_MAP_FD, 0, map_fd);
    emit(p, 0, 0, 0, 0, 0); /* its second half */
    load(p, BPF_W, BPF_REG_2, BPF_REG_6, offsetof(struct xdp_md, rx_queue_index));
    with(p, BPF_MOV, BPF_REG_3, XDP_PASS); /* from a queue without a socket */
    emit(p, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_redirect_map);
    emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
    for (unsigned i = 0; i < p->length; i++)
        if (p->to[i] != NONE)
            p->code[i].off = (int16_t)(p->at[p->to[i]] - i - 1);
}

/* ---- the sockets ---- */

struct queue {
    struct xsk_socket *socket;
    struct xsk_ring_prod fill;
    struct xsk_ring_cons complete; /* of sending, which nobody does; the kernel wants it */
    struct xsk_ring_cons frames;
    uint32_t pending; /* given, and not shown */
    uint32_t taken;   /* frames read, and not shown */
};

struct sl_xdp {
    char interface[IF_NAMESIZE];
    unsigned index;
    unsigned queue_count;
    struct queue queue[SL_XDP_QUEUES_MAX];
    unsigned give_turn, take_turn;
    struct xsk_umem *umem;
    int map_fd, program_fd, link_fd, epoll_fd;
    bool is_zero_copy;
    char mode[MODE_MAX];
};

static void close_sockets(struct sl_xdp *xdp)
{
    for (unsigned i = 0; i < xdp->queue_count; i++) {
        if (xdp->queue[i].socket)
            xsk_socket__delete(xdp->queue[i].socket);
        xdp->queue[i].socket = NULL;
    }
    if (xdp->umem)
        xsk_umem__delete(xdp->umem);
    xdp->umem = NULL;
}

void sl_xdp_close(struct sl_xdp *xdp)
{
    if (!xdp)
        return;
    if (xdp->link_fd >= 0)
        close(xdp->link_fd);
    close_sockets(xdp);
    if (xdp->program_fd >= 0)
        close(xdp->program_fd);
    if (xdp->map_fd >= 0)
        close(xdp->map_fd);
    if (xdp->epoll_fd >= 0)
        close(xdp->epoll_fd);
    free(xdp);
}

bool sl_xdp_give(struct sl_xdp *xdp, uint32_t slot)
{
    uint32_t at;
    for (unsigned i = 0; i < xdp->queue_count; i++) {
        struct queue *q = &xdp->queue[(xdp->give_turn + i) % xdp->queue_count];
        if (xsk_ring_prod__reserve(&q->fill, 1, &at) != 1)
            continue;
        *xsk_ring_prod__fill_addr(&q->fill, at) = (uint64_t)slot * SL_XDP_SLOT_BYTES;
        q->pending++;
        xdp->give_turn = (xdp->give_turn + i + 1) % xdp->queue_count;
        return true;
    }
    return false;
}

/* Nothing is there. Is the interface? The kernel tells it once, to each socket. */
static int look_for_error(const struct sl_xdp *xdp)
{
    int err = 0;
    socklen_t size = sizeof err;
    if (getsockopt(xsk_socket__fd(xdp->queue[0].socket), SOL_SOCKET, SO_ERROR, &err, &size) < 0 ||
        err == 0)
        return 0;
    return sl_error(-ENODEV, "XDP on %s: the interface is gone", xdp->interface);
}

int sl_xdp_next(struct sl_xdp *xdp, struct sl_xdp_frame *ret_frame)
{
    uint32_t at;
    for (unsigned i = 0; i < xdp->queue_count; i++) {
        struct queue *q = &xdp->queue[xdp->take_turn];
        if (q->taken < TAKEN_MAX && xsk_ring_cons__peek(&q->frames, 1, &at) == 1) {
            const struct xdp_desc *frame = xsk_ring_cons__rx_desc(&q->frames, at);
            q->taken++;
            *ret_frame = (struct sl_xdp_frame){
                .slot = (uint32_t)(frame->addr / SL_XDP_SLOT_BYTES),
                .offset = (uint32_t)(frame->addr % SL_XDP_SLOT_BYTES),
                .size_bytes = frame->len,
            };
            return 1;
        }
        xdp->take_turn = (xdp->take_turn + 1) % xdp->queue_count;
    }
    return look_for_error(xdp);
}

void sl_xdp_flush(struct sl_xdp *xdp)
{
    for (unsigned i = 0; i < xdp->queue_count; i++) {
        struct queue *q = &xdp->queue[i];
        if (q->taken > 0)
            xsk_ring_cons__release(&q->frames, q->taken);
        if (q->pending > 0)
            xsk_ring_prod__submit(&q->fill, q->pending);
        if (q->pending > 0 && xsk_ring_prod__needs_wakeup(&q->fill))
            (void)recvfrom(xsk_socket__fd(q->socket), NULL, 0, MSG_DONTWAIT, NULL, NULL);
        q->taken = q->pending = 0;
    }
}

int sl_xdp_fd(const struct sl_xdp *xdp)
{
    return xdp->epoll_fd;
}

void sl_xdp_stats(const struct sl_xdp *xdp, struct sl_xdp_stats *ret_stats)
{
    *ret_stats = (struct sl_xdp_stats){0};
    for (unsigned i = 0; i < xdp->queue_count; i++) {
        struct xdp_statistics stats = {0};
        socklen_t size = sizeof stats;
        if (getsockopt(xsk_socket__fd(xdp->queue[i].socket), SOL_XDP, XDP_STATISTICS, &stats,
                       &size) < 0)
            continue;
        ret_stats->drops += stats.rx_dropped + stats.rx_ring_full;
        ret_stats->slots_wanting += stats.rx_fill_ring_empty_descs;
    }
}

unsigned sl_xdp_queues(const struct sl_xdp *xdp)
{
    return xdp->queue_count;
}

const char *sl_xdp_mode(const struct sl_xdp *xdp)
{
    return xdp->mode;
}

bool sl_xdp_is_zero_copy(const struct sl_xdp *xdp)
{
    return xdp->is_zero_copy;
}

/* ---- opening ---- */

static int failed(const struct sl_xdp *xdp, int err, const char *what)
{
    if (err == -EPERM || err == -EACCES)
        return sl_error(-EPERM,
                        "XDP on %s: %s: not permitted; run as root, or once as root: setcap "
                        "cap_net_admin,cap_net_raw,cap_bpf,cap_ipc_lock+ep on the program",
                        xdp->interface, what);
    return sl_error(err, "XDP on %s: %s: %s", xdp->interface, what, strerror(-err));
}

/* How many receive queues, by whom it knows: the driver, or (of this network namespace if it is
 * mounted so) /sys. */
static unsigned queues_of(const struct sl_xdp *xdp, int fd)
{
    struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
    struct ifreq request = {.ifr_data = (char *)&channels};
    char path[64];
    unsigned count = 0;
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", xdp->interface);
    if (ioctl(fd, SIOCETHTOOL, &request) == 0 && channels.rx_count + channels.combined_count > 0)
        return channels.rx_count + channels.combined_count;
    snprintf(path, sizeof path, "/sys/class/net/%s/queues", xdp->interface);
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        count += strncmp(entry->d_name, "rx-", 3) == 0;
    if (folder)
        closedir(folder);
    return count > 0 ? count : 1;
}

/* Of a datagram in fragments only the first has ports, and behind an IPv6 header not even that. */
static int check_fragments(const struct sl_xdp_options *o, uint32_t mtu)
{
    uint32_t headers = o->sender.family == 6 ? IPV6_BYTES + UDP_BYTES : IPV4_BYTES + UDP_BYTES;
    if (o->sender.family == 4 || o->datagram_bytes + headers <= mtu)
        return 0;
    return sl_error(-EMSGSIZE,
                    "XDP on %s: packets of %u bytes come in IP fragments, as its MTU is %u; "
                    "fragments are taken of one sensor alone, by its IPv4 address: give --sender, "
                    "or --source packet",
                    o->interface, o->datagram_bytes, mtu);
}

static int check_interface(struct sl_xdp *xdp, const struct sl_xdp_options *options)
{
    struct ifreq request = {0};
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", xdp->interface);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int err = fd < 0 || ioctl(fd, SIOCGIFMTU, &request) < 0 ? -errno : 0;
    unsigned queues = err == 0 ? queues_of(xdp, fd) : 0;
    if (fd >= 0)
        close(fd);
    if (err < 0)
        return failed(xdp, err, "its MTU");
    if ((uint32_t)request.ifr_mtu > SL_XDP_MTU_MAX)
        return sl_error(-E2BIG,
                        "XDP on %s: its MTU is %d, but a frame must fit into a page; ip link set "
                        "%s mtu 1500",
                        xdp->interface, request.ifr_mtu, xdp->interface);
    if (queues > SL_XDP_QUEUES_MAX)
        return sl_error(-E2BIG,
                        "XDP on %s: it has %u receive queues, at most %d can be served; ethtool -L "
                        "%s combined %d",
                        xdp->interface, queues, SL_XDP_QUEUES_MAX, xdp->interface,
                        SL_XDP_QUEUES_MAX);
    xdp->queue_count = queues;
    return check_fragments(options, (uint32_t)request.ifr_mtu);
}

static int load_program(struct sl_xdp *xdp, const struct sl_xdp_options *options)
{
    struct program program;
    xdp->map_fd = bpf_map_create(BPF_MAP_TYPE_XSKMAP, "sluice_queues", sizeof(uint32_t),
                                 sizeof(uint32_t), SL_XDP_QUEUES_MAX, NULL);
    if (xdp->map_fd < 0)
        return failed(xdp, xdp->map_fd, "its map of queues");
    make_program(&program, options, xdp->map_fd);
    LIBBPF_OPTS(bpf_prog_load_opts, load_options, .expected_attach_type = BPF_XDP);
    xdp->program_fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "sluice_udp", "Apache-2.0", program.code,
                                    program.length, &load_options);
    return xdp->program_fd < 0 ? failed(xdp, xdp->program_fd, "its program") : 0;
}

/* By a link, which ends with its descriptor: in the driver, or, where that cannot, behind it. */
static int attach(struct sl_xdp *xdp, const char **ret_where)
{
    static const struct {
        uint32_t flags;
        const char *where;
    } ways[] = {{XDP_FLAGS_DRV_MODE, "in the driver"}, {XDP_FLAGS_SKB_MODE, "behind the driver"}};
    int err = 0;
    for (unsigned i = 0; i < 2; i++) {
        LIBBPF_OPTS(bpf_link_create_opts, options, .flags = ways[i].flags);
        xdp->link_fd = bpf_link_create(xdp->program_fd, (int)xdp->index, BPF_XDP, &options);
        *ret_where = ways[i].where;
        if (xdp->link_fd >= 0)
            return 0;
        err = xdp->link_fd;
        if (err == -EBUSY || err == -EEXIST)
            return sl_error(-EBUSY,
                            "XDP on %s: another XDP program is there (ip link show %s tells "
                            "which); one driver for each interface",
                            xdp->interface, xdp->interface);
    }
    return failed(xdp, err, "attaching its program");
}

static int register_memory(struct sl_xdp *xdp, const struct sl_xdp_options *options, uint32_t ring)
{
    const struct xsk_umem_config config = {
        .fill_size = ring,
        .comp_size = 64,
        .frame_size = SL_XDP_SLOT_BYTES,
        .frame_headroom = options->shift,
    };
    int err = xsk_umem__create(&xdp->umem, options->memory,
                               (uint64_t)options->slot_count * SL_XDP_SLOT_BYTES,
                               &xdp->queue[0].fill, &xdp->queue[0].complete, &config);
    return err < 0 ? failed(xdp, err,
                            "its memory (plain pages are wanted, and a limit of locked "
                            "memory that allows them)")
                   : 0;
}

static int open_queue(struct sl_xdp *xdp, unsigned number, uint32_t ring)
{
    struct queue *q = &xdp->queue[number];
    const struct xsk_socket_config config = {
        .rx_size = ring,
        .libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
        .bind_flags = XDP_USE_NEED_WAKEUP,
    };
    /* The first one's other rings came with the memory. */
    int err = number == 0
                  ? xsk_socket__create(&q->socket, xdp->interface, number, xdp->umem, &q->frames,
                                       NULL, &config)
                  : xsk_socket__create_shared(&q->socket, xdp->interface, number, xdp->umem,
                                              &q->frames, NULL, &q->fill, &q->complete, &config);
    if (err < 0)
        return failed(xdp, err, "a socket for its queue");
    uint32_t key = number;
    int fd = xsk_socket__fd(q->socket);
    err = bpf_map_update_elem(xdp->map_fd, &key, &fd, BPF_ANY);
    if (err < 0)
        return failed(xdp, err, "its map of queues");
    struct epoll_event event = {.events = EPOLLIN};
    return epoll_ctl(xdp->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0
               ? failed(xdp, -errno, "waiting for its queue")
               : 0;
}

static void describe(struct sl_xdp *xdp, const char *where)
{
    struct xdp_options options = {0};
    socklen_t size = sizeof options;
    xdp->is_zero_copy = getsockopt(xsk_socket__fd(xdp->queue[0].socket), SOL_XDP, XDP_OPTIONS,
                                   &options, &size) == 0 &&
                        (options.flags & XDP_OPTIONS_ZEROCOPY);
    snprintf(xdp->mode, sizeof xdp->mode, "%u queue%s, %s, program %s", xdp->queue_count,
             xdp->queue_count > 1 ? "s" : "", xdp->is_zero_copy ? "zero copy" : "copied", where);
}

/* The kernel frees the queues of a process that has ended a little later: they are waited for. */
static int open_sockets(struct sl_xdp *xdp, const struct sl_xdp_options *options, uint32_t ring)
{
    uint64_t until_ns = sl_clock_monotonic_ns() + BUSY_NS;
    for (;;) {
        int err = register_memory(xdp, options, ring);
        for (unsigned i = 0; err == 0 && i < xdp->queue_count; i++)
            err = open_queue(xdp, i, ring);
        if (err != -EBUSY || sl_clock_monotonic_ns() > until_ns)
            return err;
        close_sockets(xdp);
        usleep(BUSY_PAUSE_US);
    }
}

static int open_all(struct sl_xdp *xdp, const struct sl_xdp_options *options)
{
    const char *where = "";
    int err = check_interface(xdp, options);
    uint32_t ring = options->given_max / (xdp->queue_count ? xdp->queue_count : 1);
    while (ring & (ring - 1))
        ring &= ring - 1; /* the power of two below */
    if (err == 0 && ring == 0)
        err = sl_error(-EINVAL, "XDP on %s: no slots for %u queues", xdp->interface,
                       xdp->queue_count);
    if (err == 0)
        err = load_program(xdp, options);
    if (err == 0)
        err = attach(xdp, &where);
    if (err == 0 && (xdp->epoll_fd = epoll_create1(EPOLL_CLOEXEC)) < 0)
        err = failed(xdp, -errno, "waiting");
    if (err == 0)
        err = open_sockets(xdp, options, ring);
    if (err == 0)
        describe(xdp, where);
    return err;
}

/* What libbpf and libxdp would print stands in the kernel's answer too. */
static int be_silent(enum libbpf_print_level level, const char *format, va_list args)
{
    (void)level, (void)format, (void)args;
    return 0;
}

static int be_silent_too(enum libxdp_print_level level, const char *format, va_list args)
{
    (void)level, (void)format, (void)args;
    return 0;
}

static int check(const struct sl_xdp_options *o)
{
    if (o->port_count == 0 || o->port_count > SL_XDP_PORTS_MAX)
        return sl_error(-EINVAL, "XDP on %s: %u UDP ports; give 1 to %d", o->interface,
                        o->port_count, SL_XDP_PORTS_MAX);
    if (o->slot_count == 0 || o->slot_count > SL_XDP_SLOTS_MAX || o->given_max > o->slot_count)
        return sl_error(-EINVAL, "XDP on %s: %u slots, %u of them given; at most %u", o->interface,
                        o->slot_count, o->given_max, SL_XDP_SLOTS_MAX);
    return 0;
}

int sl_xdp_open(const struct sl_xdp_options *options, struct sl_xdp **ret_xdp)
{
    int err = check(options);
    if (err < 0)
        return err;
    struct sl_xdp *xdp = calloc(1, sizeof *xdp);
    if (!xdp)
        return sl_error(-ENOMEM, "XDP on %s: no memory", options->interface);
    xdp->map_fd = xdp->program_fd = xdp->link_fd = xdp->epoll_fd = -1;
    snprintf(xdp->interface, sizeof xdp->interface, "%s", options->interface);
    xdp->index = if_nametoindex(xdp->interface);
    libbpf_set_print(be_silent);
    libxdp_set_print(be_silent_too);
    err = xdp->index ? open_all(xdp, options)
                     : sl_error(-ENODEV, "XDP on %s: there is no such interface", xdp->interface);
    if (err < 0) {
        sl_xdp_close(xdp);
        return err;
    }
    *ret_xdp = xdp;
    return 0;
}
