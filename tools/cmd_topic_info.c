/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_topic_info.c - sluice topic info: both ends of one topic, and what each has lost or holds. */
#include "core/base/clock.h"
#include "core/uncached/probe.h"
#include "tools/census.h"
#include "tools/json.h"
#include "tools/tool.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static struct info_options {
    const char *topic;
    bool json;
    int64_t window_ns;
} given;

static const struct sl_option options[] = {
    {.name = "topic",
     .kind = SL_OPTION_TEXT,
     .flags = SL_OPTION_POSITIONAL | SL_OPTION_REQUIRED,
     .offset = offsetof(struct info_options, topic),
     .value = "TOPIC",
     .help = "Its name, as sluice topic list shows it"},
    {.name = "json",
     .kind = SL_OPTION_FLAG,
     .offset = offsetof(struct info_options, json),
     .help = "One JSON object"},
    {.name = "window",
     .kind = SL_OPTION_DURATION,
     .offset = offsetof(struct info_options, window_ns),
     .fallback = "0.5s",
     .min = 1e6,
     .max = 1e12,
     .help = "How long to look for the rates"},
};

static const struct sl_command command = {
    .name = "sluice topic info",
    .summary = "Who publishes and who reads a topic, what each lost and holds",
    .details =
        "Losses are told by reason: overrun (the reader was further behind than the ring or\n"
        "its depth), recycled (the slot was needed for a newer message), skipped (asked for\n"
        "by policy latest), invalid (a descriptor that pointed outside its pool).",
    .example = "sluice topic info /lidar/points        # its publishers and subscribers",
    .tables = {{"Options", options, sizeof options / sizeof *options, &given}, SL_TABLE_SCOPE},
};

/* "wb", "wc" or "uc", as measured. */
static const char *kind_of(const struct sl_stats_view *v)
{
    return sl_memory_kind_names[v->memory_kind <= SL_MEMORY_UC ? v->memory_kind
                                                               : SL_MEMORY_UNKNOWN];
}

/* JSON ------------------------------------------------------------------------------------------*/

static void json_end(struct sl_json *json, const struct sl_census_row *row)
{
    const struct sl_stats_view *v = &row->view;
    sl_json_open(json, NULL, '{');
    sl_json_text(json, "node", v->node->name);
    sl_json_int(json, "pid", row->pid);
    sl_json_real(json, "rate_hz", row->hz);
    sl_json_count(json, "messages", v->messages);
    sl_json_count(json, "bytes", v->bytes);
}

static void json_publisher(struct sl_json *json, const struct sl_census_row *row)
{
    const struct sl_stats_view *v = &row->view;
    json_end(json, row);
    sl_json_text(json, "type", v->type);
    sl_json_count(json, "slots", v->slot_count);
    sl_json_count(json, "slot_size_bytes", v->slot_size);
    sl_json_text(json, "memory", v->memory[0] ? v->memory : NULL);
    sl_json_text(json, "memory_kind", kind_of(v));
    sl_json_count(json, "page_size_bytes", v->page_size);
    sl_json_flag(json, "memory_is_dmabuf", v->memory_flags & SL_STATS_DMABUF);
    sl_json_flag(json, "memory_can_be_pinned", v->memory_flags & SL_STATS_PINNABLE);
    sl_json_int(json, "numa_node", v->numa_node);
    sl_json_count(json, "slots_held", v->held);
    sl_json_count(json, "quota", v->quota);
    sl_json_count(json, "subscribers", v->peers);
    sl_json_count(json, "refused_loans", v->refused);
    sl_json_count(json, "demoted", v->demoted);
    sl_json_count(json, "revoked", v->revoked);
    sl_json_count(json, "died", v->died);
    sl_json_count(json, "expired_holds", v->expired);
    sl_json_close(json, '}');
}

static void json_subscriber(struct sl_json *json, const struct sl_census_row *row)
{
    const struct sl_stats_view *v = &row->view;
    json_end(json, row);
    sl_json_text(json, "policy", sl_policy_name(v->policy));
    sl_json_count(json, "depth", v->depth);
    sl_json_count(json, "held", v->held);
    sl_json_count(json, "quota", v->quota);
    for (int i = 0; i < SL_LOSS_REASONS; i++) {
        char key[32];
        snprintf(key, sizeof key, "lost_%s", sl_loss_name((enum sl_loss)i));
        sl_json_count(json, key, v->lost[i]);
    }
    sl_json_count(json, "latency_p50_ns", v->latency_p50_ns);
    sl_json_count(json, "latency_p99_ns", v->latency_p99_ns);
    sl_json_count(json, "latency_max_ns", v->latency_max_ns);
    sl_json_close(json, '}');
}

static void print_json(const struct sl_census *census, const struct sl_census_topic *topic)
{
    struct sl_json json = {.to = stdout};
    sl_json_open(&json, NULL, '{');
    sl_json_text(&json, "topic", topic->name);
    sl_json_text(&json, "type", topic->type);
    sl_json_real(&json, "rate_hz", topic->hz);
    sl_json_real(&json, "bandwidth_bytes_per_s", topic->bytes_s);
    for (int kind = SL_STATS_PUBLISHER; kind <= SL_STATS_SUBSCRIBER; kind++) {
        bool publishers = kind == SL_STATS_PUBLISHER;
        sl_json_open(&json, publishers ? "publishers" : "subscribers", '[');
        for (unsigned i = 0; i < census->row_count; i++) {
            const struct sl_census_row *row = &census->rows[i];
            if ((int)row->view.kind != kind || strcmp(row->view.topic, topic->name) != 0)
                continue;
            if (publishers)
                json_publisher(&json, row);
            else
                json_subscriber(&json, row);
        }
        sl_json_close(&json, ']');
    }
    sl_json_close(&json, '}');
    sl_json_end(&json);
}

/* Plain -----------------------------------------------------------------------------------------*/

/* "memory: vgem, measured wc, pages of 4.0 kB, a dma-buf, cannot be pinned" */
static void print_memory(const struct sl_stats_view *v)
{
    char size[SL_SHOW_MAX];
    printf("    memory: %s, measured %s, pages of %s%s%s", v->memory, kind_of(v),
           sl_show_memory((double)v->page_size, size, sizeof size),
           v->memory_flags & SL_STATS_DMABUF ? ", dma-bufs" : "",
           v->memory_flags & SL_STATS_PINNABLE ? "" : ", cannot be pinned");
    if (v->numa_node >= 0)
        printf(", node %d", v->numa_node);
    putchar('\n');
}

static void print_publisher(const struct sl_census_row *row)
{
    const struct sl_stats_view *v = &row->view;
    char size[SL_SHOW_MAX], total[SL_SHOW_MAX];
    printf("  %s (pid %d): %.2f Hz, %" PRIu64 " messages, %s\n", v->node->name, (int)row->pid,
           row->hz, v->messages, sl_show_bytes((double)v->bytes, total, sizeof total));
    if (v->slot_count)
        printf("    %u slots of %s, %u held; each subscriber may hold %u\n", v->slot_count,
               sl_show_bytes((double)v->slot_size, size, sizeof size), v->held, v->quota);
    else
        puts("    no slots: its messages travel inline");
    if (v->memory[0])
        print_memory(v);
    if (v->refused)
        printf("    found no free slot %" PRIu64 " times: subscribers hold too long, or there are "
               "too few slots\n",
               v->refused);
    if (v->demoted || v->revoked || v->died)
        printf("    subscribers: %u lost the right to lossless, %u were cut off, %u died\n",
               v->demoted, v->revoked, v->died);
    if (v->expired)
        printf("    took %u slots from subscribers that held them for longer than the lease\n",
               v->expired);
}

static void print_subscriber(const struct sl_census_row *row)
{
    const struct sl_stats_view *v = &row->view;
    char p50[SL_SHOW_MAX], p99[SL_SHOW_MAX], max[SL_SHOW_MAX];
    printf("  %s (pid %d): %s", v->node->name, (int)row->pid, sl_policy_name(v->policy));
    if (v->depth)
        printf(" %u", v->depth);
    printf(", %.2f Hz, %" PRIu64 " messages, holds %u of %u\n", row->hz, v->messages, v->held,
           v->quota);
    printf("    lost:");
    for (int i = 0; i < SL_LOSS_REASONS; i++)
        printf("%s %" PRIu64 " %s", i ? "," : "", v->lost[i], sl_loss_name((enum sl_loss)i));
    putchar('\n');
    if (v->latency_max_ns)
        printf("    latency: p50 %s, p99 %s, max %s\n",
               sl_show_ns((double)v->latency_p50_ns, p50, sizeof p50),
               sl_show_ns((double)v->latency_p99_ns, p99, sizeof p99),
               sl_show_ns((double)v->latency_max_ns, max, sizeof max));
}

static void print_plain(const struct sl_census *census, const struct sl_census_topic *topic)
{
    char bytes[SL_SHOW_MAX];
    printf("%s  %s  %.2f Hz  %s/s%s\n", topic->name, topic->type, topic->hz,
           sl_show_bytes(topic->bytes_s, bytes, sizeof bytes),
           topic->mixed ? "  (publishers disagree about the type)" : "");
    for (int kind = SL_STATS_PUBLISHER; kind <= SL_STATS_SUBSCRIBER; kind++) {
        bool publishers = kind == SL_STATS_PUBLISHER;
        unsigned count = publishers ? topic->publishers : topic->subscribers;
        printf("%s: %u\n", publishers ? "publishers" : "subscribers", count);
        for (unsigned i = 0; i < census->row_count; i++) {
            const struct sl_census_row *row = &census->rows[i];
            if ((int)row->view.kind != kind || strcmp(row->view.topic, topic->name) != 0)
                continue;
            if (publishers)
                print_publisher(row);
            else
                print_subscriber(row);
        }
    }
}

static int run(void)
{
    struct sl_census *census;
    sl_stop_on_signals();
    int err = sl_census_open(sl_scope.domain, &census);
    if (err < 0)
        return err;
    err = sl_census_take_rates(census, (uint64_t)given.window_ns);
    const struct sl_census_topic *topic = err == 0 ? sl_census_topic(census, given.topic) : NULL;
    if (err == 0 && !topic)
        err = sl_census_no_topic(census, given.topic);
    else if (err == 0 && given.json)
        print_json(census, topic);
    else if (err == 0)
        print_plain(census, topic);
    sl_census_close(census);
    return err;
}

const struct sl_tool sl_tool_topic_info = {.name = "topic info", .command = &command, .run = run};
