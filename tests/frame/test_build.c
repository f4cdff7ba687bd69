/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies built from YAML. */
#include "core/base/error.h"
#include "core/base/yaml.h"
#include "core/frame/build.h"
#include "core/frame/imu.h"
#include "core/frame/print.h"
#include "tests/frame/exact.h"
#include "tests/frame/sample.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

#define BODY_MAX 32768
#define NOW_NS   INT64_C(5000000006)

/* ---- A YAML document as a source of values ---- */

static enum sl_value_shape yaml_shape(void *state, const void *node)
{
    (void)state;
    if (sl_yaml_is_null(node))
        return SL_VALUE_NULL;
    return sl_yaml_is(node, SL_YAML_MAPPING)    ? SL_VALUE_MAP
           : sl_yaml_is(node, SL_YAML_SEQUENCE) ? SL_VALUE_LIST
                                                : SL_VALUE_SCALAR;
}

static struct sl_text yaml_text(void *state, const void *node)
{
    (void)state;
    return sl_text(sl_yaml_text(node));
}

static const void *yaml_next(void *state, const void *node, void **cursor, struct sl_text *ret_key)
{
    (void)state;
    unsigned index = (unsigned)(uintptr_t)*cursor;
    if (index >= sl_yaml_count(node))
        return NULL;
    const struct sl_yaml_node *key = sl_yaml_key(node, index);
    if (key)
        *ret_key = sl_text(sl_yaml_text(key));
    *cursor = (void *)(uintptr_t)(index + 1);
    return sl_yaml_item(node, index);
}

static int build(const char *type, const char *text, int64_t now_ns, uint8_t *to, size_t room,
                 size_t *ret_size)
{
    struct sl_yaml *yaml = NULL;
    if (sl_yaml_parse("test", text, strlen(text), &yaml) < 0)
        fail_msg("%s in:\n%s", sl_error_text(), text);
    struct sl_value_source source = {.shape = yaml_shape,
                                     .text = yaml_text,
                                     .next = yaml_next,
                                     .root = sl_yaml_root(yaml),
                                     .now_ns = now_ns};
    int err = sl_message_build(sl_schema_find(type), &source, to, room, ret_size);
    sl_yaml_destroy(yaml);
    return err;
}

/* ---- What comes out ---- */

static void given_members_are_set_and_others_are_zero(void **state)
{
    (void)state;
    uint8_t body[512];
    size_t size = 0;
    assert_int_equal(build(SL_TYPE_IMU,
                           "linear_acceleration: {z: 9.8125}\n"
                           "header: {frame_id: imu, stamp: {sec: 1, nanosec: 2}}\n"
                           "orientation: {w: 1}\n"
                           "angular_velocity:\n"
                           "orientation_covariance: [-1, 0, 0, 0, 0, 0, 0, 0, .inf]\n",
                           -1, body, sizeof body, &size),
                     0);
    struct sl_imu imu;
    assert_int_equal(sl_imu_read(body, size, &imu), 0);
    assert_int_equal(size, 316);
    assert_int_equal(imu.stamp_ns, 1000000002);
    assert_true(sl_text_is(imu.frame_id, "imu"));
    assert_true(imu.linear_acceleration[2] == 9.8125 && imu.linear_acceleration[0] == 0.0);
    assert_true(imu.orientation[3] == 1.0 && imu.orientation[0] == 0.0);
    assert_true(imu.orientation_covariance[0] == -1.0 && isinf(imu.orientation_covariance[8]));
    assert_true(imu.angular_velocity[0] == 0.0);
}

static void nothing_makes_a_message_of_zeros(void **state)
{
    (void)state;
    for (size_t t = 0; sl_schema_at(t); t++) {
        const struct sl_schema *schema = sl_schema_at(t);
        uint8_t body[BODY_MAX];
        uint8_t again[BODY_MAX];
        size_t size = 0;
        size_t again_size = 0;
        struct sl_value_source nothing = {.now_ns = -1};
        assert_int_equal(sl_message_build(schema, &nothing, body, sizeof body, &size), 0);
        assert_int_equal(build(schema->name, "{}", -1, again, sizeof again, &again_size), 0);
        assert_int_equal(size, again_size);
        assert_memory_equal(body, again, size);
        for (size_t room = 0; room < size; room++) {
            int err = sl_message_build(schema, &nothing, again, room, &again_size);
            assert_int_equal(err, -ENOSPC);
        }
    }
}

static void now_and_auto_are_stamps_where_they_are_allowed(void **state)
{
    (void)state;
    uint8_t body[512];
    size_t size = 0;
    struct sl_imu imu;
    assert_int_equal(build(SL_TYPE_IMU, "header: auto", NOW_NS, body, sizeof body, &size), 0);
    assert_int_equal(sl_imu_read(body, size, &imu), 0);
    assert_true(imu.stamp_ns == NOW_NS);
    const char *both = "header: {stamp: now, frame_id: now}";
    assert_int_equal(build(SL_TYPE_IMU, both, NOW_NS, body, sizeof body, &size), 0);
    assert_int_equal(sl_imu_read(body, size, &imu), 0);
    assert_true(imu.stamp_ns == NOW_NS && sl_text_is(imu.frame_id, "now"));
    assert_int_equal(build(SL_TYPE_IMU, "header: auto", -1, body, sizeof body, &size), -EINVAL);
    assert_int_equal(build(SL_TYPE_IMU, "header: now", NOW_NS, body, sizeof body, &size), -EINVAL);
    assert_int_equal(build(SL_TYPE_IMU, "orientation: now", NOW_NS, body, sizeof body, &size),
                     -EINVAL);
}

static void expect_scalar(const char *type, const char *text, const void *bytes, size_t size)
{
    char yaml[128];
    uint8_t body[64];
    size_t body_size = 0;
    snprintf(yaml, sizeof yaml, "data: %s", text);
    assert_int_equal(build(type, yaml, -1, body, sizeof body, &body_size), 0);
    assert_int_equal(body_size, 4 + size);
    assert_memory_equal(body + 4, bytes, size);
}

static void scalars_are_understood_as_people_write_them(void **state)
{
    (void)state;
    expect_scalar("std_msgs/msg/Int8", "-128", "\x80", 1);
    expect_scalar("std_msgs/msg/UInt8", "0xff", "\xff", 1);
    expect_scalar("std_msgs/msg/UInt8", "+017", "\x11", 1); /* decimal, not octal */
    expect_scalar("std_msgs/msg/UInt8", "-0", "\0", 1);
    expect_scalar("std_msgs/msg/Int16", "-0x8000", "\0\x80", 2);
    expect_scalar("std_msgs/msg/UInt16", "65535", "\xff\xff", 2);
    expect_scalar("std_msgs/msg/Int32", "-2147483648", "\0\0\0\x80", 4);
    expect_scalar("std_msgs/msg/Int64", "-9223372036854775808", "\0\0\0\0\0\0\0\x80", 8);
    expect_scalar("std_msgs/msg/UInt64", "18446744073709551615", "\xff\xff\xff\xff\xff\xff\xff\xff",
                  8);
    expect_scalar("std_msgs/msg/Float32", "1e0", "\0\0\x80\x3f", 4);
    expect_scalar("std_msgs/msg/Float32", "3.4028235e38", "\xff\xff\x7f\x7f", 4);
    expect_scalar("std_msgs/msg/Float64", "-.inf", "\0\0\0\0\0\0\xf0\xff", 8);
    expect_scalar("std_msgs/msg/Bool", "True", "\1", 1);
    expect_scalar("std_msgs/msg/Bool", "off", "\0", 1);
    expect_scalar("std_msgs/msg/String", "xy", "\3\0\0\0xy\0", 7);
    expect_scalar("std_msgs/msg/String", "12", "\3\0\0\0\x31\x32\0", 7);
    expect_scalar("std_msgs/msg/String", "\"\"", "\1\0\0\0\0", 5);
}

/* ---- What goes wrong ---- */

static void expect_error(const char *type, const char *yaml, int err, const char *sentence)
{
    uint8_t body[BODY_MAX];
    size_t size = 77;
    assert_int_equal(build(type, yaml, NOW_NS, body, sizeof body, &size), err);
    assert_string_equal(sl_error_text(), sentence);
    assert_int_equal(size, 77); /* untouched */
}

static void unknown_member_is_told_with_those_there_are(void **state)
{
    (void)state;
    expect_error(SL_TYPE_IMU, "linear_acceleration: {w: 1}", -ENOENT,
                 "linear_acceleration.w: geometry_msgs/msg/Vector3 has no such member; it has "
                 "x, y, z");
    expect_error("std_msgs/msg/Bool", "date: true", -ENOENT,
                 "date: std_msgs/msg/Bool has no such member; it has data");
    expect_error("tf2_msgs/msg/TFMessage", "transforms: [{}, {header: {seq: 1}}]", -ENOENT,
                 "transforms[1].header.seq: std_msgs/msg/Header has no such member; it has stamp, "
                 "frame_id");
}

static void number_out_of_range_is_told_with_the_range(void **state)
{
    (void)state;
    expect_error("std_msgs/msg/UInt8", "data: 256", -ERANGE,
                 "data: \"256\" is out of range; uint8 goes from 0 to 255");
    expect_error("std_msgs/msg/UInt8", "data: -1", -ERANGE,
                 "data: \"-1\" is out of range; uint8 goes from 0 to 255");
    expect_error("std_msgs/msg/Int8", "data: -129", -ERANGE,
                 "data: \"-129\" is out of range; int8 goes from -128 to 127");
    expect_error("std_msgs/msg/Int64", "data: 9223372036854775808", -ERANGE,
                 "data: \"9223372036854775808\" is out of range; int64 goes from "
                 "-9223372036854775808 to 9223372036854775807");
    expect_error("std_msgs/msg/UInt64", "data: 18446744073709551616", -ERANGE,
                 "data: \"18446744073709551616\" is out of range; uint64 goes from 0 to "
                 "18446744073709551615");
    expect_error("std_msgs/msg/Float32", "data: 1e39", -ERANGE,
                 "data: \"1e39\" is out of range; float32 goes to 3.4028235e+38");
    expect_error("std_msgs/msg/Float64", "data: 1e309", -ERANGE,
                 "data: \"1e309\" is out of range; float64 goes to 1.7976931e+308");
}

static void value_of_another_shape_is_told(void **state)
{
    (void)state;
    expect_error("std_msgs/msg/Int32", "data: 1.5", -EINVAL, "data: \"1.5\" is no whole number");
    expect_error("std_msgs/msg/Int32", "data: \"\"", -EINVAL, "data: \"\" is no whole number");
    expect_error("std_msgs/msg/Int32", "data: 0x", -EINVAL, "data: \"0x\" is no whole number");
    expect_error("std_msgs/msg/Int32", "data: --1", -EINVAL, "data: \"--1\" is no whole number");
    expect_error("std_msgs/msg/Float64", "data: fast", -EINVAL, "data: \"fast\" is no number");
    expect_error("std_msgs/msg/Float64", "data: nan(1)", -EINVAL, "data: \"nan(1)\" is no number");
    expect_error("std_msgs/msg/Bool", "data: 2", -EINVAL, "data: \"2\" is neither true nor false");
    expect_error("std_msgs/msg/Bool", "data: [1]", -EINVAL,
                 "data: takes one bool, not a list or a map");
    expect_error("std_msgs/msg/Bool", "true", -EINVAL,
                 "message: takes the members of a std_msgs/msg/Bool");
    expect_error("std_msgs/msg/Bool", "[true]", -EINVAL,
                 "message: takes the members of a std_msgs/msg/Bool");
    expect_error(SL_TYPE_IMU, "orientation_covariance: [1, 2, 3]", -EINVAL,
                 "orientation_covariance: 3 elements; float64[9] is wanted");
    expect_error(SL_TYPE_IMU, "orientation_covariance: 0", -EINVAL,
                 "orientation_covariance: takes a list");
    expect_error("std_msgs/msg/UInt8MultiArray", "data: [1, 2, x]", -EINVAL,
                 "data[2]: \"x\" is no whole number");
    expect_error("std_msgs/msg/UInt8MultiArray", "data: [1, ... 5 more]", -EINVAL,
                 "data[1]: \"... 5 more\" is no whole number");
}

/* A map that YAML would not let through: the key "data" for ever. */
static enum sl_value_shape endless_shape(void *state, const void *node)
{
    return node == state ? SL_VALUE_MAP : SL_VALUE_SCALAR;
}

static struct sl_text endless_text(void *state, const void *node)
{
    (void)state;
    return sl_text(node);
}

static const void *endless_next(void *state, const void *node, void **cursor,
                                struct sl_text *ret_key)
{
    (void)state;
    (void)node;
    (void)cursor;
    *ret_key = sl_text("data");
    return "true";
}

static void member_that_is_given_twice_is_an_error(void **state)
{
    (void)state;
    uint8_t body[64];
    size_t size = 0;
    char root = 0;
    struct sl_value_source source = {.shape = endless_shape,
                                     .text = endless_text,
                                     .next = endless_next,
                                     .state = &root,
                                     .root = &root};
    const struct sl_schema *schema = sl_schema_find("std_msgs/msg/Bool");
    assert_int_equal(sl_message_build(schema, &source, body, sizeof body, &size), -EINVAL);
    assert_string_equal(sl_error_text(), "data: is given twice");
}

/* ---- There and back ---- */

typedef int print_function(const struct sl_schema *schema, const void *body, size_t size,
                           uint32_t list_max, FILE *to);

static void expect_back(print_function *print, const struct sl_schema *schema, const uint8_t *body,
                        size_t size)
{
    char *text = NULL;
    size_t text_size;
    FILE *to = open_memstream(&text, &text_size);
    assert_non_null(to);
    assert_int_equal(print(schema, body, size, SL_PRINT_ALL, to), 0);
    fclose(to);
    static uint8_t back[BODY_MAX];
    size_t back_size = 0;
    if (build(schema->name, text, -1, back, sizeof back, &back_size) < 0)
        fail_msg("%s in:\n%s", sl_error_text(), text);
    assert_int_equal(back_size, size);
    assert_memory_equal(back, body, size);
    free(text);
}

static void what_is_printed_can_be_built_again(void **state)
{
    (void)state;
    static uint8_t body[BODY_MAX];
    for (size_t t = 0; sl_schema_at(t); t++) {
        for (uint64_t seed = 1; seed <= 20; seed++) {
            size_t size = sample_body(sl_schema_at(t), seed, body, sizeof body);
            assert_true(size > 0);
            expect_back(sl_message_print_yaml, sl_schema_at(t), body, size);
            expect_back(sl_message_print_json, sl_schema_at(t), body, size);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(given_members_are_set_and_others_are_zero),
        cmocka_unit_test(nothing_makes_a_message_of_zeros),
        cmocka_unit_test(now_and_auto_are_stamps_where_they_are_allowed),
        cmocka_unit_test(scalars_are_understood_as_people_write_them),
        cmocka_unit_test(unknown_member_is_told_with_those_there_are),
        cmocka_unit_test(number_out_of_range_is_told_with_the_range),
        cmocka_unit_test(value_of_another_shape_is_told),
        cmocka_unit_test(member_that_is_given_twice_is_an_error),
        cmocka_unit_test(what_is_printed_can_be_built_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
