/* SPDX-License-Identifier: Apache-2.0 */
/* loss.h - a lossy network interface: a program in the kernel (XDP) drops what it receives by
 * chance, a packet at a time.
 *
 * Life:    loss_open -> loss_count ... -> loss_close; it ends with the process too.
 * Threads: any, one at a time; the interface is one of the caller's network namespace.
 * Errors:  -errno with a reason to print, where this machine or user cannot have it.
 */
#ifndef SL_TESTS_DDS_BRIDGE_LOSS_H
#define SL_TESTS_DDS_BRIDGE_LOSS_H

#include <stddef.h>
#include <stdint.h>

struct loss {
    int counter_fd, program_fd, link_fd;
};

/* `percent` of the packets, below 50. */
int loss_open(struct loss *ret_loss, const char *interface, unsigned percent, char *ret_reason,
              size_t reason_size);
void loss_close(struct loss *loss);

/* Packets dropped so far. */
uint64_t loss_count(const struct loss *loss);

#endif
