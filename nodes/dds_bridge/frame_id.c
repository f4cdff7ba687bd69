/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes/dds_bridge/frame_id.h"

#include "core/base/error.h"
#include "core/frame/message.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What stands between the header and the first place from which all follows in steps of `step`:
 * b, h, i are numbers of 1, 2, 4 bytes, s is a string. */
struct frame_layout {
    const char *type;
    const char *members;
    size_t step;
};

static const struct frame_layout layouts[] = {
    {SL_TYPE_POINTCLOUD2, "", 4},
    {SL_TYPE_IMAGE, "", 4},
    {"sensor_msgs/msg/CompressedImage", "", 4},
    {SL_TYPE_LASER_SCAN, "", 4},
    {SL_TYPE_VELODYNE_SCAN, "", 4},
    {SL_TYPE_NEBULA_PACKETS, "", 4},
    {SL_TYPE_IMU, "", 8},
    {SL_TYPE_NAVSATFIX, "bh", 8},     /* status */
    {SL_TYPE_CAMERA_INFO, "iisi", 8}, /* size, model, count of d */
    {"sensor_msgs/msg/MagneticField", "", 8},
    {"geometry_msgs/msg/TransformStamped", "s", 8}, /* child_frame_id */
    {"geometry_msgs/msg/PointStamped", "", 8},
    {"geometry_msgs/msg/PoseStamped", "", 8},
    {"geometry_msgs/msg/PoseWithCovarianceStamped", "", 8},
    {"geometry_msgs/msg/TwistStamped", "", 8},
    {"geometry_msgs/msg/TwistWithCovarianceStamped", "", 8},
    {"geometry_msgs/msg/Vector3Stamped", "", 8},
    {"nav_msgs/msg/Odometry", "s", 8}, /* child_frame_id */
};

const struct frame_layout *frame_layout_of(const char *type)
{
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
        if (strcmp(layouts[i].type, type) == 0)
            return &layouts[i];
    return NULL;
}

/* Bytes of one member as they stand; they begin at a multiple of `step` on both sides. */
static const uint8_t *carry(struct sl_cdr_reader *from, struct sl_cdr_writer *to, size_t step,
                            size_t size)
{
    sl_cdr_align(from, step);
    const uint8_t *bytes = sl_reader_take(&from->bytes, size);
    sl_cdr_pad(to, step);
    if (bytes)
        sl_writer_bytes(&to->bytes, bytes, size);
    return bytes;
}

static void carry_text(struct sl_cdr_reader *from, struct sl_cdr_writer *to)
{
    const uint8_t *size = carry(from, to, 4, 4);
    if (size)
        carry(from, to, 1, from->big_endian ? sl_get_be32(size) : sl_get_le32(size));
}

static void carry_members(const char *members, struct sl_cdr_reader *from, struct sl_cdr_writer *to)
{
    for (const char *m = members; *m; m++) {
        size_t size = *m == 'b' ? 1 : *m == 'h' ? 2 : 4;
        if (*m == 's')
            carry_text(from, to);
        else
            carry(from, to, size, size);
    }
}

/* In the message's byte order, which is not always the writer's. */
static void put_text(struct sl_cdr_writer *w, bool big_endian, const char *text)
{
    uint32_t size = (uint32_t)strlen(text) + 1;
    uint8_t number[4];
    if (big_endian)
        sl_put_be32(number, size);
    else
        sl_put_le32(number, size);
    sl_cdr_pad(w, 4);
    sl_writer_bytes(&w->bytes, number, sizeof number);
    sl_writer_bytes(&w->bytes, text, size);
}

static int make_name(const char *name, struct sl_text old, char ret_name[FRAME_ID_MAX])
{
    const char *star = strchr(name, '*');
    int before = (int)(star ? star - name : (ptrdiff_t)strlen(name));
    const char *after = star ? star + 1 : "";
    if (!star)
        old = sl_text("");
    if (old.size > FRAME_ID_MAX || (old.size > 0 && memchr(old.at, '\0', old.size)))
        return sl_error(-EBADMSG, "its frame_id has %zu bytes, or a NUL among them", old.size);
    int length =
        snprintf(ret_name, FRAME_ID_MAX, "%.*s%.*s%s", before, name, SL_TEXT_ARGS(old), after);
    if (length >= FRAME_ID_MAX)
        return sl_error(-EBADMSG, "its frame_id would have %d bytes; there are at most %d", length,
                        FRAME_ID_MAX - 1);
    return 0;
}

int frame_head_make(const struct frame_layout *layout, const char *name, const void *body,
                    size_t size_bytes, struct frame_head *ret_head)
{
    char full[FRAME_ID_MAX];
    struct sl_cdr_reader from;
    int err = sl_cdr_read(body, size_bytes, &from);
    if (err < 0)
        return err;
    struct sl_cdr_writer to = sl_cdr_write(ret_head->bytes, sizeof ret_head->bytes);
    memcpy(ret_head->bytes, body, SL_CDR_HEADER_SIZE);
    carry(&from, &to, 4, 8); /* the stamp */
    struct sl_text old = sl_cdr_text(&from);
    err = sl_message_read_result(&from, layout->type);
    if (err == 0)
        err = make_name(name, old, full);
    if (err < 0)
        return err;
    put_text(&to, from.big_endian, full);
    carry_members(layout->members, &from, &to);
    sl_cdr_align(&from, layout->step);
    sl_cdr_pad(&to, layout->step);
    err = sl_message_read_result(&from, layout->type);
    if (err < 0)
        return err;
    if (to.bytes.failed)
        return sl_error(-EBADMSG, "%s: what stands before its data has more than %d bytes",
                        layout->type, FRAME_HEAD_MAX);
    ret_head->replaces = SL_CDR_HEADER_SIZE + sl_reader_offset(&from.bytes);
    ret_head->size_bytes = sl_cdr_written(&to);
    return 0;
}
