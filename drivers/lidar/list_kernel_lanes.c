/* SPDX-License-Identifier: Apache-2.0 */
/* list_kernel_lanes.c - 4 or 8 points at a time, put at their place in the staging, whose rings are
 * filled in: AVX2, SSE2 or NEON, as this file is compiled for (lanes.h).
 *
 * A point on the wire is brought to four words (x, y, z, and reflectivity and tag); as many of them
 * as there are lanes, transposed, are a register each of x, y, z and the rest. What is left over at
 * the end of the list goes through a small copy, so that nothing is read beyond it. Polar lists are
 * the scalar kernel's: they live by their tables.
 */
#include "drivers/lidar/lanes.h"

#if defined(LANES)

#include "drivers/lidar/list_kernels.h"
#include "drivers/lidar/point_filter_lanes.h"
#include "drivers/lidar/point_lanes.h"

#define STRIDE_MAX  14
#define LOAD_BYTES  16 /* of a point, whatever its stride */
#define SPARE_BYTES (LANES * STRIDE_MAX + LOAD_BYTES)
#define TAG_SHIFT   8
#define BYTE_MASK   0xFF

struct wire_points {
    lanes_i x, y, z, rest;
};

/* Words x, y, z and one whose lowest bytes are reflectivity and tag. */
LANES_INLINE lanes_part load_point(const uint8_t *at, enum lidar_list_type type)
{
    typedef int16_t shorts __attribute__((vector_size(8)));
    typedef int32_t words __attribute__((vector_size(16)));
    words point;
    shorts narrow;
    if (type == LIDAR_LIST_MM) {
        memcpy(&point, at, sizeof point);
        return (lanes_part)point;
    }
    memcpy(&narrow, at, sizeof narrow);
    return (lanes_part) __builtin_convertvector(narrow, words);
}

/* A point for each part. */
LANES_INLINE lanes_f load_row(const uint8_t *at, size_t stride, enum lidar_list_type type)
{
    return lanes_join(load_point(at, type),
                      LANES == 8 ? load_point(at + 4 * stride, type) : (lanes_part){0});
}

LANES_INLINE struct wire_points load_points(const uint8_t *at, enum lidar_list_type type)
{
    size_t stride = lidar_list_stride[type];
    lanes_f row[4] = {
        load_row(at, stride, type),
        load_row(at + stride, stride, type),
        load_row(at + 2 * stride, stride, type),
        load_row(at + 3 * stride, stride, type),
    };
    lanes_transpose(row);
    return (struct wire_points){(lanes_i)row[0], (lanes_i)row[1], (lanes_i)row[2], (lanes_i)row[3]};
}

LANES_INLINE lanes_f times_of(const struct lidar_list_job *job, unsigned first)
{
    const lanes_half_d low = (double)first + lanes_half_numbers();
    return lanes_from_d((struct lanes_d){
        job->time_s + low * job->step_s,
        job->time_s + (low + LANES_HALF) * job->step_s,
    });
}

struct counts {
    lanes_i valid, filtered;
};

LANES_INLINE void decode_points(struct lidar_list *list, const struct lidar_list_job *job,
                                const uint8_t *at, enum lidar_list_type type, unsigned first,
                                bool is_filtered, struct counts *counts)
{
    const float unit = type == LIDAR_LIST_MM ? LIDAR_LIST_UNIT_MM : LIDAR_LIST_UNIT_CM;
    const int32_t unwanted = list->unwanted_tags << TAG_SHIFT;
    const struct wire_points raw = load_points(at, type);
    struct lidar_points_lanes p = {
        .x = lanes_to_f(raw.x) * unit,
        .y = lanes_to_f(raw.y) * unit,
        .z = lanes_to_f(raw.z) * unit,
        .intensity = lanes_to_f(raw.rest & BYTE_MASK),
        .time = times_of(job, first),
    };
    lanes_f r2 = (p.x * p.x + p.y * p.y) + p.z * p.z;
    lanes_i is_some = r2 > 0.0f;
    lanes_i valid = is_some & ((raw.rest & unwanted) == 0) & (r2 >= list->range_min2) &
                    (r2 <= list->range_max2);
    if (list->has_extrinsics)
        lidar_points_transform(&p, list->extrinsics);
    if (is_filtered) {
        valid &= (lanes_i)lanes_load_u(list->kept + first) &
                 lidar_filter_keeps_lanes(&list->filter, p.x, p.y, p.z);
        counts->filtered -= is_some & ~valid;
    }
    counts->valid -= valid;
    lidar_points_make_holes(&p, valid);
    lidar_points_store(list->staging + (size_t)first * LIDAR_POINT_BYTES, lidar_points_in_order,
                       &p);
}

LANES_INLINE void decode_list(struct lidar_list *list, struct lidar_list_job *job,
                              enum lidar_list_type type, bool is_filtered)
{
    struct counts counts = {0};
    size_t stride = lidar_list_stride[type];
    for (unsigned first = 0; first < job->count; first += LANES) {
        const uint8_t *at = job->points + first * stride;
        uint8_t spare[SPARE_BYTES];
        unsigned left = job->count - first;
        if (left * stride < (LANES - 1) * stride + LOAD_BYTES) {
            memset(spare, 0, sizeof spare);
            memcpy(spare, at, (left < LANES ? left : LANES) * stride);
            at = spare; /* points that are not there are at the origin: holes */
        }
        decode_points(list, job, at, type, first, is_filtered, &counts);
    }
    job->valid += lanes_sum(counts.valid);
    job->filtered += lanes_sum(counts.filtered);
}

static void decode(struct lidar_list *list, struct lidar_list_job *job)
{
    if (job->type == LIDAR_LIST_MM)
        decode_list(list, job, LIDAR_LIST_MM, list->is_filtered);
    else if (job->type == LIDAR_LIST_CM)
        decode_list(list, job, LIDAR_LIST_CM, list->is_filtered);
    else
        lidar_list_kernel_scalar.decode(list, job);
}

const struct lidar_list_kernel LANES_NAMED(lidar_list_kernel) = {
    .simd = LANES_SIMD,
    .decode = decode,
};

#else
typedef int lidar_list_kernel_lanes_are_not_here;
#endif
