/* SPDX-License-Identifier: Apache-2.0 */
/* bus_batch.c - what a message costs when one notification serves many.
 *
 * A batch is published in one go; the other process sleeps, is woken once, takes all of it, and
 * answers. Timed is from before the first loan to the answer, a message's share of it.
 */
#include "tests/bench/bus_bench.h"
#include "tests/bench/bus_crew.h"

#include "core/base/error.h"

#include <errno.h>

enum {
    SHARE = 100, /* batches a round, of the round trips of ping-pong */
    TO_SLEEP_NS = 60000,
    PATIENCE_OF_A_BATCH_NS = 1000000000, /* the sleeper is to be woken by the count, not by this */
};

static const unsigned sizes[SL_BENCH_BATCHES] = {1, 4, 16, 64, 256};

struct shared {
    struct bus_meeting meeting;
    _Alignas(64) _Atomic uint64_t answered; /* batches */
    struct bus_figures figures[BUS_ROUNDS_MAX][SL_BENCH_BATCHES];
};

struct bench {
    struct bus_run run;
    struct shared *shared;
    /* of one process */
    uint64_t batches, value;
    struct bus_samples samples;
    struct sl_publisher *publisher[SL_BENCH_BATCHES];
    struct sl_subscriber *subscriber[SL_BENCH_BATCHES];
};

static int open_publisher(struct bench *b, unsigned i)
{
    struct bus_topic topic = bus_topic("batch", sizes[i]);
    const struct sl_publisher_options options = {
        .topic = topic.name,
        .type = BUS_TYPE,
        .domain = b->run.domain,
        .slot_size = BUS_LINE,
        .slot_count = 4 * sizes[i] + 16, /* two batches, and what is taken back ahead of need */
        .ring = 1024,
        .subscribers = 1,
        .quota = 1,
    };
    return sl_publisher_open(&options, &b->publisher[i]);
}

static int open_subscriber(struct bench *b, unsigned i)
{
    struct bus_topic topic = bus_topic("batch", sizes[i]);
    const struct sl_subscriber_options options = {
        .topic = topic.name,
        .domain = b->run.domain,
        .quota = 1,
        .wake_batch = sizes[i],
        .wake_after_ns = PATIENCE_OF_A_BATCH_NS,
    };
    int err = sl_subscriber_open(&options, &b->subscriber[i]);
    return err < 0 ? err : bus_await_publisher(b->subscriber[i]);
}

static int send_batch(struct bench *b, unsigned i)
{
    struct bus_patience patience = {0};
    int err = 0;
    bus_spin_ns(TO_SLEEP_NS);
    uint64_t start_ns = sl_clock_monotonic_ns();
    for (unsigned m = 0; m < sizes[i] && err == 0; m++)
        err = bus_publish(b->publisher[i], BUS_LINE, ++b->value);
    b->batches++;
    while (err == 0 &&
           atomic_load_explicit(&b->shared->answered, memory_order_acquire) != b->batches)
        if (bus_is_worn_out(&patience))
            err = bus_no_answer("a batch");
    bus_sample(&b->samples, sl_clock_monotonic_ns() - start_ns);
    return err;
}

static int receive_batch(struct bench *b, unsigned i)
{
    for (unsigned got = 0; got < sizes[i];) {
        struct sl_frame frame;
        int err = sl_subscriber_take(b->subscriber[i], &frame);
        if (err == -EAGAIN) {
            err = sl_subscriber_wait(b->subscriber[i], BUS_PATIENCE_S * (int64_t)SL_NS_PER_S);
            if (err < 0 && err != -EINTR)
                return err == -ETIMEDOUT ? bus_no_answer("a batch") : err;
            continue;
        }
        if (err < 0)
            return err;
        bool whole = bus_is_marked(frame.body, BUS_LINE, ++b->value);
        sl_frame_release(&frame);
        if (!whole)
            return sl_error(-EIO, "a batch of %u: message %u is not what was sent", sizes[i], got);
        got++;
    }
    atomic_store_explicit(&b->shared->answered, ++b->batches, memory_order_release);
    return 0;
}

static int run_round(struct bench *b, int side, struct bus_figures *figures)
{
    int err = 0;
    for (unsigned i = 0; i < SL_BENCH_BATCHES && err == 0; i++) {
        for (unsigned n = 0; n < b->run.iterations && err == 0; n++)
            err = side == 0 ? send_batch(b, i) : receive_batch(b, i);
        if (side == 0)
            figures[i] = bus_conclude(&b->samples);
    }
    return err;
}

static int open_side(struct bench *b, int side)
{
    int err = 0;
    for (unsigned i = 0; i < SL_BENCH_BATCHES && err == 0 && side == 0; i++)
        err = open_publisher(b, i);
    if (err == 0)
        err = bus_meet(&b->shared->meeting, side);
    for (unsigned i = 0; i < SL_BENCH_BATCHES && err == 0; i++)
        err = side == 0 ? bus_await_subscribers(b->publisher[i], 1) : open_subscriber(b, i);
    if (err == 0 && side == 0)
        err = bus_samples_init(&b->samples, b->run.iterations);
    return err < 0 ? err : bus_meet(&b->shared->meeting, side);
}

static int run_side(void *context, int side)
{
    struct bench *b = context;
    struct bus_figures unused[SL_BENCH_BATCHES];
    int err = open_side(b, side);
    if (err == 0)
        err = run_round(b, side, unused); /* warm up */
    for (unsigned round = 0; round < b->run.rounds && err == 0; round++) {
        if (side == 0 && b->run.options->progress)
            b->run.options->progress("batches", round, b->run.rounds);
        err = run_round(b, side, b->shared->figures[round]);
    }
    for (unsigned i = 0; i < SL_BENCH_BATCHES; i++) {
        sl_subscriber_close(b->subscriber[i]);
        sl_publisher_close(b->publisher[i]);
    }
    bus_samples_finish(&b->samples);
    return err;
}

int sl_bench_bus_batch(const struct sl_bench_bus_options *options,
                       struct sl_bench_batch *ret_result)
{
    struct bench b = {0};
    int err = bus_begin(&b.run, options, SHARE, sizeof *b.shared);
    b.shared = b.run.shared;
    if (err == 0)
        err = bus_run_pair(run_side, &b);
    for (unsigned i = 0; i < SL_BENCH_BATCHES && err == 0; i++) {
        struct bus_figures f =
            bus_median_figures(&b.shared->figures[0][i], b.run.rounds, SL_BENCH_BATCHES);
        ret_result->batch[i].size = sizes[i];
        ret_result->batch[i].ns = f.p50_ns / sizes[i];
    }
    bus_end(&b.run);
    return err;
}
