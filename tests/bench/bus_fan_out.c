/* SPDX-License-Identifier: Apache-2.0 */
/* bus_fan_out.c - what loaning and publishing cost the publisher, by who is attached and what they
 * do.
 *
 * One process publishes; the other has all the subscribers. Those that idle cost no more than a
 * look at their request; of those that read, each has moved the lines that the publisher looks at;
 * those that sleep are woken by the publishing thread, or by its relay. Where some read or sleep,
 * the next message is published when all of them have had the one before.
 */
#include "tests/bench/bus_bench.h"
#include "tests/bench/bus_crew.h"

#include "core/base/error.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    ATTACHED_MAX = 64,
    ACTIVE_MAX = 16,
    SHARE = 4,           /* of the round trips of ping-pong */
    SLEEPERS_SHARE = 20, /* of the iterations: each waits until the sleepers sleep again */
    READERS_SHARE = 4,
    TO_SLEEP_NS = 60000, /* from the last taking until all sleep, and for each of them */
    TO_SLEEP_EACH_NS = 6000,
    WAIT_NS = 20000000, /* a sleeper looks up so often whether all is over */
};

struct fan {
    enum sl_bench_crowd crowd;
    unsigned attached, active;
};

static const struct fan fans[] = {
    {SL_BENCH_IDLE, 1, 0},       {SL_BENCH_IDLE, 2, 0},      {SL_BENCH_IDLE, 4, 0},
    {SL_BENCH_IDLE, 8, 0},       {SL_BENCH_IDLE, 16, 0},     {SL_BENCH_IDLE, 32, 0},
    {SL_BENCH_IDLE, 64, 0},      {SL_BENCH_READING, 16, 1},  {SL_BENCH_READING, 16, 4},
    {SL_BENCH_READING, 16, 16},  {SL_BENCH_SLEEPING, 16, 1}, {SL_BENCH_SLEEPING, 16, 4},
    {SL_BENCH_SLEEPING, 16, 16}, {SL_BENCH_RELAYED, 16, 1},  {SL_BENCH_RELAYED, 16, 4},
    {SL_BENCH_RELAYED, 16, 16},
};
enum {
    FANS = sizeof fans / sizeof *fans
};
_Static_assert(FANS <= SL_BENCH_FANS_MAX, "a place for each");

struct shared {
    struct bus_meeting meeting;
    struct {
        _Alignas(64) _Atomic uint64_t seq; /* of the last message that this one has had */
    } taken[ACTIVE_MAX];
    _Alignas(64) _Atomic bool is_over; /* this fan */
    struct bus_figures figures[BUS_ROUNDS_MAX][FANS];
    double clock_ns;
};

struct bench {
    struct bus_run run;
    struct shared *shared;
    /* of one process; fans of the same size share the topic */
    struct bus_samples samples;
    struct sl_publisher *publisher[FANS];
    struct sl_subscriber *subscriber[FANS][ATTACHED_MAX];
};

/* The fan whose topic this one uses: the first that is of its size and has the same publisher. */
static unsigned topic_of(unsigned fan)
{
    for (unsigned i = 0; i < fan; i++)
        if (fans[i].attached == fans[fan].attached &&
            (fans[i].crowd == SL_BENCH_RELAYED) == (fans[fan].crowd == SL_BENCH_RELAYED))
            return i;
    return fan;
}

static unsigned turns_of(const struct bench *b, const struct fan *fan)
{
    unsigned share = fan->crowd == SL_BENCH_IDLE      ? 1
                     : fan->crowd == SL_BENCH_READING ? READERS_SHARE
                                                      : SLEEPERS_SHARE;
    unsigned turns = b->run.iterations / share;
    return turns > 10 ? turns : 10;
}

/* The publisher. ------------------------------------------------------------------------------- */

static int open_publisher(struct bench *b, unsigned fan)
{
    struct bus_topic topic = bus_topic("fan_out", fan);
    const struct sl_publisher_options options = {
        .topic = topic.name,
        .type = BUS_TYPE,
        .domain = b->run.domain,
        .slot_size = BUS_LINE,
        .subscribers = ATTACHED_MAX,
        .quota = 1,
        .relay = fans[fan].crowd == SL_BENCH_RELAYED,
    };
    return sl_publisher_open(&options, &b->publisher[fan]);
}

/* All that are active have had message `seq`. */
static int await_taken(struct bench *b, const struct fan *fan, uint64_t seq)
{
    struct bus_patience patience = {0};
    for (unsigned i = 0; i < fan->active; i++)
        while (atomic_load_explicit(&b->shared->taken[i].seq, memory_order_acquire) != seq)
            if (bus_is_worn_out(&patience))
                return bus_no_answer("fan-out");
    return 0;
}

/* Messages carry the number of the turn. */
static int publish_all(struct bench *b, unsigned f)
{
    const struct fan *fan = &fans[f];
    struct sl_publisher *publisher = b->publisher[topic_of(f)];
    bool sleep = fan->crowd == SL_BENCH_SLEEPING || fan->crowd == SL_BENCH_RELAYED;
    int err = 0;
    for (uint64_t turn = 1; turn <= turns_of(b, fan) && err == 0; turn++) {
        if (sleep)
            bus_spin_ns(TO_SLEEP_NS + fan->active * TO_SLEEP_EACH_NS);
        uint64_t start_ns = sl_clock_monotonic_ns();
        err = bus_publish(publisher, BUS_LINE, turn);
        bus_sample(&b->samples, sl_clock_monotonic_ns() - start_ns);
        if (err == 0)
            err = await_taken(b, fan, turn);
    }
    atomic_store(&b->shared->is_over, true);
    return err;
}

static double clock_costs_ns(struct bus_samples *samples)
{
    while (samples->count < samples->room) {
        uint64_t start_ns = sl_clock_monotonic_ns();
        bus_sample(samples, sl_clock_monotonic_ns() - start_ns);
    }
    return bus_conclude(samples).p50_ns;
}

static int lead(struct bench *b)
{
    int err = bus_samples_init(&b->samples, b->run.iterations);
    bus_roam(); /* the relay is not to stand in the way of who publishes */
    for (unsigned f = 0; f < FANS && err == 0; f++)
        if (topic_of(f) == f)
            err = open_publisher(b, f);
    bus_pin(0);
    if (err == 0)
        err = bus_meet(&b->shared->meeting, 0);
    for (unsigned f = 0; f < FANS && err == 0; f++)
        if (topic_of(f) == f)
            err = bus_await_subscribers(b->publisher[f], fans[f].attached);
    if (err == 0)
        b->shared->clock_ns = clock_costs_ns(&b->samples);
    for (unsigned round = 0; round <= b->run.rounds && err == 0; round++) {
        if (round > 0 && b->run.options->progress)
            b->run.options->progress("fan-out", round - 1, b->run.rounds);
        for (unsigned f = 0; f < FANS && err == 0; f++) {
            if ((err = bus_meet(&b->shared->meeting, 0)) == 0 && (err = publish_all(b, f)) == 0)
                err = bus_meet(&b->shared->meeting, 0);
            struct bus_figures figures = bus_conclude(&b->samples);
            if (round > 0) /* the first one warms up */
                b->shared->figures[round - 1][f] = figures;
        }
    }
    for (unsigned f = 0; f < FANS; f++)
        sl_publisher_close(b->publisher[f]);
    bus_samples_finish(&b->samples);
    return err;
}

/* The subscribers. ----------------------------------------------------------------------------- */

struct sleeper {
    struct bench *b;
    unsigned fan, index;
    pthread_t thread;
    int err;
    char sentence[200];
};

/* What was published before this fan began is passed over. */
static int drain(struct sl_subscriber *subscriber)
{
    struct sl_frame frame;
    int err;
    while ((err = sl_subscriber_take(subscriber, &frame)) == 0)
        sl_frame_release(&frame);
    return err == -EAGAIN ? 0 : err;
}

/* One look: 0, also if nothing was there. */
static int take_and_tell(struct bench *b, struct sl_subscriber *subscriber, unsigned index)
{
    struct sl_frame frame;
    int err = sl_subscriber_take(subscriber, &frame);
    if (err < 0)
        return err == -EAGAIN ? 0 : err;
    uint64_t turn = frame.stamp_ns;
    bool whole = bus_is_marked(frame.body, BUS_LINE, turn);
    sl_frame_release(&frame);
    atomic_store_explicit(&b->shared->taken[index].seq, turn, memory_order_release);
    return whole ? 0
                 : sl_error(-EIO, "message %llu is not what was sent", (unsigned long long)turn);
}

static int read_all(struct bench *b, unsigned f)
{
    struct sl_subscriber **subscriber = b->subscriber[topic_of(f)];
    int err = 0;
    while (err == 0 && !atomic_load_explicit(&b->shared->is_over, memory_order_acquire))
        for (unsigned i = 0; i < fans[f].active && err == 0; i++)
            err = take_and_tell(b, subscriber[i], i);
    return err;
}

static void *sleep_and_take(void *context)
{
    struct sleeper *s = context;
    struct sl_subscriber *subscriber = s->b->subscriber[topic_of(s->fan)][s->index];
    while (s->err == 0 && !atomic_load_explicit(&s->b->shared->is_over, memory_order_acquire)) {
        s->err = sl_subscriber_wait(subscriber, WAIT_NS);
        if (s->err == 0)
            s->err = take_and_tell(s->b, subscriber, s->index);
        else if (s->err == -ETIMEDOUT || s->err == -EINTR)
            s->err = 0;
    }
    if (s->err < 0)
        snprintf(s->sentence, sizeof s->sentence, "%s", sl_error_text());
    return NULL;
}

static int sleep_all(struct bench *b, unsigned f)
{
    struct sleeper sleeper[ACTIVE_MAX];
    unsigned started = 0;
    int err = 0;
    for (; started < fans[f].active && err == 0; started++) {
        sleeper[started] = (struct sleeper){.b = b, .fan = f, .index = started};
        err = -pthread_create(&sleeper[started].thread, NULL, sleep_and_take, &sleeper[started]);
        if (err < 0) {
            err = sl_error(err, "no thread for a sleeper: %s", strerror(-err));
            atomic_store(&b->shared->is_over, true);
            break;
        }
    }
    for (unsigned i = 0; i < started; i++) {
        pthread_join(sleeper[i].thread, NULL);
        if (err == 0 && sleeper[i].err < 0)
            err = sl_error(sleeper[i].err, "%s", sleeper[i].sentence);
    }
    return err;
}

static int run_fan(struct bench *b, unsigned f)
{
    int err = 0;
    for (unsigned i = 0; i < fans[f].active && err == 0; i++)
        err = drain(b->subscriber[topic_of(f)][i]);
    for (unsigned i = 0; i < ACTIVE_MAX; i++)
        atomic_store(&b->shared->taken[i].seq, 0);
    atomic_store(&b->shared->is_over, false);
    if (err == 0)
        err = bus_meet(&b->shared->meeting, 1);
    if (err == 0 && fans[f].crowd == SL_BENCH_READING)
        err = read_all(b, f);
    if (err == 0 && (fans[f].crowd == SL_BENCH_SLEEPING || fans[f].crowd == SL_BENCH_RELAYED))
        err = sleep_all(b, f);
    return err < 0 ? err : bus_meet(&b->shared->meeting, 1);
}

static int open_subscribers(struct bench *b, unsigned f)
{
    struct bus_topic topic = bus_topic("fan_out", f);
    const struct sl_subscriber_options options = {
        .topic = topic.name, .domain = b->run.domain, .quota = 1};
    int err = 0;
    for (unsigned i = 0; i < fans[f].attached && err == 0; i++)
        err = sl_subscriber_open(&options, &b->subscriber[f][i]);
    for (unsigned i = 0; i < fans[f].attached && err == 0; i++)
        err = bus_await_publisher(b->subscriber[f][i]);
    return err;
}

static int follow(struct bench *b)
{
    int err = bus_meet(&b->shared->meeting, 1);
    for (unsigned f = 0; f < FANS && err == 0; f++)
        if (topic_of(f) == f)
            err = open_subscribers(b, f);
    for (unsigned round = 0; round <= b->run.rounds && err == 0; round++)
        for (unsigned f = 0; f < FANS && err == 0; f++)
            err = run_fan(b, f);
    for (unsigned f = 0; f < FANS; f++)
        for (unsigned i = 0; i < ATTACHED_MAX; i++)
            sl_subscriber_close(b->subscriber[f][i]);
    return err;
}

static int run_side(void *context, int side)
{
    return side == 0 ? lead(context) : follow(context);
}

/* The result. ---------------------------------------------------------------------------------- */

static void conclude(const struct bench *b, struct sl_bench_fan_out *to)
{
    to->count = FANS;
    to->clock_ns = b->shared->clock_ns;
    for (unsigned f = 0; f < FANS; f++) {
        struct bus_figures figures =
            bus_median_figures(&b->shared->figures[0][f], b->run.rounds, FANS);
        to->fan[f].crowd = fans[f].crowd;
        to->fan[f].attached = fans[f].attached;
        to->fan[f].active = fans[f].active;
        to->fan[f].p50_ns = figures.p50_ns;
        to->fan[f].mean_ns = figures.mean_ns;
    }
}

int sl_bench_bus_fan_out(const struct sl_bench_bus_options *options,
                         struct sl_bench_fan_out *ret_result)
{
    struct bench b = {0};
    int err = bus_begin(&b.run, options, SHARE, sizeof *b.shared);
    b.shared = b.run.shared;
    if (err == 0)
        err = bus_run_pair(run_side, &b);
    if (err == 0)
        conclude(&b, ret_result);
    bus_end(&b.run);
    return err;
}
