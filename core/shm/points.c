/* SPDX-License-Identifier: Apache-2.0 */
#include "core/shm/points.h"

#include "core/base/error.h"
#include "core/shm/link.h"

/* The body's ranges, those bytes of it that stand before the data copied into `prefix`: one range
 * more. A body that names no data, or is an unusual one, is left where it stands. */
static void bring_prefix(struct sl_points *points, const struct sl_frame *frame,
                         struct sl_body *ret_body)
{
    struct sl_body body = {.count = frame->range_count};
    for (unsigned i = 0; i < body.count; i++)
        body.ranges[i] = (struct sl_body_range){frame->range[i].start, frame->range[i].length};
    *ret_body = body;
    const struct sl_body_range first = body.ranges[0];
    uintptr_t before = (uintptr_t)frame->data - (uintptr_t)first.start;
    if (!frame->data || body.count == SL_BODY_RANGES_MAX || before == 0 || before >= first.length ||
        before > sizeof points->prefix)
        return;
    sl_frame_copy(frame, 0, points->prefix, before);
    ret_body->count = body.count + 1;
    ret_body->ranges[0] = (struct sl_body_range){points->prefix, before};
    ret_body->ranges[1] =
        (struct sl_body_range){(const uint8_t *)first.start + before, first.length - before};
    for (unsigned i = 1; i < body.count; i++)
        ret_body->ranges[i + 1] = body.ranges[i];
}

/* Rows that follow one another without gaps are scanned as one. */
static int begin_row(struct sl_points *points)
{
    const uint8_t *data = points->cloud.data + (size_t)points->row * points->cloud.row_step;
    return sl_stream_scan_begin(&points->scan, data, points->row_bytes, points->cloud.point_step,
                                points->kind);
}

int sl_points_begin(struct sl_points *points, const struct sl_frame *frame)
{
    struct sl_body body, data;
    bring_prefix(points, frame, &body);
    struct sl_pointcloud2 *cloud = &points->cloud;
    bool is_brought = body.ranges[0].start == points->prefix;
    int err = sl_pointcloud2_read_gather(&body, is_brought ? NULL : points->prefix,
                                         is_brought ? 0 : sizeof points->prefix, cloud, &data);
    if (err < 0)
        return err;
    points->is_in_pieces = !cloud->data && cloud->data_size > 0;
    points->at = NULL;
    points->count = 0;
    points->kind = sl_link_memory_kind(frame->link);
    points->row = points->rows = 0;
    size_t row_bytes = (size_t)cloud->width * cloud->point_step;
    if (points->is_in_pieces || row_bytes == 0 || cloud->height == 0)
        return 0;
    bool has_gaps = cloud->height > 1 && cloud->row_step != row_bytes;
    points->rows = has_gaps ? cloud->height : 1;
    points->row_bytes = has_gaps ? row_bytes : row_bytes * cloud->height;
    return begin_row(points);
}

bool sl_points_next(struct sl_points *points)
{
    if (points->rows == 0)
        return false;
    while (!sl_stream_scan_next(&points->scan)) {
        if (++points->row >= points->rows) {
            points->rows = 0;
            return false;
        }
        begin_row(points); /* as the first, which succeeded */
    }
    points->at = points->scan.chunk;
    points->count = (uint32_t)(points->scan.chunk_bytes / points->cloud.point_step);
    return true;
}
