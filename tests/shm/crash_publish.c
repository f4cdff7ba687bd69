/* SPDX-License-Identifier: Apache-2.0 */
/* crash_publish.c - the publishers of the crash test. */
#include "core/shm/service.h"
#include "tests/shm/crash.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

/* One topic's writing end. */
struct end {
    struct sl_publisher *publisher;
    uint64_t run, seq;
    uint64_t shown_before; /* passings of the point behind P5 when the run began */
};

static struct end *victims_end; /* whose messages count when this process is killed */

static uint32_t length_of(uint64_t seed)
{
    uint64_t choice = (seed * UINT64_C(0x9e3779b97f4a7c15)) >> 60;
    return choice == 0 ? SLOT : choice < 4 ? 8192 : choice < 8 ? 1500 : 64;
}

static void begin(struct end *e, const char *topic)
{
    *e = (struct end){.run = atomic_fetch_add(&board->run_count, 1) + 1};
    if (e->run >= RUNS_MAX)
        role_failed(__LINE__, "too many runs", -E2BIG);
    e->shown_before = sl_failpoint_passings(SL_FAIL_PUBLISH_P5);
    struct sl_publisher_options o = {.topic = topic, .type = TYPE, .quota = QUOTA};
    o.slot_size = SLOT;
    o.slot_count = SLOTS;
    o.lossless = strcmp(topic, EVERY) == 0;
    o.lossless_timeout_ns = INT64_MAX;
    must(open_publisher(&o, &e->publisher));
}

static void end_run(struct end *e)
{
    sl_publisher_close(e->publisher);
    e->publisher = NULL;
}

static void fill_and_publish(struct end *e, struct sl_loan *loan)
{
    struct run *run = &board->run[e->run];
    uint64_t seed = e->run << 32 | ++e->seq;
    uint32_t length = length_of(seed);
    pattern_fill(loan->data, length / 2, seed);
    SL_FAIL_POINT(FILL);
    pattern_fill(loan->data, length, seed);
    struct sl_message m = {.stamp_ns = seed, .body_length = length};
    atomic_store(&run->begun, e->seq);
    must(sl_publisher_publish(e->publisher, loan, &m));
    atomic_store(&run->shown, e->seq);
    atomic_fetch_add(&board->published, 1);
}

/* ---- The one that is killed -------------------------------------------------------------------*/

static void die(enum sl_failpoint point)
{
    struct end *e = victims_end;
    struct run *run = &board->run[e->run];
    bool is_own_step = gettid() == getpid();
    /* At a step of its own thread it is known what was shown, but for the message whose entry
     * stands and whose head does not: who looks finds it, who waits need not. The service thread's
     * steps are passed while the other one goes on. */
    bool is_between = point == SL_FAIL_PUBLISH_P4 || point == SL_FAIL_PUBLISH_SENT ||
                      sl_failpoint_is_iceoryxs(point);
    if (is_own_step && !is_between)
        atomic_store(&run->shown, sl_failpoint_passings(SL_FAIL_PUBLISH_P5) - e->shown_before);
    else
        atomic_store(&run->is_uncertain, true);
    atomic_store(&board->killed_ns, sl_clock_monotonic_ns());
    kill(getpid(), SIGKILL);
}

static void publish_one(struct end *e)
{
    struct sl_loan loan;
    must(sl_publisher_loan(e->publisher, &loan));
    if (crash_random() % 16 == 0) {
        sl_publisher_discard(e->publisher, &loan);
        must(sl_publisher_loan(e->publisher, &loan));
    }
    fill_and_publish(e, &loan);
}

static bool is_found(const struct end *e)
{
    return atomic_load(&board->run[e->run].seen[HOARDER]) &&
           atomic_load(&board->run[e->run].seen[POLLER]);
}

/* A few messages, and none is recycled before both survivors have begun with the first. */
static void begin_and_be_found(struct end *e)
{
    begin(e, FRAMES);
    for (int i = 0; i < FIRST; i++)
        publish_one(e);
    uint64_t until_ns = sl_clock_monotonic_ns() + PATIENCE_MS * SL_NS_PER_MS;
    while (!is_found(e)) {
        if (sl_clock_monotonic_ns() > until_ns)
            role_failed(__LINE__, "the survivors do not find their publisher", -ETIMEDOUT);
        crash_nap_us(50);
    }
}

int crash_publish(uint64_t unused)
{
    (void)unused;
    struct end e;
    victims_end = &e;
    crash_board_open(false);
    say(1);
    if (!hear())
        return 0;
    atomic_store(&board->successor, atomic_load(&board->run_count) + 1);
    begin_and_be_found(&e);
    say(2);
    uint64_t word = hear();
    if (word) {
        struct order order = crash_order_of(word);
        sl_failpoint_arm(order.point, order.nth, order.stops ? sl_failpoint_stop : die);
        while (!atomic_load(&board->stop)) {
            for (uint64_t n = 40 + crash_random() % 60; n > 0; n--) {
                publish_one(&e);
                if (crash_random() % 4 == 0)
                    crash_nap_us(100);
            }
            end_run(&e);
            begin_and_be_found(&e);
        }
    }
    end_run(&e);
    return 0;
}

/* ---- The one that stays while readers are killed ----------------------------------------------*/

/* A reader is dead. Are all slots here that nobody alive can hold? */
static bool all_slots_are_there(struct end *frames)
{
    struct sl_loan loan[PROBE];
    unsigned count = 0;
    while (count < PROBE && sl_publisher_loan(frames->publisher, &loan[count]) == 0)
        count++;
    bool all = count == PROBE;
    while (count > 0)
        sl_publisher_discard(frames->publisher, &loan[--count]);
    return all;
}

/* Every other time the service thread is kept from noticing anything: the loan has to ask. */
static void look_for_the_dead(struct end *frames, bool every_goes_on)
{
    static bool is_locked;
    static uint64_t seen_ns;
    uint64_t killed_ns = atomic_load(&board->killed_ns);
    if (atomic_load(&board->recovered_ns[0]) >= killed_ns)
        return;
    if (seen_ns != killed_ns && crash_random() % 2) {
        sl_service_lock();
        is_locked = true;
    }
    seen_ns = killed_ns;
    /* Between its SIGKILL and its end it is not dead yet. */
    bool is_dead = atomic_load(&board->is_dead);
    bool all = all_slots_are_there(frames);
    if (!all && is_dead)
        atomic_fetch_add(&board->failed_loans, 1);
    if (atomic_load(&board->victim) == VICTIM_KEEPER ? !every_goes_on : !all)
        return;
    atomic_store(&board->recovered_ns[0], sl_clock_monotonic_ns());
    if (is_locked)
        sl_service_unlock();
    is_locked = false;
}

/* The readers have gone: every slot must be there. */
static void expect_all_slots(struct end *e)
{
    struct sl_publisher_status status;
    struct sl_loan loan;
    for (unsigned i = 0; i < SLOTS; i++)
        must(sl_publisher_loan(e->publisher, &loan));
    must(sl_publisher_status(e->publisher, &status));
    if (status.demoted > 0 || status.revoked > 0)
        role_failed(__LINE__, "demoted or revoked", -(int)(status.demoted + status.revoked));
}

int crash_serve(uint64_t unused)
{
    (void)unused;
    crash_board_open(false);
    struct end frames, every;
    begin(&frames, FRAMES);
    begin(&every, EVERY);
    say(1);
    hear(); /* the survivors are there */
    while (!atomic_load(&board->stop)) {
        struct sl_loan loan;
        for (uint64_t n = 1 + crash_random() % 6; n > 0; n--)
            publish_one(&frames);
        bool goes_on = sl_publisher_loan(every.publisher, &loan) == 0;
        if (goes_on)
            fill_and_publish(&every, &loan);
        look_for_the_dead(&frames, goes_on);
        crash_nap_us(crash_random() % 200);
    }
    say(2);
    hear(); /* the readers have gone */
    expect_all_slots(&frames);
    expect_all_slots(&every);
    end_run(&frames);
    end_run(&every);
    return 0;
}
