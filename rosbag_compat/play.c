/* SPDX-License-Identifier: Apache-2.0 */
/* play.c - recorded logs onto the bus, in their own time or another.
 *
 * A part of a log is read, or decompressed, into a slot, and its messages are published from where
 * they lie in it (play_blocks.h); small ones go inline. What is late makes everything behind it
 * late, so the order is the same at any rate, and none is left out.
 */
#include "rosbag_compat/play.h"

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/frame/schema.h"
#include "core/shm/domain.h"
#include "core/shm/pool.h"
#include "rosbag_compat/files.h"
#include "rosbag_compat/keys.h"
#include "rosbag_compat/log_time.h"
#include "rosbag_compat/play_blocks.h"
#include "rosbag_compat/play_publish.h"
#include "rosbag_compat/reader.h"
#include "rosbag_compat/topic_choice.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCH        256 /* messages between two looks at signals and keys */
#define PROGRESS_NS  (200 * SL_NS_PER_MS)
#define RETRY_NS     SL_NS_PER_MS /* for a slot, or a subscriber that is behind */
#define LOCKSTEP_NS  (20 * SL_NS_PER_US)
#define DRAIN_NS     (30 * SL_NS_PER_S) /* in which nobody reads anything */
#define WAIT_TOLD_NS (3 * SL_NS_PER_S)
#define SEEK_NS      (10 * SL_NS_PER_S)
#define RATE_STEP    1.25
#define RATE_LEAST   0.001
#define RATE_MOST    1e6
#define CLOCK_BYTES  12
#define SLOTS_MIN    4
#define AHEAD_BYTES  (UINT64_C(32) << 20) /* to be read ahead, but 2 parts at least */
#define AHEAD_MAX    64

struct play {
    struct sl_option_list files, names, awaited;
    const char *regex, *exclude;
    double rate;
    bool loop, paused, lossless, lockstep, direct, buffered;
    int reader;
    const char *start, *until; /* as log_time.h reads them */
    int64_t duration_ns, delay_ns;
    int64_t clock_hz, wait_for, subscribers, quota;
    uint64_t memory_bytes;

    struct sl_topic_choice choice;
    struct sl_log_set logs;
    bool **wanted;          /* by log and topic */
    struct play_way **ways; /* the same */
    struct play_out *outs;  /* one for each name and type */
    unsigned out_count;
    struct sl_pool *pool;
    struct sl_publisher *clock;
    struct read_ring *ring; /* or NULL */
    struct play_blocks *blocks;
    struct play_publisher publisher;

    uint64_t log_first_ns, log_last_ns; /* of what is played */
    uint64_t begin_ns;                  /* CLOCK_MONOTONIC at which ... */
    uint64_t origin_ns;                 /* ... this time of the log was, or is */
    uint64_t now_ns;                    /* of the log: the last message's */
    uint64_t next_clock_ns;             /* CLOCK_MONOTONIC */
    uint64_t told_ns, messages, bytes, late_most_ns;
    uint64_t messages_before; /* this pass: one without any would be repeated for ever */
    struct play_out *last;    /* where the last message went */
    unsigned steps;           /* messages that may pass while it is paused */
    uint64_t waits_since_ns;
    bool is_wait_told;
    bool has_keys, is_terminal, has_begun;
};

enum reader {
    READER_AUTO,
    READER_IO_URING,
    READER_PREAD
};
static const char *const reader_names[] = {"auto", "io_uring", "pread", NULL};

static const struct sl_option options[] = {
    {.name = "log",
     .kind = SL_OPTION_LIST,
     .flags = SL_OPTION_POSITIONAL | SL_OPTION_REQUIRED,
     .offset = offsetof(struct play, files),
     .value = "LOG",
     .help = "MCAP, ROS 1 bags, databases and folders of rosbag2; several are played together"},
    {.name = "topic",
     .letter = 't',
     .kind = SL_OPTION_LIST,
     .offset = offsetof(struct play, names),
     .value = "TOPIC",
     .help = "Only this topic; may be given several times"},
    {.name = "regex",
     .letter = 'e',
     .kind = SL_OPTION_TEXT,
     .offset = offsetof(struct play, regex),
     .value = "EXPRESSION",
     .help = "Topics whose whole name it matches (POSIX extended)"},
    {.name = "exclude",
     .letter = 'x',
     .kind = SL_OPTION_TEXT,
     .offset = offsetof(struct play, exclude),
     .value = "EXPRESSION",
     .help = "But none whose whole name this one matches"},
    {.name = "rate",
     .letter = 'r',
     .kind = SL_OPTION_REAL,
     .offset = offsetof(struct play, rate),
     .value = "FACTOR",
     .fallback = "1",
     .min = 0,
     .max = 1e6,
     .help = "How many times as fast as it was recorded; 0: as fast as subscribers read"},
    {.name = "loop",
     .letter = 'l',
     .kind = SL_OPTION_FLAG,
     .offset = offsetof(struct play, loop),
     .help = "Begin again at the end"},
    {.name = "start",
     .kind = SL_OPTION_TEXT,
     .offset = offsetof(struct play, start),
     .value = "TIME",
     .help = "Leave out what is older: so long after the beginning (90s), a date "
             "(2026-03-01T14:05:09Z), or seconds since 1970 (@1772373909.5)"},
    {.name = "until",
     .kind = SL_OPTION_TEXT,
     .offset = offsetof(struct play, until),
     .value = "TIME",
     .help = "Leave out what is newer, likewise; without it, to the end"},
    {.name = "duration",
     .letter = 'd',
     .kind = SL_OPTION_DURATION,
     .offset = offsetof(struct play, duration_ns),
     .fallback = "0",
     .max = 1e18,
     .help = "Play so much of the logs' time; 0: all"},
    {.name = "delay",
     .kind = SL_OPTION_DURATION,
     .offset = offsetof(struct play, delay_ns),
     .fallback = "0",
     .max = 1e18,
     .help = "Wait so long before the first message"},
    {.name = "paused",
     .letter = 'p',
     .kind = SL_OPTION_FLAG,
     .offset = offsetof(struct play, paused),
     .help = "Begin paused: the space bar goes on, s goes on by one message"},
    {.name = "clock",
     .kind = SL_OPTION_INT,
     .offset = offsetof(struct play, clock_hz),
     .value = "HZ",
     .fallback = "0",
     .max = 10000,
     .help = "Publish the logs' time on /clock so many times a second"},
    {.name = "wait-for-subscribers",
     .kind = SL_OPTION_INT,
     .offset = offsetof(struct play, wait_for),
     .value = "N",
     .fallback = "0",
     .max = 1000,
     .help = "Begin when each topic that is played has so many; see --wait-for"},
    {.name = "wait-for",
     .kind = SL_OPTION_LIST,
     .offset = offsetof(struct play, awaited),
     .value = "TOPIC",
     .help = "Begin when this topic has its subscribers, whatever the others have; may be given "
             "several times"},
    {.name = "lossless",
     .kind = SL_OPTION_FLAG,
     .offset = offsetof(struct play, lossless),
     .help = "Let subscribers ask for every message; all wait for the slowest of them"},
    {.name = "lockstep",
     .kind = SL_OPTION_FLAG,
     .offset = offsetof(struct play, lockstep),
     .help = "The next message goes out when those who read every one have released the last one"},
    {.name = "reader",
     .kind = SL_OPTION_CHOICE,
     .offset = offsetof(struct play, reader),
     .fallback = "auto",
     .choices = reader_names,
     .help = "How what is not compressed is read: io_uring has several reads under way, pread one; "
             "auto: io_uring where the kernel and the container let it be used"},
    {.name = "direct",
     .kind = SL_OPTION_FLAG,
     .offset = offsetof(struct play, direct),
     .help = "Read all that is not compressed past the page cache, where the file system lets it. "
             "Otherwise what is in it is read from there, and the rest past it, but with --loop"},
    {.name = "buffered",
     .kind = SL_OPTION_FLAG,
     .offset = offsetof(struct play, buffered),
     .help = "Read nothing past the page cache"},
    {.name = "memory",
     .kind = SL_OPTION_SIZE,
     .offset = offsetof(struct play, memory_bytes),
     .fallback = "256M",
     .min = 1 << 20,
     .max = 1e12,
     .help = "For what was read ahead and what subscribers hold"},
    {.name = "subscribers",
     .kind = SL_OPTION_INT,
     .offset = offsetof(struct play, subscribers),
     .fallback = "8",
     .min = 1,
     .max = 64,
     .help = "Of each topic, at one time"},
    {.name = "quota",
     .kind = SL_OPTION_INT,
     .offset = offsetof(struct play, quota),
     .fallback = "4",
     .min = 1,
     .max = 1024,
     .help = "Frames that one of them may hold"},
};

/* Beginning. ----------------------------------------------------------------------------------- */

/* What is played again is better read from the page cache the next time. */
static enum sl_log_caching caching(const struct play *p)
{
    if (p->direct)
        return SL_LOG_DIRECT;
    return p->buffered || p->loop ? SL_LOG_CACHED : SL_LOG_UNCACHED;
}

static int open_logs(struct play *p)
{
    if (p->direct && p->buffered)
        return sl_error(-EINVAL, "options --direct and --buffered: give one of them");
    p->logs.decompressed_bytes = p->memory_bytes / SLOTS_MIN;
    for (unsigned i = 0; i < p->files.count; i++) {
        int err = sl_log_set_add(&p->logs, p->files.text[i], 0);
        if (err < 0)
            return err;
    }
    for (unsigned i = 0; i < p->logs.note_count; i++)
        sl_log(SL_LOG_WARN, "%s", p->logs.notes[i]);
    if (sl_log_set_read_directly(&p->logs, caching(p)) < p->logs.count && p->direct)
        sl_log(SL_LOG_WARN,
               "option --direct: not all of it can be read so, and is read through the "
               "page cache");
    for (unsigned l = 0; l < p->logs.count; l++)
        if (p->logs.logs[l]->damage.count > 0)
            sl_log(SL_LOG_WARN, "%s is damaged (%s): what is whole is played",
                   p->logs.files[l].path, p->logs.logs[l]->damage.first);
    return 0;
}

static struct play_out *find_out(const struct play *p, const char *name, const char *type)
{
    for (unsigned i = 0; i < p->out_count; i++)
        if (strcmp(p->outs[i].name, name) == 0 && strcmp(p->outs[i].type, type) == 0)
            return &p->outs[i];
    return NULL;
}

/* The type under which it is published. ROS 1's that became one of ROS 2 is that one; others keep
 * their names, which ROS 2's all differ from: "pkg/msg/Type". Where the log names no type, it is
 * what its messages are written in: "json". */
static void name_type(const struct sl_log_topic *topic, const struct sl_schema *became,
                      char to[SL_TYPE_MAX])
{
    const char *slash = strchr(topic->type, '/');
    if (became)
        snprintf(to, SL_TYPE_MAX, "%s", became->name);
    else if (!topic->type[0])
        snprintf(to, SL_TYPE_MAX, "%s", topic->encoding);
    else if (strcmp(topic->encoding, "cdr") == 0 && slash && !strchr(slash + 1, '/'))
        snprintf(to, SL_TYPE_MAX, "%.*s/msg/%s", (int)(slash - topic->type), topic->type,
                 slash + 1);
    else
        snprintf(to, SL_TYPE_MAX, "%s", topic->type);
}

/* What the log says of a topic may be anything; what the bus cannot carry is told and left out. */
static bool may_be_played(const struct sl_log_topic *topic, const char *type)
{
    if (strlen(topic->type) < SL_TYPE_MAX && sl_topic_check(topic->name, type) == 0)
        return true;
    sl_log(SL_LOG_WARN, "'%.60s' of type '%.60s' is not played: %s", topic->name, type,
           sl_error_text());
    return false;
}

/* The definition by which messages of ROS 1 become those of ROS 2; NULL where they stay. */
static struct sl_definition *translation_of(const struct sl_log_topic *topic,
                                            const struct sl_schema **ret_became)
{
    struct sl_definition *ros1 = NULL;
    *ret_became = NULL;
    if (strcmp(topic->encoding, "ros1") != 0 || topic->definition_bytes == 0 ||
        sl_definition_parse(topic->type, topic->definition, topic->definition_bytes, &ros1) < 0)
        return NULL;
    *ret_became = sl_ros1_became(topic->type, sl_definition_schema(ros1));
    if (*ret_became)
        return ros1;
    sl_definition_destroy(ros1);
    return NULL;
}

static struct play_out *add_out(struct play *p, const struct sl_log_topic *topic, const char *type)
{
    struct play_out *out = find_out(p, topic->name, type);
    if (out)
        return out;
    out = &p->outs[p->out_count++];
    snprintf(out->name, sizeof out->name, "%s", topic->name);
    snprintf(out->type, sizeof out->type, "%s", type);
    return out;
}

static void choose_topic(struct play *p, unsigned l, uint32_t t)
{
    const struct sl_log *log = p->logs.logs[l];
    const struct sl_log_topic *topic = &log->topics[t];
    struct play_way *way = &p->ways[l][t];
    const struct sl_schema *became;
    char type[SL_TYPE_MAX];
    if (!sl_topic_choice_has(&p->choice, topic->name) ||
        (p->clock_hz > 0 && strcmp(topic->name, "/clock") == 0)) /* there is one of our own */
        return;
    way->compression = log->body_compression;
    way->ros1 = translation_of(topic, &became);
    name_type(topic, became, type);
    if (!may_be_played(topic, type))
        return;
    way->out = add_out(p, topic, type);
    way->out->retain += sl_log_topic_latched(topic); /* of each publisher of a bag */
    if (way->out->retain > SL_LOG_LATCHED_MAX)
        way->out->retain = SL_LOG_LATCHED_MAX;
    if (way->ros1 || strcmp(topic->encoding, "cdr") == 0)
        way->out->schema = sl_schema_find(type);
    p->wanted[l][t] = true;
}

static int choose_topics(struct play *p)
{
    size_t total = 0;
    for (unsigned l = 0; l < p->logs.count; l++)
        total += p->logs.logs[l]->topic_count;
    p->wanted = calloc(p->logs.count + 1, sizeof *p->wanted);
    p->ways = calloc(p->logs.count + 1, sizeof *p->ways);
    p->outs = calloc(total + 1, sizeof *p->outs);
    if (!p->wanted || !p->ways || !p->outs)
        return sl_error(-ENOMEM, "no memory for topics");
    for (unsigned l = 0; l < p->logs.count; l++) {
        uint32_t count = p->logs.logs[l]->topic_count;
        p->wanted[l] = calloc(count + 1, sizeof **p->wanted);
        p->ways[l] = calloc(count + 1, sizeof **p->ways);
        if (!p->wanted[l] || !p->ways[l])
            return sl_error(-ENOMEM, "no memory for topics");
        for (uint32_t t = 0; t < count; t++)
            choose_topic(p, l, t);
    }
    return p->out_count > 0
               ? 0
               : sl_error(-ENOENT, "no topic is to be played; 'sluice info %s' shows what there is",
                          p->files.text[0]);
}

/* --wait-for alone waits for one subscriber. */
static int check_awaited(struct play *p)
{
    for (unsigned i = 0; i < p->awaited.count; i++) {
        bool is_played = false;
        for (unsigned k = 0; k < p->out_count; k++)
            is_played |= strcmp(p->outs[k].name, p->awaited.text[i]) == 0;
        if (!is_played)
            return sl_error(-ENOENT, "option --wait-for: %s is not played", p->awaited.text[i]);
    }
    if (p->awaited.count > 0 && p->wait_for == 0)
        p->wait_for = 1;
    return 0;
}

/* What slots need behind the largest part. */
static uint64_t spare_bytes(const struct play *p, uint64_t largest_bytes)
{
    uint64_t most = 0;
    for (unsigned l = 0; l < p->logs.count; l++)
        for (uint32_t t = 0; t < p->logs.logs[l]->topic_count; t++) {
            uint64_t spare = play_publish_spare_bytes(&p->ways[l][t], largest_bytes);
            most = spare > most ? spare : most;
        }
    return most;
}

/* What of the logs' time is played, and how large its parts are. */
static int measure(struct play *p, uint64_t *ret_slot_bytes)
{
    uint64_t first_ns = UINT64_MAX, last_ns = 0, largest = 1;
    for (unsigned l = 0; l < p->logs.count; l++) {
        const struct sl_log *log = p->logs.logs[l];
        for (uint32_t i = 0; i < log->block_count; i++) {
            const struct sl_log_block *block = &log->blocks[i];
            if (block->message_count == 0)
                continue;
            first_ns = block->first_ns < first_ns ? block->first_ns : first_ns;
            last_ns = block->last_ns > last_ns ? block->last_ns : last_ns;
            largest = block->size_bytes > largest ? block->size_bytes : largest;
        }
    }
    if (first_ns > last_ns)
        return sl_error(-ENODATA, "%s: there are no messages", p->files.text[0]);
    struct sl_log_time start, until;
    int err = sl_log_time_parse("option --start", p->start, &start);
    if (err < 0 || (err = sl_log_time_parse("option --until", p->until, &until)) < 0)
        return err;
    p->log_first_ns = sl_log_time_at(&start, first_ns);
    if (p->log_first_ns < first_ns)
        p->log_first_ns = first_ns;
    if (until.is_given && sl_log_time_at(&until, first_ns) < last_ns)
        last_ns = sl_log_time_at(&until, first_ns);
    if (last_ns < first_ns)
        return sl_error(-EINVAL, "option --until: is before the first message");
    if (p->duration_ns > 0 && p->log_first_ns + (uint64_t)p->duration_ns < last_ns)
        last_ns = p->log_first_ns + (uint64_t)p->duration_ns;
    if (p->log_first_ns > last_ns)
        return sl_error(-EINVAL, "option --start: nothing is left behind that");
    p->log_last_ns = last_ns;
    *ret_slot_bytes = largest + spare_bytes(p, largest) + 2 * SL_LOG_READ_ALIGNMENT;
    return 0;
}

/* What a message of it takes at most, for which there is memory: those that are larger are left
 * out. */
static uint64_t body_bytes_max(const struct play *p)
{
    uint64_t most = p->memory_bytes / SLOTS_MIN;
    return (most < INT32_MAX ? most : INT32_MAX) - 2 * SL_LOG_READ_ALIGNMENT;
}

/* The same of a log whose messages are compressed by themselves: the largest that there are, of
 * those for which there is memory and of all. */
static int measure_bodies_of(const struct play *p, unsigned l, uint64_t *fitting, uint64_t *largest)
{
    const struct sl_log_reader_options stored = {.first_ns = p->log_first_ns,
                                                 .last_ns = p->log_last_ns,
                                                 .takes_damaged = true,
                                                 .keeps_compressed = true};
    const uint64_t most = body_bytes_max(p);
    struct sl_log *log = p->logs.logs[l];
    struct sl_log_reader *reader;
    struct sl_log_item item;
    int result = sl_log_reader_create(&log, 1, &stored, &reader);
    if (result < 0)
        return result;
    while ((result = sl_log_reader_next(reader, &item)) == 1) {
        uint64_t size = sl_decompressed_said(log->body_compression, item.body, item.body_bytes);
        if (!p->wanted[l][item.message.topic])
            continue;
        *largest = size > *largest ? size : *largest;
        *fitting = size <= most && size > *fitting ? size : *fitting;
    }
    sl_log_reader_destroy(reader);
    return result;
}

/* Slots take what messages that are compressed by themselves become, which only reading tells. */
static int measure_bodies(const struct play *p, uint64_t *slot_bytes)
{
    uint64_t fitting = 0, largest = 0;
    for (unsigned l = 0; l < p->logs.count; l++) {
        bool is_plain = p->logs.logs[l]->body_compression == SL_COMPRESSION_NONE;
        int err = is_plain ? 0 : measure_bodies_of(p, l, &fitting, &largest);
        if (err < 0)
            return err;
    }
    if (largest > fitting)
        sl_log(SL_LOG_WARN,
               "a message becomes %.1f MB when it is decompressed; those above %.1f MB are left "
               "out: give --memory=%.0fM",
               (double)largest / 1e6, (double)body_bytes_max(p) / 1e6,
               (double)largest * SLOTS_MIN / 1048576 + 1);
    fitting += 2 * SL_LOG_READ_ALIGNMENT;
    *slot_bytes = fitting > *slot_bytes ? fitting : *slot_bytes;
    return 0;
}

/* Parts of the log that are read ahead of their time, of those that there are slots for. */
static unsigned count_ahead(uint64_t slot_bytes, unsigned slots)
{
    uint64_t ahead = AHEAD_BYTES / slot_bytes;
    ahead = ahead < 2 ? 2 : ahead > AHEAD_MAX ? AHEAD_MAX : ahead;
    return ahead < slots ? (unsigned)ahead : slots;
}

/* A message that is retained may keep a slot. They may take half of those that can be done without;
 * how many they are. */
static uint32_t fit_retained(struct play *p, uint64_t slots)
{
    uint64_t left = (slots - SLOTS_MIN) / 2;
    uint32_t total = 0;
    for (unsigned i = 0; i < p->out_count; i++) {
        struct play_out *out = &p->outs[i];
        if (out->retain > left) {
            sl_log(SL_LOG_WARN,
                   "%s: late subscribers get %u of its latched messages, not %u; give --memory",
                   out->name, (unsigned)left, out->retain);
            out->retain = (uint32_t)left;
        }
        left -= out->retain;
        total += out->retain;
    }
    return total;
}

static int open_pool(struct play *p, uint64_t slot_bytes, unsigned *ret_loans)
{
    uint64_t slots = p->memory_bytes / slot_bytes;
    if (slots < SLOTS_MIN)
        return sl_error(-ENOMEM,
                        "a part of the log takes %.1f MB, and %u must fit; give --memory=%.0fM, or "
                        "make its parts smaller: sluice convert LOG small.mcap",
                        (double)slot_bytes / 1e6, SLOTS_MIN,
                        (double)slot_bytes * SLOTS_MIN / 1048576 + 1);
    uint32_t retained = fit_retained(p, slots);
    uint64_t useful = 16 + retained + (uint64_t)p->subscribers * (uint64_t)p->quota;
    slots = slots < useful ? slots : useful;
    const struct sl_pool_options pool = {.slot_size = slot_bytes, .slot_count = (uint32_t)slots};
    *ret_loans = (unsigned)((slots - retained) / 2);
    return sl_pool_create(&pool, &p->pool);
}

static int open_publishers(struct play *p, struct sl_runtime *runtime, unsigned loans)
{
    struct sl_publisher_options o = {
        .domain = sl_runtime_domain(runtime),
        .bus = sl_runtime_bus(runtime),
        .pool = p->pool,
        .loans = loans,
        .subscribers = (uint32_t)p->subscribers,
        .quota = (uint32_t)p->quota,
        .ring = 1024,
        .inline_max = PLAY_INLINE_BYTES,
        .lossless = p->lossless || p->lockstep || p->rate == 0,
        .lossless_timeout_ns = INT64_MAX,
    };
    for (unsigned i = 0; i < p->out_count; i++) {
        char name[SL_TOPIC_MAX];
        int err = sl_runtime_topic(runtime, p->outs[i].name, name);
        o.topic = name;
        o.type = p->outs[i].type;
        o.retain = p->outs[i].retain;
        if (err < 0 || (err = sl_publisher_open(&o, &p->outs[i].publisher)) < 0)
            return err;
    }
    if (p->clock_hz == 0)
        return 0;
    o.pool = NULL;
    o.loans = o.retain = 0;
    char clock[SL_TOPIC_MAX];
    int err = sl_runtime_topic(runtime, "/clock", clock);
    if (err < 0)
        return err;
    o.topic = clock;
    o.type = "rosgraph_msgs/msg/Clock";
    o.lossless = false;
    return sl_publisher_open(&o, &p->clock);
}

/* Without it, a thread reads one part after the other. */
static int open_ring(struct play *p)
{
    int err = p->reader == READER_PREAD ? 0 : read_ring_open(&p->ring);
    if (err < 0 && p->reader == READER_IO_URING)
        return sl_error_at(err, "option --reader");
    if (err < 0)
        sl_log(SL_LOG_INFO, "%s", sl_error_text());
    return 0;
}

static struct iovec pinnable(const struct sl_pool *pool)
{
    return pool->memory.can_pin ? (struct iovec){pool->memory.base, pool->memory.size_bytes}
                                : (struct iovec){0};
}

static int open_play(void *state, struct sl_runtime *runtime)
{
    struct play *p = state;
    uint64_t slot_bytes = 0;
    unsigned loans = 0;
    bool all = p->names.count == 0 && !p->regex;
    int err = sl_topic_choice_init(&p->choice, &p->names, all, p->regex, p->exclude);
    if (err < 0 || (err = open_logs(p)) < 0 || (err = choose_topics(p)) < 0 ||
        (err = check_awaited(p)) < 0 || (err = measure(p, &slot_bytes)) < 0 ||
        (err = measure_bodies(p, &slot_bytes)) < 0 ||
        (err = open_pool(p, slot_bytes, &loans)) < 0 ||
        (err = open_publishers(p, runtime, loans)) < 0 || (err = open_ring(p)) < 0)
        return err;
    const struct play_blocks_options blocks = {
        .reading = {.set = &p->logs,
                    .wanted = p->wanted,
                    .first_ns = p->log_first_ns,
                    .last_ns = p->log_last_ns,
                    .ring = p->ring,
                    .memory = pinnable(p->pool)},
        .publisher = p->outs[0].publisher,
        .slots = loans,
        .ahead = count_ahead(slot_bytes, loans),
    };
    if ((err = play_blocks_create(&blocks, &p->blocks)) < 0)
        return err;
    p->publisher.uses_slots = p->lockstep;
    p->is_terminal = isatty(STDERR_FILENO);
    p->has_keys = keys_open();
    if (p->has_keys && (err = sl_runtime_watch(runtime, STDIN_FILENO)) < 0)
        return err;
    sl_log(SL_LOG_INFO, "%u topics, %.1f s, read by %s", p->out_count,
           (double)(p->log_last_ns - p->log_first_ns) / 1e9, p->ring ? "io_uring" : "pread");
    sl_runtime_wake_at(runtime, sl_clock_monotonic_ns());
    return 0;
}

/* Time. ---------------------------------------------------------------------------------------- */

/* From now on the log's time goes on from where it is. */
static void anchor(struct play *p, uint64_t monotonic_ns, uint64_t log_ns)
{
    p->begin_ns = monotonic_ns;
    p->origin_ns = log_ns;
}

static uint64_t due_at(const struct play *p, uint64_t log_ns)
{
    if (p->rate == 0)
        return p->begin_ns;
    double after_ns = log_ns > p->origin_ns ? (double)(log_ns - p->origin_ns) / p->rate : 0;
    return p->begin_ns + (uint64_t)after_ns;
}

/* The log's time of the message that is sent next; of the last one, while that is still read. */
static uint64_t next_log_ns(const struct play *p)
{
    struct play_item item;
    int got = play_blocks_next(p->blocks, &item);
    return got > 0 ? item.message.receive_ns : got == 0 ? UINT64_MAX : p->now_ns;
}

/* It does not go on past a message that is late. */
static uint64_t log_time_at(const struct play *p, uint64_t monotonic_ns)
{
    if (p->paused || p->rate == 0 || monotonic_ns < p->begin_ns)
        return p->now_ns;
    uint64_t next_ns = next_log_ns(p);
    uint64_t on_time_ns = p->origin_ns + (uint64_t)((double)(monotonic_ns - p->begin_ns) * p->rate);
    return on_time_ns < next_ns ? on_time_ns : next_ns;
}

static void publish_clock(struct play *p, uint64_t now_ns)
{
    if (!p->clock || now_ns < p->next_clock_ns)
        return;
    p->next_clock_ns = now_ns + SL_NS_PER_S / (uint64_t)p->clock_hz;
    uint64_t log_ns = log_time_at(p, now_ns);
    const uint32_t cdr[3] = {0x00000100, (uint32_t)(log_ns / SL_NS_PER_S),
                             (uint32_t)(log_ns % SL_NS_PER_S)};
    const struct sl_message m = {.stamp_ns = log_ns, .clock = SL_CLOCK_HOST};
    sl_publisher_publish_inline(p->clock, cdr, CLOCK_BYTES, &m);
}

/* Publishing. ---------------------------------------------------------------------------------- */

static int publish(struct play *p, const struct play_item *item)
{
    const struct play_way *way = &p->ways[item->log][item->message.topic];
    uint64_t rejected = p->publisher.rejected;
    int err = play_publish(&p->publisher, way, item);
    if (err < 0 || p->publisher.rejected > rejected)
        return err;
    p->last = way->out;
    p->messages++;
    p->bytes += item->message.size_bytes;
    return 0;
}

/* Steering. ------------------------------------------------------------------------------------ */

static void seek(struct play *p, uint64_t log_ns, uint64_t now_ns)
{
    log_ns = log_ns < p->log_first_ns ? p->log_first_ns : log_ns;
    play_blocks_rewind(p->blocks, log_ns);
    p->now_ns = log_ns;
    anchor(p, now_ns, log_ns);
}

/* 0, as fast as it goes, stays. */
static void set_rate(struct play *p, double rate, uint64_t now_ns)
{
    if (p->rate == 0 || rate < RATE_LEAST || rate > RATE_MOST)
        return;
    anchor(p, now_ns, log_time_at(p, now_ns));
    p->rate = rate;
}

static void pause_or_go_on(struct play *p, uint64_t now_ns)
{
    if (!p->paused)
        p->now_ns = log_time_at(p, now_ns);
    p->paused = !p->paused;
    anchor(p, now_ns, p->now_ns);
}

static int obey_keys(struct play *p, uint64_t now_ns)
{
    enum key key;
    while (p->has_keys && (key = keys_next()) != KEY_NONE) {
        switch (key) {
        case KEY_SPACE:
            pause_or_go_on(p, now_ns);
            break;
        case KEY_RIGHT:
            if (!p->paused)
                pause_or_go_on(p, now_ns);
            p->steps++;
            break;
        case KEY_UP:
        case KEY_DOWN:
            set_rate(p, key == KEY_UP ? p->rate * RATE_STEP : p->rate / RATE_STEP, now_ns);
            break;
        case KEY_LEFT:
            seek(p, p->now_ns > SEEK_NS ? p->now_ns - SEEK_NS : 0, now_ns);
            break;
        case KEY_N:
            seek(p, p->now_ns + SEEK_NS, now_ns);
            break;
        case KEY_Q:
            return -ECANCELED;
        case KEY_NONE:
            break;
        }
    }
    return 0;
}

static void show_progress(struct play *p, uint64_t now_ns)
{
    if (!p->is_terminal || now_ns - p->told_ns < PROGRESS_NS)
        return;
    p->told_ns = now_ns;
    uint64_t at_ns = log_time_at(p, now_ns);
    at_ns = at_ns > p->log_last_ns ? p->log_last_ns : at_ns;
    at_ns = at_ns < p->log_first_ns ? p->log_first_ns : at_ns;
    double whole = (double)(p->log_last_ns - p->log_first_ns) / 1e9;
    double done = (double)(at_ns - p->log_first_ns) / 1e9;
    fprintf(stderr, "\r\033[K%s %.1f of %.1f s (%.0f %%)  x%.2f  %" PRIu64 " messages  %.1f MB%s",
            p->paused ? "paused" : "playing", done, whole, whole > 0 ? 100 * done / whole : 100,
            p->rate, p->messages, (double)p->bytes / 1e6,
            p->has_keys ? "  [space s + - b n q]" : "");
}

/* The loop. ------------------------------------------------------------------------------------ */

static bool is_awaited(const struct play *p, const struct play_out *out)
{
    for (unsigned i = 0; i < p->awaited.count; i++)
        if (strcmp(p->awaited.text[i], out->name) == 0)
            return true;
    return p->awaited.count == 0;
}

/* A topic that has not got its subscribers yet; NULL: there is none. */
static const struct play_out *missing(const struct play *p)
{
    for (unsigned i = 0; i < p->out_count && p->wait_for > 0; i++) {
        struct sl_publisher_status status = {0};
        sl_publisher_status(p->outs[i].publisher, &status);
        if (is_awaited(p, &p->outs[i]) && status.subscribers < p->wait_for)
            return &p->outs[i];
    }
    return NULL;
}

/* 0: it may begin; 1: not yet. Whom it waits for is told, once, if it takes long. */
static int wait_for_subscribers(struct play *p, uint64_t now_ns)
{
    const struct play_out *out = missing(p);
    if (!out)
        return 0;
    if (p->waits_since_ns == 0)
        p->waits_since_ns = now_ns;
    if (now_ns - p->waits_since_ns > WAIT_TOLD_NS && !p->is_wait_told) {
        sl_log(SL_LOG_INFO,
               "waiting for %" PRId64 " subscribers of %s; --topic and --wait-for choose topics",
               p->wait_for, out->name);
        p->is_wait_told = true;
    }
    return 1;
}

/* By those who read every message of its topic; what others keep is their own affair. */
static bool is_released(const struct play *p)
{
    struct sl_publisher_status status = {0};
    if (p->last)
        sl_publisher_status(p->last->publisher, &status);
    return status.unreleased == 0;
}

/* Published if it is due. Above 0: when to come again; 0: it was; -ECANCELED: that was all. */
static int64_t play_next(struct play *p, uint64_t now_ns)
{
    struct play_item item;
    int got = play_blocks_next(p->blocks, &item);
    if (got == -EAGAIN)
        return (int64_t)(now_ns + RETRY_NS);
    if (got < 0)
        return got;
    if (got == 0 && p->loop && p->messages > p->messages_before) {
        p->messages_before = p->messages;
        seek(p, p->log_first_ns, now_ns);
        return (int64_t)now_ns;
    }
    if (got == 0)
        return -ECANCELED;
    uint64_t due_ns = due_at(p, item.message.receive_ns);
    if (p->paused && p->steps == 0)
        return INT64_MAX;
    if (!p->paused && now_ns < due_ns)
        return (int64_t)due_ns;
    if (p->lockstep && !is_released(p))
        return (int64_t)(now_ns + LOCKSTEP_NS);
    int err = publish(p, &item);
    if (err == -EAGAIN)
        return (int64_t)(now_ns + RETRY_NS);
    if (err < 0)
        return err;
    if (p->paused)
        p->steps--;
    else if (p->rate > 0 && now_ns - due_ns > p->late_most_ns)
        p->late_most_ns = now_ns - due_ns;
    p->now_ns = item.message.receive_ns;
    play_blocks_pass(p->blocks);
    return 0;
}

/* Its time begins when the first part has been read: what goes wrong there is told soon enough. */
static void begin(struct play *p)
{
    struct play_item item;
    play_blocks_next(p->blocks, &item);
    p->has_begun = true;
    p->now_ns = p->log_first_ns;
    anchor(p, sl_clock_monotonic_ns() + (uint64_t)p->delay_ns, p->log_first_ns);
}

static int work(void *state, struct sl_runtime *runtime)
{
    struct play *p = state;
    uint64_t now_ns = sl_clock_monotonic_ns();
    if (!p->has_begun) {
        if (wait_for_subscribers(p, now_ns)) {
            sl_runtime_wake_at(runtime, now_ns + 10 * SL_NS_PER_MS);
            return 0;
        }
        begin(p);
        now_ns = sl_clock_monotonic_ns();
    }
    int err = obey_keys(p, now_ns);
    if (err < 0)
        return err;
    int64_t next_ns = 0;
    int done = 0;
    for (; done < BATCH && next_ns == 0; done++) {
        now_ns = sl_clock_monotonic_ns();
        publish_clock(p, now_ns);
        next_ns = play_next(p, now_ns);
    }
    show_progress(p, now_ns);
    if (next_ns < 0)
        return (int)next_ns;
    if (next_ns == 0)
        return done;
    uint64_t wake_ns = (uint64_t)next_ns;
    if (p->clock && p->next_clock_ns < wake_ns)
        wake_ns = p->next_clock_ns;
    if (p->is_terminal && p->told_ns + PROGRESS_NS < wake_ns)
        wake_ns = p->told_ns + PROGRESS_NS;
    sl_runtime_wake_at(runtime, wake_ns > now_ns ? wake_ns : now_ns + 1);
    return 0;
}

static uint64_t count_unread(const struct play *p)
{
    uint64_t unread = 0;
    for (unsigned i = 0; i < p->out_count; i++) {
        struct sl_publisher_status status = {0};
        sl_publisher_status(p->outs[i].publisher, &status);
        unread += status.unread;
    }
    return unread;
}

/* Who reads every message is given the time to come to the end, as long as somebody reads at all.
 */
static void wait_for_readers(const struct play *p, struct sl_runtime *runtime)
{
    uint64_t since_ns = sl_clock_monotonic_ns(), least = UINT64_MAX, unread;
    while ((unread = count_unread(p)) > 0 && !sl_runtime_stopping(runtime)) {
        if (unread < least) {
            least = unread;
            since_ns = sl_clock_monotonic_ns();
        }
        if (sl_clock_monotonic_ns() - since_ns > DRAIN_NS)
            break;
        usleep(1000);
    }
    if (unread > 0)
        sl_log(SL_LOG_WARN, "%" PRIu64 " messages were not read to the end", unread);
}

static void free_topics(const struct play *p, unsigned l)
{
    for (uint32_t t = 0; p->ways && p->ways[l] && t < p->logs.logs[l]->topic_count; t++)
        sl_definition_destroy(p->ways[l][t].ros1);
    free(p->ways ? p->ways[l] : NULL);
    free(p->wanted ? p->wanted[l] : NULL);
}

static void close_play(void *state, struct sl_runtime *runtime)
{
    struct play *p = state;
    const char *reason;
    keys_close();
    if (p->has_begun) {
        if (p->is_terminal)
            fprintf(stderr, "\r\033[K");
        wait_for_readers(p, runtime);
        sl_log(SL_LOG_INFO, "%" PRIu64 " messages, %.1f MB, at most %.1f ms late", p->messages,
               (double)p->bytes / 1e6, (double)p->late_most_ns / 1e6);
        if (play_blocks_damaged(p->blocks, &reason) > 0)
            sl_log(SL_LOG_WARN,
                   "%" PRIu64 " parts of the log are damaged: %s; what is whole of "
                   "them was played",
                   play_blocks_damaged(p->blocks, &reason), reason);
        if (p->publisher.rejected > 0)
            sl_log(SL_LOG_WARN, "%" PRIu64 " messages were left out, the first one of %s",
                   p->publisher.rejected, p->publisher.reason);
    }
    play_blocks_destroy(p->blocks);
    read_ring_close(p->ring);
    for (unsigned i = 0; i < p->out_count; i++)
        sl_publisher_close(p->outs[i].publisher);
    sl_publisher_close(p->clock);
    sl_pool_destroy(p->pool);
    for (unsigned l = 0; l < p->logs.count; l++)
        free_topics(p, l);
    free(p->wanted);
    free(p->ways);
    play_publisher_finish(&p->publisher);
    free(p->outs);
    sl_log_set_close(&p->logs);
    sl_topic_choice_finish(&p->choice);
}

const struct sl_program play_program = {
    .name = "play",
    .summary = "Plays recorded logs onto the bus, in their own time or another",
    .details =
        "Parts of the log are read, or decompressed, straight into slots, and messages published\n"
        "from where they lie. The order is that of the log at any rate; when something is late,\n"
        "everything is. Messages of ROS 1 become those of ROS 2 where Sluice knows the type and "
        "the\n"
        "log defines it alike; others are published as they are, under their own names.\n"
        "\n"
        "Keys: space pauses and goes on, s or right: one message, + and -: faster and slower,\n"
        "b or left: 10 s back, n: 10 s on, q: the end.",
    .example = "sluice play drive.mcap --rate 2 --loop",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .state_size = sizeof(struct play),
    .open = open_play,
    .work = work,
    .close = close_play,
};
