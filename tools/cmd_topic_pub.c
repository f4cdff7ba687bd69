/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_topic_pub.c - sluice topic pub: a message written by hand, once or again and again. */
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/words.h"
#include "core/base/yaml.h"
#include "core/frame/build.h"
#include "core/node/bus.h"
#include "core/shm/layout.h"
#include "core/shm/sluice.h"
#include "tools/tool.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY_MAX    (1u << 20) /* what a person types is smaller */
#define SLOT_COUNT  16u
#define SUBSCRIBERS 8u
#define PATIENCE_NS ((int64_t)SL_NS_PER_S) /* with subscribers that hold every slot */

static struct pub_options {
    const char *topic, *type, *yaml, *file;
    double rate_hz;
    bool once;
    int64_t count, wait, keep_ns;
} given;

static const struct sl_option options[] = {
    {.name = "topic",
     .kind = SL_OPTION_TEXT,
     .flags = SL_OPTION_POSITIONAL | SL_OPTION_REQUIRED,
     .offset = offsetof(struct pub_options, topic),
     .value = "TOPIC",
     .help = "Its name, with a '/' in front"},
    {.name = "type",
     .kind = SL_OPTION_TEXT,
     .flags = SL_OPTION_POSITIONAL | SL_OPTION_REQUIRED,
     .offset = offsetof(struct pub_options, type),
     .value = "TYPE",
     .help = "Its type, such as std_msgs/msg/String"},
    {.name = "message",
     .kind = SL_OPTION_TEXT,
     .flags = SL_OPTION_POSITIONAL,
     .offset = offsetof(struct pub_options, yaml),
     .value = "YAML",
     .help = "The members that are not zero or empty"},
    {.name = "file",
     .letter = 'f',
     .kind = SL_OPTION_TEXT,
     .offset = offsetof(struct pub_options, file),
     .value = "FILE",
     .help = "Read the YAML from this file"},
    {.name = "rate",
     .letter = 'r',
     .kind = SL_OPTION_REAL,
     .offset = offsetof(struct pub_options, rate_hz),
     .value = "HZ",
     .fallback = "1",
     .min = 1e-4,
     .max = 1e5,
     .help = "Messages a second"},
    {.name = "once",
     .letter = '1',
     .kind = SL_OPTION_FLAG,
     .offset = offsetof(struct pub_options, once),
     .help = "One message"},
    {.name = "count",
     .letter = 'n',
     .kind = SL_OPTION_INT,
     .offset = offsetof(struct pub_options, count),
     .value = "MESSAGES",
     .min = 0,
     .max = 1e15,
     .help = "End after so many messages"},
    {.name = "wait",
     .letter = 'w',
     .kind = SL_OPTION_INT,
     .offset = offsetof(struct pub_options, wait),
     .value = "SUBSCRIBERS",
     .min = 0,
     .max = SUBSCRIBERS,
     .help = "Begin when so many subscribe (fail at --timeout)"},
    {.name = "keep",
     .kind = SL_OPTION_DURATION,
     .offset = offsetof(struct pub_options, keep_ns),
     .fallback = "300ms",
     .min = 0,
     .max = 1e18,
     .help = "Stay after the last message, so that it can be taken"},
};

static const struct sl_command command = {
    .name = "sluice topic pub",
    .summary = "Publish a message written in YAML",
    .details =
        "Members that are not given are zero, empty or false. The word now stands for the time\n"
        "of publication where a stamp is expected, auto for a header with that stamp.\n"
        "The last message stays for those who subscribe while this runs.",
    .example = "sluice topic pub /greeting std_msgs/msg/String 'data: hello' --once --wait 1",
    .tables = {{"Options", options, sizeof options / sizeof *options, &given},
               SL_TABLE_SPAN,
               SL_TABLE_ENDS},
};

/* The YAML tree as the builder's source
 * -------------------------------------------------------------*/

static enum sl_value_shape shape_of(void *state, const void *node)
{
    (void)state;
    if (sl_yaml_is_null(node))
        return SL_VALUE_NULL;
    return sl_yaml_is(node, SL_YAML_MAPPING)    ? SL_VALUE_MAP
           : sl_yaml_is(node, SL_YAML_SEQUENCE) ? SL_VALUE_LIST
                                                : SL_VALUE_SCALAR;
}

static struct sl_text text_of(void *state, const void *node)
{
    (void)state;
    return sl_text(sl_yaml_text(node));
}

/* The cursor is the next index, as a pointer. */
static const void *next_of(void *state, const void *node, void **cursor, struct sl_text *ret_key)
{
    (void)state;
    unsigned index = (unsigned)(uintptr_t)*cursor;
    const struct sl_yaml_node *item = sl_yaml_item(node, index);
    if (!item)
        return NULL;
    if (sl_yaml_is(node, SL_YAML_MAPPING))
        *ret_key = sl_text(sl_yaml_text(sl_yaml_key(node, index)));
    *cursor = (void *)(uintptr_t)(index + 1);
    return item;
}

/* One message
 * -------------------------------------------------------------------------------------*/

struct work {
    const struct sl_schema *schema;
    struct sl_yaml *yaml;
    struct sl_publisher *publisher;
    uint32_t inline_max;
    uint8_t *body; /* BODY_MAX bytes */
    uint64_t sent;
};

static int build(struct work *w, uint64_t now_ns, size_t *ret_size)
{
    const struct sl_value_source source = {
        .shape = shape_of,
        .text = text_of,
        .next = next_of,
        .root = w->yaml && !sl_yaml_is_null(sl_yaml_root(w->yaml)) ? sl_yaml_root(w->yaml) : NULL,
        .now_ns = (int64_t)now_ns,
    };
    int err = sl_message_build(w->schema, &source, w->body, BODY_MAX, ret_size);
    return err < 0 ? sl_error_at(err, "%s", w->schema->name) : 0;
}

static int publish(struct work *w)
{
    uint64_t now_ns = sl_clock_realtime_ns();
    size_t size;
    int err = build(w, now_ns, &size);
    if (err < 0)
        return err;
    struct sl_message message = {.stamp_ns = now_ns, .clock = SL_CLOCK_HOST};
    if (size <= w->inline_max) {
        err = sl_publisher_publish_inline(w->publisher, w->body, size, &message);
    } else {
        struct sl_loan loan;
        err = sl_publisher_loan(w->publisher, &loan);
        if (err == -EAGAIN && sl_publisher_wait(w->publisher, PATIENCE_NS) == 0)
            err = sl_publisher_loan(w->publisher, &loan);
        if (err < 0)
            return sl_error_at(err, "%s", given.topic);
        memcpy(loan.data, w->body, size);
        message.body_length = (uint32_t)size;
        err = sl_publisher_publish(w->publisher, &loan, &message);
    }
    w->sent += err == 0;
    return err;
}

/* All of them
 * -------------------------------------------------------------------------------------*/

static int find_schema(struct work *w)
{
    w->schema = sl_schema_find(given.type);
    if (w->schema)
        return 0;
    const char *names[512];
    unsigned count = 0;
    while (count < sizeof names / sizeof *names - 1 && sl_schema_at(count)) {
        names[count] = sl_schema_at(count)->name;
        count++;
    }
    names[count] = NULL;
    const char *nearest = sl_nearest_word(given.type, names);
    return sl_error(-EINVAL, "type %s is not known%s%s%s", given.type,
                    nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
}

static int read_yaml(struct work *w)
{
    if (given.file && given.yaml)
        return sl_error(-EINVAL, "the message is given twice: as an argument and by --file");
    if (given.file)
        return sl_yaml_load(given.file, &w->yaml);
    if (given.yaml)
        return sl_yaml_parse("message", given.yaml, strlen(given.yaml), &w->yaml);
    return 0;
}

static int open_publisher(struct work *w)
{
    size_t size;
    int err =
        build(w, sl_clock_realtime_ns(), &size); /* what is wrong is told before anything starts */
    if (err < 0)
        return err;
    bool small = size <= SL_INLINE_MAX;
    w->inline_max = small ? SL_INLINE_MAX : 0;
    bool chosen = sl_options_given(&command, "bus");
    struct sl_publisher_options publisher = {.topic = given.topic,
                                             .type = w->schema->name,
                                             .domain = sl_scope.domain,
                                             .bus =
                                                 chosen ? sl_bus_at(sl_scope.bus) : SL_BUS_DEFAULT,
                                             .subscribers = SUBSCRIBERS,
                                             .retain = 1,
                                             .inline_max = w->inline_max,
                                             .slot_size = small ? 0 : size,
                                             .slot_count = small ? 0 : SLOT_COUNT,
                                             .quota = small ? 0 : 1};
    return sl_publisher_open(&publisher, &w->publisher);
}

static int wait_for_subscribers(struct work *w, uint64_t start_ns)
{
    struct sl_publisher_status status = {0};
    while (!sl_stopped()) {
        int err = sl_publisher_status(w->publisher, &status);
        if (err < 0 || status.subscribers >= given.wait)
            return err;
        uint64_t now_ns = sl_clock_monotonic_ns();
        if (sl_span.timeout_ns && now_ns >= start_ns + (uint64_t)sl_span.timeout_ns)
            return sl_error(-ETIMEDOUT, "%u of %" PRId64 " subscribers came to %s",
                            status.subscribers, given.wait, given.topic);
        sl_sleep_until(now_ns + 5 * SL_NS_PER_MS);
    }
    return 0;
}

static int publish_all(struct work *w)
{
    uint64_t start_ns = sl_clock_monotonic_ns();
    uint64_t end_ns = sl_span.duration_ns ? start_ns + (uint64_t)sl_span.duration_ns : 0;
    int err = wait_for_subscribers(w, start_ns);
    uint64_t due_ns = sl_clock_monotonic_ns();
    uint64_t wanted = given.once ? 1 : (uint64_t)given.count;
    while (err == 0 && !sl_stopped() && (!end_ns || due_ns < end_ns)) {
        err = publish(w);
        if (err < 0 || (wanted && w->sent >= wanted))
            break;
        due_ns += (uint64_t)(1e9 / given.rate_hz);
        sl_sleep_until(end_ns && end_ns < due_ns ? end_ns : due_ns);
    }
    if (err == 0)
        sl_sleep_until(sl_clock_monotonic_ns() + (uint64_t)given.keep_ns);
    return err;
}

static int run(void)
{
    struct work w = {0};
    sl_stop_on_signals();
    w.body = malloc(BODY_MAX);
    int err = w.body ? 0 : sl_error(-ENOMEM, "no memory for a message of %u bytes", BODY_MAX);
    if (err == 0)
        err = find_schema(&w);
    if (err == 0)
        err = read_yaml(&w);
    if (err == 0)
        err = open_publisher(&w);
    if (err == 0)
        err = publish_all(&w);
    if (err == 0)
        printf("published %" PRIu64 " to %s\n", w.sent, given.topic);
    sl_publisher_close(w.publisher);
    sl_yaml_destroy(w.yaml);
    free(w.body);
    return err;
}

const struct sl_tool sl_tool_topic_pub = {.name = "topic pub", .command = &command, .run = run};
