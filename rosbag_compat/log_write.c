/* SPDX-License-Identifier: Apache-2.0 */
#include "rosbag_compat/log_write.h"

#include "core/base/error.h"

#include <errno.h>
#include <stdlib.h>

int sl_log_writer_create(enum sl_log_format format,
                         const struct sl_log_writer_operations *operations,
                         const struct sl_log_sink *sink, const struct sl_log_write_options *options,
                         void *state, struct sl_log_writer **ret_writer)
{
    if (!sl_compression_is_built(options->compression))
        return sl_error(-ENOTSUP, "this build cannot do %s; build with lib%s-dev",
                        sl_compression_names[options->compression],
                        sl_compression_names[options->compression]);
    struct sl_log_writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        return sl_error(-ENOMEM, "no memory to write a log");
    writer->format = format;
    writer->operations = operations;
    if (sink)
        writer->sink = *sink;
    writer->options = *options;
    if (!writer->options.chunk_bytes)
        writer->options.chunk_bytes = SL_LOG_CHUNK_BYTES;
    if (!writer->options.direct_bytes)
        writer->options.direct_bytes = SL_LOG_DIRECT_BYTES;
    writer->state = state;
    *ret_writer = writer;
    return 0;
}

void sl_log_writer_destroy(struct sl_log_writer *writer)
{
    if (!writer)
        return;
    writer->operations->destroy(writer);
    free(writer);
}

int sl_log_emit(struct sl_log_writer *writer, const struct iovec *pieces, unsigned count)
{
    int err =
        writer->failure ? writer->failure : writer->sink.write(writer->sink.state, pieces, count);
    for (unsigned i = 0; i < count && !err; i++)
        writer->written_bytes += pieces[i].iov_len;
    writer->failure = err;
    return err;
}

void sl_log_content_add(struct sl_log_content *content, const void *bytes, size_t size_bytes)
{
    if (size_bytes == 0)
        return;
    content->pieces[content->count++] = (struct iovec){(void *)bytes, size_bytes};
    content->size_bytes += size_bytes;
}

int sl_log_write_topic(struct sl_log_writer *writer, const struct sl_log_topic *topic,
                       uint32_t *ret_index)
{
    if (writer->topic_count == SL_LOG_TOPICS_MAX - 1)
        return sl_error(-EINVAL, "a log holds at most %d topics", SL_LOG_TOPICS_MAX - 1);
    int err = writer->failure ? writer->failure
                              : writer->operations->topic(writer, topic, writer->topic_count);
    if (!err)
        *ret_index = writer->topic_count++;
    return err;
}

int sl_log_write_message(struct sl_log_writer *writer, const struct sl_log_message *message,
                         const struct iovec *body, unsigned pieces)
{
    uint64_t size = 0;
    for (unsigned i = 0; i < pieces; i++)
        size += body[i].iov_len;
    if (message->topic >= writer->topic_count || pieces > SL_LOG_BODY_PIECES)
        return sl_error(-EINVAL, "a message is of topic %u, of %u that there are, in %u pieces",
                        message->topic, writer->topic_count, pieces);
    return writer->failure ? writer->failure
                           : writer->operations->message(writer, message, body, pieces, size);
}

int sl_log_write_attachment(struct sl_log_writer *writer,
                            const struct sl_log_attachment *attachment,
                            const struct sl_log_source *from)
{
    if (writer->failure || !writer->operations->attachment)
        return writer->failure;
    return writer->operations->attachment(writer, attachment, from);
}

int sl_log_write_metadata(struct sl_log_writer *writer, const struct sl_log_metadata *metadata)
{
    if (writer->failure || !writer->operations->metadata)
        return writer->failure;
    return writer->operations->metadata(writer, metadata);
}

int sl_log_write_flush(struct sl_log_writer *writer)
{
    return writer->failure ? writer->failure : writer->operations->flush(writer);
}

int sl_log_write_settle(struct sl_log_writer *writer)
{
    if (writer->failure || !writer->operations->settle)
        return writer->failure;
    return writer->operations->settle(writer);
}

uint64_t sl_log_write_bound(const struct sl_log_writer *writer, uint64_t count, uint64_t size_bytes)
{
    return writer->operations->bound(writer, count, size_bytes);
}

int sl_log_write_end(struct sl_log_writer *writer)
{
    return writer->failure ? writer->failure : writer->operations->end(writer);
}
