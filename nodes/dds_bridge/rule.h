/* SPDX-License-Identifier: Apache-2.0 */
/* rule.h - which topics cross, and how: one line of words, as --out and --in take it.
 *
 *   /lidar/points reliable depth=10 as=/front/points
 *   `---- NAME ---´ `------------ words -----------´
 *
 * NAME is a topic's, or, with any other character than a name has, a regular expression (POSIX,
 * extended, without counts, references, and repetitions of groups) that must match all of one:
 * `.*` is every topic.
 *
 * Life:    bridge_rule_init -> bridge_rule_finish
 * Owner:   `text` must outlive the rule.
 * Threads: any; pure.
 * Errors:  -EINVAL with a sentence that names the word and what would be right.
 */
#ifndef SL_NODES_DDS_BRIDGE_RULE_H
#define SL_NODES_DDS_BRIDGE_RULE_H

#include "nodes/dds_bridge/cyclone.h"
#include "nodes/dds_bridge/frame_id.h"

#include <regex.h>

#define BRIDGE_DEPTH_MAX 1024
#define BRIDGE_WORD_MAX  300

/* What to do with a message while Cyclone still needs as many frames as may be held. */
enum bridge_full {
    BRIDGE_DROP,  /* leave it; the bus counts it as lost when its slot is used anew */
    BRIDGE_COPY,  /* copy it */
    BRIDGE_BLOCK, /* have the bus's publisher wait, if it allows that */
};

struct bridge_rule {
    const char *text;
    char name[SL_TOPIC_MAX]; /* of one topic, as written; "" = pattern */
    regex_t pattern;
    char pattern_text[BRIDGE_WORD_MAX];
    char as[SL_TOPIC_MAX];       /* its name on the other side; "" = the same */
    char frame_id[FRAME_ID_MAX]; /* on the other side, with a '*' for the old one; "" = the same */
    struct cyclone_qos qos;
    bool says_qos; /* reliability or durability were given, so they are not the topic's own */
    bool says_depth;
    bool says_full;
    enum bridge_full full;
    bool latest;       /* only the newest message is wanted */
    int64_t period_ns; /* at least so far apart; 0 = all */
};

int bridge_rule_init(struct bridge_rule *rule, const char *text);
void bridge_rule_finish(struct bridge_rule *rule); /* also one that is zero */

/* How the rule's frame_id gets into messages of that type; NULL: they keep theirs. If the rule has
 * one all the same, this is logged. */
const struct frame_layout *bridge_rule_layout(const struct bridge_rule *rule, const char *topic,
                                              const char *type);

/* Does a pattern match this name? */
bool bridge_rule_matches(const struct bridge_rule *rule, const char *topic);

#endif
