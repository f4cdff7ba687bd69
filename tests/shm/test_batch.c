/* SPDX-License-Identifier: Apache-2.0 */
/* test_batch.c - being woken by the handful: nothing is slept over, and nobody is woken too early.
 *
 * A publisher wakes within its call, so a sleeper that is still asked to be woken when that has
 * returned, sleeps. */
#include "core/shm/layout.h"
#include "tests/shm/support.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND  ((int64_t)SL_NS_PER_S)
#define FOREVER (1000 * SECOND)

static struct sl_ledger *look_for_ledger(void)
{
    char line[512];
    void *start = NULL;
    FILE *maps = fopen("/proc/self/maps", "re");
    assert_non_null(maps);
    while (!start && fgets(line, sizeof line, maps))
        if (strstr(line, "sluice-ledger"))
            start = (void *)(uintptr_t)strtoull(line, NULL, 16);
    fclose(maps);
    return start;
}

/* The ledger of the only subscriber, as its process maps it, once it is attached: opening does not
 * wait for ever for that. */
static struct sl_ledger *find_ledger(void)
{
    struct sl_ledger *ledger;
    await((ledger = look_for_ledger()));
    return ledger;
}

static bool is_readable(int fd, int timeout_ms)
{
    struct pollfd in = {.fd = fd, .events = POLLIN};
    return poll(&in, 1, timeout_ms) == 1;
}

static void publish_range(struct sl_publisher *p, uint64_t first, uint64_t last)
{
    for (uint64_t i = first; i <= last; i++)
        assert_ok(publish(p, i, 100));
}

static void take_range(struct sl_subscriber *s, uint64_t first, uint64_t last)
{
    struct sl_frame f;
    for (uint64_t i = first; i <= last; i++)
        assert_int_equal(take_and_release(s), i);
    assert_int_equal(sl_subscriber_take(s, &f), -EAGAIN);
}

/* A thread that waits once. */
struct sleeper {
    struct sl_subscriber *const *subscribers;
    unsigned count;
    pthread_t thread;
    int result;
    uint64_t start_ns, end_ns;
};

static void *sleep_once(void *context)
{
    struct sleeper *sleeper = context;
    sleeper->start_ns = sl_clock_monotonic_ns();
    sleeper->result = sl_wait(sleeper->subscribers, sleeper->count, 60 * SECOND);
    sleeper->end_ns = sl_clock_monotonic_ns();
    return NULL;
}

static void sleeper_start(struct sleeper *sleeper, struct sl_subscriber *const *s, unsigned count)
{
    *sleeper = (struct sleeper){.subscribers = s, .count = count};
    assert_int_equal(pthread_create(&sleeper->thread, NULL, sleep_once, sleeper), 0);
}

static int sleeper_end(struct sleeper *sleeper)
{
    pthread_join(sleeper->thread, NULL);
    return sleeper->result;
}

static void sleeper_wakes_when_its_batch_is_full(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE});
    struct sl_subscriber *s =
        subscriber_of((struct sl_subscriber_options){.wake_batch = 8, .wake_after_ns = FOREVER});
    struct sl_ledger *ledger = find_ledger();
    for (uint64_t seq = 0; seq < 800; seq += 8) {
        struct sleeper sleeper;
        sleeper_start(&sleeper, &s, 1);
        await(atomic_load(&ledger->wake_at) == seq + 8);
        publish_range(p, seq + 1, seq + 7);
        assert_true(atomic_load(&ledger->wake_at) == seq + 8);
        publish_range(p, seq + 8, seq + 8);
        assert_int_equal(sleeper_end(&sleeper), 0);
        take_range(s, seq + 1, seq + 8);
    }
    assert_int_equal(lost_in_all(s), 0);
    sl_subscriber_close(s);
    sl_publisher_close(p);
}

static void message_that_is_there_is_no_reason_to_sleep(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE});
    struct sl_subscriber *s =
        subscriber_of((struct sl_subscriber_options){.wake_batch = 8, .wake_after_ns = FOREVER});
    publish_range(p, 1, 2);
    assert_ok(sl_subscriber_wait(s, 0));
    assert_int_equal(take_and_release(s), 1);
    assert_ok(sl_subscriber_wait(s, 0));
    take_range(s, 2, 2);
    assert_int_equal(sl_subscriber_wait(s, 1), -ETIMEDOUT);
    sl_subscriber_close(s);
    sl_publisher_close(p);
}

static void part_of_a_batch_is_not_waited_on_for_longer_than_asked(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE});
    struct sl_subscriber *s =
        subscriber_of((struct sl_subscriber_options){.wake_batch = 8, .wake_after_ns = SECOND / 4});
    struct sl_ledger *ledger = find_ledger();
    struct sleeper sleeper;
    sleeper_start(&sleeper, &s, 1);
    await(atomic_load(&ledger->wake_at) == 8);
    publish_range(p, 1, 3);
    assert_int_equal(sleeper_end(&sleeper), 0);
    assert_true(sleeper.end_ns - sleeper.start_ns >= (uint64_t)SECOND / 4);
    assert_true(sleeper.end_ns - sleeper.start_ns < 30 * (uint64_t)SECOND);
    take_range(s, 1, 3);
    sl_subscriber_close(s);
    sl_publisher_close(p);
}

static void first_message_after_a_lull_wakes_at_once(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE});
    struct sl_subscriber *s =
        subscriber_of((struct sl_subscriber_options){.wake_batch = 8, .wake_after_ns = 10000000});
    struct sl_ledger *ledger = find_ledger();
    struct sleeper sleeper;
    sleeper_start(&sleeper, &s, 1);
    await(atomic_load(&ledger->wake_at) == 1); /* its time is over: any message will do */
    publish_range(p, 1, 1);
    assert_int_equal(sleeper_end(&sleeper), 0);
    take_range(s, 1, 1);
    sl_subscriber_close(s);
    sl_publisher_close(p);
}

static void descriptor_is_readable_when_the_batch_is_full(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE});
    struct sl_subscriber *s =
        subscriber_of((struct sl_subscriber_options){.wake_batch = 8, .wake_after_ns = FOREVER});
    struct sl_frame f;
    int fd = sl_subscriber_fd(s);
    assert_int_equal(sl_subscriber_take(s, &f), -EAGAIN);
    for (uint64_t seq = 0; seq < 800; seq += 8) {
        publish_range(p, seq + 1, seq + 7);
        assert_false(is_readable(fd, 0));
        publish_range(p, seq + 8, seq + 8);
        assert_true(is_readable(fd, 0));
        take_range(s, seq + 1, seq + 8);
    }
    sl_subscriber_close(s);
    sl_publisher_close(p);
}

static void descriptor_does_not_keep_part_of_a_batch(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE});
    struct sl_subscriber *s =
        subscriber_of((struct sl_subscriber_options){.wake_batch = 8, .wake_after_ns = SECOND / 4});
    struct sl_frame f;
    int fd = sl_subscriber_fd(s);
    for (uint64_t seq = 0; seq < 4; seq += 2) {
        uint64_t start_ns = sl_clock_monotonic_ns();
        assert_int_equal(sl_subscriber_take(s, &f), -EAGAIN);
        publish_range(p, seq + 1, seq + 1);
        assert_true(is_readable(fd, PATIENCE_MS));
        assert_true(sl_clock_monotonic_ns() - start_ns >= (uint64_t)SECOND / 4);
        take_range(s, seq + 1, seq + 1);
        /* A lull: it is told of once, and ends with the first message. */
        assert_true(is_readable(fd, PATIENCE_MS));
        assert_int_equal(sl_subscriber_take(s, &f), -EAGAIN);
        assert_false(is_readable(fd, 0));
        publish_range(p, seq + 2, seq + 2);
        assert_true(is_readable(fd, 0));
        assert_int_equal(take_and_release(s), seq + 2);
    }
    sl_subscriber_close(s);
    sl_publisher_close(p);
}

static void each_of_several_has_its_own_batch(void **state)
{
    (void)state;
    static const char *const topics[] = {"/a", "/b", "/c"};
    static const uint32_t batches[] = {8, 0, 3};
    struct sl_publisher *p[3];
    struct sl_subscriber *s[3];
    struct sl_ledger *ledger = NULL;
    for (int i = 0; i < 3; i++) {
        p[i] =
            publisher_of((struct sl_publisher_options){.topic = topics[i], .slot_size = SLOT_SIZE});
        s[i] = subscriber_of((struct sl_subscriber_options){
            .topic = topics[i], .wake_batch = batches[i], .wake_after_ns = FOREVER});
        if (i == 0)
            ledger = find_ledger();
    }
    static const int ready[] = {1, 2, 0};
    for (int round = 0; round < 3; round++) {
        struct sleeper sleeper;
        int which = ready[round];
        uint32_t batch = batches[which] ? batches[which] : 1;
        sleeper_start(&sleeper, s, 3);
        await(atomic_load(&ledger->wake_at) == 8); /* its time does not end before this is over */
        publish_range(p[which], 1, batch);
        assert_int_equal(sleeper_end(&sleeper), which);
        take_range(s[which], 1, batch);
    }
    for (int i = 0; i < 3; i++) {
        sl_subscriber_close(s[i]);
        sl_publisher_close(p[i]);
    }
}

static void batch_is_no_larger_than_what_is_kept(void **state)
{
    (void)state;
    static const struct {
        struct sl_publisher_options publisher;
        uint32_t depth, batch;
    } cases[] = {
        {{.ring = 16}, 0, 8}, /* inline */
        {{.slot_size = SLOT_SIZE, .slot_count = 10}, 0, 5},
        {{.slot_size = SLOT_SIZE, .slot_count = 40, .ring = 8}, 0, 4},
        {{.slot_size = SLOT_SIZE, .slot_count = 40}, 3, 3},
        {{.slot_size = SLOT_SIZE, .slot_count = 1}, 0, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sl_publisher *p = publisher_of(cases[i].publisher);
        struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){
            .depth = cases[i].depth, .wake_batch = UINT32_MAX, .wake_after_ns = FOREVER});
        struct sl_frame f;
        int fd = sl_subscriber_fd(s);
        assert_int_equal(sl_subscriber_take(s, &f), -EAGAIN);
        for (uint64_t n = 1; n <= cases[i].batch; n++) {
            assert_false(is_readable(fd, 0));
            unsigned char body[16];
            pattern_fill(body, sizeof body, n);
            struct sl_message m = {.stamp_ns = n};
            assert_ok(cases[i].publisher.slot_size
                          ? publish(p, n, 100)
                          : sl_publisher_publish_inline(p, body, sizeof body, &m));
        }
        assert_true(is_readable(fd, 0));
        take_range(s, 1, cases[i].batch);
        assert_int_equal(lost_in_all(s), 0);
        sl_subscriber_close(s);
        sl_publisher_close(p);
    }
    struct sl_subscriber *s = NULL;
    struct sl_subscriber_options o = {.topic = TOPIC, .wake_batch = 2, .wake_after_ns = -1};
    assert_int_equal(sl_subscriber_open(&o, &s), -EINVAL);
    assert_has(sl_error_text(), "wake_after_ns");
}

struct taker {
    struct sl_subscriber *subscriber;
    uint64_t last;
    bool by_fd;
};

static void *take_all(void *context)
{
    struct taker *t = context;
    int fd = t->by_fd ? sl_subscriber_fd(t->subscriber) : -1;
    uint64_t seed = 0;
    while (seed < t->last) {
        struct sl_frame f;
        if (t->by_fd)
            assert_true(is_readable(fd, PATIENCE_MS));
        else
            assert_ok(sl_subscriber_wait(t->subscriber, PATIENCE_MS * (int64_t)SL_NS_PER_MS));
        while (sl_subscriber_take(t->subscriber, &f) == 0) {
            assert_int_equal(f.stamp_ns, ++seed);
            sl_frame_release(&f);
        }
    }
    return NULL;
}

/* Fewer slots are left than half of them, because another subscriber keeps its frames: the batch
 * never becomes full, and the publisher wakes whom it waits for. */
static void lossless_sleeper_does_not_stop_its_publisher(void **state)
{
    (void)state;
    for (int by_fd = 0; by_fd < 2; by_fd++) {
        struct sl_publisher *p =
            publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE,
                                                       .slot_count = 8,
                                                       .quota = 6,
                                                       .lossless = true,
                                                       .lossless_timeout_ns = FOREVER});
        struct sl_subscriber *keeper = subscriber_of((struct sl_subscriber_options){.quota = 6});
        struct sl_frame kept[6];
        for (uint64_t i = 0; i < 6; i++) {
            publish_range(p, i, i);
            take(keeper, &kept[i]);
        }
        struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){
            .policy = SL_LOSSLESS, .wake_batch = 100, .wake_after_ns = FOREVER});
        struct taker taker = {.subscriber = s, .last = 200, .by_fd = by_fd};
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, take_all, &taker), 0);
        for (uint64_t i = 1; i <= 200; i++) {
            int err;
            while ((err = publish(p, i, 100)) == -EAGAIN)
                assert_ok(sl_publisher_wait(p, PATIENCE_MS * (int64_t)SL_NS_PER_MS));
            assert_ok(err);
        }
        assert_int_equal(status_of(p).demoted, 0);
        sl_publisher_close(p); /* its end wakes whoever still sleeps over part of a batch */
        pthread_join(thread, NULL);
        assert_int_equal(lost_in_all(s), 0);
        for (int i = 0; i < 6; i++)
            sl_frame_release(&kept[i]);
        sl_subscriber_close(keeper);
        sl_subscriber_close(s);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, shm_setup, shm_teardown)
    const struct CMUnitTest tests[] = {
        TEST(sleeper_wakes_when_its_batch_is_full),
        TEST(message_that_is_there_is_no_reason_to_sleep),
        TEST(part_of_a_batch_is_not_waited_on_for_longer_than_asked),
        TEST(first_message_after_a_lull_wakes_at_once),
        TEST(descriptor_is_readable_when_the_batch_is_full),
        TEST(descriptor_does_not_keep_part_of_a_batch),
        TEST(each_of_several_has_its_own_batch),
        TEST(batch_is_no_larger_than_what_is_kept),
        TEST(lossless_sleeper_does_not_stop_its_publisher),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
