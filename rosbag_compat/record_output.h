/* SPDX-License-Identifier: Apache-2.0 */
/* record_output.h - the files of a recording: one, or one after the other.
 *
 * A file ends before the message that would make it larger than asked for, or span more time; the
 * next one begins with the last messages of each latched topic, so that each can be played alone,
 * as far as they fit beside the message that did not go into the file before. What the caller hands
 * over is in the kernel's hands when a call returns, or in the chunk that is gathered: at most
 * until the next flush. The page cache is not filled: what was written is sent to the disk as it
 * comes, and forgotten.
 *
 * A ROS 1 bag gets messages as ROS 1 serialises them, which copies; only types that ROS 1 has, and
 * that Sluice knows, can be written into one. A body that is no such message is left out, counted.
 *
 * Life:    open -> topic, message, flush ... -> close
 * Owner:   topics and their texts stay the caller's and must outlive the output; bodies may go when
 *          a call returns
 * Threads: one
 * Errors:  -EEXIST (a file is there), -ENOSPC and whatever the system says, with the file's name
 *          and what became of what was written. After one, only close.
 */
#ifndef SL_ROSBAG_COMPAT_RECORD_OUTPUT_H
#define SL_ROSBAG_COMPAT_RECORD_OUTPUT_H

#include "rosbag_compat/files.h"

struct record_output_options {
    /* "drive.mcap"; split: drive_0.mcap, drive_1.mcap ...; a folder: drive/drive_0.mcap ... */
    const char *path;
    enum sl_log_output_kind kind;
    struct sl_log_write_options writing;
    uint64_t split_bytes; /* 0: no limit */
    uint64_t split_ns;
    bool overwrite;
};

struct record_output_counts {
    uint64_t messages, bytes; /* handed over; bytes of all files */
    unsigned files;
    uint64_t unfit;        /* bodies that are not of their topic's type, which were left out */
    unsigned not_kept;     /* latched messages that were too large to be repeated anywhere */
    unsigned not_repeated; /* those that had no room in a further file beside its first message */
};

struct record_output;

int record_output_open(const struct record_output_options *options,
                       struct record_output **ret_output);
/* Can messages of that type be written? -ENOTSUP, with the way out. */
int record_output_check_topic(enum sl_log_output_kind kind, const struct sl_log_topic *topic);
/* The last message of each publisher of a latched topic is repeated at the beginning of each
 * further file (record_latched.h). */
int record_output_topic(struct record_output *output, const struct sl_log_topic *topic,
                        bool is_latched, uint32_t *ret_index);
/* `publisher` is the instance that sent it. */
int record_output_message(struct record_output *output, uint64_t publisher,
                          const struct sl_log_message *message, const struct iovec *body,
                          unsigned pieces);
/* Hand what was gathered to the kernel. Also looks whether the file is still there: -ENOENT. */
int record_output_flush(struct record_output *output);
struct record_output_counts record_output_counts(const struct record_output *output);
/* The name of the file that is written now. */
const char *record_output_file(const struct record_output *output);
/* Writes the index. What fails is told; the rest is freed all the same. NULL is fine. */
int record_output_close(struct record_output *output);

#endif
