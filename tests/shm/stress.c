/* SPDX-License-Identifier: Apache-2.0 */
/* stress.c - everybody at full speed, every byte checked, somebody killed again and again.
 *
 *   stress [--seconds S] [--kills N] [--seed X]     (0 seconds: until there were N kills)
 *
 * One process publishes on two topics, payloads of 64 B, 4 kB and 1 MB that are patterns of their
 * stamp. /frames is read by policy latest, keep-last and a hoarder; its pool has just enough slots
 * for what the living may hold, so that a loan that fails can only be a dead process's fault.
 * /every is read lossless, where a dead reader would stop the publisher. On both a further one, the
 * victim, is killed at random moments, the publisher now and then. Ends with 0 if no frame was
 * torn, no loan failed, no living reader of /every lost a message, and nothing is left over.
 */
#include "tests/shm/support.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || SLUICE_EMULATED
#define KILLS_DEFAULT 60
#else
#define KILLS_DEFAULT 240
#endif

enum {
    SLOT = 1 << 20,
    QUOTA = 4,
    READERS = 3,                                 /* of /frames, beside the victim */
    FRAME_SLOTS = 1 + (READERS + 1) * QUOTA + 1, /* a loan, all holds, the newest */
    EVERY_SLOTS = 8,
    EVERY_READERS = 2,
    PUBLISHER_EVERY = 20, /* kills of victims for one of the publisher */
};

/* What the processes tell each other; a file in the test's folder. */
struct board {
    _Atomic uint64_t killed_ns; /* a reader is dead since; 0 = the publisher has seen to it */
    _Atomic uint64_t recovery_max_ns, recoveries;
    _Atomic uint64_t published, waited_max_ns, checked_bytes;
    _Atomic uint64_t read[READERS + EVERY_READERS + 2];
    _Atomic uint64_t lost[READERS + EVERY_READERS + 2];
    _Atomic bool stop;
};

static struct board *board;

static void open_board(bool create)
{
    char path[128];
    snprintf(path, sizeof path, "%s/board", getenv("SLUICE_ROOT"));
    int fd = open(path, O_RDWR | O_CLOEXEC | (create ? O_CREAT : 0), 0600);
    if (fd < 0 || (create && ftruncate(fd, sizeof *board) < 0))
        role_failed(__LINE__, path, -errno);
    board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (board == MAP_FAILED)
        role_failed(__LINE__, "mmap", -errno);
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void note_most(_Atomic uint64_t *most, uint64_t value)
{
    if (value > atomic_load(most)) /* one writer at a time */
        atomic_store(most, value);
}

/* ---- The publisher ----------------------------------------------------------------------------*/

static size_t length_of(uint64_t seed)
{
    uint64_t choice = (seed * UINT64_C(0x9e3779b97f4a7c15)) >> 60;
    return choice == 0 ? SLOT : choice < 8 ? 4096 : 64;
}

static void fill_and_publish(struct sl_publisher *p, struct sl_loan *loan, uint64_t seed,
                             size_t length)
{
    pattern_fill(loan->data, length, seed);
    struct sl_message m = {.stamp_ns = seed, .body_length = (uint32_t)length};
    must(sl_publisher_publish(p, loan, &m));
}

/* All readers are gone: is every slot there? */
static void expect_all_slots(struct sl_publisher *p, unsigned count)
{
    struct sl_publisher_status status;
    struct sl_loan loan;
    for (unsigned i = 0; i < count; i++)
        must(sl_publisher_loan(p, &loan));
    must(sl_publisher_status(p, &status));
    if (status.slots != count || status.demoted > 0 || status.revoked > 0)
        role_failed(__LINE__, "demoted or revoked", -(int)(status.demoted + status.revoked));
}

static int publish_for_ever(uint64_t first_seed)
{
    open_board(false);
    struct sl_publisher *frames = NULL, *every = NULL;
    must(open_publisher(&(struct sl_publisher_options){.topic = "/frames",
                                                       .type = TYPE,
                                                       .slot_size = SLOT,
                                                       .slot_count = FRAME_SLOTS,
                                                       .quota = QUOTA},
                        &frames));
    must(open_publisher(&(struct sl_publisher_options){.topic = "/every",
                                                       .type = TYPE,
                                                       .slot_size = 4096,
                                                       .slot_count = EVERY_SLOTS,
                                                       .quota = 1,
                                                       .lossless = true,
                                                       .lossless_timeout_ns = INT64_MAX},
                        &every));
    say(1);
    uint64_t seed = first_seed, every_seed = first_seed, blocked_ns = 0;
    while (!atomic_load(&board->stop)) {
        struct sl_loan loan;
        uint64_t killed_ns = atomic_load(&board->killed_ns);
        must(sl_publisher_loan(frames, &loan));
        seed++;
        fill_and_publish(frames, &loan, seed, length_of(seed));
        atomic_fetch_add(&board->published, 1);
        uint64_t now_ns = sl_clock_monotonic_ns();
        if (sl_publisher_loan(every, &loan) == 0) {
            every_seed++;
            fill_and_publish(every, &loan, every_seed, every_seed % 3 ? 64 : 4096);
            blocked_ns = 0;
            if (killed_ns && atomic_compare_exchange_strong(&board->killed_ns, &killed_ns, 0)) {
                note_most(&board->recovery_max_ns, now_ns - killed_ns);
                atomic_fetch_add(&board->recoveries, 1);
            }
        } else if (blocked_ns == 0) {
            blocked_ns = now_ns;
        } else {
            note_most(&board->waited_max_ns, now_ns - blocked_ns);
        }
    }
    say(2);
    hear(); /* the readers have gone */
    expect_all_slots(frames, FRAME_SLOTS);
    expect_all_slots(every, EVERY_SLOTS);
    sl_publisher_close(frames);
    sl_publisher_close(every);
    return 0;
}

/* ---- Readers ----------------------------------------------------------------------------------*/

/* What a reader is, by its number. */
static const struct {
    const char *name, *topic;
    enum sl_policy policy;
    uint32_t depth, hoard;
} kinds[] = {
    {"latest", "/frames", SL_LATEST, 0, 1},         {"keep-last 2", "/frames", SL_KEEP_LAST, 2, 2},
    {"hoarder", "/frames", SL_KEEP_LAST, 0, QUOTA}, {"lossless", "/every", SL_LOSSLESS, 0, 1},
    {"lossless", "/every", SL_LOSSLESS, 0, 1},      {"victim", "/frames", SL_KEEP_LAST, 0, QUOTA},
    {"victim", "/every", SL_LOSSLESS, 0, 1},
};
enum {
    KINDS = sizeof kinds / sizeof *kinds,
    VICTIM = READERS + EVERY_READERS
};

static void check(const struct sl_frame *f, uint64_t kind)
{
    ssize_t wrong = pattern_check(f->body, f->body_length, f->stamp_ns);
    if (wrong >= 0 || sl_frame_check(f) < 0) {
        fprintf(stderr, "%s: message %" PRIu64 " of %zu bytes is torn at %zd (%s)\n",
                kinds[kind].name, f->seq, f->body_length, wrong, sl_error_text());
        _exit(4);
    }
    atomic_fetch_add(&board->checked_bytes, f->body_length);
}

/* Take; hold as many as this kind holds, the oldest being checked a last time before it goes. */
static int read_for_ever(uint64_t kind)
{
    open_board(false);
    struct sl_subscriber *s = NULL;
    must(open_subscriber(&(struct sl_subscriber_options){.topic = kinds[kind].topic,
                                                         .policy = kinds[kind].policy,
                                                         .depth = kinds[kind].depth,
                                                         .quota = kinds[kind].hoard},
                         &s));
    say(1);
    struct sl_frame held[QUOTA];
    uint32_t hoard = kinds[kind].hoard, count = 0;
    uint64_t instance = 0, last = 0;
    while (!atomic_load_explicit(&board->stop, memory_order_relaxed)) {
        if (count == hoard) {
            check(&held[0], kind);
            sl_frame_release(&held[0]);
            memmove(held, held + 1, --count * sizeof held[0]);
        }
        struct sl_frame *f = &held[count];
        int err = sl_subscriber_take(s, f);
        if (err == -EAGAIN) {
            sl_subscriber_wait(s, 5 * (int64_t)SL_NS_PER_MS);
            continue;
        }
        must(err);
        count++;
        check(f, kind);
        /* Of the same publisher: what is missing was told; lossless misses nothing. */
        if (f->instance == instance && f->seq != last + f->lost_before + 1) {
            fprintf(stderr, "%s: %" PRIu64 " after %" PRIu64 "\n", kinds[kind].name, f->seq, last);
            return 5;
        }
        if (f->instance == instance && kinds[kind].policy == SL_LOSSLESS && f->lost_before > 0) {
            fprintf(stderr, "%s lost %" PRIu64 "\n", kinds[kind].name, f->lost_before);
            return 6;
        }
        atomic_fetch_add(&board->lost[kind], f->lost_before);
        atomic_fetch_add(&board->read[kind], 1);
        instance = f->instance;
        last = f->seq;
    }
    while (count > 0) {
        check(&held[--count], kind);
        sl_frame_release(&held[count]);
    }
    sl_subscriber_close(s);
    return 0;
}

/* ---- The one who kills ------------------------------------------------------------------------*/

static int sweep_kinds(struct child *child)
{
    struct sl_domain domain;
    assert_ok(sl_domain_open(NULL, false, &domain));
    sl_domain_sweep(&domain, child->pid);
    sl_domain_close(&domain);
    return 0;
}

static struct {
    unsigned kills;
    uint64_t seconds, random;
} wish = {KILLS_DEFAULT, 0, 88172645463325252};

static struct child start_reader(uint64_t kind)
{
    return child_start("reader", kind);
}

static bool goes_on(unsigned kills, uint64_t start_ns)
{
    if (wish.seconds > 0)
        return sl_clock_monotonic_ns() - start_ns < wish.seconds * SL_NS_PER_S;
    return kills < wish.kills;
}

static void nap(uint64_t us)
{
    struct timespec pause = {.tv_nsec = (long)us * 1000};
    nanosleep(&pause, NULL);
}

/* Has one of those that shall live ended? */
static void expect_alive(const struct child *child)
{
    siginfo_t info = {0};
    waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG | WNOWAIT);
    if (info.si_pid != 0)
        fail_msg("process %d has ended", (int)child->pid);
}

static void everybody_is_whole_while_one_is_killed_again_and_again(void **state)
{
    (void)state;
    open_board(true);
    uint64_t seed_base = 0;
    unsigned kills = 0, publisher_kills = 0;
    struct child publisher = child_start("publisher", seed_base), reader[KINDS];
    child_hear(&publisher);
    for (uint64_t kind = 0; kind < KINDS; kind++)
        reader[kind] = start_reader(kind);
    for (uint64_t kind = 0; kind < KINDS; kind++)
        child_hear(&reader[kind]);
    uint64_t start_ns = sl_clock_monotonic_ns();
    while (goes_on(kills, start_ns)) {
        uint64_t which = VICTIM + next_random(&wish.random) % 2;
        nap(next_random(&wish.random) % 4000);
        child_kill(&reader[which]);
        atomic_store(&board->killed_ns, sl_clock_monotonic_ns());
        kills++;
        sweep_kinds(&reader[which]);
        reader[which] = start_reader(which);
        if (next_random(&wish.random) % 2) /* the other half is killed on its way in */
            child_hear(&reader[which]);
        if (kills % PUBLISHER_EVERY == 0) {
            atomic_store(&board->killed_ns, 0);
            child_kill(&publisher);
            publisher_kills++;
            sweep_kinds(&publisher);
            seed_base += UINT64_C(1) << 40;
            publisher = child_start("publisher", seed_base);
            child_hear(&publisher);
        }
        for (int kind = 0; kind < VICTIM; kind++)
            expect_alive(&reader[kind]);
        expect_alive(&publisher);
    }
    uint64_t took_ns = sl_clock_monotonic_ns() - start_ns;
    atomic_store(&board->stop, true);
    for (uint64_t kind = 0; kind < KINDS; kind++) {
        int status = child_end(&reader[kind]);
        if (status != 0)
            fail_msg("%s ended with %d", kinds[kind].name, status);
    }
    child_tell(&publisher, 1);
    assert_int_equal(child_end(&publisher), 0);
    for (int kind = 0; kind < VICTIM; kind++)
        print_message("%-12s read %" PRIu64 ", lost %" PRIu64 "\n", kinds[kind].name,
                      atomic_load(&board->read[kind]), atomic_load(&board->lost[kind]));
    print_message("%u kills of readers and %u of publishers in %.1f s; %" PRIu64
                  " messages, %.1f GB checked; longest recovery %.3f ms of %" PRIu64
                  ", longest wait for a lossless reader %.3f ms\n",
                  kills, publisher_kills, (double)took_ns / 1e9, atomic_load(&board->published),
                  (double)atomic_load(&board->checked_bytes) / 1e9,
                  (double)atomic_load(&board->recovery_max_ns) / 1e6,
                  atomic_load(&board->recoveries),
                  (double)atomic_load(&board->waited_max_ns) / 1e6);
    for (int kind = 0; kind < VICTIM; kind++)
        assert_true(atomic_load(&board->read[kind]) > 0);
    munmap(board, sizeof *board);
    char path[128];
    snprintf(path, sizeof path, "%s/board", shm_root());
    unlink(path);
}

static const struct role roles[] = {
    {"publisher", publish_for_ever}, {"reader", read_for_ever}, {NULL, NULL}};

int main(int argc, char **argv)
{
    int role = role_main(argc, argv, roles);
    if (role >= 0)
        return role;
    for (int i = 1; i + 1 < argc; i += 2) {
        uint64_t value = strtoull(argv[i + 1], NULL, 0);
        if (strcmp(argv[i], "--seconds") == 0)
            wish.seconds = value;
        else if (strcmp(argv[i], "--kills") == 0)
            wish.kills = (unsigned)value;
        else if (strcmp(argv[i], "--seed") == 0 && value)
            wish.random = value;
        else
            return fprintf(stderr, "usage: %s [--seconds S] [--kills N] [--seed X]\n", argv[0]), 2;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(everybody_is_whole_while_one_is_killed_again_and_again,
                                        shm_setup, shm_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
