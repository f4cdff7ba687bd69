/* SPDX-License-Identifier: Apache-2.0 */
/* memory_private.h - between memory.c (ours) and memory_attach.c (peers').
 *
 * Threads: any, each with a memory of its own.
 */
#ifndef SL_UNCACHED_MEMORY_PRIVATE_H
#define SL_UNCACHED_MEMORY_PRIVATE_H

#include "core/uncached/memory.h"

/* Addresses for pieces, and room for their descriptors. -EINVAL, -ENOMEM. */
int sl_memory_reserve(uint64_t size_bytes, uint64_t slot_bytes, struct sl_memory *memory);

/* What holds for every mapping, whoever made the memory; and what can be measured of it. */
int sl_memory_settle(struct sl_memory *memory);

#endif
