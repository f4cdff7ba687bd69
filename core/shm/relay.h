/* SPDX-License-Identifier: Apache-2.0 */
/* relay.h - one thread of a process that pays for wake-ups instead of the threads that publish.
 *
 * A publishing thread that sees somebody asleep notes it and rings; that is a system call only if
 * the relay sleeps. The relay then looks at the requests itself and wakes. It runs with the
 * scheduling of the thread that opened the first such publisher.
 *
 * Life:    sl_relay_add when a publisher opens -> sl_relay_ring ... -> sl_relay_remove when it
 *          closes. The thread exists while there is one.
 * Owner:   the publisher's memory.
 * Threads: add and remove from any, not under the service lock; ring from the publishing thread.
 * Errors:  as pthread_create.
 */
#ifndef SL_SHM_RELAY_H
#define SL_SHM_RELAY_H

#include "core/shm/slots.h"

struct sl_relay {
    struct sl_slots *slots;
    const struct sl_channel *channel;
    _Atomic bool is_due; /* the channel's head has crossed a request */
    uint64_t told;       /* the relay's: the head up to which requests were looked at */
    struct sl_relay *next;
};

int sl_relay_add(struct sl_relay *relay);
/* Whom it has not woken by then, the end of the connection wakes. */
void sl_relay_remove(struct sl_relay *relay);
void sl_relay_ring(struct sl_relay *relay);

#endif
