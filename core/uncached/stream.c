/* SPDX-License-Identifier: Apache-2.0 */
/* stream.c - the variants of streaming stores and the choice among them.
 *
 * Each variant walks up to its widest aligned store in steps of powers of two and down again at the
 * end, all non-temporal: a plain store to a line that is otherwise streamed would fetch it.
 */
#include "core/uncached/stream.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "core/base/error.h"

struct variant {
    const char *name;
    bool (*is_supported)(void);
    void (*copy)(uint8_t *to, const uint8_t *from, size_t size_bytes);
    void (*fill)(uint8_t *to, uint8_t byte, size_t size_bytes);
};

static bool is_always_supported(void)
{
    return true;
}

static void plain_copy(uint8_t *to, const uint8_t *from, size_t size_bytes)
{
    if (size_bytes > 0)
        memcpy(to, from, size_bytes);
}

static void plain_fill(uint8_t *to, uint8_t byte, size_t size_bytes)
{
    if (size_bytes > 0)
        memset(to, byte, size_bytes);
}

#if defined(__x86_64__)

/* One step of `width` bytes at a destination that is aligned to it. */
static inline void store_4(uint8_t *to, const uint8_t *from)
{
    int value;
    memcpy(&value, from, sizeof value);
    _mm_stream_si32((int *)(void *)to, value);
}

static inline void store_8(uint8_t *to, const uint8_t *from)
{
    long long value;
    memcpy(&value, from, sizeof value);
    _mm_stream_si64((long long *)(void *)to, value);
}

static inline void store_16(uint8_t *to, const uint8_t *from)
{
    _mm_stream_si128((__m128i *)(void *)to, _mm_loadu_si128((const __m128i *)(const void *)from));
}

__attribute__((target("avx2"))) static inline void store_32(uint8_t *to, const uint8_t *from)
{
    _mm256_stream_si256((__m256i *)(void *)to,
                        _mm256_loadu_si256((const __m256i *)(const void *)from));
}

/* The part before the first multiple of `width` and of at least 4, or all if it is shorter: returns
 * its size. The steps of 16 and less are alike in all variants. */
static inline size_t copy_head(uint8_t *to, const uint8_t *from, size_t size_bytes, size_t width)
{
    size_t done = 0;
    for (; done < size_bytes && (uintptr_t)(to + done) % 4 != 0; done++)
        to[done] = from[done];
    if ((uintptr_t)(to + done) % 8 != 0 && size_bytes - done >= 4) {
        store_4(to + done, from + done);
        done += 4;
    }
    if (width > 8 && (uintptr_t)(to + done) % 16 == 8 && size_bytes - done >= 8) {
        store_8(to + done, from + done);
        done += 8;
    }
    if (width > 16 && (uintptr_t)(to + done) % 32 == 16 && size_bytes - done >= 16) {
        store_16(to + done, from + done);
        done += 16;
    }
    return done;
}

/* Fewer than 16 bytes from a 16-byte boundary on, or whatever a short copy_head left. */
static inline void copy_tail(uint8_t *to, const uint8_t *from, size_t size_bytes)
{
    size_t done = 0;
    if ((uintptr_t)to % 8 == 0 && size_bytes >= 8) {
        store_8(to, from);
        done = 8;
    }
    if ((uintptr_t)(to + done) % 4 == 0 && size_bytes - done >= 4) {
        store_4(to + done, from + done);
        done += 4;
    }
    for (; done < size_bytes; done++)
        to[done] = from[done];
}

static void sse2_copy(uint8_t *to, const uint8_t *from, size_t size_bytes)
{
    size_t done = copy_head(to, from, size_bytes, 16);
    if ((uintptr_t)(to + done) % 16 == 0) {
        for (; size_bytes - done >= 16; done += 16)
            store_16(to + done, from + done);
    }
    copy_tail(to + done, from + done, size_bytes - done);
}

__attribute__((target("avx2"))) static void avx2_copy(uint8_t *to, const uint8_t *from,
                                                      size_t size_bytes)
{
    size_t done = copy_head(to, from, size_bytes, 32);
    if ((uintptr_t)(to + done) % 32 == 0) {
        for (; size_bytes - done >= 32; done += 32)
            store_32(to + done, from + done);
    }
    if ((uintptr_t)(to + done) % 16 == 0 && size_bytes - done >= 16) {
        store_16(to + done, from + done);
        done += 16;
    }
    copy_tail(to + done, from + done, size_bytes - done);
}

__attribute__((target("avx512f,avx2"))) static void avx512_copy(uint8_t *to, const uint8_t *from,
                                                                size_t size_bytes)
{
    size_t done = copy_head(to, from, size_bytes, 64);
    if ((uintptr_t)(to + done) % 64 == 32 && size_bytes - done >= 32) {
        store_32(to + done, from + done);
        done += 32;
    }
    if ((uintptr_t)(to + done) % 64 == 0) {
        for (; size_bytes - done >= 64; done += 64)
            _mm512_stream_si512((__m512i *)(void *)(to + done),
                                _mm512_loadu_si512((const void *)(from + done)));
    }
    if ((uintptr_t)(to + done) % 32 == 0 && size_bytes - done >= 32) {
        store_32(to + done, from + done);
        done += 32;
    }
    if ((uintptr_t)(to + done) % 16 == 0 && size_bytes - done >= 16) {
        store_16(to + done, from + done);
        done += 16;
    }
    copy_tail(to + done, from + done, size_bytes - done);
}

/* Bytes before the first multiple of `width`, copied from one line of the pattern; then the body.
 */
#define PATTERN_BYTES 64

static size_t head_bytes(const uint8_t *to, size_t size_bytes, size_t width)
{
    size_t head = (width - (uintptr_t)to % width) % width;
    return head < size_bytes ? head : size_bytes;
}

static void sse2_fill(uint8_t *to, uint8_t byte, size_t size_bytes)
{
    uint8_t pattern[PATTERN_BYTES];
    memset(pattern, byte, sizeof pattern);
    size_t done = head_bytes(to, size_bytes, 16);
    sse2_copy(to, pattern, done);
    __m128i wide = _mm_set1_epi8((char)byte);
    for (; size_bytes - done >= 16; done += 16)
        _mm_stream_si128((__m128i *)(void *)(to + done), wide);
    sse2_copy(to + done, pattern, size_bytes - done);
}

__attribute__((target("avx2"))) static void avx2_fill(uint8_t *to, uint8_t byte, size_t size_bytes)
{
    uint8_t pattern[PATTERN_BYTES];
    memset(pattern, byte, sizeof pattern);
    size_t done = head_bytes(to, size_bytes, 32);
    avx2_copy(to, pattern, done);
    __m256i wide = _mm256_set1_epi8((char)byte);
    for (; size_bytes - done >= 32; done += 32)
        _mm256_stream_si256((__m256i *)(void *)(to + done), wide);
    avx2_copy(to + done, pattern, size_bytes - done);
}

__attribute__((target("avx512f,avx2"))) static void avx512_fill(uint8_t *to, uint8_t byte,
                                                                size_t size_bytes)
{
    uint8_t pattern[PATTERN_BYTES];
    memset(pattern, byte, sizeof pattern);
    size_t done = head_bytes(to, size_bytes, 64);
    avx2_copy(to, pattern, done);
    __m512i wide = _mm512_set1_epi32((int)(byte * 0x01010101u));
    for (; size_bytes - done >= 64; done += 64)
        _mm512_stream_si512((__m512i *)(void *)(to + done), wide);
    avx2_copy(to + done, pattern, size_bytes - done);
}

static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2");
}

static bool has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && has_avx2();
}

static const struct variant variants[] = {
    {"avx512", has_avx512, avx512_copy, avx512_fill},
    {"avx2", has_avx2, avx2_copy, avx2_fill},
    {"sse2", is_always_supported, sse2_copy, sse2_fill},
    {"memcpy", is_always_supported, plain_copy, plain_fill},
};
const char *const sl_stream_variants[] = {"avx512", "avx2", "sse2", "memcpy", NULL};

#elif defined(__aarch64__)

/* stnp hints that the pair will not be read soon; like all hints a core may ignore it. */
static void stnp_copy(uint8_t *to, const uint8_t *from, size_t size_bytes)
{
    size_t done = 0;
    for (; size_bytes - done >= 32; done += 32)
        __asm__ volatile("ldp q0, q1, [%1]\n\tstnp q0, q1, [%0]"
                         :
                         : "r"(to + done), "r"(from + done)
                         : "v0", "v1", "memory");
    plain_copy(to + done, from + done, size_bytes - done);
}

static void stnp_fill(uint8_t *to, uint8_t byte, size_t size_bytes)
{
    size_t done = 0;
    for (; size_bytes - done >= 32; done += 32)
        __asm__ volatile("dup v0.16b, %w1\n\tstnp q0, q0, [%0]"
                         :
                         : "r"(to + done), "r"(byte)
                         : "v0", "memory");
    plain_fill(to + done, byte, size_bytes - done);
}

static const struct variant variants[] = {
    {"stnp", is_always_supported, stnp_copy, stnp_fill},
    {"memcpy", is_always_supported, plain_copy, plain_fill},
};
const char *const sl_stream_variants[] = {"stnp", "memcpy", NULL};

#else

static const struct variant variants[] = {
    {"memcpy", is_always_supported, plain_copy, plain_fill},
};
const char *const sl_stream_variants[] = {"memcpy", NULL};

#endif

#define VARIANT_COUNT (sizeof variants / sizeof variants[0])

/* Relaxed is enough: the tables are constant, and two threads that choose at the same time choose
 * the same. */
static const struct variant *_Atomic chosen;

static const struct variant *variant(void)
{
    const struct variant *v = atomic_load_explicit(&chosen, memory_order_relaxed);
    if (v)
        return v;
    v = variants;
    while (!v->is_supported())
        v++; /* the last one always is */
    atomic_store_explicit(&chosen, v, memory_order_relaxed);
    return v;
}

void sl_stream_copy(void *to, const void *from, size_t size_bytes)
{
    variant()->copy(to, from, size_bytes);
}

void sl_stream_fill(void *to, uint8_t byte, size_t size_bytes)
{
    variant()->fill(to, byte, size_bytes);
}

const char *sl_stream_variant(void)
{
    return variant()->name;
}

int sl_stream_use(const char *name)
{
    if (!name) {
        atomic_store_explicit(&chosen, NULL, memory_order_relaxed);
        return 0;
    }
    for (size_t i = 0; i < VARIANT_COUNT; i++) {
        if (strcmp(variants[i].name, name) != 0)
            continue;
        if (!variants[i].is_supported())
            return sl_error(-ENOTSUP, "streaming stores: this CPU has no %s", name);
        atomic_store_explicit(&chosen, &variants[i], memory_order_relaxed);
        return 0;
    }
    return sl_error(-ENOENT, "streaming stores: no variant \"%s\" in this build", name);
}
