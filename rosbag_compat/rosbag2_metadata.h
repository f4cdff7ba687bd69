/* SPDX-License-Identifier: Apache-2.0 */
/* rosbag2_metadata.h - metadata.yaml of a rosbag2 folder, versions 1 to 9.
 *
 * What each version brought: 3 compression_format and compression_mode; 4 offered_qos_profiles, as
 * a text that holds YAML; 5 files; 6 custom_data; 7 type_description_hash; 8 ros_distro; 9
 * offered_qos_profiles as a list whose policies are words.
 *
 * Life:    parse -> finish; or filled by the caller -> format.
 * Owner:   what parse filled is the object's own.
 * Threads: any; pure.
 * Errors:  -EBADMSG or -EINVAL with FILE:LINE:COLUMN; -ENOTSUP for a version that is not known.
 */
#ifndef SL_ROSBAG_COMPAT_ROSBAG2_METADATA_H
#define SL_ROSBAG_COMPAT_ROSBAG2_METADATA_H

#include "rosbag_compat/buffer.h"

#include <stdint.h>

#define SL_ROSBAG2_VERSION_MAX 9
#define SL_ROSBAG2_FILES_MAX   65536

/* Texts are never NULL after parsing. */
struct sl_rosbag2_topic {
    const char *name, *type, *encoding, *qos, *type_hash;
    uint64_t message_count;
};
struct sl_rosbag2_file {
    const char *path;                              /* as it is written */
    uint64_t first_ns, duration_ns, message_count; /* 0 before version 5 */
};
struct sl_rosbag2_metadata {
    int version;
    const char *storage; /* "sqlite3", "mcap" */
    const char *compression_format, *compression_mode, *ros_distro;
    uint64_t first_ns, duration_ns, message_count;
    struct sl_rosbag2_topic *topics;
    unsigned topic_count;
    struct sl_rosbag2_file *files;
    unsigned file_count;
    void *memory;
};

int sl_rosbag2_metadata_parse(const char *name, const char *text, size_t size_bytes,
                              struct sl_rosbag2_metadata *ret_metadata);
void sl_rosbag2_metadata_finish(struct sl_rosbag2_metadata *metadata);

/* Append the document, as version `metadata->version` (2 and up) has it. */
void sl_rosbag2_metadata_format(const struct sl_rosbag2_metadata *metadata, struct sl_buffer *to);

#endif
