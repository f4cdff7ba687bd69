/* SPDX-License-Identifier: Apache-2.0 */
/* What the codec makes of well-formed captures of every format, byte order and resolution. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "tests/capture/support.h"

static struct capture capture;

static void put_u16(struct sl_writer *w, bool big, uint16_t value)
{
    uint8_t *to = sl_writer_take(w, 2);
    assert_non_null(to);
    if (big)
        sl_put_be16(to, value);
    else
        sl_put_le16(to, value);
}

static void put_u32(struct sl_writer *w, bool big, uint32_t value)
{
    uint8_t *to = sl_writer_take(w, 4);
    assert_non_null(to);
    if (big)
        sl_put_be32(to, value);
    else
        sl_put_le32(to, value);
}

static struct sl_capture_reader reader;

static struct sl_capture_record next_record(void)
{
    struct sl_capture_record record;
    int result = sl_capture_next(&reader, &record);
    if (result != 1)
        fail_msg("%d: %s", result, sl_error_text());
    return record;
}

static void assert_end(void)
{
    struct sl_capture_record record;
    assert_int_equal(sl_capture_next(&reader, &record), 0);
    assert_int_equal(sl_capture_next(&reader, &record), 0);
}

static void put_pcap_header(struct sl_writer *w, bool big, uint32_t magic, uint16_t minor,
                            uint32_t snap, uint32_t link)
{
    put_u32(w, big, magic);
    put_u16(w, big, 2);
    put_u16(w, big, minor);
    sl_writer_zeros(w, 8);
    put_u32(w, big, snap);
    put_u32(w, big, link);
}

static void put_pcap_record(struct sl_writer *w, bool big, uint32_t fraction, uint32_t captured,
                            uint32_t original, uint32_t extra)
{
    put_u32(w, big, 1700000000);
    put_u32(w, big, fraction);
    put_u32(w, big, captured);
    put_u32(w, big, original);
    sl_writer_zeros(w, extra);
}

static void each_pcap_magic_is_read(void **state)
{
    (void)state;
    static const struct {
        uint32_t magic;
        uint32_t tick_ns;
        uint32_t extra;
    } kinds[] = {
        {0xa1b2c3d4, 1000, 0},
        {0xa1b23c4d, 1, 0},
        {0xa1b2cd34, 1000, 8},
    };
    for (unsigned i = 0; i < 6; i++) {
        bool big = i % 2;
        uint8_t bytes[256];
        struct sl_writer w = sl_writer(bytes, sizeof bytes);
        put_pcap_header(&w, big, kinds[i / 2].magic, 4, 65535, 1);
        put_pcap_record(&w, big, 999, 5, 7, kinds[i / 2].extra);
        sl_writer_bytes(&w, "hello", 5);
        put_pcap_record(&w, big, 1001, 0, 0, kinds[i / 2].extra);
        sl_capture_reader_init(&reader, bytes, sl_writer_offset(&w));
        struct sl_capture_record record = next_record();
        assert_int_equal(reader.format, SL_CAPTURE_PCAP);
        assert_int_equal(record.captured_bytes, 5);
        assert_int_equal(record.original_bytes, 7);
        assert_int_equal(record.link_type, 1);
        assert_int_equal(record.offset_bytes, 24);
        assert_memory_equal(record.bytes, "hello", 5);
        assert_true(record.time_ns ==
                    UINT64_C(1700000000) * SL_NS_PER_S + UINT64_C(999) * kinds[i / 2].tick_ns);
        record = next_record();
        assert_int_equal(record.captured_bytes, 0);
        assert_end();
    }
}

static void snap_length_and_upper_link_bits_are_not_believed(void **state)
{
    (void)state;
    uint8_t bytes[256];
    struct sl_writer w = sl_writer(bytes, sizeof bytes);
    put_pcap_header(&w, false, 0xa1b2c3d4, 4, 3, 0xf4000001); /* 4 bytes of check sequence */
    put_pcap_record(&w, false, 0, 5, 2, 0);                   /* more captured than there was */
    sl_writer_bytes(&w, "hello", 5);
    sl_capture_reader_init(&reader, bytes, sl_writer_offset(&w));
    struct sl_capture_record record = next_record();
    assert_int_equal(record.link_type, 1);
    assert_int_equal(record.captured_bytes, 5);
    assert_int_equal(record.original_bytes, 5);
    assert_end();
}

static void old_versions_have_the_lengths_the_other_way_round(void **state)
{
    (void)state;
    for (uint16_t minor = 2; minor <= 3; minor++) {
        uint8_t bytes[256];
        struct sl_writer w = sl_writer(bytes, sizeof bytes);
        put_pcap_header(&w, true, 0xa1b2c3d4, minor, 65535, 1);
        put_pcap_record(&w, true, 0, 9, 5, 0);
        sl_writer_bytes(&w, "hello", 5);
        sl_capture_reader_init(&reader, bytes, sl_writer_offset(&w));
        struct sl_capture_record record = next_record();
        assert_int_equal(record.captured_bytes, 5);
        assert_int_equal(record.original_bytes, 9);
        assert_end();
    }
}

/* ---- pcapng by hand ---- */

static void put_section(struct sl_writer *w, bool big)
{
    put_u32(w, big, 0x0a0d0d0a);
    put_u32(w, big, 28);
    put_u32(w, big, 0x1a2b3c4d);
    put_u16(w, big, 1);
    put_u16(w, big, 0);
    put_u32(w, big, 0xffffffff);
    put_u32(w, big, 0xffffffff);
    put_u32(w, big, 28);
}

/* With if_tsresol and if_tsoffset, and a comment before them. */
static void put_interface(struct sl_writer *w, bool big, uint16_t link, uint32_t snap,
                          uint8_t resolution, int64_t offset_s)
{
    uint32_t length = 20 + 8 + 8 + 12 + 4;
    uint8_t tail[4] = {resolution};
    put_u32(w, big, 1);
    put_u32(w, big, length);
    put_u16(w, big, link);
    put_u16(w, big, 0);
    put_u32(w, big, snap);
    put_u16(w, big, 1);
    put_u16(w, big, 3);
    sl_writer_bytes(w, "abc", 4);
    put_u16(w, big, 9);
    put_u16(w, big, 1);
    sl_writer_bytes(w, tail, 4);
    put_u16(w, big, 14);
    put_u16(w, big, 8);
    uint64_t offset = (uint64_t)offset_s;
    put_u32(w, big, (uint32_t)(big ? offset >> 32 : offset));
    put_u32(w, big, (uint32_t)(big ? offset : offset >> 32));
    put_u32(w, big, 0);
    put_u32(w, big, length);
}

static void put_enhanced(struct sl_writer *w, bool big, uint32_t interface, uint64_t ticks)
{
    put_u32(w, big, 6);
    put_u32(w, big, 32 + 8);
    put_u32(w, big, interface);
    put_u32(w, big, (uint32_t)(ticks >> 32));
    put_u32(w, big, (uint32_t)ticks);
    put_u32(w, big, 5);
    put_u32(w, big, 9);
    sl_writer_bytes(w, "hello\0\0", 8);
    put_u32(w, big, 32 + 8);
}

static void put_obsolete(struct sl_writer *w, bool big, uint16_t interface, uint64_t ticks)
{
    put_u32(w, big, 2);
    put_u32(w, big, 32 + 8);
    put_u16(w, big, interface);
    put_u16(w, big, 77); /* drops */
    put_u32(w, big, (uint32_t)(ticks >> 32));
    put_u32(w, big, (uint32_t)ticks);
    put_u32(w, big, 5);
    put_u32(w, big, 5);
    sl_writer_bytes(w, "older\0\0", 8);
    put_u32(w, big, 32 + 8);
}

static void put_simple(struct sl_writer *w, bool big, uint32_t original, uint32_t padded)
{
    put_u32(w, big, 3);
    put_u32(w, big, 16 + padded);
    put_u32(w, big, original);
    memset(sl_writer_take(w, padded), 's', padded);
    put_u32(w, big, 16 + padded);
}

static void put_unknown(struct sl_writer *w, bool big, uint32_t type, uint32_t body)
{
    put_u32(w, big, type);
    put_u32(w, big, 12 + body);
    memset(sl_writer_take(w, body), 0xee, body);
    put_u32(w, big, 12 + body);
}

static void sections_of_both_byte_orders_follow_each_other(void **state)
{
    (void)state;
    static uint8_t bytes[4096];
    struct sl_writer w = sl_writer(bytes, sizeof bytes);
    for (unsigned i = 0; i < 4; i++) {
        bool big = i % 2;
        put_section(&w, big);
        put_unknown(&w, big, 0x80000001, 40);
        put_interface(&w, big, (uint16_t)(100 + i), 0, 9, 0);
        put_interface(&w, big, (uint16_t)(200 + i), 0, 9, 0);
        put_unknown(&w, big, 4, 0);
        put_enhanced(&w, big, 1, 1000 + i);
        put_obsolete(&w, big, 0, 2000 + i);
        put_unknown(&w, big, 5, 100);
    }
    sl_capture_reader_init(&reader, bytes, sl_writer_offset(&w));
    for (unsigned i = 0; i < 4; i++) {
        struct sl_capture_record record = next_record();
        assert_int_equal(record.link_type, 200 + i);
        assert_int_equal(record.interface_index, 1);
        assert_int_equal(record.captured_bytes, 5);
        assert_int_equal(record.original_bytes, 9);
        assert_int_equal(record.time_ns, 1000 + i);
        assert_memory_equal(record.bytes, "hello", 5);
        record = next_record();
        assert_int_equal(record.link_type, 100 + i);
        assert_int_equal(record.time_ns, 2000 + i);
        assert_memory_equal(record.bytes, "older", 5);
    }
    assert_end();
    assert_int_equal(reader.blocks_passed, 4 * 4);
}

static void resolution_and_offset_make_nanoseconds(void **state)
{
    (void)state;
    static const struct {
        uint8_t resolution;
        int64_t offset_s;
        uint64_t ticks;
        uint64_t time_ns;
    } cases[] = {
        {6, 0, 1700000000123456, UINT64_C(1700000000123456000)},
        {9, 0, UINT64_C(1700000000123456789), UINT64_C(1700000000123456789)},
        {0, 0, 1700000000, UINT64_C(1700000000000000000)},
        {3, 1700000000, 123, UINT64_C(1700000000123000000)},
        {9, -1, 1500000000, 500000000},
        {9, -2, 1500000000, 0}, /* before 1970: not known */
        {12, 0, 1700000000123456, 1700000000123},
        {0x80 | 10, 0, 1024 + 512, 1500000000}, /* 2^-10 s */
        {0x80 | 32, 0, UINT64_C(3) << 31, 1500000000},
        {0x80 | 0, 0, 5, UINT64_C(5000000000)},
        {0xff, 0, UINT64_MAX, 0},
        {127, 0, UINT64_MAX, 0},
        {0, 0, UINT64_MAX, 0}, /* too far for 64 bits */
        {9, INT64_MAX, 1, 0},
        {6, INT64_MIN, 1, 0},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t bytes[512];
        bool big = i % 2;
        struct sl_writer w = sl_writer(bytes, sizeof bytes);
        put_section(&w, big);
        put_interface(&w, big, 1, 0, cases[i].resolution, cases[i].offset_s);
        put_enhanced(&w, big, 0, cases[i].ticks);
        sl_capture_reader_init(&reader, bytes, sl_writer_offset(&w));
        assert_true(next_record().time_ns == cases[i].time_ns);
        assert_end();
    }
}

static void simple_packets_end_at_the_snap_length(void **state)
{
    (void)state;
    uint8_t bytes[512];
    struct sl_writer w = sl_writer(bytes, sizeof bytes);
    put_section(&w, false);
    put_interface(&w, false, 1, 10, 6, 0);
    put_simple(&w, false, 7, 8);
    put_simple(&w, false, 100, 12); /* cut to 10, padded to 12 */
    sl_capture_reader_init(&reader, bytes, sl_writer_offset(&w));
    struct sl_capture_record record = next_record();
    assert_int_equal(record.captured_bytes, 7);
    assert_int_equal(record.time_ns, 0);
    record = next_record();
    assert_int_equal(record.captured_bytes, 10);
    assert_int_equal(record.original_bytes, 100);
    assert_end();
}

/* The same records, however small the pieces are in which the capture comes. */
static void a_capture_fed_in_pieces_gives_the_same(void **state)
{
    (void)state;
    static struct sl_capture_reader whole;
    for (int format = SL_CAPTURE_PCAP; format <= SL_CAPTURE_PCAPNG; format++) {
        const struct sl_capture_write_options options = {.format = (enum sl_capture_format)format,
                                                         .link_type = SL_LINK_ETHERNET};
        capture_begin(&capture, &options);
        for (uint8_t i = 0; i < 40; i++) {
            struct sl_datagram d = datagram_of(4, i * 37u, i);
            capture_add(&capture, &d);
            if (format == SL_CAPTURE_PCAPNG)
                put_unknown(&capture.out, false, 0x0bad, i * 400u);
        }
        for (size_t piece = 1; piece < 3000; piece = piece * 3 + 1) {
            size_t from = 0;
            size_t to = 0;
            struct sl_capture_record record;
            sl_capture_reader_begin(&reader);
            sl_capture_reader_init(&whole, capture.bytes, capture_size(&capture));
            for (;;) {
                int result = sl_capture_next(&reader, &record);
                if (result == -EAGAIN) {
                    /* a block that is passed over needs no room, but for its closing length */
                    if (reader.skip_length)
                        assert_in_range(sl_capture_reader_left(&reader), 0, 3);
                    from += reader.at;
                    to = to + piece < capture_size(&capture) ? to + piece : capture_size(&capture);
                    sl_capture_reader_feed(&reader, capture.bytes + from, to - from,
                                           to == capture_size(&capture));
                    continue;
                }
                struct sl_capture_record expected;
                assert_int_equal(result, sl_capture_next(&whole, &expected));
                if (result != 1)
                    break;
                assert_ptr_equal(record.bytes, expected.bytes);
                assert_int_equal(record.captured_bytes, expected.captured_bytes);
                assert_int_equal(record.offset_bytes, expected.offset_bytes);
                assert_true(record.time_ns == expected.time_ns);
            }
            assert_int_equal(to, capture_size(&capture));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_pcap_magic_is_read),
        cmocka_unit_test(snap_length_and_upper_link_bits_are_not_believed),
        cmocka_unit_test(old_versions_have_the_lengths_the_other_way_round),
        cmocka_unit_test(sections_of_both_byte_orders_follow_each_other),
        cmocka_unit_test(resolution_and_offset_make_nanoseconds),
        cmocka_unit_test(simple_packets_end_at_the_snap_length),
        cmocka_unit_test(a_capture_fed_in_pieces_gives_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
