/* SPDX-License-Identifier: Apache-2.0 */
/* The recorder killed at random moments in every format, on a full or a broken disk, without its
 * file, with too many topics, slower than its publishers; and files that are split by time. Every
 * message is a text with its number.
 *
 * SLUICE_SEED=N repeats the moments of a run that printed it. */
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
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEXT_MAX (64u << 10)
#define SLOT     (TEXT_MAX + 4096)
#define SPAN_MAX 200000 /* messages of one test */

/* Texts. --------------------------------------------------------------------------------------- */

/* Bytes of a text, its 0 included; some are large. */
static uint32_t size_of(uint64_t seq)
{
    return (uint32_t)(seq % 11 == 0 ? TEXT_MAX - seq % 97 : 20 + seq * 7919 % 4000);
}

/* A string as ROS 2 writes it: length, text, 0; the text is its number and letters after it. */
static void write_text(uint8_t *to, uint64_t seq)
{
    uint32_t size = size_of(seq);
    memcpy(to, &size, sizeof size);
    snprintf((char *)to + 4, 12, "%010llu ", (unsigned long long)seq);
    uint32_t letter = (uint32_t)seq; /* which hardly compress */
    for (uint32_t i = 11; i < size - 1; i++) {
        letter = letter * 1664525u + 1013904223u;
        to[4 + i] = (uint8_t)('!' + (letter >> 24) % 90);
    }
    to[4 + size - 1] = 0;
}

static struct sl_publisher *open_publisher(const char *topic, uint32_t subscribers)
{
    struct sl_publisher *p = NULL;
    const struct sl_publisher_options o = {.topic = topic,
                                           .type = "std_msgs/msg/String",
                                           .slot_size = SLOT,
                                           .subscribers = subscribers,
                                           .lossless = true,
                                           .lossless_timeout_ns = INT64_MAX};
    assert_fine(sl_publisher_open(&o, &p));
    return p;
}

/* -EAGAIN: a lossless subscriber is behind. */
static int try_to_publish(struct sl_publisher *p, uint64_t seq)
{
    static const uint8_t little_endian_cdr[4] = {0, 1, 0, 0};
    struct sl_loan loan;
    int err = sl_publisher_loan(p, &loan);
    if (err < 0)
        return err;
    const struct sl_message m = {.body_length = size_of(seq) + 8};
    memcpy(loan.data, little_endian_cdr, 4);
    write_text((uint8_t *)loan.data + 4, seq);
    return sl_publisher_publish(p, &loan, &m);
}

static void publish(struct sl_publisher *p, uint64_t seq)
{
    int err;
    while ((err = try_to_publish(p, seq)) == -EAGAIN)
        assert_fine(sl_publisher_wait(p, LIMIT_MS * (int64_t)SL_NS_PER_MS));
    assert_fine(err);
}

/* What a log has: numbers that grow, each with its own text. */
struct found {
    uint64_t count, first, last; /* numbers */
    uint64_t first_ns, last_ns;
};

static void find_in(struct sl_log *log, struct found *found)
{
    static uint8_t wanted[TEXT_MAX + 4];
    for (uint32_t b = 0; b < log->block_count; b++) {
        uint8_t *bytes = malloc(log->blocks[b].size_bytes + 1);
        size_t size = 0, at = 0;
        struct sl_log_message m;
        assert_non_null(bytes);
        int err = sl_log_load(log, b, bytes, &size);
        assert_true(err == 0 || log->blocks[b].is_damaged);
        while (err == 0 && sl_log_walk(log, b, bytes, size, &at, &m) == 1) {
            const uint8_t *body = bytes + m.offset;
            bool is_cdr = strcmp(log->topics[m.topic].encoding, "cdr") == 0;
            size_t head = is_cdr ? 4 : 0; /* encapsulation */
            assert_true(m.size_bytes > head + 16);
            uint64_t seq = strtoull((const char *)body + head + 4, NULL, 10);
            write_text(wanted, seq);
            if (!is_cdr) { /* ROS 1 has no 0 behind it */
                const uint32_t length = size_of(seq) - 1;
                memcpy(wanted, &length, sizeof length);
            }
            assert_int_equal(m.size_bytes, head + 4 + size_of(seq) - !is_cdr);
            assert_memory_equal(body + head, wanted, m.size_bytes - head);
            assert_true(seq > found->last);
            if (found->count++ == 0) {
                found->first = seq;
                found->first_ns = m.receive_ns;
            }
            found->last = seq;
            found->last_ns = m.receive_ns;
        }
        free(bytes);
    }
}

static struct found find(const char *path)
{
    struct sl_log_set set = {0};
    struct found found = {0};
    assert_fine(sl_log_set_add(&set, path, 0));
    for (unsigned f = 0; f < set.count; f++)
        find_in(set.logs[f], &found);
    sl_log_set_close(&set);
    return found;
}

/* Recorders. ----------------------------------------------------------------------------------- */

static const struct way {
    const char *name, *format, *compression;
} ways[] = {
    {"plain.mcap", "auto", "none"},
    {"lz4.mcap", "auto", "lz4"},
    {"zstd.mcap", "auto", "zstd"},
    {"plain.bag", "auto", "none"},
    {"lz4.bag", "auto", "lz4"},
    {"bz2.bag", "auto", "bz2"},
    {"folder", "rosbag2", "none"},
    {"folder_zstd", "rosbag2", "zstd"},
    {"database", "rosbag2-sqlite", "none"},
};
#define WAYS (sizeof ways / sizeof *ways)

/* Do this build's libraries know how? */
static bool is_built(const struct way *way)
{
    struct sl_sqlite *db = NULL;
    for (int i = 0; sl_compression_names[i]; i++)
        if (strcmp(sl_compression_names[i], way->compression) == 0 &&
            !sl_compression_is_built((enum sl_compression)i))
            return false;
    if (!strstr(way->format, "sqlite"))
        return true;
    bool is_built = sl_sqlite_create(harness_path("probe"), &db) != -ENOTSUP;
    sl_sqlite_close(db);
    return is_built;
}

static struct child start_recorder(const struct way *way, const char *path, const char *flush)
{
    char format[64], compression[64];
    snprintf(format, sizeof format, "--format=%s", way->format);
    snprintf(compression, sizeof compression, "--compression=%s", way->compression);
    /* Chunks end by the flush alone. */
    return start("record", "/text", "--lossless", flush, "--chunk=64M", format, compression, "-o",
                 path, "--log-level=error", NULL);
}

/* Started with what it says in a file. */
static struct child start_telling(const char *told, const char *path, const char *option)
{
    int kept = tell_into(told);
    struct child child = start("record", "/text", "--flush=20ms", "-o", path, option, NULL);
    tell_as_before(kept);
    return child;
}

static char *read_told(const char *path)
{
    size_t size;
    char *text = (char *)read_whole(path, &size);
    text = realloc(text, size + 1);
    assert_non_null(text);
    text[size] = '\0';
    return text;
}

static void await_told(const char *path, const char *part)
{
    bool is_told = false;
    for (int i = 0; i < LIMIT_MS && !is_told; i++) {
        char *text = read_told(path);
        is_told = strstr(text, part);
        free(text);
        nap_us(1000);
    }
    assert_true(is_told);
}

/* Until the file shows that they arrive. Returns the last one. */
static uint64_t publish_until_recorded(struct sl_publisher *p, const char *path)
{
    struct stat file = {0};
    uint64_t seq = 0;
    for (int i = 0; i < LIMIT_MS && file.st_size < 1 << 14; i++) {
        publish(p, ++seq);
        nap_us(1000);
        assert_int_equal(stat(path, &file), 0);
    }
    assert_true(file.st_size >= 1 << 14);
    return seq;
}

/* Killed. -------------------------------------------------------------------------------------- */

#define ROUNDS   2
#define FLUSH_NS (20 * SL_NS_PER_MS)
#define SURE_MIN 20 /* messages that a kill must not take */
#define FLUSHES  10 /* without a large message, which would go to the file at once */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || SLUICE_EMULATED
#define WORK_NS (2000 * SL_NS_PER_MS)
#else
#define WORK_NS (250 * SL_NS_PER_MS) /* for the recorder's own work on what is due */
#endif

static uint32_t random_state;

static uint32_t random_below(uint32_t limit)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (random_state >> 8) % limit;
}

/* How long its threads have been ready to run and did not get a processor. */
static uint64_t starved_ns(pid_t pid)
{
    char path[300];
    uint64_t sum = 0;
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(path);
    assert_non_null(tasks);
    for (struct dirent *task; (task = readdir(tasks));) {
        unsigned long long ran, waited;
        snprintf(path, sizeof path, "/proc/%d/task/%.20s/schedstat", (int)pid, task->d_name);
        FILE *file = task->d_name[0] == '.' ? NULL : fopen(path, "re");
        if (!file)
            continue;
        if (fscanf(file, "%llu %llu", &ran, &waited) == 2)
            sum += waited;
        fclose(file);
    }
    closedir(tasks);
    return sum;
}

struct victim {
    const struct way *way;
    pid_t pid;
    char path[300];
    uint64_t moment_ns; /* not before */
    bool is_dead;
    uint64_t sure, published; /* when it was killed: the last one that must be there, and of all */
};

static uint64_t published_ns[SPAN_MAX];

/* The last message that was older than the flush, by the time that the recorder had. */
static uint64_t last_sure(const struct victim *v, uint64_t published, uint64_t now_ns)
{
    uint64_t age_ns = FLUSH_NS + WORK_NS + starved_ns(v->pid);
    while (published > 0 && published_ns[published] + age_ns > now_ns)
        published--;
    return published;
}

/* Everything up to what is sure comes back, as it was, and nothing else. */
static void assert_saved(const struct victim *v)
{
    char saved[300];
    snprintf(saved, sizeof saved, "%s", harness_path("saved.mcap"));
    struct run r = run("sluice", "recover", v->path, saved, NULL);
    if (r.status != 0 && r.status != 3)
        fail_msg("%s cannot be saved: %s", v->way->name, r.err);
    struct found found = find(saved);
    print_message("%s: %llu of %llu messages were sure, %llu are saved\n", v->way->name,
                  (unsigned long long)v->sure, (unsigned long long)v->published,
                  (unsigned long long)found.count);
    assert_int_equal(found.first, 1);
    assert_int_equal(found.count, found.last);
    assert_true(found.last >= v->sure && found.last <= v->published);
    assert_int_equal(unlink(saved), 0);
    run_free(&r);
}

/* Recorders of all formats take the same messages, each until its moment. */
static void kill_all_once(unsigned round)
{
    struct victim victims[WAYS];
    struct sl_publisher *p = open_publisher("/text", WAYS);
    unsigned count = 0, alive;
    uint64_t seq = 0;
    for (unsigned i = 0; i < WAYS; i++) {
        struct victim *v = &victims[count];
        char name[64];
        if (!is_built(&ways[i]))
            continue;
        *v = (struct victim){.way = &ways[i]};
        snprintf(name, sizeof name, "%u_%s", round, ways[i].name);
        snprintf(v->path, sizeof v->path, "%s", harness_path(name));
        v->pid = start_recorder(v->way, v->path, "--flush=20ms").pid;
        count++;
    }
    await_subscribers(p, count);
    uint64_t start_ns = sl_clock_monotonic_ns();
    for (unsigned i = 0; i < count; i++)
        victims[i].moment_ns = start_ns + FLUSH_NS + WORK_NS + random_below(600000) * SL_NS_PER_US;
    for (alive = count; alive > 0;) {
        publish(p, ++seq);
        assert_true(seq < SPAN_MAX - 1);
        published_ns[seq] = sl_clock_monotonic_ns();
        assert_true(published_ns[seq] < start_ns + LIMIT_MS * SL_NS_PER_MS);
        nap_us(random_below(1500));
        for (unsigned i = 0; i < count; i++) {
            struct victim *v = &victims[i];
            uint64_t now_ns = sl_clock_monotonic_ns();
            if (v->is_dead || now_ns < v->moment_ns || last_sure(v, seq, now_ns) < SURE_MIN)
                continue;
            v->sure = last_sure(v, seq, now_ns);
            kill(v->pid, SIGKILL);
            assert_int_equal(wait_for(v->pid), 256 + SIGKILL);
            v->published = seq;
            v->is_dead = true;
            alive--;
        }
    }
    sl_publisher_close(p);
    for (unsigned i = 0; i < count; i++)
        assert_saved(&victims[i]);
}

static void killed_recorder_of_any_format_leaves_what_is_older_than_its_flush(void **state)
{
    (void)state;
    const char *given = getenv("SLUICE_SEED");
    uint32_t seed = given ? (uint32_t)strtoul(given, NULL, 10) : (uint32_t)getpid();
    print_message("SLUICE_SEED=%u\n", seed);
    random_state = seed;
    for (unsigned round = 0; round < ROUNDS; round++)
        kill_all_once(round);
}

static uint64_t count_readable(const char *path)
{
    struct sl_log_set set = {0};
    struct found found = {0};
    if (sl_log_set_add(&set, path, 0) == 0)
        for (unsigned f = 0; f < set.count; f++)
            find_in(set.logs[f], &found);
    sl_log_set_close(&set);
    return found.count;
}

static void await_flushed(const char *path, uint64_t count)
{
    uint64_t found = 0;
    for (int i = 0; i < LIMIT_MS && found != count; i++) {
        found = count_readable(path);
        nap_us(1000);
    }
    assert_int_equal(found, count);
}

/* Of two recorders one writes each message before another comes, and the other one, however long
 * that takes, nothing. */
static void flush_decides_when_messages_are_written(void **state)
{
    (void)state;
    for (unsigned i = 0; i < WAYS; i++) {
        char soon[300], late[300], name[64];
        if (!is_built(&ways[i]))
            continue;
        snprintf(name, sizeof name, "soon_%s", ways[i].name);
        snprintf(soon, sizeof soon, "%s", harness_path(name));
        snprintf(name, sizeof name, "late_%s", ways[i].name);
        snprintf(late, sizeof late, "%s", harness_path(name));
        struct sl_publisher *p = open_publisher("/text", 2);
        struct child a = start_recorder(&ways[i], soon, "--flush=20ms");
        struct child b = start_recorder(&ways[i], late, "--flush=1h");
        await_subscribers(p, 2);
        for (uint64_t seq = 1; seq <= FLUSHES; seq++) {
            publish(p, seq);
            await_flushed(soon, seq);
        }
        await_read(p);
        assert_int_equal(count_readable(late), 0);
        assert_int_equal(stop(&a, SIGTERM), 0);
        assert_int_equal(stop(&b, SIGTERM), 0);
        assert_int_equal(count_readable(late), FLUSHES);
        sl_publisher_close(p);
    }
}

/* Full, and gone. ------------------------------------------------------------------------------ */

static void full_disk_is_told_by_a_bag_and_the_rest_is_readable(void **state)
{
    (void)state;
    char path[300], told[300];
    snprintf(told, sizeof told, "%s", harness_path("told"));
    for (unsigned i = 0; i < WAYS; i++) {
        char option[64];
        uint64_t seq = 0;
        if (!strstr(ways[i].name, ".bag") || !is_built(&ways[i]))
            continue;
        snprintf(path, sizeof path, "%s/%s", mount_disk(0, "size=1m"), ways[i].name);
        snprintf(option, sizeof option, "--compression=%s", ways[i].compression);
        struct sl_publisher *p = open_publisher("/text", 1);
        struct child r = start_telling(told, path, option);
        await_subscribers(p, 1);
        int status = 0;
        uint64_t until_ns = sl_clock_monotonic_ns() + LIMIT_MS * SL_NS_PER_MS;
        while (waitpid(r.pid, &status, WNOHANG) == 0) {
            publish(p, ++seq); /* it loses some, rather than let us wait */
            nap_us(500);
            assert_true(sl_clock_monotonic_ns() < until_ns);
        }
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
        char *text = read_told(told);
        assert_has(text, "No space left on device after ");
        assert_has(text, "what is there is readable: 'sluice recover ");
        assert_has(text, path);
        free(text);
        assert_true(find(path).count >= 20);
        sl_publisher_close(p);
        unmount_disk();
    }
}

static void removed_bag_is_told(void **state)
{
    (void)state;
    char path[300], told[300];
    snprintf(path, sizeof path, "%s", harness_path("gone.bag"));
    snprintf(told, sizeof told, "%s", harness_path("told"));
    struct sl_publisher *p = open_publisher("/text", 1);
    struct child r = start_telling(told, path, "--lossless");
    await_subscribers(p, 1);
    publish(p, 1);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(wait_for(r.pid), 1);
    char *text = read_told(told);
    assert_has(text, "gone.bag was removed while it was written, with ");
    free(text);
    sl_publisher_close(p);
}

#if defined(FAILING_WRITES) && !SLUICE_EMULATED /* the emulator would load it */
/* A recorder that writes as long as failing_writes.c lets it. */
static struct child start_failing(const char *told, const char *path, const char *option,
                                  const char *writes)
{
    setenv("LD_PRELOAD", FAILING_WRITES, 1);
    setenv("FAILING_WRITES", writes, 1);
    struct child child = start_telling(told, path, option);
    unsetenv("LD_PRELOAD");
    unsetenv("FAILING_WRITES");
    return child;
}

/* In the middle, after half of a write; and at the end, when a bag's head is completed. */
static void broken_disk_is_told_and_the_rest_is_readable(void **state)
{
    (void)state;
    static const struct {
        struct way way;
        const char *option, *writes;
        bool is_at_end;
    } disks[] = {
        {{"plain.mcap", "auto", "none"}, "--compression=none", "writev:5", false},
        {{"zstd.mcap", "auto", "zstd"}, "--compression=zstd", "writev:5", false},
        {{"plain.bag", "auto", "none"}, "--compression=none", "writev:5", false},
        {{"head.bag", "auto", "none"}, "--compression=none", "pwrite:0", true},
        {{"database", "rosbag2-sqlite", "none"}, "--format=rosbag2-sqlite", "pwrite:1000", false},
    };
    for (unsigned i = 0; i < sizeof disks / sizeof *disks; i++) {
        char path[300], told[300];
        int status = 0;
        uint64_t seq = 0;
        snprintf(path, sizeof path, "%s", harness_path(disks[i].way.name));
        snprintf(told, sizeof told, "%s", harness_path("told"));
        if (!is_built(&disks[i].way))
            continue;
        struct sl_publisher *p = open_publisher("/text", 1);
        struct child r = start_failing(told, path, disks[i].option, disks[i].writes);
        await_subscribers(p, 1);
        while (waitpid(r.pid, &status, WNOHANG) == 0 && seq < LIMIT_MS) {
            publish(p, ++seq);
            nap_us(1000);
            if (disks[i].is_at_end && seq == 20)
                kill(r.pid, SIGTERM);
        }
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
        await_told(told, disks[i].way.name);
        await_told(told, strstr(path, "database") ? "disk I/O error" : "Input/output error");
        assert_true(count_readable(path) >= 1);
        sl_publisher_close(p);
    }
}
#endif

#define TOPICS 75 /* so that metadata.yaml takes some pages */

/* A message of each of TOPICS topics, as `sluice convert` writes them. */
static int write_folder(const char *path, enum sl_log_packing packing, unsigned first_topic)
{
    const struct sl_log_output_options o = {.kind = SL_LOG_OUTPUT_ROSBAG2,
                                            .packing = packing,
                                            .write.compression = packing == SL_LOG_PACK_FILES
                                                                     ? SL_COMPRESSION_ZSTD
                                                                     : SL_COMPRESSION_NONE};
    static uint8_t text[TEXT_MAX + 4];
    struct sl_log_output *output = NULL;
    assert_fine(sl_log_output_create(path, &o, &output));
    int err = 0;
    for (uint32_t i = 0; i < TOPICS && err == 0; i++) {
        char name[16];
        struct sl_log_message m = {.topic = i, .receive_ns = i};
        snprintf(name, sizeof name, "/text_%u", first_topic + i);
        const struct sl_log_topic topic = {.name = name,
                                           .type = "std_msgs/msg/String",
                                           .encoding = "cdr",
                                           .definition_encoding = ""};
        write_text(text, i);
        err = sl_log_output_topic(output, &topic, &m.topic);
        if (err == 0)
            err = sl_log_output_message(output, &m, text, size_of(i) + 4);
    }
    if (err == 0)
        err = sl_log_output_end(output);
    if (err == 0)
        sl_log_output_close(output);
    else
        sl_log_output_discard(output);
    return err;
}

static uint64_t pages_of(const char *folder, const char *name)
{
    char path[400];
    struct stat file;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(stat(path, &file), 0);
    return ((uint64_t)file.st_size + 4095) / 4096;
}

static void assert_leaves_nothing(enum sl_log_packing packing, uint64_t pages)
{
    char path[300], size[64];
    snprintf(size, sizeof size, "size=%llu", (unsigned long long)pages * 4096);
    snprintf(path, sizeof path, "%s/folder", mount_disk(0, size));
    assert_int_equal(write_folder(path, packing, 0), -ENOSPC);
    assert_true(access(path, F_OK) < 0 && errno == ENOENT);
    unmount_disk();
}

/* Of metadata.yaml, or of the compressed file beside the one that it is made of, a page is too
 * much.
 */
static void folder_that_a_full_disk_does_not_take_leaves_nothing(void **state)
{
    (void)state;
    char path[300];
    if (!sl_compression_is_built(SL_COMPRESSION_ZSTD))
        return;
    snprintf(path, sizeof path, "%s", harness_path("plain"));
    assert_fine(write_folder(path, SL_LOG_PACK_CHUNKS, 0));
    uint64_t plain = pages_of(path, "plain_0.mcap"), metadata = pages_of(path, "metadata.yaml");
    assert_true(metadata >= 2);
    snprintf(path, sizeof path, "%s", harness_path("packed"));
    assert_fine(write_folder(path, SL_LOG_PACK_FILES, 0));
    uint64_t packed = pages_of(path, "packed_0.mcap.zstd");
    assert_leaves_nothing(SL_LOG_PACK_CHUNKS, plain + metadata - 1);
    assert_leaves_nothing(SL_LOG_PACK_FILES, plain + packed - 1);
}

/* What fails at the end. ----------------------------------------------------------------------- */

/* A file takes its head, but not what stands in the memory when the end is asked for; or, of a
 * recorder that stands still, what it has not even taken. */
static void last_write_that_fails_is_told(void **state)
{
    (void)state;
    const struct rlimit small = {16384, RLIM_INFINITY};
    for (unsigned i = 0; i < 2 * WAYS; i++) {
        const struct way *way = &ways[i / 2];
        char path[300], told[300], name[64];
        snprintf(name, sizeof name, "%u_%s", i, way->name);
        snprintf(path, sizeof path, "%s", harness_path(name));
        snprintf(told, sizeof told, "%s", harness_path("told"));
        if (!is_built(way))
            continue;
        struct sl_publisher *p = open_publisher("/text", 1);
        int kept = tell_into(told);
        struct child r = start_recorder(way, path, "--flush=1h");
        tell_as_before(kept);
        await_subscribers(p, 1);
        assert_int_equal(prlimit(r.pid, RLIMIT_FSIZE, &small, NULL), 0);
        if (i % 2)
            freeze(r.pid);
        for (uint64_t seq = 1; seq <= 8; seq++)
            publish(p, seq);
        if (i % 2 == 0)
            await_read(p);
        kill(r.pid, SIGTERM);
        assert_int_equal(stop(&r, SIGCONT), 1);
        char *text = read_told(told);
        assert_has(text, path);
        free(text);
        sl_publisher_close(p);
    }
}

static void snapshot_that_fails_shows_in_the_exit_status(void **state)
{
    (void)state;
    char path[300];
    const struct rlimit small = {4096, RLIM_INFINITY};
    snprintf(path, sizeof path, "%s", harness_path("snapshot.mcap"));
    struct sl_publisher *p = open_publisher("/text", 1);
    struct child r = start("record", "/text", "--lossless", "--snapshot-size=1M", "-o", path, NULL);
    await_subscribers(p, 1);
    for (uint64_t seq = 1; seq <= 20; seq++)
        publish(p, seq);
    await_read(p);
    assert_int_equal(prlimit(r.pid, RLIMIT_FSIZE, &small, NULL), 0);
    kill(r.pid, SIGUSR1);
    assert_int_equal(stop(&r, SIGTERM), 1);
    sl_publisher_close(p);
}

static void metadata_that_cannot_be_written_is_told(void **state)
{
    (void)state;
    char path[300], told[300], obstacle[400];
    snprintf(path, sizeof path, "%s", harness_path("folder"));
    snprintf(told, sizeof told, "%s", harness_path("told"));
    snprintf(obstacle, sizeof obstacle, "%s/metadata.yaml.new", path);
    struct sl_publisher *p = open_publisher("/text", 1);
    struct child r = start_telling(told, path, "--lossless");
    await_subscribers(p, 1);
    assert_int_equal(mkdir(obstacle, 0700), 0);
    publish(p, 1);
    assert_int_equal(stop(&r, SIGTERM), 1);
    char *text = read_told(told);
    assert_has(text, "metadata.yaml.new: Is a directory");
    free(text);
    assert_int_equal(find(path).count, 1);
    sl_publisher_close(p);
}

/* Many topics. --------------------------------------------------------------------------------- */

static struct child play_topics(const char *name, unsigned first_topic)
{
    char path[300];
    snprintf(path, sizeof path, "%s", harness_path(name));
    assert_fine(write_folder(path, SL_LOG_PACK_CHUNKS, first_topic));
    return start("play", path, "--lossless", "--wait-for-subscribers=1", "--log-level=error", NULL);
}

/* More than a process shows in its statistics. */
static void more_topics_than_a_process_shows_are_recorded(void **state)
{
    (void)state;
    char path[300], option[64];
    snprintf(path, sizeof path, "%s", harness_path("all.mcap"));
    snprintf(option, sizeof option, "--max-messages=%u", 2 * TOPICS);
    struct child r =
        start("record", "--all", "--lossless", option, "-o", path, "--log-level=error", NULL);
    struct child a = play_topics("a", 0), b = play_topics("b", TOPICS);
    assert_int_equal(wait_for(r.pid), 0);
    assert_int_equal(wait_for(a.pid), 0);
    assert_int_equal(wait_for(b.pid), 0);
    struct sl_log_set set = {0};
    assert_fine(sl_log_set_add(&set, path, 0));
    assert_int_equal(set.logs[0]->topic_count, 2 * TOPICS);
    sl_log_set_close(&set);
}

/* Without descriptors for all: the others are, and the end tells it. */
static void topics_without_descriptors_are_told(void **state)
{
    (void)state;
    char path[300], told[300];
    const struct rlimit few = {80, 80};
    snprintf(path, sizeof path, "%s", harness_path("few.mcap"));
    snprintf(told, sizeof told, "%s", harness_path("told"));
    int kept = tell_into(told);
    struct child r = start("record", "--all", "--lossless", "-o", path, NULL);
    assert_int_equal(prlimit(r.pid, RLIMIT_NOFILE, &few, NULL), 0);
    tell_as_before(kept);
    struct child a = play_topics("a", 0);
    await_told(told, "no descriptor to wait on: Too many open files");
    assert_int_equal(stop(&r, SIGTERM), 1);
    stop(&a, SIGTERM);
    await_told(told,
               " topics were not recorded, or not from the beginning, for want of descriptors");
}

/* Too slow. ------------------------------------------------------------------------------------ */

#define TOO_MANY 500 /* messages, more than a publisher keeps */

/* Nothing of which makes us wait. */
static uint64_t publish_too_many(struct sl_publisher *p, uint64_t last)
{
    struct sl_publisher_status before, after;
    assert_fine(sl_publisher_status(p, &before));
    for (unsigned i = 0; i < TOO_MANY; i++)
        assert_int_equal(try_to_publish(p, ++last), 0);
    assert_fine(sl_publisher_status(p, &after));
    assert_int_equal(after.refused, before.refused);
    return last;
}

/* One that stands still: the publisher goes on as if it were not there; what is lost is told, by
 * reason, and is what is missing in the file. */
static void slow_recorder_stalls_nobody_and_tells_what_it_lost(void **state)
{
    (void)state;
    char path[300], told[300], part[128];
    unsigned long long messages, lost, overrun = 0, recycled = 0;
    snprintf(path, sizeof path, "%s", harness_path("slow.mcap"));
    snprintf(told, sizeof told, "%s", harness_path("told"));
    struct sl_publisher *p = open_publisher("/text", 1);
    struct child r = start_telling(told, path, "--crc");
    await_subscribers(p, 1);
    uint64_t last = publish_until_recorded(p, path);
    freeze(r.pid);
    last = publish_too_many(p, last);
    kill(r.pid, SIGCONT);
    assert_int_equal(stop(&r, SIGTERM), 0);
    char *text = read_told(told);
    const char *line = strstr(text, "/text: ");
    assert_non_null(line);
    assert_int_equal(sscanf(line, "/text: %llu messages, %*f MB, lost %llu", &messages, &lost), 2);
    assert_true(messages >= 1 && lost > 100);
    snprintf(part, sizeof part, "lost %llu (", lost);
    assert_has(text, part);
    const char *by = strstr(text, part) + strlen(part);
    for (const char *at = by; at && at < strchr(by, ')'); at = strpbrk(at + 1, ",)") + 1) {
        at += strspn(at, ", ");
        if (sscanf(at, "overrun %llu", &overrun) != 1)
            assert_int_equal(sscanf(at, "recycled %llu", &recycled), 1);
    }
    assert_int_equal(overrun + recycled, lost);
    struct found found = find(path);
    assert_int_equal(found.count, messages);
    assert_int_equal(found.last, last);
    /* of those before the first in the file some may have been lost, too */
    assert_in_range(messages + lost, last - found.first + 1, last);
    free(text);
    sl_publisher_close(p);
}

/* Told to, it lets the publisher wait, and has everything. */
static void lossless_recorder_stalls_its_publisher_and_loses_nothing(void **state)
{
    (void)state;
    char path[300], told[300];
    int err;
    snprintf(path, sizeof path, "%s", harness_path("whole.mcap"));
    snprintf(told, sizeof told, "%s", harness_path("told"));
    struct sl_publisher *p = open_publisher("/text", 1);
    struct child r = start_telling(told, path, "--lossless");
    await_subscribers(p, 1);
    uint64_t seq = publish_until_recorded(p, path), frozen_at = seq;
    freeze(r.pid);
    while ((err = try_to_publish(p, seq + 1)) == 0 && seq < frozen_at + TOO_MANY)
        seq++;
    assert_int_equal(err, -EAGAIN);
    kill(r.pid, SIGCONT);
    for (unsigned i = 0; i < TOO_MANY; i++)
        publish(p, ++seq);
    assert_int_equal(stop(&r, SIGTERM), 0);
    char *text = read_told(told);
    assert_has(text, " MB, lost 0\n");
    free(text);
    struct found found = find(path);
    assert_int_equal(found.last, seq);
    assert_int_equal(found.count, seq - found.first + 1);
    sl_publisher_close(p);
}

/* On a terminal the line that it draws each second tells it, too. */
static void progress_tells_what_was_lost(void **state)
{
    (void)state;
    char path[300], drawn[8192] = "";
    size_t used = 0;
    int terminal, status;
    snprintf(path, sizeof path, "%s", harness_path("drawn.mcap"));
    char *const argv[] = {(char *)harness_program("record"),
                          (char *)"/text",
                          (char *)"--flush=20ms",
                          (char *)"-o",
                          path,
                          NULL};
    struct sl_publisher *p = open_publisher("/text", 1);
    pid_t pid = forkpty(&terminal, NULL, NULL, NULL);
    assert_true(pid >= 0);
    if (pid == 0) {
        execv(argv[0], argv);
        _exit(127);
    }
    await_subscribers(p, 1);
    uint64_t last = publish_until_recorded(p, path);
    freeze(pid);
    publish_too_many(p, last);
    kill(pid, SIGCONT);
    while (!strstr(drawn, "  lost 4")) { /* of 500, all but what stood in the ring */
        ssize_t got = read(terminal, drawn + used, sizeof drawn - 1 - used);
        assert_true(got > 0 && used < sizeof drawn - 1);
        used += (size_t)got;
        drawn[used] = '\0';
    }
    assert_has(drawn, " s  ");
    assert_has(drawn, "drawn.mcap  1 topics  ");
    assert_has(strstr(drawn, "  lost 4"), " (");
    assert_has(strstr(drawn, "  lost 4"), ")");
    kill(pid, SIGTERM);
    while (read(terminal, drawn, sizeof drawn) > 0) /* or it may wait to be read */
        ;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    close(terminal);
    sl_publisher_close(p);
}

/* Split by time. ------------------------------------------------------------------------------- */

/* No file spans more, none ends sooner, and nothing is lost between two. */
static void files_are_split_by_duration_without_a_loss(void **state)
{
    (void)state;
    static const char *const endings[] = {"mcap", "bag"};
    const uint64_t split_ns = 100 * SL_NS_PER_MS;
    for (unsigned i = 0; i < 2; i++) {
        char path[300], name[64];
        uint64_t seq = 0, last = 0, began_ns = 0, start_ns = sl_clock_monotonic_ns();
        snprintf(name, sizeof name, "time.%s", endings[i]);
        snprintf(path, sizeof path, "%s", harness_path(name));
        struct sl_publisher *p = open_publisher("/text", 1);
        struct child r = start("record", "/text", "--lossless", "--split-duration=100ms", "-o",
                               path, "--log-level=error", NULL);
        await_subscribers(p, 1);
        while (sl_clock_monotonic_ns() < start_ns + 6 * split_ns || seq < 20) {
            publish(p, ++seq);
            nap_us(3000);
        }
        assert_int_equal(stop(&r, SIGTERM), 0);
        unsigned files = 0;
        for (;; files++) {
            snprintf(name, sizeof name, "time_%u.%s", files, endings[i]);
            if (access(harness_path(name), R_OK) < 0)
                break;
            struct found found = find(harness_path(name));
            assert_int_equal(found.first, last + 1);
            assert_int_equal(found.count, found.last - last);
            assert_true(found.last_ns - found.first_ns < split_ns);
            assert_true(files == 0 || found.first_ns - began_ns >= split_ns);
            began_ns = found.first_ns;
            last = found.last;
        }
        assert_int_equal(last, seq);
        assert_true(files >= 2);
        sl_publisher_close(p);
    }
}

#define TEST(name)    cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
#define ON_DISK(name) cmocka_unit_test_setup_teardown(name, harness_setup, disk_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(killed_recorder_of_any_format_leaves_what_is_older_than_its_flush),
        TEST(flush_decides_when_messages_are_written),
        ON_DISK(full_disk_is_told_by_a_bag_and_the_rest_is_readable),
        TEST(removed_bag_is_told),
#if defined(FAILING_WRITES) && !SLUICE_EMULATED
        TEST(broken_disk_is_told_and_the_rest_is_readable),
#endif
        ON_DISK(folder_that_a_full_disk_does_not_take_leaves_nothing),
        TEST(last_write_that_fails_is_told),
        TEST(snapshot_that_fails_shows_in_the_exit_status),
        TEST(metadata_that_cannot_be_written_is_told),
        TEST(more_topics_than_a_process_shows_are_recorded),
        TEST(topics_without_descriptors_are_told),
        TEST(slow_recorder_stalls_nobody_and_tells_what_it_lost),
        TEST(lossless_recorder_stalls_its_publisher_and_loses_nothing),
        TEST(progress_tells_what_was_lost),
        TEST(files_are_split_by_duration_without_a_loss),
    };
    cmocka_set_test_filter(getenv("SLUICE_TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
