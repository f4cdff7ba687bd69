/* SPDX-License-Identifier: Apache-2.0 */
/* sensor_clock.h - a sensor's hourly counter as a time line, and that time line as UTC.
 *
 * The counter's microseconds since the top of an hour are unwrapped to nanoseconds that only go
 * forward. What hour that was, and whether the counter knows of hours at all, is another question:
 * - PPS is locked and the receiver's sentence is valid: the hour is the sentence's
 * (LIDAR_CLOCK_GPS).
 * - else the counter began when the sensor was switched on, and joining it with the host's hour
 * would be wrong by up to half an hour. Then the host's arrival times say where the counter stands:
 * the smallest difference seen in the last seconds, because a packet can be late but never early.
 *
 * Life:    starts as zeros.
 * Owner:   the decoder.
 * Threads: one at a time. No clock is read inside.
 * Errors:  none.
 */
#ifndef SL_DRIVERS_LIDAR_SENSOR_CLOCK_H
#define SL_DRIVERS_LIDAR_SENSOR_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "drivers/lidar/clock_fit.h"

/* Packets that are older than the newest by at most this were overtaken; older ones are a jump. */
#define LIDAR_REORDER_NS   INT64_C(20000000)
#define LIDAR_LATE_RUN_MAX 16 /* in a row: then the counter has been set back a little */

/* What a frame's stamp is made of. */
enum lidar_clock_choice {
    LIDAR_STAMP_SENSOR, /* the sensor's UTC, where it has it */
    LIDAR_STAMP_HOST,   /* the host's arrival time of a frame's first packet */
    LIDAR_STAMP_FITTED, /* the sensor's steps on the host's clock: clock_fit.h */
};

/* Where a stamp came from. */
enum lidar_clock_kind {
    LIDAR_CLOCK_FREE_RUNNING, /* wanted the sensor's, which knows no UTC: anchored to the host's */
    LIDAR_CLOCK_GPS,          /* PPS and NMEA */
    LIDAR_CLOCK_HOST,         /* as was asked for */
    LIDAR_CLOCK_PTP,          /* PTP, as UTC */
    LIDAR_CLOCK_FITTED,       /* as was asked for */
};
/* "free-running", "gps", "host", "ptp", "fitted" */
extern const char *const lidar_clock_kind_names[];

enum lidar_clock_step {
    LIDAR_STEP_FIRST,
    LIDAR_STEP_NEXT,
    LIDAR_STEP_LATE,  /* overtaken, or a copy: not after the newest */
    LIDAR_STEP_BACK,  /* the counter was set back: nothing before is comparable */
    LIDAR_STEP_AHEAD, /* so much time was left out that the hour is lost */
};

struct lidar_clock {
    bool is_started;
    uint32_t newest_us; /* counter of the newest packet */
    int64_t newest_ns;  /* the same on the time line */
    uint64_t newest_host_ns;
    unsigned late_run;
    unsigned generation; /* counts the restarts: stamps of two generations do not compare */

    /* host minus sensor: smallest of this window and of the one before it */
    bool has_anchor, has_older_anchor;
    int64_t anchor_ns, older_anchor_ns;
    int64_t window_start_ns;
    struct lidar_clock_fit fit;

    bool has_gps;
    int64_t gps_offset_ns; /* UTC minus time line */
    int64_t ahead_ns;      /* of UTC, of what is told; the owner's, 0 = it is UTC */
    bool is_ptp;           /* which sets what is told; the owner's, else GPS does */
    int64_t gps_seen_ns;   /* when it was confirmed, on the time line */

    bool has_tai;         /* the newest date was as far ahead of the host's as TAI is */
    bool seems_tai;       /* for some seconds at a time, once */
    int64_t tai_since_ns; /* on the time line */
};

/* What a person should know whose sensor's clock seems_tai. */
extern const char lidar_clock_tai_note[];

/* A data packet's counter, `duration_ns` before the packet was complete; host_ns 0 = not known.
 * Gives its place on the time line. */
enum lidar_clock_step lidar_clock_data(struct lidar_clock *clock, uint32_t stamp_us,
                                       uint64_t host_ns, int64_t duration_ns, int64_t *ret_time_ns);

/* A telemetry packet's counter, and what it says of UTC if it may be believed. */
void lidar_clock_gps(struct lidar_clock *clock, uint32_t stamp_us, bool is_locked, int64_t utc_ns);

/* The date in a data packet, behind lidar_clock_data, of a sensor that does not say whether its
 * clock was set: it is believed if it is the host's (0 = not known) within a minute, once what PTP
 * is ahead of UTC is taken off. */
void lidar_clock_date(struct lidar_clock *clock, uint32_t stamp_us, bool has_date, int64_t date_ns,
                      uint64_t host_ns);

/* Where on the time line another packet's counter stands, once a data packet has come. */
int64_t lidar_clock_place_ns(const struct lidar_clock *clock, uint32_t stamp_us);

/* For a counter that does not wrap, whose reading is the time line: a packet was complete at
 * `complete_ns` and arrived at `host_ns`. */
void lidar_clock_observe(struct lidar_clock *clock, int64_t complete_ns, uint64_t host_ns);

/* The counter was set: nothing before is comparable. */
void lidar_clock_restart(struct lidar_clock *clock);

/* UTC in nanoseconds of a place on the time line. With LIDAR_STAMP_HOST it is where the smallest
 * difference puts it: for what has no arrival time of its own. */
uint64_t lidar_clock_stamp_ns(const struct lidar_clock *clock, enum lidar_clock_choice choice,
                              int64_t time_ns, enum lidar_clock_kind *ret_kind);

#endif
