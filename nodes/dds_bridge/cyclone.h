/* SPDX-License-Identifier: Apache-2.0 */
/* cyclone.h - the DDS side: writers and readers of serialised messages of any type.
 *
 * A message is not serialised here, nor copied on its way out: what Cyclone DDS sends are the bytes
 * of the frame, where it stands. The frame is released when Cyclone needs it no longer: a
 * best-effort one when sending returns, a reliable one when every reader has it or the history
 * displaces it, a transient-local one when the history displaces it.
 *
 * Cyclone's public headers appear in cyclone.c alone, those that are internal to its series 0.10 in
 * serdata.c.
 *
 * Life:    cyclone_open -> writers and readers -> cyclone_close, which ends them all, and after
 *          which no frame is held any more.
 * Owner:   subscribers must outlive cyclone_close: frames of theirs are held.
 * Threads: one, that which opened. Cyclone has threads of its own: they end holds, write to wake_fd
 *          and call sinks.
 * Errors:  -errno with sl_error_text().
 */
#ifndef SL_NODES_DDS_BRIDGE_CYCLONE_H
#define SL_NODES_DDS_BRIDGE_CYCLONE_H

#include "core/shm/sluice.h"

struct cyclone;
struct cyclone_writer;
struct cyclone_reader;

/* Zero is ROS 2's default but for depth. */
struct cyclone_qos {
    bool best_effort;
    bool transient_local;
    bool keep_all;
    uint32_t depth;      /* messages, at least 1; with keep_all only of what late joiners get */
    int64_t deadline_ns; /* 0 = none */
};

/* A participant in that DDS domain. $CYCLONEDDS_URI is honoured. `name` is what other tools show.
 * `wake_fd` is an eventfd, written to when a reader has something, an endpoint appears, or a hold
 * ends for which a writer is waited for (cyclone_writer_await). */
int cyclone_open(uint32_t domain, const char *name, int wake_fd, struct cyclone **ret_cyclone);
void cyclone_close(struct cyclone *cyclone); /* NULL is fine */

/* Lines that Cyclone had for the log: packets that are none of RTPS, and whatever else is wrong. */
uint64_t cyclone_complaints(const struct cyclone *cyclone);

/* How an end, or the participant itself, is known to others: a GUID. */
struct cyclone_guid {
    unsigned char byte[16];
};
struct cyclone_guid cyclone_guid(const struct cyclone *cyclone);

/* ---- Out -------------------------------------------------------------------------------------*/

/* `topic` and `type` are DDS's names. */
int cyclone_writer_open(struct cyclone *cyclone, const char *topic, const char *type,
                        const struct cyclone_qos *qos, struct cyclone_writer **ret_writer);

/* Close one that has sent nothing yet. */
void cyclone_writer_cancel(struct cyclone *cyclone, struct cyclone_writer *writer);

enum cyclone_way {
    CYCLONE_HOLD, /* refer to the frame until it is not needed any more */
    CYCLONE_COPY, /* copy the body once and release the frame at once; inline ones always are */
};

/* Other bytes for the beginning of a body: so many of its bytes are left out. */
struct cyclone_head {
    const void *bytes;
    size_t size_bytes;
    size_t replaces; /* at most the body's length */
};

/* Send a frame, at the latest at the next flush. It is this call's now, and is released, sooner or
 * later, succeed or fail. With a `head` (else NULL), which is copied, what stands behind it is sent
 * from where it is all the same; of a body of SL_RANGES_MAX ranges what is left of the first one is
 * copied, too. -EAGAIN (keep_all): readers have not got enough of what went before; the message
 * waits, and before another one may come cyclone_writer_retry must have sent it. -EMSGSIZE: 4 GiB
 * or more, or less than the 4 bytes that each message begins with. */
int cyclone_writer_send(struct cyclone_writer *writer, struct sl_frame *frame,
                        const struct cyclone_head *head, enum cyclone_way way);

/* Send the message that waits, if others have ended since the last try, which asked readers what
 * they have, or it is time to. 0 also if there is none; -EAGAIN: it waits on. */
int cyclone_writer_retry(struct cyclone_writer *writer);
/* When (CLOCK_MONOTONIC) it is to be tried though no other has ended: what is kept for late joiners
 * does not end when readers have it, so nothing tells of that. 0: never. */
uint64_t cyclone_writer_retry_ns(const struct cyclone_writer *writer);
bool cyclone_writer_has_pending(const struct cyclone_writer *writer);

/* Small messages share packets. Call this before waiting for anything. */
void cyclone_writer_flush(struct cyclone_writer *writer);

/* Send a body that is no frame's, at once; it is copied. Errors as above, but never -EAGAIN unless
 * keep_all. */
int cyclone_writer_send_bytes(struct cyclone_writer *writer, const void *body, size_t size_bytes);

/* Frames that are not let go of yet, and copied messages. */
uint32_t cyclone_writer_held(const struct cyclone_writer *writer);
uint32_t cyclone_writer_copies(const struct cyclone_writer *writer);

/* Have wake_fd written to when the next message is let go of. Ask how many are held afterwards:
 * what ends from now on is told. */
void cyclone_writer_await(struct cyclone_writer *writer);

struct cyclone_writer_status {
    uint64_t sent, bytes; /* messages, and bytes of their bodies */
    uint64_t copied;      /* of these, messages whose body was copied */
    uint64_t failed;      /* messages that Cyclone refused */
    uint64_t stale;       /* frames that their publisher took back while they were sent */
    uint32_t readers;     /* matched now */
};
void cyclone_writer_status(const struct cyclone_writer *writer,
                           struct cyclone_writer_status *ret_status);
struct cyclone_guid cyclone_writer_guid(const struct cyclone_writer *writer);

/* ---- In --------------------------------------------------------------------------------------*/

/* Where a message is put when it arrives. Whoever gives places makes them part of structs of his
 * own. */
struct cyclone_place {
    void *data;
};

/* Both are called by Cyclone's threads, perhaps several at once. */
struct cyclone_sink {
    /* Room for so many bytes, at least 4; or NULL: the message is dropped. */
    struct cyclone_place *(*place)(void *context, size_t size_bytes);
    /* The message was displaced by newer ones before it was taken. */
    void (*drop)(void *context, struct cyclone_place *place);
    void *context;
};

struct cyclone_arrival {
    struct cyclone_place *place; /* the taker's now */
    size_t size_bytes;
    int64_t sent_ns; /* when it was written: CLOCK_REALTIME of that machine */
};

/* What other participants write is read, what this one writes is not. `sink` is copied. */
int cyclone_reader_open(struct cyclone *cyclone, const char *topic, const char *type,
                        const struct cyclone_qos *qos, const struct cyclone_sink *sink,
                        struct cyclone_reader **ret_reader);

/* The next message: 1, or 0 if there is none, or an error. */
int cyclone_reader_take(struct cyclone_reader *reader, struct cyclone_arrival *ret_arrival);

/* It reads no more; what it had and nobody took is dropped. It stays what cyclone_close ends. */
void cyclone_reader_end(struct cyclone_reader *reader);

uint32_t cyclone_reader_writers(const struct cyclone_reader *reader); /* matched now */
struct cyclone_guid cyclone_reader_guid(const struct cyclone_reader *reader);

/* A writer of another participant that has appeared. */
struct cyclone_remote {
    char topic[300], type[300];
    bool best_effort, transient_local;
    int64_t deadline_ns; /* 0 = it promises none */
};

/* The next one that is not told of yet: 1, or 0. */
int cyclone_next_remote(struct cyclone *cyclone, struct cyclone_remote *ret_remote);

#endif
