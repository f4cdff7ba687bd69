/* SPDX-License-Identifier: Apache-2.0 */
/* robosense.h - RoboSense's packets: checked, told apart, taken apart. Pure: bytes in, values out.
 *
 * Two streams: points (MSOP), and once a second what the sensor says of itself (DIFOP): the angles
 * of its own lasers and how many returns it sends. Points before the first of these have the angles
 * of its type.
 *
 * Life:    nothing is kept.
 * Owner:   bytes stay the caller's; a parsed packet points into them.
 * Threads: any.
 * Errors:  a packet that is not right gives the counter that it belongs to.
 */
#ifndef SL_DRIVERS_LIDAR_ROBOSENSE_H
#define SL_DRIVERS_LIDAR_ROBOSENSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "drivers/lidar/counts.h"
#include "drivers/lidar/model.h"
#include "drivers/lidar/packet.h"

#define ROBOSENSE_PACKET_BYTES 1248 /* of both streams */
#define ROBOSENSE_LASERS_MAX   32

extern const struct lidar_model *const robosense_models[]; /* ended by NULL; with one return */

/* By name or alias, upper and lower case alike; NULL if there is none. */
const struct lidar_model *robosense_model_find(const char *name);

/* A data packet of whatever model. Returns LIDAR_PACKETS and its sensor's model, or the counter of
 * what is wrong with it: LIDAR_OTHER_MODEL for one that is a RoboSense's, of a kind that we do not
 * know. */
enum lidar_count robosense_data_check(const uint8_t *bytes, size_t size_bytes,
                                      const struct lidar_model **ret_model);

/* For people: what a packet for which that was LIDAR_OTHER_MODEL says of its sensor. */
void robosense_data_describe(const uint8_t *bytes, char *ret_text, size_t size_bytes);

struct robosense_time {
    uint32_t stamp_us; /* since the top of the hour, of the packet's first firing */
    bool has_date;     /* it can be one: utc_ns is meant, if the sensor's clock was set */
    int64_t utc_ns;    /* since 1970 */
};

/* These are of a packet that robosense_data_check accepted as `model`'s. */
struct robosense_time robosense_data_time(const struct lidar_model *model, const uint8_t *bytes);
float robosense_data_unit_m(const struct lidar_model *model, const uint8_t *bytes);

/* Returns that a shot has in this packet; 0 = it does not tell: 16 lasers send two in one block. */
unsigned robosense_data_returns(const struct lidar_model *model, const uint8_t *bytes);

/* When a packet began, and how far the sensor turned from its first block to its last one, in 0.01
 * degrees. */
struct robosense_turned {
    uint32_t stamp_us;
    unsigned first, advance;
};
struct robosense_turned robosense_data_turned(const struct lidar_model *model,
                                              const uint8_t *bytes);

/* What a sensor says of itself. */
struct robosense_info {
    unsigned returns; /* 1 or 2; 0 = something else */
    unsigned rpm;
    bool has_angles; /* of all its lasers, or it is not calibrated */
    float vertical_deg[ROBOSENSE_LASERS_MAX], azimuth_deg[ROBOSENSE_LASERS_MAX];
    const char *nmea; /* in the packet: the receiver's last sentence; NULL = it has none */
    size_t nmea_length;
};

/* Does it begin like such a packet? */
bool robosense_is_info(const uint8_t *bytes, size_t size_bytes);

/* Does a sensor of this model hand on what its GPS receiver says? */
bool robosense_tells_fix(const struct lidar_model *model);

/* Of a sensor of this model. Returns LIDAR_TELEMETRY, or LIDAR_BAD_TELEMETRY (untouched). */
enum lidar_count robosense_info_parse(const struct lidar_model *model, const uint8_t *bytes,
                                      size_t size_bytes, struct robosense_info *ret_info);

/* A sensor as it is: its model with its angles, its returns and where its rays begin. */
struct robosense_sensor {
    struct lidar_model model; /* its beams are these: */
    struct lidar_beam beams[ROBOSENSE_LASERS_MAX];
};

/* `type` is of robosense_models, or one with other angles. */
void robosense_sensor_init(struct robosense_sensor *sensor, const struct lidar_model *type,
                           unsigned returns, float unit_m);

/* Take apart a packet that was accepted, of a sensor that was made for its returns. `time_ns` and
 * `host_ns` are left to the caller. */
void robosense_data_parse(const struct robosense_sensor *sensor, unsigned returns,
                          const uint8_t *bytes, struct lidar_packet *ret_packet);

#endif
