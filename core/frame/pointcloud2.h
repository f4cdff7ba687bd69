/* SPDX-License-Identifier: Apache-2.0 */
/* pointcloud2.h - sensor_msgs/msg/PointCloud2, written around points that already stand in a slot.
 *
 *   | 00 01 00 00 | stamp, frame_id, height, width, fields[],   | data ...     | is_dense | 0 0 0 |
 *   |             | is_bigendian, steps, size of data           |              |          |       |
 *   |<-------------------- prefix, 0 mod 4 -------------------->|<- at least ->|<---- suffix ---->|
 *   ^ body                                                      ^ data, 0 mod 4           slot's
 *                                                                                         padding
 * The prefix is right-justified before the data: it starts at data_offset - prefix_size of the
 * slot. The body ends after is_dense; the zeros after it belong to the slot and let a reader that
 * rounds up to 4 read no stranger's bytes.
 *
 * Life, owner, threads, errors: see message.h.
 */
#ifndef SL_FRAME_POINTCLOUD2_H
#define SL_FRAME_POINTCLOUD2_H

#include "core/frame/body.h"
#include "core/frame/message.h"

/* Fields a cloud may have here; ROS has no limit, clouds in use have 3 to about 20. */
#define SL_POINT_FIELDS_MAX 64

/* sensor_msgs/msg/PointField's datatypes. */
enum sl_point_type {
    SL_POINT_INT8 = 1,
    SL_POINT_UINT8 = 2,
    SL_POINT_INT16 = 3,
    SL_POINT_UINT16 = 4,
    SL_POINT_INT32 = 5,
    SL_POINT_UINT32 = 6,
    SL_POINT_FLOAT32 = 7,
    SL_POINT_FLOAT64 = 8,
};

/* Bytes of one value; 0 for what is no datatype. */
size_t sl_point_type_size(uint8_t datatype);

struct sl_point_field {
    struct sl_text name;
    uint32_t offset; /* from the point's start */
    uint32_t count;  /* values; 0, which some writers send, means 1 */
    uint8_t datatype;
};

struct sl_pointcloud2 {
    int64_t stamp_ns;
    struct sl_text frame_id;
    uint32_t height;
    uint32_t width;
    uint32_t field_count;
    bool is_bigendian; /* of the data, not of the body */
    bool is_dense;     /* no point is invalid (NaN) */
    uint32_t point_step;
    uint32_t row_step;
    uint32_t data_size;
    const uint8_t *data; /* NULL if it lies in several ranges (sl_pointcloud2_read_gather); not
                            looked at by the writers */
    struct sl_point_field fields[SL_POINT_FIELDS_MAX];
};

/* ---- Reading ----
 * A cloud that is accepted has fields of known datatypes that end within point_step, and data in
 * which every one of its width x height points lies. Where clouds in use are careless, data's own
 * size decides: row_step counts only where there is more than one row, must then hold a row, and
 * may hold more; data may be longer than the last row's last point. */
int sl_pointcloud2_read(const void *body, size_t size, struct sl_pointcloud2 *ret_cloud);

/* The same for a gather list. If the prefix does not lie in the first range alone, it is copied
 * into `scratch` (4 kB hold any usual one; -ENOSPC if it is too small), to which the names then
 * point. `ret_data` gets the data's ranges; ret_cloud->data is set if there is just one. */
int sl_pointcloud2_read_gather(const struct sl_body *body, void *scratch, size_t scratch_size,
                               struct sl_pointcloud2 *ret_cloud, struct sl_body *ret_data);

/* ---- Points ---- */

/* The field of that name, or NULL. */
const struct sl_point_field *sl_pointcloud2_field(const struct sl_pointcloud2 *cloud,
                                                  const char *name);

/* Where the point of a row and column starts in the data. Unchecked: row < height,
 * column < width. */
static inline size_t sl_pointcloud2_offset(const struct sl_pointcloud2 *cloud, uint32_t row,
                                           uint32_t column)
{
    return (size_t)row * cloud->row_step + (size_t)column * cloud->point_step;
}

/* The field's first value in a point that starts at `point`, which need not be aligned. 32-bit and
 * smaller values are exact. NaN for what is no datatype. */
double sl_point_value(const struct sl_point_field *field, const void *point, bool is_bigendian);

/* The same by row and column: NaN outside the cloud, for a field beyond point_step, or if the data
 * is not in one range. */
double sl_pointcloud2_value(const struct sl_pointcloud2 *cloud, const struct sl_point_field *field,
                            uint32_t row, uint32_t column);

/* ---- Writing ----
 * Here a cloud must be exact: row_step = width x point_step, data_size = row_step x height. */

/* Bytes before the data, a multiple of 4. Depends on frame_id and the fields' names only. */
size_t sl_pointcloud2_prefix_size(const struct sl_pointcloud2 *cloud);

/* Write the prefix, exactly sl_pointcloud2_prefix_size bytes, at `to`. Returns 0, -ENOSPC, -EINVAL,
 * -ERANGE, or -EOVERFLOW if the body would have 4 GiB or more. */
int sl_pointcloud2_write_prefix(const struct sl_pointcloud2 *cloud, void *to, size_t room);

/* Bytes to keep free in the slot after the data: is_dense and the padding to 4, so 1 to 4. */
size_t sl_pointcloud2_suffix_room(const struct sl_pointcloud2 *cloud);

/* Write is_dense and the padding, sl_pointcloud2_suffix_room bytes, right after the data. Returns 0
 * or -ENOSPC. */
int sl_pointcloud2_write_suffix(const struct sl_pointcloud2 *cloud, void *to, size_t room);

/* The finished body: prefix, data, is_dense; without the padding. */
size_t sl_pointcloud2_body_size(const struct sl_pointcloud2 *cloud);

#endif
