/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of raw packets: every packet that is given lies in the body.
 *
 * Input: one byte that selects a type and the encoding, and the body. */
#include "core/frame/raw_packets.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    static const char *const types[] = {
        "velodyne_msgs/VelodyneScan", "velodyne_msgs/msg/VelodyneScan",
        "pandar_msgs/PandarScan",     "pandar_msgs/msg/PandarScan",
        "nebula_msgs/NebulaPackets",  "nebula_msgs/msg/NebulaPackets",
        "ouster_ros/PacketMsg",       "ouster_ros/msg/PacketMsg",
        "std_msgs/UInt8MultiArray",   "std_msgs/msg/UInt8MultiArray",
    };
    struct sl_raw_packets packets;
    struct sl_raw_packet packet;
    if (size_bytes < 1)
        return 0;
    const uint8_t *body = bytes + 1, *end = bytes + size_bytes;
    const char *type = types[bytes[0] % (sizeof types / sizeof *types)];
    if (sl_raw_packets_begin(type, body, size_bytes - 1, &packets) < 0)
        return 0;
    while (sl_raw_packets_next(&packets, &packet) == 1)
        if (packet.bytes < body || packet.bytes > end || packet.size > (size_t)(end - packet.bytes))
            abort();
    return 0;
}
