/* SPDX-License-Identifier: Apache-2.0 */
/* log.h - one line a failure, on standard error.
 *
 * Life:    usable before and without sl_log_open.
 * Threads: any; a line is written with one write and is never torn.
 * Errors:  none are returned: a log that cannot be written is not worth failing for.
 */
#ifndef SL_BASE_LOG_H
#define SL_BASE_LOG_H

#include <stdbool.h>

enum sl_log_level {
    SL_LOG_ERROR,
    SL_LOG_WARN,
    SL_LOG_INFO,
    SL_LOG_DEBUG,
};

extern const char *const sl_log_level_names[]; /* "error" ... "debug", NULL */

/* Name put before each line (kept, not copied; NULL = none) and the last level that is shown. */
void sl_log_open(const char *name, enum sl_log_level level);
bool sl_log_shows(enum sl_log_level level);

void sl_log(enum sl_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* For what can happen a million times a second: tells how often it was said since, once a second.
 * `*state` starts at zero and belongs to one thread. */
struct sl_log_limit {
    long long last_ns;
    unsigned long long hidden;
};
void sl_log_limited(struct sl_log_limit *state, enum sl_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Names and texts of other processes: what is not printable becomes '?', so that none can steer a
 * terminal. */
void sl_text_tame(char *text);

#endif
