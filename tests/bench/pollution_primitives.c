/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/pollution_bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "tests/bench/pollution_victim.h"
#include "tests/bench/pollution_ways.h"

#define MIB         ((size_t)1 << 20)
#define ROUNDS_MAX  POLLUTION_ROUNDS_MAX
#define FRAMES      7  /* of one way in a round, of which the median counts */
#define TRIES       70 /* of them, in all: others may be at work on this core */
#define QUICK_PART  16 /* of frame and victim */
#define WARM_PASSES 4  /* before the one of the victim's own that counts */

struct bench {
    uint8_t *pool;
    size_t pool_bytes, next; /* where the next frame begins */
    size_t frame_bytes;
    struct pollution_victim victim;
    unsigned rounds, frames, warm_passes, way_count;
    double slowdown[SL_BENCH_POLLUTION_LANES_MAX][ROUNDS_MAX];
    double rate[SL_BENCH_POLLUTION_LANES_MAX][ROUNDS_MAX];
    double warm_ns[ROUNDS_MAX]; /* of the last way, good enough to be told */
};

/* Frames go round in the pool, which is larger than the caches: none is met again while it is
 * cached. */
static uint8_t *next_frame(struct bench *b)
{
    if (b->next + b->frame_bytes > b->pool_bytes)
        b->next = 0;
    uint8_t *frame = b->pool + b->next;
    b->next += b->frame_bytes;
    return frame;
}

struct sample {
    double slowdown, rate, warm_ns;
};

/* One frame. False if the kernel let somebody else run meanwhile: that washes caches, too. */
static bool measure_frame(struct bench *b, const struct pollution_way *way, struct sample *ret)
{
    for (unsigned i = 0; i < b->warm_passes; i++)
        pollution_victim_pass_ns(&b->victim);
    uint64_t switches = pollution_switches();
    ret->warm_ns = pollution_victim_pass_ns(&b->victim);
    uint8_t *frame = next_frame(b);
    uint64_t start_ns = sl_clock_monotonic_ns();
    way->run(frame, b->frame_bytes);
    uint64_t took_ns = sl_clock_monotonic_ns() - start_ns;
    ret->slowdown = pollution_victim_pass_ns(&b->victim) / ret->warm_ns;
    ret->rate = (double)(b->frame_bytes / way->touched_one_in) * 1e9 / (double)(took_ns + 1);
    return pollution_switches() == switches;
}

static void measure_way(struct bench *b, unsigned way, unsigned round)
{
    double slowdown[FRAMES], rate[FRAMES], warm[FRAMES];
    for (unsigned i = 0, tries = 0; i < b->frames; tries++) {
        struct sample sample;
        if (!measure_frame(b, &pollution_ways[way], &sample) && tries < TRIES)
            continue;
        slowdown[i] = sample.slowdown;
        rate[i] = sample.rate;
        warm[i++] = sample.warm_ns;
    }
    b->slowdown[way][round] = pollution_quantile(slowdown, b->frames, 2);
    b->rate[way][round] = pollution_quantile(rate, b->frames, 2);
    b->warm_ns[round] = pollution_quantile(warm, b->frames, 2);
}

static double median_ratio(const double *above, const double *below, unsigned count)
{
    double ratio[ROUNDS_MAX];
    for (unsigned i = 0; i < count; i++)
        ratio[i] = above[i] / below[i];
    return pollution_quantile(ratio, count, 2);
}

/* Ratios first: quantiles sort the rounds, which are paired. */
static void tell_ratios(struct bench *b, unsigned way, struct sl_bench_pollution_lane *lane)
{
    const struct pollution_way *w = &pollution_ways[way];
    *lane = (struct sl_bench_pollution_lane){.name = w->name, .peer = w->peer};
    if (!w->peer)
        return;
    size_t peer = (size_t)(pollution_way_find(w->peer) - pollution_ways);
    lane->gain_ratio = median_ratio(b->slowdown[peer], b->slowdown[way], b->rounds);
    lane->speed_ratio = median_ratio(b->rate[way], b->rate[peer], b->rounds);
}

static void tell_medians(struct bench *b, unsigned way, struct sl_bench_pollution_lane *lane)
{
    lane->slowdown_low_ratio = pollution_quantile(b->slowdown[way], b->rounds, 1);
    lane->slowdown_ratio = pollution_quantile(b->slowdown[way], b->rounds, 2);
    lane->slowdown_high_ratio = pollution_quantile(b->slowdown[way], b->rounds, 3);
    lane->bytes_per_s = pollution_quantile(b->rate[way], b->rounds, 2);
}

static int measure_size(struct bench *b, size_t victim_bytes,
                        const struct sl_bench_pollution_options *options, const char *what,
                        struct sl_bench_pollution_primitives *result)
{
    int err = pollution_victim_init(&b->victim, victim_bytes);
    if (err < 0)
        return err;
    for (unsigned round = 0; round < b->rounds; round++) {
        if (options->progress)
            options->progress(what, round, b->rounds);
        for (unsigned way = 0; way < b->way_count; way++)
            measure_way(b, way, round);
    }
    pollution_victim_finish(&b->victim);
    *result = (struct sl_bench_pollution_primitives){
        .frame_bytes = b->frame_bytes,
        .victim_bytes = victim_bytes,
        .victim_ns = pollution_quantile(b->warm_ns, b->rounds, 2),
        .lane_count = b->way_count,
    };
    for (unsigned way = 0; way < b->way_count; way++)
        tell_ratios(b, way, &result->lane[way]);
    for (unsigned way = 0; way < b->way_count; way++)
        tell_medians(b, way, &result->lane[way]);
    return 0;
}

int sl_bench_pollution_primitives(
    const struct sl_bench_pollution_options *options,
    struct sl_bench_pollution_primitives ret_result[SL_BENCH_POLLUTION_SIZES])
{
    static const struct {
        const char *name;
        size_t frame_bytes, victim_quarters; /* of the second-level cache */
    } sizes[SL_BENCH_POLLUTION_SIZES] = {
        {"8 MB frames, half of L2", 8 * MIB, 2},
        {"2 MB frames, half of L2", 2 * MIB, 2},
        {"8 MB frames, three quarters of L2", 8 * MIB, 3},
        {"2 MB frames, three quarters of L2", 2 * MIB, 3},
    };
    struct bench *b = calloc(1, sizeof *b);
    if (!b)
        return sl_error(-ENOMEM, "pollution bench: no memory");
    b->rounds = pollution_rounds(options);
    b->way_count = options->ways ? options->ways : pollution_way_count;
    b->frames = options->is_quick ? 1 : FRAMES;
    b->warm_passes = options->is_quick ? 1 : WARM_PASSES;
    pollution_ways_init();
    b->pool_bytes = pollution_pool_bytes(options);
    b->pool = pollution_map(b->pool_bytes);
    int err = b->pool ? 0 : -ENOMEM;
    if (err == 0)
        err = pollution_pin_apart();
    unsigned count = options->sizes ? options->sizes : SL_BENCH_POLLUTION_SIZES;
    for (unsigned i = 0; err == 0 && i < count; i++) {
        size_t little = options->is_quick ? QUICK_PART : 1;
        b->frame_bytes = sizes[i].frame_bytes / little;
        err = measure_size(b, pollution_cache_bytes(2) * sizes[i].victim_quarters / 4 / little,
                           options, sizes[i].name, &ret_result[i]);
    }
    pollution_roam();
    pollution_unmap(b->pool, b->pool_bytes);
    free(b);
    return err;
}

const struct sl_bench_pollution_lane *
sl_bench_pollution_find(const struct sl_bench_pollution_primitives *result, const char *name)
{
    for (unsigned i = 0; i < result->lane_count; i++)
        if (strcmp(result->lane[i].name, name) == 0)
            return &result->lane[i];
    return NULL;
}
