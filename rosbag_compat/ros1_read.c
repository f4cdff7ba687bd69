/* SPDX-License-Identifier: Apache-2.0 */
/* ros1_read.c - a ROS 1 bag as topics and blocks: a connection is a topic, a chunk a block.
 *
 * The index at the file's end says where the chunks are, and when and how much is in each. A bag
 * whose recorder was stopped has index_pos 0 and no such records: it is gone through record by
 * record, as far as it goes. Its last chunk's header may say 0 bytes, and the chunk's records stand
 * behind it as if they were the file's: they are read as messages outside chunks. */
#include "core/base/error.h"
#include "rosbag_compat/log.h"
#include "rosbag_compat/ros1_records.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SEARCH_BYTES     65536
#define GAP_MAX_BYTES    128
#define FIELD_NAME_BYTES 32 /* where the '=' of a record's first field is looked for */

struct ros1 {
    struct sl_log_block run; /* messages outside chunks */
    uint64_t first_record;   /* behind the file header */
    uint64_t index_pos;
    uint32_t conn_count, chunk_count;
};

static void close_ros1(struct sl_log *log)
{
    free(log->state);
}

/* Records of the file ---------------------------------------------------------------------------*/

struct record {
    struct sl_ros1_header header; /* its texts are not kept */
    enum sl_compression compression;
    uint64_t offset;
    uint64_t data_offset;
    uint64_t data_bytes; /* as it says; perhaps more than are there */
    uint64_t end;        /* of what is there */
    bool is_whole;
};

static int compression_of(struct sl_text name)
{
    for (int i = 0; sl_compression_names[i]; i++)
        if (i != SL_COMPRESSION_ZSTD && sl_text_is(name, sl_compression_names[i]))
            return i;
    return sl_error(-EBADMSG, "no reader knows the compression '%.*s'",
                    (int)(name.size < 32 ? name.size : 32), name.at);
}

static int parse_record_header(const uint8_t *bytes, size_t size, struct record *record)
{
    int err = sl_ros1_read_header(sl_reader(bytes, size), &record->header);
    if (err || record->header.op != SL_ROS1_CHUNK)
        return err;
    int compression = compression_of(record->header.compression);
    if (compression < 0)
        return compression;
    record->compression = (enum sl_compression)compression;
    return 0;
}

/* The header of the record at `offset`. Its data may be cut off by the file's end. */
static int read_record(struct sl_log *log, uint64_t offset, struct record *ret_record)
{
    uint8_t length[4];
    uint64_t size = log->source.size_bytes;
    int err = sl_log_read(log, offset, length, sizeof length);
    if (err)
        return err;
    uint32_t header_size = sl_get_le32(length);
    if (header_size > SL_ROS1_HEADER_MAX_BYTES || header_size > size - offset - 4)
        return sl_error(-EBADMSG, "a record's header says that it has %u bytes", header_size);
    uint8_t *header = malloc((size_t)header_size + 4);
    if (!header)
        return sl_error(-ENOMEM, "no memory for a record");
    *ret_record = (struct record){.offset = offset};
    err = sl_log_read(log, offset + 4, header, header_size + UINT64_C(4));
    if (!err)
        err = parse_record_header(header, header_size, ret_record);
    if (!err) {
        ret_record->data_offset = offset + 8 + header_size;
        ret_record->data_bytes = sl_get_le32(header + header_size);
        uint64_t left = size - ret_record->data_offset;
        ret_record->is_whole = ret_record->data_bytes <= left;
        ret_record->end =
            ret_record->data_offset + (ret_record->is_whole ? ret_record->data_bytes : left);
    }
    ret_record->header.topic = ret_record->header.compression = ret_record->header.encryptor =
        (struct sl_text){0};
    free(header);
    return err;
}

/* The whole record, for connections and chunk infos. The caller frees `ret_bytes`. */
static int load_record(struct sl_log *log, const struct record *record, uint8_t **ret_bytes,
                       struct sl_ros1_header *ret_header, struct sl_reader *ret_data)
{
    size_t size = (size_t)(record->end - record->offset);
    uint8_t *bytes = malloc(size);
    if (!bytes)
        return sl_error(-ENOMEM, "no memory for a record of %zu bytes", size);
    int err = sl_log_read(log, record->offset, bytes, size);
    if (!err) {
        struct sl_reader r = sl_reader(bytes, size);
        err = sl_ros1_next_record(&r, ret_header, ret_data);
    }
    if (err < 0) {
        free(bytes);
        return err;
    }
    *ret_bytes = bytes;
    return 0;
}

/* Connections -----------------------------------------------------------------------------------*/

static bool is_own_field(struct sl_text name)
{
    return sl_text_is(name, "topic") || sl_text_is(name, "type") ||
           sl_text_is(name, "message_definition") || sl_text_is(name, "message_encoding") ||
           sl_text_is(name, "schema_encoding");
}

static int keep_text(struct sl_log *log, struct sl_text text, const char **ret_text)
{
    *ret_text = sl_log_keep(log, text.at, text.size);
    return *ret_text ? 0 : -ENOMEM;
}

static int take_connection_field(struct sl_log *log, struct sl_log_topic *topic,
                                 struct sl_log_pair *pairs, struct sl_text name,
                                 struct sl_text value)
{
    if (sl_text_is(name, "type"))
        return keep_text(log, value, &topic->type);
    if (sl_text_is(name, "message_encoding"))
        return keep_text(log, value, &topic->encoding);
    if (sl_text_is(name, "schema_encoding"))
        return keep_text(log, value, &topic->definition_encoding);
    if (sl_text_is(name, "message_definition")) {
        topic->definition = value.at;
        topic->definition_bytes = value.size;
    }
    if (is_own_field(name))
        return 0;
    if (topic->pair_count == SL_LOG_PAIRS_MAX)
        return sl_error(-EBADMSG, "a connection has more than %d fields", SL_LOG_PAIRS_MAX);
    struct sl_log_pair *pair = &pairs[topic->pair_count++];
    int err = keep_text(log, name, &pair->key);
    return err ? err : keep_text(log, value, &pair->value);
}

/* The topic is that of the record: a recorder that renamed it left the connection's own as it was.
 */
static int add_connection(struct sl_log *log, const struct sl_ros1_header *header,
                          struct sl_reader data)
{
    struct sl_log_pair pairs[SL_LOG_PAIRS_MAX];
    struct sl_log_topic topic = {
        .id = header->conn, .encoding = "ros1", .definition_encoding = "ros1msg", .pairs = pairs};
    if (sl_log_topic_index(log, header->conn) != SL_LOG_NO_TOPIC)
        return 0; /* repeated in the index */
    struct sl_text name;
    struct sl_text value;
    int result;
    while ((result = sl_ros1_next_field(&data, &name, &value)) == 1) {
        int err = take_connection_field(log, &topic, pairs, name, value);
        if (err)
            return err;
    }
    int err = result ? result : keep_text(log, header->topic, &topic.name);
    topic.has_schema = topic.type && topic.type[0];
    return err ? err : sl_log_add_topic(log, &topic);
}

/* Blocks ----------------------------------------------------------------------------------------*/

static int walk_records(const struct sl_log *log, const struct sl_log_block *block,
                        const void *bytes, size_t size_bytes, size_t *at,
                        struct sl_log_message *ret_message)
{
    struct sl_reader r = sl_reader(bytes, size_bytes);
    struct sl_ros1_header header;
    struct sl_reader data;
    int result;
    sl_reader_skip(&r, *at);
    while ((result = sl_ros1_next_record(&r, &header, &data)) == 1) {
        *at = sl_reader_offset(&r);
        if (header.op != SL_ROS1_MESSAGE)
            continue;
        uint32_t topic = sl_log_topic_index(log, header.conn);
        if (topic == SL_LOG_NO_TOPIC && block->is_damaged)
            continue;
        if (topic == SL_LOG_NO_TOPIC)
            return sl_error(-EBADMSG, "a message is of connection %u, which is not there",
                            header.conn);
        *ret_message = (struct sl_log_message){
            .topic = topic,
            .receive_ns = header.time_ns,
            .publish_ns = header.time_ns,
            .offset = (uint64_t)(data.start - (const uint8_t *)bytes),
            .size_bytes = sl_reader_left(&data),
        };
        return 1;
    }
    return result;
}

static void note_bad_record(struct sl_log *log, struct sl_log_block *block, uint64_t lost_bytes)
{
    if (!block->is_damaged)
        sl_log_note_damage(log, block->offset, lost_bytes, "%s", sl_error_text());
    block->is_damaged = true;
}

static int scan_bytes(struct sl_log *log, struct sl_log_block *block, const void *bytes,
                      size_t size_bytes)
{
    struct sl_reader r = sl_reader(bytes, size_bytes);
    struct sl_ros1_header header;
    struct sl_reader data;
    int result;
    while ((result = sl_ros1_next_record(&r, &header, &data)) == 1) {
        int err = header.op == SL_ROS1_CONNECTION ? add_connection(log, &header, data) : 0;
        if (err == -ENOMEM)
            return err;
        uint32_t topic = sl_log_topic_index(log, header.conn);
        if (header.op == SL_ROS1_MESSAGE && topic != SL_LOG_NO_TOPIC)
            sl_log_count(log, block, topic, header.time_ns);
        else if (header.op == SL_ROS1_MESSAGE)
            err = sl_error(-EBADMSG, "a message is of connection %u, which is not there",
                           header.conn);
        if (err)
            note_bad_record(log, block, 0);
    }
    if (result < 0)
        note_bad_record(log, block, sl_reader_left(&r));
    return 0;
}

static void block_of_chunk(const struct record *record, struct sl_log_block *ret_block)
{
    *ret_block = (struct sl_log_block){
        .offset = record->data_offset,
        .stored_bytes = record->end - record->data_offset,
        .size_bytes = record->header.size,
        .compression = (uint8_t)record->compression,
        .is_chunk = true,
        .is_damaged = !record->is_whole,
    };
    if (record->compression == SL_COMPRESSION_NONE)
        ret_block->size_bytes = ret_block->stored_bytes;
}

/* The index -------------------------------------------------------------------------------------*/

static int add_chunk_info(struct sl_log *log, const struct sl_ros1_header *info,
                          struct sl_reader data)
{
    struct record record;
    struct sl_log_block block;
    int err = read_record(log, info->chunk_pos, &record);
    if (!err && (record.header.op != SL_ROS1_CHUNK || !record.is_whole || info->ver != 1 ||
                 sl_reader_left(&data) < UINT64_C(8) * info->count))
        err =
            sl_error(-EBADMSG, "the index says that a chunk is at byte %" PRIu64, info->chunk_pos);
    if (err)
        return err;
    block_of_chunk(&record, &block);
    if ((err = sl_log_check_chunk(log, &block)) < 0)
        return err;
    block.first_ns = info->start_ns;
    block.last_ns = info->end_ns;
    for (uint32_t i = 0; i < info->count; i++) {
        uint32_t topic = sl_log_topic_index(log, sl_reader_le32(&data));
        uint32_t count = sl_reader_le32(&data);
        if (topic == SL_LOG_NO_TOPIC)
            return sl_error(-EBADMSG, "the index names a connection that is not there");
        log->topics[topic].message_count += count;
        block.message_count += count;
    }
    return sl_log_add_block(log, &block);
}

static int read_index(struct sl_log *log, bool with_chunks)
{
    struct ros1 *ros1 = log->state;
    uint64_t offset = ros1->index_pos;
    if (offset == 0)
        return sl_error(-EBADMSG, "has no index: its recorder was stopped");
    if (offset < ros1->first_record || offset > log->source.size_bytes)
        return sl_error(-EBADMSG, "says that its index is at byte %" PRIu64, offset);
    uint64_t count = (uint64_t)ros1->conn_count + ros1->chunk_count;
    for (uint64_t i = 0; i < count; i++) {
        struct record record;
        uint8_t *bytes;
        struct sl_ros1_header header;
        struct sl_reader data;
        int err = read_record(log, offset, &record);
        if (!err && !record.is_whole)
            err = sl_error(-EBADMSG, "has an index that is cut off");
        if (!err)
            err = load_record(log, &record, &bytes, &header, &data);
        if (err)
            return err;
        if (header.op == SL_ROS1_CONNECTION)
            err = add_connection(log, &header, data);
        else if (header.op != SL_ROS1_CHUNK_INFO)
            err = sl_error(-EBADMSG, "has a record of op %u in its index", header.op);
        else if (with_chunks)
            err = add_chunk_info(log, &header, data);
        free(bytes);
        if (err)
            return err;
        offset = record.end;
    }
    if (with_chunks &&
        (log->topic_count != ros1->conn_count || log->block_count != ros1->chunk_count))
        return sl_error(-EBADMSG,
                        "has an index of %u connections and %u chunks where %u and %u are "
                        "said",
                        log->topic_count, log->block_count, ros1->conn_count, ros1->chunk_count);
    return 0;
}

/* Without the index -----------------------------------------------------------------------------*/

/* Could a record begin here? Compressed bytes hold pieces of records as they were: behind a packed
 * chunk only records that are never inside of one count. */
static bool is_plausible(struct sl_log *log, uint64_t offset, bool is_packed)
{
    struct record record;
    struct record next;
    if (read_record(log, offset, &record) || !record.is_whole ||
        record.header.op < SL_ROS1_MESSAGE || record.header.op > SL_ROS1_CONNECTION)
        return false;
    if (is_packed &&
        (record.header.op == SL_ROS1_MESSAGE || record.header.op == SL_ROS1_CONNECTION))
        return false;
    if (record.header.op == SL_ROS1_MESSAGE &&
        sl_log_topic_index(log, record.header.conn) == SL_LOG_NO_TOPIC)
        return false;
    return record.end == log->source.size_bytes || read_record(log, record.end, &next) == 0;
}

/* Do these bytes look like the beginning of a record's header? */
static bool looks_like_header(const uint8_t *bytes)
{
    uint32_t header_size = sl_get_le32(bytes);
    uint32_t field_size = sl_get_le32(bytes + 4);
    return header_size >= 8 && header_size <= SL_ROS1_HEADER_MAX_BYTES && field_size >= 3 &&
           field_size <= header_size - 4 && memchr(bytes + 8, '=', FIELD_NAME_BYTES);
}

static uint64_t find_record(struct sl_log *log, uint64_t from, bool is_packed)
{
    uint8_t bytes[SEARCH_BYTES + 8 + FIELD_NAME_BYTES];
    uint64_t size = log->source.size_bytes;
    while (from < size) {
        uint64_t part = size - from < sizeof bytes ? size - from : sizeof bytes;
        memset(bytes, 0, sizeof bytes); /* the last record may be shorter than what is looked at */
        int err = sl_log_read_part(log, from, bytes, part, &part);
        size_t count = part < SEARCH_BYTES ? (size_t)part : SEARCH_BYTES;
        for (size_t i = 0; i < count; i++)
            if (looks_like_header(bytes + i) && is_plausible(log, from + i, is_packed))
                return from + i;
        from = err ? sl_log_next_page(from + part) : from + count;
    }
    return size;
}

static int take_connection(struct sl_log *log, const struct record *record)
{
    uint8_t *bytes;
    struct sl_ros1_header header;
    struct sl_reader data;
    int err = load_record(log, record, &bytes, &header, &data);
    if (err)
        return err;
    err = add_connection(log, &header, data);
    free(bytes);
    return err;
}

static int take_record(struct sl_log *log, const struct record *record)
{
    struct ros1 *ros1 = log->state;
    uint32_t topic = sl_log_topic_index(log, record->header.conn);
    struct sl_log_block block;
    switch (record->header.op) {
    case SL_ROS1_CONNECTION:
        return take_connection(log, record);
    case SL_ROS1_MESSAGE:
        if (topic == SL_LOG_NO_TOPIC)
            return sl_error(-EBADMSG, "a message is of connection %u, which is not there",
                            record->header.conn);
        return sl_log_run_add(log, &ros1->run, record->offset, record->end - record->offset, topic,
                              record->header.time_ns);
    case SL_ROS1_CHUNK:
        if (record->data_bytes == 0)
            return 0; /* begun and never ended: its records follow */
        block_of_chunk(record, &block);
        return sl_log_scan_chunk(log, &block, scan_bytes);
    default:
        return 0;
    }
}

/* A compressed chunk that was begun and never ended: everything behind its header is its stream. */
static int take_open_chunk(struct sl_log *log, const struct record *chunk)
{
    struct sl_log_block block;
    block_of_chunk(chunk, &block);
    uint64_t max = sl_decompressed_max(block.compression, 0);
    block.stored_bytes = log->source.size_bytes - block.offset;
    block.size_bytes = max;
    block.is_damaged = true;
    return sl_log_scan_chunk(log, &block, scan_bytes);
}

/* The recorder in Python may leave the room of a chunk's header, as zeros, before its index. */
static bool is_gap(struct sl_log *log, uint64_t from, uint64_t to)
{
    uint8_t bytes[GAP_MAX_BYTES];
    if (to == log->source.size_bytes || to - from > sizeof bytes ||
        sl_log_read(log, from, bytes, to - from))
        return false;
    for (uint64_t i = 0; i < to - from; i++)
        if (bytes[i])
            return false;
    return true;
}

/* What is at `*offset` is no whole record. `last` is the one before. */
static int pass_damage(struct sl_log *log, const struct record *last, uint64_t *offset)
{
    struct ros1 *ros1 = log->state;
    struct record record;
    uint64_t size = log->source.size_bytes;
    int err = sl_log_run_end(log, &ros1->run);
    if (err)
        return err;
    bool is_chunk = read_record(log, *offset, &record) == 0 && record.header.op == SL_ROS1_CHUNK;
    bool is_open = last->header.op == SL_ROS1_CHUNK && last->data_bytes == 0 &&
                   last->compression != SL_COMPRESSION_NONE;
    bool is_packed = is_open || (is_chunk && record.compression != SL_COMPRESSION_NONE);
    uint64_t next = find_record(log, *offset + 1, is_packed);
    if (next == size && (is_open || is_chunk)) {
        sl_log_note_damage(log, *offset, 0, "the last chunk is cut off");
        err = is_open ? take_open_chunk(log, last) : take_record(log, &record);
        err = err == -EBADMSG ? 0 : err;
    } else if (!is_gap(log, *offset, next)) {
        sl_log_note_gap(log, *offset, next);
    }
    *offset = next;
    return err;
}

static int read_records(struct sl_log *log)
{
    struct ros1 *ros1 = log->state;
    struct record last = {0};
    uint64_t offset = ros1->first_record;
    int err = 0;
    while (offset < log->source.size_bytes && !err) {
        struct record record;
        err = read_record(log, offset, &record);
        if (err == -EBADMSG || (!err && !record.is_whole)) {
            err = pass_damage(log, &last, &offset);
            last = (struct record){0};
            continue;
        }
        if (!err && record.header.op != SL_ROS1_MESSAGE)
            err = sl_log_run_end(log, &ros1->run);
        if (!err)
            err = take_record(log, &record);
        if (err == -EBADMSG) {
            sl_log_note_damage(log, offset, record.end - offset, "%s", sl_error_text());
            err = sl_log_run_end(log, &ros1->run);
        }
        last = record;
        offset = record.end;
    }
    return err ? err : sl_log_run_end(log, &ros1->run);
}

/* Opening ---------------------------------------------------------------------------------------*/

static int read_file_header(struct sl_log *log)
{
    struct ros1 *ros1 = log->state;
    char magic[SL_ROS1_MAGIC_BYTES];
    struct record record;
    struct sl_ros1_header header;
    struct sl_reader data;
    uint8_t *bytes;
    if (log->source.size_bytes < sizeof magic)
        return sl_error(-EBADMSG, "is too short for a bag");
    int err = sl_log_read(log, 0, magic, sizeof magic);
    if (!err && memcmp(magic, SL_ROS1_MAGIC, sizeof magic) != 0)
        err = memcmp(magic, "#ROSBAG V", 9) == 0 || memcmp(magic, "#ROSRECORD", 10) == 0
                  ? sl_error(-ENOTSUP, "is a bag of an old version; rosbag fix makes it 2.0")
                  : sl_error(-EBADMSG, "does not begin as a bag");
    if (!err)
        err = read_record(log, sizeof magic, &record);
    if (!err && (record.header.op != SL_ROS1_FILE_HEADER || !record.is_whole))
        err = sl_error(-EBADMSG, "has no file header");
    if (!err)
        err = load_record(log, &record, &bytes, &header, &data);
    if (err)
        return err;
    if (header.encryptor.size > 0)
        err = sl_error(-ENOTSUP, "is encrypted (%.*s)",
                       (int)(header.encryptor.size < 64 ? header.encryptor.size : 64),
                       header.encryptor.at);
    free(bytes);
    ros1->index_pos = header.index_pos;
    ros1->conn_count = header.conn_count;
    ros1->chunk_count = header.chunk_count;
    ros1->first_record = record.end;
    return err;
}

static const struct sl_log_operations operations = {sl_log_load_stored, walk_records, close_ros1};

static int open_once(const struct sl_log_source *source, bool use_index, struct sl_log **ret_log)
{
    struct sl_log *log;
    struct ros1 *ros1 = calloc(1, sizeof *ros1);
    if (!ros1)
        return sl_error(-ENOMEM, "no memory for the log's index");
    int err = sl_log_create(SL_LOG_ROS1, &operations, source, ros1, &log);
    if (err) {
        free(ros1);
        return err;
    }
    log->profile = "ros1";
    err = read_file_header(log);
    if (!err) {
        err = read_index(log, use_index);
        if (err == -EBADMSG)
            err = use_index ? -EAGAIN : 0;
    }
    if (!err && !use_index) /* its connections serve messages whose own ones are damaged */
        err = read_records(log);
    if (err) {
        sl_log_close(log);
        return err;
    }
    log->was_indexed = use_index;
    *ret_log = log;
    return 0;
}

int sl_ros1_open(const struct sl_log_source *source, unsigned flags, struct sl_log **ret_log)
{
    struct sl_log *log;
    char reason[160] = "";
    int err = open_once(source, !(flags & SL_LOG_SCAN), &log);
    if (err == -EAGAIN) {
        memcpy(reason, sl_error_text(), sizeof reason - 1);
        err = open_once(source, false, &log);
    }
    if (err)
        return err;
    const struct ros1 *ros1 = log->state;
    if (!reason[0] && ros1->index_pos == 0)
        strcpy(reason, "has no index: its recorder was stopped");
    if (reason[0] && log->damage.count == 0)
        sl_log_note_damage(log, source->size_bytes, 0, "%s", reason);
    *ret_log = log;
    return 0;
}
