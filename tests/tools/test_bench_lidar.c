/* SPDX-License-Identifier: Apache-2.0 */
/* test_bench_lidar.c - the whole of `sluice bench lidar`, quickly: it comes to its end and tells
 * every figure that others read. What it measures with, tests/lidar/test_driver_bench.c runs.
 */
#include "tests/tools/harness.h"

#include "core/base/yaml.h"

#include <string.h>

static const char *const decode_keys[] = {"block_points_per_s",
                                          "block_bytes_per_s",
                                          "fill_bytes_per_s",
                                          "block_fill_rate_ratio",
                                          "ouster_points_per_s",
                                          "ouster_fill_rate_ratio",
                                          "ouster_dual_points_per_s",
                                          "vls_128_points_per_s",
                                          "xt32_fill_rate_ratio",
                                          "helios_points_per_s",
                                          "mid_360_points_per_s",
                                          "capture_flow_ratio",
                                          "machine_cores",
                                          NULL};
static const char *const latency_keys[] = {
    "packet_to_publish_p99_us",           "packet_to_visible_p99_us",
    "packet_to_publish_loaded_p99_us",    "arrival_to_publish_loaded_p99_us",
    "packet_to_publish_unrelayed_p99_us", NULL};
/* Where the rights are there. */
static const char *const nice_keys[] = {
    "packet_to_publish_nice_p50_us", "packet_to_publish_nice_p99_us",
    "packet_to_publish_nice_unrelayed_p99_us", "arrival_to_publish_nice_p99_us", NULL};
static const char *const fifo_keys[] = {"packet_to_publish_fifo_p99_us",
                                        "packet_to_visible_loaded_p99_us", NULL};

static void assert_positive(const struct sl_yaml *json, const char *const *names)
{
    for (; *names; names++)
        if (!(json_number(json, *names) > 0))
            fail_msg("%s is %f", *names, json_number(json, *names));
}

static void bench_tells_how_fast_packets_are_decoded(void **state)
{
    (void)state;
    struct run r = run("sluice", "bench", "lidar", "--quick", "--json", "--only",
                       "block,ouster,models,flow", NULL);
    if (r.status != 0)
        fail_msg("status %d: %s", r.status, r.err);
    struct sl_yaml *json = json_parse(r.out);
    assert_positive(json, decode_keys);
    sl_yaml_destroy(json);
    run_free(&r);
}

static void bench_tells_how_soon_turns_are_seen(void **state)
{
    (void)state;
    struct run r =
        run("sluice", "bench", "lidar", "--quick", "--json", "--only", "latency,loaded", NULL);
    if (r.status != 0)
        fail_msg("status %d: %s", r.status, r.err);
    struct sl_yaml *json = json_parse(r.out);
    assert_positive(json, latency_keys);
    if (!strstr(r.err, "no figures of 'nice'"))
        assert_positive(json, nice_keys);
    if (!strstr(r.err, "no figures of 'fifo'"))
        assert_positive(json, fifo_keys);
    sl_yaml_destroy(json);
    run_free(&r);
}

static void bench_prints_its_bars(void **state)
{
    (void)state;
    struct run r = run("sluice", "bench", "lidar", "--quick", "--only", "block,latency", NULL);
    assert_int_equal(r.status, 0);
    assert_has(r.out, "at least 500 M");
    assert_has(r.out, "under 50");
    assert_has(r.out, "machine");
    assert_has_not(r.out, "packet_to_publish_loaded_p99_us");
    run_free(&r);
}

static void bench_says_which_parts_there_are(void **state)
{
    (void)state;
    struct run r = run("sluice", "bench", "lidar", "--only", "block,ponies", NULL);
    assert_int_equal(r.status, 2);
    assert_has(r.err, "'ponies'");
    assert_has(r.err, "latency, loaded, block, ouster, simd, models, flow");
    run_free(&r);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
    const struct CMUnitTest tests[] = {
        CASE(bench_tells_how_fast_packets_are_decoded),
        CASE(bench_tells_how_soon_turns_are_seen),
        CASE(bench_prints_its_bars),
        CASE(bench_says_which_parts_there_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
