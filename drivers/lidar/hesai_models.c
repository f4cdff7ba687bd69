/* SPDX-License-Identifier: Apache-2.0 */
/* hesai_models.c - Hesai's sensors as tables; those of 128 lasers are in hesai_models_128.c.
 *
 * Angles and firing times are those of Hesai's own correction files (channel 1 first), of a sensor
 * as it is meant to be; each real one comes with its own angles (hesai_correction_read). Azimuth
 * offsets are negated: a model's offset is taken from the azimuth, Hesai's is added to it.
 */
#include "drivers/lidar/hesai_models.h"

/* clang-format off */
static const float pandar40p_us[] = {
    -42.22f, -28.47f, -16.04f, -3.62f, -45.49f, -31.74f, -47.46f, -54.67f, -20.62f, -33.71f,
    -40.91f, -8.19f, -20.62f, -27.16f, -50.73f, -8.19f, -14.74f, -36.98f, -45.49f, -52.7f,
    -23.89f, -31.74f, -38.95f, -11.47f, -18.65f, -25.19f, -48.76f, -6.23f, -12.77f, -35.01f,
    -21.92f, -9.5f, -43.52f, -29.77f, -17.35f, -4.92f, -42.22f, -28.47f, -16.04f, -3.62f,
};

static const float pandar64_us[] = {
    -23.18f, -21.876f, -20.572f, -19.268f, -17.964f, -16.66f, -11.444f, -46.796f, -7.532f,
    -36.956f, -50.732f, -54.668f, -40.892f, -44.828f, -31.052f, -34.988f, -48.764f, -52.7f,
    -38.924f, -42.86f, -29.084f, -33.02f, -46.796f, -25.148f, -36.956f, -50.732f, -27.116f,
    -40.892f, -44.828f, -31.052f, -34.988f, -48.764f, -25.148f, -38.924f, -42.86f, -29.084f,
    -33.02f, -52.7f, -6.228f, -54.668f, -15.356f, -27.116f, -10.14f, -23.18f, -4.924f, -21.876f,
    -14.052f, -17.964f, -8.836f, -19.268f, -3.62f, -20.572f, -12.748f, -16.66f, -7.532f, -11.444f,
    -6.228f, -15.356f, -10.14f, -4.924f, -3.62f, -14.052f, -8.836f, -12.748f,
};

static const float qt64_us[] = {
    2.31f, 4.37f, 6.43f, 8.49f, 10.54f, 12.6f, 14.66f, 16.71f, 19.16f, 21.22f, 23.28f, 25.34f,
    27.39f, 29.45f, 31.5f, 33.56f, 36.61f, 38.67f, 40.73f, 42.78f, 44.84f, 46.9f, 48.95f, 51.01f,
    53.45f, 55.52f, 57.58f, 59.63f, 61.69f, 63.74f, 65.8f, 67.86f, 70.9f, 72.97f, 75.02f, 77.08f,
    79.14f, 81.19f, 83.25f, 85.3f, 87.75f, 89.82f, 91.87f, 93.93f, 95.98f, 98.04f, 100.1f,
    102.15f, 105.2f, 107.26f, 109.32f, 111.38f, 113.43f, 115.49f, 117.54f, 119.6f, 122.05f,
    124.11f, 126.17f, 128.22f, 130.28f, 132.34f, 134.39f, 136.45f,
};

/* Even steps, 6 us after the column; the XT32M2X fires its two halves at once. */
static const float xt32_us[] = {
    6, 7.512f, 9.024f, 10.536f, 12.048f, 13.56f, 15.072f, 16.584f, 18.096f, 19.608f, 21.12f,
    22.632f, 24.144f, 25.656f, 27.168f, 28.68f, 30.192f, 31.704f, 33.216f, 34.728f, 36.24f,
    37.752f, 39.264f, 40.776f, 42.288f, 43.8f, 45.312f, 46.824f, 48.336f, 49.848f, 51.36f,
    52.872f,
};

static const float xt16_us[] = {
    6, 9.024f, 12.048f, 15.072f, 18.096f, 21.12f, 24.144f, 27.168f, 30.192f, 33.216f, 36.24f,
    39.264f, 42.288f, 45.312f, 48.336f, 51.36f,
};

static const float xt32m2x_us[] = {
    6, 8.888f, 11.776f, 14.664f, 17.552f, 20.44f, 23.328f, 26.216f, 29.104f, 31.992f, 34.88f,
    37.768f, 40.656f, 43.544f, 46.432f, 49.32f, 6, 8.888f, 11.776f, 14.664f, 17.552f, 20.44f,
    23.328f, 26.216f, 29.104f, 31.992f, 34.88f, 37.768f, 40.656f, 43.544f, 46.432f, 49.32f,
};

static const struct lidar_model pandar40p = {
    .name = "Pandar40P", .aliases = {"pandar-40p", "40p"},
    .lasers = 40, .columns_per_block = 1, .blocks_per_column = 1, .blocks = 10,
    .block_bytes = 124, .element_bytes = 3, .range_unit_m = 0.004f,
    .column_period_ns = 55560, .firing_us = pandar40p_us, .firing_first_us = -54.67f,
    .stamp_to_firing_ns = -83250, .stamps_last_column = true,
    .has_one_azimuth = true, .rotation_min_hz = 5, .rotation_max_hz = 20,
    .vertical_deg = {15.21f, 11.36f, 8.387f, 5.385f, 3.368f, 2.356f, 2.016f, 1.679f, 1.341f,
                     1.003f, 0.665f, 0.328f, -0.009f, -0.347f, -0.685f, -1.023f, -1.36f, -1.7f,
                     -2.037f, -2.372f, -2.712f, -3.047f, -3.384f, -3.722f, -4.057f, -4.392f,
                     -4.729f, -5.063f, -5.398f, -5.733f, -6.735f, -7.731f, -8.732f, -9.557f,
                     -10.704f, -11.678f, -12.646f, -13.602f, -18.561f, -24.569f},
    .azimuth_offset_deg = {1.042f, 1.042f, 1.042f, 1.042f, 1.042f, 1.042f, -3.125f, 5.208f,
                           1.042f, -3.125f, 5.208f, 1.042f, -3.125f, 5.208f, 1.042f, -3.125f,
                           5.208f, 1.042f, -3.125f, 5.208f, 1.042f, -3.125f, 5.208f, 1.042f,
                           -3.125f, 5.208f, 1.042f, -3.125f, 5.208f, 1.042f, 1.042f, 1.042f,
                           1.042f, 1.042f, 1.042f, 1.042f, 1.042f, 1.042f, 1.042f, 1.042f},
};

static const struct lidar_model pandar64 = {
    .name = "Pandar64", .aliases = {"pandar-64", "64"},
    .lasers = 64, .columns_per_block = 1, .blocks_per_column = 1, .blocks = 6,
    .block_bytes = 194, .element_bytes = 3, .range_unit_m = 0.004f,
    .column_period_ns = 55560, .firing_us = pandar64_us, .firing_first_us = -54.668f,
    .stamp_to_firing_ns = -97248, .stamps_last_column = true,
    .has_one_azimuth = true, .rotation_min_hz = 5, .rotation_max_hz = 20,
    .vertical_deg = {14.708f, 10.858f, 7.885f, 4.883f, 2.866f, 1.854f, 1.686f, 1.514f, 1.348f,
                     1.177f, 1.01f, 0.839f, 0.672f, 0.501f, 0.334f, 0.163f, -0.005f, -0.174f,
                     -0.343f, -0.511f, -0.682f, -0.849f, -1.019f, -1.187f, -1.358f, -1.525f,
                     -1.696f, -1.862f, -2.034f, -2.202f, -2.372f, -2.539f, -2.71f, -2.874f,
                     -3.047f, -3.214f, -3.384f, -3.549f, -3.722f, -3.886f, -4.058f, -4.224f,
                     -4.395f, -4.559f, -4.732f, -4.894f, -5.066f, -5.231f, -5.403f, -5.565f,
                     -5.739f, -5.9f, -6.072f, -6.235f, -7.237f, -8.233f, -9.234f, -10.059f,
                     -11.206f, -12.18f, -13.148f, -14.104f, -19.063f, -25.071f},
    .azimuth_offset_deg = {1.042f, 1.042f, 1.042f, 1.042f, 1.042f, 1.042f, -1.042f, -3.125f,
                           -5.208f, 5.208f, 3.125f, 1.042f, -1.042f, -3.125f, -5.208f, 5.208f,
                           3.125f, 1.042f, -1.042f, -3.125f, -5.208f, 5.208f, 3.125f, 1.042f,
                           -1.042f, -3.125f, -5.208f, 5.208f, 3.125f, 1.042f, -1.042f, -3.125f,
                           -5.208f, 5.208f, 3.125f, 1.042f, -1.042f, -3.125f, -5.208f, 5.208f,
                           3.125f, 1.042f, -1.042f, -3.125f, -5.208f, 5.208f, 3.125f, 1.042f,
                           -1.042f, -3.125f, -5.208f, 5.208f, 3.125f, 1.042f, 1.042f, 1.042f,
                           1.042f, 1.042f, 1.042f, 1.042f, 1.042f, 1.042f, 1.042f, 1.042f},
};

static const struct lidar_model qt64 = {
    .name = "PandarQT64", .aliases = {"qt64", "pandar-qt64"},
    .lasers = 64, .columns_per_block = 1, .blocks_per_column = 1, .blocks = 4,
    .block_bytes = 258, .element_bytes = 4, .range_unit_m = 0.004f,
    .column_period_ns = 166667, .firing_us = qt64_us, .firing_first_us = 2.31f,
    .stamp_to_firing_ns = 28020, .stamps_last_column = false,
    .has_one_azimuth = true, .rotation_min_hz = 5, .rotation_max_hz = 20,
    .vertical_deg = {-52.121f, -49.785f, -47.577f, -45.477f, -43.465f, -41.528f, -39.653f,
                     -37.831f, -36.055f, -34.32f, -32.619f, -30.95f, -29.308f, -27.69f,
                     -26.094f, -24.517f, -22.964f, -21.42f, -19.889f, -18.372f, -16.865f,
                     -15.368f, -13.88f, -12.399f, -10.925f, -9.457f, -7.994f, -6.535f, -5.079f,
                     -3.626f, -2.175f, -0.725f, 0.725f, 2.175f, 3.626f, 5.079f, 6.534f, 7.993f,
                     9.456f, 10.923f, 12.397f, 13.877f, 15.365f, 16.861f, 18.368f, 19.885f,
                     21.415f, 22.959f, 24.524f, 26.101f, 27.697f, 29.315f, 30.957f, 32.627f,
                     34.328f, 36.064f, 37.84f, 39.662f, 41.537f, 43.475f, 45.487f, 47.587f,
                     49.795f, 52.133f},
    .azimuth_offset_deg = {-8.736f, -8.314f, -7.964f, -7.669f, -7.417f, -7.198f, -7.007f,
                           -6.838f, -6.688f, -6.554f, -6.434f, -6.326f, -6.228f, -6.14f,
                           -6.059f, -5.987f, 5.27f, 5.216f, 5.167f, 5.123f, 5.083f, 5.047f,
                           5.016f, 4.988f, 4.963f, 4.942f, 4.924f, 4.91f, 4.898f, 4.889f,
                           4.884f, 4.881f, -5.493f, -5.496f, -5.502f, -5.512f, -5.525f,
                           -5.541f, -5.561f, -5.584f, -5.611f, -5.642f, -5.676f, -5.716f,
                           -5.759f, -5.808f, -5.862f, -5.921f, 5.33f, 5.396f, 5.469f, 5.55f,
                           5.64f, 5.74f, 5.85f, 5.974f, 6.113f, 6.269f, 6.447f, 6.651f, 6.887f,
                           7.163f, 7.493f, 7.892f},
};

static const struct lidar_model xt32 = {
    .name = "PandarXT32", .aliases = {"xt32", "pandar-xt32"},
    .lasers = 32, .columns_per_block = 1, .blocks_per_column = 1, .blocks = 8,
    .block_bytes = 130, .element_bytes = 4, .range_unit_m = 0.004f,
    .column_period_ns = 50000, .firing_us = xt32_us, .firing_first_us = 6,
    .stamp_to_firing_ns = 6000, .stamps_last_column = true,
    .has_one_azimuth = true, .rotation_min_hz = 5, .rotation_max_hz = 20,
    .vertical_deg = {15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, -1, -2, -3, -4, -5,
                     -6, -7, -8, -9, -10, -11, -12, -13, -14, -15, -16},
    .azimuth_offset_deg = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                           0, 0, 0, 0, 0, 0, 0, 0, 0},
};

static const struct lidar_model xt16 = {
    .name = "PandarXT16", .aliases = {"xt16", "pandar-xt16"},
    .lasers = 16, .columns_per_block = 1, .blocks_per_column = 1, .blocks = 8,
    .block_bytes = 66, .element_bytes = 4, .range_unit_m = 0.004f,
    .column_period_ns = 50000, .firing_us = xt16_us, .firing_first_us = 6,
    .stamp_to_firing_ns = 6000, .stamps_last_column = true,
    .has_one_azimuth = true, .rotation_min_hz = 5, .rotation_max_hz = 20,
    .vertical_deg = {15, 13, 11, 9, 7, 5, 3, 1, -1, -3, -5, -7, -9, -11, -13, -15},
};

static const struct lidar_model xt32m2x = {
    .name = "XT32M2X", .aliases = {"xt32m2x", "xt32m"},
    .lasers = 32, .columns_per_block = 1, .blocks_per_column = 1, .blocks = 6, .returns_max = 3,
    .block_bytes = 130, .element_bytes = 4, .range_unit_m = 0.005f,
    .column_period_ns = 50000, .firing_us = xt32m2x_us, .firing_first_us = 6,
    .stamp_to_firing_ns = 6000, .stamps_last_column = true,
    .has_one_azimuth = true, .rotation_min_hz = 5, .rotation_max_hz = 20,
    .vertical_deg = {19.4337f, 18.13f, 16.8212f, 15.5275f, 14.2275f, 12.925f, 11.6637f,
                     10.3637f, 9.06248f, 7.75998f, 6.46124f, 5.16249f, 3.86499f, 2.56624f,
                     1.27375f, -0.0325f, -1.34f, -2.63749f, -3.93749f, -5.23374f, -6.52999f,
                     -7.82748f, -9.12623f, -10.4262f, -11.72f, -12.985f, -14.275f, -15.5675f,
                     -16.86f, -18.1575f, -19.4512f, -20.7475f},
    .azimuth_offset_deg = {-0.175281f, -0.175729f, -0.173645f, -0.171487f, -0.169308f,
                           -0.167102f, -0.166029f, -0.161264f, -0.160229f, -0.161676f,
                           -0.159349f, -0.158259f, -0.155905f, -0.154796f, -0.153668f,
                           -0.153816f, -0.153966f, -0.151599f, -0.151743f, -0.149387f,
                           -0.152042f, -0.153463f, -0.147404f, -0.140117f, -0.137839f,
                           -0.134276f, -0.150794f, -0.1511f, -0.147691f, -0.146833f,
                           -0.144759f, -0.143988f},
};

const struct lidar_model *const hesai_models[] = {
    [HESAI_PANDAR40P] = &pandar40p,
    [HESAI_PANDAR64] = &pandar64,
    [HESAI_QT64] = &qt64,
    [HESAI_XT32] = &xt32,
    [HESAI_XT16] = &xt16,
    [HESAI_XT32M2X] = &xt32m2x,
    [HESAI_QT128] = &hesai_qt128,
    [HESAI_PANDAR128] = &hesai_pandar128,
    [HESAI_OT128] = &hesai_ot128,
    [HESAI_AT128] = &hesai_at128,
    [HESAI_MODELS] = NULL,
};
/* clang-format on */
