/* SPDX-License-Identifier: Apache-2.0 */
/* sensor.h - one of the sensors of a driver's process: its options, its topics, its flow, and which
 * of the datagrams of the common source are its own.
 *
 * The first sensor's options are the command line's; its topics stand below the process's name.
 * Each text of --also is one more: its name, below which its topics stand, and options as
 * KEY=VALUE, separated by spaces. What is not said there is as for the first one, but for what
 * makes a sensor that sensor (its model, metadata, calibration, ports, sender, pictures, place),
 * which is then unsaid. The source is common: its options cannot be said anew.
 *
 * Datagrams are told apart by port, sender, and of an Ouster by the serial number in them; packets
 * of it that have none (an IMU's of older firmware) by the address that its others came from.
 *
 * Life:    sensors_read -> (read_calibration, sensor_open_topics) -> source -> sensor_open -> the
 * flow's calls -> sensor_end -> sensor_close. Zeros may be closed. Owner:   the program's state;
 * publishers are the runtime's. Threads: one. Errors:  -errno with sl_error_text(), which names the
 * sensor where there are several.
 */
#ifndef SL_DRIVERS_LIDAR_SENSOR_H
#define SL_DRIVERS_LIDAR_SENSOR_H

#include "core/node/runtime.h"
#include "drivers/lidar/flow.h"
#include "drivers/lidar/options.h"
#include "drivers/lidar/publish_fix.h"
#include "drivers/lidar/publish_imu.h"
#include "drivers/lidar/report.h"

#define LIDAR_SENSORS_MAX 8

struct lidar_sensor {
    struct lidar_options options; /* first: the table's offsets are its own */
    struct sl_runtime *runtime;
    bool is_alone;
    char name[SL_NODE_MAX]; /* "" = the process's */
    char text[512];         /* of --also, cut into words that the options point into */

    uint16_t ports[LIDAR_SOURCE_PORTS_MAX];
    unsigned port_count;       /* 0 = any */
    struct sl_endpoint sender; /* family 0 = any */
    struct sl_endpoint met; /* where a packet with its serial number came from; family 0 = none */

    struct sl_publisher *points, *packets, *imu, *fix, *scan, *transforms;
    struct sl_publisher *image[LIDAR_IMAGES];
    struct lidar_images images;
    struct lidar_publish_imu publish_imu;
    struct lidar_publish_fix publish_fix;
    struct lidar_publish_scan publish_scan;
    struct velodyne_calibration calibration;
    bool is_calibrated; /* by --calibration */
    struct lidar_flow flow;
    struct lidar_report report;
    bool is_flowing, is_told;
};

/* The first one's options are read by the runtime; read what --also says of others, and check all.
 * Returns how many there are. -EINVAL. */
int lidar_sensors_read(struct lidar_sensor sensors[LIDAR_SENSORS_MAX], struct sl_runtime *runtime);

/* How its errors begin, where there are several: "sensor rear: ". Returns err. */
int lidar_sensor_failed(const struct lidar_sensor *sensor, int err);

/* The file that --calibration names, if it names one: before anything is opened, as that is what
 * most often is wrong. */
int lidar_sensor_read_calibration(struct lidar_sensor *sensor);

/* Publishers; with --source xdp the packets' are the first one's. */
int lidar_sensor_open_topics(struct lidar_sensor *sensor, bool is_first);

/* Its flow, once the source is there. */
int lidar_sensor_open(struct lidar_sensor *sensor, struct lidar_source *source);

/* Are there as many subscribers as were asked for? Then its report begins. */
bool lidar_sensor_may_begin(struct lidar_sensor *sensor, bool may_draw);

/* The summary, once. */
void lidar_sensor_tell_end(struct lidar_sensor *sensor);

void lidar_sensor_close(struct lidar_sensor *sensor);

#endif
