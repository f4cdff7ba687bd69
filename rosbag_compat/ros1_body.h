/* SPDX-License-Identifier: Apache-2.0 */
/* ros1_body.h - a message as ROS 1 serialises it (no padding, texts without a NUL, a number in each
 * header) as a body of CDR.
 *
 *   ROS 1   | seq | stamp, frame_id, height ... | points ........... | is_dense |
 *   CDR     | 00 01 00 00 | stamp, frame_id, height ... | (the same) | is_dense |
 *           |<------------- own ----------------------->|  in place  |<-- own ->|
 *
 * Large lists of numbers are the same bytes in both, so they may stay where they are, and what is
 * around them is made anew: a gather list.
 *
 * Life:    calls; nothing is kept.
 * Owner:   bodies are the caller's; what is made is appended to the caller's buffer.
 * Threads: any.
 * Errors:  -EBADMSG it is no such message; -ENOMEM.
 */
#ifndef SL_ROSBAG_COMPAT_ROS1_BODY_H
#define SL_ROSBAG_COMPAT_ROS1_BODY_H

#include "core/frame/schema.h"
#include "rosbag_compat/buffer.h"

#define SL_CDR_PIECES_MAX 4 /* ranges of a gathered body */

/* A part of a body, one behind the other. */
struct sl_cdr_piece {
    bool in_place; /* of the ROS 1 body; else of the buffer, counted from its end as it was */
    size_t offset, size_bytes;
};

struct sl_cdr_pieces {
    struct sl_cdr_piece piece[SL_CDR_PIECES_MAX];
    unsigned count;
    size_t size_bytes; /* of the whole body */
};

/* The type of ROS 2 that a type of ROS 1 became ("sensor_msgs/Imu", "tf/tfMessage"), if it is built
 * in and `ros1`, which the log defines, has its members: names (D or d), kinds and order. NULL if
 * not. */
const struct sl_schema *sl_ros1_became(const char *type, const struct sl_schema *ros1);

/* A body of ROS 1, by the type as ROS 1 defines it, as the type that it became: without the numbers
 * of headers. Lists of numbers from `least_bytes` on stay in place as far as there are pieces;
 * SIZE_MAX: everything is made anew, in one piece. */
int sl_ros1_to_cdr(const struct sl_schema *ros1, const void *body, size_t size_bytes,
                   size_t least_bytes, struct sl_buffer *own, struct sl_cdr_pieces *ret_pieces);

/* The same in one piece and with every member, the numbers of headers too, so that `schema` reads
 * it. */
int sl_definition_to_cdr(const struct sl_schema *schema, const void *body, size_t size_bytes,
                         struct sl_buffer *to);

#endif
