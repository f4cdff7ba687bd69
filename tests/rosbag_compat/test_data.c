/* SPDX-License-Identifier: Apache-2.0 */
/* Logs of the field against their manifest, which other readers counted. */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/yaml.h"
#include "rosbag_compat/rosbag2_metadata.h"
#include "rosbag_compat/sqlite.h"
#include "tests/rosbag_compat/support.h"

static const struct sl_yaml_node *get(const struct sl_yaml_node *node, const char *key)
{
    const struct sl_yaml_node *value = sl_yaml_get(node, key);
    if (!value)
        fail_msg("line %u: no %s", sl_yaml_line(node), key);
    return value;
}

static uint64_t number(const struct sl_yaml_node *node)
{
    return strtoull(sl_yaml_text(node), NULL, 10);
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text);
    return length >= strlen(end) && strcmp(text + length - strlen(end), end) == 0;
}

/* Messages of each topic by walking, the largest of all, and the span of time. */
struct seen {
    uint64_t *counts;
    uint64_t count, largest, first_ns, last_ns;
};

static void see(struct sl_log *log, struct seen *seen)
{
    *seen = (struct seen){.counts = calloc(log->topic_count + 1, sizeof *seen->counts),
                          .first_ns = UINT64_MAX};
    for (uint32_t i = 0; i < log->block_count; i++) {
        uint8_t *bytes = malloc(log->blocks[i].size_bytes + 1);
        size_t size;
        size_t at = 0;
        struct sl_log_message m;
        int result;
        assert_non_null(bytes);
        assert_fine(sl_log_load(log, i, bytes, &size));
        while ((result = sl_log_walk(log, i, bytes, size, &at, &m)) == 1) {
            seen->counts[m.topic]++;
            seen->count++;
            seen->largest = m.size_bytes > seen->largest ? m.size_bytes : seen->largest;
            seen->first_ns = m.receive_ns < seen->first_ns ? m.receive_ns : seen->first_ns;
            seen->last_ns = m.receive_ns > seen->last_ns ? m.receive_ns : seen->last_ns;
        }
        assert_fine(result);
        free(bytes);
    }
}

/* Several connections may share a topic. */
static uint64_t count_of(const struct sl_log *log, const struct seen *seen, const char *name,
                         const char *type)
{
    uint64_t count = 0;
    unsigned found = 0;
    for (uint32_t i = 0; i < log->topic_count; i++) {
        if (strcmp(log->topics[i].name, name) != 0)
            continue;
        assert_string_equal(log->topics[i].type, type);
        assert_true(log->topics[i].message_count == seen->counts[i]);
        count += seen->counts[i];
        found++;
    }
    if (!found)
        fail_msg("topic %s is missing", name);
    return count;
}

static void compare_mapping(const struct sl_yaml_node *summary, const struct sl_log *log,
                            const struct seen *seen)
{
    const struct sl_yaml_node *topics = get(summary, "topics");
    for (unsigned i = 0; i < sl_yaml_count(topics); i++) {
        const struct sl_yaml_node *topic = sl_yaml_item(topics, i);
        unsigned last = sl_yaml_count(topic) - 1;
        uint64_t count = count_of(log, seen, sl_yaml_text(sl_yaml_key(topics, i)),
                                  sl_yaml_text(sl_yaml_item(topic, 0)));
        assert_true(count == number(sl_yaml_item(topic, last)));
    }
    assert_true(seen->count == number(get(summary, "msgs")));
    assert_true(seen->largest == number(get(summary, "maxmsg")));
    uint64_t chunks = 0;
    for (uint32_t i = 0; i < log->block_count; i++)
        chunks += log->blocks[i].is_chunk;
    assert_true(chunks == number(get(summary, "chunks")));
    if (chunks > 0)
        assert_string_equal(sl_compression_names[log->blocks[0].compression],
                            sl_yaml_text(get(summary, "comp")));
}

static void compare_bag(const struct sl_yaml_node *summary, const struct sl_log *log,
                        const struct seen *seen)
{
    compare_mapping(summary, log, seen);
    assert_int_equal(log->topic_count, number(get(summary, "conns")));
    double duration = seen->count ? (double)(seen->last_ns - seen->first_ns) / 1e9 : 0;
    assert_true(fabs(duration - strtod(sl_yaml_text(get(summary, "dur")), NULL)) < 0.001);
}

static void compare_mcap(const struct sl_yaml_node *summary, const struct sl_log *log,
                         const struct seen *seen)
{
    compare_mapping(summary, log, seen);
    assert_string_equal(log->profile, sl_yaml_text(get(summary, "profile")));
    assert_string_equal(log->library, sl_yaml_text(get(summary, "library")));
    assert_int_equal(log->attachment_count, number(get(summary, "att")));
    const struct sl_yaml_node *topics = get(summary, "topics");
    assert_int_equal(sl_yaml_count(topics), log->topic_count);
    for (uint32_t i = 0; i < log->topic_count; i++) {
        const struct sl_yaml_node *topic = get(topics, log->topics[i].name);
        assert_string_equal(log->topics[i].definition_encoding,
                            sl_yaml_text(sl_yaml_item(topic, 1)));
        assert_string_equal(log->topics[i].encoding, sl_yaml_text(sl_yaml_item(topic, 2)));
    }
}

static struct sl_sqlite *db; /* of the log that is open */

static int open_rows(const struct sl_log_source *source, unsigned flags, struct sl_log **ret_log)
{
    sl_sqlite_close(db);
    db = NULL;
    int err = sl_sqlite_open_bytes(source->state, (size_t)source->size_bytes, &db);
    return err ? err : sl_rosbag2_sqlite_open(db, flags, ret_log);
}

static void compare_rows(const struct sl_yaml_node *summary, const struct sl_log *log,
                         const struct seen *seen)
{
    const struct sl_yaml_node *topics = get(summary, "topics");
    assert_int_equal(sl_yaml_count(topics), log->topic_count);
    for (unsigned i = 0; i < sl_yaml_count(topics); i++) {
        const struct sl_yaml_node *topic = sl_yaml_item(topics, i);
        uint64_t count = count_of(log, seen, sl_yaml_text(sl_yaml_item(topic, 0)),
                                  sl_yaml_text(sl_yaml_item(topic, 1)));
        assert_true(count == number(sl_yaml_item(topic, 3)));
        for (uint32_t t = 0; t < log->topic_count; t++)
            if (strcmp(log->topics[t].name, sl_yaml_text(sl_yaml_item(topic, 0))) == 0)
                assert_string_equal(log->topics[t].encoding, sl_yaml_text(sl_yaml_item(topic, 2)));
    }
    if (sl_yaml_is(get(summary, "schema"), SL_YAML_SEQUENCE))
        assert_string_equal(log->library, sl_yaml_text(sl_yaml_item(get(summary, "schema"), 1)));
    if (number(get(summary, "msgdefs")) > 0)
        for (uint32_t t = 0; t < log->topic_count; t++)
            assert_true(log->topics[t].definition_bytes > 0 || seen->counts[t] == 0);
}

static const struct kind {
    const char *ending;
    int (*open)(const struct sl_log_source *source, unsigned flags, struct sl_log **ret_log);
    void (*compare)(const struct sl_yaml_node *summary, const struct sl_log *log,
                    const struct seen *seen);
} kinds[] = {
    {".bag", sl_ros1_open, compare_bag},
    {".mcap", sl_mcap_open, compare_mcap},
    {".db3", open_rows, compare_rows},
};

static const struct kind *kind_of(const char *file)
{
    for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (ends_with(file, kinds[i].ending))
            return &kinds[i];
    return NULL;
}

/* A build may lack libraries: their logs are refused by name then. */
static bool has_every_library(void)
{
    struct sl_sqlite *empty = NULL;
    bool has_all = sl_sqlite_open_bytes("", 0, &empty) == 0;
    sl_sqlite_close(empty);
    for (int i = 0; sl_compression_names[i]; i++)
        has_all &= sl_compression_is_built((enum sl_compression)i);
    return has_all;
}

static void check_file(const struct sl_yaml_node *entry, const struct kind *kind)
{
    const struct sl_yaml_node *summary = get(entry, "peer_summary");
    const char *file = sl_yaml_text(get(entry, "file"));
    char name[PATH_MAX];
    char path[PATH_MAX];
    size_t size;
    snprintf(name, sizeof name, "bags/%s", file);
    assert_non_null(test_data(name, path));
    uint8_t *bytes = read_whole(path, &size);
    struct sl_log_source source = memory_source(bytes, size);
    for (unsigned flags = 0; flags <= SL_LOG_SCAN; flags++) {
        struct sl_log *log;
        struct seen seen;
        int err = kind->open(&source, flags, &log);
        if (sl_yaml_get(summary, "error")) { /* of the other reader: ours has one too */
            assert_int_equal(err, -EBADMSG);
            continue;
        }
        if (err == -ENOTSUP && !has_every_library())
            continue;
        if (err)
            fail_msg("%s: %s", file, sl_error_text());
        if (log->damage.count)
            fail_msg("%s: %s", file, log->damage.first);
        assert_int_equal(log->was_indexed, !flags);
        bool is_built = true;
        for (uint32_t i = 0; i < log->block_count; i++)
            is_built &= sl_compression_is_built((enum sl_compression)log->blocks[i].compression);
        if (!is_built) {
            sl_log_close(log);
            continue;
        }
        see(log, &seen);
        kind->compare(summary, log, &seen);
        free(seen.counts);
        sl_log_close(log);
    }
    sl_sqlite_close(db);
    db = NULL;
    free(bytes);
}

static void each_log_holds_what_the_manifest_says(void **state)
{
    (void)state;
    char path[PATH_MAX];
    struct sl_yaml *yaml;
    unsigned count = 0;
    assert_fine(sl_yaml_load(test_data("bags/MANIFEST.json", path), &yaml));
    const struct sl_yaml_node *root = sl_yaml_root(yaml);
    for (unsigned i = 0; i < sl_yaml_count(root); i++) {
        const struct sl_yaml_node *entry = sl_yaml_item(root, i);
        const struct kind *kind = kind_of(sl_yaml_text(get(entry, "file")));
        if (!kind)
            continue;
        check_file(entry, kind);
        count++;
    }
    sl_yaml_destroy(yaml);
    assert_true(count >= 49);
}

/* Each metadata.yaml, and what it says of the files that are there. */
static void each_metadata_file_is_read(void **state)
{
    (void)state;
    char path[PATH_MAX];
    struct sl_yaml *yaml;
    unsigned count = 0;
    assert_fine(sl_yaml_load(test_data("bags/MANIFEST.json", path), &yaml));
    const struct sl_yaml_node *root = sl_yaml_root(yaml);
    for (unsigned i = 0; i < sl_yaml_count(root); i++) {
        const char *file = sl_yaml_text(get(sl_yaml_item(root, i), "file"));
        char name[PATH_MAX];
        size_t size;
        struct sl_rosbag2_metadata m;
        if (!ends_with(file, "metadata.yaml"))
            continue;
        snprintf(name, sizeof name, "bags/%s", file);
        assert_non_null(test_data(name, path));
        uint8_t *text = read_whole(path, &size);
        assert_fine(sl_rosbag2_metadata_parse(path, (char *)text, size, &m));
        uint64_t sum = 0;
        for (unsigned t = 0; t < m.topic_count; t++)
            sum += m.topics[t].message_count;
        assert_true(sum == m.message_count);
        assert_true(m.file_count > 0 && m.topic_count > 0);
        assert_true(strcmp(m.storage, "mcap") == 0 || strcmp(m.storage, "sqlite3") == 0);
        sl_rosbag2_metadata_finish(&m);
        free(text);
        count++;
    }
    sl_yaml_destroy(yaml);
    assert_int_equal(count, 13);
}

int main(void)
{
    char path[PATH_MAX];
    if (!test_data("bags/MANIFEST.json", path)) {
        printf("SKIP: %s is absent (SLUICE_TEST_DATA names the folder of test data)\n", path);
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_log_holds_what_the_manifest_says),
        cmocka_unit_test(each_metadata_file_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
