/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_topic_list.c - sluice topic list: what is published, by whom, how often. */
#include "core/base/clock.h"
#include "tools/census.h"
#include "tools/json.h"
#include "tools/tool.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static struct list_options {
    bool verbose, json, names;
    int64_t window_ns;
} given;

static const struct sl_option options[] = {
    {.name = "verbose",
     .letter = 'v',
     .kind = SL_OPTION_FLAG,
     .offset = offsetof(struct list_options, verbose),
     .help = "Bandwidth, losses, latency and slots too"},
    {.name = "json",
     .kind = SL_OPTION_FLAG,
     .offset = offsetof(struct list_options, json),
     .help = "One JSON list of all"},
    {.name = "names",
     .kind = SL_OPTION_FLAG,
     .offset = offsetof(struct list_options, names),
     .help = "Names only, at once"},
    {.name = "window",
     .kind = SL_OPTION_DURATION,
     .offset = offsetof(struct list_options, window_ns),
     .fallback = "0.5s",
     .min = 1e6,
     .max = 1e12,
     .help = "How long to look for the rates"},
};

static const struct sl_command command = {
    .name = "sluice topic list",
    .summary = "What is published, by whom, how often",
    .details = "Reads the counters of all processes of the domain in place; they do not notice.\n"
               "LOST counts messages that subscribers missed and did not ask to skip.",
    .example = "sluice topic list -v        # every topic with its rate, losses and latency",
    .tables = {{"Options", options, sizeof options / sizeof *options, &given}, SL_TABLE_SCOPE},
};

static void json_topic(struct sl_json *json, const struct sl_census_topic *t)
{
    sl_json_open(json, NULL, '{');
    sl_json_text(json, "topic", t->name);
    sl_json_text(json, "type", t->type);
    sl_json_count(json, "publishers", t->publishers);
    sl_json_count(json, "subscribers", t->subscribers);
    sl_json_real(json, "rate_hz", t->hz);
    sl_json_real(json, "bandwidth_bytes_per_s", t->bytes_s);
    sl_json_count(json, "messages", t->messages);
    sl_json_count(json, "bytes", t->bytes);
    sl_json_count(json, "lost", t->lost);
    sl_json_count(json, "skipped", t->skipped);
    sl_json_count(json, "slots", t->slots);
    sl_json_count(json, "slots_held", t->held);
    sl_json_count(json, "latency_p50_ns", t->latency_p50_ns);
    sl_json_count(json, "latency_p99_ns", t->latency_p99_ns);
    sl_json_close(json, '}');
}

static void print_json(const struct sl_census *census)
{
    struct sl_json json = {.to = stdout};
    sl_json_open(&json, NULL, '[');
    for (unsigned i = 0; i < census->topic_count; i++)
        json_topic(&json, &census->topics[i]);
    sl_json_close(&json, ']');
    sl_json_end(&json);
}

static void print_verbose(const struct sl_census_topic *t)
{
    char bytes[SL_SHOW_MAX], p50[SL_SHOW_MAX] = "-", p99[SL_SHOW_MAX] = "-";
    if (t->latency_p99_ns) {
        sl_show_ns((double)t->latency_p50_ns, p50, sizeof p50);
        sl_show_ns((double)t->latency_p99_ns, p99, sizeof p99);
    }
    printf("  %11s/s  %8" PRIu64 "  %8s  %8s  %3u/%u",
           sl_show_bytes(t->bytes_s, bytes, sizeof bytes), t->lost, p50, p99, t->held, t->slots);
}

static void print_table(const struct sl_census *census)
{
    int topic_width = 5, type_width = 4;
    for (unsigned i = 0; i < census->topic_count; i++) {
        int topic = (int)strlen(census->topics[i].name), type = (int)strlen(census->topics[i].type);
        topic_width = topic > topic_width ? topic : topic_width;
        type_width = type > type_width ? type : type_width;
    }
    printf("%-*s  %-*s  PUB  SUB  %9s", topic_width, "TOPIC", type_width, "TYPE", "RATE");
    if (given.verbose)
        printf("  %13s  %8s  %8s  %8s  HELD", "BANDWIDTH", "LOST", "P50", "P99");
    putchar('\n');
    for (unsigned i = 0; i < census->topic_count; i++) {
        const struct sl_census_topic *t = &census->topics[i];
        printf("%-*s  %-*s  %3u  %3u  %6.2f Hz", topic_width, t->name, type_width, t->type,
               t->publishers, t->subscribers, t->hz);
        if (given.verbose)
            print_verbose(t);
        puts(t->mixed ? "  publishers disagree about the type" : "");
    }
}

static int run(void)
{
    struct sl_census *census;
    sl_stop_on_signals();
    int err = sl_census_open(sl_scope.domain, &census);
    if (err < 0)
        return err;
    err = given.names ? sl_census_take(census)
                      : sl_census_take_rates(census, (uint64_t)given.window_ns);
    if (err == 0 && given.json)
        print_json(census);
    else if (err == 0 && given.names)
        for (unsigned i = 0; i < census->topic_count; i++)
            puts(census->topics[i].name);
    else if (err == 0 && census->topic_count > 0)
        print_table(census);
    else if (err == 0)
        printf("no topics in domain %s\n", census->watch.domain.name);
    sl_census_close(census);
    return err;
}

const struct sl_tool sl_tool_topic_list = {.name = "topic list", .command = &command, .run = run};
