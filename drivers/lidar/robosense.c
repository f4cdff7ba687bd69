/* SPDX-License-Identifier: Apache-2.0 */
/* robosense.c - the two packets, of points and of the sensor itself.
 *
 * RS-LiDAR-16 and RS-Helios user manuals, section 6 and appendix B. All big endian.
 *
 *      points   | id, 4 or 8 bytes | ... | time, 10 bytes at 20 | ... | 12 blocks at 42 | tail, 6 |
 *      block    | FF EE | azimuth | 32 x (distance u16, intensity u8) |
 *      time     RS-LiDAR-16: year - 2000, month, day, hour, minute, second, ms u16, us u16
 *               Helios: seconds, 6 bytes, and microseconds, 4 bytes
 *      itself   | A5 FF 00 5A 11 11 55 55 | rpm | ... | returns u8 at 300 | ... | angles | ... |
 *
 * Two returns: with 32 lasers, blocks 2i and 2i+1 are the same column. With 16, a block is two
 * columns, or one column's two returns, and only the other packet tells which.
 *
 * Where rays begin: on a circle of radius q about the axis, where the azimuth h of their firing
 * looks; they themselves look aside of it by the laser's angle c. With el the vertical angle,
 *
 *      x =   r cos(el) cos(h + c) + q cos(h)
 *      y = - r cos(el) sin(h + c) - q sin(h)
 *      z =   r sin(el)
 *
 * which is a ray from the axis that is longer by d = q cos(c) / cos(el), d sin(el) lower, and
 * aside by q sin(c): a struct lidar_beam.
 */
#include "drivers/lidar/robosense.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/base/bytes.h"
#include "core/base/clock.h"

#define RADIANS_PER_DEGREE (3.14159265358979323846 / 180)
#define BLOCKS             12
#define BLOCKS_AT          42
#define BLOCK_BYTES        100
#define BLOCK_FLAG         0xFFEE
#define BLOCK_ELEMENTS_AT  4
#define ELEMENT_BYTES      3
#define TIME_AT            20
#define SECONDS_AN_HOUR    3600
#define US_A_SECOND        1000000
#define MM_PER_METRE       1000
#define INTENSITY_MAX      255

/* Of the Helios. */
#define UNIT_AT         17 /* 1: 0.25 cm, 0: 0.5 cm */
#define UNIT_COARSE_M   0.005f
#define TYPE_AT         30
#define KIND_AT         31
#define KIND_NOT_TOLD   0
#define INFO_SENTENCE   382
#define SENTENCE_BYTES  86
#define INFO_VERTICAL   468
#define INFO_HORIZONTAL 564
#define ANGLE_BYTES     3 /* sign u8, 0.01 degrees u16 */
#define NEGATIVE        1

/* Of the RS-LiDAR-16. */
#define INFO_PITCH     1165 /* 16 x 0.0001 degrees, 3 bytes without a sign */
#define PITCH_UNIT_DEG 1e-4
#define PITCHES_DOWN   8 /* the first ones are below the horizon */

#define INFO_RPM     8
#define INFO_RETURNS 300
#define VERTICAL_MAX 90

static const uint8_t id_rs16[] = {0x55, 0xAA, 0x05, 0x0A, 0x5A, 0xA5, 0x50, 0xA0};
static const uint8_t id_helios[] = {0x55, 0xAA, 0x05, 0x5A};
static const uint8_t id_info[] = {0xA5, 0xFF, 0x00, 0x5A, 0x11, 0x11, 0x55, 0x55};

/* What the bytes of type and kind of a Helios mean. */
static const struct kind {
    uint8_t type, kind;
    const char *model;
} kinds[] = {
    {6, KIND_NOT_TOLD, "RS-Helios-5515"}, {6, 1, "RS-Helios-5515"}, {6, 3, "RS-Helios-16P"},
    {7, KIND_NOT_TOLD, "RS-Helios-16P"},  {7, 3, "RS-Helios-16P"},
};
#define KINDS (sizeof kinds / sizeof *kinds)

static bool begins_with(const uint8_t *bytes, const uint8_t *id, size_t id_bytes)
{
    return memcmp(bytes, id, id_bytes) == 0;
}

static bool is_rs16(const struct lidar_model *model)
{
    return strcmp(model->name, "RS-LiDAR-16") == 0;
}

static double lens_m(const struct lidar_model *model)
{
    return is_rs16(model) ? 0.03825 : 0.03498;
}

bool robosense_tells_fix(const struct lidar_model *model)
{
    return !is_rs16(model);
}

const struct lidar_model *robosense_model_find(const char *name)
{
    for (const struct lidar_model *const *model = robosense_models; *model; model++) {
        if (strcasecmp(name, (*model)->name) == 0)
            return *model;
        for (unsigned i = 0; i < LIDAR_ALIASES_MAX; i++) {
            if ((*model)->aliases[i] && strcasecmp(name, (*model)->aliases[i]) == 0)
                return *model;
        }
    }
    return NULL;
}

/* NULL = none of ours, though it may be a RoboSense. */
static const struct lidar_model *model_of(const uint8_t *bytes)
{
    if (begins_with(bytes, id_rs16, sizeof id_rs16))
        return robosense_model_find("RS-LiDAR-16");
    for (const struct kind *kind = kinds; kind < kinds + KINDS; kind++) {
        if (kind->type == bytes[TYPE_AT] && kind->kind == bytes[KIND_AT])
            return robosense_model_find(kind->model);
    }
    return NULL;
}

static const uint8_t *block_of(const uint8_t *bytes, unsigned block)
{
    return bytes + BLOCKS_AT + (size_t)block * BLOCK_BYTES;
}

static unsigned azimuth_of(const uint8_t *bytes, unsigned block)
{
    return sl_get_be16(block_of(bytes, block) + 2) % LIDAR_AZIMUTH_UNITS;
}

enum lidar_count robosense_data_check(const uint8_t *bytes, size_t size_bytes,
                                      const struct lidar_model **ret_model)
{
    if (size_bytes < ROBOSENSE_PACKET_BYTES)
        return LIDAR_BAD_SHORT;
    if (size_bytes > ROBOSENSE_PACKET_BYTES)
        return LIDAR_BAD_LONG;
    bool is_known = begins_with(bytes, id_rs16, sizeof id_rs16) ||
                    begins_with(bytes, id_helios, sizeof id_helios);
    if (!is_known)
        return LIDAR_BAD_FLAG;
    const struct lidar_model *model = model_of(bytes);
    if (!model)
        return LIDAR_OTHER_MODEL;
    for (unsigned i = 0; i < BLOCKS; i++) {
        if (sl_get_be16(block_of(bytes, i)) != BLOCK_FLAG)
            return LIDAR_BAD_FLAG;
        if (sl_get_be16(block_of(bytes, i) + 2) > LIDAR_AZIMUTH_UNITS)
            return LIDAR_BAD_AZIMUTH;
    }
    *ret_model = model;
    return LIDAR_PACKETS;
}

void robosense_data_describe(const uint8_t *bytes, char *ret_text, size_t size_bytes)
{
    snprintf(ret_text, size_bytes, "type %u, kind %u", bytes[TYPE_AT], bytes[KIND_AT]);
}

/* Days from 1970-01-01 to a date between 2000 and 2255: 10957 days to 2000-01-01, whose leap years
 * are every fourth but 2100 and 2200. */
static int64_t days_of(int year, int month, int day)
{
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    int whole = month > 2 ? year : year - 1; /* years whose February is over */
    int leap = whole < 2000 ? 0 : (whole - 2000) / 4 + 1 - (whole >= 2100) - (whole >= 2200);
    return 10957 + (year - 2000) * INT64_C(365) + leap + before[month - 1] + day - 1;
}

/* year - 2000, month, day, hour, minute, second */
static bool is_date(const uint8_t *date)
{
    return date[1] >= 1 && date[1] <= 12 && date[2] >= 1 && date[2] <= 31 && date[3] < 24 &&
           date[4] < 60 && date[5] <= 60;
}

static struct robosense_time time_of(int64_t seconds, uint32_t microseconds, bool has_date)
{
    return (struct robosense_time){
        .stamp_us = (uint32_t)(seconds % SECONDS_AN_HOUR) * US_A_SECOND + microseconds,
        .has_date = has_date,
        .utc_ns = seconds * (int64_t)SL_NS_PER_S + microseconds * (int64_t)SL_NS_PER_US,
    };
}

struct robosense_time robosense_data_time(const struct lidar_model *model, const uint8_t *bytes)
{
    const uint8_t *at = bytes + TIME_AT;
    if (!is_rs16(model)) {
        /* two bytes more than a date of this millennium needs */
        bool has_date = sl_get_be16(at) == 0;
        return time_of(sl_get_be32(at + 2), sl_get_be32(at + 6) % US_A_SECOND, has_date);
    }
    uint32_t microseconds = sl_get_be16(at + 6) % 1000 * 1000u + sl_get_be16(at + 8) % 1000;
    int64_t seconds = at[4] * 60 + at[5];
    if (is_date(at))
        seconds += (days_of(2000 + at[0], at[1], at[2]) * 24 + at[3]) * SECONDS_AN_HOUR;
    return time_of(seconds, microseconds, is_date(at));
}

float robosense_data_unit_m(const struct lidar_model *model, const uint8_t *bytes)
{
    bool is_coarse = !is_rs16(model) && bytes[UNIT_AT] == 0;
    return is_coarse ? UNIT_COARSE_M : model->range_unit_m;
}

unsigned robosense_data_returns(const struct lidar_model *model, const uint8_t *bytes)
{
    if (model->lasers < ROBOSENSE_LASERS_MAX)
        return 0;
    for (unsigned i = 0; i < BLOCKS; i += 2) {
        if (azimuth_of(bytes, i) != azimuth_of(bytes, i + 1))
            return 1;
    }
    return 2;
}

struct robosense_turned robosense_data_turned(const struct lidar_model *model, const uint8_t *bytes)
{
    unsigned first = azimuth_of(bytes, 0), last = azimuth_of(bytes, BLOCKS - 1);
    return (struct robosense_turned){
        .stamp_us = robosense_data_time(model, bytes).stamp_us,
        .first = first,
        .advance = (last + LIDAR_AZIMUTH_UNITS - first) % LIDAR_AZIMUTH_UNITS,
    };
}

/* The sensor itself. */

bool robosense_is_info(const uint8_t *bytes, size_t size_bytes)
{
    return size_bytes >= sizeof id_info && begins_with(bytes, id_info, sizeof id_info);
}

/* False where no angle stands. */
static bool read_angle(const uint8_t *at, float *ret_deg)
{
    float deg = sl_get_be16(at + 1) * 0.01f;
    if (at[0] > NEGATIVE || deg > VERTICAL_MAX)
        return false;
    *ret_deg = at[0] == NEGATIVE ? -deg : deg;
    return true;
}

static bool read_helios(const uint8_t *bytes, unsigned lasers, struct robosense_info *info)
{
    bool is_set = false;
    for (unsigned i = 0; i < lasers; i++) {
        if (!read_angle(bytes + INFO_VERTICAL + i * ANGLE_BYTES, &info->vertical_deg[i]) ||
            !read_angle(bytes + INFO_HORIZONTAL + i * ANGLE_BYTES, &info->azimuth_deg[i]))
            return false;
        is_set |= info->vertical_deg[i] != 0;
    }
    return is_set;
}

static bool read_rs16(const uint8_t *bytes, unsigned lasers, struct robosense_info *info)
{
    bool is_set = false;
    for (unsigned i = 0; i < lasers; i++) {
        const uint8_t *at = bytes + INFO_PITCH + i * ANGLE_BYTES;
        double deg = (at[0] * 65536.0 + sl_get_be16(at + 1)) * PITCH_UNIT_DEG;
        if (deg > VERTICAL_MAX)
            return false;
        info->vertical_deg[i] = (float)(i < PITCHES_DOWN ? -deg : deg);
        is_set |= deg > 0;
    }
    return is_set;
}

static unsigned returns_of(const struct lidar_model *model, uint8_t mode)
{
    if (mode == 0)
        return 2;
    bool is_one = is_rs16(model) ? mode == 1 || mode == 2 : mode >= 4 && mode <= 6;
    return is_one ? 1 : 0;
}

enum lidar_count robosense_info_parse(const struct lidar_model *model, const uint8_t *bytes,
                                      size_t size_bytes, struct robosense_info *ret_info)
{
    if (size_bytes != ROBOSENSE_PACKET_BYTES || !robosense_is_info(bytes, size_bytes))
        return LIDAR_BAD_TELEMETRY;
    struct robosense_info info = {
        .returns = returns_of(model, bytes[INFO_RETURNS]),
        .rpm = sl_get_be16(bytes + INFO_RPM),
    };
    if (robosense_tells_fix(model)) {
        info.nmea = (const char *)bytes + INFO_SENTENCE;
        info.nmea_length = strnlen(info.nmea, SENTENCE_BYTES);
    }
    info.has_angles = (is_rs16(model) ? read_rs16 : read_helios)(bytes, model->lasers, &info);
    *ret_info = info;
    return LIDAR_TELEMETRY;
}

void robosense_sensor_init(struct robosense_sensor *sensor, const struct lidar_model *type,
                           unsigned returns, float unit_m)
{
    memset(sensor, 0, sizeof *sensor);
    sensor->model = *type;
    sensor->model.range_unit_m = unit_m;
    sensor->model.beams = sensor->beams;
    if (type->lasers < ROBOSENSE_LASERS_MAX && returns == 2) {
        /* each block is a column twice: as if there were twice as many, of one column each */
        sensor->model.columns_per_block = 1;
        sensor->model.blocks = 2 * BLOCKS;
    }
    for (unsigned i = 0; i < type->lasers; i++) {
        double vertical = (double)type->vertical_deg[i] * RADIANS_PER_DEGREE;
        double aside = -(double)type->azimuth_offset_deg[i] * RADIANS_PER_DEGREE;
        double longer_m = lens_m(type) * cos(aside) / fmax(cos(vertical), 1e-3);
        sensor->model.vertical_offset_mm[i] = (float)(-longer_m * sin(vertical) * MM_PER_METRE);
        sensor->beams[i] = (struct lidar_beam){
            .distance_m = (float)longer_m,
            .sideways_m = (float)(lens_m(type) * sin(aside)),
            .intensity_max = INTENSITY_MAX,
        };
    }
}

void robosense_data_parse(const struct robosense_sensor *sensor, unsigned returns,
                          const uint8_t *bytes, struct lidar_packet *ret_packet)
{
    const struct lidar_model *model = &sensor->model;
    bool is_in_one_block = model->lasers < ROBOSENSE_LASERS_MAX;
    unsigned blocks_per_group = is_in_one_block ? 1 : returns;
    size_t to_second = is_in_one_block ? (size_t)model->lasers * ELEMENT_BYTES : BLOCK_BYTES;
    unsigned groups = BLOCKS / blocks_per_group;
    for (unsigned i = 0; i < groups; i++) {
        const uint8_t *elements = block_of(bytes, i * blocks_per_group) + BLOCK_ELEMENTS_AT;
        ret_packet->azimuth[i] = (uint16_t)azimuth_of(bytes, i * blocks_per_group);
        ret_packet->wire[0][i] = elements;
        ret_packet->wire[1][i] = returns == 2 ? elements + to_second : elements;
    }
    ret_packet->model = model;
    ret_packet->stamp_us = robosense_data_time(model, bytes).stamp_us;
    ret_packet->returns = (uint8_t)returns;
    ret_packet->group_count = (uint8_t)groups;
}
