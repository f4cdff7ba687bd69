/* SPDX-License-Identifier: Apache-2.0 */
/* loss.h - a lossy network interface: the kernel (nf_tables) drops what it receives by chance, a
 * packet at a time.
 *
 * Life:    loss_open -> loss_count ...; it ends with the network namespace, of which there is one.
 * Threads: any; all of it is about the caller's network namespace.
 * Errors:  -ENOTSUP with a reason to print, where this machine or user cannot have it.
 */
#ifndef SL_TESTS_DDS_BRIDGE_LOSS_H
#define SL_TESTS_DDS_BRIDGE_LOSS_H

#include <stddef.h>
#include <stdint.h>

int loss_open(const char *interface, unsigned percent, char *ret_reason, size_t reason_size);

/* Packets dropped so far. */
uint64_t loss_count(void);

#endif
