/* SPDX-License-Identifier: Apache-2.0 */
/* compress_lz4.c - the only file that knows liblz4. */
#include "core/base/bytes.h"
#include "core/base/error.h"
#include "rosbag_compat/compress.h"

#include <errno.h>
#include <limits.h>
#include <lz4.h>
#include <lz4frame.h>

#define END_TRIES 64

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

/* "LZ4 Frame Format Description" 1.6.2: magic u32, FLG u8, BD u8, [content size u64], [dictionary
 * u32], checksum u8; then blocks: size u32 (its highest bit: stored as it is), data, [checksum
 * u32]. Returns the reader at the data of the first block that is cut off. */
static bool find_cut_block(struct sl_reader *r)
{
    sl_reader_skip(r, 4);
    uint8_t flags = sl_reader_u8(r);
    bool are_independent = flags & 0x20;
    sl_reader_skip(r, 2 + (flags & 0x08 ? 8 : 0) + (flags & 0x01 ? 4 : 0));
    while (!r->failed) {
        uint32_t size = sl_reader_le32(r);
        bool is_stored = size >> 31;
        size = (size & 0x7fffffff) + (flags & 0x10 ? 4 : 0);
        if (!r->failed && size > sl_reader_left(r))
            return are_independent && !is_stored;
        sl_reader_skip(r, size);
    }
    return false;
}

/* A block that is cut off: what its bytes that are there become. The frame's reader takes whole
 * blocks only, and a block may be a whole chunk. */
static void save_cut_block(const void *from, size_t size_bytes, uint8_t *to, size_t room_bytes,
                           size_t *made)
{
    struct sl_reader r = sl_reader(from, size_bytes);
    size_t room = room_bytes - *made;
    if (!find_cut_block(&r) || sl_reader_left(&r) > INT_MAX)
        return;
    int limit = room < INT_MAX ? (int)room : INT_MAX;
    int left = (int)sl_reader_left(&r);
    int count = -1;
    /* not every end is one that the decoder takes: inside of a length or an offset it is none */
    for (int less = 0; less < END_TRIES && less < left && count < 0; less++)
        count = LZ4_decompress_safe_partial((const char *)r.at, (char *)to + *made, left - less,
                                            limit, limit);
    if (count > 0)
        *made += (size_t)count;
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
    if (err == -EBADMSG)
        save_cut_block(from, size_bytes, to, room_bytes, ret_size_bytes);
    return err;
}

const struct sl_compressor sl_compressor_lz4 = {bound, compress, decompress, NULL};
