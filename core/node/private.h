/* SPDX-License-Identifier: Apache-2.0 */
/* private.h - the runtime's inside, shared by the files of core/node.
 *
 *   runtime.c    options, names, publishers and subscribers, the life of a program
 *   loop.c       waiting: epoll, timer, signals
 *   report.c     readiness, refusals and the statistics line
 *   plan.c       --plan: what would be opened, and what memory that takes
 *
 * Threads: the main thread's.
 */
#ifndef SL_NODE_PRIVATE_H
#define SL_NODE_PRIVATE_H

#include "core/node/runtime.h"
#include "core/shm/handshake.h"

#include <stdint.h>
#include <stdio.h>

/* The options that every program has. */
struct common_options {
    const char *name;
    const char *domain;
    struct sl_option_list remap;
    int bus;       /* index of sl_bus_names; counts if it was given */
    int log_level; /* enum sl_log_level */
    const char *cpus;
    const char *sched;
    int64_t nice; /* counts if it was given */
    bool mlock, huge_pages;
    const char *memory, *memory_fallback;
    int64_t slots;      /* 0 = as the program says */
    uint64_t slot_size; /* the same */
    int64_t spin_ns;
    int64_t wake_batch, wake_after_ns;
    bool relay;
    const char *readers;
    int64_t stats_period_ns;
    bool check_options, plan;
};

/* One publisher or subscriber, with what the last statistics line saw of it. */
struct end {
    char topic[SL_TOPIC_MAX];
    struct sl_publisher *publisher;
    struct sl_subscriber *subscriber;
    uint64_t seen_messages, seen_bytes, seen_lost;
    char refusal_told[SL_WELCOME_TEXT];
};

/* Counters of the program's own, and what the last statistics line saw of the first. */
struct sheet {
    struct sl_counters *counters;
    uint64_t seen;
};

struct sl_runtime {
    const struct sl_program *program;
    const struct sl_command *command;
    struct common_options common;
    char name[SL_NODE_MAX];

    struct end publisher[SL_RUNTIME_ENDS_MAX];
    struct end subscriber[SL_RUNTIME_ENDS_MAX];
    unsigned publisher_count, subscriber_count;
    struct sheet sheet[SL_RUNTIME_SHEETS_MAX];
    unsigned sheet_count;
    FILE *plan;        /* where --plan collects its answer; NULL = topics are opened */
    bool has_expected; /* in that answer */

    int epoll_fd, timer_fd, signal_fd;
    uint64_t wake_at_ns;      /* 0 = no */
    uint64_t armed_ns;        /* what the timer stands at */
    uint64_t signals_seen_ns; /* when they were looked for */
    bool stopping;
    bool has_failed;  /* exit status 1 */
    bool is_launched; /* by the launcher, rather than by hand */

    int ready_fd; /* to the launcher; -1 = told, or nobody asks */
    bool is_ready;
    uint64_t next_stats_ns, last_stats_ns;
};

/* loop.c */
int sl_loop_open(struct sl_runtime *runtime);
void sl_loop_close(struct sl_runtime *runtime);
/* Until stop, signal, -ECANCELED (0) or another error (that). */
int sl_loop_run(struct sl_runtime *runtime, void *state);

/* plan.c: the lines of the answer; with defaults filled in and checked as opening does. */
int sl_plan_publisher(struct sl_runtime *runtime, const struct sl_publisher_options *options);
int sl_plan_subscriber(struct sl_runtime *runtime, const struct sl_subscriber_options *options);
/* The whole answer, to standard output; nothing of it if something is wrong. */
int sl_plan_answer(struct sl_runtime *runtime, void *state);

/* report.c */
void sl_ready_open(struct sl_runtime *runtime);
/* Tells the launcher once it is so. Returns true as long as it is not: look again soon. */
bool sl_ready_pending(struct sl_runtime *runtime);
void sl_ready_close(struct sl_runtime *runtime);
/* Publishers that came later and were refused: what opening would have returned. */
void sl_report_refusals(struct sl_runtime *runtime);
void sl_report_if_due(struct sl_runtime *runtime, uint64_t now_ns);

#endif
