/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_topic_echo.c - sluice topic echo: messages as text, decoded where they stand. */
#include "core/base/error.h"
#include "core/frame/print.h"
#include "core/frame/walk.h"
#include "tools/json.h"
#include "tools/looker.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DUMP_BYTES 256u /* of a type that is not known */
#define DUMP_LINE  16u

static struct echo_options {
    const char *topic, *type;
    bool once, json, full, no_data;
    int64_t count, elements;
} given;

static const struct sl_option options[] = {
    SL_TOOL_TOPIC(struct echo_options),
    {.name = "once",
     .letter = '1',
     .kind = SL_OPTION_FLAG,
     .offset = offsetof(struct echo_options, once),
     .help = "One message: the last that is there, else the next"},
    SL_TOOL_COUNT(struct echo_options, "MESSAGES", "End after so many messages"),
    SL_TOOL_JSON(struct echo_options),
    {.name = "elements",
     .kind = SL_OPTION_INT,
     .offset = offsetof(struct echo_options, elements),
     .fallback = "16",
     .min = 0,
     .max = 4e9,
     .help = "How many elements of a list are shown"},
    {.name = "full",
     .kind = SL_OPTION_FLAG,
     .offset = offsetof(struct echo_options, full),
     .help = "All elements of all lists"},
    {.name = "no-data",
     .kind = SL_OPTION_FLAG,
     .offset = offsetof(struct echo_options, no_data),
     .help = "Only how many elements the lists have"},
    {.name = "type",
     .kind = SL_OPTION_TEXT,
     .offset = offsetof(struct echo_options, type),
     .value = "TYPE",
     .help = "Only messages of this type"},
};

static const struct sl_command command = {
    .name = "sluice topic echo",
    .summary = "The messages of a topic as text",
    .details =
        "Messages of known types are decoded where they stand and shown as YAML, one document\n"
        "each; of others the first bytes are shown. Messages that come faster than they can be\n"
        "printed are left out, and the next one says how many.",
    .example =
        "sluice topic echo /lidar/points --once        # one cloud, its long lists shortened",
    .tables = {{"Options", options, sizeof options / sizeof *options, &given},
               SL_TABLE_SPAN,
               SL_TABLE_ENDS},
};

/* A type that is not known
 * ------------------------------------------------------------------------*/

static size_t head_of(const struct sl_frame *frame, uint8_t head[DUMP_BYTES])
{
    return sl_frame_copy(frame, 0, head, DUMP_BYTES);
}

static void dump_plain(const struct sl_frame *frame)
{
    uint8_t head[DUMP_BYTES];
    size_t count = head_of(frame, head);
    for (size_t at = 0; at < count; at += DUMP_LINE) {
        printf("  %04zx ", at);
        for (size_t i = at; i < at + DUMP_LINE; i++)
            if (i < count)
                printf(" %02x", head[i]);
            else
                fputs("   ", stdout);
        fputs("  ", stdout);
        for (size_t i = at; i < at + DUMP_LINE && i < count; i++)
            putchar(head[i] >= 0x20 && head[i] < 0x7f ? head[i] : '.');
        putchar('\n');
    }
    if (frame->body_length > count)
        printf("  ... %zu bytes more\n", frame->body_length - count);
}

static void dump_json(struct sl_json *json, const struct sl_frame *frame)
{
    uint8_t head[DUMP_BYTES];
    char text[2 * DUMP_BYTES + 1] = "";
    size_t count = head_of(frame, head);
    for (size_t i = 0; i < count; i++)
        snprintf(text + 2 * i, 3, "%02x", head[i]);
    sl_json_text(json, "first_bytes", text);
}

/* A type that is known
 * ----------------------------------------------------------------------------*/

static uint32_t elements(void)
{
    return given.full ? SL_PRINT_ALL : given.no_data ? 0 : (uint32_t)given.elements;
}

static void show_json(const struct sl_frame *frame, const char *type,
                      const struct sl_schema *schema, const void *body)
{
    struct sl_json json;
    sl_json_line(&json, "topic", given.topic);
    sl_json_text(&json, "type", type);
    sl_json_count(&json, "seq", frame->seq);
    sl_json_count(&json, "stamp_ns", frame->stamp_ns);
    sl_json_count(&json, "publish_ns", frame->publish_ns);
    sl_json_count(&json, "lost_before", frame->lost_before);
    sl_json_count(&json, "body_length", frame->body_length);
    if (schema) {
        sl_json_key(&json, "message");
        if (sl_message_print_json(schema, body, frame->body_length, elements(), stdout) < 0)
            fputs("null", stdout);
    } else {
        dump_json(&json, frame);
    }
    sl_json_line_end(&json);
}

static void show_plain(const struct sl_frame *frame, const char *type,
                       const struct sl_schema *schema, const void *body)
{
    if (frame->lost_before)
        printf("# %" PRIu64 " not shown\n", frame->lost_before);
    if (schema) {
        sl_message_print_yaml(schema, body, frame->body_length, elements(), stdout);
    } else {
        printf("# type %s is not known here; %zu bytes:\n", type, frame->body_length);
        dump_plain(frame);
    }
    puts("---");
    fflush(stdout);
}

/* Shows it whole or says why not. */
static void show(const struct sl_frame *frame, const char *type, void **scratch)
{
    const struct sl_schema *schema = sl_schema_find(type);
    const void *body = NULL;
    enum sl_looker_reading reading = given.full ? SL_LOOKER_COPY : SL_LOOKER_GLANCE;
    int err = schema ? sl_looker_body(frame, reading, scratch, &body) : 0;
    if (err == 0 && schema)
        err = sl_message_walk(schema, body, frame->body_length, NULL, NULL);
    if (err < 0) {
        fprintf(stderr, "message %" PRIu64 " is no %s: %s\n", frame->seq, type, sl_error_text());
        schema = NULL;
    }
    if (given.json)
        show_json(frame, type, schema, body);
    else
        show_plain(frame, type, schema, body);
    if (sl_frame_check(frame) < 0)
        fprintf(stderr, "message %" PRIu64 " was taken back while it was shown\n", frame->seq);
}

static int look(struct sl_looker *looker)
{
    void *scratch = NULL;
    int got = 0;
    uint64_t wanted = given.once ? 1 : (uint64_t)given.count;
    for (uint64_t shown = 0; !wanted || shown < wanted;) {
        struct sl_frame frame;
        got = sl_looker_next(looker, 0, &frame);
        if (got <= 0)
            break;
        const char *type = sl_looker_type(looker, &frame);
        if (!given.type || strcmp(given.type, type) == 0) {
            show(&frame, type, &scratch);
            shown++;
        }
        sl_frame_release(&frame);
        if (ferror(stdout))
            break; /* main tells why */
    }
    free(scratch);
    return got < 0 ? got : 0;
}

static int run(void)
{
    struct sl_looker looker;
    int err = sl_looker_open(&looker, given.topic, SL_KEEP_LAST, given.once ? 1 : 0, 0);
    if (err == 0) {
        err = look(&looker);
        sl_looker_close(&looker);
    }
    return err;
}

const struct sl_tool sl_tool_topic_echo = {.name = "topic echo", .command = &command, .run = run};
