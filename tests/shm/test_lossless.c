/* SPDX-License-Identifier: Apache-2.0 */
/* test_lossless.c - readers that get every message, and how long a publisher waits for them. */
#include "tests/shm/support.h"

#include <pthread.h>

static void publish_range(struct sl_publisher *p, uint64_t first, uint64_t last)
{
    for (uint64_t i = first; i <= last; i++)
        assert_ok(publish(p, i, 200));
}

static void lossless_reader_stops_its_publisher(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of(
        (struct sl_publisher_options){.slot_size = SLOT_SIZE, .lossless = true, .slot_count = 6});
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){.policy = SL_LOSSLESS});
    uint64_t published = 0, taken = 0;
    for (int round = 0; round < 50; round++) {
        int err;
        while ((err = publish(p, published + 1, 100)) == 0)
            assert_true(++published < 10000);
        assert_int_equal(err, -EAGAIN);
        assert_int_equal(sl_publisher_wait(p, 1000000), -ETIMEDOUT);
        for (int i = 0; i < 3; i++)
            assert_int_equal(take_and_release(s), ++taken);
        assert_ok(sl_publisher_wait(p, 1000000));
    }
    assert_int_equal(lost_in_all(s), 0);
    assert_int_equal(status_of(p).demoted, 0);
    assert_true(published > 100);
    sl_subscriber_close(s);
    /* Without it, nothing holds the publisher back. */
    await(status_of(p).subscribers == 0);
    publish_range(p, 1, 100);
    sl_publisher_close(p);
}

static void lossless_reader_stops_inline_messages_too(void **state)
{
    (void)state;
    struct sl_publisher *p =
        publisher_of((struct sl_publisher_options){.lossless = true, .ring = 16});
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){.policy = SL_LOSSLESS});
    unsigned char body[64];
    uint64_t published = 0, taken = 0;
    for (int round = 0; round < 50; round++) {
        int err;
        do {
            pattern_fill(body, sizeof body, published + 1);
            struct sl_message m = {.stamp_ns = published + 1};
            err = sl_publisher_publish_inline(p, body, sizeof body, &m);
            published += err == 0;
        } while (err == 0 && published < 10000);
        assert_int_equal(err, -EAGAIN);
        assert_has(sl_error_text(), "lossless");
        for (int i = 0; i < 5; i++)
            assert_int_equal(take_and_release(s), ++taken);
        assert_ok(sl_publisher_wait(p, 0));
    }
    assert_int_equal(lost_in_all(s), 0);
    sl_subscriber_close(s);
    sl_publisher_close(p);
}

static void loans_that_were_given_do_not_overrun_a_lossless_reader(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){
        .slot_size = SLOT_SIZE, .lossless = true, .slot_count = 16, .ring = 4, .loans = 4});
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){.policy = SL_LOSSLESS});
    struct sl_loan loan[8];
    uint64_t seed = 0;
    for (int round = 0; round < 3; round++) {
        int loans = 0;
        while (loans < 8 && sl_publisher_loan(p, &loan[loans]) == 0)
            loans++;
        for (int i = 0; i < loans; i++) {
            pattern_fill(loan[i].data, 8, ++seed);
            struct sl_message m = {.stamp_ns = seed, .body_length = 8};
            assert_ok(sl_publisher_publish(p, &loan[i], &m));
        }
    }
    assert_true(seed >= 4);
    for (uint64_t i = 1; i <= seed; i++)
        assert_int_equal(take_and_release(s), i);
    assert_int_equal(lost_in_all(s), 0);
    sl_subscriber_close(s);
    sl_publisher_close(p);
}

/* Loans were made when nobody was lossless, and become messages behind the head that one who comes
 * meanwhile is promised all from. */
static void loans_from_before_it_came_do_not_overrun_a_lossless_reader(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){
        .slot_size = SLOT_SIZE, .lossless = true, .slot_count = 16, .ring = 4, .loans = 4});
    struct sl_loan loan[8];
    int loans = 0;
    publish_range(p, 1, 8);
    while (loans < 8 && sl_publisher_loan(p, &loan[loans]) == 0)
        loans++;
    assert_int_equal(loans, 4);
    assert_has(sl_error_text(), "4 loans are out");
    assert_int_equal(sl_publisher_publish_inline(p, "12345678", 8, &(struct sl_message){0}),
                     -EAGAIN);
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){.policy = SL_LOSSLESS});
    for (int i = 0; i < loans; i++) {
        struct sl_message m = {.stamp_ns = 9 + (uint64_t)i, .body_length = 8};
        assert_ok(sl_publisher_publish(p, &loan[i], &m));
    }
    for (int i = 0; i < loans; i++) {
        struct sl_frame f;
        assert_ok(sl_subscriber_take(s, &f));
        assert_int_equal(f.stamp_ns, 9 + i);
        sl_frame_release(&f);
    }
    assert_int_equal(lost_in_all(s), 0);
    sl_subscriber_close(s);
    sl_publisher_close(p);
}

static void lossless_reader_that_sleeps_is_demoted(void **state)
{
    (void)state;
    struct sl_publisher *p =
        publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE,
                                                   .lossless = true,
                                                   .slot_count = 6,
                                                   .lossless_timeout_ns = 30000000});
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){.policy = SL_LOSSLESS});
    uint64_t published = 0;
    while (publish(p, published + 1, 100) == 0)
        assert_true(++published < 10000);
    uint64_t start_ns = sl_clock_monotonic_ns();
    assert_ok(sl_publisher_wait(p, PATIENCE_MS * (int64_t)SL_NS_PER_MS));
    assert_true(sl_clock_monotonic_ns() - start_ns > 20000000);
    assert_int_equal(status_of(p).demoted, 1);
    publish_range(p, published + 1, published + 20);
    published += 20;
    /* Now it is one that keeps what is left, and its losses are counted. */
    struct sl_frame f;
    take(s, &f);
    assert_true(f.lost_before > 0);
    uint64_t last = f.seq;
    assert_int_equal(f.seq, f.lost_before + 1);
    sl_frame_release(&f);
    while (last < published)
        assert_int_equal(take_and_release(s), ++last);
    assert_int_equal(lost_in_all(s), reader_status_of(s).lost[SL_LOSS_RECYCLED] +
                                         reader_status_of(s).lost[SL_LOSS_OVERRUN]);
    assert_true(lost_in_all(s) > 0);
    sl_subscriber_close(s);
    sl_publisher_close(p);
}

static void blocking_twice_for_a_while_is_not_blocking_for_long(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){
        .lossless = true, .ring = 2, .lossless_timeout_ns = 50000000});
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){.policy = SL_LOSSLESS});
    struct sl_message m = {0};
    struct sl_frame f;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; sl_publisher_publish_inline(p, "", 0, &m) == 0; i++)
            assert_true(i < 10000);
        assert_int_equal(status_of(p).demoted, 0);
        while (sl_subscriber_take(s, &f) == 0)
            ;
        assert_ok(sl_publisher_publish_inline(p, "", 0, &m));
        assert_ok(sl_subscriber_take(s, &f));
        uint64_t later_ns = sl_clock_monotonic_ns() + 60000000;
        await(sl_clock_monotonic_ns() > later_ns);
    }
    sl_subscriber_close(s);
    sl_publisher_close(p);
}

static void lossless_reader_of_another_topic_is_demoted_too(void **state)
{
    (void)state;
    struct sl_pool *pool;
    assert_ok(
        sl_pool_create(&(struct sl_pool_options){.slot_size = SLOT_SIZE, .slot_count = 4}, &pool));
    struct sl_publisher *a =
        publisher_of((struct sl_publisher_options){.topic = "/a", .pool = pool});
    struct sl_publisher *b = publisher_of((struct sl_publisher_options){
        .topic = "/b", .pool = pool, .lossless = true, .lossless_timeout_ns = 30000000});
    struct sl_subscriber *s =
        subscriber_of((struct sl_subscriber_options){.topic = "/b", .policy = SL_LOSSLESS});
    for (int i = 0; publish(b, 1, 100) == 0; i++)
        assert_true(i < 10000);
    assert_ok(sl_publisher_wait(a, 5 * (int64_t)SL_NS_PER_S));
    assert_int_equal(status_of(b).demoted, 1);
    sl_subscriber_close(s);
    sl_publisher_close(a);
    sl_publisher_close(b);
    sl_pool_destroy(pool);
}

struct writer {
    struct sl_publisher *publisher;
    uint64_t count;
};

static void *write_messages(void *context)
{
    struct writer *w = context;
    for (uint64_t i = 1; i <= w->count; i++)
        while (publish(w->publisher, i, 300) < 0)
            sl_publisher_wait(w->publisher, -1);
    return NULL;
}

static void lossless_reader_gets_every_message_at_full_speed(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of(
        (struct sl_publisher_options){.slot_size = SLOT_SIZE,
                                      .lossless = true,
                                      .slot_count = 8,
                                      .lossless_timeout_ns = 20 * (int64_t)SL_NS_PER_S});
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){.policy = SL_LOSSLESS});
    struct writer w = {p, 5000};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, write_messages, &w), 0);
    for (uint64_t i = 1; i <= w.count; i++)
        assert_int_equal(take_and_release(s), i);
    pthread_join(thread, NULL);
    assert_int_equal(lost_in_all(s), 0);
    assert_int_equal(status_of(p).demoted, 0);
    sl_subscriber_close(s);
    sl_publisher_close(p);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, shm_setup, shm_teardown)
    const struct CMUnitTest tests[] = {
        TEST(lossless_reader_stops_its_publisher),
        TEST(lossless_reader_stops_inline_messages_too),
        TEST(loans_that_were_given_do_not_overrun_a_lossless_reader),
        TEST(loans_from_before_it_came_do_not_overrun_a_lossless_reader),
        TEST(lossless_reader_that_sleeps_is_demoted),
        TEST(blocking_twice_for_a_while_is_not_blocking_for_long),
        TEST(lossless_reader_of_another_topic_is_demoted_too),
        TEST(lossless_reader_gets_every_message_at_full_speed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
