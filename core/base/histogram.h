/* SPDX-License-Identifier: Apache-2.0 */
/* histogram.h - durations counted in buckets an eighth of an octave wide (error at most 6.3%).
 *
 * One writer adds with relaxed stores; anybody who maps the memory may read at the same time and
 * sees counts that are at most an addition old. Fixed size, no pointers: it lives in shared memory.
 */
#ifndef SL_BASE_HISTOGRAM_H
#define SL_BASE_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

#define SL_HISTOGRAM_BUCKETS \
    320 /* 8 exact values, then 8 buckets for each of 39 octaves: 2^42 ns */

struct sl_histogram {
    _Atomic uint64_t count;
    _Atomic uint64_t max_ns;
    _Atomic uint32_t bucket[SL_HISTOGRAM_BUCKETS];
};

static inline unsigned sl_histogram_index(uint64_t value_ns)
{
    if (value_ns < 8)
        return (unsigned)value_ns;
    unsigned octave = 63u - (unsigned)__builtin_clzll(value_ns);
    unsigned index = (octave - 2) * 8 + (unsigned)(value_ns >> (octave - 3) & 7);
    return index < SL_HISTOGRAM_BUCKETS ? index : SL_HISTOGRAM_BUCKETS - 1;
}

/* One writer only. */
static inline void sl_histogram_add(struct sl_histogram *h, uint64_t value_ns)
{
    _Atomic uint32_t *bucket = &h->bucket[sl_histogram_index(value_ns)];
    atomic_store_explicit(bucket, atomic_load_explicit(bucket, memory_order_relaxed) + 1,
                          memory_order_relaxed);
    if (value_ns > atomic_load_explicit(&h->max_ns, memory_order_relaxed))
        atomic_store_explicit(&h->max_ns, value_ns, memory_order_relaxed);
    atomic_store_explicit(&h->count, atomic_load_explicit(&h->count, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

/* The value under which `share` (0..1) of the additions lie, middle of its bucket; 0 if empty. */
uint64_t sl_histogram_quantile_ns(const struct sl_histogram *h, double share);

#endif
