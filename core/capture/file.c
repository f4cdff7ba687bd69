/* SPDX-License-Identifier: Apache-2.0 */
#include "core/capture/file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/error.h"

/* Large enough that system calls do not count, small enough for a core's own cache. */
#define PIECE_BYTES 262144
/* What a step of the reader may leave over, and a piece behind it. */
#define BUFFER_BYTES (SL_CAPTURE_BLOCK_MAX_BYTES + PIECE_BYTES)

struct sl_capture_file {
    char *path;
    int fd;
    uint64_t total_bytes;
    uint64_t read_bytes; /* where the next piece begins */
    struct sl_capture_reader reader;
    uint8_t buffer[BUFFER_BYTES];
};

void sl_capture_file_close(struct sl_capture_file *file)
{
    if (!file)
        return;
    if (file->fd >= 0)
        close(file->fd);
    free(file->path);
    free(file);
}

static int check_kind(struct sl_capture_file *file)
{
    struct stat status;
    if (fstat(file->fd, &status) < 0)
        return sl_error(errno, "capture %s: %s", file->path, strerror(errno));
    if (S_ISDIR(status.st_mode))
        return sl_error(-EISDIR, "capture %s: is a directory; name a file in it", file->path);
    if (!S_ISREG(status.st_mode))
        return sl_error(-ESPIPE,
                        "capture %s: is no regular file and cannot be rewound; save what it gives "
                        "into a file and name that",
                        file->path);
    if (status.st_size == 0)
        return sl_error(-ENODATA, "capture %s: is empty (0 bytes)", file->path);
    file->total_bytes = (uint64_t)status.st_size;
    return 0;
}

static int open_file(struct sl_capture_file *file)
{
    /* O_NONBLOCK: a pipe without a writer must not hold us here. */
    file->fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file->fd < 0)
        return sl_error(errno, "capture %s: %s%s", file->path, strerror(errno),
                        errno == EACCES   ? "; its owner may allow reading with chmod"
                        : errno == ENOENT ? "; check the path, relative paths begin where the "
                                            "program was started"
                                          : "");
    int err = check_kind(file);
    if (err)
        return err;
    posix_fadvise(file->fd, 0, 0, POSIX_FADV_SEQUENTIAL); /* advice: failing costs nothing */
    return 0;
}

int sl_capture_file_open(const char *path, struct sl_capture_file **ret_file)
{
    struct sl_capture_file *file = malloc(sizeof *file);
    if (!file)
        return sl_error(-ENOMEM, "capture %s: no memory for its buffer", path);
    memset(file, 0, offsetof(struct sl_capture_file, buffer));
    file->fd = -1;
    file->path = strdup(path);
    int err = file->path ? open_file(file) : sl_error(-ENOMEM, "capture %s: no memory", path);
    if (err) {
        sl_capture_file_close(file);
        return err;
    }
    sl_capture_reader_begin(&file->reader);
    *ret_file = file;
    return 0;
}

/* Move what is left to the front and read a piece behind it. */
static int feed(struct sl_capture_file *file)
{
    size_t left = sl_capture_reader_left(&file->reader);
    assert(left <= BUFFER_BYTES - PIECE_BYTES); /* what the reader promises of a step */
    if (left > 0)
        memmove(file->buffer, file->reader.bytes + file->reader.at, left);
    ssize_t count;
    do
        count = pread(file->fd, file->buffer + left, PIECE_BYTES, (off_t)file->read_bytes);
    while (count < 0 && errno == EINTR);
    if (count < 0)
        return sl_error(errno, "cannot be read at byte %" PRIu64 ": %s", file->read_bytes,
                        strerror(errno));
    file->read_bytes += (uint64_t)count;
    sl_capture_reader_feed(&file->reader, file->buffer, left + (size_t)count, count == 0);
    return 0;
}

int sl_capture_file_next(struct sl_capture_file *file, struct sl_capture_record *ret_record)
{
    int result;
    while ((result = sl_capture_next(&file->reader, ret_record)) == -EAGAIN) {
        result = feed(file);
        if (result < 0)
            break;
    }
    return result < 0 ? sl_error_at(result, "capture %s", file->path) : result;
}

void sl_capture_file_rewind(struct sl_capture_file *file)
{
    struct stat status;
    if (fstat(file->fd, &status) == 0)
        file->total_bytes = (uint64_t)status.st_size;
    file->read_bytes = 0;
    sl_capture_reader_begin(&file->reader);
}

void sl_capture_file_progress(const struct sl_capture_file *file, uint64_t *ret_done_bytes,
                              uint64_t *ret_total_bytes)
{
    *ret_done_bytes = sl_capture_reader_offset(&file->reader);
    *ret_total_bytes = file->total_bytes;
}

enum sl_capture_format sl_capture_file_format(const struct sl_capture_file *file)
{
    return file->reader.format;
}

const char *sl_capture_file_path(const struct sl_capture_file *file)
{
    return file->path;
}
