/* SPDX-License-Identifier: Apache-2.0 */
/* content.h - messages of which every byte follows from their number: published on the bus by our
 * own writers, and what DDS's generated types must then show.
 *
 * A message's number is its stamp, in nanoseconds.
 */
#ifndef SL_TESTS_DDS_BRIDGE_CONTENT_H
#define SL_TESTS_DDS_BRIDGE_CONTENT_H

#include "core/shm/sluice.h"
#include <dds/dds.h>
#include <sensor_msgs.h>

#define CONTENT_SIDE_SIZE 1024u

/* Publish message `number`; `size` is the data's, about, and at least 100. Returns 0, or as
 * sl_publisher_loan. */
int publish_cloud(struct sl_publisher *publisher, uint32_t number, uint32_t size);
int publish_gathered(struct sl_publisher *publisher, uint32_t number, uint32_t size);
/* Its body ends where its slot does. */
int publish_cloud_at_end(struct sl_publisher *publisher, uint32_t number, uint32_t size);
int publish_image(struct sl_publisher *publisher, uint32_t number, uint32_t size);
int publish_imu(struct sl_publisher *publisher, uint32_t number, uint32_t size); /* inline */

/* The other way: write to DDS what the above publish. */
void write_cloud(dds_entity_t writer, uint32_t number, uint32_t size);
void write_image(dds_entity_t writer, uint32_t number, uint32_t size);
void write_imu(dds_entity_t writer, uint32_t number);

/* What is expected before each frame_id below; "" at first. */
extern const char *content_frame_prefix;

/* Fails the test unless it is all of such a message. Returns its number. */
uint32_t check_cloud(const void *sample);
uint32_t check_image(const void *sample);
uint32_t check_imu(const void *sample);

/* The same for what came to the bus. */
uint32_t check_cloud_frame(const struct sl_frame *frame);
uint32_t check_image_frame(const struct sl_frame *frame);
uint32_t check_imu_frame(const struct sl_frame *frame);

#endif
