/* SPDX-License-Identifier: Apache-2.0 */
/* block_kernel_lanes.c - 4 or 8 points at a time, put in order in the first-level cache, then
 * streamed: AVX2, SSE2 or NEON, as this file is compiled for (lanes.h).
 *
 * Points are stored at their place in a staging area whose rings are filled in already: 16 bytes of
 * xyz and intensity, 4 of time. All blocks of a packet are staged before the first is streamed, so
 * that no load waits for a store of another width to be done.
 */
#include "drivers/lidar/lanes.h"

#if defined(LANES)

#include "drivers/lidar/block_kernels.h"
#include "drivers/lidar/point_filter_lanes.h"
#include "drivers/lidar/point_lanes.h"

#define ELEMENT_BITS 0xFFFFFF
#define RAW_BITS     0xFFFF

LANES_INLINE lanes_u swap_distance(lanes_u element)
{
    return (element & 0xFF0000) | (element >> 8 & 0xFF) | (element << 8 & 0xFF00);
}

/* Elements `from` ... of a return, in the kernel's order: distance in the low half of each word,
 * intensity above it. */
LANES_INLINE lanes_u get_elements(const struct lidar_block *block,
                                  const struct lidar_block_job *job, const uint8_t *wire,
                                  unsigned from)
{
    if (!block->is_gathered)
        return lanes_load_threes(wire + from * LIDAR_ELEMENT_BYTES);
    lanes_u element = lanes_gather(wire, block->offset[job->is_dual] + from);
    return block->model->is_big_endian ? swap_distance(element) : element & ELEMENT_BITS;
}

/* Where they are, in the axes of the sensor. */
LANES_INLINE void place_points(const struct lidar_block *block, const struct lidar_block_rate *rate,
                               const struct lidar_block_job *job, unsigned from, lanes_f r,
                               struct lidar_points_lanes *p)
{
    lanes_f a = lanes_load_f(rate->a + from), b = lanes_load_f(rate->b + from);
    p->x = r * (a * job->cosine - b * job->sine);
    p->y = r * (a * -job->sine - b * job->cosine);
    p->z = r * lanes_load_f(rate->c + from) + lanes_load_f(block->v + from);
}

/* What is added to a distance below LIDAR_BEAM_FAR_M. */
LANES_INLINE lanes_f near_or_far(lanes_f far_m, const float *near, lanes_f at_m, float from_m)
{
    lanes_f near_m = lanes_load_f(near);
    return near_m + (far_m - near_m) * (at_m - from_m) / (LIDAR_BEAM_FAR_M - from_m);
}

/* The same of a model with beams: beam_kernel.c has the formulas. */
LANES_INLINE void place_beams(const struct lidar_block *block, const struct lidar_block_rate *rate,
                              const struct lidar_block_job *job, unsigned from, lanes_f r,
                              struct lidar_points_lanes *p)
{
    const struct lidar_block_beams *beams = &block->beams;
    lanes_f a = lanes_load_f(rate->a + from), b = lanes_load_f(rate->b + from);
    lanes_f flat = lanes_sqrt(a * a + b * b); /* cos(el) */
    lanes_f ahead = a * job->cosine - b * job->sine, right = a * job->sine + b * job->cosine;
    lanes_f far_m = lanes_load_f(beams->distance_m + from), corrected = r + far_m;
    lanes_i is_near = (lanes_i)lanes_load_u(beams->has_near + from) & (r < LIDAR_BEAM_FAR_M);
    lanes_f near_dx = near_or_far(far_m, beams->distance_x_m + from, lanes_abs(corrected * right),
                                  LIDAR_BEAM_NEAR_X_M);
    lanes_f near_dy = near_or_far(far_m, beams->distance_y_m + from, lanes_abs(corrected * ahead),
                                  LIDAR_BEAM_NEAR_Y_M);
    lanes_f dx = lanes_choose(is_near, near_dx, far_m), dy = lanes_choose(is_near, near_dy, far_m);
    lanes_f aside =
        lanes_choose(flat > 0.0f, lanes_load_f(beams->sideways_m + from) / flat, (lanes_f){0});
    p->x = (r + dy) * ahead + aside * right;
    p->y = aside * ahead - (r + dx) * right;
    p->z = (r + (dx + dy) / 2.0f) * lanes_load_f(rate->c + from) + lanes_load_f(block->v + from);
}

LANES_INLINE lanes_f focus_intensity(const struct lidar_block *block, unsigned from, lanes_f raw,
                                     lanes_f intensity)
{
    const struct lidar_block_beams *beams = &block->beams;
    lanes_f here = 1.0f - raw / LIDAR_BEAM_RAW_MAX;
    lanes_f least = lanes_load_f(beams->intensity_min + from);
    lanes_f most = lanes_load_f(beams->intensity_max + from);
    intensity += lanes_load_f(beams->slope + from) *
                 lanes_abs(lanes_load_f(beams->focus2 + from) - here * here);
    intensity = lanes_choose(intensity > least, intensity, least);
    return lanes_choose(intensity < most, intensity, most);
}

/* Those of `among` that are not what an earlier return was. */
LANES_INLINE lanes_i other_than_earlier(const struct lidar_block *block,
                                        const struct lidar_block_job *job, unsigned from,
                                        lanes_u element, lanes_i among)
{
    for (unsigned n = 0; n < LIDAR_RETURNS_MAX - 1 && job->equal[n]; n++)
        among &= element != get_elements(block, job, job->equal[n], from);
    return among;
}

/* Those that are wanted, wherever they are in range. */
LANES_INLINE lanes_i kept_elements(const struct lidar_block *block,
                                   const struct lidar_block_job *job, unsigned from,
                                   const struct lidar_points_lanes *p)
{
    if (job->is_left_out[block->place[from] / LIDAR_HALF_POINTS])
        return (lanes_i){0};
    return (lanes_i)lanes_load_u(block->kept + from) &
           lidar_filter_keeps_lanes(&block->filter, p->x, p->y, p->z);
}

/* Which are points, and which are none for the filter alone. */
struct masks {
    lanes_i valid, filtered;
};

LANES_INLINE struct masks decode_points(const struct lidar_block *block,
                                        const struct lidar_block_rate *rate,
                                        const struct lidar_block_job *job, unsigned from,
                                        bool has_extrinsics, bool is_filtered, bool has_beams,
                                        struct lidar_points_lanes *ret_points)
{
    lanes_u element = get_elements(block, job, job->wire, from), raw = element & RAW_BITS;
    lanes_f distance = lanes_to_f((lanes_i)raw), r = distance * block->unit_m;
    struct lidar_points_lanes p = {
        .intensity = lanes_to_f((lanes_i)(element >> 16)),
        /* a half lies within a model's column, or is one */
        .time = job->time_s[block->place[from] / LIDAR_HALF_POINTS] +
                lanes_load_f(block->time_s[job->order] + from),
    };
    if (has_beams)
        place_beams(block, rate, job, from, r, &p);
    else
        place_points(block, rate, job, from, r, &p);
    if (has_beams)
        p.intensity = focus_intensity(block, from, distance, p.intensity);
    struct masks masks = {0};
    lanes_i in_range = raw - block->raw_min <= block->raw_span;
    masks.valid = other_than_earlier(block, job, from, element, in_range);
    if (has_extrinsics)
        lidar_points_transform(&p, block->extrinsics);
    if (is_filtered) {
        masks.valid &= kept_elements(block, job, from, &p);
        masks.filtered = other_than_earlier(block, job, from, element, raw != 0) & ~masks.valid;
    }
    lidar_points_make_holes(&p, masks.valid);
    *ret_points = p;
    return masks;
}

/* Of both halves, and of the second one. */
struct counts {
    lanes_i both, second;
};

LANES_INLINE void count(struct counts *counts, lanes_i mask, lanes_i in_second)
{
    counts->both -= mask;
    counts->second -= mask & in_second;
}

LANES_INLINE void tell(const struct counts *counts, uint8_t ret_count[2])
{
    unsigned second = lanes_sum(counts->second);
    ret_count[0] = (uint8_t)(lanes_sum(counts->both) - second);
    ret_count[1] = (uint8_t)second;
}

LANES_INLINE void stage_job(struct lidar_block *block, const struct lidar_block_rate *rate,
                            struct lidar_block_job *job, uint8_t *staging, bool has_extrinsics,
                            bool is_filtered, bool has_beams)
{
    struct counts valid = {0}, filtered = {0};
    for (unsigned from = 0; from < block->points; from += LANES) {
        struct lidar_points_lanes p;
        struct masks masks =
            decode_points(block, rate, job, from, has_extrinsics, is_filtered, has_beams, &p);
        lanes_i in_second = (lanes_i)lanes_load_u(block->in_second_half + from);
        lidar_points_store(staging, block->place + from, &p);
        count(&valid, masks.valid, in_second);
        if (is_filtered)
            count(&filtered, masks.filtered, in_second);
    }
    tell(&valid, job->valid);
    tell(&filtered, job->filtered);
}

LANES_INLINE void stream_half(const struct lidar_block *block, const struct lidar_block_job *job,
                              const uint8_t *staging, unsigned half)
{
    size_t at = half * LIDAR_HALF_BYTES, end = block->points * LIDAR_POINT_BYTES;
    size_t size = end - at < LIDAR_HALF_BYTES ? end - at : LIDAR_HALF_BYTES;
    if (job->to[half] && at < end)
        lanes_stream(job->to[half], staging + at, size);
}

LANES_INLINE void decode_jobs(struct lidar_block *block, const struct lidar_block_rate *rate,
                              struct lidar_block_job *jobs, unsigned count, bool has_extrinsics,
                              bool is_filtered, bool has_beams)
{
    for (unsigned i = 0; i < count; i++)
        stage_job(block, rate, &jobs[i], block->staging[i], has_extrinsics, is_filtered, has_beams);
    for (unsigned i = 0; i < count; i++) {
        stream_half(block, &jobs[i], block->staging[i], 0);
        stream_half(block, &jobs[i], block->staging[i], 1);
    }
}

static void decode(struct lidar_block *block, const struct lidar_block_rate *rate,
                   struct lidar_block_job *jobs, unsigned count)
{
    if (block->model->beams)
        decode_jobs(block, rate, jobs, count, block->has_extrinsics, block->is_filtered, true);
    else if (block->is_filtered)
        decode_jobs(block, rate, jobs, count, block->has_extrinsics, true, false);
    else if (block->has_extrinsics)
        decode_jobs(block, rate, jobs, count, true, false, false);
    else
        decode_jobs(block, rate, jobs, count, false, false, false);
}

const struct lidar_block_kernel LANES_NAMED(lidar_block_kernel) = {
    .simd = LANES_SIMD,
    .takes_all = true,
    .decode = decode,
};

#else
typedef int lidar_block_kernel_lanes_are_not_here;
#endif
