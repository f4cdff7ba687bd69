/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/shm/link_kind.h"

#include "core/shm/subscriber.h"

struct sl_link *link_of_kind(enum sl_memory_kind kind)
{
    static struct sl_link link;
    link.pool.kind = kind;
    return &link;
}
