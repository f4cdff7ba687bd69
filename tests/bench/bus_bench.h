/* SPDX-License-Identifier: Apache-2.0 */
/* bus_bench.h - how long a descriptor takes from one process to another.
 *
 * Two processes on two cores throw a message to and fro. What is compared lies in one run and is
 * interleaved: the raw cache line (a word stored by one, seen by the other), the same with two
 * lines of payload written before and checked after, and the bus with payloads of four sizes whose
 * first and last line the sender writes and the receiver checks, with 0 and with 16 further
 * subscribers attached to both topics. One way = half a round trip. Medians of the rounds.
 *
 * Threads: call from the main thread; it forks one child, pins both, and waits for it.
 * Errors:  -errno with sl_error_text().
 */
#ifndef SL_BENCH_BUS_H
#define SL_BENCH_BUS_H

#include <stdint.h>

#define SL_BENCH_BUS_SIZES  4
#define SL_BENCH_BUS_CROWDS 2

struct sl_bench_bus_options {
    unsigned rounds;     /* interleaved repetitions; 0 = 7 */
    unsigned iterations; /* round trips a measurement; 0 = 20000 */
    const char *domain;  /* NULL = one of its own */
};

struct sl_bench_bus_result {
    double raw_p50_ns, raw_p99_ns;
    double raw_payload_p50_ns; /* the raw line, and two lines of payload written and checked */
    struct {
        uint64_t payload_bytes;
        unsigned crowd; /* further subscribers */
        double p50_ns, p99_ns;
        double raw_payload_ratio;
        double raw_ratio; /* median over the rounds of p50 / the same round's raw p50 */
    } native[SL_BENCH_BUS_SIZES][SL_BENCH_BUS_CROWDS];
};

int sl_bench_bus(const struct sl_bench_bus_options *options,
                 struct sl_bench_bus_result *ret_result);

#endif
