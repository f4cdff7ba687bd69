/* SPDX-License-Identifier: Apache-2.0 */
/* compress_lz4.c - the only file that knows liblz4. */
#include "core/base/error.h"
#include "rosbag_compat/compress.h"

#include <errno.h>
#include <lz4frame.h>

/* ROS 1 refuses linked blocks, a content size and a missing content checksum. */
static LZ4F_preferences_t preferences(int level)
{
    return (LZ4F_preferences_t){
        .frameInfo = {.blockSizeID = LZ4F_max4MB,
                      .blockMode = LZ4F_blockIndependent,
                      .contentChecksumFlag = LZ4F_contentChecksumEnabled},
        .compressionLevel = level,
    };
}

static size_t bound(size_t size_bytes)
{
    LZ4F_preferences_t p = preferences(0);
    return LZ4F_compressFrameBound(size_bytes, &p);
}

static int compress(int level, const void *from, size_t size_bytes, void *to, size_t room_bytes,
                    size_t *ret_size_bytes)
{
    LZ4F_preferences_t p = preferences(level);
    size_t size = LZ4F_compressFrame(to, room_bytes, from, size_bytes, &p);
    if (LZ4F_isError(size))
        return sl_error(-ENOMEM, "lz4: %s", LZ4F_getErrorName(size));
    *ret_size_bytes = size;
    return 0;
}

static int all_of_it(LZ4F_dctx *context, const uint8_t *from, size_t size_bytes, uint8_t *to,
                     size_t room_bytes, size_t *ret_size_bytes)
{
    size_t left = 1;
    while (left > 0) {
        size_t taken = size_bytes;
        size_t made = room_bytes - *ret_size_bytes;
        left = LZ4F_decompress(context, to + *ret_size_bytes, &made, from, &taken, NULL);
        if (LZ4F_isError(left))
            return sl_error(-EBADMSG, "lz4: %s", LZ4F_getErrorName(left));
        from += taken;
        size_bytes -= taken;
        *ret_size_bytes += made;
        if (taken > 0 || made > 0)
            continue;
        if (left > 0 && size_bytes == 0)
            return sl_error(-EBADMSG, "lz4: ends early");
        if (left > 0)
            return sl_error(-EFBIG, "lz4: holds more than the %zu bytes that are said", room_bytes);
    }
    return 0;
}

static int decompress(const void *from, size_t size_bytes, void *to, size_t room_bytes,
                      size_t *ret_size_bytes)
{
    LZ4F_dctx *context;
    *ret_size_bytes = 0;
    if (LZ4F_isError(LZ4F_createDecompressionContext(&context, LZ4F_VERSION)))
        return sl_error(-ENOMEM, "lz4: no memory");
    int err = all_of_it(context, from, size_bytes, to, room_bytes, ret_size_bytes);
    LZ4F_freeDecompressionContext(context);
    return err;
}

const struct sl_compressor sl_compressor_lz4 = {bound, compress, decompress};
