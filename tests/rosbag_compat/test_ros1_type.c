/* SPDX-License-Identifier: Apache-2.0 */
/* Types and messages as ROS 1 has them: sums that others computed, and the way back by our own
 * reader of ROS 1 messages. */
#include "core/frame/build.h"
#include "core/frame/walk.h"
#include "rosbag_compat/definition.h"
#include "rosbag_compat/files.h"
#include "rosbag_compat/ros1_body.h"
#include "rosbag_compat/ros1_type.h"
#include "tests/rosbag_compat/support.h"

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define BODY_MAX 4096

static void sums_are_those_of_rfc_1321(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", "d41d8cd98f00b204e9800998ecf8427e"},
        {"abc", "900150983cd24fb0d6963f7d28e17f72"},
        {"message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
        {"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
         "57edf4a22be3c955ac49da2e2107b67a"},
    };
    char sum[SL_MD5_TEXT_BYTES];
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        sl_md5_text(cases[i][0], strlen(cases[i][0]), sum);
        assert_string_equal(sum, cases[i][1]);
    }
}

/* As ROS 1's own messages have them. */
static void types_have_the_sums_of_ros_1(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"std_msgs/msg/Header", "2176decaecbce78abc3b96ef049fabed"},
        {"sensor_msgs/msg/PointCloud2", "1158d486dd51d683ce2f1be655c3c181"},
        {"sensor_msgs/msg/Image", "060021388200f6f0f447d0fcd9c64743"},
        {"sensor_msgs/msg/CompressedImage", "8f7a12909da2c9d3332d540a0977563f"},
        {"sensor_msgs/msg/CameraInfo", "c9a58c1b0b154e0e6da7578cb991d214"},
        {"sensor_msgs/msg/Imu", "6a62c6daae103f4ff57a132d6f95cec2"},
        {"sensor_msgs/msg/NavSatFix", "2d3a8cd499b9b4a0249fb98fd05cfa48"},
        {"sensor_msgs/msg/LaserScan", "90c7ef2dc6895d81024acba2ac42f369"},
        {"tf2_msgs/msg/TFMessage", "94810edda583a504dfda3829e70d7eec"},
        {"nav_msgs/msg/Odometry", "cd5e73d190d741a2f92e81eda573aca7"},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sl_ros1_type type;
        assert_fine(sl_ros1_type_make(sl_schema_find(cases[i][0]), &type));
        if (strcmp(type.md5, cases[i][1]) != 0)
            fail_msg("%s has %s, not %s", type.name, type.md5, cases[i][1]);
        sl_ros1_type_finish(&type);
    }
}

/* In bags of the field, of whatever distribution, the sums that were recorded are ours. */
static unsigned compared;

static int compare_sums(const char *path, const struct stat *st, int kind, struct FTW *place)
{
    struct sl_log_set set = {0};
    size_t length = strlen(path);
    (void)st;
    (void)place;
    if (kind != FTW_F || length < 4 || strcmp(path + length - 4, ".bag") != 0)
        return 0;
    bool is_log = sl_log_set_add(&set, path, 0) == 0; /* one is an empty file */
    for (uint32_t i = 0; is_log && i < set.logs[0]->topic_count; i++) {
        const struct sl_log_topic *t = &set.logs[0]->topics[i];
        const struct sl_schema *schema = t->type ? sl_schema_find(t->type) : NULL;
        const char *sum = sl_log_topic_get(t, "md5sum");
        struct sl_ros1_type type;
        if (!schema || !sum || strlen(sum) < 32 || sl_ros1_type_make(schema, &type) < 0)
            continue;
        if (strcmp(type.md5, sum) != 0)
            fail_msg("%s: %s has %s, not %s", path, type.name, sum, type.md5);
        sl_ros1_type_finish(&type);
        compared++;
    }
    sl_log_set_close(&set);
    return 0;
}

static void recorded_bags_have_the_same_sums(void **state)
{
    (void)state;
    char folder[PATH_MAX];
    if (!test_data("bags", folder)) {
        print_message("SKIP: SLUICE_TEST_DATA is absent\n");
        skip();
    }
    assert_int_equal(nftw(folder, compare_sums, 16, FTW_PHYS), 0);
    print_message("%u topics compared\n", compared);
    assert_true(compared > 5);
}

static size_t build(const struct sl_schema *schema, uint8_t body[BODY_MAX])
{
    const struct sl_value_source zeros = {.now_ns = -1};
    size_t size;
    assert_fine(sl_message_build(schema, &zeros, body, BODY_MAX, &size));
    return size;
}

/* Every type: its definition is read, and by it the message, to the last byte. */
static void definitions_and_messages_fit_each_other(void **state)
{
    (void)state;
    unsigned made = 0;
    for (size_t i = 0; sl_schema_at(i); i++) {
        const struct sl_schema *schema = sl_schema_at(i);
        struct sl_ros1_type type;
        struct sl_definition *definition;
        struct sl_buffer ros1 = {0}, cdr = {0};
        uint8_t body[BODY_MAX];
        size_t used, size = build(schema, body);
        int err = sl_ros1_type_make(schema, &type);
        if (err == -ENOTSUP)
            continue;
        assert_int_equal(err, 0);
        assert_fine(sl_definition_parse(type.name, (const char *)type.definition.bytes,
                                        type.definition.size_bytes, &definition));
        assert_fine(sl_ros1_from_cdr(schema, body, size, 7, &ros1));
        const struct sl_schema *read = sl_definition_schema(definition);
        assert_fine(sl_definition_to_cdr(read, ros1.bytes, ros1.size_bytes, &cdr));
        assert_fine(sl_message_walk(read, cdr.bytes, cdr.size_bytes, NULL, &used));
        assert_int_equal(used, cdr.size_bytes);
        if (schema->members[0].type && strcmp(schema->members[0].name, "header") == 0)
            assert_int_equal(sl_get_le32(ros1.bytes), 7);
        sl_buffer_finish(&ros1);
        sl_buffer_finish(&cdr);
        sl_definition_destroy(definition);
        sl_ros1_type_finish(&type);
        made++;
    }
    assert_true(made > 50);
}

/* Texts, lists and padding, in both orders of bytes; and cut off anywhere it is no message. */
static void bodies_are_written_without_padding_and_nul(void **state)
{
    (void)state;
    /* JointState: header (sec, nanosec, frame_id "ab"), name ["x"], position [1.0], none, none */
    static const uint8_t little[] = {
        0, 1, 0,   0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 'a',  'b',  0, 0, 1, 0, 0, 0, 2, 0,
        0, 0, 'x', 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0};
    static const uint8_t big[] = {0,    0,    0, 0, 0, 0, 0, 1, 0, 0, 0,   2, 0, 0, 0, 3, 'a', 'b',
                                  0,    0,    0, 0, 0, 1, 0, 0, 0, 2, 'x', 0, 0, 0, 0, 0, 0,   1,
                                  0x3f, 0xf0, 0, 0, 0, 0, 0, 0, 0, 0, 0,   0, 0, 0, 0, 0};
    static const uint8_t expected[] = {9,   0,   0, 0, 1, 0,    0,    0, 2, 0, 0,   0, 2, 0, 0, 0,
                                       'a', 'b', 1, 0, 0, 0,    1,    0, 0, 0, 'x', 1, 0, 0, 0, 0,
                                       0,   0,   0, 0, 0, 0xf0, 0x3f, 0, 0, 0, 0,   0, 0, 0, 0};
    const struct sl_schema *schema = sl_schema_find("sensor_msgs/msg/JointState");
    const uint8_t *const bodies[] = {little, big};
    for (int i = 0; i < 2; i++) {
        struct sl_buffer to = {0};
        assert_fine(sl_ros1_from_cdr(schema, bodies[i], sizeof little, 9, &to));
        assert_int_equal(to.size_bytes, sizeof expected);
        assert_memory_equal(to.bytes, expected, sizeof expected);
        for (size_t size = 0; size < sizeof little; size++) {
            uint8_t *cut = malloc(size + 1); /* of exactly that size for the sanitizer */
            assert_non_null(cut);
            memcpy(cut, bodies[i], size);
            sl_buffer_clear(&to);
            assert_int_equal(sl_ros1_from_cdr(schema, cut, size, 9, &to), -EBADMSG);
            free(cut);
        }
        sl_buffer_finish(&to);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_are_those_of_rfc_1321),
        cmocka_unit_test(types_have_the_sums_of_ros_1),
        cmocka_unit_test(recorded_bags_have_the_same_sums),
        cmocka_unit_test(definitions_and_messages_fit_each_other),
        cmocka_unit_test(bodies_are_written_without_padding_and_nul),
    };
    cmocka_set_test_filter(getenv("SLUICE_TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
