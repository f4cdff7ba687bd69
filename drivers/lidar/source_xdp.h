/* SPDX-License-Identifier: Apache-2.0 */
/* source_xdp.h - datagrams where the network card put them: the slots of the `packets` topic.
 *
 * The publisher's pool is what the card (or, without its help, the kernel) writes frames into, one
 * a slot. A datagram is decoded there and then published there: a std_msgs/msg/UInt8MultiArray
 * whose data are the datagram's bytes. Its prefix takes the place of the UDP header.
 *
 *      slot:  | kernel's | Ethernet, IP, UDP | prefix 16 | datagram ... | free |
 *             0          256 + shift                     a multiple of 16, mostly
 *
 * A datagram that came in IP fragments is put together elsewhere and not published; fragments are
 * taken only with a configured sender, as nothing else tells whose they are. The statistics'
 * receive_buffer_bytes are one receive queue's part of the slots.
 *
 * Life:    lidar_xdp_topic -> open the publisher -> lidar_source_open_xdp -> as source.h says; the
 *          publisher is closed after the source
 * Owner:   the publisher stays the caller's; its loans are the source's.
 * Threads: the publishing one.
 * Errors:  as core/capture/xdp.h, and -EINVAL for a pool of other slots.
 */
#ifndef SL_DRIVERS_LIDAR_SOURCE_XDP_H
#define SL_DRIVERS_LIDAR_SOURCE_XDP_H

#include "core/shm/sluice.h"
#include "drivers/lidar/source.h"

#define LIDAR_XDP_TYPE "std_msgs/msg/UInt8MultiArray"

/* What the topic's publisher must be: `buffer_bytes` of slots for the kernel to fill, and as many
 * that stand published. */
void lidar_xdp_topic(uint64_t buffer_bytes, struct sl_publisher_options *topic);

int lidar_source_open_xdp(const struct lidar_interface_config *config, struct sl_publisher *packets,
                          struct lidar_source **ret_source);

/* "1 queue, copied, program in the driver"; "" for another source. */
const char *lidar_source_xdp_mode(const struct lidar_source *source);

#endif
