/* SPDX-License-Identifier: Apache-2.0 */
#include "core/uncached/probe.h"

#include "core/base/clock.h"

#include <stdint.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define READS_A_BATCH 256
#define BATCHES       7 /* the fastest counts: an interrupt only makes one slower */

/* A read of uncached memory takes 100 cached ones or more (facts: 12 to 30 times already when
 * streaming whole lines); sanitizers and slow clocks shift both sides alike. */
#define UNCACHED_RATIO 12.0
/* With write-combining, four streaming loads of one line cost one trip to memory; otherwise four.
 */
#define COMBINING_RATIO 2.0

const char *const sl_memory_kind_names[] = {"unknown", "wb", "wc", "uc"};

/* Sanitizers would time their own check of each read. */
#define UNCHECKED __attribute__((no_sanitize("address"), no_sanitize("thread"), noinline))

UNCHECKED static double time_batch_ns(const uint64_t *line)
{
    uint64_t sum = 0;
    uint64_t start_ns = sl_clock_monotonic_ns();
    for (int i = 0; i < READS_A_BATCH; i++) {
        sum += *line;
        __asm__ __volatile__("" : "+r"(sum) : : "memory"); /* read it again, really */
    }
    return (double)(sl_clock_monotonic_ns() - start_ns) / READS_A_BATCH;
}

double sl_probe_reread_ns(const void *line)
{
    double best_ns = time_batch_ns(line);
    for (int i = 1; i < BATCHES; i++) {
        double ns = time_batch_ns(line);
        best_ns = ns < best_ns ? ns : best_ns;
    }
    return best_ns;
}

#if defined(__x86_64__)
/* Nanoseconds for a streaming load of each of the line's first `quarters` 16-byte parts. */
__attribute__((target("sse4.1"))) UNCHECKED static double time_streaming_ns(const void *line,
                                                                            int quarters)
{
    double best_ns = 1e12;
    for (int batch = 0; batch < BATCHES; batch++) {
        uint64_t start_ns = sl_clock_monotonic_ns();
        for (int i = 0; i < READS_A_BATCH; i++) {
            for (int q = 0; q < quarters; q++) {
                /* the intrinsic takes a pointer to non-const in gcc 12 */
                __m128i part =
                    _mm_stream_load_si128((__m128i *)((uintptr_t)line + 16u * (unsigned)q));
                __asm__ __volatile__("" : : "x"(part) : "memory");
            }
            _mm_mfence(); /* empties the streaming buffer: the next round goes to memory again */
        }
        double ns = (double)(sl_clock_monotonic_ns() - start_ns) / READS_A_BATCH;
        best_ns = ns < best_ns ? ns : best_ns;
    }
    return best_ns;
}

static enum sl_memory_kind uncached_kind(const void *line)
{
    if (!__builtin_cpu_supports("sse4.1"))
        return SL_MEMORY_UC;
    double one_ns = time_streaming_ns(line, 1);
    return time_streaming_ns(line, 4) < COMBINING_RATIO * one_ns ? SL_MEMORY_WC : SL_MEMORY_UC;
}
#else
static enum sl_memory_kind uncached_kind(const void *line)
{
    (void)line;
    return SL_MEMORY_UC;
}
#endif

enum sl_memory_kind sl_probe_kind(const void *line)
{
    _Alignas(64) uint64_t cached[8] = {0}; /* the stack is */
    double cached_ns = sl_probe_reread_ns(cached);
    double line_ns = sl_probe_reread_ns(line);
    return line_ns < UNCACHED_RATIO * cached_ns ? SL_MEMORY_WB : uncached_kind(line);
}
