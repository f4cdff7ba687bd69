/* SPDX-License-Identifier: Apache-2.0 */
/* core/shm/iceoryx.h when RouDi is absent, dies, stops or comes again, and when somebody is killed
 * inside of iceoryx. */
#include "core/base/error.h"
#include "core/shm/iceoryx_mutex.h"
#include "core/shm/roudi.h"
#include "tests/shm/iceoryx_support.h"

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- Roles -----------------------------------------------------------------------------------*/

/* Open, say so, hear what became of RouDi, and go on. The argument is what opening then returns. */
static int run_trouble(uint64_t expected)
{
    struct sl_iceoryx_sender *sender, *second;
    struct sl_iceoryx_receiver *receiver;
    begin_role();
    open_pair(INSTANCE, &sender, &receiver);
    say(1);
    hear();
    for (uint64_t seq = 1; seq <= 3; seq++)
        send_plain(sender, seq);
    for (uint64_t seq = 1; seq <= 3; seq++)
        receive_plain(receiver, seq);
    uint64_t start = sl_clock_monotonic_ns();
    int err = sl_iceoryx_sender_open(&domain, TOPIC, INSTANCE + 1, INLINE, &second);
    check(err == -(int)expected);
    say(sl_clock_monotonic_ns() - start);
    hear();
    sl_iceoryx_receiver_close(receiver);
    sl_iceoryx_sender_close(sender);
    return 0;
}

/* Stopped for so long that RouDi has freed all it had: the flow goes on without. */
static int run_given_up(uint64_t messages)
{
    struct sl_iceoryx_sender *sender, *second;
    struct sl_iceoryx_receiver *receiver;
    struct sl_publisher *p = NULL;
    struct sl_subscriber *s = NULL;
    struct sl_frame f;
    begin_role();
    take_precedence();
    open_pair(INSTANCE, &sender, &receiver);
    must(sl_iceoryx_reserve(sender)); /* a chunk at hand, which is RouDi's again */
    must(sl_publisher_open(
        &(struct sl_publisher_options){
            .topic = TOPIC, .type = TYPE, .slot_size = SLOT_SIZE, .bus = SL_BUS_ICEORYX},
        &p));
    must(sl_subscriber_open(&(struct sl_subscriber_options){.topic = TOPIC, .bus = SL_BUS_ICEORYX},
                            &s));
    say(1);
    hear();
    for (uint64_t seed = 1; seed <= messages; seed++) {
        must(publish(p, seed, 1000));
        while (sl_subscriber_take(s, &f) == -EAGAIN)
            must(sl_subscriber_wait(s, (int64_t)PATIENCE_MS * (int64_t)SL_NS_PER_MS));
        check(f.stamp_ns == seed && f.lost_before == 0);
        sl_frame_release(&f);
    }
    send_plain(sender, 1);
    check(is_empty(receiver) && !sl_iceoryx_receiver_is_connected(receiver));
    check(sl_iceoryx_sender_open(&domain, TOPIC, INSTANCE + 1, INLINE, &second) == -ESTALE);
    check(strstr(sl_error_text(), "monitoring is on") != NULL);
    say(2);
    hear();
    sl_subscriber_close(s);
    sl_publisher_close(p);
    sl_iceoryx_receiver_close(receiver);
    sl_iceoryx_sender_close(sender);
    return 0;
}

/* A subscriber that runs when its publisher comes, and that publisher. */
static int run_late_reader(uint64_t unused)
{
    (void)unused;
    struct sl_subscriber *s = NULL;
    struct sl_subscriber_status status;
    struct sl_frame f;
    begin_role();
    must(sl_subscriber_open(&(struct sl_subscriber_options){.topic = TOPIC, .bus = SL_BUS_ICEORYX},
                            &s));
    say(1);
    hear();
    for (uint64_t seed = 1; seed <= 2; seed++) {
        while (sl_subscriber_take(s, &f) == -EAGAIN)
            must(sl_subscriber_wait(s, (int64_t)PATIENCE_MS * (int64_t)SL_NS_PER_MS));
        check(f.stamp_ns == seed && f.lost_before == 0);
        sl_frame_release(&f);
        say(1 + seed);
    }
    must(sl_subscriber_status(s, &status));
    check(status.publishers == 1);
    hear();
    sl_subscriber_close(s);
    return 0;
}

/* Meets several publishers at once whom iceoryx would have to connect it to. */
static int run_crowded_reader(uint64_t unused)
{
    (void)unused;
    struct sl_subscriber *first = NULL, *s = NULL;
    struct sl_subscriber_options o = {.topic = "/other", .bus = SL_BUS_ICEORYX};
    begin_role();
    must(sl_subscriber_open(&o, &first));
    say(1);
    hear();
    uint64_t start_ns = sl_clock_monotonic_ns();
    o.topic = TOPIC;
    sl_subscriber_open(&o, &s); /* whether it counts as a failure does not matter here */
    say((sl_clock_monotonic_ns() - start_ns) / SL_NS_PER_MS + 1);
    hear();
    sl_subscriber_close(s);
    sl_subscriber_close(first);
    return 0;
}

static int run_crowd_of_writers(uint64_t count)
{
    struct sl_publisher *p[16] = {NULL};
    begin_role();
    for (uint64_t i = 0; i < count; i++)
        must(sl_publisher_open(
            &(struct sl_publisher_options){
                .topic = TOPIC, .type = TYPE, .slot_size = SLOT_SIZE, .bus = SL_BUS_ICEORYX},
            &p[i]));
    say(1);
    hear();
    for (uint64_t i = 0; i < count; i++)
        sl_publisher_close(p[i]);
    return 0;
}

static int run_late_writer(uint64_t unused)
{
    (void)unused;
    struct sl_publisher *p = NULL;
    begin_role();
    must(sl_publisher_open(
        &(struct sl_publisher_options){
            .topic = TOPIC, .type = TYPE, .slot_size = SLOT_SIZE, .bus = SL_BUS_ICEORYX},
        &p));
    must(publish(p, 1, 1000));
    say(1);
    hear();
    must(publish(p, 2, 1000));
    say(2);
    hear();
    sl_publisher_close(p);
    return 0;
}

/* Only start; say how it went. */
static int run_start(uint64_t expected)
{
    begin_role();
    int err = sl_iceoryx_start(&domain);
    check(err == -(int)expected);
    check((sl_iceoryx_roudi() != 0) == (err == 0));
    say(1);
    if (hear()) {
        must(sl_iceoryx_start(&domain));
        say(2);
        hear();
    }
    return 0;
}

/* ---- Roles that die --------------------------------------------------------------------------*/

/* iox::posix::mutex::unlock, of the mutexes that iceoryx has in shared memory. The program's comes
 * before the library's: a role that is told to ends in place of the so-many-th. */
static unsigned dies_unlocking;
#define UNLOCK_SYMBOL "_ZN3iox5posix5mutex6unlockEv"
__attribute__((visibility("default"))) bool unlock_mutex(void *mutex) __asm__(UNLOCK_SYMBOL);

bool unlock_mutex(void *mutex)
{
    bool (*original)(void *) = (bool (*)(void *))dlsym(RTLD_NEXT, UNLOCK_SYMBOL);
    if (dies_unlocking > 0 && --dies_unlocking == 0)
        kill(getpid(), SIGKILL);
    return original(mutex);
}

/* A place of the queue: a receiver gives it back, having taken what was in it; a sender shows it.
 */
static bool dies_with_place;
#define PLACE_SYMBOL "_ZN3iox10concurrent10IndexQueueILm256EmE4pushEm"
__attribute__((visibility("default"))) void give_place(void *queue,
                                                       uint64_t place) __asm__(PLACE_SYMBOL);

void give_place(void *queue, uint64_t place)
{
    void (*original)(void *, uint64_t) = (void (*)(void *, uint64_t))dlsym(RTLD_NEXT, PLACE_SYMBOL);
    if (dies_with_place)
        kill(getpid(), SIGKILL);
    original(queue, place);
}

static int run_die_taking(uint64_t unused)
{
    (void)unused;
    struct sl_iceoryx_receiver *receiver;
    begin_role();
    must(sl_iceoryx_receiver_open(&domain, TOPIC, INSTANCE, INLINE, &receiver));
    await_connected(receiver);
    say(1);
    hear();
    dies_with_place = true;
    receive_plain(receiver, 1);
    return 1;
}

/* Sends one, and more than a queue holds after it has heard of the death. */
static int run_send_on(uint64_t unused)
{
    (void)unused;
    struct sl_iceoryx_sender *sender;
    begin_role();
    must(sl_iceoryx_sender_open(&domain, TOPIC, INSTANCE, INLINE, &sender));
    say(1);
    hear();
    send_plain(sender, 1);
    say(2);
    hear();
    for (uint64_t seq = 2; seq <= 3 * SL_ICEORYX_QUEUE; seq++)
        send_plain(sender, seq);
    say(3);
    hear();
    sl_iceoryx_sender_close(sender);
    return 0;
}

/* Where a sender is killed: it has locked its publisher's mutex, and taken a place of the queue;
 * has the queue's mutex, too; not any more; and has its own again, for the history. */
enum {
    DIES_WITH_PLACE,
    DIES_WITH_BOTH,
    DIES_DELIVERED,
    DIES_AT_HISTORY,
    DEATHS
};

static int run_die_sending(uint64_t death)
{
    struct sl_iceoryx_sender *sender;
    struct sl_iceoryx_receiver *receiver;
    begin_role();
    open_pair(INSTANCE, &sender, &receiver);
    say(1);
    hear();
    dies_with_place = death == DIES_WITH_PLACE;
    dies_unlocking = (unsigned)death;
    send_plain(sender, 1);
    return 1;
}

static const struct role roles[] = {
    {"trouble", run_trouble},
    {"given_up", run_given_up},
    {"late_reader", run_late_reader},
    {"late_writer", run_late_writer},
    {"crowded_reader", run_crowded_reader},
    {"crowd_of_writers", run_crowd_of_writers},
    {"start", run_start},
    {"stand", run_stand},
    {"die_sending", run_die_sending},
    {"die_taking", run_die_taking},
    {"send_on", run_send_on},
    {NULL, NULL},
};

/* ---- RouDi -----------------------------------------------------------------------------------*/

static void no_roudi_is_told_at_once(void **state)
{
    (void)state;
    stop_roudi();
    struct child child = child_start("start", ENOENT);
    uint64_t start = sl_clock_monotonic_ns();
    assert_int_equal(child_hear(&child), 1);
    assert_true(ms_since(start) < LATE_MS);
    start_roudi(); /* and it can be started later */
    child_tell(&child, 1);
    assert_int_equal(child_hear(&child), 2);
    end_well(&child);
}

static void trouble(int expected, void (*make_trouble)(void))
{
    struct child child = child_start("trouble", (uint64_t)expected);
    assert_int_equal(child_hear(&child), 1);
    make_trouble();
    child_tell(&child, 1);
    assert_true(child_hear(&child) / SL_NS_PER_MS < LATE_MS);
    end_well(&child);
}

static void a_dead_roudi_hurts_no_open_end(void **state)
{
    (void)state;
    trouble(ENOENT, stop_roudi);
}

static void another_roudi_is_told(void **state)
{
    (void)state;
    trouble(ESTALE, start_roudi);
}

static void suspend_roudi(void)
{
    freeze(roudi_pid);
}

static void a_stopped_roudi_hangs_nobody(void **state)
{
    (void)state;
    unsetenv(PATIENCE_VARIABLE);
    trouble(ETIMEDOUT, suspend_roudi);
}

static void a_stopped_roudi_is_told_at_the_start(void **state)
{
    (void)state;
    unsetenv(PATIENCE_VARIABLE);
    suspend_roudi();
    struct child child = child_start("start", ETIMEDOUT);
    uint64_t start = sl_clock_monotonic_ns();
    assert_int_equal(child_hear(&child), 1);
    assert_true(ms_since(start) < LATE_MS);
    kill(roudi_pid, SIGCONT); /* and the start succeeds after all */
    child_tell(&child, 1);
    assert_int_equal(child_hear(&child), 2);
    end_well(&child);
}

/* The patience, here of 4 s, is spent once, not on each of them. */
static void a_stopped_roudi_is_waited_for_once(void **state)
{
    (void)state;
    setenv(PATIENCE_VARIABLE, "4000", 1);
    struct child writers = child_start("crowd_of_writers", 8);
    assert_int_equal(child_hear(&writers), 1);
    struct child reader = child_start("crowded_reader", 0);
    assert_int_equal(child_hear(&reader), 1);
    suspend_roudi();
    child_tell(&reader, 1);
    uint64_t took_ms = child_hear(&reader) - 1;
    kill(roudi_pid, SIGCONT);
    if (took_ms < 3900 || took_ms > 7500)
        fail_msg("opening took %llu ms", (unsigned long long)took_ms);
    child_tell(&reader, 1);
    end_well(&reader);
    child_tell(&writers, 1);
    end_well(&writers);
}

static void a_publisher_met_while_roudi_is_late_is_read_by_the_ring(void **state)
{
    (void)state;
    unsetenv(PATIENCE_VARIABLE);
    struct child reader = child_start("late_reader", 0);
    assert_int_equal(child_hear(&reader), 1);
    freeze(reader.pid);
    struct child writer = child_start("late_writer", 0);
    assert_int_equal(child_hear(&writer), 1);
    suspend_roudi();
    kill(reader.pid, SIGCONT);
    child_tell(&reader, 1);
    assert_int_equal(child_hear(&reader), 2);
    child_tell(&writer, 1);
    assert_int_equal(child_hear(&writer), 2);
    assert_int_equal(child_hear(&reader), 3);
    child_tell(&reader, 1);
    end_well(&reader);
    child_tell(&writer, 1);
    end_well(&writer);
}

static bool roudi_says(const char *words)
{
    char line[1000];
    bool said = false;
    FILE *log = fopen(LOG_FILE, "re");
    while (log && !said && fgets(line, sizeof line, log))
        said = strstr(line, words);
    if (log)
        fclose(log);
    return said;
}

static void one_that_roudi_gave_up_goes_on_without_it(void **state)
{
    (void)state;
    start_roudi_as("on", "");
    struct child child = child_start("given_up", 300); /* more than the queue would hold */
    assert_int_equal(child_hear(&child), 1);
    assert_int_equal(kill(child.pid, SIGSTOP), 0);
    await(roudi_says("removing it"));
    assert_int_equal(kill(child.pid, SIGCONT), 0);
    child_tell(&child, 1);
    assert_int_equal(child_hear(&child), 2);
    end_well(&child);
}

/* ---- Somebody is killed ----------------------------------------------------------------------*/

static void die_sending(uint64_t death)
{
    struct child dying = child_start("die_sending", death);
    assert_int_equal(child_hear(&dying), 1);
    assert_int_equal(sl_roudi_examine(roudi_pid), SL_ROUDI_WELL);
    child_tell(&dying, 1);
    assert_int_equal(child_end(&dying), 256 + SIGKILL);
}

/* Why RouDi without our library may hang for good (ARCHITECTURE.md): the next process takes the
 * name of the dead one, whose publisher RouDi then clears away, for which it needs the mutex. */
static void one_killed_with_its_lock_leaves_roudi_stuck_which_is_told(void **state)
{
    (void)state;
    unsetenv(PATIENCE_VARIABLE);
    die_sending(DIES_WITH_BOTH);
    assert_int_equal(sl_roudi_examine(roudi_pid), SL_ROUDI_WELL); /* as long as nobody needs it */
    struct child next = child_start("start", ETIMEDOUT);
    assert_int_equal(child_hear(&next), 1);
    assert_int_equal(sl_roudi_examine(roudi_pid), SL_ROUDI_STUCK);
    child_kill(&next);
}

static const char *our_library(void)
{
    const char *library = getenv("SLUICE_ROUDI_LIBRARY");
    assert_true(library && library[0]);
    return library;
}

static void one_killed_with_its_lock_stops_no_roudi_with_our_library(void **state)
{
    (void)state;
    start_roudi_as("off", our_library());
    for (uint64_t death = 0; death < DEATHS; death++) {
        die_sending(death);
        struct child next = child_start("stand", INSTANCE + 1 + death);
        assert_int_equal(child_hear(&next), INSTANCE + 1 + death);
        child_tell(&next, 1);
        end_well(&next);
    }
    assert_int_equal(sl_roudi_examine(roudi_pid), SL_ROUDI_WELL);
}

typedef bool (*lock_function)(pthread_mutex_t *mutex);

/* As RouDi has it from our library, and as this program has it, for when RouDi is the dead one. */
static void a_mutex_of_the_dead_is_locked_as_any_other(void **state)
{
    (void)state;
    void *library = dlopen(our_library(), RTLD_NOW | RTLD_LOCAL);
    assert_non_null(library);
    void (*init)(pthread_mutex_t *, bool) =
        (void (*)(pthread_mutex_t *, bool))dlsym(library, SL_ICEORYX_MUTEX_INIT);
    const lock_function locks[] = {
        (lock_function)dlsym(library, SL_ICEORYX_MUTEX_LOCK),
        (lock_function)dlsym(library, SL_ICEORYX_MUTEX_TRY_LOCK),
        (lock_function)dlsym(RTLD_DEFAULT, SL_ICEORYX_MUTEX_LOCK),
    };
    pthread_mutex_t *mutex =
        mmap(NULL, sizeof *mutex, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(mutex != MAP_FAILED && init);
    init(mutex, true);
    for (size_t i = 0; i < sizeof locks / sizeof *locks; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            pthread_mutex_lock(mutex);
            kill(getpid(), SIGKILL);
        }
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        assert_true(locks[i](mutex));
        assert_true(locks[i](mutex)); /* as often as one likes */
        assert_int_equal(pthread_mutex_unlock(mutex), 0);
        assert_int_equal(pthread_mutex_unlock(mutex), 0);
    }
    munmap(mutex, sizeof *mutex);
    dlclose(library);
}

static void one_killed_while_it_takes_catches_no_sender(void **state)
{
    (void)state;
    struct child sender = child_start("send_on", 0);
    assert_int_equal(child_hear(&sender), 1);
    struct child dying = child_start("die_taking", 0);
    assert_int_equal(child_hear(&dying), 1);
    child_tell(&sender, 1);
    assert_int_equal(child_hear(&sender), 2);
    child_tell(&dying, 1);
    assert_int_equal(child_end(&dying), 256 + SIGKILL);
    child_tell(&sender, 1);
    assert_int_equal(child_hear(&sender), 3);
    /* RouDi clears the dead one away when the next has its name. */
    struct child next = child_start("stand", INSTANCE + 1);
    assert_int_equal(child_hear(&next), INSTANCE + 1);
    child_tell(&next, 1);
    end_well(&next);
    child_tell(&sender, 1);
    end_well(&sender);
}

int main(int argc, char **argv)
{
    int status = iceoryx_main(argc, argv, roles);
    if (status >= 0)
        return status;
#define TEST(name) cmocka_unit_test_setup_teardown(name, iceoryx_setup, iceoryx_teardown)
    const struct CMUnitTest tests[] = {
        TEST(no_roudi_is_told_at_once),
        TEST(a_dead_roudi_hurts_no_open_end),
        TEST(another_roudi_is_told),
        TEST(a_stopped_roudi_hangs_nobody),
        TEST(a_stopped_roudi_is_told_at_the_start),
        TEST(a_stopped_roudi_is_waited_for_once),
        TEST(a_publisher_met_while_roudi_is_late_is_read_by_the_ring),
        TEST(one_that_roudi_gave_up_goes_on_without_it),
        TEST(one_killed_with_its_lock_leaves_roudi_stuck_which_is_told),
        TEST(one_killed_with_its_lock_stops_no_roudi_with_our_library),
        TEST(a_mutex_of_the_dead_is_locked_as_any_other),
        TEST(one_killed_while_it_takes_catches_no_sender),
    };
    cmocka_set_test_filter(getenv("SLUICE_TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
