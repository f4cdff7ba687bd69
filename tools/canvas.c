/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/canvas.h"

#include "core/base/error.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define GLYPH_WIDTH   5
#define GLYPH_HEIGHT  7
#define GLYPH_ADVANCE 6
#define DESCENDER     2 /* dots that g, p, q, y reach below the line */

int sl_canvas_init(struct sl_canvas *canvas, uint32_t width, uint32_t height,
                   struct sl_colour background)
{
    *canvas = (struct sl_canvas){0};
    if (width < SL_CANVAS_SIDE_MIN || height < SL_CANVAS_SIDE_MIN || width > SL_CANVAS_SIDE_MAX ||
        height > SL_CANVAS_SIDE_MAX)
        return sl_error(-EINVAL, "a picture has %u to %u pixels a side, not %u x %u",
                        SL_CANVAS_SIDE_MIN, SL_CANVAS_SIDE_MAX, width, height);
    canvas->rgba = malloc((size_t)width * height * 4);
    if (!canvas->rgba)
        return sl_error(-ENOMEM, "no memory for a picture of %u x %u", width, height);
    canvas->width = width;
    canvas->height = height;
    for (size_t i = 0; i < (size_t)width * height; i++) {
        uint8_t pixel[4] = {background.r, background.g, background.b, 255};
        memcpy(canvas->rgba + 4 * i, pixel, sizeof pixel);
    }
    return 0;
}

void sl_canvas_finish(struct sl_canvas *canvas)
{
    free(canvas->rgba);
    *canvas = (struct sl_canvas){0};
}

static uint8_t mix(uint8_t under, uint8_t over, double cover)
{
    return (uint8_t)lround(under + (over - under) * cover);
}

void sl_canvas_blend(struct sl_canvas *canvas, int x, int y, struct sl_colour colour, double cover)
{
    if (x < 0 || y < 0 || (uint32_t)x >= canvas->width || (uint32_t)y >= canvas->height ||
        !(cover > 0))
        return;
    cover = cover > 1 ? 1 : cover;
    uint8_t *pixel = canvas->rgba + 4 * ((size_t)y * canvas->width + (size_t)x);
    pixel[0] = mix(pixel[0], colour.r, cover);
    pixel[1] = mix(pixel[1], colour.g, cover);
    pixel[2] = mix(pixel[2], colour.b, cover);
}

void sl_canvas_box(struct sl_canvas *canvas, int x, int y, int width, int height,
                   struct sl_colour colour, double cover)
{
    for (int j = y; j < y + height; j++)
        for (int i = x; i < x + width; i++)
            sl_canvas_blend(canvas, i, j, colour, cover);
}

/* Letters ---------------------------------------------------------------------------------------*/

static const struct glyph {
    char letter;
    char dots[GLYPH_HEIGHT * (GLYPH_WIDTH + 1)]; /* rows from the top, a blank between them */
} glyphs[] = {
    {'a', "..... ..... .###. ....# .#### #...# .####"},
    {'b', "#.... #.... ####. #...# #...# #...# ####."},
    {'c', "..... ..... .###. #.... #.... #.... .###."},
    {'d', "....# ....# .#### #...# #...# #...# .####"},
    {'e', "..... ..... .###. #...# ##### #.... .###."},
    {'f', "..##. .#... ####. .#... .#... .#... .#..."},
    {'g', ".#### #...# #...# #...# .#### ....# .###."},
    {'h', "#.... #.... ####. #...# #...# #...# #...#"},
    {'i', "..#.. ..... .##.. ..#.. ..#.. ..#.. .###."},
    {'j', "...#. ..... ..##. ...#. ...#. #..#. .##.."},
    {'k', "#.... #.... #..#. #.#.. ##... #.#.. #..#."},
    {'l', ".##.. ..#.. ..#.. ..#.. ..#.. ..#.. .###."},
    {'m', "..... ..... ##.#. #.#.# #.#.# #.#.# #.#.#"},
    {'n', "..... ..... ####. #...# #...# #...# #...#"},
    {'o', "..... ..... .###. #...# #...# #...# .###."},
    {'p', "####. #...# #...# #...# ####. #.... #...."},
    {'q', ".#### #...# #...# #...# .#### ....# ....#"},
    {'r', "..... ..... #.##. ##... #.... #.... #...."},
    {'s', "..... ..... .#### #.... .###. ....# ####."},
    {'t', ".#... .#... ####. .#... .#... .#... ..##."},
    {'u', "..... ..... #...# #...# #...# #...# .####"},
    {'v', "..... ..... #...# #...# #...# .#.#. ..#.."},
    {'w', "..... ..... #.#.# #.#.# #.#.# #.#.# .#.#."},
    {'x', "..... ..... #...# .#.#. ..#.. .#.#. #...#"},
    {'y', "#...# #...# #...# #...# .#### ....# .###."},
    {'z', "..... ..... ##### ...#. ..#.. .#... #####"},
    {'0', ".###. #...# #..## #.#.# ##..# #...# .###."},
    {'1', "..#.. .##.. ..#.. ..#.. ..#.. ..#.. .###."},
    {'2', ".###. #...# ....# ...#. ..#.. .#... #####"},
    {'3', "####. ....# ....# .###. ....# ....# ####."},
    {'4', "...#. ..##. .#.#. #..#. ##### ...#. ...#."},
    {'5', "##### #.... ####. ....# ....# #...# .###."},
    {'6', ".###. #.... #.... ####. #...# #...# .###."},
    {'7', "##### ....# ...#. ..#.. ..#.. .#... .#..."},
    {'8', ".###. #...# #...# .###. #...# #...# .###."},
    {'9', ".###. #...# #...# .#### ....# ....# .###."},
    {'.', "..... ..... ..... ..... ..... .##.. .##.."},
    {',', "..... ..... ..... ..... .##.. ..#.. .#..."},
    {'-', "..... ..... ..... .###. ..... ..... ....."},
    {'+', "..... ..#.. ..#.. ##### ..#.. ..#.. ....."},
    {'/', "....# ...#. ...#. ..#.. .#... .#... #...."},
    {':', "..... .##.. .##.. ..... .##.. .##.. ....."},
    {'_', "..... ..... ..... ..... ..... ..... #####"},
    {'%', "##..# ##.#. ...#. ..#.. .#... .#.## #..##"},
    {'(', "...#. ..#.. .#... .#... .#... ..#.. ...#."},
    {')', ".#... ..#.. ...#. ...#. ...#. ..#.. .#..."},
    {'=', "..... ..... ##### ..... ##### ..... ....."},
    {'?', ".###. #...# ....# ...#. ..#.. ..... ..#.."},
};

static const struct glyph *glyph_of(char letter)
{
    letter = (char)tolower((unsigned char)letter);
    const struct glyph *unknown = &glyphs[sizeof glyphs / sizeof *glyphs - 1];
    for (size_t i = 0; i < sizeof glyphs / sizeof *glyphs; i++)
        if (glyphs[i].letter == letter)
            return &glyphs[i];
    return unknown;
}

int sl_canvas_text_width(int scale, const char *text)
{
    return (int)strlen(text) * GLYPH_ADVANCE * scale;
}

int sl_canvas_text(struct sl_canvas *canvas, int x, int y, int scale, struct sl_colour colour,
                   const char *text)
{
    int left = x;
    for (; *text; text++, x += GLYPH_ADVANCE * scale) {
        if (*text == ' ')
            continue;
        const struct glyph *glyph = glyph_of(*text);
        int drop = strchr("gpqy", glyph->letter) ? DESCENDER : 0;
        for (int row = 0; row < GLYPH_HEIGHT; row++)
            for (int column = 0; column < GLYPH_WIDTH; column++)
                if (glyph->dots[row * (GLYPH_WIDTH + 1) + column] == '#')
                    sl_canvas_box(canvas, x + column * scale, y + (row + drop) * scale, scale,
                                  scale, colour, 1);
    }
    return x - left;
}

/* Colours ---------------------------------------------------------------------------------------*/

struct sl_colour sl_colour_scale(double share)
{
    static const struct sl_colour stops[] = {{84, 56, 150},  {62, 98, 178},  {38, 144, 168},
                                             {54, 186, 132}, {148, 216, 78}, {252, 234, 104}};
    enum {
        LAST = sizeof stops / sizeof *stops - 1
    };
    if (!(share > 0)) /* NaN too */
        return stops[0];
    if (share >= 1)
        return stops[LAST];
    int below = (int)(share * LAST);
    double part = share * LAST - below;
    const struct sl_colour *a = &stops[below], *b = &stops[below + 1];
    return (struct sl_colour){mix(a->r, b->r, part), mix(a->g, b->g, part), mix(a->b, b->b, part)};
}
