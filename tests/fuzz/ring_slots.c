/* SPDX-License-Identifier: Apache-2.0 */
/* ring_slots.c - a publisher's book of slots, over the ledgers of hostile subscribers.
 *
 * Input: slots and topics, then steps: loans, messages, discards, topics that end, subscribers that
 * come and go, and between and within them stores of the subscribers to their ledgers.
 * Promise: every slot is in exactly one place, and the counts, statuses and words agree; a slot
 * that was published and that an attached subscriber has held ever since is not given out, or, if
 * that one's holds have a lease, not under the generation that it holds. */
#include "tests/fuzz/ring.h"

#include "core/shm/order.h"

static void subscribers_move(void);

/* The real book, whose subscribers move whenever order between the two is at stake. */
#define sl_fence_full    subscribers_move
#define sl_fence_acquire subscribers_move
#include "core/shm/slots.c"
#undef sl_fence_full
#undef sl_fence_acquire

#include <sys/socket.h>
#include <unistd.h>

enum {
    CHANNELS = SL_SLOT_CHANNELS_MAX + 1, /* one too many for a slot */
    PEERS = 3,
    SLOTS_MAX = 40, /* a quarter is more than SL_SLOTS_AHEAD_MAX */
    INLINE_MAX = 20,
};

struct loan {
    uint32_t slot, generation;
    struct sl_channel *owner;
};

static struct world {
    struct input *in;
    uint32_t count;
    _Atomic uint64_t *state;
    struct sl_slots slots;
    struct sl_channel channel[CHANNELS];
    void *ring[CHANNELS];
    struct loan loan[SLOTS_MAX];
    uint32_t loan_count;
    struct sl_peer peer[PEERS];
    struct sl_ledger *ledger[PEERS]; /* NULL = no such peer */
    struct sl_word last_word[PEERS];
    bool steady[PEERS][SLOTS_MAX];         /* published and held, since some step ended */
    uint32_t generation[PEERS][SLOTS_MAX]; /* of what is held so */
} w;

/* Connections: one that lives, and one whose other end is closed. */
static int live_fd[2], hung_up_fd;

static void open_connections(void)
{
    static bool are_open; /* opened once: the target runs thousands of times a second */
    int pair[2];
    if (are_open)
        return;
    expect(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, live_fd) == 0);
    expect(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
    close(pair[1]);
    hung_up_fd = pair[0];
    are_open = true;
}

/* Subscribers. --------------------------------------------------------------------------------- */

static void subscribers_move(void)
{
    struct input *in = w.in;
    uint8_t what = next8(in);
    uint32_t p = what / 8 % PEERS;
    struct sl_ledger *ledger = w.ledger[p];
    if (!ledger || what % 8 == 0)
        return;
    uint32_t slot = w.count > 0 ? next8(in) % w.count : 0;
    switch (what % 8) {
    case 1:
    case 2:
        if (w.count > 0)
            atomic_store(&ledger->held[slot], 1 + next8(in) % 255);
        break;
    case 3:
        if (w.count > 0)
            atomic_store(&ledger->held[slot], 0);
        w.steady[p][slot] = false;
        break;
    case 4: /* all at one time: over any quota */
        for (uint32_t i = 0; i < w.count; i++)
            atomic_store(&ledger->held[i], 1);
        break;
    case 5:
        atomic_store(&ledger->cursor, next_number(in));
        break;
    case 6:
        atomic_store(&ledger->wake_at, next_number(in));
        break;
    case 7:
        atomic_store(&ledger->wake_mode, (uint32_t)next_number(in));
        break;
    }
}

static struct sl_channel *any_channel(void)
{
    uint8_t number = next8(w.in);
    return &w.channel[number < 0xc0 ? number % 2 : number % CHANNELS];
}

static void leave_channel(struct sl_peer *peer)
{
    if (peer->channel && atomic_load(&peer->lossless))
        atomic_fetch_sub(&peer->channel->lossless_count, 1);
    atomic_store(&peer->lossless, false);
}

static void add_peer(uint32_t p)
{
    struct input *in = w.in;
    uint8_t kind = next8(in);
    w.ledger[p] = peer_memory(offsetof(struct sl_ledger, held) + w.count);
    struct sl_peer *peer = &w.peer[p];
    *peer = (struct sl_peer){
        .channel = any_channel(),
        .ledger = w.ledger[p],
        .quota = 1 + kind / 16,
        .lease_ns = kind & 4 ? 1 : 0,
        .fd = kind % 4 == 0   ? -1
              : kind % 4 == 1 ? hung_up_fd
                              : live_fd[0],
        .pidfd = -1,
    };
    peer->word = &peer->channel->ring.words[p];
    if (kind & 8) {
        atomic_store(&peer->lossless, true);
        atomic_fetch_add(&peer->channel->lossless_count, 1);
        atomic_store(&w.ledger[p]->cursor, UINT64_MAX - 1);
    }
    expect(sl_slots_add_peer(&w.slots, peer) == 0);
}

static void remove_peer(uint32_t p)
{
    sl_slots_remove_peer(&w.slots, &w.peer[p]);
    leave_channel(&w.peer[p]);
    free(w.ledger[p]);
    w.ledger[p] = NULL;
    for (uint32_t i = 0; i < w.count; i++)
        w.steady[p][i] = false;
}

/* Topics. -------------------------------------------------------------------------------------- */

static void open_channel(struct sl_channel *c, uint32_t entries, uint32_t retain, bool is_patient)
{
    void **ring = &w.ring[c - w.channel];
    *ring = peer_memory(sl_ring_size(entries, INLINE_MAX, PEERS));
    *c = (struct sl_channel){.retain = retain, .lossless_timeout_ns = is_patient ? INT64_MAX : 0};
    sl_ring_format(*ring, 1, entries, INLINE_MAX, PEERS, &c->ring);
}

/* Nobody may take a message of a topic that ended, but of slots that stand for other topics or for
 * the owner of their loan: those are retired by their word. */
static void check_ended(const struct sl_channel *c)
{
    struct sl_descriptor d;
    for (uint64_t back = 0; back <= c->ring.mask && back < c->head; back++) {
        if (sl_ring_look(&c->ring, c->head - back, &d) != SL_RING_STANDING ||
            d.flags & SL_DESCRIPTOR_INLINE)
            continue;
        const struct sl_slot *slot = &w.slots.slot[d.slot];
        bool stands = slot->status == SL_SLOT_LOANED;
        for (uint32_t u = 0; u < slot->use_count; u++)
            stands |= slot->use[u].channel != NULL;
        expect(d.flags & SL_DESCRIPTOR_SHARED);
        expect(stands || w.state[d.slot] != ((uint64_t)d.generation << 1 | 1));
    }
}

/* The topic ends, its subscribers keep what they hold; another takes its place. */
static void renew_channel(struct sl_channel *c)
{
    uint32_t entries = c->ring.mask + 1;
    bool is_patient = c->lossless_timeout_ns > 0;
    sl_slots_forget(&w.slots, c);
    for (uint32_t i = 0; i < w.loan_count;)
        if (w.loan[i].owner == c)
            w.loan[i] = w.loan[--w.loan_count];
        else
            i++;
    for (uint32_t p = 0; p < PEERS; p++) {
        struct sl_peer *peer = &w.peer[p];
        if (!w.ledger[p] || peer->channel != c)
            continue;
        leave_channel(peer);
        sl_slots_remove_peer(&w.slots, peer);
        peer->channel = NULL;
        peer->word = &w.last_word[p];
        expect(sl_slots_add_peer(&w.slots, peer) == 0);
    }
    expect(c->promised == 0 && c->lossless_count == 0);
    for (uint32_t i = 0; i < w.count; i++)
        for (uint32_t u = 0; u < w.slots.slot[i].use_count; u++)
            expect(w.slots.slot[i].use[u].channel != c);
    check_ended(c);
    free(w.ring[c - w.channel]);
    open_channel(c, entries, next8(w.in) % 4, is_patient);
}

/* The publisher. ------------------------------------------------------------------------------- */

static void loan(void)
{
    struct sl_channel *c = any_channel();
    uint32_t slot = SL_NO_SLOT;
    int err = sl_slots_loan(&w.slots, c, &slot);
    expect(err == 0 || err == -EAGAIN || (err == -ENOTSUP && w.count == 0));
    if (err < 0)
        return;
    expect(slot < w.count && w.slots.slot[slot].owner == c);
    w.loan[w.loan_count++] = (struct loan){slot, w.slots.slot[slot].generation, c};
}

static void publish(uint8_t what)
{
    if (w.loan_count == 0)
        return;
    uint32_t which = next8(w.in) % w.loan_count;
    struct loan l = w.loan[which];
    struct sl_channel *c = what & 0x80 ? any_channel() : l.owner;
    bool last = what & 0x40;
    expect(sl_slots_is_loan(&w.slots, l.slot, l.generation));
    if ((!last || c != l.owner) && sl_slots_may_publish(&w.slots, c) < 0)
        return;
    struct sl_range range = {SL_AREA_SLOT, 1, 2};
    struct sl_ring_payload payload = {.ranges = &range, .range_count = 1};
    struct sl_descriptor d = {.flags = what & 0x20 ? SL_DESCRIPTOR_GATHER : 0};
    uint64_t head = c->head;
    int err = sl_slots_publish(&w.slots, c, l.slot, last, &d, &payload);
    expect(err == 0 ? c->head == head + 1 : err == -E2BIG && c->head == head);
    if (err == 0 && last)
        w.loan[which] = w.loan[--w.loan_count];
}

static void discard(void)
{
    if (w.loan_count == 0)
        return;
    uint32_t which = next8(w.in) % w.loan_count;
    sl_slots_discard(&w.slots, w.loan[which].slot);
    w.loan[which] = w.loan[--w.loan_count];
}

static void publish_inline(void)
{
    static const unsigned char body[INLINE_MAX];
    struct sl_channel *c = any_channel();
    if (sl_slots_may_publish(&w.slots, c) < 0)
        return;
    struct sl_ring_payload payload = {.inline_body = body};
    struct sl_descriptor d = {.flags = SL_DESCRIPTOR_INLINE, .body_length = next8(w.in) % 21};
    expect(sl_slots_publish(&w.slots, c, SL_NO_SLOT, false, &d, &payload) == 0);
}

/* The promises. -------------------------------------------------------------------------------- */

static void check_places(void)
{
    const struct sl_slots *s = &w.slots;
    uint32_t places[SLOTS_MAX] = {0}, loaned = 0, ordered = 0, older = SL_NO_SLOT;
    expect(s->ahead_count <= s->ahead_most);
    for (uint32_t slot = s->oldest; slot != SL_NO_SLOT; slot = s->slot[slot].newer) {
        expect(slot < w.count && s->slot[slot].status != SL_SLOT_LOANED);
        expect(s->slot[slot].older == older && ordered++ < w.count);
        places[slot]++;
        older = slot;
    }
    expect(s->newest == older);
    for (uint32_t i = 0; i < s->ahead_count; i++) {
        uint32_t slot = s->ahead[i];
        expect(slot < w.count &&
               (s->slot[slot].status == SL_SLOT_FREE || s->slot[slot].status == SL_SLOT_RETIRED));
        places[slot]++;
    }
    for (uint32_t i = 0; i < w.count; i++) {
        bool is_loan = s->slot[i].status == SL_SLOT_LOANED;
        expect(is_loan == (s->slot[i].owner != NULL));
        loaned += is_loan;
        expect(places[i] + is_loan == 1);
    }
    expect(loaned == s->loaned && loaned == w.loan_count);
    expect(ordered + s->ahead_count + loaned == w.count);
}

/* The words that subscribers read say what the book says. */
static void check_words(uint32_t index)
{
    const struct sl_slot *slot = &w.slots.slot[index];
    uint64_t state = w.state[index];
    bool stands = slot->status == SL_SLOT_PUBLISHED ||
                  (slot->status == SL_SLOT_LOANED && slot->use_count > 0);
    expect((state & 1) == stands && (!stands || state >> 1 == slot->generation));
    const struct sl_channel *c = slot->use_count == 1 ? slot->use[0].channel : NULL;
    if (!c || slot->is_shared || c->head - slot->use[0].seq > c->ring.mask)
        return;
    if (slot->status == SL_SLOT_PUBLISHED || slot->status == SL_SLOT_RETIRED)
        expect(sl_ring_still(&c->ring, slot->use[0].seq) == stands);
}

static void check_channels(void)
{
    for (uint32_t i = 0; i < CHANNELS; i++) {
        const struct sl_channel *c = &w.channel[i];
        uint32_t promised = 0, lossless = 0;
        for (uint32_t l = 0; l < w.loan_count; l++)
            promised += w.loan[l].owner == c;
        for (uint32_t p = 0; p < PEERS; p++)
            lossless += w.ledger[p] && w.peer[p].channel == c && atomic_load(&w.peer[p].lossless);
        expect(c->promised == promised && c->lossless_count == lossless);
        expect(sl_ring_head(&c->ring) == c->head);
    }
}

static void check_holds(uint32_t index)
{
    enum sl_slot_status status = w.slots.slot[index].status;
    bool is_given_out = status == SL_SLOT_LOANED;
    for (uint32_t i = 0; i < w.slots.ahead_count; i++)
        is_given_out |= w.slots.ahead[i] == index;
    for (uint32_t p = 0; p < PEERS; p++) {
        if (!w.ledger[p] || !peer_counts(&w.peer[p]))
            continue;
        expect(!is_given_out || !w.steady[p][index] ||
               (w.peer[p].lease_ns > 0 && w.state[index] >> 1 != w.generation[p][index]));
        if (status == SL_SLOT_PUBLISHED && w.ledger[p]->held[index] != 0) {
            w.steady[p][index] = true;
            w.generation[p][index] = w.slots.slot[index].generation;
        }
    }
}

static void check(void)
{
    check_places();
    check_channels();
    for (uint32_t i = 0; i < w.count; i++) {
        check_words(i);
        check_holds(i);
    }
    expect(sl_slots_held(&w.slots) <= w.count);
}

static void step(void)
{
    uint8_t what = next8(w.in);
    uint32_t p = what / 8 % PEERS;
    switch (what % 8) {
    case 0:
    case 1:
        loan();
        break;
    case 2:
    case 3:
        publish(what);
        break;
    case 4:
        subscribers_move();
        break;
    case 5:
        publish_inline();
        break;
    case 6:
        if (what & 0x80)
            discard();
        else if (what == 6)
            renew_channel(any_channel());
        break;
    case 7:
        if (!w.ledger[p])
            add_peer(p);
        else if (what & 0x80)
            remove_peer(p);
        break;
    }
}

static void play(void)
{
    struct input *in = w.in;
    uint8_t shape = next8(in);
    for (uint32_t i = 0; i < CHANNELS; i++)
        open_channel(&w.channel[i], 1u << shape % 4, i == 0 ? shape / 4 % 4 : 0, shape & 16);
    while (in->left > 0) {
        step();
        check();
    }
    for (uint32_t p = 0; p < PEERS; p++)
        if (w.ledger[p])
            remove_peer(p);
    for (uint32_t i = 0; i < CHANNELS; i++)
        free(w.ring[i]);
}

void play_slots(struct input *in)
{
    open_connections();
    w = (struct world){.in = in};
    w.count = next8(in) % (SLOTS_MAX + 1);
    w.state = peer_memory(w.count * sizeof *w.state);
    expect(sl_slots_init(&w.slots, w.count, w.state) == 0);
    play();
    sl_slots_finish(&w.slots);
    free(w.state);
}
