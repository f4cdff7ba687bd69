/* SPDX-License-Identifier: Apache-2.0 */
#include "core/frame/body.h"

#include "core/base/error.h"

#include <errno.h>
#include <string.h>

int sl_body_size(const struct sl_body *body, size_t *ret_size)
{
    if (body->count > SL_BODY_RANGES_MAX)
        return sl_error(-EINVAL, "a body of %u ranges; at most %d are possible", body->count,
                        SL_BODY_RANGES_MAX);
    size_t size = 0;
    for (unsigned i = 0; i < body->count; i++)
        if (__builtin_add_overflow(size, body->ranges[i].length, &size))
            return sl_error(-EINVAL, "the sizes of a body's ranges overflow");
    *ret_size = size;
    return 0;
}

size_t sl_body_copy(const struct sl_body *body, size_t offset, void *to, size_t size)
{
    struct sl_body part;
    size_t all;
    if (sl_body_size(body, &all) < 0 || offset > all)
        return 0;
    if (size > all - offset)
        size = all - offset;
    if (sl_body_slice(body, offset, size, &part) < 0)
        return 0;
    uint8_t *at = to;
    for (unsigned i = 0; i < part.count; i++) {
        memcpy(at, part.ranges[i].start, part.ranges[i].length);
        at += part.ranges[i].length;
    }
    return size;
}

int sl_body_slice(const struct sl_body *body, size_t offset, size_t size, struct sl_body *ret_part)
{
    size_t all;
    int err = sl_body_size(body, &all);
    if (err < 0)
        return err;
    if (offset > all || size > all - offset)
        return sl_error(-ERANGE, "bytes %zu to %zu of a body of %zu bytes", offset, offset + size,
                        all);
    struct sl_body part = {0};
    for (unsigned i = 0; i < body->count && size > 0; i++) {
        const struct sl_body_range *range = &body->ranges[i];
        if (offset >= range->length) {
            offset -= range->length;
            continue;
        }
        size_t taken = range->length - offset < size ? range->length - offset : size;
        part.ranges[part.count++] =
            (struct sl_body_range){(const uint8_t *)range->start + offset, taken};
        size -= taken;
        offset = 0;
    }
    *ret_part = part;
    return 0;
}
