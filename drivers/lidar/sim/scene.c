/* SPDX-License-Identifier: Apache-2.0 */
/* scene.c - slab tests: a ray meets an axis-aligned box where the three intervals overlap in which
 * it is between the box's pairs of planes (Kay and Kajiya, 1986). */
#include "drivers/lidar/sim/scene.h"

#include <math.h>
#include <stdbool.h>

#define PATTERN_PER_METRE   2.0 /* squares of half a metre on the room's faces */
#define STRIPES_PER_METRE   5.0 /* and stripes on the boxes */
#define STRIPE_REFLECTIVITY 24u

static const uint8_t room_reflectivity[LIDAR_SCENE_FACES][2] = {
    {40, 90}, {44, 96}, {36, 84}, {48, 102}, {12, 30}, {60, 66},
};

void lidar_scene_default(struct lidar_scene *ret_scene)
{
    *ret_scene = (struct lidar_scene){
        .room_min = {-6.0, -4.0, -1.2},
        .room_max = {8.0, 5.0, 1.8},
        .box_count = 5,
        .boxes =
            {
                {.centre = {4.5, 0, -0.35},
                 .half = {0.25, 0.3, 0.85},
                 .swing = {0, 2.5, 0},
                 .period_s = 8,
                 .opacity = 1,
                 .reflectivity = 110},
                {.centre = {-3.5, -1.0, -0.4},
                 .half = {0.3, 0.25, 0.8},
                 .swing = {1.2, 0, 0},
                 .period_s = 5,
                 .phase = 0.3,
                 .opacity = 1,
                 .reflectivity = 70},
                {.centre = {0, 0, -0.8},
                 .half = {0.3, 0.3, 0.4},
                 .swing = {0, 2.2, 0},
                 .sway = {2.2, 0, 0},
                 .period_s = 12,
                 .phase = 0.5,
                 .opacity = 1,
                 .reflectivity = 180},
                {.centre = {1.5, 3.5, 0.3},
                 .half = {0.2, 0.2, 1.5},
                 .opacity = 1,
                 .reflectivity = 140},
                {.centre = {-1.5, -3.0, 0.0},
                 .half = {1.0, 0.02, 1.1},
                 .swing = {0.3, 0, 0},
                 .period_s = 6,
                 .opacity = 0.5,
                 .reflectivity = 90},
            },
    };
}

void lidar_scene_at(const struct lidar_scene *scene, double time_s,
                    struct lidar_scene_pose *ret_pose)
{
    ret_pose->scene = scene;
    for (unsigned i = 0; i < scene->box_count; i++) {
        const struct lidar_scene_box *box = &scene->boxes[i];
        struct lidar_scene_vector at = box->centre;
        if (box->period_s > 0) {
            double angle = 2 * M_PI * (time_s / box->period_s + box->phase);
            double sine = sin(angle), cosine = cos(angle);
            at.x += box->swing.x * sine + box->sway.x * cosine;
            at.y += box->swing.y * sine + box->sway.y * cosine;
            at.z += box->swing.z * sine + box->sway.z * cosine;
        }
        ret_pose->min[i] =
            (struct lidar_scene_vector){at.x - box->half.x, at.y - box->half.y, at.z - box->half.z};
        ret_pose->max[i] =
            (struct lidar_scene_vector){at.x + box->half.x, at.y + box->half.y, at.z + box->half.z};
    }
}

/* A ray prepared for many boxes. 1/0 is infinity, and the comparisons below then do what is right,
 * except for a ray that runs exactly within a plane: such rays are nudged. */
struct ray {
    double origin[3];
    double inverse[3];
};

static void axis_ray(struct ray *ray, unsigned axis, double origin, double direction)
{
    const double hardly = 1e-12;
    ray->origin[axis] = origin;
    ray->inverse[axis] = 1.0 / (fabs(direction) < hardly ? copysign(hardly, direction) : direction);
}

struct span {
    double enter, leave;
    unsigned enter_axis, leave_axis;
};

static struct span cross(const struct ray *ray, const struct lidar_scene_vector *min,
                         const struct lidar_scene_vector *max)
{
    const double low[3] = {min->x, min->y, min->z}, high[3] = {max->x, max->y, max->z};
    struct span span = {.enter = -INFINITY, .leave = INFINITY};
    for (unsigned axis = 0; axis < 3; axis++) {
        bool forward = ray->inverse[axis] > 0;
        double near = ((forward ? low[axis] : high[axis]) - ray->origin[axis]) * ray->inverse[axis];
        double far = ((forward ? high[axis] : low[axis]) - ray->origin[axis]) * ray->inverse[axis];
        if (near > span.enter) {
            span.enter = near;
            span.enter_axis = axis;
        }
        if (far < span.leave) {
            span.leave = far;
            span.leave_axis = axis;
        }
    }
    return span;
}

/* A surface that a ray may tell of, before it is known what stands in front of it. */
struct candidate {
    double distance;
    unsigned face; /* of its box or of the room */
    unsigned box;  /* LIDAR_SCENE_BOXES_MAX = the room */
};

/* Nearest opaque surface, and the translucent boxes met, nearest first. Returns their number, or -1
 * if the ray starts outside the room and misses it. */
static int look(const struct lidar_scene_pose *pose, const struct ray *ray,
                struct candidate *ret_opaque, struct candidate *translucent)
{
    const struct lidar_scene *scene = pose->scene;
    struct span room = cross(ray, &scene->room_min, &scene->room_max);
    if (!(room.enter < room.leave && room.leave > 0))
        return -1;
    *ret_opaque =
        (struct candidate){room.leave, 2 * room.leave_axis + (ray->inverse[room.leave_axis] > 0),
                           LIDAR_SCENE_BOXES_MAX};
    int count = 0;
    for (unsigned i = 0; i < scene->box_count; i++) {
        struct span span = cross(ray, &pose->min[i], &pose->max[i]);
        if (!(span.enter < span.leave) || span.enter <= 0 || span.enter >= ret_opaque->distance)
            continue;
        struct candidate met = {span.enter,
                                2 * span.enter_axis + (ray->inverse[span.enter_axis] < 0), i};
        if (scene->boxes[i].opacity >= 1) {
            *ret_opaque = met;
            continue;
        }
        int at = count++;
        for (; at > 0 && translucent[at - 1].distance > met.distance; at--)
            translucent[at] = translucent[at - 1];
        translucent[at] = met;
    }
    return count;
}

static uint8_t reflectivity(const struct lidar_scene *scene, const struct candidate *met,
                            const double point[3])
{
    const unsigned across = met->face / 2; /* the axis that the face stands upright on */
    const double u = point[across == 0 ? 1 : 0], v = point[across == 2 ? 1 : 2];
    if (met->box == LIDAR_SCENE_BOXES_MAX) {
        long squares = (long)floor(u * PATTERN_PER_METRE) + (long)floor(v * PATTERN_PER_METRE);
        return room_reflectivity[met->face][squares & 1];
    }
    bool striped = (long)floor(v * STRIPES_PER_METRE) & 1;
    uint8_t base = scene->boxes[met->box].reflectivity;
    return striped && base > STRIPE_REFLECTIVITY ? (uint8_t)(base - STRIPE_REFLECTIVITY) : base;
}

unsigned lidar_scene_cast(const struct lidar_scene_pose *pose, struct lidar_scene_vector origin,
                          struct lidar_scene_vector direction,
                          struct lidar_scene_hit hits[LIDAR_SCENE_RETURNS_MAX])
{
    const struct lidar_scene *scene = pose->scene;
    if (direction.x == 0 && direction.y == 0 && direction.z == 0)
        return 0;
    struct ray ray;
    axis_ray(&ray, 0, origin.x, direction.x);
    axis_ray(&ray, 1, origin.y, direction.y);
    axis_ray(&ray, 2, origin.z, direction.z);

    struct candidate opaque, translucent[LIDAR_SCENE_BOXES_MAX];
    int translucent_count = look(pose, &ray, &opaque, translucent);
    if (translucent_count < 0)
        return 0;

    double light = 1;
    unsigned count = 0;
    for (int i = 0; i <= translucent_count; i++) {
        bool behind = i < translucent_count && translucent[i].distance < opaque.distance;
        bool full = count == LIDAR_SCENE_RETURNS_MAX - 1;
        const struct candidate *met = behind && !full ? &translucent[i] : &opaque;
        const double d = met->distance;
        const double point[3] = {origin.x + d * direction.x, origin.y + d * direction.y,
                                 origin.z + d * direction.z};
        double share = met == &opaque ? 1 : scene->boxes[met->box].opacity;
        hits[count++] = (struct lidar_scene_hit){
            .distance_m = d,
            .surface = met->box == LIDAR_SCENE_BOXES_MAX
                           ? met->face
                           : LIDAR_SCENE_FACES * (1 + met->box) + met->face,
            .intensity = (uint8_t)lround(light * share * reflectivity(scene, met, point)),
        };
        if (met == &opaque)
            break;
        light *= 1 - share;
    }
    return count;
}

static double outside(double low, double high, double at)
{
    return at < low ? low - at : at > high ? at - high : 0;
}

/* From a point to the shell of a box, from either side. */
static double to_shell(const struct lidar_scene_vector *min, const struct lidar_scene_vector *max,
                       const struct lidar_scene_vector *point)
{
    double dx = outside(min->x, max->x, point->x);
    double dy = outside(min->y, max->y, point->y);
    double dz = outside(min->z, max->z, point->z);
    if (dx > 0 || dy > 0 || dz > 0)
        return sqrt(dx * dx + dy * dy + dz * dz);
    double nearest = fmin(point->x - min->x, max->x - point->x);
    nearest = fmin(nearest, fmin(point->y - min->y, max->y - point->y));
    return fmin(nearest, fmin(point->z - min->z, max->z - point->z));
}

double lidar_scene_distance_to_surface(const struct lidar_scene *scene,
                                       struct lidar_scene_vector point, double time_s)
{
    struct lidar_scene_pose pose;
    lidar_scene_at(scene, time_s, &pose);
    double nearest = to_shell(&scene->room_min, &scene->room_max, &point);
    for (unsigned i = 0; i < scene->box_count; i++)
        nearest = fmin(nearest, to_shell(&pose.min[i], &pose.max[i], &point));
    return nearest;
}
