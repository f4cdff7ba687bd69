/* SPDX-License-Identifier: Apache-2.0 */
/* hesai.h - Hesai's packets: checked, told apart, taken apart; and the correction file of a sensor.
 * Pure: bytes in, values out.
 *
 * Every packet tells its sensor's model by its header and its size, so nothing has to be learnt
 * from several. What it does not tell are the sensor's own angles: they come in a file.
 *
 * Life:    nothing is kept.
 * Owner:   bytes stay the caller's; a parsed packet points into them.
 * Threads: any.
 * Errors:  a packet that is not right gives the counter that it belongs to; a file that is not
 *          right gives -EINVAL with sl_error_text().
 */
#ifndef SL_DRIVERS_LIDAR_HESAI_H
#define SL_DRIVERS_LIDAR_HESAI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "drivers/lidar/counts.h"
#include "drivers/lidar/mirror.h"
#include "drivers/lidar/model.h"
#include "drivers/lidar/packet.h"

/* Of hesai_models. */
enum hesai_index {
    HESAI_PANDAR40P,
    HESAI_PANDAR64,
    HESAI_QT64,
    HESAI_XT32,
    HESAI_XT16,
    HESAI_XT32M2X,
    HESAI_QT128,
    HESAI_PANDAR128,
    HESAI_OT128,
    HESAI_AT128,
    HESAI_MODELS
};

extern const struct lidar_model *const hesai_models[]; /* ended by NULL */

/* By name or alias, upper and lower case alike; NULL if there is none. */
const struct lidar_model *hesai_model_find(const char *name);

/* May packets that told one model come from that configured one? Pandar128 and OT128 have the same.
 */
bool hesai_models_agree(const struct lidar_model *told, const struct lidar_model *configured);

/* What a sensor's own settings change of its model, as bits. */
#define HESAI_CONFIDENCE 0x1u /* elements have a byte more */
#define HESAI_STANDARD   0x2u /* a Pandar128 or OT128 fires a column in twice the time */

/* Of a packet that hesai_data_check accepted. */
unsigned hesai_data_variant(const uint8_t *bytes, size_t size_bytes);

/* The model as it is then. */
struct lidar_model hesai_model_adapt(const struct lidar_model *model, unsigned variant);

/* A data packet of whatever model. Returns LIDAR_PACKETS and its sensor's model, or the counter of
 * what is wrong with it: LIDAR_OTHER_MODEL for one that is a Hesai's, of a kind that we do not
 * know. */
enum lidar_count hesai_data_check(const uint8_t *bytes, size_t size_bytes,
                                  const struct lidar_model **ret_model);

/* The largest packet of that model. */
size_t hesai_data_bytes_max(const struct lidar_model *model);

/* What a tail says of the time. */
struct hesai_time {
    uint32_t stamp_us; /* since the top of the hour */
    bool has_date;     /* it can be one: utc_ns is meant, if the sensor's clock was set */
    int64_t utc_ns;    /* since 1970, of the packet's stamp */
};

/* For people: what a packet for which that was LIDAR_OTHER_MODEL says of its sensor. */
void hesai_data_describe(const uint8_t *bytes, char *ret_text, size_t size_bytes);

/* Of a packet that hesai_data_check accepted. */
struct hesai_time hesai_data_time(const uint8_t *bytes, size_t size_bytes);

/* Take apart such a packet. `model` is what hesai_data_check told, or that one with other angles,
 * or one that agrees; adapted to the packet's variant. An AT128's has a mirror.
 * `time_ns` and `host_ns` are left to the caller. Returns LIDAR_PACKETS, or the counter of what is
 * wrong. */
enum lidar_count hesai_data_parse(const struct lidar_model *model, const uint8_t *bytes,
                                  size_t size_bytes, struct lidar_packet *ret_packet);

/* A correction file, which is text: a line a channel, "channel,elevation,azimuth" in degrees, each
 * channel once; lines that begin with anything but a digit are headings. ret_model is the model
 * with these angles. -EINVAL names the line. */
int hesai_correction_read(const struct lidar_model *model, const char *text, size_t size_bytes,
                          struct lidar_model *ret_model);

/* An AT128's correction file, which is bytes (version 1.5): the places of its mirror's fields and
 * the lasers' angles. ret_mirror has to live as long as ret_model, which points at it. -EINVAL says
 * what is wrong. */
int hesai_mirror_read(const struct lidar_model *model, const uint8_t *bytes, size_t size_bytes,
                      struct lidar_mirror *ret_mirror, struct lidar_model *ret_model);

/* Either from a file. Also -ENOENT and what else files do. */
int hesai_correction_load(const struct lidar_model *model, const char *path,
                          struct lidar_mirror *ret_mirror, struct lidar_model *ret_model);

#endif
