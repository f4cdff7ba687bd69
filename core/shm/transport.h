/* SPDX-License-Identifier: Apache-2.0 */
/* transport.h - how a descriptor gets from its publisher to one subscriber: send and receive.
 *
 *   native   the publisher's ring, which the subscriber reads for itself
 *   iceoryx  a chunk in the queue that RouDi made for this pair, beside the ring, which is the
 *            history: a message that did not come by the queue (it was not connected yet, or it
 *            overflowed) is looked for there
 *
 * Loans, holds, policies, wake-ups and history stand above this and do not know which one it is.
 * Waiting is the same for both: the ring's head moves when the message can be received.
 *
 * Life:    the publisher's end is a ring map and, for iceoryx, a sender; the subscriber's a ring
 *          map and, for iceoryx, an inbox
 * Threads: send from the publishing thread, receive from the taking thread
 */
#ifndef SL_SHM_TRANSPORT_H
#define SL_SHM_TRANSPORT_H

#include "core/shm/failpoint.h"
#include "core/shm/iceoryx.h"
#include "core/shm/ring.h"

/* A message that was received; what the transport fills in is copied and not checked. */
struct sl_taken {
    struct sl_descriptor d;
    struct sl_range range[SL_RANGES_MAX]; /* gathered bodies */
    bool by_queue; /* whole as it is, only its slot may have been taken back; else it may be torn */
    uint32_t range_count; /* the reader's (reader.h) from here on */
    uint64_t lost_before;
};

/* The subscriber's end of an iceoryx queue. */
struct sl_inbox {
    struct sl_iceoryx_receiver *queue;
    bool has_next;
    struct sl_descriptor next; /* the first of the queue that is not older than what is wanted */
    struct sl_range range[SL_RANGES_MAX];
    unsigned char inline_body[SL_INLINE_MAX];
    uint64_t received; /* messages taken that came by the queue */
};

/* Which one is meant: `bus`, or $SLUICE_BUS, or native. -EINVAL: the variable names neither. */
int sl_bus_choose(enum sl_bus bus, enum sl_bus *ret_bus);

/* Publisher: message d->seq can be received when this returns, and the head tells of it. With
 * iceoryx a chunk must have been reserved. */
static inline void sl_transport_send(struct sl_ring_map *ring, struct sl_iceoryx_sender *sender,
                                     const struct sl_descriptor *d,
                                     const struct sl_ring_payload *payload)
{
    sl_ring_write(ring, d, payload);
    if (sender)
        sl_iceoryx_send(sender, d, payload->ranges, payload->range_count, payload->inline_body);
    SL_FAIL_POINT(PUBLISH_SENT);
    /* Behind both: who sees the head and finds the queue empty knows that it did not come by it. */
    sl_ring_move_head(ring, d->seq);
    SL_FAIL_POINT(PUBLISH_P5);
}

/* Subscriber with an inbox: as sl_ring_look, from whichever of the two has message `seq`. */
enum sl_ring_look sl_inbox_look(struct sl_inbox *inbox, const struct sl_ring_map *ring,
                                uint64_t seq, struct sl_taken *ret_taken);

/* The first message that waits in the queue, as far as that was looked at; 0 = none. */
static inline uint64_t sl_inbox_next(const struct sl_inbox *inbox)
{
    return inbox->has_next ? inbox->next.seq : 0;
}

/* Is message `seq` there? Fills d and by_queue if it stands. */
static inline enum sl_ring_look sl_transport_look(struct sl_inbox *inbox,
                                                  const struct sl_ring_map *ring, uint64_t seq,
                                                  struct sl_taken *ret_taken)
{
    if (inbox)
        return sl_inbox_look(inbox, ring, seq, ret_taken);
    ret_taken->by_queue = false;
    return sl_ring_look(ring, seq, &ret_taken->d);
}

/* Copy what a message that was found has beside its descriptor: the ranges of a gathered body, or
 * an inline body (of at most ring->inline_max bytes, the caller has checked) to `inline_to`. */
void sl_transport_copy(const struct sl_inbox *inbox, const struct sl_ring_map *ring,
                       struct sl_taken *taken, void *inline_to);

#endif
