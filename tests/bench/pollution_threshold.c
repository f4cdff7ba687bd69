/* SPDX-License-Identifier: Apache-2.0 */
/* pollution_threshold.c - what one payload costs all on its core: writing it, reading it, and what
 * the victim loses. Cached, a small one is read where it was written and displaces little;
 * streamed, it goes to memory and back. Slots go round as in a pool, so that cached payloads
 * displace as many lines as the whole pool has. */
#include "tests/bench/pollution_bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "tests/bench/pollution_victim.h"
#include "tests/bench/pollution_ways.h"

#define SLOTS        8
#define ROUNDS_MAX   POLLUTION_ROUNDS_MAX
#define PAYLOADS     16 /* in a round, of which the median counts */
#define TRIES        160
#define LOSS_NOTICED 0.05 /* of a pass of the victim */

static const size_t sizes[] = {4096,   8192,   16384,   32768,   65536,  131072,
                               262144, 524288, 1048576, 2097152, 4194304};
enum {
    SIZES = sizeof sizes / sizeof *sizes,
    CACHED = 0,
    STREAM = 1,
    QUICK_SIZES = 5,
};
_Static_assert(SIZES <= SL_BENCH_POLLUTION_STEPS_MAX, "steps");

struct bench {
    uint8_t *pool;
    unsigned slot;
    struct pollution_victim victim;
    unsigned rounds, payloads, size_count;
    double warm_ns[ROUNDS_MAX]; /* a pass of the victim alone */
    double own_ns[2][SIZES][ROUNDS_MAX], pass_ns[2][SIZES][ROUNDS_MAX];
};

static void measure_size(struct bench *b, unsigned size, int how, unsigned round)
{
    const struct pollution_way *write =
        pollution_way_find(how == CACHED ? "write_memcpy_blocks" : "write_stream_blocks");
    const struct pollution_way *read =
        how == CACHED ? pollution_way_find("read_plain") : &pollution_read_always;
    double own[PAYLOADS], pass[PAYLOADS];
    unsigned got = 0;
    for (unsigned i = 0; got < b->payloads; i++) {
        uint64_t switches = pollution_switches();
        uint8_t *payload = b->pool + b->slot * sizes[SIZES - 1];
        b->slot = (b->slot + 1) % SLOTS;
        uint64_t start_ns = sl_clock_monotonic_ns();
        write->run(payload, sizes[size]);
        read->run(payload, sizes[size]);
        uint64_t took_ns = sl_clock_monotonic_ns() - start_ns;
        double step_ns = pollution_victim_pass_ns(&b->victim);
        if (i < SLOTS || (pollution_switches() != switches && i < TRIES))
            continue; /* the first time round, the slots come from elsewhere */
        own[got] = (double)took_ns;
        pass[got++] = step_ns * (double)b->victim.step_count;
    }
    b->own_ns[how][size][round] = pollution_quantile(own, got, 2);
    b->pass_ns[how][size][round] = pollution_quantile(pass, got, 2);
}

static double warm_pass_ns(struct bench *b)
{
    double pass[PAYLOADS];
    for (unsigned i = 0; i < PAYLOADS; i++)
        pass[i] = pollution_victim_pass_ns(&b->victim) * (double)b->victim.step_count;
    return pollution_quantile(pass, PAYLOADS, 2);
}

static void tell(struct bench *b, struct sl_bench_pollution_threshold *result)
{
    double warm_ns = pollution_quantile(b->warm_ns, b->rounds, 2), cost[2], lost[2];
    *result = (struct sl_bench_pollution_threshold){
        .victim_bytes = b->victim.size_bytes,
        .victim_ns = warm_ns,
        .step_count = b->size_count,
    };
    for (unsigned i = b->size_count; i-- > 0;) {
        for (int how = CACHED; how <= STREAM; how++) {
            lost[how] = pollution_quantile(b->pass_ns[how][i], b->rounds, 2) - warm_ns;
            lost[how] = lost[how] > 0 ? lost[how] : 0;
            cost[how] = pollution_quantile(b->own_ns[how][i], b->rounds, 2) + lost[how];
        }
        result->step[i].payload_bytes = sizes[i];
        result->step[i].cached_ns = cost[CACHED];
        result->step[i].cached_victim_ns = lost[CACHED];
        result->step[i].stream_ns = cost[STREAM];
        result->step[i].stream_victim_ns = lost[STREAM];
        bool is_last = i + 1 == b->size_count;
        if (lost[CACHED] > LOSS_NOTICED * warm_ns &&
            (is_last || result->threshold_bytes == sizes[i + 1]))
            result->threshold_bytes = sizes[i];
        if (cost[STREAM] < cost[CACHED] && (is_last || result->break_even_bytes == sizes[i + 1]))
            result->break_even_bytes = sizes[i];
    }
}

int sl_bench_pollution_threshold(const struct sl_bench_pollution_options *options,
                                 struct sl_bench_pollution_threshold *ret_result)
{
    struct bench *b = calloc(1, sizeof *b);
    if (!b)
        return sl_error(-ENOMEM, "pollution bench: no memory");
    pollution_ways_init();
    b->rounds = pollution_rounds(options);
    b->payloads = options->is_quick ? 1 : PAYLOADS;
    b->size_count = options->is_quick ? QUICK_SIZES : SIZES;
    b->pool = pollution_map(SLOTS * sizes[SIZES - 1]);
    int err = b->pool ? 0 : -ENOMEM;
    if (err == 0)
        err = pollution_victim_init(&b->victim, pollution_cache_bytes(2) / 2);
    if (err == 0)
        err = pollution_pin_apart();
    for (unsigned round = 0; err == 0 && round < b->rounds; round++) {
        if (options->progress)
            options->progress("threshold", round, b->rounds);
        pollution_victim_pass_ns(&b->victim);
        b->warm_ns[round] = warm_pass_ns(b);
        for (unsigned i = 0; i < b->size_count; i++) {
            measure_size(b, i, CACHED, round);
            measure_size(b, i, STREAM, round);
        }
    }
    if (err == 0)
        tell(b, ret_result);
    pollution_roam();
    pollution_victim_finish(&b->victim);
    pollution_unmap(b->pool, SLOTS * sizes[SIZES - 1]);
    free(b);
    return err;
}
