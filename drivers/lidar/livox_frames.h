/* SPDX-License-Identifier: Apache-2.0 */
/* livox_frames.h - lists of points become frames: all that was seen in a stretch of time.
 *
 * The scan does not repeat, so frames are cut by time: at whole periods of the sensor's clock,
 * which are the same moments for sensors whose clocks are the same. A packet belongs to the period
 * of its first point. A frame's stamp is the beginning of its period, also where its first packets
 * are missing; points' times count from there.
 *
 *      row 0:         point 0 | point 1 | ... | point 95        22 bytes a point, block_kernel.h
 *      row 1:         ...
 *
 * A row is a packet, as they came; there are none for those that did not. The ring is the laser
 * (the points' number modulo the lasers'). A hole (list_kernel.h) has x, y, z not-a-number,
 * intensity 0, and ring and time as the point would have had.
 *
 * Life:    livox_frames_init | push, deadline ... | livox_frames_flush. Nothing to free.
 * Owner:   the caller's memory; the sink's rooms are written between open and close.
 * Threads: one at a time. No clock inside.
 * Errors:  none; everything is counted.
 */
#ifndef SL_DRIVERS_LIDAR_LIVOX_FRAMES_H
#define SL_DRIVERS_LIDAR_LIVOX_FRAMES_H

#include "drivers/lidar/assembly.h"
#include "drivers/lidar/list_kernel.h"
#include "drivers/lidar/livox.h"

#define LIVOX_RECENT 64 /* packets whose stamps are remembered, to know them again */

struct livox_frames_options {
    uint64_t period_ns; /* above 0 */
    enum lidar_clock_choice stamp;
    int64_t ptp_ahead_ns;              /* of UTC: 37 s where it counts TAI */
    uint8_t unwanted_tags;             /* bits; points that have one are holes */
    struct lidar_block_options points; /* range limits, filter; where the sensor stands */
};

struct livox_frame {
    bool is_open;
    bool has_room; /* the sink lent memory */
    struct lidar_frame_room room;
    uint64_t period; /* that it is of, since the sensor's clock was 0 */
    unsigned width;  /* points of a row */
    unsigned rows, rows_max;
    unsigned packets;         /* that came */
    unsigned gap;             /* packets that did not */
    unsigned valid, filtered; /* points */
    unsigned partial;
    unsigned packets_since; /* of newer frames */
    uint64_t host_first_ns, host_last_ns;
    uint64_t overtaken_ns; /* arrival of the first packet of a newer frame; 0 = none, not known */
};

struct livox_frames {
    struct livox_frames_options options;
    struct lidar_frame_sink sink;
    struct lidar_counts *counts;
    struct lidar_clock clock;

    struct livox_frame frames[2];
    unsigned current; /* of frames; the other one may wait for late packets */
    bool has_begun;   /* there was a packet since the last restart */
    enum livox_clock source;
    uint64_t newest_ns; /* stamp of the newest packet */
    uint16_t newest_number;
    uint64_t step_ns; /* from one packet to the next one, where none was lost; 0 = not known */
    unsigned late_run;
    uint64_t last_host_ns;  /* arrival of the packet before */
    uint64_t last_stamp_ns; /* of the frame closed last */
    uint64_t recent[LIVOX_RECENT];
    unsigned recent_next;

    struct lidar_list list;
};

/* Bytes of the largest frame that such a sensor fills in a period. */
size_t livox_frame_bytes_max(const struct livox_model *model, uint64_t period_ns);

/* `counts` is written as long as the frames are used. */
void livox_frames_init(struct livox_frames *frames, const struct livox_model *model,
                       const struct livox_frames_options *options,
                       const struct lidar_frame_sink *sink, struct lidar_counts *counts,
                       const struct lidar_list_kernel *kernel);

/* One packet of points, which is counted here. `host_ns` is its arrival, 0 = not known. */
void livox_frames_push(struct livox_frames *frames, const struct livox_packet *packet,
                       uint64_t host_ns);

/* UTC of a sensor's stamp (an IMU's, too), as far as that is known. */
uint64_t livox_frames_stamp_ns(const struct livox_frames *frames, enum livox_clock source,
                               uint64_t sensor_ns, enum lidar_clock_kind *ret_kind);

/* Close what is overdue at `now_ns` (the clock of host_ns); for live input only. */
void livox_frames_deadline(struct livox_frames *frames, uint64_t now_ns);

/* When livox_frames_deadline has something to do; UINT64_MAX = never. */
uint64_t livox_frames_due_ns(const struct livox_frames *frames);

/* The stream has ended: close everything. */
void livox_frames_flush(struct livox_frames *frames);

/* Give the rooms back without a frame. */
void livox_frames_discard(struct livox_frames *frames);

#endif
