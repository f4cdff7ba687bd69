/* SPDX-License-Identifier: Apache-2.0 */
#include "core/frame/pattern.h"

#include "core/base/bytes.h"
#include "core/base/error.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "words are made as they stand in memory");

#define MAGIC       UINT64_C(0x4E52545441504C53) /* "SLPATTRN" */
#define GOLDEN      UINT64_C(0x9E3779B97F4A7C15) /* odd, 2^64 / the golden ratio: a Weyl sequence */
#define NOISE_BITS  UINT64_C(0x0303030303030303) /* of a picture: not seen */
#define BYTES_ROW   4096u                        /* plain bytes: rows that nobody sees */
#define BARS        8
#define BAND_SHARE  16 /* the band is so much of the height */
#define LINE_WORDS  8
#define CHECK_BYTES 4096u

const char *const sl_pattern_encodings[] = {
    "bytes",  "rgb8",        "bgr8",        "rgba8",       "bgra8",       "mono8",
    "mono16", "bayer_rggb8", "bayer_bggr8", "bayer_gbrg8", "bayer_grbg8", NULL};
static_assert(sizeof sl_pattern_encodings / sizeof *sl_pattern_encodings ==
                  SL_PATTERN_ENCODINGS + 1,
              "a name for each");

/* The channels along even and odd rows; a Bayer row has one channel a pixel. */
static const struct layout {
    const char *channels[2]; /* r, g, b, a, or y: brightness */
    uint8_t channel_bytes, pixel_bytes;
} layouts[SL_PATTERN_ENCODINGS] = {
    [SL_PATTERN_RGB8] = {{"rgb", "rgb"}, 1, 3},
    [SL_PATTERN_BGR8] = {{"bgr", "bgr"}, 1, 3},
    [SL_PATTERN_RGBA8] = {{"rgba", "rgba"}, 1, 4},
    [SL_PATTERN_BGRA8] = {{"bgra", "bgra"}, 1, 4},
    [SL_PATTERN_MONO8] = {{"y", "y"}, 1, 1},
    [SL_PATTERN_MONO16] = {{"y", "y"}, 2, 2},
    [SL_PATTERN_BAYER_RGGB8] = {{"rg", "gb"}, 1, 1},
    [SL_PATTERN_BAYER_BGGR8] = {{"bg", "gr"}, 1, 1},
    [SL_PATTERN_BAYER_GBRG8] = {{"gb", "rg"}, 1, 1},
    [SL_PATTERN_BAYER_GRBG8] = {{"gr", "bg"}, 1, 1},
};

/* White, yellow, cyan, green, magenta, red, blue, black at three quarters, as television has them.
 */
static const uint8_t bars[BARS][3] = {{191, 191, 191}, {191, 191, 0}, {0, 191, 191}, {0, 191, 0},
                                      {191, 0, 191},   {191, 0, 0},   {0, 0, 191},   {0, 0, 0}};

/* Which picture
 * -----------------------------------------------------------------------------------*/

static int refuse_picture(uint32_t encoding, uint32_t width, uint32_t height)
{
    return sl_error(-EINVAL,
                    "a pattern of %" PRIu32 " x %" PRIu32
                    " pixels, %s: it has at least %u bytes, fewer than 4 GiB, and at most %u a row",
                    width, height,
                    encoding < SL_PATTERN_ENCODINGS ? sl_pattern_encodings[encoding] : "unknown",
                    SL_PATTERN_SIZE_MIN, SL_PATTERN_ROW_MAX);
}

int sl_pattern_measure(uint32_t encoding, uint32_t width, uint32_t height, uint32_t *ret_step,
                       uint64_t *ret_size_bytes)
{
    if (encoding == SL_PATTERN_BYTES || encoding >= SL_PATTERN_ENCODINGS)
        return refuse_picture(encoding, width, height);
    uint64_t step = (uint64_t)width * layouts[encoding].pixel_bytes;
    if (step == 0 || step > SL_PATTERN_ROW_MAX || step * height < SL_PATTERN_SIZE_MIN ||
        step * height > SL_PATTERN_SIZE_MAX)
        return refuse_picture(encoding, width, height);
    *ret_step = (uint32_t)step;
    *ret_size_bytes = step * height;
    return 0;
}

/* Bytes: what of the line is size; the picture's: what it follows from. */
static int measure(const struct sl_pattern *p, uint32_t *ret_row_bytes)
{
    uint64_t size = 0;
    if (p->encoding == SL_PATTERN_BYTES) {
        if (p->size_bytes < SL_PATTERN_SIZE_MIN || p->size_bytes > SL_PATTERN_SIZE_MAX)
            return sl_error(
                -EINVAL, "a pattern of %" PRIu64 " bytes: it has at least %u and less than 4 GiB",
                p->size_bytes, SL_PATTERN_SIZE_MIN);
        *ret_row_bytes = BYTES_ROW;
        return 0;
    }
    int err = sl_pattern_measure(p->encoding, p->width, p->height, ret_row_bytes, &size);
    if (err == 0 && size != p->size_bytes)
        err = sl_error(-EINVAL,
                       "a pattern of %" PRIu32 " x %" PRIu32 " pixels, %s, has %" PRIu64
                       " bytes, not %" PRIu64,
                       p->width, p->height, sl_pattern_encodings[p->encoding], size, p->size_bytes);
    return err;
}

/* Rows ----------------------------------------------------------------------------------------- */

static uint8_t channel_of(const uint8_t rgb[3], char channel)
{
    switch (channel) {
    case 'r':
        return rgb[0];
    case 'g':
        return rgb[1];
    case 'b':
        return rgb[2];
    case 'y': /* ITU-R BT.601 */
        return (uint8_t)((77 * rgb[0] + 150 * rgb[1] + 29 * rgb[2]) >> 8);
    default:
        return 255;
    }
}

static void draw_row(struct sl_pattern_maker *m, unsigned parity)
{
    const struct layout *layout = &layouts[m->pattern.encoding];
    const char *channels = layout->channels[parity];
    size_t channel_count = strlen(channels);
    uint8_t *row = (uint8_t *)m->row[parity];
    for (uint32_t at = 0; at < m->row_bytes; at++) {
        uint32_t x = at / layout->pixel_bytes;
        const uint8_t *rgb = bars[(uint64_t)x * BARS / m->pattern.width];
        char channel = channels[at / layout->channel_bytes % channel_count];
        row[at] = channel_of(rgb, channel) & (uint8_t)~NOISE_BITS;
    }
}

static void draw_rows(struct sl_pattern_maker *m)
{
    m->noise_mask = NOISE_BITS;
    if (m->pattern.encoding == SL_PATTERN_BYTES) {
        memset(m->row[0], 0, BYTES_ROW);
        memset(m->row[1], 0, BYTES_ROW);
        m->noise_mask = UINT64_MAX;
        return;
    }
    draw_row(m, 0);
    draw_row(m, 1);
}

/* splitmix64's last step: one bit more or less in `x` changes half of the bits. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
    return x ^ x >> 31;
}

static void write_line(const struct sl_pattern *p, uint8_t line[SL_PATTERN_SIZE_MIN])
{
    struct sl_writer w = sl_writer(line, SL_PATTERN_SIZE_MIN);
    sl_writer_le64(&w, MAGIC);
    sl_writer_le64(&w, p->key);
    sl_writer_le64(&w, p->sequence);
    sl_writer_le64(&w, p->stamp_ns);
    sl_writer_le64(&w, p->size_bytes);
    sl_writer_le32(&w, p->encoding);
    sl_writer_le32(&w, p->width);
    sl_writer_le32(&w, p->height);
    sl_writer_zeros(&w, SL_PATTERN_SIZE_MIN - sl_writer_offset(&w));
}

static void place_band(struct sl_pattern_maker *m)
{
    const struct sl_pattern *p = &m->pattern;
    m->band_rows = 0;
    m->band_flip = ~m->noise_mask;
    if (p->height == 0)
        return;
    m->band_rows = p->height / BAND_SHARE + 1;
    m->band_top = (uint32_t)(p->sequence * (m->band_rows / 4 + 1) % p->height);
}

int sl_pattern_begin(struct sl_pattern_maker *m, const struct sl_pattern *pattern)
{
    uint32_t row_bytes = 0;
    int err = measure(pattern, &row_bytes);
    if (err < 0)
        return err;
    bool is_drawn = m->row_bytes == row_bytes && m->pattern.encoding == pattern->encoding &&
                    m->pattern.width == pattern->width;
    m->pattern = *pattern;
    m->row_bytes = row_bytes;
    m->noise_key = mix(mix(pattern->key + GOLDEN) + pattern->sequence);
    if (!is_drawn)
        draw_rows(m);
    write_line(pattern, m->line);
    place_band(m);
    return 0;
}

/* Bytes ---------------------------------------------------------------------------------------- */

/* One row of one frame. */
struct row {
    const uint64_t *words; /* without noise */
    uint64_t key, mask, flip;
};

static struct row row_of(const struct sl_pattern_maker *m, uint64_t number)
{
    bool is_band = m->band_rows > 0 && number >= m->band_top && number - m->band_top < m->band_rows;
    return (struct row){
        .words = m->row[number & 1],
        .key = mix(m->noise_key + number * GOLDEN),
        .mask = m->noise_mask,
        .flip = is_band ? m->band_flip : 0,
    };
}

static inline uint64_t word_of(const struct row *row, uint64_t index)
{
    uint64_t noise = row->key + index * GOLDEN;
    return (row->words[index] ^ row->flip) ^ ((noise ^ noise >> 32) & row->mask);
}

/* Two words; every CPU that we run on has registers of that size. */
typedef uint64_t pair __attribute__((vector_size(16)));

/* Whole lines: the loop that all the bytes go through. */
static void make_lines(const struct row *row, uint64_t index, uint8_t *to, size_t count)
{
    uint64_t first = row->key + index * GOLDEN;
    pair noise = {first, first + GOLDEN};
    const pair step = {2 * GOLDEN, 2 * GOLDEN};
    const pair mask = {row->mask, row->mask}, flip = {row->flip, row->flip};
    const uint64_t *from = row->words + index;
    for (size_t i = 0; i < count * LINE_WORDS / 2; i++, noise += step) {
        pair words;
        memcpy(&words, from + 2 * i, sizeof words);
        words ^= flip ^ ((noise ^ noise >> 32) & mask);
        memcpy(to + i * sizeof words, &words, sizeof words);
    }
}

/* Up to 8 bytes, those of one word from byte `skip` of it on. */
static size_t make_part(const struct row *row, uint64_t index, unsigned skip, uint8_t *to,
                        size_t size)
{
    uint64_t word = word_of(row, index);
    size_t part = size < 8 - skip ? size : 8 - skip;
    memcpy(to, (const uint8_t *)&word + skip, part);
    return part;
}

/* Bytes [at, at + size) of a row. */
static void make_in_row(const struct row *row, uint32_t at, uint8_t *to, size_t size)
{
    size_t done = 0;
    if (at % 8 != 0)
        done = make_part(row, at / 8, at % 8, to, size);
    size_t lines = (size - done) / (8 * LINE_WORDS);
    make_lines(row, (at + done) / 8, to + done, lines);
    done += lines * 8 * LINE_WORDS;
    while (done < size)
        done += make_part(row, (at + done) / 8, 0, to + done, size - done);
}

void sl_pattern_make(const struct sl_pattern_maker *m, uint64_t offset, void *to, size_t size)
{
    assert(offset <= m->pattern.size_bytes && size <= m->pattern.size_bytes - offset);
    uint8_t *out = to;
    for (size_t done = 0; done < size;) {
        uint64_t number = (offset + done) / m->row_bytes;
        uint32_t at = (uint32_t)((offset + done) % m->row_bytes);
        size_t part = m->row_bytes - at < size - done ? m->row_bytes - at : size - done;
        struct row row = row_of(m, number);
        make_in_row(&row, at, out + done, part);
        done += part;
    }
    for (size_t i = 0; offset + i < sizeof m->line && i < size; i++)
        out[i] = m->line[offset + i];
}

int sl_pattern_read(const void *line, struct sl_pattern *ret_pattern)
{
    struct sl_reader r = sl_reader(line, SL_PATTERN_SIZE_MIN);
    uint32_t row_bytes;
    if (sl_reader_le64(&r) != MAGIC)
        return sl_error(-EBADMSG, "the data does not begin as a pattern does");
    struct sl_pattern p;
    p.key = sl_reader_le64(&r);
    p.sequence = sl_reader_le64(&r);
    p.stamp_ns = sl_reader_le64(&r);
    p.size_bytes = sl_reader_le64(&r);
    p.encoding = sl_reader_le32(&r);
    p.width = sl_reader_le32(&r);
    p.height = sl_reader_le32(&r);
    if (measure(&p, &row_bytes) < 0)
        return sl_error_at(-EBADMSG, "the data's first line");
    *ret_pattern = p;
    return 0;
}

/* Bounded even if a peer has set right what was wrong a moment ago. */
static size_t first_difference(const uint8_t *a, const uint8_t *b, size_t size)
{
    size_t same = 0;
    while (same < size - 1 && a[same] == b[same])
        same++;
    return same;
}

size_t sl_pattern_check(const struct sl_pattern_maker *maker, uint64_t offset, const void *bytes,
                        size_t size)
{
    _Alignas(64) uint8_t right[CHECK_BYTES];
    const uint8_t *at = bytes;
    for (size_t done = 0; done < size;) {
        size_t part = size - done < sizeof right ? size - done : sizeof right;
        sl_pattern_make(maker, offset + done, right, part);
        if (memcmp(right, at + done, part) != 0)
            return done + first_difference(right, at + done, part);
        done += part;
    }
    return size;
}
