/* SPDX-License-Identifier: Apache-2.0 */
/* cyclone.c - writers and readers of Cyclone DDS 0.10, whose messages are made by serdata.c. */
#include "nodes/dds_bridge/cyclone.h"

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/log.h"
#include "nodes/dds_bridge/serdata.h"

#include <dds/dds.h>
#include <dds/ddsrt/log.h>

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEEP_ALL_MAX 2048               /* messages, however small, that readers have not got */
#define BLOCKING_NS  0                  /* a full history is told at once */
#define RETRY_NS     (5 * SL_NS_PER_MS) /* readers are asked what they have as often as that */
#define ENCLAVE      "enclave=/;"       /* what ROS 2 says of its participants without security */

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
    struct cyclone_guid guid; /* also when it has ended */
};

struct cyclone_writer {
    struct cyclone_writer *next;
    dds_entity_t topic, writer;
    struct serdata_writer made;   /* its messages */
    struct ddsi_serdata *pending; /* Cyclone did not take it yet */
    uint32_t tried_at;            /* messages outstanding when that was tried */
    uint64_t tried_ns;            /* and when it was */
    bool is_patient;              /* such messages wait, else they fail */
    bool keeps;                   /* for late joiners: what readers have got need not end */
    bool is_flushed;              /* nothing waits for a packet to become full */
    uint64_t sent, bytes, copied, failed;
};

static int dds_failure(dds_return_t code, const char *what, const char *name)
{
    int err = code == DDS_RETCODE_OUT_OF_RESOURCES ? -ENOMEM
              : code == DDS_RETCODE_TIMEOUT        ? -ETIMEDOUT
                                                   : -EIO;
    return sl_error(err, "%s %s: DDS says: %s", what, name, dds_strretcode(-code));
}

/* For a writer, or for whom `sink` belongs to. The topic refers to the type afterwards, as its end
 * does. */
static int open_topic(const struct cyclone *cyclone, const char *topic, const char *type,
                      const struct cyclone_sink *sink, struct ddsi_sertype **ret_type,
                      dds_entity_t *ret_topic)
{
    struct ddsi_sertype *own = serdata_type(type, sink), *used = own;
    dds_entity_t entity =
        dds_create_topic_sertype(cyclone->participant, topic, &used, NULL, NULL, NULL);
    if (entity < 0) {
        serdata_type_unref(own);
        return dds_failure(entity, "topic", topic);
    }
    *ret_type = used;
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
            serdata_unref(w->pending);
    if (cyclone->domain > 0)
        dds_delete(cyclone->domain); /* returns when Cyclone's threads have ended */
    dds_set_log_sink(NULL, NULL);
    pthread_mutex_destroy(&cyclone->log_lock);
    while (cyclone->writers) {
        struct cyclone_writer *w = cyclone->writers;
        cyclone->writers = w->next;
        assert(atomic_load(&w->made.held) == 0 && atomic_load(&w->made.copies) == 0);
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
    w->made.wake_fd = cyclone->wake_fd;
    int err = open_topic(cyclone, topic, type, NULL, &w->made.type, &w->topic);
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
    w->keeps = qos->transient_local;
    w->is_flushed = true;
    w->next = cyclone->writers;
    cyclone->writers = w;
    *ret_writer = w;
    return 0;
}

void cyclone_writer_cancel(struct cyclone *cyclone, struct cyclone_writer *w)
{
    struct cyclone_writer **at = &cyclone->writers;
    dds_delete(w->writer);
    dds_delete(w->topic);
    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    free(w);
}

static uint32_t outstanding(const struct cyclone_writer *w)
{
    return atomic_load(&w->made.held) + atomic_load(&w->made.copies);
}

/* The message is Cyclone's now, or waits. */
static int write_message(struct cyclone_writer *w, struct ddsi_serdata *message)
{
    uint32_t size = serdata_size(message);
    if (w->is_patient)
        serdata_ref(message); /* Cyclone drops one even of what it does not take */
    w->tried_at = outstanding(w);
    serdata_let_go(message);
    dds_return_t code = dds_writecdr(w->writer, message);
    w->is_flushed = false;
    w->pending = w->is_patient && code == DDS_RETCODE_TIMEOUT ? message : NULL;
    if (w->pending) {
        w->tried_ns = sl_clock_monotonic_ns();
        return -EAGAIN;
    }
    if (w->is_patient)
        serdata_unref(message);
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
    uint64_t due_ns = cyclone_writer_retry_ns(w);
    if (outstanding(w) == w->tried_at && /* nothing has ended since */
        (due_ns == 0 || sl_clock_monotonic_ns() < due_ns))
        return -EAGAIN;
    return write_message(w, w->pending);
}

uint64_t cyclone_writer_retry_ns(const struct cyclone_writer *w)
{
    return w->pending && w->keeps ? w->tried_ns + RETRY_NS : 0;
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
    if (size >= SERDATA_SIZE_MIN && size <= SERDATA_SIZE_MAX)
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
    w->copied += is_copied;
    return write_message(w, is_copied ? serdata_copy(&w->made, frame, head)
                                      : serdata_hold(&w->made, frame, head));
}

int cyclone_writer_send_bytes(struct cyclone_writer *w, const void *body, size_t size)
{
    int err = check_size(w, size);
    if (err < 0)
        return err;
    w->copied++;
    err = write_message(w, serdata_copy_bytes(&w->made, body, size));
    cyclone_writer_flush(w);
    return err;
}

struct cyclone_guid cyclone_writer_guid(const struct cyclone_writer *w)
{
    return guid_of(w->writer);
}

uint32_t cyclone_writer_held(const struct cyclone_writer *w)
{
    return atomic_load(&w->made.held);
}

uint32_t cyclone_writer_copies(const struct cyclone_writer *w)
{
    return atomic_load(&w->made.copies);
}

void cyclone_writer_await(struct cyclone_writer *w)
{
    /* Sequentially consistent, as are the caller's look and what ends a message in the other
     * order: one of the two sees the other. */
    atomic_store(&w->made.is_awaited, true);
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
        .stale = atomic_load(&w->made.stale),
        .readers = matched.current_count,
    };
}

/* Readers ---------------------------------------------------------------------------------------*/

static void tell_of_data(dds_entity_t reader, void *cyclone)
{
    (void)reader;
    serdata_wake(((const struct cyclone *)cyclone)->wake_fd);
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
    int err = open_topic(cyclone, topic, type, &r->sink, &own, &r->topic);
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
    if (r->reader < 0) {
        dds_delete(r->topic);
        return dds_failure(r->reader, "reader of topic", topic);
    }
    r->guid = guid_of(r->reader);
    *ret_reader = r;
    return 0;
}

int cyclone_reader_take(struct cyclone_reader *r, struct cyclone_arrival *ret_arrival)
{
    struct ddsi_serdata *d;
    dds_sample_info_t info;
    int got;
    while ((got = dds_takecdr(r->reader, &d, 1, &info, DDS_ANY_STATE)) > 0) {
        uint32_t size;
        struct cyclone_place *place = info.valid_data ? serdata_take_place(d, &size) : NULL;
        if (place)
            *ret_arrival = (struct cyclone_arrival){place, size, info.source_timestamp};
        serdata_unref(d);
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
    return r->guid;
}

/* Other participants' ---------------------------------------------------------------------------*/

static bool describe(const struct cyclone *cyclone, const dds_builtintopic_endpoint_t *writer,
                     struct cyclone_remote *ret_remote)
{
    dds_reliability_kind_t reliability = DDS_RELIABILITY_BEST_EFFORT;
    dds_durability_kind_t durability = DDS_DURABILITY_VOLATILE;
    dds_duration_t blocking, deadline = DDS_INFINITY;
    if (memcmp(&writer->participant_key, &cyclone->guid, sizeof cyclone->guid) == 0 ||
        strlen(writer->topic_name) >= sizeof ret_remote->topic ||
        strlen(writer->type_name) >= sizeof ret_remote->type)
        return false;
    dds_qget_reliability(writer->qos, &reliability, &blocking);
    dds_qget_durability(writer->qos, &durability);
    dds_qget_deadline(writer->qos, &deadline);
    ret_remote->best_effort = reliability == DDS_RELIABILITY_BEST_EFFORT;
    ret_remote->transient_local = durability != DDS_DURABILITY_VOLATILE;
    ret_remote->deadline_ns = deadline == DDS_INFINITY ? 0 : deadline;
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
