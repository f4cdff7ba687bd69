/* SPDX-License-Identifier: Apache-2.0 */
/* robosense_made.h - RoboSense's packets, made byte by byte from the manuals; the decoder's tables
 * are not used.
 *
 * Life, owner: nothing is kept.
 * Threads: any.
 * Errors:  none.
 */
#ifndef SL_TESTS_LIDAR_ROBOSENSE_MADE_H
#define SL_TESTS_LIDAR_ROBOSENSE_MADE_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "core/base/bytes.h"

#define BYTES        1248
#define START_UTC_S  1709208007 /* 2024-02-29 12:00:07 */
#define START_DEG    350.003
#define DEG_A_US     3600e-6 /* ten turns a second */
#define TURNS_BACK   100     /* more than there are */
#define RAW          900
#define SECOND_IS_BY 300

/* A sensor as its manual describes it. */
struct sensor {
    const char *name;
    uint8_t id[8];
    uint8_t type;
    unsigned lasers;
    double period_us, unit_m, lens_m;
    double vertical_deg[32], azimuth_deg[32], firing_us[32];
    unsigned returns;
    int way; /* 1, or -1: counterclockwise */
};

/* clang-format off */
#define RS16 "RS-LiDAR-16", {0x55, 0xAA, 0x05, 0x0A, 0x5A, 0xA5, 0x50, 0xA0}, 0, 16, 55.5, 0.005, \
    0.03825, {-15, -13, -11, -9, -7, -5, -3, -1, 15, 13, 11, 9, 7, 5, 3, 1}, {0}, \
    {0, 2.8, 5.6, 8.4, 11.2, 14, 16.8, 19.6, 22.4, 25.2, 28, 30.8, 33.6, 36.4, 39.2, 42}
#define HELIOS "RS-Helios-5515", {0x55, 0xAA, 0x05, 0x5A}, 6, 32, 55.56, 0.0025, 0.03498, \
    {15, 13, 11, 9, 7, 5.5, 4, 2.67, 1.33, 0, -1.33, -2.67, -4, -5.33, -6.67, -8, -10, -16, -13, \
     -19, -22, -28, -25, -31, -34, -37, -40, -43, -46, -49, -52, -55}, \
    {-4.05, 3.61, -4, 3.58, -3.97, 3.56, -3.96, 3.55, -3.95, 3.55, -3.95, 3.55, -3.96, 3.56, \
     -3.97, 3.57, -3.99, 3.64, -4.02, 3.68, -4.17, 3.86, -4.24, 3.95, -4.5, 4.12, -4.74, 4.36, \
     -5.01, 4.59, -5.3, 4.78}, \
    {0, 1.57, 3.15, 4.72, 6.3, 7.87, 9.45, 11.36, 13.26, 15.17, 17.08, 18.99, 20.56, 22.14, 23.71, \
     25.29, 26.53, 29.01, 27.77, 30.25, 31.49, 33.98, 32.73, 35.22, 36.46, 37.7, 38.94, 40.18, \
     41.42, 42.67, 43.91, 45.15}
#define HELIOS16P "RS-Helios-16P", {0x55, 0xAA, 0x05, 0x5A}, 7, 16, 55.56, 0.0025, 0.03498, \
    {15, 13, 11, 9, 7, 5.5, 4, 2.67, 1.33, 0, -1.33, -2.67, -4, -5.33, -6.67, -8}, \
    {-4.05, 3.61, -4, 3.58, -3.97, 3.56, -3.96, 3.55, -3.95, 3.55, -3.95, 3.55, -3.96, 3.56, \
     -3.97, 3.57}, \
    {0, 3.15, 6.3, 9.45, 13.26, 17.08, 20.56, 23.71, 26.53, 27.77, 31.49, 32.73, 36.46, 38.94, \
     41.42, 43.91}

static const struct sensor sensors[] = {
    {RS16, 1, 1}, {RS16, 2, 1}, {HELIOS, 1, 1}, {HELIOS, 2, 1}, {HELIOS16P, 1, 1},
    {HELIOS16P, 2, 1}, {RS16, 1, -1}, {RS16, 2, -1}, {HELIOS, 1, -1}, {HELIOS, 2, -1},
    {HELIOS16P, 1, -1}, {HELIOS16P, 2, -1},
};
/* clang-format on */

static inline unsigned columns_in_packet(const struct sensor *s)
{
    return 12 * 32 / s->lasers / s->returns;
}

static inline double turned_deg(const struct sensor *s, double us)
{
    return s->way * us * DEG_A_US;
}

/* 9.997 degrees before the first cut, either way, and above 0. */
static inline double azimuth_deg(const struct sensor *s, unsigned column)
{
    double start = s->way > 0 ? START_DEG : TURNS_BACK * 360 - START_DEG;
    return start + turned_deg(s, column * s->period_us);
}

/* Distance of a laser's return in a column: no two neighbours are alike. */
static inline unsigned raw_of(unsigned column, unsigned laser, unsigned which)
{
    return RAW + 20 * laser + column % 7 + which * SECOND_IS_BY;
}

static inline void put_time(const struct sensor *s, uint64_t us, uint8_t *to)
{
    if (s->lasers == 16 && s->type == 0) {
        memcpy(to, (const uint8_t[]){24, 2, 29, 12, 0, (uint8_t)(7 + us / 1000000)}, 6);
        sl_put_be16(to + 6, (uint16_t)(us % 1000000 / 1000));
        sl_put_be16(to + 8, (uint16_t)(us % 1000));
    } else {
        sl_put_be32(to + 2, (uint32_t)(START_UTC_S + us / 1000000));
        sl_put_be32(to + 6, (uint32_t)(us % 1000000));
    }
}

static inline void make_packet(const struct sensor *s, unsigned n, uint8_t packet[BYTES])
{
    unsigned columns = columns_in_packet(s);
    memset(packet, 0, BYTES);
    memcpy(packet, s->id, sizeof s->id);
    packet[17] = 1;
    packet[30] = s->type;
    put_time(s, (uint64_t)(n * columns * s->period_us), packet + 20);
    for (unsigned i = 0; i < 12 * 32; i++) {
        uint8_t *block = packet + 42 + i / 32 * 100;
        unsigned group = i / s->lasers, laser = i % s->lasers;
        unsigned column = n * columns + group / s->returns;
        uint8_t *element = block + 4 + i % 32 * 3;
        sl_put_be16(block, 0xFFEE);
        if (laser == 0 && i % 32 == 0)
            sl_put_be16(block + 2, (uint16_t)(lround(azimuth_deg(s, column) * 100) % 36000));
        sl_put_be16(element, (uint16_t)raw_of(column, laser, group % s->returns));
        element[2] = (uint8_t)(laser + 1);
    }
}

static inline void put_angle(uint8_t *to, double deg)
{
    to[0] = deg < 0;
    sl_put_be16(to + 1, (uint16_t)lround(fabs(deg) * 100));
}

static inline void make_info(const struct sensor *s, uint8_t bytes[BYTES])
{
    static const uint8_t id[] = {0xA5, 0xFF, 0x00, 0x5A, 0x11, 0x11, 0x55, 0x55};
    memset(bytes, 0xFF, BYTES);
    memcpy(bytes, id, sizeof id);
    sl_put_be16(bytes + 8, 600);
    bytes[300] = s->returns == 2 ? 0 : s->type == 0 ? 1 : 4;
    for (unsigned i = 0; i < s->lasers; i++) {
        uint32_t pitch = (uint32_t)lround(fabs(s->vertical_deg[i]) * 1e4);
        if (s->type == 0) {
            bytes[1165 + 3 * i] = (uint8_t)(pitch >> 16);
            sl_put_be16(bytes + 1166 + 3 * i, (uint16_t)pitch);
        } else {
            put_angle(bytes + 468 + 3 * i, s->vertical_deg[i]);
            put_angle(bytes + 564 + 3 * i, s->azimuth_deg[i]);
        }
    }
}

static inline unsigned packets_in(const struct sensor *s, double turns)
{
    return (unsigned)(turns * 1e5 / (columns_in_packet(s) * s->period_us));
}

#endif
