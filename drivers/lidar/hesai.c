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
 *      QT128,      | EE FF | version, 4 bytes | lasers | blocks | first | unit | returns | flags |
 *      Pandar128,  | azimuth | 128 x (distance u16, intensity u8, maybe confidence u8) | 2 blocks |
 *      OT128       | crc u32 | safety, 17 bytes | tail | sequence u32 | IMU, 22 bytes | crc u32 |
 *                  | signature, 32 bytes |              safety, sequence, IMU, signature: flags
 * tell AT128       the same, but the azimuth is u16 and a u8 of 256ths, and there is no safety
 *
 * Two returns: blocks 2i and 2i+1 are the same column. Three: 3i ... 3i+2.
 */
#include "drivers/lidar/hesai.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/base/bytes.h"
#include "core/base/clock.h"
#include "drivers/lidar/mirror.h"

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
#define YEAR_OF_ZERO       1900
#define YEAR_IS_1900_FROM  70   /* smaller ones count from 2000 */
#define MODE_THREE         0x3D /* first, last and strongest */
#define STATE_HIGH_RES     0

/* What the flags of newer versions say is in the packet. */
#define HAS_SEQUENCE   0x01
#define HAS_IMU        0x02
#define HAS_SAFETY     0x04
#define HAS_SIGNATURE  0x08
#define HAS_CONFIDENCE 0x10

#define CRC_BYTES        4 /* behind the blocks, and behind the tail */
#define SEQUENCE_BYTES   4
#define IMU_BYTES        22
#define SAFETY_BYTES     17
#define SIGNATURE_BYTES  32
#define CONFIDENCE_BYTES 1 /* of an element */

/* Where things are in the packets of a model. */
struct layout {
    enum hesai_index model, twin; /* twin: another one with such packets */
    uint8_t major, minor;         /* of the version; 0 = the packet has none */
    uint8_t unit_at;              /* 0 = the packet does not tell its unit */
    uint8_t unit_mm;
    uint8_t blocks_at;  /* the first block */
    uint8_t azimuth_at; /* in a block */
    uint8_t fine_bytes; /* of the azimuth, behind its two */
    /* In the tail: */
    uint8_t mode_at, date_at, microseconds_at;
    uint8_t loop_at;             /* the lowest bit: with which loop the packet begins */
    uint8_t states_at, state_at; /* two bits a block, from the top: in which order it fired; how */
    uint16_t size, size_short;   /* with and without what has no bearing on us; 0 = one size */
    /* Newer ones instead of sizes: bytes of the tail that are always there, and flags that count.
     */
    uint8_t tail_bytes, flags;
};

/* clang-format off */
static const struct layout layouts[] = {
    {HESAI_XT32, HESAI_XT32, 6, 1, 9, 4, 12,
     .mode_at = 10, .date_at = 13, .microseconds_at = 19, .size = 1080},
    {HESAI_XT16, HESAI_XT16, 6, 1, 9, 4, 12,
     .mode_at = 10, .date_at = 13, .microseconds_at = 19, .size = 568},
    {HESAI_XT32M2X, HESAI_XT32M2X, 6, 1, 9, 5, 12,
     .mode_at = 10, .date_at = 13, .microseconds_at = 19, .size = 820},
    {HESAI_QT64, HESAI_QT64, 3, 1, 9, 4, 12,
     .mode_at = 16, .date_at = 18, .microseconds_at = 12, .size = 1072},
    {HESAI_PANDAR64, HESAI_PANDAR64, 0, 0, 5, 4, 8,
     .mode_at = 14, .date_at = 16, .microseconds_at = 10, .size = 1198, .size_short = 1194},
    {HESAI_PANDAR40P, HESAI_PANDAR40P, 0, 0, 0, 4, 0, .azimuth_at = 2,
     .mode_at = 14, .date_at = 16, .microseconds_at = 10, .size = 1266, .size_short = 1262},
    {HESAI_QT128, HESAI_QT128, 3, 2, 9, 4, 12,
     .mode_at = 12, .date_at = 15, .microseconds_at = 21, .loop_at = 5,
     .tail_bytes = 26, .flags = HAS_SEQUENCE | HAS_IMU | HAS_SAFETY | HAS_SIGNATURE},
    {HESAI_PANDAR128, HESAI_OT128, 1, 4, 9, 4, 12,
     .mode_at = 12, .date_at = 15, .microseconds_at = 21, .states_at = 9, .state_at = 11,
     .tail_bytes = 26,
     .flags = HAS_SEQUENCE | HAS_IMU | HAS_SAFETY | HAS_SIGNATURE | HAS_CONFIDENCE},
    {HESAI_AT128, HESAI_AT128, 4, 3, 9, 4, 12, .fine_bytes = 1,
     .mode_at = 24, .date_at = 26, .microseconds_at = 20,
     .tail_bytes = 32, .flags = HAS_SEQUENCE | HAS_SIGNATURE},
};
/* clang-format on */
#define LAYOUTS      (sizeof layouts / sizeof *layouts)
#define FLAGS_AT     11
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

bool hesai_models_agree(const struct lidar_model *told, const struct lidar_model *configured)
{
    if (strcmp(told->name, configured->name) == 0)
        return true;
    for (const struct layout *layout = layouts; layout < layouts + LAYOUTS; layout++) {
        if (strcmp(told->name, hesai_models[layout->model]->name) == 0)
            return strcmp(configured->name, hesai_models[layout->twin]->name) == 0;
    }
    return false;
}

/* Does the beginning tell this model? */
static bool begins_like(const uint8_t *bytes, const struct layout *layout)
{
    const struct lidar_model *model = hesai_models[layout->model];
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
        if (size_bytes >= HEADER_BYTES && begins_like(bytes, layout))
            return layout;
    }
    return NULL;
}

/* Of the flags that count in packets of this layout. */
static bool has(const struct layout *layout, const uint8_t *bytes, uint8_t flag)
{
    return (layout->flags & bytes[FLAGS_AT] & flag) != 0;
}

static size_t block_bytes_of(const struct layout *layout, const uint8_t *bytes)
{
    const struct lidar_model *model = hesai_models[layout->model];
    size_t more = has(layout, bytes, HAS_CONFIDENCE) ? CONFIDENCE_BYTES : 0;
    return model->block_bytes + more * model->lasers;
}

static const uint8_t *block_of(const struct layout *layout, const uint8_t *bytes, unsigned block)
{
    return bytes + layout->blocks_at + block * block_bytes_of(layout, bytes);
}

static size_t tail_at(const struct layout *layout, const uint8_t *bytes)
{
    unsigned blocks = hesai_models[layout->model]->blocks;
    size_t at = layout->blocks_at + blocks * block_bytes_of(layout, bytes);
    if (layout->tail_bytes > 0)
        at += CRC_BYTES + (has(layout, bytes, HAS_SAFETY) ? SAFETY_BYTES : 0);
    return at;
}

static const uint8_t *tail_of(const struct layout *layout, const uint8_t *bytes)
{
    return bytes + tail_at(layout, bytes);
}

/* How large the packet has to be. */
static size_t size_of(const struct layout *layout, const uint8_t *bytes)
{
    if (layout->tail_bytes == 0)
        return layout->size;
    return tail_at(layout, bytes) + layout->tail_bytes +
           (has(layout, bytes, HAS_SEQUENCE) ? SEQUENCE_BYTES : 0) +
           (has(layout, bytes, HAS_IMU) ? IMU_BYTES : 0) + CRC_BYTES +
           (has(layout, bytes, HAS_SIGNATURE) ? SIGNATURE_BYTES : 0);
}

size_t hesai_data_bytes_max(const struct lidar_model *model)
{
    uint8_t bytes[HEADER_BYTES];
    memset(bytes, 0xFF, sizeof bytes); /* all flags */
    for (const struct layout *layout = layouts; layout < layouts + LAYOUTS; layout++) {
        if (strcmp(model->name, hesai_models[layout->model]->name) == 0 ||
            strcmp(model->name, hesai_models[layout->twin]->name) == 0)
            return size_of(layout, bytes);
    }
    return 0;
}

/* 0 = not one that we know. */
static unsigned returns_of(uint8_t mode)
{
    if (mode == MODE_FIRST || mode == MODE_SECOND || mode == MODE_STRONGEST || mode == MODE_LAST)
        return 1;
    bool is_pair = (mode >= MODE_TWO_FIRST && mode <= MODE_TWO_LAST) || mode == MODE_STRONGEST_TWO;
    return is_pair ? 2 : mode == MODE_THREE ? 3 : 0;
}

static unsigned packet_returns(const struct layout *layout, const uint8_t *bytes)
{
    return returns_of(tail_of(layout, bytes)[layout->mode_at]);
}

enum lidar_count hesai_data_check(const uint8_t *bytes, size_t size_bytes,
                                  const struct lidar_model **ret_model)
{
    if (size_bytes < HEADER_BYTES)
        return LIDAR_BAD_SHORT;
    const struct layout *layout = layout_of(bytes, size_bytes);
    if (!layout)
        return sl_get_le16(bytes) == FLAG_HEADER ? LIDAR_OTHER_MODEL : LIDAR_BAD_FLAG;
    const struct lidar_model *model = hesai_models[layout->model];
    size_t size = size_of(layout, bytes);
    if (size_bytes != size && size_bytes != layout->size_short)
        return size_bytes < size ? LIDAR_BAD_SHORT : LIDAR_BAD_LONG;
    if (layout->unit_at > 0 && bytes[layout->unit_at] != layout->unit_mm)
        return LIDAR_OTHER_MODEL;
    for (unsigned i = 0; i < model->blocks; i++) {
        const uint8_t *block = block_of(layout, bytes, i);
        if (layout->azimuth_at > 0 && sl_get_le16(block) != FLAG_BLOCK)
            return LIDAR_BAD_FLAG;
        if (sl_get_le16(block + layout->azimuth_at) > LIDAR_AZIMUTH_UNITS)
            return LIDAR_BAD_AZIMUTH;
    }
    unsigned returns = packet_returns(layout, bytes);
    if (returns == 0 || returns > lidar_model_returns(model))
        return LIDAR_BAD_RETURN_MODE;
    *ret_model = model;
    return LIDAR_PACKETS;
}

void hesai_data_describe(const uint8_t *bytes, char *ret_text, size_t size_bytes)
{
    snprintf(ret_text, size_bytes, "version %u.%u, %u lasers, %u blocks, steps of %u mm", bytes[2],
             bytes[3], bytes[6], bytes[7], bytes[9]);
}

unsigned hesai_data_variant(const uint8_t *bytes, size_t size_bytes)
{
    const struct layout *layout = layout_of(bytes, size_bytes);
    bool is_slow =
        layout->state_at > 0 && tail_of(layout, bytes)[layout->state_at] != STATE_HIGH_RES;
    return (has(layout, bytes, HAS_CONFIDENCE) ? HESAI_CONFIDENCE : 0) |
           (is_slow ? HESAI_STANDARD : 0);
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
    const uint8_t *tail = tail_of(layout, bytes);
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

/* In which order a block's lasers fired. */
static uint8_t order_of(const struct lidar_model *model, const struct layout *layout,
                        const uint8_t *tail, unsigned group, unsigned block)
{
    if (layout->loop_at > 0)
        return (tail[layout->loop_at] + group + 1) % 2;
    if (layout->states_at == 0)
        return 0;
    unsigned states = sl_get_le16(tail + layout->states_at);
    return (uint8_t)((states >> 2 * (7 - block) & 3) % lidar_model_orders(model));
}

/* The azimuth of a group and what else its first block tells. False: there is no such azimuth. */
static bool read_group(const struct lidar_model *model, const struct layout *layout,
                       const uint8_t *block, unsigned group, struct lidar_packet *packet)
{
    uint16_t azimuth = sl_get_le16(block + layout->azimuth_at) % LIDAR_AZIMUTH_UNITS;
    packet->azimuth[group] = azimuth;
    if (!model->mirror)
        return true;
    packet->mirror[group] = azimuth * 256u + block[layout->azimuth_at + sizeof azimuth];
    return lidar_mirror_course(model->mirror, packet->mirror[group], &packet->azimuth[group]);
}

enum lidar_count hesai_data_parse(const struct lidar_model *model, const uint8_t *bytes,
                                  size_t size_bytes, struct lidar_packet *ret_packet)
{
    const struct layout *layout = layout_of(bytes, size_bytes);
    const uint8_t *tail = tail_of(layout, bytes);
    unsigned returns = packet_returns(layout, bytes);
    unsigned groups = lidar_model_groups(model, returns);
    unsigned azimuth_bytes = (unsigned)sizeof(uint16_t) + layout->fine_bytes;
    if (model->block_bytes != block_bytes_of(layout, bytes))
        return LIDAR_OTHER_MODEL;
    for (unsigned i = 0; i < groups; i++) {
        const uint8_t *azimuth = block_of(layout, bytes, i * returns) + layout->azimuth_at;
        if (!read_group(model, layout, azimuth - layout->azimuth_at, i, ret_packet))
            return LIDAR_BAD_AZIMUTH;
        ret_packet->order[i] = order_of(model, layout, tail, i, i * returns);
        for (unsigned n = 0; n < returns; n++) {
            const uint8_t *other = azimuth + n * model->block_bytes;
            if (memcmp(other, azimuth, azimuth_bytes) != 0)
                return LIDAR_BAD_AZIMUTH;
            ret_packet->wire[n][i] = other + azimuth_bytes;
        }
    }
    ret_packet->model = model;
    ret_packet->stamp_us = hesai_data_time(bytes, size_bytes).stamp_us;
    ret_packet->returns = (uint8_t)returns;
    ret_packet->group_count = (uint8_t)groups;
    return LIDAR_PACKETS;
}
