/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/pollution_flow.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/frame/message.h"
#include "core/uncached/memory.h"
#include "core/uncached/stream.h"
#include "drivers/lidar/sim/send.h"

#define CAMERA_SLOTS    8           /* a round of them is more than a last-level cache */
#define LIDAR_SLOTS     39          /* the driver's default */
#define LIDAR_HZ        10          /* of the simulated sensor */
#define CAPTURE_NS      SL_NS_PER_S /* of the sensor, again and again */
#define FRAME_ID        "bench"
#define SETTLING_FRAMES 2

static void sleep_until(uint64_t due_ns)
{
    const struct timespec t = {(time_t)(due_ns / SL_NS_PER_S), (long)(due_ns % SL_NS_PER_S)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
        ;
}

static void count(struct flow_driver *d, enum flow_way way, uint64_t bytes, uint64_t ns)
{
    d->board->tally[0][way].bytes += bytes;
    d->board->tally[0][way].ns += ns;
}

/* A camera. ------------------------------------------------------------------------------------ */

static int describe(const struct flow_kind *kind, struct pattern_content *ret_content)
{
    *ret_content = (struct pattern_content){.encoding = SL_PATTERN_RGB8,
                                            .width = kind->width,
                                            .height = kind->height,
                                            .frame_id = FRAME_ID};
    return pattern_content_complete(ret_content);
}

uint64_t flow_pool_bytes(const struct flow_kind *kind)
{
    struct pattern_content content;
    if (kind->width == 0 || describe(kind, &content) < 0)
        return 0;
    return CAMERA_SLOTS * sl_memory_round(pattern_content_slot_bytes(&content));
}

static int open_camera(struct flow_driver *d, const char *domain)
{
    struct pattern_content content;
    int err = describe(d->kind, &content);
    if (err < 0)
        return err;
    const struct sl_publisher_options options = {
        .topic = FLOW_TOPIC,
        .type = SL_TYPE_IMAGE,
        .domain = domain,
        .slot_size = pattern_content_slot_bytes(&content),
        .slot_count = CAMERA_SLOTS,
        .huge_pages = d->kind->is_huge,
        .subscribers = 1,
    };
    err = sl_publisher_open(&options, &d->publisher);
    const struct pattern_writer_config config = {
        .publisher = d->publisher, .content = content, .key = 1};
    if (err == 0)
        pattern_writer_init(&d->camera, &config);
    return err;
}

static int publish_empty(struct flow_driver *d)
{
    struct sl_loan loan;
    int err = sl_publisher_loan(d->publisher, &loan);
    const struct sl_message message = {.body_length = 64};
    return err < 0 ? err : sl_publisher_publish(d->publisher, &loan, &message);
}

static int camera_frame(struct flow_driver *d, enum flow_way way)
{
    const struct pattern_counts before = d->camera.counts;
    uint64_t now_ns = sl_clock_monotonic_ns(), period_ns = (uint64_t)(1e9 / d->kind->rate_hz);
    d->next_ns = d->next_ns + period_ns < now_ns ? now_ns : d->next_ns + period_ns;
    sleep_until(d->next_ns);
    d->camera.config.is_cached = way == FLOW_CACHED;
    flow_begin(&d->board->marks[0]);
    int err = way == FLOW_EMPTY ? publish_empty(d) : pattern_write(&d->camera, d->next_ns);
    flow_end(&d->board->marks[0]);
    count(d, way, d->camera.counts.bytes - before.bytes,
          d->camera.counts.writing_ns - before.writing_ns);
    return err;
}

/* A lidar. ------------------------------------------------------------------------------------- */

/* A capture in memory, at its rate: simulating would be work that no driver has. */
static int open_source(struct flow_driver *d)
{
    char path[32];
    d->capture_fd = memfd_create("sluice-bench-capture", MFD_CLOEXEC);
    if (d->capture_fd < 0)
        return sl_error(-errno, "pollution bench: memfd: %s", strerror(errno));
    snprintf(path, sizeof path, "/proc/self/fd/%d", d->capture_fd);
    struct lidar_sim_capture_config capture = {.duration_ns = CAPTURE_NS};
    lidar_sim_config_default(&capture.sim);
    capture.sim.rotation_hz = LIDAR_HZ;
    int err = lidar_sim_capture(&capture, path, NULL);
    const struct lidar_capture_config config = {
        .path = path,
        .rate = d->kind->rate_hz / LIDAR_HZ,
        .loop = true,
        .ports = {LIDAR_VELODYNE_DATA_PORT, LIDAR_VELODYNE_TELEMETRY_PORT},
        .port_count = 2,
    };
    return err < 0 ? err : lidar_source_open_capture(&config, &d->source);
}

static int open_lidar(struct flow_driver *d, const char *domain)
{
    size_t cloud_bytes = lidar_frame_bytes_max(velodyne_model_find("VLP-16"), LIDAR_RETURNS_MAX);
    const struct sl_publisher_options options = {
        .topic = FLOW_TOPIC,
        .type = SL_TYPE_POINTCLOUD2,
        .domain = domain,
        .slot_size = lidar_publish_points_slot_bytes(FRAME_ID, cloud_bytes),
        .slot_count = LIDAR_SLOTS,
        .loans = LIDAR_FRAMES_OPEN_MAX,
    };
    int err = open_source(d);
    if (err == 0)
        err = sl_publisher_open(&options, &d->publisher);
    /* The kernel that stores by sl_stream_copy alone, whose way can be chosen. */
    const struct lidar_flow_config config = {
        .source = d->source,
        .decoder.simd = LIDAR_SIMD_SCALAR,
        .publish = {.points = d->publisher, .frame_id = FRAME_ID},
    };
    return err < 0 ? err : lidar_flow_open(&d->lidar, &config);
}

/* A turn: some 75 packets as they come, each of which is decoded into the slot. */
static int lidar_frame(struct flow_driver *d, enum flow_way way)
{
    const uint64_t turns = d->lidar.publish.counts.frames, points = d->lidar.publish.counts.points;
    uint64_t busy_ns = 0;
    sl_stream_use(way == FLOW_CACHED ? "memcpy" : NULL);
    while (d->lidar.publish.counts.frames == turns) {
        sleep_until(lidar_flow_due_ns(&d->lidar));
        uint64_t begin_ns = sl_clock_monotonic_ns();
        int done = lidar_flow_step(&d->lidar);
        busy_ns += sl_clock_monotonic_ns() - begin_ns;
        if (done < 0)
            return done;
    }
    flow_begin(&d->board->marks[0]);
    flow_end(&d->board->marks[0]);
    count(d, way, (d->lidar.publish.counts.points - points) * LIDAR_POINT_BYTES, busy_ns);
    return 0;
}

/* What came while nobody asked, all at once. */
static int catch_up(struct flow_driver *d)
{
    while (lidar_flow_due_ns(&d->lidar) < sl_clock_monotonic_ns()) {
        int done = lidar_flow_step(&d->lidar);
        if (done < 0)
            return done;
    }
    return 0;
}

/* Either. -------------------------------------------------------------------------------------- */

int flow_driver_open(struct flow_driver *d, const struct flow_kind *kind, const char *domain,
                     struct flow_board *board)
{
    d->kind = kind;
    d->board = board;
    d->capture_fd = -1;
    return kind->width > 0 ? open_camera(d, domain) : open_lidar(d, domain);
}

int flow_driver_frame(struct flow_driver *d, enum flow_way way)
{
    return d->kind->width > 0 ? camera_frame(d, way) : lidar_frame(d, way);
}

int flow_driver_settle(struct flow_driver *d, enum flow_way way)
{
    int err = d->kind->width > 0 ? 0 : catch_up(d);
    for (int i = 0; i < SETTLING_FRAMES && err == 0; i++)
        err = flow_driver_frame(d, way);
    return err;
}

void flow_driver_close(struct flow_driver *d)
{
    lidar_flow_close(&d->lidar);
    sl_publisher_close(d->publisher);
    lidar_source_close(d->source);
    if (d->capture_fd >= 0)
        close(d->capture_fd);
}
