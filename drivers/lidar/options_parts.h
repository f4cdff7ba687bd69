/* SPDX-License-Identifier: Apache-2.0 */
/* options_parts.h - what the files options*.c have in common; for them alone.
 *
 * options.c        the table
 * options_sensor.c --model, --metadata, --calibration, --images, --imu, --fix
 * options_sim.c    --sim-...
 * options_source.c --source, --port, --topic, --capture and what else chooses packets
 * options_points.c filters, --scan-..., --slice-columns, x to yaw: what becomes of the points
 * options_topics.c what is published, in which slots
 *
 * Errors: -EINVAL with sl_error_text() that names the option.
 */
#ifndef SL_DRIVERS_LIDAR_OPTIONS_PARTS_H
#define SL_DRIVERS_LIDAR_OPTIONS_PARTS_H

#include "drivers/lidar/hesai.h"
#include "drivers/lidar/livox_frames.h"
#include "drivers/lidar/options.h"
#include "drivers/lidar/robosense.h"
#include "drivers/lidar/sim/sim.h"

extern const char *const lidar_source_choices[]; /* enum lidar_source_choice */
extern const char *const lidar_sim_choices[];    /* "auto", and lidar_sim_model_names */

/* lidar_options_check, in this order. */
int lidar_options_check_source(struct lidar_options *options, const struct lidar_given *given);
int lidar_options_check_sensor(struct lidar_options *options, const struct lidar_given *given);
int lidar_options_check_points(struct lidar_options *options);

/* --model and --sim-model say the same, or one of them nothing. */
int lidar_options_match_sim(struct lidar_options *options);
int lidar_options_sim_config(const struct lidar_options *options, struct lidar_sim_config *ret_sim);

/* The one of --model; NULL = the packets tell it, or it is of a family without such models. */
const struct lidar_model *lidar_options_model(const struct lidar_options *options);
const struct livox_model *
lidar_options_livox(const struct lidar_options *options); /* NULL = none */
bool lidar_options_is_hesai(const struct lidar_options *options);
bool lidar_options_is_robosense(const struct lidar_options *options);

/* May packets of this model come? */
bool lidar_options_awaits(const struct lidar_options *options, const struct lidar_model *model);

/* Rings of the sensor that may come. */
unsigned lidar_options_rings(const struct lidar_options *options);

/* Of the largest turn that may come. */
size_t lidar_options_cloud_bytes(const struct lidar_options *options);

#endif
