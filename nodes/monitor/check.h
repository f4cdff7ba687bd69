/* SPDX-License-Identifier: Apache-2.0 */
/* check.h - is a message what it claims to be? Every point of a cloud, every byte of a test pattern
 * is read where it stands, in one pass that leaves the caches as they were.
 *
 * Life:    zero a struct monitor_counts; monitor_check adds to it.
 * Owner:   the body stays the caller's; nothing is copied but the message's prefix.
 * Threads: one per counts and maker.
 * Errors:  none: faults are counted by reason.
 */
#ifndef SL_NODES_MONITOR_CHECK_H
#define SL_NODES_MONITOR_CHECK_H

#include "core/frame/pattern.h"
#include "core/frame/pointcloud2.h"
#include "core/shm/sluice.h"

enum monitor_fault {
    MONITOR_UNREADABLE, /* the body is no such message */
    MONITOR_STAMP,      /* the message's stamp is not the descriptor's */
    MONITOR_DENSE,      /* is_dense, and yet a point is invalid */
    MONITOR_HALF,       /* a point of which some coordinates are finite and some are not */
    MONITOR_TIME,       /* a point's time is negative, or not finite where the point is valid */
    MONITOR_NO_PATTERN, /* the data does not begin as a pattern does, or has another size */
    MONITOR_PATTERN,    /* a byte is not the pattern's */
    MONITOR_STALE,      /* the publisher took the frame back while it was read */
    MONITOR_FAULTS
};
const char *monitor_fault_name(enum monitor_fault fault);

struct monitor_counts {
    uint64_t frames, bytes;
    uint64_t points, valid;
    uint64_t patterns;              /* messages that carry one, right or wrong */
    uint64_t fault[MONITOR_FAULTS]; /* messages that have it, each once */
};

/* What messages must be. */
struct monitor_wanted {
    const char *type;
    /* Zeroed before its first use: the data must be a test pattern. NULL: it need not. */
    struct sl_pattern_maker *pattern;
};

/* Clouds and patterns are looked into, others of a known type are walked through. */
void monitor_check(const struct monitor_wanted *wanted, const struct sl_frame *frame,
                   struct monitor_counts *counts);

uint64_t monitor_faults(const struct monitor_counts *counts);

#endif
