/* SPDX-License-Identifier: Apache-2.0 */
/* publish_images.h - what an Ouster measured, as pictures: a row a beam, from the highest down, a
 * column a direction.
 *
 *      range_image    32FC1   m along the beam; NaN = nothing came back
 *      signal_image   mono16  photons
 *      reflec_image   mono8   reflectivity
 *      nearir_image   mono16  photons that were not the sensor's own
 *
 * and with a 2 behind them those of a second return (of near infrared there is one). The beams of a
 * measured column look in slightly different directions; the metadata's pixel shifts put each pixel
 * into the column of its own, as Ouster's tools do. Columns are those of the whole turn, also where
 * the sensor looks through a window: what was not measured is NaN or 0. Filters are for points;
 * pictures are raw.
 *
 * A picture is made beside the slot and copied there when its turn is whole: pixels come column by
 * column, and slots are written in order.
 *
 * Life:    lidar_images_open -> the decoder's calls -> lidar_images_close
 * Owner:   the caller's memory; pixels on the heap, allocated once; publishers stay the caller's.
 * Threads: the publishing one.
 * Errors:  of open: -ENOMEM. Of what comes later none are returned; what could not be published is
 *          counted.
 */
#ifndef SL_DRIVERS_LIDAR_PUBLISH_IMAGES_H
#define SL_DRIVERS_LIDAR_PUBLISH_IMAGES_H

#include "core/shm/sluice.h"
#include "drivers/lidar/ouster_frames.h"
#include "drivers/lidar/publish.h"

enum lidar_image {
    LIDAR_IMAGE_RANGE,
    LIDAR_IMAGE_SIGNAL,
    LIDAR_IMAGE_REFLECTIVITY,
    LIDAR_IMAGE_NEAR_IR,
    LIDAR_IMAGE_RANGE2,
    LIDAR_IMAGE_SIGNAL2,
    LIDAR_IMAGE_REFLECTIVITY2,
    LIDAR_IMAGES,
};

struct lidar_image_kind {
    const char *option; /* as a person asks for it; NULL = comes with the first return's */
    const char *topic;
    const char *encoding;
    uint8_t pixel_bytes;
    enum ouster_field field;
};
extern const struct lidar_image_kind lidar_image_kinds[LIDAR_IMAGES];

/* Does the profile have it? */
static inline bool lidar_image_exists(const struct ouster_profile *profile, enum lidar_image image)
{
    return profile->field[lidar_image_kinds[image].field].width > 0;
}

/* Bytes that a slot must hold. */
uint64_t lidar_image_slot_bytes(const struct ouster_metadata *metadata, enum lidar_image image,
                                const char *frame_id);

struct lidar_images {
    const struct ouster_metadata *metadata;
    const char *frame_id;
    struct lidar_patience patience;
    struct sl_publisher *publisher[LIDAR_IMAGES];         /* NULL = is not wanted */
    uint8_t *pixels[LIDAR_FRAMES_OPEN_MAX][LIDAR_IMAGES]; /* of the turns that are open */
    uint64_t published, dropped;
};

/* `metadata` and `frame_id` must outlive it. */
int lidar_images_open(struct lidar_images *images, const struct ouster_metadata *metadata,
                      const char *frame_id, struct sl_publisher *const publisher[LIDAR_IMAGES],
                      const struct lidar_patience *patience);
struct ouster_pixel_sink lidar_images_sink(struct lidar_images *images);

/* Zeros are right. */
void lidar_images_close(struct lidar_images *images);

#endif
