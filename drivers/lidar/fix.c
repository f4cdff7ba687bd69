/* SPDX-License-Identifier: Apache-2.0 */
/* fix.c - sentences become positions. */
#include "drivers/lidar/fix.h"

#include <math.h>
#include <string.h>

static bool is_news(struct lidar_fix_news *news, const char *text, size_t length)
{
    if (length > sizeof news->text)
        length = sizeof news->text;
    if (news->length == length && memcmp(news->text, text, length) == 0)
        return false;
    news->length = length;
    memcpy(news->text, text, length);
    return true;
}

void lidar_fix_tell(struct lidar_fix_news *news, const struct lidar_fix_sink *sink,
                    const char *text, size_t length, const struct lidar_fix *when)
{
    struct nmea_sentence sentence;
    if (!sink->take || length == 0 || !is_news(news, text, length))
        return;
    nmea_parse(text, length, &sentence);
    if (sentence.is_damaged || !(sentence.is_rmc || sentence.is_gga))
        return;
    struct lidar_fix fix = *when;
    if (fix.clock == LIDAR_CLOCK_GPS && sentence.has_utc && sentence.utc_ns > 0)
        fix.stamp_ns = (uint64_t)sentence.utc_ns;
    fix.fix = sentence.fix;
    fix.latitude_deg = sentence.has_position ? sentence.latitude_deg : NAN;
    fix.longitude_deg = sentence.has_position ? sentence.longitude_deg : NAN;
    fix.altitude_m = sentence.altitude_m;
    sink->take(sink->context, &fix);
}
