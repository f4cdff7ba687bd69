/* SPDX-License-Identifier: Apache-2.0 */
/* message.h - what the typed messages share: their names, their stamps, their headers.
 *
 * Each message is a struct of values and of texts and data that are pointed to. sl_<message>_read
 * fills it from a body in either byte order, without copying text or data; every number is copied
 * out once and checked there, so what a peer changes later changes no decision. sl_<message>_write
 * makes a body from it. A message with large data (cloud, image, scan) is instead written around
 * the data, which already stands in its slot.
 *
 * Life:    values on the stack; nothing to free, nothing is allocated.
 * Owner:   text and data belong to the body (read) or to the caller (write).
 * Threads: any; there is no state.
 * Errors:  -EBADMSG  the bytes are no such message (read)
 *          -ENOSPC   it does not fit into the room (write)
 *          -EINVAL   the struct contradicts itself (write)
 *          -ERANGE   a stamp that a message cannot carry (write)
 *          On failure the out-parameter is untouched; what was written is to be thrown away.
 * Layouts: the .msg files of ROS 2's common_interfaces, and of velodyne_msgs and nebula_msgs.
 */
#ifndef SL_FRAME_MESSAGE_H
#define SL_FRAME_MESSAGE_H

#include "core/frame/cdr.h"

#define SL_TYPE_POINTCLOUD2    "sensor_msgs/msg/PointCloud2"
#define SL_TYPE_IMAGE          "sensor_msgs/msg/Image"
#define SL_TYPE_CAMERA_INFO    "sensor_msgs/msg/CameraInfo"
#define SL_TYPE_IMU            "sensor_msgs/msg/Imu"
#define SL_TYPE_NAVSATFIX      "sensor_msgs/msg/NavSatFix"
#define SL_TYPE_LASER_SCAN     "sensor_msgs/msg/LaserScan"
#define SL_TYPE_TRANSFORMS     "tf2_msgs/msg/TFMessage"
#define SL_TYPE_VELODYNE_SCAN  "velodyne_msgs/msg/VelodyneScan"
#define SL_TYPE_NEBULA_PACKETS "nebula_msgs/msg/NebulaPackets"

/* A message's time is i32 seconds since 1970 and u32 nanoseconds; ours is nanoseconds since 1970.
 * Splitting takes 0 to 2^31 s, the end of January 2038, and gives -ERANGE for anything else: an
 * earlier time is in practice a difference that went wrong. Joining takes what there is, negative
 * seconds and nanoseconds of a second and more too; an int64_t holds all of them. */
int sl_stamp_split(int64_t stamp_ns, int32_t *ret_sec, uint32_t *ret_nanosec);
int64_t sl_stamp_join(int32_t sec, uint32_t nanosec);

/* builtin_interfaces/msg/Time and std_msgs/msg/Header, for those who write messages of their own.
 * Writers return 0 or -ERANGE. */
int64_t sl_stamp_read(struct sl_cdr_reader *r);
int sl_stamp_write(struct sl_cdr_writer *w, int64_t stamp_ns);
void sl_header_read(struct sl_cdr_reader *r, int64_t *ret_stamp_ns, struct sl_text *ret_frame_id);
int sl_header_write(struct sl_cdr_writer *w, int64_t stamp_ns, struct sl_text frame_id);
/* The offset, counted from the body's start, at which a header that is the first member ends. */
size_t sl_header_end(struct sl_text frame_id);

/* 0, or -EBADMSG with a sentence that names the type and the byte at which reading failed. */
int sl_message_read_result(const struct sl_cdr_reader *r, const char *type);
/* 0, or -ENOSPC with a sentence that names the type and the room. */
int sl_message_write_result(const struct sl_cdr_writer *w, const char *type);

#endif
