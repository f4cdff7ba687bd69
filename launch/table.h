/* SPDX-License-Identifier: Apache-2.0 */
/* table.h - topics, rates, losses and latencies of the domain, from the processes' own counters.
 *
 * The counters of a process that has ended are kept as they were at its end, for the summary.
 *
 * Life:    sl_table_open -> refresh -> text | lines | summary -> close
 * Threads: one.
 */
#ifndef SL_LAUNCH_TABLE_H
#define SL_LAUNCH_TABLE_H

#include <stddef.h>
#include <stdio.h>

struct sl_table;

/* -errno with a sentence; the domain need not exist yet. `domain` as in sluice.h. */
int sl_table_open(const char *domain, struct sl_table **ret_table);
void sl_table_close(struct sl_table *table);

/* Look at all processes anew. One that has not been seen yet is waited for, at most `answer_ms`
 * long; if it has not answered by then, it is asked again the next time. Rates are those since the
 * last call that was at least half a second ago. */
void sl_table_refresh(struct sl_table *table, int answer_ms);

/* The table, at most `columns` wide (0 = any) and `rows` high. */
void sl_table_text(struct sl_table *table, unsigned rows, unsigned columns, char *to, size_t size);

/* A line a topic, without newline. Returns how many there were. */
unsigned sl_table_lines(struct sl_table *table, void (*line)(const char *text));

/* What happened in all: frames, bytes, losses by reason, latencies. */
void sl_table_summary(struct sl_table *table, double seconds, FILE *to);

#endif
