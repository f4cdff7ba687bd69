/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_snapshot.c - sluice snapshot: the next cloud or image of a topic as a PNG file. */
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/frame/image.h"
#include "core/frame/pointcloud2.h"
#include "tools/looker.h"
#include "tools/png.h"
#include "tools/render.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_NS (10 * SL_NS_PER_S) /* where --timeout is not given */

static struct snapshot_options {
    const char *topic, *file;
    int colour;
    int64_t size;
    double range_m;
    bool quiet;
} given;

static const struct sl_option options[] = {
    {.name = "topic",
     .kind = SL_OPTION_TEXT,
     .flags = SL_OPTION_POSITIONAL | SL_OPTION_REQUIRED,
     .offset = offsetof(struct snapshot_options, topic),
     .value = "TOPIC",
     .help = "A topic of clouds or of images"},
    {.name = "file",
     .kind = SL_OPTION_TEXT,
     .flags = SL_OPTION_POSITIONAL | SL_OPTION_REQUIRED,
     .offset = offsetof(struct snapshot_options, file),
     .value = "FILE",
     .help = "The picture, a PNG; what is there is replaced"},
    {.name = "color",
     .letter = 'c',
     .kind = SL_OPTION_CHOICE,
     .offset = offsetof(struct snapshot_options, colour),
     .fallback = "auto",
     .choices = sl_colour_by_names,
     .help = "What colours a cloud's points"},
    {.name = "size",
     .letter = 's',
     .kind = SL_OPTION_INT,
     .offset = offsetof(struct snapshot_options, size),
     .value = "PIXELS",
     .fallback = "1000",
     .min = SL_CANVAS_SIDE_MIN,
     .max = SL_CANVAS_SIDE_MAX,
     .help = "Width and height of a cloud's picture"},
    {.name = "range",
     .letter = 'r',
     .kind = SL_OPTION_REAL,
     .offset = offsetof(struct snapshot_options, range_m),
     .value = "METRES",
     .min = 0,
     .max = 10000,
     .help = "From the middle to the edge; without it, so that nearly all points are seen"},
    {.name = "quiet",
     .letter = 'q',
     .kind = SL_OPTION_FLAG,
     .offset = offsetof(struct snapshot_options, quiet),
     .help = "Say nothing unless it fails"},
};

static const struct sl_command command = {
    .name = "sluice snapshot",
    .summary = "The next cloud or image of a topic as a picture",
    .details =
        "A cloud (sensor_msgs/msg/PointCloud2) is seen from above, x up, y to the left. An image\n"
        "(sensor_msgs/msg/Image) is stored as it is. The file appears when it is whole.",
    .example = "sluice snapshot /lidar/points room.png --color height",
    .tables = {{"Options", options, sizeof options / sizeof *options, &given},
               SL_TABLE_SPAN,
               SL_TABLE_ENDS},
};

/* A cloud ---------------------------------------------------------------------------------------*/

static int shoot_cloud(const void *body, size_t size)
{
    struct sl_pointcloud2 cloud;
    struct sl_canvas canvas;
    struct sl_render_facts facts;
    const struct sl_render_options render = {.size = (uint32_t)given.size,
                                             .range_m = given.range_m,
                                             .by = (enum sl_colour_by)given.colour,
                                             .title = given.topic};
    int err = sl_pointcloud2_read(body, size, &cloud);
    if (err == 0)
        err = sl_render_cloud(&cloud, &render, &canvas, &facts);
    if (err < 0)
        return err;
    const struct sl_png_image picture = {.width = canvas.width,
                                         .height = canvas.height,
                                         .format = SL_PNG_RGBA8,
                                         .stride = (size_t)canvas.width * 4,
                                         .pixels = canvas.rgba};
    err = sl_png_write(given.file, &picture);
    sl_canvas_finish(&canvas);
    if (err == 0 && !given.quiet)
        printf("%s: %" PRIu64 " points of %s, coloured by %s, up to %.4g m\n", given.file,
               facts.points, given.topic, sl_colour_by_names[facts.by], facts.range_m);
    return err;
}

/* An image --------------------------------------------------------------------------------------*/

/* The encodings of sensor_msgs/image_encodings.hpp that a PNG can hold as they are. A Bayer pattern
 * is stored as it came from the sensor, in greys. */
static const struct encoding {
    const char *name;
    enum sl_png_format format;
    bool bgr;
} encodings[] = {
    {"rgb8", SL_PNG_RGB8, false},         {"bgr8", SL_PNG_RGB8, true},
    {"rgba8", SL_PNG_RGBA8, false},       {"bgra8", SL_PNG_RGBA8, true},
    {"mono8", SL_PNG_GREY8, false},       {"mono16", SL_PNG_GREY16, false},
    {"8UC1", SL_PNG_GREY8, false},        {"8UC3", SL_PNG_RGB8, true},
    {"16UC1", SL_PNG_GREY16, false},      {"bayer_rggb8", SL_PNG_GREY8, false},
    {"bayer_bggr8", SL_PNG_GREY8, false}, {"bayer_gbrg8", SL_PNG_GREY8, false},
    {"bayer_grbg8", SL_PNG_GREY8, false},
};

static int shoot_image(const void *body, size_t size)
{
    struct sl_image image;
    int err = sl_image_read(body, size, &image);
    if (err < 0)
        return err;
    const struct encoding *encoding = NULL;
    for (size_t i = 0; i < sizeof encodings / sizeof *encodings; i++)
        if (sl_text_is(image.encoding, encodings[i].name))
            encoding = &encodings[i];
    if (!encoding)
        return sl_error(-ENOTSUP, "images of encoding '%.*s' cannot be stored as PNG as they are",
                        (int)(image.encoding.size < 40 ? image.encoding.size : 40),
                        image.encoding.size ? image.encoding.at : "");
    bool is_big = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;
    const struct sl_png_image picture = {.width = image.width,
                                         .height = image.height,
                                         .format = encoding->format,
                                         .bgr = encoding->bgr,
                                         .swap = image.is_bigendian != is_big,
                                         .stride = image.step,
                                         .pixels = image.data};
    err = sl_png_write(given.file, &picture);
    if (err == 0 && !given.quiet)
        printf("%s: %u x %u of %s, %s\n", given.file, image.width, image.height, given.topic,
               encoding->name);
    return err;
}

/* The frame -------------------------------------------------------------------------------------*/

static int shoot(struct sl_looker *looker, const struct sl_frame *frame, void **scratch)
{
    const char *type = sl_looker_type(looker, frame);
    const void *body;
    int err = sl_looker_body(frame, SL_LOOKER_COPY, scratch, &body);
    if (err < 0)
        return err;
    if (strcmp(type, SL_TYPE_POINTCLOUD2) == 0)
        err = shoot_cloud(body, frame->body_length);
    else if (strcmp(type, SL_TYPE_IMAGE) == 0)
        err = shoot_image(body, frame->body_length);
    else
        return sl_error(-EPROTOTYPE, "%s is a topic of %s; a picture can be made of %s and %s",
                        given.topic, type, SL_TYPE_POINTCLOUD2, SL_TYPE_IMAGE);
    if (err == 0 && sl_frame_check(frame) < 0)
        return sl_error(-ESTALE, "the frame was taken back while it was drawn; try again");
    return err;
}

static int run(void)
{
    struct sl_looker looker;
    struct sl_frame frame;
    void *scratch = NULL;
    int err = sl_looker_open(&looker, given.topic, SL_LATEST, 1, TIMEOUT_NS);
    if (err < 0)
        return err;
    looker.quiet = given.quiet;
    err = sl_looker_next(&looker, 0, &frame);
    if (err > 0) {
        err = shoot(&looker, &frame, &scratch);
        sl_frame_release(&frame);
    } else if (err == 0) {
        fprintf(stderr, "no picture was taken\n");
        err = SL_EXIT_FAILURE;
    }
    free(scratch);
    sl_looker_close(&looker);
    return err;
}

const struct sl_tool sl_tool_snapshot = {.name = "snapshot", .command = &command, .run = run};
