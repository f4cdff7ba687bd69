/* SPDX-License-Identifier: Apache-2.0 */
/* reader.h - the messages of one or several logs in the order of time.
 *
 * The order is (time of receiving, log, block, place in the block), whatever the speed, so it is
 * the same every time. Blocks are loaded when their first time has come; those that overlap are in
 * memory together, up to a bound: what does not fit is let go and loaded again.
 *
 * Life:    create -> next ... -> destroy, while the logs stay open.
 * Owner:   logs are the caller's. A body lives until the next call of next.
 * Threads: one at a time, for the logs too.
 * Errors:  those of log.h.
 */
#ifndef SL_ROSBAG_COMPAT_READER_H
#define SL_ROSBAG_COMPAT_READER_H

#include "rosbag_compat/log.h"

#define SL_LOG_READER_MEMORY_BYTES (UINT64_C(256) << 20) /* for small logs less */

struct sl_log_reader_options {
    uint64_t first_ns, last_ns; /* only these times, both included; last_ns 0: no end */
    /* NULL: all topics */
    bool (*wants)(void *state, const struct sl_log_topic *topic);
    void *wants_state;
    uint64_t memory_bytes; /* of loaded blocks; 0: as above. The block in use always fits. */
    /* A block that cannot be read, or a body that cannot be decompressed, ends reading with its
     * error; or what is good is taken, and the others are counted. */
    bool takes_damaged;
    bool keeps_compressed; /* bodies are given as they are stored */
};

struct sl_log_item {
    unsigned log;                  /* which of the logs */
    struct sl_log_message message; /* topic: of that log */
    const void *body;              /* as it was published: a compressed body is decompressed */
    uint64_t body_bytes;
};

struct sl_log_reader;
int sl_log_reader_create(struct sl_log *const *logs, unsigned count,
                         const struct sl_log_reader_options *options,
                         struct sl_log_reader **ret_reader);
/* 1, 0 at the end. */
int sl_log_reader_next(struct sl_log_reader *reader, struct sl_log_item *ret_item);
/* Blocks of which something was lost, and the first reason ("" if none). */
uint64_t sl_log_reader_damage(const struct sl_log_reader *reader, const char **ret_reason);
/* Messages that were left out since their bodies cannot be decompressed, in the same way. */
uint64_t sl_log_reader_left_out(const struct sl_log_reader *reader, const char **ret_reason);
void sl_log_reader_destroy(struct sl_log_reader *reader); /* NULL is fine */

#endif
