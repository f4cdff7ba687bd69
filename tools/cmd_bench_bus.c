/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_bench_bus.c - sluice bench bus: from publish in one process to take in another, measured
 * beside the raw cache line. */
#include "tests/bench/bus_bench.h"
#include "tools/bench.h"
#include "tools/tool.h"

#include <inttypes.h>
#include <stdio.h>

static struct bus_options {
    int64_t rounds, iterations;
} given;

static const struct sl_option options[] = {
    {.name = "rounds",
     .kind = SL_OPTION_INT,
     .offset = offsetof(struct bus_options, rounds),
     .value = "N",
     .fallback = "7",
     .min = 1,
     .max = 1000,
     .help = "Interleaved repetitions, of which medians are told"},
    {.name = "iterations",
     .kind = SL_OPTION_INT,
     .offset = offsetof(struct bus_options, iterations),
     .value = "N",
     .fallback = "20000",
     .min = 100,
     .max = 1e8,
     .help = "Round trips in each measurement"},
};

static const struct sl_command command = {
    .name = "sluice bench bus",
    .summary = "How long a message takes to another process, beside the raw cache line",
    .details =
        "Two processes on two cores; the sender writes and the receiver checks the payload's\n"
        "first and last line. One way is half a round trip. native_p50_ns is that of 64 bytes\n"
        "with no further subscribers. The machine should be idle.",
    .example = "sluice bench bus --json        # for a program to read",
    .tables = {SL_TABLE_BENCH, {"Effort", options, sizeof options / sizeof *options, &given}},
};

/* "native_4k", "native_64M_16_subscribers": without the unit. */
static void key_of(uint64_t payload_bytes, unsigned crowd, char *to, size_t size)
{
    static const char units[] = " kMG";
    unsigned unit = 0;
    while (payload_bytes >= 1024 && payload_bytes % 1024 == 0 && units[unit + 1]) {
        payload_bytes /= 1024;
        unit++;
    }
    int used = snprintf(to, size, "native_%" PRIu64 "%.*s", payload_bytes, unit > 0, &units[unit]);
    if (crowd > 0)
        snprintf(to + used, size - (size_t)used, "_%u_subscribers", crowd);
}

static void tell_flat(struct sl_bench *bench, const struct sl_bench_bus_result *r)
{
    for (int s = 0; s < SL_BENCH_BUS_SIZES; s++) {
        for (int c = 0; c < SL_BENCH_BUS_CROWDS; c++) {
            char stem[64], key[80];
            key_of(r->native[s][c].payload_bytes, r->native[s][c].crowd, stem, sizeof stem);
            snprintf(key, sizeof key, "%s_p50_ns", stem);
            sl_bench_figure(bench, key, r->native[s][c].p50_ns, NULL);
            snprintf(key, sizeof key, "%s_p99_ns", stem);
            sl_bench_figure(bench, key, r->native[s][c].p99_ns, NULL);
            snprintf(key, sizeof key, "%s_raw_ratio", stem);
            sl_bench_figure(bench, key, r->native[s][c].raw_ratio, NULL);
            snprintf(key, sizeof key, "%s_raw_payload_ratio", stem);
            sl_bench_figure(bench, key, r->native[s][c].raw_payload_ratio, NULL);
        }
    }
}

static void print_table(const struct sl_bench_bus_result *r)
{
    printf("\n%12s %12s %10s %10s %10s %14s\n", "payload", "subscribers", "p50 ns", "p99 ns",
           "p50 / raw", "/ raw payload");
    for (int s = 0; s < SL_BENCH_BUS_SIZES; s++)
        for (int c = 0; c < SL_BENCH_BUS_CROWDS; c++)
            printf("%12" PRIu64 " %12u %10.1f %10.1f %10.2f %14.2f\n",
                   r->native[s][c].payload_bytes, r->native[s][c].crowd + 1, r->native[s][c].p50_ns,
                   r->native[s][c].p99_ns, r->native[s][c].raw_ratio,
                   r->native[s][c].raw_payload_ratio);
}

static int run(void)
{
    struct sl_bench bench;
    struct sl_bench_bus_result r;
    const struct sl_bench_bus_options bus = {.rounds = (unsigned)given.rounds,
                                             .iterations = (unsigned)given.iterations};
    sl_bench_begin(&bench, command.name);
    int err = sl_bench_bus(&bus, &r);
    if (err < 0)
        return err;
    sl_bench_figure(&bench, "raw_p50_ns", r.raw_p50_ns, "a cache line to and fro, halved");
    sl_bench_figure(&bench, "raw_p99_ns", r.raw_p99_ns, NULL);
    sl_bench_figure(&bench, "raw_payload_p50_ns", r.raw_payload_p50_ns,
                    "and two lines of payload written and checked");
    sl_bench_figure(&bench, "native_p50_ns", r.native[0][0].p50_ns, "64 bytes");
    sl_bench_figure(&bench, "native_p99_ns", r.native[0][0].p99_ns, NULL);
    sl_bench_figure(&bench, "native_16_subscribers_p50_ns", r.native[0][1].p50_ns,
                    "16 more are attached");
    sl_bench_figure(&bench, "native_raw_ratio", r.native[0][0].raw_ratio, "at most 2.5");
    sl_bench_figure(&bench, "native_raw_payload_ratio", r.native[0][0].raw_payload_ratio, NULL);
    if (bench.as_json)
        tell_flat(&bench, &r);
    else
        print_table(&r);
    sl_bench_end(&bench);
    return 0;
}

const struct sl_tool sl_tool_bench_bus = {.name = "bench bus", .command = &command, .run = run};
