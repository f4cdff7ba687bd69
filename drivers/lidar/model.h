/* SPDX-License-Identifier: Apache-2.0 */
/* model.h - what distinguishes one rotating lidar from another, as data.
 *
 * A model is a const table. Adding one of this kind (packets of equal blocks, each of one azimuth
 * and some lasers) is a table and a line in a vendor's list; nothing else asks for a model's name.
 *
 * Life:    the tables live as long as the program.
 * Owner:   the vendor's file (velodyne_models.c).
 * Threads: any; they are constant.
 * Errors:  none.
 */
#ifndef SL_DRIVERS_LIDAR_MODEL_H
#define SL_DRIVERS_LIDAR_MODEL_H

#include <stddef.h>
#include <stdint.h>

#define LIDAR_LASERS_MAX     32    /* in a column */
#define LIDAR_BLOCKS_MAX     12    /* in a packet */
#define LIDAR_BLOCK_ELEMENTS 32    /* distance and intensity pairs in a block */
#define LIDAR_COLUMNS_MAX    24    /* in a packet */
#define LIDAR_AZIMUTH_UNITS  36000 /* a turn in the wire's unit of 0.01 degrees */
#define LIDAR_ALIASES_MAX    2
#define LIDAR_RETURNS_MAX    2

struct lidar_model {
    const char *name;                       /* as people write it: "VLP-16" */
    const char *aliases[LIDAR_ALIASES_MAX]; /* other spellings that a configuration may use */
    uint8_t product_id;                     /* last byte of its packets */

    uint8_t lasers;            /* in a column: 16 or 32 */
    uint8_t columns_per_block; /* firing sequences that share a block's azimuth */
    uint8_t blocks;            /* in a packet */
    float range_unit_m;        /* of the wire's distance */

    /* Time inside a packet: column c begins at c * column_period_ns after the packet's stamp, laser
     * l fires (l / lasers_per_firing) * firing_step_ns later. */
    uint32_t column_period_ns;
    uint32_t firing_step_ns;
    uint8_t lasers_per_firing;

    float rotation_min_hz; /* that the maker allows; frames have room for the slowest */
    float rotation_max_hz;

    /* By laser id, in the order of the wire. */
    float vertical_deg[LIDAR_LASERS_MAX];
    float azimuth_offset_deg[LIDAR_LASERS_MAX]; /* taken from the azimuth */
    float vertical_offset_mm[LIDAR_LASERS_MAX]; /* of the ray's origin along z */
};

/* A kind of sensor that packets may tell, whether or not it can be decoded yet. */
struct lidar_identity {
    const char *name;
    uint8_t product_id;
    uint8_t early_product_id; /* that early firmware wrote instead, 0 = none */
    /* Microseconds from one packet's stamp to the next one's, by return mode; 0 = has no such mode.
     */
    float step_single_us;
    float step_dual_us;
    const struct lidar_model *model; /* NULL = known by name only */
};

/* Columns in a packet; where two returns are sent, two blocks hold the same columns. */
static inline unsigned lidar_model_columns(const struct lidar_model *model, unsigned returns)
{
    return (unsigned)model->blocks / returns * model->columns_per_block;
}

/* Rank of each laser's vertical angle, lowest 0: the ring number and the place in a column. */
void lidar_model_rings(const struct lidar_model *model, uint8_t ret_ring[LIDAR_LASERS_MAX]);

/* Columns in a turn at the slowest rotation that the maker allows, and a margin. */
unsigned lidar_model_turn_columns(const struct lidar_model *model);

#endif
