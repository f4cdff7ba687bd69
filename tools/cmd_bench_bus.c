/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_bench_bus.c - sluice bench bus: messages between two processes, measured beside what no bus
 * can beat. */
#include "core/base/error.h"
#include "tests/bench/bus_bench.h"
#include "tests/bench/bus_roudi.h"
#include "tools/bench.h"
#include "tools/tool.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct bus_options {
    int64_t rounds, iterations, wake_ns;
    bool quick;
    const char *only;
} given;

static const struct sl_option options[] = {
    {.name = "only",
     .kind = SL_OPTION_TEXT,
     .offset = offsetof(struct bus_options, only),
     .value = "PART,...",
     .help = "Of pingpong, fanout, wake, batch; all if it is not given"},
    {.name = "rounds",
     .kind = SL_OPTION_INT,
     .offset = offsetof(struct bus_options, rounds),
     .value = "N",
     .fallback = "11",
     .min = 1,
     .max = 101,
     .help = "Interleaved repetitions, of which medians are told"},
    {.name = "iterations",
     .kind = SL_OPTION_INT,
     .offset = offsetof(struct bus_options, iterations),
     .value = "N",
     .fallback = "20000",
     .min = 100,
     .max = 1e8,
     .help = "Round trips in each measurement of a round; others in proportion"},
    {.name = "wake",
     .kind = SL_OPTION_DURATION,
     .offset = offsetof(struct bus_options, wake_ns),
     .value = "TIME",
     .fallback = "2s",
     .min = 1e6,
     .max = 3.6e12,
     .help = "For how long each rate of waking is measured"},
    {.name = "quick",
     .kind = SL_OPTION_FLAG,
     .offset = offsetof(struct bus_options, quick),
     .help = "One round of little: does all of it work? Its figures mean nothing"},
};

static const struct sl_command command = {
    .name = "sluice bench bus",
    .summary = "How long messages take to another process, beside the raw cache line",
    .details =
        "Two processes on two processors (of those allowed: see taskset(1)). docs/bench.md tells\n"
        "what each figure means and what it is compared with. The machine should be idle. For\n"
        "iceoryx RouDi is started if none runs; without that package these lines are left out.",
    .example = "sluice bench bus --json        # for a program to read",
    .tables = {SL_TABLE_BENCH, {"Effort", options, sizeof options / sizeof *options, &given}},
};

/* "native_4k" and "p50_ns" to a figure of that name, in JSON. */
static void tell(struct sl_bench *bench, const char *stem, const char *unit, double value)
{
    char key[96];
    snprintf(key, sizeof key, "%s_%s", stem, unit);
    sl_bench_figure(bench, key, value, NULL);
}

/* One after the other, for people. */
static void print_bar(const char *what, double value, const char *unit, const char *bar)
{
    printf("  %-56s %10.4g%s  (%s)\n", what, value, unit, bar);
}

/* Ping-pong. ----------------------------------------------------------------------------------- */

static void print_ratio_or_none(double ratio)
{
    if (ratio > 0)
        printf(" %9.2f", ratio);
    else
        printf(" %9s", "");
}

static void print_pingpong(const struct sl_bench_pingpong *r)
{
    printf("One way: half a round trip between two processes\n  %-26s %10s %10s %9s %9s %9s\n", "",
           "p50 ns", "p99 ns", "/ raw", "/ raw+", "/ native");
    for (unsigned i = 0; i < r->lane_count; i++) {
        const struct sl_bench_lane *lane = &r->lane[i];
        printf("  %-26s %10.1f %10.1f", lane->name, lane->p50_ns, lane->p99_ns);
        print_ratio_or_none(lane->raw_ratio);
        print_ratio_or_none(lane->raw_payload_ratio);
        print_ratio_or_none(lane->native_ratio);
        printf("\n");
    }
    printf("  (raw+: the raw line with as many lines of payload; _16_subscribers: so many more)\n");
    print_bar("native / raw", sl_bench_lane_find(r, "native")->raw_ratio, "", "at most 1.8");
    const struct sl_bench_lane *binding = sl_bench_lane_find(r, "iceoryx_binding");
    if (binding)
        print_bar("iceoryx's binding / native", binding->native_ratio, "", "at least 5");
    printf("\n");
}

static int bench_pingpong(struct sl_bench *bench, const struct sl_bench_bus_options *bus)
{
    struct sl_bench_pingpong r;
    int err = sl_bench_bus_pingpong(bus, &r);
    if (err < 0)
        return err;
    if (!bench->as_json) {
        print_pingpong(&r);
        return 0;
    }
    for (unsigned i = 0; i < r.lane_count; i++) {
        const struct sl_bench_lane *lane = &r.lane[i];
        tell(bench, lane->name, "p50_ns", lane->p50_ns);
        tell(bench, lane->name, "p99_ns", lane->p99_ns);
        if (!lane->is_message)
            continue;
        tell(bench, lane->name, "raw_ratio", lane->raw_ratio);
        tell(bench, lane->name, "raw_payload_ratio", lane->raw_payload_ratio);
        if (strcmp(lane->name, "native") != 0)
            tell(bench, lane->name, "native_ratio", lane->native_ratio);
        if (strcmp(lane->name, "iceoryx_binding") == 0)
            sl_bench_figure(bench, "binding_native_ratio", lane->native_ratio, NULL);
    }
    return 0;
}

/* Fan-out. ------------------------------------------------------------------------------------- */

static const char *const crowd_names[] = {"", "reading", "sleeping", "relayed"};

static void print_fan_out(const struct sl_bench_fan_out *r)
{
    printf("Loaning and publishing 64 bytes (with one reading of the clock: %.0f ns)\n",
           r->clock_ns);
    printf("  %-40s %10s %10s %10s\n", "subscribers", "p50 ns", "mean ns", "/ one");
    for (unsigned i = 0; i < r->count; i++) {
        char who[64];
        int used = snprintf(who, sizeof who, "%u attached", r->fan[i].attached);
        if (r->fan[i].active > 0)
            snprintf(who + used, sizeof who - (size_t)used, ", %u of them %s", r->fan[i].active,
                     crowd_names[r->fan[i].crowd]);
        printf("  %-40s %10.1f %10.1f %10.2f\n", who, r->fan[i].p50_ns, r->fan[i].mean_ns,
               r->fan[i].p50_ns / r->fan[0].p50_ns);
    }
    printf("\n");
}

static int bench_fan_out(struct sl_bench *bench, const struct sl_bench_bus_options *bus)
{
    struct sl_bench_fan_out r;
    int err = sl_bench_bus_fan_out(bus, &r);
    if (err < 0)
        return err;
    if (!bench->as_json) {
        print_fan_out(&r);
        return 0;
    }
    sl_bench_figure(bench, "clock_ns", r.clock_ns, NULL);
    for (unsigned i = 0; i < r.count; i++) {
        char stem[64];
        int used = snprintf(stem, sizeof stem, "publish_%u_subscribers", r.fan[i].attached);
        if (r.fan[i].active > 0)
            snprintf(stem + used, sizeof stem - (size_t)used, "_%u_%s", r.fan[i].active,
                     crowd_names[r.fan[i].crowd]);
        tell(bench, stem, "ns", r.fan[i].p50_ns);
        tell(bench, stem, "mean_ns", r.fan[i].mean_ns);
    }
    return 0;
}

/* Waking. -------------------------------------------------------------------------------------- */

/* "100hz" or "hot" */
static const char *name_rate(unsigned hz, char to[16])
{
    snprintf(to, 16, hz ? "%uhz" : "hot", hz);
    return to;
}

static void print_wake(const struct sl_bench_wake *r)
{
    char rate[16];
    printf("From publish to the end of take in a process that slept, beside a plain futex\n");
    printf("  %-12s %10s %10s %12s %12s %9s\n", "rate", "p50 us", "p99 us", "futex p50",
           "futex p99", "p50 ratio");
    for (unsigned i = 0; i < SL_BENCH_RATES; i++)
        printf("  %-12s %10.1f %10.1f %12.1f %12.1f %9.2f\n", name_rate(r->rate[i].hz, rate),
               r->rate[i].p50_ns / 1e3, r->rate[i].p99_ns / 1e3, r->rate[i].futex_p50_ns / 1e3,
               r->rate[i].futex_p99_ns / 1e3, r->rate[i].p50_ns / r->rate[i].futex_p50_ns);
    char what[64];
    snprintf(what, sizeof what, "processor, asleep on %u topics without messages", r->idle_topics);
    print_bar(what, r->idle_cpu_percent, "%", "under 0.1 % of one");
    printf("\n");
}

static int bench_wake(struct sl_bench *bench, const struct sl_bench_bus_options *bus)
{
    struct sl_bench_wake r;
    int err = sl_bench_bus_wake(bus, &r);
    if (err < 0)
        return err;
    if (!bench->as_json) {
        print_wake(&r);
        return 0;
    }
    for (unsigned i = 0; i < SL_BENCH_RATES; i++) {
        char rate[16], stem[32];
        name_rate(r.rate[i].hz, rate);
        snprintf(stem, sizeof stem, "wake_%s", rate);
        tell(bench, stem, "p50_ns", r.rate[i].p50_ns);
        tell(bench, stem, "p99_ns", r.rate[i].p99_ns);
        tell(bench, stem, "futex_ratio", r.rate[i].p50_ns / r.rate[i].futex_p50_ns);
        snprintf(stem, sizeof stem, "futex_%s", rate);
        tell(bench, stem, "p50_ns", r.rate[i].futex_p50_ns);
        tell(bench, stem, "p99_ns", r.rate[i].futex_p99_ns);
    }
    char stem[32];
    snprintf(stem, sizeof stem, "idle_%u_topics", r.idle_topics);
    tell(bench, stem, "cpu_percent", r.idle_cpu_percent);
    return 0;
}

/* Batches. ------------------------------------------------------------------------------------- */

static int bench_batch(struct sl_bench *bench, const struct sl_bench_bus_options *bus)
{
    struct sl_bench_batch r;
    int err = sl_bench_bus_batch(bus, &r);
    if (err < 0)
        return err;
    if (!bench->as_json)
        printf("One notification for so many messages, to a process that sleeps\n"
               "  %-12s %14s %14s\n",
               "messages", "ns a message", "/ one of one");
    for (unsigned i = 0; i < SL_BENCH_BATCHES; i++) {
        char stem[32];
        snprintf(stem, sizeof stem, "batch_%u", r.batch[i].size);
        if (bench->as_json)
            tell(bench, stem, "ns", r.batch[i].ns);
        else
            printf("  %-12u %14.1f %14.3f\n", r.batch[i].size, r.batch[i].ns,
                   r.batch[i].ns / r.batch[0].ns);
    }
    return 0;
}

/* All of it. ----------------------------------------------------------------------------------- */

static const char *const part_names[] = {"pingpong", "fanout", "wake", "batch", NULL};
static int (*const parts[])(struct sl_bench *bench, const struct sl_bench_bus_options *bus) = {
    bench_pingpong,
    bench_fan_out,
    bench_wake,
    bench_batch,
};
enum {
    PARTS = sizeof parts / sizeof *parts
};

static void show_progress(const char *what, unsigned round, unsigned rounds)
{
    fprintf(stderr, "\r\033[K%s: %u of %u", what, round + 1, rounds);
}

static struct sl_bench_bus_options effort(void)
{
    struct sl_bench_bus_options bus = {
        .rounds = (unsigned)given.rounds,
        .iterations = (unsigned)given.iterations,
        .wake_ns = given.wake_ns,
    };
    if (given.quick) {
        bus.is_quick = true;
        bus.rounds = sl_options_given(&command, "rounds") ? bus.rounds : 1;
        bus.iterations = sl_options_given(&command, "iterations") ? bus.iterations : 500;
        bus.wake_ns = sl_options_given(&command, "wake") ? bus.wake_ns : 50000000;
        bus.idle_ns = 200000000;
    }
    if (isatty(STDERR_FILENO))
        bus.progress = show_progress;
    return bus;
}

static int run(void)
{
    struct sl_bench bench;
    struct sl_bench_bus_options bus = effort();
    unsigned chosen = 0;
    int err = sl_bench_choose(given.only, part_names, &chosen);
    if (err < 0) {
        fprintf(stderr, "sluice bench bus: %s\n", sl_error_text());
        return SL_EXIT_USAGE;
    }
    sl_bench_begin(&bench, command.name);
    if (chosen & 1u) {
        bus.with_iceoryx = bus_roudi_open() == 0;
        if (!bus.with_iceoryx)
            fprintf(stderr, "sluice: no figures of iceoryx: %s\n", sl_error_text());
    }
    for (unsigned i = 0; i < PARTS && err == 0; i++) {
        if (!(chosen & 1u << i))
            continue;
        err = parts[i](&bench, &bus);
        if (bus.progress)
            fprintf(stderr, "\r\033[K");
        fflush(stdout); /* the next part forks */
    }
    bus_roudi_close();
    if (err == 0)
        sl_bench_end(&bench);
    return err;
}

const struct sl_tool sl_tool_bench_bus = {.name = "bench bus", .command = &command, .run = run};
