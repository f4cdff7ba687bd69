/* SPDX-License-Identifier: Apache-2.0 */
#include "rosbag_compat/record_output.h"

#include "core/base/error.h"
#include "rosbag_compat/record_file.h"
#include "rosbag_compat/record_folder.h"
#include "rosbag_compat/record_latched.h"
#include "rosbag_compat/ros1_type.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOPIC_BYTES    2048 /* of a topic beside its texts, in the data and in the summary */
#define NO_INDEX       UINT32_MAX
#define SPLIT_NAME_MAX 16 /* "_4294967295" */

/* A topic as a ROS 1 bag has it. */
struct ros1_topic {
    const struct sl_schema *schema;
    struct sl_ros1_type type;
    struct sl_log_pair pairs[2];
    struct sl_log_topic topic;
};

struct topic {
    const struct sl_log_topic *topic; /* as it is written */
    struct ros1_topic *ros1;          /* or NULL */
    bool is_latched;
    uint32_t in_file; /* its index in the file that is written, or NO_INDEX */
    uint64_t text_bytes;
    struct record_latched latched;
};

struct record_output {
    struct record_output_options options;
    struct record_folder *folder; /* of rosbag2, or NULL */
    struct record_file *file;
    char path[PATH_MAX];
    uint64_t file_messages, file_first_ns;
    uint64_t ended_bytes; /* of the files before */
    struct topic *topics;
    uint32_t topic_count, topic_room;
    struct sl_buffer gathered, ros1; /* a body in one piece, and as ROS 1 has it */
    struct record_output_counts counts;
};

/* The file. ------------------------------------------------------------------------------------ */

static bool is_split(const struct record_output *o)
{
    return o->options.split_bytes > 0 || o->options.split_ns > 0;
}

/* "drive.mcap", or "drive_0.mcap" where more may follow. */
static int name_file(struct record_output *o)
{
    if (o->folder)
        return record_folder_name_file(o->folder, o->counts.files, o->path);
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
    o->file_messages = 0;
    for (uint32_t i = 0; i < o->topic_count; i++)
        o->topics[i].in_file = NO_INDEX;
    err = record_file_open(o->path, o->options.kind, &o->options.writing, o->options.overwrite,
                           &o->file);
    if (err == 0)
        o->counts.files++;
    return err;
}

static int end_file(struct record_output *o)
{
    uint64_t bytes = 0;
    if (!o->file)
        return 0;
    int err = record_file_end(o->file, &bytes);
    o->file = NULL;
    o->ended_bytes += bytes;
    return err == 0 && o->folder ? record_folder_end_file(o->folder, o->counts.files - 1) : err;
}

static bool is_folder(enum sl_log_output_kind kind)
{
    return kind == SL_LOG_OUTPUT_ROSBAG2 || kind == SL_LOG_OUTPUT_ROSBAG2_SQLITE;
}

int record_output_open(const struct record_output_options *options,
                       struct record_output **ret_output)
{
    struct record_output *o = calloc(1, sizeof *o);
    if (!o)
        return sl_error(-ENOMEM, "no memory for a recording");
    o->options = *options;
    /* What is gathered counts as if it were there, so it must be little beside a file. */
    uint64_t *chunk_bytes = &o->options.writing.chunk_bytes;
    if (*chunk_bytes == 0)
        *chunk_bytes = SL_LOG_CHUNK_BYTES;
    if (options->split_bytes > 0 && *chunk_bytes > options->split_bytes / 16)
        *chunk_bytes = options->split_bytes / 16;
    int err = is_folder(options->kind)
                  ? record_folder_make(options->path, options->kind, options->overwrite, &o->folder)
                  : 0;
    if (err == 0)
        err = open_file(o);
    if (err < 0) {
        record_output_close(o);
        return err;
    }
    *ret_output = o;
    return 0;
}

static void destroy_ros1(struct ros1_topic *ros1)
{
    if (!ros1)
        return;
    sl_ros1_type_finish(&ros1->type);
    free(ros1);
}

int record_output_close(struct record_output *o)
{
    if (!o)
        return 0;
    int err = end_file(o);
    for (uint32_t i = 0; i < o->topic_count; i++) {
        record_latched_finish(&o->topics[i].latched);
        destroy_ros1(o->topics[i].ros1);
    }
    free(o->topics);
    sl_buffer_finish(&o->gathered);
    sl_buffer_finish(&o->ros1);
    record_folder_free(o->folder);
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

static int make_ros1_type(const struct sl_log_topic *topic, struct sl_ros1_type *ret_type)
{
    const struct sl_schema *schema = sl_schema_find(topic->type);
    int err = schema ? sl_ros1_type_make(schema, ret_type)
                     : sl_error(-ENOTSUP, "how %s looks in ROS 1 is not known",
                                topic->type[0] ? topic->type : "a topic without a type");
    return err == -ENOTSUP
               ? sl_error(
                     err,
                     "%s cannot be recorded into a ROS 1 bag: %s; leave it out (--exclude), or "
                     "record all of it into MCAP",
                     topic->name, sl_error_text())
               : err;
}

int record_output_check_topic(enum sl_log_output_kind kind, const struct sl_log_topic *topic)
{
    struct sl_ros1_type type = {0};
    if (kind != SL_LOG_OUTPUT_ROSBAG1)
        return 0;
    int err = make_ros1_type(topic, &type);
    if (err == 0)
        sl_ros1_type_finish(&type);
    return err;
}

/* What else ROS 2 says of a topic has no place there. */
static int make_ros1(const struct sl_log_topic *topic, bool is_latched,
                     struct ros1_topic **ret_ros1)
{
    struct ros1_topic *ros1 = calloc(1, sizeof *ros1);
    if (!ros1)
        return sl_error(-ENOMEM, "no memory for topic %s", topic->name);
    int err = make_ros1_type(topic, &ros1->type);
    if (err < 0) {
        free(ros1);
        return err;
    }
    ros1->schema = sl_schema_find(topic->type);
    ros1->pairs[0] = (struct sl_log_pair){"md5sum", ros1->type.md5};
    ros1->pairs[1] = (struct sl_log_pair){"latching", is_latched ? "1" : "0"};
    ros1->topic = (struct sl_log_topic){
        .name = topic->name,
        .type = ros1->type.name,
        .encoding = "ros1",
        .definition = ros1->type.definition.bytes,
        .definition_bytes = ros1->type.definition.size_bytes,
        .definition_encoding = "ros1msg",
        .has_schema = true,
        .pairs = ros1->pairs,
        .pair_count = 2,
    };
    *ret_ros1 = ros1;
    return 0;
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
    struct ros1_topic *ros1 = NULL;
    int err = o->options.kind == SL_LOG_OUTPUT_ROSBAG1 ? make_ros1(topic, is_latched, &ros1) : 0;
    if (err < 0)
        return err;
    if (ros1)
        topic = &ros1->topic;
    o->topics[o->topic_count] = (struct topic){
        .topic = topic,
        .ros1 = ros1,
        .is_latched = is_latched,
        .in_file = NO_INDEX,
        .text_bytes = text_bytes(topic),
    };
    *ret_index = o->topic_count++;
    return o->folder ? record_folder_topic(o->folder, topic) : 0;
}

/* A topic stands in a file that has a message of it. */
static int introduce(struct record_output *o, struct topic *t)
{
    if (t->in_file != NO_INDEX)
        return 0;
    return sl_log_write_topic(record_file_writer(o->file), t->topic, &t->in_file);
}

/* Messages. ------------------------------------------------------------------------------------ */

static size_t size_of(const struct iovec *body, unsigned pieces)
{
    size_t size = 0;
    for (unsigned i = 0; i < pieces; i++)
        size += body[i].iov_len;
    return size;
}

/* What is to be written. */
struct addition {
    uint64_t messages, size_bytes; /* of their bodies, together */
    uint64_t topic_bytes;          /* of the topics that the file has not yet */
};

static uint64_t new_topic_bytes(const struct topic *t)
{
    return t->in_file == NO_INDEX ? t->text_bytes : 0;
}

/* With its index, were it ended behind that: never less than it will be. */
static uint64_t file_bytes_with(const struct record_output *o, const struct addition *a)
{
    return record_file_bound(o->file, a->messages, a->size_bytes, a->topic_bytes);
}

/* Chunks that are being compressed will have less than their bound: what becomes of them decides,
 * so that files end at the same message with any number of threads. An error is kept by the writer.
 */
static bool is_too_large_with(struct record_output *o, const struct addition *a)
{
    struct sl_log_writer *writer = record_file_writer(o->file);
    if (o->options.split_bytes == 0)
        return false;
    bool is_large = file_bytes_with(o, a) > o->options.split_bytes;
    if (is_large && writer->pending_bytes > 0 && sl_log_write_settle(writer) == 0)
        is_large = file_bytes_with(o, a) > o->options.split_bytes;
    return is_large;
}

static bool is_full(struct record_output *o, const struct topic *t, const struct sl_log_message *m,
                    size_t size)
{
    if (o->file_messages == 0) /* a message that is larger than a file has one of its own */
        return false;
    const struct addition alone = {1, size, new_topic_bytes(t)};
    return is_too_large_with(o, &alone) ||
           (o->options.split_ns > 0 && m->receive_ns > o->file_first_ns &&
            m->receive_ns - o->file_first_ns >= o->options.split_ns);
}

static int write_message(struct record_output *o, struct topic *t, const struct sl_log_message *m,
                         const struct iovec *body, unsigned pieces)
{
    struct sl_log_message message = *m;
    int err = introduce(o, t);
    message.topic = t->in_file;
    if (err == 0)
        err = sl_log_write_message(record_file_writer(o->file), &message, body, pieces);
    if (err < 0) /* a database does not know where it lies */
        return o->options.kind == SL_LOG_OUTPUT_ROSBAG2_SQLITE ? sl_error_at(err, "%s", o->path)
                                                               : err;
    if (o->folder)
        record_folder_message(o->folder, (uint32_t)(t - o->topics), m->receive_ns);
    return 0;
}

/* The message that opens a file, and is to be written behind what is repeated. */
struct opening {
    const struct topic *topic;
    size_t size_bytes;
    uint64_t receive_ns;
};

static bool fits_beside(struct record_output *o, const struct topic *t, size_t size,
                        const struct opening *opening)
{
    const struct addition both = {2, size + opening->size_bytes,
                                  new_topic_bytes(t) +
                                      (opening->topic != t ? new_topic_bytes(opening->topic) : 0)};
    return !is_too_large_with(o, &both);
}

static int repeat_latched(struct record_output *o, struct topic *t, const struct opening *opening)
{
    for (unsigned i = 0; i < t->latched.count; i++) {
        const struct record_latched_message *l = &t->latched.messages[i];
        struct sl_log_message m = l->message;
        if (!fits_beside(o, t, l->size_bytes, opening)) {
            o->counts.not_repeated++;
            continue;
        }
        m.receive_ns = opening->receive_ns;
        int err = write_message(o, t, &m, &(struct iovec){l->body, l->size_bytes}, 1);
        if (err < 0)
            return err;
    }
    return 0;
}

/* The next file begins with what who joins late would get; as old as it is, but not older than the
 * file, so that a player of this file alone need not wait. */
static int begin_next(struct record_output *o, const struct opening *opening)
{
    int err = end_file(o);
    if (err < 0 || (err = open_file(o)) < 0)
        return err;
    for (uint32_t i = 0; i < o->topic_count; i++) {
        err = repeat_latched(o, &o->topics[i], opening);
        if (err < 0)
            return err;
    }
    return 0;
}

static int keep_latched(struct record_output *o, struct topic *t, uint64_t publisher,
                        const struct sl_log_message *m, const struct iovec *body, unsigned pieces)
{
    if (!t->is_latched || !is_split(o))
        return 0;
    int err = record_latched_keep(&t->latched, publisher, m, body, pieces);
    if (err == -EFBIG) {
        o->counts.not_kept++;
        return 0;
    }
    return err < 0 ? sl_error_at(err, "%s", t->topic->name) : 0;
}

/* As the file has it. */
static int take_message(struct record_output *o, struct topic *t, uint64_t publisher,
                        const struct sl_log_message *m, const struct iovec *body, unsigned pieces)
{
    size_t size = size_of(body, pieces);
    const struct opening opening = {t, size, m->receive_ns};
    int err = is_full(o, t, m, size) ? begin_next(o, &opening) : 0;
    if (err < 0)
        return err;
    if (o->file_messages++ == 0)
        o->file_first_ns = m->receive_ns;
    err = write_message(o, t, m, body, pieces);
    if (err < 0)
        return err;
    o->counts.messages++;
    return keep_latched(o, t, publisher, m, body, pieces);
}

static int convert(struct record_output *o, const struct topic *t, const struct sl_log_message *m,
                   const struct iovec *body, unsigned pieces)
{
    struct iovec whole = pieces > 0 ? body[0] : (struct iovec){0};
    sl_buffer_clear(&o->gathered);
    sl_buffer_clear(&o->ros1);
    if (pieces > 1) {
        for (unsigned i = 0; i < pieces; i++)
            sl_buffer_put(&o->gathered, body[i].iov_base, body[i].iov_len);
        if (o->gathered.failed)
            return sl_error(-ENOMEM, "no memory for a message of %s", t->topic->name);
        whole = (struct iovec){o->gathered.bytes, o->gathered.size_bytes};
    }
    return sl_ros1_from_cdr(t->ros1->schema, whole.iov_base, whole.iov_len, m->sequence, &o->ros1);
}

int record_output_message(struct record_output *o, uint64_t publisher,
                          const struct sl_log_message *m, const struct iovec *body, unsigned pieces)
{
    struct topic *t = &o->topics[m->topic];
    if (!t->ros1)
        return take_message(o, t, publisher, m, body, pieces);
    int err = convert(o, t, m, body, pieces);
    if (err == -EBADMSG) {
        o->counts.unfit++;
        return 0;
    }
    const struct iovec converted = {o->ros1.bytes, o->ros1.size_bytes};
    return err < 0 ? err : take_message(o, t, publisher, m, &converted, 1);
}

int record_output_flush(struct record_output *o)
{
    return record_file_flush(o->file);
}

struct record_output_counts record_output_counts(const struct record_output *o)
{
    struct record_output_counts counts = o->counts;
    counts.bytes = o->ended_bytes + (o->file ? record_file_bytes(o->file) : 0);
    return counts;
}

const char *record_output_file(const struct record_output *o)
{
    return o->path;
}
