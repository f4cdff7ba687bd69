/* SPDX-License-Identifier: Apache-2.0 */
/* render.h - a point cloud seen from above.
 *
 *                 x (ahead)
 *                 ^
 *        y  <-----o          the sensor in the middle, x up, y to the left, as REP 103 has them
 *
 * Pure: a cloud in, a picture out.
 *
 * Life:    one call; the canvas is the caller's to finish.
 * Owner:   the cloud stays the caller's.
 * Threads: any.
 * Errors:  -ENOENT if the cloud has no such field (the sentence names those it has), -EINVAL,
 * -ENOMEM.
 */
#ifndef SL_TOOLS_RENDER_H
#define SL_TOOLS_RENDER_H

#include "core/frame/pointcloud2.h"
#include "tools/canvas.h"

enum sl_colour_by {
    SL_COLOUR_AUTO, /* intensity where there is one, else height */
    SL_COLOUR_INTENSITY,
    SL_COLOUR_HEIGHT,
    SL_COLOUR_RING,
    SL_COLOUR_RANGE,
};
extern const char *const sl_colour_by_names[]; /* "auto" ... "range", NULL */

struct sl_render_options {
    uint32_t size;  /* pixels a side */
    double range_m; /* from the middle to the edge; 0 = so that nearly all points are seen */
    enum sl_colour_by by;
    const char *title; /* the topic, or NULL */
};

struct sl_render_facts {
    uint64_t points;  /* with finite coordinates */
    uint64_t invalid; /* the others */
    double range_m;   /* as it was chosen */
    double low, high; /* values at the ends of the colour scale */
    enum sl_colour_by by;
};

/* Metres to pixels, as the picture has them: for those who look for something in it. */
static inline double sl_render_x(const struct sl_render_options *o, double range_m, double y_m)
{
    return o->size / 2.0 - y_m * o->size / (2 * range_m);
}
static inline double sl_render_y(const struct sl_render_options *o, double range_m, double x_m)
{
    return o->size / 2.0 - x_m * o->size / (2 * range_m);
}

int sl_render_cloud(const struct sl_pointcloud2 *cloud, const struct sl_render_options *options,
                    struct sl_canvas *ret_canvas, struct sl_render_facts *ret_facts);

#endif
