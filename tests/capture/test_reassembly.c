/* SPDX-License-Identifier: Apache-2.0 */
/* Fragments in every order and with every fault, IPv4 and IPv6. */
#include <string.h>

#include "core/capture/ip.h"
#include "core/capture/reassembly.h"
#include "tests/capture/support.h"

#define MS UINT64_C(1000000)

static struct capture capture;
static struct decoded decoded;
static const uint8_t families[] = {4, 6};

static void begin(void)
{
    const struct sl_capture_write_options options = {.link_type = SL_LINK_ETHERNET,
                                                     .mtu_bytes = 1500};
    capture_begin(&capture, &options);
}

static int frames_of(const struct sl_datagram *d)
{
    return sl_capture_write_count(&capture.writer, d);
}

static void add(const struct sl_datagram *d, int index, uint32_t id, uint64_t after_ns)
{
    capture_add_frame(&capture, d, index, id, SUPPORT_TIME_NS + after_ns);
}

static void decode(unsigned expected_count)
{
    decode_capture(capture.bytes, capture_size(&capture), &decoded);
    assert_int_equal(decoded.count, expected_count);
    const struct sl_reassembly_counters *c = &decoded.counters.reassembly;
    assert_int_equal(c->fragments, decoded.counters.records);
    assert_int_equal(c->whole, decoded.count);
}

static void fragments_in_any_order_make_the_datagram(void **state)
{
    (void)state;
    for (unsigned f = 0; f < 2; f++) {
        struct sl_datagram d = datagram_of(families[f], 33024, 1);
        int count = frames_of(&d);
        for (int step = 1; step < 30; step++) {
            begin();
            count = frames_of(&d);
            assert_int_equal(count, 23);
            if (step % 23 == 0)
                continue;
            for (int i = 0; i < count; i++) /* 23 is a prime: each step visits all */
                add(&d, i * step % count, 7, (uint64_t)i);
            decode(1);
            assert_same_datagram(&decoded.datagrams[0], &d);
            assert_int_equal(decoded.datagrams[0].flags,
                             SL_DATAGRAM_REASSEMBLED | SL_DATAGRAM_KERNEL_TIME);
            assert_true(decoded.datagrams[0].time_ns == SUPPORT_TIME_NS + 22);
            free_decoded(&decoded);
        }
    }
}

static void reversed_fragments_make_the_datagram(void **state)
{
    (void)state;
    for (unsigned f = 0; f < 2; f++) {
        struct sl_datagram d = datagram_of(families[f], 65507, 2);
        begin();
        for (int i = frames_of(&d) - 1; i >= 0; i--)
            add(&d, i, 7, 0);
        decode(1);
        assert_same_datagram(&decoded.datagrams[0], &d);
        free_decoded(&decoded);
    }
}

static void duplicates_are_ignored_before_and_after_the_end(void **state)
{
    (void)state;
    for (unsigned f = 0; f < 2; f++) {
        struct sl_datagram d = datagram_of(families[f], 5000, 3);
        begin();
        for (int i = 0; i < frames_of(&d); i++) {
            add(&d, i, 7, 0);
            add(&d, i, 7, 1);
        }
        add(&d, 0, 7, 2);
        decode(1);
        assert_same_datagram(&decoded.datagrams[0], &d);
        assert_int_equal(decoded.counters.reassembly.duplicates, 5);
        assert_int_equal(decoded.counters.reassembly.timeouts, 0);
        free_decoded(&decoded);
    }
}

static void other_bytes_at_the_same_place_spoil_the_datagram(void **state)
{
    (void)state;
    for (unsigned f = 0; f < 2; f++) {
        struct sl_datagram d = datagram_of(families[f], 5000, 4);
        struct sl_datagram other = datagram_of(families[f], 5000, 5);
        begin();
        add(&d, 0, 7, 0);
        add(&d, 1, 7, 0);
        add(&other, 1, 7, 0);
        add(&d, 2, 7, 0);
        add(&d, 3, 7, 0);
        decode(0);
        assert_int_equal(decoded.counters.reassembly.overlaps, 1);
        assert_int_equal(decoded.counters.reassembly.late, 2);
    }
}

static void partly_overlapping_fragments_spoil_the_datagram(void **state)
{
    (void)state;
    struct sl_datagram d = datagram_of(4, 5000, 6);
    begin();
    add(&d, 0, 7, 0);
    /* the same datagram cut at another MTU: the borders lie elsewhere */
    capture.writer.options.mtu_bytes = 1400;
    add(&d, 1, 7, 0);
    capture.writer.options.mtu_bytes = 1500;
    for (int i = 1; i < frames_of(&d); i++)
        add(&d, i, 7, 0);
    decode(0);
    assert_int_equal(decoded.counters.reassembly.overlaps, 1);
    assert_int_equal(decoded.counters.reassembly.late, 3);
}

static void two_different_ends_spoil_the_datagram(void **state)
{
    (void)state;
    struct sl_datagram d = datagram_of(4, 5000, 7);
    struct sl_datagram shorter = datagram_of(4, 4000, 7);
    struct sl_datagram longer = datagram_of(4, 9000, 7);
    begin();
    add(&d, 3, 7, 0);       /* ends at 5008 */
    add(&longer, 4, 7, 0);  /* goes on behind it */
    add(&longer, 3, 8, 0);  /* reaches 5920 */
    add(&shorter, 2, 8, 0); /* ends at 4008 */
    decode(0);
    assert_int_equal(decoded.counters.reassembly.overlaps, 2);
}

static void a_lost_fragment_never_joins_the_next_id(void **state)
{
    (void)state;
    for (unsigned f = 0; f < 2; f++) {
        for (int lost = 0; lost < 4; lost++) {
            struct sl_datagram a = datagram_of(families[f], 5000, 8);
            struct sl_datagram b = datagram_of(families[f], 5000, 9);
            begin();
            assert_int_equal(frames_of(&a), 4);
            for (int i = 0; i < 4; i++)
                if (i != lost)
                    add(&a, i, 7, 0);
            for (int i = 0; i < 4; i++)
                add(&b, i, 8, MS);
            decode(1);
            assert_same_datagram(&decoded.datagrams[0], &b);
            assert_int_equal(decoded.counters.reassembly.timeouts, 1);
            free_decoded(&decoded);
        }
    }
}

static void senders_and_ids_may_interleave(void **state)
{
    (void)state;
    for (unsigned f = 0; f < 2; f++) {
        struct sl_datagram d[6];
        begin();
        for (uint8_t k = 0; k < 6; k++) {
            d[k] = datagram_of(families[f], 5000, (uint8_t)(10 + k));
            d[k].source.address[3] = k / 2; /* two ids a sender, the same ids for all */
        }
        for (int i = 0; i < frames_of(&d[0]); i++)
            for (unsigned k = 0; k < 6; k++)
                add(&d[k], i, 100 + k % 2, 0);
        decode(6);
        for (unsigned k = 0; k < 6; k++)
            assert_same_datagram(&decoded.datagrams[k], &d[k]);
        free_decoded(&decoded);
    }
}

static void a_fragment_after_the_timeout_joins_nothing(void **state)
{
    (void)state;
    struct sl_datagram d = datagram_of(4, 2000, 11);
    begin();
    add(&d, 0, 7, 0);
    add(&d, 1, 7, SL_REASSEMBLY_TIMEOUT_NS); /* just in time */
    add(&d, 0, 8, 0);
    add(&d, 1, 8, SL_REASSEMBLY_TIMEOUT_NS + 1);
    decode(1);
    assert_int_equal(decoded.counters.reassembly.timeouts, 2);
    free_decoded(&decoded);
}

static void a_clock_that_jumps_back_ends_what_is_under_way(void **state)
{
    (void)state;
    struct sl_datagram d = datagram_of(4, 2000, 12);
    begin();
    add(&d, 0, 7, 1000 * MS);
    add(&d, 1, 7, 0); /* a second back */
    add(&d, 0, 8, 50 * MS);
    add(&d, 1, 8, 49 * MS); /* a little: packets of two interfaces */
    decode(1);
    assert_int_equal(decoded.counters.reassembly.timeouts, 2);
    free_decoded(&decoded);
}

static void an_id_in_use_anew_begins_a_new_datagram(void **state)
{
    (void)state;
    begin();
    struct sl_datagram d[5];
    for (uint8_t k = 0; k < 5; k++) {
        d[k] = datagram_of(4, 5000, (uint8_t)(20 + k));
        for (int i = 0; i < frames_of(&d[k]); i++)
            add(&d[k], i, 0, k * MS); /* a sender that knows one id only */
    }
    decode(5);
    for (unsigned k = 0; k < 5; k++)
        assert_same_datagram(&decoded.datagrams[k], &d[k]);
    free_decoded(&decoded);
}

static void the_oldest_gives_way_when_too_many_are_under_way(void **state)
{
    (void)state;
    struct sl_datagram d = datagram_of(4, 2000, 13);
    begin();
    for (uint32_t id = 0; id <= SL_REASSEMBLY_PLACES; id++)
        add(&d, 0, id, 0);
    for (uint32_t id = 0; id <= SL_REASSEMBLY_PLACES; id++)
        add(&d, 1, id, 0);
    /* id 0 was evicted, its end takes the place of id 1, whose end takes that of id 2, ... */
    decode(0);
    assert_int_equal(decoded.counters.reassembly.evicted, SL_REASSEMBLY_PLACES + 2);
    assert_int_equal(decoded.counters.reassembly.timeouts, SL_REASSEMBLY_PLACES);
}

static void as_many_as_there_are_places_may_be_under_way(void **state)
{
    (void)state;
    struct sl_datagram d = datagram_of(4, 2000, 14);
    begin();
    for (uint32_t id = 0; id < SL_REASSEMBLY_PLACES; id++)
        add(&d, 0, id, 0);
    for (uint32_t id = 0; id < SL_REASSEMBLY_PLACES; id++)
        add(&d, 1, id, 0);
    decode(SL_REASSEMBLY_PLACES);
    free_decoded(&decoded);
}

static void fragments_cut_when_captured_are_counted(void **state)
{
    (void)state;
    struct sl_datagram d = datagram_of(4, 5000, 15);
    begin();
    capture.writer.options.snap_bytes = 1513; /* a byte less than a whole frame */
    for (int i = 0; i < frames_of(&d); i++)
        add(&d, i, 7, 0);
    decode(0);
    assert_int_equal(decoded.counters.reassembly.truncated, 3);
    assert_int_equal(decoded.counters.reassembly.timeouts, 1);
}

static void padding_behind_a_fragment_is_no_part_of_it(void **state)
{
    (void)state;
    struct sl_datagram d = datagram_of(4, 1482, 16); /* 10 bytes are left for the second frame */
    begin();
    assert_int_equal(frames_of(&d), 2);
    add(&d, 0, 7, 0);
    const uint8_t *bytes;
    uint32_t size_bytes;
    uint8_t padded[60] = {0};
    assert_int_equal(sl_capture_write_frame(&capture.writer, &d, 1, 7, &bytes, &size_bytes), 0);
    assert_true(size_bytes < sizeof padded);
    memcpy(padded, bytes, size_bytes);
    assert_int_equal(
        sl_capture_write_record(&capture.writer, SUPPORT_TIME_NS, padded, sizeof padded), 0);
    decode(1);
    assert_same_datagram(&decoded.datagrams[0], &d);
    free_decoded(&decoded);
}

/* Options for the destination stand in the whole, before UDP: seen only when it is whole. */
static void extension_headers_in_the_whole_are_walked_over(void **state)
{
    (void)state;
    struct sl_datagram d = datagram_of(6, 2000, 17);
    const uint8_t *bytes;
    uint32_t size_bytes;
    uint8_t whole[4096] = {17, 0}; /* next UDP, 8 bytes */
    begin();
    capture.writer.options.mtu_bytes = 0;
    assert_int_equal(sl_capture_write_frame(&capture.writer, &d, 0, 7, &bytes, &size_bytes), 0);
    uint8_t headers[14 + 40];
    memcpy(headers, bytes, sizeof headers);
    uint32_t length = size_bytes - (uint32_t)sizeof headers + 8;
    memcpy(whole + 8, bytes + sizeof headers, length - 8);
    for (uint32_t offset = 0; offset < length; offset += 1200) {
        uint32_t size = length - offset < 1200 ? length - offset : 1200;
        uint8_t frame[2048];
        memcpy(frame, headers, sizeof headers);
        sl_put_be16(frame + 14 + 4, (uint16_t)(size + 8));
        frame[14 + 6] = 44;
        uint8_t *fragment = frame + sizeof headers;
        memset(fragment, 0, 8);
        fragment[0] = 60;
        sl_put_be16(fragment + 2, (uint16_t)(offset | (offset + size < length)));
        memcpy(fragment + 8, whole + offset, size);
        assert_int_equal(sl_capture_write_record(&capture.writer, SUPPORT_TIME_NS, frame,
                                                 (uint32_t)sizeof headers + 8 + size),
                         0);
    }
    decode(1);
    assert_same_datagram(&decoded.datagrams[0], &d);
    free_decoded(&decoded);
}

/* A fragment by hand. */
static struct sl_ip_packet fragment_of(uint32_t offset, uint32_t size, bool more)
{
    static const uint8_t zeros[70000];
    return (struct sl_ip_packet){
        .bytes = zeros,
        .size_bytes = size,
        .length_bytes = size,
        .fragment = true,
        .more = more,
        .fragment_offset = offset,
        .family = 4,
        .protocol = 17,
    };
}

static void impossible_fragments_are_counted_by_reason(void **state)
{
    (void)state;
    static const struct {
        uint32_t offset, size;
        bool more;
    } cases[] = {
        {8, 0, true},      /* empty */
        {0, 12, true},     /* odd, and not the last */
        {65528, 9, false}, /* beyond the longest */
        {65528, 65536, true}, {0, 69999, false},
    };
    struct sl_reassembly *r;
    struct sl_ip_packet whole;
    assert_int_equal(sl_reassembly_create(&r), 0);
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sl_ip_packet f = fragment_of(cases[i].offset, cases[i].size, cases[i].more);
        assert_int_equal(sl_reassembly_add(r, &f, 1, &whole), 0);
    }
    const struct sl_reassembly_counters *c = sl_reassembly_counters(r);
    assert_int_equal(c->malformed, 2);
    assert_int_equal(c->too_long, 3);
    /* the longest that there is */
    struct sl_ip_packet f = fragment_of(0, 65528, true);
    assert_int_equal(sl_reassembly_add(r, &f, 1, &whole), 0);
    f = fragment_of(65528, 8, false);
    assert_int_equal(sl_reassembly_add(r, &f, 1, &whole), 1);
    assert_int_equal(whole.size_bytes, 65536);
    assert_false(whole.fragment);
    sl_reassembly_destroy(r);
}

static void the_first_fragment_tells_the_protocol_of_ipv6(void **state)
{
    (void)state;
    struct sl_reassembly *r;
    struct sl_ip_packet whole;
    assert_int_equal(sl_reassembly_create(&r), 0);
    struct sl_ip_packet f = fragment_of(0, 8, true);
    f.family = 6;
    f.protocol = 60;
    assert_int_equal(sl_reassembly_add(r, &f, 1, &whole), 0);
    f = fragment_of(8, 8, false);
    f.family = 6;
    f.protocol = 99;
    assert_int_equal(sl_reassembly_add(r, &f, 1, &whole), 1);
    assert_int_equal(whole.protocol, 60);
    /* IPv4: another protocol is another datagram */
    f = fragment_of(8, 8, false);
    f.protocol = 6;
    assert_int_equal(sl_reassembly_add(r, &f, 1, &whole), 0);
    f = fragment_of(0, 8, true);
    assert_int_equal(sl_reassembly_add(r, &f, 1, &whole), 0);
    sl_reassembly_destroy(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fragments_in_any_order_make_the_datagram),
        cmocka_unit_test(reversed_fragments_make_the_datagram),
        cmocka_unit_test(duplicates_are_ignored_before_and_after_the_end),
        cmocka_unit_test(other_bytes_at_the_same_place_spoil_the_datagram),
        cmocka_unit_test(partly_overlapping_fragments_spoil_the_datagram),
        cmocka_unit_test(two_different_ends_spoil_the_datagram),
        cmocka_unit_test(a_lost_fragment_never_joins_the_next_id),
        cmocka_unit_test(senders_and_ids_may_interleave),
        cmocka_unit_test(a_fragment_after_the_timeout_joins_nothing),
        cmocka_unit_test(a_clock_that_jumps_back_ends_what_is_under_way),
        cmocka_unit_test(an_id_in_use_anew_begins_a_new_datagram),
        cmocka_unit_test(the_oldest_gives_way_when_too_many_are_under_way),
        cmocka_unit_test(as_many_as_there_are_places_may_be_under_way),
        cmocka_unit_test(fragments_cut_when_captured_are_counted),
        cmocka_unit_test(padding_behind_a_fragment_is_no_part_of_it),
        cmocka_unit_test(extension_headers_in_the_whole_are_walked_over),
        cmocka_unit_test(impossible_fragments_are_counted_by_reason),
        cmocka_unit_test(the_first_fragment_tells_the_protocol_of_ipv6),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
