/* SPDX-License-Identifier: Apache-2.0 */
/* counts.c - the names of what is counted. */
#include "drivers/lidar/counts.h"

const char *const lidar_count_names[LIDAR_COUNTS] = {
    [LIDAR_PACKETS] = "packets",
    [LIDAR_TELEMETRY] = "telemetry",
    [LIDAR_IMU] = "imu",
    [LIDAR_BAD_SHORT] = "bad_short",
    [LIDAR_BAD_LONG] = "bad_long",
    [LIDAR_BAD_FLAG] = "bad_flag",
    [LIDAR_BAD_AZIMUTH] = "bad_azimuth",
    [LIDAR_BAD_RETURN_MODE] = "bad_return_mode",
    [LIDAR_BAD_CRC] = "bad_crc",
    [LIDAR_BAD_TELEMETRY] = "bad_telemetry",
    [LIDAR_BAD_SENTENCE] = "bad_sentence",
    [LIDAR_OTHER_MODEL] = "other_model",
    [LIDAR_UNIDENTIFIED] = "unidentified",
    [LIDAR_BAD_ROTATION] = "bad_rotation",
    [LIDAR_GAP] = "gap",
    [LIDAR_REORDERED] = "reordered",
    [LIDAR_LATE] = "late",
    [LIDAR_DUPLICATE] = "duplicate",
    [LIDAR_RESTART_BACK] = "restart_back",
    [LIDAR_RESTART_AHEAD] = "restart_ahead",
    [LIDAR_RESTART_ROTATION] = "restart_rotation",
    [LIDAR_RESTART_MODE] = "restart_mode",
    [LIDAR_RESTART_SENSOR] = "restart_sensor",
    [LIDAR_FRAMES] = "frames",
    [LIDAR_FRAMES_PARTIAL] = "frames_partial",
    [LIDAR_FRAMES_OVERFLOW] = "frames_overflow",
    [LIDAR_FRAMES_OVERDUE] = "frames_overdue",
    [LIDAR_FRAMES_DROPPED] = "frames_dropped",
};
