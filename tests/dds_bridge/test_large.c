/* SPDX-License-Identifier: Apache-2.0 */
/* test_large.c - the program `dds_bridge` and messages of 8 and 32 MB: holds stay bounded beside a
 * reader that is slow, and end with one that is killed; late joiners get what is kept. */
#include "core/frame/message.h"
#include "tests/dds_bridge/content.h"
#include "tests/dds_bridge/flow.h"
#include "tests/dds_bridge/side.h"
#include "tests/tools/harness.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>

enum {
    MB = 1 << 20,
    QUOTA = 3,
};

static const uint32_t sizes[] = {8 * MB, 32 * MB};
#define SIZES (sizeof sizes / sizeof *sizes)

static struct sl_publisher *open_with_quota(uint32_t size, uint32_t quota, bool lossless)
{
    return flow_open((struct sl_publisher_options){.topic = "/points",
                                                   .type = SL_TYPE_POINTCLOUD2,
                                                   .slot_size = size + 16384,
                                                   .subscribers = 1,
                                                   .quota = quota,
                                                   .lossless = lossless,
                                                   .lossless_timeout_ns = SIDE_PATIENCE_NS});
}

static struct sl_publisher *open_large(uint32_t size, bool lossless)
{
    return open_with_quota(size, QUOTA, lossless);
}

static dds_entity_t open_reader(int depth)
{
    return side_reader("rt/points", CLOUD, (struct side_qos){.depth = depth});
}

static uint32_t begin(struct sl_publisher *publisher, dds_entity_t reader, uint32_t size)
{
    return flow_begin(publisher, publish_cloud, reader, check_cloud, size, 0);
}

static void large_messages_arrive_whole(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SIZES; i++) {
        struct sl_publisher *publisher = open_large(sizes[i], false);
        dds_entity_t reader = open_reader(2);
        struct child child = flow_bridge("/points reliable depth=1");
        flow_pass(publisher, publish_cloud, reader, check_cloud, sizes[i], 3);
        assert_int_equal(stop(&child, SIGTERM), 0);
        sl_publisher_close(publisher);
        dds_delete(reader);
    }
}

/* What a stopped reader has not got is held, and not one more; the others' messages are dropped,
 * and the last one comes when it goes on. */
static void stopped_reader_holds_few(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SIZES; i++) {
        struct sl_publisher *publisher = open_large(sizes[i], false);
        dds_entity_t reader = open_reader(2);
        struct child child = flow_bridge("/points reliable depth=10");
        uint32_t number = begin(publisher, reader, sizes[i]);
        struct child slow = flow_start_reader();
        freeze(slow.pid);
        for (uint32_t end = number + 4 * QUOTA; number < end; number++) {
            assert_int_equal(publish_cloud(publisher, number, sizes[i]), 0);
            assert_true(flow_held(publisher) <= QUOTA);
            poll(NULL, 0, 5);
        }
        side_await_counter("/points -> DDS rt/points", "full", 1);
        assert_true(flow_held(publisher) > 0);
        kill(slow.pid, SIGCONT);
        flow_await_held(publisher, 0);
        assert_int_equal(publish_cloud(publisher, number, sizes[i]), 0);
        while (side_take(reader, check_cloud, SIDE_PATIENCE_NS) != number)
            ;
        stop(&slow, SIGKILL);
        assert_int_equal(stop(&child, SIGTERM), 0);
        sl_publisher_close(publisher);
        dds_delete(reader);
    }
}

/* All that was published arrives, in order, as the publisher waits for the slowest reader. */
static void publisher_waits_for_a_stopped_reader(void **state)
{
    (void)state;
    struct sl_publisher *publisher = open_large(sizes[0], true);
    dds_entity_t reader = open_reader(100);
    struct child child = flow_bridge("/points reliable when-full=block");
    uint32_t number = begin(publisher, reader, sizes[0]), first = number;
    struct child slow = flow_start_reader();
    freeze(slow.pid);
    int err;
    while ((err = publish_cloud(publisher, number, sizes[0])) == 0 && number < first + 100)
        number++;
    assert_int_equal(err, -EAGAIN);
    kill(slow.pid, SIGCONT);
    for (uint32_t end = number + 4; number < end; number++)
        while ((err = publish_cloud(publisher, number, sizes[0])) == -EAGAIN)
            assert_int_equal(sl_publisher_wait(publisher, SIDE_PATIENCE_NS), 0);
    for (uint32_t next = first; next < number; next++)
        assert_int_equal(side_take(reader, check_cloud, SIDE_PATIENCE_NS), next);
    flow_await_held(publisher, 0);
    assert_int_equal(stop(&child, SIGTERM), 0);
    sl_publisher_close(publisher);
}

static void killed_reader_leaves_no_hold(void **state)
{
    (void)state;
    struct sl_publisher *publisher = open_large(sizes[1], false);
    dds_entity_t reader = open_reader(2);
    struct child child = flow_bridge("/points reliable depth=2");
    uint32_t number = begin(publisher, reader, sizes[1]);
    /* without a sign of life for so long it counts no more; Cyclone's own time is 10 s */
    flow_configure("<Discovery><LeaseDuration>2s</LeaseDuration></Discovery>");
    struct child killed = flow_start_reader();
    assert_int_equal(publish_cloud(publisher, number++, sizes[1]), 0);
    stop(&killed, SIGKILL);
    for (uint32_t end = number + QUOTA; number < end; number++)
        assert_int_equal(publish_cloud(publisher, number, sizes[1]), 0);
    flow_await_held(publisher, 0);
    assert_int_equal(publish_cloud(publisher, number, sizes[1]), 0);
    while (side_take(reader, check_cloud, SIDE_PATIENCE_NS) != number)
        ;
    assert_int_equal(stop(&child, SIGTERM), 0);
    sl_publisher_close(publisher);
}

/* The quota is more than the bridge may hold, so that nothing is copied however late a reader
 * acknowledges. */
static void late_joiner_gets_what_is_kept(void **state)
{
    (void)state;
    const struct side_qos qos = {.transient_local = true};
    struct sl_publisher *publisher = open_with_quota(sizes[0], 2 * QUOTA, false);
    struct child child = flow_bridge("/points transient-local depth=2");
    dds_entity_t first = side_reader("rt/points", CLOUD, qos);
    uint32_t number = begin(publisher, first, sizes[0]);
    for (uint32_t end = number + 4; number < end; number++) {
        assert_int_equal(publish_cloud(publisher, number, sizes[0]), 0);
        assert_int_equal(side_take(first, check_cloud, SIDE_PATIENCE_NS), number);
    }
    dds_entity_t second = side_reader("rt/points", CLOUD, qos);
    for (uint32_t n = number - 2; n < number; n++)
        assert_int_equal(side_take(second, check_cloud, SIDE_PATIENCE_NS), n);
    flow_await_held(publisher, 2);
    assert_int_equal(flow_held(publisher), 2); /* for whoever joins later */
    assert_int_equal(stop(&child, SIGTERM), 0);
    flow_await_held(publisher, 0);
    sl_publisher_close(publisher);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, side_setup, side_teardown)
    const struct CMUnitTest tests[] = {
        CASE(large_messages_arrive_whole),          CASE(stopped_reader_holds_few),
        CASE(publisher_waits_for_a_stopped_reader), CASE(killed_reader_leaves_no_hold),
        CASE(late_joiner_gets_what_is_kept),
    };
    cmocka_set_test_filter(getenv("SLUICE_TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
