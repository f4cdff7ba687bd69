/* SPDX-License-Identifier: Apache-2.0 */
/* udp_packet.h - a UDP datagram of a capture as a message: udp_msgs/msg/UdpPacket of ROS 2, on one
 * topic for each destination port, "/udp/port_2368".
 *
 * header.stamp is the time of capture, address and src_port are the sender's, data is the payload.
 * Where it went to has no place in the message: the topic's pair "udp_destination" says it
 * ("192.168.1.255:2368", "[ff02::1]:2368"), of the first datagram.
 * Format:  ROS package udp_msgs, which the UDP drivers of transport_drivers publish.
 *
 * Threads: any; pure.
 */
#ifndef SL_ROSBAG_COMPAT_UDP_PACKET_H
#define SL_ROSBAG_COMPAT_UDP_PACKET_H

#include "core/capture/datagram.h"
#include "rosbag_compat/log.h"

#define SL_UDP_PACKET_TYPE        "udp_msgs/msg/UdpPacket"
#define SL_UDP_PACKET_TOPIC       "/udp/port_"
#define SL_UDP_PACKET_DESTINATION "udp_destination"
/* A body is at most so much longer than its datagram. */
#define SL_UDP_PACKET_MORE_BYTES 96
/* For an address and a port as text. */
#define SL_ENDPOINT_TEXT_BYTES 64

/* The body's size. */
size_t sl_udp_packet_size(const struct sl_datagram *datagram);
/* Write the body into memory of that size. */
void sl_udp_packet_write(const struct sl_datagram *datagram, void *to);
/* What sl_udp_packet_write wrote, or anybody; the bytes lie in the body, the destination is not
 * touched. Returns 0 or -EBADMSG. */
int sl_udp_packet_read(const void *body, size_t size_bytes, struct sl_datagram *ret_datagram);

void sl_endpoint_print(const struct sl_endpoint *endpoint, char ret_text[SL_ENDPOINT_TEXT_BYTES]);
/* Returns 0 or -EINVAL. */
int sl_endpoint_parse(const char *text, struct sl_endpoint *ret_endpoint);

#endif
