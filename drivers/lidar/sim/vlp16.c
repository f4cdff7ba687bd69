/* SPDX-License-Identifier: Apache-2.0 */
/* vlp16.c - the two packets of the VLP-16 family.
 *
 * Data packet (manual 9.3.2), little endian:
 *
 *     0                100              200                    1200   1204   1205   1206
 *     | block 0        | block 1        | ... block 11         | stamp | mode | model |
 *     block: FF EE | azimuth u16, 0.01 deg | 32 x (distance u16, 2 mm | reflectivity u8)
 *
 * The 32 readings are two firings of the 16 lasers, 55.296 us apart. In dual return mode two blocks
 * tell of the same two firings: the even one the last return, the odd one the strongest, or the
 * second strongest where the last is the strongest. */
#include "drivers/lidar/sim/vlp16.h"

#include "core/base/bytes.h"
#include "core/base/clock.h"
#include "drivers/lidar/sim/sensor.h"
#include "drivers/lidar/source.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define DATA_BYTES         1206u
#define TELEMETRY_BYTES    512u
#define LASERS             16u
#define BLOCKS             12u
#define BLOCK_BYTES        100u
#define BLOCK_HEADER_BYTES 4u
#define READING_BYTES      3u
#define BLOCK_FLAG         0xEEFFu
#define FIRINGS_PER_BLOCK  2u
#define COLUMN_NS          55296u
#define LASER_NS           2304u
#define UNITS_PER_TURN     36000.0
#define UNIT_M             0.002
#define DISTANCE_UNITS_MAX 65535u
#define FOCAL_M            0.04191 /* where the beams cross, in front of the axis */
#define STAMP_OFFSET       1200u
#define US_PER_HOUR        UINT64_C(3600000000)

#define TELEMETRY_STAMP      198u
#define TELEMETRY_PPS        202u
#define TELEMETRY_NMEA       206u
#define TELEMETRY_NMEA_BYTES 306u
#define PPS_LOCKED           2u

static const double elevation_deg[][LASERS] = {
    [LIDAR_SIM_VLP16] = {-15, 1, -13, 3, -11, 5, -9, 7, -7, 9, -5, 11, -3, 13, -1, 15},
    [LIDAR_SIM_HIRES] = {-10, 0.667, -8.667, 2, -7.333, 3.333, -6, 4.667, -4.667, 6, -3.333, 7.333,
                         -2, 8.667, -0.667, 10},
};
static const uint8_t model_bytes[] = {[LIDAR_SIM_VLP16] = 0x22, [LIDAR_SIM_HIRES] = 0x24};

static bool is_dual(const struct lidar_sim_config *config)
{
    return config->return_mode == LIDAR_SIM_DUAL;
}

uint64_t lidar_sim_packet_ns(enum lidar_sim_return return_mode)
{
    unsigned azimuths = return_mode == LIDAR_SIM_DUAL ? BLOCKS / 2 : BLOCKS;
    return (uint64_t)azimuths * FIRINGS_PER_BLOCK * COLUMN_NS;
}

static bool has_lens_offset(const struct lidar_sim_config *config)
{
    return config->lens == LIDAR_SIM_LENS_OFFSET ||
           (config->lens == LIDAR_SIM_LENS_OF_MODEL && config->model == LIDAR_SIM_HIRES);
}

struct reading {
    uint16_t distance;
    uint8_t intensity;
};

static struct reading to_reading(const struct lidar_sim_config *config,
                                 const struct lidar_scene_hit *hit, struct lidar_sim_random *noise)
{
    uint32_t units = lidar_sim_distance(config, hit, UNIT_M, DISTANCE_UNITS_MAX, noise);
    return units > 0 ? (struct reading){(uint16_t)units, hit->intensity} : (struct reading){0};
}

/* What one laser reads: [0] for single return and even blocks, [1] for the odd blocks. */
static void fire(const struct lidar_sim_config *config, unsigned laser, uint64_t at_ns,
                 struct lidar_sim_random *noise, struct reading readings[2])
{
    const double elevation = elevation_deg[config->model][laser] * (M_PI / 180);
    const double azimuth = lidar_sim_azimuth(config, at_ns) * 2 * M_PI;
    const struct lidar_scene_vector origin = {
        .z = has_lens_offset(config) ? FOCAL_M * tan(-elevation) : 0};
    struct lidar_scene_pose pose;
    struct lidar_sim_look look;
    const struct lidar_scene_hit *hits[2];
    lidar_scene_at(&config->scene, (double)at_ns * 1e-9, &pose);
    lidar_sim_look(&pose, origin, azimuth, elevation, &look);
    lidar_sim_last_and_strongest(config, &look, hits);
    readings[0] = hits[0] ? to_reading(config, hits[0], noise) : (struct reading){0};
    readings[1] = readings[0]; /* one return alone stands in both blocks, the same */
    if (hits[1] && look.count > 1)
        readings[1] = to_reading(config, hits[1], noise);
}

static void start_block(uint8_t *block, double turn)
{
    unsigned azimuth = (unsigned)lround(turn * UNITS_PER_TURN) % (unsigned)UNITS_PER_TURN;
    sl_put_le16(block, BLOCK_FLAG);
    sl_put_le16(block + 2, (uint16_t)azimuth);
}

static void put_reading(uint8_t *block, unsigned index, struct reading reading)
{
    uint8_t *at = block + BLOCK_HEADER_BYTES + index * READING_BYTES;
    sl_put_le16(at, reading.distance);
    at[2] = reading.intensity;
}

static uint32_t stamp_us(const struct lidar_sim_config *config,
                         const struct lidar_sim_moment *moment, uint64_t at_ns)
{
    return (uint32_t)(lidar_sim_sensor_ns(config, moment, at_ns) / SL_NS_PER_US % US_PER_HOUR);
}

static uint64_t start_ns(const struct lidar_sim_config *config,
                         const struct lidar_sim_moment *moment)
{
    return moment->on_ns + moment->index * lidar_sim_packet_ns(config->return_mode);
}

static uint32_t write_data(const struct lidar_sim_config *config,
                           const struct lidar_sim_moment *moment, struct lidar_sim_random *noise,
                           uint8_t bytes[LIDAR_SIM_PACKET_BYTES_MAX])
{
    const uint64_t first_ns = start_ns(config, moment);
    const unsigned step = is_dual(config) ? 2 : 1; /* blocks that tell of one pair of firings */
    for (unsigned b = 0; b < BLOCKS; b += step) {
        uint8_t *block = bytes + (size_t)b * BLOCK_BYTES;
        const uint64_t block_ns = first_ns + (uint64_t)(b / step) * FIRINGS_PER_BLOCK * COLUMN_NS;
        for (unsigned s = 0; s < step; s++)
            start_block(block + (size_t)s * BLOCK_BYTES, lidar_sim_azimuth(config, block_ns));
        for (unsigned i = 0; i < FIRINGS_PER_BLOCK * LASERS; i++) {
            const unsigned firing = i / LASERS, laser = i % LASERS;
            struct reading readings[2];
            fire(config, laser, block_ns + (uint64_t)firing * COLUMN_NS + laser * LASER_NS, noise,
                 readings);
            for (unsigned s = 0; s < step; s++)
                put_reading(block + (size_t)s * BLOCK_BYTES, i, readings[s]);
        }
    }
    sl_put_le32(bytes + STAMP_OFFSET, stamp_us(config, moment, first_ns));
    bytes[STAMP_OFFSET + 4] = (uint8_t)config->return_mode;
    bytes[STAMP_OFFSET + 5] = config->model_byte ? config->model_byte : model_bytes[config->model];
    return DATA_BYTES;
}

/* Recommended minimum sentence of the last whole second, as a receiver tells it after its pulse. */
static void write_rmc(char *text, size_t size, uint64_t utc_ns)
{
    const time_t second = (time_t)(utc_ns / SL_NS_PER_S);
    struct tm utc;
    gmtime_r(&second, &utc);
    char body[128];
    snprintf(body, sizeof body,
             "GPRMC,%02d%02d%02d,A,4807.038,N,01131.000,E,000.0,084.4,%02d%02d%02d,003.1,W",
             utc.tm_hour, utc.tm_min, utc.tm_sec, utc.tm_mday, utc.tm_mon + 1, utc.tm_year % 100);
    unsigned sum = 0; /* exclusive or of all between $ and * (NMEA 0183) */
    for (const char *c = body; *c; c++)
        sum ^= (unsigned char)*c;
    snprintf(text, size, "$%s*%02X\r\n", body, sum);
}

static uint32_t write_telemetry(const struct lidar_sim_config *config,
                                const struct lidar_sim_moment *moment, uint64_t at_ns,
                                uint8_t bytes[LIDAR_SIM_PACKET_BYTES_MAX])
{
    memset(bytes, 0, TELEMETRY_BYTES);
    sl_put_le32(bytes + TELEMETRY_STAMP, stamp_us(config, moment, at_ns));
    if (config->gps) {
        bytes[TELEMETRY_PPS] = PPS_LOCKED;
        write_rmc((char *)bytes + TELEMETRY_NMEA, TELEMETRY_NMEA_BYTES,
                  lidar_sim_sensor_ns(config, moment, at_ns));
    }
    return TELEMETRY_BYTES;
}

const struct lidar_sim_sensor lidar_sim_vlp16 = {
    .can_reverse = true,
    .data_port = LIDAR_VELODYNE_DATA_PORT,
    .telemetry_port = LIDAR_VELODYNE_TELEMETRY_PORT,
    .telemetry_every = 5, /* as captures show */
    .start_ns = start_ns,
    .write_data = write_data,
    .write_telemetry = write_telemetry,
};
