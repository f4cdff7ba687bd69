/* SPDX-License-Identifier: Apache-2.0 */
/* test_log.c - lines are whole, whoever writes beside, and few, whatever happens. */
#include "core/base/log.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define THREADS         4
#define LINES_A_THREAD  200
#define LINE_LENGTH_MAX 1024
#define CAPTURED_MAX    (1 << 20)

static char captured[CAPTURED_MAX];
static int usual = -1;
static FILE *file;

static void capture_begin(void)
{
    fflush(stderr);
    usual = dup(STDERR_FILENO);
    file = tmpfile();
    assert_non_null(file);
    dup2(fileno(file), STDERR_FILENO);
}

static void capture_end(void)
{
    dup2(usual, STDERR_FILENO);
    close(usual);
    rewind(file);
    captured[fread(captured, 1, sizeof captured - 1, file)] = '\0';
    fclose(file);
}

static void lines_name_program_and_severity(void **state)
{
    (void)state;
    capture_begin();
    sl_log_open(NULL, SL_LOG_INFO);
    sl_log(SL_LOG_INFO, "plain %d", 1);
    sl_log_open("lidar", SL_LOG_INFO);
    sl_log(SL_LOG_INFO, "named");
    sl_log(SL_LOG_WARN, "odd");
    sl_log(SL_LOG_ERROR, "bad");
    capture_end();
    assert_string_equal(captured,
                        "plain 1\nlidar: named\nlidar: warning: odd\nlidar: error: bad\n");
}

static void level_hides_what_lies_below_it(void **state)
{
    (void)state;
    sl_log_open(NULL, SL_LOG_WARN);
    assert_true(sl_log_shows(SL_LOG_ERROR));
    assert_false(sl_log_shows(SL_LOG_INFO));
    struct sl_log_limit limit = {0};
    capture_begin();
    sl_log(SL_LOG_INFO, "no");
    sl_log_limited(&limit, SL_LOG_DEBUG, "no");
    sl_log(SL_LOG_WARN, "yes");
    capture_end();
    assert_string_equal(captured, "warning: yes\n");
    for (int i = SL_LOG_ERROR; i <= SL_LOG_DEBUG; i++)
        assert_non_null(sl_log_level_names[i]);
    assert_null(sl_log_level_names[SL_LOG_DEBUG + 1]);
}

static void long_lines_are_cut_and_still_end(void **state)
{
    (void)state;
    char text[3 * LINE_LENGTH_MAX];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    sl_log_open(text, SL_LOG_INFO); /* even the name */
    capture_begin();
    sl_log(SL_LOG_INFO, "%s", text);
    capture_end();
    assert_true(strlen(captured) <= LINE_LENGTH_MAX);
    assert_ptr_equal(strchr(captured, '\n'), captured + strlen(captured) - 1);

    for (int length = LINE_LENGTH_MAX - 40; length < LINE_LENGTH_MAX + 3; length++) {
        struct sl_log_limit limit = {.hidden = 12345};
        sl_log_open("n", SL_LOG_INFO);
        capture_begin();
        sl_log_limited(&limit, SL_LOG_INFO, "%.*s", length, text);
        capture_end();
        assert_true(strlen(captured) <= LINE_LENGTH_MAX);
        assert_ptr_equal(strchr(captured, '\n'), captured + strlen(captured) - 1);
    }
}

static void *write_lines(void *argument)
{
    char letters[201];
    memset(letters, *(char *)argument, sizeof letters - 1);
    letters[sizeof letters - 1] = '\0';
    for (int i = 0; i < LINES_A_THREAD; i++)
        sl_log(SL_LOG_INFO, "%s", letters);
    return NULL;
}

static void lines_of_several_threads_are_not_mixed(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    char letters[THREADS] = {'a', 'b', 'c', 'd'};
    int lines = 0;
    sl_log_open(NULL, SL_LOG_INFO);
    capture_begin();
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, write_lines, &letters[i]);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    capture_end();
    for (char *line = captured, *end; (end = strchr(line, '\n')); line = end + 1, lines++) {
        assert_int_equal(end - line, 200);
        for (char *c = line; c < end; c++)
            assert_int_equal(*c, *line);
    }
    assert_int_equal(lines, THREADS * LINES_A_THREAD);
}

static void what_repeats_is_told_once_a_second_with_its_count(void **state)
{
    (void)state;
    struct sl_log_limit limit = {0};
    sl_log_open(NULL, SL_LOG_INFO);
    capture_begin();
    for (int i = 0; i < 1000; i++)
        sl_log_limited(&limit, SL_LOG_WARN, "packet %d is short", i);
    limit.last_ns -= 1000000000LL; /* a second later */
    sl_log_limited(&limit, SL_LOG_WARN, "packet is short");
    capture_end();
    assert_string_equal(
        captured, "warning: packet 0 is short\nwarning: packet is short (and 999 more like it)\n");
    assert_int_equal(limit.hidden, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_name_program_and_severity),
        cmocka_unit_test(level_hides_what_lies_below_it),
        cmocka_unit_test(long_lines_are_cut_and_still_end),
        cmocka_unit_test(lines_of_several_threads_are_not_mixed),
        cmocka_unit_test(what_repeats_is_told_once_a_second_with_its_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
