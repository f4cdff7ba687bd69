/* SPDX-License-Identifier: Apache-2.0 */
/* frame_id.h - another frame_id in a message, by another beginning of its body.
 *
 *   | encapsulation | stamp | frame_id | members | ... as it stands, where it stands |
 *   `------------- made anew: the head ----------´
 *
 * What follows the head is not touched, so the head may grow and shrink by steps of 4 bytes only,
 * of 8 where numbers of 8 bytes follow: padding sees to that, and members that do not begin at such
 * a step are of the head (a NavSatFix's status; a CameraInfo's size and distortion model).
 *
 * Life:    values; nothing to free.
 * Threads: any; pure.
 * Layouts: the .msg files of ROS 2's common_interfaces, and of velodyne_msgs and nebula_msgs.
 */
#ifndef SL_NODES_DDS_BRIDGE_FRAME_ID_H
#define SL_NODES_DDS_BRIDGE_FRAME_ID_H

#include <stddef.h>

#define FRAME_ID_MAX   256 /* bytes of a frame_id that is made here, with its NUL */
#define FRAME_HEAD_MAX 1024
#define FRAME_GROWTH   512 /* a head is never longer by more than the one it replaces */

/* How messages of a type begin. */
struct frame_layout;

/* NULL: such a message has no header as its first member, or what follows it is not known here. */
const struct frame_layout *frame_layout_of(const char *type);

struct frame_head {
    size_t replaces;   /* so many bytes of the body are left out, */
    size_t size_bytes; /* and these stand there */
    unsigned char bytes[FRAME_HEAD_MAX];
};

/* `body` is the beginning of a body: FRAME_HEAD_MAX bytes, or all there are; in either byte order.
 * A '*' in `name` stands for the frame_id that it has.
 * -EBADMSG: it is no such message, or its frame_id is too long; with a sentence. What *ret_head
 * then holds is nothing. */
int frame_head_make(const struct frame_layout *layout, const char *name, const void *body,
                    size_t size_bytes, struct frame_head *ret_head);

#endif
