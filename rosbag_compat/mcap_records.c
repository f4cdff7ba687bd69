/* SPDX-License-Identifier: Apache-2.0 */
#include "rosbag_compat/mcap_records.h"

#include "core/base/error.h"

#include <errno.h>
#include <inttypes.h>

const uint8_t sl_mcap_magic[SL_MCAP_MAGIC_BYTES] = {0x89, 'M', 'C', 'A', 'P', '0', '\r', '\n'};

static const char *const names[] = {
    "record",   "Header",        "Footer",        "Schema",     "Channel",         "Message",
    "Chunk",    "MessageIndex",  "ChunkIndex",    "Attachment", "AttachmentIndex", "Statistics",
    "Metadata", "MetadataIndex", "SummaryOffset", "DataEnd",
};

const char *sl_mcap_record_name(uint8_t opcode)
{
    return names[opcode < SL_MCAP_OPCODE_END ? opcode : 0];
}

static int done(const struct sl_reader *r, enum sl_mcap_opcode opcode)
{
    return r->failed ? sl_error(-EBADMSG, "a %s is too short", sl_mcap_record_name(opcode)) : 0;
}

static struct sl_text text_of(struct sl_reader *r)
{
    uint32_t size = sl_reader_le32(r);
    const uint8_t *bytes = sl_reader_take(r, size);
    return (struct sl_text){(const char *)bytes, bytes ? size : 0};
}

static struct sl_mcap_pairs pairs_of(struct sl_reader *r)
{
    struct sl_text text = text_of(r);
    return (struct sl_mcap_pairs){(const uint8_t *)text.at, (uint32_t)text.size};
}

/* "Header (op=0x01)": profile, library. */
int sl_mcap_read_header(struct sl_reader *r, struct sl_mcap_header *ret)
{
    ret->profile = text_of(r);
    ret->library = text_of(r);
    return done(r, SL_MCAP_HEADER);
}

/* "Footer (op=0x02)": never longer than this. */
int sl_mcap_read_footer(struct sl_reader *r, struct sl_mcap_footer *ret)
{
    ret->summary_start = sl_reader_le64(r);
    ret->summary_offset_start = sl_reader_le64(r);
    ret->summary_crc = sl_reader_le32(r);
    return done(r, SL_MCAP_FOOTER);
}

/* "Schema (op=0x03)": id 0 is not allowed. */
int sl_mcap_read_schema(struct sl_reader *r, struct sl_mcap_schema *ret)
{
    ret->id = sl_reader_le16(r);
    ret->name = text_of(r);
    ret->encoding = text_of(r);
    ret->data = text_of(r);
    if (!r->failed && ret->id == 0)
        return sl_error(-EBADMSG, "a Schema has the id 0");
    return done(r, SL_MCAP_SCHEMA);
}

/* "Channel (op=0x04)": schema 0 is none. */
int sl_mcap_read_channel(struct sl_reader *r, struct sl_mcap_channel *ret)
{
    ret->id = sl_reader_le16(r);
    ret->schema_id = sl_reader_le16(r);
    ret->topic = text_of(r);
    ret->encoding = text_of(r);
    ret->metadata = pairs_of(r);
    return done(r, SL_MCAP_CHANNEL);
}

/* "Message (op=0x05)": the body is the rest of the record. */
int sl_mcap_read_message(struct sl_reader *r, struct sl_mcap_message *ret)
{
    ret->channel_id = sl_reader_le16(r);
    ret->sequence = sl_reader_le32(r);
    ret->log_ns = sl_reader_le64(r);
    ret->publish_ns = sl_reader_le64(r);
    return done(r, SL_MCAP_MESSAGE);
}

/* "Chunk (op=0x06)". */
int sl_mcap_read_chunk(struct sl_reader *r, struct sl_mcap_chunk *ret)
{
    ret->start_ns = sl_reader_le64(r);
    ret->end_ns = sl_reader_le64(r);
    ret->size_bytes = sl_reader_le64(r);
    ret->crc = sl_reader_le32(r);
    ret->compression = text_of(r);
    ret->stored_bytes = sl_reader_le64(r);
    return done(r, SL_MCAP_CHUNK);
}

/* "Chunk Index (op=0x08)". */
int sl_mcap_read_chunk_index(struct sl_reader *r, struct sl_mcap_chunk_index *ret)
{
    ret->start_ns = sl_reader_le64(r);
    ret->end_ns = sl_reader_le64(r);
    ret->chunk_offset = sl_reader_le64(r);
    ret->chunk_length = sl_reader_le64(r);
    ret->index_offsets = pairs_of(r);
    ret->index_length = sl_reader_le64(r);
    ret->compression = text_of(r);
    ret->stored_bytes = sl_reader_le64(r);
    ret->size_bytes = sl_reader_le64(r);
    return done(r, SL_MCAP_CHUNK_INDEX);
}

/* "Attachment (op=0x09)": data and a CRC of all before it follow. */
int sl_mcap_read_attachment(struct sl_reader *r, struct sl_mcap_attachment *ret)
{
    ret->log_ns = sl_reader_le64(r);
    ret->create_ns = sl_reader_le64(r);
    ret->name = text_of(r);
    ret->media_type = text_of(r);
    ret->size_bytes = sl_reader_le64(r);
    return done(r, SL_MCAP_ATTACHMENT);
}

/* "Attachment Index (op=0x0A)". */
int sl_mcap_read_attachment_index(struct sl_reader *r, struct sl_mcap_attachment_index *ret)
{
    ret->offset = sl_reader_le64(r);
    ret->length = sl_reader_le64(r);
    ret->log_ns = sl_reader_le64(r);
    ret->create_ns = sl_reader_le64(r);
    ret->size_bytes = sl_reader_le64(r);
    ret->name = text_of(r);
    ret->media_type = text_of(r);
    return done(r, SL_MCAP_ATTACHMENT_INDEX);
}

/* "Statistics (op=0x0B)". */
int sl_mcap_read_statistics(struct sl_reader *r, struct sl_mcap_statistics *ret)
{
    ret->message_count = sl_reader_le64(r);
    ret->schema_count = sl_reader_le16(r);
    ret->channel_count = sl_reader_le32(r);
    ret->attachment_count = sl_reader_le32(r);
    ret->metadata_count = sl_reader_le32(r);
    ret->chunk_count = sl_reader_le32(r);
    ret->start_ns = sl_reader_le64(r);
    ret->end_ns = sl_reader_le64(r);
    ret->channel_counts = pairs_of(r);
    return done(r, SL_MCAP_STATISTICS);
}

/* "Metadata (op=0x0C)". */
int sl_mcap_read_metadata(struct sl_reader *r, struct sl_mcap_metadata *ret)
{
    ret->name = text_of(r);
    ret->pairs = pairs_of(r);
    return done(r, SL_MCAP_METADATA);
}

/* "Metadata Index (op=0x0D)". */
int sl_mcap_read_metadata_index(struct sl_reader *r, struct sl_mcap_metadata_index *ret)
{
    ret->offset = sl_reader_le64(r);
    ret->length = sl_reader_le64(r);
    ret->name = text_of(r);
    return done(r, SL_MCAP_METADATA_INDEX);
}

/* "Summary Offset (op=0x0E)". */
int sl_mcap_read_summary_offset(struct sl_reader *r, struct sl_mcap_summary_offset *ret)
{
    ret->opcode = sl_reader_u8(r);
    ret->start = sl_reader_le64(r);
    ret->length = sl_reader_le64(r);
    return done(r, SL_MCAP_SUMMARY_OFFSET);
}

int sl_mcap_text_pair(struct sl_reader *r, struct sl_text *ret_key, struct sl_text *ret_value)
{
    if (!r->failed && sl_reader_left(r) == 0)
        return 0;
    *ret_key = text_of(r);
    *ret_value = text_of(r);
    return r->failed ? sl_error(-EBADMSG, "a map is cut off") : 1;
}

int sl_mcap_count_pair(struct sl_reader *r, uint16_t *ret_channel, uint64_t *ret_value)
{
    if (!r->failed && sl_reader_left(r) == 0)
        return 0;
    *ret_channel = sl_reader_le16(r);
    *ret_value = sl_reader_le64(r);
    return r->failed ? sl_error(-EBADMSG, "a map is cut off") : 1;
}

int sl_mcap_next_record(struct sl_reader *r, uint8_t *ret_opcode, struct sl_reader *ret_content)
{
    if (!r->failed && sl_reader_left(r) == 0)
        return 0;
    const uint8_t *start = r->at;
    *ret_opcode = sl_reader_u8(r);
    uint64_t length = sl_reader_le64(r);
    if (r->failed || length > sl_reader_left(r)) {
        r->at = start;
        return sl_error(-EBADMSG, "a %s is cut off: %" PRIu64 " bytes are said, %zu are left",
                        sl_mcap_record_name(*ret_opcode), length, sl_reader_left(r));
    }
    *ret_content = sl_reader(sl_reader_take(r, (size_t)length), (size_t)length);
    return 1;
}
