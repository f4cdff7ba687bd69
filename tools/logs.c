/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/logs.h"

#include "core/base/error.h"
#include "rosbag_compat/log_time.h"
#include "tools/tool.h"

#include <errno.h>
#include <limits.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sl_log_choice sl_log_choice;
const struct sl_option sl_log_choice_options[] = {
    {.name = "topic",
     .letter = 't',
     .kind = SL_OPTION_LIST,
     .offset = offsetof(struct sl_log_choice, topics),
     .value = "NAME",
     .help = "Only this topic; may be given several times"},
    {.name = "regex",
     .kind = SL_OPTION_TEXT,
     .offset = offsetof(struct sl_log_choice, regex),
     .value = "REGEX",
     .help = "Also topics whose whole name this extended regular expression matches"},
    {.name = "exclude",
     .kind = SL_OPTION_TEXT,
     .offset = offsetof(struct sl_log_choice, exclude),
     .value = "REGEX",
     .help = "But none whose whole name this one matches"},
    {.name = "start",
     .kind = SL_OPTION_TEXT,
     .offset = offsetof(struct sl_log_choice, start),
     .value = "TIME",
     .help = "Leave out what is older: so long after the beginning (90s), a date "
             "(2026-03-01T14:05:09Z), or seconds since 1970 (@1772373909.5)"},
    {.name = "end",
     .kind = SL_OPTION_TEXT,
     .offset = offsetof(struct sl_log_choice, end),
     .value = "TIME",
     .help = "Leave out what is newer, likewise"},
    {.name = "duration",
     .kind = SL_OPTION_DURATION,
     .offset = offsetof(struct sl_log_choice, duration_ns),
     .min = 0,
     .max = 1e18,
     .help = "Take so much time; without it, to the end"},
};

/* Choosing --------------------------------------------------------------------------------------*/

struct sl_log_chosen {
    bool has_regex, has_exclude;
    regex_t regex, exclude;
};

static int compile(const char *name, const char *text, regex_t *ret_regex)
{
    char whole[512];
    char reason[128];
    if (strlen(text) > sizeof whole - 8)
        return sl_error(-EINVAL, "--%s is longer than %zu letters", name, sizeof whole - 8);
    snprintf(whole, sizeof whole, "^(%s)$", text);
    int code = regcomp(ret_regex, whole, REG_EXTENDED | REG_NOSUB);
    if (code == 0)
        return 0;
    regerror(code, ret_regex, reason, sizeof reason);
    return sl_error(-EINVAL, "--%s '%s': %s", name, text, reason);
}

static int compile_choice(struct sl_log_chosen **ret_chosen)
{
    struct sl_log_chosen *chosen = calloc(1, sizeof *chosen);
    if (!chosen)
        return sl_error(-ENOMEM, "no memory");
    *ret_chosen = chosen;
    int err = 0;
    if (sl_log_choice.regex) {
        err = compile("regex", sl_log_choice.regex, &chosen->regex);
        chosen->has_regex = !err;
    }
    if (!err && sl_log_choice.exclude) {
        err = compile("exclude", sl_log_choice.exclude, &chosen->exclude);
        chosen->has_exclude = !err;
    }
    return err;
}

static bool wants(void *state, const struct sl_log_topic *topic)
{
    const struct sl_log_chosen *chosen = state;
    bool is_named = sl_log_choice.topics.count == 0 && !chosen->has_regex;
    for (unsigned i = 0; i < sl_log_choice.topics.count; i++)
        is_named |= strcmp(sl_log_choice.topics.text[i], topic->name) == 0;
    if (!is_named && chosen->has_regex)
        is_named = regexec(&chosen->regex, topic->name, 0, NULL, 0) == 0;
    return is_named &&
           !(chosen->has_exclude && regexec(&chosen->exclude, topic->name, 0, NULL, 0) == 0);
}

bool sl_log_view_wants(const struct sl_log_view *view, const struct sl_log_topic *topic)
{
    return wants(view->chosen, topic);
}

/* A topic that was named and is in no log is a mistake of typing. */
static int check_names(const struct sl_log_set *set)
{
    for (unsigned i = 0; i < sl_log_choice.topics.count; i++) {
        bool is_there = false;
        for (unsigned l = 0; l < set->count && !is_there; l++)
            for (uint32_t t = 0; t < set->logs[l]->topic_count && !is_there; t++)
                is_there = strcmp(set->logs[l]->topics[t].name, sl_log_choice.topics.text[i]) == 0;
        if (!is_there)
            return sl_error(-ENOENT, "no topic %s; sluice info shows what there is",
                            sl_log_choice.topics.text[i]);
    }
    return 0;
}

/* Views -----------------------------------------------------------------------------------------*/

void sl_log_tell_notes(const struct sl_log_set *set, const char *prefix, FILE *to)
{
    for (unsigned i = 0; i < set->note_count; i++) {
        char text[2 * PATH_MAX];
        snprintf(text, sizeof text, "%s", set->notes[i]);
        sl_text_tame(text);
        fprintf(to, "%s%s\n", prefix, text);
    }
}

bool sl_log_span(const struct sl_log *log, uint64_t *ret_first_ns, uint64_t *ret_last_ns)
{
    bool has_messages = false;
    for (uint32_t i = 0; i < log->block_count; i++) {
        const struct sl_log_block *block = &log->blocks[i];
        if (block->message_count == 0)
            continue;
        if (!has_messages || block->first_ns < *ret_first_ns)
            *ret_first_ns = block->first_ns;
        if (!has_messages || block->last_ns > *ret_last_ns)
            *ret_last_ns = block->last_ns;
        has_messages = true;
    }
    return has_messages;
}

static int choose_times(const struct sl_log_set *set, struct sl_log_reader_options *options)
{
    uint64_t begin_ns = UINT64_MAX;
    uint64_t first_ns;
    uint64_t last_ns;
    struct sl_log_time start;
    struct sl_log_time end;
    int err = sl_log_time_parse("--start", sl_log_choice.start, &start);
    if (!err)
        err = sl_log_time_parse("--end", sl_log_choice.end, &end);
    for (unsigned i = 0; i < set->count; i++)
        if (sl_log_span(set->logs[i], &first_ns, &last_ns) && first_ns < begin_ns)
            begin_ns = first_ns;
    if (err || begin_ns == UINT64_MAX)
        return err;
    uint64_t start_ns = sl_log_time_at(&start, begin_ns);
    options->first_ns = start.is_given ? start_ns : 0;
    if (sl_log_choice.duration_ns) /* from the first message on, if --start is before it */
        options->last_ns =
            (start_ns > begin_ns ? start_ns : begin_ns) + (uint64_t)sl_log_choice.duration_ns;
    uint64_t end_ns = sl_log_time_at(&end, begin_ns);
    if (end.is_given && (!options->last_ns || end_ns < options->last_ns))
        options->last_ns = end_ns > 0 ? end_ns : 1; /* 0 is no end */
    return 0;
}

int sl_log_view_open(struct sl_log_view *view, const char *const *paths, unsigned count,
                     uint64_t memory_bytes, unsigned flags, bool takes_damaged)
{
    *view = (struct sl_log_view){.takes_damaged = takes_damaged,
                                 .set.decompressed_bytes = memory_bytes};
    int err = compile_choice(&view->chosen);
    for (unsigned i = 0; i < count && !err; i++)
        err = sl_log_set_add(&view->set, paths[i], flags);
    if (!err)
        err = check_names(&view->set);
    struct sl_log_reader_options options = {
        .wants = wants, .wants_state = view->chosen, .takes_damaged = takes_damaged};
    if (!err)
        err = choose_times(&view->set, &options);
    if (!err)
        err = sl_log_reader_create(view->set.logs, view->set.count, &options, &view->reader);
    if (err)
        sl_log_view_close(view);
    return err;
}

void sl_log_view_close(struct sl_log_view *view)
{
    sl_log_reader_destroy(view->reader);
    sl_log_set_close(&view->set);
    if (view->chosen && view->chosen->has_regex)
        regfree(&view->chosen->regex);
    if (view->chosen && view->chosen->has_exclude)
        regfree(&view->chosen->exclude);
    free(view->chosen);
    *view = (struct sl_log_view){0};
}

/* Copying ---------------------------------------------------------------------------------------*/

#define PIECE_BYTES 65536

struct copy {
    struct sl_log_view *view;
    struct sl_log_output *output;
    const struct sl_log_topic **topics; /* of the output, as they were read */
    uint32_t topic_count, topic_room;
    uint32_t *places; /* by hash: 1 + an index of topics, or 0; twice as many as there can be */
    uint32_t place_mask;
    uint32_t **index; /* of the output, by log and topic */
    bool by_name;     /* rosbag2 has one topic of a name */
};

static bool same_pairs(const struct sl_log_topic *a, const struct sl_log_topic *b)
{
    if (a->pair_count != b->pair_count)
        return false;
    for (unsigned i = 0; i < a->pair_count; i++)
        if (strcmp(a->pairs[i].key, b->pairs[i].key) != 0 ||
            strcmp(a->pairs[i].value, b->pairs[i].value) != 0)
            return false;
    return true;
}

/* Parts of a split log have the same topics. */
static bool same_topic(const struct copy *copy, const struct sl_log_topic *a,
                       const struct sl_log_topic *b)
{
    if (strcmp(a->name, b->name) != 0 || strcmp(a->type, b->type) != 0 ||
        strcmp(a->encoding, b->encoding) != 0)
        return false;
    return copy->by_name ||
           (a->definition_bytes == b->definition_bytes && a->has_schema == b->has_schema &&
            (a->definition_bytes == 0 ||
             memcmp(a->definition, b->definition, a->definition_bytes) == 0) &&
            same_pairs(a, b));
}

/* FNV-1a; the NUL is a byte of it, so that texts do not run into each other. */
static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t size_bytes)
{
    for (size_t i = 0; i < size_bytes; i++)
        hash = (hash ^ ((const uint8_t *)bytes)[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static uint64_t hash_text(uint64_t hash, const char *text)
{
    return hash_bytes(hash, text, strlen(text) + 1);
}

/* Of what same_topic compares. */
static uint64_t hash_topic(const struct copy *copy, const struct sl_log_topic *topic)
{
    uint64_t hash = hash_text(UINT64_C(0xcbf29ce484222325), topic->name);
    hash = hash_text(hash_text(hash, topic->type), topic->encoding);
    if (copy->by_name)
        return hash;
    hash = hash_bytes(hash, topic->definition, topic->definition_bytes);
    for (unsigned i = 0; i < topic->pair_count; i++)
        hash = hash_text(hash_text(hash, topic->pairs[i].key), topic->pairs[i].value);
    return hash;
}

static int make_places(struct copy *copy)
{
    const struct sl_log_set *set = &copy->view->set;
    uint64_t count = 8;
    uint64_t topics = 0;
    for (unsigned i = 0; i < set->count; i++)
        topics += set->logs[i]->topic_count;
    while (count < 2 * topics)
        count *= 2;
    copy->places = calloc(count, sizeof *copy->places);
    copy->place_mask = (uint32_t)(count - 1);
    return copy->places ? 0 : sl_error(-ENOMEM, "no memory");
}

/* Where the topic's like stands, or may be put. */
static uint32_t *find_place(struct copy *copy, const struct sl_log_topic *topic)
{
    uint32_t at = (uint32_t)hash_topic(copy, topic) & copy->place_mask;
    while (copy->places[at] && !same_topic(copy, copy->topics[copy->places[at] - 1], topic))
        at = (at + 1) & copy->place_mask;
    return &copy->places[at];
}

static int copy_topic(struct copy *copy, const struct sl_log_topic *topic, uint32_t *ret_index)
{
    uint32_t *place = find_place(copy, topic);
    if (*place) {
        *ret_index = *place - 1;
        return 0;
    }
    if (copy->topic_count == copy->topic_room) {
        uint32_t room = copy->topic_room ? 2 * copy->topic_room : 16;
        const struct sl_log_topic **fresh = realloc(copy->topics, room * sizeof *fresh);
        if (!fresh)
            return sl_error(-ENOMEM, "no memory");
        copy->topics = fresh;
        copy->topic_room = room;
    }
    copy->topics[copy->topic_count++] = topic;
    *place = copy->topic_count;
    return sl_log_output_topic(copy->output, topic, ret_index);
}

static int copy_topics(struct copy *copy)
{
    const struct sl_log_set *set = &copy->view->set;
    copy->index = calloc(set->count + 1, sizeof *copy->index);
    int err = copy->index ? make_places(copy) : sl_error(-ENOMEM, "no memory");
    for (unsigned i = 0; i < set->count && !err; i++) {
        const struct sl_log *log = set->logs[i];
        copy->index[i] = calloc(log->topic_count + 1, sizeof **copy->index);
        if (!copy->index[i])
            err = sl_error(-ENOMEM, "no memory");
        for (uint32_t t = 0; t < log->topic_count && !err; t++)
            if (sl_log_view_wants(copy->view, &log->topics[t]))
                err = copy_topic(copy, &log->topics[t], &copy->index[i][t]);
    }
    return err;
}

/* One that is begun and cannot be read to its end would leave no log. */
static bool can_be_read(struct sl_log *log, const struct sl_log_attachment *a)
{
    uint8_t bytes[PIECE_BYTES];
    for (uint64_t done = 0; done < a->size_bytes; done += sizeof bytes) {
        uint64_t left = a->size_bytes - done;
        if (sl_log_read(log, a->offset + done, bytes, left < sizeof bytes ? left : sizeof bytes))
            return false;
    }
    return true;
}

static int copy_attachment(struct copy *copy, struct sl_log *log, const struct sl_log_attachment *a)
{
    if (!copy->view->takes_damaged || can_be_read(log, a))
        return sl_log_write_attachment(sl_log_output_writer(copy->output), a, &log->source);
    sl_log_note_damage(log, a->offset, a->size_bytes, "an attachment, %s", sl_error_text());
    return 0;
}

static int copy_others(struct copy *copy)
{
    const struct sl_log_set *set = &copy->view->set;
    struct sl_log_writer *writer = sl_log_output_writer(copy->output);
    int err = 0;
    for (unsigned i = 0; i < set->count && !err; i++) {
        struct sl_log *log = set->logs[i];
        for (uint32_t a = 0; a < log->attachment_count && !err; a++)
            err = copy_attachment(copy, log, &log->attachments[a]);
        for (uint32_t m = 0; m < log->metadata_count && !err; m++)
            err = sl_log_write_metadata(writer, &log->metadata[m]);
    }
    return err;
}

static int copy_messages(struct copy *copy, struct sl_log_copied *copied)
{
    struct sl_log_item item;
    int result;
    while ((result = sl_log_reader_next(copy->view->reader, &item)) == 1) {
        item.message.topic = copy->index[item.log][item.message.topic];
        int err =
            sl_log_output_message(copy->output, &item.message, item.body, (size_t)item.body_bytes);
        if (err)
            return err;
        copied->messages++;
        copied->bytes += item.body_bytes;
    }
    return result;
}

static const char *profile_of(const struct sl_log_set *set)
{
    return set->count > 0 ? set->logs[0]->profile : "";
}

int sl_log_copy(struct sl_log_view *view, const char *path,
                const struct sl_log_output_options *options, bool wants_messages,
                struct sl_log_copied *ret_copied)
{
    struct sl_log_output_options used = *options;
    struct copy copy = {.view = view,
                        .by_name = options->kind == SL_LOG_OUTPUT_ROSBAG2 ||
                                   options->kind == SL_LOG_OUTPUT_ROSBAG2_SQLITE};
    struct sl_log_copied copied = {0};
    used.write.profile = profile_of(&view->set);
    used.write.library = "sluice";
    int err = sl_log_output_create(path, &used, &copy.output);
    if (!err)
        err = copy_topics(&copy);
    if (!err)
        err = copy_messages(&copy, &copied);
    if (!err)
        err = copy_others(&copy);
    if (!err)
        err = sl_log_output_end(copy.output);
    copied.topics = copy.topic_count;
    bool is_for_nothing = wants_messages && copied.messages == 0;
    if (err || is_for_nothing) /* half a log would be taken for a whole one */
        sl_log_output_discard(copy.output);
    else
        sl_log_output_close(copy.output);
    for (unsigned i = 0; copy.index && i < view->set.count; i++)
        free(copy.index[i]);
    free(copy.index);
    free(copy.topics);
    free(copy.places);
    if (!err)
        *ret_copied = copied;
    return err;
}
