/* SPDX-License-Identifier: Apache-2.0 */
#include "core/frame/cdr.h"

#include "core/base/error.h"

#include <errno.h>

int sl_cdr_read(const void *body, size_t size, struct sl_cdr_reader *ret_reader)
{
    if (!body || size < SL_CDR_HEADER_SIZE)
        return sl_error(-EBADMSG, "a CDR body of %zu bytes is shorter than its header of %d", size,
                        SL_CDR_HEADER_SIZE);
    const uint8_t *header = body;
    uint8_t representation = header[0];
    uint8_t endian = header[1];
    if (representation != 0 || endian > SL_CDR_LITTLE_ENDIAN)
        return sl_error(-EBADMSG,
                        "the body begins with %02x %02x; plain CDR begins with 00 00 or 00 01",
                        representation, endian);
    ret_reader->bytes = sl_reader(header + SL_CDR_HEADER_SIZE, size - SL_CDR_HEADER_SIZE);
    ret_reader->big_endian = endian == SL_CDR_BIG_ENDIAN;
    return 0;
}

struct sl_text sl_cdr_text(struct sl_cdr_reader *r)
{
    uint32_t size = sl_cdr_u32(r);
    const uint8_t *at = sl_reader_take(&r->bytes, size);
    if (!at || size == 0)
        return (struct sl_text){0};
    if (at[size - 1] != '\0') {
        r->bytes.failed = true;
        return (struct sl_text){0};
    }
    return (struct sl_text){(const char *)at, size - 1};
}

uint32_t sl_cdr_count(struct sl_cdr_reader *r, size_t element_size)
{
    uint32_t count = sl_cdr_u32(r);
    if (count <= sl_reader_left(&r->bytes) / element_size)
        return count;
    r->bytes.failed = true;
    return 0;
}

struct sl_cdr_writer sl_cdr_write(void *to, size_t room)
{
    struct sl_cdr_writer w = {.bytes = sl_writer(to, room)};
    sl_writer_u8(&w.bytes, 0);
    sl_writer_u8(&w.bytes, SL_CDR_LITTLE_ENDIAN);
    sl_writer_le16(&w.bytes, 0);
    w.bytes.start = w.bytes.at; /* alignment counts from here */
    return w;
}

void sl_cdr_put_text(struct sl_cdr_writer *w, struct sl_text text)
{
    if (text.size >= UINT32_MAX || (text.size > 0 && memchr(text.at, '\0', text.size))) {
        w->bytes.failed = true;
        return;
    }
    sl_cdr_put_u32(w, (uint32_t)text.size + 1);
    sl_writer_bytes(&w->bytes, text.at, text.size);
    sl_writer_u8(&w->bytes, 0);
}
