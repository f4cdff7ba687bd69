/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/render.h"

#include "core/base/error.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const char *const sl_colour_by_names[] = {"auto", "intensity", "height", "ring", "range", NULL};

static const struct sl_colour ground = {11, 15, 20}, grid = {52, 66, 82}, words = {150, 166, 184},
                              bright = {232, 238, 244};

/* Where a value of a point comes from. */
struct source {
    const struct sl_pointcloud2 *cloud;
    const struct sl_point_field *x, *y, *z;
    const struct sl_point_field *colour; /* NULL: by range */
};

struct point {
    double x, y, z, value;
};

/* Fields ----------------------------------------------------------------------------------------*/

static int no_field(const struct sl_pointcloud2 *cloud, const char *wanted)
{
    char there[200] = "";
    size_t used = 0;
    for (uint32_t i = 0; i < cloud->field_count && used < sizeof there; i++)
        used += (size_t)snprintf(there + used, sizeof there - used, "%s%.*s", i ? ", " : "",
                                 SL_TEXT_ARGS(cloud->fields[i].name));
    return sl_error(-ENOENT, "the cloud has no field %s; it has %s", wanted, there);
}

static int find_fields(const struct sl_pointcloud2 *cloud, enum sl_colour_by *by,
                       struct source *ret_source)
{
    struct source s = {.cloud = cloud};
    s.x = sl_pointcloud2_field(cloud, "x");
    s.y = sl_pointcloud2_field(cloud, "y");
    s.z = sl_pointcloud2_field(cloud, "z");
    if (!s.x || !s.y || !s.z)
        return no_field(cloud, !s.x ? "x" : !s.y ? "y" : "z");
    if (*by == SL_COLOUR_AUTO)
        *by = sl_pointcloud2_field(cloud, "intensity") ? SL_COLOUR_INTENSITY : SL_COLOUR_HEIGHT;
    if (*by == SL_COLOUR_HEIGHT) {
        s.colour = s.z;
    } else if (*by != SL_COLOUR_RANGE) {
        s.colour = sl_pointcloud2_field(cloud, sl_colour_by_names[*by]);
        if (!s.colour)
            return no_field(cloud, sl_colour_by_names[*by]);
    }
    *ret_source = s;
    return 0;
}

static bool read_point(const struct source *s, uint32_t row, uint32_t column, struct point *ret)
{
    const uint8_t *at = s->cloud->data + sl_pointcloud2_offset(s->cloud, row, column);
    bool big = s->cloud->is_bigendian;
    struct point p = {sl_point_value(s->x, at, big), sl_point_value(s->y, at, big),
                      sl_point_value(s->z, at, big), 0};
    if (!isfinite(p.x) || !isfinite(p.y) || !isfinite(p.z))
        return false;
    p.value =
        s->colour ? sl_point_value(s->colour, at, big) : sqrt(p.x * p.x + p.y * p.y + p.z * p.z);
    *ret = p;
    return true;
}

/* Ranges: how far the points reach, and between which values nearly all of them lie
 * ---------------*/

#define BINS       4096
#define FURTHEST_M 1024.0
#define NEARLY_ALL 0.98

struct survey {
    uint64_t points, invalid;
    double low, high;
    uint32_t reach[BINS];
    uint32_t value[BINS];
};

static unsigned bin_of(double value, double low, double high)
{
    double share = high > low ? (value - low) / (high - low) : 0;
    return share >= 1 ? BINS - 1 : share > 0 ? (unsigned)(share * BINS) : 0;
}

/* Below which value `share` of what was counted lies. */
static double quantile(const uint32_t bins[BINS], double share, double low, double high)
{
    uint64_t total = 0, seen = 0;
    for (unsigned i = 0; i < BINS; i++)
        total += bins[i];
    for (unsigned i = 0; i < BINS; i++) {
        seen += bins[i];
        if (seen > 0 && (double)seen >= share * (double)total)
            return low + (high - low) * (i + 0.5) / BINS;
    }
    return high;
}

#define EACH_POINT(source, p)                                                   \
    for (uint32_t row_ = 0; row_ < (source)->cloud->height; row_++)             \
        for (uint32_t column_ = 0; column_ < (source)->cloud->width; column_++) \
            if (read_point(source, row_, column_, p))

static void take_survey(const struct source *source, struct survey *s)
{
    struct point p;
    s->low = INFINITY;
    s->high = -INFINITY;
    EACH_POINT(source, &p)
    {
        s->points++;
        s->reach[bin_of(hypot(p.x, p.y), 0, FURTHEST_M)]++;
        s->low = fmin(s->low, p.value);
        s->high = fmax(s->high, p.value);
    }
    s->invalid = (uint64_t)source->cloud->width * source->cloud->height - s->points;
    if (!isfinite(s->low) || !isfinite(s->high)) {
        s->low = 0;
        s->high = 1;
        return;
    }
    EACH_POINT(source, &p)
    {
        if (isfinite(p.value))
            s->value[bin_of(p.value, s->low, s->high)]++;
    }
    double low = quantile(s->value, 1 - NEARLY_ALL, s->low, s->high);
    double high = quantile(s->value, NEARLY_ALL, s->low, s->high);
    if (high > low) { /* a few odd values do not take all the colours */
        s->low = low;
        s->high = high;
    }
}

static double choose_range(const struct survey *s)
{
    static const double nice[] = {1,  2,  3,   5,   8,   10,  15,  20,  25,  30,  40, 50,
                                  60, 75, 100, 125, 150, 200, 250, 300, 400, 500, 750};
    if (s->points == 0)
        return 10;
    double reach = 1.05 * quantile(s->reach, NEARLY_ALL, 0, FURTHEST_M);
    for (size_t i = 0; i < sizeof nice / sizeof *nice; i++)
        if (nice[i] >= reach)
            return nice[i];
    return FURTHEST_M;
}

/* Drawing ---------------------------------------------------------------------------------------*/

struct view {
    const struct sl_render_options *options;
    double range_m, pixels_per_m;
    int text; /* pixels of a letter's dot */
};

static double ring_step_m(double range_m)
{
    static const double nice[] = {0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500};
    for (size_t i = 0; i < sizeof nice / sizeof *nice; i++)
        if (range_m / nice[i] <= 6)
            return nice[i];
    return 1000;
}

/* Rings and the two axes: each pixel is covered as far as the line is near. */
static void draw_grid(struct sl_canvas *canvas, const struct view *view)
{
    double step_px = ring_step_m(view->range_m) * view->pixels_per_m;
    double middle = canvas->width / 2.0;
    for (int y = 0; y < (int)canvas->height; y++) {
        for (int x = 0; x < (int)canvas->width; x++) {
            double dx = x + 0.5 - middle, dy = y + 0.5 - middle;
            double distance = hypot(dx, dy);
            double ring = round(distance / step_px) * step_px;
            if (ring > 0)
                sl_canvas_blend(canvas, x, y, grid, 0.9 * (1 - fabs(distance - ring)));
            double axis = fmin(fabs(dx), fabs(dy));
            sl_canvas_blend(canvas, x, y, grid, 0.5 * (1 - axis));
        }
    }
}

static void draw_ring_labels(struct sl_canvas *canvas, const struct view *view)
{
    double step_m = ring_step_m(view->range_m);
    for (int i = 1; i * step_m < view->range_m * 0.97; i++) {
        char text[32];
        snprintf(text, sizeof text, "%.4g m", i * step_m);
        int y = (int)sl_render_y(view->options, view->range_m, i * step_m);
        sl_canvas_text(canvas, (int)canvas->width / 2 + 3 * view->text, y + 2 * view->text,
                       view->text, words, text);
    }
}

/* A point is a small soft spot; spots add up like light, so dense places glow and nothing is
 * hidden by the order of drawing. */
struct light {
    float r, g, b, weight;
};

static void add_spot(struct light *light, int size, double x, double y, double radius,
                     struct sl_colour c)
{
    int from_x = (int)floor(x - radius), to_x = (int)ceil(x + radius);
    int from_y = (int)floor(y - radius), to_y = (int)ceil(y + radius);
    for (int j = from_y < 0 ? 0 : from_y; j <= to_y && j < size; j++) {
        for (int i = from_x < 0 ? 0 : from_x; i <= to_x && i < size; i++) {
            double dx = i + 0.5 - x, dy = j + 0.5 - y;
            double weight = 1 - (dx * dx + dy * dy) / (radius * radius);
            if (weight <= 0)
                continue;
            struct light *l = &light[(size_t)j * (size_t)size + (size_t)i];
            l->r += (float)(c.r * weight);
            l->g += (float)(c.g * weight);
            l->b += (float)(c.b * weight);
            l->weight += (float)weight;
        }
    }
}

static int draw_points(struct sl_canvas *canvas, const struct view *view,
                       const struct source *source, const struct survey *survey)
{
    int size = (int)canvas->width;
    struct light *light = calloc((size_t)size * (size_t)size, sizeof *light);
    if (!light)
        return sl_error(-ENOMEM, "no memory for a picture of %d x %d", size, size);
    double radius = fmax(1.1, size / 550.0);
    double span = survey->high > survey->low ? survey->high - survey->low : 1;
    struct point p;
    EACH_POINT(source, &p)
    {
        double x = sl_render_x(view->options, view->range_m, p.y);
        double y = sl_render_y(view->options, view->range_m, p.x);
        if (x > -radius && y > -radius && x < size + radius && y < size + radius)
            add_spot(light, size, x, y, radius, sl_colour_scale((p.value - survey->low) / span));
    }
    for (int i = 0; i < size * size; i++) {
        const struct light *l = &light[i];
        if (l->weight <= 0)
            continue;
        struct sl_colour c = {(uint8_t)(l->r / l->weight), (uint8_t)(l->g / l->weight),
                              (uint8_t)(l->b / l->weight)};
        sl_canvas_blend(canvas, i % size, i / size, c, 1 - exp(-2.2 * l->weight));
    }
    free(light);
    return 0;
}

/* The sensor: an arrow head that looks ahead. */
static void draw_origin(struct sl_canvas *canvas, const struct view *view)
{
    int middle = (int)canvas->width / 2, height = 5 * view->text;
    for (int row = 0; row < height; row++) {
        int half = row * 3 / 5;
        sl_canvas_box(canvas, middle - half, middle - height / 2 + row, 2 * half + 1, 1, bright,
                      0.95);
    }
}

static void draw_legend(struct sl_canvas *canvas, const struct view *view,
                        const struct sl_render_facts *facts)
{
    int margin = 8 * view->text, width = (int)canvas->width / 4, height = 4 * view->text;
    int left = (int)canvas->width - margin - width;
    int top = (int)canvas->height - margin - height;
    bool metres = facts->by == SL_COLOUR_HEIGHT || facts->by == SL_COLOUR_RANGE;
    for (int i = 0; i < width; i++)
        sl_canvas_box(canvas, left + i, top, 1, height, sl_colour_scale(i / (width - 1.0)), 1);
    char low[32], high[32];
    snprintf(low, sizeof low, "%.3g", facts->low);
    snprintf(high, sizeof high, "%.3g%s", facts->high, metres ? " m" : "");
    int y = top - SL_CANVAS_TEXT_HEIGHT * view->text;
    sl_canvas_text(canvas, left, y, view->text, words, low);
    sl_canvas_text(canvas, left + width - sl_canvas_text_width(view->text, high), y, view->text,
                   words, high);
    sl_canvas_text(canvas, left, y - SL_CANVAS_TEXT_HEIGHT * view->text, view->text, bright,
                   sl_colour_by_names[facts->by]);
}

static void draw_title(struct sl_canvas *canvas, const struct view *view,
                       const struct sl_pointcloud2 *cloud, const struct sl_render_facts *facts)
{
    int margin = 8 * view->text, line = SL_CANVAS_TEXT_HEIGHT * view->text, y = margin;
    char text[160], day[32] = "";
    if (view->options->title) {
        sl_canvas_text(canvas, margin, y, view->text, bright, view->options->title);
        y += line + view->text;
    }
    snprintf(text, sizeof text, "%" PRIu64 " points  %.60s%.*s", facts->points,
             cloud->frame_id.size ? "frame " : "",
             (int)(cloud->frame_id.size > 60 ? 60 : cloud->frame_id.size),
             cloud->frame_id.size ? cloud->frame_id.at : "");
    sl_canvas_text(canvas, margin, y, view->text, words, text);
    time_t seconds = (time_t)(cloud->stamp_ns / 1000000000);
    struct tm utc;
    if (cloud->stamp_ns > 0 && gmtime_r(&seconds, &utc) &&
        strftime(day, sizeof day, "%Y-%m-%d %H:%M:%S", &utc) > 0) {
        snprintf(text, sizeof text, "%s.%03d utc", day, (int)(cloud->stamp_ns / 1000000 % 1000));
        sl_canvas_text(canvas, margin, y + line, view->text, words, text);
    }
}

static int draw(struct sl_canvas *canvas, const struct view *view, const struct source *source,
                const struct survey *survey, const struct sl_render_facts *facts)
{
    draw_grid(canvas, view);
    int err = draw_points(canvas, view, source, survey);
    if (err < 0)
        return err;
    draw_ring_labels(canvas, view);
    draw_origin(canvas, view);
    draw_legend(canvas, view, facts);
    draw_title(canvas, view, source->cloud, facts);
    return 0;
}

int sl_render_cloud(const struct sl_pointcloud2 *cloud, const struct sl_render_options *options,
                    struct sl_canvas *ret_canvas, struct sl_render_facts *ret_facts)
{
    struct sl_canvas canvas = {0};
    struct source source;
    enum sl_colour_by by = options->by;
    if (!cloud->data && cloud->data_size > 0)
        return sl_error(-EINVAL, "the cloud's points lie in several pieces");
    struct survey *survey = calloc(1, sizeof *survey);
    int err = survey ? find_fields(cloud, &by, &source) : sl_error(-ENOMEM, "no memory");
    if (err == 0)
        err = sl_canvas_init(&canvas, options->size, options->size, ground);
    if (err == 0) {
        take_survey(&source, survey);
        double range_m = options->range_m > 0 ? options->range_m : choose_range(survey);
        struct view view = {options, range_m, options->size / (2 * range_m),
                            options->size >= 1000 ? (int)options->size / 500 : 1};
        struct sl_render_facts facts = {survey->points, survey->invalid, range_m,
                                        survey->low,    survey->high,    by};
        err = draw(&canvas, &view, &source, survey, &facts);
        *ret_facts = facts;
    }
    free(survey);
    if (err < 0)
        sl_canvas_finish(&canvas);
    else
        *ret_canvas = canvas;
    return err;
}
