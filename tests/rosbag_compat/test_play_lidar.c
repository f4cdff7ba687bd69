/* SPDX-License-Identifier: Apache-2.0 */
/* Logs of a lidar's raw packets, played into the driver: the points are those of a capture of the
 * same packets, in each type that such messages have and as either ROS serialises them. */
#include "core/base/clock.h"
#include "core/shm/sluice.h"
#include "drivers/lidar/sim/send.h"
#include "rosbag_compat/files.h"
#include "rosbag_compat/reader.h"
#include "tests/rosbag_compat/support.h"
#include "tests/tools/harness.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define START_NS   (UINT64_C(1700000000) * SL_NS_PER_S)
#define TURNS      2.4
#define TOPIC      "/raw/packets"
#define A_MESSAGE  20 /* packets, where a message holds several */
#define FRAMES_MAX 16

/* Bodies. -------------------------------------------------------------------------------------- */

struct body {
    struct sl_buffer bytes;
    bool is_cdr;
};

static void begin(struct body *b, bool is_cdr)
{
    static const uint8_t encapsulation[4] = {0, 1, 0, 0};
    sl_buffer_clear(&b->bytes);
    b->is_cdr = is_cdr;
    if (is_cdr)
        sl_buffer_put(&b->bytes, encapsulation, sizeof encapsulation);
}

static void put_u32(struct body *b, uint32_t value)
{
    while (b->is_cdr && b->bytes.size_bytes % 4)
        sl_buffer_u8(&b->bytes, 0);
    sl_buffer_le32(&b->bytes, value);
}

static void put_stamp(struct body *b, uint64_t ns)
{
    put_u32(b, (uint32_t)(ns / SL_NS_PER_S));
    put_u32(b, (uint32_t)(ns % SL_NS_PER_S));
}

static void put_header(struct body *b, uint64_t ns, uint32_t packets)
{
    if (!b->is_cdr)
        put_u32(b, 77); /* the number in ROS 1's header */
    put_stamp(b, ns);
    put_u32(b, b->is_cdr ? 4 : 3);
    sl_buffer_put(&b->bytes, "vel", b->is_cdr ? 4 : 3);
    put_u32(b, packets);
}

static void put_filled(struct body *b, const struct lidar_sim_packet *p, uint32_t room)
{
    static const uint8_t zeros[1500];
    sl_buffer_put(&b->bytes, p->bytes, p->size_bytes);
    sl_buffer_put(&b->bytes, zeros, room - p->size_bytes);
}

/* The types. */
enum form {
    VELODYNE,
    PANDAR,
    NEBULA,
    OUSTER,
};

static void put_packet(struct body *b, enum form form, const struct lidar_sim_packet *p)
{
    if (form != OUSTER)
        put_stamp(b, START_NS + p->due_ns);
    if (form == NEBULA || form == OUSTER)
        put_u32(b, p->size_bytes);
    put_filled(b, p, form == VELODYNE ? 1206 : form == PANDAR ? 1500 : p->size_bytes);
    if (form == PANDAR)
        put_u32(b, p->size_bytes);
}

/* Logs. ---------------------------------------------------------------------------------------- */

struct sensor {
    struct lidar_sim_config config;
    struct lidar_sim_packet *packets;
    unsigned count;
};

static void make_sensor(struct sensor *s, enum lidar_sim_model model)
{
    struct lidar_sim *sim;
    lidar_sim_config_of(model, &s->config);
    s->config.start_utc_ns = START_NS;
    s->config.telemetry_every = 0; /* no message holds it */
    uint64_t end_ns = (uint64_t)(TURNS * 1e9 / s->config.rotation_hz);
    assert_fine(lidar_sim_create(&s->config, &sim));
    s->packets = NULL;
    s->count = 0;
    do {
        s->packets = realloc(s->packets, (s->count + 1) * sizeof *s->packets);
        assert_non_null(s->packets);
        assert_int_equal(lidar_sim_next(sim, &s->packets[s->count]), 1);
    } while (s->packets[s->count++].due_ns < end_ns);
    s->config.data_packets_max = s->count;
    lidar_sim_destroy(sim);
}

static void make_capture(const struct sensor *s, const char *path)
{
    const struct lidar_sim_capture_config capture = {.sim = s->config};
    struct lidar_sim_send_result result;
    assert_fine(lidar_sim_capture(&capture, path, &result));
}

static void make_log_of(const struct sensor *s, enum form form, bool is_cdr, const char *type,
                        const char *path)
{
    const struct sl_log_output_options options = {.kind = is_cdr ? SL_LOG_OUTPUT_MCAP
                                                                 : SL_LOG_OUTPUT_ROSBAG1};
    const struct sl_log_topic topic = {.name = TOPIC,
                                       .type = type,
                                       .encoding = is_cdr ? "cdr" : "ros1",
                                       .definition_encoding = is_cdr ? "ros2msg" : "ros1msg",
                                       .has_schema = true};
    struct sl_log_output *out;
    struct body body = {0};
    uint32_t index;
    assert_fine(sl_log_output_create(path, &options, &out));
    assert_fine(sl_log_output_topic(out, &topic, &index));
    unsigned step = form == OUSTER ? 1 : A_MESSAGE;
    for (unsigned i = 0; i < s->count; i += step) {
        unsigned count = s->count - i < step ? s->count - i : step;
        uint64_t ns = START_NS + s->packets[i].due_ns;
        begin(&body, is_cdr);
        if (form != OUSTER)
            put_header(&body, ns, count);
        for (unsigned k = 0; k < count; k++)
            put_packet(&body, form, &s->packets[i + k]);
        const struct sl_log_message m = {
            .topic = index, .sequence = i, .receive_ns = ns, .publish_ns = ns};
        assert_fine(sl_log_output_message(out, &m, body.bytes.bytes, body.bytes.size_bytes));
    }
    assert_fine(sl_log_output_end(out));
    sl_log_output_close(out);
    sl_buffer_finish(&body.bytes);
}

/* Frames. -------------------------------------------------------------------------------------- */

struct frames {
    unsigned count;
    uint64_t hash[FRAMES_MAX];
};

static uint64_t hash_of(const struct sl_frame *f)
{
    const uint8_t *b = f->body;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < f->body_length; i++)
        hash = (hash ^ b[i]) * UINT64_C(0x100000001b3);
    return hash;
}

/* Of the driver that is being started, until it has gone. */
static void receive(struct frames *to)
{
    const struct sl_subscriber_options o = {.topic = "/lidar/points", .policy = SL_LOSSLESS};
    struct sl_subscriber_status status = {0};
    struct sl_subscriber *s;
    bool was_there = false;
    uint64_t until_ns = sl_clock_monotonic_ns() + LIMIT_MS * SL_NS_PER_MS;
    assert_fine(sl_subscriber_open(&o, &s));
    to->count = 0;
    while (!was_there || status.publishers > 0) {
        struct sl_frame f;
        int got = sl_subscriber_take(s, &f);
        if (got == 0) {
            assert_true(to->count < FRAMES_MAX);
            assert_int_equal(f.lost_before, 0);
            to->hash[to->count++] = hash_of(&f);
            sl_frame_release(&f);
        } else if (sl_clock_monotonic_ns() > until_ns) {
            fail_msg("the driver does not end; %u frames came", to->count);
        } else {
            sl_subscriber_wait(s, 20 * (int64_t)SL_NS_PER_MS);
        }
        sl_subscriber_status(s, &status);
        was_there |= status.publishers > 0 || got == 0;
    }
    sl_subscriber_close(s);
}

static char model_option[64], metadata_option[PATH_MAX + 16];

static void from_capture(struct frames *to, const char *path)
{
    char capture[PATH_MAX + 16];
    snprintf(capture, sizeof capture, "--capture=%s", path);
    struct child driver =
        start("lidar", capture, "--rate=0", "--port=0", "--block", "--wait-for-subscribers=1",
              model_option, metadata_option[0] ? metadata_option : NULL, NULL);
    receive(to);
    assert_int_equal(wait_for(driver.pid), 0);
}

static void from_log(struct frames *to, const char *path, const char *topic)
{
    char option[300];
    snprintf(option, sizeof option, "--topic=%s", topic);
    struct child driver = start("lidar", option, "--block", "--wait-for-subscribers=1",
                                model_option, metadata_option[0] ? metadata_option : NULL, NULL);
    struct child player =
        start("play", path, option, "--rate=0", "--lossless", "--wait-for-subscribers=1", NULL);
    receive(to);
    assert_int_equal(wait_for(player.pid), 0);
    assert_int_equal(wait_for(driver.pid), 0);
}

static void write_text(const char *path, const char *text, size_t size)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* What the driver is told of the sensor. */
static void describe(const struct sensor *s, enum form form)
{
    char path[PATH_MAX], *metadata;
    metadata_option[0] = '\0';
    snprintf(model_option, sizeof model_option, "--model=%s",
             form == VELODYNE ? "vlp-16"
             : form == OUSTER ? "auto"
                              : "xt32");
    assert_fine(lidar_sim_metadata(&s->config, &metadata));
    if (!metadata)
        return;
    snprintf(path, sizeof path, "%s", harness_path("os.json"));
    write_text(path, metadata, strlen(metadata));
    snprintf(metadata_option, sizeof metadata_option, "--metadata=%s", path);
    free(metadata);
}

/* Tests. --------------------------------------------------------------------------------------- */

static void logs_of_raw_packets_give_the_points_of_a_capture(void **state)
{
    (void)state;
    static const struct {
        enum lidar_sim_model model;
        enum form form;
        bool is_cdr;
        const char *type;
    } cases[] = {
        {LIDAR_SIM_VLP16, VELODYNE, false, "velodyne_msgs/VelodyneScan"},
        {LIDAR_SIM_VLP16, VELODYNE, true, "velodyne_msgs/msg/VelodyneScan"},
        {LIDAR_SIM_XT32, PANDAR, false, "pandar_msgs/PandarScan"},
        {LIDAR_SIM_XT32, PANDAR, true, "pandar_msgs/msg/PandarScan"},
        {LIDAR_SIM_XT32, NEBULA, false, "nebula_msgs/NebulaPackets"},
        {LIDAR_SIM_XT32, NEBULA, true, "nebula_msgs/msg/NebulaPackets"},
        {LIDAR_SIM_OS1_64, OUSTER, false, "ouster_ros/PacketMsg"},
        {LIDAR_SIM_OS1_64, OUSTER, true, "ouster_sensor_msgs/msg/PacketMsg"},
    };
    struct frames wanted = {0}, got;
    struct sensor sensor = {0};
    char capture[PATH_MAX], log[PATH_MAX];
    snprintf(capture, sizeof capture, "%s", harness_path("a.pcap"));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (i == 0 || cases[i].model != cases[i - 1].model) {
            free(sensor.packets);
            make_sensor(&sensor, cases[i].model);
            make_capture(&sensor, capture);
            describe(&sensor, cases[i].form);
            from_capture(&wanted, capture);
            assert_in_range(wanted.count, 3, 4);
        }
        snprintf(log, sizeof log, "%s", harness_path(cases[i].is_cdr ? "a.mcap" : "a.bag"));
        make_log_of(&sensor, cases[i].form, cases[i].is_cdr, cases[i].type, log);
        from_log(&got, log, TOPIC);
        assert_int_equal(got.count, wanted.count);
        for (unsigned f = 0; f < got.count; f++)
            if (got.hash[f] != wanted.hash[f])
                fail_msg("%s: frame %u is another one", cases[i].type, f);
        unlink(log);
    }
    free(sensor.packets);
}

#define REAL "bags/ouster-lidar+ouster-sdk/tests/bags/512x10_raw.bag"

/* The sensor's metadata, which the log has as a message of ROS 1: a string. */
static void take_metadata(const char *log, const char *to)
{
    struct sl_log_set set = {0};
    assert_fine(sl_log_set_add(&set, log, 0));
    struct sl_log_reader *reader;
    struct sl_log_item item;
    const struct sl_log_reader_options options = {0};
    assert_fine(sl_log_reader_create(set.logs, set.count, &options, &reader));
    while (sl_log_reader_next(reader, &item) == 1) {
        const char *type = set.logs[item.log]->topics[item.message.topic].type;
        if (strcmp(type, "std_msgs/String") == 0)
            write_text(to, (const char *)item.body + 4, item.body_bytes - 4);
    }
    sl_log_reader_destroy(reader);
    sl_log_set_close(&set);
}

static void log_of_the_field_replays_as_points(void **state)
{
    (void)state;
    char path[PATH_MAX], json[PATH_MAX];
    if (!test_data(REAL, path)) {
        print_message("SKIP: " REAL " is absent\n");
        skip();
    }
    snprintf(json, sizeof json, "%s", harness_path("os.json"));
    take_metadata(path, json);
    snprintf(metadata_option, sizeof metadata_option, "--metadata=%s", json);
    struct child player = start("play", path, "--lossless", "--wait-for=/os_node0/lidar_packets",
                                "--wait-for=/os_node0/imu_packets", NULL);
    struct run driver = run("lidar", "--topic=/os_node0/lidar_packets",
                            "--topic=/os_node0/imu_packets", "--block", metadata_option, NULL);
    assert_int_equal(wait_for(player.pid), 0);
    assert_int_equal(driver.status, 0);
    assert_has(driver.err, "packets of an OS-0-128");
    assert_has(driver.err, "1 frames (0 partial), 65536 points");
    assert_has(driver.err, "from 32 data and 10 telemetry packets; lost: nothing");
    run_free(&driver);
}

static void refused(const char *expected, const char *source, const char *option)
{
    struct run r = run("lidar", source, option, NULL);
    assert_in_range(r.status, 1, 2);
    assert_has(r.err, expected);
    run_free(&r);
}

static void what_holds_no_packets_is_told(void **state)
{
    (void)state;
    struct child strings = publisher("string", "/words");
    refused("holds no raw packets that are known", "--topic=/words", NULL);
    refused("lossless", "--topic=/words", "--block");
    assert_int_equal(stop(&strings, SIGTERM), 0);
    refused("topic needs --topic TOPIC", "--source=topic", NULL);
    refused("/a is not read with --source sim", "--topic=/a", "--source=sim");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(logs_of_raw_packets_give_the_points_of_a_capture),
        TEST(log_of_the_field_replays_as_points),
        TEST(what_holds_no_packets_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
