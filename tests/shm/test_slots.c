/* SPDX-License-Identifier: Apache-2.0 */
/* test_slots.c - the book of slots, the ring and a reader without sockets: numbers that wrap, and
 * steps of the two sides in an order that threads rarely find. */
#include "core/shm/reader.h"
#include "core/shm/slots.h"
#include "tests/shm/support.h"

#include <stdlib.h>
#include <string.h>

#define HOUR_NS INT64_C(3600000000000)

enum {
    SLOTS = 4,
    MANY = 40,
    ENTRIES = 8
};

/* Both ends of a topic over private memory. */
struct bench {
    struct sl_slots slots;
    _Atomic uint64_t state[MANY];
    struct sl_channel channel;
    struct sl_peer peer;
    struct sl_ring_reader reader;
    void *ring, *ledger;
};

static void *lines(size_t size)
{
    size = (size + SL_LINE - 1) / SL_LINE * SL_LINE;
    void *memory = aligned_alloc(SL_LINE, size);
    assert_non_null(memory);
    return memset(memory, 0, size);
}

static void bench_start_with(struct bench *b, uint32_t slots, uint64_t head, uint32_t generation,
                             enum sl_policy policy)
{
    memset(b, 0, sizeof *b);
    b->ring = lines(sl_ring_size(ENTRIES, 64, 1));
    b->ledger = lines(sizeof(struct sl_ledger) + slots);
    sl_ring_format(b->ring, 1, ENTRIES, 64, 1, &b->channel.ring);
    b->channel.head = head;
    b->channel.lossless_timeout_ns = INT64_MAX;
    atomic_store(&b->channel.ring.ring->head, head);
    assert_ok(sl_slots_init(&b->slots, slots, b->state));
    for (uint32_t i = 0; i < slots; i++)
        b->slots.slot[i].generation = generation;
    b->peer = (struct sl_peer){.channel = &b->channel,
                               .ledger = b->ledger,
                               .word = &b->channel.ring.words[0],
                               .quota = 2,
                               .fd = -1,
                               .pidfd = -1};
    atomic_store(&b->peer.lossless, policy == SL_LOSSLESS);
    atomic_store(&b->channel.lossless_count, policy == SL_LOSSLESS);
    assert_ok(sl_slots_add_peer(&b->slots, &b->peer));
    b->reader = (struct sl_ring_reader){.ring = b->channel.ring,
                                        .ledger = b->ledger,
                                        .word = &b->channel.ring.words[0],
                                        .state = b->state,
                                        .slot_count = slots,
                                        .slot_size = SLOT_SIZE,
                                        .policy = policy,
                                        .quota = 2};
    assert_ok(sl_ring_reader_attach(&b->reader, UINT64_MAX));
}

static void bench_start(struct bench *b, uint64_t head, uint32_t generation, enum sl_policy policy)
{
    bench_start_with(b, SLOTS, head, generation, policy);
}

static void bench_end(struct bench *b)
{
    sl_slots_remove_peer(&b->slots, &b->peer);
    free(b->peer.spare);
    sl_slots_finish(&b->slots);
    free(b->ring);
    free(b->ledger);
}

static uint32_t show(struct bench *b, bool last)
{
    static const struct sl_ring_payload none;
    uint32_t slot;
    assert_ok(sl_slots_loan(&b->slots, &b->channel, &slot));
    struct sl_descriptor d = {.body_length = 8};
    if (!last) {
        assert_ok(sl_slots_publish(&b->slots, &b->channel, slot, false, &d, &none));
        d = (struct sl_descriptor){.body_length = 8};
    }
    assert_ok(sl_slots_publish(&b->slots, &b->channel, slot, true, &d, &none));
    return slot;
}

static void generations_and_sequences_wrap(void **state)
{
    (void)state;
    static const uint64_t heads[] = {0, UINT32_MAX - 20, (UINT64_C(1) << 62) - 20};
    for (int h = 0; h < 3; h++) {
        struct bench b;
        bench_start(&b, heads[h], UINT32_MAX - 5, SL_KEEP_LAST);
        struct sl_taken t;
        uint64_t seq = heads[h];
        for (int i = 0; i < 60; i++) {
            bool shared = i % 3 == 0;
            uint32_t slot = show(&b, !shared);
            for (int n = 0; n <= shared; n++) {
                assert_int_equal(sl_ring_reader_take(&b.reader, &t, NULL), 1);
                assert_true(t.d.seq == ++seq);
                assert_int_equal(t.d.slot, slot);
                assert_int_equal(t.lost_before, 0);
                sl_ring_reader_release(&b.reader, slot, t.d.flags & SL_DESCRIPTOR_SHARED);
            }
            assert_int_equal(sl_ring_reader_take(&b.reader, &t, NULL), 0);
        }
        assert_true(b.slots.slot[0].generation < 100);
        bench_end(&b);
    }
}

static void slot_that_is_held_is_passed_over(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, 0, 0, SL_KEEP_LAST);
    struct sl_taken t;
    uint32_t held = show(&b, true);
    assert_int_equal(sl_ring_reader_take(&b.reader, &t, NULL), 1);
    for (int i = 0; i < 50; i++)
        assert_int_not_equal(show(&b, true), held);
    assert_int_equal(sl_slots_held(&b.slots), 1);
    sl_ring_reader_release(&b.reader, held, false);
    bool came_back = false;
    for (int i = 0; i < SLOTS + 1; i++)
        came_back |= show(&b, true) == held;
    assert_true(came_back);
    bench_end(&b);
}

/* A hold that was set before the retiring, by a reader that then finds the message retired: it
 * gives up, and the slot is not lost. */
static void hold_without_a_message_is_let_go(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, 0, 0, SL_KEEP_LAST);
    uint32_t slot = show(&b, true);
    struct sl_ledger *ledger = b.ledger;
    atomic_store(&ledger->held[slot], 1); /* as set_hold does */
    for (int i = 0; i < 20; i++)
        assert_int_not_equal(show(&b, true), slot);
    atomic_store(&ledger->held[slot], 0);
    uint32_t loan[SLOTS];
    for (int i = 0; i < SLOTS; i++)
        assert_ok(sl_slots_loan(&b.slots, &b.channel, &loan[i]));
    uint32_t more;
    assert_int_equal(sl_slots_loan(&b.slots, &b.channel, &more), -EAGAIN);
    for (int i = 0; i < SLOTS; i++)
        sl_slots_discard(&b.slots, loan[i]);
    bench_end(&b);
}

/* The entry was overwritten by a younger message while its slot's older one is retired. */
static void retiring_an_old_message_spares_the_younger_one_in_its_entry(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, 0, 0, SL_KEEP_LAST);
    struct sl_ring_map *map = &b.channel.ring;
    struct sl_descriptor d = {.seq = 1, .body_length = 8};
    static const struct sl_ring_payload none;
    sl_ring_write(map, &d, &none);
    d.seq = 1 + ENTRIES;
    sl_ring_write(map, &d, &none);
    sl_ring_retire(map, 1);
    assert_int_equal(sl_ring_look(map, 1 + ENTRIES, &d), SL_RING_STANDING);
    assert_int_equal(sl_ring_look(map, 1, &d), SL_RING_GONE);
    assert_int_equal(sl_ring_look(map, 1 + 2 * ENTRIES, &d), SL_RING_NOT_YET);
    sl_ring_retire(map, 1 + ENTRIES);
    assert_int_equal(sl_ring_look(map, 1 + ENTRIES, &d), SL_RING_RETIRED);
    assert_false(sl_ring_still(map, 1 + ENTRIES));
    bench_end(&b);
}

/* From when it is shown until its release, however many stand in the slot; what a reader who may
 * lose messages has is not told. */
static void message_is_unreleased_until_a_lossless_reader_lets_it_go(void **state)
{
    (void)state;
    for (int kinds = 0; kinds < 4; kinds++) {
        bool is_lossless = kinds & 1, shared = kinds & 2;
        struct bench b;
        struct sl_taken t;
        bench_start(&b, 0, 0, is_lossless ? SL_LOSSLESS : SL_KEEP_LAST);
        assert_int_equal(sl_slots_unreleased(&b.slots, &b.channel), 0);
        show(&b, !shared);
        for (int n = 0; n <= shared; n++) {
            assert_int_equal(sl_slots_unreleased(&b.slots, &b.channel), is_lossless);
            assert_int_equal(sl_ring_reader_take(&b.reader, &t, NULL), 1);
            assert_int_equal(sl_slots_unreleased(&b.slots, &b.channel), is_lossless);
            sl_ring_reader_release(&b.reader, t.d.slot, shared);
        }
        assert_int_equal(sl_slots_unreleased(&b.slots, &b.channel), 0);
        bench_end(&b);
    }
}

static void lossless_reader_keeps_its_slots(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, 0, 0, SL_LOSSLESS);
    struct sl_taken t;
    uint32_t slot;
    uint64_t seq = 0;
    for (int round = 0; round < 20; round++) {
        for (int i = 0; sl_slots_loan(&b.slots, &b.channel, &slot) == 0; i++) {
            assert_true(i < 100);
            sl_slots_discard(&b.slots, slot);
            show(&b, true);
        }
        while (sl_ring_reader_take(&b.reader, &t, NULL) == 1) {
            assert_true(t.d.seq == ++seq);
            sl_ring_reader_release(&b.reader, t.d.slot, false);
        }
    }
    assert_true(seq >= 20 * (SLOTS - 1));
    bench_end(&b);
}

/* Loan until none is left, and once more, so that the time of what is held is noted. */
static uint32_t loan_all(struct bench *b)
{
    uint32_t count = 0, slot;
    while (sl_slots_loan(&b->slots, &b->channel, &slot) == 0)
        assert_true(++count <= SLOTS);
    assert_int_equal(sl_slots_loan(&b->slots, &b->channel, &slot), -EAGAIN);
    return count;
}

static void return_all(struct bench *b)
{
    for (uint32_t i = 0; i < SLOTS; i++)
        if (b->slots.slot[i].status == SL_SLOT_LOANED)
            sl_slots_discard(&b->slots, i);
}

/* Behind those that somebody keeps for long, as many are taken back at a time as without them. */
static void many_that_are_held_are_passed_over(void **state)
{
    (void)state;
    struct bench b;
    bench_start_with(&b, MANY, 0, 0, SL_KEEP_LAST);
    struct sl_ledger *ledger = b.ledger;
    for (int i = 0; i < MANY; i++)
        atomic_store(&ledger->held[show(&b, true)], i < MANY / 2);
    uint32_t most = 0;
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(atomic_load(&ledger->held[show(&b, true)]), 0);
        most = b.slots.ahead_count > most ? b.slots.ahead_count : most;
    }
    assert_int_equal(most, b.slots.ahead_most);
    bench_end(&b);
}

/* Few slots lose no more than a quarter of their messages early, many a sixteenth. */
static void as_many_go_at_one_time_as_the_pool_can_spare(void **state)
{
    (void)state;
    static const uint32_t expected[][2] = {{1, 1},   {4, 1},    {8, 2},    {32, 8},
                                           {128, 8}, {256, 16}, {512, 32}, {4096, 32}};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        struct sl_slots slots;
        _Atomic uint64_t *words = calloc(expected[i][0], sizeof *words);
        assert_non_null(words);
        assert_ok(sl_slots_init(&slots, expected[i][0], words));
        assert_int_equal(slots.ahead_most, expected[i][1]);
        sl_slots_finish(&slots);
        free(words);
    }
}

/* A slot that was retired in vain is found once it is let go, also where a lossless subscriber has
 * come since that begins before its message and before others that it has not read. */
static void slot_retired_in_vain_is_found_behind_what_is_unread(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, 0, 0, SL_KEEP_LAST);
    struct sl_ledger *ledger = b.ledger;
    uint32_t older = show(&b, true), younger = show(&b, true), slot;
    atomic_store(&ledger->held[older], 1);
    atomic_store(&ledger->held[younger], 1);
    b.peer.lease_ns = HOUR_NS; /* a lease retires what is held */
    loan_all(&b);
    return_all(&b);
    assert_int_equal(b.slots.slot[younger].status, SL_SLOT_RETIRED);
    b.peer.lease_ns =
        0; /* now as if it had been the younger's hold that came while it was retired */
    b.slots.slot[younger].retired_at_ns = 0;
    b.slots.slot[older].status = SL_SLOT_PUBLISHED;
    b.slots.retired--;
    atomic_store(&ledger->cursor, 0);
    atomic_store(&b.peer.lossless, true);
    atomic_store(&b.channel.lossless_count, 1);
    atomic_store(&ledger->held[younger], 0);
    bool is_found = false;
    while (sl_slots_loan(&b.slots, &b.channel, &slot) == 0)
        is_found |= slot == younger;
    assert_true(is_found);
    assert_int_equal(b.slots.slot[older].status, SL_SLOT_PUBLISHED);
    bench_end(&b);
}

/* Slots stand in the order in which they were let go. Where that is not the order of what they
 * hold, one that may go stands behind one that must stay. */
static void slot_behind_a_retained_one_is_found(void **state)
{
    (void)state;
    static const struct sl_ring_payload none;
    struct bench b;
    struct sl_descriptor d = {.body_length = 8};
    uint32_t slot, found;
    bench_start(&b, 0, 0, SL_KEEP_LAST);
    b.channel.retain = 1;
    assert_ok(sl_slots_loan(&b.slots, &b.channel, &slot));
    assert_ok(sl_slots_publish(&b.slots, &b.channel, slot, false, &d, &none));
    show(&b, true);
    sl_slots_discard(&b.slots, slot); /* no more of it; the message stands */
    for (int i = 0; i < SLOTS - 1; i++)
        assert_ok(sl_slots_loan(&b.slots, &b.channel, &found));
    assert_int_equal(found, slot);
    return_all(&b);
    bench_end(&b);
}

static void slot_of_another_topic_behind_a_retained_one_is_found(void **state)
{
    (void)state;
    static const struct sl_ring_payload none;
    struct bench b;
    struct sl_descriptor d = {.body_length = 8};
    uint32_t slot, found;
    bench_start(&b, 0, 0, SL_KEEP_LAST);
    b.channel.retain = 1;
    struct sl_channel other = {.lossless_timeout_ns = INT64_MAX};
    void *ring = lines(sl_ring_size(ENTRIES, 64, 1));
    sl_ring_format(ring, 2, ENTRIES, 64, 1, &other.ring);
    show(&b, true);
    assert_ok(sl_slots_loan(&b.slots, &other, &slot));
    assert_ok(sl_slots_publish(&b.slots, &other, slot, true, &d, &none));
    for (int i = 0; i < SLOTS - 1; i++)
        assert_ok(sl_slots_loan(&b.slots, &b.channel, &found));
    assert_int_equal(found, slot);
    return_all(&b);
    sl_slots_forget(&b.slots, &other);
    bench_end(&b);
    free(ring);
}

/* Leases. ----------------------------------------------------------------------------------------
 */

static void bench_start_with_lease(struct bench *b)
{
    bench_start(b, 0, UINT32_MAX - 1, SL_KEEP_LAST); /* the generation wraps on the way */
    b->peer.lease_ns = b->reader.ring.lease_ns = HOUR_NS;
}

/* So much later: the clock is put on by putting back what was noted. */
static void pass_time(struct bench *b, int64_t by_ns)
{
    for (int i = 0; i < SLOTS; i++)
        if (b->slots.slot[i].retired_at_ns != 0)
            b->slots.slot[i].retired_at_ns -= (uint64_t)by_ns;
}

/* Show a message and take it. */
static struct sl_taken show_and_hold(struct bench *b, bool last)
{
    struct sl_taken t;
    show(b, last);
    assert_int_equal(sl_ring_reader_take(&b->reader, &t, NULL), 1);
    return t;
}

/* What sl_frame_check asks. */
static bool is_whole(const struct bench *b, const struct sl_taken *t)
{
    return b->state[t->d.slot] >> 1 == t->d.generation;
}

static void holds_end_with_their_lease_one_by_one_the_oldest_first(void **state)
{
    (void)state;
    struct bench b;
    bench_start_with_lease(&b);
    struct sl_taken t[2] = {show_and_hold(&b, true), show_and_hold(&b, true)};
    assert_int_equal(loan_all(&b), SLOTS - 2);
    pass_time(&b, HOUR_NS - 60000000000);
    uint32_t slot;
    assert_int_equal(sl_slots_loan(&b.slots, &b.channel, &slot), -EAGAIN);
    assert_true(is_whole(&b, &t[0]) && is_whole(&b, &t[1])); /* retired, and whole */
    assert_int_equal(b.slots.expired, 0);
    pass_time(&b, 60000000000);
    assert_ok(sl_slots_loan(&b.slots, &b.channel, &slot));
    assert_int_equal(slot, t[0].d.slot);
    /* Nothing was written yet, and the frame is over already. */
    assert_false(is_whole(&b, &t[0]));
    assert_int_equal(b.state[slot] & 1, 0);
    assert_true(is_whole(&b, &t[1]));
    assert_int_equal(b.slots.expired, 1);
    assert_ok(sl_slots_loan(&b.slots, &b.channel, &slot));
    assert_int_equal(slot, t[1].d.slot);
    assert_int_equal(b.slots.expired, 2);
    assert_int_equal(sl_slots_loan(&b.slots, &b.channel, &slot), -EAGAIN);
    return_all(&b);
    assert_false(is_whole(&b, &t[0])); /* also when it was not written after all */
    for (int i = 0; i < 2; i++)
        sl_ring_reader_release(&b.reader, t[i].d.slot, false);
    assert_int_equal(sl_slots_held(&b.slots), 0);
    assert_int_equal(loan_all(&b), SLOTS);
    return_all(&b);
    bench_end(&b);
}

/* The frame of before is not let go yet when the next message comes into its slot: that one is
 * taken and held all the same, and letting the old one go does not end the new one's hold. */
static void message_in_the_slot_of_an_expired_hold_is_taken_and_held(void **state)
{
    (void)state;
    for (int kinds = 0; kinds < 4; kinds++) { /* one message in the slot, or two */
        bool old_alone = kinds & 1, young_alone = kinds & 2;
        struct bench b;
        bench_start_with_lease(&b);
        b.peer.quota = b.reader.quota = 9;
        struct sl_taken old = show_and_hold(&b, old_alone), young;
        assert_int_equal(loan_all(&b), SLOTS - 1);
        pass_time(&b, HOUR_NS);
        assert_int_equal(show(&b, young_alone), old.d.slot);
        assert_int_equal(sl_ring_reader_take(&b.reader, &young, NULL), 1);
        assert_int_equal(young.d.slot, old.d.slot);
        assert_int_equal(young.lost_before, old_alone ? 0 : 1);
        assert_true(is_whole(&b, &young));
        assert_false(is_whole(&b, &old));
        sl_ring_reader_release(&b.reader, old.d.slot, !old_alone);
        assert_int_equal(sl_slots_held(&b.slots), 1);
        assert_int_equal(loan_all(&b), 0);
        assert_int_equal(b.slots.expired, 1);
        assert_true(is_whole(&b, &young));
        pass_time(&b, HOUR_NS);
        assert_int_equal(show(&b, true), young.d.slot);
        assert_int_equal(b.slots.expired, 2);
        assert_false(is_whole(&b, &young));
        sl_ring_reader_release(&b.reader, young.d.slot, !young_alone);
        assert_int_equal(sl_slots_held(&b.slots), 0);
        return_all(&b);
        bench_end(&b);
    }
}

static void hold_of_one_without_a_lease_does_not_expire(void **state)
{
    (void)state;
    struct bench b;
    bench_start_with_lease(&b);
    struct sl_ledger *ledger = lines(sizeof *ledger + SLOTS);
    struct sl_peer other = b.peer; /* of another publisher over the pool */
    other.ledger = ledger;
    other.lease_ns = 0;
    assert_ok(sl_slots_add_peer(&b.slots, &other));
    struct sl_taken t = show_and_hold(&b, true);
    atomic_store(&ledger->held[t.d.slot], 1);
    assert_int_equal(loan_all(&b), SLOTS - 1);
    assert_int_equal(b.slots.slot[t.d.slot].status,
                     SL_SLOT_PUBLISHED); /* who holds it so may stay */
    atomic_store(&ledger->held[t.d.slot], 0);
    assert_int_equal(loan_all(&b), 0);
    pass_time(&b, HOUR_NS);
    atomic_store(&ledger->held[t.d.slot], 1);
    uint32_t slot;
    assert_int_equal(sl_slots_loan(&b.slots, &b.channel, &slot), -EAGAIN);
    assert_true(is_whole(&b, &t));
    atomic_store(&ledger->held[t.d.slot], 0);
    assert_ok(sl_slots_loan(&b.slots, &b.channel, &slot));
    sl_ring_reader_release(&b.reader, t.d.slot, false);
    return_all(&b);
    sl_slots_remove_peer(&b.slots, &other);
    free(other.spare);
    free(ledger);
    bench_end(&b);
}

static void what_is_retained_does_not_expire(void **state)
{
    (void)state;
    struct bench b;
    bench_start_with_lease(&b);
    b.channel.retain = 1;
    struct sl_taken t = show_and_hold(&b, true);
    assert_int_equal(loan_all(&b), SLOTS - 1);
    pass_time(&b, HOUR_NS);
    uint32_t slot;
    assert_int_equal(sl_slots_loan(&b.slots, &b.channel, &slot), -EAGAIN);
    assert_true(is_whole(&b, &t));
    assert_int_equal(b.slots.slot[t.d.slot].status, SL_SLOT_PUBLISHED);
    sl_ring_reader_release(&b.reader, t.d.slot, false);
    return_all(&b);
    bench_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(generations_and_sequences_wrap),
        cmocka_unit_test(slot_that_is_held_is_passed_over),
        cmocka_unit_test(hold_without_a_message_is_let_go),
        cmocka_unit_test(retiring_an_old_message_spares_the_younger_one_in_its_entry),
        cmocka_unit_test(lossless_reader_keeps_its_slots),
        cmocka_unit_test(many_that_are_held_are_passed_over),
        cmocka_unit_test(as_many_go_at_one_time_as_the_pool_can_spare),
        cmocka_unit_test(slot_retired_in_vain_is_found_behind_what_is_unread),
        cmocka_unit_test(message_is_unreleased_until_a_lossless_reader_lets_it_go),
        cmocka_unit_test(slot_behind_a_retained_one_is_found),
        cmocka_unit_test(slot_of_another_topic_behind_a_retained_one_is_found),
        cmocka_unit_test(holds_end_with_their_lease_one_by_one_the_oldest_first),
        cmocka_unit_test(message_in_the_slot_of_an_expired_hold_is_taken_and_held),
        cmocka_unit_test(hold_of_one_without_a_lease_does_not_expire),
        cmocka_unit_test(what_is_retained_does_not_expire),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
