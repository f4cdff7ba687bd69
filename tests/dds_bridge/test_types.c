/* SPDX-License-Identifier: Apache-2.0 */
/* test_types.c - the program `dds_bridge` and types beside clouds, images and Imu: each of those of
 * which there is a definition is read with what idlc made of it, every field, and one that nobody
 * here knows crosses byte for byte. */
#include "core/base/bytes.h"
#include "core/base/error.h"
#include "core/frame/image.h"
#include "core/frame/imu.h"
#include "core/frame/laser_scan.h"
#include "core/frame/transforms.h"
#include "tests/dds_bridge/side.h"
#include "tests/tools/harness.h"

#include <errno.h>
#include <example.h>
#include <rosgraph_msgs.h>
#include <sensor_msgs.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <tf2_msgs.h>

#define SECONDS     1700000000
#define NANOSECONDS 123456789u
#define STAMP_NS    (SECONDS * (int64_t)1000000000 + NANOSECONDS)
#define ROOM        4096u
#define SLOT_SIZE   131072u

/* The last message is there for whoever comes, on the bus, and so in DDS. */
static struct sl_publisher *open_topic(const char *type)
{
    struct sl_publisher *publisher;
    const struct sl_publisher_options options = {
        .topic = "/sample", .type = type, .slot_size = SLOT_SIZE, .subscribers = 1, .retain = 1};
    if (sl_publisher_open(&options, &publisher) < 0)
        fail_msg("%s", sl_error_text());
    return publisher;
}

static void publish(struct sl_publisher *publisher, const void *body, size_t size)
{
    struct sl_loan loan;
    const struct sl_message message = {.stamp_ns = STAMP_NS, .body_length = (uint32_t)size};
    assert_int_equal(sl_publisher_loan(publisher, &loan), 0);
    memcpy(loan.data, body, size);
    assert_int_equal(sl_publisher_publish(publisher, &loan, &message), 0);
}

/* What `write` makes of a type is what `check` finds in DDS's. */
static void arrives(const char *type, const dds_topic_descriptor_t *descriptor,
                    int (*write)(void *to, size_t room, size_t *ret_size),
                    uint32_t (*check)(const void *sample))
{
    uint8_t body[ROOM];
    size_t size;
    if (write(body, sizeof body, &size) < 0)
        fail_msg("%s", sl_error_text());
    struct sl_publisher *publisher = open_topic(type);
    publish(publisher, body, size);
    struct child child = start("dds_bridge", "--out=/sample", side_domain_option(), NULL);
    dds_entity_t reader =
        side_reader("rt/sample", descriptor, (struct side_qos){.transient_local = true});
    assert_int_equal(side_take(reader, check, SIDE_PATIENCE_NS), 1);
    assert_int_equal(stop(&child, SIGTERM), 0);
    sl_publisher_close(publisher);
}

static void check_header(const std_msgs_msg_dds__Header_ *header, const char *frame_id)
{
    assert_int_equal(header->stamp.sec, SECONDS);
    assert_int_equal(header->stamp.nanosec, NANOSECONDS);
    assert_string_equal(header->frame_id, frame_id);
}

/* `count` numbers, one apart. */
static void fill(double *numbers, unsigned count, double first)
{
    for (unsigned i = 0; i < count; i++)
        numbers[i] = first + i;
}

static void check_numbers(const double *numbers, unsigned count, double first)
{
    for (unsigned i = 0; i < count; i++)
        assert_true(numbers[i] == first + i);
}

/* Types -----------------------------------------------------------------------------------------*/

static int write_compressed_image(void *to, size_t room, size_t *ret_size)
{
    struct sl_cdr_writer w = sl_cdr_write(to, room);
    assert_int_equal(sl_header_write(&w, STAMP_NS, sl_text("camera")), 0);
    sl_cdr_put_text(&w, sl_text("jpeg"));
    sl_cdr_put_u32(&w, 201);
    for (unsigned i = 0; i < 201; i++)
        sl_cdr_put_u8(&w, (uint8_t)(7 * i));
    *ret_size = sl_cdr_written(&w);
    return sl_message_write_result(&w, "sensor_msgs/msg/CompressedImage");
}

static uint32_t check_compressed_image(const void *sample)
{
    const sensor_msgs_msg_dds__CompressedImage_ *image = sample;
    check_header(&image->header, "camera");
    assert_string_equal(image->format, "jpeg");
    assert_int_equal(image->data._length, 201);
    for (unsigned i = 0; i < 201; i++)
        assert_int_equal(image->data._buffer[i], (uint8_t)(7 * i));
    return 1;
}

static int write_camera_info(void *to, size_t room, size_t *ret_size)
{
    struct sl_camera_info info = {
        .stamp_ns = STAMP_NS,
        .frame_id = sl_text("camera"),
        .height = 480,
        .width = 640,
        .distortion_model = sl_text("plumb_bob"),
        .distortion_count = 5,
        .binning_x = 2,
        .binning_y = 4,
        .roi = {.x_offset = 11, .y_offset = 12, .height = 13, .width = 14, .do_rectify = true},
    };
    fill(info.distortion, 5, 0.25);
    fill(info.intrinsic, 9, 100.5);
    fill(info.rectification, 9, 200.5);
    fill(info.projection, 12, 300.5);
    return sl_camera_info_write(&info, to, room, ret_size);
}

static uint32_t check_camera_info(const void *sample)
{
    const sensor_msgs_msg_dds__CameraInfo_ *info = sample;
    check_header(&info->header, "camera");
    assert_int_equal(info->height, 480);
    assert_int_equal(info->width, 640);
    assert_string_equal(info->distortion_model, "plumb_bob");
    assert_int_equal(info->d._length, 5);
    check_numbers(info->d._buffer, 5, 0.25);
    check_numbers(info->k, 9, 100.5);
    check_numbers(info->r, 9, 200.5);
    check_numbers(info->p, 12, 300.5);
    assert_int_equal(info->binning_x, 2);
    assert_int_equal(info->binning_y, 4);
    assert_int_equal(info->roi.x_offset, 11);
    assert_int_equal(info->roi.y_offset, 12);
    assert_int_equal(info->roi.height, 13);
    assert_int_equal(info->roi.width, 14);
    assert_true(info->roi.do_rectify);
    return 1;
}

static int write_navsatfix(void *to, size_t room, size_t *ret_size)
{
    struct sl_navsatfix fix = {.stamp_ns = STAMP_NS,
                               .frame_id = sl_text("gps"),
                               .status = SL_NAVSAT_NO_FIX,
                               .service = 0x0102,
                               .latitude = 48.5,
                               .longitude = -11.25,
                               .altitude = 519.75,
                               .position_covariance_type = SL_NAVSAT_COVARIANCE_KNOWN};
    fill(fix.position_covariance, 9, 400.5);
    return sl_navsatfix_write(&fix, to, room, ret_size);
}

static uint32_t check_navsatfix(const void *sample)
{
    const sensor_msgs_msg_dds__NavSatFix_ *fix = sample;
    check_header(&fix->header, "gps");
    assert_int_equal(fix->status.status, -1);
    assert_int_equal(fix->status.service, 0x0102);
    assert_true(fix->latitude == 48.5 && fix->longitude == -11.25 && fix->altitude == 519.75);
    check_numbers(fix->position_covariance, 9, 400.5);
    assert_int_equal(fix->position_covariance_type, 3);
    return 1;
}

static int write_laser_scan(void *to, size_t room, size_t *ret_size)
{
    static const float ranges[] = {1.5f, 2.5f, 3.5f}, intensities[] = {10, 20, 30};
    const struct sl_laser_scan scan = {.stamp_ns = STAMP_NS,
                                       .frame_id = sl_text("laser"),
                                       .angle_min = -1.5f,
                                       .angle_max = 1.25f,
                                       .angle_increment = 0.5f,
                                       .time_increment = 0.125f,
                                       .scan_time = 0.0625f,
                                       .range_min = 0.75f,
                                       .range_max = 30,
                                       .range_count = 3,
                                       .intensity_count = 3};
    return sl_laser_scan_write(&scan, ranges, intensities, to, room, ret_size);
}

static uint32_t check_laser_scan(const void *sample)
{
    const sensor_msgs_msg_dds__LaserScan_ *scan = sample;
    check_header(&scan->header, "laser");
    assert_true(scan->angle_min == -1.5f && scan->angle_max == 1.25f);
    assert_true(scan->angle_increment == 0.5f && scan->time_increment == 0.125f);
    assert_true(scan->scan_time == 0.0625f);
    assert_true(scan->range_min == 0.75f && scan->range_max == 30);
    assert_int_equal(scan->ranges._length, 3);
    assert_int_equal(scan->intensities._length, 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(scan->ranges._buffer[i] == 1.5f + (float)i);
        assert_true(scan->intensities._buffer[i] == 10 * (float)(i + 1));
    }
    return 1;
}

static void check_transform(const geometry_msgs_msg_dds__TransformStamped_ *t, const char *child,
                            double first)
{
    check_header(&t->header, "base");
    assert_string_equal(t->child_frame_id, child);
    const double numbers[] = {t->transform.translation.x, t->transform.translation.y,
                              t->transform.translation.z, t->transform.rotation.x,
                              t->transform.rotation.y,    t->transform.rotation.z,
                              t->transform.rotation.w};
    check_numbers(numbers, 7, first);
}

static int write_transform_stamped(void *to, size_t room, size_t *ret_size)
{
    double numbers[7];
    struct sl_cdr_writer w = sl_cdr_write(to, room);
    assert_int_equal(sl_header_write(&w, STAMP_NS, sl_text("base")), 0);
    sl_cdr_put_text(&w, sl_text("arm"));
    fill(numbers, 7, 0.5);
    sl_cdr_put_f64s(&w, numbers, 7);
    *ret_size = sl_cdr_written(&w);
    return sl_message_write_result(&w, "geometry_msgs/msg/TransformStamped");
}

static uint32_t check_transform_stamped(const void *sample)
{
    check_transform(sample, "arm", 0.5);
    return 1;
}

static int write_transforms(void *to, size_t room, size_t *ret_size)
{
    static const char *const child[] = {"lidar", "camera_left"};
    struct sl_transform transforms[2];
    for (unsigned i = 0; i < 2; i++) {
        transforms[i] = (struct sl_transform){
            .stamp_ns = STAMP_NS, .frame_id = sl_text("base"), .child_frame_id = sl_text(child[i])};
        fill(transforms[i].translation, 3, 10 * i);
        fill(transforms[i].rotation, 4, 10 * i + 3);
    }
    return sl_transforms_write(transforms, 2, to, room, ret_size);
}

static uint32_t check_transforms(const void *sample)
{
    const tf2_msgs_msg_dds__TFMessage_ *message = sample;
    assert_int_equal(message->transforms._length, 2);
    check_transform(&message->transforms._buffer[0], "lidar", 0);
    check_transform(&message->transforms._buffer[1], "camera_left", 10);
    return 1;
}

static int write_clock(void *to, size_t room, size_t *ret_size)
{
    struct sl_cdr_writer w = sl_cdr_write(to, room);
    assert_int_equal(sl_stamp_write(&w, STAMP_NS), 0);
    *ret_size = sl_cdr_written(&w);
    return sl_message_write_result(&w, "rosgraph_msgs/msg/Clock");
}

static uint32_t check_clock(const void *sample)
{
    const rosgraph_msgs_msg_dds__Clock_ *message = sample;
    assert_int_equal(message->clock.sec, SECONDS);
    assert_int_equal(message->clock.nanosec, NANOSECONDS);
    return 1;
}

#define TYPE(name, package, type)                                                         \
    static void name##_has_its_fields(void **state)                                       \
    {                                                                                     \
        (void)state;                                                                      \
        arrives(#package "/msg/" #type, &package##_msg_dds__##type##__desc, write_##name, \
                check_##name);                                                            \
    }
TYPE(compressed_image, sensor_msgs, CompressedImage)
TYPE(camera_info, sensor_msgs, CameraInfo)
TYPE(navsatfix, sensor_msgs, NavSatFix)
TYPE(laser_scan, sensor_msgs, LaserScan)
TYPE(transform_stamped, geometry_msgs, TransformStamped)
TYPE(transforms, tf2_msgs, TFMessage)
TYPE(clock, rosgraph_msgs, Clock)

/* What nobody knows -----------------------------------------------------------------------------*/

#define OPAQUE   "example/Bytes"
#define BYTES_AT 8u /* in the body, behind their number */
#define LONGEST  100001u

/* Within a ring's entry and beyond it, at every place of a word. */
static const uint32_t lengths[] = {1, 2, 3, 100, 435, 436, 437, 5000, LONGEST};
#define LENGTHS (sizeof lengths / sizeof *lengths)

static uint8_t byte_of(uint32_t length, uint32_t index)
{
    return (uint8_t)((index * 2654435761u + length * 40503u) >> 13);
}

static void check_bytes(const uint8_t *bytes, uint32_t length)
{
    for (uint32_t i = 0; i < length; i++)
        if (bytes[i] != byte_of(length, i))
            fail_msg("byte %u of %u is %u, not %u", i, length, bytes[i], byte_of(length, i));
}

static uint32_t check_sample(const void *sample)
{
    const example_Bytes *message = sample;
    check_bytes(message->data._buffer, message->data._length);
    return message->data._length;
}

static void unknown_types_go_out_as_they_are(void **state)
{
    (void)state;
    static uint8_t body[BYTES_AT + LONGEST] = {0, SL_CDR_LITTLE_ENDIAN};
    struct sl_publisher *publisher = open_topic(OPAQUE);
    struct child child = start("dds_bridge", "--out=/sample", side_domain_option(), NULL);
    dds_entity_t reader =
        side_reader("rt/sample", &example_Bytes_desc, (struct side_qos){.transient_local = true});
    for (unsigned i = 0; i < LENGTHS; i++) {
        sl_put_le32(body + 4, lengths[i]);
        for (uint32_t k = 0; k < lengths[i]; k++)
            body[BYTES_AT + k] = byte_of(lengths[i], k);
        publish(publisher, body, BYTES_AT + lengths[i]);
        assert_int_equal(side_take(reader, check_sample, SIDE_PATIENCE_NS), lengths[i]);
    }
    assert_int_equal(stop(&child, SIGTERM), 0);
    sl_publisher_close(publisher);
}

/* Cyclone fills up to a word. */
static void check_body(const uint8_t *body, size_t size, uint32_t length)
{
    uint32_t pad = (4 - length % 4) % 4;
    assert_int_equal(size, BYTES_AT + length + pad);
    assert_int_equal(body[0], 0);
    assert_int_equal(body[1], SL_CDR_LITTLE_ENDIAN);
    assert_int_equal(sl_get_le32(body + 4), length);
    check_bytes(body + BYTES_AT, length);
    for (uint32_t i = 0; i < pad; i++)
        assert_int_equal(body[BYTES_AT + length + i], 0);
}

static void unknown_types_come_in_as_they_are(void **state)
{
    (void)state;
    static uint8_t bytes[LONGEST];
    struct sl_subscriber *subscriber;
    const struct sl_subscriber_options options = {.topic = "/sample", .type = OPAQUE};
    assert_int_equal(sl_subscriber_open(&options, &subscriber), 0);
    struct child child = start("dds_bridge", "--in=/sample", side_domain_option(), NULL);
    dds_entity_t writer = side_writer("rt/sample", &example_Bytes_desc, (struct side_qos){0});
    side_await_readers(writer, 1);
    for (unsigned i = 0; i < LENGTHS; i++) {
        struct sl_frame frame;
        for (uint32_t k = 0; k < lengths[i]; k++)
            bytes[k] = byte_of(lengths[i], k);
        const example_Bytes sample = {{lengths[i], lengths[i], bytes, false}};
        assert_int_equal(dds_write(writer, &sample), 0);
        while (sl_subscriber_take(subscriber, &frame) == -EAGAIN)
            assert_int_equal(sl_subscriber_wait(subscriber, SIDE_PATIENCE_NS), 0);
        check_body(frame.body, frame.body_length, lengths[i]);
        sl_frame_release(&frame);
    }
    assert_int_equal(stop(&child, SIGTERM), 0);
    sl_subscriber_close(subscriber);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, side_setup, side_teardown)
    const struct CMUnitTest tests[] = {
        CASE(compressed_image_has_its_fields),
        CASE(camera_info_has_its_fields),
        CASE(navsatfix_has_its_fields),
        CASE(laser_scan_has_its_fields),
        CASE(transform_stamped_has_its_fields),
        CASE(transforms_has_its_fields),
        CASE(clock_has_its_fields),
        CASE(unknown_types_go_out_as_they_are),
        CASE(unknown_types_come_in_as_they_are),
    };
    cmocka_set_test_filter(getenv("SLUICE_TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
