/* SPDX-License-Identifier: Apache-2.0 */
/* The conformance suite of MCAP: each file is read and compared with its JSON, record by record and
 * as a log; and each file is written from its JSON alone, and compared byte for byte. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/yaml.h"
#include "rosbag_compat/mcap_records.h"
#include "tests/rosbag_compat/support.h"

static const char *const folders[] = {"NoData",      "OneAttachment",        "OneMessage",
                                      "OneMetadata", "OneSchemalessMessage", "TenMessages"};
#define FILE_COUNT 416

/* JSON ------------------------------------------------------------------------------------------*/

static const struct sl_yaml_node *field(const struct sl_yaml_node *record, const char *name)
{
    const struct sl_yaml_node *fields = sl_yaml_get(record, "fields");
    for (unsigned i = 0; i < sl_yaml_count(fields); i++) {
        const struct sl_yaml_node *pair = sl_yaml_item(fields, i);
        if (strcmp(sl_yaml_text(sl_yaml_item(pair, 0)), name) == 0)
            return sl_yaml_item(pair, 1);
    }
    fail_msg("line %u: no field %s", sl_yaml_line(record), name);
    return NULL;
}

static uint64_t number(const struct sl_yaml_node *record, const char *name)
{
    return strtoull(sl_yaml_text(field(record, name)), NULL, 10);
}

static const char *text(const struct sl_yaml_node *record, const char *name)
{
    return sl_yaml_text(field(record, name));
}

static size_t bytes_of(const struct sl_yaml_node *list, uint8_t *to)
{
    for (unsigned i = 0; i < sl_yaml_count(list); i++)
        to[i] = (uint8_t)strtoul(sl_yaml_text(sl_yaml_item(list, i)), NULL, 10);
    return sl_yaml_count(list);
}

static const char *type_of(const struct sl_yaml_node *record)
{
    return sl_yaml_text(sl_yaml_get(record, "type"));
}

static bool has_feature(const struct sl_yaml_node *root, const char *name)
{
    const struct sl_yaml_node *features =
        sl_yaml_get(sl_yaml_get(sl_yaml_get(root, "meta"), "variant"), "features");
    for (unsigned i = 0; i < sl_yaml_count(features); i++)
        if (strcmp(sl_yaml_text(sl_yaml_item(features, i)), name) == 0)
            return true;
    return false;
}

/* Reading, record by record ---------------------------------------------------------------------*/

#define SAME_NUMBER(name, value) assert_true(number(record, name) == (value))
#define SAME_TEXT(name, value)   assert_true(sl_text_is(value, text(record, name)))

static void same_bytes(const struct sl_yaml_node *list, const void *bytes, size_t size)
{
    uint8_t wanted[64];
    assert_int_equal(bytes_of(list, wanted), size);
    if (size)
        assert_memory_equal(wanted, bytes, size);
}

static void same_texts(const struct sl_yaml_node *map, struct sl_mcap_pairs pairs)
{
    struct sl_reader r = sl_mcap_pairs(pairs);
    struct sl_text key;
    struct sl_text value;
    unsigned count = 0;
    for (; sl_mcap_text_pair(&r, &key, &value) == 1; count++) {
        char name[32];
        snprintf(name, sizeof name, "%.*s", SL_TEXT_ARGS(key));
        assert_true(sl_text_is(value, sl_yaml_text(sl_yaml_get(map, name))));
    }
    assert_int_equal(count, sl_yaml_count(map));
}

static void same_counts(const struct sl_yaml_node *map, struct sl_mcap_pairs pairs)
{
    struct sl_reader r = sl_mcap_pairs(pairs);
    uint16_t channel;
    uint64_t value;
    unsigned count = 0;
    for (; sl_mcap_count_pair(&r, &channel, &value) == 1; count++) {
        char name[16];
        snprintf(name, sizeof name, "%u", channel);
        assert_true(strtoull(sl_yaml_text(sl_yaml_get(map, name)), NULL, 10) == value);
    }
    assert_int_equal(count, sl_yaml_count(map));
}

static void same_header(const struct sl_yaml_node *record, struct sl_reader *r)
{
    struct sl_mcap_header h;
    assert_fine(sl_mcap_read_header(r, &h));
    SAME_TEXT("profile", h.profile);
    SAME_TEXT("library", h.library);
}

static void same_schema(const struct sl_yaml_node *record, struct sl_reader *r)
{
    struct sl_mcap_schema s;
    assert_fine(sl_mcap_read_schema(r, &s));
    SAME_NUMBER("id", s.id);
    SAME_TEXT("name", s.name);
    SAME_TEXT("encoding", s.encoding);
    same_bytes(field(record, "data"), s.data.at, s.data.size);
}

static void same_channel(const struct sl_yaml_node *record, struct sl_reader *r)
{
    struct sl_mcap_channel c;
    assert_fine(sl_mcap_read_channel(r, &c));
    SAME_NUMBER("id", c.id);
    SAME_NUMBER("schema_id", c.schema_id);
    SAME_TEXT("topic", c.topic);
    SAME_TEXT("message_encoding", c.encoding);
    same_texts(field(record, "metadata"), c.metadata);
}

static void same_message(const struct sl_yaml_node *record, struct sl_reader *r)
{
    struct sl_mcap_message m;
    assert_fine(sl_mcap_read_message(r, &m));
    SAME_NUMBER("channel_id", m.channel_id);
    SAME_NUMBER("sequence", m.sequence);
    SAME_NUMBER("log_time", m.log_ns);
    SAME_NUMBER("publish_time", m.publish_ns);
    same_bytes(field(record, "data"), r->at, sl_reader_left(r));
}

static void same_chunk_index(const struct sl_yaml_node *record, struct sl_reader *r)
{
    struct sl_mcap_chunk_index c;
    assert_fine(sl_mcap_read_chunk_index(r, &c));
    SAME_NUMBER("message_start_time", c.start_ns);
    SAME_NUMBER("message_end_time", c.end_ns);
    SAME_NUMBER("chunk_start_offset", c.chunk_offset);
    SAME_NUMBER("chunk_length", c.chunk_length);
    same_counts(field(record, "message_index_offsets"), c.index_offsets);
    SAME_NUMBER("message_index_length", c.index_length);
    SAME_TEXT("compression", c.compression);
    SAME_NUMBER("compressed_size", c.stored_bytes);
    SAME_NUMBER("uncompressed_size", c.size_bytes);
}

static void same_attachment(const struct sl_yaml_node *record, struct sl_reader *r)
{
    struct sl_mcap_attachment a;
    assert_fine(sl_mcap_read_attachment(r, &a));
    SAME_NUMBER("log_time", a.log_ns);
    SAME_NUMBER("create_time", a.create_ns);
    SAME_TEXT("name", a.name);
    SAME_TEXT("media_type", a.media_type);
    assert_true(a.size_bytes + 4 <= sl_reader_left(r));
    same_bytes(field(record, "data"), r->at, (size_t)a.size_bytes);
}

static void same_attachment_index(const struct sl_yaml_node *record, struct sl_reader *r)
{
    struct sl_mcap_attachment_index a;
    assert_fine(sl_mcap_read_attachment_index(r, &a));
    SAME_NUMBER("offset", a.offset);
    SAME_NUMBER("length", a.length);
    SAME_NUMBER("log_time", a.log_ns);
    SAME_NUMBER("create_time", a.create_ns);
    SAME_NUMBER("data_size", a.size_bytes);
    SAME_TEXT("name", a.name);
    SAME_TEXT("media_type", a.media_type);
}

static void same_statistics(const struct sl_yaml_node *record, struct sl_reader *r)
{
    struct sl_mcap_statistics s;
    assert_fine(sl_mcap_read_statistics(r, &s));
    SAME_NUMBER("message_count", s.message_count);
    SAME_NUMBER("schema_count", s.schema_count);
    SAME_NUMBER("channel_count", s.channel_count);
    SAME_NUMBER("attachment_count", s.attachment_count);
    SAME_NUMBER("metadata_count", s.metadata_count);
    SAME_NUMBER("chunk_count", s.chunk_count);
    SAME_NUMBER("message_start_time", s.start_ns);
    SAME_NUMBER("message_end_time", s.end_ns);
    same_counts(field(record, "channel_message_counts"), s.channel_counts);
}

static void same_metadata(const struct sl_yaml_node *record, struct sl_reader *r)
{
    struct sl_mcap_metadata m;
    assert_fine(sl_mcap_read_metadata(r, &m));
    SAME_TEXT("name", m.name);
    same_texts(field(record, "metadata"), m.pairs);
}

static void same_metadata_index(const struct sl_yaml_node *record, struct sl_reader *r)
{
    struct sl_mcap_metadata_index m;
    assert_fine(sl_mcap_read_metadata_index(r, &m));
    SAME_NUMBER("offset", m.offset);
    SAME_NUMBER("length", m.length);
    SAME_TEXT("name", m.name);
}

static void same_summary_offset(const struct sl_yaml_node *record, struct sl_reader *r)
{
    struct sl_mcap_summary_offset s;
    assert_fine(sl_mcap_read_summary_offset(r, &s));
    SAME_NUMBER("group_opcode", s.opcode);
    SAME_NUMBER("group_start", s.start);
    SAME_NUMBER("group_length", s.length);
}

static void same_data_end(const struct sl_yaml_node *record, struct sl_reader *r)
{
    SAME_NUMBER("data_section_crc", sl_reader_le32(r));
}

static void same_footer(const struct sl_yaml_node *record, struct sl_reader *r)
{
    struct sl_mcap_footer f;
    assert_fine(sl_mcap_read_footer(r, &f));
    SAME_NUMBER("summary_start", f.summary_start);
    SAME_NUMBER("summary_offset_start", f.summary_offset_start);
    SAME_NUMBER("summary_crc", f.summary_crc);
}

static const struct {
    uint8_t opcode;
    const char *name;
    void (*same)(const struct sl_yaml_node *record, struct sl_reader *r);
} kinds[] = {
    {0x01, "Header", same_header},
    {0x02, "Footer", same_footer},
    {0x03, "Schema", same_schema},
    {0x04, "Channel", same_channel},
    {0x05, "Message", same_message},
    {0x08, "ChunkIndex", same_chunk_index},
    {0x09, "Attachment", same_attachment},
    {0x0a, "AttachmentIndex", same_attachment_index},
    {0x0b, "Statistics", same_statistics},
    {0x0c, "Metadata", same_metadata},
    {0x0d, "MetadataIndex", same_metadata_index},
    {0x0e, "SummaryOffset", same_summary_offset},
    {0x0f, "DataEnd", same_data_end},
};

/* Records of the range against those of the JSON from `at` on; chunks are looked into. */
static unsigned compare_records(const struct sl_yaml_node *records, unsigned at,
                                struct sl_reader range)
{
    struct sl_reader content;
    uint8_t opcode;
    int result;
    while ((result = sl_mcap_next_record(&range, &opcode, &content)) == 1) {
        if (opcode == 0x07)
            continue; /* message indexes are not in the JSON */
        if (opcode == 0x06) {
            struct sl_mcap_chunk chunk;
            assert_fine(sl_mcap_read_chunk(&content, &chunk));
            assert_int_equal(chunk.compression.size, 0);
            at = compare_records(records, at, sl_reader(content.at, (size_t)chunk.stored_bytes));
            continue;
        }
        const struct sl_yaml_node *record = sl_yaml_item(records, at++);
        assert_non_null(record);
        for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++) {
            if (kinds[i].opcode != opcode)
                continue;
            assert_string_equal(type_of(record), kinds[i].name);
            kinds[i].same(record, &content);
        }
    }
    assert_fine(result);
    return at;
}

/* Reading as a log ------------------------------------------------------------------------------*/

static const struct sl_yaml_node *next_record(const struct sl_yaml_node *records, const char *type,
                                              unsigned *at)
{
    for (; *at < sl_yaml_count(records); (*at)++) {
        const struct sl_yaml_node *record = sl_yaml_item(records, *at);
        if (strcmp(type_of(record), "DataEnd") == 0)
            break;
        if (strcmp(type_of(record), type) == 0) {
            (*at)++;
            return record;
        }
    }
    return NULL;
}

static void compare_messages(const struct sl_yaml_node *records, struct sl_log *log)
{
    unsigned at = 0;
    for (uint32_t i = 0; i < log->block_count; i++) {
        uint8_t bytes[4096];
        size_t size;
        size_t offset = 0;
        struct sl_log_message m;
        assert_true(log->blocks[i].size_bytes <= sizeof bytes);
        assert_fine(sl_log_load(log, i, bytes, &size));
        while (sl_log_walk(log, i, bytes, size, &offset, &m) == 1) {
            const struct sl_yaml_node *record = next_record(records, "Message", &at);
            assert_non_null(record);
            SAME_NUMBER("channel_id", log->topics[m.topic].id);
            SAME_NUMBER("sequence", m.sequence);
            SAME_NUMBER("log_time", m.receive_ns);
            SAME_NUMBER("publish_time", m.publish_ns);
            same_bytes(field(record, "data"), bytes + m.offset, (size_t)m.size_bytes);
        }
    }
    assert_null(next_record(records, "Message", &at));
}

static void compare_log(const struct sl_yaml_node *records, struct sl_log *log)
{
    unsigned at = 0;
    const struct sl_yaml_node *record;
    if (log->damage.count)
        fail_msg("%s", log->damage.first);
    for (uint32_t i = 0; i < log->topic_count; i++) {
        const struct sl_log_topic *topic = &log->topics[i];
        record = next_record(records, "Channel", &at);
        assert_non_null(record);
        assert_string_equal(text(record, "topic"), topic->name);
        assert_string_equal(text(record, "message_encoding"), topic->encoding);
        assert_int_equal(number(record, "schema_id") != 0, topic->has_schema);
        if (topic->has_schema) {
            assert_string_equal(topic->type, "Example");
            assert_string_equal(topic->definition_encoding, "c");
        }
        if (topic->has_schema)
            assert_string_equal(sl_log_topic_get(topic, "foo"), "bar");
        else
            assert_int_equal(topic->pair_count, 0);
    }
    assert_null(next_record(records, "Channel", &at));
    compare_messages(records, log);
    at = 0;
    for (uint32_t i = 0; i < log->attachment_count; i++) {
        uint8_t bytes[64];
        record = next_record(records, "Attachment", &at);
        assert_non_null(record);
        assert_string_equal(text(record, "name"), log->attachments[i].name);
        assert_fine(
            sl_log_read(log, log->attachments[i].offset, bytes, log->attachments[i].size_bytes));
        same_bytes(field(record, "data"), bytes, (size_t)log->attachments[i].size_bytes);
    }
    assert_null(next_record(records, "Attachment", &at));
    at = 0;
    for (uint32_t i = 0; i < log->metadata_count; i++) {
        record = next_record(records, "Metadata", &at);
        assert_non_null(record);
        assert_string_equal(text(record, "name"), log->metadata[i].name);
        assert_int_equal(sl_yaml_count(field(record, "metadata")), log->metadata[i].pair_count);
    }
    assert_null(next_record(records, "Metadata", &at));
}

/* Every file ------------------------------------------------------------------------------------*/

typedef void check_file(const char *name, const struct sl_yaml_node *root, const uint8_t *bytes,
                        size_t size);

static unsigned each_file(check_file *check)
{
    unsigned count = 0;
    for (unsigned f = 0; f < sizeof folders / sizeof *folders; f++) {
        char folder[PATH_MAX];
        char name[128];
        snprintf(name, sizeof name, "mcap-conformance/%s", folders[f]);
        assert_non_null(test_data(name, folder));
        char **names = list_names(folder, ".mcap");
        for (unsigned i = 0; names[i]; i++) {
            char path[PATH_MAX + 256];
            struct sl_yaml *yaml;
            size_t size;
            snprintf(path, sizeof path, "%s/%s", folder, names[i]);
            uint8_t *bytes = read_whole(path, &size);
            strcpy(path + strlen(path) - strlen("mcap"), "json");
            assert_fine(sl_yaml_load(path, &yaml));
            names[i][strlen(names[i]) - strlen(".mcap")] = '\0';
            check(names[i], sl_yaml_root(yaml), bytes, size);
            sl_yaml_destroy(yaml);
            free(bytes);
            count++;
        }
        free_names(names);
    }
    return count;
}

static void check_records(const char *name, const struct sl_yaml_node *root, const uint8_t *bytes,
                          size_t size)
{
    (void)name;
    const struct sl_yaml_node *records = sl_yaml_get(root, "records");
    assert_memory_equal(bytes, "\x89MCAP0\r\n", 8);
    assert_memory_equal(bytes + size - 8, "\x89MCAP0\r\n", 8);
    unsigned count = compare_records(records, 0, sl_reader(bytes + 8, size - 16));
    assert_int_equal(count, sl_yaml_count(records));
}

static void check_log(const char *name, const struct sl_yaml_node *root, const uint8_t *bytes,
                      size_t size)
{
    struct sl_log_source source = memory_source(bytes, size);
    for (unsigned flags = 0; flags <= SL_LOG_SCAN; flags++) {
        struct sl_log *log;
        assert_fine(sl_mcap_open(&source, flags, &log));
        compare_log(sl_yaml_get(root, "records"), log);
        assert_int_equal(log->was_indexed, !flags && strstr(name, "-chx") != NULL);
        sl_log_close(log);
    }
}

static void each_file_is_read_record_by_record(void **state)
{
    (void)state;
    assert_int_equal(each_file(check_records), FILE_COUNT);
}

static void each_file_is_read_as_a_log(void **state)
{
    (void)state;
    assert_int_equal(each_file(check_log), FILE_COUNT);
}

/* Writing ---------------------------------------------------------------------------------------*/

static unsigned written_count, padded_count;
static FILE *padded_names;

static const struct {
    const char *feature;
    unsigned omit;
} features[] = {
    {"mx", SL_LOG_OMIT_MESSAGE_INDEX},      {"chx", SL_LOG_OMIT_CHUNK_INDEX},
    {"st", SL_LOG_OMIT_STATISTICS},         {"rsh", SL_LOG_OMIT_REPEATED_SCHEMAS},
    {"rch", SL_LOG_OMIT_REPEATED_CHANNELS}, {"ax", SL_LOG_OMIT_ATTACHMENT_INDEX},
    {"mdx", SL_LOG_OMIT_METADATA_INDEX},    {"sum", SL_LOG_OMIT_SUMMARY_OFFSETS},
};

static unsigned list_pairs(const struct sl_yaml_node *map, struct sl_log_pair *to)
{
    for (unsigned i = 0; i < sl_yaml_count(map); i++)
        to[i] = (struct sl_log_pair){sl_yaml_text(sl_yaml_key(map, i)),
                                     sl_yaml_text(sl_yaml_item(map, i))};
    return sl_yaml_count(map);
}

static void write_channel(struct sl_log_writer *writer, const struct sl_yaml_node *record,
                          const struct sl_yaml_node *schema)
{
    struct sl_log_pair pairs[8];
    uint8_t definition[64];
    struct sl_log_topic topic = {.name = text(record, "topic"),
                                 .encoding = text(record, "message_encoding"),
                                 .pairs = pairs,
                                 .has_schema = number(record, "schema_id") != 0};
    topic.pair_count = list_pairs(field(record, "metadata"), pairs);
    if (topic.has_schema) {
        topic.type = text(schema, "name");
        topic.definition_encoding = text(schema, "encoding");
        topic.definition_bytes = bytes_of(field(schema, "data"), definition);
        topic.definition = definition;
    }
    uint32_t index;
    assert_fine(sl_log_write_topic(writer, &topic, &index));
    assert_int_equal(index + 1, number(record, "id"));
}

static void write_message(struct sl_log_writer *writer, const struct sl_yaml_node *record)
{
    uint8_t body[64];
    struct iovec piece = {body, bytes_of(field(record, "data"), body)};
    struct sl_log_message m = {.topic = (uint32_t)number(record, "channel_id") - 1,
                               .sequence = (uint32_t)number(record, "sequence"),
                               .receive_ns = number(record, "log_time"),
                               .publish_ns = number(record, "publish_time")};
    assert_fine(sl_log_write_message(writer, &m, &piece, 1));
}

static void write_other(struct sl_log_writer *writer, const struct sl_yaml_node *record)
{
    uint8_t data[64];
    struct sl_log_pair pairs[8];
    if (strcmp(type_of(record), "Attachment") == 0) {
        struct sl_log_attachment a = {.name = text(record, "name"),
                                      .media_type = text(record, "media_type"),
                                      .log_ns = number(record, "log_time"),
                                      .create_ns = number(record, "create_time"),
                                      .size_bytes = bytes_of(field(record, "data"), data)};
        struct sl_log_source source = memory_source(data, (size_t)a.size_bytes);
        assert_fine(sl_log_write_attachment(writer, &a, &source));
    } else if (strcmp(type_of(record), "Metadata") == 0) {
        struct sl_log_metadata m = {.name = text(record, "name"), .pairs = pairs};
        m.pair_count = list_pairs(field(record, "metadata"), pairs);
        assert_fine(sl_log_write_metadata(writer, &m));
    }
}

static void write_records(struct sl_log_writer *writer, const struct sl_yaml_node *records)
{
    const struct sl_yaml_node *schema = NULL;
    for (unsigned i = 0; i < sl_yaml_count(records); i++) {
        const struct sl_yaml_node *record = sl_yaml_item(records, i);
        if (strcmp(type_of(record), "DataEnd") == 0)
            break;
        if (strcmp(type_of(record), "Schema") == 0)
            schema = record;
        else if (strcmp(type_of(record), "Channel") == 0)
            write_channel(writer, record, schema);
        else if (strcmp(type_of(record), "Message") == 0)
            write_message(writer, record);
        else
            write_other(writer, record);
    }
    assert_fine(sl_log_write_end(writer));
}

static void check_written(const char *name, const struct sl_yaml_node *root, const uint8_t *bytes,
                          size_t size)
{
    if (has_feature(root, "pad")) {
        /* bytes behind what the format defines: for readers only, and listed by name */
        char line[128];
        assert_non_null(fgets(line, sizeof line, padded_names));
        line[strcspn(line, "\n")] = '\0';
        assert_string_equal(line, name);
        padded_count++;
        return;
    }
    struct sl_log_write_options options = {.is_unchunked = !has_feature(root, "ch")};
    for (unsigned i = 0; i < sizeof features / sizeof *features; i++)
        if (!has_feature(root, features[i].feature))
            options.omit |= features[i].omit;
    struct sl_buffer out = {0};
    struct sl_log_sink sink = memory_sink(&out);
    struct sl_log_writer *writer;
    assert_fine(sl_mcap_writer_create(&sink, &options, &writer));
    write_records(writer, sl_yaml_get(root, "records"));
    sl_log_writer_destroy(writer);
    if (out.size_bytes != size || memcmp(out.bytes, bytes, size) != 0)
        fail_msg("%s is written differently", name);
    sl_buffer_finish(&out);
    written_count++;
}

static void each_file_is_written_from_its_json(void **state)
{
    (void)state;
    char path[PATH_MAX];
    const char *source = getenv("SLUICE_SOURCE");
    snprintf(path, sizeof path, "%s/tests/rosbag_compat/data/mcap_padded.txt",
             source ? source : ".");
    padded_names = fopen(path, "r");
    assert_non_null(padded_names);
    assert_int_equal(each_file(check_written), FILE_COUNT);
    assert_int_equal(fgetc(padded_names), EOF);
    fclose(padded_names);
    assert_int_equal(written_count + padded_count, FILE_COUNT);
    assert_int_equal(padded_count, 208);
}

int main(void)
{
    char path[PATH_MAX];
    if (!test_data("mcap-conformance", path)) {
        printf("SKIP: %s is absent (SLUICE_TEST_DATA names the folder of test data)\n", path);
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_file_is_read_record_by_record),
        cmocka_unit_test(each_file_is_read_as_a_log),
        cmocka_unit_test(each_file_is_written_from_its_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
