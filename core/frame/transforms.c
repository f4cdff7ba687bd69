/* SPDX-License-Identifier: Apache-2.0 */
#include "core/frame/transforms.h"

#include <errno.h>

#include "core/base/error.h"

#define TRANSFORM_BYTES_MIN 64 /* two times, two texts, seven numbers */

static struct sl_transform read_transform(struct sl_cdr_reader *r)
{
    struct sl_transform transform;
    sl_header_read(r, &transform.stamp_ns, &transform.frame_id);
    transform.child_frame_id = sl_cdr_text(r);
    sl_cdr_f64s(r, transform.translation, 3);
    sl_cdr_f64s(r, transform.rotation, 4);
    return transform;
}

int sl_transforms_read(const void *body, size_t size, unsigned max,
                       struct sl_transform *ret_transforms)
{
    struct sl_cdr_reader r, again;
    int err = sl_cdr_read(body, size, &r);
    if (err < 0)
        return err;
    uint32_t count = sl_cdr_count(&r, TRANSFORM_BYTES_MIN);
    again = r;
    for (uint32_t i = 0; i < count && !r.bytes.failed; i++)
        read_transform(&r);
    err = sl_message_read_result(&r, SL_TYPE_TRANSFORMS);
    if (err < 0)
        return err;
    if (count > INT32_MAX)
        return sl_error(-EBADMSG, SL_TYPE_TRANSFORMS ": %u transforms", count);
    for (uint32_t i = 0; i < count && i < max; i++)
        ret_transforms[i] = read_transform(&again);
    err = sl_message_read_result(&again, SL_TYPE_TRANSFORMS); /* if a peer changed it meanwhile */
    return err < 0 ? err : (int)count;
}

int sl_transforms_write(const struct sl_transform *transforms, unsigned count, void *to,
                        size_t room, size_t *ret_size)
{
    struct sl_cdr_writer w = sl_cdr_write(to, room);
    sl_cdr_put_u32(&w, count);
    for (unsigned i = 0; i < count; i++) {
        int err = sl_header_write(&w, transforms[i].stamp_ns, transforms[i].frame_id);
        if (err < 0)
            return err;
        sl_cdr_put_text(&w, transforms[i].child_frame_id);
        sl_cdr_put_f64s(&w, transforms[i].translation, 3);
        sl_cdr_put_f64s(&w, transforms[i].rotation, 4);
    }
    int err = sl_message_write_result(&w, SL_TYPE_TRANSFORMS);
    if (err < 0)
        return err;
    *ret_size = sl_cdr_written(&w);
    return 0;
}
