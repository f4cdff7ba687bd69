/* SPDX-License-Identifier: Apache-2.0 */
/* read_ring.h - reads of files, many under way at one time, by io_uring.
 *
 * Life:    open -> lend; add, start, next ... -> close, when none is under way any more
 * Owner:   files and memory are the caller's; what is read into stays until its read came back
 * Threads: one at a time
 * Errors:  open: -ENOTSUP built without liburing; -ENOSYS, -EPERM: the kernel has no io_uring, or
 *          it is forbidden here (kernel.io_uring_disabled, a container's seccomp); -ENOMEM
 */
#ifndef SL_ROSBAG_COMPAT_READ_RING_H
#define SL_ROSBAG_COMPAT_READ_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define READ_RING_DEPTH 256u

struct read_ring_read {
    int fd;
    uint64_t offset;
    void *to;
    uint32_t size_bytes;
    void *tag; /* whose it is */
};

struct read_ring_result {
    struct read_ring_read read;
    int32_t result; /* bytes that came, or -errno */
};

struct read_ring;
int read_ring_open(struct read_ring **ret_ring);
void read_ring_close(struct read_ring *ring); /* NULL is fine */

/* Memory that reads go into again and again, at most 1 GiB: it is pinned now, not for each read.
 * Where RLIMIT_MEMLOCK forbids it, or it is larger: -errno, and reads go on as before. */
int read_ring_lend(struct read_ring *ring, void *memory, size_t size_bytes);

/* So many reads more, at most, may be added. */
unsigned read_ring_room(const struct read_ring *ring);
void read_ring_add(struct read_ring *ring, const struct read_ring_read *read);
/* Hand what was added to the kernel, in order. Returns how many; fewer than were added: the kernel
 * took no more, these will not come back, and there is no room from now on. */
unsigned read_ring_start(struct read_ring *ring);
unsigned read_ring_under_way(const struct read_ring *ring);
/* One that has come back: true. With `waits`, false only if none is under way. */
bool read_ring_next(struct read_ring *ring, bool waits, struct read_ring_result *ret_result);

#endif
