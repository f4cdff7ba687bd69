/* SPDX-License-Identifier: Apache-2.0 */
/* geometry.c - the rate of rotation of a packet, and the jump inside it if there is one. */
#include "drivers/lidar/geometry.h"

#include <math.h>

#include "core/base/clock.h"

/* The way that the sensor turns. */
static int32_t forward(bool is_reversed, uint16_t from, uint16_t to)
{
    int32_t units = is_reversed ? (int32_t)from - (int32_t)to : (int32_t)to - (int32_t)from;
    return units < 0 ? units + LIDAR_AZIMUTH_UNITS : units;
}

static bool is_believed(const struct lidar_model *model, int32_t advance, int32_t steps)
{
    double step_s = (double)lidar_model_group_ns(model) / (double)SL_NS_PER_S;
    double hz = advance / (steps * step_s) / LIDAR_AZIMUTH_UNITS;
    return hz >= LIDAR_ROTATION_MIN_HZ && hz <= LIDAR_ROTATION_MAX_HZ;
}

/* Do all azimuths lie on a line from the first to the last? */
static bool is_even(const struct lidar_packet *packet, bool is_reversed, int32_t advance,
                    int32_t steps)
{
    for (int32_t i = 1; i < steps; i++) {
        int32_t off =
            forward(is_reversed, packet->azimuth[0], packet->azimuth[i]) * steps - advance * i;
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
    bool is_reversed = geometry->is_reversed;
    int32_t step[LIDAR_BLOCKS_MAX], sum = 0, longest = 0;
    for (int32_t i = 0; i < steps; i++) {
        step[i] = forward(is_reversed, packet->azimuth[i], packet->azimuth[i + 1]);
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

/* Packets that are too short for a rate of their own. */

/* Is the packet's beginning where the rate takes the rotation since the newest group? */
static bool goes_on(const struct lidar_track *track, const struct lidar_packet *packet,
                    double group_ns)
{
    unsigned newest = (track->next + LIDAR_TRACK_GROUPS - 1) % LIDAR_TRACK_GROUPS;
    double steps = (double)(packet->time_ns - track->time_ns[newest]) / group_ns;
    if (!(steps > 0.5 && steps < LIDAR_TRACK_STEPS))
        return false;
    if (track->steps == 0 || track->count == 1) /* or it is the rate of another time, or a guess */
        return true;
    double expected = steps * track->advance / track->steps;
    double off = forward(track->is_reversed, track->azimuth[newest], packet->azimuth[0]) - expected;
    if (off > LIDAR_AZIMUTH_UNITS / 2.0)
        off -= LIDAR_AZIMUTH_UNITS;
    return fabs(off) <= LIDAR_JITTER_UNITS + expected / 2;
}

static void remember(struct lidar_track *track, uint16_t azimuth, int64_t time_ns)
{
    track->azimuth[track->next] = azimuth;
    track->time_ns[track->next] = time_ns;
    track->next = (track->next + 1) % LIDAR_TRACK_GROUPS;
    track->count += track->count < LIDAR_TRACK_GROUPS;
}

/* Is that a rate in one of the two ways? Nothing reverses a mirror (mirror.h). */
static void believe_rate(struct lidar_track *track, const struct lidar_model *model,
                         int32_t advance, int32_t steps)
{
    bool is_reversed = !model->mirror && advance > LIDAR_AZIMUTH_UNITS / 2;
    if (is_reversed)
        advance = LIDAR_AZIMUTH_UNITS - advance;
    if (steps >= 1 && is_believed(model, advance, steps)) {
        track->advance = (uint32_t)advance;
        track->steps = (uint32_t)steps;
        track->is_reversed = is_reversed;
    } else {
        track->advance = track->steps = 0; /* it has stopped */
    }
}

/* The rate and the way from the oldest group that is near enough to the newest one. */
static void update_rate(struct lidar_track *track, const struct lidar_model *model)
{
    double group_ns = (double)lidar_model_group_ns(model);
    unsigned newest = (track->next + LIDAR_TRACK_GROUPS - 1) % LIDAR_TRACK_GROUPS;
    for (; track->count >= 2; track->count--) {
        unsigned oldest = (track->next + LIDAR_TRACK_GROUPS - track->count) % LIDAR_TRACK_GROUPS;
        double steps = round((double)(track->time_ns[newest] - track->time_ns[oldest]) / group_ns);
        if (steps >= LIDAR_TRACK_STEPS)
            continue;
        int32_t advance = forward(false, track->azimuth[oldest], track->azimuth[newest]);
        believe_rate(track, model, advance, (int32_t)steps);
        return;
    }
}

/* One group and nothing before it says nothing of the rate. It matters little for one packet; the
 * slowest rate gives a frame the most room. */
static void assume_rate(struct lidar_track *track, const struct lidar_model *model)
{
    double group_s = (double)lidar_model_group_ns(model) / (double)SL_NS_PER_S;
    double steps = LIDAR_TRACK_STEPS - 1;
    track->steps = LIDAR_TRACK_STEPS - 1;
    track->advance =
        (uint32_t)(steps * group_s * (double)model->rotation_min_hz * LIDAR_AZIMUTH_UNITS);
}

static void follow(struct lidar_track *track, const struct lidar_packet *packet)
{
    double group_ns = (double)lidar_model_group_ns(packet->model);
    if (track->count > 0 && !goes_on(track, packet, group_ns))
        lidar_track_restart(track);
    for (unsigned i = 0; i < packet->group_count; i++)
        remember(track, packet->azimuth[i], packet->time_ns + (int64_t)(i * group_ns));
    if (track->count == 1 && track->steps == 0)
        assume_rate(track, packet->model);
    else
        update_rate(track, packet->model);
}

/* The one step that is too long for an even rotation; 0 = none. False if there are several, or one
 * that is too short or goes back. */
static bool find_short_jump(const struct lidar_packet *packet, const struct lidar_track *track,
                            unsigned *ret_jump)
{
    double even = (double)track->advance / track->steps;
    *ret_jump = 0;
    for (unsigned i = 1; i < packet->group_count; i++) {
        int32_t step = forward(track->is_reversed, packet->azimuth[i - 1], packet->azimuth[i]);
        int32_t back = LIDAR_AZIMUTH_UNITS - step;
        if (fabs(step - even) <= LIDAR_JITTER_UNITS)
            continue;
        if (step < even || back < LIDAR_JITTER_UNITS || is_believed(packet->model, back, 1) ||
            *ret_jump > 0)
            return false;
        *ret_jump = i;
    }
    return true;
}

static bool short_geometry_of(const struct lidar_packet *packet, struct lidar_track *track,
                              bool is_next, struct lidar_geometry *geometry)
{
    unsigned jump = 0;
    bool is_odd = track->steps > 0 && !find_short_jump(packet, track, &jump);
    if (is_next && track->count == 0 && (is_odd || jump > 0)) {
        is_odd = true; /* as the one before it was: it turns otherwise than it did */
        track->steps = 0;
    }
    if (is_odd)
        return false;
    if (is_next && jump == 0)
        follow(track, packet);
    else if (is_next)
        lidar_track_restart(track);
    if (track->steps == 0)
        return false;
    geometry->is_reversed = track->is_reversed;
    set_rate(packet, (int32_t)track->advance, (int32_t)track->steps, geometry);
    geometry->span_units = (geometry->column_count - 1) * geometry->units_per_column;
    if (jump > 0) {
        double even = (double)track->advance / track->steps;
        double blind =
            forward(track->is_reversed, packet->azimuth[jump - 1], packet->azimuth[jump]) - even;
        double columns = round(blind / geometry->units_per_column);
        geometry->jump_column = jump * packet->model->columns_per_block;
        geometry->jump_ns = (int64_t)columns * packet->model->column_period_ns;
        geometry->span_units += blind;
    }
    return true;
}

/* Is the packet that of a sensor that turns this way? */
static bool is_this_way(const struct lidar_packet *packet, bool is_reversed,
                        struct lidar_geometry *geometry)
{
    int32_t steps = packet->group_count - 1;
    int32_t advance = forward(is_reversed, packet->azimuth[0], packet->azimuth[steps]);
    geometry->is_reversed = is_reversed;
    if (!is_even(packet, is_reversed, advance, steps))
        return find_jump(packet, steps, geometry);
    if (!is_believed(packet->model, advance, steps))
        return false;
    set_rate(packet, advance, steps, geometry);
    return true;
}

bool lidar_geometry_of(const struct lidar_packet *packet, struct lidar_track *track, bool is_next,
                       struct lidar_geometry *ret_geometry)
{
    if (lidar_packet_is_short(packet))
        return short_geometry_of(packet, track, is_next, ret_geometry);
    if (is_this_way(packet, track->is_reversed, ret_geometry))
        return true;
    if (!is_next || packet->model->mirror ||
        !is_this_way(packet, !track->is_reversed, ret_geometry))
        return false;
    track->is_reversed = !track->is_reversed;
    return true;
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
