/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/dds_bridge/content.h"

#include "core/frame/image.h"
#include "core/frame/imu.h"
#include "core/frame/pointcloud2.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DATA_AT    4096u
#define POINT_STEP 16u
#define SUFFIX_AT  (CONTENT_SIDE_SIZE - 1) /* beside the slot */
#define SECONDS    1700000000

#ifdef SLUICE_TSAN
/* What Cyclone does in this process is not looked at: it is not built for it. */
__attribute__((visibility("default"))) const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "called_from_lib:libddsc.so\n";
}
#endif

static uint8_t byte_of(uint32_t number, uint32_t index)
{
    return (uint8_t)((index * 2654435761u + number * 40503u) >> 13);
}

/* First the size that was asked for, in little endian: the shape follows from it. */
static void fill(uint8_t *data, uint32_t length, uint32_t number, uint32_t size)
{
    for (uint32_t i = 0; i < length; i++)
        data[i] = byte_of(number, i);
    sl_put_le32(data, size);
}

/* Returns the size that was asked for. */
static uint32_t check_data(const uint8_t *data, uint32_t length, uint32_t number)
{
    assert_true(length >= 4);
    for (uint32_t i = 4; i < length; i++)
        if (data[i] != byte_of(number, i))
            fail_msg("message %u: byte %u of %u is %u, not %u", number, i, length, data[i],
                     byte_of(number, i));
    return sl_get_le32(data);
}

static int64_t stamp_of(uint32_t number)
{
    return (int64_t)SECONDS * 1000000000 + number;
}

const char *content_frame_prefix = "";

static bool is_frame_id(struct sl_text text, const char *name)
{
    char full[256];
    snprintf(full, sizeof full, "%s%s", content_frame_prefix, name);
    return sl_text_is(text, full);
}

static uint32_t check_header(const std_msgs_msg_dds__Header_ *header, const char *frame_id)
{
    assert_int_equal(header->stamp.sec, SECONDS);
    if (!is_frame_id(sl_text(header->frame_id), frame_id))
        fail_msg("frame_id is '%s', not '%s%s'", header->frame_id, content_frame_prefix, frame_id);
    return header->stamp.nanosec;
}

/* The number decides on the length, so that messages end at every place of a word. */
static uint32_t width_of(uint32_t number, uint32_t size)
{
    return size / POINT_STEP + number % 7;
}

/* Clouds ----------------------------------------------------------------------------------------*/

static struct sl_pointcloud2 describe_cloud(uint32_t number, uint32_t size)
{
    uint32_t width = width_of(number, size);
    return (struct sl_pointcloud2){.stamp_ns = stamp_of(number),
                                   .frame_id = sl_text("lidar_front"),
                                   .height = 1,
                                   .width = width,
                                   .field_count = 4,
                                   .is_dense = number % 2,
                                   .point_step = POINT_STEP,
                                   .row_step = width * POINT_STEP,
                                   .data_size = width * POINT_STEP,
                                   .fields = {{sl_text("x"), 0, 1, SL_POINT_FLOAT32},
                                              {sl_text("y"), 4, 1, SL_POINT_FLOAT32},
                                              {sl_text("z"), 8, 1, SL_POINT_FLOAT32},
                                              {sl_text("intensity"), 12, 2, SL_POINT_UINT16}}};
}

enum place {
    IN_SLOT,
    AT_END,
    IN_PIECES
};

static int publish_points(struct sl_publisher *publisher, uint32_t number, uint32_t size,
                          enum place place)
{
    struct sl_loan loan;
    int err = sl_publisher_loan(publisher, &loan);
    if (err < 0)
        return err;
    struct sl_pointcloud2 cloud = describe_cloud(number, size);
    uint32_t data_at = place == AT_END ? (uint32_t)loan.data_size - cloud.data_size - 1 : DATA_AT;
    uint8_t *data = (uint8_t *)loan.data + data_at, *side = loan.side;
    uint32_t prefix = (uint32_t)sl_pointcloud2_prefix_size(&cloud);
    uint8_t *before = place == IN_PIECES ? side : data - prefix;
    fill(data, cloud.data_size, number, size);
    assert_int_equal(sl_pointcloud2_write_prefix(&cloud, before, prefix), 0);
    *(place == IN_PIECES ? side + SUFFIX_AT : data + cloud.data_size) = cloud.is_dense;
    const struct sl_range ranges[] = {{SL_AREA_SIDE, 0, prefix},
                                      {SL_AREA_SLOT, data_at, 4},
                                      {SL_AREA_SLOT, data_at + 4, cloud.data_size - 4},
                                      {SL_AREA_SIDE, SUFFIX_AT, 1}};
    const struct sl_message message = {
        .stamp_ns = (uint64_t)cloud.stamp_ns,
        .body_offset = data_at - prefix,
        .body_length = (uint32_t)sl_pointcloud2_body_size(&cloud),
        .data_offset = data_at,
        .data_length = cloud.data_size,
        .ranges = ranges,
        .range_count = place == IN_PIECES ? 4 : 0,
    };
    return sl_publisher_publish(publisher, &loan, &message);
}

int publish_cloud(struct sl_publisher *publisher, uint32_t number, uint32_t size)
{
    return publish_points(publisher, number, size, IN_SLOT);
}

int publish_cloud_at_end(struct sl_publisher *publisher, uint32_t number, uint32_t size)
{
    return publish_points(publisher, number, size, AT_END);
}

int publish_gathered(struct sl_publisher *publisher, uint32_t number, uint32_t size)
{
    return publish_points(publisher, number, size, IN_PIECES);
}

static void check_field(const sensor_msgs_msg_dds__PointField_ *field, const char *name,
                        uint32_t offset, uint8_t datatype, uint32_t count)
{
    assert_string_equal(field->name, name);
    assert_int_equal(field->offset, offset);
    assert_int_equal(field->datatype, datatype);
    assert_int_equal(field->count, count);
}

uint32_t check_cloud(const void *sample)
{
    const sensor_msgs_msg_dds__PointCloud2_ *cloud = sample;
    uint32_t number = check_header(&cloud->header, "lidar_front");
    assert_int_equal(cloud->height, 1);
    assert_int_equal(cloud->fields._length, 4);
    check_field(&cloud->fields._buffer[0], "x", 0, 7, 1);
    check_field(&cloud->fields._buffer[1], "y", 4, 7, 1);
    check_field(&cloud->fields._buffer[2], "z", 8, 7, 1);
    check_field(&cloud->fields._buffer[3], "intensity", 12, 4, 2);
    assert_false(cloud->is_bigendian);
    assert_int_equal(cloud->is_dense, number % 2);
    assert_int_equal(cloud->point_step, 16);
    assert_int_equal(cloud->row_step, 16 * cloud->width);
    assert_int_equal(cloud->data._length, 16 * cloud->width);
    uint32_t size = check_data(cloud->data._buffer, cloud->data._length, number);
    assert_int_equal(cloud->width, width_of(number, size));
    return number;
}

static sensor_msgs_msg_dds__PointField_ field_of(const char *name, uint32_t offset,
                                                 uint8_t datatype, uint32_t count)
{
    return (sensor_msgs_msg_dds__PointField_){(char *)name, offset, datatype, count};
}

void write_cloud(dds_entity_t writer, uint32_t number, uint32_t size)
{
    uint32_t width = width_of(number, size), length = width * POINT_STEP;
    uint8_t *data = malloc(length);
    assert_non_null(data);
    fill(data, length, number, size);
    sensor_msgs_msg_dds__PointField_ fields[] = {field_of("x", 0, 7, 1), field_of("y", 4, 7, 1),
                                                 field_of("z", 8, 7, 1),
                                                 field_of("intensity", 12, 4, 2)};
    const sensor_msgs_msg_dds__PointCloud2_ cloud = {
        .header = {{SECONDS, number}, "lidar_front"},
        .height = 1,
        .width = width,
        .fields = {4, 4, fields, false},
        .point_step = POINT_STEP,
        .row_step = length,
        .data = {length, length, data, false},
        .is_dense = number % 2,
    };
    assert_int_equal(dds_write(writer, &cloud), 0);
    free(data);
}

static void check_field_of(const struct sl_pointcloud2 *cloud, const char *name, uint32_t offset,
                           uint8_t datatype, uint32_t count)
{
    const struct sl_point_field *field = sl_pointcloud2_field(cloud, name);
    assert_non_null(field);
    assert_true(field->offset == offset && field->datatype == datatype && field->count == count);
}

static uint32_t number_of(int64_t stamp_ns)
{
    assert_int_equal(stamp_ns / 1000000000, SECONDS);
    return (uint32_t)(stamp_ns % 1000000000);
}

uint32_t check_cloud_frame(const struct sl_frame *frame)
{
    struct sl_pointcloud2 cloud;
    assert_int_equal(sl_pointcloud2_read(frame->body, frame->body_length, &cloud), 0);
    uint32_t number = number_of(cloud.stamp_ns);
    assert_int_equal(frame->stamp_ns, cloud.stamp_ns);
    assert_true(is_frame_id(cloud.frame_id, "lidar_front"));
    assert_int_equal(cloud.height, 1);
    assert_int_equal(cloud.field_count, 4);
    check_field_of(&cloud, "x", 0, 7, 1);
    check_field_of(&cloud, "y", 4, 7, 1);
    check_field_of(&cloud, "z", 8, 7, 1);
    check_field_of(&cloud, "intensity", 12, 4, 2);
    assert_false(cloud.is_bigendian);
    assert_int_equal(cloud.is_dense, number % 2);
    assert_int_equal(cloud.point_step, 16);
    assert_int_equal(cloud.row_step, 16 * cloud.width);
    assert_int_equal(cloud.data_size, 16 * cloud.width);
    assert_ptr_equal(frame->data, frame->data_length ? cloud.data : NULL);
    uint32_t size = check_data(cloud.data, cloud.data_size, number);
    assert_int_equal(cloud.width, width_of(number, size));
    return number;
}

/* Images ----------------------------------------------------------------------------------------*/

#define PIXELS 33u /* of a row, of 3 bytes; some are left between rows */

static uint32_t step_of(uint32_t number)
{
    return 3 * PIXELS + number % 4;
}

static uint32_t rows_of(uint32_t size)
{
    return size / 100;
}

int publish_image(struct sl_publisher *publisher, uint32_t number, uint32_t size)
{
    struct sl_loan loan;
    int err = sl_publisher_loan(publisher, &loan);
    if (err < 0)
        return err;
    struct sl_image image = {.stamp_ns = stamp_of(number),
                             .frame_id = sl_text("camera_left"),
                             .height = rows_of(size),
                             .width = PIXELS,
                             .encoding = sl_text("rgb8"),
                             .step = step_of(number),
                             .data_size = rows_of(size) * step_of(number)};
    uint8_t *data = (uint8_t *)loan.data + DATA_AT;
    uint32_t prefix = (uint32_t)sl_image_prefix_size(&image);
    fill(data, image.data_size, number, size);
    assert_int_equal(sl_image_write_prefix(&image, data - prefix, prefix), 0);
    const struct sl_message message = {.stamp_ns = (uint64_t)image.stamp_ns,
                                       .body_offset = DATA_AT - prefix,
                                       .body_length = (uint32_t)sl_image_body_size(&image),
                                       .data_offset = DATA_AT,
                                       .data_length = image.data_size};
    return sl_publisher_publish(publisher, &loan, &message);
}

uint32_t check_image(const void *sample)
{
    const sensor_msgs_msg_dds__Image_ *image = sample;
    uint32_t number = check_header(&image->header, "camera_left");
    assert_int_equal(image->width, PIXELS);
    assert_string_equal(image->encoding, "rgb8");
    assert_int_equal(image->is_bigendian, 0);
    assert_int_equal(image->step, step_of(number));
    assert_int_equal(image->data._length, image->height * image->step);
    uint32_t size = check_data(image->data._buffer, image->data._length, number);
    assert_int_equal(image->height, rows_of(size));
    return number;
}

void write_image(dds_entity_t writer, uint32_t number, uint32_t size)
{
    uint32_t length = rows_of(size) * step_of(number);
    uint8_t *data = malloc(length);
    assert_non_null(data);
    fill(data, length, number, size);
    const sensor_msgs_msg_dds__Image_ image = {
        .header = {{SECONDS, number}, "camera_left"},
        .height = rows_of(size),
        .width = PIXELS,
        .encoding = "rgb8",
        .step = step_of(number),
        .data = {length, length, data, false},
    };
    assert_int_equal(dds_write(writer, &image), 0);
    free(data);
}

uint32_t check_image_frame(const struct sl_frame *frame)
{
    struct sl_image image;
    assert_int_equal(sl_image_read(frame->body, frame->body_length, &image), 0);
    uint32_t number = number_of(image.stamp_ns);
    assert_int_equal(frame->stamp_ns, image.stamp_ns);
    assert_true(is_frame_id(image.frame_id, "camera_left"));
    assert_int_equal(image.width, PIXELS);
    assert_true(sl_text_is(image.encoding, "rgb8"));
    assert_false(image.is_bigendian);
    assert_int_equal(image.step, step_of(number));
    assert_int_equal(image.data_size, image.height * image.step);
    assert_ptr_equal(frame->data, frame->data_length ? image.data : NULL);
    uint32_t size = check_data(image.data, image.data_size, number);
    assert_int_equal(image.height, rows_of(size));
    return number;
}

/* Inertial units --------------------------------------------------------------------------------*/

int publish_imu(struct sl_publisher *publisher, uint32_t number, uint32_t size)
{
    (void)size;
    uint8_t body[448];
    size_t length;
    struct sl_imu imu = {.stamp_ns = stamp_of(number), .frame_id = sl_text("imu")};
    for (unsigned i = 0; i < 9; i++) {
        if (i < 4)
            imu.orientation[i] = number + 0.25 * i;
        if (i < 3) {
            imu.angular_velocity[i] = number + 10.5 + i;
            imu.linear_acceleration[i] = -(double)number - i;
        }
        imu.orientation_covariance[i] = i + 100.0;
        imu.angular_velocity_covariance[i] = i + 200.0;
        imu.linear_acceleration_covariance[i] = i + 300.0;
    }
    assert_int_equal(sl_imu_write(&imu, body, sizeof body, &length), 0);
    const struct sl_message message = {.stamp_ns = (uint64_t)imu.stamp_ns};
    return sl_publisher_publish_inline(publisher, body, length, &message);
}

uint32_t check_imu(const void *sample)
{
    const sensor_msgs_msg_dds__Imu_ *imu = sample;
    uint32_t number = check_header(&imu->header, "imu");
    assert_true(imu->orientation.x == number && imu->orientation.y == number + 0.25);
    assert_true(imu->orientation.z == number + 0.5 && imu->orientation.w == number + 0.75);
    assert_true(imu->angular_velocity.x == number + 10.5 &&
                imu->angular_velocity.y == number + 11.5 &&
                imu->angular_velocity.z == number + 12.5);
    assert_true(imu->linear_acceleration.x == -(double)number &&
                imu->linear_acceleration.y == -(double)number - 1 &&
                imu->linear_acceleration.z == -(double)number - 2);
    for (unsigned i = 0; i < 9; i++) {
        assert_true(imu->orientation_covariance[i] == i + 100.0);
        assert_true(imu->angular_velocity_covariance[i] == i + 200.0);
        assert_true(imu->linear_acceleration_covariance[i] == i + 300.0);
    }
    return number;
}

static geometry_msgs_msg_dds__Vector3_ vector(double x, double y, double z)
{
    return (geometry_msgs_msg_dds__Vector3_){x, y, z};
}

void write_imu(dds_entity_t writer, uint32_t number)
{
    double n = number;
    sensor_msgs_msg_dds__Imu_ imu = {.header = {{SECONDS, number}, "imu"},
                                     .orientation = {n, n + 0.25, n + 0.5, n + 0.75},
                                     .angular_velocity = vector(n + 10.5, n + 11.5, n + 12.5),
                                     .linear_acceleration = vector(-n, -n - 1, -n - 2)};
    for (unsigned i = 0; i < 9; i++) {
        imu.orientation_covariance[i] = i + 100.0;
        imu.angular_velocity_covariance[i] = i + 200.0;
        imu.linear_acceleration_covariance[i] = i + 300.0;
    }
    assert_int_equal(dds_write(writer, &imu), 0);
}

uint32_t check_imu_frame(const struct sl_frame *frame)
{
    struct sl_imu imu;
    assert_int_equal(sl_imu_read(frame->body, frame->body_length, &imu), 0);
    uint32_t number = number_of(imu.stamp_ns);
    assert_true(is_frame_id(imu.frame_id, "imu"));
    for (unsigned i = 0; i < 4; i++)
        assert_true(imu.orientation[i] == number + 0.25 * i);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(imu.angular_velocity[i] == number + 10.5 + i);
        assert_true(imu.linear_acceleration[i] == -(double)number - i);
    }
    for (unsigned i = 0; i < 9; i++) {
        assert_true(imu.orientation_covariance[i] == i + 100.0);
        assert_true(imu.angular_velocity_covariance[i] == i + 200.0);
        assert_true(imu.linear_acceleration_covariance[i] == i + 300.0);
    }
    return number;
}
