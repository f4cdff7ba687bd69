/* SPDX-License-Identifier: Apache-2.0 */
/* log_time.h - a moment of a log as people write it.
 *
 *     12.5s, 2min, 90               so long after the log's beginning; a bare number is seconds
 *     2026-03-01T14:05:09.25+01:00  a date (ISO 8601), or with a blank as `sluice info` prints it;
 *                                   without a zone it is UTC, without a time the day's beginning
 *     @1772373909.25                seconds since 1970, UTC; so is a bare number from 1e8 on
 *
 * Threads: any. Errors: -EINVAL with sl_error_text()
 */
#ifndef SL_ROSBAG_COMPAT_LOG_TIME_H
#define SL_ROSBAG_COMPAT_LOG_TIME_H

#include <stdbool.h>
#include <stdint.h>

struct sl_log_time {
    bool is_given, is_absolute;
    uint64_t ns; /* since 1970, or since the beginning */
};

/* NULL and "" are not given. `option` is what the sentence begins with: "option --start". */
int sl_log_time_parse(const char *option, const char *text, struct sl_log_time *ret_time);
/* In ns since 1970. */
uint64_t sl_log_time_at(const struct sl_log_time *time, uint64_t begin_ns);

#endif
