/* SPDX-License-Identifier: Apache-2.0 */
/* test_options.c - the one table behind command line, launch parameters, help and man page. */
#include "core/base/error.h"
#include "core/base/options.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct values {
    bool loop, quiet;
    int64_t port;
    double cut_angle;
    uint64_t slot_size;
    int64_t timeout_ns;
    const char *frame_id;
    int colour;
    struct sl_option_list topics;
    const char *file;
    struct sl_option_list rest;
    int64_t secret;
};

static const char *const colours[] = {"height", "intensity", NULL};

#define AT(member) .offset = offsetof(struct values, member)
static const struct sl_option common[] = {
    {"loop", 'l', SL_OPTION_FLAG, 0, AT(loop), .help = "begin again at the end"},
    {"quiet", 0, SL_OPTION_FLAG, 0, AT(quiet), .fallback = "true", .help = "say nothing"},
    {"port", 'p', SL_OPTION_INT, 0, AT(port), .fallback = "2368", .min = 1, .max = 65535,
     .help = "UDP port"},
    {"cut-angle", 0, SL_OPTION_REAL, 0, AT(cut_angle), .value = "DEGREES", .fallback = "-90",
     .min = -180, .max = 180, .help = "where a frame ends"},
    {"slot-size", 0, SL_OPTION_SIZE, 0, AT(slot_size), .fallback = "64k", .min = 4096, .max = 1e9,
     .help = "bytes of a slot"},
    {"timeout", 't', SL_OPTION_DURATION, 0, AT(timeout_ns), .value = "TIME", .fallback = "1.5s",
     .min = 0, .max = 10e9, .help = "how long to wait"},
};
static const struct sl_option own[] = {
    {"frame-id", 0, SL_OPTION_TEXT, 0, AT(frame_id), .fallback = "lidar",
     .help = "name of the frame"},
    {"colour", 'c', SL_OPTION_CHOICE, 0, AT(colour), .fallback = "intensity", .choices = colours,
     .help = "what a colour means"},
    {"topic", 0, SL_OPTION_LIST, 0, AT(topics), .fallback = "/all", .help = "what to show"},
    {"file", 0, SL_OPTION_TEXT, SL_OPTION_POSITIONAL | SL_OPTION_REQUIRED, AT(file),
     .help = "the capture"},
    {"rest", 0, SL_OPTION_LIST, SL_OPTION_POSITIONAL, AT(rest), .value = "MORE",
     .help = "more of them"},
    {"secret", 0, SL_OPTION_INT, SL_OPTION_HIDDEN, AT(secret), .help = "not for people"},
};

static struct values v;
static const struct sl_command command = {
    .name = "sluice play",
    .summary = "plays a capture",
    .details = "Plays it.\n\n.hidden would be a request, and so would\n'this.\nA back\\slash.",
    .example = "sluice play --loop drive.pcap",
    .tables = {{"Common", common, sizeof common / sizeof *common, &v},
               {NULL, own, sizeof own / sizeof *own, &v}},
};

#define ARGS_MAX 80
static int parse(const char *first, ...)
{
    char *argv[ARGS_MAX + 1] = {(char *)"play"};
    int argc = 1;
    va_list args;
    va_start(args, first);
    for (const char *arg = first; arg; arg = va_arg(args, const char *)) {
        assert_true(argc < ARGS_MAX);
        argv[argc++] = (char *)arg;
    }
    va_end(args);
    sl_error_clear();
    return sl_options_parse(&command, argc, argv);
}

static void assert_error(int got, int err, const char *words)
{
    if (got != err || !strstr(sl_error_text(), words))
        fail_msg("%d instead of %d; '%s' instead of '%s'", got, err, sl_error_text(), words);
}

static void defaults_come_from_the_table(void **state)
{
    (void)state;
    assert_int_equal(parse("a.pcap", NULL), 0);
    assert_false(v.loop);
    assert_true(v.quiet);
    assert_int_equal(v.port, 2368);
    assert_true(v.cut_angle == -90);
    assert_int_equal(v.slot_size, 65536);
    assert_int_equal(v.timeout_ns, 1500000000);
    assert_string_equal(v.frame_id, "lidar");
    assert_int_equal(v.colour, 1);
    assert_int_equal(v.topics.count, 1);
    assert_string_equal(v.topics.text[0], "/all");
    assert_string_equal(v.file, "a.pcap");
    assert_int_equal(v.rest.count, 0);
    assert_true(sl_options_given(&command, "file"));
    assert_false(sl_options_given(&command, "port"));
}

static void every_kind_is_read(void **state)
{
    (void)state;
    assert_int_equal(parse("-l", "--no-quiet", "--port=7", "--cut-angle", "12.5", "--slot-size",
                           "1M", "-t", "250us", "--frame-id", "base", "-c", "height", "x", NULL),
                     0);
    assert_true(v.loop);
    assert_false(v.quiet);
    assert_int_equal(v.port, 7);
    assert_true(v.cut_angle == 12.5);
    assert_int_equal(v.slot_size, 1 << 20);
    assert_int_equal(v.timeout_ns, 250000);
    assert_string_equal(v.frame_id, "base");
    assert_int_equal(v.colour, 0);
    assert_true(sl_options_given(&command, "quiet"));
}

static void flags_take_a_truth_after_equals(void **state)
{
    (void)state;
    assert_int_equal(parse("--loop=yes", "--quiet=false", "x", NULL), 0);
    assert_true(v.loop);
    assert_false(v.quiet);
    assert_error(parse("--loop=maybe", "x", NULL), -EINVAL, "--loop: 'maybe' is not true or false");
    assert_error(parse("--no-port", "x", NULL), -ENOENT, "no option --no-port");
}

static void negative_numbers_are_values(void **state)
{
    (void)state;
    assert_int_equal(parse("--cut-angle", "-45", "x", NULL), 0);
    assert_true(v.cut_angle == -45);
    assert_int_equal(parse("--cut-angle", "-.5", "x", NULL), 0);
    assert_true(v.cut_angle == -.5);
    assert_int_equal(parse("-5", NULL), 0); /* and a positional */
    assert_string_equal(v.file, "-5");
    assert_int_equal(parse("-", NULL), 0);
    assert_string_equal(v.file, "-");
}

static void underscores_are_dashes(void **state)
{
    (void)state;
    assert_int_equal(parse("--cut_angle", "5", "x", NULL), 0);
    assert_true(v.cut_angle == 5);
    assert_int_equal(sl_options_set(&command, "slot_size", "8k"), 0);
    assert_int_equal(v.slot_size, 8192);
    assert_true(sl_options_given(&command, "slot_size"));
}

static void values_out_of_range_name_the_range(void **state)
{
    (void)state;
    assert_error(parse("--port", "0", "x", NULL), -EINVAL,
                 "option --port: 0 is out of range; give 1 to 65535");
    assert_error(parse("--port", "65536", "x", NULL), -EINVAL, "65536 is out of range");
    assert_int_equal(parse("--port", "65535", "x", NULL), 0);
    assert_error(parse("--cut-angle", "180.01", "x", NULL), -EINVAL, "give -180 to 180");
    assert_error(parse("--slot-size", "1k", "x", NULL), -EINVAL, "1k is out of range");
    assert_error(parse("--timeout", "11s", "x", NULL), -EINVAL, "give 0 to 10 seconds");
    assert_error(parse("--timeout", "-1ms", "x", NULL), -EINVAL, "give 0 to 10 seconds");
    assert_int_equal(v.timeout_ns, 1500000000); /* untouched */
}

static void wrong_values_say_what_is_right(void **state)
{
    (void)state;
    assert_error(parse("--port", "many", "x", NULL), -EINVAL,
                 "option --port: 'many' is not a whole number");
    assert_error(parse("--cut-angle", "nan", "x", NULL), -EINVAL, "'nan' is not a number");
    assert_error(parse("--slot-size", "1Q", "x", NULL), -EINVAL, "such as 4096, 64k or 32M");
    assert_error(parse("--timeout", "10m", "x", NULL), -EINVAL, "such as 250us");
    assert_error(parse("--colour", "Height", "x", NULL), -EINVAL,
                 "option --colour: 'Height' is none of: height, intensity; did you mean height?");
    assert_error(parse("x", "--port", NULL), -EINVAL, "option --port needs a whole number");
}

static void unknown_options_suggest_a_near_one(void **state)
{
    (void)state;
    assert_error(parse("--cut-angel", "1", "x", NULL), -ENOENT,
                 "no option --cut-angel; did you mean --cut-angle?");
    assert_error(parse("--slot_sise=4k", "x", NULL), -ENOENT, "did you mean --slot-size?");
    assert_error(parse("--tmeout=1", "x", NULL), -ENOENT, "did you mean --timeout?");
    assert_error(parse("--time=1", "x", NULL), -ENOENT, "did you mean --timeout?");
    assert_error(parse("--port-of-call=1", "x", NULL), -ENOENT, "no option --port-of-call");
    assert_null(strstr(sl_error_text(), "did you mean"));
    assert_error(parse("--zebra", "x", NULL), -ENOENT, "no option --zebra");
    assert_null(strstr(sl_error_text(), "did you mean"));
    assert_error(parse("--secre", "x", NULL), -ENOENT, "no option --secre");
    assert_null(strstr(sl_error_text(), "secret")); /* hidden ones stay hidden */
    assert_error(parse("-z", "x", NULL), -ENOENT, "no option -z; see sluice play --help");
    assert_error(sl_options_set(&command, "prt", "1"), -ENOENT, "no option --prt");
}

static void positionals_go_in_order_and_the_last_takes_the_rest(void **state)
{
    (void)state;
    assert_int_equal(parse("a", "-l", "b", "c", "--", "--port", "-x", NULL), 0);
    assert_string_equal(v.file, "a");
    assert_int_equal(v.rest.count, 4);
    assert_string_equal(v.rest.text[0], "b");
    assert_string_equal(v.rest.text[2], "--port");
    assert_string_equal(v.rest.text[3], "-x");
    assert_int_equal(v.port, 2368);
}

static void one_argument_too_many_is_told(void **state)
{
    (void)state;
    static const char *file;
    static const struct sl_option one = {"file", 0,          SL_OPTION_TEXT, SL_OPTION_POSITIONAL,
                                         0,      .help = "f"};
    const struct sl_command small = {
        .name = "small", .summary = "s", .tables = {{NULL, &one, 1, &file}}};
    char *argv[] = {(char *)"small", (char *)"a", (char *)"b"};
    assert_error(sl_options_parse(&small, 3, argv), -EINVAL,
                 "'b' is one argument too many; see small --help");
}

static void what_is_required_must_be_given(void **state)
{
    (void)state;
    assert_error(parse("--loop", NULL), -EINVAL, "TEXT is missing; see sluice play --help");
    assert_int_equal(parse("--file=x", NULL), 0); /* by name, as a launch file does */
    assert_string_equal(v.file, "x");
}

static void lists_grow_and_replace_their_default(void **state)
{
    (void)state;
    assert_int_equal(parse("--topic", "/a", "--topic=/b", "x", NULL), 0);
    assert_int_equal(v.topics.count, 2);
    assert_string_equal(v.topics.text[0], "/a");
    assert_string_equal(v.topics.text[1], "/b");

    sl_options_default(&command);
    for (int i = 0; i < SL_OPTION_LIST_MAX; i++)
        assert_int_equal(sl_options_set(&command, "topic", "t"), 0);
    assert_error(sl_options_set(&command, "topic", "t"), -EINVAL, "--topic: more than 64 values");
}

static void a_second_parse_begins_anew(void **state)
{
    (void)state;
    assert_int_equal(parse("--port", "9", "--topic", "/a", "x", "y", NULL), 0);
    assert_int_equal(parse("x", NULL), 0);
    assert_int_equal(v.port, 2368);
    assert_string_equal(v.topics.text[0], "/all");
    assert_int_equal(v.rest.count, 0);
    assert_false(sl_options_given(&command, "port"));
}

static char *printed(void (*print)(const struct sl_command *, FILE *))
{
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    assert_non_null(memory);
    print(&command, memory);
    fclose(memory);
    return text;
}

static void help_shows_each_option(void **state)
{
    (void)state;
    char *help = printed(sl_command_help);
    static const char *const words[] = {
        "sluice play - plays a capture",
        "Usage: sluice play [OPTIONS] TEXT [MORE ...]",
        "Common:",
        "-l, --loop ",
        "--quiet ",
        "say nothing (default true)",
        "-p, --port N ",
        "--cut-angle DEGREES ",
        "(default -90)",
        "--slot-size BYTES ",
        "-t, --timeout TIME ",
        "Options:",
        "--frame-id TEXT ",
        "-c, --colour CHOICE ",
        "what a colour means: height|intensity (default intensity)",
        "  MORE ",
        "Example:\n  sluice play --loop drive.pcap",
    };
    for (unsigned i = 0; i < sizeof words / sizeof *words; i++)
        if (!strstr(help, words[i]))
            fail_msg("'%s' is not in:\n%s", words[i], help);
    assert_null(strstr(help, "secret"));
    free(help);
}

static void completion_lists_each_option_with_its_choices(void **state)
{
    (void)state;
    char *lines = printed(sl_command_options);
    assert_non_null(strstr(lines, "--port\t\tUDP port\n"));
    assert_non_null(strstr(lines, "--colour\theight|intensity\twhat a colour means\n"));
    assert_null(strstr(lines, "secret"));
    assert_null(strstr(lines, "--file"));
    free(lines);
}

static void man_page_is_sound(void **state)
{
    (void)state;
    char *man = printed(sl_command_man);
    assert_non_null(strstr(man, ".SH NAME\nsluice\\-play \\- plays a capture\n"));
    assert_non_null(strstr(man, "\n.PP\n\\&.hidden would be a request"));
    assert_non_null(strstr(man, "\n\\&'this.\nA back\\eslash."));
    assert_non_null(strstr(man, ".TP\n\\-l, \\-\\-loop\nbegin again at the end\n"));
    assert_null(strstr(man, "secret"));
    assert_null(strstr(man, "\n\n")); /* an empty line is a fault in man(7) */

    FILE *lint = popen("command -v mandoc >/dev/null || exit 0; mandoc -T lint -W error", "w");
    assert_non_null(lint);
    fputs(man, lint);
    assert_int_equal(pclose(lint), 0);
    free(man);
}

static void help_is_an_answer_and_not_an_error(void **state)
{
    (void)state;
    fflush(stdout);
    int kept = dup(STDOUT_FILENO);
    assert_non_null(freopen("/dev/null", "w", stdout));
    int results[] = {parse("--help", NULL), parse("--loop", "-h", NULL), parse("--help-man", NULL),
                     parse("--help-options", NULL)};
    fflush(stdout);
    dup2(kept, STDOUT_FILENO);
    close(kept);
    for (int i = 0; i < 4; i++)
        assert_int_equal(results[i], 1);
    assert_int_equal(parse("--", "--help", NULL), 0);
    assert_string_equal(v.file, "--help");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_come_from_the_table),
        cmocka_unit_test(every_kind_is_read),
        cmocka_unit_test(flags_take_a_truth_after_equals),
        cmocka_unit_test(negative_numbers_are_values),
        cmocka_unit_test(underscores_are_dashes),
        cmocka_unit_test(values_out_of_range_name_the_range),
        cmocka_unit_test(wrong_values_say_what_is_right),
        cmocka_unit_test(unknown_options_suggest_a_near_one),
        cmocka_unit_test(positionals_go_in_order_and_the_last_takes_the_rest),
        cmocka_unit_test(one_argument_too_many_is_told),
        cmocka_unit_test(what_is_required_must_be_given),
        cmocka_unit_test(lists_grow_and_replace_their_default),
        cmocka_unit_test(a_second_parse_begins_anew),
        cmocka_unit_test(help_shows_each_option),
        cmocka_unit_test(completion_lists_each_option_with_its_choices),
        cmocka_unit_test(man_page_is_sound),
        cmocka_unit_test(help_is_an_answer_and_not_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
