/* SPDX-License-Identifier: Apache-2.0 */
/* compress.h - the compressions that logs use, each by its stock library in a file of its own.
 *
 * lz4 is the frame format (independent blocks, a checksum of the content, no content size: ROS 1
 * reads nothing else), zstd a frame with its content size, bz2 a plain bzip2 stream.
 *
 * Life:    calls; nothing is kept.
 * Threads: any.
 * Errors:  -ENOTSUP built without that library; -EBADMSG the bytes are no such stream, or end
 * early; -EFBIG there is more in them than was said; -ENOMEM.
 */
#ifndef SL_ROSBAG_COMPAT_COMPRESS_H
#define SL_ROSBAG_COMPAT_COMPRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sl_compression {
    SL_COMPRESSION_NONE,
    SL_COMPRESSION_LZ4,
    SL_COMPRESSION_ZSTD,
    SL_COMPRESSION_BZ2,
};
extern const char *const sl_compression_names[]; /* "none", "lz4", "zstd", "bz2", NULL */

struct sl_compressor {
    size_t (*bound)(size_t size_bytes);
    int (*compress)(int level, const void *from, size_t size_bytes, void *to, size_t room_bytes,
                    size_t *ret_size_bytes);
    int (*decompress)(const void *from, size_t size_bytes, void *to, size_t room_bytes,
                      size_t *ret_size_bytes);
    uint64_t (*said)(const void *from, size_t size_bytes); /* NULL: its streams do not say */
};
extern const struct sl_compressor sl_compressor_lz4;
extern const struct sl_compressor sl_compressor_zstd;
extern const struct sl_compressor sl_compressor_bz2;

/* NONE is always there. */
bool sl_compression_is_built(enum sl_compression kind);

/* Room that sl_compress may need. */
size_t sl_compress_bound(enum sl_compression kind, size_t size_bytes);

/* `level` 0 is the library's usual one. */
int sl_compress(enum sl_compression kind, int level, const void *from, size_t size_bytes, void *to,
                size_t room_bytes, size_t *ret_size_bytes);

/* Everything up to the stream's end. `ret_size_bytes` is set on failure too: so many good bytes
 * came before it, which is how a damaged chunk is saved. */
int sl_decompress(enum sl_compression kind, const void *from, size_t size_bytes, void *to,
                  size_t room_bytes, size_t *ret_size_bytes);

/* What a stream says, at its beginning, that it becomes; 0: it does not. It need not be true. */
uint64_t sl_decompressed_said(enum sl_compression kind, const void *from, size_t size_bytes);

/* One whole stream whose size nobody said, into memory that is made for it: rosbag2's MESSAGE mode.
 * The room that `*to` has (from malloc, or NULL) is used and made larger as needed, up to
 * `max_bytes`. */
int sl_decompress_alone(enum sl_compression kind, const void *from, size_t size_bytes, void **to,
                        size_t *room_bytes, uint64_t max_bytes, size_t *ret_size_bytes);

/* A file through zstd, in pieces: rosbag2's FILE mode. `get` gives the next piece, of size 0 at the
 * end; `put` takes one. -EBADMSG: the stream is damaged; what came before was put. */
struct sl_zstd_ends {
    int (*get)(void *state, const void **ret_bytes, size_t *ret_size_bytes);
    int (*put)(void *state, const void *bytes, size_t size_bytes);
    void *state;
};
int sl_zstd_pack(const struct sl_zstd_ends *ends, int level);
int sl_zstd_unpack(const struct sl_zstd_ends *ends);

/* What `stored_bytes` may become unless somebody allows more: 24 MB, and 16 times as much as they
 * are, which what sensors measure stays far below. A small file cannot ask for a large memory. */
uint64_t sl_decompressed_max(enum sl_compression kind, uint64_t stored_bytes);

#endif
