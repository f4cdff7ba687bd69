/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_absent.c - built where libsqlite3 is not there: nothing opens, so nothing else is called.
 */
#include "core/base/error.h"
#include "rosbag_compat/sqlite.h"

#include <errno.h>

static int absent(void)
{
    return sl_error(-ENOTSUP, "this build cannot read SQLite; build with libsqlite3-dev");
}

int sl_sqlite_open(const char *path, int fd, struct sl_sqlite **ret_db)
{
    (void)path;
    (void)fd;
    (void)ret_db;
    return absent();
}

int sl_sqlite_open_bytes(const void *bytes, size_t size_bytes, struct sl_sqlite **ret_db)
{
    (void)bytes;
    (void)size_bytes;
    (void)ret_db;
    return absent();
}

int sl_sqlite_create(const char *path, struct sl_sqlite **ret_db)
{
    (void)path;
    (void)ret_db;
    return absent();
}

void sl_sqlite_close(struct sl_sqlite *db)
{
    (void)db;
}

uint64_t sl_sqlite_size(struct sl_sqlite *db)
{
    (void)db;
    return 0;
}

int sl_sqlite_execute(struct sl_sqlite *db, const char *sql)
{
    (void)db;
    (void)sql;
    return absent();
}

int sl_sqlite_prepare(struct sl_sqlite *db, const char *sql, struct sl_sqlite_statement **ret)
{
    (void)db;
    (void)sql;
    (void)ret;
    return absent();
}

void sl_sqlite_finish(struct sl_sqlite_statement *statement)
{
    (void)statement;
}

int sl_sqlite_step(struct sl_sqlite_statement *statement)
{
    (void)statement;
    return absent();
}

void sl_sqlite_reset(struct sl_sqlite_statement *statement)
{
    (void)statement;
}

void sl_sqlite_bind_int(struct sl_sqlite_statement *statement, int at, int64_t value)
{
    (void)statement;
    (void)at;
    (void)value;
}

void sl_sqlite_bind_text(struct sl_sqlite_statement *statement, int at, const char *text)
{
    (void)statement;
    (void)at;
    (void)text;
}

void sl_sqlite_bind_bytes(struct sl_sqlite_statement *statement, int at, const void *bytes,
                          size_t size_bytes)
{
    (void)statement;
    (void)at;
    (void)bytes;
    (void)size_bytes;
}

int64_t sl_sqlite_int(struct sl_sqlite_statement *statement, int at)
{
    (void)statement;
    (void)at;
    return 0;
}

const char *sl_sqlite_text(struct sl_sqlite_statement *statement, int at)
{
    (void)statement;
    (void)at;
    return "";
}

const void *sl_sqlite_bytes(struct sl_sqlite_statement *statement, int at, size_t *ret_size_bytes)
{
    (void)statement;
    (void)at;
    (void)ret_size_bytes;
    return "";
}
