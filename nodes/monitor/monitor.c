/* SPDX-License-Identifier: Apache-2.0 */
/* monitor.c - a consumer that trusts nobody: reads every point of every cloud, or every byte of
 * every test pattern, in place, and sums up at the end what came, what was lost and why, what was
 * wrong, and how late it was. */
#include "nodes/monitor/monitor.h"

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/histogram.h"
#include "core/frame/message.h"
#include "nodes/monitor/check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TOPICS_MAX 16
#define BATCH      16 /* messages of a topic between two looks at the others */

static const char *const policy_names[] = {"keep-last", "latest", "lossless", NULL};
static const enum sl_policy policies[] = {SL_KEEP_LAST, SL_LATEST, SL_LOSSLESS};

struct topic {
    struct sl_subscriber *subscriber;
    const char *name; /* as it was asked for */
    struct monitor_counts counts;
    struct sl_histogram latency; /* publish to take */
};

struct monitor {
    struct sl_option_list topics;
    const char *type;
    bool pattern;
    int policy;
    int64_t depth, expect_frames, within_ns;

    struct sl_pattern_maker maker;
    struct topic topic[TOPICS_MAX];
    unsigned topic_count;
    uint64_t deadline_ns; /* 0 = none */
};

static const struct sl_option options[] = {
    {.name = "topics",
     .letter = 't',
     .kind = SL_OPTION_LIST,
     .offset = offsetof(struct monitor, topics),
     .value = "TOPIC",
     .help = "What is read; may be given several times (default: points)"},
    {.name = "type",
     .kind = SL_OPTION_TEXT,
     .offset = offsetof(struct monitor, type),
     .value = "TYPE",
     .fallback = SL_TYPE_POINTCLOUD2,
     .help = "The topics' type"},
    {.name = "pattern",
     .kind = SL_OPTION_FLAG,
     .offset = offsetof(struct monitor, pattern),
     .help = "Data must be as the driver pattern writes it, every byte; --type is then Image"},
    {.name = "policy",
     .kind = SL_OPTION_CHOICE,
     .offset = offsetof(struct monitor, policy),
     .fallback = "keep-last",
     .choices = policy_names,
     .help = "Which messages are wanted when they come faster than they are read"},
    {.name = "depth",
     .kind = SL_OPTION_INT,
     .offset = offsetof(struct monitor, depth),
     .value = "MESSAGES",
     .fallback = "0",
     .min = 0,
     .max = 65536,
     .help =
         "For keep-last: how far it may fall behind; 0 = as far as the publisher's ring allows"},
    {.name = "expect-frames",
     .kind = SL_OPTION_INT,
     .offset = offsetof(struct monitor, expect_frames),
     .value = "FRAMES",
     .fallback = "0",
     .min = 0,
     .max = 1e15,
     .help = "End when so many came; a faulty one is then a failure"},
    {.name = "within",
     .kind = SL_OPTION_DURATION,
     .offset = offsetof(struct monitor, within_ns),
     .fallback = "0",
     .min = 0,
     .max = 1e15,
     .help = "With expect-frames: fail if they did not come in that time"},
};

static int open_topic(struct monitor *m, struct sl_runtime *runtime, const char *name)
{
    if (m->topic_count == TOPICS_MAX)
        return sl_error(-EINVAL, "option --topics: more than %d topics", TOPICS_MAX);
    struct topic *topic = &m->topic[m->topic_count];
    const struct sl_subscriber_options subscriber = {
        .topic = name, .type = m->type, .policy = policies[m->policy], .depth = (uint32_t)m->depth};
    int err = sl_runtime_subscribe(runtime, &subscriber, &topic->subscriber);
    if (err < 0)
        return err;
    topic->name = name;
    m->topic_count++;
    return 0;
}

static int open_topics(void *state, struct sl_runtime *runtime)
{
    struct monitor *m = state;
    int err = 0;
    if (m->pattern && !sl_runtime_given(runtime, "type"))
        m->type = SL_TYPE_IMAGE;
    if (m->topics.count == 0)
        err = open_topic(m, runtime, "points");
    for (unsigned i = 0; err == 0 && i < m->topics.count; i++)
        err = open_topic(m, runtime, m->topics.text[i]);
    return err;
}

static int open_monitor(void *state, struct sl_runtime *runtime)
{
    struct monitor *m = state;
    int err = open_topics(m, runtime);
    if (err == 0 && m->within_ns) {
        m->deadline_ns = sl_clock_monotonic_ns() + (uint64_t)m->within_ns;
        sl_runtime_wake_at(runtime, m->deadline_ns);
    }
    return err;
}

/* Up to BATCH messages. Returns how many, or an error. */
static int read_topic(struct monitor *m, struct topic *topic)
{
    struct sl_frame frame;
    for (int done = 0; done < BATCH; done++) {
        int err = sl_subscriber_take(topic->subscriber, &frame);
        if (err == -EAGAIN)
            return done;
        if (err == -ECONNABORTED) {
            sl_log(SL_LOG_WARN, "%s: %s", topic->name, sl_error_text());
            continue;
        }
        if (err < 0)
            return err;
        sl_histogram_add(&topic->latency, sl_clock_monotonic_ns() - frame.publish_ns);
        uint64_t faults = monitor_faults(&topic->counts);
        const struct monitor_wanted wanted = {m->type, m->pattern ? &m->maker : NULL};
        monitor_check(&wanted, &frame, &topic->counts);
        if (monitor_faults(&topic->counts) > faults)
            sl_log(SL_LOG_DEBUG, "%s: message %" PRIu64 " is faulty", topic->name, frame.seq);
        sl_frame_release(&frame);
    }
    return BATCH;
}

static int expected(const struct monitor *m)
{
    uint64_t frames = 0, faults = 0;
    for (unsigned i = 0; i < m->topic_count; i++) {
        frames += m->topic[i].counts.frames;
        faults += monitor_faults(&m->topic[i].counts);
    }
    if (frames >= (uint64_t)m->expect_frames)
        return faults
                   ? sl_error(-EBADMSG, "%" PRIu64 " faults in %" PRIu64 " frames", faults, frames)
                   : -ECANCELED;
    if (m->deadline_ns && sl_clock_monotonic_ns() >= m->deadline_ns)
        return sl_error(-ETIMEDOUT, "%" PRIu64 " of %" PRId64 " frames came in time", frames,
                        m->expect_frames);
    return 0;
}

static int work(void *state, struct sl_runtime *runtime)
{
    struct monitor *m = state;
    int done = 0;
    for (unsigned i = 0; i < m->topic_count; i++) {
        int read = read_topic(m, &m->topic[i]);
        if (read < 0)
            return read;
        done += read;
    }
    if (m->expect_frames > 0) {
        int err = expected(m);
        if (err < 0)
            return err;
        sl_runtime_wake_at(runtime, m->deadline_ns);
    }
    return done;
}

static void print_content(const struct monitor *m, const struct monitor_counts *c, char *to,
                          size_t room)
{
    if (m->pattern)
        snprintf(to, room, "%" PRIu64 " patterns", c->patterns);
    else
        snprintf(to, room, "%" PRIu64 " points (%" PRIu64 " valid)", c->points, c->valid);
}

static void sum_up(const struct monitor *m, struct topic *topic)
{
    struct sl_subscriber_status status = {0};
    const struct monitor_counts *c = &topic->counts;
    char faults[200] = "", content[80];
    size_t used = 0;
    sl_subscriber_status(topic->subscriber, &status);
    for (int i = 0; i < MONITOR_FAULTS && used < sizeof faults; i++)
        if (c->fault[i])
            used += (size_t)snprintf(faults + used, sizeof faults - used, "%s%s %" PRIu64,
                                     used ? ", " : "", monitor_fault_name((enum monitor_fault)i),
                                     c->fault[i]);
    print_content(m, c, content, sizeof content);
    uint64_t lost =
        status.lost[SL_LOSS_OVERRUN] + status.lost[SL_LOSS_RECYCLED] + status.lost[SL_LOSS_INVALID];
    sl_log(SL_LOG_INFO,
           "%s: %" PRIu64 " frames, %s, lost %" PRIu64 " (overrun %" PRIu64 ", recycled %" PRIu64
           ", invalid %" PRIu64 "), skipped %" PRIu64 ", faults %" PRIu64
           "%s%s%s, latency us p50 %.1f p99 %.1f max %.1f",
           topic->name, c->frames, content, lost, status.lost[SL_LOSS_OVERRUN],
           status.lost[SL_LOSS_RECYCLED], status.lost[SL_LOSS_INVALID],
           status.lost[SL_LOSS_SKIPPED], monitor_faults(c), used ? " (" : "", faults,
           used ? ")" : "", (double)sl_histogram_quantile_ns(&topic->latency, 0.5) / 1e3,
           (double)sl_histogram_quantile_ns(&topic->latency, 0.99) / 1e3,
           (double)atomic_load(&topic->latency.max_ns) / 1e3);
}

static void close_monitor(void *state, struct sl_runtime *runtime)
{
    struct monitor *m = state;
    (void)runtime;
    for (unsigned i = 0; i < m->topic_count; i++)
        sum_up(m, &m->topic[i]);
}

const struct sl_program monitor_program = {
    .name = "monitor",
    .summary = "Reads every point of every cloud in place and tells what came",
    .details =
        "At its end it logs a line a topic: frames, points, losses by reason, faults, latency.\n"
        "Messages of other known types are checked against their layout, with --pattern every\n"
        "byte of a test pattern against what it must be.",
    .example = "monitor --topics /lidar/points --expect-frames 100 --within 30s",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .state_size = sizeof(struct monitor),
    .open = open_monitor,
    .topics = open_topics,
    .work = work,
    .close = close_monitor,
};
