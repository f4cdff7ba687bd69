/* SPDX-License-Identifier: Apache-2.0 */
/* ouster_frames.h - an Ouster's packets become turns: every column at its final place in memory
 * that a sink lends.
 *
 * A frame is what carries one frame id. Its rows are the columns of the window, in the order in
 * which they are measured; its columns are the beams, from the highest down:
 *
 *      row 0:         beam 0 | beam 1 | ...        22 bytes a point, column_kernel.h
 *      row 1:         ...
 *
 * Two returns: the second ones are the second half of the rows. Rows are as the sensor measures
 * them: the points are right, but the beams of a row look in slightly different directions, which
 * the metadata's pixel shifts would even out for a picture.
 *
 * The packets of a frame are known beforehand, so it is handed on when the last of them is in, not
 * when the next one begins. Where some are missing, two frames are open for a moment: the older one
 * waits for a few packets of the newer, or until its last column is overdue. What was overtaken
 * finds its place, what comes twice is left out.
 *
 * A hole (nothing came back, the sensor calls the column invalid, or its packet was lost) has
 * x, y, z not-a-number, intensity 0, and ring and time as the point would have had.
 *
 * Life:    ouster_frames_init | push, deadline ... | ouster_frames_flush. Nothing to free.
 * Owner:   the caller's memory, some 100 kB; the sink's rooms are written between open and close.
 * Threads: one at a time. No clock inside.
 * Errors:  none; everything is counted.
 */
#ifndef SL_DRIVERS_LIDAR_OUSTER_FRAMES_H
#define SL_DRIVERS_LIDAR_OUSTER_FRAMES_H

#include "drivers/lidar/assembly.h"
#include "drivers/lidar/column_kernel.h"
#include "drivers/lidar/ouster_metadata.h"

/* Who wants a frame's pixels as they are, beside its points. `turn` 0 or 1 is which of the two
 * frames that may be open; every close follows a begin. NULL = nobody. */
struct ouster_pixel_sink {
    void *context;
    void (*begin)(void *context, unsigned turn);
    /* A column that the sensor calls valid: beams * pixel_bytes bytes. */
    void (*column)(void *context, unsigned turn, unsigned measurement_id, const uint8_t *pixels);
    /* Before the sink of frames is told; not called for a frame that had no room. */
    void (*close)(void *context, unsigned turn, const struct lidar_frame_info *info);
};

struct ouster_frames_options {
    enum lidar_clock_choice stamp;
    int64_t ptp_ahead_ns; /* of UTC: 37 s where it counts TAI */
    bool uses_signal;     /* intensity is the signal, where there is one */
    struct ouster_pixel_sink pixels;
    struct lidar_block_options points; /* what is kept; where the sensor stands */
};

struct ouster_frame {
    bool is_open;
    bool has_room; /* the sink lent memory */
    struct lidar_frame_room room;
    uint32_t id;
    int64_t start_ns;          /* of row 0, by the sensor's clock */
    int64_t first_complete_ns; /* the first packet's end, by that clock */
    unsigned packets;          /* that came */
    unsigned columns;          /* of the window, that came */
    unsigned next;             /* packet, among the expected, after the furthest that came */
    unsigned told;             /* packets from the first one on that the sink knows of */
    unsigned packets_since;    /* of newer frames */
    unsigned valid, filtered;
    unsigned partial;
    uint64_t host_first_ns, host_last_ns;
    uint64_t overtaken_ns; /* arrival of the first packet of a newer frame; 0 = none, not known */
    uint64_t present[OUSTER_FRAME_COLUMNS / 64]; /* a bit a packet that came, by its place */
};

struct ouster_frames {
    struct ouster_metadata metadata;
    struct ouster_frames_options options;
    struct lidar_frame_sink sink;
    struct lidar_counts *counts;
    struct lidar_clock clock;

    double period_ns;                     /* of columns */
    unsigned rows;                        /* columns of the window */
    unsigned first_id;                    /* measurement id of row 0 */
    unsigned expected;                    /* packets of a frame */
    uint16_t place[OUSTER_FRAME_COLUMNS]; /* of a packet among the expected; expected = is none */

    struct ouster_frame frames[2];
    unsigned current;   /* of frames; the other one may wait for late packets */
    bool has_begun;     /* there was a packet since the last restart */
    uint32_t newest_id; /* frame id of the newest packet */
    uint32_t init_id;
    int64_t newest_ns;      /* stamp of its first column */
    uint64_t last_host_ns;  /* arrival of the packet before */
    uint64_t last_stamp_ns; /* of the frame closed last */

    double cosine[OUSTER_FRAME_COLUMNS], sine[OUSTER_FRAME_COLUMNS]; /* of a column's angle */
    struct lidar_column column;
};

/* Bytes of a whole frame: as large as a room has to be. */
size_t ouster_frame_bytes(const struct ouster_metadata *metadata);

/* `kernel` NULL = best. `counts` is written as long as the frames are used. */
void ouster_frames_init(struct ouster_frames *frames, const struct ouster_metadata *metadata,
                        const struct ouster_frames_options *options,
                        const struct lidar_frame_sink *sink, struct lidar_counts *counts,
                        const struct lidar_column_kernel *kernel);

/* One packet, which ouster_packet_parse has checked for this metadata's format, and which is
 * counted here: as LIDAR_PACKETS, or as LIDAR_BAD_AZIMUTH (no place in a turn) or LIDAR_OTHER_MODEL
 * (a place outside the metadata's window), which are left out. `host_ns` is its arrival, 0 = not
 * known. */
enum lidar_count ouster_frames_push(struct ouster_frames *frames,
                                    const struct ouster_packet *packet, uint64_t host_ns);

/* UTC of a sensor's stamp (an IMU's, too), as far as that is known. */
uint64_t ouster_frames_stamp_ns(const struct ouster_frames *frames, int64_t sensor_ns,
                                enum lidar_clock_kind *ret_kind);

/* Close what is overdue at `now_ns` (the clock of host_ns); for live input only. */
void ouster_frames_deadline(struct ouster_frames *frames, uint64_t now_ns);

/* When ouster_frames_deadline has something to do; UINT64_MAX = never. */
uint64_t ouster_frames_due_ns(const struct ouster_frames *frames);

/* The stream has ended: close everything. */
void ouster_frames_flush(struct ouster_frames *frames);

/* Give the rooms back without a frame. */
void ouster_frames_discard(struct ouster_frames *frames);

#endif
