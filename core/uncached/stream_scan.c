/* SPDX-License-Identifier: Apache-2.0 */
#include "core/uncached/stream_scan.h"

#include "core/base/error.h"
#include "core/uncached/stream.h"
#include "core/uncached/stream_variants.h"

#include <errno.h>

/* Whole lines where units allow it: a line that two chunks share would be fetched twice. */
static size_t choose_step(size_t unit_bytes)
{
    size_t granule =
        unit_bytes <= SL_STREAM_LINE_BYTES ? unit_bytes * SL_STREAM_LINE_BYTES : unit_bytes;
    return granule < SL_STREAM_BLOCK_BYTES ? SL_STREAM_BLOCK_BYTES / granule * granule : granule;
}

int sl_stream_scan_begin(struct sl_stream_scan *scan, const void *data, size_t size_bytes,
                         size_t unit_bytes, enum sl_memory_kind kind)
{
    if (unit_bytes == 0 || unit_bytes > SL_SCAN_UNIT_MAX)
        return sl_error(-EINVAL, "a scan by units of %zu bytes is not possible: 1 to %u are",
                        unit_bytes, SL_SCAN_UNIT_MAX);
    scan->chunk = NULL;
    scan->chunk_bytes = scan->offset_bytes = 0;
    scan->next = data;
    scan->left_bytes = size_bytes;
    scan->step_bytes = choose_step(unit_bytes);
    scan->is_fetched = kind != SL_MEMORY_WB;
    scan->kept = !scan->is_fetched && sl_stream_pays(size_bytes, kind) ? scan->next : NULL;
    return 0;
}

/* What was read is let go a block behind, by whole lines; at the end all of it. */
static void let_go(struct sl_stream_scan *scan)
{
    size_t read_bytes = (size_t)(scan->next - scan->kept);
    if (scan->left_bytes > 0) {
        uintptr_t cut = (uintptr_t)scan->next % SL_STREAM_LINE_BYTES;
        if (read_bytes <= SL_STREAM_BLOCK_BYTES + cut)
            return;
        read_bytes -= SL_STREAM_BLOCK_BYTES + cut;
    }
    sl_stream_let_go(scan->kept, read_bytes);
    scan->kept += read_bytes;
}

bool sl_stream_scan_next(struct sl_stream_scan *scan)
{
    if (scan->kept)
        let_go(scan);
    scan->offset_bytes += scan->chunk_bytes;
    size_t size = scan->left_bytes < scan->step_bytes ? scan->left_bytes : scan->step_bytes;
    scan->chunk = scan->is_fetched ? scan->scratch : scan->next;
    scan->chunk_bytes = size;
    if (size == 0)
        return false;
    if (scan->is_fetched)
        sl_stream_fetch(scan->scratch, scan->next, size);
    scan->next += size;
    scan->left_bytes -= size;
    return true;
}
