/* SPDX-License-Identifier: Apache-2.0 */
/* crash.c - somebody is killed at every step there is, and it makes no difference to the others.
 *
 *   test_shm_crash [--kills N] [--point NAME] [--seconds S] [--stop S] [--seed X]
 *                  [--bus native|iceoryx]
 *
 * N times at each fail point of core/shm/failpoint.h a process dies by SIGKILL just there, under
 * load: a subscriber beside one publisher that lives, and a publisher whose successor stands by.
 * Every point has a domain of its own; then points are drawn at random in one that lives on (for S
 * seconds, if given). Asserted: no frame is torn; taken and lost are what was shown; a dead holder
 * costs no loan; every slot comes back; a successor is found and read from its first message;
 * nobody who lives fails, and nothing is left in the domain. Somebody who is stopped (for S
 * seconds) is not dead. Over iceoryx RouDi is killed at the end.
 */
#include "tests/shm/crash.h"

#include "core/shm/roudi.h"

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Without a wish: a share that takes seconds. */
#if defined(__SANITIZE_THREAD__) || SLUICE_EMULATED
#define KILLS_DEFAULT 1
#define EVERY_DEFAULT 4
#elif defined(__SANITIZE_ADDRESS__)
#define KILLS_DEFAULT 1
#define EVERY_DEFAULT 1
#else
#define KILLS_DEFAULT 2
#define EVERY_DEFAULT 1
#endif

enum {
    OFTEN_MOST = 100, /* the passing at which it happens is drawn from 1 to this */
    RARE_MOST = 4,
    KILLS_MAX = 1 << 20,
    STOP_MS_DEFAULT = 200,
    BAR_MS = 10, /* for the table, and with --bar: a busy machine takes its own time */
};

static struct {
    unsigned kills;
    int every; /* only each so-many-th point has a domain of its own */
    uint64_t seconds, seed, stop_ms, bar_ms;
    const char *point;
} wish = {.kills = KILLS_DEFAULT,
          .every = EVERY_DEFAULT,
          .seed = UINT64_C(88172645463325252),
          .bar_ms = BAR_MS,
          .stop_ms = STOP_MS_DEFAULT};

/* One row of the table. */
struct tally {
    unsigned kills, samples;
    uint64_t *sample_ns;
};

/* Who plays in one domain. */
struct scene {
    bool publishers_die;
    struct child survivor[SURVIVORS];
    unsigned survivor_count;
    struct child publisher, next, guest;
    pid_t *unswept;
    unsigned unswept_count;
};

static const struct order nobody; /* is told to die */

static bool must_meet_bar;
static unsigned kills_in_all, late_in_all;
static uint64_t slowest_ns;

/* Time. ---------------------------------------------------------------------------------------- */

static void note_recovery(struct tally *tally, uint64_t took_ns)
{
    if ((tally->samples & (tally->samples - 1)) == 0) { /* at each power of two, twice the room */
        size_t room = tally->samples ? 2 * (size_t)tally->samples : 1;
        tally->sample_ns = realloc(tally->sample_ns, room * sizeof *tally->sample_ns);
        assert_non_null(tally->sample_ns);
    }
    tally->sample_ns[tally->samples++] = took_ns;
    slowest_ns = took_ns > slowest_ns ? took_ns : slowest_ns;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void print_tally(const char *name, struct tally *tally)
{
    if (tally->samples == 0)
        return;
    qsort(tally->sample_ns, tally->samples, sizeof *tally->sample_ns, compare);
    unsigned late = 0;
    for (unsigned i = 0; i < tally->samples; i++)
        late += tally->sample_ns[i] > wish.bar_ms * SL_NS_PER_MS;
    late_in_all += late;
    print_message("  %-20s %8u %12.3f %12.3f %8u of %u\n", name, tally->kills,
                  (double)tally->sample_ns[tally->samples / 2] / 1e6,
                  (double)tally->sample_ns[tally->samples - 1] / 1e6, late, tally->samples);
    free(tally->sample_ns);
    *tally = (struct tally){0};
}

static void print_head(const char *who, const char *until)
{
    print_message("  from SIGKILL until %s\n", until);
    print_message("  %-20s %8s %12s %12s %8s %u ms\n", who, "kills", "p50 ms", "max ms", "over",
                  (unsigned)wish.bar_ms);
}

/* Scenes. -------------------------------------------------------------------------------------- */

static struct child start_reader(struct order order)
{
    return child_start("read", crash_order_pack(order));
}

static struct child start_survivor(struct order order)
{
    struct child child = start_reader(order);
    child_hear(&child);
    return child;
}

static struct child start_publisher(const char *role)
{
    struct child child = child_start(role, 0);
    child_hear(&child);
    return child;
}

/* `first` is the order of the first survivor. */
static void begin_scene(struct scene *s, bool publishers_die, struct order first)
{
    *s = (struct scene){.publishers_die = publishers_die};
    crash_board_open(true);
    atomic_store(&board->random, wish.seed += UINT64_C(0x632be59bd9b4e019));
    s->survivor_count = publishers_die ? 2 : SURVIVORS;
    s->publisher = start_publisher(publishers_die ? "publish" : "serve");
    for (unsigned i = 0; i < s->survivor_count; i++)
        s->survivor[i] = start_survivor(i == 0 ? first : (struct order){.kind = i});
    if (publishers_die)
        s->guest = start_reader((struct order){.kind = GUEST});
    child_tell(&s->publisher, 1);
    if (publishers_die)
        child_hear(&s->publisher); /* found by the survivors */
}

static void expect_end(struct child *child, const char *who)
{
    int status = child_end(child);
    if (status != 0)
        fail_msg("%s ended with %d", who, status);
}

static void expect_alive(const struct child *child)
{
    siginfo_t info = {0};
    waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG | WNOWAIT);
    if (info.si_pid != 0)
        fail_msg("process %d, which nobody killed, has ended", (int)child->pid);
}

static void sweep(pid_t pid)
{
    struct sl_domain domain;
    assert_ok(sl_domain_open(NULL, false, &domain));
    sl_domain_sweep(&domain, pid);
    sl_domain_close(&domain);
}

/* Half of them at once, as a launcher does; the others at the end, as somebody who cleans up. */
static void leave_for_sweeping(struct scene *s, pid_t pid)
{
    if (crash_random() % 2) {
        sweep(pid);
        return;
    }
    s->unswept = realloc(s->unswept, (s->unswept_count + 1) * sizeof *s->unswept);
    assert_non_null(s->unswept);
    s->unswept[s->unswept_count++] = pid;
}

static void end_scene(struct scene *s)
{
    atomic_store(&board->stop, true);
    if (s->publishers_die) {
        expect_end(&s->publisher, "publisher");
        expect_end(&s->guest, "guest");
    } else {
        assert_int_equal(child_hear(&s->publisher), 2);
    }
    atomic_store(&board->drained, true);
    for (unsigned i = 0; i < s->survivor_count; i++)
        expect_end(&s->survivor[i], "survivor");
    if (!s->publishers_die) {
        child_tell(&s->publisher, 1);
        expect_end(&s->publisher, "publisher");
    }
    for (unsigned i = 0; i < s->survivor_count; i++)
        assert_true(atomic_load(&board->read[i]) > 0);
    for (unsigned i = 0; i < s->unswept_count; i++)
        sweep(s->unswept[i]);
    free(s->unswept);
    assert_int_equal(count_sockets(), 0);
}

/* Killing. ------------------------------------------------------------------------------------- */

static void await_death(const struct child *child, enum sl_failpoint point)
{
    struct pollfd end = {.fd = (int)syscall(SYS_pidfd_open, child->pid, 0), .events = POLLIN};
    assert_true(end.fd >= 0);
    if (poll(&end, 1, 3 * PATIENCE_MS) != 1)
        fail_msg("process %d never came by %s", (int)child->pid, sl_failpoint_name(point));
    close(end.fd);
}

/* It has killed itself; anything else is a failure of its own. */
static void bury(struct scene *s, struct child *child)
{
    pid_t pid = child->pid;
    child_kill(child);
    leave_for_sweeping(s, pid);
}

static uint32_t choose_nth(enum sl_failpoint point)
{
    return 1 + (uint32_t)(crash_random() % (sl_failpoint_is_often(point) ? OFTEN_MOST : RARE_MOST));
}

/* Recovered: the publisher has loaned every slot that nobody alive may hold; a lossless victim no
 * longer stands in the way. */
static void kill_reader(struct scene *s, enum sl_failpoint point, struct tally *tally)
{
    enum reader_kind kind = VICTIM_HOARDER + crash_random() % (READER_KINDS - VICTIM_HOARDER);
    atomic_store(&board->victim, kind);
    struct child victim = start_reader((struct order){point, choose_nth(point), kind, false});
    await_death(&victim, point);
    atomic_store(&board->is_dead, true);
    uint64_t killed_ns = atomic_load(&board->killed_ns);
    await(atomic_load(&board->recovered_ns[0]) >= killed_ns);
    note_recovery(tally, atomic_load(&board->recovered_ns[0]) - killed_ns);
    atomic_store(&board->is_dead, false);
    bury(s, &victim);
    assert_int_equal(atomic_load(&board->failed_loans), 0);
}

/* Recovered: both survivors have the first message of the successor, which stands by and opens its
 * end when it is told of the death. */
static void kill_publisher(struct scene *s, enum sl_failpoint point, struct tally *tally)
{
    s->next = start_publisher("publish");
    child_tell(&s->publisher, crash_order_pack((struct order){point, choose_nth(point), 0, false}));
    await_death(&s->publisher, point);
    child_tell(&s->next, 1);
    bury(s, &s->publisher);
    s->publisher = s->next;
    assert_int_equal(child_hear(&s->publisher), 2);
    for (int i = 0; i < 2; i++) {
        uint64_t recovered_ns = atomic_load(&board->recovered_ns[i]);
        assert_true(recovered_ns > atomic_load(&board->killed_ns));
        note_recovery(tally, recovered_ns - atomic_load(&board->killed_ns));
    }
}

static void kill_one(struct scene *s, enum sl_failpoint point, struct tally *tally)
{
    if (s->publishers_die)
        kill_publisher(s, point, tally);
    else
        kill_reader(s, point, tally);
    tally->kills++;
    kills_in_all++;
    for (unsigned i = 0; i < s->survivor_count; i++)
        expect_alive(&s->survivor[i]);
    expect_alive(&s->publisher);
}

static bool is_wanted(enum sl_failpoint point, bool publishers_die)
{
    if (wish.point && strcmp(wish.point, sl_failpoint_name(point)) != 0)
        return false;
    if (sl_failpoint_is_iceoryxs(point) && !is_over_iceoryx())
        return false;
    return publishers_die ? sl_failpoint_is_publishers(point) : sl_failpoint_is_subscribers(point);
}

/* Where not each point has its turn, another build and the other bus have others. */
static bool has_turn(int point)
{
    return (point + SLUICE_EMULATED + 2 * is_over_iceoryx()) % wish.every == 0;
}

/* Each point in a domain of its own. */
static void kill_at_each_step(bool publishers_die)
{
    for (int point = 0; wish.seconds == 0 && point < SL_FAIL_POINT_COUNT; point++) {
        struct scene scene;
        struct tally tally = {0};
        if (!is_wanted((enum sl_failpoint)point, publishers_die) || !has_turn(point))
            continue;
        begin_scene(&scene, publishers_die, nobody);
        while (tally.kills < wish.kills)
            kill_one(&scene, (enum sl_failpoint)point, &tally);
        end_scene(&scene);
        crash_board_close();
        print_tally(sl_failpoint_name((enum sl_failpoint)point), &tally);
        assert_int_equal(shm_teardown(NULL), 0);
        assert_int_equal(shm_setup(NULL), 0);
    }
}

/* All of them in any order, in one domain whose survivors have seen them all. */
static void kill_at_random_steps(bool publishers_die)
{
    struct scene scene;
    struct tally tally = {0};
    unsigned kills = wish.kills * 6;
    if (wish.point && wish.seconds == 0)
        return;
    uint64_t start_ns = sl_clock_monotonic_ns();
    begin_scene(&scene, publishers_die, nobody);
    while (wish.seconds ? sl_clock_monotonic_ns() - start_ns < wish.seconds * SL_NS_PER_S / 2
                        : tally.kills < kills) {
        enum sl_failpoint point = (enum sl_failpoint)(crash_random() % SL_FAIL_POINT_COUNT);
        if (is_wanted(point, publishers_die))
            kill_one(&scene, point, &tally);
    }
    end_scene(&scene);
    crash_board_close();
    print_tally("at random", &tally);
}

static void subscribers_killed_at_each_step_cost_nobody_anything(void **state)
{
    (void)state;
    print_head("subscriber killed", "every slot is loaned that the living cannot hold");
    kill_at_each_step(false);
    kill_at_random_steps(false);
}

static void publishers_killed_at_each_step_are_followed(void **state)
{
    (void)state;
    print_head("publisher killed", "a message of its successor, which stands by, is taken");
    kill_at_each_step(true);
    kill_at_random_steps(true);
}

/* Stopping. ------------------------------------------------------------------------------------ */

static void await_stop(const struct child *child)
{
    siginfo_t info = {0};
    await(waitid(P_PID, (id_t)child->pid, &info, WSTOPPED | WNOHANG) == 0 && info.si_pid != 0);
}

/* The others go on meanwhile. */
static void wake_after_a_while(struct child *child, bool others_publish)
{
    uint64_t before = atomic_load(&board->published);
    uint64_t until_ns = sl_clock_monotonic_ns() + wish.stop_ms * SL_NS_PER_MS;
    while (sl_clock_monotonic_ns() < until_ns)
        crash_nap_us(1000);
    if (others_publish)
        await(atomic_load(&board->published) > before);
    else
        assert_int_equal(atomic_load(&board->published), before);
    before = atomic_load(&board->published);
    assert_int_equal(kill(child->pid, SIGCONT), 0);
    await(atomic_load(&board->published) > before + 200);
}

/* It is not dead: what it held it still holds, unchanged, and what it missed is counted. */
static void stopped_reader_loses_only_what_the_ring_loses(void **state)
{
    (void)state;
    static const enum sl_failpoint points[] = {SL_FAIL_TAKE_HELD, SL_FAIL_RELEASE_BEGUN,
                                               SL_FAIL_ARM_FENCED};
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        struct scene scene;
        begin_scene(&scene, false, (struct order){points[i], 40, HOARDER, true});
        await_stop(&scene.survivor[HOARDER]);
        wake_after_a_while(&scene.survivor[HOARDER], true);
        end_scene(&scene);
        crash_board_close();
    }
}

/* Nor is a publisher: its readers wait for it, and miss nothing. */
static void stopped_publisher_is_not_given_up(void **state)
{
    (void)state;
    static const enum sl_failpoint points[] = {SL_FAIL_FILL, SL_FAIL_PUBLISH_P3,
                                               SL_FAIL_RECYCLE_FENCED};
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        struct scene scene;
        begin_scene(&scene, true, nobody);
        child_tell(&scene.publisher,
                   crash_order_pack((struct order){points[i], 10, 0, .stops = true}));
        await_stop(&scene.publisher);
        wake_after_a_while(&scene.publisher, false);
        end_scene(&scene);
        crash_board_close();
    }
}

/* RouDi. --------------------------------------------------------------------------------------- */

static void go_on(unsigned messages)
{
    uint64_t before = atomic_load(&board->published);
    await(atomic_load(&board->published) > before + messages);
}

/* Everybody is under way, and ends as always. The last test: RouDi does not come again. */
static void killed_roudi_harms_nobody(void **state)
{
    (void)state;
    struct scene scene;
    struct sl_roudi roudi;
    if (!is_over_iceoryx())
        return;
    assert_ok(sl_roudi_find(&roudi));
    assert_true(roudi.pid > 0);
    begin_scene(&scene, false, nobody);
    go_on(200);
    assert_int_equal(kill(roudi.pid, SIGKILL), 0);
    go_on(500); /* more than waits in any queue */
    end_scene(&scene);
    crash_board_close();
}

/* The command line. ---------------------------------------------------------------------------- */

static int usage(const char *program)
{
    fprintf(
        stderr,
        "usage: %s [--kills N] [--point NAME] [--seconds S] [--stop S] [--seed X] [--bus NAME]\n"
        "       [--bar MS]: fail if anything takes longer to recover; on an idle machine\n"
        "points:",
        program);
    for (int point = 0; point < SL_FAIL_POINT_COUNT; point++)
        fprintf(stderr, " %s", sl_failpoint_name((enum sl_failpoint)point));
    fprintf(stderr, "\n");
    return 2;
}

static int read_wish(int argc, char **argv)
{
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc)
            return usage(argv[0]);
        uint64_t value = strtoull(argv[i + 1], NULL, 0);
        if (strcmp(argv[i], "--kills") == 0 && value > 0 && value <= KILLS_MAX)
            wish.kills = (unsigned)value, wish.every = 1;
        else if (strcmp(argv[i], "--seconds") == 0 && value > 0)
            wish.seconds = value;
        else if (strcmp(argv[i], "--stop") == 0)
            wish.stop_ms = value * 1000;
        else if (strcmp(argv[i], "--seed") == 0 && value > 0)
            wish.seed = value;
        else if (strcmp(argv[i], "--bar") == 0 && value > 0)
            wish.bar_ms = value, must_meet_bar = true;
        else if (strcmp(argv[i], "--bus") == 0)
            setenv("SLUICE_BUS", argv[i + 1], 1);
        else if (strcmp(argv[i], "--point") == 0 &&
                 sl_failpoint_of(argv[i + 1]) < SL_FAIL_POINT_COUNT)
            wish.point = argv[i + 1], wish.every = 1;
        else
            return usage(argv[0]);
    }
    if (wish.point && sl_failpoint_is_iceoryxs(sl_failpoint_of(wish.point)) && !is_over_iceoryx()) {
        fprintf(stderr, "%s is passed only over iceoryx: add --bus iceoryx\n", wish.point);
        return 2;
    }
    return 0;
}

static const struct role roles[] = {
    {"publish", crash_publish}, {"serve", crash_serve}, {"read", crash_read}, {NULL, NULL}};

int main(int argc, char **argv)
{
    int role = role_main(argc, argv, roles);
    if (role >= 0)
        return role;
    int err = read_wish(argc, argv);
    if (err)
        return err;
#define TEST(name) cmocka_unit_test_setup_teardown(name, shm_setup, shm_teardown)
    const struct CMUnitTest tests[] = {
        TEST(subscribers_killed_at_each_step_cost_nobody_anything),
        TEST(publishers_killed_at_each_step_are_followed),
        TEST(stopped_reader_loses_only_what_the_ring_loses),
        TEST(stopped_publisher_is_not_given_up),
        TEST(killed_roudi_harms_nobody),
    };
    uint64_t start_ns = sl_clock_monotonic_ns();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    printf("%u kills in %.1f s, the slowest recovery took %.3f ms\n", kills_in_all,
           (double)(sl_clock_monotonic_ns() - start_ns) / 1e9, (double)slowest_ns / 1e6);
    if (must_meet_bar && late_in_all > 0) {
        printf("%u recoveries took more than %u ms\n", late_in_all, (unsigned)wish.bar_ms);
        return 1;
    }
    return failed;
}
