/* SPDX-License-Identifier: Apache-2.0 */
/* failing_writes.c - preloaded into a program of ours: its disk breaks.
 *
 * $FAILING_WRITES says which writes to files succeed, as "writev:5": of that function's calls the
 * first five do; of the next one only the first piece is written, and all others fail with EIO. */
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

static bool is_file(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

/* How many more calls of that function succeed; none are counted of others. */
static long left(const char *function, int fd)
{
    static _Atomic long calls;
    const char *given = getenv("FAILING_WRITES");
    size_t length = strlen(function);
    if (!given || strncmp(given, function, length) != 0 || given[length] != ':' || !is_file(fd))
        return 1;
    return atol(given + length + 1) - calls++;
}

static ssize_t fail(void)
{
    errno = EIO;
    return -1;
}

__attribute__((visibility("default"))) ssize_t writev(int fd, const struct iovec *pieces, int n)
{
    static ssize_t (*_Atomic real)(int fd, const struct iovec *pieces, int n);
    if (!real)
        real = (ssize_t(*)(int, const struct iovec *, int))dlsym(RTLD_NEXT, "writev");
    long more = left("writev", fd);
    return more < 0 ? fail() : real(fd, pieces, more == 0 ? 1 : n);
}

/* Of a file with 64-bit offsets, as all of ours are. */
ssize_t pwrite64(int fd, const void *from, size_t size, off_t offset);
__attribute__((visibility("default"))) ssize_t pwrite64(int fd, const void *from, size_t size,
                                                        off_t offset)
{
    static ssize_t (*_Atomic real)(int fd, const void *from, size_t size, off_t offset);
    if (!real)
        real = (ssize_t(*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, "pwrite64");
    return left("pwrite", fd) <= 0 ? fail() : real(fd, from, size, offset);
}
