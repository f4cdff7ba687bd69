/* SPDX-License-Identifier: Apache-2.0 */
/* sizes.h - how much memory a publisher takes: computed here, before and when it is opened.
 *
 * Pure: nothing is opened, nothing of the machine is looked at but the size of its pages.
 *
 * Threads: any.
 * Errors:  -EINVAL, or -ENODEV where huge pages are asked for and the kernel has none, with the
 *          sentence that opening would fail with.
 */
#ifndef SL_SHM_SIZES_H
#define SL_SHM_SIZES_H

#include "core/shm/sluice.h"

/* Of one pool: whole pages, as they are allocated. */
struct sl_pool_sizes {
    uint64_t slot_size; /* distance of slots */
    uint32_t side_size;
    uint64_t pool_bytes;
    uint64_t device_bytes; /* of these, what is a device's and not the machine's memory; all or 0 */
    bool is_huge;          /* the pool lies in huge pages, or nowhere */
    uint64_t control_bytes;
};
/* The choices of memory, from 0 on: 1 and its kind, as it is written; 0 = there is no further one;
 * -EINVAL. */
int sl_pool_choice(const struct sl_pool_options *options, unsigned index, char *ret_kind,
                   size_t size);
int sl_pool_sizes(const struct sl_pool_options *options, struct sl_pool_sizes *ret_sizes);

/* Of one publisher, with the ledgers of as many subscribers and visitors as it allows. The pool and
 * its control segment count 0 if options->pool is given: they are there already. */
struct sl_publisher_sizes {
    struct sl_pool_sizes pool;
    uint32_t ledgers;      /* at most so many at a time */
    uint64_t ring_bytes;   /* descriptors, gather lists, a line for each who reads */
    uint64_t ledger_bytes; /* of one */
    uint64_t total_bytes;  /* of the machine's memory */
};

/* Fill in the defaults of `options`, refuse what cannot be, and compute. */
int sl_publisher_sizes(struct sl_publisher_options *options, struct sl_publisher_sizes *ret_sizes);

/* Fill in the defaults of a subscriber's options, and refuse what cannot be. */
int sl_subscriber_complete(struct sl_subscriber_options *options);

/* What a process takes beside its publishers, once it publishes or subscribes: its counters. */
uint64_t sl_process_bytes(void);

#endif
