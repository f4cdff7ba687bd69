/* SPDX-License-Identifier: Apache-2.0 */
/* fix.h - where a GPS receiver at the sensor says it is: each of its sentences once, though packets
 * repeat it some hundred times.
 *
 * Life:    a lidar_fix_news starts as zeros.
 * Owner:   the decoder.
 * Threads: one at a time.
 * Errors:  none.
 */
#ifndef SL_DRIVERS_LIDAR_FIX_H
#define SL_DRIVERS_LIDAR_FIX_H

#include "drivers/lidar/nmea.h"
#include "drivers/lidar/sensor_clock.h"

struct lidar_fix {
    uint64_t stamp_ns; /* by the clock of the points; by GPS, when the position was measured */
    enum lidar_clock_kind clock;
    uint64_t host_ns; /* arrival; 0 = not known */
    enum nmea_fix fix;
    double latitude_deg, longitude_deg; /* NaN where fix is NMEA_NO_FIX */
    double altitude_m;                  /* above the ellipsoid; NaN = not told */
};

struct lidar_fix_sink {
    void *context;
    void (*take)(void *context, const struct lidar_fix *fix); /* NULL = nobody asks */
};

#define LIDAR_FIX_TEXT_MAX 96 /* a sentence has 82 characters at most */

struct lidar_fix_news {
    size_t length;
    char text[LIDAR_FIX_TEXT_MAX];
};

/* Hand on a sentence, unless it is damaged, of another kind, or was the last one too. `when` says
 * stamp, clock and arrival; a valid date in the sentence is the better stamp where that clock is
 * LIDAR_CLOCK_GPS. */
void lidar_fix_tell(struct lidar_fix_news *news, const struct lidar_fix_sink *sink,
                    const char *text, size_t length, const struct lidar_fix *when);

#endif
