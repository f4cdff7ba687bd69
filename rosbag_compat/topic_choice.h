/* SPDX-License-Identifier: Apache-2.0 */
/* topic_choice.h - which topics are meant: by name, by expression, or all.
 *
 * Threads: one
 * Errors:  -EINVAL (a bad expression), with the option's name
 */
#ifndef SL_ROSBAG_COMPAT_TOPIC_CHOICE_H
#define SL_ROSBAG_COMPAT_TOPIC_CHOICE_H

#include "core/base/options.h"

#include <regex.h>

/* Named ones, those whose whole name an expression (POSIX extended) matches, or all; less those
 * that `exclude` matches, unless they were named. */
struct sl_topic_choice {
    const struct sl_option_list *names; /* in full, as they are published */
    bool all;
    bool has_regex, has_exclude;
    regex_t regex, exclude;
};

/* Expressions may be NULL. The names stay the caller's. */
int sl_topic_choice_init(struct sl_topic_choice *choice, const struct sl_option_list *names,
                         bool all, const char *regex, const char *exclude);
void sl_topic_choice_finish(struct sl_topic_choice *choice); /* zeros are fine */
bool sl_topic_choice_has(const struct sl_topic_choice *choice, const char *topic);
/* May topics that nobody named be chosen? */
static inline bool sl_topic_choice_is_open(const struct sl_topic_choice *choice)
{
    return choice->all || choice->has_regex;
}

#endif
