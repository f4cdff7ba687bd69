/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_bench_dds.c - sluice bench dds: the bridge beside Cyclone DDS itself. */
#include "core/base/error.h"
#include "tests/bench/dds_bench.h"
#include "tools/bench.h"
#include "tools/tool.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct dds_options {
    int64_t rounds;
    bool quick;
    const char *only;
} given;

static const struct sl_option options[] = {
    {.name = "rounds",
     .kind = SL_OPTION_INT,
     .offset = offsetof(struct dds_options, rounds),
     .value = "N",
     .fallback = "7",
     .min = 1,
     .max = 101,
     .help = "Interleaved repetitions, of which medians are told"},
    {.name = "only",
     .kind = SL_OPTION_TEXT,
     .offset = offsetof(struct dds_options, only),
     .value = "SIZES",
     .help = "Some of 1k (with the latency), 64k, 1m, 8m, 8m_best_effort; such as 1k,8m"},
    {.name = "quick",
     .kind = SL_OPTION_FLAG,
     .offset = offsetof(struct dds_options, quick),
     .help = "One round of little: does all of it work? Its figures mean nothing"},
};

static const struct sl_command command = {
    .name = "sluice bench dds",
    .summary = "What the DDS bridge carries, beside ddsperf and a writer that serialises",
    .details = "Clouds of 1 kB to 8 MB from a publisher of the bus through dds_bridge to a reader\n"
               "of Cyclone DDS in a process of its own, beside Cyclone's ddsperf (Debian:\n"
               "cyclonedds-tools) and beside a writer of Cyclone DDS that serialises the same\n"
               "clouds; all reliable, at 8 MB once more best effort, on the loopback interface,\n"
               "with one configuration. Then the latency that the bridge adds. docs/bench.md tells "
               "what each figure means. The\n"
               "machine should be idle.",
    .example = "sluice bench dds --json        # for a program to read",
    .tables = {SL_TABLE_BENCH, {"Effort", options, sizeof options / sizeof *options, &given}},
};

static void show_progress(const char *what, unsigned round, unsigned rounds)
{
    fprintf(stderr, "\r\033[K%s: %u of %u", what, round + 1, rounds);
}

/* "<who>_<size>_<what>" */
static void tell(struct sl_bench *bench, const char *who, const char *size, const char *what,
                 double value, const char *bar)
{
    char key[64];
    snprintf(key, sizeof key, "%s_%s_%s", who, size, what);
    sl_bench_figure(bench, key, value, bar);
}

static void tell_flow(struct sl_bench *bench, const char *who, const char *size,
                      const struct sl_bench_dds_flow *flow)
{
    tell(bench, who, size, "samples_per_s", flow->messages_per_s, NULL);
    tell(bench, who, size, "mb_per_s", flow->mb_per_s, NULL);
    if (flow->cpu_us_per_mb > 0)
        tell(bench, who, size, "cpu_us_per_mb", flow->cpu_us_per_mb, NULL);
}

static void tell_all(struct sl_bench *bench, const struct sl_bench_dds *r)
{
    for (unsigned i = 0; i < SL_BENCH_DDS_SIZES; i++) {
        const char *size = r->size[i].name;
        if (!size)
            continue;
        bool is_largest = strcmp(size, "8m") == 0, loses = i + 1 == SL_BENCH_DDS_SIZES;
        tell_flow(bench, "bridge", size, &r->size[i].bridge);
        tell_flow(bench, "typed_writer", size, &r->size[i].typed);
        tell(bench, "typed_writer", size, "rate_ratio", r->size[i].typed_ratio, NULL);
        tell(bench, "typed_writer", size, "cpu_ratio", r->size[i].cpu_ratio,
             is_largest ? "at most 0.6" : NULL);
        if (!r->has_ddsperf)
            continue;
        tell_flow(bench, "ddsperf", size, &r->size[i].ddsperf);
        tell(bench, "ddsperf", size, "rate_ratio", r->size[i].ddsperf_ratio,
             loses    ? NULL
             : i == 0 ? "at least 0.6"
                      : "at least 0.9");
    }
    if (!r->size[0].name)
        return;
    sl_bench_figure(bench, "bridged_latency_1k_us", r->bridged_us, NULL);
    sl_bench_figure(bench, "direct_latency_1k_us", r->direct_us, NULL);
    sl_bench_figure(bench, "added_latency_1k_us", r->added_us, "at most futex_wake_us + 15");
    sl_bench_figure(bench, "futex_wake_us", r->futex_us, NULL);
}

static int run(void)
{
    struct sl_bench bench;
    struct sl_bench_dds result;
    struct sl_bench_dds_options dds = {.rounds = (unsigned)given.rounds};
    int err = sl_bench_choose(given.only, sl_bench_dds_sizes, &dds.chosen);
    if (err < 0)
        return err;
    if (given.quick) {
        dds.rounds = sl_options_given(&command, "rounds") ? dds.rounds : 1;
        dds.window_ns = 50 * 1000 * 1000;
    }
    if (isatty(STDERR_FILENO))
        dds.progress = show_progress;
    sl_bench_begin(&bench, command.name);
    err = sl_bench_dds(&dds, &result);
    if (dds.progress)
        fprintf(stderr, "\r\033[K");
    if (err < 0)
        return err;
    if (!result.has_ddsperf)
        fprintf(stderr, "sluice bench dds: ddsperf is not here (Debian: cyclonedds-tools): not "
                        "compared with it\n");
    tell_all(&bench, &result);
    sl_bench_end(&bench);
    return 0;
}

const struct sl_tool sl_tool_bench_dds = {.name = "bench dds", .command = &command, .run = run};
