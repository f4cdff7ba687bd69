/* SPDX-License-Identifier: Apache-2.0 */
/* test_nodes.c - the nodes monitor and nearest: what they find in a message, and as processes. */
#include "tests/tools/harness.h"

#include "core/base/yaml.h"
#include "nodes/monitor/check.h"
#include "nodes/nearest/sectors.h"
#include "tests/tools/cloud.h"

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A whole message -------------------------------------------------------------------------------*/

static uint8_t body[8192];

/* A frame as the bus would give it, over `body`. */
static struct sl_frame make_frame(struct sl_pointcloud2 *cloud, bool is_dense)
{
    static uint8_t data[TEST_CLOUD_BYTES];
    test_cloud(cloud, 5000000000, data);
    cloud->is_dense = is_dense;
    size_t prefix = sl_pointcloud2_prefix_size(cloud);
    assert_int_equal(sl_pointcloud2_write_prefix(cloud, body, prefix), 0);
    memcpy(body + prefix, data, sizeof data);
    assert_int_equal(sl_pointcloud2_write_suffix(cloud, body + prefix + sizeof data, 4), 0);
    struct sl_frame frame = {.body = body,
                             .body_length = sl_pointcloud2_body_size(cloud),
                             .range_count = 1,
                             .stamp_ns = 5000000000};
    frame.range[0].start = body;
    frame.range[0].length = frame.body_length;
    return frame;
}

static float *point_of(struct sl_pointcloud2 *cloud, unsigned index)
{
    return (float *)(void *)(body + sl_pointcloud2_prefix_size(cloud) +
                             (size_t)index * TEST_CLOUD_STEP);
}

static void set_float(void *to, float value)
{
    memcpy(to, &value, sizeof value);
}

static void good_cloud_has_no_fault_and_its_points_are_counted(void **state)
{
    (void)state;
    struct sl_pointcloud2 cloud;
    struct monitor_counts counts = {0};
    struct sl_frame frame = make_frame(&cloud, false);
    monitor_check(SL_TYPE_POINTCLOUD2, &frame, &counts);
    monitor_check(SL_TYPE_POINTCLOUD2, &frame, &counts);
    assert_int_equal(counts.frames, 2);
    assert_int_equal(counts.points, 2 * (TEST_CLOUD_VALID + 1));
    assert_int_equal(counts.valid, 2 * TEST_CLOUD_VALID);
    assert_int_equal(monitor_faults(&counts), 0);
}

static void each_fault_is_counted_by_its_reason(void **state)
{
    (void)state;
    struct sl_pointcloud2 cloud;
    struct monitor_counts counts = {0};
    struct sl_frame frame = make_frame(&cloud, true); /* there is an invalid point */
    monitor_check(SL_TYPE_POINTCLOUD2, &frame, &counts);
    assert_int_equal(counts.fault[MONITOR_DENSE], 1);
    frame = make_frame(&cloud, false);
    frame.stamp_ns++;
    monitor_check(SL_TYPE_POINTCLOUD2, &frame, &counts);
    assert_int_equal(counts.fault[MONITOR_STAMP], 1);
    frame = make_frame(&cloud, false);
    set_float(point_of(&cloud, 7), NAN);
    monitor_check(SL_TYPE_POINTCLOUD2, &frame, &counts);
    assert_int_equal(counts.fault[MONITOR_HALF], 1);
    frame = make_frame(&cloud, false);
    set_float((uint8_t *)point_of(&cloud, 9) + 18, -1e-6f);
    monitor_check(SL_TYPE_POINTCLOUD2, &frame, &counts);
    assert_int_equal(counts.fault[MONITOR_TIME], 1);
    frame = make_frame(&cloud, false);
    frame.body_length = frame.range[0].length = 100;
    monitor_check(SL_TYPE_POINTCLOUD2, &frame, &counts);
    assert_int_equal(counts.fault[MONITOR_UNREADABLE], 1);
    assert_int_equal(monitor_faults(&counts), 5);
    assert_int_equal(counts.frames, 5);
}

static void nearest_is_found_in_its_sector(void **state)
{
    (void)state;
    uint8_t data[TEST_CLOUD_BYTES];
    struct sl_pointcloud2 cloud;
    test_cloud(&cloud, 0, data);
    const struct nearest_limits all = {.range_min_m = 0.5, .z_min_m = -1, .z_max_m = 2};
    struct nearest_sectors sectors = {.count = 4};
    unsigned sector;
    assert_int_equal(nearest_find(&cloud, &all, &sectors), 0);
    assert_int_equal(sectors.points, TEST_CLOUD_VALID);
    assert_true(nearest_least(&sectors, &sector) == 3);
    assert_int_equal(sector, 3); /* right, a hair ahead of 270 degrees or on it */
    assert_true(fabs(sectors.distance_m[0] - 4) < 1e-6); /* the wall, left half */
    assert_true(isinf(sectors.distance_m[1]) && isinf(sectors.distance_m[2]));
}

static void limits_leave_out_ground_ceiling_and_the_vehicle(void **state)
{
    (void)state;
    uint8_t data[TEST_CLOUD_BYTES];
    struct sl_pointcloud2 cloud;
    test_cloud(&cloud, 0, data);
    struct nearest_sectors sectors = {.count = 1};
    unsigned sector;
    const struct nearest_limits far = {.range_min_m = 3.5, .z_min_m = -1, .z_max_m = 2};
    assert_int_equal(nearest_find(&cloud, &far, &sectors), 0);
    assert_true(fabs(nearest_least(&sectors, &sector) - 4) < 1e-6);
    const struct nearest_limits above = {.z_min_m = 1.5, .z_max_m = 2};
    assert_int_equal(nearest_find(&cloud, &above, &sectors), 0);
    assert_true(isinf(nearest_least(&sectors, &sector)));
    cloud.field_count = 2;
    assert_true(nearest_find(&cloud, &far, &sectors) < 0);
}

/* Processes -------------------------------------------------------------------------------------*/

static void monitor_ends_when_enough_frames_came(void **state)
{
    (void)state;
    publisher("cloud", "/points");
    struct run r =
        run("monitor", "--topics", "/points", "--expect-frames", "5", "--within", "25s", NULL);
    assert_int_equal(r.status, 0);
    assert_has(r.err, "/points: 5 frames, 1240 points (1235 valid), lost 0");
    assert_has(r.err, "faults 0, latency us p50 ");
    run_free(&r);
}

static void monitor_reads_gathered_clouds_in_place(void **state)
{
    (void)state;
    publisher("gathered", "/points");
    struct run r =
        run("monitor", "--topics", "/points", "--expect-frames", "3", "--within", "25s", NULL);
    assert_int_equal(r.status, 0);
    assert_has(r.err, "/points: 3 frames, 744 points (741 valid), lost 0");
    run_free(&r);
}

static void monitor_fails_on_faulty_frames_and_on_missing_ones(void **state)
{
    (void)state;
    publisher("bad", "/points");
    struct run r = run("monitor", "--topics", "/points", "--expect-frames", "2", NULL);
    assert_int_equal(r.status, 1);
    assert_has(r.err, "2 faults in 2 frames");
    assert_has(r.err, "unreadable 2");
    run_free(&r);
    r = run("monitor", "--topics", "/nothing", "--expect-frames", "1", "--within", "100ms", NULL);
    assert_int_equal(r.status, 1);
    assert_has(r.err, "0 of 1 frames came in time");
    run_free(&r);
}

static void nearest_publishes_the_distance_inline(void **state)
{
    (void)state;
    publisher("cloud", "/points");
    start("nearest", "--topic", "/points", "--sectors", "4", NULL);
    struct run r = run("sluice", "topic", "echo", "/nearest/nearest", "--once", NULL);
    assert_int_equal(r.status, 0);
    assert_string_equal(r.out, "data: 3.0\n---\n");
    run_free(&r);
    r = run("sluice", "topic", "echo", "/nearest/sectors", "--once", "--json", NULL);
    struct sl_yaml *json = json_parse(r.out);
    assert_string_equal(json_text(json, "message.layout.dim.0.label"), "sector");
    assert_true(json_number(json, "message.data.0") == 4);
    assert_string_equal(json_text(json, "message.data.1"), "Infinity");
    assert_true(json_number(json, "message.data.3") == 3);
    sl_yaml_destroy(json);
    run_free(&r);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_cloud_has_no_fault_and_its_points_are_counted),
        cmocka_unit_test(each_fault_is_counted_by_its_reason),
        cmocka_unit_test(nearest_is_found_in_its_sector),
        cmocka_unit_test(limits_leave_out_ground_ceiling_and_the_vehicle),
        CASE(monitor_ends_when_enough_frames_came),
        CASE(monitor_reads_gathered_clouds_in_place),
        CASE(monitor_fails_on_faulty_frames_and_on_missing_ones),
        CASE(nearest_publishes_the_distance_inline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
