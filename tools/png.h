/* SPDX-License-Identifier: Apache-2.0 */
/* png.h - a picture into a PNG file: whole, or not at all.
 *
 * The picture is written beside its place, synced and renamed: a full disk, a kill or a bad picture
 * leaves what was there before.
 *
 * Life:    one call; nothing is kept.
 * Owner:   the pixels stay the caller's.
 * Threads: any.
 * Errors:  -errno with a sentence that names the file (-ENOSPC, -EACCES, -ENOENT, ...); -EINVAL for
 * a picture that no PNG can hold; -ENOTSUP in a build without libpng. Format:  W3C Portable Network
 * Graphics (PNG) Specification, second edition, by libpng.
 */
#ifndef SL_TOOLS_PNG_H
#define SL_TOOLS_PNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SL_PNG_SIDE_MAX 65536u /* pixels */

enum sl_png_format {
    SL_PNG_GREY8,
    SL_PNG_GREY16, /* in this machine's byte order, unless `swap` */
    SL_PNG_RGB8,
    SL_PNG_RGBA8,
};

struct sl_png_image {
    uint32_t width, height;
    enum sl_png_format format;
    bool bgr;      /* the colours' order is blue, green, red (, alpha) */
    bool swap;     /* the bytes of 16-bit values are in the other order */
    size_t stride; /* bytes from row to row */
    const uint8_t *pixels;
};

size_t sl_png_pixel_size(enum sl_png_format format);
int sl_png_write(const char *path, const struct sl_png_image *image);

#endif
