/* SPDX-License-Identifier: Apache-2.0 */
/* bytes.h - reading and writing bytes that nobody vouches for.
 *
 * A reader or writer walks over a range and never leaves it. The first step that does not fit sets
 * `failed`; from then on reads give zero and writes do nothing, so a parser reads a whole header
 * and asks once.
 *
 * Life:    a value on the stack; nothing to free.
 * Owner:   the bytes stay the caller's.
 * Threads: one at a time.
 */
#ifndef SL_BASE_BYTES_H
#define SL_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Unaligned loads and stores of fixed byte order. */
static inline uint16_t sl_get_le16(const void *from)
{
    const uint8_t *b = from;
    return (uint16_t)(b[0] | b[1] << 8);
}
static inline uint32_t sl_get_le32(const void *from)
{
    const uint8_t *b = from;
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}
static inline uint64_t sl_get_le64(const void *from)
{
    const uint8_t *b = from;
    return (uint64_t)sl_get_le32(b) | (uint64_t)sl_get_le32(b + 4) << 32;
}
static inline uint16_t sl_get_be16(const void *from)
{
    const uint8_t *b = from;
    return (uint16_t)(b[0] << 8 | b[1]);
}
static inline uint32_t sl_get_be32(const void *from)
{
    const uint8_t *b = from;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | (uint32_t)b[3];
}
static inline uint64_t sl_get_be64(const void *from)
{
    const uint8_t *b = from;
    return (uint64_t)sl_get_be32(b) << 32 | (uint64_t)sl_get_be32(b + 4);
}
static inline void sl_put_le16(void *to, uint16_t value)
{
    uint8_t *b = to;
    b[0] = (uint8_t)value;
    b[1] = (uint8_t)(value >> 8);
}
static inline void sl_put_le32(void *to, uint32_t value)
{
    uint8_t *b = to;
    for (int i = 0; i < 4; i++)
        b[i] = (uint8_t)(value >> (8 * i));
}
static inline void sl_put_le64(void *to, uint64_t value)
{
    uint8_t *b = to;
    for (int i = 0; i < 8; i++)
        b[i] = (uint8_t)(value >> (8 * i));
}
static inline void sl_put_be16(void *to, uint16_t value)
{
    uint8_t *b = to;
    b[0] = (uint8_t)(value >> 8);
    b[1] = (uint8_t)value;
}
static inline void sl_put_be32(void *to, uint32_t value)
{
    uint8_t *b = to;
    for (int i = 0; i < 4; i++)
        b[i] = (uint8_t)(value >> (24 - 8 * i));
}

struct sl_reader {
    const uint8_t *start;
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
};

static inline struct sl_reader sl_reader(const void *bytes, size_t size_bytes)
{
    const uint8_t *b = bytes;
    return (struct sl_reader){.start = b, .at = b, .end = b ? b + size_bytes : b};
}
static inline size_t sl_reader_left(const struct sl_reader *r)
{
    return r->failed ? 0 : (size_t)(r->end - r->at);
}
static inline size_t sl_reader_offset(const struct sl_reader *r)
{
    return (size_t)(r->at - r->start);
}
/* The next `size_bytes` bytes, or NULL if fewer are left. */
static inline const uint8_t *sl_reader_take(struct sl_reader *r, size_t size_bytes)
{
    if (r->failed || size_bytes > (size_t)(r->end - r->at)) {
        r->failed = true;
        return NULL;
    }
    const uint8_t *taken = r->at;
    r->at += size_bytes;
    return taken;
}
static inline bool sl_reader_skip(struct sl_reader *r, size_t size_bytes)
{
    return sl_reader_take(r, size_bytes) != NULL;
}
static inline uint8_t sl_reader_u8(struct sl_reader *r)
{
    const uint8_t *b = sl_reader_take(r, 1);
    return b ? *b : 0;
}
static inline uint16_t sl_reader_le16(struct sl_reader *r)
{
    const uint8_t *b = sl_reader_take(r, 2);
    return b ? sl_get_le16(b) : 0;
}
static inline uint32_t sl_reader_le32(struct sl_reader *r)
{
    const uint8_t *b = sl_reader_take(r, 4);
    return b ? sl_get_le32(b) : 0;
}
static inline uint64_t sl_reader_le64(struct sl_reader *r)
{
    const uint8_t *b = sl_reader_take(r, 8);
    return b ? sl_get_le64(b) : 0;
}
static inline uint16_t sl_reader_be16(struct sl_reader *r)
{
    const uint8_t *b = sl_reader_take(r, 2);
    return b ? sl_get_be16(b) : 0;
}
static inline uint32_t sl_reader_be32(struct sl_reader *r)
{
    const uint8_t *b = sl_reader_take(r, 4);
    return b ? sl_get_be32(b) : 0;
}

struct sl_writer {
    uint8_t *start;
    uint8_t *at;
    uint8_t *end;
    bool failed;
};

static inline struct sl_writer sl_writer(void *bytes, size_t size_bytes)
{
    uint8_t *b = bytes;
    return (struct sl_writer){.start = b, .at = b, .end = b ? b + size_bytes : b};
}
static inline size_t sl_writer_offset(const struct sl_writer *w)
{
    return (size_t)(w->at - w->start);
}
/* Room for the next `size_bytes` bytes, or NULL if it is not there. */
static inline uint8_t *sl_writer_take(struct sl_writer *w, size_t size_bytes)
{
    if (w->failed || size_bytes > (size_t)(w->end - w->at)) {
        w->failed = true;
        return NULL;
    }
    uint8_t *taken = w->at;
    w->at += size_bytes;
    return taken;
}
static inline void sl_writer_bytes(struct sl_writer *w, const void *from, size_t size_bytes)
{
    uint8_t *to = sl_writer_take(w, size_bytes);
    if (to && size_bytes > 0)
        memcpy(to, from, size_bytes);
}
static inline void sl_writer_zeros(struct sl_writer *w, size_t size_bytes)
{
    uint8_t *to = sl_writer_take(w, size_bytes);
    if (to)
        memset(to, 0, size_bytes);
}
static inline void sl_writer_u8(struct sl_writer *w, uint8_t value)
{
    sl_writer_bytes(w, &value, 1);
}
static inline void sl_writer_le16(struct sl_writer *w, uint16_t value)
{
    uint8_t *to = sl_writer_take(w, 2);
    if (to)
        sl_put_le16(to, value);
}
static inline void sl_writer_le32(struct sl_writer *w, uint32_t value)
{
    uint8_t *to = sl_writer_take(w, 4);
    if (to)
        sl_put_le32(to, value);
}
static inline void sl_writer_le64(struct sl_writer *w, uint64_t value)
{
    uint8_t *to = sl_writer_take(w, 8);
    if (to)
        sl_put_le64(to, value);
}

#endif
