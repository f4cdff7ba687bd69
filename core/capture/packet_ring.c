/* SPDX-License-Identifier: Apache-2.0 */
#include "core/capture/packet_ring.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/capture/link.h"

#define BLOCK_BYTES      (32u << 10)  /* small: a block that is handed on early is lost to others */
#define BLOCK_BYTES_LONG (128u << 10) /* where frames are longer than half a block */
#define FRAME_BYTES      2048u        /* means nothing in version 3, but must divide the block */
#define BLOCKS_MIN       4u

/* ---- the filter: classic BPF, see Documentation/networking/filter.rst of the kernel ---- */

#define NET(offset) ((uint32_t)SKF_NET_OFF + (offset)) /* from the IP header */
#define PROTOCOL    ((uint32_t)(SKF_AD_OFF + SKF_AD_PROTOCOL))
#define IS_FRAGMENT 0x3fff /* IPv4: has an offset, or more follow */
#define UDP         17
#define PROGRAM_MAX 48

enum label {
    NEXT, /* fall through */
    DROP,
    ACCEPT,
    IPV4,
    IPV6,
    IPV6_UDP,
    PORTS,
    LABELS
};

struct program {
    unsigned length;
    struct sock_filter code[PROGRAM_MAX];
    enum label on_true[PROGRAM_MAX], on_false[PROGRAM_MAX];
    unsigned at[LABELS]; /* where a label stands */
};

static void emit(struct program *p, uint16_t code, uint32_t k)
{
    p->code[p->length] = (struct sock_filter){.code = code, .k = k};
    p->length++;
}

static void jump(struct program *p, uint16_t code, uint32_t k, enum label on_true,
                 enum label on_false)
{
    p->on_true[p->length] = on_true;
    p->on_false[p->length] = on_false;
    emit(p, BPF_JMP | BPF_K | code, k);
}

static void place(struct program *p, enum label label)
{
    p->at[label] = p->length;
}

static uint8_t distance(const struct program *p, unsigned from, enum label to)
{
    return to == NEXT ? 0 : (uint8_t)(p->at[to] - from - 1);
}

static void make_filter(struct program *p, const struct sl_packet_ring_options *options)
{
    memset(p, 0, sizeof *p);
    emit(p, BPF_LD | BPF_H | BPF_ABS, PROTOCOL);
    jump(p, BPF_JEQ, ETH_P_IP, IPV4, NEXT);
    jump(p, BPF_JEQ, ETH_P_IPV6, IPV6, NEXT);
    jump(p, BPF_JEQ, ETH_P_8021Q, ACCEPT, NEXT);
    jump(p, BPF_JEQ, ETH_P_8021AD, ACCEPT, DROP);

    place(p, IPV4);
    emit(p, BPF_LD | BPF_B | BPF_ABS, NET(9));
    jump(p, BPF_JEQ, UDP, NEXT, DROP);
    if (options->has_sender) {
        emit(p, BPF_LD | BPF_W | BPF_ABS, NET(12));
        jump(p, BPF_JEQ, sl_get_be32(options->sender), NEXT, DROP);
    }
    emit(p, BPF_LD | BPF_H | BPF_ABS, NET(6));
    jump(p, BPF_JSET, IS_FRAGMENT, ACCEPT, NEXT);
    emit(p, BPF_LDX | BPF_B | BPF_MSH, NET(0));
    emit(p, BPF_LD | BPF_H | BPF_IND, NET(2));
    jump(p, BPF_JGE, 0, PORTS, PORTS);

    place(p, IPV6);
    emit(p, BPF_LD | BPF_B | BPF_ABS, NET(6));
    jump(p, BPF_JEQ, UDP, IPV6_UDP, NEXT);
    jump(p, BPF_JEQ, 44, ACCEPT, NEXT); /* fragment */
    jump(p, BPF_JEQ, 0, ACCEPT, NEXT);  /* other extension headers, seldom */
    jump(p, BPF_JEQ, 43, ACCEPT, NEXT);
    jump(p, BPF_JEQ, 60, ACCEPT, DROP);
    place(p, IPV6_UDP);
    emit(p, BPF_LD | BPF_H | BPF_ABS, NET(42));

    place(p, PORTS);
    for (unsigned i = 0; i < options->port_count; i++)
        jump(p, BPF_JEQ, options->ports[i], ACCEPT, NEXT);
    place(p, DROP);
    emit(p, BPF_RET | BPF_K, 0);
    place(p, ACCEPT);
    emit(p, BPF_RET | BPF_K, SL_CAPTURE_RECORD_MAX_BYTES);
    for (unsigned i = 0; i < p->length; i++) {
        p->code[i].jt = distance(p, i, p->on_true[i]);
        p->code[i].jf = distance(p, i, p->on_false[i]);
    }
}

/* ---- the ring ---- */

struct sl_packet_ring {
    int fd;
    char interface[IF_NAMESIZE];
    uint32_t link_type;
    uint8_t *bytes;
    uint32_t block_bytes, block_count;
    uint32_t first;            /* the oldest block that is ours */
    uint32_t open_count;       /* blocks that are ours and read, or being read */
    uint32_t left;             /* frames of the newest of them that were not given yet */
    struct tpacket3_hdr *next; /* the first of these */
    uint64_t drops;
};

void sl_packet_ring_close(struct sl_packet_ring *ring)
{
    if (!ring)
        return;
    if (ring->bytes)
        munmap(ring->bytes, (size_t)ring->block_bytes * ring->block_count);
    if (ring->fd >= 0)
        close(ring->fd);
    free(ring);
}

static struct tpacket_block_desc *block_at(const struct sl_packet_ring *ring, uint32_t index)
{
    return (struct tpacket_block_desc *)(ring->bytes +
                                         (size_t)(index % ring->block_count) * ring->block_bytes);
}

/* Take over the next block, if the kernel has handed it on. */
static bool open_block(struct sl_packet_ring *ring)
{
    if (ring->open_count == ring->block_count)
        return false;
    struct tpacket_block_desc *block = block_at(ring, ring->first + ring->open_count);
    /* The kernel writes the frames before the status. */
    if (!(__atomic_load_n(&block->hdr.bh1.block_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER))
        return false;
    ring->open_count++;
    ring->left = block->hdr.bh1.num_pkts;
    ring->next = (struct tpacket3_hdr *)((uint8_t *)block + block->hdr.bh1.offset_to_first_pkt);
    return true;
}

/* Nothing is there. Is the interface? One that is down may come up again. */
static int look_for_error(struct sl_packet_ring *ring)
{
    int err = 0;
    socklen_t size = sizeof err;
    if (getsockopt(ring->fd, SOL_SOCKET, SO_ERROR, &err, &size) < 0 || err == 0)
        return 0;
    if (if_nametoindex(ring->interface) != 0)
        return 0;
    return sl_error(-ENODEV, "packets of %s: the interface is gone", ring->interface);
}

int sl_packet_ring_next(struct sl_packet_ring *ring, struct sl_capture_record *ret_record)
{
    while (ring->left == 0)
        if (!open_block(ring))
            return look_for_error(ring);
    struct tpacket3_hdr *frame = ring->next;
    *ret_record = (struct sl_capture_record){
        .bytes = (uint8_t *)frame + frame->tp_mac,
        .captured_bytes = frame->tp_snaplen,
        .original_bytes = frame->tp_len > frame->tp_snaplen ? frame->tp_len : frame->tp_snaplen,
        .link_type = ring->link_type,
        .time_ns = (uint64_t)frame->tp_sec * SL_NS_PER_S + frame->tp_nsec,
    };
    ring->left--;
    ring->next = (struct tpacket3_hdr *)((uint8_t *)frame + frame->tp_next_offset);
    return 1;
}

void sl_packet_ring_recycle(struct sl_packet_ring *ring)
{
    uint32_t keep = ring->left > 0 ? 1 : 0;
    for (; ring->open_count > keep; ring->open_count--) {
        struct tpacket_block_desc *block = block_at(ring, ring->first);
        /* What was read of it was read before it is written again. */
        __atomic_store_n(&block->hdr.bh1.block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
        ring->first = (ring->first + 1) % ring->block_count;
    }
}

int sl_packet_ring_fd(const struct sl_packet_ring *ring)
{
    return ring->fd;
}

uint64_t sl_packet_ring_drops(struct sl_packet_ring *ring)
{
    struct tpacket_stats_v3 stats; /* since it was asked for last */
    socklen_t size = sizeof stats;
    if (getsockopt(ring->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &size) == 0)
        ring->drops += stats.tp_drops;
    return ring->drops;
}

uint32_t sl_packet_ring_buffer_bytes(const struct sl_packet_ring *ring)
{
    return ring->block_bytes * ring->block_count;
}

/* ---- opening ---- */

static int failed(const struct sl_packet_ring *ring, const char *what)
{
    int err = errno;
    return sl_error(-err, "packets of %s: %s: %s", ring->interface, what, strerror(err));
}

/* What its frames begin with, and how long they may be. */
static int ask_interface(struct sl_packet_ring *ring, int *ret_kind, int *ret_mtu)
{
    struct ifreq request = {0};
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", ring->interface);
    if (ioctl(ring->fd, SIOCGIFFLAGS, &request) < 0)
        return failed(ring, "its state");
    if (!(request.ifr_flags & IFF_UP))
        return sl_error(-ENETDOWN, "packets of %s: it is down; ip link set %s up", ring->interface,
                        ring->interface);
    if (ioctl(ring->fd, SIOCGIFHWADDR, &request) < 0)
        return failed(ring, "its kind");
    *ret_kind = request.ifr_hwaddr.sa_family;
    if (ioctl(ring->fd, SIOCGIFMTU, &request) < 0)
        return failed(ring, "its MTU");
    *ret_mtu = request.ifr_mtu;
    return 0;
}

static int open_socket(struct sl_packet_ring *ring, int *ret_mtu)
{
    int kind = 0;
    ring->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0); /* protocol 0: nothing comes yet */
    if (ring->fd < 0 && errno == EPERM)
        return sl_error(-EPERM,
                        "packets of %s: not permitted; run as root, or once as root: setcap "
                        "cap_net_raw+ep on the program (in a container: --cap-add NET_RAW)",
                        ring->interface);
    if (ring->fd < 0)
        return failed(ring, "packet socket");
    int err = ask_interface(ring, &kind, ret_mtu);
    if (err < 0)
        return err;
    if (kind != ARPHRD_ETHER && kind != ARPHRD_LOOPBACK && kind != ARPHRD_NONE)
        return sl_error(-ENOTSUP, "packets of %s: it is neither Ethernet nor raw IP (kind %d)",
                        ring->interface, kind);
    ring->link_type = kind == ARPHRD_NONE ? SL_LINK_RAW : SL_LINK_ETHERNET;
    return 0;
}

static int map_ring(struct sl_packet_ring *ring, uint32_t buffer_bytes, int mtu)
{
    ring->block_bytes = (uint32_t)mtu > BLOCK_BYTES / 2 ? BLOCK_BYTES_LONG : BLOCK_BYTES;
    ring->block_count = (buffer_bytes ? buffer_bytes : SL_PACKET_RING_BYTES) / ring->block_bytes;
    if (ring->block_count < BLOCKS_MIN)
        ring->block_count = BLOCKS_MIN;
    const struct tpacket_req3 request = {
        .tp_block_size = ring->block_bytes,
        .tp_block_nr = ring->block_count,
        .tp_frame_size = FRAME_BYTES,
        .tp_frame_nr = ring->block_bytes / FRAME_BYTES * ring->block_count,
        .tp_retire_blk_tov = SL_PACKET_RING_RETIRE_MS,
    };
    int version = TPACKET_V3;
    if (setsockopt(ring->fd, SOL_PACKET, PACKET_VERSION, &version, sizeof version) < 0)
        return failed(ring, "a ring of version 3");
    if (setsockopt(ring->fd, SOL_PACKET, PACKET_RX_RING, &request, sizeof request) < 0)
        return failed(ring, "its ring; ask for less by --receive-buffer");
    void *bytes = mmap(NULL, (size_t)ring->block_bytes * ring->block_count, PROT_READ | PROT_WRITE,
                       MAP_SHARED, ring->fd, 0);
    if (bytes == MAP_FAILED)
        return failed(ring, "mapping its ring");
    ring->bytes = bytes;
    return 0;
}

static int begin(struct sl_packet_ring *ring, const struct sl_packet_ring_options *options,
                 unsigned index)
{
    struct program program;
    make_filter(&program, options);
    const struct sock_fprog filter = {.len = (unsigned short)program.length,
                                      .filter = program.code};
    if (setsockopt(ring->fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) < 0)
        return failed(ring, "its filter");
    int on = 1;
    if (setsockopt(ring->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) < 0)
        return failed(ring, "leaving out what this machine sends (Linux 4.20)");
    const struct sockaddr_ll address = {
        .sll_family = AF_PACKET,
        .sll_protocol = htons(ETH_P_ALL),
        .sll_ifindex = (int)index,
    };
    if (bind(ring->fd, (const struct sockaddr *)&address, sizeof address) < 0)
        return failed(ring, "listening");
    return 0;
}

int sl_packet_ring_open(const struct sl_packet_ring_options *options,
                        struct sl_packet_ring **ret_ring)
{
    int mtu = 0;
    if (options->port_count == 0 || options->port_count > SL_PACKET_RING_PORTS_MAX)
        return sl_error(-EINVAL, "packets of %s: %u UDP ports; give 1 to %d", options->interface,
                        options->port_count, SL_PACKET_RING_PORTS_MAX);
    unsigned index = if_nametoindex(options->interface);
    if (index == 0)
        return sl_error(-ENODEV, "packets of %s: there is no such interface", options->interface);
    struct sl_packet_ring *ring = calloc(1, sizeof *ring);
    if (!ring)
        return sl_error(-ENOMEM, "packets of %s: no memory", options->interface);
    snprintf(ring->interface, sizeof ring->interface, "%s", options->interface);
    int err = open_socket(ring, &mtu);
    if (err == 0)
        err = map_ring(ring, options->buffer_bytes, mtu);
    if (err == 0)
        err = begin(ring, options, index);
    if (err < 0) {
        sl_packet_ring_close(ring);
        return err;
    }
    *ret_ring = ring;
    return 0;
}
