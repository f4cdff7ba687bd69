/* SPDX-License-Identifier: Apache-2.0 */
/* compress_bz2.c - the only file that knows libbz2. */
#include "core/base/error.h"
#include "rosbag_compat/compress.h"

#include <bzlib.h>
#include <errno.h>
#include <limits.h>

#define LEVEL 9 /* blocks of 900 kB, as ROS 1 writes them */

static size_t bound(size_t size_bytes)
{
    return size_bytes + size_bytes / 100 + 600; /* the manual's section 3.5.1 */
}

static unsigned at_once(size_t size_bytes)
{
    return size_bytes < UINT_MAX ? (unsigned)size_bytes : UINT_MAX;
}

static int compress(int level, const void *from, size_t size_bytes, void *to, size_t room_bytes,
                    size_t *ret_size_bytes)
{
    bz_stream stream = {0};
    if (BZ2_bzCompressInit(&stream, level ? level : LEVEL, 0, 0) != BZ_OK)
        return sl_error(-ENOMEM, "bz2: no memory, or no such level as %d", level);
    const char *in = from;
    char *out = to;
    int result = BZ_RUN_OK;
    stream.next_in = (char *)in;
    stream.next_out = out;
    while (result != BZ_STREAM_END && result >= 0) {
        stream.avail_in = at_once((size_t)(in + size_bytes - stream.next_in));
        stream.avail_out = at_once((size_t)(out + room_bytes - stream.next_out));
        if (stream.avail_out == 0)
            break;
        result = BZ2_bzCompress(
            &stream, stream.next_in + stream.avail_in == in + size_bytes ? BZ_FINISH : BZ_RUN);
    }
    *ret_size_bytes = (size_t)(stream.next_out - out);
    BZ2_bzCompressEnd(&stream);
    return result == BZ_STREAM_END ? 0 : sl_error(-ENOMEM, "bz2: failed (%d)", result);
}

static int decompress(const void *from, size_t size_bytes, void *to, size_t room_bytes,
                      size_t *ret_size_bytes)
{
    bz_stream stream = {0};
    const char *in = from;
    char *out = to;
    char none;
    int result = BZ_OK;
    *ret_size_bytes = 0;
    if (BZ2_bzDecompressInit(&stream, 0, 0) != BZ_OK)
        return sl_error(-ENOMEM, "bz2: no memory");
    stream.next_in = (char *)in;
    stream.next_out = out ? out : &none;
    out = stream.next_out;
    while (result == BZ_OK) {
        char *in_before = stream.next_in;
        char *out_before = stream.next_out;
        stream.avail_in = at_once((size_t)(in + size_bytes - stream.next_in));
        stream.avail_out = at_once((size_t)(out + room_bytes - stream.next_out));
        result = BZ2_bzDecompress(&stream);
        if (result == BZ_OK && stream.next_in == in_before && stream.next_out == out_before)
            break;
    }
    *ret_size_bytes = (size_t)(stream.next_out - out);
    bool is_full = *ret_size_bytes == room_bytes && stream.next_in < in + size_bytes;
    BZ2_bzDecompressEnd(&stream);
    if (result == BZ_STREAM_END)
        return 0;
    if (result == BZ_MEM_ERROR)
        return sl_error(-ENOMEM, "bz2: no memory");
    if (result == BZ_OK && is_full)
        return sl_error(-EFBIG, "bz2: holds more than the %zu bytes that are said", room_bytes);
    return sl_error(-EBADMSG, result == BZ_OK ? "bz2: ends early" : "bz2: is damaged");
}

const struct sl_compressor sl_compressor_bz2 = {bound, compress, decompress, NULL};
