/* SPDX-License-Identifier: Apache-2.0 */
/* play_reader.h - a thread that reads parts of logs into slots, and finds the messages in them.
 *
 * What is not compressed is read as it stands, by io_uring with as many parts under way as are
 * asked for, or one after the other by pread; anything else is loaded (log.h), in turn.
 *
 * Life:    create -> ask, wait ... -> destroy
 * Owner:   a part is the caller's memory, and the reader's from being asked for until it was read
 *          or called off
 * Threads: one asks. The reader's loads the logs: meanwhile nobody else may.
 * Errors:  those of log.h, in the part
 */
#ifndef SL_ROSBAG_COMPAT_PLAY_READER_H
#define SL_ROSBAG_COMPAT_PLAY_READER_H

#include "rosbag_compat/files.h"
#include "rosbag_compat/read_ring.h"

#include <sys/uio.h>

struct play_reader_options {
    const struct sl_log_set *set;
    bool *const *wanted;        /* by log and topic */
    uint64_t first_ns, last_ns; /* only these times, both included; last_ns 0: no end */
    struct read_ring *ring;     /* the caller's; NULL: by pread */
    struct iovec memory;        /* of all slots, to be lent to the ring; may be empty */
};

#define PLAY_REASON_BYTES 256

struct play_part {
    uint32_t log, block;
    uint8_t *slot; /* its messages' offsets are from here on */
    /* What was found. */
    struct sl_log_message *messages; /* in order; to be freed */
    uint32_t count;
    size_t end;      /* of its bytes in the slot */
    int err;         /* why there is nothing */
    bool is_damaged; /* only a part of it is there */
    char reason[PLAY_REASON_BYTES];
    /* The reader's. */
    struct play_part *next; /* to be read behind it; under the lock, as the next one */
    bool is_read;
    bool came_short; /* a read of it has failed, or brought too little */
    unsigned reads_left;
    size_t begin; /* of its bytes in the slot */
};

struct play_reader;
int play_reader_create(const struct play_reader_options *options, struct play_reader **ret_reader);
/* Zeros but for log, block and slot. A slot has room for SL_LOG_READ_ALIGNMENT bytes before the
 * block's, and as many behind them. */
void play_reader_ask(struct play_reader *reader, struct play_part *part);
void play_reader_wait(struct play_reader *reader, const struct play_part *part);
/* What was asked for is not wanted any more; messages of what is asked for next begin then. */
void play_reader_call_off(struct play_reader *reader, uint64_t first_ns);
void play_reader_destroy(struct play_reader *reader); /* NULL is fine */

#endif
