/* SPDX-License-Identifier: Apache-2.0 */
/* test_render.c - the picture of a cloud, the letters and colours in it. */
#include "tools/render.h"

#include "core/base/error.h"
#include "tests/tools/cloud.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SIZE 400u

static double luminance(const uint8_t *p)
{
    return 0.2126 * p[0] + 0.7152 * p[1] + 0.0722 * p[2];
}

/* The brightest of 3 x 3 pixels around a place in metres. */
static double light_at(const struct sl_canvas *canvas, double range_m, double x_m, double y_m)
{
    /* x up, y to the left, the origin in the middle */
    double scale = canvas->width / (2 * range_m), middle = canvas->width / 2.0;
    int px = (int)(middle - y_m * scale), py = (int)(middle - x_m * scale);
    double best = 0;
    for (int y = py - 1; y <= py + 1; y++)
        for (int x = px - 1; x <= px + 1; x++)
            best =
                fmax(best, luminance(canvas->rgba + 4 * ((size_t)y * canvas->width + (size_t)x)));
    return best;
}

static void wall_appears_where_it_stands(void **state)
{
    (void)state;
    uint8_t data[TEST_CLOUD_BYTES];
    struct sl_pointcloud2 cloud;
    struct sl_canvas canvas;
    struct sl_render_facts facts;
    const struct sl_render_options options = {.size = SIZE, .by = SL_COLOUR_INTENSITY};
    test_cloud(&cloud, 0, data);
    assert_int_equal(sl_render_cloud(&cloud, &options, &canvas, &facts), 0);
    assert_int_equal(facts.points, TEST_CLOUD_VALID);
    assert_int_equal(facts.invalid, 1);
    assert_true(facts.range_m >= 5 && facts.range_m <= 8);
    for (double y = -2.9; y <= 2.9; y += 0.1) /* the wall, from right to left */
        assert_true(light_at(&canvas, facts.range_m, 4, y) > 50);
    assert_true(light_at(&canvas, facts.range_m, 0, -3) > 50);
    /* nothing there: neither behind, nor mirrored */
    assert_true(light_at(&canvas, facts.range_m, -4.3, 2.2) < 40);
    assert_true(light_at(&canvas, facts.range_m, -3.3, -3.4) < 40);
    sl_canvas_finish(&canvas);
}

static void colour_follows_the_chosen_field(void **state)
{
    (void)state;
    uint8_t data[TEST_CLOUD_BYTES];
    struct sl_pointcloud2 cloud;
    test_cloud(&cloud, 0, data);
    for (int by = SL_COLOUR_INTENSITY; by <= SL_COLOUR_RANGE; by++) {
        struct sl_canvas canvas;
        struct sl_render_facts facts;
        const struct sl_render_options options = {
            .size = SIZE, .range_m = 6, .by = (enum sl_colour_by)by};
        assert_int_equal(sl_render_cloud(&cloud, &options, &canvas, &facts), 0);
        assert_int_equal(facts.by, by);
        double left = light_at(&canvas, 6, 4, 2.5), right = light_at(&canvas, 6, 4, -2.5);
        if (by == SL_COLOUR_INTENSITY)
            assert_true(right > left + 40); /* it rises to the right */
        else
            assert_true(fabs(right - left) < 10); /* the same on both sides */
        sl_canvas_finish(&canvas);
    }
}

static void cloud_without_the_field_is_refused_by_name(void **state)
{
    (void)state;
    uint8_t data[TEST_CLOUD_BYTES];
    struct sl_pointcloud2 cloud;
    struct sl_canvas canvas;
    struct sl_render_facts facts;
    struct sl_render_options options = {.size = SIZE, .by = SL_COLOUR_RING};
    test_cloud(&cloud, 0, data);
    cloud.field_count = 4;
    assert_int_equal(sl_render_cloud(&cloud, &options, &canvas, &facts), -ENOENT);
    assert_non_null(strstr(sl_error_text(), "no field ring; it has x, y, z, intensity"));
    cloud.field_count = 3;
    options.by = SL_COLOUR_AUTO;
    assert_int_equal(sl_render_cloud(&cloud, &options, &canvas, &facts), 0);
    assert_int_equal(facts.by, SL_COLOUR_HEIGHT);
    sl_canvas_finish(&canvas);
    cloud.field_count = 2;
    assert_int_equal(sl_render_cloud(&cloud, &options, &canvas, &facts), -ENOENT);
}

static void empty_and_odd_clouds_make_pictures_too(void **state)
{
    (void)state;
    uint8_t data[TEST_CLOUD_BYTES];
    struct sl_pointcloud2 cloud;
    struct sl_canvas canvas;
    struct sl_render_facts facts;
    const struct sl_render_options options = {.size = 64, .title = "/a topic with \xff"};
    test_cloud(&cloud, INT64_MAX, data);
    cloud.height = 0;
    cloud.data_size = 0;
    assert_int_equal(sl_render_cloud(&cloud, &options, &canvas, &facts), 0);
    assert_int_equal(facts.points, 0);
    sl_canvas_finish(&canvas);
    test_cloud(&cloud, 0, data);
    for (unsigned i = 0; i < TEST_CLOUD_BYTES; i += TEST_CLOUD_STEP) { /* huge, but finite */
        float far = 3e38f;
        memcpy(data + i, &far, sizeof far);
        memcpy(data + i + 12, &(float){INFINITY}, sizeof far);
    }
    assert_int_equal(sl_render_cloud(&cloud, &options, &canvas, &facts), 0);
    sl_canvas_finish(&canvas);
}

static void colours_grow_lighter_evenly(void **state)
{
    (void)state;
    double before = 0, least = 1e9, most = 0;
    for (int i = 0; i <= 20; i++) {
        struct sl_colour c = sl_colour_scale(i / 20.0);
        double light = luminance((uint8_t[]){c.r, c.g, c.b});
        if (i > 0) {
            least = fmin(least, light - before);
            most = fmax(most, light - before);
        }
        before = light;
    }
    assert_true(least > 3 && most < 15);
    struct sl_colour nothing = sl_colour_scale(NAN), low = sl_colour_scale(0);
    assert_memory_equal(&nothing, &low, sizeof low);
}

static void text_is_drawn_and_cut_at_the_edges(void **state)
{
    (void)state;
    struct sl_canvas canvas;
    assert_int_equal(sl_canvas_init(&canvas, 64, 64, (struct sl_colour){0, 0, 0}), 0);
    const struct sl_colour white = {255, 255, 255};
    assert_int_equal(sl_canvas_text(&canvas, 1, 1, 1, white, "1l"), 12);
    assert_int_equal(canvas.rgba[4 * (1 * 64 + 3)], 255); /* the top of the 1 */
    assert_int_equal(canvas.rgba[4 * (1 * 64 + 1)], 0);
    sl_canvas_text(&canvas, 50, -3, 3, white, "/lidar/points 123 ~");
    sl_canvas_text(&canvas, -100000, 60, 2, white, "out");
    sl_canvas_finish(&canvas);
    assert_int_equal(sl_canvas_init(&canvas, 63, 64, white), -EINVAL);
    assert_int_equal(sl_canvas_init(&canvas, 64, 100000, white), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wall_appears_where_it_stands),
        cmocka_unit_test(colour_follows_the_chosen_field),
        cmocka_unit_test(cloud_without_the_field_is_refused_by_name),
        cmocka_unit_test(empty_and_odd_clouds_make_pictures_too),
        cmocka_unit_test(colours_grow_lighter_evenly),
        cmocka_unit_test(text_is_drawn_and_cut_at_the_edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
