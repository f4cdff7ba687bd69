/* SPDX-License-Identifier: Apache-2.0 */
/* check.h - is a message what it claims to be? Every point of a cloud is read where it stands.
 *
 * Life:    zero a struct monitor_counts; monitor_check adds to it.
 * Owner:   the body stays the caller's; nothing is copied but the prefix of a gathered body.
 * Threads: one per counts.
 * Errors:  none: faults are counted by reason.
 */
#ifndef SL_NODES_MONITOR_CHECK_H
#define SL_NODES_MONITOR_CHECK_H

#include "core/frame/pointcloud2.h"
#include "core/shm/sluice.h"

enum monitor_fault {
    MONITOR_UNREADABLE, /* the body is no such message */
    MONITOR_STAMP,      /* the message's stamp is not the descriptor's */
    MONITOR_DENSE,      /* is_dense, and yet a point is invalid */
    MONITOR_HALF,       /* a point of which some coordinates are finite and some are not */
    MONITOR_TIME,       /* a point's time is negative, or not finite where the point is valid */
    MONITOR_STALE,      /* the publisher took the frame back while it was read */
    MONITOR_FAULTS
};
const char *monitor_fault_name(enum monitor_fault fault);

struct monitor_counts {
    uint64_t frames, bytes;
    uint64_t points, valid;
    uint64_t fault[MONITOR_FAULTS]; /* messages that have it, each once */
};

/* `type` is the message's; only clouds are looked into, others of a known type are walked through.
 */
void monitor_check(const char *type, const struct sl_frame *frame, struct monitor_counts *counts);

uint64_t monitor_faults(const struct monitor_counts *counts);

#endif
