/* SPDX-License-Identifier: Apache-2.0 */
/* image.h - sensor_msgs/msg/Image, written before pixels that already stand in a slot, and
 * sensor_msgs/msg/CameraInfo.
 *
 *   | 00 01 00 00 | stamp, frame_id, height, width, encoding, is_bigendian, step, size | data ... |
 *   |<------------------------------ prefix, 0 mod 4 --------------------------------->|
 *
 * The prefix is right-justified before the data: it starts at data_offset - prefix_size of the
 * slot. Nothing follows the data but the slot's padding to 4, which the slot's owner keeps zero.
 *
 * Life, owner, threads, errors: see message.h.
 */
#ifndef SL_FRAME_IMAGE_H
#define SL_FRAME_IMAGE_H

#include "core/frame/message.h"

struct sl_image {
    int64_t stamp_ns;
    struct sl_text frame_id;
    uint32_t height;
    uint32_t width;
    struct sl_text encoding; /* "rgb8", "mono8", "bayer_rggb8", ... */
    bool is_bigendian;       /* of the pixels, not of the body */
    uint32_t step;           /* bytes from row to row */
    uint32_t data_size;
    const uint8_t *data; /* not looked at by the writer */
};

/* Accepted if data has at least step x height bytes (planar encodings have more) and a picture that
 * has pixels has a step. Whether `step` holds `width` pixels depends on the encoding and is the
 * business of who looks at them. */
int sl_image_read(const void *body, size_t size, struct sl_image *ret_image);

/* Bytes before the data, a multiple of 4. Depends on frame_id and encoding only. */
size_t sl_image_prefix_size(const struct sl_image *image);

/* Write the prefix, exactly sl_image_prefix_size bytes, at `to`. Returns 0, -ENOSPC, -EINVAL if
 * data_size is less than step x height, -ERANGE, or -EOVERFLOW if the body would have 4 GiB or
 * more. */
int sl_image_write_prefix(const struct sl_image *image, void *to, size_t room);

/* The finished body: prefix and data. */
size_t sl_image_body_size(const struct sl_image *image);

/* Distortion parameters a camera may have here; the models in use have 0 to 14. */
#define SL_CAMERA_DISTORTION_MAX 32

struct sl_camera_info {
    int64_t stamp_ns;
    struct sl_text frame_id;
    uint32_t height;
    uint32_t width;
    struct sl_text distortion_model; /* "plumb_bob", "rational_polynomial", "equidistant" */
    uint32_t distortion_count;
    double distortion[SL_CAMERA_DISTORTION_MAX]; /* D */
    double intrinsic[9];                         /* K, 3 x 3, row by row */
    double rectification[9];                     /* R, 3 x 3 */
    double projection[12];                       /* P, 3 x 4 */
    uint32_t binning_x;                          /* 0 means 1 */
    uint32_t binning_y;
    struct {
        uint32_t x_offset, y_offset, height, width; /* all 0: the whole picture */
        bool do_rectify;
    } roi;
};

int sl_camera_info_read(const void *body, size_t size, struct sl_camera_info *ret_info);

/* Write the whole body; its size goes to ret_size. */
int sl_camera_info_write(const struct sl_camera_info *info, void *to, size_t room,
                         size_t *ret_size);

#endif
