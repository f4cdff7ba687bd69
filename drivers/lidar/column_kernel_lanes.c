/* SPDX-License-Identifier: Apache-2.0 */
/* column_kernel_lanes.c - 4 or 8 points at a time, put in order in the first-level cache, then
 * streamed: AVX2, SSE2 or NEON, as this file is compiled for (lanes.h).
 *
 * Points are stored at their place in a staging area whose rings are filled in already: 16 bytes of
 * xyz and intensity, 4 of time. A whole column is staged before its first byte is streamed, so that
 * no load waits for a store of another width to be done.
 */
#include "drivers/lidar/lanes.h"

#if defined(LANES)

#include "drivers/lidar/column_kernels.h"
#include "drivers/lidar/point_filter_lanes.h"
#include "drivers/lidar/point_lanes.h"

LANES_INLINE lanes_u pick_bits(const uint8_t *pixel, size_t stride, struct lidar_column_bits bits)
{
    lanes_u words = lanes_load_every(pixel + 4u * bits.word, stride);
    return (words >> bits.shift & bits.mask) << bits.scale;
}

/* What is the same for all rows of a column's return. */
struct constants {
    const struct lidar_column *column;
    const struct lidar_column_job *job;
    struct lidar_column_bits range, intensity;
    struct lidar_column_turn turn;
    size_t stride; /* bytes of a pixel */
};

/* Of half of the beams, as coordinate `axis` has it. */
LANES_INLINE lanes_half_d direction(const struct constants *k, unsigned axis, unsigned row,
                                    bool is_upright)
{
    const struct lidar_column *column = k->column;
    const double *m = k->turn.m[axis];
    lanes_half_d fixed = lanes_half_load_d(column->k[axis] + row);
    if (is_upright && axis == 2)
        return fixed;
    lanes_half_d sum =
        m[0] * lanes_half_load_d(column->a + row) + m[1] * lanes_half_load_d(column->b + row);
    return is_upright ? sum : sum + fixed;
}

LANES_INLINE lanes_f coordinate(const struct constants *k, unsigned axis, unsigned row,
                                struct lanes_d r, bool is_upright)
{
    double offset = k->turn.o[axis];
    return lanes_from_d((struct lanes_d){
        r.low * direction(k, axis, row, is_upright) + offset,
        r.high * direction(k, axis, row + LANES_HALF, is_upright) + offset,
    });
}

/* In metres from where the beams begin. */
LANES_INLINE struct lanes_d range_of(const struct constants *k, lanes_u raw)
{
    struct lanes_d r = lanes_to_d((lanes_i)raw);
    r.low = r.low * LIDAR_METRES_PER_MM - k->column->origin_m;
    r.high = r.high * LIDAR_METRES_PER_MM - k->column->origin_m;
    return r;
}

/* Those that are wanted, wherever they are in range. */
LANES_INLINE lanes_i kept_points(const struct constants *k, unsigned row,
                                 const struct lidar_points_lanes *p)
{
    if (k->job->is_left_out)
        return (lanes_i){0};
    return (lanes_i)lanes_load_u(k->column->kept + row) &
           lidar_filter_keeps_lanes(&k->column->filter, p->x, p->y, p->z);
}

struct counts {
    lanes_i valid, filtered;
};

LANES_INLINE void decode_points(const struct constants *k, unsigned row, bool is_upright,
                                bool is_filtered, uint8_t *to, struct counts *counts)
{
    const struct lidar_column *column = k->column;
    const uint8_t *pixel = k->job->pixels + row * k->stride;
    lanes_u raw = pick_bits(pixel, k->stride, k->range);
    lanes_i valid = raw - column->raw_min <= column->raw_span;
    struct lanes_d r = range_of(k, raw);
    struct lidar_points_lanes p = {
        .x = coordinate(k, 0, row, r, is_upright),
        .y = coordinate(k, 1, row, r, is_upright),
        .z = coordinate(k, 2, row, r, is_upright),
        .intensity = lanes_to_f((lanes_i)pick_bits(pixel, k->stride, k->intensity)),
        .time = k->job->time_s + (lanes_f){0},
    };
    if (is_filtered) {
        valid &= kept_points(k, row, &p);
        counts->filtered -= (raw != 0) & ~valid;
    }
    counts->valid -= valid;
    lidar_points_make_holes(&p, valid);
    lidar_points_store(to, lidar_points_in_order, &p);
}

LANES_INLINE void decode_return(struct lidar_column *column, const struct lidar_column_turn *turn,
                                struct lidar_column_job *job, unsigned which, bool is_upright,
                                bool is_filtered)
{
    const struct constants k = {
        .column = column,
        .job = job,
        .range = column->range[which],
        .intensity = column->intensity[which],
        .turn = *turn,
        .stride = column->pixel_words * 4u,
    };
    struct counts counts = {0};
    for (unsigned row = 0; row < column->rows; row += LANES)
        decode_points(&k, row, is_upright, is_filtered, column->staging + row * LIDAR_POINT_BYTES,
                      &counts);
    job->valid[which] = (uint8_t)lanes_sum(counts.valid);
    job->filtered[which] = (uint8_t)lanes_sum(counts.filtered);
    lanes_stream(job->to[which], column->staging, (size_t)column->rows * LIDAR_POINT_BYTES);
}

LANES_INLINE void decode_jobs(struct lidar_column *column, struct lidar_column_job *jobs,
                              unsigned count, bool is_upright, bool is_filtered)
{
    for (struct lidar_column_job *job = jobs; job < jobs + count; job++) {
        const struct lidar_column_turn turn = lidar_column_turn(column, job);
        for (unsigned which = 0; which < column->returns; which++) {
            if (job->to[which])
                decode_return(column, &turn, job, which, is_upright, is_filtered);
        }
    }
}

static void decode(struct lidar_column *column, struct lidar_column_job *jobs, unsigned count)
{
    if (column->is_filtered)
        decode_jobs(column, jobs, count, column->is_upright, true);
    else if (column->is_upright)
        decode_jobs(column, jobs, count, true, false);
    else
        decode_jobs(column, jobs, count, false, false);
}

const struct lidar_column_kernel LANES_NAMED(lidar_column_kernel) = {
    .simd = LANES_SIMD,
    .decode = decode,
};

#else
typedef int lidar_column_kernel_lanes_are_not_here;
#endif
