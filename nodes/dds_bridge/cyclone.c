/* SPDX-License-Identifier: Apache-2.0 */
/* cyclone.c - serialised messages in and out of Cyclone DDS 0.10.
 *
 * Cyclone keeps a message as a `serdata` of a `sertype`, each with a table of operations. Ours
 * refer to a frame of the bus. What Cyclone sends it asks for by to_ser_ref, a fragment at a time,
 * and puts into the list of a sendmsg as it stands.
 *
 * There are no keys here: every message is of the topic's one instance.
 */
#include "nodes/dds_bridge/cyclone.h"

#include "core/base/error.h"
#include "core/frame/body.h"

#include <dds/dds.h>
#include <dds/ddsi/ddsi_serdata.h>
#include <dds/ddsi/ddsi_sertype.h>

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CDR_HEADER   4u /* bytes before each message: its encoding */
#define CDR_UNIT     4u /* messages are sent in multiples of it */
#define PAGE         4096u
#define KEEP_ALL_MAX 1024 /* messages, however small, that readers have not got */
#define BLOCKING_NS  0    /* a full history is told at once */

/* Before the user's: how much readers may be behind is bounded by frames, not by bytes. */
static const char defaults[] =
    "<CycloneDDS><Domain id=\"any\"><Internal><Watermarks><WhcLow>1 GB</WhcLow>"
    "<WhcHigh>1 GB</WhcHigh><WhcHighInit>1 GB</WhcHighInit><WhcAdaptive>false</WhcAdaptive>"
    "</Watermarks></Internal></Domain></CycloneDDS>";

struct cyclone {
    dds_entity_t domain, participant; /* 0 = none */
    int wake_fd;
    struct cyclone_writer *writers;
};

struct cyclone_writer {
    struct cyclone_writer *next;
    struct cyclone *cyclone;
    dds_entity_t topic, writer;
    struct ddsi_sertype *type;
    uint64_t sent, bytes, copied, failed;
    _Atomic uint32_t held, copies; /* ended by Cyclone's threads */
    _Atomic uint64_t stale;
    _Atomic bool is_awaited;
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
    return (const struct message *)d;
}

static uint32_t get_size(const struct ddsi_serdata *d)
{
    return message_of(d)->size;
}

/* Body bytes [offset, offset + size), with zeros after its end. */
static void copy_out(const struct ddsi_serdata *d, size_t offset, size_t size, void *to)
{
    size_t got = sl_body_copy(&message_of(d)->body, offset, to, size);
    memset((unsigned char *)to + got, 0, size - got);
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

static struct ddsi_serdata *refer(const struct ddsi_serdata *d, size_t offset, size_t size,
                                  ddsrt_iovec_t *ret_piece)
{
    const unsigned char *start = in_place(message_of(d), offset, size);
    if (!start) { /* a fragment over two ranges, or with an end that cannot be padded in place */
        unsigned char *copy = dds_alloc(size);
        copy_out(d, offset, size, copy);
        start = copy;
    }
    ret_piece->iov_base = (void *)start;
    ret_piece->iov_len = size;
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
    ddsi_serdata_unref(d);
}

static void end_message(struct ddsi_serdata *d)
{
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

/* Not asked for: nothing is received, and there are no samples in a program's own form. */
static struct ddsi_serdata *from_ser(const struct ddsi_sertype *type, enum ddsi_serdata_kind kind,
                                     const struct nn_rdata *fragments, size_t size)
{
    (void)type;
    (void)kind;
    (void)fragments;
    (void)size;
    return NULL;
}

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

static const struct ddsi_serdata_ops message_operations = {
    .eqkey = is_same_instance,
    .get_size = get_size,
    .from_ser = from_ser,
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

/* Types -----------------------------------------------------------------------------------------*/

static void end_type(struct ddsi_sertype *type)
{
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

/* The topic refers to the type afterwards, as its writer does. */
static int open_topic(const struct cyclone *cyclone, const char *topic, const char *type,
                      struct ddsi_sertype **ret_type, dds_entity_t *ret_topic)
{
    struct ddsi_sertype *t = dds_alloc(sizeof *t);
    memset(t, 0, sizeof *t);
    ddsi_sertype_init_flags(t, type, &type_operations, &message_operations,
                            DDSI_SERTYPE_FLAG_TOPICKIND_NO_KEY);
    t->allowed_data_representation = DDS_DATA_REPRESENTATION_FLAG_XCDR1;
    dds_entity_t entity =
        dds_create_topic_sertype(cyclone->participant, topic, &t, NULL, NULL, NULL);
    if (entity < 0) {
        ddsi_sertype_unref(t);
        return dds_failure(entity, "topic", topic);
    }
    *ret_type = t;
    *ret_topic = entity;
    return 0;
}

/* Participant -----------------------------------------------------------------------------------*/

static int open_participant(struct cyclone *cyclone, uint32_t domain, const char *name)
{
    const char *uri = getenv("CYCLONEDDS_URI");
    char *config = NULL, number[24];
    snprintf(number, sizeof number, "%u", domain);
    if (asprintf(&config, "%s%s%s", defaults, uri && uri[0] ? "," : "", uri ? uri : "") < 0)
        return sl_error(-ENOMEM, "no memory for a configuration");
    cyclone->domain = dds_create_domain(domain, config);
    free(config);
    if (cyclone->domain < 0)
        return dds_failure(cyclone->domain, "DDS domain", number);
    dds_qos_t *qos = dds_create_qos();
    dds_qset_entity_name(qos, name);
    cyclone->participant = dds_create_participant(domain, qos, NULL);
    dds_delete_qos(qos);
    if (cyclone->participant < 0)
        return dds_failure(cyclone->participant, "DDS domain", number);
    return 0;
}

int cyclone_open(uint32_t domain, const char *name, int wake_fd, struct cyclone **ret_cyclone)
{
    struct cyclone *cyclone = calloc(1, sizeof *cyclone);
    if (!cyclone)
        return sl_error(-ENOMEM, "no memory for a participant");
    cyclone->wake_fd = wake_fd;
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
    if (cyclone->domain > 0)
        dds_delete(cyclone->domain); /* returns when Cyclone's threads have ended */
    while (cyclone->writers) {
        struct cyclone_writer *w = cyclone->writers;
        cyclone->writers = w->next;
        assert(atomic_load(&w->held) == 0 && atomic_load(&w->copies) == 0);
        free(w);
    }
    free(cyclone);
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
    if (q->transient_local)
        dds_qset_durability_service(qos, 0,
                                    q->keep_all ? DDS_HISTORY_KEEP_ALL : DDS_HISTORY_KEEP_LAST,
                                    q->keep_all ? 1 : (int32_t)q->depth, DDS_LENGTH_UNLIMITED,
                                    DDS_LENGTH_UNLIMITED, DDS_LENGTH_UNLIMITED);
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
    int err = open_topic(cyclone, topic, type, &w->type, &w->topic);
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
    w->next = cyclone->writers;
    cyclone->writers = w;
    *ret_writer = w;
    return 0;
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
    m->writer = w;
    m->size = (uint32_t)size;
    return m;
}

static struct message *hold_message(struct cyclone_writer *w, const struct sl_frame *frame)
{
    struct message *m = new_message(w, frame->body_length, 0);
    m->frame = *frame;
    m->body.count = frame->range_count;
    for (unsigned i = 0; i < frame->range_count; i++)
        m->body.ranges[i] = (struct sl_body_range){frame->range[i].start, frame->range[i].length};
    m->may_be_padded = pads_in_page(&m->body, frame->body_length);
    atomic_fetch_add(&w->held, 1);
    return m;
}

/* Ends the hold. */
static struct message *copy_message(struct cyclone_writer *w, struct sl_frame *frame)
{
    struct message *m = new_message(w, frame->body_length, frame->body_length + CDR_UNIT);
    size_t got = sl_frame_copy(frame, 0, m->copy, frame->body_length);
    memset(m->copy + got, 0, frame->body_length - got + CDR_UNIT);
    m->body = (struct sl_body){1, {{m->copy, frame->body_length}}};
    m->may_be_padded = true;
    if (sl_frame_check(frame) < 0)
        atomic_fetch_add(&w->stale, 1);
    sl_frame_release(frame);
    w->copied++;
    atomic_fetch_add(&w->copies, 1);
    return m;
}

int cyclone_writer_send(struct cyclone_writer *w, struct sl_frame *frame, enum cyclone_way way)
{
    size_t size = frame->body_length;
    if (size < CDR_HEADER || size > UINT32_MAX - CDR_UNIT || frame->range_count == 0) {
        sl_frame_release(frame);
        w->failed++;
        return sl_error(-EMSGSIZE, "a message of %zu bytes is none of DDS", size);
    }
    bool is_copied = way == CYCLONE_COPY || !frame->link;
    struct message *m = is_copied ? copy_message(w, frame) : hold_message(w, frame);
    dds_return_t code = dds_writecdr(w->writer, &m->c);
    if (code < 0) {
        w->failed++;
        return dds_failure(code, "a message of", "the bus");
    }
    w->sent++;
    w->bytes += size;
    return 0;
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
