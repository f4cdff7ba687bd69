/* SPDX-License-Identifier: Apache-2.0 */
/* mcap_records.h - the records of an MCAP file, one by one.
 *
 *     magic | record ... | magic            magic = 89 'M' 'C' 'A' 'P' '0' \r \n
 *     record = opcode u8, length u64, content
 *
 * Little endian. A text is u32 bytes and the bytes; a map or list is u32 bytes (not a count) and
 * its pairs. Section numbers in mcap_records.c are those of the format's specification
 * (https://mcap.dev/spec).
 *
 * Life:    reading points into the bytes given; nothing is kept or allocated.
 * Threads: any; pure.
 * Errors:  -EBADMSG with what does not fit.
 */
#ifndef SL_ROSBAG_COMPAT_MCAP_RECORDS_H
#define SL_ROSBAG_COMPAT_MCAP_RECORDS_H

#include "core/base/bytes.h"
#include "core/frame/cdr.h"

#define SL_MCAP_MAGIC_BYTES   8
#define SL_MCAP_RECORD_BYTES  9  /* opcode and length */
#define SL_MCAP_MESSAGE_BYTES 22 /* of a message's content before the body */
#define SL_MCAP_FOOTER_BYTES  20 /* of content */
#define SL_MCAP_PRIVATE       0x80
extern const uint8_t sl_mcap_magic[SL_MCAP_MAGIC_BYTES];

enum sl_mcap_opcode {
    SL_MCAP_HEADER = 1,
    SL_MCAP_FOOTER,
    SL_MCAP_SCHEMA,
    SL_MCAP_CHANNEL,
    SL_MCAP_MESSAGE,
    SL_MCAP_CHUNK,
    SL_MCAP_MESSAGE_INDEX,
    SL_MCAP_CHUNK_INDEX,
    SL_MCAP_ATTACHMENT,
    SL_MCAP_ATTACHMENT_INDEX,
    SL_MCAP_STATISTICS,
    SL_MCAP_METADATA,
    SL_MCAP_METADATA_INDEX,
    SL_MCAP_SUMMARY_OFFSET,
    SL_MCAP_DATA_END,
    SL_MCAP_OPCODE_END
};

/* Pairs, read one after the other by the sl_mcap_..._pair below. */
struct sl_mcap_pairs {
    const uint8_t *bytes;
    uint32_t size_bytes;
};

struct sl_mcap_header {
    struct sl_text profile, library;
};
struct sl_mcap_footer {
    uint64_t summary_start, summary_offset_start;
    uint32_t summary_crc;
};
struct sl_mcap_schema {
    uint16_t id;
    struct sl_text name, encoding, data;
};
struct sl_mcap_channel {
    uint16_t id, schema_id;
    struct sl_text topic, encoding;
    struct sl_mcap_pairs metadata; /* text, text */
};
struct sl_mcap_message {
    uint16_t channel_id;
    uint32_t sequence;
    uint64_t log_ns, publish_ns;
};
struct sl_mcap_chunk {
    uint64_t start_ns, end_ns, size_bytes;
    uint32_t crc;
    struct sl_text compression;
    uint64_t stored_bytes; /* they follow */
};
struct sl_mcap_chunk_index {
    uint64_t start_ns, end_ns, chunk_offset, chunk_length;
    struct sl_mcap_pairs index_offsets; /* u16, u64 */
    uint64_t index_length;
    struct sl_text compression;
    uint64_t stored_bytes, size_bytes;
};
struct sl_mcap_attachment {
    uint64_t log_ns, create_ns;
    struct sl_text name, media_type;
    uint64_t size_bytes; /* they follow, and then the CRC */
};
struct sl_mcap_attachment_index {
    uint64_t offset, length, log_ns, create_ns, size_bytes;
    struct sl_text name, media_type;
};
struct sl_mcap_statistics {
    uint64_t message_count;
    uint16_t schema_count;
    uint32_t channel_count, attachment_count, metadata_count, chunk_count;
    uint64_t start_ns, end_ns;
    struct sl_mcap_pairs channel_counts; /* u16, u64 */
};
struct sl_mcap_metadata {
    struct sl_text name;
    struct sl_mcap_pairs pairs; /* text, text */
};
struct sl_mcap_metadata_index {
    uint64_t offset, length;
    struct sl_text name;
};
struct sl_mcap_summary_offset {
    uint8_t opcode;
    uint64_t start, length;
};

/* Each reads a record's content and leaves the reader behind what it knows (chunk and attachment:
 * where the data begin). 0 or -EBADMSG. */
int sl_mcap_read_header(struct sl_reader *r, struct sl_mcap_header *ret);
int sl_mcap_read_footer(struct sl_reader *r, struct sl_mcap_footer *ret);
int sl_mcap_read_schema(struct sl_reader *r, struct sl_mcap_schema *ret);
int sl_mcap_read_channel(struct sl_reader *r, struct sl_mcap_channel *ret);
int sl_mcap_read_message(struct sl_reader *r, struct sl_mcap_message *ret);
int sl_mcap_read_chunk(struct sl_reader *r, struct sl_mcap_chunk *ret);
int sl_mcap_read_chunk_index(struct sl_reader *r, struct sl_mcap_chunk_index *ret);
int sl_mcap_read_attachment(struct sl_reader *r, struct sl_mcap_attachment *ret);
int sl_mcap_read_attachment_index(struct sl_reader *r, struct sl_mcap_attachment_index *ret);
int sl_mcap_read_statistics(struct sl_reader *r, struct sl_mcap_statistics *ret);
int sl_mcap_read_metadata(struct sl_reader *r, struct sl_mcap_metadata *ret);
int sl_mcap_read_metadata_index(struct sl_reader *r, struct sl_mcap_metadata_index *ret);
int sl_mcap_read_summary_offset(struct sl_reader *r, struct sl_mcap_summary_offset *ret);

static inline struct sl_reader sl_mcap_pairs(struct sl_mcap_pairs pairs)
{
    return sl_reader(pairs.bytes, pairs.size_bytes);
}
/* 1, 0 at the end, -EBADMSG. */
int sl_mcap_text_pair(struct sl_reader *r, struct sl_text *ret_key, struct sl_text *ret_value);
int sl_mcap_count_pair(struct sl_reader *r, uint16_t *ret_channel, uint64_t *ret_value);

/* The next record of a range: 1, 0 at its end, -EBADMSG if it is cut off. `ret_content` ends with
 * the record. */
int sl_mcap_next_record(struct sl_reader *r, uint8_t *ret_opcode, struct sl_reader *ret_content);

/* "Schema" for SL_MCAP_SCHEMA; "record" for what is not known. */
const char *sl_mcap_record_name(uint8_t opcode);

#endif
