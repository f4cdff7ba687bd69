/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_topic_hz.c - sluice topic hz: how often, and how evenly, a topic is published.
 *
 * It goes by when messages were published, not by when this tool got to see them. Messages that it
 * missed are known by their number, so the mean is right even then; smallest, largest and deviation
 * are of messages that followed each other. */
#include "core/base/error.h"
#include "tools/json.h"
#include "tools/looker.h"
#include "tools/window.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

static struct hz_options {
    const char *topic;
    int64_t window, count;
    int64_t period_ns;
    bool json;
} given;

static const struct sl_option options[] = {
    SL_TOOL_TOPIC(struct hz_options),
    {.name = "window",
     .letter = 'w',
     .kind = SL_OPTION_INT,
     .offset = offsetof(struct hz_options, window),
     .value = "MESSAGES",
     .fallback = "1000",
     .min = 2,
     .max = SL_WINDOW_MAX,
     .help = "How many messages back to look"},
    SL_TOOL_PERIOD(struct hz_options),
    SL_TOOL_COUNT(struct hz_options, "MESSAGES", "End after so many messages"),
    SL_TOOL_JSON(struct hz_options),
};

static const struct sl_command command = {
    .name = "sluice topic hz",
    .summary = "How often and how evenly a topic is published",
    .details = "Goes by the time of publication. Messages that this tool was too slow to see are\n"
               "known by their number: the rate counts them, the other figures leave them out.",
    .example = "sluice topic hz /lidar/points        # a line a second, until Ctrl-C",
    .tables = {{"Options", options, sizeof options / sizeof *options, &given},
               SL_TABLE_SPAN,
               SL_TABLE_ENDS},
};

struct measure {
    struct sl_window intervals; /* between neighbours */
    uint64_t first_ns, last_ns; /* since the last time the window was full */
    uint64_t messages, missed;  /* in that time, the first left out */
    uint64_t seen, missed_all;
};

static void measure_frame(struct measure *m, const struct sl_frame *frame)
{
    m->seen++;
    if (m->seen == 1) {
        m->first_ns = m->last_ns = frame->publish_ns;
        return;
    }
    uint64_t gap = frame->publish_ns > m->last_ns ? frame->publish_ns - m->last_ns : 0;
    m->last_ns = frame->publish_ns;
    m->messages += 1 + frame->lost_before;
    m->missed_all += frame->lost_before;
    if (frame->lost_before == 0)
        sl_window_add(&m->intervals, (double)gap);
    if (m->messages >= 2 * m->intervals.size) { /* the older half no longer counts */
        uint64_t span_ns = m->last_ns - m->first_ns;
        m->first_ns += span_ns / 2;
        m->messages /= 2;
    }
}

static void print_measure(const struct measure *m)
{
    struct sl_window_facts f;
    sl_window_tell(&m->intervals, &f);
    double hz = m->last_ns > m->first_ns
                    ? (double)m->messages * 1e9 / (double)(m->last_ns - m->first_ns)
                    : 0;
    if (given.json) {
        struct sl_json json;
        sl_json_line(&json, "topic", given.topic);
        sl_json_real(&json, "rate_hz", hz);
        sl_json_real(&json, "interval_mean_ns", f.mean);
        sl_json_real(&json, "interval_min_ns", f.min);
        sl_json_real(&json, "interval_max_ns", f.max);
        sl_json_real(&json, "interval_std_ns", f.deviation);
        sl_json_count(&json, "messages", m->seen);
        sl_json_count(&json, "not_seen", m->missed_all);
        sl_json_line_end(&json);
        return;
    }
    char min[SL_SHOW_MAX], max[SL_SHOW_MAX], deviation[SL_SHOW_MAX];
    printf("%.3f Hz  min %s  max %s  std %s  (%" PRIu64 " messages", hz,
           sl_show_ns(f.min, min, sizeof min), sl_show_ns(f.max, max, sizeof max),
           sl_show_ns(f.deviation, deviation, sizeof deviation), m->seen);
    if (m->missed_all)
        printf(", %" PRIu64 " not seen", m->missed_all);
    puts(")");
    fflush(stdout);
}

static void on_frame(void *context, const struct sl_frame *frame)
{
    measure_frame(context, frame);
}

static void on_line(void *context, bool is_new)
{
    const struct measure *m = context;
    if (is_new && m->seen > 1)
        print_measure(m);
    else if (!is_new && m->seen > 0 && !given.json)
        printf("no new message (%" PRIu64 " so far)\n", m->seen);
    fflush(stdout);
}

static int run(void)
{
    struct sl_looker looker = {0};
    struct measure m = {0};
    int err = sl_window_init(&m.intervals, (unsigned)given.window);
    if (err == 0)
        err = sl_looker_open(&looker, given.topic, SL_KEEP_LAST, 0, 0);
    if (err == 0)
        err = sl_looker_lines(&looker, (uint64_t)given.period_ns, (uint64_t)given.count, on_frame,
                              on_line, &m);
    if (err == 0 && m.seen == 0)
        fprintf(stderr, "no message came\n");
    sl_looker_close(&looker);
    sl_window_finish(&m.intervals);
    return err;
}

const struct sl_tool sl_tool_topic_hz = {.name = "topic hz", .command = &command, .run = run};
