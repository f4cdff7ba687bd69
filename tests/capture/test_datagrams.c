/* SPDX-License-Identifier: Apache-2.0 */
/* Capture files: opening, reading, rewinding, and what may be wrong with them. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/capture/file.h"
#include "tests/capture/support.h"

#define COUNT 3000

static struct capture capture;
static char path[PATH_MAX];

static int finish(void **state)
{
    (void)state;
    remove_files();
    return 0;
}

static void make(const struct sl_capture_write_options *options, unsigned count)
{
    capture_begin(&capture, options);
    for (unsigned i = 0; i < count; i++) {
        struct sl_datagram d = datagram_of(4, 1206, (uint8_t)i);
        d.time_ns += i;
        capture_add(&capture, &d);
    }
}

static void assert_open_fails(const char *name, int err, const char *text)
{
    struct sl_datagram_reader *reader = NULL;
    assert_int_equal(sl_datagram_reader_open(name, NULL, &reader), err);
    assert_null(reader);
    if (!strstr(sl_error_text(), text) || !strstr(sl_error_text(), name))
        fail_msg("\"%s\" does not say \"%s\" and the path", sl_error_text(), text);
}

static void files_that_cannot_be_read_are_told(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "%s/absent.pcap", test_folder());
    assert_open_fails(path, -ENOENT, "No such file");
    assert_open_fails(test_folder(), -EISDIR, "is a directory");
    write_file("empty.pcap", "", 0, path);
    assert_open_fails(path, -ENODATA, "is empty");
    snprintf(path, sizeof path, "%s/pipe", test_folder());
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_open_fails(path, -ESPIPE, "no regular file");
    write_file("packed.pcap.gz", "\x1f\x8b\x08\0\0\0\0\0", 8, path);
    assert_open_fails(path, -EPROTO, "gzip");
    write_file("cut.pcap", "\xd4\xc3\xb2\xa1\2\0\4\0", 8, path);
    assert_open_fails(path, -ENODATA, "inside the file header");
    write_file("secret.pcap", "x", 1, path);
    assert_int_equal(chmod(path, 0), 0);
    if (access(path, R_OK) < 0) /* root may read everything */
        assert_open_fails(path, -EACCES, "chmod");
}

static void a_large_file_is_read_rewound_and_read_again(void **state)
{
    (void)state;
    for (int format = SL_CAPTURE_PCAP; format <= SL_CAPTURE_PCAPNG; format++) {
        const struct sl_capture_write_options options = {.format = (enum sl_capture_format)format,
                                                         .link_type = SL_LINK_ETHERNET};
        make(&options, COUNT);
        write_file("large", capture.bytes, capture_size(&capture), path);
        struct sl_datagram_reader *reader;
        struct sl_datagram d;
        assert_int_equal(sl_datagram_reader_open(path, NULL, &reader), 0);
        for (unsigned loop = 0; loop < 3; loop++) {
            uint64_t done, total, before = 0;
            for (unsigned i = 0; i < COUNT; i++) {
                assert_int_equal(sl_datagram_reader_next(reader, &d), 1);
                struct sl_datagram expected = datagram_of(4, 1206, (uint8_t)i);
                assert_same_datagram(&d, &expected);
                assert_true(d.time_ns == SUPPORT_TIME_NS + i);
                sl_datagram_reader_progress(reader, &done, &total);
                assert_true(done > before && done <= total);
                before = done;
            }
            assert_int_equal(done, total);
            assert_int_equal(total, capture_size(&capture));
            assert_int_equal(sl_datagram_reader_next(reader, &d), 0);
            assert_int_equal(sl_datagram_reader_next(reader, &d), 0);
            sl_datagram_reader_rewind(reader);
            sl_datagram_reader_progress(reader, &done, &total);
            assert_int_equal(done, 0);
        }
        struct sl_datagram_counters counters;
        sl_datagram_reader_counters(reader, &counters);
        assert_int_equal(counters.datagrams, 3 * COUNT);
        assert_int_equal(counters.records, 3 * COUNT);
        sl_datagram_reader_close(reader);
    }
}

static void a_file_cut_while_it_is_read_gives_an_error(void **state)
{
    (void)state;
    const struct sl_capture_write_options options = {.link_type = SL_LINK_ETHERNET};
    make(&options, COUNT);
    write_file("shrinks.pcap", capture.bytes, capture_size(&capture), path);
    struct sl_datagram_reader *reader;
    struct sl_datagram d;
    assert_int_equal(sl_datagram_reader_open(path, NULL, &reader), 0);
    assert_int_equal(sl_datagram_reader_next(reader, &d), 1);
    assert_int_equal(truncate(path, (off_t)capture_size(&capture) - 100), 0);
    unsigned count = 1;
    int result;
    while ((result = sl_datagram_reader_next(reader, &d)) == 1)
        count++;
    assert_int_equal(result, -ENODATA);
    assert_int_equal(count, COUNT - 1);
    assert_non_null(strstr(sl_error_text(), "shrinks.pcap"));
    assert_non_null(strstr(sl_error_text(), "cut off"));
    /* cut to nothing, it begins anew with an error and without a signal */
    assert_int_equal(truncate(path, 0), 0);
    sl_datagram_reader_rewind(reader);
    assert_int_equal(sl_datagram_reader_next(reader, &d), -ENODATA);
    sl_datagram_reader_close(reader);
}

static void an_unknown_link_type_is_told_with_number_and_file(void **state)
{
    (void)state;
    struct sl_capture_write_options options = {.link_type = SL_LINK_ETHERNET};
    make(&options, 3);
    sl_put_le32(capture.bytes + 20, 147);
    write_file("custom.pcap", capture.bytes, capture_size(&capture), path);
    assert_open_fails(path, -ENOTSUP, "link type 147");

    options.format = SL_CAPTURE_PCAPNG;
    make(&options, 3);
    sl_put_le16(capture.bytes + 28 + 8, 148);
    write_file("custom.pcapng", capture.bytes, capture_size(&capture), path);
    struct sl_datagram_reader *reader;
    struct sl_datagram d;
    assert_int_equal(sl_datagram_reader_open(path, NULL, &reader), 0);
    assert_int_equal(sl_datagram_reader_next(reader, &d), -ENOTSUP);
    assert_non_null(strstr(sl_error_text(), "link type 148"));
    struct sl_datagram_counters counters;
    sl_datagram_reader_counters(reader, &counters);
    assert_int_equal(counters.unknown_link, 3);
    sl_datagram_reader_close(reader);

    /* a later section that can be read makes it a capture like any other */
    assert_int_equal(sl_capture_write_section(&capture.writer, &options), 0);
    d = datagram_of(4, 100, 1);
    capture_add(&capture, &d);
    write_file("mixed.pcapng", capture.bytes, capture_size(&capture), path);
    assert_int_equal(sl_datagram_reader_open(path, NULL, &reader), 0);
    assert_int_equal(sl_datagram_reader_next(reader, &d), 1);
    assert_int_equal(sl_datagram_reader_next(reader, &d), 0);
    sl_datagram_reader_close(reader);
}

static void what_is_not_delivered_is_counted_and_told(void **state)
{
    (void)state;
    static struct decoded decoded;
    const struct sl_capture_write_options options = {.link_type = SL_LINK_ETHERNET,
                                                     .mtu_bytes = 1500};
    capture_begin(&capture, &options);
    struct sl_datagram d = datagram_of(4, 1000, 1);
    capture_add(&capture, &d);
    size_t at = capture_size(&capture) + 16;
    capture_add(&capture, &d);
    sl_put_be16(capture.bytes + at + 12, 0x0806);
    at = capture_size(&capture) + 16;
    capture_add(&capture, &d);
    capture.bytes[at + 14 + 9] = 1;
    at = capture_size(&capture) + 16;
    capture_add(&capture, &d);
    capture.bytes[at + 14] = 0x41;
    capture.writer.options.snap_bytes = 30;
    capture_add(&capture, &d);
    capture.writer.options.snap_bytes = 500;
    capture_add(&capture, &d);
    capture.writer.options.snap_bytes = 0;
    d = datagram_of(4, 2000, 2);
    capture_add_frame(&capture, &d, 0, 9, SUPPORT_TIME_NS);
    decode_capture(capture.bytes, capture_size(&capture), &decoded);
    assert_int_equal(decoded.count, 2);
    assert_int_equal(decoded.datagrams[1].size_bytes, 500 - 42);
    assert_true(decoded.datagrams[1].flags & SL_DATAGRAM_TRUNCATED);
    char text[512];
    int length = sl_datagram_counters_print(&decoded.counters, text, sizeof text);
    assert_int_equal(length, strlen(text));
    assert_string_equal(text, "1 not IP, 1 not UDP, 1 cut off when captured, 1 delivered without "
                              "their end, 1 malformed, 1 incomplete in fragments");
    assert_int_equal(sl_datagram_counters_print(&decoded.counters, text, 10), length);
    assert_string_equal(text, "1 not IP,");
    free_decoded(&decoded);
}

static void a_stream_is_written_as_well_as_bytes(void **state)
{
    (void)state;
    static struct sl_capture_writer writer;
    const struct sl_capture_write_options options = {.link_type = SL_LINK_SLL2, .mtu_bytes = 1500};
    struct sl_datagram d = datagram_of(6, 8448, 1);
    snprintf(path, sizeof path, "%s/stream.pcap", test_folder());
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(sl_capture_write_begin(&writer, &options, NULL, file), 0);
    assert_int_equal(sl_capture_write_datagram(&writer, &d), 0);
    assert_int_equal(fclose(file), 0);
    struct sl_datagram_reader *reader;
    struct sl_datagram back;
    assert_int_equal(sl_datagram_reader_open(path, NULL, &reader), 0);
    assert_int_equal(sl_datagram_reader_next(reader, &back), 1);
    assert_same_datagram(&back, &d);
    sl_datagram_reader_close(reader);

    file = fopen("/dev/full", "wb");
    if (!file)
        return;
    setvbuf(file, NULL, _IONBF, 0);
    assert_int_equal(sl_capture_write_begin(&writer, &options, NULL, file), -ENOSPC);
    fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_that_cannot_be_read_are_told),
        cmocka_unit_test(a_large_file_is_read_rewound_and_read_again),
        cmocka_unit_test(a_file_cut_while_it_is_read_gives_an_error),
        cmocka_unit_test(an_unknown_link_type_is_told_with_number_and_file),
        cmocka_unit_test(what_is_not_delivered_is_counted_and_told),
        cmocka_unit_test(a_stream_is_written_as_well_as_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, finish);
}
