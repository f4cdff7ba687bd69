/* SPDX-License-Identifier: Apache-2.0 */
#include "rosbag_compat/compress.h"

#include "core/base/error.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SMALL_MAX_BYTES (UINT64_C(32) << 20)
#define RATIO_MAX       1024

const char *const sl_compression_names[] = {"none", "lz4", "zstd", "bz2", NULL};

static const struct sl_compressor *const compressors[] = {
    [SL_COMPRESSION_NONE] = NULL,
#if SLUICE_HAVE_LZ4
    [SL_COMPRESSION_LZ4] = &sl_compressor_lz4,
#else
    [SL_COMPRESSION_LZ4] = NULL,
#endif
#if SLUICE_HAVE_ZSTD
    [SL_COMPRESSION_ZSTD] = &sl_compressor_zstd,
#else
    [SL_COMPRESSION_ZSTD] = NULL,
#endif
#if SLUICE_HAVE_BZ2
    [SL_COMPRESSION_BZ2] = &sl_compressor_bz2,
#else
    [SL_COMPRESSION_BZ2] = NULL,
#endif
};

bool sl_compression_is_built(enum sl_compression kind)
{
    return kind == SL_COMPRESSION_NONE || compressors[kind];
}

static int not_built(enum sl_compression kind)
{
    return sl_error(-ENOTSUP, "this build cannot do %s; build with lib%s-dev",
                    sl_compression_names[kind], sl_compression_names[kind]);
}

size_t sl_compress_bound(enum sl_compression kind, size_t size_bytes)
{
    return compressors[kind] ? compressors[kind]->bound(size_bytes) : size_bytes;
}

int sl_compress(enum sl_compression kind, int level, const void *from, size_t size_bytes, void *to,
                size_t room_bytes, size_t *ret_size_bytes)
{
    if (!compressors[kind])
        return not_built(kind);
    return compressors[kind]->compress(level, from, size_bytes, to, room_bytes, ret_size_bytes);
}

int sl_decompress(enum sl_compression kind, const void *from, size_t size_bytes, void *to,
                  size_t room_bytes, size_t *ret_size_bytes)
{
    *ret_size_bytes = 0;
    if (kind == SL_COMPRESSION_NONE) {
        if (size_bytes > room_bytes)
            return sl_error(-EFBIG, "holds %zu bytes where %zu are said", size_bytes, room_bytes);
        if (size_bytes > 0)
            memcpy(to, from, size_bytes);
        *ret_size_bytes = size_bytes;
        return 0;
    }
    if (!compressors[kind])
        return not_built(kind);
    return compressors[kind]->decompress(from, size_bytes, to, room_bytes, ret_size_bytes);
}

uint64_t sl_decompressed_max(enum sl_compression kind, uint64_t stored_bytes)
{
    if (kind == SL_COMPRESSION_NONE)
        return stored_bytes;
    return stored_bytes > (UINT64_MAX - SMALL_MAX_BYTES) / RATIO_MAX
               ? UINT64_MAX
               : SMALL_MAX_BYTES + RATIO_MAX * stored_bytes;
}

int sl_decompress_alone(enum sl_compression kind, const void *from, size_t size_bytes, void **to,
                        size_t *room_bytes, size_t *ret_size_bytes)
{
    uint64_t max = sl_decompressed_max(kind, size_bytes);
    size_t room = *room_bytes > 4 * size_bytes ? *room_bytes : 4 * size_bytes + 4096;
    for (;; room = room < max / 2 ? 2 * room : (size_t)max) {
        if (room > *room_bytes) {
            void *fresh = realloc(*to, room);
            if (!fresh)
                return sl_error(-ENOMEM, "no memory for a message of %zu bytes", room);
            *to = fresh;
            *room_bytes = room;
        }
        int err = sl_decompress(kind, from, size_bytes, *to, *room_bytes, ret_size_bytes);
        bool was_full = *ret_size_bytes == *room_bytes;
        if (err == -EFBIG && *room_bytes >= max) /* more than it can become */
            return sl_error(-EBADMSG, "%s", sl_error_text());
        if (!err || !was_full || *room_bytes >= max)
            return err;
    }
}

#if !SLUICE_HAVE_ZSTD
int sl_zstd_pack(const struct sl_zstd_ends *ends, int level)
{
    (void)ends;
    (void)level;
    return not_built(SL_COMPRESSION_ZSTD);
}

int sl_zstd_unpack(const struct sl_zstd_ends *ends)
{
    (void)ends;
    return not_built(SL_COMPRESSION_ZSTD);
}
#endif
