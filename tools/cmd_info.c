/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_info.c - sluice info: what is in a recorded log, by its index. */
#include "core/base/clock.h"
#include "core/base/error.h"
#include "rosbag_compat/sha256.h"
#include "tools/json.h"
#include "tools/logs.h"
#include "tools/tool.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct info_options {
    struct sl_option_list files;
    bool json, gaps;
    uint64_t memory_bytes;
} given;

static const struct sl_option options[] = {
    {.name = "file",
     .kind = SL_OPTION_LIST,
     .flags = SL_OPTION_POSITIONAL | SL_OPTION_REQUIRED,
     .offset = offsetof(struct info_options, files),
     .value = "LOG",
     .help = "A file, or a folder of rosbag2"},
    {.name = "gaps",
     .kind = SL_OPTION_FLAG,
     .offset = offsetof(struct info_options, gaps),
     .help = "Read every message, and tell the longest time between two of a topic"},
    SL_TOOL_LOG_MEMORY(struct info_options),
    SL_TOOL_JSON(struct info_options),
};

static const struct sl_command command = {
    .name = "sluice info",
    .summary = "What is in a recorded log: topics, types, counts, times",
    .details =
        "Reads MCAP, ROS 1 bags, rosbag2 and captures (pcap, pcapng), whose UDP datagrams are "
        "the messages,\na topic for each port. Where a log has an index only that is read; "
        "\"?\" is what it does not tell.\nBehind the files of a folder stands what they "
        "are together.",
    .example = "sluice info drive.mcap",
    .tables = {{"Options", options, sizeof options / sizeof *options, &given}},
};

/* Counting --------------------------------------------------------------------------------------*/

struct totals {
    uint64_t messages; /* UINT64_MAX: not known */
    uint64_t first_ns, last_ns;
    bool has_span;
    uint64_t chunks, stored_bytes, size_bytes;
    unsigned compressions;           /* bits */
    uint64_t *gap_ns, *last_seen_ns; /* by topic */
};

static uint64_t count_with(uint64_t messages, uint64_t more)
{
    return messages == UINT64_MAX || more == UINT64_MAX ? UINT64_MAX : messages + more;
}

static void add_up(const struct sl_log *log, struct totals *t)
{
    t->has_span = sl_log_span(log, &t->first_ns, &t->last_ns);
    for (uint32_t i = 0; i < log->topic_count; i++)
        t->messages = count_with(t->messages, log->topics[i].message_count);
    for (uint32_t i = 0; i < log->block_count; i++) {
        const struct sl_log_block *block = &log->blocks[i];
        if (!block->is_chunk)
            continue;
        t->chunks++;
        t->stored_bytes += block->stored_bytes;
        t->size_bytes += block->size_bytes;
        t->compressions |= 1u << block->compression;
    }
}

static int find_gaps(struct sl_log *log, struct totals *t)
{
    struct sl_log_reader *reader;
    struct sl_log_reader_options all = {.takes_damaged = true};
    struct sl_log_item item;
    t->gap_ns = calloc(log->topic_count + 1, sizeof *t->gap_ns);
    t->last_seen_ns = calloc(log->topic_count + 1, sizeof *t->last_seen_ns);
    if (!t->gap_ns || !t->last_seen_ns)
        return sl_error(-ENOMEM, "no memory");
    int result = sl_log_reader_create(&log, 1, &all, &reader);
    if (result)
        return result;
    while ((result = sl_log_reader_next(reader, &item)) == 1) {
        uint32_t topic = item.message.topic;
        uint64_t before_ns = t->last_seen_ns[topic];
        if (before_ns && item.message.receive_ns - before_ns > t->gap_ns[topic])
            t->gap_ns[topic] = item.message.receive_ns - before_ns;
        t->last_seen_ns[topic] = item.message.receive_ns;
    }
    sl_log_reader_destroy(reader);
    return result;
}

static double rate_hz(const struct totals *t, uint64_t count)
{
    return count != UINT64_MAX && count > 1 && t->last_ns > t->first_ns
               ? (double)(count - 1) * 1e9 / (double)(t->last_ns - t->first_ns)
               : 0;
}

/* Folders: the files of one argument together ---------------------------------------------------*/

struct folder_topic {
    const char *name, *type;
    uint64_t messages; /* UINT64_MAX: not known */
    uint64_t gap_ns, last_seen_ns;
};

struct folder {
    const char *path;
    const struct sl_log_set *set;
    unsigned first, count; /* of its files in the set */
    struct totals all;
    uint64_t size_bytes;
    struct folder_topic *topics;
    unsigned topic_count;
    unsigned **topic_of; /* by file and its topic: which one of `topics` */
};

static unsigned find_topic(struct folder *f, const struct sl_log_topic *topic)
{
    unsigned i = 0;
    while (i < f->topic_count && (strcmp(f->topics[i].name, topic->name) != 0 ||
                                  strcmp(f->topics[i].type, topic->type) != 0))
        i++;
    if (i == f->topic_count)
        f->topics[f->topic_count++] = (struct folder_topic){topic->name, topic->type, 0, 0, 0};
    return i;
}

static void add_file(struct folder *f, unsigned k)
{
    const struct sl_log_file *file = &f->set->files[f->first + k];
    struct totals t = {0};
    add_up(file->log, &t);
    f->size_bytes += file->size_bytes;
    f->all.messages = count_with(f->all.messages, t.messages);
    if (t.has_span && (!f->all.has_span || t.first_ns < f->all.first_ns))
        f->all.first_ns = t.first_ns;
    if (t.has_span && (!f->all.has_span || t.last_ns > f->all.last_ns))
        f->all.last_ns = t.last_ns;
    f->all.has_span |= t.has_span;
    for (uint32_t i = 0; i < file->log->topic_count; i++) {
        unsigned topic = find_topic(f, &file->log->topics[i]);
        f->topic_of[k][i] = topic;
        f->topics[topic].messages =
            count_with(f->topics[topic].messages, file->log->topics[i].message_count);
    }
}

/* Those between the last message of a file and the first one of the next, too. */
static int find_folder_gaps(struct folder *f)
{
    struct sl_log_reader *reader;
    struct sl_log_reader_options all = {.takes_damaged = true};
    struct sl_log_item item;
    int result = sl_log_reader_create(f->set->logs + f->first, f->count, &all, &reader);
    if (result)
        return result;
    while ((result = sl_log_reader_next(reader, &item)) == 1) {
        struct folder_topic *t = &f->topics[f->topic_of[item.log][item.message.topic]];
        uint64_t at_ns = item.message.receive_ns;
        if (t->last_seen_ns && at_ns - t->last_seen_ns > t->gap_ns)
            t->gap_ns = at_ns - t->last_seen_ns;
        t->last_seen_ns = at_ns;
    }
    sl_log_reader_destroy(reader);
    return result;
}

static int sum_up_folder(struct folder *f)
{
    size_t most = 1;
    for (unsigned k = 0; k < f->count; k++)
        most += f->set->logs[f->first + k]->topic_count;
    f->topics = calloc(most, sizeof *f->topics);
    f->topic_of = calloc(f->count, sizeof *f->topic_of);
    if (!f->topics || !f->topic_of)
        return sl_error(-ENOMEM, "no memory");
    for (unsigned k = 0; k < f->count; k++) {
        f->topic_of[k] = calloc(f->set->logs[f->first + k]->topic_count + 1, sizeof **f->topic_of);
        if (!f->topic_of[k])
            return sl_error(-ENOMEM, "no memory");
        add_file(f, k);
    }
    return given.gaps ? find_folder_gaps(f) : 0;
}

static void finish_folder(struct folder *f)
{
    for (unsigned k = 0; f->topic_of && k < f->count; k++)
        free(f->topic_of[k]);
    free(f->topic_of);
    free(f->topics);
}

/* Text ------------------------------------------------------------------------------------------*/

static const char *show_text(const char *text, char *to, size_t size)
{
    snprintf(to, size, "%s", text);
    sl_text_tame(to);
    return to;
}

static const char *show_count(uint64_t count, char to[SL_SHOW_MAX])
{
    if (count == UINT64_MAX)
        return "?";
    snprintf(to, SL_SHOW_MAX, "%" PRIu64, count);
    return to;
}

static const char *show_time(uint64_t time_ns, char *to, size_t size)
{
    time_t seconds = (time_t)(time_ns / SL_NS_PER_S);
    struct tm parts;
    char date[40] = "";
    if (gmtime_r(&seconds, &parts))
        strftime(date, sizeof date, "%Y-%m-%d %H:%M:%S", &parts);
    snprintf(to, size, "%s.%09" PRIu64 " UTC (%" PRIu64 ".%09" PRIu64 ")", date,
             time_ns % SL_NS_PER_S, time_ns / SL_NS_PER_S, time_ns % SL_NS_PER_S);
    return to;
}

static void print_span(const struct totals *t)
{
    char text[128];
    uint64_t duration_ns = t->last_ns - t->first_ns;
    if (t->has_span) {
        printf("start:     %s\n", show_time(t->first_ns, text, sizeof text));
        printf("end:       %s\n", show_time(t->last_ns, text, sizeof text));
        printf("duration:  %" PRIu64 ".%09" PRIu64 " s\n", duration_ns / SL_NS_PER_S,
               duration_ns % SL_NS_PER_S);
    }
    printf("messages:  %s\n", show_count(t->messages, text));
}

static void print_compression(const struct totals *t)
{
    char stored[SL_SHOW_MAX], size[SL_SHOW_MAX];
    if (t->chunks == 0)
        return;
    printf("chunks:    %" PRIu64 " (", t->chunks);
    for (unsigned i = 0, said = 0; sl_compression_names[i]; i++)
        if (t->compressions & 1u << i)
            printf("%s%s", said++ ? ", " : "", sl_compression_names[i]);
    printf("), %s of %s\n", sl_show_bytes((double)t->stored_bytes, stored, sizeof stored),
           sl_show_bytes((double)t->size_bytes, size, sizeof size));
}

static void print_topics(const struct sl_log *log, const struct totals *t)
{
    int width = 5;
    char name[256], type[256], count[SL_SHOW_MAX], gap[SL_SHOW_MAX] = "";
    for (uint32_t i = 0; i < log->topic_count; i++) {
        int length = (int)strlen(log->topics[i].name);
        width = length > width && length < 60 ? length : width;
    }
    printf("%-*s  %10s  %9s%s  %-8s  %s\n", width, "TOPIC", "MESSAGES", "HZ",
           given.gaps ? "    LONGEST GAP" : "", "ENCODING", "TYPE");
    for (uint32_t i = 0; i < log->topic_count; i++) {
        const struct sl_log_topic *topic = &log->topics[i];
        char encoding[64];
        if (given.gaps)
            sl_show_ns((double)t->gap_ns[i], gap, sizeof gap);
        printf("%-*s  %10s  %9.3f", width, show_text(topic->name, name, sizeof name),
               show_count(topic->message_count, count), rate_hz(t, topic->message_count));
        if (given.gaps)
            printf("  %13s", gap);
        printf("  %-8s  %s\n", show_text(topic->encoding, encoding, sizeof encoding),
               show_text(topic->type, type, sizeof type));
    }
}

#define METADATA_PAIRS_SHOWN 8

static void print_metadata(const struct sl_log_metadata *metadata)
{
    char text[256];
    char value[256];
    bool is_short = metadata->pair_count <= METADATA_PAIRS_SHOWN;
    printf("metadata   %s", show_text(metadata->name, text, sizeof text));
    for (unsigned i = 0; i < metadata->pair_count && is_short; i++)
        printf("%s %s: %s", i ? "," : ":", show_text(metadata->pairs[i].key, text, sizeof text),
               show_text(metadata->pairs[i].value, value, sizeof value));
    if (!is_short)
        printf(", %u entries", metadata->pair_count);
    printf("\n");
}

static void print_text(const struct sl_log_file *file, const struct totals *t)
{
    const struct sl_log *log = file->log;
    char text[256], more[256], size[SL_SHOW_MAX];
    printf("log:       %s\n", show_text(file->path, text, sizeof text));
    printf("format:    %s%s%s%s%s, %s\n", sl_log_format_names[log->format],
           log->profile[0] ? ", " : "", show_text(log->profile, text, sizeof text),
           log->library[0] ? ", by " : "", show_text(log->library, more, sizeof more),
           log->was_indexed ? "with an index" : "scanned");
    printf("size:      %s\n", sl_show_bytes((double)file->size_bytes, size, sizeof size));
    print_span(t);
    print_compression(t);
    if (log->body_compression)
        printf("bodies:    each by %s\n", sl_compression_names[log->body_compression]);
    if (log->damage.count)
        printf("damage:    %s (sluice check tells more)\n",
               show_text(log->damage.first, text, sizeof text));
    print_topics(log, t);
    for (uint32_t i = 0; i < log->attachment_count; i++)
        printf("attachment %s (%s), %s\n", show_text(log->attachments[i].name, text, sizeof text),
               show_text(log->attachments[i].media_type, more, sizeof more),
               sl_show_bytes((double)log->attachments[i].size_bytes, size, sizeof size));
    for (uint32_t i = 0; i < log->metadata_count; i++)
        print_metadata(&log->metadata[i]);
}

static void print_folder(const struct folder *f)
{
    char text[256], count[SL_SHOW_MAX], gap[SL_SHOW_MAX] = "";
    int width = 5;
    printf("\nfolder:    %s, %u files together\n", show_text(f->path, text, sizeof text), f->count);
    printf("size:      %s\n", sl_show_bytes((double)f->size_bytes, count, sizeof count));
    print_span(&f->all);
    for (unsigned i = 0; i < f->topic_count; i++) {
        int length = (int)strlen(f->topics[i].name);
        width = length > width && length < 60 ? length : width;
    }
    printf("%-*s  %10s  %9s%s  %s\n", width, "TOPIC", "MESSAGES", "HZ",
           given.gaps ? "    LONGEST GAP" : "", "TYPE");
    for (unsigned i = 0; i < f->topic_count; i++) {
        const struct folder_topic *topic = &f->topics[i];
        printf("%-*s  %10s  %9.3f", width, show_text(topic->name, text, sizeof text),
               show_count(topic->messages, count), rate_hz(&f->all, topic->messages));
        if (given.gaps)
            printf("  %13s", sl_show_ns((double)topic->gap_ns, gap, sizeof gap));
        printf("  %s\n", show_text(topic->type, text, sizeof text));
    }
}

/* JSON ------------------------------------------------------------------------------------------*/

static void json_count(struct sl_json *json, const char *key, uint64_t count)
{
    if (count == UINT64_MAX)
        sl_json_text(json, key, NULL);
    else
        sl_json_count(json, key, count);
}

static void json_pairs(struct sl_json *json, const char *key, const struct sl_log_pair *pairs,
                       unsigned count)
{
    sl_json_open(json, key, '{');
    for (unsigned i = 0; i < count; i++)
        sl_json_text(json, pairs[i].key, pairs[i].value);
    sl_json_close(json, '}');
}

static void json_topics(struct sl_json *json, const struct sl_log *log, const struct totals *t)
{
    sl_json_open(json, "topics", '[');
    for (uint32_t i = 0; i < log->topic_count; i++) {
        const struct sl_log_topic *topic = &log->topics[i];
        char hash[SL_SHA256_TEXT_BYTES];
        if (topic->definition_bytes)
            sl_sha256_text(topic->definition, topic->definition_bytes, hash);
        sl_json_open(json, NULL, '{');
        sl_json_text(json, "name", topic->name);
        sl_json_text(json, "type", topic->has_schema ? topic->type : NULL);
        sl_json_text(json, "encoding", topic->encoding);
        sl_json_text(json, "definition_encoding", topic->definition_encoding);
        sl_json_count(json, "definition_bytes", topic->definition_bytes);
        sl_json_text(json, "definition_sha256", topic->definition_bytes ? hash : NULL);
        json_count(json, "messages", topic->message_count);
        sl_json_real(json, "rate_hz", rate_hz(t, topic->message_count));
        if (given.gaps)
            sl_json_count(json, "gap_max_ns", t->gap_ns[i]);
        json_pairs(json, "more", topic->pairs, topic->pair_count);
        sl_json_close(json, '}');
    }
    sl_json_close(json, ']');
}

static void json_others(struct sl_json *json, const struct sl_log *log)
{
    sl_json_open(json, "attachments", '[');
    for (uint32_t i = 0; i < log->attachment_count; i++) {
        const struct sl_log_attachment *a = &log->attachments[i];
        sl_json_open(json, NULL, '{');
        sl_json_text(json, "name", a->name);
        sl_json_text(json, "media_type", a->media_type);
        sl_json_count(json, "log_ns", a->log_ns);
        sl_json_count(json, "size_bytes", a->size_bytes);
        sl_json_close(json, '}');
    }
    sl_json_close(json, ']');
    sl_json_open(json, "metadata", '[');
    for (uint32_t i = 0; i < log->metadata_count; i++) {
        sl_json_open(json, NULL, '{');
        sl_json_text(json, "name", log->metadata[i].name);
        json_pairs(json, "entries", log->metadata[i].pairs, log->metadata[i].pair_count);
        sl_json_close(json, '}');
    }
    sl_json_close(json, ']');
}

static void print_json(const struct sl_log_file *file, const struct totals *t)
{
    const struct sl_log *log = file->log;
    struct sl_json json;
    sl_json_line(&json, "file", file->path);
    sl_json_text(&json, "format", sl_log_format_names[log->format]);
    sl_json_text(&json, "profile", log->profile);
    sl_json_text(&json, "library", log->library);
    sl_json_flag(&json, "indexed", log->was_indexed);
    sl_json_count(&json, "size_bytes", file->size_bytes);
    json_count(&json, "messages", t->messages);
    sl_json_count(&json, "start_ns", t->first_ns);
    sl_json_count(&json, "end_ns", t->last_ns);
    sl_json_count(&json, "duration_ns", t->last_ns - t->first_ns);
    sl_json_count(&json, "chunks", t->chunks);
    sl_json_open(&json, "compression", '[');
    for (unsigned i = 0; sl_compression_names[i]; i++)
        if (t->compressions & 1u << i)
            sl_json_text(&json, NULL, sl_compression_names[i]);
    sl_json_close(&json, ']');
    sl_json_text(&json, "body_compression", sl_compression_names[log->body_compression]);
    sl_json_count(&json, "chunks_stored_bytes", t->stored_bytes);
    sl_json_count(&json, "chunks_size_bytes", t->size_bytes);
    sl_json_count(&json, "damaged_places", log->damage.count);
    sl_json_text(&json, "damage", log->damage.count ? log->damage.first : NULL);
    json_topics(&json, log, t);
    json_others(&json, log);
    sl_json_line_end(&json);
}

static void json_folder(const struct folder *f)
{
    struct sl_json json;
    sl_json_line(&json, "folder", f->path);
    sl_json_count(&json, "files", f->count);
    sl_json_count(&json, "size_bytes", f->size_bytes);
    json_count(&json, "messages", f->all.messages);
    sl_json_count(&json, "start_ns", f->all.first_ns);
    sl_json_count(&json, "end_ns", f->all.last_ns);
    sl_json_count(&json, "duration_ns", f->all.last_ns - f->all.first_ns);
    sl_json_open(&json, "topics", '[');
    for (unsigned i = 0; i < f->topic_count; i++) {
        const struct folder_topic *topic = &f->topics[i];
        sl_json_open(&json, NULL, '{');
        sl_json_text(&json, "name", topic->name);
        sl_json_text(&json, "type", topic->type);
        json_count(&json, "messages", topic->messages);
        sl_json_real(&json, "rate_hz", rate_hz(&f->all, topic->messages));
        if (given.gaps)
            sl_json_count(&json, "gap_max_ns", topic->gap_ns);
        sl_json_close(&json, '}');
    }
    sl_json_close(&json, ']');
    sl_json_line_end(&json);
}

/* ---------------------------------------------------------------------------------------------- */

static int tell_folder(const char *path, const struct sl_log_set *set, unsigned first, unsigned end)
{
    struct folder f = {.path = path, .set = set, .first = first, .count = end - first};
    int err = sum_up_folder(&f);
    if (!err && given.json)
        json_folder(&f);
    else if (!err)
        print_folder(&f);
    finish_folder(&f);
    return err;
}

static int tell(const struct sl_log_file *file)
{
    struct totals t = {0};
    add_up(file->log, &t);
    int err = given.gaps ? find_gaps(file->log, &t) : 0;
    if (!err && given.json)
        print_json(file, &t);
    else if (!err)
        print_text(file, &t);
    free(t.gap_ns);
    free(t.last_seen_ns);
    return err;
}

static int tell_argument(const char *path, const struct sl_log_set *set, unsigned first,
                         unsigned end)
{
    int err = 0;
    for (unsigned i = first; i < end && !err; i++) {
        if (i > 0 && !given.json)
            printf("\n");
        err = tell(&set->files[i]);
    }
    return err || end - first < 2 ? err : tell_folder(path, set, first, end);
}

static int run(void)
{
    struct sl_log_set set = {.decompressed_bytes = given.memory_bytes};
    unsigned *first = calloc(given.files.count + 1, sizeof *first); /* file of each argument */
    int err = first ? 0 : sl_error(-ENOMEM, "no memory");
    for (unsigned i = 0; i < given.files.count && !err; i++) {
        err = sl_log_set_add(&set, given.files.text[i], 0);
        first[i + 1] = set.count;
    }
    for (unsigned i = 0; i < given.files.count && !err; i++)
        err = tell_argument(given.files.text[i], &set, first[i], first[i + 1]);
    if (!err)
        sl_log_tell_notes(&set, "sluice info: ", stderr);
    sl_log_set_close(&set);
    free(first);
    return err;
}

const struct sl_tool sl_tool_info = {.name = "info", .command = &command, .run = run};
