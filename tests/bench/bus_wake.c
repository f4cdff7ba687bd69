/* SPDX-License-Identifier: Apache-2.0 */
/* bus_wake.c - how soon a process that sleeps has the message, and what sleeping costs it.
 *
 * Events come at several rates, and hot: the next one as soon as the last has been answered. Every
 * other event is a plain futex between the same two processes: what the kernel and the processor
 * need to begin with. Both are timed from before the call that wakes to after the one that slept
 * (and, of the bus, took the message).
 */
#include "tests/bench/bus_bench.h"
#include "tests/bench/bus_crew.h"

#include "core/base/error.h"
#include "core/shm/wake.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define WAKE_NS_DEFAULT INT64_C(2000000000)
#define IDLE_NS_DEFAULT INT64_C(2000000000)

enum {
    SHARE = 5,       /* hot events, of the round trips of ping-pong */
    EVENTS_MIN = 4,  /* two of each kind: quick */
    EVENTS_FEW = 42, /* 21 of each, however rare */
    IDLE_TOPICS = 10,
};

static const unsigned rates[SL_BENCH_RATES] = {10, 30, 100, 1000, 0};

enum kind {
    BUS,
    FUTEX,
    KINDS
};

struct shared {
    struct bus_meeting meeting;
    _Alignas(64) _Atomic uint32_t word;     /* the plain futex */
    _Atomic uint64_t stamp_ns;              /* when it was woken */
    _Alignas(64) _Atomic uint64_t answered; /* events */
    struct bus_figures figures[SL_BENCH_RATES][KINDS];
    double idle_cpu_percent;
};

struct bench {
    struct bus_run run;
    struct shared *shared;
    /* of one process */
    struct sl_publisher *publisher;
    struct sl_subscriber *subscriber;
    struct sl_publisher *idle_publisher[IDLE_TOPICS];
    struct sl_subscriber *idle_subscriber[IDLE_TOPICS];
    struct bus_samples samples[KINDS];
    uint64_t events;
};

static uint64_t events_of(const struct bench *b, unsigned hz)
{
    int64_t wake_ns = b->run.options->wake_ns ? b->run.options->wake_ns : WAKE_NS_DEFAULT;
    uint64_t events = hz ? (uint64_t)wake_ns * hz / SL_NS_PER_S : b->run.iterations;
    uint64_t least = b->run.options->is_quick ? EVENTS_MIN : EVENTS_FEW;
    return events < least ? least : events / KINDS * KINDS;
}

static unsigned most_events(const struct bench *b)
{
    uint64_t most = 0;
    for (unsigned r = 0; r < SL_BENCH_RATES; r++)
        if (events_of(b, rates[r]) > most)
            most = events_of(b, rates[r]);
    return (unsigned)most;
}

static void sleep_until(uint64_t monotonic_ns)
{
    struct timespec until = {.tv_sec = (time_t)(monotonic_ns / SL_NS_PER_S),
                             .tv_nsec = (long)(monotonic_ns % SL_NS_PER_S)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
        ;
}

/* The one that wakes. -------------------------------------------------------------------------- */

static int cause_event(struct bench *b, enum kind kind)
{
    if (kind == BUS)
        return bus_publish(b->publisher, BUS_LINE, sl_clock_monotonic_ns());
    atomic_store_explicit(&b->shared->stamp_ns, sl_clock_monotonic_ns(), memory_order_relaxed);
    sl_wake_futex(&b->shared->word);
    return 0;
}

static int cause_events(struct bench *b, unsigned hz)
{
    uint64_t next_ns = sl_clock_monotonic_ns();
    int err = 0;
    for (uint64_t i = 0; i < events_of(b, hz) && err == 0; i++) {
        if (hz > 0)
            sleep_until(next_ns += SL_NS_PER_S / hz);
        err = cause_event(b, i % KINDS);
        b->events++;
        struct bus_patience patience = {0};
        while (err == 0 &&
               atomic_load_explicit(&b->shared->answered, memory_order_acquire) != b->events)
            if (bus_is_worn_out(&patience))
                err = bus_no_answer("waking");
        if (next_ns < sl_clock_monotonic_ns())
            next_ns = sl_clock_monotonic_ns(); /* no two events at once to catch up */
    }
    return err;
}

static int open_topic(struct bench *b, const char *topic, struct sl_publisher **ret)
{
    const struct sl_publisher_options options = {
        .topic = topic, .type = BUS_TYPE, .domain = b->run.domain, .slot_size = BUS_LINE};
    return sl_publisher_open(&options, ret);
}

static int lead(struct bench *b)
{
    int err = open_topic(b, "/bench/wake", &b->publisher);
    for (unsigned i = 0; i < IDLE_TOPICS && err == 0; i++)
        err = open_topic(b, bus_topic("idle", i).name, &b->idle_publisher[i]);
    if (err == 0)
        err = bus_meet(&b->shared->meeting, 0);
    if (err == 0)
        err = bus_await_subscribers(b->publisher, 1);
    for (unsigned r = 0; r < SL_BENCH_RATES && err == 0; r++) {
        if (b->run.options->progress)
            b->run.options->progress("waking", r, SL_BENCH_RATES + 1);
        if ((err = bus_meet(&b->shared->meeting, 0)) == 0)
            err = cause_events(b, rates[r]);
    }
    if (err == 0 && b->run.options->progress)
        b->run.options->progress("waking", SL_BENCH_RATES, SL_BENCH_RATES + 1);
    if (err == 0)
        err = bus_meet(&b->shared->meeting, 0);
    sl_publisher_close(b->publisher);
    for (unsigned i = 0; i < IDLE_TOPICS; i++)
        sl_publisher_close(b->idle_publisher[i]);
    return err;
}

/* The one that sleeps. ------------------------------------------------------------------------- */

static int sleep_on_bus(struct bench *b, uint64_t *ret_latency_ns)
{
    struct sl_frame frame;
    int err;
    while ((err = sl_subscriber_take(b->subscriber, &frame)) == -EAGAIN) {
        err = sl_subscriber_wait(b->subscriber, BUS_PATIENCE_S * (int64_t)SL_NS_PER_S);
        if (err < 0 && err != -EINTR)
            return err == -ETIMEDOUT ? bus_no_answer("waking") : err;
    }
    if (err < 0)
        return err;
    *ret_latency_ns = sl_clock_monotonic_ns() - frame.stamp_ns;
    sl_frame_release(&frame);
    return 0;
}

static int sleep_on_futex(struct bench *b, uint32_t seen, uint64_t *ret_latency_ns)
{
    const _Atomic uint32_t *word = &b->shared->word;
    uint64_t deadline_ns = sl_clock_monotonic_ns() + BUS_PATIENCE_S * SL_NS_PER_S;
    while (atomic_load_explicit(word, memory_order_acquire) == seen)
        if (sl_sleep_futex(&word, &seen, 1, deadline_ns) == -ETIMEDOUT)
            return bus_no_answer("waking");
    *ret_latency_ns =
        sl_clock_monotonic_ns() - atomic_load_explicit(&b->shared->stamp_ns, memory_order_relaxed);
    return 0;
}

static int sleep_through(struct bench *b, unsigned hz)
{
    for (uint64_t i = 0; i < events_of(b, hz); i++) {
        uint64_t latency_ns = 0;
        enum kind kind = i % KINDS;
        int err = kind == BUS ? sleep_on_bus(b, &latency_ns)
                              : sleep_on_futex(b, (uint32_t)(b->events / KINDS), &latency_ns);
        if (err < 0)
            return err;
        bus_sample(&b->samples[kind], latency_ns);
        atomic_store_explicit(&b->shared->answered, ++b->events, memory_order_release);
    }
    return 0;
}

static uint64_t processor_ns(void)
{
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * SL_NS_PER_S + (uint64_t)used.tv_nsec;
}

/* All threads of this process, the library's included. */
static int idle(struct bench *b)
{
    int64_t idle_ns = b->run.options->idle_ns ? b->run.options->idle_ns : IDLE_NS_DEFAULT;
    uint64_t start_ns = sl_clock_monotonic_ns(), used_ns = processor_ns();
    int err = sl_wait(b->idle_subscriber, IDLE_TOPICS, idle_ns);
    if (err != -ETIMEDOUT)
        return sl_error(err < 0 ? err : -EPROTO, "sl_wait ended without a message and too early");
    used_ns = processor_ns() - used_ns;
    b->shared->idle_cpu_percent =
        100.0 * (double)used_ns / (double)(sl_clock_monotonic_ns() - start_ns);
    return 0;
}

static int attach(struct bench *b, const char *topic, struct sl_subscriber **ret)
{
    const struct sl_subscriber_options options = {.topic = topic, .domain = b->run.domain};
    int err = sl_subscriber_open(&options, ret);
    return err < 0 ? err : bus_await_publisher(*ret);
}

static int open_subscribers(struct bench *b)
{
    int err = attach(b, "/bench/wake", &b->subscriber);
    for (unsigned i = 0; i < IDLE_TOPICS && err == 0; i++)
        err = attach(b, bus_topic("idle", i).name, &b->idle_subscriber[i]);
    for (unsigned kind = 0; kind < KINDS && err == 0; kind++)
        err = bus_samples_init(&b->samples[kind], most_events(b) / KINDS);
    return err;
}

static int follow(struct bench *b)
{
    int err = bus_meet(&b->shared->meeting, 1);
    if (err == 0)
        err = open_subscribers(b);
    for (unsigned r = 0; r < SL_BENCH_RATES && err == 0; r++) {
        if ((err = bus_meet(&b->shared->meeting, 1)) == 0)
            err = sleep_through(b, rates[r]);
        for (unsigned kind = 0; kind < KINDS && err == 0; kind++)
            b->shared->figures[r][kind] = bus_conclude(&b->samples[kind]);
    }
    if (err == 0)
        err = idle(b);
    if (err == 0)
        err = bus_meet(&b->shared->meeting, 1);
    sl_subscriber_close(b->subscriber);
    for (unsigned i = 0; i < IDLE_TOPICS; i++)
        sl_subscriber_close(b->idle_subscriber[i]);
    for (unsigned kind = 0; kind < KINDS; kind++)
        bus_samples_finish(&b->samples[kind]);
    return err;
}

static int run_side(void *context, int side)
{
    return side == 0 ? lead(context) : follow(context);
}

/* The result. ---------------------------------------------------------------------------------- */

static void conclude(const struct shared *shared, struct sl_bench_wake *to)
{
    for (unsigned r = 0; r < SL_BENCH_RATES; r++) {
        const struct bus_figures *bus = &shared->figures[r][BUS],
                                 *futex = &shared->figures[r][FUTEX];
        to->rate[r].hz = rates[r];
        to->rate[r].p50_ns = bus->p50_ns;
        to->rate[r].p99_ns = bus->p99_ns;
        to->rate[r].futex_p50_ns = futex->p50_ns;
        to->rate[r].futex_p99_ns = futex->p99_ns;
    }
    to->idle_topics = IDLE_TOPICS;
    to->idle_cpu_percent = shared->idle_cpu_percent;
}

int sl_bench_bus_wake(const struct sl_bench_bus_options *options, struct sl_bench_wake *ret_result)
{
    struct bench b = {0};
    int err = bus_begin(&b.run, options, SHARE, sizeof *b.shared);
    b.shared = b.run.shared;
    if (err == 0)
        err = bus_run_pair(run_side, &b);
    if (err == 0)
        conclude(b.shared, ret_result);
    bus_end(&b.run);
    return err;
}
