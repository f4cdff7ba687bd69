/* SPDX-License-Identifier: Apache-2.0 */
/* sensor.h - what makes a simulated sensor one of a kind: when its packets leave, and their bytes.
 * A new one is a file with one of these, and a line in sim.c's list.
 *
 * Life:    plain values; the caller owns the bytes.
 * Threads: any; the noise state is the caller's.
 * Errors:  none: the config is one that lidar_sim_create has taken, its start_utc_ns filled in.
 */
#ifndef SL_DRIVERS_LIDAR_SIM_SENSOR_H
#define SL_DRIVERS_LIDAR_SIM_SENSOR_H

#include "drivers/lidar/sim/beam.h"

#include <stdio.h>

/* Which packet it is. */
struct lidar_sim_moment {
    uint64_t index;      /* since the sensor was switched on */
    uint64_t on_ns;      /* when that was, by the simulation's clock */
    unsigned generation; /* how often it was switched off before */
};

struct lidar_sim_sensor {
    bool can_reverse; /* it may be set to turn counterclockwise, or come to */
    uint16_t data_port, telemetry_port;
    unsigned telemetry_every; /* data packets between two telemetry packets; 0 = it has none */
    /* What sim.c cannot know: -EINVAL with a sentence. NULL = nothing. */
    int (*check)(const struct lidar_sim_config *config);
    /* When this packet's first firing is; the next one's is when this one leaves. */
    uint64_t (*start_ns)(const struct lidar_sim_config *config,
                         const struct lidar_sim_moment *moment);
    /* The bytes of a data packet. Returns how many. */
    uint32_t (*write_data)(const struct lidar_sim_config *config,
                           const struct lidar_sim_moment *moment, struct lidar_sim_random *noise,
                           uint8_t bytes[LIDAR_SIM_PACKET_BYTES_MAX]);
    /* Of the telemetry packet of an instant. */
    uint32_t (*write_telemetry)(const struct lidar_sim_config *config,
                                const struct lidar_sim_moment *moment, uint64_t at_ns,
                                uint8_t bytes[LIDAR_SIM_PACKET_BYTES_MAX]);
    /* What is told of the sensor beside its packets; NULL = nothing. */
    void (*write_metadata)(const struct lidar_sim_config *config, FILE *file);
};

extern const struct lidar_sim_sensor lidar_sim_vlp16, lidar_sim_os1_64, lidar_sim_xt32;
extern const struct lidar_sim_sensor lidar_sim_mid360;

/* What the sensor's clock says at an instant of the simulation's: UTC where GPS (or PTP) sets it,
 * else the time since it was switched on; wrong where faults make it so. Not below 0. */
uint64_t lidar_sim_sensor_ns(const struct lidar_sim_config *config,
                             const struct lidar_sim_moment *moment, uint64_t at_ns);

/* The head's direction at an instant, clockwise from straight ahead: 0 <= x < 1 turn. */
double lidar_sim_azimuth(const struct lidar_sim_config *config, uint64_t at_ns);

#endif
