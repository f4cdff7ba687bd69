/* SPDX-License-Identifier: Apache-2.0 */
/* velodyne_models.c - Velodyne's sensors as tables.
 *
 * Sources: VLP-16 User Manual 63-9243 (sections 9.3 "Packet structure", 9.4 "Precision azimuth",
 * appendix for the Puck Hi-Res' angles and vertical offsets); the other sensors' user manuals as
 * two independent programs have read them, which agree to 0.0004 degrees. Stamp steps as measured
 * on captures; docs/lidar.md says which models a capture has confirmed.
 */
#include "drivers/lidar/velodyne.h"

/* clang-format off */
#define VLP16_FAMILY \
    .lasers = 16, .columns_per_block = 2, .blocks_per_column = 1, .blocks = 12, \
    .block_bytes = 100, .element_bytes = 3, .range_unit_m = 0.002f, \
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

static const struct lidar_model hdl32e = {
    .name = "HDL-32E", .aliases = {"hdl32e", "hdl-32"}, .product_id = 0x21,
    .lasers = 32, .columns_per_block = 1, .blocks_per_column = 1, .blocks = 12,
    .block_bytes = 100, .element_bytes = 3, .range_unit_m = 0.002f,
    .column_period_ns = 46080, .firing_step_ns = 1152, .lasers_per_firing = 1,
    .rotation_min_hz = 5, .rotation_max_hz = 20,
    .vertical_deg = {-30.67f, -9.33f, -29.33f, -8, -28, -6.67f, -26.67f, -5.33f, -25.33f, -4,
                     -24, -2.67f, -22.67f, -1.33f, -21.33f, 0, -20, 1.33f, -18.67f, 2.67f,
                     -17.33f, 4, -16, 5.33f, -14.67f, 6.67f, -13.33f, 8, -12, 9.33f, -10.67f,
                     10.67f},
    .vertical_offset_mm = {17.17f, 4.76f, 16.27f, 4.07f, 15.4f, 3.38f, 14.54f, 2.7f, 13.71f,
                           2.02f, 12.89f, 1.35f, 12.09f, 0.67f, 11.31f, 0, 10.54f, -0.67f,
                           9.78f, -1.35f, 9.04f, -2.02f, 8.3f, -2.7f, 7.58f, -3.38f, 6.86f,
                           -4.07f, 6.15f, -4.76f, 5.45f, -5.45f},
};

#define VLP32_FAMILY \
    .lasers = 32, .columns_per_block = 1, .blocks_per_column = 1, .blocks = 12, \
    .block_bytes = 100, .element_bytes = 3, .range_unit_m = 0.004f, \
    .column_period_ns = 55296, .firing_step_ns = 2304, .lasers_per_firing = 2, \
    .rotation_min_hz = 5, .rotation_max_hz = 20

#define VLP32C_ANGLES \
    .vertical_deg = {-25, -1, -1.667f, -15.639f, -11.31f, 0, -0.667f, -8.843f, -7.254f, 0.333f, \
                     -0.333f, -6.148f, -5.333f, 1.333f, 0.667f, -4, -4.667f, 1.667f, 1, \
                     -3.667f, -3.333f, 3.333f, 2.333f, -2.667f, -3, 7, 4.667f, -2.333f, -2, 15, \
                     10.333f, -1.333f}, \
    .azimuth_offset_deg = {-1.4f, 4.2f, -1.4f, 1.4f, -1.4f, 1.4f, -4.2f, 1.4f, -1.4f, 4.2f, \
                           -1.4f, 1.4f, -4.2f, 1.4f, -4.2f, 1.4f, -1.4f, 4.2f, -1.4f, 4.2f, \
                           -4.2f, 1.4f, -1.4f, 1.4f, -1.4f, 1.4f, -1.4f, 4.2f, -4.2f, 1.4f, \
                           -1.4f, 1.4f}

static const struct lidar_model vlp32a = {
    .name = "VLP-32A", .aliases = {"vlp32a"}, .product_id = 0x23, .must_be_named = true,
    VLP32_FAMILY,
    .vertical_deg = {-14.3f, 0.8337f, 12.5f, -0.5f, -10.7f, 2.167f, 8.9f, -1.834f, -7, 1.167f,
                     6, -0.167f, -4.9f, 2.5f, 3.8f, -1.5f, -2.167f, 10.7f, 1.834f, -8.9f,
                     -2.5f, 4.9f, 1.5f, -3.8f, -0.834f, 14.3f, 0.5f, -12.5f, -1.167f, 7,
                     0.167f, -6},
    .azimuth_offset_deg = {-1.2f, 1.2f, -1.2f, 1.2f, -1.2f, 1.2f, -1.2f, 1.2f, -1.2f, 3.6f,
                           -1.2f, 3.6f, -1.2f, 3.6f, -1.2f, 3.6f, -1.2f, 1.2f, -1.2f, 1.2f,
                           -3.6f, 1.2f, -3.6f, 1.2f, -1.2f, 1.2f, -1.2f, 1.2f, -3.6f, 1.2f,
                           -3.6f, 1.2f},
};

static const struct lidar_model vlp32b = {
    .name = "VLP-32B", .aliases = {"vlp32b"}, .product_id = 0x23, .must_be_named = true,
    VLP32_FAMILY, VLP32C_ANGLES,
};

static const struct lidar_model vlp32c = {
    .name = "VLP-32C", .aliases = {"vlp32c", "ultra-puck"}, .product_id = 0x28,
    VLP32_FAMILY, VLP32C_ANGLES,
};

/* 16 firings of 8 lasers, a pause of a step after each 8 firings, and two steps of rest: 20. How
 * long a step takes has changed with the firmware (2.665, 2.667, 2.89 us in papers; 2.764 us on a
 * real sensor), so it is measured. With two returns the last four blocks are not used. */
static const struct lidar_model vls128 = {
    .name = "VLS-128", .aliases = {"vls128", "alpha-prime"}, .product_id = 0xA1,
    .lasers = 128, .columns_per_block = 1, .blocks_per_column = 4, .blocks = 12,
    .block_bytes = 100, .element_bytes = 3, .range_unit_m = 0.004f,
    .column_period_ns = 53300, .firing_step_ns = 2665, .lasers_per_firing = 8,
    .firings_before_pause = 8, .steps_per_column = 20, .stamp_to_firing_ns = -8700,
    .rotation_min_hz = 5, .rotation_max_hz = 20,
    .vertical_deg = {-11.742f, -1.99f, 3.4f, -5.29f, -0.78f, 4.61f, -4.08f, 1.31f, -6.5f,
                     -1.11f, 4.28f, -4.41f, 0.1f, 6.48f, -3.2f, 2.19f, -3.86f, 1.53f, -9.244f,
                     -1.77f, 2.74f, -5.95f, -0.56f, 4.83f, -2.98f, 2.41f, -6.28f, -0.89f,
                     3.62f, -5.07f, 0.32f, 7.58f, -0.34f, 5.18f, -3.64f, 1.75f, -25, -2.43f,
                     2.96f, -5.73f, 0.54f, 9.7f, -2.76f, 2.63f, -7.65f, -1.55f, 3.84f, -4.85f,
                     3.18f, -5.51f, -0.12f, 5.73f, -4.3f, 1.09f, -16.042f, -2.21f, 4.06f,
                     -4.63f, 0.76f, 15, -3.42f, 1.97f, -6.85f, -1.33f, -5.62f, -0.23f, 5.43f,
                     -3.53f, 0.98f, -19.582f, -2.32f, 3.07f, -4.74f, 0.65f, 11.75f, -2.65f,
                     1.86f, -7.15f, -1.44f, 3.95f, -2.1f, 3.29f, -5.4f, -0.01f, 4.5f, -4.19f,
                     1.2f, -13.565f, -1.22f, 4.17f, -4.52f, 0.87f, 6.08f, -3.31f, 2.08f,
                     -6.65f, 1.42f, -10.346f, -1.88f, 3.51f, -6.06f, -0.67f, 4.72f, -3.97f,
                     2.3f, -6.39f, -1, 4.39f, -5.18f, 0.21f, 6.98f, -3.09f, 4.98f, -3.75f,
                     1.64f, -8.352f, -2.54f, 2.85f, -5.84f, -0.45f, 8.43f, -2.87f, 2.52f,
                     -6.17f, -1.66f, 3.73f, -4.96f, 0.43f},
    .azimuth_offset_deg = {-6.354f, -4.548f, -2.732f, -0.911f, 0.911f, 2.732f, 4.548f, 6.354f,
                           -6.354f, -4.548f, -2.732f, -0.911f, 0.911f, 2.732f, 4.548f, 6.354f,
                           -6.354f, -4.548f, -2.732f, -0.911f, 0.911f, 2.732f, 4.548f, 6.354f,
                           -6.354f, -4.548f, -2.732f, -0.911f, 0.911f, 2.732f, 4.548f, 6.354f,
                           -6.354f, -4.548f, -2.732f, -0.911f, 0.911f, 2.732f, 4.548f, 6.354f,
                           -6.354f, -4.548f, -2.732f, -0.911f, 0.911f, 2.732f, 4.548f, 6.354f,
                           -6.354f, -4.548f, -2.732f, -0.911f, 0.911f, 2.732f, 4.548f, 6.354f,
                           -6.354f, -4.548f, -2.732f, -0.911f, 0.911f, 2.732f, 4.548f, 6.354f,
                           -6.354f, -4.548f, -2.732f, -0.911f, 0.911f, 2.732f, 4.548f, 6.354f,
                           -6.354f, -4.548f, -2.732f, -0.911f, 0.911f, 2.732f, 4.548f, 6.354f,
                           -6.354f, -4.548f, -2.732f, -0.911f, 0.911f, 2.732f, 4.548f, 6.354f,
                           -6.354f, -4.548f, -2.732f, -0.911f, 0.911f, 2.732f, 4.548f, 6.354f,
                           -6.354f, -4.548f, -2.732f, -0.911f, 0.911f, 2.732f, 4.548f, 6.354f,
                           -6.354f, -4.548f, -2.732f, -0.911f, 0.911f, 2.732f, 4.548f, 6.354f,
                           -6.354f, -4.548f, -2.732f, -0.911f, 0.911f, 2.732f, 4.548f, 6.354f,
                           -6.354f, -4.548f, -2.732f, -0.911f, 0.911f, 2.732f, 4.548f, 6.354f},
};

/* Two banks of 32 fire at the same time, four lasers of each in a row. Angles come with each sensor. */
static const float hdl64_s2_us[] = {
    0, 1.26f, 2.46f, 3.66f, 6, 7.26f, 8.46f, 9.66f, 12, 13.26f, 14.46f, 15.66f, 18, 19.26f,
    20.46f, 21.66f, 24, 25.26f, 26.46f, 27.66f, 30, 31.26f, 32.46f, 33.66f, 36, 37.26f, 38.46f,
    39.66f, 42, 43.26f, 44.46f, 45.66f, 0, 1.26f, 2.46f, 3.66f, 6, 7.26f, 8.46f, 9.66f, 12,
    13.26f, 14.46f, 15.66f, 18, 19.26f, 20.46f, 21.66f, 24, 25.26f, 26.46f, 27.66f, 30, 31.26f,
    32.46f, 33.66f, 36, 37.26f, 38.46f, 39.66f, 42, 43.26f, 44.46f, 45.66f,
};

static const float hdl64_s3_us[] = {
    0, 1.3f, 2.5f, 3.7f, 7.2f, 8.5f, 9.7f, 10.9f, 14.4f, 15.7f, 16.9f, 18.1f, 21.6f, 22.9f, 24.1f,
    25.3f, 28.8f, 30.1f, 31.3f, 32.5f, 36, 37.3f, 38.5f, 39.7f, 43.2f, 44.5f, 45.7f, 46.9f, 50.4f,
    51.7f, 52.9f, 54.1f, 0, 1.3f, 2.5f, 3.7f, 7.2f, 8.5f, 9.7f, 10.9f, 14.4f, 15.7f, 16.9f, 18.1f,
    21.6f, 22.9f, 24.1f, 25.3f, 28.8f, 30.1f, 31.3f, 32.5f, 36, 37.3f, 38.5f, 39.7f, 43.2f, 44.5f,
    45.7f, 46.9f, 50.4f, 51.7f, 52.9f, 54.1f,
};

#define HDL64_FAMILY \
    .must_be_named = true, .must_be_calibrated = true, .lasers = 64, .columns_per_block = 1, \
    .blocks_per_column = 2, .returns_by_column = true, .blocks = 12, .block_bytes = 100, \
    .element_bytes = 3, .range_unit_m = 0.002f, .rotation_min_hz = 5, .rotation_max_hz = 20

static const struct lidar_model hdl64_s2 = {
    .name = "HDL-64E S2", .aliases = {"hdl-64e-s2", "hdl64-s2"}, HDL64_FAMILY,
    .column_period_ns = 48000, .firing_us = hdl64_s2_us,
};

static const struct lidar_model hdl64_s3 = {
    .name = "HDL-64E S3", .aliases = {"hdl-64e-s3", "hdl64-s3"}, HDL64_FAMILY,
    .column_period_ns = 57600, .firing_us = hdl64_s3_us,
};

const struct lidar_model *const velodyne_models[] = {
    &vlp16, &puck_lite, &puck_hi_res, &hdl32e, &vlp32a, &vlp32b, &vlp32c, &vls128, &hdl64_s2,
    &hdl64_s3, NULL,
};

const struct lidar_identity velodyne_identities[] = {
    /* The first VLP-16 firmware (2014) called itself an HDL-32E; the stamps tell them apart. */
    {"VLP-16",      0x22, 0x21, 1327.104f, 663.552f, 0,     &vlp16},
    {"Puck Hi-Res", 0x24, 0,    1327.104f, 663.552f, 0,     &puck_hi_res},
    {"HDL-32E",     0x21, 0,     552.960f, 276.480f, 0,     &hdl32e},
    {"VLP-32A/B",   0x23, 0,     663.552f, 331.776f, 0,     &vlp32b},
    {"VLP-32C",     0x28, 0,     663.552f, 331.776f, 0,     &vlp32c},
    {"VLS-128",     0xA1, 0,     166.000f,  55.333f, 0.06f, &vls128},
    {NULL, 0, 0, 0, 0, 0, NULL},
};
/* clang-format on */
