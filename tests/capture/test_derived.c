/* SPDX-License-Identifier: Apache-2.0 */
/* test_derived.c - captures of the field, written anew in other forms and damaged on purpose, and
 * tshark as a second reader that shares nothing with us. */
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/lidar/ouster_frames.h"
#include "tests/capture/support.h"
#include "tests/lidar/frames.h"

#define LIST_MAX 20000 /* bytes of text: a line a datagram */
#define SOURCE   "lidar/ouster/sdk/OS-1-128_v2.3.0_1024x10_lb_n3.pcap"
#define METADATA "lidar/ouster/sdk/OS-1-128_v2.3.0_1024x10.json"
#define TSHARK   "tshark -r '%s' -Y 'udp && !icmp' -T fields -e udp.dstport -e udp.length 2>/dev/null"

/* What a reader found: "port length" a line, sorted. */
struct list {
    unsigned count;
    char text[LIST_MAX][16];
};

static struct list ours, theirs;

static void add(struct list *list, unsigned port, unsigned udp_length)
{
    assert_true(list->count < LIST_MAX);
    snprintf(list->text[list->count++], sizeof list->text[0], "%u %u", port, udp_length);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void read_ours(const char *path, struct sl_datagram_counters *ret_counters)
{
    struct sl_datagram_reader *reader;
    struct sl_datagram d;
    int result = sl_datagram_reader_open(path, NULL, &reader);
    ours.count = 0;
    while (result >= 0 && (result = sl_datagram_reader_next(reader, &d)) == 1)
        add(&ours, d.destination.port, d.size_bytes + 8);
    if (result < 0)
        fail_msg("%s", sl_error_text());
    if (ret_counters)
        sl_datagram_reader_counters(reader, ret_counters);
    sl_datagram_reader_close(reader);
}

static bool has_tshark(void)
{
    return system("tshark --version >/dev/null 2>&1") == 0;
}

static void read_theirs(const char *path)
{
    char command[PATH_MAX + 160];
    unsigned port, length;
    snprintf(command, sizeof command, TSHARK, path);
    FILE *pipe = popen(command, "re");
    assert_non_null(pipe);
    theirs.count = 0;
    while (fscanf(pipe, "%u %u", &port, &length) == 2)
        add(&theirs, port, length);
    assert_int_equal(pclose(pipe), 0);
}

/* The same datagrams by port and length; their order may differ where fragments do. */
static void compare(const char *path, struct sl_datagram_counters *ret_counters)
{
    read_ours(path, ret_counters);
    read_theirs(path);
    if (ours.count != theirs.count)
        fail_msg("%s: %u datagrams, tshark finds %u", path, ours.count, theirs.count);
    qsort(ours.text, ours.count, sizeof ours.text[0], by_text);
    qsort(theirs.text, theirs.count, sizeof theirs.text[0], by_text);
    for (unsigned i = 0; i < ours.count; i++)
        assert_string_equal(ours.text[i], theirs.text[i]);
}

#define SKIP_WITHOUT_TSHARK()                      \
    do {                                           \
        if (!has_tshark()) {                       \
            puts("SKIP: tshark is not installed"); \
            skip();                                \
        }                                          \
    } while (0)

static void tshark_finds_the_same_datagrams_in_captures_of_the_field(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        unsigned datagrams;
    } captures[] = {
        {SOURCE, 222},
        {"lidar/ouster/sdk/crc_test.pcap", 44},
        {"lidar/ouster/sdk/imu_zm_no_lidar.pcap", 9},
        {"lidar/ouster/sdk/OS-2-128-U1_v2.3.0_1024x10.pcap", 74},
        {"lidar/ouster/sdk/same_ports_legacy.pcap", 2},
        {"lidar/ouster/sdk/windowed_frame1.pcap", 0},
    };
    SKIP_WITHOUT_TSHARK();
    for (unsigned i = 0; i < sizeof captures / sizeof *captures; i++) {
        char path[PATH_MAX];
        compare(test_data(captures[i].name, path), NULL);
        if (captures[i].datagrams)
            assert_int_equal(ours.count, captures[i].datagrams);
    }
}

/* Derived captures. What becomes of the frames of the source's datagrams. */
struct damage {
    bool reverses;        /* the last fragment comes first */
    bool repeats;         /* each frame comes twice */
    bool swaps;           /* the second fragment comes before the first, and so on */
    bool interleaves;     /* of two datagrams a frame each, by turns */
    bool exchanges;       /* of two datagrams the second comes first */
    unsigned loses_every; /* of so many datagrams one loses a fragment; 0 = none */
};

struct derived {
    FILE *file;
    struct sl_capture_writer writer;
    struct damage damage;
    unsigned datagrams, damaged;
};

static void write_frame(struct derived *d, const struct sl_datagram *from, int index, uint32_t id)
{
    const uint8_t *frame;
    uint32_t size;
    assert_int_equal(sl_capture_write_frame(&d->writer, from, index, id, &frame, &size), 0);
    assert_int_equal(sl_capture_write_record(&d->writer, from->time_ns, frame, size), 0);
}

static void derive_datagram(struct derived *d, const struct sl_datagram *from)
{
    int count = sl_capture_write_count(&d->writer, from);
    bool loses = d->damage.loses_every && d->datagrams % d->damage.loses_every == 0 && count > 1;
    for (int i = 0; i < count; i++) {
        int index = d->damage.reverses ? count - 1 - i : i;
        if (d->damage.swaps && count > 2) /* 1 0 3 2 ... */
            index = (i ^ 1) < count ? i ^ 1 : i;
        if (loses && index == (int)(d->datagrams % (unsigned)count))
            continue;
        write_frame(d, from, index, d->datagrams);
        if (d->damage.repeats && i < count - 1)
            write_frame(d, from, index, d->datagrams);
    }
    d->datagrams++;
    d->damaged += loses;
}

/* The next, whose bytes stay until it is called twice more. 0 at the end. */
static int next_of(struct sl_datagram_reader *reader, struct sl_datagram *ret_datagram)
{
    static uint8_t bytes[2][SL_DATAGRAM_MAX_BYTES];
    static unsigned turn;
    int more = sl_datagram_reader_next(reader, ret_datagram);
    if (more < 0)
        fail_msg("%s", sl_error_text());
    if (more == 1) {
        turn ^= 1;
        memcpy(bytes[turn], ret_datagram->bytes, ret_datagram->size_bytes);
        ret_datagram->bytes = bytes[turn];
    }
    return more;
}

/* Both are under way at the same time; `a` is whole before `b` is. */
static void interleave(struct derived *d, const struct sl_datagram *a, const struct sl_datagram *b)
{
    int a_count = sl_capture_write_count(&d->writer, a);
    int b_count = sl_capture_write_count(&d->writer, b);
    for (int i = 0; i < a_count || i < b_count - 1; i++) {
        if (i < b_count - 1)
            write_frame(d, b, i, d->datagrams + 1);
        if (i < a_count)
            write_frame(d, a, i, d->datagrams);
    }
    write_frame(d, b, b_count - 1, d->datagrams + 1);
    d->datagrams += 2;
}

static void derive_pair(struct derived *d, const struct sl_datagram *a, const struct sl_datagram *b)
{
    const struct sl_datagram *first = d->damage.exchanges ? b : a;
    const struct sl_datagram *second = d->damage.exchanges ? a : b;
    if (d->damage.interleaves) {
        interleave(d, first, second);
    } else {
        derive_datagram(d, first);
        derive_datagram(d, second);
    }
}

static void derive_all(struct derived *d, struct sl_datagram_reader *reader)
{
    struct sl_datagram a, b;
    while (next_of(reader, &a) == 1) {
        assert_int_equal(next_of(reader, &b), 1); /* their number is even */
        derive_pair(d, &a, &b);
    }
}

static void derive(const char *name, const struct sl_capture_write_options *options,
                   const struct damage *damage, struct derived *d, char ret_path[PATH_MAX])
{
    char source[PATH_MAX];
    struct sl_datagram_reader *reader;
    snprintf(ret_path, PATH_MAX, "%s/%s", test_folder(), name);
    memset(d, 0, sizeof *d);
    d->damage = *damage;
    d->file = fopen(ret_path, "wb");
    assert_non_null(d->file);
    assert_int_equal(sl_capture_write_begin(&d->writer, options, NULL, d->file), 0);
    assert_int_equal(sl_datagram_reader_open(test_data(SOURCE, source), NULL, &reader), 0);
    derive_all(d, reader);
    sl_datagram_reader_close(reader);
    assert_int_equal(fclose(d->file), 0);
}

static void assert_same(const struct sl_datagram *a, const struct sl_datagram *b)
{
    assert_int_equal(a->size_bytes, b->size_bytes);
    assert_memory_equal(a->bytes, b->bytes, a->size_bytes);
    assert_int_equal(a->destination.port, b->destination.port);
    assert_memory_equal(&a->source, &b->source, sizeof a->source);
}

/* Byte for byte what the source has, in its order or with every two exchanged. */
static void assert_same_as_source(const char *path, bool exchanged)
{
    char source[PATH_MAX];
    struct sl_datagram_reader *readers[2];
    struct sl_datagram first, second, other;
    assert_int_equal(sl_datagram_reader_open(test_data(SOURCE, source), NULL, &readers[0]), 0);
    if (sl_datagram_reader_open(path, NULL, &readers[1]) < 0)
        fail_msg("%s", sl_error_text());
    while (next_of(readers[0], &first) == 1) {
        assert_int_equal(next_of(readers[0], &second), 1); /* their number is even */
        assert_int_equal(sl_datagram_reader_next(readers[1], &other), 1);
        assert_same(exchanged ? &second : &first, &other);
        assert_int_equal(sl_datagram_reader_next(readers[1], &other), 1);
        assert_same(exchanged ? &first : &second, &other);
    }
    assert_int_equal(sl_datagram_reader_next(readers[1], &other), 0);
    sl_datagram_reader_close(readers[0]);
    sl_datagram_reader_close(readers[1]);
}

static const struct form {
    const char *name;
    struct sl_capture_write_options options;
    struct damage damage;
} forms[] = {
    {"vlan.pcap", {.link_type = SL_LINK_ETHERNET, .tag_count = 1, .tags = {5}}, {0}},
    {"vlans.pcap",
     {.link_type = SL_LINK_ETHERNET, .mtu_bytes = 1500, .tag_count = 2, .tags = {7, 5}},
     {0}},
    {"sll.pcap", {.link_type = SL_LINK_SLL, .mtu_bytes = 1500}, {0}},
    {"sll2.pcap", {.link_type = SL_LINK_SLL2, .mtu_bytes = 1500}, {0}},
    {"raw.pcap", {.link_type = SL_LINK_RAW, .microseconds = true}, {0}},
    {"block.pcapng", {.format = SL_CAPTURE_PCAPNG, .link_type = SL_LINK_ETHERNET}, {0}},
    {"big.pcapng",
     {.format = SL_CAPTURE_PCAPNG, .big_endian = true, .link_type = SL_LINK_SLL2, .mtu_bytes = 900},
     {0}},
    {"small.pcap", {.link_type = SL_LINK_ETHERNET, .mtu_bytes = 576}, {0}},
    {"reversed.pcap", {.link_type = SL_LINK_ETHERNET, .mtu_bytes = 1500}, {.reverses = true}},
    {"swapped.pcap", {.link_type = SL_LINK_ETHERNET, .mtu_bytes = 1500}, {.swaps = true}},
    {"interleaved.pcap", {.link_type = SL_LINK_ETHERNET, .mtu_bytes = 1500}, {.interleaves = true}},
    {"exchanged.pcap", {.link_type = SL_LINK_ETHERNET, .mtu_bytes = 1500}, {.exchanges = true}},
    {"mixed.pcap",
     {.link_type = SL_LINK_ETHERNET, .mtu_bytes = 1500},
     {.interleaves = true, .exchanges = true}},
    {"repeated.pcap", {.link_type = SL_LINK_ETHERNET, .mtu_bytes = 1500}, {.repeats = true}},
};

static void every_form_of_a_capture_has_the_datagrams_of_the_first(void **state)
{
    (void)state;
    static struct derived derived;
    for (const struct form *form = forms; form < forms + sizeof forms / sizeof *forms; form++) {
        char path[PATH_MAX];
        derive(form->name, &form->options, &form->damage, &derived, path);
        assert_int_equal(derived.datagrams, 222);
        assert_same_as_source(path, form->damage.exchanges);
    }
}

#define POINT_TIME_AT 18   /* behind x, y, z, intensity and ring */
#define TIME_STEP_S   2e-8 /* of a float */

static void decode(const char *path, struct frames *kept, struct lidar_counts *counts)
{
    static const struct ouster_frames_options options;
    static struct ouster_metadata metadata;
    static struct ouster_frames frames;
    char json[PATH_MAX];
    struct sl_datagram_reader *reader;
    struct sl_datagram datagram;
    struct ouster_packet packet;
    assert_int_equal(ouster_metadata_load(test_data(METADATA, json), &metadata), 0);
    assert_int_equal(sl_datagram_reader_open(path, NULL, &reader), 0);
    memset(counts, 0, sizeof *counts);
    frames_init(kept, ouster_frame_bytes(&metadata));
    const struct lidar_frame_sink sink = frames_sink(kept);
    ouster_frames_init(&frames, &metadata, &options, &sink, counts, NULL);
    while (sl_datagram_reader_next(reader, &datagram) == 1)
        if (ouster_packet_parse(&metadata.format, datagram.bytes, datagram.size_bytes, &packet) ==
            LIDAR_PACKETS)
            ouster_frames_push(&frames, &packet, datagram.time_ns);
    ouster_frames_flush(&frames);
    sl_datagram_reader_close(reader);
}

/* Times count from where the first packet to come puts the first column, by the nominal rate. */
static void assert_same_turn(const struct kept_frame *a, const struct kept_frame *b, size_t bytes)
{
    double shift_s = (double)(a->info.sensor_ns - b->info.sensor_ns) / 1e9;
    for (size_t at = 0; at < bytes; at += LIDAR_POINT_BYTES) {
        float times[2];
        assert_memory_equal(a->data + at, b->data + at, POINT_TIME_AT);
        memcpy(&times[0], a->data + at + POINT_TIME_AT, sizeof times[0]);
        memcpy(&times[1], b->data + at + POINT_TIME_AT, sizeof times[1]);
        assert_true(fabs(shift_s + (double)times[0] - (double)times[1]) < TIME_STEP_S);
    }
}

static void every_form_of_a_capture_gives_the_turns_of_the_first(void **state)
{
    (void)state;
    static struct derived derived;
    static struct frames first, kept;
    struct lidar_counts counts;
    char path[PATH_MAX];
    decode(test_data(SOURCE, path), &first, &counts);
    assert_int_equal(first.closed, 3);
    for (const struct form *form = forms; form < forms + sizeof forms / sizeof *forms; form++) {
        derive(form->name, &form->options, &form->damage, &derived, path);
        decode(path, &kept, &counts);
        assert_int_equal(kept.closed, first.closed);
        for (unsigned i = 0; i < kept.closed; i++) {
            assert_int_equal(kept.kept[i].info.missing, 0);
            assert_int_equal(kept.kept[i].info.partial, 0);
            assert_same_turn(&kept.kept[i], &first.kept[i], kept.capacity_bytes);
        }
        assert_int_equal(counts.count[LIDAR_REORDERED] > 0, form->damage.exchanges);
        frames_finish(&kept);
    }
    frames_finish(&first);
}

static void tshark_reads_every_form_of_a_capture_as_we_do(void **state)
{
    (void)state;
    static struct derived derived;
    SKIP_WITHOUT_TSHARK();
    for (const struct form *form = forms; form < forms + sizeof forms / sizeof *forms; form++) {
        char path[PATH_MAX];
        derive(form->name, &form->options, &form->damage, &derived, path);
        if (!form->damage.repeats) /* it lists what completes a datagram again */
            compare(path, NULL);
    }
}

static void what_a_fragment_is_missing_of_is_counted_and_no_other(void **state)
{
    (void)state;
    static struct derived derived;
    struct sl_datagram_counters counters;
    char path[PATH_MAX];
    const struct sl_capture_write_options options = {.link_type = SL_LINK_ETHERNET,
                                                     .mtu_bytes = 1500};
    derive("lossy.pcap", &options, &(struct damage){.loses_every = 5}, &derived, path);
    assert_true(derived.damaged > 30);
    read_ours(path, &counters);
    assert_int_equal(ours.count, derived.datagrams - derived.damaged);
    assert_int_equal(counters.reassembly.timeouts + counters.reassembly.evicted, derived.damaged);
    if (has_tshark())
        compare(path, NULL);
}

static int clean_up(void **state)
{
    (void)state;
    remove_files();
    return 0;
}

int main(void)
{
    char path[PATH_MAX];
    if (!test_data(SOURCE, path)) {
        puts("SKIP: no captures of the field (SLUICE_TEST_DATA)");
        return 77;
    }
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test(name)
        TEST(tshark_finds_the_same_datagrams_in_captures_of_the_field),
        TEST(every_form_of_a_capture_has_the_datagrams_of_the_first),
        TEST(every_form_of_a_capture_gives_the_turns_of_the_first),
        TEST(tshark_reads_every_form_of_a_capture_as_we_do),
        TEST(what_a_fragment_is_missing_of_is_counted_and_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, clean_up);
}
