/* SPDX-License-Identifier: Apache-2.0 */
/* memory_attach.c - mapping what a peer hands over, who is not trusted.
 *
 * A descriptor is looked at before it is mapped: by the file system that it is of, since only the
 * kernel puts files there, and by what the kernel says of its size and seals.
 */
#include "core/base/error.h"
#include "core/uncached/memory.h"
#include "core/uncached/memory_private.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define STAT_BLOCK_BYTES 512 /* the unit of st_blocks, whatever the file system */

static int check_memfd(int fd, uint64_t size_bytes, bool writable)
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

static bool is_of(int fd, long magic)
{
    struct statfs facts;
    return fstatfs(fd, &facts) == 0 && (long)facts.f_type == magic;
}

static int check_dmabuf(int fd, uint64_t size_bytes)
{
    if (!is_of(fd, DMA_BUF_MAGIC))
        return sl_error(-EPROTO, "shared memory: what the peer sent is no dma-buf");
    off_t end = lseek(fd, 0, SEEK_END);
    if (end < 0 || (uint64_t)end < size_bytes)
        return sl_error(-EPROTO, "shared memory: a dma-buf of %lld bytes, announced with %llu",
                        (long long)end, (unsigned long long)size_bytes);
    return 0;
}

static int check_sysfs(int fd, uint64_t offset, uint64_t size_bytes)
{
    struct stat status;
    if (!is_of(fd, SYSFS_MAGIC) || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
        return sl_error(-EPROTO, "shared memory: what the peer sent is no BAR of a device");
    if (status.st_size < 0 || offset > (uint64_t)status.st_size ||
        size_bytes > (uint64_t)status.st_size - offset)
        return sl_error(
            -EPROTO, "shared memory: a BAR of %lld bytes, announced with %llu behind %llu",
            (long long)status.st_size, (unsigned long long)size_bytes, (unsigned long long)offset);
    return 0;
}

static int check_descriptor(const struct sl_memory *memory, int fd, uint64_t size_bytes)
{
    switch (memory->handle) {
    case SL_MEMORY_SEALED:
        return check_memfd(fd, size_bytes, false);
    case SL_MEMORY_DMABUF:
        return check_dmabuf(fd, size_bytes);
    case SL_MEMORY_SYSFS:
        return check_sysfs(fd, memory->offset, size_bytes);
    default:
        return sl_memory_check_reserved(memory->offset, size_bytes);
    }
}

/* *ret_base is untouched on failure. */
static int map(int fd, uint64_t offset, uint64_t size_bytes, bool writable, void *place,
               uint8_t **ret_base)
{
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return sl_error(errno, "shared memory: %s", strerror(errno));
    void *base = mmap(place, size_bytes, writable ? PROT_READ | PROT_WRITE : PROT_READ,
                      MAP_SHARED | MAP_POPULATE | (place ? MAP_FIXED : 0), fd, (off_t)offset);
    if (base == MAP_FAILED)
        return sl_error(errno, "shared memory: cannot map %llu bytes%s: %s",
                        (unsigned long long)size_bytes, writable ? " for writing" : "",
                        strerror(errno));
    *ret_base = base;
    return 0;
}

static uint32_t page_size_of(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 ? (uint32_t)status.st_blksize : 0;
}

int sl_memory_attach(int fd, uint64_t size_bytes, bool writable, struct sl_memory *ret_memory)
{
    struct sl_memory memory = SL_MEMORY_NONE;
    int err = check_memfd(fd, size_bytes, writable);
    if (err == 0)
        err = map(fd, 0, size_bytes, writable, NULL, &memory.base);
    if (err < 0)
        return err;
    memory.fd = fd;
    memory.size_bytes = size_bytes;
    memory.page_size_bytes = page_size_of(fd);
    memory.is_writable = writable;
    memory.can_pin = true;
    err = sl_memory_settle(&memory);
    if (err < 0) {
        munmap(memory.base, size_bytes);
        return err;
    }
    *ret_memory = memory;
    return 0;
}

int sl_memory_expect(const struct sl_memory_offer *offer, struct sl_memory *ret_memory)
{
    bool may_be_pieces = offer->handle == SL_MEMORY_SEALED || offer->handle == SL_MEMORY_DMABUF;
    bool is_at_offset = offer->handle == SL_MEMORY_SYSFS || offer->handle == SL_MEMORY_PHYSICAL;
    if (offer->handle >= SL_MEMORY_HANDLES || offer->size_bytes == 0 ||
        offer->size_bytes > (uint64_t)INT64_MAX / 2 || (offer->slot_bytes > 0 && !may_be_pieces) ||
        (offer->offset > 0 && !is_at_offset) ||
        (offer->needs_sync && offer->handle != SL_MEMORY_DMABUF) ||
        offer->offset != sl_memory_round(offer->offset) ||
        offer->offset > (uint64_t)INT64_MAX - offer->size_bytes)
        return sl_error(-EPROTO, "shared memory: there can be none of handle %u, %llu bytes",
                        offer->handle, (unsigned long long)offer->size_bytes);
    struct sl_memory memory = SL_MEMORY_NONE;
    if (offer->slot_bytes > 0 &&
        sl_memory_reserve(offer->size_bytes, offer->slot_bytes, &memory) < 0) {
        sl_memory_close(&memory);
        return sl_error_at(-EPROTO, "shared memory");
    }
    memory.handle = (enum sl_memory_handle)offer->handle;
    memory.size_bytes = offer->size_bytes;
    memory.offset = offer->offset;
    memory.needs_sync = offer->needs_sync;
    memory.may_go = memory.handle == SL_MEMORY_SYSFS;
    memory.can_pin = memory.handle == SL_MEMORY_SEALED;
    *ret_memory = memory;
    return 0;
}

static int add_piece(struct sl_memory *memory, int fd)
{
    void *place = memory->base + memory->piece_count * memory->slot_bytes;
    uint8_t *base;
    int err = check_descriptor(memory, fd, memory->slot_bytes);
    if (err == 0)
        err = map(fd, 0, memory->slot_bytes, false, place, &base);
    if (err < 0)
        return sl_error_at(err, "slot %u", memory->piece_count);
    memory->piece_fd[memory->piece_count++] = fd;
    return 0;
}

/* By our own rights: a descriptor of all the machine's memory must not travel. */
static int open_physical(void)
{
    char path[64];
    snprintf(path, sizeof path, "%s/dev/mem", sl_memory_root);
    int fd = open(path, O_RDONLY | O_SYNC | O_CLOEXEC);
    if (fd < 0)
        return sl_error(-EACCES, "shared memory: it lies in a reserved range, and %s: %s", path,
                        strerror(errno));
    return fd;
}

static int add_whole(struct sl_memory *memory, int fd)
{
    int err = check_descriptor(memory, fd, memory->size_bytes);
    if (err < 0)
        return err;
    int own_fd = memory->handle == SL_MEMORY_PHYSICAL ? open_physical() : fd;
    if (own_fd < 0)
        return own_fd;
    /* What a successor of the publisher must not write over, while we have it open. */
    if (memory->handle == SL_MEMORY_PHYSICAL)
        err = sl_memory_share(own_fd, memory->offset, memory->size_bytes);
    if (err == 0)
        err = map(own_fd, memory->offset, memory->size_bytes, false, NULL, &memory->base);
    if (err == 0)
        memory->fd = own_fd;
    else if (own_fd != fd)
        close(own_fd);
    return err;
}

int sl_memory_add(struct sl_memory *memory, int fd)
{
    bool in_pieces = memory->slot_bytes > 0;
    if (in_pieces ? memory->piece_count >= memory->size_bytes / memory->slot_bytes
                  : memory->base != NULL)
        return sl_error(-EPROTO, "shared memory: more descriptors than were announced");
    int err = in_pieces ? add_piece(memory, fd) : add_whole(memory, fd);
    if (err < 0)
        return err;
    if (in_pieces && memory->piece_count < memory->size_bytes / memory->slot_bytes)
        return 0;
    memory->page_size_bytes = memory->handle == SL_MEMORY_SEALED
                                  ? page_size_of(in_pieces ? memory->piece_fd[0] : fd)
                                  : (uint32_t)sysconf(_SC_PAGESIZE);
    err = sl_memory_settle(memory);
    if (err == 0)
        return 1;
    /* The last descriptor stays the caller's. */
    if (in_pieces)
        memory->piece_count--;
    else if (memory->fd == fd)
        memory->fd = -1;
    return err;
}
