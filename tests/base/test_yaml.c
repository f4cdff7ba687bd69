/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/base/error.h"
#include "core/base/yaml.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct sl_yaml *good(const char *text)
{
    struct sl_yaml *yaml;
    if (sl_yaml_parse("f", text, strlen(text), &yaml) < 0)
        fail_msg("%s", sl_error_text());
    return yaml;
}

static void bad_bytes(const void *bytes, size_t size, int err, const char *message)
{
    struct sl_yaml *yaml;
    assert_int_equal(sl_yaml_parse("f", bytes, size, &yaml), err);
    assert_string_equal(sl_error_text(), message);
}

static void bad(const char *text, int err, const char *message)
{
    bad_bytes(text, strlen(text), err, message);
}

static void the_tree_has_kinds_texts_and_places(void **state)
{
    (void)state;
    struct sl_yaml *yaml = good("a: 1\n"
                                "b: [x, \"y\", ~]\n"
                                "c:\n"
                                "  \"d\": {e: f}\n"
                                "last:\n");
    const struct sl_yaml_node *root = sl_yaml_root(yaml);
    assert_true(sl_yaml_is(root, SL_YAML_MAPPING));
    assert_int_equal(sl_yaml_count(root), 4);
    assert_string_equal(sl_yaml_text(sl_yaml_key(root, 2)), "c");
    assert_string_equal(sl_yaml_text(sl_yaml_get(root, "a")), "1");
    const struct sl_yaml_node *list = sl_yaml_get(root, "b");
    assert_true(sl_yaml_is(list, SL_YAML_SEQUENCE));
    assert_int_equal(sl_yaml_count(list), 3);
    assert_null(sl_yaml_key(list, 0));
    assert_null(sl_yaml_item(list, 3));
    const struct sl_yaml_node *y = sl_yaml_item(list, 1);
    assert_true(sl_yaml_is_quoted(y));
    assert_int_equal(sl_yaml_line(y), 2);
    assert_int_equal(sl_yaml_column(y), 8);
    assert_true(sl_yaml_is_null(sl_yaml_item(list, 2)));
    assert_true(sl_yaml_is_null(sl_yaml_get(root, "last")));
    const struct sl_yaml_node *d = sl_yaml_key(sl_yaml_get(root, "c"), 0);
    assert_int_equal(sl_yaml_line(d), 4);
    assert_int_equal(sl_yaml_column(d), 3);
    assert_string_equal(sl_yaml_file(d), "f");
    sl_yaml_destroy(yaml);
}

static void what_is_not_there_can_be_asked(void **state)
{
    (void)state;
    assert_null(sl_yaml_get(NULL, "a"));
    assert_null(sl_yaml_text(NULL));
    assert_int_equal(sl_yaml_count(NULL), 0);
    assert_false(sl_yaml_is(NULL, SL_YAML_SCALAR));
    assert_false(sl_yaml_is_null(NULL));
    sl_yaml_destroy(NULL);
}

static void an_empty_document_is_null(void **state)
{
    (void)state;
    struct sl_yaml *yaml = good("");
    assert_true(sl_yaml_is_null(sl_yaml_root(yaml)));
    sl_yaml_destroy(yaml);
}

static void aliases_are_followed(void **state)
{
    (void)state;
    struct sl_yaml *yaml = good("a: &x {k: v}\nb: *x\n");
    const struct sl_yaml_node *root = sl_yaml_root(yaml);
    assert_ptr_equal(sl_yaml_get(root, "a"), sl_yaml_get(root, "b"));
    sl_yaml_destroy(yaml);
}

static void an_alias_without_its_anchor_is_told(void **state)
{
    (void)state;
    bad("a: &x [*x]\n", -EINVAL,
        "f:1:8: no anchor &x before this alias\n"
        "    a: &x [*x]\n"
        "           ^");
}

static void aliases_that_multiply_are_refused(void **state)
{
    (void)state;
    bad("a: &a [1,1,1,1,1,1,1,1,1,1]\n"
        "b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
        "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
        "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
        "e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n"
        "f: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n",
        -E2BIG,
        "f:6:14: its aliases written out, the document is larger than 262144 entries\n"
        "    f: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n"
        "                 ^");
}

static void depth_has_a_limit(void **state)
{
    (void)state;
    char text[100];
    memset(text, '[', sizeof text);
    struct sl_yaml *yaml;
    assert_int_equal(sl_yaml_parse("f", text, sizeof text, &yaml), -E2BIG);
    assert_non_null(strstr(sl_error_text(), "f:1:33: nested more than 32 deep\n"));
}

static void size_has_a_limit(void **state)
{
    (void)state;
    size_t size = SL_YAML_SIZE_MAX + 1;
    char *text = malloc(size);
    memset(text, ' ', size);
    bad_bytes(text, size, -E2BIG, "f: larger than 1048576 bytes");
    free(text);
}

static void entries_have_a_limit(void **state)
{
    (void)state;
    size_t count = SL_YAML_NODES_MAX + 10;
    char *text = malloc(2 * count + 3);
    text[0] = '[';
    for (size_t i = 0; i < count; i++)
        memcpy(text + 1 + 2 * i, "1,", 2);
    text[1 + 2 * count] = ']';
    struct sl_yaml *yaml;
    assert_int_equal(sl_yaml_parse("f", text, 2 * count + 2, &yaml), -E2BIG);
    assert_non_null(strstr(sl_error_text(), ": more than 65536 entries\n"));
    free(text);
}

static void what_is_no_text_is_told(void **state)
{
    (void)state;
    bad_bytes("a\0b", 3, -EINVAL, "f: byte 1 is zero; this is no text");
    bad("a: \xc3\x28\n", -EINVAL,
        "f:1:4: this is no UTF-8 text\n"
        "    a:  (\n"
        "       ^");
    bad("a: \"\\0\"\n", -EINVAL,
        "f:1:4: a text must not hold a zero byte\n"
        "    a: \"\\0\"\n"
        "       ^");
}

static void the_caret_counts_characters_and_the_column_bytes(void **state)
{
    (void)state;
    bad("\xc3\xa4: [\xc3\xa4, *x]\n", -EINVAL,
        "f:1:10: no anchor &x before this alias\n"
        "    \xc3\xa4: [\xc3\xa4, *x]\n"
        "           ^");
}

static void a_long_line_is_shown_around_the_place(void **state)
{
    (void)state;
    char text[600];
    memset(text, 'a', sizeof text);
    memcpy(text, "[", 1);
    memcpy(text + 500, ", *x ]", 7);
    bad(text, -EINVAL,
        "f:1:503: no anchor &x before this alias\n"
        "    aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, *x ]\n"
        "                                                    ^");
}

static void keys_must_be_texts_and_stand_once(void **state)
{
    (void)state;
    bad("? [a]\n: b\n", -EINVAL,
        "f:1:3: a key must be a text\n"
        "    ? [a]\n"
        "      ^");
    bad("a: 1\na: 2\n", -EINVAL,
        "f:2:1: key 'a' stands here already, in line 1\n"
        "    a: 2\n"
        "    ^");
}

static void a_second_document_is_told(void **state)
{
    (void)state;
    bad("--- a\n--- b\n", -EINVAL,
        "f:2:1: a second document; only one is read\n"
        "    --- b\n"
        "    ^");
}

static void a_file_that_cannot_be_read_is_told(void **state)
{
    (void)state;
    struct sl_yaml *yaml;
    assert_int_equal(sl_yaml_load("/none", &yaml), -ENOENT);
    assert_string_equal(sl_error_text(), "/none: No such file or directory");
    assert_int_equal(sl_yaml_load("/", &yaml), -EISDIR);
    assert_string_equal(sl_error_text(), "/: Is a directory");
    assert_int_equal(sl_yaml_load("/dev/zero", &yaml), -E2BIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tree_has_kinds_texts_and_places),
        cmocka_unit_test(what_is_not_there_can_be_asked),
        cmocka_unit_test(an_empty_document_is_null),
        cmocka_unit_test(aliases_are_followed),
        cmocka_unit_test(an_alias_without_its_anchor_is_told),
        cmocka_unit_test(aliases_that_multiply_are_refused),
        cmocka_unit_test(depth_has_a_limit),
        cmocka_unit_test(size_has_a_limit),
        cmocka_unit_test(entries_have_a_limit),
        cmocka_unit_test(what_is_no_text_is_told),
        cmocka_unit_test(the_caret_counts_characters_and_the_column_bytes),
        cmocka_unit_test(a_long_line_is_shown_around_the_place),
        cmocka_unit_test(keys_must_be_texts_and_stand_once),
        cmocka_unit_test(a_second_document_is_told),
        cmocka_unit_test(a_file_that_cannot_be_read_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
