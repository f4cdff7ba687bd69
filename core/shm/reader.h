/* SPDX-License-Identifier: Apache-2.0 */
/* reader.h - one subscriber at one ring: take, hold, release, and asking to be woken.
 *
 * Life:    filled in over mapped segments -> attach -> take ... -> the holds end -> unmap
 * Owner:   writes its ledger, nothing else.
 * Threads: take and arm from one thread; release and check from any.
 * Errors:  as named.
 */
#ifndef SL_SHM_READER_H
#define SL_SHM_READER_H

#include "core/shm/transport.h"

struct sl_ring_reader {
    struct sl_ring_map ring;
    struct sl_inbox *inbox; /* NULL: the native bus */
    struct sl_ledger *ledger;
    const struct sl_word *word;
    const _Atomic uint64_t *state; /* of the slots, in the control segment */
    const unsigned char *base;     /* of the pool, if the CPU may read it */
    uint32_t slot_count;
    uint64_t slot_size;
    uint32_t side_size;
    enum sl_policy policy;
    uint32_t depth;
    uint32_t quota;
    uint32_t batch; /* how many messages are worth a wake-up; 0, 1 = every one */

    uint64_t cursor; /* last message done with; the ledger has a copy */
    uint64_t taken;
    uint64_t lost[SL_LOSS_REASONS];
    uint64_t lost_ever; /* for all reasons; moves when one of them does */
    uint64_t lost_since_take;
    /* What is held = taken - returned - released. */
    uint64_t holds_taken;        /* by the taking thread */
    _Atomic(const void *) owner; /* the thread that took first; it counts without a locked add: */
    _Atomic uint64_t holds_returned; /* by the owner alone */
    _Atomic uint64_t holds_released; /* by other threads */
};

/* Begin to read behind message `from`, or later where the ring or the policy does not reach so far
 * back, or what is there was retired. A lossless reader's guarantee begins at the head that is
 * current when this returns. -EPROTO: the head does not stand still; no publisher is that fast. */
int sl_ring_reader_attach(struct sl_ring_reader *reader, uint64_t from);

/* 1 taken: checked, and held unless it is inline; 0 nothing new, -EDQUOT the quota is held.
 * `inline_to` has room for ring.inline_max bytes. */
int sl_ring_reader_take(struct sl_ring_reader *reader, struct sl_taken *ret_taken, void *inline_to);
/* True: this was the last hold of a reader that was detached; whoever is told so frees it. */
bool sl_ring_reader_release(struct sl_ring_reader *reader, uint32_t slot, bool shared);
/* No more takes. True: nothing is held, the caller frees it now; else the last release tells. */
bool sl_ring_reader_detach(struct sl_ring_reader *reader);

static inline uint32_t sl_ring_reader_held(const struct sl_ring_reader *reader)
{
    return (uint32_t)(reader->holds_taken -
                      atomic_load_explicit(&reader->holds_returned, memory_order_relaxed) -
                      atomic_load_explicit(&reader->holds_released, memory_order_relaxed));
}
static inline enum sl_word_state sl_ring_reader_state(const struct sl_ring_reader *reader)
{
    return (enum sl_word_state)atomic_load_explicit(&reader->word->state, memory_order_acquire);
}

/* Ask to be woken when `count` messages are there. False if they are already (then nothing is
 * asked). */
bool sl_ring_reader_arm_for(struct sl_ring_reader *reader, enum sl_wake_mode mode, uint32_t count);
static inline bool sl_ring_reader_arm(struct sl_ring_reader *reader, enum sl_wake_mode mode)
{
    return sl_ring_reader_arm_for(reader, mode, 1);
}
void sl_ring_reader_disarm(struct sl_ring_reader *reader);

#endif
