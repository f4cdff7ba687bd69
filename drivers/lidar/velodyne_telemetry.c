/* SPDX-License-Identifier: Apache-2.0 */
/* velodyne_telemetry.c - the position packet: the sensor's view of PPS, and the GPS receiver's
 * sentence.
 *
 * VLP-16 User Manual 63-9243, section 9.3.2 ("Position packet structure").
 *
 *      0          198            202   203   206                      512
 *      | zero ... | stamp u32 us | PPS | ... | $GPRMC,...*hh \r \n 0 |
 */
#include "drivers/lidar/velodyne.h"

#include <string.h>

#include "core/base/bytes.h"

#define ZERO_BYTES      14
#define STAMP_OFFSET    198
#define PPS_OFFSET      202
#define SENTENCE_OFFSET 206
#define SENTENCE_MAX    (VELODYNE_TELEMETRY_BYTES - SENTENCE_OFFSET)

enum lidar_count velodyne_telemetry_parse(const uint8_t *bytes, size_t size_bytes,
                                          struct velodyne_telemetry *ret_telemetry)
{
    static const uint8_t zeros[ZERO_BYTES];
    if (size_bytes != VELODYNE_TELEMETRY_BYTES || memcmp(bytes, zeros, ZERO_BYTES) != 0)
        return LIDAR_BAD_TELEMETRY;
    struct velodyne_telemetry telemetry = {
        .stamp_us = sl_get_le32(bytes + STAMP_OFFSET),
        .pps = bytes[PPS_OFFSET],
    };
    const char *text = (const char *)bytes + SENTENCE_OFFSET;
    size_t length = strnlen(text, SENTENCE_MAX);
    telemetry.has_sentence = length > 0;
    telemetry.text = text;
    telemetry.text_length = length;
    if (length > 0)
        nmea_parse(text, length, &telemetry.sentence);
    *ret_telemetry = telemetry;
    return LIDAR_TELEMETRY;
}
