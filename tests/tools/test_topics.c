/* SPDX-License-Identifier: Apache-2.0 */
/* test_topics.c - sluice topic list, info, hz, bw, delay, echo, pub over real publishers. */
#include "tests/tools/harness.h"

#include "core/base/yaml.h"
#include "tests/tools/cloud.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void empty_domain_is_told_and_is_no_error(void **state)
{
    (void)state;
    struct run r = run("sluice", "topic", "list", NULL);
    assert_int_equal(r.status, 0);
    assert_string_equal(r.out, "no topics in domain default\n");
    run_free(&r);
    r = run("sluice", "topic", "list", "--json", NULL);
    assert_string_equal(r.out, "[]\n");
    run_free(&r);
}

static void list_names_every_topic_with_type_ends_and_rate(void **state)
{
    (void)state;
    publisher("cloud", "/points");
    publisher("image", "/camera/image");
    struct run r = run("sluice", "topic", "list", "--json", NULL);
    assert_int_equal(r.status, 0);
    struct sl_yaml *json = json_parse(r.out);
    assert_string_equal(json_text(json, "0.topic"), "/camera/image");
    assert_string_equal(json_text(json, "0.type"), "sensor_msgs/msg/Image");
    assert_string_equal(json_text(json, "1.topic"), "/points");
    assert_int_equal((int)json_number(json, "1.publishers"), 1);
    assert_int_equal((int)json_number(json, "1.subscribers"), 0);
    double hz = json_number(json, "1.rate_hz");
    assert_true(hz > 2 && hz < 21); /* 20 on a machine that has time for it */
    sl_yaml_destroy(json);
    run_free(&r);
    r = run("sluice", "topic", "list", "--names", NULL);
    assert_string_equal(r.out, "/camera/image\n/points\n");
    run_free(&r);
    r = run("sluice", "topic", "list", "-v", NULL);
    assert_has(r.out, "BANDWIDTH");
    assert_has(r.out, "sensor_msgs/msg/PointCloud2");
    run_free(&r);
}

static void domains_do_not_see_each_other(void **state)
{
    (void)state;
    publisher("cloud", "/points");
    struct run r = run("sluice", "topic", "list", "--domain", "elsewhere", "--names", NULL);
    assert_int_equal(r.status, 0);
    assert_string_equal(r.out, "");
    run_free(&r);
}

static void info_tells_both_ends_with_slots_and_losses(void **state)
{
    (void)state;
    publisher("cloud", "/points");
    start("monitor", "--topics", "/points", "--policy", "latest", NULL);
    struct run r;
    struct sl_yaml *json;
    for (int i = 0; i < 40; i++) { /* until the monitor is attached */
        r = run("sluice", "topic", "info", "/points", "--json", "--window", "50ms", NULL);
        assert_int_equal(r.status, 0);
        if (strstr(r.out, "\"monitor\""))
            break;
        run_free(&r);
    }
    json = json_parse(r.out);
    assert_string_equal(json_text(json, "type"), "sensor_msgs/msg/PointCloud2");
    assert_string_equal(json_text(json, "publishers.0.node"), "tools_publisher");
    assert_true(json_number(json, "publishers.0.slots") > 4);
    assert_int_equal((int)json_number(json, "publishers.0.slot_size_bytes"), 65536);
    assert_string_equal(json_text(json, "publishers.0.memory"), "memfd");
    assert_string_equal(json_text(json, "publishers.0.memory_kind"), "wb");
    assert_int_equal((int)json_number(json, "publishers.0.page_size_bytes"), 4096);
    assert_string_equal(json_text(json, "subscribers.0.policy"), "latest");
    assert_true(json_number(json, "subscribers.0.pid") > 0);
    json_number(json, "subscribers.0.lost_overrun");
    json_number(json, "subscribers.0.latency_p99_ns");
    sl_yaml_destroy(json);
    run_free(&r);
    r = run("sluice", "topic", "info", "/points", NULL);
    assert_has(r.out, "publishers: 1");
    assert_has(r.out, "subscribers: 1");
    assert_has(r.out, "memory: memfd, measured wb, pages of 4.00 KiB");
    assert_has(r.out, "lost:");
    run_free(&r);
}

static void topic_that_is_not_there_is_an_error_with_a_guess(void **state)
{
    (void)state;
    publisher("cloud", "/lidar/points");
    struct run r = run("sluice", "topic", "info", "/lidar/point", NULL);
    assert_int_equal(r.status, 1);
    assert_has(r.err, "did you mean /lidar/points?");
    run_free(&r);
    r = run("sluice", "topic", "echo", "/lidar/pionts", "--timeout", "200ms", NULL);
    assert_int_equal(r.status, 1);
    assert_has(r.err, "nobody publishes /lidar/pionts");
    assert_has(r.err, "did you mean /lidar/points?");
    run_free(&r);
    r = run("sluice", "topic", "bw", "/other", "--timeout", "100ms", NULL);
    assert_int_equal(r.status, 1);
    assert_has(r.err, "there are /lidar/points");
    run_free(&r);
    r = run("sluice", "topic", "hz", "lidar/points", NULL);
    assert_int_equal(r.status, 1);
    assert_has(r.err, "did you mean /lidar/points?");
    run_free(&r);
}

static void hz_tells_rate_and_spread(void **state)
{
    (void)state;
    publisher("cloud", "/points");
    struct run r = run("sluice", "topic", "hz", "/points", "--count", "12", "--json", "--period",
                       "100s", NULL);
    assert_int_equal(r.status, 0);
    struct sl_yaml *json = json_parse(r.out);
    double hz = json_number(json, "rate_hz");
    assert_true(hz > 2 && hz < 21);
    assert_true(json_number(json, "interval_min_ns") <= json_number(json, "interval_mean_ns"));
    assert_true(json_number(json, "interval_mean_ns") <= json_number(json, "interval_max_ns"));
    assert_int_equal((int)json_number(json, "messages"), 12);
    sl_yaml_destroy(json);
    run_free(&r);
}

static void hz_ends_well_on_interrupt(void **state)
{
    (void)state;
    publisher("cloud", "/points");
    struct child hz = start("sluice", "topic", "hz", "/points", "--period", "100ms", NULL);
    char first;
    assert_int_equal(read(hz.out, &first, 1), 1); /* it is at work */
    assert_int_equal(stop(&hz, SIGINT), 0);
}

static void bw_tells_bytes_without_subscribing(void **state)
{
    (void)state;
    publisher("cloud", "/points");
    struct run r =
        run("sluice", "topic", "bw", "/points", "-n", "1", "--period", "300ms", "--json", NULL);
    assert_int_equal(r.status, 0);
    struct sl_yaml *json = json_parse(r.out);
    assert_true(json_number(json, "bandwidth_bytes_per_s") > TEST_CLOUD_BYTES);
    double size = json_number(json, "message_mean_bytes");
    assert_true(size > TEST_CLOUD_BYTES && size < TEST_CLOUD_BYTES + 400);
    sl_yaml_destroy(json);
    run_free(&r);
}

static void delay_tells_age_since_publication_and_since_stamp(void **state)
{
    (void)state;
    publisher("cloud", "/points");
    struct run r = run("sluice", "topic", "delay", "/points", "-n", "5", "--json", NULL);
    assert_int_equal(r.status, 0);
    struct sl_yaml *json = json_parse(strrchr(r.out, '{'));
    assert_string_equal(json_text(json, "clock"), "host");
    assert_true(json_number(json, "publish_to_take_p50_ns") > 0);
    assert_true(json_number(json, "stamp_to_take_min_ns") > 0);
    assert_true(json_number(json, "stamp_to_take_min_ns") < 5e9);
    sl_yaml_destroy(json);
    run_free(&r);
}

static void echo_shows_a_cloud_with_its_data_shortened(void **state)
{
    (void)state;
    publisher("cloud", "/points");
    struct run r = run("sluice", "topic", "echo", "/points", "--once", NULL);
    assert_int_equal(r.status, 0);
    assert_has(r.out, "frame_id: lidar\n");
    assert_has(r.out, "height: 62\nwidth: 4\n");
    assert_has(r.out, "point_step: 22\n");
    assert_has(r.out, "5440 more]");
    assert_has(r.out, "is_dense: false\n---\n");
    run_free(&r);
    r = run("sluice", "topic", "echo", "/points", "--once", "--no-data", "--json", NULL);
    struct sl_yaml *json = json_parse(r.out);
    assert_string_equal(json_text(json, "message.header.frame_id"), "lidar");
    assert_int_equal((int)json_number(json, "message.data.length"), TEST_CLOUD_BYTES);
    sl_yaml_destroy(json);
    run_free(&r);
}

static void echo_full_shows_every_element(void **state)
{
    (void)state;
    publisher("image", "/image");
    struct run r = run("sluice", "topic", "echo", "/image", "--once", "--full", NULL);
    assert_int_equal(r.status, 0);
    assert_has_not(r.out, "more]");
    assert_has(r.out, "data: [255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255, 255, 0, 0,");
    run_free(&r);
}

static void echo_puts_gathered_bodies_together(void **state)
{
    (void)state;
    publisher("gathered", "/points");
    struct run r = run("sluice", "topic", "echo", "/points", "--once", NULL);
    assert_int_equal(r.status, 0);
    assert_has(r.out, "height: 62\nwidth: 4\n");
    assert_has(r.out, "is_dense: false\n---\n");
    run_free(&r);
}

static void echo_dumps_a_type_that_it_does_not_know(void **state)
{
    (void)state;
    publisher("bytes", "/bytes");
    struct run r = run("sluice", "topic", "echo", "/bytes", "--once", NULL);
    assert_int_equal(r.status, 0);
    assert_has(r.out, "# type example/msg/Bytes is not known here; 600 bytes:\n");
    assert_has(r.out, "  0010  10 11 12 13");
    assert_has(r.out,
               "  0040  40 41 42 43 44 45 46 47 48 49 4a 4b 4c 4d 4e 4f  @ABCDEFGHIJKLMNO\n");
    assert_has(r.out, "... 344 bytes more\n");
    run_free(&r);
}

static void echo_tells_what_is_wrong_with_a_message(void **state)
{
    (void)state;
    publisher("bad", "/points");
    struct run r = run("sluice", "topic", "echo", "/points", "--once", NULL);
    assert_int_equal(r.status, 0);
    assert_has(r.err, "is no sensor_msgs/msg/PointCloud2:");
    assert_has(r.out, "  0000  00 01 02 03");
    run_free(&r);
}

static void echo_ends_after_its_duration(void **state)
{
    (void)state;
    struct run r = run("sluice", "topic", "echo", "/nothing", "--duration", "100ms", NULL);
    assert_int_equal(r.status, 0);
    assert_string_equal(r.out, "");
    run_free(&r);
}

static void what_pub_writes_echo_reads(void **state)
{
    (void)state;
    start("sluice", "topic", "pub", "/imu", "sensor_msgs/msg/Imu",
          "{header: {frame_id: base}, linear_acceleration: {z: 9.81}, "
          "orientation_covariance: [1, 0, 0, 0, 2, 0, 0, 0, 3]}",
          "--rate", "50", NULL);
    struct run r = run("sluice", "topic", "echo", "/imu", "--once", "--json", NULL);
    assert_int_equal(r.status, 0);
    struct sl_yaml *json = json_parse(r.out);
    assert_string_equal(json_text(json, "type"), "sensor_msgs/msg/Imu");
    assert_string_equal(json_text(json, "message.header.frame_id"), "base");
    assert_true(json_number(json, "message.linear_acceleration.z") == 9.81);
    assert_true(json_number(json, "message.orientation_covariance.4") == 2);
    sl_yaml_destroy(json);
    run_free(&r);
}

static void echo_golden_of_a_short_message(void **state)
{
    (void)state;
    start("sluice", "topic", "pub", "/greeting", "std_msgs/msg/String", "data: hello", NULL);
    struct run r = run("sluice", "topic", "echo", "/greeting", "--once", NULL);
    assert_int_equal(r.status, 0);
    assert_string_equal(r.out, "data: hello\n---\n");
    run_free(&r);
}

static void pub_waits_for_the_subscribers_that_were_asked_for(void **state)
{
    (void)state;
    struct child pub = start("sluice", "topic", "pub", "/scan", "sensor_msgs/msg/PointCloud2",
                             "{height: 0}", "--once", "--wait", "1", NULL);
    start("monitor", "--topics", "/scan", NULL);
    assert_int_equal(wait_for(pub.pid), 0);
    close(pub.out);
    struct run r = run("sluice", "topic", "pub", "/x", "std_msgs/msg/Bool", "data: true", "--wait",
                       "1", "--timeout", "100ms", NULL);
    assert_int_equal(r.status, 1);
    assert_has(r.err, "0 of 1 subscribers came to /x");
    run_free(&r);
}

static void large_message_of_pub_takes_a_slot(void **state)
{
    (void)state;
    char yaml[2300] = "data: '";
    memset(yaml + 7, 'x', 2000);
    strcpy(yaml + 2007, "'");
    start("sluice", "topic", "pub", "/long", "std_msgs/msg/String", yaml, NULL);
    struct run r = run("sluice", "topic", "echo", "/long", "--once", "--json", NULL);
    struct sl_yaml *json = json_parse(r.out);
    assert_int_equal(strlen(json_text(json, "message.data")), 2000);
    sl_yaml_destroy(json);
    run_free(&r);
}

static void pub_names_what_is_wrong_in_the_yaml(void **state)
{
    (void)state;
    struct run r = run("sluice", "topic", "pub", "/s", "std_msgs/msg/Strin", "data: x", NULL);
    assert_int_equal(r.status, 1);
    assert_has(r.err, "did you mean std_msgs/msg/String?");
    run_free(&r);
    r = run("sluice", "topic", "pub", "/s", "std_msgs/msg/String", "dato: x", NULL);
    assert_int_equal(r.status, 1);
    assert_has(r.err, "dato");
    run_free(&r);
    r = run("sluice", "topic", "pub", "/s", "std_msgs/msg/String", "{data: [", NULL);
    assert_int_equal(r.status, 1);
    assert_has(r.err, "message:2:1: flow sequence");
    run_free(&r);
    r = run("sluice", "topic", "pub", "/s", "std_msgs/msg/Int8", "data: 300", NULL);
    assert_int_equal(r.status, 1);
    assert_has(r.err, "300");
    run_free(&r);
}

static void wrong_use_has_status_2_and_says_what_is_right(void **state)
{
    (void)state;
    static const struct {
        const char *words[5];
        const char *says;
    } cases[] = {
        {{"topc"}, "did you mean 'sluice top'?"},
        {{"topic", "lst"}, "did you mean 'sluice topic list'?"},
        {{"echo"}, "did you mean 'sluice topic echo'?"},
        {{"snapshto"}, "did you mean 'sluice snapshot'?"},
        {{"topic"}, "topic delay"},
        {{"topic", "hz"}, "TOPIC is missing"},
        {{"topic", "hz", "/a", "/b"}, "one argument too many"},
        {{"topic", "hz", "/a", "--windw=3"}, "did you mean --window?"},
        {{"topic", "hz", "/a", "--window=1"}, "out of range"},
        {{"snapshot", "/a", "b.png", "--color=pink"}, "intensity, height, ring, range"},
        {{"sim", "lidar"}, "--to ADDRESS:PORT"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *argv[8] = {(char *)harness_program("sluice")};
        for (int w = 0; w < 5 && cases[i].words[w]; w++)
            argv[w + 1] = (char *)cases[i].words[w];
        struct run r = run_arguments(argv);
        assert_has(r.err, cases[i].says);
        assert_int_equal(r.status, 2);
        run_free(&r);
    }
}

static void a_full_output_is_a_failure(void **state)
{
    (void)state;
    publisher("cloud", "/points");
    char line[600];
    snprintf(line, sizeof line, "%s topic list > /dev/full", harness_program("sluice"));
    struct run r = run("/bin/sh", "-c", line, NULL);
    assert_int_equal(r.status, 1);
    assert_has(r.err, "standard output");
    run_free(&r);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
    const struct CMUnitTest tests[] = {
        CASE(empty_domain_is_told_and_is_no_error),
        CASE(list_names_every_topic_with_type_ends_and_rate),
        CASE(domains_do_not_see_each_other),
        CASE(info_tells_both_ends_with_slots_and_losses),
        CASE(topic_that_is_not_there_is_an_error_with_a_guess),
        CASE(hz_tells_rate_and_spread),
        CASE(hz_ends_well_on_interrupt),
        CASE(bw_tells_bytes_without_subscribing),
        CASE(delay_tells_age_since_publication_and_since_stamp),
        CASE(echo_shows_a_cloud_with_its_data_shortened),
        CASE(echo_full_shows_every_element),
        CASE(echo_puts_gathered_bodies_together),
        CASE(echo_dumps_a_type_that_it_does_not_know),
        CASE(echo_tells_what_is_wrong_with_a_message),
        CASE(echo_ends_after_its_duration),
        CASE(what_pub_writes_echo_reads),
        CASE(echo_golden_of_a_short_message),
        CASE(pub_waits_for_the_subscribers_that_were_asked_for),
        CASE(large_message_of_pub_takes_a_slot),
        CASE(pub_names_what_is_wrong_in_the_yaml),
        CASE(wrong_use_has_status_2_and_says_what_is_right),
        CASE(a_full_output_is_a_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
