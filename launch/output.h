/* SPDX-License-Identifier: Apache-2.0 */
/* output.h - what the launcher shows: the nodes' lines, its own, and a table that stays at the
 * bottom.
 *
 * Nothing here waits for a reader: a pipe that is full or a terminal that is stopped costs lines
 * (they are counted and told), never time, so that no node is ever held up by its log.
 *
 * Life:    sl_output_open -> line, note, table, settle -> close (takes the table away)
 * Owner:   standard output and error.
 * Threads: one.
 */
#ifndef SL_LAUNCH_OUTPUT_H
#define SL_LAUNCH_OUTPUT_H

#include "core/base/log.h"

#include <stdbool.h>
#include <stddef.h>

#define SL_OUTPUT_LINE_MAX 1024 /* bytes of a node's line; longer ones are cut into pieces */

void sl_output_open(unsigned name_width, bool with_table, enum sl_log_level level);
/* Does standard output stand on a terminal that shows the table? */
bool sl_output_has_table(void);
/* Of the terminal, 0 = unknown. */
void sl_output_size(unsigned *ret_rows, unsigned *ret_columns);

/* A line that a node wrote, to our standard output, or error. */
void sl_output_line(const char *node, bool is_error, const char *text, size_t length);
/* The launcher's own word, to standard error. */
void sl_output_note(enum sl_log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* New text of the table (lines ended by newline); it is shown at the next settle. */
void sl_output_table(const char *text);
/* All lines of this round are written: put the table below them. False if the reader is behind:
 * call again soon. */
bool sl_output_settle(void);
/* Take the table away and give the reader the rest; waits as long as it goes on reading. */
void sl_output_close(void);

#endif
