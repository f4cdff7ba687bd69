/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_bench_pollution.c - sluice bench pollution: what frames do to the caches of whatever runs
 * beside them. */
#include "core/base/error.h"
#include "core/uncached/stream.h"
#include "tests/bench/pollution_bench.h"
#include "tools/bench.h"
#include "tools/tool.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct pollution_options {
    int64_t rounds;
    uint64_t pool_bytes;
    bool quick, realtime;
    const char *only, *behind;
} given;

static const struct sl_option options[] = {
    {.name = "only",
     .kind = SL_OPTION_TEXT,
     .offset = offsetof(struct pollution_options, only),
     .value = "PART,...",
     .help = "Of primitives, llc, threshold, flow; all if it is not given"},
    {.name = "rounds",
     .kind = SL_OPTION_INT,
     .offset = offsetof(struct pollution_options, rounds),
     .value = "N",
     .fallback = "15",
     .min = 1,
     .max = 101,
     .help = "Interleaved repetitions, of which medians are told"},
    {.name = "pool",
     .kind = SL_OPTION_SIZE,
     .offset = offsetof(struct pollution_options, pool_bytes),
     .value = "BYTES",
     .fallback = "256M",
     .min = 16 << 20,
     .max = 1e11,
     .help = "Memory that the frames go round in: several times the last-level cache"},
    {.name = "behind",
     .kind = SL_OPTION_TEXT,
     .offset = offsetof(struct pollution_options, behind),
     .value = "NAME",
     .help = "How lines that were read are let go: clflushopt, cldemote, none"},
    {.name = "realtime",
     .kind = SL_OPTION_FLAG,
     .offset = offsetof(struct pollution_options, realtime),
     .help = "Flows run before everything else (SCHED_FIFO): for a machine that is not idle"},
    {.name = "quick",
     .kind = SL_OPTION_FLAG,
     .offset = offsetof(struct pollution_options, quick),
     .help = "One round of little: does all of it work? Its figures mean nothing"},
};

static const struct sl_command command = {
    .name = "sluice bench pollution",
    .summary = "How much slower a neighbour becomes beside frames, plain and streamed",
    .details =
        "A victim follows pointers through memory that its cache holds; beside it frames are\n"
        "written and read, plainly and past the caches. docs/pollution.md tells what each figure\n"
        "means. The machine should be idle.",
    .example = "sluice bench pollution --only primitives --json > pollution.json",
    .tables = {SL_TABLE_BENCH, {"Effort", options, sizeof options / sizeof *options, &given}},
};

/* "read_stream", "_2m" and "slowdown_ratio" to a figure of that name, in JSON. */
static void tell(struct sl_bench *bench, const char *stem, const char *size, const char *unit,
                 double value)
{
    char key[96];
    snprintf(key, sizeof key, "%s%s_%s", stem, size, unit);
    sl_bench_figure(bench, key, value, NULL);
}

/* One after the other, for people. */
static void print_bar(const char *what, double value, const char *bar)
{
    printf("  %-56s %8.3g  (%s)\n", what, value, bar);
}

/* The primitives. ------------------------------------------------------------------------------ */

static double slowdown_of(const struct sl_bench_pollution_primitives *r, const char *name)
{
    return sl_bench_pollution_find(r, name)->slowdown_ratio;
}

static double speed_of(const struct sl_bench_pollution_primitives *r, const char *name)
{
    return sl_bench_pollution_find(r, name)->speed_ratio;
}

static void print_bars(const struct sl_bench_pollution_primitives *r)
{
    print_bar("slowdown by writing with memcpy", slowdown_of(r, "write_memcpy"), "at least 3");
    print_bar("slowdown by writing streamed", slowdown_of(r, "write_stream"), "at most 1.10");
    print_bar("speed of that / memcpy's", speed_of(r, "write_stream"), "at least 1.5");
    print_bar("slowdown by a full pass streamed", slowdown_of(r, "read_stream"), "at most 1.35");
    print_bar("speed of that / a plain pass's", speed_of(r, "read_stream"), "at least 0.45");
    print_bar("slowdown by looking at a line of 4 kB", slowdown_of(r, "inspect"), "at most 1.25");
    printf("\n");
}

static void print_primitives(const struct sl_bench_pollution_primitives *r)
{
    printf("Frames of %.0f MB beside a victim of %.0f kB (%.2f ns a step) on the same core\n"
           "  %-24s %9s %17s %9s %9s %9s\n",
           (double)r->frame_bytes / 1048576, (double)r->victim_bytes / 1024, r->victim_ns, "",
           "slowdown", "quartiles", "GB/s", "gain", "speed");
    for (unsigned i = 0; i < r->lane_count; i++) {
        const struct sl_bench_pollution_lane *lane = &r->lane[i];
        printf("  %-24s %9.2f %8.2f %8.2f", lane->name, lane->slowdown_ratio,
               lane->slowdown_low_ratio, lane->slowdown_high_ratio);
        if (lane->bytes_per_s > 0)
            printf(" %9.1f", lane->bytes_per_s / 1e9);
        if (lane->peer)
            printf(" %9.2f %9.2f", lane->gain_ratio, lane->speed_ratio);
        printf("\n");
    }
    printf("\n");
}

static void tell_primitives(struct sl_bench *bench, const char *size,
                            const struct sl_bench_pollution_primitives *r)
{
    tell(bench, "primitives_frame", size, "bytes", (double)r->frame_bytes);
    tell(bench, "primitives_victim", size, "bytes", (double)r->victim_bytes);
    tell(bench, "primitives_victim_step", size, "ns", r->victim_ns);
    for (unsigned i = 0; i < r->lane_count; i++) {
        const struct sl_bench_pollution_lane *lane = &r->lane[i];
        tell(bench, lane->name, size, "slowdown_ratio", lane->slowdown_ratio);
        tell(bench, lane->name, size, "slowdown_low_ratio", lane->slowdown_low_ratio);
        tell(bench, lane->name, size, "slowdown_high_ratio", lane->slowdown_high_ratio);
        if (lane->bytes_per_s > 0)
            tell(bench, lane->name, size, "bytes_per_s", lane->bytes_per_s);
        if (!lane->peer)
            continue;
        tell(bench, lane->name, size, "gain_ratio", lane->gain_ratio);
        tell(bench, lane->name, size, "speed_ratio", lane->speed_ratio);
    }
}

static int bench_primitives(struct sl_bench *bench, const struct sl_bench_pollution_options *effort)
{
    /* frames of 8 MB beside half of the second-level cache need no name */
    static const char *const sizes[SL_BENCH_POLLUTION_SIZES] = {"", "_2m", "_three_quarters",
                                                                "_2m_three_quarters"};
    struct sl_bench_pollution_primitives r[SL_BENCH_POLLUTION_SIZES];
    int err = sl_bench_pollution_primitives(effort, r);
    if (err < 0)
        return err;
    sl_bench_text(bench, "stream_variant", sl_stream_variant());
    sl_bench_text(bench, "stream_behind", sl_stream_behind());
    if (!bench->as_json)
        printf("\n");
    for (unsigned i = 0; i < SL_BENCH_POLLUTION_SIZES; i++) {
        if (bench->as_json)
            tell_primitives(bench, sizes[i], &r[i]);
        else
            print_primitives(&r[i]);
        if (i == 0 && !bench->as_json)
            print_bars(&r[i]);
    }
    return 0;
}

/* Another core. -------------------------------------------------------------------------------- */

static int bench_llc(struct sl_bench *bench, const struct sl_bench_pollution_options *effort)
{
    struct sl_bench_pollution_llc r;
    int err = sl_bench_pollution_llc(effort, &r);
    if (err == -ENODEV) {
        fprintf(stderr, "sluice: no figures of a victim on another core: %s\n", sl_error_text());
        return 0;
    }
    if (err < 0)
        return err;
    if (bench->as_json) {
        tell(bench, "llc_victim", "", "bytes", (double)r.victim_bytes);
        tell(bench, "llc_victim_step", "", "ns", r.victim_ns);
    } else {
        printf("Frames of %.0f MB without a pause, beside a victim of %.1f MB (%.1f ns a step) on "
               "another core\n  %-24s %9s %9s\n",
               (double)r.frame_bytes / 1048576, (double)r.victim_bytes / 1048576, r.victim_ns, "",
               "slowdown", "GB/s");
    }
    for (unsigned i = 0; i < r.lane_count; i++) {
        char stem[64];
        snprintf(stem, sizeof stem, "llc_%s", r.lane[i].name);
        if (bench->as_json) {
            tell(bench, stem, "", "slowdown_ratio", r.lane[i].slowdown_ratio);
            tell(bench, stem, "", "bytes_per_s", r.lane[i].bytes_per_s);
        } else {
            printf("  %-24s %9.2f %9.1f\n", r.lane[i].name, r.lane[i].slowdown_ratio,
                   r.lane[i].bytes_per_s / 1e9);
        }
    }
    if (!bench->as_json)
        printf("\n");
    return 0;
}

/* The threshold. ------------------------------------------------------------------------------- */

static int bench_threshold(struct sl_bench *bench, const struct sl_bench_pollution_options *effort)
{
    struct sl_bench_pollution_threshold r;
    int err = sl_bench_pollution_threshold(effort, &r);
    if (err < 0)
        return err;
    if (!bench->as_json)
        printf("One payload written and read on a core, and what its victim of %.0f kB loses, us\n"
               "  (its own pass: %.1f us)\n  %-12s %10s %10s %12s %12s\n",
               (double)r.victim_bytes / 1024, r.victim_ns / 1e3, "payload kB", "cached", "(victim)",
               "streamed", "(victim)");
    for (unsigned i = 0; i < r.step_count; i++) {
        char stem[64];
        snprintf(stem, sizeof stem, "threshold_%uk", (unsigned)(r.step[i].payload_bytes / 1024));
        if (bench->as_json) {
            tell(bench, stem, "", "cached_ns", r.step[i].cached_ns);
            tell(bench, stem, "_cached", "victim_ns", r.step[i].cached_victim_ns);
            tell(bench, stem, "_stream", "victim_ns", r.step[i].stream_victim_ns);
            tell(bench, stem, "", "stream_ns", r.step[i].stream_ns);
            continue;
        }
        printf("  %-12u %10.2f %10.2f %12.2f %12.2f\n", (unsigned)(r.step[i].payload_bytes / 1024),
               r.step[i].cached_ns / 1e3, r.step[i].cached_victim_ns / 1e3,
               r.step[i].stream_ns / 1e3, r.step[i].stream_victim_ns / 1e3);
    }
    sl_bench_figure(bench, "threshold_bytes", (double)r.threshold_bytes,
                    "cached, it costs the victim 5 % or more");
    sl_bench_figure(bench, "break_even_bytes", (double)r.break_even_bytes,
                    "cached, it costs more in all");
    sl_bench_figure(bench, "threshold_used_bytes", SL_STREAM_MIN_BYTES, "SL_STREAM_MIN_BYTES");
    if (!bench->as_json)
        printf("\n");
    return 0;
}

/* Whole flows. --------------------------------------------------------------------------------- */

/* "flow_camera_4k_reader" and "cached" to figures of these names, in JSON. */
static void tell_beside(struct sl_bench *bench, const char *stem, const char *way,
                        const struct sl_bench_pollution_beside *b)
{
    char key[96];
    snprintf(key, sizeof key, "%s_%s", stem, way);
    if (b->slowdown_ratio > 0) {
        tell(bench, key, "", "slowdown_ratio", b->slowdown_ratio);
        tell(bench, key, "", "throughput_ratio", b->throughput_ratio);
    }
    if (b->bytes_per_s > 0)
        tell(bench, key, "", "bytes_per_s", b->bytes_per_s);
}

static void print_flows(const struct sl_bench_pollution_flow *r)
{
    printf("A victim process of %.0f kB on the processor of a driver or its reader: slowdown by a "
           "frame,\nthroughput of all its processor time, GB/s of its neighbour meanwhile\n"
           "  %-22s %8s | %8s %6s %5s | %8s %6s %5s | %6s\n",
           (double)r->victim_bytes / 1024, "", "untouched", "cached", "", "", "streamed", "", "",
           "gain");
    for (unsigned i = 0; i < r->flow_count; i++) {
        const struct sl_bench_pollution_beside *c = &r->flow[i].cached, *s = &r->flow[i].stream;
        char name[64];
        snprintf(name, sizeof name, "%s, %s", r->flow[i].name,
                 r->flow[i].is_at_reader ? "reader" : "driver");
        printf("  %-22s %8.2f | %8.2f %6.3f %5.1f | %8.2f %6.3f %5.1f | %6.2f\n", name,
               r->flow[i].empty.slowdown_ratio, c->slowdown_ratio, c->throughput_ratio,
               c->bytes_per_s / 1e9, s->slowdown_ratio, s->throughput_ratio, s->bytes_per_s / 1e9,
               r->flow[i].gain_ratio);
    }
    printf("\n");
}

static int bench_flow(struct sl_bench *bench, const struct sl_bench_pollution_options *effort)
{
    struct sl_bench_pollution_flow r;
    int err = pollution_flow_run(effort, &r);
    if (err == -ENODEV) {
        fprintf(stderr, "sluice: no figures of whole flows: %s\n", sl_error_text());
        return 0;
    }
    if (err < 0)
        return err;
    if (r.huge_bytes > 0)
        fprintf(stderr,
                "sluice: no flow with slots in huge pages: set %.0f MB of them aside "
                "(sysctl vm.nr_hugepages)\n",
                (double)r.huge_bytes / 1e6);
    if (!bench->as_json) {
        print_flows(&r);
        return 0;
    }
    tell(bench, "flow_victim", "", "bytes", (double)r.victim_bytes);
    for (unsigned i = 0; i < r.flow_count; i++) {
        char stem[64];
        snprintf(stem, sizeof stem, "flow_%s%s", r.flow[i].name,
                 r.flow[i].is_at_reader ? "_reader" : "");
        tell(bench, stem, "_victim_pass", "ns", r.flow[i].victim_ns);
        tell_beside(bench, stem, "empty", &r.flow[i].empty);
        tell_beside(bench, stem, "cached", &r.flow[i].cached);
        tell_beside(bench, stem, "stream", &r.flow[i].stream);
        tell(bench, stem, "", "gain_ratio", r.flow[i].gain_ratio);
    }
    return 0;
}

/* All of it. ----------------------------------------------------------------------------------- */

static const char *const part_names[] = {"primitives", "llc", "threshold", "flow", NULL};
static int (*const parts[])(struct sl_bench *bench,
                            const struct sl_bench_pollution_options *effort) = {
    bench_primitives,
    bench_llc,
    bench_threshold,
    bench_flow,
};
enum {
    PARTS = sizeof parts / sizeof *parts
};

static void show_progress(const char *what, unsigned round, unsigned rounds)
{
    fprintf(stderr, "\r\033[K%s: %u of %u", what, round + 1, rounds);
}

static int run(void)
{
    struct sl_bench bench;
    struct sl_bench_pollution_options effort = {
        .rounds = sl_options_given(&command, "rounds") || !given.quick ? (unsigned)given.rounds : 0,
        .pool_bytes = sl_options_given(&command, "pool") ? given.pool_bytes : 0,
        .is_quick = given.quick,
        .is_realtime = given.realtime,
        .progress = isatty(STDERR_FILENO) ? show_progress : NULL,
    };
    unsigned chosen = 0;
    int err = sl_bench_choose(given.only, part_names, &chosen);
    if (err == 0)
        err = sl_stream_use_behind(given.behind);
    if (err < 0) {
        fprintf(stderr, "sluice bench pollution: %s\n", sl_error_text());
        return SL_EXIT_USAGE;
    }
    sl_bench_begin(&bench, command.name);
    for (unsigned i = 0; i < PARTS && err == 0; i++) {
        if (!(chosen & 1u << i))
            continue;
        err = parts[i](&bench, &effort);
        if (effort.progress)
            fprintf(stderr, "\r\033[K");
        fflush(stdout); /* the next part may fork */
    }
    if (err == 0)
        sl_bench_end(&bench);
    return err;
}

const struct sl_tool sl_tool_bench_pollution = {
    .name = "bench pollution", .command = &command, .run = run};
