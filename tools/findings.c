/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/findings.h"

#include "core/base/clock.h"
#include "tools/tool.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What weighs more is told first. */
enum weight {
    WEIGHT_RETIRED = 1, /* subscribers that died, processes that ended */
    WEIGHT_SILENT = 2,
    WEIGHT_REFUSED = 3,
    WEIGHT_LOSS = 4,
    WEIGHT_STOPPED = 5,
};

#define SILENT_PERIODS 5 /* a topic that missed so many of its messages is silent */
#define SILENT_NS      (UINT64_C(1000) * SL_NS_PER_MS)

static void add(struct sl_findings *f, double weight, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void add(struct sl_findings *f, double weight, const char *format, ...)
{
    if (f->count == SL_FINDINGS_MAX)
        return;
    struct sl_finding *finding = &f->finding[f->count++];
    finding->weight = weight;
    va_list args;
    va_start(args, format);
    vsnprintf(finding->text, sizeof finding->text, format, args);
    va_end(args);
}

/* A share below 1, so that the order within a kind of finding is by size. */
static double within(double size)
{
    return size / (size + 1);
}

static const char *loss_reason(int reason)
{
    switch (reason) {
    case SL_LOSS_OVERRUN:
        return "it is further behind than its depth or the ring: it is too slow";
    case SL_LOSS_RECYCLED:
        return "slots are reused before it reads them: it is late, or there are too few slots";
    default:
        return "descriptors point outside the pool: the publisher is broken";
    }
}

/* "b holds 4 of 4, c holds 2 of 4": who has the slots of a topic. */
static void holders(const struct sl_census *census, const char *topic, char *to, size_t size)
{
    size_t used = 0;
    to[0] = '\0';
    for (unsigned i = 0; i < census->row_count; i++) {
        const struct sl_stats_view *v = &census->rows[i].view;
        if (v->kind != SL_STATS_SUBSCRIBER || v->held == 0 || strcmp(v->topic, topic) != 0)
            continue;
        int more = snprintf(to + used, size - used, "%s%s holds %u of %u", used ? ", " : "",
                            v->node->name, v->held, v->quota);
        if (more < 0 || (size_t)more >= size - used)
            return;
        used += (size_t)more;
    }
    if (used == 0)
        snprintf(to, size, "no subscriber holds any now");
}

static void about_subscriber(const struct sl_census_row *row, struct sl_findings *f)
{
    const struct sl_stats_view *v = &row->view;
    for (int i = 0; i < SL_LOSS_REASONS; i++)
        if (i != SL_LOSS_SKIPPED && row->lost_s[i] > 0)
            add(f, WEIGHT_LOSS + within(row->lost_s[i]), "%s loses %.1f/s of %s (%s): %s",
                v->node->name, row->lost_s[i], v->topic, sl_loss_name((enum sl_loss)i),
                loss_reason(i));
}

static void about_publisher(const struct sl_census *census, const struct sl_census_row *row,
                            struct sl_findings *f)
{
    const struct sl_stats_view *v = &row->view;
    char text[120];
    if (row->refused_s > 0) {
        holders(census, v->topic, text, sizeof text);
        add(f, WEIGHT_REFUSED + within(row->refused_s), "%s finds no free slot for %s, %.1f/s: %s",
            v->node->name, v->topic, row->refused_s, text);
    }
    if (row->died || row->demoted || row->revoked)
        add(f, WEIGHT_RETIRED, "%s: of its subscribers %u died, %u lost lossless, %u were cut off",
            v->topic, row->died, row->demoted, row->revoked);
    if (row->expired)
        add(f, WEIGHT_RETIRED, "%s: %u slots were taken from subscribers that held them too long",
            v->topic, row->expired);
    uint64_t start_ns = v->node->page ? v->node->page->start_ns : 0;
    if (v->messages < 5 || v->last_ns <= start_ns || census->taken_ns <= v->last_ns)
        return;
    double period_ns = (double)(v->last_ns - start_ns) / (double)v->messages;
    double silent_ns = (double)(census->taken_ns - v->last_ns);
    if (silent_ns > SILENT_PERIODS * period_ns && silent_ns > (double)SILENT_NS)
        add(f, WEIGHT_SILENT + within(silent_ns / 1e9),
            "%s: nothing from %s for %s (it used to come every %s)", v->topic, v->node->name,
            sl_show_ns(silent_ns, text, SL_SHOW_MAX),
            sl_show_ns(period_ns, text + SL_SHOW_MAX, SL_SHOW_MAX));
}

static void about_node(const struct sl_census_node *node, struct sl_findings *f)
{
    if (node->state == 'T' || node->state == 't')
        add(f, WEIGHT_STOPPED, "%s (pid %d) is stopped%s", node->name, (int)node->pid,
            node->state == 't' ? " by a debugger" : "; kill -CONT lets it go on");
    else if (node->state == 'Z' || node->state == 'X')
        add(f, WEIGHT_STOPPED, "%s (pid %d) is dead, and nobody waited for it", node->name,
            (int)node->pid);
    else if (node->silent)
        add(f, WEIGHT_STOPPED, "%s (pid %d) does not answer", node->name, (int)node->pid);
}

static int by_weight(const void *a, const void *b)
{
    const struct sl_finding *x = a, *y = b;
    return x->weight > y->weight ? -1 : x->weight < y->weight;
}

void sl_findings_make(const struct sl_census *census, struct sl_findings *ret_findings)
{
    struct sl_findings *f = ret_findings;
    f->count = 0;
    for (unsigned i = 0; i < census->node_count; i++)
        about_node(&census->nodes[i], f);
    for (unsigned i = 0; i < census->row_count; i++) {
        if (census->rows[i].view.kind == SL_STATS_SUBSCRIBER)
            about_subscriber(&census->rows[i], f);
        else
            about_publisher(census, &census->rows[i], f);
    }
    char age[SL_SHOW_MAX];
    for (unsigned i = 0; i < census->gone_count; i++)
        add(f, WEIGHT_RETIRED, "%s (pid %d) ended %s ago", census->gone[i].name,
            (int)census->gone[i].pid,
            sl_show_ns((double)(census->taken_ns - census->gone[i].at_ns), age, sizeof age));
    qsort(f->finding, f->count, sizeof f->finding[0], by_weight);
}
