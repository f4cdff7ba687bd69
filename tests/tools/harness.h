/* SPDX-License-Identifier: Apache-2.0 */
/* harness.h - running the real `sluice` and looking at what it says, in a domain of the test's own.
 *
 * Life:    harness_setup and harness_teardown are cmocka's fixtures of each test: a fresh
 * $SLUICE_ROOT, and afterwards nothing may be left running. Threads: one. Errors:  what goes wrong
 * fails the test.
 */
#ifndef SL_TESTS_TOOLS_HARNESS_H
#define SL_TESTS_TOOLS_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

#define ARGUMENTS_MAX 32
#define LIMIT_MS      60000 /* a command that takes longer hangs */

struct run {
    int status; /* exit status, or 256 + the signal */
    char *out, *err;
};

int harness_setup(void **state);
int harness_teardown(void **state);
const char *harness_folder(void);              /* of this test, removed at its end */
const char *harness_path(const char *name);    /* a file in it; valid until the next call */
const char *harness_program(const char *name); /* "sluice", "monitor", ...: its path */

/* Run a program of ours to its end; arguments end with NULL. */
struct run run(const char *program, ...);
struct run run_arguments(char *const *argv);
void run_free(struct run *run);

/* Start one that goes on; it is killed at the test's end if it still runs. */
struct child {
    pid_t pid;
    int out; /* its standard output, or -1 */
};
struct child start(const char *program, ...);
struct child start_arguments(char *const *argv);
/* The line that it prints first; fails the test if it is another. */
void expect_line(struct child *child, const char *line);
/* Send a signal and wait. Returns as run.status. */
int stop(struct child *child, int signal_number);
/* SIGSTOP to a child, which does nothing more when this returns. */
void freeze(pid_t pid);
int wait_for(pid_t pid); /* its end, at most LIMIT_MS */

/* A publisher of one kind ("cloud", "image", "string", "bytes", "gathered"), ready when this
 * returns. */
struct child publisher(const char *kind, const char *topic);

void assert_has(const char *text, const char *part);
void assert_has_not(const char *text, const char *part);

/* JSON, read by the YAML reader, of which it is a part: "topics.0.rate_hz". Fails if it is not
 * there. */
struct sl_yaml;
struct sl_yaml *json_parse(const char *text);
const char *json_text(const struct sl_yaml *json, const char *path);
double json_number(const struct sl_yaml *json, const char *path);

#endif
