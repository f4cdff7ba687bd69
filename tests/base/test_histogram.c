/* SPDX-License-Identifier: Apache-2.0 */
/* test_histogram.c - quantiles against those of the sorted values. */
#include "core/base/histogram.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT     10000
#define ERROR_MAX 0.063 /* half a bucket of an eighth of an octave: 1/16 */

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void buckets_are_in_order_and_without_gaps(void **state)
{
    (void)state;
    unsigned before = 0;
    for (uint64_t value = 0; value < 100000; value++) {
        unsigned index = sl_histogram_index(value);
        assert_true(index == before || index == before + 1);
        before = index;
    }
    for (int bit = 4; bit < 42; bit++) {
        uint64_t power = UINT64_C(1) << bit;
        assert_int_equal(sl_histogram_index(power), sl_histogram_index(power - 1) + 1);
    }
    assert_int_equal(sl_histogram_index((UINT64_C(1) << 42) - 1), SL_HISTOGRAM_BUCKETS - 1);
    assert_int_equal(sl_histogram_index(UINT64_C(1) << 42), SL_HISTOGRAM_BUCKETS - 1);
    assert_int_equal(sl_histogram_index(UINT64_MAX), SL_HISTOGRAM_BUCKETS - 1);
}

static void quantiles_are_right_within_half_a_bucket(void **state)
{
    (void)state;
    static struct sl_histogram h;
    static uint64_t values[COUNT];
    uint64_t seed = 1;
    for (int octaves = 4; octaves <= 40; octaves += 4) {
        memset(&h, 0, sizeof h);
        for (int i = 0; i < COUNT; i++) { /* every order of magnitude alike */
            seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            values[i] = (uint64_t)exp2((double)(seed >> 40) / (1 << 24) * octaves);
            sl_histogram_add(&h, values[i]);
        }
        qsort(values, COUNT, sizeof *values, compare);
        for (double share = 0; share <= 1; share += 0.001) {
            int at = (int)(share * COUNT);
            double right = (double)values[at < COUNT ? at : COUNT - 1];
            double got = (double)sl_histogram_quantile_ns(&h, share);
            if (fabs(got - right) > ERROR_MAX * right)
                fail_msg("share %g: %g instead of %g", share, got, right);
        }
        assert_true(sl_histogram_quantile_ns(&h, 1) == values[COUNT - 1]);
        assert_int_equal(atomic_load(&h.count), COUNT);
    }
}

static void one_value_is_every_quantile_of_itself(void **state)
{
    (void)state;
    static const uint64_t values[] = {0, 1, 7, 8, 9, 1000, UINT64_C(1) << 41, UINT64_MAX};
    for (unsigned i = 0; i < sizeof values / sizeof *values; i++) {
        struct sl_histogram h = {0};
        sl_histogram_add(&h, values[i]);
        double right = (double)values[i];
        for (double share = -1; share <= 2; share += 0.25) {
            uint64_t got = sl_histogram_quantile_ns(&h, share);
            assert_true(got <= values[i]); /* never more than was ever seen */
            assert_true((double)got >= right * (1 - ERROR_MAX));
        }
    }
}

static void empty_is_zero(void **state)
{
    (void)state;
    struct sl_histogram h = {0};
    assert_int_equal(sl_histogram_quantile_ns(&h, 0), 0);
    assert_int_equal(sl_histogram_quantile_ns(&h, 0.5), 0);
    assert_int_equal(sl_histogram_quantile_ns(&h, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets_are_in_order_and_without_gaps),
        cmocka_unit_test(quantiles_are_right_within_half_a_bucket),
        cmocka_unit_test(one_value_is_every_quantile_of_itself),
        cmocka_unit_test(empty_is_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
