/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/census.h"

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/words.h"
#include "tools/process.h"
#include "tools/tool.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ANSWER_MS 200 /* how long a process that just started may take to show its page */

static void free_lists(struct sl_census *census)
{
    free(census->rows);
    free(census->rows_before);
    free(census->sheets);
    free(census->sheets_before);
}

int sl_census_open(const char *domain, struct sl_census **ret_census)
{
    struct sl_census *census = calloc(1, sizeof *census);
    if (!census)
        return sl_error(-ENOMEM, "no memory to look into the domain");
    census->watch.domain.fd = -1;
    census->rows = calloc(SL_CENSUS_ROWS_MAX, sizeof *census->rows);
    census->rows_before = calloc(SL_CENSUS_ROWS_MAX, sizeof *census->rows_before);
    census->sheets = calloc(SL_CENSUS_SHEETS_MAX, sizeof *census->sheets);
    census->sheets_before = calloc(SL_CENSUS_SHEETS_MAX, sizeof *census->sheets_before);
    bool has_all = census->rows && census->rows_before && census->sheets && census->sheets_before;
    int err = has_all ? 0 : sl_error(-ENOMEM, "no memory to look into the domain");
    if (err == 0)
        err = sl_stats_watch_open(domain, &census->watch);
    if (err < 0) {
        free_lists(census);
        free(census);
        return err;
    }
    *ret_census = census;
    return 0;
}

void sl_census_close(struct sl_census *census)
{
    if (!census)
        return;
    sl_stats_watch_close(&census->watch);
    free_lists(census);
    free(census);
}

/* Rates -----------------------------------------------------------------------------------------*/

double sl_census_hz(struct sl_census_count before, struct sl_census_count now, uint64_t before_ns,
                    uint64_t now_ns)
{
    if (now.messages <= before.messages || now_ns <= before_ns)
        return 0;
    double count = (double)(now.messages - before.messages);
    if (before.last_ns != 0 && now.last_ns > before.last_ns)
        return count * 1e9 / (double)(now.last_ns - before.last_ns);
    return count * 1e9 / (double)(now_ns - before_ns);
}

static double per_second(uint64_t before, uint64_t now, double seconds)
{
    return now > before && seconds > 0 ? (double)(now - before) / seconds : 0;
}

/* Messages so far apart that none came between two looks: told by the average, as long as the next
 * one is not overdue. */
static double slow_hz(const struct sl_stats_view *v, uint64_t now_ns)
{
    uint64_t start_ns = v->node->page->start_ns;
    if (v->messages < 2 || v->last_ns <= start_ns)
        return 0;
    double period_ns = (double)(v->last_ns - start_ns) / (double)v->messages;
    double silent_ns = now_ns > v->last_ns ? (double)(now_ns - v->last_ns) : 0;
    return silent_ns < 2 * period_ns ? 1e9 / period_ns : 0;
}

static const struct sl_census_row *row_before(const struct sl_census *census,
                                              const struct sl_census_row *row)
{
    for (unsigned i = 0; i < census->row_count_before; i++) {
        const struct sl_stats_view *b = &census->rows_before[i].view;
        /* the node's pointer may be another's by now: instance and pid were copied */
        if (b->row == row->view.row && b->use == row->view.use &&
            b->instance == row->view.instance && b->kind == row->view.kind &&
            strcmp(b->topic, row->view.topic) == 0 && census->rows_before[i].pid == row->pid)
            return &census->rows_before[i];
    }
    return NULL;
}

static void row_rates(struct sl_census *census, struct sl_census_row *row)
{
    const struct sl_stats_view *now = &row->view;
    const struct sl_census_row *found = census->before_ns ? row_before(census, row) : NULL;
    if (!found)
        return;
    const struct sl_stats_view *b = &found->view;
    double seconds = (double)(census->taken_ns - census->before_ns) / 1e9;
    row->known = true;
    row->hz = sl_census_hz((struct sl_census_count){b->messages, b->last_ns},
                           (struct sl_census_count){now->messages, now->last_ns}, census->before_ns,
                           census->taken_ns);
    if (now->messages > b->messages)
        row->bytes_s =
            row->hz * (double)(now->bytes - b->bytes) / (double)(now->messages - b->messages);
    else if ((row->hz = slow_hz(now, census->taken_ns)) > 0)
        row->bytes_s = row->hz * (double)now->bytes / (double)now->messages;
    for (int i = 0; i < SL_LOSS_REASONS; i++)
        row->lost_s[i] = per_second(b->lost[i], now->lost[i], seconds);
    row->refused_s = per_second(b->refused, now->refused, seconds);
    row->died = now->died - b->died;
    row->demoted = now->demoted - b->demoted;
    row->revoked = now->revoked - b->revoked;
    row->expired = now->expired - b->expired;
}

/* Rows ------------------------------------------------------------------------------------------*/

static int visit_row(void *context, const struct sl_stats_view *view)
{
    struct sl_census *census = context;
    if (view->node->pid == getpid())
        return 0; /* who looks on does not count */
    if (census->row_count == SL_CENSUS_ROWS_MAX)
        return 1;
    struct sl_census_row *row = &census->rows[census->row_count++];
    *row = (struct sl_census_row){.view = *view, .pid = view->node->pid};
    sl_text_tame(row->view.topic);
    sl_text_tame(row->view.type);
    return 0;
}

static int by_place(const void *a, const void *b)
{
    const struct sl_stats_view *x = &((const struct sl_census_row *)a)->view;
    const struct sl_stats_view *y = &((const struct sl_census_row *)b)->view;
    int order = strcmp(x->topic, y->topic);
    if (order == 0)
        order = (int)x->kind - (int)y->kind;
    if (order == 0)
        order = strcmp(x->node->name, y->node->name);
    if (order == 0)
        order = x->node->pid < y->node->pid ? -1 : x->node->pid > y->node->pid;
    return order ? order : x->row < y->row ? -1 : x->row > y->row;
}

/* Sheets ----------------------------------------------------------------------------------------*/

static double sheet_hz(const struct sl_census *census, const struct sl_census_sheet *sheet)
{
    double seconds = (double)(census->taken_ns - census->before_ns) / 1e9;
    for (unsigned i = 0; census->before_ns && i < census->sheet_count_before; i++) {
        const struct sl_census_sheet *b = &census->sheets_before[i];
        if (b->pid == sheet->pid && b->view.sheet == sheet->view.sheet &&
            b->view.use == sheet->view.use && strcmp(b->view.title, sheet->view.title) == 0)
            return per_second(b->view.value[0], sheet->view.value[0], seconds);
    }
    return 0;
}

/* A name is a key in JSON, and it is another process's. */
static void tame_name(char *name)
{
    for (; *name; name++)
        if (!isalnum((unsigned char)*name) && *name != '_' && *name != '-')
            *name = '_';
}

static int visit_sheet(void *context, const struct sl_stats_sheet_view *view)
{
    struct sl_census *census = context;
    if (view->node->pid == getpid() || view->count == 0)
        return 0;
    if (census->sheet_count == SL_CENSUS_SHEETS_MAX)
        return 1;
    struct sl_census_sheet *sheet = &census->sheets[census->sheet_count++];
    *sheet = (struct sl_census_sheet){.view = *view, .pid = view->node->pid};
    sl_text_tame(sheet->view.title);
    for (unsigned i = 0; i < view->count; i++)
        tame_name(sheet->view.name[i]);
    sheet->hz = sheet_hz(census, sheet);
    return 0;
}

static int by_title(const void *a, const void *b)
{
    const struct sl_census_sheet *x = a, *y = b;
    int order = strcmp(x->view.node->name, y->view.node->name);
    if (order == 0)
        order = x->pid < y->pid ? -1 : x->pid > y->pid;
    return order ? order : strcmp(x->view.title, y->view.title);
}

/* Topics: rows are sorted by topic, so each topic's are together
 * ----------------------------------*/

static void add_publisher(struct sl_census_topic *topic, const struct sl_census_row *row)
{
    const struct sl_stats_view *v = &row->view;
    if (topic->publishers++ > 0 && strcmp(topic->type, v->type) != 0)
        topic->mixed = true;
    topic->type = v->type;
    topic->hz += row->hz;
    topic->bytes_s += row->bytes_s;
    topic->messages += v->messages;
    topic->bytes += v->bytes;
    topic->held += v->held;
    topic->slots += v->slot_count;
    if (v->last_ns > topic->last_ns)
        topic->last_ns = v->last_ns;
}

static void add_subscriber(struct sl_census_topic *topic, const struct sl_census_row *row)
{
    const struct sl_stats_view *v = &row->view;
    topic->subscribers++;
    for (int i = 0; i < SL_LOSS_REASONS; i++) {
        if (i == SL_LOSS_SKIPPED)
            continue;
        topic->lost += v->lost[i];
        topic->lost_s += row->lost_s[i];
    }
    topic->skipped += v->lost[SL_LOSS_SKIPPED];
    if (v->latency_p99_ns >= topic->latency_p99_ns) {
        topic->latency_p50_ns = v->latency_p50_ns;
        topic->latency_p99_ns = v->latency_p99_ns;
    }
    if (v->latency_max_ns > topic->latency_max_ns)
        topic->latency_max_ns = v->latency_max_ns;
}

static void make_topics(struct sl_census *census)
{
    struct sl_census_topic *topic = NULL;
    census->topic_count = 0;
    for (unsigned i = 0; i < census->row_count; i++) {
        const struct sl_census_row *row = &census->rows[i];
        if (!topic || strcmp(topic->name, row->view.topic) != 0) {
            if (census->topic_count == SL_CENSUS_TOPICS_MAX)
                return;
            topic = &census->topics[census->topic_count++];
            *topic = (struct sl_census_topic){.name = row->view.topic, .type = "?"};
        }
        if (row->view.kind == SL_STATS_PUBLISHER)
            add_publisher(topic, row);
        else
            add_subscriber(topic, row);
    }
}

/* Nodes -----------------------------------------------------------------------------------------*/

static void remember_gone(struct sl_census *census, const struct sl_census_node *node)
{
    if (census->gone_count == SL_CENSUS_GONE_MAX) { /* forget the oldest */
        census->gone_count--;
        memmove(&census->gone[0], &census->gone[1], census->gone_count * sizeof census->gone[0]);
    }
    struct sl_census_gone *gone = &census->gone[census->gone_count++];
    *gone = (struct sl_census_gone){.pid = node->pid, .at_ns = census->taken_ns};
    memcpy(gone->name, node->name, sizeof gone->name);
}

static void forget_gone(struct sl_census *census)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < census->gone_count; i++)
        if (census->taken_ns - census->gone[i].at_ns < SL_CENSUS_GONE_NS)
            census->gone[kept++] = census->gone[i];
    census->gone_count = kept;
}

static void node_from_proc(const struct sl_census *census, struct sl_census_node *node)
{
    struct sl_process process;
    node->state = '?';
    if (sl_process_read(node->pid, &process) < 0)
        return;
    node->state = process.state;
    node->rss_bytes = process.rss_bytes;
    node->cpu_ns = process.cpu_ns;
    for (unsigned i = 0; i < census->node_count_before; i++) {
        const struct sl_census_node *b = &census->nodes_before[i];
        if (b->instance == node->instance && b->pid == node->pid && node->cpu_ns >= b->cpu_ns)
            node->cpu =
                (double)(node->cpu_ns - b->cpu_ns) / (double)(census->taken_ns - census->before_ns);
    }
}

static void node_from_rows(const struct sl_census *census, const struct sl_stats_node *source,
                           struct sl_census_node *node)
{
    for (unsigned i = 0; i < census->row_count; i++) {
        const struct sl_census_row *row = &census->rows[i];
        if (row->view.node != source)
            continue;
        if (row->view.kind == SL_STATS_PUBLISHER) {
            node->publishers++;
            continue;
        }
        node->subscribers++;
        node->held += row->view.held;
        for (int r = 0; r < SL_LOSS_REASONS; r++) {
            node->lost += r == SL_LOSS_SKIPPED ? 0 : row->view.lost[r];
            node->lost_s += r == SL_LOSS_SKIPPED ? 0 : row->lost_s[r];
        }
    }
}

/* A process whose socket is there but that did not hand its counters over: it is stopped, or it
 * hangs. Its name and pid stand in the socket's name. */
static int visit_socket(void *context, const struct sl_socket_name *name)
{
    struct sl_census *census = context;
    if (name->kind != SL_SOCKET_NODE || name->pid == getpid() ||
        census->node_count == SL_STATS_NODES_MAX)
        return 0;
    for (unsigned i = 0; i < census->node_count; i++)
        if (census->nodes[i].pid == name->pid)
            return 0;
    struct sl_census_node node = {.pid = name->pid, .instance = name->instance, .silent = true};
    size_t length = strcspn(name->file, ".");
    memcpy(node.name, name->file, length < SL_NODE_MAX ? length : SL_NODE_MAX - 1);
    sl_text_tame(node.name);
    node_from_proc(census, &node);
    if (node.state != '?' && node.state != 'Z') /* what is dead is no longer here */
        census->nodes[census->node_count++] = node;
    return 0;
}

static bool has_node(const struct sl_census *census, const struct sl_census_node *node)
{
    for (unsigned i = 0; i < census->node_count; i++)
        if (census->nodes[i].pid == node->pid && census->nodes[i].instance == node->instance)
            return true;
    return false;
}

static int by_name(const void *a, const void *b)
{
    const struct sl_census_node *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order ? order : x->pid < y->pid ? -1 : x->pid > y->pid;
}

static void make_nodes(struct sl_census *census)
{
    census->node_count = 0;
    for (unsigned i = 0; i < census->watch.node_count; i++) {
        const struct sl_stats_node *source = &census->watch.node[i];
        if (source->pid == getpid())
            continue;
        struct sl_census_node *node = &census->nodes[census->node_count++];
        *node = (struct sl_census_node){.pid = source->pid, .instance = source->instance};
        memcpy(node->name, source->name, sizeof node->name);
        node_from_proc(census, node);
        node_from_rows(census, source, node);
    }
    sl_domain_list(&census->watch.domain, visit_socket, census);
    forget_gone(census);
    for (unsigned i = 0; i < census->node_count_before; i++)
        if (!has_node(census, &census->nodes_before[i]))
            remember_gone(census, &census->nodes_before[i]);
    qsort(census->nodes, census->node_count, sizeof census->nodes[0], by_name);
}

/* Taking ----------------------------------------------------------------------------------------*/

static void keep_as_before(struct sl_census *census)
{
    struct sl_census_row *rows = census->rows_before;
    census->rows_before = census->rows;
    census->row_count_before = census->row_count;
    census->rows = rows;
    census->row_count = 0;
    struct sl_census_sheet *sheets = census->sheets_before;
    census->sheets_before = census->sheets;
    census->sheet_count_before = census->sheet_count;
    census->sheets = sheets;
    census->sheet_count = 0;
    memcpy(census->nodes_before, census->nodes, census->node_count * sizeof census->nodes[0]);
    census->node_count_before = census->node_count;
    census->before_ns = census->taken_ns;
}

int sl_census_take(struct sl_census *census)
{
    keep_as_before(census);
    int err = sl_stats_watch_refresh(&census->watch, ANSWER_MS);
    if (err < 0)
        return err;
    census->taken_ns = sl_clock_monotonic_ns();
    for (unsigned i = 0; i < census->watch.node_count; i++)
        sl_text_tame(census->watch.node[i].name);
    err = sl_stats_each(&census->watch, visit_row, census);
    if (err >= 0)
        err = sl_stats_each_sheet(&census->watch, visit_sheet, census);
    if (err < 0)
        return err;
    for (unsigned i = 0; i < census->row_count; i++)
        row_rates(census, &census->rows[i]);
    qsort(census->rows, census->row_count, sizeof census->rows[0], by_place);
    qsort(census->sheets, census->sheet_count, sizeof census->sheets[0], by_title);
    make_topics(census);
    make_nodes(census);
    return 0;
}

int sl_census_take_rates(struct sl_census *census, uint64_t window_ns)
{
    int err = sl_census_take(census);
    if (err < 0)
        return err;
    sl_sleep_until(census->taken_ns + window_ns);
    return sl_census_take(census);
}

/* Asking ----------------------------------------------------------------------------------------*/

const struct sl_census_topic *sl_census_topic(const struct sl_census *census, const char *name)
{
    for (unsigned i = 0; i < census->topic_count; i++)
        if (strcmp(census->topics[i].name, name) == 0)
            return &census->topics[i];
    return NULL;
}

const char *sl_policy_name(uint32_t policy)
{
    switch (policy) {
    case SL_KEEP_LAST:
        return "keep-last";
    case SL_LATEST:
        return "latest";
    case SL_LOSSLESS:
        return "lossless";
    default:
        return "?";
    }
}

int sl_census_no_topic(const struct sl_census *census, const char *name)
{
    const char *domain = census->watch.domain.name[0] ? census->watch.domain.name : "default";
    const char *words[SL_CENSUS_TOPICS_MAX + 1];
    char there[256] = "";
    size_t used = 0;
    unsigned count = 0;
    for (unsigned i = 0; i < census->topic_count; i++) {
        if (census->topics[i].publishers == 0)
            continue;
        words[count++] = census->topics[i].name;
        if (used < sizeof there)
            used += (size_t)snprintf(there + used, sizeof there - used, "%s%s", used ? ", " : "",
                                     census->topics[i].name);
    }
    words[count] = NULL;
    if (count == 0)
        return sl_error(-ENOENT, "nobody publishes %s: there is no topic in domain %s", name,
                        domain);
    const char *nearest = sl_nearest_word(name, words);
    return sl_error(-ENOENT, "nobody publishes %s in domain %s%s%s%s (there are %s%s)", name,
                    domain, nearest ? "; did you mean " : "", nearest ? nearest : "",
                    nearest ? "?" : "", there, used >= sizeof there ? "..." : "");
}
