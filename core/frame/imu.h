/* SPDX-License-Identifier: Apache-2.0 */
/* imu.h - sensor_msgs/msg/Imu and sensor_msgs/msg/NavSatFix: small messages, written whole.
 *
 * Life, owner, threads, errors: see message.h.
 */
#ifndef SL_FRAME_IMU_H
#define SL_FRAME_IMU_H

#include "core/frame/message.h"

struct sl_imu {
    int64_t stamp_ns;
    struct sl_text frame_id;
    double orientation[4]; /* x y z w */
    /* Covariances are 3 x 3, row by row, about the axes x y z. All zero: not known. First element
     * -1: there is no such measurement. */
    double orientation_covariance[9];
    double angular_velocity[3]; /* rad/s */
    double angular_velocity_covariance[9];
    double linear_acceleration[3]; /* m/s^2 */
    double linear_acceleration_covariance[9];
};

int sl_imu_read(const void *body, size_t size, struct sl_imu *ret_imu);
int sl_imu_write(const struct sl_imu *imu, void *to, size_t room, size_t *ret_size);

/* sensor_msgs/msg/NavSatStatus and NavSatFix's constants. */
enum sl_navsat_status {
    SL_NAVSAT_NO_FIX = -1,
    SL_NAVSAT_FIX = 0,
    SL_NAVSAT_SBAS_FIX = 1,
    SL_NAVSAT_GBAS_FIX = 2,
};
#define SL_NAVSAT_GPS     1u
#define SL_NAVSAT_GLONASS 2u
#define SL_NAVSAT_COMPASS 4u
#define SL_NAVSAT_GALILEO 8u
enum sl_navsat_covariance {
    SL_NAVSAT_COVARIANCE_UNKNOWN = 0,
    SL_NAVSAT_COVARIANCE_APPROXIMATED = 1,
    SL_NAVSAT_COVARIANCE_DIAGONAL_KNOWN = 2,
    SL_NAVSAT_COVARIANCE_KNOWN = 3,
};

struct sl_navsatfix {
    int64_t stamp_ns;
    struct sl_text frame_id;
    int8_t status;                    /* enum sl_navsat_status */
    uint16_t service;                 /* SL_NAVSAT_GPS | ... */
    double latitude;                  /* degrees, north positive */
    double longitude;                 /* degrees, east positive */
    double altitude;                  /* m above the WGS 84 ellipsoid; NaN: not known */
    double position_covariance[9];    /* m^2, 3 x 3 in east, north, up */
    uint8_t position_covariance_type; /* enum sl_navsat_covariance */
};

int sl_navsatfix_read(const void *body, size_t size, struct sl_navsatfix *ret_fix);
int sl_navsatfix_write(const struct sl_navsatfix *fix, void *to, size_t room, size_t *ret_size);

#endif
