/* SPDX-License-Identifier: Apache-2.0 */
/* body.h - a message's body as a gather list: at most four ranges that count as one.
 *
 * One range is the usual case. Several are met where a prefix and a suffix lie beside data that the
 * CPU must not or cannot write.
 *
 * Life:    a value on the stack; nothing to free.
 * Owner:   the bytes stay the caller's.
 * Threads: any, while nobody changes the list.
 */
#ifndef SL_FRAME_BODY_H
#define SL_FRAME_BODY_H

#include <stddef.h>
#include <stdint.h>

#define SL_BODY_RANGES_MAX 4

struct sl_body_range {
    const void *start;
    size_t length;
};

struct sl_body {
    unsigned count; /* 0 to SL_BODY_RANGES_MAX */
    struct sl_body_range ranges[SL_BODY_RANGES_MAX];
};

/* Bytes in all ranges, or -EINVAL if the list is longer than it can be or its size overflows. */
int sl_body_size(const struct sl_body *body, size_t *ret_size);

/* Copy up to `size` bytes from `offset` on. Returns how many there were; fewer than `size` only at
 * the body's end. */
size_t sl_body_copy(const struct sl_body *body, size_t offset, void *to, size_t size);

/* The part of a body from `offset` on, `size` bytes of it, without copying. Returns 0, or -ERANGE
 * if the body ends before. */
int sl_body_slice(const struct sl_body *body, size_t offset, size_t size, struct sl_body *ret_part);

#endif
