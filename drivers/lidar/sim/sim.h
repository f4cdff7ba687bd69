/* SPDX-License-Identifier: Apache-2.0 */
/* sim.h - a lidar that looks into a scene and tells of it in its own packets, byte for byte.
 *
 * It is the decoder's opposite and shares nothing with it: angles, timing and offsets stand here
 * once more, written from the sensors' documentation (each sensor's file names it), so that a
 * mistake in either shows when they meet.
 *
 * Time:    the simulation's clock starts at 0 with the first firing and counts nanoseconds. Nothing
 *          here reads a clock, but for the default of start_utc_ns.
 * Life:    lidar_sim_create -> lidar_sim_next ... -> lidar_sim_destroy
 * Owner:   a sim copies its config; packets are the caller's.
 * Threads: one at a time per sim.
 */
#ifndef SL_DRIVERS_LIDAR_SIM_SIM_H
#define SL_DRIVERS_LIDAR_SIM_SIM_H

#include "drivers/lidar/sim/faults.h"
#include "drivers/lidar/sim/scene.h"

#include <stdbool.h>
#include <stdint.h>

#define LIDAR_SIM_PACKET_BYTES_MAX 16640u /* an OS1-64's with two returns */

#define LIDAR_SIM_HZ_MIN 5.0 /* what the real one can be set to */
#define LIDAR_SIM_HZ_MAX 20.0

enum lidar_sim_model {
    LIDAR_SIM_VLP16,
    LIDAR_SIM_HIRES,
    LIDAR_SIM_OS1_64, /* LEGACY packets; RNG19_RFL8_SIG16_NIR16_DUAL with two returns */
    LIDAR_SIM_XT32,
    LIDAR_SIM_MID360,
    LIDAR_SIM_MODELS,
};
/* As options spell them, in that order, ended by NULL. */
extern const char *const lidar_sim_model_names[];

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

struct lidar_sim_config {
    struct lidar_scene scene;
    enum lidar_sim_model model;
    uint8_t
        model_byte; /* of a VLP-16: what the packets say they come from; 0 = its own (0x22, 0x24) */
    enum lidar_sim_return return_mode;
    double rotation_hz;
    bool is_counterclockwise; /* the way that it turns, seen from above; no OS1's, no Mid-360's */
    double start_azimuth_deg; /* 0..360, clockwise seen from above, 0 = straight ahead */
    double range_max_m;       /* beyond it there is no return */
    double range_noise_m;     /* standard deviation; 0 = none */
    enum lidar_sim_lens lens;

    uint64_t start_utc_ns; /* at the first firing; 0 = the host's clock when it is created */
    bool gps; /* stamps follow UTC (PPS locked, $GPRMC told; an OS1's PTP); else free-running */
    uint32_t free_running_start_us; /* the counter at the first firing if there is no GPS */
    unsigned telemetry_every;       /* data packets between two telemetry packets; 0 = none */

    uint64_t data_packets_max; /* the sim ends after so many, lost ones included; 0 = never */
    uint64_t seed;             /* of noise and faults */
    struct lidar_sim_faults faults;
};

struct lidar_sim_packet {
    uint8_t bytes[LIDAR_SIM_PACKET_BYTES_MAX];
    uint32_t size_bytes;
    bool telemetry;
    bool corrupt;      /* one of its bytes is not what the sensor sent */
    uint64_t first_ns; /* simulation time of its first firing */
    uint64_t due_ns;   /* and when it leaves the sensor: its last column is over */
};

struct lidar_sim_counts {
    uint64_t data;       /* made */
    uint64_t telemetry;  /* made */
    uint64_t lost;       /* left out, */
    uint64_t reordered;  /* held back, */
    uint64_t duplicated; /* given twice, */
    uint64_t corrupted;  /* changed, as the faults say */
};

struct lidar_sim;

/* The default scene, strongest return, 10 Hz, GPS, telemetry as often as the sensor sends it, 100
 * m, no noise, no faults. */
void lidar_sim_config_of(enum lidar_sim_model model, struct lidar_sim_config *ret_config);

/* That of a VLP-16. */
void lidar_sim_config_default(struct lidar_sim_config *ret_config);

/* The ports that a sensor sends to by its factory settings. */
uint16_t lidar_sim_data_port(enum lidar_sim_model model);
uint16_t lidar_sim_telemetry_port(enum lidar_sim_model model); /* 0 = it sends no telemetry */

/* What the sensor says of itself beside its packets: an OS1's JSON, to be freed; NULL = nothing.
 * -EINVAL as lidar_sim_create, -ENOMEM. */
int lidar_sim_metadata(const struct lidar_sim_config *config, char **ret_text);

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
