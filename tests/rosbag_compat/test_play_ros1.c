/* SPDX-License-Identifier: Apache-2.0 */
/* Bags of ROS 1, played: what arrives are the bodies that core/frame writes of the same values, the
 * large lists of which stand where the bag was read to. */
#include "core/base/clock.h"
#include "core/frame/image.h"
#include "core/frame/imu.h"
#include "core/frame/laser_scan.h"
#include "core/frame/message.h"
#include "core/frame/print.h"
#include "core/frame/walk.h"
#include "core/shm/sluice.h"
#include "rosbag_compat/definition.h"
#include "rosbag_compat/files.h"
#include "rosbag_compat/reader.h"
#include "rosbag_compat/ros1_body.h"
#include "tests/rosbag_compat/support.h"
#include "tests/tools/harness.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FROM_NS    (UINT64_C(1700000000) * SL_NS_PER_S)
#define TOPICS_MAX 16
#define RULE       "=====\n"
#define HEADER     RULE "MSG: std_msgs/Header\nuint32 seq\ntime stamp\nstring frame_id\n"
#define ROOM       300000

/* What a body should become. */
struct wanted {
    uint8_t bytes[ROOM];
    size_t size;
};

static struct sl_buffer body; /* of ROS 1, being written */
static uint8_t list[200000];  /* large lists are of these */

static void put_f64s(const double *values, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        uint64_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        sl_buffer_le64(&body, bits);
    }
}

static void put_f32(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    sl_buffer_le32(&body, bits);
}

static void put_text(const char *text)
{
    sl_buffer_le32(&body, (uint32_t)strlen(text));
    sl_buffer_put(&body, text, strlen(text));
}

static void put_header(uint64_t stamp_ns, const char *frame_id)
{
    sl_buffer_clear(&body);
    sl_buffer_le32(&body, 4711); /* the number, which is not in ROS 2 */
    sl_buffer_le32(&body, (uint32_t)(stamp_ns / SL_NS_PER_S));
    sl_buffer_le32(&body, (uint32_t)(stamp_ns % SL_NS_PER_S));
    put_text(frame_id);
}

static void make_image(uint64_t stamp_ns, unsigned number, struct wanted *to)
{
    const struct sl_image image = {.stamp_ns = (int64_t)stamp_ns,
                                   .frame_id = sl_text("eye"),
                                   .height = 300,
                                   .width = 200 + number,
                                   .encoding = sl_text("rgb8"),
                                   .step = 3 * (200 + number),
                                   .data_size = 300 * 3 * (200 + number)};
    put_header(stamp_ns, "eye");
    sl_buffer_le32(&body, image.height);
    sl_buffer_le32(&body, image.width);
    put_text("rgb8");
    sl_buffer_u8(&body, 0);
    sl_buffer_le32(&body, image.step);
    sl_buffer_le32(&body, image.data_size);
    sl_buffer_put(&body, list, image.data_size);
    size_t prefix = sl_image_prefix_size(&image);
    assert_fine(sl_image_write_prefix(&image, to->bytes, prefix));
    memcpy(to->bytes + prefix, list, image.data_size);
    to->size = prefix + image.data_size;
}

static void make_scan(uint64_t stamp_ns, unsigned number, struct wanted *to)
{
    enum {
        RAYS = 721
    };
    struct sl_laser_scan scan = {.stamp_ns = (int64_t)stamp_ns,
                                 .frame_id = sl_text("base_laser"),
                                 .angle_min = -1.5f,
                                 .angle_max = 1.5f,
                                 .angle_increment = 3.0f / RAYS,
                                 .scan_time = 0.025f,
                                 .range_min = 0.1f,
                                 .range_max = 30,
                                 .range_count = RAYS,
                                 .intensity_count = number % 2 ? RAYS : 0};
    float ranges[RAYS], intensities[RAYS];
    for (unsigned i = 0; i < RAYS; i++) {
        ranges[i] = (float)(i + number) / 8;
        intensities[i] = (float)(RAYS - i);
    }
    put_header(stamp_ns, "base_laser");
    const float limits[] = {scan.angle_min,      scan.angle_max, scan.angle_increment,
                            scan.time_increment, scan.scan_time, scan.range_min,
                            scan.range_max};
    for (unsigned i = 0; i < 7; i++)
        put_f32(limits[i]);
    sl_buffer_le32(&body, RAYS);
    sl_buffer_put(&body, ranges, sizeof ranges);
    sl_buffer_le32(&body, scan.intensity_count);
    sl_buffer_put(&body, intensities, scan.intensity_count * sizeof *intensities);
    assert_fine(sl_laser_scan_write(&scan, ranges, intensities, to->bytes, ROOM, &to->size));
}

static void make_imu(uint64_t stamp_ns, unsigned number, struct wanted *to)
{
    struct sl_imu imu = {.stamp_ns = (int64_t)stamp_ns, .frame_id = sl_text("imu_link")};
    imu.orientation[3] = 1;
    imu.angular_velocity[1] = number;
    imu.linear_acceleration[2] = 9.81;
    imu.linear_acceleration_covariance[8] = 0.25;
    put_header(stamp_ns, "imu_link");
    put_f64s(imu.orientation, 4);
    put_f64s(imu.orientation_covariance, 9);
    put_f64s(imu.angular_velocity, 3);
    put_f64s(imu.angular_velocity_covariance, 9);
    put_f64s(imu.linear_acceleration, 3);
    put_f64s(imu.linear_acceleration_covariance, 9);
    assert_fine(sl_imu_write(&imu, to->bytes, ROOM, &to->size));
}

static void make_fix(uint64_t stamp_ns, unsigned number, struct wanted *to)
{
    struct sl_navsatfix fix = {.stamp_ns = (int64_t)stamp_ns,
                               .frame_id = sl_text("gps"),
                               .status = -1,
                               .service = 3,
                               .latitude = 48.1 + number,
                               .longitude = 11.5,
                               .altitude = 520};
    const double place[] = {fix.latitude, fix.longitude, fix.altitude};
    put_header(stamp_ns, "gps");
    sl_buffer_u8(&body, 0xff);
    sl_buffer_le16(&body, 3);
    put_f64s(place, 3);
    put_f64s(fix.position_covariance, 9);
    sl_buffer_u8(&body, 0);
    assert_fine(sl_navsatfix_write(&fix, to->bytes, ROOM, &to->size));
}

/* Nobody knows it, so it stays. */
static void make_thing(uint64_t stamp_ns, unsigned number, struct wanted *to)
{
    put_header(stamp_ns, "thing");
    for (unsigned i = 0; i < 200 * number; i++)
        sl_buffer_u8(&body, (uint8_t)i);
    memcpy(to->bytes, body.bytes, body.size_bytes);
    to->size = body.size_bytes;
}

#define VECTOR RULE "MSG: geometry_msgs/Vector3\nfloat64 x\nfloat64 y\nfloat64 z\n"
static const struct kind {
    const char *topic, *type, *definition;
    bool is_gathered;
    void (*make)(uint64_t stamp_ns, unsigned number, struct wanted *to);
} kinds[] = {
    {"/image", "sensor_msgs/Image",
     "Header header\nuint32 height\nuint32 width\nstring encoding\nuint8 is_bigendian\n"
     "uint32 step\nuint8[] data\n" HEADER,
     true, make_image},
    {"/scan", "sensor_msgs/LaserScan",
     "Header header\nfloat32 angle_min\nfloat32 angle_max\nfloat32 angle_increment\n"
     "float32 time_increment\nfloat32 scan_time\nfloat32 range_min\nfloat32 range_max\n"
     "float32[] ranges\nfloat32[] intensities\n" HEADER,
     true, make_scan},
    {"/imu", "sensor_msgs/Imu",
     "Header header\ngeometry_msgs/Quaternion orientation\nfloat64[9] orientation_covariance\n"
     "geometry_msgs/Vector3 angular_velocity\nfloat64[9] angular_velocity_covariance\n"
     "geometry_msgs/Vector3 linear_acceleration\nfloat64[9] linear_acceleration_covariance\n" HEADER
         RULE "MSG: geometry_msgs/Quaternion\nfloat64 x\nfloat64 y\nfloat64 z\nfloat64 w\n" VECTOR,
     false, make_imu},
    {"/fix", "sensor_msgs/NavSatFix",
     "uint8 COVARIANCE_TYPE_UNKNOWN=0\nHeader header\nNavSatStatus status\nfloat64 latitude\n"
     "float64 longitude\nfloat64 altitude\nfloat64[9] position_covariance\n"
     "uint8 position_covariance_type\n" HEADER RULE
     "MSG: sensor_msgs/NavSatStatus\nint8 STATUS_FIX=0\nint8 status\nuint16 service\n",
     false, make_fix},
    /* of another shape than the one that is known: a third member in its status */
    {"/old_fix", "sensor_msgs/NavSatFix",
     "Header header\nNavSatStatus status\n" HEADER RULE
     "MSG: sensor_msgs/NavSatStatus\nint8 status\nuint16 service\nint8 more\n",
     false, make_thing},
    {"/thing", "nobodys_msgs/Thing", "Header header\nuint8[] bytes\n" HEADER, false, make_thing},
};
enum {
    KINDS = sizeof kinds / sizeof *kinds,
    EACH = 12 /* messages */
};

static bool is_known(const struct kind *kind)
{
    return kind->make != make_thing;
}

/* A bag of them, in turns. */
static void write_bag(const char *path, enum sl_compression compression)
{
    const struct sl_log_output_options options = {
        .kind = SL_LOG_OUTPUT_ROSBAG1,
        .write = {.compression = compression, .chunk_bytes = 500000}};
    static struct wanted ignored;
    struct sl_log_output *out;
    uint32_t index[KINDS];
    assert_fine(sl_log_output_create(path, &options, &out));
    for (unsigned k = 0; k < KINDS; k++) {
        const struct sl_log_topic topic = {.name = kinds[k].topic,
                                           .type = kinds[k].type,
                                           .encoding = "ros1",
                                           .definition_encoding = "ros1msg",
                                           .definition = kinds[k].definition,
                                           .definition_bytes = strlen(kinds[k].definition),
                                           .has_schema = true};
        assert_fine(sl_log_output_topic(out, &topic, &index[k]));
    }
    for (unsigned i = 0; i < EACH * KINDS; i++) {
        uint64_t ns = FROM_NS + i * SL_NS_PER_MS;
        kinds[i % KINDS].make(ns, i / KINDS, &ignored);
        const struct sl_log_message m = {
            .topic = index[i % KINDS], .sequence = i, .receive_ns = ns + 5, .publish_ns = ns + 5};
        assert_fine(sl_log_output_message(out, &m, body.bytes, body.size_bytes));
    }
    assert_fine(sl_log_output_end(out));
    sl_log_output_close(out);
}

static void check(const struct kind *kind, const struct sl_frame *f, unsigned number)
{
    static struct wanted wanted;
    static uint8_t got[ROOM];
    uint64_t stamp_ns = FROM_NS + (number * KINDS + (unsigned)(kind - kinds)) * SL_NS_PER_MS;
    kind->make(stamp_ns, number, &wanted);
    if (f->body_length != wanted.size)
        fail_msg("%s %u: %zu bytes, not %zu", kind->topic, number, f->body_length, wanted.size);
    assert_int_equal(sl_frame_copy(f, 0, got, sizeof got), wanted.size);
    if (memcmp(got, wanted.bytes, wanted.size) != 0)
        fail_msg("%s %u is another one", kind->topic, number);
    assert_int_equal(f->stamp_ns, is_known(kind) ? stamp_ns : stamp_ns + 5);
    assert_int_equal(f->range_count > 1, kind->is_gathered);
    bool has_data = strcmp(kind->topic, "/image") == 0;
    assert_int_equal(f->data_length > 0, has_data);
    if (has_data)
        assert_true(f->data_length > 100000 && memcmp(f->data, list, f->data_length) == 0);
}

/* One of each type by its name in ROS 2, or in ROS 1 where that stays. */
static void open_all(struct sl_subscriber **subscriber)
{
    char type[SL_TYPE_MAX];
    for (unsigned k = 0; k < KINDS; k++) {
        const char *slash = strchr(kinds[k].type, '/');
        snprintf(type, sizeof type, "%.*s%s%s", (int)(slash - kinds[k].type), kinds[k].type,
                 is_known(&kinds[k]) ? "/msg" : "", slash);
        const struct sl_subscriber_options o = {
            .topic = kinds[k].topic, .type = type, .policy = SL_LOSSLESS};
        assert_fine(sl_subscriber_open(&o, &subscriber[k]));
    }
}

static void receive_all(struct sl_subscriber **subscriber)
{
    unsigned count[KINDS] = {0}, all = 0;
    uint64_t until_ns = sl_clock_monotonic_ns() + LIMIT_MS * SL_NS_PER_MS;
    while (all < EACH * KINDS) {
        unsigned before = all;
        for (unsigned k = 0; k < KINDS; k++) {
            struct sl_frame f;
            if (sl_subscriber_take(subscriber[k], &f) < 0)
                continue;
            assert_int_equal(f.lost_before, 0);
            check(&kinds[k], &f, count[k]++);
            sl_frame_release(&f);
            all++;
        }
        if (all == before && sl_clock_monotonic_ns() > until_ns)
            fail_msg("%u of %u messages came", all, EACH * KINDS);
        if (all == before)
            sl_wait(subscriber, KINDS, 10 * (int64_t)SL_NS_PER_MS);
    }
}

static void messages_of_ros1_become_those_of_ros2(void **state)
{
    (void)state;
    static const enum sl_compression compressions[] = {SL_COMPRESSION_NONE, SL_COMPRESSION_LZ4};
    for (size_t i = 0; i < sizeof list; i++)
        list[i] = (uint8_t)(i * 2654435761u >> 24);
    for (unsigned c = 0; c < 2; c++) {
        struct sl_subscriber *subscriber[KINDS];
        write_bag(harness_path("a.bag"), compressions[c]);
        open_all(subscriber);
        struct child child =
            start("play", harness_path("a.bag"), "--rate=0", "--wait-for-subscribers=1", NULL);
        receive_all(subscriber);
        assert_int_equal(wait_for(child.pid), 0);
        for (unsigned k = 0; k < KINDS; k++)
            sl_subscriber_close(subscriber[k]);
        assert_int_equal(remove(harness_path("a.bag")), 0);
    }
    sl_buffer_finish(&body);
}

/* A bag whose messages are not what it says: they are left out and told. */
static void messages_that_are_none_are_left_out(void **state)
{
    (void)state;
    struct made *made = make_log(40, 3000, 4);
    const struct sl_log_output_options options = {.kind = SL_LOG_OUTPUT_MCAP};
    struct sl_log_output *out;
    uint32_t index;
    assert_fine(sl_log_output_create(harness_path("b.mcap"), &options, &out));
    assert_fine(sl_log_output_topic(out, &made->topics[1], &index)); /* a string, it says */
    for (unsigned i = 0; i < made->message_count; i++) {
        struct sl_log_message m = made->messages[i];
        m.topic = index;
        assert_fine(sl_log_output_message(out, &m, made->bodies[i], m.size_bytes));
    }
    assert_fine(sl_log_output_end(out));
    sl_log_output_close(out);
    struct run r = run("play", harness_path("b.mcap"), "--rate=0", NULL);
    assert_int_equal(r.status, 0);
    assert_has(r.err, "messages were left out, the first one of /text: a body of ");
    assert_has(r.err, "is no std_msgs/String");
    run_free(&r);
    free_made(made);
}

/* Bags of the field. --------------------------------------------------------------------------- */

struct texts {
    char name[SL_TOPIC_MAX];
    struct sl_definition *definition; /* NULL: its messages stay those of ROS 1 */
    const struct sl_schema *became;
    struct sl_subscriber *subscriber;
    char **text; /* messages as JSON */
    unsigned count, seen;
};

/* Without the numbers of headers, and without capital letters, which some names had. */
static char *plain(const struct sl_schema *schema, const void *bytes, size_t size)
{
    char *text, *to;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    assert_fine(sl_message_print_json(schema, bytes, size, SL_PRINT_ALL, out));
    fclose(out);
    to = text;
    for (char *at = text; *at;) {
        if (strncmp(at, "\"seq\":", 6) == 0)
            at = strchr(at, ',') + 1;
        *to++ = (char)tolower((unsigned char)*at++);
    }
    *to = '\0';
    return text;
}

static struct texts *find_texts(struct texts *all, unsigned *count, const struct sl_log_topic *t)
{
    for (unsigned i = 0; i < *count; i++)
        if (strcmp(all[i].name, t->name) == 0)
            return &all[i];
    assert_true(*count < TOPICS_MAX);
    struct texts *made = &all[(*count)++];
    *made = (struct texts){0};
    snprintf(made->name, sizeof made->name, "%s", t->name);
    if (sl_definition_parse(t->type, t->definition, t->definition_bytes, &made->definition) == 0)
        made->became = sl_ros1_became(t->type, sl_definition_schema(made->definition));
    return made;
}

static unsigned read_bag(const char *path, struct texts *all)
{
    const struct sl_log_reader_options options = {0};
    struct sl_log_set set = {0};
    struct sl_log_reader *reader;
    struct sl_log_item item;
    unsigned topics = 0;
    assert_fine(sl_log_set_add(&set, path, 0));
    assert_fine(sl_log_reader_create(set.logs, set.count, &options, &reader));
    while (sl_log_reader_next(reader, &item) == 1) {
        struct texts *t = find_texts(all, &topics, &set.logs[item.log]->topics[item.message.topic]);
        struct sl_buffer cdr = {0};
        if (!t->became)
            continue;
        const struct sl_schema *schema = sl_definition_schema(t->definition);
        assert_fine(sl_definition_to_cdr(schema, item.body, item.body_bytes, &cdr));
        t->text = realloc(t->text, (t->count + 1) * sizeof *t->text);
        assert_non_null(t->text);
        t->text[t->count++] = plain(schema, cdr.bytes, cdr.size_bytes);
        sl_buffer_finish(&cdr);
    }
    sl_log_reader_destroy(reader);
    sl_log_set_close(&set);
    return topics;
}

static void compare_next(struct texts *t, const struct sl_frame *f)
{
    uint8_t *bytes = malloc(f->body_length);
    size_t used;
    assert_non_null(bytes);
    assert_int_equal(sl_frame_copy(f, 0, bytes, f->body_length), f->body_length);
    assert_fine(sl_message_walk(t->became, bytes, f->body_length, NULL, &used));
    assert_int_equal(used, f->body_length);
    char *text = plain(t->became, bytes, f->body_length);
    assert_true(t->seen < t->count);
    assert_string_equal(text, t->text[t->seen++]);
    free(text);
    free(bytes);
}

static bool take_next(struct texts *t)
{
    struct sl_frame f;
    if (!t->subscriber || sl_subscriber_take(t->subscriber, &f) < 0)
        return false;
    compare_next(t, &f);
    sl_frame_release(&f);
    return true;
}

static void compare_bag(const char *path, const char *const *names)
{
    struct texts all[TOPICS_MAX];
    unsigned topics = read_bag(path, all), wanted = 0, got = 0, subscribers = 0;
    struct sl_subscriber *subscriber[TOPICS_MAX];
    char *argv[ARGUMENTS_MAX] = {(char *)harness_program("play"), (char *)path, (char *)"--rate=0"};
    for (unsigned i = 0; i < topics; i++) {
        if (!all[i].became)
            continue;
        assert_true(3 + 2 * subscribers + 2 < ARGUMENTS_MAX);
        argv[3 + 2 * subscribers] = (char *)"--wait-for";
        argv[4 + 2 * subscribers] = all[i].name;
        const struct sl_subscriber_options o = {
            .topic = all[i].name, .type = all[i].became->name, .policy = SL_LOSSLESS};
        assert_fine(sl_subscriber_open(&o, &all[i].subscriber));
        wanted += all[i].count;
        subscriber[subscribers++] = all[i].subscriber;
    }
    for (unsigned i = 0; names[i]; i++) {
        bool is_there = false;
        for (unsigned k = 0; k < topics; k++)
            is_there |= all[k].became && strcmp(all[k].became->name, names[i]) == 0;
        if (!is_there)
            fail_msg("%s: nothing became %s", path, names[i]);
    }
    struct child child = start_arguments(argv);
    uint64_t until_ns = sl_clock_monotonic_ns() + LIMIT_MS * SL_NS_PER_MS;
    while (got < wanted) {
        unsigned before = got;
        for (unsigned i = 0; i < topics; i++)
            got += take_next(&all[i]);
        if (got == before && sl_clock_monotonic_ns() > until_ns)
            fail_msg("%s: %u of %u messages came", path, got, wanted);
        if (got == before)
            sl_wait(subscriber, subscribers, 10 * (int64_t)SL_NS_PER_MS);
    }
    assert_int_equal(wait_for(child.pid), 0);
    for (unsigned i = 0; i < topics; i++) {
        sl_subscriber_close(all[i].subscriber);
        sl_definition_destroy(all[i].definition);
        while (all[i].count > 0)
            free(all[i].text[--all[i].count]);
        free(all[i].text);
    }
}

static void bags_of_the_field_say_the_same(void **state)
{
    (void)state;
    static const struct {
        const char *file, *types[6];
    } bags[] = {
        {"PlotJuggler+PlotJuggler/datasamples/tilt_laser.bag",
         {SL_TYPE_LASER_SCAN, SL_TYPE_IMU, SL_TYPE_NAVSATFIX, "geometry_msgs/msg/TwistStamped"}},
        {"UbiquityRobotics+fiducials/fiducial_slam/test/aruco_images.bag",
         {"sensor_msgs/msg/CompressedImage", SL_TYPE_CAMERA_INFO}},
        {"swri-robotics+bag-reader-java/src/test/resources/PointCloud2.bag", {SL_TYPE_POINTCLOUD2}},
        {"foxglove+rosbag/fixtures/example-bz2.bag",
         {SL_TYPE_TRANSFORMS, "geometry_msgs/msg/Twist"}},
    };
    char path[PATH_MAX], name[512];
    for (size_t i = 0; i < sizeof bags / sizeof *bags; i++) {
        snprintf(name, sizeof name, "bags/%s", bags[i].file);
        if (!test_data(name, path)) {
            print_message("SKIP: %s is absent\n", name);
            skip();
        }
        compare_bag(path, bags[i].types);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(messages_of_ros1_become_those_of_ros2),
        TEST(messages_that_are_none_are_left_out),
        TEST(bags_of_the_field_say_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
