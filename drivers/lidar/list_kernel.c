/* SPDX-License-Identifier: Apache-2.0 */
/* list_kernel.c - rows, and the kernel that goes by single numbers. */
#include "drivers/lidar/list_kernel.h"

#include <math.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/uncached/stream.h"
#include "drivers/lidar/list_kernels.h"

#define TURN_MAX      LIDAR_AZIMUTH_UNITS
#define HALF_TURN_MAX (LIDAR_AZIMUTH_UNITS / 2)

const uint8_t lidar_list_stride[LIDAR_LIST_TYPES] = {14, 8, 10};

const struct lidar_list_kernel *const lidar_list_kernels[] = {
#if defined(__x86_64__)
    &lidar_list_kernel_avx2,
    &lidar_list_kernel_sse2,
#elif defined(__aarch64__)
    &lidar_list_kernel_neon,
#endif
    &lidar_list_kernel_scalar,
    NULL,
};

const struct lidar_list_kernel *lidar_list_kernel_for(enum lidar_simd simd)
{
    const struct lidar_list_kernel *const *kernel = lidar_list_kernels;
    while (!lidar_simd_allows(simd, (*kernel)->simd))
        kernel++;
    return *kernel;
}

static float quiet_nan(void)
{
    const uint32_t bits = LIDAR_NAN_BITS;
    float nan;
    memcpy(&nan, &bits, sizeof nan);
    return nan;
}

static void put_float(uint8_t *to, float value)
{
    memcpy(to, &value, sizeof value);
}

void lidar_list_init(struct lidar_list *list, const struct lidar_list_kernel *kernel,
                     const struct lidar_block_options *options, uint8_t unwanted_tags,
                     unsigned lines)
{
    memset(list, 0, sizeof *list);
    list->kernel = kernel;
    list->range_min2 = options->range_min_m * options->range_min_m;
    list->range_max2 =
        options->range_max_m > 0 ? options->range_max_m * options->range_max_m : INFINITY;
    list->unwanted_tags = unwanted_tags;
    list->has_extrinsics = options->has_extrinsics;
    lidar_filter_init(&list->filter, &options->filter,
                      options->has_extrinsics ? options->extrinsics : NULL);
    list->is_filtered = list->filter.is_active || unwanted_tags != 0 || options->range_min_m > 0 ||
                        options->range_max_m > 0;
    memcpy(list->extrinsics, options->extrinsics, sizeof list->extrinsics);
    lidar_turn_init(&list->turn);
    for (unsigned i = 0; i < LIDAR_LIST_POINTS_MAX; i++) {
        unsigned ring = i % lines;
        list->kept[i] = lidar_filter_has_ring(&options->filter, ring) ? UINT32_MAX : 0;
        sl_put_le16(list->staging + i * LIDAR_POINT_BYTES + LIDAR_POINT_RING, (uint16_t)ring);
    }
}

static void put_hole(uint8_t *point, float time_s)
{
    put_float(point + LIDAR_POINT_X, quiet_nan());
    put_float(point + LIDAR_POINT_Y, quiet_nan());
    put_float(point + LIDAR_POINT_Z, quiet_nan());
    put_float(point + LIDAR_POINT_INTENSITY, 0);
    put_float(point + LIDAR_POINT_TIME, time_s);
}

void lidar_list_decode(struct lidar_list *list, struct lidar_list_job *job, uint8_t *to,
                       unsigned width)
{
    job->valid = job->filtered = 0;
    list->kernel->decode(list, job);
    for (unsigned i = job->count; i < width; i++)
        put_hole(list->staging + i * LIDAR_POINT_BYTES, (float)(job->time_s + i * job->step_s));
    sl_stream_copy(to, list->staging, (size_t)width * LIDAR_POINT_BYTES);
}

/* The scalar kernel: columns of numbers, which a compiler can put into whatever lanes there are. */

struct columns {
    float x[LIDAR_LIST_POINTS_MAX], y[LIDAR_LIST_POINTS_MAX], z[LIDAR_LIST_POINTS_MAX];
    uint8_t intensity[LIDAR_LIST_POINTS_MAX], tag[LIDAR_LIST_POINTS_MAX];
    uint8_t is_point[LIDAR_LIST_POINTS_MAX], is_valid[LIDAR_LIST_POINTS_MAX];
};

static void read_mm(struct columns *c, const uint8_t *at, unsigned count)
{
    for (unsigned i = 0; i < count; i++, at += lidar_list_stride[LIDAR_LIST_MM]) {
        c->x[i] = (float)(int32_t)sl_get_le32(at) * LIDAR_LIST_UNIT_MM;
        c->y[i] = (float)(int32_t)sl_get_le32(at + 4) * LIDAR_LIST_UNIT_MM;
        c->z[i] = (float)(int32_t)sl_get_le32(at + 8) * LIDAR_LIST_UNIT_MM;
        c->intensity[i] = at[12];
        c->tag[i] = at[13];
    }
}

static void read_cm(struct columns *c, const uint8_t *at, unsigned count)
{
    for (unsigned i = 0; i < count; i++, at += lidar_list_stride[LIDAR_LIST_CM]) {
        c->x[i] = (float)(int16_t)sl_get_le16(at) * LIDAR_LIST_UNIT_CM;
        c->y[i] = (float)(int16_t)sl_get_le16(at + 2) * LIDAR_LIST_UNIT_CM;
        c->z[i] = (float)(int16_t)sl_get_le16(at + 4) * LIDAR_LIST_UNIT_CM;
        c->intensity[i] = at[6];
        c->tag[i] = at[7];
    }
}

/* Angles beyond half a turn up, or a turn, say nothing: the origin, which is a hole. */
static void read_polar(const struct lidar_list *list, struct columns *c, const uint8_t *at,
                       unsigned count)
{
    for (unsigned i = 0; i < count; i++, at += lidar_list_stride[LIDAR_LIST_POLAR]) {
        float r = (float)sl_get_le32(at) * LIDAR_LIST_UNIT_MM, up[2], around[2];
        unsigned theta = sl_get_le16(at + 4), phi = sl_get_le16(at + 6);
        if (theta > HALF_TURN_MAX || phi > TURN_MAX)
            r = 0;
        lidar_turn_of(&list->turn, theta % TURN_MAX, &up[0], &up[1]);
        lidar_turn_of(&list->turn, phi % TURN_MAX, &around[0], &around[1]);
        c->x[i] = r * (up[1] * around[0]);
        c->y[i] = r * (up[1] * around[1]);
        c->z[i] = r * up[0];
        c->intensity[i] = at[8];
        c->tag[i] = at[9];
    }
}

static void find_valid(const struct lidar_list *list, struct columns *c, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        float r2 = (c->x[i] * c->x[i] + c->y[i] * c->y[i]) + c->z[i] * c->z[i];
        c->is_valid[i] = (r2 > 0) & (r2 >= list->range_min2) & (r2 <= list->range_max2) &
                         ((c->tag[i] & list->unwanted_tags) == 0);
    }
}

static void transform(const float m[12], struct columns *c, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        float x = c->x[i], y = c->y[i], z = c->z[i];
        c->x[i] = ((m[0] * x + m[1] * y) + m[2] * z) + m[3];
        c->y[i] = ((m[4] * x + m[5] * y) + m[6] * z) + m[7];
        c->z[i] = ((m[8] * x + m[9] * y) + m[10] * z) + m[11];
    }
}

/* Before they are moved: what came back. */
static void find_points(struct columns *c, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        c->is_point[i] = (c->x[i] * c->x[i] + c->y[i] * c->y[i]) + c->z[i] * c->z[i] > 0;
}

/* Once the points stand in their frame. Returns how many came back and are none. */
static unsigned filter(const struct lidar_list *list, struct columns *c, unsigned count)
{
    unsigned filtered = 0;
    for (unsigned i = 0; i < count; i++) {
        c->is_valid[i] &=
            list->kept[i] && lidar_filter_keeps(&list->filter, c->x[i], c->y[i], c->z[i]);
        filtered += c->is_point[i] && !c->is_valid[i];
    }
    return filtered;
}

static void scalar_decode(struct lidar_list *list, struct lidar_list_job *job)
{
    struct columns c;
    if (job->type == LIDAR_LIST_MM)
        read_mm(&c, job->points, job->count);
    else if (job->type == LIDAR_LIST_CM)
        read_cm(&c, job->points, job->count);
    else
        read_polar(list, &c, job->points, job->count);
    find_valid(list, &c, job->count);
    if (list->is_filtered)
        find_points(&c, job->count);
    if (list->has_extrinsics)
        transform(list->extrinsics, &c, job->count);
    if (list->is_filtered)
        job->filtered = filter(list, &c, job->count);
    for (unsigned i = 0; i < job->count; i++) {
        uint8_t *point = list->staging + i * LIDAR_POINT_BYTES;
        float time_s = (float)(job->time_s + i * job->step_s);
        if (!c.is_valid[i]) {
            put_hole(point, time_s);
            continue;
        }
        put_float(point + LIDAR_POINT_X, c.x[i]);
        put_float(point + LIDAR_POINT_Y, c.y[i]);
        put_float(point + LIDAR_POINT_Z, c.z[i]);
        put_float(point + LIDAR_POINT_INTENSITY, c.intensity[i]);
        put_float(point + LIDAR_POINT_TIME, time_s);
        job->valid++;
    }
}

const struct lidar_list_kernel lidar_list_kernel_scalar = {
    .simd = LIDAR_SIMD_SCALAR,
    .decode = scalar_decode,
};
