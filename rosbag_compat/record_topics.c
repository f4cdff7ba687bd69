/* SPDX-License-Identifier: Apache-2.0 */
#include "rosbag_compat/record_topics.h"

#include "core/base/error.h"

#include <errno.h>
#include <string.h>

static int compile(const char *option, const char *text, regex_t *to)
{
    char why[128];
    int err = regcomp(to, text, REG_EXTENDED | REG_NOSUB);
    if (err == 0)
        return 0;
    regerror(err, to, why, sizeof why);
    return sl_error(-EINVAL, "option --%s: '%s' is no expression: %s", option, text, why);
}

int record_choice_init(struct record_choice *choice, const struct sl_option_list *names, bool all,
                       const char *regex, const char *exclude)
{
    *choice = (struct record_choice){.names = names, .all = all};
    int err = regex ? compile("regex", regex, &choice->regex) : 0;
    choice->has_regex = regex && err == 0;
    if (err == 0 && exclude) {
        err = compile("exclude", exclude, &choice->exclude);
        choice->has_exclude = err == 0;
    }
    if (err < 0)
        record_choice_finish(choice);
    return err;
}

void record_choice_finish(struct record_choice *choice)
{
    if (choice->has_regex)
        regfree(&choice->regex);
    if (choice->has_exclude)
        regfree(&choice->exclude);
    choice->has_regex = choice->has_exclude = false;
}

bool record_choice_has(const struct record_choice *choice, const char *topic)
{
    for (unsigned i = 0; i < choice->names->count; i++)
        if (strcmp(choice->names->text[i], topic) == 0)
            return true; /* who names it means it */
    bool is_chosen =
        choice->all || (choice->has_regex && regexec(&choice->regex, topic, 0, NULL, 0) == 0);
    return is_chosen && !(choice->has_exclude && regexec(&choice->exclude, topic, 0, NULL, 0) == 0);
}

struct visit {
    int (*visit)(void *context, const struct record_publisher *publisher);
    void *context;
};

static int visit_row(void *context, const struct sl_stats_view *view)
{
    const struct visit *v = context;
    if (view->kind != SL_STATS_PUBLISHER)
        return 0;
    const struct record_publisher publisher = {view->instance, view->topic, view->type,
                                               view->depth};
    return v->visit(v->context, &publisher);
}

int record_each_publisher(struct sl_stats_watch *watch,
                          int (*visit)(void *context, const struct record_publisher *publisher),
                          void *context)
{
    struct visit v = {visit, context};
    int err = sl_stats_watch_refresh(watch, 0);
    return err < 0 ? err : sl_stats_each(watch, visit_row, &v);
}
