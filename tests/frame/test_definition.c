/* SPDX-License-Identifier: Apache-2.0 */
#include "core/frame/definition.h"
#include "tests/frame/exact.h"

#include <stdio.h>
#include <string.h>

#define RULE "================================================================================\n"

static void expect(const char *type, const char *expected)
{
    char text[4096];
    const struct sl_schema *schema = sl_schema_find(type);
    assert_non_null(schema);
    size_t length = sl_definition_write(schema, text, sizeof text);
    assert_string_equal(text, expected);
    assert_int_equal(length, strlen(expected));
}

/* Written down from the .msg files of ROS 2 (without comments and constants). */
static void known_types_are_what_their_files_say(void **state)
{
    (void)state;
    expect("std_msgs/msg/String", "string data\n");
    expect("sensor_msgs/msg/PointCloud2", "std_msgs/Header header\n"
                                          "uint32 height\n"
                                          "uint32 width\n"
                                          "sensor_msgs/PointField[] fields\n"
                                          "bool is_bigendian\n"
                                          "uint32 point_step\n"
                                          "uint32 row_step\n"
                                          "uint8[] data\n"
                                          "bool is_dense\n" RULE "MSG: std_msgs/Header\n"
                                          "builtin_interfaces/Time stamp\n"
                                          "string frame_id\n" RULE "MSG: sensor_msgs/PointField\n"
                                          "string name\n"
                                          "uint32 offset\n"
                                          "uint8 datatype\n"
                                          "uint32 count\n" RULE "MSG: builtin_interfaces/Time\n"
                                          "int32 sec\n"
                                          "uint32 nanosec\n");
    expect("sensor_msgs/msg/Imu",
           "std_msgs/Header header\n"
           "geometry_msgs/Quaternion orientation\n"
           "float64[9] orientation_covariance\n"
           "geometry_msgs/Vector3 angular_velocity\n"
           "float64[9] angular_velocity_covariance\n"
           "geometry_msgs/Vector3 linear_acceleration\n"
           "float64[9] linear_acceleration_covariance\n" RULE "MSG: std_msgs/Header\n"
           "builtin_interfaces/Time stamp\n"
           "string frame_id\n" RULE "MSG: geometry_msgs/Quaternion\n"
           "float64 x\n"
           "float64 y\n"
           "float64 z\n"
           "float64 w\n" RULE "MSG: geometry_msgs/Vector3\n"
           "float64 x\n"
           "float64 y\n"
           "float64 z\n" RULE "MSG: builtin_interfaces/Time\n"
           "int32 sec\n"
           "uint32 nanosec\n");
}

/* Each type that is named is explained, once, and nothing is cut. */
static void every_type_explains_its_parts(void **state)
{
    (void)state;
    static char text[65536];
    const struct sl_schema *schema;
    for (size_t i = 0; (schema = sl_schema_at(i)); i++) {
        size_t length = sl_definition_write(schema, text, sizeof text);
        assert_true(length < sizeof text);
        assert_int_equal(length, strlen(text));
        for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
            char type[128], wanted[160];
            static char again[65536];
            if (!strchr(line, '/') || strncmp(line, "MSG:", 4) == 0)
                continue;
            snprintf(type, sizeof type, "%.*s", (int)strcspn(line, " ["), line);
            snprintf(wanted, sizeof wanted, RULE "MSG: %s\n", type);
            sl_definition_write(schema, again, sizeof again);
            char *found = strstr(again, wanted);
            assert_non_null(found);
            assert_null(strstr(found + 1, wanted));
        }
    }
}

static void too_little_room_is_told(void **state)
{
    (void)state;
    char text[8];
    const struct sl_schema *schema = sl_schema_find("std_msgs/msg/String");
    assert_int_equal(sl_definition_write(schema, text, sizeof text), strlen("string data\n"));
    assert_string_equal(text, "string ");
    assert_int_equal(sl_definition_write(schema, NULL, 0), strlen("string data\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_types_are_what_their_files_say),
        cmocka_unit_test(every_type_explains_its_parts),
        cmocka_unit_test(too_little_room_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
