/* SPDX-License-Identifier: Apache-2.0 */
/* mirror.c - see mirror.h. */
#include "drivers/lidar/mirror.h"

#include <math.h>

#define RADIANS_PER_UNIT (3.14159265358979323846 / 180.0 / 100.0) /* of 0.01 degrees */
#define UNITS_PER_DEGREE 100
#define PLACES_PER_UNIT  256 /* of a mirror, in 0.01 degrees */
#define STEP_PLACES      ((int32_t)(LIDAR_MIRROR_UNITS / LIDAR_MIRROR_STEPS))
#define AHEAD_UNITS      9000 /* the azimuth of what is ahead */

/* How far a place is behind the begin of its field; the first one, where fields meet. */
static bool find_field(const struct lidar_mirror *mirror, uint32_t place, uint32_t *ret_into)
{
    for (unsigned i = 0; i < mirror->fields; i++) {
        uint32_t into = (place + LIDAR_MIRROR_UNITS - mirror->begin[i]) % LIDAR_MIRROR_UNITS;
        if (into <= mirror->end[i] - mirror->begin[i]) {
            *ret_into = into;
            return true;
        }
    }
    return false;
}

bool lidar_mirror_course(const struct lidar_mirror *mirror, uint32_t place, uint16_t *ret_course)
{
    uint32_t into = 0;
    if (!find_field(mirror, place, &into))
        return false;
    *ret_course = (uint16_t)(into * mirror->fields / PLACES_PER_UNIT % LIDAR_AZIMUTH_UNITS);
    return true;
}

void lidar_mirror_turn(const struct lidar_mirror *mirror, uint32_t place, float *ret_cosine,
                       float *ret_sine)
{
    uint32_t into = 0;
    find_field(mirror, place, &into);
    double angle = (2.0 * into / PLACES_PER_UNIT - AHEAD_UNITS) * RADIANS_PER_UNIT;
    *ret_cosine = (float)cos(angle);
    *ret_sine = (float)sin(angle);
}

/* Between two steps, rounded to whole units. */
static int32_t correction(const int8_t *steps, uint32_t place)
{
    uint32_t step = place / STEP_PLACES % LIDAR_MIRROR_STEPS;
    int32_t into = (int32_t)(place % STEP_PLACES);
    int32_t sum =
        (STEP_PLACES - into) * steps[step] + into * steps[(step + 1) % LIDAR_MIRROR_STEPS];
    return (sum + (sum < 0 ? -STEP_PLACES : STEP_PLACES) / 2) / STEP_PLACES;
}

static void aim(const struct lidar_block *block, unsigned i, struct lidar_block_rate *rate)
{
    const struct lidar_model *model = block->model;
    unsigned laser = block->element[i] % model->lasers;
    double vertical = (double)model->vertical_deg[laser] * UNITS_PER_DEGREE + block->raised[i];
    double offset = block->turned[i] - (double)model->azimuth_offset_deg[laser] * UNITS_PER_DEGREE;
    double flat = cos(vertical * RADIANS_PER_UNIT);
    rate->a[i] = (float)(flat * cos(offset * RADIANS_PER_UNIT));
    rate->b[i] = (float)(flat * sin(offset * RADIANS_PER_UNIT));
    rate->c[i] = (float)sin(vertical * RADIANS_PER_UNIT);
}

/* From one column to the next few lasers' corrections change, so few have to be aimed anew. */
const struct lidar_block_rate *lidar_mirror_rate(const struct lidar_mirror *mirror, uint32_t place,
                                                 struct lidar_block *block)
{
    struct lidar_block_rate *rate = &block->rate[0];
    bool is_first = block->rate_key[0] == 0;
    block->rate_key[0] = 1;
    for (unsigned i = 0; i < LIDAR_BLOCK_ELEMENTS; i++) {
        unsigned laser = block->element[i] % block->model->lasers;
        int32_t turned = correction(mirror->azimuth[laser], place);
        int32_t raised = correction(mirror->elevation[laser], place);
        if (!is_first && turned == block->turned[i] && raised == block->raised[i])
            continue;
        block->turned[i] = turned;
        block->raised[i] = raised;
        aim(block, i, rate);
    }
    return rate;
}
