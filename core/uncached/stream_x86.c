/* SPDX-License-Identifier: Apache-2.0 */
/* stream_x86.c - non-temporal stores, direct stores, streaming loads, and flushes.
 *
 * Each variant of writing walks up to its widest aligned store in steps of powers of two and down
 * again at the end, all non-temporal: a plain store to a line that is otherwise streamed would
 * fetch it. What the instructions promise: Intel SDM volume 1, 10.4.6.2 (non-temporal stores,
 * streaming loads) and volume 2 (MOVDIR64B, CLFLUSHOPT, CLDEMOTE).
 */
#include "core/uncached/stream.h"
#include "core/uncached/stream_variants.h"

#if defined(__x86_64__)

#include <cpuid.h>

/* Writing. ------------------------------------------------------------------------------------- */

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

/* 1 to 3 bytes inside 4 aligned ones: the one store past the caches that goes by the byte. It may
 * look at all 16 bytes around, which lie on the same page. Plain stores of these few bytes fetched
 * 7000 lines for a frame of 8 MB that came by packets of 1206 bytes. */
static inline void store_few(uint8_t *to, const uint8_t *from, size_t size_bytes)
{
    _Alignas(16) uint8_t bytes[16] = {0};
    _Alignas(16) uint8_t chosen[16] = {0};
    size_t place = (uintptr_t)to % 16;
    for (size_t i = 0; i < size_bytes; i++) {
        bytes[place + i] = from[i];
        chosen[place + i] = 0x80;
    }
    _mm_maskmoveu_si128(_mm_load_si128((const __m128i *)(const void *)bytes),
                        _mm_load_si128((const __m128i *)(const void *)chosen),
                        (char *)(to - place));
}

/* The part before the first multiple of `width` and of at least 4, or all if it is shorter: returns
 * its size. The steps of 16 and less are alike in all variants. */
static inline size_t copy_head(uint8_t *to, const uint8_t *from, size_t size_bytes, size_t width)
{
    size_t done = (0 - (uintptr_t)to) % 4;
    done = done < size_bytes ? done : size_bytes;
    if (done > 0)
        store_few(to, from, done);
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
    if (done < size_bytes)
        store_few(to + done, from + done, size_bytes - done);
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

/* A direct store sends a whole line off at once, also into uncached memory, where the others fall
 * apart into words: there it is the best there is. Into ordinary memory it is as fast as they are.
 */
__attribute__((target("movdir64b"))) static void movdir64b_copy(uint8_t *to, const uint8_t *from,
                                                                size_t size_bytes)
{
    size_t head = head_bytes(to, size_bytes, SL_STREAM_LINE_BYTES);
    sse2_copy(to, from, head);
    size_t done = head;
    for (; size_bytes - done >= SL_STREAM_LINE_BYTES; done += SL_STREAM_LINE_BYTES)
        _movdir64b(to + done, from + done);
    sse2_copy(to + done, from + done, size_bytes - done);
}

__attribute__((target("movdir64b"))) static void movdir64b_fill(uint8_t *to, uint8_t byte,
                                                                size_t size_bytes)
{
    uint8_t pattern[PATTERN_BYTES];
    memset(pattern, byte, sizeof pattern);
    size_t done = head_bytes(to, size_bytes, SL_STREAM_LINE_BYTES);
    sse2_copy(to, pattern, done);
    for (; size_bytes - done >= SL_STREAM_LINE_BYTES; done += SL_STREAM_LINE_BYTES)
        _movdir64b(to + done, pattern);
    sse2_copy(to + done, pattern, size_bytes - done);
}

static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2");
}

static bool has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && has_avx2();
}

/* Leaf 7 tells of what compilers have no name for yet, or not all. */
static bool has_leaf_7(bool in_ecx, unsigned bit)
{
    unsigned eax, ebx, ecx, edx;
    if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx))
        return false;
    return ((in_ecx ? ecx : ebx) >> bit & 1) != 0;
}

static bool has_movdir64b(void)
{
    return has_leaf_7(true, 28);
}

static bool has_clflushopt(void)
{
    return has_leaf_7(false, 23);
}

static bool has_cldemote(void)
{
    return has_leaf_7(true, 25);
}

const struct sl_stream_variant sl_stream_variant_list[] = {
    {"avx512", has_avx512, false, avx512_copy, avx512_fill},
    {"avx2", has_avx2, false, avx2_copy, avx2_fill},
    {"movdir64b", has_movdir64b, true, movdir64b_copy, movdir64b_fill},
    {"sse2", sl_stream_is_always_supported, false, sse2_copy, sse2_fill},
    {"memcpy", sl_stream_is_always_supported, false, sl_stream_plain_copy, sl_stream_plain_fill},
    {0},
};
const char *const sl_stream_variants[] = {"avx512", "avx2", "movdir64b", "sse2", "memcpy", NULL};

/* Reading. ------------------------------------------------------------------------------------- */

/* Not ordered with the loads before it, and it need not be: at worst a load that is later than its
 * flush brings one line back. */
__attribute__((target("clflushopt"))) static void flush(const uint8_t *from, size_t size_bytes)
{
    const uint8_t *line = from - (uintptr_t)from % SL_STREAM_LINE_BYTES;
    for (; line < from + size_bytes; line += SL_STREAM_LINE_BYTES)
        _mm_clflushopt((void *)(uintptr_t)line); /* which writes nothing */
}

__attribute__((target("cldemote"))) static void demote(const uint8_t *from, size_t size_bytes)
{
    const uint8_t *line = from - (uintptr_t)from % SL_STREAM_LINE_BYTES;
    for (; line < from + size_bytes; line += SL_STREAM_LINE_BYTES)
        _cldemote((void *)(uintptr_t)line);
}

const struct sl_stream_behind sl_stream_behind_list[] = {
    {"clflushopt", has_clflushopt, flush},
    {"cldemote", has_cldemote, demote},
    {"none", sl_stream_is_always_supported, sl_stream_keep},
    {0},
};
const char *const sl_stream_behinds[] = {"clflushopt", "cldemote", "none", NULL};

/* The streaming load of a line's first quarter fetches all of it; the other three take theirs from
 * the same buffer. So they follow each other, and nothing else is loaded between. */
__attribute__((target("sse4.1"))) static size_t load_lines(uint8_t *to, const uint8_t *from,
                                                           size_t size_bytes)
{
    size_t done = 0;
    for (; size_bytes - done >= 16; done += 16) {
        /* gcc 12's intrinsic takes a pointer to non-const */
        __m128i part = _mm_stream_load_si128((__m128i *)((uintptr_t)from + done));
        _mm_storeu_si128((__m128i *)(void *)(to + done), part);
    }
    return done;
}

void sl_stream_fetch(uint8_t *to, const uint8_t *from, size_t size_bytes)
{
    size_t done = (0 - (uintptr_t)from) % 16;
    /* A buffer may still hold a line as it was the last time: empty them all. */
    _mm_mfence();
    if (size_bytes < 16 || !__builtin_cpu_supports("sse4.1")) {
        sl_stream_plain_copy(to, from, size_bytes);
        return;
    }
    memcpy(to, from, done);
    done += load_lines(to + done, from + done, size_bytes - done);
    memcpy(to + done, from + done, size_bytes - done);
}

#endif
