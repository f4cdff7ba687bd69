/* SPDX-License-Identifier: Apache-2.0 */
/* pollution_flow.c - whole flows, and what they do to a neighbour: each round has a phase for each
 * way, and what is compared is of one round. */
#include "tests/bench/pollution_flow.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/uncached/limits.h"
#include "core/uncached/stream.h"

#define NOBODY_NS    (100 * SL_NS_PER_MS)
#define QUICK_NS     (20 * SL_NS_PER_MS)
#define QUICK_FRAMES 2
#define LOOK_NS      (SL_NS_PER_MS / 2)
#define ANSWER_S     30
#define WAIT_NS      ((int64_t)(50 * SL_NS_PER_MS))
#define PRIORITY     2 /* of driver and reader, in real time */

static const struct flow_kind kinds[] = {
    {"lidar", 0, 0, 10, 5, false, false},
    {"lidar_fast", 0, 0, 100, 30, false, false},
    {"camera_1080p", 1920, 1080, 30, 10, false, false},
    {"camera_4k", 3840, 2160, 60, 20, false, false},
    {"camera_4k_huge", 3840, 2160, 60, 20, false, true},
    {"camera_small", 320, 240, 60, 20, true, false},
};
enum {
    KINDS = sizeof kinds / sizeof *kinds
};

struct bench {
    struct bus_run run;
    const struct sl_bench_pollution_options *options;
    const struct flow_kind *kind;
    unsigned rounds, side; /* side: whose processor the victim is on */
    uint32_t phase;
    struct flow_driver driver;
    struct flow_board *board;
};

/* The driver's process. ------------------------------------------------------------------------ */

static void pause_ns(uint64_t ns)
{
    const struct timespec t = {(time_t)(ns / SL_NS_PER_S), (long)(ns % SL_NS_PER_S)};
    nanosleep(&t, NULL);
}

/* Name a phase, and wait until the victim counts for it. */
static int name_phase(struct bench *b, uint32_t phase)
{
    uint64_t until_ns = sl_clock_monotonic_ns() + ANSWER_S * SL_NS_PER_S;
    atomic_store(&b->board->phase, phase);
    while (atomic_load(&b->board->answered) != phase) {
        if (sl_clock_monotonic_ns() > until_ns)
            return sl_error(-ETIMEDOUT, "pollution bench: the victim does not answer");
        pause_ns(LOOK_NS);
    }
    return 0;
}

static int make_frames(struct bench *b, enum flow_way way)
{
    unsigned frames = b->options->is_quick ? QUICK_FRAMES : b->kind->frames;
    int err = 0;
    if (way == FLOW_NOBODY)
        pause_ns(b->options->is_quick ? QUICK_NS : NOBODY_NS);
    for (unsigned i = 0; i < frames && way != FLOW_NOBODY && err == 0; i++)
        err = flow_driver_frame(&b->driver, way);
    return err;
}

static int run_phase(struct bench *b, enum flow_way way, struct flow_found *ret_found)
{
    atomic_store(&b->board->way, way);
    int err = way == FLOW_NOBODY ? 0 : flow_driver_settle(&b->driver, way);
    if (err == 0)
        err = name_phase(b, ++b->phase);
    if (err == 0)
        err = make_frames(b, way);
    if (err == 0)
        err = name_phase(b, 0);
    *ret_found = b->board->found;
    return err;
}

/* A lidar's driver has no empty frames: its packets are decoded where they come. */
static bool has_way(const struct flow_kind *kind, enum flow_way way)
{
    return kind->width > 0 || way != FLOW_EMPTY;
}

static int lead(struct bench *b)
{
    int err = bus_meet(&b->board->meeting, 0);
    if (err == 0)
        err = bus_await_subscribers(b->driver.publisher, 1);
    for (unsigned round = 0; round < b->rounds && err == 0; round++) {
        if (b->options->progress)
            b->options->progress(b->kind->name, round, b->rounds);
        for (unsigned i = 0; i < FLOW_WAYS && err == 0; i++) {
            enum flow_way way = (enum flow_way)((i + round) % FLOW_WAYS);
            if (has_way(b->kind, way))
                err = run_phase(b, way, &b->board->round[round][way]);
        }
    }
    return err;
}

/* Before everything else but the kernel, and driver and reader before the victim: it is as if
 * nobody else ran on the machine. */
static int go_first(const struct bench *b, int priority)
{
    const struct sched_param first = {.sched_priority = priority};
    if (!b->options->is_realtime || sched_setscheduler(0, SCHED_FIFO, &first) == 0)
        return 0;
    return sl_error(-errno, "pollution bench: SCHED_FIFO: %s", strerror(errno));
}

static int drive(struct bench *b)
{
    bus_roam(); /* the bus's own thread stays out of the victim's way */
    int err = flow_driver_open(&b->driver, b->kind, b->run.domain, b->board);
    bus_pin(0);
    if (err == 0)
        err = go_first(b, PRIORITY);
    if (err == 0)
        err = lead(b);
    atomic_store(&b->board->is_over, true);
    flow_driver_close(&b->driver);
    return err;
}

/* The reader's process. ------------------------------------------------------------------------ */

static uint64_t sum_up(const struct sl_frame *frame)
{
    struct sl_frame_scan scan;
    uint64_t sum = 0;
    int err = sl_frame_scan_begin(frame, 1, &scan);
    while (err == 0 && sl_frame_scan_next(&scan))
        for (size_t i = 0; i + 8 <= scan.chunk_length; i += 8) {
            uint64_t word;
            memcpy(&word, (const uint8_t *)scan.chunk + i, sizeof word);
            sum += word;
        }
    return sum;
}

static void read_frame(struct flow_board *board, const struct sl_frame *frame)
{
    enum flow_way way = (enum flow_way)atomic_load(&board->way);
    sl_stream_use_behind(way == FLOW_CACHED ? "none" : NULL);
    uint64_t begin_ns = sl_clock_monotonic_ns();
    flow_begin(&board->marks[1]);
    uint64_t sum = way == FLOW_EMPTY ? 0 : sum_up(frame);
    flow_end(&board->marks[1]);
    __asm__ volatile("" : : "r"(sum));
    board->tally[1][way].ns += sl_clock_monotonic_ns() - begin_ns;
    board->tally[1][way].bytes += frame->data_length;
}

static int read_all(struct bench *b, struct sl_subscriber *subscriber)
{
    while (!atomic_load(&b->board->is_over)) {
        struct sl_frame frame;
        int err = sl_subscriber_take(subscriber, &frame);
        if (err == -EAGAIN) {
            sl_subscriber_wait(subscriber, WAIT_NS);
            continue;
        }
        if (err < 0)
            return err;
        read_frame(b->board, &frame);
        sl_frame_release(&frame);
    }
    return 0;
}

static int follow(struct bench *b)
{
    const struct sl_subscriber_options options = {
        .topic = FLOW_TOPIC, .domain = b->run.domain, .policy = SL_LATEST};
    struct sl_subscriber *subscriber = NULL;
    int err = bus_meet(&b->board->meeting, 1);
    bus_roam();
    if (err == 0)
        err = sl_subscriber_open(&options, &subscriber);
    bus_pin(1);
    if (err == 0)
        err = go_first(b, PRIORITY);
    if (err == 0)
        err = read_all(b, subscriber);
    sl_subscriber_close(subscriber);
    return err;
}

static int work(void *context, int side)
{
    return side == 0 ? drive(context) : follow(context);
}

/* One flow, with the victim at one side. ------------------------------------------------------- */

static pid_t start_victim(struct bench *b)
{
    pid_t parent = getpid();
    pid_t child = fork();
    if (child != 0)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    int err = go_first(b, PRIORITY - 1);
    if (err == 0)
        err = flow_victim_run(b->board, b->side);
    if (err < 0)
        fprintf(stderr, "sluice: %s\n", sl_error_text());
    _exit(err < 0);
}

static int run_processes(struct bench *b)
{
    fflush(NULL);
    pid_t victim = start_victim(b);
    if (victim < 0)
        return sl_error(-errno, "pollution bench: no process: %s", strerror(errno));
    int err = bus_run_pair(work, b);
    atomic_store(&b->board->is_over, true);
    while (waitpid(victim, NULL, 0) < 0 && errno == EINTR)
        ;
    return err;
}

/* Figures. ------------------------------------------------------------------------------------- */

static double per_second(const struct flow_tally *tally)
{
    return tally->ns > 0 ? (double)tally->bytes / (double)tally->ns * 1e9 : 0;
}

static struct sl_bench_pollution_beside beside(const struct bench *b, enum flow_way way)
{
    double slowdown[POLLUTION_ROUNDS_MAX], throughput[POLLUTION_ROUNDS_MAX];
    for (unsigned i = 0; i < b->rounds; i++) {
        const struct flow_found *round = b->board->round[i];
        slowdown[i] = round[way].slowdown_ratio;
        throughput[i] =
            round[way].mean_ns > 0 ? round[FLOW_NOBODY].mean_ns / round[way].mean_ns : 0;
    }
    return (struct sl_bench_pollution_beside){
        .slowdown_ratio = pollution_quantile(slowdown, b->rounds, 2),
        .throughput_ratio = pollution_quantile(throughput, b->rounds, 2),
        .bytes_per_s = way == FLOW_EMPTY ? 0 : per_second(&b->board->tally[b->side][way]),
    };
}

static double median_gain(const struct bench *b)
{
    double gain[POLLUTION_ROUNDS_MAX];
    for (unsigned i = 0; i < b->rounds; i++) {
        double stream = b->board->round[i][FLOW_STREAM].slowdown_ratio;
        gain[i] = stream > 0 ? b->board->round[i][FLOW_CACHED].slowdown_ratio / stream : 0;
    }
    return pollution_quantile(gain, b->rounds, 2);
}

static double median_pass_ns(const struct bench *b)
{
    double ns[POLLUTION_ROUNDS_MAX];
    for (unsigned i = 0; i < b->rounds; i++)
        ns[i] = b->board->round[i][FLOW_NOBODY].pass_ns;
    return pollution_quantile(ns, b->rounds, 2);
}

static void add_figures(const struct bench *b, struct sl_bench_pollution_flow *r)
{
    unsigned i = r->flow_count++;
    r->flow[i].name = b->kind->name;
    r->flow[i].is_at_reader = b->side == 1;
    r->flow[i].victim_ns = median_pass_ns(b);
    r->flow[i].empty = beside(b, FLOW_EMPTY);
    r->flow[i].cached = beside(b, FLOW_CACHED);
    r->flow[i].stream = beside(b, FLOW_STREAM);
    r->flow[i].gain_ratio = median_gain(b);
}

static int run_flow(const struct sl_bench_pollution_options *options, const struct flow_kind *kind,
                    unsigned side, struct sl_bench_pollution_flow *result)
{
    const struct sl_bench_bus_options bus = {.rounds = pollution_rounds(options)};
    struct bench *b = calloc(1, sizeof *b);
    if (!b)
        return sl_error(-ENOMEM, "pollution bench: no memory");
    int err = bus_begin(&b->run, &bus, 1, sizeof *b->board);
    if (err == 0) {
        b->options = options;
        b->kind = kind;
        b->side = side;
        b->rounds = b->run.rounds;
        b->board = b->run.shared;
        err = run_processes(b);
    }
    if (err == 0)
        add_figures(b, result);
    bus_end(&b->run);
    free(b);
    return err;
}

/* What should be there, if it is not; 0 = it is. */
static uint64_t lack_of_huge_pages(const struct flow_kind *kind)
{
    uint64_t bytes = flow_pool_bytes(kind);
    struct sl_memory_limits limits;
    sl_memory_available(&limits);
    if (limits.huge_page_bytes > 0)
        bytes =
            (bytes + limits.huge_page_bytes - 1) / limits.huge_page_bytes * limits.huge_page_bytes;
    return limits.huge_bytes < bytes ? bytes : 0;
}

int pollution_flow_run(const struct sl_bench_pollution_options *options,
                       struct sl_bench_pollution_flow *ret_result)
{
    struct sl_bench_pollution_flow result = {.victim_bytes = pollution_cache_bytes(2) / 2};
    cpu_set_t allowed;
    int err = 0;
    pollution_roam();
    if (sched_getaffinity(0, sizeof allowed, &allowed) < 0 || CPU_COUNT(&allowed) < 2)
        return sl_error(-ENODEV, "pollution bench: driver and reader need a processor each");
    for (unsigned i = 0; i < KINDS && err == 0; i++) {
        if (options->is_quick && !kinds[i].is_quick)
            continue;
        if (kinds[i].is_huge && (result.huge_bytes = lack_of_huge_pages(&kinds[i])) > 0)
            continue;
        for (unsigned side = 0; side < 2 && err == 0; side++)
            err = run_flow(options, &kinds[i], side, &result);
    }
    if (err == 0)
        *ret_result = result;
    return err;
}
