/* SPDX-License-Identifier: Apache-2.0 */
/* velodyne_calibration.c - the calibration of an HDL-64E from a YAML file.
 *
 * The file that ROS's velodyne driver makes of a sensor's db.xml. A laser's mapping must have
 * laser_id, rot_correction and vert_correction; all else is 0 where it is missing, but for
 * max_intensity (255). The two distances near the sensor are used if both are there and
 * two_pt_correction_available does not say false.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"
#include "core/base/yaml.h"
#include "drivers/lidar/velodyne_hdl64.h"

#define DEGREES_PER_RADIAN (180 / 3.14159265358979323846)
#define MM_PER_METRE       1000
#define NUMBER_MAX         1000 /* nothing in such a file is larger */
#define INTENSITY_MAX      255

/* A number of a mapping; `fallback` where it is missing, or an error if that is NAN. */
static int get_number(const struct sl_yaml_node *laser, const char *key, double fallback,
                      double *ret_number)
{
    const struct sl_yaml_node *node = sl_yaml_get(laser, key);
    if (!node && isnan(fallback))
        return sl_yaml_error(laser, -EINVAL, "a laser without %s", key);
    *ret_number = fallback;
    if (!node)
        return 0;
    const char *text = sl_yaml_text(node);
    char *end = NULL;
    double number = text ? strtod(text, &end) : NAN;
    if (!text || end == text || *end != '\0' || !(fabs(number) <= NUMBER_MAX))
        return sl_yaml_error(node, -EINVAL, "%s must be a number, at most %d", key, NUMBER_MAX);
    *ret_number = number;
    return 0;
}

static bool has_near(const struct sl_yaml_node *laser)
{
    const char *said = sl_yaml_text(sl_yaml_get(laser, "two_pt_correction_available"));
    return sl_yaml_get(laser, "dist_correction_x") && sl_yaml_get(laser, "dist_correction_y") &&
           !(said && strcmp(said, "false") == 0);
}

enum {
    ROTATION,
    VERTICAL,
    DISTANCE,
    DISTANCE_X,
    DISTANCE_Y,
    HEIGHT,
    ASIDE,
    FOCUS,
    SLOPE,
    INTENSITY_LEAST,
    INTENSITY_MOST,
    NUMBERS,
};

static const struct {
    const char *key;
    double fallback;
} keys[NUMBERS] = {
    {"rot_correction", NAN},
    {"vert_correction", NAN},
    {"dist_correction", 0},
    {"dist_correction_x", 0},
    {"dist_correction_y", 0},
    {"vert_offset_correction", 0},
    {"horiz_offset_correction", 0},
    {"focal_distance", 0},
    {"focal_slope", 0},
    {"min_intensity", 0},
    {"max_intensity", INTENSITY_MAX},
};

static int read_laser(const struct sl_yaml_node *laser, bool seen[HDL64_LASERS],
                      struct velodyne_calibration *c)
{
    double id = 0, number[NUMBERS];
    int err = get_number(laser, "laser_id", NAN, &id);
    for (unsigned i = 0; i < NUMBERS && err == 0; i++)
        err = get_number(laser, keys[i].key, keys[i].fallback, &number[i]);
    if (err < 0)
        return err;
    if (!(id >= 0 && id < HDL64_LASERS) || id != floor(id) || seen[(unsigned)id])
        return sl_yaml_error(laser, -EINVAL, "laser_id must be 0 to %d, each once",
                             HDL64_LASERS - 1);
    unsigned at = (unsigned)id;
    double vertical_deg = number[VERTICAL] * DEGREES_PER_RADIAN;
    if (!(fabs(vertical_deg) < 90))
        return sl_yaml_error(laser, -EINVAL, "vert_correction must be an angle in radians");
    seen[at] = true;
    c->model.vertical_deg[at] = (float)vertical_deg;
    c->model.azimuth_offset_deg[at] = (float)(number[ROTATION] * DEGREES_PER_RADIAN);
    c->model.vertical_offset_mm[at] = (float)(number[HEIGHT] * MM_PER_METRE);
    c->beams[at] = (struct lidar_beam){
        .distance_m = (float)number[DISTANCE],
        .has_near = has_near(laser),
        .distance_x_m = (float)number[DISTANCE_X],
        .distance_y_m = (float)number[DISTANCE_Y],
        .sideways_m = (float)number[ASIDE],
        .focal_distance_m = (float)number[FOCUS],
        .focal_slope = (float)number[SLOPE],
        .intensity_min = (float)number[INTENSITY_LEAST],
        .intensity_max = (float)number[INTENSITY_MOST],
    };
    return 0;
}

static int read_lasers(const struct sl_yaml_node *root, struct velodyne_calibration *c)
{
    const struct sl_yaml_node *lasers = sl_yaml_get(root, "lasers");
    bool seen[HDL64_LASERS] = {false};
    if (sl_yaml_count(lasers) != HDL64_LASERS || !sl_yaml_is(lasers, SL_YAML_SEQUENCE))
        return sl_yaml_error(lasers ? lasers : root, -EINVAL, "lasers must be a list of %d",
                             HDL64_LASERS);
    for (unsigned i = 0; i < HDL64_LASERS; i++) {
        int err = read_laser(sl_yaml_item(lasers, i), seen, c);
        if (err < 0)
            return err;
    }
    return 0;
}

/* Takes the document. */
static int read_document(const struct lidar_model *model, struct sl_yaml *yaml,
                         struct velodyne_calibration *ret_calibration)
{
    struct velodyne_calibration read = {.model = *model};
    int err = read_lasers(sl_yaml_root(yaml), &read);
    sl_yaml_destroy(yaml);
    if (err < 0)
        return err;
    *ret_calibration = read;
    ret_calibration->model.beams = ret_calibration->beams;
    return 0;
}

int velodyne_calibration_read(const struct lidar_model *model, const char *name, const char *text,
                              size_t size_bytes, struct velodyne_calibration *ret_calibration)
{
    struct sl_yaml *yaml = NULL;
    int err = sl_yaml_parse(name, text, size_bytes, &yaml);
    return err < 0 ? err : read_document(model, yaml, ret_calibration);
}

int velodyne_calibration_load(const struct lidar_model *model, const char *path,
                              struct velodyne_calibration *ret_calibration)
{
    struct sl_yaml *yaml = NULL;
    int err = sl_yaml_load(path, &yaml);
    return err < 0 ? err : read_document(model, yaml, ret_calibration);
}
