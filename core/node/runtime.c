/* SPDX-License-Identifier: Apache-2.0 */
/* runtime.c - from main to exit: options, names, open, loop, close. */
#include "core/node/runtime.h"

#include "core/base/error.h"
#include "core/node/bus.h"
#include "core/node/private.h"
#include "core/node/process.h"
#include "core/shm/sizes.h"
#include "core/shm/stats.h"
#include "core/uncached/memory.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_WRONG_OPTIONS 2

#define COMMON(field) offsetof(struct common_options, field)
static const struct sl_option common_table[] = {
    {.name = "name",
     .kind = SL_OPTION_TEXT,
     .offset = COMMON(name),
     .value = "NAME",
     .help = "The node's name; relative topics stand below it (default: the program's)"},
    {.name = "domain",
     .kind = SL_OPTION_TEXT,
     .offset = COMMON(domain),
     .value = "NAME",
     .help = "The domain, a name that all who want to meet share (default: $SLUICE_DOMAIN)"},
    {.name = "remap",
     .kind = SL_OPTION_LIST,
     .offset = COMMON(remap),
     .value = "FROM:=TO",
     .help = "Use another name for a topic; may be given several times"},
    {.name = "bus",
     .kind = SL_OPTION_CHOICE,
     .offset = COMMON(bus),
     .choices = sl_bus_names,
     .help = "What carries the messages (default: $SLUICE_BUS, else native)"},
    {.name = "log-level",
     .kind = SL_OPTION_CHOICE,
     .offset = COMMON(log_level),
     .fallback = "info",
     .choices = sl_log_level_names,
     .help = "The last level that is shown"},
    {.name = "cpus",
     .kind = SL_OPTION_TEXT,
     .offset = COMMON(cpus),
     .value = "LIST",
     .help = "The processors to run on, such as 0,2-3"},
    {.name = "sched",
     .kind = SL_OPTION_TEXT,
     .offset = COMMON(sched),
     .value = "POLICY",
     .help = "The scheduling: other, batch, idle, fifo:N or rr:N (N 1 to 99)"},
    {.name = "nice",
     .kind = SL_OPTION_INT,
     .offset = COMMON(nice),
     .value = "N",
     .fallback = "0",
     .min = SL_PROCESS_NICE_MIN,
     .max = SL_PROCESS_NICE_MAX,
     .help = "The share of a processor, -20 to 19: with -20 it is woken at once beside what is "
             "never done (default: as it was started)"},
    {.name = "mlock",
     .kind = SL_OPTION_FLAG,
     .offset = COMMON(mlock),
     .help = "Keep the process's memory from being swapped out"},
    {.name = "huge-pages",
     .kind = SL_OPTION_FLAG,
     .offset = COMMON(huge_pages),
     .help = "Slots in huge pages, which must have been set aside; the same as --memory hugetlb"},
    {.name = "memory",
     .kind = SL_OPTION_TEXT,
     .offset = COMMON(memory),
     .value = "KIND",
     .help =
         "What slots are made of: memfd (the default), memfd:thp, hugetlb, vgem, dma-heap:NAME, "
         "bar:DEVICE/N or reserved:ADDRESS+SIZE"},
    {.name = "memory-fallback",
     .kind = SL_OPTION_TEXT,
     .offset = COMMON(memory_fallback),
     .value = "KIND,KIND",
     .help = "The next choices, where the machine lacks the first"},
    {.name = "slots",
     .kind = SL_OPTION_INT,
     .offset = COMMON(slots),
     .value = "N",
     .fallback = "0",
     .max = 65536,
     .help = "Slots of each pool; 0 = as many as its readers may hold, and some to write"},
    {.name = "slot-size",
     .kind = SL_OPTION_SIZE,
     .offset = COMMON(slot_size),
     .value = "BYTES",
     .help = "Of each slot, whole pages (default: what the largest message takes)"},
    {.name = "spin",
     .kind = SL_OPTION_DURATION,
     .offset = COMMON(spin_ns),
     .fallback = "0",
     .max = 1e10,
     .help = "Look for work so long before sleeping: less delay, more processor"},
    {.name = "wake-batch",
     .kind = SL_OPTION_INT,
     .offset = COMMON(wake_batch),
     .value = "N",
     .fallback = "1",
     .min = 1,
     .max = 65536,
     .help = "Sleep until so many messages of a publisher have come: less processor, more delay"},
    {.name = "wake-after",
     .kind = SL_OPTION_DURATION,
     .offset = COMMON(wake_after_ns),
     .fallback = "1ms",
     .min = 1e3,
     .max = 1e12,
     .help = "With --wake-batch: for fewer messages, sleep no longer than this"},
    {.name = "readers",
     .kind = SL_OPTION_TEXT,
     .offset = COMMON(readers),
     .value = "LIST",
     .help = "Who may subscribe beside our own user: users and @groups, such as alice,@video"},
    {.name = "relay",
     .kind = SL_OPTION_FLAG,
     .offset = COMMON(relay),
     .help = "Wake subscribers by a thread of its own, so that publishing does not wait for it"},
    {.name = "stats-period",
     .kind = SL_OPTION_DURATION,
     .offset = COMMON(stats_period_ns),
     .fallback = "0",
     .max = 1e14,
     .help = "Log a line a topic this often; 0 = never"},
    {.name = "check-options",
     .kind = SL_OPTION_FLAG,
     .flags = SL_OPTION_HIDDEN,
     .offset = COMMON(check_options),
     .help = "Read the options and end"},
    {.name = "plan",
     .kind = SL_OPTION_FLAG,
     .flags = SL_OPTION_HIDDEN,
     .offset = COMMON(plan),
     .help = "Tell the topics and their memory, and end"},
};

/* Names -----------------------------------------------------------------------------------------*/

const char *sl_runtime_name(const struct sl_runtime *runtime)
{
    return runtime->name;
}

const char *sl_runtime_domain(const struct sl_runtime *runtime)
{
    return runtime->common.domain;
}

enum sl_bus sl_runtime_bus(const struct sl_runtime *runtime)
{
    return sl_runtime_given(runtime, "bus") ? sl_bus_at(runtime->common.bus) : SL_BUS_DEFAULT;
}

bool sl_runtime_given(const struct sl_runtime *runtime, const char *option)
{
    return sl_options_given(runtime->command, option);
}

/* "points" of the node "lidar" is "/lidar/points". */
static int absolute_topic(const struct sl_runtime *runtime, const char *topic, size_t length,
                          char ret_name[SL_TOPIC_MAX])
{
    int n = length > 0 && topic[0] == '/'
                ? snprintf(ret_name, SL_TOPIC_MAX, "%.*s", (int)length, topic)
                : snprintf(ret_name, SL_TOPIC_MAX, "/%s/%.*s", runtime->name, (int)length, topic);
    if (length == 0 || n >= SL_TOPIC_MAX)
        return sl_error(-EINVAL, "topic '%.*s': a name has 1 to %d characters", (int)length, topic,
                        SL_TOPIC_MAX - 1);
    for (const char *c = ret_name; *c; c++)
        if (!isgraph((unsigned char)*c))
            return sl_error(-EINVAL, "topic '%s': only printable characters without spaces",
                            ret_name);
    return 0;
}

static int bad_remap(const char *text)
{
    return sl_error(-EINVAL, "option --remap: '%s' is not FROM:=TO, two names of topics", text);
}

int sl_runtime_topic(const struct sl_runtime *runtime, const char *topic,
                     char ret_name[SL_TOPIC_MAX])
{
    char wanted[SL_TOPIC_MAX], from[SL_TOPIC_MAX];
    int err = absolute_topic(runtime, topic, strlen(topic), wanted);
    if (err < 0)
        return err;
    const struct sl_option_list *remap = &runtime->common.remap;
    for (unsigned i = 0; i < remap->count; i++) {
        const char *assign = strstr(remap->text[i], ":=");
        if (!assign ||
            absolute_topic(runtime, remap->text[i], (size_t)(assign - remap->text[i]), from) < 0)
            return bad_remap(remap->text[i]);
        if (strcmp(from, wanted) == 0)
            return absolute_topic(runtime, assign + 2, strlen(assign + 2), ret_name);
    }
    memcpy(ret_name, wanted, SL_TOPIC_MAX);
    return 0;
}

static int check_name(const char *name)
{
    size_t length = strlen(name);
    bool is_fine = length > 0 && length < SL_NODE_MAX;
    for (const char *c = name; *c; c++)
        is_fine = is_fine && (isalnum((unsigned char)*c) || *c == '_' || *c == '-');
    if (is_fine)
        return 0;
    return sl_error(-EINVAL, "option --name: '%s' is no name: 1 to %d letters, digits, '_' and '-'",
                    name, SL_NODE_MAX - 1);
}

/* The options of pools. */
static int check_pool(const struct sl_runtime *runtime)
{
    const struct common_options *common = &runtime->common;
    const struct sl_pool_options pool = {.memory = common->memory,
                                         .fallback = common->memory_fallback,
                                         .huge_pages = common->huge_pages};
    char kind[SL_MEMORY_NAME_MAX];
    int found = 1;
    for (unsigned i = 0; found > 0; i++)
        if ((found = sl_pool_choice(&pool, i, kind, sizeof kind)) < 0)
            return sl_error_at(found, "option --%s", i == 0 ? "memory" : "memory-fallback");
    if (common->huge_pages && common->memory)
        return sl_error(-EINVAL, "option --huge-pages is --memory %s; give that or --memory %s",
                        SL_MEMORY_HUGE, common->memory);
    if (sl_runtime_given(runtime, "slot-size") &&
        (common->slot_size == 0 || common->slot_size != sl_memory_round(common->slot_size)))
        return sl_error(-EINVAL,
                        "option --slot-size: %" PRIu64 " is no multiple of %" PRIu64 ", a page",
                        common->slot_size, sl_memory_round(1));
    return 0;
}

/* What the table cannot check. */
static int check_common(struct sl_runtime *runtime)
{
    const struct common_options *common = &runtime->common;
    const char *name = common->name ? common->name : runtime->program->name;
    int err = check_name(name);
    if (err < 0)
        return err;
    memcpy(runtime->name, name, strlen(name) + 1);
    for (unsigned i = 0; i < common->remap.count; i++) {
        const char *text = common->remap.text[i];
        const char *assign = strstr(text, ":=");
        char topic[SL_TOPIC_MAX];
        if (!assign || absolute_topic(runtime, text, (size_t)(assign - text), topic) < 0 ||
            absolute_topic(runtime, assign + 2, strlen(assign + 2), topic) < 0)
            return bad_remap(text);
    }
    if (common->cpus && (err = sl_process_check_cpus(common->cpus)) < 0)
        return err;
    if ((err = check_pool(runtime)) < 0)
        return err;
    if (common->sched && (err = sl_process_check_sched(common->sched)) < 0)
        return err;
    return sl_runtime_given(runtime, "nice") ? sl_process_check_nice(common->nice, common->sched)
                                             : 0;
}

/* Ends ------------------------------------------------------------------------------------------*/

static int take_end(struct sl_runtime *runtime, struct end *ends, unsigned count, const char *topic,
                    struct end **ret_end)
{
    if (count == SL_RUNTIME_ENDS_MAX)
        return sl_error(-EMFILE, "topic %s: a process has at most %d", topic, SL_RUNTIME_ENDS_MAX);
    *ret_end = &ends[count];
    return sl_runtime_topic(runtime, topic, ends[count].topic);
}

/* The common options of pools, for a publisher with slots of its own. */
static int apply_pool(const struct sl_runtime *runtime, struct sl_publisher_options *own)
{
    const struct common_options *common = &runtime->common;
    if (own->pool || own->slot_size == 0)
        return 0;
    if (!own->memory && !own->huge_pages) {
        own->memory = common->memory;
        own->fallback = common->memory_fallback;
        own->huge_pages = common->huge_pages;
    }
    if (common->slots > 0)
        own->slot_count = (uint32_t)common->slots;
    if (common->slot_size > 0 && common->slot_size < own->slot_size)
        return sl_error(-EINVAL,
                        "option --slot-size: %" PRIu64 " bytes are too few for topic %s, whose "
                        "messages have up to %" PRIu64,
                        common->slot_size, own->topic, own->slot_size);
    if (common->slot_size > 0)
        own->slot_size = common->slot_size;
    return 0;
}

/* It is open, with a word on what is not as it was wanted, perhaps. */
static int open_publisher(const struct sl_publisher_options *options,
                          struct sl_publisher **ret_publisher)
{
    int err = sl_publisher_open(options, ret_publisher);
    if (err == 0 && sl_error_text()[0])
        sl_log(SL_LOG_WARN, "%s", sl_error_text());
    return err;
}

int sl_runtime_publish(struct sl_runtime *runtime, const struct sl_publisher_options *options,
                       struct sl_publisher **ret_publisher)
{
    struct end *end = NULL;
    int err = take_end(runtime, runtime->publisher, runtime->publisher_count, options->topic, &end);
    if (err < 0)
        return err;
    struct sl_publisher_options own = *options;
    own.topic = end->topic;
    own.domain = options->domain ? options->domain : runtime->common.domain;
    own.bus = options->bus != SL_BUS_DEFAULT ? options->bus : sl_runtime_bus(runtime);
    own.relay |= runtime->common.relay;
    own.readers = options->readers ? options->readers : runtime->common.readers;
    err = apply_pool(runtime, &own);
    if (err == 0)
        err = runtime->plan ? sl_plan_publisher(runtime, &own)
                            : open_publisher(&own, &end->publisher);
    if (err < 0)
        return err;
    runtime->publisher_count++;
    *ret_publisher = end->publisher;
    return 0;
}

int sl_runtime_subscribe(struct sl_runtime *runtime, const struct sl_subscriber_options *options,
                         struct sl_subscriber **ret_subscriber)
{
    struct end *end = NULL;
    int err =
        take_end(runtime, runtime->subscriber, runtime->subscriber_count, options->topic, &end);
    if (err < 0)
        return err;
    struct sl_subscriber_options own = *options;
    own.topic = end->topic;
    own.domain = options->domain ? options->domain : runtime->common.domain;
    own.bus = options->bus != SL_BUS_DEFAULT ? options->bus : sl_runtime_bus(runtime);
    if (own.wake_batch == 0) {
        own.wake_batch = (uint32_t)runtime->common.wake_batch;
        own.wake_after_ns = runtime->common.wake_after_ns;
    }
    err = runtime->plan ? sl_plan_subscriber(runtime, &own)
                        : sl_subscriber_open(&own, &end->subscriber);
    if (err < 0)
        return err;
    if (!runtime->plan)
        err = sl_runtime_watch(runtime, sl_subscriber_fd(end->subscriber));
    if (err < 0) {
        sl_subscriber_close(end->subscriber);
        return err;
    }
    runtime->subscriber_count++;
    *ret_subscriber = end->subscriber;
    return 0;
}

int sl_runtime_count(struct sl_runtime *runtime, const char *title, const char *const *names,
                     struct sl_counters **ret_counters)
{
    if (runtime->sheet_count == SL_RUNTIME_SHEETS_MAX)
        return sl_error(-EMFILE, "%s: a process has counters of at most %d things", title,
                        SL_RUNTIME_SHEETS_MAX);
    struct sheet *sheet = &runtime->sheet[runtime->sheet_count];
    *sheet = (struct sheet){0};
    int err = sl_counters_open(runtime->common.domain, title, names, &sheet->counters);
    if (err < 0)
        return err;
    runtime->sheet_count++;
    *ret_counters = sheet->counters;
    return 0;
}

static void close_ends(struct sl_runtime *runtime)
{
    while (runtime->sheet_count > 0)
        sl_counters_close(runtime->sheet[--runtime->sheet_count].counters);
    while (runtime->subscriber_count > 0) {
        struct end *end = &runtime->subscriber[--runtime->subscriber_count];
        sl_runtime_unwatch(runtime, sl_subscriber_fd(end->subscriber));
        sl_subscriber_close(end->subscriber);
    }
    while (runtime->publisher_count > 0)
        sl_publisher_close(runtime->publisher[--runtime->publisher_count].publisher);
}

/* Life ------------------------------------------------------------------------------------------*/

/* For the launcher: which option it was, so that it can point at the place in its file. */
static void print_option_error(void)
{
    const char *text = sl_error_text();
    const char *dashes = strstr(text, "--");
    size_t length = dashes ? strspn(dashes + 2, "abcdefghijklmnopqrstuvwxyz"
                                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
                           : 0;
    printf("%.*s\t%s\n", (int)length, dashes ? dashes + 2 : "", text);
    fflush(stdout);
}

/* Does the launcher (whose pid is in the environment) still live? Its death must end us too, in
 * order: by the signal that ends the loop. Our own children are not its. */
static int follow_launcher(struct sl_runtime *runtime)
{
    int64_t launcher;
    const char *text = getenv("SLUICE_LAUNCHED");
    if (!text || sl_parse_int(text, &launcher) < 0)
        return 0;
    unsetenv("SLUICE_LAUNCHED");
    runtime->is_launched = true;
    if (sl_process_die_with((int)launcher, SIGTERM) < 0)
        return sl_error(-ESRCH, "the launcher (process %d) has ended", (int)launcher);
    return 0;
}

static int apply_common(struct sl_runtime *runtime)
{
    const struct common_options *common = &runtime->common;
    int err = 0;
    if (common->cpus)
        err = sl_process_set_cpus(common->cpus);
    if (err == 0 && common->sched)
        err = sl_process_set_sched(common->sched);
    if (err == 0 && sl_runtime_given(runtime, "nice"))
        err = sl_process_set_nice(common->nice);
    return err;
}

/* What comes next may overwrite the sentence, so it is shown at once. */
void sl_runtime_fail(struct sl_runtime *runtime, int err)
{
    const char *text = sl_error_text();
    sl_log(SL_LOG_ERROR, "%s", text[0] ? text : strerror(-err));
    runtime->has_failed = true;
}

static int prepare(struct sl_runtime *runtime)
{
    sl_ready_open(runtime);
    int err = sl_loop_open(runtime);
    if (err == 0)
        err = follow_launcher(runtime);
    /* The launcher puts the node's name in front of each line itself. */
    sl_log_open(runtime->is_launched ? NULL : runtime->name,
                (enum sl_log_level)runtime->common.log_level);
    return err < 0 ? err : apply_common(runtime);
}

static void run(struct sl_runtime *runtime, void *state)
{
    const struct sl_program *program = runtime->program;
    int err = prepare(runtime);
    if (err < 0) {
        sl_runtime_fail(runtime, err);
        return;
    }
    sl_stats_set_name(runtime->name);
    sl_error_clear();
    err = program->open(state, runtime);
    if (err >= 0 && runtime->common.mlock)
        err = sl_process_lock_memory();
    if (err >= 0)
        err = sl_loop_run(runtime, state);
    if (err < 0 && err != -ECANCELED)
        sl_runtime_fail(runtime, err);
    if (program->close)
        program->close(state, runtime);
}

static int read_options(struct sl_runtime *runtime, int argc, char **argv)
{
    int err = sl_options_parse(runtime->command, argc, argv);
    return err == 0 ? check_common(runtime) : err;
}

static bool asks_for(const char *question, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], question) == 0)
            return true;
    return false;
}

/* Returns the exit status. */
static int live(struct sl_runtime *runtime, void *state, int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0); /* a pipe to the launcher must show lines as they come */
    int err = read_options(runtime, argc, argv);
    if (err > 0)
        return 0; /* --help and the like */
    bool asks_for_plan = asks_for("--plan", argc, argv);
    if (asks_for_plan && err == 0)
        err = sl_plan_answer(runtime, state);
    if (asks_for_plan || asks_for("--check-options", argc, argv)) {
        if (err < 0)
            print_option_error();
        return err < 0 ? EXIT_WRONG_OPTIONS : 0;
    }
    if (err < 0) {
        sl_log_open(runtime->program->name, SL_LOG_INFO);
        sl_log(SL_LOG_ERROR, "%s", sl_error_text());
        return EXIT_WRONG_OPTIONS;
    }
    run(runtime, state);
    close_ends(runtime);
    sl_ready_close(runtime);
    sl_loop_close(runtime);
    return runtime->has_failed ? 1 : 0;
}

struct sl_option_table sl_program_common_options(void)
{
    return (struct sl_option_table){"Common options", common_table,
                                    sizeof common_table / sizeof *common_table, NULL};
}

int sl_program_main(const struct sl_program *program, int argc, char **argv)
{
    struct sl_runtime *runtime = calloc(1, sizeof *runtime);
    void *state = calloc(1, program->state_size > 0 ? program->state_size : 1);
    int status = 1;
    if (runtime && state) {
        const struct sl_option_table own = {"Options", program->options, program->option_count,
                                            state};
        struct sl_option_table common = sl_program_common_options();
        common.state = &runtime->common;
        const struct sl_command command = {
            .name = program->name,
            .summary = program->summary,
            .details = program->details,
            .example = program->example,
            /* a table of count 0 ends the list */
            .tables = {program->option_count > 0 ? own : common,
                       program->option_count > 0 ? common : (struct sl_option_table){0}},
        };
        runtime->program = program;
        runtime->command = &command;
        runtime->epoll_fd = runtime->timer_fd = runtime->signal_fd = runtime->ready_fd = -1;
        status = live(runtime, state, argc, argv);
    }
    free(state);
    free(runtime);
    return status;
}
