/* SPDX-License-Identifier: Apache-2.0 */
#include "core/frame/pointcloud2.h"

#include "core/base/error.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>

#define IS_DENSE_SIZE 1
/* In a body a field has at least a string (4 + 0), offset, datatype and count. */
#define FIELD_SIZE_MIN 16

size_t sl_point_type_size(uint8_t datatype)
{
    static const uint8_t sizes[] = {
        [SL_POINT_INT8] = 1,  [SL_POINT_UINT8] = 1,  [SL_POINT_INT16] = 2,   [SL_POINT_UINT16] = 2,
        [SL_POINT_INT32] = 4, [SL_POINT_UINT32] = 4, [SL_POINT_FLOAT32] = 4, [SL_POINT_FLOAT64] = 8,
    };
    return datatype < sizeof sizes ? sizes[datatype] : 0;
}

static uint32_t field_count_of_values(const struct sl_point_field *field)
{
    return field->count > 0 ? field->count : 1;
}

static bool field_fits(const struct sl_point_field *field, uint32_t point_step)
{
    /* at most 2^32 + 2^32 * 8: no overflow in 64 bits */
    uint64_t end = field->offset +
                   (uint64_t)field_count_of_values(field) * sl_point_type_size(field->datatype);
    return sl_point_type_size(field->datatype) > 0 && end <= point_step;
}

/* ---- Reading ---- */

/* What the numbers say of each other; `err` is the caller's word for a contradiction. */
static int check_fields(const struct sl_pointcloud2 *cloud, int err)
{
    for (uint32_t i = 0; i < cloud->field_count; i++) {
        const struct sl_point_field *field = &cloud->fields[i];
        if (!field_fits(field, cloud->point_step))
            return sl_error(err,
                            SL_TYPE_POINTCLOUD2
                            ": field %" PRIu32 " (offset %" PRIu32 ", datatype %u, %" PRIu32
                            " values) is not within a point of %" PRIu32 " bytes",
                            i, field->offset, field->datatype, field->count, cloud->point_step);
    }
    return 0;
}

/* Does every point lie in the data? */
static bool points_lie_in_data(const struct sl_pointcloud2 *cloud)
{
    if (cloud->width == 0 || cloud->height == 0)
        return true;
    if (cloud->point_step == 0)
        return false;
    uint64_t row = (uint64_t)cloud->width * cloud->point_step;
    if (cloud->height > 1 && cloud->row_step < row)
        return false;
    /* (2^32 - 1)^2 + row, and row <= row_step < 2^32 unless there is one row alone */
    uint64_t rows_before = (uint64_t)(cloud->height - 1) * cloud->row_step;
    return rows_before + row <= cloud->data_size;
}

static void read_fields(struct sl_cdr_reader *r, struct sl_pointcloud2 *cloud)
{
    cloud->field_count = sl_cdr_count(r, FIELD_SIZE_MIN);
    if (cloud->field_count > SL_POINT_FIELDS_MAX) {
        r->bytes.failed = true;
        cloud->field_count = 0;
    }
    for (uint32_t i = 0; i < cloud->field_count; i++) {
        struct sl_point_field *field = &cloud->fields[i];
        field->name = sl_cdr_text(r);
        field->offset = sl_cdr_u32(r);
        field->datatype = sl_cdr_u8(r);
        field->count = sl_cdr_u32(r);
    }
}

/* Everything up to the data. Leaves the reader at the data's first byte. */
static int read_prefix(struct sl_cdr_reader *r, struct sl_pointcloud2 *cloud)
{
    sl_header_read(r, &cloud->stamp_ns, &cloud->frame_id);
    cloud->height = sl_cdr_u32(r);
    cloud->width = sl_cdr_u32(r);
    read_fields(r, cloud);
    cloud->is_bigendian = sl_cdr_u8(r) != 0;
    cloud->point_step = sl_cdr_u32(r);
    cloud->row_step = sl_cdr_u32(r);
    cloud->data_size = sl_cdr_u32(r);
    return sl_message_read_result(r, SL_TYPE_POINTCLOUD2);
}

static int check_read(const struct sl_pointcloud2 *cloud, size_t size_after_prefix)
{
    if ((uint64_t)cloud->data_size + IS_DENSE_SIZE > size_after_prefix)
        return sl_error(-EBADMSG,
                        SL_TYPE_POINTCLOUD2 ": %" PRIu32
                                            " bytes of data and is_dense are announced, "
                                            "%zu bytes are left",
                        cloud->data_size, size_after_prefix);
    int err = check_fields(cloud, -EBADMSG);
    if (err < 0)
        return err;
    if (!points_lie_in_data(cloud))
        return sl_error(
            -EBADMSG,
            SL_TYPE_POINTCLOUD2 ": %" PRIu32 " x %" PRIu32 " points with point_step %" PRIu32
                                " and row_step %" PRIu32 " do not lie in %" PRIu32 " bytes of data",
            cloud->width, cloud->height, cloud->point_step, cloud->row_step, cloud->data_size);
    return 0;
}

int sl_pointcloud2_read(const void *body, size_t size, struct sl_pointcloud2 *ret_cloud)
{
    struct sl_body ranges = {.count = 1, .ranges = {{body, size}}};
    struct sl_body data;
    return sl_pointcloud2_read_gather(&ranges, NULL, 0, ret_cloud, &data);
}

/* The prefix as one piece: the first range if it stands there whole, else a copy in scratch. */
static int read_prefix_of(const struct sl_body *body, size_t body_size, void *scratch,
                          size_t scratch_size, struct sl_pointcloud2 *cloud,
                          size_t *ret_prefix_size)
{
    struct sl_body_range prefix = body->count > 0 ? body->ranges[0] : (struct sl_body_range){0};
    struct sl_cdr_reader r;
    int err = sl_cdr_read(prefix.start, prefix.length, &r);
    if (err == 0)
        err = read_prefix(&r, cloud);
    if (err < 0 && prefix.length < body_size) {
        prefix.start = scratch;
        prefix.length = sl_body_copy(body, 0, scratch, scratch_size);
        err = sl_cdr_read(prefix.start, prefix.length, &r);
        if (err == 0)
            err = read_prefix(&r, cloud);
        if (err < 0 && prefix.length < body_size)
            return sl_error(-ENOSPC,
                            SL_TYPE_POINTCLOUD2
                            ": the prefix does not end within %zu bytes of scratch",
                            scratch_size);
    }
    if (err < 0)
        return err;
    *ret_prefix_size = SL_CDR_HEADER_SIZE + sl_reader_offset(&r.bytes);
    return 0;
}

int sl_pointcloud2_read_gather(const struct sl_body *body, void *scratch, size_t scratch_size,
                               struct sl_pointcloud2 *ret_cloud, struct sl_body *ret_data)
{
    struct sl_pointcloud2 cloud;
    size_t body_size;
    size_t prefix_size = 0;
    int err = sl_body_size(body, &body_size);
    if (err == 0)
        err = read_prefix_of(body, body_size, scratch, scratch_size, &cloud, &prefix_size);
    if (err == 0)
        err = check_read(&cloud, body_size - prefix_size);
    if (err < 0)
        return err;
    uint8_t is_dense = 0;
    sl_body_copy(body, prefix_size + cloud.data_size, &is_dense, sizeof is_dense);
    struct sl_body data;
    err = sl_body_slice(body, prefix_size, cloud.data_size, &data);
    if (err < 0)
        return err;
    cloud.is_dense = is_dense != 0;
    cloud.data = data.count == 1 ? data.ranges[0].start : NULL;
    *ret_cloud = cloud;
    *ret_data = data;
    return 0;
}

/* ---- Points ---- */

const struct sl_point_field *sl_pointcloud2_field(const struct sl_pointcloud2 *cloud,
                                                  const char *name)
{
    for (uint32_t i = 0; i < cloud->field_count; i++)
        if (sl_text_is(cloud->fields[i].name, name))
            return &cloud->fields[i];
    return NULL;
}

static double real32(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static double real64(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

double sl_point_value(const struct sl_point_field *field, const void *point, bool is_bigendian)
{
    const uint8_t *at = (const uint8_t *)point + field->offset;
    switch (field->datatype) {
    case SL_POINT_INT8:
        return (int8_t)*at;
    case SL_POINT_UINT8:
        return *at;
    case SL_POINT_INT16:
        return (int16_t)(is_bigendian ? sl_get_be16(at) : sl_get_le16(at));
    case SL_POINT_UINT16:
        return is_bigendian ? sl_get_be16(at) : sl_get_le16(at);
    case SL_POINT_INT32:
        return (int32_t)(is_bigendian ? sl_get_be32(at) : sl_get_le32(at));
    case SL_POINT_UINT32:
        return is_bigendian ? sl_get_be32(at) : sl_get_le32(at);
    case SL_POINT_FLOAT32:
        return real32(is_bigendian ? sl_get_be32(at) : sl_get_le32(at));
    case SL_POINT_FLOAT64:
        return real64(is_bigendian ? sl_get_be64(at) : sl_get_le64(at));
    default:
        return NAN;
    }
}

double sl_pointcloud2_value(const struct sl_pointcloud2 *cloud, const struct sl_point_field *field,
                            uint32_t row, uint32_t column)
{
    if (!cloud->data || row >= cloud->height || column >= cloud->width ||
        !field_fits(field, cloud->point_step))
        return NAN;
    return sl_point_value(field, cloud->data + sl_pointcloud2_offset(cloud, row, column),
                          cloud->is_bigendian);
}

/* ---- Writing ---- */

size_t sl_pointcloud2_prefix_size(const struct sl_pointcloud2 *cloud)
{
    /* All alignments here are 4 at most, so offsets may be counted from the body's start. */
    size_t at = sl_cdr_aligned(sl_header_end(cloud->frame_id), 4);
    at += 4 + 4 + 4; /* height, width, count of fields */
    for (uint32_t i = 0; i < cloud->field_count; i++) {
        at = sl_cdr_aligned(sl_cdr_after_text(at, cloud->fields[i].name), 4);
        at += 4 + 4 + 4; /* offset, datatype and padding, count */
    }
    at += 4;               /* is_bigendian and padding */
    return at + 4 + 4 + 4; /* point_step, row_step, size of data */
}

static int check_write(const struct sl_pointcloud2 *cloud)
{
    if (cloud->field_count > SL_POINT_FIELDS_MAX)
        return sl_error(-EINVAL,
                        SL_TYPE_POINTCLOUD2 ": %" PRIu32 " fields; at most %d are possible",
                        cloud->field_count, SL_POINT_FIELDS_MAX);
    int err = check_fields(cloud, -EINVAL);
    if (err < 0)
        return err;
    if (cloud->row_step != (uint64_t)cloud->width * cloud->point_step ||
        cloud->data_size != (uint64_t)cloud->row_step * cloud->height)
        return sl_error(-EINVAL,
                        SL_TYPE_POINTCLOUD2 ": %" PRIu32 " x %" PRIu32 " points of %" PRIu32
                                            " bytes make neither row_step %" PRIu32 " nor %" PRIu32
                                            " bytes of data",
                        cloud->width, cloud->height, cloud->point_step, cloud->row_step,
                        cloud->data_size);
    if (sl_pointcloud2_body_size(cloud) > UINT32_MAX)
        return sl_error(-EOVERFLOW, SL_TYPE_POINTCLOUD2 ": a body of 4 GiB or more");
    return 0;
}

int sl_pointcloud2_write_prefix(const struct sl_pointcloud2 *cloud, void *to, size_t room)
{
    int err = check_write(cloud);
    if (err < 0)
        return err;
    struct sl_cdr_writer w = sl_cdr_write(to, room);
    err = sl_header_write(&w, cloud->stamp_ns, cloud->frame_id);
    if (err < 0)
        return err;
    sl_cdr_put_u32(&w, cloud->height);
    sl_cdr_put_u32(&w, cloud->width);
    sl_cdr_put_u32(&w, cloud->field_count);
    for (uint32_t i = 0; i < cloud->field_count; i++) {
        const struct sl_point_field *field = &cloud->fields[i];
        sl_cdr_put_text(&w, field->name);
        sl_cdr_put_u32(&w, field->offset);
        sl_cdr_put_u8(&w, field->datatype);
        sl_cdr_put_u32(&w, field->count);
    }
    sl_cdr_put_u8(&w, cloud->is_bigendian);
    sl_cdr_put_u32(&w, cloud->point_step);
    sl_cdr_put_u32(&w, cloud->row_step);
    sl_cdr_put_u32(&w, cloud->data_size);
    return sl_message_write_result(&w, SL_TYPE_POINTCLOUD2);
}

size_t sl_pointcloud2_suffix_room(const struct sl_pointcloud2 *cloud)
{
    size_t end = (size_t)cloud->data_size + IS_DENSE_SIZE; /* the prefix is 0 mod 4 */
    return sl_cdr_aligned(end, SL_CDR_BODY_ALIGNMENT) - cloud->data_size;
}

int sl_pointcloud2_write_suffix(const struct sl_pointcloud2 *cloud, void *to, size_t room)
{
    size_t size = sl_pointcloud2_suffix_room(cloud);
    if (size > room)
        return sl_error(-ENOSPC, SL_TYPE_POINTCLOUD2 ": %zu bytes after the data, %zu are needed",
                        room, size);
    memset(to, 0, size);
    *(uint8_t *)to = cloud->is_dense;
    return 0;
}

size_t sl_pointcloud2_body_size(const struct sl_pointcloud2 *cloud)
{
    return sl_pointcloud2_prefix_size(cloud) + cloud->data_size + IS_DENSE_SIZE;
}
