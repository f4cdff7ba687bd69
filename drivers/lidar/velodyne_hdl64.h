/* SPDX-License-Identifier: Apache-2.0 */
/* velodyne_hdl64.h - the HDL-64E's packets, and what was measured of its lasers: from a file, or
 * from the packets themselves, which carry it a byte at a time. Pure: bytes in, values out.
 *
 * Life:    a velodyne_status starts as zeros; a velodyne_calibration is filled in place.
 * Owner:   the caller's memory; a calibration's model points into it, so it must not be moved.
 * Threads: one at a time.
 * Errors:  bad packets give the counter they belong to; files -EINVAL with sl_error_text().
 */
#ifndef SL_DRIVERS_LIDAR_VELODYNE_HDL64_H
#define SL_DRIVERS_LIDAR_VELODYNE_HDL64_H

#include "drivers/lidar/mirror.h"
#include "drivers/lidar/velodyne.h"

#define HDL64_LASERS 64

struct velodyne_calibration {
    struct lidar_model model; /* with its own angles, beams below */
    struct lidar_beam beams[HDL64_LASERS];
    struct lidar_mirror mirror; /* of an AT128 */
};

/* A data packet: size, banks, azimuths. Returns LIDAR_PACKETS or the counter of what is wrong. */
enum lidar_count velodyne_hdl64_check(const uint8_t *bytes, size_t size_bytes);

/* As velodyne_data_parse. Two returns are told by the azimuths. */
enum lidar_count velodyne_hdl64_parse(const struct lidar_model *model, const uint8_t *bytes,
                                      struct lidar_packet *ret_packet);

/* From a YAML document: `lasers`, a list of 64 mappings as ROS's velodyne driver has them (angles
 * in radians, lengths in metres); see docs/lidar.md. */
int velodyne_calibration_read(const struct lidar_model *model, const char *name, const char *text,
                              size_t size_bytes, struct velodyne_calibration *ret_calibration);

/* The same from a file. Also -ENOENT and what else files do. */
int velodyne_calibration_load(const struct lidar_model *model, const char *path,
                              struct velodyne_calibration *ret_calibration);

/* The calibration that packets carry: "UNIT#", two bytes, 64 records of 28. */
#define HDL64_RECORD_BYTES 28
#define HDL64_RECORDS_AT   7
#define HDL64_STATUS_BYTES (HDL64_RECORDS_AT + HDL64_LASERS * HDL64_RECORD_BYTES)

struct velodyne_status {
    unsigned count;
    uint8_t bytes[HDL64_STATUS_BYTES];
};

/* One more packet, in order. True when the calibration is complete and *ret_calibration holds it;
 * it takes some seconds of packets without loss. */
bool velodyne_status_push(struct velodyne_status *status, const uint8_t *bytes,
                          const struct lidar_model *model,
                          struct velodyne_calibration *ret_calibration);

#endif
