/* SPDX-License-Identifier: Apache-2.0 */
/* load_packets.h - packets of sensors at their real rates, without end; the decoders' tables are
 * not used, but for the simulated VLP-16.
 *
 * A sensor is a line in load_sensors: how often a packet leaves it, and what makes packet `n`.
 * Each turns ten times a second, sees something with every ray, and begins a turn with packet 0
 * (a VLP-16 at 90 degrees).
 *
 * Life:    load_sensor_find; where it has `prepare`, that first, once a process.
 * Owner:   tables and what is prepared are the process's.
 * Threads: one.
 * Errors:  NULL, or -errno.
 */
#ifndef SL_TESTS_LIDAR_LOAD_PACKETS_H
#define SL_TESTS_LIDAR_LOAD_PACKETS_H

#include <stdint.h>

#define LOAD_PACKET_MAX 33024

struct load_sensor {
    const char *name;
    uint64_t period_ns;    /* between two packets */
    uint32_t packet_bytes; /* of payload */
    uint32_t turn_packets; /* 0 = a turn does not end with a packet */
    uint32_t rays;         /* width of the clouds that come of it */
    uint32_t rows;         /* of its clouds, where each turn has the same; 0 = it has not */
    uint32_t returns;      /* in a packet; 0 = more in one than in another */
    int (*prepare)(uint64_t packets); /* so many will be asked for; NULL = nothing to do */
    void (*make)(const struct load_sensor *sensor, uint64_t n, uint8_t *ret_bytes);
};

extern const struct load_sensor load_sensors[]; /* ended by a NULL name */

const struct load_sensor *load_sensor_find(const char *name);

/* The metadata of "os128", as JSON. */
int load_ouster_metadata(const char *path);

#endif
