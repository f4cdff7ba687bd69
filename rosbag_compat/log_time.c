/* SPDX-License-Identifier: Apache-2.0 */
#include "rosbag_compat/log_time.h"

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/options.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EPOCH_FROM_S UINT64_C(100000000) /* a bare number: before it, three years, an offset */
#define SECONDS_MAX  (UINT64_MAX / SL_NS_PER_S - 1)

/* ".25": what does not fit into nanoseconds is cut off. Returns what is behind it. */
static const char *parse_fraction(const char *at, uint64_t *ret_ns)
{
    uint64_t unit = SL_NS_PER_S / 10;
    *ret_ns = 0;
    if (*at != '.')
        return at;
    for (at++; isdigit((unsigned char)*at); at++, unit /= 10)
        *ret_ns += unit * (uint64_t)(*at - '0');
    return at;
}

/* "1772373909.25"; false: it is something else. */
static bool parse_seconds(const char *text, uint64_t *ret_ns)
{
    char *end;
    uint64_t fraction_ns;
    if (!isdigit((unsigned char)*text))
        return false;
    errno = 0;
    unsigned long long seconds = strtoull(text, &end, 10);
    if (errno || seconds > SECONDS_MAX || *parse_fraction(end, &fraction_ns))
        return false;
    *ret_ns = seconds * SL_NS_PER_S + fraction_ns;
    return true;
}

/* "Z", "+01:00", "+0100", "+01" or nothing */
static bool parse_zone(const char *text, int *ret_seconds)
{
    unsigned hours = 0, minutes = 0;
    int used = 0;
    *ret_seconds = 0;
    if (!*text || strcmp(text, "Z") == 0 || strcmp(text, "z") == 0)
        return true;
    if (*text != '+' && *text != '-')
        return false;
    bool is_whole = (sscanf(text + 1, "%2u:%2u%n", &hours, &minutes, &used) == 2 && used == 5) ||
                    (sscanf(text + 1, "%2u%2u%n", &hours, &minutes, &used) == 2 && used == 4) ||
                    (minutes = 0, sscanf(text + 1, "%2u%n", &hours, &used) == 1 && used == 2);
    *ret_seconds = (int)(hours * 3600 + minutes * 60) * (*text == '-' ? -1 : 1);
    return is_whole && !text[1 + used] && hours < 24 && minutes < 60;
}

static bool is_day(const struct tm *day)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year = day->tm_year + 1900;
    bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return year >= 1970 && day->tm_mon >= 0 && day->tm_mon < 12 && day->tm_mday >= 1 &&
           day->tm_mday <= days[day->tm_mon] + (is_leap && day->tm_mon == 1);
}

static bool parse_date(const char *text, uint64_t *ret_ns)
{
    struct tm date = {0};
    uint64_t fraction_ns = 0;
    int used = 0, zone_s = 0;
    if (sscanf(text, "%4d-%2d-%2d%n", &date.tm_year, &date.tm_mon, &date.tm_mday, &used) != 3 ||
        used != 10)
        return false;
    date.tm_year -= 1900;
    date.tm_mon--;
    const char *at = text + used;
    if (*at == 'T' || *at == 't' || *at == ' ') {
        if (sscanf(++at, "%2d:%2d%n", &date.tm_hour, &date.tm_min, &used) != 2 || used != 5)
            return false;
        at += used;
        if (*at == ':' && (sscanf(at, ":%2d%n", &date.tm_sec, &used) != 1 || used != 3))
            return false;
        at = *at == ':' ? parse_fraction(at + 3, &fraction_ns) : at;
        if (strcmp(at, " UTC") == 0)
            at += 4;
        if (!parse_zone(at, &zone_s))
            return false;
        at += strlen(at);
    }
    if (*at || !is_day(&date) || date.tm_hour > 23 || date.tm_min > 59 || date.tm_sec > 60 ||
        date.tm_hour < 0 || date.tm_min < 0 || date.tm_sec < 0)
        return false;
    int64_t seconds = (int64_t)timegm(&date) - zone_s;
    *ret_ns = (uint64_t)seconds * SL_NS_PER_S + fraction_ns;
    return seconds >= 0 && (uint64_t)seconds <= SECONDS_MAX;
}

int sl_log_time_parse(const char *option, const char *text, struct sl_log_time *ret_time)
{
    struct sl_log_time time = {.is_given = true, .is_absolute = true};
    int64_t offset_ns;
    if (!text || !*text) {
        *ret_time = (struct sl_log_time){0};
        return 0;
    }
    bool is_number = parse_seconds(text + (*text == '@'), &time.ns);
    if (is_number && *text != '@')
        time.is_absolute = time.ns >= EPOCH_FROM_S * SL_NS_PER_S;
    if (!is_number && *text != '@' && !parse_date(text, &time.ns)) {
        time.is_absolute = false;
        if (sl_parse_duration(text, &offset_ns) < 0 || offset_ns < 0)
            return sl_error(-EINVAL,
                            "%s: '%s' is no time; give it from the log's beginning on (90s, "
                            "2.5min), as a date (2026-03-01T14:05:09.5Z) or in seconds since 1970 "
                            "(@1772373909.5)",
                            option, text);
        time.ns = (uint64_t)offset_ns;
    } else if (!is_number && *text == '@') {
        return sl_error(-EINVAL, "%s: '%s': behind @ stand seconds since 1970", option, text);
    }
    *ret_time = time;
    return 0;
}

uint64_t sl_log_time_at(const struct sl_log_time *time, uint64_t begin_ns)
{
    if (time->is_absolute)
        return time->ns;
    return time->ns < UINT64_MAX - begin_ns ? begin_ns + time->ns : UINT64_MAX;
}
