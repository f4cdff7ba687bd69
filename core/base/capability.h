/* SPDX-License-Identifier: Apache-2.0 */
/* capability.h - what this process may do, asked of the kernel: a uid of 0 does not say, as root in
 * a container may lack most of it.
 *
 * Threads: any; it is the calling thread's.
 */
#ifndef SL_BASE_CAPABILITY_H
#define SL_BASE_CAPABILITY_H

#include <stdbool.h>

#include <linux/capability.h> /* CAP_IPC_LOCK, ... */

/* Is it in the effective set? */
bool sl_capability_has(unsigned capability);

#endif
