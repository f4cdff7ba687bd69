/* SPDX-License-Identifier: Apache-2.0 */
/* nmea.c - the two sentences that tell where and when. */
#include "drivers/lidar/nmea.h"

#include <math.h>
#include <string.h>

#include "core/base/clock.h"

#define CENTURY          2000
#define NUMBER_DIGITS    15 /* of which no double loses one */
#define RMC_TIME         1
#define RMC_STATUS       2
#define RMC_PLACE        3
#define RMC_DATE         9
#define GGA_PLACE        2
#define GGA_QUALITY      6
#define GGA_ALTITUDE     9
#define GGA_GEOID        11
#define LATITUDE_MAX     90
#define LONGITUDE_MAX    180
#define MINUTES_A_DEGREE 60

/* A sentence without its "*" and checksum, or one of its fields. */
struct span {
    const char *text;
    size_t length;
};

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

/* All before '*', if the exclusive or of its characters is what stands behind. */
static bool sentence_body(struct span whole, struct span *ret_body)
{
    uint8_t sum = 0;
    size_t i = 1;
    if (whole.length == 0 || whole.text[0] != '$')
        return false;
    for (; i < whole.length && whole.text[i] != '*'; i++)
        sum ^= (uint8_t)whole.text[i];
    if (i + 2 >= whole.length)
        return false;
    int high = hex_digit(whole.text[i + 1]), low = hex_digit(whole.text[i + 2]);
    if (high < 0 || low < 0 || high * 16 + low != sum)
        return false;
    *ret_body = (struct span){whole.text, i};
    return true;
}

/* The n-th field, counted from the sentence's name, which is 0; empty if it is not there. */
static struct span field(struct span body, unsigned n)
{
    size_t start = 0;
    for (; n > 0; n--) {
        while (start < body.length && body.text[start] != ',')
            start++;
        if (start == body.length)
            return (struct span){NULL, 0};
        start++;
    }
    size_t end = start;
    while (end < body.length && body.text[end] != ',')
        end++;
    return (struct span){body.text + start, end - start};
}

/* "-12.345", all of the field, in any locale. */
static bool number(struct span from, double *ret_number)
{
    double value = 0, unit = 1;
    unsigned digits = 0;
    bool is_fraction = false;
    bool is_negative = from.length > 0 && from.text[0] == '-';
    for (size_t i = is_negative; i < from.length; i++) {
        char c = from.text[i];
        if (c == '.' && !is_fraction) {
            is_fraction = true;
            continue;
        }
        if (c < '0' || c > '9' || ++digits > NUMBER_DIGITS)
            return false;
        value = value * 10 + (c - '0');
        unit *= is_fraction ? 10 : 1;
    }
    *ret_number = (is_negative ? -value : value) / unit;
    return digits > 0;
}

/* Three numbers of two digits each. */
static bool two_digits_thrice(struct span from, int ret_number[3])
{
    if (from.length < 6)
        return false;
    for (unsigned i = 0; i < 3; i++) {
        char tens = from.text[2 * i], ones = from.text[2 * i + 1];
        if (tens < '0' || tens > '9' || ones < '0' || ones > '9')
            return false;
        ret_number[i] = (tens - '0') * 10 + (ones - '0');
    }
    return true;
}

/* ".ss" behind hhmmss; none is 0. */
static int64_t fraction_ns(struct span time)
{
    double seconds = 0;
    struct span behind = {time.text + 6, time.length - 6};
    return number(behind, &seconds) && seconds < 1 ? (int64_t)(seconds * 1e9 + 0.5) : 0;
}

/* hhmmss[.sss] and ddmmyy. */
static bool read_utc(struct span time, struct span date, int64_t *ret_utc_ns)
{
    int hms[3], dmy[3];
    if (!two_digits_thrice(time, hms) || !two_digits_thrice(date, dmy))
        return false;
    if (hms[0] > 23 || hms[1] > 59 || hms[2] > 60 || dmy[0] < 1 || dmy[0] > 31 || dmy[1] < 1 ||
        dmy[1] > 12)
        return false;
    int64_t seconds = days_of(CENTURY + dmy[2], dmy[1], dmy[0]) * 86400;
    seconds += hms[0] * 3600 + hms[1] * 60 + hms[2];
    *ret_utc_ns = seconds * (int64_t)SL_NS_PER_S + fraction_ns(time);
    return true;
}

/* "4807.038" and "N": degrees and minutes in one number. */
static bool read_angle(struct span value, struct span side, char positive, char negative,
                       double most_deg, double *ret_deg)
{
    double both = 0;
    if (side.length != 1 || (side.text[0] != positive && side.text[0] != negative) ||
        !number(value, &both) || both < 0)
        return false;
    double degrees = floor(both / 100), minutes = both - degrees * 100;
    double angle = degrees + minutes / MINUTES_A_DEGREE;
    if (minutes >= MINUTES_A_DEGREE || angle > most_deg)
        return false;
    *ret_deg = side.text[0] == negative ? -angle : angle;
    return true;
}

/* Four fields from `at` on. */
static bool read_place(struct span body, unsigned at, struct nmea_sentence *to)
{
    return read_angle(field(body, at), field(body, at + 1), 'N', 'S', LATITUDE_MAX,
                      &to->latitude_deg) &&
           read_angle(field(body, at + 2), field(body, at + 3), 'E', 'W', LONGITUDE_MAX,
                      &to->longitude_deg);
}

static void read_rmc(struct span body, struct nmea_sentence *to)
{
    struct span status = field(body, RMC_STATUS);
    to->is_rmc = true;
    if (status.length != 1 || status.text[0] != 'A')
        return;
    to->has_utc = read_utc(field(body, RMC_TIME), field(body, RMC_DATE), &to->utc_ns);
    to->is_damaged = !to->has_utc;
    to->has_position = !to->is_damaged && read_place(body, RMC_PLACE, to);
    to->fix = to->has_position ? NMEA_FIX : NMEA_NO_FIX;
}

/* 1 = satellites alone, 2 = with corrections, 4 and 5 = phases against a station on the ground;
 * others are no measurement (estimated, typed in, simulated) or unknown. */
static enum nmea_fix quality(struct span from)
{
    char digit = from.length == 1 ? from.text[0] : '0';
    if (digit == '1' || digit == '3')
        return NMEA_FIX;
    if (digit == '2')
        return NMEA_FIX_BY_SATELLITE;
    return digit == '4' || digit == '5' ? NMEA_FIX_BY_GROUND : NMEA_NO_FIX;
}

static void read_gga(struct span body, struct nmea_sentence *to)
{
    double above_sea_m = 0, sea_m = 0;
    to->is_gga = true;
    to->fix = quality(field(body, GGA_QUALITY));
    to->has_position = to->fix != NMEA_NO_FIX && read_place(body, GGA_PLACE, to);
    if (!to->has_position)
        to->fix = NMEA_NO_FIX;
    if (number(field(body, GGA_ALTITUDE), &above_sea_m) && number(field(body, GGA_GEOID), &sea_m))
        to->altitude_m = above_sea_m + sea_m;
}

void nmea_parse(const char *text, size_t length, struct nmea_sentence *ret_sentence)
{
    struct span body = {NULL, 0};
    *ret_sentence = (struct nmea_sentence){.fix = NMEA_NO_FIX, .altitude_m = NAN};
    if (!sentence_body((struct span){text, length}, &body)) {
        ret_sentence->is_damaged = true;
        return;
    }
    if (body.length <= 6 || body.text[1] != 'G')
        return;
    if (memcmp(body.text + 3, "RMC", 3) == 0)
        read_rmc(body, ret_sentence);
    else if (memcmp(body.text + 3, "GGA", 3) == 0)
        read_gga(body, ret_sentence);
}
