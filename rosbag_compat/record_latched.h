/* SPDX-License-Identifier: Apache-2.0 */
/* record_latched.h - copies of the last message of each publisher of a latched topic: what who
 * joins late would get. Several may latch one topic, as /tf_static.
 *
 * They are kept in the order in which they came. Beyond RECORD_LATCHED_MAX of them, or
 * RECORD_LATCHED_BYTES_MAX together, the oldest goes: a publisher that was started anew is another
 * one, and nobody says which have ended for good.
 *
 * Life:    zeros -> keep ... -> finish
 * Threads: one
 */
#ifndef SL_ROSBAG_COMPAT_RECORD_LATCHED_H
#define SL_ROSBAG_COMPAT_RECORD_LATCHED_H

#include "rosbag_compat/log.h"

#include <sys/uio.h>

#define RECORD_LATCHED_MAX       SL_LOG_LATCHED_MAX /* a player gives late subscribers no more */
#define RECORD_LATCHED_BYTES_MAX (16u << 20)

struct record_latched_message {
    uint64_t publisher;
    struct sl_log_message message; /* offset and size_bytes are not used */
    void *body;
    size_t size_bytes;
};

struct record_latched {
    struct record_latched_message messages[RECORD_LATCHED_MAX];
    unsigned count;
    uint64_t size_bytes;
};

/* In place of the last one of `publisher` (its instance). -EFBIG: larger than all may be, -ENOMEM;
 * that publisher then has none. */
int record_latched_keep(struct record_latched *latched, uint64_t publisher,
                        const struct sl_log_message *message, const struct iovec *body,
                        unsigned pieces);
void record_latched_finish(struct record_latched *latched);

#endif
