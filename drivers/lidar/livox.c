/* SPDX-License-Identifier: Apache-2.0 */
/* livox.c - the packet of points and of the IMU.
 *
 * Livox LiDAR Communication Protocol, Mid-360 and HAP, "Point Cloud & IMU Data Protocol". Little
 * endian.
 *
 *      0         1        3          5        7        9       10     11     12    24    28     36
 *      | version | length | interval | points | number | frame | data | time | ... | crc | stamp |
 *
 * interval in 0.1 us; stamp in ns; the checksum is that of stamp and data; data 0: IMU (six floats:
 * rad/s about and g along x, y, z), 1 to 3: points, as list_kernel.h says. A point's time is that
 * of the packet and its part of the interval, as Livox's own driver has it.
 */
#include "drivers/lidar/livox.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#include "core/base/bytes.h"

#define HEADER_BYTES   36
#define VERSION        0
#define LENGTH_AT      1
#define INTERVAL_AT    3
#define POINTS_AT      5
#define NUMBER_AT      7
#define DATA_AT        10
#define CLOCK_AT       11
#define CRC_AT         24
#define STAMP_AT       28
#define DATA_IMU       0
#define DATA_POINTS    1 /* the first kind of them */
#define DATA_MAX       3
#define IMU_BYTES      24
#define INTERVAL_NS    100
#define M_PER_S2_PER_G 9.80665
#define CRC_POLYNOMIAL UINT32_C(0xEDB88320)

static const struct livox_model hap = {
    .name = "HAP",
    .aliases = {"hap"},
    .lines = 6,
    .points_per_s = 452000,
    .data_port = 57000,
    .imu_port = 58000,
};
static const struct livox_model mid_360 = {
    .name = "Mid-360",
    .aliases = {"mid-360", "mid360"},
    .lines = 4,
    .points_per_s = 200000,
    .data_port = 56301,
    .imu_port = 56401,
};
const struct livox_model *const livox_models[] = {&hap, &mid_360, NULL};

const struct livox_model *livox_model_find(const char *name)
{
    for (const struct livox_model *const *model = livox_models; *model; model++) {
        if (strcasecmp(name, (*model)->name) == 0)
            return *model;
        for (unsigned i = 0; i < LIDAR_ALIASES_MAX; i++) {
            if ((*model)->aliases[i] && strcasecmp(name, (*model)->aliases[i]) == 0)
                return *model;
        }
    }
    return NULL;
}

static enum lidar_count compare_size(size_t size_bytes, size_t expected)
{
    if (size_bytes == expected)
        return LIDAR_PACKETS;
    return size_bytes < expected ? LIDAR_BAD_SHORT : LIDAR_BAD_LONG;
}

static double get_float(const uint8_t *at)
{
    uint32_t bits = sl_get_le32(at);
    float value;
    memcpy(&value, &bits, sizeof value);
    return (double)value;
}

static enum lidar_count parse_imu(const uint8_t *data, struct livox_packet *packet)
{
    packet->is_imu = true;
    for (unsigned i = 0; i < 3; i++) {
        packet->rate[i] = get_float(data + 4 * i);
        packet->acceleration[i] = get_float(data + 12 + 4 * i) * M_PER_S2_PER_G;
        if (!isfinite(packet->rate[i]) || !isfinite(packet->acceleration[i]))
            return LIDAR_BAD_TELEMETRY;
    }
    return LIDAR_IMU;
}

enum lidar_count livox_packet_parse(const uint8_t *bytes, size_t size_bytes,
                                    struct livox_packet *ret_packet)
{
    if (size_bytes < HEADER_BYTES)
        return LIDAR_BAD_SHORT;
    if (bytes[0] != VERSION || bytes[CLOCK_AT] > LIVOX_CLOCK_GPS)
        return LIDAR_BAD_FLAG;
    if (bytes[DATA_AT] > DATA_MAX)
        return LIDAR_OTHER_MODEL;
    enum lidar_count verdict = compare_size(size_bytes, sl_get_le16(bytes + LENGTH_AT));
    if (verdict != LIDAR_PACKETS)
        return verdict;
    struct livox_packet packet = {
        .clock = (enum livox_clock)bytes[CLOCK_AT],
        .stamp_ns = sl_get_le64(bytes + STAMP_AT),
        .interval_ns = sl_get_le16(bytes + INTERVAL_AT) * (uint32_t)INTERVAL_NS,
        .number = sl_get_le16(bytes + NUMBER_AT),
        .count = sl_get_le16(bytes + POINTS_AT),
        .points = bytes + HEADER_BYTES,
    };
    if (packet.stamp_ns > INT64_MAX / 2)
        return LIDAR_BAD_FLAG; /* no clock is as late */
    if (bytes[DATA_AT] == DATA_IMU) {
        verdict = compare_size(size_bytes, HEADER_BYTES + IMU_BYTES);
        if (verdict == LIDAR_PACKETS)
            verdict = parse_imu(packet.points, &packet);
    } else {
        packet.type = (enum lidar_list_type)(bytes[DATA_AT] - DATA_POINTS);
        size_t expected = HEADER_BYTES + (size_t)packet.count * lidar_list_stride[packet.type];
        verdict = compare_size(size_bytes, expected);
        if (packet.count == 0 || packet.count > LIDAR_LIST_POINTS_MAX)
            verdict = packet.count == 0 ? LIDAR_BAD_SHORT : LIDAR_BAD_LONG;
    }
    if (verdict == LIDAR_PACKETS || verdict == LIDAR_IMU)
        *ret_packet = packet;
    return verdict;
}

void livox_crc_init(struct livox_crc *crc)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t value = byte;
        for (unsigned bit = 0; bit < 8; bit++)
            value = value >> 1 ^ (value & 1 ? CRC_POLYNOMIAL : 0);
        crc->table[byte] = value;
    }
}

uint32_t livox_crc32(const struct livox_crc *crc, const uint8_t *bytes, size_t size_bytes)
{
    uint32_t value = UINT32_MAX;
    for (size_t i = 0; i < size_bytes; i++)
        value = value >> 8 ^ crc->table[(value ^ bytes[i]) & 0xFF];
    return ~value;
}

bool livox_is_intact(const struct livox_crc *crc, const uint8_t *bytes, size_t size_bytes)
{
    uint32_t told = sl_get_le32(bytes + CRC_AT);
    return told == 0 || told == livox_crc32(crc, bytes + STAMP_AT, size_bytes - STAMP_AT);
}
