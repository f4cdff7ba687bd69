/* SPDX-License-Identifier: Apache-2.0 */
/* Every length of an inline body, whatever the alignment of what it is copied from and to. */
#include "core/shm/words.h"

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

enum {
    WORDS = 12,
    BYTES = 8 * WORDS,
    MOST = BYTES - 16, /* so that what is behind the body can be looked at */
};

static void fill(unsigned char *bytes, unsigned length, unsigned char first)
{
    for (unsigned i = 0; i < length; i++)
        bytes[i] = (unsigned char)(first + i);
}

static void test_lengths(void **state)
{
    (void)state;
    unsigned char from[BYTES + 1], back[BYTES + 1], expected[BYTES];
    for (unsigned length = 0; length <= MOST; length++) {
        for (unsigned shift = 0; shift < 2; shift++) {
            _Alignas(16) _Atomic uint64_t words[WORDS];
            memset((void *)words, 0xee, sizeof words);
            fill(from, sizeof from, 1);
            memset(back, 0xdd, sizeof back);
            sl_words_store(words, from + shift, length);
            /* The body, zeros up to the word's end, and nothing behind it. */
            memset(expected, 0xee, sizeof expected);
            memset(expected, 0, (length + 7) / 8 * 8);
            memcpy(expected, from + shift, length);
            assert_memory_equal((void *)words, expected, sizeof expected);

            sl_words_load(back + shift, words, length);
            assert_memory_equal(back + shift, from + shift, length);
            for (unsigned i = shift + length; i < sizeof back; i++)
                assert_int_equal(back[i], 0xdd);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lengths)};
    return cmocka_run_group_tests_name("words", tests, NULL, NULL);
}
