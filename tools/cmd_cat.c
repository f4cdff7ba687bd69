/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_cat.c - sluice cat: the messages of recorded logs as lines. */
#include "core/base/error.h"
#include "core/frame/print.h"
#include "core/frame/schema.h"
#include "core/frame/walk.h"
#include "rosbag_compat/sha256.h"
#include "tools/json.h"
#include "tools/logs.h"
#include "tools/tool.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static struct cat_options {
    struct sl_option_list files;
    bool hash;
    int64_t count;
    int64_t list_max;
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
    {.name = "elements",
     .kind = SL_OPTION_INT,
     .offset = offsetof(struct cat_options, list_max),
     .fallback = "16",
     .min = 0,
     .max = 4e9,
     .help = "Of each list so many elements are printed"},
    SL_TOOL_COUNT(struct cat_options, "MESSAGES", "End after so many messages"),
};

static const struct sl_command command = {
    .name = "sluice cat",
    .summary = "The messages of recorded logs, one a line",
    .details = "One JSON object a message, in the order of time. \"data\" is the message itself, "
               "where its type is known\nand it is ROS 2's; of others size and SHA-256 are told.",
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

static void print_object(const struct sl_log_topic *topic, const struct sl_log_item *item)
{
    const struct sl_schema *schema =
        strcmp(topic->encoding, "cdr") == 0 ? sl_schema_find(topic->type) : NULL;
    struct sl_json json = {.to = stdout};
    sl_json_open(&json, NULL, '{');
    sl_json_text(&json, "topic", topic->name);
    sl_json_text(&json, "type", topic->type);
    sl_json_count(&json, "receive_ns", item->message.receive_ns);
    sl_json_count(&json, "publish_ns", item->message.publish_ns);
    sl_json_count(&json, "sequence", item->message.sequence);
    sl_json_count(&json, "size_bytes", item->body_bytes);
    if (schema && sl_message_walk(schema, item->body, (size_t)item->body_bytes, NULL, NULL) == 0) {
        sl_json_key(&json, "data");
        sl_message_print_json(schema, item->body, (size_t)item->body_bytes,
                              (uint32_t)given.list_max, stdout);
    } else {
        char hash[SL_SHA256_TEXT_BYTES];
        sl_sha256_text(item->body, (size_t)item->body_bytes, hash);
        sl_json_text(&json, "sha256", hash);
    }
    sl_json_close(&json, '}');
    fputc('\n', stdout);
}

static int run(void)
{
    struct sl_log_view view;
    struct sl_log_item item;
    int64_t count = 0;
    int result = sl_log_view_open(&view, given.files.text, given.files.count, 0, false);
    if (result)
        return result;
    sl_stop_on_signals();
    while (!sl_stopped() && !ferror(stdout) && (given.count == 0 || count < given.count) &&
           (result = sl_log_reader_next(view.reader, &item)) == 1) {
        const struct sl_log_topic *topic = &view.set.logs[item.log]->topics[item.message.topic];
        if (given.hash)
            print_hash(topic, &item);
        else
            print_object(topic, &item);
        count++;
    }
    for (unsigned i = 0; i < view.set.count && result >= 0; i++)
        if (view.set.logs[i]->damage.count)
            fprintf(stderr, "sluice cat: %s: %s; what is whole was read\n", view.set.files[i].path,
                    view.set.logs[i]->damage.first);
    sl_log_view_close(&view);
    return result < 0 ? result : 0;
}

const struct sl_tool sl_tool_cat = {.name = "cat", .command = &command, .run = run};
