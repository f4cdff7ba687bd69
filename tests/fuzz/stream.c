/* SPDX-License-Identifier: Apache-2.0 */
/* Streaming copies, fills, reads and scans of any size, alignment and memory kind, by every variant
 * that the CPU has, against memcpy; in memory of exactly the size, so that the sanitizer sees one
 * byte too many.
 *
 * Input: which variant, which way to let go, memory kind, the two alignments, unit (2 bytes), then
 * the payload, up to 256 kB: what is left, repeated as often as the next byte says. */
#include "core/uncached/stream.h"
#include "core/uncached/stream_scan.h"

#include <stdlib.h>
#include <string.h>

#define HEAD_BYTES     8
#define SIZE_MAX_BYTES (256u << 10)
#define GUARD_BYTES    64
#define GUARD          0xA5

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

static void require(bool is_so)
{
    if (!is_so)
        abort();
}

static void use(uint8_t variant, uint8_t behind)
{
    size_t variants = 0, behinds = 0;
    while (sl_stream_variants[variants])
        variants++;
    while (sl_stream_behinds[behinds])
        behinds++;
    sl_stream_use(NULL); /* the best, if this CPU lacks the one that is asked for */
    sl_stream_use(sl_stream_variants[variant % variants]);
    sl_stream_use_behind(NULL);
    sl_stream_use_behind(sl_stream_behinds[behind % behinds]);
}

static void check_guard(const uint8_t *guard)
{
    for (size_t i = 0; i < GUARD_BYTES; i++)
        require(guard[i] == GUARD);
}

/* `room`: guard, alignment, payload, guard. */
static void write_each_way(uint8_t *room, size_t place, const uint8_t *from, size_t size,
                           enum sl_memory_kind kind, uint8_t byte)
{
    uint8_t *to = room + GUARD_BYTES + place;
    memset(room, GUARD, 2 * GUARD_BYTES + place + size);
    sl_stream_copy(to, from, size);
    sl_stream_fence();
    require(memcmp(to, from, size) == 0);
    sl_stream_fill(to, byte, size);
    sl_stream_fence_dma();
    for (size_t i = 0; i < size; i++)
        require(to[i] == byte);
    sl_stream_copy_in(to, from, size, kind);
    sl_stream_fence();
    require(memcmp(to, from, size) == 0);
    check_guard(to - GUARD_BYTES);
    check_guard(to + size);
}

static void read_each_way(uint8_t *room, size_t place, const uint8_t *from, size_t size,
                          enum sl_memory_kind kind)
{
    uint8_t *to = room + GUARD_BYTES + place;
    memset(room, GUARD, 2 * GUARD_BYTES + place + size);
    sl_stream_copy_out(to, from, size, kind);
    require(memcmp(to, from, size) == 0);
    memset(to, GUARD, size);
    sl_stream_inspect(to, from, size, kind);
    require(memcmp(to, from, size) == 0);
    check_guard(to - GUARD_BYTES);
    check_guard(to + size);
}

static void scan(const uint8_t *from, size_t size, size_t unit, enum sl_memory_kind kind)
{
    static struct sl_stream_scan scan;
    size_t seen = 0;
    if (sl_stream_scan_begin(&scan, from, size, unit, kind) < 0) {
        require(unit == 0 || unit > SL_SCAN_UNIT_MAX);
        return;
    }
    while (sl_stream_scan_next(&scan)) {
        require(scan.offset_bytes == seen && scan.chunk_bytes > 0);
        require(scan.chunk_bytes <= size - seen);
        require(memcmp(scan.chunk, from + seen, scan.chunk_bytes) == 0);
        seen += scan.chunk_bytes;
        require(seen == size || scan.chunk_bytes % unit == 0);
    }
    require(seen == size);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    if (size_bytes < HEAD_BYTES)
        return 0;
    enum sl_memory_kind kind = (enum sl_memory_kind)(bytes[2] % 4);
    size_t place = bytes[3] % 64, from_place = bytes[4] % 64;
    size_t unit = (size_t)bytes[5] | (size_t)bytes[6] << 8;
    size_t part = size_bytes - HEAD_BYTES, repeats = (size_t)bytes[7] + 1;
    while (part * repeats > SIZE_MAX_BYTES)
        repeats--;
    size_t size = part * repeats;
    use(bytes[0], bytes[1]);

    uint8_t *from_room = malloc(from_place + size + 1),
            *room = malloc(2 * GUARD_BYTES + place + size);
    if (from_room && room) {
        uint8_t *from = from_room + from_place + 1; /* it ends where the room does */
        for (size_t i = 0; i < repeats; i++)
            if (part > 0)
                memcpy(from + i * part, bytes + HEAD_BYTES, part);
        write_each_way(room, place, from, size, kind, bytes[3]);
        read_each_way(room, place, from, size, kind);
        scan(from, size, unit, kind);
    }
    free(from_room);
    free(room);
    return 0;
}
