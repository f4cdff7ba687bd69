/* SPDX-License-Identifier: Apache-2.0 */
/* test_transport.c - what is different over iceoryx: which way a message comes, and who meets whom.
 * That everything else is the same, the other programs of this folder show by running over both.
 */
#include "tests/shm/support.h"

#include "core/shm/subscriber.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct sl_inbox *inbox_of(struct sl_subscriber *s)
{
    assert_int_equal(s->link_count, 1);
    assert_non_null(s->link[0]->reader.inbox);
    return s->link[0]->reader.inbox;
}

/* From here on everything that is sent comes by the queue. */
static void await_connected(struct sl_subscriber *s)
{
    struct sl_frame f;
    assert_int_equal(sl_subscriber_take(s, &f), -EAGAIN);
    await(sl_iceoryx_receiver_is_connected(inbox_of(s)->queue));
}

static void messages_come_by_the_queue(void **state)
{
    (void)state;
    struct sl_publisher *p =
        publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE, .bus = SL_BUS_ICEORYX});
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){.bus = SL_BUS_ICEORYX});
    await_connected(s);
    for (uint64_t i = 1; i <= 1000; i++) {
        assert_ok(publish(p, i, 1000));
        assert_int_equal(take_and_release(s), i);
    }
    assert_int_equal(inbox_of(s)->received, 1000);
    sl_subscriber_close(s);
    sl_publisher_close(p);
}

static void inline_and_gathered_bodies_come_whole_by_the_queue(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){
        .slot_size = SLOT_SIZE, .side_size = 64, .inline_max = 448, .bus = SL_BUS_ICEORYX});
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){.bus = SL_BUS_ICEORYX});
    await_connected(s);
    struct sl_frame f;
    unsigned char body[448];
    for (size_t length = 0; length <= sizeof body; length += 64) {
        pattern_fill(body, length, length);
        assert_ok(sl_publisher_publish_inline(p, body, length, &(struct sl_message){0}));
        assert_ok(sl_subscriber_take(s, &f));
        assert_int_equal(f.body_length, length);
        assert_int_equal(pattern_check(f.body, length, length), -1);
        sl_frame_release(&f);
    }
    struct sl_loan loan;
    assert_ok(sl_publisher_loan(p, &loan));
    memcpy(loan.side, "prefix and suffix", 17);
    pattern_fill((char *)loan.data + 100, 2000, 7);
    const struct sl_range ranges[] = {
        {SL_AREA_SIDE, 0, 6}, {SL_AREA_SLOT, 100, 2000}, {SL_AREA_SIDE, 11, 6}};
    const struct sl_message m = {.ranges = ranges, .range_count = 3};
    assert_ok(sl_publisher_publish(p, &loan, &m));
    assert_ok(sl_subscriber_take(s, &f));
    assert_int_equal(f.range_count, 3);
    assert_memory_equal(f.range[0].start, "prefix", 6);
    assert_int_equal(pattern_check(f.range[1].start, 2000, 7), -1);
    assert_memory_equal(f.range[2].start, "suffix", 6);
    sl_frame_release(&f);
    assert_int_equal(inbox_of(s)->received, 448 / 64 + 2);
    sl_subscriber_close(s);
    sl_publisher_close(p);
}

static void what_the_queue_dropped_is_found_in_the_ring(void **state)
{
    (void)state;
    enum {
        COUNT = 2 * SL_ICEORYX_QUEUE
    };
    struct sl_publisher *p =
        publisher_of((struct sl_publisher_options){.ring = 1024, .bus = SL_BUS_ICEORYX});
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){.bus = SL_BUS_ICEORYX});
    await_connected(s);
    unsigned char body[16];
    for (uint64_t i = 1; i <= COUNT; i++) {
        pattern_fill(body, sizeof body, i);
        assert_ok(
            sl_publisher_publish_inline(p, body, sizeof body, &(struct sl_message){.stamp_ns = i}));
    }
    for (uint64_t i = 1; i <= COUNT; i++)
        assert_int_equal(take_and_release(s), i);
    assert_int_equal(lost_in_all(s), 0);
    assert_in_range(inbox_of(s)->received, 1, SL_ICEORYX_QUEUE);
    sl_subscriber_close(s);
    sl_publisher_close(p);
}

static void history_is_the_ring_s(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of(
        (struct sl_publisher_options){.slot_size = SLOT_SIZE, .retain = 5, .bus = SL_BUS_ICEORYX});
    for (uint64_t i = 1; i <= 20; i++)
        assert_ok(publish(p, i, 100));
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){.bus = SL_BUS_ICEORYX});
    for (uint64_t i = 16; i <= 20; i++)
        assert_int_equal(take_and_release(s), i);
    assert_int_equal(inbox_of(s)->received, 0);
    await_connected(s);
    assert_ok(publish(p, 21, 100));
    assert_int_equal(take_and_release(s), 21);
    assert_int_equal(inbox_of(s)->received, 1);
    sl_subscriber_close(s);
    sl_publisher_close(p);
}

static void a_native_subscriber_reads_an_iceoryx_publisher(void **state)
{
    (void)state;
    struct sl_publisher *p =
        publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE, .bus = SL_BUS_ICEORYX});
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){.bus = SL_BUS_NATIVE});
    assert_ok(publish(p, 1, 100));
    assert_int_equal(take_and_release(s), 1);
    assert_null(s->link[0]->reader.inbox);
    sl_subscriber_close(s);
    sl_publisher_close(p);
}

static void an_iceoryx_subscriber_is_told_of_a_native_publisher(void **state)
{
    (void)state;
    struct sl_publisher *p =
        publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE, .bus = SL_BUS_NATIVE});
    struct sl_subscriber *s = NULL;
    const struct sl_subscriber_options options = {.topic = TOPIC, .bus = SL_BUS_ICEORYX};
    assert_int_equal(sl_subscriber_open(&options, &s), -EPROTONOSUPPORT);
    assert_has(sl_error_text(), "--bus iceoryx");
    assert_has(sl_error_text(), "--bus native");
    await(status_of(p).subscribers == 0);
    sl_publisher_close(p);
}

static void the_variable_chooses_where_the_options_do_not(void **state)
{
    (void)state;
    enum sl_bus bus;
    const char *before = getenv("SLUICE_BUS");
    char kept[16];
    snprintf(kept, sizeof kept, "%s", before ? before : "native");
    unsetenv("SLUICE_BUS");
    assert_ok(sl_bus_choose(SL_BUS_DEFAULT, &bus));
    assert_int_equal(bus, SL_BUS_NATIVE);
    setenv("SLUICE_BUS", "iceoryx", 1);
    assert_ok(sl_bus_choose(SL_BUS_DEFAULT, &bus));
    assert_int_equal(bus, SL_BUS_ICEORYX);
    assert_ok(sl_bus_choose(SL_BUS_NATIVE, &bus));
    assert_int_equal(bus, SL_BUS_NATIVE);
    setenv("SLUICE_BUS", "icoryx", 1);
    assert_int_equal(sl_bus_choose(SL_BUS_DEFAULT, &bus), -EINVAL);
    assert_has(sl_error_text(), "icoryx");
    assert_int_equal(sl_bus_choose((enum sl_bus)9, &bus), -EINVAL);
    setenv("SLUICE_BUS", kept, 1);
}

int main(void)
{
    if (!sl_iceoryx_is_there()) {
        printf("SKIP: built without iceoryx\n");
        return 77;
    }
    setenv("SLUICE_BUS", "iceoryx", 1); /* for support.c; each test says what it wants */
#define TEST(name) cmocka_unit_test_setup_teardown(name, shm_setup, shm_teardown)
    const struct CMUnitTest tests[] = {
        TEST(messages_come_by_the_queue),
        TEST(inline_and_gathered_bodies_come_whole_by_the_queue),
        TEST(what_the_queue_dropped_is_found_in_the_ring),
        TEST(history_is_the_ring_s),
        TEST(a_native_subscriber_reads_an_iceoryx_publisher),
        TEST(an_iceoryx_subscriber_is_told_of_a_native_publisher),
        TEST(the_variable_chooses_where_the_options_do_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
