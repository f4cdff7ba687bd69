/* SPDX-License-Identifier: Apache-2.0 */
/* test_definition.c - definitions of logs, and bodies printed by them; the bodies are by hand. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/frame/print.h"
#include "rosbag_compat/definition.h"
#include "rosbag_compat/ros1_body.h"
#include "tests/rosbag_compat/support.h"

static const char shapes[] = "# a remark\n"
                             "uint8 LIMIT=3\n"
                             "string TEXT = a # no remark\n"
                             "Header header\n"
                             "string name \"default\"   # and a remark\n"
                             "int16[2] pair\r\n"
                             "Point[] points\n"
                             "other/Empty nothing\n"
                             "time when\n"
                             "string<=5 short\n"
                             "uint8[<=4] few\n"
                             "================================================\n"
                             "MSG: pkg/Point\n"
                             "int8 x\n"
                             "float64 y\n"
                             "====\n"
                             "MSG: other/Empty\n"
                             "\n"
                             "====\n"
                             "MSG: std_msgs/Header\n"
                             "uint32 seq\n"
                             "time stamp\n"
                             "string frame_id\n";

/* ROS 1: no padding, strings without a NUL. */
static const uint8_t ros1_body[] = {
    1,    0,    0, 0,                          /* seq */
    2,    0,    0, 0, 3,   0,   0, 0,          /* stamp */
    1,    0,    0, 0, 'f',                     /* frame_id */
    2,    0,    0, 0, 'h', 'i',                /* name */
    0xff, 0xff, 5, 0,                          /* pair */
    2,    0,    0, 0,                          /* points */
    0xfe, 0,    0, 0, 0,   0,   0, 0xf8, 0x3f, /* -2, 1.5 */
    7,    0,    0, 0, 0,   0,   0, 0,    0x40, /* 7, 2 */
    4,    0,    0, 0, 5,   0,   0, 0,          /* when */
    0,    0,    0, 0,                          /* short */
    1,    0,    0, 0, 9,                       /* few */
};

static const char wanted[] =
    "{\"header\":{\"seq\":1,\"stamp\":{\"sec\":2,\"nanosec\":3},\"frame_id\":\"f\"},"
    "\"name\":\"hi\",\"pair\":[-1,5],\"points\":[{\"x\":-2,\"y\":1.5},{\"x\":7,\"y\":2.0}],"
    "\"nothing\":{\"structure_needs_at_least_one_member\":0},\"when\":{\"sec\":4,\"nanosec\":5},"
    "\"short\":\"\",\"few\":[9]}";

static void ros1_message_is_printed_by_its_definition(void **state)
{
    (void)state;
    struct sl_definition *definition;
    struct sl_buffer body = {0};
    char *text;
    size_t size;
    assert_fine(sl_definition_parse("pkg/Shapes", shapes, strlen(shapes), &definition));
    const struct sl_schema *schema = sl_definition_schema(definition);
    assert_fine(sl_definition_to_cdr(schema, ros1_body, sizeof ros1_body, &body));
    FILE *to = open_memstream(&text, &size);
    assert_fine(sl_message_print_json(schema, body.bytes, body.size_bytes, SL_PRINT_ALL, to));
    fclose(to);
    assert_string_equal(text, wanted);
    free(text);
    /* cut off anywhere it is no such message */
    for (size_t cut = 0; cut < sizeof ros1_body; cut++) {
        sl_buffer_clear(&body);
        assert_int_equal(sl_definition_to_cdr(schema, ros1_body, cut, &body), -EBADMSG);
    }
    sl_buffer_finish(&body);
    sl_definition_destroy(definition);
}

static void names_of_ros2_are_understood(void **state)
{
    (void)state;
    static const char text[] = "pkg/msg/Inner inner\nbuiltin_interfaces/Time stamp\n===\n=====\n"
                               "MSG: pkg/Inner\nuint16 a 7\n";
    /* 2 bytes, padding to 4, two words */
    static const uint8_t body[] = {0, 1, 0, 0, 5, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0};
    struct sl_definition *definition;
    char *printed;
    size_t size;
    /* a line of three '=' is no rule, and no member either */
    assert_int_equal(sl_definition_parse("pkg/msg/Outer", text, strlen(text), &definition),
                     -EBADMSG);
    static const char right[] = "pkg/msg/Inner inner\nbuiltin_interfaces/Time stamp\n=====\n"
                                "MSG: pkg/Inner\nuint16 a 7\n";
    assert_fine(sl_definition_parse("pkg/msg/Outer", right, strlen(right), &definition));
    FILE *to = open_memstream(&printed, &size);
    assert_fine(sl_message_print_json(sl_definition_schema(definition), body, sizeof body,
                                      SL_PRINT_ALL, to));
    fclose(to);
    assert_string_equal(printed, "{\"inner\":{\"a\":5},\"stamp\":{\"sec\":1,\"nanosec\":2}}");
    free(printed);
    sl_definition_destroy(definition);
}

static void what_cannot_be_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int err;
    } cases[] = {
        {"int32\n", -EBADMSG},
        {"int32[ a\n", -EBADMSG},
        {"int32[x] a\n", -EBADMSG},
        {"int32[99999999999] a\n", -EBADMSG},
        {"Unknown a\n", -EBADMSG},
        {"int32 a-b\n", -EBADMSG},
        {"wstring a\n", -ENOTSUP},
        {"A a\n=====\nMSG: p/A\nB b\n=====\nMSG: p/B\nA a\n", -ENOTSUP},
        {"A a\n=====\nMSG: p/A\nB b\n=====\nMSG: p/B\nC c\n=====\nMSG: p/C\nD d\n=====\nMSG: "
         "p/D\nE e\n=====\nMSG: p/E\nF f\n=====\nMSG: p/F\nG g\n=====\nMSG: p/G\nH h\n=====\nMSG: "
         "p/H\nI i\n=====\nMSG: p/I\nint8 a\n",
         -ENOTSUP},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sl_definition *definition;
        int err = sl_definition_parse("p/T", cases[i].text, strlen(cases[i].text), &definition);
        if (err != cases[i].err)
            fail_msg("case %u: %d, %s", i, err, sl_error_text());
    }
}

/* Nothing in nothing, a thousand to the seventh power of it. */
static void empty_types_have_an_end(void **state)
{
    (void)state;
    static const char text[] = "A[1000] a\n=====\nMSG: p/A\nB[1000] a\n=====\nMSG: p/B\nC[1000] a\n"
                               "=====\nMSG: p/C\nD[1000] a\n=====\nMSG: p/D\nE[1000] a\n=====\n"
                               "MSG: p/E\n";
    static const uint8_t body[2000];
    struct sl_definition *definition;
    struct sl_buffer to = {0};
    assert_fine(sl_definition_parse("p/T", text, strlen(text), &definition));
    assert_int_equal(sl_definition_to_cdr(sl_definition_schema(definition), body, sizeof body, &to),
                     -EBADMSG);
    assert_true(to.size_bytes < 1000000);
    sl_buffer_finish(&to);
    sl_definition_destroy(definition);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ros1_message_is_printed_by_its_definition),
        cmocka_unit_test(names_of_ros2_are_understood),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(empty_types_have_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
