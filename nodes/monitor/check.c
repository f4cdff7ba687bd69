/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes/monitor/check.h"

#include "core/frame/walk.h"

#include <math.h>
#include <string.h>

#define PREFIX_MAX 4096 /* bytes of a gathered cloud's prefix that are brought together */

const char *monitor_fault_name(enum monitor_fault fault)
{
    static const char *const names[] = {[MONITOR_UNREADABLE] = "unreadable",
                                        [MONITOR_STAMP] = "stamps differ",
                                        [MONITOR_DENSE] = "dense with invalid points",
                                        [MONITOR_HALF] = "half a point",
                                        [MONITOR_TIME] = "bad point time",
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

static void check_row(const struct sl_pointcloud2 *cloud, const struct fields *f, const uint8_t *at,
                      struct monitor_counts *counts, faults has)
{
    for (uint32_t column = 0; column < cloud->width; column++, at += cloud->point_step) {
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
    struct sl_pointcloud2 cloud;
    struct sl_body body = {.count = frame->range_count}, data;
    uint8_t prefix[PREFIX_MAX];
    for (unsigned i = 0; i < frame->range_count; i++)
        body.ranges[i] = (struct sl_body_range){frame->range[i].start, frame->range[i].length};
    if (sl_pointcloud2_read_gather(&body, prefix, sizeof prefix, &cloud, &data) < 0) {
        has[MONITOR_UNREADABLE] = true;
        return;
    }
    has[MONITOR_STAMP] = cloud.stamp_ns != (int64_t)frame->stamp_ns;
    counts->points += (uint64_t)cloud.width * cloud.height;
    const struct fields f = {sl_pointcloud2_field(&cloud, "x"), sl_pointcloud2_field(&cloud, "y"),
                             sl_pointcloud2_field(&cloud, "z"),
                             sl_pointcloud2_field(&cloud, "time")};
    has[MONITOR_UNREADABLE] = !f.x || !f.y || !f.z;
    if (has[MONITOR_UNREADABLE] || !cloud.data)
        return; /* points in several pieces are counted, not read */
    for (uint32_t row = 0; row < cloud.height; row++)
        check_row(&cloud, &f, cloud.data + sl_pointcloud2_offset(&cloud, row, 0), counts, has);
}

void monitor_check(const char *type, const struct sl_frame *frame, struct monitor_counts *counts)
{
    faults has = {false};
    const struct sl_schema *schema = sl_schema_find(type);
    if (strcmp(type, SL_TYPE_POINTCLOUD2) == 0)
        check_cloud(frame, counts, has);
    else if (schema && frame->body)
        has[MONITOR_UNREADABLE] =
            sl_message_walk(schema, frame->body, frame->body_length, NULL, NULL) < 0;
    has[MONITOR_STALE] = sl_frame_check(frame) < 0;
    counts->frames++;
    counts->bytes += frame->body_length;
    for (int i = 0; i < MONITOR_FAULTS; i++)
        counts->fault[i] += has[i];
}
