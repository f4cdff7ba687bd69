/* SPDX-License-Identifier: Apache-2.0 */
/* budget.h - the memory that a launch file takes, against what is left for it.
 *
 * The figures come from the nodes: each program answers what it would open with its options
 * (core/node/plan.c), so nothing is computed twice. A node that may be restarted counts twice while
 * it is: its frames of before stay as long as somebody holds them.
 *
 * Life:    sl_budget_make -> look -> sl_budget_finish. The plan must have been checked, and outlive
 *          it: names and texts are its.
 * Threads: one.
 * Errors:  -ENOMEM, or -EPROTO for an answer that makes no sense; what does not fit is no error but
 *          a note.
 */
#ifndef SL_LAUNCH_BUDGET_H
#define SL_LAUNCH_BUDGET_H

#include "core/uncached/limits.h"
#include "core/uncached/memory.h"
#include "launch/plan.h"

#define SL_BUDGET_NOTE_MAX    512
#define SL_BUDGET_PATTERN_MAX 512
#define SL_BUDGET_NOTES       64 /* more are counted only */

struct sl_budget_publisher {
    const struct sl_plan_node *node;
    char topic[SL_TOPIC_MAX];
    char type[SL_TYPE_MAX];
    uint64_t slot_size; /* 0: messages in the ring only */
    uint64_t slot_count, loans, retain, subscribers, quota, visitors;
    uint64_t pool_bytes, control_bytes, ring_bytes, ledgers, ledger_bytes, total_bytes;
    bool is_lossless;                /* allows it */
    bool is_huge;                    /* the pool lies in huge pages */
    char memory[SL_MEMORY_NAME_MAX]; /* what the pool is made of, as written; "" = the default */
    uint64_t device_bytes;           /* of the pool, not of the machine's memory; not in total */
};

struct sl_budget_subscriber {
    const struct sl_plan_node *node;
    char topic[SL_TOPIC_MAX];
    char type[SL_TYPE_MAX]; /* "" = any */
    uint64_t quota;
    bool is_lossless, is_visitor;
};

/* Topics that a node reads when it finds them. Those of the file become subscribers. */
struct sl_budget_expected {
    const struct sl_plan_node *node;
    char topic[SL_TOPIC_MAX];                           /* "" = by pattern */
    char pattern[SL_BUDGET_PATTERN_MAX];                /* a regular expression for whole names */
    uint64_t quota, retained_quota, more_than_retained; /* as in core/node/plan.c */
    bool is_lossless;
    bool is_found;
};

struct sl_budget_node {
    const struct sl_plan_node *node;
    bool is_known;          /* false: nobody can tell what it takes */
    bool may_restart;       /* then all of it stands there twice for a while */
    bool is_locked;         /* mlock */
    uint64_t process_bytes; /* counters */
    uint64_t total_bytes;   /* with its publishers */
    uint64_t lock_bytes;    /* is_locked: with what it maps of others, at least */
};

enum sl_budget_limit_kind {
    SL_BUDGET_MACHINE,
    SL_BUDGET_CGROUP,
    SL_BUDGET_FILE,
    SL_BUDGET_LOCK,
    SL_BUDGET_HUGE
};

/* One limit: what is left, and what is wanted of it. */
struct sl_budget_limit {
    enum sl_budget_limit_kind kind;
    char name[SL_MEMORY_LIMIT_TEXT_MAX];
    uint64_t left_bytes; /* UINT64_MAX = no limit */
    uint64_t wanted_bytes;
    bool is_asked; /* false: nothing is wanted of it */
    bool does_fit;
};
#define SL_BUDGET_LIMITS 5

struct sl_budget_note {
    bool is_problem; /* it does not fit; otherwise a warning */
    char text[SL_BUDGET_NOTE_MAX];
};

struct sl_budget {
    struct sl_budget_node node[SL_PLAN_NODES_MAX]; /* as in the plan */
    unsigned node_count, unknown_count;
    struct sl_budget_publisher *publisher;
    unsigned publisher_count;
    struct sl_budget_subscriber *subscriber;
    unsigned subscriber_count;
    struct sl_budget_expected *expected;
    unsigned expected_count;
    uint64_t roudi_bytes;                    /* of iceoryx's daemon, if this launch must start it */
    uint64_t total_bytes;                    /* when all run */
    uint64_t restart_bytes;                  /* when all that may be restarted stand there twice */
    uint64_t huge_bytes, huge_restart_bytes; /* of these, in huge pages */
    uint64_t device_bytes;                   /* beside these: in memory of devices */
    struct sl_budget_limit limit[SL_BUDGET_LIMITS];
    unsigned limit_count;
    struct sl_budget_note note[SL_BUDGET_NOTES];
    unsigned note_count, dropped_notes;
    bool does_fit;
};

/* `limits` NULL: those of this process. */
int sl_budget_make(const struct sl_plan *plan, const struct sl_memory_limits *limits,
                   struct sl_budget *ret_budget);
void sl_budget_finish(struct sl_budget *budget);

#endif
