/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_check.c - sluice check: is a recorded log whole? Everything in it is read. */
#include "core/base/error.h"
#include "rosbag_compat/rosbag2_metadata.h"
#include "tools/json.h"
#include "tools/logs.h"
#include "tools/tool.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct check_options {
    struct sl_option_list files;
    bool json;
    uint64_t memory_bytes;
} given;

static const struct sl_option options[] = {
    {.name = "file",
     .kind = SL_OPTION_LIST,
     .flags = SL_OPTION_POSITIONAL | SL_OPTION_REQUIRED,
     .offset = offsetof(struct check_options, files),
     .value = "LOG",
     .help = "A file, or a folder of rosbag2"},
    SL_TOOL_LOG_MEMORY(struct check_options),
    SL_TOOL_JSON(struct check_options),
};

static const struct sl_command command = {
    .name = "sluice check",
    .summary = "Whether a recorded log is whole",
    .details =
        "Goes through all records without the index, decompresses every chunk and message, "
        "compares "
        "checksums,\nand compares what is found with what the index and metadata.yaml say.\n\n"
        "The exit status is 0 if all is well, 3 if something is damaged that sluice recover "
        "can pass over, 1\nif nothing can be read. With --json \"state\" says the same: whole, "
        "damaged, unreadable.",
    .example = "sluice check drive.bag",
    .tables = {{"Options", options, sizeof options / sizeof *options, &given}},
};

struct seen {
    uint64_t messages, damaged;
    char first[256];
    uint64_t *counts; /* by topic */
    void *body;       /* of a message that was compressed alone */
    size_t body_room;
};

static void note(struct seen *seen, const char *text)
{
    if (seen->damaged++ == 0)
        snprintf(seen->first, sizeof seen->first, "%s", text);
}

static void finish(struct seen *seen)
{
    free(seen->counts);
    free(seen->body);
}

static int see_message(const struct sl_log *log, const struct sl_log_message *m,
                       const uint8_t *bytes, struct seen *seen)
{
    size_t size;
    int err = 0;
    seen->counts[m->topic]++;
    if (log->body_compression != SL_COMPRESSION_NONE)
        err =
            sl_log_decompress_body(log, m, bytes + m->offset, &seen->body, &seen->body_room, &size);
    if (!err)
        seen->messages++;
    if (err != -EBADMSG)
        return err;
    note(seen, sl_error_text());
    return 0;
}

static int see_block(struct sl_log *log, uint32_t index, uint8_t *bytes, struct seen *seen)
{
    struct sl_log_message m;
    size_t size = 0;
    size_t at = 0;
    int result = sl_log_load(log, index, bytes, &size);
    if (result == -EBADMSG)
        note(seen, sl_error_text());
    else if (result)
        return result;
    while ((result = sl_log_walk(log, index, bytes, size, &at, &m)) == 1) {
        int err = see_message(log, &m, bytes, seen);
        if (err)
            return err;
    }
    if (result == -EBADMSG)
        note(seen, sl_error_text());
    return result == -EBADMSG ? 0 : result;
}

/* Every block, so that each is decompressed and its checksum compared. */
static int see_blocks(struct sl_log *log, struct seen *seen)
{
    int err = 0;
    for (uint32_t i = 0; i < log->block_count && !err; i++) {
        size_t room = (size_t)log->blocks[i].size_bytes;
        uint8_t *bytes = malloc(room ? room : 1);
        err = bytes ? see_block(log, i, bytes, seen)
                    : sl_error(-ENOMEM, "no memory for a chunk of %zu bytes", room);
        free(bytes);
    }
    return err;
}

static void note_count(struct seen *seen, const char *source, const char *of, uint64_t said,
                       uint64_t found)
{
    char text[256];
    snprintf(text, sizeof text,
             "%s says that %.100s has %" PRIu64 " messages, and there are %" PRIu64, source, of,
             said, found);
    if (said != found)
        note(seen, text);
}

/* What the index says of a topic, if it says anything. */
static void compare(const struct sl_log *indexed, const struct sl_log *scanned, struct seen *seen)
{
    for (uint32_t i = 0; i < indexed->topic_count; i++) {
        const struct sl_log_topic *topic = &indexed->topics[i];
        uint32_t found = sl_log_topic_index(scanned, topic->id);
        if (topic->message_count != UINT64_MAX)
            note_count(seen, "the index", topic->name, topic->message_count,
                       found == SL_LOG_NO_TOPIC ? 0 : seen->counts[found]);
    }
}

static int check_file(const struct sl_log *indexed, struct sl_log *log, struct seen *seen)
{
    seen->counts = calloc(log->topic_count + 1, sizeof *seen->counts);
    if (!seen->counts)
        return sl_error(-ENOMEM, "no memory");
    if (log->damage.count)
        note(seen, log->damage.first);
    else if (!indexed)
        note(seen, "cannot be opened by its index");
    else if (indexed->damage.count)
        note(seen, indexed->damage.first);
    int err = see_blocks(log, seen);
    if (!err && indexed && indexed->was_indexed)
        compare(indexed, log, seen);
    return err;
}

/* NULL: of all topics. */
static uint64_t count_of(const struct sl_log_set *set, const struct seen *seen, const char *name)
{
    uint64_t count = 0;
    for (unsigned i = 0; i < set->count; i++)
        for (uint32_t t = 0; t < set->logs[i]->topic_count; t++)
            if (!name || strcmp(set->logs[i]->topics[t].name, name) == 0)
                count += seen[i].counts[t];
    return count;
}

/* What metadata.yaml says of its files together. */
static void compare_folder(const struct sl_rosbag2_metadata *m, const struct sl_log_set *set,
                           const struct seen *seen, struct seen *folder)
{
    for (unsigned i = 0; i < set->count; i++)
        folder->messages += seen[i].messages;
    note_count(folder, "metadata.yaml", "the folder", m->message_count, count_of(set, seen, NULL));
    for (unsigned i = 0; i < m->topic_count; i++)
        note_count(folder, "metadata.yaml", m->topics[i].name, m->topics[i].message_count,
                   count_of(set, seen, m->topics[i].name));
}

static void tell_json(const char *path, const char *state, const struct seen *seen,
                      const char *reason)
{
    struct sl_json json;
    sl_json_line(&json, "file", path);
    sl_json_text(&json, "state", state);
    sl_json_count(&json, "messages", seen->messages);
    sl_json_count(&json, "damaged_places", seen->damaged);
    sl_json_text(&json, "damage", reason);
    sl_json_line_end(&json);
}

static int tell(const char *path, const struct seen *seen)
{
    char text[256];
    snprintf(text, sizeof text, "%s", seen->first);
    sl_text_tame(text);
    if (given.json) {
        tell_json(path, seen->damaged ? "damaged" : "whole", seen,
                  seen->damaged ? seen->first : NULL);
        return seen->damaged ? SL_EXIT_LOSS : 0;
    }
    if (seen->damaged == 0) {
        printf("%s: whole, %" PRIu64 " messages\n", path, seen->messages);
        return 0;
    }
    printf("%s: damaged in %" PRIu64 " places, %" PRIu64 " messages can be read; first: %s\n", path,
           seen->damaged, seen->messages, text);
    return SL_EXIT_LOSS;
}

static const struct sl_log *find_log(const struct sl_log_set *set, const char *path)
{
    for (unsigned i = 0; i < set->count; i++)
        if (strcmp(set->files[i].path, path) == 0)
            return set->logs[i];
    return NULL;
}

static int tell_notes(const char *path, const struct sl_log_set *set)
{
    for (unsigned i = 0; i < set->note_count && given.json; i++)
        tell_json(path, "damaged", &(struct seen){.damaged = 1}, set->notes[i]);
    if (!given.json)
        sl_log_tell_notes(set, "", stdout);
    return SL_EXIT_LOSS;
}

static int check_files(const struct sl_log_set *indexed, const struct sl_log_set *scanned,
                       struct seen *seen)
{
    int status = 0;
    for (unsigned i = 0; i < scanned->count; i++) {
        const char *name = scanned->files[i].path;
        int err = check_file(find_log(indexed, name), scanned->logs[i], &seen[i]);
        if (err)
            return err;
        status |= tell(name, &seen[i]);
    }
    return status;
}

/* Where files are missing or were left out, which notes tell, counts cannot be right. */
static int check_folder(const char *path, const struct sl_log_set *set, const struct seen *seen)
{
    struct sl_rosbag2_metadata m;
    struct seen folder = {0};
    if (set->note_count > 0)
        return tell_notes(path, set);
    if (sl_log_folder_metadata(path, &m) < 0) /* a file */
        return 0;
    compare_folder(&m, set, seen, &folder);
    sl_rosbag2_metadata_finish(&m);
    return folder.damaged > 0 ? tell(path, &folder) : 0;
}

static int check(const char *path)
{
    struct sl_log_set indexed = {.decompressed_bytes = given.memory_bytes};
    struct sl_log_set scanned = indexed;
    struct seen *seen = NULL;
    int result = sl_log_set_add(&indexed, path, 0);
    if (!result)
        result = sl_log_set_add(&scanned, path, SL_LOG_SCAN);
    if (!result && !(seen = calloc(scanned.count, sizeof *seen)))
        result = sl_error(-ENOMEM, "no memory");
    if (!result)
        result = check_files(&indexed, &scanned, seen);
    if (result >= 0)
        result |= check_folder(path, &scanned, seen);
    for (unsigned i = 0; seen && i < scanned.count; i++)
        finish(&seen[i]);
    free(seen);
    sl_log_set_close(&indexed);
    sl_log_set_close(&scanned);
    return result;
}

static int run(void)
{
    int status = 0;
    for (unsigned i = 0; i < given.files.count; i++) {
        int result = check(given.files.text[i]);
        if (result < 0)
            fprintf(stderr, "sluice check: %s\n", sl_error_text());
        if (result < 0 && given.json)
            tell_json(given.files.text[i], "unreadable", &(struct seen){0}, sl_error_text());
        if (result < 0)
            status = SL_EXIT_FAILURE;
        else if (result > 0 && status == 0)
            status = result;
    }
    return status;
}

const struct sl_tool sl_tool_check = {.name = "check", .command = &command, .run = run};
