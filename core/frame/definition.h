/* SPDX-License-Identifier: Apache-2.0 */
/* definition.h - a known type as text, the way recorded logs carry it ("ros2msg"): the lines of its
 * .msg file, and behind a line of 80 '=' and one "MSG: std_msgs/Header" those of each type that it
 * is made of. Comments and constants, which no decoder needs, are left out.
 *
 * Format:  MCAP's registry of schema encodings, "ros2msg"
 * Threads: any; pure
 */
#ifndef SL_FRAME_DEFINITION_H
#define SL_FRAME_DEFINITION_H

#include "core/frame/schema.h"

/* As snprintf: at most `size` bytes with the NUL are written, the length that it has is returned.
 */
size_t sl_definition_write(const struct sl_schema *schema, char *to, size_t size);

#endif
