/* SPDX-License-Identifier: Apache-2.0 */
/* ros1_write.c - writing ROS 1 bags. ros1_records.h shows the format.
 *
 * A topic is a connection; its pairs are fields of the connection. What is not of ROS 1 says so in
 * message_encoding and schema_encoding, which other readers pass over. There is one time, that of
 * receiving, and no sequence; attachments and metadata have no place. */
#include "core/base/clock.h"
#include "core/base/error.h"
#include "rosbag_compat/buffer.h"
#include "rosbag_compat/log_write.h"
#include "rosbag_compat/packer.h"
#include "rosbag_compat/ros1_records.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define CHUNK_MAX_BYTES UINT32_MAX
#define NOTE_BYTES      8   /* of a connection in a chunk: its number, how many messages */
#define NO_MD5          "*" /* what ROS 1 takes for any */

/* At most: */
#define CHUNK_BYTES 256  /* of a chunk beside its content and index records, with its info */
#define INDEX_BYTES 96   /* of an index record beside its places, with its note */
#define PLACE_BYTES 12   /* of a message in it */
#define MORE_BYTES  1536 /* of a message to come, beside its body: it may end a chunk */

struct connection {
    struct sl_buffer index; /* time, u32 offset: of the open chunk */
};

struct ros1 {
    struct connection *connections;
    uint32_t connection_room;
    uint32_t chunk_count;
    struct sl_buffer chunk, head;
    struct sl_packer *packer;  /* or NULL: nothing is compressed */
    struct sl_pack_job direct; /* of a chunk that is not: only what goes behind it */
    struct sl_buffer connection_records, chunk_infos; /* for the index */
    bool chunk_has_messages;
    uint64_t chunk_index_bytes; /* of its index records, at most */
    uint64_t first_ns, last_ns; /* of the open chunk */
};

static int no_memory(void)
{
    return sl_error(-ENOMEM, "no memory to write a log");
}

/* Records ---------------------------------------------------------------------------------------*/

static void put_field(struct sl_buffer *b, const char *name, const void *value, size_t size)
{
    size_t name_size = strlen(name);
    sl_buffer_le32(b, (uint32_t)(name_size + 1 + size));
    sl_buffer_put(b, name, name_size);
    sl_buffer_u8(b, '=');
    sl_buffer_put(b, value, size);
}

static void put_text(struct sl_buffer *b, const char *name, const char *value)
{
    put_field(b, name, value, strlen(value));
}

static void put_op(struct sl_buffer *b, enum sl_ros1_op op)
{
    put_field(b, "op", &(uint8_t){(uint8_t)op}, 1);
}

static void put_u32(struct sl_buffer *b, const char *name, uint32_t value)
{
    uint8_t bytes[4];
    sl_put_le32(bytes, value);
    put_field(b, name, bytes, sizeof bytes);
}

static void put_u64(struct sl_buffer *b, const char *name, uint64_t value)
{
    uint8_t bytes[8];
    sl_put_le64(bytes, value);
    put_field(b, name, bytes, sizeof bytes);
}

static void time_bytes(uint64_t time_ns, uint8_t bytes[8])
{
    sl_put_le32(bytes, (uint32_t)(time_ns / SL_NS_PER_S));
    sl_put_le32(bytes + 4, (uint32_t)(time_ns % SL_NS_PER_S));
}

static void put_time(struct sl_buffer *b, const char *name, uint64_t time_ns)
{
    uint8_t bytes[8];
    time_bytes(time_ns, bytes);
    put_field(b, name, bytes, sizeof bytes);
}

/* Header and data each begin with their length: begin_part, what belongs to it, end_part. */
static size_t begin_part(struct sl_buffer *b)
{
    sl_buffer_le32(b, 0);
    return b->size_bytes;
}

static void end_part(struct sl_buffer *b, size_t start)
{
    if (!b->failed)
        sl_put_le32(b->bytes + start - 4, (uint32_t)(b->size_bytes - start));
}

static int emit_buffer(struct sl_log_writer *w, const struct sl_buffer *b)
{
    return b->failed ? no_memory() : sl_log_emit(w, &(struct iovec){b->bytes, b->size_bytes}, 1);
}

/* Topics ----------------------------------------------------------------------------------------*/

static void put_connection(struct sl_buffer *b, const struct sl_log_topic *topic, uint32_t conn)
{
    size_t part = begin_part(b);
    put_op(b, SL_ROS1_CONNECTION);
    put_u32(b, "conn", conn);
    put_text(b, "topic", topic->name);
    end_part(b, part);
    part = begin_part(b);
    put_text(b, "topic", topic->name);
    put_text(b, "type", topic->type ? topic->type : "");
    put_field(b, "message_definition", topic->definition, topic->definition_bytes);
    if (!sl_log_topic_get(topic, "md5sum"))
        put_text(b, "md5sum", NO_MD5);
    if (strcmp(topic->encoding, "ros1") != 0)
        put_text(b, "message_encoding", topic->encoding);
    if (topic->definition_encoding && strcmp(topic->definition_encoding, "ros1msg") != 0)
        put_text(b, "schema_encoding", topic->definition_encoding);
    for (unsigned i = 0; i < topic->pair_count; i++)
        if (!strchr(topic->pairs[i].key, '=') && strcmp(topic->pairs[i].key, "topic") != 0 &&
            strcmp(topic->pairs[i].key, "type") != 0 &&
            strcmp(topic->pairs[i].key, "message_definition") != 0)
            put_text(b, topic->pairs[i].key, topic->pairs[i].value);
    end_part(b, part);
}

static int write_topic(struct sl_log_writer *w, const struct sl_log_topic *topic, uint32_t index)
{
    struct ros1 *ros1 = w->state;
    if (index == ros1->connection_room) {
        uint32_t room = ros1->connection_room ? 2 * ros1->connection_room : 16;
        struct connection *fresh = realloc(ros1->connections, room * sizeof *fresh);
        if (!fresh)
            return no_memory();
        memset(fresh + ros1->connection_room, 0, (room - ros1->connection_room) * sizeof *fresh);
        ros1->connections = fresh;
        ros1->connection_room = room;
    }
    struct sl_buffer *records = &ros1->connection_records;
    size_t start = records->size_bytes;
    put_connection(records, topic, index);
    if (records->failed)
        return no_memory();
    sl_buffer_put(&ros1->chunk, records->bytes + start, records->size_bytes - start);
    return ros1->chunk.failed ? no_memory() : 0;
}

/* Chunks ----------------------------------------------------------------------------------------*/

static void put_chunk_head(struct sl_log_writer *w, uint64_t size_bytes, uint64_t stored_bytes)
{
    struct ros1 *ros1 = w->state;
    sl_buffer_clear(&ros1->head);
    size_t part = begin_part(&ros1->head);
    put_op(&ros1->head, SL_ROS1_CHUNK);
    put_text(&ros1->head, "compression", sl_compression_names[w->options.compression]);
    put_u32(&ros1->head, "size", (uint32_t)size_bytes);
    end_part(&ros1->head, part);
    sl_buffer_le32(&ros1->head, (uint32_t)stored_bytes);
}

/* The index records behind the gathered chunk, and what the file's index will say of it: u32
 * connection, u32 count. The next chunk begins. */
static void end_content(struct sl_log_writer *w, struct sl_pack_job *job)
{
    struct ros1 *ros1 = w->state;
    struct sl_buffer *tail = &job->tail;
    for (uint32_t i = 0; i < w->topic_count; i++) {
        struct sl_buffer *index = &ros1->connections[i].index;
        uint32_t count = (uint32_t)(index->size_bytes / PLACE_BYTES);
        tail->failed |= index->failed;
        if (count == 0)
            continue;
        size_t part = begin_part(tail);
        put_op(tail, SL_ROS1_INDEX);
        put_u32(tail, "ver", 1);
        put_u32(tail, "conn", i);
        put_u32(tail, "count", count);
        end_part(tail, part);
        part = begin_part(tail);
        sl_buffer_put(tail, index->bytes, index->size_bytes);
        end_part(tail, part);
        sl_buffer_le32(&job->notes, i);
        sl_buffer_le32(&job->notes, count);
        sl_buffer_clear(index);
    }
    job->first_ns = ros1->first_ns;
    job->last_ns = ros1->last_ns;
    ros1->chunk_has_messages = false;
    ros1->chunk_index_bytes = 0;
    ros1->first_ns = ros1->last_ns = 0;
}

static void put_chunk_info(struct sl_log_writer *w, const struct sl_pack_job *job)
{
    struct sl_buffer *infos = &((struct ros1 *)w->state)->chunk_infos;
    size_t part = begin_part(infos);
    put_op(infos, SL_ROS1_CHUNK_INFO);
    put_u32(infos, "ver", 1);
    put_u64(infos, "chunk_pos", w->written_bytes);
    put_time(infos, "start_time", job->first_ns);
    put_time(infos, "end_time", job->last_ns);
    put_u32(infos, "count", (uint32_t)(job->notes.size_bytes / NOTE_BYTES));
    end_part(infos, part);
    part = begin_part(infos);
    sl_buffer_put(infos, job->notes.bytes, job->notes.size_bytes);
    end_part(infos, part);
    infos->failed |= job->notes.failed;
}

/* One write: head, the stored content, its index. */
static int emit_chunk(struct sl_log_writer *w, const struct sl_pack_job *job,
                      const struct sl_log_content *c, uint64_t size_bytes)
{
    struct ros1 *ros1 = w->state;
    struct iovec pieces[SL_LOG_BODY_PIECES + 4];
    put_chunk_head(w, size_bytes, c->size_bytes);
    put_chunk_info(w, job);
    if (ros1->head.failed || job->tail.failed || ros1->chunk_infos.failed)
        return no_memory();
    pieces[0] = (struct iovec){ros1->head.bytes, ros1->head.size_bytes};
    memcpy(pieces + 1, c->pieces, c->count * sizeof *pieces);
    pieces[c->count + 1] = (struct iovec){job->tail.bytes, job->tail.size_bytes};
    ros1->chunk_count++;
    return sl_log_emit(w, pieces, c->count + (job->tail.size_bytes > 0 ? 2 : 1));
}

static int check_chunk(uint64_t size_bytes)
{
    return size_bytes > CHUNK_MAX_BYTES
               ? sl_error(-EINVAL, "a chunk of a bag cannot hold %" PRIu64 " bytes", size_bytes)
               : 0;
}

static int emit_direct(struct sl_log_writer *w, const struct sl_log_content *c)
{
    struct ros1 *ros1 = w->state;
    struct sl_pack_job *job = &ros1->direct;
    int err = check_chunk(c->size_bytes);
    if (err)
        return err;
    sl_buffer_clear(&job->tail);
    sl_buffer_clear(&job->notes);
    end_content(w, job);
    err = emit_chunk(w, job, c, c->size_bytes);
    sl_buffer_clear(&ros1->chunk);
    return err;
}

/* Never less than the job's chunk and its info will have in the file. */
static uint64_t pending_bytes(const struct sl_log_writer *w, const struct sl_pack_job *job)
{
    return sl_compress_bound(w->options.compression, job->content.size_bytes) +
           job->tail.size_bytes + job->notes.size_bytes + CHUNK_BYTES;
}

/* Compressed chunks: as they come back from the packer. */
static int emit_oldest(struct sl_log_writer *w)
{
    struct ros1 *ros1 = w->state;
    struct sl_log_content c = {0};
    struct sl_pack_job *job = sl_packer_collect(ros1->packer);
    if (!job)
        return 0;
    w->pending_bytes -= pending_bytes(w, job);
    sl_log_content_add(&c, job->packed.bytes, job->packed.size_bytes);
    int err = job->err < 0
                  ? sl_error(job->err, "a chunk cannot be compressed by %s: %s",
                             sl_compression_names[w->options.compression], strerror(-job->err))
                  : emit_chunk(w, job, &c, job->content.size_bytes);
    sl_packer_put_back(ros1->packer, job);
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
    struct ros1 *ros1 = w->state;
    int err = check_chunk(ros1->chunk.size_bytes);
    if (err)
        return err;
    struct sl_pack_job *job = sl_packer_take(ros1->packer);
    struct sl_buffer content = job->content;
    job->content = ros1->chunk;
    ros1->chunk = content;
    end_content(w, job);
    w->pending_bytes += pending_bytes(w, job);
    sl_packer_give(ros1->packer, job);
    while (sl_packer_is_due(ros1->packer) && err == 0)
        err = emit_oldest(w);
    return err;
}

static int end_chunk(struct sl_log_writer *w)
{
    struct ros1 *ros1 = w->state;
    struct sl_log_content c = {0};
    if (ros1->chunk.failed)
        return no_memory();
    if (ros1->chunk.size_bytes == 0)
        return 0;
    if (ros1->packer)
        return pack_chunk(w);
    sl_log_content_add(&c, ros1->chunk.bytes, ros1->chunk.size_bytes);
    return emit_direct(w, &c);
}

static int flush(struct sl_log_writer *w)
{
    int err = end_chunk(w);
    return err ? err : settle(w);
}

/* Messages --------------------------------------------------------------------------------------*/

static void count_message(struct ros1 *ros1, const struct sl_log_message *m)
{
    struct sl_buffer *index = &ros1->connections[m->topic].index;
    uint8_t time[8];
    time_bytes(m->receive_ns, time);
    ros1->chunk_index_bytes += PLACE_BYTES + (index->size_bytes == 0 ? INDEX_BYTES : 0);
    sl_buffer_put(index, time, sizeof time);
    sl_buffer_le32(index, (uint32_t)ros1->chunk.size_bytes);
    if (!ros1->chunk_has_messages || m->receive_ns < ros1->first_ns)
        ros1->first_ns = m->receive_ns;
    if (!ros1->chunk_has_messages || m->receive_ns > ros1->last_ns)
        ros1->last_ns = m->receive_ns;
    ros1->chunk_has_messages = true;
}

static int write_message(struct sl_log_writer *w, const struct sl_log_message *m,
                         const struct iovec *body, unsigned pieces, uint64_t size_bytes)
{
    struct ros1 *ros1 = w->state;
    struct sl_log_content c = {0};
    uint8_t time[8];
    if (size_bytes > CHUNK_MAX_BYTES / 2 || m->receive_ns / SL_NS_PER_S > UINT32_MAX)
        return sl_error(-EINVAL,
                        "a bag cannot hold a message of %" PRIu64 " bytes at %" PRIu64 " s",
                        size_bytes, m->receive_ns / SL_NS_PER_S);
    count_message(ros1, m);
    time_bytes(m->receive_ns, time);
    size_t part = begin_part(&ros1->chunk);
    put_op(&ros1->chunk, SL_ROS1_MESSAGE);
    put_u32(&ros1->chunk, "conn", m->topic);
    put_field(&ros1->chunk, "time", time, sizeof time);
    end_part(&ros1->chunk, part);
    sl_buffer_le32(&ros1->chunk, (uint32_t)size_bytes);
    bool is_direct = !w->options.compression && size_bytes >= w->options.direct_bytes;
    for (unsigned i = 0; i < pieces && !is_direct; i++)
        sl_buffer_put(&ros1->chunk, body[i].iov_base, body[i].iov_len);
    if (ros1->chunk.failed)
        return no_memory();
    if (!is_direct)
        return ros1->chunk.size_bytes >= w->options.chunk_bytes ? end_chunk(w) : 0;
    sl_log_content_add(&c, ros1->chunk.bytes, ros1->chunk.size_bytes);
    for (unsigned i = 0; i < pieces; i++)
        sl_log_content_add(&c, body[i].iov_base, body[i].iov_len);
    return emit_direct(w, &c);
}

/* Begin and end ---------------------------------------------------------------------------------*/

static void put_file_header(const struct sl_log_writer *w, struct sl_buffer *b, uint64_t index_pos)
{
    const struct ros1 *ros1 = w->state;
    size_t record = b->size_bytes;
    size_t part = begin_part(b);
    put_op(b, SL_ROS1_FILE_HEADER);
    put_u64(b, "index_pos", index_pos);
    put_u32(b, "conn_count", w->topic_count);
    put_u32(b, "chunk_count", ros1->chunk_count);
    end_part(b, part);
    size_t padding = SL_ROS1_FILE_HEADER_ROOM - (b->size_bytes - record - 4);
    sl_buffer_le32(b, (uint32_t)padding);
    uint8_t *spaces = sl_buffer_take(b, padding);
    if (spaces)
        memset(spaces, ' ', padding);
}

static int begin(struct sl_log_writer *w)
{
    struct ros1 *ros1 = w->state;
    sl_buffer_put(&ros1->head, SL_ROS1_MAGIC, SL_ROS1_MAGIC_BYTES);
    put_file_header(w, &ros1->head, 0);
    return emit_buffer(w, &ros1->head);
}

static uint64_t bound(const struct sl_log_writer *w, uint64_t count, uint64_t size_bytes)
{
    const struct ros1 *ros1 = w->state;
    uint64_t content = ros1->chunk.size_bytes + size_bytes + count * MORE_BYTES;
    return w->written_bytes + w->pending_bytes + CHUNK_BYTES + ros1->chunk_index_bytes +
           sl_compress_bound(w->options.compression, content) +
           ros1->connection_records.size_bytes + ros1->chunk_infos.size_bytes;
}

static int end(struct sl_log_writer *w)
{
    struct ros1 *ros1 = w->state;
    int err = flush(w);
    uint64_t index_pos = w->written_bytes;
    if (!err && ros1->connection_records.size_bytes > 0)
        err = emit_buffer(w, &ros1->connection_records);
    if (!err && ros1->chunk_infos.size_bytes > 0)
        err = emit_buffer(w, &ros1->chunk_infos);
    if (err)
        return err;
    sl_buffer_clear(&ros1->head);
    put_file_header(w, &ros1->head, index_pos);
    if (ros1->head.failed)
        return no_memory();
    w->failure = w->sink.write_at(w->sink.state, SL_ROS1_MAGIC_BYTES, ros1->head.bytes,
                                  ros1->head.size_bytes);
    return w->failure;
}

static void destroy(struct sl_log_writer *w)
{
    struct ros1 *ros1 = w->state;
    struct sl_buffer *buffers[] = {
        &ros1->chunk,       &ros1->head,        &ros1->connection_records,
        &ros1->chunk_infos, &ros1->direct.tail, &ros1->direct.notes};
    for (unsigned i = 0; i < sizeof buffers / sizeof *buffers; i++)
        sl_buffer_finish(buffers[i]);
    for (uint32_t i = 0; i < ros1->connection_room; i++)
        sl_buffer_finish(&ros1->connections[i].index);
    sl_packer_destroy(ros1->packer);
    free(ros1->connections);
    free(ros1);
}

static const struct sl_log_writer_operations operations = {
    .topic = write_topic,
    .message = write_message,
    .flush = flush,
    .settle = settle,
    .bound = bound,
    .end = end,
    .destroy = destroy,
};

static int check_options(const struct sl_log_sink *sink, const struct sl_log_write_options *options)
{
    if (options->compression == SL_COMPRESSION_ZSTD)
        return sl_error(-EINVAL, "a ROS 1 bag has no zstd; take none, lz4 or bz2");
    if (options->is_unchunked)
        return sl_error(-EINVAL, "a ROS 1 bag has chunks always");
    if (options->chunk_bytes > CHUNK_MAX_BYTES / 4)
        return sl_error(-EINVAL, "chunks of a ROS 1 bag are at most 1 GiB");
    if (!sink->write_at)
        return sl_error(-EINVAL, "a ROS 1 bag's header is completed at the end, which this output "
                                 "cannot do: write it to a file");
    return 0;
}

int sl_ros1_writer_create(const struct sl_log_sink *sink,
                          const struct sl_log_write_options *options,
                          struct sl_log_writer **ret_writer)
{
    int err = check_options(sink, options);
    if (err)
        return err;
    struct ros1 *ros1 = calloc(1, sizeof *ros1);
    if (!ros1)
        return no_memory();
    struct sl_log_writer *writer;
    err = sl_log_writer_create(SL_LOG_ROS1, &operations, sink, options, ros1, &writer);
    if (err) {
        free(ros1);
        return err;
    }
    if (options->compression)
        err =
            sl_packer_create(options->compression, options->level, options->threads, &ros1->packer);
    if (!err)
        err = begin(writer);
    if (err) {
        sl_log_writer_destroy(writer);
        return err;
    }
    *ret_writer = writer;
    return 0;
}
