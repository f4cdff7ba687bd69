/* SPDX-License-Identifier: Apache-2.0 */
/* os1.c - the packets and the metadata of an Ouster OS1-64, 16 columns of 1024 a turn in each.
 *
 * Strongest return: LEGACY ("Lidar Data Packet Format" of the Software User Manual). Two returns:
 * RNG19_RFL8_SIG16_NIR16_DUAL ("Configurable Data Packet Format"). Little endian.
 *
 *     LEGACY  16 x column: stamp u64 | measurement u16 | frame u16 | encoder u32 | 64 x pixel | ~0
 *             pixel, 12 bytes: range 20 bits, mm | reflectivity u8 at 4 | signal u16 at 6
 *                              | near infrared u16 at 8
 *     DUAL    type u16 | frame u16 | init u24 | serial u40 | 0 ...          32 bytes
 *             16 x column: stamp u64 | measurement u16 | status u16 | 64 x pixel
 *             pixel, 16 bytes: range 19 bits | reflectivity u8 at 3 | range 19 bits at 4
 *                              | reflectivity u8 at 7 | signal u16 at 8, u16 at 10
 *                              | near infrared u16 at 12
 *             0 ... | CRC-64                                                32 bytes
 *     IMU     stamp u64 x 3 | g f32 x 3 | deg/s f32 x 3
 *
 * Column m of W looks 360 m / W - 180 degrees to the right of the sensor's x; each beam starts
 * 15.806 mm off the axis in that direction, turned by its own azimuth from there, and ranges count
 * from the axis (Firmware User Manual, "Lidar Range to XYZ"). All beams of a column measure at
 * once.
 */
#include "core/base/bytes.h"
#include "core/base/clock.h"
#include "core/base/error.h"
#include "drivers/lidar/sim/sensor.h"
#include "drivers/lidar/source.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define BEAMS          64u
#define COLUMNS        16u
#define TURN           1024u
#define HEADER_BYTES   32u
#define FOOTER_BYTES   32u
#define LEGACY_HEADER  16u
#define LEGACY_FOOTER  4u
#define LEGACY_PIXEL   12u
#define DUAL_HEADER    12u
#define DUAL_PIXEL     16u
#define IMU_BYTES      48u
#define TYPE_LIDAR     1u
#define TICKS_A_COLUMN (90112u / TURN)
#define SERIAL         UINT64_C(122300000064)
#define INIT_ID        0x515100u
#define UNIT_M         0.001
#define RANGE_MAX      0x7FFFFu
#define TOP_DEG        22.5
#define STEP_DEG       (2 * TOP_DEG / (BEAMS - 1))
#define ORIGIN_MM      15.806                       /* of the beams, from the axis */
#define HEIGHT_MM      36.18                        /* of the beams, in the sensor's frame */
#define SIGNAL_AT_1_M  64.0                         /* photons, times reflectivity */
#define NEAR_IR_SHARE  3u                           /* photons of the sun, times reflectivity */
#define PTP_AHEAD_NS   (UINT64_C(37) * SL_NS_PER_S) /* it counts TAI */
#define CRC_POLYNOMIAL UINT64_C(0xC96C5795D7870F42) /* ECMA-182, reflected */

/* To the right of the column's direction, repeated; and by how many columns that is. */
static const double beam_azimuth_deg[4] = {4.218, 1.406, -1.406, -4.218};
static const int pixel_shift[4] = {12, 4, -4, -12};

static bool is_dual(const struct lidar_sim_config *config)
{
    return config->return_mode == LIDAR_SIM_DUAL;
}

static int check(const struct lidar_sim_config *config)
{
    if (config->rotation_hz != 10 && config->rotation_hz != 20)
        return sl_error(-EINVAL,
                        "simulated lidar: an OS1-64 of %g turns a second; it makes 10 or 20",
                        config->rotation_hz);
    if (config->return_mode == LIDAR_SIM_LAST)
        return sl_error(-EINVAL, "simulated lidar: an OS1-64 tells the strongest return, or dual");
    return 0;
}

/* Columns count on from turn to turn; the first one is where the head stood. */
static uint64_t first_column(const struct lidar_sim_config *config,
                             const struct lidar_sim_moment *moment)
{
    double turn = config->start_azimuth_deg / 360 + 0.5;
    unsigned packet = (unsigned)((turn - floor(turn)) * (TURN / COLUMNS));
    return (moment->index + packet) * COLUMNS;
}

/* When that column of this packet, or of a later one, measures. */
static uint64_t column_ns(const struct lidar_sim_config *config,
                          const struct lidar_sim_moment *moment, unsigned column)
{
    double turns = (double)(moment->index * COLUMNS + column) / TURN;
    return lidar_sim_turns_ns(config, lidar_sim_turns(config, moment->on_ns) + turns);
}

static uint64_t start_ns(const struct lidar_sim_config *config,
                         const struct lidar_sim_moment *moment)
{
    return column_ns(config, moment, 0);
}

static uint64_t stamp_ns(const struct lidar_sim_config *config,
                         const struct lidar_sim_moment *moment, uint64_t at_ns)
{
    return lidar_sim_sensor_ns(config, moment, at_ns) + (config->gps ? PTP_AHEAD_NS : 0);
}

static uint16_t frame_id(const struct lidar_sim_config *config,
                         const struct lidar_sim_moment *moment)
{
    uint64_t frame = first_column(config, moment) / TURN;
    if (config->faults.wrap_s > 0 && moment->generation == 0)
        frame -= (uint64_t)ceil(config->faults.wrap_s * config->rotation_hz);
    return (uint16_t)frame;
}

/* One return, as a pixel has it. */
struct told {
    uint32_t range_mm;
    uint8_t reflectivity;
    uint16_t signal;
};

static struct told to_told(const struct lidar_sim_config *config, const struct lidar_scene_hit *hit,
                           struct lidar_sim_random *noise)
{
    /* Ranges count from the axis. */
    struct lidar_scene_hit from_axis = *hit;
    from_axis.distance_m += ORIGIN_MM * 1e-3;
    struct told told = {.range_mm =
                            lidar_sim_distance(config, &from_axis, UNIT_M, RANGE_MAX, noise)};
    if (told.range_mm == 0)
        return told;
    double photons = SIGNAL_AT_1_M * hit->intensity / (hit->distance_m * hit->distance_m);
    told.reflectivity = hit->intensity;
    told.signal = (uint16_t)(photons < UINT16_MAX ? lround(photons) : UINT16_MAX);
    return told;
}

static void put_pixel(const struct lidar_sim_config *config, const struct lidar_sim_look *look,
                      struct lidar_sim_random *noise, uint8_t *pixel)
{
    struct told first = {0}, second = {0};
    if (look->count > 0)
        first = to_told(config, &look->hits[look->strongest], noise);
    uint16_t near_ir =
        look->count > 0 ? (uint16_t)(NEAR_IR_SHARE * look->hits[look->strongest].intensity) : 0;
    if (!is_dual(config)) {
        sl_put_le32(pixel, first.range_mm);
        sl_put_le16(pixel + 4, first.reflectivity);
        sl_put_le16(pixel + 6, first.signal);
        sl_put_le32(pixel + 8, near_ir);
        return;
    }
    if (look->count > 1)
        second = to_told(config, &look->hits[look->second], noise);
    sl_put_le32(pixel, first.range_mm | (uint32_t)first.reflectivity << 24);
    sl_put_le32(pixel + 4, second.range_mm | (uint32_t)second.reflectivity << 24);
    sl_put_le16(pixel + 8, first.signal);
    sl_put_le16(pixel + 10, second.signal);
    sl_put_le32(pixel + 12, near_ir);
}

static void write_pixels(const struct lidar_sim_config *config, unsigned measurement,
                         uint64_t at_ns, struct lidar_sim_random *noise, uint8_t *pixels)
{
    /* Clockwise from the sensor's x. */
    const double azimuth = 2 * M_PI * measurement / TURN - M_PI;
    const struct lidar_scene_vector origin = {ORIGIN_MM * 1e-3 * cos(azimuth),
                                              -ORIGIN_MM * 1e-3 * sin(azimuth), HEIGHT_MM * 1e-3};
    struct lidar_scene_pose pose;
    lidar_scene_at(&config->scene, (double)at_ns * 1e-9, &pose);
    for (unsigned beam = 0; beam < BEAMS; beam++) {
        struct lidar_sim_look look;
        lidar_sim_look(&pose, origin, azimuth + beam_azimuth_deg[beam % 4] * (M_PI / 180),
                       (TOP_DEG - beam * STEP_DEG) * (M_PI / 180), &look);
        put_pixel(config, &look, noise, pixels);
        pixels += is_dual(config) ? DUAL_PIXEL : LEGACY_PIXEL;
    }
}

static uint64_t crc64(const uint8_t *bytes, size_t size_bytes)
{
    uint64_t of_four_bits[16], crc = ~UINT64_C(0);
    for (unsigned i = 0; i < 16; i++) {
        uint64_t rest = i;
        for (unsigned bit = 0; bit < 4; bit++)
            rest = rest >> 1 ^ (rest & 1 ? CRC_POLYNOMIAL : 0);
        of_four_bits[i] = rest;
    }
    for (const uint8_t *end = bytes + size_bytes; bytes < end; bytes++) {
        crc = crc >> 4 ^ of_four_bits[(crc ^ *bytes) & 15];
        crc = crc >> 4 ^ of_four_bits[(crc ^ *bytes >> 4) & 15];
    }
    return ~crc;
}

static void put_le40(uint8_t *to, uint64_t value)
{
    sl_put_le32(to, (uint32_t)value);
    to[4] = (uint8_t)(value >> 32);
}

static void write_header(const struct lidar_sim_config *config,
                         const struct lidar_sim_moment *moment, uint8_t *header)
{
    memset(header, 0, HEADER_BYTES);
    sl_put_le16(header, TYPE_LIDAR);
    sl_put_le16(header + 2, frame_id(config, moment));
    sl_put_le32(header + 4, INIT_ID + moment->generation); /* 24 bits, the serial number follows */
    put_le40(header + 7, SERIAL);
}

static uint8_t *write_column(const struct lidar_sim_config *config,
                             const struct lidar_sim_moment *moment, unsigned column,
                             struct lidar_sim_random *noise, uint8_t *at)
{
    const unsigned measurement = (unsigned)((first_column(config, moment) + column) % TURN);
    const uint64_t at_ns = column_ns(config, moment, column);
    sl_put_le64(at, stamp_ns(config, moment, at_ns));
    sl_put_le16(at + 8, (uint16_t)measurement);
    if (is_dual(config)) {
        sl_put_le16(at + 10, 1);
        write_pixels(config, measurement, at_ns, noise, at + DUAL_HEADER);
        return at + DUAL_HEADER + (size_t)BEAMS * DUAL_PIXEL;
    }
    sl_put_le16(at + 10, frame_id(config, moment));
    sl_put_le32(at + 12, measurement * TICKS_A_COLUMN);
    write_pixels(config, measurement, at_ns, noise, at + LEGACY_HEADER);
    at += LEGACY_HEADER + (size_t)BEAMS * LEGACY_PIXEL;
    sl_put_le32(at, UINT32_MAX);
    return at + LEGACY_FOOTER;
}

static uint32_t write_data(const struct lidar_sim_config *config,
                           const struct lidar_sim_moment *moment, struct lidar_sim_random *noise,
                           uint8_t bytes[LIDAR_SIM_PACKET_BYTES_MAX])
{
    uint8_t *at = bytes;
    if (is_dual(config)) {
        write_header(config, moment, at);
        at += HEADER_BYTES;
    }
    for (unsigned column = 0; column < COLUMNS; column++)
        at = write_column(config, moment, column, noise, at);
    if (is_dual(config)) {
        memset(at, 0, FOOTER_BYTES);
        at += FOOTER_BYTES;
        sl_put_le64(at - 8, crc64(bytes, (size_t)(at - 8 - bytes)));
    }
    return (uint32_t)(at - bytes);
}

static void put_float(uint8_t *to, float value)
{
    memcpy(to, &value, sizeof value);
}

/* It stands still and upright. */
static uint32_t write_imu(const struct lidar_sim_config *config,
                          const struct lidar_sim_moment *moment, uint64_t at_ns,
                          uint8_t bytes[LIDAR_SIM_PACKET_BYTES_MAX])
{
    memset(bytes, 0, IMU_BYTES);
    for (unsigned i = 0; i < 3; i++)
        sl_put_le64(bytes + (size_t)8 * i, stamp_ns(config, moment, at_ns));
    put_float(bytes + 32, 1);
    return IMU_BYTES;
}

static void write_angles(FILE *file, const char *key, bool is_azimuth)
{
    fprintf(file, "    \"%s\": [", key);
    for (unsigned beam = 0; beam < BEAMS; beam++)
        fprintf(file, "%s%.17g", beam ? ", " : "",
                is_azimuth ? beam_azimuth_deg[beam % 4] : TOP_DEG - beam * STEP_DEG);
    fprintf(file, "]");
}

static void write_format(const struct lidar_sim_config *config, FILE *file)
{
    fprintf(file,
            "  \"lidar_data_format\": {\"columns_per_frame\": %u, \"columns_per_packet\": %u,\n"
            "    \"pixels_per_column\": %u, \"column_window\": [0, %u],\n"
            "    \"udp_profile_lidar\": \"%s\", \"udp_profile_imu\": \"LEGACY\", \"fps\": %.0f,\n"
            "    \"pixel_shift_by_row\": [",
            TURN, COLUMNS, BEAMS, TURN - 1,
            is_dual(config) ? "RNG19_RFL8_SIG16_NIR16_DUAL" : "LEGACY", config->rotation_hz);
    for (unsigned beam = 0; beam < BEAMS; beam++)
        fprintf(file, "%s%d", beam ? ", " : "", pixel_shift[beam % 4]);
    fprintf(file, "]},\n");
}

static void write_metadata(const struct lidar_sim_config *config, FILE *file)
{
    fprintf(file,
            "{\n  \"sensor_info\": {\"prod_line\": \"OS-1-64\", \"prod_sn\": \"%llu\",\n"
            "    \"initialization_id\": %u, \"build_rev\": \"v3.1.0\", \"status\": \"RUNNING\"},\n"
            "  \"config_params\": {\"lidar_mode\": \"%ux%.0f\", \"timestamp_mode\": \"%s\",\n"
            "    \"udp_port_lidar\": %u, \"udp_port_imu\": %u},\n",
            (unsigned long long)SERIAL, INIT_ID, TURN, config->rotation_hz,
            config->gps ? "TIME_FROM_PTP_1588" : "TIME_FROM_INTERNAL_OSC", LIDAR_OUSTER_LIDAR_PORT,
            LIDAR_OUSTER_IMU_PORT);
    write_format(config, file);
    fprintf(file, "  \"beam_intrinsics\": {\"lidar_origin_to_beam_origin_mm\": %g,\n", ORIGIN_MM);
    write_angles(file, "beam_altitude_angles", false);
    fprintf(file, ",\n");
    write_angles(file, "beam_azimuth_angles", true);
    fprintf(file,
            "},\n  \"lidar_intrinsics\": {\"lidar_to_sensor_transform\":\n"
            "    [-1, 0, 0, 0, 0, -1, 0, 0, 0, 0, 1, %g, 0, 0, 0, 1]},\n"
            "  \"imu_intrinsics\": {\"imu_to_sensor_transform\":\n"
            "    [1, 0, 0, 6.253, 0, 1, 0, -11.775, 0, 0, 1, 7.645, 0, 0, 0, 1]}\n}\n",
            HEIGHT_MM);
}

const struct lidar_sim_sensor lidar_sim_os1_64 = {
    .data_port = LIDAR_OUSTER_LIDAR_PORT,
    .telemetry_port = LIDAR_OUSTER_IMU_PORT,
    .telemetry_every = 6, /* 107 a second */
    .check = check,
    .start_ns = start_ns,
    .write_data = write_data,
    .write_telemetry = write_imu,
    .write_metadata = write_metadata,
};
