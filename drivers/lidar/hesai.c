/* SPDX-License-Identifier: Apache-2.0 */
/* hesai.c - the data packet and who sent it.
 *
 * Pandar40P, Pandar64, PandarQT64 and PandarXT user manuals, section "Data structure". All little
 * endian.
 *
 *      XT, QT64    | EE FF | version, 4 bytes | lasers | blocks | first | unit | returns | flags |
 *                  | azimuth | lasers x (distance u16, intensity u8, confidence u8) | ... | tail |
 *      Pandar64    | EE FF | lasers | blocks | first | unit | 2 bytes |
 *                  | azimuth | 64 x (distance u16, intensity u8) | ... 6 blocks | tail |
 *      Pandar40P   | FF EE | azimuth | 40 x (distance u16, intensity u8) | ... 10 blocks | tail |
 *
 * Two returns: blocks 2i and 2i+1 are the same column.
 */
#include "drivers/lidar/hesai.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/base/bytes.h"
#include "core/base/clock.h"
#include "core/base/error.h"

#define FLAG_HEADER        0xFFEE
#define FLAG_BLOCK         0xEEFF
#define MODE_FIRST         0x33
#define MODE_SECOND        0x34
#define MODE_STRONGEST     0x37
#define MODE_LAST          0x38
#define MODE_TWO_FIRST     0x39 /* last and strongest */
#define MODE_TWO_LAST      0x3C /* first and strongest; all between are pairs too */
#define MODE_STRONGEST_TWO 0x3E
#define SECONDS_AN_HOUR    3600
#define LINE_MAX_BYTES     120
#define YEAR_OF_ZERO       1900
#define YEAR_IS_1900_FROM  70 /* smaller ones count from 2000 */

/* Where things are in the packets of a model. */
struct layout {
    const char *model;
    uint8_t major, minor; /* of the version; 0 = the packet has none */
    uint8_t unit_at;      /* 0 = the packet does not tell its unit */
    uint8_t unit_mm;
    uint8_t blocks_at;  /* the first block */
    uint8_t azimuth_at; /* in a block */
    /* In the tail, which follows the blocks: */
    uint8_t mode_at, date_at, microseconds_at;
    uint16_t size, size_short; /* with and without what has no bearing on us; 0 = one size */
};

static const struct layout layouts[] = {
    {"PandarXT32", 6, 1, 9, 4, 12, 0, 10, 13, 19, 1080, 0},
    {"PandarXT16", 6, 1, 9, 4, 12, 0, 10, 13, 19, 568, 0},
    {"XT32M2X", 6, 1, 9, 5, 12, 0, 10, 13, 19, 820, 0},
    {"PandarQT64", 3, 1, 9, 4, 12, 0, 16, 18, 12, 1072, 0},
    {"Pandar64", 0, 0, 5, 4, 8, 0, 14, 16, 10, 1198, 1194},
    {"Pandar40P", 0, 0, 0, 4, 0, 2, 14, 16, 10, 1266, 1262},
};
#define LAYOUTS      (sizeof layouts / sizeof *layouts)
#define HEADER_BYTES 12 /* all that tells a model is in these */

const struct lidar_model *hesai_model_find(const char *name)
{
    for (const struct lidar_model *const *model = hesai_models; *model; model++) {
        if (strcasecmp(name, (*model)->name) == 0)
            return *model;
        for (unsigned i = 0; i < LIDAR_ALIASES_MAX; i++) {
            if ((*model)->aliases[i] && strcasecmp(name, (*model)->aliases[i]) == 0)
                return *model;
        }
    }
    return NULL;
}

/* Does the beginning tell this model? */
static bool begins_like(const uint8_t *bytes, const struct layout *layout,
                        const struct lidar_model *model)
{
    if (layout->unit_at == 0)
        return sl_get_le16(bytes) == FLAG_BLOCK;
    if (sl_get_le16(bytes) != FLAG_HEADER)
        return false;
    const uint8_t *counts = bytes + layout->unit_at - 3;
    if (counts[0] != model->lasers || counts[1] != model->blocks)
        return false;
    return layout->major == 0 || (bytes[2] == layout->major && bytes[3] == layout->minor);
}

static const struct layout *layout_of(const uint8_t *bytes, size_t size_bytes)
{
    for (const struct layout *layout = layouts; layout < layouts + LAYOUTS; layout++) {
        if (size_bytes >= HEADER_BYTES &&
            begins_like(bytes, layout, hesai_model_find(layout->model)))
            return layout;
    }
    return NULL;
}

static const uint8_t *tail_of(const struct layout *layout, const struct lidar_model *model,
                              const uint8_t *bytes)
{
    return bytes + layout->blocks_at + (size_t)model->blocks * model->block_bytes;
}

/* 0 = not one that we know. */
static unsigned returns_of(uint8_t mode)
{
    if (mode == MODE_FIRST || mode == MODE_SECOND || mode == MODE_STRONGEST || mode == MODE_LAST)
        return 1;
    bool is_pair = (mode >= MODE_TWO_FIRST && mode <= MODE_TWO_LAST) || mode == MODE_STRONGEST_TWO;
    return is_pair ? 2 : 0;
}

enum lidar_count hesai_data_check(const uint8_t *bytes, size_t size_bytes,
                                  const struct lidar_model **ret_model)
{
    if (size_bytes < HEADER_BYTES)
        return LIDAR_BAD_SHORT;
    const struct layout *layout = layout_of(bytes, size_bytes);
    if (!layout)
        return sl_get_le16(bytes) == FLAG_HEADER ? LIDAR_OTHER_MODEL : LIDAR_BAD_FLAG;
    const struct lidar_model *model = hesai_model_find(layout->model);
    if (size_bytes != layout->size && size_bytes != layout->size_short)
        return size_bytes < layout->size ? LIDAR_BAD_SHORT : LIDAR_BAD_LONG;
    if (layout->unit_at > 0 && bytes[layout->unit_at] != layout->unit_mm)
        return LIDAR_OTHER_MODEL;
    for (unsigned i = 0; i < model->blocks; i++) {
        const uint8_t *block = bytes + layout->blocks_at + (size_t)i * model->block_bytes;
        if (layout->azimuth_at > 0 && sl_get_le16(block) != FLAG_BLOCK)
            return LIDAR_BAD_FLAG;
        if (sl_get_le16(block + layout->azimuth_at) > LIDAR_AZIMUTH_UNITS)
            return LIDAR_BAD_AZIMUTH;
    }
    if (returns_of(tail_of(layout, model, bytes)[layout->mode_at]) == 0)
        return LIDAR_BAD_RETURN_MODE;
    *ret_model = model;
    return LIDAR_PACKETS;
}

/* Days from 1970-01-01 to a date of the Gregorian calendar, by counting leap days before the March
 * of its year. */
static int64_t days_of(int year, int month, int day)
{
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    int whole = month > 2 ? year : year - 1;
    int64_t leap = whole / 4 - whole / 100 + whole / 400 - 477; /* 477 until the end of 1969 */
    return (year - 1970) * INT64_C(365) + leap + before[month - 1] + day - 1;
}

/* year, month, day, hour, minute, second */
static bool is_date(const uint8_t *date)
{
    return date[1] >= 1 && date[1] <= 12 && date[2] >= 1 && date[2] <= 31 && date[3] < 24 &&
           date[4] < 60 && date[5] <= 60;
}

struct hesai_time hesai_data_time(const uint8_t *bytes, size_t size_bytes)
{
    const struct layout *layout = layout_of(bytes, size_bytes);
    const uint8_t *tail = tail_of(layout, hesai_model_find(layout->model), bytes);
    const uint8_t *date = tail + layout->date_at;
    uint32_t microseconds = sl_get_le32(tail + layout->microseconds_at) % 1000000;
    int64_t seconds;
    bool has_date = true;
    if (date[0] == 0) { /* newer firmware: the other five bytes are seconds */
        seconds = sl_get_be32(date + 2);
    } else {
        int year = YEAR_OF_ZERO + date[0] + (date[0] < YEAR_IS_1900_FROM ? 100 : 0);
        seconds = date[4] * 60 + date[5];
        has_date = is_date(date);
        if (has_date)
            seconds += (days_of(year, date[1], date[2]) * 24 + date[3]) * (int64_t)SECONDS_AN_HOUR;
    }
    return (struct hesai_time){
        .stamp_us = (uint32_t)(seconds % SECONDS_AN_HOUR) * 1000000 + microseconds,
        .has_date = has_date,
        .utc_ns = seconds * (int64_t)SL_NS_PER_S + microseconds * (int64_t)SL_NS_PER_US,
    };
}

enum lidar_count hesai_data_parse(const struct lidar_model *model, const uint8_t *bytes,
                                  size_t size_bytes, struct lidar_packet *ret_packet)
{
    const struct layout *layout = layout_of(bytes, size_bytes);
    unsigned returns = returns_of(tail_of(layout, model, bytes)[layout->mode_at]);
    unsigned groups = lidar_model_groups(model, returns);
    unsigned elements_at = layout->azimuth_at + (unsigned)sizeof(uint16_t);
    for (unsigned i = 0; i < groups; i++) {
        const uint8_t *first = bytes + layout->blocks_at + (size_t)i * returns * model->block_bytes;
        const uint8_t *second = first + (returns - 1) * model->block_bytes;
        uint16_t azimuth = sl_get_le16(first + layout->azimuth_at) % LIDAR_AZIMUTH_UNITS;
        if (sl_get_le16(second + layout->azimuth_at) % LIDAR_AZIMUTH_UNITS != azimuth)
            return LIDAR_BAD_AZIMUTH;
        ret_packet->azimuth[i] = azimuth;
        ret_packet->wire[0][i] = first + elements_at;
        ret_packet->wire[1][i] = second + elements_at;
    }
    ret_packet->model = model;
    ret_packet->stamp_us = hesai_data_time(bytes, size_bytes).stamp_us;
    ret_packet->returns = (uint8_t)returns;
    ret_packet->group_count = (uint8_t)groups;
    return LIDAR_PACKETS;
}

/* The correction file. */

static int bad_line(unsigned line, const char *what)
{
    return sl_error(-EINVAL, "correction file, line %u: %s", line, what);
}

/* One line, without its end. */
static int read_line(struct lidar_model *model, bool seen[LIDAR_LASERS_MAX], const char *text,
                     unsigned line)
{
    unsigned channel = 0;
    float elevation = 0, azimuth = 0;
    int end = 0;
    if (text[0] < '0' || text[0] > '9')
        return 0;
    if (sscanf(text, "%3u , %f , %f %n", &channel, &elevation, &azimuth, &end) != 3 ||
        text[end] != '\0')
        return bad_line(line, "is not \"channel,elevation,azimuth\"");
    if (channel < 1 || channel > model->lasers)
        return bad_line(line, "the sensor has no such channel");
    if (seen[channel - 1])
        return bad_line(line, "the channel was there before");
    if (!(fabsf(elevation) <= 90) || !(fabsf(azimuth) <= 180))
        return bad_line(line, "an elevation is -90 to 90, an azimuth -180 to 180 degrees");
    seen[channel - 1] = true;
    model->vertical_deg[channel - 1] = elevation;
    model->azimuth_offset_deg[channel - 1] = -azimuth;
    return 0;
}

int hesai_correction_read(const struct lidar_model *model, const char *text, size_t size_bytes,
                          struct lidar_model *ret_model)
{
    struct lidar_model read = *model;
    bool seen[LIDAR_LASERS_MAX] = {false};
    unsigned line = 0;
    for (size_t at = 0; at < size_bytes; at++) {
        char copy[LINE_MAX_BYTES] = {0};
        size_t length = 0;
        for (; at < size_bytes && text[at] != '\n'; at++) {
            if (length + 1 >= sizeof copy)
                return bad_line(line + 1, "is too long");
            copy[length++] = text[at];
        }
        line++;
        if (memchr(copy, '\0', length))
            return bad_line(line, "is no text");
        int err = read_line(&read, seen, copy, line);
        if (err < 0)
            return err;
    }
    for (unsigned i = 0; i < model->lasers; i++) {
        if (!seen[i])
            return sl_error(-EINVAL, "correction file: channel %u of the %s's %u is missing", i + 1,
                            model->name, model->lasers);
    }
    *ret_model = read;
    return 0;
}
