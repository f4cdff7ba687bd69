/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_cat.c - sluice cat: the messages of recorded logs as lines. */
#include "core/base/error.h"
#include "core/frame/print.h"
#include "core/frame/schema.h"
#include "core/frame/walk.h"
#include "rosbag_compat/definition.h"
#include "rosbag_compat/ros1_body.h"
#include "rosbag_compat/sha256.h"
#include "tools/json.h"
#include "tools/logs.h"
#include "tools/tool.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct cat_options {
    struct sl_option_list files;
    bool hash, yaml;
    int64_t count;
    int64_t list_max;
    uint64_t memory_bytes;
} given;

static const struct sl_option options[] = {
    {.name = "file",
     .kind = SL_OPTION_LIST,
     .flags = SL_OPTION_POSITIONAL | SL_OPTION_REQUIRED,
     .offset = offsetof(struct cat_options, files),
     .value = "LOG",
     .help = "A file, or a folder of rosbag2; several are merged by time"},
    {.name = "hash",
     .kind = SL_OPTION_FLAG,
     .offset = offsetof(struct cat_options, hash),
     .help = "Lines of time in nanoseconds, SHA-256 of the payload, its bytes, and the topic"},
    {.name = "yaml",
     .kind = SL_OPTION_FLAG,
     .offset = offsetof(struct cat_options, yaml),
     .help = "A YAML document a message instead of a JSON line"},
    {.name = "elements",
     .kind = SL_OPTION_INT,
     .offset = offsetof(struct cat_options, list_max),
     .fallback = "16",
     .min = 0,
     .max = 4e9,
     .help = "Of each list so many elements are printed"},
    SL_TOOL_COUNT(struct cat_options, "MESSAGES", "End after so many messages"),
    SL_TOOL_LOG_MEMORY(struct cat_options),
};

static const struct sl_command command = {
    .name = "sluice cat",
    .summary = "The messages of recorded logs, one a line",
    .details =
        "One JSON object a message, or by --yaml one document, in the order of time. \"data\" "
        "is the message\nitself, by the definition in the log or, of types that are built "
        "in, without one; of others size and\nSHA-256 are told.",
    .example = "sluice cat drive.mcap --topic /imu --count 10",
    .tables = {{"Options", options, sizeof options / sizeof *options, &given}, SL_TABLE_LOG_CHOICE},
};

static void print_hash(const struct sl_log_topic *topic, const struct sl_log_item *item)
{
    char hash[SL_SHA256_TEXT_BYTES];
    char name[256];
    sl_sha256_text(item->body, (size_t)item->body_bytes, hash);
    snprintf(name, sizeof name, "%s", topic->name);
    sl_text_tame(name);
    printf("%" PRIu64 " %s %" PRIu64 " %s\n", item->message.receive_ns, hash, item->body_bytes,
           name);
}

/* How a topic's messages are printed: looked for when the first comes. */
struct printer {
    bool is_known;
    struct sl_definition *definition;
    const struct sl_schema *schema; /* NULL: not at all */
    bool is_ros1;
};

static void find_printer(const struct sl_log_topic *topic, struct printer *p)
{
    bool is_cdr = strcmp(topic->encoding, "cdr") == 0;
    p->is_known = true;
    p->is_ros1 = strcmp(topic->encoding, "ros1") == 0;
    if (!is_cdr && !p->is_ros1)
        return;
    const char *wanted = is_cdr ? "ros2msg" : "ros1msg";
    bool has_definition =
        strcmp(topic->definition_encoding, wanted) == 0 && topic->definition_bytes > 0;
    if (has_definition && sl_definition_parse(topic->type, topic->definition,
                                              topic->definition_bytes, &p->definition) == 0)
        p->schema = sl_definition_schema(p->definition);
    else if (is_cdr)
        p->schema = sl_schema_find(topic->type);
}

/* Prints a body that is such a message. */
typedef void print_function(const struct sl_schema *schema, const void *body, size_t size,
                            void *state);

/* False if the type is not known, or the body is no such message: then nothing was printed. */
static bool print_data(const struct printer *p, const struct sl_log_item *item,
                       print_function *print, void *state)
{
    struct sl_buffer cdr = {0};
    const void *body = item->body;
    size_t size = (size_t)item->body_bytes;
    if (!p->schema)
        return false;
    int err = p->is_ros1 ? sl_definition_to_cdr(p->schema, body, size, &cdr) : 0;
    if (p->is_ros1) {
        body = cdr.bytes;
        size = cdr.size_bytes;
    }
    if (!err)
        err = sl_message_walk(p->schema, body, size, NULL, NULL);
    if (!err)
        print(p->schema, body, size, state);
    sl_buffer_finish(&cdr);
    return !err;
}

static void print_json(const struct sl_schema *schema, const void *body, size_t size, void *state)
{
    sl_json_key(state, "data");
    sl_message_print_json(schema, body, size, (uint32_t)given.list_max, stdout);
}

/* As what stands under a key. */
static void print_indented(const char *text)
{
    while (*text) {
        size_t length = strcspn(text, "\n");
        printf("  %.*s\n", (int)length, text);
        text += length + (text[length] == '\n');
    }
}

static void print_yaml(const struct sl_schema *schema, const void *body, size_t size, void *state)
{
    (void)state;
    char *text = NULL;
    size_t text_bytes;
    FILE *to = open_memstream(&text, &text_bytes);
    if (!to)
        printf("data: null # no memory\n");
    if (!to)
        return;
    sl_message_print_yaml(schema, body, size, (uint32_t)given.list_max, to);
    fclose(to);
    printf("data:\n");
    print_indented(text);
    free(text);
}

static void print_yaml_text(const char *key, const char *text)
{
    printf("%s: ", key);
    sl_print_json_text(sl_text(text), stdout); /* which is YAML, too */
    printf("\n");
}

static void print_document(const struct sl_log_topic *topic, struct printer *p,
                           const struct sl_log_item *item)
{
    printf("---\n");
    print_yaml_text("topic", topic->name);
    print_yaml_text("type", topic->type);
    printf("receive_ns: %" PRIu64 "\npublish_ns: %" PRIu64 "\nsequence: %u\nsize_bytes: %" PRIu64
           "\n",
           item->message.receive_ns, item->message.publish_ns, item->message.sequence,
           item->body_bytes);
    if (!print_data(p, item, print_yaml, NULL)) {
        char hash[SL_SHA256_TEXT_BYTES];
        sl_sha256_text(item->body, (size_t)item->body_bytes, hash);
        print_yaml_text("sha256", hash);
    }
}

static void print_object(const struct sl_log_topic *topic, struct printer *p,
                         const struct sl_log_item *item)
{
    struct sl_json json = {.to = stdout};
    sl_json_open(&json, NULL, '{');
    sl_json_text(&json, "topic", topic->name);
    sl_json_text(&json, "type", topic->type);
    sl_json_count(&json, "receive_ns", item->message.receive_ns);
    sl_json_count(&json, "publish_ns", item->message.publish_ns);
    sl_json_count(&json, "sequence", item->message.sequence);
    sl_json_count(&json, "size_bytes", item->body_bytes);
    if (!print_data(p, item, print_json, &json)) {
        char hash[SL_SHA256_TEXT_BYTES];
        sl_sha256_text(item->body, (size_t)item->body_bytes, hash);
        sl_json_text(&json, "sha256", hash);
    }
    sl_json_close(&json, '}');
    fputc('\n', stdout);
}

static void print_message(const struct sl_log_topic *topic, struct printer *p,
                          const struct sl_log_item *item)
{
    if (!p->is_known)
        find_printer(topic, p);
    if (given.yaml)
        print_document(topic, p, item);
    else
        print_object(topic, p, item);
}

/* One for each topic of each log. */
static struct printer **make_printers(const struct sl_log_set *set)
{
    struct printer **printers = calloc(set->count + 1, sizeof *printers);
    for (unsigned i = 0; printers && i < set->count; i++)
        printers[i] = calloc(set->logs[i]->topic_count + 1, sizeof **printers);
    return printers;
}

static void free_printers(struct printer **printers, const struct sl_log_set *set)
{
    for (unsigned i = 0; printers && i < set->count; i++) {
        for (uint32_t t = 0; printers[i] && t < set->logs[i]->topic_count; t++)
            sl_definition_destroy(printers[i][t].definition);
        free(printers[i]);
    }
    free(printers);
}

static int print_messages(struct sl_log_view *view, struct printer **printers)
{
    struct sl_log_item item;
    int64_t count = 0;
    int result = 0;
    while (!sl_stopped() && !ferror(stdout) && (given.count == 0 || count < given.count) &&
           (result = sl_log_reader_next(view->reader, &item)) == 1) {
        const struct sl_log_topic *topic = &view->set.logs[item.log]->topics[item.message.topic];
        if (given.hash)
            print_hash(topic, &item);
        else if (printers && printers[item.log])
            print_message(topic, &printers[item.log][item.message.topic], &item);
        else
            return sl_error(-ENOMEM, "no memory");
        count++;
    }
    return result;
}

static int run(void)
{
    struct sl_log_view view;
    if (given.hash && given.yaml)
        return sl_error(-EINVAL, "choose --hash or --yaml");
    int result =
        sl_log_view_open(&view, given.files.text, given.files.count, given.memory_bytes, 0, false);
    if (result)
        return result;
    sl_stop_on_signals();
    struct printer **printers = make_printers(&view.set);
    result = print_messages(&view, printers);
    free_printers(printers, &view.set);
    for (unsigned i = 0; i < view.set.count && result >= 0; i++)
        if (view.set.logs[i]->damage.count)
            fprintf(stderr, "sluice cat: %s: %s; what is whole was read\n", view.set.files[i].path,
                    view.set.logs[i]->damage.first);
    if (result >= 0)
        sl_log_tell_notes(&view.set, "sluice cat: ", stderr);
    sl_log_view_close(&view);
    return result < 0 ? result : 0;
}

const struct sl_tool sl_tool_cat = {.name = "cat", .command = &command, .run = run};
