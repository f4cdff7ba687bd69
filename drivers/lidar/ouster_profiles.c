/* SPDX-License-Identifier: Apache-2.0 */
/* ouster_profiles.c - what a pixel holds, for each of Ouster's UDP profiles.
 *
 * Source: Ouster's Firmware User Manual, "Lidar Data Packet Format"; the digests in
 * tests/lidar/test_ouster_captures.c hold three of them against what Ouster's own decoder makes of
 * recorded packets.
 */
#include "drivers/lidar/ouster_packet.h"

#include <string.h>

/* clang-format off */
const char *const ouster_field_names[OUSTER_FIELDS] = {
    [OUSTER_RANGE] = "RANGE", [OUSTER_FLAGS] = "FLAGS", [OUSTER_REFLECTIVITY] = "REFLECTIVITY",
    [OUSTER_SIGNAL] = "SIGNAL", [OUSTER_RANGE2] = "RANGE2", [OUSTER_FLAGS2] = "FLAGS2",
    [OUSTER_REFLECTIVITY2] = "REFLECTIVITY2", [OUSTER_SIGNAL2] = "SIGNAL2",
    [OUSTER_NEAR_IR] = "NEAR_IR", [OUSTER_WINDOW] = "WINDOW", [OUSTER_ZONE] = "ZONE_MASK",
    [OUSTER_RED] = "R", [OUSTER_GREEN] = "G", [OUSTER_BLUE] = "B",
};

/* What several have in common. Ranges of 15 bits count 8 mm, their near infrared 16 photons. */
#define RNG19        [OUSTER_RANGE] = {0, 19, 0}, [OUSTER_FLAGS] = {19, 5, 0}
#define RNG15        [OUSTER_RANGE] = {0, 15, 3}, [OUSTER_FLAGS] = {15, 1, 0}, \
                     [OUSTER_REFLECTIVITY] = {16, 8, 0}
#define RNG15_SECOND [OUSTER_RANGE2] = {32, 15, 3}, [OUSTER_FLAGS2] = {47, 1, 0}, \
                     [OUSTER_REFLECTIVITY2] = {48, 8, 0}
#define DUAL         RNG19, [OUSTER_REFLECTIVITY] = {24, 8, 0}, [OUSTER_RANGE2] = {32, 19, 0}, \
                     [OUSTER_FLAGS2] = {51, 5, 0}, [OUSTER_REFLECTIVITY2] = {56, 8, 0}, \
                     [OUSTER_SIGNAL] = {64, 16, 0}, [OUSTER_SIGNAL2] = {80, 16, 0}

const struct ouster_profile ouster_profiles[] = {
    {.name = "LEGACY", .pixel_bytes = 12, .returns = 1, .is_legacy = true, .field = {
        [OUSTER_RANGE] = {0, 20, 0}, [OUSTER_FLAGS] = {28, 4, 0}, [OUSTER_REFLECTIVITY] = {32, 8, 0},
        [OUSTER_SIGNAL] = {48, 16, 0}, [OUSTER_NEAR_IR] = {64, 16, 0}}},
    {.name = "RNG19_RFL8_SIG16_NIR16", .pixel_bytes = 12, .returns = 1, .field = {
        RNG19, [OUSTER_REFLECTIVITY] = {32, 8, 0}, [OUSTER_SIGNAL] = {48, 16, 0},
        [OUSTER_NEAR_IR] = {64, 16, 0}, [OUSTER_WINDOW] = {88, 8, 0}}},
    {.name = "RNG19_RFL8_SIG16_NIR16_DUAL", .pixel_bytes = 16, .returns = 2, .field = {
        DUAL, [OUSTER_NEAR_IR] = {96, 16, 0}, [OUSTER_WINDOW] = {120, 8, 0}}},
    {.name = "RNG15_RFL8_NIR8", .pixel_bytes = 4, .returns = 1, .field = {
        RNG15, [OUSTER_NEAR_IR] = {24, 8, 4}}},
    {.name = "RNG15_RFL8_WIN8", .pixel_bytes = 4, .returns = 1, .field = {
        RNG15, [OUSTER_WINDOW] = {24, 8, 0}}},
    {.name = "RNG15_RFL8_NIR8_DUAL", .pixel_bytes = 8, .returns = 2, .field = {
        RNG15, [OUSTER_NEAR_IR] = {24, 8, 4}, RNG15_SECOND, [OUSTER_WINDOW] = {56, 8, 0}}},
    {.name = "FUSA_RNG15_RFL8_NIR8_DUAL", .pixel_bytes = 8, .returns = 2, .is_fusa = true, .field = {
        RNG15, [OUSTER_NEAR_IR] = {24, 8, 4}, RNG15_SECOND, [OUSTER_WINDOW] = {56, 8, 0}}},
    {.name = "FIVE_WORD_PIXEL", .pixel_bytes = 20, .returns = 2, .field = {
        DUAL, [OUSTER_NEAR_IR] = {96, 16, 0}}},
    {.name = "RNG15_RFL8_NIR8_ZONE16", .pixel_bytes = 8, .returns = 1, .field = {
        RNG15, [OUSTER_NEAR_IR] = {24, 8, 4}, [OUSTER_ZONE] = {32, 16, 0},
        [OUSTER_WINDOW] = {48, 8, 0}}},
    {.name = "RNG19_RFL8_SIG16_NIR16_ZONE16", .pixel_bytes = 12, .returns = 1, .field = {
        RNG19, [OUSTER_REFLECTIVITY] = {32, 8, 0}, [OUSTER_WINDOW] = {40, 8, 0},
        [OUSTER_SIGNAL] = {48, 16, 0}, [OUSTER_NEAR_IR] = {64, 16, 0}, [OUSTER_ZONE] = {80, 16, 0}}},
    {.name = "RNG19_RFL8_SIG16_ZONE16_DUAL", .pixel_bytes = 16, .returns = 2, .field = {
        DUAL, [OUSTER_ZONE] = {96, 16, 0}, [OUSTER_WINDOW] = {120, 8, 0}}},
    {.name = "RNG19_RFL8_SIG16_NIR16_RGB16", .pixel_bytes = 16, .returns = 1, .field = {
        RNG19, [OUSTER_REFLECTIVITY] = {24, 8, 0}, [OUSTER_SIGNAL] = {32, 16, 0},
        [OUSTER_NEAR_IR] = {48, 16, 0}, [OUSTER_RED] = {64, 16, 0}, [OUSTER_GREEN] = {80, 16, 0},
        [OUSTER_BLUE] = {96, 16, 0}}},
    {.name = "RNG19_RFL8_SIG16_NIR16_RGB16_DUAL", .pixel_bytes = 20, .returns = 2, .field = {
        DUAL, [OUSTER_NEAR_IR] = {96, 16, 0}, [OUSTER_RED] = {112, 16, 0},
        [OUSTER_GREEN] = {128, 16, 0}, [OUSTER_BLUE] = {144, 16, 0}}},
    {.name = NULL},
};
/* clang-format on */

const struct ouster_profile *ouster_profile_find(const char *name)
{
    for (const struct ouster_profile *profile = ouster_profiles; profile->name; profile++) {
        if (strcmp(profile->name, name) == 0)
            return profile;
    }
    return NULL;
}
