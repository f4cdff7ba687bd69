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
#include "core/base/clock.h"

#define ZERO_BYTES       14
#define STAMP_OFFSET     198
#define PPS_OFFSET       202
#define SENTENCE_OFFSET  206
#define SENTENCE_MAX     (VELODYNE_TELEMETRY_BYTES - SENTENCE_OFFSET)
#define RMC_TIME_FIELD   1
#define RMC_STATUS_FIELD 2
#define RMC_DATE_FIELD   9
#define CENTURY          2000

/* Days from 1970-01-01 to a day of the Gregorian calendar. Years begin in March here, so that a
 * leap day is a year's last day and months before it have a fixed pattern of lengths. */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t march_month = (month + 9) % 12;
    int64_t day_of_year = (153 * march_month + 2) / 5 + day - 1;
    int64_t days = y * 365 + y / 4 - y / 100 + y / 400 + day_of_year;
    const int64_t days_to_1970 = 719468;
    return days - days_to_1970;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

/* The body between '$' and '*', if the exclusive or of its characters is what stands behind. */
static bool sentence_body(const char *text, size_t length, size_t *ret_length)
{
    uint8_t sum = 0;
    size_t i = 1;
    if (length == 0 || text[0] != '$')
        return false;
    for (; i < length && text[i] != '*'; i++)
        sum ^= (uint8_t)text[i];
    if (i + 2 >= length)
        return false;
    int high = hex_digit(text[i + 1]), low = hex_digit(text[i + 2]);
    if (high < 0 || low < 0 || high * 16 + low != sum)
        return false;
    *ret_length = i;
    return true;
}

/* The n-th field, counted from the sentence's name, which is 0. */
static const char *field(const char *text, size_t length, unsigned n, size_t *ret_length)
{
    size_t start = 0;
    for (; n > 0; n--) {
        while (start < length && text[start] != ',')
            start++;
        if (start == length)
            return NULL;
        start++;
    }
    size_t end = start;
    while (end < length && text[end] != ',')
        end++;
    *ret_length = end - start;
    return text + start;
}

/* Three numbers of two digits each. */
static bool two_digits_thrice(const char *text, size_t length, int ret_number[3])
{
    if (!text || length < 6)
        return false;
    for (unsigned i = 0; i < 3; i++) {
        char tens = text[2 * i], ones = text[2 * i + 1];
        if (tens < '0' || tens > '9' || ones < '0' || ones > '9')
            return false;
        ret_number[i] = (tens - '0') * 10 + (ones - '0');
    }
    return true;
}

/* hhmmss[.sss] and ddmmyy. Fractions of the second are left out: the hour is all that is asked for.
 */
static bool rmc_time(const char *body, size_t length, int64_t *ret_utc_ns)
{
    size_t time_length = 0, date_length = 0;
    const char *time = field(body, length, RMC_TIME_FIELD, &time_length);
    const char *date = field(body, length, RMC_DATE_FIELD, &date_length);
    int hms[3], dmy[3];
    if (!two_digits_thrice(time, time_length, hms) || !two_digits_thrice(date, date_length, dmy))
        return false;
    if (hms[0] > 23 || hms[1] > 59 || hms[2] > 60 || dmy[0] < 1 || dmy[0] > 31 || dmy[1] < 1 ||
        dmy[1] > 12)
        return false;
    int64_t seconds = days_of(CENTURY + dmy[2], dmy[1], dmy[0]) * 86400;
    seconds += hms[0] * 3600 + hms[1] * 60 + hms[2];
    *ret_utc_ns = seconds * (int64_t)SL_NS_PER_S;
    return true;
}

/* "GPRMC", and "GNRMC" of receivers that hear several systems. */
static bool is_rmc(const char *body, size_t length)
{
    return length > 6 && body[1] == 'G' && memcmp(body + 3, "RMC", 3) == 0;
}

static void parse_sentence(const char *text, size_t length, struct velodyne_telemetry *telemetry)
{
    size_t body_length = 0;
    telemetry->has_sentence = true;
    if (!sentence_body(text, length, &body_length)) {
        telemetry->is_damaged = true;
        return;
    }
    if (!is_rmc(text, body_length))
        return;
    telemetry->is_rmc = true;
    size_t status_length = 0;
    const char *status = field(text, body_length, RMC_STATUS_FIELD, &status_length);
    if (!status || status_length != 1 || status[0] != 'A')
        return;
    telemetry->has_fix = rmc_time(text, body_length, &telemetry->utc_ns);
    telemetry->is_damaged = !telemetry->has_fix;
}

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
    if (length > 0)
        parse_sentence(text, length, &telemetry);
    *ret_telemetry = telemetry;
    return LIDAR_TELEMETRY;
}
