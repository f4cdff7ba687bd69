/* SPDX-License-Identifier: Apache-2.0 */
/* ring_reader.c - a subscriber that reads the ring of a hostile publisher.
 *
 * Input: the geometry, the ring's header or a mended one, the policy, then steps: takes, releases,
 * waits, and between and within them stores of the publisher to any word that it shares.
 * Promise: whatever is taken lies in the announced pool, side area and entry, and can be read
 * there; holds are counted rightly; the last hold of a detached reader tells so, once. */
#include "tests/fuzz/ring.h"

#include "core/shm/order.h"

static void publisher_moves(void);

/* The real reader, whose publisher moves whenever order between the two is at stake. */
#define sl_fence_full    publisher_moves
#define sl_fence_acquire publisher_moves
#include "core/shm/reader.c"
#undef sl_fence_full
#undef sl_fence_acquire

#include <string.h>

enum {
    HOLDS_MAX = 300, /* more than any quota */
};

/* The segments as the publisher, who may write them all, sees them. */
static struct world {
    struct input *in;
    unsigned char *ring_memory;
    size_t ring_bytes;
    _Atomic uint64_t *state;
    unsigned char *pool, *side, *inline_to;
    struct sl_ring_map map; /* the reader's, checked */
    struct sl_ring_reader reader;
    struct sl_descriptor held[HOLDS_MAX];
    uint32_t held_count;
} w;

/* What is read is added up here, so that no read is left out. */
static volatile unsigned seen;

/* The publisher. ------------------------------------------------------------------------------- */

static struct sl_entry *entry_for(uint64_t seq)
{
    return (struct sl_entry *)(void *)(w.map.entries + (seq & w.map.mask) * w.map.stride);
}

static void store_word(uint64_t at, uint64_t value)
{
    uint64_t words = w.ring_bytes / 8;
    memcpy(w.ring_memory + at % words * 8, &value, sizeof value);
}

/* A message that is nearly right, so that the checks are reached one by one. */
static void show_message(uint64_t seq)
{
    struct input *in = w.in;
    struct sl_descriptor d = {
        .seq = seq,
        .slot = (uint32_t)next_number(in),
        .generation = next8(in),
        .flags = next8(in),
        .body_offset = (uint32_t)next_number(in),
        .body_length = (uint32_t)next_number(in),
        .data_offset = (uint32_t)next_number(in),
        .data_length = (uint32_t)next_number(in),
    };
    uint64_t words[8];
    memcpy(words, &d, sizeof words);
    struct sl_entry *e = entry_for(seq);
    for (int i = 0; i < 7; i++)
        atomic_store(&e->word[i], words[i + 1]);
    atomic_store(&e->state, seq << 1 | 1);
    if (d.slot < w.reader.slot_count)
        atomic_store(&w.state[d.slot], (uint64_t)d.generation << 1 | 1);
    if (w.map.ring->head < seq)
        w.map.ring->head = seq;
}

static void show_ranges(uint64_t seq)
{
    struct sl_gather *g = &w.map.gathers[seq & w.map.mask];
    for (int i = 0; i < SL_RANGES_MAX; i++) {
        uint64_t area = next8(w.in) % 3, offset = next_number(w.in);
        atomic_store(&g->range[i][0], area | offset << 32);
        atomic_store(&g->range[i][1], next_number(w.in));
    }
}

static void publisher_moves(void)
{
    struct input *in = w.in;
    uint64_t next = w.reader.cursor + 1;
    switch (next8(in) % 8) {
    case 0:
        break; /* nothing */
    case 1:
        show_message(next + next8(in) % 4);
        break;
    case 2:
        show_ranges(next);
        break;
    case 3:
        store_word(next_number(in), next_number(in));
        break;
    case 4:
        atomic_store(&entry_for(next)->state, next << 1 | (next8(in) & 1));
        break;
    case 5:
        atomic_store(&w.map.ring->head, next + next_number(in));
        break;
    case 6:
        if (w.reader.slot_count > 0)
            atomic_store(&w.state[next8(in) % w.reader.slot_count], next_number(in));
        break;
    case 7:
        atomic_store(&w.map.words[0].state, next8(in) % 4);
        break;
    }
}

/* The subscriber. ------------------------------------------------------------------------------ */

static void read_bytes(const unsigned char *area, uint64_t size, uint64_t offset, uint64_t length)
{
    expect(sl_range_fits(offset, length, size));
    if (length > 0)
        seen += area[offset] + area[offset + length - 1];
}

static void read_ranges(const struct sl_taken *t)
{
    const struct sl_ring_reader *r = &w.reader;
    uint64_t total = 0;
    expect(t->range_count <= SL_RANGES_MAX);
    for (uint32_t i = 0; i < t->range_count; i++) {
        const struct sl_range *range = &t->range[i];
        expect(range->area == SL_AREA_SLOT || range->area == SL_AREA_SIDE);
        uint64_t size = range->area == SL_AREA_SIDE ? r->side_size : r->slot_size;
        const unsigned char *area = range->area == SL_AREA_SIDE ? w.side : w.pool;
        read_bytes(area + t->d.slot * size, size, range->offset, range->length);
        total += range->length;
    }
    expect(total == t->d.body_length);
}

static void check_taken(const struct sl_taken *t)
{
    const struct sl_ring_reader *r = &w.reader;
    const struct sl_descriptor *d = &t->d;
    expect(d->seq == r->cursor && r->cursor == r->ledger->cursor);
    if (d->flags & SL_DESCRIPTOR_INLINE) {
        expect(t->range_count == 0);
        read_bytes(w.inline_to, w.map.inline_max, 0, d->body_length);
        read_bytes(w.inline_to, d->body_length, d->data_offset, d->data_length);
        return;
    }
    expect(d->pool == 0 && d->slot < r->slot_count);
    const unsigned char *slot = w.pool + d->slot * r->slot_size;
    read_bytes(slot, r->slot_size, d->data_offset, d->data_length);
    if (d->flags & SL_DESCRIPTOR_GATHER)
        read_ranges(t);
    else
        read_bytes(slot, r->slot_size, d->body_offset, d->body_length);
    w.held[w.held_count++] = *d;
}

static void take(void)
{
    struct sl_taken t;
    int err = sl_ring_reader_take(&w.reader, &t, w.inline_to);
    expect(err == 0 || err == 1 || err == -EDQUOT);
    if (err == 1)
        check_taken(&t);
    if (err == -EDQUOT)
        expect(w.held_count >= w.reader.quota);
    expect(sl_ring_reader_held(&w.reader) == w.held_count && w.held_count <= w.reader.quota);
}

static bool release(uint32_t which)
{
    struct sl_descriptor d = w.held[which];
    w.held[which] = w.held[--w.held_count];
    return sl_ring_reader_release(&w.reader, d.slot, d.flags & SL_DESCRIPTOR_SHARED);
}

static void step(void)
{
    uint8_t what = next8(w.in);
    switch (what % 8) {
    case 0:
    case 1:
    case 2:
        publisher_moves();
        break;
    case 3:
    case 4:
        take();
        break;
    case 5:
        show_message(w.reader.cursor + 1);
        take();
        break;
    case 6:
        if (w.held_count > 0)
            expect(!release(what / 8 % w.held_count));
        break;
    case 7:
        if (sl_ring_reader_arm(&w.reader, what & 8 ? SL_WAKE_FUTEX : SL_WAKE_CONNECTION))
            expect(w.reader.ledger->wake_at == w.reader.cursor + 1);
        if (what & 16)
            sl_ring_reader_disarm(&w.reader);
        break;
    }
}

/* Detached between its frames: whoever releases the last one is told, and nobody else. */
static void take_leave(void)
{
    bool last = sl_ring_reader_detach(&w.reader);
    expect(last == (w.held_count == 0));
    while (w.held_count > 0) {
        last = release(0);
        expect(last == (w.held_count == 0));
    }
}

/* The header of another ring, in itself without contradiction; the segment's size is right. */
static void exchange_header(struct input *in)
{
    uint32_t entries = 1u << next8(in) % 12, inline_max = next8(in) * 2, words = next8(in) * 8;
    void *other = peer_memory(sl_ring_size(entries, inline_max, words));
    struct sl_ring_map formatted;
    sl_ring_format(other, 1, entries, inline_max, words, &formatted);
    formatted.ring->header.size_bytes = w.ring_bytes;
    memcpy(w.ring_memory, other, offsetof(struct sl_ring, head));
    free(other);
}

/* A ring as it ought to be, whose header the input may spoil or exchange. */
static bool map_ring(void)
{
    struct input *in = w.in;
    uint32_t entries = 1u << next8(in) % 5, inline_max = next8(in) % 70, words = 1 + next8(in) % 3;
    w.ring_bytes = sl_ring_size(entries, inline_max, words);
    w.ring_memory = peer_memory(w.ring_bytes);
    struct sl_ring_map formatted;
    sl_ring_format(w.ring_memory, 1, entries, inline_max, words, &formatted);
    uint8_t spoils = next8(in) % 5;
    if (spoils == 4)
        exchange_header(in);
    for (; spoils > 0 && spoils < 4; spoils--)
        w.ring_memory[next8(in) % offsetof(struct sl_ring, head)] = next8(in);
    int err = sl_ring_map(w.ring_memory, w.ring_bytes, &w.map);
    expect(err == 0 || err == -EPROTO || err == -EPROTONOSUPPORT);
    return err == 0 && w.map.word_count > 0;
}

static void play(void)
{
    struct input *in = w.in;
    uint32_t slots = next8(in) % 9, side = next8(in) % 3 * 64;
    uint64_t slot_size = 1 + next8(in);
    w.state = peer_memory(slots * sizeof *w.state);
    w.pool = peer_memory(slots * slot_size);
    w.side = peer_memory(slots * side);
    w.inline_to = peer_memory(w.map.inline_max);
    struct sl_ledger *ledger = peer_memory(offsetof(struct sl_ledger, held) + slots);
    w.reader = (struct sl_ring_reader){
        .ring = w.map,
        .ledger = ledger,
        .word = &w.map.words[0],
        .state = w.state,
        .base = w.pool,
        .slot_count = slots,
        .slot_size = slot_size,
        .side_size = side,
        .policy = next8(in) % 3,
        .depth = next8(in) % 5,
        .quota = 1 + next8(in) % SL_QUOTA_MAX,
    };
    if (sl_ring_reader_attach(&w.reader, next_number(in)) == 0) {
        while (in->left > 0)
            step();
        take_leave();
    }
    free(ledger);
    free(w.inline_to);
    free(w.side);
    free(w.pool);
    free(w.state);
}

void play_reader(struct input *in)
{
    w = (struct world){.in = in};
    if (map_ring())
        play();
    free(w.ring_memory);
}
