/* SPDX-License-Identifier: Apache-2.0 */
/* stream.h - writing a pool's memory past the caches.
 *
 * A frame that is written once and read by somebody else has no business in the writer's caches.
 * Non-temporal stores leave them as they are, and they are the only fast way to write
 * write-combining memory. They are weakly ordered: whoever tells another thread, process or device
 * of what was written calls sl_stream_fence() first.
 *
 * Life:    none; the variant is chosen by the CPU's features at the first call.
 * Owner:   the memory stays the caller's.
 * Threads: any.
 * Errors:  none, but for sl_stream_use.
 */
#ifndef SL_UNCACHED_STREAM_H
#define SL_UNCACHED_STREAM_H

#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* As memcpy: any length, any alignment, no overlap. Best where `to` is 32-byte aligned or the
 * range is long; at most 3 bytes at either end are stored through the cache. */
void sl_stream_copy(void *to, const void *from, size_t size_bytes);

/* As memset. */
void sl_stream_fill(void *to, uint8_t byte, size_t size_bytes);

/* Everything streamed before is visible before everything stored after, to CPUs and devices. */
static inline void sl_stream_fence(void)
{
#if defined(__x86_64__)
    _mm_sfence();
#elif defined(__aarch64__)
    __asm__ volatile("dmb oshst" ::: "memory");
#else
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

/* What was chosen: "avx512", "avx2", "sse2", "stnp" (arm64) or "memcpy". */
const char *sl_stream_variant(void);

/* Choose by name instead, for tests and benches; NULL = by the CPU's features again. Not while
 * another thread streams. -ENOENT: no such variant in this build; -ENOTSUP: not on this CPU. */
int sl_stream_use(const char *variant);

/* The names of this build's variants, best first, ended by NULL. */
extern const char *const sl_stream_variants[];

#endif
