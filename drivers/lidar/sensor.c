/* SPDX-License-Identifier: Apache-2.0 */
/* sensor.c - from options to a flow, for each sensor of the process. */
#include "drivers/lidar/sensor.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "drivers/lidar/publish_transforms.h"
#include "drivers/lidar/source_address.h"

/* Of the process, not of a sensor. */
static const char *const common_options[] = {"topic",
                                             "also",
                                             "source",
                                             "bind",
                                             "interface",
                                             "multicast",
                                             "receive-buffer",
                                             "capture",
                                             "rate",
                                             "loop",
                                             "sim-model",
                                             "sim-rpm",
                                             "sim-counterclockwise",
                                             "sim-return",
                                             "sim-noise",
                                             "sim-faults",
                                             "sim-packets",
                                             "sim-seed",
                                             "block",
                                             "wait-for-subscribers",
                                             NULL};

/* Reading ----------------------------------------------------------------------------------------
 */

static struct lidar_given given_to_first(const struct sl_runtime *runtime)
{
    return (struct lidar_given){
        .source = sl_runtime_given(runtime, "source"),
        .port = sl_runtime_given(runtime, "port"),
        .telemetry_port = sl_runtime_given(runtime, "telemetry-port"),
        .ptp_ahead = sl_runtime_given(runtime, "ptp-ahead"),
        .packets = sl_runtime_given(runtime, "packets"),
    };
}

/* The first one's options without what makes it that sensor. */
static void inherit(struct lidar_sensor *sensor, const struct lidar_options *first)
{
    struct lidar_options *o = &sensor->options;
    *o = *first;
    o->also.count = 0;
    o->model = 0;
    o->metadata_file = o->calibration = o->sender = o->images = NULL;
    o->port = LIDAR_VELODYNE_DATA_PORT;
    o->telemetry_port = LIDAR_VELODYNE_TELEMETRY_PORT;
    o->x_m = o->y_m = o->z_m = o->roll_deg = o->pitch_deg = o->yaw_deg = 0;
}

static int set_name(struct lidar_sensor *sensor, const char *name)
{
    size_t length = strlen(name);
    bool is_fine = length > 0 && length < sizeof sensor->name;
    for (const char *c = name; *c; c++)
        is_fine = is_fine && (isalnum((unsigned char)*c) || *c == '_' || *c == '-');
    if (!is_fine)
        return sl_error(-EINVAL,
                        "option --also: '%s' is no name of a sensor: 1 to %d letters, digits, '_' "
                        "and '-', then KEY=VALUE ...",
                        name, SL_NODE_MAX - 1);
    memcpy(sensor->name, name, length + 1);
    return 0;
}

static void note_given(struct lidar_given *given, const char *name)
{
    given->port |= strcmp(name, "port") == 0;
    given->telemetry_port |= strcmp(name, "telemetry-port") == 0;
    given->ptp_ahead |= strcmp(name, "ptp-ahead") == 0;
    given->packets |= strcmp(name, "packets") == 0;
}

/* "sender=10.0.0.2", with dashes before it or without. */
static int set_option(struct lidar_sensor *sensor, char *word, struct lidar_given *given)
{
    const struct sl_command command = {
        .name = "lidar",
        .tables = {{.options = lidar_option_table,
                    .count = LIDAR_OPTION_COUNT,
                    .state = &sensor->options}},
    };
    char *name = word + strspn(word, "-"), *value = strchr(name, '=');
    if (value)
        *value++ = '\0';
    for (char *c = name; *c; c++)
        *c = *c == '_' ? '-' : *c;
    for (const char *const *common = common_options; *common; common++) {
        if (strcmp(*common, name) == 0)
            return sl_error(-EINVAL, "option --also: %s: %s is the whole process's", sensor->name,
                            name);
    }
    note_given(given, name);
    int err = sl_options_set(&command, name, value);
    return err < 0 ? sl_error_at(-EINVAL, "option --also: %s", sensor->name) : 0;
}

static int read_text(struct lidar_sensor *sensor, const char *text, struct lidar_given *given)
{
    char *rest = NULL;
    if (strlen(text) >= sizeof sensor->text)
        return sl_error(-EINVAL, "option --also: longer than %zu bytes: %.40s...",
                        sizeof sensor->text - 1, text);
    strcpy(sensor->text, text);
    char *word = strtok_r(sensor->text, " \t\n", &rest);
    int err = set_name(sensor, word ? word : "");
    while (err == 0 && (word = strtok_r(NULL, " \t\n", &rest)))
        err = set_option(sensor, word, given);
    return err;
}

static struct lidar_transforms transforms_of(const struct lidar_sensor *sensor,
                                             const struct lidar_decoder_config *config)
{
    return (struct lidar_transforms){
        .name = sensor->name[0] ? sensor->name : sl_runtime_name(sensor->runtime),
        .frame_id = sensor->options.frame_id,
        .mounting = &config->frames.block,
        .metadata = config->ouster.metadata,
    };
}

static int check(struct lidar_sensor *sensor, const struct lidar_given *given)
{
    struct lidar_options *o = &sensor->options;
    int err = lidar_options_check(o, given);
    if (err < 0)
        return err;
    sensor->port_count = lidar_options_ports(o, sensor->ports);
    if (o->sender && o->sender[0]) {
        struct sockaddr_storage sender;
        err = lidar_address_parse("option --sender:", o->sender, &sender);
        if (err < 0)
            return err;
        sensor->sender = lidar_address_endpoint(&sender);
    }
    if (!o->tf)
        return 0;
    struct lidar_decoder_config config;
    lidar_options_decoder(o, &config);
    const struct lidar_transforms transforms = transforms_of(sensor, &config);
    return lidar_transforms_check(&transforms);
}

/* Telling apart ----------------------------------------------------------------------------------
 */

static bool same_address(const struct sl_endpoint *one, const struct sl_endpoint *other)
{
    return one->family == other->family &&
           memcmp(one->address, other->address, sizeof one->address) == 0;
}

static bool is_at_port(const struct lidar_sensor *sensor, uint16_t port)
{
    for (unsigned i = 0; i < sensor->port_count; i++)
        if (sensor->ports[i] == port)
            return true;
    return sensor->port_count == 0;
}

static uint64_t serial_of(const struct lidar_sensor *sensor)
{
    return sensor->options.is_ouster ? sensor->options.metadata.serial : 0;
}

/* Is it this Ouster's, as far as serial number and length tell? */
static bool is_ousters(struct lidar_sensor *sensor, const struct sl_datagram *datagram)
{
    const struct ouster_metadata *m = &sensor->options.metadata;
    uint64_t serial = 0;
    if (!ouster_is_packet(&m->format, &m->imu, datagram->bytes, datagram->size_bytes, &serial))
        return false;
    bool is_told = serial != 0 && m->serial != 0;
    if (is_told && serial != m->serial)
        return false;
    if (is_told || datagram->size_bytes == m->format.packet_bytes)
        sensor->met = datagram->source;
    else if (sensor->sender.family == 0)
        return same_address(&sensor->met, &datagram->source);
    return true;
}

static bool wants(void *context, const struct sl_datagram *datagram)
{
    struct lidar_sensor *sensor = context;
    if (sensor->sender.family != 0 && !same_address(&sensor->sender, &datagram->source))
        return false;
    if (sensor->is_alone)
        return true; /* the source has looked at the port */
    if (!is_at_port(sensor, datagram->destination.port))
        return false;
    return !sensor->options.is_ouster || is_ousters(sensor, datagram);
}

static const char *name_of(const struct lidar_sensor *sensor)
{
    return sensor->name[0] ? sensor->name : sl_runtime_name(sensor->runtime);
}

static bool share_a_port(const struct lidar_sensor *one, const struct lidar_sensor *other)
{
    for (unsigned i = 0; i < one->port_count; i++)
        if (is_at_port(other, one->ports[i]))
            return true;
    return one->port_count == 0 || other->port_count == 0;
}

/* Is every datagram one's or the other's, and never both? */
static int check_pair(const struct lidar_sensor *one, const struct lidar_sensor *other)
{
    if (strcmp(name_of(one), name_of(other)) == 0)
        return sl_error(-EINVAL, "option --also: two sensors are named %s", name_of(one));
    bool has_senders = one->sender.family != 0 && other->sender.family != 0;
    if (!share_a_port(one, other) || (has_senders && !same_address(&one->sender, &other->sender)))
        return 0;
    if (one->options.is_ouster && other->options.is_ouster &&
        (one->options.metadata.format.packet_bytes != other->options.metadata.format.packet_bytes ||
         (serial_of(one) != 0 && serial_of(other) != 0 && serial_of(one) != serial_of(other))))
        return 0;
    return sl_error(-EINVAL,
                    "option --also: nothing tells the packets of %s from those of %s at port %u: "
                    "give each its sender=ADDRESS, or another port",
                    name_of(one), name_of(other), one->port_count ? one->ports[0] : 0);
}

static int check_all(const struct lidar_sensor *sensors, unsigned count)
{
    const struct lidar_options *first = &sensors[0].options;
    if (count > 1 && first->source == LIDAR_FROM_SIM)
        return sl_error(-EINVAL, "option --also: --source sim is one sensor");
    if (count > 1 && first->source == LIDAR_FROM_TOPIC)
        return sl_error(-EINVAL, "option --also: a topic's packets do not tell their sender; "
                                 "have a process for each sensor");
    for (unsigned i = 0; i < count; i++) {
        if (count > 1 && first->source != LIDAR_FROM_CAPTURE && sensors[i].ports[0] == 0)
            return sl_error(-EINVAL, "option --port: 0 is for one sensor alone");
        for (unsigned k = 0; k < i; k++) {
            int err = check_pair(&sensors[k], &sensors[i]);
            if (err < 0)
                return err;
        }
    }
    return 0;
}

int lidar_sensors_read(struct lidar_sensor sensors[LIDAR_SENSORS_MAX], struct sl_runtime *runtime)
{
    /* Before others are read, which set given-ness too. */
    const struct lidar_given given = given_to_first(runtime);
    const struct sl_option_list *also = &sensors[0].options.also;
    unsigned count = 1 + also->count;
    if (count > LIDAR_SENSORS_MAX)
        return sl_error(-EINVAL, "option --also: more than %d sensors; have another process",
                        LIDAR_SENSORS_MAX);
    for (unsigned i = 1; i < count; i++)
        inherit(&sensors[i], &sensors[0].options);
    for (unsigned i = 0; i < count; i++) {
        struct lidar_given own = {.source = given.source};
        sensors[i].runtime = runtime;
        sensors[i].is_alone = count == 1;
        int err = i == 0 ? 0 : read_text(&sensors[i], also->text[i - 1], &own);
        if (err == 0)
            err = lidar_sensor_failed(&sensors[i], check(&sensors[i], i == 0 ? &given : &own));
        if (err < 0)
            return err;
    }
    int err = check_all(sensors, count);
    return err < 0 ? err : (int)count;
}

int lidar_sensor_failed(const struct lidar_sensor *sensor, int err)
{
    return err < 0 && !sensor->is_alone ? sl_error_at(err, "sensor %s", name_of(sensor)) : err;
}

/* Topics -----------------------------------------------------------------------------------------
 */

/* "points" becomes "/rear/points" of a sensor that has a name. */
static int publish(struct lidar_sensor *sensor, struct sl_publisher_options *topic,
                   struct sl_publisher **ret_publisher)
{
    char name[SL_TOPIC_MAX];
    if (sensor->name[0] && topic->topic[0] != '/') {
        snprintf(name, sizeof name, "/%s/%s", sensor->name, topic->topic);
        topic->topic = name;
    }
    return sl_runtime_publish(sensor->runtime, topic, ret_publisher);
}

static int open_optional(struct lidar_sensor *sensor)
{
    const struct lidar_options *o = &sensor->options;
    struct sl_publisher_options topic;
    int err = 0;
    if (lidar_options_has_imu(o)) {
        lidar_options_imu(o, &topic);
        err = publish(sensor, &topic, &sensor->imu);
    }
    if (err == 0 && lidar_options_has_fix(o)) {
        lidar_options_fix(o, &topic);
        err = publish(sensor, &topic, &sensor->fix);
    }
    if (err == 0 && o->has_scan) {
        lidar_options_scan(o, &topic);
        err = publish(sensor, &topic, &sensor->scan);
    }
    for (unsigned i = 0; err == 0 && i < LIDAR_IMAGES; i++) {
        if (!o->has_image[i])
            continue;
        lidar_options_image(o, (enum lidar_image)i, &topic);
        err = publish(sensor, &topic, &sensor->image[i]);
    }
    if (err == 0 && o->tf) {
        lidar_options_transforms(&topic);
        err = publish(sensor, &topic, &sensor->transforms);
    }
    return err;
}

int lidar_sensor_open_topics(struct lidar_sensor *sensor, bool is_first)
{
    const struct lidar_options *o = &sensor->options;
    struct sl_publisher_options topic;
    lidar_options_points(o, &topic);
    int err = publish(sensor, &topic, &sensor->points);
    if (err == 0 && o->packets && (is_first || o->source != LIDAR_FROM_XDP)) {
        lidar_options_packets(o, &topic);
        err = publish(sensor, &topic, &sensor->packets);
    }
    return err < 0 ? err : open_optional(sensor);
}

/* Flow -------------------------------------------------------------------------------------------
 */

/* May a loan be waited for? Until somebody wants the program to end. */
static bool may_wait(void *context)
{
    struct lidar_sensor *sensor = context;
    return !sl_runtime_stopping(sensor->runtime);
}

static struct lidar_flow_config flow_config(struct lidar_sensor *sensor,
                                            struct lidar_source *source)
{
    const struct lidar_options *o = &sensor->options;
    bool source_publishes = o->source == LIDAR_FROM_XDP;
    bool must_tell_apart = !sensor->is_alone || o->source == LIDAR_FROM_CAPTURE;
    struct lidar_flow_config config = {
        .source = source,
        .wants = must_tell_apart ? wants : NULL,
        .context = sensor,
        .publish = {.points = sensor->points,
                    .packets = source_publishes ? NULL : sensor->packets,
                    .form = lidar_options_packet_form(o),
                    .frame_id = o->frame_id,
                    .slice_columns = (unsigned)o->slice_columns,
                    .patience = {.may_wait = o->publishing.block ? may_wait : NULL,
                                 .context = sensor}},
    };
    lidar_options_decoder(o, &config.decoder);
    return config;
}

static void add_scan(struct lidar_sensor *sensor, struct lidar_publish_config *publish)
{
    if (!sensor->scan)
        return;
    lidar_publish_scan_init(&sensor->publish_scan, &sensor->options.scan, sensor->scan,
                            &publish->patience);
    publish->look = lidar_publish_scan_take;
    publish->looker = &sensor->publish_scan;
}

static void add_small_topics(struct lidar_sensor *sensor, struct lidar_decoder_config *decoder)
{
    const char *frame_id = sensor->options.frame_id;
    lidar_publish_imu_init(&sensor->publish_imu, sensor->imu, frame_id);
    lidar_publish_fix_init(&sensor->publish_fix, sensor->fix, frame_id);
    decoder->ouster.imu = lidar_publish_imu_sink(&sensor->publish_imu);
    decoder->livox.imu = decoder->ouster.imu;
    decoder->fix = lidar_publish_fix_sink(&sensor->publish_fix);
}

int lidar_sensor_read_calibration(struct lidar_sensor *sensor)
{
    int found = lidar_options_calibration(&sensor->options, &sensor->calibration);
    sensor->is_calibrated = found > 0;
    return found < 0 ? lidar_sensor_failed(sensor, found) : 0;
}

int lidar_sensor_open(struct lidar_sensor *sensor, struct lidar_source *source)
{
    struct lidar_options *o = &sensor->options;
    struct lidar_flow_config config = flow_config(sensor, source);
    add_scan(sensor, &config.publish);
    add_small_topics(sensor, &config.decoder);
    int err = lidar_images_open(&sensor->images, &o->metadata, o->frame_id, sensor->image,
                                &config.publish.patience);
    if (err < 0)
        return err;
    const struct ouster_pixel_sink pixels = lidar_images_sink(&sensor->images);
    if (o->images)
        config.decoder.ouster.pixels = &pixels;
    config.decoder.calibration = sensor->is_calibrated ? &sensor->calibration : NULL;
    err = lidar_flow_open(&sensor->flow, &config);
    if (err < 0 || !sensor->transforms)
        return err;
    const struct lidar_transforms transforms = transforms_of(sensor, &config.decoder);
    return lidar_publish_transforms(&transforms, sl_clock_realtime_ns(), sensor->transforms);
}

bool lidar_sensor_may_begin(struct lidar_sensor *sensor, bool may_draw)
{
    const struct lidar_options *o = &sensor->options;
    struct sl_publisher_status status;
    if (o->publishing.wait_for > 0 && sl_publisher_status(sensor->points, &status) == 0 &&
        status.subscribers < o->publishing.wait_for)
        return false;
    sensor->is_flowing = true;
    lidar_report_begin(&sensor->report, &sensor->flow, sensor->is_alone ? NULL : name_of(sensor),
                       may_draw);
    return true;
}

static void tell_dropped(const struct lidar_sensor *sensor, const char *what, uint64_t count,
                         const char *why)
{
    if (count > 0)
        sl_log(SL_LOG_WARN, "%s%s%llu %s were left out: %s",
               sensor->is_alone ? "" : name_of(sensor), sensor->is_alone ? "" : ": ",
               (unsigned long long)count, what, why);
}

void lidar_sensor_tell_end(struct lidar_sensor *sensor)
{
    static const char no_slot[] = "no slot was free";
    static const char is_behind[] = "a subscriber that wants all was behind";
    if (!sensor->is_flowing || sensor->is_told)
        return;
    sensor->is_told = true;
    lidar_report_end(&sensor->report);
    tell_dropped(sensor, "LaserScans", sensor->publish_scan.dropped, no_slot);
    tell_dropped(sensor, "images", sensor->images.dropped, no_slot);
    tell_dropped(sensor, "IMU messages", sensor->publish_imu.dropped, is_behind);
    tell_dropped(sensor, "positions", sensor->publish_fix.dropped, is_behind);
}

void lidar_sensor_close(struct lidar_sensor *sensor)
{
    lidar_flow_close(&sensor->flow);
    lidar_images_close(&sensor->images);
}
