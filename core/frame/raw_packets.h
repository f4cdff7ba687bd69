/* SPDX-License-Identifier: Apache-2.0 */
/* raw_packets.h - the datagrams in a message of raw packets, whatever type it is.
 *
 *   velodyne_msgs/VelodyneScan    header, packets: stamp, 1206 bytes
 *   pandar_msgs/PandarScan        header, packets: stamp, 1500 bytes, how many of them count
 *   nebula_msgs/NebulaPackets     header, packets: stamp, any number of bytes
 *   ouster_ros/PacketMsg          one packet of any number of bytes, without a stamp; so
 *                                 ouster_msgs' and ouster_sensor_msgs'
 *   std_msgs/UInt8MultiArray      the same behind an empty layout: what lidar --source xdp
 * publishes
 *
 * The type's name tells the encoding: "velodyne_msgs/msg/VelodyneScan" is CDR, in either byte
 * order, and "velodyne_msgs/VelodyneScan" is as ROS 1 serialises it (no encapsulation, no padding,
 * texts without a NUL, a number in each header). Sources: the .msg files of velodyne, hesai_lidar,
 * nebula and ouster-ros.
 *
 * Life:    values on the stack; nothing to free, nothing is allocated.
 * Owner:   packets point into the body, which must stay and must not change.
 * Threads: any; there is no state.
 * Errors:  -EPROTONOSUPPORT no such type; -EBADMSG the bytes are no such message.
 */
#ifndef SL_FRAME_RAW_PACKETS_H
#define SL_FRAME_RAW_PACKETS_H

#include "core/frame/cdr.h"

struct sl_raw_packets_form;

struct sl_raw_packets {
    const struct sl_raw_packets_form *form;
    const char *type; /* the caller's */
    struct sl_cdr_reader r;
    bool is_ros1;
    uint32_t left; /* packets that have not been given */
};

struct sl_raw_packet {
    int64_t stamp_ns; /* of its arrival, as whoever recorded it says; 0 = it says nothing */
    const uint8_t *bytes;
    uint32_t size;
};

/* Do messages of that type hold packets? */
bool sl_raw_packets_is_type(const char *type);

/* `type` is used until the last packet. */
int sl_raw_packets_begin(const char *type, const void *body, size_t size,
                         struct sl_raw_packets *ret_packets);

/* The next packet: 1; 0 behind the last one; -EBADMSG, then and at every later call. */
int sl_raw_packets_next(struct sl_raw_packets *packets, struct sl_raw_packet *ret_packet);

#endif
