/* SPDX-License-Identifier: Apache-2.0 */
/* geometry.h - where the sensor looked, and when, at each column of a packet.
 *
 * The rate of rotation is taken over the whole packet: single azimuths jitter by a unit or two.
 * Packets of few groups are too short for that; there it is taken over the last LIDAR_TRACK_GROUPS
 * groups, of whatever packets. A sensor whose field of view is limited goes on with the same packet
 * after the blind part, so azimuth and time may jump once inside it.
 *
 * A sensor that turns counterclockwise sends azimuths that fall. Its way is told from each packet,
 * or of short ones from the last groups. How far it has come is counted the way it turns, so that
 * this grows in either case: its course, which is 36000 less the azimuth if it is reversed.
 *
 * Life:    values; nothing to free. A lidar_track starts as zeros.
 * Owner:   the caller.
 * Threads: any.
 * Errors:  false where azimuths are not those of a turning sensor.
 */
#ifndef SL_DRIVERS_LIDAR_GEOMETRY_H
#define SL_DRIVERS_LIDAR_GEOMETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "drivers/lidar/packet.h"

/* Rates of rotation that are believed; a motor that is starting or stopping is outside. */
#define LIDAR_ROTATION_MIN_HZ 1.0
#define LIDAR_ROTATION_MAX_HZ 30.0
/* Azimuths stay within this of an even rotation, in units of 0.01 degrees (4.6 seen at 20 Hz). */
#define LIDAR_JITTER_UNITS 30

struct lidar_geometry {
    bool is_reversed; /* the sensor turns counterclockwise */
    uint32_t advance; /* 0.01 degrees in `steps` blocks' time, without the jump; either way */
    uint32_t steps;
    double units_per_column;
    double span_units;     /* from the first column to the last, with the jump */
    unsigned column_count; /* in the packet */
    unsigned jump_column;  /* the first one after a jump; column_count = there is none */
    int64_t jump_ns; /* that columns from there on are later than their place in the packet says */
};

/* The rotation over the packets before; where packets are long enough only the way it goes. */
#define LIDAR_TRACK_GROUPS 12
#define LIDAR_TRACK_STEPS  64 /* groups' times that it may span, where packets were lost */
struct lidar_track {
    unsigned count, next; /* groups that are remembered, place of the one to come */
    uint16_t azimuth[LIDAR_TRACK_GROUPS];
    int64_t time_ns[LIDAR_TRACK_GROUPS];
    uint32_t advance, steps; /* the rate last believed; 0 = none yet */
    bool is_reversed;        /* the way last believed */
};

/* Does the rate of such a sensor have to be taken over several packets? */
static inline bool lidar_packet_is_short(const struct lidar_packet *packet)
{
    return packet->group_count < LIDAR_TRACK_GROUPS / 2;
}

/* `is_next`: the packet follows those that the track has seen; else it is a late one, of which
 * nothing is learnt. */
bool lidar_geometry_of(const struct lidar_packet *packet, struct lidar_track *track, bool is_next,
                       struct lidar_geometry *ret_geometry);

/* The rotation begins anew: forget where it was, but not how fast. */
static inline void lidar_track_restart(struct lidar_track *track)
{
    track->count = 0;
}

/* On the sensor's time line. */
static inline int64_t lidar_column_ns(const struct lidar_packet *packet,
                                      const struct lidar_geometry *geometry, unsigned column)
{
    return packet->time_ns + (int64_t)column * packet->model->column_period_ns +
           (column >= geometry->jump_column ? geometry->jump_ns : 0);
}

/* How far in its course, in 0.01 degrees, 0 <= a <= 36000 + a column's advance. */
static inline double lidar_column_units(const struct lidar_packet *packet,
                                        const struct lidar_geometry *geometry, unsigned column)
{
    unsigned per_block = packet->model->columns_per_block;
    unsigned azimuth = packet->azimuth[column / per_block];
    return (geometry->is_reversed ? LIDAR_AZIMUTH_UNITS - azimuth : azimuth) +
           (double)(column % per_block) * geometry->units_per_column;
}

/* cos and sin of a multiple of 0.01 degrees as a sum of two angles; small enough for the
 * first-level cache. In double precision, so that the float is right. */
#define LIDAR_TURN_FINE   128
#define LIDAR_TURN_COARSE (LIDAR_AZIMUTH_UNITS / LIDAR_TURN_FINE + 1)
struct lidar_turn {
    double coarse_cos[LIDAR_TURN_COARSE], coarse_sin[LIDAR_TURN_COARSE];
    double fine_cos[LIDAR_TURN_FINE], fine_sin[LIDAR_TURN_FINE];
};

void lidar_turn_init(struct lidar_turn *turn);

static inline void lidar_turn_of(const struct lidar_turn *turn, unsigned azimuth, float *ret_cosine,
                                 float *ret_sine)
{
    unsigned coarse = azimuth / LIDAR_TURN_FINE, fine = azimuth % LIDAR_TURN_FINE;
    double cc = turn->coarse_cos[coarse], cs = turn->coarse_sin[coarse];
    double fc = turn->fine_cos[fine], fs = turn->fine_sin[fine];
    *ret_cosine = (float)(cc * fc - cs * fs);
    *ret_sine = (float)(cs * fc + cc * fs);
}

#endif
