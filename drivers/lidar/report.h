/* SPDX-License-Identifier: Apache-2.0 */
/* report.h - what the driver tells a person: progress on a terminal, losses as they happen, a
 * summary at the end.
 *
 * Life:    lidar_report_begin -> lidar_report_tick ... -> lidar_report_end
 * Owner:   the caller's memory.
 * Threads: one.
 * Errors:  none.
 */
#ifndef SL_DRIVERS_LIDAR_REPORT_H
#define SL_DRIVERS_LIDAR_REPORT_H

#include "core/shm/sluice.h"
#include "drivers/lidar/flow.h"

#define LIDAR_LOSS_MAX 24 /* kinds in one list */

struct lidar_losses {
    unsigned kinds;
    const char *name[LIDAR_LOSS_MAX];
    uint64_t count[LIDAR_LOSS_MAX];
};

struct lidar_report {
    const struct lidar_flow *flow;
    const char *name; /* that its lines begin with; NULL = none */
    bool draws;       /* progress, on a terminal */
    bool has_line;
    bool told_model, told_silence, told_clock;
    bool told_note[LIDAR_NOTES];
    enum lidar_clock_kind clock; /* that was told */
    uint64_t begin_ns, next_ns, next_loss_ns;
    uint64_t drawn_ns, drawn_elapsed_ns;
    struct lidar_losses told;
};

/* What was lost, by cause. */
void lidar_losses_of(const struct lidar_flow *flow, struct lidar_losses *ret_losses);

/* What happened besides, and lost no packet of the sensor's: streams begun anew, frames that waited
 * in vain, copies, packets of others. */
void lidar_events_of(const struct lidar_flow *flow, struct lidar_losses *ret_events);

/* `name` is kept: of a sensor among several, else NULL. One of them may draw. */
void lidar_report_begin(struct lidar_report *report, const struct lidar_flow *flow,
                        const char *name, bool may_draw);

/* Cheap unless something is to be told; `now_ns` is monotonic. Gives the time of the next one. */
uint64_t lidar_report_tick(struct lidar_report *report, uint64_t now_ns);

void lidar_report_end(struct lidar_report *report);

#endif
