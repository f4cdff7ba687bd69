/* SPDX-License-Identifier: Apache-2.0 */
/* Moments of a log, as people write them. */
#include "core/base/clock.h"
#include "rosbag_compat/log_time.h"
#include "tests/rosbag_compat/support.h"

#include <errno.h>
#include <string.h>

#define BEGIN_NS (UINT64_C(1000) * SL_NS_PER_S)

static void expect(const char *text, bool is_absolute, uint64_t ns)
{
    struct sl_log_time time;
    assert_fine(sl_log_time_parse("--start", text, &time));
    assert_true(time.is_given);
    if (time.is_absolute != is_absolute || time.ns != ns)
        fail_msg("'%s' is %llu, %s", text, (unsigned long long)time.ns,
                 time.is_absolute ? "a date" : "an offset");
    assert_true(sl_log_time_at(&time, BEGIN_NS) == (is_absolute ? ns : BEGIN_NS + ns));
}

static void offsets_dates_and_seconds_are_told_apart(void **state)
{
    (void)state;
    const uint64_t second = UINT64_C(1772373909) * SL_NS_PER_S; /* date -u -d @1772373909 */
    expect("90", false, 90 * SL_NS_PER_S);
    expect("2.5", false, 2500000000u);
    expect("250ms", false, 250000000u);
    expect("2min", false, 120 * SL_NS_PER_S);
    expect("0", false, 0);
    expect("@1772373909", true, second);
    expect("1772373909.000000001", true, second + 1);
    expect("@0.5", true, 500000000u);
    expect("2026-03-01T14:05:09Z", true, second);
    expect("2026-03-01T14:05:09", true, second);
    expect("2026-03-01 14:05:09.123456789 UTC", true, second + 123456789);
    expect("2026-03-01T15:05:09.5+01:00", true, second + 500000000u);
    expect("2026-03-01T09:35:09-0430", true, second);
    expect("2026-03-01T16:05:09+02", true, second);
    expect("2026-03-01T14:05", true, second - 9 * SL_NS_PER_S);
    expect("2026-03-01", true, second - (14 * 3600 + 5 * 60 + 9) * SL_NS_PER_S);
    expect("2024-02-29", true, UINT64_C(1709164800) * SL_NS_PER_S);
    struct sl_log_time time = {.is_given = true};
    assert_fine(sl_log_time_parse("--start", NULL, &time));
    assert_false(time.is_given);
}

static void what_is_no_time_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "yesterday",
        "-5s",
        "2026-02-29",
        "2026-13-01",
        "2026-03-01T24:00",
        "2026-03-01T14:60:00",
        "2026-03-01T14:05:9",
        "2026-03-01T14:05:09+1:00",
        "2026-03-01T14:05:09X",
        "1969-12-31",
        "@tomorrow",
        "@",
        "@18446744073709551",
        "99999999999999999999",
        "2026-3-1",
        "2026-03-01T",
    };
    struct sl_log_time time;
    for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (sl_log_time_parse("--start", texts[i], &time) != -EINVAL)
            fail_msg("'%s' was taken", texts[i]);
        assert_non_null(strstr(sl_error_text(), "--start: '"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offsets_dates_and_seconds_are_told_apart),
        cmocka_unit_test(what_is_no_time_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
