/* SPDX-License-Identifier: Apache-2.0 */
/* test_graph.c - the program `dds_bridge` as a node of ROS 2's graph: what it tells on the topic
 * ros_discovery_info, read with idlc's types, beside what Cyclone knows of its ends. */
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/frame/message.h"
#include "tests/dds_bridge/content.h"
#include "tests/dds_bridge/side.h"
#include "tests/tools/harness.h"

#include <rmw_dds_common.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define CLOUD &sensor_msgs_msg_dds__PointCloud2__desc
#define TOPIC "ros_discovery_info"
#define TYPE  "rmw_dds_common::msg::dds_::ParticipantEntitiesInfo_"
#define GUID  sizeof(dds_guid_t)

/* What was told last. */
static struct {
    dds_guid_t participant, reader, writer;
    char space[64], name[64];
    uint32_t readers, writers;
} told;

#define CHECK(form, gid_size)                                                      \
    static uint32_t check_##form(const void *sample)                               \
    {                                                                              \
        static const uint8_t zeros[gid_size - GUID + 1];                           \
        const rmw_dds_common_msg_##form##_ParticipantEntitiesInfo_ *info = sample; \
        assert_int_equal(info->node_entities_info_seq._length, 1);                 \
        const rmw_dds_common_msg_##form##_NodeEntitiesInfo_ *node =                \
            &info->node_entities_info_seq._buffer[0];                              \
        memset(&told, 0, sizeof told);                                             \
        assert_memory_equal(info->gid.data + GUID, zeros, gid_size - GUID);        \
        memcpy(&told.participant, info->gid.data, GUID);                           \
        snprintf(told.space, sizeof told.space, "%s", node->node_namespace);       \
        snprintf(told.name, sizeof told.name, "%s", node->node_name);              \
        told.readers = node->reader_gid_seq._length;                               \
        told.writers = node->writer_gid_seq._length;                               \
        if (told.readers > 0)                                                      \
            memcpy(&told.reader, node->reader_gid_seq._buffer[0].data, GUID);      \
        if (told.writers > 0)                                                      \
            memcpy(&told.writer, node->writer_gid_seq._buffer[0].data, GUID);      \
        return told.readers + told.writers;                                        \
    }
CHECK(dds_, 16)
CHECK(dds_humble, 24)

/* The type has the same name in every ROS 2; idlc knows one form of it by another. */
static dds_topic_descriptor_t humble_type(void)
{
    const dds_topic_descriptor_t *type =
        &rmw_dds_common_msg_dds_humble_ParticipantEntitiesInfo__desc;
    return (dds_topic_descriptor_t){.m_size = type->m_size,
                                    .m_align = type->m_align,
                                    .m_flagset = type->m_flagset & ~DDS_TOPIC_XTYPES_METADATA,
                                    .m_typename = TYPE,
                                    .m_nops = type->m_nops,
                                    .m_ops = type->m_ops,
                                    .m_meta = type->m_meta};
}

static void await_told(dds_entity_t reader, uint32_t (*check)(const void *sample), uint32_t ends)
{
    int64_t got;
    while ((got = side_take(reader, check, SIDE_PATIENCE_NS)) != ends)
        if (got < 0)
            fail_msg("not told of %u ends", ends);
}

static struct sl_publisher *open_cloud(void)
{
    struct sl_publisher *publisher;
    const struct sl_publisher_options options = {.topic = "/points",
                                                 .type = SL_TYPE_POINTCLOUD2,
                                                 .slot_size = 65536,
                                                 .side_size = CONTENT_SIDE_SIZE,
                                                 .subscribers = 2,
                                                 .quota = 4};
    if (sl_publisher_open(&options, &publisher) < 0)
        fail_msg("%s", sl_error_text());
    return publisher;
}

static struct child bridge(const char *option)
{
    return start("dds_bridge", "--name=front-bridge", "--out", "/points", "--in", "/goal", option,
                 side_domain_option(), NULL);
}

/* The GUIDs that Cyclone knows a partner by. */
static void know_writer(dds_entity_t reader, dds_guid_t *ret_participant, dds_guid_t *ret_end)
{
    dds_instance_handle_t handle;
    side_await_writers(reader, 1);
    assert_int_equal(dds_get_matched_publications(reader, &handle, 1), 1);
    dds_builtintopic_endpoint_t *end = dds_get_matched_publication_data(reader, handle);
    assert_non_null(end);
    *ret_participant = end->participant_key;
    *ret_end = end->key;
    dds_builtintopic_free_endpoint(end);
}

static void know_reader(dds_entity_t writer, dds_guid_t *ret_end)
{
    dds_instance_handle_t handle;
    side_await_readers(writer, 1);
    assert_int_equal(dds_get_matched_subscriptions(writer, &handle, 1), 1);
    dds_builtintopic_endpoint_t *end = dds_get_matched_subscription_data(writer, handle);
    assert_non_null(end);
    *ret_end = end->key;
    dds_builtintopic_free_endpoint(end);
}

static void node_and_its_ends_are_told(const char *option, const dds_topic_descriptor_t *type,
                                       uint32_t (*check)(const void *sample))
{
    const struct side_qos qos = {.transient_local = true, .depth = 1};
    dds_guid_t participant, writer, reader;
    dds_entity_t early = side_reader(TOPIC, type, qos);
    struct child child = bridge(option);
    await_told(early, check, 0); /* a node without ends */
    struct sl_publisher *publisher = open_cloud();
    await_told(early, check, 1);
    assert_int_equal(told.writers, 1);
    know_writer(side_reader("rt/points", CLOUD, (struct side_qos){.best_effort = true}),
                &participant, &writer);
    know_reader(side_writer("rt/goal", CLOUD, (struct side_qos){0}), &reader);
    await_told(side_reader(TOPIC, type, qos), check, 2); /* a late joiner too */
    assert_string_equal(told.space, "/");
    assert_string_equal(told.name, "front_bridge");
    assert_memory_equal(&told.participant, &participant, GUID);
    assert_memory_equal(&told.writer, &writer, GUID);
    assert_memory_equal(&told.reader, &reader, GUID);
    assert_int_equal(stop(&child, SIGTERM), 0);
    sl_publisher_close(publisher);
}

static void bridge_is_a_node(void **state)
{
    (void)state;
    node_and_its_ends_are_told("--ros-graph=jazzy",
                               &rmw_dds_common_msg_dds__ParticipantEntitiesInfo__desc, check_dds_);
}

static void bridge_is_a_node_for_humble(void **state)
{
    (void)state;
    const dds_topic_descriptor_t type = humble_type();
    node_and_its_ends_are_told("--ros-graph=humble", &type, check_dds_humble);
}

static void bridge_need_not_be_a_node(void **state)
{
    (void)state;
    dds_entity_t graph = side_reader(TOPIC, &rmw_dds_common_msg_dds__ParticipantEntitiesInfo__desc,
                                     (struct side_qos){.transient_local = true});
    dds_entity_t points = side_reader("rt/points", CLOUD, (struct side_qos){.best_effort = true});
    struct sl_publisher *publisher = open_cloud();
    struct child child = bridge("--ros-graph=none");
    dds_subscription_matched_status_t matched;
    for (uint32_t number = 0; side_take(points, check_cloud, DDS_MSECS(100)) < 0; number++) {
        assert_true(number < 300);
        assert_int_equal(publish_cloud(publisher, number, 1000), 0);
    }
    assert_int_equal(dds_get_subscription_matched_status(graph, &matched), 0);
    assert_int_equal(matched.total_count, 0);
    assert_int_equal(stop(&child, SIGTERM), 0);
    sl_publisher_close(publisher);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, side_setup, side_teardown)
    const struct CMUnitTest tests[] = {
        CASE(bridge_is_a_node),
        CASE(bridge_is_a_node_for_humble),
        CASE(bridge_need_not_be_a_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
