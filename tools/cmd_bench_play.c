/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_bench_play.c - sluice bench play: the player beside plain reading. */
#include "core/base/error.h"
#include "tests/bench/log_bench.h"
#include "tools/bench.h"
#include "tools/tool.h"

#include <stdio.h>
#include <unistd.h>

static struct play_options {
    int64_t rounds, frames;
    bool quick;
    const char *folder;
} given;

static const struct sl_option options[] = {
    {.name = "folder",
     .kind = SL_OPTION_TEXT,
     .offset = offsetof(struct play_options, folder),
     .value = "FOLDER",
     .fallback = "/tmp",
     .help = "Where the log is written, and removed again"},
    {.name = "rounds",
     .kind = SL_OPTION_INT,
     .offset = offsetof(struct play_options, rounds),
     .value = "N",
     .fallback = "11",
     .min = 1,
     .max = 101,
     .help = "Interleaved repetitions, of which medians are told"},
    {.name = "frames",
     .kind = SL_OPTION_INT,
     .offset = offsetof(struct play_options, frames),
     .value = "N",
     .fallback = "256",
     .min = 2,
     .max = 1e6,
     .help = "Of 4 MiB, in the log; it should fit into the page cache"},
    {.name = "quick",
     .kind = SL_OPTION_FLAG,
     .offset = offsetof(struct play_options, quick),
     .help = "One round of little: does all of it work? Its figures mean nothing"},
};

static const struct sl_command command = {
    .name = "sluice bench play",
    .summary = "How fast a log is played, beside plain reading of the same bytes",
    .details = "The player on one processor, as fast as a subscriber that reads every message on\n"
               "another lets it. One log is written, 1.1 GB as it is called without options, and\n"
               "read from the page cache; then a ROS 1 bag of the same messages, which ROS's own\n"
               "library reads as well, where it was there for the build. docs/bench.md tells what "
               "each figure means. The machine\n"
               "should be idle.",
    .example = "sluice bench play --json        # for a program to read",
    .tables = {SL_TABLE_BENCH, {"Effort", options, sizeof options / sizeof *options, &given}},
};

static void show_progress(const char *what, unsigned round, unsigned rounds)
{
    fprintf(stderr, "\r\033[K%s: %u of %u", what, round + 1, rounds);
}

static struct sl_bench_log_options effort(void)
{
    struct sl_bench_log_options log = {
        .rounds = (unsigned)given.rounds,
        .frame_bytes = UINT64_C(4) << 20,
        .frames = (unsigned)given.frames,
        .folder = given.folder,
    };
    if (given.quick) {
        log.rounds = sl_options_given(&command, "rounds") ? log.rounds : 1;
        log.frames = sl_options_given(&command, "frames") ? log.frames : 12;
    }
    if (isatty(STDERR_FILENO))
        log.progress = show_progress;
    return log;
}

static int run(void)
{
    struct sl_bench bench;
    struct sl_bench_play r;
    struct sl_bench_log_options log = effort();
    sl_bench_begin(&bench, command.name);
    int err = sl_bench_log_play(&log, &r);
    if (log.progress)
        fprintf(stderr, "\r\033[K");
    if (err < 0)
        return err;
    sl_bench_figure(&bench, "raw_read_bytes_per_s", r.raw_bytes_per_s, NULL);
    sl_bench_figure(&bench, "raw_read_cached_bytes_per_s", r.raw_cached_bytes_per_s, NULL);
    sl_bench_figure(&bench, "replay_bytes_per_s", r.bytes_per_s, NULL);
    sl_bench_figure(&bench, "replay_rate_ratio", r.rate_ratio, "at least 0.85 of raw");
    sl_bench_figure(&bench, "replay_cached_rate_ratio", r.cached_rate_ratio, NULL);
    sl_bench_figure(&bench, "replay_user_cpu_s_per_gb", r.user_cpu_s_per_gb, NULL);
    sl_bench_figure(&bench, "raw_read_uncached_bytes_per_s", r.uncached_raw_bytes_per_s, NULL);
    sl_bench_figure(&bench, "replay_uncached_bytes_per_s", r.uncached_bytes_per_s, NULL);
    sl_bench_figure(&bench, "replay_uncached_rate_ratio", r.uncached_rate_ratio,
                    "at least 0.85 of raw");
    if (r.has_storage) {
        sl_bench_figure(&bench, "rosbag_storage_bytes_per_s", r.storage_bytes_per_s, NULL);
        sl_bench_figure(&bench, "read_bag_bytes_per_s", r.bag_read_bytes_per_s, NULL);
        sl_bench_figure(&bench, "rosbag_storage_read_ratio", r.storage_read_ratio, "at least 1");
        sl_bench_figure(&bench, "replay_bag_bytes_per_s", r.bag_bytes_per_s, NULL);
        sl_bench_figure(&bench, "rosbag_storage_replay_ratio", r.storage_replay_ratio, NULL);
    }
    sl_bench_end(&bench);
    if (!r.has_storage)
        fprintf(stderr, "sluice bench play: no rosbag_storage_read_ratio: built without ROS's "
                        "library (Debian: g++, librosbag-storage-dev)\n");
    return 0;
}

const struct sl_tool sl_tool_bench_play = {.name = "bench play", .command = &command, .run = run};
