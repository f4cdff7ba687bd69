/* SPDX-License-Identifier: Apache-2.0 */
/* budget.c - the nodes' answers are read and added up, compared with each other and with the
 * machine. */
#include "launch/budget.h"

#include "core/base/error.h"
#include "core/shm/layout.h"
#include "core/shm/roudi.h"
#include "launch/roudi.h"

#include <errno.h>
#include <inttypes.h>
#include <regex.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES 4096
#define MIB            (1024.0 * 1024.0)

/* Answers ---------------------------------------------------------------------------------------*/

/* The value of "key=value" in a line of fields separated by tabs; NULL if it has none. */
static const char *field(const char *line, const char *key, size_t *ret_length)
{
    size_t key_length = strlen(key);
    for (const char *at = strchr(line, '\t'); at; at = strchr(at, '\t')) {
        at++;
        if (strncmp(at, key, key_length) == 0 && at[key_length] == '=') {
            *ret_length = strcspn(at + key_length + 1, "\t");
            return at + key_length + 1;
        }
    }
    return NULL;
}

static int bad_answer(const struct sl_plan_node *node, const char *line)
{
    return sl_yaml_error(node->exec_place, -EPROTO,
                         "%s says of its topics what cannot be understood: '%.80s'; is it of "
                         "another version?",
                         node->exec, line);
}

static bool get_text(const char *line, const char *key, char *to, size_t size)
{
    size_t length;
    const char *value = field(line, key, &length);
    if (!value || length >= size)
        return false;
    memcpy(to, value, length);
    to[length] = '\0';
    return true;
}

static bool get_number(const char *line, const char *key, uint64_t *to)
{
    char text[24], *end;
    if (!get_text(line, key, text, sizeof text) || text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    *to = strtoull(text, &end, 10);
    return *end == '\0' && errno == 0;
}

static bool get_flag(const char *line, const char *key)
{
    uint64_t value;
    return get_number(line, key, &value) && value == 1;
}

/* Room for one more, zeroed; NULL = no memory. */
static void *grow(void **list, unsigned *count, size_t size)
{
    void *more = realloc(*list, (*count + 1) * size);
    if (!more)
        return NULL;
    *list = more;
    return memset((char *)more + size * (*count)++, 0, size);
}

static int read_publisher(struct sl_budget *b, const struct sl_plan_node *node, const char *line)
{
    void *list = b->publisher;
    struct sl_budget_publisher *p = grow(&list, &b->publisher_count, sizeof *p);
    b->publisher = list;
    if (!p)
        return sl_error(-ENOMEM, "no memory for a publisher");
    const struct {
        const char *key;
        uint64_t *to;
    } numbers[] = {
        {"slot_size", &p->slot_size},
        {"slot_count", &p->slot_count},
        {"loans", &p->loans},
        {"retain", &p->retain},
        {"subscribers", &p->subscribers},
        {"quota", &p->quota},
        {"visitors", &p->visitors},
        {"pool_bytes", &p->pool_bytes},
        {"ring_bytes", &p->ring_bytes},
        {"control_bytes", &p->control_bytes},
        {"ledgers", &p->ledgers},
        {"ledger_bytes", &p->ledger_bytes},
        {"total_bytes", &p->total_bytes},
    };
    p->node = node;
    bool is_fine = get_text(line, "topic", p->topic, sizeof p->topic) &&
                   get_text(line, "type", p->type, sizeof p->type);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        is_fine = is_fine && get_number(line, numbers[i].key, numbers[i].to);
    /* a program of before there were these has neither */
    if (!get_text(line, "memory", p->memory, sizeof p->memory) ||
        !get_number(line, "device_bytes", &p->device_bytes))
        p->memory[0] = '\0';
    is_fine = is_fine && p->device_bytes <= p->pool_bytes;
    p->is_lossless = get_flag(line, "lossless");
    p->is_huge = get_flag(line, "huge");
    return is_fine ? 0 : bad_answer(node, line);
}

static int read_subscriber(struct sl_budget *b, const struct sl_plan_node *node, const char *line)
{
    void *list = b->subscriber;
    struct sl_budget_subscriber *s = grow(&list, &b->subscriber_count, sizeof *s);
    b->subscriber = list;
    if (!s)
        return sl_error(-ENOMEM, "no memory for a subscriber");
    char policy[16];
    s->node = node;
    if (!get_text(line, "topic", s->topic, sizeof s->topic) ||
        !get_text(line, "type", s->type, sizeof s->type) ||
        !get_text(line, "policy", policy, sizeof policy) || !get_number(line, "quota", &s->quota))
        return bad_answer(node, line);
    s->is_lossless = strcmp(policy, "lossless") == 0;
    s->is_visitor = get_flag(line, "visitor");
    return 0;
}

static int read_expected(struct sl_budget *b, const struct sl_plan_node *node, const char *line)
{
    void *list = b->expected;
    struct sl_budget_expected *e = grow(&list, &b->expected_count, sizeof *e);
    b->expected = list;
    if (!e)
        return sl_error(-ENOMEM, "no memory for what is read when it is found");
    char policy[16];
    e->node = node;
    bool has_name = get_text(line, "topic", e->topic, sizeof e->topic) ||
                    get_text(line, "pattern", e->pattern, sizeof e->pattern);
    if (!has_name || !get_text(line, "policy", policy, sizeof policy) ||
        !get_number(line, "quota", &e->quota) ||
        !get_number(line, "retained_quota", &e->retained_quota) ||
        !get_number(line, "more_than_retained", &e->more_than_retained))
        return bad_answer(node, line);
    e->is_lossless = strcmp(policy, "lossless") == 0;
    return 0;
}

static int read_line(struct sl_budget *b, struct sl_budget_node *n, const char *line)
{
    size_t length = strcspn(line, "\t");
    if (strncmp(line, "publish", length) == 0 && length == strlen("publish"))
        return read_publisher(b, n->node, line);
    if (strncmp(line, "subscribe", length) == 0 && length == strlen("subscribe"))
        return read_subscriber(b, n->node, line);
    if (strncmp(line, "expect", length) == 0 && length == strlen("expect"))
        return read_expected(b, n->node, line);
    if (strcmp(line, "unknown") == 0)
        n->is_known = false;
    if (strncmp(line, "process\t", length + 1) == 0) {
        n->is_locked = get_flag(line, "mlock");
        if (!get_number(line, "bytes", &n->process_bytes) ||
            !get_number(line, "vm_bytes", &n->lock_bytes))
            return bad_answer(n->node, line);
    }
    return 0; /* words of a later version */
}

static int read_node(struct sl_budget *b, const struct sl_plan_node *node)
{
    struct sl_budget_node *n = &b->node[b->node_count++];
    *n = (struct sl_budget_node){.node = node, .may_restart = node->restart != SL_RESTART_NEVER};
    if (!node->answer) /* any program, with its own arguments */
        return 0;
    n->is_known = true;
    bool is_whole = false;
    char line[LINE_MAX_BYTES];
    for (const char *at = node->answer; *at;) {
        size_t length = strcspn(at, "\n");
        snprintf(line, sizeof line, "%.*s", (int)length, at);
        at += length + (at[length] == '\n');
        int err = read_line(b, n, line);
        if (err < 0)
            return err;
        is_whole = strcmp(line, "end") == 0;
    }
    return is_whole ? 0 : bad_answer(node, line);
}

/* What is found ---------------------------------------------------------------------------------*/

static struct sl_budget_subscriber *find_reader(const struct sl_budget *b,
                                                const struct sl_plan_node *node, const char *topic)
{
    for (unsigned i = 0; i < b->subscriber_count; i++)
        if (b->subscriber[i].node == node && strcmp(b->subscriber[i].topic, topic) == 0)
            return &b->subscriber[i];
    return NULL;
}

static uint64_t quota_of(const struct sl_budget_expected *e, const struct sl_budget_publisher *p)
{
    uint64_t quota = e->quota;
    if (p->retain > 0 && e->retained_quota > 0)
        quota = e->retained_quota;
    else if (p->retain > 0 && e->more_than_retained > 0)
        quota = p->retain + e->more_than_retained;
    return quota < SL_QUOTA_MAX ? quota : SL_QUOTA_MAX;
}

/* A node does not read its own topics so, and each topic by the first of its lines only. */
static int find_one(struct sl_budget *b, struct sl_budget_expected *e,
                    const struct sl_budget_publisher *p)
{
    if (p->node == e->node)
        return 0;
    e->is_found = true;
    if (find_reader(b, e->node, p->topic))
        return 0;
    void *list = b->subscriber;
    struct sl_budget_subscriber *s = grow(&list, &b->subscriber_count, sizeof *s);
    b->subscriber = list;
    if (!s)
        return sl_error(-ENOMEM, "no memory for a subscriber");
    s->node = e->node;
    s->quota = quota_of(e, p);
    s->is_lossless = e->is_lossless;
    snprintf(s->topic, sizeof s->topic, "%s", p->topic);
    return 0;
}

static int find_expected(struct sl_budget *b, struct sl_budget_expected *e)
{
    char whole[SL_BUDGET_PATTERN_MAX + 8];
    regex_t pattern;
    snprintf(whole, sizeof whole, "^(%s)$", e->pattern);
    if (!e->topic[0] && regcomp(&pattern, whole, REG_EXTENDED | REG_NOSUB) != 0)
        return bad_answer(e->node, e->pattern);
    int err = 0;
    for (unsigned i = 0; err == 0 && i < b->publisher_count; i++) {
        const char *topic = b->publisher[i].topic;
        if (e->topic[0] ? strcmp(topic, e->topic) == 0 : regexec(&pattern, topic, 0, NULL, 0) == 0)
            err = find_one(b, e, &b->publisher[i]);
    }
    if (!e->topic[0])
        regfree(&pattern);
    return err;
}

/* Sums ------------------------------------------------------------------------------------------*/

static void add_up(struct sl_budget *b)
{
    for (unsigned k = 0; k < b->node_count; k++) {
        struct sl_budget_node *n = &b->node[k];
        n->total_bytes = n->process_bytes;
        for (unsigned i = 0; i < b->publisher_count; i++) {
            const struct sl_budget_publisher *p = &b->publisher[i];
            if (p->node != n->node)
                continue;
            n->total_bytes += p->total_bytes;
            b->device_bytes += p->device_bytes;
            b->huge_bytes += p->is_huge ? p->pool_bytes : 0;
            b->huge_restart_bytes += p->is_huge ? p->pool_bytes * (n->may_restart ? 2 : 1) : 0;
        }
        b->total_bytes += n->total_bytes;
        b->restart_bytes += n->total_bytes * (n->may_restart ? 2 : 1);
        b->unknown_count += !n->is_known;
    }
}

static const struct sl_budget_node *node_of(const struct sl_budget *b,
                                            const struct sl_plan_node *node)
{
    for (unsigned i = 0; i < b->node_count; i++)
        if (b->node[i].node == node)
            return &b->node[i];
    return NULL;
}

/* What a locking process maps: its own, and of each publisher that it reads pool, control, ring and
 * one ledger; of one that was restarted also the old ones while it holds frames of them. */
static void add_locks(struct sl_budget *b)
{
    for (unsigned i = 0; i < b->node_count; i++) {
        struct sl_budget_node *n = &b->node[i];
        n->lock_bytes += n->total_bytes;
        for (unsigned s = 0; s < b->subscriber_count; s++) {
            if (b->subscriber[s].node != n->node)
                continue;
            for (unsigned p = 0; p < b->publisher_count; p++) {
                const struct sl_budget_publisher *from = &b->publisher[p];
                const struct sl_budget_node *whose = node_of(b, from->node);
                if (strcmp(from->topic, b->subscriber[s].topic) == 0)
                    n->lock_bytes += (from->pool_bytes - from->device_bytes + from->control_bytes +
                                      from->ring_bytes + from->ledger_bytes) *
                                     (whose && whose->may_restart ? 2 : 1);
            }
        }
        if (!n->is_locked)
            n->lock_bytes = 0;
    }
}

/* Notes -----------------------------------------------------------------------------------------*/

static void note(struct sl_budget *b, bool is_problem, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void note(struct sl_budget *b, bool is_problem, const char *format, ...)
{
    if (b->note_count == SL_BUDGET_NOTES) {
        b->dropped_notes++;
        return;
    }
    struct sl_budget_note *n = &b->note[b->note_count++];
    n->is_problem = is_problem;
    va_list args;
    va_start(args, format);
    vsnprintf(n->text, sizeof n->text, format, args);
    va_end(args);
}

/* The readers of a publisher in this file: how many, what they hold together, and their names. */
struct readers {
    uint64_t count, quotas, visitors;
    char names[160];
};

static void find_readers(const struct sl_budget *b, const struct sl_budget_publisher *p,
                         struct readers *ret)
{
    *ret = (struct readers){0};
    size_t used = 0;
    for (unsigned i = 0; i < b->subscriber_count; i++) {
        const struct sl_budget_subscriber *s = &b->subscriber[i];
        if (strcmp(s->topic, p->topic) != 0)
            continue;
        ret->visitors += s->is_visitor;
        ret->count += !s->is_visitor;
        ret->quotas += s->is_visitor ? 0 : s->quota < p->quota ? s->quota : p->quota;
        if (used < sizeof ret->names)
            used += (size_t)snprintf(ret->names + used, sizeof ret->names - used, "%s%s",
                                     used ? ", " : "", s->node->name);
    }
}

/* Would this reader get from this publisher what it asks for? */
static void compare_one(struct sl_budget *b, const struct sl_budget_publisher *p,
                        const struct sl_budget_subscriber *s)
{
    if (s->type[0] && strcmp(s->type, p->type) != 0)
        note(b, false, "%s: %s publishes %s, %s asks for %s and will be refused", p->topic,
             p->node->name, p->type, s->node->name, s->type);
    if (s->is_lossless && !p->is_lossless)
        note(b, false, "%s: %s asks for every message, %s does not allow that and will refuse it",
             p->topic, s->node->name, p->node->name);
    if (!s->is_visitor && s->quota > p->quota && p->slot_count > 0)
        note(b, false,
             "%s: %s wants to hold %" PRIu64 " frames, %s lets each hold %" PRIu64
             "; raise quota of %s",
             p->topic, s->node->name, s->quota, p->node->name, p->quota, p->node->name);
}

static void compare_publisher(struct sl_budget *b, const struct sl_budget_publisher *p)
{
    struct readers readers;
    find_readers(b, p, &readers);
    for (unsigned i = 0; i < b->subscriber_count; i++)
        if (strcmp(b->subscriber[i].topic, p->topic) == 0)
            compare_one(b, p, &b->subscriber[i]);
    if (readers.count > p->subscribers)
        note(b, false,
             "%s: %s takes %" PRIu64 " subscribers, this file has %" PRIu64
             " (%s): the last to come are refused; raise subscribers of %s",
             p->topic, p->node->name, p->subscribers, readers.count, readers.names, p->node->name);
    uint64_t wanted = p->loans + p->retain + readers.quotas + p->visitors + 1;
    if (p->slot_count > 0 && p->slot_count < wanted)
        note(b, false,
             "%s: %s has %" PRIu64 " slots, its readers (%s) may leave it none: loans %" PRIu64
             " + retained %" PRIu64 " + quotas %" PRIu64 " + visitors %" PRIu64 " + 1 = %" PRIu64,
             p->topic, p->node->name, p->slot_count, readers.names, p->loans, p->retain,
             readers.quotas, p->visitors, wanted);
}

static void compare_subscriber(struct sl_budget *b, const struct sl_budget_subscriber *s)
{
    for (unsigned i = 0; i < b->publisher_count; i++)
        if (strcmp(b->publisher[i].topic, s->topic) == 0)
            return;
    if (b->unknown_count > 0)
        return; /* one of those may */
    note(b, false, "%s: %s reads it, nobody in this file publishes it; is a remap missing?",
         s->topic, s->node->name);
}

static void compare_expected(struct sl_budget *b, const struct sl_budget_expected *e)
{
    if (e->is_found || b->unknown_count > 0)
        return;
    if (e->topic[0])
        note(b, false, "%s: %s reads it, nobody in this file publishes it; is a remap missing?",
             e->topic, e->node->name);
    else
        note(b, false, "%s reads what matches %s, nothing that this file's nodes publish does",
             e->node->name, e->pattern);
}

/* Limits ----------------------------------------------------------------------------------------*/

static const struct sl_budget_publisher *largest(const struct sl_budget *b)
{
    const struct sl_budget_publisher *most = NULL;
    for (unsigned i = 0; i < b->publisher_count; i++)
        if (!most || b->publisher[i].total_bytes > most->total_bytes)
            most = &b->publisher[i];
    return most;
}

/* "take fewer or smaller slots (lidar's /lidar/points has 39 of 2.5 MiB)" */
static const char *fewer_slots(const struct sl_budget *b, char *to, size_t size)
{
    const struct sl_budget_publisher *p = largest(b);
    to[0] = '\0';
    if (p && p->slot_count > 0)
        snprintf(to, size,
                 "take fewer or smaller slots (%.64s's %.100s has %" PRIu64
                 " of %.1f MiB: its subscribers and quota say how many)",
                 p->node->name, p->topic, p->slot_count, (double)p->slot_size / MIB);
    else
        snprintf(to, size, "start less");
    return to;
}

static struct sl_budget_limit *limit(struct sl_budget *b, enum sl_budget_limit_kind kind,
                                     uint64_t left_bytes, uint64_t wanted_bytes, bool is_asked)
{
    struct sl_budget_limit *l = &b->limit[b->limit_count++];
    *l = (struct sl_budget_limit){.kind = kind,
                                  .left_bytes = left_bytes,
                                  .wanted_bytes = wanted_bytes,
                                  .is_asked = is_asked,
                                  .does_fit = !is_asked || wanted_bytes <= left_bytes};
    b->does_fit = b->does_fit && l->does_fit;
    return l;
}

/* Machine and cgroup: all segments together but those in huge pages, which are set aside. */
static void check_memory(struct sl_budget *b, enum sl_budget_limit_kind kind, uint64_t left_bytes,
                         const char *name, const char *remedy)
{
    uint64_t wanted_bytes = b->total_bytes - b->huge_bytes;
    uint64_t restart_bytes = b->restart_bytes - b->huge_restart_bytes;
    struct sl_budget_limit *l = limit(b, kind, left_bytes, restart_bytes, true);
    snprintf(l->name, sizeof l->name, "%s", name);
    if (l->does_fit)
        return;
    char slots[256];
    bool fits_at_first = wanted_bytes <= left_bytes;
    note(b, true, "%.1f MiB are wanted%s, %.1f MiB are left of %s; %s, %s",
         (double)(fits_at_first ? restart_bytes : wanted_bytes) / MIB,
         fits_at_first ? " while nodes are restarted (frames of before stand beside the new ones)"
                       : "",
         (double)left_bytes / MIB, name, fewer_slots(b, slots, sizeof slots), remedy);
}

/* RLIMIT_FSIZE: each segment by itself, the largest being a pool. */
static void check_file(struct sl_budget *b, uint64_t left_bytes)
{
    const struct sl_budget_publisher *most = NULL;
    for (unsigned i = 0; i < b->publisher_count; i++)
        if (b->publisher[i].device_bytes == 0 &&
            (!most || b->publisher[i].pool_bytes > most->pool_bytes))
            most = &b->publisher[i];
    if (left_bytes == UINT64_MAX || !most)
        return;
    struct sl_budget_limit *l =
        limit(b, SL_BUDGET_FILE, left_bytes, most->pool_bytes, most->pool_bytes > 0);
    snprintf(l->name, sizeof l->name, "RLIMIT_FSIZE (ulimit -f), for one pool");
    if (!l->does_fit)
        note(b, true,
             "the pool of %s's %s has %.1f MiB, RLIMIT_FSIZE allows %.1f MiB; raise it (ulimit -f, "
             "LimitFSIZE=) or take fewer or smaller slots",
             most->node->name, most->topic, (double)most->pool_bytes / MIB,
             (double)left_bytes / MIB);
}

/* RLIMIT_MEMLOCK counts for each process by itself. */
static void check_lock(struct sl_budget *b, uint64_t left_bytes)
{
    const struct sl_budget_node *most = NULL;
    for (unsigned i = 0; i < b->node_count; i++) {
        const struct sl_budget_node *n = &b->node[i];
        if (n->is_locked && (!most || n->lock_bytes > most->lock_bytes))
            most = n;
        if (n->is_locked && n->lock_bytes > left_bytes)
            note(b, true,
                 "%s locks at least %.1f MiB (mlock: true), RLIMIT_MEMLOCK allows %.1f MiB; raise "
                 "it "
                 "(ulimit -l, LimitMEMLOCK=, memlock in limits.conf), give CAP_IPC_LOCK, or leave "
                 "mlock out",
                 n->node->name, (double)n->lock_bytes / MIB, (double)left_bytes / MIB);
    }
    struct sl_budget_limit *l =
        limit(b, SL_BUDGET_LOCK, left_bytes, most ? most->lock_bytes : 0, most != NULL);
    if (most)
        snprintf(l->name, sizeof l->name, "RLIMIT_MEMLOCK (ulimit -l), for %s", most->node->name);
    else
        snprintf(l->name, sizeof l->name, "RLIMIT_MEMLOCK (ulimit -l)");
}

static void check_huge(struct sl_budget *b, const struct sl_memory_limits *limits)
{
    struct sl_budget_limit *l =
        limit(b, SL_BUDGET_HUGE, limits->huge_bytes, b->huge_restart_bytes, b->huge_bytes > 0);
    snprintf(l->name, sizeof l->name, "free huge pages");
    if (l->does_fit)
        return;
    uint64_t missing_bytes = b->huge_restart_bytes - limits->huge_bytes;
    uint64_t page_bytes = limits->huge_page_bytes ? limits->huge_page_bytes : missing_bytes;
    note(b, true,
         "%.1f MiB of huge pages are wanted%s, %.1f MiB are free; set %" PRIu64
         " more aside (sysctl vm.nr_hugepages), or leave huge-pages out",
         (double)b->huge_restart_bytes / MIB,
         b->huge_bytes <= limits->huge_bytes ? " while nodes are restarted" : "",
         (double)limits->huge_bytes / MIB, (missing_bytes + page_bytes - 1) / page_bytes);
}

/* Devices that are not there now; they may be by the start. */
static void check_devices(struct sl_budget *b)
{
    char text[SL_MEMORY_LIMIT_TEXT_MAX];
    for (unsigned i = 0; i < b->publisher_count; i++) {
        const struct sl_budget_publisher *p = &b->publisher[i];
        bool is_asked = p->memory[0] && p->slot_count > 0 && !p->is_huge; /* those are counted */
        if (is_asked && sl_memory_look(p->memory, text, sizeof text) < 0)
            note(b, false, "%s: the pool of %s is to be made of %s, which is not here: %s",
                 p->topic, p->node->name, p->memory, sl_error_text());
    }
}

static void check_limits(struct sl_budget *b, const struct sl_memory_limits *limits)
{
    char name[SL_MEMORY_LIMIT_TEXT_MAX + 16];
    b->does_fit = true;
    check_memory(b, SL_BUDGET_MACHINE, limits->machine_bytes, "free memory of the machine",
                 "end something else, or add memory");
    snprintf(name, sizeof name, "%s",
             limits->cgroup[0] ? limits->cgroup : "memory.max of the cgroups");
    check_memory(b, SL_BUDGET_CGROUP, limits->cgroup_bytes, name, "or raise that limit");
    check_file(b, limits->file_bytes);
    check_lock(b, limits->lock_all_bytes);
    check_huge(b, limits);
}

/* ---------------------------------------------------------------------------------------------- */

/* It takes its memory once, whoever is restarted. */
static void add_roudi(struct sl_budget *b, const struct sl_plan *plan)
{
    struct sl_roudi roudi;
    uint32_t publishers, subscribers;
    if (!sl_plan_needs_roudi(plan) || sl_roudi_find(&roudi) == 0)
        return;
    sl_plan_count_ends(b, &publishers, &subscribers);
    b->roudi_bytes = sl_roudi_memory(publishers, subscribers);
    b->total_bytes += b->roudi_bytes;
    b->restart_bytes += b->roudi_bytes;
}

int sl_budget_make(const struct sl_plan *plan, const struct sl_memory_limits *limits,
                   struct sl_budget *ret_budget)
{
    struct sl_budget *b = ret_budget;
    struct sl_memory_limits own;
    *b = (struct sl_budget){0};
    for (unsigned i = 0; i < plan->node_count; i++) {
        int err = read_node(b, &plan->node[i]);
        if (err < 0) {
            sl_budget_finish(b);
            return err;
        }
    }
    for (unsigned i = 0; i < b->expected_count; i++) {
        int err = find_expected(b, &b->expected[i]);
        if (err < 0) {
            sl_budget_finish(b);
            return err;
        }
    }
    if (!limits)
        sl_memory_available(&own);
    add_up(b);
    add_roudi(b, plan);
    add_locks(b);
    check_limits(b, limits ? limits : &own); /* its notes first: they are problems */
    check_devices(b);
    for (unsigned i = 0; i < b->publisher_count; i++)
        compare_publisher(b, &b->publisher[i]);
    for (unsigned i = 0; i < b->subscriber_count; i++)
        compare_subscriber(b, &b->subscriber[i]);
    for (unsigned i = 0; i < b->expected_count; i++)
        compare_expected(b, &b->expected[i]);
    return 0;
}

void sl_budget_finish(struct sl_budget *b)
{
    free(b->publisher);
    free(b->subscriber);
    free(b->expected);
    b->publisher = NULL;
    b->subscriber = NULL;
    b->expected = NULL;
}
