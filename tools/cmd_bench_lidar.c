/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_bench_lidar.c - sluice bench lidar: packets to points in a slot, measured. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>

#include "core/base/error.h"
#include "tests/bench/lidar_bench.h"
#include "tests/bench/lidar_latency.h"
#include "tools/bench.h"
#include "tools/tool.h"

#define KEY_MAX 64
#define NICE    (-20) /* what the docs advise */

#define QUICK_TURNS      2
#define QUICK_FRAMES     20
#define QUICK_FLOW_BYTES 30000000

static struct lidar_options {
    const char *only;
    bool quick;
} given;

static const struct sl_option choices[] = {
    {.name = "only",
     .kind = SL_OPTION_TEXT,
     .offset = offsetof(struct lidar_options, only),
     .value = "PART,...",
     .help = "Of latency, loaded, block, ouster, simd, models, flow; all if it is not given"},
    {.name = "quick",
     .kind = SL_OPTION_FLAG,
     .offset = offsetof(struct lidar_options, quick),
     .help = "As little as there can be: does all of it work? Its figures mean nothing"},
};

static const struct sl_command command = {
    .name = "sluice bench lidar",
    .summary = "How fast packets become points in a pool, and how soon others see them",
    .details =
        "Decoding beside filling the same memory; a turn's last packet, from the socket, to its\n"
        "publishing and to a process that polls, and to eight that sleep while every processor is\n"
        "busy (with a nice value and with SCHED_FIFO too, where these are permitted); a capture\n"
        "through the whole driver beside reading and decoding alone; and a sensor of each kernel\n"
        "by each instruction set that the processor has. Takes about two minutes; the machine\n"
        "should be idle. Figures that are compared are medians over interleaved pairs of one run.",
    .example = "sluice bench lidar --json        # for a program to read",
    .tables = {{"What is measured", choices, 2, &given}, SL_TABLE_BENCH},
};

static int measure(struct sl_bench_lidar_options options, struct sl_bench_lidar_result *ret_result)
{
    options.turns = given.quick ? QUICK_TURNS : 0;
    return sl_bench_lidar_decode_with(&options, ret_result);
}

static int measure_latency(struct sl_bench_lidar_latency_options options,
                           struct sl_bench_lidar_latency_result *ret_result)
{
    options.frames = given.quick ? QUICK_FRAMES : 0;
    return sl_bench_lidar_latency(&options, ret_result);
}

static int tell_block(struct sl_bench *bench)
{
    struct sl_bench_lidar_result decode;
    int err = measure((struct sl_bench_lidar_options){0}, &decode);
    if (err < 0)
        return err;
    sl_bench_text(bench, "block_kernel", lidar_simd_names[decode.simd]);
    sl_bench_text(bench, "stream_variant", decode.stream);
    sl_bench_figure(bench, "pairs_count", decode.pairs, NULL);
    sl_bench_figure(bench, "region_bytes", (double)decode.region_bytes, NULL);
    sl_bench_figure(bench, "block_points_per_s", decode.decode_points_per_s, "at least 500 M");
    sl_bench_figure(bench, "block_bytes_per_s", decode.decode_bytes_per_s, NULL);
    sl_bench_figure(bench, "fill_bytes_per_s", decode.fill_bytes_per_s, NULL);
    sl_bench_figure(bench, "block_fill_rate_ratio", decode.decode_fill_rate_ratio, "at least 0.5");
    return 0;
}

static void make_key(char key[KEY_MAX], const char *model, const char *unit)
{
    snprintf(key, KEY_MAX, "%s_%s", model, unit);
    for (char *c = key; *c; c++)
        *c = *c == '-' ? '_' : *c;
}

/* Every other sensor of blocks: "vls_128_points_per_s", "vls_128_fill_rate_ratio" ... */
static int tell_models(struct sl_bench *bench)
{
    for (const char *const *model = sl_bench_lidar_models; *model; model++) {
        struct sl_bench_lidar_options options = {.model = *model};
        struct sl_bench_lidar_result decode;
        char points[KEY_MAX], ratio[KEY_MAX];
        int err = measure(options, &decode);
        if (err < 0)
            return err;
        make_key(points, *model, "points_per_s");
        make_key(ratio, *model, "fill_rate_ratio");
        sl_bench_figure(bench, points, decode.decode_points_per_s, NULL);
        sl_bench_figure(bench, ratio, decode.decode_fill_rate_ratio, NULL);
    }
    return 0;
}

static int tell_ouster(struct sl_bench *bench)
{
    static const struct {
        unsigned returns;
        const char *points, *bytes, *ratio;
    } streams[] = {
        {1, "ouster_points_per_s", "ouster_bytes_per_s", "ouster_fill_rate_ratio"},
        {2, "ouster_dual_points_per_s", "ouster_dual_bytes_per_s", "ouster_dual_fill_rate_ratio"},
    };
    for (unsigned i = 0; i < sizeof streams / sizeof *streams; i++) {
        struct sl_bench_lidar_options options = {.is_ouster = 1, .returns = streams[i].returns};
        struct sl_bench_lidar_result decode;
        int err = measure(options, &decode);
        if (err < 0)
            return err;
        sl_bench_figure(bench, streams[i].points, decode.decode_points_per_s, "at least 500 M");
        sl_bench_figure(bench, streams[i].bytes, decode.decode_bytes_per_s, NULL);
        sl_bench_figure(bench, streams[i].ratio, decode.decode_fill_rate_ratio, "at least 0.5");
    }
    return 0;
}

/* A sensor of each kernel by each instruction set: "block_sse2_points_per_s" ... */
static int tell_simd(struct sl_bench *bench)
{
    static const struct {
        const char *name;
        struct sl_bench_lidar_options options;
    } kernels[] = {
        {"block", {0}},
        {"beams", {.model = "helios"}},
        {"ouster", {.is_ouster = 1}},
        {"list", {.model = "mid-360"}},
    };
    for (unsigned i = 0; i < sizeof kernels / sizeof *kernels; i++) {
        for (enum lidar_simd simd = LIDAR_SIMD_SCALAR; simd < LIDAR_SIMDS; simd++) {
            struct sl_bench_lidar_options one = kernels[i].options;
            struct sl_bench_lidar_result decode;
            char key[KEY_MAX];
            one.simd = simd;
            if (!lidar_simd_is_supported(simd))
                continue;
            int err = measure(one, &decode);
            if (err < 0)
                return err;
            snprintf(key, KEY_MAX, "%s_%s_points_per_s", kernels[i].name, lidar_simd_names[simd]);
            sl_bench_figure(bench, key, decode.decode_points_per_s, NULL);
            snprintf(key, KEY_MAX, "%s_%s_fill_rate_ratio", kernels[i].name,
                     lidar_simd_names[simd]);
            sl_bench_figure(bench, key, decode.decode_fill_rate_ratio, NULL);
        }
    }
    return 0;
}

static int tell_latency(struct sl_bench *bench)
{
    struct sl_bench_lidar_latency_result latency;
    int err = measure_latency((struct sl_bench_lidar_latency_options){0}, &latency);
    if (err < 0)
        return err;
    sl_bench_figure(bench, "latency_frames_count", latency.frames, NULL);
    sl_bench_figure(bench, "turns_per_s", latency.turns_per_s, NULL);
    sl_bench_figure(bench, "packet_to_publish_p50_us", latency.packet_to_publish_p50_us, NULL);
    sl_bench_figure(bench, "packet_to_publish_p99_us", latency.packet_to_publish_p99_us,
                    "under 50");
    sl_bench_figure(bench, "packet_to_visible_p50_us", latency.packet_to_visible_p50_us, NULL);
    sl_bench_figure(bench, "packet_to_visible_p99_us", latency.packet_to_visible_p99_us,
                    "under 50");
    return 0;
}

/* Eight sleep, every processor is busy. From the packet in hand, which is what the bars are for,
 * and from its arrival, so that the driver's own waiting for a processor shows. */
static int tell_loaded_with(struct sl_bench *bench,
                            const struct sl_bench_lidar_latency_options *options, const char *how,
                            const char *bar, struct sl_bench_lidar_latency_result *latency)
{
    char key[KEY_MAX];
    int err = measure_latency(*options, latency);
    if (err == -EPERM) {
        fprintf(stderr, "%s: no figures of '%s': %s\n", command.name, how, sl_error_text());
        return err;
    }
    if (err < 0)
        return err;
    snprintf(key, sizeof key, "packet_to_publish_%s_p50_us", how);
    sl_bench_figure(bench, key, latency->packet_to_publish_p50_us, NULL);
    snprintf(key, sizeof key, "packet_to_publish_%s_p99_us", how);
    sl_bench_figure(bench, key, latency->packet_to_publish_p99_us, bar);
    snprintf(key, sizeof key, "arrival_to_publish_%s_p99_us", how);
    sl_bench_figure(bench, key, latency->arrival_to_publish_p99_us, NULL);
    return 0;
}

static int tell_loaded(struct sl_bench *bench)
{
    static const struct {
        const char *how, *bar;
        int is_relayed, nice;
    } lanes[] = {{"loaded", NULL, 1, 0},
                 {"unrelayed", NULL, 0, 0},
                 {"nice", "under 100", 1, NICE},
                 {"nice_unrelayed", NULL, 0, NICE}};
    struct sl_bench_lidar_latency_options options = {.sleepers = 8, .is_loaded = 1};
    struct sl_bench_lidar_latency_result latency;
    int err;
    for (size_t i = 0; i < sizeof lanes / sizeof *lanes; i++) {
        options.is_relayed = lanes[i].is_relayed;
        options.nice = lanes[i].nice;
        err = tell_loaded_with(bench, &options, lanes[i].how, lanes[i].bar, &latency);
        if (err < 0 && err != -EPERM)
            return err;
    }
    options.is_relayed = options.nice = 0;
    options.is_fifo = 1;
    err = tell_loaded_with(bench, &options, "fifo", NULL, &latency);
    if (err < 0)
        return err == -EPERM ? 0 : err;
    sl_bench_figure(bench, "packet_to_visible_loaded_p50_us", latency.packet_to_visible_p50_us,
                    NULL);
    sl_bench_figure(bench, "packet_to_visible_loaded_p99_us", latency.packet_to_visible_p99_us,
                    "under 200");
    return 0;
}

static int tell_flow(struct sl_bench *bench)
{
    const struct sl_bench_lidar_flow_options options = {.bytes =
                                                            given.quick ? QUICK_FLOW_BYTES : 0};
    struct sl_bench_lidar_flow_result flow;
    int err = sl_bench_lidar_flow(&options, &flow);
    if (err < 0)
        return err;
    sl_bench_figure(bench, "capture_bytes", (double)flow.bytes, NULL);
    sl_bench_figure(bench, "capture_flow_bytes_per_s", flow.capture_flow_bytes_per_s, NULL);
    sl_bench_figure(bench, "capture_alone_bytes_per_s", flow.capture_alone_bytes_per_s, NULL);
    sl_bench_figure(bench, "capture_flow_ratio", flow.capture_flow_ratio, "at most 1.3");
    return 0;
}

/* Those that fork before those that have threads. */
static const char *const part_names[] = {"latency", "loaded", "block", "ouster",
                                         "simd",    "models", "flow",  NULL};
static int (*const parts[])(struct sl_bench *bench) = {
    tell_latency, tell_loaded, tell_block, tell_ouster, tell_simd, tell_models, tell_flow,
};

static int run(void)
{
    struct sl_bench bench;
    unsigned chosen = 0;
    int err = sl_bench_choose(given.only, part_names, &chosen);
    if (err < 0) {
        fprintf(stderr, "%s: %s\n", command.name, sl_error_text());
        return SL_EXIT_USAGE;
    }
    sl_bench_begin(&bench, command.name);
    for (unsigned i = 0; err == 0 && i < sizeof parts / sizeof *parts; i++) {
        fflush(stdout); /* a part may fork */
        if (chosen & 1u << i)
            err = parts[i](&bench);
    }
    if (err < 0)
        return err;
    sl_bench_end(&bench);
    return 0;
}

const struct sl_tool sl_tool_bench_lidar = {.name = "bench lidar", .command = &command, .run = run};
