/* SPDX-License-Identifier: Apache-2.0 */
/* beam_kernel.c - points of a sensor whose rays do not begin on its axis, or each of whose lasers
 * was measured: RoboSense's, the HDL-64E.
 *
 * HDL-64E S2 and S3 User Manual 63-HDL64ES3, appendix "Calibration": with el and a' as everywhere
 * (block_kernel.h), r the distance on the wire and d what is added to it far away,
 *
 *      dx = near_x + (d - near_x) (|(r + d) cos(el) sin(a')| - 2.40 m) / (25.04 m - 2.40 m)
 *      dy = near_y + (d - near_y) (|(r + d) cos(el) cos(a')| - 1.93 m) / (25.04 m - 1.93 m)
 *
 * nearer than 25.04 m, and dx = dy = d beyond or where the near values are not known. In the axes
 * of REP-103, s the ray's origin to the side and V its height:
 *
 *      x =   (r + dy) cos(el) cos(a') + s sin(a')
 *      y = -((r + dx) cos(el) sin(a') - s cos(a'))
 *      z =   (r + (dx + dy) / 2) sin(el) + V
 *
 * Intensity grows with the distance from the laser's focus F, in parts of the longest distance,
 * which is 65535 units of 2 mm:
 *
 *      I + 256 slope |(1 - F / 131.07 m)^2 - (1 - distance / 65535)^2|
 *
 * One point at a time; block_kernel_lanes.c does the same in the same order, several at once.
 */
#include <math.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/uncached/stream.h"
#include "drivers/lidar/block_kernels.h"

struct where {
    float x, y, z;
};

static float near_or_far(float far_m, float near_m, float at_m, float from_m)
{
    return near_m + (far_m - near_m) * (at_m - from_m) / (LIDAR_BEAM_FAR_M - from_m);
}

static const struct lidar_beam *beam_of(const struct lidar_block *block, unsigned i)
{
    return &block->model->beams[block->element[i] % block->model->lasers];
}

/* Position `i` of the block, at the distance `r` that the wire tells. */
static struct where where_is(const struct lidar_block *block, const struct lidar_block_rate *rate,
                             const struct lidar_block_job *job, unsigned i, float r)
{
    const struct lidar_beam *beam = beam_of(block, i);
    float a = rate->a[i], b = rate->b[i];
    float flat = sqrtf(a * a + b * b); /* cos(el) */
    float ahead = a * job->cosine - b * job->sine, right = a * job->sine + b * job->cosine;
    float dx = beam->distance_m, dy = beam->distance_m;
    if (beam->has_near && r < LIDAR_BEAM_FAR_M) {
        float corrected = r + beam->distance_m;
        dx = near_or_far(dx, beam->distance_x_m, fabsf(corrected * right), LIDAR_BEAM_NEAR_X_M);
        dy = near_or_far(dy, beam->distance_y_m, fabsf(corrected * ahead), LIDAR_BEAM_NEAR_Y_M);
    }
    float aside = flat > 0 ? beam->sideways_m / flat : 0;
    return (struct where){
        .x = (r + dy) * ahead + aside * right,
        .y = aside * ahead - (r + dx) * right,
        .z = (r + (dx + dy) / 2) * rate->c[i] + block->v[i],
    };
}

static struct where transform(const struct lidar_block *block, struct where p)
{
    const float *m = block->extrinsics;
    if (!block->has_extrinsics)
        return p;
    return (struct where){
        .x = m[0] * p.x + m[1] * p.y + m[2] * p.z + m[3],
        .y = m[4] * p.x + m[5] * p.y + m[6] * p.z + m[7],
        .z = m[8] * p.x + m[9] * p.y + m[10] * p.z + m[11],
    };
}

static float intensity_of(const struct lidar_beam *beam, float raw, float intensity)
{
    float focus = 1 - beam->focal_distance_m / LIDAR_BEAM_RAW_MAX_M,
          here = 1 - raw / LIDAR_BEAM_RAW_MAX;
    intensity += LIDAR_BEAM_FOCUS_SCALE * beam->focal_slope * fabsf(focus * focus - here * here);
    return fminf(fmaxf(intensity, beam->intensity_min), beam->intensity_max);
}

static bool is_kept(const struct lidar_block *block, const struct lidar_block_job *job, unsigned i,
                    struct where p)
{
    return block->kept[i] && !job->is_left_out[block->place[i] / LIDAR_HALF_POINTS] &&
           lidar_filter_keeps(&block->filter, p.x, p.y, p.z);
}

/* All of a point but its ring, which stands in the staging. */
static void decode_point(const struct lidar_block *block, const struct lidar_block_rate *rate,
                         struct lidar_block_job *job, unsigned i, uint8_t *point)
{
    uint32_t offset = block->offset[job->is_dual][i], nan = LIDAR_NAN_BITS;
    const uint8_t *element = job->wire + offset;
    uint32_t raw = block->model->is_big_endian ? sl_get_be16(element) : sl_get_le16(element);
    unsigned half = block->place[i] / LIDAR_HALF_POINTS;
    float time_s = job->time_s[half] + block->time_s[0][i];
    bool is_point = raw != 0;
    for (unsigned n = 0; n < LIDAR_RETURNS_MAX - 1 && job->equal[n]; n++)
        is_point &= memcmp(element, job->equal[n] + offset, LIDAR_ELEMENT_BYTES) != 0;
    bool is_valid = is_point && raw - block->raw_min <= block->raw_span;
    struct where p;
    float intensity = 0;
    memcpy(&p.x, &nan, sizeof nan);
    p.y = p.z = p.x;
    if (is_valid) {
        struct where at =
            transform(block, where_is(block, rate, job, i, (float)raw * block->unit_m));
        is_valid = !block->is_filtered || is_kept(block, job, i, at);
        if (is_valid) {
            p = at;
            intensity = intensity_of(beam_of(block, i), (float)raw, element[2]);
        }
    }
    memcpy(point + LIDAR_POINT_X, &p.x, sizeof p.x);
    memcpy(point + LIDAR_POINT_Y, &p.y, sizeof p.y);
    memcpy(point + LIDAR_POINT_Z, &p.z, sizeof p.z);
    memcpy(point + LIDAR_POINT_INTENSITY, &intensity, sizeof intensity);
    memcpy(point + LIDAR_POINT_TIME, &time_s, sizeof time_s);
    job->valid[half] += is_valid;
    job->filtered[half] += is_point && !is_valid;
}

static void decode(struct lidar_block *block, const struct lidar_block_rate *rate,
                   struct lidar_block_job *jobs, unsigned count)
{
    uint8_t *staging = block->staging[0];
    for (struct lidar_block_job *job = jobs; job < jobs + count; job++) {
        job->valid[0] = job->valid[1] = 0;
        job->filtered[0] = job->filtered[1] = 0;
        for (unsigned i = 0; i < LIDAR_BLOCK_ELEMENTS; i++) {
            unsigned place = block->place[i];
            uint8_t *point = staging + place * LIDAR_POINT_BYTES;
            decode_point(block, rate, job, i, point);
        }
        for (unsigned half = 0; half < 2; half++) {
            if (job->to[half])
                sl_stream_copy(job->to[half], staging + half * LIDAR_HALF_BYTES, LIDAR_HALF_BYTES);
        }
    }
}

const struct lidar_block_kernel lidar_block_kernel_beams = {
    .simd = LIDAR_SIMD_SCALAR,
    .decode = decode,
};
