/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_bench_lidar.c - sluice bench lidar: packets to points in a slot, measured. */
#include "tests/bench/lidar_bench.h"
#include "tools/bench.h"
#include "tools/tool.h"

static const struct sl_command command = {
    .name = "sluice bench lidar",
    .summary = "How fast packets become points in a pool, beside how fast memory can be filled",
    .details =
        "Takes some seconds; the machine should be idle. Figures that are compared are medians\n"
        "over interleaved pairs of one run.",
    .example = "sluice bench lidar --json        # for a program to read",
    .tables = {SL_TABLE_BENCH},
};

static int run(void)
{
    struct sl_bench bench;
    struct sl_bench_lidar_result decode;
    sl_bench_begin(&bench, command.name);
    int err = sl_bench_lidar_decode(&decode);
    if (err < 0)
        return err;
    sl_bench_text(&bench, "decode_kernel", decode.kernel);
    sl_bench_text(&bench, "stream_variant", decode.stream);
    sl_bench_figure(&bench, "pairs_count", decode.pairs, NULL);
    sl_bench_figure(&bench, "region_bytes", (double)decode.region_bytes, NULL);
    sl_bench_figure(&bench, "decode_points_per_s", decode.decode_points_per_s, "at least 500 M");
    sl_bench_figure(&bench, "decode_bytes_per_s", decode.decode_bytes_per_s, NULL);
    sl_bench_figure(&bench, "fill_bytes_per_s", decode.fill_bytes_per_s, NULL);
    sl_bench_figure(&bench, "decode_fill_rate_ratio", decode.decode_fill_rate_ratio,
                    "at least 0.5");
    sl_bench_end(&bench);
    return 0;
}

const struct sl_tool sl_tool_bench_lidar = {.name = "bench lidar", .command = &command, .run = run};
