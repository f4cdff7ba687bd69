/* SPDX-License-Identifier: Apache-2.0 */
/* memory.h - regions that frames and control words live in, and how they are shared.
 *
 * A provider makes memory (memfd here; device memory by the same interface) and this file says what
 * was measured of it, never what was asked for. All memory is there before it is used: it is
 * compared with what the machine and its cgroups have left, populated, and sealed so that nobody,
 * its owner included, can shrink it under a reader's feet.
 *
 * Life:    sl_memory_create | sl_memory_attach -> sl_memory_close. A struct sl_memory is a plain
 *          value and may be moved; SL_MEMORY_NONE and a zeroed one that holds no base are closed.
 * Owner:   the creator maps it writable; who attaches maps it read-only, or writable when it is a
 *          ledger made for him. Mapping and descriptor are not inherited by fork + exec, the
 * mapping not even by fork. Threads: create and attach from any; one thread closes. Errors:  0 or
 * -errno with sl_error_text().
 */
#ifndef SL_UNCACHED_MEMORY_H
#define SL_UNCACHED_MEMORY_H

#include "core/uncached/probe.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Who may write beside the creator, once the descriptor is handed over. */
enum sl_memory_sharing {
    /* Nobody: SHRINK | GROW | FUTURE_WRITE | SEAL. Pools, rings. */
    SL_MEMORY_READ_ONLY,
    /* Whoever holds the descriptor: SHRINK | GROW | SEAL. The ledger that a publisher makes for one
     * subscriber; the publisher believes nothing in it. */
    SL_MEMORY_LEDGER,
};

#define SL_MEMORY_NAME_MAX 64 /* bytes of a name with its NUL; longer ones are cut */

struct sl_memory_config {
    const char *provider; /* "NAME" or "NAME:ARGUMENT" as a launch file says it; NULL = "memfd" */
    const char *name;     /* what it is for: seen in errors and in /proc/PID/maps */
    uint64_t size_bytes;  /* rounded up to pages */
    enum sl_memory_sharing sharing;
    bool lock; /* mlock it; where that is refused the memory is made all the same */
};

struct sl_memory_provider;

struct sl_memory {
    const struct sl_memory_provider *provider; /* NULL if attached */
    int fd;
    uint8_t *base; /* page aligned; NULL for memory that the CPU cannot see */
    uint64_t size_bytes;
    uint32_t page_size_bytes;
    int numa_node;            /* of the first page; -1 = the kernel does not tell */
    enum sl_memory_kind kind; /* measured */
    bool is_writable;
    bool is_locked; /* by us */
    bool is_dmabuf;
    bool can_pin; /* the kernel may pin its pages: O_DIRECT, GPU and RDMA registration */
};

#define SL_MEMORY_NONE ((struct sl_memory){.fd = -1})

/* Make memory. Before a page is touched its size is compared with what is left (limits.h); then all
 * of it is populated, kept out of core dumps and children, and sealed as `sharing` says.
 *
 * -EINVAL  size 0 or beyond what a file can be
 * -ENOENT  no provider of that name
 * -ENODEV  the machine lacks the provider's device or module
 * -ENOMEM  it does not fit; the sentence says what was wanted, what is left, and which limit it is
 *
 * If `lock` was asked for and refused, the result is 0, is_locked is false, and sl_error_text()
 * says why. */
int sl_memory_create(const struct sl_memory_config *config, struct sl_memory *ret_memory);

/* Map memory of a peer who is not trusted, from a descriptor that he sent. Refused unless no later
 * step of his can take it away: it must be a sealed memfd (SHRINK, GROW; and FUTURE_WRITE or WRITE
 * if it is mapped read-only), of exactly `size_bytes`, with no holes.
 * On success the descriptor belongs to the memory; on failure it stays the caller's.
 *
 * -EPROTO  another size, no memfd, or full of holes
 * -EPERM   seals are missing: the peer could truncate or rewrite it */
int sl_memory_attach(int fd, uint64_t size_bytes, bool writable, struct sl_memory *ret_memory);

/* What a region of so many bytes takes: whole pages. */
uint64_t sl_memory_round(uint64_t size_bytes);
#define SL_MEMORY_HUGE "memfd:huge" /* the provider of memory in huge pages */
/* The same in huge pages. -ENODEV: the kernel has none. */
int sl_memory_round_huge(uint64_t size_bytes, uint64_t *ret_bytes);

/* Unmap, close, and leave SL_MEMORY_NONE behind. Takes NULL and half-built memory. */
void sl_memory_close(struct sl_memory *memory);

/* ---- For providers ---------------------------------------------------------------------------*/

/* A provider is one line in the list of memory.c. `create` gets a memory that is SL_MEMORY_NONE and
 * fills fd, base, size_bytes, page_size_bytes, is_writable, is_dmabuf and can_pin; what it leaves
 * behind on failure is closed by the caller, and what can be measured is measured by the caller. */
struct sl_memory_provider {
    const char *name;
    const char *help;
    bool
        is_each_slot; /* one descriptor a slot (dma-buf): a pool creates one memory for each slot */
    /* `argument` is what stands behind the ':', or "". */
    int (*create)(const struct sl_memory_config *config, const char *argument,
                  struct sl_memory *memory);
};

/* In the order in which help shows them, ended by NULL. */
extern const struct sl_memory_provider *const sl_memory_providers[];

extern const struct sl_memory_provider sl_memory_memfd;

#endif
