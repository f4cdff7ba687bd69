/* SPDX-License-Identifier: Apache-2.0 */
/* test_bench.c - how figures are told: machine, windows of durations, JSON. */
#include "tests/emulated.h"
#include "tests/tools/harness.h"

#include "core/base/yaml.h"
#include "drivers/lidar/simd.h"
#include "tools/json.h"
#include "tools/machine.h"
#include "tools/process.h"
#include "tools/tool.h"
#include "tools/window.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void window_keeps_the_last_values(void **state)
{
    (void)state;
    struct sl_window window;
    struct sl_window_facts f;
    assert_int_equal(sl_window_init(&window, 4), 0);
    sl_window_tell(&window, &f);
    assert_int_equal(f.count, 0);
    for (int i = 1; i <= 6; i++)
        sl_window_add(&window, i); /* 3 4 5 6 stay */
    sl_window_tell(&window, &f);
    assert_int_equal(f.count, 4);
    assert_true(f.mean == 4.5 && f.min == 3 && f.max == 6 && f.p50 == 5 && f.p99 == 6);
    assert_true(fabs(f.deviation - sqrt(1.25)) < 1e-12);
    sl_window_finish(&window);
}

static void json_writes_what_a_reader_reads(void **state)
{
    (void)state;
    char *text;
    size_t size;
    FILE *memory = open_memstream(&text, &size);
    struct sl_json json = {.to = memory};
    sl_json_open(&json, NULL, '{');
    sl_json_text(&json, "a", "quote \" back \\ line\n\x01");
    sl_json_open(&json, "list", '[');
    sl_json_int(&json, NULL, -5);
    sl_json_count(&json, NULL, UINT64_MAX);
    sl_json_real(&json, NULL, NAN);
    sl_json_flag(&json, NULL, true);
    sl_json_close(&json, ']');
    sl_json_text(&json, "none", NULL);
    sl_json_close(&json, '}');
    sl_json_end(&json);
    fclose(memory);
    assert_string_equal(text, "{\"a\": \"quote \\\" back \\\\ line\\n\\u0001\", \"list\": [-5, "
                              "18446744073709551615, null, true], \"none\": null}\n");
    free(text);
}

static void figures_are_shown_with_three_digits_and_a_unit(void **state)
{
    (void)state;
    char text[SL_SHOW_MAX];
    assert_string_equal(sl_show_bytes(0, text, sizeof text), "0 B");
    assert_string_equal(sl_show_bytes(999, text, sizeof text), "999 B");
    assert_string_equal(sl_show_bytes(1000, text, sizeof text), "1.00 kB");
    assert_string_equal(sl_show_bytes(16.66e9, text, sizeof text), "16.7 GB");
    assert_string_equal(sl_show_ns(999.9, text, sizeof text), "1.00 us");
    assert_string_equal(sl_show_ns(-2.5e6, text, sizeof text), "-2.50 ms");
    assert_string_equal(sl_show_ns(5e12, text, sizeof text), "5000 s");
    char steering[] = "a\033[2Jb\x9f";
    sl_text_tame(steering);
    assert_string_equal(steering, "a?[2Jb?");
}

static void own_process_is_read_from_proc(void **state)
{
    (void)state;
    SKIP_EMULATED("qemu makes /proc/PID/stat up");
    struct sl_process process;
    assert_int_equal(sl_process_read(getpid(), &process), 0);
    assert_int_equal(process.state, 'R');
    assert_true(process.rss_bytes > 100000);
    assert_int_equal(sl_process_read(0x3fffffff, &process), -ESRCH);
    struct sl_machine machine;
    sl_machine_read(&machine);
    assert_true(machine.cores > 0 && machine.memory_bytes > 0 && machine.cpu[0]);
    assert_non_null(strstr(machine.kernel, "Linux"));
}

static void every_instruction_set_is_measured_in_one_run(void **state)
{
    (void)state;
    struct run r =
        run("sluice", "bench", "lidar", "--quick", "--only", "block,simd", "--json", NULL);
    assert_int_equal(r.status, 0);
    struct sl_yaml *json = json_parse(r.out);
    assert_string_equal(json_text(json, "block_kernel"), lidar_simd_names[lidar_simd_best()]);
    for (enum lidar_simd simd = LIDAR_SIMD_SCALAR; simd < LIDAR_SIMDS; simd++) {
        static const char *const kernels[] = {"block", "beams", "ouster", "list"};
        for (unsigned i = 0; lidar_simd_is_supported(simd) && i < 4; i++) {
            char key[64];
            snprintf(key, sizeof key, "%s_%s_points_per_s", kernels[i], lidar_simd_names[simd]);
            assert_true(json_number(json, key) > 0);
        }
    }
    sl_yaml_destroy(json);
    run_free(&r);
    r = run("sluice", "bench", "lidar", "--only", "nothing", NULL);
    assert_int_equal(r.status, 2);
    assert_has(r.err, "nothing");
    run_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(window_keeps_the_last_values),
        cmocka_unit_test(json_writes_what_a_reader_reads),
        cmocka_unit_test(figures_are_shown_with_three_digits_and_a_unit),
        cmocka_unit_test(own_process_is_read_from_proc),
        cmocka_unit_test_setup_teardown(every_instruction_set_is_measured_in_one_run, harness_setup,
                                        harness_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
