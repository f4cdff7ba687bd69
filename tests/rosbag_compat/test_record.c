/* SPDX-License-Identifier: Apache-2.0 */
/* The recorder as a process, publishers here, and its files read by the codec. */
#include "core/base/clock.h"
#include "core/shm/sluice.h"
#include "rosbag_compat/files.h"
#include "rosbag_compat/sqlite.h"
#include "tests/emulated.h"
#include "tests/rosbag_compat/record_support.h"
#include "tests/rosbag_compat/support.h"
#include "tests/tools/harness.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SLOT       (256u << 10)
#define INLINE_MAX 64
#define IMU        "sensor_msgs/msg/Imu"
#define OPAQUE     "test/msg/Bytes"

/* Publishing. ---------------------------------------------------------------------------------- */

static void fill(uint8_t *to, size_t size, uint64_t seed)
{
    for (size_t i = 0; i < size; i++)
        to[i] = (uint8_t)((seed * 2654435761u + i * (i >> 7 | 1)) >> 3);
}

/* From 1 byte to a whole slot; every seventh is large. */
static size_t size_of(uint64_t seq)
{
    return seq % 7 == 0 ? SLOT - seq % 97 : seq % 3 == 0 ? 1 + seq % INLINE_MAX : 100 + seq % 4000;
}

static struct sl_publisher *open_publisher(const char *topic, const char *type, uint32_t retain)
{
    struct sl_publisher *p = NULL;
    const struct sl_publisher_options o = {.topic = topic,
                                           .type = type,
                                           .slot_size = SLOT,
                                           .inline_max = INLINE_MAX,
                                           .retain = retain,
                                           .lossless = true,
                                           .lossless_timeout_ns = INT64_MAX};
    assert_fine(sl_publisher_open(&o, &p));
    return p;
}

static struct sl_loan loan_of(struct sl_publisher *p)
{
    struct sl_loan loan;
    int err;
    while ((err = sl_publisher_loan(p, &loan)) == -EAGAIN)
        assert_fine(sl_publisher_wait(p, LIMIT_MS * (int64_t)SL_NS_PER_MS));
    assert_fine(err);
    return loan;
}

/* Whole, inline, or in three pieces. */
static void publish(struct sl_publisher *p, uint64_t seq)
{
    static uint8_t body[SLOT];
    size_t size = size_of(seq);
    fill(body, size, seq);
    if (seq % 3 == 0 && size <= INLINE_MAX) {
        int err;
        while ((err = sl_publisher_publish_inline(p, body, size, &(struct sl_message){0})) ==
               -EAGAIN)
            nap_us(1000);
        assert_fine(err);
        return;
    }
    struct sl_loan loan = loan_of(p);
    struct sl_message m = {.body_length = (uint32_t)size};
    struct sl_range ranges[3];
    memcpy(loan.data, body, size);
    if (seq % 5 == 0) { /* a piece beside, one behind its place, one before */
        uint32_t third = (uint32_t)size / 3, rest = (uint32_t)size - 2 * third;
        memcpy(loan.data, body + third, third);
        memcpy((uint8_t *)loan.data + SLOT / 2, body, third);
        memcpy((uint8_t *)loan.data + third, body + 2 * third, rest);
        if (third + rest <= SLOT / 2 && SLOT / 2 + third <= SLOT) {
            ranges[0] = (struct sl_range){SL_AREA_SLOT, SLOT / 2, third};
            ranges[1] = (struct sl_range){SL_AREA_SLOT, 0, third};
            ranges[2] = (struct sl_range){SL_AREA_SLOT, third, rest};
            m = (struct sl_message){.ranges = ranges, .range_count = 3};
        } else {
            memcpy(loan.data, body, size);
        }
    }
    assert_fine(sl_publisher_publish(p, &loan, &m));
}

static void publish_all(struct sl_publisher *p, uint64_t from, uint64_t to)
{
    for (uint64_t seq = from; seq <= to; seq++)
        publish(p, seq);
}

/* Reading. ------------------------------------------------------------------------------------- */

static int read_file_at(void *state, uint64_t offset, void *to, size_t size)
{
    return pread(*(int *)state, to, size, (off_t)offset) == (ssize_t)size ? 0 : -EIO;
}

struct seen {
    unsigned topics, messages;
    uint64_t first, last; /* sequence numbers, of `topic` */
    bool was_indexed;
};

/* Every message of a file is what was published; those of `topic` follow each other. */
static struct seen read_log(const char *path, const char *topic, unsigned flags)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    struct seen seen = {0};
    struct sl_log *log;
    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    const struct sl_log_source source = {
        .read_at = read_file_at, .state = &fd, .size_bytes = (uint64_t)st.st_size};
    assert_fine(sl_mcap_open(&source, flags, &log));
    seen.topics = log->topic_count;
    seen.was_indexed = log->was_indexed;
    for (uint32_t b = 0; b < log->block_count; b++) {
        uint8_t *bytes = malloc(log->blocks[b].size_bytes + 1), *expected = malloc(SLOT);
        size_t size, at = 0;
        struct sl_log_message m;
        assert_non_null(bytes);
        assert_non_null(expected);
        int err = sl_log_load(log, b, bytes, &size);
        assert_true(err == 0 || log->blocks[b].is_damaged);
        while (err == 0 && sl_log_walk(log, b, bytes, size, &at, &m) == 1) {
            fill(expected, size_of(m.sequence), m.sequence);
            assert_int_equal(m.size_bytes, size_of(m.sequence));
            assert_memory_equal(bytes + m.offset, expected, m.size_bytes);
            assert_true(m.publish_ns <= m.receive_ns + SL_NS_PER_S);
            seen.messages++;
            if (strcmp(log->topics[m.topic].name, topic) != 0)
                continue;
            if (seen.first == 0)
                seen.first = m.sequence;
            else
                assert_int_equal(m.sequence, seen.last + 1);
            seen.last = m.sequence;
        }
        free(bytes);
        free(expected);
    }
    sl_log_close(log);
    close(fd);
    return seen;
}

static void everything_is_in_the_file_as_it_was_published(void **state)
{
    (void)state;
    struct sl_publisher *imu = open_publisher("/imu", IMU, 0);
    struct sl_publisher *opaque = open_publisher("/opaque", OPAQUE, 0);
    struct child r = start("record", "/imu", "/opaque", "--lossless", "-o", harness_path("a.mcap"),
                           "--max-messages=400", NULL);
    await_subscribers(imu, 1);
    await_subscribers(opaque, 1);
    for (uint64_t seq = 1; seq <= 200; seq++) {
        publish(imu, seq);
        publish(opaque, seq);
    }
    assert_int_equal(wait_for(r.pid), 0);
    struct seen seen = read_log(harness_path("a.mcap"), "/imu", 0);
    assert_int_equal(seen.topics, 2);
    assert_int_equal(seen.messages, 400);
    assert_int_equal(seen.last, 200);
    assert_true(seen.was_indexed);
    sl_publisher_close(imu);
    sl_publisher_close(opaque);
}

/* Do this build's libraries know how? */
static bool is_built(const char *format, const char *compression)
{
    struct sl_sqlite *db = NULL;
    if (strstr(compression, "lz4"))
        return sl_compression_is_built(SL_COMPRESSION_LZ4);
    if (strstr(compression, "zstd"))
        return sl_compression_is_built(SL_COMPRESSION_ZSTD);
    if (!strstr(format, "sqlite"))
        return true;
    bool is_built = sl_sqlite_create(harness_path("probe"), &db) != -ENOTSUP;
    sl_sqlite_close(db);
    return is_built;
}

/* A log, or as many as there are: "part_#.bag" is part_0.bag, part_1.bag ... */
static void add_files(struct sl_log_set *set, const char *path)
{
    const char *mark = strchr(path, '#');
    if (!mark) {
        assert_fine(sl_log_set_add(set, path, 0));
        return;
    }
    for (unsigned number = 0;; number++) {
        char name[320];
        snprintf(name, sizeof name, "%.*s%u%s", (int)(mark - path), path, number, mark + 1);
        if (access(name, R_OK) < 0)
            break;
        assert_fine(sl_log_set_add(set, name, 0));
    }
}

/* Of logs in which messages have no number: the n-th of a topic is the n-th that was published,
 * /latched has the first only. Returns how many of `topic` there are. */
static unsigned count_in_order(const char *path, const char *topic, unsigned *ret_files)
{
    struct sl_log_set set = {0};
    unsigned counts[8] = {0}, of_topic = 0;
    add_files(&set, path);
    *ret_files = set.count;
    for (unsigned f = 0; f < set.count; f++) {
        struct sl_log *log = set.logs[f];
        for (uint32_t b = 0; b < log->block_count; b++) {
            uint8_t *bytes = malloc(log->blocks[b].size_bytes + 1), *expected = malloc(SLOT);
            size_t size, at = 0;
            struct sl_log_message m;
            assert_true(bytes && expected);
            assert_fine(sl_log_load(log, b, bytes, &size));
            while (sl_log_walk(log, b, bytes, size, &at, &m) == 1) {
                const char *name = log->topics[m.topic].name;
                bool is_latched = strcmp(name, "/latched") == 0;
                uint64_t seq = is_latched ? 1 : ++counts[(unsigned char)name[1] % 8];
                fill(expected, size_of(seq), seq);
                assert_int_equal(m.size_bytes, size_of(seq));
                assert_memory_equal(bytes + m.offset, expected, m.size_bytes);
                of_topic += strcmp(name, topic) == 0;
            }
            free(bytes);
            free(expected);
        }
    }
    for (unsigned i = 0; i < set.note_count; i++) /* a killed recorder is noted, too */
        assert_null(strstr(set.notes[i], "is missing"));
    sl_log_set_close(&set);
    return of_topic;
}

static uint64_t largest_in(const char *folder)
{
    uint64_t largest = 0;
    DIR *entries = opendir(folder);
    assert_non_null(entries);
    for (struct dirent *entry; (entry = readdir(entries));) {
        struct stat st;
        if (strstr(entry->d_name, "part") && fstatat(dirfd(entries), entry->d_name, &st, 0) == 0 &&
            S_ISREG(st.st_mode) && (uint64_t)st.st_size > largest)
            largest = (uint64_t)st.st_size;
    }
    closedir(entries);
    return largest;
}

/* Each format has everything, in files no larger than asked for, with the latched message in each.
 */
static void every_format_holds_what_was_published(void **state)
{
    (void)state;
    static const struct {
        const char *format, *compression, *name, *files, *within;
    } formats[] = {
        {"--format=rosbag2", "--compression=none", "part_m", "part_m", "part_m"},
        {"--format=rosbag2-sqlite", "--compression=none", "part_s", "part_s", "part_s"},
        {"--format=auto", "--compression=zstd", "part_z.mcap", "part_z_#.mcap", "."},
    };
    for (unsigned i = 0; i < sizeof formats / sizeof *formats; i++) {
        if (!is_built(formats[i].format, formats[i].compression))
            continue;
        struct sl_publisher *many = open_publisher("/many", OPAQUE, 0);
        struct sl_publisher *latched = open_publisher("/latched", OPAQUE, 1);
        unsigned files = 0, all_files = 0, latches = 0, found = 0;
        char path[300];
        struct child r = start("record", "/many", "/latched", "--lossless", formats[i].format,
                               formats[i].compression, "-o", harness_path(formats[i].name),
                               "--split-size=1M", "--max-messages=151", NULL);
        await_subscribers(many, 1);
        await_subscribers(latched, 1);
        publish(latched, 1);
        await_read(latched);
        publish_all(many, 1, 150);
        assert_int_equal(wait_for(r.pid), 0);
        snprintf(path, sizeof path, "%s", harness_path(formats[i].files));
        found = count_in_order(path, "/many", &files);
        latches = count_in_order(path, "/latched", &all_files);
        assert_int_equal(found, 150);
        assert_true(files > 3);
        assert_int_equal(latches, files);
        uint64_t largest = largest_in(harness_path(formats[i].within));
        assert_true(largest > 600000 && largest <= 1 << 20);
        sl_publisher_close(many);
        sl_publisher_close(latched);
    }
}

/* Of a log that is being written, too: its whole messages, or those with that body on a topic. */
static unsigned count_in_log(struct sl_log *log, const char *topic, const uint8_t *expected,
                             size_t expected_size)
{
    unsigned count = 0;
    for (uint32_t b = 0; b < log->block_count; b++) {
        uint8_t *bytes = malloc(log->blocks[b].size_bytes + 1);
        size_t size, at = 0;
        struct sl_log_message m;
        assert_non_null(bytes);
        if (sl_log_load(log, b, bytes, &size) == 0)
            while (sl_log_walk(log, b, bytes, size, &at, &m) == 1)
                count += !topic || (strcmp(log->topics[m.topic].name, topic) == 0 &&
                                    m.size_bytes == expected_size &&
                                    memcmp(bytes + m.offset, expected, expected_size) == 0);
        free(bytes);
    }
    return count;
}

/* The same of a path; 0 while it cannot be read. */
static uint64_t count_readable(const char *path)
{
    struct sl_log_set set = {0};
    uint64_t count = 0;
    int err = sl_log_set_add(&set, path, 0);
    for (unsigned f = 0; f < set.count && err == 0; f++)
        count += count_in_log(set.logs[f], NULL, NULL, 0);
    sl_log_set_close(&set);
    return count;
}

/* Until so many have been written. */
static void await_readable(const char *path, uint64_t count)
{
    uint64_t found = 0;
    for (int i = 0; i < LIMIT_MS / 10 && (found = count_readable(path)) < count; i++)
        nap_us(10000);
    assert_true(found >= count);
}

/* A database, too, has what was flushed, whenever its writer is killed. */
static void killed_recorder_of_a_database_leaves_what_is_older(void **state)
{
    (void)state;
    if (!is_built("rosbag2-sqlite", "none")) {
        print_message("SKIP: built without libsqlite3\n");
        skip();
    }
    struct sl_publisher *p = open_publisher("/p", OPAQUE, 0);
    struct child r = start("record", "/p", "--lossless", "--flush=20ms", "--format=rosbag2-sqlite",
                           "-o", harness_path("killed"), NULL);
    unsigned files;
    await_subscribers(p, 1);
    publish_all(p, 1, 50);
    await_readable(harness_path("killed"), 50);
    publish_all(p, 51, 60);
    kill(r.pid, SIGKILL);
    assert_int_equal(wait_for(r.pid), 256 + SIGKILL);
    assert_true(count_in_order(harness_path("killed"), "/p", &files) >= 50);
    sl_publisher_close(p);
}

/* metadata.yaml names the files that have ended: the one that was being written is found beside
 * them. All that is older than the flush is saved, and the loss of the end told. */
static void killed_recorder_of_a_split_folder_leaves_its_last_file(void **state)
{
    (void)state;
    static const char *const formats[] = {"rosbag2", "rosbag2-sqlite"};
    for (unsigned i = 0; i < 2; i++) {
        char format[64], folder[300], metadata[320], saved[32];
        unsigned files;
        if (!is_built(formats[i], "none"))
            continue;
        snprintf(format, sizeof format, "--format=%s", formats[i]);
        snprintf(folder, sizeof folder, "%s", harness_path(formats[i]));
        snprintf(metadata, sizeof metadata, "%s/metadata.yaml", folder);
        snprintf(saved, sizeof saved, "saved_%u.mcap", i);
        struct sl_publisher *p = open_publisher("/p", OPAQUE, 0);
        struct child r = start("record", "/p", "--lossless", "--flush=20ms", "--split-size=1M",
                               format, "-o", folder, NULL);
        await_subscribers(p, 1);
        publish_all(p, 1, 100); /* several files */
        await_readable(folder, 100);
        assert_int_equal(access(metadata, F_OK), 0);
        kill(r.pid, SIGKILL);
        assert_int_equal(wait_for(r.pid), 256 + SIGKILL);
        assert_int_equal(count_in_order(folder, "/p", &files), 100);
        assert_true(files > 2);
        struct run info = run("sluice", "info", folder, NULL);
        assert_int_equal(info.status, 0);
        assert_has(info.err, ": its recorder was stopped");
        run_free(&info);
        struct run check = run("sluice", "check", folder, NULL);
        assert_int_equal(check.status, 3);
        assert_has(check.out, "metadata.yaml does not name");
        run_free(&check);
        struct run recover = run("sluice", "recover", folder, harness_path(saved), NULL);
        assert_int_equal(recover.status, 3);
        assert_has(recover.out, "metadata.yaml does not name");
        run_free(&recover);
        assert_int_equal(count_in_order(harness_path(saved), "/p", &files), 100);
        sl_publisher_close(p);
    }
}

/* Whoever reads a database keeps its writer from taking its write-ahead log into it: that stays
 * beside it then, and the recording goes on. */
static void folder_may_be_read_while_it_is_recorded(void **state)
{
    (void)state;
    char folder[300];
    unsigned files;
    if (!is_built("rosbag2-sqlite", "none")) {
        print_message("SKIP: built without libsqlite3\n");
        skip();
    }
    struct sl_log_set set = {0};
    struct sl_publisher *p = open_publisher("/p", OPAQUE, 0);
    snprintf(folder, sizeof folder, "%s", harness_path("read"));
    struct child r = start("record", "/p", "--lossless", "--flush=20ms", "--split-size=1M",
                           "--format=rosbag2-sqlite", "-o", folder, "--max-messages=150", NULL);
    await_subscribers(p, 1);
    publish_all(p, 1, 10);
    await_readable(folder, 10);
    assert_fine(sl_log_set_add(&set, folder, 0));
    assert_int_equal(count_in_log(set.logs[0], NULL, NULL, 0), 10);
    publish_all(p, 11, 150);
    assert_int_equal(wait_for(r.pid), 0);
    assert_int_equal(count_in_order(folder, "/p", &files), 150);
    sl_log_set_close(&set);
    assert_int_equal(count_in_order(folder, "/p", &files), 150);
    assert_true(files > 3);
    sl_publisher_close(p);
}

/* A bag's messages are ROS 1's, of its types, whatever split and compression. */
static void bags_hold_messages_as_ros_1_has_them(void **state)
{
    (void)state;
    static const char *const compressions[] = {"--compression=none", "--compression=lz4"};
    enum {
        HEAD = 8
    }; /* encapsulation, length */
    for (int i = 0; i < 2; i++) {
        if (!is_built("rosbag1", compressions[i]))
            continue;
        struct sl_publisher *p = open_publisher("/text", "std_msgs/msg/String", 0);
        struct sl_log_set set = {0};
        unsigned count = 0;
        struct child r =
            start("record", "/text", "--lossless", "--overwrite", "--split-size=1M",
                  compressions[i], "-o", harness_path("b.bag"), "--max-messages=41", NULL);
        await_subscribers(p, 1);
        for (uint64_t seq = 1; seq <= 41; seq++) {
            struct sl_loan loan = loan_of(p);
            uint8_t *to = loan.data;
            uint32_t size = (uint32_t)(size_of(7 * seq) - HEAD);
            memcpy(to, "\0\1\0\0", 4);
            memcpy(to + 4, &size, 4);
            memset(to + HEAD, 'a' + (int)(seq % 26), size - 1);
            to[HEAD + size - 1] = 0;
            if (seq == 20) /* longer than it is */
                memset(to + 4, 0xff, 4);
            const struct sl_message m = {.body_length = size + HEAD};
            assert_fine(sl_publisher_publish(p, &loan, &m));
        }
        assert_int_equal(wait_for(r.pid), 0);
        add_files(&set, harness_path("b_#.bag"));
        assert_true(set.count > (i == 0 ? 8 : 0));
        for (unsigned f = 0; f < set.count; f++) {
            struct sl_log *log = set.logs[f];
            assert_string_equal(log->topics[0].type, "std_msgs/String");
            assert_string_equal(log->topics[0].encoding, "ros1");
            assert_string_equal(sl_log_topic_get(&log->topics[0], "md5sum"),
                                "992ce8a1687cec8c8bd883ec73ca41d1");
            for (uint32_t b = 0; b < log->block_count; b++) {
                uint8_t *bytes = malloc(log->blocks[b].size_bytes + 1);
                size_t size, at = 0;
                struct sl_log_message m;
                assert_non_null(bytes);
                assert_fine(sl_log_load(log, b, bytes, &size));
                while (sl_log_walk(log, b, bytes, size, &at, &m) == 1) {
                    uint64_t seq = count + 1 + (count + 1 >= 20);
                    count++;
                    uint32_t length;
                    memcpy(&length, bytes + m.offset, sizeof length);
                    assert_int_equal(length, size_of(7 * seq) - HEAD - 1);
                    assert_int_equal(m.size_bytes, length + 4);
                    assert_int_equal(bytes[m.offset + 4], 'a' + (int)(seq % 26));
                    assert_int_equal(bytes[m.offset + m.size_bytes - 1], 'a' + (int)(seq % 26));
                }
                free(bytes);
            }
        }
        assert_int_equal(count, 40);
        sl_log_set_close(&set);
        sl_publisher_close(p);
        if (i == 0)
            for (int f = 0; f < 40; f++) {
                char name[16];
                snprintf(name, sizeof name, "b_%d.bag", f);
                unlink(harness_path(name));
            }
    }
}

/* Among all topics it is left out; named, it is refused. */
static void types_that_ros_1_has_not_are_refused_with_a_way_out(void **state)
{
    (void)state;
    struct sl_publisher *opaque = open_publisher("/opaque", OPAQUE, 1);
    struct sl_publisher *text = open_publisher("/text", "std_msgs/msg/String", 1);
    unsigned files;
    publish(opaque, 1);
    struct run r = run("record", "/opaque", "-o", harness_path("a.bag"), "--duration=5s", NULL);
    assert_int_equal(r.status, 1);
    assert_has(r.err, "/opaque cannot be recorded into a ROS 1 bag");
    assert_has(r.err, "record all of it into MCAP");
    run_free(&r);
    r = run("record", "--all", "-o", harness_path("b.bag"), "--duration=300ms", NULL);
    assert_int_equal(r.status, 0);
    assert_has(r.err, "/opaque: 1 messages are of a type that the format cannot hold");
    run_free(&r);
    assert_int_equal(count_in_order(harness_path("b.bag"), "/opaque", &files), 0);
    sl_publisher_close(opaque);
    sl_publisher_close(text);
}

static void types_are_explained_where_they_are_known(void **state)
{
    (void)state;
    struct sl_publisher *imu = open_publisher("/imu", IMU, 1);
    struct sl_publisher *opaque = open_publisher("/opaque", OPAQUE, 0);
    struct child r = start("record", "-e", "/(imu|opaque)", "-o", harness_path("a.mcap"),
                           "--max-messages=2", NULL);
    await_subscribers(imu, 1);
    await_subscribers(opaque, 1);
    publish(imu, 1);
    publish(opaque, 1);
    assert_int_equal(wait_for(r.pid), 0);
    size_t size;
    uint8_t *bytes = read_whole(harness_path("a.mcap"), &size);
    const struct sl_log_source source = memory_source(bytes, size);
    struct sl_log *log;
    assert_fine(sl_mcap_open(&source, 0, &log));
    assert_int_equal(log->topic_count, 2);
    for (uint32_t i = 0; i < 2; i++) {
        const struct sl_log_topic *t = &log->topics[i];
        bool is_imu = strcmp(t->name, "/imu") == 0;
        assert_string_equal(t->type, is_imu ? IMU : OPAQUE);
        assert_string_equal(t->encoding, "cdr");
        assert_string_equal(t->definition_encoding, is_imu ? "ros2msg" : "");
        assert_int_equal(t->definition_bytes > 0, is_imu);
        assert_has(sl_log_topic_get(t, "offered_qos_profiles"),
                   is_imu ? "durability: 1" : "durability: 2");
    }
    assert_string_equal(log->profile, "ros2");
    sl_log_close(log);
    free(bytes);
    sl_publisher_close(imu);
    sl_publisher_close(opaque);
}

static const char *part(int number)
{
    char name[32];
    snprintf(name, sizeof name, "s_%d.mcap", number);
    return harness_path(name);
}

/* No file is larger than asked for, nothing is lost between two, and each begins with the last
 * message of the latched topic. */
static void files_are_split_without_a_loss(void **state)
{
    (void)state;
    struct sl_publisher *many = open_publisher("/many", IMU, 0);
    struct sl_publisher *latched = open_publisher("/latched", IMU, 1);
    struct child r = start("record", "/many", "/latched", "--lossless", "-o",
                           harness_path("s.mcap"), "--split-size=1M", "--max-messages=401", NULL);
    await_subscribers(many, 1);
    await_subscribers(latched, 1);
    publish(latched, 1);
    await_read(latched); /* before the others */
    publish_all(many, 1, 400);
    assert_int_equal(wait_for(r.pid), 0);
    uint64_t last = 0;
    unsigned files = 0, repeated = 0;
    struct stat st;
    for (; stat(part((int)files), &st) == 0; files++) {
        struct seen seen = read_log(part((int)files), "/many", 0);
        assert_true(st.st_size <= 1 << 20);
        assert_true(seen.was_indexed);
        assert_int_equal(seen.topics, 2);
        assert_int_equal(seen.first, last + 1);
        repeated += seen.messages - (unsigned)(seen.last - last) == 1;
        last = seen.last;
    }
    assert_int_equal(last, 400);
    assert_true(files > 10);
    assert_int_equal(repeated, files);
    sl_publisher_close(many);
    sl_publisher_close(latched);
}

/* How often a log has what was published as `seq` on that topic. */
static unsigned count_bodies(const char *path, const char *topic, uint64_t seq)
{
    struct sl_log_set set = {0};
    uint8_t *expected = malloc(SLOT);
    unsigned count = 0;
    assert_non_null(expected);
    fill(expected, size_of(seq), seq);
    assert_fine(sl_log_set_add(&set, path, 0));
    for (unsigned f = 0; f < set.count; f++)
        count += count_in_log(set.logs[f], topic, expected, size_of(seq));
    free(expected);
    sl_log_set_close(&set);
    return count;
}

/* Each publisher of a topic latches its own, as those of /tf_static do: every file has them all,
 * and of each the last one only. */
static void each_split_has_what_every_publisher_latched(void **state)
{
    (void)state;
    struct sl_publisher *many = open_publisher("/many", IMU, 0);
    struct sl_publisher *one = open_publisher("/latched", IMU, 1);
    struct sl_publisher *other = open_publisher("/latched", IMU, 1);
    struct child r = start("record", "/many", "/latched", "--lossless", "-o",
                           harness_path("s.mcap"), "--split-size=1M", "--max-messages=103", NULL);
    await_subscribers(many, 1);
    await_subscribers(one, 1);
    await_subscribers(other, 1);
    publish(one, 1001);
    publish(other, 1002);
    publish(one, 1003);
    await_read(one);
    await_read(other);
    publish_all(many, 1, 100);
    assert_int_equal(wait_for(r.pid), 0);
    unsigned files = 0;
    for (; access(part((int)files), F_OK) == 0; files++) {
        assert_int_equal(count_bodies(part((int)files), "/latched", 1001), files == 0);
        assert_int_equal(count_bodies(part((int)files), "/latched", 1002), 1);
        assert_int_equal(count_bodies(part((int)files), "/latched", 1003), 1);
    }
    assert_true(files > 3);
    sl_publisher_close(many);
    sl_publisher_close(one);
    sl_publisher_close(other);
}

/* How often a folder was opened since the watch was set up. */
static unsigned count_opened(int watch)
{
    char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
    unsigned count = 0;
    for (ssize_t got; (got = read(watch, events, sizeof events)) > 0;)
        for (ssize_t at = 0; at < got;) {
            const struct inotify_event *event = (const void *)(events + at);
            count += event->mask & IN_ISDIR && event->len == 0;
            at += (ssize_t)(sizeof *event + event->len);
        }
    return count;
}

/* Publishers of one topic by turns, as those of /tf: each is looked for in the domain once. */
static void publishers_of_one_topic_are_looked_for_once(void **state)
{
    (void)state;
    enum {
        TURNS = 200
    };
    struct sl_publisher *p[2];
    unsigned opened = 0;
    for (int i = 0; i < 2; i++)
        p[i] = open_publisher("/tf", IMU, 0);
    struct child r = start("record", "/tf", "--lossless", "-o", harness_path("a.mcap"), NULL);
    for (int i = 0; i < 2; i++) {
        await_subscribers(p[i], 1);
        publish(p[i], 1);
        await_read(p[i]);
    }
    int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    assert_true(watch >= 0 && inotify_add_watch(watch, harness_path("root/default"), IN_OPEN) >= 0);
    for (uint64_t seq = 2; seq <= TURNS; seq++)
        for (int i = 0; i < 2; i++) {
            publish(p[i], seq);
            await_read(p[i]);
            opened += count_opened(watch); /* events of one kind become one */
        }
    assert_int_equal(stop(&r, SIGTERM), 0);
    assert_in_range(opened, 0, TURNS / 4);
    close(watch);
    for (uint64_t seq = 1; seq <= TURNS; seq++)
        assert_true(count_bodies(harness_path("a.mcap"), "/tf", seq) >= 2);
    for (int i = 0; i < 2; i++)
        sl_publisher_close(p[i]);
}

/* Until the file has its end. */
static void await_ended(const char *path)
{
    static const char end[8] = "\x89MCAP0\r\n";
    char last[8] = "";
    struct stat st;
    for (int i = 0; i < LIMIT_MS && memcmp(last, end, sizeof end) != 0; i++) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 100 &&
            pread(fd, last, sizeof last, st.st_size - (off_t)sizeof last) != (ssize_t)sizeof last)
            memset(last, 0, sizeof last);
        if (fd >= 0)
            close(fd);
        nap_us(1000);
    }
    assert_memory_equal(last, end, sizeof end);
}

static _Atomic bool goes_on;
static _Atomic unsigned flooded;

static void *flood(void *publisher)
{
    struct sl_loan loan;
    while (goes_on) {
        if (sl_publisher_loan(publisher, &loan) < 0) {
            sched_yield();
            continue;
        }
        assert_fine(
            sl_publisher_publish(publisher, &loan, &(struct sl_message){.body_length = SLOT}));
        flooded++;
    }
    return NULL;
}

/* Of the first topic, as the index says. */
static uint64_t count_messages(const char *path)
{
    struct sl_log_set set = {0};
    assert_fine(sl_log_set_add(&set, path, 0));
    uint64_t count = set.logs[0]->topics[0].message_count;
    sl_log_set_close(&set);
    return count;
}

/* They wait for the recorder, so that there is always more to be read. It is asked to end while it
 * stands still: from then on it reads what waits, and what comes until it looks for signals. */
static void the_end_comes_although_publishers_go_on(void **state)
{
    (void)state;
    enum {
        MANY = 4,
        REST_MOST = 20000
    };
    struct sl_publisher *p[MANY];
    pthread_t thread[MANY];
    struct child r = start("record", "/p", "--lossless", "--compression=zstd", "-o",
                           harness_path("a.mcap"), NULL);
    goes_on = true;
    for (int i = 0; i < MANY; i++)
        p[i] = open_publisher("/p", "a/A", 0);
    for (int i = 0; i < MANY; i++)
        await_subscribers(p[i], 1);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, flood, p[i]), 0);
    nap_us(200000);
    freeze(r.pid);
    kill(r.pid, SIGTERM);
    unsigned before = flooded;
    int status = stop(&r, SIGCONT);
    goes_on = false;
    for (int i = 0; i < MANY; i++) {
        pthread_join(thread[i], NULL);
        sl_publisher_close(p[i]);
    }
    assert_int_equal(status, 0);
    await_ended(harness_path("a.mcap"));
    assert_in_range(count_messages(harness_path("a.mcap")), 1, before + REST_MOST);
}

/* As much as fits, up to the last message before the wish; a file for each wish, by signal or by a
 * message; the latched message in each, although it has left the memory long since. */
static void snapshots_hold_the_last_bytes_before_each_wish(void **state)
{
    (void)state;
    struct sl_publisher *many = open_publisher("/many", IMU, 0);
    struct sl_publisher *latched = open_publisher("/latched", IMU, 1);
    struct sl_publisher *wish = open_publisher("/wish", OPAQUE, 0);
    struct child r = start("record", "/many", "/latched", "--lossless", "-o",
                           harness_path("s.mcap"), "--snapshot-size=2M", "--trigger=/wish", NULL);
    await_subscribers(many, 1);
    await_subscribers(latched, 1);
    await_subscribers(wish, 1);
    publish(latched, 1);
    await_read(latched);
    publish_all(many, 1, 300);
    await_read(many);
    assert_int_equal(access(part(0), F_OK), -1);
    kill(r.pid, SIGUSR1);
    await_ended(part(0));
    publish_all(many, 301, 303);
    await_read(many);
    publish(wish, 3);
    await_ended(part(1));
    publish_all(many, 304, 306); /* which nobody asks for */
    assert_int_equal(stop(&r, SIGTERM), 0);
    assert_int_equal(access(part(2), F_OK), -1);
    for (int i = 0; i < 2; i++) {
        struct stat st;
        struct seen seen = read_log(part(i), "/many", 0);
        assert_int_equal(seen.last, i == 0 ? 300 : 303);
        assert_true(seen.was_indexed && seen.first > 200 && seen.first < 270);
        assert_int_equal(seen.messages, seen.last - seen.first + 2);
        assert_int_equal(seen.topics, 2);
        assert_true(stat(part(i), &st) == 0 && st.st_size <= (2 << 20) + 65536);
    }
    sl_publisher_close(many);
    sl_publisher_close(latched);
    sl_publisher_close(wish);
}

/* What has left the memory, of each publisher. */
static void snapshots_have_what_every_publisher_latched(void **state)
{
    (void)state;
    struct sl_publisher *many = open_publisher("/many", IMU, 0);
    struct sl_publisher *one = open_publisher("/latched", IMU, 1);
    struct sl_publisher *other = open_publisher("/latched", IMU, 1);
    struct child r = start("record", "/many", "/latched", "--lossless", "-o",
                           harness_path("s.mcap"), "--snapshot-size=1M", NULL);
    await_subscribers(many, 1);
    await_subscribers(one, 1);
    await_subscribers(other, 1);
    publish(one, 1001);
    publish(other, 1002);
    publish(one, 1003);
    await_read(one);
    await_read(other);
    publish_all(many, 1, 100);
    await_read(many);
    kill(r.pid, SIGUSR1);
    await_ended(part(0));
    assert_int_equal(stop(&r, SIGTERM), 0);
    assert_int_equal(count_bodies(part(0), "/latched", 1001), 0);
    assert_int_equal(count_bodies(part(0), "/latched", 1002), 1);
    assert_int_equal(count_bodies(part(0), "/latched", 1003), 1);
    assert_int_equal(count_bodies(part(0), "/many", 1), 0);
    sl_publisher_close(many);
    sl_publisher_close(one);
    sl_publisher_close(other);
}

/* A recorder whose terminal is ours, and which draws its progress there. */
static pid_t start_on_terminal(const char *path, int *ret_terminal)
{
    char *const argv[] = {(char *)harness_program("record"),
                          (char *)"/p",
                          (char *)"--lossless",
                          (char *)"--snapshot-size=1M",
                          (char *)"-o",
                          (char *)path,
                          NULL};
    pid_t pid = forkpty(ret_terminal, NULL, NULL, NULL);
    assert_true(pid >= 0);
    if (pid == 0) {
        execv(argv[0], argv);
        _exit(127);
    }
    return pid;
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
            memmove(drawn, drawn + used - 512, 513);
            used = 512;
        }
    } while (!strstr(drawn, text));
}

static void snapshots_are_written_at_a_key(void **state)
{
    (void)state;
    char path[300];
    int terminal, status;
    snprintf(path, sizeof path, "%s", harness_path("k.mcap"));
    struct sl_publisher *p = open_publisher("/p", OPAQUE, 0);
    pid_t pid = start_on_terminal(path, &terminal);
    await_subscribers(p, 1);
    publish_all(p, 1, 5);
    await_drawn(terminal, "held: 5 messages");
    assert_int_equal(write(terminal, " ", 1), 1);
    await_drawn(terminal, "snapshot: 5 messages");
    publish_all(p, 6, 6);
    await_drawn(terminal, "held: 6 messages");
    assert_int_equal(write(terminal, "xs", 2), 2); /* x is no key */
    await_drawn(terminal, "snapshot: 6 messages");
    assert_int_equal(write(terminal, "q", 1), 1);
    while (read(terminal, path, sizeof path) > 0) /* or it may wait to be read */
        ;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    close(terminal);
    assert_int_equal(read_log(harness_path("k_0.mcap"), "/p", 0).messages, 5);
    assert_int_equal(read_log(harness_path("k_1.mcap"), "/p", 0).messages, 6);
    sl_publisher_close(p);
}

/* What would be overwritten before it is written is written first: four topics pour in more between
 * two pieces than the memory holds. */
static void snapshots_are_whole_while_messages_pour_in(void **state)
{
    (void)state;
    static const char *const names[] = {"/a", "/b", "/c", "/d"};
    struct sl_publisher *publishers[4];
    unsigned files = 0;
    struct child r = start("record", "/a", "/b", "/c", "/d", "--lossless", "-o",
                           harness_path("s.mcap"), "--snapshot-size=1500k", NULL);
    for (int i = 0; i < 4; i++) {
        publishers[i] = open_publisher(names[i], IMU, 0);
        await_subscribers(publishers[i], 1);
    }
    for (uint64_t seq = 1; seq <= 700; seq++) {
        for (int i = 0; i < 4; i++)
            publish(publishers[i], seq);
        if (seq % 40 == 0)
            kill(r.pid, SIGUSR1);
    }
    assert_int_equal(stop(&r, SIGTERM), 0);
    for (; access(part((int)files), F_OK) == 0; files++) {
        unsigned messages = 0, expected = 0;
        for (int i = 0; i < 4; i++) {
            struct seen seen = read_log(part((int)files), names[i], 0);
            messages = seen.messages;
            expected += seen.first > 0 ? (unsigned)(seen.last - seen.first + 1) : 0;
            assert_true(seen.was_indexed);
        }
        assert_int_equal(messages, expected);
        assert_true(messages > 5); /* a megabyte of small and large ones */
    }
    assert_true(files > 3);
    for (int i = 0; i < 4; i++)
        sl_publisher_close(publishers[i]);
}

static void snapshots_hold_no_more_than_the_last_seconds(void **state)
{
    (void)state;
    struct sl_publisher *p = open_publisher("/p", IMU, 0);
    struct child r =
        start("record", "/p", "--lossless", "-o", harness_path("s.mcap"), "--snapshot=4s", NULL);
    await_subscribers(p, 1);
    publish_all(p, 1, 20);
    await_read(p);
    nap_us(4200000);
    publish_all(p, 21, 30);
    await_read(p);
    kill(r.pid, SIGUSR1);
    assert_int_equal(stop(&r, SIGTERM), 0); /* it was asked for before the end */
    struct seen seen = read_log(part(0), "/p", 0);
    assert_int_equal(seen.first, 21);
    assert_int_equal(seen.last, 30);
    sl_publisher_close(p);
}

static void topics_that_appear_later_are_found_and_excluded_ones_are_not(void **state)
{
    (void)state;
    struct child r = start("record", "--all", "-x", "/secret/.*", "-o", harness_path("a.mcap"),
                           "--lossless", "--max-messages=100", NULL);
    nap_us(300000);
    struct sl_publisher *secret = open_publisher("/secret/x", IMU, 0);
    struct sl_publisher *later = open_publisher("/later", IMU, 0);
    await_subscribers(later, 1);
    await_subscribers(secret, 0);
    publish_all(secret, 1, 10);
    publish_all(later, 1, 100);
    assert_int_equal(wait_for(r.pid), 0);
    struct seen seen = read_log(harness_path("a.mcap"), "/later", 0);
    assert_int_equal(seen.topics, 1);
    assert_int_equal(seen.last, 100);
    sl_publisher_close(secret);
    sl_publisher_close(later);
}

/* At whatever moment it is killed: what was flushed is there, and the flush was not waited for in
 * vain; test_record_trouble.c looks at how soon it comes. */
static void killed_recorder_leaves_what_is_older_than_its_flush(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++) {
        char name[32], path[300];
        snprintf(name, sizeof name, "k_%d.mcap", i);
        snprintf(path, sizeof path, "%s", harness_path(name));
        struct sl_publisher *p = open_publisher("/p", IMU, 0);
        struct child r = start("record", "/p", "--lossless", "--flush=20ms", "-o", path, NULL);
        await_subscribers(p, 1);
        uint64_t seq = 0;
        for (int k = 0; k < 10 + 7 * i; k++) {
            publish(p, ++seq);
            nap_us(1000);
        }
        uint64_t sure = seq;
        await_readable(path, sure);
        for (int k = 0; k < 3 * i; k++)
            publish(p, ++seq);
        kill(r.pid, SIGKILL);
        assert_int_equal(wait_for(r.pid), 256 + SIGKILL);
        struct seen seen = read_log(path, "/p", 0);
        assert_false(seen.was_indexed);
        assert_int_equal(seen.first, 1);
        assert_true(seen.last >= sure && seen.last <= seq);
        sl_publisher_close(p);
    }
}

static void ended_recorder_has_what_was_published_before(void **state)
{
    (void)state;
    struct sl_publisher *p = open_publisher("/p", IMU, 0);
    struct child r = start("record", "/p", "--lossless", "-o", harness_path("a.mcap"), NULL);
    await_subscribers(p, 1);
    publish_all(p, 1, 60);
    assert_int_equal(stop(&r, SIGTERM), 0);
    struct seen seen = read_log(harness_path("a.mcap"), "/p", 0);
    assert_int_equal(seen.last, 60);
    assert_true(seen.was_indexed);
    sl_publisher_close(p);
}

static void refused(const char *expected, char *const *arguments)
{
    struct run r = run_arguments(arguments);
    assert_int_not_equal(r.status, 0);
    assert_has(r.err, expected);
    run_free(&r);
}
#define REFUSED(expected, ...) \
    refused(expected, (char *const[]){(char *)harness_program("record"), __VA_ARGS__, NULL})

static void bad_wishes_are_refused_with_a_way_out(void **state)
{
    (void)state;
    char there[256], folder[256], taken[320];
    snprintf(there, sizeof there, "%s", harness_path("there.mcap"));
    close(open(there, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    snprintf(folder, sizeof folder, "%s", harness_path("none/x.mcap"));
    snprintf(taken, sizeof taken, "--output=%s", there);
    REFUSED("nothing is to be recorded", (char *)"-o", (char *)"x.mcap");
    REFUSED("give it in full, as '/points'", (char *)"points");
    REFUSED("is there already; take another name, or --overwrite", (char *)"/p", taken);
    REFUSED("cannot be made: No such file", (char *)"/p", (char *)"-o", folder);
    REFUSED("no format has the ending .dat", (char *)"/p", (char *)"-o", (char *)"x.dat");
    REFUSED("is no expression", (char *)"-e", (char *)"(");
    REFUSED("give at least 64k", (char *)"/p", (char *)"--split-size=1k");
    REFUSED("each snapshot is one file", (char *)"/p", (char *)"--snapshot=1s",
            (char *)"--split-size=1M");
    REFUSED("option --snapshot-size", (char *)"/p", (char *)"--snapshot-size=900T");
    REFUSED("give --snapshot 30s", (char *)"/p", (char *)"--trigger=/t");
    REFUSED("no snapshots can be written into", (char *)"/p", (char *)"--snapshot=1s", (char *)"-o",
            folder);
}

/* Whatever writes: the file, the database, threads that compress. */
static void full_disk_is_told_and_the_rest_is_readable(void **state)
{
    (void)state;
    static const struct {
        const char *name, *format, *compression;
    } ways[] = {{"full.mcap", "--format=auto", "--compression=none"},
                {"packed.mcap", "--format=auto", "--compression=lz4"},
                {"database", "--format=rosbag2-sqlite", "--compression=none"}};
    char file[300];
    for (unsigned i = 0; i < sizeof ways / sizeof *ways; i++) {
        unsigned files;
        if (!is_built(ways[i].format, ways[i].compression))
            continue;
        snprintf(file, sizeof file, "%s/%s", mount_disk(0, "size=2m"), ways[i].name);
        struct sl_publisher *p = open_publisher("/p", OPAQUE, 0);
        struct child r =
            start("record", "/p", "-o", file, ways[i].format, ways[i].compression, "--lossless",
                  "--threads=3", "--flush=50ms", "--log-level=error", NULL);
        await_subscribers(p, 1);
        for (uint64_t seq = 1; seq <= 100; seq++) {
            publish(p, seq);
            nap_us(1000);
        }
        assert_int_equal(wait_for(r.pid), 1);
        assert_true(count_in_order(file, "/p", &files) >= 6);
        sl_publisher_close(p);
        unmount_disk();
    }
}

static void assert_told(const char *path, const char *part)
{
    char text[4096];
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    assert_has(text, part);
}

/* Three latched messages and one of the others are more than a file may have: what does not fit is
 * left out, and told, and no file becomes larger. */
static void splits_stay_small_beside_large_latched_messages(void **state)
{
    (void)state;
    static const char *const formats[] = {"rosbag2", "rosbag2-sqlite"};
    static const char *const names[] = {"/a", "/b", "/c"};
    for (unsigned i = 0; i < 2; i++) {
        char format[64], folder[300], told[300];
        struct sl_publisher *latched[3];
        if (!is_built(formats[i], "none"))
            continue;
        snprintf(format, sizeof format, "--format=%s", formats[i]);
        snprintf(folder, sizeof folder, "%s", harness_path(i == 0 ? "part_m" : "part_s"));
        snprintf(told, sizeof told, "%s", harness_path("told"));
        struct sl_publisher *many = open_publisher("/many", OPAQUE, 0);
        int kept = tell_into(told);
        struct child r = start("record", "/many", "/a", "/b", "/c", "--lossless", format, "-o",
                               folder, "--split-size=1M", "--max-messages=23", NULL);
        tell_as_before(kept);
        await_subscribers(many, 1);
        for (unsigned k = 0; k < 3; k++) {
            latched[k] = open_publisher(names[k], OPAQUE, 1);
            await_subscribers(latched[k], 1);
            publish(latched[k], 7 * (k + 1)); /* of nearly 256 KiB */
            await_read(latched[k]);
        }
        for (unsigned k = 1; k <= 20; k++)
            publish(many, 7 * k);
        assert_int_equal(wait_for(r.pid), 0);
        for (unsigned k = 1; k <= 20; k++)
            assert_int_equal(count_bodies(folder, "/many", 7 * k), 1);
        assert_true(count_bodies(folder, "/a", 7) > 8);
        assert_true(count_bodies(folder, "/b", 14) > 8);
        assert_int_equal(count_bodies(folder, "/c", 21), 1);
        assert_true(largest_in(folder) <= 1 << 20);
        assert_told(told, "latched messages are not repeated in further files, where they do not");
        assert_told(told, "give a larger --split-size");
        sl_publisher_close(many);
        for (unsigned k = 0; k < 3; k++)
            sl_publisher_close(latched[k]);
    }
}

/* The kernel takes a part of a write, and nothing of the next one. */
static void file_that_may_not_grow_is_told_and_the_rest_is_readable(void **state)
{
    (void)state;
    static const char *const names[] = {"limit.mcap", "limit"};
    const struct rlimit limit = {2000003, 2000003}; /* in the middle of a message */
    for (unsigned i = 0; i < 2; i++) {
        char path[300], told[300];
        struct stat file;
        unsigned files;
        snprintf(path, sizeof path, "%s", harness_path(names[i]));
        snprintf(told, sizeof told, "%s", harness_path("told"));
        struct sl_publisher *p = open_publisher("/p", OPAQUE, 0);
        int kept = tell_into(told);
        struct child r = start("record", "/p", "-o", path, "--lossless", NULL);
        tell_as_before(kept);
        await_subscribers(p, 1);
        assert_int_equal(prlimit(r.pid, RLIMIT_FSIZE, &limit, NULL), 0);
        for (uint64_t seq = 1; seq <= 100; seq++) {
            publish(p, seq);
            nap_us(1000);
        }
        assert_int_equal(wait_for(r.pid), 1);
        assert_told(told,
                    "File too large after 2.0 MB; what is there is readable: 'sluice recover ");
        if (i == 0) {
            assert_int_equal(stat(path, &file), 0);
            assert_int_equal(file.st_size, limit.rlim_cur);
        }
        assert_true(count_in_order(path, "/p", &files) >= 40);
        sl_publisher_close(p);
    }
}

static void read_only_folder_is_told(void **state)
{
    (void)state;
    static const char *const names[] = {"x.mcap", "x.bag", "x"};
    static const char *const formats[] = {"auto", "auto", "auto", "rosbag2-sqlite"};
    char path[300], format[64];
    const char *folder = mount_disk(MS_RDONLY, "size=1m");
    for (unsigned i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i < 2 ? i : 2]);
        snprintf(format, sizeof format, "--format=%s", formats[i]);
        REFUSED("Read-only file system", (char *)"/p", (char *)"-o", path, format);
        REFUSED(path, (char *)"/p", (char *)"-o", path, format);
    }
    REFUSED("no snapshots can be written into", (char *)"/p", (char *)"--snapshot=1s", (char *)"-o",
            path);
    unmount_disk();
}

#ifdef FROM_POOLS
/* What the kernel is given are the addresses of the publisher's pool: seen from outside, by a
 * writev of our own. */
static void bodies_are_written_from_the_pool(void **state)
{
    (void)state;
    SKIP_EMULATED("the emulator would load what the program shall");
    char report[256];
    unsigned long from_pools, from_elsewhere;
    snprintf(report, sizeof report, "%s", harness_path("report"));
    struct sl_publisher *p = open_publisher("/p", IMU, 0);
    setenv("LD_PRELOAD", FROM_POOLS, 1);
    setenv("FROM_POOLS_REPORT", report, 1);
    struct child r = start("record", "/p", "--lossless", "-o", harness_path("z.mcap"), NULL);
    unsetenv("LD_PRELOAD");
    unsetenv("FROM_POOLS_REPORT");
    await_subscribers(p, 1);
    for (int i = 0; i < 40; i++)
        publish(p, 7);
    assert_int_equal(stop(&r, SIGTERM), 0);
    FILE *file = fopen(report, "re");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lu %lu", &from_pools, &from_elsewhere), 2);
    fclose(file);
    assert_int_equal(from_pools, 40 * size_of(7));
    assert_true(from_elsewhere < from_pools / 100);
    sl_publisher_close(p);
}
#endif

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* they keep what was freed */
/* The most that it ever had in memory, in bytes. */
static uint64_t peak_of(pid_t pid)
{
    char path[64], line[128];
    unsigned long long kb = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    while (kb == 0 && fgets(line, sizeof line, file))
        sscanf(line, "VmHWM: %llu", &kb);
    fclose(file);
    assert_true(kb > 0);
    return kb * 1024;
}

/* Of a recorder that has written so much. */
static uint64_t peak_after(uint64_t bytes, const char *compression, const char *format,
                           const char *name)
{
    struct sl_publisher *p = open_publisher("/p", OPAQUE, 0);
    struct sl_publisher_status status = {0};
    uint64_t sent = 0;
    struct child r = start("record", "/p", "--lossless", "--overwrite", compression, format, "-o",
                           harness_path(name), "--log-level=warn", NULL);
    await_subscribers(p, 1);
    for (uint64_t seq = 7; sent < bytes; seq += 7) {
        struct sl_loan loan = loan_of(p); /* large, and quick to make */
        memcpy(loan.data, &seq, sizeof seq);
        sent += size_of(seq);
        const struct sl_message m = {.body_length = (uint32_t)size_of(seq)};
        assert_fine(sl_publisher_publish(p, &loan, &m));
    }
    assert_fine(sl_publisher_status(p, &status));
    uint64_t peak = peak_of(r.pid);
    assert_int_equal(stop(&r, SIGTERM), 0);
    sl_publisher_close(p);
    return peak;
}

/* Several times the log and hardly more memory: a place in the index has some 100 bytes. */
static void memory_does_not_grow_with_the_log(void **state)
{
    (void)state;
    static const struct {
        const char *compression, *format, *name;
        uint64_t short_bytes, long_bytes;
    } ways[] = {
        {"--compression=none", "--format=mcap", "long.mcap", 50000000, 400000000},
        {"--compression=lz4", "--format=mcap", "long.mcap", 30000000, 120000000},
        {"--compression=none", "--format=rosbag2-sqlite", "long", 30000000, 120000000},
    };
    for (unsigned i = 0; i < sizeof ways / sizeof *ways; i++) {
        if (!is_built(ways[i].format, ways[i].compression))
            continue;
        uint64_t first =
            peak_after(ways[i].short_bytes, ways[i].compression, ways[i].format, ways[i].name);
        uint64_t second =
            peak_after(ways[i].long_bytes, ways[i].compression, ways[i].format, ways[i].name);
        if (second > first + (3 << 19))
            fail_msg("%s %s: %.1f MB of memory, and %.1f", ways[i].format, ways[i].compression,
                     (double)first / 1e6, (double)second / 1e6);
    }
}

#define MEMORY_CAN_BE_MEASURED
#endif

/* The name of the next file is taken: the recording ends, and what was written is whole. */
static void file_that_is_in_the_way_of_a_split_is_told(void **state)
{
    (void)state;
    struct sl_publisher *p = open_publisher("/p", IMU, 0);
    char told[300];
    snprintf(told, sizeof told, "%s", harness_path("told"));
    close(open(part(1), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    int kept = tell_into(told);
    struct child r =
        start("record", "/p", "--lossless", "--split-size=1M", "-o", harness_path("s.mcap"), NULL);
    tell_as_before(kept);
    await_subscribers(p, 1);
    publish_all(p, 1, 200); /* as quickly as it reads: more stands in the ring when it fails */
    assert_int_equal(wait_for(r.pid), 1);
    assert_told(told, "s_1.mcap is there already; take another name, or --overwrite");
    assert_true(read_log(part(0), "/p", 0).was_indexed);
    sl_publisher_close(p);
}

static void removed_file_is_told(void **state)
{
    (void)state;
    struct sl_publisher *p = open_publisher("/p", IMU, 0);
    char told[300];
    snprintf(told, sizeof told, "%s", harness_path("told"));
    int kept = tell_into(told);
    struct child r = start("record", "/p", "--flush=20ms", "-o", harness_path("gone.mcap"), NULL);
    tell_as_before(kept);
    await_subscribers(p, 1);
    publish_all(p, 1, 3);
    assert_int_equal(unlink(harness_path("gone.mcap")), 0);
    assert_int_equal(wait_for(r.pid), 1);
    assert_told(told, "gone.mcap was removed while it was written, with ");
    sl_publisher_close(p);
}

#define TEST(name)    cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
#define ON_DISK(name) cmocka_unit_test_setup_teardown(name, harness_setup, disk_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(everything_is_in_the_file_as_it_was_published),
        TEST(every_format_holds_what_was_published),
        TEST(killed_recorder_of_a_database_leaves_what_is_older),
        TEST(killed_recorder_of_a_split_folder_leaves_its_last_file),
        TEST(folder_may_be_read_while_it_is_recorded),
        TEST(bags_hold_messages_as_ros_1_has_them),
        TEST(types_that_ros_1_has_not_are_refused_with_a_way_out),
        TEST(types_are_explained_where_they_are_known),
        TEST(files_are_split_without_a_loss),
        TEST(each_split_has_what_every_publisher_latched),
        TEST(publishers_of_one_topic_are_looked_for_once),
        TEST(the_end_comes_although_publishers_go_on),
        TEST(splits_stay_small_beside_large_latched_messages),
        TEST(snapshots_hold_the_last_bytes_before_each_wish),
        TEST(snapshots_have_what_every_publisher_latched),
        TEST(snapshots_are_written_at_a_key),
        TEST(snapshots_are_whole_while_messages_pour_in),
        TEST(snapshots_hold_no_more_than_the_last_seconds),
        TEST(topics_that_appear_later_are_found_and_excluded_ones_are_not),
        TEST(killed_recorder_leaves_what_is_older_than_its_flush),
        TEST(ended_recorder_has_what_was_published_before),
        TEST(bad_wishes_are_refused_with_a_way_out),
        ON_DISK(full_disk_is_told_and_the_rest_is_readable),
        TEST(file_that_may_not_grow_is_told_and_the_rest_is_readable),
        ON_DISK(read_only_folder_is_told),
#ifdef MEMORY_CAN_BE_MEASURED
        TEST(memory_does_not_grow_with_the_log),
#endif
        TEST(file_that_is_in_the_way_of_a_split_is_told),
        TEST(removed_file_is_told),
#ifdef FROM_POOLS
        TEST(bodies_are_written_from_the_pool),
#endif
    };
    cmocka_set_test_filter(getenv("SLUICE_TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
