/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_topic_delay.c - sluice topic delay: how old messages are when they arrive. */
#include "core/base/clock.h"
#include "core/base/error.h"
#include "tools/json.h"
#include "tools/looker.h"
#include "tools/window.h"

#include <inttypes.h>
#include <stdio.h>

static struct delay_options {
    const char *topic;
    int64_t window, count;
    int64_t period_ns;
    bool json;
} given;

static const struct sl_option options[] = {
    SL_TOOL_TOPIC(struct delay_options),
    {.name = "window",
     .letter = 'w',
     .kind = SL_OPTION_INT,
     .offset = offsetof(struct delay_options, window),
     .value = "MESSAGES",
     .fallback = "1000",
     .min = 2,
     .max = SL_WINDOW_MAX,
     .help = "How many messages back to look"},
    SL_TOOL_PERIOD(struct delay_options),
    SL_TOOL_COUNT(struct delay_options, "MESSAGES", "End after so many messages"),
    SL_TOOL_JSON(struct delay_options),
};

static const struct sl_command command = {
    .name = "sluice topic delay",
    .summary = "How old messages are when they arrive",
    .details =
        "Two ages: since the publication, and since the stamp, which is when it was measured.\n"
        "The latter is told where the stamp's clock can be compared with this machine's\n"
        "(all but unknown and sensor; a gps or ptp clock is only as near as the two agree).",
    .example = "sluice topic delay /lidar/points        # a line a second, until Ctrl-C",
    .tables = {{"Options", options, sizeof options / sizeof *options, &given},
               SL_TABLE_SPAN,
               SL_TABLE_ENDS},
};

/* TAI is ahead of UTC by whole seconds, 37 since 2017 (IERS Bulletin C). */
#define TAI_OFFSET_NS (37 * (int64_t)SL_NS_PER_S)

struct measure {
    struct sl_window transport, age;
    uint64_t seen;
    enum sl_clock clock;
};

static const char *clock_name(enum sl_clock clock)
{
    static const char *const names[] = {
        [SL_CLOCK_UNKNOWN] = "unknown",   [SL_CLOCK_HOST] = "host",
        [SL_CLOCK_SENSOR] = "sensor",     [SL_CLOCK_GPS] = "gps",
        [SL_CLOCK_PTP] = "ptp",           [SL_CLOCK_PTP_UTC] = "ptp-utc",
        [SL_CLOCK_ANCHORED] = "anchored", [SL_CLOCK_FITTED] = "fitted",
    };
    return (unsigned)clock < sizeof names / sizeof *names ? names[clock] : "unknown";
}

static bool is_comparable(enum sl_clock clock)
{
    return clock != SL_CLOCK_UNKNOWN && clock != SL_CLOCK_SENSOR && clock <= SL_CLOCK_FITTED;
}

static void measure_frame(struct measure *m, const struct sl_frame *frame)
{
    uint64_t now_ns = sl_clock_monotonic_ns();
    int64_t utc_ns = (int64_t)sl_clock_realtime_ns();
    m->seen++;
    m->clock = frame->clock;
    sl_window_add(&m->transport, (double)(int64_t)(now_ns - frame->publish_ns));
    if (frame->clock == SL_CLOCK_PTP)
        utc_ns += TAI_OFFSET_NS;
    if (is_comparable(frame->clock))
        sl_window_add(&m->age, (double)(utc_ns - (int64_t)frame->stamp_ns));
}

static void json_facts(struct sl_json *json, const char *of, const struct sl_window *window)
{
    struct sl_window_facts f;
    sl_window_tell(window, &f);
    const struct {
        const char *name;
        double value;
    } figures[] = {
        {"mean", f.mean}, {"min", f.min}, {"p50", f.p50}, {"p99", f.p99}, {"max", f.max}};
    for (unsigned i = 0; i < sizeof figures / sizeof *figures; i++) {
        char key[48];
        snprintf(key, sizeof key, "%s_%s_ns", of, figures[i].name);
        sl_json_real(json, key, figures[i].value);
    }
}

static void print_facts(const char *of, const struct sl_window *window)
{
    struct sl_window_facts f;
    char min[SL_SHOW_MAX], p50[SL_SHOW_MAX], p99[SL_SHOW_MAX], max[SL_SHOW_MAX];
    sl_window_tell(window, &f);
    printf("%s: min %s  p50 %s  p99 %s  max %s", of, sl_show_ns(f.min, min, sizeof min),
           sl_show_ns(f.p50, p50, sizeof p50), sl_show_ns(f.p99, p99, sizeof p99),
           sl_show_ns(f.max, max, sizeof max));
}

static void print_measure(const struct measure *m)
{
    if (given.json) {
        struct sl_json json;
        sl_json_line(&json, "topic", given.topic);
        sl_json_count(&json, "messages", m->seen);
        sl_json_text(&json, "clock", clock_name(m->clock));
        json_facts(&json, "publish_to_take", &m->transport);
        if (m->age.count > 0)
            json_facts(&json, "stamp_to_take", &m->age);
        sl_json_line_end(&json);
        return;
    }
    print_facts("since publication", &m->transport);
    if (m->age.count > 0)
        print_facts("   since the stamp", &m->age);
    else
        printf("   (the stamp's clock is %s: its age is unknown)", clock_name(m->clock));
    printf("   (%" PRIu64 " messages)\n", m->seen);
    fflush(stdout);
}

static void on_frame(void *context, const struct sl_frame *frame)
{
    measure_frame(context, frame);
}

static void on_line(void *context, bool is_new)
{
    if (is_new)
        print_measure(context);
}

static int run(void)
{
    struct sl_looker looker = {0};
    struct measure m = {0};
    int err = sl_window_init(&m.transport, (unsigned)given.window);
    if (err == 0)
        err = sl_window_init(&m.age, (unsigned)given.window);
    if (err == 0)
        err = sl_looker_open(&looker, given.topic, SL_KEEP_LAST, 0, 0);
    if (err == 0)
        err = sl_looker_lines(&looker, (uint64_t)given.period_ns, (uint64_t)given.count, on_frame,
                              on_line, &m);
    if (err == 0 && m.seen == 0)
        fprintf(stderr, "no message came\n");
    sl_looker_close(&looker);
    sl_window_finish(&m.transport);
    sl_window_finish(&m.age);
    return err;
}

const struct sl_tool sl_tool_topic_delay = {.name = "topic delay", .command = &command, .run = run};
