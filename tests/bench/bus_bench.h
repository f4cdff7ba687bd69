/* SPDX-License-Identifier: Apache-2.0 */
/* bus_bench.h - what `sluice bench bus` measures. What is compared lies in one run and is
 * interleaved; figures are medians of the rounds.
 *
 *   bus_pingpong.c  a message to another process and back, beside the raw cache line and iceoryx
 *   bus_fan_out.c   what publishing costs with 1 to 64 subscribers that idle, read, or sleep
 *   bus_wake.c      how soon a sleeper has the message, beside a plain futex; what sleeping costs
 *   bus_batch.c     what a message costs when one notification serves many
 *
 * Each forks two processes, pins them on two processors, and waits for them.
 *
 * Threads: call from the main thread of a process that has opened nothing of the bus.
 * Errors:  -errno with sl_error_text().
 */
#ifndef SL_BENCH_BUS_H
#define SL_BENCH_BUS_H

#include <stdbool.h>
#include <stdint.h>

struct sl_bench_bus_options {
    unsigned rounds;     /* interleaved repetitions; 0 = 11 */
    unsigned iterations; /* round trips in each measurement, others in proportion; 0 = 20000 */
    int64_t wake_ns;     /* for each rate of waking; 0 = 2 s */
    int64_t idle_ns;     /* for which a subscriber's processor time is counted; 0 = 2 s */
    bool is_quick;       /* without payloads that take long to map */
    bool with_iceoryx;   /* RouDi runs */
    const char *domain;  /* NULL = one of its own */
    /* Told before each round, by another process than the caller; or NULL. */
    void (*progress)(const char *what, unsigned round, unsigned rounds);
};

/* Ping-pong. ----------------------------------------------------------------------------------- */

#define SL_BENCH_LANES_MAX 24

struct sl_bench_lane {
    const char *name;         /* "raw", "native_4k_16_subscribers", "inline_64", ... */
    uint64_t payload_bytes;   /* 0: the raw line alone */
    bool is_message;          /* else it is a limit */
    unsigned crowd;           /* further subscribers, attached and never reading */
    double p50_ns, p99_ns;    /* one way: half a round trip */
    double raw_ratio;         /* median over the rounds of p50 / the same round's raw p50 */
    double raw_payload_ratio; /* ... the raw line with as many lines of payload; 0 = none */
    double native_ratio;      /* ... native with 64 bytes; 0 = none */
};

struct sl_bench_pingpong {
    unsigned lane_count;
    struct sl_bench_lane lane[SL_BENCH_LANES_MAX];
};

int sl_bench_bus_pingpong(const struct sl_bench_bus_options *options,
                          struct sl_bench_pingpong *ret_result);
const struct sl_bench_lane *sl_bench_lane_find(const struct sl_bench_pingpong *result,
                                               const char *name);

/* Fan-out. ------------------------------------------------------------------------------------- */

enum sl_bench_crowd {
    SL_BENCH_IDLE,     /* attached, not reading */
    SL_BENCH_READING,  /* one process polls them */
    SL_BENCH_SLEEPING, /* a thread each, asleep when the message is published */
    SL_BENCH_RELAYED,  /* the same, and the publisher's relay thread wakes them */
};

#define SL_BENCH_FANS_MAX 16

struct sl_bench_fan_out {
    unsigned count;
    struct {
        enum sl_bench_crowd crowd;
        unsigned attached, active; /* of those, how many read or sleep */
        double p50_ns, mean_ns;    /* loan + 64 bytes + publish, and one reading of the clock */
    } fan[SL_BENCH_FANS_MAX];
    double clock_ns; /* what that reading costs */
};

int sl_bench_bus_fan_out(const struct sl_bench_bus_options *options,
                         struct sl_bench_fan_out *ret_result);

/* Waking. -------------------------------------------------------------------------------------- */

#define SL_BENCH_RATES 5

struct sl_bench_wake {
    struct {
        unsigned hz;                       /* 0: hot */
        double p50_ns, p99_ns;             /* from before publish to after take */
        double futex_p50_ns, futex_p99_ns; /* from before FUTEX_WAKE to after FUTEX_WAIT */
    } rate[SL_BENCH_RATES];
    unsigned idle_topics;
    double idle_cpu_percent; /* of one processor, by a process that sleeps on so many topics */
};

int sl_bench_bus_wake(const struct sl_bench_bus_options *options, struct sl_bench_wake *ret_result);

/* Batches. ------------------------------------------------------------------------------------- */

#define SL_BENCH_BATCHES 5

struct sl_bench_batch {
    struct {
        unsigned size;
        double ns; /* a message: from before the first publish to the answer to the last */
    } batch[SL_BENCH_BATCHES];
};

int sl_bench_bus_batch(const struct sl_bench_bus_options *options,
                       struct sl_bench_batch *ret_result);

#endif
