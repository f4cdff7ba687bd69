/* SPDX-License-Identifier: Apache-2.0 */
/* geometry.c - the rate of rotation of a packet, and the jump inside it if there is one. */
#include "drivers/lidar/geometry.h"

#include <math.h>

#include "core/base/clock.h"

static int32_t forward(uint16_t from, uint16_t to)
{
    int32_t units = (int32_t)to - (int32_t)from;
    return units < 0 ? units + LIDAR_AZIMUTH_UNITS : units;
}

static bool is_believed(const struct lidar_model *model, int32_t advance, int32_t steps)
{
    double step_s =
        (double)model->column_period_ns * model->columns_per_block / (double)SL_NS_PER_S;
    double hz = advance / (steps * step_s) / LIDAR_AZIMUTH_UNITS;
    return hz >= LIDAR_ROTATION_MIN_HZ && hz <= LIDAR_ROTATION_MAX_HZ;
}

/* Do all azimuths lie on a line from the first to the last? */
static bool is_even(const struct lidar_packet *packet, int32_t advance, int32_t steps)
{
    for (int32_t i = 1; i < steps; i++) {
        int32_t off = forward(packet->azimuth[0], packet->azimuth[i]) * steps - advance * i;
        if (off > LIDAR_JITTER_UNITS * steps || off < -LIDAR_JITTER_UNITS * steps)
            return false;
    }
    return true;
}

static void set_rate(const struct lidar_packet *packet, int32_t advance, int32_t steps,
                     struct lidar_geometry *geometry)
{
    unsigned per_block = packet->model->columns_per_block;
    geometry->advance = (uint32_t)advance;
    geometry->steps = (uint32_t)steps;
    geometry->units_per_column = (double)advance / (steps * (int32_t)per_block);
    geometry->column_count = packet->group_count * per_block;
    geometry->jump_column = geometry->column_count;
    geometry->jump_ns = 0;
    geometry->span_units = advance + (per_block - 1) * geometry->units_per_column;
}

/* One step that is longer than all others, which are even: the blind part of a limited field of
 * view. */
static bool find_jump(const struct lidar_packet *packet, int32_t steps,
                      struct lidar_geometry *geometry)
{
    int32_t step[LIDAR_BLOCKS_MAX], sum = 0, longest = 0;
    for (int32_t i = 0; i < steps; i++) {
        step[i] = forward(packet->azimuth[i], packet->azimuth[i + 1]);
        sum += step[i];
        if (step[i] > step[longest])
            longest = i;
    }
    int32_t advance = sum - step[longest];
    if (steps < 3 || !is_believed(packet->model, advance, steps - 1))
        return false;
    double even = (double)advance / (steps - 1);
    for (int32_t i = 0; i < steps; i++) {
        if (i != longest && fabs(step[i] - even) > LIDAR_JITTER_UNITS)
            return false;
    }
    set_rate(packet, advance, steps - 1, geometry);
    double blind_columns = round((step[longest] - even) / geometry->units_per_column);
    geometry->jump_column = (unsigned)(longest + 1) * packet->model->columns_per_block;
    geometry->jump_ns = (int64_t)blind_columns * packet->model->column_period_ns;
    geometry->span_units += step[longest];
    return true;
}

bool lidar_geometry_of(const struct lidar_packet *packet, struct lidar_geometry *ret_geometry)
{
    int32_t steps = packet->group_count - 1;
    int32_t advance = forward(packet->azimuth[0], packet->azimuth[steps]);
    if (is_even(packet, advance, steps)) {
        if (!is_believed(packet->model, advance, steps))
            return false;
        set_rate(packet, advance, steps, ret_geometry);
        return true;
    }
    return find_jump(packet, steps, ret_geometry);
}

void lidar_turn_init(struct lidar_turn *turn)
{
    const double unit = 2 * 3.14159265358979323846 / LIDAR_AZIMUTH_UNITS;
    for (unsigned i = 0; i < LIDAR_TURN_COARSE; i++) {
        turn->coarse_cos[i] = cos(i * LIDAR_TURN_FINE * unit);
        turn->coarse_sin[i] = sin(i * LIDAR_TURN_FINE * unit);
    }
    for (unsigned i = 0; i < LIDAR_TURN_FINE; i++) {
        turn->fine_cos[i] = cos(i * unit);
        turn->fine_sin[i] = sin(i * unit);
    }
}
