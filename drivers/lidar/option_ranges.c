/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/lidar/option_ranges.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "core/base/error.h"

static bool read_number(const char **at, double *ret_number)
{
    char *end;
    double number = strtod(*at, &end);
    if (end == *at || !isfinite(number))
        return false;
    *at = end;
    *ret_number = number;
    return true;
}

static bool read_range(const char **at, struct lidar_range *ret_range)
{
    struct lidar_range range;
    if (!read_number(at, &range.from))
        return false;
    range.to = range.from;
    if (**at == ':') {
        (*at)++;
        if (!read_number(at, &range.to))
            return false;
    }
    *ret_range = range;
    return **at == ',' || **at == '\0';
}

int lidar_ranges_parse(const char *option, const char *text, unsigned max,
                       struct lidar_range *ret_ranges)
{
    unsigned count = 0;
    for (const char *at = text;; at++) {
        if (count == max)
            return sl_error(-EINVAL, "option --%s: \"%s\" has more than %u ranges", option, text,
                            max);
        if (!read_range(&at, &ret_ranges[count++]))
            return sl_error(-EINVAL,
                            "option --%s: \"%s\" at character %d: expected NUMBER:NUMBER, and a "
                            "comma before the next",
                            option, text, (int)(at - text) + 1);
        if (*at == '\0')
            return (int)count;
    }
}
