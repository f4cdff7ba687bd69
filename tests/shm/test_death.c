/* SPDX-License-Identifier: Apache-2.0 */
/* test_death.c - processes that are killed, stopped, or leave a child behind. */
#include "core/shm/service.h"
#include "tests/shm/support.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECOND ((int64_t)SL_NS_PER_S)

/* A pool that takes long to write to disk. */
#define BIG_SLOT  (32u << 20)
#define BIG_COUNT 6u
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CORE_BYTES 0 /* it would hold the sanitizer's shadow */
#else
#define CORE_BYTES RLIM_INFINITY
#endif

static void sweep(pid_t pid)
{
    struct sl_domain domain;
    assert_ok(sl_domain_open(NULL, false, &domain));
    sl_domain_sweep(&domain, pid);
    sl_domain_close(&domain);
}

/* One that is not our child. */
static void kill_and_wait(pid_t pid)
{
    struct pollfd end = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};
    assert_true(end.fd >= 0);
    kill(pid, SIGKILL);
    assert_int_equal(poll(&end, 1, PATIENCE_MS), 1);
    close(end.fd);
}

/* ---- Roles ------------------------------------------------------------------------------------*/

/* Take `count` frames and hold them; then say how many, again and again. */
static int hold_frames(uint64_t count)
{
    struct sl_subscriber_options o = {.topic = TOPIC, .quota = (uint32_t)count};
    struct sl_subscriber *s = NULL;
    struct sl_frame f;
    must(open_subscriber(&o, &s));
    say(0);
    for (uint64_t n = 0; n < count; n++) {
        int err;
        while ((err = sl_subscriber_take(s, &f)) == -EAGAIN)
            must(sl_subscriber_wait(s, 20 * SECOND));
        must(err);
    }
    say(count);
    hear();
    return 0;
}

/* Stay like that, and outlive the parent. */
static pid_t leave_a_child(void)
{
    /* By the system call itself: no handler of the library closes anything in the child. */
    pid_t child = _Fork();
    if (child == 0) {
        alarm(3 * PATIENCE_MS / 1000); /* should nobody be left to end it */
        for (;;)
            pause();
    }
    return child;
}

/* The same, with a child that outlives us and has inherited what can be inherited. */
static int hold_frames_with_child(uint64_t count)
{
    struct sl_subscriber_options o = {.topic = TOPIC, .quota = (uint32_t)count};
    struct sl_subscriber *s = NULL;
    struct sl_frame f;
    must(open_subscriber(&o, &s));
    say(0);
    for (uint64_t n = 0; n < count; n++) {
        while (sl_subscriber_take(s, &f) == -EAGAIN)
            must(sl_subscriber_wait(s, 20 * SECOND));
    }
    say((uint64_t)leave_a_child());
    hear();
    return 0;
}

/* Read for ever, checking everything; say how many were read and how many were lost when asked. */
static int read_all(uint64_t unused)
{
    (void)unused;
    struct sl_subscriber_options o = {.topic = TOPIC};
    struct sl_subscriber *s = NULL;
    must(open_subscriber(&o, &s));
    say(0);
    uint64_t last = 0, read = 0, lost = 0;
    struct pollfd in = {.fd = 3, .events = POLLIN};
    for (;;) {
        struct sl_frame f;
        while (sl_subscriber_take(s, &f) == 0) {
            if (pattern_check(f.body, f.body_length, f.stamp_ns) >= 0 || sl_frame_check(&f) < 0)
                return 1;
            if (f.seq != last + f.lost_before + 1)
                return 2;
            last = f.seq;
            read++;
            lost += f.lost_before;
            sl_frame_release(&f);
        }
        if (poll(&in, 1, 0) == 1) {
            if (!hear())
                break;
            say(last);
            say(read);
            say(lost);
        }
        sl_subscriber_wait(s, 1000000);
    }
    sl_subscriber_close(s);
    return 0;
}

/* Attach, and end as one should. */
static int attach_and_close(uint64_t unused)
{
    (void)unused;
    struct sl_subscriber_options o = {.topic = TOPIC};
    struct sl_subscriber *s = NULL;
    must(open_subscriber(&o, &s));
    say(0);
    hear();
    sl_subscriber_close(s);
    return 0;
}

/* Publish `count` messages from seed 1 (0: for ever), and stay. */
static int publish_messages(uint64_t count)
{
    struct sl_publisher_options o = {
        .topic = TOPIC, .type = TYPE, .slot_size = SLOT_SIZE, .slot_count = 24};
    struct sl_publisher *p = NULL;
    must(open_publisher(&o, &p));
    if (count == 0)
        say(0);
    for (uint64_t i = 1; count == 0 || i <= count; i++)
        must(publish(p, i, SLOT_SIZE));
    say(count);
    hear();
    sl_publisher_close(p);
    return 0;
}

/* Publish `count` messages; then leave a child behind that has inherited the door, and the
 * connection of the subscriber that has come. */
static int publish_with_child(uint64_t count)
{
    struct sl_publisher_options o = {
        .topic = TOPIC, .type = TYPE, .slot_size = SLOT_SIZE, .slot_count = 24};
    struct sl_publisher *p = NULL;
    must(open_publisher(&o, &p));
    for (uint64_t i = 1; i <= count; i++)
        must(publish(p, i, SLOT_SIZE));
    struct sl_publisher_status status = {0};
    while (status.subscribers == 0) {
        must(sl_publisher_status(p, &status));
        look_again_soon();
    }
    say((uint64_t)leave_a_child());
    hear();
    return 0;
}

/* End as a program with a fault does, and leave a core if that is possible here. */
static void abort_with_core(void)
{
    struct rlimit core = {CORE_BYTES, CORE_BYTES};
    setrlimit(RLIMIT_CORE, &core);
    prctl(PR_SET_DUMPABLE, 1);
    if (chdir(getenv("SLUICE_ROOT")) == 0 && hear())
        abort();
}

static int hold_big_frames_and_abort(uint64_t count)
{
    struct sl_subscriber_options o = {.topic = TOPIC, .quota = (uint32_t)count};
    struct sl_subscriber *s = NULL;
    struct sl_frame f;
    must(open_subscriber(&o, &s));
    say(1);
    for (uint64_t n = 0; n < count; n++)
        while (sl_subscriber_take(s, &f) == -EAGAIN)
            must(sl_subscriber_wait(s, 20 * SECOND));
    say(count);
    abort_with_core();
    return 0;
}

static int publish_big_frames_and_abort(uint64_t count)
{
    struct sl_publisher_options o = {
        .topic = TOPIC, .type = TYPE, .slot_size = BIG_SLOT, .slot_count = BIG_COUNT};
    struct sl_publisher *p = NULL;
    must(open_publisher(&o, &p));
    for (uint64_t i = 1; i <= count; i++)
        must(publish(p, i, SLOT_SIZE));
    say(count);
    abort_with_core();
    return 0;
}

/* ---- A subscriber dies ------------------------------------------------------------------------*/

/* Slots for exactly: one loan, the holders' frames, what `reader` needs, and the newest. */
static struct sl_publisher *tight_publisher(uint32_t holders, uint32_t quota)
{
    return publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE,
                                                      .slot_count = 1 + holders * quota + 1,
                                                      .quota = quota,
                                                      .subscribers = 8});
}

static void killed_holder_costs_no_loan(void **state)
{
    (void)state;
    enum {
        QUOTA = 4
    };
    struct sl_publisher *p = tight_publisher(1, QUOTA);
    uint64_t seed = 0;
    for (int round = 0; round < 20; round++) {
        struct child child = child_start("hold", QUOTA);
        child_hear(&child);
        for (int n = 0; n < QUOTA; n++)
            assert_ok(publish(p, ++seed, SLOT_SIZE));
        assert_int_equal(child_hear(&child), QUOTA);
        assert_int_equal(status_of(p).slots_held, QUOTA);
        sl_service_lock(); /* nobody else notices: the loan itself has to ask */
        child_kill(&child);
        struct sl_loan loan[QUOTA + 2]; /* all that there are */
        for (int n = 0; n < QUOTA + 2; n++)
            assert_ok(sl_publisher_loan(p, &loan[n]));
        for (int n = 0; n < QUOTA + 2; n++)
            sl_publisher_discard(p, &loan[n]);
        sl_service_unlock();
        assert_int_equal(status_of(p).slots_held, 0);
        sweep(child.pid);
    }
    assert_int_equal(status_of(p).refused, 0);
    await(status_of(p).subscribers == 0);
    sl_publisher_close(p);
}

static void holder_that_lives_keeps_its_frames(void **state)
{
    (void)state;
    struct sl_publisher *p = tight_publisher(1, 4);
    struct child child = child_start("hold", 4);
    child_hear(&child);
    for (uint64_t n = 1; n <= 4; n++)
        assert_ok(publish(p, n, SLOT_SIZE));
    assert_int_equal(child_hear(&child), 4);
    for (uint64_t n = 5; n <= 100; n++)
        assert_ok(publish(p, n, SLOT_SIZE));
    struct sl_loan loan[3];
    assert_ok(sl_publisher_loan(p, &loan[0]));
    assert_ok(sl_publisher_loan(p, &loan[1]));
    assert_int_equal(sl_publisher_loan(p, &loan[2]), -EAGAIN);
    assert_int_equal(status_of(p).slots_held, 4);
    assert_int_equal(status_of(p).died, 0);
    child_kill(&child);
    assert_ok(sl_publisher_loan(p, &loan[2]));
    sweep(child.pid);
    sl_publisher_close(p);
}

static void child_that_survives_does_not_keep_its_parents_frames(void **state)
{
    (void)state;
    struct sl_publisher *p = tight_publisher(1, 4);
    struct child child = child_start("hold-with-child", 4);
    child_hear(&child);
    for (uint64_t n = 1; n <= 4; n++)
        assert_ok(publish(p, n, SLOT_SIZE));
    pid_t grandchild = (pid_t)child_hear(&child);
    sl_service_lock();
    child_kill(&child);
    assert_int_equal(kill(grandchild, 0), 0); /* it lives, and has the connection */
    struct sl_loan loan[6];
    for (int n = 0; n < 6; n++)
        assert_ok(sl_publisher_loan(p, &loan[n]));
    sl_service_unlock();
    await(status_of(p).subscribers == 0); /* nor its place */
    assert_int_equal(kill(grandchild, 0), 0);
    kill_and_wait(grandchild);
    sweep(child.pid);
    sl_publisher_close(p);
}

static void killed_lossless_reader_stops_nobody(void **state)
{
    (void)state;
    struct sl_publisher *p =
        publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE,
                                                   .slot_count = 4,
                                                   .lossless = true,
                                                   .lossless_timeout_ns = 100 * SECOND});
    for (int round = 0; round < 5; round++) {
        struct child child = child_start("lossless", 0);
        child_hear(&child);
        int err = 0;
        for (int i = 0; i < 10000 && err == 0; i++)
            err = publish(p, 1, 100);
        assert_int_equal(err, -EAGAIN);
        sl_service_lock();
        child_kill(&child);
        for (uint64_t n = 1; n <= 20; n++)
            assert_ok(publish(p, n, 100));
        sl_service_unlock();
        sweep(child.pid);
    }
    assert_int_equal(status_of(p).demoted, 0);
    sl_publisher_close(p);
}

static int attach_lossless(uint64_t unused)
{
    (void)unused;
    struct sl_subscriber_options o = {.topic = TOPIC, .policy = SL_LOSSLESS};
    struct sl_subscriber *s = NULL;
    must(open_subscriber(&o, &s));
    say(0);
    hear();
    return 0;
}

static void stopped_subscriber_is_not_dead(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE});
    struct child child = child_start("read-all", 0);
    child_hear(&child);
    uint64_t seed = 0;
    for (int round = 0; round < 5; round++) {
        freeze(child.pid);
        for (int n = 0; n < 2000; n++)
            assert_ok(publish(p, ++seed, SLOT_SIZE));
        assert_int_equal(status_of(p).subscribers, 1);
        assert_int_equal(status_of(p).died, 0);
        assert_int_equal(status_of(p).revoked, 0);
        kill(child.pid, SIGCONT);
        uint64_t last, read, lost;
        do {
            child_tell(&child, 1);
            last = child_hear(&child);
            read = child_hear(&child);
            lost = child_hear(&child);
        } while (last < seed);
        assert_int_equal(read + lost, seed); /* what the ring lost, and it is counted */
    }
    assert_int_equal(status_of(p).refused, 0);
    assert_int_equal(child_end(&child), 0);
    sl_publisher_close(p);
}

static void the_others_lose_nothing_when_one_is_killed(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE});
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
    uint64_t seed = 0;
    for (int round = 0; round < 10; round++) {
        struct child child = child_start("hold", 4);
        child_hear(&child);
        for (int n = 0; n < 50; n++) {
            assert_ok(publish(p, ++seed, SLOT_SIZE));
            assert_int_equal(take_and_release(s), seed);
            if (n == 20 + round)
                child_kill(&child);
        }
        sweep(child.pid);
    }
    assert_int_equal(lost_in_all(s), 0);
    sl_subscriber_close(s);
    sl_publisher_close(p);
}

/* Whoever tells first, the connection, the process or a loan that lacks a slot: one is one. Closing
 * is not dying, ending without closing is. */
static void each_death_is_counted_once(void **state)
{
    (void)state;
    struct sl_publisher *p =
        publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE, .lossless = true});
    uint32_t died = 0;
    for (int round = 0; round < 24; round++) {
        struct child child = child_start(round % 4 == 0 ? "lossless" : "attach", 0);
        child_hear(&child);
        assert_ok(publish(p, (uint64_t)round + 1, SLOT_SIZE));
        if (round % 2)
            child_kill(&child);
        else
            assert_int_equal(child_end(&child), 0);
        died += round % 2 || round % 4 == 0; /* the lossless one ends without closing */
        await(status_of(p).subscribers == 0);
        assert_int_equal(status_of(p).died, died);
        sweep(child.pid);
    }
    for (int round = 0; round < 50; round++) { /* by descriptor, with wake-ups that nobody reads */
        struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
        assert_true(sl_subscriber_fd(s) >= 0);
        struct sl_frame f;
        assert_int_equal(sl_subscriber_take(s, &f), -EAGAIN);
        assert_ok(publish(p, 1000, SLOT_SIZE));
        sl_subscriber_close(s);
        await(status_of(p).subscribers == 0);
    }
    assert_int_equal(status_of(p).died, died);
    sl_publisher_close(p);
}

/* ---- The publisher dies -----------------------------------------------------------------------*/

static void frames_of_a_killed_publisher_stay_whole(void **state)
{
    (void)state;
    struct child child = child_start("publish", 10);
    child_hear(&child);
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){.history = 10});
    struct sl_frame f[4];
    for (uint64_t i = 0; i < 4; i++)
        assert_int_equal(take(s, &f[i]), i + 1);
    child_kill(&child);
    for (int i = 0; i < 4; i++) {
        check_frame(&f[i]);
        assert_int_equal(sl_frame_check(&f[i]), 0);
        sl_frame_release(&f[i]);
    }
    for (uint64_t i = 5; i <= 10; i++) /* what it published last can still be taken */
        assert_int_equal(take(s, &f[i % 4]), i), sl_frame_release(&f[i % 4]);
    struct sl_frame none;
    await((assert_int_equal(sl_subscriber_take(s, &none), -EAGAIN),
           reader_status_of(s).publishers == 0));
    assert_int_equal(lost_in_all(s), 0);
    sweep(child.pid);
    sl_subscriber_close(s);
}

static void successor_is_found_and_read_from_its_oldest_frame(void **state)
{
    (void)state;
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
    uint64_t instance = 0;
    for (int round = 0; round < 10; round++) {
        struct child child = child_start("publish", 10); /* 24 slots: all of them stand */
        struct sl_frame f;
        for (uint64_t i = 1; i <= 10; i++) {
            assert_int_equal(take(s, &f), i);
            assert_int_equal(f.seq, i);
            assert_int_equal(f.lost_before, 0);
            if (i == 1)
                assert_true(f.instance != instance);
            else
                assert_true(f.instance == instance);
            instance = f.instance;
            sl_frame_release(&f);
        }
        child_hear(&child);
        child_kill(&child);
        sweep(child.pid);
    }
    assert_int_equal(lost_in_all(s), 0);
    sl_subscriber_close(s);
}

static void check_rest(struct sl_subscriber *s)
{
    struct sl_frame f;
    while (sl_subscriber_take(s, &f) == 0) {
        check_frame(&f);
        sl_frame_release(&f);
    }
}

static void publisher_killed_while_it_publishes_leaves_no_torn_frame(void **state)
{
    (void)state;
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
    for (int round = 0; round < 30; round++) {
        struct child child = child_start("publish", 0);
        child_hear(&child);
        uint64_t until_ns = sl_clock_monotonic_ns() + (uint64_t)(1 + round % 7) * 500000;
        struct sl_frame f;
        while (sl_clock_monotonic_ns() < until_ns) {
            if (sl_subscriber_take(s, &f) < 0)
                continue;
            check_frame(&f);
            sl_frame_release(&f);
        }
        bool holds = sl_subscriber_take(s, &f) == 0;
        child_kill(&child);
        check_rest(s);
        if (holds) {
            check_frame(&f);
            sl_frame_release(&f);
        }
        sweep(child.pid);
    }
    /* the last one's messages may come to be read only now: over iceoryx it is met late */
    await((check_rest(s), reader_status_of(s).publishers == 0));
    sl_subscriber_close(s);
}

/* The child keeps the dead one's connections, and its door open: connecting there succeeds, and
 * nobody answers. */
static void child_that_survives_does_not_hide_its_publishers_death(void **state)
{
    (void)state;
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
    struct child child = child_start("publish-with-child", 3);
    pid_t grandchild = (pid_t)child_hear(&child);
    struct sl_frame held, f;
    assert_int_equal(take(s, &held), 1);
    child_kill(&child);
    assert_int_equal(kill(grandchild, 0), 0);
    assert_int_equal(take_and_release(s), 2);
    assert_int_equal(take_and_release(s), 3);
    await((assert_int_equal(sl_subscriber_take(s, &f), -EAGAIN),
           reader_status_of(s).publishers == 0));
    struct child successor = child_start("publish", 10);
    for (uint64_t i = 1; i <= 10; i++)
        assert_int_equal(take_and_release(s), i);
    struct sl_subscriber *late = subscriber_of((struct sl_subscriber_options){.history = 10});
    for (uint64_t i = 1; i <= 10; i++)
        assert_int_equal(take_and_release(late), i);
    assert_int_equal(kill(grandchild, 0), 0);
    check_frame(&held);
    sl_frame_release(&held);
    sl_subscriber_close(late);
    sl_subscriber_close(s);
    child_hear(&successor);
    assert_int_equal(child_end(&successor), 0);
    kill_and_wait(grandchild);
    sweep(child.pid);
}

/* ---- A core dump ------------------------------------------------------------------------------*/

/* Both flags of its mapping: out of core dumps (dd), not inherited by fork (dc). */
static void expect_pool_is_kept_out(pid_t pid)
{
    char path[64], line[512];
    bool in_pool = false;
    unsigned pools = 0;
    snprintf(path, sizeof path, "/proc/%d/smaps", (int)pid);
    FILE *maps = fopen(path, "re");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps)) {
        if (strstr(line, " rw-s ") || strstr(line, " r--s "))
            in_pool = strstr(line, "sluice-pool") != NULL;
        if (in_pool && strncmp(line, "VmFlags:", 8) == 0) {
            assert_has(line, " dd");
            assert_has(line, " dc");
            pools++;
            in_pool = false;
        }
    }
    fclose(maps);
    assert_int_equal(pools, 1);
}

/* The core's size on disk, 0 if this machine wrote none there; it is removed. */
static uint64_t remove_core(void)
{
    uint64_t bytes = 0;
    DIR *folder = opendir(shm_root());
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder));) {
        struct stat st;
        if (strncmp(entry->d_name, "core", 4) == 0 &&
            fstatat(dirfd(folder), entry->d_name, &st, 0) == 0) {
            bytes = (uint64_t)st.st_blocks * 512;
            unlinkat(dirfd(folder), entry->d_name, 0);
        }
    }
    closedir(folder);
    return bytes;
}

static void expect_small_core(struct child *child, uint64_t took_ns)
{
    assert_int_equal(child_end(child), 256 + SIGABRT);
    uint64_t core_bytes = remove_core();
    print_message("told after %.1f ms; core of %.1f MB, pool of %u MB\n", (double)took_ns / 1e6,
                  (double)core_bytes / 1e6, BIG_COUNT * (BIG_SLOT >> 20));
    assert_true(core_bytes < BIG_SLOT);
    assert_true(took_ns < 5 * SL_NS_PER_S);
    sweep(child->pid);
}

static void core_dump_of_a_subscriber_does_not_delay_the_news(void **state)
{
    (void)state;
    SKIP_EMULATED("what is kept out of a core is not told to the kernel");
    enum {
        QUOTA = 4
    };
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){
        .slot_size = BIG_SLOT, .slot_count = BIG_COUNT, .quota = QUOTA});
    struct child child = child_start("abort-holding", QUOTA);
    child_hear(&child);
    for (uint64_t n = 1; n <= QUOTA; n++)
        assert_ok(publish(p, n, SLOT_SIZE));
    assert_int_equal(child_hear(&child), QUOTA);
    expect_pool_is_kept_out(child.pid);
    child_tell(&child, 1);
    uint64_t start_ns = sl_clock_monotonic_ns();
    struct sl_loan loan[BIG_COUNT];
    for (unsigned n = 0; n < BIG_COUNT; n++)
        await(sl_publisher_loan(p, &loan[n]) == 0);
    expect_small_core(&child, sl_clock_monotonic_ns() - start_ns);
    sl_publisher_close(p);
}

static void core_dump_of_a_publisher_does_not_delay_the_news(void **state)
{
    (void)state;
    SKIP_EMULATED("what is kept out of a core is not told to the kernel");
    struct child child = child_start("abort-publishing", 2);
    child_hear(&child);
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){.history = 2});
    struct sl_frame f, none;
    assert_int_equal(take(s, &f), 1);
    expect_pool_is_kept_out(child.pid);
    child_tell(&child, 1);
    uint64_t start_ns = sl_clock_monotonic_ns();
    assert_int_equal(take_and_release(s), 2);
    await((sl_subscriber_take(s, &none), reader_status_of(s).publishers == 0));
    expect_small_core(&child, sl_clock_monotonic_ns() - start_ns);
    check_frame(&f);
    sl_frame_release(&f);
    sl_subscriber_close(s);
}

/* ---- More publishers than a subscriber waits for ----------------------------------------------*/

enum {
    SILENT = 60,
    TALKING = 10, /* 64 is the most that are read */
};

/* Open `count` publishers, and say how many of them have a subscriber, again and again. */
static int open_many(uint64_t count)
{
    struct sl_publisher *p[SILENT];
    for (uint64_t i = 0; i < count; i++)
        must(sl_publisher_open(
            &(struct sl_publisher_options){
                .topic = TOPIC, .type = TYPE, .slot_size = SLOT_SIZE, .slot_count = 4},
            &p[i]));
    do {
        uint64_t found = 0;
        for (uint64_t i = 0; i < count; i++)
            found += status_of(p[i]).subscribers;
        say(found);
    } while (hear());
    for (uint64_t i = 0; i < count; i++)
        sl_publisher_close(p[i]);
    return 0;
}

static uint64_t ask(struct child *child)
{
    child_tell(child, 1);
    return child_hear(child);
}

/* The subscriber does not take, so they wait to be adopted; then those that were silent answer. */
static void those_that_wait_may_all_arrive_at_once(void **state)
{
    (void)state;
    struct child child = child_start("open-many", SILENT);
    assert_int_equal(child_hear(&child), 0);
    freeze(child.pid);
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
    struct sl_publisher *p[TALKING + 1];
    for (int i = 0; i < TALKING; i++) {
        p[i] = publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE});
        await(status_of(p[i]).subscribers == 1); /* one that is silent makes room for it */
    }
    kill(child.pid, SIGCONT);
    await(ask(&child) >= SILENT + 4 - TALKING);
    usleep(300000); /* the subscriber's own thread finishes with them; nothing tells when */
    p[TALKING] = publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE});
    usleep(300000); /* and finds one more, while nobody takes */
    struct sl_frame none;
    await((sl_subscriber_take(s, &none), reader_status_of(s).publishers == 64));
    assert_int_equal(child_end(&child), 0);
    await((sl_subscriber_take(s, &none), reader_status_of(s).publishers == TALKING + 1));
    for (int i = 0; i <= TALKING; i++)
        sl_publisher_close(p[i]);
    sl_subscriber_close(s);
}

static const struct role roles[] = {
    {"open-many", open_many},
    {"hold", hold_frames},
    {"hold-with-child", hold_frames_with_child},
    {"lossless", attach_lossless},
    {"attach", attach_and_close},
    {"read-all", read_all},
    {"publish", publish_messages},
    {"publish-with-child", publish_with_child},
    {"abort-holding", hold_big_frames_and_abort},
    {"abort-publishing", publish_big_frames_and_abort},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    int role = role_main(argc, argv, roles);
    if (role >= 0)
        return role;
#define TEST(name) cmocka_unit_test_setup_teardown(name, shm_setup, shm_teardown)
    const struct CMUnitTest tests[] = {
        TEST(killed_holder_costs_no_loan),
        TEST(holder_that_lives_keeps_its_frames),
        TEST(child_that_survives_does_not_keep_its_parents_frames),
        TEST(killed_lossless_reader_stops_nobody),
        TEST(stopped_subscriber_is_not_dead),
        TEST(the_others_lose_nothing_when_one_is_killed),
        TEST(each_death_is_counted_once),
        TEST(frames_of_a_killed_publisher_stay_whole),
        TEST(successor_is_found_and_read_from_its_oldest_frame),
        TEST(publisher_killed_while_it_publishes_leaves_no_torn_frame),
        TEST(child_that_survives_does_not_hide_its_publishers_death),
        TEST(those_that_wait_may_all_arrive_at_once),
        TEST(core_dump_of_a_subscriber_does_not_delay_the_news),
        TEST(core_dump_of_a_publisher_does_not_delay_the_news),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
