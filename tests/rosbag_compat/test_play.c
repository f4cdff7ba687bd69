/* SPDX-License-Identifier: Apache-2.0 */
/* The player as a process, subscribers here: every message of made-up logs comes, in the log's
 * order, whatever the format, the compression and the rate. */
#include "core/base/clock.h"
#include "core/shm/sluice.h"
#include "rosbag_compat/files.h"
#include "tests/emulated.h"
#include "tests/rosbag_compat/support.h"
#include "tests/tools/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/magic.h>
#include <linux/seccomp.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define TOPICS           4
#define CLOCKS_DIFFER_NS 4000 /* of publishers of one process (core/base/clock.h) */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !SLUICE_EMULATED
#define HAS_PLAIN_MEMORY /* sanitizers keep what was freed, an emulator what it translated */
#endif

/* Logs. ---------------------------------------------------------------------------------------- */

/* Bodies are any bytes, so those of ROS 1 have a type that nothing is made of. */
static struct made *make_bytes(unsigned count, size_t size_max, unsigned seed)
{
    struct made *made = make_log(count, size_max, seed);
    for (unsigned t = 0; t < made->topic_count; t++)
        if (strcmp(made->topics[t].encoding, "ros1") == 0)
            made->topics[t].type = "nobodys_msgs/Bytes";
    return made;
}

static void make_file(const char *path, const struct made *made, enum sl_log_output_kind kind,
                      enum sl_compression compression, uint64_t chunk_bytes)
{
    bool is_alone = kind == SL_LOG_OUTPUT_ROSBAG2_SQLITE && compression != SL_COMPRESSION_NONE;
    const struct sl_log_output_options options = {
        .kind = kind,
        .packing = is_alone ? SL_LOG_PACK_MESSAGES : SL_LOG_PACK_CHUNKS,
        .write = {.compression = compression, .chunk_bytes = chunk_bytes}};
    struct sl_log_output *out;
    uint32_t index[TOPICS];
    assert_fine(sl_log_output_create(path, &options, &out));
    for (unsigned t = 0; t < made->topic_count; t++)
        assert_fine(sl_log_output_topic(out, &made->topics[t], &index[t]));
    for (unsigned i = 0; i < made->message_count; i++) {
        struct sl_log_message m = made->messages[i];
        m.topic = index[m.topic];
        assert_fine(sl_log_output_message(out, &m, made->bodies[i], m.size_bytes));
    }
    assert_fine(sl_log_output_end(out));
    sl_log_output_close(out);
}

/* Receiving. ----------------------------------------------------------------------------------- */

struct received {
    unsigned topic;
    uint64_t publish_ns, hash;
};

struct receiver {
    struct sl_subscriber *subscriber[TOPICS];
    struct received *messages;
    unsigned count, room;
};

static uint64_t hash_of(const void *bytes, size_t size)
{
    const uint8_t *b = bytes;
    uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ size;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ b[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static void open_receivers(struct receiver *r, const struct made *made, enum sl_policy policy)
{
    *r = (struct receiver){.room = made->message_count + 1};
    r->messages = calloc(r->room, sizeof *r->messages);
    assert_non_null(r->messages);
    for (unsigned t = 0; t < made->topic_count; t++) {
        const struct sl_subscriber_options o = {.topic = made->topics[t].name, .policy = policy};
        assert_fine(sl_subscriber_open(&o, &r->subscriber[t]));
    }
}

static void open_receiver(struct receiver *r, const struct made *made)
{
    open_receivers(r, made, SL_LOSSLESS);
}

static void close_receiver(struct receiver *r)
{
    for (unsigned t = 0; t < TOPICS; t++)
        sl_subscriber_close(r->subscriber[t]);
    free(r->messages);
}

static bool receive_one(struct receiver *r, unsigned topic)
{
    struct sl_frame f;
    if (sl_subscriber_take(r->subscriber[topic], &f) < 0)
        return false;
    assert_true(r->count < r->room);
    assert_int_equal(f.lost_before, 0);
    r->messages[r->count++] =
        (struct received){topic, f.publish_ns, hash_of(f.body, f.body_length)};
    sl_frame_release(&f);
    return true;
}

static void receive(struct receiver *r, unsigned wanted)
{
    uint64_t until_ns = sl_clock_monotonic_ns() + LIMIT_MS * SL_NS_PER_MS;
    while (r->count < wanted) {
        bool any = false;
        for (unsigned t = 0; t < TOPICS; t++)
            any |= receive_one(r, t);
        if (any)
            continue;
        if (sl_clock_monotonic_ns() > until_ns)
            fail_msg("%u of %u messages came", r->count, wanted);
        sl_wait(r->subscriber, TOPICS, 10 * (int64_t)SL_NS_PER_MS);
    }
}

/* Whatever comes until the player has ended; returns its status as waitpid. */
static int receive_to_the_end(struct receiver *r, const struct child *child)
{
    uint64_t until_ns = sl_clock_monotonic_ns() + LIMIT_MS * SL_NS_PER_MS;
    int status = 0;
    while (waitpid(child->pid, &status, WNOHANG) == 0) {
        for (unsigned t = 0; t < TOPICS; t++)
            receive_one(r, t);
        if (sl_clock_monotonic_ns() > until_ns)
            fail_msg("the player does not end");
    }
    return status;
}

static int compare(const void *a, const void *b)
{
    const struct received *x = a, *y = b;
    return x->publish_ns < y->publish_ns ? -1 : x->publish_ns > y->publish_ns;
}

/* The one of `topic` that came next after `at`, in a list whose topics are each in order. */
static unsigned next_of(const struct receiver *r, unsigned topic, unsigned at)
{
    while (at < r->count && r->messages[at].topic != topic)
        at++;
    if (at == r->count)
        fail_msg("a message of topic %u is missing", topic);
    return at;
}

/* They are the log's, from `first` on, each topic's in its order, and published in that of the log,
 * as far as the clocks of different publishers tell it. */
static void assert_played(struct receiver *r, const struct made *made, unsigned first)
{
    unsigned at[TOPICS] = {0};
    uint64_t latest_ns = 0;
    for (unsigned k = first; k < first + r->count; k++) {
        unsigned topic = made->messages[k].topic;
        unsigned i = next_of(r, topic, at[topic]);
        at[topic] = i + 1;
        assert_true(r->messages[i].hash == hash_of(made->bodies[k], made->messages[k].size_bytes));
        if (r->messages[i].publish_ns + CLOCKS_DIFFER_NS < latest_ns)
            fail_msg("message %u was published before the one before it", k);
        if (r->messages[i].publish_ns > latest_ns)
            latest_ns = r->messages[i].publish_ns;
    }
}

/* Over what came, in the order in which it stands there. */
static uint64_t hash_of_sequence(const struct received *messages, unsigned count)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (unsigned i = 0; i < count; i++)
        hash = ((hash ^ messages[i].topic) * UINT64_C(0x100000001b3) ^ messages[i].hash) *
               UINT64_C(0x100000001b3);
    return hash;
}

/* Returns the hash of the sequence in which they came to this one reader. `ret_published`, unless
 * NULL, is that of the sequence in which they were published. */
static uint64_t play_and_hash(const struct made *made, const char *path,
                              const char *const *arguments, uint64_t *ret_published)
{
    struct receiver r;
    char *argv[ARGUMENTS_MAX] = {(char *)harness_program("play"), (char *)path,
                                 (char *)"--wait-for-subscribers=1", (char *)"--lossless"};
    unsigned count = 4;
    for (unsigned i = 0; arguments[i]; i++)
        argv[count++] = (char *)arguments[i];
    argv[count] = NULL;
    open_receiver(&r, made);
    struct child child = start_arguments(argv);
    receive(&r, made->message_count);
    assert_int_equal(wait_for(child.pid), 0);
    assert_played(&r, made, 0);
    uint64_t came = hash_of_sequence(r.messages, r.count);
    qsort(r.messages, r.count, sizeof *r.messages, compare);
    if (ret_published)
        *ret_published = hash_of_sequence(r.messages, r.count);
    close_receiver(&r);
    return came;
}

static void play(const struct made *made, const char *path, const char *const *arguments)
{
    play_and_hash(made, path, arguments, NULL);
}
#define PLAY(made, path, ...) play(made, path, (const char *const[]){__VA_ARGS__, NULL})

/* Tests. --------------------------------------------------------------------------------------- */

static void every_format_is_played(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum sl_log_output_kind kind;
        enum sl_compression compression;
    } cases[] = {
        {"plain.mcap", SL_LOG_OUTPUT_MCAP, SL_COMPRESSION_NONE},
        {"lz4.mcap", SL_LOG_OUTPUT_MCAP, SL_COMPRESSION_LZ4},
        {"zstd.mcap", SL_LOG_OUTPUT_MCAP, SL_COMPRESSION_ZSTD},
        {"plain.bag", SL_LOG_OUTPUT_ROSBAG1, SL_COMPRESSION_NONE},
        {"folder", SL_LOG_OUTPUT_ROSBAG2, SL_COMPRESSION_NONE},
        {"database", SL_LOG_OUTPUT_ROSBAG2_SQLITE, SL_COMPRESSION_NONE},
        {"messages", SL_LOG_OUTPUT_ROSBAG2_SQLITE, SL_COMPRESSION_ZSTD},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct made *made = make_bytes(600, 9000, (unsigned)i + 1);
        char path[300];
        snprintf(path, sizeof path, "%s", harness_path(cases[i].name));
        make_file(path, made, cases[i].kind, cases[i].compression, 40000);
        PLAY(made, path, "--rate=0");
        free_made(made);
    }
}

static uint64_t hash_of_log(const struct made *made)
{
    struct received *messages = calloc(made->message_count, sizeof *messages);
    assert_non_null(messages);
    for (unsigned i = 0; i < made->message_count; i++)
        messages[i] =
            (struct received){made->messages[i].topic, 0,
                              hash_of(made->bodies[i], (size_t)made->messages[i].size_bytes)};
    uint64_t hash = hash_of_sequence(messages, made->message_count);
    free(messages);
    return hash;
}

/* Across all topics, to the message. Several have the same time: those stay as they stood. */
static void the_order_is_the_same_at_any_rate(void **state)
{
    (void)state;
    static const char *const ways[][2] = {{"--rate=0.1"}, {"--rate=1"},
                                          {"--rate=10"},  {"--rate=100"},
                                          {"--rate=0"},   {"--rate=100", "--reader=pread"}};
    struct made *made = make_bytes(400, 3000, 5); /* 0.2 s */
    char path[300];
    uint64_t published;
    for (unsigned i = 9; i < made->message_count; i += 10)
        made->messages[i].receive_ns = made->messages[i - 1].receive_ns;
    snprintf(path, sizeof path, "%s", harness_path("a.mcap"));
    make_file(path, made, SL_LOG_OUTPUT_MCAP, SL_COMPRESSION_LZ4, 20000);
    const uint64_t wanted = hash_of_log(made);
#ifdef EXACT_CLOCK
    if (!SLUICE_EMULATED) /* the emulator would load what the program shall */
        setenv("LD_PRELOAD", EXACT_CLOCK, 1);
#endif
    for (unsigned i = 0; i < sizeof ways / sizeof *ways; i++) {
        play_and_hash(made, path, (const char *const[]){ways[i][0], ways[i][1], NULL}, &published);
#if defined EXACT_CLOCK || SLUICE_EMULATED /* elsewhere publishers' clocks differ */
        assert_true(published == wanted);
#endif
    }
    unsetenv("LD_PRELOAD");
    /* One at a time: in the order in which they come, too. */
    assert_true(play_and_hash(made, path, (const char *const[]){"--rate=100", "--lockstep", NULL},
                              NULL) == wanted);
    free_made(made);
}

/* Message `i` of `made` is in the log in which `is_in` says so. */
static void make_part_of(const char *path, const struct made *made, bool (*is_in)(unsigned i))
{
    struct made part = *made;
    part.messages = calloc(made->message_count, sizeof *part.messages);
    part.bodies = calloc(made->message_count, sizeof *part.bodies);
    part.message_count = 0;
    assert_true(part.messages && part.bodies);
    for (unsigned i = 0; i < made->message_count; i++)
        if (is_in(i)) {
            part.messages[part.message_count] = made->messages[i];
            part.bodies[part.message_count++] = made->bodies[i];
        }
    make_file(path, &part, SL_LOG_OUTPUT_MCAP, SL_COMPRESSION_LZ4, 5000);
    free(part.messages);
    free(part.bodies);
}

static bool is_in_first(unsigned i)
{
    return i % 5 < 3;
}

static bool is_in_second(unsigned i)
{
    return !is_in_first(i);
}

/* Of each five messages the last two go before the others. */
static void turn_round(struct made *made)
{
    for (unsigned i = 0; i < made->message_count; i += 5) {
        struct sl_log_message messages[5];
        uint8_t *bodies[5];
        memcpy(messages, made->messages + i, sizeof messages);
        memcpy(bodies, made->bodies + i, sizeof bodies);
        for (unsigned k = 0; k < 5; k++) {
            made->messages[i + k] = messages[(k + 3) % 5];
            made->bodies[i + k] = bodies[(k + 3) % 5];
        }
    }
}

/* Five messages at each time, three in one log and two in the other: those of the log that is named
 * first come first. */
static void logs_are_played_together(void **state)
{
    (void)state;
    static const char *const rates[] = {"--rate=0", "--rate=50"};
    struct made *made = make_bytes(400, 3000, 24);
    char paths[2][300];
    for (unsigned i = 0; i < made->message_count; i++)
        made->messages[i].receive_ns = made->messages[i / 5 * 5].receive_ns;
    for (unsigned l = 0; l < 2; l++) {
        snprintf(paths[l], sizeof paths[l], "%s",
                 harness_path(l == 0 ? "first.mcap" : "second.mcap"));
        make_part_of(paths[l], made, l == 0 ? is_in_first : is_in_second);
    }
    for (unsigned l = 0; l < 2; l++) {
        for (unsigned i = 0; i < 2; i++)
            assert_true(
                play_and_hash(made, paths[l],
                              (const char *const[]){paths[1 - l], rates[i], "--lockstep", NULL},
                              NULL) == hash_of_log(made));
        turn_round(made);
    }
    free_made(made);
}

/* Whichever topic has one; false: none has come in that time. */
static bool take_any(struct receiver *r, struct sl_frame *frame, int64_t within_ms)
{
    uint64_t until_ns = sl_clock_monotonic_ns() + (uint64_t)within_ms * SL_NS_PER_MS;
    do {
        for (unsigned t = 0; t < TOPICS; t++)
            if (sl_subscriber_take(r->subscriber[t], frame) == 0)
                return true;
        sl_wait(r->subscriber, TOPICS, 5 * (int64_t)SL_NS_PER_MS);
    } while (sl_clock_monotonic_ns() < until_ns);
    return false;
}

/* The next message comes when the last one is released, be it ever so small; a viewer that keeps
 * what it has got does not matter. */
static void lockstep_waits_for_the_release_by_lossless_readers_only(void **state)
{
    (void)state;
    struct made *made = make_bytes(40, 600, 12);
    struct receiver r, viewer;
    struct sl_frame frame, next, kept = {0};
    bool is_kept = false;
    make_file(harness_path("l.mcap"), made, SL_LOG_OUTPUT_MCAP, SL_COMPRESSION_NONE, 0);
    open_receiver(&r, made);
    open_receivers(&viewer, made, SL_KEEP_LAST);
    struct child child = start("play", harness_path("l.mcap"), "--lockstep", "--rate=0",
                               "--wait-for-subscribers=2", NULL);
    for (unsigned i = 0; i < made->message_count; i++) {
        assert_true(take_any(&r, &frame, LIMIT_MS));
        assert_true(hash_of(frame.body, frame.body_length) ==
                    hash_of(made->bodies[i], made->messages[i].size_bytes));
        if (!is_kept)
            is_kept = take_any(&viewer, &kept, LIMIT_MS);
        if (i < 10)
            assert_false(take_any(&r, &next, 30));
        sl_frame_release(&frame);
    }
    assert_int_equal(wait_for(child.pid), 0);
    sl_frame_release(&kept);
    close_receiver(&viewer);
    close_receiver(&r);
    free_made(made);
}

static uint64_t take_clock(struct sl_subscriber *clock)
{
    struct sl_frame f;
    uint32_t cdr[3];
    uint64_t until_ns = sl_clock_monotonic_ns() + LIMIT_MS * SL_NS_PER_MS;
    while (sl_subscriber_take(clock, &f) < 0) {
        assert_true(sl_clock_monotonic_ns() < until_ns);
        sl_wait(&clock, 1, 10 * (int64_t)SL_NS_PER_MS);
    }
    assert_int_equal(f.body_length, sizeof cdr);
    memcpy(cdr, f.body, sizeof cdr);
    sl_frame_release(&f);
    return cdr[1] * SL_NS_PER_S + cdr[2];
}

/* While the next message waits for the release of the last one, so does the time. */
static void the_clock_waits_for_late_messages(void **state)
{
    (void)state;
    struct made *made = make_bytes(40, 600, 13);
    const struct sl_subscriber_options options = {.topic = "/clock",
                                                  .type = "rosgraph_msgs/msg/Clock"};
    struct sl_subscriber *clock;
    struct receiver r;
    struct sl_frame frame;
    make_file(harness_path("c.mcap"), made, SL_LOG_OUTPUT_MCAP, SL_COMPRESSION_NONE, 0);
    open_receiver(&r, made);
    assert_fine(sl_subscriber_open(&options, &clock));
    struct child child = start("play", harness_path("c.mcap"), "--lockstep", "--clock=1000",
                               "--rate=1", "--wait-for-subscribers=1", NULL);
    for (unsigned i = 0; i < made->message_count; i++) {
        assert_true(take_any(&r, &frame, LIMIT_MS));
        for (unsigned k = 0; i < 10 && k < 20; k++)
            assert_true(take_clock(clock) <= made->messages[i + 1].receive_ns);
        sl_frame_release(&frame);
    }
    assert_int_equal(wait_for(child.pid), 0);
    sl_subscriber_close(clock);
    close_receiver(&r);
    free_made(made);
}

/* Bytes of a file that stand in the page cache; what can be is taken out of it before. */
static size_t cached_bytes(const char *path, bool takes_out)
{
    struct stat file;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0 && fstat(fd, &file) == 0);
    if (takes_out) {
        assert_int_equal(fsync(fd), 0);
        assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
    }
    size_t pages = ((size_t)file.st_size + 4095) / 4096, count = 0;
    unsigned char *is_cached = calloc(pages, 1);
    void *mapped = mmap(NULL, (size_t)file.st_size, PROT_READ, MAP_SHARED, fd, 0);
    assert_true(is_cached && mapped != MAP_FAILED);
    assert_int_equal(mincore(mapped, (size_t)file.st_size, is_cached), 0);
    for (size_t i = 0; i < pages; i++)
        count += is_cached[i] & 1;
    munmap(mapped, (size_t)file.st_size);
    free(is_cached);
    close(fd);
    return count * 4096;
}

/* Is it known of this file system that it reads past the page cache? */
static bool reads_directly(const char *path)
{
    struct statfs place;
    assert_int_equal(statfs(path, &place), 0);
    return !SLUICE_EMULATED &&
           (place.f_type == EXT4_SUPER_MAGIC || place.f_type == XFS_SUPER_MAGIC);
}

/* What is not in the page cache does not come into it, by whatever reader. */
static void play_uncached(const struct made *made, const char *path, const char *reader)
{
    cached_bytes(path, true);
    PLAY(made, path, "--rate=0", reader);
    size_t cached = cached_bytes(path, false);
    if (reads_directly(path) && cached > 8 << 20)
        fail_msg("%zu bytes of it are in the page cache", cached);
}

static void large_messages_stand_where_they_were_read_to(void **state)
{
    (void)state;
    struct made *made = make_bytes(60, 3 << 20, 9);
    char path[300];
    snprintf(path, sizeof path, "%s", harness_path("large.mcap"));
    make_file(path, made, SL_LOG_OUTPUT_MCAP, SL_COMPRESSION_NONE, 0);
    PLAY(made, path, "--rate=0");
    PLAY(made, path, "--rate=0", "--direct");
    play_uncached(made, path, "--reader=auto");
    play_uncached(made, path, "--reader=pread");
    cached_bytes(path, true);
    PLAY(made, path, "--rate=0", "--buffered");
    assert_true(cached_bytes(path, false) > 32 << 20);
    free_made(made);
}

/* It reads one message at a time, so that every message finds the ring full, the last one of a
 * block too. */
static void a_slow_reader_loses_nothing(void **state)
{
    (void)state;
    struct made *made = make_bytes(6000, 900, 6);
    struct receiver r;
    for (unsigned i = 0; i < made->message_count; i++)
        made->messages[i].topic = i > 0; /* not the one by which slots are loaned */
    make_file(harness_path("s.mcap"), made, SL_LOG_OUTPUT_MCAP, SL_COMPRESSION_NONE, 12000);
    open_receiver(&r, made);
    struct child child = start("play", harness_path("s.mcap"), "--rate=0", "--lossless",
                               "--wait-for-subscribers=1", NULL);
    while (r.count < 800) {
        receive_one(&r, 1);
        usleep(1200);
    }
    receive(&r, made->message_count);
    assert_int_equal(wait_for(child.pid), 0);
    assert_played(&r, made, 0);
    close_receiver(&r);
    free_made(made);
}

#ifdef FROM_POOLS
/* Can io_uring be had here? The kernel looks at its arguments only if so. */
static bool has_uring(void)
{
#ifdef SLUICE_HAVE_URING
    return syscall(SYS_io_uring_setup, 0, NULL) < 0 && errno == EFAULT;
#else
    return false;
#endif
}

/* What from_pools.c has seen: bytes. */
struct witness {
    unsigned long in_pools, elsewhere, by_ring, directly;
};

static struct witness watch_playing(const struct made *made, const char *path, const char *reader,
                                    const char *caching)
{
    char report[300];
    struct witness w;
    snprintf(report, sizeof report, "%s", harness_path("report"));
    setenv("LD_PRELOAD", FROM_POOLS, 1);
    setenv("FROM_POOLS_REPORT", report, 1);
    PLAY(made, path, "--rate=0", reader, caching);
    unsetenv("LD_PRELOAD");
    unsetenv("FROM_POOLS_REPORT");
    FILE *file = fopen(report, "re");
    assert_non_null(file);
    assert_int_equal(
        fscanf(file, "%lu %lu %lu %lu", &w.in_pools, &w.elsewhere, &w.by_ring, &w.directly), 4);
    fclose(file);
    return w;
}

static struct made *make_watched(const char *name, unsigned long *ret_bodies)
{
    struct made *made = make_bytes(60, 1 << 20, 9);
    *ret_bodies = 0;
    for (unsigned i = 0; i < made->message_count; i++)
        *ret_bodies += made->messages[i].size_bytes;
    make_file(harness_path(name), made, SL_LOG_OUTPUT_MCAP, SL_COMPRESSION_NONE, 0);
    return made;
}

/* The kernel reads the file into the pool: seen from outside, by what is put before its doors. */
static void the_file_is_read_into_the_pool(void **state)
{
    (void)state;
    SKIP_EMULATED("the emulator would load what the program shall");
    static const char *const readers[] = {"--reader=pread", "--reader=io_uring"};
    static const char *const ways[] = {"--buffered", "--direct"};
    unsigned long bodies;
    struct made *made = make_watched("z.mcap", &bodies);
    char path[300];
    snprintf(path, sizeof path, "%s", harness_path("z.mcap"));
    for (unsigned i = 0; i < 4; i++) {
        if (i >= 2 && !has_uring()) {
            puts("SKIP: no io_uring is to be had");
            skip();
        }
        struct witness w = watch_playing(made, path, readers[i / 2], ways[i % 2]);
        assert_true(w.in_pools >= bodies);
        assert_true(w.elsewhere < bodies / 100);
        assert_true(i < 2 ? w.by_ring == 0 : w.by_ring >= bodies);
        if (i % 2 == 0 || reads_directly(path))
            assert_true(i % 2 == 0 ? w.directly == 0 : w.directly >= bodies / 100 * 95);
    }
    free_made(made);
}

/* What is in the page cache is read from there, and only that. */
static void auto_reads_what_is_cached_from_the_cache(void **state)
{
    (void)state;
    SKIP_EMULATED("the emulator would load what the program shall");
    unsigned long bodies;
    struct made *made = make_watched("c.mcap", &bodies);
    char path[300];
    snprintf(path, sizeof path, "%s", harness_path("c.mcap"));
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    for (off_t at = 0; at < (off_t)bodies; at += 1 << 16)
        readahead(fd, at, 1 << 16);
    assert_true(cached_bytes(path, false) >= bodies);
    assert_true(watch_playing(made, path, "--reader=auto", "--rate=0").directly < bodies / 50);
    if (reads_directly(path)) {
        cached_bytes(path, true);
        assert_true(watch_playing(made, path, "--reader=auto", "--rate=0").directly >
                    bodies / 100 * 95);
    }
    close(fd);
    free_made(made);
}
#endif

/* The log is cut while the player waits for a slot: what it has not read by then is missed. */
static void a_log_that_is_cut_while_it_is_played_is_told(void **state)
{
    (void)state;
    static const char *const readers[] = {"--reader=auto", "--reader=pread"};
    struct made *made = make_bytes(60, 3 << 20, 14);
    char path[300], line[1024] = "";
    snprintf(path, sizeof path, "%s", harness_path("cut.mcap"));
    for (unsigned i = 0; i < 2; i++) {
        struct receiver r;
        int err[2];
        make_file(path, made, SL_LOG_OUTPUT_MCAP, SL_COMPRESSION_NONE, 0);
        open_receiver(&r, made);
        assert_int_equal(pipe2(err, O_CLOEXEC), 0);
        int before = dup(STDERR_FILENO);
        dup2(err[1], STDERR_FILENO);
        struct child child = start("play", path, "--rate=0", "--memory=40M",
                                   "--wait-for-subscribers=1", readers[i], NULL);
        dup2(before, STDERR_FILENO);
        close(err[1]);
        receive(&r, 1); /* it has begun, and cannot have read more than 40 MB */
        struct stat file;
        assert_int_equal(stat(path, &file), 0);
        assert_true(file.st_size > 60 << 20);
        assert_int_equal(truncate(path, file.st_size / 6 * 5), 0);
        int status = receive_to_the_end(&r, &child);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
        FILE *told = fdopen(err[0], "re");
        bool is_told = false;
        while (fgets(line, sizeof line, told))
            is_told |= strstr(line, "became shorter than") != NULL;
        fclose(told);
        assert_true(is_told);
        assert_true(r.count < made->message_count);
        assert_played(&r, made, 0);
        close(before);
        close_receiver(&r);
        assert_int_equal(remove(path), 0);
    }
    free_made(made);
}

/* What is open stays readable. */
static void a_log_that_is_removed_while_it_is_played_is_played_on(void **state)
{
    (void)state;
    struct made *made = make_bytes(60, 3 << 20, 16);
    struct receiver r;
    make_file(harness_path("gone.mcap"), made, SL_LOG_OUTPUT_MCAP, SL_COMPRESSION_NONE, 0);
    open_receiver(&r, made);
    struct child child = start("play", harness_path("gone.mcap"), "--rate=0", "--memory=40M",
                               "--wait-for-subscribers=1", NULL);
    receive(&r, 1);
    assert_int_equal(remove(harness_path("gone.mcap")), 0);
    receive(&r, made->message_count);
    assert_int_equal(wait_for(child.pid), 0);
    assert_played(&r, made, 0);
    close_receiver(&r);
    free_made(made);
}

#ifdef SLUICE_HAVE_URING
/* As a container does: the program, its arguments behind it, may not use io_uring. */
static int run_without_uring(char **argv)
{
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {sizeof steps / sizeof *steps, steps};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
        return 126;
    execv(argv[0], argv);
    return 127;
}

static void where_io_uring_is_forbidden_pread_reads(void **state)
{
    (void)state;
    SKIP_EMULATED("seccomp");
    struct made *made = make_bytes(60, 3000, 15);
    char path[300];
    snprintf(path, sizeof path, "%s", harness_path("f.mcap"));
    make_file(path, made, SL_LOG_OUTPUT_MCAP, SL_COMPRESSION_NONE, 0);
    char *argv[] = {(char *)"/proc/self/exe",
                    (char *)"--without-uring",
                    (char *)harness_program("play"),
                    path,
                    (char *)"--rate=0",
                    NULL,
                    NULL};
    struct run r = run_arguments(argv);
    assert_int_equal(r.status, 0);
    assert_has(r.err, "io_uring: Operation not permitted (the sysctl kernel.io_uring_disabled, or");
    assert_has(r.err, "read by pread");
    assert_has(r.err, "60 messages, ");
    run_free(&r);
    argv[5] = (char *)"--reader=io_uring";
    r = run_arguments(argv);
    assert_int_equal(r.status, 1);
    assert_has(r.err, "option --reader: io_uring: Operation not permitted");
    run_free(&r);
    free_made(made);
}
#endif

static void its_own_time_is_kept(void **state)
{
    (void)state;
    struct made *made = make_bytes(400, 100, 3);
    char path[300];
    snprintf(path, sizeof path, "%s", harness_path("t.mcap"));
    make_file(path, made, SL_LOG_OUTPUT_MCAP, SL_COMPRESSION_NONE, 0);
    uint64_t span_ns = made->messages[399].receive_ns - made->messages[0].receive_ns;
    uint64_t start_ns = sl_clock_monotonic_ns();
    PLAY(made, path, "--rate=0.5", "--delay=300ms");
    uint64_t took_ns = sl_clock_monotonic_ns() - start_ns;
    assert_true(took_ns >= 2 * span_ns + 300 * SL_NS_PER_MS);
    free_made(made);
}

/* The last two messages of a latched topic come to who subscribes when they are long over. */
static void latched_messages_come_to_late_subscribers(void **state)
{
    (void)state;
    static const struct sl_log_pair pairs[][1] = {
        {{"offered_qos_profiles", "- history: 1\n  depth: 2\n  durability: 1\n"}},
        {{"offered_qos_profiles", "[{depth: 7, durability: volatile}, "
                                  "{depth: 2, \"durability\": \"transient_local\"}]"}},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct made *made = make_bytes(200, 3000, 11);
        char path[300];
        unsigned latched = made->messages[0].topic, last[2] = {0};
        snprintf(path, sizeof path, "%s", harness_path(i == 0 ? "latched0.mcap" : "latched1.mcap"));
        made->topics[latched].pairs = pairs[i];
        made->topics[latched].pair_count = 1;
        for (unsigned k = 0; k < 200; k++) {
            struct sl_log_message *m = &made->messages[k];
            bool is_early = k < 20 && m->size_bytes > 500; /* not inline: they keep their slots */
            if (m->topic == latched && !is_early)
                m->topic = (latched + 1) % TOPICS;
            if (m->topic == latched) {
                last[0] = last[1];
                last[1] = k;
            }
        }
        assert_true(last[1] > 0);
        made->messages[199].receive_ns += SL_NS_PER_S;
        make_file(path, made, SL_LOG_OUTPUT_MCAP, SL_COMPRESSION_NONE, 2000);
        struct receiver r, late;
        open_receiver(&r, made);
        struct child child = start("play", path, "--wait-for-subscribers=1", "--lossless", NULL);
        receive(&r, 199);
        late = (struct receiver){.messages = calloc(2, sizeof *late.messages), .room = 2};
        assert_non_null(late.messages);
        const struct sl_subscriber_options o = {.topic = made->topics[latched].name, .history = 2};
        assert_fine(sl_subscriber_open(&o, &late.subscriber[0]));
        assert_true(receive_one(&late, 0) && receive_one(&late, 0));
        assert_false(receive_one(&late, 0));
        for (unsigned k = 0; k < 2; k++)
            assert_true(late.messages[k].hash ==
                        hash_of(made->bodies[last[k]], made->messages[last[k]].size_bytes));
        receive(&r, 200);
        assert_int_equal(wait_for(child.pid), 0);
        close_receiver(&late);
        close_receiver(&r);
        free_made(made);
    }
}

static void a_part_of_the_log_may_be_played(void **state)
{
    (void)state;
    struct made *made = make_bytes(400, 500, 4);
    char path[300], option[64];
    snprintf(path, sizeof path, "%s", harness_path("p.mcap"));
    make_file(path, made, SL_LOG_OUTPUT_MCAP, SL_COMPRESSION_ZSTD, 8000);
    uint64_t begin_ns = made->messages[100].receive_ns - made->messages[0].receive_ns;
    snprintf(option, sizeof option, "--start=%lluns", (unsigned long long)begin_ns);
    struct receiver r;
    open_receiver(&r, made);
    struct child child = start("play", path, option, "--rate=0", "--wait-for-subscribers=1", NULL);
    receive(&r, 300);
    assert_int_equal(wait_for(child.pid), 0);
    assert_played(&r, made, 100);
    close_receiver(&r);
    uint64_t last_ns = made->messages[249].receive_ns; /* they are 0.5 ms apart */
    snprintf(option, sizeof option, "--until=@%llu.%09llu",
             (unsigned long long)(last_ns / SL_NS_PER_S),
             (unsigned long long)(last_ns % SL_NS_PER_S));
    open_receiver(&r, made);
    child = start("play", path, option, "--rate=0", "--wait-for-subscribers=1", NULL);
    assert_int_equal(receive_to_the_end(&r, &child), 0);
    assert_int_equal(r.count, 250);
    assert_played(&r, made, 0);
    close_receiver(&r);
    free_made(made);
}

static void a_duration_may_be_played(void **state)
{
    (void)state;
    struct made *made = make_bytes(400, 500, 24);
    char path[300], start_at[64], length[64];
    struct receiver r;
    snprintf(path, sizeof path, "%s", harness_path("p.mcap"));
    make_file(path, made, SL_LOG_OUTPUT_MCAP, SL_COMPRESSION_NONE, 8000);
    snprintf(start_at, sizeof start_at, "--start=%lluns",
             (unsigned long long)(made->messages[100].receive_ns - made->messages[0].receive_ns));
    snprintf(length, sizeof length, "--duration=%lluns",
             (unsigned long long)(made->messages[250].receive_ns - made->messages[100].receive_ns));
    open_receiver(&r, made);
    struct child child =
        start("play", path, start_at, length, "--rate=0", "--wait-for-subscribers=1", NULL);
    assert_int_equal(receive_to_the_end(&r, &child), 0);
    assert_int_equal(r.count, 151); /* the one that ends it is of it */
    assert_played(&r, made, 100);
    close_receiver(&r);
    free_made(made);
}

/* Each topic has all of its messages, or, if it is not among `topics` (bits), none and no
 * publisher; the player has published no other. */
static void play_topics(const struct made *made, const char *const *arguments, unsigned topics)
{
    struct receiver r;
    char path[300];
    char *argv[ARGUMENTS_MAX] = {(char *)harness_program("play"), path, (char *)"--rate=0",
                                 (char *)"--lossless", (char *)"--wait-for-subscribers=1"};
    unsigned count = 5, wanted = 0, at[TOPICS] = {0};
    snprintf(path, sizeof path, "%s", harness_path("t.mcap"));
    while (*arguments)
        argv[count++] = (char *)*arguments++;
    for (unsigned k = 0; k < made->message_count; k++)
        wanted += topics >> made->messages[k].topic & 1;
    open_receiver(&r, made);
    /* It waits for a subscriber of each topic that it plays: one that we do not know of hangs. */
    struct child child = start_arguments(argv);
    receive(&r, wanted);
    assert_int_equal(wait_for(child.pid), 0);
    for (unsigned t = 0; t < TOPICS; t++)
        assert_false(receive_one(&r, t));
    for (unsigned k = 0; k < made->message_count; k++) {
        unsigned topic = made->messages[k].topic;
        if (!(topics >> topic & 1))
            continue;
        unsigned i = next_of(&r, topic, at[topic]);
        at[topic] = i + 1;
        assert_true(r.messages[i].hash ==
                    hash_of(made->bodies[k], (size_t)made->messages[k].size_bytes));
    }
    assert_int_equal(r.count, wanted);
    close_receiver(&r);
}
#define PLAY_TOPICS(made, topics, ...) \
    play_topics(made, (const char *const[]){__VA_ARGS__, NULL}, topics)

/* /points, /text, /more_text, /plain */
static void topics_are_chosen_by_expressions(void **state)
{
    (void)state;
    struct made *made = make_bytes(200, 500, 21);
    make_file(harness_path("t.mcap"), made, SL_LOG_OUTPUT_MCAP, SL_COMPRESSION_LZ4, 8000);
    PLAY_TOPICS(made, 1 << 1 | 1 << 2, "--regex=/(more_)?text");
    PLAY_TOPICS(made, 1 << 1, "--regex=/text"); /* of the whole name */
    PLAY_TOPICS(made, 1 << 0 | 1 << 3, "--exclude=/.*text");
    PLAY_TOPICS(made, 1 << 2, "--regex=/.*text", "--exclude=/t.*");
    PLAY_TOPICS(made, 1 << 0 | 1 << 1, "--topic=/points", "--regex=/.*", "--exclude=/(p|more).*");
    free_made(made);
}

/* Two that change their names with each other, and one that takes a new one. */
static void topics_are_played_under_other_names(void **state)
{
    (void)state;
    struct made *made = make_bytes(200, 500, 22);
    char names[2][32] = {"", ""};
    make_file(harness_path("t.mcap"), made, SL_LOG_OUTPUT_MCAP, SL_COMPRESSION_NONE, 0);
    snprintf(names[0], sizeof names[0], "%s", made->topics[0].name);
    snprintf(names[1], sizeof names[1], "/other/name");
    made->topics[0].name = made->topics[3].name; /* what our subscribers ask for from now on */
    made->topics[3].name = names[0];
    made->topics[1].name = names[1];
    PLAY_TOPICS(made, 0xf, "--remap=/points:=/plain", "--remap=/plain:=/points",
                "--remap=/text:=/other/name");
    free_made(made);
}

/* Nothing goes out before each topic that is waited for has its subscribers. */
static void every_topic_is_waited_for(void **state)
{
    (void)state;
    struct made *made = make_bytes(200, 300, 17);
    char path[300], option[128];
    struct receiver r;
    struct sl_frame frame;
    snprintf(path, sizeof path, "%s", harness_path("w.mcap"));
    snprintf(option, sizeof option, "--wait-for=%s", made->topics[2].name);
    make_file(path, made, SL_LOG_OUTPUT_MCAP, SL_COMPRESSION_NONE, 0);
    for (unsigned first = 0; first < 2; first++) { /* all of them; the third only */
        open_receiver(&r, made);
        sl_subscriber_close(r.subscriber[2]);
        r.subscriber[2] = NULL;
        struct child child = start("play", path, "--rate=0", "--lossless",
                                   first == 0 ? "--wait-for-subscribers=1" : option, NULL);
        for (unsigned t = 0; t < TOPICS; t++) { /* the others are there, and nothing comes */
            struct sl_subscriber_status status = {0};
            while (r.subscriber[t] && status.publishers == 0) {
                assert_int_equal(sl_subscriber_take(r.subscriber[t], &frame), -EAGAIN);
                assert_fine(sl_subscriber_status(r.subscriber[t], &status));
                usleep(1000);
            }
        }
        usleep(100000); /* were it to begin at once, it would have by now */
        for (unsigned t = 0; t < TOPICS; t++)
            if (r.subscriber[t])
                assert_int_equal(sl_subscriber_take(r.subscriber[t], &frame), -EAGAIN);
        const struct sl_subscriber_options o = {.topic = made->topics[2].name,
                                                .policy = SL_LOSSLESS};
        assert_fine(sl_subscriber_open(&o, &r.subscriber[2]));
        receive(&r, made->message_count);
        assert_int_equal(wait_for(child.pid), 0);
        assert_played(&r, made, 0);
        close_receiver(&r);
    }
    free_made(made);
}

static void it_begins_again_when_asked(void **state)
{
    (void)state;
    struct made *made = make_bytes(50, 500, 8);
    struct receiver r;
    make_file(harness_path("l.mcap"), made, SL_LOG_OUTPUT_MCAP, SL_COMPRESSION_NONE, 0);
    open_receiver(&r, made);
    r.room = 200;
    free(r.messages);
    r.messages = calloc(r.room, sizeof *r.messages);
    struct child child = start("play", harness_path("l.mcap"), "--loop", "--lockstep", "--rate=100",
                               "--wait-for-subscribers=1", NULL);
    receive(&r, 120);
    assert_int_equal(stop(&child, SIGTERM), 0);
    qsort(r.messages, r.count, sizeof *r.messages, compare);
    for (unsigned i = 0; i < 120; i++)
        assert_true(r.messages[i].hash ==
                    hash_of(made->bodies[i % 50], made->messages[i % 50].size_bytes));
    close_receiver(&r);
    free_made(made);
}

#ifdef HAS_PLAIN_MEMORY
/* The most memory that a player of so much has had, its slots included: of one that has played all
 * but the last message. */
static long most_memory_kb(unsigned count, unsigned seed)
{
    struct made *made = make_bytes(count, 4000, seed);
    struct receiver r;
    char path[64], line[256];
    long kb = -1;
    make_file(harness_path("m.mcap"), made, SL_LOG_OUTPUT_MCAP, SL_COMPRESSION_LZ4, 40000);
    open_receiver(&r, made);
    struct child child = start("play", harness_path("m.mcap"), "--rate=0", "--memory=4M",
                               "--wait-for-subscribers=1", NULL);
    receive(&r, count - 1);
    snprintf(path, sizeof path, "/proc/%d/status", child.pid);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    while (kb < 0 && fgets(line, sizeof line, file))
        sscanf(line, "VmHWM: %ld", &kb);
    fclose(file);
    receive(&r, count);
    assert_int_equal(wait_for(child.pid), 0);
    close_receiver(&r);
    free_made(made);
    assert_int_equal(remove(harness_path("m.mcap")), 0);
    return kb;
}

static void memory_does_not_grow_with_the_log(void **state)
{
    (void)state;
    long of_little = most_memory_kb(3000, 3), of_much = most_memory_kb(24000, 3);
    print_message("6 MB: %ld kB, 48 MB: %ld kB\n", of_little, of_much);
    assert_true(of_little > 2000 && of_much < of_little + 2048);
}
#endif

/* A chunk that is not what it was: what is whole of it comes, and those of the others. */
static void damage_that_shows_late_is_passed_over(void **state)
{
    (void)state;
    struct made *made = make_bytes(600, 3000, 12);
    make_file(harness_path("d.mcap"), made, SL_LOG_OUTPUT_MCAP, SL_COMPRESSION_ZSTD, 40000);
    free_made(made);
    int fd = open(harness_path("d.mcap"), O_RDWR | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "\0\0\0\0\0\0\0\0", 8, lseek(fd, 0, SEEK_END) / 2), 8);
    close(fd);
    struct run r = run("play", harness_path("d.mcap"), "--rate=0", NULL);
    assert_int_equal(r.status, 0);
    assert_has(r.err, "1 parts of the log are damaged: the chunk at byte ");
    unsigned messages = 0;
    const char *told = strstr(r.err, " messages, ");
    while (told > r.err && told[-1] != ' ')
        told--;
    assert_int_equal(sscanf(told, "%u messages", &messages), 1);
    assert_in_range(messages, 500, 600);
    run_free(&r);
}

/* Message `i` of that size, and so empty that a thousandth of it is stored. */
static void make_empty(struct made *made, unsigned i, size_t size)
{
    free(made->bodies[i]);
    made->bodies[i] = calloc(1, size);
    assert_non_null(made->bodies[i]);
    made->bodies[i][size / 2] = (uint8_t)i;
    made->messages[i].size_bytes = size;
}

static void forget_message(struct made *made, unsigned i)
{
    free(made->bodies[i]);
    made->message_count--;
    for (; i < made->message_count; i++) {
        made->bodies[i] = made->bodies[i + 1];
        made->messages[i] = made->messages[i + 1];
    }
}

/* An empty map is stored in a thousandth of what it is. One for which there is no memory is left
 * out, and the others come. */
static void messages_may_become_far_larger(void **state)
{
    (void)state;
    struct made *made = make_bytes(60, 3000, 18);
    make_empty(made, 20, 16 << 20);
    make_empty(made, 30, 5 << 20);
    make_empty(made, 40, 5 << 20);
    char path[300];
    snprintf(path, sizeof path, "%s", harness_path("maps"));
    make_file(path, made, SL_LOG_OUTPUT_ROSBAG2_SQLITE, SL_COMPRESSION_ZSTD, 0);
    PLAY(made, path, "--rate=0");
    forget_message(made, 20);
    PLAY(made, path, "--rate=0", "--memory=24M");
    free_made(made);
    struct run r = run("play", path, "--rate=0", "--memory=24M", NULL);
    assert_int_equal(r.status, 0);
    assert_has(r.err, "a message becomes 16.8 MB when it is decompressed; those above 6.3 MB are "
                      "left out: give --memory=65M");
    assert_has(r.err, "59 messages, ");
    assert_has(r.err, "1 messages were left out, the first one of ");
    assert_has(r.err, "a message becomes larger than a slot");
    run_free(&r);
    r = run("play", path, "--rate=0", "--memory=65M", NULL);
    assert_has(r.err, "60 messages, ");
    run_free(&r);
}

/* Keys. ---------------------------------------------------------------------------------------- */

static pid_t start_on_terminal(const char *path, int *ret_terminal)
{
    char *const argv[] = {(char *)harness_program("play"),
                          (char *)path,
                          (char *)"--paused",
                          (char *)"--lossless",
                          (char *)"--clock=50",
                          (char *)"--wait-for-subscribers=1",
                          NULL};
    pid_t pid = forkpty(ret_terminal, NULL, NULL, NULL);
    assert_true(pid >= 0);
    if (pid == 0) {
        execv(argv[0], argv);
        _exit(127);
    }
    return pid;
}

static void press(int terminal, const char *keys)
{
    assert_int_equal(write(terminal, keys, strlen(keys)), strlen(keys));
}

/* Read what it draws until it has drawn this. */
static void await_drawn(int terminal, const char *text)
{
    char drawn[4096];
    size_t used = 0;
    do {
        ssize_t got = read(terminal, drawn + used, sizeof drawn - 1 - used);
        assert_true(got > 0);
        used += (size_t)got;
        drawn[used] = '\0';
        if (used > sizeof drawn / 2) { /* the end is enough */
            memmove(drawn, drawn + used - 256, 257);
            used = 256;
        }
    } while (!strstr(drawn, text));
}

static void keys_steer_it(void **state)
{
    (void)state;
    struct made *made = make_bytes(40, 100, 11);
    struct sl_subscriber *clock;
    const struct sl_subscriber_options clock_options = {.topic = "/clock",
                                                        .type = "rosgraph_msgs/msg/Clock"};
    struct receiver r;
    struct sl_frame f;
    char path[300];
    int terminal, status;
    snprintf(path, sizeof path, "%s", harness_path("k.mcap"));
    make_file(path, made, SL_LOG_OUTPUT_MCAP, SL_COMPRESSION_NONE, 0);
    open_receiver(&r, made);
    assert_fine(sl_subscriber_open(&clock_options, &clock));
    r.room = 100;
    free(r.messages);
    r.messages = calloc(r.room, sizeof *r.messages);
    pid_t pid = start_on_terminal(path, &terminal);
    await_drawn(terminal, "paused 0.0 of");
    press(terminal, "ss\033[C"); /* the arrow steps, too */
    receive(&r, 3);
    press(terminal, "b"); /* 10 s back: the beginning */
    press(terminal, "ss");
    receive(&r, 5);
    press(terminal, "+");
    await_drawn(terminal, "x1.25");
    press(terminal, "--");
    await_drawn(terminal, "x0.80");
    assert_int_equal(r.count, 5);
    press(terminal, " ");
    receive(&r, 43);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    qsort(r.messages, r.count, sizeof *r.messages, compare);
    for (unsigned i = 0; i < 43; i++) {
        unsigned k = i < 3 ? i : i - 3;
        assert_true(r.messages[i].hash == hash_of(made->bodies[k], made->messages[k].size_bytes));
    }
    assert_fine(sl_subscriber_take(clock, &f));
    sl_subscriber_close(clock);
    close(terminal);
    close_receiver(&r);
    free_made(made);
}

/* 30 s, a message a second: it is moved to and fro, and the next step tells where it is. Behind the
 * end there is nothing: it ends. */
static void keys_move_it_by_ten_seconds(void **state)
{
    (void)state;
    static const struct {
        const char *keys;
        unsigned next; /* the message that a step then plays */
    } moves[] = {{"s", 0},  {"s", 1},  {"n", 11},     {"n", 21},
                 {"b", 11}, {"bb", 0}, {"\033[D", 0}, {"nn", 20}};
    enum {
        MOVES = sizeof moves / sizeof *moves
    };
    struct made *made = make_bytes(30, 100, 23);
    struct receiver r;
    char path[300];
    int terminal, status;
    snprintf(path, sizeof path, "%s", harness_path("n.mcap"));
    for (unsigned i = 0; i < made->message_count; i++)
        made->messages[i].receive_ns = made->messages[0].receive_ns + i * SL_NS_PER_S;
    make_file(path, made, SL_LOG_OUTPUT_MCAP, SL_COMPRESSION_NONE, 500);
    open_receiver(&r, made);
    pid_t pid = start_on_terminal(path, &terminal);
    await_drawn(terminal, "paused 0.0 of");
    for (unsigned i = 0; i < MOVES; i++) {
        press(terminal, moves[i].keys);
        if (i >= 2)
            press(terminal, "s");
        receive(&r, i + 1);
        unsigned k = moves[i].next;
        if (r.messages[i].hash != hash_of(made->bodies[k], (size_t)made->messages[k].size_bytes))
            fail_msg("move %u does not lead to message %u", i, k);
    }
    press(terminal, "n");
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(r.count, MOVES);
    close(terminal);
    close_receiver(&r);
    free_made(made);
}

static void refused(const char *expected, const char *log, const char *option)
{
    struct run r = run("play", log, option, NULL);
    assert_int_not_equal(r.status, 0);
    assert_has(r.err, expected);
    run_free(&r);
}

static void what_cannot_be_played_is_told(void **state)
{
    (void)state;
    char path[300], junk[300];
    struct made *made = make_bytes(40, 1 << 20, 2);
    snprintf(path, sizeof path, "%s", harness_path("x.mcap"));
    snprintf(junk, sizeof junk, "%s", harness_path("junk.mcap"));
    make_file(path, made, SL_LOG_OUTPUT_MCAP, SL_COMPRESSION_NONE, 0);
    free_made(made);
    int fd = open(junk, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, "nothing of that kind", 20), 20);
    close(fd);
    refused("none.mcap", "none.mcap", NULL);
    refused("junk.mcap", junk, NULL);
    refused("no topic is to be played", path, "--topic=/nowhere");
    refused("nothing is left behind that", path, "--start=1h");
    refused("is before the first message", path, "--until=1970-01-02");
    refused("option --start: 'noon' is no time; give it", path, "--start=noon");
    refused("option --wait-for: /nowhere is not played", path, "--wait-for=/nowhere");
    refused("is no expression", path, "--regex=(");
    refused("give --memory=", path, "--memory=1M");
    refused("is none of: auto, io_uring, pread", path, "--reader=aio");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)

int main(int argc, char **argv)
{
#ifdef SLUICE_HAVE_URING
    if (argc > 2 && strcmp(argv[1], "--without-uring") == 0)
        return run_without_uring(argv + 2);
#endif
    (void)argc, (void)argv;

    const struct CMUnitTest tests[] = {
        TEST(every_format_is_played),
        TEST(the_order_is_the_same_at_any_rate),
        TEST(logs_are_played_together),
        TEST(lockstep_waits_for_the_release_by_lossless_readers_only),
        TEST(the_clock_waits_for_late_messages),
        TEST(large_messages_stand_where_they_were_read_to),
        TEST(a_slow_reader_loses_nothing),
#ifdef FROM_POOLS
        TEST(the_file_is_read_into_the_pool),
        TEST(auto_reads_what_is_cached_from_the_cache),
#endif
        TEST(a_log_that_is_cut_while_it_is_played_is_told),
        TEST(a_log_that_is_removed_while_it_is_played_is_played_on),
#ifdef SLUICE_HAVE_URING
        TEST(where_io_uring_is_forbidden_pread_reads),
#endif
        TEST(its_own_time_is_kept),
        TEST(latched_messages_come_to_late_subscribers),
        TEST(a_part_of_the_log_may_be_played),
        TEST(a_duration_may_be_played),
        TEST(topics_are_chosen_by_expressions),
        TEST(topics_are_played_under_other_names),
        TEST(every_topic_is_waited_for),
        TEST(it_begins_again_when_asked),
        TEST(keys_steer_it),
        TEST(keys_move_it_by_ten_seconds),
#ifdef HAS_PLAIN_MEMORY
        TEST(memory_does_not_grow_with_the_log),
#endif
        TEST(damage_that_shows_late_is_passed_over),
        TEST(messages_may_become_far_larger),
        TEST(what_cannot_be_played_is_told),
    };
    cmocka_set_test_filter(getenv("SLUICE_TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
