/* SPDX-License-Identifier: Apache-2.0 */
/* canvas.h - a picture in memory: pixels, lines, small text, a scale of colours.
 *
 * Life:    sl_canvas_init -> draw -> read rgba -> sl_canvas_finish
 * Threads: one at a time per canvas.
 * Errors:  -ENOMEM, -EINVAL from init; drawing outside is cut off.
 */
#ifndef SL_TOOLS_CANVAS_H
#define SL_TOOLS_CANVAS_H

#include <stdint.h>

#define SL_CANVAS_SIDE_MIN 64u
#define SL_CANVAS_SIDE_MAX 8192u

struct sl_colour {
    uint8_t r, g, b;
};

struct sl_canvas {
    uint32_t width, height;
    uint8_t *rgba; /* rows from the top, 4 bytes a pixel, nothing between rows */
};

int sl_canvas_init(struct sl_canvas *canvas, uint32_t width, uint32_t height,
                   struct sl_colour background);
void sl_canvas_finish(struct sl_canvas *canvas);

/* Put a colour over what is there; `cover` 0..1. */
void sl_canvas_blend(struct sl_canvas *canvas, int x, int y, struct sl_colour colour, double cover);
void sl_canvas_box(struct sl_canvas *canvas, int x, int y, int width, int height,
                   struct sl_colour colour, double cover);

/* Text in letters of 5 x 7 dots, each `scale` pixels wide; x, y is its left upper corner. Letters
 * are small ones. Returns its width in pixels. */
int sl_canvas_text(struct sl_canvas *canvas, int x, int y, int scale, struct sl_colour colour,
                   const char *text);
int sl_canvas_text_width(int scale, const char *text);
#define SL_CANVAS_TEXT_HEIGHT 11 /* dots from line to line */

/* From dark violet (0) over blue and green to yellow (1), in steps that look even on a dark ground:
 * the lightness grows steadily. */
struct sl_colour sl_colour_scale(double share);

#endif
