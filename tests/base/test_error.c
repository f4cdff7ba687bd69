/* SPDX-License-Identifier: Apache-2.0 */
/* test_error.c - a number and a sentence, each thread its own. */
#include "core/base/error.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void errors_are_negative_either_way(void **state)
{
    (void)state;
    assert_int_equal(sl_error(EINVAL, "no %s", "way"), -EINVAL);
    assert_string_equal(sl_error_text(), "no way");
    assert_int_equal(sl_error(-EINVAL, "no way"), -EINVAL);
}

static void place_is_put_in_front(void **state)
{
    (void)state;
    int err = sl_error(-EAGAIN, "no slot free");
    assert_int_equal(sl_error_at(err, "topic %s", "/points"), -EAGAIN);
    assert_string_equal(sl_error_text(), "topic /points: no slot free");
    sl_error_clear();
    assert_string_equal(sl_error_text(), "");
    sl_error_at(-ENOENT, "file x");
    assert_string_equal(sl_error_text(), "file x: No such file or directory");
}

static void sentence_may_quote_the_one_before(void **state)
{
    (void)state;
    sl_error(-EIO, "inner");
    sl_error(-EIO, "outer (%s)", sl_error_text());
    assert_string_equal(sl_error_text(), "outer (inner)");
}

static void long_sentences_are_cut(void **state)
{
    (void)state;
    char text[2 * SL_ERROR_TEXT_MAX];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    sl_error(-EIO, "%s", text);
    assert_int_equal(strlen(sl_error_text()), SL_ERROR_TEXT_MAX - 1);
    sl_error_at(-EIO, "%s", text);
    assert_int_equal(strlen(sl_error_text()), SL_ERROR_TEXT_MAX - 1);
    sl_error(-EIO, "short");
    sl_error_at(-EIO, "%.*s", SL_ERROR_TEXT_MAX - 3, text); /* ": " just does not fit whole */
    assert_int_equal(strlen(sl_error_text()), SL_ERROR_TEXT_MAX - 1);
}

static void *other_thread(void *before)
{
    strcpy(before, sl_error_text());
    sl_error(-EIO, "of the other thread");
    return NULL;
}

static void each_thread_has_its_own(void **state)
{
    (void)state;
    char before[SL_ERROR_TEXT_MAX] = "?";
    sl_error(-EIO, "of this thread");
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, other_thread, before), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_string_equal(before, "");
    assert_string_equal(sl_error_text(), "of this thread");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_are_negative_either_way),
        cmocka_unit_test(place_is_put_in_front),
        cmocka_unit_test(sentence_may_quote_the_one_before),
        cmocka_unit_test(long_sentences_are_cut),
        cmocka_unit_test(each_thread_has_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
