/* SPDX-License-Identifier: Apache-2.0 */
#include "core/shm/reader.h"

#include "core/base/error.h"
#include "core/shm/failpoint.h"
#include "core/shm/order.h"

#include <errno.h>

/* A publisher cannot move faster than this without a pause; a hostile one shall not hold us. */
#define LOOKS_MAX 1024u

/* Who am I? An address that no other living thread has. */
static const void *this_thread(void)
{
    static _Thread_local char here __attribute__((tls_model("initial-exec")));
    return &here;
}

static void store_cursor(struct sl_ring_reader *r, uint64_t seq)
{
    r->cursor = seq;
    /* release: pairs with the acquire in lossless_floor; the hold of `seq` is set before */
    atomic_store_explicit(&r->ledger->cursor, seq, memory_order_release);
}

/* Does the message's slot stand by its own word? `d` is what a look copied. */
static bool slot_stands(const struct sl_ring_reader *r, const struct sl_descriptor *d)
{
    if (d->flags & SL_DESCRIPTOR_INLINE || d->slot >= r->slot_count)
        return true;
    return atomic_load_explicit(&r->state[d->slot], memory_order_acquire) ==
           ((uint64_t)d->generation << 1 | 1);
}

/* As far as the ring does not tell: one that others share is retired by its own word only. */
static bool shared_stands(const struct sl_ring_reader *r, const struct sl_descriptor *d)
{
    return !(d->flags & SL_DESCRIPTOR_SHARED) || slot_stands(r, d);
}

/* T3: does the message still stand? The caller has made the fence that its question needs. */
static bool still_stands(const struct sl_ring_reader *r, const struct sl_taken *t)
{
    if (t->by_queue)
        return slot_stands(r, &t->d);
    return sl_ring_still(&r->ring, t->d.seq) && shared_stands(r, &t->d);
}

/* How far behind the head the policy lets a reader begin. */
static uint64_t most_behind(const struct sl_ring_reader *r)
{
    uint64_t entries = (uint64_t)r->ring.mask + 1;
    if (r->policy == SL_LATEST)
        return 1;
    return r->policy == SL_KEEP_LAST && r->depth > 0 && r->depth < entries ? r->depth : entries;
}

static uint64_t first_cursor(const struct sl_ring_reader *r, uint64_t from, uint64_t head)
{
    uint64_t most = most_behind(r);
    uint64_t least = head > most ? head - most : 0;
    return from < least ? least : from < head ? from : head;
}

int sl_ring_reader_attach(struct sl_ring_reader *r, uint64_t from)
{
    /* The publisher already counts this ledger. Once the cursor is visible and the head is still
     * the same, everything published from here on finds it. */
    uint64_t head = sl_ring_head(&r->ring);
    for (unsigned looks = 0;; looks++) {
        store_cursor(r, first_cursor(r, from, head));
        SL_FAIL_POINT(ATTACH_CURSOR);
        sl_fence_full(); /* pairs with R2 */
        uint64_t now = sl_ring_head(&r->ring);
        if (now == head)
            break;
        if (looks == LOOKS_MAX)
            return sl_error(-EPROTO, "the ring's head does not stand still");
        head = now;
    }
    /* What an earlier message of this instance lost before we came is not our loss. */
    struct sl_descriptor d;
    while (r->cursor < head) {
        enum sl_ring_look look = sl_ring_look(&r->ring, r->cursor + 1, &d);
        if (look == SL_RING_NOT_YET || (look == SL_RING_STANDING && shared_stands(r, &d)))
            break;
        store_cursor(r, r->cursor + 1);
    }
    return 0;
}

static void lose(struct sl_ring_reader *r, enum sl_loss reason, uint64_t count)
{
    r->lost[reason] += count;
    r->lost_ever += count;
    r->lost_since_take += count;
}

/* Pass messages over up to and including `seq`. */
static void pass_over(struct sl_ring_reader *r, uint64_t seq, enum sl_loss reason)
{
    lose(r, reason, seq - r->cursor);
    store_cursor(r, seq);
}

/* The policy's choice of what comes next. */
static void apply_policy(struct sl_ring_reader *r)
{
    if (r->policy == SL_LOSSLESS || (r->policy == SL_KEEP_LAST && r->depth == 0))
        return;
    uint64_t head = sl_ring_head(&r->ring);
    uint64_t depth = r->policy == SL_LATEST ? 1 : r->depth;
    if (head > r->cursor && head - r->cursor > depth)
        pass_over(r, head - depth, r->policy == SL_LATEST ? SL_LOSS_SKIPPED : SL_LOSS_OVERRUN);
}

/* The ring has gone over us: begin again at its oldest entry, with a little start, or at what the
 * queue still has. */
static void catch_up(struct sl_ring_reader *r)
{
    uint64_t head = sl_ring_head(&r->ring);
    if (r->inbox && sl_inbox_next(r->inbox) > r->cursor + 1) {
        pass_over(r, sl_inbox_next(r->inbox) - 1, SL_LOSS_OVERRUN);
        return;
    }
    uint64_t keep = ((uint64_t)r->ring.mask + 1) * 3 / 4;
    uint64_t to = head > keep ? head - keep : 0;
    pass_over(r, to > r->cursor ? to : r->cursor + 1, SL_LOSS_OVERRUN);
}

static bool ranges_fit(const struct sl_ring_reader *r, struct sl_taken *t)
{
    uint64_t total = 0;
    t->range_count = 0;
    for (int i = 0; i < SL_RANGES_MAX; i++) {
        const struct sl_range *range = &t->range[i];
        if (range->length == 0)
            break;
        uint64_t size = range->area == SL_AREA_SLOT   ? r->slot_size
                        : range->area == SL_AREA_SIDE ? r->side_size
                                                      : 0;
        if (!sl_range_fits(range->offset, range->length, size))
            return false;
        total += range->length;
        t->range_count++;
    }
    return total == t->d.body_length;
}

/* Copy what stands beside the descriptor and check all of it. */
static bool copy_and_check(const struct sl_ring_reader *r, struct sl_taken *t, void *inline_to)
{
    if (!sl_descriptor_check(&t->d, r->slot_count, r->slot_size, r->ring.inline_max))
        return false;
    t->range_count = 0;
    if (t->d.flags & (SL_DESCRIPTOR_INLINE | SL_DESCRIPTOR_GATHER))
        sl_transport_copy(r->inbox, &r->ring, t, inline_to);
    return !(t->d.flags & SL_DESCRIPTOR_GATHER) || ranges_fit(r, t);
}

/* Holds of one slot are counted where there can be several: of messages that share it, and where
 * holds have a lease, of a message that outlived it and of those that came into the slot after. */
static bool is_counted(const struct sl_ring_reader *r, bool shared)
{
    return shared || r->ring.lease_ns > 0;
}

static void set_hold(struct sl_ring_reader *r, uint32_t slot, bool shared)
{
    _Atomic uint8_t *held = &r->ledger->held[slot];
    if (is_counted(r, shared)) /* others of the slot may be held or released by other threads */
        atomic_fetch_add_explicit(held, 1, memory_order_relaxed);
    else
        atomic_store_explicit(held, 1, memory_order_relaxed);
}

static void clear_hold(struct sl_ring_reader *r, uint32_t slot, bool shared)
{
    _Atomic uint8_t *held = &r->ledger->held[slot];
    /* release: pairs with R3; what was read, was read before the publisher writes again */
    if (is_counted(r, shared))
        atomic_fetch_sub_explicit(held, 1, SL_ORDER_RELEASE);
    else
        atomic_store_explicit(held, 0, SL_ORDER_RELEASE);
}

static bool hold(struct sl_ring_reader *r, const struct sl_taken *t)
{
    const struct sl_descriptor *d = &t->d;
    bool shared = d->flags & SL_DESCRIPTOR_SHARED;
    /* The message's ends travel while the fence waits. A fetch too many does no harm. */
    if (r->base) {
        const unsigned char *body = r->base + d->slot * r->slot_size + d->body_offset;
        __builtin_prefetch(body);
        __builtin_prefetch(body + (d->body_length ? d->body_length - 1 : 0));
    }
    /* A message of a slot of its own cannot be held twice: these words are torn, and the slot is
     * one that we hold for another message. */
    if (!is_counted(r, shared) &&
        atomic_load_explicit(&r->ledger->held[d->slot], memory_order_relaxed) != 0)
        return false;
    set_hold(r, d->slot, shared);
    SL_FAIL_POINT(TAKE_HELD);
    /* T2: pairs with R2: the hold before the look whether the message still stands. */
    sl_fence_full();
    SL_FAIL_POINT(TAKE_FENCED);
    /* T3: the same state as before the copy: the descriptor is whole, and the slot is ours. */
    if (still_stands(r, t))
        return true;
    clear_hold(r, d->slot, shared);
    return false;
}

/* One message, `r->cursor + 1`. 1 taken, 0 lost or changed under our hands: look again. */
static int try_take(struct sl_ring_reader *r, struct sl_taken *t, void *inline_to)
{
    SL_FAIL_POINT(TAKE_LOOKED);
    bool fits = copy_and_check(r, t, inline_to);
    SL_FAIL_POINT(TAKE_COPIED);
    bool is_inline = t->d.flags & SL_DESCRIPTOR_INLINE;
    bool ours;
    if (!fits || is_inline) {
        sl_fence_acquire(); /* T3 without a hold: the copy before the second look */
        ours = t->by_queue || sl_ring_still(&r->ring, t->d.seq);
    } else {
        ours = hold(r, t);
    }
    if (!ours) { /* torn or retired: the next look says which, where the ring's entry tells */
        if (fits &&
            (t->by_queue || (sl_ring_still(&r->ring, t->d.seq) && !shared_stands(r, &t->d))))
            pass_over(r, t->d.seq, SL_LOSS_RECYCLED);
        return 0;
    }
    if (!fits) {
        pass_over(r, t->d.seq, SL_LOSS_INVALID);
        return 0;
    }
    SL_FAIL_POINT(TAKE_CHECKED);
    /* T4: the cursor behind the hold: a lossless publisher sees one of the two. */
    store_cursor(r, t->d.seq);
    if (!is_inline && r->holds_taken++ == 0)
        atomic_store_explicit(&r->owner, this_thread(), memory_order_relaxed);
    r->taken++;
    if (t->by_queue)
        r->inbox->received++;
    SL_FAIL_POINT(TAKE_DONE);
    t->lost_before = r->lost_since_take;
    r->lost_since_take = 0;
    return 1;
}

int sl_ring_reader_take(struct sl_ring_reader *r, struct sl_taken *t, void *inline_to)
{
    /* All entries of the ring may have been retired, and some may change while we look. */
    for (uint32_t looks = 0; looks < r->ring.mask + LOOKS_MAX; looks++) {
        switch (sl_transport_look(r->inbox, &r->ring, r->cursor + 1, t)) {
        case SL_RING_NOT_YET:
            return 0;
        case SL_RING_GONE:
            catch_up(r);
            continue;
        case SL_RING_RETIRED:
            pass_over(r, r->cursor + 1, SL_LOSS_RECYCLED);
            continue;
        case SL_RING_STANDING:
            break;
        }
        uint64_t before = r->cursor;
        apply_policy(r);
        if (r->cursor != before)
            continue;
        if (!(t->d.flags & SL_DESCRIPTOR_INLINE) && sl_ring_reader_held(r) >= r->quota)
            return -EDQUOT;
        if (try_take(r, t, inline_to) > 0)
            return 1;
    }
    return 0;
}

/* `holds_released` counts up from 0 while the reader is attached. Detaching subtracts what is still
 * held and what others released: from then on it counts up to 0, and exactly one thread sees it
 * arrive there. The owner counts apart, until it detaches. */
bool sl_ring_reader_release(struct sl_ring_reader *r, uint32_t slot, bool shared)
{
    SL_FAIL_POINT(RELEASE_BEGUN);
    clear_hold(r, slot, shared);
    SL_FAIL_POINT(RELEASE_CLEARED);
    if (atomic_load_explicit(&r->owner, memory_order_relaxed) == this_thread()) {
        uint64_t returned = atomic_load_explicit(&r->holds_returned, memory_order_relaxed);
        atomic_store_explicit(&r->holds_returned, returned + 1, memory_order_relaxed);
        return false;
    }
    return atomic_fetch_add_explicit(&r->holds_released, 1, memory_order_acq_rel) + 1 == 0;
}

bool sl_ring_reader_detach(struct sl_ring_reader *r)
{
    uint64_t others =
        r->holds_taken - atomic_load_explicit(&r->holds_returned, memory_order_relaxed);
    atomic_store_explicit(&r->owner, NULL, memory_order_relaxed);
    return atomic_fetch_sub_explicit(&r->holds_released, others, memory_order_acq_rel) == others;
}

bool sl_ring_reader_arm_for(struct sl_ring_reader *r, enum sl_wake_mode mode, uint32_t count)
{
    uint64_t at = r->cursor + count;
    if (sl_ring_head(&r->ring) >= at)
        return false;
    atomic_store_explicit(&r->ledger->wake_mode, mode, memory_order_relaxed);
    /* S1 */
    atomic_store_explicit(&r->ledger->wake_at, at, memory_order_release);
    SL_FAIL_POINT(ARM_ASKED);
    /* S2: pairs with W2: asked before looking a last time; either the publisher sees the request,
     * or we see the message that was asked for. */
    sl_fence_full();
    SL_FAIL_POINT(ARM_FENCED);
    if (sl_ring_head(&r->ring) < at)
        return true;
    sl_ring_reader_disarm(r);
    return false;
}

void sl_ring_reader_disarm(struct sl_ring_reader *r)
{
    atomic_store_explicit(&r->ledger->wake_at, 0, memory_order_relaxed);
    SL_FAIL_POINT(DISARM);
}
