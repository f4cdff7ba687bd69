/* SPDX-License-Identifier: Apache-2.0 */
/* memory_bar.c - memory of a PCI device (FPGA, NTB, ivshmem): a BAR, mapped through sysfs.
 *
 * resourceN_wc, which the kernel has for prefetchable BARs, is write-combining; resourceN is
 * uncached. What is handed over is the same file opened read-only. Several pools have a part each.
 *
 * Interface: the kernel's PCI/sysfs-pci (resource: "start end flags" a line, in hexadecimal) and
 * include/linux/ioport.h for the flags; config space by PCI 3.0, 6.1.
 */
#include "core/base/error.h"
#include "core/uncached/memory_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER         "/sys/bus/pci/devices"
#define BARS           6
#define FLAG_MEMORY    0x200u /* IORESOURCE_MEM */
#define FLAG_PREFETCH  0x2000u
#define COMMAND_OFFSET 4 /* of the configuration space, 16 bits */
#define COMMAND_MEMORY 0x2u

enum bar_wish {
    AS_IT_CAN,
    COMBINING,
    UNCACHED
};

struct bar {
    char device[16]; /* "0000:00:04.0" */
    unsigned number;
    enum bar_wish wish;
};

/* "0000:00:04.0/2", "00:04.0/2/uc" */
static int parse(const char *argument, struct bar *ret_bar)
{
    unsigned domain = 0, bus, slot, function, number;
    int used = 0;
    bool is_fine = sscanf(argument, "%4x:%2x:%2x.%1x/%1u%n", &domain, &bus, &slot, &function,
                          &number, &used) == 5;
    if (!is_fine) {
        domain = 0;
        is_fine =
            sscanf(argument, "%2x:%2x.%1x/%1u%n", &bus, &slot, &function, &number, &used) == 4;
    }
    const char *rest = argument + used;
    struct bar bar = {.number = number,
                      .wish = strcmp(rest, "/wc") == 0   ? COMBINING
                              : strcmp(rest, "/uc") == 0 ? UNCACHED
                                                         : AS_IT_CAN};
    if (!is_fine || (rest[0] && bar.wish == AS_IT_CAN) || number >= BARS || slot > 0x1f ||
        function > 7)
        return sl_error(-EINVAL,
                        "memory bar: '%.40s' is no BAR; write DEVICE/N, as in bar:0000:00:04.0/2 "
                        "(lspci -D shows devices), with /wc or /uc behind to insist on one",
                        argument);
    snprintf(bar.device, sizeof bar.device, "%04x:%02x:%02x.%x", domain & 0xffff, bus & 0xff, slot,
             function);
    *ret_bar = bar;
    return 0;
}

static int check(const char *argument)
{
    struct bar bar;
    return parse(argument, &bar);
}

/* Size and flags of a device's BARs; 0 = it has none there. False: no such device. */
static bool read_bars(const char *device, uint64_t size[BARS], uint64_t flags[BARS])
{
    char path[PATH_MAX], line[128];
    snprintf(path, sizeof path, "%s" FOLDER "/%s/resource", sl_memory_root, device);
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    for (unsigned i = 0; i < BARS; i++) {
        uint64_t from = 0, to = 0;
        size[i] = flags[i] = 0;
        if (!fgets(line, sizeof line, file) ||
            sscanf(line, "%" SCNx64 " %" SCNx64 " %" SCNx64, &from, &to, &flags[i]) != 3)
            continue;
        size[i] = to > from ? to - from + 1 : 0;
    }
    fclose(file);
    return true;
}

/* May it be mapped: is the kernel's file there? */
static bool has_file(const char *device, unsigned number, const char *suffix)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s" FOLDER "/%s/resource%u%s", sl_memory_root, device, number,
             suffix);
    return access(path, F_OK) == 0;
}

/* "0000:00:04.0/2 (4.0 MiB, prefetchable)" for each BAR of memory that can be mapped. */
static unsigned list_device(const char *device, char *text, size_t size)
{
    uint64_t bytes[BARS], flags[BARS];
    unsigned count = 0;
    if (!read_bars(device, bytes, flags))
        return 0;
    for (unsigned i = 0; i < BARS; i++) {
        size_t used = strlen(text);
        if (!(flags[i] & FLAG_MEMORY) || bytes[i] == 0 || !has_file(device, i, ""))
            continue;
        snprintf(text + used, size - used, "%s%s/%u (%.1f MiB%s)", used ? ", " : "", device, i,
                 (double)bytes[i] / (1 << 20), flags[i] & FLAG_PREFETCH ? ", prefetchable" : "");
        count++;
    }
    return count;
}

static unsigned list_all(char *text, size_t size)
{
    char path[PATH_MAX];
    unsigned count = 0;
    snprintf(path, sizeof path, "%s" FOLDER, sl_memory_root);
    DIR *folder = opendir(path);
    text[0] = '\0';
    for (struct dirent *e = folder ? readdir(folder) : NULL; e; e = readdir(folder))
        if (e->d_name[0] != '.')
            count += list_device(e->d_name, text, size);
    if (folder)
        closedir(folder);
    return count;
}

static int look(char *ret_text, size_t size)
{
    char list[1024];
    unsigned count = list_all(list, sizeof list);
    if (count == 0)
        return sl_error(-ENODEV, "no PCI device with a BAR that can be mapped is below %s" FOLDER,
                        sl_memory_root);
    snprintf(ret_text, size, "%u BARs: %s", count, list);
    return 0;
}

static int not_there(const struct bar *bar)
{
    char list[256] = "";
    uint64_t size[BARS], flags[BARS];
    if (!read_bars(bar->device, size, flags)) {
        unsigned count = list_all(list, sizeof list);
        return sl_error(-ENODEV, "bar: there is no PCI device %s; BARs that can be mapped: %s",
                        bar->device, count ? list : "none");
    }
    if (flags[bar->number] != 0 && !(flags[bar->number] & FLAG_MEMORY))
        return sl_error(-ENODEV, "bar: BAR %u of %s is no memory", bar->number, bar->device);
    unsigned count = list_device(bar->device, list, sizeof list);
    if (bar->wish == COMBINING && has_file(bar->device, bar->number, ""))
        return sl_error(-ENODEV,
                        "bar: BAR %u of %s is not prefetchable, so the kernel has no "
                        "resource%u_wc; leave /wc out",
                        bar->number, bar->device, bar->number);
    return sl_error(-ENODEV, "bar: device %s has no BAR %u that can be mapped; it has: %s",
                    bar->device, bar->number, count ? list : "none");
}

/* A device that does not decode its memory answers every read with ones. */
static int check_enabled(const struct bar *bar)
{
    char path[PATH_MAX];
    unsigned char command[2] = {0xff, 0xff};
    snprintf(path, sizeof path, "%s" FOLDER "/%s/config", sl_memory_root, bar->device);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool is_read = fd >= 0 && pread(fd, command, sizeof command, COMMAND_OFFSET) == sizeof command;
    if (fd >= 0)
        close(fd);
    if (!is_read || command[0] & COMMAND_MEMORY)
        return 0;
    return sl_error(-ENODEV, "bar: device %s is not enabled; echo 1 > %s/%s/enable", bar->device,
                    FOLDER, bar->device);
}

static int node_of(const struct bar *bar)
{
    char path[PATH_MAX];
    int node = -1;
    snprintf(path, sizeof path, "%s" FOLDER "/%s/numa_node", sl_memory_root, bar->device);
    FILE *file = fopen(path, "re");
    if (file && fscanf(file, "%d", &node) != 1)
        node = -1;
    if (file)
        fclose(file);
    return node;
}

/* The file's name, of the sort that is wished for, and that of the other sort. */
static int choose_file(const struct bar *bar, char *path, char *other, size_t size)
{
    bool combines = bar->wish != UNCACHED && has_file(bar->device, bar->number, "_wc");
    if (!combines && (bar->wish == COMBINING || !has_file(bar->device, bar->number, "")))
        return not_there(bar);
    for (int i = 0; i < 2; i++)
        snprintf(i ? other : path, size, "%s" FOLDER "/%s/resource%u%s", sl_memory_root,
                 bar->device, bar->number, combines == (i == 0) ? "_wc" : "");
    return 0;
}

static int open_file(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC);
    return fd >= 0 ? fd
                   : sl_error(errno, "bar: %s: %s%s", path, strerror(errno),
                              errno == EACCES || errno == EPERM
                                  ? "; be root, and without kernel lockdown"
                                  : "");
}

/* A place in the BAR, held by the descriptor that goes to readers; `fds` are open for writing. */
static int find_place(const struct sl_memory_config *config, const char *path, const int fds[2],
                      uint64_t size_bytes, struct sl_memory *memory)
{
    struct stat facts;
    if (fstat(fds[0], &facts) < 0)
        return sl_error(errno, "bar: %s: %s", path, strerror(errno));
    int err = sl_memory_claim(fds, 0, (uint64_t)facts.st_size, size_bytes, &memory->offset);
    if (err == 0)
        err = sl_memory_share(memory->fd, memory->offset, size_bytes);
    return err < 0 ? sl_error_at(err, "memory of %s: %s", config->name, path) : 0;
}

static int map_file(const struct sl_memory_config *config, const char *path, const char *other,
                    void *place, struct sl_memory *memory)
{
    uint64_t size_bytes = sl_memory_round(config->size_bytes);
    memory->fd = open_file(path, O_RDONLY);
    int fds[2] = {memory->fd < 0 ? -1 : open_file(path, O_RDWR), open(other, O_RDWR | O_CLOEXEC)};
    int err = memory->fd < 0 ? memory->fd : fds[0] < 0 ? fds[0] : 0;
    if (err == 0)
        err = find_place(config, path, fds, size_bytes, memory);
    if (err == 0)
        err = sl_memory_map(config, fds[0], memory->offset, size_bytes, place, memory);
    for (int i = 0; i < 2; i++)
        if (fds[i] >= 0)
            close(fds[i]); /* the mapping stays */
    return err;
}

static int create(const struct sl_memory_config *config, const char *argument, void *place,
                  struct sl_memory *memory)
{
    struct bar bar;
    char path[PATH_MAX], other[PATH_MAX];
    int err = parse(argument, &bar);
    if (err < 0 || (err = choose_file(&bar, path, other, sizeof path)) < 0 ||
        (err = check_enabled(&bar)) < 0)
        return err;
    memory->handle = SL_MEMORY_SYSFS;
    memory->may_go = true;
    memory->numa_node = node_of(&bar);
    return map_file(config, path, other, place, memory);
}

const struct sl_memory_provider sl_memory_bar = {
    .name = "bar",
    .argument = ":DEVICE/N",
    .help = "BAR N of a PCI device, write-combining where it is prefetchable (/wc, /uc: insist)",
    .is_device = true,
    .check = check,
    .look = look,
    .create = create,
};
