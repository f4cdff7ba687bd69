/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes/dds_bridge/in.h"

#include "core/base/error.h"
#include "core/frame/image.h"
#include "core/frame/message.h"
#include "core/frame/pointcloud2.h"
#include "core/shm/layout.h"
#include "core/shm/publisher.h"
#include "nodes/dds_bridge/frame_id.h"
#include "nodes/dds_bridge/names.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH     16
#define PAD       4 /* zeros after a body, as writers of DDS read on to a multiple of it */
#define OFFER_MAX 64

/* A publisher with its pool. One that became too small is left: it ends when its loans have, and
 * nothing that it retains is still to be had by late subscribers. */
struct pool {
    struct pool *next; /* of those that were left */
    struct sl_publisher *publisher;
    uint64_t slot_size; /* 0 = inline messages only */
    uint32_t loaned;
    uint64_t last; /* of all that were published, the last one that was by it, counted from 1 */
};

struct place {
    struct cyclone_place c;
    struct pool *pool; /* NULL: the data is memory of our own, behind this struct */
    struct sl_loan loan;
    unsigned char own[];
};

struct in {
    char topic[SL_TOPIC_MAX]; /* on the bus */
    char type[SL_TYPE_MAX];
    char dds_topic[sizeof((struct cyclone_remote *)0)->topic];
    char dds_type[sizeof((struct cyclone_remote *)0)->type];
    struct cyclone *cyclone;
    const struct bridge_rule *rule;
    const struct frame_layout *layout; /* of its messages, if their frame_id is another one */
    bool has_header;                   /* each message begins with one, by its type */
    const struct sl_runtime *runtime;
    struct bridge_origins *origins;
    struct cyclone_qos qos;
    struct cyclone_reader *reader;
    bool is_reading;             /* else the reader has ended, and there was no other one */
    struct cyclone_remote other; /* the newest writer of another type; "" = none */
    struct sl_log_limit fault_log;
    struct sl_counters *counters; /* the runtime closes them; NULL: it is not counted */

    pthread_mutex_t lock; /* of what follows: Cyclone's threads loan, the main thread publishes */
    struct pool *pool;    /* NULL = none yet */
    struct pool *left;
    uint64_t published, bytes, copied;
    uint64_t no_slot;    /* dropped: every slot was held */
    uint64_t told;       /* of these, when the log was told last */
    uint64_t displaced;  /* dropped: newer ones came before it was taken */
    uint64_t refused;    /* dropped: it could not be published */
    uint64_t unreadable; /* dropped: no frame_id could be found in it */
};

/* Pools -----------------------------------------------------------------------------------------*/

static bool is_needed(const struct in *in, const struct pool *pool)
{
    bool retains =
        in->qos.transient_local && pool->last > 0 && in->published - pool->last < in->qos.depth;
    return pool->loaned > 0 || retains;
}

/* With the lock held, as are all that change pools. */
static void end_left_pools(struct in *in)
{
    for (struct pool **at = &in->left; *at;) {
        struct pool *pool = *at;
        if (is_needed(in, pool)) {
            at = &pool->next;
            continue;
        }
        *at = pool->next;
        sl_publisher_close(pool->publisher);
        free(pool);
    }
}

static void leave_pool(struct in *in)
{
    if (!in->pool)
        return;
    in->pool->next = in->left;
    in->left = in->pool;
    in->pool = NULL;
}

/* What they retain is for nobody any more. */
static void leave_all_pools(struct in *in)
{
    leave_pool(in);
    for (struct pool *pool = in->left; pool; pool = pool->next)
        pool->last = 0;
    end_left_pools(in);
}

static int open_pool(struct in *in, uint64_t slot_size)
{
    struct pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return sl_error(-ENOMEM, "topic %s: no memory for a publisher", in->topic);
    const struct sl_publisher_options options = {
        .topic = in->topic,
        .type = in->type,
        .domain = sl_runtime_domain(in->runtime),
        .bus = sl_runtime_bus(in->runtime),
        .slot_size = slot_size,
        .loans = in->qos.depth + 1,
        .retain = in->qos.transient_local ? in->qos.depth : 0,
        .inline_max = SL_INLINE_MAX,
    };
    int err = sl_publisher_open(&options, &pool->publisher);
    if (err < 0) {
        free(pool);
        return err;
    }
    pool->slot_size = slot_size;
    bridge_origins_add(in->origins, pool->publisher->instance);
    leave_pool(in);
    in->pool = pool;
    return 0;
}

/* Bytes before a message, for a longer beginning. */
static size_t room_of(const struct in *in)
{
    return in->layout ? FRAME_GROWTH : 0;
}

static uint64_t slot_for(const struct in *in, size_t size)
{
    return (uint64_t)size + PAD + room_of(in);
}

/* One that has slots for such a message. A quarter more, for messages that vary. */
static int need_pool(struct in *in, size_t size)
{
    uint64_t wanted = size <= SL_INLINE_MAX ? 0 : slot_for(in, size);
    if (in->pool && in->pool->slot_size >= wanted)
        return 0;
    return open_pool(in, wanted + wanted / 4);
}

/* Places ----------------------------------------------------------------------------------------*/

static struct place *own_place(const struct in *in, size_t size)
{
    struct place *place = malloc(sizeof *place + room_of(in) + size);
    if (!place)
        return NULL;
    place->pool = NULL;
    place->c.data = place->own + room_of(in);
    return place;
}

static struct place *slot_place(struct in *in)
{
    struct place *place = malloc(sizeof *place);
    if (!place)
        return NULL;
    if (sl_publisher_loan(in->pool->publisher, &place->loan) < 0) {
        in->no_slot++;
        free(place);
        return NULL;
    }
    place->pool = in->pool;
    place->pool->loaned++;
    place->c.data = (unsigned char *)place->loan.data + room_of(in);
    return place;
}

static struct cyclone_place *give_place(void *context, size_t size)
{
    struct in *in = context;
    pthread_mutex_lock(&in->lock);
    bool fits = in->pool && size > SL_INLINE_MAX && slot_for(in, size) <= in->pool->slot_size;
    struct place *place = fits ? slot_place(in) : own_place(in, size);
    pthread_mutex_unlock(&in->lock);
    return place ? &place->c : NULL;
}

/* With the lock held. The loan has ended. */
static void end_place(struct in *in, struct place *place)
{
    if (place->pool)
        place->pool->loaned--;
    free(place);
    end_left_pools(in);
}

static void drop_place(void *context, struct cyclone_place *c)
{
    struct in *in = context;
    struct place *place = (struct place *)c;
    pthread_mutex_lock(&in->lock);
    in->displaced++;
    if (place->pool)
        sl_publisher_discard(place->pool->publisher, &place->loan);
    end_place(in, place);
    pthread_mutex_unlock(&in->lock);
}

/* Publishing ------------------------------------------------------------------------------------*/

/* A message in its place. */
struct content {
    unsigned char *body;
    size_t size;
};

/* Another frame_id goes before the bytes that stay. */
static int rename_frame(const struct in *in, struct content *text)
{
    struct frame_head made;
    int err = frame_head_make(in->layout, in->rule->frame_id, text->body,
                              text->size < FRAME_HEAD_MAX ? text->size : FRAME_HEAD_MAX, &made);
    if (err < 0)
        return err;
    text->body = text->body + made.replaces - made.size_bytes;
    text->size = text->size - made.replaces + made.size_bytes;
    memcpy(text->body, made.bytes, made.size_bytes);
    return 0;
}

/* When it was measured: what its header says, if it begins with one, else when it was sent. */
static uint64_t stamp_of(const struct in *in, const struct content *text, int64_t sent_ns)
{
    struct sl_cdr_reader r;
    if (!in->has_header || sl_cdr_read(text->body, text->size, &r) < 0)
        return (uint64_t)sent_ns;
    int64_t stamp_ns = sl_stamp_read(&r);
    return (uint64_t)(r.bytes.failed ? sent_ns : stamp_ns);
}

/* And where in the body its data lies, for types that are known. */
static struct sl_message describe(const struct in *in, const struct content *text, int64_t sent_ns)
{
    const uint8_t *data = NULL;
    struct sl_pointcloud2 cloud;
    struct sl_image image;
    struct sl_message message = {.stamp_ns = stamp_of(in, text, sent_ns),
                                 .body_length = (uint32_t)text->size};
    if (strcmp(in->type, SL_TYPE_POINTCLOUD2) == 0 &&
        sl_pointcloud2_read(text->body, text->size, &cloud) == 0) {
        message.data_length = cloud.data_size;
        data = cloud.data;
    } else if (strcmp(in->type, SL_TYPE_IMAGE) == 0 &&
               sl_image_read(text->body, text->size, &image) == 0) {
        message.data_length = image.data_size;
        data = image.data;
    }
    message.data_offset = message.data_length ? (uint32_t)(data - text->body) : 0;
    return message;
}

/* It lies in memory of our own: it is small, or there was no slot as large. */
static int publish_own(struct in *in, const struct content *text, struct sl_message *message)
{
    struct sl_loan loan;
    int err = need_pool(in, text->size);
    if (err < 0)
        return err;
    struct sl_publisher *publisher = in->pool->publisher;
    if (text->size <= SL_INLINE_MAX) {
        message->data_offset = message->data_length = 0;
        return sl_publisher_publish_inline(publisher, text->body, text->size, message);
    }
    if ((err = sl_publisher_loan(publisher, &loan)) < 0)
        return err;
    memcpy(loan.data, text->body, text->size);
    memset((unsigned char *)loan.data + text->size, 0, PAD);
    in->copied++;
    return sl_publisher_publish(publisher, &loan, message);
}

static int publish_slot(struct place *place, const struct content *text, struct sl_message *message)
{
    message->body_offset = (uint32_t)(text->body - (unsigned char *)place->loan.data);
    if (message->data_length > 0)
        message->data_offset += message->body_offset;
    memset(text->body + text->size, 0, PAD);
    return sl_publisher_publish(place->pool->publisher, &place->loan, message);
}

/* With the lock held. The place's loan ends. */
static int publish_place(struct in *in, struct place *place, const struct cyclone_arrival *arrival)
{
    struct content text = {place->c.data, arrival->size_bytes};
    int err = in->layout ? rename_frame(in, &text) : 0;
    if (err < 0) {
        in->unreadable++;
        if (place->pool)
            sl_publisher_discard(place->pool->publisher, &place->loan);
        return err;
    }
    struct sl_message message = describe(in, &text, arrival->sent_ns);
    err = place->pool ? publish_slot(place, &text, &message) : publish_own(in, &text, &message);
    in->published += err == 0;
    if (err == 0)
        (place->pool ? place->pool : in->pool)->last = in->published;
    in->bytes += err == 0 ? text.size : 0;
    *(err == -EAGAIN ? &in->no_slot : &in->refused) += err < 0;
    return err;
}

static void publish(struct in *in, const struct cyclone_arrival *arrival)
{
    struct place *place = (struct place *)arrival->place;
    pthread_mutex_lock(&in->lock);
    int err = publish_place(in, place, arrival);
    end_place(in, place);
    pthread_mutex_unlock(&in->lock);
    if (err < 0)
        sl_log_limited(&in->fault_log, SL_LOG_WARN, "%s: a message from DDS is left out: %s",
                       in->topic, sl_error_text());
}

static void end_reader(struct in *in)
{
    if (in->is_reading)
        cyclone_reader_end(in->reader);
    in->is_reading = false;
}

int in_work(struct in *in)
{
    struct cyclone_arrival arrival;
    int done = 0, got = 1;
    while (in->is_reading && done < BATCH &&
           (got = cyclone_reader_take(in->reader, &arrival)) > 0) {
        publish(in, &arrival);
        done++;
    }
    if (got < 0) {
        sl_log(SL_LOG_ERROR, "%s comes in no more: %s", in->topic, sl_error_text());
        end_reader(in);
    }
    return done;
}

const struct cyclone_reader *in_reader(const struct in *in)
{
    return in->reader;
}

/* Life ------------------------------------------------------------------------------------------*/

/* In the order of in_count. */
static const char *const counter_names[] = {"received", "published", "bytes",   "copied",
                                            "no_slot",  "displaced", "refused", "unreadable",
                                            "writers",  NULL};

static void open_counters(struct in *in, struct sl_runtime *runtime, const char *dds_topic)
{
    char title[SL_STATS_TITLE];
    snprintf(title, sizeof title, "DDS %.150s -> %s", dds_topic, in->topic);
    if (sl_runtime_count(runtime, title, counter_names, &in->counters) < 0)
        sl_log(SL_LOG_WARN, "%s comes in uncounted: %s", in->topic, sl_error_text());
}

void in_count(struct in *in)
{
    uint32_t writers = cyclone_reader_writers(in->reader); /* before our lock: it takes Cyclone's */
    pthread_mutex_lock(&in->lock);
    uint64_t no_slot = in->no_slot;
    uint64_t dropped = no_slot + in->displaced + in->refused + in->unreadable;
    const uint64_t values[] = {
        in->published + dropped, in->published, in->bytes,      in->copied, no_slot,
        in->displaced,           in->refused,   in->unreadable, writers};
    pthread_mutex_unlock(&in->lock);
    static_assert(sizeof values / sizeof *values + 1 ==
                      sizeof counter_names / sizeof *counter_names,
                  "a value for each name");
    if (in->counters)
        sl_counters_set(in->counters, values);
    if (no_slot > in->told)
        sl_log_limited(&in->fault_log, SL_LOG_WARN,
                       "%s: %" PRIu64 " messages from DDS found no slot: others were held, or came "
                       "faster than they could be published",
                       in->topic, no_slot - in->told);
    in->told = no_slot;
}

/* What the writer offers, so that nothing is asked of it that it does not give. */
static void choose_qos(struct in *in, const struct cyclone_remote *remote)
{
    in->qos = in->rule->qos;
    if (!in->rule->says_qos) {
        in->qos.best_effort = remote->best_effort;
        in->qos.transient_local = remote->transient_local;
    }
}

static int open_reader(struct in *in)
{
    const struct cyclone_sink sink = {give_place, drop_place, in};
    int err =
        cyclone_reader_open(in->cyclone, in->dds_topic, in->dds_type, &in->qos, &sink, &in->reader);
    in->is_reading = err == 0;
    return err;
}

/* To read messages as this writer has them. */
static int read_as(struct in *in, const struct cyclone_remote *remote)
{
    pthread_mutex_lock(&in->lock);
    int err = bridge_type_from_dds(remote->type, in->type);
    if (err == 0) {
        snprintf(in->dds_type, sizeof in->dds_type, "%s", remote->type);
        choose_qos(in, remote);
        in->layout = bridge_rule_layout(in->rule, in->topic, in->type);
        in->has_header = frame_layout_of(in->type) != NULL;
    }
    pthread_mutex_unlock(&in->lock);
    return err < 0 ? err : open_reader(in);
}

static void tell_what_comes(const struct in *in)
{
    sl_log(SL_LOG_INFO, "DDS %s -> %s (%s), %s, %s", in->dds_topic, in->topic, in->type,
           in->qos.best_effort ? "best effort" : "reliable",
           in->qos.transient_local ? "transient local" : "volatile");
}

int in_open(struct cyclone *cyclone, struct sl_runtime *runtime, const struct bridge_rule *rule,
            const char *topic, const struct cyclone_remote *remote, struct bridge_origins *origins,
            struct in **ret_in)
{
    struct in *in = calloc(1, sizeof *in);
    if (!in)
        return sl_error(-ENOMEM, "no memory for a topic");
    pthread_mutex_init(&in->lock, NULL);
    in->rule = rule;
    in->runtime = runtime;
    in->origins = origins;
    snprintf(in->topic, sizeof in->topic, "%s", rule->as[0] ? rule->as : topic);
    snprintf(in->dds_topic, sizeof in->dds_topic, "%s", remote->topic);
    in->cyclone = cyclone;
    int err = read_as(in, remote);
    if (err < 0) {
        in_close(in);
        return err;
    }
    open_counters(in, runtime, remote->topic);
    tell_what_comes(in);
    *ret_in = in;
    return 0;
}

/* A reader gets nothing from a writer that offers less than it asks for: here of what a rule may
 * leave open, below of what it does not. */
static bool is_weaker(const struct cyclone_remote *remote, const struct cyclone_qos *qos)
{
    return (remote->best_effort && !qos->best_effort) ||
           (!remote->transient_local && qos->transient_local);
}

static bool is_later(const struct cyclone_remote *remote, const struct cyclone_qos *qos)
{
    return qos->deadline_ns > 0 &&
           (remote->deadline_ns == 0 || remote->deadline_ns > qos->deadline_ns);
}

/* "reliable, volatile, deadline 100 ms" */
static const char *tell_offer(bool best_effort, bool transient_local, int64_t deadline_ns,
                              char to[OFFER_MAX])
{
    int used = snprintf(to, OFFER_MAX, "%s, %s, ", best_effort ? "best effort" : "reliable",
                        transient_local ? "transient local" : "volatile");
    if (deadline_ns > 0)
        snprintf(to + used, OFFER_MAX - (size_t)used, "deadline %g ms", (double)deadline_ns / 1e6);
    else
        snprintf(to + used, OFFER_MAX - (size_t)used, "no deadline");
    return to;
}

static void tell_unread(struct in *in, const struct cyclone_remote *remote)
{
    const struct cyclone_qos *qos = &in->qos;
    char offered[OFFER_MAX], asked[OFFER_MAX];
    sl_log_limited(
        &in->fault_log, SL_LOG_WARN,
        "DDS %s: a writer is not read, as it offers less (%s) than is asked for (%s); give the "
        "rule other words, or the writer",
        in->dds_topic,
        tell_offer(remote->best_effort, remote->transient_local, remote->deadline_ns, offered),
        tell_offer(qos->best_effort, qos->transient_local, qos->deadline_ns, asked));
}

/* The reader ends. What has come is published before; what comes until there is another one is
 * lost. */
static void stop_reading(struct in *in)
{
    while (in_work(in) > 0)
        ;
    end_reader(in);
}

static int ask_for_less(struct in *in, const struct cyclone_remote *remote)
{
    stop_reading(in);
    pthread_mutex_lock(&in->lock);
    in->qos.best_effort |= remote->best_effort;
    in->qos.transient_local &= remote->transient_local;
    pthread_mutex_unlock(&in->lock);
    int err = open_reader(in);
    if (err < 0)
        return err;
    sl_log(SL_LOG_INFO, "DDS %s -> %s: a writer offers less, read %s, %s from now on",
           in->dds_topic, in->topic, in->qos.best_effort ? "best effort" : "reliable",
           in->qos.transient_local ? "transient local" : "volatile");
    return 1;
}

/* All that there was of the topic is over. */
static int begin_anew(struct in *in, const struct cyclone_remote *remote)
{
    stop_reading(in);
    pthread_mutex_lock(&in->lock);
    leave_all_pools(in);
    pthread_mutex_unlock(&in->lock);
    int err = read_as(in, remote);
    if (err < 0)
        return err;
    if (strcmp(in->other.type, in->dds_type) == 0)
        in->other.type[0] = '\0';
    tell_what_comes(in);
    if (is_later(remote, &in->qos) || is_weaker(remote, &in->qos)) /* only where the rule says */
        tell_unread(in, remote);
    return 1;
}

static int hear_other_type(struct in *in, const struct cyclone_remote *remote)
{
    char type[SL_TYPE_MAX];
    int err = bridge_type_from_dds(remote->type, type);
    if (err < 0)
        return err;
    if (!in->is_reading || cyclone_reader_writers(in->reader) == 0)
        return begin_anew(in, remote);
    in->other = *remote;
    sl_log_limited(&in->fault_log, SL_LOG_WARN,
                   "DDS %s: a writer of %.200s is not read while there are writers of %s",
                   in->dds_topic, remote->type, in->dds_type);
    return 0;
}

int in_hear(struct in *in, const struct cyclone_remote *remote)
{
    if (strcmp(remote->type, in->dds_type) != 0)
        return hear_other_type(in, remote);
    if (!in->is_reading)
        return begin_anew(in, remote);
    bool is_less = is_weaker(remote, &in->qos);
    if (is_later(remote, &in->qos) || (is_less && in->rule->says_qos)) {
        tell_unread(in, remote);
        return 0;
    }
    return is_less ? ask_for_less(in, remote) : 0;
}

int in_look(struct in *in)
{
    if (!in->other.type[0] || (in->is_reading && cyclone_reader_writers(in->reader) > 0))
        return 0;
    const struct cyclone_remote other = in->other;
    in->other.type[0] = '\0';
    return begin_anew(in, &other);
}

void in_sum_up(struct in *in)
{
    pthread_mutex_lock(&in->lock);
    sl_log(SL_LOG_INFO,
           "DDS -> %s: %" PRIu64 " messages published, %" PRIu64 " bytes, %" PRIu64
           " copied twice; dropped: %" PRIu64 " without a slot, %" PRIu64 " displaced, %" PRIu64
           " refused, %" PRIu64 " unreadable",
           in->topic, in->published, in->bytes, in->copied, in->no_slot, in->displaced, in->refused,
           in->unreadable);
    pthread_mutex_unlock(&in->lock);
}

void in_close(struct in *in)
{
    if (!in)
        return;
    leave_all_pools(in);
    assert(!in->left);
    pthread_mutex_destroy(&in->lock);
    free(in);
}
