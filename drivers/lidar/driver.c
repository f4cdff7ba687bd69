/* SPDX-License-Identifier: Apache-2.0 */
/* driver.c - the program: source and topics are opened, the flow is driven by the loop. */
#include "drivers/lidar/driver.h"

#include <errno.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "drivers/lidar/sensor.h"
#include "drivers/lidar/source_xdp.h"

#define LOOK_FOR_SUBSCRIBERS_NS (2 * SL_NS_PER_MS)

struct driver {
    struct lidar_sensor sensor[LIDAR_SENSORS_MAX]; /* first: it begins with the options */
    unsigned sensor_count;
    struct lidar_source *source;
    struct lidar_source_ends ends;
    uint64_t unwanted; /* datagrams that were no sensor's */
    bool is_flowing;   /* nothing is received before */
    bool has_failed;
};

static const struct lidar_options *common_options(const struct driver *d)
{
    return &d->sensor[0].options;
}

static int read_sensors(struct driver *d, struct sl_runtime *runtime)
{
    int count = lidar_sensors_read(d->sensor, runtime);
    if (count < 0)
        return count;
    d->sensor_count = (unsigned)count;
    return 0;
}

static int open_topics(struct driver *d)
{
    const struct lidar_options *o = common_options(d);
    int err = 0;
    for (unsigned i = 0; err == 0 && i < d->sensor_count; i++)
        err = lidar_sensor_open_topics(&d->sensor[i], i == 0);
    for (unsigned i = 0; err == 0 && i < o->topics.count; i++) {
        struct sl_subscriber_options raw;
        lidar_options_raw(o, i, &raw);
        err = sl_runtime_subscribe(d->sensor[0].runtime, &raw, &d->ends.raw[i]);
    }
    return err;
}

static int driver_topics(void *state, struct sl_runtime *runtime)
{
    struct driver *d = state;
    int err = read_sensors(d, runtime);
    return err < 0 ? err : open_topics(d);
}

/* Where the first one's packets are awaited, which is where the source is. */
static void tell_source(const struct driver *d)
{
    const struct lidar_options *o = common_options(d);
    struct lidar_source_stats stats;
    lidar_source_stats(d->source, &stats);
    if (o->source == LIDAR_FROM_UDP)
        sl_log(SL_LOG_INFO, "listening at %s port %u, %s at %u, receive buffer %u kB",
               o->multicast ? o->multicast : o->bind, lidar_source_udp_port(d->source, 0),
               lidar_options_has_imu(o) ? "IMU" : "telemetry",
               o->telemetry_port != 0 ? lidar_source_udp_port(d->source, 1) : 0,
               stats.receive_buffer_bytes / 1024);
    else if (o->source == LIDAR_FROM_PACKET)
        sl_log(SL_LOG_INFO, "taking frames of %s for port %u, ring %u kB", o->interface,
               (unsigned)o->port, stats.receive_buffer_bytes / 1024);
    else if (o->source == LIDAR_FROM_XDP)
        sl_log(SL_LOG_INFO, "taking frames of %s for port %u by XDP (%s), slots for %u kB a queue",
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

/* Whom the others await. */
static void tell_others(const struct driver *d)
{
    for (unsigned i = 1; i < d->sensor_count; i++) {
        const struct lidar_options *o = &d->sensor[i].options;
        sl_log(SL_LOG_INFO, "%s: port %u, %s at %u, sender %s", d->sensor[i].name,
               (unsigned)o->port, lidar_options_has_imu(o) ? "IMU" : "telemetry",
               (unsigned)o->telemetry_port, o->sender ? o->sender : "any");
    }
}

static void tell_warning(const struct driver *d)
{
    const char *warning = lidar_source_warning(d->source);
    if (warning)
        sl_log(SL_LOG_WARN, "%s", warning);
}

static int open_source(struct driver *d)
{
    struct lidar_needs needs = {0};
    int err = 0;
    for (unsigned i = 0; err == 0 && i < d->sensor_count; i++)
        err = lidar_options_need(&d->sensor[i].options, &needs);
    if (d->sensor_count == 1)
        needs.sender = common_options(d)->sender;
    d->ends.packets = d->sensor[0].packets;
    return err < 0 ? err : lidar_options_source(common_options(d), &needs, &d->ends, &d->source);
}

/* The source before the topics, as it fails sooner, unless it is made of one. */
static int open_ends(struct driver *d)
{
    int source = common_options(d)->source;
    bool needs_topics = source == LIDAR_FROM_XDP || source == LIDAR_FROM_TOPIC;
    int err = needs_topics ? open_topics(d) : 0;
    if (err == 0)
        err = open_source(d);
    if (err == 0 && !needs_topics)
        err = open_topics(d);
    return err;
}

static int driver_open(void *state, struct sl_runtime *runtime)
{
    struct driver *d = state;
    int err = read_sensors(d, runtime);
    for (unsigned i = 0; err == 0 && i < d->sensor_count; i++)
        err = lidar_sensor_read_calibration(&d->sensor[i]);
    if (err == 0)
        err = open_ends(d);
    for (unsigned i = 0; err == 0 && i < d->sensor_count; i++)
        err = lidar_sensor_failed(&d->sensor[i], lidar_sensor_open(&d->sensor[i], d->source));
    if (err < 0)
        return err;
    tell_source(d);
    tell_others(d);
    tell_warning(d);
    int fd = lidar_source_fd(d->source);
    return fd >= 0 ? sl_runtime_watch(runtime, fd) : 0;
}

static bool may_begin(struct driver *d, struct sl_runtime *runtime)
{
    bool may = true;
    for (unsigned i = 0; i < d->sensor_count; i++)
        may &= d->sensor[i].is_flowing || lidar_sensor_may_begin(&d->sensor[i], i == 0);
    if (!may)
        sl_runtime_wake_at(runtime, sl_clock_monotonic_ns() + LOOK_FOR_SUBSCRIBERS_NS);
    d->is_flowing = may;
    return may;
}

static void tell_end(struct driver *d)
{
    for (unsigned i = 0; d->is_flowing && i < d->sensor_count; i++) {
        if (!d->has_failed || d->sensor[i].flow.publish.counts.frames > 0)
            lidar_sensor_tell_end(&d->sensor[i]);
    }
    if (d->unwanted > 0)
        sl_log(SL_LOG_INFO, "%llu datagrams were of another sensor",
               (unsigned long long)d->unwanted);
    d->unwanted = 0;
}

/* A source names its file itself; what the decoder found out does not. */
static int name_input(const struct driver *d, int err)
{
    const char *file = common_options(d)->capture;
    if (common_options(d)->source != LIDAR_FROM_CAPTURE || strstr(sl_error_text(), file))
        return err;
    return sl_error_at(err, "%s", file);
}

/* Hand on what was begun. */
static int end_flows(struct driver *d)
{
    int err = 0;
    for (unsigned i = 0; err == 0 && i < d->sensor_count; i++)
        err = lidar_sensor_failed(&d->sensor[i], lidar_flow_end(&d->sensor[i].flow));
    return err;
}

/* The source has ended, or failed. */
static int end(struct driver *d, int err)
{
    if (err == -ENODATA)
        err = end_flows(d);
    d->has_failed = err < 0;
    if (err < 0)
        return name_input(d, err);
    tell_end(d);
    tell_warning(d); /* a capture that is cut off */
    return -ECANCELED;
}

/* Nothing is there: when is there something to do again? */
static int wait_more(struct driver *d, struct sl_runtime *runtime, uint64_t due_ns)
{
    for (unsigned i = 0; i < d->sensor_count; i++) {
        lidar_flow_deadline(&d->sensor[i].flow);
        uint64_t flow_ns = lidar_flow_due_ns(&d->sensor[i].flow);
        if (flow_ns == LIDAR_SOURCE_DUE_NOW)
            return 1;
        due_ns = flow_ns < due_ns ? flow_ns : due_ns;
    }
    sl_runtime_wake_at(runtime, due_ns);
    return 0;
}

static int step(struct driver *d)
{
    struct lidar_flow *flow[LIDAR_SENSORS_MAX];
    unsigned failed = d->sensor_count;
    for (unsigned i = 0; i < d->sensor_count; i++)
        flow[i] = &d->sensor[i].flow;
    int done = lidar_flow_step_shared(flow, d->sensor_count, &d->unwanted, &failed);
    return failed < d->sensor_count ? lidar_sensor_failed(&d->sensor[failed], done) : done;
}

static int driver_work(void *state, struct sl_runtime *runtime)
{
    struct driver *d = state;
    if (!d->is_flowing && !may_begin(d, runtime))
        return 0;
    int done = step(d);
    if (done < 0)
        return end(d, done);
    uint64_t now_ns = sl_clock_monotonic_ns(), tick_ns = UINT64_MAX;
    for (unsigned i = 0; i < d->sensor_count; i++) {
        uint64_t next_ns = lidar_report_tick(&d->sensor[i].report, now_ns);
        tick_ns = next_ns < tick_ns ? next_ns : tick_ns;
    }
    return done > 0 ? done : wait_more(d, runtime, tick_ns);
}

static void driver_close(void *state, struct sl_runtime *runtime)
{
    struct driver *d = state;
    if (d->source)
        tell_end(d);
    for (unsigned i = 0; i < LIDAR_SENSORS_MAX; i++)
        lidar_sensor_close(&d->sensor[i]);
    if (d->source && lidar_source_fd(d->source) >= 0)
        sl_runtime_unwatch(runtime, lidar_source_fd(d->source));
    lidar_source_close(d->source);
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
        "imu (sensor_msgs/msg/Imu). It sends to whom it was told by Livox's own tools.\n"
        "\n"
        "Where a GPS receiver tells the sensor its position, fix (sensor_msgs/msg/NavSatFix) is a\n"
        "message for each of its sentences.\n"
        "\n"
        "--also adds sensors to the process, each with a name of its own above its topics:\n"
        "\n"
        "  lidar --sender 10.0.0.1 --also \"rear sender=10.0.0.2 yaw=180\"\n"
        "\n"
        "They may send to one port. What is not said of one is as for the first, but for model,\n"
        "metadata, calibration, ports, sender, images and place; the source is common.",
    .example = "lidar --source capture --capture drive.pcap --rate 0 --block",
    .options = lidar_option_table,
    .option_count = LIDAR_OPTION_COUNT,
    .state_size = sizeof(struct driver),
    .open = driver_open,
    .topics = driver_topics,
    .work = driver_work,
    .close = driver_close,
};
