/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite.c - the only file that knows libsqlite3. */
#include "rosbag_compat/sqlite.h"

#include "core/base/error.h"

#include <errno.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* "Database File Format", 1.3: the file's header. */
#define HEADER_BYTES  100
#define WRITE_VERSION 18
#define READ_VERSION  19

/* Steps of SQLite's machine that a statement may take, beside so many for each byte of the
 * database: pages that point in a circle have no end. */
#define STEPS_AT_LEAST 100000
#define STEPS_PER_BYTE 16
#define STEPS_AT_ONCE  1000

struct sl_sqlite {
    sqlite3 *handle;
    uint64_t steps_max, steps; /* steps_max 0: a database of our own */
};
struct sl_sqlite_statement {
    sqlite3_stmt *handle;
    struct sl_sqlite *db;
    bool failed; /* a bind did not take its value */
};

static int error_of(sqlite3 *handle, int code)
{
    int err = EIO;
    switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_ERROR: /* no such table or column */
    case SQLITE_MISMATCH:
    case SQLITE_INTERRUPT: /* by count_steps */
        err = EBADMSG;
        break;
    case SQLITE_FULL:
    case SQLITE_TOOBIG:
        err = ENOSPC;
        break;
    case SQLITE_NOMEM:
        err = ENOMEM;
        break;
    case SQLITE_CANTOPEN:
        err = ENOENT;
        break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        err = EBUSY;
        break;
    case SQLITE_READONLY:
    case SQLITE_PERM:
        err = EROFS;
        break;
    }
    return sl_error(err, "database: %s", handle ? sqlite3_errmsg(handle) : sqlite3_errstr(code));
}

/* Opening ---------------------------------------------------------------------------------------*/

/* Nothing in a file of unknown origin may run more than the queries that are made here. */
static void restrain(sqlite3 *handle)
{
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    sqlite3_exec(handle, "PRAGMA cell_size_check=ON", NULL, NULL, NULL);
}

static int wrap(sqlite3 *handle, struct sl_sqlite **ret_db)
{
    struct sl_sqlite *db = malloc(sizeof *db);
    if (!db) {
        sqlite3_close(handle);
        return sl_error(-ENOMEM, "no memory for a database");
    }
    *db = (struct sl_sqlite){.handle = handle};
    *ret_db = db;
    return 0;
}

static int count_steps(void *state)
{
    struct sl_sqlite *db = state;
    db->steps += STEPS_AT_ONCE;
    return db->steps > db->steps_max;
}

static int wrap_foreign(sqlite3 *handle, struct sl_sqlite **ret_db)
{
    int err = wrap(handle, ret_db);
    if (err)
        return err;
    struct sl_sqlite *db = *ret_db;
    db->steps_max = STEPS_AT_LEAST + STEPS_PER_BYTE * sl_sqlite_size(db);
    sqlite3_progress_handler(handle, STEPS_AT_ONCE, count_steps, db);
    return 0;
}

/* file:PATH?WITH, every byte of the path that means something in a URI written as %XX. */
static char *uri_of(const char *path, const char *with)
{
    size_t room = 3 * strlen(path) + strlen(with) + 8;
    char *uri = malloc(room);
    if (!uri)
        return NULL;
    char *to = uri + sprintf(uri, "file:");
    for (const char *c = path; *c; c++)
        to += sprintf(to, strchr("%?#", *c) ? "%%%02x" : "%c", (unsigned char)*c);
    sprintf(to, "?%s", with);
    return uri;
}

/* `with`: of the URI. `first`: before anything is read, or NULL. */
static int open_with(const char *path, const char *with, int flags, const char *first,
                     sqlite3 **ret_handle)
{
    char *uri = uri_of(path, with);
    sqlite3 *handle = NULL;
    if (!uri)
        return sl_error(-ENOMEM, "no memory for a database");
    int code = sqlite3_open_v2(uri, &handle, flags | SQLITE_OPEN_URI, NULL);
    free(uri);
    if (code == SQLITE_OK) {
        restrain(handle);
        sqlite3_exec(handle, first, NULL, NULL, NULL);
        code = sqlite3_exec(handle, "SELECT count(*) FROM sqlite_master", NULL, NULL, NULL);
    }
    if (code != SQLITE_OK) {
        int err = error_of(handle, code);
        sqlite3_close(handle);
        return err;
    }
    *ret_handle = handle;
    return 0;
}

static bool has_beside(const char *path, const char *ending)
{
    char name[PATH_MAX + 8];
    snprintf(name, sizeof name, "%s%s", path, ending);
    return access(name, F_OK) == 0;
}

/* Does its header say that there may be a write-ahead log? */
static bool uses_wal(int fd)
{
    uint8_t version = 0;
    return pread(fd, &version, 1, READ_VERSION) == 1 && version == 2;
}

/* Nobody has it open: so no locks, and no memory for them beside it. Its write-ahead log is read
 * by an index in memory of our own, and stays as it is. */
static int open_alone(const char *path, sqlite3 **ret_handle)
{
    if (!has_beside(path, "-wal")) /* which SQLite would make */
        return open_with(path, "immutable=1", SQLITE_OPEN_READONLY, NULL, ret_handle);
    int err = open_with(path, "mode=ro&vfs=unix-none", SQLITE_OPEN_READONLY,
                        "PRAGMA locking_mode=EXCLUSIVE", ret_handle);
    return err == -ENOENT ? sl_error(err, "%s: its write-ahead log, %s-wal, must be readable, too",
                                     sl_error_text(), path)
                          : err;
}

/* Who has a database with a write-ahead log open keeps the log and memory for locks beside it, in
 * -wal and -shm. Where one is absent, nobody writes, and the way that makes neither is taken. */
int sl_sqlite_open(const char *path, int fd, struct sl_sqlite **ret_db)
{
    char real[PATH_MAX]; /* beside which SQLite looks, too */
    sqlite3 *handle;
    int err = -ENOENT;
    if (!realpath(path, real))
        return sl_error(errno, "%s", strerror(errno));
    if (!uses_wal(fd) || (has_beside(real, "-wal") && has_beside(real, "-shm")))
        err = open_with(real, "mode=ro", SQLITE_OPEN_READONLY, NULL, &handle);
    if (err == -ENOENT || err == -EROFS) /* or they cannot be used in this folder */
        err = open_alone(real, &handle);
    if (err)
        return err;
    sqlite3_db_config(handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    return wrap_foreign(handle, ret_db);
}

int sl_sqlite_open_bytes(const void *bytes, size_t size_bytes, struct sl_sqlite **ret_db)
{
    sqlite3 *handle = NULL;
    unsigned char *copy = sqlite3_malloc64(size_bytes ? size_bytes : 1);
    int code =
        copy ? sqlite3_open_v2(":memory:", &handle, SQLITE_OPEN_READWRITE, NULL) : SQLITE_NOMEM;
    if (code == SQLITE_OK) {
        restrain(handle);
        memcpy(copy, bytes, size_bytes);
        if (size_bytes >= HEADER_BYTES && copy[WRITE_VERSION] == 2 && copy[READ_VERSION] == 2)
            copy[WRITE_VERSION] = copy[READ_VERSION] = 1; /* no write-ahead log in memory */
        code = sqlite3_deserialize(handle, "main", copy, (sqlite3_int64)size_bytes,
                                   (sqlite3_int64)size_bytes,
                                   SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_READONLY);
        copy = NULL;
    }
    if (code == SQLITE_OK)
        code = sqlite3_exec(handle, "SELECT count(*) FROM sqlite_master", NULL, NULL, NULL);
    if (code != SQLITE_OK) {
        int err = error_of(handle, code);
        sqlite3_free(copy);
        sqlite3_close(handle);
        return err;
    }
    return wrap_foreign(handle, ret_db);
}

int sl_sqlite_create(const char *path, struct sl_sqlite **ret_db)
{
    sqlite3 *handle;
    FILE *file = fopen(path, "wxe");
    if (!file)
        return sl_error(errno, "%s: %s", path, strerror(errno));
    fclose(file);
    int err = open_with(path, "mode=rw", SQLITE_OPEN_READWRITE, NULL, &handle);
    return err ? err : wrap(handle, ret_db);
}

void sl_sqlite_close(struct sl_sqlite *db)
{
    if (!db)
        return;
    sqlite3_close(db->handle);
    free(db);
}

/* Statements ------------------------------------------------------------------------------------*/

int sl_sqlite_execute(struct sl_sqlite *db, const char *sql)
{
    int code = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? 0 : error_of(db->handle, code);
}

static int64_t pragma(struct sl_sqlite *db, const char *sql)
{
    struct sl_sqlite_statement *statement;
    int64_t value = 0;
    if (sl_sqlite_prepare(db, sql, &statement))
        return 0;
    if (sl_sqlite_step(statement) == 1)
        value = sl_sqlite_int(statement, 0);
    sl_sqlite_finish(statement);
    return value;
}

uint64_t sl_sqlite_size(struct sl_sqlite *db)
{
    return (uint64_t)pragma(db, "PRAGMA page_count") * (uint64_t)pragma(db, "PRAGMA page_size");
}

int sl_sqlite_prepare(struct sl_sqlite *db, const char *sql, struct sl_sqlite_statement **ret)
{
    struct sl_sqlite_statement *statement = calloc(1, sizeof *statement);
    if (!statement)
        return sl_error(-ENOMEM, "no memory for a database");
    int code = sqlite3_prepare_v2(db->handle, sql, -1, &statement->handle, NULL);
    if (code != SQLITE_OK) {
        free(statement);
        return error_of(db->handle, code);
    }
    statement->db = db;
    db->steps = 0;
    *ret = statement;
    return 0;
}

void sl_sqlite_finish(struct sl_sqlite_statement *statement)
{
    if (!statement)
        return;
    sqlite3_finalize(statement->handle);
    free(statement);
}

int sl_sqlite_step(struct sl_sqlite_statement *statement)
{
    if (statement->failed)
        return sl_error(-ENOSPC, "database: a value is too large for it");
    int code = sqlite3_step(statement->handle);
    if (code == SQLITE_ROW)
        return 1;
    return code == SQLITE_DONE ? 0 : error_of(sqlite3_db_handle(statement->handle), code);
}

void sl_sqlite_reset(struct sl_sqlite_statement *statement)
{
    sqlite3_reset(statement->handle);
    statement->failed = false;
    statement->db->steps = 0;
}

void sl_sqlite_bind_int(struct sl_sqlite_statement *statement, int at, int64_t value)
{
    statement->failed |= sqlite3_bind_int64(statement->handle, at, value) != SQLITE_OK;
}

void sl_sqlite_bind_text(struct sl_sqlite_statement *statement, int at, const char *text)
{
    statement->failed |=
        sqlite3_bind_text(statement->handle, at, text, -1, SQLITE_STATIC) != SQLITE_OK;
}

void sl_sqlite_bind_bytes(struct sl_sqlite_statement *statement, int at, const void *bytes,
                          size_t size_bytes)
{
    statement->failed |= sqlite3_bind_blob64(statement->handle, at, size_bytes ? bytes : "",
                                             size_bytes, SQLITE_STATIC) != SQLITE_OK;
}

int64_t sl_sqlite_int(struct sl_sqlite_statement *statement, int at)
{
    return sqlite3_column_int64(statement->handle, at);
}

const char *sl_sqlite_text(struct sl_sqlite_statement *statement, int at)
{
    const char *text = (const char *)sqlite3_column_text(statement->handle, at);
    return text ? text : "";
}

const void *sl_sqlite_bytes(struct sl_sqlite_statement *statement, int at, size_t *ret_size_bytes)
{
    const void *bytes = sqlite3_column_blob(statement->handle, at);
    *ret_size_bytes = bytes ? (size_t)sqlite3_column_bytes(statement->handle, at) : 0;
    return bytes;
}
