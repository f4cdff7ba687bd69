/* SPDX-License-Identifier: Apache-2.0 */
/* ros1_type.c - a known type's name, and behind the first 0 a CDR body of it, to be written as ROS
 * 1 has it: possible for just those that walking finds whole.
 */
#include "rosbag_compat/ros1_type.h"
#include "core/frame/walk.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    const uint8_t *zero = size_bytes ? memchr(bytes, 0, size_bytes) : NULL;
    const struct sl_schema *schema = zero ? sl_schema_find((const char *)bytes) : NULL;
    struct sl_buffer ros1 = {0};
    if (!schema)
        return 0;
    const uint8_t *body = zero + 1;
    size_t body_size = size_bytes - (size_t)(body - bytes);
    int err = sl_ros1_from_cdr(schema, body, body_size, 1, &ros1);
    if ((err == 0) != (sl_message_walk(schema, body, body_size, NULL, NULL) == 0))
        abort();
    sl_buffer_finish(&ros1);
    return 0;
}
