/* SPDX-License-Identifier: Apache-2.0 */
/* edu.c - QEMU's edu device by VFIO: the registers are those of docs/specs/edu in QEMU. */
#include "tests/vm/edu.h"

#include "core/uncached/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

enum {                                /* offset and width */
    REGISTER_ID = 0x00,               /* u32 */
    REGISTER_INTERRUPT_STATUS = 0x24, /* u32 */
    REGISTER_INTERRUPT_DONE = 0x64,   /* u32 */
    REGISTER_DMA_FROM = 0x80,         /* u64 */
    REGISTER_DMA_TO = 0x88,           /* u64 */
    REGISTER_DMA_SIZE = 0x90,         /* u64 */
    REGISTER_DMA_COMMAND = 0x98,      /* u64 */
};
enum {
    COMMAND_START = 1,
    COMMAND_TO_MEMORY = 2,
    COMMAND_INTERRUPT = 4,
};
#define ID                0x010000edu
#define BUFFER            0x40000u /* where it stands, as the device's engine sees it */
#define INTERRUPT_WAIT_MS 30000

static int failed(const char *what)
{
    int err = errno ? -errno : -EIO;
    fprintf(stderr, "edu: %s: %s\n", what, strerror(-err));
    return err;
}

static uint32_t read_register(const struct edu *edu, uint32_t offset)
{
    return __atomic_load_n((uint32_t *)(edu->registers + offset), __ATOMIC_RELAXED);
}

static void write_register(struct edu *edu, uint32_t offset, uint32_t value)
{
    __atomic_store_n((uint32_t *)(edu->registers + offset), value, __ATOMIC_RELAXED);
}

static void write_register_wide(struct edu *edu, uint32_t offset, uint64_t value)
{
    __atomic_store_n((uint64_t *)(edu->registers + offset), value, __ATOMIC_RELAXED);
}

/* Opening ---------------------------------------------------------------------------------------*/

/* Devices that the IOMMU cannot tell apart are one group, and are given away together. */
static int open_group(const char *name)
{
    char path[PATH_MAX], link[PATH_MAX];
    snprintf(path, sizeof path, "/sys/bus/pci/devices/%s/iommu_group", name);
    ssize_t length = readlink(path, link, sizeof link - 1);
    if (length < 0)
        return failed("no IOMMU stands before it");
    link[length] = '\0';
    snprintf(path, sizeof path, "/dev/vfio%s", strrchr(link, '/'));
    int fd = open(path, O_RDWR | O_CLOEXEC);
    return fd < 0 ? failed(path) : fd;
}

/* The container holds the addresses that its groups' devices see. */
static int open_device(const char *name, struct edu *edu)
{
    edu->container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
    if (edu->container < 0)
        return failed("/dev/vfio/vfio");
    edu->group = open_group(name);
    if (edu->group < 0)
        return edu->group;
    if (ioctl(edu->group, VFIO_GROUP_SET_CONTAINER, &edu->container) < 0)
        return failed("group into container");
    if (ioctl(edu->container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) < 0)
        return failed("VFIO_TYPE1v2_IOMMU");
    edu->device = ioctl(edu->group, VFIO_GROUP_GET_DEVICE_FD, name);
    return edu->device < 0 ? failed("the device's descriptor") : 0;
}

static int map_registers(struct edu *edu)
{
    struct vfio_region_info bar = {.argsz = sizeof bar, .index = VFIO_PCI_BAR0_REGION_INDEX};
    if (ioctl(edu->device, VFIO_DEVICE_GET_REGION_INFO, &bar) < 0)
        return failed("BAR 0");
    void *start =
        mmap(NULL, bar.size, PROT_READ | PROT_WRITE, MAP_SHARED, edu->device, (off_t)bar.offset);
    if (start == MAP_FAILED)
        return failed("BAR 0");
    edu->registers = start;
    edu->registers_size = bar.size;
    errno = 0;
    return read_register(edu, REGISTER_ID) == ID ? 0 : failed("not an edu device");
}

static int allow_dma(struct edu *edu)
{
    struct vfio_region_info space = {.argsz = sizeof space, .index = VFIO_PCI_CONFIG_REGION_INDEX};
    if (ioctl(edu->device, VFIO_DEVICE_GET_REGION_INFO, &space) < 0)
        return failed("configuration space");
    off_t at = (off_t)space.offset + PCI_COMMAND;
    uint16_t command;
    errno = 0;
    if (pread(edu->device, &command, sizeof command, at) != sizeof command)
        return failed("command register");
    command |= PCI_COMMAND_MASTER;
    if (pwrite(edu->device, &command, sizeof command, at) != sizeof command)
        return failed("command register");
    return 0;
}

static int catch_interrupts(struct edu *edu)
{
    edu->finished = eventfd(0, EFD_CLOEXEC);
    if (edu->finished < 0)
        return failed("eventfd");
    union {
        struct vfio_irq_set set;
        uint8_t bytes[sizeof(struct vfio_irq_set) + sizeof(int32_t)];
    } irq = {.set = {.argsz = sizeof irq.bytes,
                     .flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
                     .index = VFIO_PCI_MSI_IRQ_INDEX,
                     .count = 1}};
    memcpy(irq.set.data, &edu->finished, sizeof edu->finished);
    return ioctl(edu->device, VFIO_DEVICE_SET_IRQS, &irq.set) < 0 ? failed("interrupts") : 0;
}

int edu_open(const char *name, struct edu *ret_edu)
{
    struct edu edu = EDU_NONE;
    int err = open_device(name, &edu);
    if (err >= 0)
        err = map_registers(&edu);
    if (err >= 0)
        err = allow_dma(&edu);
    if (err >= 0)
        err = catch_interrupts(&edu);
    if (err < 0) {
        edu_close(&edu);
        return err;
    }
    *ret_edu = edu;
    return 0;
}

void edu_close(struct edu *edu)
{
    if (edu->registers)
        munmap(edu->registers, edu->registers_size);
    int fds[] = {edu->finished, edu->device, edu->group, edu->container};
    for (unsigned i = 0; i < sizeof fds / sizeof *fds; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    *edu = EDU_NONE;
}

/* DMA -------------------------------------------------------------------------------------------*/

int edu_map(struct edu *edu, void *start, uint64_t size, uint64_t iova, bool writable)
{
    struct vfio_iommu_type1_dma_map map = {
        .argsz = sizeof map,
        .flags = VFIO_DMA_MAP_FLAG_READ | (writable ? VFIO_DMA_MAP_FLAG_WRITE : 0u),
        .vaddr = (uintptr_t)start,
        .iova = iova,
        .size = size,
    };
    return ioctl(edu->container, VFIO_IOMMU_MAP_DMA, &map) < 0 ? failed("memory for the device")
                                                               : 0;
}

static int transfer(struct edu *edu, uint64_t from, uint64_t to, uint32_t size, uint32_t command)
{
    sl_stream_fence(); /* what the device is to read stands in memory before it is told to */
    write_register_wide(edu, REGISTER_DMA_FROM, from);
    write_register_wide(edu, REGISTER_DMA_TO, to);
    write_register_wide(edu, REGISTER_DMA_SIZE, size);
    write_register_wide(edu, REGISTER_DMA_COMMAND, COMMAND_START | COMMAND_INTERRUPT | command);

    /* The interrupt is a write to memory as well, and comes behind those of the data. */
    struct pollfd finished = {.fd = edu->finished, .events = POLLIN};
    uint64_t count;
    errno = ETIMEDOUT;
    if (poll(&finished, 1, INTERRUPT_WAIT_MS) != 1 ||
        read(edu->finished, &count, sizeof count) != sizeof count)
        return failed("DMA");
    write_register(edu, REGISTER_INTERRUPT_DONE, read_register(edu, REGISTER_INTERRUPT_STATUS));
    return 0;
}

int edu_load(struct edu *edu, uint64_t iova, uint32_t size)
{
    return transfer(edu, iova, BUFFER, size, 0);
}

int edu_store(struct edu *edu, uint64_t iova, uint32_t size)
{
    return transfer(edu, BUFFER, iova, size, COMMAND_TO_MEMORY);
}
