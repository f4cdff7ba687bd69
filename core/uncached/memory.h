/* SPDX-License-Identifier: Apache-2.0 */
/* memory.h - regions that frames and control words live in, and how they are shared.
 *
 * A provider makes memory (one .c file each: memfd and huge pages, dma-bufs, a PCI BAR, a reserved
 * range) and this file says what was measured of it, never what was asked for. All memory is there
 * before it is used: it is compared with what the machine and its cgroups have left, populated, and
 * sealed, where it can be, so that nobody, its owner included, can shrink it under a reader's feet.
 *
 * Memory of dma-bufs has one descriptor a slot. Its pieces are mapped one behind the other into one
 * range of addresses, so that whoever uses it sees one region as with any other.
 *
 * Life:    sl_memory_create | sl_memory_attach | sl_memory_expect -> sl_memory_add ->
 *          sl_memory_close. A struct sl_memory is a plain value and may be moved; SL_MEMORY_NONE
 * and a zeroed one that holds no base are closed. Owner:   the creator maps it writable; who
 * attaches maps it read-only, or writable when it is a ledger made for him. Mapping and descriptor
 * are not inherited by fork + exec, the mapping not even by fork. Threads: create and attach from
 * any; one thread closes. Errors:  0 or -errno with sl_error_text().
 */
#ifndef SL_UNCACHED_MEMORY_H
#define SL_UNCACHED_MEMORY_H

#include "core/uncached/probe.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Who may write beside the creator, once the descriptor is handed over. */
enum sl_memory_sharing {
    /* Nobody: SHRINK | GROW | FUTURE_WRITE | SEAL. Pools, rings. */
    SL_MEMORY_READ_ONLY,
    /* Whoever holds the descriptor: SHRINK | GROW | SEAL. The ledger that a publisher makes for one
     * subscriber; the publisher believes nothing in it. */
    SL_MEMORY_LEDGER,
};

/* What is handed over to a reader, and so what he must check. The numbers are the protocol's. */
enum sl_memory_handle {
    SL_MEMORY_SEALED,   /* a memfd that takes seals */
    SL_MEMORY_DMABUF,   /* a dma-buf: as lasting as the driver that exports it */
    SL_MEMORY_SYSFS,    /* a PCI BAR's file, opened read-only */
    SL_MEMORY_PHYSICAL, /* nothing: the reader opens /dev/mem by his own rights */
    SL_MEMORY_HANDLES
};

#define SL_MEMORY_NAME_MAX   64   /* bytes of a name with its NUL; longer ones are cut */
#define SL_MEMORY_PIECES_MAX 1024 /* descriptors of one memory */

struct sl_memory_config {
    const char *provider; /* "NAME" or "NAME:ARGUMENT" as a launch file says it; NULL = "memfd" */
    const char *name;     /* what it is for: seen in errors and in /proc/PID/maps */
    uint64_t size_bytes;  /* rounded up to pages */
    uint64_t slot_bytes; /* whole pages: where a provider makes a descriptor a slot; 0 = only one */
    enum sl_memory_sharing sharing;
    bool lock; /* mlock it; where that is refused the memory is made all the same */
};

struct sl_memory_provider;

struct sl_memory {
    const struct sl_memory_provider *provider; /* NULL if attached */
    int fd;                                    /* what may be handed over; -1 = none, or pieces */
    uint8_t *base;    /* page aligned; NULL for memory that the CPU cannot see */
    bool needs_care;  /* the CPU's accesses must stand between sl_memory_enter and _leave */
    bool needs_sync;  /* because caches have to be told (DMA_BUF_IOCTL_SYNC) */
    bool may_go;      /* because its device can be pulled out */
    bool is_writable; /* mapped so here */
    bool is_locked;   /* by us */
    bool is_dmabuf;
    bool can_pin; /* the kernel may pin its pages: O_DIRECT, GPU and RDMA registration */
    uint64_t size_bytes;
    uint32_t page_size_bytes;
    int numa_node;            /* of the first page; -1 = the kernel does not tell */
    enum sl_memory_kind kind; /* measured */
    enum sl_memory_handle handle;
    uint64_t offset;     /* SL_MEMORY_SYSFS: in the file; SL_MEMORY_PHYSICAL: the address */
    uint64_t slot_bytes; /* of one piece; 0 = it is all of one piece */
    int *piece_fd;       /* size_bytes / slot_bytes descriptors, or NULL */
    uint32_t piece_count;
};

#define SL_MEMORY_NONE ((struct sl_memory){.fd = -1, .numa_node = -1})

/* Make memory. Before a page is touched its size is compared with what is left (limits.h); then all
 * of it is populated, kept out of core dumps and children, and sealed as `sharing` says.
 *
 * -EINVAL  size 0 or beyond what a file can be, slots that are no whole pages, a bad argument
 * -ENOENT  no provider of that name
 * -ENODEV  the machine lacks the provider's device or module; the sentence names it
 * -ENOMEM  it does not fit; the sentence says what was wanted, what is left, and which limit it is
 * -EBUSY   other pools have what is there of a BAR or a reserved range
 *
 * If `lock` was asked for and refused, or transparent huge pages were and are not there, the result
 * is 0 and sl_error_text() says why; else the text is empty. */
int sl_memory_create(const struct sl_memory_config *config, struct sl_memory *ret_memory);

/* Is this a kind of memory, as it is written? Looks at the text only. -ENOENT (with the word that
 * may have been meant) or -EINVAL. */
int sl_memory_check(const char *written);

/* What of that kind the machine has, as words for a person: "/dev/dri/card0"; -ENODEV or -EACCES
 * with a sentence if it has none. */
int sl_memory_look(const char *written, char *ret_text, size_t size);

/* Does it take of the machine's memory? A BAR and a reserved range do not. */
bool sl_memory_is_ram(const char *written);

/* Map memory of a peer who is not trusted, from a descriptor that he sent. Refused unless no later
 * step of his can take it away: it must be a sealed memfd (SHRINK, GROW; and FUTURE_WRITE or WRITE
 * if it is mapped read-only), of exactly `size_bytes`, with no holes.
 * On success the descriptor belongs to the memory; on failure it stays the caller's.
 *
 * -EPROTO  another size, no memfd, or full of holes
 * -EPERM   seals are missing: the peer could truncate or rewrite it */
int sl_memory_attach(int fd, uint64_t size_bytes, bool writable, struct sl_memory *ret_memory);

/* What a peer says of the memory that he will hand over; nothing of it was checked. */
struct sl_memory_offer {
    uint32_t handle; /* enum sl_memory_handle */
    uint64_t size_bytes;
    uint64_t slot_bytes; /* a descriptor for each so many bytes; 0 = one for all */
    uint64_t offset;
    bool needs_sync;
};

/* Get ready for memory of any handle, read-only. -EPROTO: there can be no such memory. */
int sl_memory_expect(const struct sl_memory_offer *offer, struct sl_memory *ret_memory);
/* Map the next piece, from a descriptor that is checked as in sl_memory_attach: it must be what the
 * offer said, and large enough. On success it belongs to the memory. SL_MEMORY_PHYSICAL: fd is -1,
 * and the caller has made sure that the peer is root: the address is his word.
 *
 * 1: that was the last one, the memory may be used; 0: more are wanted; or as sl_memory_attach, and
 * -EACCES where the handle asks for rights that this process has not. */
int sl_memory_add(struct sl_memory *memory, int fd);

/* Where `needs_care`: before the CPU touches bytes [offset, offset + 1) of a slot, and afterwards,
 * when a device or another process is to see what was written (or may write again). `offset` says
 * which piece. System calls; for memory that does not need it, not to be called.
 * -ENODEV as sl_memory_check_device. */
int sl_memory_enter(const struct sl_memory *memory, uint64_t offset, bool to_write);
void sl_memory_leave(const struct sl_memory *memory, uint64_t offset, bool to_write);

/* -ENODEV: its device is gone. What is mapped stays mapped (Linux 6.1), and reads as zeros or ones;
 * so this tells afterwards whether what was read meant anything. A system call where `may_go`. */
int sl_memory_check_device(const struct sl_memory *memory);

/* What a region of so many bytes takes: whole pages. */
uint64_t sl_memory_round(uint64_t size_bytes);
#define SL_MEMORY_HUGE "hugetlb" /* the provider of memory in huge pages */
/* The same for memory of that kind. -ENODEV: huge pages are asked for and the kernel has none. */
int sl_memory_round_for(const char *written, uint64_t size_bytes, uint64_t *ret_bytes);

/* Unmap, close, and leave SL_MEMORY_NONE behind. Takes NULL and half-built memory. */
void sl_memory_close(struct sl_memory *memory);

/* ---- For providers ---------------------------------------------------------------------------*/

/* A provider is one line in the list of memory.c. */
struct sl_memory_provider {
    const char *name;
    const char *argument; /* how help writes what stands behind the ':', "" = nothing may */
    const char *help;
    bool is_each_slot; /* one descriptor a slot (dma-buf): `create` is called for each */
    bool is_device;    /* takes none of the machine's memory */
    /* Is that an argument? `argument` is what stands behind the ':', or "". -EINVAL. NULL: one
     * that `argument` above allows always is. */
    int (*check)(const char *argument);
    /* NULL: whole pages. */
    int (*round)(const char *argument, uint64_t size_bytes, uint64_t *ret_bytes);
    /* As sl_memory_look. */
    int (*look)(char *ret_text, size_t size);
    /* Gets a memory that is SL_MEMORY_NONE and fills fd, base, size_bytes, page_size_bytes,
     * is_writable, handle, offset, needs_sync, may_go, is_dmabuf, can_pin, and numa_node where it
     * knows better than the kernel's tables; what it leaves behind on failure is closed by the
     * caller, and what can be measured is measured by the caller. Maps at `place` (MAP_FIXED)
     * unless that is NULL. */
    int (*create)(const struct sl_memory_config *config, const char *argument, void *place,
                  struct sl_memory *memory);
};

/* In the order in which help shows them, ended by NULL. */
extern const struct sl_memory_provider *const sl_memory_providers[];

extern const struct sl_memory_provider sl_memory_memfd;
extern const struct sl_memory_provider sl_memory_hugetlb;
extern const struct sl_memory_provider sl_memory_vgem;
extern const struct sl_memory_provider sl_memory_dma_heap;
extern const struct sl_memory_provider sl_memory_bar;
extern const struct sl_memory_provider sl_memory_reserved;

/* One more, for who links this library and owns memory of another sort; NULL = no longer. Before
 * the first memory is made, by one thread. */
void sl_memory_set_own_provider(const struct sl_memory_provider *provider);

/* /proc, /sys and /dev are looked for below it; "" but in tests. */
extern const char *sl_memory_root;

/* Map `size_bytes` of fd for writing, at `place` unless that is NULL, into base, size_bytes,
 * page_size_bytes (that of the machine's pages) and is_writable. */
int sl_memory_map(const struct sl_memory_config *config, int fd, uint64_t offset,
                  uint64_t size_bytes, void *place, struct sl_memory *memory);

/* -EPERM if a byte of it is the machine's own memory, by /proc/iomem. */
int sl_memory_check_reserved(uint64_t address, uint64_t size_bytes);

#endif
