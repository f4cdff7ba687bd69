/* SPDX-License-Identifier: Apache-2.0 */
/* test_driver_captures.c - the real program on real captures; the counts are those of
 * test_velodyne_captures.c. */
#include "tests/lidar/driving.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "core/base/error.h"
#include "core/frame/nebula_packets.h"

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
    const char *model; /* as people write it */
    const char *option;
    unsigned rings, returns_a_shot;
    unsigned frames;
    const unsigned *returns; /* of each frame, or NULL */
    const char *said;
};

static void replay(struct driving *d, const struct expectation *e)
{
    struct driver *driver = &d->driver[0];
    char option[4096], model[64], told[64], returns[64];
    snprintf(option, sizeof option, "--capture=%s/%s", folder, e->file);
    snprintf(model, sizeof model, "--model=%s", e->option);
    snprintf(returns, sizeof returns, "--returns=%u", e->returns_a_shot);
    snprintf(told, sizeof told, "packets of a %s", e->model);
    struct sl_subscriber *points = subscribe(POINTS_TOPIC, SL_LOSSLESS);
    DRIVE(driver, option, model, "--rate=0", "--block", returns, "--slots=8", "--quota=2",
          "--subscribers=1", "--wait-for-subscribers=1");
    await_publisher(points);
    struct sl_pointcloud2 cloud;
    struct sl_frame frame;
    unsigned count = 0;
    while (next_frame(points, &frame)) {
        assert_int_equal(frame.seq, count + 1);
        assert_int_equal(frame.lost_before, 0);
        read_cloud(&frame, e->returns_a_shot, &cloud);
        assert_int_equal(cloud.width, e->rings);
        if (e->returns)
            assert_int_equal(cloud_returns(&cloud), e->returns[count]);
        sl_frame_release(&frame);
        count++;
    }
    sl_subscriber_close(points);
    assert_int_equal(driver_finish(driver), 0);
    assert_int_equal(count, e->frames);
    driver_said(driver, told);
    driver_said(driver, e->said);
    driver_said(driver, "lost: nothing");
    domain_is_empty(d);
}

static void vlp16_with_gps_gives_its_five_pieces(void **state)
{
    static const unsigned returns[] = {14522, 18549, 18554, 18494, 3367};
    replay(*state,
           &(struct expectation){"mrpt/sample_velodyne_vlp16_gps.pcap", "VLP-16", "auto", 16, 1, 5,
                                 returns, "from 293 data and 57 telemetry packets"});
}

static void early_firmwares_capture_gives_fifty_two_frames(void **state)
{
    replay(*state,
           &(struct expectation){"veloview/vlp-16-test-90deg-1-50-frames.pcap", "VLP-16", "vlp-16",
                                 16, 1, 52, NULL, "from 1902 data and 367 telemetry packets"});
}

static void hdl32es_and_vls128s_captures_are_replayed(void **state)
{
    static const struct expectation larger[] = {
        {"mrpt/sample_velodyne_hdl32.pcap", "HDL-32E", "hdl-32e", 32, 1, 4, NULL, "from 500 data"},
        {"derived/nebula_vls128_1614315746471294674.pcap", "VLS-128", "vls-128", 128, 1, 5, NULL,
         "from 2193 data"},
    };
    for (unsigned i = 0; i < sizeof larger / sizeof larger[0]; i++)
        replay(*state, &larger[i]);
}

static void hesais_captures_are_replayed(void **state)
{
    static const struct expectation hesais[] = {
        {"../hesai/derived/nebula_64_1673403880599376836.pcap", "Pandar64", "pandar64", 64, 2, 5,
         NULL, "from 2400 data"},
        {"../hesai/derived/nebula_qt64_1673401195788312575.pcap", "PandarQT64", "qt64", 64, 2, 5,
         NULL, "from 1200 data"},
        {"../hesai/derived/nebula_xt32_1673400677802009732.pcap", "PandarXT32", "xt32", 32, 2, 5,
         NULL, "from 2000 data"},
    };
    for (unsigned i = 0; i < sizeof hesais / sizeof hesais[0]; i++)
        replay(*state, &hesais[i]);
}

/* Checked by the sequence numbers that the sensor itself wrote. Returns the packets. */
static unsigned check_packets(const struct sl_frame *frame, uint32_t *sequence)
{
    struct sl_nebula_packets packets;
    size_t at = 0;
    int64_t last_ns = -1;
    if (sl_nebula_packets_read(frame->body, frame->body_length, &packets) < 0)
        fail_msg("%s", sl_error_text());
    assert_true(sl_text_is(packets.frame_id, "lidar"));
    assert_true((uint64_t)packets.stamp_ns == frame->stamp_ns);
    for (uint32_t i = 0; i < packets.packet_count; i++) {
        struct sl_nebula_packet packet = sl_nebula_packets_next(&packets, &at);
        assert_int_equal(packet.size, 1080);
        assert_memory_equal(packet.bytes, "\xEE\xFF\x06\x01", 4);
        uint32_t number = sl_get_le32(packet.bytes + 12 + 8 * 130 + 24);
        assert_true(*sequence == 0 || number == *sequence + 1);
        assert_true(packet.stamp_ns > last_ns);
        *sequence = number;
        last_ns = packet.stamp_ns;
    }
    return packets.packet_count;
}

static void hesais_packets_are_published_as_they_came(void **state)
{
    struct driving *d = *state;
    struct driver *driver = &d->driver[0];
    char option[4096];
    snprintf(option, sizeof option,
             "--capture=%s/../hesai/derived/nebula_xt32_1673400677802009732.pcap", folder);
    struct sl_subscriber *packets = subscribe(PACKETS_TOPIC, SL_LOSSLESS);
    DRIVE(driver, option, "--model=xt32", "--rate=0", "--block", "--slots=8", "--quota=2",
          "--subscribers=1", "--wait-for-subscribers=1");
    await_publisher(packets);
    struct sl_subscriber *points = subscribe(POINTS_TOPIC, SL_LATEST); /* and now it begins */
    await_publisher(points);
    struct sl_frame frame;
    unsigned turns = 0, count = 0;
    uint32_t sequence = 0;
    while (next_frame(packets, &frame)) {
        assert_int_equal(frame.seq, ++turns);
        count += check_packets(&frame, &sequence);
        sl_frame_release(&frame);
    }
    sl_subscriber_close(packets);
    sl_subscriber_close(points);
    assert_int_equal(driver_finish(driver), 0);
    assert_int_equal(turns, 5);
    assert_int_equal(count, 2000);
    domain_is_empty(d);
}

static void robosenses_capture_is_replayed(void **state)
{
    replay(*state,
           &(struct expectation){
               "../robosense/derived/nebula_helios16P_rosbag2_2023_08_03-11_02_46_0.pcap",
               "RS-Helios-5515", "helios", 32, 1, 7, NULL, "from 750 data and 1 telemetry"});
}

static void another_hesais_capture_is_refused_by_name(void **state)
{
    struct driving *d = *state;
    char option[4096];
    snprintf(option, sizeof option,
             "--capture=%s/../hesai/derived/nebula_xt32_1673400677802009732.pcap", folder);
    DRIVE(&d->driver[0], option, "--rate=0", "--model=qt64", "--slots=8", "--quota=2",
          "--subscribers=1");
    assert_int_equal(driver_finish(&d->driver[0]), 1);
    driver_said(&d->driver[0],
                "the configured model is PandarQT64, but the packets come from a PandarXT32");
    domain_is_empty(d);
}

static void larger_sensors_capture_asks_for_its_name(void **state)
{
    struct driving *d = *state;
    char option[4096];
    snprintf(option, sizeof option, "--capture=%s/mrpt/sample_velodyne_hdl32.pcap", folder);
    DRIVE(&d->driver[0], option, "--rate=0");
    assert_int_equal(driver_finish(&d->driver[0]), 1);
    driver_said(&d->driver[0], "packets come from a HDL-32E");
    driver_said(&d->driver[0], "name the model");
    domain_is_empty(d);
}

static void another_sensors_capture_is_refused_by_name(void **state)
{
    struct driving *d = *state;
    char option[4096];
    snprintf(option, sizeof option, "--capture=%s/mrpt/sample_velodyne_hdl32.pcap", folder);
    DRIVE(&d->driver[0], option, "--rate=0", "--model=vlp-32c");
    assert_int_equal(driver_finish(&d->driver[0]), 1);
    driver_said(&d->driver[0],
                "the configured model is VLP-32C, but the packets come from a HDL-32E");
    domain_is_empty(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, driving_setup, driving_teardown)
        TEST(vlp16_with_gps_gives_its_five_pieces),
        TEST(early_firmwares_capture_gives_fifty_two_frames),
        TEST(hdl32es_and_vls128s_captures_are_replayed),
        TEST(hesais_captures_are_replayed),
        TEST(hesais_packets_are_published_as_they_came),
        TEST(robosenses_capture_is_replayed),
        TEST(another_hesais_capture_is_refused_by_name),
        TEST(larger_sensors_capture_asks_for_its_name),
        TEST(another_sensors_capture_is_refused_by_name),
    };
    find_data();
    if (access(folder, R_OK) != 0) {
        printf("SKIP: no lidar captures in %s (set SLUICE_TEST_DATA)\n", folder);
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
