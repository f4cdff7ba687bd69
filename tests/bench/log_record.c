/* SPDX-License-Identifier: Apache-2.0 */
/* log_record.c - the recorder beside plain writing.
 *
 * A process publishes, losslessly, as fast as the recorder in another lets it. Timed is from before
 * the first message until the recorder has closed its file and ended. Plain writing takes its bytes
 * from as many frames of shared memory in turn, in the recorder's process and place.
 */
#include "tests/bench/bus_crew.h"
#include "tests/bench/log_crew.h"

#include "core/base/error.h"
#include "rosbag_compat/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define TOPIC      "/bench/record"
#define SLOTS      8
#define SEND_BYTES (UINT64_C(8) << 20) /* as record_output.c does */
#define SMALL_RING 4096

enum kind {
    RAW,
    PLAIN,
    CRC,
    SMALL,
    KINDS
};

struct shared {
    struct bus_meeting meeting;
    _Atomic uint64_t start_ns;
    struct log_sample samples[KINDS][BUS_ROUNDS_MAX];
};

struct bench {
    struct bus_run run;
    const struct sl_bench_log_options *options;
    struct shared *shared;
    struct log_place place;
    enum kind kind; /* of this measurement */
    unsigned round;
};

/* Publishing. ---------------------------------------------------------------------------------- */

static int open_publisher(const struct bench *b, struct sl_publisher **ret_publisher)
{
    bool is_small = b->kind == SMALL;
    const struct sl_publisher_options options = {
        .topic = TOPIC,
        .type = BUS_TYPE,
        .domain = b->run.domain,
        .slot_size = is_small ? 0 : b->options->frame_bytes,
        .slot_count = is_small ? 0 : SLOTS,
        .subscribers = 1,
        .inline_max = is_small ? SL_BENCH_SMALL_BYTES : 0,
        .ring = is_small ? SMALL_RING : 0,
        .lossless = true,
        .lossless_timeout_ns = INT64_MAX,
    };
    return sl_publisher_open(&options, ret_publisher);
}

static int publish_small(struct sl_publisher *publisher, uint64_t value)
{
    unsigned char body[SL_BENCH_SMALL_BYTES] = {0};
    const struct sl_message message = {.stamp_ns = value};
    bus_mark_line(body, value);
    return sl_publisher_publish_inline(publisher, body, sizeof body, &message);
}

static int publish_all(const struct bench *b, struct sl_publisher *publisher)
{
    unsigned count = b->kind == SMALL ? b->options->small_messages : b->options->frames;
    for (unsigned i = 0; i < count;) {
        int err = b->kind == SMALL ? publish_small(publisher, i)
                                   : bus_publish(publisher, b->options->frame_bytes, i);
        if (err == -EAGAIN)
            err = sl_publisher_wait(publisher, BUS_PATIENCE_S * (int64_t)SL_NS_PER_S);
        else if (err == 0)
            i++;
        if (err < 0)
            return err == -ETIMEDOUT ? bus_no_answer("recording") : err;
    }
    return 0;
}

static int lead(struct bench *b)
{
    struct sl_publisher *publisher = NULL;
    if (b->kind == RAW)
        return 0;
    int err = open_publisher(b, &publisher);
    if (err == 0)
        err = bus_meet(&b->shared->meeting, 0);
    if (err == 0)
        err = bus_await_subscribers(publisher, 1);
    atomic_store(&b->shared->start_ns, sl_clock_monotonic_ns());
    if (err == 0)
        err = publish_all(b, publisher);
    if (err == 0)
        err = bus_meet(&b->shared->meeting, 0); /* it is read until the recorder has ended */
    sl_publisher_close(publisher);
    return err;
}

/* Writing. ------------------------------------------------------------------------------------- */

static int write_frame(int fd, const char *path, void *frame, uint64_t frame_bytes)
{
    struct iovec piece = {frame, frame_bytes};
    while (piece.iov_len > 0) {
        ssize_t written = writev(fd, &piece, 1);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return sl_error(written < 0 ? -errno : -EIO, "%s: plain writing: %s", path,
                            strerror(errno));
        piece.iov_base = (char *)piece.iov_base + written;
        piece.iov_len -= (size_t)written;
    }
    return 0;
}

static int write_plainly(const struct bench *b, const struct log_memory *memory)
{
    uint64_t offset = 0, sent = 0, forgotten = 0;
    int fd = open(b->place.log, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    int err = fd < 0 ? sl_error(-errno, "%s: %s", b->place.log, strerror(errno)) : 0;
    for (unsigned i = 0; i < b->options->frames && err == 0; i++) {
        err = write_frame(fd, b->place.log, log_memory_frame(memory, i), memory->frame_bytes);
        offset += memory->frame_bytes;
        if (offset - sent < SEND_BYTES)
            continue;
        sync_file_range(fd, (off_t)sent, (off_t)(offset - sent), SYNC_FILE_RANGE_WRITE);
        if (sent > forgotten)
            posix_fadvise(fd, (off_t)forgotten, (off_t)(sent - forgotten), POSIX_FADV_DONTNEED);
        forgotten = sent;
        sent = offset;
    }
    if (fd >= 0 && close(fd) < 0 && err == 0)
        err = sl_error(-errno, "%s: %s", b->place.log, strerror(errno));
    return err;
}

static int record_plainly(struct bench *b)
{
    struct log_memory memory;
    int err = log_memory_map(&memory, SLOTS, b->options->frame_bytes);
    if (err < 0)
        return err;
    uint64_t user_ns = log_user_ns();
    atomic_store(&b->shared->start_ns, sl_clock_monotonic_ns());
    err = write_plainly(b, &memory);
    b->shared->samples[RAW][b->round] = (struct log_sample){
        sl_clock_monotonic_ns() - atomic_load(&b->shared->start_ns), log_user_ns() - user_ns};
    log_memory_unmap(&memory);
    return err;
}

static int record(struct bench *b)
{
    char count[32];
    unsigned messages = b->kind == SMALL ? b->options->small_messages : b->options->frames;
    snprintf(count, sizeof count, "%u", messages);
    char *arguments[] = {
        "record",     TOPIC,         "--lossless",  "--output",
        b->place.log, "--domain",    b->run.domain, "--max-messages",
        count,        "--log-level", "error",       b->kind == CRC ? "--crc" : NULL,
        NULL};
    int argument_count = (int)(sizeof arguments / sizeof *arguments) - 1 - (b->kind != CRC);
    int err = bus_meet(&b->shared->meeting, 1);
    if (err < 0)
        return err;
    uint64_t user_ns = log_user_ns();
    int status = sl_program_main(&record_program, argument_count, arguments);
    b->shared->samples[b->kind][b->round] = (struct log_sample){
        sl_clock_monotonic_ns() - atomic_load(&b->shared->start_ns), log_user_ns() - user_ns};
    if (status != 0)
        return sl_error(-EIO, "the recorder ended with status %d", status);
    return bus_meet(&b->shared->meeting, 1);
}

static int run_side(void *context, int side)
{
    struct bench *b = context;
    if (side == 0)
        return lead(b);
    return b->kind == RAW ? record_plainly(b) : record(b);
}

/* Rounds. -------------------------------------------------------------------------------------- */

/* All that was published is there: a lossless recorder that lost some would not have ended. */
static int measure(struct bench *b, enum kind kind, unsigned round)
{
    b->kind = kind;
    b->round = round;
    uint64_t bytes = kind == SMALL ? (uint64_t)SL_BENCH_SMALL_BYTES * b->options->small_messages
                                   : b->options->frames * b->options->frame_bytes;
    log_place_settle(&b->place);
    int err = bus_run_pair(run_side, b);
    if (err == 0)
        err = log_place_check(&b->place, bytes);
    unlink(b->place.log);
    return err;
}

/* Every other round the other way about: who comes second finds the disk busier. */
static int run_rounds(struct bench *b)
{
    int err = 0;
    for (unsigned round = 0; round < b->run.rounds && err == 0; round++) {
        if (b->options->progress)
            b->options->progress("recording", round, b->run.rounds);
        for (unsigned i = 0; i < KINDS && err == 0; i++)
            err = measure(b, round % 2 == 0 ? i : KINDS - 1 - i, round);
    }
    return err;
}

static void conclude(const struct bench *b, struct sl_bench_record *to)
{
    const struct log_sample *raw = b->shared->samples[RAW], *plain = b->shared->samples[PLAIN],
                            *crc = b->shared->samples[CRC], *small = b->shared->samples[SMALL];
    uint64_t bytes = b->options->frames * b->options->frame_bytes;
    unsigned rounds = b->run.rounds;
    *to = (struct sl_bench_record){
        .raw_bytes_per_s = log_rate(raw, rounds, bytes),
        .bytes_per_s = log_rate(plain, rounds, bytes),
        .rate_ratio = log_ratio(plain, raw, rounds),
        .user_cpu_s_per_gb = log_user_s_per_gb(plain, rounds, bytes),
        .crc_bytes_per_s = log_rate(crc, rounds, bytes),
        .crc_user_cpu_s_per_gb = log_user_s_per_gb(crc, rounds, bytes),
        .small_messages_per_s = log_rate(small, rounds, b->options->small_messages),
    };
}

int sl_bench_log_record(const struct sl_bench_log_options *options,
                        struct sl_bench_record *ret_result)
{
    const struct sl_bench_bus_options bus = {.rounds = options->rounds};
    struct bench b = {.options = options};
    int err = log_place_make(&b.place, options->folder);
    if (err < 0)
        return err;
    err = bus_begin(&b.run, &bus, 1, sizeof *b.shared);
    b.shared = b.run.shared;
    if (err == 0)
        err = run_rounds(&b);
    if (err == 0)
        conclude(&b, ret_result);
    log_place_remove(&b.place);
    bus_end(&b.run);
    return err;
}
