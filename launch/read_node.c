/* SPDX-License-Identifier: Apache-2.0 */
/* read_node.c - one entry below `nodes:` of a launch file. */
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/options.h"
#include "core/node/process.h"
#include "core/shm/layout.h"
#include "core/uncached/memory.h"
#include "launch/read.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define RESTART_DELAY_NS     (200 * (int64_t)SL_NS_PER_MS)
#define RESTART_MAX_DELAY_NS (10 * (int64_t)SL_NS_PER_S)
#define RESTART_MAX          5
#define FALLBACK_MAX         256 /* bytes of a list of kinds of memory */
#define READY_TIMEOUT_NS     (10 * (int64_t)SL_NS_PER_S)

static const char *const restart_names[] = {"never", "on-failure", "always", NULL};

static int read_exec(struct sl_scope *scope, const struct sl_yaml_node *value, void *target)
{
    struct sl_plan_node *node = target;
    node->exec_place = value;
    int err = sl_scope_text(scope, value, "exec", &node->exec);
    if (err == 0 && node->exec[0] == '\0')
        return sl_yaml_error(value, -EINVAL, "exec: the program's name is missing");
    return err;
}

static int read_params(struct sl_scope *scope, const struct sl_yaml_node *value, void *target)
{
    struct sl_plan_node *node = target;
    return sl_scope_settings(scope, value, "params", true, &node->params);
}

static int read_args(struct sl_scope *scope, const struct sl_yaml_node *value, void *target)
{
    struct sl_plan_node *node = target;
    node->is_plain = true;
    return sl_scope_list(scope, value, "args", &node->args);
}

static int read_remap(struct sl_scope *scope, const struct sl_yaml_node *value, void *target)
{
    struct sl_plan_node *node = target;
    return sl_scope_settings(scope, value, "remap", false, &node->remap);
}

static int read_env(struct sl_scope *scope, const struct sl_yaml_node *value, void *target)
{
    struct sl_plan_node *node = target;
    return sl_scope_settings(scope, value, "env", false, &node->env);
}

/* [0, 1], 2 or "0-3" */
static int read_cpus(struct sl_scope *scope, const struct sl_yaml_node *value, void *target)
{
    struct sl_plan_node *node = target;
    struct sl_plan_settings items = {0};
    int err = sl_scope_list(scope, value, "cpus", &items);
    if (err < 0)
        return err;
    char list[SL_PLAN_SETTINGS_MAX * 4] = "";
    size_t used = 0;
    for (unsigned i = 0; i < items.count && used < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? "," : "",
                                 items.at[i].value);
    if (used >= sizeof list || sl_process_check_cpus(list) == -EINVAL)
        return sl_yaml_error(value, -EINVAL,
                             "cpus: '%.40s' are no processors of this machine; "
                             "write [0, 1] or 0-3",
                             list);
    node->cpus = sl_plan_keep(scope->plan, list);
    node->cpus_place = value;
    return node->cpus ? 0 : -ENOMEM;
}

static int read_sched(struct sl_scope *scope, const struct sl_yaml_node *value, void *target)
{
    struct sl_plan_node *node = target;
    int err = sl_scope_text(scope, value, "sched", &node->sched);
    if (err < 0)
        return err;
    node->sched_place = value;
    if (sl_process_check_sched(node->sched) < 0)
        return sl_yaml_error(value, -EINVAL,
                             "sched: '%.40s' is none of: other, batch, idle, fifo:N, rr:N (N 1 to "
                             "99)",
                             node->sched);
    return 0;
}

static int read_nice(struct sl_scope *scope, const struct sl_yaml_node *value, void *target)
{
    struct sl_plan_node *node = target;
    int64_t nice;
    int err = sl_scope_text(scope, value, "nice", &node->nice);
    if (err < 0)
        return err;
    node->nice_place = value;
    if (sl_parse_int(node->nice, &nice) < 0 || sl_process_check_nice(nice, NULL) < 0)
        return sl_yaml_error(value, -EINVAL, "nice: '%.40s' is no number from %d to %d", node->nice,
                             SL_PROCESS_NICE_MIN, SL_PROCESS_NICE_MAX);
    return 0;
}

/* The two keys may stand in either order. */
static int check_nice(const struct sl_plan_node *node)
{
    if (!node->nice || !node->sched || sl_process_check_nice(0, node->sched) == 0)
        return 0;
    return sl_yaml_error(node->nice_place, -EINVAL,
                         "nice counts for the scheduling other and batch, not for sched: %s; leave "
                         "one of them out",
                         node->sched);
}

static int read_mlock(struct sl_scope *scope, const struct sl_yaml_node *value, void *target)
{
    struct sl_plan_node *node = target;
    node->mlock_place = value;
    return sl_scope_bool(scope, value, "mlock", &node->mlock);
}

static int read_bus(struct sl_scope *scope, const struct sl_yaml_node *value, void *target)
{
    struct sl_plan_node *node = target;
    node->bus_place = value;
    return sl_scope_bus(scope, value, &node->bus);
}

static int read_required(struct sl_scope *scope, const struct sl_yaml_node *value, void *target)
{
    struct sl_plan_node *node = target;
    return sl_scope_bool(scope, value, "required", &node->required);
}

static int read_after(struct sl_scope *scope, const struct sl_yaml_node *value, void *target)
{
    struct sl_plan_node *node = target;
    return sl_scope_list(scope, value, "after", &node->after);
}

static int read_ready_timeout(struct sl_scope *scope, const struct sl_yaml_node *value,
                              void *target)
{
    struct sl_plan_node *node = target;
    return sl_scope_duration(scope, value, "ready_timeout", &node->ready_timeout_ns);
}

static int read_grace(struct sl_scope *scope, const struct sl_yaml_node *value, void *target)
{
    struct sl_plan_node *node = target;
    return sl_scope_duration(scope, value, "grace", &node->grace_ns);
}

/* pool: what its frames lie in ----------------------------------------------------------------- */

static int read_memory(struct sl_scope *scope, const struct sl_yaml_node *value, void *target)
{
    struct sl_plan_node *node = target;
    node->memory_place = value;
    int err = sl_scope_text(scope, value, "memory", &node->pool_memory);
    if (err == 0 && sl_memory_check(node->pool_memory) < 0)
        return sl_yaml_error(value, -EINVAL, "memory: %s", sl_error_text());
    return err;
}

/* One kind or a list of them. */
static int read_fallback(struct sl_scope *scope, const struct sl_yaml_node *value, void *target)
{
    struct sl_plan_node *node = target;
    struct sl_plan_settings kinds = {0};
    node->fallback_place = value;
    int err = sl_scope_list(scope, value, "fallback", &kinds);
    if (err < 0)
        return err;
    char list[FALLBACK_MAX] = "";
    size_t used = 0;
    for (unsigned i = 0; i < kinds.count; i++) {
        if (sl_memory_check(kinds.at[i].value) < 0)
            return sl_yaml_error(kinds.at[i].place, -EINVAL, "fallback: %s", sl_error_text());
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? "," : "",
                                 kinds.at[i].value);
        if (used >= sizeof list)
            return sl_yaml_error(value, -E2BIG, "fallback: more than %d characters",
                                 FALLBACK_MAX - 1);
    }
    if (kinds.count == 0)
        return sl_yaml_error(value, -EINVAL, "fallback: name a kind of memory, or leave it out");
    node->pool_fallback = sl_plan_keep(scope->plan, list);
    return node->pool_fallback ? 0 : -ENOMEM;
}

static int read_slots(struct sl_scope *scope, const struct sl_yaml_node *value, void *target)
{
    struct sl_plan_node *node = target;
    const char *text = NULL;
    int64_t slots;
    node->slots_place = value;
    int err = sl_scope_text(scope, value, "slots", &text);
    if (err < 0)
        return err;
    if (sl_parse_int(text, &slots) < 0 || slots < 1 || slots > SL_SLOTS_MAX)
        return sl_yaml_error(value, -EINVAL, "slots: '%.40s' is no number from 1 to %u", text,
                             SL_SLOTS_MAX);
    node->pool_slots = (uint64_t)slots;
    return 0;
}

static int read_slot_size(struct sl_scope *scope, const struct sl_yaml_node *value, void *target)
{
    struct sl_plan_node *node = target;
    const char *text = NULL;
    uint64_t bytes, page = sl_memory_round(1);
    node->slot_size_place = value;
    int err = sl_scope_text(scope, value, "slot_size", &text);
    if (err < 0)
        return err;
    if (sl_parse_size(text, &bytes) < 0 || bytes == 0 || bytes % page)
        return sl_yaml_error(value, -EINVAL,
                             "slot_size: '%.40s' is no multiple of %" PRIu64 ", a page; write 8M, "
                             "2048k or a number of bytes",
                             text, page);
    node->pool_slot_size = bytes;
    return 0;
}

static const struct sl_schema pool_schema[] = {{"memory", read_memory},
                                               {"slots", read_slots},
                                               {"slot_size", read_slot_size},
                                               {"fallback", read_fallback},
                                               {NULL, NULL}};

static int read_pool(struct sl_scope *scope, const struct sl_yaml_node *value, void *target)
{
    struct sl_plan_node *node = target;
    node->pool_place = value;
    return sl_scope_mapping(scope, value, "pool", pool_schema, target);
}

/* restart: on-failure, or a mapping ------------------------------------------------------------ */

static int read_policy(struct sl_scope *scope, const struct sl_yaml_node *value, void *target)
{
    struct sl_plan_node *node = target;
    int policy = 0;
    int err = sl_scope_choice(scope, value, "restart policy", restart_names, &policy);
    if (err == 0)
        node->restart = (enum sl_restart)policy;
    return err;
}

static int read_delay(struct sl_scope *scope, const struct sl_yaml_node *value, void *target)
{
    struct sl_plan_node *node = target;
    return sl_scope_duration(scope, value, "delay", &node->restart_delay_ns);
}

static int read_max_delay(struct sl_scope *scope, const struct sl_yaml_node *value, void *target)
{
    struct sl_plan_node *node = target;
    return sl_scope_duration(scope, value, "max_delay", &node->restart_max_delay_ns);
}

static int read_max(struct sl_scope *scope, const struct sl_yaml_node *value, void *target)
{
    struct sl_plan_node *node = target;
    const char *text = NULL;
    int err = sl_scope_text(scope, value, "max", &text);
    if (err < 0)
        return err;
    if (sl_parse_int(text, &node->restart_max) < 0 || node->restart_max < 0)
        return sl_yaml_error(value, -EINVAL, "max: '%.40s' is no number of restarts (0 = no limit)",
                             text);
    return 0;
}

static const struct sl_schema restart_schema[] = {{"policy", read_policy},
                                                  {"delay", read_delay},
                                                  {"max_delay", read_max_delay},
                                                  {"max", read_max},
                                                  {NULL, NULL}};

static int read_restart(struct sl_scope *scope, const struct sl_yaml_node *value, void *target)
{
    struct sl_plan_node *node = target;
    if (sl_yaml_is(value, SL_YAML_SCALAR))
        return read_policy(scope, value, target);
    node->restart = SL_RESTART_ON_FAILURE; /* whoever writes of delays wants restarts */
    return sl_scope_mapping(scope, value, "restart", restart_schema, target);
}

/* The entry -------------------------------------------------------------------------------------*/

static const struct sl_schema node_schema[] = {{"exec", read_exec},
                                               {"params", read_params},
                                               {"args", read_args},
                                               {"remap", read_remap},
                                               {"env", read_env},
                                               {"cpus", read_cpus},
                                               {"sched", read_sched},
                                               {"nice", read_nice},
                                               {"mlock", read_mlock},
                                               {"restart", read_restart},
                                               {"bus", read_bus},
                                               {"pool", read_pool},
                                               {"after", read_after},
                                               {"required", read_required},
                                               {"ready_timeout", read_ready_timeout},
                                               {"grace", read_grace},
                                               {NULL, NULL}};

static int check_name(const struct sl_plan *plan, const struct sl_yaml_node *place)
{
    const char *name = sl_yaml_text(place);
    bool is_fine = name[0] != '\0' && strlen(name) < SL_NODE_MAX;
    for (const char *c = name; *c; c++)
        is_fine = is_fine && (isalnum((unsigned char)*c) || *c == '_' || *c == '-');
    if (!is_fine)
        return sl_yaml_error(place, -EINVAL,
                             "'%.70s' is no node's name: 1 to %d letters, digits, '_' and '-'",
                             name, SL_NODE_MAX - 1);
    int same = sl_plan_find(plan, name);
    if (same < 0)
        return 0;
    const struct sl_yaml_node *other = plan->node[same].place;
    return sl_yaml_error(place, -EINVAL, "a node '%s' stands already at %s:%u:%u", name,
                         sl_yaml_file(other), sl_yaml_line(other), sl_yaml_column(other));
}

/* `args:` starts any program; the rest of these is spoken by programs of core/node only. */
static int check_plain(const struct sl_plan_node *node, const struct sl_yaml_node *value)
{
    static const char *const only[] = {"params", "remap", "mlock", "pool", NULL};
    for (int i = 0; node->is_plain && only[i]; i++) {
        const struct sl_yaml_node *at = sl_yaml_get(value, only[i]);
        if (at)
            return sl_yaml_error(at, -EINVAL,
                                 "%s is for Sluice's own programs; with args: write all arguments "
                                 "there",
                                 only[i]);
    }
    return 0;
}

int sl_scope_node(struct sl_scope *scope, const struct sl_yaml_node *name,
                  const struct sl_yaml_node *value)
{
    struct sl_plan *plan = scope->plan;
    int err = check_name(plan, name);
    if (err < 0)
        return err;
    if (plan->node_count == SL_PLAN_NODES_MAX)
        return sl_yaml_error(name, -E2BIG, "more than %d nodes", SL_PLAN_NODES_MAX);
    struct sl_plan_node *node = &plan->node[plan->node_count];
    *node = (struct sl_plan_node){.name = sl_yaml_text(name),
                                  .place = name,
                                  .restart_delay_ns = RESTART_DELAY_NS,
                                  .restart_max_delay_ns = RESTART_MAX_DELAY_NS,
                                  .restart_max = RESTART_MAX,
                                  .ready_timeout_ns = READY_TIMEOUT_NS};
    err = sl_scope_mapping(scope, value, "a node", node_schema, node);
    if (err < 0)
        return err;
    if (!node->exec)
        return sl_yaml_error(name, -EINVAL, "node %s: exec: is missing, the program to start",
                             node->name);
    err = check_plain(node, value);
    if (err == 0)
        err = check_nice(node);
    if (err == 0)
        plan->node_count++;
    return err;
}
