/* SPDX-License-Identifier: Apache-2.0 */
/* bridge.c - topics of the bus as topics of DDS, by ROS 2's names, and the other way: RViz,
 * Foxglove and any ROS 2 node read them where the bus's frames stand.
 *
 * What there is on the bus is looked up now and then, what there is in DDS is told by Cyclone. A
 * topic that a rule names is opened when its first writer is seen, for then its type is known.
 */
#include "nodes/dds_bridge/bridge.h"

#include "core/base/clock.h"
#include "core/base/error.h"
#include "nodes/dds_bridge/graph.h"
#include "nodes/dds_bridge/in.h"
#include "nodes/dds_bridge/names.h"
#include "nodes/dds_bridge/out.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define LOOK_NS    (200 * SL_NS_PER_MS) /* between two looks at what the bus has */
#define RETRY_NS   (5 * SL_NS_PER_S)    /* between two tries at what could not be opened */
#define ANSWER_MS  5                    /* for a process that just started to show its page */
#define DOMAIN_MAX 230                  /* of DDS: its ports are made from the number */
#define OUTS_MAX   SL_RUNTIME_ENDS_MAX
#define INS_MAX    32

_Static_assert(OUTS_MAX <= GRAPH_ENDS_MAX && INS_MAX <= GRAPH_ENDS_MAX, "all are of the graph");

/* The rules of one direction, and the names of those that are for one topic. */
struct rules {
    struct sl_option_list texts;
    struct bridge_rule rule[SL_OPTION_LIST_MAX];
    char name[SL_OPTION_LIST_MAX][SL_TOPIC_MAX];
};

struct incoming {
    char topic[SL_TOPIC_MAX];
    struct in *in;
};

struct bridge {
    struct rules outs, ins;
    int64_t domain;
    int form; /* enum graph_form */

    struct sl_runtime *runtime;
    struct out out[OUTS_MAX];
    unsigned out_count;
    struct incoming in[INS_MAX];
    unsigned in_count;
    bool told_of_outs_max, told_of_ins_max;
    struct bridge_origins origins;
    struct bridge_origins refused;  /* publishers of topics that cannot go out */
    struct bridge_origins deferred; /* those that could not be opened; they are tried again */
    uint64_t retry_ns;              /* when */
    bool is_retry;                  /* now */
    struct sl_log_limit refused_log, unread_log;
    struct sl_stats_watch watch;
    bool is_watching, is_open;
    int wake_fd;
    struct cyclone *cyclone;
    struct graph *graph;
    struct sl_counters *counters; /* of what is no topic's */
    uint64_t look_ns;             /* when to look again */
};

static const char *const form_names[] = {
    [GRAPH_JAZZY] = "jazzy", [GRAPH_HUMBLE] = "humble", [GRAPH_NONE] = "none", NULL};

static const struct sl_option options[] = {
    {.name = "out",
     .letter = 'o',
     .kind = SL_OPTION_LIST,
     .offset = offsetof(struct bridge, outs.texts),
     .value = "RULE",
     .help = "Topics of the bus that go out to DDS (see below); may be given several times"},
    {.name = "in",
     .letter = 'i',
     .kind = SL_OPTION_LIST,
     .offset = offsetof(struct bridge, ins.texts),
     .value = "RULE",
     .help = "Topics of DDS that come in to the bus; may be given several times"},
    {.name = "dds-domain",
     .letter = 'd',
     .kind = SL_OPTION_INT,
     .offset = offsetof(struct bridge, domain),
     .fallback = "0",
     .min = 0,
     .max = DOMAIN_MAX,
     .help = "The DDS domain, as ROS_DOMAIN_ID"},
    {.name = "ros-graph",
     .kind = SL_OPTION_CHOICE,
     .offset = offsetof(struct bridge, form),
     .fallback = "jazzy",
     .choices = form_names,
     .help = "How it shows itself as a node: as ROS 2 Iron and later understand it (jazzy), as "
             "Humble and earlier do, or not at all"},
};

/* Rules -----------------------------------------------------------------------------------------*/

static int read_list(struct rules *rules, const struct sl_runtime *runtime, const char *option)
{
    for (unsigned i = 0; i < rules->texts.count; i++) {
        struct bridge_rule *rule = &rules->rule[i];
        int err = bridge_rule_init(rule, rules->texts.text[i]);
        if (err == 0 && rule->name[0])
            err = sl_runtime_topic(runtime, rule->name, rules->name[i]);
        if (err < 0)
            return sl_error_at(err, "option --%s: '%s'", option, rules->texts.text[i]);
    }
    return 0;
}

static int check_ins(const struct rules *ins)
{
    for (unsigned i = 0; i < ins->texts.count; i++) {
        const struct bridge_rule *rule = &ins->rule[i];
        if (rule->period_ns || rule->latest || rule->says_full)
            return sl_error(-EINVAL,
                            "option --in: '%s': rate, latest and when-full are for what goes out",
                            ins->texts.text[i]);
    }
    return 0;
}

static int read_rules(struct bridge *b, const struct sl_runtime *runtime)
{
    int err = read_list(&b->outs, runtime, "out");
    if (err == 0)
        err = read_list(&b->ins, runtime, "in");
    if (err == 0)
        err = check_ins(&b->ins);
    if (err == 0 && b->outs.texts.count + b->ins.texts.count == 0)
        return sl_error(-EINVAL, "nothing to do: give --out or --in with a topic, such as --out "
                                 "/lidar/points, or --out '.*'");
    return err;
}

static const struct bridge_rule *rule_for(const struct rules *rules, const char *topic)
{
    for (unsigned i = 0; i < rules->texts.count; i++)
        if (rules->rule[i].name[0] ? strcmp(rules->name[i], topic) == 0
                                   : bridge_rule_matches(&rules->rule[i], topic))
            return &rules->rule[i];
    return NULL;
}

static void show_counters(struct bridge *b)
{
    const uint64_t complaints = cyclone_complaints(b->cyclone);
    sl_counters_set(b->counters, &complaints);
    for (unsigned i = 0; i < b->out_count; i++)
        out_count(&b->out[i]);
    for (unsigned i = 0; i < b->in_count; i++)
        in_count(b->in[i].in);
}

static void end_rules(struct bridge *b)
{
    for (unsigned i = 0; i < b->outs.texts.count; i++)
        bridge_rule_finish(&b->outs.rule[i]);
    for (unsigned i = 0; i < b->ins.texts.count; i++)
        bridge_rule_finish(&b->ins.rule[i]);
}

/* For `sluice plan`: what goes out is found later. What comes in is not known at all. */
static int plan_topics(void *state, struct sl_runtime *runtime)
{
    struct bridge *b = state;
    int err = read_rules(b, runtime);
    for (unsigned i = 0; err == 0 && i < b->outs.texts.count; i++) {
        const struct bridge_rule *rule = &b->outs.rule[i];
        struct sl_expected expected = out_expected(rule);
        if (rule->name[0])
            expected.topic = rule->name;
        else
            expected.pattern = rule->pattern_text;
        err = sl_runtime_expect(runtime, &expected);
    }
    end_rules(b);
    return err;
}

/* What the bus has ------------------------------------------------------------------------------*/

static bool goes_out(const struct bridge *b, const char *topic)
{
    for (unsigned i = 0; i < b->out_count; i++)
        if (strcmp(b->out[i].topic, topic) == 0)
            return true;
    return false;
}

/* Told of once, and tried again when there is another publisher of the topic, and now and then if
 * the reason may pass; of more than are remembered some are told of again. */
static void refuse(struct bridge *b, const struct sl_stats_view *view, int err)
{
    static const char format[] = "%s does not go out: %s";
    bool is_final = err == -EINVAL || err == -EPROTOTYPE;
    struct bridge_origins *origins = is_final ? &b->refused : &b->deferred;
    if (!is_final && bridge_origins_has(&b->deferred, view->instance))
        return;
    if (origins->count < BRIDGE_ORIGINS_MAX)
        sl_log(SL_LOG_WARN, format, view->topic, sl_error_text());
    else
        sl_log_limited(&b->refused_log, SL_LOG_WARN, format, view->topic, sl_error_text());
    bridge_origins_add(origins, view->instance);
}

static bool may_be_tried(const struct bridge *b, uint64_t instance)
{
    return !bridge_origins_has(&b->refused, instance) &&
           (b->is_retry || !bridge_origins_has(&b->deferred, instance));
}

static int see_row(void *context, const struct sl_stats_view *view)
{
    struct bridge *b = context;
    if (view->kind != SL_STATS_PUBLISHER || bridge_origins_has(&b->origins, view->instance) ||
        goes_out(b, view->topic))
        return 0;
    const struct bridge_rule *rule = rule_for(&b->outs, view->topic);
    if (!rule || !may_be_tried(b, view->instance))
        return 0;
    if (b->out_count == OUTS_MAX) {
        if (!b->told_of_outs_max)
            sl_log(SL_LOG_WARN, "%s and later ones do not go out: a bridge has at most %d topics",
                   view->topic, OUTS_MAX);
        b->told_of_outs_max = true;
        return 0;
    }
    struct out *out = &b->out[b->out_count];
    int err = out_open(out, b->runtime, b->cyclone, rule, &b->origins, view);
    if (err < 0) {
        refuse(b, view, err);
        return 0;
    }
    b->out_count++;
    graph_add_writer(b->graph, out->writer);
    return 0;
}

static int look(struct bridge *b)
{
    uint64_t now_ns = sl_clock_monotonic_ns();
    b->look_ns = now_ns + LOOK_NS;
    b->is_retry = now_ns >= b->retry_ns;
    if (b->is_retry)
        b->retry_ns = now_ns + RETRY_NS;
    show_counters(b);
    int err = sl_stats_watch_refresh(&b->watch, ANSWER_MS);
    return err < 0 ? err : sl_stats_each(&b->watch, see_row, b);
}

/* What DDS has ----------------------------------------------------------------------------------*/

static struct incoming *find_incoming(struct bridge *b, const char *topic)
{
    for (unsigned i = 0; i < b->in_count; i++)
        if (strcmp(b->in[i].topic, topic) == 0)
            return &b->in[i];
    return NULL;
}

/* The one for which the topic was opened, too: it may offer less than the rule asks for. NULL: one
 * that was heard of before. */
static void see_writer(struct bridge *b, const struct incoming *incoming,
                       const struct cyclone_remote *remote)
{
    struct cyclone_guid old = cyclone_reader_guid(in_reader(incoming->in));
    int changed = remote ? in_hear(incoming->in, remote) : in_look(incoming->in);
    if (changed < 0)
        sl_log_limited(&b->unread_log, SL_LOG_WARN, "DDS rt%s: a writer is not read: %s",
                       incoming->topic, sl_error_text());
    else if (changed > 0)
        graph_replace_reader(b->graph, old, in_reader(incoming->in));
}

static void open_incoming(struct bridge *b, const struct bridge_rule *rule, const char *topic,
                          const struct cyclone_remote *remote)
{
    if (b->in_count == INS_MAX) {
        if (!b->told_of_ins_max)
            sl_log(SL_LOG_WARN, "%s and later ones do not come in: a bridge has at most %d topics",
                   topic, INS_MAX);
        b->told_of_ins_max = true;
        return;
    }
    struct incoming *incoming = &b->in[b->in_count];
    snprintf(incoming->topic, sizeof incoming->topic, "%s", topic);
    if (in_open(b->cyclone, b->runtime, rule, topic, remote, &b->origins, &incoming->in) < 0) {
        sl_log(SL_LOG_WARN, "DDS %s does not come in: %s", remote->topic, sl_error_text());
        return;
    }
    b->in_count++;
    graph_add_reader(b->graph, in_reader(incoming->in));
    see_writer(b, incoming, remote);
}

static void see_remote(struct bridge *b, const struct cyclone_remote *remote)
{
    char topic[SL_TOPIC_MAX];
    if (bridge_topic_from_dds(remote->topic, topic) < 0)
        return;
    struct incoming *known = find_incoming(b, topic);
    const struct bridge_rule *rule = rule_for(&b->ins, topic);
    if (known)
        see_writer(b, known, remote);
    else if (rule)
        open_incoming(b, rule, topic, remote);
}

/* Of those that were heard of and could not be read then. */
static void look_at_writers(struct bridge *b)
{
    for (unsigned i = 0; i < b->in_count; i++)
        see_writer(b, &b->in[i], NULL);
}

static int hear(struct bridge *b)
{
    struct cyclone_remote remote;
    int got = 0;
    while (b->ins.texts.count > 0 && (got = cyclone_next_remote(b->cyclone, &remote)) > 0)
        see_remote(b, &remote);
    return got;
}

/* Life ------------------------------------------------------------------------------------------*/

static int open_counters(struct bridge *b)
{
    static const char *const names[] = {"complaints", NULL};
    char title[32];
    snprintf(title, sizeof title, "DDS domain %u", (unsigned)b->domain);
    return sl_runtime_count(b->runtime, title, names, &b->counters);
}

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
    if (err == 0)
        err = open_counters(b);
    if (err == 0)
        err = graph_open(b->cyclone, sl_runtime_name(runtime), (enum graph_form)b->form, &b->graph);
    return err < 0 ? err : look(b);
}

static int work_all(struct bridge *b)
{
    int done = 0;
    for (unsigned i = 0; i < b->out_count; i++)
        done += out_work(&b->out[i], b->runtime);
    for (unsigned i = 0; i < b->in_count; i++)
        done += in_work(b->in[i].in);
    return done;
}

/* When there is something to do that nothing tells of. */
static uint64_t due_ns(const struct bridge *b)
{
    uint64_t due_ns = b->look_ns;
    for (unsigned i = 0; i < b->out_count; i++) {
        uint64_t retry_ns = cyclone_writer_retry_ns(b->out[i].writer);
        if (retry_ns != 0 && retry_ns < due_ns)
            due_ns = retry_ns;
    }
    return due_ns;
}

static int work(void *state, struct sl_runtime *runtime)
{
    struct bridge *b = state;
    uint64_t count;
    ssize_t got = read(b->wake_fd, &count, sizeof count);
    (void)got; /* what it tells is looked at anyway */
    bool is_due = sl_clock_monotonic_ns() >= b->look_ns;
    int err = is_due ? look(b) : 0;
    if (is_due)
        look_at_writers(b);
    if (err == 0)
        err = hear(b);
    if (err == 0 && graph_tell(b->graph) < 0)
        sl_log(SL_LOG_WARN, "ROS 2's graph is not told of all topics: %s", sl_error_text());
    if (err == 0)
        err = work_all(b);
    sl_runtime_wake_at(runtime, due_ns(b));
    return err;
}

static void close_bridge(void *state, struct sl_runtime *runtime)
{
    struct bridge *b = state;
    (void)runtime;
    if (!b->is_open)
        return;
    for (unsigned i = 0; i < b->out_count; i++)
        out_sum_up(&b->out[i]);
    for (unsigned i = 0; i < b->in_count; i++)
        in_sum_up(b->in[i].in);
    graph_close(b->graph);
    cyclone_close(b->cyclone);
    for (unsigned i = 0; i < b->in_count; i++)
        in_close(b->in[i].in);
    if (b->is_watching)
        sl_stats_watch_close(&b->watch);
    end_rules(b);
    if (b->wake_fd >= 0)
        close(b->wake_fd);
}

const struct sl_program bridge_program = {
    .name = "dds_bridge",
    .summary = "Carries topics of the bus to DDS, under ROS 2's names, and back",
    .details =
        "A RULE is a topic's name, or a regular expression for whole names ('.*' is all of them),\n"
        "and then words: reliable or best-effort; transient-local or volatile; depth=N, keep-all;\n"
        "deadline=TIME; as=/NAME (its name on the other side); frame-id=NAME (of its messages on\n"
        "the other side; a '*' in it stands for theirs). Going out also rate=HZ; latest; and\n"
        "when-full=drop, copy or block: what to do with a message while readers are behind by as\n"
        "many frames as may be held. Without words what goes out has ROS 2's profile for sensors\n"
        "(best effort, volatile, depth 5), but reliable and transient local if it is retained on\n"
        "the bus; what comes in is read as its writer offers it. A topic may go both ways.\n"
        "Cyclone DDS is configured as always, by CYCLONEDDS_URI.",
    .example = "dds_bridge --out /lidar/points --out '/camera/.* reliable depth=2' --in /cmd_vel",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .state_size = sizeof(struct bridge),
    .open = open_bridge,
    .topics = plan_topics,
    .work = work,
    .close = close_bridge,
};
