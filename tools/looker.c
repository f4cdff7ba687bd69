/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/looker.h"

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/node/bus.h"
#include "tools/census.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TELL_NS (SL_NS_PER_S) /* silence that is worth a word */
#define GLANCE_NS                                                                   \
    (200 * SL_NS_PER_MS) /* a signal that came just before the wait is seen by then \
                          */

int sl_looker_open(struct sl_looker *looker, const char *topic, enum sl_policy policy,
                   uint32_t history, uint64_t default_timeout_ns)
{
    *looker = (struct sl_looker){.topic = topic, .start_ns = sl_clock_monotonic_ns()};
    if (topic[0] != '/')
        return sl_error(-EINVAL, "topic '%s' does not begin with '/'; did you mean /%s?", topic,
                        topic);
    looker->tell_ns = looker->start_ns + TELL_NS;
    looker->timeout_ns = sl_span.timeout_ns ? (uint64_t)sl_span.timeout_ns : default_timeout_ns;
    if (sl_span.duration_ns)
        looker->end_ns = looker->start_ns + (uint64_t)sl_span.duration_ns;
    sl_stop_on_signals();
    struct sl_subscriber_options options = {.topic = topic,
                                            .domain = sl_scope.domain,
                                            .policy = policy,
                                            .quota = 1,
                                            .history = history,
                                            .visitor = true,
                                            .bus = sl_bus_at(sl_scope.bus)};
    return sl_subscriber_open(&options, &looker->subscriber);
}

bool sl_looker_over(const struct sl_looker *looker)
{
    return sl_stopped() || (looker->end_ns && sl_clock_monotonic_ns() >= looker->end_ns);
}

/* Why is nothing coming? As sl_error_text(). */
static int tell_silence(struct sl_looker *looker)
{
    struct sl_subscriber_status status;
    if (sl_subscriber_status(looker->subscriber, &status) == 0 && status.publishers > 0)
        return sl_error(-ETIMEDOUT, "%s is published, but no message came", looker->topic);
    if (status.refusal && status.refusal[0])
        return sl_error(-ETIMEDOUT, "%s: %s", looker->topic, status.refusal);
    struct sl_census *census;
    int err = sl_census_open(sl_scope.domain, &census);
    if (err < 0)
        return err;
    err = sl_census_take(census);
    if (err == 0)
        err = sl_census_no_topic(census, looker->topic);
    sl_census_close(census);
    return err;
}

static int waited(struct sl_looker *looker, uint64_t now_ns)
{
    if (looker->frames > 0)
        return 0;
    if (looker->timeout_ns && now_ns >= looker->start_ns + looker->timeout_ns) {
        tell_silence(looker);
        return -ETIMEDOUT;
    }
    if (looker->tell_ns && now_ns >= looker->tell_ns) {
        looker->tell_ns = 0;
        tell_silence(looker);
        if (!looker->quiet)
            fprintf(stderr, "waiting: %s\n", sl_error_text());
    }
    return 0;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return b && b < a ? b : a;
}

int sl_looker_next(struct sl_looker *looker, uint64_t until_ns, struct sl_frame *ret_frame)
{
    for (;;) {
        int err = sl_subscriber_take(looker->subscriber, ret_frame);
        if (err == 0) {
            looker->frames++;
            return 1;
        }
        if (err != -EAGAIN && err != -ECONNABORTED)
            return err;
        if (sl_looker_over(looker))
            return 0;
        uint64_t now_ns = sl_clock_monotonic_ns();
        if (until_ns && now_ns >= until_ns)
            return 0;
        if ((err = waited(looker, now_ns)) < 0)
            return err;
        uint64_t wake_ns = earlier(now_ns + GLANCE_NS, until_ns);
        wake_ns = earlier(wake_ns, looker->end_ns);
        if (looker->timeout_ns && looker->frames == 0)
            wake_ns = earlier(wake_ns, looker->start_ns + looker->timeout_ns);
        err = sl_subscriber_wait(looker->subscriber,
                                 wake_ns > now_ns ? (int64_t)(wake_ns - now_ns) : 0);
        if (err < 0 && err != -ETIMEDOUT && err != -EINTR)
            return err;
    }
}

int sl_looker_lines(struct sl_looker *looker, uint64_t period_ns, uint64_t count,
                    void (*on_frame)(void *context, const struct sl_frame *frame),
                    void (*on_line)(void *context, bool is_new), void *context)
{
    uint64_t line_ns = sl_clock_monotonic_ns() + period_ns;
    uint64_t told = 0;
    while (!count || looker->frames < count) {
        struct sl_frame frame;
        int got = sl_looker_next(looker, line_ns, &frame);
        if (got < 0)
            return got;
        if (got > 0) {
            on_frame(context, &frame);
            sl_frame_release(&frame);
        } else if (sl_looker_over(looker)) {
            break;
        }
        uint64_t now_ns = sl_clock_monotonic_ns();
        if (now_ns < line_ns)
            continue;
        line_ns = now_ns + period_ns;
        on_line(context, looker->frames != told);
        told = looker->frames;
    }
    if (looker->frames != told)
        on_line(context, true);
    return 0;
}

/* Types -----------------------------------------------------------------------------------------*/

struct search {
    uint64_t instance;
    char *type;
};

static int visit_type(void *context, const struct sl_stats_view *view)
{
    struct search *search = context;
    if (view->kind != SL_STATS_PUBLISHER || view->instance != search->instance)
        return 0;
    memcpy(search->type, view->type, SL_TYPE_MAX);
    sl_text_tame(search->type);
    return 1;
}

const char *sl_looker_type(struct sl_looker *looker, const struct sl_frame *frame)
{
    for (unsigned i = 0; i < SL_LOOKER_TYPES; i++)
        if (looker->types[i].type[0] && looker->types[i].instance == frame->instance)
            return looker->types[i].type;
    char type[SL_TYPE_MAX] = "";
    struct sl_stats_watch watch;
    if (sl_stats_watch_open(sl_scope.domain, &watch) < 0)
        return "?";
    if (sl_stats_watch_refresh(&watch, 200) >= 0)
        sl_stats_each(&watch, visit_type, &(struct search){frame->instance, type});
    sl_stats_watch_close(&watch);
    if (!type[0])
        return "?";
    unsigned place = looker->type_next++ % SL_LOOKER_TYPES;
    looker->types[place].instance = frame->instance;
    memcpy(looker->types[place].type, type, sizeof type);
    return looker->types[place].type;
}

int sl_looker_body(const struct sl_frame *frame, enum sl_looker_reading reading, void **scratch,
                   const void **ret_body)
{
    if (frame->body && reading == SL_LOOKER_GLANCE) {
        *ret_body = frame->body;
        return 0;
    }
    if (frame->body_length > SL_LOOKER_COPY_MAX)
        return sl_error(-EFBIG, "a body of %zu bytes is not copied; %u are the most",
                        frame->body_length, SL_LOOKER_COPY_MAX);
    void *room = realloc(*scratch, frame->body_length ? frame->body_length : 1);
    if (!room)
        return sl_error(-ENOMEM, "no memory for a body of %zu bytes", frame->body_length);
    *scratch = room;
    if (sl_frame_copy(frame, 0, room, frame->body_length) != frame->body_length)
        return sl_error(-EBADMSG, "the pieces of a body are shorter than it says");
    *ret_body = room;
    return 0;
}

void sl_looker_close(struct sl_looker *looker)
{
    sl_subscriber_close(looker->subscriber);
    looker->subscriber = NULL;
}
