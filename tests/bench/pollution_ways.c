/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/pollution_ways.h"

#include <string.h>

#include "core/uncached/stream.h"
#include "core/uncached/stream_scan.h"

/* A producer does not have its frame in one piece: it comes by the packet of a lidar or of a camera
 * on a network, by the row of another camera, by the block of a file. The source stays in the
 * first-level cache. */
#define PACKET_BYTES  1206u
#define ROW_BYTES     5760u /* 1920 pixels of 3 bytes */
#define BLOCK_BYTES   16384u
#define INSPECT_BYTES 64u /* of each so many: */
#define INSPECT_STEP  4096u
#define SCAN_BYTES    4096u
#define COPY_BYTES    65536u /* how much a recorder takes at a time */

static _Alignas(4096) uint8_t source[BLOCK_BYTES];
static _Alignas(4096) uint8_t scratch[COPY_BYTES];
static struct sl_stream_scan scan;
static volatile uint64_t seen; /* what was read is used */

typedef uint64_t wide __attribute__((vector_size(32), may_alias));

/* As fast as memory is, on every x86-64; chunks are aligned to lines here. */
static void add_up(const uint8_t *bytes, size_t size_bytes)
{
    wide sum[4] = {{0}, {0}, {0}, {0}};
    for (size_t i = 0; i + sizeof sum <= size_bytes; i += sizeof sum)
        for (unsigned k = 0; k < 4; k++)
            sum[k] += *(const wide *)(const void *)(bytes + i + k * sizeof *sum);
    sum[0] += sum[1] + sum[2] + sum[3];
    seen += sum[0][0] + sum[0][1] + sum[0][2] + sum[0][3];
}

void pollution_ways_init(void)
{
    for (size_t i = 0; i < sizeof source; i++)
        source[i] = (uint8_t)(i * 131 + i / 251 + 1); /* some machines write zeros faster */
}

static void write_none(uint8_t *frame, size_t frame_bytes)
{
    (void)frame;
    (void)frame_bytes;
}

static size_t part_of(size_t left_bytes, size_t part_bytes)
{
    return left_bytes < part_bytes ? left_bytes : part_bytes;
}

static inline void write_parts(uint8_t *frame, size_t frame_bytes, size_t part_bytes)
{
    for (size_t done = 0; done < frame_bytes; done += part_bytes)
        memcpy(frame + done, source, part_of(frame_bytes - done, part_bytes));
}

static inline void stream_parts(uint8_t *frame, size_t frame_bytes, size_t part_bytes)
{
    for (size_t done = 0; done < frame_bytes; done += part_bytes)
        sl_stream_copy(frame + done, source, part_of(frame_bytes - done, part_bytes));
    sl_stream_fence();
}

static void write_rows(uint8_t *frame, size_t frame_bytes)
{
    write_parts(frame, frame_bytes, ROW_BYTES);
}

static void stream_rows(uint8_t *frame, size_t frame_bytes)
{
    stream_parts(frame, frame_bytes, ROW_BYTES);
}

static void write_packets(uint8_t *frame, size_t frame_bytes)
{
    write_parts(frame, frame_bytes, PACKET_BYTES);
}

static void stream_packets(uint8_t *frame, size_t frame_bytes)
{
    stream_parts(frame, frame_bytes, PACKET_BYTES);
}

static void write_blocks(uint8_t *frame, size_t frame_bytes)
{
    write_parts(frame, frame_bytes, BLOCK_BYTES);
}

static void stream_blocks(uint8_t *frame, size_t frame_bytes)
{
    stream_parts(frame, frame_bytes, BLOCK_BYTES);
}

static void read_plain(uint8_t *frame, size_t frame_bytes)
{
    add_up(frame, frame_bytes);
}

static void read_scan(uint8_t *frame, size_t frame_bytes)
{
    sl_stream_scan_begin(&scan, frame, frame_bytes, 1, SL_MEMORY_WB);
    while (sl_stream_scan_next(&scan))
        add_up(scan.chunk, scan.chunk_bytes);
}

/* As the scan does it, but also what is so small that it does not pay: for finding out. */
static void read_always(uint8_t *frame, size_t frame_bytes)
{
    size_t done = 0, part = 0;
    for (; done < frame_bytes; done += part) {
        sl_stream_let_go(frame + done - part, part); /* the one before */
        part = part_of(frame_bytes - done, SCAN_BYTES);
        add_up(frame + done, part);
    }
    sl_stream_let_go(frame + done - part, part);
}

static void copy_plain(uint8_t *frame, size_t frame_bytes)
{
    for (size_t done = 0; done < frame_bytes; done += COPY_BYTES)
        memcpy(scratch, frame + done, part_of(frame_bytes - done, COPY_BYTES));
}

static void copy_out(uint8_t *frame, size_t frame_bytes)
{
    for (size_t done = 0; done < frame_bytes; done += COPY_BYTES)
        sl_stream_copy_out(scratch, frame + done, part_of(frame_bytes - done, COPY_BYTES),
                           SL_MEMORY_WB);
}

static void look_plain(uint8_t *frame, size_t frame_bytes)
{
    for (size_t at = 0; at + INSPECT_BYTES <= frame_bytes; at += INSPECT_STEP)
        memcpy(scratch, frame + at, INSPECT_BYTES);
    seen += scratch[0];
}

static void inspect(uint8_t *frame, size_t frame_bytes)
{
    for (size_t at = 0; at + INSPECT_BYTES <= frame_bytes; at += INSPECT_STEP)
        sl_stream_inspect(scratch, frame + at, INSPECT_BYTES, SL_MEMORY_WB);
    seen += scratch[0];
}

const struct pollution_way pollution_ways[] = {
    {"none", NULL, write_none, 1},
    {"write_memcpy", NULL, write_packets, 1},
    {"write_stream", "write_memcpy", stream_packets, 1},
    {"write_memcpy_rows", NULL, write_rows, 1},
    {"write_stream_rows", "write_memcpy_rows", stream_rows, 1},
    {"write_memcpy_blocks", NULL, write_blocks, 1},
    {"write_stream_blocks", "write_memcpy_blocks", stream_blocks, 1},
    {"read_plain", NULL, read_plain, 1},
    {"read_stream", "read_plain", read_scan, 1},
    {"copy_memcpy", NULL, copy_plain, 1},
    {"copy_stream", "copy_memcpy", copy_out, 1},
    {"look_plain", NULL, look_plain, INSPECT_STEP / INSPECT_BYTES},
    {"inspect", "look_plain", inspect, INSPECT_STEP / INSPECT_BYTES},
};
const struct pollution_way pollution_read_always = {"", NULL, read_always, 1};
const unsigned pollution_way_count = sizeof pollution_ways / sizeof *pollution_ways;

const struct pollution_way *pollution_way_find(const char *name)
{
    for (unsigned i = 0; i < pollution_way_count; i++)
        if (strcmp(pollution_ways[i].name, name) == 0)
            return &pollution_ways[i];
    return NULL;
}
