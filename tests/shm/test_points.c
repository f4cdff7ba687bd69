/* SPDX-License-Identifier: Apache-2.0 */
/* Points of a cloud in one pass, however its rows, pieces and descriptor are. */
#include "core/base/bytes.h"
#include "core/base/error.h"
#include "core/shm/points.h"
#include "tests/shm/link_kind.h"

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DATA_AT    4096u
#define POINT_STEP 22u
#define WIDTH      16u
#define HEIGHT     300u /* 105600 bytes: enough to be streamed */

static uint8_t slot[1 << 18];
static struct sl_points points;

static struct sl_pointcloud2 cloud_of(uint32_t point_step, uint32_t width, uint32_t height)
{
    struct sl_pointcloud2 cloud = {.frame_id = sl_text("lidar"),
                                   .width = width,
                                   .height = height,
                                   .field_count = 1,
                                   .point_step = point_step,
                                   .row_step = point_step * width,
                                   .data_size = point_step * width * height};
    cloud.fields[0] = (struct sl_point_field){sl_text("id"), 2, 1, SL_POINT_UINT32};
    return cloud;
}

/* The message in `slot`, each point with its number in it; `gap` bytes behind each row. */
static struct sl_frame make_frame(const struct sl_pointcloud2 *cloud, uint32_t gap)
{
    uint8_t *data = slot + DATA_AT;
    uint32_t row_step = cloud->row_step + gap, data_size = row_step * cloud->height;
    memset(slot, 0xEE, sizeof slot);
    for (uint32_t i = 0; i < cloud->width * cloud->height; i++)
        sl_put_le32(data + i / cloud->width * row_step + i % cloud->width * cloud->point_step + 2,
                    i);
    size_t prefix = sl_pointcloud2_prefix_size(cloud);
    assert_int_equal(sl_pointcloud2_write_prefix(cloud, data - prefix, prefix), 0);
    sl_put_le32(data - 8, row_step); /* what writers here never do */
    sl_put_le32(data - 4, data_size);
    data[data_size] = 0; /* is_dense */
    struct sl_frame frame = {.body = data - prefix,
                             .body_length = prefix + data_size + 1,
                             .data = data,
                             .data_length = data_size,
                             .range_count = 1};
    frame.range[0].start = frame.body;
    frame.range[0].length = frame.body_length;
    return frame;
}

/* Every point comes once, in order; returns how many came. */
static uint32_t count_points(const struct sl_frame *frame)
{
    uint32_t seen = 0;
    assert_int_equal(sl_points_begin(&points, frame), 0);
    const struct sl_point_field *id = sl_pointcloud2_field(&points.cloud, "id");
    assert_non_null(id);
    while (sl_points_next(&points)) {
        assert_true(points.count > 0);
        for (uint32_t i = 0; i < points.count; i++, seen++)
            assert_true(sl_point_value(id, points.at + i * points.cloud.point_step, false) == seen);
    }
    assert_false(sl_points_next(&points));
    return seen;
}

static void points_come_once_and_in_order_from_any_memory(void **state)
{
    (void)state;
    for (int kind = SL_MEMORY_UNKNOWN; kind <= SL_MEMORY_UC; kind++) {
        struct sl_pointcloud2 cloud = cloud_of(POINT_STEP, WIDTH, HEIGHT);
        struct sl_frame frame = make_frame(&cloud, 0);
        frame.link = link_of_kind((enum sl_memory_kind)kind);
        assert_int_equal(count_points(&frame), WIDTH * HEIGHT);
    }
}

static void points_need_no_data_named_and_may_be_none(void **state)
{
    (void)state;
    struct sl_pointcloud2 cloud = cloud_of(POINT_STEP, WIDTH, HEIGHT);
    struct sl_frame frame = make_frame(&cloud, 0);
    frame.data = NULL;
    frame.data_length = 0;
    assert_int_equal(count_points(&frame), WIDTH * HEIGHT);
    cloud = cloud_of(POINT_STEP, 0, 0);
    frame = make_frame(&cloud, 0);
    assert_int_equal(count_points(&frame), 0);
}

static void gaps_between_rows_are_left_out(void **state)
{
    (void)state;
    struct sl_pointcloud2 cloud = cloud_of(POINT_STEP, WIDTH, HEIGHT);
    struct sl_frame frame = make_frame(&cloud, 9);
    assert_int_equal(count_points(&frame), WIDTH * HEIGHT);
    cloud = cloud_of(2000, 20, 4); /* a row is more than a scan's chunk */
    frame = make_frame(&cloud, 4);
    assert_int_equal(count_points(&frame), 80);
}

static void names_are_out_of_the_publisher_s_reach(void **state)
{
    (void)state;
    const struct sl_pointcloud2 cloud = cloud_of(POINT_STEP, WIDTH, HEIGHT);
    struct sl_frame frame = make_frame(&cloud, 0);
    assert_int_equal(sl_points_begin(&points, &frame), 0);
    memset(slot, 0xEE, DATA_AT);
    assert_true(sl_text_is(points.cloud.frame_id, "lidar"));
    assert_non_null(sl_pointcloud2_field(&points.cloud, "id"));
}

static void points_in_pieces_are_told_and_none_is_given(void **state)
{
    (void)state;
    const struct sl_pointcloud2 cloud = cloud_of(POINT_STEP, WIDTH, HEIGHT);
    struct sl_frame frame = make_frame(&cloud, 0);
    size_t first = frame.body_length - 5000;
    frame.range[1].start = (const uint8_t *)frame.body + first;
    frame.range[1].length = 5000;
    frame.range[0].length = first;
    frame.range_count = 2;
    frame.body = NULL;
    assert_int_equal(sl_points_begin(&points, &frame), 0);
    assert_true(points.is_in_pieces);
    assert_int_equal(points.cloud.width, WIDTH);
    assert_false(sl_points_next(&points));
}

static void what_is_no_cloud_is_refused(void **state)
{
    (void)state;
    struct sl_pointcloud2 cloud = cloud_of(POINT_STEP, WIDTH, HEIGHT);
    struct sl_frame frame = make_frame(&cloud, 0);
    for (size_t cut = 1; cut < 60; cut++) { /* the data named begins inside the prefix */
        frame.data = slot + DATA_AT - cut;
        assert_true(sl_points_begin(&points, &frame) < 0);
    }
    frame = make_frame(&cloud, 0);
    frame.range[0].length = frame.body_length = 50;
    assert_true(sl_points_begin(&points, &frame) < 0);
    frame.range_count = 0;
    frame.body = frame.data = NULL;
    assert_true(sl_points_begin(&points, &frame) < 0);
    cloud = cloud_of(16385, 2, 2);
    frame = make_frame(&cloud, 0);
    assert_int_equal(sl_points_begin(&points, &frame), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(points_come_once_and_in_order_from_any_memory),
        cmocka_unit_test(points_need_no_data_named_and_may_be_none),
        cmocka_unit_test(gaps_between_rows_are_left_out),
        cmocka_unit_test(names_are_out_of_the_publisher_s_reach),
        cmocka_unit_test(points_in_pieces_are_told_and_none_is_given),
        cmocka_unit_test(what_is_no_cloud_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
