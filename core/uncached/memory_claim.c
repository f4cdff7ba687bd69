/* SPDX-License-Identifier: Apache-2.0 */
/* memory_claim.c - who has which part of a device's memory: locks of open file descriptions, which
 * the kernel keeps and takes back (fcntl(2), F_OFD_SETLK). */
#include "core/base/error.h"
#include "core/uncached/memory_private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define LOOKS_MAX 4096 /* others that come and go while we look */

static struct flock range(short type, uint64_t at, uint64_t size_bytes)
{
    return (struct flock){
        .l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)at, .l_len = (off_t)size_bytes};
}

/* Where what somebody else has of it ends; 0 = nobody has any. */
static uint64_t end_of_other(int fd, uint64_t at, uint64_t size_bytes)
{
    struct flock other = range(F_WRLCK, at, size_bytes);
    if (fd < 0 || fcntl(fd, F_OFD_GETLK, &other) < 0 || other.l_type == F_UNLCK)
        return 0;
    return other.l_len == 0 ? UINT64_MAX
                            : sl_memory_round((uint64_t)other.l_start + (uint64_t)other.l_len);
}

static bool set(int fd, short type, uint64_t at, uint64_t size_bytes)
{
    struct flock wanted = range(type, at, size_bytes);
    return fd < 0 || fcntl(fd, F_OFD_SETLK, &wanted) == 0;
}

/* All of it to itself, for a moment, in both files; then as its readers have it. */
static bool try_claim(const int fds[2], uint64_t at, uint64_t size_bytes)
{
    bool is_ours = set(fds[0], F_WRLCK, at, size_bytes) && set(fds[1], F_WRLCK, at, size_bytes);
    set(fds[1], F_UNLCK, at, size_bytes);
    return set(fds[0], is_ours ? F_RDLCK : F_UNLCK, at, size_bytes) && is_ours;
}

int sl_memory_claim(const int fds[2], uint64_t from, uint64_t end, uint64_t size_bytes,
                    uint64_t *ret_at)
{
    const double mib = 1 << 20;
    if (size_bytes > end - from)
        return sl_error(-ENOMEM,
                        "%.1f MiB are wanted, there are %.1f MiB; take fewer or smaller "
                        "slots",
                        (double)size_bytes / mib, (double)(end - from) / mib);
    uint64_t at = from;
    for (int looks = 0; looks < LOOKS_MAX && at <= end && size_bytes <= end - at; looks++) {
        uint64_t first = end_of_other(fds[0], at, size_bytes);
        uint64_t second = end_of_other(fds[1], at, size_bytes);
        if (first > 0 || second > 0) {
            at = first > second ? first : second;
        } else if (try_claim(fds, at, size_bytes)) {
            *ret_at = at;
            return 0;
        }
    }
    return sl_error(-EBUSY,
                    "%.1f MiB are wanted of %.1f MiB, but other pools have too much of them (or "
                    "readers hold frames of one); end them, or take fewer or smaller slots",
                    (double)size_bytes / mib, (double)(end - from) / mib);
}

int sl_memory_share(int fd, uint64_t at, uint64_t size_bytes)
{
    return set(fd, F_RDLCK, at, size_bytes)
               ? 0
               : sl_error(errno, "a lock of what was claimed: %s", strerror(errno));
}
