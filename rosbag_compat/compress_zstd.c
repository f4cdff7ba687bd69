/* SPDX-License-Identifier: Apache-2.0 */
/* compress_zstd.c - the only file that knows libzstd. */
#include "core/base/error.h"
#include "rosbag_compat/compress.h"

#include <errno.h>
#include <zstd.h>

static size_t bound(size_t size_bytes)
{
    return ZSTD_compressBound(size_bytes);
}

static int compress(int level, const void *from, size_t size_bytes, void *to, size_t room_bytes,
                    size_t *ret_size_bytes)
{
    size_t size = ZSTD_compress(to, room_bytes, from, size_bytes, level ? level : 1);
    if (ZSTD_isError(size))
        return sl_error(-ENOMEM, "zstd: %s", ZSTD_getErrorName(size));
    *ret_size_bytes = size;
    return 0;
}

/* By the stream, not at once: what comes before a damaged place is worth having. */
static int all_of_it(ZSTD_DStream *stream, const void *from, size_t size_bytes, void *to,
                     size_t room_bytes, size_t *ret_size_bytes)
{
    ZSTD_inBuffer in = {from, size_bytes, 0};
    ZSTD_outBuffer out = {to, room_bytes, 0};
    size_t left = 1;
    while (left > 0) {
        size_t before = in.pos + out.pos;
        left = ZSTD_decompressStream(stream, &out, &in);
        *ret_size_bytes = out.pos;
        if (ZSTD_isError(left))
            return sl_error(-EBADMSG, "zstd: %s", ZSTD_getErrorName(left));
        if (left > 0 && in.pos + out.pos == before)
            return out.pos == room_bytes && in.pos < size_bytes
                       ? sl_error(-EFBIG, "zstd: holds more than the %zu bytes that are said",
                                  room_bytes)
                       : sl_error(-EBADMSG, "zstd: ends early");
    }
    return 0;
}

static int decompress(const void *from, size_t size_bytes, void *to, size_t room_bytes,
                      size_t *ret_size_bytes)
{
    *ret_size_bytes = 0;
    ZSTD_DStream *stream = ZSTD_createDStream();
    if (!stream)
        return sl_error(-ENOMEM, "zstd: no memory");
    int err = all_of_it(stream, from, size_bytes, to, room_bytes, ret_size_bytes);
    ZSTD_freeDStream(stream);
    return err;
}

const struct sl_compressor sl_compressor_zstd = {bound, compress, decompress};
