/* SPDX-License-Identifier: Apache-2.0 */
/* test_pollution.c - the claim that core/uncached stands for, measured: who works beside a producer
 * of streamed frames keeps his cache. The one test here that measures; it asks for a ratio that is
 * three and more on an idle machine, and leaves out samples in which others had the processor. */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "core/base/error.h"
#include "tests/bench/pollution_bench.h"

#define TRIES      3
#define GAIN_RATIO 2.0
#define WAYS       3 /* none, write_memcpy, write_stream */

static void memcpy_slows_a_neighbour_twice_as_much_as_streaming(void **state)
{
    (void)state;
    const struct sl_bench_pollution_options options = {
        .rounds = 9, .sizes = 1, .ways = WAYS, .pool_bytes = 128 << 20};
    static struct sl_bench_pollution_primitives results[SL_BENCH_POLLUTION_SIZES];
    double gain = 0;
    for (int i = 0; i < TRIES && gain < GAIN_RATIO; i++) {
        if (sl_bench_pollution_primitives(&options, results) < 0)
            fail_msg("%s", sl_error_text());
        const struct sl_bench_pollution_lane *memcpy_lane =
            sl_bench_pollution_find(&results[0], "write_memcpy");
        const struct sl_bench_pollution_lane *stream_lane =
            sl_bench_pollution_find(&results[0], "write_stream");
        gain = stream_lane->gain_ratio;
        print_message("memcpy %.2f, streaming %.2f: %.2f times\n", memcpy_lane->slowdown_ratio,
                      stream_lane->slowdown_ratio, gain);
    }
    assert_true(gain >= GAIN_RATIO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memcpy_slows_a_neighbour_twice_as_much_as_streaming),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
