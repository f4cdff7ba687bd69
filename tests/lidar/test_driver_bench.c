/* SPDX-License-Identifier: Apache-2.0 */
/* test_driver_bench.c - the bench of the driver's way runs and tells figures that can be; how good
 * they are is seen where the machine is idle. */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <errno.h>
#include <ftw.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "core/base/capability.h"
#include "core/base/error.h"
#include "tests/bench/lidar_bench.h"
#include "tests/bench/lidar_latency.h"

static char root[64] = "/tmp/sluice-lidar-bench-XXXXXX";

static void every_turn_is_seen_after_it_was_received(void **state)
{
    (void)state;
    const struct sl_bench_lidar_latency_options options = {.frames = 20, .rate = 2};
    struct sl_bench_lidar_latency_result result;
    if (sl_bench_lidar_latency(&options, &result) < 0)
        fail_msg("%s", sl_error_text());
    assert_in_range(result.frames, 1, 20);
    assert_true(result.turns_per_s == 40);
    assert_true(result.packet_to_publish_p50_us > 0);
    assert_true(result.packet_to_publish_p99_us >= result.packet_to_publish_p50_us);
    assert_true(result.packet_to_visible_p99_us >= result.packet_to_visible_p50_us);
    assert_true(result.packet_to_visible_p50_us > 0);
}

static void eight_that_sleep_beside_load_see_every_turn(void **state)
{
    (void)state;
    for (int relayed = 0; relayed < 2; relayed++) {
        const struct sl_bench_lidar_latency_options options = {
            .frames = 20, .rate = 2, .sleepers = 8, .is_loaded = 1, .is_relayed = relayed};
        struct sl_bench_lidar_latency_result result;
        if (sl_bench_lidar_latency(&options, &result) < 0)
            fail_msg("%s", sl_error_text());
        assert_in_range(result.frames, 1, 20);
        assert_true(result.packet_to_visible_p50_us > 0);
        assert_true(result.packet_to_visible_p99_us >= result.packet_to_visible_p50_us);
    }
}

/* A matter of the scheduler, of which sanitizers see nothing; it starves others meanwhile. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
static void both_ends_may_go_first(void **state)
{
    (void)state;
    for (unsigned sleepers = 0; sleepers <= 8; sleepers += 8) {
        const struct sl_bench_lidar_latency_options options = {
            .frames = 20, .rate = 2, .sleepers = sleepers, .is_loaded = 1, .is_fifo = 1};
        struct sl_bench_lidar_latency_result result;
        const int policy = sched_getscheduler(0);
        int err = sl_bench_lidar_latency(&options, &result);
        assert_int_equal(sched_getscheduler(0), policy);
        if (err == -EPERM) {
            print_message("SCHED_FIFO is not permitted: %s\n", sl_error_text());
            return;
        }
        if (err < 0)
            fail_msg("%s", sl_error_text());
        assert_in_range(result.frames, 1, 20);
    }
}
#endif

static void driver_may_have_more_of_the_processors(void **state)
{
    (void)state;
    const struct sl_bench_lidar_latency_options options = {
        .frames = 20, .rate = 2, .sleepers = 8, .is_loaded = 1, .is_relayed = 1, .nice = -20};
    struct sl_bench_lidar_latency_result result;
    const int nice = getpriority(PRIO_PROCESS, 0);
    int err = sl_bench_lidar_latency(&options, &result);
    assert_int_equal(getpriority(PRIO_PROCESS, 0), nice);
    if (err == -EPERM && !sl_capability_has(CAP_SYS_NICE)) {
        print_message("a nice value of -20 is not permitted: %s\n", sl_error_text());
        return;
    }
    if (err < 0)
        fail_msg("%s", sl_error_text());
    assert_in_range(result.frames, 1, 20);
    assert_true(result.arrival_to_publish_p50_us > result.packet_to_publish_p50_us);
    assert_true(result.arrival_to_publish_p99_us >= result.arrival_to_publish_p50_us);
}

static void decodes(const struct sl_bench_lidar_options *options)
{
    struct sl_bench_lidar_result result;
    if (sl_bench_lidar_decode_with(options, &result) < 0)
        fail_msg("%s: %s", options->model ? options->model : "?", sl_error_text());
    assert_true(result.points > 0);
    assert_true(result.decode_points_per_s > 0 && result.fill_bytes_per_s > 0);
}

static void every_model_is_decoded_without_loss(void **state)
{
    (void)state;
    for (const char *const *model = sl_bench_lidar_models; *model; model++)
        decodes(&(struct sl_bench_lidar_options){.model = *model, .turns = 2});
    for (unsigned returns = 1; returns <= 2; returns++) {
        decodes(&(struct sl_bench_lidar_options){.returns = returns, .turns = 2});
        decodes(&(struct sl_bench_lidar_options){.returns = returns, .turns = 2, .is_ouster = 1});
    }
    struct sl_bench_lidar_result result;
    const struct sl_bench_lidar_options unknown = {.model = "vlp-17"};
    assert_int_equal(sl_bench_lidar_decode_with(&unknown, &result), -EINVAL);
}

static void capture_goes_through_the_driver_and_alone(void **state)
{
    (void)state;
    const struct sl_bench_lidar_flow_options options = {.bytes = 30000000};
    struct sl_bench_lidar_flow_result result;
    if (sl_bench_lidar_flow(&options, &result) < 0)
        fail_msg("%s", sl_error_text());
    assert_in_range(result.bytes, 29000000, 31000000);
    assert_in_range(result.capture_bytes, 10000000, 30000000);
    assert_true(result.capture_flow_ratio > 0.1 && result.capture_flow_ratio < 10);
    assert_true(result.capture_flow_bytes_per_s > 0 && result.capture_alone_bytes_per_s > 0);
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *ftw)
{
    (void)info, (void)kind, (void)ftw;
    return remove(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_turn_is_seen_after_it_was_received),
        cmocka_unit_test(eight_that_sleep_beside_load_see_every_turn),
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
        cmocka_unit_test(both_ends_may_go_first),
#endif
        cmocka_unit_test(driver_may_have_more_of_the_processors),
        cmocka_unit_test(every_model_is_decoded_without_loss),
        cmocka_unit_test(capture_goes_through_the_driver_and_alone),
    };
    if (!mkdtemp(root))
        return 1;
    setenv("SLUICE_ROOT", root, 1);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    nftw(root, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    return failed;
}
