/* SPDX-License-Identifier: Apache-2.0 */
/* test_order.c - both ends of the bus over one mapping, so that ThreadSanitizer sees all of it.
 *
 * A publisher and two readers, each a thread, use the real ring, slots and reader over plain
 * memory. Frames are written with plain stores and read with plain loads: only the orders of
 * core/shm keep them apart. Meanwhile the main thread lets a further subscriber come and go, as the
 * service thread does. With SL_ORDER_PUBLISH or SL_ORDER_RELEASE relaxed the same program must be
 * reported (order.cmake). */
#include "core/base/clock.h"
#include "core/shm/reader.h"
#include "core/shm/slots.h"
#include "core/shm/wake.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> /* behind what it needs */

enum {
    RUN_MS = 900,
    SLOTS = 12,
    ENTRIES = 16,
    PARTS = 3, /* messages that stand in one slot, at most */
    PART_WORDS = 24,
    PART_BYTES = PART_WORDS * 8,
    INLINE_BYTES = 40,
    READERS = 2,
    HELD_MAX = 3, /* frames that a reader keeps for a while */
    NAP_NS = 2000000,
};

struct bus;

/* A frame that its taker leaves to the other reader's thread to release. */
struct parcel {
    struct sl_ring_reader *reader;
    uint32_t slot;
    bool shared;
};

struct consumer {
    struct bus *bus;
    struct sl_ring_reader reader;
    struct sl_peer peer;
    bool sleeps; /* else it looks again and again */
    struct sl_taken held[HELD_MAX];
    unsigned held_count;
    _Atomic(struct parcel *) parcel; /* from the other one */
    uint64_t last, gaps, wrong;
};

struct bus {
    void *ring_memory;
    _Atomic uint64_t *state;
    uint64_t *pool; /* plain memory */
    struct sl_slots slots;
    struct sl_channel channel;
    struct consumer consumer[READERS];
    atomic_uint attached;
    atomic_bool stop, done;
    uint64_t published, failed;
};

static void *zeroed(size_t size)
{
    void *memory = NULL;
    assert_int_equal(posix_memalign(&memory, SL_LINE, size), 0);
    return memset(memory, 0, size);
}

static struct sl_ledger *make_ledger(void)
{
    return zeroed(sizeof(struct sl_ledger) + SLOTS);
}

static uint64_t word_of(uint64_t seq, unsigned i)
{
    return seq * UINT64_C(0x9e3779b97f4a7c15) + i;
}

/* The publisher. ------------------------------------------------------------------------------- */

__attribute__((noinline)) static void write_part(uint64_t *part, uint64_t seq)
{
    for (unsigned i = 0; i < PART_WORDS; i++)
        part[i] = word_of(seq, i);
}

static void publish_inline(struct bus *b)
{
    uint64_t body[INLINE_BYTES / 8];
    for (unsigned i = 0; i < INLINE_BYTES / 8; i++)
        body[i] = word_of(b->channel.head + 1, i);
    if (sl_slots_may_publish(&b->slots, &b->channel) < 0)
        return;
    struct sl_descriptor d = {.flags = SL_DESCRIPTOR_INLINE, .body_length = INLINE_BYTES};
    struct sl_ring_payload payload = {.inline_body = body};
    b->failed += sl_slots_publish(&b->slots, &b->channel, SL_NO_SLOT, false, &d, &payload) < 0;
}

/* One slot with `parts` messages, each written when those before it may be read already. */
static void publish_slot(struct bus *b, unsigned parts)
{
    uint32_t slot;
    if (sl_slots_loan(&b->slots, &b->channel, &slot) < 0) {
        sched_yield();
        return;
    }
    for (unsigned part = 0; part < parts; part++) {
        bool last = part == parts - 1;
        while (!last && sl_slots_may_publish(&b->slots, &b->channel) < 0)
            sched_yield();
        uint32_t offset = part * PART_BYTES;
        write_part(b->pool + (slot * PARTS + part) * PART_WORDS, b->channel.head + 1);
        struct sl_descriptor d = {.body_offset = offset, .body_length = PART_BYTES};
        struct sl_ring_payload none = {0};
        b->failed += sl_slots_publish(&b->slots, &b->channel, slot, last, &d, &none) < 0;
    }
}

static void *publisher(void *context)
{
    struct bus *b = context;
    while (atomic_load(&b->attached) < READERS)
        sched_yield();
    for (unsigned round = 0; !atomic_load_explicit(&b->stop, memory_order_relaxed); round++) {
        if (round % 7 == 0)
            publish_inline(b);
        else
            publish_slot(b, round % 5 == 0 ? PARTS : 1);
    }
    b->published = b->channel.head;
    /* The last messages have no successor that would wake a sleeper; they nap, not sleep. */
    atomic_store(&b->done, true);
    return NULL;
}

/* The readers. --------------------------------------------------------------------------------- */

__attribute__((noinline)) static uint64_t check_part(const uint64_t *part, uint64_t seq)
{
    uint64_t wrong = 0;
    for (unsigned i = 0; i < PART_WORDS; i++)
        wrong += part[i] != word_of(seq, i);
    return wrong;
}

static uint64_t check_frame(const struct bus *b, const struct sl_taken *t)
{
    const uint64_t *slot = b->pool + t->d.slot * (uint64_t)(PARTS * PART_WORDS);
    return check_part(slot + t->d.body_offset / 8, t->d.seq);
}

/* Release what the other reader left here. */
static void open_parcel(struct consumer *c)
{
    struct parcel *parcel = atomic_exchange(&c->parcel, NULL);
    if (!parcel)
        return;
    sl_ring_reader_release(parcel->reader, parcel->slot, parcel->shared);
    free(parcel);
}

/* Leave a frame to the other reader's thread; false: one lies there already. */
static bool leave_parcel(struct consumer *c, const struct sl_taken *t)
{
    struct consumer *other = &c->bus->consumer[c == &c->bus->consumer[0]];
    struct parcel *parcel = malloc(sizeof *parcel);
    if (!parcel)
        return false;
    *parcel = (struct parcel){&c->reader, t->d.slot, t->d.flags & SL_DESCRIPTOR_SHARED};
    struct parcel *none = NULL;
    bool left = atomic_compare_exchange_strong(&other->parcel, &none, parcel);
    if (!left)
        free(parcel);
    return left;
}

/* Its bytes are still the same; then it goes. */
static void let_go(struct consumer *c, unsigned which)
{
    struct sl_taken t = c->held[which];
    c->held[which] = c->held[--c->held_count];
    c->wrong += check_frame(c->bus, &t);
    if (t.d.seq % 11 != 0 || !leave_parcel(c, &t))
        sl_ring_reader_release(&c->reader, t.d.slot, t.d.flags & SL_DESCRIPTOR_SHARED);
}

static void look_at(struct consumer *c, const struct sl_taken *t, const uint64_t *body)
{
    c->gaps += t->d.seq != c->last + t->lost_before + 1;
    c->last = t->d.seq;
    if (t->d.flags & SL_DESCRIPTOR_INLINE) {
        for (unsigned i = 0; i < INLINE_BYTES / 8; i++)
            c->wrong += body[i] != word_of(t->d.seq, i);
        return;
    }
    c->wrong += check_frame(c->bus, t);
    c->held[c->held_count++] = *t;
    if (c->held_count == HELD_MAX)
        let_go(c, (unsigned)(t->d.seq % HELD_MAX));
}

static void pause_for(struct consumer *c)
{
    uint32_t value = atomic_load_explicit(&c->reader.word->wake, memory_order_acquire);
    const _Atomic uint32_t *word = &c->reader.word->wake;
    if (!c->sleeps || !sl_ring_reader_arm(&c->reader, SL_WAKE_FUTEX)) {
        sched_yield();
        return;
    }
    sl_sleep_futex(&word, &value, 1, sl_clock_monotonic_ns() + NAP_NS);
    sl_ring_reader_disarm(&c->reader);
}

static void *reader(void *context)
{
    struct consumer *c = context;
    uint64_t body[INLINE_BYTES / 8];
    struct sl_taken t;
    if (sl_ring_reader_attach(&c->reader, 0) < 0)
        c->wrong++;
    atomic_fetch_add(&c->bus->attached, 1);
    for (;;) {
        bool is_last_look = atomic_load(&c->bus->done);
        int taken = sl_ring_reader_take(&c->reader, &t, body);
        if (taken == 1)
            look_at(c, &t, body);
        else if (is_last_look)
            break;
        else
            pause_for(c);
        open_parcel(c);
    }
    while (c->held_count > 0)
        let_go(c, 0);
    return NULL;
}

/* The bus. ------------------------------------------------------------------------------------- */

static struct sl_peer peer_of(struct bus *b, struct sl_ledger *ledger, unsigned word, bool lossless)
{
    return (struct sl_peer){
        .channel = &b->channel,
        .ledger = ledger,
        .word = &b->channel.ring.words[word],
        .quota = SL_QUOTA_MAX,
        .lossless = lossless,
        .fd = -1,
        .pidfd = -1,
    };
}

static void make_consumer(struct bus *b, unsigned index, enum sl_policy policy)
{
    struct consumer *c = &b->consumer[index];
    struct sl_ledger *ledger = make_ledger();
    bool lossless = policy == SL_LOSSLESS;
    c->bus = b;
    c->sleeps = index > 0; /* whoever looks at the head is in order by the head, so one must not */
    c->peer = peer_of(b, ledger, index, lossless);
    atomic_store(&ledger->cursor, UINT64_MAX - 1);
    atomic_fetch_add(&b->channel.lossless_count, lossless);
    c->reader = (struct sl_ring_reader){
        .ring = b->channel.ring,
        .ledger = ledger,
        .word = c->peer.word,
        .state = b->state,
        .base = (unsigned char *)b->pool,
        .slot_count = SLOTS,
        .slot_size = PARTS * PART_BYTES,
        .policy = policy,
        .quota = SL_QUOTA_MAX,
    };
    assert_int_equal(sl_slots_add_peer(&b->slots, &c->peer), 0);
}

static struct bus *make_bus(enum sl_policy first, enum sl_policy second)
{
    struct bus *b = zeroed(sizeof *b);
    b->ring_memory = zeroed(sl_ring_size(ENTRIES, INLINE_BYTES, READERS + 1));
    b->state = zeroed(SLOTS * sizeof *b->state);
    b->pool = zeroed(SLOTS * PARTS * PART_BYTES);
    sl_ring_format(b->ring_memory, 1, ENTRIES, INLINE_BYTES, READERS + 1, &b->channel.ring);
    b->channel.lossless_timeout_ns = INT64_MAX;
    assert_int_equal(sl_slots_init(&b->slots, SLOTS, b->state), 0);
    make_consumer(b, 0, first);
    make_consumer(b, 1, second);
    return b;
}

static void free_bus(struct bus *b)
{
    for (unsigned i = 0; i < READERS; i++) {
        sl_slots_remove_peer(&b->slots, &b->consumer[i].peer);
        free(b->consumer[i].reader.ledger);
    }
    sl_slots_finish(&b->slots);
    free(b->pool);
    free(b->state);
    free(b->ring_memory);
    free(b);
}

/* As the service thread: a subscriber comes and goes, and its ledger is unmapped. */
static void let_others_come_and_go(struct bus *b)
{
    uint64_t until_ns = sl_clock_monotonic_ns() + RUN_MS * UINT64_C(1000000);
    while (sl_clock_monotonic_ns() < until_ns) {
        struct sl_peer *peer = malloc(sizeof *peer);
        struct sl_ledger *ledger = make_ledger();
        *peer = peer_of(b, ledger, READERS, false);
        assert_int_equal(sl_slots_add_peer(&b->slots, peer), 0);
        sched_yield();
        sl_slots_remove_peer(&b->slots, peer);
        memset(ledger, 0xff, sizeof *ledger + SLOTS);
        free(ledger);
        free(peer);
    }
}

static void run(struct bus *b)
{
    pthread_t thread[READERS + 1];
    for (unsigned i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, reader, &b->consumer[i]), 0);
    assert_int_equal(pthread_create(&thread[READERS], NULL, publisher, b), 0);
    let_others_come_and_go(b);
    atomic_store(&b->stop, true);
    for (unsigned i = 0; i <= READERS; i++)
        assert_int_equal(pthread_join(thread[i], NULL), 0);
    for (unsigned i = 0; i < READERS; i++)
        open_parcel(&b->consumer[i]); /* left behind its last look */
}

static uint64_t lost_of(const struct consumer *c)
{
    uint64_t lost = 0;
    for (int i = 0; i < SL_LOSS_REASONS; i++)
        lost += c->reader.lost[i];
    return lost;
}

static void check_bus(struct bus *b)
{
    assert_int_equal(b->failed, 0);
    assert_true(b->published > ENTRIES);
    for (unsigned i = 0; i < READERS; i++) {
        struct consumer *c = &b->consumer[i];
        print_message("reader %u: %llu of %llu messages taken\n", i,
                      (unsigned long long)c->reader.taken, (unsigned long long)b->published);
        assert_int_equal(c->wrong, 0);
        assert_int_equal(c->gaps, 0);
        assert_true(c->reader.taken > 0);
        assert_int_equal(c->reader.taken + lost_of(c), b->published);
        assert_int_equal(c->reader.lost[SL_LOSS_INVALID], 0);
        assert_true(sl_ring_reader_detach(&c->reader)); /* nothing is held */
        if (c->reader.policy == SL_LOSSLESS)
            assert_int_equal(lost_of(c), 0);
    }
    assert_int_equal(sl_slots_held(&b->slots), 0);
}

static void frames_stay_whole_while_they_are_held(void **state)
{
    (void)state;
    struct bus *b = make_bus(SL_KEEP_LAST, SL_LATEST);
    run(b);
    check_bus(b);
    free_bus(b);
}

static void lossless_reader_gets_every_message_whole(void **state)
{
    (void)state;
    struct bus *b = make_bus(SL_LOSSLESS, SL_KEEP_LAST);
    run(b);
    check_bus(b);
    free_bus(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_stay_whole_while_they_are_held),
        cmocka_unit_test(lossless_reader_gets_every_message_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
