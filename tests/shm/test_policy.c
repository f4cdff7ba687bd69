/* SPDX-License-Identifier: Apache-2.0 */
/* test_policy.c - which messages a subscriber gets, and that every other one is counted. */
#include "core/shm/layout.h"
#include "tests/shm/support.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

static void publish_range(struct sl_publisher *p, uint64_t first, uint64_t last)
{
    for (uint64_t i = first; i <= last; i++)
        assert_ok(publish(p, i, 200));
}

static void expect_range(struct sl_subscriber *s, uint64_t first, uint64_t last)
{
    for (uint64_t i = first; i <= last; i++)
        assert_int_equal(take_and_release(s), i);
}

static void expect_nothing(struct sl_subscriber *s)
{
    struct sl_frame f;
    assert_int_equal(sl_subscriber_take(s, &f), -EAGAIN);
}

static void messages_come_in_order(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE});
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
    uint64_t seq = 0;
    for (uint64_t i = 0; i < 2000; i += 4) { /* around the ring and the slots many times */
        publish_range(p, i, i + 3);
        for (uint64_t k = i; k < i + 4; k++) {
            struct sl_frame f;
            assert_int_equal(take(s, &f), k);
            assert_int_equal(f.seq, ++seq);
            assert_int_equal(f.lost_before, 0);
            sl_frame_release(&f);
        }
        expect_nothing(s);
    }
    assert_int_equal(lost_in_all(s), 0);
    assert_int_equal(reader_status_of(s).taken, 2000);
    sl_subscriber_close(s);
    sl_publisher_close(p);
}

static void late_subscriber_begins_with_the_next_message(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE});
    publish_range(p, 1, 5);
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
    expect_nothing(s);
    publish_range(p, 6, 7);
    expect_range(s, 6, 7);
    assert_int_equal(lost_in_all(s), 0);
    sl_subscriber_close(s);
    sl_publisher_close(p);
}

static void late_subscriber_may_ask_for_history(void **state)
{
    (void)state;
    struct sl_publisher *p =
        publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE, .slot_count = 40});
    publish_range(p, 1, 12);
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){.history = 3});
    struct sl_subscriber *more_than_there_are =
        subscriber_of((struct sl_subscriber_options){.history = 1000});
    expect_range(s, 10, 12);
    expect_range(more_than_there_are, 1, 12);
    expect_nothing(s);
    assert_int_equal(lost_in_all(s), 0);
    assert_int_equal(lost_in_all(more_than_there_are), 0);
    sl_subscriber_close(more_than_there_are);
    sl_subscriber_close(s);
    sl_publisher_close(p);
}

static void subscriber_that_was_first_misses_nothing(void **state)
{
    (void)state;
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
    expect_nothing(s);
    struct sl_publisher *p =
        publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE, .slot_count = 40});
    publish_range(p, 1, 20);
    expect_range(s, 1, 20);
    assert_int_equal(lost_in_all(s), 0);
    sl_subscriber_close(s);
    sl_publisher_close(p);
}

static void retained_messages_wait_for_late_subscribers(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of(
        (struct sl_publisher_options){.slot_size = SLOT_SIZE, .retain = 3, .subscribers = 4});
    publish_range(p, 1, 100);
    struct sl_subscriber *first = subscriber_of((struct sl_subscriber_options){0});
    expect_range(first, 98, 100);
    struct sl_subscriber *latest =
        subscriber_of((struct sl_subscriber_options){.policy = SL_LATEST});
    expect_range(latest, 100, 100);
    struct sl_subscriber *two = subscriber_of((struct sl_subscriber_options){.depth = 2});
    expect_range(two, 99, 100);
    publish_range(p, 101, 101);
    expect_range(first, 101, 101);
    assert_int_equal(lost_in_all(first), 0);
    assert_int_equal(lost_in_all(latest), 0); /* what was before us is no loss */
    assert_int_equal(lost_in_all(two), 0);
    /* Nobody's holds drive them out. */
    struct sl_frame f[4];
    for (int i = 0; i < 4; i++) {
        publish_range(p, 200 + (uint64_t)i, 200 + (uint64_t)i);
        take(first, &f[i]);
    }
    publish_range(p, 300, 400);
    struct sl_subscriber *last = subscriber_of((struct sl_subscriber_options){0});
    expect_range(last, 398, 400);
    for (int i = 0; i < 4; i++)
        sl_frame_release(&f[i]);
    sl_subscriber_close(last);
    sl_subscriber_close(two);
    sl_subscriber_close(latest);
    sl_subscriber_close(first);
    sl_publisher_close(p);
}

static void retained_messages_are_not_given_up_for_a_new_one(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){
        .slot_size = SLOT_SIZE, .slot_count = 4, .retain = 3, .quota = 1});
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){.quota = 1});
    struct sl_frame f;
    publish_range(p, 1, 1);
    take(s, &f);
    publish_range(p, 2, 4);
    assert_int_equal(publish(p, 5, 200), -EAGAIN); /* one is held, three are retained */
    struct sl_subscriber *late = subscriber_of((struct sl_subscriber_options){0});
    expect_range(late, 2, 4);
    sl_frame_release(&f);
    publish_range(p, 5, 9);
    expect_range(s, 7, 9);
    sl_subscriber_close(late);
    sl_subscriber_close(s);
    sl_publisher_close(p);
}

static void latched_inline_message_is_there_for_everybody(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){.retain = 1});
    struct sl_message m = {.stamp_ns = 7};
    unsigned char body[32];
    pattern_fill(body, sizeof body, 7);
    assert_ok(sl_publisher_publish_inline(p, body, sizeof body, &m));
    for (int i = 0; i < 3; i++) {
        struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
        expect_range(s, 7, 7);
        expect_nothing(s);
        sl_subscriber_close(s);
    }
    sl_publisher_close(p);
}

/* Losses. ---------------------------------------------------------------------------------------
 */

static void latest_gets_the_newest_and_counts_the_rest(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE});
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){.policy = SL_LATEST});
    uint64_t published = 0, skipped = 0;
    static const uint64_t bursts[] = {1, 5, 2, 1, 7, 100, 1};
    for (size_t i = 0; i < sizeof bursts / sizeof *bursts; i++) {
        publish_range(p, published + 1, published + bursts[i]);
        published += bursts[i];
        struct sl_frame f;
        assert_int_equal(take(s, &f), published);
        assert_int_equal(f.seq, published);
        assert_int_equal(f.lost_before, bursts[i] - 1);
        sl_frame_release(&f);
        expect_nothing(s);
        skipped += bursts[i] - 1;
    }
    /* What the ring itself lost may be told as overrun; all together it is exact. */
    assert_int_equal(lost_in_all(s), skipped);
    assert_true(reader_status_of(s).lost[SL_LOSS_SKIPPED] >= skipped - 100);
    sl_subscriber_close(s);
    sl_publisher_close(p);
}

static void keep_last_keeps_so_many(void **state)
{
    (void)state;
    struct sl_publisher *p =
        publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE, .slot_count = 40});
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){.depth = 4});
    publish_range(p, 1, 3);
    expect_range(s, 1, 3);
    publish_range(p, 4, 13);
    struct sl_frame f;
    assert_int_equal(take(s, &f), 10);
    assert_int_equal(f.lost_before, 6);
    sl_frame_release(&f);
    expect_range(s, 11, 13);
    assert_int_equal(reader_status_of(s).lost[SL_LOSS_OVERRUN], 6);
    assert_int_equal(lost_in_all(s), 6);
    sl_subscriber_close(s);
    sl_publisher_close(p);
}

static void recycled_messages_are_counted(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of(
        (struct sl_publisher_options){.slot_size = SLOT_SIZE, .slot_count = 8, .ring = 64});
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
    publish_range(p, 1, 30);
    uint64_t first = take_and_release(s);
    assert_true(first >= 30 - 8 + 1 && first <= 30);
    assert_int_equal(reader_status_of(s).lost[SL_LOSS_RECYCLED], first - 1);
    assert_int_equal(lost_in_all(s), first - 1);
    for (uint64_t i = first + 1; i <= 30; i++)
        assert_int_equal(take_and_release(s), i);
    sl_subscriber_close(s);
    sl_publisher_close(p);
}

static void overrun_messages_are_counted(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of(
        (struct sl_publisher_options){.slot_size = SLOT_SIZE, .slot_count = 32, .ring = 8});
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
    const uint64_t last = 1000; /* more than the ring, or iceoryx's queue, keeps */
    publish_range(p, 1, last);
    uint64_t first = take_and_release(s);
    assert_true(first > last - 257 && first <= last);
    assert_int_equal(lost_in_all(s), first - 1);
    assert_true(reader_status_of(s).lost[SL_LOSS_OVERRUN] >= last - 300);
    for (uint64_t i = first + 1; i <= last; i++)
        assert_int_equal(take_and_release(s), i);
    assert_int_equal(lost_in_all(s), first - 1);
    sl_subscriber_close(s);
    sl_publisher_close(p);
}

static void losses_and_messages_add_up_to_the_sequence(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){
        .slot_size = SLOT_SIZE, .slot_count = 12, .ring = 16, .inline_max = 64});
    static const struct sl_subscriber_options wants[] = {
        {.policy = SL_LATEST}, {.depth = 3}, {0}, {.quota = 1}};
    enum {
        READERS = 4
    };
    struct sl_subscriber *s[READERS];
    uint64_t told[READERS] = {0}, last[READERS] = {0}, taken[READERS] = {0};
    for (int i = 0; i < READERS; i++)
        s[i] = subscriber_of(wants[i]);
    uint64_t seq = 0;
    uint32_t random = 12345;
    for (int round = 0; round < 2000; round++) {
        random = random * 1664525 + 1013904223;
        for (unsigned n = 0; n < random >> 27; n++) {
            unsigned char body[64];
            pattern_fill(body, sizeof body, ++seq);
            struct sl_message m = {.stamp_ns = seq};
            if (seq % 3)
                assert_ok(publish(p, seq, 500));
            else
                assert_ok(sl_publisher_publish_inline(p, body, sizeof body, &m));
        }
        for (int i = 0; i < READERS; i++) {
            struct sl_frame f;
            if ((random >> (8 + i) & 1) || sl_subscriber_take(s[i], &f) == -EAGAIN)
                continue;
            check_frame(&f);
            assert_true(f.seq > last[i]);
            assert_int_equal(f.seq, last[i] + f.lost_before + 1);
            last[i] = f.seq;
            told[i] += f.lost_before;
            taken[i]++;
            sl_frame_release(&f);
        }
    }
    for (int i = 0; i < READERS; i++) {
        struct sl_frame f;
        while (sl_subscriber_take(s[i], &f) == 0) {
            told[i] += f.lost_before;
            taken[i]++;
            last[i] = f.seq;
            sl_frame_release(&f);
        }
        assert_int_equal(last[i], seq);
        assert_int_equal(taken[i] + told[i], seq);
        assert_int_equal(lost_in_all(s[i]), told[i]);
        assert_int_equal(reader_status_of(s[i]).taken, taken[i]);
        sl_subscriber_close(s[i]);
    }
    sl_publisher_close(p);
}

/* A ring so large that more messages have gone than one take looks at. */
static void far_behind_is_caught_up_with_in_one_take(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of(
        (struct sl_publisher_options){.slot_size = 64, .slot_count = 4, .ring = 32768});
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
    publish_range(p, 1, 20000);
    struct sl_frame f;
    assert_ok(sl_subscriber_take(s, &f));
    assert_true(f.seq > 19990);
    assert_int_equal(f.lost_before, f.seq - 1);
    sl_frame_release(&f);
    sl_subscriber_close(s);
    sl_publisher_close(p);
}

/* Quota. --------------------------------------------------------------------------------------- */

static void quota_limits_what_is_held(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of(
        (struct sl_publisher_options){.slot_size = SLOT_SIZE, .quota = 3, .slot_count = 30});
    struct sl_subscriber *greedy = subscriber_of((struct sl_subscriber_options){.quota = 200});
    struct sl_subscriber *modest = subscriber_of((struct sl_subscriber_options){.quota = 2});
    struct sl_subscriber *visitor = subscriber_of((struct sl_subscriber_options){.visitor = true});
    struct sl_subscriber *const s[] = {greedy, modest, visitor};
    static const unsigned may[] = {3, 2, 1};
    publish_range(p, 1, 5);
    for (int i = 0; i < 3; i++) {
        struct sl_frame f[4];
        for (unsigned n = 0; n < may[i]; n++)
            assert_int_equal(take(s[i], &f[n]), n + 1);
        assert_int_equal(sl_subscriber_take(s[i], &f[3]), -EDQUOT);
        assert_has(sl_error_text(), "quota");
        assert_int_equal(reader_status_of(s[i]).held, may[i]);
        sl_frame_release(&f[0]);
        assert_int_equal(take(s[i], &f[0]), may[i] + 1);
        assert_int_equal(sl_subscriber_take(s[i], &f[3]), -EDQUOT);
        for (unsigned n = 0; n < may[i]; n++)
            sl_frame_release(&f[n]);
        assert_int_equal(lost_in_all(s[i]), 0);
    }
    assert_int_equal(status_of(p).subscribers, 2);
    for (int i = 0; i < 3; i++)
        sl_subscriber_close(s[i]);
    sl_publisher_close(p);
}

static void inline_messages_pass_a_full_quota(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE});
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){.quota = 1});
    struct sl_frame held, f;
    publish_range(p, 1, 1);
    take(s, &held);
    unsigned char body[16];
    pattern_fill(body, sizeof body, 2);
    struct sl_message m = {.stamp_ns = 2};
    assert_ok(sl_publisher_publish_inline(p, body, sizeof body, &m));
    assert_int_equal(take(s, &f), 2);
    publish_range(p, 3, 3);
    assert_int_equal(sl_subscriber_take(s, &f), -EDQUOT);
    sl_frame_release(&held);
    assert_int_equal(take_and_release(s), 3);
    sl_subscriber_close(s);
    sl_publisher_close(p);
}

/* Against a ring that turns under the reader. ----------------------------------------------------
 */

struct writer {
    struct sl_publisher *publisher;
    atomic_bool stop;
};

static void *write_inline(void *context)
{
    struct writer *w = context;
    unsigned char body[448];
    for (uint64_t seed = 1; !atomic_load(&w->stop); seed++) {
        size_t length = 400 + seed % 49;
        pattern_fill(body, length, seed);
        struct sl_message m = {.stamp_ns = seed};
        assert_ok(sl_publisher_publish_inline(w->publisher, body, length, &m));
    }
    return NULL;
}

static void inline_message_is_never_torn(void **state)
{
    (void)state;
    struct writer w = {
        .publisher = publisher_of((struct sl_publisher_options){.inline_max = 448, .ring = 2})};
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, write_inline, &w), 0);
    uint64_t until_ns = sl_clock_monotonic_ns() + 300 * SL_NS_PER_MS;
    uint64_t last = 0;
    for (unsigned taken = 0; taken < 1000 || sl_clock_monotonic_ns() < until_ns;) {
        struct sl_frame f;
        if (sl_subscriber_take(s, &f) < 0)
            continue;
        check_frame(&f);
        assert_int_equal(f.seq, f.stamp_ns);
        assert_int_equal(f.seq, last + f.lost_before + 1);
        last = f.seq;
        taken++;
    }
    atomic_store(&w.stop, true);
    pthread_join(thread, NULL);
    sl_subscriber_close(s);
    sl_publisher_close(w.publisher);
}

static void *write_slots(void *context)
{
    struct writer *w = context;
    for (uint64_t seed = 1; !atomic_load(&w->stop); seed++)
        assert_ok(publish(w->publisher, seed, 128));
    return NULL;
}

/* The oldest slot is taken by the one and taken back by the other, all the time. */
static void slot_is_never_taken_back_under_its_reader(void **state)
{
    (void)state;
    struct writer w = {.publisher = publisher_of((struct sl_publisher_options){
                           .slot_size = SLOT_SIZE, .slot_count = 4, .quota = 1, .ring = 64})};
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){.quota = 1});
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, write_slots, &w), 0);
    uint64_t until_ns = sl_clock_monotonic_ns() + 500 * SL_NS_PER_MS;
    for (unsigned taken = 0; taken < 1000 || sl_clock_monotonic_ns() < until_ns;) {
        struct sl_frame f;
        if (sl_subscriber_take(s, &f) < 0)
            continue;
        check_frame(&f);
        check_frame(&f);
        sl_frame_release(&f);
        taken++;
    }
    atomic_store(&w.stop, true);
    pthread_join(thread, NULL);
    assert_int_equal(status_of(w.publisher).refused, 0);
    sl_subscriber_close(s);
    sl_publisher_close(w.publisher);
}

/* Several. ------------------------------------------------------------------------------------- */

static void several_publishers_of_one_topic_are_all_read(void **state)
{
    (void)state;
    enum {
        PUBLISHERS = 5
    };
    struct sl_publisher *p[PUBLISHERS];
    for (int i = 0; i < PUBLISHERS; i++)
        p[i] =
            publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE, .slot_count = 30});
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
    assert_int_equal(reader_status_of(s).publishers, PUBLISHERS);
    for (uint64_t n = 0; n < 10; n++)
        for (uint64_t i = 0; i < PUBLISHERS; i++)
            assert_ok(publish(p[i], i * 100 + n, 100));
    uint64_t next[PUBLISHERS] = {0}, instance[PUBLISHERS] = {0};
    for (int n = 0; n < 10 * PUBLISHERS; n++) {
        struct sl_frame f;
        uint64_t seed = take(s, &f);
        assert_true(seed / 100 < PUBLISHERS);
        assert_int_equal(seed % 100, next[seed / 100]);
        assert_int_equal(f.seq, ++next[seed / 100]); /* each by its own count */
        if (f.seq == 1)
            instance[seed / 100] = f.instance;
        assert_true(f.instance == instance[seed / 100]);
        sl_frame_release(&f);
    }
    expect_nothing(s);
    for (int i = 0; i < PUBLISHERS; i++)
        for (int k = 0; k < i; k++)
            assert_true(instance[i] != instance[k]);
    assert_int_equal(lost_in_all(s), 0);
    for (int i = 0; i < PUBLISHERS; i++)
        sl_publisher_close(p[i]);
    await((expect_nothing(s), reader_status_of(s).publishers == 0));
    sl_subscriber_close(s);
}

static void each_publisher_is_attached_once(void **state)
{
    (void)state;
    /* A watch on the directory is older than this subscriber: it is told of what it has listed. */
    struct sl_subscriber *other = subscriber_of((struct sl_subscriber_options){.topic = "/other"});
    for (int i = 0; i < 50; i++) {
        struct sl_publisher *p =
            publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE, .retain = 1});
        assert_ok(publish(p, 1, 100));
        struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
        assert_int_equal(take_and_release(s), 1);
        expect_nothing(s);
        assert_ok(publish(p, 2, 100));
        assert_int_equal(take_and_release(s), 2);
        expect_nothing(s);
        assert_int_equal(reader_status_of(s).publishers, 1);
        assert_int_equal(status_of(p).subscribers, 1);
        sl_subscriber_close(s);
        sl_publisher_close(p);
    }
    sl_subscriber_close(other);
}

static void several_subscribers_of_one_process_do_not_disturb_each_other(void **state)
{
    (void)state;
    enum {
        READERS = 20
    };
    struct sl_publisher *p = publisher_of(
        (struct sl_publisher_options){.slot_size = SLOT_SIZE, .subscribers = READERS, .quota = 2});
    struct sl_subscriber *s[READERS];
    struct sl_frame f[READERS][2];
    for (int i = 0; i < READERS; i++)
        s[i] = subscriber_of((struct sl_subscriber_options){.quota = 2});
    for (uint64_t round = 0; round < 20; round++) {
        publish_range(p, 2 * round, 2 * round + 1);
        for (int i = 0; i < READERS; i++)
            for (uint64_t n = 0; n < 2; n++)
                assert_int_equal(take(s[i], &f[i][n]), 2 * round + n);
        for (int i = 0; i < READERS; i++)
            for (int n = 0; n < 2; n++)
                sl_frame_release(&f[(i * 7) % READERS][n]);
    }
    for (int i = 0; i < READERS; i++)
        sl_subscriber_close(s[i]);
    sl_publisher_close(p);
}

/* Refusals. ------------------------------------------------------------------------------------ */

static int refused(struct sl_subscriber_options options)
{
    struct sl_subscriber *s = NULL;
    options.topic = options.topic ? options.topic : TOPIC;
    int err = sl_subscriber_open(&options, &s);
    if (err == 0)
        sl_subscriber_close(s);
    else
        assert_null(s);
    return err;
}

static void another_type_is_refused_and_both_are_named(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE});
    assert_int_equal(refused((struct sl_subscriber_options){.type = "test/msg/Other"}),
                     -EPROTOTYPE);
    assert_has(sl_error_text(), TYPE);
    assert_has(sl_error_text(), "test/msg/Other");
    assert_has(sl_error_text(), TOPIC);
    assert_int_equal(refused((struct sl_subscriber_options){.type = TYPE}), 0);
    assert_int_equal(refused((struct sl_subscriber_options){0}), 0);
    sl_publisher_close(p);
    /* It waits for one of its type. */
    struct sl_subscriber *s =
        subscriber_of((struct sl_subscriber_options){.type = "test/msg/Other"});
    p = publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE});
    await((expect_nothing(s), strlen(reader_status_of(s).refusal) > 0));
    assert_has(reader_status_of(s).refusal, TYPE);
    struct sl_publisher *right = publisher_of(
        (struct sl_publisher_options){.slot_size = SLOT_SIZE, .type = "test/msg/Other"});
    assert_ok(publish(right, 3, 10));
    assert_int_equal(take_and_release(s), 3);
    sl_subscriber_close(s);
    sl_publisher_close(right);
    sl_publisher_close(p);
}

static void too_many_subscribers_are_refused_until_one_goes(void **state)
{
    (void)state;
    struct sl_publisher *p =
        publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE, .subscribers = 2});
    struct sl_subscriber *a = subscriber_of((struct sl_subscriber_options){0});
    struct sl_subscriber *b = subscriber_of((struct sl_subscriber_options){0});
    assert_int_equal(refused((struct sl_subscriber_options){0}), -EUSERS);
    assert_has(sl_error_text(), "2 subscribers");
    struct sl_subscriber *v[4];
    for (int i = 0; i < 4; i++)
        v[i] = subscriber_of((struct sl_subscriber_options){.visitor = true});
    assert_int_equal(refused((struct sl_subscriber_options){.visitor = true}), -EUSERS);
    sl_subscriber_close(a);
    await(status_of(p).subscribers == 1);
    assert_int_equal(refused((struct sl_subscriber_options){0}), 0);
    for (int i = 0; i < 4; i++)
        sl_subscriber_close(v[i]);
    sl_subscriber_close(b);
    sl_publisher_close(p);
}

static void lossless_is_refused_where_it_is_not_allowed(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE});
    assert_int_equal(refused((struct sl_subscriber_options){.policy = SL_LOSSLESS}), -EPERM);
    assert_has(sl_error_text(), "lossless");
    sl_publisher_close(p);
}

static void options_of_subscribers_are_checked(void **state)
{
    (void)state;
    assert_int_equal(refused((struct sl_subscriber_options){.quota = 256}), -EINVAL);
    assert_int_equal(refused((struct sl_subscriber_options){.policy = (enum sl_policy)3}), -EINVAL);
    assert_int_equal(refused((struct sl_subscriber_options){.topic = "no-slash"}), -EINVAL);
    assert_int_equal(refused((struct sl_subscriber_options){.type = ""}), -EINVAL);
    assert_int_equal(count_sockets(), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, shm_setup, shm_teardown)
    const struct CMUnitTest tests[] = {
        TEST(messages_come_in_order),
        TEST(late_subscriber_begins_with_the_next_message),
        TEST(late_subscriber_may_ask_for_history),
        TEST(subscriber_that_was_first_misses_nothing),
        TEST(retained_messages_wait_for_late_subscribers),
        TEST(retained_messages_are_not_given_up_for_a_new_one),
        TEST(latched_inline_message_is_there_for_everybody),
        TEST(latest_gets_the_newest_and_counts_the_rest),
        TEST(keep_last_keeps_so_many),
        TEST(recycled_messages_are_counted),
        TEST(overrun_messages_are_counted),
        TEST(losses_and_messages_add_up_to_the_sequence),
        TEST(far_behind_is_caught_up_with_in_one_take),
        TEST(inline_message_is_never_torn),
        TEST(slot_is_never_taken_back_under_its_reader),
        TEST(quota_limits_what_is_held),
        TEST(inline_messages_pass_a_full_quota),
        TEST(several_publishers_of_one_topic_are_all_read),
        TEST(each_publisher_is_attached_once),
        TEST(several_subscribers_of_one_process_do_not_disturb_each_other),
        TEST(another_type_is_refused_and_both_are_named),
        TEST(too_many_subscribers_are_refused_until_one_goes),
        TEST(lossless_is_refused_where_it_is_not_allowed),
        TEST(options_of_subscribers_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
