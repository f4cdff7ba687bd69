/* SPDX-License-Identifier: Apache-2.0 */
/* core/shm/iceoryx.h with a RouDi that is well: what is sent arrives, limits are errors, names of
 * processes are taken and free again. */
#include "core/base/error.h"
#include "tests/shm/iceoryx_support.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- Roles -----------------------------------------------------------------------------------*/

static int run_exchange(uint64_t unused)
{
    (void)unused;
    struct sl_iceoryx_sender *sender;
    struct sl_iceoryx_receiver *receiver;
    begin_role();
    open_pair(INSTANCE, &sender, &receiver);
    check(is_empty(receiver));
    for (uint64_t seq = 1; seq <= 10; seq++)
        send_plain(sender, seq);
    for (uint64_t seq = 1; seq <= 10; seq++)
        receive_plain(receiver, seq);
    check(is_empty(receiver));
    /* more than the queue holds: the oldest are gone, the sender never waits */
    for (uint64_t seq = 1; seq <= SL_ICEORYX_QUEUE + 100; seq++)
        send_plain(sender, seq);
    for (uint64_t seq = 101; seq <= SL_ICEORYX_QUEUE + 100; seq++)
        receive_plain(receiver, seq);
    check(is_empty(receiver));
    sl_iceoryx_receiver_close(receiver);
    sl_iceoryx_sender_close(sender);
    sl_domain_close(&domain);
    return 0;
}

static int run_bodies(uint64_t unused)
{
    (void)unused;
    struct sl_iceoryx_sender *sender;
    struct sl_iceoryx_receiver *receiver;
    struct sl_range ranges[SL_RANGES_MAX] = {{0, 1, 2}, {1, 3, 4}, {0, 5, 6}};
    struct sl_range got_ranges[SL_RANGES_MAX];
    unsigned char body[INLINE], got_body[INLINE];
    struct sl_descriptor d = descriptor_of(1), got;
    begin_role();
    open_pair(INSTANCE, &sender, &receiver);
    d.flags = SL_DESCRIPTOR_GATHER;
    must(sl_iceoryx_reserve(sender));
    must(sl_iceoryx_reserve(sender)); /* one chunk is enough */
    sl_iceoryx_send(sender, &d, ranges, 3, NULL);
    check(sl_iceoryx_receive(receiver, &got, got_ranges, got_body) == 1);
    check(memcmp(&got, &d, sizeof d) == 0 && memcmp(got_ranges, ranges, sizeof ranges) == 0);
    d.flags = SL_DESCRIPTOR_INLINE;
    d.body_length = INLINE;
    pattern_fill(body, sizeof body, 7);
    must(sl_iceoryx_reserve(sender));
    sl_iceoryx_send(sender, &d, NULL, 0, body);
    check(sl_iceoryx_receive(receiver, &got, got_ranges, got_body) == 1);
    check(memcmp(&got, &d, sizeof d) == 0 && pattern_check(got_body, sizeof got_body, 7) == -1);
    sl_iceoryx_receiver_close(receiver);
    /* A receiver that is promised more than the sender's chunks hold believes the chunks. */
    must(sl_iceoryx_receiver_open(&domain, TOPIC, INSTANCE, SL_INLINE_MAX, &receiver));
    await_connected(receiver);
    send_plain(sender, 2);
    unsigned char large[SL_INLINE_MAX];
    check(sl_iceoryx_receive(receiver, &got, got_ranges, large) == -EPROTO);
    check(sl_iceoryx_receive(receiver, &got, got_ranges, large) == 0);
    sl_iceoryx_receiver_close(receiver);
    must(sl_iceoryx_reserve(sender)); /* closing with a chunk at hand */
    sl_iceoryx_sender_close(sender);
    return 0;
}

/* A child that ends by exit() must take nothing of its parent's along. */
static int run_fork(uint64_t unused)
{
    (void)unused;
    struct sl_iceoryx_sender *sender, *other;
    struct sl_iceoryx_receiver *receiver;
    begin_role();
    open_pair(INSTANCE, &sender, &receiver);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(HANGS_S);
        int err = sl_iceoryx_sender_open(&domain, TOPIC, INSTANCE + 1, INLINE, &other);
        sl_iceoryx_receiver_close(receiver);
        sl_iceoryx_sender_close(sender);
        exit(err == -EPERM ? 0 : 1);
    }
    int status = -1;
    check(waitpid(pid, &status, 0) == pid && status == 0);
    /* RouDi cleans up in its rounds; when it has made a connection since, it has made one. */
    struct sl_iceoryx_receiver *later;
    must(sl_iceoryx_sender_open(&domain, TOPIC, INSTANCE + 1, INLINE, &other));
    must(sl_iceoryx_receiver_open(&domain, TOPIC, INSTANCE + 1, INLINE, &later));
    await_connected(later);
    for (uint64_t seq = 1; seq <= 10; seq++)
        send_plain(sender, seq);
    for (uint64_t seq = 1; seq <= 10; seq++)
        receive_plain(receiver, seq);
    sl_iceoryx_receiver_close(later);
    sl_iceoryx_receiver_close(receiver);
    sl_iceoryx_sender_close(other);
    sl_iceoryx_sender_close(sender);
    return 0;
}

/* The lock of its process must not outlive it in a child. */
static int run_survivor(uint64_t unused)
{
    (void)unused;
    struct sl_iceoryx_sender *sender;
    struct sl_iceoryx_receiver *receiver;
    begin_role();
    open_pair(INSTANCE, &sender, &receiver);
    if (fork() == 0) {
        alarm(HANGS_S);
        say((uint64_t)getpid());
        for (;;)
            pause();
    }
    hear();
    return 0;
}

enum {
    PUBLISHERS_MAX = 512,
    SUBSCRIBERS_MAX = 1024
};

/* All that RouDi has, and one more; then, when one is closed, one again. */
static int run_many_senders(uint64_t unused)
{
    (void)unused;
    static struct sl_iceoryx_sender *senders[PUBLISHERS_MAX + 1];
    int count = 0, err = 0;
    begin_role();
    while (count <= PUBLISHERS_MAX &&
           (err = sl_iceoryx_sender_open(&domain, TOPIC, (uint64_t)count, 0, &senders[count])) == 0)
        count++;
    check(err == -ENOSPC && strstr(sl_error_text(), "no publisher left"));
    check(count > PUBLISHERS_MAX - 16); /* RouDi has some for itself */
    sl_iceoryx_sender_close(senders[--count]);
    for (int i = 0; (err = sl_iceoryx_sender_open(&domain, TOPIC, 1000, 0, &senders[count])) < 0;
         i++) {
        check(err == -ENOSPC && i < 50);
        struct timespec pause = {.tv_nsec = 50000000};
        nanosleep(&pause, NULL);
    }
    for (int i = 0; i <= count; i++)
        sl_iceoryx_sender_close(senders[i]);
    return 0;
}

static int run_many_receivers(uint64_t unused)
{
    (void)unused;
    static struct sl_iceoryx_receiver *receivers[SUBSCRIBERS_MAX + 1];
    int count = 0, err = 0;
    begin_role();
    for (int late = 0; count <= SUBSCRIBERS_MAX && late < 10;) {
        err = sl_iceoryx_receiver_open(&domain, TOPIC, 1, 0, &receivers[count]);
        if (err == 0)
            count++;
        else if (err == -ETIMEDOUT) /* a RouDi of a thousand ends may be late on a busy machine */
            late++;
        else
            break;
    }
    check(err == -ENOSPC && strstr(sl_error_text(), "no subscriber left"));
    check(count > SUBSCRIBERS_MAX - 16);
    while (count > 0)
        sl_iceoryx_receiver_close(receivers[--count]);
    return 0;
}

/* One more than iceoryx connects to a sender: it is told by nobody, and harms nobody. */
static int run_crowd(uint64_t limit)
{
    static struct sl_iceoryx_receiver *receivers[SUBSCRIBERS_MAX];
    struct sl_iceoryx_sender *sender;
    struct sl_iceoryx_receiver *elsewhere;
    begin_role();
    must(sl_iceoryx_sender_open(&domain, TOPIC, 1, INLINE, &sender));
    for (uint64_t i = 0; i <= limit; i++)
        must(sl_iceoryx_receiver_open(&domain, TOPIC, 1, INLINE, &receivers[i]));
    uint64_t connected = 0;
    for (int i = 0; connected < limit; i++) {
        check(i < 100000);
        connected = 0;
        for (uint64_t k = 0; k <= limit; k++)
            connected += sl_iceoryx_receiver_is_connected(receivers[k]);
        look_again_soon();
    }
    /* RouDi goes by opening: when it has connected another pair, it is done with these */
    struct sl_iceoryx_sender *other;
    open_pair(2, &other, &elsewhere);
    send_plain(sender, 1);
    uint64_t served = 0;
    for (uint64_t i = 0; i <= limit; i++)
        served += !is_empty(receivers[i]);
    check(served == limit);
    for (uint64_t i = 0; i <= limit; i++)
        sl_iceoryx_receiver_close(receivers[i]);
    sl_iceoryx_receiver_close(elsewhere);
    sl_iceoryx_sender_close(other);
    sl_iceoryx_sender_close(sender);
    return 0;
}

/* Many more in all than there can be at a time: RouDi frees what was closed only in its rounds. */
static int run_churn(uint64_t rounds)
{
    enum {
        AT_A_TIME = 450
    };
    static struct sl_iceoryx_sender *senders[AT_A_TIME];
    begin_role();
    for (uint64_t round = 0; round < rounds; round++) {
        for (int i = 0; i < AT_A_TIME; i++)
            must(sl_iceoryx_sender_open(&domain, TOPIC, round * 1000 + (uint64_t)i, INLINE,
                                        &senders[i]));
        must(sl_iceoryx_reserve(senders[0]));
        for (int i = 0; i < AT_A_TIME; i++)
            sl_iceoryx_sender_close(senders[i]);
    }
    return 0;
}

/* Nobody takes from the first; then the pool is empty, and is not when it is closed. */
static int run_empty_pool(uint64_t chunks)
{
    struct sl_iceoryx_sender *sender[2];
    struct sl_iceoryx_receiver *receiver[2];
    struct sl_publisher *publisher;
    struct sl_loan loan;
    begin_role();
    open_pair(1, &sender[0], &receiver[0]);
    open_pair(2, &sender[1], &receiver[1]);
    must(sl_publisher_open(
        &(struct sl_publisher_options){
            .topic = "/waiting", .type = TYPE, .slot_size = SLOT_SIZE, .bus = SL_BUS_ICEORYX},
        &publisher));
    int err = 0;
    for (uint64_t i = 0; i < chunks && (err = sl_iceoryx_reserve(sender[0])) == 0; i++)
        send_plain(sender[0], i);
    check(err == -EAGAIN && strstr(sl_error_text(), "no chunk"));
    check(sl_iceoryx_reserve(sender[1]) == -EAGAIN);
    check(sl_publisher_loan(publisher, &loan) == -EAGAIN);
    check(sl_publisher_wait(publisher, 0) == -ETIMEDOUT); /* though all its slots are free */
    receive_plain(receiver[0], 0);
    for (int i = 0; sl_iceoryx_reserve(sender[1]) < 0; i++) {
        check(i < 100000);
        look_again_soon();
    }
    send_plain(sender[1], 7);
    receive_plain(receiver[1], 7);
    receive_plain(receiver[0], 1);
    must(sl_publisher_wait(publisher, -1));
    must(sl_publisher_loan(publisher, &loan));
    sl_publisher_close(publisher);
    for (int i = 0; i < 2; i++) {
        sl_iceoryx_receiver_close(receiver[i]);
        sl_iceoryx_sender_close(sender[i]);
    }
    return 0;
}

static const struct role roles[] = {
    {"exchange", run_exchange},
    {"bodies", run_bodies},
    {"fork", run_fork},
    {"survivor", run_survivor},
    {"stand", run_stand},
    {"many_senders", run_many_senders},
    {"many_receivers", run_many_receivers},
    {"crowd", run_crowd},
    {"churn", run_churn},
    {"empty_pool", run_empty_pool},
    {NULL, NULL},
};

/* ---- Tests -----------------------------------------------------------------------------------*/

static void parcels_come_in_order_and_the_oldest_go(void **state)
{
    (void)state;
    struct child child = child_start("exchange", 0);
    end_well(&child);
}

static void bodies_and_sizes(void **state)
{
    (void)state;
    struct child child = child_start("bodies", 0);
    end_well(&child);
}

static void the_limit_of_publishers_is_an_error(void **state)
{
    (void)state;
    run_alone("many_senders", 0);
}

static void the_limit_of_subscribers_is_an_error(void **state)
{
    (void)state;
    run_alone("many_receivers", 0);
}

static void the_257th_subscriber_of_a_publisher_gets_nothing(void **state)
{
    (void)state;
    run_alone("crowd", SL_ICEORYX_RECEIVERS_MAX);
}

static void opening_and_closing_never_runs_out(void **state)
{
    (void)state;
    run_alone("churn", 5);
}

static void a_forked_child_ends_alone(void **state)
{
    (void)state;
#ifdef SLUICE_TSAN
    puts("SKIP: ThreadSanitizer joins threads that fork() took away");
    skip(); /* it waits for ever */
#endif
    run_alone("fork", 0);
}

/* Which places of the domain are locked, as a mask. */
static unsigned places(void)
{
    unsigned mask = 0;
    for (unsigned k = 0; k < 8; k++) {
        char path[160];
        snprintf(path, sizeof path, "%s/default/iceoryx.%u.%u.lock", shm_root(),
                 (unsigned)geteuid(), k);
        int fd = open(path, O_RDWR | O_CLOEXEC);
        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0)
            mask |= 1u << k;
        if (fd >= 0)
            close(fd);
    }
    return mask;
}

static void the_next_process_takes_a_killed_ones_place(void **state)
{
    (void)state;
    struct child child[3];
    for (unsigned i = 0; i < 3; i++) {
        child[i] = child_start("stand", 10 + i);
        assert_int_equal(child_hear(&child[i]), 10 + i);
        assert_int_equal(places(), (1u << (i + 1)) - 1);
    }
    child_kill(&child[1]);
    assert_int_equal(places(), 5);
    struct child next = child_start("stand", 20);
    assert_int_equal(child_hear(&next), 20);
    assert_int_equal(places(), 7);
    struct child *left[] = {&child[0], &child[2], &next};
    for (int i = 0; i < 3; i++) {
        child_tell(left[i], 1);
        end_well(left[i]);
    }
    assert_int_equal(places(), 0);
}

static void equal_domains_of_two_roots_do_not_meet(void **state)
{
    (void)state;
    char first[80], second[80];
    snprintf(first, sizeof first, "%s", shm_root());
    snprintf(second, sizeof second, "%s/second", shm_root());
    assert_int_equal(mkdir(second, 0700), 0);
    struct child one = child_start("stand", 1);
    assert_int_equal(child_hear(&one), 1);
    setenv("SLUICE_ROOT", second, 1);
    struct child two = child_start("stand", 2);
    assert_int_equal(child_hear(&two), 2);
    setenv("SLUICE_ROOT", first, 1);
    child_tell(&one, 1);
    end_well(&one);
    child_tell(&two, 1);
    end_well(&two);
}

static void a_surviving_child_does_not_keep_the_place(void **state)
{
    (void)state;
    struct child child = child_start("survivor", 0);
    pid_t survivor = (pid_t)child_hear(&child);
    assert_true(survivor > 0);
    child_kill(&child);
    assert_int_equal(places(), 0);
    struct child next = child_start("stand", 5);
    assert_int_equal(child_hear(&next), 5);
    assert_int_equal(places(), 1);
    child_tell(&next, 1);
    end_well(&next);
    kill(survivor, SIGKILL);
}

static void an_empty_pool_is_an_error_until_it_is_not(void **state)
{
    (void)state;
    char small[] = "/tmp/small.toml";
    FILE *file = fopen(small, "we");
    assert_non_null(file);
    enum {
        CHUNKS = 20
    };
    fprintf(file,
            "[general]\nversion = 1\n[[segment]]\n[[segment.mempool]]\nsize = %u\n"
            "count = %d\n",
            sl_iceoryx_chunk_size(), CHUNKS);
    fclose(file);
    char *config = strdup(getenv("SLUICE_ROUDI_CONFIG"));
    setenv("SLUICE_ROUDI_CONFIG", small, 1);
    start_roudi();
    setenv("SLUICE_ROUDI_CONFIG", config, 1);
    free(config);
    struct child child = child_start("empty_pool", CHUNKS + 1);
    int status = child_end(&child); /* not without words: see iceoryx.h */
    assert_int_equal(status, 0);
}

int main(int argc, char **argv)
{
    int status = iceoryx_main(argc, argv, roles);
    if (status >= 0)
        return status;
#define TEST(name) cmocka_unit_test_setup_teardown(name, iceoryx_setup, iceoryx_teardown)
    const struct CMUnitTest tests[] = {
        TEST(parcels_come_in_order_and_the_oldest_go),
        TEST(bodies_and_sizes),
        TEST(the_limit_of_publishers_is_an_error),
        TEST(the_limit_of_subscribers_is_an_error),
        TEST(the_257th_subscriber_of_a_publisher_gets_nothing),
        TEST(opening_and_closing_never_runs_out),
        TEST(a_forked_child_ends_alone),
        TEST(the_next_process_takes_a_killed_ones_place),
        TEST(equal_domains_of_two_roots_do_not_meet),
        TEST(a_surviving_child_does_not_keep_the_place),
        TEST(an_empty_pool_is_an_error_until_it_is_not),
    };
    cmocka_set_test_filter(getenv("SLUICE_TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
