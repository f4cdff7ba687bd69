/* SPDX-License-Identifier: Apache-2.0 */
#include "core/frame/nebula_packets.h"
#include "core/frame/schema.h"
#include "core/frame/walk.h"
#include "tests/frame/exact.h"

#include <errno.h>

#define PREFIX_SIZE 28 /* frame_id "lidar": 12 to 22, padding to 24, count; packets from 28 on */
#define SLOT_SIZE   4096

static const uint8_t prefix_of_two[PREFIX_SIZE] = {
    0, 1, 0, 0,                                   /*  0 encapsulation */
    1, 0, 0, 0, 2,   0,   0,   0,                 /*  4 sec, nanosec */
    6, 0, 0, 0, 'l', 'i', 'd', 'a', 'r', 0, 0, 0, /* 12 frame_id */
    2, 0, 0, 0,                                   /* 24 packets */
};

static const size_t sizes[] = {5, 861, 0, 8, 1127};

static int64_t stamp_of(uint32_t packet)
{
    return INT64_C(3000000000) * (packet + 1) + packet;
}

static uint8_t byte_of(uint32_t packet, size_t at)
{
    return (uint8_t)(at * 7 + packet * 31);
}

/* Packets first, prefix last, as a driver does. Returns the body's size. */
static size_t write_packets(uint8_t *slot, uint32_t count)
{
    struct sl_nebula_packets packets = {
        .stamp_ns = 1000000002, .frame_id = sl_text("lidar"), .packet_count = count};
    uint8_t *first = slot + sl_nebula_packets_prefix_size(&packets), *at = first;
    for (uint32_t p = 0; p < count; p++) {
        uint8_t bytes[SLOT_SIZE];
        for (size_t i = 0; i < sizes[p]; i++)
            bytes[i] = byte_of(p, i);
        struct sl_nebula_packet packet = {stamp_of(p), bytes, (uint32_t)sizes[p]};
        assert_int_equal(sl_nebula_packet_write(&packet, at), 0);
        packets.packets_size = (size_t)(at - first) + sl_nebula_packet_cdr_size(sizes[p]);
        at += sl_nebula_packet_stride(sizes[p]);
    }
    assert_int_equal(sl_nebula_packets_write_prefix(&packets, slot, SLOT_SIZE), 0);
    return sl_nebula_packets_body_size(&packets);
}

static void packets_have_the_bytes_of_the_rules(void **state)
{
    (void)state;
    uint8_t slot[SLOT_SIZE];
    memset(slot, 0xaa, sizeof slot);
    assert_int_equal(write_packets(slot, 2), 28 + (12 + 5 + 3) + 12 + 861);
    assert_memory_equal(slot, prefix_of_two, PREFIX_SIZE);
    static const uint8_t first[20] = {3, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 7, 14, 21, 28};
    static const uint8_t second[13] = {6, 0, 0, 0, 1, 0, 0, 0, 0x5D, 3, 0, 0, 31};
    assert_memory_equal(slot + 28, first, sizeof first);
    assert_memory_equal(slot + 48, second, sizeof second);
}

static void packets_of_any_size_come_back(void **state)
{
    (void)state;
    for (uint32_t count = 0; count <= 5; count++) {
        uint8_t slot[SLOT_SIZE];
        size_t size = write_packets(slot, count), at = 0, used = 0;
        uint8_t *body = exact_copy(slot, size);
        struct sl_nebula_packets packets;
        assert_int_equal(sl_nebula_packets_read(body, size, &packets), 0);
        assert_int_equal(packets.packet_count, count);
        assert_int_equal(packets.stamp_ns, 1000000002);
        assert_true(sl_text_is(packets.frame_id, "lidar"));
        for (uint32_t p = 0; p < count; p++) {
            struct sl_nebula_packet packet = sl_nebula_packets_next(&packets, &at);
            assert_true(packet.stamp_ns == stamp_of(p));
            assert_int_equal(packet.size, sizes[p]);
            for (size_t i = 0; i < packet.size; i++)
                assert_int_equal(packet.bytes[i], byte_of(p, i));
        }
        const struct sl_schema *schema = sl_schema_find(SL_TYPE_NEBULA_PACKETS);
        assert_int_equal(sl_message_walk(schema, body, size, NULL, &used), 0);
        assert_int_equal(used, size);
        free(body);
    }
}

static void big_endian_packets_are_read(void **state)
{
    (void)state;
    static const uint8_t body[] = {0, 0, 0,   0,   0,   0,   0,   1, 0, 0, 0, 2, 0,    0,
                                   0, 6, 'l', 'i', 'd', 'a', 'r', 0, 0, 0, 0, 0, 0,    1,
                                   0, 0, 0,   3,   0,   0,   0,   4, 0, 0, 0, 2, 0xee, 0xff};
    struct sl_nebula_packets packets;
    size_t at = 0;
    assert_int_equal(sl_nebula_packets_read(body, sizeof body, &packets), 0);
    struct sl_nebula_packet packet = sl_nebula_packets_next(&packets, &at);
    assert_true(packet.stamp_ns == INT64_C(3000000004));
    assert_int_equal(packet.size, 2);
    assert_int_equal(packet.bytes[1], 0xff);
}

static void packets_that_are_cut_anywhere_are_refused(void **state)
{
    (void)state;
    uint8_t slot[SLOT_SIZE];
    size_t whole = write_packets(slot, 4);
    for (size_t size = 0; size < whole; size++) {
        uint8_t *body = exact_copy(slot, size);
        struct sl_nebula_packets packets;
        assert_int_equal(sl_nebula_packets_read(body, size, &packets), -EBADMSG);
        free(body);
    }
}

static void peer_that_changes_a_size_later_gives_no_bytes_but_the_bodys(void **state)
{
    (void)state;
    uint8_t slot[SLOT_SIZE];
    size_t size = write_packets(slot, 2), at = 0;
    uint8_t *body = exact_copy(slot, size);
    struct sl_nebula_packets packets;
    assert_int_equal(sl_nebula_packets_read(body, size, &packets), 0);
    memset(body + 28 + 8, 0xFF, 4);
    struct sl_nebula_packet packet = sl_nebula_packets_next(&packets, &at);
    assert_ptr_equal(packet.bytes + packet.size, body + size);
    packet = sl_nebula_packets_next(&packets, &at);
    assert_int_equal(packet.size, 0);
    free(body);
}

static void packets_that_cannot_be_are_not_written(void **state)
{
    (void)state;
    uint8_t to[64] = {0};
    struct sl_nebula_packets packets = {.frame_id = sl_text("lidar"), .packets_size = UINT32_MAX};
    assert_int_equal(sl_nebula_packets_write_prefix(&packets, to, sizeof to), -EOVERFLOW);
    packets.packets_size = 0;
    assert_int_equal(sl_nebula_packets_write_prefix(&packets, to, PREFIX_SIZE - 1), -ENOSPC);
    packets.stamp_ns = -1;
    assert_int_equal(sl_nebula_packets_write_prefix(&packets, to, sizeof to), -ERANGE);
    struct sl_nebula_packet packet = {-1, to, 4};
    assert_int_equal(sl_nebula_packet_write(&packet, to), -ERANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_have_the_bytes_of_the_rules),
        cmocka_unit_test(packets_of_any_size_come_back),
        cmocka_unit_test(big_endian_packets_are_read),
        cmocka_unit_test(packets_that_are_cut_anywhere_are_refused),
        cmocka_unit_test(peer_that_changes_a_size_later_gives_no_bytes_but_the_bodys),
        cmocka_unit_test(packets_that_cannot_be_are_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
