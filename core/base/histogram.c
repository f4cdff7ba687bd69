/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/histogram.h"

static uint64_t bucket_middle_ns(unsigned index)
{
    if (index < 8)
        return index;
    unsigned octave = index / 8 + 2;
    uint64_t low = (UINT64_C(8) + index % 8) << (octave - 3);
    return low + ((UINT64_C(1) << (octave - 3)) >> 1);
}

uint64_t sl_histogram_quantile_ns(const struct sl_histogram *h, double share)
{
    /* The buckets are summed anew: `count` may be one addition ahead or behind. */
    uint64_t total = 0;
    for (unsigned i = 0; i < SL_HISTOGRAM_BUCKETS; i++)
        total += atomic_load_explicit(&h->bucket[i], memory_order_relaxed);
    if (total == 0)
        return 0;
    uint64_t max_ns = atomic_load_explicit(&h->max_ns, memory_order_relaxed);
    if (share >= 1)
        return max_ns;
    uint64_t wanted = share > 0 ? (uint64_t)(share * (double)total) : 0;
    uint64_t seen = 0;
    for (unsigned i = 0; i < SL_HISTOGRAM_BUCKETS - 1; i++) {
        seen += atomic_load_explicit(&h->bucket[i], memory_order_relaxed);
        if (seen > wanted) /* the middle may lie above all that was added */
            return bucket_middle_ns(i) < max_ns ? bucket_middle_ns(i) : max_ns;
    }
    return max_ns; /* the last bucket has no upper end, hence no middle */
}
