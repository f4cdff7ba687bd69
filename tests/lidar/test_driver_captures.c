/* SPDX-License-Identifier: Apache-2.0 */
/* test_driver_captures.c - the real program on real captures; the counts are those of
 * test_velodyne_captures.c. */
#include "tests/lidar/driving.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[3000];

static void find_data(void)
{
    const char *data = getenv("SLUICE_TEST_DATA");
    const char *source = getenv("SLUICE_SOURCE");
    if (data)
        snprintf(folder, sizeof folder, "%s/lidar/velodyne", data);
    else
        snprintf(folder, sizeof folder, "%s/../shared/data/lidar/velodyne", source ? source : ".");
}

struct expectation {
    const char *file;
    unsigned frames;
    const unsigned *returns; /* of each frame, or NULL */
    const char *said;
};

static void replay(struct driving *d, const struct expectation *e)
{
    struct driver *driver = &d->driver[0];
    char option[4096];
    snprintf(option, sizeof option, "--capture=%s/%s", folder, e->file);
    struct sl_subscriber *points = subscribe(POINTS_TOPIC, SL_LOSSLESS);
    DRIVE(driver, option, "--rate=0", "--block", "--wait-for-subscribers=1");
    await_publisher(points);
    struct sl_pointcloud2 cloud;
    struct sl_frame frame;
    unsigned count = 0;
    while (next_frame(points, &frame)) {
        assert_int_equal(frame.seq, count + 1);
        assert_int_equal(frame.lost_before, 0);
        read_cloud(&frame, 1, &cloud);
        if (e->returns)
            assert_int_equal(cloud_returns(&cloud), e->returns[count]);
        sl_frame_release(&frame);
        count++;
    }
    sl_subscriber_close(points);
    assert_int_equal(driver_finish(driver), 0);
    assert_int_equal(count, e->frames);
    driver_said(driver, "packets of a VLP-16");
    driver_said(driver, e->said);
    driver_said(driver, "lost: nothing");
    domain_is_empty(d);
}

static void vlp16_with_gps_gives_its_five_pieces(void **state)
{
    static const unsigned returns[] = {14522, 18549, 18554, 18494, 3367};
    replay(*state, &(struct expectation){"mrpt/sample_velodyne_vlp16_gps.pcap", 5, returns,
                                         "from 293 data and 57 telemetry packets"});
}

static void early_firmwares_capture_gives_fifty_two_frames(void **state)
{
    replay(*state, &(struct expectation){"veloview/vlp-16-test-90deg-1-50-frames.pcap", 52, NULL,
                                         "from 1902 data and 367 telemetry packets"});
}

static void another_sensors_capture_is_refused_by_name(void **state)
{
    struct driving *d = *state;
    char option[4096];
    snprintf(option, sizeof option, "--capture=%s/mrpt/sample_velodyne_hdl32.pcap", folder);
    DRIVE(&d->driver[0], option, "--rate=0");
    assert_int_equal(driver_finish(&d->driver[0]), 1);
    driver_said(&d->driver[0], "HDL-32E, which cannot be decoded");
    domain_is_empty(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, driving_setup, driving_teardown)
        TEST(vlp16_with_gps_gives_its_five_pieces),
        TEST(early_firmwares_capture_gives_fifty_two_frames),
        TEST(another_sensors_capture_is_refused_by_name),
    };
    find_data();
    if (access(folder, R_OK) != 0) {
        printf("SKIP: no lidar captures in %s (set SLUICE_TEST_DATA)\n", folder);
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
