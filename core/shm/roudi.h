/* SPDX-License-Identifier: Apache-2.0 */
/* roudi.h - iceoryx's daemon from outside: is one there, which one, how does it run?
 *
 * Only looks: starts nothing, sends nothing, leaves nothing, never waits for it. What it tells may
 * be old when it is read; a daemon that is stopped (SIGSTOP) counts as there.
 *
 * Owner:   the caller's memory
 * Threads: any
 * Errors:  -ENOENT none runs, -EACCES one does, but we may not talk to it; the sentence says what
 *          to do
 */
#ifndef SL_SHM_ROUDI_H
#define SL_SHM_ROUDI_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct sl_roudi {
    pid_t pid;          /* 0: it runs in another pid namespace */
    uint64_t identity;  /* never 0, never the same after a restart */
    bool is_monitoring; /* declares stopped processes dead; true if it cannot be seen */
};

/* Looks through /proc: a millisecond or two; 20 ms if RouDi is another user's, or has another name.
 */
int sl_roudi_find(struct sl_roudi *ret_roudi);
/* Which one it is, and no more: some microseconds. */
int sl_roudi_identify(uint64_t *ret_identity);

#endif
