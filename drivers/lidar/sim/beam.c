/* SPDX-License-Identifier: Apache-2.0 */
/* beam.c - rotation, rays, noise. */
#include "drivers/lidar/sim/beam.h"

#include "core/base/clock.h"

#include <math.h>

double lidar_sim_uniform(struct lidar_sim_random *random)
{
    uint64_t mixed = random->state += UINT64_C(0x9E3779B97F4A7C15);
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94D049BB133111EB);
    mixed ^= mixed >> 31;
    return (double)(mixed >> 11) * 0x1p-53;
}

double lidar_sim_normal(struct lidar_sim_random *random)
{
    /* Box and Muller; 1 - x keeps the logarithm away from zero. */
    double radius = sqrt(-2 * log(1 - lidar_sim_uniform(random)));
    return radius * cos(2 * M_PI * lidar_sim_uniform(random));
}

/* From `at_s` on the speed goes over to another one, evenly, as a motor's does. */
#define RAMP_S 0.5

static bool changes_speed(const struct lidar_sim_config *config)
{
    return config->faults.speed != 0;
}

/* Seconds that the head would have needed at its old speed for what it turned since `at_s`. */
static double ramp(double factor, double since_s)
{
    double ramp_s = since_s < RAMP_S ? since_s : RAMP_S;
    return ramp_s + (factor - 1) * ramp_s * ramp_s / (2 * RAMP_S) + factor * (since_s - ramp_s);
}

/* The inverse. */
static double ramp_back(double factor, double turned_s)
{
    double whole_s = ramp(factor, RAMP_S), gain = (factor - 1) / RAMP_S;
    if (turned_s >= whole_s)
        return RAMP_S + (turned_s - whole_s) / factor;
    return gain == 0 ? turned_s : (sqrt(1 + 2 * gain * turned_s) - 1) / gain;
}

double lidar_sim_turns(const struct lidar_sim_config *config, uint64_t at_ns)
{
    double time_s = (double)at_ns * 1e-9, at_s = config->faults.at_s;
    if (changes_speed(config) && time_s > at_s)
        time_s = at_s + ramp(config->faults.speed, time_s - at_s);
    return time_s * config->rotation_hz + config->start_azimuth_deg / 360;
}

uint64_t lidar_sim_turns_ns(const struct lidar_sim_config *config, double turns)
{
    double time_s = (turns - config->start_azimuth_deg / 360) / config->rotation_hz;
    double at_s = config->faults.at_s;
    if (changes_speed(config) && time_s > at_s)
        time_s = at_s + ramp_back(config->faults.speed, time_s - at_s);
    return time_s > 0 ? (uint64_t)llround(time_s * 1e9) : 0;
}

void lidar_sim_look(const struct lidar_scene_pose *pose, struct lidar_scene_vector origin,
                    double azimuth, double elevation, struct lidar_sim_look *ret_look)
{
    /* x is ahead and y left. */
    const struct lidar_scene_vector direction = {cos(elevation) * cos(azimuth),
                                                 -cos(elevation) * sin(azimuth), sin(elevation)};
    struct lidar_scene_hit *hits = ret_look->hits;
    const unsigned count = lidar_scene_cast(pose, origin, direction, hits);
    ret_look->count = count;
    if (count == 0)
        return;
    unsigned strongest = 0, second = count - 1;
    for (unsigned i = 1; i < count; i++)
        if (hits[i].intensity > hits[strongest].intensity)
            strongest = i;
    for (unsigned i = 0; i < count; i++)
        if (i != strongest && (second == strongest || hits[i].intensity > hits[second].intensity))
            second = i;
    ret_look->last = count - 1;
    ret_look->strongest = strongest;
    ret_look->second = second;
}

void lidar_sim_last_and_strongest(const struct lidar_sim_config *config,
                                  const struct lidar_sim_look *look,
                                  const struct lidar_scene_hit *ret_hits[2])
{
    ret_hits[0] = ret_hits[1] = NULL;
    if (look->count == 0)
        return;
    const struct lidar_scene_hit *strongest = &look->hits[look->strongest];
    ret_hits[0] = &look->hits[look->last];
    if (config->return_mode == LIDAR_SIM_STRONGEST)
        ret_hits[0] = strongest;
    if (config->return_mode == LIDAR_SIM_DUAL)
        ret_hits[1] = look->strongest == look->last ? &look->hits[look->second] : strongest;
}

uint32_t lidar_sim_distance(const struct lidar_sim_config *config,
                            const struct lidar_scene_hit *hit, double unit_m, uint32_t units_max,
                            struct lidar_sim_random *noise)
{
    double distance = hit->distance_m;
    if (config->range_noise_m > 0)
        distance += config->range_noise_m * lidar_sim_normal(noise);
    double units = round(distance / unit_m);
    if (distance > config->range_max_m || units < 1 || units > units_max)
        return 0;
    return (uint32_t)units;
}
