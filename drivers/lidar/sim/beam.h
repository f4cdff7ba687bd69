/* SPDX-License-Identifier: Apache-2.0 */
/* beam.h - what the simulated sensors have in common: a head that turns, a beam that looks into the
 * scene, chance.
 *
 * Life:    plain values.
 * Owner:   the caller's.
 * Threads: any; the generator's state is the caller's.
 * Errors:  none: the config is one that lidar_sim_create has taken.
 */
#ifndef SL_DRIVERS_LIDAR_SIM_BEAM_H
#define SL_DRIVERS_LIDAR_SIM_BEAM_H

#include "drivers/lidar/sim/sim.h"

/* A generator with 64 bits of state (SplitMix64: Steele, Lea and Flood, 2014). */
struct lidar_sim_random {
    uint64_t state;
};
double lidar_sim_uniform(struct lidar_sim_random *random); /* 0 <= x < 1 */
double lidar_sim_normal(struct lidar_sim_random *random);  /* mean 0, deviation 1 */

/* Turns of the head since it stood straight ahead, at `at_ns` of the simulation's clock, the way
 * that it turns; and when it has made so many, where it is not reversed. Faults may change its
 * speed. */
double lidar_sim_turns(const struct lidar_sim_config *config, uint64_t at_ns);
uint64_t lidar_sim_turns_ns(const struct lidar_sim_config *config, double turns);

/* What a beam meets. `second` is the strongest beside `strongest`, which it is itself where nothing
 * else is met. */
struct lidar_sim_look {
    struct lidar_scene_hit hits[LIDAR_SCENE_RETURNS_MAX];
    unsigned count; /* 0 = nothing, the other numbers mean nothing then */
    unsigned last, strongest, second;
};

/* `azimuth` clockwise from straight ahead, seen from above; both in radians. */
void lidar_sim_look(const struct lidar_scene_pose *pose, struct lidar_scene_vector origin,
                    double azimuth, double elevation, struct lidar_sim_look *ret_look);

/* The two returns of sensors that tell the last and the strongest one: [0] the last, or the only
 * one that is told; [1] with two returns the strongest, or the second strongest where the last is
 * the strongest. NULL = nothing to tell. One return alone is both. */
void lidar_sim_last_and_strongest(const struct lidar_sim_config *config,
                                  const struct lidar_sim_look *look,
                                  const struct lidar_scene_hit *ret_hits[2]);

/* How far the sensor says that it is, in `unit_m`, rounded: with the config's noise. 0 = beyond the
 * range, or beyond `units_max`. */
uint32_t lidar_sim_distance(const struct lidar_sim_config *config,
                            const struct lidar_scene_hit *hit, double unit_m, uint32_t units_max,
                            struct lidar_sim_random *noise);

#endif
