/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies as YAML and JSON. */
#include "core/frame/pointcloud2.h"
#include "core/frame/print.h"
#include "tests/frame/exact.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

typedef int print_function(const struct sl_schema *schema, const void *body, size_t size,
                           uint32_t list_max, FILE *to);

static void expect_text(print_function *print, const char *type, const void *body, size_t size,
                        uint32_t list_max, const char *expected)
{
    char text[4096] = "";
    FILE *to = fmemopen(text, sizeof text, "w");
    assert_int_equal(print(sl_schema_find(type), body, size, list_max, to), 0);
    fclose(to);
    assert_string_equal(text, expected);
}

static size_t make_cloud(uint8_t *body, size_t room)
{
    struct sl_pointcloud2 cloud = {
        .stamp_ns = 1000000002,
        .frame_id = sl_text("velodyne"),
        .height = 1,
        .width = 2,
        .field_count = 2,
        .fields = {{sl_text("x"), 0, 1, SL_POINT_UINT8}, {sl_text("on"), 1, 1, SL_POINT_UINT16}},
        .point_step = 3,
        .row_step = 6,
        .data_size = 6,
        .is_dense = true,
    };
    uint8_t *data = body + sl_pointcloud2_prefix_size(&cloud);
    assert_int_equal(sl_pointcloud2_write_prefix(&cloud, body, room), 0);
    memcpy(data, "\1\2\3\4\5\xff", 6);
    assert_int_equal(sl_pointcloud2_write_suffix(&cloud, data + 6, 2), 0);
    return sl_pointcloud2_body_size(&cloud);
}

static void cloud_is_printed_as_yaml(void **state)
{
    (void)state;
    uint8_t body[256];
    size_t size = make_cloud(body, sizeof body);
    expect_text(sl_message_print_yaml, SL_TYPE_POINTCLOUD2, body, size, SL_PRINT_ALL,
                "header:\n"
                "  stamp:\n"
                "    sec: 1\n"
                "    nanosec: 2\n"
                "  frame_id: velodyne\n"
                "height: 1\n"
                "width: 2\n"
                "fields:\n"
                "- name: x\n"
                "  offset: 0\n"
                "  datatype: 2\n"
                "  count: 1\n"
                "- name: \"on\"\n"
                "  offset: 1\n"
                "  datatype: 4\n"
                "  count: 1\n"
                "is_bigendian: false\n"
                "point_step: 3\n"
                "row_step: 6\n"
                "data: [1, 2, 3, 4, 5, 255]\n"
                "is_dense: true\n");
}

static void long_lists_are_cut_in_yaml(void **state)
{
    (void)state;
    uint8_t body[256];
    size_t size = make_cloud(body, sizeof body);
    expect_text(sl_message_print_yaml, SL_TYPE_POINTCLOUD2, body, size, 1,
                "header:\n"
                "  stamp:\n"
                "    sec: 1\n"
                "    nanosec: 2\n"
                "  frame_id: velodyne\n"
                "height: 1\n"
                "width: 2\n"
                "fields:\n"
                "- name: x\n"
                "  offset: 0\n"
                "  datatype: 2\n"
                "  count: 1\n"
                "- ... 1 more\n"
                "is_bigendian: false\n"
                "point_step: 3\n"
                "row_step: 6\n"
                "data: [1, ... 5 more]\n"
                "is_dense: true\n");
}

static void cloud_is_printed_as_one_line_of_json(void **state)
{
    (void)state;
    uint8_t body[256];
    size_t size = make_cloud(body, sizeof body);
    expect_text(sl_message_print_json, SL_TYPE_POINTCLOUD2, body, size, SL_PRINT_ALL,
                "{\"header\":{\"stamp\":{\"sec\":1,\"nanosec\":2},\"frame_id\":\"velodyne\"},"
                "\"height\":1,\"width\":2,\"fields\":["
                "{\"name\":\"x\",\"offset\":0,\"datatype\":2,\"count\":1},"
                "{\"name\":\"on\",\"offset\":1,\"datatype\":4,\"count\":1}],"
                "\"is_bigendian\":false,\"point_step\":3,\"row_step\":6,"
                "\"data\":[1,2,3,4,5,255],\"is_dense\":true}");
    expect_text(sl_message_print_json, SL_TYPE_POINTCLOUD2, body, size, 1,
                "{\"header\":{\"stamp\":{\"sec\":1,\"nanosec\":2},\"frame_id\":\"velodyne\"},"
                "\"height\":1,\"width\":2,\"fields\":{\"length\":2,\"first\":["
                "{\"name\":\"x\",\"offset\":0,\"datatype\":2,\"count\":1}]},"
                "\"is_bigendian\":false,\"point_step\":3,\"row_step\":6,"
                "\"data\":{\"length\":6,\"first\":[1]},\"is_dense\":true}");
}

static void empty_lists_are_printed(void **state)
{
    (void)state;
    static const uint8_t nothing[] = {0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    expect_text(sl_message_print_yaml, "std_msgs/msg/UInt8MultiArray", nothing, sizeof nothing,
                SL_PRINT_ALL, "layout:\n  dim: []\n  data_offset: 0\ndata: []\n");
    expect_text(sl_message_print_json, "std_msgs/msg/UInt8MultiArray", nothing, sizeof nothing,
                SL_PRINT_ALL, "{\"layout\":{\"dim\":[],\"data_offset\":0},\"data\":[]}");
}

/* An element's first member is a message: it stands in line with the dash. */
static void messages_in_elements_are_indented(void **state)
{
    (void)state;
    uint8_t scan[4 + 8 + 8 + 4 + 1214] = {0, 1, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0,
                                          0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 5, 6};
    expect_text(sl_message_print_yaml, "velodyne_msgs/msg/VelodyneScan", scan, sizeof scan, 2,
                "header:\n"
                "  stamp:\n"
                "    sec: 7\n"
                "    nanosec: 0\n"
                "  frame_id: \"\"\n"
                "packets:\n"
                "- stamp:\n"
                "    sec: 9\n"
                "    nanosec: 0\n"
                "  data: [5, 6, ... 1204 more]\n");
    expect_text(sl_message_print_yaml, "velodyne_msgs/msg/VelodyneScan", scan, sizeof scan, 0,
                "header:\n"
                "  stamp:\n"
                "    sec: 7\n"
                "    nanosec: 0\n"
                "  frame_id: \"\"\n"
                "packets:\n"
                "- ... 1 more\n");
}

static void expect_real(const char *type, double value, const char *yaml, const char *json)
{
    uint8_t body[16];
    struct sl_cdr_writer w = sl_cdr_write(body, sizeof body);
    if (strcmp(type, "std_msgs/msg/Float32") == 0)
        sl_cdr_put_f32(&w, (float)value);
    else
        sl_cdr_put_f64(&w, value);
    char expected[64];
    snprintf(expected, sizeof expected, "data: %s\n", yaml);
    expect_text(sl_message_print_yaml, type, body, sl_cdr_written(&w), 0, expected);
    snprintf(expected, sizeof expected, "{\"data\":%s}", json);
    expect_text(sl_message_print_json, type, body, sl_cdr_written(&w), 0, expected);
}

static void reals_are_short_and_exact_and_look_like_reals(void **state)
{
    (void)state;
    expect_real("std_msgs/msg/Float32", 0.1f, "0.1", "0.1");
    expect_real("std_msgs/msg/Float64", 0.1f, "0.10000000149011612", "0.10000000149011612");
    expect_real("std_msgs/msg/Float64", 0.1, "0.1", "0.1");
    expect_real("std_msgs/msg/Float64", 1, "1.0", "1.0");
    expect_real("std_msgs/msg/Float64", -0.0, "-0.0", "-0.0");
    expect_real("std_msgs/msg/Float64", 1e300, "1.0e+300", "1.0e+300");
    expect_real("std_msgs/msg/Float32", 16777216, "16777216.0", "16777216.0");
    expect_real("std_msgs/msg/Float64", NAN, ".nan", "\"NaN\"");
    expect_real("std_msgs/msg/Float32", INFINITY, ".inf", "\"Infinity\"");
    expect_real("std_msgs/msg/Float64", -INFINITY, "-.inf", "\"-Infinity\"");
}

static void whole_numbers_keep_their_sign_and_size(void **state)
{
    (void)state;
    static const uint8_t body[12] = {0, 1, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    static const struct {
        const char *type;
        size_t size;
        const char *yaml;
    } cases[] = {
        {"std_msgs/msg/Int8", 5, "data: -1\n"},
        {"std_msgs/msg/UInt8", 5, "data: 255\n"},
        {"std_msgs/msg/Int16", 6, "data: -1\n"},
        {"std_msgs/msg/UInt16", 6, "data: 65535\n"},
        {"std_msgs/msg/Int32", 8, "data: -1\n"},
        {"std_msgs/msg/UInt32", 8, "data: 4294967295\n"},
        {"std_msgs/msg/Int64", 12, "data: -1\n"},
        {"std_msgs/msg/UInt64", 12, "data: 18446744073709551615\n"},
        {"std_msgs/msg/Bool", 5, "data: true\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect_text(sl_message_print_yaml, cases[i].type, body, cases[i].size, 0, cases[i].yaml);
}

static void expect_escaped(struct sl_text text, const char *yaml, const char *json)
{
    uint8_t body[128];
    struct sl_cdr_writer w = sl_cdr_write(body, sizeof body);
    sl_cdr_put_u32(&w, (uint32_t)text.size + 1);
    sl_writer_bytes(&w.bytes, text.at, text.size);
    sl_writer_u8(&w.bytes, 0);
    size_t size = sl_cdr_written(&w);
    char expected[256];
    snprintf(expected, sizeof expected, "data: %s\n", yaml);
    expect_text(sl_message_print_yaml, "std_msgs/msg/String", body, size, 0, expected);
    snprintf(expected, sizeof expected, "{\"data\":%s}", json);
    expect_text(sl_message_print_json, "std_msgs/msg/String", body, size, 0, expected);
}

static void strings_are_escaped(void **state)
{
    (void)state;
    expect_escaped(sl_text("base_link"), "base_link", "\"base_link\"");
    expect_escaped(sl_text("/a/b-c.d"), "/a/b-c.d", "\"/a/b-c.d\"");
    expect_escaped(sl_text(""), "\"\"", "\"\"");
    expect_escaped(sl_text("True"), "\"True\"", "\"True\"");
    expect_escaped(sl_text("12"), "\"12\"", "\"12\"");
    expect_escaped(sl_text("a b"), "\"a b\"", "\"a b\"");
    expect_escaped(sl_text("\"\\"), "\"\\\"\\\\\"", "\"\\\"\\\\\"");
    expect_escaped(sl_text("\n\t\r\x1b\x7f"), "\"\\n\\t\\x0d\\x1b\\x7f\"",
                   "\"\\n\\t\\u000d\\u001b\\u007f\"");
    expect_escaped(sl_text("\xc2\x9b"), "\"\\x9b\"", "\"\\u009b\""); /* a terminal's CSI */
    expect_escaped(sl_text("\xc3\xbc\xe2\x82\xac\xf0\x9f\x9a\x97"),
                   "\"\xc3\xbc\xe2\x82\xac\xf0\x9f\x9a\x97\"",
                   "\"\xc3\xbc\xe2\x82\xac\xf0\x9f\x9a\x97\"");
    expect_escaped((struct sl_text){"a\0b", 3}, "\"a\\x00b\"", "\"a\\u0000b\"");
}

static void bytes_that_are_no_utf8_are_escaped(void **state)
{
    (void)state;
    expect_escaped(sl_text("\xff"), "\"\\xff\"", "\"\\u00ff\"");
    expect_escaped(sl_text("\xc3"), "\"\\xc3\"", "\"\\u00c3\"");                 /* cut */
    expect_escaped(sl_text("\xc3("), "\"\\xc3(\"", "\"\\u00c3(\"");              /* no tail */
    expect_escaped(sl_text("\xc0\x80"), "\"\\xc0\\x80\"", "\"\\u00c0\\u0080\""); /* overlong */
    expect_escaped(sl_text("\xe0\x80\x80"), "\"\\xe0\\x80\\x80\"",
                   "\"\\u00e0\\u0080\\u0080\""); /* overlong */
    expect_escaped(sl_text("\xed\xa0\x80"), "\"\\xed\\xa0\\x80\"",
                   "\"\\u00ed\\u00a0\\u0080\""); /* a surrogate */
    expect_escaped(sl_text("\xf4\x90\x80\x80"), "\"\\xf4\\x90\\x80\\x80\"",
                   "\"\\u00f4\\u0090\\u0080\\u0080\""); /* beyond U+10FFFF */
}

static void nothing_is_printed_of_a_broken_body(void **state)
{
    (void)state;
    uint8_t body[256];
    size_t size = make_cloud(body, sizeof body);
    const struct sl_schema *schema = sl_schema_find(SL_TYPE_POINTCLOUD2);
    print_function *const prints[] = {sl_message_print_yaml, sl_message_print_json};
    for (int i = 0; i < 2; i++) {
        char text[4096] = "";
        FILE *to = fmemopen(text, sizeof text, "w");
        assert_int_equal(prints[i](schema, body, size - 1, SL_PRINT_ALL, to), -EBADMSG);
        assert_int_equal(ftell(to), 0);
        fclose(to);
    }
}

static void output_that_does_not_take_the_text_is_told(void **state)
{
    (void)state;
    uint8_t body[256];
    size_t size = make_cloud(body, sizeof body);
    const struct sl_schema *schema = sl_schema_find(SL_TYPE_POINTCLOUD2);
    FILE *to = fopen("/dev/full", "w");
    assert_non_null(to);
    setvbuf(to, NULL, _IONBF, 0);
    assert_int_equal(sl_message_print_yaml(schema, body, size, SL_PRINT_ALL, to), -EIO);
    fclose(to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cloud_is_printed_as_yaml),
        cmocka_unit_test(long_lists_are_cut_in_yaml),
        cmocka_unit_test(cloud_is_printed_as_one_line_of_json),
        cmocka_unit_test(empty_lists_are_printed),
        cmocka_unit_test(messages_in_elements_are_indented),
        cmocka_unit_test(reals_are_short_and_exact_and_look_like_reals),
        cmocka_unit_test(whole_numbers_keep_their_sign_and_size),
        cmocka_unit_test(strings_are_escaped),
        cmocka_unit_test(bytes_that_are_no_utf8_are_escaped),
        cmocka_unit_test(nothing_is_printed_of_a_broken_body),
        cmocka_unit_test(output_that_does_not_take_the_text_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
