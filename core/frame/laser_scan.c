/* SPDX-License-Identifier: Apache-2.0 */
#include "core/frame/laser_scan.h"

static const uint8_t *read_floats(struct sl_cdr_reader *r, uint32_t *ret_count)
{
    *ret_count = sl_cdr_count(r, sizeof(float));
    return sl_reader_take(&r->bytes, *ret_count * sizeof(float));
}

int sl_laser_scan_read(const void *body, size_t size, struct sl_laser_scan *ret_scan)
{
    struct sl_cdr_reader r;
    int err = sl_cdr_read(body, size, &r);
    if (err < 0)
        return err;
    struct sl_laser_scan scan = {.is_bigendian = r.big_endian};
    sl_header_read(&r, &scan.stamp_ns, &scan.frame_id);
    scan.angle_min = sl_cdr_f32(&r);
    scan.angle_max = sl_cdr_f32(&r);
    scan.angle_increment = sl_cdr_f32(&r);
    scan.time_increment = sl_cdr_f32(&r);
    scan.scan_time = sl_cdr_f32(&r);
    scan.range_min = sl_cdr_f32(&r);
    scan.range_max = sl_cdr_f32(&r);
    scan.ranges = read_floats(&r, &scan.range_count);
    scan.intensities = read_floats(&r, &scan.intensity_count);
    err = sl_message_read_result(&r, SL_TYPE_LASER_SCAN);
    if (err < 0)
        return err;
    *ret_scan = scan;
    return 0;
}

static float float_at(const struct sl_laser_scan *scan, const uint8_t *numbers, uint32_t index)
{
    const uint8_t *at = numbers + (size_t)index * sizeof(float);
    uint32_t bits = scan->is_bigendian ? sl_get_be32(at) : sl_get_le32(at);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

float sl_laser_scan_range(const struct sl_laser_scan *scan, uint32_t index)
{
    return float_at(scan, scan->ranges, index);
}

float sl_laser_scan_intensity(const struct sl_laser_scan *scan, uint32_t index)
{
    return float_at(scan, scan->intensities, index);
}

size_t sl_laser_scan_body_size(const struct sl_laser_scan *scan)
{
    size_t counts = 2 * sizeof(uint32_t), numbers = 7 * sizeof(float);
    size_t rays = (size_t)scan->range_count + scan->intensity_count;
    return sl_cdr_aligned(sl_header_end(scan->frame_id), 4) + numbers + counts +
           rays * sizeof(float);
}

static void put_floats(struct sl_cdr_writer *w, const float *values, uint32_t count)
{
    sl_cdr_put_u32(w, count);
    for (uint32_t i = 0; i < count; i++)
        sl_cdr_put_f32(w, values[i]);
}

int sl_laser_scan_write(const struct sl_laser_scan *scan, const float *ranges,
                        const float *intensities, void *to, size_t room, size_t *ret_size)
{
    struct sl_cdr_writer w = sl_cdr_write(to, room);
    int err = sl_header_write(&w, scan->stamp_ns, scan->frame_id);
    if (err < 0)
        return err;
    sl_cdr_put_f32(&w, scan->angle_min);
    sl_cdr_put_f32(&w, scan->angle_max);
    sl_cdr_put_f32(&w, scan->angle_increment);
    sl_cdr_put_f32(&w, scan->time_increment);
    sl_cdr_put_f32(&w, scan->scan_time);
    sl_cdr_put_f32(&w, scan->range_min);
    sl_cdr_put_f32(&w, scan->range_max);
    put_floats(&w, ranges, scan->range_count);
    put_floats(&w, intensities, scan->intensity_count);
    err = sl_message_write_result(&w, SL_TYPE_LASER_SCAN);
    if (err < 0)
        return err;
    *ret_size = sl_cdr_written(&w);
    return 0;
}
