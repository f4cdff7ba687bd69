/* SPDX-License-Identifier: Apache-2.0 */
/* fixture.h - a launcher of the test with real processes, and what it said.
 *
 * Life:    setup -> (start -> wait_for -> finish | launch)* -> teardown, by cmocka
 * Owner:   a folder in /tmp with the launch file, the domain and what children tell; the launcher.
 * Threads: one.
 * Errors:  fail the test.
 */
#ifndef SL_TESTS_LAUNCH_FIXTURE_H
#define SL_TESTS_LAUNCH_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

#define DEADLINE_NS (60 * SL_NS_PER_S) /* sanitizers on a busy machine */

struct fixture {
    char folder[64];
    char file[96]; /* the launch file */
    char pids[96]; /* where children tell their numbers */
    pid_t pid;
    int fd; /* its output and errors */
    char *output;
    size_t used;
};

int setup(void **state);
int teardown(void **state);
void write_file(const struct fixture *f, const char *name, const char *text);

/* `text` of the launch file, NULL = as it is; `args` after the file, ended by NULL. */
void start(struct fixture *f, const char *text, const char *const *args);
/* Reads on; false at the end of the output. */
bool read_more(struct fixture *f, uint64_t deadline_ns);
void wait_for(struct fixture *f, const char *text);
/* Until it has ended; returns the exit status, 256 + a signal's number. */
int finish(struct fixture *f);
int launch(struct fixture *f, const char *text, const char *const *args);

#define ARGS(...)         \
    (const char *const[]) \
    {                     \
        __VA_ARGS__, NULL \
    }

void assert_said(const struct fixture *f, const char *text);
void assert_order(const struct fixture *f, const char *first, const char *second);
unsigned count_said(const struct fixture *f, const char *text);
void assert_no_sockets(void);
bool is_alive(pid_t pid);
/* Every process that told its number is gone, at the latest soon. */
void assert_no_processes(const struct fixture *f, unsigned wanted);

#endif
