/* SPDX-License-Identifier: Apache-2.0 */
/* picture.h - a PNG file read back, 8 bits a colour, red green blue: by libpng's simplified
 * interface, which the code under test does not use. Fails the test if it is no picture. */
#ifndef SL_TESTS_TOOLS_PICTURE_H
#define SL_TESTS_TOOLS_PICTURE_H

#include <stdint.h>

struct picture {
    uint32_t width, height;
    uint8_t *rgb;
};

struct picture picture_read(const char *path);
const uint8_t *picture_pixel(const struct picture *picture, unsigned x, unsigned y);
void picture_free(struct picture *picture);

#endif
