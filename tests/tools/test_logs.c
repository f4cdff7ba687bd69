/* SPDX-License-Identifier: Apache-2.0 */
/* test_logs.c - sluice info, cat, check, recover and convert over logs that are made here. */
#include "core/base/yaml.h"
#include "rosbag_compat/files.h"
#include "rosbag_compat/sqlite.h"
#include "tests/rosbag_compat/support.h"
#include "tests/tools/harness.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MESSAGES 200

/* Of the test's folder: several at once, so not harness_path's one place. */
static const char *place(const char *name)
{
    static char paths[8][PATH_MAX];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, PATH_MAX, "%s/%s", harness_folder(), name);
    return path;
}

static struct made *make_file_of(const char *name, unsigned seed, size_t size_max)
{
    struct made *made = make_log(MESSAGES, size_max, seed);
    struct sl_log_output_options options = {.kind = SL_LOG_OUTPUT_MCAP,
                                            .write = {.chunk_bytes = 8192}};
    struct sl_log_output *output;
    uint32_t index[4] = {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX};
    assert_fine(sl_log_output_create(place(name), &options, &output));
    for (unsigned i = 0; i < made->message_count; i++) {
        struct sl_log_message m = made->messages[i];
        if (index[m.topic] == UINT32_MAX)
            assert_fine(sl_log_output_topic(output, &made->topics[m.topic], &index[m.topic]));
        m.topic = index[m.topic];
        assert_fine(sl_log_output_message(output, &m, made->bodies[i],
                                          (size_t)made->messages[i].size_bytes));
    }
    assert_fine(sl_log_output_end(output));
    sl_log_output_close(output);
    return made;
}

static struct made *make_file(const char *name, unsigned seed)
{
    return make_file_of(name, seed, 500);
}

static unsigned count_lines(const char *text)
{
    unsigned count = 0;
    for (; (text = strchr(text, '\n')); text++)
        count++;
    return count;
}

/* What sluice says, which must end with this status. The caller frees. */
#define SLUICE(status_wanted, ...)                                                          \
    ({                                                                                      \
        struct run sluice_run = run("sluice", __VA_ARGS__, NULL);                           \
        if (sluice_run.status != (status_wanted))                                           \
            fail_msg("status %d: %s%s", sluice_run.status, sluice_run.out, sluice_run.err); \
        sluice_run;                                                                         \
    })

static void hashes_are_those_of_sha256sum(void **state)
{
    (void)state;
    struct made *made = make_file("a.mcap", 1);
    struct run r = SLUICE(0, "cat", "--hash", place("a.mcap"));
    const char *line = r.out;
    assert_int_equal(count_lines(r.out), MESSAGES);
    for (unsigned i = 0; i < 20; i++, line = strchr(line, '\n') + 1) {
        const struct sl_log_message *m = &made->messages[i];
        char wanted[256];
        char command[PATH_MAX + 32];
        char hash[65];
        FILE *body = fopen(place("body"), "wb");
        assert_non_null(body);
        assert_int_equal(fwrite(made->bodies[i], 1, m->size_bytes, body), m->size_bytes);
        fclose(body);
        snprintf(command, sizeof command, "sha256sum < '%s'", place("body"));
        FILE *sum = popen(command, "r");
        assert_non_null(sum);
        assert_int_equal(fscanf(sum, "%64s", hash), 1);
        pclose(sum);
        snprintf(wanted, sizeof wanted, "%" PRIu64 " %s %" PRIu64 " %s\n", m->receive_ns, hash,
                 m->size_bytes, made->topics[m->topic].name);
        if (strncmp(line, wanted, strlen(wanted)) != 0)
            fail_msg("not '%s' but %.150s", wanted, line);
    }
    run_free(&r);
    free_made(made);
}

static bool has_sqlite(void)
{
    struct sl_sqlite *db;
    if (sl_sqlite_open_bytes("", 0, &db) < 0)
        return false;
    sl_sqlite_close(db);
    return true;
}

static void each_format_keeps_every_message(void **state)
{
    (void)state;
    static const struct {
        const char *name, *options[4];
        bool needs[4]; /* by enum sl_compression */
    } ways[] = {
        {"b.mcap", {"--compression", "zstd"}, {[SL_COMPRESSION_ZSTD] = true}},
        {"c.mcap", {"--compression", "lz4"}, {[SL_COMPRESSION_LZ4] = true}},
        {"d.bag", {"--chunk-size", "10k"}, {0}},
        {"e.bag", {"--compression", "bz2"}, {[SL_COMPRESSION_BZ2] = true}},
        {"f", {"--no-checksums"}, {0}},
        {"g", {"--pack", "message"}, {[SL_COMPRESSION_ZSTD] = true}},
        {"h", {"--pack", "file"}, {[SL_COMPRESSION_ZSTD] = true}},
        {"i", {"--format", "rosbag2-sqlite"}, {0}},
        {"j", {"--format", "rosbag2-sqlite", "--pack", "file"}, {[SL_COMPRESSION_ZSTD] = true}},
        {"k.bag", {"--compression", "lz4"}, {[SL_COMPRESSION_LZ4] = true}},
        {"l.mcap", {NULL}, {0}},
    };
    free_made(make_file("a.mcap", 2));
    struct run wanted = SLUICE(0, "cat", "--hash", place("a.mcap"));
    char from[PATH_MAX];
    snprintf(from, sizeof from, "%s", place("a.mcap"));
    /* each from the one before: a log goes through all of them */
    for (unsigned i = 0; i < sizeof ways / sizeof *ways; i++) {
        bool is_built = has_sqlite() || !ways[i].options[1] ||
                        strcmp(ways[i].options[1], "rosbag2-sqlite") != 0;
        for (int k = 0; k < 4; k++)
            is_built &= !ways[i].needs[k] || sl_compression_is_built((enum sl_compression)k);
        if (!is_built)
            continue;
        const char *to = place(ways[i].name);
        const char *const *o = ways[i].options;
        struct run r = SLUICE(0, "convert", from, to, o[0], o[1], o[2], o[3]);
        assert_has(r.out, "200 messages of 4 topics");
        run_free(&r);
        r = SLUICE(0, "cat", "--hash", to);
        assert_string_equal(r.out, wanted.out);
        run_free(&r);
        r = SLUICE(0, "check", to);
        assert_has(r.out, "whole, 200 messages");
        run_free(&r);
        snprintf(from, sizeof from, "%s", to);
    }
    struct run r = SLUICE(0, "info", "--json", from);
    struct sl_yaml *json = json_parse(r.out);
    assert_true(json_number(json, "messages") == MESSAGES);
    assert_has(r.out, "\"type\": \"sensor_msgs/msg/PointCloud2\"");
    assert_has(r.out, "\"definition_encoding\": \"ros1msg\", \"definition_bytes\": 12");
    sl_yaml_destroy(json);
    run_free(&r);
    run_free(&wanted);
}

static void topics_and_times_are_chosen(void **state)
{
    (void)state;
    struct made *made = make_file("a.mcap", 3);
    unsigned text = 0;
    unsigned early = 0;
    for (unsigned i = 0; i < MESSAGES; i++) {
        text += made->messages[i].topic == 1;
        early += made->messages[i].receive_ns - made->messages[0].receive_ns <= 20000000;
    }
    struct run r = SLUICE(0, "cat", "--hash", place("a.mcap"), "--topic", "/text");
    assert_int_equal(count_lines(r.out), text);
    run_free(&r);
    r = SLUICE(0, "cat", "--hash", place("a.mcap"), "--regex", "/.*text", "--exclude", "/more.*");
    assert_int_equal(count_lines(r.out), text);
    run_free(&r);
    r = SLUICE(0, "convert", place("a.mcap"), place("early.mcap"), "--duration", "20ms");
    run_free(&r);
    r = SLUICE(0, "cat", "--hash", place("early.mcap"));
    assert_int_equal(count_lines(r.out), early);
    run_free(&r);
    r = SLUICE(0, "convert", place("a.mcap"), place("late.mcap"), "--start", "20000001ns");
    run_free(&r);
    /* together they are the log again */
    r = SLUICE(0, "convert", place("late.mcap"), place("early.mcap"), place("all.mcap"));
    assert_has(r.out, "200 messages of 4 topics");
    run_free(&r);
    struct run all = SLUICE(0, "cat", "--hash", place("all.mcap"));
    r = SLUICE(0, "cat", "--hash", place("a.mcap"));
    assert_string_equal(r.out, all.out);
    run_free(&r);
    run_free(&all);
    free_made(made);
}

static unsigned topic_in(const struct sl_yaml *json, const char *name)
{
    for (unsigned i = 0;; i++) { /* fails behind the last one */
        char key[64];
        snprintf(key, sizeof key, "topics.%u.name", i);
        if (strcmp(json_text(json, key), name) == 0)
            return i;
    }
}

static void assert_gaps(const struct sl_yaml *json, const struct made *made,
                        const uint64_t gaps_ns[4])
{
    for (unsigned t = 0; t < 4; t++) {
        char key[64];
        snprintf(key, sizeof key, "topics.%u.gap_max_ns", topic_in(json, made->topics[t].name));
        assert_true(strtoull(json_text(json, key), NULL, 10) == gaps_ns[t]);
    }
}

/* A folder of three files: what is told of each, and of all together. Between two of them lies the
 * longest gap. */
static void folder_is_summed_up_and_gaps_are_found(void **state)
{
    (void)state;
    struct made *made = make_log(90, 500, 6);
    const struct sl_log_output_options options = {.kind = SL_LOG_OUTPUT_MCAP};
    uint64_t counts[4] = {0}, last_ns[4] = {0}, gaps[4] = {0}, gaps_of_first[4];
    char key[64];
    assert_int_equal(mkdir(place("drive"), 0700), 0);
    for (unsigned file = 0; file < 3; file++) {
        struct sl_log_output *out;
        uint32_t index[4];
        char name[32];
        snprintf(name, sizeof name, "drive/drive_%u.mcap", file);
        assert_fine(sl_log_output_create(place(name), &options, &out));
        for (unsigned t = 0; t < 4; t++)
            assert_fine(sl_log_output_topic(out, &made->topics[t], &index[t]));
        for (unsigned i = 30 * file; i < 30 * file + 30; i++) {
            struct sl_log_message m = made->messages[i];
            unsigned topic = m.topic;
            m.receive_ns += file * UINT64_C(5000000000);
            if (counts[topic]++ > 0 && m.receive_ns - last_ns[topic] > gaps[topic])
                gaps[topic] = m.receive_ns - last_ns[topic];
            last_ns[topic] = m.receive_ns;
            m.topic = index[topic];
            assert_fine(sl_log_output_message(out, &m, made->bodies[i], m.size_bytes));
        }
        assert_fine(sl_log_output_end(out));
        sl_log_output_close(out);
        if (file == 0)
            memcpy(gaps_of_first, gaps, sizeof gaps);
    }
    struct run r = SLUICE(0, "info", "--json", "--gaps", place("drive"));
    assert_int_equal(count_lines(r.out), 4);
    const char *together = strstr(r.out, "{\"folder\": ");
    assert_non_null(together);
    assert_true(strchr(together, '\n')[1] == '\0'); /* the last line */
    struct sl_yaml *json = json_parse(together);
    assert_true(json_number(json, "files") == 3);
    assert_true(json_number(json, "messages") == 90);
    assert_true(strtoull(json_text(json, "start_ns"), NULL, 10) == made->messages[0].receive_ns);
    assert_true(strtoull(json_text(json, "end_ns"), NULL, 10) ==
                made->messages[89].receive_ns + UINT64_C(10000000000));
    assert_gaps(json, made, gaps);
    for (unsigned t = 0; t < 4; t++)
        assert_true(gaps[t] > UINT64_C(4000000000));
    for (unsigned t = 0; t < 4; t++) {
        snprintf(key, sizeof key, "topics.%u.messages", topic_in(json, made->topics[t].name));
        assert_true(json_number(json, key) == (double)counts[t]);
    }
    sl_yaml_destroy(json);
    *strchr(r.out, '\n') = '\0'; /* what is told of the first one */
    json = json_parse(r.out);
    assert_gaps(json, made, gaps_of_first);
    sl_yaml_destroy(json);
    run_free(&r);
    /* Of one file: only what lies in it. */
    r = SLUICE(0, "info", "--gaps", place("drive/drive_1.mcap"));
    assert_has(r.out, "LONGEST GAP");
    assert_has_not(r.out, "together");
    run_free(&r);
    r = SLUICE(0, "info", place("drive"));
    assert_has(r.out, "drive, 3 files together");
    assert_has(r.out, "messages:  90\n");
    run_free(&r);
    free_made(made);
}

static void damaged_log_is_told_and_saved(void **state)
{
    (void)state;
    struct stat status;
    free_made(make_file("a.mcap", 4));
    struct run r = SLUICE(0, "recover", place("a.mcap"), place("whole.bag"));
    assert_has(r.out, "200 messages");
    run_free(&r);
    assert_int_equal(stat(place("a.mcap"), &status), 0);
    assert_int_equal(truncate(place("a.mcap"), status.st_size / 2), 0);
    r = SLUICE(3, "check", place("a.mcap"));
    assert_has(r.out, "damaged in");
    run_free(&r);
    r = SLUICE(3, "recover", place("a.mcap"), place("saved.bag"));
    assert_has(r.out, "damaged in");
    run_free(&r);
    r = SLUICE(0, "check", place("saved.bag"));
    run_free(&r);
    r = SLUICE(0, "cat", "--hash", place("saved.bag"));
    assert_in_range(count_lines(r.out), 60, 140);
    run_free(&r);
    /* a checksum that does not hold: told, and the messages are taken all the same */
    free_made(make_file("b.mcap", 4));
    FILE *file = fopen(place("b.mcap"), "r+b");
    assert_non_null(file);
    fseek(file, 7000, SEEK_SET);
    int byte = fgetc(file);
    fseek(file, 7000, SEEK_SET);
    fputc(byte ^ 1, file);
    fclose(file);
    r = SLUICE(3, "check", place("b.mcap"));
    assert_has(r.out, "another checksum");
    run_free(&r);
    r = SLUICE(1, "convert", place("b.mcap"), place("b.bag"));
    assert_has(r.err, "another checksum");
    assert_int_equal(access(place("b.bag"), F_OK), -1); /* nothing half is left */
    run_free(&r);
    r = SLUICE(1, "convert", place("b.mcap"), place("b"));
    assert_int_equal(access(place("b"), F_OK), -1);
    run_free(&r);
    r = SLUICE(3, "recover", place("b.mcap"), place("c.bag"));
    assert_has(r.out, "200 messages");
    run_free(&r);
    file = fopen(place("noise.mcap"), "wb");
    assert_non_null(file);
    fputs("nothing of this is a log", file);
    fclose(file);
    r = SLUICE(1, "recover", place("noise.mcap"), place("d.bag"));
    assert_has(r.err, "noise.mcap: does not begin as an MCAP file");
    run_free(&r);
    r = SLUICE(1, "check", place("noise.mcap"));
    run_free(&r);
}

static void check_tells_programs(void **state)
{
    (void)state;
    static const struct {
        const char *name, *state;
        int status;
    } cases[] = {{"w.mcap", "whole", 0}, {"d.mcap", "damaged", 3}, {"n.mcap", "unreadable", 1}};
    struct stat file;
    free_made(make_file("w.mcap", 4));
    free_made(make_file("d.mcap", 4));
    assert_int_equal(stat(place("d.mcap"), &file), 0);
    assert_int_equal(truncate(place("d.mcap"), file.st_size / 2), 0);
    FILE *noise = fopen(place("n.mcap"), "wb");
    assert_non_null(noise);
    fputs("nothing of this is a log", noise);
    fclose(noise);
    for (unsigned i = 0; i < 3; i++) {
        struct run r = SLUICE(cases[i].status, "check", "--json", place(cases[i].name));
        struct sl_yaml *json = json_parse(r.out);
        assert_string_equal(json_text(json, "file"), place(cases[i].name));
        assert_string_equal(json_text(json, "state"), cases[i].state);
        if (i == 0)
            assert_true(json_number(json, "messages") == 200);
        else
            assert_true(strlen(json_text(json, "damage")) > 10);
        assert_true((json_number(json, "damaged_places") > 0) == (i == 1));
        sl_yaml_destroy(json);
        run_free(&r);
    }
}

static void damaged_folders_are_read(void **state)
{
    (void)state;
    struct stat status;
    free_made(make_file_of("a.mcap", 7, 5000)); /* several blocks of zstd */
    struct run r = SLUICE(0, "convert", place("a.mcap"), place("plain"));
    run_free(&r);
    assert_int_equal(unlink(place("plain/metadata.yaml")), 0);
    r = SLUICE(3, "check", place("plain"));
    assert_has(r.out, "plain: has no metadata.yaml");
    assert_has(r.out, "whole, 200 messages");
    run_free(&r);
    if (!sl_compression_is_built(SL_COMPRESSION_ZSTD))
        return;
    r = SLUICE(0, "convert", place("a.mcap"), place("packed"), "--pack", "file");
    run_free(&r);
    assert_int_equal(stat(place("packed/packed_0.mcap.zstd"), &status), 0);
    assert_int_equal(truncate(place("packed/packed_0.mcap.zstd"), status.st_size - 9), 0);
    r = SLUICE(3, "recover", place("packed"), place("saved.mcap"));
    assert_has(r.out, "zstd: ends early");
    run_free(&r);
}

static void write_text(const char *name, const char *text)
{
    FILE *file = fopen(place(name), "wb");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

/* Every command that reads, over a folder of a whole file, an empty one and one of noise. */
static void assert_others_are_read(const char *folder, const char *empty, const char *noise)
{
    static const struct {
        int status;
        const char *command, *option;
    } commands[] = {
        {0, "info", NULL},           {0, "cat", "--hash"},
        {3, "check", NULL},          {3, "recover", "saved.mcap"},
        {0, "convert", "copy.mcap"}, {0, "play", "--rate=0"},
        {3, "check", "--json"},
    };
    for (unsigned i = 0; i < sizeof commands / sizeof *commands; i++) {
        const char *option = commands[i].option;
        bool is_output = option && option[0] != '-';
        struct run r = SLUICE(commands[i].status, commands[i].command, folder,
                              is_output ? place(option) : option);
        const char *told = commands[i].status ? r.out : r.err;
        assert_has(told, empty);
        assert_has(told, "is empty (0 bytes); it is left out");
        assert_has(told, noise);
        if (strcmp(commands[i].command, "cat") == 0)
            assert_int_equal(count_lines(r.out), MESSAGES);
        else if (commands[i].status || is_output)
            assert_has(r.out, option && option[0] == '-' ? "\"messages\": 200" : "200 messages");
        run_free(&r);
        if (is_output)
            assert_int_equal(unlink(place(option)), 0);
    }
}

/* What a recorder leaves that crashed, or whose machine did. */
static void unreadable_files_do_not_hide_the_folders_others(void **state)
{
    (void)state;
    static const char noise[] = "drive_2.mcap: does not begin as an MCAP file";
    free_made(make_file("a.mcap", 8));
    struct run r = SLUICE(0, "convert", place("a.mcap"), place("drive"));
    run_free(&r);
    write_text("drive/drive_1.mcap", "");
    write_text("drive/drive_2.mcap", "nothing of this is a log");
    assert_others_are_read(place("drive"), "drive_1.mcap", noise); /* metadata.yaml is stale */
    write_text("drive/metadata.yaml", "");
    assert_others_are_read(place("drive"), "drive_1.mcap", noise);
    assert_int_equal(unlink(place("drive/metadata.yaml")), 0);
    assert_others_are_read(place("drive"), "drive_1.mcap", noise);
    assert_int_equal(unlink(place("drive/drive_0.mcap")), 0);
    r = SLUICE(1, "check", place("drive"));
    assert_has(r.err, "drive: none of its files can be read: ");
    run_free(&r);
}

/* Change the byte `offset` behind the `count`-th place where `what` stands. */
static void change_byte(const char *name, const void *what, size_t what_bytes, unsigned count,
                        size_t offset)
{
    size_t size;
    uint8_t *bytes = read_whole(place(name), &size), *at = bytes;
    for (unsigned i = 0; i < count; i++) {
        at = memmem(at, size - (size_t)(at - bytes), what, what_bytes);
        assert_non_null(at);
        at += what_bytes;
    }
    FILE *file = fopen(place(name), "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, (long)(at - what_bytes - bytes) + (long)offset, SEEK_SET), 0);
    fputc(at[(ptrdiff_t)offset - (ptrdiff_t)what_bytes] ^ 1, file);
    assert_int_equal(fclose(file), 0);
    free(bytes);
}

/* rosbag2's MESSAGE mode: one of them is broken, in a database, which has no checksums, and in a
 * file that has. */
static void message_that_cannot_be_decompressed_is_left_out(void **state)
{
    (void)state;
    static const uint8_t zstd_magic[] = {0x28, 0xb5, 0x2f, 0xfd};
    static const struct {
        const char *format, *folder, *file, *places;
    } ways[] = {
        {"rosbag2-sqlite", "rows", "rows/rows_0.db3", "damaged in 1 places, 199 messages"},
        {"rosbag2", "chunks", "chunks/chunks_0.mcap", "damaged in 2 places, 199 messages"},
    };
    if (!sl_compression_is_built(SL_COMPRESSION_ZSTD))
        return;
    free_made(make_file("a.mcap", 9));
    for (unsigned i = has_sqlite() ? 0 : 1; i < 2; i++) {
        struct run r = SLUICE(0, "convert", place("a.mcap"), place(ways[i].folder), "--format",
                              ways[i].format, "--pack", "message");
        run_free(&r);
        change_byte(ways[i].file, zstd_magic, sizeof zstd_magic, 50, 1);
        r = SLUICE(3, "check", place(ways[i].folder));
        assert_has(r.out, ways[i].places);
        assert_has_not(r.out, "metadata.yaml");
        run_free(&r);
        r = SLUICE(3, "recover", place(ways[i].folder), place("saved.mcap"));
        assert_has(r.out, "are left out: 1; first: a message of /");
        assert_has(r.out, "saved.mcap: 199 messages");
        run_free(&r);
        r = SLUICE(1, "convert", place(ways[i].folder), place("copy.mcap"));
        run_free(&r);
        assert_int_equal(unlink(place("saved.mcap")), 0);
    }
}

static void wrong_counts_of_metadata_are_told(void **state)
{
    (void)state;
    static const char count[] = "message_count: ";
    free_made(make_file("a.mcap", 9));
    struct run r = SLUICE(0, "convert", place("a.mcap"), place("drive"));
    run_free(&r);
    change_byte("drive/metadata.yaml", count, strlen(count), 1, strlen(count) + 2);
    r = SLUICE(3, "check", place("drive"));
    assert_has(r.out, "drive: damaged in 1 places, 200 messages can be read; first: metadata.yaml "
                      "says that the folder has 201 messages, and there are 200");
    run_free(&r);
    change_byte("drive/metadata.yaml", count, strlen(count), 1, strlen(count) + 2);
    change_byte("drive/metadata.yaml", count, strlen(count), 3, strlen(count));
    r = SLUICE(3, "check", "--json", place("drive"));
    assert_has(r.out, "\"state\": \"damaged\", \"messages\": 200, \"damaged_places\": 1, "
                      "\"damage\": \"metadata.yaml says that /");
    run_free(&r);
}

static void overwrite(const char *name, uint64_t offset, int byte, size_t count)
{
    FILE *file = fopen(place(name), "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, (long)offset, SEEK_SET), 0);
    while (count-- > 0)
        fputc(byte, file);
    assert_int_equal(fclose(file), 0);
}

/* Of the chunk in the middle: the first bytes, without which none of it can be read. Returns how
 * many messages are in it. */
static unsigned break_chunk(const char *name)
{
    struct sl_log_set set = {0};
    struct sl_log_message m;
    size_t size, at = 0;
    unsigned count = 0;
    assert_fine(sl_log_set_add(&set, place(name), 0));
    assert_true(set.logs[0]->block_count > 4);
    uint32_t index = set.logs[0]->block_count / 2;
    struct sl_log_block block = set.logs[0]->blocks[index];
    uint8_t *bytes = malloc(block.size_bytes);
    assert_non_null(bytes);
    assert_fine(sl_log_load(set.logs[0], index, bytes, &size));
    while (sl_log_walk(set.logs[0], index, bytes, size, &at, &m) == 1)
        count++;
    free(bytes);
    sl_log_set_close(&set);
    overwrite(name, block.offset, 0xff, 16);
    return count;
}

/* The same of a database: of the page in the middle that holds rows ("B-tree Pages": a leaf of a
 * table). */
static unsigned break_page(const char *name)
{
    size_t size;
    uint8_t *bytes = read_whole(place(name), &size);
    uint64_t page = size / 2 - size / 2 % 4096;
    while (bytes[page] != 0x0d)
        page += 4096;
    unsigned count = (unsigned)bytes[page + 3] << 8 | bytes[page + 4];
    free(bytes);
    overwrite(name, page, 0xff, 4096);
    return count;
}

/* `saved` has the lines of `all` but for so many that stand together. */
static void assert_all_but(const char *all, const char *saved, unsigned lost)
{
    size_t before = 0;
    assert_int_equal(count_lines(saved), count_lines(all) - lost);
    for (size_t i = 0; all[i] && all[i] == saved[i]; i++)
        before = all[i] == '\n' ? i + 1 : before;
    const char *behind = all + before;
    for (unsigned i = 0; i < lost; i++)
        behind = strchr(behind, '\n') + 1;
    assert_string_equal(saved + before, behind);
}

static void exactly_what_is_damaged_is_lost(void **state)
{
    (void)state;
    static const struct {
        const char *name, *file, *options[2];
        int needs; /* enum sl_compression */
        unsigned (*damage)(const char *file);
    } ways[] = {
        {"b.mcap", "b.mcap", {"--chunk-size=8k"}, SL_COMPRESSION_NONE, break_chunk},
        {"c.mcap",
         "c.mcap",
         {"--chunk-size=8k", "--compression=lz4"},
         SL_COMPRESSION_LZ4,
         break_chunk},
        {"d.mcap",
         "d.mcap",
         {"--chunk-size=8k", "--compression=zstd"},
         SL_COMPRESSION_ZSTD,
         break_chunk},
        {"e.bag", "e.bag", {"--chunk-size=8k"}, SL_COMPRESSION_NONE, break_chunk},
        {"f.bag",
         "f.bag",
         {"--chunk-size=8k", "--compression=lz4"},
         SL_COMPRESSION_LZ4,
         break_chunk},
        {"g.bag",
         "g.bag",
         {"--chunk-size=8k", "--compression=bz2"},
         SL_COMPRESSION_BZ2,
         break_chunk},
        {"h", "h/h_0.db3", {"--format=rosbag2-sqlite"}, SL_COMPRESSION_NONE, break_page},
    };
    free_made(make_file("a.mcap", 10));
    struct run all = SLUICE(0, "cat", "--hash", place("a.mcap"));
    for (unsigned i = 0; i < sizeof ways / sizeof *ways; i++) {
        char wanted[64];
        if (!sl_compression_is_built((enum sl_compression)ways[i].needs) ||
            (ways[i].damage == break_page && !has_sqlite()))
            continue;
        struct run r = SLUICE(0, "convert", place("a.mcap"), place(ways[i].name),
                              ways[i].options[0], ways[i].options[1]);
        run_free(&r);
        unsigned lost = ways[i].damage(ways[i].file);
        assert_in_range(lost, 1, MESSAGES / 4);
        r = SLUICE(3, "check", place(ways[i].file));
        snprintf(wanted, sizeof wanted, "%u messages can be read", MESSAGES - lost);
        assert_has(r.out, wanted);
        run_free(&r);
        r = SLUICE(3, "recover", place(ways[i].file), place("saved.mcap"));
        assert_has(r.out, "damaged in 1 places");
        snprintf(wanted, sizeof wanted, "saved.mcap: %u messages of 4 topics", MESSAGES - lost);
        assert_has(r.out, wanted);
        run_free(&r);
        r = SLUICE(0, "cat", "--hash", place("saved.mcap"));
        assert_all_but(all.out, r.out, lost);
        run_free(&r);
        assert_int_equal(unlink(place("saved.mcap")), 0);
    }
    run_free(&all);
}

static void mistakes_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *arguments[6], *said;
    } cases[] = {
        {{"info", "absent.mcap"}, "absent.mcap: No such file"},
        {{"convert", "a.mcap"}, "name a log to read and one to write"},
        {{"convert", "a.mcap", "a.mcap"}, "remove it or choose another name"},
        {{"convert", "a.mcap", "b.txt"}, "no format has the ending .txt"},
        {{"convert", "a.mcap", "b.mcap", "--compression", "bz2"}, "MCAP has no bz2"},
        {{"convert", "a.mcap", "b.bag", "--compression", "zstd"}, "ROS 1 bag has no zstd"},
        {{"convert", "a.mcap", "b.bag", "--pack", "file"}, "only folders of rosbag2"},
        {{"cat", "a.mcap", "--topic", "/absent"}, "no topic /absent"},
        {{"cat", "a.mcap", "--regex", "("}, "--regex '('"},
    };
    free_made(make_file("a.mcap", 5));
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *a[6] = {0};
        for (unsigned k = 0; k < 6 && cases[i].arguments[k]; k++) {
            const char *word = cases[i].arguments[k];
            a[k] = strchr(word, '.') ? place(word) : word;
        }
        struct run r = SLUICE(1, a[0], a[1], a[2], a[3], a[4], a[5]);
        assert_has(r.err, cases[i].said);
        run_free(&r);
        assert_int_equal(access(place("b.mcap"), F_OK), -1);
        assert_int_equal(access(place("b.bag"), F_OK), -1);
        assert_int_equal(access(place("a.mcap"), F_OK), 0);
    }
}

static void known_messages_are_printed(void **state)
{
    (void)state;
    static const uint8_t body[] = {0, 1, 0, 0, 6, 0, 0, 0, 'h', 'e', 'l', 'l', 'o', 0};
    struct sl_log_output_options options = {.kind = SL_LOG_OUTPUT_MCAP};
    struct sl_log_topic topic = {.name = "/t",
                                 .type = "std_msgs/msg/String",
                                 .encoding = "cdr",
                                 .definition_encoding = "ros2msg",
                                 .has_schema = true};
    struct sl_log_output *output;
    uint32_t index;
    assert_fine(sl_log_output_create(place("t.mcap"), &options, &output));
    assert_fine(sl_log_output_topic(output, &topic, &index));
    assert_fine(sl_log_output_message(
        output, &(struct sl_log_message){.receive_ns = 7, .sequence = 3}, body, sizeof body));
    assert_fine(sl_log_output_end(output));
    sl_log_output_close(output);
    struct run r = SLUICE(0, "cat", place("t.mcap"));
    assert_has(r.out, "\"receive_ns\": 7");
    assert_has(r.out, "\"sequence\": 3");
    assert_has(r.out, "\"data\":\"hello\"");
    run_free(&r);
}

static void messages_are_printed_by_the_definition_of_their_log(void **state)
{
    (void)state;
    static const char definition[] = "Point[] points\n=====\nMSG: own/Point\nint8 x\nint16 y\n";
    static const uint8_t body[] = {2, 0, 0, 0, 1, 2, 0, 0xff, 3, 0};
    struct sl_log_output_options options = {.kind = SL_LOG_OUTPUT_ROSBAG1};
    struct sl_log_topic topic = {.name = "/t",
                                 .type = "own/Points",
                                 .encoding = "ros1",
                                 .definition_encoding = "ros1msg",
                                 .definition = definition,
                                 .definition_bytes = sizeof definition - 1,
                                 .has_schema = true};
    struct sl_log_output *output;
    uint32_t index;
    assert_fine(sl_log_output_create(place("t.bag"), &options, &output));
    assert_fine(sl_log_output_topic(output, &topic, &index));
    struct sl_log_message m = {.receive_ns = 7};
    assert_fine(sl_log_output_message(output, &m, body, sizeof body));
    assert_fine(sl_log_output_message(output, &m, body, sizeof body - 1)); /* no such message */
    assert_fine(sl_log_output_end(output));
    sl_log_output_close(output);
    struct run r = SLUICE(0, "cat", place("t.bag"));
    assert_has(r.out, "\"data\": {\"points\":[{\"x\":1,\"y\":2},{\"x\":-1,\"y\":3}]}}\n");
    assert_has(r.out, "\"size_bytes\": 9, \"sha256\": \"");
    run_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
        TEST(hashes_are_those_of_sha256sum),
        TEST(each_format_keeps_every_message),
        TEST(topics_and_times_are_chosen),
        TEST(folder_is_summed_up_and_gaps_are_found),
        TEST(damaged_log_is_told_and_saved),
        TEST(check_tells_programs),
        TEST(damaged_folders_are_read),
        TEST(unreadable_files_do_not_hide_the_folders_others),
        TEST(message_that_cannot_be_decompressed_is_left_out),
        TEST(wrong_counts_of_metadata_are_told),
        TEST(exactly_what_is_damaged_is_lost),
        TEST(mistakes_are_told),
        TEST(known_messages_are_printed),
        TEST(messages_are_printed_by_the_definition_of_their_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
