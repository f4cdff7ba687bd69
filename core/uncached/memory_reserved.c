/* SPDX-License-Identifier: Apache-2.0 */
/* memory_reserved.c - a range of physical memory that the kernel was told to leave alone
 * (memmap=16M$0x10000000, a reserved-memory node of the device tree), uncached through /dev/mem.
 *
 * The address is somebody's word. A range that the kernel uses itself is refused here, because a
 * kernel without STRICT_DEVMEM would not.
 *
 * Interface: mem(4); /proc/iomem, "start-end : name" a line in hexadecimal, nested by blanks.
 */
#include "core/base/error.h"
#include "core/base/options.h"
#include "core/uncached/memory_private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEVICE "/dev/mem"

/* "0x10000000+16M" */
static int parse(const char *argument, uint64_t *ret_address, uint64_t *ret_bytes)
{
    char *end;
    errno = 0;
    uint64_t address = strtoull(argument, &end, 0), bytes = 0;
    bool is_fine = argument[0] >= '0' && argument[0] <= '9' && end > argument && *end == '+' &&
                   errno == 0 && sl_parse_size(end + 1, &bytes) == 0;
    if (!is_fine || bytes == 0 || address != sl_memory_round(address) ||
        bytes != sl_memory_round(bytes) || address > (uint64_t)INT64_MAX - bytes)
        return sl_error(-EINVAL,
                        "memory reserved: '%.48s' is no range of whole pages; write ADDRESS+SIZE, "
                        "as in reserved:0x10000000+16M",
                        argument);
    *ret_address = address;
    *ret_bytes = bytes;
    return 0;
}

static int check(const char *argument)
{
    uint64_t address, bytes;
    return parse(argument, &address, &bytes);
}

int sl_memory_check_reserved(uint64_t address, uint64_t size_bytes)
{
    char path[PATH_MAX], line[256];
    snprintf(path, sizeof path, "%s/proc/iomem", sl_memory_root);
    FILE *file = fopen(path, "re");
    bool is_ram = false, shows_places = false;
    uint64_t from = 0, to = 0;
    while (file && !is_ram && fgets(line, sizeof line, file)) {
        bool is_range = sscanf(line, "%" SCNx64 "-%" SCNx64, &from, &to) == 2;
        shows_places |= is_range && to > 0;
        is_ram = is_range && strstr(line, ": System RAM") && from < address + size_bytes &&
                 address <= to;
    }
    if (file)
        fclose(file);
    if (!shows_places)
        return sl_error(-EPERM,
                        "reserved: %s does not show which memory is the kernel's own; be root with "
                        "CAP_SYS_ADMIN",
                        path);
    if (!is_ram)
        return 0;
    return sl_error(-EPERM,
                    "reserved: %#" PRIx64 "+%" PRIu64 "k is the kernel's own memory (%#" PRIx64
                    "-%#" PRIx64 " in /proc/iomem); reserve it (memmap=SIZE$ADDRESS, or "
                    "reserved-memory in the device tree)",
                    address, size_bytes / 1024, from, to);
}

static int open_memory(int flags)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s" DEVICE, sl_memory_root);
    int fd = open(path, flags | O_SYNC | O_CLOEXEC);
    if (fd >= 0)
        return fd;
    if (errno == ENOENT)
        return sl_error(-ENODEV,
                        "there is no %s: a kernel with CONFIG_DEVMEM has it "
                        "(a container hides it)",
                        path);
    return sl_error(errno, "%s: %s; be root with CAP_SYS_RAWIO", path, strerror(errno));
}

static int create(const struct sl_memory_config *config, const char *argument, void *place,
                  struct sl_memory *memory)
{
    uint64_t address, bytes, size_bytes = sl_memory_round(config->size_bytes);
    int err = parse(argument, &address, &bytes);
    if (err < 0)
        return err;
    if ((memory->fd = open_memory(O_RDWR)) < 0)
        return memory->fd;
    if ((err = sl_memory_check_reserved(address, bytes)) < 0)
        return err;
    const int fds[2] = {memory->fd, -1};
    err = sl_memory_claim(fds, address, address + bytes, size_bytes, &memory->offset);
    if (err < 0)
        return sl_error_at(err, "memory of %s: reserved:%s", config->name, argument);
    memory->handle = SL_MEMORY_PHYSICAL;
    err = sl_memory_map(config, memory->fd, memory->offset, size_bytes, place, memory);
    if (err == -EPERM || err == -EINVAL)
        return sl_error_at(err, "reserved: the kernel refuses it (STRICT_DEVMEM allows ranges only "
                                "that are neither its memory nor a driver's)");
    return err;
}

static int look(char *ret_text, size_t size)
{
    int fd = open_memory(O_RDWR);
    if (fd < 0)
        return fd;
    close(fd);
    snprintf(ret_text, size, "%s can be opened; what was reserved is in /proc/iomem", DEVICE);
    return 0;
}

const struct sl_memory_provider sl_memory_reserved = {
    .name = "reserved",
    .argument = ":ADDRESS+SIZE",
    .help = "a range of physical memory that the kernel leaves alone, uncached (/dev/mem)",
    .is_device = true,
    .check = check,
    .look = look,
    .create = create,
};
