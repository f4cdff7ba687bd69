/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_bench_record.c - sluice bench record: the recorder beside plain writing. */
#include "core/base/error.h"
#include "tests/bench/log_bench.h"
#include "tools/bench.h"
#include "tools/tool.h"

#include <stdio.h>
#include <unistd.h>

static struct record_options {
    int64_t rounds, frames, messages, steady;
    bool quick;
    const char *folder;
} given;

static const struct sl_option options[] = {
    {.name = "folder",
     .kind = SL_OPTION_TEXT,
     .offset = offsetof(struct record_options, folder),
     .value = "FOLDER",
     .fallback = "/tmp",
     .help = "Where logs are written, on the disk that is measured; they are removed again"},
    {.name = "rounds",
     .kind = SL_OPTION_INT,
     .offset = offsetof(struct record_options, rounds),
     .value = "N",
     .fallback = "11",
     .min = 1,
     .max = 101,
     .help = "Interleaved repetitions, of which medians are told"},
    {.name = "frames",
     .kind = SL_OPTION_INT,
     .offset = offsetof(struct record_options, frames),
     .value = "N",
     .fallback = "256",
     .min = 2,
     .max = 1e6,
     .help = "Of 4 MiB, in each log"},
    {.name = "messages",
     .kind = SL_OPTION_INT,
     .offset = offsetof(struct record_options, messages),
     .value = "N",
     .fallback = "2000000",
     .min = 2,
     .max = 1e9,
     .help = "Of 100 bytes, in each log of small ones"},
    {.name = "steady",
     .kind = SL_OPTION_INT,
     .offset = offsetof(struct record_options, steady),
     .value = "SECONDS",
     .fallback = "5",
     .min = 1,
     .max = 86400,
     .help = "Of five topics, 120 MB/s in all, by the clock: 0.12 GB of log a second"},
    {.name = "quick",
     .kind = SL_OPTION_FLAG,
     .offset = offsetof(struct record_options, quick),
     .help = "One round of little: does all of it work? Its figures mean nothing"},
};

static const struct sl_command command = {
    .name = "sluice bench record",
    .summary = "How fast topics are recorded, beside plain writing of the same bytes",
    .details =
        "A publisher on one processor, the recorder on another. Each round writes four logs\n"
        "of which one stands at a time: 1.1 GB as it is called without options. Then\n"
        "publishers go by the clock: is anything lost?\n"
        "docs/bench.md tells what each figure means. The machine and its disk should be\n"
        "idle.",
    .example = "sluice bench record --folder /var/log",
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
        .small_messages = (unsigned)given.messages,
        .steady_s = (unsigned)given.steady,
        .folder = given.folder,
    };
    if (given.quick) {
        log.rounds = sl_options_given(&command, "rounds") ? log.rounds : 1;
        log.frames = sl_options_given(&command, "frames") ? log.frames : 12;
        log.small_messages = sl_options_given(&command, "messages") ? log.small_messages : 20000;
        log.steady_s = sl_options_given(&command, "steady") ? log.steady_s : 1;
    }
    if (isatty(STDERR_FILENO))
        log.progress = show_progress;
    return log;
}

static void tell(struct sl_bench *bench, const struct sl_bench_record *r,
                 const struct sl_bench_steady *s)
{
    sl_bench_figure(bench, "raw_write_bytes_per_s", r->raw_bytes_per_s, NULL);
    sl_bench_figure(bench, "record_bytes_per_s", r->bytes_per_s, NULL);
    sl_bench_figure(bench, "record_rate_ratio", r->rate_ratio, "at least 0.85 of raw");
    sl_bench_figure(bench, "record_user_cpu_s_per_gb", r->user_cpu_s_per_gb, "under 0.05");
    sl_bench_figure(bench, "record_crc_bytes_per_s", r->crc_bytes_per_s, NULL);
    sl_bench_figure(bench, "record_crc_user_cpu_s_per_gb", r->crc_user_cpu_s_per_gb, NULL);
    sl_bench_figure(bench, "record_small_messages_per_s", r->small_messages_per_s,
                    "at least 1 M, of 100 bytes");
    sl_bench_figure(bench, "record_steady_bytes_per_s", s->bytes_per_s, "120 MB/s are published");
    sl_bench_figure(bench, "record_steady_s", s->seconds, NULL);
    sl_bench_figure(bench, "record_steady_lost_messages", s->lost_messages, "none");
    sl_bench_figure(bench, "record_steady_user_cpu_s_per_gb", s->user_cpu_s_per_gb, NULL);
    sl_bench_figure(bench, "record_steady_peak_bytes", s->peak_bytes, NULL);
}

static int run(void)
{
    struct sl_bench bench;
    struct sl_bench_record result;
    struct sl_bench_steady steady;
    struct sl_bench_log_options log = effort();
    sl_bench_begin(&bench, command.name);
    int err = sl_bench_log_record(&log, &result);
    if (err == 0)
        err = sl_bench_log_steady(&log, &steady);
    if (log.progress)
        fprintf(stderr, "\r\033[K");
    if (err < 0)
        return err;
    tell(&bench, &result, &steady);
    sl_bench_end(&bench);
    return 0;
}

const struct sl_tool sl_tool_bench_record = {
    .name = "bench record", .command = &command, .run = run};
