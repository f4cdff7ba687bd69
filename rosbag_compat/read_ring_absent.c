/* SPDX-License-Identifier: Apache-2.0 */
/* read_ring_absent.c - read_ring.h where there is no liburing. */
#include "rosbag_compat/read_ring.h"

#include "core/base/error.h"

#include <errno.h>

int read_ring_open(struct read_ring **ret_ring)
{
    (void)ret_ring;
    return sl_error(-ENOTSUP, "io_uring: built without liburing; install liburing-dev and build "
                              "again");
}

void read_ring_close(struct read_ring *ring)
{
    (void)ring;
}

int read_ring_lend(struct read_ring *ring, void *memory, size_t size_bytes)
{
    (void)ring, (void)memory, (void)size_bytes;
    return -ENOTSUP;
}

unsigned read_ring_room(const struct read_ring *ring)
{
    (void)ring;
    return 0;
}

void read_ring_add(struct read_ring *ring, const struct read_ring_read *read)
{
    (void)ring, (void)read;
}

unsigned read_ring_start(struct read_ring *ring)
{
    (void)ring;
    return 0;
}

unsigned read_ring_under_way(const struct read_ring *ring)
{
    (void)ring;
    return 0;
}

bool read_ring_next(struct read_ring *ring, bool waits, struct read_ring_result *ret_result)
{
    (void)ring, (void)waits, (void)ret_result;
    return false;
}
