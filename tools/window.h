/* SPDX-License-Identifier: Apache-2.0 */
/* window.h - the last so many durations, and what they are like.
 *
 * Life:    zero it, sl_window_init -> add, add, ... -> tell -> sl_window_finish
 * Threads: one.
 * Errors:  -ENOMEM.
 */
#ifndef SL_TOOLS_WINDOW_H
#define SL_TOOLS_WINDOW_H

#include <stdint.h>

#define SL_WINDOW_MAX 1000000

struct sl_window {
    double *values, *sorted; /* ns */
    unsigned size, count, next;
};

struct sl_window_facts {
    unsigned count;
    double mean, min, max, deviation, p50, p99; /* ns; 0 if count is 0 */
};

int sl_window_init(struct sl_window *window, unsigned size);
void sl_window_finish(struct sl_window *window);
void sl_window_add(struct sl_window *window, double value_ns);
void sl_window_tell(const struct sl_window *window, struct sl_window_facts *ret_facts);

#endif
