/* SPDX-License-Identifier: Apache-2.0 */
/* test_limits_cgroup.c - memory is refused, not killed for, inside a real memory cgroup.
 *
 * Makes a cgroup below its own, which needs root, a memory hierarchy that is mounted writable, and
 * (version 2) a parent that hands the memory controller down; skipped where that is not so. */
#include "core/base/error.h"
#include "core/uncached/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define LIMIT_BYTES     (64u << 20)
#define TOO_LARGE_BYTES (96u << 20)
#define SMALL_BYTES     (8u << 20)

static char group[512];

static bool write_text(const char *folder, const char *file, const char *text)
{
    char path[640];
    snprintf(path, sizeof path, "%s/%s", folder, file);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool written = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    close(fd);
    return written;
}

/* Where our own memory cgroup most likely is; the paths of a container's view fail to open. */
static bool make_group(void)
{
    char line[256], limit[32];
    FILE *file = fopen("/proc/self/cgroup", "re");
    snprintf(limit, sizeof limit, "%u", LIMIT_BYTES);
    while (file && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        const char *v1 = strstr(line, ":memory:");
        bool is_v2 = strncmp(line, "0::", 3) == 0;
        if (!v1 && !is_v2)
            continue;
        snprintf(group, sizeof group, "/sys/fs/cgroup%s%s/sluice-test-%d", v1 ? "/memory" : "",
                 v1 ? v1 + 8 : line + 3, (int)getpid());
        if (mkdir(group, 0755) < 0)
            continue;
        if (write_text(group, v1 ? "memory.limit_in_bytes" : "memory.max", limit)) {
            fclose(file);
            return true;
        }
        rmdir(group);
    }
    if (file)
        fclose(file);
    return false;
}

/* In a child, inside the cgroup. */
static int try_memory(void)
{
    struct sl_memory memory = SL_MEMORY_NONE;
    struct sl_memory_config config = {.name = "pool", .size_bytes = TOO_LARGE_BYTES};
    if (!write_text(group, "cgroup.procs", "0"))
        return 2;
    if (sl_memory_create(&config, &memory) != -ENOMEM || !strstr(sl_error_text(), " of cgroup ") ||
        !strstr(sl_error_text(), "sluice-test-"))
        return 3;
    fprintf(stderr, "%s\n", sl_error_text());
    config.size_bytes = SMALL_BYTES;
    if (sl_memory_create(&config, &memory) != 0)
        return 4;
    memset(memory.base, 1, memory.size_bytes);
    sl_memory_close(&memory);
    return 0;
}

static void memory_beyond_the_cgroup_is_an_error_and_not_a_kill(void **state)
{
    (void)state;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        _exit(try_memory());
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    if (!make_group()) {
        printf("SKIP: no memory cgroup can be made here\n");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_beyond_the_cgroup_is_an_error_and_not_a_kill),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(group);
    return failed;
}
