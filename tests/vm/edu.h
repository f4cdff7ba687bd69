/* SPDX-License-Identifier: Apache-2.0 */
/* edu.h - a device that really does DMA: QEMU's `edu` (docs/specs/edu), driven from user space.
 *
 * It has a buffer of 4096 bytes; told so, it copies memory into that or that into memory, and
 * raises an interrupt. VFIO gives the device to this process, and the IOMMU between device and
 * memory lets it reach what edu_map allowed, at the addresses chosen there, and nothing else.
 *
 * Life:    edu_open -> edu_map, edu_load, edu_store -> edu_close, which also ends the mappings.
 * Owner:   mapped memory stays the caller's and must outlive the device.
 * Threads: one.
 * Errors:  0 or -errno, after a line on stderr.
 */
#ifndef SL_TESTS_VM_EDU_H
#define SL_TESTS_VM_EDU_H

#include <stdbool.h>
#include <stdint.h>

/* Of one transfer; QEMU 7.2 aborts at the whole buffer. */
#define EDU_TRANSFER_MAX 2048u
/* What the device can put on its address lines. */
#define EDU_IOVA_END (1u << 28)

struct edu {
    int container, group, device; /* VFIO's three descriptors */
    int finished;                 /* eventfd: the interrupt */
    uint8_t *registers;
    uint64_t registers_size;
};

#define EDU_NONE ((struct edu){.container = -1, .group = -1, .device = -1, .finished = -1})

/* `name` as in /sys/bus/pci/devices; the device is bound to vfio-pci. */
int edu_open(const char *name, struct edu *ret_edu);
void edu_close(struct edu *edu);

/* Let the device read, and perhaps write, [start, start + size) at `iova`: whole pages. The kernel
 * pins them, so this is for once a slot, never for once a frame. */
int edu_map(struct edu *edu, void *start, uint64_t size, uint64_t iova, bool writable);

/* Memory to buffer, buffer to memory, waiting for the interrupt. Success says that the device is
 * done; what the IOMMU kept from arriving, the kernel's log tells. -ETIMEDOUT: no interrupt came.
 */
int edu_load(struct edu *edu, uint64_t iova, uint32_t size);
int edu_store(struct edu *edu, uint64_t iova, uint32_t size);

#endif
