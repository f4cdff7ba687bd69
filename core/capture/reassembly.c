/* SPDX-License-Identifier: Apache-2.0 */
#include "core/capture/reassembly.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"

#define UNIT_BYTES  8 /* fragments begin at multiples of it */
#define UNITS       (SL_REASSEMBLY_MAX_BYTES / UNIT_BYTES)
#define WORD_BITS   64
#define NO_PROTOCOL 0

/* FREE -> OPEN (first fragment) -> WHOLE (all are there) | SPOILED (they contradict each other);
 * any -> FREE by timeout, reset or the ring coming round; WHOLE -> FREE when its id is used anew.
 */
enum place_state {
    PLACE_FREE,
    PLACE_OPEN,
    PLACE_WHOLE,   /* kept to know late duplicates */
    PLACE_SPOILED, /* kept to refuse the rest of it */
};

struct key {
    uint8_t source[16];
    uint8_t destination[16];
    uint32_t id;
    uint8_t family;
    uint8_t protocol;
    uint8_t zero[2]; /* compared as bytes */
};

struct place {
    struct key key;
    enum place_state state;
    uint8_t protocol;        /* of the fragment at offset 0, which alone tells it in IPv6 */
    uint32_t end_bytes;      /* 0 = the last fragment is not here yet */
    uint32_t highest_bytes;  /* where the furthest fragment ends */
    uint32_t received_bytes; /* sum of the fragments */
    uint64_t first_ns;
    uint64_t have[UNITS / WORD_BITS]; /* a bit for each unit that came */
    uint8_t bytes[SL_REASSEMBLY_MAX_BYTES];
};

struct sl_reassembly {
    struct sl_reassembly_counters counters;
    uint64_t now_ns;
    unsigned next; /* place that the next datagram takes */
    unsigned last; /* place of the last fragment: the likely one for the next */
    struct place places[SL_REASSEMBLY_PLACES];
};

int sl_reassembly_create(struct sl_reassembly **ret_reassembly)
{
    struct sl_reassembly *r = calloc(1, sizeof *r);
    if (!r)
        return sl_error(-ENOMEM, "no memory for the reassembly of IP fragments (%zu bytes)",
                        sizeof *r);
    *ret_reassembly = r;
    return 0;
}

void sl_reassembly_destroy(struct sl_reassembly *reassembly)
{
    free(reassembly);
}

const struct sl_reassembly_counters *sl_reassembly_counters(const struct sl_reassembly *reassembly)
{
    return &reassembly->counters;
}

static bool is_old(const struct place *place, uint64_t now_ns)
{
    uint64_t age = now_ns > place->first_ns ? now_ns - place->first_ns : place->first_ns - now_ns;
    return age > SL_REASSEMBLY_TIMEOUT_NS;
}

static void give_up(struct place *place, uint64_t *counter)
{
    if (place->state == PLACE_OPEN)
        (*counter)++;
    place->state = PLACE_FREE;
}

void sl_reassembly_reset(struct sl_reassembly *reassembly)
{
    for (unsigned i = 0; i < SL_REASSEMBLY_PLACES; i++)
        give_up(&reassembly->places[i], &reassembly->counters.timeouts);
    reassembly->now_ns = 0;
}

unsigned sl_reassembly_open_count(const struct sl_reassembly *reassembly)
{
    unsigned count = 0;
    for (unsigned i = 0; i < SL_REASSEMBLY_PLACES; i++) {
        const struct place *place = &reassembly->places[i];
        count += place->state == PLACE_OPEN && !is_old(place, reassembly->now_ns);
    }
    return count;
}

static struct key key_of(const struct sl_ip_packet *packet)
{
    struct key key = {
        .id = packet->id,
        .family = packet->family,
        .protocol = packet->family == 4 ? packet->protocol : NO_PROTOCOL,
    };
    memcpy(key.source, packet->source, sizeof key.source);
    memcpy(key.destination, packet->destination, sizeof key.destination);
    return key;
}

static struct place *find(struct sl_reassembly *r, const struct key *key)
{
    for (unsigned i = 0; i < SL_REASSEMBLY_PLACES; i++) {
        unsigned index = (r->last + i) % SL_REASSEMBLY_PLACES;
        struct place *place = &r->places[index];
        if (place->state == PLACE_FREE || memcmp(&place->key, key, sizeof *key) != 0)
            continue;
        if (is_old(place, r->now_ns)) {
            give_up(place, &r->counters.timeouts);
            return NULL;
        }
        r->last = index;
        return place;
    }
    return NULL;
}

/* A datagram not seen before: the oldest place is its place. */
static struct place *begin(struct sl_reassembly *r, const struct key *key)
{
    for (unsigned i = 0; i < SL_REASSEMBLY_PLACES; i++)
        if (is_old(&r->places[i], r->now_ns))
            give_up(&r->places[i], &r->counters.timeouts);
    struct place *place = &r->places[r->next];
    give_up(place, &r->counters.evicted);
    r->last = r->next;
    r->next = (r->next + 1) % SL_REASSEMBLY_PLACES;
    memset(place, 0, offsetof(struct place, bytes));
    place->key = *key;
    place->state = PLACE_OPEN;
    place->first_ns = r->now_ns;
    return place;
}

/* The bits of have[word] that stand for units of [first, end); the ranges meet. */
static uint64_t bits_of(uint32_t word, uint32_t first, uint32_t end)
{
    uint32_t base = word * WORD_BITS;
    uint64_t bits = ~UINT64_C(0);
    if (first > base)
        bits &= ~UINT64_C(0) << (first - base);
    if (end < base + WORD_BITS)
        bits &= ~(~UINT64_C(0) << (end - base));
    return bits;
}

/* How many of the units [first, end) came already. */
static uint32_t count_units(const struct place *place, uint32_t first, uint32_t end)
{
    uint32_t count = 0;
    for (uint32_t word = first / WORD_BITS; word * WORD_BITS < end; word++)
        count += (uint32_t)__builtin_popcountll(place->have[word] & bits_of(word, first, end));
    return count;
}

static void mark_units(struct place *place, uint32_t first, uint32_t end)
{
    for (uint32_t word = first / WORD_BITS; word * WORD_BITS < end; word++)
        place->have[word] |= bits_of(word, first, end);
}

/* Does what the fragment says about the end fit what is known of it? */
static bool end_fits(const struct place *place, const struct sl_ip_packet *f)
{
    uint32_t end = f->fragment_offset + f->size_bytes;
    if (f->more)
        return place->end_bytes == 0 || end < place->end_bytes;
    return place->end_bytes == 0 ? end >= place->highest_bytes : end == place->end_bytes;
}

enum fit {
    FIT_NEW,
    FIT_DUPLICATE,
    FIT_CONTRADICTS,
};

static enum fit fit_of(const struct place *place, const struct sl_ip_packet *f)
{
    uint32_t first = f->fragment_offset / UNIT_BYTES;
    uint32_t end = (f->fragment_offset + f->size_bytes + UNIT_BYTES - 1) / UNIT_BYTES;
    if (!end_fits(place, f))
        return FIT_CONTRADICTS;
    uint32_t there = count_units(place, first, end);
    if (there == 0)
        return FIT_NEW;
    return there == end - first &&
                   memcmp(place->bytes + f->fragment_offset, f->bytes, f->size_bytes) == 0
               ? FIT_DUPLICATE
               : FIT_CONTRADICTS;
}

/* Copy the fragment to its place. True when the datagram is whole. */
static bool put(struct place *place, const struct sl_ip_packet *f)
{
    uint32_t end = f->fragment_offset + f->size_bytes;
    memcpy(place->bytes + f->fragment_offset, f->bytes, f->size_bytes);
    mark_units(place, f->fragment_offset / UNIT_BYTES, (end + UNIT_BYTES - 1) / UNIT_BYTES);
    place->received_bytes += f->size_bytes;
    if (end > place->highest_bytes)
        place->highest_bytes = end;
    if (!f->more)
        place->end_bytes = end;
    if (f->fragment_offset == 0)
        place->protocol = f->protocol;
    return place->end_bytes && place->received_bytes == place->end_bytes;
}

/* Is the fragment fit to be looked at? Counts why not. */
static bool is_sound(struct sl_reassembly_counters *counters, const struct sl_ip_packet *f)
{
    uint64_t *reason = NULL;
    if (f->size_bytes < f->length_bytes)
        reason = &counters->truncated;
    else if (f->size_bytes == 0 || (f->more && f->size_bytes % UNIT_BYTES))
        reason = &counters->malformed;
    else if (f->size_bytes > SL_REASSEMBLY_MAX_BYTES ||
             f->fragment_offset > SL_REASSEMBLY_MAX_BYTES - f->size_bytes)
        reason = &counters->too_long;
    if (reason)
        (*reason)++;
    return !reason;
}

static struct sl_ip_packet whole_of(const struct place *place, const struct sl_ip_packet *f)
{
    struct sl_ip_packet whole = *f;
    whole.bytes = place->bytes;
    whole.size_bytes = place->end_bytes;
    whole.length_bytes = place->end_bytes;
    whole.fragment = false;
    whole.more = false;
    whole.fragment_offset = 0;
    whole.protocol = place->protocol;
    return whole;
}

int sl_reassembly_add(struct sl_reassembly *r, const struct sl_ip_packet *fragment,
                      uint64_t time_ns, struct sl_ip_packet *ret_whole)
{
    r->counters.fragments++;
    if (!is_sound(&r->counters, fragment))
        return 0;
    if (time_ns)
        r->now_ns = time_ns;
    struct key key = key_of(fragment);
    struct place *place = find(r, &key);
    if (place && place->state == PLACE_SPOILED) {
        r->counters.late++;
        return 0;
    }
    enum fit fit = place ? fit_of(place, fragment) : FIT_NEW;
    if (fit == FIT_DUPLICATE) {
        r->counters.duplicates++;
        return 0;
    }
    if (place && place->state == PLACE_WHOLE) {
        /* Other bytes under the same id: not late, but the next datagram of a sender whose ids
         * come round quickly or stand still. */
        place->state = PLACE_FREE;
        place = NULL;
    } else if (fit == FIT_CONTRADICTS) {
        r->counters.overlaps++;
        place->state = PLACE_SPOILED;
        return 0;
    }
    if (!place)
        place = begin(r, &key);
    if (!put(place, fragment))
        return 0;
    place->state = PLACE_WHOLE;
    r->counters.whole++;
    *ret_whole = whole_of(place, fragment);
    return 1;
}
