/* SPDX-License-Identifier: Apache-2.0 */
/* stream_portable.c - for architectures that we know nothing of: right, and through the caches. */
#include "core/uncached/stream.h"
#include "core/uncached/stream_variants.h"

#if !defined(__x86_64__) && !defined(__aarch64__)

const struct sl_stream_variant sl_stream_variant_list[] = {
    {"memcpy", sl_stream_is_always_supported, false, sl_stream_plain_copy, sl_stream_plain_fill},
    {0},
};
const char *const sl_stream_variants[] = {"memcpy", NULL};

const struct sl_stream_behind sl_stream_behind_list[] = {
    {"none", sl_stream_is_always_supported, sl_stream_keep},
    {0},
};
const char *const sl_stream_behinds[] = {"none", NULL};

void sl_stream_fetch(uint8_t *to, const uint8_t *from, size_t size_bytes)
{
    sl_stream_plain_copy(to, from, size_bytes);
}

#endif
