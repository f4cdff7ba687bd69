/* SPDX-License-Identifier: Apache-2.0 */
/* pattern.h - a test picture of which every byte is known: what the driver `pattern` writes and
 * whoever doubts the way of a frame checks.
 *
 * To the eye it is eight colour bars and a band of their opposite colours that wanders down. The
 * two low bits of each byte (all bits of plain bytes, which are no picture) are noise, made of the
 * publisher's key, the frame's sequence, the row and the place in the row: a line of 64 bytes that
 * is torn, left from an older frame, or belongs to another place is not what it must be. The first
 * 64 bytes say what the rest is, so a reader needs nothing but the bytes:
 *
 *       0         8        16        24        32        40       44       48       52        64
 *       | "SLPATTRN" | key | sequence | stamp_ns | size | encoding | width | height | 0 ... |
 *
 * All numbers are little endian. Any part can be made alone: reader and writer go through a frame
 * in pieces that stay in the nearest cache.
 *
 * Life:    sl_pattern_begin fills a maker in the caller's memory, zeroed before its first use;
 *          begin again for the next frame.
 * Owner:   the caller.
 * Threads: one at a time for a maker.
 * Errors:  0 or -errno with sl_error_text().
 */
#ifndef SL_FRAME_PATTERN_H
#define SL_FRAME_PATTERN_H

#include <stddef.h>
#include <stdint.h>

#define SL_TYPE_PATTERN "sluice/msg/Pattern" /* plain bytes, without a header of any message */

#define SL_PATTERN_SIZE_MIN 64u        /* bytes: the line that says what it is */
#define SL_PATTERN_ROW_MAX  65536u     /* bytes of a row */
#define SL_PATTERN_SIZE_MAX 0xFFFF0000 /* bytes: a body is shorter than 4 GiB */

/* sensor_msgs/image_encodings.hpp. The numbers stand in frames: new ones go to the end. */
enum sl_pattern_encoding {
    SL_PATTERN_BYTES, /* no picture */
    SL_PATTERN_RGB8,
    SL_PATTERN_BGR8,
    SL_PATTERN_RGBA8,
    SL_PATTERN_BGRA8,
    SL_PATTERN_MONO8,
    SL_PATTERN_MONO16,
    SL_PATTERN_BAYER_RGGB8,
    SL_PATTERN_BAYER_BGGR8,
    SL_PATTERN_BAYER_GBRG8,
    SL_PATTERN_BAYER_GRBG8,
    SL_PATTERN_ENCODINGS
};
extern const char *const sl_pattern_encodings[]; /* "bytes", "rgb8", ..., ended by NULL */

/* Which frame it is. */
struct sl_pattern {
    uint64_t key;      /* of the publisher */
    uint64_t sequence; /* of the frame */
    uint64_t stamp_ns; /* the message's */
    uint64_t size_bytes;
    uint32_t encoding;      /* enum sl_pattern_encoding */
    uint32_t width, height; /* pixels; 0 for plain bytes */
};

/* Bytes from row to row and of the whole. -EINVAL if the pattern cannot have such a picture: the
 * encoding is unknown, a side is 0, or it has fewer bytes or longer rows than above. */
int sl_pattern_measure(uint32_t encoding, uint32_t width, uint32_t height, uint32_t *ret_step,
                       uint64_t *ret_size_bytes);

#define SL_PATTERN_ROW_WORDS (SL_PATTERN_ROW_MAX / 8)

struct sl_pattern_maker {
    struct sl_pattern pattern;
    uint64_t noise_key;
    uint32_t row_bytes;
    uint64_t noise_mask, band_flip;
    uint32_t band_top, band_rows;
    uint8_t line[SL_PATTERN_SIZE_MIN]; /* the first one */
    uint64_t row[2]
                [SL_PATTERN_ROW_WORDS]; /* even and odd rows without noise (Bayer: they differ) */
};

/* Prepare for a frame; the picture's rows are kept as long as they stay the same. -EINVAL as
 * sl_pattern_measure, or if size_bytes is not the picture's. */
int sl_pattern_begin(struct sl_pattern_maker *maker, const struct sl_pattern *pattern);

/* Make bytes [offset, offset + size) of the frame's data, which must lie inside it. */
void sl_pattern_make(const struct sl_pattern_maker *maker, uint64_t offset, void *to, size_t size);

/* What the first SL_PATTERN_SIZE_MIN bytes of some data say. -EBADMSG if that is no pattern. */
int sl_pattern_read(const void *line, struct sl_pattern *ret_pattern);

/* How many bytes of `bytes`, which stand at `offset` of the data, are right before the first that
 * is not; `size` if all are. */
size_t sl_pattern_check(const struct sl_pattern_maker *maker, uint64_t offset, const void *bytes,
                        size_t size);

#endif
