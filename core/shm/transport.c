/* SPDX-License-Identifier: Apache-2.0 */
#include "core/shm/transport.h"

#include "core/base/error.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A queue holds no more than this; a hostile publisher that goes on for ever shall not hold us. */
#define DRAIN_MAX (2 * SL_ICEORYX_QUEUE)

int sl_bus_choose(enum sl_bus bus, enum sl_bus *ret_bus)
{
    if ((unsigned)bus > SL_BUS_ICEORYX)
        return sl_error(-EINVAL, "no bus %d", (int)bus);
    if (bus == SL_BUS_DEFAULT) {
        const char *text = getenv("SLUICE_BUS");
        bus = SL_BUS_NATIVE;
        if (text && strcmp(text, "iceoryx") == 0)
            bus = SL_BUS_ICEORYX;
        else if (text && *text && strcmp(text, "native") != 0)
            return sl_error(-EINVAL, "SLUICE_BUS is '%s'; set it to native or iceoryx", text);
    }
    *ret_bus = bus;
    return 0;
}

/* Does the queue have a message that is not older than `seq`? Then it is inbox->next. */
static bool fetch(struct sl_inbox *inbox, uint64_t seq)
{
    for (int i = 0; i < DRAIN_MAX; i++) {
        if (inbox->has_next && inbox->next.seq >= seq)
            return true;
        int got = sl_iceoryx_receive(inbox->queue, &inbox->next, inbox->range, inbox->inline_body);
        inbox->has_next = got > 0;
        if (got == 0)
            return false;
    }
    return false;
}

enum sl_ring_look sl_inbox_look(struct sl_inbox *inbox, const struct sl_ring_map *ring,
                                uint64_t seq, struct sl_taken *ret_taken)
{
    /* The head before the queue: what it tells of was sent before, so that a message that is not in
     * the queue then has not come by it. */
    uint64_t head = sl_ring_head(ring);
    ret_taken->by_queue = fetch(inbox, seq) && inbox->next.seq == seq;
    if (ret_taken->by_queue) {
        ret_taken->d = inbox->next;
        return SL_RING_STANDING;
    }
    if (head < seq && !inbox->has_next)
        return SL_RING_NOT_YET;
    return sl_ring_look(ring, seq, &ret_taken->d);
}

void sl_transport_copy(const struct sl_inbox *inbox, const struct sl_ring_map *ring,
                       struct sl_taken *taken, void *inline_to)
{
    const struct sl_descriptor *d = &taken->d;
    if (d->flags & SL_DESCRIPTOR_INLINE) {
        if (taken->by_queue)
            memcpy(inline_to, inbox->inline_body, d->body_length);
        else
            sl_ring_copy_inline(ring, d->seq, inline_to, d->body_length);
    } else if (d->flags & SL_DESCRIPTOR_GATHER) {
        if (taken->by_queue)
            memcpy(taken->range, inbox->range, sizeof taken->range);
        else
            sl_ring_copy_ranges(ring, d->seq, taken->range);
    }
}
