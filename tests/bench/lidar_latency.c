/* SPDX-License-Identifier: Apache-2.0 */
/* lidar_latency.c - a process each for the sensor, the driver's flow, those who read, and load. */
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
#include <sys/resource.h>
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
#define READERS_MAX    8
#define BUSY_MAX       256
#define DRIVER_FIFO    11 /* before the readers: one that it wakes does not hold it up */
#define READER_FIFO    10
#define ATTACH_LOOK_NS (2 * SL_NS_PER_MS)
#define ERROR_TEXT_MAX 400
#define STOP_LOOK_NS   (100 * SL_NS_PER_MS)

/* All times are monotonic, by the frame's sequence number. */
struct shared {
    _Atomic int readers_ready, reader_error, stop;
    uint64_t arrived_ns[FRAMES_MAX + 1];
    uint64_t received_ns[FRAMES_MAX + 1];
    uint64_t published_ns[FRAMES_MAX + 1];
    _Atomic uint64_t visible_ns[READERS_MAX][FRAMES_MAX + 1];
};

struct bench {
    struct sl_bench_lidar_latency_options options;
    int nice;        /* everybody's but the driver's */
    unsigned frames; /* to be published, the first ones not counted */
    char domain[32];
    struct shared *shared;
    unsigned readers, busy;
    pid_t reader[READERS_MAX], busy_one[BUSY_MAX], sender;
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

/* This thread alone; what it starts is as ever. */
static int become_fifo(const struct bench *b, int priority)
{
    const struct sched_param param = {.sched_priority = priority};
    if (!b->options.is_fifo || sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &param) == 0)
        return 0;
    return sl_error(-errno, "lidar bench: SCHED_FIFO: %s", strerror(errno));
}

/* This thread, and what it starts. */
static int become_nice(int nice)
{
    if (getpriority(PRIO_PROCESS, 0) == nice || setpriority(PRIO_PROCESS, 0, nice) == 0)
        return 0;
    return sl_error(-EPERM, "lidar bench: a nice value of %d: %s", nice, strerror(errno));
}

/* Those who read. */

/* Take all that is there. */
static int take_frames(const struct bench *b, struct sl_subscriber *subscriber, unsigned reader,
                       uint64_t *seq)
{
    struct sl_frame frame;
    int err;
    while ((err = sl_subscriber_take(subscriber, &frame)) == 0) {
        uint64_t now_ns = sl_clock_monotonic_ns();
        *seq = frame.seq;
        if (frame.seq <= b->frames)
            atomic_store_explicit(&b->shared->visible_ns[reader][frame.seq], now_ns,
                                  memory_order_relaxed);
        sl_frame_release(&frame);
    }
    return err == -EAGAIN ? 0 : err;
}

/* Without spinning: the thread that attaches may have no other processor than this one. */
static int attach(const struct bench *b, struct sl_subscriber *subscriber)
{
    struct sl_subscriber_status status = {0};
    uint64_t seq = 0;
    int err = 0;
    while (err == 0 && status.publishers == 0 && !atomic_load(&b->shared->stop)) {
        clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){.tv_nsec = ATTACH_LOOK_NS}, NULL);
        err = take_frames(b, subscriber, 0, &seq); /* there is none yet; this is what attaches */
        if (err == 0)
            err = sl_subscriber_status(subscriber, &status);
    }
    return err;
}

static int read_frames(const struct bench *b, unsigned reader)
{
    struct sl_subscriber *subscriber = NULL;
    const struct sl_subscriber_options options = {
        .topic = TOPIC, .domain = b->domain, .history = UINT16_MAX};
    int err = sl_subscriber_open(&options, &subscriber);
    uint64_t seq = 0;
    if (err == 0)
        err = attach(b, subscriber);
    if (b->options.sleepers == 0)
        pin(true); /* not before: the service thread would have to stay there, too */
    if (err == 0)
        err = become_fifo(b, READER_FIFO);
    if (err == 0)
        atomic_fetch_add(&b->shared->readers_ready, 1);
    while (err == 0 && seq < b->frames &&
           !atomic_load_explicit(&b->shared->stop, memory_order_relaxed)) {
        if (b->options.sleepers > 0)
            err = sl_subscriber_wait(subscriber, STOP_LOOK_NS);
        if (err == 0)
            err = take_frames(b, subscriber, reader, &seq);
        if (err == -ETIMEDOUT)
            err = 0;
    }
    sl_subscriber_close(subscriber);
    return err;
}

static int start_reader(struct bench *b, unsigned reader)
{
    pid_t pid = fork();
    if (pid < 0)
        return sl_error(-errno, "lidar bench: no child: %s", strerror(errno));
    if (pid > 0) {
        b->reader[reader] = pid;
        return 0;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int err = read_frames(b, reader);
    if (err < 0)
        atomic_store(&b->shared->reader_error, err);
    if (err < 0)
        fprintf(stderr, "lidar bench: %s\n", sl_error_text());
    _exit(err < 0);
}

/* Load. */

/* Never before others: under a real-time class that was inherited, nothing else would run again. */
_Noreturn static void be_busy(const struct bench *b, int cpu)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    if (sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){0}) < 0 ||
        become_nice(b->nice) < 0 || sched_setaffinity(0, sizeof one, &one) < 0)
        _exit(1);
    for (;;)
        atomic_signal_fence(memory_order_seq_cst);
}

static int start_busy(struct bench *b)
{
    cpu_set_t all;
    if (!b->options.is_loaded)
        return 0;
    if (sched_getaffinity(0, sizeof all, &all) < 0)
        return sl_error(-errno, "lidar bench: processors: %s", strerror(errno));
    for (int cpu = 0; cpu < CPU_SETSIZE && b->busy < BUSY_MAX; cpu++) {
        if (!CPU_ISSET(cpu, &all))
            continue;
        pid_t pid = fork();
        if (pid < 0)
            return sl_error(-errno, "lidar bench: no child: %s", strerror(errno));
        if (pid > 0) {
            b->busy_one[b->busy++] = pid;
            continue;
        }
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        be_busy(b, cpu);
    }
    return 0;
}

static void end_busy(struct bench *b)
{
    for (; b->busy > 0; b->busy--) {
        kill(b->busy_one[b->busy - 1], SIGKILL);
        waitpid(b->busy_one[b->busy - 1], NULL, 0);
    }
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
    int err = become_nice(b->nice);
    if (err == 0)
        err = lidar_sim_send(&config, NULL);
    if (err < 0)
        fprintf(stderr, "lidar bench: %s\n", sl_error_text());
    _exit(err < 0);
}

/* The driver. */

static int open_publishers(struct bench *b)
{
    const struct lidar_model *model = velodyne_model_find("VLP-16");
    struct sl_publisher_options points = {
        .topic = TOPIC,
        .type = SL_TYPE_POINTCLOUD2,
        .domain = b->domain,
        .slot_size = lidar_publish_points_slot_bytes(
            FRAME_ID, lidar_frame_bytes_max(model, LIDAR_RETURNS_MAX)),
        .loans = LIDAR_FRAMES_OPEN_MAX,
        .relay = b->options.is_relayed != 0,
    };
    struct sl_publisher_options packets = {
        .topic = PACKETS_TOPIC,
        .type = SL_TYPE_VELODYNE_SCAN,
        .domain = b->domain,
        .slot_size = lidar_publish_packets_slot_bytes(FRAME_ID, SCAN_PACKETS),
    };
    int err = sl_publisher_open(&points, &b->points);
    return err < 0 ? err : sl_publisher_open(&packets, &b->packets);
}

static int open_driver(struct bench *b)
{
    const struct lidar_udp_config udp = {.address = "127.0.0.1", .ports = {0}, .port_count = 1};
    int err = lidar_source_open_udp(&udp, &b->source);
    if (err == 0)
        err = open_publishers(b);
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

static int await_readers(struct bench *b)
{
    uint64_t until_ns = sl_clock_monotonic_ns() + PATIENCE_NS;
    while (atomic_load(&b->shared->readers_ready) < (int)b->readers) {
        int err = atomic_load(&b->shared->reader_error);
        if (err < 0)
            return sl_error(err, "lidar bench: a reader failed");
        if (sl_clock_monotonic_ns() > until_ns)
            return sl_error(-ETIMEDOUT, "lidar bench: the readers do not attach");
        clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){.tv_nsec = ATTACH_LOOK_NS}, NULL);
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

static uint64_t to_monotonic(uint64_t realtime_ns)
{
    return sl_clock_monotonic_ns() - (sl_clock_realtime_ns() - realtime_ns);
}

static bool sensor_has_ended(const struct bench *b)
{
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)b->sender, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid != 0;
}

/* Until all turns have come, or the sensor has sent its last one: on a busy machine some may be
 * lost on the way. */
static int drive(struct bench *b)
{
    bool is_last = false;
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
            b->shared->arrived_ns[seq] = to_monotonic(out->arrived_ns);
            b->shared->received_ns[seq] = out->received_ns;
            b->shared->published_ns[seq] = out->published_ns;
        }
        if (done == 0 && is_last)
            return 0;
        if (done == 0) {
            is_last = sensor_has_ended(b);
            wait_for_packets(b);
        }
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

/* A frame that one of the readers has not seen is not counted. */
static bool is_seen_by_all(const struct bench *b, unsigned seq)
{
    for (unsigned reader = 0; reader < b->readers; reader++) {
        if (atomic_load(&b->shared->visible_ns[reader][seq]) == 0)
            return false;
    }
    return b->shared->received_ns[seq] != 0;
}

static void conclude_with(struct bench *b, double *arrival, double *publish, double *visible,
                          struct sl_bench_lidar_latency_result *result)
{
    const struct shared *s = b->shared;
    unsigned n = 0, seen = 0;
    for (unsigned seq = WARM_UP_FRAMES + 1; seq <= b->frames; seq++) {
        if (!is_seen_by_all(b, seq))
            continue;
        arrival[n] = (double)(s->published_ns[seq] - s->arrived_ns[seq]) / 1e3;
        publish[n++] = (double)(s->published_ns[seq] - s->received_ns[seq]) / 1e3;
        for (unsigned reader = 0; reader < b->readers; reader++) {
            uint64_t seen_ns = atomic_load(&s->visible_ns[reader][seq]);
            visible[seen++] = (double)(seen_ns - s->received_ns[seq]) / 1e3;
        }
    }
    *result = (struct sl_bench_lidar_latency_result){.frames = n};
    if (n == 0)
        return;
    qsort(arrival, n, sizeof *arrival, compare_double);
    qsort(publish, n, sizeof *publish, compare_double);
    qsort(visible, seen, sizeof *visible, compare_double);
    result->turns_per_s = TURN_HZ * b->options.rate;
    result->arrival_to_publish_p50_us = arrival[n / 2];
    result->arrival_to_publish_p99_us = arrival[n * 99 / 100];
    result->packet_to_publish_p50_us = publish[n / 2];
    result->packet_to_publish_p99_us = publish[n * 99 / 100];
    result->packet_to_visible_p50_us = visible[seen / 2];
    result->packet_to_visible_p99_us = visible[seen * 99 / 100];
}

static int conclude(struct bench *b, struct sl_bench_lidar_latency_result *result)
{
    double *arrival = calloc(b->frames, sizeof *arrival);
    double *publish = calloc(b->frames, sizeof *publish);
    double *visible = calloc((size_t)b->frames * b->readers, sizeof *visible);
    int err = arrival && publish && visible ? 0 : sl_error(-ENOMEM, "lidar bench: no memory");
    if (err == 0)
        conclude_with(b, arrival, publish, visible, result);
    if (err == 0 && result->frames == 0)
        err = sl_error(-ENODATA, "lidar bench: no frame was seen by every reader");
    free(arrival);
    free(publish);
    free(visible);
    return err;
}

static int end_children(struct bench *b, int err)
{
    int children_err = 0;
    char first[ERROR_TEXT_MAX];
    snprintf(first, sizeof first, "%s", sl_error_text());
    end_busy(b);
    atomic_store(&b->shared->stop, 1);
    for (unsigned reader = 0; reader < b->readers; reader++) {
        int reader_err = await_child(b->reader[reader], "a reader");
        children_err = reader_err < 0 ? reader_err : children_err;
    }
    if (err < 0 && b->sender > 0)
        kill(b->sender, SIGKILL);
    int sender_err = await_child(b->sender, "the simulated sensor");
    if (err < 0)
        return sl_error(err, "%s", first); /* what came of it is no news */
    return children_err < 0 ? children_err : sender_err;
}

/* As this thread was before, whoever calls. */
struct before {
    cpu_set_t processors;
    int policy, nice;
    struct sched_param param;
};

static void keep_before(struct before *before)
{
    sched_getaffinity(0, sizeof before->processors, &before->processors);
    before->policy = sched_getscheduler(0);
    before->nice = getpriority(PRIO_PROCESS, 0);
    sched_getparam(0, &before->param);
}

static void go_back(const struct before *before)
{
    sched_setscheduler(0, before->policy, &before->param);
    setpriority(PRIO_PROCESS, 0, before->nice);
    sched_setaffinity(0, sizeof before->processors, &before->processors);
}

static int measure(struct bench *b, struct sl_bench_lidar_latency_result *result)
{
    struct before before;
    keep_before(&before);
    int err = become_fifo(b, DRIVER_FIFO); /* may it? */
    go_back(&before);
    b->nice = before.nice;
    /* before there are handles, which must not be forked */
    for (unsigned reader = 0; err == 0 && reader < b->readers; reader++)
        err = start_reader(b, reader);
    if (err == 0 && b->options.nice != 0)
        err = become_nice(b->options.nice);
    if (err == 0)
        err = open_driver(b);
    if (err == 0)
        err = await_readers(b);
    if (b->options.sleepers == 0)
        pin(false); /* the sensor too: it inherits that */
    if (err == 0)
        err = start_sender(b, lidar_source_udp_port(b->source, 0));
    if (err == 0)
        err = start_busy(b);
    if (err == 0)
        err = become_fifo(b, DRIVER_FIFO);
    if (err == 0)
        err = drive(b);
    go_back(&before);
    err = end_children(b, err);
    close_driver(b);
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
    if (b->options.sleepers > READERS_MAX)
        b->options.sleepers = READERS_MAX;
    b->readers = b->options.sleepers > 0 ? b->options.sleepers : 1;
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
