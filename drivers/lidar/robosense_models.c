/* SPDX-License-Identifier: Apache-2.0 */
/* robosense_models.c - RoboSense's sensors as tables.
 *
 * RS-LiDAR-16 and RS-Helios user manuals: angles of the type, channel 1 first, and appendix A, the
 * time of each firing; the Helios' as RoboSense's own driver has it. The manuals have no horizontal
 * angles: these are a real Helios-5515's, from which another one's differ by 0.02 degrees. A sensor
 * tells its own angles (robosense_info_parse).
 */
#include "drivers/lidar/robosense.h"

/* clang-format off */
static const float helios_us[] = {
    0, 1.57f, 3.15f, 4.72f, 6.3f, 7.87f, 9.45f, 11.36f, 13.26f, 15.17f, 17.08f, 18.99f, 20.56f,
    22.14f, 23.71f, 25.29f, 26.53f, 29.01f, 27.77f, 30.25f, 31.49f, 33.98f, 32.73f, 35.22f,
    36.46f, 37.7f, 38.94f, 40.18f, 41.42f, 42.67f, 43.91f, 45.15f,
};

static const float helios_16p_us[] = {
    0, 3.15f, 6.3f, 9.45f, 13.26f, 17.08f, 20.56f, 23.71f, 26.53f, 27.77f, 31.49f, 32.73f, 36.46f,
    38.94f, 41.42f, 43.91f,
};

static const struct lidar_model rs_16 = {
    .name = "RS-LiDAR-16", .aliases = {"rs-16", "rs16"},
    .lasers = 16, .columns_per_block = 2, .blocks_per_column = 1, .blocks = 12,
    .block_bytes = 100, .element_bytes = 3, .is_big_endian = true, .range_unit_m = 0.005f,
    .column_period_ns = 55500, .firing_step_ns = 2800, .lasers_per_firing = 1,
    .rotation_min_hz = 5, .rotation_max_hz = 20,
    .vertical_deg = {-15, -13, -11, -9, -7, -5, -3, -1, 15, 13, 11, 9, 7, 5, 3, 1},
};

static const struct lidar_model helios = {
    .name = "RS-Helios-5515", .aliases = {"helios", "helios-5515"},
    .lasers = 32, .columns_per_block = 1, .blocks_per_column = 1, .blocks = 12,
    .block_bytes = 100, .element_bytes = 3, .is_big_endian = true, .range_unit_m = 0.0025f,
    .column_period_ns = 55560, .firing_us = helios_us, .firing_first_us = 0,
    .rotation_min_hz = 5, .rotation_max_hz = 20,
    .vertical_deg = {15, 13, 11, 9, 7, 5.5f, 4, 2.67f, 1.33f, 0, -1.33f, -2.67f, -4, -5.33f,
                     -6.67f, -8, -10, -16, -13, -19, -22, -28, -25, -31, -34, -37, -40, -43,
                     -46, -49, -52, -55},
    .azimuth_offset_deg = {4.05f, -3.61f, 4, -3.58f, 3.97f, -3.56f, 3.96f, -3.55f, 3.95f,
                           -3.55f, 3.95f, -3.55f, 3.96f, -3.56f, 3.97f, -3.57f, 3.99f, -3.64f,
                           4.02f, -3.68f, 4.17f, -3.86f, 4.24f, -3.95f, 4.5f, -4.12f, 4.74f,
                           -4.36f, 5.01f, -4.59f, 5.3f, -4.78f},
};

static const struct lidar_model helios_16p = {
    .name = "RS-Helios-16P", .aliases = {"helios-16p", "helios16p"},
    .lasers = 16, .columns_per_block = 2, .blocks_per_column = 1, .blocks = 12,
    .block_bytes = 100, .element_bytes = 3, .is_big_endian = true, .range_unit_m = 0.0025f,
    .column_period_ns = 55560, .firing_us = helios_16p_us, .firing_first_us = 0,
    .rotation_min_hz = 5, .rotation_max_hz = 20,
    .vertical_deg = {15, 13, 11, 9, 7, 5.5f, 4, 2.67f, 1.33f, 0, -1.33f, -2.67f, -4, -5.33f,
                     -6.67f, -8},
    .azimuth_offset_deg = {4.05f, -3.61f, 4, -3.58f, 3.97f, -3.56f, 3.96f, -3.55f, 3.95f,
                           -3.55f, 3.95f, -3.55f, 3.96f, -3.56f, 3.97f, -3.57f},
};

const struct lidar_model *const robosense_models[] = {&rs_16, &helios, &helios_16p, NULL};
/* clang-format on */
