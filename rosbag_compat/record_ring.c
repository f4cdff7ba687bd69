/* SPDX-License-Identifier: Apache-2.0 */
#include "rosbag_compat/record_ring.h"

#include "core/base/error.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ALIGNMENT 16u

/* Stands before each body. A message is not cut by the memory's end: it then begins at the start,
 * and `gap_bytes` lie unused before it. */
struct entry {
    struct sl_log_message message;
    uint64_t publisher;
    uint64_t size_bytes; /* of the body */
    uint64_t gap_bytes;  /* between this entry's end and the next one's start */
};

struct record_ring {
    uint8_t *bytes;
    uint64_t room_bytes;
    uint64_t begin, end; /* places; the byte is that of the place modulo the room */
    uint64_t last;       /* place of the newest */
    uint64_t reserved;   /* where the next one is to stand */
    uint64_t messages;
};

static uint64_t rounded(uint64_t bytes)
{
    return (bytes + ALIGNMENT - 1) & ~(uint64_t)(ALIGNMENT - 1);
}

static uint64_t entry_bytes(uint64_t size_bytes)
{
    return rounded(sizeof(struct entry) + size_bytes);
}

static struct entry *entry_at(const struct record_ring *r, uint64_t place)
{
    return (struct entry *)(void *)(r->bytes + place % r->room_bytes);
}

int record_ring_create(uint64_t room_bytes, struct record_ring **ret_ring)
{
    struct record_ring *r = calloc(1, sizeof *r);
    if (!r)
        return sl_error(-ENOMEM, "no memory for a recording");
    r->room_bytes = rounded(room_bytes);
    r->bytes = mmap(NULL, r->room_bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (r->bytes == MAP_FAILED) {
        free(r);
        return sl_error(-ENOMEM, "no %" PRIu64 " bytes of memory for the last messages: %s",
                        room_bytes, strerror(errno));
    }
    *ret_ring = r;
    return 0;
}

void record_ring_destroy(struct record_ring *r)
{
    if (!r)
        return;
    munmap(r->bytes, r->room_bytes);
    free(r);
}

bool record_ring_fits(const struct record_ring *r, size_t size_bytes)
{
    return size_bytes < r->room_bytes && entry_bytes(size_bytes) <= r->room_bytes;
}

/* Behind the newest, or at the memory's start if it does not fit before its end. */
static uint64_t next_place(const struct record_ring *r, uint64_t bytes)
{
    uint64_t left = r->room_bytes - r->end % r->room_bytes;
    return bytes <= left ? r->end : r->end + left;
}

void *record_ring_reserve(struct record_ring *r, const struct sl_log_message *message,
                          uint64_t publisher, size_t size_bytes)
{
    assert(record_ring_fits(r, size_bytes));
    uint64_t bytes = entry_bytes(size_bytes);
    uint64_t place = next_place(r, bytes);
    if (r->messages == 0)
        r->begin = r->end = place;
    else if (place + bytes - r->begin > r->room_bytes)
        return NULL;
    r->reserved = place;
    struct entry *e = entry_at(r, place);
    *e = (struct entry){.message = *message, .publisher = publisher, .size_bytes = size_bytes};
    return e + 1;
}

void record_ring_keep(struct record_ring *r)
{
    if (r->messages++ > 0)
        entry_at(r, r->last)->gap_bytes = r->reserved - r->end;
    r->last = r->reserved;
    r->end = r->reserved + entry_bytes(entry_at(r, r->reserved)->size_bytes);
}

static uint64_t next_of(const struct record_ring *r, uint64_t place)
{
    const struct entry *e = entry_at(r, place);
    return place + entry_bytes(e->size_bytes) + e->gap_bytes;
}

void record_ring_drop(struct record_ring *r)
{
    assert(r->messages > 0);
    r->begin = next_of(r, r->begin);
    r->messages--;
}

uint64_t record_ring_begin(const struct record_ring *r)
{
    return r->begin;
}

uint64_t record_ring_end(const struct record_ring *r)
{
    return r->end;
}

uint64_t record_ring_messages(const struct record_ring *r)
{
    return r->messages;
}

struct record_ring_message record_ring_read(const struct record_ring *r, uint64_t place)
{
    const struct entry *e = entry_at(r, place);
    return (struct record_ring_message){
        .message = e->message,
        .body = e + 1,
        .size_bytes = e->size_bytes,
        .publisher = e->publisher,
        .next = next_of(r, place),
    };
}
