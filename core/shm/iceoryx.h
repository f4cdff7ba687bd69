/* SPDX-License-Identifier: Apache-2.0 */
/* iceoryx.h - descriptors through iceoryx: the second transport.
 *
 * A publisher's instance is one iceoryx service; its chunks are struct sl_parcel. Loans, holds,
 * wake-ups and history are not here: they are the same over both transports. The only file that
 * knows iceoryx is iceoryx.c; built without it (SLUICE_ICEORYX=OFF), everything is there and
 * returns -ENOTSUP.
 *
 * Life:    sl_iceoryx_start registers the process with RouDi once, until it exits; it keeps a
 *          thread and a few descriptors. open -> reserve, send | receive -> close.
 * Owner:   an end belongs to who opened it. A process that runs as one end or as both at once is
 *          one to iceoryx: "sluice.<uid>.<hash>.<domain>.<k>", k being the smallest number whose
 *          file iceoryx.<uid>.<k>.lock in the domain's directory nobody has locked. The kernel
 *          unlocks it at death, the next process takes the name, and RouDi then clears away what
 *          the dead one left (with its monitoring off it does so at no other time).
 * Threads: start, open and close from any; reserve and send from one per sender, receive from one
 *          per receiver.
 * Errors:  start and open take at most SL_ICEORYX_PATIENCE_MS, or a little more on a busy machine:
 *          -ENOTSUP    built without iceoryx
 *          -ENOENT     no RouDi runs
 *          -EACCES     RouDi does not let us
 *          -ETIMEDOUT  RouDi does not answer (it is stopped); when it does, try again
 *          -ESTALE     not the RouDi of the first start runs, or that one holds us for dead: this
 *                      process must be restarted
 *          -ENOSPC     RouDi has no more publishers or subscribers to give (iceoryx's limits)
 *          -EUSERS     too many processes
 *          -EPERM      this is a forked child
 *          -EIO        anything else that iceoryx complains of
 *
 * Ends that are open when RouDi dies, stops or is replaced go on as they are, can be closed as
 * always, and the process exits as always: in RouDi's place, this module answers.
 *
 * A RouDi with monitoring on declares dead who was stopped for 1.5 s, and frees what he used. From
 * then on nothing is sent or received by queue; publish and take go on by the ring.
 *
 * A RouDi that is asked to end (SIGTERM) sends SIGTERM to every process that is registered: end it
 * last.
 *
 * After fork() the child must not use an end; closing one there only frees its memory. A child that
 * ends by exit() does not disturb its parent.
 */
#ifndef SL_SHM_ICEORYX_H
#define SL_SHM_ICEORYX_H

#include "core/shm/domain.h"
#include "core/shm/layout.h"

#define SL_ICEORYX_PATIENCE_MS     1000 /* or $SLUICE_ROUDI_PATIENCE_MS, if that is longer */
#define SL_ICEORYX_PATIENCE_MAX_MS 60000
#define SL_ICEORYX_QUEUE           256 /* descriptors that wait for a receiver; then the oldest goes */
/* Of one sender. Nothing tells the next one that it is too many (it even seems connected), so who
 * lets receivers attach has to count them. */
#define SL_ICEORYX_RECEIVERS_MAX 256

/* A chunk: comes from another process. */
struct sl_parcel {
    struct sl_descriptor d;                   /*   0: with seq */
    struct sl_range range[SL_RANGES_MAX];     /*  64: of a gathered body; else anything */
    unsigned char inline_body[SL_INLINE_MAX]; /* 112: as long as the publisher's inline_max */
};
static_assert(offsetof(struct sl_parcel, range) == 64, "parcel layout");
static_assert(offsetof(struct sl_parcel, inline_body) == 112, "parcel layout");

/* Was it built in? */
bool sl_iceoryx_is_there(void);

/* What the one memory pool of a RouDi must have: the payload of a chunk, and how many of them.
 *
 * A receiver's queue drops its oldest, so whoever reads, sleeps or is dead: what waits for the
 * receivers of one sender are some of its last 256 parcels. Besides them a sender has one at hand,
 * one that iceoryx keeps as its last, one on its way to the queues and one for good measure; each
 * receiver copies one at a time. Twice all that, because the ends of a killed process stand until
 * its successor has registered. With as many, no sl_iceoryx_reserve fails. */
static inline uint32_t sl_iceoryx_chunk_size(void)
{
    return (uint32_t)(sizeof(struct sl_parcel) + 63) / 64 * 64;
}
static inline uint32_t sl_iceoryx_chunks(uint32_t senders, uint32_t receivers)
{
    return 2 * (senders * (SL_ICEORYX_QUEUE + 4) + receivers);
}

/* Register this process, if it is not yet; look whether RouDi still is the same. */
int sl_iceoryx_start(const struct sl_domain *domain);
/* The identity (roudi.h) of the RouDi that this process is registered with; 0 = none. */
uint64_t sl_iceoryx_roudi(void);

struct sl_iceoryx_sender;
int sl_iceoryx_sender_open(const struct sl_domain *domain, const char *topic, uint64_t instance,
                           uint32_t inline_max, struct sl_iceoryx_sender **ret_sender);
/* Have a chunk at hand, so that the send that follows cannot fail. Never blocks, asks RouDi
 * nothing. -EAGAIN: RouDi's memory pool has none. (iceoryx writes about it on stderr, which nobody
 * can stop; so for the next 0.1 s this is the answer without asking.) */
int sl_iceoryx_reserve(struct sl_iceoryx_sender *sender);
/* After a reserve that succeeded. `ranges` if the body is gathered, `inline_body` if inline. */
void sl_iceoryx_send(struct sl_iceoryx_sender *sender, const struct sl_descriptor *d,
                     const struct sl_range *ranges, uint32_t range_count, const void *inline_body);
/* NULL is fine. */
void sl_iceoryx_sender_close(struct sl_iceoryx_sender *sender);

struct sl_iceoryx_receiver;
/* The sender is there already. RouDi connects the two, mostly at once, but in its own time: only
 * what is sent after sl_iceoryx_receiver_is_connected has said true is sure to come. */
int sl_iceoryx_receiver_open(const struct sl_domain *domain, const char *topic, uint64_t instance,
                             uint32_t inline_max, struct sl_iceoryx_receiver **ret_receiver);
bool sl_iceoryx_receiver_is_connected(struct sl_iceoryx_receiver *receiver);
/* 1: a parcel was copied out and its chunk given back; 0: nothing there; -EPROTO: a chunk that is
 * too small for a parcel was dropped. Nothing in it has been checked but that. Never blocks.
 * *ret_ranges and `inline_to` (inline_max bytes) are filled if the descriptor's flags say so. */
int sl_iceoryx_receive(struct sl_iceoryx_receiver *receiver, struct sl_descriptor *ret_d,
                       struct sl_range ret_ranges[SL_RANGES_MAX], void *inline_to);
/* NULL is fine. */
void sl_iceoryx_receiver_close(struct sl_iceoryx_receiver *receiver);

#endif
