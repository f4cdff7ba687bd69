/* SPDX-License-Identifier: Apache-2.0 */
/* Captures that are cut, damaged, or no captures at all. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/capture/support.h"

#define RECORDS 12

static struct capture capture;
static struct sl_capture_reader reader;

/* Read what is there; returns how many records came before the result that is no record. */
static unsigned read_all(const void *bytes, size_t size_bytes, int *ret_result)
{
    struct sl_capture_record record;
    unsigned count = 0;
    sl_error_clear();
    sl_capture_reader_init(&reader, bytes, size_bytes);
    while ((*ret_result = sl_capture_next(&reader, &record)) == 1)
        count++;
    /* It stands still. */
    assert_int_equal(sl_capture_next(&reader, &record), *ret_result);
    return count;
}

static void assert_refused(const void *bytes, size_t size_bytes, int err, const char *text)
{
    int result;
    read_all(bytes, size_bytes, &result);
    assert_int_equal(result, err);
    if (!strstr(sl_error_text(), text))
        fail_msg("\"%s\" does not say \"%s\"", sl_error_text(), text);
}

static void a_capture_cut_at_any_byte_gives_all_whole_records(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 4; kind++) {
        size_t ends[RECORDS + 1];
        const struct sl_capture_write_options options = {
            .format = kind % 2 ? SL_CAPTURE_PCAPNG : SL_CAPTURE_PCAP,
            .big_endian = kind / 2,
            .link_type = SL_LINK_ETHERNET,
        };
        capture_begin(&capture, &options);
        ends[0] = capture_size(&capture);
        for (uint8_t i = 0; i < RECORDS; i++) {
            struct sl_datagram d = datagram_of(i % 2 ? 4 : 6, i * 13u, i);
            capture_add(&capture, &d);
            ends[i + 1] = capture_size(&capture);
        }
        for (size_t cut = 0; cut <= capture_size(&capture); cut++) {
            uint8_t *copy = malloc(cut ? cut : 1);
            assert_non_null(copy);
            memcpy(copy, capture.bytes, cut);
            int result;
            unsigned count = read_all(copy, cut, &result);
            unsigned expected = 0;
            while (expected < RECORDS && ends[expected + 1] <= cut)
                expected++;
            assert_int_equal(count, expected);
            /* Between the blocks of pcapng, before the first record, is an end like any other. */
            bool at_end = (cut >= ends[0] && cut == ends[expected]) ||
                          (options.format == SL_CAPTURE_PCAPNG && cut == 28);
            assert_int_equal(result, at_end ? 0 : -ENODATA);
            char offset[32];
            snprintf(offset, sizeof offset, "at byte %zu", cut);
            if (!at_end && cut > 0 && !strstr(sl_error_text(), offset))
                fail_msg("\"%s\" does not say \"%s\"", sl_error_text(), offset);
            free(copy);
        }
    }
}

static void what_is_no_capture_is_told_by_name(void **state)
{
    (void)state;
    assert_refused("", 0, -ENODATA, "empty");
    assert_refused("\xd4", 1, -ENODATA, "inside its magic");
    assert_refused("\x1f\x8b\x08\0\0\0\0\0", 8, -EPROTO, "gzip");
    assert_refused("\x28\xb5\x2f\xfd", 4, -EPROTO, "zstd");
    assert_refused("\xfd"
                   "7zXZ\0",
                   6, -EPROTO, "xz");
    assert_refused("BZh91AY", 7, -EPROTO, "bzip2");
    assert_refused("\x04\x22\x4d\x18", 4, -EPROTO, "lz4");
    assert_refused("PK\x03\x04", 4, -EPROTO, "zip");
    assert_refused("#ROSBAG V2.0\n", 13, -EPROTO, "ROS 1 bag");
    assert_refused("SQLite format 3", 16, -EPROTO, "rosbag2");
    assert_refused("\x89MCAP0\r\n", 8, -EPROTO, "MCAP");
    assert_refused("<html><body>", 12, -EPROTO, "a text that begins with 3c 68 74");
    assert_refused("\0\1\2\3\4", 5, -EPROTO, "it begins with 00 01 02 03 04");
}

static void a_pcap_of_another_version_is_refused(void **state)
{
    (void)state;
    const struct sl_capture_write_options options = {.link_type = SL_LINK_ETHERNET};
    capture_begin(&capture, &options);
    capture.bytes[4] = 3;
    assert_refused(capture.bytes, 24, -EPROTO, "version 3.4");
}

static void a_record_beyond_belief_is_refused_with_its_offset(void **state)
{
    (void)state;
    struct sl_datagram d = datagram_of(4, 100, 1);
    struct sl_capture_write_options options = {.link_type = SL_LINK_ETHERNET};
    capture_begin(&capture, &options);
    capture_add(&capture, &d);
    size_t second = capture_size(&capture);
    capture_add(&capture, &d);
    sl_put_le32(capture.bytes + second + 8, SL_CAPTURE_RECORD_MAX_BYTES + 1);
    char text[64];
    snprintf(text, sizeof text, "record at byte %zu claims", second);
    assert_refused(capture.bytes, capture_size(&capture), -EMSGSIZE, text);

    options.format = SL_CAPTURE_PCAPNG;
    capture_begin(&capture, &options);
    capture_add(&capture, &d);
    second = capture_size(&capture);
    capture_add(&capture, &d);
    snprintf(text, sizeof text, "record at byte %zu claims", second);
    sl_put_le32(capture.bytes + second + 4, 0x7ffffffc);
    assert_refused(capture.bytes, capture_size(&capture), -EMSGSIZE, text);
}

/* Damage one 32-bit word of the second record's block and expect the sentence. */
static void assert_block_refused(size_t word, uint32_t value, int err, const char *text)
{
    const struct sl_capture_write_options options = {.format = SL_CAPTURE_PCAPNG,
                                                     .link_type = SL_LINK_ETHERNET};
    struct sl_datagram d = datagram_of(4, 100, 1);
    capture_begin(&capture, &options);
    capture_add(&capture, &d);
    size_t second = capture_size(&capture);
    capture_add(&capture, &d);
    sl_put_le32(capture.bytes + second + 4 * word, value);
    assert_refused(capture.bytes, capture_size(&capture), err, text);
}

static void a_damaged_block_is_refused_with_the_reason(void **state)
{
    (void)state;
    const uint32_t length = 28 + 144 + 4; /* 142 bytes of frame, padded */
    assert_block_refused(1, 8, -EPROTO, "no multiple of 4 or less than 12");
    assert_block_refused(1, length + 1, -EPROTO, "no multiple of 4 or less than 12");
    assert_block_refused(1, length - 4, -EPROTO, "ends with length");
    assert_block_refused(2, 1, -EPROTO, "is of interface 1");
    assert_block_refused(5, 145, -EPROTO, "more captured bytes than the block has");
    assert_block_refused(5, SL_CAPTURE_RECORD_MAX_BYTES + 1, -EMSGSIZE, "claims");
    assert_block_refused(length / 4 - 1, 0, -EPROTO, "ends with length 0");
    /* turned into an unknown block, it is passed over, and its closing length is looked at */
    assert_block_refused(0, 0x0bad, 0, "");
    assert_block_refused(0, 0x0a0d0d0a, -EPROTO, "byte-order mark");
}

static void a_packet_before_any_interface_is_refused(void **state)
{
    (void)state;
    const struct sl_capture_write_options options = {.format = SL_CAPTURE_PCAPNG,
                                                     .link_type = SL_LINK_ETHERNET};
    struct sl_datagram d = datagram_of(4, 100, 1);
    capture_begin(&capture, &options);
    capture_add(&capture, &d);
    sl_put_le32(capture.bytes + 28, 5); /* the interface becomes statistics */
    assert_refused(capture.bytes, capture_size(&capture), -EPROTO, "the section has told of 0");
    sl_put_le32(capture.bytes + 60, 3); /* the packet becomes a simple one */
    assert_refused(capture.bytes, capture_size(&capture), -EPROTO, "the section has told of 0");
}

static void an_option_over_the_end_is_refused(void **state)
{
    (void)state;
    const struct sl_capture_write_options options = {.format = SL_CAPTURE_PCAPNG,
                                                     .link_type = SL_LINK_ETHERNET};
    capture_begin(&capture, &options);
    sl_put_le16(capture.bytes + 28 + 18, 999);
    assert_refused(capture.bytes, capture_size(&capture), -EPROTO, "option reaches over");
}

static void too_many_interfaces_are_refused(void **state)
{
    (void)state;
    const struct sl_capture_write_options options = {.format = SL_CAPTURE_PCAPNG,
                                                     .link_type = SL_LINK_ETHERNET};
    capture_begin(&capture, &options);
    for (unsigned i = 1; i < SL_CAPTURE_INTERFACES_MAX; i++)
        sl_writer_bytes(&capture.out, capture.bytes + 28, 32);
    int result;
    assert_int_equal(read_all(capture.bytes, capture_size(&capture), &result), 0);
    assert_int_equal(result, 0);
    sl_writer_bytes(&capture.out, capture.bytes + 28, 32);
    assert_refused(capture.bytes, capture_size(&capture), -EOVERFLOW, "more than 256 interfaces");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_capture_cut_at_any_byte_gives_all_whole_records),
        cmocka_unit_test(what_is_no_capture_is_told_by_name),
        cmocka_unit_test(a_pcap_of_another_version_is_refused),
        cmocka_unit_test(a_record_beyond_belief_is_refused_with_its_offset),
        cmocka_unit_test(a_damaged_block_is_refused_with_the_reason),
        cmocka_unit_test(a_packet_before_any_interface_is_refused),
        cmocka_unit_test(an_option_over_the_end_is_refused),
        cmocka_unit_test(too_many_interfaces_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
