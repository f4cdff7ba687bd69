/* SPDX-License-Identifier: Apache-2.0 */
/* test_wait.c - sleeping until there is something, by futex and by epoll. */
#include "tests/shm/support.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define SECOND ((int64_t)SL_NS_PER_S)

enum {
    ROUNDS = 30,
    PUBLISHERS = 2,
    IDLE = 100,
};

/* Messages from another thread, each when `go` was written to its pipe. */
struct sender {
    struct sl_publisher *publisher;
    pthread_t thread;
    int pipe[2];
    uint64_t sent;
};

static void *send_when_told(void *context)
{
    struct sender *sender = context;
    char go;
    while (read(sender->pipe[0], &go, 1) == 1)
        assert_ok(publish(sender->publisher, ++sender->sent, 100));
    return NULL;
}

static void sender_start(struct sender *sender, struct sl_publisher *publisher)
{
    *sender = (struct sender){.publisher = publisher};
    assert_int_equal(pipe(sender->pipe), 0);
    assert_int_equal(pthread_create(&sender->thread, NULL, send_when_told, sender), 0);
}

static void sender_go(struct sender *sender)
{
    assert_int_equal(write(sender->pipe[1], "g", 1), 1);
}

static void sender_stop(struct sender *sender)
{
    close(sender->pipe[1]);
    pthread_join(sender->thread, NULL);
    close(sender->pipe[0]);
}

static bool is_readable(int fd, int timeout_ms)
{
    struct pollfd in = {.fd = fd, .events = POLLIN};
    return poll(&in, 1, timeout_ms) == 1;
}

static void waiting_ends_at_its_timeout(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE});
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
    struct sl_subscriber *spinning =
        subscriber_of((struct sl_subscriber_options){.spin_ns = 3000000});
    assert_int_equal(sl_subscriber_wait(s, 0), -ETIMEDOUT);
    assert_int_equal(sl_subscriber_wait(spinning, 0), -ETIMEDOUT);
    static const int64_t timeouts[] = {1, 1000000, 20000000};
    for (int i = 0; i < 3; i++) {
        uint64_t start_ns = sl_clock_monotonic_ns();
        assert_int_equal(sl_subscriber_wait(s, timeouts[i]), -ETIMEDOUT);
        assert_int_equal(sl_subscriber_wait(spinning, timeouts[i]), -ETIMEDOUT);
        uint64_t took_ns = sl_clock_monotonic_ns() - start_ns;
        assert_true(took_ns >= 2 * (uint64_t)timeouts[i]);
        assert_true(took_ns < 2 * (uint64_t)timeouts[i] + SL_NS_PER_S);
    }
    assert_int_equal(sl_wait(NULL, 0, -1), -EINVAL);
    sl_subscriber_close(spinning);
    sl_subscriber_close(s);
    sl_publisher_close(p);
}

static void message_that_is_there_needs_no_sleep(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE});
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
    assert_ok(publish(p, 1, 100));
    assert_ok(sl_subscriber_wait(s, 0));
    assert_ok(sl_subscriber_wait(s, -1));
    assert_int_equal(take_and_release(s), 1);
    assert_int_equal(sl_subscriber_wait(s, 0), -ETIMEDOUT);
    sl_subscriber_close(s);
    sl_publisher_close(p);
}

static void sleeper_wakes_for_each_message(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE});
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
    struct sender sender;
    sender_start(&sender, p);
    for (uint64_t i = 1; i <= 2000; i++) {
        sender_go(&sender);
        assert_ok(sl_subscriber_wait(s, 10 * SECOND));
        assert_int_equal(take_and_release(s), i);
    }
    sender_stop(&sender);
    sl_subscriber_close(s);
    sl_publisher_close(p);
}

static void sleeper_wakes_for_a_publisher_that_comes(void **state)
{
    (void)state;
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
    for (uint64_t i = 1; i <= 20; i++) {
        struct sl_publisher *p =
            publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE});
        assert_ok(publish(p, i, 100));
        assert_ok(sl_subscriber_wait(s, 10 * SECOND));
        assert_int_equal(take_and_release(s), i);
        sl_publisher_close(p);
    }
    sl_subscriber_close(s);
}

struct opener {
    pthread_t thread;
    struct sl_publisher *publisher;
};

static void *open_one(void *context)
{
    struct opener *opener = context;
    opener->publisher = publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE});
    return NULL;
}

struct receiver {
    struct sl_subscriber *subscriber[1 + IDLE]; /* all but the first hear nothing */
    atomic_uint taken;
    unsigned wanted;
};

static void *receive(void *context)
{
    struct receiver *r = context;
    for (unsigned taken = 0; taken < r->wanted;) {
        struct sl_frame f;
        assert_int_equal(sl_wait(r->subscriber, 1 + IDLE, 10 * SECOND), 0);
        while (sl_subscriber_take(r->subscriber[0], &f) == 0) {
            sl_frame_release(&f);
            atomic_store(&r->taken, ++taken);
        }
    }
    return NULL;
}

/* The news of one may come between the look and the request of a sleeper that was woken by another
 * one's; the more it waits for, the longer is that moment. It must not fall asleep without having
 * asked all. */
static void publishers_that_come_together_are_both_listened_to(void **state)
{
    (void)state;
    struct receiver r = {.wanted = ROUNDS * PUBLISHERS};
    r.subscriber[0] = subscriber_of((struct sl_subscriber_options){0});
    for (int i = 0; i < IDLE; i++)
        r.subscriber[1 + i] = subscriber_of((struct sl_subscriber_options){.topic = "/idle"});
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, receive, &r), 0);
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct opener opener[PUBLISHERS];
        for (int i = 0; i < PUBLISHERS; i++)
            assert_int_equal(pthread_create(&opener[i].thread, NULL, open_one, &opener[i]), 0);
        for (int i = 0; i < PUBLISHERS; i++)
            pthread_join(opener[i].thread, NULL);
        for (unsigned i = 0; i < PUBLISHERS; i++)
            await(status_of(opener[i].publisher).subscribers == 1);
        for (unsigned i = 0; i < PUBLISHERS; i++) { /* each by itself must wake */
            assert_ok(publish(opener[(i + round) % PUBLISHERS].publisher, i, 100));
            await(atomic_load(&r.taken) == round * PUBLISHERS + i + 1);
        }
        for (int i = 0; i < PUBLISHERS; i++)
            sl_publisher_close(opener[i].publisher);
    }
    pthread_join(thread, NULL);
    for (int i = 0; i < 1 + IDLE; i++)
        sl_subscriber_close(r.subscriber[i]);
}

static void ignore_signal(int number)
{
    (void)number;
}

struct signaller {
    pthread_t to;
    atomic_bool is_over;
};

/* A signal that comes before the wait is no concern of it: send until it has ended. */
static void *send_signals(void *context)
{
    struct signaller *signaller = context;
    while (!atomic_load(&signaller->is_over)) {
        pthread_kill(signaller->to, SIGUSR1);
        look_again_soon();
    }
    return NULL;
}

static void signal_ends_the_wait(void **state)
{
    (void)state;
    struct sigaction action = {.sa_handler = ignore_signal}, old;
    sigaction(SIGUSR1, &action, &old);
    struct sl_publisher *p[2];
    struct sl_subscriber *s[2];
    static const char *const topics[] = {"/a", "/b"};
    for (int i = 0; i < 2; i++) {
        p[i] = publisher_of((struct sl_publisher_options){.topic = topics[i]});
        s[i] = subscriber_of((struct sl_subscriber_options){.topic = topics[i]});
    }
    for (unsigned count = 1; count <= 2; count++) {
        struct signaller signaller = {.to = pthread_self()};
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, send_signals, &signaller), 0);
        int err = sl_wait(s, count, 10 * SECOND);
        atomic_store(&signaller.is_over, true);
        pthread_join(thread, NULL);
        assert_int_equal(err, -EINTR);
    }
    for (int i = 0; i < 2; i++) {
        sl_subscriber_close(s[i]);
        sl_publisher_close(p[i]);
    }
    sigaction(SIGUSR1, &old, NULL);
}

static void *interrupt_soon(void *context)
{
    look_again_soon();
    sl_subscriber_interrupt(context);
    return NULL;
}

static void another_thread_may_end_the_wait(void **state)
{
    (void)state;
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
    for (int i = 0; i < 100; i++) { /* before, while, or just before it sleeps */
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, interrupt_soon, s), 0);
        assert_int_equal(sl_subscriber_wait(s, 10 * SECOND), -EINTR);
        pthread_join(thread, NULL);
    }
    assert_int_equal(sl_subscriber_wait(s, 0), -ETIMEDOUT);
    sl_subscriber_interrupt(s);
    assert_int_equal(sl_subscriber_wait(s, -1), -EINTR);
    sl_subscriber_close(s);
}

/* ---- Several at once --------------------------------------------------------------------------*/

static void wait_on(unsigned count, int rounds)
{
    struct sl_publisher *p[200];
    struct sl_subscriber *s[200];
    char topic[32];
    for (unsigned i = 0; i < count; i++) {
        snprintf(topic, sizeof topic, "/many/%u", i);
        p[i] = publisher_of((struct sl_publisher_options){.topic = topic, .slot_size = 64});
        s[i] = subscriber_of((struct sl_subscriber_options){.topic = topic});
    }
    assert_int_equal(sl_wait(s, count, 1000000), -ETIMEDOUT);
    struct sender sender;
    for (int round = 0; round < rounds; round++) {
        unsigned which = (unsigned)(round * 37) % count;
        sender_start(&sender, p[which]);
        sender_go(&sender);
        assert_int_equal(sl_wait(s, count, 10 * SECOND), which);
        take_and_release(s[which]);
        sender_stop(&sender);
    }
    for (unsigned i = 0; i < count; i++) {
        sl_subscriber_close(s[i]);
        sl_publisher_close(p[i]);
    }
}

static void one_of_many_that_is_ready_is_named(void **state)
{
    (void)state;
    wait_on(10, 50);
}

static void more_subscribers_than_the_kernel_waits_for(void **state)
{
    (void)state;
    wait_on(150, 20); /* two words each; futex_waitv takes 128 */
}

/* ---- epoll -----------------------------------------------------------------------------------*/

static void take_until_nothing(struct sl_subscriber *s, uint64_t *last)
{
    struct sl_frame f;
    while (sl_subscriber_take(s, &f) == 0) {
        check_frame(&f);
        *last = f.stamp_ns;
        sl_frame_release(&f);
    }
}

static void descriptor_is_readable_when_there_is_a_message(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE});
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
    int fd = sl_subscriber_fd(s);
    assert_true(fd >= 0);
    assert_int_equal(sl_subscriber_fd(s), fd);
    uint64_t last = 0;
    take_until_nothing(s, &last);
    assert_false(is_readable(fd, 0));
    struct sender sender;
    sender_start(&sender, p);
    for (uint64_t i = 1; i <= 1000; i++) {
        sender_go(&sender);
        while (last < i) {
            assert_true(is_readable(fd, 10000));
            assert_true(is_readable(fd, 0)); /* level-triggered */
            take_until_nothing(s, &last);
        }
        assert_false(is_readable(fd, 0));
    }
    sender_stop(&sender);
    sl_subscriber_close(s);
    sl_publisher_close(p);
}

static void descriptor_tells_of_publishers_that_come_and_go(void **state)
{
    (void)state;
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
    int fd = sl_subscriber_fd(s);
    uint64_t last = 0;
    take_until_nothing(s, &last);
    for (uint64_t round = 1; round <= 50; round++) {
        struct sl_publisher *p =
            publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE});
        assert_ok(publish(p, round, 100));
        struct sl_frame held = {0};
        while (last < round) {
            assert_true(is_readable(fd, 10000));
            if (sl_subscriber_take(s, &held) == 0)
                last = held.stamp_ns;
        }
        sl_publisher_close(p);
        while (reader_status_of(s).publishers > 0) {
            assert_true(is_readable(fd, 10000));
            take_until_nothing(s, &last);
        }
        /* A hang-up is told a few times (the connection, the service thread), not for ever. */
        int looks = 0;
        while (is_readable(fd, 0)) {
            take_until_nothing(s, &last);
            assert_true(++looks < 10);
        }
        sl_frame_release(&held); /* it was held past the end of its publisher */
    }
    sl_subscriber_close(s);
}

static void descriptor_of_one_far_behind_tells_of_the_next_message(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of(
        (struct sl_publisher_options){.slot_size = 64, .slot_count = 4, .ring = 65536});
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
    int fd = sl_subscriber_fd(s);
    uint64_t last = 0;
    for (uint64_t i = 1; i <= 30000; i++)
        assert_ok(publish(p, i, 8));
    while (last < 30000) {
        assert_true(is_readable(fd, 10000));
        take_until_nothing(s, &last);
    }
    assert_ok(publish(p, 30001, 8));
    assert_true(is_readable(fd, 10000));
    take_until_nothing(s, &last);
    assert_int_equal(last, 30001);
    sl_subscriber_close(s);
    sl_publisher_close(p);
}

static void futex_and_descriptor_may_be_used_in_turn(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE});
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
    int fd = sl_subscriber_fd(s);
    struct sender sender;
    sender_start(&sender, p);
    uint64_t last = 0;
    take_until_nothing(s, &last);
    for (uint64_t i = 1; i <= 300; i++) {
        sender_go(&sender);
        if (i % 2)
            assert_true(is_readable(fd, 10000));
        else
            assert_ok(sl_subscriber_wait(s, 10 * SECOND));
        while (last < i)
            take_until_nothing(s, &last);
    }
    sender_stop(&sender);
    sl_subscriber_close(s);
    sl_publisher_close(p);
}

/* ---- Both sides at once -----------------------------------------------------------------------*/

#define RACES 30000

static void *publish_now_and_then(void *context)
{
    uint64_t random = 88172645463325252;
    for (uint64_t seed = 1; seed <= RACES; seed++) {
        unsigned char body[8];
        pattern_fill(body, sizeof body, seed);
        struct sl_message m = {.stamp_ns = seed};
        assert_ok(sl_publisher_publish_inline(context, body, sizeof body, &m));
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        uint64_t until_ns = sl_clock_monotonic_ns() + random % 6000;
        while (sl_clock_monotonic_ns() < until_ns)
            ;
    }
    return NULL;
}

/* A wake-up that got lost between asking and sleeping would be missed for ever: the publisher wakes
 * only when the head crosses what was asked for. */
static void no_wake_up_is_lost_at_any_moment(void **state)
{
    (void)state;
    for (int by_fd = 0; by_fd < 2; by_fd++) {
        struct sl_publisher *p = publisher_of((struct sl_publisher_options){.ring = 65536});
        struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
        int fd = by_fd ? sl_subscriber_fd(s) : -1;
        pthread_t thread;
        uint64_t last = 0;
        assert_int_equal(pthread_create(&thread, NULL, publish_now_and_then, p), 0);
        while (last < RACES) {
            if (by_fd)
                assert_true(is_readable(fd, 10000));
            else
                assert_ok(sl_subscriber_wait(s, 10 * SECOND));
            take_until_nothing(s, &last);
        }
        pthread_join(thread, NULL);
        assert_int_equal(lost_in_all(s), 0);
        sl_subscriber_close(s);
        sl_publisher_close(p);
    }
}

/* ---- The publisher dies -----------------------------------------------------------------------*/

static int publish_one_and_stay(uint64_t seed)
{
    struct sl_publisher *p = NULL;
    struct sl_publisher_options o = {.topic = TOPIC, .type = TYPE, .slot_size = SLOT_SIZE};
    must(open_publisher(&o, &p));
    must(publish(p, seed, 1000));
    say(1);
    hear();
    sl_publisher_close(p);
    return 0;
}

static void *kill_soon(void *context)
{
    child_kill(context);
    return NULL;
}

static void sleeper_wakes_when_its_publisher_dies(void **state)
{
    (void)state;
    for (int by_fd = 0; by_fd < 2; by_fd++) {
        struct child child = child_start("publish-one", 5);
        child_hear(&child);
        struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){.history = 1});
        int fd = by_fd ? sl_subscriber_fd(s) : -1;
        struct sl_frame f;
        assert_int_equal(take(s, &f), 5);
        assert_int_equal(sl_subscriber_take(s, &f), -EAGAIN);
        /* Nothing comes, but the end is noticed while we sleep: the link is left. */
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, kill_soon, &child), 0);
        uint64_t start_ns = sl_clock_monotonic_ns();
        while (reader_status_of(s).publishers > 0) {
            assert_true(sl_clock_monotonic_ns() - start_ns < 10 * SL_NS_PER_S);
            struct sl_frame none;
            if (by_fd)
                assert_true(is_readable(fd, 10000));
            else
                sl_subscriber_wait(s, 10000000);
            assert_int_equal(sl_subscriber_take(s, &none), -EAGAIN);
        }
        pthread_join(thread, NULL);
        check_frame(&f); /* still there */
        sl_frame_release(&f);
        struct sl_domain domain;
        assert_ok(sl_domain_open(NULL, false, &domain));
        sl_domain_sweep(&domain, child.pid);
        sl_domain_close(&domain);
        sl_subscriber_close(s);
    }
}

static const struct role roles[] = {{"publish-one", publish_one_and_stay}, {NULL, NULL}};

int main(int argc, char **argv)
{
    int role = role_main(argc, argv, roles);
    if (role >= 0)
        return role;
#define TEST(name) cmocka_unit_test_setup_teardown(name, shm_setup, shm_teardown)
    const struct CMUnitTest tests[] = {
        TEST(waiting_ends_at_its_timeout),
        TEST(message_that_is_there_needs_no_sleep),
        TEST(sleeper_wakes_for_each_message),
        TEST(sleeper_wakes_for_a_publisher_that_comes),
        TEST(publishers_that_come_together_are_both_listened_to),
        TEST(signal_ends_the_wait),
        TEST(another_thread_may_end_the_wait),
        TEST(one_of_many_that_is_ready_is_named),
        TEST(more_subscribers_than_the_kernel_waits_for),
        TEST(descriptor_is_readable_when_there_is_a_message),
        TEST(descriptor_tells_of_publishers_that_come_and_go),
        TEST(descriptor_of_one_far_behind_tells_of_the_next_message),
        TEST(futex_and_descriptor_may_be_used_in_turn),
        TEST(no_wake_up_is_lost_at_any_moment),
        TEST(sleeper_wakes_when_its_publisher_dies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
