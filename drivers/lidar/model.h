/* SPDX-License-Identifier: Apache-2.0 */
/* model.h - what distinguishes one rotating lidar from another, as data.
 *
 * A model is a const table. Adding one of this kind (packets of equal blocks, each of one azimuth
 * and some lasers) is a table and a line in a vendor's list; nothing else asks for a model's name.
 *
 * A column is what all lasers see at one azimuth, as fast as they can be fired one after the other.
 * Small sensors send several columns in a block, large ones need several blocks for a column; a
 * group is the smallest number of blocks that holds whole columns:
 *
 *      VLP-16    2 columns in a block      group = 1 block
 *      HDL-32E   1 column in a block       group = 1 block
 *      VLS-128   1 column in 4 blocks      group = 4 blocks, one for each bank of 32 lasers
 *
 * Where two returns are sent, each block is followed by the same block's second return, or each
 * column by its second return (returns_by_column).
 *
 * Life:    the tables live as long as the program; a copy that was changed (lidar_model_tune) is
 *          its maker's.
 * Owner:   the vendor's file (velodyne_models.c).
 * Threads: any; they are constant.
 * Errors:  none.
 */
#ifndef SL_DRIVERS_LIDAR_MODEL_H
#define SL_DRIVERS_LIDAR_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LIDAR_LASERS_MAX    128   /* in a column */
#define LIDAR_BLOCKS_MAX    12    /* in a packet */
#define LIDAR_COLUMNS_MAX   24    /* in a packet */
#define LIDAR_AZIMUTH_UNITS 36000 /* a turn in the wire's unit of 0.01 degrees */
#define LIDAR_ALIASES_MAX   2
#define LIDAR_RETURNS_MAX   3
#define LIDAR_FIRINGS_MAX   4 /* orders in which a column's lasers may fire */

/* What was measured of one laser of a sensor whose lasers are not where their angles alone say. */
struct lidar_beam {
    float distance_m; /* added to what the wire says, far away */
    bool has_near;    /* ... and near, along the two axes: see beam_kernel.c */
    float distance_x_m, distance_y_m;
    float sideways_m; /* of the ray's origin, to the left of where it looks */
    float focal_distance_m, focal_slope;
    float intensity_min, intensity_max;
};

struct lidar_mirror;

struct lidar_model {
    const char *name;                       /* as people write it: "VLP-16" */
    const char *aliases[LIDAR_ALIASES_MAX]; /* other spellings that a configuration may use */
    uint8_t product_id;                     /* Velodyne's: the last byte of its packets */

    /* Another model's packets carry the same id, and its angles differ: somebody has to say which
     * of them it is. */
    bool must_be_named;
    /* Its packets carry no id at all, and mean nothing without what was measured of its lasers. */
    bool must_be_calibrated;
    const struct lidar_beam *beams; /* by laser; NULL = angles and origins say it all */

    uint8_t lasers;            /* in a column */
    uint8_t columns_per_block; /* firing sequences that share a block's azimuth */
    uint8_t blocks_per_column; /* 1, or the number of banks that a column's lasers are sent in */
    bool returns_by_column; /* a column's second return follows all its banks, not each of them */
    uint8_t returns_max;    /* of a shot that it may send; 0 = 2 */
    uint8_t blocks;         /* in a packet, all of them or those that are used */
    uint16_t block_bytes;   /* from one block to the next */
    uint8_t element_bytes;  /* 3: distance u16, intensity u8; 4: and a byte that is not used */
    bool is_big_endian;     /* the distances */
    float range_unit_m;     /* of the wire's distance */

    /* Time inside a packet: column c begins at c * column_period_ns after the packet's first
     * firing, laser l fires s * firing_step_ns later, where s = g + g / firings_before_pause and
     * g = l / lasers_per_firing; or as a table says. */
    uint32_t column_period_ns;
    const float *firing_us; /* by laser, of no matter what moment; NULL = in even steps */
    float firing_first_us;  /* the least of these */
    uint8_t firing_orders;  /* tables in firing_us, one after the other; 0 = one */
    uint32_t firing_step_ns;
    uint8_t lasers_per_firing;
    uint8_t firings_before_pause; /* of a step; 0 = there is none */
    /* The sensor's firmware decides how long a column takes: as it is measured, divided into so
     * many firing steps. 0 = it is what the table says. */
    uint8_t steps_per_column;
    /* From the packet's stamp to the first firing of its first column, or of its last one. */
    int32_t stamp_to_firing_ns;
    bool stamps_last_column;
    /* The azimuth of a block is that of all its points, offsets aside: what they turn on between
     * their firings is in the offsets already. */
    bool has_one_azimuth;

    /* It does not turn as a whole, but a mirror of several facets inside: mirror.h. */
    const struct lidar_mirror *mirror;
    float view_share; /* of a turn's columns, those that are measured; 0 = all */

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
    float share; /* by which it may be off; 0 = but for the stamps' own microsecond not at all */
    const struct lidar_model *model; /* NULL = known by name only */
};

static inline unsigned lidar_model_returns(const struct lidar_model *model)
{
    return model->returns_max > 0 ? model->returns_max : 2;
}

/* Groups in a packet; where two returns are sent, a group takes twice the blocks. */
static inline unsigned lidar_model_groups(const struct lidar_model *model, unsigned returns)
{
    return (unsigned)model->blocks / (returns * model->blocks_per_column);
}

/* Columns in a packet. */
static inline unsigned lidar_model_columns(const struct lidar_model *model, unsigned returns)
{
    return lidar_model_groups(model, returns) * model->columns_per_block;
}

/* Distance and intensity pairs in a group, of one return. */
static inline unsigned lidar_model_elements(const struct lidar_model *model)
{
    return (unsigned)model->lasers * model->columns_per_block;
}

/* From one group to the next. */
static inline uint64_t lidar_model_group_ns(const struct lidar_model *model)
{
    return (uint64_t)model->column_period_ns * model->columns_per_block;
}

/* The first firing of a packet of so many groups, after its stamp. */
static inline int64_t lidar_model_first_ns(const struct lidar_model *model, unsigned groups)
{
    int64_t before_ns = (int64_t)(groups - 1) * (int64_t)lidar_model_group_ns(model);
    return model->stamp_to_firing_ns - (model->stamps_last_column ? before_ns : 0);
}

/* Orders of firing that its packets may tell. */
static inline unsigned lidar_model_orders(const struct lidar_model *model)
{
    return model->firing_orders > 1 ? model->firing_orders : 1;
}

/* When a laser fires, after its column's first. */
uint32_t lidar_model_firing_ns(const struct lidar_model *model, unsigned order, unsigned laser);

/* The model with the column period that its sensor really has. */
struct lidar_model lidar_model_tune(const struct lidar_model *model, uint32_t column_period_ns);

/* Rank of each laser's vertical angle, lowest 0: the ring number and the place in a column. Of
 * equal angles the earlier laser's is the lower. */
void lidar_model_rings(const struct lidar_model *model, uint8_t ret_ring[LIDAR_LASERS_MAX]);

/* Columns in a turn at the slowest rotation that the maker allows, and a margin. */
unsigned lidar_model_turn_columns(const struct lidar_model *model);

#endif
