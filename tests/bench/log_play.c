/* SPDX-License-Identifier: Apache-2.0 */
/* log_play.c - the player beside plain reading.
 *
 * A log of large messages is written once, as the recorder writes it, and stands in the page cache.
 * The player publishes it as fast as a lossless subscriber in another process takes and releases.
 * Timed is from the first message's arrival to the last one's, so all frames but the first. Plain
 * reading is one pread a frame into shared memory, in the player's process and place; into as many
 * frames in turn as the player has slots, and into a few.
 *
 * Then the same from the disk: the log is put out of the page cache before each measurement, and
 * plain reading goes past it as the player does.
 *
 * Then the same messages as a ROS 1 bag, which the player plays and ROS's own library reads.
 */
#include "tests/bench/bus_crew.h"
#include "tests/bench/log_crew.h"
#include "tests/bench/log_storage.h"

#include "core/base/error.h"
#include "rosbag_compat/files.h"
#include "rosbag_compat/play.h"
#include "rosbag_compat/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define TOPIC       "/bench/play"
#define SLOTS       48 /* which the player has for frames of 4 MiB, and takes in turn */
#define SLOTS_LEAST 4  /* which stay in the cache */

enum kind {
    RAW,
    RAW_CACHED,
    PLAY,
    RAW_UNCACHED, /* these two: what is not in the page cache */
    PLAY_UNCACHED,
    PLAY_BAG, /* these three: of the bag */
    READ_BAG,
    STORAGE,
    KINDS
};

struct shared {
    struct bus_meeting meeting;
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

/* The log. ------------------------------------------------------------------------------------- */

static const struct sl_log_topic topic = {
    .name = TOPIC,
    .type = BUS_TYPE,
    .encoding = "cdr",
    .definition_encoding = "",
    .has_schema = true,
};
static const struct sl_log_topic bag_topic = {
    .name = TOPIC,
    .type = "bench/Bytes",
    .encoding = "ros1",
    .definition_encoding = "ros1msg",
    .definition = "uint8[] data",
    .definition_bytes = 12,
    .has_schema = true,
};

static int write_messages(const struct bench *b, struct sl_log_output *output, bool is_bag,
                          const struct log_memory *memory)
{
    uint32_t index = 0;
    int err = sl_log_output_topic(output, is_bag ? &bag_topic : &topic, &index);
    for (unsigned i = 0; i < b->options->frames && err == 0; i++) {
        const struct sl_log_message message = {
            .topic = index, .sequence = i, .receive_ns = i + 1, .publish_ns = i + 1};
        bus_mark(memory->bytes, memory->frame_bytes, i);
        err = sl_log_output_message(output, &message, memory->bytes, memory->frame_bytes);
    }
    return err < 0 ? err : sl_log_output_end(output);
}

/* In place of the one that stands there. */
static int write_log(const struct bench *b, enum sl_log_output_kind kind)
{
    const struct sl_log_output_options options = {
        .kind = kind,
        .write = {.omit = SL_LOG_OMIT_CHUNK_CRC | SL_LOG_OMIT_DATA_CRC, .profile = "ros2"},
    };
    struct log_memory memory;
    struct sl_log_output *output = NULL;
    int err = log_memory_map(&memory, 1, b->options->frame_bytes);
    if (err < 0)
        return err;
    unlink(b->place.log);
    err = sl_log_output_create(b->place.log, &options, &output);
    if (err == 0)
        err = write_messages(b, output, kind == SL_LOG_OUTPUT_ROSBAG1, &memory);
    sl_log_output_close(output);
    log_memory_unmap(&memory);
    return err;
}

/* Reading. ------------------------------------------------------------------------------------- */

static int read_frame(int fd, void *to, uint64_t frame_bytes, uint64_t offset)
{
    for (uint64_t done = 0; done < frame_bytes;) {
        ssize_t got = pread(fd, (char *)to + done, frame_bytes - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return sl_error(got < 0 ? -errno : -EIO, "plain reading: %s",
                            got < 0 ? strerror(errno) : "the log is too short");
        done += (uint64_t)got;
    }
    return 0;
}

/* Past the page cache, where the file system lets it, as the player reads then. */
static int open_log(const struct bench *b)
{
    int fd = -1;
    if (b->kind == RAW_UNCACHED)
        fd = open(b->place.log, O_RDONLY | O_CLOEXEC | O_DIRECT);
    return fd >= 0 ? fd : open(b->place.log, O_RDONLY | O_CLOEXEC);
}

static int forget_log(const struct bench *b)
{
    int fd = open(b->place.log, O_RDONLY | O_CLOEXEC);
    int err = fd < 0 ? -errno : -posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    if (fd >= 0)
        close(fd);
    return err < 0 ? sl_error(err, "%s: %s", b->place.log, strerror(-err)) : 0;
}

/* All frames but the first, as the player is timed; the heads between them are few bytes. */
static int read_plainly(const struct bench *b)
{
    struct log_memory memory;
    int err = log_memory_map(&memory, b->kind == RAW_CACHED ? SLOTS_LEAST : SLOTS,
                             b->options->frame_bytes);
    if (err < 0)
        return err;
    int fd = open_log(b);
    if (fd < 0)
        err = sl_error(-errno, "%s: %s", b->place.log, strerror(errno));
    uint64_t user_ns = log_user_ns(), start_ns = sl_clock_monotonic_ns();
    for (unsigned i = 1; i < b->options->frames && err == 0; i++)
        err = read_frame(fd, log_memory_frame(&memory, i), memory.frame_bytes,
                         i * memory.frame_bytes);
    b->shared->samples[b->kind][b->round] =
        (struct log_sample){sl_clock_monotonic_ns() - start_ns, log_user_ns() - user_ns};
    if (fd >= 0)
        close(fd);
    log_memory_unmap(&memory);
    return err;
}

static int read_by_ros(const struct bench *b)
{
    return log_storage_read(b->place.log, b->options->frames,
                            b->options->frames * b->options->frame_bytes,
                            &b->shared->samples[STORAGE][b->round].wall_ns);
}

/* By our own codec, in one process, as ROS's library is timed. */
static int read_messages(const struct bench *b, struct sl_log_reader *reader)
{
    struct sl_log_item item;
    uint64_t start_ns = 0;
    unsigned count = 0;
    int result;
    while ((result = sl_log_reader_next(reader, &item)) == 1) {
        if (item.body_bytes != b->options->frame_bytes ||
            !bus_is_marked(item.body, (uint32_t)item.body_bytes, count))
            return sl_error(-EIO, "message %u is not what was written", count);
        if (count++ == 0)
            start_ns = sl_clock_monotonic_ns();
    }
    b->shared->samples[READ_BAG][b->round].wall_ns = sl_clock_monotonic_ns() - start_ns;
    return result < 0 || count == b->options->frames
               ? result
               : sl_error(-EIO, "%u messages were read of %u", count, b->options->frames);
}

static int read_by_us(const struct bench *b)
{
    const struct sl_log_reader_options options = {0};
    struct sl_log_set set = {0};
    struct sl_log_reader *reader = NULL;
    int err = sl_log_set_add(&set, b->place.log, 0);
    if (err == 0)
        err = sl_log_reader_create(set.logs, set.count, &options, &reader);
    if (err == 0)
        err = read_messages(b, reader);
    sl_log_reader_destroy(reader);
    sl_log_set_close(&set);
    return err;
}

static int play(const struct bench *b)
{
    char *arguments[] = {"play",
                         (char *)b->place.log,
                         "--rate",
                         "0",
                         "--lossless",
                         "--wait-for-subscribers",
                         "1",
                         "--domain",
                         (char *)b->run.domain,
                         "--log-level",
                         "error",
                         NULL};
    uint64_t user_ns = log_user_ns();
    int count = (int)(sizeof arguments / sizeof *arguments) - 1;
    int status = sl_program_main(&play_program, count, arguments);
    b->shared->samples[b->kind][b->round].user_ns = log_user_ns() - user_ns;
    return status == 0 ? 0 : sl_error(-EIO, "the player ended with status %d", status);
}

/* Receiving. ----------------------------------------------------------------------------------- */

static int receive_one(struct sl_subscriber *subscriber, const struct bench *b, unsigned number)
{
    struct sl_frame frame;
    int err;
    while ((err = sl_subscriber_take(subscriber, &frame)) == -EAGAIN) {
        err = sl_subscriber_wait(subscriber, BUS_OPENING_S * (int64_t)SL_NS_PER_S);
        if (err < 0 && err != -EINTR)
            return err == -ETIMEDOUT ? bus_no_answer("playing") : err;
    }
    if (err < 0)
        return err;
    bool is_right = frame.body_length == b->options->frame_bytes &&
                    bus_is_marked(frame.body, frame.body_length, number);
    sl_frame_release(&frame);
    return is_right ? 0 : sl_error(-EIO, "message %u is not what was recorded", number);
}

static int receive(const struct bench *b)
{
    const struct sl_subscriber_options options = {
        .topic = TOPIC, .domain = b->run.domain, .policy = SL_LOSSLESS};
    struct sl_subscriber *subscriber = NULL;
    uint64_t start_ns = 0;
    int err = sl_subscriber_open(&options, &subscriber);
    for (unsigned i = 0; i < b->options->frames && err == 0; i++) {
        err = receive_one(subscriber, b, i);
        if (i == 0)
            start_ns = sl_clock_monotonic_ns();
    }
    b->shared->samples[b->kind][b->round].wall_ns = sl_clock_monotonic_ns() - start_ns;
    sl_subscriber_close(subscriber);
    return err;
}

static int run_side(void *context, int side)
{
    const struct bench *b = context;
    bool is_uncached = b->kind == RAW_UNCACHED || b->kind == PLAY_UNCACHED;
    int err = side == 0 && is_uncached ? forget_log(b) : 0;
    if (err < 0)
        return err;
    if (b->kind == PLAY || b->kind == PLAY_UNCACHED || b->kind == PLAY_BAG)
        return side == 0 ? play(b) : receive(b);
    if (side != 0)
        return 0;
    return b->kind == STORAGE    ? read_by_ros(b)
           : b->kind == READ_BAG ? read_by_us(b)
                                 : read_plainly(b);
}

/* Rounds. -------------------------------------------------------------------------------------- */

static int prepare_log(struct bench *b, enum sl_log_output_kind log)
{
    int err = write_log(b, log);
    log_place_settle(&b->place);
    b->kind = RAW;
    b->round = 0;
    return err < 0 ? err : bus_run_pair(run_side, b); /* warm up: all of it stands in memory */
}

/* The kinds from `first` to `last`, in turn. */
static int run_rounds(struct bench *b, const char *what, enum kind first, enum kind last)
{
    int err = 0;
    b->round = 0;
    for (; b->round < b->run.rounds && err == 0; b->round++) {
        if (b->options->progress)
            b->options->progress(what, b->round, b->run.rounds);
        for (unsigned i = 0; i <= last - first && err == 0; i++) {
            b->kind = b->round % 2 == 0 ? first + i : last - i;
            err = bus_run_pair(run_side, b);
        }
    }
    return err;
}

static void conclude(const struct bench *b, bool has_storage, struct sl_bench_play *to)
{
    const struct log_sample *raw = b->shared->samples[RAW], *play = b->shared->samples[PLAY],
                            *cached = b->shared->samples[RAW_CACHED];
    uint64_t timed = (b->options->frames - 1) * b->options->frame_bytes;
    *to = (struct sl_bench_play){
        .raw_bytes_per_s = log_rate(raw, b->run.rounds, timed),
        .bytes_per_s = log_rate(play, b->run.rounds, timed),
        .raw_cached_bytes_per_s = log_rate(cached, b->run.rounds, timed),
        .cached_rate_ratio = log_ratio(play, cached, b->run.rounds),
        .rate_ratio = log_ratio(play, raw, b->run.rounds),
        .user_cpu_s_per_gb =
            log_user_s_per_gb(play, b->run.rounds, b->options->frames * b->options->frame_bytes),
        .uncached_raw_bytes_per_s =
            log_rate(b->shared->samples[RAW_UNCACHED], b->run.rounds, timed),
        .uncached_bytes_per_s = log_rate(b->shared->samples[PLAY_UNCACHED], b->run.rounds, timed),
        .uncached_rate_ratio = log_ratio(b->shared->samples[PLAY_UNCACHED],
                                         b->shared->samples[RAW_UNCACHED], b->run.rounds),
        .has_storage = has_storage,
    };
    if (!has_storage)
        return;
    const struct log_sample *bag = b->shared->samples[PLAY_BAG],
                            *storage = b->shared->samples[STORAGE],
                            *read = b->shared->samples[READ_BAG];
    to->bag_read_bytes_per_s = log_rate(read, b->run.rounds, timed);
    to->storage_read_ratio = log_ratio(read, storage, b->run.rounds);
    to->bag_bytes_per_s = log_rate(bag, b->run.rounds, timed);
    to->storage_bytes_per_s = log_rate(storage, b->run.rounds, timed);
    to->storage_replay_ratio = log_ratio(bag, storage, b->run.rounds);
}

int sl_bench_log_play(const struct sl_bench_log_options *options, struct sl_bench_play *ret_result)
{
    const struct sl_bench_bus_options bus = {.rounds = options->rounds};
    struct bench b = {.options = options};
    int err = log_place_make(&b.place, options->folder);
    if (err < 0)
        return err;
    err = bus_begin(&b.run, &bus, 1, sizeof *b.shared);
    b.shared = b.run.shared;
    bool has_ros = log_storage_is_here();
    if (err == 0 && has_ros && (err = prepare_log(&b, SL_LOG_OUTPUT_ROSBAG1)) == 0)
        err = run_rounds(&b, "playing a bag", PLAY_BAG, STORAGE);
    if (err == 0 && (err = prepare_log(&b, SL_LOG_OUTPUT_MCAP)) == 0 &&
        (err = run_rounds(&b, "playing", RAW, PLAY)) == 0)
        err = run_rounds(&b, "playing from the disk", RAW_UNCACHED, PLAY_UNCACHED);
    if (err == 0)
        conclude(&b, has_ros, ret_result);
    log_place_remove(&b.place);
    bus_end(&b.run);
    return err;
}
