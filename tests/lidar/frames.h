/* SPDX-License-Identifier: Apache-2.0 */
/* frames.h - a sink that keeps frames in plain memory, and packets made byte by byte.
 *
 * Life:    frames_init -> decoder ... -> frames_finish.
 * Owner:   the caller.
 * Threads: one at a time.
 * Errors:  a test that runs out of room fails.
 */
#ifndef SL_TESTS_LIDAR_FRAMES_H
#define SL_TESTS_LIDAR_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "drivers/lidar/decoder.h"

#define KEPT_FRAMES_MAX 128
#define KEPT_GUARD      64 /* bytes behind each room that must stay as they are */

struct kept_frame {
    bool is_closed;
    uint8_t *data;
    struct lidar_frame_info info;
};

struct frames {
    size_t capacity_bytes; /* of each room */
    unsigned refuse;       /* so many opens to come fail */
    unsigned opened, closed, discarded;
    struct kept_frame kept[KEPT_FRAMES_MAX]; /* in the order of closing */
};

struct point {
    float x, y, z, intensity;
    uint16_t ring;
    float time;
};

void frames_init(struct frames *frames, size_t capacity_bytes);
void frames_finish(struct frames *frames);
struct lidar_frame_sink frames_sink(struct frames *frames);

struct point frame_point(const struct kept_frame *frame, unsigned row, unsigned ring);
bool point_is_hole(const struct point *point);

/* A VLP-16 as the manual describes its packets; the decoder's tables are not used. */
#define FAKE_PACKET_BYTES 1206
struct fake_sensor {
    double turn_hz;         /* 10 */
    double azimuth_deg;     /* of the first firing of packet 0 */
    double start_us;        /* of packet 0, since the top of the hour */
    uint8_t product_id;     /* 0x22 */
    uint8_t mode;           /* 0x37 */
    uint64_t host_start_ns; /* arrival of packet 0's first firing */
    uint16_t raw;           /* distance of every return */
    uint8_t intensity;
};

struct fake_sensor fake_vlp16(void);

/* Packet `n` of the sensor; returns its arrival time. */
uint64_t fake_packet(const struct fake_sensor *sensor, unsigned n,
                     uint8_t ret_bytes[FAKE_PACKET_BYTES]);

/* The same, pushed. */
int fake_push(const struct fake_sensor *sensor, unsigned n, struct lidar_decoder *decoder);

#endif
