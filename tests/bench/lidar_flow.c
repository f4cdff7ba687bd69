/* SPDX-License-Identifier: Apache-2.0 */
/* lidar_flow.c - the second half of lidar_latency.h: a capture through the driver, and without it.
 */
#include "tests/bench/lidar_latency.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/frame/message.h"
#include "drivers/lidar/flow.h"
#include "drivers/lidar/sim/send.h"

#define BYTES_DEFAULT UINT64_C(1000000000)
#define CAPTURE_NS    (16 * SL_NS_PER_S)
#define SLOTS         39 /* the driver's default */
#define FRAME_ID      "lidar"
#define SCAN_PACKETS  400

/* Decoding alone: slots without a bus. */
struct region {
    uint8_t *base;
    size_t slot_bytes;
    unsigned next;
};

struct flow_bench {
    int fd;
    char path[32];
    uint64_t capture_bytes;
    uint64_t datagrams; /* of one pass */
    uint64_t datagrams_each;
    struct region region;
    struct lidar_decoder *decoder; /* alone */
    struct lidar_source *alone_source, *flow_source;
    struct sl_publisher *points, *packets;
    struct lidar_flow flow;
};

static int open_slot(void *context, struct lidar_frame_room *ret_room)
{
    struct region *r = context;
    *ret_room = (struct lidar_frame_room){
        .data = r->base + r->next * r->slot_bytes,
        .capacity_bytes = r->slot_bytes,
    };
    r->next = (r->next + 1) % SLOTS;
    return 0;
}

static void close_slot(void *context, void *handle, const struct lidar_frame_info *info)
{
    (void)context, (void)handle, (void)info;
}

static void discard_slot(void *context, void *handle)
{
    (void)context, (void)handle;
}

/* In memory, so that no disk is measured. */
static int make_capture(struct flow_bench *b)
{
    b->fd = memfd_create("sluice-bench-capture", MFD_CLOEXEC);
    if (b->fd < 0)
        return sl_error(-errno, "lidar bench: memfd: %s", strerror(errno));
    snprintf(b->path, sizeof b->path, "/proc/self/fd/%d", b->fd);
    struct lidar_sim_capture_config config = {.duration_ns = CAPTURE_NS};
    struct lidar_sim_send_result result;
    lidar_sim_config_default(&config.sim);
    int err = lidar_sim_capture(&config, b->path, &result);
    struct stat info;
    if (err == 0 && stat(b->path, &info) < 0)
        err = sl_error(-errno, "lidar bench: capture: %s", strerror(errno));
    if (err < 0)
        return err;
    b->capture_bytes = (uint64_t)info.st_size;
    b->datagrams = result.sent;
    return 0;
}

static int map_region(struct flow_bench *b, size_t slot_bytes)
{
    b->region.slot_bytes = (slot_bytes + 4095) / 4096 * 4096;
    void *base = mmap(NULL, SLOTS * b->region.slot_bytes, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (base == MAP_FAILED)
        return sl_error(-ENOMEM, "lidar bench: no memory for %d slots", SLOTS);
    b->region.base = base;
    return 0;
}

static int open_flow(struct flow_bench *b, uint64_t slot_bytes)
{
    char domain[32];
    snprintf(domain, sizeof domain, "bench-%d", (int)getpid());
    const struct sl_publisher_options points = {
        .topic = "/bench/points",
        .type = SL_TYPE_POINTCLOUD2,
        .domain = domain,
        .slot_size = slot_bytes,
        .slot_count = SLOTS,
        .loans = LIDAR_FRAMES_OPEN_MAX,
    };
    const struct sl_publisher_options packets = {
        .topic = "/bench/packets",
        .type = SL_TYPE_VELODYNE_SCAN,
        .domain = domain,
        .slot_size = lidar_publish_packets_slot_bytes(FRAME_ID, SCAN_PACKETS),
        .slot_count = SLOTS,
    };
    int err = sl_publisher_open(&points, &b->points);
    if (err == 0)
        err = sl_publisher_open(&packets, &b->packets);
    const struct lidar_flow_config config = {
        .source = b->flow_source,
        .publish = {.points = b->points, .packets = b->packets, .frame_id = FRAME_ID},
    };
    return err < 0 ? err : lidar_flow_open(&b->flow, &config);
}

static int open_all(struct flow_bench *b)
{
    int err = make_capture(b);
    if (err < 0)
        return err;
    const struct lidar_capture_config config = {
        .path = b->path,
        .loop = true,
        .ports = {LIDAR_VELODYNE_DATA_PORT, LIDAR_VELODYNE_TELEMETRY_PORT},
        .port_count = 2,
    };
    const struct lidar_decoder_config decoder = {0};
    const struct lidar_frame_sink sink = {&b->region, open_slot, close_slot, discard_slot, NULL};
    size_t cloud_bytes = lidar_frame_bytes_max(velodyne_model_find("VLP-16"), LIDAR_RETURNS_MAX);
    uint64_t slot_bytes = lidar_publish_points_slot_bytes(FRAME_ID, cloud_bytes);
    if ((err = lidar_source_open_capture(&config, &b->alone_source)) < 0 ||
        (err = lidar_source_open_capture(&config, &b->flow_source)) < 0 ||
        (err = map_region(b, slot_bytes)) < 0 ||
        (err = lidar_decoder_create(&decoder, &sink, &b->decoder)) < 0)
        return err;
    return open_flow(b, slot_bytes);
}

static void close_all(struct flow_bench *b)
{
    lidar_flow_close(&b->flow);
    sl_publisher_close(b->points);
    sl_publisher_close(b->packets);
    lidar_decoder_destroy(b->decoder);
    lidar_source_close(b->alone_source);
    lidar_source_close(b->flow_source);
    if (b->region.base)
        munmap(b->region.base, SLOTS * b->region.slot_bytes);
    if (b->fd >= 0)
        close(b->fd);
}

static int step_alone(struct flow_bench *b)
{
    struct sl_datagram batch[LIDAR_SOURCE_BATCH_MAX];
    int count = lidar_source_receive(b->alone_source, batch, LIDAR_SOURCE_BATCH_MAX);
    for (int i = 0; i < count; i++) {
        int err = lidar_decoder_push(b->decoder, &batch[i]);
        if (err < 0)
            return err;
    }
    return count;
}

static int step_flow(struct flow_bench *b)
{
    return lidar_flow_step(&b->flow);
}

static int time_steps(struct flow_bench *b, int (*step)(struct flow_bench *), uint64_t datagrams,
                      double *ret_s)
{
    uint64_t start_ns = sl_clock_monotonic_ns();
    for (uint64_t done = 0; done < datagrams;) {
        int count = step(b);
        if (count < 0)
            return count;
        done += (uint64_t)count;
    }
    *ret_s = (double)(sl_clock_monotonic_ns() - start_ns) / 1e9;
    return 0;
}

static int compare_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values)
{
    qsort(values, SL_BENCH_LIDAR_FLOW_PAIRS, sizeof *values, compare_double);
    return values[SL_BENCH_LIDAR_FLOW_PAIRS / 2];
}

static int measure(struct flow_bench *b, uint64_t bytes, struct sl_bench_lidar_flow_result *result)
{
    double flow_s[SL_BENCH_LIDAR_FLOW_PAIRS], alone_s[SL_BENCH_LIDAR_FLOW_PAIRS];
    double ratio[SL_BENCH_LIDAR_FLOW_PAIRS], warm_s;
    double passes = (double)bytes / (double)b->capture_bytes / SL_BENCH_LIDAR_FLOW_PAIRS;
    uint64_t datagrams = (uint64_t)(passes * (double)b->datagrams) + 1;
    int err = time_steps(b, step_alone, b->datagrams, &warm_s);
    if (err == 0)
        err = time_steps(b, step_flow, b->datagrams, &warm_s);
    for (unsigned i = 0; i < SL_BENCH_LIDAR_FLOW_PAIRS && err == 0; i++) {
        err = time_steps(b, step_alone, datagrams, &alone_s[i]);
        if (err == 0)
            err = time_steps(b, step_flow, datagrams, &flow_s[i]);
        if (err == 0)
            ratio[i] = flow_s[i] / alone_s[i];
    }
    if (err < 0)
        return err;
    const uint64_t *count = lidar_decoder_counts(b->flow.decoder)->count;
    if (count[LIDAR_FRAMES_DROPPED] > 0 || b->flow.publish.counts.scans_dropped > 0 ||
        b->flow.publish.counts.frames == 0)
        return sl_error(-EPROTO, "lidar bench: frames were lost on the way");
    double bytes_each = passes * (double)b->capture_bytes;
    *result = (struct sl_bench_lidar_flow_result){
        .capture_bytes = b->capture_bytes,
        .bytes = (uint64_t)(bytes_each * SL_BENCH_LIDAR_FLOW_PAIRS),
        .capture_flow_bytes_per_s = bytes_each / median(flow_s),
        .capture_alone_bytes_per_s = bytes_each / median(alone_s),
        .capture_flow_ratio = median(ratio),
    };
    return 0;
}

int sl_bench_lidar_flow(const struct sl_bench_lidar_flow_options *options,
                        struct sl_bench_lidar_flow_result *ret_result)
{
    struct flow_bench *b = calloc(1, sizeof *b);
    if (!b)
        return sl_error(-ENOMEM, "lidar bench: no memory");
    b->fd = -1;
    int err = open_all(b);
    if (err == 0)
        err = measure(b, options && options->bytes ? options->bytes : BYTES_DEFAULT, ret_result);
    close_all(b);
    free(b);
    return err;
}
