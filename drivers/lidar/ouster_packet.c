/* SPDX-License-Identifier: Apache-2.0 */
/* ouster_packet.c - headers, columns, pixels, checksums. */
#include "drivers/lidar/ouster_packet.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/error.h"

#define HEADER_BYTES        32u
#define FOOTER_BYTES        32u
#define CRC_BYTES           8u
#define TYPE_LIDAR          1u
#define TYPE_IMU            2u
#define LEGACY_HEADER_BYTES 16u /* of a column */
#define LEGACY_FOOTER_BYTES 4u
#define COLUMN_HEADER_BYTES 12u
#define LEGACY_IMU_BYTES    48u
#define NMEA_AT             32u /* its stamp */
#define NMEA_TEXT_MAX       85u
#define IMU_SAMPLES_AT      132u /* after the header, the stamp and the sentence */
#define IMU_SAMPLE_BYTES    36u
#define BEAMS_STEP          16u
#define NO_CRC              UINT64_C(0xdeadbeef0000c0de) /* firmware before 3.1 */
#define CRC_POLYNOMIAL      UINT64_C(0xC96C5795D7870F42)
#define STANDARD_GRAVITY    9.80665
#define RADIANS_PER_DEGREE  (3.14159265358979323846 / 180.0)

int ouster_format_init(struct ouster_format *format, const struct ouster_profile *profile,
                       bool is_fusa, unsigned beams, unsigned columns, unsigned frame_columns)
{
    if (beams == 0 || beams % BEAMS_STEP != 0 || beams > OUSTER_BEAMS_MAX)
        return sl_error(-EINVAL, "%u beams: must be 16, 32 ... %u", beams, OUSTER_BEAMS_MAX);
    if (columns == 0 || columns > OUSTER_COLUMNS_MAX)
        return sl_error(-EINVAL, "%u columns in a packet: must be 1 to %u", columns,
                        OUSTER_COLUMNS_MAX);
    if (frame_columns == 0 || frame_columns > OUSTER_FRAME_COLUMNS || frame_columns % columns != 0)
        return sl_error(-EINVAL,
                        "%u columns in a frame: must be those of whole packets of %u, up to %u",
                        frame_columns, columns, OUSTER_FRAME_COLUMNS);
    bool is_legacy = profile->is_legacy;
    uint32_t header = is_legacy ? LEGACY_HEADER_BYTES : COLUMN_HEADER_BYTES;
    uint32_t column = header + beams * profile->pixel_bytes + (is_legacy ? LEGACY_FOOTER_BYTES : 0);
    uint32_t packet = columns * column + (is_legacy ? 0 : HEADER_BYTES + FOOTER_BYTES);
    if (packet > OUSTER_PACKET_BYTES_MAX)
        return sl_error(-EINVAL, "%u columns of %u bytes do not fit into a datagram", columns,
                        column);
    *format = (struct ouster_format){
        .profile = profile,
        .is_fusa = !is_legacy && (is_fusa || profile->is_fusa),
        .beams = (uint16_t)beams,
        .columns = (uint16_t)columns,
        .frame_columns = (uint16_t)frame_columns,
        .header_bytes = is_legacy ? 0 : HEADER_BYTES,
        .column_header_bytes = header,
        .column_bytes = column,
        .packet_bytes = packet,
    };
    return 0;
}

static uint64_t get_le40(const uint8_t *from)
{
    return sl_get_le32(from) | (uint64_t)from[4] << 32;
}

static uint32_t get_le24(const uint8_t *from)
{
    return sl_get_le16(from) | (uint32_t)from[2] << 16;
}

static void read_header(struct ouster_packet *packet)
{
    const uint8_t *b = packet->bytes;
    packet->has_identity = true;
    if (packet->format->is_fusa) {
        packet->init_id = get_le24(b + 1);
        packet->frame_id = sl_get_le32(b + 4);
        packet->frame_id_mask = UINT32_MAX;
        packet->alert = b[8];
        packet->serial = get_le40(b + 11);
    } else {
        packet->frame_id = sl_get_le16(b + 2);
        packet->frame_id_mask = UINT16_MAX;
        packet->init_id = get_le24(b + 4);
        packet->serial = get_le40(b + 7);
        packet->alert = b[12];
    }
    packet->thermal_countdown_s = b[16];
    packet->shot_countdown_s = b[17];
    packet->thermal_shutdown = b[18] & 0x0F;
    packet->shot_limiting = b[19] & 0x0F;
}

static enum lidar_count check_size(size_t size_bytes, size_t expected_bytes)
{
    if (size_bytes < expected_bytes)
        return LIDAR_BAD_SHORT;
    return size_bytes > expected_bytes ? LIDAR_BAD_LONG : LIDAR_PACKETS;
}

enum lidar_count ouster_packet_parse(const struct ouster_format *format, const uint8_t *bytes,
                                     size_t size_bytes, struct ouster_packet *ret_packet)
{
    enum lidar_count verdict = check_size(size_bytes, format->packet_bytes);
    if (verdict != LIDAR_PACKETS)
        return verdict;
    struct ouster_packet packet = {.format = format, .bytes = bytes};
    if (format->profile->is_legacy) {
        packet.frame_id = sl_get_le16(bytes + 10);
        packet.frame_id_mask = UINT16_MAX;
    } else {
        unsigned type = format->is_fusa ? bytes[0] : sl_get_le16(bytes);
        if (type != TYPE_LIDAR)
            return LIDAR_BAD_FLAG;
        read_header(&packet);
    }
    *ret_packet = packet;
    return LIDAR_PACKETS;
}

bool ouster_is_intact(const struct ouster_crc *crc, const uint8_t *bytes, size_t size_bytes)
{
    if (size_bytes < CRC_BYTES)
        return false;
    uint64_t told = sl_get_le64(bytes + size_bytes - CRC_BYTES);
    return told == 0 || told == NO_CRC || told == ouster_crc64(crc, bytes, size_bytes - CRC_BYTES);
}

void ouster_packet_column(const struct ouster_packet *packet, unsigned index,
                          struct ouster_column *ret_column)
{
    const struct ouster_format *format = packet->format;
    const uint8_t *at = packet->bytes + format->header_bytes + (size_t)index * format->column_bytes;
    bool is_legacy = format->profile->is_legacy;
    uint32_t status = is_legacy ? sl_get_le32(at + format->column_bytes - LEGACY_FOOTER_BYTES)
                                : sl_get_le16(at + 10);
    *ret_column = (struct ouster_column){
        .stamp_ns = sl_get_le64(at),
        .measurement_id = sl_get_le16(at + 8),
        .is_valid = status & 1,
        .status = status,
        .encoder = is_legacy ? sl_get_le32(at + 12) : 0,
        .pixels = at + format->column_header_bytes,
    };
}

uint32_t ouster_pixel_field(const struct ouster_profile *profile, const uint8_t *pixel,
                            enum ouster_field field)
{
    struct ouster_bits bits = profile->field[field];
    if (bits.width == 0)
        return 0;
    uint32_t word = sl_get_le32(pixel + bits.offset / 32 * 4);
    return (word >> bits.offset % 32 & ((UINT32_C(1) << bits.width) - 1)) << bits.scale;
}

/* IMU. */

int ouster_imu_format_init(struct ouster_imu_format *format, bool is_legacy, unsigned samples)
{
    if (is_legacy)
        samples = 1;
    if (samples == 0 || samples > OUSTER_IMU_SAMPLES_MAX)
        return sl_error(-EINVAL, "%u IMU measurements in a packet: must be 1 to %u", samples,
                        OUSTER_IMU_SAMPLES_MAX);
    *format = (struct ouster_imu_format){
        .is_legacy = is_legacy,
        .samples = (uint8_t)samples,
        .packet_bytes = is_legacy ? LEGACY_IMU_BYTES
                                  : IMU_SAMPLES_AT + samples * IMU_SAMPLE_BYTES + FOOTER_BYTES,
    };
    return 0;
}

static bool get_vector(const uint8_t *from, double unit, double ret_vector[3])
{
    for (unsigned i = 0; i < 3; i++) {
        uint32_t bits = sl_get_le32(from + 4 * i);
        float value;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value))
            return false;
        ret_vector[i] = (double)value * unit;
    }
    return true;
}

/* Six floats: acceleration, then rate. */
static void add_sample(struct ouster_imu_packet *packet, uint64_t stamp_ns, const uint8_t *values,
                       double acceleration_unit, double rate_unit)
{
    struct ouster_imu_sample sample = {.stamp_ns = stamp_ns};
    if (get_vector(values, acceleration_unit, sample.acceleration) &&
        get_vector(values + 12, rate_unit, sample.rate))
        packet->sample[packet->count++] = sample;
}

enum lidar_count ouster_imu_parse(const struct ouster_imu_format *format, const uint8_t *bytes,
                                  size_t size_bytes, struct ouster_imu_packet *ret_packet)
{
    enum lidar_count verdict = check_size(size_bytes, format->packet_bytes);
    if (verdict != LIDAR_PACKETS)
        return verdict;
    ret_packet->count = 0;
    ret_packet->has_identity = !format->is_legacy;
    ret_packet->init_id = 0;
    ret_packet->serial = 0;
    ret_packet->nmea = NULL;
    if (format->is_legacy) {
        add_sample(ret_packet, sl_get_le64(bytes + 16), bytes + 24, STANDARD_GRAVITY,
                   RADIANS_PER_DEGREE);
    } else {
        if (sl_get_le16(bytes) != TYPE_IMU)
            return LIDAR_BAD_TELEMETRY;
        ret_packet->init_id = get_le24(bytes + 4);
        ret_packet->serial = get_le40(bytes + 7);
        ret_packet->nmea = (const char *)bytes + NMEA_AT + 8;
        ret_packet->nmea_length = strnlen(ret_packet->nmea, NMEA_TEXT_MAX);
        ret_packet->nmea_stamp_ns = sl_get_le64(bytes + NMEA_AT);
        for (unsigned i = 0; i < format->samples; i++) {
            const uint8_t *at = bytes + IMU_SAMPLES_AT + (size_t)i * IMU_SAMPLE_BYTES;
            if (sl_get_le16(at + 10) & 1)
                add_sample(ret_packet, sl_get_le64(at), at + 12, 1, 1);
        }
    }
    return ret_packet->count > 0 ? LIDAR_IMU : LIDAR_BAD_TELEMETRY;
}

bool ouster_is_packet(const struct ouster_format *format, const struct ouster_imu_format *imu,
                      const uint8_t *bytes, size_t size_bytes, uint64_t *ret_serial)
{
    struct ouster_packet packet;
    if (size_bytes == imu->packet_bytes) {
        *ret_serial = imu->is_legacy ? 0 : get_le40(bytes + 7);
        return imu->is_legacy || sl_get_le16(bytes) == TYPE_IMU;
    }
    if (ouster_packet_parse(format, bytes, size_bytes, &packet) != LIDAR_PACKETS)
        return false;
    *ret_serial = packet.serial; /* 0 where it has no identity */
    return true;
}

/* CRC. Table k is what a byte with k bytes behind it adds to the remainder. */

void ouster_crc_init(struct ouster_crc *crc)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        uint64_t rest = byte;
        for (unsigned bit = 0; bit < 8; bit++)
            rest = rest >> 1 ^ (rest & 1 ? CRC_POLYNOMIAL : 0);
        crc->table[0][byte] = rest;
    }
    for (unsigned byte = 0; byte < 256; byte++) {
        for (unsigned k = 1; k < 8; k++) {
            uint64_t before = crc->table[k - 1][byte];
            crc->table[k][byte] = before >> 8 ^ crc->table[0][before & 0xFF];
        }
    }
}

uint64_t ouster_crc64(const struct ouster_crc *crc, const uint8_t *bytes, size_t size_bytes)
{
    uint64_t rest = ~UINT64_C(0);
    for (; size_bytes >= 8; bytes += 8, size_bytes -= 8) {
        uint64_t word = rest ^ sl_get_le64(bytes);
        rest = 0;
        for (unsigned k = 0; k < 8; k++)
            rest ^= crc->table[7 - k][word >> 8 * k & 0xFF];
    }
    for (; size_bytes > 0; bytes++, size_bytes--)
        rest = rest >> 8 ^ crc->table[0][(rest ^ *bytes) & 0xFF];
    return ~rest;
}
