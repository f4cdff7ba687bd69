/* SPDX-License-Identifier: Apache-2.0 */
/* ouster_metadata.c - from the JSON document to checked numbers.
 *
 * JSON is read as the YAML that it is. A key is looked for in its section and then at the top, so
 * that one reader does for both shapes.
 */
#include "drivers/lidar/ouster_metadata.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/error.h"
#include "core/base/options.h"
#include "core/base/yaml.h"

#define PORT_MAX      65535
#define INIT_ID_MAX   0xFFFFFF
#define SERIAL_MAX    INT64_C(0xFFFFFFFFFF)
#define ALTITUDE_MAX  90.0
#define AZIMUTH_MAX   180.0
#define OFFSET_MAX_MM 1000.0 /* of anything inside a sensor */
#define ROTATION_OFF  1e-3   /* how far a rotation's rows may be from unit length and square */

struct reader {
    const struct sl_yaml_node *root;
    struct ouster_metadata *m;
};

static const char *const format_sections[] = {"lidar_data_format", "data_format", NULL};
static const char *const imu_sections[] = {"imu_data_format", "lidar_data_format", "data_format",
                                           "config_params", NULL};
static const char *const info_sections[] = {"sensor_info", NULL};
static const char *const beam_sections[] = {"beam_intrinsics", NULL};
static const char *const lidar_sections[] = {"lidar_intrinsics", NULL};
static const char *const motion_sections[] = {"imu_intrinsics", NULL};
static const char *const config_sections[] = {"config_params", NULL};

/* In one of the sections, or at the top; NULL = it is not there, or null. */
static const struct sl_yaml_node *find(const struct reader *r, const char *const *sections,
                                       const char *key)
{
    for (; *sections; sections++) {
        const struct sl_yaml_node *found = sl_yaml_get(sl_yaml_get(r->root, *sections), key);
        if (found && !sl_yaml_is_null(found))
            return found;
    }
    const struct sl_yaml_node *found = sl_yaml_get(r->root, key);
    return found && !sl_yaml_is_null(found) ? found : NULL;
}

static int missing(const struct reader *r, const char *key)
{
    return sl_yaml_error(r->root, -EINVAL,
                         "%s is missing; the sensor gives it all at /api/v1/sensor/metadata", key);
}

static int get_real(const struct sl_yaml_node *node, const char *key, double min, double max,
                    double *ret_value)
{
    double value;
    const char *text = sl_yaml_text(node);
    if (!text || sl_parse_real(text, &value) < 0)
        return sl_yaml_error(node, -EINVAL, "%s: must be a number", key);
    if (!(value >= min && value <= max))
        return sl_yaml_error(node, -EINVAL, "%s: must be %g to %g", key, min, max);
    *ret_value = value;
    return 0;
}

static int get_integer(const struct sl_yaml_node *node, const char *key, int64_t min, int64_t max,
                       int64_t *ret_value)
{
    int64_t value;
    const char *text = sl_yaml_text(node);
    if (!text || sl_parse_int(text, &value) < 0)
        return sl_yaml_error(node, -EINVAL, "%s: must be a whole number", key);
    if (value < min || value > max)
        return sl_yaml_error(node, -EINVAL, "%s: must be %lld to %lld", key, (long long)min,
                             (long long)max);
    *ret_value = value;
    return 0;
}

/* 1 = it was there, 0 = it was not and `*ret_value` stays. */
static int get_optional(const struct reader *r, const char *const *sections, const char *key,
                        int64_t min, int64_t max, int64_t *ret_value)
{
    const struct sl_yaml_node *node = find(r, sections, key);
    if (!node)
        return 0;
    int err = get_integer(node, key, min, max, ret_value);
    return err < 0 ? err : 1;
}

static int check_list(const struct sl_yaml_node *node, const char *key, unsigned count)
{
    if (!sl_yaml_is(node, SL_YAML_SEQUENCE))
        return sl_yaml_error(node, -EINVAL, "%s: must be a list of %u", key, count);
    if (sl_yaml_count(node) != count)
        return sl_yaml_error(node, -EINVAL, "%s: has %u elements, but must have %u", key,
                             sl_yaml_count(node), count);
    return 0;
}

static int get_reals(const struct sl_yaml_node *node, const char *key, unsigned count, double limit,
                     double *ret_values)
{
    int err = check_list(node, key, count);
    for (unsigned i = 0; err == 0 && i < count; i++)
        err = get_real(sl_yaml_item(node, i), key, -limit, limit, &ret_values[i]);
    return err;
}

static int get_text(const struct reader *r, const char *const *sections, const char *key,
                    char ret_text[OUSTER_TEXT_MAX])
{
    const struct sl_yaml_node *node = find(r, sections, key);
    if (!node)
        return 0;
    const char *text = sl_yaml_text(node);
    if (!text)
        return sl_yaml_error(node, -EINVAL, "%s: must be a text", key);
    snprintf(ret_text, OUSTER_TEXT_MAX, "%s", text);
    return 0;
}

/* Who it is. */

static int read_identity(struct reader *r)
{
    struct ouster_metadata *m = r->m;
    int64_t serial = 0, init_id = 0;
    int err = get_text(r, info_sections, "prod_line", m->product);
    if (err == 0)
        err = get_text(r, info_sections, "build_rev", m->firmware);
    const struct sl_yaml_node *node = find(r, info_sections, "prod_sn");
    if (err == 0 && node && sl_yaml_text(node) && sl_yaml_text(node)[0])
        err = get_integer(node, "prod_sn", 0, SERIAL_MAX, &serial);
    if (err == 0)
        err = get_optional(r, info_sections, "initialization_id", 0, INIT_ID_MAX, &init_id);
    if (err == 0 && init_id == 0)
        err = get_optional(r, info_sections, "init_id", 0, INIT_ID_MAX, &init_id);
    m->serial = (uint64_t)serial;
    m->init_id = (uint32_t)init_id;
    return err < 0 ? err : 0;
}

static int read_clock(struct reader *r)
{
    static const struct {
        const char *name;
        enum ouster_clock clock;
    } modes[] = {
        {"TIME_FROM_INTERNAL_OSC", OUSTER_CLOCK_FREE},
        {"TIME_FROM_SYNC_PULSE_IN", OUSTER_CLOCK_PPS},
        {"TIME_FROM_PTP_1588", OUSTER_CLOCK_PTP},
    };
    const struct sl_yaml_node *node = find(r, config_sections, "timestamp_mode");
    r->m->clock = OUSTER_CLOCK_FREE;
    if (!node)
        return 0;
    for (unsigned i = 0; i < sizeof modes / sizeof *modes; i++) {
        if (sl_yaml_text(node) && strcmp(sl_yaml_text(node), modes[i].name) == 0) {
            r->m->clock = modes[i].clock;
            return 0;
        }
    }
    return sl_yaml_error(node, -EINVAL,
                         "timestamp_mode: must be TIME_FROM_INTERNAL_OSC, TIME_FROM_SYNC_PULSE_IN "
                         "or TIME_FROM_PTP_1588");
}

static int read_ports(struct reader *r)
{
    int64_t lidar = 0, imu = 0;
    int err = get_optional(r, config_sections, "udp_port_lidar", 0, PORT_MAX, &lidar);
    if (err >= 0)
        err = get_optional(r, config_sections, "udp_port_imu", 0, PORT_MAX, &imu);
    r->m->lidar_port = (uint16_t)lidar;
    r->m->imu_port = (uint16_t)imu;
    return err < 0 ? err : 0;
}

/* Packets. */

/* "1024x10": columns and turns a second. */
static int read_mode(struct reader *r, int64_t *ret_columns, int64_t *ret_turns_hz)
{
    const struct sl_yaml_node *node = find(r, config_sections, "lidar_mode");
    unsigned columns, turns_hz;
    char rest;
    if (!node)
        return 0;
    const char *text = sl_yaml_text(node);
    if (!text || strlen(text) > 8 || sscanf(text, "%ux%u%c", &columns, &turns_hz, &rest) != 2)
        return sl_yaml_error(node, -EINVAL, "lidar_mode: must be like 1024x10");
    *ret_columns = columns;
    *ret_turns_hz = turns_hz;
    return 0;
}

static int read_profile(struct reader *r, const struct ouster_profile **ret_profile,
                        bool *ret_is_fusa)
{
    const struct sl_yaml_node *node = find(r, format_sections, "udp_profile_lidar");
    const char *name = node ? sl_yaml_text(node) : "LEGACY";
    *ret_profile = name ? ouster_profile_find(name) : NULL;
    if (!*ret_profile)
        return sl_yaml_error(node, -EINVAL,
                             "udp_profile_lidar: %s is not among those that can be decoded",
                             name ? name : "a list");
    node = find(r, format_sections, "header_type");
    if (!node)
        node = find(r, config_sections, "header_type");
    *ret_is_fusa = node && sl_yaml_text(node) && strcmp(sl_yaml_text(node), "FUSA") == 0;
    return 0;
}

static int read_window(struct reader *r)
{
    struct ouster_metadata *m = r->m;
    const struct sl_yaml_node *node = find(r, format_sections, "column_window");
    int64_t first = 0, last = m->format.frame_columns - 1;
    int err = 0;
    if (node) {
        err = check_list(node, "column_window", 2);
        if (err == 0)
            err = get_integer(sl_yaml_item(node, 0), "column_window", 0, last, &first);
        if (err == 0)
            err = get_integer(sl_yaml_item(node, 1), "column_window", 0, last, &last);
    }
    m->window_first = (uint16_t)first;
    m->window_last = (uint16_t)last;
    return err;
}

/* Beams of the first generation's sensor, of which the metadata does not tell. */
#define OLD_BEAMS   64
#define OLD_COLUMNS 16

static int read_shifts(struct reader *r)
{
    struct ouster_metadata *m = r->m;
    const struct sl_yaml_node *node = find(r, format_sections, "pixel_shift_by_row");
    static const int16_t old_shift[] = {9, 6, 3, 0}; /* of 512 columns */
    for (unsigned i = 0; i < OUSTER_BEAMS_MAX; i++)
        m->pixel_shift[i] = (int16_t)(old_shift[i % 4] * (m->format.frame_columns / 512));
    if (!node)
        return 0;
    int err = check_list(node, "pixel_shift_by_row", m->format.beams);
    for (unsigned i = 0; err == 0 && i < m->format.beams; i++) {
        int64_t shift;
        err = get_integer(sl_yaml_item(node, i), "pixel_shift_by_row", -m->format.frame_columns,
                          m->format.frame_columns, &shift);
        if (err == 0)
            m->pixel_shift[i] = (int16_t)shift;
    }
    return err;
}

static int read_format(struct reader *r)
{
    struct ouster_metadata *m = r->m;
    const struct ouster_profile *profile;
    bool is_fusa = false;
    int64_t beams = OLD_BEAMS, columns = OLD_COLUMNS, frame_columns = 0, turns_hz = 0;
    int err = read_mode(r, &frame_columns, &turns_hz);
    if (err < 0)
        return err;
    err = read_profile(r, &profile, &is_fusa);
    if (err < 0)
        return err;
    if (get_optional(r, format_sections, "pixels_per_column", 1, OUSTER_BEAMS_MAX, &beams) < 0 ||
        get_optional(r, format_sections, "columns_per_packet", 1, OUSTER_COLUMNS_MAX, &columns) <
            0 ||
        get_optional(r, format_sections, "columns_per_frame", 1, OUSTER_FRAME_COLUMNS,
                     &frame_columns) < 0 ||
        get_optional(r, format_sections, "fps", 1, 100, &turns_hz) < 0)
        return -EINVAL;
    if (frame_columns == 0)
        return missing(r, "columns_per_frame");
    if (turns_hz < 1 || turns_hz > 100)
        return missing(r, "lidar_mode or fps");
    m->turns_hz = (uint8_t)turns_hz;
    err = ouster_format_init(&m->format, profile, is_fusa, (unsigned)beams, (unsigned)columns,
                             (unsigned)frame_columns);
    if (err < 0)
        return sl_error_at(err, "%s", sl_yaml_file(r->root));
    err = read_window(r);
    return err < 0 ? err : read_shifts(r);
}

static int read_imu_format(struct reader *r)
{
    const struct sl_yaml_node *node = find(r, imu_sections, "udp_profile_imu");
    const char *name = node ? sl_yaml_text(node) : "LEGACY";
    int64_t samples = 1;
    bool is_legacy = name && strcmp(name, "LEGACY") == 0;
    if (!is_legacy && (!name || strcmp(name, "ACCEL32_GYRO32_NMEA") != 0))
        return sl_yaml_error(node, -EINVAL,
                             "udp_profile_imu: must be LEGACY or ACCEL32_GYRO32_NMEA");
    if (!is_legacy) {
        int err = get_optional(r, imu_sections, "imu_measurements_per_packet", 1,
                               OUSTER_IMU_SAMPLES_MAX, &samples);
        if (err < 0)
            return err;
        if (err == 0)
            return missing(r, "imu_measurements_per_packet");
    }
    return ouster_imu_format_init(&r->m->imu, is_legacy, (unsigned)samples);
}

/* Geometry. */

static int read_angles(struct reader *r)
{
    struct ouster_metadata *m = r->m;
    unsigned beams = m->format.beams;
    static const double old_azimuth_deg[] = {3.164, 1.055, -1.055, -3.164};
    const struct sl_yaml_node *node = find(r, beam_sections, "beam_altitude_angles");
    if (!node)
        return missing(r, "beam_altitude_angles");
    bool is_solid = sl_yaml_count(node) == beams * (unsigned)m->format.frame_columns ||
                    sl_yaml_is(sl_yaml_item(node, 0), SL_YAML_SEQUENCE);
    if (is_solid)
        return sl_yaml_error(node, -ENOTSUP,
                             "beam_altitude_angles: an angle for every pixel; sensors that do not "
                             "turn cannot be decoded");
    int err = get_reals(node, "beam_altitude_angles", beams, ALTITUDE_MAX, m->altitude_deg);
    if (err < 0)
        return err;
    for (unsigned i = 0; i < OUSTER_BEAMS_MAX; i++)
        m->azimuth_deg[i] = old_azimuth_deg[i % 4];
    node = find(r, beam_sections, "beam_azimuth_angles");
    return node ? get_reals(node, "beam_azimuth_angles", beams, AZIMUTH_MAX, m->azimuth_deg) : 0;
}

static void set_transform(double to[16], double xx, double yy, double x, double y, double z)
{
    const double transform[16] = {xx, 0, 0, x, 0, yy, 0, y, 0, 0, 1, z, 0, 0, 0, 1};
    memcpy(to, transform, sizeof transform);
}

/* A rotation and an offset. */
static int check_transform(const struct sl_yaml_node *node, const char *key, const double t[16])
{
    for (unsigned i = 0; i < 3; i++) {
        for (unsigned j = 0; j <= i; j++) {
            const double *a = t + 4 * i, *b = t + 4 * j;
            double product = a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
            if (!(fabs(product - (i == j)) <= ROTATION_OFF))
                return sl_yaml_error(node, -EINVAL, "%s: is no rotation", key);
        }
    }
    if (t[12] != 0 || t[13] != 0 || t[14] != 0 || t[15] != 1)
        return sl_yaml_error(node, -EINVAL, "%s: the last row must be 0 0 0 1", key);
    return 0;
}

static int read_transform(struct reader *r, const char *const *sections, const char *key,
                          double to[16])
{
    const struct sl_yaml_node *node = find(r, sections, key);
    double read[16];
    if (!node)
        return 0;
    int err = get_reals(node, key, 16, OFFSET_MAX_MM, read);
    if (err == 0)
        err = check_transform(node, key, read);
    if (err == 0)
        memcpy(to, read, sizeof read);
    return err;
}

/* How far from the axis the beams begin, where only the product is told. */
static double default_origin_mm(const char *product)
{
    static const struct {
        const char *prefix;
        double origin_mm;
    } origins[] = {{"OS-0-", 27.67}, {"OS-1-", 15.806}, {"OS-2-", 13.762}};
    for (unsigned i = 0; i < sizeof origins / sizeof *origins; i++) {
        if (strncmp(product, origins[i].prefix, strlen(origins[i].prefix)) == 0)
            return origins[i].origin_mm;
    }
    return 12.163; /* the first generation */
}

static int read_transforms(struct reader *r)
{
    struct ouster_metadata *m = r->m;
    double origin_mm = default_origin_mm(m->product);
    const struct sl_yaml_node *node = find(r, beam_sections, "lidar_origin_to_beam_origin_mm");
    if (node) {
        int err = get_real(node, "lidar_origin_to_beam_origin_mm", -OFFSET_MAX_MM, OFFSET_MAX_MM,
                           &origin_mm);
        if (err < 0)
            return err;
    }
    set_transform(m->beam_to_lidar, 1, 1, origin_mm, 0, 0);
    set_transform(m->lidar_to_sensor, -1, -1, 0, 0, 36.18);
    set_transform(m->imu_to_sensor, 1, 1, 6.253, -11.775, 7.645);
    int err = read_transform(r, beam_sections, "beam_to_lidar_transform", m->beam_to_lidar);
    if (err == 0)
        err = read_transform(r, lidar_sections, "lidar_to_sensor_transform", m->lidar_to_sensor);
    if (err == 0)
        err = read_transform(r, motion_sections, "imu_to_sensor_transform", m->imu_to_sensor);
    return err;
}

static int read_all(struct reader *r)
{
    static int (*const steps[])(struct reader *) = {
        read_identity,   read_clock,  read_ports,      read_format,
        read_imu_format, read_angles, read_transforms,
    };
    if (!sl_yaml_is(r->root, SL_YAML_MAPPING))
        return sl_yaml_error(r->root, -EINVAL, "is not an Ouster sensor's metadata");
    for (unsigned i = 0; i < sizeof steps / sizeof *steps; i++) {
        int err = steps[i](r);
        if (err < 0)
            return err;
    }
    return 0;
}

static int read_document(int err, struct sl_yaml *yaml, struct ouster_metadata *ret_metadata)
{
    struct ouster_metadata metadata = {0};
    if (err < 0)
        return err;
    struct reader reader = {.root = sl_yaml_root(yaml), .m = &metadata};
    err = read_all(&reader);
    sl_yaml_destroy(yaml);
    if (err == 0)
        *ret_metadata = metadata;
    return err;
}

int ouster_metadata_load(const char *path, struct ouster_metadata *ret_metadata)
{
    struct sl_yaml *yaml = NULL;
    int err = sl_yaml_load(path, &yaml);
    return read_document(err, yaml, ret_metadata);
}

int ouster_metadata_parse(const char *name, const char *text, size_t size_bytes,
                          struct ouster_metadata *ret_metadata)
{
    struct sl_yaml *yaml = NULL;
    int err = sl_yaml_parse(name, text, size_bytes, &yaml);
    return read_document(err, yaml, ret_metadata);
}
