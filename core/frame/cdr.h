/* SPDX-License-Identifier: Apache-2.0 */
/* cdr.h - the byte form of ROS 2 messages: reading it without trust, writing it in place.
 *
 *   byte 0   1        2        3          4 ...
 *        00  endian   options  options    members, in order
 *
 * endian is 00 for big, 01 for little. The options carry no meaning here: some writers leave them
 * zero, some put the number of padding bytes at the body's end into the lowest two bits. A number
 * of 2, 4 or 8 bytes stands at a multiple of its size, counted from byte 4; the gap before it is
 * padding. A sequence is a u32 count and its elements; a string is a u32 size, which counts the
 * closing NUL, and its bytes. Read in either byte order, written in little endian.
 * Format: OMG DDSI-RTPS 2.3, 10 (encapsulation); OMG CORBA 3.0, 15.3 (CDR), known as XCDR
 * version 1.
 *
 * Life:    readers and writers are values on the stack; nothing to free.
 * Owner:   the bytes stay the caller's; texts that were read point into them.
 * Threads: one at a time.
 * Errors:  as in core/base/bytes.h, the first step that does not fit sets `failed`; from then on
 *          reads give zero and writes do nothing. Bytes after the last member are not looked at.
 */
#ifndef SL_FRAME_CDR_H
#define SL_FRAME_CDR_H

#include "core/base/bytes.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define SL_CDR_HEADER_SIZE    4
#define SL_CDR_ALIGNMENT_MAX  8
#define SL_CDR_BIG_ENDIAN     0x00
#define SL_CDR_LITTLE_ENDIAN  0x01
#define SL_CDR_BODY_ALIGNMENT 4 /* a body is padded with zeros to this where it lies in a slot */

/* Text that says its own length. It does not lean on the closing NUL: who can write the bytes could
 * take it away after it was looked for. */
struct sl_text {
    const char *at; /* may be NULL if size is 0 */
    size_t size;    /* without a NUL */
};

/* A C string as text; NULL is the empty one. */
static inline struct sl_text sl_text(const char *string)
{
    return (struct sl_text){string, string ? strlen(string) : 0};
}
static inline bool sl_text_is(struct sl_text text, const char *string)
{
    size_t size = strlen(string);
    return text.size == size && (size == 0 || memcmp(text.at, string, size) == 0);
}
/* For printf("%.*s", SL_TEXT_ARGS(text)). Whoever prints a text of unknown origin on a terminal
 * escapes it first (print.h). */
#define SL_TEXT_ARGS(text) \
    (int)((text).size < INT_MAX ? (text).size : INT_MAX), (text).at ? (text).at : ""

/* The least offset from `offset` on that is a multiple of `alignment` (a power of two). */
static inline size_t sl_cdr_aligned(size_t offset, size_t alignment)
{
    return (offset + alignment - 1) & ~(alignment - 1);
}
/* Where the members go on after a string that starts at `offset`: for sizes known before writing.
 */
static inline size_t sl_cdr_after_text(size_t offset, struct sl_text text)
{
    return sl_cdr_aligned(offset, 4) + 4 + text.size + 1;
}

struct sl_cdr_reader {
    struct sl_reader bytes; /* starts after the encapsulation header */
    bool big_endian;
};

/* Begin to read a body. Returns 0, or -EBADMSG if it does not begin with one of the two
 * encapsulations above. */
int sl_cdr_read(const void *body, size_t size, struct sl_cdr_reader *ret_reader);

static inline bool sl_cdr_align(struct sl_cdr_reader *r, size_t alignment)
{
    size_t offset = sl_reader_offset(&r->bytes);
    return sl_reader_skip(&r->bytes, sl_cdr_aligned(offset, alignment) - offset);
}
static inline uint8_t sl_cdr_u8(struct sl_cdr_reader *r)
{
    return sl_reader_u8(&r->bytes);
}
static inline uint16_t sl_cdr_u16(struct sl_cdr_reader *r)
{
    sl_cdr_align(r, 2);
    return r->big_endian ? sl_reader_be16(&r->bytes) : sl_reader_le16(&r->bytes);
}
static inline uint32_t sl_cdr_u32(struct sl_cdr_reader *r)
{
    sl_cdr_align(r, 4);
    return r->big_endian ? sl_reader_be32(&r->bytes) : sl_reader_le32(&r->bytes);
}
static inline uint64_t sl_cdr_u64(struct sl_cdr_reader *r)
{
    sl_cdr_align(r, 8);
    const uint8_t *b = sl_reader_take(&r->bytes, 8);
    return !b ? 0 : r->big_endian ? sl_get_be64(b) : sl_get_le64(b);
}
static inline float sl_cdr_f32(struct sl_cdr_reader *r)
{
    uint32_t bits = sl_cdr_u32(r);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}
static inline double sl_cdr_f64(struct sl_cdr_reader *r)
{
    uint64_t bits = sl_cdr_u64(r);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}
static inline void sl_cdr_f64s(struct sl_cdr_reader *r, double *ret_values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ret_values[i] = sl_cdr_f64(r);
}

/* A string, pointing into the body. It must end in NUL where its size says; a size of 0, which some
 * writers use for the empty string, is taken too. */
struct sl_text sl_cdr_text(struct sl_cdr_reader *r);

/* A sequence's count. Each element takes at least `element_size` (1 or more) bytes: a count that
 * cannot be true for the bytes left fails here, before anyone loops over it. */
uint32_t sl_cdr_count(struct sl_cdr_reader *r, size_t element_size);

struct sl_cdr_writer {
    struct sl_writer bytes; /* starts after the encapsulation header */
};

/* Begin to write a body at `to`; the header is written. */
struct sl_cdr_writer sl_cdr_write(void *to, size_t room);

/* How large the body is so far, its encapsulation header included. */
static inline size_t sl_cdr_written(const struct sl_cdr_writer *w)
{
    return SL_CDR_HEADER_SIZE + sl_writer_offset(&w->bytes);
}
static inline void sl_cdr_pad(struct sl_cdr_writer *w, size_t alignment)
{
    size_t offset = sl_writer_offset(&w->bytes);
    sl_writer_zeros(&w->bytes, sl_cdr_aligned(offset, alignment) - offset);
}
static inline void sl_cdr_put_u8(struct sl_cdr_writer *w, uint8_t value)
{
    sl_writer_u8(&w->bytes, value);
}
static inline void sl_cdr_put_u16(struct sl_cdr_writer *w, uint16_t value)
{
    sl_cdr_pad(w, 2);
    sl_writer_le16(&w->bytes, value);
}
static inline void sl_cdr_put_u32(struct sl_cdr_writer *w, uint32_t value)
{
    sl_cdr_pad(w, 4);
    sl_writer_le32(&w->bytes, value);
}
static inline void sl_cdr_put_u64(struct sl_cdr_writer *w, uint64_t value)
{
    sl_cdr_pad(w, 8);
    sl_writer_le64(&w->bytes, value);
}
static inline void sl_cdr_put_f32(struct sl_cdr_writer *w, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    sl_cdr_put_u32(w, bits);
}
static inline void sl_cdr_put_f64(struct sl_cdr_writer *w, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    sl_cdr_put_u64(w, bits);
}
static inline void sl_cdr_put_f64s(struct sl_cdr_writer *w, const double *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        sl_cdr_put_f64(w, values[i]);
}
/* Text that holds a NUL fails: no reader could give it back. */
void sl_cdr_put_text(struct sl_cdr_writer *w, struct sl_text text);

#endif
