/* SPDX-License-Identifier: Apache-2.0 */
/* orphans.h - processes that a node left behind, outside its group: they come to the launcher and
 * end with it.
 *
 * Threads: one. Errors: none; where the kernel does not tell of them, they cannot be found.
 */
#ifndef SL_LAUNCH_ORPHANS_H
#define SL_LAUNCH_ORPHANS_H

#include "core/shm/domain.h"

/* From now on they become this process's children. */
void sl_orphans_adopt(void);

/* Kill and reap all children that are left. Their sockets are swept from the domain. */
void sl_orphans_kill(const struct sl_domain *domain);

#endif
