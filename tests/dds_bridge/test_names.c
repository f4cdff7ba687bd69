/* SPDX-License-Identifier: Apache-2.0 */
/* test_names.c - ROS 2's names in DDS, and the rules that say what crosses. */
#include "core/base/error.h"
#include "nodes/dds_bridge/names.h"
#include "nodes/dds_bridge/rule.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void topics_have_a_prefix(void **state)
{
    (void)state;
    char dds[BRIDGE_TOPIC_MAX], bus[SL_TOPIC_MAX];
    assert_int_equal(bridge_topic_to_dds("/lidar/points", dds), 0);
    assert_string_equal(dds, "rt/lidar/points");
    assert_int_equal(bridge_topic_from_dds(dds, bus), 0);
    assert_string_equal(bus, "/lidar/points");
    char longest[SL_TOPIC_MAX] = "/";
    memset(longest + 1, 'a', sizeof longest - 2);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(bridge_topic_to_dds(longest, dds), 0);
    assert_int_equal(strlen(dds), SL_TOPIC_MAX + 1);
    assert_int_equal(bridge_topic_from_dds(dds, bus), 0);
    assert_string_equal(bus, longest);
}

static void what_is_no_topic_of_ros_is_told(void **state)
{
    (void)state;
    char dds[BRIDGE_TOPIC_MAX], bus[SL_TOPIC_MAX];
    assert_int_equal(bridge_topic_to_dds("/lidar-1/points", dds), -EINVAL);
    assert_non_null(strstr(sl_error_text(), "as=/NAME"));
    static const char *const others[] = {"",      "rt",    "rq/service", "ros_discovery_info",
                                         "rtx/a", "rt/a b"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_int_equal(bridge_topic_from_dds(others[i], bus), -EINVAL);
    char long_one[400] = "rt/";
    memset(long_one + 3, 'a', sizeof long_one - 4);
    long_one[sizeof long_one - 1] = '\0';
    assert_int_equal(bridge_topic_from_dds(long_one, bus), -EINVAL);
}

static void types_go_there_and_back(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"sensor_msgs/msg/PointCloud2", "sensor_msgs::msg::dds_::PointCloud2_"},
        {"my_robot/msg/State_", "my_robot::msg::dds_::State__"},
        {"example/Bytes", "example::Bytes"},
        {"Plain", "Plain"},
        {"a/b/c/d", "a::b::c::d"},
    };
    char dds[BRIDGE_TYPE_MAX], bus[SL_TYPE_MAX];
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        assert_int_equal(bridge_type_to_dds(pairs[i][0], dds), 0);
        assert_string_equal(dds, pairs[i][1]);
        assert_int_equal(bridge_type_from_dds(dds, bus), 0);
        assert_string_equal(bus, pairs[i][0]);
    }
}

static void types_without_a_name_here_are_told(void **state)
{
    (void)state;
    static const char *const types[] = {
        "", "a b", "a::b::dds_::", "a:b", "a::b::c::dds_::D_", "a::b::dds_::C", "a/b"};
    char bus[SL_TYPE_MAX];
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (bridge_type_from_dds(types[i], bus) != -EINVAL)
            fail_msg("'%s' is '%s'", types[i], bus);
    char long_one[600];
    memset(long_one, 'a', sizeof long_one - 1);
    long_one[sizeof long_one - 1] = '\0';
    assert_int_equal(bridge_type_from_dds(long_one, bus), -EINVAL);
    memset(long_one, '/', sizeof long_one - 1);
    char dds[BRIDGE_TYPE_MAX];
    assert_int_equal(bridge_type_to_dds(long_one, dds), -EINVAL);
    long_one[SL_TYPE_MAX - 1] = '\0'; /* the most that "::" for '/' can make of a type */
    assert_int_equal(bridge_type_to_dds(long_one, dds), 0);
    assert_int_equal(strlen(dds), 2 * (SL_TYPE_MAX - 1));
}

/* Rules -----------------------------------------------------------------------------------------*/

static void rule_without_words_is_the_profile_for_sensors(void **state)
{
    (void)state;
    struct bridge_rule rule;
    assert_int_equal(bridge_rule_init(&rule, "/lidar/points"), 0);
    assert_string_equal(rule.name, "/lidar/points");
    assert_true(rule.qos.best_effort && !rule.qos.transient_local && !rule.qos.keep_all);
    assert_int_equal(rule.qos.depth, 5);
    assert_false(rule.says_qos || rule.latest);
    assert_int_equal(rule.full, BRIDGE_DROP);
    bridge_rule_finish(&rule);
}

static void every_word_counts(void **state)
{
    (void)state;
    struct bridge_rule rule;
    assert_int_equal(bridge_rule_init(&rule, "  points\treliable transient-local depth=7 "
                                             "deadline=100ms rate=4 latest when-full=copy "
                                             "as=/front/points frame-id=robot1/* keep-all "),
                     0);
    assert_string_equal(rule.name, "points");
    assert_true(!rule.qos.best_effort && rule.qos.transient_local && rule.qos.keep_all);
    assert_int_equal(rule.qos.depth, 7);
    assert_int_equal(rule.qos.deadline_ns, 100000000);
    assert_int_equal(rule.period_ns, 250000000);
    assert_true(rule.latest && rule.says_qos);
    assert_int_equal(rule.full, BRIDGE_COPY);
    assert_string_equal(rule.as, "/front/points");
    assert_string_equal(rule.frame_id, "robot1/*");
    bridge_rule_finish(&rule);
    assert_int_equal(bridge_rule_init(&rule, "/tf transient-local"), 0);
    assert_false(rule.qos.best_effort);
    bridge_rule_finish(&rule);
}

static void depth_alone_says_nothing_of_reliability_and_durability(void **state)
{
    (void)state;
    struct bridge_rule rule;
    assert_int_equal(bridge_rule_init(&rule, "/map depth=10"), 0);
    assert_true(rule.says_depth);
    assert_false(rule.says_qos);
    bridge_rule_finish(&rule);
    assert_int_equal(bridge_rule_init(&rule, "/map volatile"), 0);
    assert_false(rule.says_depth);
    assert_true(rule.says_qos);
    bridge_rule_finish(&rule);
}

static void patterns_match_whole_names(void **state)
{
    (void)state;
    struct bridge_rule rule;
    assert_int_equal(bridge_rule_init(&rule, "/cam[0-9]/(image|info) reliable"), 0);
    assert_true(bridge_rule_matches(&rule, "/cam3/image"));
    assert_true(bridge_rule_matches(&rule, "/cam0/info"));
    assert_false(bridge_rule_matches(&rule, "/cam3/image2"));
    assert_false(bridge_rule_matches(&rule, "/x/cam3/image"));
    bridge_rule_finish(&rule);
    assert_int_equal(bridge_rule_init(&rule, ".*"), 0);
    assert_true(bridge_rule_matches(&rule, "/anything"));
    bridge_rule_finish(&rule);
}

static void wrong_rules_are_told(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"", "no topic's name"},
        {"/a fast", "'fast' is none of: reliable"},
        {"/a depth=0", "depth=0: give a number"},
        {"/a depth=1025", "from 1 to 1024"},
        {"/a depth=", "depth=: give a number"},
        {"/a rate=0", "rate=0: give messages a second"},
        {"/a rate=nan", "rate=nan"},
        {"/a deadline=soon", "deadline=soon: give a duration"},
        {"/a deadline=-1s", "deadline=-1s"},
        {"/a when-full=wait", "none of: drop, copy, block"},
        {"/a as=b", "as=b: give a topic's whole name"},
        {".* as=/b", "one name for every topic"},
        {"/a frame-id=", "frame-id=: give a name"},
        {"/a frame-id=*/*", "one with a '*' for the one"},
        {"/a(", "no regular expression: "},
        {"/a**", "a repetition cannot be repeated"},
        {"/(a*)+", "a group or a repetition"},
        {"/a{2}", "no counts such as {2}"},
        {"/(a)\\1", "no references such as"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct bridge_rule rule;
        assert_int_equal(bridge_rule_init(&rule, wrong[i][0]), -EINVAL);
        if (!strstr(sl_error_text(), wrong[i][1]))
            fail_msg("'%s': '%s'", wrong[i][0], sl_error_text());
        bridge_rule_finish(&rule);
    }
    char long_one[500];
    memset(long_one, 'a', sizeof long_one - 1);
    long_one[sizeof long_one - 1] = '\0';
    struct bridge_rule rule;
    assert_int_equal(bridge_rule_init(&rule, long_one), -EINVAL);
    bridge_rule_finish(&rule);
    long_one[290] = '\0'; /* a word, but no topic's name */
    assert_int_equal(bridge_rule_init(&rule, long_one), -EINVAL);
    bridge_rule_finish(&rule);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(topics_have_a_prefix),
        cmocka_unit_test(what_is_no_topic_of_ros_is_told),
        cmocka_unit_test(types_go_there_and_back),
        cmocka_unit_test(types_without_a_name_here_are_told),
        cmocka_unit_test(rule_without_words_is_the_profile_for_sensors),
        cmocka_unit_test(every_word_counts),
        cmocka_unit_test(depth_alone_says_nothing_of_reliability_and_durability),
        cmocka_unit_test(patterns_match_whole_names),
        cmocka_unit_test(wrong_rules_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
