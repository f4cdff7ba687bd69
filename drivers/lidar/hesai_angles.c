/* SPDX-License-Identifier: Apache-2.0 */
/* hesai_angles.c - the correction file that comes with each sensor: text, or an AT128's bytes.
 *
 * An AT128's (its user manual, appendix "Angle correction file"; version 1.5). All little endian,
 * in units of 1/25600 degrees times the resolution, corrections in units of 0.01 degrees times it.
 *
 *      | EE FF | 1 | 5 | channels u8 | mirrors u8 | frames u8 | 8 bytes | resolution u8 |
 *      | begin u32 x frames | end u32 x frames |
 *      | azimuth i32 x channels | elevation i32 x channels |
 *      | azimuth corrections, channels x 180 x i8 | elevation corrections, the same |
 *      | SHA-256, 32 bytes |
 *
 * The sum at the end is not checked: it is not said of what it is.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/error.h"
#include "drivers/lidar/hesai.h"

#define LINE_MAX_BYTES 120

#define MIRROR_HEADER_BYTES 16
#define MIRROR_SHA_BYTES    32
#define MIRROR_MAJOR        1
#define MIRROR_MINOR        5
#define PLACES_PER_DEGREE   25600
#define CORRECTION_MAX      127 /* 1.27 degrees */

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

/* An AT128's. */

static int bad_mirror(const char *what)
{
    return sl_error(-EINVAL, "correction file: %s", what);
}

static int read_fields(const uint8_t *begins, unsigned fields, uint32_t resolution,
                       struct lidar_mirror *mirror)
{
    for (unsigned i = 0; i < fields; i++) {
        uint64_t begin = (uint64_t)sl_get_le32(begins + 4 * i) * resolution;
        uint64_t end = (uint64_t)sl_get_le32(begins + 4 * (fields + i)) * resolution;
        if (begin >= LIDAR_MIRROR_UNITS || end > LIDAR_MIRROR_UNITS)
            return bad_mirror("a frame begins or ends beyond the turn");
        if (end <= begin)
            end += LIDAR_MIRROR_UNITS;
        mirror->begin[i] = (uint32_t)begin;
        mirror->end[i] = (uint32_t)end;
    }
    mirror->fields = (uint8_t)fields;
    return 0;
}

static int read_angles(const uint8_t *azimuths, unsigned lasers, int64_t resolution,
                       struct lidar_model *model)
{
    for (unsigned i = 0; i < lasers; i++) {
        int64_t azimuth = (int32_t)sl_get_le32(azimuths + 4 * (size_t)i) * resolution;
        int64_t elevation = (int32_t)sl_get_le32(azimuths + 4 * (size_t)(lasers + i)) * resolution;
        double azimuth_deg = (double)azimuth / PLACES_PER_DEGREE;
        double elevation_deg = (double)elevation / PLACES_PER_DEGREE;
        if (!(fabs(elevation_deg) <= 90) || !(fabs(azimuth_deg) <= 360))
            return sl_error(-EINVAL,
                            "correction file, channel %u: an elevation is -90 to 90, an azimuth "
                            "-360 to 360 degrees",
                            i + 1);
        model->azimuth_offset_deg[i] = (float)azimuth_deg;
        model->vertical_deg[i] = (float)elevation_deg;
    }
    return 0;
}

static int read_corrections(const uint8_t *bytes, unsigned lasers, int resolution,
                            int8_t (*to)[LIDAR_MIRROR_STEPS])
{
    for (unsigned i = 0; i < lasers * LIDAR_MIRROR_STEPS; i++) {
        int value = (int8_t)bytes[i] * resolution;
        if (value < -CORRECTION_MAX || value > CORRECTION_MAX)
            return bad_mirror("a correction is more than 1.27 degrees");
        to[i / LIDAR_MIRROR_STEPS][i % LIDAR_MIRROR_STEPS] = (int8_t)value;
    }
    return 0;
}

static int check_mirror_header(const struct lidar_model *model, const uint8_t *bytes,
                               size_t size_bytes)
{
    if (size_bytes < MIRROR_HEADER_BYTES || bytes[0] != 0xEE || bytes[1] != 0xFF)
        return bad_mirror("does not begin like an AT128's: it is a .dat file, not text");
    if (bytes[2] != MIRROR_MAJOR || bytes[3] != MIRROR_MINOR)
        return sl_error(-EINVAL, "correction file: is of version %u.%u, only %d.%d is known",
                        bytes[2], bytes[3], MIRROR_MAJOR, MIRROR_MINOR);
    if (bytes[4] != model->lasers)
        return sl_error(-EINVAL, "correction file: is for %u channels, the %s has %u", bytes[4],
                        model->name, model->lasers);
    if (bytes[6] < 1 || bytes[6] > LIDAR_MIRROR_FIELDS_MAX || bytes[5] != bytes[6])
        return sl_error(-EINVAL,
                        "correction file: has %u mirrors and %u frames; 1 to %d, a frame "
                        "for each",
                        bytes[5], bytes[6], LIDAR_MIRROR_FIELDS_MAX);
    if (bytes[15] == 0)
        return bad_mirror("has a resolution of 0");
    return 0;
}

int hesai_mirror_read(const struct lidar_model *model, const uint8_t *bytes, size_t size_bytes,
                      struct lidar_mirror *ret_mirror, struct lidar_model *ret_model)
{
    int err = check_mirror_header(model, bytes, size_bytes);
    if (err < 0)
        return err;
    unsigned fields = bytes[6], lasers = model->lasers, resolution = bytes[15];
    size_t steps_bytes = (size_t)lasers * LIDAR_MIRROR_STEPS;
    size_t azimuths_at = MIRROR_HEADER_BYTES + 8 * (size_t)fields;
    size_t steps_at = azimuths_at + 8 * (size_t)lasers;
    size_t wanted = steps_at + 2 * steps_bytes + MIRROR_SHA_BYTES;
    if (size_bytes != wanted)
        return sl_error(-EINVAL,
                        "correction file: has %zu bytes, %u frames and %u channels take %zu",
                        size_bytes, fields, lasers, wanted);
    struct lidar_model read = *model;
    err = read_fields(bytes + MIRROR_HEADER_BYTES, fields, resolution, ret_mirror);
    if (err == 0)
        err = read_angles(bytes + azimuths_at, lasers, resolution, &read);
    if (err == 0)
        err = read_corrections(bytes + steps_at, lasers, (int)resolution, ret_mirror->azimuth);
    if (err == 0)
        err = read_corrections(bytes + steps_at + steps_bytes, lasers, (int)resolution,
                               ret_mirror->elevation);
    if (err < 0)
        return err;
    read.mirror = ret_mirror;
    *ret_model = read;
    return 0;
}
