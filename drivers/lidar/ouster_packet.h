/* SPDX-License-Identifier: Apache-2.0 */
/* ouster_packet.h - an Ouster sensor's datagrams: checked, and taken apart.
 *
 * A lidar packet is a header, some columns and a footer. A column is one measurement of all beams:
 * a header, a pixel a beam, a footer. What a pixel holds is the profile's business, a table of bit
 * fields; sizes follow from profile, beams and columns, so there is one length that is right.
 *
 *      LEGACY (firmware 1.13 and later, "Lidar Data Packet Format" of the Software User Manual)
 *          column:  stamp u64 | measurement u16 | frame u16 | encoder u32 | pixels | status u32
 *
 *      all others ("Configurable Data Packet Format")
 *          header:  type u16 | frame u16 | init u24 | serial u40 | alert u8 | 0 | thermal countdown
 *                   0          2           4          7            12           13  16
 *                   u8 | shot countdown u8 | thermal u4, shot limiting u4 | 0 ...
 *                        17                  18      19                     32
 *          FUSA:    type u8 | init u24 | frame u32 | alert u8 | 0 | serial u40 | as above
 *                   0         1          4           8          9   11           16
 *          column:  stamp u64 | measurement u16 | status u16 | pixels
 *          footer:  0 ... | CRC-64 of all before
 *                   0       24
 *
 * Life:    values; a packet points into its datagram.
 * Owner:   the caller; the bytes stay the datagram's.
 * Threads: any.
 * Errors:  none; a packet that is wrong is told by the count that it belongs to.
 */
#ifndef SL_DRIVERS_LIDAR_OUSTER_PACKET_H
#define SL_DRIVERS_LIDAR_OUSTER_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "drivers/lidar/counts.h"

#define OUSTER_BEAMS_MAX        128
#define OUSTER_COLUMNS_MAX      64     /* of a packet */
#define OUSTER_FRAME_COLUMNS    4096   /* at most */
#define OUSTER_PACKET_BYTES_MAX 65507u /* of UDP over IPv4 */
#define OUSTER_IMU_SAMPLES_MAX  64     /* of a packet */

enum ouster_field {
    OUSTER_RANGE, /* mm; 0 = nothing came back */
    OUSTER_FLAGS,
    OUSTER_REFLECTIVITY,
    OUSTER_SIGNAL, /* photons */
    OUSTER_RANGE2, /* of the second return, as the next three */
    OUSTER_FLAGS2,
    OUSTER_REFLECTIVITY2,
    OUSTER_SIGNAL2,
    OUSTER_NEAR_IR, /* photons of the sun */
    OUSTER_WINDOW,  /* how dirty the window is */
    OUSTER_ZONE,    /* a bit a monitored zone */
    OUSTER_RED,     /* half floats */
    OUSTER_GREEN,
    OUSTER_BLUE,
    OUSTER_FIELDS,
};
extern const char *const ouster_field_names[OUSTER_FIELDS]; /* "RANGE", ... */

/* Bits of a pixel, counted from its first byte's lowest; they lie within one word of 32 bits. */
struct ouster_bits {
    uint8_t offset;
    uint8_t width; /* 0 = the profile has no such field */
    uint8_t scale; /* the value is the bits shifted left by this */
};

struct ouster_profile {
    const char *name; /* as metadata spells it */
    uint8_t pixel_bytes;
    uint8_t returns; /* 1 or 2 */
    bool is_legacy;
    bool is_fusa; /* its packets begin with the FUSA header */
    struct ouster_bits field[OUSTER_FIELDS];
};

/* All of them, ended by a NULL name. */
extern const struct ouster_profile ouster_profiles[];
const struct ouster_profile *ouster_profile_find(const char *name); /* NULL = unknown */

/* A sensor's lidar packets. */
struct ouster_format {
    const struct ouster_profile *profile;
    bool is_fusa;
    uint16_t beams;               /* pixels in a column */
    uint16_t columns;             /* in a packet */
    uint16_t frame_columns;       /* in a turn */
    uint32_t header_bytes;        /* of the packet */
    uint32_t column_header_bytes; /* of each column */
    uint32_t column_bytes;
    uint32_t packet_bytes;
};

/* Fill in the sizes. -EINVAL with sl_error_text(): beams must be a multiple of 16 up to
 * OUSTER_BEAMS_MAX, the columns of a turn those of whole packets, and a packet one datagram. */
int ouster_format_init(struct ouster_format *format, const struct ouster_profile *profile,
                       bool is_fusa, unsigned beams, unsigned columns, unsigned frame_columns);

struct ouster_packet {
    const struct ouster_format *format;
    const uint8_t *bytes;
    uint32_t frame_id;
    uint32_t frame_id_mask; /* where it wraps: 16 or 32 bits */
    bool has_identity;      /* LEGACY packets do not say whose they are, nor anything below */
    uint32_t init_id;       /* new whenever the sensor starts */
    uint64_t serial;
    uint8_t alert;
    uint8_t thermal_countdown_s, shot_countdown_s; /* until it acts; 0 = it does not intend to */
    uint8_t thermal_shutdown;                      /* 1 = imminent */
    uint8_t shot_limiting;                         /* 0 = normal */
};

/* LIDAR_PACKETS and the packet; or what it has to be counted as: LIDAR_BAD_SHORT, LIDAR_BAD_LONG,
 * LIDAR_BAD_FLAG (not of the lidar type). */
enum lidar_count ouster_packet_parse(const struct ouster_format *format, const uint8_t *bytes,
                                     size_t size_bytes, struct ouster_packet *ret_packet);

/* CRC-64 of ECMA-182, reflected, inverted at both ends; eight bytes at a time. */
struct ouster_crc {
    uint64_t table[8][256];
};
void ouster_crc_init(struct ouster_crc *crc);
uint64_t ouster_crc64(const struct ouster_crc *crc, const uint8_t *bytes, size_t size_bytes);

/* False only where a packet that ends with the footer carries a checksum and it is wrong. Older
 * firmware puts constant bytes in its place, FUSA zeros. */
bool ouster_is_intact(const struct ouster_crc *crc, const uint8_t *bytes, size_t size_bytes);

struct ouster_column {
    uint64_t stamp_ns;       /* by the sensor's clock */
    uint16_t measurement_id; /* place in the turn; not checked */
    bool is_valid;           /* the sensor measured here */
    uint32_t status;
    uint32_t encoder; /* LEGACY: 90112 a turn; else 0 */
    const uint8_t *pixels;
};
void ouster_packet_column(const struct ouster_packet *packet, unsigned index,
                          struct ouster_column *ret_column);

/* A field of a pixel; 0 if the profile has none. */
uint32_t ouster_pixel_field(const struct ouster_profile *profile, const uint8_t *pixel,
                            enum ouster_field field);

/* ---- IMU --------------------------------------------------------------------------------------
 *      LEGACY, 48 bytes:
 *          system stamp u64 | accelerometer's u64 | gyroscope's u64 | g f32 x 3 | deg/s f32 x 3
 *          0                  8                     16                24          36
 *      ACCEL32_GYRO32_NMEA: header as above, then
 *          stamp u64 | sentence 85 bytes | 0 ... | N samples | footer
 *          32          40                          132
 *          a sample:  stamp u64 | measurement u16 | status u16 | m/s^2 f32 x 3 | rad/s f32 x 3
 *                     0           8                 10           12              24         36
 *
 * The units of the second are nowhere written; recorded packets show them: at rest it weighs 9.9,
 * and the steps of both are those of 16 bits over 16 g and 2000 deg/s, in SI units.
 */
struct ouster_imu_format {
    bool is_legacy;
    uint8_t samples; /* in a packet */
    uint32_t packet_bytes;
};
int ouster_imu_format_init(struct ouster_imu_format *format, bool is_legacy, unsigned samples);

struct ouster_imu_sample {
    uint64_t stamp_ns;      /* by the sensor's clock */
    double acceleration[3]; /* m/s^2, in the IMU's axes */
    double rate[3];         /* rad/s */
};

struct ouster_imu_packet {
    bool has_identity;
    uint32_t init_id;
    uint64_t serial;
    uint64_t nmea_stamp_ns; /* by the sensor's clock; of the receiver's last sentence: */
    const char *nmea;       /* in the datagram; NULL = there is none */
    size_t nmea_length;
    unsigned count; /* samples; those that the sensor calls invalid, or that are no numbers, are
                       left out */
    struct ouster_imu_sample sample[OUSTER_IMU_SAMPLES_MAX];
};

/* Has a datagram the length and kind of such a sensor's packets? The serial number in it, 0 = it
 * tells none. */
bool ouster_is_packet(const struct ouster_format *format, const struct ouster_imu_format *imu,
                      const uint8_t *bytes, size_t size_bytes, uint64_t *ret_serial);

/* LIDAR_IMU and the packet, or LIDAR_BAD_SHORT, LIDAR_BAD_LONG, LIDAR_BAD_TELEMETRY. */
enum lidar_count ouster_imu_parse(const struct ouster_imu_format *format, const uint8_t *bytes,
                                  size_t size_bytes, struct ouster_imu_packet *ret_packet);

#endif
