/* SPDX-License-Identifier: Apache-2.0 */
/* The scene's rays against a slower and different way to the same answer: every face of every box
 * is a rectangle in a plane, and each is asked alone. */
#include "drivers/lidar/sim/scene.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define RAYS     20000
#define HITS_MAX 64

static uint64_t random_state = 12345;

static double uniform(void)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(random_state >> 11) / 9007199254740992.0;
}

struct brute_hit {
    double distance;
    unsigned surface;
    double opacity;
};

/* Distance to one rectangle: the plane's equation first, then the two other coordinates. */
static double to_face(const double low[3], const double high[3], unsigned face, const double o[3],
                      const double d[3])
{
    unsigned axis = face / 2, u = (axis + 1) % 3, v = (axis + 2) % 3;
    double plane = face % 2 ? high[axis] : low[axis];
    if (d[axis] == 0)
        return -1;
    double t = (plane - o[axis]) / d[axis];
    double at_u = o[u] + t * d[u], at_v = o[v] + t * d[v];
    if (t <= 0 || at_u < low[u] || at_u > high[u] || at_v < low[v] || at_v > high[v])
        return -1;
    return t;
}

static int by_distance(const void *a, const void *b)
{
    double x = ((const struct brute_hit *)a)->distance, y = ((const struct brute_hit *)b)->distance;
    return (x > y) - (x < y);
}

/* All faces that are met from outside (boxes) or inside (room), nearest first, to the first opaque.
 */
static unsigned brute_cast(const struct lidar_scene *scene, double time_s, const double d[3],
                           struct brute_hit hits[HITS_MAX])
{
    const double o[3] = {0, 0, 0};
    unsigned count = 0;
    for (unsigned b = 0; b <= scene->box_count; b++) {
        double low[3] = {scene->room_min.x, scene->room_min.y, scene->room_min.z};
        double high[3] = {scene->room_max.x, scene->room_max.y, scene->room_max.z};
        double opacity = 1;
        if (b > 0) {
            const struct lidar_scene_box *box = &scene->boxes[b - 1];
            double a = box->period_s > 0 ? 2 * M_PI * (time_s / box->period_s + box->phase) : 0;
            double s = box->period_s > 0 ? sin(a) : 0, c = box->period_s > 0 ? cos(a) : 0;
            double middle[3] = {box->centre.x + box->swing.x * s + box->sway.x * c,
                                box->centre.y + box->swing.y * s + box->sway.y * c,
                                box->centre.z + box->swing.z * s + box->sway.z * c};
            double half[3] = {box->half.x, box->half.y, box->half.z};
            for (int i = 0; i < 3; i++) {
                low[i] = middle[i] - half[i];
                high[i] = middle[i] + half[i];
            }
            opacity = box->opacity;
        }
        /* Of a box the nearest face counts: that is where the ray goes in. */
        struct brute_hit nearest = {.distance = INFINITY};
        for (unsigned face = 0; face < 6; face++) {
            double t = to_face(low, high, face, o, d);
            if (t > 0 && t < nearest.distance)
                nearest = (struct brute_hit){t, 6 * b + face, opacity};
        }
        if (nearest.distance < INFINITY)
            hits[count++] = nearest;
    }
    qsort(hits, count, sizeof *hits, by_distance);
    for (unsigned i = 0; i < count; i++)
        if (hits[i].opacity >= 1)
            return i + 1;
    return count;
}

static void every_ray_meets_what_a_face_by_face_search_finds(void **state)
{
    (void)state;
    struct lidar_scene scene;
    lidar_scene_default(&scene);
    unsigned multiple = 0;
    for (int i = 0; i < RAYS; i++) {
        double time_s = 100 * uniform(), z = 2 * uniform() - 1, turn = 2 * M_PI * uniform();
        double d[3] = {sqrt(1 - z * z) * cos(turn), sqrt(1 - z * z) * sin(turn), z};
        struct lidar_scene_pose pose;
        struct lidar_scene_hit hits[LIDAR_SCENE_RETURNS_MAX];
        lidar_scene_at(&scene, time_s, &pose);
        unsigned count = lidar_scene_cast(&pose, (struct lidar_scene_vector){0, 0, 0},
                                          (struct lidar_scene_vector){d[0], d[1], d[2]}, hits);
        struct brute_hit expected[HITS_MAX];
        assert_int_equal(count, brute_cast(&scene, time_s, d, expected));
        for (unsigned h = 0; h < count; h++) {
            assert_true(fabs(hits[h].distance_m - expected[h].distance) < 1e-9);
            assert_int_equal(hits[h].surface, expected[h].surface);
            double r = hits[h].distance_m;
            struct lidar_scene_vector point = {r * d[0], r * d[1], r * d[2]};
            assert_true(lidar_scene_distance_to_surface(&scene, point, time_s) < 1e-9);
        }
        multiple += count > 1;
    }
    assert_true(multiple > RAYS / 200); /* the curtain was looked through */
}

static void light_that_a_curtain_lets_through_comes_back_from_behind(void **state)
{
    (void)state;
    struct lidar_scene scene = {
        .room_min = {-10, -10, -10},
        .room_max = {10, 10, 10},
        .box_count = 1,
        .boxes =
            {{.centre = {5, 0, 0.05}, .half = {1, 2, 2}, .opacity = 0.25, .reflectivity = 100}},
    };
    struct lidar_scene_pose pose;
    struct lidar_scene_hit hits[LIDAR_SCENE_RETURNS_MAX];
    lidar_scene_at(&scene, 0, &pose);
    struct lidar_scene_vector origin = {0, 0.1, 0.1};
    assert_int_equal(lidar_scene_cast(&pose, origin, (struct lidar_scene_vector){1, 0, 0}, hits),
                     2);
    assert_true(hits[0].distance_m == 4);
    assert_int_equal(hits[0].surface, 6 + 0); /* first box, -x face */
    assert_int_equal(hits[0].intensity, 25);
    assert_true(hits[1].distance_m == 10);
    assert_int_equal(hits[1].surface, 1);    /* the room's +x face */
    assert_int_equal(hits[1].intensity, 33); /* 44 on this square, three quarters of the light */
}

static void more_curtains_than_returns_still_end_at_the_wall(void **state)
{
    (void)state;
    struct lidar_scene scene = {
        .room_min = {-10, -10, -10}, .room_max = {10, 10, 10}, .box_count = 6};
    for (unsigned i = 0; i < 6; i++)
        scene.boxes[i] = (struct lidar_scene_box){
            .centre = {7.0 - i, 0, 0}, .half = {0.1, 2, 2}, .opacity = 0.1, .reflectivity = 100};
    struct lidar_scene_pose pose;
    struct lidar_scene_hit hits[LIDAR_SCENE_RETURNS_MAX];
    lidar_scene_at(&scene, 0, &pose);
    unsigned count = lidar_scene_cast(&pose, (struct lidar_scene_vector){0, 0.1, 0.1},
                                      (struct lidar_scene_vector){1, 0, 0}, hits);
    assert_int_equal(count, LIDAR_SCENE_RETURNS_MAX);
    assert_true(fabs(hits[0].distance_m - 1.9) < 1e-12);
    assert_true(fabs(hits[1].distance_m - 2.9) < 1e-12);
    assert_true(fabs(hits[2].distance_m - 3.9) < 1e-12);
    assert_int_equal(hits[3].surface, 1);
}

static void distance_to_surface_is_known_at_hand_picked_points(void **state)
{
    (void)state;
    struct lidar_scene scene = {
        .room_min = {-10, -10, -10},
        .room_max = {10, 10, 10},
        .box_count = 1,
        .boxes = {{.centre = {3, 0, 0}, .half = {1, 1, 1}, .swing = {0, 4, 0}, .period_s = 8}},
    };
    struct lidar_scene_vector middle = {0, 0, 0}, inside = {3, 0, 0.75}, corner = {5, 4, 1};
    assert_true(lidar_scene_distance_to_surface(&scene, middle, 0) == 2); /* box's -x face at 2 */
    assert_true(lidar_scene_distance_to_surface(&scene, inside, 0) == 0.25);
    /* A quarter of the period later the box is 4 m to the left, 2..4 and 3..5 and -1..1. */
    assert_true(fabs(lidar_scene_distance_to_surface(&scene, corner, 2) - 1) < 1e-12);
    assert_true(fabs(lidar_scene_distance_to_surface(&scene, corner, 0) - sqrt(1 + 9)) < 1e-12);
    struct lidar_scene_vector outside = {13, 14, 0};
    assert_true(lidar_scene_distance_to_surface(&scene, outside, 0) == 5); /* 3-4-5 to the edge */
}

static void nothing_in_the_default_room_comes_near_the_sensor(void **state)
{
    (void)state;
    struct lidar_scene scene;
    lidar_scene_default(&scene);
    for (double t = 0; t < 240; t += 0.01)
        assert_true(lidar_scene_distance_to_surface(&scene, (struct lidar_scene_vector){0}, t) >
                    0.9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_ray_meets_what_a_face_by_face_search_finds),
        cmocka_unit_test(light_that_a_curtain_lets_through_comes_back_from_behind),
        cmocka_unit_test(more_curtains_than_returns_still_end_at_the_wall),
        cmocka_unit_test(distance_to_surface_is_known_at_hand_picked_points),
        cmocka_unit_test(nothing_in_the_default_room_comes_near_the_sensor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
