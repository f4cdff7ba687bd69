/* SPDX-License-Identifier: Apache-2.0 */
/* transforms.h - tf2_msgs/msg/TFMessage: where coordinate frames stand in others.
 *
 * Life, owner, threads, errors: see message.h.
 */
#ifndef SL_FRAME_TRANSFORMS_H
#define SL_FRAME_TRANSFORMS_H

#include "core/frame/message.h"

/* Takes points of the child's frame to the frame: p = R(rotation) p_child + translation. */
struct sl_transform {
    int64_t stamp_ns;
    struct sl_text frame_id;
    struct sl_text child_frame_id;
    double translation[3]; /* m */
    double rotation[4];    /* x y z w, of length 1 */
};

/* Reads at most `max` of them. Returns how many there are in the body, which may be more. */
int sl_transforms_read(const void *body, size_t size, unsigned max,
                       struct sl_transform *ret_transforms);

int sl_transforms_write(const struct sl_transform *transforms, unsigned count, void *to,
                        size_t room, size_t *ret_size);

#endif
