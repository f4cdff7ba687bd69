/* SPDX-License-Identifier: Apache-2.0 */
/* side.h - the DDS side of the tests: a participant of Cyclone's own, with generated types, in a
 * DDS domain of the test's own that does not leave the loopback interface.
 *
 * What goes wrong fails the test.
 */
#ifndef SL_TESTS_DDS_BRIDGE_SIDE_H
#define SL_TESTS_DDS_BRIDGE_SIDE_H

#include "core/shm/sluice.h"

#include <dds/dds.h>

#define SIDE_PATIENCE_NS DDS_SECS(60)

/* cmocka's fixtures: the harness's, a DDS domain, and CYCLONEDDS_URI for this process's children.
 */
int side_setup(void **state);
int side_teardown(void **state);
/* The same, but over the one interface that a network namespace has: the machines with these
 * addresses find each other. */
int side_setup_between(void **state, const char *one, const char *other);

/* As side_setup, and what the first participant sends and receives is recorded in the harness's
 * file packets.pcap, which is whole when that participant ends. */
int side_setup_recorded(void **state);

dds_entity_t side_participant(void);
/* The participant ends, with all that it has, and another one takes its place. */
void side_next_participant(void);

uint32_t side_domain(void);
const char *side_domain_option(void); /* "--dds-domain=N" */
const char *side_domain_title(void);  /* of the counters that are no topic's */

struct side_qos {
    bool best_effort, transient_local, keep_all;
    int depth;           /* 0 = 100 */
    int64_t deadline_ns; /* 0 = none */
};
dds_entity_t side_reader(const char *topic, const dds_topic_descriptor_t *type,
                         struct side_qos qos);
dds_entity_t side_writer(const char *topic, const dds_topic_descriptor_t *type,
                         struct side_qos qos);
/* Until it has so many partners. */
void side_await_writers(dds_entity_t reader, uint32_t count);
void side_await_readers(dds_entity_t writer, uint32_t count);

/* Take one sample, wait for it; `check` gets it, and its result is returned. -1: none came in
 * time. */
int64_t side_take(dds_entity_t reader, uint32_t (*check)(const void *sample), int64_t patience_ns);

/* A counter that a bridge shows now (core/shm/counters.h); 0 if it shows none of that name. */
uint64_t side_counter(const char *title, const char *name);
/* Until it is at least so much. */
void side_await_counter(const char *title, const char *name, uint64_t least);
/* Until it is that. */
void side_await_counter_to_be(const char *title, const char *name, uint64_t wanted);

#endif
