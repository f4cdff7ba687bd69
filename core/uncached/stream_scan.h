/* SPDX-License-Identifier: Apache-2.0 */
/* stream_scan.h - one pass over a payload that leaves the caches as they were.
 *
 *   struct sl_stream_scan scan;
 *   sl_stream_scan_begin(&scan, data, length, sizeof(struct point), kind);
 *   while (sl_stream_scan_next(&scan))
 *       add_up(scan.chunk, scan.chunk_bytes);
 *
 * In cached memory a chunk is the payload itself, and lines are let go a little behind. From
 * memory that is not cached, the chunk is fetched by streaming loads into scratch inside the scan:
 * reading it there twice costs nothing.
 *
 * Life:    begin -> next until it returns false, or any time before: there is nothing to end.
 * Owner:   the caller's memory, 16 kB of it scratch. Not to be moved: a chunk may lie inside.
 * Threads: one for each scan.
 */
#ifndef SL_UNCACHED_STREAM_SCAN_H
#define SL_UNCACHED_STREAM_SCAN_H

#include "core/uncached/probe.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SL_SCAN_UNIT_MAX 16384u /* bytes: a row of 4096 pixels of 4 bytes */

struct sl_stream_scan {
    const uint8_t *chunk; /* valid until the next call */
    size_t chunk_bytes;   /* a multiple of the unit, but for the last where the payload is none */
    size_t offset_bytes;  /* of the chunk in the payload */

    /* private */
    const uint8_t *next; /* not handed out yet */
    size_t left_bytes;
    size_t step_bytes;
    const uint8_t *kept; /* handed out, its line not let go yet; NULL: none ever is */
    bool is_fetched;
    _Alignas(64) uint8_t scratch[SL_SCAN_UNIT_MAX];
};

/* `unit_bytes`: what a chunk must not cut (a point, a row, 1). -EINVAL: it is 0 or larger than
 * SL_SCAN_UNIT_MAX. */
int sl_stream_scan_begin(struct sl_stream_scan *scan, const void *data, size_t size_bytes,
                         size_t unit_bytes, enum sl_memory_kind kind);

/* The next chunk; false when all was seen. */
bool sl_stream_scan_next(struct sl_stream_scan *scan);

#endif
