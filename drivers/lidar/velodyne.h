/* SPDX-License-Identifier: Apache-2.0 */
/* velodyne.h - Velodyne's packets: checked, told apart, taken apart. Pure: bytes in, values out.
 *
 * Life:    a velodyne_identify starts as zeros; the rest keeps nothing.
 * Owner:   bytes stay the caller's; a parsed packet points into them.
 * Threads: one at a time for an identification; else any.
 * Errors:  a packet that is not right gives the counter that it belongs to, no error.
 */
#ifndef SL_DRIVERS_LIDAR_VELODYNE_H
#define SL_DRIVERS_LIDAR_VELODYNE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "drivers/lidar/counts.h"
#include "drivers/lidar/model.h"
#include "drivers/lidar/nmea.h"
#include "drivers/lidar/packet.h"

#define VELODYNE_DATA_BYTES      1206
#define VELODYNE_TELEMETRY_BYTES 512

extern const struct lidar_model *const velodyne_models[]; /* ended by NULL */
extern const struct lidar_identity velodyne_identities[]; /* ended by a NULL name */

/* By name or alias, upper and lower case alike; NULL if there is none. */
const struct lidar_model *velodyne_model_find(const char *name);

/* May two configurations of these names read the same packets to the same points? */
bool velodyne_models_agree(const struct lidar_model *one, const struct lidar_model *other);

/* A data packet of whatever Velodyne model: size, flags of the blocks, azimuths, return mode.
 * Returns LIDAR_PACKETS if it is one, or the counter of what is wrong with it. */
enum lidar_count velodyne_data_check(const uint8_t *bytes, size_t size_bytes);

uint32_t velodyne_data_stamp_us(const uint8_t *bytes);
uint8_t velodyne_data_product_id(const uint8_t *bytes);
unsigned velodyne_data_returns(const uint8_t *bytes);

/* Take apart a packet that velodyne_data_check accepted. `time_ns` and `host_ns` are left to the
 * caller. Returns LIDAR_PACKETS, or the counter of what is wrong for this model. */
enum lidar_count velodyne_data_parse(const struct lidar_model *model, const uint8_t *bytes,
                                     struct lidar_packet *ret_packet);

/* Identification: the product id names the sensor, and the steps between the stamps have to confirm
 * it, because early firmware wrote another sensor's id. Feed it packets in the order of their
 * arrival. */
#define VELODYNE_IDENTIFY_VOTES                                      \
    2 /* steps that agree are enough, unless they are to be measured \
       */
#define VELODYNE_IDENTIFY_PACKETS 16 /* after which it is decided in any case */

struct velodyne_identify {
    unsigned packets;
    uint32_t last_stamp_us;
    uint8_t product_id;
    uint32_t step_us[VELODYNE_IDENTIFY_PACKETS];
    uint8_t votes[8]; /* for velodyne_identities[] of this id */
};

/* The median of the steps between stamps so far, 0 = there is none yet. */
uint32_t velodyne_identify_step_us(const struct velodyne_identify *state);

/* One more packet that velodyne_data_check accepted.
 * Returns 0 and *ret_model when a supported model is told, -EAGAIN while more packets are needed,
 * -EPROTONOSUPPORT when they tell a sensor that cannot be decoded, -EPROTO when id and stamps fit
 * no sensor that we know. sl_error_text() names it. */
int velodyne_identify(struct velodyne_identify *state, const uint8_t *bytes,
                      const struct lidar_model **ret_model);

/* Telemetry ("position packet"). */
enum velodyne_pps {
    VELODYNE_PPS_ABSENT,
    VELODYNE_PPS_SYNCHRONISING,
    VELODYNE_PPS_LOCKED,
    VELODYNE_PPS_ERROR,
};

struct velodyne_telemetry {
    uint32_t stamp_us; /* since the top of the sensor's hour */
    uint8_t pps;       /* enum velodyne_pps, or a higher number that we do not know */
    bool has_sentence; /* NMEA text is there: */
    const char *text;  /* in the packet */
    size_t text_length;
    struct nmea_sentence sentence;
};

/* Returns LIDAR_TELEMETRY, or LIDAR_BAD_TELEMETRY (ret_telemetry untouched). */
enum lidar_count velodyne_telemetry_parse(const uint8_t *bytes, size_t size_bytes,
                                          struct velodyne_telemetry *ret_telemetry);

#endif
