/* SPDX-License-Identifier: Apache-2.0 */
#include "rosbag_compat/record_output.h"

#include "core/base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECES_MAX     64
#define SEND_BYTES     (UINT64_C(8) << 20) /* are sent to the disk together */
#define INDEX_BYTES    160  /* of a message, at most: chunk, chunk index, message index */
#define TOPIC_BYTES    2048 /* of a topic beside its texts, in the data and in the summary */
#define FILE_BYTES     4096 /* of a file without any topic */
#define NO_INDEX       UINT32_MAX
#define SPLIT_NAME_MAX 16 /* "_4294967295" */

struct topic {
    const struct sl_log_topic *topic;
    bool is_latched;
    uint32_t in_file; /* its index in the file that is written, or NO_INDEX */
    uint64_t text_bytes;
    /* The last message of a latched one. */
    struct sl_log_message last;
    void *body;
    size_t body_bytes;
};

struct record_output {
    struct record_output_options options;
    struct sl_log_writer *writer;
    char path[PATH_MAX];
    int fd;
    uint64_t offset, sent, forgotten; /* of the file: written, on the way, on the disk */
    uint64_t file_messages, file_first_ns;
    uint64_t file_topic_bytes;
    uint64_t ended_bytes; /* of the files before */
    struct topic *topics;
    uint32_t topic_count, topic_room;
    struct record_output_counts counts;
};

/* The file. ------------------------------------------------------------------------------------ */

static int file_error(const struct record_output *o, int err)
{
    return sl_error(err, "%s: %s after %.1f MB; what is there is readable: 'sluice recover %s'",
                    o->path, strerror(-err), (double)o->offset / 1e6, o->path);
}

/* Passes over what was written, in pieces and within them. */
static unsigned advance(struct iovec *pieces, unsigned count, size_t written)
{
    unsigned done = 0;
    while (done < count && written >= pieces[done].iov_len)
        written -= pieces[done++].iov_len;
    if (done < count) {
        pieces[done].iov_base = (char *)pieces[done].iov_base + written;
        pieces[done].iov_len -= written;
    }
    return done;
}

/* The disk gets what was written without waiting for the kernel to find that memory is short, and
 * the page cache is left to others. Advice: whether it is taken does not matter. */
static void send(struct record_output *o)
{
    if (o->offset - o->sent < SEND_BYTES)
        return;
    sync_file_range(o->fd, (off_t)o->sent, (off_t)(o->offset - o->sent), SYNC_FILE_RANGE_WRITE);
    if (o->sent > o->forgotten)
        posix_fadvise(o->fd, (off_t)o->forgotten, (off_t)(o->sent - o->forgotten),
                      POSIX_FADV_DONTNEED);
    o->forgotten = o->sent;
    o->sent = o->offset;
}

static int write_pieces(void *state, const struct iovec *pieces, unsigned count)
{
    struct record_output *o = state;
    struct iovec rest[PIECES_MAX];
    if (count > PIECES_MAX)
        return sl_error(-EINVAL, "%s: a message in %u pieces", o->path, count);
    memcpy(rest, pieces, count * sizeof *pieces);
    for (unsigned at = 0; at < count;) {
        ssize_t written = writev(o->fd, rest + at, (int)(count - at));
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0 || (written == 0 && rest[at].iov_len > 0))
            return file_error(o, written < 0 ? -errno : -EIO);
        o->offset += (uint64_t)written;
        at += advance(rest + at, count - at, (size_t)written);
    }
    send(o);
    return 0;
}

static int write_at(void *state, uint64_t offset, const void *bytes, size_t size_bytes)
{
    struct record_output *o = state;
    for (size_t done = 0; done < size_bytes;) {
        ssize_t written =
            pwrite(o->fd, (const char *)bytes + done, size_bytes - done, (off_t)(offset + done));
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return file_error(o, written < 0 ? -errno : -EIO);
        done += (size_t)written;
    }
    return 0;
}

static bool is_split(const struct record_output *o)
{
    return o->options.split_bytes > 0 || o->options.split_ns > 0;
}

/* "drive.mcap", or "drive_0.mcap" where more may follow. */
static int name_file(struct record_output *o)
{
    const char *path = o->options.path, *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
    size_t stem = dot && (!slash || dot > slash + 1) ? (size_t)(dot - path) : strlen(path);
    char number[SPLIT_NAME_MAX] = "";
    if (is_split(o))
        snprintf(number, sizeof number, "_%u", o->counts.files);
    int length =
        snprintf(o->path, sizeof o->path, "%.*s%s%s", (int)stem, path, number, path + stem);
    return length < (int)sizeof o->path ? 0 : sl_error(-ENAMETOOLONG, "%s: too long", path);
}

static int open_file(struct record_output *o)
{
    int err = name_file(o);
    if (err < 0)
        return err;
    int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (o->options.overwrite ? O_TRUNC : O_EXCL);
    o->fd = open(o->path, flags, 0666);
    if (o->fd < 0 && errno == EEXIST)
        return sl_error(-EEXIST, "%s is there already; take another name, or --overwrite", o->path);
    if (o->fd < 0)
        return sl_error(-errno, "%s cannot be made: %s", o->path, strerror(errno));
    const struct sl_log_sink sink = {.write = write_pieces, .write_at = write_at, .state = o};
    o->offset = o->sent = o->forgotten = 0;
    o->file_messages = o->file_topic_bytes = 0;
    for (uint32_t i = 0; i < o->topic_count; i++)
        o->topics[i].in_file = NO_INDEX;
    err = sl_mcap_writer_create(&sink, &o->options.writing, &o->writer);
    if (err == 0)
        o->counts.files++;
    return err;
}

static int end_file(struct record_output *o)
{
    int err = o->writer ? sl_log_write_end(o->writer) : 0;
    sl_log_writer_destroy(o->writer);
    o->writer = NULL;
    if (o->fd >= 0 && close(o->fd) < 0 && err == 0)
        err = file_error(o, -errno);
    o->fd = -1;
    o->ended_bytes += o->offset;
    o->offset = 0;
    return err;
}

int record_output_open(const struct record_output_options *options,
                       struct record_output **ret_output)
{
    struct record_output *o = calloc(1, sizeof *o);
    if (!o)
        return sl_error(-ENOMEM, "no memory for a recording");
    o->options = *options;
    o->fd = -1;
    /* What is gathered counts as if it were there, so it must be little beside a file. */
    uint64_t *chunk_bytes = &o->options.writing.chunk_bytes;
    if (*chunk_bytes == 0)
        *chunk_bytes = SL_LOG_CHUNK_BYTES;
    if (options->split_bytes > 0 && *chunk_bytes > options->split_bytes / 16)
        *chunk_bytes = options->split_bytes / 16;
    int err = open_file(o);
    if (err < 0) {
        record_output_close(o);
        return err;
    }
    *ret_output = o;
    return 0;
}

int record_output_close(struct record_output *o)
{
    if (!o)
        return 0;
    int err = end_file(o);
    for (uint32_t i = 0; i < o->topic_count; i++)
        free(o->topics[i].body);
    free(o->topics);
    free(o);
    return err;
}

/* Topics. -------------------------------------------------------------------------------------- */

static uint64_t text_bytes(const struct sl_log_topic *topic)
{
    uint64_t bytes = strlen(topic->name) + strlen(topic->type) + topic->definition_bytes;
    for (unsigned i = 0; i < topic->pair_count; i++)
        bytes += strlen(topic->pairs[i].key) + strlen(topic->pairs[i].value);
    return TOPIC_BYTES + 2 * bytes;
}

int record_output_topic(struct record_output *o, const struct sl_log_topic *topic, bool is_latched,
                        uint32_t *ret_index)
{
    if (o->topic_count == o->topic_room) {
        uint32_t room = o->topic_room ? 2 * o->topic_room : 16;
        struct topic *topics = realloc(o->topics, room * sizeof *topics);
        if (!topics)
            return sl_error(-ENOMEM, "no memory for topic %s", topic->name);
        o->topics = topics;
        o->topic_room = room;
    }
    o->topics[o->topic_count] = (struct topic){
        .topic = topic,
        .is_latched = is_latched,
        .in_file = NO_INDEX,
        .text_bytes = text_bytes(topic),
    };
    *ret_index = o->topic_count++;
    return 0;
}

/* A topic stands in a file that has a message of it. */
static int introduce(struct record_output *o, struct topic *t)
{
    if (t->in_file != NO_INDEX)
        return 0;
    o->file_topic_bytes += t->text_bytes;
    return sl_log_write_topic(o->writer, t->topic, &t->in_file);
}

/* Messages. ------------------------------------------------------------------------------------ */

static size_t size_of(const struct iovec *body, unsigned pieces)
{
    size_t size = 0;
    for (unsigned i = 0; i < pieces; i++)
        size += body[i].iov_len;
    return size;
}

/* With its index, were it ended behind such a message: never less than it will be. */
static uint64_t file_bytes_with(const struct record_output *o, const struct topic *t, size_t size)
{
    uint64_t topics = o->file_topic_bytes + (t->in_file == NO_INDEX ? t->text_bytes : 0);
    uint64_t gathered = o->options.writing.chunk_bytes; /* that was not written yet */
    return o->offset + gathered + FILE_BYTES + topics + (o->file_messages + 1) * INDEX_BYTES + size;
}

static bool is_full(const struct record_output *o, const struct topic *t,
                    const struct sl_log_message *m, size_t size)
{
    if (o->file_messages == 0) /* a message that is larger than a file has one of its own */
        return false;
    return (o->options.split_bytes > 0 && file_bytes_with(o, t, size) > o->options.split_bytes) ||
           (o->options.split_ns > 0 && m->receive_ns > o->file_first_ns &&
            m->receive_ns - o->file_first_ns >= o->options.split_ns);
}

static int write_message(struct record_output *o, struct topic *t, const struct sl_log_message *m,
                         const struct iovec *body, unsigned pieces)
{
    int err = introduce(o, t);
    if (err < 0)
        return err;
    struct sl_log_message message = *m;
    message.topic = t->in_file;
    return sl_log_write_message(o->writer, &message, body, pieces);
}

/* The next file begins with what who joins late would get; as old as it is, but not older than the
 * file, so that a player of this file alone need not wait. */
static int begin_next(struct record_output *o, uint64_t now_ns)
{
    int err = end_file(o);
    if (err < 0 || (err = open_file(o)) < 0)
        return err;
    for (uint32_t i = 0; i < o->topic_count; i++) {
        struct topic *t = &o->topics[i];
        if (!t->body)
            continue;
        struct sl_log_message m = t->last;
        m.receive_ns = now_ns;
        err = write_message(o, t, &m, &(struct iovec){t->body, t->body_bytes}, 1);
        if (err < 0)
            return err;
    }
    return 0;
}

static int keep_latched(struct record_output *o, struct topic *t, const struct sl_log_message *m,
                        const struct iovec *body, unsigned pieces, size_t size)
{
    if (!t->is_latched || !is_split(o))
        return 0;
    if (size > RECORD_LATCHED_BYTES_MAX) {
        free(t->body);
        t->body = NULL;
        o->counts.not_repeated++;
        return 0;
    }
    char *copy = realloc(t->body, size > 0 ? size : 1);
    if (!copy)
        return sl_error(-ENOMEM, "no memory for the last message of %s", t->topic->name);
    t->body = copy;
    t->body_bytes = size;
    t->last = *m;
    for (unsigned i = 0; i < pieces; copy += body[i++].iov_len)
        memcpy(copy, body[i].iov_base, body[i].iov_len);
    return 0;
}

int record_output_message(struct record_output *o, const struct sl_log_message *m,
                          const struct iovec *body, unsigned pieces)
{
    struct topic *t = &o->topics[m->topic];
    size_t size = size_of(body, pieces);
    int err = is_full(o, t, m, size) ? begin_next(o, m->receive_ns) : 0;
    if (err < 0)
        return err;
    if (o->file_messages++ == 0)
        o->file_first_ns = m->receive_ns;
    err = write_message(o, t, m, body, pieces);
    if (err < 0)
        return err;
    o->counts.messages++;
    return keep_latched(o, t, m, body, pieces, size);
}

int record_output_flush(struct record_output *o)
{
    struct stat st;
    int err = sl_log_write_flush(o->writer);
    if (err == 0 && fstat(o->fd, &st) == 0 && st.st_nlink == 0)
        err = sl_error(-ENOENT, "%s was removed while it was written, with %.1f MB", o->path,
                       (double)o->offset / 1e6);
    return err;
}

struct record_output_counts record_output_counts(const struct record_output *o)
{
    struct record_output_counts counts = o->counts;
    counts.bytes = o->ended_bytes + o->offset;
    return counts;
}

const char *record_output_file(const struct record_output *o)
{
    return o->path;
}
