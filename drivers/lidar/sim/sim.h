/* SPDX-License-Identifier: Apache-2.0 */
/* sim.h - a VLP-16 that looks into a scene and tells of it in its own packets, byte for byte.
 *
 * It is the decoder's opposite and shares nothing with it: angles, timing and offsets stand here
 * once more, written from the sensor's documentation (VLP-16 User Manual 63-9243 Rev. E,
 * sections 9.2 to 9.4), so that a mistake in either shows when they meet.
 *
 * Time:    the simulation's clock starts at 0 with the first firing and counts nanoseconds; a
 * column is exactly 55 296 ns, a laser 2 304 ns. Nothing here reads a clock, but for the default of
 *          start_utc_ns.
 * Life:    lidar_sim_create -> lidar_sim_next ... -> lidar_sim_destroy
 * Owner:   a sim copies its config; packets are the caller's.
 * Threads: one at a time per sim.
 */
#ifndef SL_DRIVERS_LIDAR_SIM_SIM_H
#define SL_DRIVERS_LIDAR_SIM_SIM_H

#include "drivers/lidar/sim/scene.h"

#include <stdbool.h>
#include <stdint.h>

#define LIDAR_SIM_DATA_BYTES      1206u
#define LIDAR_SIM_TELEMETRY_BYTES 512u
#define LIDAR_SIM_LASERS          16u

#define LIDAR_SIM_HZ_MIN 5.0 /* what the real one can be set to */
#define LIDAR_SIM_HZ_MAX 20.0

enum lidar_sim_model {
    LIDAR_SIM_VLP16,
    LIDAR_SIM_HIRES,
};

/* As they stand in the packets. */
enum lidar_sim_return {
    LIDAR_SIM_STRONGEST = 0x37,
    LIDAR_SIM_LAST = 0x38,
    LIDAR_SIM_DUAL = 0x39,
};

/* Where beams start: all of them cross in front of the sensor's axis, so they leave it focal *
 * tan(-elevation) above its middle. The Hi-Res' manual gives that as its vertical offsets; the
 * VLP-16's points are customarily computed without (up to 11 mm). */
enum lidar_sim_lens {
    LIDAR_SIM_LENS_OF_MODEL, /* VLP-16: middle, Hi-Res: offset */
    LIDAR_SIM_LENS_MIDDLE,
    LIDAR_SIM_LENS_OFFSET,
};

/* What goes wrong on the way: shares of the data packets, 0..1, drawn from `seed`. */
struct lidar_sim_faults {
    double loss;
    double reorder; /* comes after the packet that follows it */
    double duplicate;
};

struct lidar_sim_config {
    struct lidar_scene scene;
    enum lidar_sim_model model;
    uint8_t model_byte; /* what the packets say they come from; 0 = the model's own (0x22, 0x24) */
    enum lidar_sim_return return_mode;
    double rotation_hz;
    double start_azimuth_deg; /* 0..360, clockwise seen from above, 0 = straight ahead */
    double range_max_m;       /* beyond it there is no return */
    double range_noise_m;     /* standard deviation; 0 = none */
    enum lidar_sim_lens lens;

    uint64_t start_utc_ns; /* at the first firing; 0 = the host's clock when it is created */
    bool gps;              /* stamps follow UTC, PPS locked, $GPRMC told; else free-running */
    uint32_t free_running_start_us; /* the counter at the first firing if there is no GPS */
    unsigned telemetry_every;       /* data packets between two telemetry packets; 0 = none */

    uint64_t data_packets_max; /* the sim ends after so many, lost ones included; 0 = never */
    uint64_t seed;             /* of noise and faults */
    struct lidar_sim_faults faults;
};

struct lidar_sim_packet {
    uint8_t bytes[LIDAR_SIM_DATA_BYTES];
    uint32_t size_bytes;
    bool telemetry;
    uint64_t first_ns; /* simulation time of its first firing */
    uint64_t due_ns;   /* and when it leaves the sensor: its last column is over */
};

struct lidar_sim_counts {
    uint64_t data;       /* made */
    uint64_t telemetry;  /* made */
    uint64_t lost;       /* left out, */
    uint64_t reordered;  /* held back, */
    uint64_t duplicated; /* given twice, as the faults say */
};

struct lidar_sim;

/* The default scene, VLP-16, strongest return, 10 Hz, GPS, a telemetry packet every 5 data packets
 * (as captures show), 100 m, no noise, no faults. */
void lidar_sim_config_default(struct lidar_sim_config *ret_config);

/* -EINVAL with a sentence for a value out of its range, -ENOMEM. */
int lidar_sim_create(const struct lidar_sim_config *config, struct lidar_sim **ret_sim);

/* The next packet, as it would leave the sensor. Returns 1, or 0 after the last one. */
int lidar_sim_next(struct lidar_sim *sim, struct lidar_sim_packet *ret_packet);

/* UTC at simulation time 0. */
uint64_t lidar_sim_start_utc_ns(const struct lidar_sim *sim);

void lidar_sim_counts(const struct lidar_sim *sim, struct lidar_sim_counts *ret_counts);

/* NULL is fine. */
void lidar_sim_destroy(struct lidar_sim *sim);

#endif
