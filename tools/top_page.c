/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/top_page.h"

#include "core/base/clock.h"
#include "tools/findings.h"
#include "tools/json.h"
#include "tools/tool.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const char *const sl_top_order_names[] = {"name", "rate", "bandwidth", "losses", "latency", NULL};

#define LINE_MAX_BYTES 1200
#define FINDINGS_SHOWN 6

/* Lines -----------------------------------------------------------------------------------------*/

struct page {
    const struct sl_top_view *view;
    FILE *to;
    unsigned left; /* lines that still fit */
};

enum look {
    PLAIN,
    BOLD,
    ALARM
};

static void line(struct page *page, enum look look, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void line(struct page *page, enum look look, const char *format, ...)
{
    static const char *const on[] = {"", "\033[1m", "\033[1;31m"};
    char text[LINE_MAX_BYTES];
    if (page->left == 0)
        return;
    page->left--;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    sl_text_tame(text);
    if (page->view->columns && strlen(text) > page->view->columns)
        text[page->view->columns] = '\0';
    bool dressed = page->view->colour && look != PLAIN;
    fprintf(page->to, "%s%s%s\n", dressed ? on[look] : "", text, dressed ? "\033[0m" : "");
}

/* How many of `wanted` lines of a section may be shown if `later` lines are to follow. */
static unsigned share_of(const struct page *page, unsigned wanted, unsigned later)
{
    unsigned half = page->left / 2;
    unsigned room = later < half ? page->left - later : page->left - half;
    return wanted < room ? wanted : room;
}

static void more(struct page *page, unsigned hidden, const char *what)
{
    if (hidden > 0)
        line(page, PLAIN, "  ... %u more %s", hidden, what);
}

/* Order -----------------------------------------------------------------------------------------*/

static _Thread_local const struct sl_top_view *sorted_for; /* qsort passes nothing */

static double topic_key(const struct sl_census_topic *t)
{
    switch (sorted_for->order) {
    case SL_TOP_RATE:
        return t->hz;
    case SL_TOP_BANDWIDTH:
        return t->bytes_s;
    case SL_TOP_LOSSES:
        return t->lost_s * 1e12 + (double)t->lost;
    case SL_TOP_LATENCY:
        return (double)t->latency_p99_ns;
    default:
        return 0;
    }
}

static int order(double a, double b, const char *name_a, const char *name_b)
{
    int result = a > b ? -1 : a < b ? 1 : strcmp(name_a, name_b);
    return sorted_for->reverse ? -result : result;
}

static int by_topic(const void *a, const void *b)
{
    const struct sl_census_topic *x = a, *y = b;
    return order(topic_key(x), topic_key(y), x->name, y->name);
}

static int by_node(const void *a, const void *b)
{
    const struct sl_census_node *x = a, *y = b;
    bool losses = sorted_for->order == SL_TOP_LOSSES;
    return order(losses ? x->lost_s : 0, losses ? y->lost_s : 0, x->name, y->name);
}

/* Sections --------------------------------------------------------------------------------------*/

static void head(struct page *page, const struct sl_census *census)
{
    char now[16] = "";
    time_t seconds = (time_t)(sl_clock_realtime_ns() / SL_NS_PER_S);
    struct tm local;
    if (localtime_r(&seconds, &local))
        strftime(now, sizeof now, "%H:%M:%S", &local);
    line(page, BOLD, "sluice top  domain %s  %u nodes  %u topics  %s%s",
         census->watch.domain.name[0] ? census->watch.domain.name : "default", census->node_count,
         census->topic_count, now, page->view->paused ? "  (paused)" : "");
}

static void findings(struct page *page, const struct sl_census *census)
{
    struct sl_findings found;
    sl_findings_make(census, &found);
    unsigned shown = share_of(page, found.count, page->left - page->left / 3);
    shown = shown < FINDINGS_SHOWN || !page->view->rows ? shown : FINDINGS_SHOWN;
    for (unsigned i = 0; i < shown; i++)
        line(page, ALARM, "! %s", found.finding[i].text);
    more(page, found.count - shown, "findings");
    if (found.count == 0)
        line(page, PLAIN, "all well: nobody loses messages, every topic moves");
}

static void nodes(struct page *page, const struct sl_census *census)
{
    char rss[SL_SHOW_MAX];
    line(page, PLAIN, "%s", "");
    line(page, BOLD, "%-20s %8s %6s %9s %4s %4s %5s %8s  %s", "NODE", "PID", "CPU%", "RSS", "PUB",
         "SUB", "HELD", "LOST/s", "STATE");
    unsigned shown =
        share_of(page, census->node_count, census->topic_count + census->row_count + 4);
    for (unsigned i = 0; i < shown; i++) {
        const struct sl_census_node *n = &census->nodes[i];
        const char *state = n->state == 'T'                      ? "stopped"
                            : n->state == 't'                    ? "traced"
                            : n->state == 'Z' || n->state == 'X' ? "dead"
                            : n->state == 'D'                    ? "waits for a disk"
                            : n->state == 'R'                    ? "runs"
                            : n->state == '?'                    ? "?"
                                                                 : "waits";
        line(page, n->lost_s > 0 ? ALARM : PLAIN, "%-20.20s %8d %6.1f %9s %4u %4u %5u %8.1f  %s",
             n->name, (int)n->pid, n->cpu * 100,
             sl_show_bytes((double)n->rss_bytes, rss, sizeof rss), n->publishers, n->subscribers,
             n->held, n->lost_s, state);
    }
    more(page, census->node_count - shown, "nodes");
}

static const char *latency(uint64_t ns, char to[SL_SHOW_MAX])
{
    return ns ? sl_show_ns((double)ns, to, SL_SHOW_MAX) : "-";
}

static void topics(struct page *page, const struct sl_census *census)
{
    char bytes[SL_SHOW_MAX], p50[SL_SHOW_MAX], p99[SL_SHOW_MAX], held[24];
    line(page, PLAIN, "%s", "");
    line(page, BOLD, "%-26s %9s %11s %4s %4s %8s %8s %8s %9s", "TOPIC", "RATE Hz", "BANDWIDTH",
         "PUB", "SUB", "LOST/s", "P50", "P99", "HELD");
    unsigned later = census->row_count + 3 + (census->sheet_count ? census->sheet_count + 2 : 0);
    unsigned shown = share_of(page, census->topic_count, later);
    for (unsigned i = 0; i < shown; i++) {
        const struct sl_census_topic *t = &census->topics[i];
        snprintf(held, sizeof held, "%u/%u", t->held, t->slots);
        line(page, t->lost_s > 0 ? ALARM : PLAIN, "%-26.26s %9.2f %9s/s %4u %4u %8.1f %8s %8s %9s",
             t->name, t->hz, sl_show_bytes(t->bytes_s, bytes, sizeof bytes), t->publishers,
             t->subscribers, t->lost_s, latency(t->latency_p50_ns, p50),
             latency(t->latency_p99_ns, p99), held);
    }
    more(page, census->topic_count - shown, "topics");
}

static void subscribers(struct page *page, const struct sl_census *census)
{
    unsigned count = 0, shown = 0;
    for (unsigned i = 0; i < census->row_count; i++)
        count += census->rows[i].view.kind == SL_STATS_SUBSCRIBER;
    if (count == 0)
        return;
    line(page, PLAIN, "%s", "");
    line(page, BOLD, "%-26s %-18s %-11s %8s %6s %9s %9s %9s %9s", "SUBSCRIBED", "BY", "POLICY",
         "RATE Hz", "HELD", "OVERRUN", "RECYCLED", "SKIPPED", "P99");
    unsigned room = share_of(page, count, census->sheet_count ? census->sheet_count + 2 : 0);
    for (unsigned i = 0; i < census->row_count && shown < room; i++) {
        const struct sl_census_row *row = &census->rows[i];
        const struct sl_stats_view *v = &row->view;
        if (v->kind != SL_STATS_SUBSCRIBER)
            continue;
        char p99[SL_SHOW_MAX], held[24], policy[24];
        snprintf(held, sizeof held, "%u/%u", v->held, v->quota);
        if (v->depth)
            snprintf(policy, sizeof policy, "%s %u", v->policy == SL_KEEP_LAST ? "keep" : "latest",
                     v->depth);
        else
            snprintf(policy, sizeof policy, "%s", sl_policy_name(v->policy));
        bool loses = row->lost_s[SL_LOSS_OVERRUN] + row->lost_s[SL_LOSS_RECYCLED] > 0;
        line(page, loses ? ALARM : PLAIN,
             "%-26.26s %-18.18s %-11.11s %8.2f %6s %9" PRIu64 " %9" PRIu64 " %9" PRIu64 " %9s",
             v->topic, v->node->name, policy, row->hz, held, v->lost[SL_LOSS_OVERRUN],
             v->lost[SL_LOSS_RECYCLED], v->lost[SL_LOSS_SKIPPED], latency(v->latency_p99_ns, p99));
        shown++;
    }
    more(page, count - shown, "subscribers");
}

/* "sent 120 (10.0/s)  thinned 3": what is zero is left out. */
static void sheet_text(const struct sl_census_sheet *sheet, char *to, size_t room)
{
    const struct sl_stats_sheet_view *v = &sheet->view;
    size_t used =
        (size_t)snprintf(to, room, "%s %" PRIu64 " (%.1f/s)", v->name[0], v->value[0], sheet->hz);
    for (unsigned i = 1; i < v->count && used < room; i++)
        if (v->value[i] > 0)
            used +=
                (size_t)snprintf(to + used, room - used, "  %s %" PRIu64, v->name[i], v->value[i]);
}

static void counters(struct page *page, const struct sl_census *census)
{
    if (census->sheet_count == 0)
        return;
    line(page, PLAIN, "%s", "");
    line(page, BOLD, "%-18s %s", "COUNTED BY", "WHAT");
    unsigned shown = share_of(page, census->sheet_count, 0);
    for (unsigned i = 0; i < shown; i++) {
        const struct sl_census_sheet *sheet = &census->sheets[i];
        char text[SL_STATS_COUNTERS * (SL_STATS_NAME + 24)];
        sheet_text(sheet, text, sizeof text);
        line(page, PLAIN, "%-18.18s %s: %s", sheet->view.node->name, sheet->view.title, text);
    }
    more(page, census->sheet_count - shown, "things counted");
}

void sl_top_page(struct sl_census *census, const struct sl_top_view *view, FILE *to)
{
    struct page page = {.view = view, .to = to, .left = view->rows ? view->rows : UINT32_MAX};
    bool keys = view->rows > 2; /* the last line of a screen tells the keys */
    if (keys)
        page.left--;
    sorted_for = view;
    qsort(census->topics, census->topic_count, sizeof census->topics[0], by_topic);
    qsort(census->nodes, census->node_count, sizeof census->nodes[0], by_node);
    head(&page, census);
    findings(&page, census);
    nodes(&page, census);
    topics(&page, census);
    subscribers(&page, census);
    counters(&page, census);
    if (keys) {
        page.left = 1;
        line(&page, PLAIN, "q quit   s sort (%s%s)   r reverse   space pause",
             sl_top_order_names[view->order], view->reverse ? ", reversed" : "");
    }
}

/* JSON ------------------------------------------------------------------------------------------*/

static void json_nodes(struct sl_json *json, const struct sl_census *census)
{
    sl_json_open(json, "nodes", '[');
    for (unsigned i = 0; i < census->node_count; i++) {
        const struct sl_census_node *n = &census->nodes[i];
        char state[2] = {n->state, '\0'};
        sl_json_open(json, NULL, '{');
        sl_json_text(json, "node", n->name);
        sl_json_int(json, "pid", n->pid);
        sl_json_text(json, "state", state);
        sl_json_flag(json, "answers", !n->silent);
        sl_json_real(json, "cpu_ratio", n->cpu);
        sl_json_count(json, "rss_bytes", n->rss_bytes);
        sl_json_count(json, "publishers", n->publishers);
        sl_json_count(json, "subscribers", n->subscribers);
        sl_json_count(json, "held", n->held);
        sl_json_count(json, "lost", n->lost);
        sl_json_real(json, "lost_per_s", n->lost_s);
        sl_json_close(json, '}');
    }
    sl_json_close(json, ']');
}

static void json_topics(struct sl_json *json, const struct sl_census *census)
{
    sl_json_open(json, "topics", '[');
    for (unsigned i = 0; i < census->topic_count; i++) {
        const struct sl_census_topic *t = &census->topics[i];
        sl_json_open(json, NULL, '{');
        sl_json_text(json, "topic", t->name);
        sl_json_text(json, "type", t->type);
        sl_json_real(json, "rate_hz", t->hz);
        sl_json_real(json, "bandwidth_bytes_per_s", t->bytes_s);
        sl_json_count(json, "publishers", t->publishers);
        sl_json_count(json, "subscribers", t->subscribers);
        sl_json_count(json, "lost", t->lost);
        sl_json_real(json, "lost_per_s", t->lost_s);
        sl_json_count(json, "skipped", t->skipped);
        sl_json_count(json, "latency_p50_ns", t->latency_p50_ns);
        sl_json_count(json, "latency_p99_ns", t->latency_p99_ns);
        sl_json_count(json, "slots_held", t->held);
        sl_json_count(json, "slots", t->slots);
        sl_json_close(json, '}');
    }
    sl_json_close(json, ']');
}

static void json_subscribers(struct sl_json *json, const struct sl_census *census)
{
    sl_json_open(json, "subscribers", '[');
    for (unsigned i = 0; i < census->row_count; i++) {
        const struct sl_census_row *row = &census->rows[i];
        const struct sl_stats_view *v = &row->view;
        if (v->kind != SL_STATS_SUBSCRIBER)
            continue;
        sl_json_open(json, NULL, '{');
        sl_json_text(json, "topic", v->topic);
        sl_json_text(json, "node", v->node->name);
        sl_json_text(json, "policy", sl_policy_name(v->policy));
        sl_json_count(json, "depth", v->depth);
        sl_json_count(json, "held", v->held);
        sl_json_count(json, "quota", v->quota);
        for (int r = 0; r < SL_LOSS_REASONS; r++) {
            char key[32];
            snprintf(key, sizeof key, "lost_%s", sl_loss_name((enum sl_loss)r));
            sl_json_count(json, key, v->lost[r]);
        }
        sl_json_count(json, "latency_p99_ns", v->latency_p99_ns);
        sl_json_close(json, '}');
    }
    sl_json_close(json, ']');
}

static void json_counters(struct sl_json *json, const struct sl_census *census)
{
    sl_json_open(json, "counters", '[');
    for (unsigned i = 0; i < census->sheet_count; i++) {
        const struct sl_stats_sheet_view *v = &census->sheets[i].view;
        sl_json_open(json, NULL, '{');
        sl_json_text(json, "node", v->node->name);
        sl_json_int(json, "pid", census->sheets[i].pid);
        sl_json_text(json, "of", v->title);
        sl_json_real(json, "rate_hz", census->sheets[i].hz);
        sl_json_open(json, "counts", '{');
        for (unsigned k = 0; k < v->count; k++)
            sl_json_count(json, v->name[k], v->value[k]);
        sl_json_close(json, '}');
        sl_json_close(json, '}');
    }
    sl_json_close(json, ']');
}

void sl_top_json(const struct sl_census *census, FILE *to)
{
    struct sl_json json = {.to = to};
    struct sl_findings found;
    sl_findings_make(census, &found);
    sl_json_open(&json, NULL, '{');
    sl_json_text(&json, "domain", census->watch.domain.name);
    sl_json_open(&json, "findings", '[');
    for (unsigned i = 0; i < found.count; i++)
        sl_json_text(&json, NULL, found.finding[i].text);
    sl_json_close(&json, ']');
    json_nodes(&json, census);
    json_topics(&json, census);
    json_subscribers(&json, census);
    json_counters(&json, census);
    sl_json_close(&json, '}');
    sl_json_end(&json);
}
