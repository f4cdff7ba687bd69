/* SPDX-License-Identifier: Apache-2.0 */
/* test_limits.c - what memory is left, from trees of /proc and cgroups written for the purpose. */
#include "core/base/error.h"
#include "core/uncached/limits.h"

#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define MIB (UINT64_C(1) << 20)

static char root[64];

/* Write a file below the root, with the folders that it needs. */
static void put(const char *path, const char *text)
{
    char full[512];
    assert_true((size_t)snprintf(full, sizeof full, "%s%s", root, path) < sizeof full);
    for (char *slash = full + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        assert_true(mkdir(full, 0700) == 0 || errno == EEXIST);
        *slash = '/';
    }
    FILE *file = fopen(full, "we");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void put_mib(const char *path, uint64_t mib)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRIu64 "\n", mib * MIB);
    put(path, text);
}

static int make_root(void **state)
{
    (void)state;
    strcpy(root, "/tmp/sluice-limits-XXXXXX");
    if (!mkdtemp(root))
        return -1;
    put("/proc/meminfo", "MemTotal: 9000000 kB\nMemFree: 10 kB\nMemAvailable:    1048576 kB\n");
    return 0;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

static int remove_root(void **state)
{
    (void)state;
    return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static struct sl_memory_limits look(void)
{
    struct sl_memory_limits limits;
    sl_memory_available_below(root, &limits);
    return limits;
}

static void without_cgroups_the_machine_is_the_limit(void **state)
{
    (void)state;
    struct sl_memory_limits limits = look();
    assert_int_equal(limits.available_bytes, 1024 * MIB);
    assert_int_equal(limits.machine_bytes, 1024 * MIB);
    assert_true(limits.cgroup_bytes == UINT64_MAX);
    assert_string_equal(limits.narrowest, "free memory of the machine");
}

static void put_version_2(const char *own)
{
    char text[256];
    put("/proc/self/mountinfo",
        "22 1 0:20 / /proc rw,nosuid - proc proc rw\n"
        "30 22 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n");
    snprintf(text, sizeof text, "0::%s\n", own);
    put("/proc/self/cgroup", text);
}

static void every_ancestor_of_version_2_counts(void **state)
{
    (void)state;
    put_version_2("/a.slice/b.service");
    put("/sys/fs/cgroup/a.slice/b.service/memory.max", "max\n");
    put_mib("/sys/fs/cgroup/a.slice/b.service/memory.current", 50);
    assert_true(look().cgroup_bytes == UINT64_MAX);

    put_mib("/sys/fs/cgroup/a.slice/memory.max", 300);
    put_mib("/sys/fs/cgroup/a.slice/memory.current", 100);
    struct sl_memory_limits limits = look();
    assert_int_equal(limits.available_bytes, 200 * MIB);
    assert_int_equal(limits.cgroup_bytes, 200 * MIB);
    assert_string_equal(limits.narrowest, "memory.max of cgroup /sys/fs/cgroup/a.slice");

    put_mib("/sys/fs/cgroup/a.slice/b.service/memory.max", 120);
    limits = look();
    assert_int_equal(limits.available_bytes, 70 * MIB);
    assert_string_equal(limits.narrowest, "memory.max of cgroup /sys/fs/cgroup/a.slice/b.service");
}

static void container_sees_its_limit_at_the_mount_point(void **state)
{
    (void)state;
    put_version_2("/");
    put_mib("/sys/fs/cgroup/memory.max", 64);
    put_mib("/sys/fs/cgroup/memory.current", 80); /* already over it */
    assert_int_equal(look().available_bytes, 0);
    put_version_2("/../../elsewhere"); /* a cgroup outside the namespace */
    assert_int_equal(look().available_bytes, 0);
}

static void page_cache_can_be_had_back(void **state)
{
    (void)state;
    put_version_2("/x");
    put_mib("/sys/fs/cgroup/x/memory.max", 100);
    put_mib("/sys/fs/cgroup/x/memory.current", 90);
    put("/sys/fs/cgroup/x/memory.stat",
        "anon 1\ninactive_file 31457280\nactive_file 20971520\nshmem 5\n");
    assert_int_equal(look().available_bytes, (100 - (90 - 30 - 10)) * MIB);
}

static void version_1_is_read_below_a_bind_mount(void **state)
{
    (void)state;
    put("/proc/self/mountinfo",
        "30 22 0:26 / /cg/cpu rw - cgroup cgroup rw,cpu\n"
        "31 22 0:27 /docker/0123 /cg/memory ro shared:1 master:2 - cgroup cgroup rw,memory\n");
    put("/proc/self/cgroup", "7:cpu,cpuacct:/other\n4:hugetlb,memory:/docker/0123/deep\n0::/\n");
    put("/cg/memory/memory.limit_in_bytes", "9223372036854771712\n"); /* none */
    put_mib("/cg/memory/memory.usage_in_bytes", 400);
    assert_true(look().cgroup_bytes == UINT64_MAX);
    put_mib("/cg/memory/deep/memory.limit_in_bytes", 500);
    put_mib("/cg/memory/deep/memory.usage_in_bytes", 400);
    put("/cg/memory/deep/memory.stat", "inactive_file 1\ntotal_inactive_file 10485760\n");
    struct sl_memory_limits limits = look();
    assert_int_equal(limits.available_bytes, 110 * MIB);
    assert_string_equal(limits.narrowest, "memory.limit_in_bytes of cgroup /cg/memory/deep");
}

static void nonsense_limits_nothing(void **state)
{
    (void)state;
    put("/proc/self/mountinfo", "x\n - \n1 2 - cgroup2\n3 - cgroup2 c rw\n - cgroup2 c rw\n\n");
    put("/proc/self/cgroup", "\n:\n0:\n0::\n");
    put("/proc/meminfo", "MemAvailable\nMemAvailable:\n");
    struct sl_memory_limits limits = look();
    assert_true(limits.machine_bytes == UINT64_MAX);
    assert_true(limits.cgroup_bytes == UINT64_MAX);
}

static void sentence_names_the_limit(void **state)
{
    (void)state;
    assert_int_equal(sl_memory_limits_check("pool", 4096), 0);
    assert_int_equal(sl_memory_limits_check("pool", UINT64_MAX - 1), -ENOMEM);
    struct sl_memory_limits limits;
    sl_memory_available(&limits);
    assert_non_null(strstr(sl_error_text(), limits.narrowest));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(without_cgroups_the_machine_is_the_limit, make_root,
                                        remove_root),
        cmocka_unit_test_setup_teardown(every_ancestor_of_version_2_counts, make_root, remove_root),
        cmocka_unit_test_setup_teardown(container_sees_its_limit_at_the_mount_point, make_root,
                                        remove_root),
        cmocka_unit_test_setup_teardown(page_cache_can_be_had_back, make_root, remove_root),
        cmocka_unit_test_setup_teardown(version_1_is_read_below_a_bind_mount, make_root,
                                        remove_root),
        cmocka_unit_test_setup_teardown(nonsense_limits_nothing, make_root, remove_root),
        cmocka_unit_test(sentence_names_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
