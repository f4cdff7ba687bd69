/* SPDX-License-Identifier: Apache-2.0 */
/* scene.h - a room with moving boxes, and rays through it.
 *
 * Lengths are metres, times are seconds since the simulation's start, positions are in the sensor's
 * frame as ROS has it (x ahead, y left, z up; REP-103), the sensor at the origin. Everything is
 * axis-aligned and given by formulas of time, so that a test can ask for the truth at any instant.
 *
 * Life:    plain values; nothing to free.
 * Threads: the functions write only what they return.
 * Errors:  none; a direction of length 0 gives no hit.
 */
#ifndef SL_DRIVERS_LIDAR_SIM_SCENE_H
#define SL_DRIVERS_LIDAR_SIM_SCENE_H

#include <stdint.h>

#define LIDAR_SCENE_BOXES_MAX   16
#define LIDAR_SCENE_RETURNS_MAX 4 /* surfaces that one ray tells of */

struct lidar_scene_vector {
    double x, y, z;
};

/* Surfaces are numbered: face of the room 0..5 (-x +x -y +y -z +z), of box i 6 + 6 i + 0..5. */
#define LIDAR_SCENE_FACES 6u

struct lidar_scene_box {
    struct lidar_scene_vector centre; /* of its path */
    struct lidar_scene_vector half;   /* half its size */
    /* The box's middle is centre + swing sin(a) + sway cos(a), a = 2 pi (t / period_s + phase):
     * to and fro, or an ellipse. */
    struct lidar_scene_vector swing, sway;
    double period_s; /* 0 = it stands still at its centre */
    double phase;    /* of a turn, 0..1 */
    double opacity; /* share of the light that it sends back, 0..1; 1 = nothing is seen behind it */
    uint8_t reflectivity;
};

struct lidar_scene {
    struct lidar_scene_vector room_min, room_max;
    unsigned box_count;
    struct lidar_scene_box boxes[LIDAR_SCENE_BOXES_MAX];
};

/* Where everything is at one instant. */
struct lidar_scene_pose {
    const struct lidar_scene *scene;
    struct lidar_scene_vector min[LIDAR_SCENE_BOXES_MAX], max[LIDAR_SCENE_BOXES_MAX];
};

struct lidar_scene_hit {
    double distance_m;
    unsigned surface;
    uint8_t intensity;
};

/* A room of 14 x 9 x 3 m with five boxes: two that walk, one that circles the sensor, a pillar, and
 * a curtain that half of the light goes through. Nothing ever touches the sensor. */
void lidar_scene_default(struct lidar_scene *ret_scene);

void lidar_scene_at(const struct lidar_scene *scene, double time_s,
                    struct lidar_scene_pose *ret_pose);

/* Cast a ray (`direction` of length 1) and give what it meets, nearest first, up to and with the
 * first opaque surface. Exact but for rounding. Returns the number of hits: 0 only from outside the
 * room. A box around the origin is not seen from inside. */
unsigned lidar_scene_cast(const struct lidar_scene_pose *pose, struct lidar_scene_vector origin,
                          struct lidar_scene_vector direction,
                          struct lidar_scene_hit hits[LIDAR_SCENE_RETURNS_MAX]);

/* How far a point is from the nearest surface, at one instant: what tests measure decoded points
 * by. */
double lidar_scene_distance_to_surface(const struct lidar_scene *scene,
                                       struct lidar_scene_vector point, double time_s);

#endif
