/* SPDX-License-Identifier: Apache-2.0 */
/* The sizes of a recording's files: none is larger than asked for, and of small messages each is
 * nearly as large. */
#include "rosbag_compat/record_output.h"
#include "tests/rosbag_compat/support.h"
#include "tests/tools/harness.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TOPICS_MAX   40
#define BODY_MAX     (200u << 10)
#define SPLIT_BYTES  (1u << 20)
#define NAME_PATTERN "/%u/text"

struct plan {
    unsigned topics, messages, flush_every;
    uint32_t size_max; /* of a body that is not at its least */
    uint64_t split_bytes;
};

static const struct way {
    const char *name, *files;
    enum sl_log_output_kind kind;
    enum sl_compression compression;
} ways[] = {
    {"a.mcap", "a_%u.mcap", SL_LOG_OUTPUT_MCAP, SL_COMPRESSION_NONE},
    {"b.mcap", "b_%u.mcap", SL_LOG_OUTPUT_MCAP, SL_COMPRESSION_LZ4},
    {"c.mcap", "c_%u.mcap", SL_LOG_OUTPUT_MCAP, SL_COMPRESSION_ZSTD},
    {"d.bag", "d_%u.bag", SL_LOG_OUTPUT_ROSBAG1, SL_COMPRESSION_NONE},
    {"e.bag", "e_%u.bag", SL_LOG_OUTPUT_ROSBAG1, SL_COMPRESSION_LZ4},
    {"f.bag", "f_%u.bag", SL_LOG_OUTPUT_ROSBAG1, SL_COMPRESSION_BZ2},
    {"g", "g/g_%u.mcap", SL_LOG_OUTPUT_ROSBAG2, SL_COMPRESSION_NONE},
    {"h", "h/h_%u.db3", SL_LOG_OUTPUT_ROSBAG2_SQLITE, SL_COMPRESSION_NONE},
};
#define WAYS (sizeof ways / sizeof *ways)

static uint32_t random_state;

static uint32_t random_below(uint32_t limit)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (random_state >> 8) % limit;
}

/* A string of `size` bytes as ROS 2 writes it, which hardly compresses. */
static void write_text(uint8_t *to, uint32_t size)
{
    static const uint8_t little_endian_cdr[4] = {0, 1, 0, 0};
    const uint32_t length = size - 8;
    memcpy(to, little_endian_cdr, 4);
    memcpy(to + 4, &length, 4);
    for (uint32_t i = 8; i < size - 1; i++)
        to[i] = (uint8_t)('!' + random_below(90));
    to[size - 1] = '\0';
}

static void write_messages(struct record_output *output, const struct plan *plan)
{
    static uint8_t body[BODY_MAX];
    for (unsigned i = 0; i < plan->messages; i++) {
        const struct sl_log_message m = {.topic = random_below(plan->topics), .receive_ns = i};
        uint32_t size = random_below(8) ? 100 : 100 + random_below(plan->size_max - 99);
        write_text(body, size);
        assert_fine(record_output_message(output, 1, &m, &(struct iovec){body, size}, 1));
        if (random_below(plan->flush_every) == 0)
            assert_fine(record_output_flush(output));
    }
}

/* Returns false if this build does not know how. */
static bool record(const struct way *way, const struct plan *plan)
{
    char names[TOPICS_MAX][16];
    struct sl_log_topic topics[TOPICS_MAX];
    struct record_output *output = NULL;
    uint32_t index;
    const struct record_output_options o = {.path = harness_path(way->name),
                                            .kind = way->kind,
                                            .writing = {.compression = way->compression},
                                            .split_bytes = plan->split_bytes,
                                            .overwrite = true};
    if (!sl_compression_is_built(way->compression) || record_output_open(&o, &output) == -ENOTSUP)
        return false;
    assert_non_null(output);
    for (unsigned i = 0; i < plan->topics; i++) {
        snprintf(names[i], sizeof names[i], NAME_PATTERN, i);
        topics[i] = (struct sl_log_topic){.name = names[i],
                                          .type = "std_msgs/msg/String",
                                          .encoding = "cdr",
                                          .definition_encoding = ""};
        assert_fine(record_output_topic(output, &topics[i], false, &index));
    }
    write_messages(output, plan);
    assert_fine(record_output_close(output));
    return true;
}

/* All messages are there. Removes the files, and returns how many there were; the last one may be
 * of any size. */
static unsigned assert_sizes(const struct way *way, const struct plan *plan, uint64_t least)
{
    unsigned files = 0, messages = 0;
    uint64_t size = least;
    for (;; files++) {
        char name[64];
        struct stat file;
        struct sl_log_set set = {0};
        snprintf(name, sizeof name, way->files, files);
        if (stat(harness_path(name), &file) < 0)
            break;
        if (size < least)
            fail_msg("the file before %s has %llu bytes", name, (unsigned long long)size);
        size = (uint64_t)file.st_size;
        if (size > plan->split_bytes)
            fail_msg("%s has %llu bytes", name, (unsigned long long)size);
        assert_fine(sl_log_set_add(&set, harness_path(name), 0));
        messages += walk_all(set.logs[0]);
        sl_log_set_close(&set);
        assert_int_equal(unlink(harness_path(name)), 0);
    }
    assert_int_equal(messages, plan->messages);
    return files;
}

static void files_of_small_messages_are_nearly_as_large_as_asked_for(void **state)
{
    (void)state;
    const struct plan plan = {1, 40000, 2000, 100, SPLIT_BYTES};
    random_state = 1;
    for (unsigned i = 0; i < WAYS; i++) {
        if (!record(&ways[i], &plan))
            continue;
        assert_true(assert_sizes(&ways[i], &plan, plan.split_bytes / 10 * 9) > 3);
    }
}

static void no_file_is_larger_than_asked_for(void **state)
{
    (void)state;
    const struct plan plans[] = {
        {TOPICS_MAX, 4000, 20, 2000, 65536},
        {3, 1000, 100, 60000, 65536 + 65536 / 2},
        {TOPICS_MAX, 1000, 1000, BODY_MAX, SPLIT_BYTES / 2},
    };
    random_state = 1;
    for (unsigned i = 0; i < WAYS * 3; i++) {
        if (!record(&ways[i / 3], &plans[i % 3]))
            continue;
        assert_true(assert_sizes(&ways[i / 3], &plans[i % 3], 0) > 3);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(files_of_small_messages_are_nearly_as_large_as_asked_for),
        TEST(no_file_is_larger_than_asked_for),
    };
    cmocka_set_test_filter(getenv("SLUICE_TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
