/* SPDX-License-Identifier: Apache-2.0 */
/* ros1_type.h - a known type of ROS 2 as ROS 1 has it: its name, definition and MD5 sum, and its
 * messages in ROS 1's serialisation.
 *
 * The types are nearly the same. In ROS 1 time and duration are kinds of their own, a Header begins
 * with a sequence number, CameraInfo's matrices are D, K, R and P, and constants, which our schemas
 * leave out, count in the sum. Serialised there is no encapsulation, no padding, and no NUL.
 *
 * Format:  wiki.ros.org/msg (definitions), genmsg's compute_md5_text (the sum)
 * Life:    make -> use -> finish
 * Owner:   the object owns its texts.
 * Threads: any; pure
 * Errors:  -ENOTSUP ROS 1 has no such type; -EBADMSG a body is no such message; -ENOMEM
 */
#ifndef SL_ROSBAG_COMPAT_ROS1_TYPE_H
#define SL_ROSBAG_COMPAT_ROS1_TYPE_H

#include "core/frame/schema.h"
#include "rosbag_compat/buffer.h"
#include "rosbag_compat/md5.h"

struct sl_ros1_type {
    char name[128];              /* "sensor_msgs/Imu" */
    char md5[SL_MD5_TEXT_BYTES]; /* hexadecimal */
    struct sl_buffer definition; /* with those of its parts, without a NUL */
};

int sl_ros1_type_make(const struct sl_schema *schema, struct sl_ros1_type *ret_type);
void sl_ros1_type_finish(struct sl_ros1_type *type);

/* Append a CDR body as ROS 1 serialises it. `sequence` goes into the message's own header. */
int sl_ros1_from_cdr(const struct sl_schema *schema, const void *body, size_t size_bytes,
                     uint32_t sequence, struct sl_buffer *to);

#endif
