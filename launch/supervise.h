/* SPDX-License-Identifier: Apache-2.0 */
/* supervise.h - the nodes of a plan: started in order, watched, restarted, stopped in reverse
 * order.
 *
 * Life:    sl_supervise runs all of it.
 * Threads: one; blocks the signals that end it.
 * Errors:  they are printed; the return value is the exit status (0 or 1).
 */
#ifndef SL_LAUNCH_SUPERVISE_H
#define SL_LAUNCH_SUPERVISE_H

#include "launch/plan.h"

struct sl_supervise_options {
    const char *domain;      /* NULL = $SLUICE_DOMAIN or "default" */
    int64_t duration_ns;     /* 0 = until the nodes end */
    int64_t grace_ns;        /* between SIGTERM and SIGKILL */
    int64_t stats_period_ns; /* of the plain lines; 0 = none */
    bool with_table;         /* if there is a terminal */
    bool with_summary;
    int log_level; /* enum sl_log_level, of the launcher's own words */
};

int sl_supervise(struct sl_plan *plan, const struct sl_supervise_options *options);

#endif
