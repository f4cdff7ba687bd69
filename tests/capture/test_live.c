/* SPDX-License-Identifier: Apache-2.0 */
/* Live capture on the loopback interface. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/capture/live.h"
#include "tests/capture/support.h"

#define COUNT      50
#define TIMEOUT_MS 60000

static int bind_udp(struct sockaddr_in *ret_address)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t length = sizeof *ret_address;
    *ret_address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)ret_address, sizeof *ret_address), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)ret_address, &length), 0);
    return fd;
}

/* The next datagram to `port`, waiting on the descriptor. */
static void wait_for(struct sl_live *live, struct sl_datagram_decoder *decoder,
                     struct sl_datagram *ret)
{
    struct sl_capture_record record;
    for (;;) {
        int result = sl_live_next(live, &record);
        if (result < 0)
            fail_msg("%s", sl_error_text());
        if (result == 1 && sl_datagram_decode(decoder, &record, ret))
            return;
        if (result == 1)
            continue;
        struct pollfd wait = {.fd = sl_live_fd(live), .events = POLLIN};
        assert_int_equal(poll(&wait, 1, TIMEOUT_MS), 1);
    }
}

static void datagrams_sent_on_loopback_are_captured(void **state)
{
    (void)state;
    char filter[64];
    struct sockaddr_in to;
    int fd = bind_udp(&to);
    snprintf(filter, sizeof filter, "udp dst port %u", ntohs(to.sin_port));
    const struct sl_live_options options = {.interface = "lo", .filter = filter};
    struct sl_live *live;
    struct sl_datagram_decoder *decoder;
    assert_int_equal(sl_live_open(&options, &live), 0);
    assert_int_equal(sl_datagram_decoder_create(&decoder), 0);
    for (uint8_t i = 0; i < COUNT; i++) {
        struct sl_datagram d = datagram_of(4, i * 600u, i);
        struct sl_datagram back;
        uint64_t before = sl_clock_realtime_ns();
        assert_int_equal(sendto(fd, d.bytes, d.size_bytes, 0, (struct sockaddr *)&to, sizeof to),
                         d.size_bytes);
        wait_for(live, decoder, &back);
        assert_int_equal(back.size_bytes, d.size_bytes);
        if (d.size_bytes)
            assert_memory_equal(back.bytes, d.bytes, d.size_bytes);
        assert_int_equal(back.destination.port, ntohs(to.sin_port));
        assert_int_equal(back.flags, SL_DATAGRAM_KERNEL_TIME);
        assert_true(back.time_ns + SL_NS_PER_S > before &&
                    back.time_ns < before + 10 * SL_NS_PER_S);
    }
    struct sl_live_statistics statistics;
    assert_int_equal(sl_live_statistics(live, &statistics), 0);
    assert_true(statistics.received >= COUNT);
    assert_int_equal(statistics.kernel_drops, 0);
    sl_datagram_decoder_destroy(decoder);
    sl_live_close(live);
    close(fd);
}

static void an_absent_interface_is_told_with_those_that_there_are(void **state)
{
    (void)state;
    const struct sl_live_options options = {.interface = "absent0"};
    struct sl_live *live = NULL;
    assert_int_equal(sl_live_open(&options, &live), -ENODEV);
    assert_non_null(strstr(sl_error_text(), "absent0"));
    assert_non_null(strstr(sl_error_text(), "lo"));
    assert_null(live);
}

static void a_wrong_filter_is_told(void **state)
{
    (void)state;
    const struct sl_live_options options = {.interface = "lo", .filter = "no such words"};
    struct sl_live *live = NULL;
    assert_int_equal(sl_live_open(&options, &live), -EINVAL);
    assert_non_null(strstr(sl_error_text(), "no such words"));
    assert_null(live);
}

int main(void)
{
    const struct sl_live_options options = {.interface = "lo"};
    struct sl_live *live;
    int err = sl_live_open(&options, &live);
    if (err == -ENOTSUP || err == -EPERM) {
        printf("SKIP: %s\n", sl_error_text());
        return 77;
    }
    if (!err)
        sl_live_close(live);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(datagrams_sent_on_loopback_are_captured),
        cmocka_unit_test(an_absent_interface_is_told_with_those_that_there_are),
        cmocka_unit_test(a_wrong_filter_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
