/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/tools/picture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <png.h>

struct picture picture_read(const char *path)
{
    png_image image = {.version = PNG_IMAGE_VERSION};
    if (!png_image_begin_read_from_file(&image, path))
        fail_msg("%s: %s", path, image.message);
    bool deep = image.format & PNG_FORMAT_FLAG_LINEAR;
    struct picture picture = {.width = image.width, .height = image.height};
    size_t pixels = (size_t)image.width * image.height;
    picture.rgb = malloc(pixels * 3);
    image.format = deep ? PNG_FORMAT_LINEAR_Y : PNG_FORMAT_RGB;
    uint16_t *values = deep ? malloc(pixels * 2) : NULL;
    if (!png_image_finish_read(&image, NULL, deep ? (void *)values : picture.rgb, 0, NULL))
        fail_msg("%s: %s", path, image.message);
    for (size_t i = 0; deep && i < pixels; i++)
        memset(picture.rgb + 3 * i, values[i] >> 8, 3);
    free(values);
    return picture;
}

const uint8_t *picture_pixel(const struct picture *picture, unsigned x, unsigned y)
{
    assert_true(x < picture->width && y < picture->height);
    return picture->rgb + 3 * ((size_t)y * picture->width + x);
}

void picture_free(struct picture *picture)
{
    free(picture->rgb);
}
