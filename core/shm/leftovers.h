/* SPDX-License-Identifier: Apache-2.0 */
/* leftovers.h - what dead processes left in a domain's directory: found, and removed on request.
 *
 * A process that ends removes its sockets, and whoever meets one of a killed process removes it
 * too (domain.h). What nobody met is found here. Dead is only what certainly is:
 *
 *   a socket           that refuses connections; one whose queue is full belongs to a process that
 *                      stands still, and lives
 *   a hidden socket    (bound, not shown yet) whose process is gone, and that is older than it
 * takes iceoryx.*.lock     on which nobody has a lock
 *
 * Links are never followed, files of others and files of no known name never touched.
 *
 * Threads: any, the domain being the caller's.
 * Errors:  -errno with a sentence.
 */
#ifndef SL_SHM_LEFTOVERS_H
#define SL_SHM_LEFTOVERS_H

#include "core/shm/domain.h"

enum sl_leftover_state {
    SL_LEFTOVER_LIVES,
    SL_LEFTOVER_DEAD,
    SL_LEFTOVER_UNSURE, /* it cannot be told: no permission, or perhaps just being made */
    SL_LEFTOVER_FOREIGN /* none of Sluice's names */
};

struct sl_leftover {
    char file[256];
    enum sl_leftover_state state;
    bool is_ours;           /* we may remove it: its owner, or root */
    pid_t pid;              /* in the name; 0 = none */
    uint64_t device, inode; /* which file was looked at */
};

/* Call `visit` for each entry of the directory; it may return non-zero to stop. Returns that, 0, or
 * -errno. */
int sl_leftovers_visit(const struct sl_domain *domain,
                       int (*visit)(void *context, const struct sl_leftover *leftover),
                       void *context);

/* Remove one that is dead and ours, after looking at it once more. -EBUSY: it is another file now,
 * or lives; -EPERM: it was not dead or not ours to begin with. */
int sl_leftovers_remove(const struct sl_domain *domain, const struct sl_leftover *leftover);

#endif
