/* SPDX-License-Identifier: Apache-2.0 */
/* record_file.h - one file of a recording: MCAP, a ROS 1 bag, or a database of rosbag2.
 *
 * Files are written by writev, from where a body lies; what was written is sent to the disk as it
 * comes, and forgotten, so that the page cache is left to others. A database is written by SQLite,
 * which copies. Its write-ahead log is not waited for: a process that is killed loses nothing that
 * was flushed, a machine that loses its power may lose the last seconds.
 *
 * Life:    open -> writer ... flush ... -> end
 * Threads: one
 * Errors:  -EEXIST (a file is there), -ENOSPC and whatever the system says, with the file's name
 *          and what became of what was written. After one, only end.
 */
#ifndef SL_ROSBAG_COMPAT_RECORD_FILE_H
#define SL_ROSBAG_COMPAT_RECORD_FILE_H

#include "rosbag_compat/files.h"

struct record_file;

/* `kind` of a folder means the files in it. */
int record_file_open(const char *path, enum sl_log_output_kind kind,
                     const struct sl_log_write_options *writing, bool overwrite,
                     struct record_file **ret_file);
/* For topics and messages. */
struct sl_log_writer *record_file_writer(struct record_file *file);
/* Bytes on the disk or on the way there. */
uint64_t record_file_bytes(struct record_file *file);
/* Were it ended behind `count` messages (at least 1) more that have `size_bytes` together, and
 * topics of `topic_bytes`: never less than it will have. */
uint64_t record_file_bound(struct record_file *file, uint64_t count, uint64_t size_bytes,
                           uint64_t topic_bytes);
/* Hand over what was gathered. Also looks whether the file is still there: -ENOENT. */
int record_file_flush(struct record_file *file);
/* Writes the index and closes. What fails is told, and `ret_bytes` set all the same; the rest is
 * freed. NULL is fine. */
int record_file_end(struct record_file *file, uint64_t *ret_bytes);

#endif
