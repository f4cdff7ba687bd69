/* SPDX-License-Identifier: Apache-2.0 */
/* test_lidar_models.c - the list of lidars, for people and for programs. */
#include "core/base/yaml.h"
#include "drivers/lidar/family.h"
#include "drivers/lidar/sim/sim.h"
#include "drivers/lidar/simd.h"
#include "tests/tools/harness.h"

#include <stdio.h>
#include <string.h>

static void models_are_listed_by_vendor(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "\nVelodyne  VLP-16            16    289352  0.0020       2  id    table   ",
        "\nVelodyne  VLP-32A           32    578704  0.0040       2  name  table   ",
        "\nVelodyne  VLS-128          128   2401501  0.0040       2  id    table   ",
        "\nRoboSense RS-Helios-5515    32    575954  0.0025       2  id    both    ",
        "\nLivox     Mid-360            4    200000  0.0010       1  name  none    ",
        "\nHesai     PandarXT32        32    640000  0.0040       2  id    file    ",
        "\nOuster    OS1              128   2621440  0.0010       2  meta  meta    ",
    };
    struct run r = run("sluice", "lidar", "models", NULL);
    assert_int_equal(r.status, 0);
    for (unsigned i = 0; i < sizeof lines / sizeof *lines; i++)
        assert_has(r.out, lines[i]);
    /* each laser of it is measured, for which there is no kernel of AVX-512 */
    const char *avx2 = lidar_simd_is_supported(LIDAR_SIMD_AVX2) ? "both    avx2 " : "both    ";
    assert_has(strstr(r.out, "RS-Helios-5515"), avx2);
    assert_null(strstr(strstr(r.out, "\nRoboSense"), "both    avx512"));
    run_free(&r);
}

static void each_model_is_an_object_for_programs(void **state)
{
    (void)state;
    struct run r = run("sluice", "lidar", "models", "--json", NULL);
    assert_int_equal(r.status, 0);
    *strchr(r.out, '\n') = '\0';
    struct sl_yaml *json = json_parse(r.out);
    assert_string_equal(json_text(json, "model"), "VLP-16");
    assert_string_equal(json_text(json, "vendor"), "Velodyne");
    assert_true(json_number(json, "rings") == 16);
    assert_string_equal(json_text(json, "simd"), lidar_simd_names[lidar_simd_best()]);
    assert_string_equal(json_text(json, "topics"), "fix");
    assert_string_equal(json_text(json, "simulated_by"), "vlp-16");
    sl_yaml_destroy(json);
    run_free(&r);
}

static void what_can_be_chosen_is_listed(void **state)
{
    (void)state;
    char field[64];
    struct run r = run("sluice", "lidar", "models", "--json", NULL);
    for (const char *const *choice = lidar_model_choices + 1; *choice; choice++) {
        snprintf(field, sizeof field, "\"option\": \"%s\"", *choice);
        assert_has(r.out, field);
    }
    for (const char *const *name = lidar_sim_model_names; *name; name++) {
        snprintf(field, sizeof field, "\"simulated_by\": \"%s\"", *name);
        assert_has(r.out, field);
    }
    assert_has(r.out, "\"option\": \"helios\", \"topics\": \"fix\"");
    assert_has(r.out, "\"option\": \"rs-16\", \"topics\": \"\"");
    assert_has(r.out, "\"option\": \"xt32\", \"topics\": \"\"");
    run_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
        TEST(models_are_listed_by_vendor),
        TEST(each_model_is_an_object_for_programs),
        TEST(what_can_be_chosen_is_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
