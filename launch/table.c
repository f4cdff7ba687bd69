/* SPDX-License-Identifier: Apache-2.0 */
#include "launch/table.h"

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/shm/stats.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_MAX       512
#define TOPICS_MAX     128
#define RATE_PERIOD_NS (SL_NS_PER_S / 2)

/* A publisher or subscriber that was ever seen. */
struct row {
    struct sl_stats_view view;
    char node[SL_NODE_MAX];
    uint64_t process;                    /* instance of the page */
    const struct sl_stats_row *page_row; /* NULL: its process is gone */
    bool is_live;
    uint64_t rate_ns, rate_messages, rate_bytes; /* where the rate is counted from */
    double messages_per_s, bytes_per_s;
};

/* All publishers and subscribers of one name. */
struct topic {
    const char *name;
    const char *publisher; /* a node's name, or NULL */
    unsigned publishers, subscribers, live_publishers, live_subscribers;
    uint64_t messages, bytes, refused, held, taken;
    uint64_t lost[SL_LOSS_REASONS];
    double messages_per_s, bytes_per_s;
    uint64_t p50_ns, p99_ns, max_ns; /* the worst subscriber's */
};

struct sl_table {
    struct sl_stats_watch watch;
    struct row row[ROWS_MAX];
    unsigned row_count;
    struct topic topic[TOPICS_MAX];
    unsigned topic_count;
};

int sl_table_open(const char *domain, struct sl_table **ret_table)
{
    struct sl_table *table = calloc(1, sizeof *table);
    if (!table)
        return sl_error(-ENOMEM, "no memory for the table of topics");
    int err = sl_stats_watch_open(domain, &table->watch);
    if (err < 0) {
        free(table);
        return err;
    }
    *ret_table = table;
    return 0;
}

void sl_table_close(struct sl_table *table)
{
    if (!table)
        return;
    sl_stats_watch_close(&table->watch);
    free(table);
}

/* Collecting ------------------------------------------------------------------------------------*/

#define LOAD(from) atomic_load_explicit(&(from), memory_order_relaxed)

/* The row stays as it was when its owner closed it, until it is used again; its page stays as it
 * was when its process died, until the watch drops it. So the last figures are never missed. */
static void look_again(struct row *row)
{
    const struct sl_stats_row *from = row->page_row;
    if (!from || LOAD(from->use) != row->view.use)
        return;
    row->view.messages = LOAD(from->messages);
    row->view.bytes = LOAD(from->bytes);
    row->view.refused = LOAD(from->refused);
    for (unsigned i = 0; i < SL_LOSS_REASONS; i++)
        row->view.lost[i] = LOAD(from->lost[i]);
    if (row->view.kind != SL_STATS_SUBSCRIBER)
        return;
    row->view.latency_p50_ns = sl_histogram_quantile_ns(&from->latency, 0.5);
    row->view.latency_p99_ns = sl_histogram_quantile_ns(&from->latency, 0.99);
    row->view.latency_max_ns = LOAD(from->latency.max_ns);
}

static struct row *row_of(struct sl_table *table, const struct sl_stats_view *view)
{
    for (unsigned i = 0; i < table->row_count; i++) {
        struct row *row = &table->row[i];
        if (row->process == view->node->instance && row->view.row == view->row &&
            row->view.use == view->use)
            return row;
    }
    if (table->row_count == ROWS_MAX)
        return NULL;
    struct row *row = &table->row[table->row_count++];
    memset(row, 0, sizeof *row);
    row->process = view->node->instance;
    snprintf(row->node, sizeof row->node, "%s", view->node->name);
    return row;
}

static int visit(void *context, const struct sl_stats_view *view)
{
    struct sl_table *table = context;
    struct row *row = row_of(table, view);
    if (!row || view->row >= SL_STATS_ROWS)
        return 0;
    row->view = *view;
    row->view.node = NULL; /* the watch moves it about */
    row->page_row = &view->node->page->row[view->row];
    row->is_live = true;
    return 0;
}

static void count_rate(struct row *row, uint64_t now_ns)
{
    if (row->rate_ns != 0 && now_ns - row->rate_ns < RATE_PERIOD_NS)
        return;
    if (row->rate_ns != 0) {
        double seconds = (double)(now_ns - row->rate_ns) / 1e9;
        row->messages_per_s = (double)(row->view.messages - row->rate_messages) / seconds;
        row->bytes_per_s = (double)(row->view.bytes - row->rate_bytes) / seconds;
    }
    row->rate_ns = now_ns;
    row->rate_messages = row->view.messages;
    row->rate_bytes = row->view.bytes;
}

static struct topic *topic_of(struct sl_table *table, const char *name)
{
    for (unsigned i = 0; i < table->topic_count; i++)
        if (strcmp(table->topic[i].name, name) == 0)
            return &table->topic[i];
    if (table->topic_count == TOPICS_MAX)
        return NULL;
    struct topic *topic = &table->topic[table->topic_count++];
    *topic = (struct topic){.name = name};
    return topic;
}

static void add_publisher(struct topic *topic, const struct row *row)
{
    topic->publishers++;
    topic->publisher = row->is_live || !topic->publisher ? row->node : topic->publisher;
    topic->messages += row->view.messages;
    topic->bytes += row->view.bytes;
    topic->refused += row->view.refused;
    if (!row->is_live)
        return;
    topic->live_publishers++;
    topic->held += row->view.held;
    topic->messages_per_s += row->messages_per_s;
    topic->bytes_per_s += row->bytes_per_s;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static void add_subscriber(struct topic *topic, const struct row *row)
{
    topic->subscribers++;
    topic->live_subscribers += row->is_live;
    topic->taken += row->view.messages;
    for (unsigned i = 0; i < SL_LOSS_REASONS; i++)
        topic->lost[i] += row->view.lost[i];
    topic->p50_ns = larger(topic->p50_ns, row->view.latency_p50_ns);
    topic->p99_ns = larger(topic->p99_ns, row->view.latency_p99_ns);
    topic->max_ns = larger(topic->max_ns, row->view.latency_max_ns);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct topic *)a)->name, ((const struct topic *)b)->name);
}

void sl_table_refresh(struct sl_table *table, int answer_ms)
{
    for (unsigned i = 0; i < table->row_count; i++) {
        look_again(&table->row[i]);
        table->row[i].page_row = NULL; /* the watch may unmap it now */
        table->row[i].is_live = false;
    }
    if (sl_stats_watch_refresh(&table->watch, answer_ms) >= 0)
        sl_stats_each(&table->watch, visit, table);
    uint64_t now_ns = sl_clock_monotonic_ns();
    table->topic_count = 0;
    for (unsigned i = 0; i < table->row_count; i++) {
        struct row *row = &table->row[i];
        count_rate(row, now_ns);
        struct topic *topic = topic_of(table, row->view.topic);
        if (topic && row->view.kind == SL_STATS_PUBLISHER)
            add_publisher(topic, row);
        else if (topic && row->view.kind == SL_STATS_SUBSCRIBER)
            add_subscriber(topic, row);
    }
    qsort(table->topic, table->topic_count, sizeof *table->topic, by_name);
}

/* Showing ---------------------------------------------------------------------------------------*/

static uint64_t lost_of(const struct topic *topic)
{
    uint64_t lost = 0;
    for (unsigned i = 0; i < SL_LOSS_REASONS; i++)
        lost += i == SL_LOSS_SKIPPED ? 0 : topic->lost[i]; /* skipped: as the reader asked */
    return lost;
}

/* "850 ns", "3.1 us", "12 ms" */
static const char *duration(uint64_t ns, char to[16])
{
    static const struct {
        double from;
        double unit;
        const char *name;
    } units[] = {{1e9, 1e9, "s"}, {1e6, 1e6, "ms"}, {1e3, 1e3, "us"}, {0, 1, "ns"}};
    unsigned i = 0;
    while ((double)ns < units[i].from)
        i++;
    double value = (double)ns / units[i].unit;
    snprintf(to, 16, value < 9.95 && i < 3 ? "%.1f %s" : "%.0f %s", value, units[i].name);
    return to;
}

static void latencies(const struct topic *topic, char p50[16], char p99[16])
{
    if (topic->max_ns == 0) {
        strcpy(p50, "-");
        strcpy(p99, "-");
        return;
    }
    duration(topic->p50_ns, p50);
    duration(topic->p99_ns, p99);
}

/* printf into what is left; a line is cut at the width. */
static void put_line(char **at, char *end, unsigned columns, const char *line)
{
    size_t length = strlen(line);
    if (columns > 0 && length > columns)
        length = columns;
    if (*at + length + 2 > end)
        return;
    memcpy(*at, line, length);
    *at += length;
    *(*at)++ = '\n';
    **at = '\0';
}

void sl_table_text(struct sl_table *table, unsigned rows, unsigned columns, char *to, size_t size)
{
    char line[512], p50[16], p99[16];
    char *at = to, *end = to + size;
    to[0] = '\0';
    snprintf(line, sizeof line, "%-28s %-14s %8s %9s %4s %5s %6s %8s %8s", "TOPIC", "PUBLISHER",
             "RATE/s", "MB/s", "SUBS", "HELD", "LOST", "P50", "P99");
    put_line(&at, end, columns, line);
    for (unsigned i = 0; i < table->topic_count; i++) {
        const struct topic *t = &table->topic[i];
        if (rows > 0 && i + 2 > rows)
            break;
        latencies(t, p50, p99);
        snprintf(line, sizeof line, "%-28s %-14s %8.1f %9.2f %4u %5llu %6llu %8s %8s", t->name,
                 t->publisher ? t->publisher : "-", t->messages_per_s, t->bytes_per_s / 1e6,
                 t->live_subscribers, (unsigned long long)t->held, (unsigned long long)lost_of(t),
                 p50, p99);
        put_line(&at, end, columns, line);
    }
}

unsigned sl_table_lines(struct sl_table *table, void (*line)(const char *text))
{
    char text[512], p50[16], p99[16];
    unsigned count = 0;
    for (unsigned i = 0; i < table->topic_count; i++) {
        const struct topic *t = &table->topic[i];
        if (t->live_publishers + t->live_subscribers == 0)
            continue;
        latencies(t, p50, p99);
        snprintf(text, sizeof text,
                 "%s: %.1f/s, %.2f MB/s, subscribers %u, lost %llu, latency p50 %s, p99 %s",
                 t->name, t->messages_per_s, t->bytes_per_s / 1e6, t->live_subscribers,
                 (unsigned long long)lost_of(t), p50, p99);
        line(text);
        count++;
    }
    return count;
}

static void summarise(const struct topic *t, FILE *to)
{
    char p50[16], p99[16], max[16];
    fprintf(to, "  %s: %llu frames, %.1f MB", t->name, (unsigned long long)t->messages,
            (double)t->bytes / 1e6);
    if (t->refused > 0)
        fprintf(to, ", %llu loans refused", (unsigned long long)t->refused);
    fprintf(to, "; taken %llu by %u, losses %llu", (unsigned long long)t->taken, t->subscribers,
            (unsigned long long)lost_of(t));
    const char *before = " (";
    for (unsigned i = 0; i < SL_LOSS_REASONS; i++) {
        if (t->lost[i] == 0)
            continue;
        fprintf(to, "%s%s %llu", before, sl_loss_name((enum sl_loss)i),
                (unsigned long long)t->lost[i]);
        before = ", ";
    }
    fputs(before[0] == ',' ? ")" : "", to);
    if (t->max_ns > 0) {
        latencies(t, p50, p99);
        fprintf(to, "; latency p50 %s, p99 %s, max %s", p50, p99, duration(t->max_ns, max));
    }
    fputc('\n', to);
}

void sl_table_summary(struct sl_table *table, double seconds, FILE *to)
{
    uint64_t frames = 0, losses = 0;
    for (unsigned i = 0; i < table->topic_count; i++) {
        frames += table->topic[i].messages;
        losses += lost_of(&table->topic[i]);
    }
    fprintf(to, "summary: %.1f s, frames %llu, losses %llu\n", seconds, (unsigned long long)frames,
            (unsigned long long)losses);
    for (unsigned i = 0; i < table->topic_count; i++)
        summarise(&table->topic[i], to);
}
