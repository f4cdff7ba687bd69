/* SPDX-License-Identifier: Apache-2.0 */
#include "core/frame/schema.h"
#include "core/frame/velodyne_scan.h"
#include "core/frame/walk.h"
#include "tests/frame/exact.h"

#include <errno.h>

#define PACKETS_MAX 5
/* frame_id "velodyne": 12 to 24, padding to 28, count; packets from 32 on */
#define PREFIX_SIZE 32

static const uint8_t prefix_of_two[PREFIX_SIZE] = {
    0, 1, 0, 0,                                                     /*  0 encapsulation */
    1, 0, 0, 0, 2,   0,   0,   0,                                   /*  4 sec, nanosec */
    9, 0, 0, 0, 'v', 'e', 'l', 'o', 'd', 'y', 'n', 'e', 0, 0, 0, 0, /* 12 frame_id */
    2, 0, 0, 0,                                                     /* 28 packets */
};

static struct sl_velodyne_scan scan_of(uint32_t count)
{
    return (struct sl_velodyne_scan){
        .stamp_ns = 1000000002, .frame_id = sl_text("velodyne"), .packet_count = count};
}

static uint8_t payload_byte(uint32_t packet, size_t index)
{
    return (uint8_t)(index * 7 + packet * 31);
}

static int64_t packet_stamp(uint32_t packet)
{
    return INT64_C(3000000000) * (packet + 1) + packet;
}

/* Packets first, prefix last, as a driver does. Returns the body's size. */
static size_t write_scan(uint8_t *slot, size_t room, uint32_t count)
{
    struct sl_velodyne_scan scan = scan_of(count);
    uint8_t *at = slot + sl_velodyne_scan_prefix_size(&scan);
    for (uint32_t p = 0; p < count; p++) {
        uint8_t payload[SL_VELODYNE_PACKET_SIZE];
        for (size_t i = 0; i < sizeof payload; i++)
            payload[i] = payload_byte(p, i);
        struct sl_velodyne_packet packet = {packet_stamp(p), payload};
        assert_int_equal(sl_velodyne_packet_write(&packet, at), 0);
        at += SL_VELODYNE_PACKET_STRIDE;
    }
    assert_int_equal(sl_velodyne_scan_write_prefix(&scan, slot, room), 0);
    return sl_velodyne_scan_body_size(&scan);
}

static void scan_has_the_bytes_of_the_rules(void **state)
{
    (void)state;
    uint8_t slot[PREFIX_SIZE + 2 * 1216];
    memset(slot, 0xaa, sizeof slot);
    assert_int_equal(write_scan(slot, sizeof slot, 2), 32 + 1216 + 1214);
    assert_memory_equal(slot, prefix_of_two, PREFIX_SIZE);
    static const uint8_t first_stamp[8] = {3};
    static const uint8_t second_stamp[8] = {6, 0, 0, 0, 1};
    static const uint8_t padding[2] = {0};
    assert_memory_equal(slot + 32, first_stamp, 8);
    for (size_t i = 0; i < 1206; i++)
        assert_int_equal(slot[40 + i], payload_byte(0, i));
    assert_memory_equal(slot + 32 + 1214, padding, 2);
    assert_memory_equal(slot + 32 + 1216, second_stamp, 8);
    for (size_t i = 0; i < 1206; i++)
        assert_int_equal(slot[32 + 1216 + 8 + i], payload_byte(1, i));
    assert_memory_equal(slot + 32 + 1216 + 1214, padding, 2); /* the slot's */
}

static void expect_scan(const uint8_t *body, size_t size, uint32_t count)
{
    struct sl_velodyne_scan scan;
    assert_int_equal(sl_velodyne_scan_read(body, size, &scan), 0);
    assert_int_equal(scan.packet_count, count);
    assert_int_equal(scan.stamp_ns, 1000000002);
    assert_true(sl_text_is(scan.frame_id, "velodyne"));
    for (uint32_t p = 0; p < count; p++) {
        struct sl_velodyne_packet packet = sl_velodyne_scan_packet(&scan, p);
        assert_true(packet.stamp_ns == packet_stamp(p));
        for (size_t i = 0; i < SL_VELODYNE_PACKET_SIZE; i++)
            assert_int_equal(packet.bytes[i], payload_byte(p, i));
    }
    const struct sl_schema *schema = sl_schema_find(SL_TYPE_VELODYNE_SCAN);
    size_t used = 0;
    assert_int_equal(sl_message_walk(schema, body, size, NULL, &used), 0);
    assert_int_equal(used, size);
}

static void scan_of_any_number_of_packets_comes_back(void **state)
{
    (void)state;
    for (uint32_t count = 0; count <= PACKETS_MAX; count++) {
        uint8_t slot[PREFIX_SIZE + PACKETS_MAX * SL_VELODYNE_PACKET_STRIDE];
        size_t size = write_scan(slot, sizeof slot, count);
        assert_int_equal(size, 32 + (count > 0 ? (count - 1) * 1216 + 1214 : 0));
        uint8_t *body = exact_copy(slot, size);
        expect_scan(body, size, count);
        free(body);
    }
}

static void big_endian_scan_is_read(void **state)
{
    (void)state;
    uint8_t body[PREFIX_SIZE + SL_VELODYNE_PACKET_CDR_SIZE] = {
        0,   0,   0,   0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 9, 'v', 'e', 'l', 'o',  'd',
        'y', 'n', 'e', 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0,   0,   4,   0xff, 0xee};
    struct sl_velodyne_scan scan;
    assert_int_equal(sl_velodyne_scan_read(body, sizeof body, &scan), 0);
    assert_int_equal(scan.packet_count, 1);
    struct sl_velodyne_packet packet = sl_velodyne_scan_packet(&scan, 0);
    assert_true(packet.stamp_ns == INT64_C(3000000004));
    assert_int_equal(packet.bytes[0], 0xff);
    assert_int_equal(packet.bytes[1], 0xee);
}

static void prefix_is_a_multiple_of_4_for_any_frame_id(void **state)
{
    (void)state;
    static const char name[] = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnop";
    for (size_t frame_size = 0; frame_size <= 40; frame_size++) {
        struct sl_velodyne_scan scan = {.frame_id = {name, frame_size}};
        uint8_t prefix[128];
        size_t size = sl_velodyne_scan_prefix_size(&scan);
        assert_int_equal(size % 4, 0);
        assert_int_equal(sl_velodyne_scan_write_prefix(&scan, prefix, size), 0);
        assert_int_equal(sl_velodyne_scan_write_prefix(&scan, prefix, size - 1), -ENOSPC);
        assert_int_equal(sl_velodyne_scan_read(prefix, size, &scan), 0);
        assert_int_equal(scan.frame_id.size, frame_size);
    }
}

static void scan_that_is_cut_anywhere_is_refused(void **state)
{
    (void)state;
    uint8_t slot[PREFIX_SIZE + 2 * SL_VELODYNE_PACKET_STRIDE];
    size_t whole = write_scan(slot, sizeof slot, 2);
    for (size_t size = 0; size < whole; size++) {
        uint8_t *body = exact_copy(slot, size);
        struct sl_velodyne_scan scan;
        assert_int_equal(sl_velodyne_scan_read(body, size, &scan), -EBADMSG);
        free(body);
    }
}

static void scan_that_cannot_be_is_not_written(void **state)
{
    (void)state;
    uint8_t to[SL_VELODYNE_PACKET_STRIDE] = {0};
    struct sl_velodyne_scan scan = scan_of(UINT32_MAX);
    assert_int_equal(sl_velodyne_scan_write_prefix(&scan, to, sizeof to), -EOVERFLOW);
    scan = scan_of(1);
    scan.stamp_ns = -1;
    assert_int_equal(sl_velodyne_scan_write_prefix(&scan, to, sizeof to), -ERANGE);
    static const uint8_t payload[SL_VELODYNE_PACKET_SIZE];
    struct sl_velodyne_packet packet = {-1, payload};
    assert_int_equal(sl_velodyne_packet_write(&packet, to), -ERANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scan_has_the_bytes_of_the_rules),
        cmocka_unit_test(scan_of_any_number_of_packets_comes_back),
        cmocka_unit_test(big_endian_scan_is_read),
        cmocka_unit_test(prefix_is_a_multiple_of_4_for_any_frame_id),
        cmocka_unit_test(scan_that_is_cut_anywhere_is_refused),
        cmocka_unit_test(scan_that_cannot_be_is_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
