/* SPDX-License-Identifier: Apache-2.0 */
#include "rosbag_compat/record_folder.h"

#include "core/base/error.h"
#include "rosbag_compat/rosbag2_metadata.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define METADATA_VERSION 8

struct span {
    uint64_t first_ns, last_ns, messages;
};

struct record_folder {
    char path[PATH_MAX];
    const char *name; /* in it */
    enum sl_log_output_kind kind;
    struct sl_rosbag2_topic *topics;
    struct sl_rosbag2_file *files;
    unsigned topic_count, file_count;
    struct span whole, file;
};

static const char *ending_of(const struct record_folder *d)
{
    return d->kind == SL_LOG_OUTPUT_ROSBAG2 ? "mcap" : "db3";
}

static int no_memory(const struct record_folder *d)
{
    return sl_error(-ENOMEM, "no memory to tell of %s", d->path);
}

/* Making. -------------------------------------------------------------------------------------- */

/* Those of an earlier recording, up to the first number that is missing. */
static void remove_old(const struct record_folder *d)
{
    char path[PATH_MAX];
    static const char *const endings[] = {"mcap", "db3", "db3-wal", "db3-shm"};
    bool is_removed = true;
    for (unsigned number = 0; is_removed; number++) {
        is_removed = false;
        for (unsigned i = 0; i < sizeof endings / sizeof *endings; i++) {
            int length =
                snprintf(path, sizeof path, "%s/%s_%u.%s", d->path, d->name, number, endings[i]);
            is_removed |= length < (int)sizeof path && unlink(path) == 0;
        }
    }
    if (snprintf(path, sizeof path, "%s/metadata.yaml", d->path) < (int)sizeof path)
        unlink(path);
}

static int make_folder(struct record_folder *d, const char *path, bool overwrite)
{
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    if (length >= sizeof d->path)
        return sl_error(-ENAMETOOLONG, "%.60s...: too long", path);
    memcpy(d->path, path, length);
    const char *slash = strrchr(d->path, '/');
    d->name = slash ? slash + 1 : d->path;
    if (mkdir(d->path, 0777) == 0)
        return 0;
    if (errno != EEXIST)
        return sl_error(-errno, "%s cannot be made: %s", d->path, strerror(errno));
    if (!overwrite)
        return sl_error(-EEXIST, "%s is there already; take another name, or --overwrite", d->path);
    remove_old(d);
    return 0;
}

int record_folder_make(const char *path, enum sl_log_output_kind kind, bool overwrite,
                       struct record_folder **ret_folder)
{
    struct record_folder *d = calloc(1, sizeof *d);
    if (!d)
        return sl_error(-ENOMEM, "no memory for a recording");
    d->kind = kind;
    int err = make_folder(d, path, overwrite);
    if (err < 0) {
        free(d);
        return err;
    }
    *ret_folder = d;
    return 0;
}

void record_folder_free(struct record_folder *d)
{
    if (!d)
        return;
    for (unsigned i = 0; i < d->file_count; i++)
        free((char *)d->files[i].path);
    free(d->files);
    free(d->topics);
    free(d);
}

int record_folder_name_file(const struct record_folder *d, unsigned number, char ret_path[PATH_MAX])
{
    int length =
        snprintf(ret_path, PATH_MAX, "%s/%s_%u.%s", d->path, d->name, number, ending_of(d));
    return length < PATH_MAX ? 0 : sl_error(-ENAMETOOLONG, "%s: too long", d->path);
}

/* Counting. ------------------------------------------------------------------------------------ */

int record_folder_topic(struct record_folder *d, const struct sl_log_topic *topic)
{
    struct sl_rosbag2_topic *topics = realloc(d->topics, (d->topic_count + 1) * sizeof *topics);
    if (!topics)
        return no_memory(d);
    d->topics = topics;
    const char *qos = sl_log_topic_get(topic, "offered_qos_profiles");
    topics[d->topic_count++] =
        (struct sl_rosbag2_topic){topic->name, topic->type, topic->encoding, qos ? qos : "", "", 0};
    return 0;
}

static void extend(struct span *span, uint64_t receive_ns)
{
    if (span->messages == 0 || receive_ns < span->first_ns)
        span->first_ns = receive_ns;
    if (span->messages == 0 || receive_ns > span->last_ns)
        span->last_ns = receive_ns;
    span->messages++;
}

void record_folder_message(struct record_folder *d, uint32_t topic, uint64_t receive_ns)
{
    d->topics[topic].message_count++;
    extend(&d->whole, receive_ns);
    extend(&d->file, receive_ns);
}

/* Telling. ------------------------------------------------------------------------------------- */

static int note_file(struct record_folder *d, unsigned number)
{
    char path[PATH_MAX];
    struct sl_rosbag2_file *files = realloc(d->files, (d->file_count + 1) * sizeof *files);
    if (!files)
        return no_memory(d);
    d->files = files;
    int err = record_folder_name_file(d, number, path);
    char *name = err < 0 ? NULL : strdup(strrchr(path, '/') + 1);
    if (!name)
        return err < 0 ? err : no_memory(d);
    files[d->file_count++] = (struct sl_rosbag2_file){
        name, d->file.first_ns, d->file.last_ns - d->file.first_ns, d->file.messages};
    d->file = (struct span){0};
    return 0;
}

static int write_text(const char *path, const struct sl_buffer *text)
{
    FILE *to = fopen(path, "we");
    bool is_written = to && fwrite(text->bytes, 1, text->size_bytes, to) == text->size_bytes;
    int why = errno;
    if (to && fclose(to) != 0 && is_written) {
        is_written = false;
        why = errno;
    }
    return is_written ? 0 : sl_error(-why, "%s: %s", path, strerror(why));
}

static int write_metadata(const struct record_folder *d)
{
    const struct sl_rosbag2_metadata m = {
        .version = METADATA_VERSION,
        .storage = d->kind == SL_LOG_OUTPUT_ROSBAG2 ? "mcap" : "sqlite3",
        .compression_format = "",
        .compression_mode = "",
        .ros_distro = "",
        .first_ns = d->whole.first_ns,
        .duration_ns = d->whole.last_ns - d->whole.first_ns,
        .message_count = d->whole.messages,
        .topics = d->topics,
        .topic_count = d->topic_count,
        .files = d->files,
        .file_count = d->file_count,
    };
    char path[PATH_MAX + 16], fresh[PATH_MAX + 24];
    struct sl_buffer text = {0};
    snprintf(path, sizeof path, "%s/metadata.yaml", d->path);
    snprintf(fresh, sizeof fresh, "%s.new", path);
    sl_rosbag2_metadata_format(&m, &text);
    int err = text.failed ? no_memory(d) : write_text(fresh, &text);
    sl_buffer_finish(&text);
    if (err == 0 && rename(fresh, path) < 0)
        err = sl_error(-errno, "%s: %s", path, strerror(errno));
    if (err < 0)
        unlink(fresh);
    return err;
}

int record_folder_end_file(struct record_folder *d, unsigned number)
{
    int err = note_file(d, number);
    return err < 0 ? err : write_metadata(d);
}
