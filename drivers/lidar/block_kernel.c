/* SPDX-License-Identifier: Apache-2.0 */
/* block_kernel.c - the tables that kernels work with, and the kernel that goes by single numbers.
 */
#include "drivers/lidar/block_kernel.h"

#include <math.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/uncached/stream.h"
#include "drivers/lidar/block_kernels.h"

#define RADIANS_PER_DEGREE (3.14159265358979323846 / 180.0)
#define RADIANS_PER_UNIT   (RADIANS_PER_DEGREE / 100.0)
#define METRES_PER_MM      1e-3f
#define SECONDS_PER_NS     1e-9
#define RAW_MAX            65535
#define RATE_STEPS_MAX     64
#define NO_BYTE            0x80 /* of a pattern: zero */

/* Once for each value of its constant arguments. */
#define INLINE static inline __attribute__((always_inline))

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

const struct lidar_block_kernel *const lidar_block_kernels[] = {
#if defined(__x86_64__)
    &lidar_block_kernel_avx512, &lidar_block_kernel_avx2,
    &lidar_block_kernel_sse2,
#elif defined(__aarch64__)
    &lidar_block_kernel_neon,
#endif
    &lidar_block_kernel_scalar, NULL,
};

const struct lidar_block_kernel *lidar_block_kernel_for(enum lidar_simd simd)
{
    const struct lidar_block_kernel *const *kernel = lidar_block_kernels;
    while (!lidar_simd_allows(simd, (*kernel)->simd))
        kernel++;
    return *kernel;
}

/* Distances that are no holes, as they stand on the wire. */
static void init_range(struct lidar_block *block, const struct lidar_block_options *options)
{
    double unit_m = (double)block->model->range_unit_m;
    /* A limit that stands exactly between two readings must not fall to a rounding of the unit. */
    const double tolerance = 1e-3;
    double lowest = ceil((double)options->range_min_m / unit_m - tolerance);
    double highest = RAW_MAX;
    if (options->range_max_m > 0)
        highest = floor((double)options->range_max_m / unit_m + tolerance);
    if (!(lowest >= 1))
        lowest = 1; /* 0 says that nothing came back */
    if (highest > RAW_MAX)
        highest = RAW_MAX;
    if (!(lowest <= highest)) {
        /* nothing is valid: no distance is as long as this */
        lowest = RAW_MAX + 1;
        highest = lowest;
    }
    block->raw_min = (uint32_t)lowest;
    block->raw_span = (uint32_t)(highest - lowest);
    block->is_filtered = lowest > 1 || highest < RAW_MAX;
}

static void init_filter(struct lidar_block *block, const struct lidar_block_options *options)
{
    lidar_filter_init(&block->filter, &options->filter,
                      options->has_extrinsics ? options->extrinsics : NULL);
    block->is_filtered |= block->filter.is_active;
    for (unsigned position = 0; position < LIDAR_BLOCK_ELEMENTS; position++) {
        unsigned ring = block->ring[block->place[position]];
        block->kept[position] = lidar_filter_has_ring(&options->filter, ring) ? UINT32_MAX : 0;
    }
}

/* Where a group's element is, in bytes after the group's first one. Banks follow one another, with
 * those of a second return in between. */
static uint32_t offset_of(const struct lidar_model *model, unsigned element, unsigned returns)
{
    unsigned in_bank = lidar_model_elements(model) / model->blocks_per_column;
    if (model->blocks_per_column == 1)
        return element * model->element_bytes;
    return element / in_bank * returns * model->block_bytes +
           element % in_bank * model->element_bytes;
}

/* The element that makes each point of the group. */
static void order_elements(const struct lidar_model *model, const uint8_t ring[LIDAR_LASERS_MAX],
                           unsigned ret_element_at[LIDAR_LASERS_MAX])
{
    for (unsigned element = 0; element < lidar_model_elements(model); element++) {
        unsigned column = element / model->lasers;
        ret_element_at[column * model->lasers + ring[element % model->lasers]] = element;
    }
}

/* Place in the block's output of a position in the kernel's order. */
static unsigned place_of(const struct lidar_block *block, const uint8_t ring[LIDAR_LASERS_MAX],
                         unsigned position)
{
    unsigned lasers = block->model->lasers;
    if (block->kernel->place)
        return block->kernel->place(position);
    if (block->is_gathered)
        return position;
    return position / lasers * lasers + ring[position % lasers];
}

/* The wire's element, and what follows from it, of each position in the kernel's order. Places that
 * make no point have some element. */
static void init_order(struct lidar_block *block, const uint8_t ring[LIDAR_LASERS_MAX])
{
    const struct lidar_model *model = block->model;
    unsigned element_at[LIDAR_LASERS_MAX] = {0};
    order_elements(model, ring, element_at);
    for (unsigned position = 0; position < LIDAR_BLOCK_ELEMENTS; position++) {
        unsigned place = place_of(block, ring, position);
        unsigned element = place < block->points ? element_at[block->first + place] : 0;
        unsigned laser = element % model->lasers;
        uint32_t firing_ns = lidar_model_firing_ns(model, 0, laser);
        block->element[position] = element;
        block->offset[0][position] = offset_of(model, element, 1);
        block->offset[1][position] = offset_of(model, element, model->returns_by_column ? 1 : 2);
        block->place[position] = (uint8_t)place;
        block->in_second_half[position] = place < LIDAR_HALF_POINTS ? 0 : UINT32_MAX;
        block->ring[place] = ring[laser];
        block->v[position] = model->vertical_offset_mm[laser] * METRES_PER_MM;
        for (unsigned order = 0; order < lidar_model_orders(model); order++)
            block->time_s[order][position] =
                (float)(lidar_model_firing_ns(model, order, laser) * SECONDS_PER_NS);
        block->firing_ns[position] = element / model->lasers * model->column_period_ns + firing_ns;
    }
}

static void init_gathering(struct lidar_block *block)
{
    const struct lidar_model *model = block->model;
    block->is_gathered = model->element_bytes != LIDAR_ELEMENT_BYTES || model->is_big_endian ||
                         lidar_model_elements(model) != LIDAR_BLOCK_ELEMENTS ||
                         model->blocks_per_column != 1;
    for (unsigned i = 0; i < sizeof block->pattern; i += 4) {
        block->pattern[i] = (uint8_t)(i + model->is_big_endian);
        block->pattern[i + 1] = (uint8_t)(i + !model->is_big_endian);
        block->pattern[i + 2] = (uint8_t)(i + 2);
        block->pattern[i + 3] = NO_BYTE;
    }
}

static void init_templates(struct lidar_block *block)
{
    for (unsigned place = 0; place < LIDAR_BLOCK_ELEMENTS; place++) {
        uint8_t *point = block->hole + place * LIDAR_POINT_BYTES;
        put_float(point + LIDAR_POINT_X, quiet_nan());
        put_float(point + LIDAR_POINT_Y, quiet_nan());
        put_float(point + LIDAR_POINT_Z, quiet_nan());
        put_float(point + LIDAR_POINT_INTENSITY, 0);
        sl_put_le16(point + LIDAR_POINT_RING, block->ring[place]);
    }
    for (unsigned i = 0; i < LIDAR_BLOCKS_MAX; i++)
        memcpy(block->staging[i], block->hole, sizeof block->hole);
}

/* Lasers that make no whole halves leave a short block at the end, and begin every other row
 * between two places. */
static void choose_kernel(struct lidar_block *block)
{
    const struct lidar_block_kernel *const *next = lidar_block_kernels;
    bool is_ragged = lidar_model_elements(block->model) % LIDAR_HALF_POINTS != 0;
    enum lidar_simd simd =
        block->points % LIDAR_RAGGED_POINTS == 0 ? block->kernel->simd : LIDAR_SIMD_SCALAR;
    if (!is_ragged && !block->model->beams)
        return;
    while (!(*next)->takes_all || !lidar_simd_allows(simd, (*next)->simd))
        next++;
    block->kernel = *next;
    if (block->model->beams && block->kernel == &lidar_block_kernel_scalar)
        block->kernel = &lidar_block_kernel_beams;
}

static void init_beams(struct lidar_block *block)
{
    struct lidar_block_beams *to = &block->beams;
    for (unsigned i = 0; block->model->beams && i < LIDAR_BLOCK_ELEMENTS; i++) {
        const struct lidar_beam *beam =
            &block->model->beams[block->element[i] % block->model->lasers];
        float focus = 1 - beam->focal_distance_m / LIDAR_BEAM_RAW_MAX_M;
        to->distance_m[i] = beam->distance_m;
        to->distance_x_m[i] = beam->distance_x_m;
        to->distance_y_m[i] = beam->distance_y_m;
        to->has_near[i] = beam->has_near ? UINT32_MAX : 0;
        to->sideways_m[i] = beam->sideways_m;
        to->focus2[i] = focus * focus;
        to->slope[i] = LIDAR_BEAM_FOCUS_SCALE * beam->focal_slope;
        to->intensity_min[i] = beam->intensity_min;
        to->intensity_max[i] = beam->intensity_max;
    }
}

void lidar_block_init(struct lidar_block *block, const struct lidar_block_kernel *kernel,
                      const struct lidar_model *model, const struct lidar_block_options *options,
                      unsigned index)
{
    uint8_t ring[LIDAR_LASERS_MAX];
    memset(block, 0, sizeof *block);
    block->kernel = kernel ? kernel : lidar_block_kernel_for(LIDAR_SIMD_AUTO);
    block->model = model;
    block->first = index * LIDAR_BLOCK_ELEMENTS;
    block->points = lidar_model_elements(model) - block->first;
    if (block->points > LIDAR_BLOCK_ELEMENTS)
        block->points = LIDAR_BLOCK_ELEMENTS;
    choose_kernel(block);
    block->unit_m = model->range_unit_m;
    block->has_extrinsics = options->has_extrinsics;
    memcpy(block->extrinsics, options->extrinsics, sizeof block->extrinsics);
    lidar_model_rings(model, ring);
    init_range(block, options);
    init_gathering(block);
    init_order(block, ring);
    init_beams(block);
    init_filter(block, options);
    init_templates(block);
    if (block->kernel->prepare)
        block->kernel->prepare(block);
}

static void compute_rate(const struct lidar_block *block, double units_per_ns,
                         struct lidar_block_rate *rate)
{
    for (unsigned i = 0; i < LIDAR_BLOCK_ELEMENTS; i++) {
        unsigned laser = block->element[i] % block->model->lasers;
        double vertical = (double)block->model->vertical_deg[laser] * RADIANS_PER_DEGREE;
        double turned = block->model->has_one_azimuth ? 0 : units_per_ns * block->firing_ns[i];
        double angle = turned * RADIANS_PER_UNIT -
                       (double)block->model->azimuth_offset_deg[laser] * RADIANS_PER_DEGREE;
        rate->a[i] = (float)(cos(vertical) * cos(angle));
        rate->b[i] = (float)(cos(vertical) * sin(angle));
        rate->c[i] = (float)sin(vertical);
    }
}

const struct lidar_block_rate *lidar_block_rate(struct lidar_block *block, int32_t advance,
                                                uint32_t steps)
{
    if (block->model->has_one_azimuth)
        advance = steps = 1;                                   /* all rates give the same */
    uint32_t key = (uint32_t)advance * RATE_STEPS_MAX + steps; /* never 0: steps is at least 1 */
    uint32_t at = ((uint32_t)advance ^ steps) & (LIDAR_RATES - 1);
    if (block->rate_key[at] != key) {
        double step_ns = (double)lidar_model_group_ns(block->model);
        compute_rate(block, advance / (steps * step_ns), &block->rate[at]);
        block->rate_key[at] = key;
    }
    return &block->rate[at];
}

void lidar_block_hole(struct lidar_block *block, uint8_t *to, float time_s)
{
    unsigned points = block->model->lasers - block->first;
    if (points > LIDAR_BLOCK_ELEMENTS)
        points = LIDAR_BLOCK_ELEMENTS;
    for (unsigned i = 0; i < LIDAR_BLOCK_ELEMENTS; i++) {
        uint8_t *point = block->hole + block->place[i] * LIDAR_POINT_BYTES;
        if (block->place[i] < points)
            put_float(point + LIDAR_POINT_TIME, time_s + block->time_s[0][i]);
    }
    sl_stream_copy(to, block->hole, (size_t)points * LIDAR_POINT_BYTES);
}

/* The scalar kernel. */

struct position {
    float x, y, z;
};

INLINE struct position position_of(const struct lidar_block *block,
                                   const struct lidar_block_rate *rate,
                                   const struct lidar_block_job *job, unsigned i, float range)
{
    float a = rate->a[i], b = rate->b[i];
    struct position p = {
        .x = range * (a * job->cosine - b * job->sine),
        .y = range * (a * -job->sine - b * job->cosine),
        .z = range * rate->c[i] + block->v[i],
    };
    if (!block->has_extrinsics)
        return p;
    const float *m = block->extrinsics;
    return (struct position){
        .x = ((m[0] * p.x + m[1] * p.y) + m[2] * p.z) + m[3],
        .y = ((m[4] * p.x + m[5] * p.y) + m[6] * p.z) + m[7],
        .z = ((m[8] * p.x + m[9] * p.y) + m[10] * p.z) + m[11],
    };
}

/* Position `i` of the kernel's order. */
static bool is_kept(const struct lidar_block *block, const struct lidar_block_job *job, unsigned i,
                    struct position p)
{
    return block->kept[i] && !job->is_left_out[block->place[i] / LIDAR_HALF_POINTS] &&
           lidar_filter_keeps(&block->filter, p.x, p.y, p.z);
}

static uint32_t distance_of(const struct lidar_block *block, const uint8_t *element)
{
    return block->model->is_big_endian ? sl_get_be16(element) : sl_get_le16(element);
}

INLINE void scalar_job(struct lidar_block *block, const struct lidar_block_rate *rate,
                       struct lidar_block_job *job, bool is_filtered)
{
    uint8_t *staging = block->staging[0];
    unsigned points = block->points;
    job->valid[0] = job->valid[1] = 0;
    job->filtered[0] = job->filtered[1] = 0;
    /* Where there are fewer than 32, elements are gathered: their order is that of their places. */
    for (unsigned i = 0; i < points; i++) {
        uint32_t offset = block->offset[job->is_dual][i];
        const uint8_t *element = job->wire + offset;
        unsigned half = block->place[i] / LIDAR_HALF_POINTS;
        uint8_t *point = staging + block->place[i] * LIDAR_POINT_BYTES;
        uint32_t raw = distance_of(block, element);
        bool is_new = true, is_valid = raw - block->raw_min <= block->raw_span;
        for (unsigned n = 0; n < LIDAR_RETURNS_MAX - 1 && job->equal[n]; n++)
            is_new &= memcmp(element, job->equal[n] + offset, LIDAR_ELEMENT_BYTES) != 0;
        is_valid &= is_new;
        struct position p = {quiet_nan(), quiet_nan(), quiet_nan()};
        if (is_valid) {
            struct position at = position_of(block, rate, job, i, (float)raw * block->unit_m);
            is_valid = !is_filtered || is_kept(block, job, i, at);
            if (is_valid)
                p = at;
        }
        put_float(point + LIDAR_POINT_X, p.x);
        put_float(point + LIDAR_POINT_Y, p.y);
        put_float(point + LIDAR_POINT_Z, p.z);
        put_float(point + LIDAR_POINT_INTENSITY, is_valid ? (float)element[2] : 0);
        put_float(point + LIDAR_POINT_TIME, job->time_s[half] + block->time_s[job->order][i]);
        job->valid[half] = (uint8_t)(job->valid[half] + is_valid);
        if (is_filtered && raw != 0 && is_new && !is_valid)
            job->filtered[half]++;
    }
    for (unsigned half = 0; half < 2; half++) {
        unsigned left = points > half * LIDAR_HALF_POINTS ? points - half * LIDAR_HALF_POINTS : 0;
        if (left > LIDAR_HALF_POINTS)
            left = LIDAR_HALF_POINTS;
        if (job->to[half])
            sl_stream_copy(job->to[half], staging + half * LIDAR_HALF_BYTES,
                           (size_t)left * LIDAR_POINT_BYTES);
    }
}

static void scalar_decode(struct lidar_block *block, const struct lidar_block_rate *rate,
                          struct lidar_block_job *jobs, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (block->is_filtered)
            scalar_job(block, rate, &jobs[i], true);
        else
            scalar_job(block, rate, &jobs[i], false);
    }
}

const struct lidar_block_kernel lidar_block_kernel_scalar = {
    .simd = LIDAR_SIMD_SCALAR,
    .takes_all = true,
    .decode = scalar_decode,
};
