/* SPDX-License-Identifier: Apache-2.0 */
/* velodyne_hdl64.c - the HDL-64E's packets and the calibration that they carry.
 *
 * HDL-64E S2 and S3 User Manual, appendix "Packet format". As all Velodynes' (velodyne.c), but:
 *
 *      one return   EE DD  EE DD  EE DD  EE DD  EE DD  EE DD     six columns of two banks
 *      two returns  EE DD  EE'DD' EE DD  EE'DD' EE DD  EE'DD'    three columns
 *
 * and the last two bytes are a status: what it is (a letter for clock, GPS, temperature, firmware,
 * warnings; for calibration a digit from 1 to 7), and its value. The calibration begins with
 * "UNIT#" and two thresholds; then each laser has 28 bytes:
 *
 *      0    1          3           5        7  9        11        13        15       17
 *      | id | vertical | rotation  | far d  | x | y     | height  | aside   | focus  | slope |
 *      19  min intensity   20  max intensity   21 ... 27 not used
 *
 * all i16 little endian: hundredths of degrees, millimetres, tenths for the slope.
 */
#include "drivers/lidar/velodyne_hdl64.h"

#include <string.h>

#include "core/base/bytes.h"

#define BLOCK_BYTES    100
#define BLOCK_COUNT    12
#define BLOCK_AZIMUTH  2
#define BLOCK_ELEMENTS 4
#define FLAG_UPPER     0xEEFF
#define FLAG_LOWER     0xDDFF
#define STATUS_TYPE    1204
#define STATUS_VALUE   1205
#define COLUMN_BYTES   (2 * BLOCK_BYTES)
#define COLUMNS        (BLOCK_COUNT / 2)
#define DEGREES_A_UNIT 0.01f
#define METRES_A_MM    0.001f
#define SLOPE_A_UNIT   0.1f

static uint16_t azimuth_of(const uint8_t *bytes, unsigned column)
{
    return sl_get_le16(bytes + column * COLUMN_BYTES + BLOCK_AZIMUTH) % LIDAR_AZIMUTH_UNITS;
}

enum lidar_count velodyne_hdl64_check(const uint8_t *bytes, size_t size_bytes)
{
    if (size_bytes < VELODYNE_DATA_BYTES)
        return LIDAR_BAD_SHORT;
    if (size_bytes > VELODYNE_DATA_BYTES)
        return LIDAR_BAD_LONG;
    for (unsigned i = 0; i < BLOCK_COUNT; i++) {
        const uint8_t *block = bytes + i * BLOCK_BYTES;
        if (sl_get_le16(block) != (i % 2 == 0 ? FLAG_UPPER : FLAG_LOWER))
            return LIDAR_BAD_FLAG;
        uint16_t azimuth = sl_get_le16(block + BLOCK_AZIMUTH);
        if (azimuth > LIDAR_AZIMUTH_UNITS ||
            azimuth % LIDAR_AZIMUTH_UNITS != azimuth_of(bytes, i / 2))
            return LIDAR_BAD_AZIMUTH;
    }
    return LIDAR_PACKETS;
}

static unsigned returns_of(const uint8_t *bytes)
{
    for (unsigned column = 0; column < COLUMNS; column += 2) {
        if (azimuth_of(bytes, column) != azimuth_of(bytes, column + 1))
            return 1;
    }
    return 2;
}

enum lidar_count velodyne_hdl64_parse(const struct lidar_model *model, const uint8_t *bytes,
                                      struct lidar_packet *ret_packet)
{
    unsigned returns = returns_of(bytes);
    unsigned groups = lidar_model_groups(model, returns);
    for (unsigned i = 0; i < groups; i++) {
        const uint8_t *group = bytes + (size_t)i * returns * COLUMN_BYTES;
        ret_packet->azimuth[i] = azimuth_of(bytes, i * returns);
        ret_packet->wire[0][i] = group + BLOCK_ELEMENTS;
        ret_packet->wire[1][i] = group + (returns - 1) * COLUMN_BYTES + BLOCK_ELEMENTS;
    }
    ret_packet->model = model;
    ret_packet->stamp_us = velodyne_data_stamp_us(bytes);
    ret_packet->returns = (uint8_t)returns;
    ret_packet->group_count = (uint8_t)groups;
    return LIDAR_PACKETS;
}

/* The calibration that packets carry. */

static float signed_at(const uint8_t *record, unsigned at, float unit)
{
    return (float)(int16_t)sl_get_le16(record + at) * unit;
}

static bool read_record(const uint8_t *record, unsigned laser, struct velodyne_calibration *c)
{
    float vertical_deg = signed_at(record, 1, DEGREES_A_UNIT);
    if (record[0] != laser || vertical_deg < -90 || vertical_deg > 90)
        return false;
    c->model.vertical_deg[laser] = vertical_deg;
    c->model.azimuth_offset_deg[laser] = signed_at(record, 3, DEGREES_A_UNIT);
    c->model.vertical_offset_mm[laser] = signed_at(record, 11, 1);
    c->beams[laser] = (struct lidar_beam){
        .distance_m = signed_at(record, 5, METRES_A_MM),
        .has_near = true,
        .distance_x_m = signed_at(record, 7, METRES_A_MM),
        .distance_y_m = signed_at(record, 9, METRES_A_MM),
        .sideways_m = signed_at(record, 13, METRES_A_MM),
        .focal_distance_m = signed_at(record, 15, METRES_A_MM),
        .focal_slope = signed_at(record, 17, SLOPE_A_UNIT),
        .intensity_min = record[19],
        .intensity_max = record[20],
    };
    return true;
}

static bool read_records(const uint8_t *records, const struct lidar_model *model,
                         struct velodyne_calibration *c)
{
    c->model = *model;
    c->model.beams = c->beams;
    for (unsigned laser = 0; laser < HDL64_LASERS; laser++) {
        if (!read_record(records + (size_t)laser * HDL64_RECORD_BYTES, laser, c))
            return false;
    }
    return true;
}

bool velodyne_status_push(struct velodyne_status *status, const uint8_t *bytes,
                          const struct lidar_model *model,
                          struct velodyne_calibration *ret_calibration)
{
    static const char begin[] = "UNIT#";
    uint8_t type = bytes[STATUS_TYPE], value = bytes[STATUS_VALUE];
    if (type < '1' || type > '7')
        return false; /* it is about something else */
    if (type != '1' + status->count % 7)
        status->count = 0; /* one was lost */
    if (type != '1' + status->count % 7)
        return false;
    if (status->count < sizeof begin - 1 && value != begin[status->count]) {
        status->count = 0;
        return false;
    }
    status->bytes[status->count++] = value;
    if (status->count < HDL64_STATUS_BYTES)
        return false;
    status->count = 0;
    struct velodyne_calibration read;
    if (!read_records(status->bytes + HDL64_RECORDS_AT, model, &read))
        return false;
    *ret_calibration = read;
    ret_calibration->model.beams = ret_calibration->beams;
    return true;
}
