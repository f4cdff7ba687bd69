/* SPDX-License-Identifier: Apache-2.0 */
#include "rosbag_compat/topic_choice.h"

#include "core/base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int compile(const char *option, const char *text, regex_t *to)
{
    char whole[512], why[128];
    if (snprintf(whole, sizeof whole, "^(%s)$", text) >= (int)sizeof whole)
        return sl_error(-EINVAL, "option --%s: longer than %zu bytes", option, sizeof whole - 5);
    int err = regcomp(to, whole, REG_EXTENDED | REG_NOSUB);
    if (err == 0)
        return 0;
    regerror(err, to, why, sizeof why);
    return sl_error(-EINVAL, "option --%s: '%s' is no expression: %s", option, text, why);
}

int sl_topic_choice_init(struct sl_topic_choice *choice, const struct sl_option_list *names,
                         bool all, const char *regex, const char *exclude)
{
    *choice = (struct sl_topic_choice){.names = names, .all = all};
    int err = regex ? compile("regex", regex, &choice->regex) : 0;
    choice->has_regex = regex && err == 0;
    if (err == 0 && exclude) {
        err = compile("exclude", exclude, &choice->exclude);
        choice->has_exclude = err == 0;
    }
    if (err < 0)
        sl_topic_choice_finish(choice);
    return err;
}

void sl_topic_choice_finish(struct sl_topic_choice *choice)
{
    if (choice->has_regex)
        regfree(&choice->regex);
    if (choice->has_exclude)
        regfree(&choice->exclude);
    choice->has_regex = choice->has_exclude = false;
}

bool sl_topic_choice_has(const struct sl_topic_choice *choice, const char *topic)
{
    for (unsigned i = 0; i < choice->names->count; i++)
        if (strcmp(choice->names->text[i], topic) == 0)
            return true; /* who names it means it */
    bool is_chosen =
        choice->all || (choice->has_regex && regexec(&choice->regex, topic, 0, NULL, 0) == 0);
    return is_chosen && !(choice->has_exclude && regexec(&choice->exclude, topic, 0, NULL, 0) == 0);
}
