/* SPDX-License-Identifier: Apache-2.0 */
/* test_completion.c - what a shell offers at Tab, in a real bash; help and manual pages of every
 * sub-command. */
#include "tests/tools/harness.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Type `line` in a bash that has sourced the script, press Tab; what it offers, one a line. */
static struct run complete(const char *line)
{
    static const char script[] =
        "set -u; sluice=$1; line=$2; cd \"$3\"\n"
        "source <(\"$sluice\" completion bash)\n"
        "complete -p sluice >/dev/null || exit 3\n"
        "read -ra COMP_WORDS <<<\"${line//=/ = }\"; [[ $line == *' ' ]] && COMP_WORDS+=('')\n"
        "COMP_WORDS[0]=$sluice; COMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n"
        "compopt() { :; }\n" /* it works only while a key is pressed */
        "_sluice; [[ ${#COMPREPLY[@]} -eq 0 ]] || printf '%s\\n' \"${COMPREPLY[@]}\"\n";
    char *argv[] = {"/bin/bash",  "--norc",
                    "-c",         (char *)script,
                    "bash",       (char *)harness_program("sluice"),
                    (char *)line, (char *)harness_folder(),
                    NULL};
    return run_arguments(argv);
}

static void expect(const char *line, const char *words)
{
    struct run r = complete(line);
    assert_string_equal(r.err, "");
    if (strcmp(r.out, words) != 0)
        fail_msg("'%s' offers:\n%sand not:\n%s", line, r.out, words);
    run_free(&r);
}

static void sub_commands_are_offered(void **state)
{
    (void)state;
    expect("sluice to", "topic\ntop\n");
    expect("sluice topic ", "list\ninfo\nhz\nbw\ndelay\necho\npub\n");
    expect("sluice topic e", "echo\n");
    expect("sluice sna", "snapshot\n");
    expect("sluice help topic h", "hz\n");
    expect("sluice nothing ", "");
}

static void options_and_choices_are_offered(void **state)
{
    (void)state;
    expect("sluice topic echo --o", "--once\n");
    expect("sluice snapshot --c", "--color\n");
    expect("sluice snapshot --color ", "auto\nintensity\nheight\nring\nrange\n");
    expect("sluice snapshot --color r", "ring\nrange\n");
    expect("sluice snapshot --color=hei", "height\n");
    expect("sluice snapshot -c he", "height\n");
    expect("sluice completion z", "zsh\n");
    expect("sluice topic hz --bus ", "native\niceoryx\n");
    expect("sluice topic pub --bus=i", "iceoryx\n");
}

static void topics_types_and_files_are_offered(void **state)
{
    (void)state;
    publisher("image", "/camera/image");
    publisher("cloud", "/lidar/points");
    expect("sluice topic hz /l", "/lidar/points\n");
    expect("sluice topic echo --once ", "/camera/image\n/lidar/points\n");
    expect("sluice topic hz /lidar/points ", "");
    expect("sluice topic pub /x sensor_msgs/msg/I", "sensor_msgs/msg/Image\nsensor_msgs/msg/Imu\n");
    FILE *file = fopen(harness_path("a picture.png"), "w");
    assert_non_null(file);
    fclose(file);
    expect("sluice snapshot /lidar/points a", "a picture.png\n");
}

static void launch_files_tell_their_arguments(void **state)
{
    (void)state;
    FILE *file = fopen(harness_path("robot.yaml"), "w");
    assert_non_null(file);
    fputs("args:\n  duration: {default: 1s}\n  picture: {default: x.png}\nnodes: {}\n", file);
    fclose(file);
    struct run r = run("sluice", "help", "launch", NULL);
    bool here = r.status == 0;
    run_free(&r);
    if (!here)
        return;
    expect("sluice launch robot.yaml d", "duration=\n");
    expect("sluice plan robot.yaml d", "duration=\n");
    expect("sluice launch ro", "robot.yaml\n");
}

static void zsh_script_is_printed(void **state)
{
    (void)state;
    struct run r = run("sluice", "completion", "zsh", NULL);
    assert_int_equal(r.status, 0);
    assert_has(r.out, "#compdef sluice\n");
    run_free(&r);
}

/* Help ------------------------------------------------------------------------------------------*/

/* The names of all sub-commands, as `sluice help` lists them; returns how many. */
static unsigned tool_names(char names[32][32])
{
    struct run r = run("sluice", "help", NULL);
    assert_int_equal(r.status, 0);
    unsigned count = 0;
    for (char *line = strstr(r.out, "Commands:\n") + 10; line[0] == ' ';
         line = strchr(line, '\n') + 1)
        if (sscanf(line, "  %31[a-z ]", names[count]) == 1) {
            char *end = strstr(names[count], "  ");
            if (end)
                *end = '\0';
            for (size_t n = strlen(names[count]); n > 0 && names[count][n - 1] == ' '; n--)
                names[count][n - 1] = '\0';
            count++;
        }
    run_free(&r);
    assert_true(count >= 11);
    return count;
}

static void every_command_has_help_with_an_example(void **state)
{
    (void)state;
    char names[32][32];
    unsigned count = tool_names(names);
    for (unsigned i = 0; i < count; i++) {
        char *space = strchr(names[i], ' '), first[32];
        snprintf(first, sizeof first, "%.*s", space ? (int)(space - names[i]) : 31, names[i]);
        struct run r = space ? run("sluice", first, space + 1, "--help", NULL)
                             : run("sluice", first, "--help", NULL);
        struct run h = space ? run("sluice", "help", first, space + 1, NULL)
                             : run("sluice", "help", first, NULL);
        assert_int_equal(r.status, 0);
        assert_has(r.out, "Usage: sluice ");
        assert_has(r.out, "Example:\n  ");
        assert_string_equal(r.out, h.out);
        run_free(&r);
        run_free(&h);
    }
}

static void manual_pages_are_good_troff(void **state)
{
    (void)state;
    char names[32][32], line[700];
    struct run r = run("/bin/sh", "-c", "command -v mandoc", NULL);
    bool has_mandoc = r.status == 0;
    run_free(&r);
    if (!has_mandoc) {
        puts("SKIP: mandoc is not installed");
        fflush(stdout);
        skip();
    }
    unsigned count = tool_names(names);
    names[count++][0] = '\0'; /* sluice(1) itself */
    for (unsigned i = 0; i < count; i++) {
        snprintf(line, sizeof line,
                 "'%s' %s --help-man > \"$SLUICE_ROOT.1\" && grep -q '^.SH SYNOPSIS' "
                 "\"$SLUICE_ROOT.1\" && mandoc -Tlint -Werror \"$SLUICE_ROOT.1\"",
                 harness_program("sluice"), names[i]);
        r = run("/bin/sh", "-c", line, NULL);
        if (r.status != 0)
            fail_msg("the page of sluice %s:\n%s%s", names[i], r.out, r.err);
        run_free(&r);
    }
}

static void version_is_told(void **state)
{
    (void)state;
    struct run r = run("sluice", "--version", NULL);
    assert_int_equal(r.status, 0);
    assert_has(r.out, "sluice 0.");
    assert_has(r.out, "protocol 3");
    run_free(&r);
}

static void simulated_sensor_writes_a_capture(void **state)
{
    (void)state;
    struct run r = run("sluice", "sim", "lidar", "--capture", harness_path("sim.pcap"),
                       "--duration", "1s", "--faults", "loss=0.1", NULL);
    assert_int_equal(r.status, 0);
    assert_has(r.out, "data and");
    assert_has(r.out, "left out");
    run_free(&r);
    struct stat facts;
    assert_int_equal(stat(harness_path("sim.pcap"), &facts), 0);
    assert_true(facts.st_size > 600 * 1248 &&
                facts.st_size < 1000 * 1500); /* 754 packets a second */
    r = run("sluice", "sim", "lidar", "--capture", harness_path("back.pcap"), "--duration", "1s",
            "--model", "xt32", "--counterclockwise", NULL);
    assert_int_equal(r.status, 0);
    run_free(&r);
    r = run("sluice", "sim", "lidar", "--capture", harness_path("x.pcap"), "--duration", "1s",
            "--model", "mid-360", "--counterclockwise", NULL);
    assert_int_equal(r.status, 1);
    assert_has(r.err, "no mid-360 turns counterclockwise");
    run_free(&r);
    r = run("sluice", "sim", "lidar", "--capture", harness_path("x.pcap"), NULL);
    assert_int_equal(r.status, 1);
    assert_has(r.err, "--duration");
    run_free(&r);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
    const struct CMUnitTest tests[] = {
        CASE(sub_commands_are_offered),
        CASE(options_and_choices_are_offered),
        CASE(topics_types_and_files_are_offered),
        CASE(launch_files_tell_their_arguments),
        CASE(zsh_script_is_printed),
        CASE(every_command_has_help_with_an_example),
        CASE(manual_pages_are_good_troff),
        CASE(version_is_told),
        CASE(simulated_sensor_writes_a_capture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
