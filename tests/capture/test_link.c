/* SPDX-License-Identifier: Apache-2.0 */
/* From frames of each link type to datagrams, and what is in the way. */
#include <errno.h>
#include <string.h>

#include "core/capture/ip.h"
#include "tests/capture/support.h"

static struct capture capture;
static struct decoded decoded;

static const uint32_t link_types[] = {
    SL_LINK_NULL, SL_LINK_ETHERNET, SL_LINK_RAW_BSD, SL_LINK_RAW_OPENBSD, SL_LINK_RAW,
    SL_LINK_LOOP, SL_LINK_SLL,      SL_LINK_IPV4,    SL_LINK_IPV6,        SL_LINK_SLL2,
};

static void round_trip(const struct sl_capture_write_options *options, uint8_t family)
{
    static const uint32_t sizes[] = {0, 1, 512, 1206, 1472, 33024, 65507};
    struct sl_datagram datagrams[sizeof sizes / sizeof sizes[0]];
    capture_begin(&capture, options);
    for (uint8_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        datagrams[i] = datagram_of(family, sizes[i], i);
        datagrams[i].time_ns += i * UINT64_C(1000000);
        capture_add(&capture, &datagrams[i]);
    }
    decode_capture(capture.bytes, capture_size(&capture), &decoded);
    assert_int_equal(decoded.count, sizeof sizes / sizeof sizes[0]);
    for (unsigned i = 0; i < decoded.count; i++) {
        assert_same_datagram(&decoded.datagrams[i], &datagrams[i]);
        uint64_t time_ns = datagrams[i].time_ns;
        if (options->microseconds)
            time_ns -= time_ns % 1000;
        assert_true(decoded.datagrams[i].time_ns == time_ns);
        bool fragments =
            options->mtu_bytes && sizes[i] + 28 + (family == 6 ? 20 : 0) > options->mtu_bytes;
        assert_int_equal(decoded.datagrams[i].flags,
                         SL_DATAGRAM_KERNEL_TIME | (fragments ? SL_DATAGRAM_REASSEMBLED : 0));
    }
    char text[256];
    assert_int_equal(sl_datagram_counters_print(&decoded.counters, text, sizeof text), 0);
    assert_string_equal(text, "");
    free_decoded(&decoded);
}

static void each_link_type_format_and_family_comes_back(void **state)
{
    (void)state;
    for (unsigned link = 0; link < sizeof link_types / sizeof link_types[0]; link++) {
        for (unsigned kind = 0; kind < 32; kind++) {
            const struct sl_capture_write_options options = {
                .format = kind & 1 ? SL_CAPTURE_PCAPNG : SL_CAPTURE_PCAP,
                .big_endian = kind & 2,
                .microseconds = kind & 4,
                .mtu_bytes = kind & 8 ? 1500 : 0,
                .link_type = link_types[link],
            };
            uint8_t family = kind & 16 ? 6 : 4;
            if ((options.link_type == SL_LINK_IPV4 && family != 4) ||
                (options.link_type == SL_LINK_IPV6 && family != 6))
                continue;
            round_trip(&options, family);
        }
    }
}

static void stacked_tags_are_walked_over(void **state)
{
    (void)state;
    for (unsigned tags = 1; tags <= SL_CAPTURE_WRITE_TAGS_MAX; tags++) {
        const struct sl_capture_write_options options = {
            .link_type = SL_LINK_ETHERNET, .tag_count = tags, .tags = {10, 20, 30, 40}};
        round_trip(&options, 4);
        round_trip(&options, 6);
    }
}

/* ---- frames by hand ---- */

static enum sl_packet_verdict open_frame(uint32_t link_type, const void *bytes, uint32_t size_bytes,
                                         struct sl_datagram *ret)
{
    const struct sl_capture_record record = {.bytes = bytes,
                                             .captured_bytes = size_bytes,
                                             .original_bytes = size_bytes,
                                             .link_type = link_type};
    const uint8_t *ip;
    uint32_t ip_bytes;
    struct sl_ip_packet packet;
    enum sl_packet_verdict verdict = sl_link_open(&record, &ip, &ip_bytes);
    if (verdict == SL_PACKET_OK)
        verdict = sl_ip_open(ip, ip_bytes, &packet);
    if (verdict == SL_PACKET_OK)
        verdict = sl_udp_open(&packet, ret);
    return verdict;
}

static struct sl_capture_writer writer;

/* A frame of the writer's, to be bent; valid until the next. */
static uint8_t *frame_of(uint32_t link_type, uint8_t family, uint32_t size_bytes,
                         uint32_t *ret_size)
{
    static uint8_t header[64];
    struct sl_writer out = sl_writer(header, sizeof header);
    const struct sl_capture_write_options options = {.link_type = link_type};
    const struct sl_datagram d = datagram_of(family, size_bytes, 5);
    const uint8_t *bytes;
    assert_int_equal(sl_capture_write_begin(&writer, &options, &out, NULL), 0);
    assert_int_equal(sl_capture_write_frame(&writer, &d, 0, 1, &bytes, ret_size), 0);
    return writer.frame;
}

static void padding_behind_the_packet_is_no_part_of_it(void **state)
{
    (void)state;
    struct sl_datagram d;
    uint32_t size;
    uint8_t *frame = frame_of(SL_LINK_ETHERNET, 4, 3, &size);
    memset(frame + size, 0, 60 - size);
    assert_int_equal(open_frame(SL_LINK_ETHERNET, frame, 60, &d), SL_PACKET_OK);
    assert_int_equal(d.size_bytes, 3);
    assert_int_equal(d.flags, 0);
    struct sl_ip_packet packet;
    assert_int_equal(sl_ip_open(frame + 14, 60 - 14, &packet), SL_PACKET_OK);
    assert_int_equal(packet.length_bytes, 8 + 3);
    assert_int_equal(packet.size_bytes, 8 + 3);
}

static void a_length_of_zero_means_all_that_is_there(void **state)
{
    (void)state;
    struct sl_datagram d;
    uint32_t size;
    uint8_t *frame = frame_of(SL_LINK_RAW, 4, 300, &size);
    sl_put_be16(frame + 2, 0);
    assert_int_equal(open_frame(SL_LINK_RAW, frame, size, &d), SL_PACKET_OK);
    assert_int_equal(d.size_bytes, 300);
    sl_put_be16(frame + 20 + 4, 0); /* UDP's too */
    assert_int_equal(open_frame(SL_LINK_RAW, frame, size, &d), SL_PACKET_OK);
    assert_int_equal(d.size_bytes, 300);
    frame = frame_of(SL_LINK_RAW, 6, 300, &size);
    sl_put_be16(frame + 4, 0);
    sl_put_be16(frame + 40 + 4, 0);
    assert_int_equal(open_frame(SL_LINK_RAW, frame, size, &d), SL_PACKET_OK);
    assert_int_equal(d.size_bytes, 300);
}

static void options_of_ipv4_are_walked_over(void **state)
{
    (void)state;
    struct sl_datagram d;
    uint32_t size;
    const uint8_t *frame = frame_of(SL_LINK_RAW, 4, 10, &size);
    uint8_t bent[256];
    memcpy(bent, frame, 20);
    memset(bent + 20, 1, 40);
    memcpy(bent + 60, frame + 20, size - 20);
    bent[0] = 0x4f;
    sl_put_be16(bent + 2, (uint16_t)(size + 40));
    assert_int_equal(open_frame(SL_LINK_RAW, bent, size + 40, &d), SL_PACKET_OK);
    assert_int_equal(d.size_bytes, 10);
    assert_memory_equal(d.bytes, frame + 28, 10);
    bent[0] = 0x44; /* a header of 16 bytes */
    assert_int_equal(open_frame(SL_LINK_RAW, bent, size + 40, &d), SL_PACKET_MALFORMED);
}

/* Put `count` extension headers of a kind between IPv6 and UDP. */
static uint32_t extend(uint8_t *to, const uint8_t *frame, uint32_t size, uint8_t kind,
                       unsigned count, uint8_t length_field, uint32_t length)
{
    memcpy(to, frame, 40);
    to[6] = kind;
    uint8_t *at = to + 40;
    for (unsigned i = 0; i < count; i++, at += length) {
        memset(at, 0, length);
        at[0] = i + 1 < count ? kind : 17;
        at[1] = length_field;
    }
    memcpy(at, frame + 40, size - 40);
    sl_put_be16(to + 4, (uint16_t)(size - 40 + count * length));
    return size + count * length;
}

static void extension_headers_of_ipv6_are_walked_over(void **state)
{
    (void)state;
    struct sl_datagram d;
    uint32_t size;
    const uint8_t *frame = frame_of(SL_LINK_RAW, 6, 10, &size);
    static const uint8_t kinds[] = {0, 43, 60, 135, 139, 140};
    uint8_t bent[1024];
    for (unsigned i = 0; i < sizeof kinds; i++) {
        uint32_t bent_size = extend(bent, frame, size, kinds[i], 3, 1, 16);
        assert_int_equal(open_frame(SL_LINK_RAW, bent, bent_size, &d), SL_PACKET_OK);
        assert_int_equal(d.size_bytes, 10);
    }
    uint32_t bent_size = extend(bent, frame, size, 51, 1, 4, 24); /* authentication: words */
    assert_int_equal(open_frame(SL_LINK_RAW, bent, bent_size, &d), SL_PACKET_OK);
    bent_size = extend(bent, frame, size, 44, 1, 0, 8); /* an atomic fragment */
    assert_int_equal(open_frame(SL_LINK_RAW, bent, bent_size, &d), SL_PACKET_OK);
    bent_size = extend(bent, frame, size, 60, 16, 0, 8);
    assert_int_equal(open_frame(SL_LINK_RAW, bent, bent_size, &d), SL_PACKET_OK);
    bent_size = extend(bent, frame, size, 60, 17, 0, 8);
    assert_int_equal(open_frame(SL_LINK_RAW, bent, bent_size, &d), SL_PACKET_MALFORMED);
    bent_size = extend(bent, frame, size, 60, 1, 200, 8); /* longer than the packet */
    assert_int_equal(open_frame(SL_LINK_RAW, bent, bent_size, &d), SL_PACKET_MALFORMED);
    bent_size = extend(bent, frame, size, 59, 1, 0, 8); /* no next header */
    assert_int_equal(open_frame(SL_LINK_RAW, bent, bent_size, &d), SL_PACKET_NOT_UDP);
}

static void lengths_that_contradict_are_malformed(void **state)
{
    (void)state;
    struct sl_datagram d;
    uint32_t size;
    uint8_t *frame = frame_of(SL_LINK_RAW, 4, 100, &size);
    sl_put_be16(frame + 20 + 4, 109); /* UDP longer than IP */
    assert_int_equal(open_frame(SL_LINK_RAW, frame, size, &d), SL_PACKET_MALFORMED);
    sl_put_be16(frame + 20 + 4, 7);
    assert_int_equal(open_frame(SL_LINK_RAW, frame, size, &d), SL_PACKET_MALFORMED);
    sl_put_be16(frame + 20 + 4, 58); /* shorter: the rest is no part of it */
    assert_int_equal(open_frame(SL_LINK_RAW, frame, size, &d), SL_PACKET_OK);
    assert_int_equal(d.size_bytes, 50);
    sl_put_be16(frame + 2, 19);
    assert_int_equal(open_frame(SL_LINK_RAW, frame, size, &d), SL_PACKET_MALFORMED);
    sl_put_be16(frame + 2, 27); /* room for 7 bytes of UDP */
    assert_int_equal(open_frame(SL_LINK_RAW, frame, size, &d), SL_PACKET_MALFORMED);
    frame[0] = 0x55;
    assert_int_equal(open_frame(SL_LINK_RAW, frame, size, &d), SL_PACKET_MALFORMED);
}

static void what_is_no_ip_or_udp_is_said_so(void **state)
{
    (void)state;
    struct sl_datagram d;
    uint32_t size;
    uint8_t *frame = frame_of(SL_LINK_ETHERNET, 4, 100, &size);
    sl_put_be16(frame + 12, 0x0806);
    assert_int_equal(open_frame(SL_LINK_ETHERNET, frame, size, &d), SL_PACKET_NOT_IP);
    sl_put_be16(frame + 12, 0x0026); /* a length: LLC, spanning tree */
    assert_int_equal(open_frame(SL_LINK_ETHERNET, frame, size, &d), SL_PACKET_NOT_IP);
    sl_put_be16(frame + 12, 0x0800);
    frame[14 + 9] = 6;
    assert_int_equal(open_frame(SL_LINK_ETHERNET, frame, size, &d), SL_PACKET_NOT_UDP);
    frame = frame_of(SL_LINK_NULL, 4, 100, &size);
    sl_put_le32(frame, 7);
    assert_int_equal(open_frame(SL_LINK_NULL, frame, size, &d), SL_PACKET_NOT_IP);
    assert_int_equal(open_frame(147, frame, size, &d), SL_PACKET_UNKNOWN_LINK);
}

static void ip_behind_llc_and_snap_is_found(void **state)
{
    (void)state;
    struct sl_datagram d;
    uint32_t size;
    const uint8_t *frame = frame_of(SL_LINK_ETHERNET, 4, 100, &size);
    uint8_t bent[256];
    memcpy(bent, frame, 12);
    sl_put_be16(bent + 12, (uint16_t)(size - 14 + 8));
    memcpy(bent + 14, "\xaa\xaa\x03\0\0\0\x08\0", 8);
    memcpy(bent + 22, frame + 14, size - 14);
    assert_int_equal(open_frame(SL_LINK_ETHERNET, bent, size + 8, &d), SL_PACKET_OK);
    assert_int_equal(d.size_bytes, 100);
}

/* Cut anywhere, a record gives the datagram's beginning or is counted; nothing else happens. */
static void a_record_cut_at_any_byte_is_told(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2 * sizeof link_types / sizeof link_types[0]; i++) {
        uint32_t link_type = link_types[i / 2];
        uint8_t family = i % 2 ? 6 : 4;
        if ((link_type == SL_LINK_IPV4 && family == 6) ||
            (link_type == SL_LINK_IPV6 && family == 4))
            continue;
        uint32_t size;
        const uint8_t *frame = frame_of(link_type, family, 50, &size);
        for (uint32_t cut = 0; cut <= size; cut++) {
            struct sl_datagram d;
            enum sl_packet_verdict verdict = open_frame(link_type, frame, cut, &d);
            if (cut < size - 50) {
                assert_int_equal(verdict, SL_PACKET_TRUNCATED);
                continue;
            }
            assert_int_equal(verdict, SL_PACKET_OK);
            assert_int_equal(d.size_bytes, 50 - (size - cut));
            assert_int_equal(d.flags, cut < size ? SL_DATAGRAM_TRUNCATED : 0);
        }
    }
}

/* RFC 768: with the sum over pseudo header and datagram all ones, and never 0, which means none. */
static void checksums_are_right_and_never_none(void **state)
{
    (void)state;
    for (uint32_t value = 0; value <= 0xffff; value++) {
        uint8_t *bytes = (uint8_t[]){(uint8_t)(value >> 8), (uint8_t)value, 7};
        static uint8_t header[64];
        struct sl_writer out = sl_writer(header, sizeof header);
        const struct sl_capture_write_options options = {.link_type = SL_LINK_RAW};
        struct sl_datagram d = datagram_of(4, 0, 0);
        const uint8_t *frame;
        uint32_t size;
        d.bytes = bytes;
        d.size_bytes = 3;
        assert_int_equal(sl_capture_write_begin(&writer, &options, &out, NULL), 0);
        assert_int_equal(sl_capture_write_frame(&writer, &d, 0, 1, &frame, &size), 0);
        assert_int_equal(size, 20 + 8 + 3);
        uint32_t sum = 0; /* of the IPv4 header */
        for (unsigned i = 0; i < 20; i += 2)
            sum += sl_get_be16(frame + i);
        assert_int_equal(sum % 0xffff, 0);
        sum = 17 + 11; /* protocol and length, addresses, datagram, padding */
        for (unsigned i = 12; i < 30; i += 2)
            sum += sl_get_be16(frame + i);
        sum += (uint32_t)frame[30] << 8;
        assert_int_equal(sum % 0xffff, 0);
        assert_int_not_equal(sl_get_be16(frame + 26), 0);
    }
}

static void the_writer_refuses_what_makes_no_capture(void **state)
{
    (void)state;
    static uint8_t bytes[4096];
    struct sl_writer out = sl_writer(bytes, sizeof bytes);
    struct sl_capture_write_options options = {.link_type = 147};
    assert_int_equal(sl_capture_write_begin(&writer, &options, &out, NULL), -EINVAL);
    options = (struct sl_capture_write_options){.link_type = SL_LINK_RAW, .tag_count = 1};
    assert_int_equal(sl_capture_write_begin(&writer, &options, &out, NULL), -EINVAL);
    options = (struct sl_capture_write_options){.link_type = SL_LINK_RAW, .mtu_bytes = 100};
    assert_int_equal(sl_capture_write_begin(&writer, &options, &out, NULL), -EINVAL);
    options = (struct sl_capture_write_options){.link_type = SL_LINK_IPV4};
    assert_int_equal(sl_capture_write_begin(&writer, &options, &out, NULL), 0);
    struct sl_datagram d = datagram_of(6, 10, 0);
    assert_int_equal(sl_capture_write_datagram(&writer, &d), -EINVAL);
    d = datagram_of(4, 65508, 0);
    assert_int_equal(sl_capture_write_datagram(&writer, &d), -EMSGSIZE);
    d.source.family = 6;
    assert_int_equal(sl_capture_write_datagram(&writer, &d), -EINVAL);
    d = datagram_of(4, 5000, 0);
    assert_int_equal(sl_capture_write_datagram(&writer, &d), -ENOSPC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_link_type_format_and_family_comes_back),
        cmocka_unit_test(stacked_tags_are_walked_over),
        cmocka_unit_test(padding_behind_the_packet_is_no_part_of_it),
        cmocka_unit_test(a_length_of_zero_means_all_that_is_there),
        cmocka_unit_test(options_of_ipv4_are_walked_over),
        cmocka_unit_test(extension_headers_of_ipv6_are_walked_over),
        cmocka_unit_test(lengths_that_contradict_are_malformed),
        cmocka_unit_test(what_is_no_ip_or_udp_is_said_so),
        cmocka_unit_test(ip_behind_llc_and_snap_is_found),
        cmocka_unit_test(a_record_cut_at_any_byte_is_told),
        cmocka_unit_test(checksums_are_right_and_never_none),
        cmocka_unit_test(the_writer_refuses_what_makes_no_capture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
