/* SPDX-License-Identifier: Apache-2.0 */
/* publish_images.c - pixels to their place, and finished pictures into slots. */
#include "drivers/lidar/publish_images.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"
#include "core/frame/image.h"
#include "core/uncached/stream.h"

#define PAGE_BYTES 4096u
#define PREFIX_MAX 1024u /* bytes: stamp, frame_id, encoding */
#define M_PER_MM   1e-3f

const struct lidar_image_kind lidar_image_kinds[LIDAR_IMAGES] = {
    [LIDAR_IMAGE_RANGE] = {"range", "range_image", "32FC1", 4, OUSTER_RANGE},
    [LIDAR_IMAGE_SIGNAL] = {"signal", "signal_image", "mono16", 2, OUSTER_SIGNAL},
    [LIDAR_IMAGE_REFLECTIVITY] = {"reflectivity", "reflec_image", "mono8", 1, OUSTER_REFLECTIVITY},
    [LIDAR_IMAGE_NEAR_IR] = {"near-ir", "nearir_image", "mono16", 2, OUSTER_NEAR_IR},
    [LIDAR_IMAGE_RANGE2] = {NULL, "range_image2", "32FC1", 4, OUSTER_RANGE2},
    [LIDAR_IMAGE_SIGNAL2] = {NULL, "signal_image2", "mono16", 2, OUSTER_SIGNAL2},
    [LIDAR_IMAGE_REFLECTIVITY2] = {NULL, "reflec_image2", "mono8", 1, OUSTER_REFLECTIVITY2},
};

static struct sl_image describe(const struct ouster_metadata *metadata, enum lidar_image image,
                                const char *frame_id)
{
    const struct lidar_image_kind *kind = &lidar_image_kinds[image];
    uint32_t step = (uint32_t)metadata->format.frame_columns * kind->pixel_bytes;
    return (struct sl_image){
        .frame_id = sl_text(frame_id),
        .height = metadata->format.beams,
        .width = metadata->format.frame_columns,
        .encoding = sl_text(kind->encoding),
        .step = step,
        .data_size = step * metadata->format.beams,
    };
}

static uint32_t data_offset(const struct sl_image *image)
{
    size_t prefix = sl_image_prefix_size(image);
    return (uint32_t)((prefix + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES);
}

uint64_t lidar_image_slot_bytes(const struct ouster_metadata *metadata, enum lidar_image image,
                                const char *frame_id)
{
    const struct sl_image described = describe(metadata, image, frame_id);
    return (uint64_t)data_offset(&described) + described.data_size;
}

int lidar_images_open(struct lidar_images *images, const struct ouster_metadata *metadata,
                      const char *frame_id, struct sl_publisher *const publisher[LIDAR_IMAGES],
                      const struct lidar_patience *patience)
{
    memset(images, 0, sizeof *images);
    images->metadata = metadata;
    images->frame_id = frame_id;
    images->patience = *patience;
    for (unsigned i = 0; i < LIDAR_IMAGES; i++) {
        const struct sl_image image = describe(metadata, (enum lidar_image)i, frame_id);
        images->publisher[i] = publisher[i];
        for (unsigned turn = 0; publisher[i] && turn < LIDAR_FRAMES_OPEN_MAX; turn++) {
            images->pixels[turn][i] = malloc(image.data_size);
            if (images->pixels[turn][i])
                continue;
            lidar_images_close(images);
            return sl_error(-ENOMEM, "lidar images: no memory");
        }
    }
    return 0;
}

void lidar_images_close(struct lidar_images *images)
{
    for (unsigned i = 0; i < LIDAR_FRAMES_OPEN_MAX * LIDAR_IMAGES; i++)
        free(images->pixels[i / LIDAR_IMAGES][i % LIDAR_IMAGES]);
    memset(images->pixels, 0, sizeof images->pixels);
}

static void put_pixel(uint8_t *to, unsigned pixel_bytes, uint32_t value)
{
    uint16_t half = (uint16_t)value;
    float metres = value > 0 ? (float)value * M_PER_MM : NAN;
    if (pixel_bytes == sizeof metres)
        memcpy(to, &metres, sizeof metres);
    else if (pixel_bytes == sizeof half)
        memcpy(to, &half, sizeof half);
    else
        *to = (uint8_t)value;
}

static void begin(void *context, unsigned turn)
{
    struct lidar_images *images = context;
    for (unsigned i = 0; i < LIDAR_IMAGES; i++) {
        uint8_t *pixels = images->pixels[turn][i];
        const struct sl_image image = describe(images->metadata, (enum lidar_image)i, "");
        unsigned pixel_bytes = lidar_image_kinds[i].pixel_bytes;
        for (size_t at = 0; pixels && at < image.data_size; at += pixel_bytes)
            put_pixel(pixels + at, pixel_bytes, 0);
    }
}

/* The pixels of one measured column, each into the column that it looks in. */
static void take_column(void *context, unsigned turn, unsigned measurement_id,
                        const uint8_t *pixels)
{
    struct lidar_images *images = context;
    const struct ouster_metadata *m = images->metadata;
    const struct ouster_profile *profile = m->format.profile;
    int width = m->format.frame_columns;
    for (unsigned i = 0; i < LIDAR_IMAGES; i++) {
        uint8_t *to = images->pixels[turn][i];
        const struct lidar_image_kind *kind = &lidar_image_kinds[i];
        for (unsigned beam = 0; to && beam < m->format.beams; beam++) {
            int column = ((int)measurement_id + m->pixel_shift[beam]) % width;
            size_t at = (size_t)beam * (unsigned)width + (unsigned)(column + (column < 0) * width);
            uint32_t value = ouster_pixel_field(
                profile, pixels + (size_t)beam * profile->pixel_bytes, kind->field);
            put_pixel(to + at * kind->pixel_bytes, kind->pixel_bytes, value);
        }
    }
}

static int publish(struct lidar_images *images, unsigned i, const uint8_t *pixels,
                   const struct lidar_frame_info *info)
{
    struct sl_image image = describe(images->metadata, (enum lidar_image)i, images->frame_id);
    uint32_t prefix = (uint32_t)sl_image_prefix_size(&image), offset = data_offset(&image);
    uint8_t before[PREFIX_MAX];
    struct sl_loan loan;
    image.stamp_ns = (int64_t)info->stamp_ns;
    int err = sl_image_write_prefix(&image, before, sizeof before);
    if (err == 0)
        err = lidar_publish_loan(&images->patience, images->publisher[i], &loan);
    if (err < 0)
        return err;
    memcpy((uint8_t *)loan.data + offset - prefix, before, prefix);
    sl_stream_copy((uint8_t *)loan.data + offset, pixels, image.data_size);
    sl_stream_fence();
    const struct sl_message message = {
        .stamp_ns = info->stamp_ns,
        .clock = lidar_publish_clock(info),
        .flags = info->partial ? SL_MESSAGE_PARTIAL : 0,
        .body_offset = offset - prefix,
        .body_length = prefix + image.data_size,
        .data_offset = offset,
        .data_length = image.data_size,
    };
    return sl_publisher_publish(images->publisher[i], &loan, &message);
}

static void close_turn(void *context, unsigned turn, const struct lidar_frame_info *info)
{
    struct lidar_images *images = context;
    for (unsigned i = 0; i < LIDAR_IMAGES; i++) {
        if (!images->publisher[i])
            continue;
        if (publish(images, i, images->pixels[turn][i], info) < 0)
            images->dropped++;
        else
            images->published++;
    }
}

struct ouster_pixel_sink lidar_images_sink(struct lidar_images *images)
{
    return (struct ouster_pixel_sink){
        .context = images, .begin = begin, .column = take_column, .close = close_turn};
}
