/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_plan.c - sluice plan: the memory of a launch file, before it is started. */
#include "core/base/error.h"
#include "core/node/bus.h"
#include "launch/budget.h"
#include "tools/json.h"
#include "tools/tool.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct plan_options {
    const char *file;
    struct sl_option_list given;
    struct sl_option_list set;
    int bus; /* index of sl_bus_names; counts if it was given */
    bool json;
} given;

static const struct sl_option options[] = {
    {.name = "file",
     .kind = SL_OPTION_TEXT,
     .flags = SL_OPTION_POSITIONAL | SL_OPTION_REQUIRED,
     .offset = offsetof(struct plan_options, file),
     .value = "FILE",
     .help = "The launch file"},
    {.name = "argument",
     .kind = SL_OPTION_LIST,
     .flags = SL_OPTION_POSITIONAL,
     .offset = offsetof(struct plan_options, given),
     .value = "KEY=VALUE",
     .help = "A value for one of the file's arguments"},
    {.name = "set",
     .kind = SL_OPTION_LIST,
     .offset = offsetof(struct plan_options, set),
     .value = "NODE.PARAM=VALUE",
     .help = "Another value for a node's parameter; may be given several times"},
    {.name = "bus",
     .kind = SL_OPTION_CHOICE,
     .offset = offsetof(struct plan_options, bus),
     .choices = sl_bus_names,
     .help = "What carries the messages of all nodes (default: as the file says)"},
    {.name = "json",
     .kind = SL_OPTION_FLAG,
     .offset = offsetof(struct plan_options, json),
     .help = "Print one JSON object; sizes are bytes"},
};

static const struct sl_command command = {
    .name = "sluice plan",
    .summary = "The memory that a launch file takes, and whether it fits",
    .details =
        "Each program is asked what it would publish and read with its parameters; nothing is "
        "started. A pool has\nas many slots as loans + retained messages + the quotas of all "
        "subscribers + visitors + 1. Beside it stand\nits ring, control words and a ledger for "
        "each who may read. A node with restart: counts twice while it is\nrestarted: what readers "
        "hold of the old pool stays. A pool in a device (pool: {memory: bar:... or reserved:...}) "
        "is "
        "told beside it.\nWhat programs with args: take is not known.\n\n"
        "The sum is compared with the free memory, the limits of all cgroups above this shell, "
        "RLIMIT_FSIZE, and\nwith RLIMIT_MEMLOCK for nodes with mlock: and the free huge pages for "
        "those with huge-pages. Memory that nodes take now "
        "counts as taken, also those of\nthis file.\n\n"
        "The exit status is 0 if it fits (there may be warnings), 1 if it does not, 2 if the file "
        "or the arguments\nare wrong.",
    .example = "sluice plan launch/vlp16.yaml --set lidar.subscribers=4   (with fewer subscribers)",
    .tables = {{"Options", options, sizeof options / sizeof *options, &given}},
};

/* Text ------------------------------------------------------------------------------------------*/

static const char *memory(uint64_t bytes, char to[SL_SHOW_MAX])
{
    return sl_show_memory((double)bytes, to, SL_SHOW_MAX);
}

/* "39 = 2 + 0 + 8*4 + 4 + 1" */
static void show_slots(const struct sl_budget_publisher *p, char *to, size_t size)
{
    uint64_t sum = p->loans + p->retain + p->subscribers * p->quota + p->visitors + 1;
    if (p->slot_count == 0)
        snprintf(to, size, "none, in the ring");
    else if (p->slot_count == sum)
        snprintf(to, size,
                 "%" PRIu64 " = %" PRIu64 " + %" PRIu64 " + %" PRIu64 "*%" PRIu64 " + %" PRIu64
                 " + 1",
                 p->slot_count, p->loans, p->retain, p->subscribers, p->quota, p->visitors);
    else
        snprintf(to, size, "%" PRIu64 " as asked for", p->slot_count);
}

struct widths {
    int node, topic, slots;
};

static void widen(int *width, size_t length)
{
    if ((int)length > *width)
        *width = (int)length;
}

static struct widths measure(const struct sl_budget *b)
{
    struct widths w = {.node = 4, .topic = 8, .slots = 6};
    char slots[128];
    for (unsigned i = 0; i < b->node_count; i++)
        widen(&w.node, strlen(b->node[i].node->name));
    for (unsigned i = 0; i < b->publisher_count; i++) {
        widen(&w.topic, strlen(b->publisher[i].topic));
        show_slots(&b->publisher[i], slots, sizeof slots);
        widen(&w.slots, strlen(slots));
    }
    return w;
}

static void print_publisher(const struct sl_budget_publisher *p, const struct widths *w,
                            bool may_restart)
{
    char slots[128], text[7][SL_SHOW_MAX];
    show_slots(p, slots, sizeof slots);
    printf("%-*s  %-*s  %-*s  %10s %10s %9s %9s %9s %10s %10s\n", w->node, p->node->name, w->topic,
           p->topic, w->slots, slots, p->slot_count ? memory(p->slot_size, text[0]) : "-",
           p->slot_count ? memory(p->pool_bytes, text[1]) : "-", memory(p->ring_bytes, text[2]),
           memory(p->control_bytes, text[3]), memory(p->ledgers * p->ledger_bytes, text[4]),
           memory(p->total_bytes, text[5]),
           may_restart ? memory(2 * p->total_bytes, text[6]) : "-");
}

static void print_node(const struct sl_budget *b, const struct sl_budget_node *n,
                       const struct widths *w)
{
    char text[2][SL_SHOW_MAX];
    if (!n->is_known) {
        printf("%-*s  unknown: %s does not tell what it takes\n", w->node, n->node->name,
               n->node->exec);
        return;
    }
    for (unsigned i = 0; i < b->publisher_count; i++)
        if (b->publisher[i].node == n->node)
            print_publisher(&b->publisher[i], w, n->may_restart);
    printf("%-*s  %-*s  %-*s  %10s %10s %9s %9s %9s %10s %10s\n", w->node, n->node->name, w->topic,
           "counters", w->slots, "", "", "", "", "", "", memory(n->process_bytes, text[0]),
           n->may_restart ? memory(2 * n->process_bytes, text[1]) : "-");
}

static void print_limit(const struct sl_budget_limit *l)
{
    char left[SL_SHOW_MAX], wanted[SL_SHOW_MAX];
    printf("  %-52s ", l->name);
    if (l->left_bytes == UINT64_MAX)
        printf("%12s", "no limit");
    else
        printf("%12s", memory(l->left_bytes, left));
    if (!l->is_asked)
        printf("  not asked for\n");
    else
        printf("  %s %s\n", l->does_fit ? "has room for" : "TOO LITTLE for",
               memory(l->wanted_bytes, wanted));
}

/* A pool that is no part of the total. */
static void print_device(const struct sl_budget_publisher *p)
{
    char bytes[SL_SHOW_MAX];
    if (p->device_bytes)
        printf("Beside it %s of %s, for %s.\n", memory(p->device_bytes, bytes), p->memory,
               p->topic);
}

static void print_budget(const struct sl_budget *b)
{
    char total[SL_SHOW_MAX], restart[SL_SHOW_MAX];
    struct widths w = measure(b);
    printf("%-*s  %-*s  %-*s  %10s %10s %9s %9s %9s %10s %10s\n", w.node, "NODE", w.topic, "TOPIC",
           w.slots, "SLOTS", "SLOT", "POOL", "RING", "CONTROL", "LEDGERS", "TOTAL", "RESTARTING");
    for (unsigned i = 0; i < b->node_count; i++)
        print_node(b, &b->node[i], &w);
    if (b->roudi_bytes)
        printf("RouDi, for bus: iceoryx, which the launch starts: %s of /dev/shm.\n",
               memory(b->roudi_bytes, total));
    printf("\nSlots = loans + retained + subscribers*quota + visitors + 1.\n");
    printf("Total %s%s", memory(b->total_bytes, total), b->unknown_count ? " that is known" : "");
    if (b->restart_bytes != b->total_bytes)
        printf(", %s while all that may be restarted are", memory(b->restart_bytes, restart));
    printf(".\n");
    for (unsigned i = 0; i < b->publisher_count; i++)
        print_device(&b->publisher[i]);
    printf("\nWhat is left:\n");
    for (unsigned i = 0; i < b->limit_count; i++)
        print_limit(&b->limit[i]);
    for (unsigned i = 0; i < b->note_count; i++)
        printf("%s%s: %s\n", i == 0 ? "\n" : "", b->note[i].is_problem ? "does not fit" : "warning",
               b->note[i].text);
    if (b->dropped_notes)
        printf("and %u more\n", b->dropped_notes);
}

/* JSON ------------------------------------------------------------------------------------------*/

static const char *const limit_keys[] = {[SL_BUDGET_MACHINE] = "machine",
                                         [SL_BUDGET_CGROUP] = "cgroup",
                                         [SL_BUDGET_FILE] = "file",
                                         [SL_BUDGET_LOCK] = "lock",
                                         [SL_BUDGET_HUGE] = "hugepages"};

static void json_publisher(const struct sl_budget_publisher *p, struct sl_json *json)
{
    sl_json_open(json, NULL, '{');
    sl_json_text(json, "topic", p->topic);
    sl_json_text(json, "type", p->type);
    sl_json_count(json, "slots", p->slot_count);
    sl_json_count(json, "slot_bytes", p->slot_size);
    sl_json_count(json, "loans", p->loans);
    sl_json_count(json, "retain", p->retain);
    sl_json_count(json, "subscribers", p->subscribers);
    sl_json_count(json, "quota", p->quota);
    sl_json_count(json, "visitors", p->visitors);
    sl_json_flag(json, "huge_pages", p->is_huge);
    sl_json_text(json, "memory", p->memory[0] ? p->memory : NULL);
    sl_json_count(json, "pool_bytes", p->pool_bytes);
    sl_json_count(json, "device_bytes", p->device_bytes);
    sl_json_count(json, "ring_bytes", p->ring_bytes);
    sl_json_count(json, "control_bytes", p->control_bytes);
    sl_json_count(json, "ledgers_bytes", p->ledgers * p->ledger_bytes);
    sl_json_count(json, "total_bytes", p->total_bytes);
    sl_json_close(json, '}');
}

static void json_node(const struct sl_budget *b, const struct sl_budget_node *n,
                      struct sl_json *json)
{
    sl_json_open(json, NULL, '{');
    sl_json_text(json, "node", n->node->name);
    sl_json_text(json, "exec", n->node->exec);
    sl_json_flag(json, "known", n->is_known);
    sl_json_flag(json, "restarts", n->may_restart);
    sl_json_flag(json, "locked", n->is_locked);
    if (n->is_locked)
        sl_json_count(json, "lock_bytes", n->lock_bytes);
    if (n->is_known) {
        sl_json_count(json, "counters_bytes", n->process_bytes);
        sl_json_count(json, "total_bytes", n->total_bytes);
        sl_json_count(json, "restart_bytes", n->total_bytes * (n->may_restart ? 2 : 1));
    }
    sl_json_open(json, "publishers", '[');
    for (unsigned i = 0; i < b->publisher_count; i++)
        if (b->publisher[i].node == n->node)
            json_publisher(&b->publisher[i], json);
    sl_json_close(json, ']');
    sl_json_open(json, "subscribers", '[');
    for (unsigned i = 0; i < b->subscriber_count; i++) {
        const struct sl_budget_subscriber *s = &b->subscriber[i];
        if (s->node != n->node)
            continue;
        sl_json_open(json, NULL, '{');
        sl_json_text(json, "topic", s->topic);
        sl_json_text(json, "type", s->type[0] ? s->type : NULL);
        sl_json_count(json, "quota", s->quota);
        sl_json_close(json, '}');
    }
    sl_json_close(json, ']');
    sl_json_close(json, '}');
}

static void json_limit(const struct sl_budget_limit *l, struct sl_json *json)
{
    sl_json_open(json, limit_keys[l->kind], '{');
    sl_json_text(json, "name", l->name);
    if (l->left_bytes == UINT64_MAX)
        sl_json_text(json, "left_bytes", NULL);
    else
        sl_json_count(json, "left_bytes", l->left_bytes);
    sl_json_count(json, "wanted_bytes", l->wanted_bytes);
    sl_json_flag(json, "fits", l->does_fit);
    sl_json_close(json, '}');
}

static void json_notes(const struct sl_budget *b, const char *key, bool problems,
                       struct sl_json *json)
{
    sl_json_open(json, key, '[');
    for (unsigned i = 0; i < b->note_count; i++)
        if (b->note[i].is_problem == problems)
            sl_json_text(json, NULL, b->note[i].text);
    sl_json_close(json, ']');
}

static void json_budget(const struct sl_budget *b)
{
    struct sl_json json = {.to = stdout};
    sl_json_open(&json, NULL, '{');
    sl_json_text(&json, "file", given.file);
    sl_json_flag(&json, "fits", b->does_fit);
    sl_json_count(&json, "total_bytes", b->total_bytes);
    sl_json_count(&json, "restart_bytes", b->restart_bytes);
    sl_json_count(&json, "device_bytes", b->device_bytes);
    sl_json_count(&json, "roudi_bytes", b->roudi_bytes);
    sl_json_count(&json, "unknown_nodes", b->unknown_count);
    sl_json_open(&json, "nodes", '[');
    for (unsigned i = 0; i < b->node_count; i++)
        json_node(b, &b->node[i], &json);
    sl_json_close(&json, ']');
    sl_json_open(&json, "limits", '{');
    for (unsigned i = 0; i < b->limit_count; i++)
        json_limit(&b->limit[i], &json);
    sl_json_close(&json, '}');
    json_notes(b, "problems", true, &json);
    json_notes(b, "warnings", false, &json);
    sl_json_close(&json, '}');
    sl_json_end(&json);
}

/* ---------------------------------------------------------------------------------------------- */

static int read_plan(struct sl_plan *plan)
{
    int err =
        sl_plan_read(plan, given.file, given.given.text, given.given.count, false, sl_yaml_load);
    for (unsigned i = 0; i < given.set.count && err == 0; i++)
        err = sl_plan_set(plan, given.set.text[i]);
    bool has_bus = sl_options_given(&command, "bus");
    if (err == 0)
        err = sl_plan_choose_bus(plan, has_bus ? sl_bus_at(given.bus) : SL_BUS_DEFAULT);
    return err < 0 ? err : sl_plan_check(plan);
}

static int tell(struct sl_plan *plan, struct sl_budget *budget)
{
    if (read_plan(plan) < 0 || sl_budget_make(plan, NULL, budget) < 0) {
        fprintf(stderr, "%s\n", sl_error_text()); /* with its place in the file, and a caret */
        return SL_EXIT_USAGE;
    }
    if (given.json)
        json_budget(budget);
    else
        print_budget(budget);
    int status = budget->does_fit ? 0 : SL_EXIT_FAILURE;
    sl_budget_finish(budget);
    return status;
}

static int run(void)
{
    struct sl_plan *plan = NULL;
    struct sl_budget *budget = malloc(sizeof *budget);
    int result = budget ? sl_plan_create(&plan) : sl_error(-ENOMEM, "no memory");
    if (result == 0)
        result = tell(plan, budget);
    sl_plan_destroy(plan);
    free(budget);
    return result;
}

const struct sl_tool sl_tool_plan = {.name = "plan", .command = &command, .run = run};
