/* SPDX-License-Identifier: Apache-2.0 */
/* options_sensor.c - which sensor it is, what it says of itself, and what follows from that. */
#include "drivers/lidar/family.h"
#include "drivers/lidar/options_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"
#include "drivers/lidar/ouster_metadata_fetch.h"
#include "drivers/lidar/publish_imu.h"

#define INLINE_BYTES_MAX 448 /* sluice.h's inline_max */
#define AUTO_LASERS      16 /* slots are made before the first packet tells how large they must be */

const struct lidar_model *lidar_options_model(const struct lidar_options *o)
{
    const char *name = lidar_model_choices[o->model];
    const struct lidar_model *velodyne = velodyne_model_find(name);
    const struct lidar_model *hesai = velodyne ? velodyne : hesai_model_find(name);
    return hesai ? hesai : robosense_model_find(name);
}

bool lidar_options_is_hesai(const struct lidar_options *o)
{
    return hesai_model_find(lidar_model_choices[o->model]) != NULL;
}

bool lidar_options_is_robosense(const struct lidar_options *o)
{
    return robosense_model_find(lidar_model_choices[o->model]) != NULL;
}

const struct livox_model *lidar_options_livox(const struct lidar_options *o)
{
    return livox_model_find(lidar_model_choices[o->model]);
}

/* Is its calibration a file of lines "channel,elevation,azimuth"? */
static bool has_corrections(const struct lidar_options *o)
{
    return lidar_options_is_hesai(o) || lidar_options_is_robosense(o);
}

bool lidar_options_awaits(const struct lidar_options *o, const struct lidar_model *model)
{
    return lidar_options_model(o) ? lidar_options_model(o) == model : model->lasers <= AUTO_LASERS;
}

unsigned lidar_options_rings(const struct lidar_options *o)
{
    if (o->is_ouster)
        return o->metadata.format.beams;
    if (lidar_options_livox(o))
        return lidar_options_livox(o)->lines;
    return lidar_options_model(o) ? lidar_options_model(o)->lasers : AUTO_LASERS;
}

static int check_imu(const struct lidar_options *o)
{
    if (o->imu && lidar_publish_imu_bytes(o->frame_id) > INLINE_BYTES_MAX)
        return sl_error(-EINVAL, "option --frame-id: too long for IMU messages");
    return 0;
}

/* The image of that name, or LIDAR_IMAGES. */
static unsigned find_image(const char *name, size_t length)
{
    unsigned i = 0;
    while (i < LIDAR_IMAGES &&
           !(lidar_image_kinds[i].option && strlen(lidar_image_kinds[i].option) == length &&
             memcmp(lidar_image_kinds[i].option, name, length) == 0))
        i++;
    return i;
}

/* With each image goes that of the second return. */
static void want_image(struct lidar_options *o, unsigned image)
{
    static const unsigned second[] = {LIDAR_IMAGE_RANGE2, LIDAR_IMAGE_SIGNAL2,
                                      LIDAR_IMAGE_REFLECTIVITY2, LIDAR_IMAGE_NEAR_IR};
    const struct ouster_profile *profile = o->metadata.format.profile;
    o->has_image[image] = lidar_image_exists(profile, (enum lidar_image)image);
    o->has_image[second[image]] = lidar_image_exists(profile, (enum lidar_image)second[image]);
}

static int read_images(struct lidar_options *o)
{
    const struct ouster_profile *profile = o->metadata.format.profile;
    bool wants_all = strcmp(o->images, "all") == 0;
    for (unsigned i = LIDAR_IMAGE_RANGE; wants_all && i <= LIDAR_IMAGE_NEAR_IR; i++)
        want_image(o, i);
    for (const char *at = o->images; !wants_all;) {
        size_t length = strcspn(at, ",");
        unsigned image = find_image(at, length);
        if (image == LIDAR_IMAGES)
            return sl_error(-EINVAL,
                            "option --images: '%.*s'; there are range, signal, reflectivity, "
                            "near-ir and all",
                            (int)length, at);
        if (!lidar_image_exists(profile, (enum lidar_image)image))
            return sl_error(-EINVAL, "option --images: the sensor's profile %s has no %s",
                            profile->name, lidar_image_kinds[image].option);
        want_image(o, image);
        if (at[length] == '\0')
            break;
        at += length + 1;
    }
    return 0;
}

static void use_ports(struct lidar_options *o, const struct lidar_given *given, int64_t data,
                      int64_t telemetry)
{
    if (!given->port)
        o->port = data;
    if (!given->telemetry_port)
        o->telemetry_port = telemetry;
}

/* The sensor is an Ouster, whose metadata is there. */
static int become_ouster(struct lidar_options *o, const struct lidar_given *given)
{
    o->is_ouster = true;
    use_ports(o, given, o->metadata.lidar_port ? o->metadata.lidar_port : LIDAR_OUSTER_LIDAR_PORT,
              o->metadata.imu_port ? o->metadata.imu_port : LIDAR_OUSTER_IMU_PORT);
    o->packets = o->source == LIDAR_FROM_XDP; /* else no message holds them */
    return check_imu(o);
}

static int read_metadata(struct lidar_options *o, const struct lidar_given *given)
{
    if (o->model > 0)
        return sl_error(-EINVAL, "option --model: with --metadata the file says what it is");
    if (o->source == LIDAR_FROM_SIM)
        return sl_error(-EINVAL, "option --metadata: a simulated sensor comes with its own; "
                                 "--sim-model os1-64 is one that has it");
    int err = ouster_metadata_get(o->metadata_file, &o->metadata);
    return err < 0 ? err : become_ouster(o, given);
}

static int read_sim_metadata(struct lidar_options *o, const struct lidar_given *given)
{
    struct lidar_sim_config sim;
    char *text = NULL;
    int err = lidar_options_sim_config(o, &sim);
    if (err == 0)
        err = lidar_sim_metadata(&sim, &text);
    if (err < 0 || !text)
        return err;
    err =
        ouster_metadata_parse("the simulated sensor's metadata", text, strlen(text), &o->metadata);
    free(text);
    return err < 0 ? err : become_ouster(o, given);
}

/* What the sensor says of itself, and what only some have. */
static int read_sensor(struct lidar_options *o, const struct lidar_given *given)
{
    int err = 0;
    if (o->metadata_file)
        err = read_metadata(o, given);
    else if (o->source == LIDAR_FROM_SIM)
        err = read_sim_metadata(o, given);
    if (err == 0 && lidar_options_livox(o))
        err = check_imu(o);
    if (err < 0 || !o->images || !o->images[0])
        return err;
    if (!o->is_ouster)
        return sl_error(-EINVAL, "option --images: is for an Ouster, and needs --metadata");
    return read_images(o);
}

static int check_calibration(struct lidar_options *o)
{
    const struct lidar_model *model = lidar_options_model(o);
    if (o->calibration && !o->calibration[0])
        o->calibration = NULL;
    if (o->calibration && !has_corrections(o) && !(model && model->must_be_calibrated))
        return sl_error(-EINVAL, "option --calibration: is for --model hdl-64e-..., Hesai's and "
                                 "RoboSense's");
    if (!o->calibration && model == hesai_models[HESAI_AT128])
        return sl_error(-EINVAL,
                        "option --calibration: an at128's packets mean nothing without its "
                        "correction file (.dat)");
    return 0;
}

/* What other families do otherwise than a Velodyne, unless it was asked for. */
static void use_family(struct lidar_options *o, const struct lidar_given *given)
{
    const struct livox_model *livox = lidar_options_livox(o);
    if (lidar_options_is_hesai(o) && !given->telemetry_port)
        o->telemetry_port = 0; /* it sends none that is read */
    o->is_ptp = has_corrections(o) && given->ptp_ahead;
    if (has_corrections(o) && !o->is_ptp)
        o->ptp_ahead_ns = 0; /* GPS */
    if (lidar_options_is_robosense(o))
        use_ports(o, given, LIDAR_ROBOSENSE_DATA_PORT, LIDAR_ROBOSENSE_INFO_PORT);
    if (livox)
        use_ports(o, given, livox->data_port, livox->imu_port);
    if (lidar_options_is_robosense(o) || livox)
        o->packets = o->source == LIDAR_FROM_XDP; /* else no message holds them */
}

int lidar_options_check_sensor(struct lidar_options *o, const struct lidar_given *given)
{
    int err = o->source == LIDAR_FROM_SIM && !o->metadata_file ? lidar_options_match_sim(o) : 0;
    if (err < 0)
        return err;
    if (o->metadata_file && !o->metadata_file[0])
        o->metadata_file = NULL; /* a launch file that was given none */
    err = check_calibration(o);
    if (err < 0)
        return err;
    if (strlen(o->frame_id) > LIDAR_FRAME_ID_MAX)
        return sl_error(-EINVAL, "option --frame-id: longer than %d bytes", LIDAR_FRAME_ID_MAX);
    use_family(o, given);
    return read_sensor(o, given);
}

bool lidar_options_has_imu(const struct lidar_options *o)
{
    return o->imu && (o->is_ouster || lidar_options_livox(o));
}

bool lidar_options_has_fix(const struct lidar_options *o)
{
    if (!o->fix || o->telemetry_port == 0)
        return false;
    if (o->is_ouster)
        return !o->metadata.imu.is_legacy;
    if (lidar_options_is_robosense(o))
        return robosense_tells_fix(lidar_options_model(o));
    return !lidar_options_is_hesai(o) && !lidar_options_livox(o);
}

int lidar_options_calibration(const struct lidar_options *o,
                              struct velodyne_calibration *ret_calibration)
{
    int err = 0;
    if (!o->calibration)
        return 0;
    if (has_corrections(o))
        err = hesai_correction_load(lidar_options_model(o), o->calibration,
                                    &ret_calibration->mirror, &ret_calibration->model);
    else
        err = velodyne_calibration_load(lidar_options_model(o), o->calibration, ret_calibration);
    return err < 0 ? err : 1;
}
