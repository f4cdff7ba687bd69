/* SPDX-License-Identifier: Apache-2.0 */
/* driver.c - the program: source and topics are opened, the flow is driven by the loop. */
#include "drivers/lidar/driver.h"

#include <errno.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "drivers/lidar/flow.h"
#include "drivers/lidar/options.h"
#include "drivers/lidar/publish_imu.h"
#include "drivers/lidar/publish_transforms.h"
#include "drivers/lidar/report.h"
#include "drivers/lidar/source_xdp.h"

#define LOOK_FOR_SUBSCRIBERS_NS (2 * SL_NS_PER_MS)

struct driver {
    struct lidar_options options; /* first: the table's offsets are its own */
    struct sl_runtime *runtime;
    struct lidar_source *source;
    struct lidar_source_ends ends;
    struct sl_publisher *points, *imu, *scan, *transforms;
    struct sl_publisher *image[LIDAR_IMAGES];
    struct lidar_images images;
    struct lidar_publish_imu publish_imu;
    struct lidar_publish_scan publish_scan;
    struct velodyne_calibration calibration;
    struct lidar_flow flow;
    struct lidar_report report;
    bool is_flowing; /* nothing is received before */
    bool is_told;    /* the summary */
    bool has_failed;
};

/* May a loan be waited for? Until somebody wants the program to end. */
static bool may_wait(void *context)
{
    struct driver *d = context;
    return !sl_runtime_stopping(d->runtime);
}

static int open_topics(struct driver *d, struct sl_runtime *runtime)
{
    struct sl_publisher_options topic;
    lidar_options_points(&d->options, &topic);
    int err = sl_runtime_publish(runtime, &topic, &d->points);
    if (err == 0 && d->options.packets) {
        lidar_options_packets(&d->options, &topic);
        err = sl_runtime_publish(runtime, &topic, &d->ends.packets);
    }
    if (err == 0 && lidar_options_has_imu(&d->options)) {
        lidar_options_imu(&d->options, &topic);
        err = sl_runtime_publish(runtime, &topic, &d->imu);
    }
    if (err == 0 && d->options.has_scan) {
        lidar_options_scan(&d->options, &topic);
        err = sl_runtime_publish(runtime, &topic, &d->scan);
    }
    for (unsigned i = 0; err == 0 && i < d->options.topics.count; i++) {
        struct sl_subscriber_options raw;
        lidar_options_raw(&d->options, i, &raw);
        err = sl_runtime_subscribe(runtime, &raw, &d->ends.raw[i]);
    }
    for (unsigned i = 0; err == 0 && i < LIDAR_IMAGES; i++) {
        if (!d->options.has_image[i])
            continue;
        lidar_options_image(&d->options, (enum lidar_image)i, &topic);
        err = sl_runtime_publish(runtime, &topic, &d->image[i]);
    }
    if (err == 0 && d->options.tf) {
        lidar_options_transforms(&topic);
        err = sl_runtime_publish(runtime, &topic, &d->transforms);
    }
    return err;
}

static struct lidar_transforms transforms_of(const struct driver *d,
                                             const struct sl_runtime *runtime,
                                             const struct lidar_decoder_config *config)
{
    return (struct lidar_transforms){
        .name = sl_runtime_name(runtime),
        .frame_id = d->options.frame_id,
        .mounting = &config->frames.block,
        .metadata = config->ouster.metadata,
    };
}

static int check_options(struct driver *d, const struct sl_runtime *runtime)
{
    const struct lidar_given given = {
        .source = sl_runtime_given(runtime, "source"),
        .port = sl_runtime_given(runtime, "port"),
        .telemetry_port = sl_runtime_given(runtime, "telemetry-port"),
        .ptp_ahead = sl_runtime_given(runtime, "ptp-ahead"),
        .packets = sl_runtime_given(runtime, "packets"),
    };
    int err = lidar_options_check(&d->options, &given);
    if (err < 0 || !d->options.tf)
        return err;
    struct lidar_decoder_config config;
    lidar_options_decoder(&d->options, &config);
    const struct lidar_transforms transforms = transforms_of(d, runtime, &config);
    return lidar_transforms_check(&transforms);
}

static int driver_topics(void *state, struct sl_runtime *runtime)
{
    struct driver *d = state;
    int err = check_options(d, runtime);
    return err < 0 ? err : open_topics(d, runtime);
}

static void tell_source(const struct driver *d)
{
    const struct lidar_options *o = &d->options;
    struct lidar_source_stats stats;
    lidar_source_stats(d->source, &stats);
    if (o->source == LIDAR_FROM_UDP)
        sl_log(SL_LOG_INFO, "listening at %s port %u, %s at %u, receive buffer %u kB",
               o->multicast ? o->multicast : o->bind, lidar_source_udp_port(d->source, 0),
               lidar_options_has_imu(o) ? "IMU" : "telemetry", lidar_source_udp_port(d->source, 1),
               stats.receive_buffer_bytes / 1024);
    else if (o->source == LIDAR_FROM_PACKET)
        sl_log(SL_LOG_INFO, "taking frames of %s for port %u, ring %u kB", o->interface,
               (unsigned)o->port, stats.receive_buffer_bytes / 1024);
    else if (o->source == LIDAR_FROM_XDP)
        sl_log(SL_LOG_INFO, "taking frames of %s for port %u by XDP (%s), slots for %u kB",
               o->interface, (unsigned)o->port, lidar_source_xdp_mode(d->source),
               stats.receive_buffer_bytes / 1024);
    else if (o->source == LIDAR_FROM_TOPIC)
        sl_log(SL_LOG_INFO, "reading %s%s", o->topics.text[0],
               o->topics.count > 1 ? " and others" : "");
    else if (o->source == LIDAR_FROM_CAPTURE)
        sl_log(SL_LOG_INFO, "replaying %s", o->capture);
    else
        sl_log(SL_LOG_INFO, "simulating a sensor of %g turns a minute", o->sim_rpm);
}

static void tell_warning(const struct driver *d)
{
    const char *warning = lidar_source_warning(d->source);
    if (warning)
        sl_log(SL_LOG_WARN, "%s", warning);
}

/* The source before the topics, as it fails sooner, unless it is made of one. */
static int open_ends(struct driver *d, struct sl_runtime *runtime)
{
    bool needs_topics =
        d->options.source == LIDAR_FROM_XDP || d->options.source == LIDAR_FROM_TOPIC;
    int err = needs_topics ? open_topics(d, runtime) : 0;
    if (err == 0)
        err = lidar_options_source(&d->options, &d->ends, &d->source);
    if (err == 0 && !needs_topics)
        err = open_topics(d, runtime);
    return err;
}

static int driver_open(void *state, struct sl_runtime *runtime)
{
    struct driver *d = state;
    d->runtime = runtime;
    int err = check_options(d, runtime);
    if (err < 0)
        return err;
    int calibrated = lidar_options_calibration(&d->options, &d->calibration);
    if (calibrated < 0)
        return calibrated;
    err = open_ends(d, runtime);
    if (err < 0)
        return err;
    bool is_xdp = d->options.source == LIDAR_FROM_XDP;
    struct lidar_flow_config config = {
        .source = d->source,
        .publish = {.points = d->points,
                    .packets = is_xdp ? NULL : d->ends.packets, /* the source does it */
                    .form = lidar_options_packet_form(&d->options),
                    .frame_id = d->options.frame_id,
                    .patience = {.may_wait = d->options.block ? may_wait : NULL, .context = d}},
    };
    if (d->scan) {
        lidar_publish_scan_init(&d->publish_scan, &d->options.scan, d->scan,
                                &config.publish.patience);
        config.publish.look = lidar_publish_scan_take;
        config.publish.looker = &d->publish_scan;
    }
    lidar_options_decoder(&d->options, &config.decoder);
    lidar_publish_imu_init(&d->publish_imu, d->imu, d->options.frame_id);
    config.decoder.ouster.imu = lidar_publish_imu_sink(&d->publish_imu);
    config.decoder.livox.imu = config.decoder.ouster.imu;
    err = lidar_images_open(&d->images, &d->options.metadata, d->options.frame_id, d->image,
                            &config.publish.patience);
    if (err < 0)
        return err;
    const struct ouster_pixel_sink pixels = lidar_images_sink(&d->images);
    if (d->options.images)
        config.decoder.ouster.pixels = &pixels;
    config.decoder.calibration = calibrated > 0 ? &d->calibration : NULL;
    err = lidar_flow_open(&d->flow, &config);
    if (err < 0)
        return err;
    if (d->transforms) {
        const struct lidar_transforms transforms = transforms_of(d, runtime, &config.decoder);
        err = lidar_publish_transforms(&transforms, sl_clock_realtime_ns(), d->transforms);
        if (err < 0)
            return err;
    }
    tell_source(d);
    tell_warning(d);
    int fd = lidar_source_fd(d->source);
    return fd >= 0 ? sl_runtime_watch(runtime, fd) : 0;
}

/* Are there as many subscribers as were asked for? */
static bool may_begin(struct driver *d, struct sl_runtime *runtime)
{
    struct sl_publisher_status status;
    if (d->options.wait_for > 0 && sl_publisher_status(d->points, &status) == 0 &&
        status.subscribers < d->options.wait_for) {
        sl_runtime_wake_at(runtime, sl_clock_monotonic_ns() + LOOK_FOR_SUBSCRIBERS_NS);
        return false;
    }
    d->is_flowing = true;
    lidar_report_begin(&d->report, &d->flow);
    return true;
}

static void tell_end(struct driver *d)
{
    if (d->is_flowing && !d->is_told && (!d->has_failed || d->flow.publish.counts.frames > 0))
        lidar_report_end(&d->report);
    if (d->publish_scan.dropped > 0 && !d->is_told)
        sl_log(SL_LOG_WARN, "%llu LaserScans were left out: no slot was free",
               (unsigned long long)d->publish_scan.dropped);
    if (d->images.dropped > 0 && !d->is_told)
        sl_log(SL_LOG_WARN, "%llu images were left out: no slot was free",
               (unsigned long long)d->images.dropped);
    d->is_told = true;
}

/* A source names its file itself; what the decoder found out does not. */
static int name_input(const struct driver *d, int err)
{
    const char *file = d->options.capture;
    if (d->options.source != LIDAR_FROM_CAPTURE || strstr(sl_error_text(), file))
        return err;
    return sl_error_at(err, "%s", file);
}

/* The source has ended, or failed. */
static int end(struct driver *d, int err)
{
    if (err == -ENODATA)
        err = lidar_flow_end(&d->flow);
    d->has_failed = err < 0;
    if (err < 0)
        return name_input(d, err);
    tell_end(d);
    tell_warning(d); /* a capture that is cut off */
    return -ECANCELED;
}

/* Nothing is there: when is there something to do again? */
static int wait_more(struct driver *d, struct sl_runtime *runtime, uint64_t tick_ns)
{
    lidar_flow_deadline(&d->flow);
    uint64_t due_ns = lidar_flow_due_ns(&d->flow);
    if (due_ns == LIDAR_SOURCE_DUE_NOW)
        return 1;
    sl_runtime_wake_at(runtime, due_ns < tick_ns ? due_ns : tick_ns);
    return 0;
}

static int driver_work(void *state, struct sl_runtime *runtime)
{
    struct driver *d = state;
    if (!d->is_flowing && !may_begin(d, runtime))
        return 0;
    int done = lidar_flow_step(&d->flow);
    if (done < 0)
        return end(d, done);
    uint64_t tick_ns = lidar_report_tick(&d->report, sl_clock_monotonic_ns());
    return done > 0 ? done : wait_more(d, runtime, tick_ns);
}

static void driver_close(void *state, struct sl_runtime *runtime)
{
    struct driver *d = state;
    if (d->flow.decoder)
        tell_end(d);
    lidar_flow_close(&d->flow);
    if (d->source && lidar_source_fd(d->source) >= 0)
        sl_runtime_unwatch(runtime, lidar_source_fd(d->source));
    lidar_source_close(d->source);
    lidar_images_close(&d->images);
    d->source = NULL;
}

const struct sl_program lidar_program = {
    .name = "lidar",
    .summary = "Velodyne, Hesai, RoboSense, Livox and Ouster lidars: packets become points in "
               "shared memory",
    .details =
        "Topics: points (sensor_msgs/msg/PointCloud2, a message a turn: a ring wide, a column\n"
        "high; x y z intensity ring time) and packets (velodyne_msgs/msg/VelodyneScan, the same\n"
        "turn's data packets; a Hesai's are nebula_msgs/msg/NebulaPackets). A turn begins at the "
        "column that crosses the cut angle. Points\n"
        "without a return are NaN. With two returns the second ones are the second half of the\n"
        "rows. time is in seconds after the stamp, which is the first column's.\n"
        "\n"
        "On request: scan (sensor_msgs/msg/LaserScan; --scan-ring or --scan-band), /tf_static\n"
        "(tf2_msgs/msg/TFMessage, retained; --tf), and an Ouster's pictures "
        "(sensor_msgs/msg/Image;\n"
        "--images): range_image, signal_image, reflec_image, nearir_image.\n"
        "\n"
        "A packet that holds the cut belongs to the turn that it completes. Every slot has room\n"
        "for a turn at the slowest rotation; see --returns, --slots, --subscribers and --quota\n"
        "for the memory that this takes.\n"
        "\n"
        "A Hesai, a RoboSense or a sensor of more than 16 lasers has to be named by --model. "
        "sluice\n"
        "lidar models lists what there is. RoboSense's and Livox's have no packets topic.\n"
        "\n"
        "An Ouster is what --metadata describes: points (the same fields; as many rings as it has\n"
        "beams, ring 0 the highest, a row for each column of its window) when the last packet of\n"
        "a turn is in, and imu (sensor_msgs/msg/Imu). Ports are the metadata's if none are given;\n"
        "--cut-angle, --returns and --packets are not for it.\n"
        "\n"
        "A Livox has no turns: a frame is all that was seen in --frame-period, a packet a row, "
        "and\n"
        "imu (sensor_msgs/msg/Imu). It sends to whom it was told by Livox's own tools.",
    .example = "lidar --source capture --capture drive.pcap --rate 0 --block",
    .options = lidar_option_table,
    .option_count = LIDAR_OPTION_COUNT,
    .state_size = sizeof(struct driver),
    .open = driver_open,
    .topics = driver_topics,
    .work = driver_work,
    .close = driver_close,
};
