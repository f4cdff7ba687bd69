/* SPDX-License-Identifier: Apache-2.0 */
/* record_ring.h - the last messages, in memory of a fixed size: bodies lie one behind the other,
 * and the oldest makes room for the newest.
 *
 * Places are numbers that only grow: a message stands at one of them until it is dropped.
 *
 *     while (!(to = record_ring_reserve(ring, &message, publisher, size_bytes)))
 *         record_ring_drop(ring);        // the oldest
 *     memcpy(to, body, size_bytes);
 *     record_ring_keep(ring);            // or not, and the room is taken anew
 *
 * Life:    create -> reserve, keep, drop, read ... -> destroy
 * Owner:   bodies are copies; what is read lies in the ring until it is dropped.
 * Threads: one
 */
#ifndef SL_ROSBAG_COMPAT_RECORD_RING_H
#define SL_ROSBAG_COMPAT_RECORD_RING_H

#include "rosbag_compat/log.h"

struct record_ring;

struct record_ring_message {
    struct sl_log_message message; /* offset and size_bytes are not used */
    const void *body;
    size_t size_bytes;
    uint64_t publisher;
    uint64_t next; /* the place behind it */
};

/* Pages that no message has reached take no memory. -ENOMEM. */
int record_ring_create(uint64_t room_bytes, struct record_ring **ret_ring);
void record_ring_destroy(struct record_ring *ring); /* NULL is fine */

/* Could it ever be held? */
bool record_ring_fits(const struct record_ring *ring, size_t size_bytes);
/* Where the body goes, or NULL while older ones are in the way. `publisher` is kept with it. */
void *record_ring_reserve(struct record_ring *ring, const struct sl_log_message *message,
                          uint64_t publisher, size_t size_bytes);
void record_ring_keep(struct record_ring *ring);
void record_ring_drop(struct record_ring *ring);

/* Places of the oldest message, and behind the newest: equal if there is none. */
uint64_t record_ring_begin(const struct record_ring *ring);
uint64_t record_ring_end(const struct record_ring *ring);
/* The message at a place from begin on, before end. */
struct record_ring_message record_ring_read(const struct record_ring *ring, uint64_t place);

uint64_t record_ring_messages(const struct record_ring *ring);

#endif
