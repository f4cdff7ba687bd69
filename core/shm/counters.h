/* SPDX-License-Identifier: Apache-2.0 */
/* counters.h - counters of a program's own, beside those of its publishers and subscribers.
 *
 * A sheet has a title that says of what they are ("/points -> DDS rt/points"), and a few counters
 * with names, of which the first tells how much was done and the others what became of it. It
 * stands on the process's page of statistics, where `sluice top` reads it in place.
 *
 * Life:    sl_counters_open -> sl_counters_set ... -> sl_counters_close
 * Owner:   title and names are copied.
 * Threads: one at a time per sheet.
 * Errors:  -errno with sl_error_text().
 */
#ifndef SL_SHM_COUNTERS_H
#define SL_SHM_COUNTERS_H

#include "core/shm/layout.h"

struct sl_counters;

/* `names` end with NULL; there are at most SL_STATS_COUNTERS. A title or a name that is too long is
 * cut. `domain` as sluice.h takes it. Where the page is full, nobody sees the sheet.
 * -ENOMEM, or as the domain's opening. */
int sl_counters_open(const char *domain, const char *title, const char *const *names,
                     struct sl_counters **ret_counters);

/* All of them, in the names' order. */
void sl_counters_set(struct sl_counters *counters, const uint64_t *values);

void sl_counters_close(struct sl_counters *counters); /* NULL is fine */

/* What stands there now, for the owner's own log. */
const struct sl_stats_sheet *sl_counters_sheet(const struct sl_counters *counters);

#endif
