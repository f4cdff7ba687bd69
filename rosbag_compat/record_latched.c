/* SPDX-License-Identifier: Apache-2.0 */
#include "rosbag_compat/record_latched.h"

#include "core/base/error.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void drop(struct record_latched *l, unsigned index)
{
    l->size_bytes -= l->messages[index].size_bytes;
    free(l->messages[index].body);
    l->count--;
    memmove(&l->messages[index], &l->messages[index + 1], (l->count - index) * sizeof *l->messages);
}

static void drop_publisher(struct record_latched *l, uint64_t publisher)
{
    for (unsigned i = 0; i < l->count; i++)
        if (l->messages[i].publisher == publisher) {
            drop(l, i);
            return;
        }
}

int record_latched_keep(struct record_latched *l, uint64_t publisher,
                        const struct sl_log_message *message, const struct iovec *body,
                        unsigned pieces)
{
    size_t size = 0;
    for (unsigned i = 0; i < pieces; i++)
        size += body[i].iov_len;
    drop_publisher(l, publisher);
    if (size > RECORD_LATCHED_BYTES_MAX)
        return sl_error(-EFBIG, "a latched message of %zu bytes is not kept", size);
    char *copy = malloc(size > 0 ? size : 1);
    if (!copy)
        return sl_error(-ENOMEM, "no memory for a latched message of %zu bytes", size);
    while (l->count == RECORD_LATCHED_MAX || l->size_bytes + size > RECORD_LATCHED_BYTES_MAX)
        drop(l, 0);
    l->messages[l->count++] = (struct record_latched_message){publisher, *message, copy, size};
    l->size_bytes += size;
    for (unsigned i = 0; i < pieces; copy += body[i++].iov_len)
        memcpy(copy, body[i].iov_base, body[i].iov_len);
    return 0;
}

void record_latched_finish(struct record_latched *l)
{
    while (l->count > 0)
        drop(l, l->count - 1);
}
