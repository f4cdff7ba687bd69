/* SPDX-License-Identifier: Apache-2.0 */
/* test_hesai_mirror.c - an AT128 made byte by byte: its correction file, its packets, where its
 * points lie, and how its sweeps become frames. The decoder's tables are not used.
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
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "core/base/error.h"
#include "drivers/lidar/hesai.h"
#include "tests/lidar/frames.h"

#define RADIANS      (3.14159265358979323846 / 180)
#define LASERS       128
#define FIELDS       3
#define STEPS        180
#define FILE_BYTES   (16 + 8 * FIELDS + 8 * LASERS + 2 * LASERS * STEPS + 32)
#define PACKET_BYTES (12 + 2 * (3 + 4 * LASERS) + 4 + 32 + 4 + 4 + 32)
#define TAIL_AT      (12 + 2 * (3 + 4 * LASERS) + 4)
#define ROOM_BYTES   ((size_t)2800 * LASERS * 22)
#define COLUMNS      1200                     /* of a sweep */
#define COLUMN_US    41.666                   /* 24 kHz */
#define TURN_DEG_US  (360 * (10 / 3.0) / 1e6) /* of the mirror: 200 turns a minute */
#define START_US     7500000.0 /* since the top of the hour: the first sweep's first column */
#define HOST_NS      UINT64_C(1700002807500000000)
#define BEFORE_US    50.915 /* of the stamp: the last column */

static struct frames frames;
static struct velodyne_calibration calibration;
static struct lidar_decoder *decoder;
static uint8_t file[FILE_BYTES + 1];

/* The sensor: facets that are not quite regular, lasers that are not either. */
static const double begin_deg[FIELDS] = {60.5, 180.4, 300.625};
static const double first_deg = 15.02; /* from there to a sweep's first column */

static double elevation_deg(unsigned laser)
{
    return 12.93 - 0.2 * laser;
}

static double azimuth_deg(unsigned laser)
{
    return laser % 2 ? 0.65 : -2.4;
}

static int turned_by(unsigned laser, unsigned step) /* 0.01 degrees */
{
    return (int)(laser * 7 + step * 13) % 61 - 30;
}

static int raised_by(unsigned laser, unsigned step)
{
    return (int)(laser * 5 + step * 3) % 23 - 11;
}

static void make_file(unsigned resolution)
{
    memset(file, 0, sizeof file);
    memcpy(file, (const uint8_t[]){0xEE, 0xFF, 1, 5, LASERS, FIELDS, FIELDS}, 7);
    file[15] = (uint8_t)resolution;
    double unit = 25600.0 / resolution;
    for (unsigned i = 0; i < FIELDS; i++) {
        double end = begin_deg[(i + 1) % FIELDS];
        sl_put_le32(file + 16 + 4 * i, (uint32_t)lround(begin_deg[i] * unit));
        sl_put_le32(file + 16 + 4 * (FIELDS + i), (uint32_t)lround(end * unit));
    }
    uint8_t *angles = file + 16 + 8 * FIELDS, *steps = angles + 8 * LASERS;
    for (unsigned i = 0; i < LASERS; i++) {
        sl_put_le32(angles + 4 * i, (uint32_t)(int32_t)lround(azimuth_deg(i) * unit));
        sl_put_le32(angles + 4 * (LASERS + i), (uint32_t)(int32_t)lround(elevation_deg(i) * unit));
        for (unsigned k = 0; k < STEPS; k++) {
            steps[i * STEPS + k] = (uint8_t)turned_by(i, k);
            steps[(LASERS + i) * STEPS + k] = (uint8_t)raised_by(i, k);
        }
    }
}

static int read_file(struct lidar_model *ret_model)
{
    return hesai_mirror_read(hesai_model_find("at128"), file, FILE_BYTES, &calibration.mirror,
                             ret_model);
}

/* Where the mirror is at a column of a sweep, and when; the sweeps go on and on. */
static double mirror_deg(unsigned sweep, double column)
{
    return begin_deg[sweep % FIELDS] + first_deg + column * COLUMN_US * TURN_DEG_US;
}

static double column_us(unsigned sweep, double column)
{
    double turned = mirror_deg(sweep, column) - mirror_deg(0, 0) + 360 * (sweep / FIELDS);
    return START_US + turned / TURN_DEG_US;
}

static unsigned raw_of(unsigned laser, unsigned which)
{
    return 5000 + 10 * laser + 2000 * which;
}

static void put_block(uint8_t *block, unsigned sweep, unsigned column, unsigned which)
{
    uint32_t place = (uint32_t)lround(fmod(mirror_deg(sweep, column), 360) * 25600);
    sl_put_le16(block, (uint16_t)(place / 256));
    block[2] = (uint8_t)(place % 256);
    for (unsigned i = 0; i < LASERS; i++) {
        sl_put_le16(block + 3 + 4 * i, (uint16_t)raw_of(i, which));
        block[3 + 4 * i + 2] = (uint8_t)(i + which);
        block[3 + 4 * i + 3] = 0x55;
    }
}

static void make_packet(unsigned sweep, unsigned column, unsigned returns,
                        uint8_t packet[PACKET_BYTES])
{
    memset(packet, 0, PACKET_BYTES);
    memcpy(packet, (const uint8_t[]){0xEE, 0xFF, 4, 3, 0, 0, LASERS, 2, 0, 4, 1, 0x09}, 12);
    unsigned last = returns == 2 ? column : column + 1;
    put_block(packet + 12, sweep, column, 0);
    put_block(packet + 12 + 3 + 4 * LASERS, sweep, last, returns - 1);
    uint8_t *tail = packet + TAIL_AT;
    uint64_t stamp_us = (uint64_t)(column_us(sweep, last) + BEFORE_US + 0.5);
    sl_put_le32(tail + 20, (uint32_t)(stamp_us % 1000000));
    tail[24] = returns == 2 ? 0x39 : 0x37;
    sl_put_be32(tail + 28, (uint32_t)(1700002800 + stamp_us / 1000000));
}

static uint64_t host_ns(unsigned sweep, unsigned column)
{
    return HOST_NS + (uint64_t)((column_us(sweep, column) - START_US) * 1e3) + 100000;
}

static int push(unsigned sweep, unsigned column, unsigned returns)
{
    static uint8_t packet[PACKET_BYTES];
    make_packet(sweep, column, returns, packet);
    struct sl_datagram datagram = {
        .bytes = packet, .size_bytes = PACKET_BYTES, .time_ns = host_ns(sweep, column)};
    return lidar_decoder_push(decoder, &datagram);
}

static void push_sweep(unsigned sweep, unsigned returns, unsigned from, unsigned to)
{
    for (unsigned column = from; column < to; column += 2 / returns)
        assert_int_equal(push(sweep, column, returns), 0);
}

static void start(unsigned resolution)
{
    make_file(resolution);
    assert_int_equal(read_file(&calibration.model), 0);
    struct lidar_decoder_config config = {.model = hesai_model_find("at128"),
                                          .calibration = &calibration,
                                          .frames = {.cut_angle_deg = 90}};
    frames_init(&frames, ROOM_BYTES);
    struct lidar_frame_sink sink = frames_sink(&frames);
    assert_int_equal(lidar_decoder_create(&config, &sink, &decoder), 0);
}

static void finish(void)
{
    lidar_decoder_destroy(decoder);
    frames_finish(&frames);
}

static uint64_t count_of(enum lidar_count what)
{
    return lidar_decoder_counts(decoder)->count[what];
}

/* Between two of the file's steps, rounded to 0.01 degrees. */
static double between(int (*by)(unsigned, unsigned), unsigned laser, double place_deg)
{
    unsigned step = (unsigned)(place_deg / 2) % STEPS;
    double share = place_deg / 2 - floor(place_deg / 2);
    double sum = (1 - share) * by(laser, step) + share * by(laser, (step + 1) % STEPS);
    return round(sum * file[15]) / 100; /* in units of the resolution too */
}

static void check_point(const struct point *p, unsigned laser, unsigned sweep, unsigned column,
                        unsigned which)
{
    double place = fmod(mirror_deg(sweep, column), 360);
    double into = mirror_deg(sweep, column) - begin_deg[sweep % FIELDS];
    double azimuth = (2 * into - azimuth_deg(laser) + between(turned_by, laser, place)) * RADIANS;
    double vertical = (elevation_deg(laser) + between(raised_by, laser, place)) * RADIANS;
    double range = raw_of(laser, which) * 0.004;
    /* a rounding of the correction that went the other way, and the places' own */
    const double close = range * 0.011 * RADIANS;
    assert_true(p->intensity == (float)((laser + which) % 256));
    assert_true(fabs((double)p->x - range * cos(vertical) * sin(azimuth)) < close);
    assert_true(fabs((double)p->y - range * cos(vertical) * cos(azimuth)) < close);
    assert_true(fabs((double)p->z - range * sin(vertical)) < close);
}

static void check_sweep(const struct kept_frame *frame, unsigned sweep, unsigned returns)
{
    assert_int_equal(frame->info.width, LASERS);
    assert_int_equal(frame->info.columns, COLUMNS);
    assert_int_equal(frame->info.missing, 0);
    assert_int_equal(frame->info.returns, returns);
    assert_int_equal(frame->info.valid, COLUMNS * LASERS * returns);
    unsigned rows = frame->info.height / returns;
    for (unsigned column = 0; column < COLUMNS; column += 7) {
        for (unsigned ring = 0; ring < LASERS; ring++) {
            for (unsigned which = 0; which < returns; which++) {
                struct point p = frame_point(frame, which * rows + column, ring);
                assert_int_equal(p.ring, ring);
                check_point(&p, LASERS - 1 - ring, sweep, column, which);
            }
        }
    }
}

static void sweep_is_a_frame(void **state)
{
    (void)state;
    for (unsigned returns = 1; returns <= 2; returns++) {
        start(returns); /* another resolution: the same angles, corrections twice as large */
        for (unsigned sweep = 0; sweep < 5; sweep++)
            push_sweep(sweep, returns, sweep == 0 ? 600 : 0, COLUMNS);
        assert_int_equal(lidar_decoder_flush(decoder), 0);
        assert_int_equal(frames.closed, 5);
        assert_int_equal(count_of(LIDAR_GAP), 0);
        assert_int_equal(count_of(LIDAR_RESTART_ROTATION), 0);
        assert_int_equal(frames.kept[0].info.partial, LIDAR_PARTIAL_START);
        assert_int_equal(frames.kept[0].info.columns, 600);
        for (unsigned i = 1; i < 5; i++) {
            assert_int_equal(frames.kept[i].info.partial, i == 4 ? LIDAR_PARTIAL_END : 0);
            if (returns == 1 || i == 2)
                check_sweep(&frames.kept[i], i, returns);
        }
        finish();
    }
}

static void points_have_their_lasers_times(void **state)
{
    (void)state;
    static const struct {
        unsigned channel;
        double firing_us;
    } cases[] = {{1, 0}, {9, 12.424}, {80, 10.768}, {105, 12.424}, {128, 8.264}};
    start(1);
    for (unsigned sweep = 0; sweep < 3; sweep++)
        push_sweep(sweep, 1, 0, COLUMNS);
    const struct kept_frame *frame = &frames.kept[1];
    assert_true(llabs((int64_t)(frame->info.stamp_ns - host_ns(1, 0))) < 1000000);
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct point p = frame_point(frame, 400, LASERS - cases[i].channel);
        double since_us = (double)(frame->info.sensor_ns % INT64_C(3600000000000)) / 1e3;
        double expected_us = column_us(1, 400) + cases[i].firing_us;
        assert_true(fabs(since_us + (double)p.time * 1e6 - expected_us) < 1.6);
    }
    finish();
}

static void lost_packet_is_missed_in_its_sweep(void **state)
{
    (void)state;
    start(1);
    push_sweep(0, 1, 0, COLUMNS);
    push_sweep(1, 1, 0, 500);
    push_sweep(1, 1, 504, COLUMNS);
    push_sweep(2, 1, 0, COLUMNS);
    push_sweep(3, 1, 0, 20);
    assert_int_equal(frames.closed, 3);
    assert_int_equal(count_of(LIDAR_GAP), 2);
    assert_int_equal(frames.kept[1].info.columns, COLUMNS);
    assert_int_equal(frames.kept[1].info.missing, 4);
    struct point hole = frame_point(&frames.kept[1], 502, 64);
    assert_true(point_is_hole(&hole));
    check_sweep(&frames.kept[2], 2, 1);
    finish();
}

static void sweep_that_is_over_is_handed_on_before_the_next_one(void **state)
{
    (void)state;
    start(1);
    push_sweep(0, 1, 0, COLUMNS);
    push_sweep(1, 1, 0, COLUMNS);
    uint64_t last_ns = host_ns(1, COLUMNS - 2);
    assert_int_equal(frames.closed, 1);
    assert_true(lidar_decoder_due_ns(decoder) == last_ns + LIDAR_LATE_WAIT_NS);
    lidar_decoder_deadline(decoder, last_ns + LIDAR_LATE_WAIT_NS - 1);
    assert_int_equal(frames.closed, 1);
    lidar_decoder_deadline(decoder, last_ns + LIDAR_LATE_WAIT_NS);
    assert_int_equal(frames.closed, 2);
    assert_int_equal(frames.kept[1].info.partial, 0);
    push_sweep(2, 1, 0, COLUMNS);
    push_sweep(3, 1, 0, 2);
    assert_int_equal(frames.closed, 3);
    assert_int_equal(frames.kept[2].info.partial, 0);
    check_sweep(&frames.kept[2], 2, 1);
    finish();
}

static void place_outside_all_fields_is_counted(void **state)
{
    (void)state;
    start(1);
    uint8_t packet[PACKET_BYTES];
    make_packet(0, 0, 1, packet);
    sl_put_le16(packet + 12, 13500);
    sl_put_le32(file + 16 + 4 * FIELDS, 130 * 25600); /* the first field ends sooner */
    assert_int_equal(read_file(&calibration.model), 0);
    struct sl_datagram datagram = {.bytes = packet, .size_bytes = PACKET_BYTES};
    assert_int_equal(lidar_decoder_push(decoder, &datagram), 0);
    assert_int_equal(count_of(LIDAR_BAD_AZIMUTH), 1);
    datagram.size_bytes--;
    assert_int_equal(lidar_decoder_push(decoder, &datagram), 0);
    assert_int_equal(count_of(LIDAR_BAD_SHORT), 1);
    finish();
}

static void sensor_without_its_file_is_refused(void **state)
{
    (void)state;
    struct lidar_decoder_config config = {.model = hesai_model_find("at128")};
    struct lidar_frame_sink sink = frames_sink(&frames);
    assert_int_equal(lidar_decoder_create(&config, &sink, &decoder), -EINVAL);
    assert_non_null(strstr(sl_error_text(), "correction file"));
}

static void file_that_is_wrong_is_refused(void **state)
{
    (void)state;
    static const struct {
        unsigned at;
        uint8_t byte;
        const char *told;
    } cases[] = {
        {0, '1', "does not begin like"},
        {3, 3, "version 1.3"},
        {4, 64, "64 channels"},
        {5, 1, "1 mirrors and 3 frames"},
        {6, 9, "9 frames"},
        {15, 0, "resolution"},
        {15, 255, "beyond the turn"},
        {16 + 3, 0xFF, "beyond the turn"},
        {16 + 12 + 3, 0xFF, "beyond the turn"},
        {16 + 24 + 4 * 7 + 3, 0x40, "channel 8"},
    };
    struct lidar_model model = {.name = "untouched"};
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        make_file(1);
        file[cases[i].at] = cases[i].byte;
        assert_int_equal(read_file(&model), -EINVAL);
        if (!strstr(sl_error_text(), cases[i].told))
            fail_msg("\"%s\" is not in: %s", cases[i].told, sl_error_text());
    }
    make_file(1);
    for (unsigned size = 0; size < FILE_BYTES + 2; size += size < 100 ? 1 : FILE_BYTES / 8) {
        if (size != FILE_BYTES)
            assert_int_equal(hesai_mirror_read(hesai_model_find("at128"), file, size,
                                               &calibration.mirror, &model),
                             -EINVAL);
    }
    assert_string_equal(model.name, "untouched");
}

static void file_is_read_from_the_disk(void **state)
{
    (void)state;
    const struct lidar_model *at128 = hesai_model_find("at128");
    char path[] = "/tmp/sluice_at128_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    make_file(1);
    assert_int_equal(write(fd, file, FILE_BYTES), FILE_BYTES);
    assert_int_equal(hesai_correction_load(at128, path, &calibration.mirror, &calibration.model),
                     0);
    assert_ptr_equal(calibration.model.mirror, &calibration.mirror);
    assert_int_equal(calibration.mirror.begin[1], lround(begin_deg[1] * 25600));
    assert_true(fabs((double)calibration.model.vertical_deg[9] - elevation_deg(9)) < 1e-4);
    assert_int_equal(ftruncate(fd, FILE_BYTES - 1), 0);
    assert_int_equal(hesai_correction_load(at128, path, &calibration.mirror, &calibration.model),
                     -EINVAL);
    assert_non_null(strstr(sl_error_text(), path));
    close(fd);
    unlink(path);
    assert_int_equal(hesai_correction_load(at128, path, &calibration.mirror, &calibration.model),
                     -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sweep_is_a_frame),
        cmocka_unit_test(points_have_their_lasers_times),
        cmocka_unit_test(lost_packet_is_missed_in_its_sweep),
        cmocka_unit_test(sweep_that_is_over_is_handed_on_before_the_next_one),
        cmocka_unit_test(place_outside_all_fields_is_counted),
        cmocka_unit_test(sensor_without_its_file_is_refused),
        cmocka_unit_test(file_that_is_wrong_is_refused),
        cmocka_unit_test(file_is_read_from_the_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
