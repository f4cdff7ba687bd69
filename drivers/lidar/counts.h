/* SPDX-License-Identifier: Apache-2.0 */
/* counts.h - what a lidar's decoder counts: every packet once, every frame once, by what became of
 * it.
 *
 * Life:    plain numbers, zero at the start, never reset.
 * Owner:   the decoder; others read them between its calls.
 * Threads: one at a time.
 * Errors:  none. Bytes that a sensor or a network got wrong are counted here and nowhere else.
 */
#ifndef SL_DRIVERS_LIDAR_COUNTS_H
#define SL_DRIVERS_LIDAR_COUNTS_H

#include <stdint.h>

enum lidar_count {
    /* Packets that were understood. */
    LIDAR_PACKETS,
    LIDAR_TELEMETRY,
    LIDAR_IMU,
    /* Packets that were left out as they came. */
    LIDAR_BAD_SHORT,
    LIDAR_BAD_LONG,
    LIDAR_BAD_FLAG,
    LIDAR_BAD_AZIMUTH,
    LIDAR_BAD_RETURN_MODE,
    LIDAR_BAD_CRC,
    LIDAR_BAD_TELEMETRY,
    LIDAR_BAD_SENTENCE, /* telemetry whose NMEA text is damaged; the rest of it was used */
    LIDAR_OTHER_MODEL,
    LIDAR_UNIDENTIFIED, /* came before the model was told, and were too many to keep */
    LIDAR_BAD_ROTATION, /* stopped, too slow or too fast, azimuths out of line */
    /* Order. What was lost in the end is GAP minus REORDERED. */
    LIDAR_GAP,       /* packets that the stamps say were left out */
    LIDAR_REORDERED, /* came late and found their place */
    LIDAR_LATE,      /* came too late, their frame was closed */
    LIDAR_DUPLICATE,
    /* Times that the stream was begun anew. */
    LIDAR_RESTART_BACK,     /* stamps jumped back */
    LIDAR_RESTART_AHEAD,    /* stamps or rotation left out about a turn or more */
    LIDAR_RESTART_ROTATION, /* azimuth is not where the rotation rate says, or it was reversed */
    LIDAR_RESTART_MODE,     /* single and dual return changed */
    LIDAR_RESTART_SENSOR,   /* the sensor says that it has started anew */
    /* Frames. */
    LIDAR_FRAMES,          /* handed on, whole and partial */
    LIDAR_FRAMES_PARTIAL,  /* of these, begun or ended elsewhere than at the cut */
    LIDAR_FRAMES_OVERFLOW, /* of these, ended because the memory was full */
    LIDAR_FRAMES_OVERDUE,  /* of these, ended because no packet came */
    LIDAR_FRAMES_DROPPED,  /* not written: no memory was to be had */
    LIDAR_COUNTS,
};

struct lidar_counts {
    uint64_t count[LIDAR_COUNTS];
};

/* "packets", "bad_short", ... as statistics show them. */
extern const char *const lidar_count_names[LIDAR_COUNTS];

static inline void lidar_count(struct lidar_counts *counts, enum lidar_count which)
{
    counts->count[which]++;
}

#endif
