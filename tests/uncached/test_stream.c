/* SPDX-License-Identifier: Apache-2.0 */
/* test_stream.c - every streaming variant against memcpy and memset, with guard bytes around; what
 * is let go of keeps its bytes. */
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
#include <sys/mman.h>
#include <unistd.h>

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

/* One that this CPU lacks is said, not passed over: the last line of a run on another machine. */
static void variants_that_were_not_tried_are_told(void **state)
{
    (void)state;
    for (const char *const *name = sl_stream_variants; *name; name++)
        if (sl_stream_use(*name) == -ENOTSUP)
            print_message("not on this CPU: %s\n", *name);
    for (const char *const *name = sl_stream_behinds; *name; name++)
        if (sl_stream_use_behind(*name) == -ENOTSUP)
            print_message("not on this CPU: %s\n", *name);
    assert_int_equal(sl_stream_use(NULL), 0);
    assert_int_equal(sl_stream_use_behind(NULL), 0);
}

static void check_reading(size_t offset, size_t source_offset, size_t size,
                          enum sl_memory_kind kind)
{
    memset(to, GUARD, sizeof to);
    memset(expected, GUARD, sizeof expected);
    memcpy(expected + GUARD_BYTES + offset, from + source_offset, size);
    sl_stream_inspect(to + GUARD_BYTES + offset, from + source_offset, size, kind);
    assert_memory_equal(to, expected, sizeof to);
    sl_stream_copy_out(to + GUARD_BYTES + offset, from + source_offset, size, kind);
    assert_memory_equal(to, expected, sizeof to);
}

/* The instructions for uncached memory read any. */
static void every_memory_is_read_at_every_size_and_alignment(void **state)
{
    (void)state;
    for (size_t source_offset = 0; source_offset <= ALIGN_MAX_BYTES; source_offset++) {
        for (size_t size = 0; size <= SIZE_MAX_BYTES; size += 1 + size / 300) {
            check_reading((source_offset * 5 + size) % 32, source_offset, size, SL_MEMORY_WC);
            check_reading(source_offset % 2, source_offset, size, SL_MEMORY_WB);
        }
        check_reading(source_offset, source_offset, 777, SL_MEMORY_UC);
        check_reading(source_offset, source_offset, 777, SL_MEMORY_UNKNOWN);
    }
}

/* On both sides of the threshold, and of a block. */
static const size_t large_sizes[] = {
    4095, 4096, 4097, SL_STREAM_MIN_BYTES - 1, SL_STREAM_MIN_BYTES, SL_STREAM_MIN_BYTES + 4097,
};
#define LARGE_ROOM (SL_STREAM_MIN_BYTES + 3 * 4096)

static void copy_large_both_ways(uint8_t *source, uint8_t *target, size_t size, size_t offset,
                                 enum sl_memory_kind kind)
{
    for (size_t i = 0; i < LARGE_ROOM; i++)
        source[i] = (uint8_t)(i * 73 + i / 255);
    memset(target, GUARD, LARGE_ROOM);
    sl_stream_copy_in(target + offset, source + 1, size, kind);
    sl_stream_fence();
    assert_memory_equal(target + offset, source + 1, size);
    memset(source, GUARD, LARGE_ROOM);
    sl_stream_copy_out(source + 3, target + offset, size, kind);
    assert_memory_equal(source + 3, target + offset, size);
    assert_int_equal(target[offset + size], GUARD);
    assert_int_equal(source[2], GUARD);
    assert_int_equal(source[3 + size], GUARD);
}

static void whole_payloads_are_right_on_both_sides_of_the_threshold(void **state)
{
    (void)state;
    uint8_t *source = malloc(LARGE_ROOM), *target = malloc(LARGE_ROOM);
    assert_non_null(source);
    assert_non_null(target);
    for (const char *const *name = sl_stream_behinds; *name; name++) {
        int err = sl_stream_use_behind(*name);
        if (err == -ENOTSUP)
            continue;
        assert_int_equal(err, 0);
        assert_string_equal(sl_stream_behind(), *name);
        for (size_t i = 0; i < sizeof large_sizes / sizeof *large_sizes; i++)
            for (enum sl_memory_kind kind = SL_MEMORY_UNKNOWN; kind <= SL_MEMORY_UC; kind++)
                copy_large_both_ways(source, target, large_sizes[i], 17 * i, kind);
    }
    assert_int_equal(sl_stream_use_behind(NULL), 0);
    free(source);
    free(target);
}

static void small_payloads_in_cached_memory_do_not_stream(void **state)
{
    (void)state;
    assert_false(sl_stream_pays(SL_STREAM_MIN_BYTES - 1, SL_MEMORY_WB));
    assert_true(sl_stream_pays(SL_STREAM_MIN_BYTES, SL_MEMORY_WB));
    assert_true(sl_stream_pays(1, SL_MEMORY_WC));
    assert_true(sl_stream_pays(1, SL_MEMORY_UNKNOWN));
}

/* A subscriber's mapping is read-only; and what is not mapped behind it must not be touched. */
static void read_only_memory_can_be_let_go_and_nothing_beside_it(void **state)
{
    (void)state;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *map = mmap(NULL, 3 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(map != MAP_FAILED);
    uint8_t *middle = map + page;
    assert_int_equal(mprotect(middle, page, PROT_READ | PROT_WRITE), 0);
    memset(middle, 7, page);
    assert_int_equal(mprotect(middle, page, PROT_READ), 0);
    sl_stream_let_go(middle, 0);
    sl_stream_let_go(middle + 1, 1);
    sl_stream_let_go(middle + page - 1, 1);
    sl_stream_let_go(middle, page);
    for (size_t i = 0; i < page; i++)
        assert_int_equal(middle[i], 7);
    munmap(map, 3 * page);
}

static void unknown_variant_is_told(void **state)
{
    (void)state;
    assert_int_equal(sl_stream_use("altivec"), -ENOENT);
    assert_int_equal(sl_stream_use_behind("altivec"), -ENOENT);
    assert_non_null(sl_stream_variant());
    assert_non_null(sl_stream_behind());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_variant_equals_memcpy_at_every_size_and_alignment),
        cmocka_unit_test(variants_that_were_not_tried_are_told),
        cmocka_unit_test(unknown_variant_is_told),
        cmocka_unit_test(every_memory_is_read_at_every_size_and_alignment),
        cmocka_unit_test(whole_payloads_are_right_on_both_sides_of_the_threshold),
        cmocka_unit_test(small_payloads_in_cached_memory_do_not_stream),
        cmocka_unit_test(read_only_memory_can_be_let_go_and_nothing_beside_it),
    };
    return cmocka_run_group_tests(tests, fill_source, NULL);
}
