/* SPDX-License-Identifier: Apache-2.0 */
/* sensor_msgs/msg/Image and CameraInfo. */
#include "core/frame/image.h"
#include "core/frame/schema.h"
#include "core/frame/walk.h"
#include "tests/frame/exact.h"

#include <assert.h>
#include <errno.h>

/* The numbers at the right are offsets in the body. */
static const uint8_t vector[] = {
    0, 1, 0, 0,                        /*  0 encapsulation */
    1, 0, 0, 0, 2,   0,   0,   0,      /*  4 sec, nanosec */
    4, 0, 0, 0, 'c', 'a', 'm', 0,      /* 12 frame_id */
    2, 0, 0, 0, 3,   0,   0,   0,      /* 20 height, width */
    5, 0, 0, 0, 'r', 'g', 'b', '8', 0, /* 28 encoding */
    0, 0, 0,                           /* 37 is_bigendian, 2 of padding */
    9, 0, 0, 0, 18,  0,   0,   0,      /* 40 step, size of data */
    1, 2, 3, 4, 5,   6,   7,   8,   9, 10, 11, 12, 13, 14, 15, 16, 17, 18,
};
#define PREFIX_SIZE 48
static_assert(sizeof vector == PREFIX_SIZE + 18, "counted by hand");

static struct sl_image image_of_vector(void)
{
    return (struct sl_image){
        .stamp_ns = 1000000002,
        .frame_id = sl_text("cam"),
        .height = 2,
        .width = 3,
        .encoding = sl_text("rgb8"),
        .step = 9,
        .data_size = 18,
    };
}

static void image_is_read_without_copying(void **state)
{
    (void)state;
    struct sl_image image;
    assert_int_equal(sl_image_read(vector, sizeof vector, &image), 0);
    assert_int_equal(image.stamp_ns, 1000000002);
    assert_true(sl_text_is(image.frame_id, "cam"));
    assert_int_equal(image.height, 2);
    assert_int_equal(image.width, 3);
    assert_true(sl_text_is(image.encoding, "rgb8"));
    assert_false(image.is_bigendian);
    assert_int_equal(image.step, 9);
    assert_int_equal(image.data_size, 18);
    assert_ptr_equal(image.data, vector + PREFIX_SIZE);
}

static void image_prefix_has_the_bytes_of_the_rules(void **state)
{
    (void)state;
    struct sl_image image = image_of_vector();
    uint8_t prefix[PREFIX_SIZE];
    memset(prefix, 0xaa, sizeof prefix);
    assert_int_equal(sl_image_prefix_size(&image), PREFIX_SIZE);
    assert_int_equal(sl_image_body_size(&image), sizeof vector);
    assert_int_equal(sl_image_write_prefix(&image, prefix, sizeof prefix), 0);
    assert_memory_equal(prefix, vector, PREFIX_SIZE);
    for (size_t room = 0; room < PREFIX_SIZE; room++)
        assert_int_equal(sl_image_write_prefix(&image, prefix, room), -ENOSPC);
}

static void image_that_is_cut_anywhere_is_refused(void **state)
{
    (void)state;
    for (size_t size = 0; size < sizeof vector; size++) {
        uint8_t *body = exact_copy(vector, size);
        struct sl_image image;
        assert_int_equal(sl_image_read(body, size, &image), -EBADMSG);
        free(body);
    }
}

enum {
    DATA_OFFSET = 4096,
    DATA_SIZE = 6
};

static void expect_in_place(const struct sl_image *image)
{
    static uint8_t slot[DATA_OFFSET + DATA_SIZE];
    size_t prefix_size = sl_image_prefix_size(image);
    assert_int_equal(prefix_size % 4, 0);
    uint8_t *body = slot + DATA_OFFSET - prefix_size;
    size_t size = sl_image_body_size(image);
    assert_int_equal(sl_image_write_prefix(image, body, prefix_size), 0);
    struct sl_image read;
    assert_int_equal(sl_image_read(body, size, &read), 0);
    assert_ptr_equal(read.data, slot + DATA_OFFSET);
    assert_int_equal(read.frame_id.size, image->frame_id.size);
    assert_int_equal(read.encoding.size, image->encoding.size);
    size_t used;
    assert_int_equal(sl_message_walk(sl_schema_find(SL_TYPE_IMAGE), body, size, NULL, &used), 0);
    assert_int_equal(used, size);
}

static void pixels_start_at_a_multiple_of_4_whatever_the_names(void **state)
{
    (void)state;
    static const char name[] = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnop";
    for (size_t frame_size = 0; frame_size <= 40; frame_size++) {
        for (size_t encoding_size = 0; encoding_size <= 16; encoding_size++) {
            struct sl_image image = {.frame_id = {name, frame_size},
                                     .encoding = {name, encoding_size},
                                     .height = 2,
                                     .width = 3,
                                     .step = 3,
                                     .data_size = DATA_SIZE};
            expect_in_place(&image);
        }
    }
}

static void pixels_beyond_the_data_are_refused(void **state)
{
    (void)state;
    uint8_t body[sizeof vector];
    struct sl_image image;
    memcpy(body, vector, sizeof body);
    sl_put_le32(body + 20, 3); /* height */
    assert_int_equal(sl_image_read(body, sizeof body, &image), -EBADMSG);
    sl_put_le32(body + 20, UINT32_MAX);
    sl_put_le32(body + 40, UINT32_MAX); /* step: the product has 64 bits */
    assert_int_equal(sl_image_read(body, sizeof body, &image), -EBADMSG);
    sl_put_le32(body + 40, 0);
    assert_int_equal(sl_image_read(body, sizeof body, &image), -EBADMSG);
    image = image_of_vector();
    image.data_size = 17;
    assert_int_equal(sl_image_write_prefix(&image, body, sizeof body), -EINVAL);
    image = image_of_vector();
    image.data_size = UINT32_MAX;
    assert_int_equal(sl_image_write_prefix(&image, body, sizeof body), -EOVERFLOW);
}

/* CameraInfo, offsets in the body: distortion_model at 28 to 41, count of d at 44, d at 52 (48, the
 * next multiple of 8 counted from 4), k at 68, r at 140, p at 212, binning at 308, roi at 316, end
 * at 333. */
#define CAMERA_INFO_SIZE 333

static const uint8_t one[8] = {0, 0, 0, 0, 0, 0, 0xf0, 0x3f};        /* 1.0 */
static const uint8_t minus_half[8] = {0, 0, 0, 0, 0, 0, 0xe0, 0xbf}; /* -0.5 */

static void make_camera_info_bytes(uint8_t body[CAMERA_INFO_SIZE])
{
    static const uint8_t start[] = {
        0,    1, 0, 0,                                               /*  0 */
        1,    0, 0, 0, 2,    0,   0,   0,                            /*  4 sec, nanosec */
        2,    0, 0, 0, 'c',  0,   0,   0,                            /* 12 frame_id, padding */
        0xe0, 1, 0, 0, 0x80, 2,   0,   0,                            /* 20 height, width */
        10,   0, 0, 0, 'p',  'l', 'u', 'm', 'b', '_', 'b', 'o', 'b', /* 28 distortion_model */
        0,    0, 0,                                                  /* 41 NUL, padding */
        2,    0, 0, 0, 0,    0,   0,   0,                            /* 44 count of d, padding */
    };
    memset(body, 0, CAMERA_INFO_SIZE);
    memcpy(body, start, sizeof start);
    memcpy(body + 52, one, 8);              /* d[0] */
    memcpy(body + 60, minus_half, 8);       /* d[1] */
    memcpy(body + 68, one, 8);              /* k[0] */
    memcpy(body + 68 + 64, one, 8);         /* k[8] */
    memcpy(body + 140 + 32, one, 8);        /* r[4] */
    memcpy(body + 212 + 88, minus_half, 8); /* p[11] */
    body[308] = 3;                          /* binning_x */
    body[312] = 4;                          /* binning_y */
    body[316] = 5;                          /* roi.x_offset */
    body[320] = 6;                          /* roi.y_offset */
    body[324] = 7;                          /* roi.height */
    body[328] = 8;                          /* roi.width */
    body[332] = 1;                          /* roi.do_rectify */
}

static void camera_info_is_read_and_written_by_the_rules(void **state)
{
    (void)state;
    uint8_t bytes[CAMERA_INFO_SIZE];
    make_camera_info_bytes(bytes);
    struct sl_camera_info info;
    assert_int_equal(sl_camera_info_read(bytes, sizeof bytes, &info), 0);
    assert_int_equal(info.height, 480);
    assert_int_equal(info.width, 640);
    assert_true(sl_text_is(info.distortion_model, "plumb_bob"));
    assert_int_equal(info.distortion_count, 2);
    assert_true(info.distortion[0] == 1.0 && info.distortion[1] == -0.5);
    assert_true(info.intrinsic[0] == 1.0 && info.intrinsic[8] == 1.0);
    assert_true(info.rectification[4] == 1.0 && info.projection[11] == -0.5);
    assert_int_equal(info.binning_x, 3);
    assert_int_equal(info.binning_y, 4);
    assert_int_equal(info.roi.x_offset, 5);
    assert_int_equal(info.roi.y_offset, 6);
    assert_int_equal(info.roi.height, 7);
    assert_int_equal(info.roi.width, 8);
    assert_true(info.roi.do_rectify);

    uint8_t written[CAMERA_INFO_SIZE];
    size_t size = 0;
    memset(written, 0xaa, sizeof written);
    assert_int_equal(sl_camera_info_write(&info, written, sizeof written, &size), 0);
    assert_int_equal(size, CAMERA_INFO_SIZE);
    assert_memory_equal(written, bytes, CAMERA_INFO_SIZE);
    assert_int_equal(sl_camera_info_write(&info, written, CAMERA_INFO_SIZE - 1, &size), -ENOSPC);
    info.distortion_count = SL_CAMERA_DISTORTION_MAX + 1;
    assert_int_equal(sl_camera_info_write(&info, written, sizeof written, &size), -EINVAL);
}

static void camera_info_that_is_cut_anywhere_is_refused(void **state)
{
    (void)state;
    uint8_t bytes[CAMERA_INFO_SIZE];
    make_camera_info_bytes(bytes);
    for (size_t size = 0; size < sizeof bytes; size++) {
        uint8_t *body = exact_copy(bytes, size);
        struct sl_camera_info info;
        assert_int_equal(sl_camera_info_read(body, size, &info), -EBADMSG);
        free(body);
    }
}

static void more_distortion_than_possible_is_refused(void **state)
{
    (void)state;
    uint8_t bytes[CAMERA_INFO_SIZE + 8 * SL_CAMERA_DISTORTION_MAX] = {0};
    make_camera_info_bytes(bytes);
    struct sl_camera_info info;
    sl_put_le32(bytes + 44, SL_CAMERA_DISTORTION_MAX);
    assert_int_equal(sl_camera_info_read(bytes, sizeof bytes, &info), 0);
    sl_put_le32(bytes + 44, SL_CAMERA_DISTORTION_MAX + 1);
    assert_int_equal(sl_camera_info_read(bytes, sizeof bytes, &info), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(image_is_read_without_copying),
        cmocka_unit_test(image_prefix_has_the_bytes_of_the_rules),
        cmocka_unit_test(image_that_is_cut_anywhere_is_refused),
        cmocka_unit_test(pixels_start_at_a_multiple_of_4_whatever_the_names),
        cmocka_unit_test(pixels_beyond_the_data_are_refused),
        cmocka_unit_test(camera_info_is_read_and_written_by_the_rules),
        cmocka_unit_test(camera_info_that_is_cut_anywhere_is_refused),
        cmocka_unit_test(more_distortion_than_possible_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
