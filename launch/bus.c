/* SPDX-License-Identifier: Apache-2.0 */
/* bus.c - which bus each node is started with, and how many ends the nodes will have. */
#include "core/node/bus.h"

#include "core/base/error.h"
#include "launch/budget.h"
#include "launch/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define UNKNOWN_PUBLISHERS  2 /* of a program that does not tell its topics */
#define UNKNOWN_SUBSCRIBERS 4
#define BESIDE              8 /* of each, for those who join by hand */

/* A second word for the same would make the launcher see another bus than the node. */
static int refuse(const struct sl_plan_settings *settings, const char *name)
{
    for (unsigned i = 0; i < settings->count; i++) {
        const struct sl_plan_setting *s = &settings->at[i];
        if (strcmp(s->name, name) == 0)
            return sl_yaml_error(s->name_place ? s->name_place : s->place, -EINVAL,
                                 "%s is not for here; write 'bus: %.40s' as a key of the node or "
                                 "of the file, or give --bus to the launcher",
                                 name, s->value);
    }
    return 0;
}

static int bus_of_environment(enum sl_bus *ret_bus)
{
    const char *text = getenv("SLUICE_BUS");
    *ret_bus = SL_BUS_NATIVE;
    if (!text || !text[0])
        return 0;
    for (int i = 0; sl_bus_names[i]; i++) {
        if (strcmp(sl_bus_names[i], text) == 0) {
            *ret_bus = sl_bus_at(i);
            return 0;
        }
    }
    return sl_error(-EINVAL, "$SLUICE_BUS: '%.60s' is none of: native, iceoryx", text);
}

int sl_plan_choose_bus(struct sl_plan *plan, enum sl_bus given)
{
    enum sl_bus fallback = plan->bus;
    int err = given || fallback ? 0 : bus_of_environment(&fallback);
    for (unsigned i = 0; i < plan->node_count && err == 0; i++) {
        struct sl_plan_node *node = &plan->node[i];
        err = refuse(&node->params, "bus");
        if (err == 0)
            err = refuse(&node->env, "SLUICE_BUS");
        if (given) {
            node->bus = given;
            node->bus_place = NULL;
        } else if (!node->bus) {
            node->bus = fallback;
            node->bus_place = plan->bus_place;
        }
    }
    return err;
}

static bool is_on_iceoryx(const struct sl_plan_node *node)
{
    return node->bus == SL_BUS_ICEORYX;
}

/* A receiver for each publisher that a subscriber meets. */
static uint32_t receivers(const struct sl_budget *budget, const struct sl_budget_subscriber *s)
{
    uint32_t count = 0;
    for (unsigned i = 0; i < budget->publisher_count; i++)
        if (is_on_iceoryx(budget->publisher[i].node) &&
            strcmp(budget->publisher[i].topic, s->topic) == 0)
            count++;
    return count > 0 ? count : 1;
}

void sl_plan_count_ends(const struct sl_budget *budget, uint32_t *ret_publishers,
                        uint32_t *ret_subscribers)
{
    *ret_publishers = *ret_subscribers = BESIDE;
    for (unsigned i = 0; i < budget->publisher_count; i++)
        *ret_publishers += is_on_iceoryx(budget->publisher[i].node);
    for (unsigned i = 0; i < budget->subscriber_count; i++)
        if (is_on_iceoryx(budget->subscriber[i].node))
            *ret_subscribers += receivers(budget, &budget->subscriber[i]);
    for (unsigned i = 0; i < budget->node_count; i++) {
        if (budget->node[i].is_known || !is_on_iceoryx(budget->node[i].node))
            continue;
        *ret_publishers += UNKNOWN_PUBLISHERS;
        *ret_subscribers += UNKNOWN_SUBSCRIBERS;
    }
}

int sl_plan_ends(const struct sl_plan *plan, uint32_t *ret_publishers, uint32_t *ret_subscribers)
{
    struct sl_budget *budget = malloc(sizeof *budget);
    int err = budget ? sl_budget_make(plan, NULL, budget)
                     : sl_error(-ENOMEM, "no memory to count topics");
    if (err == 0) {
        sl_plan_count_ends(budget, ret_publishers, ret_subscribers);
        sl_budget_finish(budget);
    }
    free(budget);
    return err;
}

bool sl_plan_needs_roudi(const struct sl_plan *plan)
{
    for (unsigned i = 0; i < plan->node_count; i++)
        if (is_on_iceoryx(&plan->node[i]))
            return true;
    return false;
}
