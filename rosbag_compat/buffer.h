/* SPDX-License-Identifier: Apache-2.0 */
/* buffer.h - bytes that grow at their end, for the parts of a log that are made before they are
 * written. The first step for which there is no memory sets `failed`; later ones do nothing.
 *
 * Life:    zero -> put ... -> sl_buffer_finish. sl_buffer_clear keeps the memory.
 * Threads: one at a time.
 */
#ifndef SL_ROSBAG_COMPAT_BUFFER_H
#define SL_ROSBAG_COMPAT_BUFFER_H

#include "core/base/bytes.h"

#include <stdlib.h>

struct sl_buffer {
    uint8_t *bytes;
    size_t size_bytes, room_bytes;
    bool failed;
};

/* Room for more at the end, or NULL. */
static inline uint8_t *sl_buffer_take(struct sl_buffer *b, size_t size_bytes)
{
    if (b->failed)
        return NULL;
    if (size_bytes > b->room_bytes - b->size_bytes) {
        size_t room = b->room_bytes ? 2 * b->room_bytes : 256;
        if (room < b->size_bytes + size_bytes)
            room = b->size_bytes + size_bytes;
        uint8_t *fresh = realloc(b->bytes, room);
        if (!fresh) {
            b->failed = true;
            return NULL;
        }
        b->bytes = fresh;
        b->room_bytes = room;
    }
    uint8_t *taken = b->bytes + b->size_bytes;
    b->size_bytes += size_bytes;
    return taken;
}
static inline void sl_buffer_put(struct sl_buffer *b, const void *from, size_t size_bytes)
{
    uint8_t *to = size_bytes > 0 ? sl_buffer_take(b, size_bytes) : NULL;
    if (to)
        memcpy(to, from, size_bytes);
}
static inline void sl_buffer_u8(struct sl_buffer *b, uint8_t value)
{
    sl_buffer_put(b, &value, 1);
}
static inline void sl_buffer_le16(struct sl_buffer *b, uint16_t value)
{
    uint8_t bytes[2];
    sl_put_le16(bytes, value);
    sl_buffer_put(b, bytes, sizeof bytes);
}
static inline void sl_buffer_le32(struct sl_buffer *b, uint32_t value)
{
    uint8_t bytes[4];
    sl_put_le32(bytes, value);
    sl_buffer_put(b, bytes, sizeof bytes);
}
static inline void sl_buffer_le64(struct sl_buffer *b, uint64_t value)
{
    uint8_t bytes[8];
    sl_put_le64(bytes, value);
    sl_buffer_put(b, bytes, sizeof bytes);
}
static inline void sl_buffer_clear(struct sl_buffer *b)
{
    b->size_bytes = 0;
}
static inline void sl_buffer_finish(struct sl_buffer *b)
{
    free(b->bytes);
    *b = (struct sl_buffer){0};
}

#endif
