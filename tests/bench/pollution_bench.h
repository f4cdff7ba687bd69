/* SPDX-License-Identifier: Apache-2.0 */
/* pollution_bench.h - what `sluice bench pollution` measures: how much slower a neighbour becomes
 * when frames are written and read beside it, plainly and past the caches.
 *
 *   pollution_victim.c      the neighbour: a chase of pointers through memory of a chosen size
 *   pollution_primitives.c  one frame written or read on the victim's own core, every way
 *   pollution_llc.c         frame after frame on another core, the victim as large as the
 * last-level cache allows pollution_threshold.c   from which size on a payload is better streamed
 *   pollution_flow*.c       whole flows of driver, bus and reader beside a victim process
 *
 * What is compared lies in one run and is interleaved; figures are medians of the rounds.
 *
 * Threads: call from the main thread of a process that has no others; it is pinned meanwhile.
 * Errors:  -errno with sl_error_text().
 */
#ifndef SL_BENCH_POLLUTION_H
#define SL_BENCH_POLLUTION_H

#include <stdbool.h>
#include <stdint.h>

struct sl_bench_pollution_options {
    unsigned rounds;     /* interleaved repetitions; 0 = 15 */
    uint64_t pool_bytes; /* that frames go round in; 0 = 256 MB, or less if memory is short */
    unsigned sizes;      /* of the primitives', only so many of the first; 0 = all */
    unsigned ways;       /* the same of the ways to write and read */
    bool is_quick;       /* one round of little: does all of it work? */
    bool is_realtime;    /* flows run before everything else on the machine; -EPERM */
    /* Told before each round; or NULL. */
    void (*progress)(const char *what, unsigned round, unsigned rounds);
};

/* The primitives. ------------------------------------------------------------------------------ */

#define SL_BENCH_POLLUTION_LANES_MAX 24

/* One way to write or read. */
struct sl_bench_pollution_lane {
    const char *name;      /* "write_memcpy", "read_stream", ... */
    double slowdown_ratio; /* the victim's first pass after one frame / its own warm pass */
    double slowdown_low_ratio, slowdown_high_ratio; /* the quartiles of the rounds */
    double bytes_per_s;                             /* written or read */
    const char *peer;   /* the plain way to do the same, or NULL: it is one itself */
    double gain_ratio;  /* the peer's slowdown / this one's, of each round */
    double speed_ratio; /* this one's bytes_per_s / the peer's, of each round */
};

/* All lanes with frames of one size beside a victim of one size. */
struct sl_bench_pollution_primitives {
    uint64_t frame_bytes, victim_bytes;
    double victim_ns; /* one step of its own warm pass */
    unsigned lane_count;
    struct sl_bench_pollution_lane lane[SL_BENCH_POLLUTION_LANES_MAX];
};

/* Frames of 8 and 2 MB (in that order), victims of a half and three quarters of the second-level
 * cache. */
#define SL_BENCH_POLLUTION_SIZES 4
int sl_bench_pollution_primitives(
    const struct sl_bench_pollution_options *options,
    struct sl_bench_pollution_primitives ret_result[SL_BENCH_POLLUTION_SIZES]);

const struct sl_bench_pollution_lane *
sl_bench_pollution_find(const struct sl_bench_pollution_primitives *result, const char *name);

/* A victim on another core. -------------------------------------------------------------------- */

struct sl_bench_pollution_llc {
    uint64_t frame_bytes, victim_bytes;
    double victim_ns; /* one step while the other core does nothing */
    unsigned lane_count;
    struct {
        const char *name;
        double slowdown_ratio; /* its step beside this / alone, of each round */
        double bytes_per_s;    /* of the other core meanwhile */
    } lane[SL_BENCH_POLLUTION_LANES_MAX];
};

/* -ENODEV: there is only one processor to be had. */
int sl_bench_pollution_llc(const struct sl_bench_pollution_options *options,
                           struct sl_bench_pollution_llc *ret_result);

/* The threshold. ------------------------------------------------------------------------------- */

#define SL_BENCH_POLLUTION_STEPS_MAX 12

struct sl_bench_pollution_threshold {
    uint64_t victim_bytes;
    double victim_ns; /* a pass of it alone */
    /* From these sizes on: cached payloads cost the victim more than a twentieth of its pass; and
     * more, all in all, than streamed ones. 0 = from none. */
    uint64_t threshold_bytes, break_even_bytes;
    unsigned step_count;
    struct {
        uint64_t payload_bytes;
        /* Writing and reading one payload on one core, and what its victim loses by that. */
        double cached_ns, stream_ns;
        double cached_victim_ns, stream_victim_ns; /* of which the victim */
    } step[SL_BENCH_POLLUTION_STEPS_MAX];
};

int sl_bench_pollution_threshold(const struct sl_bench_pollution_options *options,
                                 struct sl_bench_pollution_threshold *ret_result);

/* Whole flows. --------------------------------------------------------------------------------- */

#define SL_BENCH_POLLUTION_FLOWS_MAX 12

/* How the victim fares beside one way of writing and reading. */
struct sl_bench_pollution_beside {
    double slowdown_ratio;   /* its pass and what a frame adds to it / its pass; 0 = not measured */
    double throughput_ratio; /* its passes in so much processor time / alone */
    double bytes_per_s;      /* of the process on its processor, while that writes or reads */
};

/* A driver, a reader, each on a processor of its own, and on one of them, in a process of its own,
 * a victim of half a second-level cache. Times are the victim's own processor time, so that what is
 * seen is the cache and not the share of the processor. */
struct sl_bench_pollution_flow {
    uint64_t victim_bytes;
    uint64_t
        huge_bytes; /* "_huge", slots in huge pages, was left out for lack of so much; 0 = not */
    unsigned flow_count;
    struct {
        /* "lidar", "lidar_fast", "camera_1080p", "camera_4k", "camera_4k_huge", "camera_small" */
        const char *name;
        bool is_at_reader; /* the victim is on the reader's processor, else on the driver's */
        double victim_ns;  /* a pass alone */
        struct sl_bench_pollution_beside empty, cached, stream; /* empty: frames nobody touches */
        double gain_ratio; /* slowdown cached / streamed, of each round */
    } flow[SL_BENCH_POLLUTION_FLOWS_MAX];
};

/* -ENODEV: there is only one processor to be had. */
int pollution_flow_run(const struct sl_bench_pollution_options *options,
                       struct sl_bench_pollution_flow *ret_result);

#endif
