/* SPDX-License-Identifier: Apache-2.0 */
/* memory_private.h - between memory.c (ours), memory_attach.c (peers') and the providers.
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

/* Memory that is there already, a device's or a reserved range: each pool has a part of it to
 * itself, as long as anybody has it open, its readers included, who may still hold frames of a
 * publisher that is dead. That is told by locks of the ranges of the file.
 *
 * claim finds `size_bytes` between `from` and `end` that nobody has, in neither of the files (the
 * second may be -1), both open for writing; share holds it by another descriptor of the first file,
 * or by a reader's own. -ENOMEM: larger than all of it; -EBUSY: what is free of it is too small. */
int sl_memory_claim(const int fds[2], uint64_t from, uint64_t end, uint64_t size_bytes,
                    uint64_t *ret_at);
int sl_memory_share(int fd, uint64_t at, uint64_t size_bytes);

#endif
