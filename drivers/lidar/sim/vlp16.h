/* SPDX-License-Identifier: Apache-2.0 */
/* vlp16.h - scene and time in, the bytes of one packet out.
 *
 * Life:    plain values; the caller owns the bytes.
 * Threads: any; the noise state is the caller's.
 * Errors:  none: the config is one that lidar_sim_create has taken, its start_utc_ns filled in.
 */
#ifndef SL_DRIVERS_LIDAR_SIM_VLP16_H
#define SL_DRIVERS_LIDAR_SIM_VLP16_H

#include "drivers/lidar/sim/sim.h"

/* A generator with 64 bits of state (SplitMix64: Steele, Lea and Flood, 2014). */
struct lidar_sim_random {
    uint64_t state;
};
double lidar_sim_uniform(struct lidar_sim_random *random); /* 0 <= x < 1 */
double lidar_sim_normal(struct lidar_sim_random *random);  /* mean 0, deviation 1 */

/* How long one data packet of this return mode measures. */
uint64_t lidar_sim_packet_ns(enum lidar_sim_return return_mode);

/* Write the data packet whose first firing is at `first_ns` of the simulation's clock. */
void lidar_sim_write_data(const struct lidar_sim_config *config, uint64_t first_ns,
                          struct lidar_sim_random *noise, uint8_t bytes[LIDAR_SIM_DATA_BYTES]);

/* Write the telemetry packet of that instant. */
void lidar_sim_write_telemetry(const struct lidar_sim_config *config, uint64_t at_ns,
                               uint8_t bytes[LIDAR_SIM_TELEMETRY_BYTES]);

#endif
