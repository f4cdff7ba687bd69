/* SPDX-License-Identifier: Apache-2.0 */
/* mcap_read.c - an MCAP file as topics and blocks.
 *
 * The summary at the file's end, if it is sound, says where the chunks are. Then the data section
 * is gone through from its start: chunks that the summary knows are jumped over, whatever stands
 * between them is looked at. So messages outside chunks, unindexed chunks, attachments and metadata
 * are found in every file, at the price of the record headers between chunks; and a file without a
 * summary is the case in which nothing can be jumped over. */
#include "core/base/error.h"
#include "rosbag_compat/crc32.h"
#include "rosbag_compat/log.h"
#include "rosbag_compat/mcap_records.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define FOOTER_BYTES         (SL_MCAP_RECORD_BYTES + SL_MCAP_FOOTER_BYTES)
#define HEAD_BYTES_MAX       65536 /* of an attachment's content before its data */
#define CHUNK_HEAD_BYTES_MAX 256   /* of a chunk's: numbers, and the name of its compression */
#define SEARCH_BYTES         65536

struct schema {
    bool is_known;
    const char *name, *encoding;
    const void *data;
    size_t data_bytes;
};

struct mcap {
    struct schema *schemas; /* by id */
    uint32_t schema_room;
    /* Chunks of the summary by offset, which here is where the chunk's record begins. message_count
     * is UINT64_MAX if all their channels are known, else 0. */
    struct sl_log_block *known;
    uint64_t *known_length; /* of chunk and message indexes together */
    uint32_t known_count, known_room;
    uint32_t known_at; /* the next one */
    bool has_counts;   /* statistics were read */
    uint64_t channel_count;
    struct sl_log_block run; /* messages outside chunks; message_count 0: none yet */
};

static void close_mcap(struct sl_log *log)
{
    struct mcap *mcap = log->state;
    if (!mcap)
        return;
    free(mcap->schemas);
    free(mcap->known);
    free(mcap->known_length);
    free(mcap);
}

/* Schemas and channels --------------------------------------------------------------------------*/

static const char *keep(struct sl_log *log, struct sl_text text)
{
    return sl_log_keep(log, text.at, text.size);
}

static int add_schema(struct sl_log *log, struct sl_reader content)
{
    struct mcap *mcap = log->state;
    struct sl_mcap_schema s;
    int err = sl_mcap_read_schema(&content, &s);
    if (err)
        return err;
    if (s.id >= mcap->schema_room) {
        uint32_t room = s.id < 64 ? 64 : 65536;
        struct schema *fresh = realloc(mcap->schemas, room * sizeof *fresh);
        if (!fresh)
            return sl_error(-ENOMEM, "no memory for schemas");
        memset(fresh + mcap->schema_room, 0, (room - mcap->schema_room) * sizeof *fresh);
        mcap->schemas = fresh;
        mcap->schema_room = room;
    }
    struct schema *schema = &mcap->schemas[s.id];
    if (schema->is_known)
        return 0; /* repeated in the summary, or in each chunk */
    schema->name = keep(log, s.name);
    schema->encoding = keep(log, s.encoding);
    schema->data = keep(log, s.data);
    schema->data_bytes = s.data.size;
    schema->is_known = true;
    return schema->name && schema->encoding && schema->data ? 0 : -ENOMEM;
}

static int list_pairs(struct sl_log *log, struct sl_mcap_pairs from, struct sl_log_pair *pairs,
                      unsigned *ret_count)
{
    struct sl_reader r = sl_mcap_pairs(from);
    struct sl_text key;
    struct sl_text value;
    int result;
    unsigned count = 0;
    while ((result = sl_mcap_text_pair(&r, &key, &value)) == 1) {
        if (count == SL_LOG_PAIRS_MAX)
            return sl_error(-EBADMSG, "a map has more than %d entries", SL_LOG_PAIRS_MAX);
        pairs[count] = (struct sl_log_pair){keep(log, key), keep(log, value)};
        if (!pairs[count].key || !pairs[count].value)
            return -ENOMEM;
        count++;
    }
    *ret_count = count;
    return result;
}

/* -ENOENT if its schema is not known. */
static int add_channel(struct sl_log *log, struct sl_reader content)
{
    struct mcap *mcap = log->state;
    struct sl_mcap_channel c;
    int err = sl_mcap_read_channel(&content, &c);
    if (err || sl_log_topic_index(log, c.id) != SL_LOG_NO_TOPIC)
        return err;
    const struct schema *schema =
        c.schema_id < mcap->schema_room ? &mcap->schemas[c.schema_id] : NULL;
    if (c.schema_id != 0 && !(schema && schema->is_known))
        return sl_error(-ENOENT, "channel %u is of schema %u, which is not there", c.id,
                        c.schema_id);
    struct sl_log_pair pairs[SL_LOG_PAIRS_MAX];
    struct sl_log_topic topic = {.id = c.id, .pairs = pairs, .has_schema = c.schema_id != 0};
    err = list_pairs(log, c.metadata, pairs, &topic.pair_count);
    if (err)
        return err;
    topic.name = keep(log, c.topic);
    topic.encoding = keep(log, c.encoding);
    if (!topic.name || !topic.encoding)
        return -ENOMEM;
    if (topic.has_schema) {
        topic.type = schema->name;
        topic.definition_encoding = schema->encoding;
        topic.definition = schema->data;
        topic.definition_bytes = schema->data_bytes;
    }
    return sl_log_add_topic(log, &topic);
}

static int add_metadata(struct sl_log *log, struct sl_reader content)
{
    struct sl_mcap_metadata m;
    struct sl_log_pair pairs[SL_LOG_PAIRS_MAX];
    struct sl_log_metadata metadata = {.pairs = pairs};
    int err = sl_mcap_read_metadata(&content, &m);
    if (!err)
        err = list_pairs(log, m.pairs, pairs, &metadata.pair_count);
    if (err)
        return err;
    metadata.name = keep(log, m.name);
    return metadata.name ? sl_log_add_metadata(log, &metadata) : -ENOMEM;
}

/* Blocks ----------------------------------------------------------------------------------------*/

static int walk_records(const struct sl_log *log, const struct sl_log_block *block,
                        const void *bytes, size_t size_bytes, size_t *at,
                        struct sl_log_message *ret_message)
{
    struct sl_reader r = sl_reader(bytes, size_bytes);
    struct sl_reader content;
    uint8_t opcode;
    int result;
    sl_reader_skip(&r, *at);
    while ((result = sl_mcap_next_record(&r, &opcode, &content)) == 1) {
        *at = sl_reader_offset(&r);
        if (opcode != SL_MCAP_MESSAGE)
            continue;
        struct sl_mcap_message m;
        int err = sl_mcap_read_message(&content, &m);
        uint32_t topic = err ? SL_LOG_NO_TOPIC : sl_log_topic_index(log, m.channel_id);
        if (topic == SL_LOG_NO_TOPIC && block->is_damaged)
            continue;
        if (topic == SL_LOG_NO_TOPIC)
            return err ? err
                       : sl_error(-EBADMSG, "a message is of channel %u, which is not there",
                                  m.channel_id);
        *ret_message = (struct sl_log_message){
            .topic = topic,
            .sequence = m.sequence,
            .receive_ns = m.log_ns,
            .publish_ns = m.publish_ns,
            .offset = (uint64_t)(content.at - (const uint8_t *)bytes),
            .size_bytes = sl_reader_left(&content),
        };
        return 1;
    }
    return result;
}

/* What no index told: schemas, channels, times. Damage inside is noted, and what is good stays. */
static int scan_bytes(struct sl_log *log, struct sl_log_block *block, const void *bytes,
                      size_t size_bytes)
{
    struct sl_reader r = sl_reader(bytes, size_bytes);
    struct sl_reader content;
    uint8_t opcode;
    int result;
    while ((result = sl_mcap_next_record(&r, &opcode, &content)) == 1) {
        int err = opcode == SL_MCAP_SCHEMA    ? add_schema(log, content)
                  : opcode == SL_MCAP_CHANNEL ? add_channel(log, content)
                                              : 0;
        if (err == -ENOMEM)
            return err;
        size_t at = (size_t)(content.start - (const uint8_t *)bytes) - SL_MCAP_RECORD_BYTES;
        size_t end = sl_reader_offset(&r);
        struct sl_log_message m;
        if (!err && opcode == SL_MCAP_MESSAGE) {
            err = walk_records(log, &(struct sl_log_block){0}, bytes, end, &at, &m);
            if (err == 1)
                sl_log_count(log, block, m.topic, m.receive_ns);
        }
        if (err < 0) {
            block->is_damaged = true;
            sl_log_note_damage(log, block->offset, 0, "%s", sl_error_text());
        }
    }
    if (result < 0 && !block->is_damaged) {
        block->is_damaged = true;
        sl_log_note_damage(log, block->offset, size_bytes - sl_reader_offset(&r), "%s",
                           sl_error_text());
    }
    return 0;
}

/* A message that stands in no chunk. */
static int add_to_run(struct sl_log *log, uint64_t offset, uint64_t length)
{
    struct mcap *mcap = log->state;
    uint8_t head[SL_MCAP_MESSAGE_BYTES];
    struct sl_mcap_message m;
    uint64_t total = SL_MCAP_RECORD_BYTES + length;
    if (length < sizeof head)
        return sl_error(-EBADMSG, "a Message is too short");
    int err = sl_log_read(log, offset + SL_MCAP_RECORD_BYTES, head, sizeof head);
    if (err)
        return err;
    struct sl_reader r = sl_reader(head, sizeof head);
    sl_mcap_read_message(&r, &m);
    uint32_t topic = sl_log_topic_index(log, m.channel_id);
    if (topic == SL_LOG_NO_TOPIC)
        return sl_error(-EBADMSG, "a message is of channel %u, which is not there", m.channel_id);
    return sl_log_run_add(log, &mcap->run, offset, total, topic, m.log_ns);
}

/* The summary -----------------------------------------------------------------------------------*/

static int compression_of(struct sl_text name)
{
    if (name.size == 0)
        return SL_COMPRESSION_NONE;
    if (sl_text_is(name, "lz4"))
        return SL_COMPRESSION_LZ4;
    if (sl_text_is(name, "zstd"))
        return SL_COMPRESSION_ZSTD;
    return sl_error(-EBADMSG, "no reader knows the compression '%.*s'",
                    (int)(name.size < 32 ? name.size : 32), name.at);
}

/* The channels of a chunk, if its index names any. */
static bool are_known(const struct sl_log *log, struct sl_mcap_pairs index_offsets)
{
    struct sl_reader r = sl_mcap_pairs(index_offsets);
    uint16_t channel;
    uint64_t offset;
    int result;
    while ((result = sl_mcap_count_pair(&r, &channel, &offset)) == 1)
        if (sl_log_topic_index(log, channel) == SL_LOG_NO_TOPIC)
            return false;
    return result == 0 && index_offsets.size_bytes > 0;
}

static int know_chunk(struct sl_log *log, struct sl_reader content)
{
    struct mcap *mcap = log->state;
    struct sl_mcap_chunk_index c;
    int err = sl_mcap_read_chunk_index(&content, &c);
    int compression = err ? err : compression_of(c.compression);
    if (compression < 0)
        return compression;
    uint64_t size = log->source.size_bytes;
    if (c.chunk_offset > size || c.chunk_length > size - c.chunk_offset ||
        c.index_length > size - c.chunk_offset - c.chunk_length || c.stored_bytes > c.chunk_length)
        return sl_error(-EBADMSG, "a ChunkIndex does not fit into the file");
    const struct sl_log_block block = {
        .offset = c.chunk_offset,
        .stored_bytes = c.stored_bytes,
        .size_bytes = c.size_bytes,
        .first_ns = c.start_ns,
        .last_ns = c.end_ns,
        .message_count = are_known(log, c.index_offsets) ? UINT64_MAX : 0,
        .compression = (uint8_t)compression,
        .is_chunk = true,
    };
    if ((err = sl_log_check_chunk(log, &block)) < 0)
        return err;
    if (mcap->known_count == mcap->known_room) {
        uint32_t room = mcap->known_room ? 2 * mcap->known_room : 64;
        struct sl_log_block *known = realloc(mcap->known, room * sizeof *known);
        if (known)
            mcap->known = known;
        uint64_t *lengths = realloc(mcap->known_length, room * sizeof *lengths);
        if (lengths)
            mcap->known_length = lengths;
        if (!known || !lengths)
            return sl_error(-ENOMEM, "no memory for the log's index");
        mcap->known_room = room;
    }
    mcap->known_length[mcap->known_count] = c.chunk_length + c.index_length;
    mcap->known[mcap->known_count++] = block;
    return 0;
}

static int take_statistics(struct sl_log *log, struct sl_reader content)
{
    struct mcap *mcap = log->state;
    struct sl_mcap_statistics s;
    int err = sl_mcap_read_statistics(&content, &s);
    if (err)
        return err;
    log->has_counts = true;
    mcap->channel_count = s.channel_count;
    struct sl_reader r = sl_mcap_pairs(s.channel_counts);
    uint16_t channel;
    uint64_t count;
    while ((err = sl_mcap_count_pair(&r, &channel, &count)) == 1) {
        uint32_t topic = sl_log_topic_index(log, channel);
        if (topic != SL_LOG_NO_TOPIC)
            log->topics[topic].message_count = count;
    }
    return err;
}

static int read_summary_records(struct sl_log *log, const void *bytes, size_t size_bytes)
{
    struct sl_reader r = sl_reader(bytes, size_bytes);
    struct sl_reader statistics = {0};
    struct sl_reader content;
    uint8_t opcode;
    int result;
    while ((result = sl_mcap_next_record(&r, &opcode, &content)) == 1) {
        int err = opcode == SL_MCAP_SCHEMA        ? add_schema(log, content)
                  : opcode == SL_MCAP_CHANNEL     ? add_channel(log, content)
                  : opcode == SL_MCAP_CHUNK_INDEX ? know_chunk(log, content)
                                                  : 0;
        if (opcode == SL_MCAP_STATISTICS)
            statistics = content;
        if (err && err != -ENOENT) /* schemas need not be repeated: then the chunks tell */
            return err;
    }
    if (result == 0 && statistics.start)
        result = take_statistics(log, statistics);
    return result;
}

static int read_footer(struct sl_log *log, uint8_t bytes[FOOTER_BYTES],
                       struct sl_mcap_footer *ret_footer)
{
    uint8_t magic[SL_MCAP_MAGIC_BYTES];
    uint64_t size = log->source.size_bytes;
    if (size < 2 * SL_MCAP_MAGIC_BYTES + FOOTER_BYTES)
        return sl_error(-EBADMSG, "has no end");
    int err = sl_log_read(log, size - sizeof magic, magic, sizeof magic);
    if (!err)
        err = sl_log_read(log, size - sizeof magic - FOOTER_BYTES, bytes, FOOTER_BYTES);
    if (err)
        return err;
    struct sl_reader r = sl_reader(bytes, FOOTER_BYTES);
    struct sl_reader content;
    uint8_t opcode;
    if (memcmp(magic, sl_mcap_magic, sizeof magic) != 0 ||
        sl_mcap_next_record(&r, &opcode, &content) != 1 || opcode != SL_MCAP_FOOTER)
        return sl_error(-EBADMSG,
                        "has no end: its recorder was stopped, or it is a part of a file");
    return sl_mcap_read_footer(&content, ret_footer);
}

static int read_summary(struct sl_log *log)
{
    uint8_t end[FOOTER_BYTES];
    struct sl_mcap_footer footer;
    int err = read_footer(log, end, &footer);
    if (err || footer.summary_start == 0)
        return err;
    uint64_t stop = log->source.size_bytes - SL_MCAP_MAGIC_BYTES - FOOTER_BYTES;
    if (footer.summary_start < SL_MCAP_MAGIC_BYTES || footer.summary_start > stop)
        return sl_error(-EBADMSG, "says that its summary begins at byte %" PRIu64,
                        footer.summary_start);
    size_t size = (size_t)(stop - footer.summary_start);
    uint8_t *bytes = malloc(size + FOOTER_BYTES);
    if (!bytes)
        return sl_error(-ENOMEM, "no memory for a summary of %zu bytes", size);
    memcpy(bytes + size, end, FOOTER_BYTES);
    err = sl_log_read(log, footer.summary_start, bytes, size);
    if (!err && footer.summary_crc &&
        sl_crc32(0, bytes, size + FOOTER_BYTES - sizeof footer.summary_crc) != footer.summary_crc)
        err = sl_error(-EBADMSG, "has a summary with another checksum");
    if (!err)
        err = read_summary_records(log, bytes, size);
    free(bytes);
    return err;
}

/* The data section ------------------------------------------------------------------------------*/

static bool is_opcode(uint8_t opcode)
{
    return (opcode > 0 && opcode < SL_MCAP_OPCODE_END) || opcode >= SL_MCAP_PRIVATE;
}

/* Opcode and length of the record at `offset`; false if it does not fit into the file. */
static bool peek(struct sl_log *log, uint64_t offset, uint8_t *ret_opcode, uint64_t *ret_length)
{
    uint8_t head[SL_MCAP_RECORD_BYTES];
    uint64_t size = log->source.size_bytes;
    if (offset > size || size - offset < sizeof head || sl_log_read(log, offset, head, sizeof head))
        return false;
    *ret_opcode = head[0];
    *ret_length = sl_get_le64(head + 1);
    return is_opcode(head[0]) && *ret_length <= size - offset - sizeof head;
}

/* The first bytes of a record's content. The caller frees. */
static int read_head(struct sl_log *log, uint64_t offset, uint64_t length, uint64_t max,
                     uint8_t **ret_bytes, struct sl_reader *ret_content)
{
    size_t size = (size_t)(length < max ? length : max);
    uint8_t *bytes = malloc(size ? size : 1);
    if (!bytes)
        return sl_error(-ENOMEM, "no memory for a record of %zu bytes", size);
    int err = sl_log_read(log, offset + SL_MCAP_RECORD_BYTES, bytes, size);
    if (err) {
        free(bytes);
        return err;
    }
    *ret_bytes = bytes;
    *ret_content = sl_reader(bytes, size);
    return 0;
}

/* A chunk that may be cut off by the file's end. */
static int read_chunk_head(struct sl_log *log, uint64_t offset, uint64_t length,
                           struct sl_log_block *ret_block)
{
    uint8_t *bytes;
    struct sl_reader content;
    struct sl_mcap_chunk c;
    uint64_t left = log->source.size_bytes - offset - SL_MCAP_RECORD_BYTES;
    uint64_t here = length < left ? length : left;
    int err = read_head(log, offset, here, CHUNK_HEAD_BYTES_MAX, &bytes, &content);
    if (err)
        return err;
    err = sl_mcap_read_chunk(&content, &c);
    int compression = err ? err : compression_of(c.compression);
    uint64_t head = sl_reader_offset(&content);
    free(bytes);
    if (compression < 0)
        return compression;
    if (c.stored_bytes > length - head)
        return sl_error(-EBADMSG, "a Chunk says that it holds %" PRIu64 " bytes of its %" PRIu64,
                        c.stored_bytes, length - head);
    *ret_block = (struct sl_log_block){
        .offset = offset + SL_MCAP_RECORD_BYTES + head,
        .stored_bytes = c.stored_bytes < here - head ? c.stored_bytes : here - head,
        .size_bytes = c.size_bytes,
        .first_ns = c.start_ns,
        .last_ns = c.end_ns,
        .crc = c.crc,
        .compression = (uint8_t)compression,
        .is_chunk = true,
        .is_damaged = c.stored_bytes > here - head,
    };
    if (compression == SL_COMPRESSION_NONE)
        ret_block->size_bytes = ret_block->stored_bytes;
    return 0;
}

/* Could a record begin here? For finding the way behind a damaged place. Compressed bytes hold
 * pieces of records as they were: behind a packed chunk only what is never inside of one counts. */
static bool is_plausible(struct sl_log *log, uint64_t offset, bool is_packed)
{
    uint8_t opcode;
    uint8_t next_opcode;
    uint64_t length;
    uint64_t next_length;
    struct sl_log_block block;
    uint8_t channel[2];
    if (!peek(log, offset, &opcode, &length) || opcode >= SL_MCAP_PRIVATE)
        return false;
    uint64_t next = offset + SL_MCAP_RECORD_BYTES + length;
    if (is_packed &&
        (opcode == SL_MCAP_SCHEMA || opcode == SL_MCAP_CHANNEL || opcode == SL_MCAP_MESSAGE))
        return false;
    if (opcode == SL_MCAP_CHUNK && read_chunk_head(log, offset, length, &block))
        return false;
    if (opcode == SL_MCAP_MESSAGE &&
        (length < SL_MCAP_MESSAGE_BYTES ||
         sl_log_read(log, offset + SL_MCAP_RECORD_BYTES, channel, sizeof channel) ||
         sl_log_topic_index(log, sl_get_le16(channel)) == SL_LOG_NO_TOPIC))
        return false;
    if (opcode == SL_MCAP_FOOTER)
        return length == SL_MCAP_FOOTER_BYTES;
    if (opcode == SL_MCAP_DATA_END && length != 4)
        return false;
    return next == log->source.size_bytes || peek(log, next, &next_opcode, &next_length);
}

/* Where a record could begin, from `from` on; the file's size if nowhere. */
static uint64_t find_record(struct sl_log *log, uint64_t from, bool is_packed)
{
    uint8_t bytes[SEARCH_BYTES];
    uint64_t size = log->source.size_bytes;
    while (from < size && size - from >= SL_MCAP_RECORD_BYTES) {
        uint64_t part = size - from < sizeof bytes ? size - from : sizeof bytes;
        int err = sl_log_read_part(log, from, bytes, part, &part);
        for (size_t i = 0; i + SL_MCAP_RECORD_BYTES <= part; i++)
            if (is_opcode(bytes[i]) && sl_get_le64(bytes + i + 1) <= size - from - i &&
                is_plausible(log, from + i, is_packed))
                return from + i;
        from = err ? sl_log_next_page(from + part) : from + part - (SL_MCAP_RECORD_BYTES - 1);
    }
    return size;
}

static int add_attachment(struct sl_log *log, uint64_t offset, uint64_t length)
{
    uint8_t *bytes;
    struct sl_reader content;
    struct sl_mcap_attachment a;
    int err = read_head(log, offset, length, HEAD_BYTES_MAX, &bytes, &content);
    if (err)
        return err;
    err = sl_mcap_read_attachment(&content, &a);
    uint64_t head = sl_reader_offset(&content);
    if (!err && a.size_bytes > length - head)
        err =
            sl_error(-EBADMSG, "an Attachment says that it holds %" PRIu64 " bytes", a.size_bytes);
    if (!err) {
        struct sl_log_attachment attachment = {
            .name = keep(log, a.name),
            .media_type = keep(log, a.media_type),
            .log_ns = a.log_ns,
            .create_ns = a.create_ns,
            .offset = offset + SL_MCAP_RECORD_BYTES + head,
            .size_bytes = a.size_bytes,
        };
        err = attachment.name && attachment.media_type ? sl_log_add_attachment(log, &attachment)
                                                       : -ENOMEM;
    }
    free(bytes);
    return err;
}

static int take_header(struct sl_log *log, struct sl_reader content)
{
    struct sl_mcap_header h;
    int err = sl_mcap_read_header(&content, &h);
    if (err)
        return err;
    log->profile = keep(log, h.profile);
    log->library = keep(log, h.library);
    return log->profile && log->library ? 0 : -ENOMEM;
}

/* A record whose whole content is wanted. */
static int take_small(struct sl_log *log, uint8_t opcode, uint64_t offset, uint64_t length)
{
    uint8_t *bytes;
    struct sl_reader content;
    int err = read_head(log, offset, length, UINT64_MAX, &bytes, &content);
    if (err)
        return err;
    err = opcode == SL_MCAP_HEADER    ? take_header(log, content)
          : opcode == SL_MCAP_SCHEMA  ? add_schema(log, content)
          : opcode == SL_MCAP_CHANNEL ? add_channel(log, content)
                                      : add_metadata(log, content);
    free(bytes);
    return err == -ENOENT ? -EBADMSG : err;
}

static int take_chunk(struct sl_log *log, uint64_t offset, uint64_t length)
{
    struct sl_log_block block;
    int err = read_chunk_head(log, offset, length, &block);
    return err ? err : sl_log_scan_chunk(log, &block, scan_bytes);
}

static int take_record(struct sl_log *log, uint8_t opcode, uint64_t offset, uint64_t length)
{
    switch (opcode) {
    case SL_MCAP_HEADER:
    case SL_MCAP_SCHEMA:
    case SL_MCAP_CHANNEL:
    case SL_MCAP_METADATA:
        return take_small(log, opcode, offset, length);
    case SL_MCAP_MESSAGE:
        return add_to_run(log, offset, length);
    case SL_MCAP_CHUNK:
        return take_chunk(log, offset, length);
    case SL_MCAP_ATTACHMENT:
        return add_attachment(log, offset, length);
    default:
        return 0;
    }
}

/* What was said of a chunk is used only if its channels are known. */
static bool is_known_whole(const struct sl_log *log, const struct sl_log_block *chunk)
{
    const struct mcap *mcap = log->state;
    return log->has_counts ? mcap->channel_count == log->topic_count
                           : chunk->message_count == UINT64_MAX;
}

/* Jump over a chunk that the summary knows. 1 if there is one here. */
static int take_known(struct sl_log *log, uint64_t *offset)
{
    struct mcap *mcap = log->state;
    while (mcap->known_at < mcap->known_count && mcap->known[mcap->known_at].offset < *offset)
        mcap->known_at++;
    if (mcap->known_at == mcap->known_count || mcap->known[mcap->known_at].offset != *offset)
        return 0;
    struct sl_log_block known = mcap->known[mcap->known_at];
    struct sl_log_block block;
    uint8_t opcode;
    uint64_t length;
    if (!is_known_whole(log, &known) || !peek(log, *offset, &opcode, &length) ||
        opcode != SL_MCAP_CHUNK ||
        SL_MCAP_RECORD_BYTES + length > mcap->known_length[mcap->known_at] ||
        read_chunk_head(log, *offset, length, &block) || block.stored_bytes != known.stored_bytes ||
        block.size_bytes != known.size_bytes)
        return 0;
    block.message_count = UINT64_MAX;
    int err = sl_log_run_end(log, &mcap->run);
    if (!err)
        err = sl_log_add_block(log, &block);
    *offset += mcap->known_length[mcap->known_at];
    return err ? err : 1;
}

/* The record at `offset` does not fit into the file, or is none. */
static int pass_damage(struct sl_log *log, uint64_t *offset)
{
    struct mcap *mcap = log->state;
    uint64_t size = log->source.size_bytes;
    uint8_t head[SL_MCAP_RECORD_BYTES];
    struct sl_log_block chunk;
    bool is_chunk = size - *offset >= sizeof head &&
                    sl_log_read(log, *offset, head, sizeof head) == 0 && head[0] == SL_MCAP_CHUNK &&
                    read_chunk_head(log, *offset, sl_get_le64(head + 1), &chunk) == 0;
    bool is_packed = is_chunk && chunk.compression != SL_COMPRESSION_NONE;
    uint64_t next = find_record(log, *offset + 1, is_packed);
    bool is_tail = is_chunk && next == size;
    int err = sl_log_run_end(log, &mcap->run);
    if (err)
        return err;
    if (is_tail) {
        sl_log_note_damage(log, *offset, 0, "the last chunk is cut off");
        err = sl_log_scan_chunk(log, &chunk, scan_bytes);
    } else {
        sl_log_note_gap(log, *offset, next);
    }
    *offset = next;
    return err;
}

static int read_records(struct sl_log *log)
{
    struct mcap *mcap = log->state;
    uint64_t size = log->source.size_bytes;
    uint64_t offset = SL_MCAP_MAGIC_BYTES;
    uint8_t opcode = 0;
    uint64_t length;
    int err = 0;
    while (offset < size && !err) {
        int known = take_known(log, &offset);
        if (known) {
            err = known < 0 ? known : 0;
            continue;
        }
        if (!peek(log, offset, &opcode, &length)) {
            err = pass_damage(log, &offset);
            continue;
        }
        if (opcode != SL_MCAP_MESSAGE && mcap->run.message_count > 0)
            err = sl_log_run_end(log, &mcap->run);
        if (opcode == SL_MCAP_DATA_END || opcode == SL_MCAP_FOOTER)
            break;
        if (!err)
            err = take_record(log, opcode, offset, length);
        if (err == -EBADMSG) {
            sl_log_note_damage(log, offset, SL_MCAP_RECORD_BYTES + length, "%s", sl_error_text());
            err = sl_log_run_end(log, &mcap->run);
        }
        offset += SL_MCAP_RECORD_BYTES + length;
    }
    if (!err && opcode != SL_MCAP_DATA_END && opcode != SL_MCAP_FOOTER && log->damage.count == 0)
        sl_log_note_damage(log, size, 0, "has no end: its recorder was stopped");
    return err ? err : sl_log_run_end(log, &mcap->run);
}

static const struct sl_log_operations operations = {sl_log_load_stored, walk_records, close_mcap};

static int compare_blocks(const void *a, const void *b)
{
    const struct sl_log_block *x = a;
    const struct sl_log_block *y = b;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Chunk indexes stand in the order of their chunks; where they do not, they are not used. */
static bool is_in_order(const struct mcap *mcap)
{
    for (uint32_t i = 1; i < mcap->known_count; i++)
        if (compare_blocks(&mcap->known[i - 1], &mcap->known[i]) >= 0)
            return false;
    return true;
}

static int create(const struct sl_log_source *source, struct sl_log **ret_log)
{
    struct mcap *mcap = calloc(1, sizeof *mcap);
    if (!mcap)
        return sl_error(-ENOMEM, "no memory for the log's index");
    int err = sl_log_create(SL_LOG_MCAP, &operations, source, mcap, ret_log);
    if (err)
        free(mcap);
    return err;
}

static int check_magic(struct sl_log *log)
{
    uint8_t magic[SL_MCAP_MAGIC_BYTES];
    int err = log->source.size_bytes < sizeof magic
                  ? sl_error(-EBADMSG, "is too short for an MCAP file")
                  : sl_log_read(log, 0, magic, sizeof magic);
    if (!err && memcmp(magic, sl_mcap_magic, sizeof magic) != 0)
        err = sl_error(-EBADMSG, "does not begin as an MCAP file");
    return err;
}

static int open_once(const struct sl_log_source *source, bool use_summary, struct sl_log **ret_log)
{
    struct sl_log *log;
    int err = create(source, &log);
    if (err)
        return err;
    struct mcap *mcap = log->state;
    err = check_magic(log);
    if (!err)
        err = read_summary(log);
    if (!err && use_summary && !is_in_order(mcap))
        err = sl_error(-EBADMSG, "has chunk indexes out of order");
    bool is_bad_summary = err == -EBADMSG;
    if (!use_summary) { /* its channels serve messages whose own ones are damaged; nothing else */
        mcap->known_count = 0;
        log->has_counts = false;
        for (uint32_t i = 0; i < log->topic_count; i++)
            log->topics[i].message_count = 0;
        err = err == -EBADMSG ? check_magic(log) : err;
    }
    if (!err)
        err = read_records(log);
    if (err) {
        sl_log_close(log);
        return is_bad_summary && use_summary ? -EAGAIN : err;
    }
    sl_log_forget_counts(log);
    log->was_indexed = use_summary && mcap->known_count > 0;
    *ret_log = log;
    return 0;
}

int sl_mcap_open(const struct sl_log_source *source, unsigned flags, struct sl_log **ret_log)
{
    struct sl_log *log;
    char reason[160] = "";
    int err = open_once(source, !(flags & SL_LOG_SCAN), &log);
    if (err == -EAGAIN) { /* a bad summary, or none: what can be found without one */
        memcpy(reason, sl_error_text(), sizeof reason - 1);
        reason[sizeof reason - 1] = '\0';
        err = open_once(source, false, &log);
    }
    if (err)
        return err;
    if (reason[0] && log->damage.count == 0)
        sl_log_note_damage(log, source->size_bytes, 0, "%s", reason);
    *ret_log = log;
    return 0;
}
