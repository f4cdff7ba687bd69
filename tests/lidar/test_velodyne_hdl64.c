/* SPDX-License-Identifier: Apache-2.0 */
/* test_velodyne_hdl64.c - an HDL-64E's packets made by hand (there is no capture of one), against
 * the manual's formulas in double precision; its calibration from files and from the packets.
 */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/error.h"
#include "tests/lidar/frames.h"

#define PACKET_BYTES 1206
#define START_US     2e6
#define START_DEG    358.5
#define RADIANS      (3.14159265358979323846 / 180)
#define ROOM_BYTES   ((size_t)2400 * 2 * 64 * 22)
#define TEXT_BYTES   40000

/* A laser as its calibration has it, in the units of the records. */
struct beam {
    int vertical, rotation;   /* 0.01 degrees */
    int far, near_x, near_y;  /* mm */
    int height, aside, focus; /* mm */
    int slope, least, most;   /* 0.1 */
};

struct sensor {
    const char *model;
    double period_us;
    unsigned laser, raw; /* that alone sees something, and what */
    uint8_t intensity;
    bool is_dual;
};

static struct frames frames;
static struct lidar_decoder *decoder;
static struct velodyne_calibration calibration;
static char text[TEXT_BYTES];
static uint8_t records[7 + 64 * 28];

/* All lasers a degree apart, the odd ones above: laser 0 looks at -31, 2 at -30 ... and 63 at 32.
 */
static struct beam beam_of(unsigned laser)
{
    int degrees = laser % 2 == 0 ? (int)laser / 2 - 31 : (int)laser / 2 + 1;
    return (struct beam){
        .vertical = degrees * 100,
        .rotation = (int)laser * 10 - 300,
        .far = 1400 + (int)laser,
        .near_x = 1420,
        .near_y = 1390,
        .height = 200 - (int)laser,
        .aside = laser % 2 ? -26 : 26,
        .focus = 10500,
        .slope = 12,
        .least = 5,
        .most = 200,
    };
}

static unsigned ring_of(unsigned laser)
{
    return laser % 2 == 0 ? laser / 2 : 32 + laser / 2;
}

static void put_records(void)
{
    memcpy(records, "UNIT#\x20\x10", 7);
    for (unsigned laser = 0; laser < 64; laser++) {
        struct beam b = beam_of(laser);
        uint8_t *to = records + 7 + laser * 28;
        const int words[] = {b.vertical, b.rotation, b.far,   b.near_x, b.near_y,
                             b.height,   b.aside,    b.focus, b.slope};
        memset(to, 0, 28);
        to[0] = (uint8_t)laser;
        for (unsigned i = 0; i < 9; i++)
            sl_put_le16(to + 1 + 2 * i, (uint16_t)words[i]);
        to[19] = (uint8_t)b.least;
        to[20] = (uint8_t)b.most;
    }
}

static void put_text(void)
{
    size_t used = (size_t)snprintf(text, sizeof text, "lasers:\n");
    for (unsigned laser = 0; laser < 64; laser++) {
        struct beam b = beam_of(laser);
        used += (size_t)snprintf(
            text + used, sizeof text - used,
            "- {laser_id: %u, vert_correction: %.9g, rot_correction: %.9g, dist_correction: %g,\n"
            "   dist_correction_x: %g, dist_correction_y: %g, vert_offset_correction: %g,\n"
            "   horiz_offset_correction: %g, focal_distance: %g, focal_slope: %g,\n"
            "   min_intensity: %d, max_intensity: %d}\n",
            laser, b.vertical * 0.01 * RADIANS, b.rotation * 0.01 * RADIANS, b.far / 1e3,
            b.near_x / 1e3, b.near_y / 1e3, b.height / 1e3, b.aside / 1e3, b.focus / 1e3,
            b.slope / 10.0, b.least, b.most);
    }
}

static double azimuth_deg(const struct sensor *s, unsigned column)
{
    return START_DEG + column * s->period_us * 1e-6 * 3600;
}

static unsigned columns_of(const struct sensor *s)
{
    return s->is_dual ? 3 : 6;
}

static void make_packet(const struct sensor *s, unsigned n, uint8_t packet[PACKET_BYTES])
{
    unsigned columns = columns_of(s);
    memset(packet, 0, PACKET_BYTES);
    for (unsigned block = 0; block < 12; block++) {
        uint8_t *to = packet + block * 100;
        unsigned column = n * columns + block / (s->is_dual ? 4 : 2);
        bool is_second = s->is_dual && block / 2 % 2 == 1;
        sl_put_le16(to, block % 2 == 0 ? 0xEEFF : 0xDDFF);
        sl_put_le16(to + 2, (uint16_t)(lround(azimuth_deg(s, column) * 100) % 36000));
        if (s->laser / 32 == block % 2) {
            sl_put_le16(to + 4 + s->laser % 32 * 3, (uint16_t)(s->raw + (is_second ? 50 : 0)));
            to[6 + s->laser % 32 * 3] = s->intensity;
        }
    }
    sl_put_le32(packet + 1200, (uint32_t)(START_US + n * columns * s->period_us));
}

/* Sixteen packets a cycle: nine letters, then seven bytes of the calibration. */
static void put_status(unsigned n, uint8_t packet[PACKET_BYTES])
{
    unsigned in_cycle = n % 16, row = n / 16 % ((7 + 64 * 28 + 28) / 7);
    packet[1204] = (uint8_t)(in_cycle < 9 ? "HMSDNYGTV"[in_cycle] : '1' + (int)in_cycle - 9);
    unsigned at = row * 7 + in_cycle - 9;
    if (in_cycle >= 9)
        packet[1205] = at < sizeof records ? records[at] : 0;
}

static void start(const char *model, const struct velodyne_calibration *given)
{
    struct lidar_decoder_config config = {.model = velodyne_model_find(model),
                                          .calibration = given};
    struct lidar_frame_sink sink = frames_sink(&frames);
    frames_init(&frames, ROOM_BYTES);
    assert_int_equal(lidar_decoder_create(&config, &sink, &decoder), 0);
}

static void push(const struct sensor *s, unsigned n)
{
    uint8_t packet[PACKET_BYTES];
    make_packet(s, n, packet);
    put_status(n, packet);
    struct sl_datagram datagram = {.bytes = packet, .size_bytes = sizeof packet};
    assert_int_equal(lidar_decoder_push(decoder, &datagram), 0);
}

static void drop(void)
{
    lidar_decoder_destroy(decoder);
    frames_finish(&frames);
}

/* The manual's formula, in its own axes: x to the right, y ahead. */
static void expect_point(const struct sensor *s, const struct point *p, double column, unsigned raw,
                         double firing_us)
{
    struct beam b = beam_of(s->laser);
    double azimuth = azimuth_deg(s, 0) + (column * s->period_us + firing_us) * 1e-6 * 3600;
    double a = (azimuth - b.rotation * 0.01) * RADIANS, el = b.vertical * 0.01 * RADIANS;
    double r = raw * 0.002, d = b.far / 1e3, cx = d, cy = d;
    double nx = b.near_x / 1e3, ny = b.near_y / 1e3;
    if (r < 25.04) {
        cx = nx + (d - nx) * (fabs((r + d) * cos(el) * sin(a)) - 2.40) / (25.04 - 2.40);
        cy = ny + (d - ny) * (fabs((r + d) * cos(el) * cos(a)) - 1.93) / (25.04 - 1.93);
    }
    double x = (r + cx) * cos(el) * sin(a) - b.aside / 1e3 * cos(a);
    double y = (r + cy) * cos(el) * cos(a) + b.aside / 1e3 * sin(a);
    double z = (r + (cx + cy) / 2) * sin(el) + b.height / 1e3;
    double tolerance = (r + d) * 0.012 * RADIANS; /* azimuths are in 0.01 degrees */
    assert_true(fabs((double)p->x - y) < tolerance && fabs((double)p->y + x) < tolerance);
    assert_true(fabs((double)p->z - z) < 1e-3);
    double here = 1 - raw / 65535.0, focus = 1 - b.focus / 131070.0;
    double bright = s->intensity + 256 * b.slope / 10.0 * fabs(focus * focus - here * here);
    bright = fmin(fmax(bright, b.least), b.most);
    assert_true(fabs((double)p->intensity - bright) < 0.02);
}

static void check_turn(const struct sensor *s, double firing_us)
{
    const struct kept_frame *frame = &frames.kept[1];
    unsigned first = 0, ring = ring_of(s->laser);
    while (lround(azimuth_deg(s, first) * 100) < 36000)
        first++;
    assert_int_equal(frame->info.width, 64);
    assert_int_equal(frame->info.partial, 0);
    assert_int_equal(frame->info.missing, 0);
    assert_int_equal(frame->info.valid, frame->info.columns * (s->is_dual ? 2 : 1));
    for (unsigned row = 0; row < frame->info.columns; row++) {
        struct point p = frame_point(frame, row, ring);
        expect_point(s, &p, first + row, s->raw, firing_us);
        assert_true(fabs((double)p.time * 1e6 - row * s->period_us - firing_us) < 1.5);
        if (s->is_dual) {
            p = frame_point(frame, frame->info.height / 2 + row, ring);
            expect_point(s, &p, first + row, s->raw + 50, firing_us);
        }
    }
}

static void rays_lie_where_the_manual_says(void **state)
{
    (void)state;
    static const struct {
        struct sensor sensor;
        double firing_us;
    } cases[] = {
        {{"hdl-64e-s2", 48, 0, 5000, 50, false}, 0},
        {{"hdl-64e-s2", 48, 33, 2500, 9, false}, 1.26}, /* lower bank, second of a group of four */
        {{"hdl-64e-s3", 57.6, 31, 20000, 190, false}, 7 * 7.2 + 3.7}, /* far; too bright */
        {{"hdl-64e-s3", 57.6, 62, 5000, 50, true}, 7 * 7.2 + 2.5},
        {{"hdl-64e-s2", 48, 5, 700, 0, true}, 6 + 1.26},
    };
    put_text();
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct sensor *s = &cases[i].sensor;
        if (velodyne_calibration_read(velodyne_model_find(s->model), "made", text, strlen(text),
                                      &calibration) < 0)
            fail_msg("%s", sl_error_text());
        start(s->model, &calibration);
        for (unsigned n = 0; n < 1.3e5 / (columns_of(s) * s->period_us); n++)
            push(s, n);
        assert_int_equal(lidar_decoder_flush(decoder), 0);
        assert_int_equal(lidar_decoder_counts(decoder)->count[LIDAR_BAD_ROTATION], 0);
        assert_int_equal(frames.closed, 3);
        check_turn(s, cases[i].firing_us);
        drop();
    }
}

static void packets_carry_the_calibration_themselves(void **state)
{
    (void)state;
    struct sensor s = {"hdl-64e-s3", 57.6, 21, 5000, 50, false};
    put_records();
    start(s.model, NULL);
    unsigned whole = 257 * 16, lost = 2000, n = 0;
    for (; n < whole - 1; n++) {
        if (n != lost + 10) /* carries a byte: what was collected is of no use */
            push(&s, n);
    }
    assert_null(lidar_decoder_model(decoder));
    assert_int_equal(lidar_decoder_counts(decoder)->count[LIDAR_UNIDENTIFIED], whole - 2);
    for (; !lidar_decoder_model(decoder); n++) {
        assert_true(n < 3 * whole);
        push(&s, n);
    }
    for (unsigned end = n + 400; n < end; n++)
        push(&s, n);
    assert_int_equal(lidar_decoder_flush(decoder), 0);
    for (unsigned row = 0; row < frames.kept[0].info.columns; row++) {
        struct point p = frame_point(&frames.kept[0], row, ring_of(21));
        /* where it is, if not when it began: its height tells the angle and all lengths */
        struct beam b = beam_of(21);
        double r = hypot((double)p.x, (double)p.y), el = b.vertical * 0.01 * RADIANS;
        assert_true(fabs((double)p.z - b.height / 1e3 - r * tan(el)) < 0.01);
    }
    drop();
}

static void stream_without_a_calibration_is_told(void **state)
{
    (void)state;
    struct sensor s = {"hdl-64e-s2", 48, 0, 5000, 50, false};
    start(s.model, NULL);
    for (unsigned n = 0; n < 100; n++)
        push(&s, n);
    assert_int_equal(lidar_decoder_flush(decoder), -ENODATA);
    assert_non_null(strstr(sl_error_text(), "calibration"));
    drop();
}

static void damaged_packets_are_counted(void **state)
{
    (void)state;
    struct sensor s = {"hdl-64e-s2", 48, 0, 5000, 50, false};
    uint8_t packet[PACKET_BYTES];
    make_packet(&s, 0, packet);
    assert_int_equal(velodyne_hdl64_check(packet, PACKET_BYTES), LIDAR_PACKETS);
    assert_int_equal(velodyne_hdl64_check(packet, PACKET_BYTES - 1), LIDAR_BAD_SHORT);
    assert_int_equal(velodyne_hdl64_check(packet, PACKET_BYTES + 1), LIDAR_BAD_LONG);
    sl_put_le16(packet + 102, 1); /* the lower bank looks elsewhere */
    assert_int_equal(velodyne_hdl64_check(packet, PACKET_BYTES), LIDAR_BAD_AZIMUTH);
    sl_put_le16(packet + 100, 0xEEFF);
    assert_int_equal(velodyne_hdl64_check(packet, PACKET_BYTES), LIDAR_BAD_FLAG);
}

static void file_that_is_wrong_is_told_by_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *text, *told;
    } cases[] = {
        {"", "lasers must be a list of 64"},
        {"lasers: [1, 2]", "lasers must be a list of 64"},
        {"lasers: {a: 1}", "lasers must be a list of 64"},
        {"lasers: [", "f.yaml:2:1"},
    };
    static const struct {
        const char *from, *to, *told;
    } changes[] = {
        {"laser_id: 7,", "laser_id: 6,", "each once"},
        {"laser_id: 7,", "laser_id: 64,", "each once"},
        {"laser_id: 7,", "laser_id: x,", "laser_id must be a number"},
        {"laser_id: 7,", "laser_ix: 7,", "a laser without laser_id"},
        {"focal_distance: 10.5", "focal_distance: 1e9 ", "focal_distance must be a number"},
        {"focal_distance: 10.5", "focal_distance: [1] ", "focal_distance must be a number"},
        {"vert_correction: -0", "vert_correction: -9", "angle in radians"},
    };
    const struct lidar_model *model = velodyne_model_find("hdl-64e-s2");
    calibration.model.name = "untouched";
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(velodyne_calibration_read(model, "f.yaml", cases[i].text,
                                                   strlen(cases[i].text), &calibration),
                         -EINVAL);
        if (!strstr(sl_error_text(), cases[i].told))
            fail_msg("\"%s\" is not in: %s", cases[i].told, sl_error_text());
    }
    for (unsigned i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        put_text();
        char *at = strstr(text, changes[i].from);
        assert_non_null(at);
        memcpy(at, changes[i].to, strlen(changes[i].to));
        assert_int_equal(
            velodyne_calibration_read(model, "f.yaml", text, strlen(text), &calibration), -EINVAL);
        if (!strstr(sl_error_text(), changes[i].told))
            fail_msg("\"%s\" is not in: %s", changes[i].told, sl_error_text());
    }
    assert_string_equal(calibration.model.name, "untouched");
}

static void files_of_real_sensors_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        bool has_near;
        float vertical_deg, distance_m, intensity_min; /* of laser 0, by hand */
    } files[] = {
        {"HDL64e_s2.yaml", true, -8.76862f, 1.5195264f, 30},
        {"HDL64e_s3.yaml", true, -7.22969f, 1.413949f, 5},
        {"HDL64e_utexas.yaml", false, -7.15812f, 0.1f, 0},
    };
    const char *data = getenv("SLUICE_TEST_DATA"), *source = getenv("SLUICE_SOURCE");
    for (unsigned i = 0; i < sizeof files / sizeof files[0]; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/lidar/velodyne/nebula/calibration/%s", data ? data : "",
                 files[i].file);
        if (!data)
            snprintf(path, sizeof path, "%s/../shared/data/lidar/velodyne/nebula/calibration/%s",
                     source ? source : ".", files[i].file);
        int err = velodyne_calibration_load(velodyne_model_find("hdl-64e-s3"), path, &calibration);
        if (err == -ENOENT) {
            printf("SKIP: no calibration at %s (set SLUICE_TEST_DATA)\n", path);
            skip();
        }
        if (err < 0)
            fail_msg("%s", sl_error_text());
        assert_int_equal(calibration.beams[0].has_near, files[i].has_near);
        assert_true(fabsf(calibration.model.vertical_deg[0] - files[i].vertical_deg) < 1e-4f);
        assert_true(fabsf(calibration.beams[0].distance_m - files[i].distance_m) < 1e-6f);
        assert_true(fabsf(calibration.beams[0].intensity_min - files[i].intensity_min) < 1e-6f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rays_lie_where_the_manual_says),
        cmocka_unit_test(packets_carry_the_calibration_themselves),
        cmocka_unit_test(stream_without_a_calibration_is_told),
        cmocka_unit_test(damaged_packets_are_counted),
        cmocka_unit_test(file_that_is_wrong_is_told_by_its_place),
        cmocka_unit_test(files_of_real_sensors_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
