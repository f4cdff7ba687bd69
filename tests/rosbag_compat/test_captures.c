/* SPDX-License-Identifier: Apache-2.0 */
/* test_captures.c - captures as logs: their datagrams as messages, and messages as captures. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/capture/link.h"
#include "core/capture/write.h"
#include "rosbag_compat/udp_packet.h"
#include "tests/rosbag_compat/support.h"

#define CAPTURE_MAX_BYTES (8u << 20)
#define TIME_NS           UINT64_C(1700000000123456789)
#define PORT              2368

/* Datagrams that follow from their number: of two sizes and two ports, 10 us apart. */
static struct sl_datagram datagram_of(unsigned number, uint8_t family, uint32_t size_bytes)
{
    static uint8_t bytes[SL_DATAGRAM_MAX_BYTES];
    struct sl_datagram d = {.bytes = bytes,
                            .size_bytes = number % 3 ? size_bytes : size_bytes / 7,
                            .time_ns = TIME_NS + number * UINT64_C(10000)};
    for (uint32_t i = 0; i < d.size_bytes; i++)
        bytes[i] = (uint8_t)(number * 31 + i * 7 + i / 256);
    d.source = (struct sl_endpoint){.family = family, .port = 4711, .address = {192, 168, 1, 201}};
    d.destination = (struct sl_endpoint){
        .family = family, .port = PORT + number % 2, .address = {255, 255, 255, 255}};
    return d;
}

struct made_capture {
    uint8_t *bytes;
    size_t size_bytes;
};

/* `lost`: of each so-manieth datagram the first frame is missing. */
static struct made_capture make_capture(const struct sl_capture_write_options *options,
                                        uint8_t family, unsigned count, uint32_t size_bytes,
                                        unsigned lost)
{
    struct made_capture made = {.bytes = malloc(CAPTURE_MAX_BYTES)};
    struct sl_capture_writer *writer = malloc(sizeof *writer);
    struct sl_writer out = sl_writer(made.bytes, CAPTURE_MAX_BYTES);
    assert_non_null(writer);
    assert_fine(sl_capture_write_begin(writer, options, &out, NULL));
    for (unsigned i = 0; i < count; i++) {
        struct sl_datagram d = datagram_of(i, family, size_bytes);
        int frames = sl_capture_write_count(writer, &d);
        for (int f = lost && i % lost == 0; f < frames; f++) {
            const uint8_t *frame;
            uint32_t frame_bytes;
            assert_fine(sl_capture_write_frame(writer, &d, f, i, &frame, &frame_bytes));
            assert_fine(sl_capture_write_record(writer, d.time_ns, frame, frame_bytes));
        }
    }
    free(writer);
    made.size_bytes = sl_writer_offset(&out);
    return made;
}

static struct sl_log *open_capture(const struct made_capture *made)
{
    struct sl_log_source source = memory_source(made->bytes, made->size_bytes);
    struct sl_log *log;
    assert_fine(sl_pcap_open(&source, 0, &log));
    return log;
}

/* Each message is the next datagram; those whose number `lost` divides are not there. Blocks are
 * loaded from the last to the first, so none leans on another. */
static unsigned assert_holds_datagrams(struct sl_log *log, uint8_t family, unsigned count,
                                       uint32_t size_bytes, unsigned lost)
{
    uint64_t found = 0;
    for (uint32_t i = log->block_count; i-- > 0;) {
        const struct sl_log_block *block = &log->blocks[i];
        uint8_t *bytes = malloc(block->size_bytes);
        size_t size;
        size_t at = 0;
        uint64_t in_block = 0;
        struct sl_log_message m;
        int result;
        assert_fine(sl_log_load(log, i, bytes, &size));
        assert_int_equal(size, block->size_bytes);
        while ((result = sl_log_walk(log, i, bytes, size, &at, &m)) == 1) {
            struct sl_datagram seen = {0};
            unsigned number = (unsigned)((m.receive_ns - TIME_NS) / 10000);
            struct sl_datagram wanted = datagram_of(number, family, size_bytes);
            char name[64];
            assert_fine(sl_udp_packet_read(bytes + m.offset, m.size_bytes, &seen));
            assert_true(number < count && (lost == 0 || number % lost != 0));
            assert_int_equal(seen.size_bytes, wanted.size_bytes);
            assert_memory_equal(seen.bytes, wanted.bytes, wanted.size_bytes);
            assert_true(m.receive_ns == wanted.time_ns && seen.time_ns == wanted.time_ns);
            assert_memory_equal(&seen.source, &wanted.source, sizeof seen.source);
            snprintf(name, sizeof name, "/udp/port_%u", wanted.destination.port);
            assert_string_equal(log->topics[m.topic].name, name);
            in_block++;
        }
        assert_fine(result);
        assert_int_equal(in_block, block->message_count);
        found += in_block;
        free(bytes);
    }
    return (unsigned)found;
}

static const struct sl_capture_write_options forms[] = {
    {.link_type = SL_LINK_ETHERNET},
    {.link_type = SL_LINK_ETHERNET, .mtu_bytes = 1500},
    {.link_type = SL_LINK_SLL2, .big_endian = true, .format = SL_CAPTURE_PCAPNG},
    {.link_type = SL_LINK_RAW, .mtu_bytes = 600, .format = SL_CAPTURE_PCAPNG},
};
#define FORM_COUNT (sizeof forms / sizeof *forms)

static void datagrams_of_a_capture_are_messages(void **state)
{
    (void)state;
    for (unsigned i = 0; i < FORM_COUNT; i++) {
        for (uint8_t family = 4; family <= 6; family += 2) {
            struct made_capture made = make_capture(&forms[i], family, 900, 3001, 0);
            struct sl_log *log = open_capture(&made);
            assert_int_equal(log->damage.count, 0);
            assert_int_equal(log->topic_count, 2);
            assert_true(log->topics[0].message_count == 450);
            assert_true(log->topics[0].definition_bytes > 20);
            assert_string_equal(sl_log_topic_get(&log->topics[0], SL_UDP_PACKET_DESTINATION),
                                family == 4 ? "255.255.255.255:2368" : "[ffff:ffff::]:2368");
            assert_true(log->block_count >= 2);
            assert_int_equal(assert_holds_datagrams(log, family, 900, 3001, 0), 900);
            sl_log_close(log);
            free(made.bytes);
        }
    }
}

/* With a datagram under way for ever, blocks end all the same; each loads what was counted. */
static void lost_fragments_cost_their_datagrams(void **state)
{
    (void)state;
    struct made_capture made = make_capture(&forms[1], 4, 2400, 3000, 40);
    struct sl_log *log = open_capture(&made);
    /* small ones that are one frame are lost as well; those of three frames leave two behind */
    unsigned found = assert_holds_datagrams(log, 4, 2400, 3000, 40);
    assert_in_range(found, 2400 - 60 - 4, 2400 - 60);
    assert_true(log->block_count > 1);
    assert_string_equal(log->metadata[0].pairs[1].key, "no_messages");
    sl_log_close(log);
    free(made.bytes);
}

/* ROS 2's own writer: the body of a message as it stands in the file that udp_msgs describes. */
static void bodies_are_those_of_udp_msgs(void **state)
{
    (void)state;
    static const uint8_t wanted[] = {0,   1,   0, 0,                              /* CDR */
                                     1,   0,   0, 0,    2,    0,   0,   0,        /* stamp */
                                     1,   0,   0, 0,    0,    0,   0,   0,        /* frame_id */
                                     8,   0,   0, 0,    '1',  '.', '2', '.', '3', /* address */
                                     '.', '4', 0, 0x40, 0x09, 0,   0,             /* src_port */
                                     2,   0,   0, 0,    0xab, 0xcd};
    static const uint8_t payload[] = {0xab, 0xcd};
    const struct sl_datagram d = {
        .bytes = payload,
        .size_bytes = 2,
        .time_ns = 1000000002,
        .source = {.family = 4, .port = 0x0940, .address = {1, 2, 3, 4}},
    };
    uint8_t body[sizeof wanted];
    assert_int_equal(sl_udp_packet_size(&d), sizeof wanted);
    sl_udp_packet_write(&d, body);
    assert_memory_equal(body, wanted, sizeof wanted);
}

static struct made_capture write_back(struct sl_log *log, enum sl_log_format format)
{
    struct sl_buffer out = {0};
    struct sl_log_sink sink = memory_sink(&out);
    struct sl_log_write_options options = {0};
    struct sl_log_writer *writer;
    uint32_t index;
    assert_fine(sl_pcap_writer_create(&sink, format, &options, &writer));
    for (uint32_t t = 0; t < log->topic_count; t++)
        assert_fine(sl_log_write_topic(writer, &log->topics[t], &index));
    for (uint32_t i = 0; i < log->block_count; i++) {
        uint8_t *bytes = malloc(log->blocks[i].size_bytes);
        size_t size;
        size_t at = 0;
        struct sl_log_message m;
        assert_fine(sl_log_load(log, i, bytes, &size));
        while (sl_log_walk(log, i, bytes, size, &at, &m) == 1) {
            /* in two pieces, as a gathered body comes */
            const struct iovec body[2] = {{bytes + m.offset, 9},
                                          {bytes + m.offset + 9, m.size_bytes - 9}};
            assert_fine(sl_log_write_message(writer, &m, body, 2));
        }
        free(bytes);
    }
    assert_fine(sl_log_write_end(writer));
    assert_true(writer->written_bytes == out.size_bytes);
    sl_log_writer_destroy(writer);
    return (struct made_capture){out.bytes, out.size_bytes};
}

static void messages_become_a_capture_again(void **state)
{
    (void)state;
    for (uint8_t family = 4; family <= 6; family += 2) {
        for (enum sl_log_format format = SL_LOG_PCAP; format <= SL_LOG_PCAPNG; format++) {
            struct made_capture made = make_capture(&forms[0], family, 50, 2000, 0);
            struct sl_log *log = open_capture(&made);
            struct made_capture back = write_back(log, format);
            struct sl_log *again = open_capture(&back);
            assert_int_equal(again->format, format);
            assert_int_equal(assert_holds_datagrams(again, family, 50, 2000, 0), 50);
            for (uint32_t t = 0; t < log->topic_count; t++)
                assert_string_equal(again->topics[t].pairs[0].value, log->topics[t].pairs[0].value);
            sl_log_close(again);
            sl_log_close(log);
            free(back.bytes);
            free(made.bytes);
        }
    }
}

static void capture_cut_off_anywhere_gives_what_is_whole(void **state)
{
    (void)state;
    for (unsigned i = 0; i < FORM_COUNT; i += 3) {
        struct made_capture made = make_capture(&forms[i], 4, 5, 700, 0);
        unsigned before = 0;
        /* every byte of the headers of the file and the first record, then every 13th */
        for (size_t size = 0; size <= made.size_bytes;
             size += size < 250 || size + 13 > made.size_bytes ? 1 : 13) {
            /* exactly as many bytes, so that a sanitizer sees one too many */
            struct made_capture cut = {malloc(size ? size : 1), size};
            memcpy(cut.bytes, made.bytes, size);
            struct sl_log_source source = memory_source(cut.bytes, size);
            struct sl_log *log;
            int err = sl_pcap_open(&source, 0, &log);
            if (err) {
                assert_int_equal(err, -EBADMSG);
                assert_int_equal(before, 0);
            } else {
                unsigned found = assert_holds_datagrams(log, 4, 5, 700, 0);
                assert_in_range(found, before, before + 1);
                before = found;
                sl_log_close(log);
            }
            free(cut.bytes);
        }
        assert_int_equal(before, 5);
        free(made.bytes);
    }
}

/* As if it ended there, which is told. */
static void capture_is_read_up_to_what_the_disk_cannot_read(void **state)
{
    (void)state;
    for (unsigned i = 0; i < FORM_COUNT; i++) {
        struct made_capture made = make_capture(&forms[i], 4, 900, 3001, 0);
        for (uint64_t page = 4096; page < made.size_bytes; page *= 5) {
            struct disk disk = {made.bytes, page, page + 4096};
            struct sl_log_source bad = disk_source(&disk, made.size_bytes);
            struct sl_log_source cut = memory_source(made.bytes, page);
            struct sl_log *log, *shorter;
            assert_fine(sl_pcap_open(&bad, 0, &log));
            assert_fine(sl_pcap_open(&cut, 0, &shorter));
            assert_int_equal(log->damage.count, 1);
            assert_non_null(strstr(log->damage.first, "cannot be read"));
            assert_int_equal(walk_all(log), walk_all(shorter));
            sl_log_close(log);
            sl_log_close(shorter);
        }
        free(made.bytes);
    }
}

static void no_damage_breaks_the_reader(void **state)
{
    (void)state;
    uint32_t random = 1;
    for (unsigned i = 0; i < FORM_COUNT; i++) {
        struct made_capture made = make_capture(&forms[i], 4, 5, 700, 0);
        uint8_t *whole = malloc(made.size_bytes);
        memcpy(whole, made.bytes, made.size_bytes);
        for (unsigned round = 0; round < 50; round++) {
            memcpy(made.bytes, whole, made.size_bytes);
            for (unsigned k = 0; k <= round % 4; k++) {
                random = random * 1664525u + 1013904223u;
                made.bytes[(random >> 8) % made.size_bytes] ^= (uint8_t)(1u << (random & 7));
            }
            struct sl_log_source source = memory_source(made.bytes, made.size_bytes);
            struct sl_log *log;
            if (sl_pcap_open(&source, 0, &log) == 0) {
                walk_all(log);
                sl_log_close(log);
            }
        }
        free(whole);
        free(made.bytes);
    }
}

/* The file is another one when its block is loaded. */
static void capture_that_changes_is_told(void **state)
{
    (void)state;
    struct made_capture made = make_capture(&forms[0], 4, 10, 100, 0);
    struct sl_log *log = open_capture(&made);
    uint8_t *bytes = malloc(log->blocks[0].size_bytes);
    size_t size;
    memset(made.bytes + log->blocks[0].offset + 16 + 14 + 20 + 2, 0x77, 2); /* the first port */
    assert_int_equal(sl_log_load(log, 0, bytes, &size), -EBADMSG);
    assert_non_null(strstr(sl_error_text(), "changed while it was read"));
    free(bytes);
    sl_log_close(log);
    free(made.bytes);
}

/* A small file may have all the ports there are: their definition is there once. */
static void topic_for_each_port_costs_little(void **state)
{
    (void)state;
    struct made_capture made = {.bytes = malloc(CAPTURE_MAX_BYTES)};
    struct sl_capture_writer *writer = malloc(sizeof *writer);
    struct sl_writer out = sl_writer(made.bytes, CAPTURE_MAX_BYTES);
    assert_non_null(writer);
    assert_fine(sl_capture_write_begin(writer, &forms[0], &out, NULL));
    struct sl_datagram d = datagram_of(0, 4, 1);
    for (uint32_t port = 0; port <= UINT16_MAX; port++) {
        d.destination.port = (uint16_t)port;
        assert_fine(sl_capture_write_datagram(writer, &d));
    }
    free(writer);
    made.size_bytes = sl_writer_offset(&out);
    struct sl_log *log = open_capture(&made);
    assert_int_equal(log->topic_count, UINT16_MAX + 1);
    for (uint32_t t = 0; t < log->topic_count; t++) {
        assert_ptr_equal(log->topics[t].definition, log->topics[0].definition);
        assert_int_equal(log->topics[t].definition_bytes, log->topics[0].definition_bytes);
    }
    assert_int_equal(walk_all(log), UINT16_MAX + 1);
    sl_log_close(log);
    free(made.bytes);
}

static void what_is_no_packet_is_refused(void **state)
{
    (void)state;
    struct sl_buffer out = {0};
    struct sl_log_sink sink = memory_sink(&out);
    struct sl_log_write_options options = {0};
    struct sl_log_writer *writer;
    struct sl_log_topic topic = {.name = "/udp/port_99999", .type = "x/msg/Y", .encoding = "cdr"};
    struct sl_log_pair pair = {SL_UDP_PACKET_DESTINATION, "1.2.3.4"};
    uint32_t index;
    assert_fine(sl_pcap_writer_create(&sink, SL_LOG_PCAP, &options, &writer));
    assert_int_equal(sl_log_write_topic(writer, &topic, &index), -EINVAL);
    assert_non_null(strstr(sl_error_text(), "--topic"));
    topic.type = SL_UDP_PACKET_TYPE;
    assert_int_equal(sl_log_write_topic(writer, &topic, &index), -EINVAL);
    assert_non_null(strstr(sl_error_text(), "port"));
    topic.pairs = &pair;
    topic.pair_count = 1;
    assert_int_equal(sl_log_write_topic(writer, &topic, &index), -EINVAL);
    assert_non_null(strstr(sl_error_text(), "'1.2.3.4' is no address and port"));
    topic.pair_count = 0;
    topic.name = "lidar_2368";
    assert_fine(sl_log_write_topic(writer, &topic, &index));
    struct sl_log_message m = {.topic = index};
    for (size_t size = 0; size < 40; size++) {
        static const uint8_t body[40] = {0, 1};
        assert_int_equal(sl_log_write_message(writer, &m, &(struct iovec){(void *)body, size}, 1),
                         -EBADMSG);
    }
    sl_log_writer_destroy(writer);
    options.compression = SL_COMPRESSION_ZSTD;
    assert_true(sl_pcap_writer_create(&sink, SL_LOG_PCAP, &options, &writer) < 0);
    sl_buffer_finish(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(datagrams_of_a_capture_are_messages),
        cmocka_unit_test(lost_fragments_cost_their_datagrams),
        cmocka_unit_test(bodies_are_those_of_udp_msgs),
        cmocka_unit_test(messages_become_a_capture_again),
        cmocka_unit_test(capture_cut_off_anywhere_gives_what_is_whole),
        cmocka_unit_test(capture_is_read_up_to_what_the_disk_cannot_read),
        cmocka_unit_test(no_damage_breaks_the_reader),
        cmocka_unit_test(capture_that_changes_is_told),
        cmocka_unit_test(topic_for_each_port_costs_little),
        cmocka_unit_test(what_is_no_packet_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
