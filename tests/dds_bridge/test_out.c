/* SPDX-License-Identifier: Apache-2.0 */
/* test_out.c - the program `dds_bridge`: what is published on the bus is read by Cyclone DDS with
 * types that idlc made of ROS 2's definitions. */
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/yaml.h"
#include "core/capture/datagrams.h"
#include "core/frame/message.h"
#include "tests/dds_bridge/content.h"
#include "tests/dds_bridge/flow.h"
#include "tests/dds_bridge/side.h"
#include "tests/tools/harness.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IMAGE &sensor_msgs_msg_dds__Image__desc
#define IMU   &sensor_msgs_msg_dds__Imu__desc

#define FRAGMENT 14000u /* bytes of a message in one packet */

#define SECOND_NS (int64_t) SL_NS_PER_S

/* Content ---------------------------------------------------------------------------------------*/

static void all_kinds_pass(const char *rule)
{
    struct sl_publisher *clouds = flow_open_topic("/points", SL_TYPE_POINTCLOUD2, 65536, 20);
    struct sl_publisher *gathered = flow_open_topic("/pieces", SL_TYPE_POINTCLOUD2, 65536, 20);
    struct sl_publisher *images = flow_open_topic("/image", SL_TYPE_IMAGE, 65536, 20);
    struct sl_publisher *imus = flow_open_topic("/imu", SL_TYPE_IMU, 0, 0);
    const struct side_qos qos = {0};
    dds_entity_t cloud_reader = side_reader("rt/points", CLOUD, qos);
    dds_entity_t piece_reader = side_reader("rt/pieces", CLOUD, qos);
    dds_entity_t image_reader = side_reader("rt/image", IMAGE, qos);
    dds_entity_t imu_reader = side_reader("rt/imu", IMU, qos);
    struct child child = flow_bridge(rule);
    flow_pass(clouds, publish_cloud, cloud_reader, check_cloud, 2000, 30);
    flow_pass(clouds, publish_cloud, cloud_reader, check_cloud, 60000, 10);
    flow_pass(gathered, publish_gathered, piece_reader, check_cloud, 2000, 30);
    flow_pass(gathered, publish_gathered, piece_reader, check_cloud, 60000, 10);
    flow_pass(images, publish_image, image_reader, check_image, 50000, 10);
    flow_pass(imus, publish_imu, imu_reader, check_imu, 0, 30);
    assert_int_equal(stop(&child, SIGTERM), 0);
    sl_publisher_close(clouds);
    sl_publisher_close(gathered);
    sl_publisher_close(images);
    sl_publisher_close(imus);
}

static void messages_arrive_as_they_are(void **state)
{
    (void)state;
    all_kinds_pass(".* reliable depth=10");
}

/* The prefix's length is none of a multiple of four, or of eight. */
static void messages_may_get_another_frame_id(void **state)
{
    (void)state;
    content_frame_prefix = "bot7/";
    all_kinds_pass(".* reliable depth=10 frame-id=bot7/*");
    content_frame_prefix = "";
}

/* A body that ends where its slot does cannot be padded there. */
static void message_at_the_end_of_its_slot_arrives_whole(void **state)
{
    (void)state;
    struct sl_publisher *publisher = flow_open_topic("/end", SL_TYPE_POINTCLOUD2, 0x4000, 5);
    dds_entity_t reader = side_reader("rt/end", CLOUD, (struct side_qos){0});
    flow_bridge("/end reliable depth=2");
    uint32_t number = flow_begin(publisher, publish_cloud, reader, check_cloud, 1000, 0);
    for (uint32_t end = number + 10; number < end; number++) {
        assert_int_equal(publish_cloud_at_end(publisher, number, 1000), 0);
        assert_int_equal(side_take(reader, check_cloud, SIDE_PATIENCE_NS), number);
    }
    flow_await_held(publisher, 0);
    sl_publisher_close(publisher);
}

#ifdef FROM_POOLS
/* What the kernel is given are the addresses of the pool itself: seen from outside, by a sendmsg of
 * our own. Of each message `elsewhere` bytes may stand in other memory. */
static void is_sent_from_the_pool(const char *rule, flow_publish *publish, uint32_t elsewhere)
{
    const uint32_t size = 1u << 20;
    char report[256];
    struct sl_publisher *publisher = flow_open_topic("/points", SL_TYPE_POINTCLOUD2, size, 5);
    dds_entity_t reader = side_reader("rt/points", CLOUD, (struct side_qos){.depth = 2});
    snprintf(report, sizeof report, "%s", harness_path("report"));
    setenv("LD_PRELOAD", FROM_POOLS, 1);
    setenv("FROM_POOLS_REPORT", report, 1);
    struct child child = flow_bridge(rule);
    unsetenv("LD_PRELOAD");
    unsetenv("FROM_POOLS_REPORT");
    flow_pass(publisher, publish, reader, check_cloud, size, 20);
    assert_int_equal(stop(&child, SIGTERM), 0);
    unsigned long from_pools, from_elsewhere;
    FILE *file = fopen(report, "re");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lu %lu", &from_pools, &from_elsewhere), 2);
    fclose(file);
    assert_true(from_pools >= 20ul * (size - elsewhere));
    assert_true(from_elsewhere < from_pools / 10); /* headers of fragments */
    sl_publisher_close(publisher);
}

static void payload_is_sent_from_the_pool(void **state)
{
    (void)state;
    is_sent_from_the_pool("/points reliable depth=2", publish_cloud, 0);
}

/* A fragment over two pieces is copied: the first one and the last one. */
static void payload_in_pieces_is_too(void **state)
{
    (void)state;
    is_sent_from_the_pool("/points reliable depth=2", publish_gathered, 2 * FRAGMENT);
}

static void payload_behind_another_frame_id_is_too(void **state)
{
    (void)state;
    content_frame_prefix = "r/";
    is_sent_from_the_pool("/points reliable depth=2 frame-id=r/*", publish_cloud, FRAGMENT);
    content_frame_prefix = "";
}
#endif

/* The largest packet that was sent or received while clouds of many packets passed. */
static size_t largest_packet(void)
{
    struct sl_publisher *publisher = flow_open_topic("/points", SL_TYPE_POINTCLOUD2, 65536, 4);
    dds_entity_t reader = side_reader("rt/points", CLOUD, (struct side_qos){0});
    struct child child = flow_bridge("/points reliable depth=2");
    flow_pass(publisher, publish_cloud, reader, check_cloud, 60000, 3);
    assert_int_equal(stop(&child, SIGTERM), 0);
    sl_publisher_close(publisher);
    side_next_participant();

    struct sl_datagram_reader *packets;
    struct sl_datagram packet;
    size_t largest = 0;
    if (sl_datagram_reader_open(harness_path("packets.pcap"), NULL, &packets) < 0)
        fail_msg("%s", sl_error_text());
    while (sl_datagram_reader_next(packets, &packet) == 1)
        largest = packet.size_bytes > largest ? packet.size_bytes : largest;
    sl_datagram_reader_close(packets);
    return largest;
}

static void one_fragment_fills_a_packet(void **state)
{
    (void)state;
    assert_in_range(largest_packet(), 14001, 14720);
}

static void packets_are_as_small_as_they_are_to_be(void **state)
{
    (void)state;
    flow_configure("<General><MaxMessageSize>1400B</MaxMessageSize></General>");
    assert_in_range(largest_packet(), 1200, 1472);
}

/* Rules -----------------------------------------------------------------------------------------*/

static void rules_say_what_goes_out_and_as_what(void **state)
{
    (void)state;
    struct sl_publisher *a = flow_open_topic("/a", SL_TYPE_IMU, 0, 0);
    struct sl_publisher *b = flow_open_topic("/b", SL_TYPE_IMU, 0, 0);
    struct sl_publisher *no_name = flow_open_topic("/c-d", SL_TYPE_IMU, 0, 0);
    dds_entity_t reader = side_reader("rt/front/imu", IMU, (struct side_qos){0});
    dds_entity_t other = side_reader("rt/b", IMU, (struct side_qos){0});
    start("dds_bridge", "--out=imu reliable as=/front/imu", "--out=/c-d", "--remap=imu:=/a",
          side_domain_option(), NULL);
    flow_pass(a, publish_imu, reader, check_imu, 0, 5);
    assert_int_equal(publish_imu(b, 0, 0), 0);
    assert_int_equal(side_take(other, check_imu, DDS_MSECS(300)), -1);
    struct sl_publisher_status status;
    sl_publisher_status(no_name, &status);
    assert_int_equal(status.subscribers, 0);
    sl_publisher_close(a);
    sl_publisher_close(b);
    sl_publisher_close(no_name);
}

static void rate_is_not_exceeded(void **state)
{
    (void)state;
    struct sl_publisher *publisher = flow_open_topic("/imu", SL_TYPE_IMU, 0, 0);
    dds_entity_t reader = side_reader("rt/imu", IMU, (struct side_qos){0});
    struct child child = flow_bridge("/imu reliable rate=20");
    uint32_t number = 0;
    side_await_writers(reader, 1);
    uint64_t begin_ns = sl_clock_monotonic_ns();
    for (unsigned got = 0; got < 6;) {
        assert_int_equal(publish_imu(publisher, number++, 0), 0);
        got += side_take(reader, check_imu, DDS_MSECS(2)) >= 0;
    }
    assert_true(sl_clock_monotonic_ns() - begin_ns > 5 * 50 * SL_NS_PER_MS - 10 * SL_NS_PER_MS);
    side_await_counter("/imu -> DDS rt/imu", "thinned", 1);
    side_await_counter("/imu -> DDS rt/imu", "sent", 6);
    assert_int_equal(side_counter("/imu -> DDS rt/imu", "readers"), 1);
    assert_int_equal(stop(&child, SIGTERM), 0);
    sl_publisher_close(publisher);
}

static void refused(const char *text, const char *a, const char *b)
{
    struct run r = run("dds_bridge", a, b, NULL);
    assert_true(r.status == 1 || r.status == 2);
    assert_has(r.err, text);
    run_free(&r);
}

static void wrong_options_are_told(void **state)
{
    (void)state;
    refused("nothing to do: give --out or --in with a topic", side_domain_option(), NULL);
    refused("option --out: '/a fast': 'fast' is none of: reliable", "--out=/a fast", NULL);
    refused("option --in: '/a rate=3': rate, latest and when-full are for what goes out",
            "--in=/a rate=3", NULL);
    setenv("CYCLONEDDS_URI", "<CycloneDDS><Domain><Nothing/></Domain></CycloneDDS>", 1);
    refused("Nothing: unknown element", "--out=/a", side_domain_option());
    refused("is $CYCLONEDDS_URI right?", "--out=/a", side_domain_option());
    refused("option --dds-domain: 231 is out of range", "--out=/a", "--dds-domain=231");
}

static void plan_tells_what_each_rule_would_read(void **state)
{
    (void)state;
    struct run r =
        run("dds_bridge", "--out=/a reliable depth=3", "--out=/b.*", "--out=c depth=9 latest",
            "--out=/d when-full=block reliable", "--remap=c:=/e", "--plan", NULL);
    assert_int_equal(r.status, 0);
    assert_has(r.out, "expect\ttopic=/a\tpolicy=keep-last\tquota=5\tretained_quota=0\t"
                      "more_than_retained=0\n");
    assert_has(r.out, "expect\tpattern=/b.*\tpolicy=keep-last\tquota=4\tretained_quota=0\t"
                      "more_than_retained=2\n");
    assert_has(r.out, "expect\ttopic=/e\tpolicy=latest\tquota=4\tretained_quota=11\t"
                      "more_than_retained=0\n");
    assert_has(r.out, "expect\ttopic=/d\tpolicy=lossless\tquota=7\t");
    run_free(&r);
}

/* What a launch file's other nodes publish is found by the bridge's rules. */
static struct sl_yaml *plan_with(const char *rule, const char *more)
{
    char file[512], given[128];
    snprintf(file, sizeof file, "%s/launch/dds_bridge.yaml", getenv("SLUICE_SOURCE"));
    snprintf(given, sizeof given, "rule=%s", rule);
    struct run r = run("sluice", "plan", file, given, more, "--json", NULL);
    if (r.status != 0)
        fail_msg("status %d\n%s%s", r.status, r.out, r.err);
    struct sl_yaml *json = json_parse(r.out);
    run_free(&r);
    return json;
}

static void plan_finds_what_a_launch_file_publishes(void **state)
{
    (void)state;
    struct sl_yaml *json = plan_with("/lidar/.*", "--json");
    assert_string_equal(json_text(json, "nodes.0.node"), "bridge");
    assert_string_equal(json_text(json, "nodes.0.subscribers.0.topic"), "/lidar/points");
    assert_true(json_number(json, "nodes.0.subscribers.0.quota") == 4);
    assert_string_equal(json_text(json, "nodes.0.subscribers.1.topic"), "/lidar/packets");
    assert_true(json_number(json, "nodes.0.counters_bytes") > 0);
    sl_yaml_destroy(json);
    json = plan_with("/lidar/points reliable depth=10 when-full=block", "--json");
    assert_true(json_number(json, "nodes.0.subscribers.0.quota") == 12);
    assert_has(json_text(json, "warnings.0"), "bridge asks for every message");
    assert_has(json_text(json, "warnings.1"), "bridge wants to hold 12 frames, lidar lets each");
    sl_yaml_destroy(json);
    json = plan_with("/camera/.*", "--json");
    assert_has(json_text(json, "warnings.0"), "bridge reads what matches /camera/.*, nothing");
    sl_yaml_destroy(json);
    json = plan_with("/tf_static", "--set=lidar.tf=true"); /* retained: one */
    assert_true(json_number(json, "nodes.0.subscribers.0.quota") == 3);
    sl_yaml_destroy(json);
}

/* While the bridge stands still: what counts afterwards is the newest. */
static void latest_leaves_out_what_was_overtaken(void **state)
{
    (void)state;
    struct sl_publisher *publisher = flow_open_topic("/points", SL_TYPE_POINTCLOUD2, 65536, 4);
    dds_entity_t reader = side_reader("rt/points", CLOUD, (struct side_qos){0});
    struct child child = flow_bridge("/points reliable latest");
    uint32_t number = flow_begin(publisher, publish_cloud, reader, check_cloud, 9000, 0);
    freeze(child.pid);
    for (uint32_t end = number + 20; number < end; number++)
        assert_int_equal(publish_cloud(publisher, number, 9000), 0);
    kill(child.pid, SIGCONT);
    assert_int_equal(side_take(reader, check_cloud, SIDE_PATIENCE_NS), number - 1);
    side_await_counter("/points -> DDS rt/points", "skipped", 1);
    assert_int_equal(stop(&child, SIGTERM), 0);
    sl_publisher_close(publisher);
}

/* Messages that are none of DDS, or have no frame_id where there should be one. */
static void publish_scrap(struct sl_publisher *publisher, size_t size)
{
    static const uint8_t scrap[] = {9, 9, 9, 9, 9};
    assert_int_equal(sl_publisher_publish_inline(publisher, scrap, size, &(struct sl_message){0}),
                     0);
}

static void what_is_no_message_is_counted(void **state)
{
    (void)state;
    struct sl_publisher *publisher = flow_open_topic("/imu", SL_TYPE_IMU, 0, 0);
    dds_entity_t reader = side_reader("rt/imu", IMU, (struct side_qos){0});
    struct child child = flow_bridge("/imu reliable");
    uint32_t number = flow_begin(publisher, publish_imu, reader, check_imu, 0, 0);
    for (unsigned i = 0; i < 3; i++)
        publish_scrap(publisher, 3); /* not even the four bytes that say how it is encoded */
    assert_int_equal(publish_imu(publisher, number, 0), 0);
    assert_int_equal(side_take(reader, check_imu, SIDE_PATIENCE_NS), number);
    side_await_counter("/imu -> DDS rt/imu", "refused", 3);
    assert_int_equal(side_counter("/imu -> DDS rt/imu", "refused"), 3);
    assert_int_equal(side_counter("/imu -> DDS rt/imu", "unreadable"), 0);
    assert_int_equal(stop(&child, SIGTERM), 0);
    sl_publisher_close(publisher);
}

static void what_cannot_be_renamed_is_counted(void **state)
{
    (void)state;
    struct sl_publisher *publisher = flow_open_topic("/imu", SL_TYPE_IMU, 0, 0);
    dds_entity_t reader = side_reader("rt/imu", IMU, (struct side_qos){0});
    struct child child = flow_bridge("/imu reliable frame-id=bot/*");
    content_frame_prefix = "bot/";
    uint32_t number = flow_begin(publisher, publish_imu, reader, check_imu, 0, 0);
    for (unsigned i = 0; i < 3; i++)
        publish_scrap(publisher, 5);
    assert_int_equal(publish_imu(publisher, number, 0), 0);
    assert_int_equal(side_take(reader, check_imu, SIDE_PATIENCE_NS), number);
    content_frame_prefix = "";
    side_await_counter("/imu -> DDS rt/imu", "unreadable", 3);
    assert_int_equal(side_counter("/imu -> DDS rt/imu", "unreadable"), 3);
    assert_int_equal(side_counter("/imu -> DDS rt/imu", "refused"), 0);
    assert_int_equal(stop(&child, SIGTERM), 0);
    sl_publisher_close(publisher);
}

/* What DDS tells others of the writer of that topic. */
static void check_offer(const char *topic, bool best_effort, bool transient_local, int32_t depth,
                        int64_t deadline_ns)
{
    dds_instance_handle_t handle;
    dds_reliability_kind_t reliability;
    dds_durability_kind_t durability;
    dds_history_kind_t history;
    dds_duration_t wait, deadline = DDS_INFINITY;
    int32_t kept, samples, instances, per_instance;
    dds_entity_t reader = side_reader(topic, IMU, (struct side_qos){.best_effort = true});
    side_await_writers(reader, 1);
    assert_int_equal(dds_get_matched_publications(reader, &handle, 1), 1);
    dds_builtintopic_endpoint_t *writer = dds_get_matched_publication_data(reader, handle);
    assert_non_null(writer);
    assert_true(dds_qget_reliability(writer->qos, &reliability, &wait));
    assert_true(dds_qget_durability(writer->qos, &durability));
    assert_int_equal(reliability == DDS_RELIABILITY_BEST_EFFORT, best_effort);
    assert_int_equal(durability == DDS_DURABILITY_TRANSIENT_LOCAL, transient_local);
    if (dds_qget_deadline(writer->qos, &deadline) || deadline_ns != DDS_INFINITY)
        assert_true(deadline == deadline_ns);
    if (transient_local) {
        assert_true(dds_qget_durability_service(writer->qos, &wait, &history, &kept, &samples,
                                                &instances, &per_instance));
        assert_int_equal(kept, depth);
    }
    dds_builtintopic_free_endpoint(writer);
    dds_delete(reader);
}

static void writers_offer_what_their_rules_say(void **state)
{
    (void)state;
    static const char *const topics[] = {"/a", "/b", "/c", "/d"};
    struct sl_publisher *publisher[4];
    for (unsigned i = 0; i < 4; i++)
        publisher[i] = flow_open_topic(topics[i], SL_TYPE_IMU, 0, 0);
    start("dds_bridge", "--out=/a", "--out=/b reliable deadline=250ms",
          "--out=/c transient-local depth=7", "--out=/.* best-effort deadline=2s",
          side_domain_option(), NULL);
    check_offer("rt/a", true, false, 0, DDS_INFINITY);
    check_offer("rt/b", false, false, 0, DDS_MSECS(250));
    check_offer("rt/c", false, true, 7, DDS_INFINITY);
    check_offer("rt/d", true, false, 0, DDS_SECS(2));
    for (unsigned i = 0; i < 4; i++)
        sl_publisher_close(publisher[i]);
}

/* A depth changes how many are kept, and nothing else. */
static void depth_of_what_the_bus_retains_may_be_another(void **state)
{
    (void)state;
    struct sl_publisher *publisher = flow_open((struct sl_publisher_options){.topic = "/map",
                                                                             .type = SL_TYPE_IMU,
                                                                             .slot_size = 4096,
                                                                             .retain = 3,
                                                                             .subscribers = 2,
                                                                             .quota = 12});
    struct child child = flow_bridge("/map depth=7");
    check_offer("rt/map", false, true, 7, DDS_INFINITY);
    assert_int_equal(stop(&child, SIGTERM), 0);
    sl_publisher_close(publisher);
}

/* Holds -----------------------------------------------------------------------------------------*/

static void late_joiner_gets_what_the_bus_retains(void **state)
{
    const uint32_t size = 9000; /* small ones may be copied instead of held */
    (void)state;
    struct sl_publisher *publisher =
        flow_open((struct sl_publisher_options){.topic = "/map",
                                                .type = SL_TYPE_POINTCLOUD2,
                                                .slot_size = 65536,
                                                .retain = 3,
                                                .subscribers = 2,
                                                .quota = 8});
    for (uint32_t number = 0; number < 5; number++)
        assert_int_equal(publish_cloud(publisher, number, size), 0);
    struct child child = flow_bridge("/map");
    const struct side_qos qos = {.transient_local = true};
    dds_entity_t first = side_reader("rt/map", CLOUD, qos);
    for (uint32_t number = 2; number < 5; number++)
        assert_int_equal(side_take(first, check_cloud, SIDE_PATIENCE_NS), number);
    for (uint32_t number = 5; number < 20; number++) {
        assert_int_equal(publish_cloud(publisher, number, size), 0);
        assert_int_equal(side_take(first, check_cloud, SIDE_PATIENCE_NS), number);
    }
    dds_entity_t second = side_reader("rt/map", CLOUD, qos);
    for (uint32_t number = 17; number < 20; number++)
        assert_int_equal(side_take(second, check_cloud, SIDE_PATIENCE_NS), number);
    flow_await_held(publisher, 3);
    assert_int_equal(flow_held(publisher), 3); /* for whoever joins later */
    assert_int_equal(stop(&child, SIGTERM), 0);
    flow_await_held(publisher, 0);
    sl_publisher_close(publisher);
}

/* Its publisher does not let the bridge hold as many as it must keep: some are copied. */
static void few_are_held_and_late_joiners_get_six(const char *rule)
{
    struct sl_publisher *publisher = flow_open_topic("/map", SL_TYPE_POINTCLOUD2, 65536, 3);
    struct child child = flow_bridge(rule);
    const struct side_qos qos = {.transient_local = true};
    dds_entity_t first = side_reader("rt/map", CLOUD, qos);
    uint32_t number = flow_begin(publisher, publish_cloud, first, check_cloud, 3000, 0);
    for (uint32_t end = number + 20; number < end; number++) {
        assert_int_equal(publish_cloud(publisher, number, 3000), 0);
        assert_int_equal(side_take(first, check_cloud, SIDE_PATIENCE_NS), number);
        assert_true(flow_held(publisher) <= 3);
    }
    /* what the first one has not acknowledged yet is there, too, for a moment */
    uint64_t until_ns = sl_clock_monotonic_ns() + (uint64_t)SIDE_PATIENCE_NS;
    dds_entity_t second = side_reader("rt/map", CLOUD, qos);
    while (side_take(second, check_cloud, SIDE_PATIENCE_NS) < number - 6) {
        assert_true(sl_clock_monotonic_ns() < until_ns);
        dds_delete(second);
        second = side_reader("rt/map", CLOUD, qos);
    }
    for (uint32_t n = number - 5; n < number; n++)
        assert_int_equal(side_take(second, check_cloud, SIDE_PATIENCE_NS), n);
    assert_int_equal(side_take(second, check_cloud, DDS_MSECS(100)), -1);
    assert_int_equal(stop(&child, SIGTERM), 0);
    sl_publisher_close(publisher);
}

static void late_joiner_gets_as_many_where_few_may_be_held(void **state)
{
    (void)state;
    few_are_held_and_late_joiners_get_six("/map transient-local depth=6");
}

/* What is kept until readers have it is another thing than what waits for later ones. */
static void keeping_all_does_not_grow_for_late_joiners(void **state)
{
    (void)state;
    few_are_held_and_late_joiners_get_six("/map transient-local keep-all depth=6");
}

/* What is kept of an earlier publisher leaves the next one its own quota, smaller or larger. */
static void publishers_of_a_kept_topic_may_allow_less_and_more(void **state)
{
    (void)state;
    const uint32_t size = 9000, quotas[] = {12, 3, 12};
    struct child child = flow_bridge("/map transient-local depth=6");
    dds_entity_t reader = side_reader("rt/map", CLOUD, (struct side_qos){.transient_local = true});
    uint32_t number = 0;
    for (unsigned i = 0; i < 3; i++) {
        struct sl_publisher *publisher =
            flow_open_topic("/map", SL_TYPE_POINTCLOUD2, 65536, quotas[i]);
        number = flow_begin(publisher, publish_cloud, reader, check_cloud, size, number);
        for (uint32_t end = number + 20; number < end; number++) {
            assert_int_equal(publish_cloud(publisher, number, size), 0);
            assert_int_equal(side_take(reader, check_cloud, SIDE_PATIENCE_NS), number);
        }
        flow_await_held(publisher, quotas[i] == 3 ? 2 : 6); /* a place is left for the next */
        assert_true(quotas[i] == 3 || flow_held(publisher) == 6);
        sl_publisher_close(publisher);
    }
    dds_entity_t late = side_reader("rt/map", CLOUD, (struct side_qos){.transient_local = true});
    for (uint32_t n = number - 6; n < number; n++)
        assert_int_equal(side_take(late, check_cloud, SIDE_PATIENCE_NS), n);
    assert_int_equal(stop(&child, SIGTERM), 0);
}

/* A quota cannot be as large as that depth, and frames of two publishers are held. */
static void more_may_be_kept_than_held(void **state)
{
    (void)state;
    struct child child = flow_bridge("/map transient-local depth=300");
    dds_entity_t reader = side_reader("rt/map", CLOUD, (struct side_qos){.transient_local = true});
    uint32_t number = 0;
    for (unsigned i = 0; i < 2; i++) {
        struct sl_publisher *publisher = flow_open_topic("/map", SL_TYPE_POINTCLOUD2, 8192, 255);
        number = flow_begin(publisher, publish_cloud, reader, check_cloud, 6000, number);
        for (uint32_t end = number + 200; number < end; number++) {
            assert_int_equal(publish_cloud(publisher, number, 6000), 0);
            assert_int_equal(side_take(reader, check_cloud, SIDE_PATIENCE_NS), number);
        }
        sl_publisher_close(publisher);
    }
    assert_int_equal(stop(&child, SIGTERM), 0);
}

static double lost_of(const char *topic)
{
    struct run r = run("sluice", "topic", "info", topic, "--json", NULL);
    struct sl_yaml *json = json_parse(r.out);
    double lost = json_number(json, "subscribers.0.lost_overrun") +
                  json_number(json, "subscribers.0.lost_recycled");
    sl_yaml_destroy(json);
    run_free(&r);
    return lost;
}

/* The publisher never waits, holds stay bounded, what is dropped is counted; then it goes on. */
static void stopped_reader_holds_few_and_the_rest_is_counted(void **state)
{
    (void)state;
    struct sl_publisher *publisher = flow_open_topic("/points", SL_TYPE_POINTCLOUD2, 65536, 4);
    dds_entity_t reader = side_reader("rt/points", CLOUD, (struct side_qos){0});
    flow_bridge("/points reliable depth=20");
    uint32_t number = flow_begin(publisher, publish_cloud, reader, check_cloud, 9000, 0);
    struct child slow = flow_start_reader();
    freeze(slow.pid);
    for (unsigned i = 0; i < 200; i++) {
        assert_int_equal(publish_cloud(publisher, number++, 9000), 0);
        assert_true(flow_held(publisher) <= 4);
        poll(NULL, 0, 1);
    }
    kill(slow.pid, SIGCONT);
    flow_await_held(publisher, 0);
    uint32_t last = number++;
    assert_int_equal(publish_cloud(publisher, last, 9000), 0);
    while (side_take(reader, check_cloud, SIDE_PATIENCE_NS) != last)
        ;
    double lost = lost_of("/points"); /* counted by the take that comes after them */
    assert_true(lost > 0);
    static const char title[] = "/points -> DDS rt/points";
    side_await_counter(title, "full", 1);
    side_await_counter(title, "sent", 10);
    for (uint64_t seen = 0; seen < (uint64_t)lost; poll(NULL, 0, 20))
        seen = side_counter(title, "overrun") + side_counter(title, "recycled");
    sl_publisher_close(publisher);
}

/* More are kept for late joiners than there are slots: the oldest are written over when their lease
 * has ended, which is seen when they are let go of. */
static void what_its_publisher_took_back_is_counted(void **state)
{
    (void)state;
    static const char title[] = "/map -> DDS rt/map";
    struct sl_publisher *publisher =
        flow_open((struct sl_publisher_options){.topic = "/map",
                                                .type = SL_TYPE_POINTCLOUD2,
                                                .slot_size = 65536,
                                                .slot_count = 4,
                                                .subscribers = 1,
                                                .quota = 12,
                                                .lease_ns = 20000000});
    dds_entity_t reader = side_reader("rt/map", CLOUD, (struct side_qos){0});
    struct child child = flow_bridge("/map transient-local depth=8");
    uint32_t number = flow_begin(publisher, publish_cloud, reader, check_cloud, 9000, 0);
    side_await_counter_to_be(title, "taken_back", 0);
    for (uint32_t end = number + 20; number < end; number++) {
        while (publish_cloud(publisher, number, 9000) == -EAGAIN)
            assert_int_equal(sl_publisher_wait(publisher, 60 * SECOND_NS), 0);
        assert_int_equal(side_take(reader, check_cloud, SIDE_PATIENCE_NS), number);
    }
    side_await_counter(title, "taken_back", 8);
    assert_int_equal(stop(&child, SIGTERM), 0);
    flow_await_held(publisher, 0);
    sl_publisher_close(publisher);
}

/* As many as the history has are held, no more and no fewer, and nothing is copied. */
static void history_is_as_deep_as_its_rule_says(void **state)
{
    (void)state;
    static const char title[] = "/points -> DDS rt/points";
    struct sl_publisher *publisher = flow_open_topic("/points", SL_TYPE_POINTCLOUD2, 65536, 12);
    dds_entity_t reader = side_reader("rt/points", CLOUD, (struct side_qos){0});
    struct child child = flow_bridge("/points reliable depth=10");
    uint32_t number = flow_begin(publisher, publish_cloud, reader, check_cloud, 9000, 0);
    /* it counts for as long as it is stopped */
    flow_configure("<Discovery><LeaseDuration>300s</LeaseDuration></Discovery>");
    struct child slow = flow_start_reader();
    flow_await_held(publisher, 0);
    freeze(slow.pid);
    for (uint32_t end = number + 30; number < end; number++) {
        assert_int_equal(publish_cloud(publisher, number, 9000), 0);
        assert_int_equal(side_take(reader, check_cloud, SIDE_PATIENCE_NS), number);
    }
    flow_await_held(publisher, 10);
    assert_int_equal(flow_held(publisher), 10);
    kill(slow.pid, SIGCONT);
    flow_await_held(publisher, 0);
    assert_int_equal(side_counter(title, "copied"), 0);
    assert_int_equal(stop(&child, SIGTERM), 0);
    sl_publisher_close(publisher);
}

/* Frames are held as far as they may be, the others are copied; a reader that stood still gets them
 * all. */
static void what_readers_have_not_got_may_be_copied(void **state)
{
    (void)state;
    struct sl_publisher *publisher = flow_open_topic("/points", SL_TYPE_POINTCLOUD2, 65536, 4);
    struct child child = flow_bridge("/points reliable depth=50 when-full=copy");
    dds_entity_t reader = side_reader("rt/points", CLOUD, (struct side_qos){.depth = 200});
    struct child slow = flow_start_reader();
    uint32_t number = flow_begin(publisher, publish_cloud, reader, check_cloud, 60000, 0);
    freeze(slow.pid);
    for (uint32_t end = number + 100; number < end; number++) {
        assert_int_equal(publish_cloud(publisher, number, 60000), 0);
        assert_int_equal(side_take(reader, check_cloud, SIDE_PATIENCE_NS), number);
        assert_true(flow_held(publisher) <= 4);
    }
    side_await_counter("/points -> DDS rt/points", "copied", 50);
    kill(slow.pid, SIGCONT);
    flow_await_held(publisher, 0);
    assert_int_equal(stop(&slow, SIGKILL), 256 + SIGKILL); /* what it read was right */
    assert_int_equal(stop(&child, SIGTERM), 0);
    sl_publisher_close(publisher);
}

/* What a stopped reader has not got is held, and copied when nothing more may be held. The patience
 * is shorter than its lease, after which it would not count any more. */
static void small_messages_go_on_beside_a_stopped_reader(void **state)
{
    (void)state;
    struct sl_publisher *publisher = flow_open_topic("/points", SL_TYPE_POINTCLOUD2, 4096, 4);
    dds_entity_t reader = side_reader("rt/points", CLOUD, (struct side_qos){0});
    flow_bridge("/points reliable keep-all");
    uint32_t number = flow_begin(publisher, publish_cloud, reader, check_cloud, 600, 0);
    struct child slow = flow_start_reader();
    freeze(slow.pid);
    for (unsigned i = 0; i < 40; i++, number++) {
        assert_int_equal(publish_cloud(publisher, number, 600), 0);
        assert_int_equal(side_take(reader, check_cloud, DDS_SECS(5)), number);
        assert_true(flow_held(publisher) <= 4);
    }
    assert_true(flow_held(publisher) > 0);
    kill(slow.pid, SIGCONT);
    flow_await_held(publisher, 0);
    sl_publisher_close(publisher);
}

static void killed_reader_leaves_no_hold(void **state)
{
    (void)state;
    struct sl_publisher *publisher = flow_open_topic("/points", SL_TYPE_POINTCLOUD2, 65536, 4);
    flow_bridge("/points reliable depth=20");
    /* without a sign of life for so long it counts no more; Cyclone's own time is 10 s */
    flow_configure("<Discovery><LeaseDuration>2s</LeaseDuration></Discovery>");
    dds_entity_t reader = side_reader("rt/points", CLOUD, (struct side_qos){0});
    struct child killed = flow_start_reader();
    uint32_t number = flow_begin(publisher, publish_cloud, reader, check_cloud, 9000, 0);
    stop(&killed, SIGKILL);
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(publish_cloud(publisher, number++, 9000), 0);
        poll(NULL, 0, 1);
    }
    flow_await_held(publisher, 0); /* when DDS has noticed: after the lease */
    uint32_t last = number++;
    assert_int_equal(publish_cloud(publisher, last, 9000), 0);
    while (side_take(reader, check_cloud, SIDE_PATIENCE_NS) != last)
        ;
    sl_publisher_close(publisher);
}

static void publisher_may_be_made_to_wait(void **state)
{
    (void)state;
    struct sl_publisher *publisher =
        flow_open((struct sl_publisher_options){.topic = "/points",
                                                .type = SL_TYPE_POINTCLOUD2,
                                                .slot_size = 65536,
                                                .subscribers = 1,
                                                .quota = 4,
                                                .lossless = true,
                                                .lossless_timeout_ns = 60 * SECOND_NS});
    dds_entity_t reader = side_reader("rt/points", CLOUD, (struct side_qos){.depth = 1000});
    flow_bridge("/points reliable when-full=block");
    uint32_t number = flow_begin(publisher, publish_cloud, reader, check_cloud, 9000, 0);
    struct child slow = flow_start_reader();
    freeze(slow.pid);
    uint32_t begin = number;
    int err = 0;
    for (unsigned i = 0; i < 1000 && err == 0; i++)
        if ((err = publish_cloud(publisher, number, 9000)) == 0)
            number++;
    assert_int_equal(err, -EAGAIN);
    kill(slow.pid, SIGCONT);
    for (uint32_t end = number + 300; number < end; number++)
        while ((err = publish_cloud(publisher, number, 9000)) == -EAGAIN)
            assert_int_equal(sl_publisher_wait(publisher, 30 * SECOND_NS), 0);
    for (uint32_t next = begin; next < number; next++)
        assert_int_equal(side_take(reader, check_cloud, SIDE_PATIENCE_NS), next);
    flow_await_held(publisher, 0);
    sl_publisher_close(publisher);
}

/* Ends ------------------------------------------------------------------------------------------*/

static void killed_bridge_leaves_no_hold_and_another_takes_over(void **state)
{
    (void)state;
    struct sl_publisher *publisher = flow_open_topic("/points", SL_TYPE_POINTCLOUD2, 65536, 4);
    dds_entity_t reader = side_reader("rt/points", CLOUD, (struct side_qos){0});
    uint32_t number = 0;
    for (unsigned i = 0; i < 3; i++) {
        struct child child = flow_bridge("/points reliable depth=2");
        number = flow_begin(publisher, publish_cloud, reader, check_cloud, 9000, number);
        assert_int_equal(publish_cloud(publisher, number++, 9000), 0);
        assert_int_equal(stop(&child, SIGKILL), 256 + SIGKILL);
        flow_await_held(publisher, 0);
        while (side_take(reader, check_cloud, DDS_MSECS(200)) >= 0)
            ;
    }
    sl_publisher_close(publisher);
}

static void publisher_may_come_and_go(void **state)
{
    (void)state;
    dds_entity_t reader = side_reader("rt/points", CLOUD, (struct side_qos){0});
    struct child child = flow_bridge("/points reliable depth=2");
    uint32_t number = 0;
    for (unsigned i = 0; i < 3; i++) {
        struct sl_publisher *publisher = flow_open_topic("/points", SL_TYPE_POINTCLOUD2, 65536, 4);
        number = flow_begin(publisher, publish_cloud, reader, check_cloud, 9000, number);
        flow_await_held(publisher, 0);
        sl_publisher_close(publisher);
    }
    assert_int_equal(stop(&child, SIGTERM), 0);
}

/* So many of a process's mappings are pools, other processes' too. */
static unsigned pools_of(pid_t pid)
{
    char line[512];
    unsigned count = 0;
    snprintf(line, sizeof line, "/proc/%d/maps", (int)pid);
    FILE *file = fopen(line, "re");
    assert_non_null(file);
    while (fgets(line, sizeof line, file))
        count += strstr(line, " sluice-pool") != NULL;
    fclose(file);
    return count;
}

/* Frames of a publisher that was killed are held for late joiners until its successor's displace
 * them; then nothing of it is left. */
static void killed_publisher_leaves_no_hold_and_another_takes_over(void **state)
{
    (void)state;
    static const char *const first[] = {"0", "5", "10"};
    static const char title[] = "/points -> DDS rt/points";
    const struct side_qos qos = {.transient_local = true};
    struct child child = flow_bridge("/points transient-local depth=3");
    dds_entity_t reader = side_reader("rt/points", CLOUD, qos);
    unsigned pools = 0;
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t last = 5 * i + 4;
        struct child killed = start(flow_program("dds_publisher"), "/points", first[i], "5", NULL);
        expect_line(&killed, "published");
        while (side_take(reader, check_cloud, SIDE_PATIENCE_NS) != last)
            ;
        side_await_counter_to_be(title, "held", 3);
        assert_int_equal(stop(&killed, SIGKILL), 256 + SIGKILL);
        dds_entity_t late = side_reader("rt/points", CLOUD, qos);
        for (uint32_t number = last - 2; number <= last; number++)
            assert_int_equal(side_take(late, check_cloud, SIDE_PATIENCE_NS), number);
        assert_int_equal(dds_delete(late), 0);
        if (i == 0)
            pools = pools_of(child.pid);
    }
    assert_true(pools > 0);
    for (uint64_t until_ns = sl_clock_monotonic_ns() + (uint64_t)SIDE_PATIENCE_NS;
         pools_of(child.pid) > pools; poll(NULL, 0, 5))
        if (sl_clock_monotonic_ns() > until_ns)
            fail_msg("%u pools are mapped, not %u", pools_of(child.pid), pools);
    assert_int_equal(stop(&child, SIGTERM), 0);
}

/* More than may be under way: the second waits until readers have the first, which is then kept for
 * late joiners, so that nothing is let go of. */
static void what_waits_goes_on_though_all_before_it_is_kept(void **state)
{
    (void)state;
    const uint32_t size = 3u << 20;
    struct sl_publisher *publisher = flow_open_topic("/map", SL_TYPE_POINTCLOUD2, size, 12);
    struct child child = flow_bridge("/map transient-local keep-all depth=3");
    dds_entity_t reader =
        side_reader("rt/map", CLOUD, (struct side_qos){.transient_local = true, .depth = 10});
    uint32_t number = 0;
    side_await_writers(reader, 1);
    side_await_counter("/map -> DDS rt/map", "readers", 1);
    for (unsigned round = 0; round < 5; round++) {
        assert_int_equal(publish_cloud(publisher, number, size), 0);
        assert_int_equal(publish_cloud(publisher, number + 1, size), 0);
        for (uint32_t end = number + 2; number < end; number++)
            assert_int_equal(side_take(reader, check_cloud, DDS_SECS(20)), number);
    }
    assert_int_equal(stop(&child, SIGTERM), 0);
    sl_publisher_close(publisher);
}

/* In a process namespace of its own, as in a container: there it is process 1. */
#define APART                                                                           \
    "/usr/bin/unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child", \
        "--mount-proc"

/* Two containers know their processes by the same numbers. */
static void publisher_of_another_container_goes_out(void **state)
{
    (void)state;
    char program[512];
    snprintf(program, sizeof program, "%s", harness_program("dds_bridge"));
    struct run r = run(APART, "/bin/true", NULL);
    if (r.status != 0) {
        printf("SKIP: no process namespace may be made: %s\n", r.err);
        run_free(&r);
        skip();
    }
    run_free(&r);
    dds_entity_t reader = side_reader("rt/points", CLOUD, (struct side_qos){0});
    start(APART, program, "--out=/points reliable", side_domain_option(), NULL);
    struct child far = start(APART, flow_program("dds_publisher"), "/points", "0", "5", NULL);
    expect_line(&far, "published");
    side_await_writers(reader, 1);
}

int main(void)
{
#define CASE(name)     cmocka_unit_test_setup_teardown(name, side_setup, side_teardown)
#define RECORDED(name) cmocka_unit_test_setup_teardown(name, side_setup_recorded, side_teardown)
    const struct CMUnitTest tests[] = {
        CASE(messages_arrive_as_they_are),
        CASE(messages_may_get_another_frame_id),
        CASE(message_at_the_end_of_its_slot_arrives_whole),
#ifdef FROM_POOLS
        CASE(payload_is_sent_from_the_pool),
        CASE(payload_in_pieces_is_too),
        CASE(payload_behind_another_frame_id_is_too),
#endif
        RECORDED(one_fragment_fills_a_packet),
        RECORDED(packets_are_as_small_as_they_are_to_be),
        CASE(rules_say_what_goes_out_and_as_what),
        CASE(rate_is_not_exceeded),
        CASE(latest_leaves_out_what_was_overtaken),
        CASE(what_is_no_message_is_counted),
        CASE(what_cannot_be_renamed_is_counted),
        CASE(writers_offer_what_their_rules_say),
        CASE(depth_of_what_the_bus_retains_may_be_another),
        CASE(wrong_options_are_told),
        CASE(plan_tells_what_each_rule_would_read),
        CASE(plan_finds_what_a_launch_file_publishes),
        CASE(late_joiner_gets_what_the_bus_retains),
        CASE(late_joiner_gets_as_many_where_few_may_be_held),
        CASE(keeping_all_does_not_grow_for_late_joiners),
        CASE(publishers_of_a_kept_topic_may_allow_less_and_more),
        CASE(more_may_be_kept_than_held),
        CASE(stopped_reader_holds_few_and_the_rest_is_counted),
        CASE(what_its_publisher_took_back_is_counted),
        CASE(history_is_as_deep_as_its_rule_says),
        CASE(what_readers_have_not_got_may_be_copied),
        CASE(small_messages_go_on_beside_a_stopped_reader),
        CASE(killed_reader_leaves_no_hold),
        CASE(publisher_may_be_made_to_wait),
        CASE(killed_bridge_leaves_no_hold_and_another_takes_over),
        CASE(publisher_may_come_and_go),
        CASE(killed_publisher_leaves_no_hold_and_another_takes_over),
        CASE(what_waits_goes_on_though_all_before_it_is_kept),
        CASE(publisher_of_another_container_goes_out),
    };
    cmocka_set_test_filter(getenv("SLUICE_TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
