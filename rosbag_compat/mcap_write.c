/* SPDX-License-Identifier: Apache-2.0 */
/* mcap_write.c - writing MCAP. A topic is a Channel, with a Schema of its own unless an equal one
 * is there; its pairs are the channel's metadata. The section numbers of mcap_records.c hold here
 * too. */
#include "core/base/error.h"
#include "rosbag_compat/buffer.h"
#include "rosbag_compat/crc32.h"
#include "rosbag_compat/log_write.h"
#include "rosbag_compat/mcap_records.h"
#include "rosbag_compat/packer.h"

#include <errno.h>
#include <string.h>

#define COPY_BYTES 65536
#define NOTE_BYTES 10 /* of a message index: channel, offset */

/* At most: */
#define CHUNK_BYTES   192  /* of a chunk beside its content and message indexes, with its index */
#define INDEX_BYTES   32   /* of a message index beside its places, with its note */
#define PLACE_BYTES   16   /* of a message in it */
#define SUMMARY_BYTES 512  /* behind the data, beside what stands in groups */
#define CHANNEL_BYTES 10   /* of a channel in the statistics */
#define MORE_BYTES    1024 /* of a message to come, beside its body: it may end a chunk */

/* A run of summary records of one kind. */
struct group {
    uint8_t opcode;
    unsigned omit; /* the option that leaves it out */
    struct sl_buffer records;
};
enum group_kind {
    GROUP_SCHEMA,
    GROUP_CHANNEL,
    GROUP_STATISTICS,
    GROUP_CHUNK_INDEX,
    GROUP_ATTACHMENT_INDEX,
    GROUP_METADATA_INDEX,
    GROUP_COUNT
};

struct channel {
    uint64_t message_count;
    struct sl_buffer index; /* u64 time, u64 offset: of the open chunk */
};

struct schema {
    size_t offset; /* of its record's content behind the id, in GROUP_SCHEMA */
    size_t size_bytes;
};

struct mcap {
    struct group groups[GROUP_COUNT];
    struct channel *channels;
    uint32_t channel_room;
    struct schema *schemas;
    uint32_t schema_count, schema_room;
    struct sl_buffer chunk, head;
    struct sl_packer *packer;  /* or NULL: nothing is compressed */
    struct sl_pack_job direct; /* of a chunk that is not: only what goes behind it */
    bool chunk_has_messages;
    uint64_t chunk_index_bytes; /* of its message indexes, at most */
    uint64_t chunk_first_ns, chunk_last_ns;
    uint64_t message_count, first_ns, last_ns;
    uint32_t chunk_count, attachment_count, metadata_count;
    uint32_t data_crc;
};

static int no_memory(void)
{
    return sl_error(-ENOMEM, "no memory to write a log");
}

/* Records ---------------------------------------------------------------------------------------*/

/* Opens a record; its length is set by end_record. Returns where it begins. */
static size_t begin_record(struct sl_buffer *b, enum sl_mcap_opcode opcode)
{
    size_t start = b->size_bytes;
    sl_buffer_u8(b, (uint8_t)opcode);
    sl_buffer_le64(b, 0);
    return start;
}

static void end_record(struct sl_buffer *b, size_t start)
{
    if (!b->failed)
        sl_put_le64(b->bytes + start + 1, b->size_bytes - start - SL_MCAP_RECORD_BYTES);
}

static void put_text(struct sl_buffer *b, const char *text)
{
    size_t size = text ? strlen(text) : 0;
    sl_buffer_le32(b, (uint32_t)size);
    sl_buffer_put(b, text, size);
}

static void put_pairs(struct sl_buffer *b, const struct sl_log_pair *pairs, unsigned count)
{
    size_t start = b->size_bytes;
    sl_buffer_le32(b, 0);
    for (unsigned i = 0; i < count; i++) {
        put_text(b, pairs[i].key);
        put_text(b, pairs[i].value);
    }
    if (!b->failed)
        sl_put_le32(b->bytes + start, (uint32_t)(b->size_bytes - start - 4));
}

static int emit(struct sl_log_writer *w, const struct iovec *pieces, unsigned count)
{
    struct mcap *mcap = w->state;
    if (!(w->options.omit & SL_LOG_OMIT_DATA_CRC))
        for (unsigned i = 0; i < count; i++)
            mcap->data_crc = sl_crc32(mcap->data_crc, pieces[i].iov_base, pieces[i].iov_len);
    return sl_log_emit(w, pieces, count);
}

/* A chunk: its content's CRC is known, and not made again for the file's. */
static int emit_known(struct sl_log_writer *w, const struct iovec *pieces, unsigned count,
                      uint64_t content_bytes, uint32_t content_crc)
{
    struct mcap *mcap = w->state;
    const struct iovec *tail = &pieces[count - 1];
    uint32_t crc = sl_crc32(mcap->data_crc, pieces[0].iov_base, pieces[0].iov_len);
    crc = sl_crc32_join(crc, content_crc, content_bytes);
    mcap->data_crc = sl_crc32(crc, tail->iov_base, tail->iov_len);
    return sl_log_emit(w, pieces, count);
}

static int emit_buffer(struct sl_log_writer *w, const struct sl_buffer *b)
{
    return b->failed ? no_memory() : emit(w, &(struct iovec){b->bytes, b->size_bytes}, 1);
}

/* Records of the data section that are not messages go into the open chunk, or out. */
static int put_record(struct sl_log_writer *w, const void *bytes, size_t size_bytes)
{
    struct mcap *mcap = w->state;
    if (w->options.is_unchunked)
        return emit(w, &(struct iovec){(void *)bytes, size_bytes}, 1);
    sl_buffer_put(&mcap->chunk, bytes, size_bytes);
    return mcap->chunk.failed ? no_memory() : 0;
}

/* Topics ----------------------------------------------------------------------------------------*/

/* The id of an equal schema, or 0. `record` is a whole one. */
static uint16_t find_schema(const struct mcap *mcap, const uint8_t *content, size_t size_bytes)
{
    const struct sl_buffer *all = &mcap->groups[GROUP_SCHEMA].records;
    for (uint32_t i = 0; i < mcap->schema_count; i++)
        if (mcap->schemas[i].size_bytes == size_bytes &&
            memcmp(all->bytes + mcap->schemas[i].offset, content, size_bytes) == 0)
            return (uint16_t)(i + 1);
    return 0;
}

static int note_schema(struct mcap *mcap, size_t offset, size_t size_bytes)
{
    if (mcap->schema_count == mcap->schema_room) {
        uint32_t room = mcap->schema_room ? 2 * mcap->schema_room : 16;
        struct schema *fresh = realloc(mcap->schemas, room * sizeof *fresh);
        if (!fresh)
            return no_memory();
        mcap->schemas = fresh;
        mcap->schema_room = room;
    }
    mcap->schemas[mcap->schema_count++] = (struct schema){offset, size_bytes};
    return 0;
}

static int put_schema(struct sl_log_writer *w, const struct sl_log_topic *topic, uint16_t *ret_id)
{
    struct mcap *mcap = w->state;
    struct sl_buffer *all = &mcap->groups[GROUP_SCHEMA].records;
    if (topic->definition_bytes > UINT32_MAX)
        return sl_error(-EINVAL, "the definition of %s is too long", topic->type);
    size_t start = begin_record(all, SL_MCAP_SCHEMA);
    sl_buffer_le16(all, (uint16_t)(mcap->schema_count + 1));
    size_t content = all->size_bytes;
    put_text(all, topic->type);
    put_text(all, topic->definition_encoding);
    sl_buffer_le32(all, (uint32_t)topic->definition_bytes);
    sl_buffer_put(all, topic->definition, topic->definition_bytes);
    end_record(all, start);
    if (all->failed)
        return no_memory();
    *ret_id = find_schema(mcap, all->bytes + content, all->size_bytes - content);
    if (*ret_id) {
        all->size_bytes = start;
        return 0;
    }
    int err = note_schema(mcap, content, all->size_bytes - content);
    *ret_id = (uint16_t)mcap->schema_count;
    return err ? err : put_record(w, all->bytes + start, all->size_bytes - start);
}

static int put_channel(struct sl_log_writer *w, const struct sl_log_topic *topic, uint16_t id,
                       uint16_t schema_id)
{
    struct sl_buffer *all = &((struct mcap *)w->state)->groups[GROUP_CHANNEL].records;
    size_t start = begin_record(all, SL_MCAP_CHANNEL);
    sl_buffer_le16(all, id);
    sl_buffer_le16(all, schema_id);
    put_text(all, topic->name);
    put_text(all, topic->encoding);
    put_pairs(all, topic->pairs, topic->pair_count);
    end_record(all, start);
    return all->failed ? no_memory() : put_record(w, all->bytes + start, all->size_bytes - start);
}

static int write_topic(struct sl_log_writer *w, const struct sl_log_topic *topic, uint32_t index)
{
    struct mcap *mcap = w->state;
    if (index == mcap->channel_room) {
        uint32_t room = mcap->channel_room ? 2 * mcap->channel_room : 16;
        struct channel *fresh = realloc(mcap->channels, room * sizeof *fresh);
        if (!fresh)
            return no_memory();
        memset(fresh + mcap->channel_room, 0, (room - mcap->channel_room) * sizeof *fresh);
        mcap->channels = fresh;
        mcap->channel_room = room;
    }
    uint16_t schema_id = 0;
    int err = topic->has_schema ? put_schema(w, topic, &schema_id) : 0;
    return err ? err : put_channel(w, topic, (uint16_t)(index + 1), schema_id);
}

/* Chunks ----------------------------------------------------------------------------------------*/

static uint32_t crc_of(const struct sl_log_content *c)
{
    uint32_t crc = 0;
    for (unsigned i = 0; i < c->count; i++)
        crc = sl_crc32(crc, c->pieces[i].iov_base, c->pieces[i].iov_len);
    return crc;
}

static const char *compression_name(const struct sl_log_writer *w)
{
    enum sl_compression kind = w->options.compression;
    return kind == SL_COMPRESSION_NONE ? "" : sl_compression_names[kind];
}

/* Never less than the job's chunk and its index will have in the file. */
static uint64_t pending_bytes(const struct sl_log_writer *w, const struct sl_pack_job *job)
{
    return sl_compress_bound(w->options.compression, job->content.size_bytes) +
           job->tail.size_bytes + job->notes.size_bytes + CHUNK_BYTES;
}

/* What the message indexes say of the gathered chunk, and where each begins: u16 channel, u64
 * offset from the first. The next chunk begins. */
static void end_content(struct sl_log_writer *w, struct sl_pack_job *job)
{
    struct mcap *mcap = w->state;
    struct sl_buffer *to = &job->tail;
    for (uint32_t i = 0; i < w->topic_count; i++) {
        struct sl_buffer *index = &mcap->channels[i].index;
        if (index->size_bytes > 0 && !(w->options.omit & SL_LOG_OMIT_MESSAGE_INDEX)) {
            sl_buffer_le16(&job->notes, (uint16_t)(i + 1));
            sl_buffer_le64(&job->notes, to->size_bytes);
            size_t start = begin_record(to, SL_MCAP_MESSAGE_INDEX);
            sl_buffer_le16(to, (uint16_t)(i + 1));
            sl_buffer_le32(to, (uint32_t)index->size_bytes);
            sl_buffer_put(to, index->bytes, index->size_bytes);
            end_record(to, start);
        }
        to->failed |= index->failed;
        sl_buffer_clear(index);
    }
    job->first_ns = mcap->chunk_first_ns;
    job->last_ns = mcap->chunk_last_ns;
    mcap->chunk_has_messages = false;
    mcap->chunk_index_bytes = 0;
    mcap->chunk_first_ns = mcap->chunk_last_ns = 0;
}

/* The tail's records begin `tail_offset` bytes into the file. */
static void put_chunk_index(struct sl_log_writer *w, const struct sl_pack_job *job,
                            uint64_t tail_offset, uint64_t stored_bytes, uint64_t size_bytes)
{
    struct mcap *mcap = w->state;
    struct sl_buffer *to = &mcap->groups[GROUP_CHUNK_INDEX].records;
    const struct sl_buffer *notes = &job->notes;
    size_t start = begin_record(to, SL_MCAP_CHUNK_INDEX);
    sl_buffer_le64(to, job->first_ns);
    sl_buffer_le64(to, job->last_ns);
    sl_buffer_le64(to, w->written_bytes);
    sl_buffer_le64(to, tail_offset - w->written_bytes);
    sl_buffer_le32(to, (uint32_t)notes->size_bytes);
    for (size_t at = 0; at < notes->size_bytes; at += NOTE_BYTES) {
        sl_buffer_put(to, notes->bytes + at, 2);
        sl_buffer_le64(to, tail_offset + sl_get_le64(notes->bytes + at + 2));
    }
    sl_buffer_le64(to, job->tail.size_bytes);
    put_text(to, compression_name(w));
    sl_buffer_le64(to, stored_bytes);
    sl_buffer_le64(to, size_bytes);
    end_record(to, start);
    to->failed |= notes->failed;
}

static void put_chunk_head(struct sl_log_writer *w, const struct sl_pack_job *job,
                           uint64_t stored_bytes, uint64_t size_bytes)
{
    struct sl_buffer *head = &((struct mcap *)w->state)->head;
    sl_buffer_clear(head);
    size_t start = begin_record(head, SL_MCAP_CHUNK);
    sl_buffer_le64(head, job->first_ns);
    sl_buffer_le64(head, job->last_ns);
    sl_buffer_le64(head, size_bytes);
    sl_buffer_le32(head, job->crc);
    put_text(head, compression_name(w));
    sl_buffer_le64(head, stored_bytes);
    if (!head->failed)
        sl_put_le64(head->bytes + start + 1,
                    head->size_bytes - start - SL_MCAP_RECORD_BYTES + stored_bytes);
}

/* One write: head, the stored content (what was gathered, the message that stays where it is; or
 * what it was compressed to), its index. */
static int emit_chunk(struct sl_log_writer *w, const struct sl_pack_job *job,
                      const struct sl_log_content *c, uint64_t size_bytes)
{
    struct mcap *mcap = w->state;
    struct iovec pieces[SL_LOG_BODY_PIECES + 4];
    put_chunk_head(w, job, c->size_bytes, size_bytes);
    put_chunk_index(w, job, w->written_bytes + mcap->head.size_bytes + c->size_bytes, c->size_bytes,
                    size_bytes);
    if (mcap->head.failed || job->tail.failed || mcap->groups[GROUP_CHUNK_INDEX].records.failed)
        return no_memory();
    pieces[0] = (struct iovec){mcap->head.bytes, mcap->head.size_bytes};
    memcpy(pieces + 1, c->pieces, c->count * sizeof *pieces);
    pieces[c->count + 1] = (struct iovec){job->tail.bytes, job->tail.size_bytes};
    mcap->chunk_count++;
    bool is_known = !w->options.compression &&
                    !(w->options.omit & (SL_LOG_OMIT_CHUNK_CRC | SL_LOG_OMIT_DATA_CRC));
    return is_known ? emit_known(w, pieces, c->count + 2, size_bytes, job->crc)
                    : emit(w, pieces, c->count + 2);
}

static int emit_direct(struct sl_log_writer *w, const struct sl_log_content *c)
{
    struct mcap *mcap = w->state;
    struct sl_pack_job *job = &mcap->direct;
    sl_buffer_clear(&job->tail);
    sl_buffer_clear(&job->notes);
    end_content(w, job);
    job->crc = w->options.omit & SL_LOG_OMIT_CHUNK_CRC ? 0 : crc_of(c);
    int err = emit_chunk(w, job, c, c->size_bytes);
    sl_buffer_clear(&mcap->chunk);
    return err;
}

/* Compressed chunks: as they come back from the packer. */
static int emit_oldest(struct sl_log_writer *w)
{
    struct mcap *mcap = w->state;
    struct sl_log_content c = {0};
    struct sl_pack_job *job = sl_packer_collect(mcap->packer);
    if (!job)
        return 0;
    w->pending_bytes -= pending_bytes(w, job);
    sl_log_content_add(&c, job->packed.bytes, job->packed.size_bytes);
    int err = job->err < 0 ? sl_error(job->err, "a chunk cannot be compressed by %s: %s",
                                      compression_name(w), strerror(-job->err))
                           : emit_chunk(w, job, &c, job->content.size_bytes);
    sl_packer_put_back(mcap->packer, job);
    return w->failure = err;
}

static int settle(struct sl_log_writer *w)
{
    int err = 0;
    while (w->pending_bytes > 0 && err == 0)
        err = emit_oldest(w);
    return err;
}

static int pack_chunk(struct sl_log_writer *w)
{
    struct mcap *mcap = w->state;
    struct sl_pack_job *job = sl_packer_take(mcap->packer);
    struct sl_buffer content = job->content;
    job->content = mcap->chunk;
    mcap->chunk = content;
    job->wants_crc = !(w->options.omit & SL_LOG_OMIT_CHUNK_CRC);
    end_content(w, job);
    w->pending_bytes += pending_bytes(w, job);
    sl_packer_give(mcap->packer, job);
    int err = 0;
    while (sl_packer_is_due(mcap->packer) && err == 0)
        err = emit_oldest(w);
    return err;
}

static int end_chunk(struct sl_log_writer *w)
{
    struct mcap *mcap = w->state;
    struct sl_log_content c = {0};
    if (mcap->chunk.failed)
        return no_memory();
    if (mcap->chunk.size_bytes == 0)
        return 0;
    if (mcap->packer)
        return pack_chunk(w);
    sl_log_content_add(&c, mcap->chunk.bytes, mcap->chunk.size_bytes);
    return emit_direct(w, &c);
}

static int flush(struct sl_log_writer *w)
{
    int err = end_chunk(w);
    return err ? err : settle(w);
}

/* Messages --------------------------------------------------------------------------------------*/

static void widen(bool is_first, uint64_t time_ns, uint64_t *first_ns, uint64_t *last_ns)
{
    if (is_first || time_ns < *first_ns)
        *first_ns = time_ns;
    if (is_first || time_ns > *last_ns)
        *last_ns = time_ns;
}

static void count_message(struct mcap *mcap, const struct sl_log_message *m, bool is_chunked)
{
    widen(mcap->message_count == 0, m->receive_ns, &mcap->first_ns, &mcap->last_ns);
    mcap->message_count++;
    struct channel *channel = &mcap->channels[m->topic];
    channel->message_count++;
    if (!is_chunked)
        return;
    widen(!mcap->chunk_has_messages, m->receive_ns, &mcap->chunk_first_ns, &mcap->chunk_last_ns);
    mcap->chunk_has_messages = true;
    mcap->chunk_index_bytes += PLACE_BYTES + (channel->index.size_bytes == 0 ? INDEX_BYTES : 0);
    sl_buffer_le64(&channel->index, m->receive_ns);
    sl_buffer_le64(&channel->index, mcap->chunk.size_bytes);
}

static int write_message(struct sl_log_writer *w, const struct sl_log_message *m,
                         const struct iovec *body, unsigned pieces, uint64_t size_bytes)
{
    struct mcap *mcap = w->state;
    uint8_t head[SL_MCAP_RECORD_BYTES + SL_MCAP_MESSAGE_BYTES];
    struct sl_writer to = sl_writer(head, sizeof head);
    sl_writer_u8(&to, SL_MCAP_MESSAGE);
    sl_writer_le64(&to, SL_MCAP_MESSAGE_BYTES + size_bytes);
    sl_writer_le16(&to, (uint16_t)(m->topic + 1));
    sl_writer_le32(&to, m->sequence);
    sl_writer_le64(&to, m->receive_ns);
    sl_writer_le64(&to, m->publish_ns);
    count_message(mcap, m, !w->options.is_unchunked);

    bool is_direct = w->options.is_unchunked ||
                     (!w->options.compression && size_bytes >= w->options.direct_bytes);
    if (is_direct) {
        struct sl_log_content c = {0};
        sl_log_content_add(&c, mcap->chunk.bytes, mcap->chunk.size_bytes);
        sl_log_content_add(&c, head, sizeof head);
        for (unsigned i = 0; i < pieces; i++)
            sl_log_content_add(&c, body[i].iov_base, body[i].iov_len);
        return w->options.is_unchunked ? emit(w, c.pieces, c.count) : emit_direct(w, &c);
    }
    sl_buffer_put(&mcap->chunk, head, sizeof head);
    for (unsigned i = 0; i < pieces; i++)
        sl_buffer_put(&mcap->chunk, body[i].iov_base, body[i].iov_len);
    if (mcap->chunk.failed)
        return no_memory();
    return mcap->chunk.size_bytes >= w->options.chunk_bytes ? end_chunk(w) : 0;
}

/* Attachments and metadata ----------------------------------------------------------------------*/

static int copy_data(struct sl_log_writer *w, const struct sl_log_attachment *a,
                     const struct sl_log_source *from, uint32_t *crc)
{
    uint8_t bytes[COPY_BYTES];
    for (uint64_t done = 0; done < a->size_bytes;) {
        uint64_t left = a->size_bytes - done;
        size_t part = left < sizeof bytes ? (size_t)left : sizeof bytes;
        int err = from->read_at(from->state, a->offset + done, bytes, part);
        if (!err)
            err = emit(w, &(struct iovec){bytes, part}, 1);
        if (err)
            return err;
        *crc = sl_crc32(*crc, bytes, part);
        done += part;
    }
    return 0;
}

static int write_attachment(struct sl_log_writer *w, const struct sl_log_attachment *a,
                            const struct sl_log_source *from)
{
    struct mcap *mcap = w->state;
    struct sl_buffer *head = &mcap->head;
    int err = flush(w);
    if (err)
        return err;
    sl_buffer_clear(head);
    size_t start = begin_record(head, SL_MCAP_ATTACHMENT);
    sl_buffer_le64(head, a->log_ns);
    sl_buffer_le64(head, a->create_ns);
    put_text(head, a->name);
    put_text(head, a->media_type);
    sl_buffer_le64(head, a->size_bytes);
    if (head->failed)
        return no_memory();
    uint64_t length = head->size_bytes - SL_MCAP_RECORD_BYTES + a->size_bytes + 4;
    sl_put_le64(head->bytes + start + 1, length);

    uint64_t offset = w->written_bytes;
    uint32_t crc =
        sl_crc32(0, head->bytes + SL_MCAP_RECORD_BYTES, head->size_bytes - SL_MCAP_RECORD_BYTES);
    uint8_t tail[4];
    err = emit_buffer(w, head);
    if (!err)
        err = copy_data(w, a, from, &crc);
    sl_put_le32(tail, crc);
    if (!err)
        err = emit(w, &(struct iovec){tail, sizeof tail}, 1);

    struct sl_buffer *index = &mcap->groups[GROUP_ATTACHMENT_INDEX].records;
    start = begin_record(index, SL_MCAP_ATTACHMENT_INDEX);
    sl_buffer_le64(index, offset);
    sl_buffer_le64(index, SL_MCAP_RECORD_BYTES + length);
    sl_buffer_le64(index, a->log_ns);
    sl_buffer_le64(index, a->create_ns);
    sl_buffer_le64(index, a->size_bytes);
    put_text(index, a->name);
    put_text(index, a->media_type);
    end_record(index, start);
    mcap->attachment_count++;
    return err;
}

static int write_metadata(struct sl_log_writer *w, const struct sl_log_metadata *m)
{
    struct mcap *mcap = w->state;
    int err = flush(w);
    if (err)
        return err;
    sl_buffer_clear(&mcap->head);
    size_t start = begin_record(&mcap->head, SL_MCAP_METADATA);
    put_text(&mcap->head, m->name);
    put_pairs(&mcap->head, m->pairs, m->pair_count);
    end_record(&mcap->head, start);

    struct sl_buffer *index = &mcap->groups[GROUP_METADATA_INDEX].records;
    start = begin_record(index, SL_MCAP_METADATA_INDEX);
    sl_buffer_le64(index, w->written_bytes);
    sl_buffer_le64(index, mcap->head.size_bytes);
    put_text(index, m->name);
    end_record(index, start);
    mcap->metadata_count++;
    return emit_buffer(w, &mcap->head);
}

/* Begin and end ---------------------------------------------------------------------------------*/

static void put_statistics(struct sl_log_writer *w)
{
    struct mcap *mcap = w->state;
    struct sl_buffer *to = &mcap->groups[GROUP_STATISTICS].records;
    size_t start = begin_record(to, SL_MCAP_STATISTICS);
    sl_buffer_le64(to, mcap->message_count);
    sl_buffer_le16(to, (uint16_t)mcap->schema_count);
    sl_buffer_le32(to, w->topic_count);
    sl_buffer_le32(to, mcap->attachment_count);
    sl_buffer_le32(to, mcap->metadata_count);
    sl_buffer_le32(to, mcap->chunk_count);
    sl_buffer_le64(to, mcap->first_ns);
    sl_buffer_le64(to, mcap->last_ns);
    uint32_t used = 0;
    for (uint32_t i = 0; i < w->topic_count; i++)
        used += mcap->channels[i].message_count > 0;
    sl_buffer_le32(to, used * 10);
    for (uint32_t i = 0; i < w->topic_count; i++) {
        if (mcap->channels[i].message_count == 0)
            continue;
        sl_buffer_le16(to, (uint16_t)(i + 1));
        sl_buffer_le64(to, mcap->channels[i].message_count);
    }
    end_record(to, start);
}

static void put_summary_offset(struct sl_buffer *to, uint8_t opcode, uint64_t start_bytes,
                               uint64_t size_bytes)
{
    size_t start = begin_record(to, SL_MCAP_SUMMARY_OFFSET);
    sl_buffer_u8(to, opcode);
    sl_buffer_le64(to, start_bytes);
    sl_buffer_le64(to, size_bytes);
    end_record(to, start);
}

/* The groups one after the other, their offsets, the footer. */
static void put_summary(struct sl_log_writer *w, struct sl_buffer *to)
{
    struct mcap *mcap = w->state;
    struct sl_buffer offsets = {0};
    uint64_t start = w->written_bytes;
    for (unsigned i = 0; i < GROUP_COUNT; i++) {
        const struct group *g = &mcap->groups[i];
        if (g->records.size_bytes == 0 || w->options.omit & g->omit)
            continue;
        put_summary_offset(&offsets, g->opcode, start + to->size_bytes, g->records.size_bytes);
        sl_buffer_put(to, g->records.bytes, g->records.size_bytes);
        to->failed |= g->records.failed;
    }
    bool has_summary = to->size_bytes > 0;
    bool has_offsets = has_summary && !(w->options.omit & SL_LOG_OMIT_SUMMARY_OFFSETS);
    uint64_t offsets_start = start + to->size_bytes;
    if (has_offsets)
        sl_buffer_put(to, offsets.bytes, offsets.size_bytes);
    to->failed |= offsets.failed;
    sl_buffer_finish(&offsets);

    size_t footer = begin_record(to, SL_MCAP_FOOTER);
    sl_buffer_le64(to, has_summary ? start : 0);
    sl_buffer_le64(to, has_offsets ? offsets_start : 0);
    sl_buffer_le32(to, 0);
    end_record(to, footer);
    if (!to->failed && !(w->options.omit & SL_LOG_OMIT_SUMMARY_CRC))
        sl_put_le32(to->bytes + to->size_bytes - 4, sl_crc32(0, to->bytes, to->size_bytes - 4));
    sl_buffer_put(to, sl_mcap_magic, sizeof sl_mcap_magic);
}

static uint64_t bound(const struct sl_log_writer *w, uint64_t count, uint64_t size_bytes)
{
    const struct mcap *mcap = w->state;
    uint64_t content = mcap->chunk.size_bytes + size_bytes + count * MORE_BYTES;
    uint64_t summary = SUMMARY_BYTES + w->topic_count * CHANNEL_BYTES;
    for (unsigned i = 0; i < GROUP_COUNT; i++)
        summary += mcap->groups[i].records.size_bytes;
    return w->written_bytes + w->pending_bytes + CHUNK_BYTES + mcap->chunk_index_bytes +
           sl_compress_bound(w->options.compression, content) + summary;
}

static int end(struct sl_log_writer *w)
{
    struct mcap *mcap = w->state;
    int err = flush(w);
    if (err)
        return err;
    uint32_t crc = mcap->data_crc;
    sl_buffer_clear(&mcap->head);
    size_t start = begin_record(&mcap->head, SL_MCAP_DATA_END);
    sl_buffer_le32(&mcap->head, crc);
    end_record(&mcap->head, start);
    err = emit_buffer(w, &mcap->head);
    if (err)
        return err;
    sl_buffer_clear(&mcap->groups[GROUP_STATISTICS].records);
    put_statistics(w);
    sl_buffer_clear(&mcap->head);
    put_summary(w, &mcap->head);
    return emit_buffer(w, &mcap->head);
}

static void destroy(struct sl_log_writer *w)
{
    struct mcap *mcap = w->state;
    for (unsigned i = 0; i < GROUP_COUNT; i++)
        sl_buffer_finish(&mcap->groups[i].records);
    for (uint32_t i = 0; i < mcap->channel_room; i++)
        sl_buffer_finish(&mcap->channels[i].index);
    sl_buffer_finish(&mcap->chunk);
    sl_buffer_finish(&mcap->head);
    sl_buffer_finish(&mcap->direct.tail);
    sl_buffer_finish(&mcap->direct.notes);
    sl_packer_destroy(mcap->packer);
    free(mcap->channels);
    free(mcap->schemas);
    free(mcap);
}

static const struct sl_log_writer_operations operations = {
    .topic = write_topic,
    .message = write_message,
    .attachment = write_attachment,
    .metadata = write_metadata,
    .flush = flush,
    .settle = settle,
    .bound = bound,
    .end = end,
    .destroy = destroy,
};

static int begin(struct sl_log_writer *w)
{
    struct mcap *mcap = w->state;
    sl_buffer_put(&mcap->head, sl_mcap_magic, sizeof sl_mcap_magic);
    size_t start = begin_record(&mcap->head, SL_MCAP_HEADER);
    put_text(&mcap->head, w->options.profile);
    put_text(&mcap->head, w->options.library);
    end_record(&mcap->head, start);
    return emit_buffer(w, &mcap->head);
}

int sl_mcap_writer_create(const struct sl_log_sink *sink,
                          const struct sl_log_write_options *options,
                          struct sl_log_writer **ret_writer)
{
    static const struct group groups[GROUP_COUNT] = {
        [GROUP_SCHEMA] = {SL_MCAP_SCHEMA, SL_LOG_OMIT_REPEATED_SCHEMAS, {0}},
        [GROUP_CHANNEL] = {SL_MCAP_CHANNEL, SL_LOG_OMIT_REPEATED_CHANNELS, {0}},
        [GROUP_STATISTICS] = {SL_MCAP_STATISTICS, SL_LOG_OMIT_STATISTICS, {0}},
        [GROUP_CHUNK_INDEX] = {SL_MCAP_CHUNK_INDEX, SL_LOG_OMIT_CHUNK_INDEX, {0}},
        [GROUP_ATTACHMENT_INDEX] = {SL_MCAP_ATTACHMENT_INDEX, SL_LOG_OMIT_ATTACHMENT_INDEX, {0}},
        [GROUP_METADATA_INDEX] = {SL_MCAP_METADATA_INDEX, SL_LOG_OMIT_METADATA_INDEX, {0}},
    };
    if (options->compression == SL_COMPRESSION_BZ2)
        return sl_error(-EINVAL, "MCAP has no bz2; take none, lz4 or zstd");
    struct mcap *mcap = calloc(1, sizeof *mcap);
    if (!mcap)
        return no_memory();
    memcpy(mcap->groups, groups, sizeof groups);
    struct sl_log_writer *writer;
    int err = sl_log_writer_create(SL_LOG_MCAP, &operations, sink, options, mcap, &writer);
    if (err) {
        free(mcap);
        return err;
    }
    if (options->compression && !options->is_unchunked)
        err =
            sl_packer_create(options->compression, options->level, options->threads, &mcap->packer);
    if (!err)
        err = begin(writer);
    if (err) {
        sl_log_writer_destroy(writer);
        return err;
    }
    *ret_writer = writer;
    return 0;
}
