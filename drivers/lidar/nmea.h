/* SPDX-License-Identifier: Apache-2.0 */
/* nmea.h - what a GPS receiver's sentence tells, as lidars hand it on in their own packets.
 *
 * NMEA 0183: "$", five letters, fields after commas, "*", two digits that are the exclusive or of
 * all between "$" and "*". Two sentences are read, of whatever satellites (GP, GN, ...):
 *
 *      $GPRMC,hhmmss.ss,A,ddmm.mmm,N,dddmm.mmm,E,knots,course,ddmmyy,...   A = valid, V = not
 *      $GPGGA,hhmmss.ss,ddmm.mmm,N,dddmm.mmm,E,quality,satellites,dilution,
 *             metres above the sea,M,metres from the ellipsoid to the sea,M,...
 *
 * Life:    nothing is kept.
 * Owner:   the caller.
 * Threads: any; pure.
 * Errors:  none; is_damaged says that form or checksum is wrong.
 */
#ifndef SL_DRIVERS_LIDAR_NMEA_H
#define SL_DRIVERS_LIDAR_NMEA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The values of sensor_msgs/msg/NavSatStatus. */
enum nmea_fix {
    NMEA_NO_FIX = -1,
    NMEA_FIX = 0,
    NMEA_FIX_BY_SATELLITE = 1, /* with corrections from satellites */
    NMEA_FIX_BY_GROUND = 2,    /* from the ground, fixed or floating */
};

struct nmea_sentence {
    bool is_damaged;
    bool is_rmc, is_gga; /* neither: another sentence, of which nothing is read */
    bool has_utc;        /* an RMC that is valid: */
    int64_t utc_ns;      /* since 1970 */
    bool has_position;   /* there, in range, and valid: */
    enum nmea_fix fix;
    double latitude_deg, longitude_deg; /* north, east positive */
    double altitude_m;                  /* above the ellipsoid; NaN = not told */
};

void nmea_parse(const char *text, size_t length, struct nmea_sentence *ret_sentence);

#endif
