/* SPDX-License-Identifier: Apache-2.0 */
/* ouster_metadata.h - what an Ouster sensor says of itself, without which its packets are numbers.
 *
 * A JSON document, as the sensor gives it (GET /api/v1/sensor/metadata) and as recordings keep it
 * beside them. Two shapes are in use: flat with `data_format` (firmware before 2.2, and older
 * tools), and in sections with `lidar_data_format`. Both are read; every value is checked, since a
 * wrong one would put points where nothing is. What older firmware leaves out has the value that
 * it had then (ouster_metadata.c lists them).
 *
 * Life:    ouster_metadata_load | _parse fills a value; nothing to free.
 * Owner:   the caller. It is some 6 kB.
 * Threads: any.
 * Errors:  -EINVAL with sl_error_text() "FILE:LINE:COLUMN: key: what and what to do"; -ENOENT and
 *          what else opening gives; -ENOTSUP for a sensor that scans in another way.
 */
#ifndef SL_DRIVERS_LIDAR_OUSTER_METADATA_H
#define SL_DRIVERS_LIDAR_OUSTER_METADATA_H

#include "drivers/lidar/ouster_packet.h"

#define OUSTER_TEXT_MAX 64

enum ouster_clock {
    OUSTER_CLOCK_FREE, /* since the sensor was switched on */
    OUSTER_CLOCK_PPS,  /* set by a pulse a second, and by NMEA where that is connected */
    OUSTER_CLOCK_PTP,  /* TAI */
};

struct ouster_metadata {
    char product[OUSTER_TEXT_MAX];  /* "OS-1-128" */
    char firmware[OUSTER_TEXT_MAX]; /* "v2.3.0" */
    uint64_t serial;                /* 0 = not told */
    uint32_t init_id;               /* of the start at which this was written; 0 = not told */
    enum ouster_clock clock;

    struct ouster_format format;
    struct ouster_imu_format imu;
    uint16_t window_first, window_last; /* measured columns, both included; first > last: it goes
                                           over the turn's end */
    uint8_t turns_hz;
    uint16_t lidar_port, imu_port; /* 0 = not told */

    double altitude_deg[OUSTER_BEAMS_MAX];
    double azimuth_deg[OUSTER_BEAMS_MAX]; /* of the beam, to the left of the column's direction */
    int16_t pixel_shift[OUSTER_BEAMS_MAX];
    double beam_to_lidar[16]; /* row by row; millimetres */
    double lidar_to_sensor[16];
    double imu_to_sensor[16];
};

int ouster_metadata_load(const char *path, struct ouster_metadata *ret_metadata);
int ouster_metadata_parse(const char *name, const char *text, size_t size_bytes,
                          struct ouster_metadata *ret_metadata);

/* Columns that the window holds. */
static inline unsigned ouster_window_columns(const struct ouster_metadata *metadata)
{
    unsigned first = metadata->window_first, last = metadata->window_last;
    return first <= last ? last - first + 1 : metadata->format.frame_columns - first + last + 1;
}

/* Place of a column among those of the window, in the order in which they are measured, which
 * begins at 0 even if the window goes over the turn's end; -1 = outside, or no column at all. */
static inline int ouster_window_row(const struct ouster_metadata *metadata, unsigned measurement_id)
{
    unsigned first = metadata->window_first, last = metadata->window_last;
    if (measurement_id >= metadata->format.frame_columns)
        return -1;
    if (first <= last)
        return measurement_id >= first && measurement_id <= last ? (int)(measurement_id - first)
                                                                 : -1;
    if (measurement_id <= last)
        return (int)measurement_id;
    return measurement_id >= first ? (int)(last + 1 + measurement_id - first) : -1;
}

#endif
