/* SPDX-License-Identifier: Apache-2.0 */
/* points.h - one pass over the points of a cloud, in whatever memory its publisher put it.
 *
 *   struct sl_points points;
 *   int err = sl_points_begin(&points, &frame);
 *   while (err == 0 && sl_points_next(&points))
 *       for (uint32_t i = 0; i < points.count; i++)
 *           look_at(points.at + (size_t)i * points.cloud.point_step);
 *
 * What stands before the points is brought into cached memory, where it is not there already; the
 * points come by a scan (core/uncached/stream_scan.h), in place where their memory is cached.
 *
 * Life:    begin -> next until it returns false, or any time before: there is nothing to end.
 * Owner:   the caller's memory, 25 kB of it; not to be moved. Names point into it. The frame is
 * held meanwhile. Threads: one for each pass. Errors:  those of sl_pointcloud2_read, and -EINVAL
 * for points of more than 16 kB.
 */
#ifndef SL_SHM_POINTS_H
#define SL_SHM_POINTS_H

#include "core/frame/pointcloud2.h"
#include "core/shm/sluice.h"
#include "core/uncached/stream_scan.h"

#define SL_POINTS_PREFIX_MAX 4096 /* bytes before the points that are brought together */

struct sl_points {
    struct sl_pointcloud2 cloud;
    bool is_in_pieces; /* the points lie in several ranges: then next() tells none */
    const uint8_t *at; /* points that follow one another, valid until the next call */
    uint32_t count;    /* of them */

    /* private */
    enum sl_memory_kind kind;
    uint32_t row, rows; /* what is scanned as one: all points, or a row of a cloud with gaps */
    size_t row_bytes;
    struct sl_stream_scan scan;
    uint8_t prefix[SL_POINTS_PREFIX_MAX];
};

int sl_points_begin(struct sl_points *points, const struct sl_frame *frame);
bool sl_points_next(struct sl_points *points);

#endif
