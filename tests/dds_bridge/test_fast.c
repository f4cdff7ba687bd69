/* SPDX-License-Identifier: Apache-2.0 */
/* test_fast.c - the program `dds_bridge` and another maker's DDS: clouds, images and measurements
 * of inertial units go from the bus to a program of Fast DDS, which looks at every field and byte
 * and writes them to another topic, from which they come back to the bus. */
#include "core/base/error.h"
#include "core/frame/message.h"
#include "tests/dds_bridge/content.h"
#include "tests/dds_bridge/side.h"
#include "tests/tools/harness.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define LARGEST 300000u
#define TRY_NS  (200 * (int64_t)1000000)

static struct child start_peer(void)
{
    char domain[16], program[512];
    snprintf(domain, sizeof domain, "%u", side_domain());
    snprintf(program, sizeof program, "%s/tests/dds_bridge/fast_peer",
             getenv("SLUICE_BUILD") ? getenv("SLUICE_BUILD") : ".");
    struct child child = start(program, domain, NULL);
    expect_line(&child, "ready");
    return child;
}

/* What goes to and fro. */
struct kind {
    const char *out, *back, *type;
    uint32_t largest; /* bytes; 0 = inline */
    int (*publish)(struct sl_publisher *publisher, uint32_t number, uint32_t size);
    uint32_t (*check)(const struct sl_frame *frame);
};

static const struct kind kinds[] = {
    {"/points", "/back/points", SL_TYPE_POINTCLOUD2, LARGEST, publish_cloud, check_cloud_frame},
    {"/image", "/back/image", SL_TYPE_IMAGE, LARGEST, publish_image, check_image_frame},
    {"/imu", "/back/imu", SL_TYPE_IMU, 0, publish_imu, check_imu_frame},
};
#define KINDS (sizeof kinds / sizeof *kinds)

static struct sl_publisher *open_publisher(const struct kind *kind)
{
    struct sl_publisher *publisher;
    const struct sl_publisher_options options = {.topic = kind->out,
                                                 .type = kind->type,
                                                 .slot_size =
                                                     kind->largest ? kind->largest + 16384 : 0,
                                                 .side_size = kind->largest ? CONTENT_SIDE_SIZE : 0,
                                                 .inline_max = 448,
                                                 .subscribers = 1,
                                                 .quota = 12};
    if (sl_publisher_open(&options, &publisher) < 0)
        fail_msg("%s", sl_error_text());
    return publisher;
}

static struct sl_subscriber *open_subscriber(const char *topic)
{
    struct sl_subscriber *subscriber;
    const struct sl_subscriber_options options = {.topic = topic};
    if (sl_subscriber_open(&options, &subscriber) < 0)
        fail_msg("%s", sl_error_text());
    return subscriber;
}

/* The number of the next message that came back, or -1 if none comes in time. */
static int64_t take(const struct kind *kind, struct sl_subscriber *subscriber, int64_t patience_ns)
{
    struct sl_frame frame;
    int err;
    while ((err = sl_subscriber_take(subscriber, &frame)) == -EAGAIN)
        if (sl_subscriber_wait(subscriber, patience_ns) == -ETIMEDOUT)
            return -1;
    if (err < 0)
        fail_msg("%s", sl_error_text());
    int64_t number = kind->check(&frame);
    sl_frame_release(&frame);
    return number;
}

/* Publish until one comes back, and take all that do. Returns the next number. */
static uint32_t get_going(const struct kind *kind, struct sl_publisher *publisher,
                          struct sl_subscriber *subscriber)
{
    int64_t got = -1;
    uint32_t number = 0;
    for (; got < 0; number++) {
        assert_true(number < 150);
        assert_int_equal(kind->publish(publisher, number, 1000), 0);
        got = take(kind, subscriber, TRY_NS);
    }
    while (got + 1 < number) {
        int64_t next = take(kind, subscriber, SIDE_PATIENCE_NS);
        assert_int_equal(next, got + 1);
        got = next;
    }
    return number;
}

static void goes_and_comes_back(const struct kind *kind, struct sl_publisher *publisher)
{
    static const uint32_t sizes[] = {1000, 60000, LARGEST};
    struct sl_subscriber *subscriber = open_subscriber(kind->back);
    uint32_t number = get_going(kind, publisher, subscriber);
    for (unsigned i = 0; i < 3 * 10; i++, number++) {
        assert_int_equal(kind->publish(publisher, number, sizes[i / 10]), 0);
        assert_int_equal(take(kind, subscriber, SIDE_PATIENCE_NS), number);
    }
    sl_subscriber_close(subscriber);
}

static void messages_go_to_fast_dds_and_back(void **state)
{
    (void)state;
    struct sl_publisher *publisher[KINDS];
    for (unsigned i = 0; i < KINDS; i++)
        publisher[i] = open_publisher(&kinds[i]);
    struct child bridge = start("dds_bridge", "--out", "/(points|image|imu) reliable depth=10",
                                "--in", "/back/.*", side_domain_option(), NULL);
    struct child peer = start_peer();
    for (unsigned i = 0; i < KINDS; i++)
        goes_and_comes_back(&kinds[i], publisher[i]);
    assert_int_equal(stop(&peer, SIGKILL), 256 + SIGKILL); /* it runs still: all were right */
    assert_int_equal(stop(&bridge, SIGTERM), 0);
    for (unsigned i = 0; i < KINDS; i++)
        sl_publisher_close(publisher[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(messages_go_to_fast_dds_and_back, side_setup,
                                        side_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
