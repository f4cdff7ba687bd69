/* SPDX-License-Identifier: Apache-2.0 */
/* xt32.c - the packet of the Hesai PandarXT-32 (User Manual, "Point Cloud Data Packet"), little
 * endian:
 *
 *     0     2   4      6   7  8     9    10      11      12       142     ...    1052     1080
 *     | EE FF | 6 1 0 0 | 32 | 8 | first | 4 mm | returns | flags | block 0 | block 1 ... | tail |
 *     block: azimuth u16, 0.01 deg | 32 x (distance u16, 4 mm | reflectivity u8 | confidence u8)
 *     tail:  9 bytes | shutdown u8 | mode u8 | rpm u16 | date, 6 bytes | us u32 | 0x42 | number u32
 *            0         9             10        11        13              19       23     24
 *
 * A block is a column of 32 firings, 50 us after the one before; with two returns blocks 2i and
 * 2i+1 are the last and the strongest of one column. The tail's time is that of the last column; a
 * channel fires 6 us and 1.512 us a channel later. All channels of a block look where its azimuth
 * says, as Hesai's own software places their points; they see the scene of its time.
 */
#include "core/base/bytes.h"
#include "core/base/clock.h"
#include "drivers/lidar/sim/sensor.h"
#include "drivers/lidar/source.h"

#include <math.h>
#include <string.h>
#include <time.h>

#define PACKET_BYTES   1080u
#define BLOCKS_AT      12u
#define BLOCKS         8u
#define BLOCK_BYTES    130u
#define LASERS         32u
#define TAIL_AT        1052u
#define COLUMN_NS      50000u
#define TOP_DEG        15.0 /* channel 1's elevation; each further one is a degree lower */
#define UNIT_M         0.004
#define UNIT_MM        4u
#define UNITS_MAX      65535u
#define CONFIDENCE     0xFFu
#define FACTORY        0x42u
#define FLAG_NUMBER    0x01u /* packets are numbered */
#define MODE_DUAL      0x39u /* last and strongest; single ones are named as Velodyne's */
#define FIRST_IS_LAST  1u
#define UNITS_PER_TURN 36000u
/* A clock that nobody has set: an hour before 2000, so that it wraps when a counter of an hour
 * would. */
#define UNSET_CLOCK_NS (UINT64_C(946681200) * SL_NS_PER_S)

static unsigned returns_of(const struct lidar_sim_config *config)
{
    return config->return_mode == LIDAR_SIM_DUAL ? 2 : 1;
}

static unsigned columns_of(const struct lidar_sim_config *config)
{
    return BLOCKS / returns_of(config);
}

static uint64_t start_ns(const struct lidar_sim_config *config,
                         const struct lidar_sim_moment *moment)
{
    return moment->on_ns + moment->index * columns_of(config) * COLUMN_NS;
}

static void put_unit(const struct lidar_sim_config *config, const struct lidar_scene_hit *hit,
                     struct lidar_sim_random *noise, uint8_t *unit)
{
    uint32_t distance = hit ? lidar_sim_distance(config, hit, UNIT_M, UNITS_MAX, noise) : 0;
    sl_put_le16(unit, (uint16_t)distance);
    unit[2] = distance > 0 ? hit->intensity : 0;
    unit[3] = CONFIDENCE;
}

/* The blocks of one column. */
static void write_column(const struct lidar_sim_config *config, uint64_t at_ns,
                         struct lidar_sim_random *noise, uint8_t *blocks)
{
    const double turn = lidar_sim_azimuth(config, at_ns);
    const unsigned returns = returns_of(config);
    struct lidar_scene_pose pose;
    lidar_scene_at(&config->scene, (double)at_ns * 1e-9, &pose);
    for (unsigned i = 0; i < returns; i++)
        sl_put_le16(blocks + i * BLOCK_BYTES,
                    (uint16_t)(lround(turn * UNITS_PER_TURN) % UNITS_PER_TURN));
    for (unsigned laser = 0; laser < LASERS; laser++) {
        struct lidar_sim_look look;
        const struct lidar_scene_hit *hits[2];
        uint8_t *unit = blocks + 2 + (size_t)laser * 4;
        lidar_sim_look(&pose, (struct lidar_scene_vector){0}, turn * 2 * M_PI,
                       (TOP_DEG - laser) * (M_PI / 180), &look);
        lidar_sim_last_and_strongest(config, &look, hits);
        put_unit(config, hits[0], noise, unit);
        if (returns > 1 && look.count > 1)
            put_unit(config, hits[1], noise, unit + BLOCK_BYTES);
        else if (returns > 1) /* one return alone is both, the same */
            memcpy(unit + BLOCK_BYTES, unit, 4);
    }
}

static void put_date(uint8_t *date, uint64_t utc_ns)
{
    const time_t second = (time_t)(utc_ns / SL_NS_PER_S);
    struct tm utc;
    gmtime_r(&second, &utc);
    date[0] = (uint8_t)utc.tm_year; /* since 1900 */
    date[1] = (uint8_t)(utc.tm_mon + 1);
    date[2] = (uint8_t)utc.tm_mday;
    date[3] = (uint8_t)utc.tm_hour;
    date[4] = (uint8_t)utc.tm_min;
    date[5] = (uint8_t)utc.tm_sec;
}

static void write_tail(const struct lidar_sim_config *config, const struct lidar_sim_moment *moment,
                       uint64_t last_ns, uint8_t *tail)
{
    uint64_t clock_ns = lidar_sim_sensor_ns(config, moment, last_ns);
    const double turned =
        lidar_sim_turns(config, last_ns + SL_NS_PER_MS) - lidar_sim_turns(config, last_ns);
    if (!config->gps)
        clock_ns += UNSET_CLOCK_NS;
    memset(tail, 0, PACKET_BYTES - TAIL_AT);
    tail[10] = returns_of(config) > 1 ? MODE_DUAL : (uint8_t)config->return_mode;
    sl_put_le16(tail + 11, (uint16_t)lround(fabs(turned) * 60e3));
    put_date(tail + 13, clock_ns);
    sl_put_le32(tail + 19, (uint32_t)(clock_ns % SL_NS_PER_S / SL_NS_PER_US));
    tail[23] = FACTORY;
    uint64_t number = moment->index;
    if (config->faults.wrap_s > 0 && moment->generation == 0)
        number -= (uint64_t)(config->faults.wrap_s * 1e9 / (columns_of(config) * COLUMN_NS));
    sl_put_le32(tail + 24, (uint32_t)number);
}

static uint32_t write_data(const struct lidar_sim_config *config,
                           const struct lidar_sim_moment *moment, struct lidar_sim_random *noise,
                           uint8_t bytes[LIDAR_SIM_PACKET_BYTES_MAX])
{
    const unsigned returns = returns_of(config), columns = columns_of(config);
    const uint8_t header[BLOCKS_AT] = {0xEE,
                                       0xFF,
                                       6,
                                       1,
                                       0,
                                       0,
                                       LASERS,
                                       BLOCKS,
                                       returns > 1 ? FIRST_IS_LAST : 0,
                                       UNIT_MM,
                                       (uint8_t)returns,
                                       FLAG_NUMBER};
    const uint64_t first_ns = start_ns(config, moment);
    memcpy(bytes, header, sizeof header);
    for (unsigned column = 0; column < columns; column++)
        write_column(config, first_ns + (uint64_t)column * COLUMN_NS, noise,
                     bytes + BLOCKS_AT + (size_t)column * returns * BLOCK_BYTES);
    write_tail(config, moment, first_ns + (uint64_t)(columns - 1) * COLUMN_NS, bytes + TAIL_AT);
    return PACKET_BYTES;
}

const struct lidar_sim_sensor lidar_sim_xt32 = {
    .can_reverse = true,
    .data_port = LIDAR_VELODYNE_DATA_PORT, /* Hesai's too */
    .start_ns = start_ns,
    .write_data = write_data,
};
