/* SPDX-License-Identifier: Apache-2.0 */
/* test_output.c - both outputs of the launcher go to one reader, who is slow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "launch/output.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINES  20000
#define BESIDE 50
#define ROOM   (4 << 20)

static int kept[2]; /* the outputs as they were */

static int begin_outputs(void)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    fflush(stdout);
    for (int i = 0; i < 2; i++) {
        kept[i] = fcntl(STDOUT_FILENO + i, F_DUPFD_CLOEXEC, 10);
        dup2(ends[1], STDOUT_FILENO + i);
    }
    close(ends[1]);
    return ends[0];
}

static void end_outputs(void)
{
    for (int i = 0; i < 2; i++) {
        dup2(kept[i], STDOUT_FILENO + i);
        close(kept[i]);
    }
}

struct reader {
    int fd;
    size_t used;
    char said[ROOM];
};

static size_t read_some(struct reader *r)
{
    assert_true(ROOM - r->used > PIPE_BUF);
    ssize_t n = read(r->fd, r->said + r->used, PIPE_BUF);
    r->used += n > 0 ? (size_t)n : 0;
    return n > 0 ? (size_t)n : 0;
}

/* The reader takes a little at a time, into which the other output's next line fits. */
static void write_all(struct reader *r)
{
    char line[32];
    sl_output_open(4, false, SL_LOG_INFO);
    for (unsigned i = 0; i < LINES; i++)
        sl_output_line("node", false, line, (size_t)snprintf(line, sizeof line, "line %u", i));
    for (unsigned i = 0; i < BESIDE; i++) {
        read_some(r);
        sl_output_line("node", true, "beside", 6);
        sl_output_settle();
    }
    while (!sl_output_settle())
        read_some(r);
    sl_output_close();
}

static void outputs_do_not_tear_each_others_lines(void **state)
{
    (void)state;
    struct reader *r = calloc(1, sizeof *r);
    unsigned lines = 0, beside = 0, number;
    assert_non_null(r);
    r->fd = begin_outputs();
    write_all(r);
    end_outputs();
    while (read_some(r) > 0)
        ;
    for (char *rest = NULL, *line = strtok_r(r->said, "\n", &rest); line;
         line = strtok_r(NULL, "\n", &rest)) {
        if (strcmp(line, "node | beside") == 0)
            beside++;
        else if (sscanf(line, "node | line %u", &number) != 1 || number != lines++)
            fail_msg("a torn line: %.60s", line);
    }
    assert_int_equal(lines, LINES);
    assert_int_equal(beside, BESIDE);
    close(r->fd);
    free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outputs_do_not_tear_each_others_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
