/* SPDX-License-Identifier: Apache-2.0 */
/* census.h - who is in a domain and what moves: the counters of all processes, with rates.
 *
 * Counters are read in place; the processes do not notice. A census is taken as often as wanted;
 * rates are those since the one before. Processes that ended are remembered for a while.
 *
 * Life:    open -> take, take, ... -> close
 * Owner:   the census owns all it shows; it stays until the next take.
 * Threads: one.
 * Errors:  -errno with sl_error_text(). A domain that is not there is empty.
 */
#ifndef SL_TOOLS_CENSUS_H
#define SL_TOOLS_CENSUS_H

#include "core/shm/stats.h"

#define SL_CENSUS_ROWS_MAX   4096
#define SL_CENSUS_TOPICS_MAX 1024
#define SL_CENSUS_SHEETS_MAX 512
#define SL_CENSUS_GONE_MAX   16
#define SL_CENSUS_GONE_NS    UINT64_C(15000000000) /* how long an ended process is shown */

/* One publisher or subscriber. */
struct sl_census_row {
    struct sl_stats_view view; /* view.node stays valid until the next take */
    pid_t pid;
    bool known; /* it was there the last time: the rates tell something */
    double hz, bytes_s;
    double lost_s[SL_LOSS_REASONS];
    double refused_s;                         /* publishers: loans that found no slot */
    uint32_t died, demoted, revoked, expired; /* publishers: since the last time */
};

/* Counters of a program's own. */
struct sl_census_sheet {
    struct sl_stats_sheet_view view; /* view.node stays valid until the next take */
    pid_t pid;
    double hz; /* of the first counter */
};

struct sl_census_topic {
    const char *name, *type; /* type "?" while there is no publisher */
    unsigned publishers, subscribers;
    bool mixed; /* publishers disagree about the type */
    double hz, bytes_s;
    uint64_t messages, bytes, lost,
        skipped; /* lost: without the skipped ones, which were asked for */
    double lost_s;
    uint64_t last_ns; /* CLOCK_MONOTONIC of the last message; 0 = none yet */
    uint32_t held, slots;
    uint64_t latency_p50_ns, latency_p99_ns, latency_max_ns; /* of the slowest subscriber */
};

/* One process. */
struct sl_census_node {
    char name[SL_NODE_MAX];
    pid_t pid;
    uint64_t instance;
    unsigned publishers, subscribers;
    uint32_t held; /* frames that it holds as a subscriber */
    double lost_s;
    uint64_t lost;
    char state; /* as in /proc: R S D T t Z; '?' if it cannot be seen */
    double cpu; /* 1 = one core */
    uint64_t rss_bytes;
    uint64_t cpu_ns; /* since it began */
    bool silent;     /* it is there, but does not show its counters: stopped, or hanging */
};

struct sl_census_gone {
    char name[SL_NODE_MAX];
    pid_t pid;
    uint64_t at_ns;
};

struct sl_census {
    struct sl_stats_watch watch;
    uint64_t taken_ns, before_ns; /* CLOCK_MONOTONIC; before_ns 0 = this is the first */
    struct sl_census_row *rows, *rows_before;
    unsigned row_count, row_count_before;
    struct sl_census_sheet *sheets, *sheets_before;
    unsigned sheet_count, sheet_count_before;
    struct sl_census_topic topics[SL_CENSUS_TOPICS_MAX];
    unsigned topic_count;
    struct sl_census_node nodes[SL_STATS_NODES_MAX], nodes_before[SL_STATS_NODES_MAX];
    unsigned node_count, node_count_before;
    struct sl_census_gone gone[SL_CENSUS_GONE_MAX];
    unsigned gone_count;
};

int sl_census_open(const char *domain, struct sl_census **ret_census);
int sl_census_take(struct sl_census *census);
void sl_census_close(struct sl_census *census); /* NULL is fine */

/* Take twice, `window_ns` apart (less if a signal comes), so that there are rates. */
int sl_census_take_rates(struct sl_census *census, uint64_t window_ns);

/* NULL if it is not there. */
const struct sl_census_topic *sl_census_topic(const struct sl_census *census, const char *name);

/* The rate at which a counter that stood at `before` went to `now`. Where messages carry their
 * time, the time between messages counts, not the one between looks: a topic of 1 Hz is told
 * right within half a second. 0 if that cannot be known. Pure. */
struct sl_census_count {
    uint64_t messages, last_ns;
};
double sl_census_hz(struct sl_census_count before, struct sl_census_count now, uint64_t before_ns,
                    uint64_t now_ns);

/* "keep-last", "latest", "lossless"; "?" for any other number. */
const char *sl_policy_name(uint32_t policy);

/* "no topic /x in domain default; did you mean /y? there are: ..." as sl_error_text(); -ENOENT. */
int sl_census_no_topic(const struct sl_census *census, const char *name);

#endif
