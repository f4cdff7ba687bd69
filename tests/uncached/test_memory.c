/* SPDX-License-Identifier: Apache-2.0 */
/* test_memory.c - what is promised of shared memory, tried as a hostile or clumsy peer would. */
#include "core/base/error.h"
#include "core/uncached/limits.h"
#include "core/uncached/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/emulated.h"

#define SIZE (256 * 1024)

static struct sl_memory made(enum sl_memory_sharing sharing)
{
    struct sl_memory memory;
    int err = sl_memory_create(
        &(struct sl_memory_config){.name = "test", .size_bytes = SIZE, .sharing = sharing},
        &memory);
    if (err < 0)
        fail_msg("%s", sl_error_text());
    return memory;
}

/* A memfd as a peer might send it: of any size, with any seals, with or without its pages. */
static int peer_memfd(off_t size, int seals, bool allocated)
{
    int fd = memfd_create("peer", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, size), 0);
    if (allocated)
        assert_int_equal(fallocate(fd, 0, 0, size), 0);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

static void assert_refused(int fd, uint64_t size, bool writable, int err, const char *words)
{
    struct sl_memory memory = SL_MEMORY_NONE;
    assert_int_equal(sl_memory_attach(fd, size, writable, &memory), err);
    assert_non_null(strstr(sl_error_text(), words));
    assert_null(memory.base);
    assert_true(fcntl(fd, F_GETFD) >= 0); /* still the caller's, still open */
    close(fd);
}

/* The "VmFlags:" line of the mapping that starts at `base`, and its resident kilobytes. */
static unsigned long read_smaps(const void *base, char *flags, size_t size)
{
    FILE *file = fopen("/proc/self/smaps", "re");
    assert_non_null(file);
    char line[1024], start[32];
    unsigned long resident_kb = 0;
    bool ours = false;
    flags[0] = '\0';
    snprintf(start, sizeof start, "%lx-", (unsigned long)base);
    while (fgets(line, sizeof line, file) && !flags[0]) {
        if (strncmp(line, start, strlen(start)) == 0)
            ours = true;
        if (ours && sscanf(line, "Rss: %lu", &resident_kb) == 1)
            continue;
        if (ours && strncmp(line, "VmFlags:", 8) == 0)
            snprintf(flags, size, "%s", line + 8);
    }
    fclose(file);
    return resident_kb;
}

static void created_memory_says_what_it_is(void **state)
{
    (void)state;
    struct sl_memory memory;
    assert_int_equal(
        sl_memory_create(&(struct sl_memory_config){.name = "test", .size_bytes = 5000}, &memory),
        0);
    assert_int_equal(memory.size_bytes, 8192);
    assert_int_equal(memory.page_size_bytes, 4096);
    assert_int_equal(memory.kind, SL_MEMORY_WB);
    assert_true(memory.is_writable);
    assert_true(memory.can_pin);
    assert_false(memory.is_dmabuf);
    assert_true(memory.numa_node >= -1);
    assert_string_equal(memory.provider->name, "memfd");
    assert_int_equal(fcntl(memory.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    for (size_t i = 0; i < memory.size_bytes; i++)
        assert_int_equal(memory.base[i], 0);
    sl_memory_close(&memory);
    assert_int_equal(memory.fd, -1);
}

static void mappings_are_populated_and_kept_out_of_dumps_and_children(void **state)
{
    (void)state;
    SKIP_EMULATED("MADV_DONTDUMP, MADV_DONTFORK");
    struct sl_memory owner = made(SL_MEMORY_READ_ONLY), reader;
    assert_int_equal(sl_memory_attach(dup(owner.fd), SIZE, false, &reader), 0);
    for (int i = 0; i < 2; i++) {
        char flags[256];
        assert_int_equal(read_smaps(i ? reader.base : owner.base, flags, sizeof flags),
                         SIZE / 1024);
        assert_non_null(strstr(flags, " dd")); /* do not dump */
        assert_non_null(strstr(flags, " dc")); /* do not copy on fork */
    }
    sl_memory_close(&reader);
    sl_memory_close(&owner);
}

static void forked_child_has_no_mapping(void **state)
{
    (void)state;
    SKIP_EMULATED("MADV_DONTFORK");
    struct sl_memory memory = made(SL_MEMORY_READ_ONLY);
    pid_t child = fork();
    if (child == 0) /* msync of what is not mapped is ENOMEM */
        _exit(msync(memory.base, memory.size_bytes, MS_ASYNC) < 0 && errno == ENOMEM ? 0 : 1);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(msync(memory.base, memory.size_bytes, MS_ASYNC), 0);
    sl_memory_close(&memory);
}

static void reader_sees_what_the_owner_writes_later(void **state)
{
    (void)state;
    struct sl_memory owner = made(SL_MEMORY_READ_ONLY), reader;
    assert_int_equal(sl_memory_attach(dup(owner.fd), SIZE, false, &reader), 0);
    assert_int_equal(reader.kind, SL_MEMORY_WB);
    assert_false(reader.is_writable);
    assert_int_equal(fcntl(reader.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    owner.base[SIZE - 1] = 42;
    assert_int_equal(reader.base[SIZE - 1], 42);
    sl_memory_close(&owner); /* the reader's mapping outlives the owner's */
    assert_int_equal(reader.base[SIZE - 1], 42);
    sl_memory_close(&reader);
}

static void nobody_else_can_write_or_shrink_a_pool(void **state)
{
    (void)state;
    struct sl_memory owner = made(SL_MEMORY_READ_ONLY), reader;
    assert_int_equal(sl_memory_attach(dup(owner.fd), SIZE, false, &reader), 0);

    assert_ptr_equal(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, reader.fd, 0),
                     MAP_FAILED);
    assert_int_equal(errno, EPERM);
    assert_int_equal(mprotect(reader.base, SIZE, PROT_READ | PROT_WRITE), -1);
    assert_int_equal(errno, EACCES);
    assert_int_equal(pwrite(reader.fd, "x", 1, 0), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(ftruncate(reader.fd, 0), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(ftruncate(reader.fd, 2 * SIZE), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(fallocate(reader.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), -1);
    assert_int_equal(errno, EPERM);

    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", reader.fd);
    int again = open(path, O_RDWR | O_CLOEXEC); /* a new description has the inode's seals too */
    if (again >= 0) {
        assert_ptr_equal(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, again, 0),
                         MAP_FAILED);
        close(again);
    }
    owner.base[0] = 1; /* the owner goes on */
    assert_int_equal(reader.base[0], 1);
    sl_memory_close(&reader);
    sl_memory_close(&owner);
}

static void ledger_is_written_by_its_receiver_and_shrunk_by_nobody(void **state)
{
    (void)state;
    struct sl_memory owner = made(SL_MEMORY_LEDGER), receiver;
    assert_int_equal(sl_memory_attach(dup(owner.fd), SIZE, true, &receiver), 0);
    assert_true(receiver.is_writable);
    receiver.base[7] = 9;
    assert_int_equal(owner.base[7], 9);
    assert_int_equal(ftruncate(receiver.fd, 0), -1);
    assert_int_equal(fcntl(receiver.fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), -1);
    assert_int_equal(errno, EPERM);
    sl_memory_close(&receiver);
    sl_memory_close(&owner);
}

static void pool_is_not_attached_for_writing(void **state)
{
    (void)state;
    struct sl_memory owner = made(SL_MEMORY_READ_ONLY);
    assert_refused(dup(owner.fd), SIZE, true, -EPERM, "for writing");
    sl_memory_close(&owner);
}

static void memory_that_its_sender_could_truncate_is_refused(void **state)
{
    (void)state;
    assert_refused(peer_memfd(SIZE, 0, true), SIZE, true, -EPERM, "size is not sealed");
    assert_refused(peer_memfd(SIZE, F_SEAL_GROW, true), SIZE, true, -EPERM, "size is not sealed");
    assert_refused(peer_memfd(SIZE, F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE, true), SIZE, false, -EPERM,
                   "size is not sealed");
}

static void pool_that_others_could_write_is_refused(void **state)
{
    (void)state;
    assert_refused(peer_memfd(SIZE, F_SEAL_SHRINK | F_SEAL_GROW, true), SIZE, false, -EPERM,
                   "sealed against writing");
}

static void memory_of_another_size_is_refused(void **state)
{
    (void)state;
    int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE;
    assert_refused(peer_memfd(SIZE, seals, true), SIZE + 1, false, -EPROTO,
                   "announced with 262145");
    assert_refused(peer_memfd(SIZE, seals, true), SIZE - 1, false, -EPROTO, "262144 bytes long");
    assert_refused(peer_memfd(SIZE, seals, true), UINT64_MAX, false, -EPROTO, "announced");
    assert_refused(peer_memfd(0, seals, false), 0, false, -EPROTO, "0 bytes long");
}

static void memory_with_holes_is_refused(void **state)
{
    (void)state;
    int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE;
    assert_refused(peer_memfd(SIZE, seals, false), SIZE, false, -EPROTO, "only 0 are there");
}

static void what_is_no_memfd_is_refused(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    close(ends[1]);
    assert_refused(ends[0], SIZE, false, -EPROTO, "no memfd");
    assert_refused(open("/proc/self/exe", O_RDONLY | O_CLOEXEC), SIZE, false, -EPROTO, "no memfd");
    assert_refused(open("/dev/zero", O_RDWR | O_CLOEXEC), SIZE, true, -EPROTO, "no memfd");

    struct sl_memory memory;
    assert_int_equal(sl_memory_attach(-1, SIZE, false, &memory), -EBADF);
}

/* Should the check be broken, the file's size limit stops the memory from being allocated all the
 * same: a test must not drive the machine out of memory. */
static void memory_that_does_not_fit_is_a_sentence(void **state)
{
    (void)state;
    const uint64_t gib = (uint64_t)1 << 30;
    struct sl_memory_limits limits;
    sl_memory_available(&limits);
    assert_true(limits.available_bytes > 0 && limits.available_bytes < (uint64_t)INT64_MAX / 2);
    struct rlimit usual, guard;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &usual), 0);
    guard = (struct rlimit){limits.available_bytes + gib / 2, usual.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &guard), 0);
    signal(SIGXFSZ, SIG_IGN);

    struct sl_memory memory = SL_MEMORY_NONE;
    struct sl_memory_config config = {.name = "pool of /points",
                                      .size_bytes = limits.available_bytes + gib};
    int err = sl_memory_create(&config, &memory);
    signal(SIGXFSZ, SIG_DFL);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &usual), 0);
    assert_int_equal(err, -ENOMEM);
    assert_non_null(strstr(sl_error_text(), "pool of /points wants "));
    assert_non_null(strstr(sl_error_text(), "MiB are left ("));
    assert_non_null(strstr(sl_error_text(), "take fewer or smaller slots"));
    assert_int_equal(memory.fd, -1);
}

static void impossible_sizes_and_kinds_are_told(void **state)
{
    (void)state;
    struct sl_memory memory;
    struct sl_memory_config config = {.name = "test", .size_bytes = 0};
    assert_int_equal(sl_memory_create(&config, &memory), -EINVAL);
    config.size_bytes = UINT64_MAX;
    assert_int_equal(sl_memory_create(&config, &memory), -EINVAL);
    assert_non_null(strstr(sl_error_text(), "18446744073709551615 bytes"));
    config.size_bytes = 4096;
    config.provider = "floppy:A";
    assert_int_equal(sl_memory_create(&config, &memory), -ENOENT);
    assert_non_null(strstr(sl_error_text(), "no memory of kind 'floppy:A'"));
    config.provider = "memf";
    assert_int_equal(sl_memory_create(&config, &memory), -ENOENT);
    assert_non_null(strstr(sl_error_text(), "did you mean 'memfd'?"));
    config.provider = "memfd:1";
    assert_int_equal(sl_memory_create(&config, &memory), -EINVAL);
    config.provider = "memfd";
    assert_int_equal(sl_memory_create(&config, &memory), 0);
    sl_memory_close(&memory);
}

/* Sanitizers replace mlock by a function that does nothing and says yes. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MLOCK_IS_REAL 0
#elif defined(__has_feature)
#define MLOCK_IS_REAL (!__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer))
#else
#define MLOCK_IS_REAL 1
#endif

#if MLOCK_IS_REAL
/* Runs as nobody with a tiny RLIMIT_MEMLOCK: root may always lock. */
static int try_refused_lock(void)
{
    struct rlimit none = {4096, 4096};
    if (setrlimit(RLIMIT_MEMLOCK, &none) < 0 || (geteuid() == 0 && setuid(65534) < 0))
        return 2;
    struct sl_memory memory;
    struct sl_memory_config config = {.name = "pool", .size_bytes = SIZE, .lock = true};
    if (sl_memory_create(&config, &memory) != 0)
        return 3;
    bool told = !memory.is_locked && strstr(sl_error_text(), "memory of pool is not locked") &&
                strstr(sl_error_text(), "RLIMIT_MEMLOCK is 4 kB, 256 kB are wanted");
    memory.base[0] = 1;
    sl_memory_close(&memory);
    return told ? 0 : 4;
}

static void refused_lock_is_told_and_not_fatal(void **state)
{
    (void)state;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        _exit(try_refused_lock());
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void memory_is_locked_where_that_is_allowed(void **state)
{
    (void)state;
    struct sl_memory_limits limits;
    sl_memory_available(&limits);
    struct sl_memory memory;
    struct sl_memory_config config = {.name = "pool", .size_bytes = 4096, .lock = true};
    assert_int_equal(sl_memory_create(&config, &memory), 0);
    char flags[256];
    read_smaps(memory.base, flags, sizeof flags);
    assert_int_equal(memory.is_locked, strstr(flags, " lo") != NULL);
    if (limits.lock_bytes >= 65536)
        assert_true(memory.is_locked);
    sl_memory_close(&memory);
}
#endif

static void closing_nothing_is_fine(void **state)
{
    (void)state;
    sl_memory_close(NULL);
    struct sl_memory memory = SL_MEMORY_NONE;
    sl_memory_close(&memory);
    sl_memory_close(&memory);
    struct sl_memory zeroed = {0}; /* has no descriptor 0 */
    sl_memory_close(&zeroed);
    assert_true(fcntl(0, F_GETFD) >= 0 || errno == EBADF);
    memory = made(SL_MEMORY_READ_ONLY);
    int fd = memory.fd;
    sl_memory_close(&memory);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    sl_memory_close(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(created_memory_says_what_it_is),
        cmocka_unit_test(mappings_are_populated_and_kept_out_of_dumps_and_children),
        cmocka_unit_test(forked_child_has_no_mapping),
        cmocka_unit_test(reader_sees_what_the_owner_writes_later),
        cmocka_unit_test(nobody_else_can_write_or_shrink_a_pool),
        cmocka_unit_test(ledger_is_written_by_its_receiver_and_shrunk_by_nobody),
        cmocka_unit_test(pool_is_not_attached_for_writing),
        cmocka_unit_test(memory_that_its_sender_could_truncate_is_refused),
        cmocka_unit_test(pool_that_others_could_write_is_refused),
        cmocka_unit_test(memory_of_another_size_is_refused),
        cmocka_unit_test(memory_with_holes_is_refused),
        cmocka_unit_test(what_is_no_memfd_is_refused),
        cmocka_unit_test(memory_that_does_not_fit_is_a_sentence),
        cmocka_unit_test(impossible_sizes_and_kinds_are_told),
#if MLOCK_IS_REAL
        cmocka_unit_test(refused_lock_is_told_and_not_fatal),
        cmocka_unit_test(memory_is_locked_where_that_is_allowed),
#endif
        cmocka_unit_test(closing_nothing_is_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
