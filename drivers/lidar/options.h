/* SPDX-License-Identifier: Apache-2.0 */
/* options.h - what a person may ask of the lidar driver, and what that means for its parts.
 *
 * Life:    lidar_options is filled by the runtime from lidar_option_table.
 * Owner:   texts are argv's.
 * Threads: one.
 * Errors:  -EINVAL with sl_error_text() for options that do not go together.
 */
#ifndef SL_DRIVERS_LIDAR_OPTIONS_H
#define SL_DRIVERS_LIDAR_OPTIONS_H

#include "core/base/options.h"
#include "core/node/publishing.h"
#include "core/shm/sluice.h"
#include "drivers/lidar/decoder.h"
#include "drivers/lidar/ouster_metadata.h"
#include "drivers/lidar/publish_images.h"
#include "drivers/lidar/publish_scan.h"
#include "drivers/lidar/source.h"
#include "drivers/lidar/source_topic.h"

enum lidar_source_choice {
    LIDAR_FROM_UDP,
    LIDAR_FROM_PACKET,
    LIDAR_FROM_XDP,
    LIDAR_FROM_TOPIC,
    LIDAR_FROM_CAPTURE,
    LIDAR_FROM_SIM,
};

struct lidar_options {
    const char *calibration; /* NULL = packets tell it, where there is one */
    int model;               /* of lidar_model_choices; 0 = told by the packets */
    int source;              /* enum lidar_source_choice */

    const char *metadata_file; /* of an Ouster; NULL = another sensor */
    int intensity;             /* 1 = an Ouster's signal */
    bool check_crc, imu, fix;
    const char *images; /* NULL = none */
    int64_t ptp_ahead_ns;

    int64_t frame_period_ns; /* of a Livox */
    int confidence;          /* that it must have in a point: any, medium, high */

    int64_t port, telemetry_port;
    const char *bind, *interface, *multicast, *sender;
    uint64_t receive_buffer_bytes;

    struct sl_option_list topics; /* of raw packets */

    const char *capture;
    double rate;
    bool loop;

    int sim_model; /* of lidar_sim_choices; 0 = the one that `model` names */
    double sim_rpm, sim_noise_m;
    bool sim_is_counterclockwise;
    const char *sim_faults;
    int sim_return;
    int64_t sim_packets, sim_seed;

    const char *frame_id;
    double cut_angle_deg, range_min_m, range_max_m;
    const char *fov, *rings, *exclude_box; /* as option_ranges.h reads them; NULL = all */
    int64_t every_column;
    int64_t scan_ring;     /* -1 = none */
    const char *scan_band; /* NULL = none */
    double scan_step_deg;
    double x_m, y_m, z_m, roll_deg, pitch_deg, yaw_deg;
    int stamp; /* enum lidar_clock_choice */
    int simd;  /* enum lidar_simd */
    bool packets, tf;

    int64_t slice_columns; /* 0 = whole turns */
    int64_t returns;
    struct sl_publishing publishing;
    struct sl_option_list also; /* more sensors, as sensor.h reads them */

    /* What these mean, and what the file (or the simulated sensor) says, once lidar_options_check
     * has read them. */
    struct lidar_filter_options filter;
    bool has_image[LIDAR_IMAGES];
    bool has_scan;
    struct lidar_scan_options scan;
    bool is_ouster;
    bool is_ptp; /* sets the clock of a Hesai or RoboSense */
    struct ouster_metadata metadata;
};

#define LIDAR_OPTION_COUNT 63
extern const struct sl_option lidar_option_table[]; /* so many; options.c asserts it */

/* Which of the options were given, rather than left at their defaults. */
struct lidar_given {
    bool source, port, telemetry_port, ptp_ahead, packets;
};

/* Check what the table cannot, and read the metadata. Without --source, --topic means topics and
 * --capture a capture; without ports, they are the metadata's. */
int lidar_options_check(struct lidar_options *options, const struct lidar_given *given);

/* Does the sensor have an IMU whose topic is asked for? */
bool lidar_options_has_imu(const struct lidar_options *options);

/* Do its packets tell where a GPS receiver is, and is that topic asked for? */
bool lidar_options_has_fix(const struct lidar_options *options);

/* Ports that its packets come to; 0 of them: all that a capture has. */
unsigned lidar_options_ports(const struct lidar_options *options,
                             uint16_t ret_ports[LIDAR_SOURCE_PORTS_MAX]);

/* What the sensors of a process need of the source that they share. */
struct lidar_needs {
    uint16_t ports[LIDAR_SOURCE_PORTS_MAX];
    unsigned port_count;     /* 0 = every one of a capture */
    const char *sender;      /* NULL = any */
    uint32_t datagram_bytes; /* of an Ouster's longest; other sensors' fit into a frame */
};

/* Add one sensor's. -E2BIG: more ports than a source has. */
int lidar_options_need(const struct lidar_options *options, struct lidar_needs *needs);

/* Ends of the bus that a source may need open. */
struct lidar_source_ends {
    struct sl_publisher *packets;                /* the memory of --source xdp */
    struct sl_subscriber *raw[LIDAR_TOPICS_MAX]; /* of --source topic, in the order of --topic */
};
int lidar_options_source(const struct lidar_options *options, const struct lidar_needs *needs,
                         const struct lidar_source_ends *ends, struct lidar_source **ret_source);
/* The file that --calibration names. Returns 1 if there is one, 0, or what is wrong with it. */
int lidar_options_calibration(const struct lidar_options *options,
                              struct velodyne_calibration *ret_calibration);
void lidar_options_decoder(const struct lidar_options *options,
                           struct lidar_decoder_config *ret_config);

/* The topics, relative names. A slot holds a turn at the slowest rotation of the configured
 * model (of the largest one of 16 lasers, if the packets shall tell it) with `returns` returns. */
void lidar_options_points(const struct lidar_options *options,
                          struct sl_publisher_options *ret_topic);
void lidar_options_packets(const struct lidar_options *options,
                           struct sl_publisher_options *ret_topic);
/* A topic of --source topic. */
void lidar_options_raw(const struct lidar_options *options, unsigned index,
                       struct sl_subscriber_options *ret_topic);
void lidar_options_image(const struct lidar_options *options, enum lidar_image image,
                         struct sl_publisher_options *ret_topic);
void lidar_options_scan(const struct lidar_options *options,
                        struct sl_publisher_options *ret_topic);
void lidar_options_transforms(struct sl_publisher_options *ret_topic);
void lidar_options_fix(const struct lidar_options *options, struct sl_publisher_options *ret_topic);
void lidar_options_imu(const struct lidar_options *options, struct sl_publisher_options *ret_topic);

/* What a packets topic of that sensor holds. */
const struct lidar_packet_form *lidar_options_packet_form(const struct lidar_options *options);

#endif
