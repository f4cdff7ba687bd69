/* SPDX-License-Identifier: Apache-2.0 */
/* stream.h - writing and reading payloads past the caches.
 *
 * A frame is written once, by somebody who does not read it, and read once by each of its readers:
 * it has no business in the caches that everything else on that core lives on. So it is written
 * with stores that leave the caches as they are, and read with loads whose lines are let go again
 * right behind. Memory that is not cached (write-combining, uncached) has no other fast way in and
 * out than these. What each way does to a neighbour's working set is measured by `sluice bench
 * pollution` (docs/pollution.md).
 *
 *   a whole payload  sl_stream_copy_in, sl_stream_copy_out   choose by its size and memory
 *   a part of one    sl_stream_copy, _fill; sl_stream_inspect always stream; for large payloads
 *   a pass in place  stream_scan.h
 *
 * Streaming stores are weakly ordered: whoever tells another thread, process or device of what was
 * written calls the fence first.
 *
 * Life:    none; the variant is chosen by the CPU's features at the first call.
 * Owner:   the memory stays the caller's.
 * Threads: any, but for the two that choose.
 * Errors:  none, but for the two that choose.
 */
#ifndef SL_UNCACHED_STREAM_H
#define SL_UNCACHED_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/uncached/probe.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* Payloads under this stay cached where their memory can be: their reader finds them there, in half
 * the time, and what they displace is little. Measured on 1 MB of second-level cache (`sluice bench
 * pollution --only threshold`): in eight slots of 64 kB they cost a neighbour 1 % of a pass over
 * his memory, of 128 kB 3 to 6 %, of 256 kB 13 %; and several flows share a cache. */
#define SL_STREAM_MIN_BYTES 65536u

/* Does a payload of this size gain by streaming? Uncached memory always does. Memory of unknown
 * kind counts as uncached: that is slower, but never wrong. For those who write one in parts. */
static inline bool sl_stream_pays(size_t payload_bytes, enum sl_memory_kind kind)
{
    return kind != SL_MEMORY_WB || payload_bytes >= SL_STREAM_MIN_BYTES;
}

/* ---- Writing ---------------------------------------------------------------------------------*/

/* A part of a large payload. As memcpy: any length, any alignment, no overlap. Best where `to` is
 * 64-byte aligned or the range is long. */
void sl_stream_copy(void *to, const void *from, size_t size_bytes);

/* As memset. */
void sl_stream_fill(void *to, uint8_t byte, size_t size_bytes);

/* A whole payload into memory of that kind: streamed if that pays, else left in the cache. */
void sl_stream_copy_in(void *to, const void *from, size_t size_bytes, enum sl_memory_kind kind);

/* Before publishing: everything written before is visible before everything stored after, to other
 * CPUs. x86 keeps the order of ordinary stores by itself, that of streaming stores and flushes only
 * by sfence. Publishing needs no more: it is a store to cached memory, and its reader a CPU. */
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

/* Before a device is told to begin (a doorbell, a queued buffer): everything written is where its
 * DMA reads it, and everything read has been read before its DMA can replace it. The second is why
 * sfence does not do: streaming loads are weakly ordered too, and only mfence waits for them. arm64
 * needs dsb in place of dmb: the doorbell may be memory of another kind, to which dmb gives no
 * promise of completion. Devices that do not look into the caches need DMA_BUF_IOCTL_SYNC besides.
 * If the doorbell itself is write-combining memory, call it again behind: that sends the store off.
 */
static inline void sl_stream_fence_dma(void)
{
#if defined(__x86_64__)
    _mm_mfence();
#elif defined(__aarch64__)
    __asm__ volatile("dsb sy" ::: "memory");
#else
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

/* ---- Reading ---------------------------------------------------------------------------------*/

/* A whole payload out of memory of that kind. `to` is written through the cache: the caller wants
 * it near. (For a copy from pool to pool, scan the one and sl_stream_copy into the other.)
 *
 * Cached memory, if it pays: the lines of `from` are let go behind the copy (sl_stream_behind).
 * Flushing works on a read-only mapping, and changes no byte; it is for frames that nobody writes
 * any more. Uncached memory: by streaming loads, a line a trip to memory. */
void sl_stream_copy_out(void *to, const void *from, size_t size_bytes, enum sl_memory_kind kind);

/* A few lines of a large payload, into scratch that is cached. As above whatever the size. */
void sl_stream_inspect(void *scratch, const void *from, size_t size_bytes,
                       enum sl_memory_kind kind);

/* Let the lines go that these bytes of cached memory lie in. */
void sl_stream_let_go(const void *from, size_t size_bytes);

/* ---- Choosing: for tests, benches and programs that know better. Not while another thread
 *      streams. NULL = by the CPU's features again.
 *      -ENOENT: no such name in this build; -ENOTSUP: not on this CPU. --------------------------*/

/* How is written: "avx512", "avx2", "movdir64b", "sse2", "stnp" (arm64) or "memcpy". */
const char *sl_stream_variant(void);
int sl_stream_use(const char *variant);

/* The names of this build's variants, best first, ended by NULL. */
extern const char *const sl_stream_variants[];

/* How lines that were read are let go: "clflushopt" out of all caches, the shared one included;
 * "cldemote" only from the core's own into the shared one; "dc civac" (arm64) as clflushopt;
 * "none". By itself the first is chosen where there is one: it alone leaves a last-level cache
 * clean, and needs no knowledge of who else reads. Its price is paid where several processes read
 * the same frame: each fetches it from memory. A machine that is short of memory bandwidth and has
 * many readers of everything takes cldemote. */
const char *sl_stream_behind(void);
int sl_stream_use_behind(const char *behind);
extern const char *const sl_stream_behinds[];

#endif
