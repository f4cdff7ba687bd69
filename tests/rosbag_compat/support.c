/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/rosbag_compat/support.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Files -----------------------------------------------------------------------------------------*/

const char *test_data(const char *name, char *ret_path)
{
    const char *folder = getenv("SLUICE_TEST_DATA");
    const char *source = getenv("SLUICE_SOURCE");
    if (folder)
        snprintf(ret_path, PATH_MAX, "%s/%s", folder, name);
    else
        snprintf(ret_path, PATH_MAX, "%s/../shared/data/%s", source ? source : ".", name);
    return access(ret_path, R_OK) == 0 ? ret_path : NULL;
}

uint8_t *read_whole(const char *path, size_t *ret_size_bytes)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("%s: %s", path, strerror(errno));
    fseek(file, 0, SEEK_END);
    *ret_size_bytes = (size_t)ftell(file);
    rewind(file);
    uint8_t *bytes = malloc(*ret_size_bytes ? *ret_size_bytes : 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, *ret_size_bytes, file), *ret_size_bytes);
    fclose(file);
    return bytes;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

char **list_names(const char *folder, const char *ending)
{
    char **names = calloc(1, sizeof *names);
    size_t count = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        size_t length = strlen(entry->d_name);
        size_t end = strlen(ending);
        if (entry->d_name[0] == '.' || length < end ||
            strcmp(entry->d_name + length - end, ending) != 0)
            continue;
        names = realloc(names, (count + 2) * sizeof *names);
        assert_non_null(names);
        names[count++] = strdup(entry->d_name);
        names[count] = NULL;
    }
    closedir(dir);
    qsort(names, count, sizeof *names, compare_names);
    return names;
}

void free_names(char **names)
{
    for (char **name = names; *name; name++)
        free(*name);
    free(names);
}

/* Logs in memory --------------------------------------------------------------------------------*/

static int read_at(void *state, uint64_t offset, void *to, size_t size_bytes)
{
    memcpy(to, (const uint8_t *)state + offset, size_bytes);
    return 0;
}

struct sl_log_source memory_source(const uint8_t *bytes, size_t size_bytes)
{
    return (struct sl_log_source){
        .read_at = read_at, .state = (void *)bytes, .size_bytes = size_bytes};
}

static int read_disk(void *state, uint64_t offset, void *to, size_t size_bytes)
{
    const struct disk *disk = state;
    if (offset < disk->bad_to && offset + size_bytes > disk->bad_from)
        return sl_error(-EIO, "byte %" PRIu64 " cannot be read: %s",
                        offset > disk->bad_from ? offset : disk->bad_from, strerror(EIO));
    memcpy(to, disk->bytes + offset, size_bytes);
    return 0;
}

struct sl_log_source disk_source(const struct disk *disk, size_t size_bytes)
{
    return (struct sl_log_source){read_disk, (void *)disk, size_bytes, 0};
}

const uint8_t *watched_start, *watched_end;
unsigned watched_pieces;

static int write_pieces(void *state, const struct iovec *pieces, unsigned count)
{
    struct sl_buffer *buffer = state;
    for (unsigned i = 0; i < count; i++) {
        const uint8_t *at = pieces[i].iov_base;
        watched_pieces += at >= watched_start && at < watched_end;
        sl_buffer_put(buffer, at, pieces[i].iov_len);
    }
    return buffer->failed ? -ENOMEM : 0;
}

static int write_at(void *state, uint64_t offset, const void *bytes, size_t size_bytes)
{
    struct sl_buffer *buffer = state;
    assert_true(offset + size_bytes <= buffer->size_bytes);
    memcpy(buffer->bytes + offset, bytes, size_bytes);
    return 0;
}

struct sl_log_sink memory_sink(struct sl_buffer *buffer)
{
    return (struct sl_log_sink){write_pieces, write_at, buffer};
}

/* Made-up logs ----------------------------------------------------------------------------------*/

static uint32_t next_random(uint32_t *random)
{
    *random = *random * 1664525u + 1013904223u;
    return *random >> 8;
}

static const struct sl_log_pair cloud_pairs[] = {
    {"offered_qos_profiles", "- history: 1\n  depth: 10\n  reliability: 1\n  durability: 2\n"},
    {"topic_type_hash", "RIHS01_00"},
};
static const struct sl_log_pair text_pairs[] = {
    {"callerid", "/talker=1"},
    {"md5sum", "992ce8a1687cec8c8bd883ec73ca41d1"},
    {"latching", "1"},
};

static const struct sl_log_topic topics[] = {
    {.name = "/points",
     .type = "sensor_msgs/msg/PointCloud2",
     .encoding = "cdr",
     .definition_encoding = "ros2msg",
     .definition = "uint32 height\nuint32 width\n",
     .definition_bytes = 27,
     .has_schema = true,
     .pairs = cloud_pairs,
     .pair_count = 2},
    {.name = "/text",
     .type = "std_msgs/String",
     .encoding = "ros1",
     .definition_encoding = "ros1msg",
     .definition = "string data\n",
     .definition_bytes = 12,
     .has_schema = true,
     .pairs = text_pairs,
     .pair_count = 3},
    {.name = "/more_text",
     .type = "std_msgs/String",
     .encoding = "ros1",
     .definition_encoding = "ros1msg",
     .definition = "string data\n",
     .definition_bytes = 12,
     .has_schema = true,
     .pairs = text_pairs,
     .pair_count = 1},
    {.name = "/plain", .type = "", .encoding = "json", .definition_encoding = ""},
};

struct made *make_log(unsigned count, size_t size_max, unsigned seed)
{
    struct made *made = calloc(1, sizeof *made);
    uint32_t random = seed * 2654435761u + 1;
    assert_non_null(made);
    made->topic_count = 4;
    memcpy(made->topics, topics, sizeof topics);
    made->message_count = count;
    made->messages = calloc(count + 1, sizeof *made->messages);
    made->bodies = calloc(count + 1, sizeof *made->bodies);
    assert_non_null(made->messages);
    assert_non_null(made->bodies);
    uint64_t time_ns = UINT64_C(1700000000000000000);
    for (unsigned i = 0; i < count; i++) {
        struct sl_log_message *m = &made->messages[i];
        time_ns += next_random(&random) % 1000000;
        m->topic = next_random(&random) % made->topic_count;
        m->sequence = i + 7;
        m->receive_ns = time_ns;
        m->publish_ns = time_ns - next_random(&random) % 1000;
        m->size_bytes = i % 5 == 4 ? 0 : next_random(&random) % (size_max + 1);
        made->bodies[i] = malloc(m->size_bytes + 1);
        assert_non_null(made->bodies[i]);
        for (uint64_t k = 0; k < m->size_bytes; k++) /* half of it compresses */
            made->bodies[i][k] = k & 64 ? (uint8_t)next_random(&random) : (uint8_t)k;
    }
    return made;
}

void free_made(struct made *made)
{
    for (unsigned i = 0; i < made->message_count; i++)
        free(made->bodies[i]);
    free(made->bodies);
    free(made->messages);
    free(made);
}

void write_made(const struct made *made, struct sl_log_writer *writer)
{
    uint32_t index[4] = {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX};
    for (unsigned i = 0; i < made->message_count; i++) {
        struct sl_log_message m = made->messages[i];
        if (index[m.topic] == UINT32_MAX)
            assert_fine(sl_log_write_topic(writer, &made->topics[m.topic], &index[m.topic]));
        size_t first = (size_t)(m.size_bytes / 3);
        struct iovec body[2] = {{made->bodies[i], first},
                                {made->bodies[i] + first, (size_t)m.size_bytes - first}};
        m.topic = index[m.topic];
        assert_fine(sl_log_write_message(writer, &m, body, 2));
    }
}

static void assert_same_topic(const struct sl_log_topic *a, const struct sl_log_topic *b)
{
    assert_string_equal(a->name, b->name);
    assert_string_equal(a->type, b->type);
    assert_string_equal(a->encoding, b->encoding);
    assert_int_equal(a->definition_bytes, b->definition_bytes);
    if (a->definition_bytes)
        assert_memory_equal(a->definition, b->definition, a->definition_bytes);
}

unsigned assert_holds_made(struct sl_log *log, const struct made *made)
{
    unsigned count = 0;
    for (uint32_t i = 0; i < log->block_count; i++) {
        const struct sl_log_block *block = &log->blocks[i];
        uint8_t *bytes = malloc(block->size_bytes + 1);
        size_t size;
        size_t at = 0;
        struct sl_log_message m;
        int result;
        assert_non_null(bytes);
        assert_fine(sl_log_load(log, i, bytes, &size));
        while ((result = sl_log_walk(log, i, bytes, size, &at, &m)) == 1) {
            assert_true(count < made->message_count);
            const struct sl_log_message *wanted = &made->messages[count];
            assert_same_topic(&log->topics[m.topic], &made->topics[wanted->topic]);
            assert_true(m.receive_ns == wanted->receive_ns);
            assert_true(m.receive_ns >= block->first_ns && m.receive_ns <= block->last_ns);
            assert_true(m.size_bytes == wanted->size_bytes);
            assert_true(m.offset + m.size_bytes <= size);
            if (m.size_bytes)
                assert_memory_equal(bytes + m.offset, made->bodies[count], m.size_bytes);
            if (log->format == SL_LOG_MCAP) {
                assert_true(m.publish_ns == wanted->publish_ns);
                assert_int_equal(m.sequence, wanted->sequence);
            }
            count++;
        }
        if (result < 0)
            fail_msg("%s", sl_error_text());
        free(bytes);
    }
    return count;
}

unsigned walk_all(struct sl_log *log)
{
    unsigned count = 0;
    for (uint32_t i = 0; i < log->block_count; i++) {
        assert_true(log->blocks[i].size_bytes < UINT64_C(1) << 32);
        uint8_t *bytes = malloc(log->blocks[i].size_bytes + 1);
        size_t size;
        size_t at = 0;
        struct sl_log_message m;
        assert_non_null(bytes);
        sl_log_load(log, i, bytes, &size);
        assert_true(size <= log->blocks[i].size_bytes);
        while (sl_log_walk(log, i, bytes, size, &at, &m) == 1) {
            assert_true(m.topic < log->topic_count);
            assert_true(m.offset <= size && m.size_bytes <= size - m.offset);
            count++;
        }
        free(bytes);
    }
    return count;
}
