/* SPDX-License-Identifier: Apache-2.0 */
/* test_driver_livox.c - the real program on the packets of a simulated Mid-360.
 */
#include "tests/lidar/driving.h"

#include <math.h>
#include <string.h>

#include "core/frame/imu.h"
#include "core/frame/laser_scan.h"

#define IMU_TOPIC "/lidar/imu"

static unsigned read_frame(const struct sl_frame *frame)
{
    struct sl_pointcloud2 cloud;
    assert_int_equal(sl_pointcloud2_read(frame->body, frame->body_length, &cloud), 0);
    assert_int_equal(cloud.width, 96);
    assert_int_equal(cloud.data_size, cloud.width * cloud.height * 22);
    for (unsigned i = 0; i < cloud.width * cloud.height; i++) {
        struct cloud_point p = cloud_point(&cloud, i / 96, i % 96);
        assert_int_equal(p.ring, i % 96 % 4);
        assert_true(p.time >= 0 && p.time < 0.1005f);
        assert_true(p.z > -2 && p.z < 3);
    }
    return cloud.height;
}

static void points_come_in_frames_of_a_period(void **state)
{
    struct driving *d = *state;
    struct sl_subscriber *points = subscribe(POINTS_TOPIC, SL_LOSSLESS);
    struct sl_frame frame;
    unsigned frames = 0, rows = 0, whole = 0;
    DRIVE(&d->driver[0], "--source=sim", "--model=mid-360", "--rate=0", "--block",
          "--sim-packets=1000", "--wait-for-subscribers=1");
    await_publisher(points);
    while (next_frame(points, &frame)) {
        unsigned height = read_frame(&frame);
        bool is_whole = !(frame.flags & SL_MESSAGE_PARTIAL);
        assert_true(!is_whole || height == 208 || height == 209);
        assert_int_equal(frame.clock, SL_CLOCK_GPS);
        assert_int_equal(frame.stamp_ns % 100000000, 0);
        whole += is_whole;
        rows += height;
        sl_frame_release(&frame);
        frames++;
    }
    sl_subscriber_close(points);
    assert_int_equal(driver_finish(&d->driver[0]), 0);
    assert_int_equal(rows, 1000);
    assert_true(frames == 5 || frames == 6);
    assert_true(whole >= frames - 2);
    driver_said(&d->driver[0], "packets of a Mid-360");
    driver_said(&d->driver[0], "from 1000 data and 100 telemetry packets; lost: nothing");
    domain_is_empty(d);
}

static void imu_has_a_topic(void **state)
{
    struct driving *d = *state;
    struct sl_frame frame;
    struct sl_imu imu;
    struct sl_subscriber *motion = subscribe(IMU_TOPIC, SL_KEEP_LAST);
    DRIVE(&d->driver[0], "--source=sim", "--model=mid-360", "--frame-id=mast", "--roll=90",
          "--sim-packets=2000");
    await_publisher(motion);
    for (unsigned i = 0; i < 20; i++) {
        assert_true(next_frame(motion, &frame));
        assert_int_equal(sl_imu_read(frame.body, frame.body_length, &imu), 0);
        /* it lies on its side: what was up is to the right */
        assert_true(fabs(imu.linear_acceleration[1] + 9.80665) < 1e-4);
        assert_true(fabs(imu.linear_acceleration[2]) < 1e-4);
        assert_int_equal(imu.frame_id.size, 4);
        assert_true(imu.orientation_covariance[0] == -1);
        sl_frame_release(&frame);
    }
    sl_subscriber_close(motion);
    assert_int_equal(driver_finish(&d->driver[0]), 0);
    domain_is_empty(d);
}

static void without_imu_there_is_no_such_topic(void **state)
{
    struct driving *d = *state;
    DRIVE(&d->driver[0], "--source=sim", "--model=mid-360", "--imu=false", "--rate=0",
          "--sim-packets=300", "--frame-period=20ms", "--confidence=high", "--check-crc");
    assert_int_equal(driver_finish(&d->driver[0]), 0);
    driver_said(&d->driver[0], "from 300 data and 30 telemetry packets");
    domain_is_empty(d);
}

/* Ahead, but for a box; two of four lasers. Returns how many points there are. */
static unsigned look_at_filtered(const struct sl_pointcloud2 *cloud)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < cloud->width * cloud->height; i++) {
        struct cloud_point p = cloud_point(cloud, i / 96, i % 96);
        if (isnan(p.x))
            continue;
        assert_true(fabs(atan2((double)p.y, (double)p.x)) < 60.01 * 3.14159265 / 180);
        assert_true(p.x > 3 || fabsf(p.y) > 2);
        assert_true(p.ring == 1 || p.ring == 3);
        kept++;
    }
    return kept;
}

/* The nearest point of the band, whatever its ray. */
static void look_at_scan(const struct sl_laser_scan *scan, const struct sl_pointcloud2 *cloud)
{
    double nearest = INFINITY, seen = INFINITY;
    for (unsigned i = 0; i < cloud->width * cloud->height; i++) {
        struct cloud_point p = cloud_point(cloud, i / 96, i % 96);
        if (p.z >= -0.5f && p.z <= 0.5f)
            nearest = fmin(nearest, hypot((double)p.x, (double)p.y));
    }
    for (uint32_t i = 0; i < scan->range_count; i++)
        seen = fmin(seen, (double)sl_laser_scan_range(scan, i));
    assert_true(isfinite(seen) && fabs(nearest - seen) < 1e-5);
}

/* Packets that are lost have no row: a scan's time is not looked for beyond those that came. */
static void filters_and_scans_are_for_it_too(void **state)
{
    struct driving *d = *state;
    struct sl_subscriber *scans = subscribe("/lidar/scan", SL_LOSSLESS);
    struct sl_subscriber *points;
    struct sl_frame frame, scan_frame;
    struct sl_pointcloud2 cloud;
    struct sl_laser_scan scan;
    unsigned frames = 0, kept = 0, valid = 0;
    DRIVE(&d->driver[0], "--source=sim", "--model=mid-360", "--rate=0", "--block",
          "--sim-packets=1000", "--sim-faults=loss=0.2", "--wait-for-subscribers=1", "--fov=-60:60",
          "--exclude-box=-1:3,-2:2,-9:9", "--rings=1,3", "--scan-band=-0.5:0.5");
    await_publisher(scans);
    points = subscribe(POINTS_TOPIC, SL_LOSSLESS); /* the last: it begins with this one */
    first_frame(points, &frame);
    do {
        assert_true(next_frame(scans, &scan_frame));
        assert_int_equal(sl_pointcloud2_read(frame.body, frame.body_length, &cloud), 0);
        assert_int_equal(sl_laser_scan_read(scan_frame.body, scan_frame.body_length, &scan), 0);
        valid = look_at_filtered(&cloud);
        assert_true(scan.scan_time == cloud_point(&cloud, cloud.height - 1, 0).time);
        if (valid > 100)
            look_at_scan(&scan, &cloud);
        kept += valid;
        frames++;
        sl_frame_release(&frame);
        sl_frame_release(&scan_frame);
    } while (next_frame(points, &frame));
    sl_subscriber_close(points);
    sl_subscriber_close(scans);
    assert_int_equal(driver_finish(&d->driver[0]), 0);
    assert_true(frames >= 5 && kept > 1000);
    driver_said(&d->driver[0], " returns were filtered");
    domain_is_empty(d);
}

static void options_that_do_not_fit_a_livox_are_refused(void **state)
{
    struct driving *d = *state;
    DRIVE(&d->driver[0], "--source=sim", "--model=hap");
    assert_int_equal(driver_finish(&d->driver[0]), 1);
    driver_said(&d->driver[0], "no hap is simulated");
    DRIVE(&d->driver[0], "--model=mid-360", "--calibration=x.csv");
    assert_int_equal(driver_finish(&d->driver[0]), 1);
    driver_said(&d->driver[0], "option --calibration");
    DRIVE(&d->driver[0], "--source=sim", "--model=mid-360", "--sim-return=dual");
    assert_int_equal(driver_finish(&d->driver[0]), 1);
    driver_said(&d->driver[0], "strongest return only");
    DRIVE(&d->driver[0], "--model=mid-360", "--frame-period=0");
    assert_int_not_equal(driver_finish(&d->driver[0]), 0);
    driver_said(&d->driver[0], "--frame-period");
    domain_is_empty(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, driving_setup, driving_teardown)
        TEST(points_come_in_frames_of_a_period),           TEST(imu_has_a_topic),
        TEST(without_imu_there_is_no_such_topic),          TEST(filters_and_scans_are_for_it_too),
        TEST(options_that_do_not_fit_a_livox_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
