/* SPDX-License-Identifier: Apache-2.0 */
/* record_topics.h - which topics of a domain are recorded, and who publishes what on them.
 *
 * Threads: one
 * Errors:  -EINVAL (a bad expression, a bad name), and as of sluice.h
 */
#ifndef SL_ROSBAG_COMPAT_RECORD_TOPICS_H
#define SL_ROSBAG_COMPAT_RECORD_TOPICS_H

#include "core/base/options.h"
#include "core/shm/sluice.h"
#include "core/shm/stats.h"

#include <regex.h>

/* Named ones, those that an expression finds, or all; less those that `exclude` finds. Expressions
 * are POSIX's extended ones, and are found anywhere in a name unless they have ^ and $. */
struct record_choice {
    const struct sl_option_list *names; /* in full, as they are published */
    bool all;
    bool has_regex, has_exclude;
    regex_t regex, exclude;
};

/* NULL: there is none. */
int record_choice_init(struct record_choice *choice, const struct sl_option_list *names, bool all,
                       const char *regex, const char *exclude);
void record_choice_finish(struct record_choice *choice);
bool record_choice_has(const struct record_choice *choice, const char *topic);
/* May topics that nobody named be chosen? */
static inline bool record_choice_is_open(const struct record_choice *choice)
{
    return choice->all || choice->has_regex;
}

/* What a publisher's page says of itself. */
struct record_publisher {
    uint64_t instance;
    const char *topic, *type; /* valid during the visit */
    uint32_t retain;
};

/* Call `visit` for each publisher of the domain; it may return an error, which ends it. */
int record_each_publisher(struct sl_stats_watch *watch,
                          int (*visit)(void *context, const struct record_publisher *publisher),
                          void *context);

#endif
