/* SPDX-License-Identifier: Apache-2.0 */
/* test_bench_pollution.c - the whole of `sluice bench pollution`, quickly: it comes to its end and
 * tells every figure that others read. What the figures are, tests/uncached/test_pollution.c asks.
 */
#include "tests/tools/harness.h"

#include "core/base/yaml.h"

#include <string.h>

static const char *const keys[] = {"write_memcpy_slowdown_ratio",
                                   "write_stream_slowdown_ratio",
                                   "write_stream_speed_ratio",
                                   "read_plain_slowdown_ratio",
                                   "read_stream_slowdown_ratio",
                                   "read_stream_speed_ratio",
                                   "inspect_slowdown_ratio",
                                   "none_slowdown_ratio",
                                   "write_memcpy_bytes_per_s",
                                   "write_stream_gain_ratio",
                                   "write_stream_slowdown_low_ratio",
                                   "write_stream_slowdown_high_ratio",
                                   "write_stream_2m_slowdown_ratio",
                                   "write_stream_three_quarters_slowdown_ratio",
                                   "write_stream_rows_slowdown_ratio",
                                   "write_stream_blocks_2m_three_quarters_speed_ratio",
                                   "copy_stream_speed_ratio",
                                   "look_plain_bytes_per_s",
                                   "primitives_victim_bytes",
                                   "threshold_4k_cached_ns",
                                   "threshold_64k_stream_ns",
                                   "threshold_used_bytes",
                                   "machine_cores",
                                   NULL};

static const char *const other_core_keys[] = {
    "llc_write_memcpy_slowdown_ratio", "llc_write_stream_slowdown_ratio",
    "llc_read_stream_bytes_per_s", "llc_inspect_slowdown_ratio", NULL};

static const char *const flow_keys[] = {"flow_victim_bytes",
                                        "flow_camera_small_reader_victim_pass_ns",
                                        "flow_camera_small_victim_pass_ns",
                                        "flow_camera_small_cached_bytes_per_s",
                                        "flow_camera_small_stream_bytes_per_s",
                                        NULL};

static void assert_positive(const struct sl_yaml *json, const char *const *names)
{
    for (; *names; names++)
        if (!(json_number(json, *names) > 0))
            fail_msg("%s is %f", *names, json_number(json, *names));
}

static void bench_tells_every_figure(void **state)
{
    (void)state;
    struct run r = run("sluice", "bench", "pollution", "--quick", "--json", "--only",
                       "primitives,llc,threshold", NULL);
    if (r.status != 0)
        fail_msg("status %d: %s", r.status, r.err);
    struct sl_yaml *json = json_parse(r.out);
    assert_positive(json, keys);
    if (!strstr(r.err, "on another core"))
        assert_positive(json, other_core_keys);
    assert_string_equal(json_text(json, "command"), "sluice bench pollution");
    const struct sl_yaml_node *root = sl_yaml_root(json);
    for (unsigned i = 0; i < sl_yaml_count(root); i++)
        assert_true(sl_yaml_is(sl_yaml_item(root, i), SL_YAML_SCALAR));
    sl_yaml_destroy(json);
    run_free(&r);
}

/* Apart, as it has to wait for frames to come. */
static void bench_tells_how_flows_go(void **state)
{
    (void)state;
    struct run r = run("sluice", "bench", "pollution", "--quick", "--json", "--only", "flow", NULL);
    if (r.status != 0)
        fail_msg("status %d: %s", r.status, r.err);
    struct sl_yaml *json = json_parse(r.out);
    if (!strstr(r.err, "no figures of whole flows"))
        assert_positive(json, flow_keys);
    sl_yaml_destroy(json);
    run_free(&r);
}

static void bench_prints_its_bars(void **state)
{
    (void)state;
    struct run r =
        run("sluice", "bench", "pollution", "--quick", "--only", "primitives,threshold", NULL);
    assert_int_equal(r.status, 0);
    assert_has(r.out, "at most 1.10");
    assert_has(r.out, "SL_STREAM_MIN_BYTES");
    assert_has(r.out, "machine");
    assert_has_not(r.out, "without a pause");
    run_free(&r);
}

static void bench_takes_another_way_to_let_go(void **state)
{
    (void)state;
    struct run r = run("sluice", "bench", "pollution", "--quick", "--only", "primitives",
                       "--behind", "none", "--json", NULL);
    assert_int_equal(r.status, 0);
    assert_has(r.out, "\"stream_behind\": \"none\"");
    run_free(&r);
    r = run("sluice", "bench", "pollution", "--behind", "ponies", NULL);
    assert_int_equal(r.status, 2);
    assert_has(r.err, "ponies");
    run_free(&r);
}

static void bench_says_which_parts_there_are(void **state)
{
    (void)state;
    struct run r = run("sluice", "bench", "pollution", "--only", "primitives,ponies", NULL);
    assert_int_equal(r.status, 2);
    assert_has(r.err, "'ponies'");
    assert_has(r.err, "primitives, llc, threshold, flow");
    run_free(&r);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
    const struct CMUnitTest tests[] = {
        CASE(bench_tells_every_figure),
        CASE(bench_tells_how_flows_go),
        CASE(bench_prints_its_bars),
        CASE(bench_takes_another_way_to_let_go),
        CASE(bench_says_which_parts_there_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
