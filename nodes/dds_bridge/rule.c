/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes/dds_bridge/rule.h"

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/options.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH      5 /* of ROS 2's profile for sensor data, which is best effort and volatile */
#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-/"

static bool repeats(char c)
{
    return c == '*' || c == '+' || c == '?';
}

/* regcomp takes time and memory that double with each repetition of a repetition, regexec with
 * references back. */
static int check_pattern(const char *pattern)
{
    for (const char *c = pattern; *c; c++) {
        if (*c == '{' || (*c == '\\' && isdigit((unsigned char)c[1])))
            return sl_error(-EINVAL,
                            "'%s': a pattern has no counts such as {2} here, and no references "
                            "such as \\1",
                            pattern);
        if ((repeats(*c) || *c == ')') && repeats(c[1]))
            return sl_error(-EINVAL, "'%s': a group or a repetition cannot be repeated here",
                            pattern);
    }
    return 0;
}

static int set_name(struct bridge_rule *rule, const char *name)
{
    if (name[strspn(name, NAME_CHARS)] == '\0') {
        if (strlen(name) >= sizeof rule->name)
            return sl_error(-EINVAL, "'%s': a topic's name has at most %d characters", name,
                            SL_TOPIC_MAX - 1);
        snprintf(rule->name, sizeof rule->name, "%s", name);
        return 0;
    }
    int err = check_pattern(name);
    if (err < 0)
        return err;
    char whole[BRIDGE_WORD_MAX + 8], why[128];
    snprintf(rule->pattern_text, sizeof rule->pattern_text, "%s", name);
    snprintf(whole, sizeof whole, "^(%s)$", name);
    int code = regcomp(&rule->pattern, whole, REG_EXTENDED | REG_NOSUB);
    if (code == 0)
        return 0;
    regerror(code, &rule->pattern, why, sizeof why);
    memset(&rule->pattern, 0, sizeof rule->pattern);
    return sl_error(-EINVAL, "'%s' is no topic's name, and no regular expression: %s", name, why);
}

static int set_reliability(struct bridge_rule *rule, bool best_effort)
{
    rule->qos.best_effort = best_effort;
    rule->says_qos = true;
    return 0;
}

static int set_durability(struct bridge_rule *rule, bool transient_local)
{
    rule->qos.transient_local = transient_local;
    rule->qos.best_effort &= !transient_local; /* nobody waits for what may be lost */
    rule->says_qos = true;
    return 0;
}

static int set_depth(struct bridge_rule *rule, const char *value)
{
    int64_t depth;
    if (sl_parse_int(value, &depth) < 0 || depth < 1 || depth > BRIDGE_DEPTH_MAX)
        return sl_error(-EINVAL, "depth=%s: give a number from 1 to %d", value, BRIDGE_DEPTH_MAX);
    rule->qos.depth = (uint32_t)depth;
    rule->says_depth = true;
    return 0;
}

static int set_deadline(struct bridge_rule *rule, const char *value)
{
    if (sl_parse_duration(value, &rule->qos.deadline_ns) < 0 || rule->qos.deadline_ns <= 0)
        return sl_error(-EINVAL, "deadline=%s: give a duration such as 100ms", value);
    return 0;
}

static int set_rate(struct bridge_rule *rule, const char *value)
{
    double hz;
    if (sl_parse_real(value, &hz) < 0 || !(hz >= 1e-3 && hz <= 1e6))
        return sl_error(-EINVAL, "rate=%s: give messages a second, 0.001 to 1000000", value);
    rule->period_ns = (int64_t)(1e9 / hz);
    return 0;
}

static int set_full(struct bridge_rule *rule, const char *value)
{
    static const char *const words[] = {"drop", "copy", "block", NULL};
    for (int i = 0; words[i]; i++)
        if (strcmp(value, words[i]) == 0) {
            rule->full = (enum bridge_full)i;
            rule->says_full = true;
            return 0;
        }
    return sl_error(-EINVAL, "when-full=%s is none of: drop, copy, block", value);
}

static int set_as(struct bridge_rule *rule, const char *value)
{
    if (value[0] != '/' || value[strspn(value, NAME_CHARS)] || strlen(value) >= sizeof rule->as)
        return sl_error(-EINVAL, "as=%s: give a topic's whole name, such as /front/points", value);
    if (!rule->name[0])
        return sl_error(-EINVAL, "as=%s: one name for every topic that matches", value);
    snprintf(rule->as, sizeof rule->as, "%s", value);
    return 0;
}

static int set_frame_id(struct bridge_rule *rule, const char *value)
{
    const char *star = strchr(value, '*');
    if (value[0] == '\0' || strlen(value) >= sizeof rule->frame_id ||
        (star && strchr(star + 1, '*')))
        return sl_error(-EINVAL,
                        "frame-id=%s: give a name, such as lidar_front, or one with a '*' for the "
                        "one that a message has, such as robot1/*",
                        value);
    snprintf(rule->frame_id, sizeof rule->frame_id, "%s", value);
    return 0;
}

static int set_word(struct bridge_rule *rule, const char *word)
{
    static const struct {
        const char *key;
        int (*set)(struct bridge_rule *rule, const char *value);
    } values[] = {{"depth=", set_depth}, {"deadline=", set_deadline},
                  {"rate=", set_rate},   {"when-full=", set_full},
                  {"as=", set_as},       {"frame-id=", set_frame_id}};
    if (strcmp(word, "reliable") == 0 || strcmp(word, "best-effort") == 0)
        return set_reliability(rule, word[0] == 'b');
    if (strcmp(word, "transient-local") == 0 || strcmp(word, "volatile") == 0)
        return set_durability(rule, word[0] == 't');
    if (strcmp(word, "latest") == 0 || strcmp(word, "keep-all") == 0) {
        *(word[0] == 'l' ? &rule->latest : &rule->qos.keep_all) = true;
        return 0;
    }
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        if (strncmp(word, values[i].key, strlen(values[i].key)) == 0)
            return values[i].set(rule, word + strlen(values[i].key));
    return sl_error(-EINVAL,
                    "'%s' is none of: reliable, best-effort, transient-local, volatile, depth=N, "
                    "keep-all, deadline=TIME, rate=HZ, latest, when-full=drop|copy|block, "
                    "as=/NAME, frame-id=NAME",
                    word);
}

/* The next word, cut at white space. 1, 0 at the end, or an error. */
static int next_word(const char **text, char word[BRIDGE_WORD_MAX])
{
    const char *start = *text + strspn(*text, " \t\n");
    size_t length = strcspn(start, " \t\n");
    if (length >= BRIDGE_WORD_MAX)
        return sl_error(-EINVAL, "'%.60s...' is longer than %d characters", start,
                        BRIDGE_WORD_MAX - 1);
    memcpy(word, start, length);
    word[length] = '\0';
    *text = start + length;
    return length > 0;
}

int bridge_rule_init(struct bridge_rule *rule, const char *text)
{
    char word[BRIDGE_WORD_MAX];
    *rule = (struct bridge_rule){.text = text, .qos = {.best_effort = true, .depth = DEPTH}};
    int got = next_word(&text, word);
    if (got == 0)
        return sl_error(-EINVAL, "no topic's name");
    int err = got < 0 ? got : set_name(rule, word);
    while (err == 0 && (got = next_word(&text, word)) > 0)
        err = set_word(rule, word);
    return err == 0 && got < 0 ? got : err;
}

void bridge_rule_finish(struct bridge_rule *rule)
{
    if (rule->text && !rule->name[0])
        regfree(&rule->pattern);
    rule->text = NULL;
}

bool bridge_rule_matches(const struct bridge_rule *rule, const char *topic)
{
    return !rule->name[0] && regexec(&rule->pattern, topic, 0, NULL, 0) == 0;
}

const struct frame_layout *bridge_rule_layout(const struct bridge_rule *rule, const char *topic,
                                              const char *type)
{
    const struct frame_layout *layout = rule->frame_id[0] ? frame_layout_of(type) : NULL;
    if (rule->frame_id[0] && !layout)
        sl_log(SL_LOG_WARN,
               "%s keeps its frame_id: %s has none that is known here (frame-id is for clouds, "
               "images, scans, packets, Imu, NavSatFix, CameraInfo, Odometry, and stamped poses, "
               "points, twists and transforms)",
               topic, type);
    return layout;
}
