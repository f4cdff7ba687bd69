/* SPDX-License-Identifier: Apache-2.0 */
/* ros1_records.h - the records of a ROS 1 bag, version 2.0 (https://wiki.ros.org/Bags/Format/2.0).
 *
 *     "#ROSBAG V2.0\n" | record ...
 *     record = u32 header bytes | header | u32 data bytes | data
 *     header = fields, in any order; field = u32 bytes | name '=' value (any bytes)
 *
 *     op 3 file header  index_pos u64, conn_count u32, chunk_count u32; data: padding to 4096
 *     op 5 chunk        compression, size u32 (of the data decompressed); data: records of op 7, 2
 *     op 7 connection   conn u32, topic; data: fields (topic, type, md5sum, message_definition,
 * ...) op 2 message      conn u32, time; data: the body op 4 index        ver u32 = 1, conn u32,
 * count u32; data: count * (time, u32 offset in the chunk) op 6 chunk info   ver u32 = 1, chunk_pos
 * u64, start_time, end_time, count u32; data: count * (u32 conn, u32 messages) time = u32 seconds,
 * u32 nanoseconds; all little endian
 *
 * Threads: any; pure.
 */
#ifndef SL_ROSBAG_COMPAT_ROS1_RECORDS_H
#define SL_ROSBAG_COMPAT_ROS1_RECORDS_H

#include "core/base/bytes.h"
#include "core/frame/cdr.h"

#define SL_ROS1_MAGIC            "#ROSBAG V2.0\n"
#define SL_ROS1_MAGIC_BYTES      13
#define SL_ROS1_FILE_HEADER_ROOM 4096 /* header and data together */
#define SL_ROS1_HEADER_MAX_BYTES 4096 /* of records in files; theirs have about 100 */

enum sl_ros1_op {
    SL_ROS1_MESSAGE = 2,
    SL_ROS1_FILE_HEADER = 3,
    SL_ROS1_INDEX = 4,
    SL_ROS1_CHUNK = 5,
    SL_ROS1_CHUNK_INFO = 6,
    SL_ROS1_CONNECTION = 7,
};

/* What a record's header holds; what is not there is 0. */
struct sl_ros1_header {
    uint8_t op;
    uint32_t conn, count, size, ver, conn_count, chunk_count;
    uint64_t index_pos, chunk_pos;
    uint64_t time_ns, start_ns, end_ns;
    struct sl_text topic, compression, encryptor;
};

/* -EBADMSG if the fields do not fit, or there is no op. */
int sl_ros1_read_header(struct sl_reader fields, struct sl_ros1_header *ret);

/* The next field: 1, 0 at the end, -EBADMSG. */
int sl_ros1_next_field(struct sl_reader *fields, struct sl_text *ret_name,
                       struct sl_text *ret_value);

/* The next record of a range: 1, 0 at its end, -EBADMSG if it is cut off or none, with the reader
 * left where it begins. */
int sl_ros1_next_record(struct sl_reader *r, struct sl_ros1_header *ret_header,
                        struct sl_reader *ret_data);

uint64_t sl_ros1_time(struct sl_reader *r);

#endif
