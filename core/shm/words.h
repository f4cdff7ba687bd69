/* SPDX-License-Identifier: Apache-2.0 */
/* words.h - copying bytes into and out of words that another process reads or writes meanwhile.
 *
 * A body that travels inline is copied twice, and both copies stand on the way of the message. Each
 * copy may be torn, and the entry's state (P1 to P4, T1 to T3 in ring.c) tells whether it was: no
 * more is asked of an access than that it happens once, where it stands between those fences. So
 * the words are copied in pairs, as volatile vectors: one access each, and a half that is torn
 * would be found out like any other. Copied word by word, 256 bytes took twice as long to the other
 * process (docs/bench.md, inline_256): the vector loads that compilers make of what is behind such
 * a copy find several stores where one must forward to them, and wait until all have reached the
 * cache. ThreadSanitizer knows only the words.
 */
#ifndef SL_SHM_WORDS_H
#define SL_SHM_WORDS_H

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

typedef uint64_t sl_word_pair __attribute__((vector_size(16), may_alias));

/* How much of `length` goes in pairs. */
static inline uint32_t sl_words_paired(uint32_t length)
{
#ifdef SLUICE_TSAN
    (void)length;
    return 0;
#else
    return length / 16 * 16;
#endif
}

/* `to`: of 16 bytes' alignment; the last word is filled up with zeros. */
static inline void sl_words_store(_Atomic uint64_t *to, const void *from, uint32_t length)
{
    const unsigned char *bytes = from;
    uint32_t paired = sl_words_paired(length);
    for (uint32_t at = 0; at < paired; at += 16) {
        sl_word_pair pair;
        memcpy(&pair, bytes + at, sizeof pair);
        *(volatile sl_word_pair *)(void *)(to + at / 8) = pair;
    }
    for (uint32_t at = paired; at < length; at += 8) {
        uint64_t word = 0;
        memcpy(&word, bytes + at, length - at < 8 ? length - at : 8);
        atomic_store_explicit(&to[at / 8], word, memory_order_relaxed);
    }
}

/* `from`: of 16 bytes' alignment. */
static inline void sl_words_load(void *to, const _Atomic uint64_t *from, uint32_t length)
{
    unsigned char *bytes = to;
    uint32_t paired = sl_words_paired(length);
    for (uint32_t at = 0; at < paired; at += 16) {
        sl_word_pair pair = *(const volatile sl_word_pair *)(const void *)(from + at / 8);
        memcpy(bytes + at, &pair, sizeof pair);
    }
    for (uint32_t at = paired; at < length; at += 8) {
        uint64_t word = atomic_load_explicit(&from[at / 8], memory_order_relaxed);
        memcpy(bytes + at, &word, length - at < 8 ? length - at : 8);
    }
}

#endif
