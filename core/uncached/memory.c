/* SPDX-License-Identifier: Apache-2.0 */
/* memory.c - making memory by its provider, measuring it, handing it back. Peers' memory:
 * memory_attach.c. */
#include "core/uncached/memory.h"

#include "core/base/error.h"
#include "core/base/words.h"
#include "core/uncached/limits.h"
#include "core/uncached/memory_private.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* linux/mempolicy.h; spelled out so that no libnuma is needed */
#define POLICY_NODE_OF_ADDRESS (1u << 0 | 1u << 1) /* MPOL_F_NODE | MPOL_F_ADDR */

#define SYNC_TRIES 16 /* of a dma-buf whose fences are not signalled yet, or signals */

const struct sl_memory_provider *const sl_memory_providers[] = {
    &sl_memory_memfd,
    &sl_memory_hugetlb,
    &sl_memory_vgem,
    &sl_memory_dma_heap,
    &sl_memory_bar,
    &sl_memory_reserved,
    NULL,
};
#define PROVIDERS (sizeof sl_memory_providers / sizeof *sl_memory_providers - 1)

static const struct sl_memory_provider *own_provider;
const char *sl_memory_root = "";

void sl_memory_set_own_provider(const struct sl_memory_provider *provider)
{
    own_provider = provider;
}

/* Kinds ---------------------------------------------------------------------------------------- */

static bool is_named(const struct sl_memory_provider *p, const char *written, size_t length)
{
    return p && strlen(p->name) == length && memcmp(p->name, written, length) == 0;
}

static int no_such_kind(const char *written)
{
    const char *names[PROVIDERS + 1] = {NULL};
    char word[SL_MEMORY_NAME_MAX], list[256] = "";
    for (unsigned i = 0; i < PROVIDERS; i++) {
        names[i] = sl_memory_providers[i]->name;
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s%s", i ? ", " : "", names[i],
                 sl_memory_providers[i]->argument);
    }
    snprintf(word, sizeof word, "%.*s", (int)strcspn(written, ":"), written);
    const char *near = sl_nearest_word(word, names);
    if (near)
        return sl_error(-ENOENT, "there is no memory of kind '%.64s'; did you mean '%s'?", written,
                        near);
    return sl_error(-ENOENT, "there is no memory of kind '%.64s'; there are %s", written, list);
}

/* "dma-heap:system" -> the provider dma-heap, argument "system" */
static int find_provider(const char *written, const struct sl_memory_provider **ret_provider,
                         const char **ret_argument)
{
    written = written ? written : sl_memory_memfd.name;
    size_t length = strcspn(written, ":");
    const struct sl_memory_provider *p =
        is_named(own_provider, written, length) ? own_provider : NULL;
    for (unsigned i = 0; !p && i < PROVIDERS; i++)
        if (is_named(sl_memory_providers[i], written, length))
            p = sl_memory_providers[i];
    if (!p)
        return no_such_kind(written);
    const char *argument = written[length] ? written + length + 1 : written + length;
    *ret_provider = p;
    *ret_argument = argument;
    bool may_be_none = p->argument[0] == '\0' || p->argument[0] == '[';
    if ((argument[0] == '\0' && (!may_be_none || written[length])) ||
        (argument[0] && !p->argument[0]))
        return sl_error(-EINVAL, "memory '%.64s': write %s%s", written, p->name, p->argument);
    return argument[0] && p->check ? p->check(argument) : 0;
}

int sl_memory_check(const char *written)
{
    const struct sl_memory_provider *provider;
    const char *argument;
    return find_provider(written, &provider, &argument);
}

int sl_memory_look(const char *written, char *ret_text, size_t size)
{
    const struct sl_memory_provider *provider;
    const char *argument;
    int err = find_provider(written, &provider, &argument);
    if (err < 0)
        return err;
    snprintf(ret_text, size, "always there");
    return provider->look ? provider->look(ret_text, size) : 0;
}

bool sl_memory_is_ram(const char *written)
{
    const struct sl_memory_provider *provider;
    const char *argument;
    return find_provider(written, &provider, &argument) < 0 || !provider->is_device;
}

uint64_t sl_memory_round(uint64_t size_bytes)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    return (size_bytes + page - 1) / page * page;
}

int sl_memory_round_for(const char *written, uint64_t size_bytes, uint64_t *ret_bytes)
{
    const struct sl_memory_provider *provider;
    const char *argument;
    int err = find_provider(written, &provider, &argument);
    if (err < 0)
        return err;
    if (provider->round)
        return provider->round(argument, size_bytes, ret_bytes);
    *ret_bytes = sl_memory_round(size_bytes);
    return 0;
}

/* Measuring ------------------------------------------------------------------------------------ */

static int node_of(const void *address)
{
    int node = -1;
    long err = syscall(SYS_get_mempolicy, &node, NULL, 0UL, address,
                       (unsigned long)POLICY_NODE_OF_ADDRESS);
    return err == 0 ? node : -1;
}

/* The kernel pins a page to copy from it in another process's name. That is asked of ourselves. */
static bool may_pin(void *address, bool otherwise)
{
    char byte;
    struct iovec local = {.iov_base = &byte, .iov_len = 1};
    struct iovec remote = {.iov_base = address, .iov_len = 1};
    if (process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == 1)
        return true;
    return errno == EFAULT ? false : otherwise; /* not allowed to ask, or not there to ask */
}

/* A dma-buf's pages come with the first touch, and MAP_POPULATE passes it by. */
static void touch(const struct sl_memory *memory)
{
    long page = sysconf(_SC_PAGESIZE);
    for (uint64_t at = 0; at < memory->size_bytes; at += (uint64_t)page)
        __asm__ volatile("" : : "r"(*(memory->base + at)));
}

int sl_memory_settle(struct sl_memory *memory)
{
    if (!memory->base)
        return 0;
    /* A child that inherits the mapping would keep the memory of a dead process alive; a core dump
     * that writes it out would delay the news of the death by seconds. */
    if (madvise(memory->base, memory->size_bytes, MADV_DONTFORK) < 0)
        return sl_error(errno, "memory: MADV_DONTFORK: %s", strerror(errno));
    if (madvise(memory->base, memory->size_bytes, MADV_DONTDUMP) < 0)
        return sl_error(errno, "memory: MADV_DONTDUMP: %s", strerror(errno));
    memory->is_dmabuf = memory->handle == SL_MEMORY_DMABUF;
    memory->needs_care = memory->needs_sync || memory->may_go;
    if (memory->is_dmabuf)
        touch(memory);
    int node = node_of(memory->base);
    memory->numa_node = node >= 0 ? node : memory->numa_node;
    memory->kind = sl_probe_kind(memory->base);
    if (memory->handle != SL_MEMORY_SEALED)
        memory->can_pin = may_pin(memory->base, memory->can_pin);
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

/* Making --------------------------------------------------------------------------------------- */

int sl_memory_map(const struct sl_memory_config *config, int fd, uint64_t offset,
                  uint64_t size_bytes, void *place, struct sl_memory *memory)
{
    void *base = mmap(place, size_bytes, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_POPULATE | (place ? MAP_FIXED : 0), fd, (off_t)offset);
    if (base == MAP_FAILED) {
        int err = errno;
        return sl_error(err, "memory of %s, %llu bytes: mmap: %s", config->name,
                        (unsigned long long)size_bytes, strerror(err));
    }
    memory->base = base;
    memory->size_bytes = size_bytes;
    memory->page_size_bytes = (uint32_t)sysconf(_SC_PAGESIZE);
    memory->is_writable = true;
    return 0;
}

int sl_memory_reserve(uint64_t size_bytes, uint64_t slot_bytes, struct sl_memory *memory)
{
    uint64_t pieces = slot_bytes ? size_bytes / slot_bytes : 0;
    if (pieces == 0 || pieces > SL_MEMORY_PIECES_MAX || size_bytes % slot_bytes ||
        slot_bytes != sl_memory_round(slot_bytes))
        return sl_error(-EINVAL,
                        "memory of %llu slots of %llu bytes, with a descriptor each: give 1 to %d "
                        "slots of whole pages",
                        (unsigned long long)pieces, (unsigned long long)slot_bytes,
                        SL_MEMORY_PIECES_MAX);
    memory->piece_fd = calloc(pieces, sizeof *memory->piece_fd);
    if (!memory->piece_fd)
        return sl_error(-ENOMEM, "no memory for %llu descriptors", (unsigned long long)pieces);
    void *base = mmap(NULL, size_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
                      0); /* addresses, nothing behind them yet */
    if (base == MAP_FAILED)
        return sl_error(-ENOMEM, "no addresses for %llu bytes", (unsigned long long)size_bytes);
    memory->base = base;
    memory->size_bytes = size_bytes;
    memory->slot_bytes = slot_bytes;
    return 0;
}

/* A descriptor for each slot, mapped one behind the other. */
static int create_pieces(const struct sl_memory_config *config, const char *argument,
                         const struct sl_memory_provider *provider, struct sl_memory *memory)
{
    int err = sl_memory_reserve(config->size_bytes, config->slot_bytes, memory);
    struct sl_memory_config piece = *config;
    piece.size_bytes = config->slot_bytes;
    while (err == 0 && memory->piece_count < config->size_bytes / config->slot_bytes) {
        struct sl_memory one = SL_MEMORY_NONE;
        void *place = memory->base + memory->piece_count * config->slot_bytes;
        err = provider->create(&piece, argument, place, &one);
        if (err < 0) { /* its mapping goes with the rest */
            if (one.fd >= 0)
                close(one.fd);
            return memory->piece_count ? sl_error_at(err, "slot %u", memory->piece_count) : err;
        }
        memory->piece_fd[memory->piece_count++] = one.fd;
        memory->page_size_bytes = one.page_size_bytes;
        memory->is_writable = one.is_writable;
        memory->handle = one.handle;
        memory->needs_sync = one.needs_sync;
        memory->can_pin = one.can_pin;
    }
    return err;
}

int sl_memory_create(const struct sl_memory_config *config, struct sl_memory *ret_memory)
{
    sl_error_clear();
    const struct sl_memory_provider *provider;
    const char *argument;
    int err = find_provider(config->provider, &provider, &argument);
    if (err < 0)
        return sl_error_at(err, "memory of %s", config->name);
    if (config->size_bytes == 0 || config->size_bytes > (uint64_t)INT64_MAX / 2)
        return sl_error(-EINVAL, "memory of %s: a size of %llu bytes is not possible", config->name,
                        (unsigned long long)config->size_bytes);

    struct sl_memory memory = SL_MEMORY_NONE;
    memory.provider = provider;
    if (provider->is_each_slot && (err = sl_memory_limits_check(config->name, config->size_bytes)))
        return err;
    if (provider->is_each_slot && config->slot_bytes > 0)
        err = create_pieces(config, argument, provider, &memory);
    else
        err = provider->create(config, argument, NULL, &memory);
    if (err == 0)
        err = sl_memory_settle(&memory);
    if (err < 0) {
        sl_memory_close(&memory);
        return err;
    }
    if (config->lock)
        lock(&memory, config->name);
    *ret_memory = memory;
    return 0;
}

/* Touching ------------------------------------------------------------------------------------- */

static int sync_piece(const struct sl_memory *memory, uint64_t offset, uint64_t flags)
{
    int fd = memory->slot_bytes ? memory->piece_fd[offset / memory->slot_bytes] : memory->fd;
    struct dma_buf_sync sync = {.flags = flags};
    int err = -1;
    for (int tries = 0; tries < SYNC_TRIES && err < 0; tries++) {
        err = ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync);
        if (err < 0 && errno != EINTR && errno != EAGAIN)
            break;
    }
    return err < 0 ? sl_error(-errno, "memory: DMA_BUF_IOCTL_SYNC: %s", strerror(errno)) : 0;
}

int sl_memory_check_device(const struct sl_memory *memory)
{
    /* Of a file whose device was removed not even nothing can be read. */
    char nothing;
    if (memory->may_go && pread(memory->fd, &nothing, 0, 0) < 0)
        return sl_error(-ENODEV, "memory: its device is gone (%s)", strerror(errno));
    return 0;
}

int sl_memory_enter(const struct sl_memory *memory, uint64_t offset, bool to_write)
{
    int err = sl_memory_check_device(memory);
    if (err == 0 && memory->needs_sync)
        err = sync_piece(memory, offset,
                         DMA_BUF_SYNC_START | (to_write ? DMA_BUF_SYNC_WRITE : DMA_BUF_SYNC_READ));
    return err;
}

void sl_memory_leave(const struct sl_memory *memory, uint64_t offset, bool to_write)
{
    if (memory->needs_sync)
        sync_piece(memory, offset,
                   DMA_BUF_SYNC_END | (to_write ? DMA_BUF_SYNC_WRITE : DMA_BUF_SYNC_READ));
}

/* The end -------------------------------------------------------------------------------------- */

void sl_memory_close(struct sl_memory *memory)
{
    if (!memory)
        return;
    if (memory->base)
        munmap(memory->base, memory->size_bytes);
    for (uint32_t i = 0; i < memory->piece_count; i++)
        close(memory->piece_fd[i]);
    free(memory->piece_fd);
    /* a zeroed memory has no descriptor 0 */
    if (memory->fd > 0 || (memory->fd == 0 && memory->size_bytes > 0))
        close(memory->fd);
    *memory = SL_MEMORY_NONE;
}
