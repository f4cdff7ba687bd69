/* SPDX-License-Identifier: Apache-2.0 */
/* test_launch.c - the launcher with real processes: order, ends, restarts, signals, what is left.
 */
#include "core/base/clock.h"
#include "tests/emulated.h"
#include "tests/launch/fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Longer than three programs need to start. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || SLUICE_EMULATED
#define LONG_ENOUGH "10"
#else
#define LONG_ENOUGH "1"
#endif

/* Order -----------------------------------------------------------------------------------------*/

static void nodes_start_when_those_before_are_ready(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(launch(f,
                            "nodes:\n"
                            "  third: {exec: child, params: {say: three}, after: second}\n"
                            "  second: {exec: child, params: {say: two}, after: [first]}\n"
                            "  first: {exec: child, params: {say: one}}\n",
                            ARGS("--duration=" LONG_ENOUGH "s")),
                     0);
    assert_order(f, "first is ready", "second is ready");
    assert_order(f, "second is ready", "third is ready");
    assert_said(f, "first  | one\n");
    assert_order(f, "third is ready", LONG_ENOUGH " s have passed: stopping all");
    assert_no_sockets();
}

static void readiness_waits_for_the_first_possible_loan(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(launch(f,
                            "nodes:\n"
                            "  cam: {exec: child, params: {mode: publish, count: 60, "
                            "period: 20ms}, required: true}\n"
                            "  eye: {exec: child, params: {mode: subscribe}, "
                            "remap: {data: /cam/data}}\n",
                            NULL),
                     0);
    assert_said(f, "cam is ready");
    assert_said(f, "cam is required: stopping all");
    assert_said(f, "summary: ");
    assert_said(f, "frames 60, losses 0");
    assert_said(f, "  /cam/data: 60 frames, 3.9 MB; taken ");
    assert_no_sockets();
}

static void the_end_of_all_is_the_end(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(launch(f,
                            "nodes:\n"
                            "  a: {exec: child, params: {mode: end}}\n"
                            "  b: {exec: child, params: {mode: end}, after: a}\n",
                            NULL),
                     0);
    assert_said(f, "a has ended");
    assert_said(f, "b has ended");
}

static void arguments_and_lists_reach_the_program(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(
        launch(f,
               "args: {what: nothing}\n"
               "nodes:\n"
               "  a: {exec: child, params: {mode: end, say: $(what), item: [x, $(what)]}}\n",
               ARGS("what=good day", "--set", "a.mode=end")),
        0);
    assert_said(f, "a | good day\n");
    assert_said(f, "a | item 0: x\na | item 1: good day\n");
}

static void any_program_runs_with_args(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(launch(f,
                            "directories: [$(dirname)/made]\n"
                            "nodes:\n"
                            "  sh: {exec: sh, args: [-c, 'echo $$A $$SLUICE_DOMAIN; cat; "
                            "test -e /proc/self/fd/50 || echo clean; "
                            "test -d \"$$0\" && echo made', $(dirname)/made], env: {A: b c}}\n",
                            ARGS("--domain=other")),
                     0);
    assert_said(f, "sh is started");
    assert_said(f, "sh | b c other\n");
    assert_said(f, "sh | made\n");
    assert_said(f, "sh | clean\n");
}

static void nice_and_scheduling_are_any_program_s_too(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(launch(f,
                            "nodes:\n"
                            "  sh: {exec: sh, args: [-c, 'echo it has $$(nice)'], sched: batch, "
                            "nice: 19}\n",
                            NULL),
                     0);
    assert_said(f, "sh | it has 19\n");
}

/* Failures --------------------------------------------------------------------------------------*/

static void a_failure_before_ready_is_told_with_last_words(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(launch(f,
                            "nodes:\n"
                            "  bad: {exec: child, params: {mode: fail}}\n"
                            "  other: {exec: child, after: bad}\n",
                            NULL),
                     1);
    assert_said(f, "bad ended with status 1 before it was ready; it is not started again "
                   "(restart: never)");
    assert_said(f, "bad's last words: about to fail\n");
    assert_said(f, "bad's last words: error: no device /dev/lidar0; plug it in\n");
    assert_said(f, "other is not started, because bad failed");
    assert_no_sockets();
}

static void a_required_node_that_fails_ends_the_launch(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(launch(f,
                            "nodes:\n"
                            "  a: {exec: child}\n"
                            "  b: {exec: child, params: {mode: error}, after: a, required: true}\n",
                            NULL),
                     1);
    assert_said(f, "b | error: the sensor sends nothing any more\n");
    assert_said(f, "b ended with status 1; it is not started again (restart: never)");
    assert_said(f, "b is required: stopping all");
}

static void a_required_node_that_never_starts_ends_the_launch(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(launch(f,
                            "nodes:\n"
                            "  a: {exec: child}\n"
                            "  b: {exec: child, params: {mode: fail}}\n"
                            "  c: {exec: child, after: [a, b], required: true}\n",
                            NULL),
                     1);
    assert_said(f, "c is not started, because b failed");
    assert_said(f, "c is required: stopping all");
}

static void a_crash_is_told_by_its_signal(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(launch(f, "nodes: {a: {exec: child, params: {mode: crash}}}\n", NULL), 1);
    assert_said(f, "a was ended by signal 6 (Aborted)");
    assert_no_sockets();
}

static void restarts_come_with_growing_delays_and_end(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(launch(f,
                            "nodes:\n"
                            "  a: {exec: child, params: {mode: error}, restart: {delay: 400ms, "
                            "max_delay: 1200ms, max: 4}}\n", /* who stands for 1.2 s begins anew */
                            NULL),
                     1);
    assert_order(f, "started again in 400 ms (1 of 4)", "started again in 800 ms (2 of 4)");
    assert_order(f, "started again in 800 ms (2 of 4)", "started again in 1.2 s (3 of 4)");
    assert_order(f, "started again in 1.2 s (3 of 4)", "started again in 1.2 s (4 of 4)");
    assert_said(f, "it is not started again (it was restarted often enough)");
    assert_int_equal(count_said(f, "a is ready"), 5);
}

static void always_restarts_what_ended_well(void **state)
{
    struct fixture *f = *state;
    start(f,
          "nodes: {a: {exec: child, params: {mode: end}, restart: {policy: always, delay: 1ms, "
          "max: 0}}}\n",
          NULL);
    wait_for(f, "(3)\n");
    kill(f->pid, SIGTERM);
    assert_int_equal(finish(f), 0);
    assert_said(f, "a ended with status 0; it is started again in 1 ms (1)");
}

static void a_node_that_is_not_ready_in_time_is_stopped(void **state)
{
    struct fixture *f = *state;
    /* time enough to get as far as to ask for SIGTERM, emulated or on a busy machine */
    assert_int_equal(
        launch(f, "nodes: {a: {exec: child, params: {mode: late}, ready_timeout: 5s}}\n", NULL), 1);
    assert_said(f, "a is not ready after 5 s; it is stopped");
    assert_said(f, "a ended with status 0 before it was ready; it is not started again");
    assert_said(f, "a wrote nothing");
}

/* Signals ---------------------------------------------------------------------------------------*/

static void a_signal_stops_all_in_reverse_order(void **state)
{
    struct fixture *f = *state;
    const int signals[] = {SIGINT, SIGTERM};
    for (int i = 0; i < 2; i++) {
        memset(f->output, 0, f->used);
        f->used = 0;
        start(f,
              "nodes:\n"
              "  a: {exec: sh, args: [-c, 'trap \"echo a ends; exit 0\" TERM; echo up; "
              "sleep 1000 & wait']}\n"
              "  b: {exec: sh, args: [-c, 'trap \"sleep 0.3; echo b ends; exit 0\" TERM; echo up; "
              "sleep 1000 & wait'], after: a}\n",
              NULL);
        wait_for(f, "a | up\n");
        wait_for(f, "b | up\n");
        kill(f->pid, signals[i]);
        assert_int_equal(finish(f), 0);
        assert_said(f, i == 0 ? "Interrupt: stopping all" : "Terminated: stopping all");
        assert_order(f, "b | b ends\n", "a | a ends\n");
        close(f->fd);
        f->fd = -1;
    }
}

static void what_ignores_sigterm_is_killed_after_the_grace(void **state)
{
    struct fixture *f = *state;
    start(f, "nodes: {a: {exec: child, params: {mode: stubborn, pids: $(env PIDS)}}}\n",
          ARGS("--grace=200ms"));
    wait_for(f, "a is ready");
    kill(f->pid, SIGTERM);
    assert_int_equal(finish(f), 0);
    assert_said(f, "a does not end within 200 ms; it is killed");
    assert_no_processes(f, 1);
    assert_no_sockets();
}

static void a_node_may_have_a_grace_of_its_own(void **state)
{
    struct fixture *f = *state;
    start(f,
          "nodes: {a: {exec: child, params: {mode: stubborn, pids: $(env PIDS)}, grace: 200ms}}\n",
          ARGS("--grace=1h"));
    wait_for(f, "a is ready");
    kill(f->pid, SIGTERM);
    assert_int_equal(finish(f), 0);
    assert_said(f, "a does not end within 200 ms; it is killed");
    assert_no_processes(f, 1);
}

static void a_second_signal_kills_at_once(void **state)
{
    struct fixture *f = *state;
    start(f, "nodes: {a: {exec: child, params: {mode: stubborn, pids: $(env PIDS)}}}\n",
          ARGS("--grace=1h"));
    wait_for(f, "a is ready");
    kill(f->pid, SIGINT);
    wait_for(f, "stopping all");
    kill(f->pid, SIGINT);
    assert_int_equal(finish(f), 0);
    assert_said(f, "Interrupt again: killing all");
    assert_no_processes(f, 1);
}

static void grandchildren_end_too(void **state)
{
    SKIP_EMULATED("PR_SET_CHILD_SUBREAPER");
    struct fixture *f = *state;
    start(f, "nodes: {a: {exec: child, params: {mode: grandchild, pids: $(env PIDS)}}}\n", NULL);
    wait_for(f, "a is ready");
    kill(f->pid, SIGTERM);
    assert_int_equal(finish(f), 0);
    assert_no_processes(f, 3);
}

static void what_a_node_started_ends_before_it_is_restarted(void **state)
{
    struct fixture *f = *state;
    start(f,
          "nodes:\n"
          "  stays: {exec: child}\n"
          "  a:\n"
          "    exec: sh\n"
          "    args: [-c, 'sleep 1000 & echo $! >> $(env PIDS); exit 1']\n"
          "    restart: {delay: 1ms, max: 2}\n",
          NULL);
    wait_for(f, "it was restarted often enough");
    assert_no_processes(f, 3);
    kill(f->pid, SIGTERM);
    assert_int_equal(finish(f), 1);
}

static void a_killed_node_leaves_no_socket(void **state)
{
    struct fixture *f = *state;
    start(f, "nodes: {a: {exec: child, params: {mode: publish, pids: $(env PIDS)}}}\n", NULL);
    wait_for(f, "a is ready");
    FILE *file = fopen(f->pids, "r");
    int pid = 0;
    assert_int_equal(fscanf(file, "%d", &pid), 1);
    fclose(file);
    kill(pid, SIGKILL);
    assert_int_equal(finish(f), 1);
    assert_said(f, "a was ended by signal 9 (Killed)");
    assert_no_sockets();
}

static void a_killed_launcher_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    start(f,
          "nodes:\n"
          "  a: {exec: child, params: {mode: publish, pids: $(env PIDS)}}\n"
          "  b: {exec: child, params: {mode: subscribe, pids: $(env PIDS)}, after: a, "
          "remap: {data: /a/data}}\n"
          "  c: {exec: sh, args: [-c, 'echo $$$$ >> $(env PIDS); exec sleep 1000'], after: b}\n",
          NULL);
    wait_for(f, "c is started");
    for (unsigned lines = 0; lines < 3;) {
        lines = 0;
        FILE *file = fopen(f->pids, "r");
        for (int c; (c = fgetc(file)) != EOF;)
            lines += c == '\n';
        fclose(file);
    }
    kill(f->pid, SIGKILL);
    assert_int_equal(finish(f), 256 + SIGKILL);
    assert_no_processes(f, 3);
    assert_no_sockets();
}

/* Output ----------------------------------------------------------------------------------------*/

static void long_and_many_lines_are_cut_and_none_is_lost(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(launch(f, "nodes: {a: {exec: child, params: {mode: lines, count: 20000}}}\n",
                            ARGS("--no-summary")),
                     0);
    assert_int_equal(count_said(f, "xxxxx\na | xxxxx"), 4); /* 5000 in pieces of 1024 */
    assert_int_equal(count_said(f, "a | line "), 20000);
    assert_said(f, "a | to standard error\n");
    assert_said(f, "a | an end without newline\n");
}

static void a_reader_that_stops_does_not_stop_the_nodes(void **state)
{
    struct fixture *f = *state;
    /* more than a pipe and the launcher hold; nobody reads until the node has ended */
    start(f, "nodes: {a: {exec: child, params: {mode: lines, count: 500000, pids: $(env PIDS)}}}\n",
          ARGS("--no-summary"));
    struct stat info;
    while (stat(f->pids, &info) < 0 || info.st_size == 0)
        poll(NULL, 0, 1);
    assert_no_processes(f, 1);
    assert_int_equal(finish(f), 0);
    assert_said(f, "lines were not shown");
}

/* Bad input -------------------------------------------------------------------------------------*/

static void bad(struct fixture *f, const char *text, const char *const *args, const char *message)
{
    memset(f->output, 0, f->used);
    f->used = 0;
    assert_int_equal(launch(f, text, args), 2);
    char wanted[1024];
    snprintf(wanted, sizeof wanted, "%s%s\n", text ? f->file : "", message);
    assert_string_equal(f->output, wanted);
    close(f->fd);
    f->fd = -1;
    assert_no_sockets();
}

static void parameters_are_checked_by_the_program_before_anything_starts(void **state)
{
    struct fixture *f = *state;
    bad(f,
        "nodes:\n"
        "  good: {exec: child, params: {pids: $(env PIDS)}}\n"
        "  a:\n"
        "    exec: child\n"
        "    params:\n"
        "      mode: rnu\n",
        NULL,
        ":6:13: child: mode: 'rnu' is none of: run, end, fail, crash, error, late, stubborn, "
        "grandchild, lines, publish, subscribe; did you mean run?\n"
        "          mode: rnu\n"
        "                ^");
    assert_int_equal(access(f->pids, F_OK), -1);
    bad(f, "nodes: {a: {exec: child, params: {moed: run}}}\n", NULL,
        ":1:35: child: no option --moed; did you mean --mode?\n"
        "    nodes: {a: {exec: child, params: {moed: run}}}\n"
        "                                      ^");
    bad(f, "nodes: {a: {exec: child, params: {count: many}}}\n", NULL,
        ":1:42: child: count: 'many' is not a whole number\n"
        "    nodes: {a: {exec: child, params: {count: many}}}\n"
        "                                             ^");
    bad(f, "nodes: {a: {exec: child, remap: {'a b': c}}}\n", NULL,
        ":1:41: child: remap: 'a b:=c' is not FROM:=TO, two names of topics\n"
        "    nodes: {a: {exec: child, remap: {'a b': c}}}\n"
        "                                            ^");
}

static void an_unknown_program_is_told_with_the_places(void **state)
{
    struct fixture *f = *state;
    char message[600];
    snprintf(message, sizeof message,
             ":1:19: no program 'chidl'; did you mean 'child'? (looked in %s, %s)\n"
             "    nodes: {a: {exec: chidl}}\n"
             "                      ^",
             LIBEXEC, INSTALLED_LIBEXEC);
    bad(f, "nodes: {a: {exec: chidl}}\n", NULL, message);
    snprintf(message, sizeof message,
             ":1:19: there is no program at %s/./none, or it may not be started\n"
             "    nodes: {a: {exec: ./none}}\n"
             "                      ^",
             f->folder);
    bad(f, "nodes: {a: {exec: ./none}}\n", NULL, message);
}

static void a_program_that_is_not_ours_is_told(void **state)
{
    struct fixture *f = *state;
    bad(f, "nodes: {a: {exec: /bin/false}}\n", NULL,
        ":1:19: /bin/false ended with status 1 when asked to check its options; a program that is "
        "not Sluice's takes args: in place of params:\n"
        "    nodes: {a: {exec: /bin/false}}\n"
        "                      ^");
}

static void a_missing_file_is_told(void **state)
{
    struct fixture *f = *state;
    char message[200];
    snprintf(message, sizeof message, "%s: No such file or directory", f->file);
    bad(f, NULL, NULL, message);
}

static void wrong_arguments_are_told(void **state)
{
    struct fixture *f = *state;
    memset(f->output, 0, f->used);
    assert_int_equal(launch(f, "nodes: {a: {exec: child}}\n", ARGS("--durtion=1")), 2);
    assert_said(f, "no option --durtion; did you mean --duration?");
}

static void check_starts_nothing_and_arguments_are_shown(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(launch(f,
                            "args: {a: 5, b: {help: needed}}\n"
                            "nodes: {a: {exec: child, params: {pids: $(env PIDS), say: $(b)}}}\n",
                            ARGS("--check", "b=1")),
                     0);
    assert_said(f, "f.yaml: 1 nodes, all fine\n");
    assert_int_equal(access(f->pids, F_OK), -1);
    close(f->fd);
    assert_int_equal(launch(f, NULL, ARGS("--arguments")), 0);
    assert_said(f, "a=5\nb=(must be given)    needed\n");
}

static void a_domain_without_permission_is_told(void **state)
{
    struct fixture *f = *state;
    char path[160];
    snprintf(path, sizeof path, "%s/root/default", f->folder);
    FILE *file = fopen(path, "w"); /* no directory, whoever we are */
    assert_non_null(file);
    fclose(file);
    assert_int_equal(launch(f, "nodes: {a: {exec: child}}\n", NULL), 1);
    assert_said(f, "sluice: error: ");
    assert_said(f, "/root/default");
}

int main(void)
{
    setenv("SLUICE_LIBEXEC", LIBEXEC, 1);
    unsetenv("SLUICE_DOMAIN");
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(nodes_start_when_those_before_are_ready),
        TEST(readiness_waits_for_the_first_possible_loan),
        TEST(the_end_of_all_is_the_end),
        TEST(arguments_and_lists_reach_the_program),
        TEST(any_program_runs_with_args),
        TEST(nice_and_scheduling_are_any_program_s_too),
        TEST(a_failure_before_ready_is_told_with_last_words),
        TEST(a_required_node_that_fails_ends_the_launch),
        TEST(a_required_node_that_never_starts_ends_the_launch),
        TEST(a_crash_is_told_by_its_signal),
        TEST(restarts_come_with_growing_delays_and_end),
        TEST(always_restarts_what_ended_well),
        TEST(a_node_that_is_not_ready_in_time_is_stopped),
        TEST(a_signal_stops_all_in_reverse_order),
        TEST(what_ignores_sigterm_is_killed_after_the_grace),
        TEST(a_node_may_have_a_grace_of_its_own),
        TEST(a_second_signal_kills_at_once),
        TEST(grandchildren_end_too),
        TEST(what_a_node_started_ends_before_it_is_restarted),
        TEST(a_killed_node_leaves_no_socket),
        TEST(a_killed_launcher_leaves_nothing),
        TEST(long_and_many_lines_are_cut_and_none_is_lost),
        TEST(a_reader_that_stops_does_not_stop_the_nodes),
        TEST(parameters_are_checked_by_the_program_before_anything_starts),
        TEST(an_unknown_program_is_told_with_the_places),
        TEST(a_program_that_is_not_ours_is_told),
        TEST(a_missing_file_is_told),
        TEST(wrong_arguments_are_told),
        TEST(check_starts_nothing_and_arguments_are_shown),
        TEST(a_domain_without_permission_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
