/* SPDX-License-Identifier: Apache-2.0 */
#include "core/shm/slots.h"

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/shm/failpoint.h"
#include "core/shm/handshake.h"
#include "core/shm/order.h"
#include "core/shm/relay.h"
#include "core/shm/wake.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PASSED_MAX 16 /* slots passed in vain for more than one that may go */

/* The order of recycling: a list through the slots. ------------------------------------------- */

static void order_link(struct sl_slots *slots, uint32_t older, uint32_t newer)
{
    *(older == SL_NO_SLOT ? &slots->oldest : &slots->slot[older].newer) = newer;
    *(newer == SL_NO_SLOT ? &slots->newest : &slots->slot[newer].older) = older;
}

static void order_prepend(struct sl_slots *slots, uint32_t index)
{
    order_link(slots, index, slots->oldest);
    order_link(slots, SL_NO_SLOT, index);
}

static void order_append(struct sl_slots *slots, uint32_t index)
{
    order_link(slots, slots->newest, index);
    order_link(slots, index, SL_NO_SLOT);
}

static void order_remove(struct sl_slots *slots, uint32_t index)
{
    order_link(slots, slots->slot[index].older, slots->slot[index].newer);
}

/* How many slots are taken back at one time: messages go earlier than they must, but the way past
 * those that readers hold, and the fence, are paid for once. A quarter of few slots, 8 of some, and
 * of many, where hundreds may be held, no more than a sixteenth. */
static uint32_t ahead_of(uint32_t count)
{
    enum {
        SOME = 8
    };
    uint32_t least = count / 4 < SOME ? count / 4 : SOME, most = count / 16;
    uint32_t ahead = most > least ? most : least;
    return ahead < 1 ? 1 : ahead < SL_SLOTS_AHEAD_MAX ? ahead : SL_SLOTS_AHEAD_MAX;
}

int sl_slots_init(struct sl_slots *slots, uint32_t count, _Atomic uint64_t *state)
{
    *slots = (struct sl_slots){
        .count = count,
        .state = state,
        .oldest = SL_NO_SLOT,
        .newest = SL_NO_SLOT,
        .ahead_most = ahead_of(count),
    };
    slots->slot = calloc(count + 1, sizeof *slots->slot);
    struct sl_scan *scan = calloc(1, sizeof *scan);
    if (!slots->slot || !scan) {
        free(scan);
        sl_slots_finish(slots);
        return sl_error(-ENOMEM, "no memory for the book of %u slots", count);
    }
    atomic_init(&slots->scan, scan);
    for (uint32_t i = 0; i < count; i++)
        order_append(slots, i);
    return 0;
}

void sl_slots_finish(struct sl_slots *slots)
{
    free(slots->slot);
    free(atomic_load(&slots->scan));
    *slots = (struct sl_slots){0};
}

/* Looking at the ledgers. ---------------------------------------------------------------------- */

/* The scan list may be looked at between begin and end only. The store of `scanning`, the fence and
 * the load of the list face the swap, fence and load in replace_scan: one of the two sees the
 * other. This is the same fence that recycling needs (R2) and that waking needs (W2). */
static struct sl_scan *scan_begin(struct sl_slots *slots)
{
    atomic_store_explicit(&slots->scanning, 1, memory_order_relaxed);
    /* R2: pairs with T2. Retired (R1) before looking; who holds and does not see it retired, is
     * seen. W2: pairs with S2 in reader.c: the head (P5) before looking at wake requests. */
    sl_fence_full();
    return atomic_load_explicit(&slots->scan, memory_order_acquire);
}

static void scan_end(struct sl_slots *slots)
{
    atomic_store_explicit(&slots->scanning, 0, memory_order_release);
}

static bool peer_counts(const struct sl_peer *peer)
{
    return atomic_load_explicit(&peer->fate, memory_order_relaxed) == SL_PEER_ATTACHED;
}

static bool peer_holds(const struct sl_peer *peer, uint32_t slot)
{
    /* R3: acquire pairs with the release of the hold: what its reader read, it read before we
     * write. */
    return atomic_load_explicit(&peer->ledger->held[slot], memory_order_acquire) != 0;
}

static bool anyone_holds(const struct sl_scan *scan, uint32_t slot)
{
    for (unsigned i = 0; i < scan->count; i++)
        if (peer_counts(scan->peer[i]) && peer_holds(scan->peer[i], slot))
            return true;
    return false;
}

/* The first message of `channel` that a lossless subscriber has not read yet; UINT64_MAX if none.
 * Its cursor was visible before any message behind it was published and fenced (see reader.c,
 * attach), so a message that this thread published before its last fence is judged rightly. */
static uint64_t lossless_floor(const struct sl_scan *scan, const struct sl_channel *channel)
{
    uint64_t floor = UINT64_MAX;
    if (atomic_load_explicit(&channel->lossless_count, memory_order_relaxed) == 0)
        return floor;
    for (unsigned i = 0; i < scan->count; i++) {
        const struct sl_peer *p = scan->peer[i];
        if (p->channel != channel || !peer_counts(p) ||
            !atomic_load_explicit(&p->lossless, memory_order_relaxed))
            continue;
        uint64_t cursor = atomic_load_explicit(&p->ledger->cursor, memory_order_acquire);
        if (cursor < floor)
            floor = cursor;
    }
    return floor == UINT64_MAX ? floor : floor + 1;
}

/* May the slot be taken back, as far as its messages' channels are concerned? `ahead`: not needed
 * yet, so the newest message of a channel is left alone. */
static bool may_recycle(const struct sl_scan *scan, const struct sl_slot *slot, bool ahead)
{
    for (uint32_t i = 0; i < slot->use_count; i++) {
        const struct sl_channel *c = slot->use[i].channel;
        uint64_t seq = slot->use[i].seq;
        if (!c)
            continue;
        if (seq + c->retain > c->head || (ahead && seq == c->head))
            return false;
        if (seq >= lossless_floor(scan, c))
            return false;
    }
    return true;
}

/* Nobody can take a message of the slot any more, once the fence that must follow is made. */
static void retire(struct sl_slots *slots, uint32_t index)
{
    struct sl_slot *slot = &slots->slot[index];
    if (slot->status != SL_SLOT_PUBLISHED)
        return;
    slot->status = SL_SLOT_RETIRED;
    slots->retired++;
    /* A shared slot is retired by its own word, however many entries tell of it. */
    atomic_store_explicit(&slots->state[index], (uint64_t)slot->generation << 1,
                          memory_order_relaxed);
    if (!slot->is_shared && slot->use[0].channel)
        sl_ring_retire(&slot->use[0].channel->ring, slot->use[0].seq);
}

/* Loaning. ------------------------------------------------------------------------------------- */

/* How long the holds of a slot may last once it is retired: the longest lease of those who hold it;
 * INT64_MAX = as long as they like. */
static int64_t lease_of_holds(const struct sl_scan *scan, uint32_t slot)
{
    int64_t longest_ns = 0;
    for (unsigned i = 0; i < scan->count; i++) {
        const struct sl_peer *p = scan->peer[i];
        if (!peer_counts(p) || !peer_holds(p, slot))
            continue;
        if (p->lease_ns == 0)
            return INT64_MAX;
        if (p->lease_ns > longest_ns)
            longest_ns = p->lease_ns;
    }
    return longest_ns;
}

/* The slot may go but is held, and older than one that is taken back now. If its holds have a
 * lease, that one begins: the slot is retired, and the time is noted at the next look, behind a
 * fence. True: it was retired, the fence must follow. */
static bool begin_lease(struct sl_slots *slots, const struct sl_scan *scan, uint32_t index)
{
    struct sl_slot *slot = &slots->slot[index];
    int64_t lease_ns = slot->retired_at_ns == 0 ? lease_of_holds(scan, index) : 0;
    if (lease_ns == 0 || lease_ns == INT64_MAX) /* begun already, not held, or held for ever */
        return false;
    if (slot->status == SL_SLOT_RETIRED) {
        slot->retired_at_ns = sl_clock_monotonic_ns();
        return false;
    }
    retire(slots, index);
    return true;
}

/* Retire up to `most` of the oldest slots that may go: which ones, the oldest first. Once one is
 * found it does not look long for more: where readers hold hundreds, each message would pass them
 * all. */
static uint32_t retire_oldest(struct sl_slots *slots, const struct sl_scan *scan, uint32_t most,
                              bool ahead, uint32_t retired[SL_SLOTS_AHEAD_MAX], bool *ret_began)
{
    /* Messages of one topic stand here in their order, so behind the first that must stay there is
     * none that may go; but for those that were retired in vain, as a lossless subscriber that has
     * come since may begin before them. */
    const bool ends_at_first_that_stays = !slots->is_mixed && slots->retired == 0;
    uint32_t count = 0, passed = 0;
    *ret_began = false;
    for (uint32_t i = slots->oldest; i != SL_NO_SLOT && count < most && passed < PASSED_MAX;
         i = slots->slot[i].newer) {
        const struct sl_slot *slot = &slots->slot[i];
        bool stays = slot->status == SL_SLOT_PUBLISHED && !may_recycle(scan, slot, ahead);
        if (stays && ends_at_first_that_stays)
            break;
        if (!stays && (slot->status == SL_SLOT_FREE || !anyone_holds(scan, i))) {
            retire(slots, i);
            retired[count++] = i;
            continue;
        }
        *ret_began |= !stays && begin_lease(slots, scan, i);
        passed += count > 0;
    }
    return count;
}

/* Take slots back: retire, fence, look whether somebody has taken them in the meantime. What is
 * held after all stays retired, and is passed over until its holds end. One fence for all of them.
 * False: there was nothing to retire. */
static bool recycle(struct sl_slots *slots, const struct sl_scan *scan, bool ahead)
{
    uint32_t retired[SL_SLOTS_AHEAD_MAX];
    uint32_t most = ahead ? slots->ahead_most : 1;
    bool began;
    uint32_t count = retire_oldest(slots, scan, most, ahead, retired, &began);
    if (count == 0 && !began)
        return false;
    SL_FAIL_POINT(RECYCLE_RETIRED);
    sl_fence_full(); /* R2: pairs with T2 */
    SL_FAIL_POINT(RECYCLE_FENCED);
    for (uint32_t i = count; i-- > 0;) { /* the last one ahead is loaned first: the oldest */
        uint32_t index = retired[i];
        if (slots->slot[index].status != SL_SLOT_FREE && anyone_holds(scan, index))
            continue;
        order_remove(slots, index);
        slots->ahead[slots->ahead_count++] = index;
    }
    SL_FAIL_POINT(RECYCLE_LOOKED);
    return count > 0;
}

/* As above when a slot is needed now; the newest message may have to go too. */
static void recycle_now(struct sl_slots *slots)
{
    const struct sl_scan *scan = scan_begin(slots);
    recycle(slots, scan, true);
    /* Each round retires one more, so there are at most as many rounds as slots. */
    for (uint32_t i = 0; i < slots->count && slots->ahead_count == 0; i++)
        if (!recycle(slots, scan, false))
            break;
    scan_end(slots);
}

/* No slot is free: the oldest whose holds have outlived their lease is taken from them. Who reads
 * it still, learns that from sl_frame_check (F1 the bytes, F2 a fence, F3 the state). */
static void take_expired(struct sl_slots *slots)
{
    const struct sl_scan *scan = scan_begin(slots);
    uint64_t now_ns = sl_clock_monotonic_ns();
    for (uint32_t index = slots->oldest; index != SL_NO_SLOT; index = slots->slot[index].newer) {
        struct sl_slot *slot = &slots->slot[index];
        if (slot->status != SL_SLOT_RETIRED || slot->retired_at_ns == 0 ||
            (int64_t)(now_ns - slot->retired_at_ns) < lease_of_holds(scan, index))
            continue;
        /* E1: the generation that the frame had is over before its bytes change. */
        atomic_store_explicit(&slots->state[index], (uint64_t)(slot->generation + 1u) << 1,
                              memory_order_relaxed);
        /* E2: pairs with F2. Full: the bytes that follow may be written past the caches or by a
         * device, and neither waits for a store that is on its way. */
        sl_fence_full();
        order_remove(slots, index);
        slots->ahead[slots->ahead_count++] = index;
        slots->expired++;
        break;
    }
    scan_end(slots);
}

bool sl_peer_is_dead(const struct sl_peer *peer)
{
    /* Hang-up tells of a closed connection; a forked child may keep it open, hence the pidfd. */
    struct pollfd fds[2] = {
        {.fd = peer->fd, .events = POLLRDHUP},
        {.fd = peer->pidfd, .events = POLLIN},
    };
    if (poll(fds, 2, 0) <= 0)
        return false;
    return (fds[0].revents & (POLLHUP | POLLRDHUP | POLLERR)) || (fds[1].revents & POLLIN);
}

/* How many slots it holds at one moment, at least. A subscriber that lets one go and takes another
 * while we count would be counted twice: what is held in both of two passes was held between them.
 */
static unsigned holds_of(const struct sl_slots *slots, const struct sl_peer *peer)
{
    unsigned once = 0, twice = 0;
    for (uint32_t i = 0; i < slots->count; i++)
        once += peer_holds(peer, i);
    if (once <= peer->quota)
        return once;
    unsigned char seen[SL_SLOTS_MAX / 8] = {0};
    for (uint32_t i = 0; i < slots->count; i++)
        if (peer_holds(peer, i))
            seen[i / 8] |= (unsigned char)(1u << i % 8);
    /* No load of this pass goes before one of the last: each is an acquire (R3). */
    for (uint32_t i = 0; i < slots->count; i++)
        twice += (seen[i / 8] >> i % 8 & 1) && peer_holds(peer, i);
    return twice;
}

static void wake_peer(const struct sl_peer *peer)
{
    if (atomic_load_explicit(&peer->ledger->wake_mode, memory_order_relaxed) == SL_WAKE_FUTEX)
        sl_wake_futex(&peer->word->wake);
    else
        sl_wake_connection(peer->fd);
}

/* No slot is free. Are there holders that have no right to their holds? Asked after retiring, so a
 * verdict of death is never older than the hold. */
static bool drop_unlawful_holders(struct sl_slots *slots)
{
    bool dropped = false;
    struct sl_scan *scan = scan_begin(slots);
    for (unsigned i = 0; i < scan->count; i++) {
        struct sl_peer *p = scan->peer[i];
        if (!peer_counts(p))
            continue;
        unsigned holds = holds_of(slots, p);
        bool lossless = atomic_load_explicit(&p->lossless, memory_order_relaxed);
        if (holds == 0 && !lossless)
            continue;
        if (sl_peer_is_dead(p)) {
            atomic_store(&p->fate, SL_PEER_DIED);
            slots->died += !sl_goodbye_was_said(p->fd);
            dropped = true;
        } else if (holds > p->quota) {
            atomic_store_explicit(&p->word->state, SL_WORD_REVOKED, memory_order_release);
            atomic_store(&p->fate, SL_PEER_REVOKED);
            wake_peer(p); /* to be told */
            slots->revoked++;
            dropped = true;
        }
    }
    scan_end(slots);
    return dropped;
}

/* Does a lossless subscriber stand in the way: of the ring of `channel` up to message `needed`, or,
 * without a channel, of slots whose messages it has not read? */
static bool peer_blocks(const struct sl_peer *peer, const struct sl_channel *channel,
                        uint64_t needed)
{
    if (!peer->channel || (channel && peer->channel != channel) || !peer_counts(peer) ||
        !atomic_load_explicit(&peer->lossless, memory_order_relaxed))
        return false;
    return atomic_load_explicit(&peer->ledger->cursor, memory_order_acquire) <
           (channel ? needed : peer->channel->head);
}

/* One that has blocked for longer than its publisher allows loses that right. `since_ns` remembers
 * from call to call. */
static bool demote_slow(struct sl_slots *slots, struct sl_channel *channel, uint64_t needed,
                        uint64_t *since_ns)
{
    uint64_t now_ns = sl_clock_monotonic_ns();
    bool blocked = false, demoted = false;
    struct sl_scan *scan = scan_begin(slots);
    for (unsigned i = 0; i < scan->count; i++) {
        struct sl_peer *p = scan->peer[i];
        if (!peer_blocks(p, channel, needed))
            continue;
        blocked = true;
        /* It sleeps until more messages have come than now can come. */
        if (atomic_load_explicit(&p->ledger->wake_at, memory_order_relaxed) > p->channel->head)
            wake_peer(p);
        if (*since_ns == 0 || (int64_t)(now_ns - *since_ns) <= p->channel->lossless_timeout_ns)
            continue;
        atomic_store(&p->lossless, false);
        atomic_fetch_sub(&p->channel->lossless_count, 1);
        atomic_store_explicit(&p->word->state, SL_WORD_DEMOTED, memory_order_release);
        p->channel->demoted++;
        demoted = true;
    }
    scan_end(slots);
    if (!blocked || demoted)
        *since_ns = 0;
    else if (*since_ns == 0)
        *since_ns = now_ns;
    return demoted;
}

/* The message whose entry a further one overwrites, behind those that are promised; 0 = none yet.
 */
static uint64_t overwritten_by_next(const struct sl_channel *channel)
{
    uint64_t entries = (uint64_t)channel->ring.mask + 1;
    uint64_t next = channel->head + channel->promised + 1;
    return next > entries ? next - entries : 0;
}

int sl_slots_may_publish(struct sl_slots *slots, struct sl_channel *channel)
{
    uint64_t overwritten = overwritten_by_next(channel);
    if (channel->promised > channel->ring.mask)
        return sl_error(-EAGAIN, "%u loans are out, as many as the ring has entries",
                        channel->promised);
    /* Relaxed: W2 of the last message stands before this look. Who is counted behind it is promised
     * what follows that message, of which those to come (not more than the ring has entries)
     * overwrite nothing. tests/models/lossless.pml */
    if (overwritten == 0 ||
        atomic_load_explicit(&channel->lossless_count, memory_order_relaxed) == 0)
        return 0;
    for (int tries = 0; tries < 3; tries++) {
        struct sl_scan *scan = scan_begin(slots);
        bool blocked = lossless_floor(scan, channel) <= overwritten;
        scan_end(slots);
        if (!blocked) {
            channel->blocked_since_ns = 0;
            return 0;
        }
        if (!drop_unlawful_holders(slots) &&
            !demote_slow(slots, channel, overwritten, &channel->blocked_since_ns))
            break;
    }
    return sl_error(-EAGAIN, "a lossless subscriber is %u messages behind", channel->ring.mask + 1);
}

static void hand_out(struct sl_slots *slots, struct sl_channel *channel, uint32_t index)
{
    struct sl_slot *slot = &slots->slot[index];
    slots->retired -= slot->status == SL_SLOT_RETIRED;
    slot->status = SL_SLOT_LOANED;
    slot->generation++;
    slot->retired_at_ns = 0;
    slot->use_count = 0;
    slot->is_shared = false;
    slot->owner = channel;
    channel->promised++;
    slots->loaned++;
}

bool sl_slots_is_loan(const struct sl_slots *slots, uint32_t index, uint32_t generation)
{
    return index < slots->count && slots->slot[index].status == SL_SLOT_LOANED &&
           slots->slot[index].generation == generation;
}

/* The loan is over: published, discarded, or its channel ended. */
static void take_in(struct sl_slots *slots, uint32_t index)
{
    slots->slot[index].owner->promised--;
    slots->slot[index].owner = NULL;
    slots->loaned--;
}

int sl_slots_loan(struct sl_slots *slots, struct sl_channel *channel, uint32_t *ret_slot)
{
    if (slots->count == 0)
        return sl_error(-ENOTSUP, "the publisher has no slots; give it a slot_size");
    int err = sl_slots_may_publish(slots, channel);
    if (err < 0)
        return err;
    SL_FAIL_POINT(LOAN_ASKED);
    if (slots->ahead_count == 0)
        recycle_now(slots);
    for (int tries = 0; tries < 3 && slots->ahead_count == 0; tries++) {
        if (!drop_unlawful_holders(slots) && !demote_slow(slots, NULL, 0, &slots->blocked_since_ns))
            break;
        recycle_now(slots);
    }
    if (slots->ahead_count == 0)
        take_expired(slots);
    if (slots->ahead_count == 0)
        return sl_error(-EAGAIN, "all %u slots are held, loaned or retained", slots->count);
    uint32_t index = slots->ahead[--slots->ahead_count];
    slots->blocked_since_ns = 0;
    hand_out(slots, channel, index);
    SL_FAIL_POINT(LOAN_HANDED_OUT);
    *ret_slot = index;
    return 0;
}

void sl_slots_discard(struct sl_slots *slots, uint32_t index)
{
    struct sl_slot *slot = &slots->slot[index];
    take_in(slots, index);
    if (slot->use_count > 0) { /* messages of it were shown: it stands like any other */
        slot->status = SL_SLOT_PUBLISHED;
        order_append(slots, index);
        return;
    }
    slot->status = SL_SLOT_FREE;
    if (slots->ahead_count < slots->ahead_most)
        slots->ahead[slots->ahead_count++] = index;
    else
        order_prepend(slots, index); /* before any message has to go */
    SL_FAIL_POINT(LOAN_DISCARDED);
}

/* Publishing. ---------------------------------------------------------------------------------- */

static int note_use(struct sl_slot *slot, struct sl_channel *channel, uint64_t seq)
{
    for (uint32_t i = 0; i < slot->use_count; i++) {
        if (slot->use[i].channel == channel) {
            slot->use[i].seq = seq;
            return 0;
        }
    }
    if (slot->use_count == SL_SLOT_CHANNELS_MAX)
        return sl_error(-E2BIG, "messages of more than %d topics in one slot",
                        SL_SLOT_CHANNELS_MAX);
    slot->use[slot->use_count++] = (struct sl_slot_use){channel, seq};
    return 0;
}

static bool wants_to_know(const struct sl_peer *peer, const struct sl_channel *channel,
                          uint64_t old_head, uint64_t head)
{
    if (peer->channel != channel)
        return false;
    uint64_t wake_at = atomic_load_explicit(&peer->ledger->wake_at, memory_order_relaxed);
    return wake_at > old_head && wake_at <= head && peer_counts(peer);
}

/* Wake whose request was crossed; or have it done, if there is a relay. */
static void wake_crossed(const struct sl_scan *scan, const struct sl_channel *channel,
                         uint64_t old_head, uint64_t head, struct sl_relay *relay)
{
    for (unsigned i = 0; i < scan->count; i++) {
        if (!wants_to_know(scan->peer[i], channel, old_head, head))
            continue;
        if (relay) {
            sl_relay_ring(relay);
            return;
        }
        wake_peer(scan->peer[i]);
    }
}

/* A request at or before `told` is no reason: when that head was read, before the requests, it was
 * seen and answered, or its writer looks at the head after that and does not sleep. */
uint64_t sl_slots_wake(struct sl_slots *slots, const struct sl_channel *channel, uint64_t told)
{
    uint64_t head = sl_ring_head(&channel->ring);
    atomic_store_explicit(&slots->relaying, 1, memory_order_relaxed);
    /* W2 of the relay: pairs with S2; the head before looking at wake requests. Also as in
     * scan_begin: faces the fence in replace_scan. */
    sl_fence_full();
    const struct sl_scan *scan = atomic_load_explicit(&slots->scan, memory_order_acquire);
    wake_crossed(scan, channel, told, head, NULL);
    atomic_store_explicit(&slots->relaying, 0, memory_order_release);
    return head;
}

/* Tell who asked to be told, and have a slot at hand before the next one is needed. */
static void look_around(struct sl_slots *slots, struct sl_channel *channel, uint64_t old_head)
{
    const struct sl_scan *scan = scan_begin(slots);
    SL_FAIL_POINT(PUBLISH_WAKING);
    wake_crossed(scan, channel, old_head, channel->head, channel->relay);
    SL_FAIL_POINT(PUBLISH_WOKEN);
    if (slots->ahead_count == 0 && slots->count > 0)
        recycle(slots, scan, true);
    scan_end(slots);
}

int sl_slots_publish(struct sl_slots *slots, struct sl_channel *channel, uint32_t index, bool last,
                     struct sl_descriptor *d, const struct sl_ring_payload *payload)
{
    uint64_t old_head = channel->head;
    SL_FAIL_POINT(PUBLISH_BEGUN);
    d->seq = old_head + 1;
    int err = channel->sender ? sl_iceoryx_reserve(channel->sender) : 0;
    if (err < 0)
        return err;
    if (index != SL_NO_SLOT) {
        struct sl_slot *slot = &slots->slot[index];
        err = note_use(slot, channel, d->seq);
        if (err < 0)
            return err;
        slot->is_shared |= !last;
        if (slot->is_shared)
            d->flags |= SL_DESCRIPTOR_SHARED;
        slots->is_mixed |= slot->is_shared || (slots->only && slots->only != channel);
        slots->only = channel;
        d->slot = index;
        d->generation = slot->generation;
        /* Relaxed: the entry's state (P4) is stored after it, and shows it. */
        atomic_store_explicit(&slots->state[index], (uint64_t)slot->generation << 1 | 1,
                              memory_order_relaxed);
    }
    SL_FAIL_POINT(PUBLISH_SLOT);
    sl_transport_send(&channel->ring, channel->sender, d, payload);
    /* The readers are on their way; our book is kept while they are. */
    channel->head = d->seq;
    if (index != SL_NO_SLOT && last) {
        slots->slot[index].status = SL_SLOT_PUBLISHED;
        take_in(slots, index);
        order_append(slots, index);
    }
    look_around(slots, channel, old_head);
    return 0;
}

static void forget_use(struct sl_slots *slots, struct sl_channel *channel, uint32_t index)
{
    struct sl_slot *slot = &slots->slot[index];
    bool others = false, ours = false;
    for (uint32_t u = 0; u < slot->use_count; u++) {
        ours |= slot->use[u].channel == channel;
        others |= slot->use[u].channel && slot->use[u].channel != channel;
    }
    if (!ours)
        return;
    if (!others)
        retire(slots, index);
    for (uint32_t u = 0; u < slot->use_count; u++)
        if (slot->use[u].channel == channel)
            slot->use[u].channel = NULL;
}

void sl_slots_forget(struct sl_slots *slots, struct sl_channel *channel)
{
    for (uint32_t i = 0; i < slots->count; i++) {
        if (slots->slot[i].status == SL_SLOT_LOANED && slots->slot[i].owner == channel)
            sl_slots_discard(slots, i);
        forget_use(slots, channel, i);
    }
    if (slots->only == channel)
        slots->only = NULL;
}

/* Peers. --------------------------------------------------------------------------------------- */

/* A scan is a fraction of a microsecond, and at most a few system calls, long. Sleeping lets a
 * thread of lower priority on the same core come to its end. */
static void wait_for_end(const _Atomic uint32_t *scanning)
{
    struct timespec pause = {.tv_nsec = 50000};
    for (int looks = 0; atomic_load_explicit(scanning, memory_order_acquire); looks++) {
        if (looks < 16)
            sched_yield();
        else
            nanosleep(&pause, NULL);
    }
}

static void replace_scan(struct sl_slots *slots, struct sl_scan *next)
{
    struct sl_scan *old = atomic_exchange(&slots->scan, next);
    sl_fence_full(); /* see scan_begin */
    wait_for_end(&slots->scanning);
    wait_for_end(&slots->relaying);
    free(old);
}

static struct sl_scan *scan_of(unsigned count)
{
    struct sl_scan *scan = malloc(sizeof *scan + count * sizeof scan->peer[0]);
    if (scan)
        scan->count = 0;
    return scan;
}

int sl_slots_add_peer(struct sl_slots *slots, struct sl_peer *peer)
{
    const struct sl_scan *old = atomic_load(&slots->scan);
    struct sl_scan *next = scan_of(old->count + 1);
    peer->spare = scan_of(SL_PEERS_MAX);
    if (!next || !peer->spare || old->count == SL_PEERS_MAX) {
        free(next);
        free(peer->spare);
        peer->spare = NULL;
        return -ENOMEM;
    }
    memcpy(next->peer, old->peer, old->count * sizeof next->peer[0]);
    next->peer[old->count] = peer;
    next->count = old->count + 1;
    replace_scan(slots, next);
    return 0;
}

void sl_slots_remove_peer(struct sl_slots *slots, struct sl_peer *peer)
{
    const struct sl_scan *old = atomic_load(&slots->scan);
    struct sl_scan *next = peer->spare;
    peer->spare = NULL;
    for (unsigned i = 0; i < old->count; i++)
        if (old->peer[i] != peer)
            next->peer[next->count++] = old->peer[i];
    replace_scan(slots, next);
}

uint32_t sl_slots_held(struct sl_slots *slots)
{
    const struct sl_scan *scan = atomic_load(&slots->scan);
    uint32_t held = 0;
    for (uint32_t i = 0; i < slots->count; i++)
        held += anyone_holds(scan, i);
    return held;
}

uint64_t sl_slots_unread(struct sl_slots *slots, const struct sl_channel *channel)
{
    uint64_t head = sl_ring_head(&channel->ring);
    uint64_t floor = lossless_floor(atomic_load(&slots->scan), channel);
    return floor > head ? 0 : head + 1 - floor;
}

static bool holds_any(const struct sl_slots *slots, const struct sl_peer *peer)
{
    for (uint32_t i = 0; i < slots->count; i++)
        if (peer_holds(peer, i))
            return true;
    return false;
}

uint32_t sl_slots_unreleased(struct sl_slots *slots, const struct sl_channel *channel)
{
    const struct sl_scan *scan = atomic_load(&slots->scan);
    uint64_t head = sl_ring_head(&channel->ring);
    uint32_t count = 0;
    for (unsigned i = 0; i < scan->count; i++) {
        const struct sl_peer *p = scan->peer[i];
        if (p->channel != channel || !peer_counts(p) ||
            !atomic_load_explicit(&p->lossless, memory_order_relaxed))
            continue;
        /* Before its holds: pairs with T4 in reader.c. Who has taken the last message has set its
         * hold before, so what is not held here was let go. */
        uint64_t cursor = atomic_load_explicit(&p->ledger->cursor, memory_order_acquire);
        count += cursor < head || holds_any(slots, p);
    }
    return count;
}
