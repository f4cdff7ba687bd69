/* SPDX-License-Identifier: Apache-2.0 */
/* dds_crew.h - the processes that `sluice bench dds` measures. They end with this one.
 *
 * Life:    dds_crew_start -> ... -> dds_crew_stop, also of one that could not start
 * Threads: one.
 * Errors:  -errno with sl_error_text().
 */
#ifndef SL_BENCH_DDS_CREW_H
#define SL_BENCH_DDS_CREW_H

#include "tests/bench/dds_peer.h"

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

enum dds_role {
    DDS_BRIDGE,
    DDS_READER,
    DDS_WRITER,
    DDS_PERF_SUB,
    DDS_PERF_PUB,
    DDS_ROLES
};

struct dds_crew {
    struct dds_page *page;
    int page_fd;
    pid_t pid[DDS_ROLES]; /* 0 = none */
    FILE *perf;           /* what ddsperf's subscriber says */
};

struct dds_work {
    const char *domain;  /* of the bus */
    const char *size;    /* as ddsperf takes it: "64k" */
    uint64_t data_bytes; /* of each cloud's data */
    unsigned clouds;     /* that the writer writes in turn */
    unsigned depth;      /* of the bridge: it holds 2 more */
    bool best_effort;    /* all of it; else reliable */
};

bool dds_has_ddsperf(void);

/* All are there when it returns; ddsperf is at rest. */
int dds_crew_start(struct dds_crew *crew, const struct dds_work *work);
void dds_crew_stop(struct dds_crew *crew);

/* Wait until all have found each other. */
int dds_crew_meet(struct dds_crew *crew);

/* The first of the processors that are allowed is for those who send, the second for those who
 * receive. This process may run on both until it is pinned. */
void dds_crew_pin(bool receives);
void dds_crew_roam(void);

/* Processor time of a process, all its threads. */
uint64_t dds_crew_cpu_ns(const struct dds_crew *crew, enum dds_role role);

/* Let ddsperf run for a second, or until a message of it arrives: messages a second, never 0. */
int dds_crew_run_ddsperf(struct dds_crew *crew, double *ret_messages_per_s);

#endif
