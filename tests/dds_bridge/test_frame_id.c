/* SPDX-License-Identifier: Apache-2.0 */
/* test_frame_id.c - another frame_id by another beginning of a message: of every type that is
 * known, what is read afterwards is what was read before, but for the name. */
#include "core/base/error.h"
#include "core/frame/print.h"
#include "nodes/dds_bridge/frame_id.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BODY_MAX 8192

/* A body of the fuzz targets' seeds (SEEDS), in which one byte stands before it. */
static size_t read_seed(const char *name, uint8_t body[BODY_MAX])
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", SEEDS, name);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    assert_int_not_equal(fgetc(file), EOF);
    size_t size = fread(body, 1, BODY_MAX, file);
    assert_true(size > 0 && size < BODY_MAX);
    fclose(file);
    return size;
}

/* "sensor_msgs/msg/Imu" is in the file sensor_msgs-msg-Imu. */
static void file_name(const char *type, char ret_name[128])
{
    snprintf(ret_name, 128, "%s", type);
    for (char *c = ret_name; *c; c++)
        *c = *c == '/' ? '-' : *c;
}

static char *text_of(const char *type, const uint8_t *body, size_t size)
{
    char *text = NULL;
    size_t length = 0;
    FILE *to = open_memstream(&text, &length);
    assert_non_null(to);
    const struct sl_schema *schema = sl_schema_find(type);
    assert_non_null(schema);
    int err = sl_message_print_json(schema, body, size, SL_PRINT_ALL, to);
    fclose(to);
    if (err < 0)
        fail_msg("%s: %s", type, sl_error_text());
    return text;
}

/* The message with that frame_id, as the two sides put it together. Returns its size. */
static size_t renamed(const char *type, const char *name, const uint8_t *body, size_t size,
                      uint8_t to[BODY_MAX])
{
    struct frame_head head;
    const struct frame_layout *layout = frame_layout_of(type);
    assert_non_null(layout);
    if (frame_head_make(layout, name, body, size < FRAME_HEAD_MAX ? size : FRAME_HEAD_MAX, &head) <
        0)
        fail_msg("%s, %s: %s", type, name, sl_error_text());
    assert_true(head.size_bytes <= head.replaces + FRAME_GROWTH);
    assert_true((head.size_bytes - head.replaces) % 4 == 0);
    memcpy(to, head.bytes, head.size_bytes);
    memcpy(to + head.size_bytes, body + head.replaces, size - head.replaces);
    return size - head.replaces + head.size_bytes;
}

/* Where the value of the first frame_id stands in JSON, and its length. */
static char *find_name(char *text, size_t *ret_length)
{
    static const char key[] = "\"frame_id\":";
    char *at = strstr(text, key);
    assert_non_null(at);
    at = strchr(at + sizeof key - 1, '"') + 1;
    *ret_length = strcspn(at, "\"");
    return at;
}

static void name_alone_differs(const char *type, const char *name, const uint8_t *body, size_t size)
{
    static uint8_t other[BODY_MAX], back[BODY_MAX];
    size_t other_size = renamed(type, name, body, size, other), was, is;
    char *before = text_of(type, body, size), *after = text_of(type, other, other_size);
    char *old = find_name(before, &was), *new = find_name(after, &is);
    assert_int_equal(is, strlen(name));
    assert_memory_equal(new, name, is);
    assert_int_equal(old - before, new - after);
    assert_memory_equal(before, after, (size_t)(old - before));
    assert_string_equal(old + was, new + is);
    char old_name[256];
    snprintf(old_name, sizeof old_name, "%.*s", (int)was, old);
    assert_int_equal(renamed(type, old_name, other, other_size, back), size);
    assert_memory_equal(back, body, size);
    free(before);
    free(after);
}

static const char *const types[] = {"sensor_msgs/msg/PointCloud2",
                                    "sensor_msgs/msg/Image",
                                    "sensor_msgs/msg/CompressedImage",
                                    "sensor_msgs/msg/LaserScan",
                                    "sensor_msgs/msg/Imu",
                                    "sensor_msgs/msg/NavSatFix",
                                    "sensor_msgs/msg/CameraInfo",
                                    "sensor_msgs/msg/MagneticField",
                                    "velodyne_msgs/msg/VelodyneScan",
                                    "geometry_msgs/msg/TransformStamped",
                                    "geometry_msgs/msg/PointStamped",
                                    "geometry_msgs/msg/PoseStamped",
                                    "geometry_msgs/msg/TwistStamped",
                                    "geometry_msgs/msg/Vector3Stamped",
                                    "nav_msgs/msg/Odometry"};

static void names_of_any_length_leave_all_else_as_it_is(void **state)
{
    (void)state;
    static uint8_t body[BODY_MAX];
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        char file[128], name[20] = "";
        file_name(types[i], file);
        size_t size = read_seed(file, body);
        for (size_t length = 0; length + 1 < sizeof name; length++) {
            name_alone_differs(types[i], name, body, size);
            name[length] = (char)('a' + length);
        }
    }
    size_t size = read_seed("cloud-big-endian", body);
    assert_int_equal(body[1], 0);
    name_alone_differs("sensor_msgs/msg/PointCloud2", "other", body, size);
}

static void star_stands_for_the_old_name(void **state)
{
    (void)state;
    static uint8_t body[BODY_MAX], other[BODY_MAX], same[BODY_MAX];
    size_t size = read_seed("sensor_msgs-msg-Imu", body);
    size = renamed("sensor_msgs/msg/Imu", "imu", body, size, other);
    assert_int_equal(renamed("sensor_msgs/msg/Imu", "*", other, size, same), size);
    assert_memory_equal(same, other, size);
    size = renamed("sensor_msgs/msg/Imu", "robot1/*_link", other, size, same);
    char *text = text_of("sensor_msgs/msg/Imu", same, size);
    assert_non_null(strstr(text, "\"robot1/imu_link\""));
    free(text);
}

static void what_is_no_such_message_is_told(void **state)
{
    (void)state;
    static uint8_t body[BODY_MAX];
    struct frame_head head;
    const struct frame_layout *layout = frame_layout_of("sensor_msgs/msg/CameraInfo");
    size_t size = read_seed("sensor_msgs-msg-CameraInfo", body);
    assert_int_equal(frame_head_make(layout, "a", body, size, &head), 0);
    for (size_t cut = 0; cut < head.replaces; cut++) {
        uint8_t *part = malloc(cut + 1); /* exactly as long, so that a step too far is seen */
        memcpy(part, body, cut);
        struct frame_head none;
        assert_int_equal(frame_head_make(layout, "a", cut ? part : NULL, cut, &none), -EBADMSG);
        assert_true(sl_error_text()[0] != '\0');
        free(part);
    }
    memset(body + 12, 0xff, 4); /* how long the name is */
    assert_int_equal(frame_head_make(layout, "a", body, size, &head), -EBADMSG);
    assert_null(frame_layout_of("std_msgs/msg/String"));
}

static void names_that_become_too_long_are_told(void **state)
{
    (void)state;
    static uint8_t body[BODY_MAX], other[BODY_MAX];
    char name[FRAME_ID_MAX];
    struct frame_head head;
    size_t size = read_seed("sensor_msgs-msg-Imu", body);
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    size = renamed("sensor_msgs/msg/Imu", name, body, size, other);
    assert_int_equal(frame_head_make(frame_layout_of("sensor_msgs/msg/Imu"), "a*", other,
                                     size < FRAME_HEAD_MAX ? size : FRAME_HEAD_MAX, &head),
                     -EBADMSG);
    assert_non_null(strstr(sl_error_text(), "would have 256 bytes"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_any_length_leave_all_else_as_it_is),
        cmocka_unit_test(star_stands_for_the_old_name),
        cmocka_unit_test(what_is_no_such_message_is_told),
        cmocka_unit_test(names_that_become_too_long_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
