/* SPDX-License-Identifier: Apache-2.0 */
/* test_scan.c - a scan hands out every byte once, in order, in whole units. */
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
#include "core/uncached/stream_scan.h"

#define PAYLOAD_BYTES (SL_STREAM_MIN_BYTES + 3 * SL_SCAN_UNIT_MAX + 100)

static uint8_t payload[PAYLOAD_BYTES];

static int fill_payload(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof payload; i++)
        payload[i] = (uint8_t)(i * 167 + i / 253);
    return 0;
}

static void check_scan(size_t offset, size_t size, size_t unit, enum sl_memory_kind kind)
{
    static struct sl_stream_scan scan;
    size_t seen = 0;
    assert_int_equal(sl_stream_scan_begin(&scan, payload + offset, size, unit, kind), 0);
    while (sl_stream_scan_next(&scan)) {
        assert_true(scan.chunk_bytes > 0);
        assert_int_equal(scan.offset_bytes, seen);
        if (kind == SL_MEMORY_WB)
            assert_ptr_equal(scan.chunk, payload + offset + seen); /* in place */
        assert_true(seen + scan.chunk_bytes <= size);
        assert_memory_equal(scan.chunk, payload + offset + seen, scan.chunk_bytes);
        seen += scan.chunk_bytes;
        if (seen < size)
            assert_int_equal(scan.chunk_bytes % unit, 0);
    }
    assert_int_equal(seen, size);
    assert_false(sl_stream_scan_next(&scan)); /* it stays at its end */
    assert_int_equal(scan.chunk_bytes, 0);
}

static void every_byte_is_seen_once_in_whole_units(void **state)
{
    (void)state;
    static const size_t units[] = {1,  3,    22,   32,   63,   64,
                                   65, 1000, 4096, 4097, 5760, SL_SCAN_UNIT_MAX};
    static const size_t sizes[] = {0,
                                   1,
                                   15,
                                   16,
                                   63,
                                   64,
                                   65,
                                   4095,
                                   4096,
                                   12288,
                                   49999,
                                   SL_STREAM_MIN_BYTES - 1,
                                   SL_STREAM_MIN_BYTES,
                                   PAYLOAD_BYTES - 80};
    for (size_t u = 0; u < sizeof units / sizeof *units; u++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
            for (enum sl_memory_kind kind = SL_MEMORY_UNKNOWN; kind <= SL_MEMORY_UC; kind++)
                check_scan((u * 7 + s) % 80, sizes[s], units[u], kind);
}

static void whole_lines_are_chunks_where_units_allow_it(void **state)
{
    (void)state;
    static _Alignas(64) uint8_t aligned[20000];
    static struct sl_stream_scan scan;
    assert_int_equal(sl_stream_scan_begin(&scan, aligned, sizeof aligned, 22, SL_MEMORY_WC), 0);
    assert_true(sl_stream_scan_next(&scan));
    assert_int_equal(scan.chunk_bytes % (22 * 64), 0);
}

static void units_that_cannot_be_are_refused(void **state)
{
    (void)state;
    static struct sl_stream_scan scan;
    assert_int_equal(sl_stream_scan_begin(&scan, payload, 10, 0, SL_MEMORY_WB), -EINVAL);
    assert_int_equal(sl_stream_scan_begin(&scan, payload, 10, SL_SCAN_UNIT_MAX + 1, SL_MEMORY_WB),
                     -EINVAL);
}

/* Reading in scratch is reading what was there when the chunk was fetched. */
static void chunks_of_uncached_memory_are_scratch_of_the_scan(void **state)
{
    (void)state;
    static struct sl_stream_scan scan;
    assert_int_equal(sl_stream_scan_begin(&scan, payload, sizeof payload, 1, SL_MEMORY_UC), 0);
    while (sl_stream_scan_next(&scan)) {
        assert_true(scan.chunk >= scan.scratch);
        assert_true(scan.chunk + scan.chunk_bytes <= scan.scratch + sizeof scan.scratch);
    }
}

/* Letting go as reading: behind a mapping's end there is nothing. */
static void nothing_beside_the_payload_is_touched(void **state)
{
    (void)state;
    static struct sl_stream_scan scan;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t size = (2 * SL_STREAM_MIN_BYTES + page - 1) / page * page;
    uint8_t *map = mmap(NULL, size + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(map != MAP_FAILED);
    assert_int_equal(mprotect(map + page, size, PROT_READ), 0);
    for (size_t cut = 0; cut < 130; cut += 13) {
        for (enum sl_memory_kind kind = SL_MEMORY_WB; kind <= SL_MEMORY_UC; kind++) {
            size_t seen = 0;
            assert_int_equal(sl_stream_scan_begin(&scan, map + page + cut, size - cut, 22, kind),
                             0);
            while (sl_stream_scan_next(&scan))
                seen += scan.chunk_bytes + scan.chunk[scan.chunk_bytes - 1];
            assert_int_equal(seen, size - cut);
        }
    }
    munmap(map, size + 2 * page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_is_seen_once_in_whole_units),
        cmocka_unit_test(whole_lines_are_chunks_where_units_allow_it),
        cmocka_unit_test(units_that_cannot_be_are_refused),
        cmocka_unit_test(chunks_of_uncached_memory_are_scratch_of_the_scan),
        cmocka_unit_test(nothing_beside_the_payload_is_touched),
    };
    return cmocka_run_group_tests(tests, fill_payload, NULL);
}
