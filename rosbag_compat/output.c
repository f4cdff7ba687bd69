/* SPDX-License-Identifier: Apache-2.0 */
/* output.c - a log that is written to a path: the file, and the folder of rosbag2 around it. */
#include "core/base/error.h"
#include "rosbag_compat/files.h"
#include "rosbag_compat/rosbag2_metadata.h"
#include "rosbag_compat/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define METADATA_VERSION 8
#define PIECE_BYTES      65536

const char *const sl_log_output_names[] = {"mcap",   "rosbag2", "rosbag2-sqlite", "rosbag1", "pcap",
                                           "pcapng", NULL};
const char *const sl_log_packing_names[] = {"chunk", "message", "file", NULL};

struct sl_log_output {
    struct sl_log_output_options options;
    char path[PATH_MAX]; /* of the file that is written */
    char folder[PATH_MAX];
    bool made_file, made_folder; /* and may be removed */
    int fd;
    struct sl_sqlite *db;
    struct sl_log_writer *writer;
    struct sl_buffer packed;
    /* what metadata.yaml will say */
    struct sl_rosbag2_topic *topics;
    uint32_t topic_count;
    uint64_t message_count, first_ns, last_ns;
};

static bool is_folder(const struct sl_log_output *o)
{
    return o->options.kind == SL_LOG_OUTPUT_ROSBAG2 ||
           o->options.kind == SL_LOG_OUTPUT_ROSBAG2_SQLITE;
}

int sl_log_output_kind_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *dot = strrchr(slash ? slash : path, '.');
    if (!dot || dot == path || (slash && !slash[1]))
        return SL_LOG_OUTPUT_ROSBAG2;
    if (strcmp(dot, ".mcap") == 0)
        return SL_LOG_OUTPUT_MCAP;
    if (strcmp(dot, ".bag") == 0)
        return SL_LOG_OUTPUT_ROSBAG1;
    if (strcmp(dot, ".pcap") == 0)
        return SL_LOG_OUTPUT_PCAP;
    if (strcmp(dot, ".pcapng") == 0)
        return SL_LOG_OUTPUT_PCAPNG;
    return sl_error(-EINVAL,
                    "%s: no format has the ending %s; name .mcap, .bag, .pcap, .pcapng or a "
                    "folder, or say --format",
                    path, dot);
}

/* The sink --------------------------------------------------------------------------------------*/

static int write_pieces(void *state, const struct iovec *pieces, unsigned count)
{
    struct sl_log_output *o = state;
    struct iovec left[SL_LOG_BODY_PIECES + 4];
    if (count > sizeof left / sizeof *left)
        return sl_error(-EINVAL, "%s: %u pieces at once", o->path, count);
    memcpy(left, pieces, count * sizeof *left);
    for (unsigned at = 0; at < count;) {
        ssize_t written = writev(o->fd, left + at, (int)(count - at));
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return sl_error(errno, "%s: cannot be written: %s", o->path, strerror(errno));
        while (at < count && (size_t)written >= left[at].iov_len)
            written -= (ssize_t)left[at++].iov_len;
        if (at < count) {
            left[at].iov_base = (uint8_t *)left[at].iov_base + written;
            left[at].iov_len -= (size_t)written;
        }
    }
    return 0;
}

static int write_at(void *state, uint64_t offset, const void *bytes, size_t size_bytes)
{
    struct sl_log_output *o = state;
    const uint8_t *at = bytes;
    while (size_bytes > 0) {
        ssize_t written = pwrite(o->fd, at, size_bytes, (off_t)offset);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return sl_error(errno, "%s: cannot be written: %s", o->path, strerror(errno));
        at += written;
        offset += (uint64_t)written;
        size_bytes -= (size_t)written;
    }
    return 0;
}

/* Creating --------------------------------------------------------------------------------------*/

static int check_options(const struct sl_log_output_options *options)
{
    bool is_folder_kind =
        options->kind == SL_LOG_OUTPUT_ROSBAG2 || options->kind == SL_LOG_OUTPUT_ROSBAG2_SQLITE;
    if (options->packing == SL_LOG_PACK_CHUNKS)
        return 0;
    if (!is_folder_kind)
        return sl_error(-EINVAL,
                        "only folders of rosbag2 compress messages or files; %s has chunks",
                        sl_log_output_names[options->kind]);
    if (options->write.compression != SL_COMPRESSION_ZSTD)
        return sl_error(-EINVAL, "rosbag2 compresses messages and files by zstd, not %s",
                        sl_compression_names[options->write.compression]);
    return 0;
}

/* "folder/NAME_0.mcap", as rosbag2 names it. */
static void name_file(struct sl_log_output *o, const char *path)
{
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    snprintf(o->folder, sizeof o->folder, "%.*s", (int)length, path);
    const char *base = strrchr(o->folder, '/');
    snprintf(o->path, sizeof o->path, "%s/%s_0.%s", o->folder, base ? base + 1 : o->folder,
             o->options.kind == SL_LOG_OUTPUT_ROSBAG2 ? "mcap" : "db3");
}

static int create_writer(struct sl_log_output *o)
{
    struct sl_log_sink sink = {write_pieces, write_at, o};
    struct sl_log_write_options write = o->options.write;
    if (o->options.packing != SL_LOG_PACK_CHUNKS)
        write.compression = SL_COMPRESSION_NONE;
    if (o->options.kind == SL_LOG_OUTPUT_ROSBAG2_SQLITE) {
        int err = sl_sqlite_create(o->path, &o->db);
        o->made_file = !err;
        return err ? err
                   : sl_rosbag2_sqlite_writer_create(o->db, o->options.schema, &write, &o->writer);
    }
    o->fd = open(o->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (o->fd < 0)
        return sl_error(errno, "%s: %s%s", o->path, strerror(errno),
                        errno == EEXIST ? "; remove it or choose another name" : "");
    o->made_file = true;
    switch (o->options.kind) {
    case SL_LOG_OUTPUT_ROSBAG1:
        return sl_ros1_writer_create(&sink, &write, &o->writer);
    case SL_LOG_OUTPUT_PCAP:
        return sl_pcap_writer_create(&sink, SL_LOG_PCAP, &write, &o->writer);
    case SL_LOG_OUTPUT_PCAPNG:
        return sl_pcap_writer_create(&sink, SL_LOG_PCAPNG, &write, &o->writer);
    default:
        return sl_mcap_writer_create(&sink, &write, &o->writer);
    }
}

int sl_log_output_create(const char *path, const struct sl_log_output_options *options,
                         struct sl_log_output **ret_output)
{
    int err = check_options(options);
    if (err)
        return err;
    struct sl_log_output *o = calloc(1, sizeof *o);
    if (!o)
        return sl_error(-ENOMEM, "no memory to write a log");
    o->options = *options;
    o->fd = -1;
    if (is_folder(o)) {
        name_file(o, path);
        if (mkdir(o->folder, 0777) < 0)
            err = sl_error(errno, "%s: %s%s", o->folder, strerror(errno),
                           errno == EEXIST ? "; remove it or choose another name" : "");
        o->made_folder = !err;
    } else {
        snprintf(o->path, sizeof o->path, "%s", path);
    }
    if (!err)
        err = create_writer(o);
    if (err) {
        sl_log_output_discard(o);
        return err;
    }
    *ret_output = o;
    return 0;
}

struct sl_log_writer *sl_log_output_writer(struct sl_log_output *output)
{
    return output->writer;
}

/* Messages --------------------------------------------------------------------------------------*/

static int note_topic(struct sl_log_output *o, const struct sl_log_topic *topic)
{
    struct sl_rosbag2_topic *topics = realloc(o->topics, (o->topic_count + 1) * sizeof *topics);
    if (!topics)
        return sl_error(-ENOMEM, "no memory to write a log");
    o->topics = topics;
    const char *qos = sl_log_topic_get(topic, "offered_qos_profiles");
    const char *hash = sl_log_topic_get(topic, "topic_type_hash");
    struct sl_rosbag2_topic *kept = &topics[o->topic_count++];
    *kept =
        (struct sl_rosbag2_topic){strdup(topic->name),      strdup(topic->type ? topic->type : ""),
                                  strdup(topic->encoding),  strdup(qos ? qos : ""),
                                  strdup(hash ? hash : ""), 0};
    return kept->name && kept->type && kept->encoding && kept->qos && kept->type_hash
               ? 0
               : sl_error(-ENOMEM, "no memory to write a log");
}

int sl_log_output_topic(struct sl_log_output *output, const struct sl_log_topic *topic,
                        uint32_t *ret_index)
{
    int err = sl_log_write_topic(output->writer, topic, ret_index);
    return err ? err : note_topic(output, topic);
}

static int pack_body(struct sl_log_output *o, struct iovec *piece)
{
    size_t bound = sl_compress_bound(SL_COMPRESSION_ZSTD, piece->iov_len);
    sl_buffer_clear(&o->packed);
    uint8_t *to = sl_buffer_take(&o->packed, bound);
    if (!to)
        return sl_error(-ENOMEM, "no memory to write a log");
    size_t size;
    int err = sl_compress(SL_COMPRESSION_ZSTD, o->options.write.level, piece->iov_base,
                          piece->iov_len, to, bound, &size);
    *piece = (struct iovec){to, err ? 0 : size};
    return err;
}

int sl_log_output_message(struct sl_log_output *output, const struct sl_log_message *message,
                          const void *body, size_t size_bytes)
{
    struct iovec piece = {(void *)body, size_bytes};
    int err = output->options.packing == SL_LOG_PACK_MESSAGES ? pack_body(output, &piece) : 0;
    if (!err)
        err = sl_log_write_message(output->writer, message, &piece, 1);
    if (err)
        return err;
    output->topics[message->topic].message_count++;
    if (output->message_count == 0 || message->receive_ns < output->first_ns)
        output->first_ns = message->receive_ns;
    if (output->message_count == 0 || message->receive_ns > output->last_ns)
        output->last_ns = message->receive_ns;
    output->message_count++;
    return 0;
}

/* Ending ----------------------------------------------------------------------------------------*/

struct packing {
    int from, to;
    uint8_t bytes[PIECE_BYTES];
};

static int get_piece(void *state, const void **ret_bytes, size_t *ret_size_bytes)
{
    struct packing *p = state;
    ssize_t count;
    do
        count = read(p->from, p->bytes, sizeof p->bytes);
    while (count < 0 && errno == EINTR);
    if (count < 0)
        return sl_error(errno, "cannot be read: %s", strerror(errno));
    *ret_bytes = p->bytes;
    *ret_size_bytes = (size_t)count;
    return 0;
}

static int put_piece(void *state, const void *bytes, size_t size_bytes)
{
    struct packing *p = state;
    const uint8_t *at = bytes;
    while (size_bytes > 0) {
        ssize_t count = write(p->to, at, size_bytes);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return sl_error(errno, "cannot be written: %s", strerror(errno));
        at += count;
        size_bytes -= (size_t)count;
    }
    return 0;
}

/* The finished file becomes FILE.zstd. */
static int pack_file(struct sl_log_output *o)
{
    char packed[PATH_MAX + 8];
    struct packing *p = malloc(sizeof *p);
    if (!p)
        return sl_error(-ENOMEM, "no memory to write a log");
    struct sl_zstd_ends ends = {get_piece, put_piece, p};
    snprintf(packed, sizeof packed, "%s.zstd", o->path);
    p->from = open(o->path, O_RDONLY | O_CLOEXEC);
    p->to = open(packed, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    int err = p->from < 0 || p->to < 0 ? sl_error(errno, "%s", strerror(errno))
                                       : sl_zstd_pack(&ends, o->options.write.level);
    if (p->from >= 0)
        close(p->from);
    if (p->to >= 0 && close(p->to) < 0 && !err)
        err = sl_error(errno, "%s", strerror(errno));
    if (p->to >= 0 && err)
        unlink(packed);
    free(p);
    if (err)
        return sl_error_at(err, "%s", packed);
    unlink(o->path);
    snprintf(o->path, sizeof o->path, "%s", packed);
    return 0;
}

static int write_metadata(struct sl_log_output *o)
{
    const char *base = strrchr(o->path, '/');
    struct sl_rosbag2_file file = {base + 1, o->first_ns, o->last_ns - o->first_ns,
                                   o->message_count};
    struct sl_rosbag2_metadata m = {
        .version = o->options.metadata_version ? o->options.metadata_version : METADATA_VERSION,
        .storage = o->options.kind == SL_LOG_OUTPUT_ROSBAG2 ? "mcap" : "sqlite3",
        .compression_format = o->options.packing == SL_LOG_PACK_CHUNKS ? "" : "zstd",
        .compression_mode = o->options.packing == SL_LOG_PACK_MESSAGES ? "MESSAGE"
                            : o->options.packing == SL_LOG_PACK_FILES  ? "FILE"
                                                                       : "",
        .ros_distro = "",
        .first_ns = file.first_ns,
        .duration_ns = file.duration_ns,
        .message_count = o->message_count,
        .topics = o->topics,
        .topic_count = o->topic_count,
        .files = &file,
        .file_count = 1,
    };
    char path[PATH_MAX + 16];
    struct sl_buffer text = {0};
    snprintf(path, sizeof path, "%s/metadata.yaml", o->folder);
    sl_rosbag2_metadata_format(&m, &text);
    FILE *to = text.failed ? NULL : fopen(path, "wxe");
    int err = text.failed ? sl_error(-ENOMEM, "no memory to write a log")
              : !to       ? sl_error(errno, "%s: %s", path, strerror(errno))
                          : 0;
    if (to && fwrite(text.bytes, 1, text.size_bytes, to) != text.size_bytes)
        err = sl_error(errno, "%s: %s", path, strerror(errno));
    if (to && fclose(to) != 0 && !err)
        err = sl_error(errno, "%s: %s", path, strerror(errno));
    if (to && err)
        unlink(path);
    sl_buffer_finish(&text);
    return err;
}

static int close_written(struct sl_log_output *o)
{
    sl_log_writer_destroy(o->writer);
    o->writer = NULL;
    sl_sqlite_close(o->db);
    o->db = NULL;
    int fd = o->fd;
    o->fd = -1;
    return fd >= 0 && close(fd) < 0 ? sl_error(errno, "%s: %s", o->path, strerror(errno)) : 0;
}

int sl_log_output_end(struct sl_log_output *output)
{
    int err = sl_log_write_end(output->writer);
    int closed = close_written(output);
    if (!err)
        err = closed;
    if (!err && output->options.packing == SL_LOG_PACK_FILES)
        err = pack_file(output);
    return err || !is_folder(output) ? err : write_metadata(output);
}

void sl_log_output_close(struct sl_log_output *output)
{
    if (!output)
        return;
    close_written(output);
    for (uint32_t i = 0; i < output->topic_count; i++) {
        free((char *)output->topics[i].name);
        free((char *)output->topics[i].type);
        free((char *)output->topics[i].encoding);
        free((char *)output->topics[i].qos);
        free((char *)output->topics[i].type_hash);
    }
    free(output->topics);
    sl_buffer_finish(&output->packed);
    free(output);
}

void sl_log_output_discard(struct sl_log_output *output)
{
    if (!output)
        return;
    close_written(output);
    if (output->made_file)
        unlink(output->path);
    if (output->made_folder)
        rmdir(output->folder);
    sl_log_output_close(output);
}
