/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/png.h"

#include "core/base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef SLUICE_HAVE_PNG
#include <png.h>
#endif

size_t sl_png_pixel_size(enum sl_png_format format)
{
    static const size_t sizes[] = {
        [SL_PNG_GREY8] = 1, [SL_PNG_GREY16] = 2, [SL_PNG_RGB8] = 3, [SL_PNG_RGBA8] = 4};
    return sizes[format];
}

#ifdef SLUICE_HAVE_PNG

/* The picture, compressed, into an open file
 * --------------------------------------------------------*/

struct sink {
    int fd;
    int err; /* -errno of the write that failed */
};

static void write_bytes(png_structp png, png_bytep bytes, png_size_t size)
{
    struct sink *sink = png_get_io_ptr(png);
    while (size > 0) {
        ssize_t written = write(sink->fd, bytes, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0) {
            sink->err = written < 0 ? -errno : -EIO;
            png_error(png, "write"); /* does not return */
        }
        bytes += written;
        size -= (size_t)written;
    }
}

static void flush_bytes(png_structp png)
{
    (void)png;
}

static void fail(png_structp png, png_const_charp text)
{
    (void)text;
    longjmp(png_jmpbuf(png), 1);
}

static void ignore(png_structp png, png_const_charp text)
{
    (void)png;
    (void)text;
}

static void put_picture(png_structp png, png_infop info, const struct sl_png_image *image)
{
    static const int colours[] = {[SL_PNG_GREY8] = PNG_COLOR_TYPE_GRAY,
                                  [SL_PNG_GREY16] = PNG_COLOR_TYPE_GRAY,
                                  [SL_PNG_RGB8] = PNG_COLOR_TYPE_RGB,
                                  [SL_PNG_RGBA8] = PNG_COLOR_TYPE_RGB_ALPHA};
    bool deep = image->format == SL_PNG_GREY16;
    bool is_little = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
    png_set_IHDR(png, info, image->width, image->height, deep ? 16 : 8, colours[image->format],
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    if (image->bgr)
        png_set_bgr(png);
    if (deep && is_little != image->swap)
        png_set_swap(png); /* a PNG is big-endian */
    for (uint32_t y = 0; y < image->height; y++)
        png_write_row(png, image->pixels + y * image->stride);
    png_write_end(png, info);
}

static int encode(const struct sl_png_image *image, int fd)
{
    struct sink sink = {.fd = fd};
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, fail, ignore);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    if (!info) {
        png_destroy_write_struct(&png, NULL);
        return -ENOMEM;
    }
    int err = 0;
    if (setjmp(png_jmpbuf(png)) == 0) {
        png_set_write_fn(png, &sink, write_bytes, flush_bytes);
        put_picture(png, info, image);
    } else {
        err = -EINVAL;
    }
    png_destroy_write_struct(&png, &info);
    return sink.err ? sink.err : err;
}

#else

static int encode(const struct sl_png_image *image, int fd)
{
    (void)image;
    (void)fd;
    return -ENOTSUP;
}

#endif

/* A file that appears when it is whole
 * --------------------------------------------------------------*/

static int open_beside(const char *path, char beside[PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    int folder = slash ? (int)(slash - path) + 1 : 0;
    int length = snprintf(beside, PATH_MAX, "%.*s.%s.XXXXXX", folder, path, path + folder);
    if (length >= PATH_MAX)
        return -ENAMETOOLONG;
    int fd = mkostemp(beside, O_CLOEXEC);
    if (fd < 0)
        return -errno;
    mode_t mask = umask(0); /* mkostemp gives 0600; a picture is as open as any file */
    umask(mask);
    fchmod(fd, 0666 & ~mask);
    return fd;
}

/* So that the name, too, outlives a power cut. */
static void sync_folder(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) + 1 : 1,
             slash ? path : ".");
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd); /* not every file system can; the file itself is safe */
        close(fd);
    }
}

static int check(const char *path, const struct sl_png_image *image)
{
    if (image->width == 0 || image->height == 0 || image->width > SL_PNG_SIDE_MAX ||
        image->height > SL_PNG_SIDE_MAX)
        return sl_error(-EINVAL, "%s: a picture of %u x %u cannot be written", path, image->width,
                        image->height);
    if (image->stride < image->width * sl_png_pixel_size(image->format))
        return sl_error(-EINVAL, "%s: rows of %zu bytes do not hold %u pixels", path, image->stride,
                        image->width);
    struct stat there;
    if (stat(path, &there) == 0 && !S_ISREG(there.st_mode))
        return sl_error(-EINVAL, "%s is there already and is no ordinary file", path);
    return 0;
}

int sl_png_write(const char *path, const struct sl_png_image *image)
{
    char beside[PATH_MAX];
    int err = check(path, image);
    if (err < 0)
        return err;
    int fd = open_beside(path, beside);
    if (fd < 0)
        return sl_error(fd, "%s: %s", path, strerror(-fd));
    err = encode(image, fd);
    if (err == 0 && fsync(fd) < 0)
        err = -errno;
    if (close(fd) < 0 && err == 0)
        err = -errno;
    if (err == 0 && rename(beside, path) < 0)
        err = -errno;
    if (err < 0) {
        unlink(beside);
        return sl_error(err, "%s: %s; nothing was written", path,
                        err == -ENOTSUP ? "this build has no libpng" : strerror(-err));
    }
    sync_folder(path);
    return 0;
}
