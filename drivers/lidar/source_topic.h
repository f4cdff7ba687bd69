/* SPDX-License-Identifier: Apache-2.0 */
/* source_topic.h - datagrams out of messages of raw packets: what a driver once published, or what
 * a recorded log has of it.
 *
 * The messages' type tells what they are (core/frame/raw_packets.h). A message is copied out of its
 * slot before it is looked at, as its publisher could change it meanwhile; so the hold is short,
 * too. Stamps are those of the packets, or else the message's.
 *
 * The source ends when publishers were there, all have gone, and everything of theirs has been
 * read.
 *
 * Life:    open subscribers -> lidar_source_open_topic -> as source.h says; the subscribers are
 *          closed after the source
 * Owner:   the subscribers stay the caller's.
 * Threads: the taking one.
 * Errors:  as source.h, and of receive: -EPROTONOSUPPORT messages of a type that holds no packets;
 *          -EPERM or what else a publisher refused a subscriber by; what a take gives.
 */
#ifndef SL_DRIVERS_LIDAR_SOURCE_TOPIC_H
#define SL_DRIVERS_LIDAR_SOURCE_TOPIC_H

#include "core/shm/sluice.h"
#include "drivers/lidar/source.h"

#define LIDAR_TOPICS_MAX 4 /* an Ouster's packets and its IMU's are two */

int lidar_source_open_topic(struct sl_subscriber *const *subscribers, unsigned count,
                            struct lidar_source **ret_source);

#endif
