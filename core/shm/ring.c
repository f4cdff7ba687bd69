/* SPDX-License-Identifier: Apache-2.0 */
#include "core/shm/ring.h"

#include "core/base/error.h"
#include "core/shm/failpoint.h"
#include "core/shm/order.h"
#include "core/shm/words.h"

#include <errno.h>
#include <string.h>

#ifdef SLUICE_TSAN
_Atomic unsigned sl_order_cell;
#endif

#define STANDING UINT64_C(1)

static uint32_t stride_of(uint32_t inline_max)
{
    uint32_t bytes = (uint32_t)sizeof(struct sl_entry) + (inline_max + 7) / 8 * 8;
    return (bytes + SL_LINE - 1) / SL_LINE * SL_LINE;
}

static struct sl_entry *entry_of(const struct sl_ring_map *map, uint64_t seq)
{
    return (struct sl_entry *)(void *)(map->entries + (seq & map->mask) * map->stride);
}

size_t sl_ring_size(uint32_t entry_count, uint32_t inline_max, uint32_t word_count)
{
    return sizeof(struct sl_ring) + (size_t)entry_count * stride_of(inline_max) +
           (size_t)entry_count * sizeof(struct sl_gather) +
           (size_t)word_count * sizeof(struct sl_word);
}

void sl_ring_format(void *memory, uint64_t instance, uint32_t entry_count, uint32_t inline_max,
                    uint32_t word_count, struct sl_ring_map *ret_map)
{
    struct sl_ring *ring = memory;
    uint32_t stride = stride_of(inline_max);
    ring->header = (struct sl_segment_header){
        .magic = SL_MAGIC,
        .version = SL_PROTOCOL_VERSION,
        .kind = SL_SEGMENT_RING,
        .size_bytes = sl_ring_size(entry_count, inline_max, word_count),
        .instance = instance,
    };
    ring->entry_count = entry_count;
    ring->entry_stride = stride;
    ring->inline_max = inline_max;
    ring->word_count = word_count;
    ring->entries_offset = sizeof *ring;
    ring->gathers_offset = ring->entries_offset + (uint64_t)entry_count * stride;
    ring->words_offset = ring->gathers_offset + (uint64_t)entry_count * sizeof(struct sl_gather);
    *ret_map = (struct sl_ring_map){
        .ring = ring,
        .entries = (unsigned char *)memory + ring->entries_offset,
        .gathers = (void *)((char *)memory + ring->gathers_offset),
        .words = (void *)((char *)memory + ring->words_offset),
        .mask = entry_count - 1,
        .stride = stride,
        .inline_max = inline_max,
        .word_count = word_count,
    };
}

int sl_ring_map(void *memory, size_t size_bytes, struct sl_ring_map *ret_map)
{
    if (size_bytes < sizeof(struct sl_ring))
        return sl_error(-EPROTO, "ring segment of %zu bytes is too small", size_bytes);
    /* A copy: the other side may change its mind while we check. */
    struct sl_ring r;
    memcpy(&r, memory, sizeof r);
    if (r.header.magic != SL_MAGIC || r.header.kind != SL_SEGMENT_RING)
        return sl_error(-EPROTO, "segment is no ring (magic %08x, kind %u)", r.header.magic,
                        r.header.kind);
    if (r.header.version != SL_PROTOCOL_VERSION)
        return sl_error(
            -EPROTONOSUPPORT,
            "ring of protocol version %u, this program speaks %u; rebuild the older one",
            r.header.version, SL_PROTOCOL_VERSION);
    if (r.entry_count == 0 || r.entry_count > SL_RING_MAX ||
        (r.entry_count & (r.entry_count - 1)) != 0 || r.inline_max > SL_INLINE_MAX ||
        r.word_count > 2 * SL_SUBSCRIBERS_MAX || r.entry_stride != stride_of(r.inline_max) ||
        r.header.size_bytes != size_bytes ||
        sl_ring_size(r.entry_count, r.inline_max, r.word_count) > size_bytes)
        return sl_error(-EPROTO, "ring of %u entries of %u bytes does not fit its segment of %zu",
                        r.entry_count, r.entry_stride, size_bytes);
    uint64_t gathers = sizeof r + (uint64_t)r.entry_count * r.entry_stride;
    uint64_t words = gathers + (uint64_t)r.entry_count * sizeof(struct sl_gather);
    if (r.entries_offset != sizeof r || r.gathers_offset != gathers || r.words_offset != words)
        return sl_error(-EPROTO, "ring whose parts lie at other offsets than they must");
    *ret_map = (struct sl_ring_map){
        .ring = memory,
        .entries = (unsigned char *)memory + sizeof r,
        .gathers = (void *)((char *)memory + gathers),
        .words = (void *)((char *)memory + words),
        .mask = r.entry_count - 1,
        .stride = r.entry_stride,
        .inline_max = r.inline_max,
        .word_count = r.word_count,
        .lease_ns = r.lease_ns,
    };
    return 0;
}

/* The descriptor without its seq is words 1..7 of its 64 bytes. */
static_assert(sizeof(struct sl_descriptor) == 8 * sizeof(uint64_t), "descriptor is eight words");

void sl_ring_prepare(const struct sl_ring_map *map, uint64_t seq, uint32_t inline_length)
{
    const char *entry = (const char *)entry_of(map, seq);
    for (uint32_t at = 0; at < sizeof(struct sl_entry) + inline_length; at += 64)
        sl_prefetch_to_write(entry + at);
}

void sl_ring_write(struct sl_ring_map *map, const struct sl_descriptor *d,
                   const struct sl_ring_payload *payload)
{
    struct sl_entry *e = entry_of(map, d->seq);
    /* P1: the entry's old message can no longer be taken. */
    uint64_t old = atomic_load_explicit(&e->state, memory_order_relaxed);
    if (old & STANDING)
        atomic_store_explicit(&e->state, old & ~STANDING, memory_order_relaxed);
    SL_FAIL_POINT(PUBLISH_P1);
    /* P2: pairs with T3: a reader that copied one of the words below does not find the old state.
     */
    sl_fence_release();
    SL_FAIL_POINT(PUBLISH_P2);
    /* P3: relaxed is enough, P2 and P4 stand around them. */
    for (int i = 0; i < 7; i++) {
        uint64_t word;
        memcpy(&word, (const char *)d + 8 * (i + 1), sizeof word);
        atomic_store_explicit(&e->word[i], word, memory_order_relaxed);
    }
    if (d->flags & SL_DESCRIPTOR_INLINE)
        sl_words_store(e->inline_word, payload->inline_body, d->body_length);
    if (d->flags & SL_DESCRIPTOR_GATHER) {
        struct sl_gather *g = &map->gathers[d->seq & map->mask];
        for (uint32_t i = 0; i < SL_RANGES_MAX; i++) {
            struct sl_range r =
                i < payload->range_count ? payload->ranges[i] : (struct sl_range){0};
            atomic_store_explicit(&g->range[i][0], r.area | (uint64_t)r.offset << 32,
                                  memory_order_relaxed);
            atomic_store_explicit(&g->range[i][1], r.length, memory_order_relaxed);
        }
    }
    SL_FAIL_POINT(PUBLISH_P3);
    /* P4: pairs with T1: slot bytes and words before the state that shows them. */
    atomic_store_explicit(&e->state, d->seq << 1 | STANDING, SL_ORDER_PUBLISH);
    SL_FAIL_POINT(PUBLISH_P4);
}

void sl_ring_retire(struct sl_ring_map *map, uint64_t seq)
{
    /* R1: only if the entry still is this message's; a newer one must not be hurt. Relaxed: the
     * full fence R2 of the caller stands between this store and its look at the ledgers. */
    struct sl_entry *e = entry_of(map, seq);
    if (atomic_load_explicit(&e->state, memory_order_relaxed) == (seq << 1 | STANDING))
        atomic_store_explicit(&e->state, seq << 1, memory_order_relaxed);
}

enum sl_ring_look sl_ring_look(const struct sl_ring_map *map, uint64_t seq,
                               struct sl_descriptor *ret_d)
{
    const struct sl_entry *e = entry_of(map, seq);
    /* T1: pairs with P4. */
    uint64_t state = atomic_load_explicit(&e->state, memory_order_acquire);
    if (state >> 1 < seq)
        return SL_RING_NOT_YET;
    if (state >> 1 > seq)
        return SL_RING_GONE;
    if (!(state & STANDING))
        return SL_RING_RETIRED;
    ret_d->seq = seq;
    for (int i = 0; i < 7; i++) {
        uint64_t word = atomic_load_explicit(&e->word[i], memory_order_relaxed);
        memcpy((char *)ret_d + 8 * (i + 1), &word, sizeof word);
    }
    return SL_RING_STANDING;
}

void sl_ring_copy_inline(const struct sl_ring_map *map, uint64_t seq, void *to, uint32_t length)
{
    const struct sl_entry *e = entry_of(map, seq);
    sl_words_load(to, e->inline_word, length);
}

void sl_ring_copy_ranges(const struct sl_ring_map *map, uint64_t seq,
                         struct sl_range to[SL_RANGES_MAX])
{
    const struct sl_gather *g = &map->gathers[seq & map->mask];
    for (int i = 0; i < SL_RANGES_MAX; i++) {
        uint64_t place = atomic_load_explicit(&g->range[i][0], memory_order_relaxed);
        uint64_t length = atomic_load_explicit(&g->range[i][1], memory_order_relaxed);
        to[i] = (struct sl_range){
            .area = (uint32_t)place,
            .offset = (uint32_t)(place >> 32),
            .length = length > UINT32_MAX ? UINT32_MAX : (uint32_t)length,
        };
    }
}

bool sl_ring_still(const struct sl_ring_map *map, uint64_t seq)
{
    return atomic_load_explicit(&entry_of(map, seq)->state, memory_order_acquire) ==
           (seq << 1 | STANDING);
}
