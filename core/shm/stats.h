/* SPDX-License-Identifier: Apache-2.0 */
/* stats.h - the counters of every process of a domain, read in place by tools.
 *
 * Each process that publishes or subscribes serves one page of rows at its .node socket. A tool
 * maps the pages read-only and looks as often as it likes; the processes do not notice.
 *
 * Life:    sl_stats_watch_open -> refresh (finds new processes, drops dead ones) -> close
 * Threads: one at a time.
 */
#ifndef SL_SHM_STATS_H
#define SL_SHM_STATS_H

#include "core/shm/domain.h"
#include "core/shm/layout.h"

#define SL_STATS_NODES_MAX 256

struct sl_stats_node {
    const struct sl_stats *page; /* read-only, of another process: copy before use */
    uint64_t instance;
    pid_t pid;
    int fd;                 /* connection; hang-up = the process ended */
    char name[SL_NODE_MAX]; /* checked copy */
};

struct sl_stats_watch {
    struct sl_domain domain;
    struct sl_stats_node node[SL_STATS_NODES_MAX];
    unsigned node_count;
};

/* What a tool shows of a row: plain values, texts with their NUL, checked. */
struct sl_stats_view {
    const struct sl_stats_node *node;
    enum sl_stats_kind kind;
    uint32_t row, use;
    uint64_t instance;
    char topic[SL_TOPIC_MAX];
    char type[SL_TYPE_MAX];
    uint32_t policy, depth, slot_count, quota;
    uint64_t slot_size;
    char memory[SL_MEMORY_TEXT]; /* publishers: what the pool was made of; "" = it has none */
    uint32_t memory_kind;        /* enum sl_memory_kind, measured */
    uint32_t memory_flags, page_size;
    int32_t numa_node;
    uint64_t messages, bytes, last_ns, last_stamp_ns, refused;
    uint64_t lost[SL_LOSS_REASONS];
    uint32_t peers, held, demoted, revoked, died, expired;
    uint64_t latency_p50_ns, latency_p99_ns, latency_max_ns;
};

/* The same of a sheet of counters (counters.h). */
struct sl_stats_sheet_view {
    const struct sl_stats_node *node;
    uint32_t sheet, use;
    char title[SL_STATS_TITLE];
    unsigned count;
    char name[SL_STATS_COUNTERS][SL_STATS_NAME];
    uint64_t value[SL_STATS_COUNTERS];
};

/* The domain need not exist yet: then there are no nodes. */
int sl_stats_watch_open(const char *domain, struct sl_stats_watch *ret_watch);
/* Waits at most `timeout_ms` for processes that were just started to answer. */
int sl_stats_watch_refresh(struct sl_stats_watch *watch, int timeout_ms);
void sl_stats_watch_close(struct sl_stats_watch *watch);

/* Call `visit` for each row in use. */
int sl_stats_each(const struct sl_stats_watch *watch,
                  int (*visit)(void *context, const struct sl_stats_view *view), void *context);

/* Call `visit` for each sheet that is shown. */
int sl_stats_each_sheet(const struct sl_stats_watch *watch,
                        int (*visit)(void *context, const struct sl_stats_sheet_view *view),
                        void *context);

/* The name under which this process shows itself (copied); before its first publisher or
 * subscriber. */
void sl_stats_set_name(const char *name);

#endif
