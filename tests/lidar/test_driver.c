/* SPDX-License-Identifier: Apache-2.0 */
/* test_driver.c - the real program on its simulated sensor, seen by a subscriber. */
#include "tests/lidar/driving.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "core/base/error.h"
#include "core/frame/laser_scan.h"
#include "core/frame/velodyne_scan.h"
#include "core/shm/domain.h"
#include "drivers/lidar/decoder.h"
#include "drivers/lidar/family.h"
#include "drivers/lidar/hesai.h"
#include "drivers/lidar/livox.h"
#include "drivers/lidar/options.h"
#include "drivers/lidar/robosense.h"
#include "drivers/lidar/sim/send.h"
#include "drivers/lidar/simd.h"

#define SIM_PACKETS   "800"
#define SIM_FRAMES    11 /* 800 packets of 24 columns, 1808.4 columns a turn */
#define SIM_ARGS      "--source=sim", "--rate=0", "--sim-packets=" SIM_PACKETS
#define LOSSLESS_ARGS "--block", "--wait-for-subscribers=1"

/* Run it to its end; each frame goes to `look`. Returns how many there were. */
typedef void look_fn(void *context, const struct sl_frame *frame,
                     const struct sl_pointcloud2 *cloud);
static unsigned all_frames(struct driver *driver, unsigned returns, look_fn *look, void *context)
{
    struct sl_subscriber *subscriber = subscribe(POINTS_TOPIC, SL_LOSSLESS);
    struct sl_pointcloud2 cloud;
    struct sl_frame frame;
    unsigned count = 0;
    await_publisher(subscriber);
    while (next_frame(subscriber, &frame)) {
        assert_int_equal(frame.seq, ++count);
        assert_int_equal(frame.lost_before, 0);
        read_cloud(&frame, returns, &cloud);
        if (look)
            look(context, &frame, &cloud);
        assert_int_equal(sl_frame_check(&frame), 0);
        sl_frame_release(&frame);
    }
    sl_subscriber_close(subscriber);
    assert_int_equal(driver_finish(driver), 0);
    return count;
}

struct turns {
    unsigned count;
    uint64_t last_stamp_ns;
};

static void look_at_turn(void *context, const struct sl_frame *frame,
                         const struct sl_pointcloud2 *cloud)
{
    struct turns *turns = context;
    bool is_last = ++turns->count == SIM_FRAMES;
    assert_int_equal(frame->clock, SL_CLOCK_GPS);
    assert_int_equal(frame->flags & SL_MESSAGE_PARTIAL, is_last ? SL_MESSAGE_PARTIAL : 0);
    assert_true(sl_text_is(cloud->frame_id, "lidar"));
    if (!is_last)
        assert_in_range(cloud->height, 1808, 1809);
    assert_int_equal(cloud_returns(cloud), cloud->height * 16); /* the room is closed */
    if (turns->count > 1) {
        uint64_t turn_ns = frame->stamp_ns - turns->last_stamp_ns;
        assert_in_range(turn_ns, 99900000, 100100000);
    }
    turns->last_stamp_ns = frame->stamp_ns;
}

static void simulated_turns_arrive_whole_and_in_place(void **state)
{
    struct driving *d = *state;
    struct turns turns = {0};
    DRIVE(&d->driver[0], SIM_ARGS, LOSSLESS_ARGS);
    assert_int_equal(all_frames(&d->driver[0], 1, look_at_turn, &turns), SIM_FRAMES);
    driver_said(&d->driver[0], "packets of a VLP-16");
    driver_said(&d->driver[0], "11 frames (1 partial)");
    driver_said(&d->driver[0], "from 800 data and 160 telemetry packets; lost: nothing");
    domain_is_empty(d);
}

static void turns_the_other_way_arrive_whole_and_in_place(void **state)
{
    struct driving *d = *state;
    struct turns turns = {0};
    DRIVE(&d->driver[0], SIM_ARGS, LOSSLESS_ARGS, "--sim-counterclockwise");
    assert_int_equal(all_frames(&d->driver[0], 1, look_at_turn, &turns), SIM_FRAMES);
    driver_said(&d->driver[0], "from 800 data and 160 telemetry packets; lost: nothing");
    domain_is_empty(d);
}

static void what_points_are_made_by_can_be_chosen_and_is_told(void **state)
{
    struct driving *d = *state;
    char option[32], text[64];
    for (enum lidar_simd simd = LIDAR_SIMD_AUTO; simd < LIDAR_SIMDS; simd++) {
        enum lidar_simd used = simd == LIDAR_SIMD_AUTO ? lidar_simd_best() : simd;
        struct turns turns = {0};
        if (!lidar_simd_is_supported(simd))
            continue;
        snprintf(option, sizeof option, "--simd=%s", lidar_simd_names[simd]);
        snprintf(text, sizeof text, "its points are made by %s", lidar_simd_names[used]);
        DRIVE(&d->driver[0], SIM_ARGS, LOSSLESS_ARGS, option);
        assert_int_equal(all_frames(&d->driver[0], 1, look_at_turn, &turns), SIM_FRAMES);
        driver_said(&d->driver[0], text);
    }
}

static void look_at_clock(void *context, const struct sl_frame *frame,
                          const struct sl_pointcloud2 *cloud)
{
    (void)cloud;
    assert_int_equal(frame->clock, *(const enum sl_clock *)context);
}

static void the_source_of_stamps_is_told(void **state)
{
    static const struct {
        const char *option, *text;
        enum sl_clock clock;
    } cases[] = {
        {"--stamp=sensor", "stamps (gps): ", SL_CLOCK_GPS},
        {"--stamp=host", "stamps (host): ", SL_CLOCK_HOST},
        {"--stamp=fitted", "stamps (fitted): ", SL_CLOCK_FITTED},
    };
    struct driving *d = *state;
    for (unsigned i = 0; i < 3; i++) {
        enum sl_clock clock = cases[i].clock;
        DRIVE(&d->driver[0], SIM_ARGS, LOSSLESS_ARGS, cases[i].option);
        assert_int_equal(all_frames(&d->driver[0], 1, look_at_clock, &clock), SIM_FRAMES);
        driver_said(&d->driver[0], cases[i].text);
    }
}

/* Of an OS1 the metadata tells it; of an XT32 nobody but who gives the option. */
static void stamps_of_a_clock_that_ptp_sets_say_so(void **state)
{
    static const char *const models[] = {"--sim-model=os1-64", "--sim-model=xt32"};
    static const char *const ahead[] = {"--ptp-ahead=37s", "--ptp-ahead=0s"};
    struct driving *d = *state;
    for (unsigned i = 0; i < 2; i++) {
        struct sl_subscriber *points = subscribe(POINTS_TOPIC, SL_LOSSLESS);
        struct sl_frame frame;
        unsigned count = 0;
        DRIVE(&d->driver[0], models[i], ahead[i], "--source=sim", "--rate=0", "--sim-packets=1000",
              LOSSLESS_ARGS);
        await_publisher(points);
        for (; next_frame(points, &frame); count++) {
            assert_int_equal(frame.clock, SL_CLOCK_PTP_UTC);
            sl_frame_release(&frame);
        }
        sl_subscriber_close(points);
        assert_true(count > 1);
        assert_int_equal(driver_finish(&d->driver[0]), 0);
        driver_said(&d->driver[0], "stamps (ptp): ");
    }
}

/* A scan against the points of the same turn: in each ray, the nearest of what is in the band (or
 * in the ring) and not further from its direction than half a step. */
static void compare_scan(const struct sl_laser_scan *scan, const struct sl_pointcloud2 *cloud,
                         int ring)
{
    double step = 2 * M_PI / scan->range_count;
    double *nearest = malloc(scan->range_count * sizeof *nearest);
    bool *is_near_edge = calloc(scan->range_count, sizeof *is_near_edge);
    for (uint32_t i = 0; i < scan->range_count; i++)
        nearest[i] = INFINITY;
    for (uint32_t i = 0; i < cloud->height * cloud->width; i++) {
        struct cloud_point p = cloud_point(cloud, i / cloud->width, i % cloud->width);
        if (isnan(p.x) || (ring >= 0 ? p.ring != ring : !(p.z >= -0.5f && p.z <= 0.25f)))
            continue;
        double at = (atan2((double)p.y, (double)p.x) - (double)scan->angle_min) / step;
        uint32_t ray = (uint32_t)floor(at + 0.5) % scan->range_count;
        if (fabs(at + 0.5 - round(at + 0.5)) < 1e-4)
            is_near_edge[ray] = is_near_edge[(ray + 1) % scan->range_count] =
                is_near_edge[(ray + scan->range_count - 1) % scan->range_count] = true;
        nearest[ray] = fmin(nearest[ray], hypot((double)p.x, (double)p.y));
    }
    for (uint32_t i = 0; i < scan->range_count; i++) {
        double range = (double)sl_laser_scan_range(scan, i);
        if (!is_near_edge[i] && isinf(nearest[i]))
            assert_true(isinf(range));
        else if (!is_near_edge[i])
            assert_true(fabs(range - nearest[i]) < 1e-5);
    }
    free(nearest);
    free(is_near_edge);
}

static void check_scans(struct driving *d, const char *option, int ring, uint32_t rays)
{
    struct driver *driver = &d->driver[0];
    struct sl_subscriber *points;
    struct sl_subscriber *scans = subscribe("/lidar/scan", SL_LOSSLESS);
    struct sl_frame frame, scan_frame;
    struct sl_pointcloud2 cloud;
    struct sl_laser_scan scan;
    unsigned count = 0;
    DRIVE(driver, SIM_ARGS, LOSSLESS_ARGS, option, "--max-range=20", "--z=1",
          rays == 720 ? "--scan-step=0.5" : "--scan-step=0.25");
    await_publisher(scans);
    points = subscribe(POINTS_TOPIC, SL_LOSSLESS); /* the last: it begins with this one */
    first_frame(points, &frame);
    do {
        assert_true(next_frame(scans, &scan_frame));
        assert_int_equal(sl_laser_scan_read(scan_frame.body, scan_frame.body_length, &scan), 0);
        assert_int_equal(sl_pointcloud2_read(frame.body, frame.body_length, &cloud), 0);
        assert_true(scan_frame.stamp_ns == frame.stamp_ns && scan_frame.clock == frame.clock);
        assert_int_equal(scan_frame.flags, frame.flags);
        assert_true(scan.stamp_ns == cloud.stamp_ns && sl_text_is(scan.frame_id, "lidar"));
        assert_int_equal(scan.range_count, rays);
        assert_int_equal(scan.intensity_count, rays);
        assert_true(fabs((double)scan.angle_min + M_PI) < 1e-6);
        assert_true(fabs((double)scan.angle_increment - 2 * M_PI / rays) < 1e-7);
        assert_true(fabs((double)scan.angle_max - M_PI + 2 * M_PI / rays) < 1e-6);
        assert_true(scan.range_max == 20 && scan.range_min == 0);
        if (++count < SIM_FRAMES)
            assert_true(scan.scan_time > 0.0998f && scan.scan_time < 0.1001f);
        compare_scan(&scan, &cloud, ring);
        sl_frame_release(&frame);
        sl_frame_release(&scan_frame);
    } while (next_frame(points, &frame));
    sl_subscriber_close(points);
    sl_subscriber_close(scans);
    assert_int_equal(driver_finish(driver), 0);
    assert_int_equal(count, SIM_FRAMES);
    domain_is_empty(d);
}

static void a_ring_or_a_band_is_published_as_a_scan(void **state)
{
    struct driving *d = *state;
    check_scans(d, "--scan-ring=7", 7, 720);
    check_scans(d, "--scan-band=-0.5:0.25", -1, 1440);
}

static void look_at_second_half(void *context, const struct sl_frame *frame,
                                const struct sl_pointcloud2 *cloud)
{
    unsigned *seconds = context;
    (void)frame;
    for (uint32_t row = 0; row < cloud->height / 2; row++)
        for (uint32_t ring = 0; ring < 16; ring++) {
            struct cloud_point first = cloud_point(cloud, row, ring);
            struct cloud_point second = cloud_point(cloud, row + cloud->height / 2, ring);
            assert_true(first.time == second.time);
            if (isnan(second.x))
                continue;
            assert_false(isnan(first.x));
            *seconds += 1;
        }
}

static void second_returns_are_the_second_half_of_the_rows(void **state)
{
    struct driving *d = *state;
    unsigned seconds = 0;
    DRIVE(&d->driver[0], SIM_ARGS, LOSSLESS_ARGS, "--sim-return=dual");
    assert_int_equal(all_frames(&d->driver[0], 2, look_at_second_half, &seconds), 6);
    assert_true(seconds > 0);
    driver_said(&d->driver[0], "lost: nothing");
}

/* Sectors, rings, columns and a box, at once; the room is closed, so all else is there. */
static bool is_wanted(const struct cloud_point *p, uint32_t row)
{
    double deg = atan2((double)p->y, (double)p->x) * 180 / M_PI;
    bool in_fov = (deg >= -60 && deg <= 45) || deg >= 170 || deg <= -175;
    bool in_box = p->x >= -1 && p->x <= 30 && p->y >= -3 && p->y <= 2 && p->z >= -9 && p->z <= 9;
    return in_fov && !in_box && row % 3 == 0 && (p->ring <= 4 || p->ring == 9 || p->ring == 15);
}

struct filtered {
    struct sl_pointcloud2 *whole; /* the same turns, unfiltered */
    uint8_t **data;
    unsigned turn;
    unsigned kept, left_out;
};

static void look_at_filtered(void *context, const struct sl_frame *frame,
                             const struct sl_pointcloud2 *cloud)
{
    struct filtered *f = context;
    (void)frame;
    struct sl_pointcloud2 *whole = &f->whole[f->turn];
    whole->data = f->data[f->turn++];
    assert_int_equal(cloud->height, whole->height);
    for (uint32_t row = 0; row < cloud->height; row++)
        for (uint32_t ring = 0; ring < 16; ring++) {
            struct cloud_point p = cloud_point(cloud, row, ring);
            struct cloud_point before = cloud_point(whole, row, ring);
            double edge = fmin(fabs((double)before.x - 30), fabs((double)before.y + 3));
            edge = fmin(edge, fabs((double)before.y - 2));
            double deg = atan2((double)before.y, (double)before.x) * 180 / M_PI;
            for (unsigned i = 0; i < 4; i++)
                edge = fmin(edge, fabs(deg - (double[]){-60, 45, 170, -175}[i]));
            f->kept += !isnan(p.x);
            f->left_out += isnan(p.x);
            if (edge > 1e-3)
                assert_int_equal(!isnan(p.x), is_wanted(&before, row));
            if (!isnan(p.x))
                assert_true(p.x == before.x && p.y == before.y && p.z == before.z);
        }
}

struct copies {
    unsigned count;
    struct sl_pointcloud2 cloud[SIM_FRAMES];
    uint8_t *data[SIM_FRAMES];
};

static void copy_turn(void *context, const struct sl_frame *frame,
                      const struct sl_pointcloud2 *cloud)
{
    struct copies *copies = context;
    (void)frame;
    assert_true(copies->count < SIM_FRAMES);
    copies->cloud[copies->count] = *cloud;
    copies->data[copies->count] = malloc(cloud->data_size);
    memcpy(copies->data[copies->count++], cloud->data, cloud->data_size);
}

static void what_is_filtered_is_a_hole_and_counted(void **state)
{
    struct driving *d = *state;
    struct copies copies = {0};
    char text[64];
    DRIVE(&d->driver[0], SIM_ARGS, LOSSLESS_ARGS);
    assert_int_equal(all_frames(&d->driver[0], 1, copy_turn, &copies), SIM_FRAMES);
    struct filtered filtered = {.whole = copies.cloud, .data = copies.data};
    DRIVE(&d->driver[0], SIM_ARGS, LOSSLESS_ARGS, "--fov=-60:45,170:-175", "--rings=0:4,9,15",
          "--exclude-box=-1:30,-3:2,-9:9", "--every-column=3");
    assert_int_equal(all_frames(&d->driver[0], 1, look_at_filtered, &filtered), SIM_FRAMES);
    assert_true(filtered.kept > 1000);
    snprintf(text, sizeof text, " %u returns were filtered", filtered.left_out);
    driver_said(&d->driver[0], text);
    for (unsigned i = 0; i < copies.count; i++)
        free(copies.data[i]);
}

/* Points kept by frame, to be compared. */
struct kept {
    unsigned count;
    uint32_t size[SIM_FRAMES + 1];
    uint8_t *data[SIM_FRAMES + 1];
};

static void keep_bytes(struct kept *kept, const void *data, size_t size)
{
    assert_true(kept->count < sizeof kept->size / sizeof *kept->size);
    kept->size[kept->count] = (uint32_t)size;
    kept->data[kept->count] = malloc(size);
    memcpy(kept->data[kept->count++], data, size);
}

static void keep(void *context, const struct sl_frame *frame, const struct sl_pointcloud2 *cloud)
{
    (void)frame;
    keep_bytes(context, cloud->data, cloud->data_size);
}

static void free_kept(struct kept *kept)
{
    while (kept->count > 0)
        free(kept->data[--kept->count]);
}

#define SLICE     "100"
#define SLICE_MAX (2 * 100 * 64 * 22 + 1000)

/* A gathered message in one piece. */
static void read_slice(const struct sl_frame *frame, struct sl_pointcloud2 *ret_cloud)
{
    static uint8_t body[SLICE_MAX];
    size_t size = 0;
    assert_null(frame->body);
    for (unsigned i = 0; i < frame->range_count; i++) {
        assert_true(size + frame->range[i].length <= sizeof body);
        memcpy(body + size, frame->range[i].start, frame->range[i].length);
        size += frame->range[i].length;
    }
    assert_int_equal(size, frame->body_length);
    assert_int_equal(sl_pointcloud2_read(body, size, ret_cloud), 0);
    assert_int_equal(sl_frame_check(frame), 0);
}

/* The same but for the time: the two runs began at different parts of a microsecond. */
static void compare_points(const uint8_t *one, const uint8_t *other, unsigned count)
{
    for (; count > 0; count--, one += 22, other += 22) {
        float a, b;
        memcpy(&a, one + 18, 4);
        memcpy(&b, other + 18, 4);
        assert_memory_equal(one, other, 18);
        assert_true(fabsf(a - b) < 3e-6f);
    }
}

/* Every slice against the whole turns of another run. */
static unsigned compare_slices(struct driver *driver, const struct kept *whole, unsigned rings,
                               unsigned returns)
{
    const size_t row_bytes = rings * 22;
    struct sl_subscriber *subscriber = subscribe(POINTS_TOPIC, SL_LOSSLESS);
    struct sl_pointcloud2 slice;
    struct sl_frame frame;
    unsigned turn = 0, row = 0, slices = 0;
    uint64_t stamp_ns = 0;
    await_publisher(subscriber);
    for (; next_frame(subscriber, &frame); slices++) {
        read_slice(&frame, &slice);
        assert_int_equal(slice.width, rings);
        if (stamp_ns != 0 && frame.stamp_ns != stamp_ns) {
            turn++;
            row = 0;
        }
        stamp_ns = frame.stamp_ns;
        assert_true(turn < whole->count);
        unsigned rows = whole->size[turn] / (unsigned)row_bytes / returns,
                 columns = slice.height / returns;
        assert_true(columns > 0 && columns <= strtoul(SLICE, NULL, 10) && row + columns <= rows);
        for (unsigned i = 0; i < returns; i++)
            compare_points(slice.data + i * columns * row_bytes,
                           whole->data[turn] + (i * rows + row) * row_bytes, columns * rings);
        row += columns;
        if (returns == 1 && columns < strtoul(SLICE, NULL, 10))
            assert_int_equal(row, rows); /* only a turn's last one is shorter */
        sl_frame_release(&frame);
    }
    assert_int_equal(turn + 1, whole->count);
    sl_subscriber_close(subscriber);
    assert_int_equal(driver_finish(driver), 0);
    return slices;
}

/* Whole turns of whatever sensor. */
static void keep_all(struct driver *driver, struct kept *kept)
{
    struct sl_subscriber *subscriber = subscribe(POINTS_TOPIC, SL_LOSSLESS);
    struct sl_pointcloud2 cloud;
    struct sl_frame frame;
    await_publisher(subscriber);
    while (next_frame(subscriber, &frame)) {
        assert_int_equal(sl_pointcloud2_read(frame.body, frame.body_length, &cloud), 0);
        keep(kept, &frame, &cloud);
        sl_frame_release(&frame);
    }
    sl_subscriber_close(subscriber);
    assert_int_equal(driver_finish(driver), 0);
}

static void slices_of_a_turn_make_up_the_turn(void **state)
{
    static const struct {
        const char *model, *mode;
        unsigned rings, returns, turns, slices;
    } cases[] = {
        {"--sim-model=vlp-16", "--sim-return=strongest", 16, 1, SIM_FRAMES, 203},
        {"--sim-model=vlp-16", "--sim-return=dual", 16, 2, 6, 102},
        {"--sim-counterclockwise", "--sim-return=dual", 16, 2, 6, 102},
        {"--sim-model=os1-64", "--sim-return=strongest", 64, 1, 4, 44},
        {"--sim-model=os1-64", "--sim-return=dual", 64, 2, 4, 44},
    };
    struct driving *d = *state;
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct kept whole = {0};
        const char *packets = cases[i].rings == 64 ? "--sim-packets=224" : "--sim-packets=800";
        DRIVE(&d->driver[0], SIM_ARGS, packets, LOSSLESS_ARGS, cases[i].model, cases[i].mode);
        keep_all(&d->driver[0], &whole);
        assert_int_equal(whole.count, cases[i].turns);
        DRIVE(&d->driver[0], SIM_ARGS, packets, LOSSLESS_ARGS, cases[i].model, cases[i].mode,
              "--slice-columns=" SLICE);
        unsigned slices = compare_slices(&d->driver[0], &whole, cases[i].rings, cases[i].returns);
        assert_in_range(slices, cases[i].slices - 8, cases[i].slices + 8);
        driver_said(&d->driver[0], "lost: nothing");
        free_kept(&whole);
    }
    domain_is_empty(d);
}

/* In real time: a turn takes 100 ms. */
static void a_slice_is_there_before_its_turn_is_over(void **state)
{
    struct driving *d = *state;
    struct sl_frame frame;
    uint64_t stamp_ns = 0, first_ns = 0, most_ns = 0;
    DRIVE(&d->driver[0], "--source=sim", "--sim-packets=300", LOSSLESS_ARGS,
          "--slice-columns=" SLICE);
    struct sl_subscriber *subscriber = subscribe(POINTS_TOPIC, SL_LOSSLESS);
    await_publisher(subscriber);
    while (next_frame(subscriber, &frame)) {
        if (frame.stamp_ns != stamp_ns)
            first_ns = frame.publish_ns;
        stamp_ns = frame.stamp_ns;
        if (frame.publish_ns - first_ns > most_ns)
            most_ns = frame.publish_ns - first_ns;
        sl_frame_release(&frame);
    }
    assert_true(most_ns > 30000000);
    sl_subscriber_close(subscriber);
    assert_int_equal(driver_finish(&d->driver[0]), 0);
    DRIVE(&d->driver[0], "--source=sim", "--model=mid-360", "--slice-columns=64");
    assert_int_equal(driver_finish(&d->driver[0]), 1);
    driver_said(&d->driver[0], "option --slice-columns: a Livox has no columns");
}

static struct cloud_point kept_point(const struct kept *kept, unsigned frame, unsigned at)
{
    const struct sl_pointcloud2 cloud = {
        .data = kept->data[frame], .point_step = 22, .row_step = 16 * 22};
    return cloud_point(&cloud, at / 16, at % 16);
}

static void extrinsics_move_and_turn_every_point(void **state)
{
    struct driving *d = *state;
    struct kept plain = {0}, moved = {0};
    DRIVE(&d->driver[0], SIM_ARGS, LOSSLESS_ARGS);
    all_frames(&d->driver[0], 1, keep, &plain);
    DRIVE(&d->driver[0], SIM_ARGS, LOSSLESS_ARGS, "--x=1", "--y=-2", "--z=0.5", "--roll=90",
          "--yaw=90");
    all_frames(&d->driver[0], 1, keep, &moved);
    assert_int_equal(plain.count, moved.count);
    for (unsigned frame = 0; frame < plain.count; frame++) {
        assert_int_equal(plain.size[frame], moved.size[frame]);
        for (unsigned at = 0; at < plain.size[frame] / 22; at++) {
            struct cloud_point p = kept_point(&plain, frame, at);
            struct cloud_point q = kept_point(&moved, frame, at);
            /* roll by 90: (x, -z, y); then yaw by 90: (z, x, y) */
            assert_true(fabsf(q.x - (p.z + 1)) < 1e-4f);
            assert_true(fabsf(q.y - (p.x - 2)) < 1e-4f);
            assert_true(fabsf(q.z - (p.y + 0.5f)) < 1e-4f);
        }
    }
    free_kept(&plain);
    free_kept(&moved);
}

static void look_for_far_points(void *context, const struct sl_frame *frame,
                                const struct sl_pointcloud2 *cloud)
{
    unsigned *holes = context;
    (void)frame;
    assert_true(sl_text_is(cloud->frame_id, "roof"));
    for (uint32_t row = 0; row < cloud->height; row++)
        for (uint32_t ring = 0; ring < 16; ring++) {
            struct cloud_point p = cloud_point(cloud, row, ring);
            float range = sqrtf(p.x * p.x + p.y * p.y + p.z * p.z);
            *holes += isnan(range);
            assert_true(isnan(range) || (range > 1.999f && range < 4.001f));
        }
}

static void points_out_of_range_are_holes_and_the_frame_has_its_name(void **state)
{
    struct driving *d = *state;
    unsigned holes = 0;
    DRIVE(&d->driver[0], SIM_ARGS, LOSSLESS_ARGS, "--min-range=2", "--max-range=4",
          "--frame-id=roof");
    all_frames(&d->driver[0], 1, look_for_far_points, &holes);
    assert_true(holes > 0);
}

/* Packets back to points. */

static int open_room(void *context, struct lidar_frame_room *ret_room)
{
    (void)context;
    ret_room->capacity_bytes = 4u << 20;
    ret_room->data = ret_room->handle = aligned_alloc(4096, ret_room->capacity_bytes);
    return 0;
}

static void close_room(void *context, void *handle, const struct lidar_frame_info *info)
{
    keep_bytes(context, handle, info->size_bytes);
    free(handle);
}

static void discard_room(void *context, void *handle)
{
    (void)context;
    free(handle);
}

static void push_scan(struct lidar_decoder *decoder, const struct sl_frame *frame,
                      uint64_t *last_ns, unsigned *packets)
{
    struct sl_velodyne_scan scan;
    if (sl_velodyne_scan_read(frame->body, frame->body_length, &scan) < 0)
        fail_msg("%s", sl_error_text());
    assert_true(sl_text_is(scan.frame_id, "lidar"));
    assert_true(scan.packet_count > 0);
    assert_true((uint64_t)scan.stamp_ns == frame->stamp_ns);
    for (uint32_t i = 0; i < scan.packet_count; i++) {
        struct sl_velodyne_packet packet = sl_velodyne_scan_packet(&scan, i);
        const struct sl_datagram datagram = {.bytes = packet.bytes,
                                             .size_bytes = SL_VELODYNE_PACKET_SIZE,
                                             .time_ns = (uint64_t)packet.stamp_ns};
        assert_true(datagram.time_ns > *last_ns);
        if (i == 0)
            assert_true(packet.stamp_ns == scan.stamp_ns);
        *last_ns = datagram.time_ns;
        assert_int_equal(lidar_decoder_push(decoder, &datagram), 0);
        *packets += 1;
    }
}

static void packets_decoded_again_give_the_same_points(void **state)
{
    struct driving *d = *state;
    struct sl_subscriber *scans = subscribe(PACKETS_TOPIC, SL_LOSSLESS);
    struct kept points = {0}, again = {0};
    struct lidar_decoder *decoder = NULL;
    const struct lidar_frame_sink sink = {&again, open_room, close_room, discard_room, NULL};
    struct sl_frame frame;
    uint64_t last_ns = 0;
    unsigned scan_count = 0, packets = 0;
    DRIVE(&d->driver[0], SIM_ARGS, LOSSLESS_ARGS, "--quota=32", "--slots=40");
    await_publisher(scans);
    all_frames(&d->driver[0], 1, keep, &points);
    assert_int_equal(lidar_decoder_create(&(struct lidar_decoder_config){0}, &sink, &decoder), 0);
    while (next_frame(scans, &frame)) {
        assert_int_equal(frame.seq, ++scan_count);
        push_scan(decoder, &frame, &last_ns, &packets);
        /* as many frames as scans: the packet with the cut is the scan's last one */
        assert_int_equal(again.count, scan_count == SIM_FRAMES ? SIM_FRAMES - 1 : scan_count);
        assert_int_equal(frame.flags & SL_MESSAGE_PARTIAL,
                         scan_count == 1 || scan_count == SIM_FRAMES ? SL_MESSAGE_PARTIAL : 0);
        sl_frame_release(&frame);
    }
    assert_int_equal(lidar_decoder_flush(decoder), 0);
    assert_int_equal(packets, 800);
    assert_int_equal(scan_count, SIM_FRAMES);
    assert_int_equal(again.count, points.count);
    for (unsigned i = 0; i < points.count; i++) {
        assert_int_equal(again.size[i], points.size[i]);
        assert_memory_equal(again.data[i], points.data[i], points.size[i]);
    }
    lidar_decoder_destroy(decoder);
    sl_subscriber_close(scans);
    free_kept(&points);
    free_kept(&again);
    domain_is_empty(d);
}

static void without_packets_there_is_no_such_topic(void **state)
{
    struct driving *d = *state;
    DRIVE(&d->driver[0], "--source=sim", "--no-packets", "--name=front", "--remap=points:=/cloud");
    driver_wait_ready(&d->driver[0]);
    struct sl_subscriber *scans = subscribe("/front/packets", SL_LATEST);
    struct sl_subscriber *points = subscribe("/cloud", SL_LATEST);
    struct sl_subscriber_status status;
    struct sl_frame frame;
    await_publisher(points);
    assert_true(next_frame(points, &frame));
    sl_frame_release(&frame);
    assert_int_equal(sl_subscriber_status(scans, &status), 0);
    assert_int_equal(status.publishers, 0);
    sl_subscriber_close(scans);
    sl_subscriber_close(points);
    kill(d->driver[0].pid, SIGTERM);
    assert_int_equal(driver_finish(&d->driver[0]), 0);
    domain_is_empty(d);
}

static void frames_without_a_slot_are_counted_and_packets_go_on(void **state)
{
    struct driving *d = *state;
    struct sl_subscriber *points = subscribe(POINTS_TOPIC, SL_KEEP_LAST);
    struct sl_frame held[4];
    DRIVE(&d->driver[0], "--source=sim", "--rate=0",
          SLUICE_EMULATED ? "--sim-packets=1000" : "--sim-packets=8000", "--slots=4",
          "--wait-for-subscribers=1");
    await_publisher(points);
    unsigned count = 0;
    while (count < 4 && next_frame(points, &held[count]))
        count++;
    assert_int_equal(driver_finish(&d->driver[0]), 0);
    const char *dropped = strstr(d->driver[0].text, "frames_dropped");
    assert_non_null(dropped);
    assert_null(strstr(d->driver[0].text, "scans_dropped"));
    while (count > 0)
        sl_frame_release(&held[--count]);
    sl_subscriber_close(points);
    domain_is_empty(d);
}

/* As the launcher does for a child that was killed. */
static void sweep(pid_t pid)
{
    struct sl_domain domain;
    assert_int_equal(sl_domain_open(NULL, false, &domain), 0);
    sl_domain_sweep(&domain, pid);
    sl_domain_close(&domain);
}

static void killed_driver_leaves_held_frames_and_its_successor_goes_on(void **state)
{
    struct driving *d = *state;
    struct sl_subscriber *points = subscribe(POINTS_TOPIC, SL_KEEP_LAST);
    struct sl_pointcloud2 cloud;
    struct sl_frame held, frame;
    DRIVE(&d->driver[0], "--source=sim", "--sim-rpm=1200");
    await_publisher(points);
    assert_true(next_frame(points, &held));
    pid_t killed = d->driver[0].pid;
    uint8_t *copy = malloc(held.body_length);
    memcpy(copy, held.body, held.body_length);
    kill(d->driver[0].pid, SIGKILL);
    assert_int_equal(driver_finish(&d->driver[0]), 256 + SIGKILL);
    DRIVE(&d->driver[1], "--source=sim", "--sim-rpm=1200");
    for (unsigned taken = 0; taken < 5;) {
        if (!next_frame(points, &frame)) { /* until the successor is found */
            await_publisher(points);
            continue;
        }
        read_cloud(&frame, 1, &cloud);
        taken += frame.instance != held.instance;
        sl_frame_release(&frame);
    }
    assert_memory_equal(copy, held.body, held.body_length);
    assert_int_equal(sl_frame_check(&held), 0);
    sl_frame_release(&held);
    sl_subscriber_close(points);
    free(copy);
    kill(d->driver[1].pid, SIGTERM);
    assert_int_equal(driver_finish(&d->driver[1]), 0);
    driver_said(&d->driver[1], "lost: nothing");
    sweep(killed);
    domain_is_empty(d);
}

static void each_signal_ends_it_in_order(void **state)
{
    struct driving *d = *state;
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
    for (unsigned i = 0; i < 3; i++) {
        /* in the middle of work: it never waits */
        DRIVE(&d->driver[0], "--source=sim", "--rate=0");
        driver_wait_ready(&d->driver[0]);
        kill(d->driver[0].pid, signals[i]);
        assert_int_equal(driver_finish(&d->driver[0]), 0);
        domain_is_empty(d);
    }
    /* waiting for a slot that does not come */
    struct sl_subscriber *points = subscribe(POINTS_TOPIC, SL_LOSSLESS);
    struct sl_frame frame;
    DRIVE(&d->driver[0], "--source=sim", "--rate=0", "--block", "--slots=3",
          "--lossless-timeout=1000s", "--wait-for-subscribers=1");
    await_publisher(points);
    assert_true(next_frame(points, &frame));
    kill(d->driver[0].pid, SIGTERM);
    assert_int_equal(driver_finish(&d->driver[0]), 0);
    sl_frame_release(&frame);
    sl_subscriber_close(points);
    domain_is_empty(d);
}

static void frames_that_are_kept_too_long_are_taken_back(void **state)
{
    struct driving *d = *state;
    struct sl_subscriber *points = subscribe(POINTS_TOPIC, SL_KEEP_LAST);
    struct sl_frame frame[4];
    DRIVE(&d->driver[0], "--source=sim", "--rate=0", "--slots=3", "--lease=10ms");
    await_publisher(points);
    for (int i = 0; i < 4; i++)
        assert_true(next_frame(points, &frame[i]));
    assert_int_equal(sl_frame_check(&frame[0]), -ESTALE);
    for (int i = 0; i < 4; i++)
        sl_frame_release(&frame[i]);
    kill(d->driver[0].pid, SIGTERM);
    assert_int_equal(driver_finish(&d->driver[0]), 0);
    sl_subscriber_close(points);
}

static void capture_shows_its_progress_on_a_terminal_only(void **state)
{
    struct driving *d = *state;
    struct driver *driver = &d->driver[0];
    char path[128], option[160];
    struct lidar_sim_capture_config config = {.duration_ns = 1000000000};
    lidar_sim_config_default(&config.sim);
    snprintf(path, sizeof path, "%s/sim.pcap", d->root);
    snprintf(option, sizeof option, "--capture=%s", path);
    assert_int_equal(lidar_sim_capture(&config, path, NULL), 0);
    driver_start_on_terminal(driver, (const char *const[]){option, "--rate=2", NULL});
    assert_int_equal(driver_finish(driver), 0);
    driver_said(driver, "%  0.");
    driver_said(driver, " frames");
    driver_said(driver, "\033[Klidar: 10 frames (1 partial)"); /* the line gave way */
    DRIVE(driver, option, "--rate=2");
    assert_int_equal(driver_finish(driver), 0);
    assert_null(strchr(driver->text, '\033'));
    assert_null(strchr(driver->text, '%'));
}

static void every_model_can_be_chosen_by_name(void **state)
{
    (void)state;
    unsigned models = 0, choices = 1; /* after auto */
    for (unsigned i = 0; velodyne_models[i]; i++)
        models++;
    for (unsigned i = 0; hesai_models[i]; i++)
        models++;
    for (unsigned i = 0; robosense_models[i]; i++)
        models++;
    for (unsigned i = 0; livox_models[i]; i++)
        models++;
    for (; lidar_model_choices[choices]; choices++) {
        const char *name = lidar_model_choices[choices];
        assert_true(velodyne_model_find(name) || hesai_model_find(name) ||
                    robosense_model_find(name) || livox_model_find(name));
    }
    assert_int_equal(choices - 1, models);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, driving_setup, driving_teardown)
        TEST(simulated_turns_arrive_whole_and_in_place),
        TEST(turns_the_other_way_arrive_whole_and_in_place),
        TEST(what_points_are_made_by_can_be_chosen_and_is_told),
        TEST(the_source_of_stamps_is_told),
        TEST(stamps_of_a_clock_that_ptp_sets_say_so),
        TEST(a_ring_or_a_band_is_published_as_a_scan),
        TEST(slices_of_a_turn_make_up_the_turn),
        TEST(a_slice_is_there_before_its_turn_is_over),
        TEST(second_returns_are_the_second_half_of_the_rows),
        TEST(what_is_filtered_is_a_hole_and_counted),
        TEST(extrinsics_move_and_turn_every_point),
        TEST(points_out_of_range_are_holes_and_the_frame_has_its_name),
        TEST(packets_decoded_again_give_the_same_points),
        TEST(without_packets_there_is_no_such_topic),
        TEST(frames_without_a_slot_are_counted_and_packets_go_on),
        TEST(killed_driver_leaves_held_frames_and_its_successor_goes_on),
        TEST(frames_that_are_kept_too_long_are_taken_back),
        TEST(each_signal_ends_it_in_order),
        TEST(capture_shows_its_progress_on_a_terminal_only),
        TEST(every_model_can_be_chosen_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
