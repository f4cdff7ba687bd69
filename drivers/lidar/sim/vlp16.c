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

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define BLOCKS             12u
#define BLOCK_BYTES        100u
#define BLOCK_HEADER_BYTES 4u
#define READING_BYTES      3u
#define BLOCK_FLAG         0xEEFFu
#define FIRINGS_PER_BLOCK  2u
#define COLUMN_NS          55296u
#define LASER_NS           2304u
#define UNITS_PER_TURN     36000.0
#define UNITS_PER_METRE    500.0 /* 2 mm */
#define DISTANCE_UNITS_MAX 65535.0
#define FOCAL_M            0.04191 /* where the beams cross, in front of the axis */
#define STAMP_OFFSET       1200u
#define US_PER_HOUR        UINT64_C(3600000000)

#define TELEMETRY_STAMP      198u
#define TELEMETRY_PPS        202u
#define TELEMETRY_NMEA       206u
#define TELEMETRY_NMEA_BYTES 306u
#define PPS_LOCKED           2u

static const double elevation_deg[][LIDAR_SIM_LASERS] = {
    [LIDAR_SIM_VLP16] = {-15, 1, -13, 3, -11, 5, -9, 7, -7, 9, -5, 11, -3, 13, -1, 15},
    [LIDAR_SIM_HIRES] = {-10, 0.667, -8.667, 2, -7.333, 3.333, -6, 4.667, -4.667, 6, -3.333, 7.333,
                         -2, 8.667, -0.667, 10},
};
static const uint8_t model_bytes[] = {[LIDAR_SIM_VLP16] = 0x22, [LIDAR_SIM_HIRES] = 0x24};

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

static bool is_dual(const struct lidar_sim_config *config)
{
    return config->return_mode == LIDAR_SIM_DUAL;
}

uint64_t lidar_sim_packet_ns(enum lidar_sim_return return_mode)
{
    unsigned azimuths = return_mode == LIDAR_SIM_DUAL ? BLOCKS / 2 : BLOCKS;
    return (uint64_t)azimuths * FIRINGS_PER_BLOCK * COLUMN_NS;
}

/* The sensor's head at an instant, in turns, 0 <= x < 1. */
static double turn_at(const struct lidar_sim_config *config, uint64_t at_ns)
{
    double turns = (double)at_ns * 1e-9 * config->rotation_hz + config->start_azimuth_deg / 360;
    return turns - floor(turns);
}

struct reading {
    uint16_t distance;
    uint8_t intensity;
};

static struct reading to_reading(const struct lidar_sim_config *config,
                                 const struct lidar_scene_hit *hit, struct lidar_sim_random *noise)
{
    double distance = hit->distance_m;
    if (config->range_noise_m > 0)
        distance += config->range_noise_m * lidar_sim_normal(noise);
    double units = round(distance * UNITS_PER_METRE);
    if (distance > config->range_max_m || units < 1 || units > DISTANCE_UNITS_MAX)
        return (struct reading){0};
    return (struct reading){(uint16_t)units, hit->intensity};
}

static bool has_lens_offset(const struct lidar_sim_config *config)
{
    return config->lens == LIDAR_SIM_LENS_OFFSET ||
           (config->lens == LIDAR_SIM_LENS_OF_MODEL && config->model == LIDAR_SIM_HIRES);
}

/* What one laser reads: [0] for single return and even blocks, [1] for the odd blocks. */
static void fire(const struct lidar_sim_config *config, unsigned laser, uint64_t at_ns,
                 struct lidar_sim_random *noise, struct reading readings[2])
{
    const double elevation = elevation_deg[config->model][laser] * (M_PI / 180);
    const double azimuth = turn_at(config, at_ns) * 2 * M_PI;
    const struct lidar_scene_vector origin = {
        .z = has_lens_offset(config) ? FOCAL_M * tan(-elevation) : 0};
    /* Azimuth turns clockwise from straight ahead, x is ahead and y left. */
    const struct lidar_scene_vector direction = {cos(elevation) * cos(azimuth),
                                                 -cos(elevation) * sin(azimuth), sin(elevation)};

    struct lidar_scene_pose pose;
    struct lidar_scene_hit hits[LIDAR_SCENE_RETURNS_MAX];
    lidar_scene_at(&config->scene, (double)at_ns * 1e-9, &pose);
    unsigned count = lidar_scene_cast(&pose, origin, direction, hits);
    readings[0] = readings[1] = (struct reading){0};
    if (count == 0)
        return;

    const unsigned last = count - 1;
    unsigned strongest = 0, second = last;
    for (unsigned i = 1; i < count; i++)
        if (hits[i].intensity > hits[strongest].intensity)
            strongest = i;
    for (unsigned i = 0; i < count; i++)
        if (i != strongest && (second == strongest || hits[i].intensity > hits[second].intensity))
            second = i;
    if (!is_dual(config)) {
        unsigned told = config->return_mode == LIDAR_SIM_LAST ? last : strongest;
        readings[0] = to_reading(config, &hits[told], noise);
        return;
    }
    readings[0] = to_reading(config, &hits[last], noise);
    /* One return alone stands in both blocks, the same. */
    readings[1] = count == 1
                      ? readings[0]
                      : to_reading(config, &hits[strongest == last ? second : strongest], noise);
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

static uint32_t stamp_us(const struct lidar_sim_config *config, uint64_t at_ns)
{
    uint64_t us = config->gps ? (config->start_utc_ns + at_ns) / SL_NS_PER_US
                              : config->free_running_start_us + at_ns / SL_NS_PER_US;
    return (uint32_t)(us % US_PER_HOUR);
}

void lidar_sim_write_data(const struct lidar_sim_config *config, uint64_t first_ns,
                          struct lidar_sim_random *noise, uint8_t bytes[LIDAR_SIM_DATA_BYTES])
{
    const unsigned step = is_dual(config) ? 2 : 1; /* blocks that tell of one pair of firings */
    for (unsigned b = 0; b < BLOCKS; b += step) {
        uint8_t *block = bytes + (size_t)b * BLOCK_BYTES;
        const uint64_t block_ns = first_ns + (uint64_t)(b / step) * FIRINGS_PER_BLOCK * COLUMN_NS;
        for (unsigned s = 0; s < step; s++)
            start_block(block + (size_t)s * BLOCK_BYTES, turn_at(config, block_ns));
        for (unsigned i = 0; i < FIRINGS_PER_BLOCK * LIDAR_SIM_LASERS; i++) {
            const unsigned firing = i / LIDAR_SIM_LASERS, laser = i % LIDAR_SIM_LASERS;
            struct reading readings[2];
            fire(config, laser, block_ns + (uint64_t)firing * COLUMN_NS + laser * LASER_NS, noise,
                 readings);
            for (unsigned s = 0; s < step; s++)
                put_reading(block + (size_t)s * BLOCK_BYTES, i, readings[s]);
        }
    }
    sl_put_le32(bytes + STAMP_OFFSET, stamp_us(config, first_ns));
    bytes[STAMP_OFFSET + 4] = (uint8_t)config->return_mode;
    bytes[STAMP_OFFSET + 5] = config->model_byte ? config->model_byte : model_bytes[config->model];
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

void lidar_sim_write_telemetry(const struct lidar_sim_config *config, uint64_t at_ns,
                               uint8_t bytes[LIDAR_SIM_TELEMETRY_BYTES])
{
    memset(bytes, 0, LIDAR_SIM_TELEMETRY_BYTES);
    sl_put_le32(bytes + TELEMETRY_STAMP, stamp_us(config, at_ns));
    if (!config->gps)
        return;
    bytes[TELEMETRY_PPS] = PPS_LOCKED;
    write_rmc((char *)bytes + TELEMETRY_NMEA, TELEMETRY_NMEA_BYTES, config->start_utc_ns + at_ns);
}
