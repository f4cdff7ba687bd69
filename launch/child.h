/* SPDX-License-Identifier: Apache-2.0 */
/* child.h - one process of the launcher: its start, its pipes, its end.
 *
 * A child leads a process group of its own, so that what it starts ends with it, and dies with the
 * launcher (PR_SET_PDEATHSIG). What it writes is read line by line and given prefixed to the
 * output.
 *
 * Life:    sl_child_init -> (sl_child_start -> ... -> sl_child_reap)* -> sl_child_finish
 * Owner:   the child has its descriptors; -1 where there is none.
 * Threads: one.
 * Errors:  -errno with a sentence.
 */
#ifndef SL_LAUNCH_CHILD_H
#define SL_LAUNCH_CHILD_H

#include "launch/output.h"
#include "launch/plan.h"

#include <sys/types.h>

#define SL_CHILD_LAST_LINES 3 /* kept, to be shown when it fails early */

/* A stream of lines, cut where they are too long. */
struct sl_child_stream {
    int fd;
    size_t used;
    char bytes[SL_OUTPUT_LINE_MAX];
};

struct sl_child {
    const struct sl_plan_node *node;
    char **argv;
    pid_t pid;                            /* 0 = none runs */
    int pid_fd;                           /* readable when it has ended */
    int ready_fd;                         /* readable when it is ready */
    struct sl_child_stream output, error; /* both end at the launcher */
    char last[SL_CHILD_LAST_LINES][SL_OUTPUT_LINE_MAX];
    unsigned last_count;    /* lines written in all; the last ones are kept */
    const char *ready_word; /* a line by which it says that it is ready, or NULL */
    bool has_said_it;
};

void sl_child_init(struct sl_child *child, const struct sl_plan_node *node, char **argv);
int sl_child_start(struct sl_child *child, const char *domain);

/* Read what is there. Returns false at the stream's end. */
bool sl_child_drain(struct sl_child *child, struct sl_child_stream *stream);

/* 1: it is ready; 0: not yet; -EPIPE: it closed its word without it. Call when ready_fd is
 * readable. */
int sl_child_ready(struct sl_child *child);

void sl_child_signal(const struct sl_child *child, int signal, bool with_group);

/* It has ended: kill what is left of its group, read the last of its output, and return the status
 * as waitpid gives it. */
int sl_child_reap(struct sl_child *child);

void sl_child_finish(struct sl_child *child);

#endif
