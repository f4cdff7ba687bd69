/* SPDX-License-Identifier: Apache-2.0 */
/* bridge.c - topics of the bus as topics of DDS, by ROS 2's names: RViz, Foxglove and any ROS 2
 * node read them where the bus's frames stand.
 *
 * Which topics there are is looked up on the bus now and then; each that a rule names is opened
 * when its first publisher is seen, for then its type is known.
 */
#include "nodes/dds_bridge/bridge.h"

#include "core/base/clock.h"
#include "core/base/error.h"
#include "nodes/dds_bridge/out.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define OUTS_MAX   SL_RUNTIME_ENDS_MAX
#define LOOK_NS    (200 * SL_NS_PER_MS) /* between two looks at what the bus has */
#define ANSWER_MS  5                    /* for a process that just started to show its page */
#define DOMAIN_MAX 230                  /* of DDS: its ports are made from the number */

struct bridge {
    struct sl_option_list out_rules;
    int64_t domain;

    struct sl_runtime *runtime;
    struct bridge_rule out_rule[SL_OPTION_LIST_MAX];
    char out_name[SL_OPTION_LIST_MAX][SL_TOPIC_MAX]; /* of rules for one topic: on the bus */
    struct out out[OUTS_MAX];
    unsigned out_count;
    struct sl_stats_watch watch;
    bool is_watching, is_open;
    bool told_of_outs_max;
    int wake_fd;
    struct cyclone *cyclone;
    uint64_t look_ns; /* when to look again */
};

static const struct sl_option options[] = {
    {.name = "out",
     .letter = 'o',
     .kind = SL_OPTION_LIST,
     .offset = offsetof(struct bridge, out_rules),
     .value = "RULE",
     .help = "Topics of the bus that go out to DDS: \"NAME WORD...\" (see below); may be given "
             "several times"},
    {.name = "dds-domain",
     .letter = 'd',
     .kind = SL_OPTION_INT,
     .offset = offsetof(struct bridge, domain),
     .fallback = "0",
     .min = 0,
     .max = DOMAIN_MAX,
     .help = "The DDS domain, as ROS_DOMAIN_ID"},
};

/* Rules -----------------------------------------------------------------------------------------*/

static int read_rules(struct bridge *b, struct sl_runtime *runtime)
{
    for (unsigned i = 0; i < b->out_rules.count; i++) {
        struct bridge_rule *rule = &b->out_rule[i];
        int err = bridge_rule_init(rule, b->out_rules.text[i]);
        if (err == 0 && rule->name[0])
            err = sl_runtime_topic(runtime, rule->name, b->out_name[i]);
        if (err < 0)
            return sl_error_at(err, "option --out: '%s'", b->out_rules.text[i]);
    }
    if (b->out_rules.count == 0)
        return sl_error(-EINVAL, "nothing to do: give --out with a topic, such as --out "
                                 "/lidar/points, or --out '.*'");
    return 0;
}

static const struct bridge_rule *rule_for(const struct bridge *b, const char *topic)
{
    for (unsigned i = 0; i < b->out_rules.count; i++)
        if (b->out_rule[i].name[0] ? strcmp(b->out_name[i], topic) == 0
                                   : bridge_rule_matches(&b->out_rule[i], topic))
            return &b->out_rule[i];
    return NULL;
}

static void end_rules(struct bridge *b)
{
    for (unsigned i = 0; i < b->out_rules.count; i++)
        bridge_rule_finish(&b->out_rule[i]);
}

/* For `sluice plan`: what is read is not known before, but for topics that are named. */
static int plan_topics(void *state, struct sl_runtime *runtime)
{
    struct bridge *b = state;
    struct sl_subscriber *none;
    int err = read_rules(b, runtime);
    for (unsigned i = 0; err == 0 && i < b->out_rules.count; i++) {
        const struct sl_subscriber_options wanted = {.topic = b->out_rule[i].name,
                                                     .quota = out_quota(&b->out_rule[i])};
        if (b->out_rule[i].name[0])
            err = sl_runtime_subscribe(runtime, &wanted, &none);
    }
    end_rules(b);
    return err;
}

/* What the bus has ------------------------------------------------------------------------------*/

static bool is_known(const struct bridge *b, const char *topic)
{
    for (unsigned i = 0; i < b->out_count; i++)
        if (strcmp(b->out[i].topic, topic) == 0)
            return true;
    return false;
}

/* A topic that cannot be opened is told of once, and stays in the list. */
static int see_row(void *context, const struct sl_stats_view *view)
{
    struct bridge *b = context;
    if (view->kind != SL_STATS_PUBLISHER || is_known(b, view->topic))
        return 0;
    const struct bridge_rule *rule = rule_for(b, view->topic);
    if (!rule)
        return 0;
    if (b->out_count == OUTS_MAX) {
        if (!b->told_of_outs_max)
            sl_log(SL_LOG_WARN, "%s and later ones do not go out: a bridge has at most %d topics",
                   view->topic, OUTS_MAX);
        b->told_of_outs_max = true;
        return 0;
    }
    struct out *out = &b->out[b->out_count++];
    if (out_open(out, b->runtime, b->cyclone, rule, view) < 0)
        sl_log(SL_LOG_WARN, "%s does not go out: %s", view->topic, sl_error_text());
    return 0;
}

static int look(struct bridge *b)
{
    uint64_t now_ns = sl_clock_monotonic_ns();
    if (now_ns < b->look_ns)
        return 0;
    b->look_ns = now_ns + LOOK_NS;
    int err = sl_stats_watch_refresh(&b->watch, ANSWER_MS);
    return err < 0 ? err : sl_stats_each(&b->watch, see_row, b);
}

/* Life ------------------------------------------------------------------------------------------*/

static int open_bridge(void *state, struct sl_runtime *runtime)
{
    struct bridge *b = state;
    b->runtime = runtime;
    b->wake_fd = -1;
    b->watch.domain.fd = -1;
    b->is_open = true;
    int err = read_rules(b, runtime);
    if (err < 0)
        return err;
    b->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (b->wake_fd < 0)
        return sl_error(-errno, "cannot make an eventfd: %s", strerror(errno));
    if ((err = sl_runtime_watch(runtime, b->wake_fd)) < 0 ||
        (err = sl_stats_watch_open(sl_runtime_domain(runtime), &b->watch)) < 0)
        return err;
    b->is_watching = true;
    err = cyclone_open((uint32_t)b->domain, sl_runtime_name(runtime), b->wake_fd, &b->cyclone);
    return err < 0 ? err : look(b);
}

static int work(void *state, struct sl_runtime *runtime)
{
    struct bridge *b = state;
    uint64_t count;
    ssize_t got = read(b->wake_fd, &count, sizeof count);
    (void)got; /* what it tells is looked at anyway */
    int done = 0, err = look(b);
    for (unsigned i = 0; err >= 0 && i < b->out_count; i++) {
        err = out_work(&b->out[i], runtime);
        done += err > 0 ? err : 0;
    }
    sl_runtime_wake_at(runtime, b->look_ns);
    return err < 0 ? err : done;
}

static void close_bridge(void *state, struct sl_runtime *runtime)
{
    struct bridge *b = state;
    (void)runtime;
    if (!b->is_open)
        return;
    for (unsigned i = 0; i < b->out_count; i++)
        out_sum_up(&b->out[i]);
    cyclone_close(b->cyclone);
    if (b->is_watching)
        sl_stats_watch_close(&b->watch);
    end_rules(b);
    if (b->wake_fd >= 0)
        close(b->wake_fd);
}

const struct sl_program bridge_program = {
    .name = "dds_bridge",
    .summary = "Shows topics of the bus as topics of DDS, under ROS 2's names",
    .details =
        "A RULE is a topic's name, or a regular expression for whole names ('.*' is all of them),\n"
        "and then words: reliable or best-effort; transient-local or volatile; depth=N, keep-all;\n"
        "deadline=TIME; rate=HZ; latest; as=/NAME (its name in DDS); and when-full=drop, copy or\n"
        "block: what to do with a message while readers are behind by as many frames as may be\n"
        "held. Without them it is ROS 2's profile for sensors: best effort, volatile, depth 5;\n"
        "a topic that retains messages on the bus is reliable and transient local in DDS.\n"
        "Cyclone DDS is configured as always, by CYCLONEDDS_URI.",
    .example = "dds_bridge --out /lidar/points --out '/camera/.* reliable depth=2'",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .state_size = sizeof(struct bridge),
    .open = open_bridge,
    .topics = plan_topics,
    .work = work,
    .close = close_bridge,
};
