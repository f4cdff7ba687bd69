/* SPDX-License-Identifier: Apache-2.0 */
/* report.c - what a process tells of itself: once that it is ready, now and then how it fares. */
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/node/private.h"
#include "core/shm/subscriber.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The launcher gives a pipe's number in SLUICE_READY_FD. It must not reach our own children, who
 * would keep the pipe open. */
void sl_ready_open(struct sl_runtime *runtime)
{
    runtime->ready_fd = -1;
    const char *text = getenv("SLUICE_READY_FD");
    int64_t fd;
    if (!text || sl_parse_int(text, &fd) < 0 || fd <= STDERR_FILENO || fd > INT32_MAX)
        return;
    unsetenv("SLUICE_READY_FD");
    if (fcntl((int)fd, F_SETFD, FD_CLOEXEC) == 0)
        runtime->ready_fd = (int)fd;
}

void sl_ready_close(struct sl_runtime *runtime)
{
    if (runtime->ready_fd >= 0)
        close(runtime->ready_fd);
    runtime->ready_fd = -1;
}

/* A publisher that open() left with a loan has shown it already. */
static bool could_loan(struct sl_publisher *publisher)
{
    struct sl_publisher_status status;
    if (sl_publisher_status(publisher, &status) == 0 &&
        (status.slots == 0 || status.slots_loaned > 0 || status.published > 0))
        return true;
    struct sl_loan loan;
    int err = sl_publisher_loan(publisher, &loan);
    if (err == 0)
        sl_publisher_discard(publisher, &loan);
    return err == 0 || err == -ENOTSUP;
}

bool sl_ready_pending(struct sl_runtime *runtime)
{
    if (runtime->is_ready)
        return false;
    for (unsigned i = 0; i < runtime->publisher_count; i++)
        if (!could_loan(runtime->publisher[i].publisher))
            return true;
    runtime->is_ready = true;
    if (runtime->ready_fd >= 0) {
        static const char word[] = "ready\n";
        ssize_t written = write(runtime->ready_fd, word, sizeof word - 1);
        (void)written; /* a launcher that is gone is told by its death */
        sl_ready_close(runtime);
    }
    return false;
}

void sl_report_refusals(struct sl_runtime *runtime)
{
    for (unsigned i = 0; i < runtime->subscriber_count; i++) {
        struct end *end = &runtime->subscriber[i];
        const char *refusal = sl_subscriber_refusal(end->subscriber);
        if (strcmp(refusal, end->refusal_told) == 0)
            continue;
        snprintf(end->refusal_told, sizeof end->refusal_told, "%s", refusal);
        sl_log(SL_LOG_WARN, "a publisher is not read: %s", refusal);
    }
}

/* Statistics ------------------------------------------------------------------------------------*/

static void report_publisher(struct end *end, double seconds)
{
    struct sl_publisher_status s;
    if (sl_publisher_status(end->publisher, &s) < 0)
        return;
    sl_log(SL_LOG_INFO, "%s: %.1f/s, %.1f MB/s, %u subscribers, %u of %u slots held, %llu refused",
           end->topic, (double)(s.published - end->seen_messages) / seconds,
           (double)(s.bytes - end->seen_bytes) / seconds / 1e6, s.subscribers, s.slots_held,
           s.slots, (unsigned long long)s.refused);
    end->seen_messages = s.published;
    end->seen_bytes = s.bytes;
}

static void report_subscriber(struct end *end, double seconds)
{
    struct sl_subscriber_status s;
    if (sl_subscriber_status(end->subscriber, &s) < 0)
        return;
    uint64_t lost = 0;
    for (unsigned i = 0; i < SL_LOSS_REASONS; i++)
        lost += s.lost[i];
    sl_log(SL_LOG_INFO, "%s: %.1f/s taken, %llu lost (%llu more), latency p50 %.1f us, p99 %.1f us",
           end->topic, (double)(s.taken - end->seen_messages) / seconds, (unsigned long long)lost,
           (unsigned long long)(lost - end->seen_lost), (double)s.latency_p50_ns / 1e3,
           (double)s.latency_p99_ns / 1e3);
    end->seen_messages = s.taken;
    end->seen_lost = lost;
}

/* "/points -> DDS rt/points: sent 120 (10.0/s), thinned 3": what is zero is left out. */
static void report_sheet(struct sheet *sheet, double seconds)
{
    const struct sl_stats_sheet *s = sl_counters_sheet(sheet->counters);
    uint64_t first = atomic_load_explicit(&s->value[0], memory_order_relaxed);
    char text[SL_STATS_COUNTERS * (SL_STATS_NAME + 24)];
    size_t used = (size_t)snprintf(text, sizeof text, "%s %" PRIu64 " (%.1f/s)", s->name[0], first,
                                   (double)(first - sheet->seen) / seconds);
    for (unsigned i = 1; i < SL_STATS_COUNTERS && s->name[i][0]; i++) {
        uint64_t value = atomic_load_explicit(&s->value[i], memory_order_relaxed);
        if (value > 0)
            used += (size_t)snprintf(text + used, sizeof text - used, ", %s %" PRIu64, s->name[i],
                                     value);
    }
    sl_log(SL_LOG_INFO, "%s: %s", s->title, text);
    sheet->seen = first;
}

void sl_report_if_due(struct sl_runtime *runtime, uint64_t now_ns)
{
    uint64_t period_ns = (uint64_t)runtime->common.stats_period_ns;
    if (period_ns == 0 || now_ns < runtime->next_stats_ns)
        return;
    if (runtime->next_stats_ns != 0) {
        double seconds = (double)(now_ns - runtime->last_stats_ns) / 1e9;
        for (unsigned i = 0; i < runtime->publisher_count; i++)
            report_publisher(&runtime->publisher[i], seconds);
        for (unsigned i = 0; i < runtime->subscriber_count; i++)
            report_subscriber(&runtime->subscriber[i], seconds);
        for (unsigned i = 0; i < runtime->sheet_count; i++)
            report_sheet(&runtime->sheet[i], seconds);
    }
    runtime->last_stats_ns = now_ns;
    runtime->next_stats_ns = now_ns + period_ns;
}
