/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_topic_bw.c - sluice topic bw: how many bytes a topic carries. Read from the counters that its
 * publishers keep anyway: nothing is subscribed to. */
#include "core/base/clock.h"
#include "core/base/error.h"
#include "tools/census.h"
#include "tools/json.h"
#include "tools/tool.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

static struct bw_options {
    const char *topic;
    int64_t period_ns, count;
    bool json;
} given;

static const struct sl_option options[] = {
    SL_TOOL_TOPIC(struct bw_options),
    SL_TOOL_PERIOD(struct bw_options),
    SL_TOOL_COUNT(struct bw_options, "LINES", "End after so many lines"),
    SL_TOOL_JSON(struct bw_options),
};

static const struct sl_command command = {
    .name = "sluice topic bw",
    .summary = "How many bytes a second a topic carries",
    .details = "Reads the publishers' own counters in place; they get no subscriber by it.",
    .example = "sluice topic bw /lidar/points        # a line a second, until Ctrl-C",
    .tables = {{"Options", options, sizeof options / sizeof *options, &given},
               SL_TABLE_SPAN,
               SL_TABLE_SCOPE},
};

static void print_line(const struct sl_census_topic *t)
{
    double size = t->hz > 0 ? t->bytes_s / t->hz : 0;
    if (given.json) {
        struct sl_json json;
        sl_json_line(&json, "topic", t->name);
        sl_json_real(&json, "bandwidth_bytes_per_s", t->bytes_s);
        sl_json_real(&json, "rate_hz", t->hz);
        sl_json_real(&json, "message_mean_bytes", size);
        sl_json_count(&json, "messages", t->messages);
        sl_json_count(&json, "bytes", t->bytes);
        sl_json_line_end(&json);
        return;
    }
    char rate[SL_SHOW_MAX], mean[SL_SHOW_MAX], total[SL_SHOW_MAX];
    printf("%s/s  %.2f Hz of %s  (%s in %" PRIu64 " messages)\n",
           sl_show_bytes(t->bytes_s, rate, sizeof rate), t->hz,
           sl_show_bytes(size, mean, sizeof mean),
           sl_show_bytes((double)t->bytes, total, sizeof total), t->messages);
    fflush(stdout);
}

static bool is_published(const struct sl_census_topic *t)
{
    return t && t->publishers > 0;
}

/* Until the topic is there: 1, or 0 if it is over. */
static int wait_for_topic(struct sl_census *census, uint64_t start_ns, uint64_t end_ns)
{
    bool told = false;
    for (;;) {
        int err = sl_census_take(census);
        if (err < 0)
            return err;
        if (is_published(sl_census_topic(census, given.topic)))
            return 1;
        uint64_t now_ns = sl_clock_monotonic_ns();
        if (sl_stopped() || (end_ns && now_ns >= end_ns))
            return 0;
        if (sl_span.timeout_ns && now_ns >= start_ns + (uint64_t)sl_span.timeout_ns)
            return sl_census_no_topic(census, given.topic);
        if (!told && now_ns >= start_ns + SL_NS_PER_S) {
            told = true;
            sl_census_no_topic(census, given.topic);
            fprintf(stderr, "waiting: %s\n", sl_error_text());
        }
        sl_sleep_until(now_ns + 50 * SL_NS_PER_MS);
    }
}

static int look(struct sl_census *census)
{
    uint64_t start_ns = sl_clock_monotonic_ns();
    uint64_t end_ns = sl_span.duration_ns ? start_ns + (uint64_t)sl_span.duration_ns : 0;
    int err = wait_for_topic(census, start_ns, end_ns);
    for (int64_t lines = 0; err > 0 && (!given.count || lines < given.count); lines++) {
        uint64_t next_ns = census->taken_ns + (uint64_t)given.period_ns;
        if (sl_stopped() || (end_ns && census->taken_ns >= end_ns))
            break;
        sl_sleep_until(end_ns && end_ns < next_ns ? end_ns : next_ns);
        int taken = sl_census_take(census);
        if (taken < 0)
            return taken;
        const struct sl_census_topic *t = sl_census_topic(census, given.topic);
        if (is_published(t))
            print_line(t);
        else if (!sl_stopped())
            return sl_error(-ENOENT, "%s is no longer published", given.topic);
    }
    return err < 0 ? err : 0;
}

static int run(void)
{
    struct sl_census *census;
    sl_stop_on_signals();
    int err = sl_census_open(sl_scope.domain, &census);
    if (err < 0)
        return err;
    err = look(census);
    sl_census_close(census);
    return err;
}

const struct sl_tool sl_tool_topic_bw = {.name = "topic bw", .command = &command, .run = run};
