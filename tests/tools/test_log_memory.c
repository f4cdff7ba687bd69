/* SPDX-License-Identifier: Apache-2.0 */
/* test_log_memory.c - small files that become large when they are decompressed, or say so: what
 * reads logs does with 64 MB of memory what it can, tells the rest, and how it is to be had. */
#include "rosbag_compat/files.h"
#include "tests/rosbag_compat/support.h"
#include "tests/tools/harness.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB          (UINT64_C(1) << 20)
#define MEMORY_BYTES (64 * MIB)
#define SMALL_BYTES  (23 * MIB)  /* may be made of anything */
#define LARGE_BYTES  (128 * MIB) /* may not */

static const struct bomb {
    const char *name;
    enum sl_log_output_kind kind;
    enum sl_compression compression;
} bombs[] = {
    {"zstd.mcap", SL_LOG_OUTPUT_MCAP, SL_COMPRESSION_ZSTD},
    {"lz4.mcap", SL_LOG_OUTPUT_MCAP, SL_COMPRESSION_LZ4},
    {"bz2.bag", SL_LOG_OUTPUT_ROSBAG1, SL_COMPRESSION_BZ2},
    {"lz4.bag", SL_LOG_OUTPUT_ROSBAG1, SL_COMPRESSION_LZ4},
};

static struct sl_log_output *begin_log(const struct bomb *bomb, const char *path,
                                       uint64_t chunk_bytes, uint32_t *ret_topic)
{
    const struct sl_log_output_options options = {
        .kind = bomb->kind,
        .write = {.compression = bomb->compression, .chunk_bytes = chunk_bytes}};
    const struct sl_log_topic topic = {.name = "/map",
                                       .type = "nobodys_msgs/Map",
                                       .encoding = "ros1",
                                       .definition_encoding = "ros1msg",
                                       .definition = "uint8[] data\n",
                                       .definition_bytes = 13,
                                       .has_schema = true};
    struct sl_log_output *out;
    unlink(path);
    assert_fine(sl_log_output_create(path, &options, &out));
    assert_fine(sl_log_output_topic(out, &topic, ret_topic));
    return out;
}

static void put(struct sl_log_output *out, uint32_t topic, uint64_t after_ns, const void *body,
                uint64_t size_bytes)
{
    const struct sl_log_message m = {.topic = topic,
                                     .receive_ns = UINT64_C(1700000000000000000) + after_ns};
    assert_fine(sl_log_output_message(out, &m, body, size_bytes));
}

static void end_log(struct sl_log_output *out)
{
    assert_fine(sl_log_output_end(out));
    sl_log_output_close(out);
}

/* A message of that size between two small ones, each in a chunk of its own. */
static void make_log_of(const struct bomb *bomb, const char *path, const void *body,
                        uint64_t size_bytes)
{
    uint32_t topic;
    struct sl_log_output *out = begin_log(bomb, path, 1, &topic);
    for (unsigned i = 0; i < 3; i++)
        put(out, topic, i, body, i == 1 ? size_bytes : 100);
    end_log(out);
}

static void make_bomb(const struct bomb *bomb, const char *path, uint64_t size_bytes)
{
    void *empty = calloc(1, size_bytes);
    assert_non_null(empty);
    make_log_of(bomb, path, empty, size_bytes);
    free(empty);
}

/* Its index is lost. */
static void cut_off(const char *path)
{
    struct stat file;
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(truncate(path, file.st_size - 10), 0);
}

/* Wherever the size of the large chunk stands, it is 1 GB from now on. */
static void lie(const struct bomb *bomb, const char *path)
{
    static const uint8_t claim[8] = {0, 0, 0, 0x40};
    struct sl_log_set set = {0};
    uint64_t said = 0;
    size_t size;
    assert_fine(sl_log_set_add(&set, path, 0));
    for (uint32_t i = 0; i < set.logs[0]->block_count; i++)
        said = said > set.logs[0]->blocks[i].size_bytes ? said : set.logs[0]->blocks[i].size_bytes;
    sl_log_set_close(&set);
    uint8_t *bytes = read_whole(path, &size), *end = bytes + size;
    const size_t width = bomb->kind == SL_LOG_OUTPUT_MCAP ? 8 : 4;
    unsigned found = 0;
    for (uint8_t *at = bytes; (at = memmem(at, (size_t)(end - at), &said, width)); found++)
        memcpy(at, claim, width);
    assert_true(found > 0);
    FILE *file = fopen(path, "wbe");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    fclose(file);
    free(bytes);
}

/* With so much memory of its own. The caller frees. */
static struct run run_small(int status, const char *program, const char *command, const char *path,
                            const char *more)
{
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_DATA, &before), 0);
    small = (struct rlimit){MEMORY_BYTES, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_DATA, &small), 0);
    struct run r =
        command ? run(program, command, path, more, NULL) : run(program, path, more, NULL);
    assert_int_equal(setrlimit(RLIMIT_DATA, &before), 0);
    if (r.status != status)
        fail_msg("%s %s: status %d: %s%s", command ? command : program, path, r.status, r.out,
                 r.err);
    return r;
}

static void assert_says(const char *command, const char *path, const char *more, int status,
                        const char *said)
{
    struct run r = run_small(status, "sluice", command, path, more);
    assert_has(r.out, said);
    run_free(&r);
}

static void assert_recovers(const char *path, int status, const char *said)
{
    char saved[300];
    snprintf(saved, sizeof saved, "%s", harness_path("saved.mcap"));
    unlink(saved);
    assert_says("recover", path, saved, status, said);
}

static void assert_plays(const char *path, const char *said)
{
    struct run r = run_small(0, "play", NULL, path, "--rate=0");
    assert_has(r.err, said);
    run_free(&r);
}

static bool next_bomb(unsigned *i, char path[300])
{
    while (*i < sizeof bombs / sizeof *bombs && !sl_compression_is_built(bombs[*i].compression))
        ++*i;
    if (*i == sizeof bombs / sizeof *bombs)
        return false;
    snprintf(path, 300, "%s", harness_path(bombs[*i].name));
    return true;
}

static void what_may_be_made_of_anything_is_read(void **state)
{
    (void)state;
    char path[300];
    for (unsigned i = 0; next_bomb(&i, path); i++) {
        make_bomb(&bombs[i], path, SMALL_BYTES);
        assert_says("info", path, NULL, 0, "/map");
        assert_says("check", path, NULL, 0, "whole, 3 messages");
        assert_recovers(path, 0, "3 messages");
        assert_plays(path, "3 messages, ");
        cut_off(path);
        assert_says("info", path, NULL, 0, "/map");
        assert_says("check", path, NULL, 3, "3 messages can be read");
        assert_recovers(path, bombs[i].kind == SL_LOG_OUTPUT_MCAP ? 0 : 3, "3 messages");
        assert_plays(path, "3 messages, ");
    }
}

static void what_becomes_more_is_left_out_unless_it_is_allowed(void **state)
{
    (void)state;
    char path[300];
    for (unsigned i = 0; next_bomb(&i, path); i++) {
        make_bomb(&bombs[i], path, LARGE_BYTES);
        for (unsigned is_cut = 0; is_cut < 2; is_cut++) {
            assert_says("info", path, NULL, 0, "give --memory=129M");
            assert_says("check", path, NULL, 3, "give --memory=129M");
            assert_recovers(path, 3, "2 messages");
            assert_plays(path, "2 messages, ");
            struct run r = run("sluice", "check", "--memory=129M", path, NULL);
            assert_has(r.out, is_cut ? "3 messages can be read" : "whole, 3 messages");
            run_free(&r);
            r = run("play", "--memory=1G", "--rate=0", path, NULL);
            assert_has(r.err, "3 messages, ");
            run_free(&r);
            if (!is_cut)
                cut_off(path);
        }
    }
}

static void what_only_says_so_takes_no_memory(void **state)
{
    (void)state;
    char path[300];
    for (unsigned i = 0; next_bomb(&i, path); i++) {
        make_bomb(&bombs[i], path, 4 * MIB);
        lie(&bombs[i], path);
        for (unsigned is_cut = 0; is_cut < 2; is_cut++) {
            assert_says("info", path, NULL, 0, "give --memory=1025M");
            assert_says("check", path, NULL, 3, "2 messages can be read");
            assert_recovers(path, 3, "2 messages");
            assert_plays(path, "2 messages, ");
            if (!is_cut)
                cut_off(path);
        }
    }
}

/* Each chunk begins before any ends. */
static void chunks_of_the_same_time_take_turns(void **state)
{
    (void)state;
    const uint64_t size = 10 * MIB;
    char path[300];
    unsigned i = 0;
    uint32_t topic;
    void *empty = calloc(1, size);
    assert_non_null(empty);
    if (next_bomb(&i, path)) {
        struct sl_log_output *out = begin_log(&bombs[i], path, size, &topic);
        for (unsigned k = 0; k < 10; k++) {
            put(out, topic, k, empty, 100);
            put(out, topic, k + 100, empty, size);
        }
        end_log(out);
        assert_recovers(path, 0, "20 messages");
    }
    free(empty);
}

/* Noise, a little of it over and over: about eight times as large as it is stored. */
static void large_messages_of_sensors_are_read(void **state)
{
    (void)state;
    const uint64_t size = 64 * MIB;
    uint8_t *body = malloc(size);
    uint32_t random = 1;
    assert_non_null(body);
    for (uint64_t k = 0; k < size; k++) {
        random = random * 1664525u + 1013904223u;
        body[k] = k % 8 == 0 ? (uint8_t)(random >> 24) : (uint8_t)(k >> 16);
    }
    char path[300];
    for (unsigned i = 0; next_bomb(&i, path); i++) {
        make_log_of(&bombs[i], path, body, size);
        struct run r = run("sluice", "check", path, NULL);
        assert_has(r.out, "whole, 3 messages");
        run_free(&r);
        r = run("play", "--memory=512M", "--rate=0", path, NULL);
        assert_has(r.err, "3 messages, ");
        run_free(&r);
    }
    free(body);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_may_be_made_of_anything_is_read),
        TEST(what_becomes_more_is_left_out_unless_it_is_allowed),
        TEST(what_only_says_so_takes_no_memory),
        TEST(chunks_of_the_same_time_take_turns),
        TEST(large_messages_of_sensors_are_read),
    };
    cmocka_set_test_filter(getenv("SLUICE_TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
