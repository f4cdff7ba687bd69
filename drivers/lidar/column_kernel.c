/* SPDX-License-Identifier: Apache-2.0 */
/* column_kernel.c - the tables that kernels work with, and the kernel that goes by single numbers.
 */
#include "drivers/lidar/column_kernel.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/uncached/stream.h"
#include "drivers/lidar/column_kernels.h"

#define RADIANS_PER_DEGREE (3.14159265358979323846 / 180.0)
#define RAW_MAX            0xFFFFFF

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

const struct lidar_column_kernel *const lidar_column_kernels[] = {
#if defined(__x86_64__)
    &lidar_column_kernel_avx512, &lidar_column_kernel_avx2,
    &lidar_column_kernel_sse2,
#elif defined(__aarch64__)
    &lidar_column_kernel_neon,
#endif
    &lidar_column_kernel_scalar, NULL,
};

const struct lidar_column_kernel *lidar_column_kernel_for(enum lidar_simd simd)
{
    const struct lidar_column_kernel *const *kernel = lidar_column_kernels;
    while (!lidar_simd_allows(simd, (*kernel)->simd))
        kernel++;
    return *kernel;
}

/* Ranges that are no holes, in mm. */
static void init_range(struct lidar_column *column, const struct lidar_column_config *config)
{
    /* A limit that stands exactly between two readings must not fall to a rounding. */
    const double tolerance = 1e-3;
    double lowest = ceil((double)config->range_min_m / LIDAR_METRES_PER_MM - tolerance);
    double highest = RAW_MAX;
    if (config->range_max_m > 0)
        highest = floor((double)config->range_max_m / LIDAR_METRES_PER_MM + tolerance);
    if (!(lowest >= 1))
        lowest = 1; /* 0 says that nothing came back */
    if (highest > RAW_MAX)
        highest = RAW_MAX;
    if (!(lowest <= highest)) {
        /* nothing is valid: no range is as long as this */
        lowest = RAW_MAX + 1;
        highest = lowest;
    }
    column->raw_min = (uint32_t)lowest;
    column->raw_span = (uint32_t)(highest - lowest);
    column->is_filtered = lowest > 1 || highest < RAW_MAX;
}

static unsigned row_at(const struct lidar_column *column, unsigned position)
{
    unsigned in_group = position % LIDAR_GROUP_POINTS;
    unsigned place = column->kernel->place ? column->kernel->place(in_group) : in_group;
    return position - in_group + place;
}

static void init_filter(struct lidar_column *column, const struct lidar_column_config *config)
{
    lidar_filter_init(&column->filter, &config->filter,
                      config->has_extrinsics ? config->extrinsics : NULL);
    column->is_filtered |= column->filter.is_active;
    for (unsigned position = 0; position < config->rows; position++) {
        unsigned ring = row_at(column, position);
        column->kept[position] = lidar_filter_has_ring(&config->filter, ring) ? UINT32_MAX : 0;
    }
}

static void init_beams(struct lidar_column *column, const struct lidar_column_config *config)
{
    for (unsigned position = 0; position < config->rows; position++) {
        unsigned row = row_at(column, position);
        double ph = config->altitude_deg[row] * RADIANS_PER_DEGREE;
        double ta = -config->azimuth_deg[row] * RADIANS_PER_DEGREE;
        column->a[position] = cos(ta) * cos(ph);
        column->b[position] = sin(ta) * cos(ph);
        for (unsigned axis = 0; axis < 3; axis++)
            column->k[axis][position] = config->to_frame[4 * axis + 2] * sin(ph);
    }
}

static void init_templates(struct lidar_column *column)
{
    for (unsigned row = 0; row < column->rows; row++) {
        uint8_t *point = column->hole + row * LIDAR_POINT_BYTES;
        put_float(point + LIDAR_POINT_X, quiet_nan());
        put_float(point + LIDAR_POINT_Y, quiet_nan());
        put_float(point + LIDAR_POINT_Z, quiet_nan());
        sl_put_le16(point + LIDAR_POINT_RING, (uint16_t)row);
    }
    memcpy(column->staging, column->hole, sizeof column->hole);
}

void lidar_column_init(struct lidar_column *column, const struct lidar_column_kernel *kernel,
                       const struct lidar_column_config *config)
{
    assert(config->rows > 0 && config->rows <= LIDAR_COLUMN_ROWS_MAX &&
           config->rows % LIDAR_GROUP_POINTS == 0);
    assert(config->pixel_words > 0 && config->pixel_words <= LIDAR_COLUMN_WORDS_MAX);
    assert(config->returns > 0 && config->returns <= LIDAR_RETURNS_MAX);
    memset(column, 0, sizeof *column);
    column->kernel = kernel ? kernel : lidar_column_kernel_for(LIDAR_SIMD_AUTO);
    column->rows = config->rows;
    column->pixel_words = config->pixel_words;
    column->returns = config->returns;
    memcpy(column->range, config->range, sizeof column->range);
    memcpy(column->intensity, config->intensity, sizeof column->intensity);
    column->origin_x_m = config->origin_x_m;
    column->origin_z_m = config->origin_z_m;
    column->origin_m = config->origin_z_m == 0 ? config->origin_x_m
                                               : hypot(config->origin_x_m, config->origin_z_m);
    memcpy(column->to_frame, config->to_frame, sizeof column->to_frame);
    const double *t = column->to_frame;
    column->is_upright = t[2] == 0 && t[6] == 0 && t[8] == 0 && t[9] == 0;
    init_range(column, config);
    init_filter(column, config);
    init_beams(column, config);
    init_templates(column);
    if (column->kernel->prepare)
        column->kernel->prepare(column);
}

void lidar_column_hole(struct lidar_column *column, uint8_t *to, float time_s)
{
    for (unsigned row = 0; row < column->rows; row++)
        put_float(column->hole + row * LIDAR_POINT_BYTES + LIDAR_POINT_TIME, time_s);
    sl_stream_copy(to, column->hole, (size_t)column->rows * LIDAR_POINT_BYTES);
}

/* The scalar kernel. */

static uint32_t get_bits(const uint8_t *pixel, struct lidar_column_bits bits)
{
    return (sl_get_le32(pixel + 4 * bits.word) >> bits.shift & bits.mask) << bits.scale;
}

static float coordinate(const struct lidar_column *column, const struct lidar_column_turn *turn,
                        unsigned axis, unsigned row, double r)
{
    const double *m = turn->m[axis], k = column->k[axis][row];
    double direction = k;
    if (!column->is_upright || axis < 2)
        direction = m[0] * column->a[row] + m[1] * column->b[row];
    if (!column->is_upright)
        direction += k;
    return (float)(r * direction + turn->o[axis]);
}

struct position {
    float x, y, z;
};

/* Is it wanted? */
static bool is_kept(const struct lidar_column *column, const struct lidar_column_job *job,
                    unsigned row, struct position p)
{
    return column->kept[row] && !job->is_left_out &&
           lidar_filter_keeps(&column->filter, p.x, p.y, p.z);
}

static struct position position_of(const struct lidar_column *column,
                                   const struct lidar_column_turn *turn, unsigned row, uint32_t raw)
{
    double r = raw * LIDAR_METRES_PER_MM - column->origin_m;
    return (struct position){
        .x = coordinate(column, turn, 0, row, r),
        .y = coordinate(column, turn, 1, row, r),
        .z = coordinate(column, turn, 2, row, r),
    };
}

static void scalar_return(struct lidar_column *column, struct lidar_column_job *job, unsigned which)
{
    const struct lidar_column_turn turn = lidar_column_turn(column, job);
    const struct position hole = {quiet_nan(), quiet_nan(), quiet_nan()};
    unsigned valid = 0, filtered = 0;
    for (unsigned row = 0; row < column->rows; row++) {
        const uint8_t *pixel = job->pixels + (size_t)row * column->pixel_words * 4;
        uint8_t *point = column->staging + row * LIDAR_POINT_BYTES;
        uint32_t raw = get_bits(pixel, column->range[which]);
        bool is_valid = raw - column->raw_min <= column->raw_span;
        struct position p = is_valid ? position_of(column, &turn, row, raw) : hole;
        if (is_valid && column->is_filtered && !is_kept(column, job, row, p)) {
            is_valid = false;
            p = hole;
        }
        put_float(point + LIDAR_POINT_X, p.x);
        put_float(point + LIDAR_POINT_Y, p.y);
        put_float(point + LIDAR_POINT_Z, p.z);
        put_float(point + LIDAR_POINT_INTENSITY,
                  is_valid ? (float)get_bits(pixel, column->intensity[which]) : 0);
        put_float(point + LIDAR_POINT_TIME, job->time_s);
        valid += is_valid;
        filtered += raw != 0 && !is_valid;
    }
    job->valid[which] = (uint8_t)valid;
    job->filtered[which] = (uint8_t)filtered;
    sl_stream_copy(job->to[which], column->staging, (size_t)column->rows * LIDAR_POINT_BYTES);
}

static void scalar_decode(struct lidar_column *column, struct lidar_column_job *jobs,
                          unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        for (unsigned which = 0; which < column->returns; which++) {
            if (jobs[i].to[which])
                scalar_return(column, &jobs[i], which);
        }
    }
}

const struct lidar_column_kernel lidar_column_kernel_scalar = {
    .simd = LIDAR_SIMD_SCALAR,
    .decode = scalar_decode,
};
