/* SPDX-License-Identifier: Apache-2.0 */
/* flow.h - from the bus to DDS in a test: publishers, the bridge, and readers of messages that
 * content.h makes and checks. Each fails the test that calls it where something goes wrong.
 */
#ifndef SL_TESTS_DDS_BRIDGE_FLOW_H
#define SL_TESTS_DDS_BRIDGE_FLOW_H

#include "tests/dds_bridge/side.h"
#include "tests/tools/harness.h"

#define CLOUD &sensor_msgs_msg_dds__PointCloud2__desc

typedef int flow_publish(struct sl_publisher *publisher, uint32_t number, uint32_t size);
typedef uint32_t flow_check(const void *sample);

/* With room for what makes content's messages. */
struct sl_publisher *flow_open(struct sl_publisher_options options);
/* For the bridge and one more, and messages of `size` bytes; 0: inline only. */
struct sl_publisher *flow_open_topic(const char *topic, const char *type, uint32_t size,
                                     uint32_t quota);
struct child flow_bridge(const char *rule); /* started with `--out RULE` */
/* Elements of Cyclone's configuration, for programs that are started from now on. */
void flow_configure(const char *more);
const char *flow_program(const char *name); /* the path of one of these tests' */
/* A process that reads clouds of rt/points beside a reader of the test's, and is known to the
 * bridge's writer. */
struct child flow_start_reader(void);

uint32_t flow_held(struct sl_publisher *publisher); /* slots, by readers */
void flow_await_held(struct sl_publisher *publisher, uint32_t most);

/* Publish one after the other until a message arrives; later ones are then not lost. Returns the
 * number of the next one to be published; all before it have been read. */
uint32_t flow_begin(struct sl_publisher *publisher, flow_publish *publish, dds_entity_t reader,
                    flow_check *check, uint32_t size, uint32_t number);
/* So many messages, each after the one before was read, arrive whole and none is held at last. */
void flow_pass(struct sl_publisher *publisher, flow_publish *publish, dds_entity_t reader,
               flow_check *check, uint32_t size, uint32_t count);

#endif
