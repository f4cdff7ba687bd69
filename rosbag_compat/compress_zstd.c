/* SPDX-License-Identifier: Apache-2.0 */
/* compress_zstd.c - the only file that knows libzstd. */
#include "core/base/error.h"
#include "rosbag_compat/compress.h"

#include <errno.h>
#include <stdlib.h>
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

static uint64_t said(const void *from, size_t size_bytes)
{
    unsigned long long size = ZSTD_getFrameContentSize(from, size_bytes);
    return size == ZSTD_CONTENTSIZE_UNKNOWN || size == ZSTD_CONTENTSIZE_ERROR ? 0 : size;
}

/* Files -----------------------------------------------------------------------------------------*/

#define PIECE_BYTES (128u << 10)

static int pack_piece(ZSTD_CStream *stream, const struct sl_zstd_ends *ends, ZSTD_inBuffer *in,
                      ZSTD_EndDirective how, uint8_t *to)
{
    size_t left;
    do {
        ZSTD_outBuffer out = {to, PIECE_BYTES, 0};
        left = ZSTD_compressStream2(stream, &out, in, how);
        if (ZSTD_isError(left))
            return sl_error(-ENOMEM, "zstd: %s", ZSTD_getErrorName(left));
        int err = out.pos > 0 ? ends->put(ends->state, to, out.pos) : 0;
        if (err)
            return err;
    } while (in->pos < in->size || (how == ZSTD_e_end && left > 0));
    return 0;
}

int sl_zstd_pack(const struct sl_zstd_ends *ends, int level)
{
    ZSTD_CStream *stream = ZSTD_createCStream();
    uint8_t *to = malloc(PIECE_BYTES);
    int err = stream && to ? 0 : sl_error(-ENOMEM, "zstd: no memory");
    if (!err && level)
        ZSTD_CCtx_setParameter(stream, ZSTD_c_compressionLevel, level);
    for (bool is_last = false; !err && !is_last;) {
        ZSTD_inBuffer in = {NULL, 0, 0};
        err = ends->get(ends->state, &in.src, &in.size);
        is_last = in.size == 0;
        if (!err)
            err = pack_piece(stream, ends, &in, is_last ? ZSTD_e_end : ZSTD_e_continue, to);
    }
    free(to);
    ZSTD_freeCStream(stream);
    return err;
}

/* `left` is 0 when a frame has ended. */
static int unpack_piece(ZSTD_DStream *stream, const struct sl_zstd_ends *ends, ZSTD_inBuffer *in,
                        uint8_t *to, size_t *left)
{
    ZSTD_outBuffer out;
    do {
        out = (ZSTD_outBuffer){to, PIECE_BYTES, 0};
        *left = ZSTD_decompressStream(stream, &out, in);
        if (ZSTD_isError(*left))
            return sl_error(-EBADMSG, "zstd: %s", ZSTD_getErrorName(*left));
        int err = out.pos > 0 ? ends->put(ends->state, to, out.pos) : 0;
        if (err)
            return err;
    } while (in->pos < in->size || out.pos == out.size);
    return 0;
}

int sl_zstd_unpack(const struct sl_zstd_ends *ends)
{
    ZSTD_DStream *stream = ZSTD_createDStream();
    uint8_t *to = malloc(PIECE_BYTES);
    size_t left = 1;
    int err = stream && to ? 0 : sl_error(-ENOMEM, "zstd: no memory");
    for (bool is_last = false; !err && !is_last;) {
        ZSTD_inBuffer in = {NULL, 0, 0};
        err = ends->get(ends->state, &in.src, &in.size);
        is_last = in.size == 0;
        if (!err && !is_last)
            err = unpack_piece(stream, ends, &in, to, &left);
    }
    if (!err && left > 0)
        err = sl_error(-EBADMSG, "zstd: ends early");
    free(to);
    ZSTD_freeDStream(stream);
    return err;
}

const struct sl_compressor sl_compressor_zstd = {bound, compress, decompress, said};
