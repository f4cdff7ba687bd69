/* SPDX-License-Identifier: Apache-2.0 */
/* Captures of the field against their manifest, which was counted without this code. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/capture/support.h"

#define LENGTHS_MAX 16

struct entry {
    char file[256];
    unsigned packets;
    unsigned fragments;
    unsigned length_count;
    struct {
        unsigned port, bytes, count;
    } lengths[LENGTHS_MAX];
};

/* The manifest has a field a line; an entry ends with "model". Returns false at its end. */
static bool next_entry(FILE *manifest, struct entry *entry)
{
    char line[1024];
    memset(entry, 0, sizeof *entry);
    while (fgets(line, sizeof line, manifest)) {
        unsigned port, bytes, count;
        sscanf(line, " \"file\": \"%255[^\"]\"", entry->file);
        sscanf(line, " \"packets\": %u", &entry->packets);
        sscanf(line, " \"ip_fragments\": %u", &entry->fragments);
        if (sscanf(line, " \"%u/%uB\": %u", &port, &bytes, &count) == 3) {
            assert_true(entry->length_count < LENGTHS_MAX);
            entry->lengths[entry->length_count].port = port;
            entry->lengths[entry->length_count].bytes = bytes;
            entry->lengths[entry->length_count++].count = count;
        }
        if (strstr(line, "\"model\":"))
            return true;
    }
    return false;
}

/* Take a datagram off what the manifest promises. */
static void strike_out(struct entry *entry, const struct sl_datagram *d)
{
    for (unsigned i = 0; i < entry->length_count; i++) {
        if (entry->lengths[i].port == d->destination.port &&
            entry->lengths[i].bytes == d->size_bytes && entry->lengths[i].count > 0) {
            entry->lengths[i].count--;
            return;
        }
    }
    fail_msg("%s: a datagram of %u bytes to port %u is not in the manifest", entry->file,
             d->size_bytes, d->destination.port);
}

static void check(struct entry *entry)
{
    char name[PATH_MAX];
    char path[PATH_MAX];
    struct sl_datagram_reader *reader;
    struct sl_datagram d;
    struct sl_datagram_counters counters;
    snprintf(name, sizeof name, "lidar/%s", entry->file);
    if (!test_data(name, path))
        fail_msg("%s is missing", name);
    if (sl_datagram_reader_open(path, NULL, &reader) < 0)
        fail_msg("%s", sl_error_text());
    int result;
    while ((result = sl_datagram_reader_next(reader, &d)) == 1) {
        assert_true(d.time_ns > 0);
        if (!(d.flags & SL_DATAGRAM_REASSEMBLED)) /* the manifest lists whole packets only */
            strike_out(entry, &d);
    }
    if (result < 0)
        fail_msg("%s", sl_error_text());
    for (unsigned i = 0; i < entry->length_count; i++)
        if (entry->lengths[i].count > 0)
            fail_msg("%s: %u datagrams of %u bytes are missing", entry->file,
                     entry->lengths[i].count, entry->lengths[i].bytes);
    sl_datagram_reader_counters(reader, &counters);
    assert_int_equal(counters.records, entry->packets);
    assert_int_equal(counters.reassembly.fragments, entry->fragments);
    sl_datagram_reader_close(reader);
}

static void each_capture_holds_what_the_manifest_says(void **state)
{
    (void)state;
    char path[PATH_MAX];
    struct entry entry;
    unsigned count = 0;
    FILE *manifest = fopen(test_data("lidar/MANIFEST.json", path), "r");
    assert_non_null(manifest);
    while (next_entry(manifest, &entry)) {
        const char *dot = strrchr(entry.file, '.');
        if (!dot || strcmp(dot, ".pcap") != 0)
            continue;
        check(&entry);
        count++;
    }
    fclose(manifest);
    assert_true(count >= 20);
}

/* The captures in fragments, by hand: tshark gives the whole lengths (udp.length - 8). */
static void fragments_of_the_field_are_put_together(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        unsigned sizes[2]; /* of the datagrams, 0 = no more */
        unsigned timeouts;
    } captures[] = {
        /* a first fragment without the rest, and 88 s later a datagram of the same id */
        {"lidar/ouster/sdk/duplicate_id.pcap", {8448, 0}, 1},
        /* two sensors that send to the same ports */
        {"lidar/ouster/sdk/same_ports_legacy.pcap", {12608, 24896}, 0},
    };
    for (unsigned i = 0; i < sizeof captures / sizeof captures[0]; i++) {
        char path[PATH_MAX];
        struct sl_datagram_reader *reader;
        struct sl_datagram d;
        if (sl_datagram_reader_open(test_data(captures[i].name, path), NULL, &reader) < 0)
            fail_msg("%s", sl_error_text());
        for (unsigned k = 0; k < 2 && captures[i].sizes[k]; k++) {
            assert_int_equal(sl_datagram_reader_next(reader, &d), 1);
            assert_int_equal(d.size_bytes, captures[i].sizes[k]);
            assert_true(d.flags & SL_DATAGRAM_REASSEMBLED);
        }
        assert_int_equal(sl_datagram_reader_next(reader, &d), 0);
        struct sl_datagram_counters counters;
        sl_datagram_reader_counters(reader, &counters);
        assert_int_equal(counters.reassembly.timeouts, captures[i].timeouts);
        assert_int_equal(counters.reassembly.overlaps, 0);
        sl_datagram_reader_close(reader);
    }
}

int main(void)
{
    char path[PATH_MAX];
    if (!test_data("lidar/MANIFEST.json", path)) {
        printf("SKIP: %s is absent (SLUICE_TEST_DATA names the folder of test data)\n", path);
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_capture_holds_what_the_manifest_says),
        cmocka_unit_test(fragments_of_the_field_are_put_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
