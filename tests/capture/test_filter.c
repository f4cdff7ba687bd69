/* SPDX-License-Identifier: Apache-2.0 */
/* tcpdump filters over capture files. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "core/capture/live.h"
#include "tests/capture/support.h"

static struct capture capture;
static char path[PATH_MAX];

static int finish(void **state)
{
    (void)state;
    remove_files();
    return 0;
}

static void a_filter_lets_pass_what_it_names(void **state)
{
    (void)state;
    static const uint32_t links[] = {SL_LINK_ETHERNET, SL_LINK_SLL,  SL_LINK_SLL2,
                                     SL_LINK_RAW,      SL_LINK_LOOP, SL_LINK_NULL};
    for (unsigned i = 0; i < sizeof links / sizeof links[0]; i++) {
        const struct sl_capture_write_options options = {.link_type = links[i]};
        struct sl_datagram_reader *reader;
        struct sl_datagram back;
        capture_begin(&capture, &options);
        for (uint8_t k = 0; k < 10; k++) {
            struct sl_datagram d = datagram_of(4, 100, k);
            d.destination.port = k % 2 ? 2368 : 8308;
            capture_add(&capture, &d);
        }
        write_file("ports.pcap", capture.bytes, capture_size(&capture), path);
        assert_int_equal(
            sl_datagram_reader_open(path, "udp dst port 8308 and src host 192.168.1.201", &reader),
            0);
        for (uint8_t k = 0; k < 10; k += 2) {
            struct sl_datagram d = datagram_of(4, 100, k);
            d.destination.port = 8308;
            assert_int_equal(sl_datagram_reader_next(reader, &back), 1);
            assert_same_datagram(&back, &d);
        }
        assert_int_equal(sl_datagram_reader_next(reader, &back), 0);
        struct sl_datagram_counters counters;
        sl_datagram_reader_counters(reader, &counters);
        assert_int_equal(counters.filtered, 5);
        assert_int_equal(counters.records, 10);
        sl_datagram_reader_close(reader);
    }
}

static void a_wrong_filter_is_told_with_its_text(void **state)
{
    (void)state;
    struct sl_filter *filter = NULL;
    assert_int_equal(sl_filter_create("udp port lidar9", &filter), -EINVAL);
    assert_non_null(strstr(sl_error_text(), "udp port lidar9"));
    assert_null(filter);
    struct sl_datagram_reader *reader = NULL;
    assert_int_equal(sl_datagram_reader_open(path, "and and", &reader), -EINVAL);
    assert_null(reader);
}

static void a_filter_that_fits_not_the_link_type_is_told(void **state)
{
    (void)state;
    struct sl_filter *filter;
    const struct sl_capture_record record = {.link_type = SL_LINK_RAW};
    assert_int_equal(sl_filter_create("ether host 02:00:00:00:00:01", &filter), 0);
    assert_int_equal(sl_filter_match(filter, &record), -EINVAL);
    assert_non_null(strstr(sl_error_text(), "ether host"));
    sl_filter_destroy(filter);
}

int main(void)
{
    struct sl_filter *filter;
    int err = sl_filter_create("udp", &filter);
    if (err == -ENOTSUP) {
        printf("SKIP: %s\n", sl_error_text());
        return 77;
    }
    if (!err)
        sl_filter_destroy(filter);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_filter_lets_pass_what_it_names),
        cmocka_unit_test(a_wrong_filter_is_told_with_its_text),
        cmocka_unit_test(a_filter_that_fits_not_the_link_type_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, finish);
}
