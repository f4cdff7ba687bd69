/* SPDX-License-Identifier: Apache-2.0 */
/* test_driver_ouster.c - the real program on recorded Ouster packets, from files and at a socket.
 */
#include "tests/lidar/driving.h"

#include <arpa/inet.h>
#include <math.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "core/base/bytes.h"
#include "core/base/clock.h"
#include "core/frame/image.h"
#include "core/frame/imu.h"
#include "core/frame/transforms.h"
#include "drivers/lidar/source.h"
#include "tests/lidar/ouster_data.h"

#define IMU_TOPIC "/lidar/imu"

static char metadata_option[4096], capture_option[4096];

static void set_options(const char *json, const char *pcap)
{
    snprintf(metadata_option, sizeof metadata_option, "--metadata=%s/%s", ouster_folder, json);
    snprintf(capture_option, sizeof capture_option, "--capture=%s/%s", ouster_folder, pcap);
}

static unsigned read_frame(const struct sl_frame *frame, unsigned width, unsigned height)
{
    struct sl_pointcloud2 cloud;
    assert_int_equal(sl_pointcloud2_read(frame->body, frame->body_length, &cloud), 0);
    assert_int_equal(cloud.width, width);
    assert_int_equal(cloud.height, height);
    assert_int_equal(cloud.point_step, 22);
    assert_int_equal(cloud.data_size, width * height * 22);
    for (unsigned i = 0; i < width * height; i++) {
        struct cloud_point p = cloud_point(&cloud, i / width, i % width);
        assert_int_equal(p.ring, i % width);
        assert_true(p.time >= 0 && p.time < 0.11f);
    }
    return cloud_returns(&cloud);
}

static void recorded_turns_are_published_whole(void **state)
{
    static const struct {
        const char *json, *pcap;
        unsigned frames, width, height, returns;
    } files[] = {
        {"OS-1-128_v2.3.0_1024x10.json", "OS-1-128_v2.3.0_1024x10_lb_n3.pcap", 3, 128, 1024,
         322536},
        {"OS-0-32-U1_v2.2.0_1024x10.json", "OS-0-32-U1_v2.2.0_1024x10.pcap", 1, 32, 2048, 0},
        {"windowed_frame1_0.json", "windowed_frame1.pcap", 1, 128, 256, 9246},
    };
    struct driving *d = *state;
    for (unsigned i = 0; i < sizeof files / sizeof *files; i++) {
        struct sl_subscriber *points = subscribe(POINTS_TOPIC, SL_LOSSLESS);
        struct sl_frame frame;
        unsigned frames = 0, returns = 0;
        set_options(files[i].json, files[i].pcap);
        DRIVE(&d->driver[0], metadata_option, capture_option, "--rate=0", "--block",
              "--wait-for-subscribers=1");
        await_publisher(points);
        while (next_frame(points, &frame)) {
            returns += read_frame(&frame, files[i].width, files[i].height);
            assert_int_equal(frame.flags & SL_MESSAGE_PARTIAL, 0);
            sl_frame_release(&frame);
            frames++;
        }
        sl_subscriber_close(points);
        assert_int_equal(driver_finish(&d->driver[0]), 0);
        assert_int_equal(frames, files[i].frames);
        if (files[i].returns > 0)
            assert_int_equal(returns, files[i].returns);
        driver_said(&d->driver[0], "lost: nothing");
        domain_is_empty(d);
    }
}

static void metadata_of_another_sensor_is_refused(void **state)
{
    struct driving *d = *state;
    set_options("duplicate_id.json", "OS-1-128_v2.3.0_1024x10_lb_n3.pcap");
    DRIVE(&d->driver[0], metadata_option, capture_option, "--rate=0", "--port=7502");
    assert_int_equal(driver_finish(&d->driver[0]), 1);
    driver_said(&d->driver[0], "serial number 992219000042");
    driver_said(&d->driver[0], "number 122201000998");
    set_options("OS-2-128-U1_v2.3.0_1024x10.json", "OS-1-128_v2.3.0_1024x10_lb_n3.pcap");
    DRIVE(&d->driver[0], metadata_option, capture_option, "--rate=0");
    assert_int_equal(driver_finish(&d->driver[0]), 1);
    driver_said(&d->driver[0], "a packet has 24832 bytes, but these have 8448");
    domain_is_empty(d);
}

static void options_that_do_not_fit_an_ouster_are_refused(void **state)
{
    struct driving *d = *state;
    set_options("OS-1-128_v2.3.0_1024x10.json", "");
    DRIVE(&d->driver[0], metadata_option, "--source=sim");
    assert_int_equal(driver_finish(&d->driver[0]), 1);
    driver_said(&d->driver[0], "option --metadata: a simulated sensor comes with its own");
    DRIVE(&d->driver[0], metadata_option, "--model=vlp-16");
    assert_int_equal(driver_finish(&d->driver[0]), 1);
    driver_said(&d->driver[0], "option --model");
    DRIVE(&d->driver[0], metadata_option, "--images=signal");
    assert_int_equal(driver_finish(&d->driver[0]), 1);
    driver_said(&d->driver[0], "profile RNG15_RFL8_NIR8 has no signal");
    DRIVE(&d->driver[0], metadata_option, "--images=range,colour");
    assert_int_equal(driver_finish(&d->driver[0]), 1);
    driver_said(&d->driver[0], "option --images: 'colour'; there are range");
    DRIVE(&d->driver[0], "--images=range");
    assert_int_equal(driver_finish(&d->driver[0]), 1);
    driver_said(&d->driver[0], "needs --metadata");
    DRIVE(&d->driver[0], "--metadata=none.json");
    assert_int_equal(driver_finish(&d->driver[0]), 1);
    driver_said(&d->driver[0], "none.json: No such file");
    domain_is_empty(d);
}

/* Pictures of OS-1-128_v2.3.0_1024x10_lb_n3.pcap, read from its packets without the decoder: 32
 * bytes, 16 columns of 12 bytes and 128 pixels of 4 (range in 8 mm 15 bits | flag | reflectivity |
 * near infrared in 16 photons), 32 bytes. */
#define PICTURE_ROWS    128
#define PICTURE_COLUMNS 1024
struct pictures {
    int first_id; /* -1 = none yet */
    struct ouster_metadata metadata;
    uint32_t (*pixel)[PICTURE_ROWS][PICTURE_COLUMNS]; /* of each turn, as they came */
};

static void add_to_pictures(void *context, const struct sl_datagram *datagram)
{
    struct pictures *pictures = context;
    if (datagram->size_bytes != 8448)
        return;
    int frame_id = sl_get_le16(datagram->bytes + 2);
    if (pictures->first_id < 0)
        pictures->first_id = frame_id;
    for (unsigned i = 0; i < 16; i++) {
        const uint8_t *column = datagram->bytes + 32 + i * (12 + 4 * PICTURE_ROWS);
        unsigned m = sl_get_le16(column + 8);
        assert_true(m < PICTURE_COLUMNS && frame_id - pictures->first_id < 3);
        for (unsigned row = 0; (column[10] & 1) && row < PICTURE_ROWS; row++) {
            unsigned at = (unsigned)((int)m + pictures->metadata.pixel_shift[row] + 1024) % 1024;
            pictures->pixel[frame_id - pictures->first_id][row][at] =
                sl_get_le32(column + 12 + 4 * row);
        }
    }
}

static void compare_picture(const struct sl_frame *frame, const char *encoding,
                            uint32_t (*pixel)[PICTURE_COLUMNS])
{
    struct sl_image image;
    unsigned bytes = encoding[0] == '3' ? 4 : encoding[4] == '1' ? 2 : 1;
    assert_int_equal(sl_image_read(frame->body, frame->body_length, &image), 0);
    assert_int_equal(image.width, PICTURE_COLUMNS);
    assert_int_equal(image.height, PICTURE_ROWS);
    assert_int_equal(image.step, PICTURE_COLUMNS * bytes);
    assert_int_equal(image.data_size, image.step * PICTURE_ROWS);
    assert_true(sl_text_is(image.encoding, encoding) && sl_text_is(image.frame_id, "lidar"));
    assert_true((uint64_t)image.stamp_ns == frame->stamp_ns && !image.is_bigendian);
    assert_ptr_equal(image.data, frame->data);
    for (unsigned i = 0; i < PICTURE_ROWS * PICTURE_COLUMNS; i++) {
        uint32_t wire = pixel[i / PICTURE_COLUMNS][i % PICTURE_COLUMNS];
        const uint8_t *at = image.data + (size_t)i * bytes;
        float range = 0;
        memcpy(&range, at, bytes == 4 ? 4 : 0);
        if (bytes == 4 && (wire & 0x7FFF) == 0)
            assert_true(isnan(range));
        else if (bytes == 4)
            assert_true(fabs((double)range - (wire & 0x7FFF) * 0.008) < 4e-5);
        else
            assert_int_equal(bytes == 2 ? sl_get_le16(at) : *at,
                             bytes == 2 ? (wire >> 24) * 16 : wire >> 16 & 0xFF);
    }
}

static void pictures_hold_what_the_packets_hold(void **state)
{
    static const char *const topics[] = {"/lidar/range_image", "/lidar/reflec_image",
                                         "/lidar/nearir_image"};
    static const char *const encodings[] = {"32FC1", "mono8", "mono16"};
    struct driving *d = *state;
    struct pictures *pictures = calloc(1, sizeof *pictures);
    struct sl_subscriber *subscriber[3], *points;
    struct sl_frame frame, picture;
    unsigned frames = 0;
    pictures->first_id = -1;
    pictures->pixel = calloc(3, sizeof *pictures->pixel);
    load_metadata("OS-1-128_v2.3.0_1024x10.json", &pictures->metadata);
    each_datagram("OS-1-128_v2.3.0_1024x10_lb_n3.pcap", add_to_pictures, pictures);
    set_options("OS-1-128_v2.3.0_1024x10.json", "OS-1-128_v2.3.0_1024x10_lb_n3.pcap");
    for (unsigned i = 0; i < 3; i++)
        subscriber[i] = subscribe(topics[i], SL_LOSSLESS);
    /* filters are for points: they leave the pictures alone */
    DRIVE(&d->driver[0], metadata_option, capture_option, "--rate=0", "--block",
          "--wait-for-subscribers=1", "--images=reflectivity,near-ir,range", "--rings=0:15",
          "--every-column=2", "--fov=-90:90");
    for (unsigned i = 0; i < 3; i++)
        await_publisher(subscriber[i]);
    points = subscribe(POINTS_TOPIC, SL_LOSSLESS); /* the last: it begins with this one */
    first_frame(points, &frame);
    do {
        struct sl_pointcloud2 cloud;
        assert_int_equal(sl_pointcloud2_read(frame.body, frame.body_length, &cloud), 0);
        for (unsigned i = 0; i < 128 * 1024; i++) {
            struct cloud_point p = cloud_point(&cloud, i / 128, i % 128);
            if (i / 128 % 2 == 1 || i % 128 > 15 || p.x < -1e-4f)
                assert_true(isnan(p.x));
        }
        assert_true(cloud_returns(&cloud) > 1000);
        for (unsigned i = 0; i < 3; i++) {
            assert_true(next_frame(subscriber[i], &picture));
            assert_true(picture.stamp_ns == frame.stamp_ns);
            compare_picture(&picture, encodings[i], pictures->pixel[frames]);
            sl_frame_release(&picture);
        }
        sl_frame_release(&frame);
        frames++;
    } while (next_frame(points, &frame));
    assert_int_equal(frames, 3);
    assert_int_equal(driver_finish(&d->driver[0]), 0);
    sl_subscriber_close(points);
    for (unsigned i = 0; i < 3; i++)
        sl_subscriber_close(subscriber[i]);
    free(pictures->pixel);
    free(pictures);
    domain_is_empty(d);
}

/* Attached when all is published already. The texts lie in the frame until it is released. */
static struct sl_subscriber *read_transforms(struct sl_frame *frame,
                                             struct sl_transform *ret_transforms, int count)
{
    struct sl_subscriber *subscriber = subscribe("/tf_static", SL_KEEP_LAST);
    await_publisher(subscriber);
    assert_true(next_frame(subscriber, frame));
    assert_int_equal(sl_transforms_read(frame->body, frame->body_length, 3, ret_transforms), count);
    for (int i = 0; i < count; i++)
        assert_true((uint64_t)ret_transforms[i].stamp_ns == frame->stamp_ns);
    return subscriber;
}

static void expect_transform(const struct sl_transform *t, const char *frame, const char *child,
                             const double translation[3], const double rotation[4])
{
    assert_true(sl_text_is(t->frame_id, frame) && sl_text_is(t->child_frame_id, child));
    for (unsigned i = 0; i < 3; i++)
        assert_true(fabs(t->translation[i] - translation[i]) < 1e-6);
    for (unsigned i = 0; i < 4; i++)
        assert_true(fabs(t->rotation[i] - rotation[i]) < 1e-6);
}

/* The file's own: the lidar is turned by 180 degrees and stands 36.18 mm above the sensor's base,
 * the IMU looks ahead. */
static void the_sensors_own_frames_are_told_to_whoever_comes_late(void **state)
{
    struct driving *d = *state;
    struct driver *driver = &d->driver[0];
    struct sl_transform t[3];
    struct sl_subscriber *subscriber;
    struct sl_frame frame;
    SKIP_EMULATED("SO_TIMESTAMPNS, SO_RXQ_OVFL");
    set_options("OS-1-128_v2.3.0_1024x10.json", "");
    DRIVE(driver, metadata_option, "--port=0", "--telemetry-port=0", "--bind=127.0.0.1", "--tf",
          "--name=os", "--frame-id=os_sensor");
    driver_wait_ready(driver);
    subscriber = read_transforms(&frame, t, 2);
    expect_transform(&t[0], "os_sensor", "os_lidar", (double[]){0, 0, 0.03618},
                     (double[]){0, 0, 1, 0});
    expect_transform(&t[1], "os_sensor", "os_imu", (double[]){0.006253, -0.011775, 0.007645},
                     (double[]){0, 0, 0, 1});
    sl_frame_release(&frame);
    sl_subscriber_close(subscriber);
    kill(driver->pid, SIGTERM);
    assert_int_equal(driver_finish(driver), 0);

    /* a quarter turn to the left, two metres ahead: so the lidar looks a quarter to the right */
    DRIVE(driver, metadata_option, "--port=0", "--telemetry-port=0", "--bind=127.0.0.1", "--tf",
          "--name=os", "--frame-id=base_link", "--x=2", "--yaw=90");
    driver_wait_ready(driver);
    subscriber = read_transforms(&frame, t, 3);
    expect_transform(&t[0], "base_link", "os_sensor", (double[]){2, 0, 0},
                     (double[]){0, 0, sqrt(0.5), sqrt(0.5)});
    expect_transform(&t[1], "base_link", "os_lidar", (double[]){2, 0, 0.03618},
                     (double[]){0, 0, -sqrt(0.5), sqrt(0.5)});
    expect_transform(&t[2], "base_link", "os_imu", (double[]){2 + 0.011775, 0.006253, 0.007645},
                     (double[]){0, 0, sqrt(0.5), sqrt(0.5)});
    sl_frame_release(&frame);
    sl_subscriber_close(subscriber);
    kill(driver->pid, SIGTERM);
    assert_int_equal(driver_finish(driver), 0);
}

/* A recording, sent to the program's port at the sensor's pace, lidar and IMU to the same one. */
struct sender {
    int fd;
    struct sockaddr_in to;
    uint64_t began_ns, recorded_ns;
};

static void send_datagram(void *context, const struct sl_datagram *datagram)
{
    struct sender *sender = context;
    if (sender->began_ns == 0) {
        sender->began_ns = sl_clock_monotonic_ns();
        sender->recorded_ns = datagram->time_ns;
    }
    uint64_t due_ns = sender->began_ns + (datagram->time_ns - sender->recorded_ns);
    struct timespec due = {.tv_sec = (time_t)(due_ns / SL_NS_PER_S),
                           .tv_nsec = (long)(due_ns % SL_NS_PER_S)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
    assert_int_equal(sendto(sender->fd, datagram->bytes, datagram->size_bytes, 0,
                            (const struct sockaddr *)&sender->to, sizeof sender->to),
                     datagram->size_bytes);
}

static struct sender sender_to(struct driver *driver)
{
    const char *port = driver_wait_said(driver, "listening at 127.0.0.1 port ");
    struct sender sender = {
        .fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0),
        .to = {.sin_family = AF_INET,
               .sin_port = htons((uint16_t)strtol(port, NULL, 10)),
               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)},
    };
    assert_true(sender.fd >= 0);
    return sender;
}

static void send_imu(void *context, const struct sl_datagram *datagram)
{
    if (datagram->destination.port == LIDAR_OUSTER_IMU_PORT)
        send_datagram(context, datagram);
}

/* The IMU's packets are short: where fragments are lost they are all that comes. */
static void the_imu_alone_is_told(struct driver *driver)
{
    set_options("OS-1-128_v2.3.0_1024x10.json", "");
    DRIVE(driver, metadata_option, "--port=0", "--bind=127.0.0.1", "--telemetry-port=0");
    driver_wait_ready(driver);
    struct sender sender = sender_to(driver);
    each_datagram("OS-1-128_v2.3.0_1024x10_lb_n3.pcap", send_imu, &sender);
    driver_wait_said(driver, "no data packet came in the first 5 s");
    kill(driver->pid, SIGTERM);
    assert_int_equal(driver_finish(driver), 0);
    driver_said(driver, "do IP fragments reach this program?");
    close(sender.fd);
}

static void packets_from_the_network_become_turns_and_the_imu_has_a_topic(void **state)
{
    struct driving *d = *state;
    struct driver *driver = &d->driver[0];
    struct sl_frame frame;
    struct sl_imu imu;
    SKIP_EMULATED("SO_TIMESTAMPNS, SO_RXQ_OVFL");
    the_imu_alone_is_told(driver);
    set_options("OS-2-128-U1_v2.3.0_1024x10.json", "");
    DRIVE(driver, metadata_option, "--port=0", "--bind=127.0.0.1", "--telemetry-port=0",
          "--frame-id=os2");
    driver_wait_ready(driver);
    struct sender sender = sender_to(driver);
    struct sl_subscriber *points = subscribe(POINTS_TOPIC, SL_KEEP_LAST);
    struct sl_subscriber *motion = subscribe(IMU_TOPIC, SL_KEEP_LAST);
    await_publisher(points);
    await_publisher(motion);
    each_datagram("OS-2-128-U1_v2.3.0_1024x10.pcap", send_datagram, &sender);
    assert_true(next_frame(points, &frame));
    assert_true(read_frame(&frame, 128, 1024) > 10000);
    assert_int_equal(frame.flags & SL_MESSAGE_PARTIAL, 0);
    assert_int_equal(frame.clock, SL_CLOCK_ANCHORED);
    sl_frame_release(&frame);
    for (unsigned i = 0; i < 10; i++) {
        assert_true(next_frame(motion, &frame));
        assert_int_equal(sl_imu_read(frame.body, frame.body_length, &imu), 0);
        const double *a = imu.linear_acceleration;
        double weight = sqrt(a[0] * a[0] + a[1] * a[1] + a[2] * a[2]);
        assert_true(weight > 9 && weight < 11);
        assert_true(fabs(imu.angular_velocity[2]) < 0.1);
        assert_true(imu.orientation_covariance[0] == -1);
        assert_int_equal(imu.frame_id.size, 3);
        sl_frame_release(&frame);
    }
    close(sender.fd);
    sl_subscriber_close(points);
    sl_subscriber_close(motion);
    kill(driver->pid, SIGTERM);
    assert_int_equal(driver_finish(driver), 0);
    driver_said(driver, "packets of an OS-2-128");
    driver_said(driver, "from 64 data and 10 telemetry packets; lost: nothing");
    domain_is_empty(d);
}

int main(void)
{
    if (!find_ouster_data()) {
        printf("SKIP: no recorded Ouster packets in %s (set SLUICE_TEST_DATA)\n", ouster_folder);
        return 77;
    }
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, driving_setup, driving_teardown)
        TEST(recorded_turns_are_published_whole),
        TEST(metadata_of_another_sensor_is_refused),
        TEST(options_that_do_not_fit_an_ouster_are_refused),
        TEST(packets_from_the_network_become_turns_and_the_imu_has_a_topic),
        TEST(pictures_hold_what_the_packets_hold),
        TEST(the_sensors_own_frames_are_told_to_whoever_comes_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
