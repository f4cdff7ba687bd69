/* SPDX-License-Identifier: Apache-2.0 */
/* dds_flow.c - how fast clouds go through the bridge, and how soon.
 *
 * A publisher that waits for the bridge (lossless) publishes as fast as it is let; the bridge waits
 * for the reader (keep all, when-full=block); so nothing is lost, as nothing is by ddsperf. A cloud
 * is written once into each slot, afterwards only its mark: ddsperf and the typed writer do not
 * make their payload anew for each message either. The typed writer has as many clouds as there are
 * slots, and writes them in turn: neither has the one cloud it sends in its cache.
 */
#include "tests/bench/dds_bench.h"

#include "core/base/error.h"
#include "core/frame/pointcloud2.h"
#include "core/shm/sluice.h"
#include "core/shm/wake.h"
#include "tests/bench/bus_crew.h"
#include "tests/bench/dds_crew.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    ROUNDS_DEFAULT = 7,
    WINDOW_NS_DEFAULT = 400 * 1000 * 1000,
    LEAD_NS = 60 * 1000 * 1000,  /* of a flood, before what arrives is counted */
    QUIET_NS = 60 * 1000 * 1000, /* after one, for what is under way */
    FIRST_NS = 10 * 1000 * 1000,
    PACE_NS = 1000 * 1000,
    PACED = 150, /* messages in a round */
    WAIT_NS = 100 * 1000 * 1000,
    ARRIVAL_S = 60, /* patience for one message: the machine may be busy */
    NAMES_MAX = 16,
};

static const struct size {
    const char *name;
    uint32_t bytes; /* of a body, about: as many whole points as fit */
    uint32_t quota; /* frames that the bridge may hold */
    uint32_t slots; /* so many messages the publisher may be ahead, as it sleeps when it may not */
    bool best_effort;
} sizes[SL_BENCH_DDS_SIZES] = {
    {"1k", 1u << 10, 250, 512, false}, {"64k", 64u << 10, 32, 128, false},
    {"1M", 1u << 20, 8, 16, false},    {"8M", 8u << 20, 2, 4, false},
    {"8M", 8u << 20, 2, 4, true},
};

const char *const sl_bench_dds_sizes[SL_BENCH_DDS_SIZES + 1] = {
    "1k", "64k", "1m", "8m", "8m_best_effort", NULL};

struct round {
    struct sl_bench_dds_flow flow[DDS_LANES];
    double ddsperf_per_s;
    double bridged_us, direct_us, futex_us;
};

struct bench {
    struct bus_run run;
    unsigned rounds;
    uint64_t window_ns;
    const struct size *size;
    struct sl_pointcloud2 cloud;
    size_t body_bytes;
    struct dds_crew crew;
    struct sl_publisher *publisher;
    bool *is_filled; /* by slot */
    uint32_t slots;
    uint64_t number; /* of the next message */
    uint64_t now_ns; /* when the last one was marked, or waited for its slot */
    struct round round[BUS_ROUNDS_MAX];
};

/* The cloud ------------------------------------------------------------------------------------ */

static struct sl_text text(const char *from)
{
    return (struct sl_text){from, strlen(from)};
}

static void plan_cloud(struct bench *b)
{
    static const char *const names[] = {"x", "y", "z", "intensity"};
    b->cloud = (struct sl_pointcloud2){.frame_id = text(DDS_FRAME_ID),
                                       .height = 1,
                                       .is_dense = true,
                                       .field_count = 4,
                                       .point_step = DDS_POINT_BYTES};
    for (unsigned i = 0; i < 4; i++)
        b->cloud.fields[i] = (struct sl_point_field){text(names[i]), 4 * i, 1, SL_POINT_FLOAT32};
    size_t around = sl_pointcloud2_prefix_size(&b->cloud) + 1;
    b->cloud.width = (uint32_t)((b->size->bytes - around) / DDS_POINT_BYTES);
    b->cloud.row_step = b->cloud.data_size = b->cloud.width * DDS_POINT_BYTES;
    b->body_bytes = sl_pointcloud2_body_size(&b->cloud);
}

static int fill(const struct bench *b, unsigned char *slot)
{
    size_t prefix = sl_pointcloud2_prefix_size(&b->cloud);
    memset(slot + prefix, 0, b->cloud.data_size);
    int err = sl_pointcloud2_write_prefix(&b->cloud, slot, prefix);
    if (err == 0)
        err = sl_pointcloud2_write_suffix(&b->cloud, slot + prefix + b->cloud.data_size,
                                          sl_pointcloud2_suffix_room(&b->cloud));
    return err;
}

/* Publishing ----------------------------------------------------------------------------------- */

static int open_publisher(struct bench *b)
{
    struct sl_publisher_status status;
    const struct sl_publisher_options options = {
        .topic = DDS_BUS_TOPIC,
        .type = "sensor_msgs/msg/PointCloud2",
        .domain = b->run.domain,
        .slot_count = b->size->slots,
        .slot_size = b->body_bytes + DDS_POINT_BYTES,
        .subscribers = 1,
        .quota = b->size->quota,
        .lossless = true,
        .lossless_timeout_ns = ARRIVAL_S * (int64_t)SL_NS_PER_S,
    };
    int err = sl_publisher_open(&options, &b->publisher);
    if (err < 0)
        return err;
    sl_publisher_status(b->publisher, &status);
    b->slots = status.slots;
    b->number = 0;
    b->is_filled = calloc(b->slots, sizeof *b->is_filled);
    return b->is_filled ? 0 : sl_error(-ENOMEM, "no memory for the bench");
}

static void close_publisher(struct bench *b)
{
    sl_publisher_close(b->publisher);
    b->publisher = NULL;
    free(b->is_filled);
    b->is_filled = NULL;
}

static void mark(struct bench *b, unsigned char *slot)
{
    unsigned char *data = slot + sl_pointcloud2_prefix_size(&b->cloud);
    const struct dds_mark m = {b->number, sl_clock_monotonic_ns()};
    b->now_ns = m.sent_ns;
    memcpy(data, &m, sizeof m);
    memcpy(data + b->cloud.data_size - sizeof m.number, &m.number, sizeof m.number);
}

/* -EAGAIN: the bridge is behind. */
static int publish(struct bench *b)
{
    struct sl_loan loan;
    int err = sl_publisher_loan(b->publisher, &loan);
    if (err == 0 && !b->is_filled[loan.slot]) {
        err = fill(b, loan.data);
        b->is_filled[loan.slot] = true;
    }
    if (err < 0)
        return err;
    mark(b, loan.data);
    b->number++;
    const struct sl_message message = {.stamp_ns = b->number,
                                       .body_length = (uint32_t)b->body_bytes};
    return sl_publisher_publish(b->publisher, &loan, &message);
}

static int publish_until(struct bench *b, uint64_t until_ns)
{
    for (b->now_ns = sl_clock_monotonic_ns(); b->now_ns < until_ns;) {
        int err = publish(b);
        if (err == -EAGAIN) {
            err = sl_publisher_wait(b->publisher, WAIT_NS);
            err = err == -ETIMEDOUT || err == -EINTR ? 0 : err;
            b->now_ns = sl_clock_monotonic_ns();
        }
        if (err < 0)
            return err;
    }
    return 0;
}

static void sleep_until(uint64_t monotonic_ns)
{
    const struct timespec until = {.tv_sec = (time_t)(monotonic_ns / SL_NS_PER_S),
                                   .tv_nsec = (long)(monotonic_ns % SL_NS_PER_S)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
        ;
}

/* Until one arrives before the next is sent: at first the bridge has not heard of the reader, then
 * they have yet to agree what was sent before. Each has twice the time of the one before. */
static int settle(struct bench *b)
{
    const _Atomic uint64_t *next = &b->crew.page->lane[DDS_BRIDGED].next;
    uint64_t until_ns = sl_clock_monotonic_ns() + ARRIVAL_S * SL_NS_PER_S;
    uint64_t patience_ns = FIRST_NS;
    do {
        uint64_t now_ns = sl_clock_monotonic_ns(), due_ns = now_ns + patience_ns;
        int err = publish(b);
        if (err < 0 && err != -EAGAIN)
            return err;
        while (atomic_load(next) != b->number && now_ns < due_ns)
            sleep_until(now_ns += FIRST_NS);
        if (now_ns > until_ns)
            return sl_error(-ETIMEDOUT, "no cloud of %s arrives by the bridge", b->size->name);
        patience_ns = patience_ns < SL_NS_PER_S ? 2 * patience_ns : patience_ns;
    } while (atomic_load(next) != b->number);
    return 0;
}

/* Rates ---------------------------------------------------------------------------------------- */

struct count {
    uint64_t now_ns, messages, sent, cpu_ns;
};

static struct count count(const struct bench *b, enum dds_lane lane)
{
    return (struct count){
        .now_ns = sl_clock_monotonic_ns(),
        .messages = atomic_load(&b->crew.page->lane[lane].messages),
        .sent = lane == DDS_BRIDGED ? b->number : atomic_load(&b->crew.page->written),
        .cpu_ns = dds_crew_cpu_ns(&b->crew, lane == DDS_BRIDGED ? DDS_BRIDGE : DDS_WRITER),
    };
}

static struct sl_bench_dds_flow between(const struct bench *b, struct count from, struct count to)
{
    double messages = (double)(to.messages - from.messages);
    double per_s = messages * 1e9 / (double)(to.now_ns - from.now_ns);
    double mb = (double)(to.sent - from.sent) * (double)b->body_bytes / 1e6;
    return (struct sl_bench_dds_flow){
        .messages_per_s = per_s,
        .mb_per_s = per_s * (double)b->body_bytes / 1e6,
        .cpu_us_per_mb = mb > 0 ? (double)(to.cpu_ns - from.cpu_ns) / 1e3 / mb : INFINITY,
    };
}

static void order(const struct bench *b, enum dds_order what)
{
    atomic_store(&b->crew.page->order, what);
    sl_wake_futex_unchanged(&b->crew.page->order);
}

/* What comes goes on until `until_ns`. */
static int flood(struct bench *b, enum dds_lane lane, uint64_t until_ns)
{
    if (lane == DDS_BRIDGED)
        return publish_until(b, until_ns);
    sleep_until(until_ns);
    return 0;
}

/* ... until more than `messages` have arrived. */
static int flood_past(struct bench *b, enum dds_lane lane, uint64_t messages)
{
    static const char *const names[] = {[DDS_BRIDGED] = "bridge", [DDS_TYPED] = "typed writer"};
    uint64_t until_ns = sl_clock_monotonic_ns() + ARRIVAL_S * SL_NS_PER_S;
    int err = 0;
    while (err == 0 && atomic_load(&b->crew.page->lane[lane].messages) <= messages) {
        if (sl_clock_monotonic_ns() > until_ns)
            return sl_error(-ETIMEDOUT, "no cloud of %s arrives by the %s within %d s",
                            b->size->name, names[lane], ARRIVAL_S);
        err = flood(b, lane, sl_clock_monotonic_ns() + FIRST_NS);
    }
    return err;
}

/* A window begins when messages arrive, and one arrives in it, however busy the machine is: it
 * lasts longer where it must. */
static int measure_flow(struct bench *b, enum dds_lane lane, struct sl_bench_dds_flow *ret_flow)
{
    struct count from = count(b, lane);
    if (lane == DDS_TYPED)
        order(b, DDS_FLOOD);
    int err = flood_past(b, lane, from.messages);
    if (err == 0)
        err = flood(b, lane, sl_clock_monotonic_ns() + LEAD_NS);
    from = count(b, lane);
    if (err == 0)
        err = flood(b, lane, from.now_ns + b->window_ns);
    if (err == 0)
        err = flood_past(b, lane, from.messages);
    *ret_flow = between(b, from, count(b, lane));
    order(b, DDS_IDLE);
    sleep_until(sl_clock_monotonic_ns() + QUIET_NS);
    if (err == 0 && atomic_load(&b->crew.page->lane[lane].wrong) > 0)
        err = sl_error(-EIO, "a cloud of %s that arrived is not what was sent", b->size->name);
    return err;
}

/* Latency -------------------------------------------------------------------------------------- */

static double end_timing(struct dds_page *page)
{
    static double us[DDS_SAMPLES_MAX];
    sleep_until(sl_clock_monotonic_ns() + QUIET_NS);
    atomic_store(&page->is_timing, 0);
    unsigned samples = atomic_load(&page->sample_count);
    for (unsigned i = 0; i < samples; i++)
        us[i] = page->sample_ns[i] / 1e3;
    return samples > 0 ? bus_median(us, samples) : 0;
}

static void begin_timing(struct dds_page *page)
{
    atomic_store(&page->sample_count, 0);
    atomic_store(&page->is_timing, 1);
}

static int time_bridged(struct bench *b, double *ret_us)
{
    int err = 0;
    uint64_t due_ns = sl_clock_monotonic_ns();
    begin_timing(b->crew.page);
    for (unsigned i = 0; i < PACED && err == 0; i++) {
        sleep_until(due_ns += PACE_NS);
        err = publish(b);
    }
    *ret_us = end_timing(b->crew.page);
    return err;
}

static void time_direct(struct bench *b, double *ret_us)
{
    begin_timing(b->crew.page);
    order(b, DDS_PACE);
    sleep_until(sl_clock_monotonic_ns() + PACED * (uint64_t)PACE_NS);
    order(b, DDS_IDLE);
    *ret_us = end_timing(b->crew.page);
}

static void time_futex(struct bench *b, double *ret_us)
{
    struct dds_page *page = b->crew.page;
    uint64_t due_ns = sl_clock_monotonic_ns();
    begin_timing(page);
    for (unsigned i = 0; i < PACED; i++) {
        sleep_until(due_ns += PACE_NS);
        atomic_store(&page->rung_ns, sl_clock_monotonic_ns());
        sl_wake_futex(&page->bell);
    }
    *ret_us = end_timing(page);
}

/* From one processor to the other: publisher to bridge, and bridge to reader; writer to reader;
 * publisher to sleeper. */
static int measure_latency(struct bench *b, struct round *round)
{
    dds_crew_pin(true);
    int err = time_bridged(b, &round->bridged_us);
    time_direct(b, &round->direct_us);
    time_futex(b, &round->futex_us);
    dds_crew_roam();
    return err;
}

/* Rounds --------------------------------------------------------------------------------------- */

static int run_round(struct bench *b, struct round *round)
{
    int err = 0;
    for (int lane = 0; lane < DDS_LANES && err == 0; lane++)
        err = measure_flow(b, (enum dds_lane)lane, &round->flow[lane]);
    if (err == 0 && b->crew.perf)
        err = dds_crew_run_ddsperf(&b->crew, &round->ddsperf_per_s);
    return err;
}

static int run_rounds(struct bench *b, const struct sl_bench_dds_options *options)
{
    char name[NAMES_MAX];
    struct sl_bench_dds_flow unused;
    snprintf(name, sizeof name, "clouds of %s", b->size->name);
    int err = dds_crew_meet(&b->crew);
    if (err == 0)
        err = settle(b);
    if (err == 0 && b->size == sizes) /* warm up */
        err = measure_latency(b, &b->round[0]);
    for (unsigned i = 0; i < b->rounds && err == 0 && b->size == sizes; i++)
        err = measure_latency(b, &b->round[i]);
    if (err == 0) /* warm up: all slots are filled */
        err = measure_flow(b, DDS_BRIDGED, &unused);
    for (unsigned i = 0; i < b->rounds && err == 0; i++) {
        if (options->progress)
            options->progress(name, i, b->rounds);
        err = run_round(b, &b->round[i]);
    }
    return err;
}

static int run_size(struct bench *b, const struct sl_bench_dds_options *options)
{
    plan_cloud(b);
    const struct dds_work work = {.domain = b->run.domain,
                                  .size = b->size->name,
                                  .data_bytes = b->cloud.data_size,
                                  .clouds = b->size->slots,
                                  .depth = b->size->quota > 2 ? b->size->quota - 2 : 1,
                                  .best_effort = b->size->best_effort};
    int err = dds_crew_start(&b->crew, &work);
    if (err == 0) {
        b->crew.page->pace_ns = PACE_NS;
        err = open_publisher(b);
    }
    if (err == 0)
        err = run_rounds(b, options);
    close_publisher(b);
    dds_crew_stop(&b->crew);
    return err;
}

/* Figures -------------------------------------------------------------------------------------- */

/* The median over the rounds of what `of` makes of one. */
static double median(const struct bench *b, double (*of)(const struct round *round))
{
    double values[BUS_ROUNDS_MAX];
    for (unsigned i = 0; i < b->rounds; i++)
        values[i] = of(&b->round[i]);
    return bus_median(values, b->rounds);
}

#define OF(name, expression)                  \
    static double name(const struct round *r) \
    {                                         \
        return expression;                    \
    }
OF(bridge_rate, r->flow[DDS_BRIDGED].messages_per_s)
OF(typed_rate, r->flow[DDS_TYPED].messages_per_s)
OF(ddsperf_rate, r->ddsperf_per_s)
OF(bridge_cpu, r->flow[DDS_BRIDGED].cpu_us_per_mb)
OF(typed_cpu, r->flow[DDS_TYPED].cpu_us_per_mb)
OF(cpu_ratio, r->flow[DDS_BRIDGED].cpu_us_per_mb / r->flow[DDS_TYPED].cpu_us_per_mb)
OF(typed_ratio, r->flow[DDS_BRIDGED].messages_per_s / r->flow[DDS_TYPED].messages_per_s)
OF(ddsperf_ratio, r->flow[DDS_BRIDGED].messages_per_s / r->ddsperf_per_s)
OF(bridged_latency, r->bridged_us)
OF(direct_latency, r->direct_us)
OF(added_latency, r->bridged_us - r->direct_us)
OF(futex_latency, r->futex_us)
#undef OF

static struct sl_bench_dds_flow flow_of(double per_s, double bytes, double cpu_us_per_mb)
{
    return (struct sl_bench_dds_flow){per_s, per_s * bytes / 1e6, cpu_us_per_mb};
}

static void conclude(const struct bench *b, unsigned at, struct sl_bench_dds *to)
{
    double bytes = (double)b->body_bytes;
    to->size[at].name = sl_bench_dds_sizes[at];
    to->size[at].bridge = flow_of(median(b, bridge_rate), bytes, median(b, bridge_cpu));
    to->size[at].typed = flow_of(median(b, typed_rate), bytes, median(b, typed_cpu));
    to->size[at].typed_ratio = median(b, typed_ratio);
    to->size[at].cpu_ratio = median(b, cpu_ratio);
    if (to->has_ddsperf) {
        to->size[at].ddsperf = flow_of(median(b, ddsperf_rate), b->size->bytes, 0);
        to->size[at].ddsperf_ratio = median(b, ddsperf_ratio);
    }
    if (at > 0)
        return;
    to->bridged_us = median(b, bridged_latency);
    to->direct_us = median(b, direct_latency);
    to->added_us = median(b, added_latency);
    to->futex_us = median(b, futex_latency);
}

int sl_bench_dds(const struct sl_bench_dds_options *options, struct sl_bench_dds *ret_result)
{
    const struct sl_bench_bus_options bus = {.rounds = options->rounds ? options->rounds
                                                                       : ROUNDS_DEFAULT};
    struct bench *b = calloc(1, sizeof *b);
    struct sl_bench_dds result = {.has_ddsperf = dds_has_ddsperf()};
    if (!b)
        return sl_error(-ENOMEM, "no memory for the bench");
    b->window_ns = options->window_ns ? (uint64_t)options->window_ns : WINDOW_NS_DEFAULT;
    int err = bus_begin(&b->run, &bus, 1, 1);
    b->rounds = b->run.rounds;
    for (unsigned i = 0; i < SL_BENCH_DDS_SIZES && err == 0; i++) {
        if (options->chosen && !(options->chosen & 1u << i))
            continue;
        b->size = &sizes[i];
        err = run_size(b, options);
        if (err == 0)
            conclude(b, i, &result);
    }
    bus_end(&b->run);
    free(b);
    if (err == 0)
        *ret_result = result;
    return err;
}
