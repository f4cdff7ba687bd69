/* SPDX-License-Identifier: Apache-2.0 */
/* test_wait_many.c - waiting for more than the kernel takes at one time, or where it refuses: it
 * costs nothing, and nothing is slept over. */
#include "tests/shm/support.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SECOND ((int64_t)SL_NS_PER_S)

/* Whoever looks in circles uses all of it; how little it is (`sluice bench bus`) is no test's
 * matter, as a page fault at a bad moment, or an emulator, costs a millisecond. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || SLUICE_EMULATED
#define SHARE 20
#else
#define SHARE 100
#endif

enum {
    TOPICS_MAX = 300,
    FEW = 10,
    MANY = 150,         /* two words each; futex_waitv takes 128 */
    IDLE_SHARE = SHARE, /* a sleeper uses less than one part of so many of a processor */
};

static struct sl_publisher *publisher[TOPICS_MAX];
static struct sl_subscriber *subscriber[TOPICS_MAX];

static void open_topics(unsigned count, struct sl_subscriber_options wants)
{
    for (unsigned i = 0; i < count; i++) {
        char topic[32];
        snprintf(topic, sizeof topic, "/many/%u", i);
        struct sl_publisher_options o = {.topic = topic, .type = TYPE, .slot_size = 64};
        must(open_publisher(&o, &publisher[i]));
        wants.topic = topic;
        must(open_subscriber(&wants, &subscriber[i]));
    }
}

static void close_topics(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        sl_subscriber_close(subscriber[i]);
        sl_publisher_close(publisher[i]);
    }
}

static uint64_t cpu_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * SL_NS_PER_S + (uint64_t)time.tv_nsec;
}

#define is_so(condition) must((condition) ? 0 : -EPROTO)

/* What all threads of this process use while nothing comes. */
static void sleep_for_nothing(unsigned count)
{
    uint64_t start_ns = sl_clock_monotonic_ns();
    is_so(sl_wait(subscriber, count, 1000000) == -ETIMEDOUT); /* descriptors are made once */
    uint64_t before_ns = cpu_ns();
    is_so(sl_wait(subscriber, count, SECOND) == -ETIMEDOUT);
    uint64_t used_ns = cpu_ns() - before_ns;
    fprintf(stderr, "%u topics: %.4f%% of a processor\n", count, (double)used_ns / 1e9 * 100);
    is_so(used_ns < SL_NS_PER_S / IDLE_SHARE);
    is_so(sl_clock_monotonic_ns() - start_ns >= SL_NS_PER_S);
}

struct sender {
    struct sl_publisher *to;
    uint64_t seed;
};

static void *send_one(void *context)
{
    struct sender *sender = context;
    look_again_soon();
    must(publish(sender->to, sender->seed, 8));
    return NULL;
}

static void wake_by_each(unsigned count, unsigned rounds)
{
    for (unsigned round = 0; round < rounds; round++) {
        unsigned which = round * 37 % count;
        struct sender sender = {publisher[which], round};
        struct sl_frame f;
        pthread_t thread;
        is_so(pthread_create(&thread, NULL, send_one, &sender) == 0);
        int ready = sl_wait(subscriber, count, 30 * SECOND);
        is_so(ready == (int)which);
        must(sl_subscriber_take(subscriber[which], &f));
        is_so(f.stamp_ns == round);
        sl_frame_release(&f);
        is_so(sl_subscriber_take(subscriber[which], &f) == -EAGAIN);
        pthread_join(thread, NULL);
    }
}

static void *interrupt_soon(void *context)
{
    look_again_soon();
    sl_subscriber_interrupt(context);
    return NULL;
}

static void be_interrupted(unsigned count, unsigned rounds)
{
    for (unsigned round = 0; round < rounds; round++) {
        pthread_t thread;
        is_so(pthread_create(&thread, NULL, interrupt_soon, subscriber[round % count]) == 0);
        is_so(sl_wait(subscriber, count, 30 * SECOND) == -EINTR);
        pthread_join(thread, NULL);
    }
    uint64_t before_ns = cpu_ns(); /* and what told it is gone: it does not turn in circles */
    is_so(sl_wait(subscriber, count, SECOND / 4) == -ETIMEDOUT);
    is_so(cpu_ns() - before_ns < SL_NS_PER_S / 40);
}

static void *replace_publisher(void *context)
{
    unsigned which = *(unsigned *)context;
    char topic[32];
    snprintf(topic, sizeof topic, "/many/%u", which);
    struct sl_publisher_options o = {.topic = topic, .type = TYPE, .slot_size = 64};
    sl_publisher_close(publisher[which]);
    must(open_publisher(&o, &publisher[which]));
    must(publish(publisher[which], which, 8));
    return NULL;
}

static void wake_by_a_new_publisher(unsigned count, unsigned rounds)
{
    for (unsigned round = 0; round < rounds; round++) {
        unsigned which = round * 7 % count;
        struct sl_frame f;
        pthread_t thread;
        is_so(pthread_create(&thread, NULL, replace_publisher, &which) == 0);
        is_so(sl_wait(subscriber, count, 30 * SECOND) == (int)which);
        must(sl_subscriber_take(subscriber[which], &f));
        sl_frame_release(&f);
        pthread_join(thread, NULL);
    }
}

static void do_all(unsigned count, unsigned rounds)
{
    open_topics(count, (struct sl_subscriber_options){0});
    sleep_for_nothing(count);
    wake_by_each(count, rounds);
    be_interrupted(count, rounds);
    wake_by_a_new_publisher(count, rounds / 4);
    wake_by_each(count, rounds);
    close_topics(count);
    /* By the batch: seven come, the time is over. */
    open_topics(FEW, (struct sl_subscriber_options){.wake_batch = 8, .wake_after_ns = 2000000});
    wake_by_each(FEW, 20);
    close_topics(FEW);
}

/* From here on the kernel has no futex_waitv, as one before 5.16 or in some sandboxes. */
static int refuse_futex_waitv(uint64_t error)
{
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_futex_waitv, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof steps / sizeof *steps, .filter = steps};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) < 0)
        fprintf(stderr, "no seccomp here: futex_waitv is as the system has it\n");
    return 0;
}

static int wait_without_futex_waitv(uint64_t error)
{
    refuse_futex_waitv(error);
    do_all(FEW, 100);
    say(1);
    return 0;
}

static int wait_for_many(uint64_t count)
{
    do_all((unsigned)count, 40);
    say(1);
    return 0;
}

static void in_a_process_of_its_own(const char *role, uint64_t argument)
{
    struct child child = child_start(role, argument);
    uint64_t heard = child_hear(&child);
    assert_int_equal(heard, 1);
    assert_int_equal(child_end(&child), 0);
}

static void sleeping_over_ten_topics_costs_nothing(void **state)
{
    (void)state;
    in_a_process_of_its_own("many", FEW);
}

static void more_topics_than_the_kernel_takes_cost_nothing_either(void **state)
{
    (void)state;
    in_a_process_of_its_own("many", MANY);
}

static void kernel_without_futex_waitv_is_no_reason_to_look_in_circles(void **state)
{
    (void)state;
    in_a_process_of_its_own("without-waitv", ENOSYS);
    in_a_process_of_its_own("without-waitv", EPERM);
}

int main(int argc, char **argv)
{
    static const struct role roles[] = {
        {"without-waitv", wait_without_futex_waitv}, {"many", wait_for_many}, {0}};
    int ran = role_main(argc, argv, roles);
    if (ran >= 0)
        return ran;
#define TEST(name) cmocka_unit_test_setup_teardown(name, shm_setup, shm_teardown)
    const struct CMUnitTest tests[] = {
        TEST(sleeping_over_ten_topics_costs_nothing),
        TEST(more_topics_than_the_kernel_takes_cost_nothing_either),
        TEST(kernel_without_futex_waitv_is_no_reason_to_look_in_circles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
