/* SPDX-License-Identifier: Apache-2.0 */
/* out.h - one topic of the bus that goes out to DDS.
 *
 * Life:    out_open -> out_work ... -> out_sum_up; it ends with the runtime and with Cyclone
 * Threads: the main thread.
 */
#ifndef SL_NODES_DDS_BRIDGE_OUT_H
#define SL_NODES_DDS_BRIDGE_OUT_H

#include "core/node/runtime.h"
#include "core/shm/stats.h"
#include "nodes/dds_bridge/cyclone.h"
#include "nodes/dds_bridge/origins.h"
#include "nodes/dds_bridge/rule.h"

struct out {
    char topic[SL_TOPIC_MAX];
    const struct bridge_rule *rule;
    const struct frame_layout *layout;    /* of its messages, if their frame_id is another one */
    const struct bridge_origins *origins; /* what came in from DDS does not go out again */
    struct cyclone_qos qos;
    enum bridge_full full;
    uint32_t limit;   /* frames that are wanted at one time; each publisher may allow fewer */
    uint32_t most;    /* that may be held now: the limit, or fewer since a publisher refused one */
    bool copies_kept; /* of what is kept for late joiners some is copied, as few may be held */
    struct sl_subscriber *subscriber;
    struct cyclone_writer *writer;
    bool is_parked;   /* as many are held as may be: a release is waited for */
    uint64_t next_ns; /* rate: no message before that */
    uint64_t parked, thinned;
    uint64_t unreadable; /* dropped: no frame_id could be found in it */
    struct sl_log_limit fault_log;
    struct sl_counters *counters; /* NULL: it is not counted */
};

/* For `sluice plan`: what would be read by this rule, but for the topic's name or pattern. */
struct sl_expected out_expected(const struct bridge_rule *rule);

/* `publisher` is one of the topic's, found on the bus. On failure nothing stays open. */
int out_open(struct out *out, struct sl_runtime *runtime, struct cyclone *cyclone,
             const struct bridge_rule *rule, const struct bridge_origins *origins,
             const struct sl_stats_view *publisher);

/* Send what has come. Returns how many messages. A publisher that cannot be read is told of in the
 * log, and left. */
int out_work(struct out *out, struct sl_runtime *runtime);

/* Show its counters as they are now. */
void out_count(const struct out *out);

/* A line for the log. */
void out_sum_up(const struct out *out);

#endif
