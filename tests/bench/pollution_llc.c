/* SPDX-License-Identifier: Apache-2.0 */
/* pollution_llc.c - a thread goes over frame after frame as fast as it can; the victim on another
 * core loses what both share: the last-level cache, and the way to memory. */
#include "tests/bench/pollution_bench.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "tests/bench/pollution_victim.h"
#include "tests/bench/pollution_ways.h"

#define MIB              ((size_t)1 << 20)
#define FRAME_BYTES      (8 * MIB)
#define ROUNDS_MAX       POLLUTION_ROUNDS_MAX
#define VICTIM_MAX_BYTES (64 * MIB) /* of huge last-level caches only so much */
#define WAY_NS           20000000   /* for one way in a round */
#define SAMPLE_STEPS     4096       /* of the victim */
#define SAMPLES_MAX      1000       /* of one way in a round, of which the median counts */

static const char *const way_names[] = {"write_memcpy", "write_stream", "read_plain",
                                        "read_stream",  "look_plain",   "inspect"};
enum {
    WAYS = sizeof way_names / sizeof *way_names
};

/* The two threads share only words that change twice a measurement. */
struct bench {
    const struct sl_bench_pollution_options *options;
    uint8_t *pool;
    size_t pool_bytes, next;
    struct pollution_victim victim;
    unsigned rounds;
    _Atomic(const struct pollution_way *) way; /* what the other core is to do; NULL = nothing */
    _Atomic unsigned turn;                     /* changes when the way does */
    _Atomic unsigned seen_turn;                /* the other core has begun with it */
    _Atomic uint64_t bytes;                    /* that it has gone over in this turn */
    _Atomic uint64_t busy_ns;                  /* for that, while it had a processor */
    _Atomic int other_err;                     /* it could not be pinned */
    _Atomic bool is_ending;
    double alone_ns[ROUNDS_MAX];
    double slowdown[WAYS][ROUNDS_MAX], rate[WAYS][ROUNDS_MAX];
};

static uint64_t own_time_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void *other_core(void *context)
{
    struct bench *b = context;
    int err = pollution_pin(1);
    atomic_store(&b->other_err, err);
    while (!atomic_load(&b->is_ending)) {
        unsigned turn = atomic_load(&b->turn);
        const struct pollution_way *way = atomic_load(&b->way);
        if (turn != atomic_load(&b->seen_turn)) {
            atomic_store(&b->bytes, 0);
            atomic_store(&b->busy_ns, 0);
            atomic_store(&b->seen_turn, turn);
        }
        if (!way) {
            sched_yield();
            continue;
        }
        if (b->next + FRAME_BYTES > b->pool_bytes)
            b->next = 0;
        uint64_t start_ns = own_time_ns();
        way->run(b->pool + b->next, FRAME_BYTES);
        atomic_fetch_add(&b->busy_ns, own_time_ns() - start_ns);
        b->next += FRAME_BYTES;
        atomic_fetch_add(&b->bytes, FRAME_BYTES / way->touched_one_in);
    }
    return NULL;
}

static void tell_other(struct bench *b, const struct pollution_way *way)
{
    atomic_store(&b->way, way);
    unsigned turn = atomic_fetch_add(&b->turn, 1) + 1;
    while (atomic_load(&b->seen_turn) != turn)
        sched_yield();
}

/* A step of the victim; `ret_rate`: bytes a second of the other core meanwhile. */
static double measure(struct bench *b, const struct pollution_way *way, double *ret_rate)
{
    double step_ns[SAMPLES_MAX];
    tell_other(b, way);
    pollution_victim_pass_ns(&b->victim); /* into the state that it is in beside this */
    uint64_t end_ns = sl_clock_monotonic_ns() + (b->options->is_quick ? 0 : WAY_NS);
    unsigned count = 0;
    for (unsigned tries = 0; tries < SAMPLES_MAX; tries++) {
        uint64_t switches = pollution_switches();
        step_ns[count] = pollution_victim_steps_ns(&b->victim, SAMPLE_STEPS);
        /* void, if others had this processor meanwhile; but for the last try */
        if (pollution_switches() == switches || tries + 1 == SAMPLES_MAX)
            count++;
        if (count > 0 && sl_clock_monotonic_ns() >= end_ns)
            break;
    }
    while (way && atomic_load(&b->bytes) == 0)
        sched_yield(); /* on a busy machine it may not have come to its first frame */
    *ret_rate = (double)atomic_load(&b->bytes) * 1e9 / (double)(atomic_load(&b->busy_ns) + 1);
    return pollution_quantile(step_ns, count, 2);
}

static void measure_rounds(struct bench *b)
{
    double nothing;
    for (unsigned round = 0; round < b->rounds; round++) {
        if (b->options->progress)
            b->options->progress("last-level cache, another core", round, b->rounds);
        for (unsigned i = 0; i < WAYS; i++) {
            b->alone_ns[round] = measure(b, NULL, &nothing);
            double beside_ns = measure(b, pollution_way_find(way_names[i]), &b->rate[i][round]);
            b->slowdown[i][round] = beside_ns / b->alone_ns[round];
        }
    }
}

static int run_beside(struct bench *b)
{
    pthread_t thread;
    int err = pollution_pin(0);
    if (err < 0)
        return err;
    err = pthread_create(&thread, NULL, other_core, b);
    if (err > 0)
        return sl_error(-err, "pollution bench: a thread: %s", strerror(err));
    tell_other(b, NULL); /* it has tried to be pinned */
    err = atomic_load(&b->other_err);
    if (err == 0)
        measure_rounds(b);
    atomic_store(&b->is_ending, true);
    pthread_join(thread, NULL);
    return err < 0 ? sl_error(err, "pollution bench: this part needs two processors") : 0;
}

static void tell(struct bench *b, struct sl_bench_pollution_llc *result)
{
    *result = (struct sl_bench_pollution_llc){
        .frame_bytes = FRAME_BYTES,
        .victim_bytes = b->victim.size_bytes,
        .victim_ns = pollution_quantile(b->alone_ns, b->rounds, 2),
        .lane_count = WAYS,
    };
    for (unsigned i = 0; i < WAYS; i++) {
        result->lane[i].name = way_names[i];
        result->lane[i].slowdown_ratio = pollution_quantile(b->slowdown[i], b->rounds, 2);
        result->lane[i].bytes_per_s = pollution_quantile(b->rate[i], b->rounds, 2);
    }
}

int sl_bench_pollution_llc(const struct sl_bench_pollution_options *options,
                           struct sl_bench_pollution_llc *ret_result)
{
    struct bench *b = calloc(1, sizeof *b);
    if (!b)
        return sl_error(-ENOMEM, "pollution bench: no memory");
    size_t victim_bytes = pollution_cache_bytes(3) / 2;
    if (options->is_quick)
        victim_bytes = MIB / 4;
    pollution_ways_init();
    b->options = options;
    b->rounds = pollution_rounds(options);
    b->pool_bytes = pollution_pool_bytes(options);
    b->pool = pollution_map(b->pool_bytes);
    int err = b->pool ? 0 : -ENOMEM;
    if (err == 0)
        err = pollution_victim_init(&b->victim, victim_bytes < VICTIM_MAX_BYTES ? victim_bytes
                                                                                : VICTIM_MAX_BYTES);
    if (err == 0)
        err = run_beside(b);
    if (err == 0)
        tell(b, ret_result);
    pollution_roam();
    pollution_victim_finish(&b->victim);
    pollution_unmap(b->pool, b->pool_bytes);
    free(b);
    return err;
}
