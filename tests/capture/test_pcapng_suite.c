/* SPDX-License-Identifier: Apache-2.0 */
/* The pcapng test suite (48 files, both byte orders, a text beside each that counts its blocks). */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/capture/support.h"

/* What tshark 4.0 says of each file, of the packets that have a link type (it lists custom blocks
 * as packets too): tshark -T fields -e frame.cap_len -e frame.len -e frame.time_epoch, summed up,
 * the times in nanoseconds. The files of both byte orders give the same. All packets are UDP. */
static const struct expected {
    const char *name;
    unsigned packets;
    unsigned captured_bytes;
    unsigned original_bytes;
    uint64_t time_sum_ns;
} files[] = {
    {"basic/test001", 4, 1312, 1312, UINT64_C(0)},
    {"basic/test002", 0, 0, 0, UINT64_C(0)},
    {"basic/test003", 0, 0, 0, UINT64_C(0)},
    {"basic/test004", 4, 448, 1312, UINT64_C(5363819621201432000)},
    {"basic/test005", 4, 448, 1312, UINT64_C(5363819621201432000)},
    {"basic/test006", 5, 552, 1480, UINT64_C(6704774526504290000)},
    {"basic/test007", 1, 96, 314, UINT64_C(1340954905298858000)},
    {"basic/test008", 4, 448, 1312, UINT64_C(5363819621201432)},
    {"basic/test009", 2, 656, 656, UINT64_C(2681909810598716000)},
    {"basic/test010", 4, 1312, 1312, UINT64_C(0)},
    {"basic/test011", 4, 1312, 1312, UINT64_C(2681909810599716000)},
    {"basic/test012", 4, 1258, 1312, UINT64_C(0)},
    {"basic/test013", 0, 0, 0, UINT64_C(0)},
    {"basic/test014", 0, 0, 0, UINT64_C(0)},
    {"basic/test015", 0, 0, 0, UINT64_C(0)},
    {"basic/test016", 4, 1312, 1312, UINT64_C(2681909810599716000)},
    {"basic/test017", 0, 0, 0, UINT64_C(0)},
    {"basic/test018", 4, 1312, 1312, UINT64_C(2681909810599716000)},
    {"advanced/test100", 5, 1480, 1480, UINT64_C(4022864715901574000)},
    {"advanced/test101", 4, 488, 1138, UINT64_C(4022864715899574000)},
    {"advanced/test102", 5, 798, 1480, UINT64_C(5363819621200432000)},
    {"difficult/test200", 0, 0, 0, UINT64_C(0)},
    {"difficult/test201", 4, 520, 1138, UINT64_C(4022864715899574000)},
    {"difficult/test202", 8, 1040, 2304, UINT64_C(8045729431799148000)},
};

static struct decoded decoded;
static struct sl_capture_reader reader;

static unsigned number_behind(const char *text, const char *word)
{
    const char *at = strstr(text, word);
    return at ? (unsigned)strtoul(at + strlen(word), NULL, 10) : 0;
}

/* The packets and the other blocks that the text beside a file counts. */
static void assert_as_text_says(const char *name, unsigned packets)
{
    char path[PATH_MAX];
    size_t size_bytes;
    assert_non_null(test_data(name, path));
    char *text = (char *)read_whole(path, &size_bytes);
    assert_int_equal(packets, number_behind(text, "EPB: ") + number_behind(text, "SPB: "));
    /* "DCB: " holds "CB: ", which stands before it where there is one */
    unsigned dcb = number_behind(text, "DCB: ");
    unsigned cb = strstr(text, "\tCB: ") ? number_behind(text, "\tCB: ") : 0;
    unsigned others = number_behind(text, "SHB: ") + number_behind(text, "NRB: ") +
                      number_behind(text, "ISB: ") + dcb + cb;
    assert_int_equal(reader.blocks_passed, others);
    free(text);
}

static void check(const char *order, const struct expected *expected)
{
    char name[256];
    char path[PATH_MAX];
    size_t size_bytes;
    snprintf(name, sizeof name, "pcapng/%s/%s.pcapng", order, expected->name);
    if (!test_data(name, path))
        fail_msg("%s is missing", name);
    uint8_t *bytes = read_whole(path, &size_bytes);
    struct expected found = {.name = expected->name};
    struct sl_capture_record record;
    int result;
    sl_capture_reader_init(&reader, bytes, size_bytes);
    while ((result = sl_capture_next(&reader, &record)) == 1) {
        found.packets++;
        found.captured_bytes += record.captured_bytes;
        found.original_bytes += record.original_bytes;
        found.time_sum_ns += record.time_ns;
    }
    if (result < 0)
        fail_msg("%s: %s", name, sl_error_text());
    if (found.packets != expected->packets || found.captured_bytes != expected->captured_bytes ||
        found.original_bytes != expected->original_bytes ||
        found.time_sum_ns != expected->time_sum_ns)
        fail_msg("%s: %u packets, %u of %u bytes, times %llu", name, found.packets,
                 found.captured_bytes, found.original_bytes, (unsigned long long)found.time_sum_ns);
    snprintf(name, sizeof name, "pcapng/%s/%s.txt", order, expected->name);
    assert_as_text_says(name, found.packets);
    decode_capture(bytes, size_bytes, &decoded);
    assert_int_equal(decoded.count, expected->packets);
    free_decoded(&decoded);
    free(bytes);
}

static void all_files_of_the_suite_are_read(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof files / sizeof files[0]; i++) {
        check("output_le", &files[i]);
        check("output_be", &files[i]);
    }
}

/* Every cut of every file ends with a sentence or an end, and never with a packet too many. */
static void no_cut_of_any_file_is_read_beyond_its_end(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2 * sizeof files / sizeof files[0]; i++) {
        char name[256];
        char path[PATH_MAX];
        size_t size_bytes;
        snprintf(name, sizeof name, "pcapng/%s/%s.pcapng", i % 2 ? "output_le" : "output_be",
                 files[i / 2].name);
        uint8_t *bytes = read_whole(test_data(name, path), &size_bytes);
        unsigned before = 0;
        for (size_t cut = 0; cut < size_bytes; cut++) {
            uint8_t *copy = malloc(cut ? cut : 1);
            assert_non_null(copy);
            memcpy(copy, bytes, cut);
            struct sl_capture_record record;
            unsigned count = 0;
            sl_capture_reader_init(&reader, copy, cut);
            while (sl_capture_next(&reader, &record) == 1)
                count++;
            assert_in_range(count, before, files[i / 2].packets);
            before = count;
            free(copy);
        }
        free(bytes);
    }
}

int main(void)
{
    char path[PATH_MAX];
    if (!test_data("pcapng/output_le", path)) {
        printf("SKIP: %s is absent (SLUICE_TEST_DATA names the folder of test data)\n", path);
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_files_of_the_suite_are_read),
        cmocka_unit_test(no_cut_of_any_file_is_read_beyond_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
