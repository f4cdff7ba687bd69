/* SPDX-License-Identifier: Apache-2.0 */
/* test_bench_bus.c - the whole of `sluice bench bus`, quickly: it comes to its end and tells every
 * figure that others read. What the figures are is not asked: the machine may be busy. */
#include "tests/tools/harness.h"

#include "core/base/yaml.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const pingpong_keys[] = {"raw_p50_ns",
                                            "raw_p99_ns",
                                            "raw_payload_1_p50_ns",
                                            "raw_payload_2_p50_ns",
                                            "raw_payload_4_p50_ns",
                                            "native_p50_ns",
                                            "native_p99_ns",
                                            "native_raw_ratio",
                                            "native_raw_payload_ratio",
                                            "native_16_subscribers_p50_ns",
                                            "native_16_subscribers_native_ratio",
                                            "native_4k_p50_ns",
                                            "native_1M_16_subscribers_p99_ns",
                                            "inline_64_p50_ns",
                                            "inline_256_p50_ns",
                                            NULL};

static const char *const iceoryx_keys[] = {"iceoryx_binding_p50_ns", "binding_native_ratio",
                                           "iceoryx_p50_ns",         "iceoryx_native_ratio",
                                           "iceoryx_4k_p50_ns",      NULL};

static const char *const other_keys[] = {"publish_1_subscribers_ns",
                                         "publish_2_subscribers_ns",
                                         "publish_4_subscribers_ns",
                                         "publish_8_subscribers_ns",
                                         "publish_16_subscribers_ns",
                                         "publish_32_subscribers_ns",
                                         "publish_64_subscribers_ns",
                                         "publish_64_subscribers_mean_ns",
                                         "publish_16_subscribers_1_reading_ns",
                                         "publish_16_subscribers_4_reading_ns",
                                         "publish_16_subscribers_16_reading_ns",
                                         "publish_16_subscribers_1_sleeping_ns",
                                         "publish_16_subscribers_4_sleeping_ns",
                                         "publish_16_subscribers_16_sleeping_ns",
                                         "publish_16_subscribers_16_relayed_ns",
                                         "wake_10hz_p50_ns",
                                         "wake_30hz_p50_ns",
                                         "wake_100hz_p50_ns",
                                         "wake_100hz_p99_ns",
                                         "wake_1000hz_p50_ns",
                                         "wake_hot_p50_ns",
                                         "futex_100hz_p50_ns",
                                         "futex_hot_p99_ns",
                                         "wake_100hz_futex_ratio",
                                         "idle_10_topics_cpu_percent",
                                         "batch_1_ns",
                                         "batch_4_ns",
                                         "batch_16_ns",
                                         "batch_64_ns",
                                         "batch_256_ns",
                                         "machine_cores",
                                         NULL};

/* RouDi has fixed names in /tmp and /dev/shm: in a place of its own where one can be made. */
static struct run bench_bus(void)
{
    char wrapper[512];
    const char *source = getenv("SLUICE_SOURCE");
    char *here = getcwd(NULL, 0);
    snprintf(wrapper, sizeof wrapper, "%s/tests/with_roudi.sh", source ? source : ".");
    assert_int_equal(chdir(harness_folder()), 0); /* that folder is there in the place, too */
    struct run r = run(wrapper, "--bare", harness_program("sluice"), "bench", "bus", "--quick",
                       "--json", NULL);
    if (r.status == 77) {
        run_free(&r);
        r = run("sluice", "bench", "bus", "--quick", "--json", NULL);
    }
    assert_int_equal(chdir(here), 0);
    free(here);
    if (r.status != 0)
        fail_msg("status %d: %s", r.status, r.err);
    return r;
}

static void assert_positive(const struct sl_yaml *json, const char *const *keys)
{
    for (; *keys; keys++)
        if (!(json_number(json, *keys) > 0))
            fail_msg("%s is %f", *keys, json_number(json, *keys));
}

static void assert_no_domain_is_left(void)
{
    DIR *root = opendir(getenv("SLUICE_ROOT"));
    struct dirent *entry;
    while (root && (entry = readdir(root)))
        if (entry->d_name[0] != '.')
            fail_msg("%s is left", entry->d_name);
    if (root)
        closedir(root);
}

static void bench_tells_every_figure_and_leaves_nothing(void **state)
{
    (void)state;
    struct run r = bench_bus();
    struct sl_yaml *json = json_parse(r.out);
    bool has_iceoryx = strstr(r.err, "no figures of iceoryx") == NULL;
    assert_positive(json, pingpong_keys);
    assert_positive(json, other_keys);
    if (has_iceoryx)
        assert_positive(json, iceoryx_keys);
    else
        assert_null(strstr(r.out, "iceoryx"));
    assert_string_equal(json_text(json, "command"), "sluice bench bus");
    const struct sl_yaml_node *root = sl_yaml_root(json);
    for (unsigned i = 0; i < sl_yaml_count(root); i++)
        assert_true(sl_yaml_is(sl_yaml_item(root, i), SL_YAML_SCALAR));
    sl_yaml_destroy(json);
    run_free(&r);
    assert_no_domain_is_left();
}

static void bench_measures_only_what_is_asked_for(void **state)
{
    (void)state;
    struct run r = run("sluice", "bench", "bus", "--quick", "--only", "batch", NULL);
    assert_int_equal(r.status, 0);
    assert_has(r.out, "messages");
    assert_has_not(r.out, "native");
    assert_has_not(r.err, "iceoryx");
    run_free(&r);
    assert_no_domain_is_left();
}

static void bench_says_which_parts_there_are(void **state)
{
    (void)state;
    struct run r = run("sluice", "bench", "bus", "--only", "pingpong,ponies", NULL);
    assert_int_equal(r.status, 2);
    assert_has(r.err, "'ponies'");
    assert_has(r.err, "pingpong, fanout, wake, batch");
    run_free(&r);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
    const struct CMUnitTest tests[] = {
        CASE(bench_tells_every_figure_and_leaves_nothing),
        CASE(bench_measures_only_what_is_asked_for),
        CASE(bench_says_which_parts_there_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
