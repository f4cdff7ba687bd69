/* SPDX-License-Identifier: Apache-2.0 */
/* options.c - the table, and what follows from it. */
#include "drivers/lidar/options.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/frame/message.h"
#include "drivers/lidar/hesai.h"
#include "drivers/lidar/livox_frames.h"
#include "drivers/lidar/option_ranges.h"
#include "drivers/lidar/ouster_frames.h"
#include "drivers/lidar/ouster_metadata_fetch.h"
#include "drivers/lidar/publish.h"
#include "drivers/lidar/publish_fix.h"
#include "drivers/lidar/publish_imu.h"
#include "drivers/lidar/publish_transforms.h"
#include "drivers/lidar/robosense.h"
#include "drivers/lidar/sim/sim.h"
#include "drivers/lidar/source_xdp.h"

#define PI                 3.14159265358979323846
#define PORT_MAX           65535
#define SLICE_RETURNS_MAX  2  /* a range of a gathered message each */
#define SLICE_COLUMNS_MIN  16 /* of which a packet has up to 24 */
#define SLICE_RING_MAX     65536
#define SLOTS_SPARE        8   /* visitors, the next one */
#define INLINE_BYTES_MAX   448 /* sluice.h's inline_max */
#define SIM_RPM(hz)        (60 * (hz))
#define AUTO_LASERS        16 /* slots are made before the first packet tells how large they must be */
#define SCAN_SPARE_PACKETS 4 /* beyond a turn at the slowest: the ends of the turn, a stutter */

const char *const lidar_model_choices[] = {
    "auto",    "vlp-16",  "puck-lite",  "puck-hi-res", "hdl-32e",   "vlp-32a",  "vlp-32b",
    "vlp-32c", "vls-128", "hdl-64e-s2", "hdl-64e-s3",  "pandar40p", "pandar64", "qt64",
    "xt32",    "xt16",    "xt32m2x",    "qt128",       "pandar128", "ot128",    "at128",
    "rs-16",   "helios",  "helios-16p", "hap",         "mid-360",   NULL};
/* "auto", and lidar_sim_model_names. */
static const char *const lidar_sim_choices[] = {"auto", "vlp-16",  "puck-hi-res", "os1-64",
                                                "xt32", "mid-360", NULL};
static const char *const source_choices[] = {"udp",     "packet", "xdp", "topic",
                                             "capture", "sim",    NULL};
static const char *const return_choices[] = {"strongest", "last", "dual", NULL};
static const char *const intensity_choices[] = {"reflectivity", "signal", NULL};
/* How sure a Livox must be that a point is no noise; and the bits of its tag that say it is not:
 * two each for glue between things, for dust and rain, for whatever else; 0 sure, 1 half, 2 hardly.
 */
static const char *const confidence_choices[] = {"any", "medium", "high", NULL};
static const uint8_t unwanted_tags[] = {0x00, 0x2A, 0x3F};
static const char *const stamp_choices[] = {"sensor", "host", "fitted", NULL};

#define FIELD(field) offsetof(struct lidar_options, field)

const struct sl_option lidar_option_table[] = {
    {.name = "model",
     .kind = SL_OPTION_CHOICE,
     .offset = FIELD(model),
     .choices = lidar_model_choices,
     .fallback = "auto",
     .help = "The sensor; packets of another one are an error. auto: the packets tell, but slots "
             "have room for sensors of 16 lasers only"},
    {.name = "calibration",
     .kind = SL_OPTION_TEXT,
     .offset = FIELD(calibration),
     .value = "FILE",
     .help = "The sensor's own angles: of a Hesai its correction file (CSV; an AT128's .dat), "
             "without it the angles are those of its type; of a RoboSense a file of the same form, "
             "without it its packets tell them; of an hdl-64e a YAML file, without it its packets "
             "tell them"},
    {.name = "source",
     .kind = SL_OPTION_CHOICE,
     .offset = FIELD(source),
     .choices = source_choices,
     .fallback = "udp",
     .help =
         "Where packets come from: the network by a socket (udp), the frames of an interface "
         "(packet), the same without a copy where the card can (xdp), messages of raw packets on "
         "the bus (topic), a capture file, a simulated sensor"},

    {.name = "metadata",
     .kind = SL_OPTION_TEXT,
     .offset = FIELD(metadata_file),
     .value = "FILE|http://HOST",
     .help = "The sensor is the Ouster that this JSON file describes, or that tells it at this "
             "address (/api/v1/sensor/metadata, unless another path is given)"},
    {.name = "intensity",
     .kind = SL_OPTION_CHOICE,
     .offset = FIELD(intensity),
     .choices = intensity_choices,
     .fallback = "reflectivity",
     .help = "Ouster: what intensity is; signal only where the profile has it"},
    {.name = "check-crc",
     .kind = SL_OPTION_FLAG,
     .offset = FIELD(check_crc),
     .help = "Ouster, Livox: leave out packets whose checksum is wrong, where firmware gives one"},
    {.name = "imu",
     .kind = SL_OPTION_FLAG,
     .offset = FIELD(imu),
     .fallback = "true",
     .help = "Ouster, Livox: publish its inertial measurements"},
    {.name = "fix",
     .kind = SL_OPTION_FLAG,
     .offset = FIELD(fix),
     .fallback = "true",
     .help = "Publish the positions of the sensor's GPS receiver, where its packets tell them: "
             "Velodyne, RoboSense's Helios, an Ouster with IMU profile ACCEL32_GYRO32_NMEA"},
    {.name = "images",
     .kind = SL_OPTION_TEXT,
     .offset = FIELD(images),
     .value = "NAME,...",
     .help = "Ouster: publish these as pictures too: range, signal, reflectivity, near-ir; or all"},
    {.name = "ptp-ahead",
     .kind = SL_OPTION_DURATION,
     .offset = FIELD(ptp_ahead_ns),
     .value = "TIME",
     .fallback = "37s",
     .max = 1e12,
     .help = "How far the sensor's PTP time is ahead of UTC, 0 = the master counts UTC; of a Hesai "
             "or RoboSense only if it is given, since its packets do not tell PTP from GPS"},
    {.name = "frame-period",
     .kind = SL_OPTION_DURATION,
     .offset = FIELD(frame_period_ns),
     .value = "TIME",
     .fallback = "100ms",
     .min = 1e6,
     .max = 1e10,
     .help = "Livox: a frame is all that was seen in such a time"},
    {.name = "confidence",
     .kind = SL_OPTION_CHOICE,
     .offset = FIELD(confidence),
     .choices = confidence_choices,
     .fallback = "any",
     .help = "Livox: how sure it must be that a point is no noise; others become holes (NaN)"},

    {.name = "port",
     .kind = SL_OPTION_INT,
     .offset = FIELD(port),
     .value = "PORT",
     .fallback = "2368",
     .max = PORT_MAX,
     .help = "UDP port of the data packets; 0 = any free one, in a capture all"},
    {.name = "telemetry-port",
     .kind = SL_OPTION_INT,
     .offset = FIELD(telemetry_port),
     .value = "PORT",
     .fallback = "8308",
     .max = PORT_MAX,
     .help = "UDP port of the position packets (GPS time), or of the IMU's; 0 = do without"},
    {.name = "bind",
     .kind = SL_OPTION_TEXT,
     .offset = FIELD(bind),
     .value = "ADDRESS",
     .fallback = "0.0.0.0",
     .help = "udp: the local address to listen at, IPv4 or IPv6"},
    {.name = "interface",
     .kind = SL_OPTION_TEXT,
     .offset = FIELD(interface),
     .value = "NAME",
     .help =
         "udp: listen on this interface alone, or join the group on it; packet, xdp: whose frames"},
    {.name = "multicast",
     .kind = SL_OPTION_TEXT,
     .offset = FIELD(multicast),
     .value = "GROUP",
     .help = "udp, packet, xdp: the group that the sensor sends to; several programs may join it"},
    {.name = "sender",
     .kind = SL_OPTION_TEXT,
     .offset = FIELD(sender),
     .value = "ADDRESS",
     .help = "Take packets of this sensor only; not of a simulated one"},
    {.name = "also",
     .kind = SL_OPTION_LIST,
     .offset = FIELD(also),
     .value = "SENSOR",
     .help = "Another sensor in this process, as \"rear sender=192.168.1.202 yaw=180\": its name "
             "and options; may be given several times"},
    {.name = "receive-buffer",
     .kind = SL_OPTION_SIZE,
     .offset = FIELD(receive_buffer_bytes),
     .value = "BYTES",
     .fallback = "32M",
     .min = 4096,
     .max = 1 << 30,
     .help = "udp, packet, xdp: what the kernel shall keep while this program is held up"},

    {.name = "topic",
     .kind = SL_OPTION_LIST,
     .offset = FIELD(topics),
     .value = "TOPIC",
     .help = "Messages of raw packets, as a recorded log has them: VelodyneScan, PandarScan, "
             "NebulaPackets, Ouster's PacketMsg; of an Ouster its IMU's too, as a second one. "
             "Alone it means --source topic, which ends when those who publish them have gone"},
    {.name = "capture",
     .kind = SL_OPTION_TEXT,
     .offset = FIELD(capture),
     .value = "FILE",
     .help = "pcap or pcapng file to replay; alone it means --source capture"},
    {.name = "rate",
     .kind = SL_OPTION_REAL,
     .offset = FIELD(rate),
     .value = "FACTOR",
     .fallback = "1",
     .max = 1000,
     .help = "capture, sim: 2 = twice as fast as it was; 0 = as fast as it goes"},
    {.name = "loop",
     .kind = SL_OPTION_FLAG,
     .offset = FIELD(loop),
     .help = "capture: begin again at the end"},

    {.name = "sim-model",
     .kind = SL_OPTION_CHOICE,
     .offset = FIELD(sim_model),
     .choices = lidar_sim_choices,
     .fallback = "auto",
     .help =
         "sim: which sensor; auto: the one that --model names, else vlp-16. An Ouster's metadata "
         "comes from itself"},
    {.name = "sim-rpm",
     .kind = SL_OPTION_REAL,
     .offset = FIELD(sim_rpm),
     .value = "TURNS",
     .fallback = "600",
     .min = SIM_RPM(LIDAR_SIM_HZ_MIN),
     .max = SIM_RPM(LIDAR_SIM_HZ_MAX),
     .help = "sim: turns a minute"},
    {.name = "sim-return",
     .kind = SL_OPTION_CHOICE,
     .offset = FIELD(sim_return),
     .choices = return_choices,
     .fallback = "strongest",
     .help = "sim: which of several echoes it tells"},
    {.name = "sim-noise",
     .kind = SL_OPTION_REAL,
     .offset = FIELD(sim_noise_m),
     .value = "METRES",
     .max = 10,
     .help = "sim: standard deviation of the range"},
    {.name = "sim-faults",
     .kind = SL_OPTION_TEXT,
     .offset = FIELD(sim_faults),
     .value = "LIST",
     .fallback = "",
     .help = "sim: " LIDAR_SIM_FAULTS_HELP},
    {.name = "sim-packets",
     .kind = SL_OPTION_INT,
     .offset = FIELD(sim_packets),
     .value = "N",
     .max = 9e15,
     .help = "sim: end after so many data packets; 0 = never"},
    {.name = "sim-seed",
     .kind = SL_OPTION_INT,
     .offset = FIELD(sim_seed),
     .value = "N",
     .fallback = "1",
     .max = 9e15,
     .help = "sim: of noise and faults: the same seed, the same packets"},

    {.name = "frame-id",
     .kind = SL_OPTION_TEXT,
     .offset = FIELD(frame_id),
     .value = "NAME",
     .fallback = "lidar",
     .help = "The coordinate frame that the messages name"},
    {.name = "cut-angle",
     .kind = SL_OPTION_REAL,
     .offset = FIELD(cut_angle_deg),
     .value = "DEGREES",
     .fallback = "0",
     .max = 360,
     .help = "Where a turn begins: the sensor's azimuth, clockwise seen from above"},
    {.name = "min-range",
     .kind = SL_OPTION_REAL,
     .offset = FIELD(range_min_m),
     .value = "METRES",
     .fallback = "0",
     .max = 1000,
     .help = "Nearer points become holes (NaN)"},
    {.name = "max-range",
     .kind = SL_OPTION_REAL,
     .offset = FIELD(range_max_m),
     .value = "METRES",
     .fallback = "0",
     .max = 1000,
     .help = "Farther points become holes (NaN); 0 = no limit"},
    {.name = "fov",
     .kind = SL_OPTION_TEXT,
     .offset = FIELD(fov),
     .value = "FROM:TO,...",
     .help = "Keep points in these directions from the sensor: degrees to the left of ahead, "
             "-180 to 180; 150:-150 goes over the back. All others become holes"},
    {.name = "rings",
     .kind = SL_OPTION_TEXT,
     .offset = FIELD(rings),
     .value = "FROM:TO,...",
     .help = "Keep points of these rings, as 0:7,12; all others become holes"},
    {.name = "exclude-box",
     .kind = SL_OPTION_TEXT,
     .offset = FIELD(exclude_box),
     .value = "X:X,Y:Y,Z:Z",
     .help = "Points in this box, in metres in the frame of the points, become holes: the "
             "vehicle itself"},
    {.name = "every-column",
     .kind = SL_OPTION_INT,
     .offset = FIELD(every_column),
     .value = "N",
     .fallback = "1",
     .min = 1,
     .max = LIDAR_EVERY_NTH_MAX,
     .help = "Keep the points of every N-th column; all others become holes"},
    {.name = "scan-ring",
     .kind = SL_OPTION_INT,
     .offset = FIELD(scan_ring),
     .value = "N",
     .fallback = "-1",
     .min = -1,
     .max = LIDAR_FILTER_RINGS - 1,
     .help = "Publish this ring of each turn as a LaserScan too; -1 = none"},
    {.name = "scan-band",
     .kind = SL_OPTION_TEXT,
     .offset = FIELD(scan_band),
     .value = "Z:Z",
     .help = "Publish a LaserScan of the nearest points between these heights in the frame of the "
             "points, in metres"},
    {.name = "scan-step",
     .kind = SL_OPTION_REAL,
     .offset = FIELD(scan_step_deg),
     .value = "DEGREES",
     .fallback = "0.5",
     .min = 360.0 / LIDAR_SCAN_RAYS_MAX,
     .max = 10,
     .help = "Angle between two rays of the LaserScan, which have to make up a whole turn"},
    {.name = "x",
     .kind = SL_OPTION_REAL,
     .offset = FIELD(x_m),
     .value = "METRES",
     .min = -1e6,
     .max = 1e6,
     .help = "Where the sensor stands in the frame; any of x ... yaw moves the points there"},
    {.name = "y",
     .kind = SL_OPTION_REAL,
     .offset = FIELD(y_m),
     .value = "METRES",
     .min = -1e6,
     .max = 1e6,
     .help = "As --x, to the left"},
    {.name = "z",
     .kind = SL_OPTION_REAL,
     .offset = FIELD(z_m),
     .value = "METRES",
     .min = -1e6,
     .max = 1e6,
     .help = "As --x, upwards"},
    {.name = "roll",
     .kind = SL_OPTION_REAL,
     .offset = FIELD(roll_deg),
     .value = "DEGREES",
     .min = -360,
     .max = 360,
     .help = "How it is turned about x; first roll, then pitch, then yaw"},
    {.name = "pitch",
     .kind = SL_OPTION_REAL,
     .offset = FIELD(pitch_deg),
     .value = "DEGREES",
     .min = -360,
     .max = 360,
     .help = "How it is turned about y, down is positive"},
    {.name = "yaw",
     .kind = SL_OPTION_REAL,
     .offset = FIELD(yaw_deg),
     .value = "DEGREES",
     .min = -360,
     .max = 360,
     .help = "How it is turned about z, left is positive"},
    {.name = "tf",
     .kind = SL_OPTION_FLAG,
     .offset = FIELD(tf),
     .help = "Publish on /tf_static where NAME_sensor stands in the frame of the points, and an "
             "Ouster's NAME_lidar and NAME_imu"},
    {.name = "stamp",
     .kind = SL_OPTION_CHOICE,
     .offset = FIELD(stamp),
     .choices = stamp_choices,
     .fallback = "sensor",
     .help = "The clock of the stamps: the sensor's where GPS or PTP sets it; the host's arrival "
             "times; the sensor's steps fitted to these, without their jitter"},
    {.name = "simd",
     .kind = SL_OPTION_CHOICE,
     .offset = FIELD(simd),
     .choices = lidar_simd_names,
     .fallback = "auto",
     .help = "The most that the making of points may ask of the processor: all give the same "
             "points; auto: the best that it has"},
    {.name = "packets",
     .kind = SL_OPTION_FLAG,
     .offset = FIELD(packets),
     .fallback = "true",
     .help = "Publish the raw packets too, a VelodyneScan a turn; a Hesai's as NebulaPackets"},

    {.name = "slice-columns",
     .kind = SL_OPTION_INT,
     .offset = FIELD(slice_columns),
     .value = "N",
     .max = 4096,
     .help = "Publish points before the turn is over, N columns a message; not of a Livox, nor of "
             "three returns; 0 = whole turns"},
    {.name = "returns",
     .kind = SL_OPTION_INT,
     .offset = FIELD(returns),
     .value = "N",
     .fallback = "2",
     .min = 1,
     .max = LIDAR_RETURNS_MAX,
     .help = "Returns a shot that a slot has room for; 1 takes half the memory"},
    {.name = "subscribers",
     .kind = SL_OPTION_INT,
     .offset = FIELD(subscribers),
     .value = "N",
     .fallback = "8",
     .min = 1,
     .max = 1024,
     .help = "Subscribers at one time"},
    {.name = "quota",
     .kind = SL_OPTION_INT,
     .offset = FIELD(quota),
     .value = "N",
     .fallback = "4",
     .min = 1,
     .max = 1024,
     .help = "Frames that one subscriber may hold"},
    {.name = "lease",
     .kind = SL_OPTION_DURATION,
     .offset = FIELD(lease_ns),
     .value = "TIME",
     .fallback = "0",
     .max = 1e12,
     .help = "When slots run out, take those back that have been held for longer; 0 = never"},
    {.name = "relay",
     .kind = SL_OPTION_FLAG,
     .offset = FIELD(relay),
     .help = "Let a thread of its own wake subscribers: publishing takes as long whoever sleeps"},
    {.name = "lossless",
     .kind = SL_OPTION_FLAG,
     .offset = FIELD(lossless),
     .help = "Let subscribers ask for every frame; while one is behind, new frames are left out"},
    {.name = "lossless-timeout",
     .kind = SL_OPTION_DURATION,
     .offset = FIELD(lossless_timeout_ns),
     .value = "TIME",
     .fallback = "1s",
     .min = 1e6,
     .max = 1e12,
     .help = "A subscriber that is behind for longer loses that right"},
    {.name = "block",
     .kind = SL_OPTION_FLAG,
     .offset = FIELD(block),
     .help =
         "topic, capture, sim: wait for a slot rather than leave a frame out; means --lossless. "
         "topic: let its publishers wait, too, if they allow it"},
    {.name = "wait-for-subscribers",
     .kind = SL_OPTION_INT,
     .offset = FIELD(wait_for),
     .value = "N",
     .max = 1024,
     .help = "topic, capture, sim: begin when so many have attached to the points"},
};
static_assert(sizeof lidar_option_table / sizeof *lidar_option_table == LIDAR_OPTION_COUNT,
              "the number in options.h");

static const struct lidar_model *model_of(const struct lidar_options *o)
{
    const char *name = lidar_model_choices[o->model];
    const struct lidar_model *velodyne = velodyne_model_find(name);
    const struct lidar_model *hesai = velodyne ? velodyne : hesai_model_find(name);
    return hesai ? hesai : robosense_model_find(name);
}

static bool is_hesai(const struct lidar_options *o)
{
    return hesai_model_find(lidar_model_choices[o->model]) != NULL;
}

static bool is_robosense(const struct lidar_options *o)
{
    return robosense_model_find(lidar_model_choices[o->model]) != NULL;
}

/* NULL = it is none. */
static const struct livox_model *livox_of(const struct lidar_options *o)
{
    return livox_model_find(lidar_model_choices[o->model]);
}

/* Is its calibration a file of lines "channel,elevation,azimuth"? */
static bool has_corrections(const struct lidar_options *o)
{
    return is_hesai(o) || is_robosense(o);
}

/* May packets of this model come? */
static bool is_awaited(const struct lidar_options *o, const struct lidar_model *model)
{
    return model_of(o) ? model_of(o) == model : model->lasers <= AUTO_LASERS;
}

static bool takes_frames(const struct lidar_options *o)
{
    return o->source == LIDAR_FROM_PACKET || o->source == LIDAR_FROM_XDP;
}

/* Packets come when they come. */
static bool is_live(const struct lidar_options *o)
{
    return o->source == LIDAR_FROM_UDP || takes_frames(o);
}

static int not_for_live(const char *option)
{
    return sl_error(-EINVAL,
                    "option --%s: packets from the network do not wait; it is for --source topic, "
                    "capture and sim",
                    option);
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

/* The sensor is an Ouster, whose metadata is there. */
static int become_ouster(struct lidar_options *o, const struct lidar_given *given)
{
    o->is_ouster = true;
    if (!given->port)
        o->port = o->metadata.lidar_port ? o->metadata.lidar_port : LIDAR_OUSTER_LIDAR_PORT;
    if (!given->telemetry_port)
        o->telemetry_port = o->metadata.imu_port ? o->metadata.imu_port : LIDAR_OUSTER_IMU_PORT;
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

/* The simulated sensor. */

static int sim_config(const struct lidar_options *o, struct lidar_sim_config *ret_sim)
{
    static const enum lidar_sim_return returns[] = {LIDAR_SIM_STRONGEST, LIDAR_SIM_LAST,
                                                    LIDAR_SIM_DUAL};
    lidar_sim_config_of((enum lidar_sim_model)(o->sim_model - 1), ret_sim);
    ret_sim->return_mode = returns[o->sim_return];
    ret_sim->rotation_hz = o->sim_rpm / 60;
    ret_sim->range_noise_m = o->sim_noise_m;
    ret_sim->data_packets_max = (uint64_t)o->sim_packets;
    ret_sim->seed = (uint64_t)o->sim_seed;
    int err = lidar_sim_faults_parse(o->sim_faults, &ret_sim->faults);
    if (ret_sim->faults.wrap_s > 0)
        ret_sim->gps = false; /* as the metadata shall say */
    return err < 0 ? sl_error_at(err, "option --sim-faults") : 0;
}

static int read_sim_metadata(struct lidar_options *o, const struct lidar_given *given)
{
    struct lidar_sim_config sim;
    char *text = NULL;
    int err = sim_config(o, &sim);
    if (err == 0)
        err = lidar_sim_metadata(&sim, &text);
    if (err < 0 || !text)
        return err;
    err =
        ouster_metadata_parse("the simulated sensor's metadata", text, strlen(text), &o->metadata);
    free(text);
    return err < 0 ? err : become_ouster(o, given);
}

static int find_choice(const char *const *choices, const char *name)
{
    for (int i = 0; choices[i]; i++) {
        if (strcmp(choices[i], name) == 0)
            return i;
    }
    return -1;
}

/* The simulated sensor that --model means. */
static const char *sim_name_of(const struct lidar_options *o)
{
    const char *name = lidar_model_choices[o->model];
    bool is_vlp16 = o->model == 0 || strcmp(name, "puck-lite") == 0; /* but for its weight */
    return is_vlp16 ? "vlp-16" : name;
}

/* --model and --sim-model say the same, or one of them nothing. */
static int match_sim(struct lidar_options *o)
{
    const char *model = sim_name_of(o), *sim = lidar_sim_choices[o->sim_model];
    if (o->model > 0 && o->sim_model > 0 && strcmp(model, sim) != 0)
        return sl_error(-EINVAL, "option --sim-model: %s, but --model says %s", sim, model);
    int chosen = o->sim_model > 0 ? o->sim_model : find_choice(lidar_sim_choices, model);
    if (chosen < 0)
        return sl_error(-EINVAL,
                        "option --model: no %s is simulated; vlp-16, puck-hi-res, os1-64, xt32 "
                        "and mid-360 are (--sim-model)",
                        model);
    o->sim_model = chosen;
    if (o->model == 0 && o->sim_model > LIDAR_SIM_HIRES + 1) {
        int named = find_choice(lidar_model_choices, lidar_sim_choices[o->sim_model]);
        o->model = named > 0 ? named : 0;
    }
    return 0;
}

/* What the sensor says of itself, and what only some have. */
static int read_sensor(struct lidar_options *o, const struct lidar_given *given)
{
    int err = 0;
    if (o->metadata_file)
        err = read_metadata(o, given);
    else if (o->source == LIDAR_FROM_SIM)
        err = read_sim_metadata(o, given);
    if (err == 0 && livox_of(o))
        err = check_imu(o);
    if (err < 0 || !o->images || !o->images[0])
        return err;
    if (!o->is_ouster)
        return sl_error(-EINVAL, "option --images: is for an Ouster, and needs --metadata");
    return read_images(o);
}

/* Rings of the sensor that may come. */
static unsigned ring_count(const struct lidar_options *o)
{
    if (o->is_ouster)
        return o->metadata.format.beams;
    if (livox_of(o))
        return livox_of(o)->lines;
    return model_of(o) ? model_of(o)->lasers : AUTO_LASERS;
}

static int read_fov(struct lidar_options *o)
{
    struct lidar_range range[LIDAR_WINDOWS_MAX];
    int count = lidar_ranges_parse("fov", o->fov, LIDAR_WINDOWS_MAX, range);
    for (int i = 0; i < count; i++)
        o->filter.windows[i] =
            (struct lidar_window){.from_deg = (float)range[i].from, .to_deg = (float)range[i].to};
    o->filter.window_count = count > 0 ? (unsigned)count : 0;
    return count < 0 ? count : 0;
}

static int read_rings(struct lidar_options *o)
{
    struct lidar_range range[LIDAR_FILTER_RINGS];
    int count = lidar_ranges_parse("rings", o->rings, LIDAR_FILTER_RINGS, range);
    for (int i = 0; i < count; i++) {
        double from = range[i].from, to = range[i].to;
        if (from != floor(from) || to != floor(to) || from < 0 || to < from ||
            to >= LIDAR_FILTER_RINGS)
            return sl_error(-EINVAL, "option --rings: %g:%g are no rings; they count from 0 up",
                            from, to);
        for (unsigned ring = (unsigned)from; ring <= (unsigned)to; ring++)
            o->filter.rings[ring / 64] |= UINT64_C(1) << ring % 64;
    }
    o->filter.has_rings = true;
    return count < 0 ? count : 0;
}

static int read_box(struct lidar_options *o)
{
    struct lidar_range range[3];
    int count = lidar_ranges_parse("exclude-box", o->exclude_box, 3, range);
    if (count < 0)
        return count;
    if (count < 3)
        return sl_error(-EINVAL, "option --exclude-box: \"%s\" must be X:X,Y:Y,Z:Z",
                        o->exclude_box);
    for (unsigned i = 0; i < 3; i++) {
        o->filter.box_min_m[i] = (float)range[i].from;
        o->filter.box_max_m[i] = (float)range[i].to;
    }
    o->filter.has_box = true;
    return 0;
}

/* An empty text is a launch file that was given none. */
static int read_filter(struct lidar_options *o)
{
    if (livox_of(o) && o->every_column > 1)
        return sl_error(-EINVAL, "option --every-column: a Livox has no columns");
    o->filter = (struct lidar_filter_options){.every_nth = (unsigned)o->every_column};
    int err = o->fov && o->fov[0] ? read_fov(o) : 0;
    if (err == 0 && o->rings && o->rings[0])
        err = read_rings(o);
    if (err == 0 && o->exclude_box && o->exclude_box[0])
        err = read_box(o);
    if (err == 0)
        err = lidar_filter_check(&o->filter, ring_count(o));
    return err;
}

/* The LaserScan, after the filter. */
static int read_scan(struct lidar_options *o)
{
    bool has_band = o->scan_band && o->scan_band[0];
    struct lidar_range band = {0};
    o->has_scan = o->scan_ring >= 0 || has_band;
    if (!o->has_scan)
        return 0;
    if (o->scan_ring >= 0 && has_band)
        return sl_error(-EINVAL, "options --scan-ring and --scan-band: one of them");
    if (o->scan_ring >= 0 && livox_of(o))
        return sl_error(-EINVAL, "option --scan-ring: a Livox's lasers are no rings around it; "
                                 "--scan-band takes a band of heights");
    if (o->scan_ring >= ring_count(o))
        return sl_error(-EINVAL, "option --scan-ring: %d; the sensor has rings 0 to %u",
                        (int)o->scan_ring, ring_count(o) - 1);
    if (o->scan_ring >= 0 && !lidar_filter_has_ring(&o->filter, (unsigned)o->scan_ring))
        return sl_error(-EINVAL, "option --scan-ring: %d is not among those of --rings %s",
                        (int)o->scan_ring, o->rings);
    if (has_band && lidar_ranges_parse("scan-band", o->scan_band, 1, &band) < 0)
        return -EINVAL;
    if (has_band && !(band.from < band.to))
        return sl_error(-EINVAL, "option --scan-band: %g to %g m holds no point", band.from,
                        band.to);
    o->scan = (struct lidar_scan_options){
        .frame_id = o->frame_id,
        .has_ring = !has_band,
        .ring = has_band ? 0 : (unsigned)o->scan_ring,
        .band_min_m = (float)band.from,
        .band_max_m = (float)band.to,
        .rays = (unsigned)lround(360 / o->scan_step_deg),
        .range_min_m = (float)o->range_min_m,
        .range_max_m = (float)o->range_max_m,
    };
    return 0;
}

static int check_slices(const struct lidar_options *o)
{
    if (o->slice_columns == 0)
        return 0;
    if (livox_of(o))
        return sl_error(-EINVAL, "option --slice-columns: a Livox has no columns; a short "
                                 "--frame-period does the same");
    if (!o->is_ouster && o->returns > SLICE_RETURNS_MAX)
        return sl_error(-EINVAL, "option --slice-columns: for --returns %d at most",
                        SLICE_RETURNS_MAX);
    if (o->slice_columns < SLICE_COLUMNS_MIN)
        return sl_error(-EINVAL, "option --slice-columns: at least %d", SLICE_COLUMNS_MIN);
    return 0;
}

/* Topics, and what goes with them. */
static int check_topics(struct lidar_options *o, const struct lidar_given *given)
{
    if (o->source != LIDAR_FROM_TOPIC && o->topics.count > 0)
        return sl_error(-EINVAL, "option --topic: %s is not read with --source %s",
                        o->topics.text[0], source_choices[o->source]);
    if (o->source != LIDAR_FROM_TOPIC)
        return 0;
    if (o->topics.count == 0 || o->topics.count > LIDAR_TOPICS_MAX)
        return sl_error(-EINVAL, "option --source: topic needs --topic TOPIC, at most %d times",
                        LIDAR_TOPICS_MAX);
    if (!given->packets)
        o->packets = false; /* they are on the bus already */
    return 0;
}

int lidar_options_check(struct lidar_options *o, const struct lidar_given *given)
{
    if (o->topics.count > 0 && !given->source)
        o->source = LIDAR_FROM_TOPIC;
    else if (o->capture && !given->source)
        o->source = LIDAR_FROM_CAPTURE;
    int checked = lidar_simd_check((enum lidar_simd)o->simd);
    if (checked < 0)
        return sl_error_at(checked, "option --simd");
    checked = check_topics(o, given);
    if (checked < 0)
        return checked;
    if (o->source == LIDAR_FROM_CAPTURE && (!o->capture || !o->capture[0]))
        return sl_error(-EINVAL, "option --source: capture needs --capture FILE");
    if (o->source != LIDAR_FROM_CAPTURE && o->capture)
        return sl_error(-EINVAL, "option --capture: %s is not replayed with --source %s",
                        o->capture, source_choices[o->source]);
    if (is_live(o) && o->block)
        return not_for_live("block");
    if (is_live(o) && o->wait_for > 0)
        return not_for_live("wait-for-subscribers");
    if (takes_frames(o) && (!o->interface || !o->interface[0]))
        return sl_error(-EINVAL, "option --source: %s needs --interface NAME",
                        source_choices[o->source]);
    if (takes_frames(o) && o->port == 0)
        return sl_error(-EINVAL, "option --port: --source %s needs the sensor's own port",
                        source_choices[o->source]);
    if (o->source == LIDAR_FROM_XDP && !o->packets)
        return sl_error(-EINVAL, "option --packets: with --source xdp they come by that topic");
    if (o->wait_for > o->subscribers)
        return sl_error(-EINVAL,
                        "option --wait-for-subscribers: %d will never come where --subscribers "
                        "allows %d",
                        (int)o->wait_for, (int)o->subscribers);
    if (o->source == LIDAR_FROM_SIM && !o->metadata_file) {
        int err = match_sim(o);
        if (err < 0)
            return err;
    }
    if (o->metadata_file && !o->metadata_file[0])
        o->metadata_file = NULL; /* a launch file that was given none */
    if (o->calibration && !o->calibration[0])
        o->calibration = NULL;
    if (o->calibration && !has_corrections(o) && !(model_of(o) && model_of(o)->must_be_calibrated))
        return sl_error(-EINVAL, "option --calibration: is for --model hdl-64e-..., Hesai's and "
                                 "RoboSense's");
    if (!o->calibration && model_of(o) == hesai_models[HESAI_AT128])
        return sl_error(-EINVAL,
                        "option --calibration: an at128's packets mean nothing without its "
                        "correction file (.dat)");
    if (strlen(o->frame_id) > LIDAR_FRAME_ID_MAX)
        return sl_error(-EINVAL, "option --frame-id: longer than %d bytes", LIDAR_FRAME_ID_MAX);
    if (is_hesai(o) && !given->telemetry_port)
        o->telemetry_port = 0; /* it sends none that is read */
    if ((is_hesai(o) || is_robosense(o)) && !given->ptp_ahead)
        o->ptp_ahead_ns = 0; /* GPS */
    if (is_robosense(o)) {
        o->packets = o->source == LIDAR_FROM_XDP; /* else no message holds them */
        if (!given->port)
            o->port = LIDAR_ROBOSENSE_DATA_PORT;
        if (!given->telemetry_port)
            o->telemetry_port = LIDAR_ROBOSENSE_INFO_PORT;
    }
    const struct livox_model *livox = livox_of(o);
    if (livox) {
        o->packets = o->source == LIDAR_FROM_XDP; /* else no message holds them */
        if (!given->port)
            o->port = livox->data_port;
        if (!given->telemetry_port)
            o->telemetry_port = livox->imu_port;
    }
    int err = read_sensor(o, given);
    if (err == 0)
        err = check_slices(o);
    if (err == 0)
        err = read_filter(o);
    return err < 0 ? err : read_scan(o);
}

bool lidar_options_has_imu(const struct lidar_options *o)
{
    return o->imu && (o->is_ouster || livox_of(o));
}

bool lidar_options_has_fix(const struct lidar_options *o)
{
    if (!o->fix || o->telemetry_port == 0)
        return false;
    if (o->is_ouster)
        return !o->metadata.imu.is_legacy;
    if (is_robosense(o))
        return robosense_tells_fix(model_of(o));
    return !is_hesai(o) && !livox_of(o);
}

unsigned lidar_options_ports(const struct lidar_options *o,
                             uint16_t ret_ports[LIDAR_SOURCE_PORTS_MAX])
{
    unsigned count = 0;
    if (o->source == LIDAR_FROM_CAPTURE && o->port == 0)
        return 0;
    ret_ports[count++] = (uint16_t)o->port;
    if (o->telemetry_port != 0 && o->telemetry_port != o->port)
        ret_ports[count++] = (uint16_t)o->telemetry_port;
    return count;
}

static bool has_port(const struct lidar_needs *needs, uint16_t port)
{
    for (unsigned i = 0; i < needs->port_count; i++)
        if (needs->ports[i] == port)
            return true;
    return false;
}

int lidar_options_need(const struct lidar_options *o, struct lidar_needs *needs)
{
    uint16_t ports[LIDAR_SOURCE_PORTS_MAX];
    unsigned count = lidar_options_ports(o, ports);
    for (unsigned i = 0; i < count; i++) {
        if (has_port(needs, ports[i]))
            continue;
        if (needs->port_count == LIDAR_SOURCE_PORTS_MAX)
            return sl_error(-E2BIG, "more than %d UDP ports in one process; have another one",
                            LIDAR_SOURCE_PORTS_MAX);
        needs->ports[needs->port_count++] = ports[i];
    }
    if (o->is_ouster && o->metadata.format.packet_bytes > LIDAR_UDP_DATAGRAM_BYTES &&
        o->metadata.format.packet_bytes > needs->datagram_bytes)
        needs->datagram_bytes = o->metadata.format.packet_bytes;
    return 0;
}

static int open_udp(const struct lidar_options *o, const struct lidar_needs *needs,
                    struct lidar_source **ret_source)
{
    struct lidar_udp_config config = {
        .address = o->bind,
        .group = o->multicast,
        .interface = o->interface,
        .sender = needs->sender,
        .port_count = needs->port_count,
        .receive_buffer_bytes = (uint32_t)o->receive_buffer_bytes,
        .datagram_bytes = needs->datagram_bytes,
    };
    memcpy(config.ports, needs->ports, sizeof config.ports);
    return lidar_source_open_udp(&config, ret_source);
}

/* Frames of an interface. */
static int open_frames(const struct lidar_options *o, const struct lidar_needs *needs,
                       struct sl_publisher *packets, struct lidar_source **ret_source)
{
    struct lidar_interface_config config = {
        .interface = o->interface,
        .group = o->multicast,
        .sender = needs->sender,
        .port_count = needs->port_count,
        .buffer_bytes = (uint32_t)o->receive_buffer_bytes,
    };
    memcpy(config.ports, needs->ports, sizeof config.ports);
    return o->source == LIDAR_FROM_XDP ? lidar_source_open_xdp(&config, packets, ret_source)
                                       : lidar_source_open_packet(&config, ret_source);
}

static int open_capture(const struct lidar_options *o, const struct lidar_needs *needs,
                        struct lidar_source **ret_source)
{
    struct lidar_capture_config config = {
        .path = o->capture, .rate = o->rate, .loop = o->loop, .port_count = needs->port_count};
    memcpy(config.ports, needs->ports, sizeof config.ports);
    return lidar_source_open_capture(&config, ret_source);
}

static int open_sim(const struct lidar_options *o, struct lidar_source **ret_source)
{
    struct lidar_sim_config sim;
    int err = sim_config(o, &sim);
    if (err < 0)
        return err;
    const struct lidar_sim_source_config config = {
        .sim = &sim,
        .rate = o->rate,
        .data_port = (uint16_t)o->port,
        .telemetry_port = (uint16_t)o->telemetry_port,
    };
    return lidar_source_open_sim(&config, ret_source);
}

int lidar_options_source(const struct lidar_options *o, const struct lidar_needs *needs,
                         const struct lidar_source_ends *ends, struct lidar_source **ret_source)
{
    switch ((enum lidar_source_choice)o->source) {
    case LIDAR_FROM_PACKET:
    case LIDAR_FROM_XDP:
        return open_frames(o, needs, ends->packets, ret_source);
    case LIDAR_FROM_CAPTURE:
        return open_capture(o, needs, ret_source);
    case LIDAR_FROM_SIM:
        return open_sim(o, ret_source);
    case LIDAR_FROM_TOPIC:
        return lidar_source_open_topic(ends->raw, o->topics.count, ret_source);
    case LIDAR_FROM_UDP:
        break;
    }
    return open_udp(o, needs, ret_source);
}

/* From the sensor's axes to the frame's: Rz(yaw) Ry(pitch) Rx(roll), then the offset. */
static void set_extrinsics(const struct lidar_options *o, struct lidar_block_options *block)
{
    double r = o->roll_deg * PI / 180, p = o->pitch_deg * PI / 180, y = o->yaw_deg * PI / 180;
    const double rows[12] = {
        cos(y) * cos(p),
        cos(y) * sin(p) * sin(r) - sin(y) * cos(r),
        cos(y) * sin(p) * cos(r) + sin(y) * sin(r),
        o->x_m,
        sin(y) * cos(p),
        sin(y) * sin(p) * sin(r) + cos(y) * cos(r),
        sin(y) * sin(p) * cos(r) - cos(y) * sin(r),
        o->y_m,
        -sin(p),
        cos(p) * sin(r),
        cos(p) * cos(r),
        o->z_m,
    };
    for (unsigned i = 0; i < 12; i++)
        block->extrinsics[i] = (float)rows[i];
    block->has_extrinsics = o->roll_deg != 0 || o->pitch_deg != 0 || o->yaw_deg != 0 ||
                            o->x_m != 0 || o->y_m != 0 || o->z_m != 0;
}

/* Of the largest turn that may come. */
static size_t cloud_bytes(const struct lidar_options *o)
{
    size_t most = 0;
    if (o->is_ouster)
        return ouster_frame_bytes(&o->metadata);
    if (livox_of(o))
        return livox_frame_bytes_max(livox_of(o), (uint64_t)o->frame_period_ns);
    if (model_of(o))
        return lidar_frame_bytes_max(model_of(o), (unsigned)o->returns);
    for (const struct lidar_model *const *model = velodyne_models; *model; model++) {
        size_t bytes = lidar_frame_bytes_max(*model, (unsigned)o->returns);
        if (bytes > most && (*model)->lasers <= AUTO_LASERS)
            most = bytes;
    }
    return most;
}

void lidar_options_decoder(const struct lidar_options *o, struct lidar_decoder_config *ret_config)
{
    *ret_config = (struct lidar_decoder_config){
        .model = model_of(o),
        .room_bytes = cloud_bytes(o),
        .ptp_ahead_ns = o->ptp_ahead_ns,
        .simd = (enum lidar_simd)o->simd,
        .frames = {.cut_angle_deg = o->cut_angle_deg,
                   .stamp = (enum lidar_clock_choice)o->stamp,
                   .block = {.range_min_m = (float)o->range_min_m,
                             .range_max_m = (float)o->range_max_m,
                             .filter = o->filter}},
        .ouster = {.metadata = o->is_ouster ? &o->metadata : NULL,
                   .uses_signal = o->intensity == 1,
                   .checks_crc = o->check_crc},
        .livox = {.model = livox_of(o),
                  .period_ns = (uint64_t)o->frame_period_ns,
                  .unwanted_tags = unwanted_tags[o->confidence],
                  .checks_crc = o->check_crc},
    };
    set_extrinsics(o, &ret_config->frames.block);
}

int lidar_options_calibration(const struct lidar_options *o,
                              struct velodyne_calibration *ret_calibration)
{
    int err = 0;
    if (!o->calibration)
        return 0;
    if (has_corrections(o))
        err = hesai_correction_load(model_of(o), o->calibration, &ret_calibration->mirror,
                                    &ret_calibration->model);
    else
        err = velodyne_calibration_load(model_of(o), o->calibration, ret_calibration);
    return err < 0 ? err : 1;
}

static void set_topic(const struct lidar_options *o, struct sl_publisher_options *to)
{
    to->subscribers = (uint32_t)o->subscribers;
    to->quota = (uint32_t)o->quota;
    to->lease_ns = o->lease_ns;
    to->lossless = o->lossless || o->block;
    to->relay = o->relay;
    to->lossless_timeout_ns = o->lossless_timeout_ns;
}

/* The most columns that a slot has room for, of any model that may come. */
static unsigned columns_max(const struct lidar_options *o)
{
    unsigned most = 0;
    if (o->is_ouster)
        return o->metadata.format.frame_columns;
    if (model_of(o))
        return lidar_model_turn_columns(model_of(o));
    for (const struct lidar_model *const *model = velodyne_models; *model; model++)
        if (is_awaited(o, *model) && lidar_model_turn_columns(*model) > most)
            most = lidar_model_turn_columns(*model);
    return most;
}

/* Room beside each slot, and descriptors for all the slices that slots may hold. */
static void add_slices(const struct lidar_options *o, struct sl_publisher_options *topic)
{
    unsigned slices = lidar_publish_slices_max(columns_max(o), (unsigned)o->slice_columns);
    uint32_t slots = topic->loans + topic->subscribers * topic->quota + SLOTS_SPARE;
    topic->side_size = lidar_publish_slices_side_bytes(slices);
    topic->ring = 2;
    while (topic->ring < slots * slices && topic->ring < SLICE_RING_MAX)
        topic->ring *= 2;
}

void lidar_options_points(const struct lidar_options *o, struct sl_publisher_options *ret_topic)
{
    *ret_topic = (struct sl_publisher_options){
        .topic = "points",
        .type = SL_TYPE_POINTCLOUD2,
        .slot_size = lidar_publish_points_slot_bytes(o->frame_id, cloud_bytes(o)),
        .loans = LIDAR_FRAMES_OPEN_MAX,
    };
    set_topic(o, ret_topic);
    if (o->slice_columns > 0)
        add_slices(o, ret_topic);
}

const struct lidar_packet_form *lidar_options_packet_form(const struct lidar_options *o)
{
    return is_hesai(o) ? &lidar_packet_form_nebula : &lidar_packet_form_velodyne;
}

static unsigned turn_packets(const struct lidar_options *o, const struct lidar_model *model)
{
    unsigned returns = (unsigned)o->returns, most = lidar_model_returns(model);
    unsigned columns = lidar_model_columns(model, returns < most ? returns : most);
    return lidar_model_turn_columns(model) / columns + SCAN_SPARE_PACKETS;
}

static uint64_t packets_slot_bytes(const struct lidar_options *o)
{
    if (is_hesai(o))
        return lidar_publish_form_slot_bytes(&lidar_packet_form_nebula, o->frame_id,
                                             turn_packets(o, model_of(o)),
                                             hesai_data_bytes_max(model_of(o)));
    unsigned most = 0;
    for (const struct lidar_model *const *model = velodyne_models; *model; model++) {
        unsigned packets = turn_packets(o, *model);
        if (packets > most && is_awaited(o, *model))
            most = packets;
    }
    return lidar_publish_packets_slot_bytes(o->frame_id, most);
}

void lidar_options_packets(const struct lidar_options *o, struct sl_publisher_options *ret_topic)
{
    *ret_topic = (struct sl_publisher_options){
        .topic = "packets",
        .type = lidar_options_packet_form(o)->type,
        .slot_size = packets_slot_bytes(o),
        .loans = 1,
    };
    set_topic(o, ret_topic);
    if (o->source == LIDAR_FROM_XDP)
        lidar_xdp_topic(o->receive_buffer_bytes, ret_topic);
}

void lidar_options_raw(const struct lidar_options *o, unsigned index,
                       struct sl_subscriber_options *ret_topic)
{
    *ret_topic = (struct sl_subscriber_options){
        .topic = o->topics.text[index],
        .policy = o->block ? SL_LOSSLESS : SL_KEEP_LAST,
        .quota = 1,
    };
}

void lidar_options_image(const struct lidar_options *o, enum lidar_image image,
                         struct sl_publisher_options *ret_topic)
{
    *ret_topic = (struct sl_publisher_options){
        .topic = lidar_image_kinds[image].topic,
        .type = SL_TYPE_IMAGE,
        .slot_size = lidar_image_slot_bytes(&o->metadata, image, o->frame_id),
        .loans = 1,
    };
    set_topic(o, ret_topic);
}

void lidar_options_scan(const struct lidar_options *o, struct sl_publisher_options *ret_topic)
{
    *ret_topic = (struct sl_publisher_options){
        .topic = "scan",
        .type = SL_TYPE_LASER_SCAN,
        .slot_size = lidar_publish_scan_bytes(&o->scan),
        .loans = 1,
    };
    set_topic(o, ret_topic);
}

void lidar_options_transforms(struct sl_publisher_options *ret_topic)
{
    *ret_topic = (struct sl_publisher_options){
        .topic = "/tf_static",
        .type = SL_TYPE_TRANSFORMS,
        .slot_size = LIDAR_TRANSFORMS_BYTES_MAX,
        .slot_count = 2,
        .retain = 1,
    };
}

void lidar_options_imu(const struct lidar_options *o, struct sl_publisher_options *ret_topic)
{
    *ret_topic = (struct sl_publisher_options){
        .topic = "imu",
        .type = SL_TYPE_IMU,
        .subscribers = (uint32_t)o->subscribers,
        .inline_max = (uint32_t)lidar_publish_imu_bytes(o->frame_id),
    };
}

void lidar_options_fix(const struct lidar_options *o, struct sl_publisher_options *ret_topic)
{
    *ret_topic = (struct sl_publisher_options){
        .topic = "fix",
        .type = SL_TYPE_NAVSATFIX,
        .subscribers = (uint32_t)o->subscribers,
        .inline_max = (uint32_t)lidar_publish_fix_bytes(o->frame_id),
    };
}
