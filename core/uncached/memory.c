/* SPDX-License-Identifier: Apache-2.0 */
#include "core/uncached/memory.h"

#include "core/base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STAT_BLOCK_BYTES 512 /* the unit of st_blocks, whatever the file system */

/* linux/mempolicy.h; spelled out so that no libnuma is needed */
#define POLICY_NODE_OF_ADDRESS (1u << 0 | 1u << 1) /* MPOL_F_NODE | MPOL_F_ADDR */

const struct sl_memory_provider *const sl_memory_providers[] = {
    &sl_memory_memfd,
    NULL,
};

/* "dma-heap:system" -> the provider dma-heap, argument "system" */
static const struct sl_memory_provider *find_provider(const char *written,
                                                      const char **ret_argument)
{
    size_t length = strcspn(written, ":");
    *ret_argument = written[length] ? written + length + 1 : written + length;
    for (unsigned i = 0; sl_memory_providers[i]; i++) {
        const struct sl_memory_provider *p = sl_memory_providers[i];
        if (strlen(p->name) == length && memcmp(p->name, written, length) == 0)
            return p;
    }
    return NULL;
}

static int node_of(const void *address)
{
    int node = -1;
    long err = syscall(SYS_get_mempolicy, &node, NULL, 0UL, address,
                       (unsigned long)POLICY_NODE_OF_ADDRESS);
    return err == 0 ? node : -1;
}

/* What holds for every mapping of ours, whoever made the memory. */
static int settle(struct sl_memory *memory)
{
    if (!memory->base)
        return 0;
    /* A child that inherits the mapping would keep the memory of a dead process alive; a core dump
     * that writes it out would delay the news of the death by seconds. */
    if (madvise(memory->base, memory->size_bytes, MADV_DONTFORK) < 0)
        return sl_error(errno, "memory: MADV_DONTFORK: %s", strerror(errno));
    if (madvise(memory->base, memory->size_bytes, MADV_DONTDUMP) < 0)
        return sl_error(errno, "memory: MADV_DONTDUMP: %s", strerror(errno));
    memory->numa_node = node_of(memory->base);
    memory->kind = sl_probe_kind(memory->base);
    return 0;
}

static void lock(struct sl_memory *memory, const char *name)
{
    if (!memory->base)
        return;
    if (mlock(memory->base, memory->size_bytes) == 0) {
        memory->is_locked = true;
        return;
    }
    int err = errno;
    struct rlimit limit = {0};
    getrlimit(RLIMIT_MEMLOCK, &limit);
    sl_error(err,
             "memory of %s is not locked: %s; RLIMIT_MEMLOCK is %llu kB, %llu kB are wanted "
             "(ulimit -l, LimitMEMLOCK= or CAP_IPC_LOCK)",
             name, strerror(err), (unsigned long long)limit.rlim_cur / 1024,
             (unsigned long long)memory->size_bytes / 1024);
}

int sl_memory_create(const struct sl_memory_config *config, struct sl_memory *ret_memory)
{
    const char *written = config->provider ? config->provider : sl_memory_memfd.name;
    const char *argument;
    const struct sl_memory_provider *provider = find_provider(written, &argument);
    if (!provider)
        return sl_error(-ENOENT, "memory of %s: there is no kind '%s'; the first is '%s'",
                        config->name, written, sl_memory_providers[0]->name);

    struct sl_memory memory = SL_MEMORY_NONE;
    memory.provider = provider;
    int err = provider->create(config, argument, &memory);
    if (err == 0)
        err = settle(&memory);
    if (err < 0) {
        sl_memory_close(&memory);
        return err;
    }
    if (config->lock)
        lock(&memory, config->name);
    *ret_memory = memory;
    return 0;
}

/* What a peer's descriptor must be before a byte behind it is looked at. */
static int check_descriptor(int fd, uint64_t size_bytes, bool writable)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return sl_error(errno, "shared memory: descriptor %d: %s", fd, strerror(errno));
    int seals = fcntl(fd, F_GET_SEALS);
    if (!S_ISREG(status.st_mode) || seals < 0)
        return sl_error(-EPROTO, "shared memory: what the peer sent is no memfd");

    /* The seals first: without them the size means nothing. */
    if ((seals & (F_SEAL_SHRINK | F_SEAL_GROW)) != (F_SEAL_SHRINK | F_SEAL_GROW))
        return sl_error(-EPERM,
                        "shared memory: its size is not sealed, the peer could take it away "
                        "from under us");
    if (!writable && !(seals & (F_SEAL_FUTURE_WRITE | F_SEAL_WRITE)))
        return sl_error(-EPERM, "shared memory: it is not sealed against writing by others");

    if (size_bytes == 0 || status.st_size < 0 || (uint64_t)status.st_size != size_bytes)
        return sl_error(-EPROTO, "shared memory: %lld bytes long, announced with %llu",
                        (long long)status.st_size, (unsigned long long)size_bytes);
    /* A hole is filled at our expense when we touch it. */
    if ((uint64_t)status.st_blocks < (size_bytes + STAT_BLOCK_BYTES - 1) / STAT_BLOCK_BYTES)
        return sl_error(-EPROTO, "shared memory: of %llu bytes only %llu are there",
                        (unsigned long long)size_bytes,
                        (unsigned long long)status.st_blocks * STAT_BLOCK_BYTES);
    return 0;
}

int sl_memory_attach(int fd, uint64_t size_bytes, bool writable, struct sl_memory *ret_memory)
{
    int err = check_descriptor(fd, size_bytes, writable);
    if (err < 0)
        return err;
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return sl_error(errno, "shared memory: %s", strerror(errno));

    int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
    void *base = mmap(NULL, size_bytes, protection, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (base == MAP_FAILED)
        return sl_error(errno, "shared memory: cannot map %llu bytes%s: %s",
                        (unsigned long long)size_bytes, writable ? " for writing" : "",
                        strerror(errno));
    struct stat status;
    struct sl_memory memory = {
        .fd = fd,
        .base = base,
        .size_bytes = size_bytes,
        .page_size_bytes = fstat(fd, &status) == 0 ? (uint32_t)status.st_blksize : 0,
        .is_writable = writable,
        .can_pin = true,
    };
    err = settle(&memory);
    if (err < 0) {
        munmap(base, size_bytes);
        return err;
    }
    *ret_memory = memory;
    return 0;
}

uint64_t sl_memory_round(uint64_t size_bytes)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    return (size_bytes + page - 1) / page * page;
}

void sl_memory_close(struct sl_memory *memory)
{
    if (!memory)
        return;
    if (memory->base)
        munmap(memory->base, memory->size_bytes);
    /* a zeroed memory has no descriptor 0 */
    if (memory->fd > 0 || (memory->fd == 0 && memory->size_bytes > 0))
        close(memory->fd);
    *memory = SL_MEMORY_NONE;
}
