/* SPDX-License-Identifier: Apache-2.0 */
/* family.h - what stands behind decoder.h: a kind of sensor, as one const struct of operations.
 *
 * A family's sensors share how their packets are told apart and become frames: Velodyne's
 * (block_decoder.c), Hesai's (hesai_decoder.c), RoboSense's (robosense_decoder.c), Livox'
 * (livox_decoder.c) or Ouster's (ouster_decoder.c). The first one of lidar_families whose `fits`
 * takes the configuration decodes.
 *
 * Life:    open -> push, deadline ... -> flush -> discard, on state of state_size bytes that is
 * zero before and freed afterwards by family.c Owner:   family.c. Threads: one at a time. Errors:
 * as decoder.h says.
 */
#ifndef SL_DRIVERS_LIDAR_FAMILY_H
#define SL_DRIVERS_LIDAR_FAMILY_H

#include "drivers/lidar/decoder.h"

#define LIDAR_STATE_ALIGNMENT 64
#define LIDAR_NOTE_BYTES      200 /* of one that a family writes itself */

struct lidar_family {
    const char *vendor; /* for people */
    size_t state_size;  /* a multiple of LIDAR_STATE_ALIGNMENT */
    bool (*fits)(const struct lidar_decoder_config *config);
    int (*open)(void *state, const struct lidar_decoder_config *config,
                const struct lidar_frame_sink *sink);
    int (*push)(void *state, const struct sl_datagram *datagram);
    bool (*is_candidate)(const void *state, const struct sl_datagram *datagram);
    const char *(*product)(const void *state);
    const struct lidar_model *(*model)(const void *state);            /* NULL = has none */
    const struct velodyne_telemetry *(*telemetry)(const void *state); /* NULL = has none */
    const char *(*note)(const void *state, enum lidar_note which);    /* NULL = has none */
    enum lidar_simd (*simd)(const void *state); /* asked once the product is told */
    const struct lidar_counts *(*counts)(const void *state);
    void (*deadline)(void *state, uint64_t now_ns);
    uint64_t (*due_ns)(const void *state);
    int (*flush)(void *state);
    void (*discard)(void *state); /* of rooms that are borrowed; nothing else is kept */
};

extern const struct lidar_family lidar_block_family, lidar_hesai_family, lidar_ouster_family;
extern const struct lidar_family lidar_robosense_family, lidar_livox_family;

/* Ended by NULL. The last one fits every configuration. */
extern const struct lidar_family *const lidar_families[];

/* "auto" and a spelling of each of velodyne_models, hesai_models, robosense_models and
 * livox_models, ended by NULL. */
extern const char *const lidar_model_choices[];

#endif
