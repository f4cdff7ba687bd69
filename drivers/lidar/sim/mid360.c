/* SPDX-License-Identifier: Apache-2.0 */
/* mid360.c - the packets of a Livox Mid-360 (Livox LiDAR Communication Protocol, "Point Cloud & IMU
 * Data Protocol"), little endian:
 *
 *     0         1            3                  5            7          9       10     11
 *     | version | length u16 | interval, 0.1 us | points u16 | number   | frame | data | time |
 *     12        24           28                 36
 *     | 0 ...   | CRC-32 u32 | stamp, ns u64    | 96 x point, or the IMU's sample |
 *     point:  x i32 | y i32 | z i32, mm | reflectivity u8 | tag u8
 *     IMU:    rad/s f32 x 3 | g f32 x 3
 *
 * 96 points in 480 us, the four lasers in turn. The pattern of the real one is not published; this
 * one has what matters of it: all around, 7 degrees down to 52 up, and never the same again,
 * because two turnings go on at rates that have no measure in common.
 */
#include "core/base/bytes.h"
#include "core/base/clock.h"
#include "core/base/error.h"
#include "drivers/lidar/sim/sensor.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define HEADER_BYTES   36u
#define POINTS         96u
#define POINT_BYTES    14u
#define POINT_NS       5000u
#define PACKET_NS      (POINTS * POINT_NS)
#define IMU_BYTES      24u
#define LASERS         4u
#define DOWN_DEG       -7.0
#define UP_DEG         52.0
#define NODS_A_TURN    17.88854381999832 /* 8 sqrt(5): no fraction */
#define UNIT_M         0.001
#define UNITS_MAX      2000000u
#define DATA_IMU       0u
#define DATA_POINTS    1u
#define TIME_FREE      0u
#define TIME_GPS       2u
#define ONE_F32        0x3F800000u
#define CRC_POLYNOMIAL 0x04C11DB7u /* IEEE 802.3 */
#define STAMP_AT       28u

static int check(const struct lidar_sim_config *config)
{
    if (config->return_mode != LIDAR_SIM_STRONGEST)
        return sl_error(-EINVAL, "simulated lidar: a Mid-360 tells the strongest return only");
    return 0;
}

static uint64_t start_ns(const struct lidar_sim_config *config,
                         const struct lidar_sim_moment *moment)
{
    (void)config;
    return moment->on_ns + moment->index * PACKET_NS;
}

/* What a laser reads, in millimetres; all zero if nothing comes back. */
static void write_point(const struct lidar_sim_config *config, uint64_t at_ns, unsigned laser,
                        struct lidar_sim_random *noise, uint8_t *point)
{
    const double turns = lidar_sim_turns(config, at_ns);
    const double nods = turns * NODS_A_TURN + (double)laser / LASERS;
    const double azimuth = (turns + (double)laser / LASERS) * 2 * M_PI;
    const double middle = (UP_DEG + DOWN_DEG) / 2, half = (UP_DEG - DOWN_DEG) / 2;
    const double elevation = (middle + half * sin(nods * 2 * M_PI)) * (M_PI / 180);
    struct lidar_scene_pose pose;
    struct lidar_sim_look look;
    lidar_scene_at(&config->scene, (double)at_ns * 1e-9, &pose);
    lidar_sim_look(&pose, (struct lidar_scene_vector){0}, azimuth, elevation, &look);
    memset(point, 0, POINT_BYTES);
    if (look.count == 0)
        return;
    const struct lidar_scene_hit *hit = &look.hits[look.strongest];
    const double r = lidar_sim_distance(config, hit, UNIT_M, UNITS_MAX, noise);
    if (r <= 0)
        return;
    sl_put_le32(point, (uint32_t)lround(r * cos(elevation) * cos(azimuth)));
    sl_put_le32(point + 4, (uint32_t)lround(-r * cos(elevation) * sin(azimuth)));
    sl_put_le32(point + 8, (uint32_t)lround(r * sin(elevation)));
    point[12] = hit->intensity;
}

/* Bit by bit: it has the time. */
static uint32_t crc32_of(const uint8_t *bytes, size_t size)
{
    uint32_t crc = UINT32_MAX, told = 0;
    for (size_t bit = 0; bit < 8 * size; bit++) {
        const uint32_t in = crc >> 31 ^ (bytes[bit / 8] >> bit % 8 & 1u);
        crc = crc << 1 ^ (in ? CRC_POLYNOMIAL : 0);
    }
    for (unsigned i = 0; i < 32; i++)
        told |= (~crc >> i & 1u) << (31 - i);
    return told;
}

static uint32_t finish(const struct lidar_sim_config *config, const struct lidar_sim_moment *moment,
                       uint64_t at_ns, unsigned points, unsigned data_bytes, uint8_t *bytes)
{
    const uint32_t size = HEADER_BYTES + data_bytes;
    memset(bytes, 0, HEADER_BYTES);
    sl_put_le16(bytes + 1, (uint16_t)size);
    sl_put_le16(bytes + 3, points > 1 ? PACKET_NS / 100 : 0);
    sl_put_le16(bytes + 5, (uint16_t)points);
    sl_put_le16(bytes + 7, (uint16_t)moment->index);
    bytes[10] = points > 1 ? DATA_POINTS : DATA_IMU;
    bytes[11] = config->gps ? TIME_GPS : TIME_FREE;
    sl_put_le64(bytes + STAMP_AT, lidar_sim_sensor_ns(config, moment, at_ns));
    sl_put_le32(bytes + 24, crc32_of(bytes + STAMP_AT, size - STAMP_AT));
    return size;
}

static uint32_t write_data(const struct lidar_sim_config *config,
                           const struct lidar_sim_moment *moment, struct lidar_sim_random *noise,
                           uint8_t bytes[LIDAR_SIM_PACKET_BYTES_MAX])
{
    const uint64_t first_ns = start_ns(config, moment);
    for (unsigned i = 0; i < POINTS; i++)
        write_point(config, first_ns + (uint64_t)i * POINT_NS, i % LASERS, noise,
                    bytes + HEADER_BYTES + (size_t)i * POINT_BYTES);
    return finish(config, moment, first_ns, POINTS, POINTS * POINT_BYTES, bytes);
}

/* It stands still, upright. */
static uint32_t write_imu(const struct lidar_sim_config *config,
                          const struct lidar_sim_moment *moment, uint64_t at_ns,
                          uint8_t bytes[LIDAR_SIM_PACKET_BYTES_MAX])
{
    memset(bytes + HEADER_BYTES, 0, IMU_BYTES);
    sl_put_le32(bytes + HEADER_BYTES + IMU_BYTES - 4, ONE_F32);
    return finish(config, moment, at_ns, 1, IMU_BYTES, bytes);
}

const struct lidar_sim_sensor lidar_sim_mid360 = {
    .data_port = 56301,
    .telemetry_port = 56401,
    .telemetry_every = 10, /* 208 a second; the real one's are 200 */
    .check = check,
    .start_ns = start_ns,
    .write_data = write_data,
    .write_telemetry = write_imu,
};
