/* SPDX-License-Identifier: Apache-2.0 */
/* The capture source over real captures: every datagram that their manifest counts, in time. */
#include "core/base/error.h"
#include "drivers/lidar/source.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char root[512];

static const struct {
    const char *file;
    unsigned data, telemetry;
} captures[] = {
    {"mrpt/sample_velodyne_vlp16_gps.pcap", 293, 57},
    {"mrpt/sample_velodyne_hdl32.pcap", 500, 0},
    {"veloview/vlp-16-test-90deg-1-50-frames.pcap", 1902, 367},
    {"rust-lidar-utils/velodyne_example.pcap", 84, 0},
};
#define CAPTURES (sizeof captures / sizeof captures[0])

static struct lidar_source *open_file(const char *file, bool loop)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/lidar/velodyne/%s", root, file);
    const struct lidar_capture_config config = {
        .path = path, .loop = loop, .ports = {2368, 8308}, .port_count = 2};
    struct lidar_source *source = NULL;
    int err = lidar_source_open_capture(&config, &source);
    if (err < 0)
        print_error("%s\n", sl_error_text());
    assert_int_equal(err, 0);
    return source;
}

static void every_datagram_of_real_captures_is_given(void **state)
{
    (void)state;
    for (unsigned c = 0; c < CAPTURES; c++) {
        struct lidar_source *source = open_file(captures[c].file, false);
        struct sl_datagram batch[LIDAR_SOURCE_BATCH_MAX];
        unsigned data = 0, telemetry = 0;
        int count;
        while ((count = lidar_source_receive(source, batch, LIDAR_SOURCE_BATCH_MAX)) > 0)
            for (int i = 0; i < count; i++) {
                data += batch[i].destination.port == 2368 && batch[i].size_bytes == 1206;
                telemetry += batch[i].destination.port == 8308 && batch[i].size_bytes == 512;
            }
        assert_int_equal(count, -ENODATA);
        assert_int_equal(data, captures[c].data);
        assert_int_equal(telemetry, captures[c].telemetry);
        lidar_source_close(source);
    }
}

static void looped_real_captures_never_go_back_in_time(void **state)
{
    (void)state;
    for (unsigned c = 0; c < CAPTURES; c++) {
        struct lidar_source *source = open_file(captures[c].file, true);
        struct sl_datagram batch[LIDAR_SOURCE_BATCH_MAX];
        const unsigned wanted = 3 * (captures[c].data + captures[c].telemetry);
        uint64_t newest_ns = 0;
        unsigned total = 0;
        while (total < wanted) {
            int count = lidar_source_receive(source, batch, LIDAR_SOURCE_BATCH_MAX);
            assert_true(count > 0);
            for (int i = 0; i < count; i++, total++) {
                assert_true(batch[i].time_ns >= newest_ns);
                newest_ns = batch[i].time_ns;
            }
        }
        lidar_source_close(source);
    }
}

int main(void)
{
    const char *data = getenv("SLUICE_TEST_DATA"), *source = getenv("SLUICE_SOURCE");
    if (data)
        snprintf(root, sizeof root, "%s", data);
    else
        snprintf(root, sizeof root, "%s/../shared/data", source ? source : ".");
    char needed[1024];
    snprintf(needed, sizeof needed, "%s/lidar/velodyne", root);
    if (access(needed, R_OK) < 0) {
        printf("SKIP: the lidar captures are not in %s\n", needed);
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_datagram_of_real_captures_is_given),
        cmocka_unit_test(looped_real_captures_never_go_back_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
