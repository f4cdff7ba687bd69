/* SPDX-License-Identifier: Apache-2.0 */
/* play_blocks.h - the messages of logs in the order of time, in slots of a pool.
 *
 * A block of a log (log.h) is read, or decompressed, straight into a slot, by a thread of its own
 * and some blocks ahead, so that neither a slow disk nor a compression makes messages late; its
 * messages are published from there, without another copy. The order is (time of receiving, log,
 * block, place in the block), whatever the speed. Blocks whose times overlap stand in slots
 * together; a log in which more of them do than there are slots has to be put in order first
 * (sluice convert).
 *
 * Life:    create -> next ... -> destroy; rewind begins anew
 * Owner:   logs and the publisher are the caller's. A slot is on loan from its block's first
 *          message to its last.
 * Threads: one, which publishes. The reading one loads the logs: meanwhile nobody else may.
 * Errors:  those of log.h; -EAGAIN: no slot is free yet; -ENOBUFS: too many blocks overlap
 */
#ifndef SL_ROSBAG_COMPAT_PLAY_BLOCKS_H
#define SL_ROSBAG_COMPAT_PLAY_BLOCKS_H

#include "core/shm/sluice.h"
#include "rosbag_compat/play_reader.h"

struct play_blocks_options {
    struct play_reader_options reading;
    struct sl_publisher *publisher; /* any one over the pool that the slots are of */
    unsigned slots;                 /* that may be on loan at one time */
    unsigned ahead;                 /* so many of them for reading ahead; at least 1 */
};

struct play_item {
    unsigned log;
    struct sl_log_message message; /* offset: in the loan; topic: of that log */
    struct sl_loan *loan;          /* of its block: to be published with `more` */
    size_t *used_bytes;            /* of the loan; whoever writes behind them adds to it */
};

struct play_blocks;
int play_blocks_create(const struct play_blocks_options *options, struct play_blocks **ret_blocks);
/* The next message: 1; 0 at the end. It stays the next one until play_blocks_pass. */
int play_blocks_next(struct play_blocks *blocks, struct play_item *ret_item);
/* It was published, or not: what follows is next. The loan ends with its block's last message. */
void play_blocks_pass(struct play_blocks *blocks);
/* Parts of which not all is there, so far, and the first one's reason ("" if there is none). What
 * is good of them is played. */
uint64_t play_blocks_damaged(const struct play_blocks *blocks, const char **ret_reason);
/* Begin anew, at that time. Loans that are open go back. */
void play_blocks_rewind(struct play_blocks *blocks, uint64_t first_ns);
void play_blocks_destroy(struct play_blocks *blocks); /* NULL is fine */

#endif
