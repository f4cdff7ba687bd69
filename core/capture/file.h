/* SPDX-License-Identifier: Apache-2.0 */
/* file.h - the records of a capture file, read in large pieces.
 *
 * The file is read, not mapped: one that is cut or deleted meanwhile gives an error or an early
 * end, never a SIGBUS. Each byte is copied once, into a buffer that stays in the cache.
 *
 * Life:    open -> next ... -> rewind -> next ... -> close.
 * Owner:   a record's bytes are the file's, valid until the next call.
 * Threads: one at a time.
 * Errors:  as in capture.h, with the path in front.
 */
#ifndef SL_CAPTURE_FILE_H
#define SL_CAPTURE_FILE_H

#include "core/capture/capture.h"

struct sl_capture_file;

/* Returns 0 or -errno: what open() says, -EISDIR, -ENODATA for an empty file, -ESPIPE for what is
 * no regular file (it could not be rewound), -ENOMEM. The format is looked at by the first next. */
int sl_capture_file_open(const char *path, struct sl_capture_file **ret_file);
void sl_capture_file_close(struct sl_capture_file *file);

/* Returns 1, 0 at the end, or -errno (see capture.h; -EAGAIN is dealt with here). */
int sl_capture_file_next(struct sl_capture_file *file, struct sl_capture_record *ret_record);

/* Begin anew. */
void sl_capture_file_rewind(struct sl_capture_file *file);

/* How far it is read, of how many bytes (the file's size when it was opened or rewound). */
void sl_capture_file_progress(const struct sl_capture_file *file, uint64_t *ret_done_bytes,
                              uint64_t *ret_total_bytes);

/* SL_CAPTURE_UNKNOWN until next has seen the file's beginning, and after a rewind. */
enum sl_capture_format sl_capture_file_format(const struct sl_capture_file *file);

const char *sl_capture_file_path(const struct sl_capture_file *file);

#endif
