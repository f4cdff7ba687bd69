/* SPDX-License-Identifier: Apache-2.0 */
/* test_clock_fit.c - clocks of known offset and drift, behind networks of known delay. */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/lidar/sensor_clock.h"

#define NS_PER_S  INT64_C(1000000000)
#define OFFSET_NS (1700000000 * NS_PER_S)
#define STEP_NS   INT64_C(1327000)

static uint32_t state = 88172645u;

static double random_unit(void)
{
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return (state >> 8) / 16777216.0;
}

/* What the host's clock shows when the sensor's shows `sensor_ns`. */
static int64_t host_of(int64_t sensor_ns, double drift)
{
    return sensor_ns + OFFSET_NS + (int64_t)((double)sensor_ns * drift);
}

/* Largest error of the line in seconds [from, to), of packets that are late by 30 us and, one in
 * ten, by up to 20 ms. */
static double worst_ns(double drift, int from_s, int to_s)
{
    struct lidar_clock_fit fit = {0};
    double worst = 0;
    for (int64_t t = 0; t < to_s * NS_PER_S; t += STEP_NS) {
        double late_ns = -30e3 * log(1 - random_unit());
        if (random_unit() < 0.1)
            late_ns += random_unit() * 20e6;
        lidar_clock_fit_add(&fit, t, host_of(t, drift) + (int64_t)late_ns);
        int64_t host_ns = 0;
        assert_true(lidar_clock_fit_at(&fit, t, &host_ns));
        if (t >= from_s * NS_PER_S)
            worst = fmax(worst, fabs((double)(host_ns - host_of(t, drift))));
    }
    return worst;
}

static void late_packets_do_not_move_the_line(void **unused)
{
    (void)unused;
    static const double drifts[] = {0, 20e-6, -20e-6, 90e-6, -90e-6};
    for (unsigned i = 0; i < sizeof drifts / sizeof *drifts; i++) {
        assert_true(worst_ns(drifts[i], 10, 120) < 3000);
        assert_true(worst_ns(drifts[i], 1, 10) < 500e3);
    }
}

static void the_line_is_the_hull_edge_over_the_mean(void **unused)
{
    (void)unused;
    /* a second each; the third is a millisecond late, all through */
    static const int64_t late_ns[] = {0, 5000, 1000000, 15000, 20000, 25000, 30000};
    struct lidar_clock_fit fit = {0};
    int64_t host_ns = 0;
    for (unsigned i = 0; i < 7; i++)
        lidar_clock_fit_add(&fit, i * NS_PER_S, OFFSET_NS + i * NS_PER_S + late_ns[i]);
    assert_true(lidar_clock_fit_at(&fit, 10 * NS_PER_S, &host_ns));
    assert_true(llabs(host_ns - (OFFSET_NS + 10 * NS_PER_S + 50000)) < 10);
}

static void a_clock_that_is_set_begins_a_new_line(void **unused)
{
    (void)unused;
    struct lidar_clock_fit fit = {0};
    int64_t host_ns = 0;
    static const int64_t set_ns[] = {-3600 * NS_PER_S, 5 * NS_PER_S};
    assert_false(lidar_clock_fit_at(&fit, 0, &host_ns));
    for (unsigned which = 0; which < 2; which++) {
        for (int64_t t = 0; t < 8 * NS_PER_S; t += STEP_NS)
            lidar_clock_fit_add(&fit, t, OFFSET_NS + t);
        lidar_clock_fit_add(&fit, 9 * NS_PER_S, OFFSET_NS + 9 * NS_PER_S + set_ns[which]);
        assert_true(lidar_clock_fit_at(&fit, 9 * NS_PER_S, &host_ns));
        assert_true(host_ns == OFFSET_NS + 9 * NS_PER_S + set_ns[which]);
    }
}

static void an_hour_of_silence_begins_a_new_line(void **unused)
{
    (void)unused;
    struct lidar_clock_fit fit = {0};
    int64_t host_ns = 0;
    lidar_clock_fit_add(&fit, 0, OFFSET_NS);
    lidar_clock_fit_add(&fit, 7200 * NS_PER_S, OFFSET_NS + 7200 * NS_PER_S + 100000000);
    assert_true(lidar_clock_fit_at(&fit, 7200 * NS_PER_S, &host_ns));
    assert_true(host_ns == OFFSET_NS + 7200 * NS_PER_S + 100000000);
}

static void a_stamp_is_fitted_where_that_is_asked_for(void **unused)
{
    (void)unused;
    struct lidar_clock clock = {0};
    enum lidar_clock_kind kind;
    int64_t time_ns = 0;
    for (unsigned i = 0; i < 100; i++)
        lidar_clock_data(&clock, 1000 * i, (uint64_t)(OFFSET_NS + 1000000 * i + 7000 * (i % 3)), 0,
                         &time_ns);
    uint64_t stamp_ns = lidar_clock_stamp_ns(&clock, LIDAR_STAMP_FITTED, time_ns, &kind);
    assert_int_equal(kind, LIDAR_CLOCK_FITTED);
    assert_true(stamp_ns == (uint64_t)(OFFSET_NS + 99000000));
    lidar_clock_restart(&clock); /* the host's times are not known any more */
    lidar_clock_stamp_ns(&clock, LIDAR_STAMP_FITTED, time_ns, &kind);
    assert_int_equal(kind, LIDAR_CLOCK_FREE_RUNNING);
}

static void what_ptp_is_ahead_of_utc_is_taken_off(void **unused)
{
    (void)unused;
    struct lidar_clock clock = {.ahead_ns = 37 * NS_PER_S};
    enum lidar_clock_kind kind;
    int64_t time_ns = 0;
    const int64_t hour_ns = INT64_C(1700002800) * NS_PER_S; /* TAI shows 00:00:05 after it */
    lidar_clock_data(&clock, 5000000, (uint64_t)hour_ns, 0, &time_ns);
    lidar_clock_gps(&clock, 5000000, true, hour_ns + 5 * NS_PER_S);
    assert_true(lidar_clock_stamp_ns(&clock, LIDAR_STAMP_SENSOR, time_ns, &kind) ==
                (uint64_t)(hour_ns - 32 * NS_PER_S));
    assert_int_equal(kind, LIDAR_CLOCK_GPS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(late_packets_do_not_move_the_line),
        cmocka_unit_test(the_line_is_the_hull_edge_over_the_mean),
        cmocka_unit_test(a_clock_that_is_set_begins_a_new_line),
        cmocka_unit_test(an_hour_of_silence_begins_a_new_line),
        cmocka_unit_test(a_stamp_is_fitted_where_that_is_asked_for),
        cmocka_unit_test(what_ptp_is_ahead_of_utc_is_taken_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
