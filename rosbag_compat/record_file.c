/* SPDX-License-Identifier: Apache-2.0 */
#include "rosbag_compat/record_file.h"

#include "core/base/error.h"
#include "rosbag_compat/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define PIECES_MAX 64
#define SEND_BYTES (UINT64_C(8) << 20) /* are sent to the disk together */
#define ROW_BYTES  128                 /* of a message's row and its place in the index, at most */
#define PAGE_BYTES 4096                /* of a database */

struct record_file {
    char path[PATH_MAX];
    bool is_database;
    struct sl_log_writer *writer;
    int fd;
    uint64_t offset, sent, forgotten; /* written, on the way, on the disk */
    struct sl_sqlite *db;
};

static int file_error(struct record_file *f, int err)
{
    return sl_error(err, "%s: %s after %.1f MB; what is there is readable: 'sluice recover %s'",
                    f->path, strerror(-err), (double)f->offset / 1e6, f->path);
}

/* The sink of files. --------------------------------------------------------------------------- */

/* Passes over what was written, in pieces and within them. */
static unsigned advance(struct iovec *pieces, unsigned count, size_t written)
{
    unsigned done = 0;
    while (done < count && written >= pieces[done].iov_len)
        written -= pieces[done++].iov_len;
    if (done < count) {
        pieces[done].iov_base = (char *)pieces[done].iov_base + written;
        pieces[done].iov_len -= written;
    }
    return done;
}

/* The disk gets what was written without waiting for the kernel to find that memory is short, and
 * the page cache is left to others. Advice: whether it is taken does not matter. */
static void send(struct record_file *f)
{
    if (f->offset - f->sent < SEND_BYTES)
        return;
    sync_file_range(f->fd, (off_t)f->sent, (off_t)(f->offset - f->sent), SYNC_FILE_RANGE_WRITE);
    if (f->sent > f->forgotten)
        posix_fadvise(f->fd, (off_t)f->forgotten, (off_t)(f->sent - f->forgotten),
                      POSIX_FADV_DONTNEED);
    f->forgotten = f->sent;
    f->sent = f->offset;
}

static int write_pieces(void *state, const struct iovec *pieces, unsigned count)
{
    struct record_file *f = state;
    struct iovec rest[PIECES_MAX];
    if (count > PIECES_MAX)
        return sl_error(-EINVAL, "%s: a message in %u pieces", f->path, count);
    memcpy(rest, pieces, count * sizeof *pieces);
    for (unsigned at = 0; at < count;) {
        ssize_t written = writev(f->fd, rest + at, (int)(count - at));
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0 || (written == 0 && rest[at].iov_len > 0))
            return file_error(f, written < 0 ? -errno : -EIO);
        f->offset += (uint64_t)written;
        at += advance(rest + at, count - at, (size_t)written);
    }
    send(f);
    return 0;
}

static int write_at(void *state, uint64_t offset, const void *bytes, size_t size_bytes)
{
    struct record_file *f = state;
    for (size_t done = 0; done < size_bytes;) {
        ssize_t written =
            pwrite(f->fd, (const char *)bytes + done, size_bytes - done, (off_t)(offset + done));
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return file_error(f, written < 0 ? -errno : -EIO);
        done += (size_t)written;
    }
    return 0;
}

/* Opening. ------------------------------------------------------------------------------------- */

static int make_file(struct record_file *f, enum sl_log_output_kind kind,
                     const struct sl_log_write_options *writing, bool overwrite)
{
    f->fd = open(f->path, O_WRONLY | O_CREAT | O_CLOEXEC | (overwrite ? O_TRUNC : O_EXCL), 0666);
    if (f->fd < 0 && errno == EEXIST)
        return sl_error(-EEXIST, "%s is there already; take another name, or --overwrite", f->path);
    if (f->fd < 0)
        return sl_error(-errno, "%s cannot be made: %s", f->path, strerror(errno));
    const struct sl_log_sink sink = {.write = write_pieces, .write_at = write_at, .state = f};
    return kind == SL_LOG_OUTPUT_ROSBAG1 ? sl_ros1_writer_create(&sink, writing, &f->writer)
                                         : sl_mcap_writer_create(&sink, writing, &f->writer);
}

/* A killed process leaves a write-ahead log, which readers take up. */
static int make_database(struct record_file *f, const struct sl_log_write_options *writing,
                         bool overwrite)
{
    if (overwrite)
        unlink(f->path);
    int err = sl_sqlite_create(f->path, &f->db);
    if (err == 0)
        err = sl_sqlite_execute(f->db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF");
    if (err == 0)
        err = sl_rosbag2_sqlite_writer_create(f->db, 0, writing, &f->writer);
    return err;
}

int record_file_open(const char *path, enum sl_log_output_kind kind,
                     const struct sl_log_write_options *writing, bool overwrite,
                     struct record_file **ret_file)
{
    struct record_file *f = calloc(1, sizeof *f);
    if (!f)
        return sl_error(-ENOMEM, "no memory for a recording");
    snprintf(f->path, sizeof f->path, "%s", path);
    f->fd = -1;
    f->is_database = kind == SL_LOG_OUTPUT_ROSBAG2_SQLITE;
    int err = f->is_database ? make_database(f, writing, overwrite)
                             : make_file(f, kind, writing, overwrite);
    if (err < 0) {
        uint64_t bytes;
        char why[SL_ERROR_TEXT_MAX];
        snprintf(why, sizeof why, "%s", sl_error_text());
        record_file_end(f, &bytes);
        return sl_error(err, "%s", why);
    }
    *ret_file = f;
    return 0;
}

struct sl_log_writer *record_file_writer(struct record_file *f)
{
    return f->writer;
}

/* Sizes. --------------------------------------------------------------------------------------- */

uint64_t record_file_bytes(struct record_file *f)
{
    return f->db ? sl_sqlite_size(f->db) : f->offset;
}

/* A row goes to a page of its own if it does not fit the last one; a large one to whole pages, each
 * with the number of the next. */
static uint64_t rows_bound(uint64_t count, uint64_t size_bytes)
{
    uint64_t gaps = size_bytes < 2 * PAGE_BYTES ? size_bytes : 2 * PAGE_BYTES;
    gaps += 2 * PAGE_BYTES * (count - 1);
    return size_bytes + size_bytes / 256 + gaps + count * ROW_BYTES;
}

uint64_t record_file_bound(struct record_file *f, uint64_t count, uint64_t size_bytes,
                           uint64_t topic_bytes)
{
    return f->is_database /* pages that split: three tables and an index */
               ? record_file_bytes(f) + topic_bytes + count * 4 * PAGE_BYTES +
                     rows_bound(count, size_bytes)
               : sl_log_write_bound(f->writer, count, size_bytes + topic_bytes);
}

/* Flushing and ending. ------------------------------------------------------------------------- */

int record_file_flush(struct record_file *f)
{
    struct stat st;
    int err = sl_log_write_flush(f->writer);
    if (err < 0)
        return f->db ? sl_error_at(err, "%s", f->path) : err;
    bool is_gone = f->fd >= 0 ? fstat(f->fd, &st) == 0 && st.st_nlink == 0
                              : stat(f->path, &st) < 0 && errno == ENOENT;
    return is_gone ? sl_error(-ENOENT, "%s was removed while it was written, with %.1f MB", f->path,
                              (double)record_file_bytes(f) / 1e6)
                   : 0;
}

int record_file_end(struct record_file *f, uint64_t *ret_bytes)
{
    if (!f)
        return 0;
    int err = f->writer ? sl_log_write_end(f->writer) : 0;
    sl_log_writer_destroy(f->writer);
    if (f->db) { /* the write-ahead log goes into the file, but while somebody reads it */
        int closed = sl_sqlite_execute(f->db, "PRAGMA journal_mode=DELETE");
        err = err < 0 || closed == -EBUSY ? err : closed;
    }
    *ret_bytes = record_file_bytes(f);
    if (f->db && err < 0) /* which does not know where it lies */
        err = sl_error_at(err, "%s", f->path);
    sl_sqlite_close(f->db);
    if (f->fd >= 0 && close(f->fd) < 0 && err == 0)
        err = file_error(f, -errno);
    free(f);
    return err;
}
