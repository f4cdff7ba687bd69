/* SPDX-License-Identifier: Apache-2.0 */
/* publish_scan.c - rays out of points. */
#include "drivers/lidar/publish_scan.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "core/frame/laser_scan.h"

#define PI 3.14159265358979323846

struct point {
    float x, y, z, intensity;
};
static_assert(LIDAR_POINT_X == 0 && LIDAR_POINT_Y == 4 && LIDAR_POINT_Z == 8 &&
                  LIDAR_POINT_INTENSITY == 12,
              "struct point is a point's beginning");

static struct sl_laser_scan describe(const struct lidar_scan_options *o)
{
    return (struct sl_laser_scan){
        .frame_id = sl_text(o->frame_id),
        .angle_min = (float)-PI,
        .angle_max = (float)(PI - 2 * PI / o->rays),
        .angle_increment = (float)(2 * PI / o->rays),
        .range_min = o->range_min_m,
        .range_max = o->range_max_m > 0 ? o->range_max_m : LIDAR_SCAN_RANGE_MAX_M,
        .range_count = o->rays,
        .intensity_count = o->rays,
    };
}

uint64_t lidar_publish_scan_bytes(const struct lidar_scan_options *options)
{
    const struct sl_laser_scan scan = describe(options);
    return sl_laser_scan_body_size(&scan);
}

void lidar_publish_scan_init(struct lidar_publish_scan *scan,
                             const struct lidar_scan_options *options,
                             struct sl_publisher *publisher, const struct lidar_patience *patience)
{
    memset(scan, 0, sizeof *scan);
    scan->options = *options;
    scan->publisher = publisher;
    scan->patience = *patience;
}

static void add_point(struct lidar_publish_scan *s, const uint8_t *at)
{
    const struct lidar_scan_options *o = &s->options;
    struct point p;
    memcpy(&p, at, sizeof p);
    if (isnan(p.x) || (!o->has_ring && !(p.z >= o->band_min_m && p.z <= o->band_max_m)))
        return;
    double x = (double)p.x, y = (double)p.y;
    unsigned ray = (unsigned)lround((atan2(y, x) + PI) / (2 * PI) * o->rays) % o->rays;
    float range = (float)sqrt(x * x + y * y);
    if (range < s->ranges[ray]) {
        s->ranges[ray] = range;
        s->intensities[ray] = p.intensity;
    }
}

static void add_points(struct lidar_publish_scan *s, const struct lidar_frame_info *info,
                       const uint8_t *points)
{
    const struct lidar_scan_options *o = &s->options;
    size_t count = (size_t)info->width * info->height;
    size_t step = o->has_ring ? info->width : 1;
    for (unsigned i = 0; i < o->rays; i++) {
        s->ranges[i] = INFINITY;
        s->intensities[i] = 0;
    }
    if (o->has_ring && o->ring >= info->width)
        return;
    for (size_t i = o->has_ring ? o->ring : 0; i < count; i += step)
        add_point(s, points + i * LIDAR_POINT_BYTES);
}

/* Of the last column's first firing, after the first column's. Of a Livox, columns that are missing
 * have no row. */
static float duration_s(const struct lidar_frame_info *info, const uint8_t *points)
{
    uint32_t rows = info->columns < info->height ? info->columns : info->height;
    size_t last = (size_t)(rows > 0 ? rows - 1 : 0) * info->width;
    float time_s;
    memcpy(&time_s, points + last * LIDAR_POINT_BYTES + LIDAR_POINT_TIME, sizeof time_s);
    return time_s;
}

static int write_message(struct lidar_publish_scan *s, const struct lidar_frame_info *info,
                         enum sl_clock clock, float scan_time_s, struct sl_loan *loan)
{
    struct sl_laser_scan scan = describe(&s->options);
    size_t size = 0;
    scan.stamp_ns = (int64_t)info->stamp_ns;
    scan.scan_time = scan_time_s;
    int err = sl_laser_scan_write(&scan, s->ranges, s->intensities, loan->data,
                                  (size_t)loan->data_size, &size);
    if (err < 0) {
        sl_publisher_discard(s->publisher, loan);
        return err;
    }
    const struct sl_message message = {
        .stamp_ns = info->stamp_ns,
        .clock = clock,
        .flags = info->partial ? SL_MESSAGE_PARTIAL : 0,
        .body_length = (uint32_t)size,
    };
    return sl_publisher_publish(s->publisher, loan, &message);
}

void lidar_publish_scan_take(void *scan, const struct lidar_frame_info *info, enum sl_clock clock,
                             const uint8_t *points)
{
    struct lidar_publish_scan *s = scan;
    struct sl_loan loan;
    int err = lidar_publish_loan(&s->patience, s->publisher, &loan);
    if (err == 0) {
        add_points(s, info, points);
        err = write_message(s, info, clock, duration_s(info, points), &loan);
    }
    if (err < 0)
        s->dropped++;
    else
        s->published++;
}
