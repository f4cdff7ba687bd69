/* SPDX-License-Identifier: Apache-2.0 */
/* descriptor.h - the 64 bytes that travel instead of a frame.
 *
 * A descriptor comes from another process: copy it once, check it with sl_descriptor_check, and use
 * only the copy. Little endian, as every machine that Sluice runs on.
 */
#ifndef SL_FRAME_DESCRIPTOR_H
#define SL_FRAME_DESCRIPTOR_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Flags, shared with sluice.h (SL_MESSAGE_*). */
#define SL_DESCRIPTOR_CLOCK_MASK  0x0fu   /* the clock of stamp_ns, enum sl_clock */
#define SL_DESCRIPTOR_INLINE      0x10u   /* the body stands in the ring entry; no slot */
#define SL_DESCRIPTOR_GATHER      0x20u   /* the body is a list of ranges */
#define SL_DESCRIPTOR_SHARED      0x40u   /* other messages stand in the same slot */
#define SL_DESCRIPTOR_PARTIAL     0x80u   /* the frame is not whole, as its maker knows */
#define SL_DESCRIPTOR_ALIGN_MASK  0x1f00u /* log2 of the data's alignment in the pool */
#define SL_DESCRIPTOR_ALIGN_SHIFT 8

struct sl_descriptor {
    uint64_t seq;         /*  0: counts the messages of one publisher from 1 */
    uint64_t stamp_ns;    /*  8: when it was measured, by the clock in flags */
    uint64_t publish_ns;  /* 16: CLOCK_MONOTONIC when it was published */
    uint32_t pool;        /* 24: which of the publisher's pools (0) */
    uint32_t slot;        /* 28: which slot of it */
    uint32_t generation;  /* 32: how often the slot was published before, modulo 2^32 */
    uint32_t flags;       /* 36: SL_DESCRIPTOR_* */
    uint32_t body_offset; /* 40: the message, from the slot's start */
    uint32_t body_length; /* 44: bytes */
    uint32_t data_offset; /* 48: its pixels or points, from the slot's start */
    uint32_t data_length; /* 52: bytes; 0 = the message has no such part */
    uint64_t fence;       /* 56: 0 = ready; else a GPU timeline value to wait for */
};

static_assert(sizeof(struct sl_descriptor) == 64, "a descriptor is one cache line");
static_assert(offsetof(struct sl_descriptor, stamp_ns) == 8, "descriptor layout");
static_assert(offsetof(struct sl_descriptor, publish_ns) == 16, "descriptor layout");
static_assert(offsetof(struct sl_descriptor, pool) == 24, "descriptor layout");
static_assert(offsetof(struct sl_descriptor, slot) == 28, "descriptor layout");
static_assert(offsetof(struct sl_descriptor, generation) == 32, "descriptor layout");
static_assert(offsetof(struct sl_descriptor, flags) == 36, "descriptor layout");
static_assert(offsetof(struct sl_descriptor, body_offset) == 40, "descriptor layout");
static_assert(offsetof(struct sl_descriptor, data_offset) == 48, "descriptor layout");
static_assert(offsetof(struct sl_descriptor, fence) == 56, "descriptor layout");

/* Does [offset, offset + length) lie in [0, size)? No overflow for any values. */
static inline bool sl_range_fits(uint64_t offset, uint64_t length, uint64_t size)
{
    return offset <= size && length <= size - offset;
}

/* Is every part of it inside a slot of `slot_size` bytes of a pool of `slot_count` slots (or,
 * inline, inside an entry that holds `inline_max` bytes)? Gather ranges are checked where they are
 * read. */
static inline bool sl_descriptor_check(const struct sl_descriptor *d, uint32_t slot_count,
                                       uint64_t slot_size, uint32_t inline_max)
{
    if (d->flags & SL_DESCRIPTOR_INLINE)
        return !(d->flags & (SL_DESCRIPTOR_GATHER | SL_DESCRIPTOR_SHARED)) && d->body_offset == 0 &&
               d->body_length <= inline_max &&
               sl_range_fits(d->data_offset, d->data_length, d->body_length);
    if (d->pool != 0 || d->slot >= slot_count ||
        !sl_range_fits(d->data_offset, d->data_length, slot_size))
        return false;
    return (d->flags & SL_DESCRIPTOR_GATHER) ||
           sl_range_fits(d->body_offset, d->body_length, slot_size);
}

#endif
