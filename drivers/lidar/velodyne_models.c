/* SPDX-License-Identifier: Apache-2.0 */
/* velodyne_models.c - Velodyne's sensors as tables.
 *
 * Sources: VLP-16 User Manual 63-9243 (sections 9.3 "Packet structure", 9.4 "Precision azimuth",
 * appendix for the Puck Hi-Res' angles and vertical offsets); stamp steps of the others as measured
 * on captures.
 */
#include "drivers/lidar/velodyne.h"

/* clang-format off */
#define VLP16_FAMILY \
    .lasers = 16, .columns_per_block = 2, .blocks = 12, .range_unit_m = 0.002f, \
    .column_period_ns = 55296, .firing_step_ns = 2304, .lasers_per_firing = 1, \
    .rotation_min_hz = 5, .rotation_max_hz = 20

#define VLP16_ANGLES \
    .vertical_deg = {-15, 1, -13, 3, -11, 5, -9, 7, -7, 9, -5, 11, -3, 13, -1, 15}

static const struct lidar_model vlp16 = {
    .name = "VLP-16", .aliases = {"vlp16", "puck"}, .product_id = 0x22, VLP16_FAMILY, VLP16_ANGLES,
};

/* The lighter housing of the same sensor; its packets are the same. */
static const struct lidar_model puck_lite = {
    .name = "Puck LITE", .aliases = {"puck-lite", "puck_lite"}, .product_id = 0x22, VLP16_FAMILY,
    VLP16_ANGLES,
};

static const struct lidar_model puck_hi_res = {
    .name = "Puck Hi-Res", .aliases = {"puck-hi-res", "puck_hires"}, .product_id = 0x24, VLP16_FAMILY,
    .vertical_deg = {-10, 0.667f, -8.667f, 2, -7.333f, 3.333f, -6, 4.667f,
                     -4.667f, 6, -3.333f, 7.333f, -2, 8.667f, -0.667f, 10},
    .vertical_offset_mm = {7.4f, -0.9f, 6.5f, -1.8f, 5.5f, -2.7f, 4.6f, -3.7f,
                           3.7f, -4.6f, 2.7f, -5.5f, 1.8f, -6.5f, 0.9f, -7.4f},
};

const struct lidar_model *const velodyne_models[] = {&vlp16, &puck_lite, &puck_hi_res, NULL};

const struct lidar_identity velodyne_identities[] = {
    /* The first VLP-16 firmware (2014) called itself an HDL-32E; the stamps tell them apart. */
    {"VLP-16",      0x22, 0x21, 1327.104f, 663.552f, &vlp16},
    {"Puck Hi-Res", 0x24, 0,    1327.104f, 663.552f, &puck_hi_res},
    {"HDL-32E",     0x21, 0,     552.960f, 276.480f, NULL},
    {"VLP-32A/B",   0x23, 0,     663.552f, 331.776f, NULL},
    {"VLP-32C",     0x28, 0,     663.552f, 331.776f, NULL},
    {"VLS-128",     0xA1, 0,     165.850f,  55.280f, NULL},
    {NULL, 0, 0, 0, 0, NULL},
};
/* clang-format on */
