/* SPDX-License-Identifier: Apache-2.0 */
/* test_words.c - "did you mean". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/base/words.h"

static void the_nearest_word_is_one_typing_error_away(void **state)
{
    (void)state;
    const char *words[] = {"exec", "params", "required", "x", NULL};
    assert_string_equal(sl_nearest_word("exce", words), "exec");
    assert_string_equal(sl_nearest_word("parms", words), "params");
    assert_string_equal(sl_nearest_word("require", words), "required");
    assert_null(sl_nearest_word("zebra", words));
    assert_null(sl_nearest_word("y", words));
    assert_null(sl_nearest_word("", words));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_nearest_word_is_one_typing_error_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
