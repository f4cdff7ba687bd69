/* SPDX-License-Identifier: Apache-2.0 */
/* test_stream.c - every streaming variant against memcpy and memset, with guard bytes around. */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/uncached/stream.h"

#define SIZE_MAX_BYTES  1100
#define ALIGN_MAX_BYTES 64
#define GUARD_BYTES     96
#define ROOM_BYTES      (SIZE_MAX_BYTES + ALIGN_MAX_BYTES + 2 * GUARD_BYTES)
#define GUARD           0xA5

static uint8_t from[ROOM_BYTES];
static _Alignas(64) uint8_t to[ROOM_BYTES];
static _Alignas(64) uint8_t expected[ROOM_BYTES];

static int fill_source(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof from; i++)
        from[i] = (uint8_t)(i * 131 + i / 251);
    return 0;
}

static void check_all(size_t offset, size_t source_offset, size_t size)
{
    memset(to, GUARD, sizeof to);
    memset(expected, GUARD, sizeof expected);
    memcpy(expected + GUARD_BYTES + offset, from + source_offset, size);
    sl_stream_copy(to + GUARD_BYTES + offset, from + source_offset, size);
    sl_stream_fence();
    assert_memory_equal(to, expected, sizeof to);

    memset(expected + GUARD_BYTES + offset, (int)(size & 0xFF), size);
    sl_stream_fill(to + GUARD_BYTES + offset, (uint8_t)size, size);
    sl_stream_fence();
    assert_memory_equal(to, expected, sizeof to);
}

static void every_variant_equals_memcpy_at_every_size_and_alignment(void **state)
{
    (void)state;
    unsigned tried = 0;
    for (const char *const *name = sl_stream_variants; *name; name++) {
        int err = sl_stream_use(*name);
        if (err == -ENOTSUP)
            continue;
        assert_int_equal(err, 0);
        assert_string_equal(sl_stream_variant(), *name);
        tried++;
        for (size_t offset = 0; offset <= ALIGN_MAX_BYTES; offset++) {
            for (size_t size = 0; size <= SIZE_MAX_BYTES; size++)
                check_all(offset, (offset * 7 + size) % ALIGN_MAX_BYTES, size);
        }
    }
    assert_true(tried >= 1);
    assert_int_equal(sl_stream_use(NULL), 0);
}

static void unknown_variant_is_told(void **state)
{
    (void)state;
    assert_int_equal(sl_stream_use("altivec"), -ENOENT);
    assert_non_null(sl_stream_variant());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_variant_equals_memcpy_at_every_size_and_alignment),
        cmocka_unit_test(unknown_variant_is_told),
    };
    return cmocka_run_group_tests(tests, fill_source, NULL);
}
