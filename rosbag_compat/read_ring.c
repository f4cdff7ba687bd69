/* SPDX-License-Identifier: Apache-2.0 */
#include "rosbag_compat/read_ring.h"

#include "core/base/error.h"

#include <errno.h>
#include <liburing.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define LENT_BYTES_MAX (1ul << 30) /* of one piece of memory; the kernel's limit */

struct read_ring {
    struct io_uring ring;
    struct read_ring_read reads[READ_RING_DEPTH]; /* added or under way */
    unsigned free[READ_RING_DEPTH], free_count;   /* places in it */
    unsigned added, under_way;
    const uint8_t *lent;
    size_t lent_bytes;
    bool is_broken;
};

int read_ring_open(struct read_ring **ret_ring)
{
    struct read_ring *r = calloc(1, sizeof *r);
    if (!r)
        return sl_error(-ENOMEM, "io_uring: no memory");
    int err = io_uring_queue_init(READ_RING_DEPTH, &r->ring, 0);
    if (err < 0) {
        free(r);
        return sl_error(err, "io_uring: %s%s", strerror(-err),
                        err == -EPERM ? " (the sysctl kernel.io_uring_disabled, or a container's "
                                        "seccomp profile, forbids it)"
                                      : "");
    }
    for (unsigned i = 0; i < READ_RING_DEPTH; i++)
        r->free[r->free_count++] = i;
    *ret_ring = r;
    return 0;
}

void read_ring_close(struct read_ring *r)
{
    if (!r)
        return;
    io_uring_queue_exit(&r->ring);
    free(r);
}

int read_ring_lend(struct read_ring *r, void *memory, size_t size_bytes)
{
    if (size_bytes > LENT_BYTES_MAX)
        return -E2BIG;
    int err = io_uring_register_buffers(&r->ring, &(struct iovec){memory, size_bytes}, 1);
    if (err < 0)
        return err;
    r->lent = memory;
    r->lent_bytes = size_bytes;
    return 0;
}

unsigned read_ring_room(const struct read_ring *r)
{
    return r->is_broken ? 0 : r->free_count;
}

unsigned read_ring_under_way(const struct read_ring *r)
{
    return r->under_way;
}

static bool is_lent(const struct read_ring *r, const struct read_ring_read *read)
{
    uintptr_t at = (uintptr_t)read->to - (uintptr_t)r->lent;
    return r->lent && at < r->lent_bytes && read->size_bytes <= r->lent_bytes - at;
}

void read_ring_add(struct read_ring *r, const struct read_ring_read *read)
{
    struct io_uring_sqe *entry = io_uring_get_sqe(&r->ring); /* as many as there are places */
    unsigned place = r->free[--r->free_count];
    r->reads[place] = *read;
    if (is_lent(r, read))
        io_uring_prep_read_fixed(entry, read->fd, read->to, read->size_bytes, read->offset, 0);
    else
        io_uring_prep_read(entry, read->fd, read->to, read->size_bytes, read->offset);
    io_uring_sqe_set_data64(entry, place);
    r->added++;
}

unsigned read_ring_start(struct read_ring *r)
{
    unsigned started = 0;
    while (r->added > 0 && !r->is_broken) {
        int count = io_uring_submit(&r->ring);
        if (count == -EINTR || count == -EAGAIN || count == -EBUSY) {
            sched_yield(); /* the kernel is short of memory for a moment */
            continue;
        }
        r->is_broken = count <= 0;
        if (count > 0) {
            started += (unsigned)count;
            r->added -= (unsigned)count;
        }
    }
    r->under_way += started;
    r->added = 0;
    return started;
}

bool read_ring_next(struct read_ring *r, bool waits, struct read_ring_result *ret_result)
{
    struct io_uring_cqe *entry;
    int err;
    if (r->under_way == 0)
        return false;
    do
        err = waits ? io_uring_wait_cqe(&r->ring, &entry) : io_uring_peek_cqe(&r->ring, &entry);
    while (err < 0 && waits);
    if (err < 0)
        return false;
    unsigned place = (unsigned)io_uring_cqe_get_data64(entry);
    *ret_result = (struct read_ring_result){r->reads[place], entry->res};
    io_uring_cqe_seen(&r->ring, entry);
    r->free[r->free_count++] = place;
    r->under_way--;
    return true;
}
