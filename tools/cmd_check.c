/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_check.c - sluice check: is a recorded log whole? Everything in it is read. */
#include "core/base/error.h"
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
} given;

static const struct sl_option options[] = {
    {.name = "file",
     .kind = SL_OPTION_LIST,
     .flags = SL_OPTION_POSITIONAL | SL_OPTION_REQUIRED,
     .offset = offsetof(struct check_options, files),
     .value = "LOG",
     .help = "A file, or a folder of rosbag2"},
    SL_TOOL_JSON(struct check_options),
};

static const struct sl_command command = {
    .name = "sluice check",
    .summary = "Whether a recorded log is whole",
    .details =
        "Goes through all records without the index, decompresses every chunk, compares "
        "checksums, and\ncompares what is found with what the index says.\n\n"
        "The exit status is 0 if all is well, 3 if something is damaged that sluice recover "
        "can pass over, 1\nif nothing can be read. With --json \"state\" says the same: whole, "
        "damaged, unreadable.",
    .example = "sluice check drive.bag",
    .tables = {{"Options", options, sizeof options / sizeof *options, &given}},
};

struct seen {
    uint64_t messages, damaged;
    char first[256];
};

static void note(struct seen *seen, const char *text)
{
    if (seen->damaged++ == 0)
        snprintf(seen->first, sizeof seen->first, "%s", text);
}

/* Every block, so that each is decompressed and its checksum compared. */
static int read_blocks(struct sl_log *log, uint64_t *counts, struct seen *seen)
{
    for (uint32_t i = 0; i < log->block_count; i++) {
        size_t room = (size_t)log->blocks[i].size_bytes;
        size_t size = 0;
        size_t at = 0;
        struct sl_log_message m;
        uint8_t *bytes = malloc(room ? room : 1);
        if (!bytes)
            return sl_error(-ENOMEM, "no memory for a chunk of %zu bytes", room);
        int err = sl_log_load(log, i, bytes, &size);
        if (err == -EBADMSG)
            note(seen, sl_error_text());
        while ((!err || err == -EBADMSG) &&
               (err = sl_log_walk(log, i, bytes, size, &at, &m)) == 1) {
            counts[m.topic]++;
            seen->messages++;
            err = 0;
        }
        free(bytes);
        if (err == -EBADMSG)
            note(seen, sl_error_text());
        else if (err < 0)
            return err;
    }
    return 0;
}

/* What the index says of a topic, if it says anything. */
static void compare(const struct sl_log *indexed, const struct sl_log *scanned,
                    const uint64_t *counts, struct seen *seen)
{
    for (uint32_t i = 0; i < indexed->topic_count; i++) {
        const struct sl_log_topic *topic = &indexed->topics[i];
        uint32_t found = sl_log_topic_index(scanned, topic->id);
        uint64_t count = found == SL_LOG_NO_TOPIC ? 0 : counts[found];
        char text[256];
        if (topic->message_count == UINT64_MAX || topic->message_count == count)
            continue;
        snprintf(text, sizeof text,
                 "the index says that %.100s has %" PRIu64 " messages, and there are %" PRIu64,
                 topic->name, topic->message_count, count);
        note(seen, text);
    }
}

static int check_file(const struct sl_log *indexed, struct sl_log *log, struct seen *seen)
{
    uint64_t *counts = calloc(log->topic_count + 1, sizeof *counts);
    if (!counts)
        return sl_error(-ENOMEM, "no memory");
    if (log->damage.count)
        note(seen, log->damage.first);
    else if (!indexed)
        note(seen, "cannot be opened by its index");
    else if (indexed->damage.count)
        note(seen, indexed->damage.first);
    int err = read_blocks(log, counts, seen);
    if (!err && indexed && indexed->was_indexed)
        compare(indexed, log, counts, seen);
    free(counts);
    return err;
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
    return set->note_count > 0 ? SL_EXIT_LOSS : 0;
}

static int check(const char *path)
{
    struct sl_log_set indexed = {0};
    struct sl_log_set scanned = {0};
    int result = sl_log_set_add(&indexed, path, 0);
    if (!result)
        result = sl_log_set_add(&scanned, path, SL_LOG_SCAN);
    int status = 0;
    for (unsigned i = 0; i < scanned.count && !result; i++) {
        struct seen seen = {0};
        const char *name = scanned.files[i].path;
        result = check_file(find_log(&indexed, name), scanned.logs[i], &seen);
        if (!result)
            status |= tell(name, &seen);
    }
    if (!result)
        status |= tell_notes(path, &scanned);
    sl_log_set_close(&indexed);
    sl_log_set_close(&scanned);
    return result ? result : status;
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
