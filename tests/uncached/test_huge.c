/* SPDX-License-Identifier: Apache-2.0 */
/* test_huge.c - memory in huge pages: real ones, set aside for the test and given back.
 *
 * Needs root and a kernel that has some to give; skipped where that is not so. */
#include "core/base/error.h"
#include "core/uncached/limits.h"
#include "core/uncached/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define PAGES 4
#define POOL  "/proc/sys/vm/nr_hugepages"

static long before;

static long read_pool(void)
{
    long pages = -1;
    FILE *file = fopen(POOL, "re");
    if (file && fscanf(file, "%ld", &pages) != 1)
        pages = -1;
    if (file)
        fclose(file);
    return pages;
}

static bool write_pool(long pages)
{
    FILE *file = fopen(POOL, "we");
    if (!file)
        return false;
    fprintf(file, "%ld\n", pages);
    return fclose(file) == 0;
}

static void memory_lies_in_huge_pages_and_can_be_attached(void **state)
{
    (void)state;
    struct sl_memory_limits limits;
    struct sl_memory memory, attached;
    sl_memory_available(&limits);
    uint64_t page = limits.huge_page_bytes;
    assert_true(limits.huge_bytes >= PAGES * page);
    struct sl_memory_config config = {
        .provider = SL_MEMORY_HUGE, .name = "pool", .size_bytes = 2 * page + 1};
    if (sl_memory_create(&config, &memory) != 0)
        fail_msg("%s", sl_error_text());
    assert_int_equal(memory.size_bytes, 3 * page);
    assert_int_equal(memory.page_size_bytes, page);
    struct stat facts;
    assert_int_equal(fstat(memory.fd, &facts), 0);
    assert_int_equal(facts.st_size, 3 * page);
    struct sl_memory_limits after;
    sl_memory_available(&after);
    assert_int_equal(limits.huge_bytes - after.huge_bytes, 3 * page); /* all there already */

    assert_int_equal(fcntl(memory.fd, F_ADD_SEALS, F_SEAL_WRITE), -1); /* sealed as others are */
    int fd = fcntl(memory.fd, F_DUPFD_CLOEXEC, 3);
    if (sl_memory_attach(fd, memory.size_bytes, false, &attached) != 0)
        fail_msg("%s", sl_error_text());
    memory.base[memory.size_bytes - 1] = 42;
    assert_int_equal(attached.base[memory.size_bytes - 1], 42);
    sl_memory_close(&attached);
    sl_memory_close(&memory);
    sl_memory_available(&after);
    assert_int_equal(after.huge_bytes, limits.huge_bytes);
}

static void more_than_is_set_aside_is_refused_before_it_is_touched(void **state)
{
    (void)state;
    struct sl_memory_limits limits;
    struct sl_memory memory;
    sl_memory_available(&limits);
    struct sl_memory_config config = {
        .provider = SL_MEMORY_HUGE, .name = "pool", .size_bytes = limits.huge_bytes + 1};
    assert_int_equal(sl_memory_create(&config, &memory), -ENOMEM);
    assert_non_null(strstr(sl_error_text(), "set 1 more aside (sysctl vm.nr_hugepages)"));
}

static int give_back(void **state)
{
    (void)state;
    return write_pool(before) ? 0 : -1;
}

int main(void)
{
    before = read_pool();
    if (before < 0 || !write_pool(before + PAGES) || read_pool() < before + PAGES) {
        if (before >= 0)
            write_pool(before);
        puts("SKIP: no huge pages can be set aside here");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_lies_in_huge_pages_and_can_be_attached),
        cmocka_unit_test(more_than_is_set_aside_is_refused_before_it_is_touched),
    };
    return cmocka_run_group_tests(tests, NULL, give_back);
}
