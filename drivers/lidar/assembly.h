/* SPDX-License-Identifier: Apache-2.0 */
/* assembly.h - frames out of packets: every column at its final place in memory that a sink lends.
 *
 * A frame is one turn, from the exact column that crosses the cut angle to the one before the next
 * crossing. Columns are in the order of their time, so those of a sensor that turns
 * counterclockwise go round the other way; where it begins to, a frame ends. A column's row follows
 * from its time, not from its order of arrival: what was lost leaves holes, what was overtaken
 * finds its place, what comes twice is left out. So two frames are open for a moment after a cut,
 * if packets of the older one are missing; if none is, it is handed on at once.
 *
 *      row 0:         ring 0 | ring 1 | ... | ring 15 ...  22 bytes a point, block_kernel.h
 *      row 1:         ...
 *
 * Two returns: rows 0 ... height/2 - 1 are the first return of each column (the last return, which
 * every answered shot has), rows height/2 ... are the second (the strongest, or the second
 * strongest where the last is the strongest; a hole where it equals the first). height/2 is fixed
 * when the frame begins, from the rate of rotation and a margin of a 32nd; rows that are left over
 * are holes. Three returns likewise, the third a hole where it equals one of the others. With one
 * return height is the number of columns of the turn.
 *
 * Of a sensor with a mirror (mirror.h) a frame is one sweep, from its first column to its last.
 *
 * A hole has x, y, z not-a-number, intensity 0, and ring and time as the point would have had.
 *
 * Life:    lidar_assembly_init | push, deadline ... | lidar_assembly_flush. Nothing to free.
 * Owner:   the caller's memory; the sink's rooms are written between its open and close.
 * Threads: one at a time. No clock inside.
 * Errors:  none; everything is counted.
 */
#ifndef SL_DRIVERS_LIDAR_ASSEMBLY_H
#define SL_DRIVERS_LIDAR_ASSEMBLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "drivers/lidar/block_kernel.h"
#include "drivers/lidar/counts.h"
#include "drivers/lidar/geometry.h"
#include "drivers/lidar/packet.h"
#include "drivers/lidar/sensor_clock.h"

#define LIDAR_FRAME_ROWS_MAX 8192 /* rows of one return; more memory than that is not used */
#define LIDAR_ROOM_ALIGNMENT LIDAR_HALF_ALIGNMENT
#define LIDAR_LATE_PACKETS   4 /* for which a cut frame with a gap waits */
#define LIDAR_LATE_WAIT_NS   UINT64_C(10000000)
#define LIDAR_OVERDUE_NS     UINT64_C(100000000) /* of silence, or a slower turn: a frame ends */

/* Why a frame is not a whole turn. */
#define LIDAR_PARTIAL_START    0x1u /* it began elsewhere than at the cut */
#define LIDAR_PARTIAL_END      0x2u /* it ended elsewhere: jump, stop, end of the stream */
#define LIDAR_PARTIAL_OVERFLOW 0x4u /* its memory was full */
#define LIDAR_PARTIAL_OVERDUE  0x8u /* nothing came any more */

struct lidar_frame_room {
    void *data; /* aligned to LIDAR_ROOM_ALIGNMENT */
    size_t capacity_bytes;
    void *handle; /* the sink's own, given back at close */
};

struct lidar_frame_info {
    uint64_t
        stamp_ns; /* UTC of row 0's first firing; the counter's reading if there is no host time */
    enum lidar_clock_kind clock;
    int64_t sensor_ns;      /* the same on the sensor's time line */
    uint64_t host_first_ns; /* arrival of its first packet and of its last; 0 = not known */
    uint64_t host_last_ns;
    uint32_t width;    /* rings */
    uint32_t height;   /* rows, all returns */
    uint32_t returns;  /* 1 to LIDAR_RETURNS_MAX */
    uint32_t columns;  /* of the turn, those that were lost too */
    uint32_t missing;  /* columns that never came */
    uint32_t valid;    /* points that are no holes */
    uint32_t filtered; /* points that came back and are holes because the options say so */
    unsigned partial;  /* LIDAR_PARTIAL_..., 0 = a whole turn */
    size_t size_bytes; /* width * height * LIDAR_POINT_BYTES */
};

/* How far a frame that is open has come. */
struct lidar_frame_progress {
    uint64_t stamp_ns; /* and the next two as in lidar_frame_info, as far as they are known */
    enum lidar_clock_kind clock;
    uint64_t host_first_ns;
    uint32_t width, returns;
    uint32_t columns; /* from the first one on that have all come: they are not written again */
    uint32_t rows;    /* from one return of a column to the next one of it */
};

/* Where frames go. `open` lends memory: 0, or -errno and the frame is counted as dropped. `close`
 * takes a finished frame (streamed stores are fenced); frames are closed in the order of their
 * time. Two may be open. `discard` takes back memory that holds no frame. */
struct lidar_frame_sink {
    void *context;
    int (*open)(void *context, struct lidar_frame_room *ret_room);
    void (*close)(void *context, void *handle, const struct lidar_frame_info *info);
    void (*discard)(void *context, void *handle);
    /* More columns are finished, and fenced, than at the last call. NULL = nobody asks. */
    void (*progress)(void *context, void *handle, const struct lidar_frame_progress *progress);
};

struct lidar_assembly_options {
    double cut_angle_deg; /* 0 ... 360, the sensor's azimuth, clockwise from above */
    enum lidar_clock_choice stamp;
    struct lidar_block_options block;
};

struct lidar_frame {
    bool is_open;
    bool has_room; /* the sink lent memory */
    struct lidar_frame_room room;
    unsigned returns;
    int64_t start_ns; /* of row 0, on the sensor's time line */
    /* The newest column in order: rows are counted from there, so that a period that is not quite
     * the sensor's does not add up. */
    int64_t newest_ns;
    unsigned newest_row;
    unsigned rows_max; /* of one return */
    unsigned rows;     /* up to the last column that came */
    unsigned columns;  /* of the turn, once it is cut */
    unsigned filled;   /* columns that came */
    unsigned told;     /* columns from the first one on that the sink knows of */
    unsigned gap;      /* columns that packets in a gap would have filled, still missing */
    unsigned valid, filtered;
    unsigned partial;
    uint64_t host_first_ns, host_last_ns;
    int64_t first_complete_ns; /* the first packet's end, on the sensor's time line */
    uint64_t cut_host_ns;
    uint64_t stamp_ns; /* as far as it was known when the frame was begun */
    enum lidar_clock_kind clock_kind;
    unsigned clock_generation;
    unsigned packets_since_cut;
    uint64_t present[LIDAR_FRAME_ROWS_MAX / 64 + 1];
};

struct lidar_assembly {
    struct lidar_assembly_options options;
    struct lidar_frame_sink sink;
    struct lidar_counts *counts;
    const struct lidar_clock *clock;
    const struct lidar_model *model;
    double cut_units;

    struct lidar_frame frames[2];
    unsigned current; /* of frames; the other one may wait for late packets */

    /* Where the rotation stands, after the newest packet in order. */
    bool has_rotation;
    int64_t last_ns;   /* its last column */
    double last_units; /* and that one's place in its course (geometry.h) */
    int64_t next_ns;   /* when the column after it is due */
    int64_t blind_ns;  /* that the last packet jumped over, by its own rate; 0 = it did not */
    uint64_t turn_ns;  /* how long a turn takes, by the last packet's rate */
    uint64_t last_host_ns;
    uint64_t last_stamp_ns; /* of the frame closed last */

    struct lidar_track track;
    struct lidar_turn turn;
    unsigned block_count;
    struct lidar_block blocks[LIDAR_BLOCKS_A_GROUP];
};

/* Bytes that a whole turn may need: as large as a slot has to be. */
size_t lidar_frame_bytes_max(const struct lidar_model *model, unsigned returns);

/* `clock` and `counts` are read and written as long as the assembly is used. `kernel` NULL = best.
 */
void lidar_assembly_init(struct lidar_assembly *assembly, const struct lidar_model *model,
                         const struct lidar_assembly_options *options,
                         const struct lidar_frame_sink *sink, const struct lidar_clock *clock,
                         struct lidar_counts *counts, const struct lidar_block_kernel *kernel);

/* One packet, and how its time stands to those before. LIDAR_STEP_BACK and _AHEAD end what is open.
 */
void lidar_assembly_push(struct lidar_assembly *assembly, const struct lidar_packet *packet,
                         enum lidar_clock_step step);

/* Close what is overdue at `now_ns` (the clock of the packets' host_ns); for live input only. */
void lidar_assembly_deadline(struct lidar_assembly *assembly, uint64_t now_ns);

/* When lidar_assembly_deadline has something to do; UINT64_MAX = never. */
uint64_t lidar_assembly_due_ns(const struct lidar_assembly *assembly);

/* The stream has ended: close everything. */
void lidar_assembly_flush(struct lidar_assembly *assembly);

/* Give the rooms back without a frame. */
void lidar_assembly_discard(struct lidar_assembly *assembly);

#endif
