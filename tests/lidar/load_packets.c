/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lidar/load_packets.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "drivers/lidar/sim/sim.h"

#define TURN_NS 100000000

/* ---- OS-128, RNG19_RFL8_SIG16_NIR16_DUAL, 2048x10: "Configurable Data Packet Format" of the
 * Software User Manual: 32 bytes of header, 16 columns of 12 and 128 pixels of 16, 32 of footer. */
#define OUSTER_BEAMS        128
#define OUSTER_COLUMNS      16
#define OUSTER_TURN_COLUMNS 2048
#define OUSTER_COLUMN_BYTES (12 + OUSTER_BEAMS * 16)
#define OUSTER_TURN_PACKETS (OUSTER_TURN_COLUMNS / OUSTER_COLUMNS)
#define OUSTER_PACKET_BYTES (32 + OUSTER_COLUMNS * OUSTER_COLUMN_BYTES + 32)
#define OUSTER_SERIAL       UINT64_C(122300000123)

static uint8_t ouster_template[OUSTER_PACKET_BYTES];

/* Pixel: range 19 bits, reflectivity at 24; the second return the same 4 bytes on; signals. */
static void ouster_pixel(uint8_t *pixel, unsigned column, unsigned beam)
{
    uint32_t range_mm = 2000 + 37 * beam + column;
    sl_put_le32(pixel, range_mm | (uint32_t)(beam + 1) << 24);
    sl_put_le32(pixel + 4, (range_mm + 500) | (uint32_t)(beam + 2) << 24);
    sl_put_le16(pixel + 8, (uint16_t)(100 + beam));
    sl_put_le16(pixel + 10, (uint16_t)(200 + beam));
    sl_put_le16(pixel + 12, (uint16_t)(300 + beam));
}

static int ouster_prepare(uint64_t packets)
{
    uint8_t *bytes = ouster_template;
    (void)packets;
    sl_put_le16(bytes, 1);
    sl_put_le32(bytes + 7, (uint32_t)OUSTER_SERIAL);
    bytes[11] = (uint8_t)(OUSTER_SERIAL >> 32);
    for (unsigned c = 0; c < OUSTER_COLUMNS; c++) {
        uint8_t *column = bytes + 32 + c * OUSTER_COLUMN_BYTES;
        sl_put_le16(column + 10, 1); /* valid */
        for (unsigned beam = 0; beam < OUSTER_BEAMS; beam++)
            ouster_pixel(column + 12 + beam * 16, c, beam);
    }
    return 0;
}

static void ouster_make(const struct load_sensor *sensor, uint64_t n, uint8_t *ret_bytes)
{
    memcpy(ret_bytes, ouster_template, sizeof ouster_template);
    sl_put_le16(ret_bytes + 2, (uint16_t)(n / OUSTER_TURN_PACKETS));
    for (unsigned c = 0; c < OUSTER_COLUMNS; c++) {
        uint8_t *column = ret_bytes + 32 + c * OUSTER_COLUMN_BYTES;
        sl_put_le64(column, n * sensor->period_ns + c * sensor->period_ns / OUSTER_COLUMNS);
        sl_put_le16(column + 8, (uint16_t)(n % OUSTER_TURN_PACKETS * OUSTER_COLUMNS + c));
    }
}

static void list(FILE *file, const char *key, double from, double step)
{
    fprintf(file, ",\n \"%s\": [", key);
    for (unsigned i = 0; i < OUSTER_BEAMS; i++)
        fprintf(file, "%s%g", i ? ", " : "", from + step * i);
    fputs("]", file);
}

int load_ouster_metadata(const char *path)
{
    FILE *file = fopen(path, "w");
    if (!file)
        return -errno;
    fprintf(file, "{\"lidar_mode\": \"%ux10\", \"prod_line\": \"OS-1-128\", \"prod_sn\": \"%llu\"",
            OUSTER_TURN_COLUMNS, (unsigned long long)OUSTER_SERIAL);
    list(file, "beam_altitude_angles", 20, -40.0 / OUSTER_BEAMS);
    list(file, "beam_azimuth_angles", 0, 0);
    fprintf(file,
            ",\n \"data_format\": {\"pixels_per_column\": %u, \"columns_per_packet\": %u, "
            "\"columns_per_frame\": %u, \"udp_profile_lidar\": \"RNG19_RFL8_SIG16_NIR16_DUAL\"",
            OUSTER_BEAMS, OUSTER_COLUMNS, OUSTER_TURN_COLUMNS);
    list(file, "pixel_shift_by_row", 0, 0);
    fputs("}}\n", file);
    return fclose(file) == 0 ? 0 : -errno;
}

/* ---- Hesai's stamps: a date in UTC, and the microseconds beside it. */
#define HESAI_START_US 7e6 /* since the hour */

static void put_hesai_time(double since_hour_us, uint8_t *date, uint8_t *microseconds)
{
    uint64_t stamp_us = (uint64_t)since_hour_us, second = stamp_us / 1000000;
    memcpy(date, (const uint8_t[]){120, 2, 29, 13, (uint8_t)(second / 60), (uint8_t)(second % 60)},
           6);
    sl_put_le32(microseconds, (uint32_t)(stamp_us % 1000000));
}

/* ---- Pandar64, dual return: 8 bytes of header, 6 blocks (3 columns) of 2 and 64 channels of 3,
 * a tail of 26 (its User Manual, "Packet structure"). A column takes 55.56 us. */
#define PANDAR_COLUMN_NS    55560
#define PANDAR_COLUMNS      3
#define PANDAR_CHANNELS     64
#define PANDAR_BLOCK_BYTES  (2 + PANDAR_CHANNELS * 3)
#define PANDAR_BLOCKS_AT    8
#define PANDAR_TAIL_AT      (PANDAR_BLOCKS_AT + 2 * PANDAR_COLUMNS * PANDAR_BLOCK_BYTES)
#define PANDAR_PACKET_BYTES (PANDAR_TAIL_AT + 26)
#define PANDAR_STAMP_US     42.58 /* after the last column's beginning */

static uint8_t pandar_template[PANDAR_PACKET_BYTES];

static int pandar_prepare(uint64_t packets)
{
    uint8_t *tail = pandar_template + PANDAR_TAIL_AT;
    (void)packets;
    memcpy(pandar_template, (const uint8_t[]){0xEE, 0xFF, 64, 6, 0, 4}, 6);
    for (unsigned block = 0; block < 2 * PANDAR_COLUMNS; block++)
        for (unsigned channel = 0; channel < PANDAR_CHANNELS; channel++) {
            uint8_t *element =
                pandar_template + PANDAR_BLOCKS_AT + block * PANDAR_BLOCK_BYTES + 2 + channel * 3;
            sl_put_le16(element, (uint16_t)(1000 + 50 * channel + 400 * (block % 2)));
            element[2] = (uint8_t)(channel + 1);
        }
    tail[14] = 0x39; /* last and strongest */
    return 0;
}

static void pandar_make(const struct load_sensor *sensor, uint64_t n, uint8_t *ret_bytes)
{
    (void)sensor;
    memcpy(ret_bytes, pandar_template, sizeof pandar_template);
    for (unsigned block = 0; block < 2 * PANDAR_COLUMNS; block++) {
        uint64_t at_ns = (n * PANDAR_COLUMNS + block / 2) * PANDAR_COLUMN_NS % TURN_NS;
        long azimuth = lround((double)at_ns * 36000 / TURN_NS) % 36000;
        sl_put_le16(ret_bytes + PANDAR_BLOCKS_AT + block * PANDAR_BLOCK_BYTES, (uint16_t)azimuth);
    }
    uint64_t last_column_ns = ((n + 1) * PANDAR_COLUMNS - 1) * PANDAR_COLUMN_NS;
    double stamp_us = HESAI_START_US + (double)last_column_ns / 1e3 + PANDAR_STAMP_US;
    uint8_t *tail = ret_bytes + PANDAR_TAIL_AT;
    put_hesai_time(stamp_us, tail + 16, tail + 10);
}

/* ---- OT128, high resolution, last and strongest return (its User Manual, "Point cloud data
 * packet"): 12 bytes of header; 2 blocks, the returns of one column, of 2 and 128 channels of 3; a
 * checksum of 4, 17 of functional safety, a tail of 26, a sequence number of 4, 22 of the IMU, a
 * checksum of 4. A column takes 27.778 us, so there are 36,000 packets a second. Checksums and
 * IMU are 0. */
#define OT128_COLUMN_NS    27778
#define OT128_CHANNELS     128
#define OT128_RETURNS      2
#define OT128_BLOCKS_AT    12
#define OT128_BLOCK_BYTES  (2 + OT128_CHANNELS * 3)
#define OT128_TAIL_AT      (OT128_BLOCKS_AT + OT128_RETURNS * OT128_BLOCK_BYTES + 4 + 17)
#define OT128_PACKET_BYTES (OT128_TAIL_AT + 26 + 4 + 22 + 4)
#define OT128_STAMP_US     43.346 /* before the column's beginning */
#define OT128_RPM          600

static uint8_t ot128_template[OT128_PACKET_BYTES];

static int ot128_prepare(uint64_t packets)
{
    /* version 1.4; the last return comes first; 4 mm; with safety, IMU and sequence number */
    static const uint8_t header[] = {0xEE, 0xFF, 1, 4, 0, 0, 128, 2, 1, 4, 2, 0x07};
    uint8_t *tail = ot128_template + OT128_TAIL_AT;
    (void)packets;
    memcpy(ot128_template, header, sizeof header);
    for (unsigned block = 0; block < OT128_RETURNS; block++)
        for (unsigned channel = 0; channel < OT128_CHANNELS; channel++) {
            uint8_t *element =
                ot128_template + OT128_BLOCKS_AT + block * OT128_BLOCK_BYTES + 2 + channel * 3;
            sl_put_le16(element, (uint16_t)(1000 + 50 * channel + 400 * block));
            element[2] = (uint8_t)(channel + 1);
        }
    tail[11] = 0;    /* high resolution */
    tail[12] = 0x39; /* last and strongest */
    sl_put_le16(tail + 13, OT128_RPM);
    tail[25] = 0x42;
    return 0;
}

/* Columns take turns with two orders of firing: 2 bits a block, from the top. */
static void ot128_make(const struct load_sensor *sensor, uint64_t n, uint8_t *ret_bytes)
{
    uint8_t *tail = ret_bytes + OT128_TAIL_AT;
    (void)sensor;
    memcpy(ret_bytes, ot128_template, sizeof ot128_template);
    long azimuth = lround((double)(n * OT128_COLUMN_NS % TURN_NS) * 36000 / TURN_NS) % 36000;
    for (unsigned block = 0; block < OT128_RETURNS; block++)
        sl_put_le16(ret_bytes + OT128_BLOCKS_AT + block * OT128_BLOCK_BYTES, (uint16_t)azimuth);
    double stamp_us = HESAI_START_US + (double)(n * OT128_COLUMN_NS) / 1e3 - OT128_STAMP_US;
    sl_put_le16(tail + 9, n % 2 ? 0x5000 : 0);
    put_hesai_time(stamp_us, tail + 15, tail + 21);
    sl_put_le32(tail + 26, (uint32_t)n);
}

/* ---- VLP-16: what the simulated sensor sees, made beforehand. */
#define VLP16_PACKET_BYTES 1206

static uint8_t *vlp16_packets;

static int vlp16_prepare(uint64_t packets)
{
    struct lidar_sim_config config;
    struct lidar_sim_packet packet;
    struct lidar_sim *sim = NULL;
    lidar_sim_config_default(&config);
    config.start_azimuth_deg = 90;
    config.telemetry_every = 0;
    vlp16_packets = malloc(packets * VLP16_PACKET_BYTES);
    int err = vlp16_packets ? lidar_sim_create(&config, &sim) : -ENOMEM;
    for (uint64_t n = 0; err == 0 && n < packets; n++) {
        lidar_sim_next(sim, &packet);
        memcpy(vlp16_packets + n * VLP16_PACKET_BYTES, packet.bytes, VLP16_PACKET_BYTES);
    }
    lidar_sim_destroy(sim);
    return err;
}

static void vlp16_make(const struct load_sensor *sensor, uint64_t n, uint8_t *ret_bytes)
{
    (void)sensor;
    memcpy(ret_bytes, vlp16_packets + n * VLP16_PACKET_BYTES, VLP16_PACKET_BYTES);
}

const struct load_sensor load_sensors[] = {
    {"os128", TURN_NS / OUSTER_TURN_PACKETS, OUSTER_PACKET_BYTES, OUSTER_TURN_PACKETS, OUSTER_BEAMS,
     2 * OUSTER_TURN_COLUMNS, 2 * OUSTER_COLUMNS *OUSTER_BEAMS, ouster_prepare, ouster_make},
    {"pandar64", PANDAR_COLUMNS *PANDAR_COLUMN_NS, PANDAR_PACKET_BYTES, 0, PANDAR_CHANNELS, 0,
     2 * PANDAR_COLUMNS *PANDAR_CHANNELS, pandar_prepare, pandar_make},
    {"ot128", OT128_COLUMN_NS, OT128_PACKET_BYTES, 0, OT128_CHANNELS, 0,
     OT128_RETURNS *OT128_CHANNELS, ot128_prepare, ot128_make},
    {"vlp-16", 24 * 55296, VLP16_PACKET_BYTES, 0, 16, 0, 0, vlp16_prepare, vlp16_make},
    {0},
};

const struct load_sensor *load_sensor_find(const char *name)
{
    for (const struct load_sensor *sensor = load_sensors; sensor->name; sensor++)
        if (strcmp(sensor->name, name) == 0)
            return sensor;
    return NULL;
}
