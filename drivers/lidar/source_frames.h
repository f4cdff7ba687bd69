/* SPDX-License-Identifier: Apache-2.0 */
/* source_frames.h - what the sources that see whole frames of an interface have in common: which
 * datagrams are wanted, IP fragments put together, and what is counted.
 *
 * Life:    zeros -> lidar_frames_open -> take ... -> lidar_frames_close
 * Owner:   a datagram's bytes are the frame's or, of one that came in fragments, the reassembler's:
 *          valid until the next take.
 * Threads: one at a time.
 * Errors:  -errno with sl_error_text().
 */
#ifndef SL_DRIVERS_LIDAR_SOURCE_FRAMES_H
#define SL_DRIVERS_LIDAR_SOURCE_FRAMES_H

#include "core/capture/datagrams.h"
#include "drivers/lidar/source.h"

/* Datagrams in fragments whose first one said that they are not for us: the others have no port. */
#define LIDAR_FOREIGN_MAX 64

struct lidar_foreign {
    uint8_t source[16], destination[16];
    uint32_t id;
    uint8_t family; /* 0 = a free place */
    uint64_t time_ns;
};

struct lidar_frames {
    struct sl_datagram_decoder *decoder;
    uint16_t ports[LIDAR_SOURCE_PORTS_MAX];
    unsigned port_count;
    bool has_sender;
    struct sl_endpoint sender;
    struct lidar_foreign foreign[LIDAR_FOREIGN_MAX];
    unsigned foreign_next; /* the oldest place */
    int group_fd;          /* its socket keeps the membership; -1 = no group */
};

/* -EINVAL (ports, sender, group), -ENODEV, -ENOMEM. */
int lidar_frames_open(struct lidar_frames *frames, const struct lidar_interface_config *config);
void lidar_frames_close(struct lidar_frames *frames); /* zeros are fine */

/* A frame. True if it was, or completed, a wanted datagram; others are counted in `stats`. */
bool lidar_frames_take(struct lidar_frames *frames, const struct sl_capture_record *record,
                       struct lidar_source_stats *stats, struct sl_datagram *ret_datagram);

/* What the decoder of frames counts, as a source's statistics. */
void lidar_frames_stats(const struct lidar_frames *frames, struct lidar_source_stats *stats);

#endif
