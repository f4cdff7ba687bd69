/* SPDX-License-Identifier: Apache-2.0 */
/* terminal.h - a terminal as a screen: its own page, keys without Enter, and everything as it was
 * at the end.
 *
 * Life:    open -> size, key, show ... -> close
 * Owner:   one a process. It is put back at exit() too, and when a fatal signal ends the process.
 * Threads: one.
 * Errors:  -ENOTTY if standard input and output are no terminal.
 */
#ifndef SL_TOOLS_TERMINAL_H
#define SL_TOOLS_TERMINAL_H

#include <stddef.h>
#include <stdint.h>

int sl_terminal_open(void);
void sl_terminal_close(void);

/* Asked each time: it may have been resized. */
void sl_terminal_size(unsigned *ret_columns, unsigned *ret_rows);

/* The next key, or 0 if none came until then (CLOCK_MONOTONIC) or a signal came; -1 if the terminal
 * is gone. */
int sl_terminal_key(uint64_t until_ns);

/* Show a page: lines ended by '\n', shorter than the screen is wide. */
void sl_terminal_show(const char *page, size_t length);

#endif
