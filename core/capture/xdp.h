/* SPDX-License-Identifier: Apache-2.0 */
/* xdp.h - UDP frames of an interface, written by the kernel or the network card itself into memory
 * of the caller's, one frame in each slot (AF_XDP).
 *
 * A small program in the kernel picks the frames: UDP to the ports, and no others, leave the
 * network stack; of a datagram in IP fragments only the first has ports, so fragments are picked by
 * the sender's IPv4 address or not at all. It is gone when the process is, and never takes
 * another's place. Every receive queue of the interface has a socket; all share the memory.
 *
 * Built without libxdp (SLUICE_WITH_XDP=OFF), open returns -ENOTSUP.
 *
 * Life:    open -> give slots -> (next ... -> give them back; flush) ... -> close
 * Owner:   the memory is the caller's, and so is each slot that was not given, or came back by
 *          next. It must stay mapped until close.
 * Threads: one at a time.
 */
#ifndef SL_CAPTURE_XDP_H
#define SL_CAPTURE_XDP_H

#include <stdbool.h>
#include <stdint.h>

#include "core/capture/datagram.h"

#define SL_XDP_SLOT_BYTES 4096u /* of each slot: a page, the kernel's limit */
#define SL_XDP_PORTS_MAX  8
#define SL_XDP_QUEUES_MAX 16
#define SL_XDP_HEADROOM   256u /* the kernel's own, before each frame */
#define SL_XDP_SLOTS_MAX  32768u
#define SL_XDP_MTU_MAX    3498u /* what a slot holds, on all drivers */

struct sl_xdp_options {
    const char *interface;
    uint16_t ports[SL_XDP_PORTS_MAX];
    unsigned port_count;
    struct sl_endpoint sender; /* only datagrams from there; family 0 = from any, no fragments */
    uint32_t datagram_bytes;   /* the longest that will come; 0 = none comes in fragments */
    void *memory;              /* slots, contiguous, at a page */
    uint32_t slot_count;
    uint32_t given_max; /* slots that are given at one time; a power of two for each queue's part */
    uint32_t shift;     /* bytes that a frame begins behind SL_XDP_HEADROOM */
};

struct sl_xdp;

/* -ENODEV (no such interface), -EPERM (needs CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF), -EBUSY
 * (another XDP program is there), -E2BIG (MTU or queues), -EMSGSIZE (fragments would come and not
 * be taken), -EINVAL, -ENOMEM, -ENOTSUP, and what the kernel says. */
int sl_xdp_open(const struct sl_xdp_options *options, struct sl_xdp **ret_xdp);
void sl_xdp_close(struct sl_xdp *xdp); /* NULL is fine */

/* Let the kernel fill this slot. False if it has given_max already. Takes effect at flush. */
bool sl_xdp_give(struct sl_xdp *xdp, uint32_t slot);

struct sl_xdp_frame {
    uint32_t slot;
    uint32_t offset; /* of the frame's first byte in its slot */
    uint32_t size_bytes;
};

/* The next frame, whose slot is the caller's again. 1; 0 = none there yet; -ENODEV when the
 * interface is gone. */
int sl_xdp_next(struct sl_xdp *xdp, struct sl_xdp_frame *ret_frame);

/* Show the kernel what was given and taken. */
void sl_xdp_flush(struct sl_xdp *xdp);

/* For poll and epoll, level-triggered. */
int sl_xdp_fd(const struct sl_xdp *xdp);

struct sl_xdp_stats {
    uint64_t drops;         /* frames that found no slot or no room in the ring */
    uint64_t slots_wanting; /* times that no slot was there to be filled, whatever that cost */
};
void sl_xdp_stats(const struct sl_xdp *xdp, struct sl_xdp_stats *ret_stats);

/* Receive queues of the interface; each has an equal part of the slots. */
unsigned sl_xdp_queues(const struct sl_xdp *xdp);

/* "2 queues, zero copy, program in the driver": for people. */
const char *sl_xdp_mode(const struct sl_xdp *xdp);

/* Does the card write into the slots itself? Else the kernel copies each frame there. */
bool sl_xdp_is_zero_copy(const struct sl_xdp *xdp);

#endif
