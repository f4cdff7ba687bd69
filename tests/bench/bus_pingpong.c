/* SPDX-License-Identifier: Apache-2.0 */
/* bus_pingpong.c - how long a message takes from one process to another.
 *
 * Two processes throw it to and fro over a number of lanes: the raw cache line (a word stored by
 * one, seen by the other), the same with lines of payload written before and checked after, the bus
 * with payloads of several sizes, by slot and inline, and iceoryx. The sender writes and the
 * receiver checks the payload's first and last line; inline, of which the bus moves every line, its
 * counterpart of raw lines writes and checks all of them. One way = half a round trip.
 */
#include "tests/bench/bus_bench.h"
#include "tests/bench/bus_crew.h"

#include "core/base/error.h"
#include "core/shm/domain.h"
#include "core/shm/iceoryx.h"
#include "core/uncached/limits.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    CROWD = 16,
    SLOTS = 32, /* of the raw lanes; the bus has its default, about as many, whatever their size:
                   with fewer a publisher takes slots back more often, for which it reads what the
                   other processor writes */
    QUICK_BYTES = 1 << 20,
};

enum lane_kind {
    RAW,
    RAW_WHOLE, /* all lines of the payload, as the bus moves them inline */
    SLOT,
    INLINE,
    BINDING, /* iceoryx without us */
};

struct lane_plan {
    const char *name;
    enum lane_kind kind;
    uint64_t bytes;
    unsigned crowd;
    enum sl_bus bus;
};

static const struct lane_plan plans[] = {
    {"raw", RAW, 0, 0, 0},
    {"raw_payload_1", RAW, BUS_LINE, 0, 0},
    {"raw_payload_2", RAW, 2 * BUS_LINE, 0, 0},
    {"raw_payload_4", RAW_WHOLE, 4 * BUS_LINE, 0, 0},
    {"native", SLOT, 64, 0, SL_BUS_NATIVE},
    {"native_16_subscribers", SLOT, 64, CROWD, SL_BUS_NATIVE},
    {"native_4k", SLOT, 4096, 0, SL_BUS_NATIVE},
    {"native_4k_16_subscribers", SLOT, 4096, CROWD, SL_BUS_NATIVE},
    {"native_1M", SLOT, 1 << 20, 0, SL_BUS_NATIVE},
    {"native_1M_16_subscribers", SLOT, 1 << 20, CROWD, SL_BUS_NATIVE},
    {"native_64M", SLOT, 64 << 20, 0, SL_BUS_NATIVE},
    {"native_64M_16_subscribers", SLOT, 64 << 20, CROWD, SL_BUS_NATIVE},
    {"inline_64", INLINE, 64, 0, SL_BUS_NATIVE},
    {"inline_256", INLINE, 256, 0, SL_BUS_NATIVE},
    {"iceoryx_binding", BINDING, 64, 0, SL_BUS_ICEORYX},
    {"iceoryx", SLOT, 64, 0, SL_BUS_ICEORYX},
    {"iceoryx_4k", SLOT, 4096, 0, SL_BUS_ICEORYX},
    {"iceoryx_1M", SLOT, 1 << 20, 0, SL_BUS_ICEORYX},
    {"iceoryx_64M", SLOT, 64 << 20, 0, SL_BUS_ICEORYX},
};
enum {
    PLANS = sizeof plans / sizeof *plans,
    PLAN_RAW = 0,
    PLAN_RAW_1 = 1,
    PLAN_RAW_2 = 2,
    PLAN_RAW_4 = 3,
    PLAN_NATIVE = 4,
};
_Static_assert(PLANS <= SL_BENCH_LANES_MAX, "a place for each lane");

/* The raw cache lines, and payload beside them: slots used in turn, as the bus uses its. */
struct shared {
    _Alignas(128) _Atomic uint64_t line;
    _Alignas(128) _Atomic uint64_t back;
    _Alignas(128) unsigned char payload[2][SLOTS][4 * BUS_LINE];
    struct bus_meeting meeting;
    struct bus_figures figures[BUS_ROUNDS_MAX][PLANS];
};

/* One process's ends of one lane. */
struct lane {
    const struct lane_plan *plan;
    struct sl_publisher *publisher;
    struct sl_subscriber *subscriber;
    struct sl_subscriber *crowd[CROWD]; /* on our own topic: attached, never reading */
    struct sl_frame frame;              /* held until the answer to it is out */
    struct sl_iceoryx_sender *sender;
    struct sl_iceoryx_receiver *receiver;
};

struct bench {
    struct bus_run run;
    bool has_room; /* for the largest pools */
    struct shared *shared;
    /* of one process, from here on */
    int side; /* 0 throws first, 1 answers */
    uint64_t value;
    unsigned char body[SL_INLINE_MAX]; /* inline */
    struct sl_domain iceoryx_domain;
    struct bus_samples samples;
    struct lane lane[PLANS];
};

static bool is_bus(const struct lane_plan *plan)
{
    return plan->kind != RAW && plan->kind != RAW_WHOLE;
}

static bool is_wanted(const struct bench *b, const struct lane_plan *plan)
{
    return (plan->bus != SL_BUS_ICEORYX || b->run.options->with_iceoryx) &&
           (plan->bytes <= QUICK_BYTES || b->has_room);
}

/* How each kind is sent and received. ------------------------------------------------------------
 */

/* Send `value`; receive and check it, -EAGAIN if nothing is there. */
typedef int (*lane_move)(struct bench *b, struct lane *l, uint64_t value);

/* What `side` stores in, and the other one looks at. */
static _Atomic uint64_t *raw_line(struct bench *b, int side)
{
    return side == 0 ? &b->shared->line : &b->shared->back;
}

static int send_raw(struct bench *b, struct lane *l, uint64_t value)
{
    if (l->plan->bytes > 0)
        bus_mark(b->shared->payload[b->side][value % SLOTS], l->plan->bytes, value);
    atomic_store_explicit(raw_line(b, b->side), value, memory_order_release);
    return 0;
}

static int receive_raw(struct bench *b, struct lane *l, uint64_t value)
{
    if (atomic_load_explicit(raw_line(b, !b->side), memory_order_acquire) != value)
        return -EAGAIN;
    if (l->plan->bytes == 0)
        return 0;
    const unsigned char *payload = b->shared->payload[!b->side][value % SLOTS];
    return bus_is_marked(payload, l->plan->bytes, value) ? 0 : -EIO;
}

static int send_raw_whole(struct bench *b, struct lane *l, uint64_t value)
{
    unsigned char *payload = b->shared->payload[b->side][value % SLOTS];
    for (uint64_t at = 0; at < l->plan->bytes; at += BUS_LINE)
        bus_mark_line(payload + at, value);
    atomic_store_explicit(raw_line(b, b->side), value, memory_order_release);
    return 0;
}

static int receive_raw_whole(struct bench *b, struct lane *l, uint64_t value)
{
    if (atomic_load_explicit(raw_line(b, !b->side), memory_order_acquire) != value)
        return -EAGAIN;
    const unsigned char *payload = b->shared->payload[!b->side][value % SLOTS];
    bool same = true;
    for (uint64_t at = 0; at < l->plan->bytes; at += BUS_LINE)
        same &= bus_line_is(payload + at, value);
    return same ? 0 : -EIO;
}

static int send_slot(struct bench *b, struct lane *l, uint64_t value)
{
    (void)b;
    int err = bus_publish(l->publisher, l->plan->bytes, value);
    sl_frame_release(&l->frame); /* an answer goes out before the question is put away */
    return err;
}

static int send_inline(struct bench *b, struct lane *l, uint64_t value)
{
    const struct sl_message message = {.stamp_ns = value};
    bus_mark(b->body, l->plan->bytes, value);
    int err = sl_publisher_publish_inline(l->publisher, b->body, l->plan->bytes, &message);
    sl_frame_release(&l->frame);
    return err;
}

static int receive_message(struct bench *b, struct lane *l, uint64_t value)
{
    (void)b;
    int err = sl_subscriber_take(l->subscriber, &l->frame);
    if (err < 0)
        return err;
    return bus_is_marked(l->frame.body, l->plan->bytes, value) ? 0 : -EIO;
}

/* All 64 bytes, but no flag that asks for more than them. */
static struct sl_descriptor marked_descriptor(uint64_t value)
{
    return (struct sl_descriptor){
        .seq = value,
        .stamp_ns = value,
        .publish_ns = value,
        .body_length = (uint32_t)value,
        .data_length = (uint32_t)value,
        .fence = value,
    };
}

static int send_binding(struct bench *b, struct lane *l, uint64_t value)
{
    (void)b;
    const struct sl_descriptor d = marked_descriptor(value);
    int err = sl_iceoryx_reserve(l->sender);
    if (err == 0)
        sl_iceoryx_send(l->sender, &d, NULL, 0, NULL);
    return err == -EAGAIN ? -ENOBUFS : err;
}

static int receive_binding(struct bench *b, struct lane *l, uint64_t value)
{
    (void)b;
    struct sl_descriptor d, expected = marked_descriptor(value);
    struct sl_range ranges[SL_RANGES_MAX];
    unsigned char body[SL_INLINE_MAX];
    int got = sl_iceoryx_receive(l->receiver, &d, ranges, body);
    if (got <= 0)
        return got < 0 ? got : -EAGAIN;
    return memcmp(&d, &expected, sizeof d) == 0 ? 0 : -EIO;
}

static inline __attribute__((always_inline)) int receive_one(struct bench *b, struct lane *l,
                                                             lane_move receive)
{
    struct bus_patience patience = {0};
    int err;
    while ((err = receive(b, l, b->value)) == -EAGAIN)
        if (bus_is_worn_out(&patience))
            return bus_no_answer(l->plan->name);
    return err < 0 ? sl_error(err, "%s: message %llu is not what was sent (%s)", l->plan->name,
                              (unsigned long long)b->value, strerror(-err))
                   : 0;
}

/* All round trips of a lane in one round; made for each kind, so that no call is left in it. */
static inline __attribute__((always_inline)) int throw_all(struct bench *b, struct lane *l,
                                                           lane_move send, lane_move receive)
{
    int err = 0;
    for (unsigned i = 0; i < b->run.iterations && err == 0; i++) {
        b->value++;
        uint64_t start_ns = sl_clock_monotonic_ns();
        if (b->side == 0)
            err = send(b, l, b->value);
        if (err == 0)
            err = receive_one(b, l, receive);
        if (err == 0 && b->side == 1)
            err = send(b, l, b->value);
        bus_sample(&b->samples, sl_clock_monotonic_ns() - start_ns);
    }
    return err;
}

static int run_lane(struct bench *b, struct lane *l)
{
    switch (l->plan->kind) {
    case RAW:
        return throw_all(b, l, send_raw, receive_raw);
    case RAW_WHOLE:
        return throw_all(b, l, send_raw_whole, receive_raw_whole);
    case SLOT:
        return throw_all(b, l, send_slot, receive_message);
    case INLINE:
        return throw_all(b, l, send_inline, receive_message);
    case BINDING:
        return throw_all(b, l, send_binding, receive_binding);
    }
    return -EINVAL;
}

/* Opening. ------------------------------------------------------------------------------------- */

static void topic_of(char *to, size_t size, int side, const struct lane_plan *plan)
{
    snprintf(to, size, "/bench/%s/%s", side == 0 ? "ping" : "pong", plan->name);
}

/* The instances of iceoryx's services: which side sends. */
#define BINDING_INSTANCE(side) (UINT64_C(1) + (uint64_t)(side))

static int open_sending(struct bench *b, struct lane *l)
{
    char topic[64];
    const struct lane_plan *plan = l->plan;
    topic_of(topic, sizeof topic, b->side, plan);
    if (plan->kind == BINDING) {
        int err = sl_iceoryx_start(&b->iceoryx_domain);
        return err < 0 ? err
                       : sl_iceoryx_sender_open(&b->iceoryx_domain, topic,
                                                BINDING_INSTANCE(b->side), 0, &l->sender);
    }
    const struct sl_publisher_options options = {
        .topic = topic,
        .type = BUS_TYPE,
        .domain = b->run.domain,
        .slot_size = plan->kind == SLOT ? plan->bytes : 0,
        .inline_max = plan->kind == INLINE ? (uint32_t)plan->bytes : 0,
        .subscribers = CROWD + 1,
        .quota = 1,
        .bus = plan->bus,
    };
    return sl_publisher_open(&options, &l->publisher);
}

static int open_subscriber(struct bench *b, int side, const struct lane_plan *plan,
                           struct sl_subscriber **ret)
{
    char topic[64];
    topic_of(topic, sizeof topic, side, plan);
    const struct sl_subscriber_options options = {
        .topic = topic, .domain = b->run.domain, .quota = 1, .bus = plan->bus};
    return sl_subscriber_open(&options, ret);
}

static int open_receiving(struct bench *b, struct lane *l)
{
    if (l->plan->kind == BINDING) {
        char topic[64];
        topic_of(topic, sizeof topic, !b->side, l->plan);
        return sl_iceoryx_receiver_open(&b->iceoryx_domain, topic, BINDING_INSTANCE(!b->side), 0,
                                        &l->receiver);
    }
    int err = open_subscriber(b, !b->side, l->plan, &l->subscriber);
    for (unsigned i = 0; i < l->plan->crowd && err == 0; i++)
        err = open_subscriber(b, b->side, l->plan, &l->crowd[i]);
    return err;
}

/* Nobody throws before the other side has attached. iceoryx connects when RouDi gets round to it.
 */
static int await_attached(struct bench *b, struct lane *l)
{
    (void)b;
    if (l->plan->kind == BINDING) {
        struct bus_patience patience = {.limit_s = BUS_OPENING_S};
        while (!sl_iceoryx_receiver_is_connected(l->receiver))
            if (bus_patience_ask(&patience))
                return sl_error(-ETIMEDOUT, "iceoryx does not connect the two processes");
        return 0;
    }
    int err = bus_await_subscribers(l->publisher, 1 + l->plan->crowd);
    return err < 0 ? err : bus_await_publisher(l->subscriber);
}

/* Publishers first on both sides, then everybody attaches to what is there. */
static int open_lanes(struct bench *b)
{
    int err = sl_domain_open(b->run.domain, true, &b->iceoryx_domain);
    static int (*const steps[])(struct bench *, struct lane *) = {open_sending, open_receiving,
                                                                  await_attached};
    for (unsigned step = 0; step < sizeof steps / sizeof *steps; step++) {
        for (unsigned i = 0; i < PLANS && err == 0; i++) {
            b->lane[i].plan = &plans[i];
            if (is_bus(&plans[i]) && is_wanted(b, &plans[i]))
                err = steps[step](b, &b->lane[i]);
        }
        if (err == 0)
            err = bus_meet(&b->shared->meeting, b->side);
    }
    return err;
}

static void close_lanes(struct bench *b)
{
    for (unsigned i = 0; i < PLANS; i++) {
        struct lane *l = &b->lane[i];
        sl_frame_release(&l->frame);
        for (unsigned j = 0; j < CROWD; j++)
            sl_subscriber_close(l->crowd[j]);
        sl_subscriber_close(l->subscriber);
        sl_publisher_close(l->publisher);
        sl_iceoryx_receiver_close(l->receiver);
        sl_iceoryx_sender_close(l->sender);
    }
    sl_domain_close(&b->iceoryx_domain);
}

/* Rounds. -------------------------------------------------------------------------------------- */

/* All lanes, in the same order on both sides. Samples are round trips. */
static int run_round(struct bench *b, struct bus_figures *figures)
{
    for (unsigned i = 0; i < PLANS; i++) {
        if (!is_wanted(b, &plans[i]))
            continue;
        int err = run_lane(b, &b->lane[i]);
        if (err < 0)
            return err;
        struct bus_figures trip = bus_conclude(&b->samples);
        figures[i] = (struct bus_figures){trip.p50_ns / 2, trip.p99_ns / 2, trip.mean_ns / 2};
    }
    return 0;
}

static int run_side(void *context, int side)
{
    struct bench *b = context;
    struct bus_figures unused[PLANS];
    b->side = side;
    int err = bus_samples_init(&b->samples, b->run.iterations);
    if (err == 0)
        err = open_lanes(b);
    if (err == 0)
        err = run_round(b, unused); /* warm up */
    for (unsigned i = 0; i < b->run.rounds && err == 0; i++) {
        if (side == 0 && b->run.options->progress)
            b->run.options->progress("ping-pong", i, b->run.rounds);
        err = run_round(b, side == 0 ? b->shared->figures[i] : unused);
    }
    close_lanes(b);
    bus_samples_finish(&b->samples);
    return err;
}

/* Pools of all lanes are there at the same time. A machine that is too small for the largest ones
 * still has the others. */
static bool has_room(const struct sl_bench_bus_options *options)
{
    uint64_t bytes = 0;
    for (unsigned i = 0; i < PLANS; i++)
        if (plans[i].bytes > QUICK_BYTES &&
            (plans[i].bus != SL_BUS_ICEORYX || options->with_iceoryx))
            bytes += 2 * SLOTS * plans[i].bytes; /* both ways; about as many as the default */
    if (options->is_quick)
        return false;
    if (sl_memory_limits_check("the pools of messages of 64 MB", bytes) == 0)
        return true;
    fprintf(stderr, "sluice bench bus: messages of 64 MB are left out: %s\n", sl_error_text());
    sl_error_clear();
    return false;
}

static void conclude(const struct bench *b, struct sl_bench_pingpong *to)
{
    struct bus_figures *rounds = b->shared->figures[0];
    to->lane_count = 0;
    for (unsigned i = 0; i < PLANS; i++) {
        const struct lane_plan *plan = &plans[i];
        if (!is_wanted(b, plan))
            continue;
        struct bus_figures f = bus_median_figures(rounds + i, b->run.rounds, PLANS);
        unsigned limit = plan->bytes <= BUS_LINE ? PLAN_RAW_1
                         : plan->kind == INLINE  ? PLAN_RAW_4
                                                 : PLAN_RAW_2;
        bool is_message = is_bus(plan);
        to->lane[to->lane_count++] = (struct sl_bench_lane){
            .name = plan->name,
            .payload_bytes = plan->bytes,
            .crowd = plan->crowd,
            .is_message = is_message,
            .p50_ns = f.p50_ns,
            .p99_ns = f.p99_ns,
            .raw_ratio = bus_median_ratio(rounds + i, rounds + PLAN_RAW, b->run.rounds, PLANS),
            .raw_payload_ratio =
                is_message ? bus_median_ratio(rounds + i, rounds + limit, b->run.rounds, PLANS) : 0,
            .native_ratio = is_message ? bus_median_ratio(rounds + i, rounds + PLAN_NATIVE,
                                                          b->run.rounds, PLANS)
                                       : 0,
        };
    }
}

const struct sl_bench_lane *sl_bench_lane_find(const struct sl_bench_pingpong *result,
                                               const char *name)
{
    for (unsigned i = 0; i < result->lane_count; i++)
        if (strcmp(result->lane[i].name, name) == 0)
            return &result->lane[i];
    return NULL;
}

int sl_bench_bus_pingpong(const struct sl_bench_bus_options *options,
                          struct sl_bench_pingpong *ret_result)
{
    struct bench b = {.iceoryx_domain.fd = -1, .has_room = has_room(options)};
    int err = bus_begin(&b.run, options, 1, sizeof *b.shared);
    b.shared = b.run.shared;
    if (err == 0)
        err = bus_run_pair(run_side, &b);
    if (err == 0)
        conclude(&b, ret_result);
    bus_end(&b.run);
    return err;
}
