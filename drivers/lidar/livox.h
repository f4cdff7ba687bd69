/* SPDX-License-Identifier: Apache-2.0 */
/* livox.h - the packets of Livox's HAP and Mid-360: checked and taken apart. Pure: bytes in, values
 * out.
 *
 * They compute x, y and z themselves and send what their lasers saw in the order of time, in lists
 * of mostly 96 points. Their scan does not repeat, so there is no turn. Packets do not tell the
 * sensor's model. Its IMU has a port of its own.
 *
 * Life:    nothing is kept.
 * Owner:   bytes stay the caller's; a parsed packet points into them.
 * Threads: any.
 * Errors:  a packet that is not right gives the counter that it belongs to.
 */
#ifndef SL_DRIVERS_LIDAR_LIVOX_H
#define SL_DRIVERS_LIDAR_LIVOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "drivers/lidar/counts.h"
#include "drivers/lidar/list_kernel.h"

#define LIVOX_POINTS 96 /* of a packet, as it comes from the factory */

struct livox_model {
    const char *name; /* as people write it: "Mid-360" */
    const char *aliases[LIDAR_ALIASES_MAX];
    uint8_t lines;                /* lasers, which fire in turn: rings */
    uint32_t points_per_s;        /* with one return */
    uint16_t data_port, imu_port; /* of the host, by the factory's settings */
};

extern const struct livox_model *const livox_models[]; /* ended by NULL */

/* By name or alias, upper and lower case alike; NULL if there is none. */
const struct livox_model *livox_model_find(const char *name);

/* Where a stamp comes from. */
enum livox_clock {
    LIVOX_CLOCK_FREE, /* since it was switched on */
    LIVOX_CLOCK_PTP,
    LIVOX_CLOCK_GPS, /* UTC */
};

struct livox_packet {
    enum livox_clock clock;
    uint64_t stamp_ns;    /* of the first point, or of the IMU's sample */
    uint32_t interval_ns; /* that the points take */
    uint16_t number;      /* one more with each packet; begins again at 0 now and then */
    bool is_imu;
    /* Points: */
    enum lidar_list_type type;
    unsigned count;
    const uint8_t *points;
    /* IMU, in the axes of the points: */
    double rate[3];         /* rad/s */
    double acceleration[3]; /* m/s^2, with gravity */
};

/* Returns LIDAR_PACKETS or LIDAR_IMU, or the counter of what is wrong: LIDAR_BAD_SHORT and _LONG
 * for a size that is not what the packet says, LIDAR_BAD_FLAG for another version of the protocol,
 * LIDAR_OTHER_MODEL for data of another kind, LIDAR_BAD_TELEMETRY for an IMU whose numbers are
 * none.
 */
enum lidar_count livox_packet_parse(const uint8_t *bytes, size_t size_bytes,
                                    struct livox_packet *ret_packet);

/* CRC-32 of IEEE 802.3. */
struct livox_crc {
    uint32_t table[256];
};
void livox_crc_init(struct livox_crc *crc);
uint32_t livox_crc32(const struct livox_crc *crc, const uint8_t *bytes, size_t size_bytes);

/* False only where a packet that was parsed carries a checksum of stamp and data, and it is wrong:
 * some firmware leaves it 0. */
bool livox_is_intact(const struct livox_crc *crc, const uint8_t *bytes, size_t size_bytes);

#endif
