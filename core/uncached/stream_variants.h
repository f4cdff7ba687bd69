/* SPDX-License-Identifier: Apache-2.0 */
/* stream_variants.h - what an architecture gives to stream.c. Private to core/uncached.
 *
 * stream_x86.c, stream_arm64.c and stream_portable.c each define all of it, and one is compiled.
 */
#ifndef SL_UNCACHED_STREAM_VARIANTS_H
#define SL_UNCACHED_STREAM_VARIANTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define SL_STREAM_LINE_BYTES 64u

/* Scans go by blocks of this size, and let go one block behind: in runs long enough that it
 * costs little, far enough behind that no load of these lines is still under way, and so close that
 * two blocks stay in the first-level cache. */
#define SL_STREAM_BLOCK_BYTES 4096u

/* A way to write. Any size and alignment. */
struct sl_stream_variant {
    const char *name;
    bool (*is_supported)(void);
    bool is_line_wise; /* goes by whole lines even where memory is uncached */
    void (*copy)(uint8_t *to, const uint8_t *from, size_t size_bytes);
    void (*fill)(uint8_t *to, uint8_t byte, size_t size_bytes);
};

/* A way to let go of what was read: of all lines that the bytes touch. */
struct sl_stream_behind {
    const char *name;
    bool (*is_supported)(void);
    void (*let_go)(const uint8_t *from, size_t size_bytes);
};

/* Best first; the last is supported everywhere; behind it one without a name. Names in the same
 * order in sl_stream_variants and sl_stream_behinds. */
extern const struct sl_stream_variant sl_stream_variant_list[];
extern const struct sl_stream_behind sl_stream_behind_list[];

/* Read memory that is not cached, in bounds and with natural alignment. What a device or another
 * CPU wrote before the caller heard of it is seen. */
void sl_stream_fetch(uint8_t *to, const uint8_t *from, size_t size_bytes);

static inline bool sl_stream_is_always_supported(void)
{
    return true;
}

static inline void sl_stream_plain_copy(uint8_t *to, const uint8_t *from, size_t size_bytes)
{
    if (size_bytes > 0)
        memcpy(to, from, size_bytes);
}

static inline void sl_stream_plain_fill(uint8_t *to, uint8_t byte, size_t size_bytes)
{
    if (size_bytes > 0)
        memset(to, byte, size_bytes);
}

static inline void sl_stream_keep(const uint8_t *from, size_t size_bytes)
{
    (void)from;
    (void)size_bytes;
}

#endif
