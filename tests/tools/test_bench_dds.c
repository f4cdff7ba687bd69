/* SPDX-License-Identifier: Apache-2.0 */
/* test_bench_dds.c - `sluice bench dds`, quickly: it comes to its end, tells every figure that
 * others read, and leaves nothing. What the figures are is not asked: the machine may be busy. */
#include "tests/tools/harness.h"

#include "core/base/yaml.h"

#include <dirent.h>
#include <stdlib.h>

static void assert_nothing_is_left_in(const char *folder)
{
    DIR *root = opendir(folder);
    struct dirent *entry;
    while (root && (entry = readdir(root)))
        if (entry->d_name[0] != '.')
            fail_msg("%s is left in %s", entry->d_name, folder);
    if (root)
        closedir(root);
}

static const char *const small[] = {"bridge_1k_samples_per_s",
                                    "typed_writer_1k_rate_ratio",
                                    "typed_writer_1k_cpu_ratio",
                                    "ddsperf_1k_samples_per_s",
                                    "ddsperf_1k_rate_ratio",
                                    "bridged_latency_1k_us",
                                    "direct_latency_1k_us",
                                    "futex_wake_us",
                                    "machine_cores",
                                    NULL};

static const char *const large[] = {
    "bridge_8m_samples_per_s",   "bridge_8m_mb_per_s",       "ddsperf_8m_mb_per_s",
    "ddsperf_8m_rate_ratio",     "typed_writer_8m_mb_per_s", "typed_writer_8m_rate_ratio",
    "typed_writer_8m_cpu_ratio", "bridge_8m_cpu_us_per_mb",  NULL};

static const char *const lossy[] = {"bridge_8m_best_effort_cpu_us_per_mb",
                                    "typed_writer_8m_best_effort_cpu_ratio",
                                    "ddsperf_8m_best_effort_samples_per_s", NULL};

static void every_figure_is_told_and_nothing_is_left(void **state)
{
    static const struct {
        const char *size;
        const char *const *keys;
    } runs[] = {{"1k", small}, {"8m", large}, {"8m_best_effort", lossy}};
    (void)state;
    for (unsigned i = 0; i < sizeof runs / sizeof *runs; i++) {
        struct run r =
            run("sluice", "bench", "dds", "--quick", "--json", "--only", runs[i].size, NULL);
        if (r.status != 0)
            fail_msg("status %d: %s", r.status, r.err);
        struct sl_yaml *json = json_parse(r.out);
        for (const char *const *key = runs[i].keys; *key; key++)
            if (json_number(json, *key) <= 0)
                fail_msg("%s is %f", *key, json_number(json, *key));
        if (i == 0)
            json_number(json, "added_latency_1k_us"); /* may be less than nothing */
        assert_has_not(r.out, "bridge_64k");
        sl_yaml_destroy(json);
        run_free(&r);
        assert_nothing_is_left_in(getenv("SLUICE_ROOT"));
    }
}

static void size_that_there_is_not_is_told(void **state)
{
    (void)state;
    struct run r = run("sluice", "bench", "dds", "--only", "2k", NULL);
    assert_int_not_equal(r.status, 0);
    assert_has(r.err, "2k");
    run_free(&r);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
    const struct CMUnitTest tests[] = {
        CASE(every_figure_is_told_and_nothing_is_left),
        CASE(size_that_there_is_not_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
