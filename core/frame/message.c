/* SPDX-License-Identifier: Apache-2.0 */
#include "core/frame/message.h"

#include "core/base/clock.h"
#include "core/base/error.h"

#include <errno.h>
#include <inttypes.h>

#define NS_PER_S ((int64_t)SL_NS_PER_S)

int sl_stamp_split(int64_t stamp_ns, int32_t *ret_sec, uint32_t *ret_nanosec)
{
    if (stamp_ns < 0 || stamp_ns / NS_PER_S > INT32_MAX)
        return sl_error(-ERANGE,
                        "a stamp of %" PRId64 " ns; a message carries 1970-01-01 to 2038-01-19",
                        stamp_ns);
    *ret_sec = (int32_t)(stamp_ns / NS_PER_S);
    *ret_nanosec = (uint32_t)(stamp_ns % NS_PER_S);
    return 0;
}

int64_t sl_stamp_join(int32_t sec, uint32_t nanosec)
{
    return sec * NS_PER_S + nanosec;
}

int64_t sl_stamp_read(struct sl_cdr_reader *r)
{
    int32_t sec = (int32_t)sl_cdr_u32(r);
    uint32_t nanosec = sl_cdr_u32(r);
    return sl_stamp_join(sec, nanosec);
}

int sl_stamp_write(struct sl_cdr_writer *w, int64_t stamp_ns)
{
    int32_t sec = 0;
    uint32_t nanosec = 0;
    int err = sl_stamp_split(stamp_ns, &sec, &nanosec);
    if (err < 0)
        return err;
    sl_cdr_put_u32(w, (uint32_t)sec);
    sl_cdr_put_u32(w, nanosec);
    return 0;
}

void sl_header_read(struct sl_cdr_reader *r, int64_t *ret_stamp_ns, struct sl_text *ret_frame_id)
{
    *ret_stamp_ns = sl_stamp_read(r);
    *ret_frame_id = sl_cdr_text(r);
}

int sl_header_write(struct sl_cdr_writer *w, int64_t stamp_ns, struct sl_text frame_id)
{
    int err = sl_stamp_write(w, stamp_ns);
    if (err < 0)
        return err;
    sl_cdr_put_text(w, frame_id);
    return 0;
}

size_t sl_header_end(struct sl_text frame_id)
{
    return sl_cdr_after_text(SL_CDR_HEADER_SIZE + 4 + 4, frame_id);
}

int sl_message_read_result(const struct sl_cdr_reader *r, const char *type)
{
    if (!r->bytes.failed)
        return 0;
    return sl_error(-EBADMSG, "%s: broken at byte %zu of a body of %zu", type,
                    SL_CDR_HEADER_SIZE + sl_reader_offset(&r->bytes),
                    SL_CDR_HEADER_SIZE + (size_t)(r->bytes.end - r->bytes.start));
}

int sl_message_write_result(const struct sl_cdr_writer *w, const char *type)
{
    if (!w->bytes.failed)
        return 0;
    return sl_error(-ENOSPC, "%s: does not fit into %zu bytes, or a text of it holds a NUL", type,
                    SL_CDR_HEADER_SIZE + (size_t)(w->bytes.end - w->bytes.start));
}
