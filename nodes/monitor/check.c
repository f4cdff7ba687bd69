/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes/monitor/check.h"

#include "core/frame/walk.h"
#include "core/shm/points.h"

#include <math.h>
#include <string.h>

#define LINE 64 /* bytes: what scans do not cut */

const char *monitor_fault_name(enum monitor_fault fault)
{
    static const char *const names[] = {[MONITOR_UNREADABLE] = "unreadable",
                                        [MONITOR_STAMP] = "stamps differ",
                                        [MONITOR_DENSE] = "dense with invalid points",
                                        [MONITOR_HALF] = "half a point",
                                        [MONITOR_TIME] = "bad point time",
                                        [MONITOR_NO_PATTERN] = "no pattern",
                                        [MONITOR_PATTERN] = "bytes differ from the pattern",
                                        [MONITOR_STALE] = "taken back"};
    return names[fault];
}

uint64_t monitor_faults(const struct monitor_counts *counts)
{
    uint64_t sum = 0;
    for (int i = 0; i < MONITOR_FAULTS; i++)
        sum += counts->fault[i];
    return sum;
}

/* What one message has wrong; counted once each at its end. */
typedef bool faults[MONITOR_FAULTS];

struct fields {
    const struct sl_point_field *x, *y, *z, *time;
};

static void check_points(const struct sl_points *points, const struct fields *f,
                         struct monitor_counts *counts, faults has)
{
    const struct sl_pointcloud2 *cloud = &points->cloud;
    const uint8_t *at = points->at;
    for (uint32_t i = 0; i < points->count; i++, at += cloud->point_step) {
        bool x = isfinite(sl_point_value(f->x, at, cloud->is_bigendian));
        bool y = isfinite(sl_point_value(f->y, at, cloud->is_bigendian));
        bool z = isfinite(sl_point_value(f->z, at, cloud->is_bigendian));
        bool valid = x && y && z;
        counts->valid += valid;
        has[MONITOR_HALF] |= (x || y || z) && !valid;
        has[MONITOR_DENSE] |= cloud->is_dense && !valid;
        if (f->time && valid)
            has[MONITOR_TIME] |= !(sl_point_value(f->time, at, cloud->is_bigendian) >= 0);
    }
}

static void check_cloud(const struct sl_frame *frame, struct monitor_counts *counts, faults has)
{
    struct sl_points points; /* those that lie in several pieces are counted, not read */
    if (sl_points_begin(&points, frame) < 0) {
        has[MONITOR_UNREADABLE] = true;
        return;
    }
    const struct sl_pointcloud2 *cloud = &points.cloud;
    has[MONITOR_STAMP] = cloud->stamp_ns != (int64_t)frame->stamp_ns;
    counts->points += (uint64_t)cloud->width * cloud->height;
    const struct fields f = {sl_pointcloud2_field(cloud, "x"), sl_pointcloud2_field(cloud, "y"),
                             sl_pointcloud2_field(cloud, "z"), sl_pointcloud2_field(cloud, "time")};
    has[MONITOR_UNREADABLE] = !f.x || !f.y || !f.z;
    while (!has[MONITOR_UNREADABLE] && sl_points_next(&points))
        check_points(&points, &f, counts, has);
}

/* The first chunk tells which pattern it is. */
static bool begin_pattern(struct sl_pattern_maker *maker, const struct sl_frame *frame,
                          const struct sl_frame_scan *scan, faults has)
{
    struct sl_pattern pattern;
    size_t size = frame->data ? frame->data_length : frame->body_length;
    if (scan->chunk_length < SL_PATTERN_SIZE_MIN || sl_pattern_read(scan->chunk, &pattern) < 0 ||
        pattern.size_bytes != size || sl_pattern_begin(maker, &pattern) < 0)
        return false;
    has[MONITOR_STAMP] |= pattern.stamp_ns != frame->stamp_ns;
    return true;
}

static void check_pattern(struct sl_pattern_maker *maker, const struct sl_frame *frame,
                          struct monitor_counts *counts, faults has)
{
    struct sl_frame_scan scan;
    bool is_pattern = false;
    int err = sl_frame_scan_begin(frame, LINE, &scan);
    while (err == 0 && sl_frame_scan_next(&scan)) {
        if (scan.offset == 0)
            is_pattern = begin_pattern(maker, frame, &scan, has);
        if (!is_pattern)
            break;
        has[MONITOR_PATTERN] |=
            sl_pattern_check(maker, scan.offset, scan.chunk, scan.chunk_length) < scan.chunk_length;
    }
    has[MONITOR_NO_PATTERN] = !is_pattern;
    counts->patterns += is_pattern;
}

static void check_layout(const char *type, const struct sl_frame *frame, faults has)
{
    const struct sl_schema *schema = sl_schema_find(type);
    if (schema && frame->body)
        has[MONITOR_UNREADABLE] =
            sl_message_walk(schema, frame->body, frame->body_length, NULL, NULL) < 0;
}

void monitor_check(const struct monitor_wanted *wanted, const struct sl_frame *frame,
                   struct monitor_counts *counts)
{
    faults has = {false};
    if (strcmp(wanted->type, SL_TYPE_POINTCLOUD2) == 0)
        check_cloud(frame, counts, has);
    else
        check_layout(wanted->type, frame, has);
    if (wanted->pattern)
        check_pattern(wanted->pattern, frame, counts, has);
    has[MONITOR_STALE] = sl_frame_check(frame) < 0;
    counts->frames++;
    counts->bytes += frame->body_length;
    for (int i = 0; i < MONITOR_FAULTS; i++)
        counts->fault[i] += has[i];
}
