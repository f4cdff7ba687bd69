/* SPDX-License-Identifier: Apache-2.0 */
/* option_ranges.h - an option's text that lists ranges of numbers: "-60:60,120:150", "0:7,12".
 *
 * Life:    a value; nothing to free.
 * Owner:   the caller.
 * Threads: any.
 * Errors:  -EINVAL with sl_error_text() that names the option and the place in its text.
 */
#ifndef SL_DRIVERS_LIDAR_OPTION_RANGES_H
#define SL_DRIVERS_LIDAR_OPTION_RANGES_H

struct lidar_range {
    double from, to; /* the same where one number stands alone */
};

/* 1 to `max` ranges, separated by commas. Numbers are finite, in any order. Returns how many. */
int lidar_ranges_parse(const char *option, const char *text, unsigned max,
                       struct lidar_range *ret_ranges);

#endif
