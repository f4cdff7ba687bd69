/* SPDX-License-Identifier: Apache-2.0 */
/* record.c - takes every message of its topics and hands it to the kernel from where it lies; for
 * snapshots it is copied (record_snapshot.h).
 *
 * There is no queue of ours: what waits stands in the publishers' rings and slots, as many messages
 * as they keep. A message is held while it is written, and let go. So memory does not grow, a
 * recorder that is slow loses what was overwritten and says so, and no publisher waits for it,
 * unless --lossless asks those that allow it to.
 */
#include "rosbag_compat/record.h"

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/frame/definition.h"
#include "core/shm/stats.h"
#include "core/uncached/limits.h"
#include "rosbag_compat/keys.h"
#include "rosbag_compat/record_output.h"
#include "rosbag_compat/record_snapshot.h"
#include "rosbag_compat/topic_choice.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define TOPICS_MAX    1024
#define MISSED_MAX    1024                 /* topics that are told of */
#define BATCH         64                   /* messages of a topic between two looks at the others */
#define REST_MAX      (1u << 16)           /* batches at the end, should times of others be wrong */
#define LOOK_NS       (100 * SL_NS_PER_MS) /* for new topics */
#define ANSWER_MS     20                   /* for who has just begun */
#define PROGRESS_NS   SL_NS_PER_S
#define LOSS_TEXT_MAX 256
#define TYPE_WAIT_MS  100 /* for a publisher that has just begun to show its page */
#define SENDERS_MAX   16  /* of a topic that are known at one time; more are looked for again */

/* "auto", then those of sl_log_output_names */
static const char *const format_names[] = {"auto",           "mcap",    "rosbag2",
                                           "rosbag2-sqlite", "rosbag1", NULL};
static const char *const policy_words[] = {"", " (lossless)"};

/* What is written of a topic: one for each type that it has had. */
struct channel {
    struct sl_log_topic topic;
    struct sl_log_pair pairs[1];
    char name[SL_TOPIC_MAX], type[SL_TYPE_MAX];
    char *definition;
    uint32_t index;  /* in the output */
    bool is_refused; /* the format cannot hold it */
    struct channel *next;
};

/* A publisher, and where its messages go: to look for it takes a walk through the domain. */
struct sender {
    uint64_t instance;
    struct channel *channel;
};

struct recorded {
    struct sl_subscriber *subscriber;
    char name[SL_TOPIC_MAX];
    bool is_lossless;
    struct sender senders[SENDERS_MAX];
    unsigned sender_count;  /* ever: the next one takes the oldest one's place */
    struct channel *latest; /* where the last message went */
    uint64_t messages, bytes;
    uint64_t torn;     /* taken back by their publisher while they were written */
    uint64_t left_out; /* of types that the format cannot hold */
    uint64_t refused;  /* looks at which a publisher did not let us in */
};

struct record {
    struct sl_option_list names;
    const char *output, *regex, *exclude;
    bool all, lossless, overwrite, crc;
    int format, compression;
    enum sl_log_output_kind kind; /* that they come to */
    int64_t level, threads, max_messages, duration_ns, split_ns, flush_ns;
    uint64_t split_bytes, chunk_bytes, ring_bytes;
    int64_t span_ns;
    const char *trigger;

    struct sl_topic_choice choice;
    struct sl_stats_watch watch;
    bool has_watch;
    char path[256];
    /* One of these two. */
    struct record_output *out;
    struct record_snapshot *snapshot;
    struct sl_subscriber *trigger_subscriber;
    int wish_fd; /* a snapshot is asked for, by a signal; 0: none */
    bool has_keys;
    uint64_t taken;
    struct recorded *topics;
    unsigned topic_count;
    char (*missed)[SL_TOPIC_MAX]; /* topics that could not be subscribed to */
    unsigned missed_count;
    struct channel *channels, **channels_end;
    uint64_t start_ns, look_ns, flushed_ns, told_ns;
    uint64_t told_bytes;
    int64_t realtime_ns; /* less CLOCK_MONOTONIC */
    bool is_terminal;
    bool has_failed; /* nothing more can be written, which was told */
};

static const struct sl_option options[] = {
    {.name = "topics",
     .kind = SL_OPTION_LIST,
     .flags = SL_OPTION_POSITIONAL,
     .offset = offsetof(struct record, names),
     .value = "TOPIC",
     .help = "What is recorded; it need not be published yet"},
    {.name = "all",
     .letter = 'a',
     .kind = SL_OPTION_FLAG,
     .offset = offsetof(struct record, all),
     .help = "All topics, also those that appear later"},
    {.name = "regex",
     .letter = 'e',
     .kind = SL_OPTION_TEXT,
     .offset = offsetof(struct record, regex),
     .value = "EXPRESSION",
     .help = "Topics whose whole name it matches (POSIX extended), also those that appear later"},
    {.name = "exclude",
     .letter = 'x',
     .kind = SL_OPTION_TEXT,
     .offset = offsetof(struct record, exclude),
     .value = "EXPRESSION",
     .help = "But none whose whole name this one matches"},
    {.name = "output",
     .letter = 'o',
     .kind = SL_OPTION_TEXT,
     .offset = offsetof(struct record, output),
     .value = "PATH",
     .help = "Where to: .mcap, .bag, or a folder of rosbag2; the default is named by the time: "
             "sluice_2026-03-01_14-05-09.mcap"},
    {.name = "format",
     .kind = SL_OPTION_CHOICE,
     .offset = offsetof(struct record, format),
     .fallback = "auto",
     .choices = format_names,
     .help = "Of the file; auto: what its name ends in says. MCAP, in a folder or not, takes large "
             "bodies without a copy; a ROS 1 bag holds the types that ROS 1 has"},
    {.name = "overwrite",
     .kind = SL_OPTION_FLAG,
     .offset = offsetof(struct record, overwrite),
     .help = "Replace a file that is there"},
    {.name = "compression",
     .kind = SL_OPTION_CHOICE,
     .offset = offsetof(struct record, compression),
     .fallback = "none",
     .choices = sl_compression_names,
     .help = "Of chunks (MCAP: lz4, zstd; ROS 1 bags: lz4, bz2); bodies are then copied and take "
             "processor time"},
    {.name = "compression-level",
     .kind = SL_OPTION_INT,
     .offset = offsetof(struct record, level),
     .fallback = "0",
     .min = -100,
     .max = 22,
     .help = "Of the compression; 0: its usual one"},
    {.name = "threads",
     .kind = SL_OPTION_INT,
     .offset = offsetof(struct record, threads),
     .fallback = "2",
     .max = 64,
     .help = "That compress; 0: the recorder's own. The files are the same with any number"},
    {.name = "chunk",
     .kind = SL_OPTION_SIZE,
     .offset = offsetof(struct record, chunk_bytes),
     .fallback = "768k",
     .min = 1024,
     .max = 1e9,
     .help = "Small messages are written together when they are so many bytes, or at a flush"},
    {.name = "crc",
     .kind = SL_OPTION_FLAG,
     .offset = offsetof(struct record, crc),
     .help = "Checksums over the data, which cost a pass over every byte"},
    {.name = "split-size",
     .kind = SL_OPTION_SIZE,
     .offset = offsetof(struct record, split_bytes),
     .fallback = "0",
     .max = 1e18,
     .help = "Begin a new file rather than let one grow beyond this; 0: one file"},
    {.name = "split-duration",
     .kind = SL_OPTION_DURATION,
     .offset = offsetof(struct record, split_ns),
     .fallback = "0",
     .max = 1e18,
     .help = "Begin a new file when one spans so much time; 0: one file"},
    {.name = "snapshot",
     .kind = SL_OPTION_DURATION,
     .offset = offsetof(struct record, span_ns),
     .fallback = "0",
     .max = 1e18,
     .help = "Write nothing but the last so many seconds, from a copy in memory, at each signal "
             "USR1, message of --trigger or key (space or s, on a terminal), into files of their "
             "own: drive_0.mcap, drive_1.mcap"},
    {.name = "snapshot-size",
     .kind = SL_OPTION_SIZE,
     .offset = offsetof(struct record, ring_bytes),
     .fallback = "256M",
     .min = 65536,
     .max = 1e15,
     .help = "Memory for the copy; given alone, the last so many bytes are written, however old"},
    {.name = "trigger",
     .kind = SL_OPTION_TEXT,
     .offset = offsetof(struct record, trigger),
     .value = "TOPIC",
     .help = "Each message of this topic asks for a snapshot"},
    {.name = "flush",
     .kind = SL_OPTION_DURATION,
     .offset = offsetof(struct record, flush_ns),
     .fallback = "1s",
     .min = 1e6,
     .max = 1e15,
     .help = "What is older survives if this program is killed"},
    {.name = "lossless",
     .kind = SL_OPTION_FLAG,
     .offset = offsetof(struct record, lossless),
     .help = "Let publishers wait for the disk, where they allow it"},
    {.name = "duration",
     .letter = 'd',
     .kind = SL_OPTION_DURATION,
     .offset = offsetof(struct record, duration_ns),
     .fallback = "0",
     .max = 1e18,
     .help = "End after so long; 0: when told to"},
    {.name = "max-messages",
     .kind = SL_OPTION_INT,
     .offset = offsetof(struct record, max_messages),
     .fallback = "0",
     .max = 1e15,
     .help = "End when so many are written; 0: do not"},
};

/* What a publisher's page says of itself. */
struct record_publisher {
    uint64_t instance;
    const char *topic, *type; /* valid during the visit */
    uint32_t retain;
};

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

static int record_each_publisher(struct sl_stats_watch *watch,
                                 int (*visit)(void *context,
                                              const struct record_publisher *publisher),
                                 void *context)
{
    struct visit v = {visit, context};
    int err = sl_stats_watch_refresh(watch, ANSWER_MS);
    return err < 0 ? err : sl_stats_each(watch, visit_row, &v);
}

/* Beginning. ----------------------------------------------------------------------------------- */

static int choose_kind(struct record *r)
{
    if (r->format > 0) {
        r->kind = (enum sl_log_output_kind)(r->format - 1);
        return 0;
    }
    int kind = r->output && *r->output ? sl_log_output_kind_of(r->output) : SL_LOG_OUTPUT_MCAP;
    if (kind < 0)
        return sl_error_at(kind, "option --output");
    if (kind > SL_LOG_OUTPUT_ROSBAG1)
        return sl_error(-EINVAL,
                        "option --output: '%s': topics are recorded into .mcap, .bag or a "
                        "folder; 'sluice convert' makes others of them",
                        r->output);
    r->kind = (enum sl_log_output_kind)kind;
    return 0;
}

static int name_output(struct record *r)
{
    static const char *const endings[] = {
        [SL_LOG_OUTPUT_MCAP] = ".mcap",
        [SL_LOG_OUTPUT_ROSBAG2] = "",
        [SL_LOG_OUTPUT_ROSBAG2_SQLITE] = "",
        [SL_LOG_OUTPUT_ROSBAG1] = ".bag",
    };
    if (!r->output || !*r->output) {
        char name[64];
        time_t now = time(NULL);
        struct tm local;
        localtime_r(&now, &local);
        strftime(name, sizeof name, "sluice_%Y-%m-%d_%H-%M-%S", &local);
        snprintf(r->path, sizeof r->path, "%s%s", name, endings[r->kind]);
        return 0;
    }
    if (snprintf(r->path, sizeof r->path, "%s", r->output) >= (int)sizeof r->path)
        return sl_error(-ENAMETOOLONG, "option --output: %.60s...: too long", r->output);
    return 0;
}

static bool is_snapshot(const struct record *r, const struct sl_runtime *runtime)
{
    return r->span_ns > 0 || sl_runtime_given(runtime, "snapshot-size");
}

static int check_snapshot(const struct record *r, const struct sl_runtime *runtime)
{
    if (!is_snapshot(r, runtime))
        return r->trigger && *r->trigger
                   ? sl_error(-EINVAL, "option --trigger: of what? give --snapshot 30s, or "
                                       "--snapshot-size")
                   : 0;
    if (r->split_bytes > 0 || r->split_ns > 0)
        return sl_error(-EINVAL, "each snapshot is one file: give --snapshot or --split-size and "
                                 "--split-duration");
    if (r->trigger && *r->trigger && r->trigger[0] != '/')
        return sl_error(-EINVAL, "option --trigger: '%s': give it in full, as '/%s'", r->trigger,
                        r->trigger);
    return 0;
}

static int check_options(struct record *r, const struct sl_runtime *runtime)
{
    if (r->names.count == 0 && !r->all && !r->regex)
        return sl_error(-EINVAL, "nothing is to be recorded; name topics, or give --all or "
                                 "--regex; 'sluice topic list' shows what there is");
    for (unsigned i = 0; i < r->names.count; i++)
        if (r->names.text[i][0] != '/')
            return sl_error(-EINVAL, "topic '%s': give it in full, as '/%s'", r->names.text[i],
                            r->names.text[i]);
    if (r->split_bytes > 0 && r->split_bytes < 65536)
        return sl_error(-EINVAL, "option --split-size: %" PRIu64 " bytes; give at least 64k",
                        r->split_bytes);
    int err = check_snapshot(r, runtime);
    if (err == 0)
        err = choose_kind(r);
    return err < 0 ? err : name_output(r);
}

static int open_output(struct record *r, const struct sl_runtime *runtime)
{
    const struct record_output_options output = {
        .path = r->path,
        .kind = r->kind,
        .writing = {.compression = (enum sl_compression)r->compression,
                    .level = (int)r->level,
                    .threads = (unsigned)r->threads,
                    .chunk_bytes = r->chunk_bytes,
                    .omit = r->crc ? 0 : SL_LOG_OMIT_CHUNK_CRC | SL_LOG_OMIT_DATA_CRC,
                    .profile = "ros2",
                    .library = "sluice"},
        .split_bytes = r->split_bytes,
        .split_ns = (uint64_t)r->split_ns,
        .overwrite = r->overwrite,
    };
    if (!is_snapshot(r, runtime))
        return record_output_open(&output, &r->out);
    const struct record_snapshot_options snapshot = {output, r->ring_bytes, (uint64_t)r->span_ns};
    int err = sl_memory_limits_check("option --snapshot-size", r->ring_bytes);
    return err < 0 ? err : record_snapshot_open(&snapshot, &r->snapshot);
}

/* Before threads are made, so that none takes the signal. */
static int open_wishes(struct record *r, struct sl_runtime *runtime)
{
    sigset_t wishes;
    sigemptyset(&wishes);
    sigaddset(&wishes, SIGUSR1);
    sigprocmask(SIG_BLOCK, &wishes, NULL);
    int fd = signalfd(-1, &wishes, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        return sl_error(-errno, "no signal can be waited for: %s", strerror(errno));
    r->wish_fd = fd;
    int err = sl_runtime_watch(runtime, fd);
    r->has_keys = err == 0 && keys_open();
    if (r->has_keys)
        err = sl_runtime_watch(runtime, STDIN_FILENO);
    if (err < 0 || !r->trigger || !*r->trigger)
        return err;
    const struct sl_subscriber_options o = {
        .topic = r->trigger,
        .domain = sl_runtime_domain(runtime),
        .bus = sl_runtime_bus(runtime),
        .policy = SL_KEEP_LAST,
    };
    err = sl_subscriber_open(&o, &r->trigger_subscriber);
    return err < 0 ? err : sl_runtime_watch(runtime, sl_subscriber_fd(r->trigger_subscriber));
}

/* Subscribing. --------------------------------------------------------------------------------- */

static struct recorded *find_topic(struct record *r, const char *name)
{
    for (unsigned i = 0; i < r->topic_count; i++)
        if (strcmp(r->topics[i].name, name) == 0)
            return &r->topics[i];
    return NULL;
}

static int subscribe(struct sl_runtime *runtime, struct recorded *t, bool is_lossless)
{
    struct sl_subscriber_options o = {
        .topic = t->name,
        .domain = sl_runtime_domain(runtime),
        .bus = sl_runtime_bus(runtime),
        .policy = is_lossless ? SL_LOSSLESS : SL_KEEP_LAST,
    };
    int err = sl_subscriber_open(&o, &t->subscriber);
    if (err == -EPERM && is_lossless)
        return subscribe(runtime, t, false);
    t->is_lossless = err == 0 && is_lossless;
    return err;
}

static int add_topic(struct record *r, struct sl_runtime *runtime, const char *name)
{
    if (find_topic(r, name))
        return 0;
    if (r->topic_count == TOPICS_MAX)
        return sl_error(-EMFILE, "%d topics are the most; leave it to another recorder",
                        TOPICS_MAX);
    struct recorded *t = &r->topics[r->topic_count];
    *t = (struct recorded){0};
    snprintf(t->name, sizeof t->name, "%s", name);
    int err = subscribe(runtime, t, r->lossless);
    if (err == 0)
        err = sl_runtime_watch(runtime, sl_subscriber_fd(t->subscriber));
    if (err < 0) {
        sl_subscriber_close(t->subscriber);
        return err;
    }
    r->topic_count++;
    if (r->lossless && !t->is_lossless)
        sl_log(SL_LOG_WARN, "%s: its publisher waits for nobody; messages may be lost", name);
    sl_log(SL_LOG_INFO, "%s%s", name, policy_words[t->is_lossless]);
    return 0;
}

struct finding {
    struct record *record;
    struct sl_runtime *runtime;
};

/* It is tried again at each look, and told once. */
static void note_missed(struct record *r, const char *topic)
{
    for (unsigned i = 0; i < r->missed_count; i++)
        if (strcmp(r->missed[i], topic) == 0)
            return;
    if (r->missed_count == MISSED_MAX)
        return;
    snprintf(r->missed[r->missed_count++], SL_TOPIC_MAX, "%s", topic);
    sl_log(SL_LOG_WARN, "%s is not recorded: %s", topic, sl_error_text());
}

/* One that cannot be read does not keep the others from being recorded. */
static int consider(void *context, const struct record_publisher *publisher)
{
    const struct finding *f = context;
    if (sl_topic_choice_has(&f->record->choice, publisher->topic) &&
        add_topic(f->record, f->runtime, publisher->topic) < 0)
        note_missed(f->record, publisher->topic);
    return 0;
}

static int look_for_topics(struct record *r, struct sl_runtime *runtime, uint64_t now_ns)
{
    if (!sl_topic_choice_is_open(&r->choice) || now_ns < r->look_ns)
        return 0;
    r->look_ns = now_ns + LOOK_NS;
    return record_each_publisher(&r->watch, consider, &(struct finding){r, runtime});
}

/* A topic takes some, and one more for each of its publishers: all that we may have. */
static void raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static int open_record(void *state, struct sl_runtime *runtime)
{
    struct record *r = state;
    int err = check_options(r, runtime);
    if (err < 0 ||
        (err = sl_topic_choice_init(&r->choice, &r->names, r->all, r->regex, r->exclude)) < 0)
        return err;
    r->channels_end = &r->channels;
    raise_descriptors();
    r->topics = calloc(TOPICS_MAX, sizeof *r->topics);
    r->missed = calloc(MISSED_MAX, sizeof *r->missed);
    if (!r->topics || !r->missed)
        return sl_error(-ENOMEM, "no memory for topics");
    if ((err = sl_stats_watch_open(sl_runtime_domain(runtime), &r->watch)) < 0)
        return err;
    r->has_watch = true;
    if ((err = open_output(r, runtime)) < 0 || (r->snapshot && (err = open_wishes(r, runtime)) < 0))
        return err;
    for (unsigned i = 0; i < r->names.count && err == 0; i++)
        err = add_topic(r, runtime, r->names.text[i]);
    r->start_ns = r->told_ns = r->flushed_ns = sl_clock_monotonic_ns();
    r->realtime_ns = (int64_t)(sl_clock_realtime_ns() - r->start_ns);
    r->is_terminal = isatty(STDERR_FILENO);
    if (err == 0)
        err = look_for_topics(r, runtime, r->start_ns);
    if (err == 0)
        sl_runtime_wake_at(runtime, r->start_ns + LOOK_NS);
    return err < 0 ? err : 0;
}

/* Writing. ------------------------------------------------------------------------------------- */

struct wanted_publisher {
    uint64_t instance;
    bool found;
    char type[SL_TYPE_MAX];
    uint32_t retain;
};

static int is_wanted(void *context, const struct record_publisher *publisher)
{
    struct wanted_publisher *w = context;
    if (publisher->instance != w->instance)
        return 0;
    snprintf(w->type, sizeof w->type, "%s", publisher->type);
    w->retain = publisher->retain;
    w->found = true;
    return 1; /* seen enough */
}

static void find_publisher(struct record *r, struct wanted_publisher *w)
{
    for (int tries = 0; tries < 2 && !w->found; tries++) {
        if (tries > 0)
            sl_stats_watch_refresh(&r->watch, TYPE_WAIT_MS);
        record_each_publisher(&r->watch, is_wanted, w);
    }
}

/* As ROS 2 writes it into its logs, so that its player offers the same. */
static const char *qos_text(bool is_latched)
{
#define QOS(durability)                                                                         \
    "- history: 1\n  depth: 10\n  reliability: 1\n  durability: " durability                    \
    "\n  deadline:\n    sec: 9223372036\n    nsec: 854775807\n  lifespan:\n    sec: "           \
    "9223372036\n    nsec: 854775807\n  liveliness: 1\n  liveliness_lease_duration:\n    sec: " \
    "9223372036\n    nsec: 854775807\n  avoid_ros_namespace_conventions: false"
    return is_latched ? QOS("1") : QOS("2");
#undef QOS
}

static int describe(struct channel *c)
{
    const struct sl_schema *schema = sl_schema_find(c->type);
    if (!schema)
        return 0;
    size_t size = sl_definition_write(schema, NULL, 0) + 1;
    c->definition = malloc(size);
    if (!c->definition)
        return sl_error(-ENOMEM, "no memory for the definition of %s", c->type);
    sl_definition_write(schema, c->definition, size);
    c->topic.definition = c->definition;
    c->topic.definition_bytes = size - 1;
    c->topic.definition_encoding = "ros2msg";
    return 0;
}

static bool is_named(const struct record *r, const char *topic)
{
    for (unsigned i = 0; i < r->names.count; i++)
        if (strcmp(r->names.text[i], topic) == 0)
            return true;
    return false;
}

static int make_channel(struct record *r, const struct recorded *t,
                        const struct wanted_publisher *w, struct channel **ret_channel)
{
    struct channel *c = calloc(1, sizeof *c);
    if (!c)
        return sl_error(-ENOMEM, "no memory for topic %s", t->name);
    *r->channels_end = c;
    r->channels_end = &c->next;
    snprintf(c->name, sizeof c->name, "%s", t->name);
    snprintf(c->type, sizeof c->type, "%s", w->type);
    c->pairs[0] = (struct sl_log_pair){"offered_qos_profiles", qos_text(w->retain > 0)};
    c->topic = (struct sl_log_topic){
        .name = c->name,
        .type = c->type,
        .encoding = "cdr",
        .definition_encoding = "",
        .has_schema = w->found,
        .pairs = c->pairs,
        .pair_count = 1,
    };
    int err = describe(c);
    *ret_channel = c;
    if (err == 0)
        err = record_output_check_topic(r->kind, &c->topic);
    if (err == -ENOTSUP && !is_named(r, c->name)) {
        sl_log(SL_LOG_WARN, "%s", sl_error_text());
        c->is_refused = true;
        return 0;
    }
    if (err < 0)
        return err;
    return r->snapshot ? record_snapshot_topic(r->snapshot, &c->topic, w->retain > 0, &c->index)
                       : record_output_topic(r->out, &c->topic, w->retain > 0, &c->index);
}

/* One that has ended before anybody saw its page has the topic's last type. */
static int find_channel(struct record *r, const struct recorded *t, uint64_t instance,
                        struct channel **ret_channel)
{
    struct wanted_publisher w = {.instance = instance};
    find_publisher(r, &w);
    if (!w.found && t->latest) {
        *ret_channel = t->latest;
        return 0;
    }
    for (struct channel *c = r->channels; c; c = c->next) {
        if (strcmp(c->name, t->name) == 0 && strcmp(c->type, w.type) == 0) {
            *ret_channel = c;
            return 0;
        }
    }
    return make_channel(r, t, &w, ret_channel);
}

/* Where messages of that publisher go, as t->latest. */
static int choose_channel(struct record *r, struct recorded *t, uint64_t instance)
{
    for (unsigned i = 0; i < t->sender_count && i < SENDERS_MAX; i++) {
        if (t->senders[i].instance == instance) {
            t->latest = t->senders[i].channel;
            return 0;
        }
    }
    int err = find_channel(r, t, instance, &t->latest);
    if (err == 0)
        t->senders[t->sender_count++ % SENDERS_MAX] = (struct sender){instance, t->latest};
    return err;
}

/* From where it lies. */
static int write_body(struct record *r, struct recorded *t, const struct sl_log_message *message,
                      const struct sl_frame *frame)
{
    struct iovec body[SL_RANGES_MAX];
    for (unsigned i = 0; i < frame->range_count; i++)
        body[i] = (struct iovec){(void *)frame->range[i].start, frame->range[i].length};
    int err = record_output_message(r->out, frame->instance, message, body, frame->range_count);
    if (err == 0)
        t->torn += sl_frame_check(frame) < 0;
    return err;
}

static int keep_copy(struct record *r, struct recorded *t, const struct sl_log_message *message,
                     const struct sl_frame *frame)
{
    int kept = record_snapshot_frame(r->snapshot, message, frame);
    t->torn += kept == 0 && sl_frame_check(frame) < 0;
    return kept < 0 ? kept : 0;
}

static int write_frame(struct record *r, struct recorded *t, const struct sl_frame *frame)
{
    int err = choose_channel(r, t, frame->instance);
    if (err < 0)
        return err;
    if (t->latest->is_refused) {
        t->left_out++;
        return 0;
    }
    const struct sl_log_message message = {
        .topic = t->latest->index,
        .sequence = (uint32_t)frame->seq,
        .receive_ns = sl_clock_realtime_ns(),
        .publish_ns = (uint64_t)((int64_t)frame->publish_ns + r->realtime_ns),
    };
    err = r->snapshot ? keep_copy(r, t, &message, frame) : write_body(r, t, &message, frame);
    if (err < 0)
        return err;
    r->taken++;
    t->messages++;
    t->bytes += frame->body_length;
    return 0;
}

static bool is_enough(const struct record *r)
{
    return r->max_messages > 0 && r->taken >= (uint64_t)r->max_messages;
}

/* Up to BATCH messages. Returns how many of them were published by `until_ns`, or an error. */
static int drain(struct record *r, struct recorded *t, uint64_t until_ns)
{
    struct sl_frame frame;
    int done = 0;
    for (unsigned i = 0; i < BATCH && !is_enough(r); i++) {
        int err = sl_subscriber_take(t->subscriber, &frame);
        if (err == -EAGAIN)
            break;
        if (err == -ECONNABORTED || err == -ENODEV) {
            sl_log(SL_LOG_WARN, "%s: %s", t->name, sl_error_text());
            continue;
        }
        if (err < 0)
            return err;
        done += frame.publish_ns <= until_ns;
        err = write_frame(r, t, &frame);
        sl_frame_release(&frame);
        if (err < 0) {
            r->has_failed = true;
            return err;
        }
    }
    return done;
}

/* Telling. ------------------------------------------------------------------------------------- */

/* By reason, as the bus tells them; and ours behind them. */
struct losses {
    uint64_t by_bus[SL_LOSS_REASONS], torn, total;
};

static void add_losses(const struct recorded *t, struct losses *sum,
                       struct sl_subscriber_status *ret_status)
{
    *ret_status = (struct sl_subscriber_status){.refusal = ""};
    sl_subscriber_status(t->subscriber, ret_status);
    for (int i = 0; i < SL_LOSS_REASONS; i++) {
        sum->by_bus[i] += ret_status->lost[i];
        sum->total += ret_status->lost[i];
    }
    sum->torn += t->torn;
    sum->total += t->torn;
}

static struct losses losses_of_all(const struct record *r)
{
    struct sl_subscriber_status status;
    struct losses sum = {0};
    for (unsigned i = 0; i < r->topic_count; i++)
        add_losses(&r->topics[i], &sum, &status);
    return sum;
}

/* "lost 12 (overwritten 10, taken back while written 2)" */
static const char *loss_text(const struct losses *l, char text[LOSS_TEXT_MAX])
{
    size_t used = (size_t)snprintf(text, LOSS_TEXT_MAX, "lost %" PRIu64, l->total);
    const char *separator = " (";
    for (int i = 0; i <= SL_LOSS_REASONS && used < LOSS_TEXT_MAX; i++) {
        uint64_t count = i < SL_LOSS_REASONS ? l->by_bus[i] : l->torn;
        const char *why =
            i < SL_LOSS_REASONS ? sl_loss_name((enum sl_loss)i) : "taken back while written";
        if (count == 0)
            continue;
        used += (size_t)snprintf(text + used, LOSS_TEXT_MAX - used, "%s%s %" PRIu64, separator, why,
                                 count);
        separator = ", ";
    }
    if (l->total > 0 && used < LOSS_TEXT_MAX)
        snprintf(text + used, LOSS_TEXT_MAX - used, ")");
    return text;
}

/* Returns the bytes written so far. */
static uint64_t print_written(const struct record *r, double seconds)
{
    struct record_output_counts c = record_output_counts(r->out);
    fprintf(stderr, "%s  %u topics  %" PRIu64 " messages  %.1f MB  %.1f MB/s",
            record_output_file(r->out), r->topic_count, c.messages, (double)c.bytes / 1e6,
            (double)(c.bytes - r->told_bytes) / 1e6 / (seconds > 0 ? seconds : 1));
    return c.bytes;
}

static void print_held(const struct record *r)
{
    struct record_snapshot_counts c = record_snapshot_counts(r->snapshot);
    fprintf(stderr, "%u snapshots  %u topics  the last %.1f s held: %" PRIu64 " messages, %.1f MB",
            c.files, r->topic_count, (double)c.held_ns / 1e9, c.held_messages,
            (double)c.held_bytes / 1e6);
}

static void show_progress(struct record *r, uint64_t now_ns)
{
    double seconds = (double)(now_ns - r->told_ns) / 1e9;
    r->told_ns = now_ns;
    if (!r->is_terminal)
        return;
    fprintf(stderr, "\r\033[K%.0f s  ", (double)(now_ns - r->start_ns) / 1e9);
    if (r->snapshot)
        print_held(r);
    else
        r->told_bytes = print_written(r, seconds);
    char text[LOSS_TEXT_MAX];
    const struct losses lost = losses_of_all(r);
    fprintf(stderr, "  %s%s", loss_text(&lost, text), r->has_keys ? "  [space q]" : "");
}

static void sum_up_topic(const struct recorded *t)
{
    struct sl_subscriber_status s;
    struct losses lost = {0};
    char text[LOSS_TEXT_MAX];
    add_losses(t, &lost, &s);
    sl_log(lost.total ? SL_LOG_WARN : SL_LOG_INFO, "%s: %" PRIu64 " messages, %.1f MB, %s%s%s",
           t->name, t->messages, (double)t->bytes / 1e6, loss_text(&lost, text),
           s.refusal[0] ? "; not let in: " : "", s.refusal);
    if (t->left_out)
        sl_log(SL_LOG_WARN, "%s: %" PRIu64 " messages are of a type that the format cannot hold",
               t->name, t->left_out);
}

static void tell_unfit(uint64_t unfit)
{
    if (unfit > 0)
        sl_log(SL_LOG_WARN, "%" PRIu64 " messages are not what their types say, and left out",
               unfit);
}

/* The loop. ------------------------------------------------------------------------------------ */

static int do_timed(struct record *r, struct sl_runtime *runtime, uint64_t now_ns)
{
    int err = look_for_topics(r, runtime, now_ns);
    if (err >= 0 && now_ns - r->flushed_ns >= (uint64_t)r->flush_ns) {
        r->flushed_ns = now_ns;
        r->realtime_ns = (int64_t)(sl_clock_realtime_ns() - sl_clock_monotonic_ns());
        err = r->out ? record_output_flush(r->out) : 0;
        r->has_failed = err < 0;
    }
    if (now_ns - r->told_ns >= PROGRESS_NS)
        show_progress(r, now_ns);
    if (err >= 0 && r->duration_ns > 0 && now_ns - r->start_ns >= (uint64_t)r->duration_ns)
        return -ECANCELED;
    return err < 0 ? err : 0;
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* However many signals, messages and keys have come, they are one wish. */
static bool is_wished(struct record *r, struct sl_runtime *runtime)
{
    struct signalfd_siginfo signal;
    struct sl_frame frame;
    bool is_wished = false;
    enum key key;
    while (r->has_keys && (key = keys_next()) != KEY_NONE) {
        is_wished |= key == KEY_SPACE || key == KEY_RIGHT;
        if (key == KEY_Q)
            sl_runtime_stop(runtime);
    }
    while (r->wish_fd > 0 && read(r->wish_fd, &signal, sizeof signal) == (ssize_t)sizeof signal)
        is_wished = true;
    while (r->trigger_subscriber && sl_subscriber_take(r->trigger_subscriber, &frame) == 0) {
        sl_frame_release(&frame);
        is_wished = true;
    }
    return is_wished;
}

/* Returns whether there is more to do at once. */
static int work_on_snapshot(struct record *r, struct sl_runtime *runtime)
{
    if (!r->snapshot)
        return 0;
    if (is_wished(r, runtime))
        record_snapshot_ask(r->snapshot);
    return record_snapshot_work(r->snapshot, sl_clock_realtime_ns());
}

static int work(void *state, struct sl_runtime *runtime)
{
    struct record *r = state;
    int done = 0;
    for (unsigned i = 0; i < r->topic_count; i++) {
        int got = drain(r, &r->topics[i], UINT64_MAX);
        if (got < 0)
            return got;
        done += got;
    }
    done += work_on_snapshot(r, runtime);
    uint64_t now_ns = sl_clock_monotonic_ns();
    int err = do_timed(r, runtime, now_ns);
    if (err < 0)
        return err;
    if (is_enough(r))
        return -ECANCELED;
    uint64_t next_ns = sooner(now_ns + LOOK_NS, r->flushed_ns + (uint64_t)r->flush_ns);
    if (r->duration_ns > 0)
        next_ns = sooner(next_ns, r->start_ns + (uint64_t)r->duration_ns);
    sl_runtime_wake_at(runtime, next_ns);
    return done;
}

static void finish_files(struct record *r, struct sl_runtime *runtime)
{
    struct record_output_counts c = record_output_counts(r->out);
    char last[sizeof r->path];
    tell_unfit(c.unfit);
    if (c.not_kept > 0)
        sl_log(SL_LOG_WARN, "%u latched messages are too large to be repeated in further files",
               c.not_kept);
    if (c.not_repeated > 0)
        sl_log(SL_LOG_WARN,
               "%u latched messages are not repeated in further files, where they do not fit "
               "beside the next message; give a larger --split-size",
               c.not_repeated);
    snprintf(last, sizeof last, "%s", record_output_file(r->out));
    int err = record_output_close(r->out);
    r->out = NULL;
    if (err < 0 && !r->has_failed)
        sl_runtime_fail(runtime, err);
    sl_log(SL_LOG_INFO, "%" PRIu64 " messages, %.1f MB in %u file%s, the last one %s", c.messages,
           (double)c.bytes / 1e6, c.files, c.files == 1 ? "" : "s", last);
}

static void finish_snapshots(struct record *r, struct sl_runtime *runtime)
{
    work_on_snapshot(r, runtime); /* it may have been asked for just now */
    struct record_snapshot_counts c = record_snapshot_counts(r->snapshot);
    if (c.too_large > 0)
        sl_log(SL_LOG_WARN, "%" PRIu64 " messages are larger than --snapshot-size", c.too_large);
    tell_unfit(c.unfit);
    unsigned failed = record_snapshot_close(r->snapshot);
    r->snapshot = NULL;
    if (failed > 0)
        sl_runtime_fail(runtime, sl_error(-EIO, "%u snapshots could not be written", failed));
}

/* What stands in the rings when the end is asked for is still of the recording; what publishers who
 * are as quick as this one add meanwhile is not. */
static int drain_rest(struct record *r, struct recorded *t, uint64_t until_ns)
{
    int got = 1;
    for (unsigned left = REST_MAX; left > 0 && got > 0; left--)
        got = drain(r, t, until_ns);
    return got;
}

static void finish(struct record *r, struct sl_runtime *runtime)
{
    uint64_t now_ns = sl_clock_monotonic_ns();
    for (unsigned i = 0; i < r->topic_count && !r->has_failed; i++) {
        int err = drain_rest(r, &r->topics[i], now_ns);
        if (err < 0)
            sl_runtime_fail(runtime, err);
    }
    if (r->is_terminal)
        fprintf(stderr, "\r\033[K");
    for (unsigned i = 0; i < r->topic_count; i++)
        sum_up_topic(&r->topics[i]);
    if (r->missed_count > 0)
        sl_runtime_fail(runtime, sl_error(-EMFILE,
                                          "%u topics were not recorded, or not from the beginning, "
                                          "for want of descriptors (ulimit -n) or room",
                                          r->missed_count));
    if (r->out)
        finish_files(r, runtime);
    if (r->snapshot)
        finish_snapshots(r, runtime);
}

static void close_record(void *state, struct sl_runtime *runtime)
{
    struct record *r = state;
    if (r->has_keys)
        sl_runtime_unwatch(runtime, STDIN_FILENO);
    if (r->out || r->snapshot)
        finish(r, runtime);
    keys_close();
    if (r->trigger_subscriber) {
        sl_runtime_unwatch(runtime, sl_subscriber_fd(r->trigger_subscriber));
        sl_subscriber_close(r->trigger_subscriber);
    }
    if (r->wish_fd > 0) {
        sl_runtime_unwatch(runtime, r->wish_fd);
        close(r->wish_fd);
    }
    for (unsigned i = 0; i < r->topic_count; i++) {
        sl_runtime_unwatch(runtime, sl_subscriber_fd(r->topics[i].subscriber));
        sl_subscriber_close(r->topics[i].subscriber);
    }
    free(r->topics);
    free(r->missed);
    for (struct channel *next, *c = r->channels; c; c = next) {
        next = c->next;
        free(c->definition);
        free(c);
    }
    if (r->has_watch)
        sl_stats_watch_close(&r->watch);
    sl_topic_choice_finish(&r->choice);
}

const struct sl_program record_program = {
    .name = "record",
    .summary = "Records topics into log files that ROS 2, ROS 1, Foxglove and sluice play can read",
    .details =
        "A message goes from its slot to the file without being copied. What the recorder has\n"
        "not read yet stands in the publishers' slots: it loses what they overwrite, tells how\n"
        "much and why, and never lets a publisher wait (but see --lossless). Killed, it leaves\n"
        "a file that 'sluice recover' and other readers still read.\n"
        "\n"
        "Keys, with --snapshot: space or s: a snapshot, q: the end.",
    .example = "sluice record --all -o drive.mcap --split-size 4G",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .state_size = sizeof(struct record),
    .open = open_record,
    .work = work,
    .close = close_record,
    .close_limit_s = 600, /* a snapshot of gigabytes, on a slow disk */
};
