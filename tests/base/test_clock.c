/* SPDX-License-Identifier: Apache-2.0 */
/* test_clock.c - the quick clock against the one that it stands for. */
#include "core/base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define DOUBT_NS 2000 /* the quick one may be off by; 10 to 50 ns are to be expected */

static void run_for(struct sl_quick_clock *clock, uint64_t duration_ns, uint64_t *ret_by_ticks)
{
    uint64_t start_ns = sl_clock_monotonic_ns(), after_ns = start_ns;
    while (after_ns - start_ns < duration_ns) {
        uint64_t asked_ns = clock->base_ns;
        uint64_t before_ns = sl_clock_monotonic_ns();
        uint64_t told_ns = sl_quick_clock_ns(clock);
        after_ns = sl_clock_monotonic_ns();
        assert_in_range(told_ns, before_ns - DOUBT_NS, after_ns + DOUBT_NS);
        *ret_by_ticks += asked_ns != 0 && clock->base_ns == asked_ns;
    }
}

static void it_tells_the_time_that_the_kernel_tells(void **state)
{
    (void)state;
    struct sl_quick_clock clock = {0};
    uint64_t by_ticks = 0;
    run_for(&clock, 200 * SL_NS_PER_MS, &by_ticks);
    if (clock.ns_per_tick_q32 > 0) /* the counter runs evenly here */
        assert_true(by_ticks > 0);
    else
        assert_int_equal(by_ticks, 0);
}

static void a_counter_that_jumps_is_not_believed(void **state)
{
    (void)state;
    struct sl_quick_clock clock = {0};
    uint64_t by_ticks = 0;
    run_for(&clock, 20 * SL_NS_PER_MS, &by_ticks);
    if (clock.ns_per_tick_q32 == 0)
        return;
    /* As after a move to another machine: the ticks of now have nothing to do with those before. */
    const uint64_t jumps[] = {UINT64_C(1) << 50, -(UINT64_C(1) << 50), UINT64_C(1) << 40};
    for (size_t i = 0; i < sizeof jumps / sizeof jumps[0]; i++) {
        clock.base_ticks += jumps[i];
        clock.origin_ticks += jumps[i];
        run_for(&clock, 20 * SL_NS_PER_MS, &by_ticks);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_tells_the_time_that_the_kernel_tells),
        cmocka_unit_test(a_counter_that_jumps_is_not_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
