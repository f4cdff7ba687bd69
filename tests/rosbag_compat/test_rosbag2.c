/* SPDX-License-Identifier: Apache-2.0 */
/* test_rosbag2.c - databases of each schema, and metadata.yaml of each version. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "rosbag_compat/rosbag2_metadata.h"
#include "rosbag_compat/sqlite.h"
#include "tests/rosbag_compat/support.h"

static char path[PATH_MAX];

static const char *fresh_path(void)
{
    const char *folder = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/sluice_rosbag2_%d.db3", folder ? folder : "/tmp",
             (int)getpid());
    unlink(path);
    return path;
}

static int database_fd = -1;

static int open_database(const char *name, struct sl_sqlite **ret_db)
{
    database_fd = open(name, O_RDONLY | O_CLOEXEC);
    assert_true(database_fd >= 0);
    return sl_sqlite_open(name, database_fd, ret_db);
}

static void close_database(struct sl_sqlite *db)
{
    sl_sqlite_close(db);
    close(database_fd);
}

static void write_database(int schema, const struct made *made)
{
    struct sl_sqlite *db;
    struct sl_log_writer *writer;
    assert_fine(sl_sqlite_create(fresh_path(), &db));
    struct sl_log_write_options options = {0};
    assert_fine(sl_rosbag2_sqlite_writer_create(db, schema, &options, &writer));
    write_made(made, writer);
    assert_fine(sl_log_write_end(writer));
    sl_log_writer_destroy(writer);
    sl_sqlite_close(db);
}

/* Before schema 4 there are no definitions: the expectation loses them. */
static void forget_definitions(struct made *made)
{
    for (unsigned i = 0; i < made->topic_count; i++)
        made->topics[i].definition_bytes = 0;
}

static void each_schema_is_read(void **state)
{
    (void)state;
    for (int schema = 1; schema <= 4; schema++) {
        struct made *made = make_log(400, 9000, (unsigned)schema);
        write_database(schema, made);
        struct sl_sqlite *db;
        assert_fine(open_database(path, &db));
        for (unsigned flags = 0; flags <= SL_LOG_SCAN; flags++) {
            struct sl_log *log;
            assert_fine(sl_rosbag2_sqlite_open(db, flags, &log));
            if (log->damage.count)
                fail_msg("%s", log->damage.first);
            assert_int_equal(log->was_indexed, !flags);
            if (schema < 4)
                forget_definitions(made);
            assert_int_equal(assert_holds_made(log, made), 400);
            assert_true(log->block_count > 1);
            const struct sl_log_topic *topic = &log->topics[0];
            while (strcmp(topic->name, "/points") != 0)
                topic++;
            assert_int_equal(sl_log_topic_get(topic, "offered_qos_profiles") != NULL, schema >= 2);
            assert_int_equal(sl_log_topic_get(topic, "topic_type_hash") != NULL, schema >= 4);
            sl_log_close(log);
        }
        close_database(db);
        free_made(made);
    }
    unlink(path);
}

static void latching_becomes_a_qos(void **state)
{
    (void)state;
    struct made *made = make_log(40, 10, 9);
    write_database(4, made);
    struct sl_sqlite *db;
    struct sl_log *log;
    assert_fine(open_database(path, &db));
    assert_fine(sl_rosbag2_sqlite_open(db, 0, &log));
    for (uint32_t i = 0; i < log->topic_count; i++) {
        const char *qos = sl_log_topic_get(&log->topics[i], "offered_qos_profiles");
        if (strcmp(log->topics[i].name, "/text") == 0)
            assert_non_null(strstr(qos, "durability: 1"));
    }
    sl_log_close(log);
    close_database(db);
    unlink(path);
    free_made(made);
}

/* Write-ahead logs ------------------------------------------------------------------------------*/

#define COPIED "/copied.db3"
static char folder[PATH_MAX];

static void copy_beside(const char *ending)
{
    char from[PATH_MAX + 16], to[2 * PATH_MAX];
    size_t size;
    snprintf(from, sizeof from, "%s%s", path, ending);
    snprintf(to, sizeof to, "%s" COPIED "%s", folder, ending);
    uint8_t *bytes = read_whole(from, &size);
    FILE *file = fopen(to, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    free(bytes);
}

/* A database whose rows stand in its write-ahead log, as it is in the middle of a recording. */
static struct sl_sqlite *begin_recording(const struct made *made)
{
    struct sl_sqlite *db;
    struct sl_log_writer *writer;
    struct sl_log_write_options options = {0};
    assert_fine(sl_sqlite_create(fresh_path(), &db));
    assert_fine(sl_sqlite_execute(db, "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0"));
    assert_fine(sl_rosbag2_sqlite_writer_create(db, 4, &options, &writer));
    write_made(made, writer);
    assert_fine(sl_log_write_end(writer));
    sl_log_writer_destroy(writer);
    return db;
}

/* For copies of the database at `path`. */
static void make_folder(void)
{
    snprintf(folder, sizeof folder, "%.*s.folder", PATH_MAX - 16, path);
    assert_int_equal(mkdir(folder, 0700), 0);
}

static void remove_folder(void)
{
    char **names = list_names(folder, "");
    for (unsigned i = 0; names[i]; i++) {
        char name[2 * PATH_MAX];
        snprintf(name, sizeof name, "%s/%s", folder, names[i]);
        unlink(name);
    }
    free_names(names);
    assert_int_equal(rmdir(folder), 0);
}

/* May this thread write where the modes of files forbid it? */
static void override_modes(bool may)
{
    const uint32_t bits = 1u << CAP_DAC_OVERRIDE | 1u << CAP_DAC_READ_SEARCH;
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[2];
    assert_int_equal(syscall(SYS_capget, &header, sets), 0);
    sets[0].effective =
        may ? sets[0].effective | (sets[0].permitted & bits) : sets[0].effective & ~bits;
    assert_int_equal(syscall(SYS_capset, &header, sets), 0);
}

static void set_modes(mode_t of_folder, mode_t of_files)
{
    char **names = list_names(folder, "");
    for (unsigned i = 0; names[i]; i++) {
        char name[2 * PATH_MAX];
        snprintf(name, sizeof name, "%s/%s", folder, names[i]);
        assert_int_equal(chmod(name, of_files), 0);
    }
    free_names(names);
    assert_int_equal(chmod(folder, of_folder), 0);
}

/* Once where files can be made and once where not, twice as a second reader meets what the first
 * one left. */
static void assert_reading_leaves_nothing(const struct made *made)
{
    char copied[2 * PATH_MAX];
    snprintf(copied, sizeof copied, "%s" COPIED, folder);
    char **before = list_names(folder, "");
    override_modes(false);
    for (unsigned round = 0; round < 4; round++) {
        struct sl_sqlite *db;
        struct sl_log *log;
        set_modes(round < 2 ? 0700 : 0500, round < 2 ? 0600 : 0400);
        assert_fine(open_database(copied, &db));
        assert_fine(sl_rosbag2_sqlite_open(db, round % 2 ? SL_LOG_SCAN : 0, &log));
        assert_int_equal(assert_holds_made(log, made), made->message_count);
        sl_log_close(log);
        close_database(db);
        char **after = list_names(folder, "");
        for (unsigned i = 0; before[i] || after[i]; i++) {
            assert_true(before[i] && after[i]);
            assert_string_equal(before[i], after[i]);
        }
        free_names(after);
    }
    set_modes(0700, 0600);
    override_modes(true);
    free_names(before);
}

/* What a killed recorder leaves, a copy of it without -shm, and a database that was closed, also
 * with a -shm that another reader left. */
static void write_ahead_log_is_read_and_nothing_is_left_beside_it(void **state)
{
    (void)state;
    char shm[2 * PATH_MAX];
    struct made *made = make_log(400, 900, 6);
    struct sl_sqlite *db = begin_recording(made);
    make_folder();
    copy_beside("");
    copy_beside("-wal");
    assert_reading_leaves_nothing(made);
    copy_beside("-shm");
    assert_reading_leaves_nothing(made);
    remove_folder();
    sl_sqlite_close(db);
    make_folder();
    copy_beside("");
    assert_reading_leaves_nothing(made);
    snprintf(shm, sizeof shm, "%s" COPIED "-shm", folder);
    close(open(shm, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    assert_reading_leaves_nothing(made);
    remove_folder();
    free_made(made);
    unlink(path);
}

/* Without it the database is another, older one, or none at all. */
static void unreadable_write_ahead_log_is_told(void **state)
{
    (void)state;
    struct made *made = make_log(40, 900, 6);
    struct sl_sqlite *db = begin_recording(made);
    make_folder();
    copy_beside("");
    copy_beside("-wal");
    sl_sqlite_close(db);
    char copied[2 * PATH_MAX], wal[2 * PATH_MAX];
    snprintf(copied, sizeof copied, "%s" COPIED, folder);
    snprintf(wal, sizeof wal, "%s" COPIED "-wal", folder);
    override_modes(false);
    assert_int_equal(chmod(wal, 0), 0);
    assert_int_equal(open_database(copied, &db), -ENOENT);
    close(database_fd);
    assert_non_null(strstr(sl_error_text(), COPIED "-wal, must be readable"));
    override_modes(true);
    remove_folder();
    free_made(made);
    unlink(path);
}

/* By locks, as -shm shows that it is open. */
static void database_is_read_while_it_is_recorded(void **state)
{
    (void)state;
    struct made *made = make_log(400, 900, 6);
    struct sl_sqlite *recorded = begin_recording(made), *db;
    struct sl_log *log;
    assert_fine(open_database(path, &db));
    assert_fine(sl_rosbag2_sqlite_open(db, 0, &log));
    assert_fine(sl_sqlite_execute(recorded, "DELETE FROM messages WHERE id > 300"));
    assert_fine(sl_sqlite_execute(recorded, "PRAGMA wal_checkpoint(PASSIVE)"));
    sl_log_close(log);
    assert_fine(sl_rosbag2_sqlite_open(db, 0, &log));
    assert_int_equal(assert_holds_made(log, made), 300);
    sl_log_close(log);
    close_database(db);
    sl_sqlite_close(recorded);
    free_made(made);
    unlink(path);
}

/* Pages of noise: what can be read is, and nothing breaks. */
static void damaged_database_gives_what_it_has(void **state)
{
    (void)state;
    struct made *made = make_log(400, 9000, 5);
    write_database(4, made);
    size_t size;
    uint8_t *bytes = read_whole(path, &size);
    uint8_t *broken = malloc(size);
    uint32_t random = 1;
    unsigned most = 0;
    assert_non_null(broken);
    for (unsigned round = 0; round < 40; round++) {
        memcpy(broken, bytes, size);
        size_t length = round % 2 ? size : size - size * round / 50;
        random = random * 1664525u + 1013904223u;
        memset(broken + 4096 * (1 + (random >> 8) % (size / 4096 - 1)), (int)round * 37, 4096);
        struct sl_sqlite *db;
        struct sl_log *log;
        if (sl_sqlite_open_bytes(broken, length, &db) < 0)
            continue;
        if (sl_rosbag2_sqlite_open(db, round % 4 ? SL_LOG_SCAN : 0, &log) == 0) {
            unsigned found = walk_all(log);
            most = found > most ? found : most;
            sl_log_close(log);
        }
        sl_sqlite_close(db);
    }
    assert_true(most > 300);
    free(broken);
    free(bytes);
    free_made(made);
    unlink(path);
}

/* What libsqlite3 reads by, in place of the C library's: a page may be one that the disk cannot
 * read. */
static off_t bad_page;

__attribute__((visibility("default"))) ssize_t pread64(int fd, void *to, size_t size_bytes,
                                                       off64_t offset)
{
    if (bad_page && offset <= bad_page && offset + (off_t)size_bytes > bad_page) {
        errno = EIO;
        return -1;
    }
    return syscall(SYS_pread64, fd, to, size_bytes, offset);
}

/* The rows on each page of the table; that of a body's further pages is one. */
static unsigned rows_on(const uint8_t *page)
{
    return page[0] == 0x0d ? sl_get_be16(page + 3) : 1; /* "B-tree Pages": a leaf of a table */
}

/* What is lost is exactly what stands there. */
static void database_is_read_around_what_the_disk_cannot_read(void **state)
{
    (void)state;
    struct made *made = make_log(400, 9000, 5);
    size_t size;
    unsigned losses = 0;
    write_database(4, made);
    uint8_t *bytes = read_whole(path, &size);
    for (off_t page = 8 * 4096; page + 4096 < (off_t)size; page += 4096) {
        struct sl_sqlite *db;
        struct sl_log *log;
        assert_fine(open_database(path, &db));
        bad_page = page;
        assert_fine(sl_rosbag2_sqlite_open(db, SL_LOG_SCAN, &log));
        unsigned found = walk_all(log);
        if (found != 400 && found != 400 - rows_on(bytes + page))
            fail_msg("%u found of page %d with %u rows: %s", found, (int)(page / 4096),
                     rows_on(bytes + page), log->damage.first);
        losses += found < 400;
        sl_log_close(log);
        bad_page = 0;
        close_database(db);
    }
    assert_true(losses > size / 4096 / 2);
    free(bytes);
    free_made(made);
    unlink(path);
}

static void other_files_are_refused(void **state)
{
    (void)state;
    struct sl_sqlite *db;
    struct sl_log *log;
    assert_int_equal(sl_sqlite_open_bytes("no database, but a text", 24, &db), -EBADMSG);
    assert_fine(sl_sqlite_create(fresh_path(), &db));
    assert_int_equal(sl_rosbag2_sqlite_open(db, 0, &log), -EBADMSG);
    /* a view that never ends, under the name of the table */
    assert_fine(sl_sqlite_execute(
        db,
        "CREATE TABLE topics(id, name, type, serialization_format);"
        "CREATE VIEW messages AS WITH RECURSIVE r(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM "
        "r) SELECT id, 1 AS topic_id, id AS timestamp, '' AS data FROM r"));
    assert_int_equal(sl_rosbag2_sqlite_open(db, 0, &log), -EBADMSG);
    sl_sqlite_close(db);
    unlink(path);
}

/* metadata.yaml ---------------------------------------------------------------------------------*/

static const char qos[] = "- history: 1\n  depth: 10\n  reliability: 2\n  durability: 2\n"
                          "  deadline:\n    sec: 0\n    nsec: 0\n";

static struct sl_rosbag2_metadata metadata_of(int version)
{
    static struct sl_rosbag2_topic topics[] = {
        {"/points \"x\"", "sensor_msgs/msg/PointCloud2", "cdr", qos, "RIHS01_5e", 7},
        {"/b", "std_msgs/msg/String", "cdr", "", "", 2},
    };
    static struct sl_rosbag2_file files[] = {
        {"a_0.mcap", UINT64_C(1700000000123456789), 1000, 4},
        {"a_1.mcap", UINT64_C(1700000000123458789), 2000, 5},
    };
    return (struct sl_rosbag2_metadata){.version = version,
                                        .storage = "mcap",
                                        .compression_format = "zstd",
                                        .compression_mode = "FILE",
                                        .ros_distro = "jazzy",
                                        .first_ns = files[0].first_ns,
                                        .duration_ns = 4000,
                                        .message_count = 9,
                                        .topics = topics,
                                        .topic_count = 2,
                                        .files = files,
                                        .file_count = 2};
}

static void each_version_is_written_and_read(void **state)
{
    (void)state;
    for (int version = 1; version <= 9; version++) {
        struct sl_rosbag2_metadata wanted = metadata_of(version);
        struct sl_rosbag2_metadata m;
        struct sl_buffer text = {0};
        sl_rosbag2_metadata_format(&wanted, &text);
        assert_fine(
            sl_rosbag2_metadata_parse("metadata.yaml", (char *)text.bytes, text.size_bytes, &m));
        assert_int_equal(m.version, version);
        assert_string_equal(m.storage, "mcap");
        assert_true(m.first_ns == wanted.first_ns && m.duration_ns == 4000 && m.message_count == 9);
        assert_int_equal(m.topic_count, 2);
        assert_string_equal(m.topics[0].name, wanted.topics[0].name);
        assert_string_equal(m.topics[0].type, wanted.topics[0].type);
        assert_true(m.topics[0].message_count == 7);
        assert_string_equal(m.compression_format, version >= 3 ? "zstd" : "");
        assert_string_equal(m.compression_mode, version >= 3 ? "FILE" : "");
        assert_string_equal(m.topics[0].type_hash, version >= 7 ? "RIHS01_5e" : "");
        assert_string_equal(m.ros_distro, version >= 8 ? "jazzy" : "");
        assert_int_equal(m.file_count, 2);
        assert_string_equal(m.files[1].path, "a_1.mcap");
        assert_true(m.files[1].first_ns == (version >= 5 ? wanted.files[1].first_ns : 0));
        assert_true(m.files[1].message_count == (version >= 5 ? 5 : 0));
        if (version < 9)
            assert_string_equal(m.topics[0].qos, version >= 4 ? qos : "");
        else
            assert_string_equal(m.topics[0].qos,
                                "[{history: keep_last, depth: 10, reliability: best_effort, "
                                "durability: volatile, deadline: {sec: 0, nsec: 0}}]");
        sl_rosbag2_metadata_finish(&m);
        sl_buffer_finish(&text);
    }
}

static void bad_metadata_are_refused_with_their_place(void **state)
{
    (void)state;
    static const struct {
        const char *text, *said;
        int err;
    } cases[] = {
        {"a: b\n", "rosbag2_bagfile_information", -EBADMSG},
        {"rosbag2_bagfile_information:\n  version: 10\n", "m.yaml:2:12", -ENOTSUP},
        {"rosbag2_bagfile_information:\n  files: []\n", "no version", -EBADMSG},
        {"rosbag2_bagfile_information:\n  version: x\n", "whole number", -EBADMSG},
        {"rosbag2_bagfile_information:\n  version: 4\n  topics_with_message_count: [1]\n",
         "topic_metadata", -EBADMSG},
        {"rosbag2_bagfile_information:\n  version: 5\n  files: [{path: \"\"}]\n", "no path",
         -EBADMSG},
        {"rosbag2_bagfile_information:\n  version: 5\n  storage_identifier: [1]\n", "a text",
         -EBADMSG},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sl_rosbag2_metadata m;
        int err = sl_rosbag2_metadata_parse("m.yaml", cases[i].text, strlen(cases[i].text), &m);
        assert_int_equal(err, cases[i].err);
        if (!strstr(sl_error_text(), cases[i].said))
            fail_msg("%s", sl_error_text());
    }
}

int main(void)
{
    struct sl_sqlite *db;
    if (sl_sqlite_open_bytes("", 0, &db) == -ENOTSUP) {
        printf("SKIP: built without libsqlite3\n");
        return 77;
    }
    sl_sqlite_close(db);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_schema_is_read),
        cmocka_unit_test(latching_becomes_a_qos),
        cmocka_unit_test(write_ahead_log_is_read_and_nothing_is_left_beside_it),
        cmocka_unit_test(unreadable_write_ahead_log_is_told),
        cmocka_unit_test(database_is_read_while_it_is_recorded),
        cmocka_unit_test(damaged_database_gives_what_it_has),
        cmocka_unit_test(database_is_read_around_what_the_disk_cannot_read),
        cmocka_unit_test(other_files_are_refused),
        cmocka_unit_test(each_version_is_written_and_read),
        cmocka_unit_test(bad_metadata_are_refused_with_their_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
