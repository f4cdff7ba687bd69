/* SPDX-License-Identifier: Apache-2.0 */
/* test_bench_logs.c - `sluice bench record` and `sluice bench play`, quickly: they come to their
 * end, tell every figure that others read, and leave nothing. What the figures are is not asked:
 * the machine may be busy. */
#include "tests/tools/harness.h"

#include "core/base/yaml.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

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

/* Those that end in _s_per_gb may be nothing: the tick counts them. What was lost is the machine's
 * affair, which other tests keep busy. */
static void assert_told(const char *bench, const char *const *keys)
{
    char command[64];
    const char *folder = harness_path("logs");
    assert_int_equal(mkdir(folder, 0700), 0);
    struct run r = run("sluice", "bench", bench, "--quick", "--json", "--folder", folder, NULL);
    if (r.status != 0)
        fail_msg("status %d: %s", r.status, r.err);
    struct sl_yaml *json = json_parse(r.out);
    for (; *keys; keys++) {
        double value = json_number(json, *keys);
        bool may_be_nothing = strstr(*keys, "_lost_") || strstr(*keys, "_s_per_gb");
        if (value < 0 || (value == 0 && !may_be_nothing))
            fail_msg("%s is %f", *keys, value);
    }
    snprintf(command, sizeof command, "sluice bench %s", bench);
    assert_string_equal(json_text(json, "command"), command);
    const struct sl_yaml_node *root = sl_yaml_root(json);
    for (unsigned i = 0; i < sl_yaml_count(root); i++)
        assert_true(sl_yaml_is(sl_yaml_item(root, i), SL_YAML_SCALAR));
    sl_yaml_destroy(json);
    run_free(&r);
    assert_nothing_is_left_in(harness_path("logs"));
    assert_nothing_is_left_in(getenv("SLUICE_ROOT"));
}

static void bench_record_tells_every_figure_and_leaves_nothing(void **state)
{
    static const char *const keys[] = {"raw_write_bytes_per_s",
                                       "record_bytes_per_s",
                                       "record_rate_ratio",
                                       "record_user_cpu_s_per_gb",
                                       "record_crc_bytes_per_s",
                                       "record_crc_user_cpu_s_per_gb",
                                       "record_small_messages_per_s",
                                       "record_steady_bytes_per_s",
                                       "record_steady_peak_bytes",
                                       "record_steady_lost_messages",
                                       "machine_cores",
                                       NULL};
    (void)state;
    assert_told("record", keys);
}

static void bench_play_tells_every_figure_and_leaves_nothing(void **state)
{
#define STORAGE_KEYS 5
    static const char *const keys[] = {"rosbag_storage_bytes_per_s",
                                       "read_bag_bytes_per_s",
                                       "rosbag_storage_read_ratio",
                                       "replay_bag_bytes_per_s",
                                       "rosbag_storage_replay_ratio",
                                       "raw_read_bytes_per_s",
                                       "replay_bytes_per_s",
                                       "replay_rate_ratio",
                                       "raw_read_uncached_bytes_per_s",
                                       "replay_uncached_bytes_per_s",
                                       "replay_uncached_rate_ratio",
                                       "raw_read_cached_bytes_per_s",
                                       "replay_cached_rate_ratio",
                                       "replay_user_cpu_s_per_gb",
                                       "machine_cores",
                                       NULL};
    (void)state;
    assert_told("play", HAS_ROSBAG_STORAGE ? keys : keys + STORAGE_KEYS);
}

static void bench_of_a_folder_that_is_not_there_says_so(void **state)
{
    (void)state;
    const char *folder = harness_path("nowhere");
    struct run r = run("sluice", "bench", "record", "--quick", "--folder", folder, NULL);
    assert_int_not_equal(r.status, 0);
    assert_has(r.err, "--folder");
    assert_has(r.err, folder);
    assert_has(r.err, "No such file");
    run_free(&r);
}

/* A limit on the size of files is as good as a full disk: frames of shared memory are below it. */
static void bench_that_cannot_write_says_where_and_leaves_nothing(void **state)
{
    static const char *const benches[] = {"record", "play"};
    struct rlimit saved, limit;
    (void)state;
    assert_int_equal(mkdir(harness_path("logs"), 0700), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &saved), 0);
    limit = (struct rlimit){40 << 20, saved.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    for (int i = 0; i < 2; i++) {
        const char *folder = harness_path("logs");
        struct run r = run("sluice", "bench", benches[i], "--quick", "--folder", folder, NULL);
        assert_int_equal(r.status, 1);
        assert_has(r.err, "log.mcap");
        assert_has(r.err, "File too large");
        run_free(&r);
        assert_nothing_is_left_in(harness_path("logs"));
    }
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &saved), 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
    const struct CMUnitTest tests[] = {
        CASE(bench_record_tells_every_figure_and_leaves_nothing),
        CASE(bench_play_tells_every_figure_and_leaves_nothing),
        CASE(bench_of_a_folder_that_is_not_there_says_so),
        CASE(bench_that_cannot_write_says_where_and_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
