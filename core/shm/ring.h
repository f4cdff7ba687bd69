/* SPDX-License-Identifier: Apache-2.0 */
/* ring.h - a publisher's last descriptors: the native transport.
 *
 * Life:    sl_ring_format (publisher) or sl_ring_map (subscriber) over memory that stays mapped
 * Owner:   the publisher's process writes; whoever maps it for reading trusts nothing in it
 * Threads: one writer; any number of readers
 * Errors:  sl_ring_map: -EPROTONOSUPPORT another version, -EPROTO anything else that does not fit
 *
 * One entry is `seq << 1 | standing` and seven words. The writer clears standing, writes the words,
 * and stores the new state last; a reader that finds the same state before and after copying has a
 * whole descriptor, and one that finds it again after the full fence behind its hold has the frame.
 */
#ifndef SL_SHM_RING_H
#define SL_SHM_RING_H

#include "core/shm/layout.h"

/* Where the parts of a ring lie in this process; the geometry is a checked copy. */
struct sl_ring_map {
    struct sl_ring *ring;
    unsigned char *entries;
    struct sl_gather *gathers;
    struct sl_word *words;
    uint32_t mask; /* entry_count - 1 */
    uint32_t stride;
    uint32_t inline_max;
    uint32_t word_count;
    int64_t lease_ns; /* of holds; 0 = none */
};

/* What stands in an entry beside the descriptor. */
struct sl_ring_payload {
    const void *inline_body;
    const struct sl_range *ranges;
    uint32_t range_count;
};

enum sl_ring_look {
    SL_RING_NOT_YET,  /* the message is not published */
    SL_RING_STANDING, /* it stands */
    SL_RING_RETIRED,  /* its slot was taken back */
    SL_RING_GONE,     /* a newer message has its entry */
};

size_t sl_ring_size(uint32_t entry_count, uint32_t inline_max, uint32_t word_count);
void sl_ring_format(void *memory, uint64_t instance, uint32_t entry_count, uint32_t inline_max,
                    uint32_t word_count, struct sl_ring_map *ret_map);
int sl_ring_map(void *memory, size_t size_bytes, struct sl_ring_map *ret_map);

/* Writer: a message will be written soon, with so many bytes inline: have its entry's lines come.
 */
void sl_ring_prepare(const struct sl_ring_map *map, uint64_t seq, uint32_t inline_length);
/* Writer: put message `d->seq` (the head + 1) into its entry: who looks for it finds it. */
void sl_ring_write(struct sl_ring_map *map, const struct sl_descriptor *d,
                   const struct sl_ring_payload *payload);
/* Writer: move the head to it: who sleeps may be told. */
static inline void sl_ring_move_head(struct sl_ring_map *map, uint64_t seq)
{
    /* P5: pairs with sl_ring_head: the entry before the head. */
    atomic_store_explicit(&map->ring->head, seq, memory_order_release);
}
/* Writer: say that the slot of message `seq` is no longer that message's. */
void sl_ring_retire(struct sl_ring_map *map, uint64_t seq);

static inline uint64_t sl_ring_head(const struct sl_ring_map *map)
{
    /* pairs with P5: whoever sees the head sees its entry */
    return atomic_load_explicit(&map->ring->head, memory_order_acquire);
}

/* Reader: is message `seq` there? If it stands, *ret_d and, for inline and gathered messages, the
 * buffers that are not NULL are filled; `inline_body` has room for map->inline_max bytes. All that
 * is copied may be torn until sl_ring_still says true. */
enum sl_ring_look sl_ring_look(const struct sl_ring_map *map, uint64_t seq,
                               struct sl_descriptor *ret_d);
void sl_ring_copy_inline(const struct sl_ring_map *map, uint64_t seq, void *to, uint32_t length);
void sl_ring_copy_ranges(const struct sl_ring_map *map, uint64_t seq,
                         struct sl_range to[SL_RANGES_MAX]);
/* Reader: does message `seq` still stand? The caller has made the fence that its question needs. */
bool sl_ring_still(const struct sl_ring_map *map, uint64_t seq);

#endif
