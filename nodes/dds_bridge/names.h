/* SPDX-License-Identifier: Apache-2.0 */
/* names.h - the names that ROS 2 gives its topics and types in DDS.
 *
 *   /lidar/points                  <->  rt/lidar/points
 *   sensor_msgs/msg/PointCloud2    <->  sensor_msgs::msg::dds_::PointCloud2_
 *   example/Bytes (no third part)  <->  example::Bytes
 *
 * Threads: any; pure.
 * Errors:  -EINVAL with a sentence; the out-parameter is untouched.
 * Source:  ROS 2's design documents "Topic and Service name mapping to DDS" and "Mapping between
 * ROS interface types and DDS IDL types".
 */
#ifndef SL_NODES_DDS_BRIDGE_NAMES_H
#define SL_NODES_DDS_BRIDGE_NAMES_H

#include "core/shm/sluice.h"

#define BRIDGE_TOPIC_MAX (SL_TOPIC_MAX + 2)  /* "rt" before it */
#define BRIDGE_TYPE_MAX  (SL_TYPE_MAX + 128) /* "::" for each '/' */

/* -EINVAL: it has a character that DDS does not allow: not a letter, a digit, '_' or '/'. */
int bridge_topic_to_dds(const char *topic, char ret_topic[BRIDGE_TOPIC_MAX]);
int bridge_type_to_dds(const char *type, char ret_type[BRIDGE_TYPE_MAX]);

/* -EINVAL: it is no topic of ROS 2 (a service's, an action's, or of a plain DDS program). */
int bridge_topic_from_dds(const char *topic, char ret_topic[SL_TOPIC_MAX]);
int bridge_type_from_dds(const char *type, char ret_type[SL_TYPE_MAX]);

#endif
