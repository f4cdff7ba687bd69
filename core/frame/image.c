/* SPDX-License-Identifier: Apache-2.0 */
#include "core/frame/image.h"

#include "core/base/error.h"

#include <errno.h>
#include <inttypes.h>

static int check_image(const struct sl_image *image, int err)
{
    bool has_pixels = image->width > 0 && image->height > 0;
    if ((uint64_t)image->step * image->height > image->data_size || (has_pixels && !image->step))
        return sl_error(err,
                        SL_TYPE_IMAGE ": %" PRIu32 " x %" PRIu32 " pixels in rows of %" PRIu32
                                      " bytes do not lie in %" PRIu32 " bytes of data",
                        image->width, image->height, image->step, image->data_size);
    return 0;
}

int sl_image_read(const void *body, size_t size, struct sl_image *ret_image)
{
    struct sl_cdr_reader r;
    int err = sl_cdr_read(body, size, &r);
    if (err < 0)
        return err;
    struct sl_image image;
    sl_header_read(&r, &image.stamp_ns, &image.frame_id);
    image.height = sl_cdr_u32(&r);
    image.width = sl_cdr_u32(&r);
    image.encoding = sl_cdr_text(&r);
    image.is_bigendian = sl_cdr_u8(&r) != 0;
    image.step = sl_cdr_u32(&r);
    image.data_size = sl_cdr_count(&r, 1);
    image.data = sl_reader_take(&r.bytes, image.data_size);
    err = sl_message_read_result(&r, SL_TYPE_IMAGE);
    if (err == 0)
        err = check_image(&image, -EBADMSG);
    if (err < 0)
        return err;
    *ret_image = image;
    return 0;
}

size_t sl_image_prefix_size(const struct sl_image *image)
{
    /* All alignments here are 4 at most, so offsets may be counted from the body's start. */
    size_t at = sl_cdr_aligned(sl_header_end(image->frame_id), 4);
    at += 4 + 4;                                     /* height, width */
    at = sl_cdr_after_text(at, image->encoding) + 1; /* is_bigendian */
    return sl_cdr_aligned(at, 4) + 4 + 4;            /* step, size of data */
}

int sl_image_write_prefix(const struct sl_image *image, void *to, size_t room)
{
    int err = check_image(image, -EINVAL);
    if (err < 0)
        return err;
    if (sl_image_body_size(image) > UINT32_MAX)
        return sl_error(-EOVERFLOW, SL_TYPE_IMAGE ": a body of 4 GiB or more");
    struct sl_cdr_writer w = sl_cdr_write(to, room);
    err = sl_header_write(&w, image->stamp_ns, image->frame_id);
    if (err < 0)
        return err;
    sl_cdr_put_u32(&w, image->height);
    sl_cdr_put_u32(&w, image->width);
    sl_cdr_put_text(&w, image->encoding);
    sl_cdr_put_u8(&w, image->is_bigendian);
    sl_cdr_put_u32(&w, image->step);
    sl_cdr_put_u32(&w, image->data_size);
    return sl_message_write_result(&w, SL_TYPE_IMAGE);
}

size_t sl_image_body_size(const struct sl_image *image)
{
    return sl_image_prefix_size(image) + image->data_size;
}

static void read_distortion(struct sl_cdr_reader *r, struct sl_camera_info *info)
{
    info->distortion_count = sl_cdr_count(r, sizeof(double));
    if (info->distortion_count > SL_CAMERA_DISTORTION_MAX) {
        r->bytes.failed = true;
        return;
    }
    sl_cdr_f64s(r, info->distortion, info->distortion_count);
}

int sl_camera_info_read(const void *body, size_t size, struct sl_camera_info *ret_info)
{
    struct sl_cdr_reader r;
    int err = sl_cdr_read(body, size, &r);
    if (err < 0)
        return err;
    struct sl_camera_info info = {0};
    sl_header_read(&r, &info.stamp_ns, &info.frame_id);
    info.height = sl_cdr_u32(&r);
    info.width = sl_cdr_u32(&r);
    info.distortion_model = sl_cdr_text(&r);
    read_distortion(&r, &info);
    sl_cdr_f64s(&r, info.intrinsic, 9);
    sl_cdr_f64s(&r, info.rectification, 9);
    sl_cdr_f64s(&r, info.projection, 12);
    info.binning_x = sl_cdr_u32(&r);
    info.binning_y = sl_cdr_u32(&r);
    info.roi.x_offset = sl_cdr_u32(&r);
    info.roi.y_offset = sl_cdr_u32(&r);
    info.roi.height = sl_cdr_u32(&r);
    info.roi.width = sl_cdr_u32(&r);
    info.roi.do_rectify = sl_cdr_u8(&r) != 0;
    err = sl_message_read_result(&r, SL_TYPE_CAMERA_INFO);
    if (err < 0)
        return err;
    *ret_info = info;
    return 0;
}

int sl_camera_info_write(const struct sl_camera_info *info, void *to, size_t room, size_t *ret_size)
{
    if (info->distortion_count > SL_CAMERA_DISTORTION_MAX)
        return sl_error(-EINVAL,
                        SL_TYPE_CAMERA_INFO ": %" PRIu32 " distortion parameters; at most %d",
                        info->distortion_count, SL_CAMERA_DISTORTION_MAX);
    struct sl_cdr_writer w = sl_cdr_write(to, room);
    int err = sl_header_write(&w, info->stamp_ns, info->frame_id);
    if (err < 0)
        return err;
    sl_cdr_put_u32(&w, info->height);
    sl_cdr_put_u32(&w, info->width);
    sl_cdr_put_text(&w, info->distortion_model);
    sl_cdr_put_u32(&w, info->distortion_count);
    sl_cdr_put_f64s(&w, info->distortion, info->distortion_count);
    sl_cdr_put_f64s(&w, info->intrinsic, 9);
    sl_cdr_put_f64s(&w, info->rectification, 9);
    sl_cdr_put_f64s(&w, info->projection, 12);
    sl_cdr_put_u32(&w, info->binning_x);
    sl_cdr_put_u32(&w, info->binning_y);
    sl_cdr_put_u32(&w, info->roi.x_offset);
    sl_cdr_put_u32(&w, info->roi.y_offset);
    sl_cdr_put_u32(&w, info->roi.height);
    sl_cdr_put_u32(&w, info->roi.width);
    sl_cdr_put_u8(&w, info->roi.do_rectify);
    err = sl_message_write_result(&w, SL_TYPE_CAMERA_INFO);
    if (err < 0)
        return err;
    *ret_size = sl_cdr_written(&w);
    return 0;
}
