/* SPDX-License-Identifier: Apache-2.0 */
/* dds_bench.h - what `sluice bench dds` measures: clouds from the bus, through the bridge, to a
 * foreign reader, beside ddsperf and beside a writer of Cyclone DDS that serialises the same
 * clouds. What is compared lies in one run and is interleaved; figures are medians of the rounds.
 *
 *   dds_flow.c   the measurements
 *   dds_crew.c   the processes: bridge, reader, writer, ddsperf's two
 *   dds_peer.c   the foreign reader and writer, a program of its own
 *
 * Everything has one configuration of Cyclone DDS, on the loopback interface, and is reliable and
 * keeps all; but for clouds of 8 MB once more best effort, which is what the bridge is by default.
 *
 * Threads: call from the main thread.
 * Errors:  -errno with sl_error_text().
 */
#ifndef SL_BENCH_DDS_H
#define SL_BENCH_DDS_H

#include <stdbool.h>
#include <stdint.h>

struct sl_bench_dds_options {
    unsigned rounds;   /* interleaved repetitions; 0 = 7 */
    unsigned chosen;   /* bits of sizes in their order; 0 = all */
    int64_t window_ns; /* in which is counted what arrives; 0 = 400 ms. ddsperf's is a second */
    /* Told before each round, or NULL. */
    void (*progress)(const char *what, unsigned round, unsigned rounds);
};

/* Messages that arrived, and processor time of the one who sends, for what is sent: user and
 * system, all threads. */
struct sl_bench_dds_flow {
    double messages_per_s, mb_per_s; /* 1e6 bytes of bodies */
    double cpu_us_per_mb;            /* 0 for ddsperf */
};

#define SL_BENCH_DDS_SIZES 5

struct sl_bench_dds {
    bool has_ddsperf; /* it is installed */
    struct {
        const char *name; /* "1k", "8m_best_effort"; NULL: not measured */
        struct sl_bench_dds_flow bridge, typed, ddsperf;
        double ddsperf_ratio; /* median of each round's bridge / ddsperf */
        double typed_ratio;   /* ... of bridge / typed */
        double cpu_ratio;     /* ... of the bridge's processor time / the typed writer's */
    } size[SL_BENCH_DDS_SIZES];
    /* At 1 kB, if that is chosen, a thousand a second: from before publishing, or writing, to after
     * the take. */
    double bridged_us, direct_us;
    double added_us; /* median of each round's difference */
    double futex_us; /* from before FUTEX_WAKE to after FUTEX_WAIT, as often */
};

extern const char *const sl_bench_dds_sizes[SL_BENCH_DDS_SIZES + 1]; /* ends with NULL */

int sl_bench_dds(const struct sl_bench_dds_options *options, struct sl_bench_dds *ret_result);

#endif
