/* SPDX-License-Identifier: Apache-2.0 */
/* options_points.c - which points are published, and what they are turned into. */
#include "drivers/lidar/options_parts.h"

#include <errno.h>
#include <math.h>

#include "core/base/error.h"
#include "drivers/lidar/option_ranges.h"
#include "drivers/lidar/simd.h"

#define PI                3.14159265358979323846
#define SLICE_RETURNS_MAX 2  /* a range of a gathered message each */
#define SLICE_COLUMNS_MIN 16 /* of which a packet has up to 24 */

/* By --confidence, the bits of a Livox's tag that say that a point is noise: two each for glue
 * between things, for dust and rain, for whatever else; 0 sure, 1 half, 2 hardly. */
static const uint8_t unwanted_tags[] = {0x00, 0x2A, 0x3F};

static int read_fov(struct lidar_options *o)
{
    struct lidar_range range[LIDAR_WINDOWS_MAX];
    int count = lidar_ranges_parse("fov", o->fov, LIDAR_WINDOWS_MAX, range);
    for (int i = 0; i < count; i++)
        o->filter.windows[i] =
            (struct lidar_window){.from_deg = (float)range[i].from, .to_deg = (float)range[i].to};
    o->filter.window_count = count > 0 ? (unsigned)count : 0;
    return count < 0 ? count : 0;
}

static int read_rings(struct lidar_options *o)
{
    struct lidar_range range[LIDAR_FILTER_RINGS];
    int count = lidar_ranges_parse("rings", o->rings, LIDAR_FILTER_RINGS, range);
    for (int i = 0; i < count; i++) {
        double from = range[i].from, to = range[i].to;
        if (from != floor(from) || to != floor(to) || from < 0 || to < from ||
            to >= LIDAR_FILTER_RINGS)
            return sl_error(-EINVAL, "option --rings: %g:%g are no rings; they count from 0 up",
                            from, to);
        for (unsigned ring = (unsigned)from; ring <= (unsigned)to; ring++)
            o->filter.rings[ring / 64] |= UINT64_C(1) << ring % 64;
    }
    o->filter.has_rings = true;
    return count < 0 ? count : 0;
}

static int read_box(struct lidar_options *o)
{
    struct lidar_range range[3];
    int count = lidar_ranges_parse("exclude-box", o->exclude_box, 3, range);
    if (count < 0)
        return count;
    if (count < 3)
        return sl_error(-EINVAL, "option --exclude-box: \"%s\" must be X:X,Y:Y,Z:Z",
                        o->exclude_box);
    for (unsigned i = 0; i < 3; i++) {
        o->filter.box_min_m[i] = (float)range[i].from;
        o->filter.box_max_m[i] = (float)range[i].to;
    }
    o->filter.has_box = true;
    return 0;
}

/* An empty text is a launch file that was given none. */
static int read_filter(struct lidar_options *o)
{
    if (lidar_options_livox(o) && o->every_column > 1)
        return sl_error(-EINVAL, "option --every-column: a Livox has no columns");
    o->filter = (struct lidar_filter_options){.every_nth = (unsigned)o->every_column};
    int err = o->fov && o->fov[0] ? read_fov(o) : 0;
    if (err == 0 && o->rings && o->rings[0])
        err = read_rings(o);
    if (err == 0 && o->exclude_box && o->exclude_box[0])
        err = read_box(o);
    if (err == 0)
        err = lidar_filter_check(&o->filter, lidar_options_rings(o));
    return err;
}

/* The LaserScan, after the filter. */
static int read_scan(struct lidar_options *o)
{
    bool has_band = o->scan_band && o->scan_band[0];
    struct lidar_range band = {0};
    o->has_scan = o->scan_ring >= 0 || has_band;
    if (!o->has_scan)
        return 0;
    if (o->scan_ring >= 0 && has_band)
        return sl_error(-EINVAL, "options --scan-ring and --scan-band: one of them");
    if (o->scan_ring >= 0 && lidar_options_livox(o))
        return sl_error(-EINVAL, "option --scan-ring: a Livox's lasers are no rings around it; "
                                 "--scan-band takes a band of heights");
    if (o->scan_ring >= lidar_options_rings(o))
        return sl_error(-EINVAL, "option --scan-ring: %d; the sensor has rings 0 to %u",
                        (int)o->scan_ring, lidar_options_rings(o) - 1);
    if (o->scan_ring >= 0 && !lidar_filter_has_ring(&o->filter, (unsigned)o->scan_ring))
        return sl_error(-EINVAL, "option --scan-ring: %d is not among those of --rings %s",
                        (int)o->scan_ring, o->rings);
    if (has_band && lidar_ranges_parse("scan-band", o->scan_band, 1, &band) < 0)
        return -EINVAL;
    if (has_band && !(band.from < band.to))
        return sl_error(-EINVAL, "option --scan-band: %g to %g m holds no point", band.from,
                        band.to);
    o->scan = (struct lidar_scan_options){
        .frame_id = o->frame_id,
        .has_ring = !has_band,
        .ring = has_band ? 0 : (unsigned)o->scan_ring,
        .band_min_m = (float)band.from,
        .band_max_m = (float)band.to,
        .rays = (unsigned)lround(360 / o->scan_step_deg),
        .range_min_m = (float)o->range_min_m,
        .range_max_m = (float)o->range_max_m,
    };
    return 0;
}

static int check_slices(const struct lidar_options *o)
{
    if (o->slice_columns == 0)
        return 0;
    if (lidar_options_livox(o))
        return sl_error(-EINVAL, "option --slice-columns: a Livox has no columns; a short "
                                 "--frame-period does the same");
    if (!o->is_ouster && o->returns > SLICE_RETURNS_MAX)
        return sl_error(-EINVAL, "option --slice-columns: for --returns %d at most",
                        SLICE_RETURNS_MAX);
    if (o->slice_columns < SLICE_COLUMNS_MIN)
        return sl_error(-EINVAL, "option --slice-columns: at least %d", SLICE_COLUMNS_MIN);
    return 0;
}

int lidar_options_check_points(struct lidar_options *o)
{
    int err = lidar_simd_check((enum lidar_simd)o->simd);
    if (err < 0)
        return sl_error_at(err, "option --simd");
    err = check_slices(o);
    if (err == 0)
        err = read_filter(o);
    return err < 0 ? err : read_scan(o);
}

/* From the sensor's axes to the frame's: Rz(yaw) Ry(pitch) Rx(roll), then the offset. */
static void set_extrinsics(const struct lidar_options *o, struct lidar_block_options *block)
{
    double r = o->roll_deg * PI / 180, p = o->pitch_deg * PI / 180, y = o->yaw_deg * PI / 180;
    const double rows[12] = {
        cos(y) * cos(p),
        cos(y) * sin(p) * sin(r) - sin(y) * cos(r),
        cos(y) * sin(p) * cos(r) + sin(y) * sin(r),
        o->x_m,
        sin(y) * cos(p),
        sin(y) * sin(p) * sin(r) + cos(y) * cos(r),
        sin(y) * sin(p) * cos(r) - cos(y) * sin(r),
        o->y_m,
        -sin(p),
        cos(p) * sin(r),
        cos(p) * cos(r),
        o->z_m,
    };
    for (unsigned i = 0; i < 12; i++)
        block->extrinsics[i] = (float)rows[i];
    block->has_extrinsics = o->roll_deg != 0 || o->pitch_deg != 0 || o->yaw_deg != 0 ||
                            o->x_m != 0 || o->y_m != 0 || o->z_m != 0;
}

void lidar_options_decoder(const struct lidar_options *o, struct lidar_decoder_config *ret_config)
{
    *ret_config = (struct lidar_decoder_config){
        .model = lidar_options_model(o),
        .room_bytes = lidar_options_cloud_bytes(o),
        .ptp_ahead_ns = o->ptp_ahead_ns,
        .is_ptp = o->is_ptp,
        .simd = (enum lidar_simd)o->simd,
        .frames = {.cut_angle_deg = o->cut_angle_deg,
                   .stamp = (enum lidar_clock_choice)o->stamp,
                   .block = {.range_min_m = (float)o->range_min_m,
                             .range_max_m = (float)o->range_max_m,
                             .filter = o->filter}},
        .ouster = {.metadata = o->is_ouster ? &o->metadata : NULL,
                   .uses_signal = o->intensity == 1,
                   .checks_crc = o->check_crc},
        .livox = {.model = lidar_options_livox(o),
                  .period_ns = (uint64_t)o->frame_period_ns,
                  .unwanted_tags = unwanted_tags[o->confidence],
                  .checks_crc = o->check_crc},
    };
    set_extrinsics(o, &ret_config->frames.block);
}
