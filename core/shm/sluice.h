/* SPDX-License-Identifier: Apache-2.0 */
/* sluice.h - publish sensor frames in shared memory; read them where they stand.
 *
 *   publisher:  open -> loan -> write into loan.data -> publish (or discard) -> close
 *   subscriber: open -> wait -> take -> read frame.body -> release -> close
 *
 * A frame's body is a finished CDR message (ROS 2's encoding), or any bytes under a type name of
 * your own. The bytes are written once, into the loaned slot; what travels is a descriptor of 64
 * bytes.
 *
 * Life:    what _open makes, _close ends. A frame stays readable until it is released, also when
 *          its publisher dies or closes.
 * Owner:   the publisher's process alone can write its pool; subscribers map it read-only.
 * Threads: loan, publish, discard, wait and close by one thread at a time per pool; take, wait,
 *          status and close by one at a time per subscriber; release and check by any (but not
 *          while that subscriber is being closed by a third). Handles are not for use after fork().
 * Errors:  0 or positive, or -errno; sl_error_text() then holds a sentence for the user.
 *          Nothing here logs, exits, installs signal handlers, or blocks unless it says so.
 */
#ifndef SLUICE_H
#define SLUICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SL_PUBLIC __attribute__((visibility("default")))

#define SL_TOPIC_MAX  256 /* bytes of a topic's name with its NUL */
#define SL_TYPE_MAX   128
#define SL_NODE_MAX   64
#define SL_RANGES_MAX 4 /* ranges of a gathered body */

SL_PUBLIC const char *sl_version(void);

/* Why the last call of this thread failed: what, where, and what to do. Never NULL. */
SL_PUBLIC const char *sl_error_text(void);

/* ---- Publishing ------------------------------------------------------------------------------*/

struct sl_pool;
struct sl_publisher;

/* How descriptors travel. Loans, holds, wake-ups and history are the same over both. */
enum sl_bus {
    SL_BUS_DEFAULT, /* $SLUICE_BUS, or native */
    SL_BUS_NATIVE,  /* the publisher's ring; no daemon */
    SL_BUS_ICEORYX, /* iceoryx's queues, for systems that run RouDi; at both ends */
};

/* Whose clock a stamp was read from. */
enum sl_clock {
    SL_CLOCK_UNKNOWN,
    SL_CLOCK_HOST,     /* CLOCK_REALTIME of this machine */
    SL_CLOCK_SENSOR,   /* free-running in the sensor */
    SL_CLOCK_GPS,      /* UTC, from PPS and NMEA */
    SL_CLOCK_PTP,      /* TAI by PTP */
    SL_CLOCK_PTP_UTC,  /* UTC, made of PTP */
    SL_CLOCK_ANCHORED, /* free-running in the sensor, put on CLOCK_REALTIME by what came soonest */
    SL_CLOCK_FITTED,   /* likewise, by a line under all arrivals */
};

/* Flags of a message. */
#define SL_MESSAGE_PARTIAL 0x80u /* the frame is known not to be whole */

struct sl_pool_options {
    uint64_t slot_size;  /* bytes of the largest message; rounded up to pages, see sizes.c */
    uint32_t slot_count; /* loans + retained + what all subscribers may hold + 1 */
    uint32_t side_size;  /* bytes beside each slot for a prefix and a suffix; 0 = none */
    bool lock;           /* mlock it; not being allowed to is no error */
    bool huge_pages;     /* the slots in huge pages; if there are too few, it is -ENOMEM */
    /* What the slots are made of, as in a launch file: "memfd" (NULL), "memfd:thp", "hugetlb",
     * "vgem", "dma-heap:NAME", "bar:DEVICE/N", "reserved:ADDRESS+SIZE". */
    const char *memory;
    const char *fallback; /* "KIND,KIND": the next choices, where the machine lacks the first */
};

/* Several publishers of one process can write into one pool. -ENOMEM if it does not fit, -ENODEV
 * where the machine lacks what it was to be made of, -EBUSY if that is another pool's. Where a
 * fallback was taken the result is 0, and sl_error_text() says which and why; else it is empty. */
SL_PUBLIC int sl_pool_create(const struct sl_pool_options *options, struct sl_pool **ret_pool);
SL_PUBLIC void sl_pool_destroy(struct sl_pool *pool); /* after its publishers are closed */

struct sl_publisher_options {
    const char *topic;  /* "/lidar/points": printable, begins with '/' */
    const char *type;   /* "sensor_msgs/msg/PointCloud2" */
    const char *domain; /* NULL = $SLUICE_DOMAIN, or "default" */

    struct sl_pool *pool; /* NULL = one of its own, by the next two */
    uint64_t slot_size;   /* bytes of the largest message; 0 = inline messages only */
    uint32_t slot_count;  /* 0 = loans + retain + subscribers * quota + visitors + 1 */

    uint32_t loans;       /* slots loaned at one time; 0 = 1 */
    uint32_t subscribers; /* attached at one time; 0 = 8 */
    uint32_t quota;       /* frames that one of them may hold; 0 = 4 */
    uint32_t ring;        /* descriptors that are kept, a power of two; 0 = as needed */
    uint32_t retain;      /* the last N messages are never recycled, for late subscribers */
    uint32_t inline_max;  /* bytes of the largest inline message; 0 = 64, at most 448 */
    uint32_t side_size;   /* as in sl_pool_options, for a pool of its own */
    bool huge_pages;      /* the same, and the next two */
    const char *memory, *fallback;
    bool lossless; /* let subscribers ask for every message: they may slow the publisher down to one
                      message for each timeout */
    int64_t lossless_timeout_ns; /* one that blocks for longer loses that right; 0 = 1 s */
    int64_t lease_ns; /* a frame that is held for longer after its slot would have been reused may
                         be overwritten when slots run out: its readers must ask sl_frame_check
                         after reading. 0 = never */
    bool relay;       /* a thread of its own (one a process) makes the system calls that wake
                         subscribers, so that publishing costs the same whoever sleeps. It has the
                         affinity and priority of the thread that opens: pin that one afterwards */
    uint32_t mode;    /* permission of its socket; 0 = 0600, in a group's domain 0660 */
    /* Who may subscribe, beside root and this process's user: "alice,@video,1001", users and groups
       by name or number. The socket's mode is then 0666 by default. NULL = who may open it */
    const char *readers;
    enum sl_bus bus; /* iceoryx: subscribers of both kinds can read it */
};

/* A slot that may be written. */
struct sl_loan {
    void *data;         /* aligned to a page */
    uint64_t data_size; /* bytes */
    void *side;         /* the area beside it, or NULL */
    uint32_t side_size;
    uint32_t slot; /* which one it is; `generation` tells its uses apart */
    uint32_t generation;
};

/* A part of a gathered body. */
struct sl_range {
    uint32_t area; /* SL_AREA_SLOT or SL_AREA_SIDE */
    uint32_t offset;
    uint32_t length;
};
enum {
    SL_AREA_SLOT,
    SL_AREA_SIDE
};

/* Where the message stands in the loaned slot. */
struct sl_message {
    uint64_t stamp_ns; /* when it was measured */
    enum sl_clock clock;
    uint32_t flags;       /* SL_MESSAGE_* */
    uint32_t body_offset; /* the whole message, from loan.data */
    uint32_t body_length;
    uint32_t data_offset; /* its pixels or points, from loan.data; length 0 = none */
    uint32_t data_length;
    const struct sl_range *ranges; /* instead of body_offset and _length, if range_count > 0 */
    uint32_t range_count;
    bool more; /* the slot is not finished: the loan stays, other messages in it follow */
};

/* -EADDRINUSE is never returned: several publishers of a topic are several instances of it.
 * -EINVAL (a bad option, an unknown reader), -EACCES (the domain), -ENOMEM, and for its pool as
 * sl_pool_create. With SL_BUS_ICEORYX, within a second: -ENOENT (no RouDi runs), -ETIMEDOUT (it
 * does not answer), -ESTALE (it was restarted), -ENOTSUP (built without iceoryx), -ENOSPC (RouDi
 * has no place left). */
SL_PUBLIC int sl_publisher_open(const struct sl_publisher_options *options,
                                struct sl_publisher **ret_publisher);

/* Borrow a writable slot. Never blocks, never allocates. -EAGAIN: every slot is held or loaned, as
 * many are loaned as the ring has entries, a lossless subscriber is behind, or RouDi's memory pool
 * is empty. -ENOTSUP: the publisher has no slots. -ENODEV: the device that the slots lie in is
 * gone. */
SL_PUBLIC int sl_publisher_loan(struct sl_publisher *publisher, struct sl_loan *ret_loan);

/* Wait until a loan may succeed. 0, or -ETIMEDOUT. timeout_ns < 0 = for ever. */
SL_PUBLIC int sl_publisher_wait(struct sl_publisher *publisher, int64_t timeout_ns);

/* Show the message to every subscriber. The loan is gone afterwards, succeed or fail, unless
 * `message->more`. -EINVAL: it does not lie inside the slot. */
SL_PUBLIC int sl_publisher_publish(struct sl_publisher *publisher, struct sl_loan *loan,
                                   const struct sl_message *message);

/* Publish a small message without a slot: `body` is copied into the ring. -EMSGSIZE: larger than
 * inline_max. -EAGAIN: a lossless subscriber is behind, as many slots are loaned as the ring has
 * entries, or RouDi's memory pool is empty. */
SL_PUBLIC int sl_publisher_publish_inline(struct sl_publisher *publisher, const void *body,
                                          size_t body_length, const struct sl_message *message);

/* Give an unpublished loan back (or end one whose messages were all published with `more`). */
SL_PUBLIC void sl_publisher_discard(struct sl_publisher *publisher, struct sl_loan *loan);

struct sl_publisher_status {
    uint64_t published;   /* messages */
    uint64_t bytes;       /* of their bodies */
    uint64_t refused;     /* loans that failed because no slot was free */
    uint32_t subscribers; /* attached now */
    uint32_t slots, slots_held, slots_loaned;
    uint64_t unread;     /* messages that a lossless subscriber has not taken yet */
    uint32_t unreleased; /* lossless subscribers that have not taken every message, or hold one in a
                            slot; of what goes inline nobody knows how long it is read */
    uint32_t demoted, revoked,
        died;         /* subscribers that lost lossless; lost everything; ended without closing */
    uint32_t expired; /* slots that were taken from those who held them, by lease_ns */
};
SL_PUBLIC int sl_publisher_status(struct sl_publisher *publisher,
                                  struct sl_publisher_status *ret_status);

/* Loans that are open are discarded. Subscribers keep what they hold. NULL is fine. */
SL_PUBLIC void sl_publisher_close(struct sl_publisher *publisher);

/* ---- Subscribing -----------------------------------------------------------------------------*/

struct sl_subscriber;

enum sl_policy {
    SL_KEEP_LAST, /* the oldest that is left, at most `depth` behind (0 = as the ring allows) */
    SL_LATEST,    /* the newest; older ones are skipped */
    SL_LOSSLESS,  /* every one; the publisher waits, if it allows that */
};

/* Why a message was not delivered. */
enum sl_loss {
    SL_LOSS_OVERRUN,  /* the reader was further behind than the ring, or its depth */
    SL_LOSS_RECYCLED, /* the slot was needed for a newer message */
    SL_LOSS_SKIPPED,  /* SL_LATEST: there was a newer one */
    SL_LOSS_INVALID,  /* the descriptor pointed outside its pool */
    SL_LOSS_REASONS
};
SL_PUBLIC const char *sl_loss_name(enum sl_loss loss);

struct sl_subscriber_options {
    const char *topic;
    const char *type;   /* NULL = any; else -EPROTOTYPE where a publisher has another one */
    const char *domain; /* as for publishers */
    enum sl_policy policy;
    uint32_t depth;   /* SL_KEEP_LAST */
    uint32_t quota;   /* frames held of each publisher at one time; 0 = 4; it may allow fewer */
    uint32_t history; /* how many messages of before the attaching to begin with */
    bool visitor;     /* a tool that looks on: quota 1, does not count as a subscriber */
    int64_t spin_ns;  /* sl_wait looks for so long before it sleeps */
    /* Once asleep, be woken when so many messages of one publisher have come (never more than half
     * of what its ring and slots keep, or `depth`), or, for fewer, so long after falling asleep. If
     * nothing has come by then, the first message wakes. */
    uint32_t wake_batch;   /* 0, 1 = every message wakes */
    int64_t wake_after_ns; /* 0 = 1 ms */
    enum sl_bus bus;       /* iceoryx: reads only what is sent so; a visitor's default is native */
};

/* A message that is held. Read-only; read twice only what you would trust twice. */
struct sl_frame {
    const void *body; /* the message; NULL if it is gathered */
    size_t body_length;
    const void *data; /* its pixels or points, or NULL */
    size_t data_length;
    struct {
        const void *start;
        size_t length;
    } range[SL_RANGES_MAX]; /* the body in pieces; one piece if it is contiguous */
    unsigned range_count;

    uint64_t seq;        /* of this publisher, from 1 */
    uint64_t instance;   /* which publisher */
    uint64_t stamp_ns;   /* when it was measured, by `clock` */
    uint64_t publish_ns; /* CLOCK_MONOTONIC */
    enum sl_clock clock;
    uint32_t flags;       /* SL_MESSAGE_* */
    uint64_t lost_before; /* messages of this publisher not delivered since the one before */

    struct sl_link *link; /* private */
    uint32_t slot;
    uint32_t hold;
    uint32_t generation;
};

/* Publishers are found as they come and go; that there is none yet is no error.
 * -EINVAL, -EACCES, -EPROTOTYPE (text names both types), -EPROTONOSUPPORT (another version),
 * -EUSERS (the publisher has as many subscribers as it allows), -EPERM (it does not allow
 * lossless). With SL_BUS_ICEORYX also what a publisher's opening may return. */
SL_PUBLIC int sl_subscriber_open(const struct sl_subscriber_options *options,
                                 struct sl_subscriber **ret_subscriber);

/* Hold the next message. Never blocks but for one case, see below. -EAGAIN: nothing new. -EDQUOT:
 * as many frames as the quota allows are held; release one. -ECONNABORTED: a publisher revoked this
 * subscriber (told once). -ENODEV: the device that a publisher's slots lie in is gone; it is not
 * read any more (told once). An inline body is valid until the next take or the close, whatever
 * becomes of its publisher. Over iceoryx, when a publisher of the topic has come or gone, it waits
 * for the service thread if that asks RouDi for the queue to another one just then: a second at
 * most for each. */
SL_PUBLIC int sl_subscriber_take(struct sl_subscriber *subscriber, struct sl_frame *ret_frame);

/* Sleep until take would return something other than -EAGAIN. 0, -ETIMEDOUT or -EINTR.
 * timeout_ns < 0 = for ever. */
SL_PUBLIC int sl_subscriber_wait(struct sl_subscriber *subscriber, int64_t timeout_ns);

/* The same for several at once: the index of one that is ready. */
SL_PUBLIC int sl_wait(struct sl_subscriber *const *subscribers, unsigned count, int64_t timeout_ns);

/* Let the wait of another thread, or the one that a signal came into, return -EINTR; if none waits,
 * the next one does. May be called from a signal handler. */
SL_PUBLIC void sl_subscriber_interrupt(struct sl_subscriber *subscriber);

/* A descriptor for epoll or poll: readable when there may be something to take. Take until -EAGAIN
 * before waiting on it. It stays the same and belongs to the subscriber. */
SL_PUBLIC int sl_subscriber_fd(struct sl_subscriber *subscriber);

struct sl_subscriber_status {
    uint32_t publishers; /* attached now */
    uint32_t held;       /* frames */
    uint64_t taken;
    uint64_t lost[SL_LOSS_REASONS];
    uint64_t latency_p50_ns, latency_p99_ns, latency_max_ns; /* publish to take, sampled */
    const char *refusal; /* why the last publisher could not be attached, or "" */
};
SL_PUBLIC int sl_subscriber_status(struct sl_subscriber *subscriber,
                                   struct sl_subscriber_status *ret_status);

/* Frames that are held stay valid and must still be released. NULL is fine. */
SL_PUBLIC void sl_subscriber_close(struct sl_subscriber *subscriber);

/* End the hold. Once for each frame taken, by any thread. */
SL_PUBLIC void sl_frame_release(struct sl_frame *frame);

/* After reading: was it whole all the time? 0, or -ESTALE if the publisher took it back (this
 * subscriber was revoked, or the frame was held for longer than the publisher's lease), or -ENODEV
 * if the device that it lies in is gone; what was read is then to be thrown away. It must be
 * released all the same. */
SL_PUBLIC int sl_frame_check(const struct sl_frame *frame);

/* A frame's memory may be cached, write-combining or uncached, as its publisher chose; frame.body
 * and frame.data can be read in place in each. But a large frame read plainly displaces everything
 * else from the caches, and memory that is not cached is slow to read except by whole lines. The
 * next two know how to read each kind. */

/* Copy body bytes [offset, offset + length) out, over the pieces of a gathered body: all of it, or
 * the few that you want to look at. Returns how many there were. */
SL_PUBLIC size_t sl_frame_copy(const struct sl_frame *frame, size_t offset, void *to,
                               size_t length);

#define SL_SCAN_UNIT 16384 /* bytes of the largest unit of a scan */

/* One pass over a frame's data, in place where that is possible:
 *
 *     struct sl_frame_scan scan;
 *     int err = sl_frame_scan_begin(&frame, POINT_SIZE, &scan);
 *     while (err == 0 && sl_frame_scan_next(&scan))
 *         look_at(scan.chunk, scan.chunk_length);
 */
struct sl_frame_scan {
    const void *chunk;   /* valid until the next call */
    size_t chunk_length; /* a multiple of `unit`, but for the last if the data is not */
    size_t offset;       /* of the chunk in the data */
    unsigned char state[SL_SCAN_UNIT + 128] __attribute__((aligned(64))); /* private: scratch */
};

/* Begin at frame.data, or at frame.body if the message names no data and is in one piece. Chunks do
 * not cut a unit: a point, a row, or 1 if it does not matter. The scan must not be moved, nor
 * outlive the hold; it needs no end. -EINVAL: unit is 0 or larger than SL_SCAN_UNIT. -ENODATA: no
 * data, and a body in pieces. */
SL_PUBLIC int sl_frame_scan_begin(const struct sl_frame *frame, size_t unit,
                                  struct sl_frame_scan *ret_scan);

/* The next chunk, or false after the last. */
SL_PUBLIC bool sl_frame_scan_next(struct sl_frame_scan *scan);

#ifdef __cplusplus
}
#endif

#endif
