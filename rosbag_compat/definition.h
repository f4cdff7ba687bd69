/* SPDX-License-Identifier: Apache-2.0 */
/* definition.h - message types by the definition that a log brings with it ("ros1msg", "ros2msg").
 *
 * The text is the .msg file of the type, and behind it those of the types in it, each after a line
 * of
 * '=' and a line "MSG: package/Type". It becomes a schema as core/frame/schema.h has them, so that
 * walking and printing are the same as for types that are built in. time and duration of ROS 1 are
 * messages of sec and nanosec; a type without members has one byte in CDR, as ROS 2 has it.
 *
 * Life:    parse -> use -> destroy.
 * Owner:   the object owns its schemas and copies of all names.
 * Threads: reading from any.
 * Errors:  -EBADMSG with the line; -ENOTSUP for what the schemas cannot say (wstring, more than
 *          SL_SCHEMA_MEMBERS_MAX members, deeper than SL_SCHEMA_DEPTH_MAX, types that hold
 *          themselves); -ENOMEM.
 */
#ifndef SL_ROSBAG_COMPAT_DEFINITION_H
#define SL_ROSBAG_COMPAT_DEFINITION_H

#include "core/frame/schema.h"

#include <stddef.h>

#define SL_DEFINITION_TYPES_MAX 256

struct sl_definition;
/* `type` names the first message: "sensor_msgs/msg/Imu" or "sensor_msgs/Imu". */
int sl_definition_parse(const char *type, const char *text, size_t size_bytes,
                        struct sl_definition **ret_definition);
const struct sl_schema *sl_definition_schema(const struct sl_definition *definition);
void sl_definition_destroy(struct sl_definition *definition); /* NULL is fine */

#endif
