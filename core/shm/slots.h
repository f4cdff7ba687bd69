/* SPDX-License-Identifier: Apache-2.0 */
/* slots.h - which slot may be written next: loan, publish, retire, recycle.
 *
 * The publisher alone keeps this book, in private memory. What subscribers hold it reads from their
 * ledgers each time it needs a slot; nothing is counted when a message is published, so there is
 * nothing that an overflow, a lost descriptor or a dead subscriber could leave wrong.
 *
 *   FREE -> LOANED -> PUBLISHED -> RETIRED -> LOANED ...
 *              `-> FREE (discard)
 *
 * A hold is a byte without a time. Where holds have a lease, the time counts from the retiring of
 * the slot: nobody can take it after that, so every hold of it is older. The lease is that of the
 * subscriber's publisher, also in a pool that several share: whoever came by a publisher without
 * one keeps what he holds. What is retained, or not yet read by a lossless subscriber, is not
 * retired, and its holds do not expire. A byte that stays set behind an expired hold hinders the
 * next use of the slot as a hold would: for another lease, each time.
 *
 * Life:    sl_slots_init -> channels and peers come and go -> sl_slots_finish
 * Threads: one publishing thread; peers are added and removed by one other (the service thread);
 *          one more may wake (the relay thread, see relay.h).
 * Errors:  -EAGAIN no slot; others as named.
 */
#ifndef SL_SHM_SLOTS_H
#define SL_SHM_SLOTS_H

#include "core/shm/transport.h"

#define SL_SLOT_CHANNELS_MAX 16   /* topics whose messages may stand in one shared slot */
#define SL_SLOTS_AHEAD_MAX   32   /* slots taken back at one time, of the largest pools */
#define SL_PEERS_MAX         2048 /* subscribers and visitors of all topics over one pool */
#define SL_NO_SLOT           UINT32_MAX

/* One topic of this process: its ring, and what its options say of recycling. */
struct sl_channel {
    struct sl_ring_map ring;
    struct sl_iceoryx_sender *sender; /* NULL: the native bus */
    uint64_t head;                    /* seq of the last message */
    uint32_t retain;
    int64_t lossless_timeout_ns;
    uint64_t blocked_since_ns; /* a lossless subscriber stands in the way; 0 = none does */
    uint32_t demoted;
    uint32_t promised;               /* loans that will become messages of it */
    struct sl_relay *relay;          /* who wakes its subscribers; NULL = the publishing thread */
    _Atomic uint32_t lossless_count; /* peers that are lossless; 0 = no need to look at cursors */
};

enum sl_peer_fate {
    SL_PEER_ATTACHED,
    SL_PEER_DIED,
    SL_PEER_REVOKED
};

/* One subscriber, as its publisher sees it. Made by the service thread; `fate` and `lossless`
 * change once, by the publishing thread. */
struct sl_peer {
    struct sl_channel *channel;
    const struct sl_ledger *ledger; /* the subscriber writes it: believe nothing */
    struct sl_word *word;
    uint32_t quota;
    int64_t lease_ns; /* how long it may keep a slot that was retired; 0 = as long as it likes */
    _Atomic bool lossless;
    _Atomic int fate;      /* enum sl_peer_fate */
    int fd;                /* its connection */
    int pidfd;             /* its process, or -1 */
    struct sl_scan *spare; /* the list without it, made beforehand: leaving never lacks memory */
};

/* The peers of all channels over one pool; replaced as a whole. */
struct sl_scan {
    unsigned count;
    struct sl_peer *peer[];
};

enum sl_slot_status {
    SL_SLOT_FREE,
    SL_SLOT_LOANED,
    SL_SLOT_PUBLISHED,
    SL_SLOT_RETIRED
};

struct sl_slot_use {
    struct sl_channel *channel;
    uint64_t seq; /* the last message in the slot */
};

struct sl_slot {
    enum sl_slot_status status;
    uint32_t generation;
    uint64_t retired_at_ns;   /* RETIRED and held: every hold is older than this; 0 = not noted */
    bool is_shared;           /* several messages stand in it */
    struct sl_channel *owner; /* LOANED: for whose message */
    uint32_t older, newer;    /* not LOANED: its neighbours in the order of recycling */
    uint32_t use_count;
    struct sl_slot_use use[SL_SLOT_CHANNELS_MAX];
};

struct sl_slots {
    uint32_t count;
    struct sl_slot *slot;
    _Atomic uint64_t *state; /* in the control segment: generation << 1 | standing */
    uint32_t oldest, newest; /* of the slots that are neither loaned nor ahead; or SL_NO_SLOT */
    uint32_t ahead[SL_SLOTS_AHEAD_MAX]; /* taken back ahead of need */
    uint32_t ahead_count, ahead_most;
    uint32_t loaned, retired;      /* so many are in that state */
    const struct sl_channel *only; /* whose messages stand here */
    bool is_mixed; /* there were others', or several in a slot: slots are not in the order of seq */
    uint64_t blocked_since_ns; /* lossless subscribers keep slots that are needed; 0 = none does */
    uint32_t died, revoked;
    uint32_t expired; /* slots that were taken from those who held them, by their lease */

    _Atomic(struct sl_scan *) scan;
    _Atomic uint32_t scanning; /* the publishing thread looks at the scan list */
    _Atomic uint32_t relaying; /* the relay thread does */
};

int sl_slots_init(struct sl_slots *slots, uint32_t count, _Atomic uint64_t *state);
void sl_slots_finish(struct sl_slots *slots); /* the peers are the caller's */

/* Service thread: swap the scan list and wait until nobody looks at the old one, which is freed;
 * the peers that were only in the old one may then be freed too. -ENOMEM. */
int sl_slots_add_peer(struct sl_slots *slots, struct sl_peer *peer);
void sl_slots_remove_peer(struct sl_slots *slots, struct sl_peer *peer);

/* Publishing thread. */
int sl_slots_loan(struct sl_slots *slots, struct sl_channel *channel, uint32_t *ret_slot);
/* Is it out, and still the loan of that generation? */
bool sl_slots_is_loan(const struct sl_slots *slots, uint32_t slot, uint32_t generation);
void sl_slots_discard(struct sl_slots *slots, uint32_t slot);
/* A further message of `channel` goes into its ring: may it, or would it overwrite what a lossless
 * subscriber has not read, or, with the loans that are out, one that is about to come? -EAGAIN. */
int sl_slots_may_publish(struct sl_slots *slots, struct sl_channel *channel);
/* Message channel->head + 1 is shown. `slot` may be SL_NO_SLOT (inline); `last` = no other message
 * of the slot follows. Wakes who asked for it. -E2BIG: too many topics in one slot; -EAGAIN:
 * RouDi's memory is used up (nothing is shown). */
int sl_slots_publish(struct sl_slots *slots, struct sl_channel *channel, uint32_t slot, bool last,
                     struct sl_descriptor *d, const struct sl_ring_payload *payload);
/* A channel ends: its loans go back, its messages no longer count. */
void sl_slots_forget(struct sl_slots *slots, struct sl_channel *channel);

/* Relay thread: wake who asked for a head behind `told`, up to the one that is there now, which is
 * returned. */
uint64_t sl_slots_wake(struct sl_slots *slots, const struct sl_channel *channel, uint64_t told);

/* For statistics: slots that are held by anybody now. Any thread that excludes
 * sl_slots_remove_peer. */
uint32_t sl_slots_held(struct sl_slots *slots);
/* The same: messages of `channel` that some lossless subscriber has not taken yet. */
uint64_t sl_slots_unread(struct sl_slots *slots, const struct sl_channel *channel);
/* The same: lossless subscribers of `channel` that have not taken every message, or hold a slot. */
uint32_t sl_slots_unreleased(struct sl_slots *slots, const struct sl_channel *channel);

/* Did the process behind a connection end? Asks the kernel, now. */
bool sl_peer_is_dead(const struct sl_peer *peer);

#endif
