/* SPDX-License-Identifier: Apache-2.0 */
/* cyclone.c - serialised messages in and out of Cyclone DDS 0.10.
 *
 * Cyclone keeps a message as a `serdata` of a `sertype`, each with a table of operations. Ours
 * refer to a frame of the bus. What Cyclone sends it asks for by to_ser_ref, a fragment at a time,
 * and puts into the list of a sendmsg as it stands.
 *
 * What arrives comes as a chain of fragments in Cyclone's buffers, by from_ser, and is put from
 * there into the place that it is given.
 *
 * There are no keys here: every message is of the topic's one instance.
 */
#include "nodes/dds_bridge/cyclone.h"

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/frame/body.h"

#include <dds/dds.h>
#include <dds/ddsi/ddsi_serdata.h>
#include <dds/ddsi/ddsi_sertype.h>
#include <dds/ddsi/q_radmin.h>
#include <dds/ddsrt/log.h>

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef SLUICE_TSAN
#include <sanitizer/tsan_interface.h>
/* ThreadSanitizer does not see how Cyclone orders its threads: it is not built for it. */
__attribute__((visibility("default"))) const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "called_from_lib:libddsc.so\n";
}
#define LET_GO(object)    __tsan_release((void *)(object))
#define TAKE_OVER(object) __tsan_acquire((void *)(object))
#else
#define LET_GO(object)    ((void)(object)) /* to another thread, by Cyclone */
#define TAKE_OVER(object) ((void)(object)) /* from it */
#endif

#define CDR_HEADER   4u /* bytes before each message: its encoding */
#define CDR_UNIT     4u /* messages are sent in multiples of it */
#define PAGE         4096u
#define KEEP_ALL_MAX 2048         /* messages, however small, that readers have not got */
#define BLOCKING_NS  0            /* a full history is told at once */
#define ENCLAVE      "enclave=/;" /* what ROS 2 says of its participants without security */

/* Before the user's. Small messages may share a packet, until cyclone_writer_flush.
 *
 * Frames are held until readers say that they have them, and they say so when they are asked: 5 ms
 * after a message, or with the next one. Cyclone's 100 ms let a publisher whose quota is 4 send 40
 * messages a second. Where all are kept they are asked from half of the high mark on, too, with
 * each packet, so that it need not come to waiting for them. The low mark is of no other use, as
 * nobody waits here until it is reached. With a high mark of 4 MB, 32 frames of 64 kB, which is
 * what the bench lets be held, are never half of it: hardly one in ten arrived.
 *
 * What is lost on the way in is asked for soon: one packet lost of a large message costs 10 ms, not
 * 100. */
static const char defaults[] =
    "<CycloneDDS><Domain id=\"any\"><Internal>"
    "<HeartbeatInterval min=\"0 s\">5 ms</HeartbeatInterval><NackDelay>10 ms</NackDelay>"
    "<Watermarks><WhcLow>1 kB</WhcLow><WhcHigh>2 MB</WhcHigh><WhcHighInit>2 MB</WhcHighInit>"
    "</Watermarks><WriteBatch>true</WriteBatch></Internal></Domain></CycloneDDS>";

/* Of a packet of Cyclone's, 14720 bytes, one fragment takes all: it is lost as a whole anyway, and
 * ten of Cyclone's own size are ten submessages to make and to read. */
static const char one_fragment[] = "<CycloneDDS><Domain id=\"any\"><General><FragmentSize>14000B"
                                   "</FragmentSize></General></Domain></CycloneDDS>,";

struct cyclone {
    dds_entity_t domain, participant; /* 0 = none */
    dds_entity_t remotes;             /* reader of what writers there are; 0 = none yet */
    dds_guid_t guid;
    int wake_fd;
    struct cyclone_writer *writers;
    struct cyclone_reader *readers;
    pthread_mutex_t log_lock;
    struct sl_log_limit log_limit; /* strangers' packets must not flood the log */
    _Atomic uint64_t complaints;
};

struct cyclone_reader {
    struct cyclone_reader *next;
    struct cyclone_sink sink;
    dds_entity_t topic, reader;
};

/* A type as one topic's ends have it. */
struct type {
    struct ddsi_sertype c;
    struct cyclone_reader *reader; /* NULL: a writer's */
};

struct cyclone_writer {
    struct cyclone_writer *next;
    struct cyclone *cyclone;
    dds_entity_t topic, writer;
    struct ddsi_sertype *type;
    struct message *pending; /* Cyclone did not take it yet */
    uint32_t tried_at;       /* messages outstanding when that was tried */
    bool is_patient;         /* such messages wait, else they fail */
    bool is_flushed;         /* nothing waits for a packet to become full */
    uint64_t sent, bytes, copied, failed;
    _Atomic uint32_t held, copies; /* ended by Cyclone's threads */
    _Atomic uint64_t stale;
    _Atomic bool is_awaited;
};

/* A message that came in. */
struct arrival {
    struct ddsi_serdata c;
    struct cyclone_reader *reader;
    struct cyclone_place *place; /* NULL: there was none, or it was taken */
    uint32_t size;
};

/* A message on its way out. */
struct message {
    struct ddsi_serdata c;
    struct cyclone_writer *writer; /* NULL: stands for the topic's instance, has no body */
    struct sl_frame frame;         /* held, if it has a link */
    struct sl_body body;
    uint32_t size;      /* of the body */
    bool may_be_padded; /* the bytes after it, up to a multiple of CDR_UNIT, can be read */
    unsigned char copy[];
};

static int dds_failure(dds_return_t code, const char *what, const char *name)
{
    int err = code == DDS_RETCODE_OUT_OF_RESOURCES ? -ENOMEM
              : code == DDS_RETCODE_TIMEOUT        ? -ETIMEDOUT
                                                   : -EIO;
    return sl_error(err, "%s %s: DDS says: %s", what, name, dds_strretcode(-code));
}

static void wake(const struct cyclone *cyclone)
{
    const uint64_t one = 1;
    ssize_t written = write(cyclone->wake_fd, &one, sizeof one);
    (void)written; /* full: it is readable already */
}

/* Messages --------------------------------------------------------------------------------------*/

static const struct message *message_of(const struct ddsi_serdata *d)
{
    TAKE_OVER(d);
    return (const struct message *)d;
}

static uint32_t get_size(const struct ddsi_serdata *d)
{
    uint32_t size = message_of(d)->size;
    LET_GO(d);
    return size;
}

/* Body bytes [offset, offset + size), with zeros after its end. */
static void copy_out(const struct ddsi_serdata *d, size_t offset, size_t size, void *to)
{
    size_t got = sl_body_copy(&message_of(d)->body, offset, to, size);
    memset((unsigned char *)to + got, 0, size - got);
    LET_GO(d);
}

/* Where these bytes stand, if they stand in one piece. */
static const unsigned char *in_place(const struct message *m, size_t offset, size_t size)
{
    size_t begin = 0;
    for (unsigned i = 0; i < m->body.count; i++) {
        const struct sl_body_range *range = &m->body.ranges[i];
        size_t end = begin + range->length;
        if (i + 1 == m->body.count && m->may_be_padded)
            end = (end + CDR_UNIT - 1) / CDR_UNIT * CDR_UNIT;
        if (offset >= begin && offset + size <= end)
            return (const unsigned char *)range->start + (offset - begin);
        begin += range->length;
    }
    return NULL;
}

/* Into memory of Cyclone's. */
__attribute__((noinline, no_sanitize_thread)) static void
fill_piece(ddsrt_iovec_t *piece, const unsigned char *start, size_t size)
{
    piece->iov_base = (void *)start;
    piece->iov_len = size;
}

static struct ddsi_serdata *refer(const struct ddsi_serdata *d, size_t offset, size_t size,
                                  ddsrt_iovec_t *ret_piece)
{
    const unsigned char *start = in_place(message_of(d), offset, size);
    if (!start) { /* a fragment over two ranges, or with an end that cannot be padded in place */
        unsigned char *copy = dds_alloc(size);
        copy_out(d, offset, size, copy);
        start = copy;
    }
    fill_piece(ret_piece, start, size);
    LET_GO(d);
    return ddsi_serdata_ref(d);
}

static void unrefer(struct ddsi_serdata *d, const ddsrt_iovec_t *piece)
{
    const struct sl_body *body = &message_of(d)->body;
    uintptr_t at = (uintptr_t)piece->iov_base;
    bool is_ours = false;
    for (unsigned i = 0; i < body->count; i++)
        is_ours |= at - (uintptr_t)body->ranges[i].start < body->ranges[i].length;
    if (!is_ours)
        dds_free(piece->iov_base);
    LET_GO(d);
    ddsi_serdata_unref(d);
}

static void end_message(struct ddsi_serdata *d)
{
    TAKE_OVER(d);
    struct message *m = (struct message *)d;
    struct cyclone_writer *w = m->writer;
    if (w) {
        bool is_held = m->frame.link != NULL;
        if (is_held && sl_frame_check(&m->frame) < 0)
            atomic_fetch_add(&w->stale, 1);
        sl_frame_release(&m->frame);
        atomic_fetch_sub(is_held ? &w->held : &w->copies, 1);
        if (atomic_exchange(&w->is_awaited, false))
            wake(w->cyclone);
    }
    dds_free(m);
}

/* Cyclone's map of instances keeps what this returns, so it must not be the message itself. */
static struct ddsi_serdata *to_untyped(const struct ddsi_serdata *d)
{
    struct message *instance = dds_alloc(sizeof *instance);
    memset(instance, 0, sizeof *instance);
    ddsi_serdata_init(&instance->c, d->type, SDK_KEY);
    instance->c.hash = d->hash;
    instance->c.type = NULL;
    LET_GO(d);
    LET_GO(&instance->c);
    return &instance->c;
}

static bool is_same_instance(const struct ddsi_serdata *a, const struct ddsi_serdata *b)
{
    (void)a;
    (void)b;
    return true;
}

static void get_keyhash(const struct ddsi_serdata *d, struct ddsi_keyhash *ret_hash, bool md5)
{
    (void)d;
    (void)md5;
    memset(ret_hash, 0, sizeof *ret_hash);
}

static size_t print(const struct ddsi_sertype *type, const struct ddsi_serdata *d, char *to,
                    size_t room)
{
    (void)type;
    return (size_t)snprintf(to, room, "%u bytes", message_of(d)->size);
}

/* What Cyclone does not ask for, as these types have no samples in a program's own form. */
static struct ddsi_serdata *from_ser_iov(const struct ddsi_sertype *type,
                                         enum ddsi_serdata_kind kind, ddsrt_msg_iovlen_t count,
                                         const ddsrt_iovec_t *pieces, size_t size)
{
    (void)type;
    (void)kind;
    (void)count;
    (void)pieces;
    (void)size;
    return NULL;
}

static struct ddsi_serdata *from_keyhash(const struct ddsi_sertype *type,
                                         const struct ddsi_keyhash *hash)
{
    (void)type;
    (void)hash;
    return NULL;
}

static struct ddsi_serdata *from_sample(const struct ddsi_sertype *type,
                                        enum ddsi_serdata_kind kind, const void *sample)
{
    (void)type;
    (void)kind;
    (void)sample;
    return NULL;
}

static bool to_sample(const struct ddsi_serdata *d, void *sample, void **buffer, void *limit)
{
    (void)d;
    (void)sample;
    (void)buffer;
    (void)limit;
    return false;
}

static bool untyped_to_sample(const struct ddsi_sertype *type, const struct ddsi_serdata *d,
                              void *sample, void **buffer, void *limit)
{
    (void)type;
    (void)d;
    (void)sample;
    (void)buffer;
    (void)limit;
    return true; /* there is no key to fill in */
}

static struct ddsi_serdata *from_ser_never(const struct ddsi_sertype *type,
                                           enum ddsi_serdata_kind kind,
                                           const struct nn_rdata *fragments, size_t size)
{
    (void)type;
    (void)kind;
    (void)fragments;
    (void)size;
    return NULL;
}

static const struct ddsi_serdata_ops message_operations = {
    .eqkey = is_same_instance,
    .get_size = get_size,
    .from_ser = from_ser_never,
    .from_ser_iov = from_ser_iov,
    .from_keyhash = from_keyhash,
    .from_sample = from_sample,
    .to_ser = copy_out,
    .to_ser_ref = refer,
    .to_ser_unref = unrefer,
    .to_sample = to_sample,
    .to_untyped = to_untyped,
    .untyped_to_sample = untyped_to_sample,
    .free = end_message,
    .print = print,
    .get_keyhash = get_keyhash,
};

/* Arrivals --------------------------------------------------------------------------------------*/

static const struct arrival *arrival_of(const struct ddsi_serdata *d)
{
    TAKE_OVER(d);
    return (const struct arrival *)d;
}

/* Fragments are in order of their beginnings, and may overlap. False if bytes are missing. */
static bool gather_fragments(const struct nn_rdata *fragment, size_t size, unsigned char *to)
{
    size_t done = 0;
    for (; fragment && done < size; fragment = fragment->nextfrag) {
        size_t end = fragment->maxp1 < size ? fragment->maxp1 : size;
        if (fragment->min > done)
            return false;
        if (end <= done)
            continue;
        const unsigned char *payload =
            NN_RMSG_PAYLOADOFF(fragment->rmsg, NN_RDATA_PAYLOAD_OFF(fragment));
        memcpy(to + done, payload + (done - fragment->min), end - done);
        done = end;
    }
    return done == size;
}

static struct ddsi_serdata *from_ser(const struct ddsi_sertype *type, enum ddsi_serdata_kind kind,
                                     const struct nn_rdata *fragments, size_t size)
{
    TAKE_OVER(type);
    struct cyclone_reader *reader = ((const struct type *)type)->reader;
    struct arrival *a = dds_alloc(sizeof *a);
    memset(a, 0, sizeof *a);
    ddsi_serdata_init(&a->c, type, kind);
    a->c.hash = type->serdata_basehash;
    a->reader = reader;
    a->size = (uint32_t)size;
    if (kind == SDK_DATA && size >= CDR_HEADER && size <= UINT32_MAX)
        a->place = reader->sink.place(reader->sink.context, size);
    if (a->place && !gather_fragments(fragments, size, a->place->data)) {
        reader->sink.drop(reader->sink.context, a->place);
        a->place = NULL;
    }
    LET_GO(type);
    LET_GO(&a->c);
    return &a->c; /* without a place too: NULL would be a complaint in Cyclone's log */
}

static void end_arrival(struct ddsi_serdata *d)
{
    TAKE_OVER(d);
    struct arrival *a = (struct arrival *)d;
    if (a->place)
        a->reader->sink.drop(a->reader->sink.context, a->place);
    dds_free(a);
}

static uint32_t arrival_size(const struct ddsi_serdata *d)
{
    uint32_t size = arrival_of(d)->size;
    LET_GO(d);
    return size;
}

static struct ddsi_serdata *arrival_to_untyped(const struct ddsi_serdata *d)
{
    struct arrival *instance = dds_alloc(sizeof *instance);
    memset(instance, 0, sizeof *instance);
    ddsi_serdata_init(&instance->c, d->type, SDK_KEY);
    instance->c.hash = d->hash;
    instance->c.type = NULL;
    LET_GO(d);
    LET_GO(&instance->c);
    return &instance->c;
}

static struct ddsi_serdata *arrival_from_keyhash(const struct ddsi_sertype *type,
                                                 const struct ddsi_keyhash *hash)
{
    (void)hash;
    return from_ser(type, SDK_KEY, NULL, 0);
}

static size_t print_arrival(const struct ddsi_sertype *type, const struct ddsi_serdata *d, char *to,
                            size_t room)
{
    (void)type;
    return (size_t)snprintf(to, room, "%u bytes", arrival_of(d)->size);
}

static void arrival_to_ser(const struct ddsi_serdata *d, size_t offset, size_t size, void *to)
{
    (void)d; /* nobody writes what a reader of ours has read */
    (void)offset;
    memset(to, 0, size);
}

static const struct ddsi_serdata_ops arrival_operations = {
    .eqkey = is_same_instance,
    .get_size = arrival_size,
    .from_ser = from_ser,
    .from_ser_iov = from_ser_iov,
    .from_keyhash = arrival_from_keyhash,
    .from_sample = from_sample,
    .to_ser = arrival_to_ser,
    .to_sample = to_sample,
    .to_untyped = arrival_to_untyped,
    .untyped_to_sample = untyped_to_sample,
    .free = end_arrival,
    .print = print_arrival,
    .get_keyhash = get_keyhash,
};

/* Types -----------------------------------------------------------------------------------------*/

static void end_type(struct ddsi_sertype *type)
{
    TAKE_OVER(type);
    ddsi_sertype_fini(type);
    dds_free(type);
}

/* Two topics of one type have a sertype each. */
static bool is_same_type(const struct ddsi_sertype *a, const struct ddsi_sertype *b)
{
    return a == b;
}

static uint32_t hash_type(const struct ddsi_sertype *type)
{
    return (uint32_t)((uintptr_t)type >> 4);
}

static void zero_samples(const struct ddsi_sertype *type, void *samples, size_t count)
{
    (void)type;
    (void)samples;
    (void)count;
}

static void realloc_samples(void **samples, const struct ddsi_sertype *type, void *old,
                            size_t old_count, size_t count)
{
    (void)type;
    (void)old;
    (void)old_count;
    for (size_t i = 0; i < count; i++)
        samples[i] = NULL;
}

static void free_samples(const struct ddsi_sertype *type, void **samples, size_t count,
                         dds_free_op_t operation)
{
    (void)type;
    (void)samples;
    (void)count;
    (void)operation;
}

static const struct ddsi_sertype_ops type_operations = {
    .version = ddsi_sertype_v0,
    .free = end_type,
    .zero_samples = zero_samples,
    .realloc_samples = realloc_samples,
    .free_samples = free_samples,
    .equal = is_same_type,
    .hash = hash_type,
};

/* For a writer, or for `reader`. The topic refers to the type afterwards, as its end does. */
static int open_topic(const struct cyclone *cyclone, const char *topic, const char *type,
                      struct cyclone_reader *reader, struct ddsi_sertype **ret_type,
                      dds_entity_t *ret_topic)
{
    struct type *t = dds_alloc(sizeof *t);
    memset(t, 0, sizeof *t);
    ddsi_sertype_init_flags(&t->c, type, &type_operations,
                            reader ? &arrival_operations : &message_operations,
                            DDSI_SERTYPE_FLAG_TOPICKIND_NO_KEY);
    t->c.allowed_data_representation = DDS_DATA_REPRESENTATION_FLAG_XCDR1;
    t->reader = reader;
    struct ddsi_sertype *c = &t->c;
    LET_GO(c);
    dds_entity_t entity =
        dds_create_topic_sertype(cyclone->participant, topic, &c, NULL, NULL, NULL);
    if (entity < 0) {
        ddsi_sertype_unref(&t->c);
        return dds_failure(entity, "topic", topic);
    }
    *ret_type = c;
    *ret_topic = entity;
    return 0;
}

/* What Cyclone has to say, a line at a time, by any of its threads. */
static void log_line(void *context, const dds_log_data_t *line)
{
    struct cyclone *cyclone = context;
    atomic_fetch_add_explicit(&cyclone->complaints, 1, memory_order_relaxed);
    int length = (int)line->size - (line->size > 0 && line->message[line->size - 1] == '\n');
    bool is_error = line->priority & (DDS_LC_ERROR | DDS_LC_FATAL);
    pthread_mutex_lock(&cyclone->log_lock);
    sl_log_limited(&cyclone->log_limit, is_error ? SL_LOG_ERROR : SL_LOG_WARN, "Cyclone DDS: %.*s",
                   length, line->message);
    pthread_mutex_unlock(&cyclone->log_lock);
}

/* In place of Cyclone's own, which aborts where an announcement from the network says that a type
 * is told in a way that does not exist. Whoever announces an end tells its type by hashes; anything
 * else is refused where this is true. */
__attribute__((visibility("default"))) bool
ddsi_typeid_is_fully_descriptive(const ddsi_typeid_t *type)
{
    return type && !ddsi_typeid_is_hash(type);
}

/* Participant -----------------------------------------------------------------------------------*/

/* Perhaps: it may be in a file. A fragment is not cut to a packet's size, so with another size of
 * packets the user's or Cyclone's size of fragments stands. */
static bool says_packet_size(const char *uri)
{
    return uri[0] &&
           (uri[0] != '<' || strcasestr(uri, "file:") || strcasestr(uri, "MaxMessageSize"));
}

static int open_participant(struct cyclone *cyclone, uint32_t domain, const char *name)
{
    const char *uri = getenv("CYCLONEDDS_URI");
    char *config = NULL, number[24];
    if (!uri)
        uri = "";
    snprintf(number, sizeof number, "%u", domain);
    if (asprintf(&config, "%s%s%s%s", says_packet_size(uri) ? "" : one_fragment, defaults,
                 uri[0] ? "," : "", uri) < 0)
        return sl_error(-ENOMEM, "no memory for a configuration");
    cyclone->domain = dds_create_domain(domain, config);
    free(config);
    if (cyclone->domain < 0 && uri[0])
        return sl_error(-EINVAL, "DDS domain %s cannot be opened; is $CYCLONEDDS_URI right?",
                        number);
    if (cyclone->domain < 0)
        return dds_failure(cyclone->domain, "DDS domain", number);
    dds_qos_t *qos = dds_create_qos();
    dds_qset_entity_name(qos, name);
    dds_qset_userdata(qos, ENCLAVE, strlen(ENCLAVE));
    cyclone->participant = dds_create_participant(domain, qos, NULL);
    dds_delete_qos(qos);
    if (cyclone->participant < 0)
        return dds_failure(cyclone->participant, "DDS domain", number);
    dds_get_guid(cyclone->participant, &cyclone->guid);
    return 0;
}

int cyclone_open(uint32_t domain, const char *name, int wake_fd, struct cyclone **ret_cyclone)
{
    struct cyclone *cyclone = calloc(1, sizeof *cyclone);
    if (!cyclone)
        return sl_error(-ENOMEM, "no memory for a participant");
    cyclone->wake_fd = wake_fd;
    pthread_mutex_init(&cyclone->log_lock, NULL);
    dds_set_log_sink(log_line, cyclone);
    int err = open_participant(cyclone, domain, name);
    if (err < 0) {
        cyclone_close(cyclone);
        return err;
    }
    *ret_cyclone = cyclone;
    return 0;
}

void cyclone_close(struct cyclone *cyclone)
{
    if (!cyclone)
        return;
    for (struct cyclone_writer *w = cyclone->writers; w; w = w->next)
        if (w->pending)
            ddsi_serdata_unref(&w->pending->c);
    if (cyclone->domain > 0)
        dds_delete(cyclone->domain); /* returns when Cyclone's threads have ended */
    dds_set_log_sink(NULL, NULL);
    pthread_mutex_destroy(&cyclone->log_lock);
    while (cyclone->writers) {
        struct cyclone_writer *w = cyclone->writers;
        cyclone->writers = w->next;
        assert(atomic_load(&w->held) == 0 && atomic_load(&w->copies) == 0);
        free(w);
    }
    while (cyclone->readers) {
        struct cyclone_reader *r = cyclone->readers;
        cyclone->readers = r->next;
        free(r);
    }
    free(cyclone);
}

uint64_t cyclone_complaints(const struct cyclone *cyclone)
{
    return atomic_load_explicit(&cyclone->complaints, memory_order_relaxed);
}

static struct cyclone_guid guid_of(dds_entity_t entity)
{
    dds_guid_t guid = {0};
    struct cyclone_guid result;
    dds_get_guid(entity, &guid);
    memcpy(result.byte, guid.v, sizeof result.byte);
    return result;
}

struct cyclone_guid cyclone_guid(const struct cyclone *cyclone)
{
    return guid_of(cyclone->participant);
}

static dds_qos_t *make_qos(const struct cyclone_qos *q)
{
    dds_qos_t *qos = dds_create_qos();
    dds_qset_reliability(
        qos, q->best_effort ? DDS_RELIABILITY_BEST_EFFORT : DDS_RELIABILITY_RELIABLE, BLOCKING_NS);
    dds_qset_durability(qos, q->transient_local ? DDS_DURABILITY_TRANSIENT_LOCAL
                                                : DDS_DURABILITY_VOLATILE);
    if (q->keep_all) {
        dds_qset_history(qos, DDS_HISTORY_KEEP_ALL, 0);
        dds_qset_resource_limits(qos, KEEP_ALL_MAX, DDS_LENGTH_UNLIMITED, DDS_LENGTH_UNLIMITED);
    } else {
        dds_qset_history(qos, DDS_HISTORY_KEEP_LAST, (int32_t)q->depth);
    }
    /* What waits for late joiners is bounded, also where all is kept until readers have it. */
    if (q->transient_local)
        dds_qset_durability_service(qos, 0, DDS_HISTORY_KEEP_LAST, (int32_t)q->depth,
                                    DDS_LENGTH_UNLIMITED, DDS_LENGTH_UNLIMITED,
                                    DDS_LENGTH_UNLIMITED);
    if (q->deadline_ns > 0)
        dds_qset_deadline(qos, q->deadline_ns);
    dds_qset_ignorelocal(qos, DDS_IGNORELOCAL_PARTICIPANT); /* what we send is not for ourselves */
    return qos;
}

/* Writers ---------------------------------------------------------------------------------------*/

int cyclone_writer_open(struct cyclone *cyclone, const char *topic, const char *type,
                        const struct cyclone_qos *qos, struct cyclone_writer **ret_writer)
{
    struct cyclone_writer *w = calloc(1, sizeof *w);
    if (!w)
        return sl_error(-ENOMEM, "no memory for a writer");
    w->cyclone = cyclone;
    int err = open_topic(cyclone, topic, type, NULL, &w->type, &w->topic);
    if (err == 0) {
        dds_qos_t *wanted = make_qos(qos);
        w->writer = dds_create_writer(cyclone->participant, w->topic, wanted, NULL);
        dds_delete_qos(wanted);
        if (w->writer < 0) {
            err = dds_failure(w->writer, "writer of topic", topic);
            dds_delete(w->topic);
        }
    }
    if (err < 0) {
        free(w);
        return err;
    }
    w->is_patient = qos->keep_all;
    w->is_flushed = true;
    w->next = cyclone->writers;
    cyclone->writers = w;
    *ret_writer = w;
    return 0;
}

void cyclone_writer_end(struct cyclone_writer *w)
{
    dds_delete(w->writer);
    dds_delete(w->topic);
}

/* Would reading on from the body's end to a multiple of CDR_UNIT stay within its page? Slots are
 * whole pages, but a body may end where its slot does. */
static bool pads_in_page(const struct sl_body *body, size_t size)
{
    const struct sl_body_range *last = &body->ranges[body->count - 1];
    uintptr_t end = (uintptr_t)last->start + last->length;
    size_t pad = (CDR_UNIT - size % CDR_UNIT) % CDR_UNIT;
    return pad == 0 || (end % PAGE != 0 && end % PAGE + pad <= PAGE);
}

static struct message *new_message(struct cyclone_writer *w, size_t size, size_t copy_room)
{
    struct message *m = dds_alloc(sizeof *m + copy_room);
    memset(m, 0, sizeof *m);
    ddsi_serdata_init(&m->c, w->type, SDK_DATA);
    m->c.hash = w->type->serdata_basehash;
    LET_GO(w->type);
    m->writer = w;
    m->size = (uint32_t)size;
    return m;
}

static struct sl_body body_of(const struct sl_frame *frame)
{
    struct sl_body body = {.count = frame->range_count};
    for (unsigned i = 0; i < frame->range_count; i++)
        body.ranges[i] = (struct sl_body_range){frame->range[i].start, frame->range[i].length};
    return body;
}

/* Bytes of ours, and behind them the frame's. Where a list has no place for one more, what is left
 * of the frame's first range joins ours. */
static struct message *hold_behind_head(struct cyclone_writer *w, const struct sl_frame *frame,
                                        const struct cyclone_head *head)
{
    struct sl_body whole = body_of(frame), rest;
    size_t rest_size = frame->body_length - head->replaces, joins = 0;
    if (sl_body_slice(&whole, head->replaces, rest_size, &rest) < 0)
        rest = (struct sl_body){0}; /* its ranges are its length, so this is never seen */
    unsigned first = rest.count == SL_BODY_RANGES_MAX;
    if (first)
        joins = rest.ranges[0].length;
    size_t ours = head->size_bytes + joins;
    struct message *m = new_message(w, head->size_bytes + rest_size, ours + CDR_UNIT);
    memcpy(m->copy, head->bytes, head->size_bytes);
    sl_body_copy(&rest, 0, m->copy + head->size_bytes, joins);
    memset(m->copy + ours, 0, CDR_UNIT);
    m->body.ranges[0] = (struct sl_body_range){m->copy, ours};
    for (m->body.count = 1; first < rest.count; first++)
        m->body.ranges[m->body.count++] = rest.ranges[first];
    return m;
}

static struct message *hold_message(struct cyclone_writer *w, const struct sl_frame *frame,
                                    const struct cyclone_head *head)
{
    struct message *m =
        head ? hold_behind_head(w, frame, head) : new_message(w, frame->body_length, 0);
    m->frame = *frame;
    if (!head)
        m->body = body_of(frame);
    m->may_be_padded = pads_in_page(&m->body, m->size);
    atomic_fetch_add(&w->held, 1);
    return m;
}

static struct message *new_copy(struct cyclone_writer *w, size_t size)
{
    struct message *m = new_message(w, size, size + CDR_UNIT);
    m->body = (struct sl_body){1, {{m->copy, size}}};
    m->may_be_padded = true;
    w->copied++;
    atomic_fetch_add(&w->copies, 1);
    return m;
}

/* Ends the hold. */
static struct message *copy_message(struct cyclone_writer *w, struct sl_frame *frame,
                                    const struct cyclone_head *head)
{
    size_t begin = head ? head->size_bytes : 0, skipped = head ? head->replaces : 0;
    size_t rest = frame->body_length - skipped;
    struct message *m = new_copy(w, begin + rest);
    if (head)
        memcpy(m->copy, head->bytes, begin);
    size_t got = sl_frame_copy(frame, skipped, m->copy + begin, rest);
    memset(m->copy + begin + got, 0, rest - got + CDR_UNIT);
    if (sl_frame_check(frame) < 0)
        atomic_fetch_add(&w->stale, 1);
    sl_frame_release(frame);
    return m;
}

static uint32_t outstanding(const struct cyclone_writer *w)
{
    return atomic_load(&w->held) + atomic_load(&w->copies);
}

/* The message is Cyclone's now, or waits. */
static int write_message(struct cyclone_writer *w, struct message *m)
{
    uint32_t size = m->size;
    if (w->is_patient)
        ddsi_serdata_ref(&m->c); /* Cyclone drops one even of what it does not take */
    w->tried_at = outstanding(w);
    LET_GO(&m->c);
    dds_return_t code = dds_writecdr(w->writer, &m->c);
    w->is_flushed = false;
    w->pending = w->is_patient && code == DDS_RETCODE_TIMEOUT ? m : NULL;
    if (w->pending)
        return -EAGAIN;
    if (w->is_patient)
        ddsi_serdata_unref(&m->c);
    if (code < 0) {
        w->failed++;
        return dds_failure(code, "a message of", "the bus");
    }
    w->sent++;
    w->bytes += size;
    return 0;
}

int cyclone_writer_retry(struct cyclone_writer *w)
{
    if (!w->pending)
        return 0;
    if (outstanding(w) == w->tried_at) /* nothing has ended since */
        return -EAGAIN;
    return write_message(w, w->pending);
}

bool cyclone_writer_has_pending(const struct cyclone_writer *w)
{
    return w->pending != NULL;
}

void cyclone_writer_flush(struct cyclone_writer *w)
{
    if (!w->is_flushed)
        dds_write_flush(w->writer);
    w->is_flushed = true;
}

static int check_size(struct cyclone_writer *w, size_t size)
{
    if (size >= CDR_HEADER && size <= UINT32_MAX - CDR_UNIT)
        return 0;
    w->failed++;
    return sl_error(-EMSGSIZE, "a message of %zu bytes is none of DDS", size);
}

int cyclone_writer_send(struct cyclone_writer *w, struct sl_frame *frame,
                        const struct cyclone_head *head, enum cyclone_way way)
{
    size_t size = frame->range_count > 0 ? frame->body_length : 0;
    if (head)
        size += head->size_bytes - head->replaces;
    int err = check_size(w, size);
    if (err < 0) {
        sl_frame_release(frame);
        return err;
    }
    bool is_copied = way == CYCLONE_COPY || !frame->link;
    return write_message(w,
                         is_copied ? copy_message(w, frame, head) : hold_message(w, frame, head));
}

int cyclone_writer_send_bytes(struct cyclone_writer *w, const void *body, size_t size)
{
    int err = check_size(w, size);
    if (err < 0)
        return err;
    struct message *m = new_copy(w, size);
    memcpy(m->copy, body, size);
    memset(m->copy + size, 0, CDR_UNIT);
    err = write_message(w, m);
    cyclone_writer_flush(w);
    return err;
}

struct cyclone_guid cyclone_writer_guid(const struct cyclone_writer *w)
{
    return guid_of(w->writer);
}

uint32_t cyclone_writer_held(const struct cyclone_writer *w)
{
    return atomic_load(&w->held);
}

uint32_t cyclone_writer_copies(const struct cyclone_writer *w)
{
    return atomic_load(&w->copies);
}

void cyclone_writer_await(struct cyclone_writer *w)
{
    /* Sequentially consistent, as are the caller's look and what end_message does in the other
     * order: one of the two sees the other. */
    atomic_store(&w->is_awaited, true);
}

void cyclone_writer_status(const struct cyclone_writer *w, struct cyclone_writer_status *ret_status)
{
    dds_publication_matched_status_t matched = {0};
    dds_get_publication_matched_status(w->writer, &matched);
    *ret_status = (struct cyclone_writer_status){
        .sent = w->sent,
        .bytes = w->bytes,
        .copied = w->copied,
        .failed = w->failed,
        .stale = atomic_load(&w->stale),
        .readers = matched.current_count,
    };
}

/* Readers ---------------------------------------------------------------------------------------*/

static void tell_of_data(dds_entity_t reader, void *cyclone)
{
    (void)reader;
    wake(cyclone);
}

static dds_entity_t create_reader(struct cyclone *cyclone, dds_entity_t topic, const dds_qos_t *qos)
{
    dds_listener_t *listener = dds_create_listener(cyclone);
    dds_lset_data_available(listener, tell_of_data);
    dds_entity_t reader = dds_create_reader(cyclone->participant, topic, qos, listener);
    dds_delete_listener(listener);
    return reader;
}

int cyclone_reader_open(struct cyclone *cyclone, const char *topic, const char *type,
                        const struct cyclone_qos *qos, const struct cyclone_sink *sink,
                        struct cyclone_reader **ret_reader)
{
    struct ddsi_sertype *own;
    struct cyclone_reader *r = calloc(1, sizeof *r);
    if (!r)
        return sl_error(-ENOMEM, "no memory for a reader");
    r->sink = *sink;
    int err = open_topic(cyclone, topic, type, r, &own, &r->topic);
    if (err < 0) {
        free(r);
        return err;
    }
    /* Its type, which knows it, may live as long as Cyclone does: so does the reader. */
    r->next = cyclone->readers;
    cyclone->readers = r;
    dds_qos_t *wanted = make_qos(qos);
    r->reader = create_reader(cyclone, r->topic, wanted);
    dds_delete_qos(wanted);
    if (r->reader < 0)
        return dds_failure(r->reader, "reader of topic", topic);
    *ret_reader = r;
    return 0;
}

int cyclone_reader_take(struct cyclone_reader *r, struct cyclone_arrival *ret_arrival)
{
    struct ddsi_serdata *d;
    dds_sample_info_t info;
    int got;
    while ((got = dds_takecdr(r->reader, &d, 1, &info, DDS_ANY_STATE)) > 0) {
        TAKE_OVER(d);
        struct arrival *a = (struct arrival *)d;
        struct cyclone_place *place = info.valid_data ? a->place : NULL;
        if (place) {
            *ret_arrival = (struct cyclone_arrival){place, a->size, info.source_timestamp};
            a->place = NULL;
        }
        LET_GO(d);
        ddsi_serdata_unref(d);
        if (place)
            return 1;
    }
    return got == 0 ? 0 : dds_failure(got, "a message of", "DDS");
}

void cyclone_reader_end(struct cyclone_reader *r)
{
    dds_delete(r->reader);
    dds_delete(r->topic);
}

uint32_t cyclone_reader_writers(const struct cyclone_reader *r)
{
    dds_subscription_matched_status_t matched = {0};
    dds_get_subscription_matched_status(r->reader, &matched);
    return matched.current_count;
}

struct cyclone_guid cyclone_reader_guid(const struct cyclone_reader *r)
{
    return guid_of(r->reader);
}

/* Other participants' ---------------------------------------------------------------------------*/

static bool describe(const struct cyclone *cyclone, const dds_builtintopic_endpoint_t *writer,
                     struct cyclone_remote *ret_remote)
{
    dds_reliability_kind_t reliability = DDS_RELIABILITY_BEST_EFFORT;
    dds_durability_kind_t durability = DDS_DURABILITY_VOLATILE;
    dds_duration_t blocking;
    if (memcmp(&writer->participant_key, &cyclone->guid, sizeof cyclone->guid) == 0 ||
        strlen(writer->topic_name) >= sizeof ret_remote->topic ||
        strlen(writer->type_name) >= sizeof ret_remote->type)
        return false;
    dds_qget_reliability(writer->qos, &reliability, &blocking);
    dds_qget_durability(writer->qos, &durability);
    ret_remote->best_effort = reliability == DDS_RELIABILITY_BEST_EFFORT;
    ret_remote->transient_local = durability != DDS_DURABILITY_VOLATILE;
    strcpy(ret_remote->topic, writer->topic_name);
    strcpy(ret_remote->type, writer->type_name);
    return true;
}

int cyclone_next_remote(struct cyclone *cyclone, struct cyclone_remote *ret_remote)
{
    if (cyclone->remotes == 0)
        cyclone->remotes = create_reader(cyclone, DDS_BUILTIN_TOPIC_DCPSPUBLICATION, NULL);
    if (cyclone->remotes < 0)
        return dds_failure(cyclone->remotes, "reader of", "the writers there are");
    for (;;) {
        void *sample = NULL;
        dds_sample_info_t info;
        int got = dds_take(cyclone->remotes, &sample, &info, 1, 1);
        if (got <= 0)
            return got == 0 ? 0 : dds_failure(got, "reading", "the writers there are");
        bool is_one = info.valid_data && info.instance_state == DDS_ALIVE_INSTANCE_STATE &&
                      describe(cyclone, sample, ret_remote);
        dds_return_loan(cyclone->remotes, &sample, 1);
        if (is_one)
            return 1;
    }
}
