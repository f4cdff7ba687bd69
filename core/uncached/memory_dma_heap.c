/* SPDX-License-Identifier: Apache-2.0 */
/* memory_dma_heap.c - dma-bufs of a heap of the kernel's, /dev/dma_heap/NAME.
 *
 * "system" is cacheable and needs the caches to be told (DMA_BUF_IOCTL_SYNC); vendors' kernels have
 * uncached ones, for which that does no harm. The one descriptor of such a buffer can be mapped for
 * writing by whoever it is handed to: ARCHITECTURE.md, "malicious peer".
 *
 * Interface: the kernel's driver-api/dma-buf and linux/dma-heap.h.
 */
#include "core/base/error.h"
#include "core/uncached/memory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/dma-heap.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define FOLDER "/dev/dma_heap"

/* The names of the heaps, for a sentence; -ENODEV: the kernel has none. */
static int list_heaps(char *ret_text, size_t size)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s" FOLDER, sl_memory_root);
    DIR *folder = opendir(path);
    if (!folder)
        return sl_error(-ENODEV,
                        "there is no %s: a kernel with CONFIG_DMABUF_HEAPS "
                        "(and its _SYSTEM or _CMA) has it",
                        path);
    size_t used = 0;
    ret_text[0] = '\0';
    for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder))
        if (entry->d_name[0] != '.' && used < size)
            used += (size_t)snprintf(ret_text + used, size - used, "%s%s", used ? ", " : "",
                                     entry->d_name);
    closedir(folder);
    return used ? 0 : sl_error(-ENODEV, "%s is empty", path);
}

static int check(const char *argument)
{
    if (!strchr(argument, '/') && argument[0] != '.')
        return 0;
    return sl_error(-EINVAL, "memory dma-heap: '%.32s' is no name of a heap", argument);
}

static int open_heap(const char *name)
{
    char path[PATH_MAX], heaps[256];
    int err = list_heaps(heaps, sizeof heaps);
    if (err < 0)
        return err;
    snprintf(path, sizeof path, "%s" FOLDER "/%s", sl_memory_root, name);
    int heap = open(path, O_RDONLY | O_CLOEXEC);
    if (heap >= 0)
        return heap;
    if (errno == ENOENT)
        return sl_error(-ENODEV, "there is no %s; there are: %s", path, heaps);
    return sl_error(errno, "%s: %s", path, strerror(errno));
}

static int create(const struct sl_memory_config *config, const char *argument, void *place,
                  struct sl_memory *memory)
{
    uint64_t size_bytes = sl_memory_round(config->size_bytes);
    int heap = open_heap(argument);
    if (heap < 0)
        return heap;
    struct dma_heap_allocation_data buffer = {.len = size_bytes, .fd_flags = O_RDWR | O_CLOEXEC};
    int err = 0;
    if (ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &buffer) < 0)
        err = sl_error(errno, "memory of %s: heap %s gives no %llu bytes: %s", config->name,
                       argument, (unsigned long long)size_bytes, strerror(errno));
    close(heap);
    if (err < 0)
        return err;
    memory->fd = (int)buffer.fd;
    memory->handle = SL_MEMORY_DMABUF;
    memory->needs_sync = true;
    return sl_memory_map(config, memory->fd, 0, size_bytes, place, memory);
}

const struct sl_memory_provider sl_memory_dma_heap = {
    .name = "dma-heap",
    .argument = ":NAME",
    .help = "a dma-buf a slot of the heap /dev/dma_heap/NAME",
    .is_each_slot = true,
    .check = check,
    .look = list_heaps,
    .create = create,
};
