/* SPDX-License-Identifier: Apache-2.0 */
/* nearest.c - the nearest obstacle around a lidar, found in the newest cloud where it stands, and
 * published as small inline messages: `nearest` (std_msgs/msg/Float32, metres) and `sectors`
 * (std_msgs/msg/Float32MultiArray, one value a direction). */
#include "nodes/nearest/nearest.h"

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/frame/message.h"
#include "core/shm/layout.h"
#include "core/shm/points.h"
#include "nodes/nearest/sectors.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

struct nearest {
    const char *topic;
    int64_t sectors, log_period_ns;
    struct nearest_limits limits;

    struct sl_subscriber *points;
    struct sl_publisher *nearest, *around;
    uint64_t frames, faults, log_ns;
    struct sl_log_limit fault_log;
};

static const struct sl_option options[] = {
    {.name = "topic",
     .letter = 't',
     .kind = SL_OPTION_TEXT,
     .offset = offsetof(struct nearest, topic),
     .value = "TOPIC",
     .fallback = "points",
     .help = "The clouds"},
    {.name = "sectors",
     .kind = SL_OPTION_INT,
     .offset = offsetof(struct nearest, sectors),
     .fallback = "8",
     .min = 1,
     .max = NEAREST_SECTORS_MAX,
     .help = "Into how many directions the turn is divided, from ahead to the left"},
    {.name = "range-min",
     .kind = SL_OPTION_REAL,
     .offset = offsetof(struct nearest, limits.range_min_m),
     .value = "METRES",
     .fallback = "0.5",
     .min = 0,
     .max = 1000,
     .help = "What is nearer belongs to the vehicle"},
    {.name = "z-min",
     .kind = SL_OPTION_REAL,
     .offset = offsetof(struct nearest, limits.z_min_m),
     .value = "METRES",
     .fallback = "-1",
     .min = -1000,
     .max = 1000,
     .help = "What is lower is the ground"},
    {.name = "z-max",
     .kind = SL_OPTION_REAL,
     .offset = offsetof(struct nearest, limits.z_max_m),
     .value = "METRES",
     .fallback = "1",
     .min = -1000,
     .max = 1000,
     .help = "What is higher is no obstacle"},
    {.name = "log-period",
     .kind = SL_OPTION_DURATION,
     .offset = offsetof(struct nearest, log_period_ns),
     .fallback = "5s",
     .min = 0,
     .max = 1e13,
     .help = "Log the nearest obstacle this often; 0 = never"},
};

static int open_nearest(void *state, struct sl_runtime *runtime)
{
    struct nearest *n = state;
    const struct sl_subscriber_options points = {
        .topic = n->topic, .type = SL_TYPE_POINTCLOUD2, .policy = SL_LATEST};
    const struct sl_publisher_options nearest = {
        .topic = "nearest", .type = "std_msgs/msg/Float32", .inline_max = 64};
    const struct sl_publisher_options around = {
        .topic = "sectors", .type = "std_msgs/msg/Float32MultiArray", .inline_max = SL_INLINE_MAX};
    int err = sl_runtime_subscribe(runtime, &points, &n->points);
    if (err == 0)
        err = sl_runtime_publish(runtime, &nearest, &n->nearest);
    if (err == 0)
        err = sl_runtime_publish(runtime, &around, &n->around);
    return err;
}

/* Publishing ------------------------------------------------------------------------------------*/

static int publish(struct sl_publisher *publisher, const struct sl_cdr_writer *w, const void *body,
                   const struct sl_frame *frame)
{
    const struct sl_message message = {.stamp_ns = frame->stamp_ns, .clock = frame->clock};
    if (w->bytes.failed)
        return sl_error(-ENOSPC, "the message does not fit into %u bytes", SL_INLINE_MAX);
    return sl_publisher_publish_inline(publisher, body, sl_cdr_written(w), &message);
}

static int publish_nearest(struct nearest *n, double distance_m, const struct sl_frame *frame)
{
    uint8_t body[64];
    struct sl_cdr_writer w = sl_cdr_write(body, sizeof body);
    sl_cdr_put_f32(&w, (float)distance_m);
    return publish(n->nearest, &w, body, frame);
}

/* std_msgs/msg/Float32MultiArray: layout (a list of dimensions, data_offset), then data. */
static int publish_sectors(struct nearest *n, const struct nearest_sectors *sectors,
                           const struct sl_frame *frame)
{
    uint8_t body[SL_INLINE_MAX];
    struct sl_cdr_writer w = sl_cdr_write(body, sizeof body);
    sl_cdr_put_u32(&w, 1);
    sl_cdr_put_text(&w, sl_text("sector"));
    sl_cdr_put_u32(&w, sectors->count); /* size */
    sl_cdr_put_u32(&w, sectors->count); /* stride */
    sl_cdr_put_u32(&w, 0);
    sl_cdr_put_u32(&w, sectors->count);
    for (unsigned i = 0; i < sectors->count; i++)
        sl_cdr_put_f32(&w, (float)sectors->distance_m[i]);
    return publish(n->around, &w, body, frame);
}

/* One cloud -------------------------------------------------------------------------------------*/

static void log_now_and_then(struct nearest *n, const struct nearest_sectors *sectors,
                             double distance_m, unsigned sector)
{
    uint64_t now_ns = sl_clock_monotonic_ns();
    if (n->log_period_ns == 0 || now_ns < n->log_ns)
        return;
    n->log_ns = now_ns + (uint64_t)n->log_period_ns;
    double middle_deg = (sector + 0.5) * 360 / sectors->count;
    if (isfinite(distance_m))
        sl_log(SL_LOG_INFO, "nearest obstacle %.2f m away, %.0f degrees to the left", distance_m,
               middle_deg);
    else
        sl_log(SL_LOG_INFO, "no obstacle among %" PRIu64 " points", sectors->points);
}

static int find(const struct nearest *n, const struct sl_frame *frame,
                struct nearest_sectors *sectors)
{
    struct sl_points points;
    struct nearest_search search;
    int err = sl_points_begin(&points, frame);
    if (err == 0 && points.is_in_pieces)
        err = sl_error(-EINVAL, "the cloud's points lie in several pieces");
    if (err == 0)
        err = nearest_begin(&search, &points.cloud, &n->limits, sectors);
    while (err == 0 && sl_points_next(&points))
        nearest_look(&search, points.at, points.count);
    return err;
}

static int look_at(struct nearest *n, const struct sl_frame *frame)
{
    struct nearest_sectors sectors = {.count = (unsigned)n->sectors};
    unsigned sector;
    int err = find(n, frame, &sectors);
    if (err == 0)
        err = sl_frame_check(frame); /* was it whole while it was read? */
    if (err < 0) {
        n->faults++;
        sl_log_limited(&n->fault_log, SL_LOG_WARN, "a cloud is left out: %s", sl_error_text());
        return 0;
    }
    n->frames++;
    double distance_m = nearest_least(&sectors, &sector);
    log_now_and_then(n, &sectors, distance_m, sector);
    err = publish_nearest(n, distance_m, frame);
    if (err == 0)
        err = publish_sectors(n, &sectors, frame);
    return err == -EAGAIN ? 0 : err; /* a lossless subscriber is behind: it is not waited for */
}

static int work(void *state, struct sl_runtime *runtime)
{
    struct nearest *n = state;
    struct sl_frame frame;
    (void)runtime;
    int err = sl_subscriber_take(n->points, &frame);
    if (err == -EAGAIN)
        return 0;
    if (err == -ECONNABORTED) {
        sl_log(SL_LOG_WARN, "%s: %s", n->topic, sl_error_text());
        return 1;
    }
    if (err < 0)
        return err;
    err = look_at(n, &frame);
    sl_frame_release(&frame);
    return err < 0 ? err : 1;
}

static void close_nearest(void *state, struct sl_runtime *runtime)
{
    struct nearest *n = state;
    (void)runtime;
    struct sl_subscriber_status status = {0};
    if (n->points)
        sl_subscriber_status(n->points, &status);
    sl_log(SL_LOG_INFO,
           "%" PRIu64 " clouds looked at, %" PRIu64 " skipped for newer ones, %" PRIu64 " faulty",
           n->frames, status.lost[SL_LOSS_SKIPPED], n->faults);
}

const struct sl_program nearest_program = {
    .name = "nearest",
    .summary = "Finds the nearest obstacle in each direction of the newest cloud, in place",
    .details = "Publishes `nearest` (std_msgs/msg/Float32, metres) and `sectors`\n"
               "(std_msgs/msg/Float32MultiArray) with the cloud's stamp; inf means nothing there.",
    .example = "nearest --topic /lidar/points --sectors 16",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .state_size = sizeof(struct nearest),
    .open = open_nearest,
    .topics = open_nearest, /* it is nothing else */
    .work = work,
    .close = close_nearest,
};
