/* SPDX-License-Identifier: Apache-2.0 */
/* play_publish.h - a message that stands in a slot onto its topic, as the bus wants it.
 *
 * Most go as they stand, the small ones inline. A message of ROS 1 whose type became one of ROS 2
 * goes as that one: its large lists stay where they were read to, and what is around them is
 * written into the free end of the same slot. A message that is compressed by itself is
 * decompressed there. What does not fit there takes a slot of its own.
 *
 * Life:    zeros -> play_publish ... -> play_publisher_finish
 * Owner:   topics and definitions are the caller's.
 * Threads: one
 * Errors:  as sl_publisher_publish; -EAGAIN: try again, nothing has happened. A message that is
 *          not what its log says, or becomes larger than a slot, is left out and counted.
 */
#ifndef SL_ROSBAG_COMPAT_PLAY_PUBLISH_H
#define SL_ROSBAG_COMPAT_PLAY_PUBLISH_H

#include "core/shm/sluice.h"
#include "rosbag_compat/definition.h"
#include "rosbag_compat/play_blocks.h"
#include "rosbag_compat/ros1_body.h"

#define PLAY_INLINE_BYTES 448

struct play_out {
    struct sl_publisher *publisher;
    char name[SL_TOPIC_MAX], type[SL_TYPE_MAX];
    const struct sl_schema *schema; /* if it is known and published in CDR */
    uint32_t retain; /* messages for late subscribers, as the log's publishers had it */
    uint64_t messages;
};

/* From a topic of a log to one of the bus. */
struct play_way {
    struct play_out *out;            /* NULL: it is not played */
    struct sl_definition *ros1;      /* what its messages are made of that become those of ROS 2 */
    enum sl_compression compression; /* of each message by itself */
};

struct play_publisher {
    bool uses_slots;      /* nothing goes inline, so that its release is seen */
    struct sl_buffer own; /* what is made anew of a message */
    uint64_t rejected;
    char reason[160]; /* of the first one that was left out */
};

/* Free bytes that a slot should have behind its largest part. */
uint64_t play_publish_spare_bytes(const struct play_way *way, uint64_t largest_bytes);

int play_publish(struct play_publisher *p, const struct play_way *way,
                 const struct play_item *item);
void play_publisher_finish(struct play_publisher *p);

#endif
