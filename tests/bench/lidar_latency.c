/* SPDX-License-Identifier: Apache-2.0 */
/* lidar_latency.c - three processes: a sensor, the driver's flow, and one that polls. */
#include "tests/bench/lidar_latency.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/frame/message.h"
#include "drivers/lidar/flow.h"
#include "drivers/lidar/sim/send.h"

#define FRAMES_DEFAULT 600
#define FRAMES_MAX     10000
#define RATE_DEFAULT   4.0
#define TURN_HZ        20
#define WARM_UP_FRAMES 20
#define PATIENCE_NS    (20 * SL_NS_PER_S) /* beyond what the sensor takes */
#define TOPIC          "/bench/points"
#define PACKETS_TOPIC  "/bench/packets"
#define FRAME_ID       "lidar"
#define SCAN_PACKETS   400

/* All times are monotonic, by the frame's sequence number. */
struct shared {
    _Atomic int poller_ready, poller_error, stop;
    uint64_t received_ns[FRAMES_MAX + 1];
    uint64_t published_ns[FRAMES_MAX + 1];
    _Atomic uint64_t visible_ns[FRAMES_MAX + 1];
};

struct bench {
    struct sl_bench_lidar_latency_options options;
    unsigned frames; /* to be published, the first ones not counted */
    char domain[32];
    struct shared *shared;
    pid_t poller, sender;
    struct lidar_source *source;
    struct sl_publisher *points, *packets;
    struct lidar_flow flow;
};

static int compare_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The poller must not share a processor with those that it waits for. */
static void pin(bool to_last)
{
    cpu_set_t all, one;
    if (sched_getaffinity(0, sizeof all, &all) < 0 || CPU_COUNT(&all) < 2)
        return;
    int last = CPU_SETSIZE - 1;
    while (!CPU_ISSET(last, &all))
        last--;
    CPU_ZERO(&one);
    CPU_SET(last, &one);
    CPU_CLR(last, &all);
    sched_setaffinity(0, sizeof one, to_last ? &one : &all);
}

/* The polling process. */

static int poll_frames(const struct bench *b)
{
    struct sl_subscriber *subscriber = NULL;
    const struct sl_subscriber_options options = {
        .topic = TOPIC, .domain = b->domain, .history = UINT16_MAX};
    int err = sl_subscriber_open(&options, &subscriber);
    uint64_t seq = 0;
    while (err == 0 && seq < b->frames &&
           !atomic_load_explicit(&b->shared->stop, memory_order_relaxed)) {
        struct sl_frame frame;
        err = sl_subscriber_take(subscriber, &frame);
        if (err == 0) {
            uint64_t now_ns = sl_clock_monotonic_ns();
            seq = frame.seq;
            if (seq <= b->frames)
                atomic_store_explicit(&b->shared->visible_ns[seq], now_ns, memory_order_relaxed);
            sl_frame_release(&frame);
        } else if (err == -EAGAIN) {
            struct sl_subscriber_status status;
            if (!atomic_load_explicit(&b->shared->poller_ready, memory_order_relaxed) &&
                sl_subscriber_status(subscriber, &status) == 0 && status.publishers > 0)
                atomic_store(&b->shared->poller_ready, 1);
            err = 0;
        }
    }
    sl_subscriber_close(subscriber);
    return err;
}

static int start_poller(struct bench *b)
{
    b->poller = fork();
    if (b->poller != 0)
        return b->poller < 0 ? sl_error(-errno, "lidar bench: no child: %s", strerror(errno)) : 0;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    pin(true);
    int err = poll_frames(b);
    atomic_store(&b->shared->poller_error, err);
    if (err < 0)
        fprintf(stderr, "lidar bench: %s\n", sl_error_text());
    _exit(err < 0);
}

/* The sensor. */

static int start_sender(struct bench *b, uint16_t port)
{
    char to[32];
    struct lidar_sim_send_config config = {.to = to, .rate = b->options.rate};
    snprintf(to, sizeof to, "127.0.0.1:%u", port);
    lidar_sim_config_default(&config.sim);
    config.sim.rotation_hz = TURN_HZ;
    config.sim.telemetry_every = 0;
    config.duration_ns = (uint64_t)(b->frames + 2) * SL_NS_PER_S / TURN_HZ;
    b->sender = fork();
    if (b->sender != 0)
        return b->sender < 0 ? sl_error(-errno, "lidar bench: no child: %s", strerror(errno)) : 0;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int err = lidar_sim_send(&config, NULL);
    if (err < 0)
        fprintf(stderr, "lidar bench: %s\n", sl_error_text());
    _exit(err < 0);
}

/* The driver. */

static int open_publishers(const char *domain, struct sl_publisher **ret_points,
                           struct sl_publisher **ret_packets)
{
    const struct lidar_model *model = velodyne_model_find("VLP-16");
    struct sl_publisher_options points = {
        .topic = TOPIC,
        .type = SL_TYPE_POINTCLOUD2,
        .domain = domain,
        .slot_size = lidar_publish_points_slot_bytes(
            FRAME_ID, lidar_frame_bytes_max(model, LIDAR_RETURNS_MAX)),
        .loans = LIDAR_FRAMES_OPEN_MAX,
    };
    struct sl_publisher_options packets = {
        .topic = PACKETS_TOPIC,
        .type = SL_TYPE_VELODYNE_SCAN,
        .domain = domain,
        .slot_size = lidar_publish_packets_slot_bytes(FRAME_ID, SCAN_PACKETS),
    };
    int err = sl_publisher_open(&points, ret_points);
    return err < 0 ? err : sl_publisher_open(&packets, ret_packets);
}

static int open_driver(struct bench *b)
{
    const struct lidar_udp_config udp = {.address = "127.0.0.1", .ports = {0}, .port_count = 1};
    int err = lidar_source_open_udp(&udp, &b->source);
    if (err == 0)
        err = open_publishers(b->domain, &b->points, &b->packets);
    if (err < 0)
        return err;
    const struct lidar_flow_config config = {
        .source = b->source,
        .publish = {.points = b->points, .packets = b->packets, .frame_id = FRAME_ID},
    };
    return lidar_flow_open(&b->flow, &config);
}

static void close_driver(struct bench *b)
{
    lidar_flow_close(&b->flow);
    sl_publisher_close(b->points);
    sl_publisher_close(b->packets);
    lidar_source_close(b->source);
}

static int await_poller(struct bench *b)
{
    uint64_t until_ns = sl_clock_monotonic_ns() + PATIENCE_NS;
    while (!atomic_load(&b->shared->poller_ready)) {
        if (atomic_load(&b->shared->poller_error) < 0 || sl_clock_monotonic_ns() > until_ns)
            return sl_error(-ETIMEDOUT, "lidar bench: the polling process does not attach");
        sched_yield();
    }
    return 0;
}

/* Wait as the program's loop does. */
static void wait_for_packets(struct bench *b)
{
    lidar_flow_deadline(&b->flow);
    struct pollfd ready = {.fd = lidar_source_fd(b->source), .events = POLLIN};
    poll(&ready, 1, 1);
}

static int drive(struct bench *b)
{
    double sensor_s = (double)b->frames / TURN_HZ / b->options.rate;
    uint64_t until_ns = sl_clock_monotonic_ns() + (uint64_t)(sensor_s * 1e9) + PATIENCE_NS;
    struct lidar_publish *out = &b->flow.publish;
    while (out->counts.frames < b->frames) {
        uint64_t before = out->counts.frames;
        int done = lidar_flow_step(&b->flow);
        if (done < 0)
            return done;
        uint64_t seq = out->counts.frames;
        if (seq > before && seq <= b->frames) {
            b->shared->received_ns[seq] = out->received_ns;
            b->shared->published_ns[seq] = out->published_ns;
        }
        if (done == 0)
            wait_for_packets(b);
        if (sl_clock_monotonic_ns() > until_ns)
            return sl_error(-ETIMEDOUT, "lidar bench: %llu of %u turns came",
                            (unsigned long long)out->counts.frames, b->frames);
    }
    return 0;
}

static int await_child(pid_t pid, const char *who)
{
    int status = 0;
    if (pid <= 0)
        return 0;
    waitpid(pid, &status, 0);
    return status == 0 ? 0 : sl_error(-ECHILD, "lidar bench: %s failed", who);
}

static int conclude(struct bench *b, struct sl_bench_lidar_latency_result *result)
{
    const struct shared *s = b->shared;
    double *publish = calloc(b->frames, sizeof *publish);
    double *visible = calloc(b->frames, sizeof *visible);
    if (!publish || !visible) {
        free(publish);
        free(visible);
        return sl_error(-ENOMEM, "lidar bench: no memory");
    }
    unsigned n = 0;
    for (unsigned seq = WARM_UP_FRAMES + 1; seq <= b->frames; seq++) {
        uint64_t seen_ns = atomic_load(&s->visible_ns[seq]);
        if (seen_ns == 0 || s->received_ns[seq] == 0)
            continue;
        publish[n] = (double)(s->published_ns[seq] - s->received_ns[seq]) / 1e3;
        visible[n++] = (double)(seen_ns - s->received_ns[seq]) / 1e3;
    }
    if (n > 0) {
        qsort(publish, n, sizeof *publish, compare_double);
        qsort(visible, n, sizeof *visible, compare_double);
        *result = (struct sl_bench_lidar_latency_result){
            .frames = n,
            .turns_per_s = TURN_HZ * b->options.rate,
            .packet_to_publish_p50_us = publish[n / 2],
            .packet_to_publish_p99_us = publish[n * 99 / 100],
            .packet_to_visible_p50_us = visible[n / 2],
            .packet_to_visible_p99_us = visible[n * 99 / 100],
        };
    }
    free(publish);
    free(visible);
    return n > 0 ? 0 : sl_error(-ENODATA, "lidar bench: the polling process saw no frame");
}

static int measure(struct bench *b, struct sl_bench_lidar_latency_result *result)
{
    int err = start_poller(b); /* before there are handles, which must not be forked */
    if (err < 0)
        return err;
    cpu_set_t before;
    sched_getaffinity(0, sizeof before, &before);
    err = open_driver(b);
    if (err == 0)
        err = await_poller(b);
    pin(false); /* the sensor too: it inherits that */
    if (err == 0)
        err = start_sender(b, lidar_source_udp_port(b->source, 0));
    if (err == 0)
        err = drive(b);
    sched_setaffinity(0, sizeof before, &before);
    atomic_store(&b->shared->stop, 1);
    int poller_err = await_child(b->poller, "the polling process");
    if (err < 0 && b->sender > 0)
        kill(b->sender, SIGKILL);
    int sender_err = await_child(b->sender, "the simulated sensor");
    close_driver(b);
    if (err == 0)
        err = poller_err < 0 ? poller_err : sender_err;
    return err < 0 ? err : conclude(b, result);
}

int sl_bench_lidar_latency(const struct sl_bench_lidar_latency_options *options,
                           struct sl_bench_lidar_latency_result *ret_result)
{
    struct bench *b = calloc(1, sizeof *b);
    if (!b)
        return sl_error(-ENOMEM, "lidar bench: no memory");
    if (options)
        b->options = *options;
    if (b->options.frames == 0)
        b->options.frames = FRAMES_DEFAULT;
    if (b->options.rate <= 0)
        b->options.rate = RATE_DEFAULT;
    b->frames = b->options.frames + WARM_UP_FRAMES;
    snprintf(b->domain, sizeof b->domain, "bench-%d", (int)getpid());
    int err = 0;
    b->shared =
        mmap(NULL, sizeof *b->shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (b->shared == MAP_FAILED || b->frames > FRAMES_MAX)
        err = b->shared == MAP_FAILED ? sl_error(-ENOMEM, "lidar bench: no memory")
                                      : sl_error(-EINVAL, "lidar bench: at most %d frames",
                                                 FRAMES_MAX - WARM_UP_FRAMES);
    if (err == 0)
        err = measure(b, ret_result);
    if (b->shared != MAP_FAILED)
        munmap(b->shared, sizeof *b->shared);
    free(b);
    return err;
}
