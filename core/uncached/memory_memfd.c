/* SPDX-License-Identifier: Apache-2.0 */
/* memory_memfd.c - cacheable memory behind an anonymous file that takes seals. */
#include "core/base/error.h"
#include "core/uncached/limits.h"
#include "core/uncached/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int seals_of(enum sl_memory_sharing sharing)
{
    /* SEAL: a receiver must not be able to add F_SEAL_WRITE to a ledger, or anything to anything.
     */
    int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
    return sharing == SL_MEMORY_LEDGER ? seals : seals | F_SEAL_FUTURE_WRITE;
}

static int failed(const struct sl_memory_config *config, const char *step)
{
    int err = errno;
    return sl_error(err, "memory of %s, %llu bytes: %s: %s", config->name,
                    (unsigned long long)config->size_bytes, step, strerror(err));
}

/* All pages, now: the first frame must not pay for them, and what is missing must be an error here
 * rather than a signal later. */
static int allocate(int fd, uint64_t size_bytes)
{
    int err;
    do {
        err = fallocate(fd, 0, 0, (off_t)size_bytes);
    } while (err < 0 && errno == EINTR);
    return err;
}

static uint32_t huge_page_of(int fd)
{
    struct stat facts;
    return fstat(fd, &facts) == 0 ? (uint32_t)facts.st_blksize : 0;
}

int sl_memory_round_huge(uint64_t size_bytes, uint64_t *ret_bytes)
{
    struct sl_memory_limits limits;
    sl_memory_available(&limits);
    uint64_t page = limits.huge_page_bytes;
    if (page == 0)
        return sl_error(-ENODEV, "huge pages: this kernel has none");
    *ret_bytes = (size_bytes + page - 1) / page * page;
    return 0;
}

static int create(const struct sl_memory_config *config, const char *argument,
                  struct sl_memory *memory)
{
    bool is_huge = strcmp(argument, "huge") == 0;
    if (argument[0] && !is_huge)
        return sl_error(-EINVAL, "memory of %s: memfd: there is no '%s'; give memfd or memfd:huge",
                        config->name, argument);
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    if (config->size_bytes == 0 || config->size_bytes > (uint64_t)INT64_MAX - page)
        return sl_error(-EINVAL, "memory of %s: a size of %llu bytes is not possible", config->name,
                        (unsigned long long)config->size_bytes);
    uint64_t size_bytes = sl_memory_round(config->size_bytes);
    int err = 0;
    if (is_huge && (err = sl_memory_round_huge(config->size_bytes, &size_bytes)) == 0)
        err = sl_memory_limits_check_huge(config->name, size_bytes);
    else if (!is_huge)
        err = sl_memory_limits_check(config->name, size_bytes);
    if (err < 0)
        return err;

    char name[SL_MEMORY_NAME_MAX];
    snprintf(name, sizeof name, "sluice %s", config->name);
    memory->fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | (is_huge ? MFD_HUGETLB : 0));
    if (memory->fd < 0)
        return failed(config, "memfd_create");
    if (ftruncate(memory->fd, (off_t)size_bytes) < 0)
        return failed(config, "ftruncate");
    if (allocate(memory->fd, size_bytes) < 0)
        return failed(config, "fallocate");
    void *base =
        mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, memory->fd, 0);
    if (base == MAP_FAILED)
        return failed(config, "mmap");
    memory->base = base;
    memory->size_bytes = size_bytes;
    memory->page_size_bytes = is_huge ? huge_page_of(memory->fd) : (uint32_t)page;
    memory->is_writable = true;
    memory->can_pin = true;
    /* After mapping: FUTURE_WRITE lets this mapping go on writing, and none that comes later. */
    if (fcntl(memory->fd, F_ADD_SEALS, seals_of(config->sharing)) < 0)
        return failed(config, "F_ADD_SEALS");
    return 0;
}

const struct sl_memory_provider sl_memory_memfd = {
    .name = "memfd",
    .help = "cacheable memory of the machine; memfd:huge in huge pages",
    .create = create,
};
