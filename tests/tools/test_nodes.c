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

static const struct monitor_wanted cloud_wanted = {SL_TYPE_POINTCLOUD2, NULL};

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
    monitor_check(&cloud_wanted, &frame, &counts);
    monitor_check(&cloud_wanted, &frame, &counts);
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
    monitor_check(&cloud_wanted, &frame, &counts);
    assert_int_equal(counts.fault[MONITOR_DENSE], 1);
    frame = make_frame(&cloud, false);
    frame.stamp_ns++;
    monitor_check(&cloud_wanted, &frame, &counts);
    assert_int_equal(counts.fault[MONITOR_STAMP], 1);
    frame = make_frame(&cloud, false);
    set_float(point_of(&cloud, 7), NAN);
    monitor_check(&cloud_wanted, &frame, &counts);
    assert_int_equal(counts.fault[MONITOR_HALF], 1);
    frame = make_frame(&cloud, false);
    set_float((uint8_t *)point_of(&cloud, 9) + 18, -1e-6f);
    monitor_check(&cloud_wanted, &frame, &counts);
    assert_int_equal(counts.fault[MONITOR_TIME], 1);
    frame = make_frame(&cloud, false);
    frame.body_length = frame.range[0].length = 100;
    monitor_check(&cloud_wanted, &frame, &counts);
    assert_int_equal(counts.fault[MONITOR_UNREADABLE], 1);
    assert_int_equal(monitor_faults(&counts), 5);
    assert_int_equal(counts.frames, 5);
}

/* Patterns */

#define PATTERN_BYTES 100003 /* streamed, not in whole lines */
static uint8_t bytes[PATTERN_BYTES];
static struct sl_pattern_maker maker;
static const struct monitor_wanted pattern_wanted = {SL_TYPE_PATTERN, &maker};

/* A frame of plain bytes as the bus would give it. */
static struct sl_frame make_pattern(uint64_t sequence)
{
    const struct sl_pattern pattern = {
        .key = 5, .sequence = sequence, .stamp_ns = 1000 + sequence, .size_bytes = sizeof bytes};
    assert_int_equal(sl_pattern_begin(&maker, &pattern), 0);
    sl_pattern_make(&maker, 0, bytes, sizeof bytes);
    struct sl_frame frame = {.body = bytes,
                             .body_length = sizeof bytes,
                             .data = bytes,
                             .data_length = sizeof bytes,
                             .range_count = 1,
                             .stamp_ns = pattern.stamp_ns};
    frame.range[0].start = bytes;
    frame.range[0].length = sizeof bytes;
    return frame;
}

static void pattern_is_right_to_its_last_byte_or_a_fault(void **state)
{
    (void)state;
    struct monitor_counts counts = {0};
    for (uint64_t sequence = 1; sequence < 4; sequence++) {
        struct sl_frame frame = make_pattern(sequence);
        monitor_check(&pattern_wanted, &frame, &counts);
    }
    assert_int_equal(counts.patterns, 3);
    assert_int_equal(monitor_faults(&counts), 0);
    struct sl_frame frame = make_pattern(4);
    bytes[sizeof bytes - 1] ^= 1;
    monitor_check(&pattern_wanted, &frame, &counts);
    assert_int_equal(counts.fault[MONITOR_PATTERN], 1);
    uint8_t line[64]; /* left from the frame before */
    make_pattern(4);
    memcpy(line, bytes + 640, sizeof line);
    frame = make_pattern(5);
    memcpy(bytes + 640, line, sizeof line);
    monitor_check(&pattern_wanted, &frame, &counts);
    assert_int_equal(counts.fault[MONITOR_PATTERN], 2);
    assert_int_equal(monitor_faults(&counts), 2);
}

static void frame_that_is_another_s_or_no_pattern_is_a_fault(void **state)
{
    (void)state;
    struct monitor_counts counts = {0};
    struct sl_frame frame = make_pattern(1);
    frame.stamp_ns++; /* right, but not the one that was announced */
    monitor_check(&pattern_wanted, &frame, &counts);
    assert_int_equal(counts.fault[MONITOR_STAMP], 1);
    frame = make_pattern(2);
    bytes[0] ^= 1;
    monitor_check(&pattern_wanted, &frame, &counts);
    frame = make_pattern(3);
    frame.data_length--;
    monitor_check(&pattern_wanted, &frame, &counts);
    frame = make_pattern(4);
    frame.data_length = frame.body_length = frame.range[0].length = 63;
    monitor_check(&pattern_wanted, &frame, &counts);
    frame.data = frame.body = NULL;
    frame.data_length = frame.body_length = 0;
    frame.range_count = 0;
    monitor_check(&pattern_wanted, &frame, &counts);
    assert_int_equal(counts.fault[MONITOR_NO_PATTERN], 4);
    assert_int_equal(monitor_faults(&counts), 5);
    assert_int_equal(counts.patterns, 1);
}

/* Obstacles */

static int find(const struct sl_pointcloud2 *cloud, const struct nearest_limits *limits,
                struct nearest_sectors *sectors)
{
    struct nearest_search search;
    int err = nearest_begin(&search, cloud, limits, sectors);
    if (err == 0) /* in two runs */
        nearest_look(&search, cloud->data, 100);
    if (err == 0)
        nearest_look(&search, cloud->data + 100 * cloud->point_step,
                     cloud->width * cloud->height - 100);
    return err;
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
    assert_int_equal(find(&cloud, &all, &sectors), 0);
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
    assert_int_equal(find(&cloud, &far, &sectors), 0);
    assert_true(fabs(nearest_least(&sectors, &sector) - 4) < 1e-6);
    const struct nearest_limits above = {.z_min_m = 1.5, .z_max_m = 2};
    assert_int_equal(find(&cloud, &above, &sectors), 0);
    assert_true(isinf(nearest_least(&sectors, &sector)));
    cloud.field_count = 2;
    assert_true(find(&cloud, &far, &sectors) < 0);
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
        cmocka_unit_test(pattern_is_right_to_its_last_byte_or_a_fault),
        cmocka_unit_test(frame_that_is_another_s_or_no_pattern_is_a_fault),
        cmocka_unit_test(nearest_is_found_in_its_sector),
        cmocka_unit_test(limits_leave_out_ground_ceiling_and_the_vehicle),
        CASE(monitor_ends_when_enough_frames_came),
        CASE(monitor_reads_gathered_clouds_in_place),
        CASE(monitor_fails_on_faulty_frames_and_on_missing_ones),
        CASE(nearest_publishes_the_distance_inline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
