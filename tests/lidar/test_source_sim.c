/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated sensor as a source: packets become due when a real one would have sent them. The
 * clock is the test's own, so nothing waits. */
#include "core/base/bytes.h"
#include "core/base/error.h"
#include "drivers/lidar/sim/sim.h"
#include "drivers/lidar/source.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static uint64_t clock_ns;

static uint64_t read_clock(void)
{
    return clock_ns;
}

static struct lidar_source *open_with(double rate, uint64_t packets)
{
    struct lidar_sim_config sim;
    lidar_sim_config_default(&sim);
    sim.start_utc_ns = UINT64_C(1700000000000000000);
    sim.data_packets_max = packets;
    struct lidar_source *source = NULL;
    const struct lidar_sim_source_config config = {.sim = &sim, .rate = rate, .now_ns = read_clock};
    assert_int_equal(lidar_source_open_sim(&config, &source), 0);
    assert_string_equal(lidar_source_kind(source), "sim");
    assert_int_equal(lidar_source_fd(source), -1);
    return source;
}

static void packets_are_due_at_the_sensors_pace(void **state)
{
    (void)state;
    const double rates[] = {1, 4, 0.5};
    for (unsigned r = 0; r < 3; r++) {
        clock_ns = 5000000000;
        struct lidar_source *source = open_with(rates[r], 0);
        struct sl_datagram batch[LIDAR_SOURCE_BATCH_MAX];
        for (unsigned i = 0; i < 12;
             i++) { /* 10 of data, 2 of telemetry: with the fifth and tenth */
            uint64_t data = i < 6 ? (i < 5 ? i : 4) : (i < 11 ? i - 1 : 9);
            uint64_t expected = 5000000000 + (uint64_t)((double)(data * 1327104) / rates[r]);
            assert_int_equal(lidar_source_due_ns(source), expected);
            if (expected > clock_ns) {
                clock_ns = expected - 1;
                assert_int_equal(lidar_source_receive(source, batch, 1), 0);
            }
            clock_ns = expected;
            assert_int_equal(lidar_source_receive(source, batch, 1), 1);
            bool telemetry = i == 5 || i == 11;
            assert_int_equal(batch[0].size_bytes, telemetry ? 512 : 1206);
            assert_int_equal(batch[0].destination.port, telemetry ? 8308 : 2368);
            assert_int_equal(batch[0].time_ns,
                             UINT64_C(1700000000000000000) + (data + 1) * 1327104);
        }
        lidar_source_close(source);
    }
}

static void what_is_late_comes_in_one_batch(void **state)
{
    (void)state;
    clock_ns = 1000;
    struct lidar_source *source = open_with(1, 0);
    struct sl_datagram batch[LIDAR_SOURCE_BATCH_MAX];
    assert_int_equal(lidar_source_receive(source, batch, LIDAR_SOURCE_BATCH_MAX), 1);
    clock_ns += 10 * 1327104;
    assert_int_equal(lidar_source_receive(source, batch, LIDAR_SOURCE_BATCH_MAX), 12);
    assert_int_equal(lidar_source_receive(source, batch, LIDAR_SOURCE_BATCH_MAX), 0);
    for (unsigned i = 1; i < 12; i++) { /* every one stands in bytes of its own */
        assert_true(batch[i].bytes != batch[i - 1].bytes);
        assert_true(batch[i].time_ns >= batch[i - 1].time_ns);
    }
    lidar_source_close(source);
}

static void rate_zero_waits_for_nothing_and_ends(void **state)
{
    (void)state;
    clock_ns = 0;
    struct lidar_source *source = open_with(0, 100);
    struct sl_datagram batch[LIDAR_SOURCE_BATCH_MAX + 1];
    int count, total = 0;
    while ((count = lidar_source_receive(source, batch, LIDAR_SOURCE_BATCH_MAX + 1)) > 0) {
        assert_true(count <= LIDAR_SOURCE_BATCH_MAX);
        total += count;
        assert_int_equal(lidar_source_due_ns(source), LIDAR_SOURCE_DUE_NOW);
    }
    assert_int_equal(count, -ENODATA);
    assert_int_equal(lidar_source_receive(source, batch, 1), -ENODATA);
    assert_int_equal(total, 120);
    struct lidar_source_stats stats;
    lidar_source_stats(source, &stats);
    assert_int_equal(stats.datagrams, 120);
    assert_int_equal(stats.bytes, 100 * 1206 + 20 * 512);
    struct lidar_source_progress progress;
    assert_false(lidar_source_progress(source, &progress));
    lidar_source_close(source);
}

static void negative_rate_is_refused(void **state)
{
    (void)state;
    struct lidar_sim_config sim;
    struct lidar_source *source = NULL;
    lidar_sim_config_default(&sim);
    const struct lidar_sim_source_config config = {.sim = &sim, .rate = -1};
    assert_int_equal(lidar_source_open_sim(&config, &source), -EINVAL);
    assert_null(source);
    lidar_source_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_are_due_at_the_sensors_pace),
        cmocka_unit_test(what_is_late_comes_in_one_batch),
        cmocka_unit_test(rate_zero_waits_for_nothing_and_ends),
        cmocka_unit_test(negative_rate_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
