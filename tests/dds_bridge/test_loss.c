/* SPDX-License-Identifier: Apache-2.0 */
/* test_loss.c - the program `dds_bridge` and a reader on two machines (network namespaces) with a
 * bad cable between them: each side loses every twentieth packet that it is sent. */
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/frame/message.h"
#include "tests/dds_bridge/content.h"
#include "tests/dds_bridge/loss.h"
#include "tests/dds_bridge/side.h"
#include "tests/lidar/veth.h"
#include "tests/tools/harness.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

#define CLOUD     &sensor_msgs_msg_dds__PointCloud2__desc
#define SECOND_NS (int64_t) SL_NS_PER_S
#define SIZE      65536u /* of a cloud: some 50 packets */
#define CLOUDS    40
#define PERCENT   5

static struct veth veth;

/* The reader's side is the sensors'. What this process starts runs on the host's. */
static int setup(void **state)
{
    veth_enter_sensors(&veth);
    int err = side_setup_between(state, VETH_HOST, VETH_SENSOR);
    veth_leave(&veth);
    return err;
}

static void publish(struct sl_publisher *publisher, uint32_t number)
{
    int err;
    while ((err = publish_cloud(publisher, number, SIZE)) == -EAGAIN)
        assert_int_equal(sl_publisher_wait(publisher, 30 * SECOND_NS), 0);
    assert_int_equal(err, 0);
}

/* Publish until one arrives: from then on none may be missing. Returns its number. */
static uint32_t get_going(struct sl_publisher *publisher, dds_entity_t reader, uint32_t *ret_next)
{
    uint64_t until_ns = sl_clock_monotonic_ns() + (uint64_t)SIDE_PATIENCE_NS;
    int64_t got = -1;
    for (*ret_next = 0; got < 0; (*ret_next)++) {
        if (sl_clock_monotonic_ns() > until_ns)
            fail_msg("nothing of %u messages arrived", *ret_next);
        publish(publisher, *ret_next);
        got = side_take(reader, check_cloud, DDS_MSECS(200));
    }
    return (uint32_t)got;
}

static void reliable_topic_arrives_whole_and_in_order(void **state)
{
    (void)state;
    const struct sl_publisher_options options = {.topic = "/points",
                                                 .type = SL_TYPE_POINTCLOUD2,
                                                 .slot_size = SIZE + 16384,
                                                 .side_size = CONTENT_SIDE_SIZE,
                                                 .subscribers = 1,
                                                 .quota = 4,
                                                 .lossless = true,
                                                 .lossless_timeout_ns = 60 * SECOND_NS};
    struct sl_publisher *publisher;
    if (sl_publisher_open(&options, &publisher) < 0)
        fail_msg("%s", sl_error_text());
    dds_entity_t reader = side_reader("rt/points", CLOUD, (struct side_qos){.depth = 2 * CLOUDS});
    struct child child = start("dds_bridge", "--out", "/points reliable when-full=block",
                               side_domain_option(), NULL);
    uint32_t next, expected = get_going(publisher, reader, &next) + 1;
    for (uint32_t end = next + CLOUDS; next < end; next++)
        publish(publisher, next);
    for (; expected < next; expected++)
        assert_int_equal(side_take(reader, check_cloud, SIDE_PATIENCE_NS), expected);
    assert_true(loss_count() > 0);
    veth_enter_sensors(&veth);
    assert_true(loss_count() > CLOUDS); /* most of them had lost a packet */
    veth_leave(&veth);
    assert_int_equal(stop(&child, SIGTERM), 0);
    sl_publisher_close(publisher);
}

static int skipped(const char *reason)
{
    printf("SKIP: %s\n", reason);
    return 77;
}

int main(void)
{
    char reason[256];
    if (veth_open(&veth, reason, sizeof reason) < 0)
        return skipped(reason);
    veth_enter_sensors(&veth);
    int err = loss_open(VETH_SENSOR_INTERFACE, PERCENT, reason, sizeof reason);
    veth_leave(&veth);
    if (err == 0)
        err = loss_open(VETH_HOST_INTERFACE, PERCENT, reason, sizeof reason);
    if (err < 0)
        return skipped(reason);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reliable_topic_arrives_whole_and_in_order, setup,
                                        side_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
