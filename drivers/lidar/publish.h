/* SPDX-License-Identifier: Apache-2.0 */
/* publish.h - finished turns to two topics: points, and the packets that they were made of.
 *
 * Points: the sink that a decoder writes into. A frame is a loaned slot; its points stand at a page
 * boundary, the message's prefix is written right-justified before them when the frame is done:
 *
 *      slot:  | free | prefix | points ... | is_dense, padding | free |
 *             0               data_offset (a multiple of 4096)
 *
 * On request, points are handed on in slices of a turn: each message has the next so many columns
 * of the slot, which goes on being filled behind them. Its prefix and suffix stand beside the slot;
 * its points are one range of the slot, or two with two returns. A slice has the turn's stamp, from
 * which the points' times count. A column that did not come holds up those behind it until the turn
 * ends.
 *
 * Packets: a VelodyneScan (a Hesai's: NebulaPackets) a turn, data packets only, each as it came.
 * They are written behind room for the prefix into a slot that is loaned with a scan's first
 * packet. The packet that holds the cut belongs to the turn that it completes; one that tells of a
 * jump begins the next scan. The stamp is the first packet's arrival. A scan is published after the
 * points of its turn.
 *
 * Points and packets are streamed, so a slot may lie in any kind of memory; it is never read.
 *
 * Life:    lidar_publish_init -> (the decoder's calls) with lidar_publish_packet after each push ->
 *          lidar_publish_settle after whatever else may have closed a frame -> lidar_publish_drop
 * Owner:   the caller's memory; publishers stay the caller's.
 * Threads: the publishing one.
 * Errors:  none are returned: a frame or scan that no slot was free for is counted and left out;
 *          what keeps every further one from having a slot is left in `failure`.
 */
#ifndef SL_DRIVERS_LIDAR_PUBLISH_H
#define SL_DRIVERS_LIDAR_PUBLISH_H

#include "core/base/histogram.h"
#include "core/capture/datagram.h"
#include "core/shm/sluice.h"
#include "drivers/lidar/assembly.h"
#include "drivers/lidar/packet_form.h"

#define LIDAR_FRAME_ID_MAX    255
#define LIDAR_FRAMES_OPEN_MAX 2 /* at one time: loans of the points' publisher */

/* NULL = never wait for a slot. Else: is it worth waiting on? Asked some times a second. */
struct lidar_patience {
    bool (*may_wait)(void *context);
    void *context;
};

/* A slot, waited for as long as patience says. -EAGAIN if there was none. */
int lidar_publish_loan(const struct lidar_patience *patience, struct sl_publisher *from,
                       struct sl_loan *ret_loan);

struct lidar_publish_config {
    struct sl_publisher *points;
    struct sl_publisher *packets;         /* NULL = only points */
    const struct lidar_packet_form *form; /* of the packets; NULL = a VelodyneScan */
    const char *frame_id; /* at most LIDAR_FRAME_ID_MAX bytes; must outlive the rest */
    struct lidar_patience patience;
    /* Looks at each turn's points before they are published; NULL = nobody does. They may lie in
     * memory that is slow to read. */
    void (*look)(void *looker, const struct lidar_frame_info *info, enum sl_clock clock,
                 const uint8_t *points);
    void *looker;
    unsigned slice_columns; /* hand on so many columns as soon as they are finished; 0 = turns */
};

struct lidar_publish_counts {
    uint64_t frames, points, returns; /* published; returns are the points that are no holes */
    uint64_t slices;                  /* published, in parts of `frames` */
    uint64_t filtered;                /* points that are holes because the options say so */
    uint64_t scans, scan_packets;     /* published */
    uint64_t scans_dropped;           /* no slot was free */
    uint64_t unpublishable;           /* frames and packets with a stamp that no message can hold */
};

/* A slot that is being filled with points. */
struct lidar_open_frame {
    bool is_open;
    struct sl_loan loan;
    unsigned sliced, slices; /* columns that were handed on, in so many messages */
    uint64_t stamp_ns;       /* of them all, and the clock of that */
    enum sl_clock clock;
};

struct lidar_open_scan {
    struct sl_loan loan;
    bool has_slot;
    bool is_refused; /* no slot was free for it: wait for the next turn */
    bool began_at_cut;
    uint32_t packet_count;
    uint32_t packets_size, next_at; /* bytes of the packets; where the next one comes */
    uint64_t first_ns;              /* arrival of its first packet */
};

struct lidar_publish {
    struct lidar_publish_config config;
    struct sl_text frame_id;
    uint32_t points_offset;  /* of a slot */
    uint32_t packets_offset; /* the prefix's size */
    const struct lidar_packet_form *form;
    struct lidar_open_frame frame[LIDAR_FRAMES_OPEN_MAX];
    struct lidar_open_frame *newest; /* NULL: it got no slot, or there is none */
    bool has_turn;                   /* a frame was begun, with or without a slot */
    bool is_cut, is_over;            /* what the push that goes on did to the turn */
    struct lidar_open_scan scan;
    int failure;                 /* -errno: no slot is to be had any more (-ENODEV) */
    uint64_t received_ns;        /* monotonic; set by the caller when datagrams arrived; 0 = no */
    uint64_t arrived_ns;         /* realtime; likewise, of the one datagram that is being decoded */
    uint64_t published_ns;       /* monotonic; when points were last published */
    struct sl_histogram delay;   /* from there to the end of publishing points */
    enum lidar_clock_kind clock; /* of the newest frame's stamp, once one was published */
    struct lidar_publish_counts counts;
};

/* What the points' topic needs for slices: room beside a slot for so many of them, at least one, of
 * a turn with so many columns. */
unsigned lidar_publish_slices_max(unsigned columns, unsigned slice_columns);
uint32_t lidar_publish_slices_side_bytes(unsigned slices);

/* What slots of the two topics must hold. */
uint64_t lidar_publish_points_slot_bytes(const char *frame_id, size_t cloud_bytes);
uint64_t lidar_publish_packets_slot_bytes(const char *frame_id, unsigned packets);
/* The same where packets are not a Velodyne's: at most `packet_bytes` long. */
uint64_t lidar_publish_form_slot_bytes(const struct lidar_packet_form *form, const char *frame_id,
                                       unsigned packets, size_t packet_bytes);

/* Whose clock a stamp is read from. Without arrival times (`host_ns`, 0 = there are none) a
 * free-running counter is tied to nothing: then the stamp is the counter's reading. */
enum sl_clock lidar_publish_clock_of(enum lidar_clock_kind kind, uint64_t host_ns);
/* Of a frame's. */
enum sl_clock lidar_publish_clock(const struct lidar_frame_info *info);

void lidar_publish_init(struct lidar_publish *publish, const struct lidar_publish_config *config);
struct lidar_frame_sink lidar_publish_sink(struct lidar_publish *publish);

/* `packet` was pushed into the decoder and is a data packet that it accepted. */
void lidar_publish_packet(struct lidar_publish *publish, const struct sl_datagram *packet);

/* The decoder may have closed a frame without a packet: deadline, flush. */
void lidar_publish_settle(struct lidar_publish *publish);

/* Publish the scan that was begun, whole or not: the stream has ended. */
void lidar_publish_end(struct lidar_publish *publish);

/* Give back what is still loaned. */
void lidar_publish_drop(struct lidar_publish *publish);

#endif
