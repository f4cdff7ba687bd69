/* SPDX-License-Identifier: Apache-2.0 */
/* test_parse.c - numbers with units. */
#include "core/base/options.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void whole_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int err;
        int64_t value;
    } cases[] = {
        {"0", 0, 0},
        {"-7", 0, -7},
        {"+7", 0, 7},
        {" 12 ", 0, 12},
        {"010", 0, 10}, /* not octal */
        {"08", 0, 8},
        {"0x10", 0, 16},
        {"-0X1f", 0, -31},
        {"9223372036854775807", 0, INT64_MAX},
        {"-9223372036854775808", 0, INT64_MIN},
        {"9223372036854775808", -ERANGE, 0},
        {"", -EINVAL, 0},
        {" ", -EINVAL, 0},
        {"-", -EINVAL, 0},
        {"1.5", -EINVAL, 0},
        {"12k", -EINVAL, 0},
        {"1 2", -EINVAL, 0},
        {"- 1", -EINVAL, 0},
        {"f", -EINVAL, 0},
    };
    for (unsigned i = 0; i < COUNT(cases); i++) {
        int64_t value = 99;
        if (sl_parse_int(cases[i].text, &value) != cases[i].err)
            fail_msg("'%s'", cases[i].text);
        assert_int_equal(value, cases[i].err ? 99 : cases[i].value); /* untouched on failure */
    }
}

static void real_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int err;
        double value;
    } cases[] = {
        {"0", 0, 0},         {"-.5", 0, -.5},     {"1e3", 0, 1000},     {" 2.5 ", 0, 2.5},
        {"nan", -EINVAL, 0}, {"inf", -EINVAL, 0}, {"-inf", -EINVAL, 0}, {"1e999", -EINVAL, 0},
        {"1,5", -EINVAL, 0}, {"", -EINVAL, 0},    {"m", -EINVAL, 0},    {"1.5m", -EINVAL, 0},
    };
    for (unsigned i = 0; i < COUNT(cases); i++) {
        double value = 99;
        if (sl_parse_real(cases[i].text, &value) != cases[i].err)
            fail_msg("'%s'", cases[i].text);
        assert_true(value == (cases[i].err ? 99 : cases[i].value));
    }
}

static void sizes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int err;
        uint64_t bytes;
    } cases[] = {
        {"0", 0, 0},
        {"4096", 0, 4096},
        {"64k", 0, 65536},
        {"64K", 0, 65536},
        {"64kB", 0, 65536},
        {"64KiB", 0, 65536},
        {"32M", 0, 32u << 20},
        {"1G", 0, 1u << 30},
        {"2T", 0, (uint64_t)2 << 40},
        {"1.5k", 0, 1536},
        {"12B", 0, 12},
        {"-1", -EINVAL, 0},
        {"-1k", -EINVAL, 0},
        {"1kk", -EINVAL, 0},
        {"1Q", -EINVAL, 0},
        {"k", -EINVAL, 0},
        {"", -EINVAL, 0},
        {"nan", -EINVAL, 0},
        {"9999999T", -ERANGE, 0},
    };
    for (unsigned i = 0; i < COUNT(cases); i++) {
        uint64_t bytes = 99;
        if (sl_parse_size(cases[i].text, &bytes) != cases[i].err)
            fail_msg("'%s'", cases[i].text);
        assert_int_equal(bytes, cases[i].err ? 99 : cases[i].bytes);
    }
}

static void durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int err;
        int64_t ns;
    } cases[] = {
        {"0", 0, 0},
        {"2", 0, 2000000000},
        {"1.5s", 0, 1500000000},
        {"250us", 0, 250000},
        {"10ms", 0, 10000000},
        {"7ns", 0, 7},
        {"2min", 0, 120000000000},
        {"1h", 0, 3600000000000},
        {"-10ms", 0, -10000000},
        {"0.0000001s", 0, 100},
        {"10m", -EINVAL, 0}, /* minutes or milliseconds? */
        {"10 ms", -EINVAL, 0},
        {"ms", -EINVAL, 0},
        {"", -EINVAL, 0},
        {"1e12s", -ERANGE, 0},
        {"-3000000h", -ERANGE, 0},
    };
    for (unsigned i = 0; i < COUNT(cases); i++) {
        int64_t ns = 99;
        if (sl_parse_duration(cases[i].text, &ns) != cases[i].err)
            fail_msg("'%s'", cases[i].text);
        assert_int_equal(ns, cases[i].err ? 99 : cases[i].ns);
    }
}

static void truths(void **state)
{
    (void)state;
    static const char *const yes[] = {"true", "yes", "on", "1", "True", "YES"};
    static const char *const no[] = {"false", "no", "off", "0", "False", "OFF"};
    static const char *const neither[] = {"", "2", "maybe", "tru", "true "};
    bool value;
    for (unsigned i = 0; i < COUNT(yes); i++) {
        value = false;
        assert_int_equal(sl_parse_bool(yes[i], &value), 0);
        assert_true(value);
        assert_int_equal(sl_parse_bool(no[i], &value), 0);
        assert_false(value);
    }
    for (unsigned i = 0; i < COUNT(neither); i++)
        assert_int_equal(sl_parse_bool(neither[i], &value), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_numbers), cmocka_unit_test(real_numbers), cmocka_unit_test(sizes),
        cmocka_unit_test(durations),     cmocka_unit_test(truths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
