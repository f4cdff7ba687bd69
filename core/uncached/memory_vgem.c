/* SPDX-License-Identifier: Apache-2.0 */
/* memory_vgem.c - write-combining memory of the machine, by the kernel's virtual graphics memory
 * (module vgem): "dumb" buffers, shared as dma-bufs.
 *
 * The buffer is mapped for writing through the card, and exported without DRM_RDWR: that descriptor
 * can be mapped by nobody for writing. (Who may open the card can import it there and write.)
 *
 * Interface: the kernel's include/uapi/drm/drm.h and drm_mode.h, whose layouts are fixed; written
 * out here because Debian ships these headers with libdrm only.
 */
#include "core/base/error.h"
#include "core/uncached/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/ioctl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define CARDS_MAX 64
#define DRIVER    "vgem"

struct drm_version {
    int major, minor, patch_level;
    size_t name_length;
    char *name;
    size_t date_length;
    char *date;
    size_t description_length;
    char *description;
};
struct drm_create_dumb {
    uint32_t height, width, bits_per_pixel, flags;
    uint32_t handle, pitch; /* returned, as the next */
    uint64_t size;
};
struct drm_map_dumb {
    uint32_t handle, pad;
    uint64_t offset;
};
struct drm_prime {
    uint32_t handle, flags;
    int32_t fd;
};
#define DRM_VERSION      _IOWR('d', 0x00, struct drm_version)
#define DRM_HANDLE_TO_FD _IOWR('d', 0x2d, struct drm_prime)
#define DRM_CREATE_DUMB  _IOWR('d', 0xb2, struct drm_create_dumb)
#define DRM_MAP_DUMB     _IOWR('d', 0xb3, struct drm_map_dumb)

/* By sysfs rather than by opening each: the first who opens a card becomes its master. */
static bool is_vgem(const char *card)
{
    char path[PATH_MAX], target[PATH_MAX];
    snprintf(path, sizeof path, "%s/sys/class/drm/%s/device", sl_memory_root, card);
    ssize_t n = readlink(path, target, sizeof target - 1);
    if (n <= 0)
        return false;
    target[n] = '\0';
    const char *last = strrchr(target, '/');
    return strcmp(last ? last + 1 : target, DRIVER) == 0;
}

static int find_card(char *ret_name, size_t size)
{
    char path[PATH_MAX], name[16];
    for (int i = 0; i < CARDS_MAX; i++) {
        snprintf(name, sizeof name, "card%d", i);
        snprintf(path, sizeof path, "%s/dev/dri/%s", sl_memory_root, name);
        if (!is_vgem(name))
            continue;
        if (access(path, F_OK) < 0)
            return sl_error(-ENODEV, "the card of vgem is %s, but there is no %s (a container?)",
                            name, path);
        snprintf(ret_name, size, "%s", path);
        return 0;
    }
    return sl_error(-ENODEV, "no card of the driver vgem is below /sys/class/drm; load the "
                             "module (modprobe vgem)");
}

/* Does the driver say so, too? */
static int check_driver(int card, const char *path)
{
    char name[16] = "";
    struct drm_version version = {.name = name, .name_length = sizeof name - 1};
    if (ioctl(card, DRM_VERSION, &version) < 0)
        return sl_error(errno, "vgem: %s: %s", path, strerror(errno));
    if (strcmp(name, DRIVER) != 0)
        return sl_error(-ENODEV, "vgem: %s is of the driver %s", path, name);
    return 0;
}

static int open_card(void)
{
    char path[PATH_MAX];
    int err = find_card(path, sizeof path);
    if (err < 0)
        return err;
    int card = open(path, O_RDWR | O_CLOEXEC);
    if (card < 0)
        return sl_error(errno, "vgem: %s: %s%s", path, strerror(errno),
                        errno == EACCES ? "; be in the group of the file (video)" : "");
    err = check_driver(card, path);
    if (err == 0)
        return card;
    close(card);
    return err;
}

static int failed(const struct sl_memory_config *config, const char *step)
{
    int err = errno;
    return sl_error(err, "memory of %s, %llu bytes: vgem: %s: %s", config->name,
                    (unsigned long long)config->size_bytes, step, strerror(err));
}

static int make_buffer(const struct sl_memory_config *config, int card, uint64_t size_bytes,
                       void *place, struct sl_memory *memory)
{
    uint32_t page = (uint32_t)sysconf(_SC_PAGESIZE);
    struct drm_create_dumb dumb = {
        .width = page, .height = (uint32_t)(size_bytes / page), .bits_per_pixel = 8};
    if (ioctl(card, DRM_CREATE_DUMB, &dumb) < 0)
        return failed(config, "a buffer");
    struct drm_prime prime = {.handle = dumb.handle, .flags = O_CLOEXEC};
    if (ioctl(card, DRM_HANDLE_TO_FD, &prime) < 0)
        return failed(config, "a descriptor");
    memory->fd = prime.fd;
    memory->handle = SL_MEMORY_DMABUF;
    struct drm_map_dumb at = {.handle = dumb.handle};
    if (dumb.size < size_bytes || ioctl(card, DRM_MAP_DUMB, &at) < 0)
        return failed(config, "a mapping");
    return sl_memory_map(config, card, at.offset, size_bytes, place, memory);
}

static int create(const struct sl_memory_config *config, const char *argument, void *place,
                  struct sl_memory *memory)
{
    (void)argument;
    uint64_t size_bytes = sl_memory_round(config->size_bytes);
    if (size_bytes > UINT32_MAX)
        return sl_error(-EINVAL, "memory of %s: a buffer of vgem has at most 4 GiB", config->name);
    int card = open_card();
    if (card < 0)
        return card;
    int err = make_buffer(config, card, size_bytes, place, memory);
    close(card); /* mapping and descriptor keep the buffer */
    return err;
}

static int look(char *ret_text, size_t size)
{
    char path[PATH_MAX];
    int err = find_card(path, sizeof path);
    if (err == 0 && access(path, R_OK | W_OK) < 0)
        return sl_error(-errno, "%s: %s; be in the group of the file (video)", path,
                        strerror(errno));
    if (err == 0)
        snprintf(ret_text, size, "%s", path);
    return err;
}

const struct sl_memory_provider sl_memory_vgem = {
    .name = "vgem",
    .argument = "",
    .help = "write-combining memory of the machine, a dma-buf a slot (modprobe vgem)",
    .is_each_slot = true,
    .look = look,
    .create = create,
};
