/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite.h - what the logs need of libsqlite3, which only sqlite.c knows. Without the library every
 * opening is -ENOTSUP (sqlite_absent.c).
 *
 * Life:    open | create -> prepare ... -> close. Statements are finished before their database is
 *          closed. Texts and blobs of a row live until the statement's next step.
 * Threads: one at a time for a database.
 * Errors:  -EBADMSG damaged or no database, -ENOSPC, -ENOMEM, -ENOENT, -EBUSY, -EROFS, -EIO; the
 *          library's words stand in the sentence.
 */
#ifndef SL_ROSBAG_COMPAT_SQLITE_H
#define SL_ROSBAG_COMPAT_SQLITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sl_sqlite;
struct sl_sqlite_statement;

/* Read-only: nothing is written into it or beside it. A write-ahead log beside it is read with it,
 * also in a folder where nothing may be written; -ENOENT it cannot be. `fd` is open on the same
 * file, and stays so until the database is closed: to close one gives up a process's locks. */
int sl_sqlite_open(const char *path, int fd, struct sl_sqlite **ret_db);
/* A database that is in memory; the bytes are copied. */
int sl_sqlite_open_bytes(const void *bytes, size_t size_bytes, struct sl_sqlite **ret_db);
/* A new file; -EEXIST if it is there. */
int sl_sqlite_create(const char *path, struct sl_sqlite **ret_db);
void sl_sqlite_close(struct sl_sqlite *db); /* NULL is fine */

uint64_t sl_sqlite_size(struct sl_sqlite *db); /* of the database, in bytes */
int sl_sqlite_execute(struct sl_sqlite *db, const char *sql);

int sl_sqlite_prepare(struct sl_sqlite *db, const char *sql, struct sl_sqlite_statement **ret);
void sl_sqlite_finish(struct sl_sqlite_statement *statement); /* NULL is fine */
/* The next row: 1, 0 behind the last. */
int sl_sqlite_step(struct sl_sqlite_statement *statement);
void sl_sqlite_reset(struct sl_sqlite_statement *statement);

/* Parameters count from 1. Texts and blobs must stay until the statement is stepped. */
void sl_sqlite_bind_int(struct sl_sqlite_statement *statement, int at, int64_t value);
void sl_sqlite_bind_text(struct sl_sqlite_statement *statement, int at, const char *text);
void sl_sqlite_bind_bytes(struct sl_sqlite_statement *statement, int at, const void *bytes,
                          size_t size_bytes);

/* Columns count from 0. NULL is 0, "" and no bytes. */
int64_t sl_sqlite_int(struct sl_sqlite_statement *statement, int at);
const char *sl_sqlite_text(struct sl_sqlite_statement *statement, int at);
const void *sl_sqlite_bytes(struct sl_sqlite_statement *statement, int at, size_t *ret_size_bytes);

#endif
