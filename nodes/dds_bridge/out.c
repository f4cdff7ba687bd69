/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes/dds_bridge/out.h"

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/shm/layout.h"
#include "core/shm/link.h"
#include "nodes/dds_bridge/names.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define BATCH      64    /* messages of a topic between two looks at the others */
#define SLACK      2     /* frames beside the history: the one being sent, one being sent again */
#define SHARING    2     /* best-effort frames that wait for their packet to become full */
#define SMALL      4096  /* bytes: before nothing can be sent, as too many are held, it is copied */
#define COPIES_MAX 16384 /* that readers have not got */

static const char *const full_names[] = {"drop", "copy", "block"};

/* A best-effort message is let go of when its packet is sent, whatever the depth. */
static uint32_t quota_for(const struct cyclone_qos *qos)
{
    bool is_kept = !qos->best_effort || qos->transient_local;
    uint32_t quota = (is_kept || qos->depth < SHARING ? qos->depth : SHARING) + SLACK;
    return quota < SL_QUOTA_MAX ? quota : SL_QUOTA_MAX;
}

static enum sl_policy policy_for(const struct bridge_rule *rule)
{
    return rule->full == BRIDGE_BLOCK ? SL_LOSSLESS : rule->latest ? SL_LATEST : SL_KEEP_LAST;
}

struct sl_expected out_expected(const struct bridge_rule *rule)
{
    struct sl_expected expected = {.policy = policy_for(rule), .quota = quota_for(&rule->qos)};
    struct cyclone_qos retained = {.depth = rule->qos.depth}; /* as choose_qos */
    if (!rule->says_qos && rule->says_depth)
        expected.retained_quota = quota_for(&retained);
    else if (!rule->says_qos)
        expected.more_than_retained = SLACK;
    return expected;
}

/* A topic that retains messages on the bus does so in DDS, unless the rule says otherwise. */
static void choose_qos(struct out *o, const struct sl_stats_view *publisher)
{
    o->qos = o->rule->qos;
    if (!o->rule->says_qos && publisher->depth > 0) {
        o->qos.best_effort = false;
        o->qos.transient_local = true;
        if (!o->rule->says_depth)
            o->qos.depth =
                publisher->depth < BRIDGE_DEPTH_MAX ? publisher->depth : BRIDGE_DEPTH_MAX;
    }
    o->full = o->rule->full;
    o->qos.keep_all |= o->full == BRIDGE_BLOCK;
    o->limit = o->most = quota_for(&o->qos);
}

static int open_subscriber(struct out *o, struct sl_runtime *runtime, const char *type)
{
    struct sl_subscriber_options options = {
        .topic = o->rule->name[0] ? o->rule->name : o->topic,
        .type = type,
        .policy = policy_for(o->rule),
        .depth = policy_for(o->rule) == SL_KEEP_LAST ? o->qos.depth : 0,
        .quota = quota_for(&o->qos),
        .history = o->qos.depth,
    };
    int err = sl_runtime_subscribe(runtime, &options, &o->subscriber);
    if (err == -EPERM && options.policy == SL_LOSSLESS) {
        options.policy = SL_KEEP_LAST;
        err = sl_runtime_subscribe(runtime, &options, &o->subscriber);
        if (err == 0)
            sl_log(SL_LOG_WARN,
                   "%s: when-full=block: its publisher does not wait for anybody; messages may be "
                   "lost",
                   o->topic);
    }
    return err;
}

/* In the order of out_count. */
static const char *const counter_names[] = {
    "sent",    "bytes",      "copied",     "thinned", "overrun", "recycled", "skipped",
    "refused", "unreadable", "taken_back", "full",    "held",    "readers",  NULL};

static void open_counters(struct out *o, struct sl_runtime *runtime, const char *dds_topic)
{
    char title[SL_STATS_TITLE];
    snprintf(title, sizeof title, "%s -> DDS %.150s", o->topic, dds_topic);
    if (sl_runtime_count(runtime, title, counter_names, &o->counters) < 0)
        sl_log(SL_LOG_WARN, "%s goes out uncounted: %s", o->topic, sl_error_text());
}

void out_count(const struct out *o)
{
    struct cyclone_writer_status s;
    struct sl_subscriber_status bus;
    if (!o->counters)
        return;
    cyclone_writer_status(o->writer, &s);
    sl_subscriber_status(o->subscriber, &bus);
    const uint64_t values[] = {s.sent,
                               s.bytes,
                               s.copied,
                               o->thinned,
                               bus.lost[SL_LOSS_OVERRUN],
                               bus.lost[SL_LOSS_RECYCLED],
                               bus.lost[SL_LOSS_SKIPPED],
                               s.failed,
                               o->unreadable,
                               s.stale,
                               o->parked,
                               cyclone_writer_held(o->writer),
                               s.readers};
    static_assert(sizeof values / sizeof *values + 1 ==
                      sizeof counter_names / sizeof *counter_names,
                  "a value for each name");
    sl_counters_set(o->counters, values);
}

int out_open(struct out *o, struct sl_runtime *runtime, struct cyclone *cyclone,
             const struct bridge_rule *rule, const struct bridge_origins *origins,
             const struct sl_stats_view *publisher)
{
    char topic[BRIDGE_TOPIC_MAX], type[BRIDGE_TYPE_MAX];
    *o = (struct out){.rule = rule, .origins = origins};
    snprintf(o->topic, sizeof o->topic, "%s", publisher->topic);
    choose_qos(o, publisher);
    int err = bridge_topic_to_dds(rule->as[0] ? rule->as : o->topic, topic);
    if (err == 0)
        err = bridge_type_to_dds(publisher->type, type);
    if (err == 0)
        err = cyclone_writer_open(cyclone, topic, type, &o->qos, &o->writer);
    if (err < 0)
        return err;
    err = open_subscriber(o, runtime, publisher->type);
    if (err < 0) {
        cyclone_writer_cancel(cyclone, o->writer);
        return err;
    }
    /* nothing may fail from here on: nobody would take from the subscriber */
    open_counters(o, runtime, topic);
    o->layout = bridge_rule_layout(rule, o->topic, publisher->type);
    sl_log(SL_LOG_INFO, "%s -> DDS %s (%s), %s, %s, %s, at most %u frames held, then %s", o->topic,
           topic, type, o->qos.best_effort ? "best effort" : "reliable",
           o->qos.transient_local ? "transient local" : "volatile",
           o->qos.keep_all ? "keep all" : "keep last", o->limit, full_names[o->full]);
    return 0;
}

/* Sending ---------------------------------------------------------------------------------------*/

/* May no other message be taken now? */
static bool is_full(const struct out *o)
{
    uint32_t copies = cyclone_writer_copies(o->writer), copies_most = COPIES_MAX;
    if (o->qos.keep_all && (o->full == BRIDGE_COPY || o->copies_kept)) /* nothing is displaced */
        copies_most = o->qos.transient_local ? 2 * o->qos.depth : o->qos.depth;
    return cyclone_writer_has_pending(o->writer) || cyclone_writer_held(o->writer) >= o->most ||
           copies >= copies_most;
}

/* Its subscriber would be readable all the time, so it is not waited for meanwhile. */
static void park(struct out *o, struct sl_runtime *runtime)
{
    o->is_parked = true;
    o->parked++;
    sl_runtime_unwatch(runtime, sl_subscriber_fd(o->subscriber));
}

/* True if it may go on. */
static bool unpark(struct out *o, struct sl_runtime *runtime)
{
    cyclone_writer_await(o->writer); /* before looking: what ends from now on is told */
    bool still_waits = cyclone_writer_retry(o->writer) == -EAGAIN;
    cyclone_writer_flush(o->writer);
    if (still_waits || is_full(o))
        return false;
    o->is_parked = false;
    o->most = o->limit;
    return sl_runtime_watch(runtime, sl_subscriber_fd(o->subscriber)) == 0;
}

static bool comes_too_early(struct out *o)
{
    if (o->rule->period_ns == 0)
        return false;
    uint64_t now_ns = sl_clock_monotonic_ns();
    if (now_ns < o->next_ns)
        return true;
    uint64_t due_ns = o->next_ns + (uint64_t)o->rule->period_ns;
    o->next_ns = due_ns > now_ns ? due_ns : now_ns + (uint64_t)o->rule->period_ns;
    return false;
}

static void tell_of_copies(struct out *o)
{
    if (!o->copies_kept)
        sl_log(SL_LOG_INFO,
               "%s: %u messages are kept for late joiners, but fewer may be held, by a publisher's "
               "quota or at all: some are copied",
               o->topic, o->qos.depth);
    o->copies_kept = true;
}

/* A place for the next take must be left: what is kept for late joiners is held until that one
 * displaces it. Whose frames they are counts too, as each publisher has a quota of its own. */
static enum cyclone_way way_for(struct out *o, const struct sl_frame *frame)
{
    bool is_last = sl_link_room(frame->link) == 0;
    if (!is_last && cyclone_writer_held(o->writer) + 1 < o->limit)
        return CYCLONE_HOLD;
    bool must_copy = o->qos.transient_local && (is_last || o->limit <= o->qos.depth);
    if (must_copy)
        tell_of_copies(o);
    bool may_copy = must_copy || o->full == BRIDGE_COPY || frame->body_length <= SMALL;
    return may_copy ? CYCLONE_COPY : CYCLONE_HOLD;
}

/* With another frame_id: another beginning before the frame's bytes. */
static int send_renamed(struct out *o, struct sl_frame *frame)
{
    unsigned char begin[FRAME_HEAD_MAX]; /* a copy, which its publisher cannot change */
    struct frame_head made;
    size_t size = sl_frame_copy(frame, 0, begin, sizeof begin);
    int err = frame_head_make(o->layout, o->rule->frame_id, begin, size, &made);
    if (err < 0) {
        o->unreadable++;
        sl_frame_release(frame);
        return err;
    }
    const struct cyclone_head head = {made.bytes, made.size_bytes, made.replaces};
    return cyclone_writer_send(o->writer, frame, &head, way_for(o, frame));
}

static void send_frame(struct out *o, struct sl_frame *frame)
{
    bool is_own = bridge_origins_has(o->origins, frame->instance);
    if (is_own || comes_too_early(o)) {
        o->thinned += !is_own;
        sl_frame_release(frame);
        return;
    }
    int err = o->layout ? send_renamed(o, frame)
                        : cyclone_writer_send(o->writer, frame, NULL, way_for(o, frame));
    if (err < 0 && err != -EAGAIN)
        sl_log_limited(&o->fault_log, SL_LOG_WARN, "%s: a message is left out: %s", o->topic,
                       sl_error_text());
}

/* As unpark: a release may have come meanwhile. */
static bool wait_for_release(struct out *o, struct sl_runtime *runtime)
{
    park(o, runtime);
    return unpark(o, runtime);
}

/* False: there is nothing to be done now. */
static bool send_next(struct out *o, struct sl_runtime *runtime)
{
    struct sl_frame frame;
    if (is_full(o))
        cyclone_writer_flush(o->writer); /* what was not sent yet is held, too */
    if (is_full(o))
        return wait_for_release(o, runtime);
    uint32_t held = cyclone_writer_held(o->writer); /* before the take may be refused */
    int err = sl_subscriber_take(o->subscriber, &frame);
    switch (err) {
    case 0:
        send_frame(o, &frame);
        return true;
    case -EAGAIN:
        return false;
    case -EDQUOT: /* a publisher's quota is less than the limit */
        o->most = held > 0 ? held : 1;
        return wait_for_release(o, runtime);
    default: /* of one publisher, which is not read any more */
        sl_log_limited(&o->fault_log, SL_LOG_WARN, "%s: %s", o->topic, sl_error_text());
        return true;
    }
}

int out_work(struct out *o, struct sl_runtime *runtime)
{
    int done = 0;
    if (o->is_parked && !unpark(o, runtime))
        return 0;
    while (done < BATCH && !o->is_parked && send_next(o, runtime))
        done++;
    cyclone_writer_flush(o->writer);
    return done;
}

void out_sum_up(const struct out *o)
{
    struct cyclone_writer_status s;
    struct sl_subscriber_status bus;
    cyclone_writer_status(o->writer, &s);
    sl_subscriber_status(o->subscriber, &bus);
    sl_log(SL_LOG_INFO,
           "%s: %" PRIu64 " messages sent, %" PRIu64 " bytes, %" PRIu64 " copied, %" PRIu64
           " thinned out, %" PRIu64 " refused, %" PRIu64 " unreadable, %" PRIu64
           " taken back, lost on the bus %" PRIu64 " (overrun %" PRIu64 ", recycled %" PRIu64
           ", skipped %" PRIu64 "), %" PRIu64 " times as many frames held as may be",
           o->topic, s.sent, s.bytes, s.copied, o->thinned, s.failed, o->unreadable, s.stale,
           bus.lost[SL_LOSS_OVERRUN] + bus.lost[SL_LOSS_RECYCLED] + bus.lost[SL_LOSS_SKIPPED],
           bus.lost[SL_LOSS_OVERRUN], bus.lost[SL_LOSS_RECYCLED], bus.lost[SL_LOSS_SKIPPED],
           o->parked);
}
