/* SPDX-License-Identifier: Apache-2.0 */
#include "rosbag_compat/record_snapshot.h"

#include "core/base/error.h"
#include "core/base/log.h"
#include "rosbag_compat/record_latched.h"
#include "rosbag_compat/record_ring.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIECE_BYTES (UINT64_C(1) << 20) /* written before messages are taken again */
#define NUMBERS_MAX 100000u

struct topic {
    const struct sl_log_topic *topic;
    bool is_latched;
    struct record_latched latched; /* of those that left the ring */
};

struct record_snapshot {
    struct record_snapshot_options options;
    struct record_ring *ring;
    struct topic *topics;
    uint32_t topic_count;
    /* The one that is written, or NULL: from `place` until `end`. */
    struct record_output *output;
    uint64_t place, end;
    unsigned number; /* the next file's */
    struct record_snapshot_counts counts;
};

/* Opening. ------------------------------------------------------------------------------------- */

static int check_place(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) + 1 : 1,
             slash ? path : ".");
    return access(folder, W_OK | X_OK) == 0
               ? 0
               : sl_error(-errno, "no snapshots can be written into %s: %s", folder,
                          strerror(errno));
}

int record_snapshot_open(const struct record_snapshot_options *options,
                         struct record_snapshot **ret_snapshot)
{
    int err = check_place(options->output.path);
    if (err < 0)
        return err;
    struct record_snapshot *s = calloc(1, sizeof *s);
    if (!s)
        return sl_error(-ENOMEM, "no memory for a recording");
    s->options = *options;
    err = record_ring_create(options->ring_bytes, &s->ring);
    if (err < 0) {
        free(s);
        return err;
    }
    *ret_snapshot = s;
    return 0;
}

int record_snapshot_topic(struct record_snapshot *s, const struct sl_log_topic *topic,
                          bool is_latched, uint32_t *ret_index)
{
    struct topic *topics = realloc(s->topics, (s->topic_count + 1) * sizeof *topics);
    if (!topics)
        return sl_error(-ENOMEM, "no memory for topic %s", topic->name);
    s->topics = topics;
    topics[s->topic_count] = (struct topic){.topic = topic, .is_latched = is_latched};
    *ret_index = s->topic_count++;
    uint32_t same; /* all outputs have all topics, in this order */
    return s->output ? record_output_topic(s->output, topic, false, &same) : 0;
}

/* Writing. ------------------------------------------------------------------------------------- */

static void end_output(struct record_snapshot *s, int err)
{
    char path[PATH_MAX], why[SL_ERROR_TEXT_MAX];
    snprintf(path, sizeof path, "%s", record_output_file(s->output));
    snprintf(why, sizeof why, "%s", err < 0 ? sl_error_text() : "");
    struct record_output_counts c = record_output_counts(s->output);
    int closed = record_output_close(s->output);
    s->output = NULL;
    err = err < 0 ? err : closed;
    if (err < 0) {
        s->counts.failed++;
        sl_log(SL_LOG_ERROR, "snapshot: %s", why[0] ? why : sl_error_text());
        return;
    }
    s->counts.files++;
    s->counts.messages += c.messages;
    s->counts.bytes += c.bytes;
    s->counts.unfit += c.unfit;
    sl_log(SL_LOG_INFO, "snapshot: %" PRIu64 " messages, %.1f MB in %s", c.messages,
           (double)c.bytes / 1e6, path);
}

/* One message further; its end, if it was the last. */
static void write_next(struct record_snapshot *s)
{
    const struct record_ring_message m = record_ring_read(s->ring, s->place);
    const struct iovec body = {(void *)m.body, m.size_bytes};
    int err = record_output_message(s->output, m.publisher, &m.message, &body, 1);
    s->place = m.next;
    if (err < 0 || s->place >= s->end)
        end_output(s, err);
}

static uint64_t oldest_ns(const struct record_snapshot *s)
{
    return record_ring_read(s->ring, record_ring_begin(s->ring)).message.receive_ns;
}

static int write_latched_of(struct record_snapshot *s, const struct record_latched *latched)
{
    int err = 0;
    for (unsigned i = 0; i < latched->count && err == 0; i++) {
        const struct record_latched_message *l = &latched->messages[i];
        struct sl_log_message m = l->message;
        m.receive_ns = oldest_ns(s);
        err = record_output_message(s->output, l->publisher, &m,
                                    &(struct iovec){l->body, l->size_bytes}, 1);
    }
    return err;
}

static int write_latched(struct record_snapshot *s)
{
    int err = 0;
    for (uint32_t i = 0; i < s->topic_count && err == 0; i++)
        err = write_latched_of(s, &s->topics[i].latched);
    return err;
}

/* "drive.mcap" as "drive_3.mcap" */
static int name_of(const struct record_snapshot *s, unsigned number, char ret_path[PATH_MAX])
{
    const char *path = s->options.output.path, *slash = strrchr(path, '/');
    const char *dot = strrchr(path, '.');
    size_t stem = dot && (!slash || dot > slash + 1) ? (size_t)(dot - path) : strlen(path);
    while (stem > 1 && path[stem - 1] == '/') /* of a folder */
        stem--;
    int length = snprintf(ret_path, PATH_MAX, "%.*s_%u%s", (int)stem, path, number,
                          dot && (size_t)(dot - path) == stem ? dot : "");
    return length < PATH_MAX ? 0 : sl_error(-ENAMETOOLONG, "%s: too long", path);
}

static int open_output(struct record_snapshot *s)
{
    char path[PATH_MAX];
    struct record_output_options options = s->options.output;
    options.path = path;
    int err = -EEXIST;
    for (; err == -EEXIST && s->number < NUMBERS_MAX; s->number++) {
        err = name_of(s, s->number, path);
        if (err == 0)
            err = record_output_open(&options, &s->output);
    }
    for (uint32_t i = 0, same; i < s->topic_count && err == 0; i++)
        err = record_output_topic(s->output, s->topics[i].topic, false, &same);
    return err;
}

void record_snapshot_ask(struct record_snapshot *s)
{
    if (record_ring_messages(s->ring) == 0) {
        sl_log(SL_LOG_WARN, "snapshot: asked for, but there is no message yet");
        return;
    }
    s->end = record_ring_end(s->ring);
    if (s->output)
        return;
    s->place = record_ring_begin(s->ring);
    int err = open_output(s);
    if (err == 0)
        err = write_latched(s);
    if (err == 0)
        return;
    if (s->output) {
        end_output(s, err);
        return;
    }
    s->counts.failed++;
    sl_log(SL_LOG_ERROR, "snapshot: %s", sl_error_text());
}

/* Keeping. ------------------------------------------------------------------------------------- */

static void drop_oldest(struct record_snapshot *s)
{
    uint64_t place = record_ring_begin(s->ring);
    if (s->output && s->place <= place)
        write_next(s);
    const struct record_ring_message m = record_ring_read(s->ring, place);
    struct topic *t = &s->topics[m.message.topic];
    if (t->is_latched)
        record_latched_keep(&t->latched, m.publisher, &m.message,
                            &(struct iovec){(void *)m.body, m.size_bytes}, 1);
    s->counts.held_bytes -= m.size_bytes;
    record_ring_drop(s->ring);
}

int record_snapshot_frame(struct record_snapshot *s, const struct sl_log_message *message,
                          const struct sl_frame *frame)
{
    size_t size = frame->body_length;
    if (!record_ring_fits(s->ring, size)) {
        s->counts.too_large++;
        return 0;
    }
    void *to;
    while (!(to = record_ring_reserve(s->ring, message, frame->instance, size)))
        drop_oldest(s);
    sl_frame_copy(frame, 0, to, size);
    if (sl_frame_check(frame) < 0)
        return 0;
    record_ring_keep(s->ring);
    s->counts.held_bytes += size;
    return 1;
}

/* Working. ------------------------------------------------------------------------------------- */

static void forget_old(struct record_snapshot *s, uint64_t now_ns)
{
    while (s->options.span_ns > 0 && record_ring_messages(s->ring) > 0 &&
           now_ns > oldest_ns(s) + s->options.span_ns)
        drop_oldest(s);
}

bool record_snapshot_work(struct record_snapshot *s, uint64_t now_ns)
{
    for (uint64_t done = 0; s->output && done < PIECE_BYTES;) {
        done += record_ring_read(s->ring, s->place).size_bytes + sizeof(struct sl_log_message);
        write_next(s);
    }
    forget_old(s, now_ns);
    s->counts.held_ns =
        record_ring_messages(s->ring) > 0 && now_ns > oldest_ns(s) ? now_ns - oldest_ns(s) : 0;
    return s->output != NULL;
}

struct record_snapshot_counts record_snapshot_counts(const struct record_snapshot *s)
{
    struct record_snapshot_counts counts = s->counts;
    counts.held_messages = record_ring_messages(s->ring);
    return counts;
}

unsigned record_snapshot_close(struct record_snapshot *s)
{
    if (!s)
        return 0;
    while (s->output)
        write_next(s);
    unsigned failed = s->counts.failed;
    for (uint32_t i = 0; i < s->topic_count; i++)
        record_latched_finish(&s->topics[i].latched);
    free(s->topics);
    record_ring_destroy(s->ring);
    free(s);
    return failed;
}
