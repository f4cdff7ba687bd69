/* SPDX-License-Identifier: Apache-2.0 */
/* record_snapshot.h - the last seconds of the topics, kept in memory, and written when asked for.
 *
 * Messages are copied into a ring of ours and let go at once: holding them would use up what
 * publishers allow a reader. A snapshot is written a piece at a time, between messages that come;
 * what would be overwritten before it is written is written first. So nothing is lost by it, and
 * the file holds what stood in the ring when it was asked for. Asked again meanwhile, it becomes
 * longer. It begins with the last message of each
 * publisher of a latched topic that the ring has no longer.
 *
 * Life:    open -> topic, frame, ask, work ... -> close
 * Owner:   topics and their texts stay the caller's and must outlive it.
 * Threads: one
 * Errors:  of writing: told, and the ring goes on; another snapshot may find room again.
 */
#ifndef SL_ROSBAG_COMPAT_RECORD_SNAPSHOT_H
#define SL_ROSBAG_COMPAT_RECORD_SNAPSHOT_H

#include "core/shm/sluice.h"
#include "rosbag_compat/record_output.h"

struct record_snapshot_options {
    /* "drive.mcap": drive_0.mcap, drive_1.mcap ..., the first that is not there yet */
    struct record_output_options output;
    uint64_t ring_bytes; /* of memory, messages' heads included */
    uint64_t span_ns;    /* older ones are dropped; 0: only for want of room */
};

struct record_snapshot_counts {
    uint64_t held_messages, held_bytes, held_ns; /* in the ring now */
    uint64_t messages, bytes;                    /* written */
    uint64_t too_large;                          /* messages that the ring could never hold */
    uint64_t unfit;         /* bodies that are not of their topic's type, which were left out */
    unsigned files, failed; /* snapshots */
};

struct record_snapshot;

/* Also looks whether files can be made where they shall be: -EACCES, -ENOENT. */
int record_snapshot_open(const struct record_snapshot_options *options,
                         struct record_snapshot **ret_snapshot);
int record_snapshot_topic(struct record_snapshot *snapshot, const struct sl_log_topic *topic,
                          bool is_latched, uint32_t *ret_index);
/* Keep a copy. Returns 1 if it was kept, 0 if the frame was taken back meanwhile or is too large.
 */
int record_snapshot_frame(struct record_snapshot *snapshot, const struct sl_log_message *message,
                          const struct sl_frame *frame);
/* Begin to write what is held. */
void record_snapshot_ask(struct record_snapshot *snapshot);
/* Forget what is too old at `now_ns` (as receive_ns), write a piece. Returns whether there is more
 * to write. */
bool record_snapshot_work(struct record_snapshot *snapshot, uint64_t now_ns);
struct record_snapshot_counts record_snapshot_counts(const struct record_snapshot *snapshot);
/* What is being written is written to its end. Returns how many snapshots failed, ever. NULL is
 * fine. */
unsigned record_snapshot_close(struct record_snapshot *snapshot);

#endif
