/* SPDX-License-Identifier: Apache-2.0 */
/* serdata.c - Cyclone DDS's `serdata` and `sertype`, and a table of operations for each. Ours refer
 * to a frame of the bus. What Cyclone sends it asks for by to_ser_ref, a fragment at a time, and
 * puts into the list of a sendmsg as it stands.
 *
 * What arrives comes as a chain of fragments in Cyclone's buffers, by from_ser, and is put from
 * there into the place that it is given.
 *
 * There are no keys here: every message is of the topic's one instance.
 */
#include "nodes/dds_bridge/serdata.h"

#include "core/frame/body.h"

#include <dds/ddsi/ddsi_serdata.h>
#include <dds/ddsi/ddsi_sertype.h>
#include <dds/ddsi/q_radmin.h>

#include <stdio.h>
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

#define CDR_UNIT 4u /* messages are sent in multiples of it */
#define PAGE     4096u

/* A type as one topic's ends have it. */
struct type {
    struct ddsi_sertype c;
    const struct cyclone_sink *sink; /* NULL: a writer's */
};

/* A message that came in. */
struct arrival {
    struct ddsi_serdata c;
    const struct cyclone_sink *sink;
    struct cyclone_place *place; /* NULL: there was none, or it was taken */
    uint32_t size;
};

/* A message on its way out. */
struct message {
    struct ddsi_serdata c;
    struct serdata_writer *writer; /* NULL: stands for the topic's instance, has no body */
    struct sl_frame frame;         /* held, if it has a link */
    struct sl_body body;
    uint32_t size;      /* of the body */
    bool may_be_padded; /* the bytes after it, up to a multiple of CDR_UNIT, can be read */
    unsigned char copy[];
};

void serdata_wake(int fd)
{
    const uint64_t one = 1;
    ssize_t written = write(fd, &one, sizeof one);
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
    struct serdata_writer *w = m->writer;
    if (w) {
        bool is_held = m->frame.link != NULL;
        if (is_held && sl_frame_check(&m->frame) < 0)
            atomic_fetch_add(&w->stale, 1);
        sl_frame_release(&m->frame);
        atomic_fetch_sub(is_held ? &w->held : &w->copies, 1);
        if (atomic_exchange(&w->is_awaited, false))
            serdata_wake(w->wake_fd);
    }
    dds_free(m);
}

/* Cyclone's map of instances keeps what this returns, so it must not be the message itself. Of
 * `bytes` zeroed ones, as what ends it takes it for one of its type's. */
static struct ddsi_serdata *new_untyped(const struct ddsi_serdata *d, size_t bytes)
{
    struct ddsi_serdata *instance = dds_alloc(bytes);
    memset(instance, 0, bytes);
    ddsi_serdata_init(instance, d->type, SDK_KEY);
    instance->hash = d->hash;
    instance->type = NULL;
    LET_GO(d);
    LET_GO(instance);
    return instance;
}

static struct ddsi_serdata *to_untyped(const struct ddsi_serdata *d)
{
    return new_untyped(d, sizeof(struct message));
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
    const struct cyclone_sink *sink = ((const struct type *)type)->sink;
    struct arrival *a = dds_alloc(sizeof *a);
    memset(a, 0, sizeof *a);
    ddsi_serdata_init(&a->c, type, kind);
    a->c.hash = type->serdata_basehash;
    a->sink = sink;
    a->size = (uint32_t)size;
    if (kind == SDK_DATA && size >= SERDATA_SIZE_MIN && size <= UINT32_MAX)
        a->place = sink->place(sink->context, size);
    if (a->place && !gather_fragments(fragments, size, a->place->data)) {
        sink->drop(sink->context, a->place);
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
        a->sink->drop(a->sink->context, a->place);
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
    return new_untyped(d, sizeof(struct arrival));
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

struct ddsi_sertype *serdata_type(const char *name, const struct cyclone_sink *sink)
{
    struct type *t = dds_alloc(sizeof *t);
    memset(t, 0, sizeof *t);
    ddsi_sertype_init_flags(&t->c, name, &type_operations,
                            sink ? &arrival_operations : &message_operations,
                            DDSI_SERTYPE_FLAG_TOPICKIND_NO_KEY);
    t->c.allowed_data_representation = DDS_DATA_REPRESENTATION_FLAG_XCDR1;
    t->sink = sink;
    LET_GO(&t->c);
    return &t->c;
}

void serdata_type_unref(struct ddsi_sertype *type)
{
    ddsi_sertype_unref(type);
}

/* In place of Cyclone's own, which aborts where an announcement from the network says that a type
 * is told in a way that does not exist. Whoever announces an end tells its type by hashes; anything
 * else is refused where this is true. */
__attribute__((visibility("default"))) bool
ddsi_typeid_is_fully_descriptive(const ddsi_typeid_t *type)
{
    return type && !ddsi_typeid_is_hash(type);
}

/* Made and taken
 * ---------------------------------------------------------------------------------*/

/* Would reading on from the body's end to a multiple of CDR_UNIT stay within its page? Slots are
 * whole pages, but a body may end where its slot does. */
static bool pads_in_page(const struct sl_body *body, size_t size)
{
    const struct sl_body_range *last = &body->ranges[body->count - 1];
    uintptr_t end = (uintptr_t)last->start + last->length;
    size_t pad = (CDR_UNIT - size % CDR_UNIT) % CDR_UNIT;
    return pad == 0 || (end % PAGE != 0 && end % PAGE + pad <= PAGE);
}

static struct message *new_message(struct serdata_writer *w, size_t size, size_t copy_room)
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
static struct message *hold_behind_head(struct serdata_writer *w, const struct sl_frame *frame,
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

struct ddsi_serdata *serdata_hold(struct serdata_writer *w, const struct sl_frame *frame,
                                  const struct cyclone_head *head)
{
    struct message *m =
        head ? hold_behind_head(w, frame, head) : new_message(w, frame->body_length, 0);
    m->frame = *frame;
    if (!head)
        m->body = body_of(frame);
    m->may_be_padded = pads_in_page(&m->body, m->size);
    atomic_fetch_add(&w->held, 1);
    return &m->c;
}

static struct message *new_copy(struct serdata_writer *w, size_t size)
{
    struct message *m = new_message(w, size, size + CDR_UNIT);
    m->body = (struct sl_body){1, {{m->copy, size}}};
    m->may_be_padded = true;
    atomic_fetch_add(&w->copies, 1);
    return m;
}

struct ddsi_serdata *serdata_copy(struct serdata_writer *w, struct sl_frame *frame,
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
    return &m->c;
}

struct ddsi_serdata *serdata_copy_bytes(struct serdata_writer *w, const void *body, size_t size)
{
    struct message *m = new_copy(w, size);
    memcpy(m->copy, body, size);
    memset(m->copy + size, 0, CDR_UNIT);
    return &m->c;
}

uint32_t serdata_size(const struct ddsi_serdata *d)
{
    return ((const struct message *)d)->size;
}

void serdata_let_go(struct ddsi_serdata *d)
{
    LET_GO(d);
}

void serdata_ref(struct ddsi_serdata *d)
{
    ddsi_serdata_ref(d);
}

void serdata_unref(struct ddsi_serdata *d)
{
    ddsi_serdata_unref(d);
}

struct cyclone_place *serdata_take_place(struct ddsi_serdata *d, uint32_t *ret_size)
{
    TAKE_OVER(d);
    struct arrival *a = (struct arrival *)d;
    struct cyclone_place *place = a->place;
    a->place = NULL;
    *ret_size = a->size;
    LET_GO(d);
    return place;
}
